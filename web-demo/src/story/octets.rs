//! Octets with what the engine said of them: lines in pieces, trees, and explanations in three voices.
//! Secrets are masked here, so that no view can forget it.

use pillarbox_world::annotate::{Annotation, Grade};
use pillarbox_world::world::{Dir, Protocol, What, WireId};

use super::Story;
use super::lines::{Line, lines, text, text_alone};
use super::source::{self, Annotated};
use pillarbox_world::catalogue::Gloss;

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
}

/// Octets in one row of a dump.
const DUMP_ROW: usize = 16;
/// Octets of a quote.
const QUOTE_MAX: usize = 400;
/// What stands for a secret, however long it is.
const MASK: &str = "••••••";

/// How a secret is drawn.
const SECRET: &str = "p-secret";

/// Octets of a message, rather than talk about it.
const CONTENT: &str = "message content";

impl Story {
    /// Lines of a connection that were said before a cursor.
    #[must_use]
    pub fn spoken(&self, wire: WireId, cursor: usize) -> Vec<SpokenLine> {
        self.spoken_after(wire, cursor, |_| 0).1
    }

    /// The same without the first of them: how many those are, once it is known how many there are at all.
    #[must_use]
    pub fn spoken_after(
        &self,
        wire: WireId,
        cursor: usize,
        left_out: impl FnOnce(usize) -> usize,
    ) -> (usize, Vec<SpokenLine>) {
        let told = &self.entries[..cursor.min(self.entries.len())];
        let said = [Dir::ToServer, Dir::ToClient].map(|dir| self.source.octets(wire, dir));
        let is_web = self.source.tape().world().protocol(wire) == Some(Protocol::Http);
        let all = lines(told, wire, said, is_web);
        let left_out = left_out(all.len()).min(all.len());
        let both = Dir::BOTH.map(|dir| self.source.annotations(wire, dir));
        let line = |line: Line| {
            let annotated = &both[usize::from(line.dir == Dir::ToClient)];
            self.spoken_line(wire, &line, annotated)
        };
        (left_out, all.into_iter().skip(left_out).map(line).collect())
    }

    fn spoken_line(&self, wire: WireId, line: &Line, annotated: &Annotated) -> SpokenLine {
        let Line { dir, start, end, .. } = *line;
        let annotations = &annotated.all;
        let said = self.source.octets(wire, dir);
        let (mut pieces, mut at) = (Vec::new(), start);
        let mut put = |from: u64, to: u64, class: &str, secret: bool| {
            if from >= to {
                return;
            }
            let shown = said.get(from as usize..to as usize).unwrap_or_default();
            let shown = if secret { MASK.to_owned() } else { text(shown) };
            let class = class.to_owned();
            pieces.push(SpokenPiece { wire, dir, start: from, end: to, class, text: shown });
        };
        let mut grade = Grade::Ok;
        let broken =
            annotated.defects.iter().find(|(range, _)| range.start < end && range.end > start);
        let defect = broken.map(|(_, rule)| rule.gist.to_owned());
        let from = annotations.partition_point(|annotation| {
            annotation.at.end <= start && annotation.parent.is_none()
        });
        for annotation in &annotations[from.min(annotations.len())..] {
            if annotation.at.start >= end {
                break;
            }
            if annotation.at.end <= start || !annotation.leaf {
                continue;
            }
            let (from, to) = (annotation.at.start.max(at), annotation.at.end.min(end));
            put(at, from, "", false);
            put(from, to, class_of(annotation), annotation.secret);
            at = at.max(to);
            grade = grade.max(annotation.grade);
        }
        put(at, end, "", false);
        SpokenLine { wire, dir, start, end, pieces, defect, grade: grade as u8 }
    }

    /// The octets of a range, secrets as dots.
    #[must_use]
    pub fn octets(&self, wire: WireId, dir: Dir, start: u64, end: u64) -> Vec<u8> {
        let said = self.source.octets(wire, dir);
        let end = end.min(said.len() as u64);
        let mut octets = said.get(start as usize..end as usize).unwrap_or_default().to_vec();
        for annotation in self.source.annotations(wire, dir).all.iter().filter(|a| a.secret) {
            for at in annotation.at.start.max(start)..annotation.at.end.min(end) {
                octets[(at - start) as usize] = b'*';
            }
        }
        octets
    }

    /// All that the server said on a connection, as it is; secrets as stars.
    #[must_use]
    pub fn raw(&self, wire: WireId) -> Vec<u8> {
        self.octets(wire, Dir::ToClient, 0, u64::MAX)
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
        let annotations = &annotated.all;
        let leaf = annotations.iter().find(|a| a.leaf && a.at.contains(&at))?;
        Some((leaf.at.start, leaf.at.end))
    }

    /// The tree of the line that an octet lies in.
    #[must_use]
    pub fn tree(&self, wire: WireId, dir: Dir, at: u64) -> Vec<TreeRow> {
        let annotated = self.source.annotations(wire, dir);
        let annotations = &annotated.all;
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
                text: self.quote(wire, dir, annotation),
                start: annotation.at.start,
                end: annotation.at.end,
            }
        };
        annotations.iter().filter(inside).map(row).collect()
    }

    /// What a range is: the annotation that has just these octets, or the smallest around them.
    #[must_use]
    pub fn explain(&self, wire: WireId, dir: Dir, start: u64, end: u64) -> Option<Explained> {
        let annotated = self.source.annotations(wire, dir);
        let annotations = &annotated.all;
        let around = annotations.iter().filter(|a| a.at.start <= start && end <= a.at.end);
        let found = around.min_by_key(|a| (a.at.end - a.at.start, a.leaf))?;
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
        Some(Explained {
            label: found.label.to_owned(),
            what: gloss.as_ref().map(|(what, _)| what.clone()),
            why: gloss.map(|(_, why)| why).filter(|why| !why.is_empty()),
            laws,
            steps: found.step.iter().map(|(from, to)| (state(from), state(to))).collect(),
            defects,
            text: self.quote(wire, dir, found),
            dir,
            start: found.at.start,
            end: found.at.end,
            secret: found.secret,
        })
    }

    /// Words for a part; of a line those for the command or the code that it begins with.
    fn gloss_of(
        &self,
        wire: WireId,
        dir: Dir,
        part: &Annotation,
        annotations: &[Annotation],
    ) -> Option<Gloss> {
        let inside = annotations
            .iter()
            .filter(|a| a.leaf && part.at.start <= a.at.start && a.at.end <= part.at.end);
        let word = inside.take(3).find_map(|leaf| self.source.word(wire, dir, leaf));
        word.or_else(|| self.source.gloss(wire, dir, part))
    }

    fn quote(&self, wire: WireId, dir: Dir, annotation: &Annotation) -> String {
        if annotation.secret {
            return MASK.to_owned();
        }
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
        let annotations = &annotated.all;
        annotations.iter().any(|a| a.label == CONTENT && a.at.start < end && a.at.end > start)
    }
}

/// How a part is drawn: by its role in a line, whatever the protocol.
fn class_of(annotation: &Annotation) -> &'static str {
    match annotation.label {
        _ if annotation.secret => SECRET,
        "CRLF" => "p-end",
        "SP" => "p-space",
        label if label.ends_with("verb") => "p-verb",
        label if label.ends_with("code") || label.ends_with("status") => "p-code",
        label if label.ends_with("text") => "p-text",
        _ => "",
    }
}
