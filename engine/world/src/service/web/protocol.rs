//! Show me the protocol: the requests that a visit made, without its secrets, and what a letter caused beyond them. It is for
//! who learns or looks for a fault, so a host says whether it is there; each sees what was their own alone.

use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::text::date::date_time;
use pillarbox_engine::types::{BlobId, Now, Reason};

use super::page::Html;
use super::show::size;
use super::{COOKIE, Call, Not, WebMail};
use crate::queue::{LOCAL, Queue, bare_destination};
use crate::service::Backend;
use crate::web::{Request, Response};

/// Exchanges that are remembered of one visit.
pub(super) const EXCHANGES_MAX: usize = 40;
/// Exchanges that one page shows, its own among them.
const SHOWN_MAX: usize = 10;
/// Characters that are shown of what a field says.
const VALUE_MAX: usize = 60;
/// Fields and files that are shown of one form.
const FIELDS_MAX: usize = 20;
/// Octets of a target that are shown.
const TARGET_MAX: usize = 400;
/// Recipients of one letter that are shown.
const RECIPIENTS_MAX: usize = 20;
/// Tasks of a letter that are shown.
const TASKS_MAX: u32 = 20;
/// Stands for what nobody needs to see.
const MASK: &str = "******";
/// What every page of ours begins with.
const BEGINNING: &[u8] = b"<!doctype html>\n";
const MAIN_ENDS: &[u8] = b"</main>\n";

/// What was said to other servers, as whoever holds the connections keeps it.
pub trait Conversations: Send + Sync {
    /// From now on what is said to carry this message is kept for a while.
    fn expect(&self, message: BlobId);
    /// What was said for it so far, each connection as text that a person can read, secrets masked.
    fn of(&self, message: BlobId) -> Vec<String>;
}

/// A request and its response, as far as they are shown.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    /// Whether the response was a page.
    is_page: bool,
    lines: Vec<String>,
}

/// A letter that was sent, for who sent it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) message: BlobId,
    /// Its copy: the folder, a slash, the UID.
    pub(super) copy: String,
    /// What the queue was asked, in lines.
    pub(super) asked: Vec<String>,
}

/// So many characters, and how many octets there are if there are more.
fn abbreviated(text: &str, max: usize) -> String {
    let line: String =
        text.chars().take(max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    match text.chars().nth(max) {
        None => line,
        Some(_) => [&line, "… (", &size(text.len() as u64), ")"].concat(),
    }
}

impl Exchange {
    fn of(request: &Request, response: &Response, is_page: bool) -> Self {
        let target = abbreviated(&request.target, TARGET_MAX);
        let mut lines = vec![[&request.method, " ", &target[..], " HTTP/1.1"].concat()];
        if request.cookie(COOKIE).is_some() {
            lines.push(["Cookie: ", COOKIE, "=", MASK].concat());
        }
        if request.method == "POST" {
            let kind = request.media_type.split(';').next().unwrap_or_default();
            lines.push(["Content-Type: ", &abbreviated(kind, VALUE_MAX)].concat());
            lines.push(["Content-Length: ", &request.body.len().to_string()].concat());
            lines.push(String::new());
            let given = request.given();
            for (name, value) in given.fields.iter().take(FIELDS_MAX) {
                let is_secret = name.to_ascii_lowercase().contains("password");
                let value = if is_secret { MASK.to_owned() } else { abbreviated(value, VALUE_MAX) };
                lines.push(["  ", &abbreviated(name, VALUE_MAX), " = ", &value].concat());
            }
            for file in given.files.iter().take(FIELDS_MAX) {
                let octets = size(file.octets.len() as u64);
                let parts = [&abbreviated(&file.name, VALUE_MAX), &file.media_type, &octets];
                lines.push(["  file = ", &parts.map(|part| &part[..]).join(", ")].concat());
            }
        }
        lines.push(String::new());
        lines.push(["HTTP/1.1 ", &response.status.to_string()].concat());
        for (name, value) in &response.fields {
            let value = if *name == "Set-Cookie" { masked_cookie(value) } else { value.clone() };
            lines.push([name, ": ", &abbreviated(&value, TARGET_MAX)].concat());
        }
        if !response.media_type.is_empty() {
            lines.push(["Content-Type: ", &response.media_type].concat());
        }
        lines.push(["Content-Length: ", &response.body.len().to_string()].concat());
        Self { is_page, lines }
    }

    fn show(&self, body: &mut Html) {
        body.put("<pre class=wire>").text(&self.lines.join("\n")).put("</pre>\n");
    }
}

/// A cookie without its value.
fn masked_cookie(field: &str) -> String {
    let (pair, rest) = field.split_once(';').map_or((field, ""), |(pair, rest)| (pair, rest));
    let name = pair.split('=').next().unwrap_or_default();
    [name, "=", MASK, if rest.is_empty() { "" } else { ";" }, rest].concat()
}

impl<B: Backend> WebMail<B> {
    /// Remembers a request for who made it; a page shows what led to it.
    pub(super) fn note(&self, request: &Request, response: &mut Response) {
        if self.conversations.is_none() || request.query().get("live") == "1" {
            return;
        }
        let given = response.fields.iter().find(|(name, _)| *name == "Set-Cookie");
        // Who signs in has a new visit, which this request belongs to.
        let given = given.and_then(|(_, value)| value.split([';', '=']).nth(1));
        let id = given.filter(|id| !id.is_empty()).or_else(|| request.cookie(COOKIE));
        let Some(id) = id.map(str::to_owned) else { return };
        let is_ours = !response.fields.iter().any(|(name, _)| *name == "Content-Security-Policy");
        let is_page = is_ours && response.body.starts_with(BEGINNING);
        let Some(all) = self.visits.note(&id, Exchange::of(request, response, is_page)) else {
            return;
        };
        let end = response.body.windows(MAIN_ENDS.len()).rposition(|octets| octets == MAIN_ENDS);
        let Some(end) = end.filter(|_| is_page) else { return };
        let before = all.iter().rev().skip(1).take_while(|other| !other.is_page).count();
        let mut block = Html::default();
        block.put("<details class=protocol id=protocol><summary>Show me the protocol</summary>\n");
        all.iter()
            .skip(all.len() - (before + 1).min(SHOWN_MAX))
            .for_each(|one| one.show(&mut block));
        let place = self.at("/protocol");
        block.put("<p>").link(&place, "All requests of this visit").put("\n</details>\n");
        response.body.splice(end..end, block.into_octets());
    }

    /// What the queue was asked for a letter, in lines.
    pub(super) fn asked(
        &self,
        now: Now,
        (author, to): (&Mailbox, &[Mailbox]),
        (octets, hold_until_ms): (u64, Option<u64>),
    ) -> Vec<String> {
        let path = |mailbox: &Mailbox| {
            let path = [&mailbox.local_part[..], b"@", &mailbox.domain].concat();
            ["<", &String::from_utf8_lossy(&path), ">"].concat()
        };
        let mut lines = vec![["# ", &date_time(now.unix_ms)].concat()];
        lines.push(["MAIL FROM:", &path(author), " SIZE=", &octets.to_string()].concat());
        lines.extend(to.iter().take(RECIPIENTS_MAX).map(|to| ["RCPT TO:", &path(to)].concat()));
        if to.len() > RECIPIENTS_MAX {
            lines.push(["# … ", &(to.len() - RECIPIENTS_MAX).to_string(), " more"].concat());
        }
        if let Some(until_ms) = hold_until_ms {
            let seconds = (until_ms.saturating_sub(now.unix_ms) / 1000).to_string();
            lines.push(["# held for ", &seconds, " s, as HOLDFOR has it (RFC 4865)"].concat());
        }
        lines
    }
}

impl<B: Backend> Call<'_, B> {
    /// All that is remembered of this visit.
    pub(super) fn show_requests(&self) -> Result<Response, Not> {
        self.mail.conversations.as_ref().ok_or(Reason::NotFound)?;
        let mut body = Html::default();
        body.put("<p>What your browser asked in this visit, the latest first. Passwords and cookies are masked.\n");
        self.visit.exchanges.iter().rev().for_each(|exchange| exchange.show(&mut body));
        Ok(self.frame().page(200, "Requests", "", &body))
    }

    /// A letter was taken by the queue: it is remembered for who sent it.
    pub(super) fn remember(&self, message: BlobId, copy: String, mut asked: Vec<String>) {
        let Some(conversations) = &self.mail.conversations else { return };
        conversations.expect(message);
        asked.push(["# queued as ", &message.to_string()].concat());
        self.mail.visits.remember(self.visit.account, Sent { message, copy, asked });
    }

    /// Whether it is known what became of this message of the folder, as a letter that was sent.
    pub(super) fn sent_as(&self, folder: &str, uid: u32) -> Option<Sent> {
        let copy = [folder, "/", &uid.to_string()].concat();
        self.mail.conversations.as_ref()?;
        self.mail.visits.sent(self.visit.account, |sent| sent.copy == copy)
    }

    /// What SMTP did with a letter.
    pub(super) fn show_smtp(&self, folder: &str, uid: u32) -> Result<Response, Not> {
        let sent = self.sent_as(folder, uid).ok_or(Reason::NotFound)?;
        let said = self.mail.conversations.as_ref().map(|all| all.of(sent.message));
        let said = said.unwrap_or_default();
        let tasks = self.mail.backend.store().tasks(sent.message, 0, TASKS_MAX)?;
        let mut body = Html::default();
        body.put("<div id=smtp>\n<h2>Into the queue</h2>\n<p>Your server took the letter inside of itself: it was ");
        body.put("asked what a client of SMTP would ask, and no octet of this was on a wire.\n");
        body.put("<pre class=wire>").text(&sent.asked.join("\n")).put("</pre>\n");
        body.put("<h2>From the queue</h2>\n");
        for text in &said {
            body.put("<pre class=wire>").text(text).put("</pre>\n");
        }
        if tasks.is_empty() && said.is_empty() {
            body.put("<p>It went into mailboxes of this server, so no SMTP was spoken. ");
            body.put("If it went further, nothing is remembered of that.\n");
        }
        let now_ms = self.mail.backend.queue_ms(self.desk.now);
        for task in &tasks {
            let name = bare_destination(&task.destination);
            let name = String::from_utf8_lossy(name);
            let place = if task.destination == LOCAL { "mailboxes here" } else { &name };
            body.put("<p>It waits for ").text(place).put(": ");
            match task.due_ms.checked_sub(now_ms) {
                _ if task.held => body.put("whoever runs the server holds it"),
                Some(left_ms) if left_ms > 0 => {
                    body.put("it is tried in ").number(left_ms.div_ceil(1000)).put(" s")
                }
                _ => body.put("it is tried now"),
            };
            body.put(".\n");
        }
        body.put("</div>\n<p>")
            .link(&self.frame().at(folder, &["/", &uid.to_string()].concat()), "The letter");
        body.put("\n");
        Ok(self.frame().page(200, "SMTP of this letter", "", &body))
    }
}
