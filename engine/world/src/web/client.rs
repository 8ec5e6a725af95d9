//! A browser's session: it asks for one object after another over one connection, and hears what came of it.
//! What is asked for, and what becomes of cookies and redirections, is left to whoever browses.

use pillarbox_engine::trace::{Note, Rule};

use super::head::{self, Answer, Part};
use super::writing::{Writing, note};
use super::{HEAD_MAX, Output, PAGE_MAX, form, rules};

/// A response, as far as a browser acts on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// How the request went.
    pub status: u16,
    /// The same in the server's words.
    pub phrase: String,
    /// Where to look instead.
    pub location: Option<String>,
    /// Names and values of cookies to be shown again; an empty value takes one back.
    pub cookies: Vec<(String, String)>,
    /// The object.
    pub body: Vec<u8>,
}

/// One connection's session.
#[derive(Debug)]
pub struct Client {
    host: String,
    inbox: Vec<u8>,
    /// Octets received and understood, and octets sent.
    received: u64,
    sent: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing is asked for.
    Rests,
    /// The head of a response is awaited.
    Head,
    /// Its body is awaited.
    Body(Answer),
    Closed,
}

impl Client {
    /// A session with this host.
    #[must_use]
    pub fn new(host: &str) -> Self {
        let (host, inbox) = (host.to_owned(), Vec::new());
        Self { host, inbox, received: 0, sent: 0, state: State::Rests }
    }

    /// Whether something can be asked for.
    #[must_use]
    pub fn rests(&self) -> bool {
        matches!(self.state, State::Rests)
    }

    /// Asks for an object, or, with a form, brings what it says. Only a session that rests asks.
    pub fn ask(
        &mut self,
        target: &str,
        cookies: &str,
        fields: Option<&[(String, String)]>,
    ) -> Vec<Output> {
        let mut out = Vec::new();
        if !self.rests() {
            return out;
        }
        let mut writing = Writing::new(self.sent);
        let method = if fields.is_some() { "POST" } else { "GET" };
        writing.put(method, "method", Some(&rules::METHOD));
        writing.put(" ", "SP", None);
        writing.put(target, "request-target", Some(&rules::TARGET));
        writing.put(" ", "SP", None);
        writing.put("HTTP/1.1", "http-version", Some(&rules::VERSION));
        writing.put("\r\n", "CRLF", None);
        writing.field("Host", &self.host, &rules::HOST);
        if !cookies.is_empty() {
            writing.field("Cookie", cookies, &rules::COOKIE);
        }
        let body = fields.map(form::encode);
        if let Some(body) = &body {
            writing.field("Content-Type", form::FORM, &rules::CONTENT_TYPE);
            writing.field("Content-Length", &body.len().to_string(), &rules::CONTENT_LENGTH);
        }
        writing.body(Some(form::FORM), body.unwrap_or_default().as_bytes());
        writing.end(&mut self.sent, &mut out);
        self.state = State::Head;
        out
    }

    /// Takes octets.
    pub fn receive(&mut self, octets: &[u8]) -> Vec<Output> {
        let mut out = Vec::new();
        if matches!(self.state, State::Closed) {
            return out;
        }
        self.inbox.extend_from_slice(octets);
        self.go_on(false, &mut out);
        out
    }

    /// The server says nothing more.
    pub fn end(&mut self) -> Vec<Output> {
        let mut out = Vec::new();
        self.go_on(true, &mut out);
        self.close(&mut out);
        out
    }

    /// The browser wants nothing more.
    pub fn close(&mut self, out: &mut Vec<Output>) {
        if !matches!(std::mem::replace(&mut self.state, State::Closed), State::Closed) {
            out.push(Output::Close);
        }
    }

    fn go_on(&mut self, ended: bool, out: &mut Vec<Output>) {
        if matches!(self.state, State::Head) {
            let known = self.inbox.len().min(HEAD_MAX);
            match head::end(&self.inbox[..known]) {
                Some(end) => {
                    let octets: Vec<u8> = self.inbox.drain(..end).collect();
                    let read = head::response(&octets);
                    note(&read.parts, self.received, out);
                    self.received += octets.len() as u64;
                    match read.head {
                        Ok(head) if head.length.is_some_and(|length| length > PAGE_MAX) => {
                            self.fail(&rules::BODY_TOO_LARGE, out);
                        }
                        Ok(head) => self.state = State::Body(head),
                        Err(wrong) => self.fail(wrong.rule(), out),
                    }
                }
                None if known == HEAD_MAX => self.fail(&rules::TOO_LARGE, out),
                None => {}
            }
        }
        let State::Body(head) = &self.state else {
            // What comes unasked belongs to nothing; a server that sends it is left.
            if matches!(self.state, State::Rests) && !self.inbox.is_empty() {
                self.fail(&rules::MESSAGE, out);
            }
            return;
        };
        let known = self.inbox.len();
        let length = match head.length {
            Some(length) if length <= known => length,
            None if known > PAGE_MAX => return self.fail(&rules::BODY_TOO_LARGE, out),
            // RFC 9112 §6.3: without a length, the body is all until the end.
            None if ended => known,
            _ => return,
        };
        let State::Body(head) = std::mem::replace(&mut self.state, State::Rests) else { return };
        let body: Vec<u8> = self.inbox.drain(..length).collect();
        note(&form::parts(head.fields.value("content-type"), &body), self.received, out);
        self.received += body.len() as u64;
        out.push(Output::Response(heard(&head, body)));
        if head.close {
            self.close(out);
        }
    }

    fn fail(&mut self, why: &'static Rule, out: &mut Vec<Output>) {
        let end = self.inbox.len();
        let part = Part { start: 0, end, label: "unparsed", secret: false, why: None };
        note(&[part], self.received, out);
        self.inbox.clear();
        out.push(Output::Note(Note::Defect(why)));
        self.close(out);
    }
}

fn heard(head: &Answer, body: Vec<u8>) -> Heard {
    let cookie = |text: &str| {
        // RFC 6265 §5.2: behind the first semicolon stand attributes.
        let pair = text.split(';').next().unwrap_or_default();
        pair.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
    };
    Heard {
        status: head.status,
        phrase: head.phrase.clone(),
        location: head.fields.value("location").map(str::to_owned),
        cookies: head.fields.all("set-cookie").filter_map(cookie).collect(),
        body,
    }
}
