//! What somebody looks at, and its text in a link: `12`, `12 n3` with a node, `12 w2c54-83` with octets; an `s` at the
//! end shows secrets.

use pillarbox_world::world::{Dir, NodeId, WireId};

/// What somebody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// Octets of a direction of a wire.
    Octets {
        /// The wire.
        wire: WireId,
        /// The direction.
        dir: Dir,
        /// The first.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// A node of the map.
    Node(NodeId),
}

/// The moment that is shown, and what is looked at there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many entries are told.
    pub cursor: usize,
    /// What is pinned.
    pub pin: Option<Focus>,
    /// Whether secrets are shown.
    pub secrets: bool,
}

impl Focus {
    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Node(node) => format!("n{}", node.0),
            Self::Octets { wire, dir, start, end } => {
                let letter = dir.letter().to_ascii_lowercase();
                format!("w{}{letter}{start}-{end}", wire.0)
            }
        }
    }

    /// Reads a text; none: it makes no sense.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        focus(text)
    }
}

impl Seen {
    /// After so many entries, with nothing pinned.
    #[must_use]
    pub fn at(cursor: usize) -> Self {
        Self { cursor, ..Self::default() }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.cursor.to_string();
        if let Some(pin) = self.pin {
            text.extend([" ", &pin.text()]);
        }
        text + if self.secrets { " s" } else { "" }
    }

    /// Reads a text; what is pinned is left out where it makes no sense, since links come from anywhere.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (text, secrets) = match text.strip_suffix(" s") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (cursor, pin) = text.split_once(' ').unwrap_or((text, ""));
        Some(Self { cursor: cursor.parse().ok()?, pin: focus(pin), secrets })
    }
}

fn focus(text: &str) -> Option<Focus> {
    if let Some(node) = text.strip_prefix('n') {
        return node.parse().ok().map(|node| Focus::Node(NodeId(node)));
    }
    let rest = text.strip_prefix('w')?;
    let (dir, at) = Dir::BOTH.into_iter().find_map(|dir| {
        Some((dir, rest.find(|letter: char| dir.letter().eq_ignore_ascii_case(&letter))?))
    })?;
    let (start, end) = rest.get(at + 1..)?.split_once('-')?;
    let (start, end) = (start.parse().ok()?, end.parse().ok()?);
    let wire = WireId(rest.get(..at)?.parse().ok()?);
    (start < end).then_some(Focus::Octets { wire, dir, start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let octets = |dir| Focus::Octets { wire: WireId(2), dir, start: 54, end: 83 };
        let pins = [
            None,
            Some(Focus::Node(NodeId(3))),
            Some(octets(Dir::ToServer)),
            Some(octets(Dir::ToClient)),
        ];
        for (pin, secrets) in pins.into_iter().flat_map(|pin| [(pin, false), (pin, true)]) {
            let seen = Seen { cursor: 12, pin, secrets };
            assert_eq!(Seen::parse(&seen.text()), Some(seen), "{}", seen.text());
        }
    }

    #[test]
    fn what_makes_no_sense_pins_nothing() {
        for pin in [
            "", "x", "n", "n-1", "w", "wc1-2", "w1c2-1", "w1c1-1", "w1c1", "w1x1-2", "w1é1-2",
            "n70000",
        ] {
            let seen = Seen::parse(&format!("7 {pin}"));
            assert_eq!(seen, Some(Seen::at(7)), "{pin}");
        }
        assert_eq!(Seen::parse("é 1"), None);
        assert_eq!(Seen::parse(""), None);
    }
}
