//! Turns what one session notes (spans, states, defects, in causal order) into a tree of annotations for a reader:
//! lines, their parts and the groups between, with grade, rules, state step and cause. What a label means in words is
//! left to [`crate::catalogue`]; where a message's own header and MIME structure lies, to [`content`].
//!
//! An [`Annotator`] takes notes one by one, each in constant time. What it said of octets changes later only in that an
//! open line grows, that a defect is graded once the session has reacted to it, and that a state is reached.

pub mod content;
mod grouping;
#[cfg(test)]
mod tests;
mod track;
pub mod value;

use std::collections::VecDeque;
use std::ops::Range;

use pillarbox_engine::rules::is_tolerated;
use pillarbox_engine::trace::{Note, Rule, Side, Span};

pub use crate::catalogue::{Party, Protocol};
pub use grouping::LABELS as LINE_LABELS;
use track::Track;

/// Commands of a client that wait for their replies and are known as their causes; nobody pipelines more.
const WAITING_MAX: usize = 256;
/// Defects that the session has not reacted to; of more, the first stay deviations.
const UNJUDGED_MAX: usize = 256;
/// Octets of a tag that are compared.
const TAG_MAX: usize = 64;

/// An annotation's name: the direction, and its place among those of that direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnotationId {
    /// The direction, as the session sees it.
    pub side: Side,
    /// Its place, from 0, in the order of [`Annotator::of`].
    pub at: u32,
}

/// How well what an annotation covers goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    #[default]
    Ok,
    /// As it should be, and worth a look: a secret, a goodbye.
    Info,
    /// Against a rule, and the session put up with it.
    Deviation,
    /// It failed for now, and may work later.
    Warning,
    /// It failed.
    Error,
}

/// A labelled range of octets, with all that a reader is shown of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Its name.
    pub id: AnnotationId,
    /// The annotation that it lies in.
    pub parent: Option<AnnotationId>,
    /// Octets, absolute in their direction, half-open.
    pub at: Range<u64>,
    /// What it is; [`crate::catalogue::label`] has words for it.
    pub label: &'static str,
    /// Whether it must be masked wherever it is shown.
    pub secret: bool,
    /// How well it goes.
    pub grade: Grade,
    /// Which rules it follows, or breaks.
    pub rules: Vec<&'static Rule>,
    /// The states before and after, of what moved the session.
    pub step: Option<(&'static str, &'static str)>,
    /// What it follows from: a reply from its command, a verdict from the end of the data.
    pub causes: Vec<AnnotationId>,
    /// Whether it has no children: the leaves of a direction cover its octets.
    pub leaf: bool,
}

/// Makes annotations of one session's notes.
#[derive(Clone, Debug)]
pub struct Annotator {
    protocol: Protocol,
    party: Party,
    received: Track,
    sent: Track,
    /// The line that was noted last, of either direction: a state belongs to it.
    last: Option<AnnotationId>,
    /// The span that was noted last: a defect belongs to it.
    last_leaf: Option<AnnotationId>,
    /// What the peer did wrong and the session has not reacted to.
    unjudged: Vec<AnnotationId>,
    /// A client's lines that are not answered yet, with their tags where the protocol has tags.
    waiting: VecDeque<(Vec<u8>, AnnotationId)>,
    /// What was answered last: with LMTP one end of data has many replies.
    answered: Option<AnnotationId>,
}

impl Annotator {
    /// For a session of this protocol that plays this part.
    #[must_use]
    pub fn new(protocol: Protocol, party: Party) -> Self {
        let sender_of = |side| match (side, party) {
            (Side::Sent, party) => party,
            (Side::Received, Party::Server) => Party::Client,
            (Side::Received, Party::Client) => Party::Server,
        };
        Self {
            protocol,
            party,
            received: Track::new(protocol, sender_of(Side::Received), Side::Received),
            sent: Track::new(protocol, sender_of(Side::Sent), Side::Sent),
            last: None,
            last_leaf: None,
            unjudged: Vec::new(),
            waiting: VecDeque::new(),
            answered: None,
        }
    }

    /// Which protocol the session speaks.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Which part the session plays.
    #[must_use]
    pub fn party(&self) -> Party {
        self.party
    }

    /// Takes the next note. `octets` are those under a span, as far as they are known: they tell a line of many from the
    /// last one, a yes from a no, and which command a tag answers. Without them the tree is coarser.
    pub fn note(&mut self, note: &Note, octets: &[u8]) {
        match note {
            Note::Span(span) => self.span(span, octets),
            Note::State { from, to } => self.state(from, to),
            Note::Defect(rule) => self.defect(rule),
        }
    }

    /// All annotations of a direction, parents before their children, by their first octet.
    #[must_use]
    pub fn of(&self, side: Side) -> &[Annotation] {
        &self.track(side).all
    }

    /// The annotations of whole lines that have an octet in this range, with all that lies in them.
    #[must_use]
    pub fn within(&self, side: Side, range: Range<u64>) -> &[Annotation] {
        self.track(side).within(range)
    }

    /// The annotation with this name.
    #[must_use]
    pub fn get(&self, id: AnnotationId) -> Option<&Annotation> {
        self.track(id.side).all.get(id.at as usize)
    }

    /// One past the last octet that is annotated; what lies beyond was not read (yet).
    #[must_use]
    pub fn end(&self, side: Side) -> u64 {
        self.track(side).end
    }

    fn track(&self, side: Side) -> &Track {
        match side {
            Side::Received => &self.received,
            Side::Sent => &self.sent,
        }
    }

    fn track_mut(&mut self, side: Side) -> &mut Track {
        match side {
            Side::Received => &mut self.received,
            Side::Sent => &mut self.sent,
        }
    }

    fn get_mut(&mut self, id: AnnotationId) -> &mut Annotation {
        &mut self.track_mut(id.side).all[id.at as usize]
    }

    fn span(&mut self, span: &Span, octets: &[u8]) {
        let side = span.side;
        let (root, begun, leaf) = self.track_mut(side).span(span, octets);
        let root = AnnotationId { side, at: root };
        let leaf = AnnotationId { side, at: leaf };
        if begun {
            self.begin(root, span.label);
        }
        match (side, self.party) {
            (Side::Sent, Party::Client) => self.client_sent(root, span.label, octets),
            (Side::Received, Party::Client) if span.label == "tag" => self.answer_to(root, octets),
            (Side::Sent, Party::Server) => self.server_sent(root, leaf, span.label, octets),
            _ => {}
        }
        if from_server(side, self.party)
            && let Some(grade) = grouping::verdict(span.label, octets)
        {
            self.raise(leaf, grade);
        }
        (self.last, self.last_leaf) = (Some(root), Some(leaf));
    }

    /// A line begins: what does it follow from?
    fn begin(&mut self, root: AnnotationId, label: &str) {
        let cause = match (self.party, root.side) {
            (Party::Server, Side::Sent) => self.received.last_step(),
            (Party::Client, Side::Sent) => self.received.last_root(),
            (Party::Server, Side::Received) => None,
            (Party::Client, Side::Received) => self.answers(label),
        };
        self.get_mut(root).causes = cause.into_iter().collect();
    }

    /// Which of a client's lines the reply that begins with this label answers.
    fn answers(&mut self, label: &str) -> Option<AnnotationId> {
        if self.protocol == Protocol::Imap {
            // Which one a tag answers is known once its octets are.
            return self.waiting.front().filter(|_| label != "tag").map(|(_, id)| *id);
        }
        match self.waiting.pop_front() {
            Some((_, id)) => {
                self.answered = Some(id);
                Some(id)
            }
            None => self.answered.filter(|id| {
                self.get(*id).is_some_and(|annotation| annotation.label == "message content")
            }),
        }
    }

    fn answer_to(&mut self, root: AnnotationId, tag: &[u8]) {
        let tag = trimmed(tag);
        let place = self.waiting.iter().position(|(waiting, _)| waiting == tag);
        if let Some((_, id)) = place.and_then(|place| self.waiting.remove(place)) {
            self.get_mut(root).causes = vec![id];
        }
    }

    /// What a client sends is answered: a command, a response to a challenge, the end of the data.
    fn client_sent(&mut self, root: AnnotationId, label: &str, octets: &[u8]) {
        let waits = self.waiting.back().is_some_and(|(_, id)| *id == root);
        let content = self.get(root).is_some_and(|root| root.label == "message content");
        if !waits && (!content || label == "end of data") {
            if self.waiting.len() == WAITING_MAX {
                self.waiting.pop_front();
            }
            self.waiting.push_back((Vec::new(), root));
        }
        if label == "tag"
            && let Some((tag, _)) = self.waiting.back_mut()
        {
            *tag = trimmed(octets).to_vec();
        }
    }

    fn server_sent(&mut self, root: AnnotationId, leaf: AnnotationId, label: &str, octets: &[u8]) {
        // Only the first line of a reply says what becomes of the command, and with IMAP only a status does.
        let Some(verdict) = grouping::verdict(label, octets) else { return };
        let untagged = self.get(root).is_some_and(|root| root.label == "untagged response");
        if !(untagged && verdict < Grade::Warning) && leaf.at > root.at {
            self.judge(verdict);
        }
    }

    /// The session has reacted: what it refused is an error, what it put up with is not.
    fn judge(&mut self, verdict: Grade) {
        for id in std::mem::take(&mut self.unjudged) {
            if verdict >= Grade::Warning {
                self.raise(id, Grade::Error);
            }
        }
    }

    fn defect(&mut self, rule: &'static Rule) {
        let Some(leaf) = self.last_leaf else { return };
        let mut up = Some(leaf);
        while let Some(id) = up {
            let annotation = self.get_mut(id);
            track::add_rule(&mut annotation.rules, rule);
            up = annotation.parent;
        }
        self.raise(leaf, Grade::Deviation);
        if !is_tolerated(rule) && self.unjudged.len() < UNJUDGED_MAX {
            self.unjudged.push(leaf);
        }
    }

    fn raise(&mut self, id: AnnotationId, grade: Grade) {
        let mut up = Some(id);
        while let Some(id) = up {
            let annotation = self.get_mut(id);
            annotation.grade = annotation.grade.max(grade);
            up = annotation.parent;
        }
    }

    fn state(&mut self, from: &'static str, to: &'static str) {
        if to.eq_ignore_ascii_case("closed") || to == "logout" {
            // It hung up on its peer.
            self.judge(Grade::Error);
        }
        let Some(last) = self.last else { return };
        let step = &mut self.get_mut(last).step;
        *step = Some((step.map_or(from, |(first, _)| first), to));
    }
}

fn from_server(side: Side, party: Party) -> bool {
    matches!((side, party), (Side::Sent, Party::Server) | (Side::Received, Party::Client))
}

fn trimmed(tag: &[u8]) -> &[u8] {
    let tag = tag.trim_ascii();
    &tag[..tag.len().min(TAG_MAX)]
}
