//! Mail by the web: answers what a browser asks of a mail server, from any [`Backend`], in plain pages that need no script.
//! A form signs in, a cookie says who comes again; what is done with messages goes the way that IMAP's asks go, and letters
//! go the way that submitted ones go. How requests and pages travel is left to [`crate::web`].
//!
//! A form of another site does nothing here: the cookie is `SameSite=Strict`, so that a browser does not show it with what
//! other sites have it ask for, and a host that hears an `Origin` refuses every other one.

mod act;
mod desk;
mod draft;
mod folders;
mod frame;
mod hold;
mod letter;
mod list;
mod live;
mod page;
mod protocol;
pub mod rich;
mod search;
mod show;
mod thread;
mod visits;
mod write;

use std::sync::Arc;

use pillarbox_engine::imap::types::MailboxRow;
use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{Credentials, LoginAnswer, PasswordCredentials};
use pillarbox_engine::types::{Now, Reason};

use super::{Backend, log_in};
use crate::hub::SessionKey;
use crate::web::{BODY_MAX, Request, Response, decoded, only};

pub use frame::{PICTURES, PICTURES_COUNT_MAX, SANDBOX, document, framed};

use desk::Desk;
pub use hold::UNDO_MS;
pub use list::{files, mailbox, people};
pub use live::Listening;
use page::{Frame, Html};
pub use protocol::Conversations;
pub use show::{file_name, media_type, texts, transfer_decoded};
use visits::Visit;
pub use visits::Visits;

/// The cookie that says who comes.
const COOKIE: &str = "visit";
/// Octets of a form with a letter and its files, where a host takes more than [`BODY_MAX`]: what a message may have in all,
/// once its files are in base64.
pub const FORM_MAX: usize = 25 << 20;
/// Places that forms are sent to.
const FORMS: [&str; 8] =
    ["/act", "/undo", "/folders", "/login", "/logout", "/send", "/draft", "/unsend"];
/// Places that show something; below `/in/` are folders and messages.
const PAGES: [&str; 8] =
    ["", "/", "/folders", "/folders/delete", "/login", "/protocol", "/sent", "/write"];

/// Answers one connection's requests.
pub struct WebMail<B: Backend> {
    backend: Arc<B>,
    key: SessionKey,
    visits: Arc<Visits>,
    /// The browser's address.
    peer: Vec<u8>,
    /// What stands before the path of every target.
    base: &'static str,
    /// How large a letter may be, and to how many it may go.
    limits: Limits,
    /// How long a letter can be taken back.
    undo_ms: u64,
    /// What is said to other servers, where the protocol is shown.
    conversations: Option<Arc<dyn Conversations>>,
}

/// What a request came to, for a host that keeps a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Somebody signed in to this account.
    SignedIn(String),
    /// Somebody gave this name, and was not let in.
    SignInRefused(String),
    /// A letter of this account was taken.
    Sent(String),
}

/// Why a request was not done.
enum Not {
    /// Nobody has signed in.
    SignedIn,
    /// What was asked of the store.
    Because(Reason),
}

impl From<Reason> for Not {
    fn from(reason: Reason) -> Self {
        Self::Because(reason)
    }
}

/// A reason as a status, and in words.
fn told(reason: Reason) -> (u16, &'static str) {
    match reason {
        Reason::NotFound => (404, "There is nothing of this name."),
        Reason::NotPermitted => (403, "You may not do this."),
        Reason::AlreadyExists => (422, "There is one of this name already."),
        Reason::OverQuota => (422, "Your mailbox is full: delete something first."),
        Reason::TooMany => (422, "There are too many of them."),
        Reason::TooLarge => (422, "It is too large."),
        Reason::Overloaded | Reason::StorageFull | Reason::LoginThrottled => {
            (503, "This cannot be done now. Try it later.")
        }
        _ => (500, "This could not be done."),
    }
}

/// One request of somebody who has signed in.
struct Call<'a, B: Backend> {
    mail: &'a WebMail<B>,
    visit: Visit,
    desk: Desk<B>,
    folders: Vec<MailboxRow>,
}

impl<B: Backend> WebMail<B> {
    /// For the connection `key` of a browser at `peer`; what people signed in to is in `visits`, for all connections.
    pub fn new(backend: Arc<B>, key: SessionKey, visits: Arc<Visits>, peer: Vec<u8>) -> Self {
        Self {
            backend,
            key,
            visits,
            peer,
            base: "",
            limits: Limits::SMTP,
            undo_ms: 0,
            conversations: None,
        }
    }

    /// What this server's sessions of SMTP are bound to, letters by the web are too.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Letters can be taken back for so many milliseconds: the queue, which must keep mail for mailboxes here too, holds them.
    #[must_use]
    pub fn holding(self, undo_ms: u64) -> Self {
        Self { undo_ms, ..self }
    }

    /// Shows people what they ask for by HTTP, and what their letters cause by SMTP.
    #[must_use]
    pub fn showing(self, conversations: Arc<dyn Conversations>) -> Self {
        Self { conversations: Some(conversations), ..self }
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

    /// Octets of the body that are taken of a request whose head this is: files come from those alone who have signed in.
    #[must_use]
    pub fn body_max(&self, now: Now, request: &Request) -> usize {
        let visit = request.cookie(COOKIE).and_then(|id| self.visits.of(id, now));
        let takes_files = self.sends(request) || self.path(request) == Some("/draft");
        if takes_files && visit.is_some() { FORM_MAX } else { BODY_MAX }
    }

    /// What a request is for, if it is for something here.
    fn path<'a>(&self, request: &'a Request) -> Option<&'a str> {
        request.path().strip_prefix(self.base)
    }

    /// The answer, and what happened by it. `chance` are octets that nobody can guess, other ones for each request.
    pub async fn answer(
        &self,
        now: Now,
        request: &Request,
        chance: [u8; 16],
    ) -> (Response, Option<Happened>) {
        let mut happened = None;
        let mut response = match self.route(now, request, chance, &mut happened).await {
            Ok(response) => response,
            Err(Not::SignedIn) => self.see("/login"),
            Err(Not::Because(reason)) => {
                let (status, why) = told(reason);
                let mut body = Html::default();
                body.put("<p>").link(&self.at("/in/INBOX"), "Inbox").put("\n");
                let frame = Frame { base: self.base, name: "", folders: &[] };
                frame.page(status, "Not done", why, &body)
            }
        };
        self.note(request, &mut response);
        (response, happened)
    }

    async fn route(
        &self,
        now: Now,
        request: &Request,
        chance: [u8; 16],
        happened: &mut Option<Happened>,
    ) -> Result<Response, Not> {
        let path = self.path(request).ok_or(Reason::NotFound)?;
        let inside = path.strip_prefix("/in/");
        let (takes, shows) = (FORMS.contains(&path), PAGES.contains(&path) || inside.is_some());
        match (&request.method[..], shows, takes) {
            (_, false, false) => return Err(Reason::NotFound.into()),
            ("GET" | "HEAD", true, _) | ("POST", _, true) => {}
            ("GET" | "HEAD", ..) => return Ok(only("POST")),
            ("POST", ..) => return Ok(only("GET, HEAD")),
            _ => return Ok(Response::of(501)),
        }
        let posts = request.method == "POST";
        if path == "/login" {
            return match posts {
                true => self.sign_in(now, request, chance, happened).await,
                false => Ok(self.login(200, "")),
            };
        }
        // What a page asks by itself keeps no visit alive, and takes no notice away from who reads it.
        let is_live = !posts && request.query().get("live") == "1";
        let id = request.cookie(COOKIE).ok_or(Not::SignedIn)?;
        let visit = match is_live {
            true => self.visits.glance(id, now).map(|visit| visit.without_notice()),
            false => self.visits.of(id, now),
        };
        let visit = visit.ok_or(Not::SignedIn)?;
        let mut desk = Desk::new(&self.backend, self.key, &visit, now);
        let folders = desk.folders().await?;
        let mut call = Call { mail: self, visit, desk, folders };
        if let Some(inside) = inside {
            return call.inside(inside, request).await;
        }
        match (path, posts) {
            ("/folders", false) => Ok(call.show_folders(200, "")),
            ("/folders", true) => call.change_folders(&request.given()).await,
            ("/folders/delete", _) => call.ask_to_delete(request.query().get("name")),
            ("/act", _) => call.act(&request.given()).await,
            ("/undo", _) => call.undo().await,
            ("/write", _) => call.write(&request.query(), chance).await,
            ("/send", _) => call.send(request, chance, happened).await,
            ("/draft", _) => call.save(request, chance).await,
            ("/unsend", _) => call.unsend(&request.given()).await,
            ("/protocol", _) => call.show_requests(),
            ("/sent", _) => Ok(call.sent()),
            ("/logout", _) => {
                self.visits.end(&call.visit.id);
                Ok(self.see_with(self.cookie("", "; Max-Age=0"), "/login"))
            }
            _ => Ok(self.see("/in/INBOX")),
        }
    }

    async fn sign_in(
        &self,
        now: Now,
        request: &Request,
        chance: [u8; 16],
        happened: &mut Option<Happened>,
    ) -> Result<Response, Not> {
        let given = request.given();
        let user = given.get("user");
        *happened = Some(Happened::SignInRefused(user.to_owned()));
        let credentials = Credentials::Password(PasswordCredentials {
            authorization: Vec::new(),
            user: user.as_bytes().to_vec(),
            password: given.get("password").as_bytes().to_vec(),
        });
        match log_in(&*self.backend, self.key, credentials).await {
            (Some(bound), LoginAnswer::Accepted(_)) => {
                let name = String::from_utf8_lossy(&bound.name).into_owned();
                *happened = Some(Happened::SignedIn(name.clone()));
                // A new name for each visit: one that somebody else knew before would let them in.
                let id = self.visits.begin(bound.id, name, now, chance);
                Ok(self.see_with(self.cookie(&id, ""), "/in/INBOX"))
            }
            (_, LoginAnswer::Refused(refusal)) if refusal.reason != Reason::BadCredentials => {
                Err(refusal.reason.into())
            }
            _ => Ok(self.login(403, "Name and password do not go together.")),
        }
    }

    fn login(&self, status: u16, why: &str) -> Response {
        let mut form = Html::default();
        form.put("<form class=sheet method=post action=\"").put(self.base).put("/login\">\n");
        form.field("Name", "name=user autocomplete=username", "");
        let password = "type=password name=password autocomplete=current-password";
        form.field("Password", password, "");
        form.put("<p><button>Sign in</button>\n</form>\n");
        let host = String::from_utf8_lossy(self.backend.host_name());
        let frame = Frame { base: self.base, name: "", folders: &[] };
        frame.page(status, &["Mail at ", &host].concat(), why, &form)
    }

    fn at(&self, path: &str) -> String {
        [self.base, path].concat()
    }

    /// What to look at next.
    fn see(&self, path: &str) -> Response {
        Response { fields: vec![("Location", self.at(path))], ..Response::of(303) }
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
}

impl<B: Backend> Call<'_, B> {
    fn frame(&self) -> Frame<'_> {
        Frame { base: self.mail.base, name: &self.visit.name, folders: &self.folders }
    }

    /// What to look at next: a folder's list, or a message of it.
    fn see(&self, folder: &str, rest: &str) -> Response {
        Response { fields: vec![("Location", self.frame().at(folder, rest))], ..Response::of(303) }
    }

    /// What is below `/in/`: a folder, a message of it, or something of that.
    async fn inside(&mut self, inside: &str, request: &Request) -> Result<Response, Not> {
        let (folder, rest) = inside.split_once('/').unwrap_or((inside, ""));
        let folder = decoded(folder.as_bytes());
        if rest.is_empty() {
            return self.list(&folder, &request.query()).await;
        }
        let (number, what) = rest.split_once('/').unwrap_or((rest, ""));
        let uid = number.parse().map_err(|_| Reason::NotFound)?;
        let letter = self.desk.letter(&folder, uid).await?;
        self.message(&folder, letter, what, &request.query()).await
    }
}

#[cfg(test)]
mod tests;
