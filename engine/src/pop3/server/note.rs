//! What a reader is told of a command line; what may be a secret is masked, however wrong the line is.

use crate::pop3::grammar::{Command, parse, parts};
use crate::role::{Cx, Line, Role};
use crate::trace::Part;

/// Whether what follows a verb is a secret.
fn is_secret_verb(verb: &[u8]) -> bool {
    [&b"PASS"[..], b"APOP", b"AUTH"].iter().any(|secret| verb.eq_ignore_ascii_case(secret))
}

/// Whether a line may hold a secret.
pub(in crate::pop3) fn is_secret(line: &Line) -> bool {
    line.octets.trim_ascii_start().get(..4).is_some_and(is_secret_verb)
}

/// Notes a command's parts.
pub(in crate::pop3) fn note_command<R: Role>(cx: &mut Cx<R>, line: &Line) {
    if !cx.tracing() {
        return;
    }
    let end = line.end - 2;
    let space = line.octets.iter().position(|&octet| octet == b' ');
    let verb = &line.octets[..space.unwrap_or(line.octets.len())];
    let secret = is_secret(line);
    if secret && !is_secret_verb(verb) {
        // Not one of the verbs, but perhaps meant to be: it is taken for a secret as a whole.
        cx.note_secret(line.start, end, "unparsed");
    } else {
        let parts = parts(&line.octets);
        // Without a digest behind it, the name of APOP may be a password that stands in the wrong place.
        let named = matches!(parse(&line.octets), Ok(Command::Apop(..)));
        for Part { start, end, label } in parts {
            let (start, end) = (line.start + start as u64, line.start + end as u64);
            let open = matches!(label, "verb" | "SP" | "mechanism") || start == line.start;
            // An argument more may be what the user took for one secret.
            if secret && !open && !(named && label == "user name") {
                cx.note_secret(start, end, label);
            } else {
                cx.note_received(start, end, label, None);
            }
        }
    }
    cx.note_received(end, line.end, "CRLF", None);
}
