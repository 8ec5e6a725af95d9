//! The words of one connection, line by line, each octet linked with what it is.

use leptos::prelude::*;
use pillarbox_world::world::{Dir, WireId};

use crate::controls::{Piece, Row, Select};
use crate::player::{Focus, Player};
use crate::story::{SpokenLine, SpokenPiece};

/// Lines that are drawn at once; those before them follow when the cursor rests.
const AT_ONCE: usize = 64;

/// The lines that are drawn.
#[derive(Clone, Default, PartialEq)]
struct Shown {
    wire: Option<WireId>,
    /// How many before them are not drawn yet.
    left_out: usize,
    lines: Vec<SpokenLine>,
}

/// What is drawn of the conversation that is followed.
fn shown(player: Player) -> Memo<Shown> {
    Memo::new(move |before: Option<&Shown>| {
        player.version.track();
        let (cursor, wire, rested) = (player.cursor.get(), player.wire.get(), player.rested.get());
        let Some(wire) = wire else { return Shown::default() };
        let left_out = |all: usize| {
            let last = all.saturating_sub(AT_ONCE);
            let before = before.filter(|before| {
                let seen = before.left_out + before.lines.len();
                before.wire == Some(wire) && all.abs_diff(seen) <= AT_ONCE
            });
            match before {
                _ if rested == Some(cursor) => 0,
                Some(before) => before.left_out.min(last),
                None => last,
            }
        };
        let (left_out, lines) = player.read(|story| story.spoken_after(wire, cursor, left_out));
        Shown { wire: Some(wire), left_out, lines }
    })
}

/// The conversation that is followed to its newest line.
pub(crate) fn transcript(player: Player, choose: bool) -> AnyView {
    conversation(player, choose, true)
}

/// The conversation from its beginning, to be read.
pub(crate) fn whole(player: Player) -> AnyView {
    conversation(player, true, false)
}

fn conversation(player: Player, choose: bool, follow: bool) -> AnyView {
    let shown = shown(player);
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
                list.set_scroll_top(if follow { list.scroll_height() } else { 0 });
            });
        }
    });
    let last = Memo::new(move |_| {
        shown.with(|shown| shown.lines.last().map(|line| (line.dir, line.start)))
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
                    each=move || shown.with(|shown| shown.lines.clone())
                    key=|line| {
                        // What is known of a line can grow after it was said.
                        let known = (line.pieces.len(), line.grade, line.is_masked());
                        (line.wire, line.dir.letter(), line.start, line.end, known)
                    }
                    children=move |line| spoken_line(player, line, last)
                />
            </ol>
            </div>
            <Show when=move || shown.with(|shown| shown.lines.is_empty())>
                <p class="empty">"Nobody has spoken yet."</p>
            </Show>
        </section>
    }
    .into_any()
}

/// One line, its pieces coloured by what they are.
pub(crate) fn spoken_line(
    player: Player,
    line: SpokenLine,
    last: Memo<Option<(Dir, u64)>>,
) -> AnyView {
    let (dir, start) = (line.dir, line.start);
    let is_last = Signal::derive(move || last.get() == Some((dir, start)));
    line_of(player, line, is_last)
}

/// The line of a page of lines that Tab comes to.
pub(crate) type First = Option<(Dir, u64, WireId)>;

/// A line among those of several connections.
pub(crate) fn compared_line(player: Player, line: SpokenLine, first: First) -> AnyView {
    let is_first = Signal::stored(first == Some((line.dir, line.start, line.wire)));
    line_of(player, line, is_first)
}

fn line_of(player: Player, line: SpokenLine, is_last: Signal<bool>) -> AnyView {
    let SpokenLine { wire, dir, start, end, pieces, defect, .. } = line;
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
