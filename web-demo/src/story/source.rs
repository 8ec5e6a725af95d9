//! Where a story comes from: a tape of the world. All that the page asks of the world passes through here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use pillarbox_engine::trace::Side;
use pillarbox_world::annotate::{Annotation, Annotator, Party, Protocol as Spoken};
use pillarbox_world::world::{
    Dir, End, Entry, EntryId, Kind as NodeKind, NodeId, Protocol, What, WireId, World,
};

use super::layout::Kind;

/// What a node is, for a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its number.
    pub id: NodeId,
    /// Its name in actions.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What stands under that.
    pub under: String,
    /// What it is.
    pub kind: Kind,
    /// Who has a mailbox there, by the first part of the address.
    pub users: Vec<String>,
    /// What it is for.
    pub duty: &'static str,
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
}

/// A question before something surprising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which of the scenario's.
    pub number: usize,
    /// What is asked.
    pub text: String,
    /// What can be answered.
    pub choices: Vec<String>,
    /// Which of them is so.
    pub right: usize,
    /// What to say then.
    pub after: String,
}

/// A world that is told.
pub struct Source {
    world: World,
    title: String,
    goal: String,
    nodes: Vec<NodeInfo>,
    links: Vec<(NodeId, NodeId)>,
    questions: Vec<Question>,
    answered: Vec<usize>,
    annotated: RefCell<BTreeMap<(WireId, bool), Rc<Vec<Annotation>>>>,
}

impl Source {
    /// All lines of the log.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.world.entries(EntryId(0)).to_vec()
    }

    /// Who answers questions about names.
    #[must_use]
    pub fn dns(&self) -> Option<NodeId> {
        self.nodes.iter().find(|node| node.kind == Kind::Dns).map(|node| node.id)
    }

    /// What one direction of a wire consists of, parents before children.
    #[must_use]
    pub fn annotations(&self, wire: WireId, dir: Dir) -> Rc<Vec<Annotation>> {
        let key = (wire, dir == Dir::ToClient);
        if let Some(known) = self.annotated.borrow().get(&key) {
            return Rc::clone(known);
        }
        let made = Rc::new(self.annotate(wire, dir));
        self.annotated.borrow_mut().insert(key, Rc::clone(&made));
        made
    }

    /// Who receives parses finest; where somebody reads by hand, who sent tells.
    fn annotate(&self, wire: WireId, dir: Dir) -> Vec<Annotation> {
        let reader = dir.receiver();
        let reads = !self.world.all_notes(wire, reader).is_empty();
        let (end, side) =
            if reads { (reader, Side::Received) } else { (dir.sender(), Side::Sent) };
        let party = if end == End::Server { Party::Server } else { Party::Client };
        let Some(view) = self.world.wires().into_iter().find(|view| view.id == wire) else {
            return Vec::new();
        };
        let mut annotator = Annotator::new(spoken(view.protocol), party);
        for noted in self.world.all_notes(wire, end) {
            let octets = match noted.note {
                pillarbox_engine::trace::Note::Span(span) => match span.side {
                    Side::Received => self.world.arrived(wire, Dir::sent_by(end.other()), span.start..span.end),
                    Side::Sent => self.world.octets(wire, Dir::sent_by(end), span.start..span.end),
                },
                _ => &[],
            };
            annotator.note(&noted.note, octets);
        }
        annotator.of(side).to_vec()
    }
}

fn spoken(protocol: Protocol) -> Spoken {
    match protocol {
        Protocol::Smtp | Protocol::Submission => Spoken::Smtp,
        Protocol::Pop3 => Spoken::Pop3,
        Protocol::Imap => Spoken::Imap,
    }
}
