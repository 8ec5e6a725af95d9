//! What a line means: the sentence of the engine's tables for it, with the section of the RFC that it stands in.

use pillarbox_engine::expected::Form;
use pillarbox_engine::{imap, pop3, smtp};

use super::Protocol;
use super::dialogue::{LineKind, Side, Told};

/// What a line means, as sentences; none of what explains itself.
pub(super) fn explained(protocol: Protocol, side: Side, line: &[u8], told: &Told) -> Vec<String> {
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default().to_uppercase();
    let second = words.next().unwrap_or_default().to_uppercase();
    let (commands, answers) = match protocol {
        Protocol::Smtp => (smtp::expected::COMMANDS, smtp::expected::REPLIES),
        Protocol::Pop3 => (pop3::expected::COMMANDS, pop3::expected::REPLIES),
        Protocol::Imap => (imap::expected::COMMANDS, imap::expected::RESPONSES),
    };
    let table = if side == Side::Client { commands } else { answers };
    let word = match (told.kind, protocol, side) {
        (LineKind::Text, ..) => return Vec::new(),
        (LineKind::Capability, Protocol::Pop3, _) => "capability",
        (LineKind::Capability, ..) => return Vec::new(),
        (LineKind::End, Protocol::Smtp, _) => "end of data",
        (LineKind::End, ..) => "end",
        (LineKind::Response, ..) if line == b"*" => "cancellation",
        (LineKind::Response, ..) => "response",
        (LineKind::Line, Protocol::Smtp, Side::Server) => return reply(answers, &text),
        (LineKind::Line, Protocol::Imap, Side::Server) => response(&first, &second),
        (LineKind::Line, Protocol::Imap, Side::Client) => second.as_str(),
        (LineKind::Line, ..) => first.as_str(),
    };
    table.iter().find(|form| form.word == word).map(sentence).into_iter().collect()
}

/// Which of the table's words a response of IMAP is.
fn response<'a>(first: &'a str, second: &'a str) -> &'a str {
    match (first, second) {
        ("+", _) => "+",
        ("*", "BYE") => "BYE",
        ("*", "PREAUTH") => "greeting",
        ("*", _) => "data",
        (_, word) => word,
    }
}

/// A reply of SMTP: what its code says, or else its first digit; and what its enhanced code says.
fn reply(answers: &'static [Form], text: &str) -> Vec<String> {
    let code = text.get(..3).unwrap_or_default();
    let known = answers.iter().find(|form| form.word == code).map(sentence);
    let class = match code.as_bytes().first() {
        Some(b'2') => "It was done.",
        Some(b'3') => "Go on: more is needed.",
        Some(b'4') => "It was not done; later it may be.",
        Some(b'5') => "It was not done, and trying the same again is no use.",
        _ => "This is no reply of SMTP: it begins with no digit from 2 to 5.",
    };
    let first = known.unwrap_or_else(|| format!("{class} (RFC 5321 §4.2.1)"));
    let more = (text.as_bytes().get(3) == Some(&b'-')).then(|| "more lines follow".to_owned());
    let enhanced = text.get(4..).and_then(|rest| rest.split_whitespace().next());
    let enhanced = enhanced.and_then(|status| enhanced_status(code, status));
    [Some(first), enhanced, more].into_iter().flatten().collect()
}

/// RFC 3463 §2, §3: `4.2.2` is put off (4), about the mailbox (2).
fn enhanced_status(code: &str, status: &str) -> Option<String> {
    let mut numbers = status.split('.').map(|number| number.parse::<u16>().ok());
    let numbers = (numbers.next()??, numbers.next()??, numbers.next()??, numbers.next());
    // RFC 2034 §4: its class is the first digit of the code.
    let (class, subject, _, rest) = numbers;
    if rest.is_some() || !code.starts_with(&class.to_string()) || subject > 7 {
        return None;
    }
    let about = match subject {
        1 => "the address",
        2 => "the mailbox",
        3 => "the mail system",
        4 => "the network and routes",
        5 => "the protocol",
        6 => "the content",
        7 => "security or policy",
        _ => "nothing in particular",
    };
    Some(format!("{status}: it is about {about} (RFC 3463 §3.{})", subject + 1))
}

fn sentence(form: &Form) -> String {
    format!("{} (RFC {} §{})", form.rule.gist, form.rule.rfc, form.rule.section)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(protocol: Protocol, side: Side, kind: LineKind, line: &str) -> Vec<String> {
        explained(protocol, side, line.as_bytes(), &Told { kind, shown: Vec::new() })
    }

    #[test]
    fn commands_and_answers_are_explained() {
        let smtp = |side, line| of(Protocol::Smtp, side, LineKind::Line, line);
        let said = smtp(Side::Client, "rcpt TO:<bob@hamburger.edu>");
        assert_eq!(said, ["Name a recipient, one for each command. (RFC 5321 §4.1.1.3)"]);
        let said = smtp(Side::Server, "550 5.1.1 Nobody");
        assert!(said[0].ends_with("§4.2.3)"), "{said:?}");
        assert_eq!(said[1], "5.1.1: it is about the address (RFC 3463 §3.2)");
        let said = smtp(Side::Server, "299-what");
        assert_eq!(said, ["It was done. (RFC 5321 §4.2.1)", "more lines follow"]);
        assert!(smtp(Side::Server, "+OK")[0].contains("no reply of SMTP"));
        assert!(smtp(Side::Server, "250 2.1.1.1 x").len() == 1, "that is no status code");
        let pop3 = of(Protocol::Pop3, Side::Server, LineKind::Line, "+OK");
        assert_eq!(pop3, ["Done. (RFC 1939 §3)"]);
        let imap = |side, line| of(Protocol::Imap, side, LineKind::Line, line);
        assert!(imap(Side::Client, "a fetch 1 FLAGS")[0].ends_with("(RFC 9051 §6.4.5)"));
        assert!(imap(Side::Server, "* 3 EXISTS")[0].starts_with("Data, or news"));
        assert!(imap(Side::Server, "a NO it failed")[0].ends_with("(RFC 9051 §7.1.2)"));
        assert!(of(Protocol::Imap, Side::Server, LineKind::Text, "* x").is_empty());
        let end = of(Protocol::Smtp, Side::Client, LineKind::End, ".");
        assert_eq!(end, ["A dot alone ends the message. (RFC 5321 §4.1.1.4)"]);
    }
}
