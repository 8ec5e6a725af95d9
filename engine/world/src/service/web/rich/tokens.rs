//! HTML as texts and tags, in one pass. Where browsers would differ from it does not matter: nothing of what comes in is
//! handed on as it stands.

/// Elements whose content is no markup, and is never shown here.
const RAW: [&str; 9] =
    ["script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript"];
/// Attributes of one tag that are looked at.
const ATTRIBUTES_MAX: usize = 64;

/// A piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// With character references as they stand.
    Text(&'a str),
    /// A start tag: its name in lower case, its attributes as they stand.
    Start(String, Vec<(&'a str, &'a str)>),
    /// An end tag.
    End(String),
}

/// Takes HTML apart.
pub(super) struct Tokens<'a>(&'a str);

impl<'a> Tokens<'a> {
    pub(super) fn new(html: &'a str) -> Self {
        Self(html)
    }

    /// Passes over what ends with this, or over everything.
    fn pass(&mut self, end: &str) {
        self.0 = self.0.find(end).map_or("", |at| &self.0[at + end.len()..]);
    }

    /// A tag whose name begins here.
    fn tag(&mut self, is_end: bool) -> Token<'a> {
        let length = self.0.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>'));
        let (name, rest) = self.0.split_at(length.unwrap_or(self.0.len()));
        let name = name.to_ascii_lowercase();
        self.0 = rest;
        let attributes = self.attributes();
        if is_end {
            return Token::End(name);
        }
        if RAW.contains(&&name[..]) {
            self.pass_raw(&name);
        } else if name == "plaintext" {
            self.0 = "";
        }
        Token::Start(name, attributes)
    }

    fn attributes(&mut self) -> Vec<(&'a str, &'a str)> {
        let mut out = Vec::new();
        loop {
            let own = |c: char| c.is_ascii_whitespace() || c == '/';
            self.0 = self.0.trim_start_matches(own);
            if let Some(rest) = self.0.strip_prefix('>') {
                self.0 = rest;
                return out;
            }
            let Some(first) = self.0.chars().next() else { return out };
            let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
            let behind = first.len_utf8();
            let end = self.0[behind..].find(ends).map_or(self.0.len(), |at| at + behind);
            let (name, rest) = self.0.split_at(end);
            self.0 = rest;
            let value = match rest.trim_ascii_start().strip_prefix('=') {
                Some(rest) => self.value(rest.trim_ascii_start()),
                None => "",
            };
            if out.len() < ATTRIBUTES_MAX {
                out.push((name, value));
            }
        }
    }

    fn value(&mut self, text: &'a str) -> &'a str {
        for quote in ['"', '\''] {
            if let Some(inside) = text.strip_prefix(quote) {
                let (value, rest) = inside.split_once(quote).unwrap_or((inside, ""));
                self.0 = rest;
                return value;
            }
        }
        let end = text.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        self.0 = rest;
        value
    }

    /// Passes over the content of an element up to its end tag; one that is not closed hides the rest.
    fn pass_raw(&mut self, name: &str) {
        while let Some(at) = self.0.find("</") {
            let rest = &self.0[at + 2..];
            let word = rest.get(..name.len()).filter(|word| word.eq_ignore_ascii_case(name));
            if word.is_some() && !rest[name.len()..].starts_with(|c: char| c.is_alphanumeric()) {
                self.0 = &self.0[at..];
                return;
            }
            self.0 = rest;
        }
        self.0 = "";
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let text = self.0;
            let Some(rest) = text.strip_prefix('<') else {
                let end = text.find('<').unwrap_or(text.len());
                self.0 = &text[end..];
                return (end > 0).then(|| Token::Text(&text[..end]));
            };
            let alphabetic = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
            self.0 = rest;
            if alphabetic(rest) {
                return Some(self.tag(false));
            }
            if let Some(behind) = rest.strip_prefix('/').filter(|behind| alphabetic(behind)) {
                self.0 = behind;
                return Some(self.tag(true));
            }
            match rest.strip_prefix("!--") {
                // `<!-->` is a whole comment.
                Some(inside) if inside.starts_with('>') => self.0 = &inside[1..],
                Some(_) => self.pass("-->"),
                None if rest.starts_with(['!', '?', '/']) => self.pass(">"),
                None => return Some(Token::Text(&text[..1])),
            }
        }
    }
}

/// Character references that are known by name; others stand in text as they came.
const NAMED: [(&str, char); 16] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("copy", '©'),
    ("reg", '®'),
    ("euro", '€'),
    ("hellip", '…'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
];

/// Whether a character reference is known by this name.
pub(super) fn is_named(name: &str) -> bool {
    NAMED.iter().any(|(known, _)| *known == name)
}

/// The text that is meant, without control characters.
pub(super) fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let shown = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    while let Some(at) = rest.find('&') {
        out.extend(rest[..at].chars().filter(shown));
        rest = &rest[at + 1..];
        let length = rest.bytes().take(12).take_while(|o| o.is_ascii_alphanumeric() || *o == b'#');
        let (name, behind) = rest.split_at(length.count());
        let meant = match name.strip_prefix('#') {
            Some(number) => {
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => number.parse(),
                };
                // What is too large for a character is none, as what is none is.
                code.ok().map(|code| char::from_u32(code).unwrap_or('\u{fffd}'))
            }
            None if !behind.starts_with(';') => None,
            None => NAMED.iter().find(|(known, _)| *known == name).map(|(_, meant)| *meant),
        };
        match meant {
            Some(meant) => {
                out.extend(Some(meant).filter(shown));
                rest = behind.strip_prefix(';').unwrap_or(behind);
            }
            None => out.push('&'),
        }
    }
    out.extend(rest.chars().filter(shown));
    out
}
