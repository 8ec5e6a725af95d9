//! HTML of a letter: what of it may be shown, written anew. Only what is on a list comes through (`allowed`), each text and
//! value escaped, each element closed; so what a browser reads is what is written here, whatever came in. It takes time
//! in proportion to its input, and does not go deeper than its list of open elements.

mod allowed;
#[cfg(test)]
mod tests;
mod tokens;

use crate::web::page::escaped;
use allowed::{ATTRIBUTES, BLOCKS, ELEMENTS, HIDDEN, VOID};
use tokens::{Token, Tokens, decoded, is_named};

/// Elements within each other; deeper ones lose their tags.
const DEPTH_MAX: usize = 200;
/// Links that are listed.
const LINKS_MAX: usize = 200;
/// Octets of all pictures that stand in one page.
pub const PICTURES_MAX: usize = 2 << 20;

/// What may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clean {
    /// What may be shown, as HTML whose elements are balanced.
    pub html: String,
    /// Pictures that would be loaded from elsewhere.
    pub remote: u64,
    /// Where links lead.
    pub links: Vec<String>,
}

/// What comes beside the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct With<'a> {
    /// Pictures of the message itself: their Content-ID, and an address in which they stand.
    pub pictures: &'a [(String, String)],
    /// Whether pictures may come from elsewhere.
    pub remote: bool,
}

/// Writes HTML anew, with what may be shown of it: elements within each other and links up to a limit each.
#[must_use]
pub fn clean(html: &str, with: With<'_>) -> Clean {
    let mut cleaner = Cleaner { with, out: Clean::default(), open: Vec::new(), pictures: 0 };
    let mut hidden: Option<(String, u32)> = None;
    for token in Tokens::new(html) {
        if let Some((name, depth)) = &mut hidden {
            match token {
                Token::Start(own, _) if own == *name => *depth += 1,
                Token::End(own) if own == *name => *depth -= 1,
                _ => {}
            }
            if *depth == 0 {
                hidden = None;
            }
            continue;
        }
        match token {
            Token::Text(text) => cleaner.text(text),
            Token::Start(name, _) if HIDDEN.contains(&&name[..]) => hidden = Some((name, 1)),
            Token::Start(name, attributes) => cleaner.start(&name, &attributes),
            Token::End(name) => cleaner.end(&name),
        }
    }
    while let Some(name) = cleaner.open.pop() {
        cleaner.close(name);
    }
    cleaner.out
}

struct Cleaner<'a> {
    with: With<'a>,
    out: Clean,
    open: Vec<&'static str>,
    /// Octets of pictures that were written.
    pictures: usize,
}

impl Cleaner<'_> {
    fn put(&mut self, text: &str) {
        self.out.html.push_str(text);
    }

    /// Text; references that are not known by name are left to the browser, which knows them all.
    fn text(&mut self, text: &str) {
        let (mut rest, mut from) = (text, 0);
        while let Some(at) = rest[from..].find('&').map(|at| at + from) {
            let name = &rest[at + 1..];
            let length = name.bytes().take(32).take_while(u8::is_ascii_alphanumeric).count();
            from = at + 1;
            if length > 0 && name[length..].starts_with(';') && !is_named(&name[..length]) {
                self.put(&escaped(&decoded(&rest[..at])));
                self.put(&rest[at..at + length + 2]);
                (rest, from) = (&name[length + 1..], 0);
            }
        }
        self.put(&escaped(&decoded(rest)));
    }

    fn close(&mut self, name: &str) {
        for part in ["</", name, ">"] {
            self.put(part);
        }
    }

    fn end(&mut self, name: &str) {
        let Some(at) = self.open.iter().rposition(|own| *own == name) else { return };
        while self.open.len() > at {
            if let Some(name) = self.open.pop() {
                self.close(name);
            }
        }
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let known = |list: &'static [&'static str]| list.iter().find(|own| **own == name).copied();
        let is_void = known(&VOID).is_some();
        let Some(name) = known(&VOID).or_else(|| known(&ELEMENTS)) else { return };
        if !is_void && self.open.len() >= DEPTH_MAX {
            return;
        }
        self.put("<");
        self.put(name);
        let mut has: Vec<String> = Vec::new();
        for (own, value) in attributes {
            let own = own.to_ascii_lowercase();
            // Of an attribute that stands twice a browser takes the first.
            if !has.contains(&own) {
                self.attribute(name, &own, &decoded(value));
                has.push(own);
            }
        }
        self.put(">");
        if !is_void {
            self.open.push(name);
        }
    }

    fn attribute(&mut self, element: &str, name: &str, value: &str) {
        match (element, name) {
            ("a", "href") => {
                let Some(target) = allowed::link(value) else { return };
                self.write(name, target);
                self.put(" target=\"_blank\" rel=\"noopener noreferrer nofollow\"");
                let is_new = !self.out.links.iter().any(|known| known == target);
                if is_new && self.out.links.len() < LINKS_MAX {
                    self.out.links.push(target.to_owned());
                }
            }
            ("img", "src") => self.picture(value),
            (_, "style") => {
                let style = allowed::style(value);
                if !style.is_empty() {
                    self.write(name, &style);
                }
            }
            _ if ATTRIBUTES.contains(&name) => self.write(name, value),
            _ => {}
        }
    }

    fn write(&mut self, name: &str, value: &str) {
        let value = escaped(value);
        for part in [" ", name, "=\"", &value, "\""] {
            self.put(part);
        }
    }

    /// A picture: of the message itself, or in its own address; from elsewhere only if that is wanted.
    fn picture(&mut self, target: &str) {
        let target = target.trim();
        let of_message = target.get(..4).filter(|start| start.eq_ignore_ascii_case("cid:"));
        if of_message.is_some() {
            let found = self.with.pictures.iter().find(|(id, _)| *id == target[4..]);
            if let Some((_, address)) = found {
                self.own_picture(address);
            }
        } else if allowed::is_picture(target) {
            self.own_picture(target);
        } else if allowed::link(target).is_some_and(|target| !target.starts_with("mailto")) {
            self.out.remote += 1;
            let is_safe = target.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("https:"));
            if self.with.remote && is_safe {
                self.write("src", target);
            }
        }
    }

    fn own_picture(&mut self, address: &str) {
        self.pictures += address.len();
        if self.pictures <= PICTURES_MAX {
            self.write("src", address);
        }
    }
}

/// What HTML says, as text.
pub fn text(html: &str) -> String {
    let mut out = String::new();
    let mut hidden = 0_u32;
    for token in Tokens::new(html) {
        match token {
            Token::Text(text) if hidden == 0 => {
                let is_apart = text.starts_with(|c: char| c.is_ascii_whitespace());
                let mut space = is_apart && !out.is_empty() && !out.ends_with(['\n', ' ']);
                let text = decoded(text);
                for word in text.split_ascii_whitespace() {
                    out.push_str(if space { " " } else { "" });
                    out.push_str(word);
                    space = true;
                }
                if space && text.ends_with(|c: char| c.is_ascii_whitespace()) {
                    out.push(' ');
                }
            }
            Token::Start(name, _) if HIDDEN.contains(&&name[..]) => hidden += 1,
            Token::End(name) if HIDDEN.contains(&&name[..]) => hidden = hidden.saturating_sub(1),
            Token::Start(name, _) | Token::End(name) if BLOCKS.contains(&&name[..]) => {
                out.truncate(out.trim_end_matches(' ').len());
                // Two line ends in a row are an empty line; more say nothing.
                if !out.is_empty() && !out.ends_with("\n\n") && hidden == 0 {
                    out.push('\n');
                }
            }
            _ => {}
        }
    }
    out.truncate(out.trim_end().len());
    out
}
