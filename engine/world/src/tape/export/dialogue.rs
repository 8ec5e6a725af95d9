//! What was said on a wire, line by line, as the lecture prints dialogues.

use pillarbox_engine::trace::{Note, Side, Span};

use crate::world::{Dir, End, EntryId, Protocol, Time, What, WireId, WireView, World};

/// A line that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// When it left.
    pub at: Time,
    /// By whom.
    pub dir: Dir,
    /// Offset of its first octet in its direction.
    pub start: u64,
    /// Its octets, with its line end; secret ones are asterisks unless they were asked for.
    pub octets: Vec<u8>,
}

/// What was said on a wire, in the order in which it left.
#[must_use]
pub fn dialogue(world: &World, wire: WireId, secrets: bool) -> Vec<Spoken> {
    let hidden =
        Dir::BOTH.map(|dir| if secrets { Vec::new() } else { self::secrets(world, wire, dir) });
    let mut said: Vec<Spoken> = Vec::new();
    // The line of each direction that has no end yet.
    let mut open: [Option<usize>; 2] = [None, None];
    // A body of HTTP has no line end, but the answer to it shows that it is over.
    let answers_end = world.protocol(wire) == Some(Protocol::Http);
    for entry in world.entries(EntryId(0)).iter().filter(|entry| entry.wire == Some(wire)) {
        let What::Octets { dir, start, end, .. } = entry.what else { continue };
        let side = usize::from(dir == Dir::ToClient);
        if answers_end {
            open[1 - side] = None;
        }
        let mut at = start;
        for line in world.octets(wire, dir, start..end).split_inclusive(|octet| *octet == b'\n') {
            let masked = mask(line, at, &hidden[side]);
            match open[side] {
                Some(index) => said[index].octets.extend(masked),
                None => {
                    said.push(Spoken { at: entry.at, dir, start: at, octets: masked });
                    open[side] = Some(said.len() - 1);
                }
            }
            if line.ends_with(b"\n") {
                open[side] = None;
            }
            at += line.len() as u64;
        }
    }
    said
}

/// What must not be shown, by either end's word.
pub(in crate::tape) fn secrets(world: &World, wire: WireId, dir: Dir) -> Vec<Span> {
    let ends = [End::Client, End::Server].into_iter();
    let spans = ends.flat_map(|end| {
        let side = if dir.sender() == end { Side::Sent } else { Side::Received };
        let notes = world.all_notes(wire, end).iter();
        notes.filter_map(move |noted| match noted.note {
            Note::Span(span) if span.side == side && span.secret => Some(span),
            _ => None,
        })
    });
    spans.collect()
}

/// Octets that begin at `start` of their direction, the hidden ones as asterisks; lines stay lines.
pub(super) fn mask(line: &[u8], start: u64, hidden: &[Span]) -> Vec<u8> {
    let is_hidden = |at: u64| hidden.iter().any(|span| (span.start..span.end).contains(&at));
    let octets = line.iter().zip(start..);
    let shown = octets.map(|(octet, at)| match *octet {
        b'\r' | b'\n' => *octet,
        _ if is_hidden(at) => b'*',
        other => other,
    });
    shown.collect()
}

/// All dialogues of a world as text: a line for each wire, then `C:` and `S:`.
#[must_use]
pub fn transcript(world: &World, secrets: bool) -> String {
    let mut out = String::new();
    for wire in world.wires() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&head(world, &wire));
        for said in dialogue(world, wire.id, secrets) {
            let text = String::from_utf8_lossy(&said.octets);
            let text = text.trim_end_matches(['\r', '\n']);
            let space = if text.is_empty() { "" } else { " " };
            out.push_str(&format!("{}:{space}{text}\n", said.dir.letter()));
        }
    }
    out
}

fn head(world: &World, wire: &WireView) -> String {
    let nodes = world.nodes();
    let name = |id: crate::world::NodeId| {
        let found = nodes.iter().find(|node| node.id == id);
        found.map_or("?", |node| &node.name[..])
    };
    let at = clock(world.unix_ms(wire.opened));
    let (client, server) = (name(wire.client), name(wire.server));
    format!("# {at} {client} to {server}:{} ({})\n", wire.port, wire.protocol)
}

/// The time of day, as a log has it.
pub(super) fn clock(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000 % 86_400;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, unix_ms % 1000)
}
