//! What can be done with octets that are looked at: read them in another way, go to the parts beside them, and keep all
//! that a connection said in the forms in which other tools take it.

use pillarbox_engine::text::{base64, transfer::Decoder};
use pillarbox_world::annotate::value::{dated, shown};
use pillarbox_world::world::{Dir, WireId};

use super::Story;
use super::lines::{LINE_END, text_alone};

/// Octets that are read in another way.
const READ_MAX: u64 = 4 * 1024;
/// Octets in one row of an array.
const ARRAY_ROW: usize = 12;

/// Ways to read octets, each with its words.
pub const READINGS: [(&str, &str); 4] = [
    ("text", "text"),
    ("base64", "base64, decoded"),
    ("qp", "quoted-printable, decoded"),
    ("date", "a date, in UTC"),
];

/// Forms in which a connection is kept: name, words, media type.
pub const FORMS: [(&str, &str, &str); 5] = [
    ("talk.txt", "As text: who says what", "text/plain;charset=utf-8"),
    ("octets.txt", "In hex", "text/plain;charset=utf-8"),
    ("octets.c", "As arrays in C", "text/x-c;charset=utf-8"),
    ("client.bin", "Raw: what the client said", "application/octet-stream"),
    ("server.bin", "Raw: what the server said", "application/octet-stream"),
];

/// A part beside another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kin {
    /// That it lies in.
    Parent,
    /// The first that lies in it.
    Child,
    /// The one after it; after a line the next line of the same side.
    Next,
    /// The one before it.
    Previous,
}

impl Kin {
    /// The one that an arrow key leads to.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        Some(match key {
            "ArrowUp" => Self::Parent,
            "ArrowDown" => Self::Child,
            "ArrowRight" => Self::Next,
            "ArrowLeft" => Self::Previous,
            _ => return None,
        })
    }
}

/// Decoded octets as text: lines stay lines.
fn decoded(octets: &[u8]) -> String {
    shown(octets).replace("\\x0D\\x0A", "\n")
}

/// Octets read in one of [`READINGS`]; none: they are not written so.
#[must_use]
pub fn read(octets: &[u8], way: &str) -> Option<String> {
    match way {
        "base64" => {
            let text: Vec<u8> =
                octets.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
            if text.is_empty() {
                None
            } else {
                base64::decode(&text).map(|octets| decoded(&octets))
            }
        }
        "qp" => {
            let (mut decoder, mut out) = (Decoder::new(b"quoted-printable")?, Vec::new());
            decoder.decode(octets, &mut out);
            decoder.finish(&mut out);
            (out != octets).then(|| decoded(&out))
        }
        // A date is found behind the name of its field too.
        "date" => {
            let value = octets.iter().position(|octet| *octet == b':').map(|at| &octets[at + 1..]);
            dated(octets).or_else(|| dated(value?))
        }
        _ => Some(text_alone(octets)),
    }
}

impl Story {
    /// Octets that are looked at, in one of [`READINGS`]; secrets as stars.
    #[must_use]
    pub fn reading(&self, wire: WireId, dir: Dir, range: (u64, u64), way: &str) -> Option<String> {
        let octets = self.octets(wire, dir, range.0, range.1.min(range.0 + READ_MAX));
        read(&octets, way)
    }

    /// The part beside the one of this range.
    #[must_use]
    pub fn kin(&self, wire: WireId, dir: Dir, range: (u64, u64), kin: Kin) -> Option<(u64, u64)> {
        let line = self.line_of(wire, dir, range.0)?;
        let rows = self.tree(wire, dir, range.0);
        let place = |row: &super::TreeRow| (row.start, row.end);
        let own = rows.iter().position(|row| place(row) == range);
        let depth = own.map_or(0, |own| rows[own].depth);
        let (before, after) = rows.split_at(own.unwrap_or(0));
        let after = after.get(1..).unwrap_or_default();
        let other = |row: &&super::TreeRow| place(row) != range;
        let beside = match kin {
            Kin::Parent => before.iter().rev().find(|row| row.depth < depth && other(row)),
            Kin::Child => {
                let inside = after.iter().take_while(|row| row.depth > depth);
                inside.filter(other).find(|row| range.0 <= row.start && row.end <= range.1)
            }
            Kin::Next => {
                after.iter().take_while(|row| row.depth >= depth).find(|row| row.depth == depth)
            }
            Kin::Previous => {
                let rest = before.iter().rev().take_while(|row| row.depth >= depth);
                rest.into_iter().find(|row| row.depth == depth)
            }
        };
        let is_line = depth == 0;
        match (beside, kin) {
            (Some(row), _) => Some(place(row)),
            (None, Kin::Next) if is_line => self.line_of(wire, dir, line.1),
            (None, Kin::Previous) if is_line => self.line_of(wire, dir, line.0.checked_sub(1)?),
            _ => None,
        }
    }

    /// All that a connection said, in one of [`FORMS`]; secrets as stars.
    #[must_use]
    pub fn in_form(&self, wire: WireId, form: &str) -> Vec<u8> {
        let all = |dir| self.octets(wire, dir, 0, u64::MAX);
        match form {
            "client.bin" => all(Dir::ToServer),
            "server.bin" => all(Dir::ToClient),
            "octets.txt" => self.dump(wire).into_bytes(),
            "octets.c" => self.arrays(wire).into_bytes(),
            _ => self.talk(wire).into_bytes(),
        }
    }

    fn talk(&self, wire: WireId) -> String {
        let mut out = String::new();
        for line in self.spoken(wire, usize::MAX) {
            let text: String = line.pieces.iter().map(|piece| piece.text.as_str()).collect();
            let text = text.trim_end_matches(LINE_END);
            out.push_str(&format!("{}: {text}\n", line.dir.letter()));
        }
        out
    }

    /// Every line as an array, in the order in which they were said.
    fn arrays(&self, wire: WireId) -> String {
        let mut out = String::new();
        for (nth, line) in self.spoken(wire, usize::MAX).into_iter().enumerate() {
            let who = if line.dir == Dir::ToServer { "client" } else { "server" };
            out.push_str(&format!("static const unsigned char {who}_{nth}[] = {{\n"));
            for row in self.octets(wire, line.dir, line.start, line.end).chunks(ARRAY_ROW) {
                let row: Vec<String> = row.iter().map(|octet| format!("0x{octet:02x}")).collect();
                out.push_str(&format!("    {},\n", row.join(", ")));
            }
            out.push_str("};\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(story: &Story, text: &str) -> (WireId, (u64, u64)) {
        let wire = story.source().tape().world().wires()[0].id;
        let said = story.octets(wire, Dir::ToServer, 0, u64::MAX);
        let at = said.windows(text.len()).position(|w| w == text.as_bytes()).expect("it is said");
        (wire, (at as u64, (at + text.len()) as u64))
    }

    #[test]
    fn arrows_lead_to_the_parts_beside() {
        let story = Story::scenario("crepes-hamburger").expect("it exists");
        let (wire, line) = place(&story, "RCPT TO: <bob@hamburger.edu>\r\n");
        let go = |range, kin| story.kin(wire, Dir::ToServer, range, kin).expect("there is one");
        let text = |range: (u64, u64)| {
            String::from_utf8(story.octets(wire, Dir::ToServer, range.0, range.1)).expect("ASCII")
        };
        let verb = go(line, Kin::Child);
        assert!(text(verb).starts_with("RCPT"), "{}", text(verb));
        assert_eq!(go(verb, Kin::Parent), line);
        let next = go(verb, Kin::Next);
        assert_eq!((next.0, go(next, Kin::Previous)), (verb.1, verb));
        assert!(text(go(line, Kin::Previous)).starts_with("MAIL FROM:"));
        assert_eq!(text(go(line, Kin::Next)), "DATA\r\n");
        assert_eq!(story.kin(wire, Dir::ToServer, (0, line.1), Kin::Parent), None);
        // From the first line to the last, and each time on.
        let (mut range, mut count) = (story.line_of(wire, Dir::ToServer, 0).expect("it is"), 1);
        while let Some(next) = story.kin(wire, Dir::ToServer, range, Kin::Next) {
            assert_eq!(next.0, range.1);
            (range, count) = (next, count + 1);
        }
        assert_eq!(
            count,
            story.octets(wire, Dir::ToServer, 0, u64::MAX).split(|o| *o == b'\n').count() - 1
        );
    }

    #[test]
    fn octets_are_read_as_what_they_are_written_in() {
        assert_eq!(read(b"TcO2\r\nY2h0ZW4=\r\n", "base64").as_deref(), Some("Möchten"));
        assert_eq!(read(b"RCPT TO:", "base64"), None);
        assert_eq!(read(b"M=C3=B6chten=\r\n!", "qp").as_deref(), Some("Möchten!"));
        assert_eq!(read(b"plain", "qp"), None);
        let date = b"Date: Mon, 5 Jan 2026 10:00:00 +0100\r\n";
        assert_eq!(read(date, "date").as_deref(), Some("2026-01-05T09:00:00Z"));
        assert_eq!(read(b"soon", "date"), None);
        assert_eq!(read(b"\xc3\xb6\xff\r\n", "text").as_deref(), Some("ö⟨FF⟩↵"));
    }

    #[test]
    fn a_connection_is_kept_in_five_forms() {
        let story = Story::scenario("crepes-hamburger").expect("it exists");
        let (wire, _) = place(&story, "QUIT\r\n");
        let kept = |form: &str| story.in_form(wire, form);
        let text = |form: &str| String::from_utf8(kept(form)).expect("it is text");
        assert!(
            text("talk.txt").starts_with("S: 220 hamburger.edu\nC: HELO crepes.fr\nS: 250 Hello")
        );
        assert!(
            text("octets.c").contains("static const unsigned char client_1[] = {\n    0x48, 0x45,")
        );
        assert!(text("octets.txt").contains("48 45 4c 4f"));
        let octets = text("octets.c").matches("0x").count();
        assert_eq!(octets, kept("client.bin").len() + kept("server.bin").len());
        assert!(FORMS.iter().all(|(form, ..)| !kept(form).is_empty()));
    }
}
