//! The tests of IMAP servers (RFC 9051, and RFC 3501 where it is the same).

use super::Visit;
use super::script::{Judge, Say, Step, Word, test, way, with, words};
use crate::smtp::probe::Channel;
use crate::trace::Rule;

const fn rule(rfc: u16, section: &'static str, gist: &'static str) -> Rule {
    Rule { rfc, section, gist }
}

static GREETING: Rule =
    rule(9051, "7.1", "The greeting is an untagged OK, PREAUTH or BYE; the client waits for it.");
static CAPABILITY: Rule = rule(
    9051,
    "7.2.2",
    "CAPABILITY lists IMAP4rev2 or IMAP4rev1, AUTH=PLAIN, and in the clear STARTTLS and LOGINDISABLED.",
);
static ANY_STATE: Rule = rule(9051, "6.1.2", "NOOP always succeeds.");
static CASE: Rule = rule(9051, "9", "Keywords are the same in any case.");
static TAG: Rule =
    rule(9051, "2.2.1", "A command has a tag, and what is no command is answered with BAD.");
static BAD: Rule = rule(9051, "7.1.3", "BAD is for what is no command that the server knows.");
static STATE: Rule = rule(9051, "3", "A command in a state where it is not valid gets BAD or NO.");
static AUTHENTICATE: Rule = rule(
    9051,
    "6.2.2",
    "A mechanism that is not there gets NO; an exchange that the client ends with * gets BAD.",
);
static LOGIN: Rule = rule(
    9051,
    "6.2.3",
    "Without TLS a server lets nobody log in with a password, and says LOGINDISABLED, unless it is told to.",
);
static ID: Rule = rule(2971, "3.1", "A server that offers ID answers it at any time.");
static LOGOUT: Rule =
    rule(9051, "6.1.3", "LOGOUT gets an untagged BYE, then OK, and then the connection is closed.");
static LINES: Rule = rule(9051, "2.2", "A line ends with CRLF.");
static LINE_LENGTH: Rule =
    rule(2683, "3.2.1.5", "Servers should take command lines of 8,000 octets.");
static LITERAL: Rule = rule(
    9051,
    "4.3",
    "The octets of a literal come once the server has said that it goes on; what is too large it refuses.",
);
static START_TLS: Rule = rule(
    9051,
    "6.2.1",
    "STARTTLS gets OK, then the handshake; what came with it in the clear is dropped.",
);
static CERTIFICATE: Rule =
    rule(9051, "11.1", "The client compares the server's name with those in its certificate.");
static ATTACKS: Rule =
    rule(9051, "7.1.5", "A server may say BYE and close when a client does not mean mail.");

/// The rules that servers are tried by.
pub(super) const RULES: &[&Rule] = &[
    &GREETING,
    &CAPABILITY,
    &ANY_STATE,
    &CASE,
    &TAG,
    &BAD,
    &STATE,
    &AUTHENTICATE,
    &LOGIN,
    &ID,
    &LOGOUT,
    &LINES,
    &LINE_LENGTH,
    &LITERAL,
    &START_TLS,
    &CERTIFICATE,
    &ATTACKS,
];

const OK: Judge = words(&[Word::Ok], &[]);
const REFUSED: Judge = words(&[Word::Bad, Word::No], &[Word::Closed]);
const HELLO: Step = way(Say::Greeting);
const LEARN: Step = way(Say::Command("CAPABILITY"));
const LEAVE: Step = way(Say::Command("LOGOUT"));

static COMMANDS: &[Step] = &[
    test("greeting", Say::Greeting, "* OK, * PREAUTH or * BYE", Judge::Greeting, &GREETING),
    test(
        "CAPABILITY",
        Say::Command("CAPABILITY"),
        "IMAP4rev1 or IMAP4rev2",
        Judge::Capabilities,
        &CAPABILITY,
    ),
    test(
        "TLS is offered",
        Say::Nothing,
        "STARTTLS, in the clear",
        Judge::Offers(&["STARTTLS"]),
        &CAPABILITY,
    ),
    test("login in the clear", Say::Nothing, "LOGINDISABLED", Judge::ClearLogin, &LOGIN),
    test("NOOP", Say::Command("NOOP"), "OK", OK, &ANY_STATE),
    test("command in mixed case", Say::Command("nOoP"), "OK", OK, &CASE),
    with("ID", test("ID", Say::Command("ID NIL"), "OK", OK, &ID)),
    test(
        "unknown command",
        Say::Command("XPILLARBOX"),
        "BAD",
        words(&[Word::Bad], &[Word::No]),
        &BAD,
    ),
    test(
        "argument that is too much",
        Say::Command("NOOP ketchup"),
        "BAD",
        words(&[Word::Bad], &[Word::Ok, Word::No]),
        &BAD,
    ),
    test("LOGOUT", Say::Command("LOGOUT"), "BYE, OK, then closed", Judge::Farewell, &LOGOUT),
];

static SYNTAX: &[Step] = &[
    HELLO,
    test("line without a tag", Say::Line("NOOP"), "BAD", words(&[Word::Bad], &[Word::No]), &TAG),
    test(
        "tag that is none",
        Say::Line("+ NOOP"),
        "BAD",
        words(&[Word::Bad], &[Word::No, Word::Closed]),
        &TAG,
    ),
    test("in step after it", Say::Command("NOOP"), "OK", OK, &TAG),
    LEAVE,
];

static STATES: &[Step] = &[
    HELLO,
    test(
        "unknown mechanism",
        Say::Command("AUTHENTICATE X-PILLARBOX"),
        "NO",
        words(&[Word::No], &[Word::Bad]),
        &AUTHENTICATE,
    ),
    test("SELECT before login", Say::Command("SELECT INBOX"), "BAD or NO", REFUSED, &STATE),
    test("FETCH before login", Say::Command("FETCH 1 FLAGS"), "BAD or NO", REFUSED, &STATE),
];

static LITERALS: &[Step] = &[
    HELLO,
    test(
        "literal of 4 GB before login",
        Say::Command("LOGIN {4294967295}"),
        "BAD, NO or BYE",
        words(&[Word::Bad, Word::No, Word::Closed], &[Word::Go]),
        &LITERAL,
    ),
];

static LENGTHS: &[Step] = &[
    HELLO,
    test(
        "line of 8,000 octets",
        Say::Long("XPILLARBOX ", 8000),
        "BAD, and goes on",
        words(&[Word::Bad, Word::No], &[Word::Closed]),
        &LINE_LENGTH,
    ),
    test("in step after 8,000 octets", Say::Command("NOOP"), "OK", OK, &LINE_LENGTH),
    LEAVE,
];

static BARE_LF: &[Step] = &[
    HELLO,
    test(
        "LF without CR",
        Say::UntilClosed("L1 NOOP\nL2 NOOP\r\nL3 LOGOUT\r\n"),
        "ends no command",
        Judge::AtMost(1),
        &LINES,
    ),
];

static START: &[Step] = &[
    HELLO,
    LEARN,
    with(
        "STARTTLS",
        test(
            "STARTTLS",
            Say::StartTls("STARTTLS", ""),
            "OK and a handshake",
            Judge::Tls,
            &START_TLS,
        ),
    ),
    with(
        "STARTTLS",
        test(
            "CAPABILITY over TLS",
            Say::Command("CAPABILITY"),
            "IMAP4rev1 or IMAP4rev2",
            Judge::Capabilities,
            &START_TLS,
        ),
    ),
    test(
        "STARTTLS is not offered twice",
        Say::Nothing,
        "not offered",
        Judge::NoStartTls,
        &START_TLS,
    ),
    with(
        "STARTTLS",
        test(
            "STARTTLS over TLS",
            Say::Command("STARTTLS"),
            "BAD",
            words(&[Word::Bad], &[Word::No]),
            &START_TLS,
        ),
    ),
    LEAVE,
];

static ARGUMENT: &[Step] = &[
    HELLO,
    LEARN,
    with(
        "STARTTLS",
        test(
            "STARTTLS with an argument",
            Say::Command("STARTTLS now"),
            "BAD",
            words(&[Word::Bad], &[Word::No]),
            &START_TLS,
        ),
    ),
];

static INJECTION: &[Step] = &[
    HELLO,
    LEARN,
    with("STARTTLS", way(Say::StartTls("STARTTLS", "EVIL NOOP\r\n"))),
    with(
        "STARTTLS",
        test(
            "command behind STARTTLS",
            Say::Command("NOOP"),
            "not obeyed over TLS",
            Judge::NotInjected,
            &START_TLS,
        ),
    ),
    LEAVE,
];

static CERTIFICATES: &[Step] = &[
    HELLO,
    LEARN,
    with(
        "STARTTLS",
        test(
            "certificate",
            Say::StartTls("STARTTLS", ""),
            "known authority, right name",
            Judge::Certificate,
            &CERTIFICATE,
        ),
    ),
    LEAVE,
];

static IMPLICIT_CERTIFICATES: &[Step] = &[
    test(
        "certificate",
        Say::Greeting,
        "known authority, right name",
        Judge::Certificate,
        &CERTIFICATE,
    ),
    LEAVE,
];

static WRONG_LOGIN: &[Step] = &[
    HELLO,
    test(
        "wrong login",
        Say::Command("LOGIN pillarbox-probe wrong"),
        "NO",
        words(&[Word::No], &[Word::Bad, Word::Closed]),
        &LOGIN,
    ),
    LEAVE,
];

static WRONG_PROTOCOL: &[Step] = &[
    HELLO,
    test(
        "HTTP",
        Say::UntilClosed("POST / HTTP/1.1\r\nHost: mail.example\r\nAccept: text/html\r\n\r\n"),
        "BAD, or closed",
        Judge::AtMost(0),
        &BAD,
    ),
];

static MANY_ERRORS: &[Step] = &[
    HELLO,
    test(
        "40 errors",
        Say::UntilClosed(concat!(
            "a X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\n",
            "a X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\n",
            "a X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\n",
            "a X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\n",
        )),
        "closed before the end",
        Judge::Closes(40),
        &ATTACKS,
    ),
];

/// See `script::securing`.
pub(super) static SECURING: &[Step] =
    &[HELLO, LEARN, way(Say::StartTls("STARTTLS", "")), way(Say::Command("CAPABILITY"))];

pub(super) fn steps(visit: Visit, channel: Channel) -> &'static [Step] {
    match visit {
        Visit::Certificate if channel == Channel::Implicit => IMPLICIT_CERTIFICATES,
        Visit::Certificate => CERTIFICATES,
        Visit::Commands => COMMANDS,
        Visit::Syntax => SYNTAX,
        Visit::States => STATES,
        Visit::Literal => LITERALS,
        Visit::Lengths => LENGTHS,
        Visit::BareLf => BARE_LF,
        Visit::StartTls => START,
        Visit::Argument => ARGUMENT,
        Visit::Injection => INJECTION,
        Visit::WrongLogin => WRONG_LOGIN,
        Visit::WrongProtocol => WRONG_PROTOCOL,
        Visit::ManyErrors => MANY_ERRORS,
    }
}
