//! Mail by the web: answers what a browser asks of a mail server, from any [`Backend`]. A form signs in, a cookie
//! says who comes again; letters go the way that submitted ones go. How requests and pages travel is left to
//! [`crate::web`].

mod letter;
mod pages;
mod visits;

use std::collections::VecDeque;
use std::sync::Arc;

use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{Flags, Row, RowsAsk, StoreMode, UidRun};
use pillarbox_engine::sasl::{Credentials, LoginAnswer, PasswordCredentials};
use pillarbox_engine::types::{BlobRange, Now, Reason};

use super::{Backend, log_in};
use crate::hub::SessionKey;
use crate::store::{AccountId, Expunge, MailboxId, SetFlags, Store, Write};
use crate::web::{Request, Response, only};

use pages::Reader;
use visits::Visit;
pub use visits::Visits;

/// The cookie that says who comes.
const COOKIE: &str = "visit";
/// Messages that a list shows, the newest of all.
const LISTED_MAX: u32 = 50;
/// Octets of a message that are read to be shown.
const SHOWN_MAX: u64 = 1 << 20;
/// Octets of a message that are read to be listed.
const HEADER_MAX: u64 = 64 << 10;
/// \Seen, as stores number system flags.
const SEEN: u8 = 8;

/// Answers one connection's requests.
pub struct WebMail<B: Backend> {
    backend: Arc<B>,
    key: SessionKey,
    visits: Arc<Visits>,
    /// The browser's address.
    peer: Vec<u8>,
    /// What stands before the path of every target.
    base: &'static str,
}

/// Why a request was not done.
enum Not {
    /// Nobody has signed in.
    SignedIn,
    /// Said so.
    Done(Response),
}

impl From<Reason> for Not {
    fn from(reason: Reason) -> Self {
        Self::Done(match reason {
            Reason::NotFound => Response::of(404),
            Reason::NotPermitted => Response::of(403),
            Reason::Overloaded | Reason::StorageFull | Reason::LoginThrottled => Response::of(503),
            _ => Response::of(500),
        })
    }
}

impl<B: Backend> WebMail<B> {
    /// For the connection `key` of a browser at `peer`; what people signed in to is in `visits`, for all connections.
    pub fn new(backend: Arc<B>, key: SessionKey, visits: Arc<Visits>, peer: Vec<u8>) -> Self {
        Self { backend, key, visits, peer, base: "" }
    }

    /// All targets begin with this, a path without a slash at its end, since the server has other things too.
    #[must_use]
    pub fn under(self, base: &'static str) -> Self {
        Self { base, ..self }
    }

    /// Whether a request brings a password.
    #[must_use]
    pub fn signs_in(&self, request: &Request) -> bool {
        request.method == "POST" && self.path(request) == Some("/login")
    }

    /// Whether a request brings a letter.
    #[must_use]
    pub fn sends(&self, request: &Request) -> bool {
        request.method == "POST" && self.path(request) == Some("/send")
    }

    /// What a request is for, if it is for something here.
    fn path<'a>(&self, request: &'a Request) -> Option<&'a str> {
        request.path().strip_prefix(self.base)
    }

    /// The answer. `chance` are octets that nobody can guess, other ones for each request.
    pub async fn answer(&self, now: Now, request: &Request, chance: [u8; 16]) -> Response {
        match self.route(now, request, chance).await {
            Ok(response) | Err(Not::Done(response)) => response,
            Err(Not::SignedIn) => self.see("/login"),
        }
    }

    async fn route(&self, now: Now, request: &Request, chance: [u8; 16]) -> Result<Response, Not> {
        let Some(path) = self.path(request) else { return Ok(Response::of(404)) };
        let methods = match path {
            "" | "/" | "/login" | "/inbox" | "/compose" | "/sent" => "GET, HEAD",
            "/delete" | "/send" | "/logout" => "POST",
            _ if path.starts_with("/message/") => "GET, HEAD",
            _ => return Ok(Response::of(404)),
        };
        let method = if request.method == "HEAD" { "GET" } else { &request.method[..] };
        if self.signs_in(request) {
            return self.sign_in(now, request, chance).await;
        }
        match (method, methods) {
            ("GET" | "POST", methods) if methods.contains(method) => {}
            ("GET" | "POST", _) if path == "/login" => {}
            ("GET" | "POST", methods) => return Ok(only(methods)),
            _ => return Ok(Response::of(501)),
        }
        if path == "/login" {
            return Ok(self.login(200, ""));
        }
        let visit = request.cookie(COOKIE).and_then(|id| self.visits.of(id, now));
        let visit = visit.ok_or(Not::SignedIn)?;
        match path {
            "" | "/" => Ok(self.see("/inbox")),
            "/inbox" => self.inbox(&visit),
            "/compose" => Ok(pages::compose(200, self.reader(&visit), [""; 3], "")),
            "/send" => self.send(now, &visit, request, chance).await,
            "/sent" => Ok(pages::sent(self.reader(&visit))),
            "/delete" => self.delete(&visit, request).await,
            "/logout" => {
                self.visits.end(&visit.id);
                Ok(self.see_with(self.cookie("", "; Max-Age=0"), "/login"))
            }
            _ => self.message(&visit, path.trim_start_matches("/message/")).await,
        }
    }

    async fn sign_in(
        &self,
        now: Now,
        request: &Request,
        chance: [u8; 16],
    ) -> Result<Response, Not> {
        let octets = |name| request.field(name).unwrap_or_default().into_bytes();
        let given = PasswordCredentials {
            authorization: Vec::new(),
            user: octets("user"),
            password: octets("password"),
        };
        let given = Credentials::Password(given);
        match log_in(&*self.backend, self.key, given).await {
            (Some(bound), LoginAnswer::Accepted(_)) => {
                // A new name for each visit: one that somebody else knew before would let them in.
                let id = self.visits.begin(bound.id, bound.name, now, chance);
                Ok(self.see_with(self.cookie(&id, ""), "/inbox"))
            }
            (_, LoginAnswer::Refused(refusal)) if refusal.reason != Reason::BadCredentials => {
                Err(refusal.reason.into())
            }
            _ => Ok(self.login(403, "Name and password do not go together.")),
        }
    }

    fn login(&self, status: u16, why: &str) -> Response {
        pages::login(status, self.backend.host_name(), self.base, why)
    }

    fn reader<'a>(&self, visit: &'a Visit) -> Reader<'a> {
        Reader { base: self.base, name: &visit.name }
    }

    /// What to look at next.
    fn see(&self, path: &str) -> Response {
        let location = [self.base, path].concat();
        Response { fields: vec![("Location", location)], ..Response::of(303) }
    }

    fn see_with(&self, field: (&'static str, String), path: &str) -> Response {
        let mut response = self.see(path);
        response.fields.push(field);
        response
    }

    /// The cookie. Scripts do not see it (RFC 6265 §4.1.2.6), and no other site can have it shown.
    fn cookie(&self, value: &str, more: &str) -> (&'static str, String) {
        let base = self.base;
        let text = format!("{COOKIE}={value}; Path={base}/; HttpOnly; SameSite=Strict{more}");
        ("Set-Cookie", text)
    }

    fn rows(&self, mailbox: MailboxId, uids: UidRun) -> Result<Vec<Row>, Reason> {
        let max = LISTED_MAX;
        let ask = RowsAsk { uids: vec![uids], max, index: false, changed_since: None };
        Ok(self.backend.store().rows(mailbox, &ask)?.rows)
    }

    fn box_of(&self, account: AccountId) -> Result<MailboxId, Reason> {
        self.backend.store().mailbox(account, b"INBOX")
    }

    fn octets(&self, row: &Row, max: u64) -> Result<Vec<u8>, Reason> {
        let length = row.size.min(max);
        self.backend.store().octets(BlobRange { blob: row.blob, offset: 0, length })
    }

    /// The UID from which on there are as many messages as a list shows.
    fn first_listed(&self, mailbox: MailboxId) -> Result<u32, Reason> {
        let (mut newest, mut after) = (VecDeque::new(), 0);
        loop {
            let page = self.backend.store().uids(mailbox, after)?;
            for run in &page.runs {
                // Of a run only its last ones can be among the newest.
                let first = run.first.max(run.last.saturating_sub(LISTED_MAX - 1));
                newest.extend(first..=run.last);
                while newest.len() > LISTED_MAX as usize {
                    newest.pop_front();
                }
                after = run.last;
            }
            if !page.more || page.runs.is_empty() {
                return Ok(newest.front().copied().unwrap_or(1));
            }
        }
    }

    /// The newest messages, newest first.
    fn inbox(&self, visit: &Visit) -> Result<Response, Not> {
        let mailbox = self.box_of(visit.account)?;
        let first = self.first_listed(mailbox)?;
        let rows = self.rows(mailbox, UidRun { first, last: u32::MAX })?;
        let mut listed = Vec::new();
        for row in rows.iter().rev() {
            let octets = self.octets(row, HEADER_MAX)?;
            let view = pillarbox_mime::view(&octets).unwrap_or_default();
            let is_read = row.flags.system & SEEN != 0;
            listed.push((row.uid, view.subject, view.from.join(", "), is_read));
        }
        Ok(pages::inbox(self.reader(visit), &listed))
    }

    async fn message(&self, visit: &Visit, number: &str) -> Result<Response, Not> {
        let uid: u32 = number.parse().map_err(|_| Reason::NotFound)?;
        let mailbox = self.box_of(visit.account)?;
        let only_it = UidRun { first: uid, last: uid };
        let row = self.rows(mailbox, only_it)?.pop().ok_or(Reason::NotFound)?;
        let octets = self.octets(&row, SHOWN_MAX)?;
        if row.flags.system & SEEN == 0 {
            let flags = Flags { system: SEEN, keywords: Vec::new() };
            let set = SetFlags {
                mailbox,
                uids: vec![only_it],
                mode: StoreMode::Add,
                flags,
                unchanged_since: None,
                may: Rights::ALL,
            };
            self.backend.write(self.key, Write::SetFlags(set)).await?;
        }
        let view = pillarbox_mime::view(&octets).unwrap_or_default();
        Ok(pages::message(self.reader(visit), uid, &view))
    }

    async fn delete(&self, visit: &Visit, request: &Request) -> Result<Response, Not> {
        let uid = request.field("message").and_then(|text| text.parse().ok());
        let uid: u32 = uid.ok_or(Reason::NotFound)?;
        let mailbox = self.box_of(visit.account)?;
        let uids = vec![UidRun { first: uid, last: uid }];
        let expunge = Expunge { mailbox, uids, deleted_only: false };
        self.backend.write(self.key, Write::Expunge(expunge)).await?;
        Ok(self.see("/inbox"))
    }
}

#[cfg(test)]
mod tests;
