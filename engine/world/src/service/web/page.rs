//! Pages, as text with a few tags. Whatever a message says stands in them as text, never as a tag.

use pillarbox_engine::imap::types::{MailboxRow, SpecialUse};

use crate::web::page::escaped;
use crate::web::{Response, encoded};

/// A page that is being written.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    /// Tags; nothing that comes from elsewhere.
    pub(super) fn put(&mut self, tags: &str) -> &mut Self {
        self.0.push_str(tags);
        self
    }

    /// Text, whatever it says; in quotes too.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push_str(&escaped(text));
        self
    }

    /// What is written.
    pub(super) fn into_octets(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    /// What is written already.
    pub(super) fn join(&mut self, other: &Self) -> &mut Self {
        self.put(&other.0)
    }

    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.0.push_str(&number.to_string());
        self
    }

    /// A link.
    pub(super) fn link(&mut self, place: &str, words: &str) -> &mut Self {
        self.put("<a href=\"").text(place).put("\">").text(words).put("</a>")
    }

    /// A field that is not seen.
    pub(super) fn hidden(&mut self, name: &str, value: &str) -> &mut Self {
        self.put("<input type=hidden name=").put(name).put(" value=\"").text(value).put("\">\n")
    }

    /// A button that says what is to be done.
    pub(super) fn button(&mut self, act: &str, words: &str) -> &mut Self {
        self.put("<button name=act value=").put(act).put(">").put(words).put("</button>\n")
    }

    /// A field with its label.
    pub(super) fn field(&mut self, label: &str, attributes: &str, value: &str) -> &mut Self {
        self.put("<p><label>").put(label).put(" <input ").put(attributes).put(" value=\"");
        self.text(value).put("\"></label>\n")
    }

    /// Folders to choose from.
    pub(super) fn choice(&mut self, folders: &[MailboxRow], except: &str) -> &mut Self {
        self.put("<label>Move to <select name=to>\n");
        for row in folders.iter().filter(|row| row.selectable && row.name != except.as_bytes()) {
            let name = String::from_utf8_lossy(&row.name);
            self.put("<option value=\"").text(&name).put("\">").text(&title(&name));
        }
        self.put("</select></label>\n").button("move", "Move")
    }
}

/// What a folder is called.
pub(super) fn title(name: &str) -> String {
    if name == "INBOX" { "Inbox".to_owned() } else { name.to_owned() }
}

/// For whom pages are, and what stands on all of them.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    /// What stands before the path of every link.
    pub(super) base: &'a str,
    /// Who is signed in; empty: nobody.
    pub(super) name: &'a str,
    pub(super) folders: &'a [MailboxRow],
}

impl Frame<'_> {
    /// A folder's list, or a message of it.
    pub(super) fn at(self, folder: &str, rest: &str) -> String {
        [self.base, "/in/", &encoded(folder), rest].concat()
    }

    /// A page: its title, what is to be said first, and what it is about.
    pub(super) fn page(self, status: u16, heading: &str, why: &str, body: &Html) -> Response {
        let mut html = Html::default();
        html.put("<!doctype html>\n<title>").text(heading).put("</title>\n<main>\n<h1>");
        html.text(heading).put("</h1>\n");
        if !why.is_empty() {
            html.put("<p class=notice role=status>").text(why).put("\n");
        }
        html.put(&body.0).put("</main>\n");
        if !self.name.is_empty() {
            self.ways(&mut html);
        }
        Response {
            media_type: "text/html; charset=utf-8".to_owned(),
            body: html.0.into_bytes(),
            ..Response::of(status)
        }
    }

    /// The ways to everything else.
    fn ways(self, html: &mut Html) {
        let Frame { base, name, folders } = self;
        html.put("<nav aria-label=Mail>\n<p class=who>").text(name).put("\n<ul>\n<li class=write>");
        html.link(&[base, "/write"].concat(), "Write").put("</li>\n");
        for row in folders.iter().filter(|row| row.selectable) {
            let name = String::from_utf8_lossy(&row.name);
            html.put("<li>").link(&self.at(&name, ""), &title(&name));
            let unseen = row.status.as_ref().map_or(0, |status| status.unseen);
            if unseen > 0 {
                html.put(" <span class=count>").number(unseen.into()).put(" unread</span>");
            }
            html.put("</li>\n");
        }
        html.put("<li class=folders>").link(&[base, "/folders"].concat(), "Folders");
        html.put("</li>\n</ul>\n<form method=post action=\"").put(base);
        html.put("/logout\"><button>Sign out</button></form>\n</nav>\n");
    }
}

/// What a folder is for, in words.
pub(super) fn purpose(row: &MailboxRow) -> &'static str {
    match row.special_uses.first() {
        Some(SpecialUse::All) => "all mail",
        Some(SpecialUse::Archive) => "what is kept",
        Some(SpecialUse::Drafts) => "letters that are not sent yet",
        Some(SpecialUse::Flagged) => "what is flagged",
        Some(SpecialUse::Important) => "what is important",
        Some(SpecialUse::Junk) => "what nobody asked for",
        Some(SpecialUse::Sent) => "copies of what was sent",
        Some(SpecialUse::Trash) => "what was deleted",
        None if row.name == b"INBOX" => "what arrives",
        None => "",
    }
}
