//! What happened, as a list: each thing that matters, with its time; talk in between is one row.

use leptos::prelude::*;

use crate::controls::Row;
use crate::player::Player;
use crate::story::SequenceRow;
use crate::story::words::Mark;

/// Rows that are drawn at once; those before them follow when the cursor rests.
const AT_ONCE: usize = 32;

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
            Some(view! { <span class="gap">{format!("{gap} later")}</span> }.into_any())
        };
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
                at=move |_| ()
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
            <h2 class="pane-title">"What happened"</h2>
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
