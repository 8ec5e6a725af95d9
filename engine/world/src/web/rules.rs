//! The rules of HTTP that both sides follow, each in our own words.

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
pub(super) static LENGTH_REQUIRED: Rule =
    rule(9110, "15.5.12", "411: a body is taken only with its length said before, not in chunks.");
pub(super) static BODY_TOO_LARGE: Rule =
    rule(9110, "15.5.14", "413: the body is larger than is taken here.");
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
pub(super) static FORM: Rule =
    rule(9110, "9.3.3", "POST brings what a form says, for the target to do something with it.");
static LOCATION: Rule = rule(9110, "10.2.2", "Location says where to look instead.");
static ALLOW: Rule = rule(9110, "10.2.1", "Allow says which methods the target takes.");
pub(super) static COOKIE: Rule = rule(
    6265,
    "4.2",
    "The browser shows again what it was given, with every request to the same host.",
);
static SET_COOKIE: Rule = rule(
    6265,
    "4.1",
    "The server gives the browser something to show again; so it knows who asks.",
);
static OK: Rule = rule(9110, "15.3.1", "200: the request was done, and here is what it gave.");
static SEE_OTHER: Rule = rule(
    9110,
    "15.4.4",
    "303: it was done, and what to look at next is elsewhere, to be asked for with GET.",
);
static BAD: Rule = rule(9110, "15.5.1", "400: the request was not understood.");
static FORBIDDEN: Rule = rule(9110, "15.5.4", "403: it was understood, and is not allowed.");
static NOT_FOUND: Rule = rule(9110, "15.5.5", "404: there is no such object.");
static NOT_ALLOWED: Rule = rule(9110, "15.5.6", "405: the target takes other methods.");
static UNPROCESSABLE: Rule =
    rule(9110, "15.5.21", "422: the form was read, and what it says cannot be done.");
pub(super) static TOO_LARGE: Rule = rule(6585, "5", "431: the fields are too large.");
static FAILED: Rule = rule(9110, "15.6.1", "500: the server could not do it.");
static NOT_IMPLEMENTED: Rule = rule(9110, "15.6.2", "501: the method is not known here.");
static UNAVAILABLE: Rule = rule(9110, "15.6.4", "503: not now; later it may work.");

/// The words for a status, and its rule.
pub(super) fn of_status(status: u16) -> (&'static str, &'static Rule) {
    match status {
        200 => ("OK", &OK),
        303 => ("See Other", &SEE_OTHER),
        400 => ("Bad Request", &BAD),
        403 => ("Forbidden", &FORBIDDEN),
        404 => ("Not Found", &NOT_FOUND),
        405 => ("Method Not Allowed", &NOT_ALLOWED),
        411 => ("Length Required", &LENGTH_REQUIRED),
        413 => ("Content Too Large", &BODY_TOO_LARGE),
        422 => ("Unprocessable Content", &UNPROCESSABLE),
        431 => ("Request Header Fields Too Large", &TOO_LARGE),
        500 => ("Internal Server Error", &FAILED),
        501 => ("Not Implemented", &NOT_IMPLEMENTED),
        503 => ("Service Unavailable", &UNAVAILABLE),
        505 => ("HTTP Version Not Supported", &VERSION),
        // RFC 9110 §15: of a status that nobody knows, the first digit says enough.
        _ => ("", &STATUS_LINE),
    }
}

/// The rule for a field of this name, in lower case.
pub(super) fn of_field(name: &str) -> &'static Rule {
    match name {
        "host" => &HOST,
        "cookie" => &COOKIE,
        "set-cookie" => &SET_COOKIE,
        "location" => &LOCATION,
        "allow" => &ALLOW,
        _ => &FIELD,
    }
}

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
    &LENGTH_REQUIRED,
    &BODY_TOO_LARGE,
    &CONTENT_LENGTH,
    &BODY_LENGTH,
    &CLOSE,
    &CONTENT_TYPE,
    &FORM,
    &LOCATION,
    &ALLOW,
    &COOKIE,
    &SET_COOKIE,
    &OK,
    &SEE_OTHER,
    &BAD,
    &FORBIDDEN,
    &NOT_FOUND,
    &NOT_ALLOWED,
    &UNPROCESSABLE,
    &TOO_LARGE,
    &FAILED,
    &NOT_IMPLEMENTED,
    &UNAVAILABLE,
];
