//! The tests as data: what is said, what should come back, and whose sentence says so; the same form for both protocols.

use super::{Protocol, Visit, imap, pop3};
use crate::smtp::probe::Channel;
use crate::trace::Rule;

/// One exchange.
pub(super) struct Step {
    pub(super) say: Say,
    /// The capability without which there is nothing to try.
    pub(super) needs: Option<&'static str>,
    /// None: only a way to the next step.
    pub(super) check: Option<Check>,
}

/// What a step is a test of.
pub(super) struct Check {
    pub(super) test: &'static str,
    pub(super) expected: &'static str,
    pub(super) judge: Judge,
    pub(super) rule: &'static Rule,
}

/// What is said. Tags are added where the protocol has them, and the line's end.
#[derive(Clone, Copy)]
pub(super) enum Say {
    /// Nothing: wait for the server's greeting.
    Greeting,
    /// Nothing, and wait for nothing: judge what was seen so far.
    Nothing,
    /// A command.
    Command(&'static str),
    /// A command filled up to a line of so many octets, its end included.
    Long(&'static str, usize),
    /// A line without a tag.
    Line(&'static str),
    /// Octets as they are, then wait until the server closes or is silent.
    UntilClosed(&'static str),
    /// The command for TLS and what is sent in the clear with it, then the handshake.
    StartTls(&'static str, &'static str),
}

/// What an answer begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// `OK`, `+OK`.
    Ok,
    /// `NO`.
    No,
    /// `BAD`, `-ERR`.
    Bad,
    /// `+`: the server waits for more.
    Go,
    /// The server closed, with or without a goodbye.
    Closed,
}

/// How an answer is judged. Words in no list are bad.
#[derive(Clone, Copy)]
pub(super) enum Judge {
    /// By the word of the last line.
    Words { good: &'static [Word], weak: &'static [Word] },
    /// The greeting.
    Greeting,
    /// The list of what is offered.
    Capabilities,
    /// Whether one of these is offered: not to is weak.
    Offers(&'static [&'static str]),
    /// No login in the clear.
    ClearLogin,
    /// The goodbye, then closed.
    Farewell,
    /// What TLS gave.
    Tls,
    /// The handshake in which the certificate was judged.
    Certificate,
    /// The way to TLS is not offered any more.
    NoStartTls,
    /// Nothing that was said before TLS was obeyed after it.
    NotInjected,
    /// At most so many lines say that something went well; more are weak.
    AtMost(usize),
    /// The server closed after at most so many lines.
    Closes(usize),
}

pub(super) const fn words(good: &'static [Word], weak: &'static [Word]) -> Judge {
    Judge::Words { good, weak }
}

pub(super) const fn test(
    test: &'static str,
    say: Say,
    expected: &'static str,
    judge: Judge,
    rule: &'static Rule,
) -> Step {
    Step { say, needs: None, check: Some(Check { test, expected, judge, rule }) }
}

pub(super) const fn way(say: Say) -> Step {
    Step { say, needs: None, check: None }
}

pub(super) const fn with(needs: &'static str, step: Step) -> Step {
    let Step { say, check, .. } = step;
    Step { say, needs: Some(needs), check }
}

/// The steps of a visit.
pub(super) fn steps(protocol: Protocol, visit: Visit, channel: Channel) -> &'static [Step] {
    match protocol {
        Protocol::Imap => imap::steps(visit, channel),
        Protocol::Pop3 => pop3::steps(visit, channel),
    }
}

/// The steps that come before those of a visit when it is made over STARTTLS or STLS.
pub(super) fn securing(protocol: Protocol) -> &'static [Step] {
    match protocol {
        Protocol::Imap => imap::SECURING,
        Protocol::Pop3 => pop3::SECURING,
    }
}
