//! Octets with what the engine said of them: lines in pieces, trees, and explanations in three voices.
//! Secrets are masked here, so that no view can forget it.

use std::ops::Range;
use std::rc::Rc;

use pillarbox_world::annotate::content::Structure;
use pillarbox_world::annotate::{Annotation, Grade, value};
use pillarbox_world::world::{Dir, Protocol, What, WireId};

use super::annotated::Annotated;
use super::lines::{Line, Lines, text, text_alone};
use super::{Story, source, work};
use pillarbox_world::catalogue::{self, Gloss};

/// A line of a conversation, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenLine {
    /// Its wire.
    pub wire: WireId,
    /// Who speaks.
    pub dir: Dir,
    /// First octet.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// Its parts, without gaps.
    pub pieces: Vec<SpokenPiece>,
    /// What is wrong with it.
    pub defect: Option<String>,
    /// How well it goes.
    pub grade: u8,
    /// Milliseconds since the line before it began.
    pub after_ms: u64,
}

impl SpokenLine {
    /// Whether a part of it is a secret.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        self.pieces.iter().any(|piece| piece.class == SECRET)
    }
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenPiece {
    /// Its wire.
    pub wire: WireId,
    /// Its direction.
    pub dir: Dir,
    /// First octet.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// How it is drawn.
    pub class: String,
    /// What is shown.
    pub text: String,
}

/// A row of a line's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// How deep.
    pub depth: u8,
    /// What it is.
    pub label: String,
    /// What is shown of it.
    pub text: String,
    /// First octet.
    pub start: u64,
    /// One past the last.
    pub end: u64,
}

/// What octets are, why, and which rules say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Its wire.
    pub wire: WireId,
    /// What it is, by the grammar's name.
    pub label: String,
    /// The same in plain words.
    pub what: Option<String>,
    /// Why it is there.
    pub why: Option<String>,
    /// RFC, section, and what it says.
    pub laws: Vec<(u16, String, String)>,
    /// States that it led through.
    pub steps: Vec<(String, String)>,
    /// What is wrong with it, in words.
    pub defects: Vec<String>,
    /// The octets, as far as they may be shown.
    pub text: String,
    /// Which direction.
    pub dir: Dir,
    /// First octet.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// Whether they are masked.
    pub secret: bool,
    /// What it follows from: a reply from its command.
    pub because: Option<Because>,
    /// The state of the session that spoke, before and after what it answered; the same twice: it stayed.
    pub state: Option<(String, String)>,
}

/// The line that another one follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// What it says, as far as it may be shown.
    pub text: String,
    /// Which direction.
    pub dir: Dir,
    /// First octet.
    pub start: u64,
    /// One past the last.
    pub end: u64,
}

/// Octets in one row of a dump.
const DUMP_ROW: usize = 16;
/// Octets of a line that are shown.
const SHOWN_MAX: u64 = 8 * 1024;
/// Rows of a line's tree.
const ROWS_MAX: usize = 500;
/// Octets of a quote.
const QUOTE_MAX: usize = 400;
/// What stands for a secret, however long it is.
const MASK: &str = "••••••";

/// How a secret is drawn.
const SECRET: &str = "p-secret";

/// Octets of a message, rather than talk about it.
pub(super) const CONTENT: &str = "message content";

impl Story {
    /// Lines of a connection that were said before a cursor.
    #[must_use]
    pub fn spoken(&self, wire: WireId, cursor: usize) -> Vec<SpokenLine> {
        self.spoken_within(wire, cursor, |all| 0..all).1
    }

    /// Some of them, chosen once it is known how many there are at all; and how many that is.
    #[must_use]
    pub fn spoken_within(
        &self,
        wire: WireId,
        cursor: usize,
        which: impl FnOnce(usize) -> Range<usize>,
    ) -> (usize, Vec<SpokenLine>) {
        let told = &self.entries[..cursor.min(self.entries.len())];
        let said = [Dir::ToServer, Dir::ToClient].map(|dir| self.source.octets(wire, dir));
        let is_web = self.source.tape().world().protocol(wire) == Some(Protocol::Http);
        let mut known = self.lines.borrow_mut();
        if known.0 != Some(wire) || known.1.taken() > told.len() {
            *known = (Some(wire), Lines::default());
        }
        known.1.read(told, wire, said, is_web);
        let all = &known.1.all;
        let which = which(all.len());
        let end = which.end.min(all.len());
        let which = which.start.min(end)..end;
        let both = Dir::BOTH.map(|dir| self.source.annotations(wire, dir));
        let line = |at: usize| {
            let line = &all[at];
            let annotated = &both[usize::from(line.dir == Dir::ToClient)];
            let before = at.checked_sub(1).map_or(line.at, |before| all[before].at);
            let after_ms = line.at.0.saturating_sub(before.0);
            SpokenLine { after_ms, ..self.spoken_line(wire, line, annotated) }
        };
        (all.len(), which.map(line).collect())
    }

    fn spoken_line(&self, wire: WireId, line: &Line, annotated: &Annotated<'_>) -> SpokenLine {
        let Line { dir, start, end, .. } = *line;
        // Of a line that has no end its beginning is shown.
        let rest = end.saturating_sub(start).saturating_sub(SHOWN_MAX);
        let shown_end = end - rest;
        let said = self.source.octets(wire, dir);
        let (mut pieces, mut at) = (Vec::new(), start);
        let mut put = |from: u64, to: u64, class: &str, secret: bool| {
            if from >= to {
                return;
            }
            work::done((to - from) as usize);
            let shown = said.get(from as usize..to as usize).unwrap_or_default();
            let shown = if secret { MASK.to_owned() } else { text(shown) };
            let class = class.to_owned();
            pieces.push(SpokenPiece { wire, dir, start: from, end: to, class, text: shown });
        };
        let mut grade = Grade::Ok;
        let defects = annotated.defects();
        let broken = &defects[defects.partition_point(|(range, _)| range.end <= start)..];
        let broken = broken.first().filter(|(range, _)| range.start < end);
        let defect = broken.map(|(_, rule)| rule.gist.to_owned());
        let around = annotated.around(start);
        let begun = around.last().filter(|part| part.at.start < start);
        let parts = begun.copied().into_iter().chain(annotated.beginning(start..shown_end));
        for annotation in parts.filter(|part| part.leaf) {
            let (from, to) = (annotation.at.start.max(at), annotation.at.end.min(shown_end));
            put(at, from, "", false);
            at = at.max(from);
            if is_content(annotation) {
                // One that began in the line before may end in this one.
                let parts = annotated.inside(from);
                let mut first = parts.partition_point(|part| part.at.start < from);
                first = parts[..first].iter().rposition(|part| part.leaf).unwrap_or(first);
                let inside = parts[first..].iter().take_while(|part| part.at.start < to);
                for part in inside.filter(|part| part.leaf && part.at.end > from) {
                    let (start, end) = (part.at.start.max(at), part.at.end.min(to));
                    put(at, start, "", false);
                    put(start, end, class_inside(part.label), false);
                    at = at.max(end);
                }
            }
            let is_masked = annotated.is_masked(annotation);
            put(at, to, if is_masked { SECRET } else { class_of(annotation) }, is_masked);
            at = at.max(to);
            grade = grade.max(annotation.grade);
        }
        put(at, shown_end, "", false);
        if rest > 0 {
            let (class, text) = ("p-more".to_owned(), format!(" … and {rest} octets"));
            pieces.push(SpokenPiece { wire, dir, start: shown_end, end, class, text });
        }
        SpokenLine { wire, dir, start, end, pieces, defect, grade: grade as u8, after_ms: 0 }
    }

    /// The octets of a range, secrets as dots.
    #[must_use]
    pub fn octets(&self, wire: WireId, dir: Dir, start: u64, end: u64) -> Vec<u8> {
        let said = self.source.octets(wire, dir);
        let end = end.min(said.len() as u64);
        let mut octets = said.get(start as usize..end as usize).unwrap_or_default().to_vec();
        for secret in self.source.annotations(wire, dir).masked(start..end) {
            for at in secret.start.max(start)..secret.end.min(end) {
                octets[(at - start) as usize] = b'*';
            }
        }
        octets
    }

    /// A connection in hex, line by line, with who says it.
    #[must_use]
    pub fn dump(&self, wire: WireId) -> String {
        let mut out = String::new();
        for line in self.spoken(wire, usize::MAX) {
            let octets = self.octets(wire, line.dir, line.start, line.end);
            for (nth, row) in octets.chunks(DUMP_ROW).enumerate() {
                let at = line.start + (nth * DUMP_ROW) as u64;
                let hex: String = row.iter().map(|octet| format!("{octet:02x} ")).collect();
                let text: String = row.iter().map(|octet| super::lines::shown(*octet)).collect();
                let speaker = line.dir.letter();
                out.push_str(&format!("{speaker} {at:>8}  {hex:<48} {text}\n"));
            }
        }
        out
    }

    /// The line that an octet lies in.
    #[must_use]
    pub fn line_of(&self, wire: WireId, dir: Dir, at: u64) -> Option<(u64, u64)> {
        let said = self.source.octets(wire, dir);
        let at = usize::try_from(at).ok().filter(|at| *at < said.len())?;
        let start =
            said[..at].iter().rposition(|octet| *octet == b'\n').map_or(0, |before| before + 1);
        let end = said[at..]
            .iter()
            .position(|octet| *octet == b'\n')
            .map_or(said.len(), |end| at + end + 1);
        Some((start as u64, end as u64))
    }

    /// What the smallest part is that an octet belongs to.
    #[must_use]
    pub fn leaf(&self, wire: WireId, dir: Dir, at: u64) -> Option<(u64, u64)> {
        let annotated = self.source.annotations(wire, dir);
        let leaf = annotated.around(at).pop().filter(|part| part.leaf)?;
        let parts = if is_content(leaf) { annotated.inside(at) } else { Rc::default() };
        let inside = parts.iter().find(|part| part.leaf && part.at.contains(&at));
        let range = inside.map_or(&leaf.at, |part| &part.at);
        Some((range.start, range.end))
    }

    /// The tree of the line that an octet lies in.
    #[must_use]
    pub fn tree(&self, wire: WireId, dir: Dir, at: u64) -> Vec<TreeRow> {
        let annotated = self.source.annotations(wire, dir);
        let annotations = annotated.all();
        let Some((start, end)) = self.line_of(wire, dir, at) else { return Vec::new() };
        let inside = |a: &&Annotation| a.at.start >= start && a.at.end <= end;
        let row = |annotation: &Annotation| {
            let (mut depth, mut up) = (0, annotation.parent);
            // Parents outside of the line are not shown.
            while let Some(parent) = up.and_then(|id| annotations.get(id.at as usize)) {
                depth += u8::from(inside(&parent));
                up = parent.parent;
            }
            TreeRow {
                depth,
                label: annotation.label.to_owned(),
                text: self.quote(&annotated, annotation),
                start: annotation.at.start,
                end: annotation.at.end,
            }
        };
        let own = annotated.beginning(start..end).iter().filter(inside);
        let mut rows: Vec<TreeRow> = own.take(ROWS_MAX).map(row).collect();
        // In a line of a message, what the message itself is made of.
        let above = rows.iter().map(|row| row.depth + 1).max().unwrap_or(0);
        let mut ends: Vec<u64> = Vec::new();
        let lies_here = |part: &&Structure| {
            let whole = part.at.start >= start && part.at.end <= end;
            whole || part.leaf && part.at.start < end && part.at.end > start
        };
        let parts = annotated.inside(start);
        for part in parts.iter().filter(lies_here).take(ROWS_MAX) {
            while ends.last().is_some_and(|end| *end <= part.at.start) {
                ends.pop();
            }
            let depth = above.saturating_add(u8::try_from(ends.len()).unwrap_or(u8::MAX));
            ends.push(part.at.end);
            rows.push(TreeRow {
                depth,
                label: part.label.to_owned(),
                text: text_alone(&self.octets(wire, dir, part.at.start, part.at.end)),
                start: part.at.start,
                end: part.at.end,
            });
        }
        rows
    }

    /// What a range inside a message is: the smallest part around it, or around it without its line's end.
    fn inside(&self, wire: WireId, dir: Dir, start: u64, end: u64) -> Option<Explained> {
        let parts = self.source.annotations(wire, dir).inside(start);
        let ended = self.octets(wire, dir, start, end).ends_with(b"\r\n");
        let without = if ended && end - start > 2 { end - 2 } else { end };
        let around = |end: u64| {
            let around = parts.iter().filter(move |a| a.at.start <= start && end <= a.at.end);
            around.min_by_key(|part| (part.at.end - part.at.start, !part.leaf))
        };
        let found = [end, without].into_iter().filter_map(around);
        let part = found.min_by_key(|part| (part.at.end - part.at.start, !part.leaf))?;
        let (from, to) = (part.at.start, part.at.end);
        let octets = self.octets(wire, dir, from, to.min(from + QUOTE_MAX as u64));
        // A field is known by its name.
        let name = octets.split(|octet| *octet == b':').next().unwrap_or_default();
        let name = std::str::from_utf8(name).unwrap_or_default().trim();
        let named = matches!(part.label, "header field" | "header name");
        let gloss = named.then(|| catalogue::field(name)).flatten();
        let gloss = gloss.or_else(|| catalogue::message(part.label))?;
        let law = gloss.citation().map(|(rfc, section)| (rfc, section.to_owned(), String::new()));
        let (what, why) = source::words_of(&gloss);
        let value = value::value(part.label, &octets).map(|value| format!(" = {value}"));
        let more = if to - from > QUOTE_MAX as u64 { " …" } else { "" };
        Some(Explained {
            wire,
            label: part.label.to_owned(),
            what: Some(what),
            why: Some(why).filter(|why| !why.is_empty()),
            laws: law.into_iter().collect(),
            steps: Vec::new(),
            defects: Vec::new(),
            text: text_alone(&octets) + more + &value.unwrap_or_default(),
            dir,
            start: from,
            end: to,
            secret: false,
            because: None,
            state: None,
        })
    }

    /// What a range is: the annotation that has just these octets, or the smallest around them.
    #[must_use]
    pub fn explain(&self, wire: WireId, dir: Dir, start: u64, end: u64) -> Option<Explained> {
        let annotated = self.source.annotations(wire, dir);
        let annotations = annotated.all();
        let around = annotated.around(start).into_iter().filter(|a| end <= a.at.end);
        let found = around.min_by_key(|a| (a.at.end - a.at.start, a.leaf))?;
        if is_content(found)
            && let Some(inside) = self.inside(wire, dir, start, end)
        {
            return Some(inside);
        }
        let gloss = self.gloss_of(wire, dir, found, annotations);
        let law = |rule: &&'static pillarbox_engine::trace::Rule| {
            (rule.rfc, rule.section.to_owned(), rule.gist.to_owned())
        };
        let mut laws: Vec<_> = found.rules.iter().map(law).collect();
        if let Some((rfc, section)) = gloss.as_ref().and_then(|gloss| gloss.citation())
            && !laws.iter().any(|law| (law.0, law.1.as_str()) == (rfc, section))
        {
            laws.insert(0, (rfc, section.to_owned(), String::new()));
        }
        let gloss = gloss.map(|gloss| source::words_of(&gloss));
        let against = matches!(found.grade, Grade::Deviation | Grade::Error);
        let mut defects = Vec::new();
        if found.grade == Grade::Deviation {
            defects.push("Against a rule, and put up with.".to_owned());
        } else if found.grade == Grade::Error && against {
            defects.push("This was refused.".to_owned());
        }
        let state = |name: &'static str| name.to_owned();
        let root = root_of(annotations, found);
        let because = root.and_then(|root| self.because(wire, dir, root));
        let moved = because.as_ref().and_then(|because| self.moved(wire, because));
        Some(Explained {
            wire,
            label: found.label.to_owned(),
            what: gloss.as_ref().map(|(what, _)| what.clone()),
            why: gloss.map(|(_, why)| why).filter(|why| !why.is_empty()),
            laws,
            steps: found.step.iter().map(|(from, to)| (state(from), state(to))).collect(),
            defects,
            text: self.quote(&annotated, found),
            dir,
            start: found.at.start,
            end: found.at.end,
            secret: annotated.is_masked(found),
            because,
            state: moved,
        })
    }

    /// What a line follows from, if that is known.
    pub(super) fn because(&self, wire: WireId, dir: Dir, line: &Annotation) -> Option<Because> {
        let annotated = self.source.annotations(wire, dir);
        let (dir, at) = annotated.cause(line)?;
        let (start, end) = (at.start, at.end.min(at.start + QUOTE_MAX as u64));
        let text = text_alone(&self.octets(wire, dir, start, end));
        Some(Because { text, dir, start: at.start, end: at.end })
    }

    /// The states of the session that took a line, before it and after it.
    fn moved(&self, wire: WireId, line: &Because) -> Option<(String, String)> {
        let annotated = self.source.annotations(wire, line.dir);
        let root = annotated.line(line.start).first()?;
        let moves = annotated.moves();
        let until = moves.partition_point(|(read, ..)| *read < line.end);
        let own = moves[..until].partition_point(|(read, ..)| *read < root.at.start);
        let (earlier, own) = moves[..until].split_at(own);
        let earlier = earlier.last().map(|(_, _, to)| *to);
        let before = own.first().map(|(_, from, _)| *from).or(earlier)?;
        let after = own.last().map(|(_, _, to)| *to).or(earlier)?;
        Some((before.to_owned(), after.to_owned()))
    }

    /// Words for a part; of a line those for the command or the code that it begins with.
    fn gloss_of(
        &self,
        wire: WireId,
        dir: Dir,
        part: &Annotation,
        annotations: &[Annotation],
    ) -> Option<Gloss> {
        let rest = annotations.get(part.id.at as usize..).unwrap_or_default().iter();
        let inside = rest.take_while(|a| a.at.start < part.at.end).filter(|a| a.leaf);
        let word = inside.take(3).find_map(|leaf| self.source.word(wire, dir, leaf));
        word.or_else(|| self.source.gloss(wire, dir, part))
    }

    fn quote(&self, annotated: &Annotated<'_>, annotation: &Annotation) -> String {
        if annotated.is_masked(annotation) {
            return MASK.to_owned();
        }
        let (wire, dir) = annotated.place();
        let end = annotation.at.end.min(annotation.at.start + QUOTE_MAX as u64);
        let more = if end < annotation.at.end { " …" } else { "" };
        let octets = self.octets(wire, dir, annotation.at.start, end);
        text_alone(&octets) + more
    }

    /// Whether the step at a cursor carries a message, or a part of one.
    #[must_use]
    pub fn carries_message(&self, cursor: usize) -> bool {
        let entry = cursor.checked_sub(1).and_then(|at| self.entries.get(at));
        let Some((entry, wire)) = entry.and_then(|entry| Some((entry, entry.wire?))) else {
            return false;
        };
        let What::Octets { dir, start, end, .. } = entry.what else { return false };
        let annotated = self.source.annotations(wire, dir);
        let around = annotated.around(start);
        let mut parts = around.into_iter().chain(annotated.beginning(start..end));
        parts.any(|part| part.label == CONTENT)
    }
}

/// Whether a part is octets of a message, in which more can be told apart.
fn is_content(part: &Annotation) -> bool {
    matches!(part.label, CONTENT | "text line" | "text lines" | "chunk")
}

/// How a part of a message is drawn.
fn class_inside(label: &str) -> &'static str {
    match label {
        "header name" | "boundary" => "p-verb",
        "encoded word" | "QP escape" | "address" => "p-code",
        "line end" | "soft line break" | "header end" => "p-end",
        _ => "",
    }
}

/// The line that a part lies in.
fn root_of<'a>(all: &'a [Annotation], part: &'a Annotation) -> Option<&'a Annotation> {
    let mut root = part;
    while let Some(parent) = root.parent {
        root = all.get(parent.at as usize)?;
    }
    Some(root)
}

/// How a part is drawn: by its role in a line, whatever the protocol.
fn class_of(annotation: &Annotation) -> &'static str {
    match annotation.label {
        "CRLF" => "p-end",
        "SP" => "p-space",
        label if label.ends_with("verb") => "p-verb",
        label if label.ends_with("code") || label.ends_with("status") => "p-code",
        label if label.ends_with("text") => "p-text",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::hands::{self, Part, Wish};

    fn said(story: &Story, begins: &str) -> SpokenLine {
        let wire = story.source().tape().world().wires()[0].id;
        let lines = story.spoken(wire, usize::MAX);
        let text = |line: &SpokenLine| {
            line.pieces.iter().map(|piece| piece.text.as_str()).collect::<String>()
        };
        lines.into_iter().find(|line| text(line).starts_with(begins)).expect("it was said")
    }

    fn explained(story: &Story, line: &SpokenLine) -> Explained {
        story.explain(line.wire, line.dir, line.start, line.end).expect("it is known")
    }

    #[test]
    fn a_reply_has_its_command_and_the_servers_state() {
        let story = Story::scenario("crepes-hamburger").expect("it exists");
        let replies = [
            ("250 alice", "MAIL FROM:", "Greeted", "MailGiven"),
            ("250 bob", "RCPT TO:", "MailGiven", "RcptGiven"),
            ("250 Message", ".", "Data", "Greeted"),
        ];
        for (reply, command, before, after) in replies {
            let explained = explained(&story, &said(&story, reply));
            let because = explained.because.expect("it answers something");
            assert!(because.text.starts_with(command), "{reply}: {because:?}");
            assert_eq!(because.dir, Dir::ToServer);
            assert_eq!(explained.state, Some((before.to_owned(), after.to_owned())), "{reply}");
        }
    }

    #[test]
    fn each_octet_of_a_message_is_explained_however_it_travels() {
        let message = "From: =?utf-8?Q?J=C3=B6?= <jo@crepes.fr>\r\nSubject: hi\r\n\
            Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
            Content-Transfer-Encoding: base64\r\n\r\na2V0Y2h1cA==\r\n--b--\r\n";
        let data = vec!["DATA\r\n".to_owned(), format!("{message}.\r\n")];
        let (one, two) = message.split_at(70);
        let chunks = [one, two].map(|piece| {
            let last = if piece == two { " LAST" } else { "" };
            format!("BDAT {}{last}\r\n{piece}", piece.len())
        });
        let envelope = "MAIL FROM:<a@crepes.fr>\r\nRCPT TO:<bob@hamburger.edu>\r\n";
        for content in [data, chunks.to_vec()] {
            let wish = Wish { part: Part::Client, port: 25, textbook: false };
            let mut story = hands::begin(wish);
            let first = ["EHLO x\r\n".to_owned(), envelope.to_owned()];
            for said in first.into_iter().chain(content) {
                story.say(Part::Client, said.as_bytes()).unwrap_or_else(|why| {
                    let wire = story.standing(wish).wire.expect("there is one");
                    panic!("{why} for {said:?}: {:?}", story.dump(wire))
                });
            }
            let wire = story.standing(wish).wire.expect("there is one");
            let said = story.octets(wire, Dir::ToServer, 0, u64::MAX);
            let place = |text: &str| {
                let at = said.windows(text.len()).position(|w| w == text.as_bytes());
                at.expect("it was said") as u64
            };
            let parts = [
                ("Subject", "header name", "RFC 5322 §3.6.5"),
                (" hi", "header body", "RFC 5322 §2.2"),
                ("jo@crepes.fr", "address", "RFC 5322 §3.4.1"),
                ("=?utf-8?Q?J=C3=B6?=", "encoded word", "RFC 2047 §2"),
                ("--b\r\n", "boundary", "RFC 2046 §5.1.1"),
                ("Content-Transfer-Encoding", "header name", "RFC 2045 §6"),
                ("a2V0Y2h1cA==", "base64", "RFC 2045 §6.8"),
            ];
            for (text, label, law) in parts {
                let start = place(text);
                let end = start + text.len() as u64;
                let explained =
                    story.explain(wire, Dir::ToServer, start, end).expect("it is known");
                let laws: Vec<String> =
                    explained.laws.iter().map(|law| format!("RFC {} §{}", law.0, law.1)).collect();
                assert_eq!(
                    (&explained.label[..], laws.join(", ")),
                    (label, law.to_owned()),
                    "{text}"
                );
                assert_eq!(
                    story.leaf(wire, Dir::ToServer, start),
                    Some((explained.start, explained.end)),
                    "{text}: a click finds it"
                );
            }
            let from = place("From:");
            let tree = story.tree(wire, Dir::ToServer, from);
            let labels: Vec<&str> = tree.iter().map(|row| &row.label[..]).collect();
            for label in ["header field", "header name", "encoded word", "address", "line end"] {
                assert!(labels.contains(&label), "{label}: {labels:?}");
            }
            // All of it, octet by octet.
            for at in from..place("--b--") {
                let known = story.explain(wire, Dir::ToServer, at, at + 1).expect("it is known");
                assert!(known.what.is_some(), "{at}: {known:?}");
            }
        }
    }

    #[test]
    fn passwords_are_shown_where_the_scenario_says_so_or_somebody_asks() {
        let text = |story: &Story| {
            let scene = story.scene(usize::MAX);
            let lines = scene.wires.keys().flat_map(|wire| story.spoken(*wire, usize::MAX));
            let pieces = lines.flat_map(|line| line.pieces).map(|piece| piece.text);
            pieces.collect::<String>()
        };
        let lecture = Story::scenario("pop-phases").expect("it exists");
        assert!(text(&lecture).contains("pass hungry"));
        let mut other = Story::scenario("pop-cut").expect("it exists");
        assert!(text(&other).contains(MASK));
        other.act(|source| source.show_secrets(true));
        assert!(!text(&other).contains(MASK) && text(&other).contains("AUTH PLAIN "));
        other.act(|source| source.show_secrets(false));
        assert!(text(&other).contains(MASK));
    }
}
