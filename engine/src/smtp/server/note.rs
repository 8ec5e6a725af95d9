//! What a reader is told of a command line: its parts as the parser noted them, and what lies between.

use super::envelope::SPACE;
use crate::role::{Cx, Line, Role};
use crate::smtp::grammar::{Part, Parts};

/// Whether a line may hold credentials, however wrong it is.
pub(in crate::smtp) fn is_secret(line: &Line) -> bool {
    let text = line.octets.trim_ascii_start();
    text.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"))
}

/// Notes every octet of a command line.
pub(in crate::smtp) fn note_command<R: Role>(cx: &mut Cx<R>, line: &Line, parts: &Parts) {
    if !cx.tracing() {
        return;
    }
    let secret = is_secret(line);
    if secret && line.octets.get(4).is_some_and(|&octet| octet != b' ') {
        // Not AUTH, but perhaps meant to be: it is taken for credentials as a whole.
        cx.note_secret(line.start, line.end - 2, "unparsed");
    } else {
        let (mut at, mut last) = (0, "");
        for Part { start, end, label } in parts.iter() {
            note_gap(cx, line, at, start, secret);
            if at < start && matches!(last, "FROM:" | "TO:") {
                cx.note_defect(&SPACE);
            }
            last = label;
            cx.note_received(line.start + start as u64, line.start + end as u64, label, None);
            at = end;
        }
        note_gap(cx, line, at, line.octets.len(), secret);
    }
    cx.note_received(line.end - 2, line.end, "CRLF", None);
}

/// White space, and then what was not understood; after the mechanism of AUTH, what nobody may see.
fn note_gap<R: Role>(cx: &mut Cx<R>, line: &Line, start: usize, end: usize, secret: bool) {
    let gap = &line.octets[start..end];
    let space = gap.len() - gap.trim_ascii_start().len();
    let (start, end) = (line.start + start as u64, line.start + end as u64);
    let text = start + space as u64;
    if start < text {
        cx.note_received(start, text, "SP", None);
    }
    if text < end && secret {
        cx.note_secret(text, end, "initial response");
    } else if text < end {
        cx.note_received(text, end, "unparsed", None);
    }
}
