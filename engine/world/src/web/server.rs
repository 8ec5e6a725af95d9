//! A web server's session: it reads requests and writes their answers, in their order (RFC 9112 §9.3.2).
//! It keeps nothing from one request to the next, and leaves it to its host what they do.

use pillarbox_engine::trace::{Note, Rule};

use super::head::{self, Head, Part, Wrong};
use super::writing::{Writing, note};
use super::{BODY_MAX, HEAD_MAX, Output, Request, Response, form, rules};

/// One connection's session.
#[derive(Debug, Default)]
pub struct Server {
    inbox: Vec<u8>,
    /// Octets received and understood, and octets sent.
    received: u64,
    sent: u64,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// The next head is awaited.
    #[default]
    Head,
    /// A head is there, and its body is awaited.
    Body(Head),
    /// The host has a request to answer.
    Asked {
        without_body: bool,
        close: bool,
    },
    Closed,
}

impl Server {
    /// Takes octets. Whole requests are handed out one by one; the next when the one before is answered.
    pub fn receive(&mut self, octets: &[u8]) -> Vec<Output> {
        let mut out = Vec::new();
        match self.state {
            State::Closed => return out,
            // Who asks for so much more before the first answer is there does not mean it well.
            State::Asked { .. } if self.inbox.len() + octets.len() > HEAD_MAX + BODY_MAX => {
                self.close(&mut out);
                return out;
            }
            _ => self.inbox.extend_from_slice(octets),
        }
        self.go_on(&mut out);
        out
    }

    /// Answers the request that was handed out last.
    pub fn respond(&mut self, response: &Response) -> Vec<Output> {
        let mut out = Vec::new();
        if let State::Asked { without_body, close } = self.state {
            self.state = State::Head;
            self.answer(response, without_body, close || response.close, &mut out);
            self.go_on(&mut out);
        }
        out
    }

    /// The client says nothing more, or has been silent for too long: the connection ends without another word.
    pub fn end(&mut self) -> Vec<Output> {
        let mut out = Vec::new();
        self.close(&mut out);
        out
    }

    fn close(&mut self, out: &mut Vec<Output>) {
        if !matches!(std::mem::replace(&mut self.state, State::Closed), State::Closed) {
            self.inbox.clear();
            out.push(Output::Close);
        }
    }

    fn go_on(&mut self, out: &mut Vec<Output>) {
        loop {
            match std::mem::take(&mut self.state) {
                State::Head => {
                    // However it comes in pieces, a head is too large at the same octet.
                    let known = self.inbox.len().min(HEAD_MAX);
                    match head::end(&self.inbox[..known]) {
                        Some(end) => {
                            let octets: Vec<u8> = self.inbox.drain(..end).collect();
                            self.head(&octets, out);
                        }
                        None if known == HEAD_MAX => self.too_large(out),
                        None => return,
                    }
                }
                State::Body(head) if self.inbox.len() < head.length => {
                    self.state = State::Body(head);
                    return;
                }
                State::Body(head) => {
                    let body: Vec<u8> = self.inbox.drain(..head.length).collect();
                    note(
                        &form::parts(head.fields.value("content-type"), &body),
                        self.received,
                        out,
                    );
                    self.received += body.len() as u64;
                    let without_body = head.method == "HEAD";
                    self.state = State::Asked { without_body, close: head.close };
                    let value = |name| head.fields.value(name).unwrap_or_default().to_owned();
                    let (cookies, media_type) = (value("cookie"), value("content-type"));
                    let Head { method, target, .. } = head;
                    let request = Request { method, target, cookies, media_type, body };
                    out.push(Output::Request(request));
                    return;
                }
                state => {
                    self.state = state;
                    return;
                }
            }
        }
    }

    fn too_large(&mut self, out: &mut Vec<Output>) {
        let part = Part { start: 0, end: HEAD_MAX, label: "unparsed", secret: false, why: None };
        note(&[part], self.received, out);
        self.received += HEAD_MAX as u64;
        self.refuse(431, &rules::TOO_LARGE, out);
    }

    /// A whole head: its body is awaited, or it is refused.
    fn head(&mut self, octets: &[u8], out: &mut Vec<Output>) {
        let read = head::request(octets);
        note(&read.parts, self.received, out);
        self.received += octets.len() as u64;
        match read.head {
            Ok(head) if head.length > BODY_MAX => self.refuse(413, &rules::BODY_TOO_LARGE, out),
            Ok(head) => self.state = State::Body(head),
            Err(wrong) => {
                let status = match wrong {
                    Wrong::Version => 505,
                    Wrong::Coding => 411,
                    _ => 400,
                };
                self.refuse(status, wrong.rule(), out);
            }
        }
    }

    /// What follows cannot be told apart from what was refused, so the connection ends.
    fn refuse(&mut self, status: u16, why: &'static Rule, out: &mut Vec<Output>) {
        out.push(Output::Note(Note::Defect(why)));
        self.answer(&Response::of(status), false, true, out);
    }

    fn answer(
        &mut self,
        response: &Response,
        without_body: bool,
        close: bool,
        out: &mut Vec<Output>,
    ) {
        let (phrase, why) = rules::of_status(response.status);
        let given = response.phrase.trim();
        let phrase = if given.is_empty() { phrase } else { given };
        let mut writing = Writing::new(self.sent);
        writing.put("HTTP/1.1", "http-version", Some(&rules::STATUS_LINE));
        writing.put(" ", "SP", None);
        writing.put(&format!("{:03}", response.status % 1000), "status-code", Some(why));
        writing.put(" ", "SP", None);
        writing.put(&printable(phrase), "reason-phrase", None);
        writing.put("\r\n", "CRLF", None);
        if !response.media_type.is_empty() {
            writing.field("Content-Type", &response.media_type, &rules::CONTENT_TYPE);
        }
        for (name, value) in &response.fields {
            writing.field(name, &printable(value), rules::of_field(&name.to_ascii_lowercase()));
        }
        let length = response.body.len().to_string();
        writing.field("Content-Length", &length, &rules::CONTENT_LENGTH);
        if close {
            writing.field("Connection", "close", &rules::CLOSE);
        }
        let body = if without_body { &[] } else { &response.body[..] };
        writing.body(Some(&response.media_type), body);
        writing.end(&mut self.sent, out);
        if close {
            self.close(out);
        }
    }
}

/// Without what would end a line: nobody writes a head but the server itself.
fn printable(text: &str) -> String {
    text.chars().filter(|own| !own.is_control()).collect()
}
