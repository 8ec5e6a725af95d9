//! The rules of HTTP that the web server follows, each in our own words.

use pillarbox_engine::trace::Rule;

const fn rule(rfc: u16, section: &'static str, gist: &'static str) -> Rule {
    Rule { rfc, section, gist }
}

pub(super) static MESSAGE: Rule =
    rule(9112, "2.1", "A message is a start line, fields, an empty line, and perhaps a body.");
pub(super) static LEADING: Rule =
    rule(9112, "2.2", "A server skips an empty line in front of a request.");
// Stricter: a bare LF is refused, not repaired, as in mail.
pub(super) static LINE_END: Rule = rule(9112, "2.2", "Each line of the head ends with CRLF.");
pub(super) static VERSION: Rule =
    rule(9112, "2.3", "The version says how the message is to be read.");
pub(super) static REQUEST_LINE: Rule = rule(
    9112,
    "3",
    "A request line is a method, a target and the version, with one space between.",
);
pub(super) static METHOD: Rule = rule(9112, "3.1", "The method says what is to be done.");
pub(super) static TARGET: Rule =
    rule(9112, "3.2", "The target names the one object that is asked for.");
pub(super) static HOST: Rule = rule(9112, "3.2", "A request of HTTP/1.1 has exactly one Host.");
pub(super) static STATUS_LINE: Rule =
    rule(9112, "4", "A status line is the version, a code of three digits, and words for people.");
pub(super) static FIELD: Rule =
    rule(9112, "5", "A field is a name, a colon directly behind it, and a value.");
pub(super) static NO_BODY: Rule = rule(
    9112,
    "6",
    "A Content-Length or Transfer-Encoding says that a body follows; none is taken here.",
);
pub(super) static CONTENT_LENGTH: Rule = rule(
    9112,
    "6.2",
    "Content-Length says how many octets the body has, so that it needs no mark at its end.",
);
pub(super) static BODY_LENGTH: Rule = rule(
    9112,
    "6.3",
    "The body ends after as many octets as were said; any octet may stand in it.",
);
pub(super) static CLOSE: Rule =
    rule(9112, "9.6", "Who sends Connection: close ends the connection.");
pub(super) static CONTENT_TYPE: Rule =
    rule(9110, "8.3", "Content-Type says what the object is, as in mail.");
pub(super) static OK: Rule =
    rule(9110, "15.3.1", "200: the request was done, and here is what it gave.");
pub(super) static BAD: Rule = rule(9110, "15.5.1", "400: the request was not understood.");
pub(super) static NOT_FOUND: Rule = rule(9110, "15.5.5", "404: there is no such object.");
pub(super) static TOO_LARGE: Rule = rule(6585, "5", "431: the fields are too large.");

/// All of them.
pub const RULES: &[&Rule] = &[
    &MESSAGE,
    &LEADING,
    &LINE_END,
    &VERSION,
    &REQUEST_LINE,
    &METHOD,
    &TARGET,
    &HOST,
    &STATUS_LINE,
    &FIELD,
    &NO_BODY,
    &CONTENT_LENGTH,
    &BODY_LENGTH,
    &CLOSE,
    &CONTENT_TYPE,
    &OK,
    &BAD,
    &NOT_FOUND,
    &TOO_LARGE,
];
