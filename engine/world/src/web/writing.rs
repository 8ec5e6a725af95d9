//! A message being written, with what each octet of it is. What stands in it is left to both sides.

use pillarbox_engine::trace::{Note, Rule, Side, Span};

use super::Output;
use super::head::{Part, is_secret};
use super::{form, rules};

/// A message being written.
pub(super) struct Writing {
    /// Octets that were sent before.
    at: u64,
    octets: Vec<u8>,
    notes: Vec<Note>,
}

impl Writing {
    pub(super) fn new(at: u64) -> Self {
        Self { at, octets: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn put(&mut self, text: &str, label: &'static str, why: Option<&'static Rule>) {
        self.put_octets(text.as_bytes(), label, false, why);
    }

    fn put_octets(
        &mut self,
        octets: &[u8],
        label: &'static str,
        secret: bool,
        why: Option<&'static Rule>,
    ) {
        if octets.is_empty() {
            return;
        }
        let start = self.at + self.octets.len() as u64;
        self.octets.extend_from_slice(octets);
        let end = start + octets.len() as u64;
        self.notes.push(Note::Span(Span { side: Side::Sent, start, end, label, secret, why }));
    }

    pub(super) fn field(&mut self, name: &str, value: &str, why: &'static Rule) {
        self.put(name, "field-name", Some(why));
        self.put(":", "colon", None);
        self.put(" ", "SP", None);
        self.put_octets(value.as_bytes(), "field-value", is_secret(name), None);
        self.put("\r\n", "CRLF", None);
    }

    /// The end of the head, and the body.
    pub(super) fn body(&mut self, media_type: Option<&str>, body: &[u8]) {
        self.put("\r\n", "CRLF", Some(&rules::MESSAGE));
        for part in form::parts(media_type, body) {
            self.put_octets(&body[part.start..part.end], part.label, part.secret, part.why);
        }
    }

    /// Sends it; `sent` are all octets that were sent until then.
    pub(super) fn end(self, sent: &mut u64, out: &mut Vec<Output>) {
        *sent += self.octets.len() as u64;
        out.push(Output::Transmit(self.octets));
        out.extend(self.notes.into_iter().map(Output::Note));
    }
}

/// Notes parts of what was received; `at` is where they begin.
pub(super) fn note(parts: &[Part], at: u64, out: &mut Vec<Output>) {
    for part in parts.iter().filter(|part| part.end > part.start) {
        let Part { start, end, label, secret, why } = *part;
        let (start, end) = (at + start as u64, at + end as u64);
        let span = Span { side: Side::Received, start, end, label, secret, why };
        out.push(Output::Note(Note::Span(span)));
    }
}
