//! Tries what an SMTP server does about that which the RFCs require and forbid: scripts of commands, and a verdict on
//! each answer. Connections, TLS and the table are the host's; no message is ever sent.

mod judge;
mod rules;
mod script;
mod types;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::role::{Cx, Line, Role, TextEnd, Want};
use crate::smtp::client::reply::{Read, Reader};
use crate::smtp::client::types::Reply;
use crate::smtp::grammar::number;
use crate::types::{AskId, Misuse, TlsFacts};

use judge::{Seen, greeted_name, judge, printable, shown, wants_login};
use script::{Judge, Say, Step};

pub use rules::RULES;
pub use types::{Channel, Config, Event, Interruption, Row, Verdict, Visit, visits};

/// Octets of a reply line that is read; RFC 5321 §4.5.3.1.5 allows 512.
const REPLY_LINE_MAX: usize = 4096;
/// Replies to one step that are kept.
const REPLIES_MAX: usize = 100;
/// Milliseconds that a server may take to close after QUIT, or to say more after the last reply that is due.
const CLOSE_MS: u64 = 2_000;

/// One visit to a server.
pub struct Probe {
    config: Config,
    /// The steps to STARTTLS come first, if they are asked for.
    securing: bool,
    /// The step under way.
    at: usize,
    /// The name by which the server is addressed.
    you: Vec<u8>,
    reader: Reader,
    seen: Seen,
    greeting: Option<Reply>,
    wait: Wait,
}

/// What a visit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// So many more replies.
    Replies(usize),
    /// The end of the connection.
    Closing,
    /// The reply to STARTTLS.
    StartTls,
    /// The handshake.
    Securing,
    /// The reply to a lone dot: DATA was accepted where it must not be.
    TakingBack,
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
        let mut probe = Self {
            config,
            securing,
            at: 0,
            you: b"localhost".to_vec(),
            reader: Reader::default(),
            seen: Seen::default(),
            greeting: None,
            wait: Wait::Securing,
        };
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
            _ => Want::Line { max: REPLY_LINE_MAX },
        }
    }

    fn on_line(mut self, cx: &mut Cx<Self>, line: Line) -> Self {
        let faulty = line.fault.is_some();
        match self.reader.take(cx, &line) {
            Read::More if !faulty => {}
            Read::Whole(reply) if !faulty => self.replied(cx, reply),
            _ => {
                // What comes after it cannot be told apart any more.
                cx.note_defect(&rules::REPLIES);
                self.row(
                    cx,
                    "reply",
                    "code, text and CRLF",
                    printable(&line.octets),
                    &rules::REPLIES,
                );
                self.leave(cx);
            }
        }
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
        if !matches!(self.wait, Wait::TakingBack | Wait::Over) {
            self.conclude(cx);
        }
        self.leave(cx);
        self
    }

    fn on_secured(mut self, cx: &mut Cx<Self>, facts: TlsFacts) -> Self {
        self.seen.tls = Some(facts);
        self.seen.offers.clear();
        self.reader = Reader::default();
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
        let all_said = matches!(self.wait, Wait::Closing) && !self.seen.replies.is_empty();
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
            script::securing()
        } else {
            script::steps(self.config.visit, self.config.channel)
        }
    }

    fn step(&self) -> Option<&'static Step> {
        self.steps().get(self.at)
    }

    /// Goes to the next step.
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
            self.seen.replies.clear();
            self.seen.late = false;
            let missing =
                step.needs.filter(|needs| !self.seen.offers(needs) && !self.is_behind_tls(needs));
            if let Some(keyword) = missing {
                if let Some(check) = &step.check {
                    let seen = alloc::format!("{keyword} is not offered");
                    self.emit(cx, check, Verdict::Unknown, seen);
                }
            } else {
                match step.say {
                    Say::Nothing => self.conclude(cx),
                    Say::Greeting if self.greeting.is_some() => {
                        // It came before the way to TLS.
                        self.seen.replies.extend(self.greeting.clone());
                        self.conclude(cx);
                    }
                    _ => return self.say(cx, step.say),
                }
            }
            self.at += 1;
        }
        self.leave(cx);
    }

    /// Whether a step that needs STARTTLS comes after it, when the server must not offer it any more.
    fn is_behind_tls(&self, needs: &str) -> bool {
        needs == "STARTTLS" && self.seen.tls.is_some()
    }

    fn say(&mut self, cx: &mut Cx<Self>, say: Say) {
        let mut within_ms = self.config.reply_ms;
        let (line, wait) = match say {
            Say::Greeting | Say::Nothing => (Vec::new(), Wait::Replies(1)),
            Say::Line(line) | Say::Hello(line) => (self.filled(line, true), self.wait_after_line()),
            Say::Long(length) => {
                let mut line = b"NOOP ".to_vec();
                line.resize(length - 2, b'x');
                line.extend_from_slice(b"\r\n");
                (line, Wait::Replies(1))
            }
            Say::Group(lines, count) => (self.filled(lines, false), Wait::Replies(count)),
            Say::UntilClosed(lines) => (self.filled(lines, false), Wait::Closing),
            Say::Early(line) => (self.filled(line, true), Wait::Replies(1)),
            Say::StartTls(more) => ([b"STARTTLS\r\n", more.as_bytes()].concat(), Wait::StartTls),
        };
        if wait == Wait::Closing && !matches!(say, Say::UntilClosed(_)) {
            within_ms = within_ms.max(CLOSE_MS);
        }
        let rule = self.step().and_then(|step| step.check.as_ref()).map(|check| check.rule);
        if !line.is_empty() {
            cx.send(&line, "probe", rule);
            cx.sync();
        }
        self.wait = wait;
        cx.deadline_in(within_ms);
    }

    /// After QUIT it matters that the connection is closed too.
    fn wait_after_line(&self) -> Wait {
        let check = self.step().and_then(|step| step.check.as_ref());
        let farewell = check.is_some_and(|check| matches!(check.judge, Judge::Farewell));
        if farewell { Wait::Closing } else { Wait::Replies(1) }
    }

    /// A line with names in the place of their signs. Both names were checked to be domains.
    fn filled(&self, line: &str, end: bool) -> Vec<u8> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let filled = line
            .replace("{me}", &text(&self.config.host_name))
            .replace("{you}", &text(&self.you))
            .replace("{over}", &self.over().to_string())
            .replace("{64}", &"p".repeat(64));
        let mut out = filled.into_bytes();
        if end {
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    /// A size that is too large for this server.
    fn over(&self) -> u64 {
        let limit = self.seen.parameter("SIZE").and_then(number).filter(|limit| *limit > 0);
        // RFC 1870 §5: the largest number that is allowed has 20 digits; no server takes so much.
        limit.map_or(u64::MAX, |limit| limit.saturating_add(1))
    }

    fn replied(&mut self, cx: &mut Cx<Self>, reply: Reply) {
        if self.reader.is_early() && self.waits_in_turn() {
            self.row(cx, "reply without a command", "none", shown(&reply), &rules::GREETING);
            return;
        }
        self.remember(cx, &reply);
        let code = reply.code;
        if self.seen.replies.len() < REPLIES_MAX {
            self.seen.replies.push(reply);
        }
        match self.wait {
            Wait::Replies(left) if left > 1 => self.wait = Wait::Replies(left - 1),
            // Replies to what should have been forgotten have come between those that are due.
            Wait::Replies(_) if self.injected() => {
                self.conclude(cx);
                self.leave(cx);
            }
            Wait::Replies(_) => {
                self.conclude(cx);
                if (300..400).contains(&code) {
                    // Nothing of ours may become a message.
                    cx.send(b".\r\n", "probe", None);
                    self.wait = Wait::TakingBack;
                    cx.deadline_in(self.config.reply_ms);
                } else {
                    self.next(cx);
                }
            }
            Wait::StartTls if code == 220 => {
                self.wait = Wait::Securing;
                cx.start_tls();
            }
            Wait::StartTls => {
                self.conclude(cx);
                self.not_secured(cx);
            }
            Wait::TakingBack => self.next(cx),
            Wait::Closing => cx.deadline_in(CLOSE_MS.min(self.config.reply_ms)),
            Wait::Securing | Wait::Over => {}
        }
    }

    /// Whether the server obeyed what was sent in the clear behind STARTTLS.
    fn injected(&self) -> bool {
        let check = self.step().and_then(|step| step.check.as_ref());
        let tried = check.is_some_and(|check| matches!(check.judge, Judge::NotInjected));
        tried && judge(&self.seen, Judge::NotInjected).0 == Verdict::Bad
    }

    /// Whether a reply that came before the server can have read the step's command is to nothing.
    fn waits_in_turn(&self) -> bool {
        let step = self.step();
        let judge = step.and_then(|step| step.check.as_ref()).map(|check| check.judge);
        let early = matches!(step.map(|step| step.say), Some(Say::Early(_)));
        let injected = matches!(judge, Some(Judge::NotInjected));
        matches!(self.wait, Wait::Replies(_) | Wait::StartTls) && !early && !injected
    }

    /// STARTTLS was refused: what was to come after it is judged by that alone.
    fn not_secured(&mut self, cx: &mut Cx<Self>) {
        if self.config.visit == Visit::Injection && !self.securing {
            self.at += 1;
            self.conclude(cx);
        }
        self.leave(cx);
    }

    /// Keeps what later steps need of a reply.
    fn remember(&mut self, cx: &mut Cx<Self>, reply: &Reply) {
        if wants_login(reply.code) && !self.seen.wants_login {
            self.seen.wants_login = true;
            cx.event(Event::WantsLogin);
        }
        let say = self.step().map(|step| step.say);
        let hello = matches!(say, Some(Say::Hello(_)));
        if self.greeting.is_none() {
            self.greeting = Some(reply.clone());
            self.you = greeted_name(reply).unwrap_or_else(|| b"localhost".to_vec());
            cx.event(Event::Greeting(shown(reply)));
            return;
        }
        if hello && reply.code == 250 {
            self.seen.offers = reply.lines.iter().skip(1).cloned().collect();
            let lines = self.seen.offers.iter().map(|line| printable(line)).collect();
            cx.event(Event::Offers { secured: self.seen.tls.is_some(), lines });
        } else if !hello && reply.status.is_none() && reply.code / 100 != 3 {
            self.seen.without_status.get_or_insert_with(|| reply.clone());
        }
    }

    /// Judges the step under way.
    fn conclude(&mut self, cx: &mut Cx<Self>) {
        let Some(check) = self.step().and_then(|step| step.check.as_ref()) else { return };
        let (verdict, words) = judge(&self.seen, check.judge);
        self.emit(cx, check, verdict, words);
    }

    fn emit(&self, cx: &mut Cx<Self>, check: &script::Check, verdict: Verdict, seen: String) {
        let script::Check { test, expected, rule, .. } = *check;
        cx.event(Event::Row(Row { test, expected, seen, verdict, rule }));
    }

    fn row(
        &self,
        cx: &mut Cx<Self>,
        test: &'static str,
        expected: &'static str,
        seen: String,
        rule: &'static crate::trace::Rule,
    ) {
        cx.event(Event::Row(Row { test, expected, seen, verdict: Verdict::Bad, rule }));
    }

    fn leave(&mut self, cx: &mut Cx<Self>) {
        self.wait = Wait::Over;
        cx.no_deadline();
        cx.close();
    }
}

/// The protocol of a server whose first words are these, if it is not SMTP: then there is nothing to try.
#[must_use]
pub fn other_protocol(words: &[u8]) -> Option<&'static str> {
    let is = |beginning: &str| {
        words.get(..beginning.len()).is_some_and(|w| w.eq_ignore_ascii_case(beginning.as_bytes()))
    };
    let first = words.split(|octet| *octet == b'\n').next().unwrap_or_default();
    match () {
        () if is("* OK") || is("* PREAUTH") || is("* BYE") => Some("IMAP"),
        () if is("+OK") || is("-ERR") => Some("POP3"),
        () if is("SSH-") => Some("SSH"),
        () if is("HTTP/") => Some("HTTP"),
        // RFC 2033 §4.1: to LMTP nobody says EHLO.
        () if is("220")
            && first.split(|o| *o == b' ').any(|word| word.eq_ignore_ascii_case(b"LMTP")) =>
        {
            Some("LMTP")
        }
        () => None,
    }
}

/// The tests of a visit that have no row yet, now that it is over; the reason is known only to the host.
#[must_use]
pub fn remaining(visit: Visit, rows: &[Row], why: Option<&Interruption>) -> Vec<Row> {
    let words = match why {
        Some(Interruption::Handshake(words)) => {
            alloc::format!("no TLS: {}", printable(words.as_bytes()))
        }
        Some(Interruption::Cut(words)) => printable(words.as_bytes()),
        None => "the server had ended the connection".to_string(),
    };
    let handshake = matches!(why, Some(Interruption::Handshake(_)));
    let checks = script::steps(visit, Channel::Clear).iter().filter_map(|step| step.check.as_ref());
    let missing = checks.filter(|check| !rows.iter().any(|row| row.test == check.test));
    missing
        .map(|check| {
            let verdict = match check.judge {
                // A handshake that fails over what was sent before it is the right end.
                Judge::NotInjected if handshake => Verdict::Good,
                Judge::Tls if handshake => Verdict::Bad,
                // RFC 7435: it still keeps out who only listens, and between servers that is common.
                Judge::Certificate if handshake => Verdict::Weak,
                _ => Verdict::Unknown,
            };
            let script::Check { test, expected, rule, .. } = *check;
            Row { test, expected, seen: words.clone(), verdict, rule }
        })
        .collect()
}
