//! What happened: each thing that matters, with its time, and between whom; talk in between is one row. The same stands
//! as a table for whoever wants it without lanes.

use leptos::prelude::*;

use crate::browser;
use crate::browser::percent;
use crate::controls::{Row, Show, Switch};
use crate::player::{Pace, Player};
use crate::story::words::Mark;
use crate::story::{SequenceRow, Spot};

/// Rows that are drawn at once; those before them follow when the cursor rests.
const AT_ONCE: usize = 32;

/// Lanes that there is room for; of more nodes there is the table alone.
const LANES_MAX: usize = 8;
/// Under which name it is kept that somebody wants the table.
const TABLE: &str = "sequence-table";

/// The rows that are drawn.
#[derive(Clone, Default, PartialEq)]
struct Shown {
    /// The number of the first.
    first: usize,
    rows: Vec<SequenceRow>,
}

/// What is drawn of what happened.
fn shown(player: Player) -> Memo<Shown> {
    Memo::new(move |before: Option<&Shown>| {
        player.version.track();
        let (cursor, rested) = (player.cursor.get(), player.rested.get());
        player.read(|story| {
            let (all, last) = (story.earlier(cursor), story.last_rows(cursor, AT_ONCE));
            let near = before.filter(|before| {
                story.told(cursor).abs_diff(before.first + before.rows.len()) < AT_ONCE
            });
            let first = match near {
                _ if rested == Some(cursor) => all,
                Some(before) => before.first.clamp(all, last),
                None => last,
            };
            Shown { first, rows: story.rows_from(cursor, first) }
        })
    })
}

/// The list of a stage.
pub(crate) fn sequence(player: Player) -> AnyView {
    let shown = shown(player);
    let current = Memo::new(move |_| shown.with(|shown| shown.rows.last().map(|row| row.from)));
    // A place of the list stays, and what stands there changes: another moment needs no other elements.
    let places = Memo::new(move |_| shown.with(|shown| shown.rows.len()));
    let names = player
        .read(|story| story.nodes().iter().map(|node| node.title.clone()).collect::<Vec<_>>());
    let count = names.len();
    let has_room = (2..=LANES_MAX).contains(&count);
    let as_table = RwSignal::new(browser::kept(TABLE).is_some());
    let drawn = Signal::derive(move || has_room && !as_table.get());
    let set = move |on: bool| {
        browser::keep(TABLE, on.then_some("yes"));
        as_table.set(on);
    };
    let row = move |place: usize| {
        let row = Memo::new(move |_| shown.with(|shown| shown.rows.get(place).cloned()));
        let read = move |read: fn(&SequenceRow) -> String| {
            move || row.with(|row| row.as_ref().map(read)).unwrap_or_default()
        };
        let from = Memo::new(move |_| row.with(|row| row.as_ref().map(|row| row.from)));
        let class = Signal::derive(read(|row| format!("event{}", class(row.mark))));
        let is_current = Signal::derive(move || current.get() == from.get());
        let gap = Memo::new(move |_| row.with(|row| row.as_ref().and_then(|row| row.gap.clone())));
        let gap = move || {
            let gap = gap.get()?;
            let skipped = player.skips.get() && matches!(player.pace.get(), Pace::Times(_));
            let words = if skipped { format!("… {gap} skipped") } else { format!("{gap} later") };
            Some(view! { <span class="gap">{words}</span> }.into_any())
        };
        let lanes = Memo::new(move |_| {
            let has_lanes = drawn.get();
            row.with(|row| row.as_ref().and_then(|row| row.lanes).filter(|_| has_lanes))
        });
        let arrow = move || lanes.get().map(|(from, to)| arrow(from, to, count));
        let menu = player
            .breaks()
            .then(|| Callback::new(move |()| player.ask(from.get_untracked().map(Spot::Entry))));
        view! {
            <Row
                class=class
                first=is_current
                current=is_current
                press=move || {
                    player.playing.set(false);
                    if let Some(to) = row.with_untracked(|row| row.as_ref().map(|row| row.to)) {
                        player.seek(to);
                    }
                }
                at=move |here| {
                    if let Some(from) = from.try_get_untracked().flatten() {
                        player.near(here, Spot::Entry(from));
                    }
                }
                menu=menu
            >
                {gap}
                <time class="mono">{read(|row| row.clock.clone())}</time>
                <span>
                    {move || row.with(|row| row.as_ref()?.number).map(|number| {
                        view! { <span class="step-number">{number}</span> }
                    })}
                    <b aria-hidden="true">{read(|row| sign(row.mark).to_owned())}</b>
                    {read(|row| row.text.clone())}
                </span>
                {arrow}
            </Row>
        }
    };
    let earlier = Memo::new(move |_| {
        player.version.track();
        let cursor = player.cursor.get();
        player.read(|story| story.earlier(cursor))
    });
    // The newest row is looked at, without moving the page.
    let list = NodeRef::<leptos::html::Ol>::new();
    Effect::new(move |_| {
        shown.track();
        if let Some(list) = list.get() {
            request_animation_frame(move || list.set_scroll_top(list.scroll_height()));
        }
    });
    view! {
        <section class="pane sequence" aria-label="What happened">
            <div class="pane-head">
                <h2 class="pane-title">"What happened"</h2>
                {has_room.then(|| view! { <Switch label="As a table" on=as_table set=set /> })}
            </div>
            <Show when=move || drawn.get()>
                <div class="lane-heads" aria-hidden="true">
                    {names.iter().map(|name| view! { <span>{name.clone()}</span> }).collect_view()}
                </div>
            </Show>
            <Show when=move || { earlier.get() > 0 }>
                <p class="empty small">{move || format!("… and {} things before", earlier.get())}</p>
            </Show>
            <ol class="rows" node_ref=list>
                <For each=move || 0..places.get() key=|place| *place children=row />
            </ol>
            <Show when=move || places.get() == 0>
                <p class="empty">"Nothing yet. Press play, or → for one step."</p>
            </Show>
        </section>
    }
    .into_any()
}

/// The lanes of a row, and the arrow from one to another; the words beside it say the same.
fn arrow(from: usize, to: usize, count: usize) -> AnyView {
    let share = |lanes: f32| percent(lanes / count as f32);
    let (first, last) = (from.min(to), from.max(to));
    let left = share(first as f32 + 0.5);
    let width = share((last - first) as f32);
    let class = match from.cmp(&to) {
        std::cmp::Ordering::Less => "arrow right",
        std::cmp::Ordering::Greater => "arrow left",
        std::cmp::Ordering::Equal => "arrow dot",
    };
    view! {
        <span class="lanes" aria-hidden="true" style=format!("--lanes:{count}")>
            <i class=class style=format!("left:{left};width:{width}")></i>
        </span>
    }
    .into_any()
}

fn class(mark: Mark) -> &'static str {
    match mark {
        Mark::Plain => "",
        Mark::Good => " good",
        Mark::Warn => " warn",
        Mark::Bad => " bad",
    }
}

pub(super) fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::Plain => "",
        Mark::Good => "✔ ",
        Mark::Warn => "! ",
        Mark::Bad => "✖ ",
    }
}
