//! A page as a text browser shows it: lines, where they lead, and a form to fill in. Tags that it does not know it
//! passes over, as the first browsers did; nothing in a page is ever carried out.

/// Lines of one page that are kept.
const LINES_MAX: usize = 2000;

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Its last form.
    pub form: Option<Form>,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// Where its link leads.
    pub link: Option<String>,
    /// The words of its link.
    pub label: String,
}

/// A form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Where it is sent.
    pub action: String,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// A field of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What is filled in: `password`, `hidden`; empty: text.
    pub kind: String,
    /// What stands in it already.
    pub value: String,
}

impl Form {
    /// Whether it asks for a password.
    #[must_use]
    pub fn asks_password(&self) -> bool {
        self.fields.iter().any(|field| field.kind == "password")
    }
}

/// Reads a page.
#[must_use]
pub fn read(html: &str) -> Page {
    let mut reader = Reader::default();
    let mut rest = html;
    while !rest.is_empty() {
        let end = rest.find('<').unwrap_or(rest.len());
        let (text, behind) = rest.split_at(end);
        reader.text(text);
        let Some(tag) = behind.strip_prefix('<') else { break };
        let (inside, behind) = tag.split_at(tag_end(tag));
        reader.tag(inside);
        rest = behind.strip_prefix('>').unwrap_or_default();
    }
    reader.line_ends();
    reader.page
}

/// Where a tag ends: at the first `>` that stands in no quotes.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    for (at, octet) in tag.bytes().enumerate() {
        match (quote, octet) {
            (None, b'>') => return at,
            (None, b'"' | b'\'') => quote = Some(octet),
            (Some(open), octet) if open == octet => quote = None,
            _ => {}
        }
    }
    tag.len()
}

#[derive(Default)]
struct Reader {
    page: Page,
    line: Line,
    /// Where the words of the line's link begin.
    link_from: usize,
    in_title: bool,
    /// Whether line ends in the text count.
    preformatted: bool,
}

impl Reader {
    fn text(&mut self, text: &str) {
        let text = decoded(text);
        if self.in_title {
            self.page.title.push_str(&text);
            return;
        }
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 && self.preformatted {
                self.line_ends();
            } else if at > 0 && !self.line.text.is_empty() {
                self.line.text.push(' ');
            }
            self.line.text.push_str(line.trim_end_matches('\r'));
        }
    }

    fn line_ends(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = line.text.trim_end().to_owned();
        let is_kept = self.preformatted || !text.is_empty();
        if is_kept && self.page.lines.len() < LINES_MAX {
            self.page.lines.push(Line { text, ..line });
        }
    }

    fn tag(&mut self, tag: &str) {
        let length = tag.find(|own: char| own.is_ascii_whitespace()).unwrap_or(tag.len());
        let (name, attributes) = tag.split_at(length);
        let value = |wanted: &str| attribute(attributes, wanted).unwrap_or_default();
        match &name.to_ascii_lowercase()[..] {
            "title" => self.in_title = true,
            "/title" => self.in_title = false,
            "a" => {
                self.line.link = Some(value("href"));
                self.link_from = self.line.text.len();
            }
            "/a" => {
                let label = self.line.text.get(self.link_from..).unwrap_or_default();
                self.line.label = label.to_owned();
            }
            "pre" => {
                self.line_ends();
                self.preformatted = true;
            }
            "/pre" => {
                self.line_ends();
                self.preformatted = false;
            }
            "form" => {
                self.page.form = Some(Form { action: value("action"), fields: Vec::new() });
            }
            "input" | "textarea" => {
                let field =
                    Field { name: value("name"), kind: value("type"), value: value("value") };
                let form = self.page.form.as_mut();
                if let Some(form) = form.filter(|_| !field.name.is_empty()) {
                    form.fields.push(field);
                }
            }
            "br" | "p" | "h1" | "li" | "/li" | "/h1" => self.line_ends(),
            _ => {}
        }
    }
}

/// The value of an attribute. Names within values are not found: a value is passed over with its quotes.
fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|own: char| own == '=' || own.is_ascii_whitespace());
        let (name, behind) = rest.split_at(end.unwrap_or(rest.len()));
        let Some(behind) = behind.strip_prefix('=') else {
            // An attribute without a value.
            rest = behind.trim_start();
            continue;
        };
        let quote = behind.chars().next().filter(|own| matches!(own, '"' | '\''));
        let (value, behind) = match quote {
            Some(quote) => behind[1..].split_once(quote).unwrap_or((&behind[1..], "")),
            None => {
                behind.split_once(|own: char| own.is_ascii_whitespace()).unwrap_or((behind, ""))
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(decoded(value));
        }
        rest = behind.trim_start();
    }
    None
}

const ENTITIES: [(&str, char); 5] =
    [("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\''), ("&amp;", '&')];

/// Text as it stands in a page, so that none of it is a tag.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for own in text.chars() {
        match ENTITIES.iter().find(|(_, other)| *other == own) {
            Some((entity, _)) => out.push_str(entity),
            None => out.push(own),
        }
    }
    out
}

/// The text that stands in a page.
fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let found = ENTITIES.iter().find(|(entity, _)| behind.starts_with(entity));
        let (own, length) = found.map_or(('&', 1), |(entity, own)| (*own, entity.len()));
        out.push(own);
        rest = &behind[length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_lines_links_and_a_form() {
        let page = read(
            "<!doctype html><title>In&amp;box</title><h1>Mail</h1>\n<ol><li><a href=\"/message/1\">\
             Lunch</a> from Alice &lt;alice@crepes.fr&gt;</li><li>two</ol><p>end\
             <form method=post action='/send'><input name=to><input type=password name=\"p\">\
             <textarea name=text></textarea><input type=submit></form>",
        );
        assert_eq!(page.title, "In&box");
        let lines: Vec<_> = page.lines.iter().map(|line| &line.text[..]).collect();
        assert_eq!(lines, ["Mail", "Lunch from Alice <alice@crepes.fr>", "two", "end"]);
        assert_eq!(page.lines[1].link.as_deref(), Some("/message/1"));
        assert_eq!(page.lines[1].label, "Lunch");
        let form = page.form.expect("there is one");
        assert!(form.asks_password());
        let names: Vec<_> = form.fields.iter().map(|field| &field.name[..]).collect();
        assert_eq!((&form.action[..], names), ("/send", vec!["to", "p", "text"]));
    }

    #[test]
    fn what_is_escaped_is_text() {
        let text = "<script src=\"x\">'a' && b</script>\n  <b>";
        let page = read(&format!("<pre>{}</pre>", escaped(text)));
        let lines: Vec<_> = page.lines.iter().map(|line| &line.text[..]).collect();
        assert_eq!(lines.join("\n"), text);
        assert_eq!(page.form, None);
    }

    #[test]
    fn what_is_no_page_does_no_harm() {
        for html in ["<", "<a href=", "<a href=\"", "<pre", "&", "&amp", "<<<>>>", "<a 'b=\">é", ""]
        {
            let page = read(html);
            assert!(page.lines.len() <= 2, "{html}");
        }
        assert_eq!(read(&"<br>x".repeat(9000)).lines.len(), LINES_MAX);
    }
}
