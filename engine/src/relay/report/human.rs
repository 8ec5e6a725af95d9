//! The part for people: whom the mail did not reach, why in plain words, and what to do.
//! The sentences for each status are in `words`; nothing here is read by programs.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::types::{Expiry, ReportKind, Reported};
use super::Context;
use super::fields::{final_status, reply_lines};
use super::text::{address, printable};
use super::words::{Words, explain};
use crate::limits::{DOMAIN_MAX, REPORT_NAMED_MAX};
use crate::message::seven_bit::QuotedPrintable;
use crate::smtp::client::types::{Fate, Reply};
use crate::smtp::grammar::print_mailbox;
use crate::text::{date, words};

/// Columns of a line for people.
const COLUMNS: usize = 72;
/// Octets of a subject that is repeated.
const SUBJECT_MAX: usize = 200;
/// Lines of a server's reply that people are shown; all of them stand in the next part.
const REPLY_LINES_MAX: usize = 5;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The part with its own header.
pub(super) fn part(cx: &Context<'_>, told: &[&Reported]) -> Vec<u8> {
    let mut text = Text::default();
    opening(cx, told.len(), &mut text);
    for reported in told.iter().take(REPORT_NAMED_MAX) {
        recipient(cx, reported, &mut text);
    }
    if told.len() > REPORT_NAMED_MAX {
        let more = told.len() - REPORT_NAMED_MAX;
        text.paragraph(0, &format!("And {more} more; the next part names them all."));
    }
    closing(cx, &mut text);
    text.encode()
}

fn opening(cx: &Context<'_>, count: usize, text: &mut Text) {
    text.paragraph(0, &format!("This is the mail system at {}.", cx.host));
    let who = if count == 1 { "the recipient" } else { "the recipients" };
    let said = match cx.kind() {
        ReportKind::Failed => {
            format!("Your message could not be delivered to {who} below. It is not tried again.")
        }
        ReportKind::Delayed => {
            let until = cx.report.due.until_unix_ms.map(date::date_time);
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            format!(
                "Your message could not be delivered to {who} below yet. You need not do anything: it is tried \
                 again{until}, and you will hear of it if it fails for good."
            )
        }
        ReportKind::Delivered => {
            format!("Your message was delivered to {who} below, as you asked to be told.")
        }
        ReportKind::Relayed => format!(
            "Your message to {who} below was handed to the next server, which does not report whether it delivers \
             it. You asked to be told of delivery; this is the last that can be told."
        ),
    };
    text.paragraph(0, &said);
}

fn recipient(cx: &Context<'_>, reported: &Reported, text: &mut Text) {
    let Reported { recipient, tried, expired } = reported;
    text.line(0, &address(&print_mailbox(&recipient.forward_path)));
    let (reply, ours) = match &tried.fate {
        Fate::Accepted(reply) => (Some(reply), None),
        Fate::Failed(failure) | Fate::Deferred(failure) | Fate::Uncertain(failure) => {
            (failure.reply.as_ref(), Some(&failure.diagnosis))
        }
    };
    if matches!(cx.kind(), ReportKind::Failed | ReportKind::Delayed) {
        match expired {
            Some(Expiry::Lifetime) => {
                let waited = tried.at_unix_ms.saturating_sub(cx.report.came_unix_ms);
                text.line(
                    4,
                    &format!("It was tried for {} without success. At last:", span(waited)),
                );
            }
            Some(Expiry::Deadline) => {
                text.line(4, "The time that you set for its delivery is over. At last:");
            }
            None => {}
        }
        let status = final_status(&tried.fate, expired.filter(|of| *of == Expiry::Lifetime));
        let Words { why, advice } = explain(status);
        text.line(4, why);
        if cx.kind() == ReportKind::Failed {
            text.line(4, advice);
        }
    }
    match (reply, ours) {
        (Some(reply), _) => server_words(cx, tried.server.as_deref(), reply, text),
        (None, Some(ours)) => text.line(4, &format!("({})", printable(ours.as_bytes(), true, 200))),
        (None, None) => {}
    }
    text.blank();
}

fn server_words(cx: &Context<'_>, server: Option<&[u8]>, reply: &Reply, text: &mut Text) {
    let server = server.map(|name| printable(name, true, DOMAIN_MAX));
    let server = server.unwrap_or_else(|| String::from("The server"));
    let verb = match cx.kind() {
        ReportKind::Delivered | ReportKind::Relayed => "took it with",
        ReportKind::Failed | ReportKind::Delayed => "said",
    };
    text.line(4, &format!("{server} {verb}:"));
    for line in reply_lines(reply, true).iter().take(REPLY_LINES_MAX) {
        text.line(8, line);
    }
}

fn closing(cx: &Context<'_>, text: &mut Text) {
    text.line(0, "Your message:");
    if let Some(subject) = cx.original(b"Subject") {
        let subject = words::decode(&subject[..subject.len().min(SUBJECT_MAX * 4)]);
        text.line(4, &format!("Subject: {}", printable(subject.as_bytes(), true, SUBJECT_MAX)));
    }
    text.line(4, &format!("It came here on {}.", date::date_time(cx.report.came_unix_ms)));
    text.blank();
    let next = "The next part of this report says the same for programs; what is returned of your message follows it.";
    text.paragraph(0, next);
}

/// A span of time as people say it, rounded down, but to no less than a minute.
fn span(ms: u64) -> String {
    let (count, unit) = match ms {
        DAY_MS.. => (ms / DAY_MS, "day"),
        HOUR_MS.. => (ms / HOUR_MS, "hour"),
        _ => ((ms / MINUTE_MS).max(1), "minute"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Lines under way.
#[derive(Default)]
struct Text(String);

impl Text {
    fn paragraph(&mut self, indent: usize, text: &str) {
        self.line(indent, text);
        self.blank();
    }

    fn blank(&mut self) {
        self.0.push_str("\r\n");
    }

    /// One line, or more where it is too long.
    fn line(&mut self, indent: usize, text: &str) {
        let mut column = 0;
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let width = word.chars().count();
            if column > indent && column + 1 + width > COLUMNS {
                self.blank();
                column = 0;
            }
            let blanks = if column == 0 { indent } else { 1 };
            self.0.extend(core::iter::repeat_n(' ', blanks));
            self.0.push_str(word);
            column += blanks + width;
        }
        self.blank();
    }

    fn encode(self) -> Vec<u8> {
        let text = self.0.as_bytes();
        let fits =
            text.is_ascii() && text.split(|octet| *octet == b'\n').all(|line| line.len() < 80);
        if fits {
            return [b"Content-Type: text/plain; charset=us-ascii\r\n\r\n", text].concat();
        }
        let mut out = b"Content-Type: text/plain; charset=utf-8\r\n".to_vec();
        out.extend_from_slice(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n");
        let mut encoder = QuotedPrintable::default();
        encoder.take(text, &mut out);
        encoder.finish(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_as_people_say_them() {
        let cases = [
            (0, "1 minute"),
            (59 * MINUTE_MS, "59 minutes"),
            (HOUR_MS, "1 hour"),
            (23 * HOUR_MS, "23 hours"),
            (5 * DAY_MS + HOUR_MS, "5 days"),
        ];
        for (ms, said) in cases {
            assert_eq!(span(ms), said);
        }
    }
}
