//! Annotations of a wire, made of what its sessions noted when somebody looks, and kept while nothing winds back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use pillarbox_engine::trace::{Note, Side};

use super::Tape;
use crate::annotate::{Annotation, Annotator, Party, Protocol};
use crate::world::{Dir, End, Protocol as Spoken, WireId, World};

/// Annotators by wire and end, each with how many notes it has taken.
#[derive(Debug, Default)]
pub(super) struct Annotators(RefCell<BTreeMap<(WireId, End), (usize, Annotator)>>);

impl Annotators {
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }
}

impl Tape {
    /// The end whose session annotates a wire: the server's, or the client's where somebody types at the server's end.
    #[must_use]
    pub fn annotating_end(&self, wire: WireId) -> End {
        let has_notes = |end| !self.world.all_notes(wire, end).is_empty();
        if has_notes(End::Server) || !has_notes(End::Client) { End::Server } else { End::Client }
    }

    /// What lies in a range of one direction, by the session of [`Tape::annotating_end`]: whole lines, each with all that
    /// lies in it, parents before their children.
    #[must_use]
    pub fn annotations(&self, wire: WireId, dir: Dir, range: Range<u64>) -> Vec<Annotation> {
        self.annotations_by(wire, self.annotating_end(wire), dir, range)
    }

    /// The same by the session at one end.
    #[must_use]
    pub fn annotations_by(
        &self,
        wire: WireId,
        end: End,
        dir: Dir,
        range: Range<u64>,
    ) -> Vec<Annotation> {
        let mut all = self.annotators.0.borrow_mut();
        let wires = self.world.protocol(wire);
        let Some(protocol) = wires else { return Vec::new() };
        let entry = all.entry((wire, end)).or_insert_with(|| {
            let party = if end == End::Server { Party::Server } else { Party::Client };
            (0, Annotator::new(spoken(protocol), party))
        });
        take_notes(&self.world, wire, end, entry);
        let side = if dir.sender() == end { Side::Sent } else { Side::Received };
        entry.1.within(side, range).to_vec()
    }
}

fn spoken(protocol: Spoken) -> Protocol {
    match protocol {
        Spoken::Smtp | Spoken::Submission => Protocol::Smtp,
        Spoken::Pop3 => Protocol::Pop3,
        Spoken::Imap => Protocol::Imap,
        Spoken::Http => Protocol::Http,
    }
}

fn take_notes(world: &World, wire: WireId, end: End, entry: &mut (usize, Annotator)) {
    let (taken, annotator) = entry;
    let notes = world.all_notes(wire, end);
    for noted in notes.get(*taken..).unwrap_or_default() {
        let octets = match noted.note {
            Note::Span(span) => {
                let (dir, range) = (Dir::sent_by(end), span.start..span.end);
                match span.side {
                    Side::Sent => world.octets(wire, dir, range),
                    Side::Received => world.arrived(wire, Dir::sent_by(end.other()), range),
                }
            }
            Note::State { .. } | Note::Defect(_) => &[],
        };
        annotator.note(&noted.note, octets);
    }
    *taken = notes.len();
}
