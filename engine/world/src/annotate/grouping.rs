//! Which labels begin and end a line, and which stand together in a group: knowledge of labels alone, as data.
//! That a group is what the grammar calls so follows from the parser's own spans; nothing is parsed again here.

use super::Grade;
use crate::catalogue::{Party, Protocol};

/// Labels of a message's octets on their way.
pub(super) fn is_content(label: &str) -> bool {
    matches!(
        label,
        "text line" | "stuffed dot" | "text lines" | "message" | "chunk" | "end of data"
    )
}

/// What a line is, by who wrote it and what it begins with.
pub(super) fn line(protocol: Protocol, from: Party, first: &str) -> &'static str {
    if protocol == Protocol::Http {
        return match first {
            "method" => "request line",
            "http-version" => "status line",
            "field-name" => "field line",
            "message body" => "object",
            "form-field" => "form line",
            _ => "end of head",
        };
    }
    match (from, first) {
        (Party::Client, label) if is_content(label) => "message content",
        (Party::Client, "response" | "base64" | "cancellation") => "SASL response",
        (Party::Client, _) => "command line",
        (Party::Server, "tag") => "tagged response",
        (Party::Server, "untagged") => "untagged response",
        (Party::Server, "continue-req" | "continuation") => "continuation request",
        (Party::Server, _) => match protocol {
            Protocol::Imap => "untagged response",
            Protocol::Smtp | Protocol::Pop3 | Protocol::Http => "reply",
        },
    }
}

/// Whether a span ends a line of octets. Of what is no line (a chunk, a message given whole) the end counts as one: what
/// follows begins anew.
pub(super) fn ends_line(label: &str, octets: &[u8]) -> bool {
    match label {
        "CRLF" | "text line" | "end of data" | "chunk" | "message" | "text lines" => true,
        "message body" | "form-field" => true,
        "literal head" | "literal" => false,
        _ => octets.last() == Some(&b'\n'),
    }
}

/// The groups that a label belongs to.
const PATH: &str = "path";
const ADDRESS: &str = "address";
const PARAMETER: &str = "parameter";
const ATTRIBUTE: &str = "attribute";
const LIST: &str = "list";
const ROW: &str = "row";
const CONTENT: &str = "message content";

/// The group that a span begins, inside this one; `row` says that it begins a further line of a reply.
pub(super) fn begins(inside: &str, label: &str, row: bool) -> Option<&'static str> {
    let group = match label {
        "angle bracket" if inside != PATH => PATH,
        "local part" => ADDRESS,
        "parameter keyword" => PARAMETER,
        "attribute name" => ATTRIBUTE,
        "opening parenthesis" => LIST,
        "end of response" | "CRLF" | "end of data" => return None,
        label if is_content(label) => CONTENT,
        _ if row => ROW,
        _ => return None,
    };
    (inside != group || group == LIST).then_some(group)
}

/// Whether a group is over before this span.
pub(super) fn ends_before(group: &str, label: &str, line_ended: bool) -> bool {
    match group {
        ADDRESS => !matches!(label, "at sign" | "domain" | "address literal"),
        PARAMETER | ATTRIBUTE => {
            !matches!(label, "equals sign" | "parameter value" | "attribute value")
        }
        PATH => matches!(label, "SP" | "CRLF" | "unparsed"),
        LIST => label == "CRLF",
        ROW | "reply line" => line_ended,
        CONTENT => !is_content(label),
        _ => false,
    }
}

/// Whether a group is over with this span; `group` was the innermost before it.
pub(super) fn ends_with(group: &str, label: &str) -> bool {
    matches!((group, label), (PATH, "angle bracket") | (LIST, "closing parenthesis"))
}

/// What a status says of the command: `None` for labels that are no status.
pub(super) fn verdict(label: &str, octets: &[u8]) -> Option<Grade> {
    match (label, octets.first()?.to_ascii_uppercase()) {
        ("status-code", b'4' | b'5') => Some(Grade::Error),
        ("status-code", _) => Some(Grade::Ok),
        ("reply code", b'4') => Some(Grade::Warning),
        ("reply code", b'5') => Some(Grade::Error),
        ("reply code", _) => Some(Grade::Ok),
        ("status", b'-') => Some(Grade::Error),
        ("status", b'N') => Some(Grade::Warning),
        ("status", b'B')
            if octets.get(1).is_some_and(|octet| octet.eq_ignore_ascii_case(&b'a')) =>
        {
            Some(Grade::Error)
        }
        ("status", b'B') => Some(Grade::Info),
        ("status", _) => Some(Grade::Ok),
        _ => None,
    }
}

/// Labels of lines and groups: those of annotations that no span has.
pub const LABELS: &[&str] = &[
    "command line",
    "SASL response",
    CONTENT,
    "reply",
    "reply line",
    "tagged response",
    "untagged response",
    "continuation request",
    "skipped",
    "request line",
    "status line",
    "field line",
    "end of head",
    "object",
    "form line",
    PATH,
    ADDRESS,
    PARAMETER,
    ATTRIBUTE,
    LIST,
    ROW,
];
