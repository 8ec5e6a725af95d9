//! What a person reads in HTML, as plain text: layout is lost, lines and words are kept.

use crate::references::{CHARACTERS, NAMES};

/// Elements whose content is not shown.
const HIDDEN: [&str; 5] = ["head", "script", "style", "template", "title"];
/// Elements that stand on lines of their own, in the order of their names.
const BLOCKS: [&str; 35] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "html",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tbody",
    "tr",
    "ul",
];
/// Letters of the longest name that means something here.
const NAME_MAX: usize = 10;
/// Octets between `&` and `;` of the longest reference.
const REFERENCE_MAX: usize = 10;

/// The text of a document, whole or cut: words with one space between them, on the lines on which they stand.
#[must_use]
pub fn text(html: &str) -> String {
    let mut out = Text { out: String::new(), space_due: false };
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        out.characters(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix("!--") {
            rest = after.find("-->").map_or("", |end| &after[end + 3..]);
            continue;
        }
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            // It begins no tag, so it is meant as it stands.
            out.out_of_space('<');
            continue;
        }
        let Some(end) = rest.find('>') else { return out.out };
        let inside = rest.strip_prefix('/').unwrap_or(rest);
        let name = inside.bytes().take_while(u8::is_ascii_alphanumeric).take(NAME_MAX + 1).count();
        let name = inside[..name].to_ascii_lowercase();
        let is_end = rest.starts_with('/');
        rest = &rest[end + 1..];
        out.tag(&name);
        if !is_end && HIDDEN.contains(&&name[..]) {
            rest = after_end_tag(rest, &name);
        }
    }
    out.characters(rest);
    out.out
}

/// What follows `</name>`; an element that is not closed hides the rest.
fn after_end_tag<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        let found = rest.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name));
        if found {
            return rest.find('>').map_or("", |end| &rest[end + 1..]);
        }
    }
    ""
}

/// Text that is being written.
struct Text {
    out: String,
    /// White space came, which counts once something follows it on its line.
    space_due: bool,
}

impl Text {
    /// Characters between tags, references as what they mean.
    fn characters(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            self.words(&rest[..at]);
            rest = &rest[at + 1..];
            let end = rest.bytes().take(REFERENCE_MAX).position(|octet| octet == b';');
            match end.and_then(|end| reference(&rest[..end]).map(|meant| (meant, end))) {
                Some((meant, end)) => {
                    self.out_of_space(meant);
                    rest = &rest[end + 1..];
                }
                None => self.out_of_space('&'),
            }
        }
        self.words(rest);
    }

    fn words(&mut self, text: &str) {
        for character in text.chars() {
            if character.is_ascii_whitespace() {
                self.space_due = true;
            } else {
                self.out_of_space(character);
            }
        }
    }

    /// A character that is shown, with the space that is due before it.
    fn out_of_space(&mut self, character: char) {
        if core::mem::take(&mut self.space_due) && !self.is_at_line_start() {
            self.out.push(' ');
        }
        self.out.push(character);
    }

    fn tag(&mut self, name: &str) {
        match name {
            "br" => self.end_line(),
            // Cells of one row stand beside each other.
            "td" | "th" => self.space_due = true,
            _ if BLOCKS.binary_search(&name).is_ok() && !self.is_at_line_start() => self.end_line(),
            _ => {}
        }
    }

    fn end_line(&mut self) {
        self.out.push('\n');
        self.space_due = false;
    }

    fn is_at_line_start(&self) -> bool {
        self.out.is_empty() || self.out.ends_with('\n')
    }
}

/// The character that `&name;` means.
fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?);
    }
    NAMES.binary_search(&name).ok().map(|at| CHARACTERS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        assert!(NAMES.is_sorted() && BLOCKS.is_sorted());
        assert!(NAMES.iter().all(|name| name.len() < REFERENCE_MAX));
        assert!(BLOCKS.iter().chain(&HIDDEN).all(|name| name.len() <= NAME_MAX));
    }

    #[test]
    fn what_is_read_is_kept() {
        let cases = [
            ("<p>One\r\n two</p><p>three<br>four<br><br>five", "One two\nthree\nfour\n\nfive"),
            ("a<b>b</b>c <i>d</i>", "abc d"),
            ("<table><tr><td>1<td>2</tr><tr><td>3</table>", "1 2\n3\n"),
            ("<html><head><title>T</title></head><style>p {}</style>x", "x"),
            ("<script>x < y", ""),
            ("<SCRIPT>a</SCRIPTS>b", "b"),
            ("a<!-- <p> -->b<!-- c", "ab"),
            ("1 < 2 &lt;p&gt; <", "1 < 2 <p> <"),
            ("&Eacute;t&eacute; &euro;&#8364;&#x20ac;&nbsp;x", "Été €€€\u{a0}x"),
            ("&unknown; &#xd800; &amp &;", "&unknown; &#xd800; &amp &;"),
            ("<a href=x", ""),
            ("</p>x", "x"),
        ];
        for (html, shown) in cases {
            assert_eq!(text(html), shown, "{html}");
        }
    }
}
