//! The sentences that servers are held to.

use crate::trace::Rule;

const fn rule(rfc: u16, section: &'static str, gist: &'static str) -> Rule {
    Rule { rfc, section, gist }
}

pub(super) static GREETING: Rule =
    rule(5321, "4.3.1", "The greeting is 220 and the server's name; the client waits for it.");
pub(super) static ORDER: Rule = rule(
    5321,
    "4.1.4",
    "A session with mail begins with EHLO; NOOP, HELP, VRFY and RSET are served without it; EHLO resets.",
);
pub(super) static HELLO: Rule =
    rule(5321, "4.1.1.1", "EHLO has an argument, and its reply names what the server offers.");
pub(super) static CASE: Rule = rule(5321, "2.4", "Verbs and keywords are the same in any case.");
pub(super) static MINIMUM: Rule = rule(
    5321,
    "4.5.1",
    "Every server has EHLO, HELO, MAIL, RCPT, DATA, RSET, NOOP, QUIT and VRFY, and a postmaster.",
);
pub(super) static NOOP: Rule =
    rule(5321, "4.1.1.9", "NOOP does nothing but get 250; its argument is ignored.");
pub(super) static VRFY: Rule =
    rule(5321, "7.3", "A server that does not want to verify addresses says 252 to VRFY.");
pub(super) static HELP: Rule = rule(5321, "4.1.1.8", "Servers should know HELP.");
pub(super) static UNKNOWN: Rule =
    rule(5321, "4.2.4", "500 is for commands that are not known, 502 for those not implemented.");
pub(super) static LINE: Rule =
    rule(5321, "4.5.3.1.4", "A command line may have 512 octets, its CRLF included.");
pub(super) static LINE_TOO_LONG: Rule =
    rule(5321, "4.5.3.1.9", "What exceeds a limit is answered with a code that says so.");
pub(super) static QUIT: Rule =
    rule(5321, "4.1.1.10", "QUIT gets 221, and then the connection is closed.");
pub(super) static NULL_PATH: Rule =
    rule(5321, "4.5.5", "Reports come from the null path, so no server may refuse it as such.");
pub(super) static TRANSACTION: Rule = rule(
    5321,
    "3.3",
    "MAIL begins a transaction, RCPT follows, and then DATA; otherwise it is 503.",
);
pub(super) static PATHS: Rule = rule(
    5321,
    "4.1.2",
    "A local part may be quoted, and what no path can be is refused as an error of syntax.",
);
pub(super) static ROUTE: Rule =
    rule(5321, "3.6.1", "Source routes are recognised, and ignored or declined.");
pub(super) static LOCAL_PART: Rule = rule(5321, "4.5.3.1.1", "A local part may have 64 octets.");
pub(super) static PARAMETERS: Rule =
    rule(5321, "4.1.1.11", "A parameter that is not known is refused with 555.");
pub(super) static LINE_ENDS: Rule =
    rule(5321, "2.3.8", "Only CR and LF together end a line; neither may be read as an end alone.");
pub(super) static REPLIES: Rule =
    rule(5321, "4.2.1", "A reply is a three-digit code, a space or hyphen, text and CRLF.");
pub(super) static RELAYING: Rule =
    rule(5321, "7.9", "Servers should be able to relay for known clients only.");
pub(super) static ATTACKS: Rule =
    rule(5321, "7.8", "A server may end the connection of one who does not mean mail.");
pub(super) static SIZE: Rule =
    rule(1870, "6.1", "A declared size above the server's limit is refused with 552.");
pub(super) static EIGHT_BIT: Rule =
    rule(1652, "3", "A server that offers 8BITMIME takes BODY=8BITMIME.");
pub(super) static STATUS: Rule = rule(
    2034,
    "4",
    "A server that offers enhanced status codes begins each reply of 2yz, 4yz and 5yz with one, but greetings.",
);
pub(super) static PIPELINING: Rule = rule(
    2920,
    "3.2",
    "A server that offers PIPELINING answers a group in order and loses nothing.",
);
pub(super) static START_TLS: Rule =
    rule(3207, "4", "STARTTLS has no parameters and gets 220, then the handshake.");
pub(super) static AFTER_TLS: Rule = rule(
    3207,
    "4.2",
    "After the handshake the server forgets what it was told, and does not offer STARTTLS again.",
);

pub(super) static CERTIFICATE: Rule = rule(
    3207,
    "4.1",
    "Both sides decide after the handshake whether the other is who it should be.",
);

/// The rules that servers are tried by.
pub const RULES: &[&Rule] = &[
    &GREETING,
    &ORDER,
    &HELLO,
    &CASE,
    &MINIMUM,
    &NOOP,
    &VRFY,
    &HELP,
    &UNKNOWN,
    &LINE,
    &LINE_TOO_LONG,
    &QUIT,
    &NULL_PATH,
    &TRANSACTION,
    &PATHS,
    &ROUTE,
    &LOCAL_PART,
    &PARAMETERS,
    &LINE_ENDS,
    &REPLIES,
    &RELAYING,
    &ATTACKS,
    &SIZE,
    &EIGHT_BIT,
    &STATUS,
    &PIPELINING,
    &START_TLS,
    &AFTER_TLS,
    &CERTIFICATE,
];
