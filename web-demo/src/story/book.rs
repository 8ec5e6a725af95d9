//! The book's dialogue beside what a server says in its own words to the same lines, and why each line differs.

use pillarbox_world::catalogue;
use pillarbox_world::world::{Dir, Persona, Protocol};

use super::lines::LINE_END;
use super::{Source, Story, source};

/// A line of the dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookLine {
    /// Who says it.
    pub dir: Dir,
    /// As the book has it.
    pub book: String,
    /// As the other server has it; of a client's line the same.
    pub strict: String,
    /// Why they differ, or what is wrong with a line that both take; with where that stands.
    pub why: Option<(String, Option<&'static str>)>,
}

impl Story {
    /// The book's dialogue line by line; none: this story has none with a server in the book's words.
    #[must_use]
    pub fn book(&self) -> Option<Vec<BookLine>> {
        let world = self.source.tape().world();
        let wire =
            world.wires().into_iter().next().filter(|wire| wire.protocol == Protocol::Smtp)?;
        let mut scenario = self.source.tape().scenario().clone();
        let server = self.nodes().iter().find(|node| node.id == wire.server)?.name.clone();
        let node = scenario.setup.nodes.iter_mut().find(|node| node.name == server)?;
        if node.persona != Persona::Textbook {
            return None;
        }
        node.persona = Persona::Strict;
        let mut source = Source::new(scenario).ok()?;
        source.tell_all();
        let strict = Self::of(source);
        let said = |story: &Self| {
            let lines = story.spoken(wire.id, usize::MAX).into_iter();
            let line = lines.map(|line| {
                let text = line.pieces.iter().map(|piece| piece.text.as_str()).collect::<String>();
                (line.dir, text.trim_end_matches(LINE_END).to_owned(), line.defect.is_some())
            });
            line.collect::<Vec<_>>()
        };
        let (book, strict) = (said(self), said(&strict));
        let (mut asked, mut in_text) = ("greeting".to_owned(), false);
        let mut lines = Vec::with_capacity(book.len());
        for (at, (dir, book, _)) in book.into_iter().enumerate() {
            let other = strict.get(at).filter(|other| other.0 == dir);
            let (text, is_wrong) = other.map_or(("", false), |other| (&other.1[..], other.2));
            let key = match dir {
                Dir::ToServer if in_text && book == "." => {
                    (asked, in_text) = ("end".to_owned(), false);
                    None
                }
                // The message is begun once, and said of it is what holds for all of it.
                Dir::ToServer if in_text => {
                    let first = asked != "text";
                    asked = "text".to_owned();
                    first.then(|| "line text".to_owned())
                }
                Dir::ToServer => {
                    let verb = book.split(' ').next().unwrap_or_default().to_ascii_uppercase();
                    asked = verb;
                    is_wrong.then(|| format!("line {asked}"))
                }
                Dir::ToClient => {
                    in_text = asked == "DATA" && book.starts_with('3');
                    (book != text).then(|| asked.clone())
                }
            };
            let gloss = key.and_then(|key| catalogue::difference(&key));
            let why = gloss.map(|gloss| (source::sentence_of(&gloss), gloss.law));
            lines.push(BookLine { dir, book, strict: text.to_owned(), why });
        }
        Some(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_of_the_fifteen_lines_has_its_reason() {
        let story = Story::scenario("crepes-hamburger").expect("it exists");
        let lines = story.book().expect("it is the book's");
        assert_eq!(lines.len(), 15);
        for line in &lines {
            let differs = line.book != line.strict;
            assert!(!line.strict.is_empty(), "{line:?}");
            assert!(!differs || line.dir == Dir::ToClient, "{line:?}");
            let explained = line.why.as_ref().is_some_and(|(_, law)| law.is_some());
            assert!(!differs || explained, "{line:?}");
        }
        let differing = lines.iter().filter(|line| line.book != line.strict).count();
        assert_eq!(differing, 6, "all replies but 354: {lines:?}");
        // What a client should not say, and what a message should have, is told where it is said.
        let told: Vec<&str> = lines
            .iter()
            .filter(|line| line.dir == Dir::ToServer && line.why.is_some())
            .map(|line| &line.book[..])
            .collect();
        assert_eq!(
            told,
            [
                "MAIL FROM: <alice@crepes.fr>",
                "RCPT TO: <bob@hamburger.edu>",
                "Do you like ketchup?"
            ]
        );
    }

    #[test]
    fn other_stories_have_none() {
        assert_eq!(Story::scenario("alice-to-bob").expect("it exists").book(), None);
        assert_eq!(Story::scenario("pop-phases").expect("it exists").book(), None);
    }
}
