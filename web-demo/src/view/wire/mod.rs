//! Octets: as a tree of what they are, and in hex. Both are linked with every other view by what is looked at.

mod screen;

use leptos::prelude::*;
use pillarbox_world::world::{Dir, WireId};

use crate::controls::{Piece, Row};
use crate::player::{Focus, Player};
use crate::story::TreeRow;

pub(crate) use screen::screen;

/// Octets shown in hex at once.
const HEX_MAX: u64 = 512;
/// Octets in one row beside other things, and on a narrow screen.
const HEX_ROW: usize = 8;

/// The tree of the line that an octet lies in.
pub(crate) fn tree(player: Player, wire: WireId, dir: Dir, at: u64) -> AnyView {
    let rows = player.read(|story| story.tree(wire, dir, at));
    if rows.len() < 2 {
        return ().into_any();
    }
    let row = |(nth, row): (usize, TreeRow)| {
        let TreeRow { depth, label, text, start, end } = row;
        let own = Focus::Octets { wire, dir, start, end };
        let lit = Memo::new(move |_| player.focus() == Some(own));
        let class =
            Signal::derive(
                move || if lit.get() { "leaf lit".to_owned() } else { "leaf".to_owned() },
            );
        view! {
            <Row
                class=class
                first=Signal::stored(nth == 0)
                current=lit
                press=move || player.pin.set(Some(own))
                at=move |here| player.hover.set(here.then_some(own))
            >
                <span class="leaf-label" style=format!("padding-left:calc({depth} * .75rem)")>{label}</span>
                <span class="leaf-text mono">{text}</span>
            </Row>
        }
    };
    let rows = rows.into_iter().enumerate().map(row).collect_view();
    view! { <h4>"parts"</h4><ol class="rows tree" aria-label="Parts of this line">{rows}</ol> }
        .into_any()
}

/// The octets of a range, in hex and in text.
pub(crate) fn hex(player: Player, wire: WireId, dir: Dir, start: u64, end: u64) -> AnyView {
    view! { <h4>"octets"</h4>{hex_rows(player, wire, dir, start, end, HEX_ROW)} }.into_any()
}

/// The same without a title, so many in a row.
pub(crate) fn hex_rows(
    player: Player,
    wire: WireId,
    dir: Dir,
    start: u64,
    end: u64,
    in_row: usize,
) -> AnyView {
    let shown_end = end.min(start + HEX_MAX);
    let octets = player.read(|story| story.octets(wire, dir, start, shown_end));
    let row = |(nth, row): (usize, &[u8])| {
        let from = start + (nth * in_row) as u64;
        let cell = |(at, octet): (usize, &u8)| {
            let at = from + at as u64;
            let own = Focus::Octets { wire, dir, start: at, end: at + 1 };
            let lit = Memo::new(move |_| match player.focus() {
                Some(Focus::Octets { start, end, .. }) => {
                    start <= at && at < end && end - start < shown_end
                }
                _ => false,
            });
            view! {
                <Piece class="octet".to_owned() lit=lit at=move |_| () press=move || {
                    let leaf = player.read(|story| story.leaf(wire, dir, at));
                    let leaf = leaf.map_or(own, |(start, end)| Focus::Octets { wire, dir, start, end });
                    player.pin.set(Some(leaf));
                }>{format!("{octet:02x}")}</Piece>
            }
        };
        let cells = row.iter().enumerate().map(cell).collect_view();
        let text: String = row.iter().map(|octet| crate::story::lines::shown(*octet)).collect();
        view! { <tr><th>{from}</th><td class="cells">{cells}</td><td class="as-text">{text}</td></tr> }
    };
    let rows = octets.chunks(in_row).enumerate().map(row).collect_view();
    let more = (shown_end < end)
        .then(|| view! { <p class="small muted">{format!("and {} more", end - shown_end)}</p> });
    view! {
        <table class="hex mono" aria-label="Octets in hex"><tbody>{rows}</tbody></table>
        {more}
    }
    .into_any()
}
