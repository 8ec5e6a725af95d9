//! The tests of POP3 servers (RFC 1939, RFC 2449, RFC 2595).

use super::Visit;
use super::script::{Judge, Say, Step, Word, test, way, with, words};
use crate::smtp::probe::Channel;
use crate::trace::Rule;

const fn rule(rfc: u16, section: &'static str, gist: &'static str) -> Rule {
    Rule { rfc, section, gist }
}

static GREETING: Rule = rule(1939, "4", "The greeting is any positive response.");
static CAPA: Rule =
    rule(2449, "5", "CAPA lists what the server offers, line by line, and ends with a lone dot.");
static STATUS: Rule = rule(
    1939,
    "3",
    "Commands are the same in any case; what is not known, wrong or not for now gets -ERR.",
);
static UIDL: Rule = rule(1939, "7", "TOP and UIDL are for clients that leave mail on the server.");
static CODES: Rule =
    rule(2449, "8", "With RESP-CODES a refusal says in brackets of what kind it is.");
static PIPELINING: Rule = rule(
    2449,
    "6.6",
    "With PIPELINING the client may send commands before it has the replies to those before.",
);
static LENGTH: Rule = rule(
    2449,
    "4",
    "A command may have 255 octets, its CRLF included, and servers should take as many.",
);
static AUTH: Rule = rule(5034, "4", "AUTH with a mechanism that is not there gets -ERR.");
static CLEAR: Rule = rule(
    2595,
    "4",
    "STLS gets +OK, then the handshake; what was known before is forgotten, and it is not offered again.",
);
static QUIT: Rule =
    rule(1939, "4", "QUIT before a login gets +OK, and then the connection is closed.");
static LINES: Rule = rule(1939, "3", "A command ends with CRLF.");
static CERTIFICATE: Rule =
    rule(2595, "2.4", "The client compares the server's name with those in its certificate.");
static PASSWORDS: Rule =
    rule(2595, "2.2", "A server can be told to let nobody log in with a password before TLS.");
static ATTACKS: Rule =
    rule(1939, "3", "A server closes a connection of which nothing is to be expected.");

/// The rules that servers are tried by.
pub(super) const RULES: &[&Rule] = &[
    &GREETING,
    &CAPA,
    &STATUS,
    &UIDL,
    &CODES,
    &PIPELINING,
    &LENGTH,
    &AUTH,
    &CLEAR,
    &QUIT,
    &LINES,
    &CERTIFICATE,
    &PASSWORDS,
    &ATTACKS,
];

const REFUSED: Judge = words(&[Word::Bad], &[Word::Closed]);
const HELLO: Step = way(Say::Greeting);
const LEARN: Step = way(Say::Command("CAPA"));
const LEAVE: Step = way(Say::Command("QUIT"));

static COMMANDS: &[Step] = &[
    test("greeting", Say::Greeting, "+OK", Judge::Greeting, &GREETING),
    test("CAPA", Say::Command("CAPA"), "a list with a lone dot", Judge::Capabilities, &CAPA),
    test("unique-ids are offered", Say::Nothing, "UIDL", Judge::Offers(&["UIDL"]), &UIDL),
    test("headers are offered alone", Say::Nothing, "TOP", Judge::Offers(&["TOP"]), &UIDL),
    test("refusals have codes", Say::Nothing, "RESP-CODES", Judge::Offers(&["RESP-CODES"]), &CODES),
    test("PIPELINING", Say::Nothing, "offered", Judge::Offers(&["PIPELINING"]), &PIPELINING),
    test("TLS is offered", Say::Nothing, "STLS, in the clear", Judge::Offers(&["STLS"]), &CLEAR),
    test("login in the clear", Say::Nothing, "no USER, no PLAIN", Judge::ClearLogin, &PASSWORDS),
    with(
        "UIDL",
        test("command in lower case", Say::Command("capa"), "+OK", Judge::Capabilities, &STATUS),
    ),
    test("unknown command", Say::Command("XPILLARBOX"), "-ERR", REFUSED, &STATUS),
    test("QUIT", Say::Command("QUIT"), "+OK, then closed", Judge::Farewell, &QUIT),
];

static SYNTAX: &[Step] = &[
    HELLO,
    test("unknown mechanism", Say::Command("AUTH X-PILLARBOX"), "-ERR", REFUSED, &AUTH),
    test("PASS before USER", Say::Command("PASS x"), "-ERR", REFUSED, &STATUS),
    LEAVE,
];

static STATES: &[Step] = &[
    HELLO,
    test("RETR before login", Say::Command("RETR 1"), "-ERR", REFUSED, &STATUS),
    test("DELE before login", Say::Command("DELE 1"), "-ERR", REFUSED, &STATUS),
    test("STAT before login", Say::Command("STAT"), "-ERR", REFUSED, &STATUS),
];

static LENGTHS: &[Step] = &[
    HELLO,
    test(
        "line of 255 octets",
        Say::Long("XPILLARBOX ", 255),
        "-ERR, and goes on",
        words(&[Word::Bad], &[]),
        &LENGTH,
    ),
    test(
        "in step after 255 octets",
        Say::Command("XPILLARBOX"),
        "-ERR",
        words(&[Word::Bad], &[]),
        &LENGTH,
    ),
    test(
        "line of 20,000 octets",
        Say::Long("XPILLARBOX ", 20_000),
        "-ERR, or closed",
        words(&[Word::Bad, Word::Closed], &[]),
        &LENGTH,
    ),
    LEAVE,
];

static BARE_LF: &[Step] = &[
    HELLO,
    test(
        "LF without CR",
        Say::UntilClosed("CAPA\nQUIT\r\n"),
        "ends no command",
        Judge::AtMost(0),
        &LINES,
    ),
];

static START: &[Step] = &[
    HELLO,
    LEARN,
    with(
        "STLS",
        test("STLS", Say::StartTls("STLS", ""), "+OK and a handshake", Judge::Tls, &CLEAR),
    ),
    with(
        "STLS",
        test(
            "CAPA over TLS",
            Say::Command("CAPA"),
            "a list with a lone dot",
            Judge::Capabilities,
            &CLEAR,
        ),
    ),
    test("STLS is not offered twice", Say::Nothing, "not offered", Judge::NoStartTls, &CLEAR),
    with("STLS", test("STLS over TLS", Say::Command("STLS"), "-ERR", REFUSED, &CLEAR)),
    LEAVE,
];

static ARGUMENT: &[Step] = &[
    HELLO,
    LEARN,
    with("STLS", test("STLS with an argument", Say::Command("STLS now"), "-ERR", REFUSED, &CLEAR)),
];

static INJECTION: &[Step] = &[
    HELLO,
    LEARN,
    with("STLS", way(Say::StartTls("STLS", "NOOP\r\n"))),
    with(
        "STLS",
        test(
            "command behind STLS",
            Say::Command("CAPA"),
            "not obeyed over TLS",
            Judge::NotInjected,
            &CLEAR,
        ),
    ),
    LEAVE,
];

static CERTIFICATES: &[Step] = &[
    HELLO,
    LEARN,
    with(
        "STLS",
        test(
            "certificate",
            Say::StartTls("STLS", ""),
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
    LEARN,
    with(
        "USER",
        test(
            "unknown user",
            Say::Command("USER pillarbox-probe"),
            "+OK: who is there is nobody's business",
            words(&[Word::Ok], &[Word::Bad, Word::Closed]),
            &UIDL,
        ),
    ),
    with("USER", test("wrong login", Say::Command("PASS wrong"), "-ERR", REFUSED, &STATUS)),
    LEAVE,
];

static WRONG_PROTOCOL: &[Step] = &[
    HELLO,
    test(
        "HTTP",
        Say::UntilClosed("POST / HTTP/1.1\r\nHost: mail.example\r\nAccept: text/html\r\n\r\n"),
        "-ERR, or closed",
        Judge::AtMost(0),
        &STATUS,
    ),
];

static MANY_ERRORS: &[Step] = &[
    HELLO,
    test(
        "40 errors",
        Say::UntilClosed(concat!(
            "X\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\n",
            "X\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\n",
        )),
        "closed before the end",
        Judge::Closes(40),
        &ATTACKS,
    ),
];

/// See `script::securing`.
pub(super) static SECURING: &[Step] =
    &[HELLO, LEARN, way(Say::StartTls("STLS", "")), way(Say::Command("CAPA"))];

pub(super) fn steps(visit: Visit, channel: Channel) -> &'static [Step] {
    match visit {
        Visit::Certificate if channel == Channel::Implicit => IMPLICIT_CERTIFICATES,
        Visit::Certificate => CERTIFICATES,
        Visit::Commands => COMMANDS,
        Visit::Syntax => SYNTAX,
        Visit::States => STATES,
        // POP3 has none.
        Visit::Literal => &[],
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
