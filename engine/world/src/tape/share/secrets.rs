//! Passwords that were typed, crossed out of what a link holds. Those of the scenario's own accounts stay: whoever has the
//! link has them by the scenario, and a login that was let in must be let in again. Every other was wrong where it was said,
//! and crossed out it is as wrong and as long.

use std::collections::BTreeMap;

use pillarbox_engine::text::base64;
use pillarbox_engine::trace::{Note, Side};

use super::super::export::secrets;
use super::super::{Planned, Scenario, Tape};
use crate::world::{Action, Dir, End, Noted, Time, WireId, World};

/// Virtual time in which what was typed last is read.
const READ_WITHIN_MS: u64 = 60_000;
/// What stands in the place of each octet of a password.
const CROSS: u8 = b'x';

/// What is typed at the client's end of a wire.
fn typed(action: &Action) -> Option<(u32, &[u8])> {
    match action {
        Action::Type { wire, server: false, octets } => Some((*wire, octets)),
        _ => None,
    }
}

impl Tape {
    /// The actions of a branch as a link holds them where secrets are not shown.
    pub(super) fn crossed_out(&self, branch: usize) -> Vec<Planned> {
        let mut actions = self.branches[branch].actions.clone();
        let Some(last) = actions.iter().rfind(|planned| typed(&planned.action).is_some()) else {
            return actions;
        };
        // What was typed last may not have been read yet, and of another branch nothing is known here.
        let end = Time(last.at.0 + READ_WITHIN_MS);
        let other = || {
            let mut run = self.alone(branch)?;
            run.run_to(end);
            Some(run)
        };
        let is_here = branch == self.current && has_read(&self.world, &actions);
        let other = if is_here { None } else { other() };
        let run = other.as_ref().unwrap_or(self);
        let refused: Vec<usize> = run.refused.iter().map(|(at, _)| *at).collect();
        cross_out(&run.world, &own_passwords(&self.scenario, &actions), &refused, &mut actions);
        actions
    }
}

/// Whether the servers have read all that was typed.
fn has_read(world: &World, actions: &[Planned]) -> bool {
    let mut lengths: BTreeMap<u32, u64> = BTreeMap::new();
    for (wire, octets) in actions.iter().filter_map(|planned| typed(&planned.action)) {
        *lengths.entry(wire).or_default() += octets.len() as u64;
    }
    let read = |noted: &Noted| match noted.note {
        Note::Span(span) if span.side == Side::Received => span.end,
        _ => 0,
    };
    lengths.iter().all(|(wire, length)| {
        let notes = world.all_notes(WireId(*wire), End::Server);
        notes.iter().map(read).max().unwrap_or(0) >= *length
    })
}

/// The passwords that everybody knows who has the scenario.
fn own_passwords<'a>(scenario: &'a Scenario, actions: &'a [Planned]) -> Vec<Vec<u8>> {
    let users = scenario.setup.nodes.iter().flat_map(|node| &node.users);
    let added = actions.iter().filter_map(|planned| match &planned.action {
        Action::User { password, .. } => Some(password),
        _ => None,
    });
    let all = users.map(|(_, password)| password).chain(added);
    all.filter(|password| !password.is_empty())
        .map(|password| password.clone().into_bytes())
        .collect()
}

fn cross_out(world: &World, own: &[Vec<u8>], refused: &[usize], actions: &mut [Planned]) {
    // Of each wire how far it was typed, and what of it is crossed out.
    let mut wires: BTreeMap<u32, (u64, Vec<Crossed>)> = BTreeMap::new();
    for (at, planned) in actions.iter_mut().enumerate() {
        let Action::Type { wire, server: false, octets } = &mut planned.action else { continue };
        // What could not be typed is not on the wire; a secret in it would be nobody's.
        if refused.contains(&at) {
            octets.fill(CROSS);
            continue;
        }
        let (start, hidden) =
            wires.entry(*wire).or_insert_with(|| (0, crossed_on(world, WireId(*wire), own)));
        let end = *start + octets.len() as u64;
        for Crossed { from, octets: crossed } in hidden.iter() {
            for (position, cross) in (*from..).zip(crossed) {
                if (*start..end).contains(&position) {
                    octets[(position - *start) as usize] = *cross;
                }
            }
        }
        *start = end;
    }
}

/// What a client said in secret and that opens no account of the scenario.
struct Crossed {
    /// Where it begins.
    from: u64,
    /// What stands in its place.
    octets: Vec<u8>,
}

fn crossed_on(world: &World, wire: WireId, own: &[Vec<u8>]) -> Vec<Crossed> {
    let spans = secrets(world, wire, Dir::ToServer).into_iter();
    let crossed = spans.filter_map(|span| {
        let said = world.octets(wire, Dir::ToServer, span.start..span.end);
        let whole_line = span.label == "unparsed";
        let crossed = || Crossed { from: span.start, octets: crossed(said, whole_line) };
        (!holds_any(said, own)).then(crossed)
    });
    crossed.collect()
}

/// Whether one of these stands in it, as it is or in Base64.
fn holds_any(said: &[u8], own: &[Vec<u8>]) -> bool {
    let decoded = base64::decode(said).unwrap_or_default();
    let holds = |text: &[u8], word: &[u8]| text.windows(word.len()).any(|part| part == word);
    own.iter().any(|word| holds(said, word) || holds(&decoded, word))
}

/// The same without its words: as long, and quoted or encoded as before.
fn crossed(said: &[u8], whole_line: bool) -> Vec<u8> {
    let decoded = base64::decode(said).filter(|decoded| !decoded.is_empty());
    if let Some(mut decoded) = decoded.filter(|decoded| base64::encode(decoded) == said) {
        // RFC 4616: names stand before the last NUL.
        let from = decoded.iter().rposition(|octet| *octet == 0).map_or(0, |at| at + 1);
        decoded[from..].fill(CROSS);
        return base64::encode(&decoded);
    }
    // Of a line that was not understood the first word stays, so that it is answered as it was.
    let word = || said.iter().position(|octet| *octet == b' ').filter(|_| whole_line);
    let from = literal_head(said).or_else(word).unwrap_or(0);
    let cross = |octet: &u8| match *octet {
        b' ' | b'"' | b'\\' | b'\r' | b'\n' => *octet,
        _ => CROSS,
    };
    said[..from].iter().copied().chain(said[from..].iter().map(cross)).collect()
}

/// RFC 9051 §4.3: octets of the head that says how long what follows is, and that stays.
fn literal_head(said: &[u8]) -> Option<usize> {
    let end = said.iter().position(|octet| *octet == b'}')?;
    let inside = said.strip_prefix(b"{")?.get(..end - 1)?;
    inside.iter().all(|octet| octet.is_ascii_digit() || *octet == b'+').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_crossed_out_keeps_its_form() {
        let text = |said: &[u8], line| String::from_utf8(crossed(said, line)).expect("ASCII");
        assert_eq!(text(b"\"my \\\"own\"", false), "\"xx \\\"xxx\"");
        assert_eq!(text(b"PASS my own\r\n", true), "PASS xx xxx\r\n");
        assert_eq!(text(b"my own", false), "xx xxx");
        assert_eq!(text(b"{6+}\r\nmy own", false), "{6+}\r\nxx xxx");
        assert_eq!((text(b"{6}", false), text(b"}{", false)), ("{6}".to_owned(), "xx".to_owned()));
        let plain = base64::encode(b"\0bob\0my own");
        assert_eq!(base64::decode(&crossed(&plain, false)), Some(b"\0bob\0xxxxxx".to_vec()));
        assert_eq!(crossed(&plain, false).len(), plain.len());
    }
}
