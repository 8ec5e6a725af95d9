//! A person's browser at its end of a wire: it asks for pages, shows cookies again, follows where it is sent, and fills in
//! the forms of a web mail for who sits before it.

use super::client::Login;
use super::{Cx, Drive, Effect, News, Turn};
use crate::web::page::{Field, Form, Page, read};
use crate::web::{Client, Heard, Output};

/// A browser waits so long for a response, in milliseconds.
const PATIENCE_MS: u64 = 60_000;
/// Pages until somebody gives up: signing in takes five.
const PAGES_MAX: usize = 20;

/// What a person wants of their web mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// See what there is.
    Inbox,
    /// Read a message.
    Read(u32),
    /// Delete a message.
    Delete(u32),
    /// Send a letter: what stands in the form's fields.
    Send(Vec<(String, String)>),
    /// Sign out.
    SignOut,
}

impl Wish {
    /// The page that a person goes to for it.
    fn page(&self) -> String {
        match self {
            Self::Inbox | Self::SignOut => "/in/INBOX".to_owned(),
            Self::Read(number) | Self::Delete(number) => format!("/in/INBOX/{number}"),
            Self::Send(_) => "/write".to_owned(),
        }
    }
}

/// Names and values of cookies that a browser holds for a host.
pub(crate) type Cookies = Vec<(String, String)>;

/// What a person wants, and what their browser brings along.
#[derive(Clone, Debug)]
pub(crate) struct BrowsePlan {
    pub(crate) wish: Wish,
    pub(crate) login: Login,
    pub(crate) cookies: Cookies,
}

/// What a browser tells.
#[derive(Clone, Debug)]
pub(crate) enum WebNews {
    /// It holds these cookies now.
    Cookies(Cookies),
    /// It shows another page.
    Shown(String, Box<Page>),
    /// It has what was wanted; or why it has not.
    Done(Result<(), String>),
}

/// A browser.
pub(crate) struct BrowserSeat {
    session: Client,
    plan: BrowsePlan,
    /// The path that was asked for last.
    path: String,
    pages: usize,
    signed_in: bool,
    /// The form of the wish was sent.
    acted: bool,
    closed: bool,
}

impl BrowserSeat {
    pub(crate) fn new(host: &str, plan: BrowsePlan) -> Self {
        Self {
            session: Client::new(host),
            plan,
            path: String::new(),
            pages: 0,
            signed_in: false,
            acted: false,
            closed: false,
        }
    }

    fn ask(&mut self, path: &str, fields: Option<&[(String, String)]>, cx: &mut Cx<'_>) {
        self.pages += 1;
        if self.pages > PAGES_MAX {
            return self.done(Err("too many redirections".to_owned()), cx);
        }
        path.clone_into(&mut self.path);
        let kind = if fields.is_some() { "post" } else { "get" };
        cx.effects.push(Effect::Call(kind, path.to_owned()));
        let pairs = self.plan.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        let outputs = self.session.ask(path, &cookies, fields);
        self.take(outputs, cx);
    }

    fn take(&mut self, outputs: Vec<Output>, cx: &mut Cx<'_>) {
        for output in outputs {
            match output {
                Output::Transmit(octets) => cx.effects.push(Effect::Transmit(octets)),
                Output::Note(note) => cx.effects.push(Effect::Note(note)),
                Output::Response(heard) => self.heard(heard, cx),
                // A browser is asked for nothing.
                Output::Request(_) => {}
                Output::Close => self.done(Err("the connection ended too early".to_owned()), cx),
            }
        }
    }

    fn heard(&mut self, heard: Heard, cx: &mut Cx<'_>) {
        let Heard { status, phrase, location, cookies, body } = heard;
        cx.effects.push(Effect::Event("response", status.to_string()));
        if !cookies.is_empty() {
            for (name, value) in cookies {
                self.plan.cookies.retain(|(own, _)| *own != name);
                if !value.is_empty() {
                    self.plan.cookies.push((name, value));
                }
            }
            let all = self.plan.cookies.clone();
            cx.effects.push(Effect::News(News::Web(WebNews::Cookies(all))));
        }
        if let Some(place) = location.filter(|place| status == 303 && place.starts_with('/')) {
            return self.ask(&place, None, cx);
        }
        let page = read(&String::from_utf8_lossy(&body));
        let shown = WebNews::Shown(self.path.clone(), Box::new(page.clone()));
        cx.effects.push(Effect::News(News::Web(shown)));
        if status != 200 {
            // Behind its title a page says what went wrong.
            let first = page.lines.into_iter().map(|line| line.text).nth(1);
            let why = first.unwrap_or_else(|| format!("{status} {phrase}"));
            return self.done(Err(why), cx);
        }
        self.look(&page, cx);
    }

    /// What a person does with a page that they look at.
    fn look(&mut self, page: &Page, cx: &mut Cx<'_>) {
        let form = |place| page.form(place).cloned().unwrap_or_default();
        if let Some(form) = page.forms.iter().find(|form| form.asks_password()) {
            // Who has just signed out sees this page, and is where they wanted to be.
            if self.acted || self.signed_in {
                return self.done(Ok(()), cx);
            }
            self.signed_in = true;
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            let (user, password) = (text(&self.plan.login.user), text(&self.plan.login.password));
            let value = |field: &Field| match (&field.name[..], &field.kind[..]) {
                (_, "password") => password.clone(),
                ("user", _) => user.clone(),
                _ => field.value.clone(),
            };
            return self.send(form, "", value, cx);
        }
        if self.acted {
            return self.done(Ok(()), cx);
        }
        if self.path != self.plan.wish.page() {
            let page = self.plan.wish.page();
            return self.ask(&page, None, cx);
        }
        match self.plan.wish.clone() {
            Wish::Inbox | Wish::Read(_) => self.done(Ok(()), cx),
            Wish::SignOut => {
                self.acted = true;
                self.send(&form("/logout"), "", |field| field.value.clone(), cx);
            }
            Wish::Delete(_) => {
                self.acted = true;
                self.send(&form("/act"), "delete", |field| field.value.clone(), cx);
            }
            Wish::Send(fields) => {
                self.acted = true;
                let value = |field: &Field| {
                    let own = fields.iter().find(|(own, _)| *own == field.name);
                    own.map_or_else(|| field.value.clone(), |(_, value)| value.clone())
                };
                self.send(&form("/send"), "send", value, cx);
            }
        }
    }

    /// Sends a form by the button of this value.
    fn send(
        &mut self,
        form: &Form,
        button: &str,
        value: impl Fn(&Field) -> String,
        cx: &mut Cx<'_>,
    ) {
        // What is not filled in, chosen or pressed is not sent.
        let is_sent = |field: &&Field| match &field.kind[..] {
            "checkbox" | "file" => false,
            "submit" => field.value == button,
            _ => true,
        };
        let fields = form.fields.iter().filter(is_sent);
        // However they are typed, line ends of a form are CRLF.
        let line_ends = |text: String| text.replace("\r\n", "\n").replace('\n', "\r\n");
        let fields: Vec<_> =
            fields.map(|field| (field.name.clone(), line_ends(value(field)))).collect();
        self.ask(&form.action, Some(&fields), cx);
    }

    fn done(&mut self, how: Result<(), String>, cx: &mut Cx<'_>) {
        if !std::mem::replace(&mut self.closed, true) {
            cx.effects.push(Effect::News(News::Web(WebNews::Done(how))));
            cx.effects.push(Effect::Close);
        }
    }
}

impl Drive for BrowserSeat {
    fn turn(&mut self, turn: Turn, cx: &mut Cx<'_>) {
        if self.closed {
            return;
        }
        match turn {
            Turn::Look if self.path.is_empty() => {
                let page = self.plan.wish.page();
                self.ask(&page, None, cx);
            }
            Turn::Octets(octets) => {
                let outputs = self.session.receive(&octets);
                self.take(outputs, cx);
            }
            Turn::End => {
                let outputs = self.session.end();
                self.take(outputs, cx);
            }
            Turn::Tick => self.done(Err("no answer".to_owned()), cx),
            // Nothing of this happens to a browser.
            Turn::Look | Turn::Secured | Turn::Resume | Turn::Type(_) | Turn::Order(_) => {}
        }
        let until = cx.now.monotonic_ms + PATIENCE_MS;
        cx.effects.push(Effect::Wait((!self.closed).then_some(until)));
    }
}
