//! The sheet that somebody writes a letter on: an empty one, an answer, a letter that is handed on, or a draft.

use pillarbox_engine::message::Address;
use pillarbox_engine::text::date::date_time;
use pillarbox_engine::text::header::fields;
use pillarbox_engine::types::Reason;

use super::desk::Letter;
use super::list::{files, mailbox, people, shown};
use super::page::Html;
use super::show::{file_name, persons, size};
use super::{Call, Not};
use crate::service::Backend;
use crate::web::{Given, Response};

/// The field of a draft that says what it answers, and how; it is never sent.
pub(super) const ANSWERS: &str = "X-Web-Mail-Answers";

/// Fields of a draft that hold what somebody began to type for To, Cc and Bcc, and that is no list of addresses yet; they are
/// never sent.
pub(super) const UNFINISHED: [&str; 3] = ["X-Web-Mail-To", "X-Web-Mail-Cc", "X-Web-Mail-Bcc"];

/// What stands on a sheet.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheet {
    /// Its own name, under which it is known what it is kept as.
    pub(super) name: String,
    pub(super) to: String,
    pub(super) cc: String,
    pub(super) bcc: String,
    pub(super) subject: String,
    pub(super) text: String,
    /// The message that is answered or handed on: its folder, a slash, its UID.
    pub(super) re: String,
    /// `reply`, `all` or `forward`.
    pub(super) how: String,
    /// The draft that this was, in the same way.
    pub(super) draft: String,
    /// Files of stored messages that go along: folder, UID and part, each behind a slash.
    pub(super) kept: Vec<String>,
}

impl Sheet {
    pub(super) fn of(given: &Given) -> Self {
        let text = |name| given.get(name).to_owned();
        Self {
            name: named(given.get("sheet")).to_owned(),
            to: text("to"),
            cc: text("cc"),
            bcc: text("bcc"),
            subject: text("subject"),
            text: text("text"),
            re: text("re"),
            how: text("how"),
            draft: text("draft"),
            kept: given.all("keep").map(str::to_owned).collect(),
        }
    }
}

/// The name of a sheet, if it is one that was given here; else nothing.
fn named(text: &str) -> &str {
    let is_name = text.len() == 16 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    if is_name { text } else { "" }
}

/// A folder and a number behind the last slash.
pub(super) fn placed(place: &str) -> Option<(&str, u32)> {
    let (folder, number) = place.rsplit_once('/')?;
    Some((folder, number.parse().ok()?))
}

/// People as they are typed: what a name holds must not be read as another address.
fn typed(list: &[&Address]) -> String {
    let one = |address: &&Address| {
        let (at, name) = (mailbox(address), shown(address.name.as_ref(), ""));
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        match name.trim() {
            "" => at,
            name => {
                let name = name.replace('\\', "\\\\").replace('"', "\\\"");
                ["\"", &name, "\" <", &at, ">"].concat()
            }
        }
    };
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A subject with a mark in front, if it has none of these.
fn marked(subject: &str, mark: &str, known: &[&str]) -> String {
    let lower = subject.to_lowercase();
    let has = known.iter().any(|known| lower.starts_with(known));
    if has { subject.to_owned() } else { [mark, " ", subject].concat() }
}

impl<B: Backend> Call<'_, B> {
    pub(super) async fn write(&mut self, asked: &Given, chance: [u8; 16]) -> Result<Response, Not> {
        let (mail, id) = (self.mail, self.visit.id.clone());
        let visits = &mail.visits;
        // A page that is loaded again goes on with what was kept of it.
        let name = match named(asked.get("sheet")) {
            own if !own.is_empty() && !visits.is_sent(&id, own) => own.to_owned(),
            _ => format!("{:016x}", u128::from_be_bytes(chance) >> 64),
        };
        let kept = visits.draft_of(&id, &name);
        let draft = kept.as_deref().unwrap_or(asked.get("draft"));
        let mut notice = String::new();
        let sheet = match (placed(draft), placed(asked.get("re"))) {
            (Some((folder, uid)), _) => match self.desk.letter(folder, uid).await {
                Ok(letter) => {
                    notice = self.visit.notice.clone();
                    visits.told(&id);
                    self.taken_up(draft, &letter).await?
                }
                Err(Reason::NotFound) => {
                    let said =
                        "This draft is not there any more: it was sent, discarded or kept anew.";
                    visits.tell(&id, said, None);
                    return Ok(self.see(folder, ""));
                }
                Err(reason) => return Err(reason.into()),
            },
            (None, Some((folder, uid))) => {
                let letter = self.desk.letter(folder, uid).await?;
                match asked.get("how") {
                    "forward" => self.handed_on(asked.get("re"), &letter).await?,
                    how => self.answer_to(asked.get("re"), how, &letter).await?,
                }
            }
            (None, None) => Sheet { to: asked.get("to").to_owned(), ..Sheet::default() },
        };
        Ok(self.sheet_with_files(200, &Sheet { name, ..sheet }, &notice).await)
    }

    async fn answer_to(&mut self, re: &str, how: &str, letter: &Letter) -> Result<Sheet, Reason> {
        let envelope = &letter.index.envelope;
        let me = self.visit.name.to_lowercase();
        let is_me = |address: &&Address| mailbox(address).to_lowercase() == me;
        let asked_for = match envelope.reply_to.is_empty() {
            true => &envelope.from,
            false => &envelope.reply_to,
        };
        // Who answers what they wrote themselves goes on to those to whom they wrote.
        let is_own = people(&envelope.from).any(|address| is_me(&address));
        let to: Vec<&Address> = people(if is_own { &envelope.to } else { asked_for }).collect();
        let mut cc: Vec<&Address> = Vec::new();
        if how == "all" {
            for address in people(&envelope.to).chain(people(&envelope.cc)) {
                let same =
                    |other: &&Address| mailbox(other).eq_ignore_ascii_case(&mailbox(address));
                if !is_me(&address) && !to.iter().chain(&cc).any(same) {
                    cc.push(address);
                }
            }
        }
        let (text, _) = self.plain(letter).await?;
        let mut quote = ["\r\n\r\nOn ", &date_time(letter.row.internal_date_ms), ", "].concat();
        quote.push_str(&persons(&envelope.from));
        quote.push_str(" wrote:\r\n");
        for line in text.trim_end().lines() {
            quote.push_str(if line.starts_with('>') { ">" } else { "> " });
            quote.push_str(line);
            quote.push_str("\r\n");
        }
        Ok(Sheet {
            to: typed(&to),
            cc: typed(&cc),
            subject: marked(&shown(envelope.subject.as_ref(), ""), "Re:", &["re:"]),
            text: quote,
            re: re.to_owned(),
            how: if how == "all" { how } else { "reply" }.to_owned(),
            ..Sheet::default()
        })
    }

    async fn handed_on(&mut self, re: &str, letter: &Letter) -> Result<Sheet, Reason> {
        let envelope = &letter.index.envelope;
        let subject = shown(envelope.subject.as_ref(), "");
        let (inside, _) = self.plain(letter).await?;
        let mut text = "\r\n\r\n---------- Forwarded message ----------\r\n".to_owned();
        for (name, value) in [
            ("From: ", persons(&envelope.from)),
            ("Date: ", shown(envelope.date.as_ref(), "")),
            ("Subject: ", subject.clone()),
            ("To: ", persons(&envelope.to)),
        ] {
            text.push_str(&[name, &value, "\r\n"].concat());
        }
        text.push_str("\r\n");
        text.push_str(&inside);
        let (subject, how) = (marked(&subject, "Fwd:", &["fwd:", "fw:"]), "forward".to_owned());
        let kept = files(&letter.index).into_iter().map(|at| [re, "/", &at.to_string()].concat());
        let (re, kept) = (re.to_owned(), kept.collect());
        Ok(Sheet { subject, text, re, how, kept, ..Sheet::default() })
    }

    /// A draft that was kept.
    pub(super) async fn taken_up(&mut self, draft: &str, letter: &Letter) -> Result<Sheet, Reason> {
        let envelope = &letter.index.envelope;
        let header = letter.index.parts.first().map(|part| part.header).unwrap_or_default();
        let head = self.desk.octets(&letter.row, header).await?;
        let noted = |name: &str| {
            let field = fields(&head).find(|field| field.is(name.as_bytes()));
            field.map(|field| shown(Some(&field.unfolded()), ""))
        };
        let answers = noted(ANSWERS).unwrap_or_default();
        let (how, re) = answers.split_once(' ').unwrap_or_default();
        let [to, cc, bcc] = UNFINISHED.map(noted);
        let (text, _) = self.plain(letter).await?;
        let list = |list: &[Address]| typed(&people(list).collect::<Vec<_>>());
        let kept =
            files(&letter.index).into_iter().map(|at| [draft, "/", &at.to_string()].concat());
        Ok(Sheet {
            name: String::new(),
            to: to.unwrap_or_else(|| list(&envelope.to)),
            cc: cc.unwrap_or_else(|| list(&envelope.cc)),
            bcc: bcc.unwrap_or_else(|| list(&envelope.bcc)),
            subject: shown(envelope.subject.as_ref(), ""),
            text,
            re: re.to_owned(),
            how: how.to_owned(),
            draft: draft.to_owned(),
            kept: kept.collect(),
        })
    }

    /// The name and size of a file that goes along.
    async fn kept_name(&mut self, place: &str) -> Result<String, Reason> {
        let (message, at) = placed(place).ok_or(Reason::NotFound)?;
        let (folder, uid) = placed(message).ok_or(Reason::NotFound)?;
        let letter = self.desk.letter(folder, uid).await?;
        let part = letter.index.parts.get(at as usize).ok_or(Reason::NotFound)?;
        Ok([&file_name(part), ", ", &size(part.body.length())[..]].concat())
    }

    /// The sheet as a page, with why it is there again.
    pub(super) async fn sheet_with_files(
        &mut self,
        status: u16,
        sheet: &Sheet,
        why: &str,
    ) -> Response {
        let mut kept = Html::default();
        self.kept_files(sheet, &mut kept).await;
        self.sheet_page(status, sheet, &kept, why)
    }

    /// The files that go along already.
    pub(super) async fn kept_files(&mut self, sheet: &Sheet, body: &mut Html) {
        for place in &sheet.kept {
            // What is gone meanwhile goes along no more.
            let Ok(name) = self.kept_name(place).await else { continue };
            body.put("<p><label class=check><input type=checkbox checked name=keep value=\"");
            body.text(place).put("\"> ").text(&name).put("</label>\n");
        }
    }

    fn sheet_page(&self, status: u16, sheet: &Sheet, kept: &Html, why: &str) -> Response {
        let mut body = Html::default();
        body.put("<form class=sheet method=post enctype=\"multipart/form-data\" action=\"");
        body.put(self.mail.base).put("/send\">\n").hidden("sheet", &sheet.name);
        body.hidden("re", &sheet.re);
        body.hidden("how", &sheet.how).hidden("draft", &sheet.draft);
        body.field("To", "name=to autocomplete=off", &sheet.to);
        body.field("Cc", "name=cc autocomplete=off", &sheet.cc);
        body.field("Bcc", "name=bcc autocomplete=off", &sheet.bcc);
        body.field("Subject", "name=subject", &sheet.subject);
        body.put("<p><label>Text <textarea name=text rows=16 cols=72>\n").text(&sheet.text);
        body.put("</textarea></label>\n<div id=kept>\n").join(kept).put("</div>\n");
        body.put("<p><label>Files <input type=file name=files multiple></label>\n");
        // The first one is what the Enter key does: nothing that cannot be taken back.
        body.put("<p class=tools>\n").button("draft", "Keep as draft").button("send", "Send");
        body.button("discard", "Discard");
        body.put("</form>\n");
        self.frame().page(status, "Write", why, &body)
    }
}
