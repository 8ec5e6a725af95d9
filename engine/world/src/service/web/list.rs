//! The list of a folder's messages, newest first, page by page.

use pillarbox_engine::imap::types::{SpecialUse, UidRun};
use pillarbox_engine::message::{Address, Index, Part, PartKind};
use pillarbox_engine::text::date::date_time;
use pillarbox_engine::text::words;

use super::desk::{ANSWERED, FLAGGED, Letter, SEEN, count, newest};
use super::page::{Html, title};
use super::{Call, Not};
use crate::service::Backend;
use crate::web::{Given, Response, encoded};

/// Messages on one page of a list.
pub(super) const LISTED_MAX: u64 = 50;

/// A page of a list: its number from 1, and what is searched for; written as a query.
pub(super) fn query(page: u64, words: &str) -> String {
    let mut parts = Vec::new();
    if page > 1 {
        parts.push(["page=", &page.to_string()].concat());
    }
    if !words.is_empty() {
        parts.push(["q=", &encoded(words)].concat());
    }
    if parts.is_empty() { String::new() } else { ["?", &parts.join("&")].concat() }
}

/// The number of a page that is asked for.
pub(super) fn page_of(given: &Given) -> u64 {
    given.get("page").parse().unwrap_or(1).max(1)
}

/// A person by name, or by address if they have none.
pub(super) fn short(address: &Address) -> String {
    match &address.name {
        Some(name) if !name.is_empty() => words::decode(name),
        _ => mailbox(address),
    }
}

/// An address as it is written.
#[must_use]
pub fn mailbox(address: &Address) -> String {
    let text = |octets: &Option<Vec<u8>>| {
        String::from_utf8_lossy(octets.as_deref().unwrap_or_default()).into_owned()
    };
    [text(&address.mailbox), text(&address.host)].join("@")
}

/// Those of a list that are somebody; groups have marks in it (RFC 9051 §7.5.2).
pub fn people(list: &[Address]) -> impl Iterator<Item = &Address> {
    list.iter().filter(|address| address.host.is_some() && address.mailbox.is_some())
}

/// A field's text as it is shown.
pub(super) fn shown(field: Option<&Vec<u8>>, without: &str) -> String {
    let text = field.map(|field| words::decode(field)).unwrap_or_default();
    if text.trim().is_empty() { without.to_owned() } else { text }
}

pub(super) fn subject(index: &Index) -> String {
    shown(index.envelope.subject.as_ref(), "no subject")
}

/// A moment without its seconds.
pub(super) fn moment(unix_ms: u64) -> String {
    date_time(unix_ms).chars().skip(5).take("05 Jan 2026 09:00".len()).collect()
}

/// Whether a part is text that is read where it stands.
pub(super) fn is_text(part: &Part, subtype: &str) -> bool {
    part.kind == PartKind::Leaf
        && part.media_type.eq_ignore_ascii_case(b"text")
        && part.subtype.eq_ignore_ascii_case(subtype.as_bytes())
        && !is_attached(part)
}

fn is_attached(part: &Part) -> bool {
    part.disposition.as_ref().is_some_and(|(how, _)| how.eq_ignore_ascii_case(b"attachment"))
}

/// Places of the parts that are files, whole messages among them; what is in a message inside belongs to that.
#[must_use]
pub fn files(index: &Index) -> Vec<usize> {
    let mut within = vec![false; index.parts.len()];
    let mut out = Vec::new();
    for (at, part) in index.parts.iter().enumerate() {
        let parent = part.parent as usize;
        let above = index.parts.get(parent).filter(|_| at > 0);
        within[at] = above.is_some_and(|above| within[parent] || above.kind == PartKind::Message);
        let is_read = is_text(part, "plain") || is_text(part, "html");
        if !within[at] && part.kind != PartKind::Multipart && !is_read && index.size > 0 {
            out.push(at);
        }
    }
    out
}

/// Whether a message brings files that are not shown within its text.
pub(super) fn has_files(index: &Index) -> bool {
    files(index).into_iter().any(|at| is_attached(&index.parts[at]) || index.parts[at].id.is_none())
}

impl<B: Backend> Call<'_, B> {
    pub(super) async fn list(&mut self, folder: &str, asked: &Given) -> Result<Response, Not> {
        let all = self.desk.open(folder).await?;
        let words = asked.get("q").trim();
        let (found, why) = match words.is_empty() {
            true => (all, None),
            false => match self.desk.search(folder, words).await? {
                Ok(found) => (found, None),
                Err(why) => (Vec::new(), Some(why)),
            },
        };
        let why = why.unwrap_or_else(|| self.visit.notice.clone());
        self.page_of_list(folder, &found, asked, &why).await
    }

    async fn page_of_list(
        &mut self,
        folder: &str,
        found: &[UidRun],
        asked: &Given,
        why: &str,
    ) -> Result<Response, Not> {
        let (total, page) = (count(found), page_of(asked));
        let skip = LISTED_MAX.saturating_mul(page - 1);
        let letters = self.desk.letters(newest(found, skip, LISTED_MAX)).await?;
        let mut body = Html::default();
        if self.visit.undo.is_some() {
            let base = self.mail.base;
            body.put("<form class=undo method=post action=\"").put(base);
            body.put("/undo\"><button>Undo</button></form>\n");
        }
        self.held(&mut body);
        let words = asked.get("q");
        body.put("<form class=search role=search action=\"").text(&self.frame().at(folder, ""));
        body.put("\">\n").field("Search", "type=search name=q", words);
        body.put("<button>Search</button>\n</form>\n");
        if !words.is_empty() {
            body.put("<p class=pages>")
                .link(&self.frame().at(folder, ""), "All messages")
                .put("\n");
        }
        body.put("<div id=listing>\n");
        if letters.is_empty() {
            body.put("<p>No messages.\n");
        } else {
            self.rows(folder, &letters, asked, &mut body);
            self.turn(folder, (skip, letters.len() as u64, total), asked, &mut body);
        }
        body.put("</div>\n");
        if self.visit.undo.is_none() && asked.get("live") != "1" {
            self.mail.visits.told(&self.visit.id);
        }
        Ok(self.frame().page(200, &title(folder), why, &body))
    }

    fn rows(&self, folder: &str, letters: &[Letter], asked: &Given, body: &mut Html) {
        let frame = self.frame();
        // Of what somebody wrote they want to see to whom.
        let is_own = self.folders.iter().any(|row| {
            let own = [SpecialUse::Sent, SpecialUse::Drafts];
            row.name == folder.as_bytes() && row.special_uses.iter().any(|u| own.contains(u))
        });
        body.put("<form method=post action=\"").put(frame.base).put("/act\">\n");
        body.hidden("in", folder);
        body.hidden("page", &page_of(asked).to_string()).hidden("q", asked.get("q"));
        body.put("<ol class=list>\n");
        for Letter { row, index } in letters.iter().rev() {
            let (subject, envelope) = (subject(index), &index.envelope);
            let uid = row.uid.to_string();
            let is_new = row.flags.system & SEEN == 0;
            body.put(if is_new { "<li class=unread>" } else { "<li>" });
            body.put("<input type=checkbox name=uid value=").put(&uid).put(" aria-label=\"Choose ");
            body.text(&subject).put("\"> ");
            body.link(&frame.at(folder, &["/", &uid].concat()), &subject).put(" <span class=who>");
            let (word, list) =
                if is_own { ("to ", &envelope.to) } else { ("from ", &envelope.from) };
            let names: Vec<String> = people(list).take(3).map(short).collect();
            body.put(word).text(&names.join(", ")).put("</span><span class=marks>, ");
            body.put(&moment(row.internal_date_ms));
            let has = |flag: u8| row.flags.system & flag != 0;
            let is_forwarded = row.flags.keywords.iter().any(|word| is_forward(word));
            for (is, mark) in [
                (has(FLAGGED), ", flagged"),
                (has(ANSWERED), ", answered"),
                (is_forwarded, ", forwarded"),
                (has_files(index), ", with files"),
                (is_new, ", unread"),
            ] {
                body.put(if is { mark } else { "" });
            }
            body.put("</span></li>\n");
        }
        body.put("</ol>\n<p class=tools>\n").button("read", "Mark as read");
        body.button("unread", "Mark as unread").button("flag", "Flag").button("unflag", "Unflag");
        body.button("delete", "Delete").choice(frame.folders, folder).put("</form>\n");
    }

    /// The ways to newer and older messages.
    fn turn(
        &self,
        folder: &str,
        (skip, here, total): (u64, u64, u64),
        asked: &Given,
        body: &mut Html,
    ) {
        let (frame, page) = (self.frame(), page_of(asked));
        body.put("<p class=pages>Messages ").number(skip + 1).put(" to ").number(skip + here);
        body.put(" of ").number(total).put("\n");
        for (is_there, page, word) in
            [(page > 1, page - 1, "Newer"), (skip + here < total, page + 1, "Older")]
        {
            if is_there {
                let place = frame.at(folder, &query(page, asked.get("q")));
                body.put("<p class=pages>").link(&place, word).put("\n");
            }
        }
    }
}

/// `$Forwarded` (RFC 5788 §2 registers it).
pub(super) fn is_forward(keyword: &[u8]) -> bool {
    keyword.eq_ignore_ascii_case(b"$Forwarded")
}
