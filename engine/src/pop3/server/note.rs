//! What a reader is told of a command line; what may be a secret is masked, however wrong the line is.

use super::Server;
use crate::role::{Cx, Line};

/// Whether what follows a verb is a secret.
fn is_secret_verb(verb: &[u8]) -> bool {
    [&b"PASS"[..], b"APOP", b"AUTH"].iter().any(|secret| verb.eq_ignore_ascii_case(secret))
}

/// Whether a line may hold a secret.
pub(super) fn is_secret(line: &Line) -> bool {
    line.octets.get(..4).is_some_and(is_secret_verb)
}

/// Notes a command's parts.
pub(super) fn note_command(cx: &mut Cx<Server>, line: &Line) {
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
        let verb_end = line.start + verb.len() as u64;
        let argument = (verb_end + 1).min(end);
        cx.note_received(line.start, verb_end, "verb", None);
        cx.note_received(verb_end, argument, "SP", None);
        if secret {
            cx.note_secret(argument, end, "secret argument");
        } else {
            cx.note_received(argument, end, "argument", None);
        }
    }
    cx.note_received(end, line.end, "CRLF", None);
}
