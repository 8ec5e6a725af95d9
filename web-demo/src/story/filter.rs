//! Which lines of a conversation are shown: by the code of a reply, by what the engine noted in them, or by their words.

use pillarbox_world::fault::Pattern;
use pillarbox_world::world::{Dir, WireId};

use super::{SpokenLine, Story};

/// What the engine calls the code of a reply, in the protocols of mail and of the web.
const CODES: [&str; 3] = ["reply code", "status", "status-code"];

/// What a line must be like: all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Code(Pattern),
    Label(Pattern),
    Words(String),
}

impl Filter {
    /// Reads a filter: `code:5*`, `label:path`, or words of the line; several of them all hold. `*` stands for anything.
    ///
    /// # Errors
    /// What in it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let terms = text.split_whitespace().map(term).collect::<Result<_, String>>()?;
        Ok(Self { terms })
    }

    /// Whether it lets everything through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

fn term(word: &str) -> Result<Term, String> {
    let pattern = |text: &str| {
        Pattern::new(text)
            .ok_or_else(|| format!("{word} needs something behind the colon, such as 5*"))
    };
    match word.split_once(':') {
        Some(("code", code)) => pattern(code).map(Term::Code),
        Some(("label", label)) => pattern(&label.replace('-', " ")).map(Term::Label),
        // Addresses of the web and of IPv6 have colons too; a word before one that is all letters may be a slip.
        Some((key @ ("codes" | "status" | "reply" | "labels" | "dir"), _)) => {
            Err(format!("nobody knows what {key}: is; there are code:, label: and plain words"))
        }
        _ => Ok(Term::Words(word.to_lowercase())),
    }
}

impl Story {
    /// A filter by the code of the first reply of a connection; none: it has no reply with one.
    #[must_use]
    pub fn some_code(&self, wire: WireId) -> Option<String> {
        Dir::BOTH.into_iter().find_map(|dir| {
            let annotated = self.source.annotations(wire, dir);
            let code = annotated.all().iter().find(|part| CODES.contains(&part.label))?;
            let octets = self.octets(wire, dir, code.at.start, code.at.end);
            let code = std::str::from_utf8(&octets).ok()?.trim().trim_end_matches('-');
            Some(format!("code:{code}"))
        })
    }

    /// Whether a line is as a filter wants it.
    #[must_use]
    pub fn fits(&self, line: &SpokenLine, filter: &Filter) -> bool {
        let annotated = self.source.annotations(line.wire, line.dir);
        let within = annotated.beginning(line.start..line.end);
        let text = || line.pieces.iter().map(|piece| &piece.text[..]).collect::<String>();
        filter.terms.iter().all(|term| match term {
            Term::Code(code) => within.iter().any(|part| {
                let octets = self.octets(line.wire, line.dir, part.at.start, part.at.end);
                // What stands behind the digits says whether more lines follow.
                let octets = octets.trim_ascii_end();
                let octets = octets.strip_suffix(b"-").unwrap_or(octets);
                CODES.contains(&part.label) && code.matches(octets)
            }),
            Term::Label(label) => {
                within.iter().any(|part| label.matches(part.label.replace('-', " ").as_bytes()))
            }
            Term::Words(words) => text().to_lowercase().contains(&words[..]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that a filter leaves, of a scenario's first connection of a port.
    fn left(scenario: &str, port: u16, filter: &str) -> Vec<String> {
        let story = Story::scenario(scenario).expect("it exists");
        let filter = Filter::parse(filter).expect("it is one");
        let wires = story.source().tape().world().wires();
        let wire = wires.iter().find(|wire| wire.port == port).expect("it is connected to").id;
        let lines = story.spoken(wire, usize::MAX).into_iter();
        let lines = lines.filter(|line| story.fits(line, &filter));
        lines.map(|line| line.pieces.iter().map(|piece| &piece.text[..]).collect()).collect()
    }

    #[test]
    fn lines_are_found_by_code_label_and_words() {
        let codes = left("crepes-hamburger", 25, "code:2*");
        assert!(codes.len() > 3 && codes.iter().all(|line| line.starts_with('2')), "{codes:?}");
        let three = left("crepes-hamburger", 25, "code:354");
        assert!(three.len() == 1 && three[0].starts_with("354"), "{three:?}");
        let several = left("alice-to-bob", 25, "code:250");
        assert!(several.iter().any(|line| line.starts_with("250-")), "{several:?}");
        assert_eq!(left("crepes-hamburger", 25, "code:5*"), Vec::<String>::new());
        for (scenario, port) in [("crepes-hamburger", 25), ("pop-phases", 110)] {
            let story = Story::scenario(scenario).expect("it exists");
            let wires = story.source().tape().world().wires();
            let wire = wires.iter().find(|wire| wire.port == port).expect("it is connected to").id;
            let code = story.some_code(wire).expect("there are replies");
            assert!(!left(scenario, port, &code).is_empty(), "what is suggested occurs: {code}");
        }
        let verbs = left("crepes-hamburger", 25, "label:verb mail");
        assert!(verbs.iter().all(|line| line.contains("MAIL")) && !verbs.is_empty(), "{verbs:?}");
        let wrong = left("pop-phases", 110, "code:-err");
        assert!(wrong.iter().all(|line| line.starts_with("-ERR")) && !wrong.is_empty());
        let tagged = left("imap-folders", 143, "code:ok");
        assert!(tagged.iter().all(|line| line.contains("OK")) && tagged.len() > 2, "{tagged:?}");
        let web = left("http-and-smtp", 80, "code:200");
        assert!(
            web.iter().all(|line| line.starts_with("HTTP/1.1 200")) && web.len() == 2,
            "{web:?}"
        );
        assert!(Filter::parse(" ").expect("nothing is wanted").is_empty());
    }

    #[test]
    fn slips_are_told() {
        for (text, words) in [("code:", "needs something"), ("status:5*", "what status: is")] {
            let why = Filter::parse(text).expect_err(words);
            assert!(why.contains(words), "{why}");
        }
        assert!(Filter::parse("http://a").is_ok(), "words may have colons");
    }
}
