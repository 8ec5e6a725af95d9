//! The tests as data: what is said, what should come back, and whose sentence says so.
//! Nothing here ever carries a message: DATA is said only where no server may accept it, and taken back at once.

use super::rules;
use super::types::{Channel, Visit};
use crate::trace::Rule;

/// One exchange.
pub(super) struct Step {
    pub(super) say: Say,
    /// The EHLO keyword without which there is nothing to try.
    pub(super) needs: Option<&'static str>,
    /// None: only a way to the next step, which must go well.
    pub(super) check: Option<Check>,
}

/// What a step is a test of.
pub(super) struct Check {
    pub(super) test: &'static str,
    pub(super) expected: &'static str,
    pub(super) judge: Judge,
    pub(super) rule: &'static Rule,
}

/// What is said.
///
/// `{me}` stands for our name, `{you}` for the server's, `{over}` for a size beyond its limit, `{64}` for that many
/// octets of a local part.
#[derive(Clone, Copy)]
pub(super) enum Say {
    /// Nothing: wait for the server's greeting.
    Greeting,
    /// Nothing, and wait for nothing: judge what was seen so far.
    Nothing,
    /// A command. Its CRLF is added.
    Line(&'static str),
    /// EHLO in any form: the reply tells what the server offers.
    Hello(&'static str),
    /// NOOP with an argument, as a line of so many octets with CRLF.
    Long(usize),
    /// Octets as they are, then wait for so many replies.
    Group(&'static str, usize),
    /// Octets as they are, then wait until the server closes.
    UntilClosed(&'static str),
    /// A command at once, before the greeting.
    Early(&'static str),
    /// STARTTLS and what is sent in the clear with it, then the handshake.
    StartTls(&'static str),
}

/// How an answer is judged. Codes are given by their beginnings; those in no list are bad.
#[derive(Clone, Copy)]
pub(super) enum Judge {
    /// The code of the last reply.
    Codes { good: &'static [&'static str], weak: &'static [&'static str] },
    /// As `Codes`, and closing the connection is good too.
    CodesOrClosed { good: &'static [&'static str] },
    /// The greeting's code and name.
    Greeting,
    /// HELO: one line.
    OneLine,
    /// The keywords' grammar.
    Keywords,
    /// No more replies than this until the end; a last 221 is not counted.
    AtMost(usize),
    /// As many replies as commands, the last one 250.
    All(usize),
    /// 221, then closed.
    Farewell,
    /// What TLS gave.
    Tls,
    /// The handshake in which the certificate was judged.
    Certificate,
    /// STARTTLS is not offered.
    NoStartTls,
    /// The first answer after TLS is to what was said after TLS.
    NotInjected,
    /// Every reply had an enhanced code.
    Status,
    /// The server closed after at most so many replies.
    Closes(usize),
}

const fn codes(good: &'static [&'static str], weak: &'static [&'static str]) -> Judge {
    Judge::Codes { good, weak }
}

const fn test(
    test: &'static str,
    say: Say,
    expected: &'static str,
    judge: Judge,
    rule: &'static Rule,
) -> Step {
    Step { say, needs: None, check: Some(Check { test, expected, judge, rule }) }
}

const fn way(say: Say) -> Step {
    Step { say, needs: None, check: None }
}

const fn with(needs: &'static str, step: Step) -> Step {
    let Step { say, check, .. } = step;
    Step { say, needs: Some(needs), check }
}

const GREETING: Step = way(Say::Greeting);
const HELLO: Step = way(Say::Hello("EHLO {me}"));
const RESET: Step = way(Say::Line("RSET"));
const FAREWELL: Step =
    test("QUIT", Say::Line("QUIT"), "221, then closed", Judge::Farewell, &rules::QUIT);
const LEAVE: Step = way(Say::Line("QUIT"));
const OK: &[&str] = &["250"];

static COMMANDS: &[Step] = &[
    test("greeting", Say::Greeting, "220 and the server's name", Judge::Greeting, &rules::GREETING),
    test("NOOP before EHLO", Say::Line("NOOP"), "250", codes(OK, &["503"]), &rules::ORDER),
    test(
        "MAIL before EHLO",
        Say::Line("MAIL FROM:<>"),
        "503",
        codes(&["503"], &["250", "5"]),
        &rules::ORDER,
    ),
    test("EHLO", Say::Hello("EHLO {me}"), "250", codes(OK, &[]), &rules::HELLO),
    test("keywords", Say::Nothing, "letters, digits, hyphens", Judge::Keywords, &rules::HELLO),
    test("verb in mixed case", Say::Line("nOoP"), "250", codes(OK, &[]), &rules::CASE),
    test(
        "EHLO without a name",
        Say::Line("EHLO"),
        "501",
        codes(&["501"], &["250", "5"]),
        &rules::HELLO,
    ),
    test(
        "NOOP with an argument",
        Say::Line("NOOP ketchup"),
        "250",
        codes(OK, &["5"]),
        &rules::NOOP,
    ),
    test("RSET", Say::Line("RSET"), "250", codes(OK, &[]), &rules::MINIMUM),
    test(
        "VRFY",
        Say::Line("VRFY postmaster"),
        "250, 251 or 252",
        codes(&["250", "251", "252", "553"], &["5"]),
        &rules::VRFY,
    ),
    test("HELP", Say::Line("HELP"), "211 or 214", codes(&["211", "214"], &["5"]), &rules::HELP),
    test("unknown verb", Say::Line("XPILLARBOX"), "500", codes(&["500"], &["50"]), &rules::UNKNOWN),
    test("line of 512 octets", Say::Long(512), "250", codes(OK, &[]), &rules::LINE),
    test(
        "line of 20,000 octets",
        Say::Long(20_000),
        "500",
        Judge::CodesOrClosed { good: &["50", "250"] },
        &rules::LINE_TOO_LONG,
    ),
    test("in step after it", Say::Line("NOOP"), "250", codes(OK, &[]), &rules::LINE_TOO_LONG),
    FAREWELL,
];

static ENVELOPE: &[Step] = &[
    GREETING,
    HELLO,
    test(
        "RCPT before MAIL",
        Say::Line("RCPT TO:<Postmaster>"),
        "503",
        codes(&["503"], &["5"]),
        &rules::TRANSACTION,
    ),
    test(
        "DATA before MAIL",
        Say::Line("DATA"),
        "503 or 554",
        codes(&["503", "554"], &["5"]),
        &rules::TRANSACTION,
    ),
    test("null reverse path", Say::Line("MAIL FROM:<>"), "250", codes(OK, &[]), &rules::NULL_PATH),
    test(
        "MAIL in a transaction",
        Say::Line("MAIL FROM:<>"),
        "503",
        codes(&["503"], &["5", "250"]),
        &rules::TRANSACTION,
    ),
    test(
        "DATA before RCPT",
        Say::Line("DATA"),
        "503 or 554",
        codes(&["503", "554"], &["5", "354"]),
        &rules::TRANSACTION,
    ),
    RESET,
    way(Say::Line("MAIL FROM:<>")),
    test(
        "postmaster",
        Say::Line("RCPT TO:<Postmaster>"),
        "250",
        codes(&["250", "251"], &[]),
        &rules::MINIMUM,
    ),
    test(
        "postmaster in lower case",
        Say::Line("rcpt to:<postmaster>"),
        "250",
        codes(&["250", "251"], &[]),
        &rules::CASE,
    ),
    test(
        "quoted local part",
        Say::Line("RCPT TO:<\"postmaster\"@{you}>"),
        "understood",
        codes(&["25", "55"], &[]),
        &rules::PATHS,
    ),
    test(
        "local part of 64 octets",
        Say::Line("RCPT TO:<{64}@{you}>"),
        "understood",
        codes(&["25", "55"], &[]),
        &rules::LOCAL_PART,
    ),
    test(
        "source route",
        Say::Line("RCPT TO:<@{you}:postmaster@{you}>"),
        "ignored or declined",
        codes(&["25", "55"], &[]),
        &rules::ROUTE,
    ),
    test(
        "address with two @",
        Say::Line("RCPT TO:<postmaster@{you}@{you}>"),
        "501 or 553",
        codes(&["501", "553"], &["5"]),
        &rules::PATHS,
    ),
    test(
        "address without >",
        Say::Line("RCPT TO:<postmaster@{you}"),
        "501 or 553",
        codes(&["501", "553"], &["5", "25"]),
        &rules::PATHS,
    ),
    test("EHLO in a transaction", Say::Hello("EHLO {me}"), "250", codes(OK, &[]), &rules::ORDER),
    test(
        "it resets the transaction",
        Say::Line("RCPT TO:<Postmaster>"),
        "503",
        codes(&["503"], &["5"]),
        &rules::ORDER,
    ),
    test(
        "unknown parameter",
        Say::Line("MAIL FROM:<> XPILLARBOX=1"),
        "555",
        codes(&["555"], &["5"]),
        &rules::PARAMETERS,
    ),
    RESET,
    with(
        "8BITMIME",
        test(
            "8BITMIME",
            Say::Line("MAIL FROM:<> BODY=8BITMIME"),
            "250",
            codes(OK, &[]),
            &rules::EIGHT_BIT,
        ),
    ),
    RESET,
    with(
        "SIZE",
        test(
            "SIZE beyond the limit",
            Say::Line("MAIL FROM:<> SIZE={over}"),
            "552",
            codes(&["552"], &["5", "250"]),
            &rules::SIZE,
        ),
    ),
    RESET,
    with(
        "PIPELINING",
        test(
            "PIPELINING",
            Say::Group("MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nRSET\r\nNOOP\r\n", 4),
            "4 replies in order",
            Judge::All(4),
            &rules::PIPELINING,
        ),
    ),
    with(
        "ENHANCEDSTATUSCODES",
        test("enhanced codes", Say::Nothing, "in every reply", Judge::Status, &rules::STATUS),
    ),
    LEAVE,
];

static OLD_CLIENT: &[Step] = &[
    GREETING,
    test("HELO", Say::Line("HELO {me}"), "250 on one line", Judge::OneLine, &rules::MINIMUM),
    test("MAIL after HELO", Say::Line("MAIL FROM:<>"), "250", codes(OK, &[]), &rules::MINIMUM),
    test(
        "RCPT after HELO",
        Say::Line("RCPT TO:<Postmaster>"),
        "250",
        codes(&["250", "251"], &[]),
        &rules::MINIMUM,
    ),
    RESET,
    LEAVE,
];

static EARLY_TALK: &[Step] = &[test(
    "talking before the greeting",
    Say::Early("EHLO {me}"),
    "the greeting comes first",
    codes(&["220", "554", "421"], &[]),
    &rules::GREETING,
)];

static BARE_LF: &[Step] = &[
    GREETING,
    HELLO,
    test(
        "LF without CR",
        Say::UntilClosed("NOOP\nNOOP\r\nQUIT\r\n"),
        "ends no command",
        Judge::AtMost(1),
        &rules::LINE_ENDS,
    ),
];

static BARE_CR: &[Step] = &[
    GREETING,
    HELLO,
    test(
        "CR without LF",
        Say::UntilClosed("NOOP\rNOOP\r\nQUIT\r\n"),
        "ends no command",
        Judge::AtMost(1),
        &rules::LINE_ENDS,
    ),
];

static START_TLS: &[Step] = &[
    GREETING,
    HELLO,
    with(
        "STARTTLS",
        test(
            "STARTTLS with a parameter",
            Say::Line("STARTTLS now"),
            "501",
            codes(&["501"], &["5"]),
            &rules::START_TLS,
        ),
    ),
    with(
        "STARTTLS",
        test("STARTTLS", Say::StartTls(""), "220 and a handshake", Judge::Tls, &rules::START_TLS),
    ),
    with(
        "STARTTLS",
        test(
            "EHLO is forgotten",
            Say::Line("MAIL FROM:<>"),
            "503",
            codes(&["503"], &["5", "250"]),
            &rules::AFTER_TLS,
        ),
    ),
    with(
        "STARTTLS",
        test("EHLO over TLS", Say::Hello("EHLO {me}"), "250", codes(OK, &[]), &rules::AFTER_TLS),
    ),
    test(
        "STARTTLS is not offered twice",
        Say::Nothing,
        "not offered",
        Judge::NoStartTls,
        &rules::AFTER_TLS,
    ),
    LEAVE,
];

static INJECTION: &[Step] = &[
    GREETING,
    HELLO,
    with("STARTTLS", way(Say::StartTls("XPILLARBOX\r\n"))),
    with(
        "STARTTLS",
        test(
            "command behind STARTTLS",
            Say::Hello("EHLO {me}"),
            "not obeyed over TLS",
            Judge::NotInjected,
            &rules::AFTER_TLS,
        ),
    ),
    LEAVE,
];

const fn certificate(say: Say) -> Step {
    let expected = "known authority, right name";
    test("certificate", say, expected, Judge::Certificate, &rules::CERTIFICATE)
}

static CERTIFICATE: &[Step] =
    &[GREETING, HELLO, with("STARTTLS", certificate(Say::StartTls(""))), LEAVE];

static IMPLICIT_CERTIFICATE: &[Step] = &[certificate(Say::Greeting), HELLO, LEAVE];

const fn relay(notation: &'static str, say: &'static str) -> Step {
    test(
        notation,
        Say::Line(say),
        "550, for a stranger",
        codes(&["55", "501", "53"], &[]),
        &rules::RELAYING,
    )
}

static RELAY: &[Step] = &[
    GREETING,
    HELLO,
    way(Say::Line("MAIL FROM:<>")),
    relay("relay: plain", "RCPT TO:<pillarbox@example.org>"),
    relay("relay: quoted", "RCPT TO:<\"pillarbox@example.org\">"),
    relay("relay: quoted at us", "RCPT TO:<\"pillarbox@example.org\"@>"),
    relay("relay: source route", "RCPT TO:<@{you}:pillarbox@example.org>"),
    relay("relay: address literal", "RCPT TO:<pillarbox@[192.0.2.1]>"),
    RESET,
    LEAVE,
];

static WRONG_PROTOCOL: &[Step] = &[
    GREETING,
    test(
        "HTTP",
        Say::UntilClosed("POST / HTTP/1.1\r\nHost: {you}\r\n\r\nQUIT\r\n"),
        "closed at once",
        Judge::Closes(1),
        &rules::ATTACKS,
    ),
];

static MANY_ERRORS: &[Step] = &[
    GREETING,
    HELLO,
    test(
        "40 errors",
        Say::UntilClosed(
            "X\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\n\
             X\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\n\
             QUIT\r\n",
        ),
        "closed before the end",
        Judge::Closes(40),
        &rules::ATTACKS,
    ),
];

/// The steps that come before those of a visit when it is made over STARTTLS.
static SECURING: &[Step] = &[GREETING, HELLO, way(Say::StartTls(""))];

/// The steps of a visit, or of what comes before it.
pub(super) fn steps(visit: Visit, channel: Channel) -> &'static [Step] {
    match visit {
        Visit::Certificate if channel == Channel::Implicit => IMPLICIT_CERTIFICATE,
        Visit::Certificate => CERTIFICATE,
        Visit::Commands => COMMANDS,
        Visit::Envelope => ENVELOPE,
        Visit::OldClient => OLD_CLIENT,
        Visit::EarlyTalk => EARLY_TALK,
        Visit::BareLf => BARE_LF,
        Visit::BareCr => BARE_CR,
        Visit::StartTls => START_TLS,
        Visit::Injection => INJECTION,
        Visit::Relay => RELAY,
        Visit::WrongProtocol => WRONG_PROTOCOL,
        Visit::ManyErrors => MANY_ERRORS,
    }
}

/// See `SECURING`.
pub(super) fn securing() -> &'static [Step] {
    SECURING
}
