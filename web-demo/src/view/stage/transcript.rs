//! The words of one connection, line by line, each octet linked with what it is.

use leptos::prelude::*;
use pillarbox_world::world::{Dir, WireId};

use crate::controls::{Button, Piece, Row, Select, Show};
use crate::player::{Focus, Player};
use crate::story::filter::Filter;
use crate::story::{SpokenLine, SpokenPiece, words};

/// Lines that are drawn at once; those before them follow when the cursor rests.
const AT_ONCE: usize = 64;
/// Lines that are drawn at most: those of a long conversation are seen one such page after the other.
const PAGE: usize = 400;

/// The lines that are drawn.
#[derive(Clone, Default, PartialEq)]
struct Shown {
    wire: Option<WireId>,
    /// How many there are, and how many before the first that is drawn.
    all: usize,
    left_out: usize,
    lines: Vec<SpokenLine>,
}

/// What is drawn of the conversation: from this line on, or the newest.
fn shown(player: Player, from: RwSignal<Option<usize>>) -> Memo<Shown> {
    Memo::new(move |before: Option<&Shown>| {
        player.version.track();
        let (cursor, wire, rested) = (player.cursor.get(), player.wire.get(), player.rested.get());
        let Some(wire) = wire else { return Shown::default() };
        let from = from.get();
        let mut left_out = 0;
        let which = |all: usize| {
            let (last, newest) = (all.saturating_sub(AT_ONCE), all.saturating_sub(PAGE));
            let before = before.filter(|before| {
                let seen = before.left_out + before.lines.len();
                before.wire == Some(wire) && all.abs_diff(seen) <= AT_ONCE
            });
            left_out = match (from, before) {
                (Some(from), _) => from.min(newest),
                _ if rested == Some(cursor) => newest,
                (_, Some(before)) => before.left_out.clamp(newest, last),
                _ => last,
            };
            left_out..left_out + PAGE
        };
        let (all, lines) = player.read(|story| story.spoken_within(wire, cursor, which));
        Shown { wire: Some(wire), all, left_out, lines }
    })
}

/// The conversation that is followed to its newest line.
pub(crate) fn transcript(player: Player, choose: bool) -> AnyView {
    conversation(player, choose, None)
}

/// Which lines are shown.
#[derive(Clone, Copy)]
pub(crate) struct Only {
    /// Of whom, and of what kind.
    pub(crate) which: Signal<(Option<Dir>, Filter)>,
    /// Wishes for others, in a filter's words: all, where there are none.
    pub(crate) wish: Callback<String>,
}

/// The conversation from its beginning, to be read, with the time between lines: all of it, or what is asked for.
pub(crate) fn whole(player: Player, only: Only) -> AnyView {
    conversation(player, true, Some(only))
}

/// A page of a long conversation, and the way to the others.
fn pages(shown: Memo<Shown>, from: RwSignal<Option<usize>>, follow: bool) -> AnyView {
    let place =
        Memo::new(move |_| shown.with(|shown| (shown.left_out, shown.lines.len(), shown.all)));
    let is_long = Memo::new(move |_| place.get().2 > PAGE);
    let earlier = move || {
        let (first, ..) = place.get_untracked();
        from.set(Some(first.saturating_sub(PAGE)));
    };
    let later = move || {
        let (first, _, all) = place.get_untracked();
        let is_newest = first + 2 * PAGE >= all;
        from.set(if follow && is_newest { None } else { Some(first + PAGE) });
    };
    let is_first = Signal::derive(move || place.get().0 == 0);
    let is_last = Signal::derive(move || {
        let (first, count, all) = place.get();
        first + count >= all
    });
    view! {
        <Show when=move || is_long.get()>
            <div class="lines-pages" role="group" aria-label="Which lines are shown">
                <Button class="quiet small-button" disabled=is_first press=earlier>"Earlier"</Button>
                <Button class="quiet small-button" disabled=is_last press=later>"Later"</Button>
                <span class="small muted">{move || {
                    let (first, count, all) = place.get();
                    format!("lines {} – {} of {all}", first + 1, first + count)
                }}</span>
            </div>
        </Show>
    }
    .into_any()
}

fn conversation(player: Player, choose: bool, only: Option<Only>) -> AnyView {
    let follow = only.is_none();
    let from = RwSignal::new((!follow).then_some(0));
    // Another conversation is read from where one begins to read.
    Effect::new(move |before: Option<Option<WireId>>| {
        let wire = player.wire.get();
        if before.is_some_and(|before| before != wire) {
            from.set((!follow).then_some(0));
        }
        wire
    });
    let shown = shown(player, from);
    let lines = Signal::derive(move || {
        let (side, filter) = only.map(|only| only.which.get()).unwrap_or_default();
        let said = |line: &&SpokenLine| {
            side.is_none_or(|side| line.dir == side)
                && (filter.is_empty() || player.read(|story| story.fits(line, &filter)))
        };
        shown.with(|shown| shown.lines.iter().filter(said).cloned().collect::<Vec<_>>())
    });
    // What no line shown has is not explained beside them.
    let is_filtered_out = Memo::new(move |_| {
        lines.with(Vec::is_empty) && shown.with(|shown| !shown.lines.is_empty())
    });
    Effect::new(move |_| {
        if is_filtered_out.get() {
            player.pin.set(None);
            player.hover.set(None);
        }
    });
    let head = Memo::new(move |_| {
        let wire = player.wire.get()?;
        player.scene.with(|scene| player.read(|story| story.wire_title(wire, scene)))
    });
    // How many octets travelled until now: to the server, and from it.
    let counted = Memo::new(move |_| {
        let wire = player.wire.get()?;
        player.scene.with(|scene| scene.wires.get(&wire).map(|talk| talk.octets))
    });
    let listener = Memo::new(move |_| {
        player.version.track();
        let wire = player.wire.get()?;
        player.read(|story| story.listener(wire))
    });
    let wires = Signal::derive(move || {
        player.version.track();
        let mut all = vec![(String::new(), "the one that speaks".to_owned())];
        player.scene.with(|scene| {
            for id in scene.wires.keys() {
                let title = player.read(|story| story.wire_title(*id, scene)).unwrap_or_default();
                all.push((id.0.to_string(), title));
            }
        });
        all
    });
    let chosen = Signal::derive(move || {
        player.chosen.get().map_or_else(String::new, |wire| wire.0.to_string())
    });
    let list = NodeRef::<leptos::html::Ol>::new();
    Effect::new(move |_| {
        shown.track();
        if let Some(list) = list.get() {
            request_animation_frame(move || {
                let newest = from.try_get_untracked() == Some(None);
                list.set_scroll_top(if newest { list.scroll_height() } else { 0 });
            });
        }
    });
    // Tab comes to the newest line, or where all is read to the one that is looked at.
    let last = Memo::new(move |_| {
        let pinned = match player.pin.get() {
            Some(Focus::Octets { dir, start, .. }) if !follow => Some((dir, start)),
            _ => None,
        };
        let holds = |line: &&SpokenLine| {
            let range = line.start..line.end;
            pinned.is_some_and(|(dir, start)| dir == line.dir && range.contains(&start))
        };
        lines.with(|lines| {
            let line = lines.iter().find(holds);
            let line = line.or_else(|| if follow { lines.last() } else { lines.first() });
            line.map(|line| (line.dir, line.start))
        })
    });
    view! {
        <section class="pane transcript" aria-label="Conversation">
            <div class="pane-head">
                <h2 class="pane-title">{move || head.get().unwrap_or_else(|| "Conversation".to_owned())}</h2>
                {move || counted.get().map(|[to, from]| view! {
                    <span class="counted muted small">{format!("↑ {to} ↓ {from} octets")}</span>
                })}
                {move || listener.get().map(|words| view! { <span class="chip warn listener">{words}</span> })}
                <Show when=move || { choose && wires.get().len() > 2 }>
                    <Select label="Which connection" options=wires chosen=chosen set=move |value: String| {
                        player.chosen.set(value.parse().ok().map(WireId));
                    } />
                </Show>
            </div>
            // Where somebody types, what comes is told as it comes.
            <div class="log" role=(!choose).then_some("log") aria-label=(!choose).then_some("What is said")>
            <ol class="rows lines" node_ref=list>
                <For
                    each=move || lines.get()
                    key=|line| {
                        // What is known of a line can grow after it was said.
                        let known = (line.pieces.len(), line.grade, line.is_masked());
                        (line.wire, line.dir.letter(), line.start, line.end, known)
                    }
                    children=move |line| {
                        let place = (line.dir, line.start);
                        line_of(player, line, Signal::derive(move || last.get() == Some(place)), !follow)
                    }
                />
            </ol>
            </div>
            {pages(shown, from, follow)}
            <Show when=move || lines.with(Vec::is_empty)>
                <p class="empty">{move || if !is_filtered_out.get() {
                    "Nobody has spoken yet."
                } else if only.is_some_and(|only| only.which.with(|(_, filter)| !filter.is_empty())) {
                    "No line of this connection is like this."
                } else {
                    "This side says nothing here."
                }}</p>
                {move || only.filter(|_| is_filtered_out.get()).map(|only| others(player, only))}
            </Show>
        </section>
    }
    .into_any()
}

/// The way from a filter that no line is like to lines.
fn others(player: Player, only: Only) -> AnyView {
    let code = player.wire.get().and_then(|wire| player.read(|story| story.some_code(wire)));
    let code = code.map(|code| {
        let words = format!("Try {code}");
        view! { <Button class="small-button" press=move || only.wish.run(code.clone())>{words}</Button> }
    });
    view! {
        <div class="empty go others">
            <Button class="small-button" press=move || only.wish.run(String::new())>"Show all lines"</Button>
            {code}
        </div>
    }
    .into_any()
}

/// The line of a page of lines that Tab comes to.
pub(crate) type First = Option<(Dir, u64, WireId)>;

/// A line among those of several connections.
pub(crate) fn compared_line(player: Player, line: SpokenLine, first: First) -> AnyView {
    let is_first = Signal::stored(first == Some((line.dir, line.start, line.wire)));
    line_of(player, line, is_first, false)
}

/// One line, its pieces coloured by what they are.
fn line_of(player: Player, line: SpokenLine, is_last: Signal<bool>, timed: bool) -> AnyView {
    let SpokenLine { wire, dir, start, end, pieces, defect, after_ms, .. } = line;
    let whole = Focus::Octets { wire, dir, start, end };
    let within = Memo::new(move |_| match player.focus() {
        Some(Focus::Octets { wire: w, dir: d, start: from, end: to }) => {
            w == wire && d == dir && from < end && to > start
        }
        _ => false,
    });
    let class = Signal::derive(move || {
        let side = if dir == Dir::ToServer { "client" } else { "server" };
        let lit = if within.get() { " lit" } else { "" };
        format!("line {side}{lit}")
    });
    let menu = player.breaks().then(|| Callback::new(move |()| player.ask(player.spot_of(whole))));
    let speaker = dir.letter();
    let pieces = pieces.into_iter().map(|piece| piece_of(player, piece)).collect_view();
    let defect = defect.map(|gist| view! { <span class="chip warn">{gist}</span> });
    view! {
        <Row
            class=class
            first=is_last
            current=within
            press=move || player.pin.set(Some(whole))
            at=move |here| player.hover.set(here.then_some(whole))
            menu=menu
        >
            {timed.then(|| view! { <time class="delta small muted">{words::delta(after_ms)}</time> })}
            <b class="speaker">{format!("{speaker}:")}</b>
            <span class="said mono">{pieces}</span>
            {defect}
        </Row>
    }
    .into_any()
}

fn piece_of(player: Player, piece: SpokenPiece) -> AnyView {
    let SpokenPiece { wire, dir, start, end, class, text, .. } = piece;
    let own = Focus::Octets { wire, dir, start, end };
    let lit = Memo::new(move |_| match player.focus() {
        Some(Focus::Octets { wire: w, dir: d, start: from, end: to }) => {
            w == wire && d == dir && from <= start && end <= to
        }
        _ => false,
    });
    view! {
        <Piece class=class lit=lit at=move |here| player.hover.set(here.then_some(own)) press=move || player.pin.set(Some(own))>
            {text}
        </Piece>
    }
    .into_any()
}
