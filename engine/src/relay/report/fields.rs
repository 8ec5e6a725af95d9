//! The part for programs: `message/delivery-status` (RFC 3464 §2), or its UTF-8 form (RFC 6533 §4.1).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::settle::status;
use super::super::types::{Expiry, ReportKind, Reported};
use super::Context;
use super::text::{Field, address, embed, printable, unembed};
use crate::limits::REPORT_WORDS_MAX;
use crate::smtp::client::types::{EnhancedStatus, Failure, Fate, Reply};
use crate::smtp::grammar::print_mailbox;
use crate::text::date;

/// Octets of ENVID and of the queue's name for a message: RFC 3461 §5.4 has 100, and encoded they are shorter.
const ENVID_MAX: usize = 300;

/// The part with its own header, and whether it is the UTF-8 form.
pub(super) fn part(cx: &Context<'_>, told: &[&Reported]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    per_message(cx, &mut content);
    for reported in told {
        content.extend_from_slice(b"\r\n");
        per_recipient(cx, reported, &mut content);
    }
    let global = !content.is_ascii();
    let label = if global { "global-delivery-status" } else { "delivery-status" };
    let mut out = format!("Content-Type: message/{label}\r\n").into_bytes();
    if global {
        out.extend_from_slice(b"Content-Transfer-Encoding: 8bit\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.append(&mut content);
    (out, global)
}

/// RFC 3464 §2.2
fn per_message(cx: &Context<'_>, out: &mut Vec<u8>) {
    let report = cx.report;
    if let Some(envid) = &report.mail.envid {
        let envid = printable(envid, cx.utf8, ENVID_MAX);
        Field::new("Original-Envelope-Id").words(&envid).end(out);
    }
    // RFC 3461 §6.3 (b): a name that DNS does not know is not given out as one that it knows.
    let known = cx.host.contains('.') || cx.host.starts_with('[');
    let name_type = if known { "dns" } else { "x-local-hostname" };
    Field::new("Reporting-MTA").words(&format!("{name_type}; {}", cx.host)).end(out);
    Field::new("Arrival-Date").words(&date::date_time(report.came_unix_ms)).end(out);
}

/// RFC 3464 §2.3
fn per_recipient(cx: &Context<'_>, reported: &Reported, out: &mut Vec<u8>) {
    let Reported { recipient, tried, expired } = reported;
    if let Some(orcpt) = &recipient.orcpt {
        Field::new("Original-Recipient").words(&original_recipient(orcpt, cx.utf8)).end(out);
    }
    let path = address(&print_mailbox(&recipient.forward_path));
    Field::new("Final-Recipient").words(&typed_address(&path, cx.utf8)).end(out);
    Field::new("Action").words(action(cx.kind())).end(out);
    Field::new("Status").words(&print_status(final_status(&tried.fate, *expired))).end(out);
    let (reply, failure) = match &tried.fate {
        Fate::Accepted(reply) => (Some(reply), None),
        Fate::Failed(failure) | Fate::Deferred(failure) | Fate::Uncertain(failure) => {
            (failure.reply.as_ref(), Some(failure))
        }
    };
    // RFC 3464 §2.3.6: who named the server is said to have had the words from there.
    if let (Some(server), Some(_)) = (&tried.server, reply) {
        let server = printable(server, false, crate::limits::DOMAIN_MAX);
        Field::new("Remote-MTA").words(&format!("dns; {server}")).end(out);
    }
    diagnostic(cx, reply, failure, out);
    Field::new("Last-Attempt-Date").words(&date::date_time(tried.at_unix_ms)).end(out);
    if let Some(log_id) = &cx.report.log_id {
        let log_id = printable(log_id, cx.utf8, ENVID_MAX);
        Field::new("Final-Log-ID").words(&log_id).end(out);
    }
    if let (ReportKind::Delayed, Some(until)) = (cx.kind(), cx.report.due.until_unix_ms) {
        Field::new("Will-Retry-Until").words(&date::date_time(until)).end(out);
    }
}

fn action(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Failed => "failed",
        ReportKind::Delayed => "delayed",
        ReportKind::Delivered => "delivered",
        ReportKind::Relayed => "relayed",
    }
}

/// RFC 3464 §2.3.3: who gives up after many tries says with `4` why none of them went well. Only the sender's own deadline
/// is a reason of its own, and that one is final.
pub(super) fn final_status(fate: &Fate, expired: Option<Expiry>) -> EnhancedStatus {
    match expired {
        Some(Expiry::Deadline) => EnhancedStatus { class: 5, subject: 4, detail: 7 },
        Some(Expiry::Lifetime) | None => status(fate),
    }
}

pub(super) fn print_status(status: EnhancedStatus) -> String {
    format!("{}.{}.{}", status.class, status.subject, status.detail)
}

/// RFC 3464 §2.3.6, RFC 3461 §9.2: the server's reply line by line, or our own words where it said nothing.
fn diagnostic(
    cx: &Context<'_>,
    reply: Option<&Reply>,
    failure: Option<&Failure>,
    out: &mut Vec<u8>,
) {
    let field = Field::new("Diagnostic-Code");
    match (reply, failure) {
        (Some(reply), _) => {
            let lines = reply_lines(reply, cx.utf8);
            let (first, rest) = lines.split_first().expect("a reply prints as one line at least");
            let field = field.words(&format!("smtp; {first}"));
            rest.iter().fold(field, |field, line| field.line(line)).end(out);
        }
        (None, Some(failure)) => {
            let words = printable(failure.diagnosis.as_bytes(), cx.utf8, REPORT_WORDS_MAX);
            field.words(&format!("X-Pillarbox; {words}")).end(out);
        }
        (None, None) => {}
    }
}

/// A reply as the server said it, as much as a report repeats; at least one line.
pub(super) fn reply_lines(reply: &Reply, utf8: bool) -> Vec<String> {
    let status = reply.status.map(|status| print_status(status) + " ").unwrap_or_default();
    let mut left = REPORT_WORDS_MAX;
    let mut texts: Vec<String> = Vec::new();
    for line in &reply.lines {
        let text = printable(line, utf8, left);
        left = left.saturating_sub(text.len());
        texts.push(text);
        if left == 0 {
            break;
        }
    }
    if texts.is_empty() {
        texts.push(String::new());
    }
    let last = texts.len() - 1;
    let lines = texts.into_iter().enumerate().map(|(number, text)| {
        let mark = if number == last { ' ' } else { '-' };
        String::from(format!("{}{mark}{status}{text}", reply.code).trim_end())
    });
    lines.collect()
}

/// `address-type ";" generic-address`
fn typed_address(path: &str, utf8: bool) -> String {
    match (path.is_ascii(), utf8) {
        (true, _) => format!("rfc822; {path}"),
        (false, true) => format!("utf-8; {path}"),
        (false, false) => format!("utf-8; {}", embed(path)),
    }
}

/// ORCPT as the sender gave it; a UTF-8 address in the form that this report has for it (RFC 6533 §4.1).
fn original_recipient(orcpt: &[u8], utf8: bool) -> String {
    let text = address(orcpt);
    let (kind, path) = text.split_once(';').unwrap_or(("unknown", &text));
    let atom = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
    let kind = if !kind.is_empty() && kind.bytes().all(atom) { kind } else { "unknown" };
    if !kind.eq_ignore_ascii_case("utf-8") {
        let path =
            if utf8 { String::from(path) } else { printable(path.as_bytes(), false, usize::MAX) };
        return format!("{kind}; {path}");
    }
    // What is not of the form stays as it is.
    let plain = unembed(path).filter(|plain| address(plain.as_bytes()) == *plain);
    match (plain, utf8) {
        (Some(plain), true) => format!("{kind}; {plain}"),
        (Some(plain), false) => format!("{kind}; {}", embed(&plain)),
        (None, _) => format!("{kind}; {}", printable(path.as_bytes(), utf8, usize::MAX)),
    }
}
