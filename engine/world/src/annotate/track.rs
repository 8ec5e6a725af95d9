//! One direction's annotations: spans come in order and become leaves, in the lines and groups that they begin and end.
//! Which label begins what is left to `grouping`; causes and grades are left to the annotator.

use std::ops::Range;

use pillarbox_engine::trace::{Rule, Side, Span};

use super::grouping;
use super::{Annotation, AnnotationId, Grade};
use crate::catalogue::{Party, Protocol};

/// Rules that one annotation lists; a line of many parts would repeat them.
const RULES_MAX: usize = 8;
/// Groups inside groups; a peer can write deeper lists, and they stay in the last group.
const DEPTH_MAX: usize = 32;

/// One direction.
#[derive(Clone, Debug)]
pub(super) struct Track {
    protocol: Protocol,
    /// Who wrote these octets.
    from: Party,
    side: Side,
    /// Parents before their children.
    pub(super) all: Vec<Annotation>,
    /// Lines: those without a parent, by their places.
    roots: Vec<u32>,
    /// The open line and the open groups in it, by their places.
    open: Vec<u32>,
    /// Whether the octets so far end a line.
    line_ended: bool,
    /// Whether the line of a reply says that more lines follow.
    more: bool,
    /// One past the last octet that a span covers.
    pub(super) end: u64,
}

impl Track {
    pub(super) fn new(protocol: Protocol, from: Party, side: Side) -> Self {
        Self {
            protocol,
            from,
            side,
            all: Vec::new(),
            roots: Vec::new(),
            open: Vec::new(),
            line_ended: true,
            more: false,
            end: 0,
        }
    }

    /// Takes a span: the places of its line and of its leaf, and whether the line begins with it.
    pub(super) fn span(&mut self, span: &Span, octets: &[u8]) -> (u32, bool, u32) {
        if span.start > self.end {
            self.skip(self.end..span.start);
        }
        self.end = self.end.max(span.end);
        if self.line_ended && !self.continues(span.label) {
            self.open.clear();
        }
        let begun = self.open.is_empty();
        if begun {
            self.more = false;
            let label = grouping::line(self.protocol, self.from, span.label);
            self.push(span.start..span.start, label, false);
        }
        let root = self.open[0];
        let leaf = self.leaf(span, octets);
        self.line_ended = grouping::ends_line(span.label, octets);
        (root, begun, leaf)
    }

    /// Whether what begins a line of octets still belongs to the open one.
    fn continues(&self, label: &str) -> bool {
        let Some(root) = self.open.first() else { return false };
        let root = &self.all[*root as usize];
        match (self.protocol, self.from) {
            (_, Party::Client) => root.label == "message content" && grouping::is_content(label),
            (Protocol::Smtp, Party::Server) => self.more,
            (Protocol::Pop3, Party::Server) => !matches!(label, "status" | "continuation"),
            (Protocol::Imap | Protocol::Http, Party::Server) => false,
        }
    }

    /// Octets that the session dropped without a look.
    fn skip(&mut self, at: Range<u64>) {
        self.open.clear();
        self.push(at, "skipped", true);
        self.line_ended = true;
    }

    /// Puts an annotation into the innermost open one, and opens it unless it is a leaf.
    fn push(&mut self, at: Range<u64>, label: &'static str, leaf: bool) -> u32 {
        let place = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let id = AnnotationId { side: self.side, at: place };
        let parent = self.open.last().map(|at| AnnotationId { side: self.side, at: *at });
        if parent.is_none() {
            self.roots.push(place);
        }
        self.all.push(Annotation {
            id,
            parent,
            at,
            label,
            secret: false,
            grade: Grade::Ok,
            rules: Vec::new(),
            step: None,
            causes: Vec::new(),
            leaf,
        });
        if !leaf {
            self.open.push(place);
        }
        place
    }

    fn label_of(&self, open: usize) -> &'static str {
        self.all[self.open[open] as usize].label
    }

    /// Puts a span in as a leaf, in the groups that it begins or ends.
    fn leaf(&mut self, span: &Span, octets: &[u8]) -> u32 {
        while self.open.len() > 1 {
            let group = self.label_of(self.open.len() - 1);
            if !grouping::ends_before(group, span.label, self.line_ended) {
                break;
            }
            self.open.pop();
        }
        let innermost = self.label_of(self.open.len() - 1);
        if span.label == "reply code" {
            let more = octets.last() == Some(&b'-');
            if (more || self.more) && self.protocol == Protocol::Smtp {
                self.push(span.start..span.start, "reply line", false);
            }
            self.more = more;
        } else if self.open.len() < DEPTH_MAX {
            let row = self.protocol == Protocol::Pop3
                && self.from == Party::Server
                && self.line_ended
                && self.open.len() == 1
                && self.all.len() > self.open[0] as usize + 1;
            if let Some(group) = grouping::begins(innermost, span.label, row) {
                self.push(span.start..span.start, group, false);
            }
        }
        let place = self.push(span.start..span.end, span.label, true);
        let leaf = &mut self.all[place as usize];
        leaf.secret = span.secret;
        leaf.grade = if span.secret { Grade::Info } else { Grade::Ok };
        leaf.rules.extend(span.why);
        for at in &self.open {
            let above = &mut self.all[*at as usize];
            above.at.end = span.end;
            if let Some(rule) = span.why {
                add_rule(&mut above.rules, rule);
            }
        }
        if self.open.len() > 1 && grouping::ends_with(innermost, span.label) {
            self.open.pop();
        }
        place
    }

    pub(super) fn last_root(&self) -> Option<AnnotationId> {
        self.roots.last().map(|at| AnnotationId { side: self.side, at: *at })
    }

    /// What a server's next reply follows from: the last line, or the end of the data in it.
    pub(super) fn last_step(&self) -> Option<AnnotationId> {
        let leaf = self.all.last()?;
        if leaf.label == "end of data" { Some(leaf.id) } else { self.last_root() }
    }

    pub(super) fn within(&self, range: Range<u64>) -> &[Annotation] {
        let roots = &self.roots;
        let at = |root: &u32| &self.all[*root as usize].at;
        let first = roots.partition_point(|root| at(root).end <= range.start);
        let last = first + roots[first..].partition_point(|root| at(root).start < range.end);
        let place = |root: usize| roots.get(root).map_or(self.all.len(), |at| *at as usize);
        &self.all[place(first)..place(last)]
    }
}

pub(super) fn add_rule(rules: &mut Vec<&'static Rule>, rule: &'static Rule) {
    if rules.len() < RULES_MAX && !rules.contains(&rule) {
        rules.push(rule);
    }
}
