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
    /// Its forms.
    pub forms: Vec<Form>,
}

impl Page {
    /// The form that is sent to this place, whatever stands before it.
    #[must_use]
    pub fn form(&self, place: &str) -> Option<&Form> {
        self.forms.iter().find(|form| form.action.ends_with(place))
    }
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
    /// What is filled in: `password`, `hidden`, `checkbox`, `file`; `submit`: it sends the form; empty: text.
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
    /// What comes stands in the last field of the last form.
    in_textarea: bool,
    in_option: bool,
}

impl Reader {
    fn text(&mut self, text: &str) {
        let text = decoded(text);
        if self.in_title {
            self.page.title.push_str(&text);
            return;
        }
        if self.in_textarea {
            let form = self.page.forms.last_mut();
            if let Some(field) = form.and_then(|form| form.fields.last_mut()) {
                // A line end directly behind the tag is none of the text.
                field.value.push_str(text.strip_prefix('\n').unwrap_or(&text));
            }
            return;
        }
        if self.in_option {
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
        let text = match self.preformatted {
            true => line.text.trim_end(),
            false => line.text.trim(),
        };
        let text = text.to_owned();
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
                self.line_ends();
                self.page.forms.push(Form { action: value("action"), fields: Vec::new() });
            }
            "input" | "textarea" | "select" | "button" => {
                let kind = if name == "button" { "submit".to_owned() } else { value("type") };
                let field = Field { name: value("name"), kind, value: value("value") };
                let form = self.page.forms.last_mut();
                if let Some(form) = form.filter(|_| !field.name.is_empty()) {
                    form.fields.push(field);
                }
                self.in_textarea = name == "textarea";
            }
            "/textarea" => self.in_textarea = false,
            // What can be chosen is no text; who chooses knows it.
            "option" => self.in_option = true,
            "/select" => self.in_option = false,
            "br" | "p" | "h1" | "h2" | "li" | "/li" | "/h1" | "/h2" | "/form" | "details"
            | "summary" | "/summary" | "/details" | "nav" => self.line_ends(),
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
             <textarea name=text>\none\ntwo</textarea><select><option>a<option>b</select><input type=submit>\
             <button name=act value=go></button></form>",
        );
        assert_eq!(page.title, "In&box");
        let lines: Vec<_> = page.lines.iter().map(|line| &line.text[..]).collect();
        assert_eq!(lines, ["Mail", "Lunch from Alice <alice@crepes.fr>", "two", "end"]);
        assert_eq!(page.lines[1].link.as_deref(), Some("/message/1"));
        assert_eq!(page.lines[1].label, "Lunch");
        let form = page.form("/send").expect("there is one");
        assert!(form.asks_password());
        let names: Vec<_> = form.fields.iter().map(|field| &field.name[..]).collect();
        assert_eq!((&form.action[..], names), ("/send", vec!["to", "p", "text", "act"]));
        assert_eq!((&form.fields[2].value[..], &form.fields[3].kind[..]), ("one\ntwo", "submit"));
    }

    #[test]
    fn what_is_escaped_is_text() {
        let text = "<script src=\"x\">'a' && b</script>\n  <b>";
        let page = read(&format!("<pre>{}</pre>", escaped(text)));
        let lines: Vec<_> = page.lines.iter().map(|line| &line.text[..]).collect();
        assert_eq!(lines.join("\n"), text);
        assert!(page.forms.is_empty());
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
