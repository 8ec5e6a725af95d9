//! Tries what an IMAP or POP3 server does about that which the RFCs require and forbid: scripts of commands, and a verdict on
//! each answer. Connections, TLS and the table are the host's; nobody logs in, so no mail is seen or changed.

mod imap;
mod judge;
mod pop3;
mod script;
mod types;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::role::{Cx, Line, Role, TextEnd, Want};
use crate::smtp::probe::{Channel, Row, Verdict};
use crate::trace::Rule;
use crate::types::{AskId, Misuse, TlsFacts};

use judge::{Seen, judge, printable};
use script::{Check, Judge, Say, Step, securing, steps};

pub use types::{Config, Event, Protocol, Visit, remaining, visits};

/// Octets of a line that is read; no honest answer before a login comes near.
const LINE_MAX: usize = 8192;
/// Lines of one answer that are kept.
const LINES_MAX: usize = 100;
/// Milliseconds that a server may take to close after its goodbye, or to say more after the last answer that is due.
const CLOSE_MS: u64 = 2_000;

/// The rules that servers are tried by.
pub const RULES: &[&[&Rule]] = &[imap::RULES, pop3::RULES];

/// One visit to a server.
pub struct Probe {
    config: Config,
    /// The steps to TLS come first, if they are asked for.
    securing: bool,
    at: usize,
    /// The tag given out last.
    tag: u32,
    seen: Seen,
    greeted: bool,
    wait: Wait,
}

/// What a visit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The server's first line.
    Greeting,
    /// The end of an answer, which may have several lines.
    Answer,
    /// The end of the connection.
    Closing,
    /// The answer to the command for TLS.
    StartTls,
    /// The handshake.
    Securing,
    /// Nothing; the visit is over.
    Over,
}

impl Role for Probe {
    type Config = Config;
    type Ask = ();
    type Answer = ();
    type Call = ();
    type Event = Event;

    fn start(config: Config, cx: &mut Cx<Self>) -> Self {
        cx.trace(config.trace);
        let securing = config.channel == Channel::StartTls;
        let implicit = config.channel == Channel::Implicit;
        let (seen, wait) = (Seen::default(), Wait::Securing);
        let mut probe = Self { config, securing, at: 0, tag: 0, seen, greeted: false, wait };
        if implicit {
            cx.start_tls();
        } else {
            probe.begin(cx);
        }
        probe
    }

    fn want(&self) -> Want {
        match self.wait {
            Wait::Securing => Want::Secured,
            Wait::Over => Want::Nothing,
            _ => Want::Line { max: LINE_MAX },
        }
    }

    fn on_line(mut self, cx: &mut Cx<Self>, line: Line) -> Self {
        cx.note_received(line.start, line.end, "response", None);
        self.seen.faulty |= line.fault.is_some();
        self.heard(cx, line.octets);
        self
    }

    fn on_octets(self, _cx: &mut Cx<Self>, _octets: Vec<u8>) -> Self {
        self
    }

    fn on_text(self, _cx: &mut Cx<Self>, _octets: Vec<u8>, _end: Option<TextEnd>) -> Self {
        self
    }

    fn on_end(mut self, cx: &mut Cx<Self>) -> Self {
        self.seen.closed = true;
        if self.wait != Wait::Over {
            self.conclude(cx);
        }
        self.leave(cx);
        self
    }

    fn on_secured(mut self, cx: &mut Cx<Self>, facts: TlsFacts) -> Self {
        self.seen.tls = Some(facts);
        self.seen.offers.clear();
        if self.config.channel == Channel::Implicit {
            self.begin(cx);
        } else {
            self.conclude(cx);
            self.next(cx);
        }
        self
    }

    fn on_answer(self, _cx: &mut Cx<Self>, _id: AskId, (): ()) -> Result<Self, (Self, Misuse)> {
        Err((self, Misuse::WrongAnswer))
    }

    fn on_call(self, _cx: &mut Cx<Self>, (): ()) -> Result<Self, (Self, Misuse)> {
        Err((self, Misuse::WrongState))
    }

    fn on_deadline(mut self, cx: &mut Cx<Self>) -> Self {
        self.seen.late = true;
        let all_said = self.wait == Wait::Closing && !self.seen.lines.is_empty();
        if self.wait != Wait::Over {
            self.conclude(cx);
        }
        // Only a server that answered is worth the next question.
        if all_said && self.step().is_some() {
            self.next(cx)
        } else {
            self.leave(cx)
        }
        self
    }

    fn on_room(self, _cx: &mut Cx<Self>) -> Self {
        self
    }
}

impl Probe {
    fn steps(&self) -> &'static [Step] {
        if self.securing {
            securing(self.config.protocol)
        } else {
            steps(self.config.protocol, self.config.visit, self.config.channel)
        }
    }

    fn step(&self) -> Option<&'static Step> {
        self.steps().get(self.at)
    }

    fn next(&mut self, cx: &mut Cx<Self>) {
        self.at += 1;
        if self.securing && self.step().is_none() {
            self.securing = false;
            self.at = 0;
        }
        self.begin(cx);
    }

    /// Begins the step under way; passes over those for which there is nothing to try.
    fn begin(&mut self, cx: &mut Cx<Self>) {
        while let Some(step) = self.step() {
            self.seen.lines.clear();
            self.seen.late = false;
            let missing = step.needs.filter(|needs| {
                // What is offered for TLS is gone once there is TLS.
                let behind = matches!(*needs, "STARTTLS" | "STLS") && self.seen.tls.is_some();
                !self.seen.offers(needs) && !behind
            });
            if let Some(name) = missing {
                if let Some(check) = &step.check {
                    let seen = format!("{name} is not offered");
                    self.emit(cx, check, Verdict::Unknown, seen);
                }
            } else {
                match step.say {
                    Say::Nothing => self.conclude(cx),
                    // It came before the way to TLS.
                    Say::Greeting if self.greeted => self.conclude(cx),
                    say => return self.say(cx, say),
                }
            }
            self.at += 1;
        }
        self.leave(cx);
    }

    fn say(&mut self, cx: &mut Cx<Self>, say: Say) {
        let (line, wait) = match say {
            Say::Greeting | Say::Nothing => (Vec::new(), Wait::Greeting),
            Say::Command(line) => (self.tagged(line.as_bytes()), self.wait_after()),
            Say::Long(line, length) => {
                let mut octets = self.tagged(line.as_bytes());
                octets.truncate(octets.len() - 2);
                octets.resize(length - 2, b'x');
                octets.extend_from_slice(b"\r\n");
                (octets, Wait::Answer)
            }
            Say::Line(line) => ([line.as_bytes(), b"\r\n"].concat(), Wait::Answer),
            Say::UntilClosed(lines) => (lines.as_bytes().to_vec(), Wait::Closing),
            Say::StartTls(line, more) => {
                let mut octets = self.tagged(line.as_bytes());
                octets.extend_from_slice(more.as_bytes());
                (octets, Wait::StartTls)
            }
        };
        let rule = self.step().and_then(|step| step.check.as_ref()).map(|check| check.rule);
        if !line.is_empty() {
            cx.send(&line, "probe", rule);
            cx.sync();
        }
        self.wait = wait;
        cx.deadline_in(self.config.reply_ms);
    }

    /// After a goodbye it matters that the connection is closed too.
    fn wait_after(&self) -> Wait {
        let check = self.step().and_then(|step| step.check.as_ref());
        let farewell = check.is_some_and(|check| matches!(check.judge, Judge::Farewell));
        if farewell { Wait::Closing } else { Wait::Answer }
    }

    /// A command's line, with a tag where the protocol has tags.
    fn tagged(&mut self, line: &[u8]) -> Vec<u8> {
        self.tag += 1;
        let mut out = match self.config.protocol {
            Protocol::Imap => format!("P{} ", self.tag).into_bytes(),
            Protocol::Pop3 => Vec::new(),
        };
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        out
    }

    fn heard(&mut self, cx: &mut Cx<Self>, line: Vec<u8>) {
        let is_first = !core::mem::replace(&mut self.greeted, true);
        if is_first {
            cx.event(Event::Greeting(printable(&line)));
            // A server may tell with its first words what it offers.
            self.seen.greeting = line.clone();
        }
        let ends = self.ends(&line);
        if self.seen.lines.len() < LINES_MAX {
            self.seen.lines.push(line);
        }
        match self.wait {
            Wait::Greeting => {
                self.conclude(cx);
                self.next(cx);
            }
            Wait::Answer if ends => {
                self.learn(cx);
                self.conclude(cx);
                // Nothing more is to be had after a goodbye.
                if self.is_goodbye() { self.leave(cx) } else { self.next(cx) }
            }
            Wait::StartTls if ends => {
                let tag = self.tag;
                if judge::is_ok(self.config.protocol, &self.seen, tag) {
                    self.wait = Wait::Securing;
                    cx.start_tls();
                } else {
                    self.not_secured(cx);
                }
            }
            Wait::Closing => cx.deadline_in(CLOSE_MS.min(self.config.reply_ms)),
            _ => {}
        }
    }

    /// Whether this line is the last of the answer.
    fn ends(&self, line: &[u8]) -> bool {
        match self.config.protocol {
            Protocol::Imap => {
                // What has no right tag gets an answer without one, or with its own.
                let untagged = self.step().is_some_and(|step| matches!(step.say, Say::Line(_)));
                let bye = line.get(..5).is_some_and(|head| head.eq_ignore_ascii_case(b"* BYE"));
                !line.starts_with(b"* ") || untagged || (bye && self.wait == Wait::Answer)
            }
            Protocol::Pop3 => {
                let is_long = self.step().is_some_and(|step| {
                    matches!(&step.check, Some(check) if matches!(check.judge, Judge::Capabilities))
                        || matches!(step.say, Say::Command("CAPA"))
                });
                let status = self.seen.lines.first().map_or(line, |first| &first[..]);
                !is_long || !status.starts_with(b"+OK") || line == b"."
            }
        }
    }

    /// Whether the server has said that it closes.
    fn is_goodbye(&self) -> bool {
        let last = self.seen.lines.last().map_or(&b""[..], |line| &line[..]);
        self.config.protocol == Protocol::Imap
            && last.get(..5).is_some_and(|head| head.eq_ignore_ascii_case(b"* BYE"))
    }

    /// Keeps what the server offers.
    fn learn(&mut self, cx: &mut Cx<Self>) {
        let names = judge::offered(self.config.protocol, &self.seen.lines);
        if names.is_empty() {
            return;
        }
        let secured = self.seen.tls.is_some();
        let shown = names.iter().map(|name| printable(name)).collect();
        self.seen.offers = names;
        cx.event(Event::Offers { secured, names: shown });
    }

    /// TLS was refused: what was to come after it is judged by that alone.
    fn not_secured(&mut self, cx: &mut Cx<Self>) {
        self.conclude(cx);
        if self.config.visit == Visit::Injection && !self.securing {
            self.at += 1;
            self.conclude(cx);
        }
        self.leave(cx);
    }

    /// Judges the step under way.
    fn conclude(&mut self, cx: &mut Cx<Self>) {
        let Some(check) = self.step().and_then(|step| step.check.as_ref()) else { return };
        let (verdict, words) = judge(self.config.protocol, &self.seen, check.judge, self.tag);
        self.emit(cx, check, verdict, words);
    }

    fn emit(&self, cx: &mut Cx<Self>, check: &Check, verdict: Verdict, seen: String) {
        let Check { test, expected, rule, .. } = *check;
        cx.event(Event::Row(Row { test, expected, seen, verdict, rule }));
    }

    fn leave(&mut self, cx: &mut Cx<Self>) {
        self.wait = Wait::Over;
        cx.no_deadline();
        cx.close();
    }
}
