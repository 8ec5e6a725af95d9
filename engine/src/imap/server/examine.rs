//! Looks through the octets of one message for the texts of a SEARCH (RFC 9051 §6.4.4), one chunk at a
//! time, until all is known. How octets become text is in `message::texts`.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::program::{evaluate, is_fuzzy};
use crate::imap::types::{HeaderKey, SearchKey};
use crate::limits::CHUNK_MAX;
use crate::message::texts::{self, Of, Read, Segment};
use crate::message::{Index, Span};
use crate::text::find::{self, Finder};
use crate::text::fuzzy::Matcher;
use crate::text::header::Field;
use crate::text::{header, words};
use crate::types::Misuse;

/// A message that is being looked through.
pub(crate) struct Examination {
    /// What is known of each key, by its place in the program.
    known: Vec<Option<bool>>,
    /// TEXT and BODY keys that are not known, by their places, in the order of their finders'
    /// needles.
    texts: Vec<usize>,
    bodies: Vec<usize>,
    text_finder: Finder,
    body_finder: Finder,
    /// Fuzzy keys, by their places, with what was found for them.
    fuzzy: Vec<(usize, Matcher)>,
    /// Whether it matters how well they fit.
    scored: bool,
    segments: VecDeque<Segment>,
    /// Where the next chunk of the first segment begins.
    at: u64,
}

impl Examination {
    /// `known`: what row and index already said.
    pub(crate) fn new(
        program: &[SearchKey],
        known: Vec<Option<bool>>,
        index: &Index,
        size: u64,
        scored: bool,
    ) -> Self {
        let open = |at: &usize| known.get(*at).is_some_and(Option::is_none);
        let places = |wanted: fn(&SearchKey) -> bool| -> Vec<usize> {
            (0..program.len()).filter(|at| wanted(&program[*at])).filter(open).collect()
        };
        let texts = places(|key| matches!(key, SearchKey::Text(_)));
        let bodies = places(|key| matches!(key, SearchKey::Body(_)));
        let fields = !places(|key| matches!(key, SearchKey::Header(_))).is_empty();
        let needles = |places: &[usize]| {
            Finder::new(places.iter().filter_map(|at| match &program[*at] {
                SearchKey::Text(text) | SearchKey::Body(text) => Some(&text[..]),
                _ => None,
            }))
        };
        let (text_finder, body_finder) = (needles(&texts), needles(&bodies));
        let matcher = |at: usize| match &program[at] {
            SearchKey::FuzzyHeader(HeaderKey { text, .. })
            | SearchKey::FuzzyBody(text)
            | SearchKey::FuzzyText(text) => Some((at, Matcher::new(text))),
            _ => None,
        };
        let fuzzy: Vec<_> = places(is_fuzzy).into_iter().filter_map(matcher).collect();
        let has =
            |wanted: fn(&SearchKey) -> bool| fuzzy.iter().any(|(at, _)| wanted(&program[*at]));
        let fuzzy_texts = has(|key| matches!(key, SearchKey::FuzzyText(_)));
        let fuzzy_bodies = has(|key| matches!(key, SearchKey::FuzzyBody(_)));
        let fields = fields || has(|key| matches!(key, SearchKey::FuzzyHeader(_)));
        let whole = !texts.is_empty() || fuzzy_texts;
        let inside = whole || !bodies.is_empty() || fuzzy_bodies;
        let segments: VecDeque<Segment> =
            texts::segments(index, size, fields || whole, inside).collect();
        let at = segments.front().map_or(0, |segment| segment.span.start);
        Self { known, texts, bodies, text_finder, body_finder, fuzzy, scored, segments, at }
    }

    /// The octets to read next; `None` once the answer is known.
    pub(crate) fn next(&mut self, program: &[SearchKey]) -> Option<Span> {
        match evaluate(program, |at, _| self.known.get(at).copied().flatten()) {
            Some(true) if self.scored && !self.fuzzy.iter().all(|(_, one)| one.is_best()) => {}
            Some(_) => return None,
            None => {}
        }
        let segment = self.segments.front()?;
        let end = self.at.saturating_add(CHUNK_MAX as u64).min(segment.span.end);
        Some(Span { start: self.at, end })
    }

    /// Whether the message matches; what was nowhere found is not in it.
    pub(crate) fn verdict(&self, program: &[SearchKey]) -> bool {
        evaluate(program, |at, _| Some(self.known.get(at).copied().flatten().unwrap_or(false)))
            .unwrap_or(false)
    }

    /// How well a fuzzy key fits, of those that were looked for here.
    pub(crate) fn score(&self, place: usize) -> Option<u8> {
        let found = self.fuzzy.iter().find(|(at, _)| *at == place);
        found.and_then(|(_, matcher)| matcher.score())
    }

    /// What is known of a key.
    pub(crate) fn is_met(&self, place: usize) -> bool {
        self.known.get(place).copied().flatten().unwrap_or(false)
    }

    /// The octets that `next` named.
    pub(crate) fn read(&mut self, program: &[SearchKey], octets: &[u8]) -> Result<(), Misuse> {
        let due = self.next(program).map_or(0, Span::length);
        if octets.len() as u64 != due {
            return Err(Misuse::BadValue);
        }
        let Some(mut segment) = self.segments.pop_front() else { return Ok(()) };
        self.at += due;
        let last = self.at >= segment.span.end;
        match segment.read(octets, last) {
            Read::Fields(fields, of) => self.look_at_fields(program, &fields, of),
            Read::Text(text) => {
                self.text_finder.look(&text);
                self.body_finder.look(&text);
                self.look_fuzzily(program, &text, |key| !matches!(key, SearchKey::FuzzyHeader(_)));
            }
        }
        if last {
            self.text_finder.cut();
            self.body_finder.cut();
            self.fuzzy.iter_mut().for_each(|(_, matcher)| matcher.cut());
            self.at = self.segments.front().map_or(0, |next| next.span.start);
        } else {
            self.segments.push_front(segment);
        }
        self.note_found();
        Ok(())
    }

    fn look_fuzzily(
        &mut self,
        program: &[SearchKey],
        text: &str,
        wanted: impl Fn(&SearchKey) -> bool,
    ) {
        for (at, matcher) in &mut self.fuzzy {
            if wanted(&program[*at]) {
                matcher.look(text);
            }
        }
    }

    /// A field is a text of its own: of a key about one field the best one counts.
    fn look_at_field_fuzzily(
        &mut self,
        program: &[SearchKey],
        field: &Field<'_>,
        line: &str,
        of: Of,
    ) {
        for (at, matcher) in &mut self.fuzzy {
            match &program[*at] {
                SearchKey::FuzzyHeader(HeaderKey { name, text })
                    if of == Of::Message && field.is(name) =>
                {
                    let mut own = Matcher::new(text);
                    own.look(line.get(field.name.len()..).unwrap_or_default());
                    own.cut();
                    if own.score() > matcher.score() {
                        *matcher = own;
                    }
                }
                SearchKey::FuzzyText(_) => {
                    matcher.look(line);
                    matcher.cut();
                }
                SearchKey::FuzzyBody(_) if of == Of::Inner => {
                    matcher.look(line);
                    matcher.cut();
                }
                _ => {}
            }
        }
    }

    fn look_at_fields(&mut self, program: &[SearchKey], section: &[u8], of: Of) {
        for field in header::fields(section) {
            let text = words::decode(&field.unfolded());
            if of == Of::Message {
                for (at, key) in program.iter().enumerate() {
                    if let SearchKey::Header(HeaderKey { name, text: wanted }) = key
                        && field.is(name)
                        && self.known[at].is_none()
                    {
                        let needle = find::folded(&String::from_utf8_lossy(wanted));
                        // A field that does not contain it says nothing: another of its name may.
                        self.known[at] = find::contains(&text, &needle).then_some(true);
                    }
                }
            }
            let line = texts::line(&field, &text);
            self.look_at_field_fuzzily(program, &field, &line, of);
            self.text_finder.look(&line);
            self.text_finder.cut();
            if of == Of::Inner {
                self.body_finder.look(&line);
                self.body_finder.cut();
            }
        }
    }

    fn note_found(&mut self) {
        let found = [(&self.texts, &self.text_finder), (&self.bodies, &self.body_finder)];
        for (places, finder) in found {
            for (needle, at) in places.iter().enumerate() {
                if finder.found(needle) {
                    self.known[*at] = Some(true);
                }
            }
        }
        for (at, matcher) in &self.fuzzy {
            if matcher.score().is_some() {
                self.known[*at] = Some(true);
            }
        }
    }
}
