//! Whoever writes down or watches what is said on a connection. The drive loop tells it everything once.

use pillarbox_engine::trace::Note;
use pillarbox_engine::types::TlsFacts;

use super::Transcript;
use crate::live::Tap;

/// The records of one connection; most have none.
#[derive(Default)]
pub(crate) struct Record {
    transcript: Option<Transcript>,
    tap: Option<Tap>,
}

impl Record {
    pub(crate) fn new(transcript: Option<Transcript>, tap: Option<Tap>) -> Self {
        Self { transcript, tap }
    }

    /// Octets came from the peer.
    pub(super) fn received(&mut self, octets: &[u8]) {
        if let Some(transcript) = &mut self.transcript {
            transcript.received(octets);
        }
        if let Some(tap) = &mut self.tap {
            tap.received(octets);
        }
    }

    /// Octets went to the peer.
    pub(super) fn sent(&mut self, octets: &[u8]) {
        if let Some(transcript) = &mut self.transcript {
            transcript.sent(octets);
        }
        if let Some(tap) = &mut self.tap {
            tap.sent(octets);
        }
    }

    /// TLS began; the last `dropped` octets that came before it were given to nobody.
    pub(super) fn secured(&mut self, facts: &TlsFacts, dropped: usize) {
        if let Some(transcript) = &mut self.transcript {
            transcript.secured(facts, dropped);
        }
        if let Some(tap) = &mut self.tap {
            tap.secured(facts, dropped);
        }
    }

    /// The session asked its host for something; the name is made only if somebody wants it.
    pub(super) fn asked(&mut self, name: impl FnOnce() -> String) {
        if self.transcript.is_none() && self.tap.is_none() {
            return;
        }
        let name = name();
        if let Some(transcript) = &mut self.transcript {
            transcript.asked(&name);
        }
        if let Some(tap) = &mut self.tap {
            tap.asked(&name);
        }
    }

    /// A fault on purpose struck.
    pub(super) fn fault(&mut self, number: u64, rule: &str) {
        if let Some(transcript) = &mut self.transcript {
            transcript.fault(number, rule);
        }
        if let Some(tap) = &mut self.tap {
            tap.fault(rule);
        }
    }

    /// The session noted something.
    pub(super) fn note(&mut self, note: &Note) {
        if let Some(transcript) = &mut self.transcript {
            transcript.note(note);
        }
        if let Some(tap) = &mut self.tap {
            tap.note(note);
        }
    }

    /// All that was said is on its way, and the peer is waited for: whoever reads along sees it now.
    pub(super) fn rests(&mut self) {
        if let Some(transcript) = &mut self.transcript {
            transcript.rests();
        }
    }

    /// A step of the session is over.
    pub(super) fn stepped(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.flush();
        }
    }
}
