//! Every command in every state gets the reply that its RFC asks for.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Config, Extensions, Service};
use pillarbox_engine::types::TlsOffer;
use smtp_host::*;

/// Replies in: Connected, Greeted, MailGiven, RcptGiven, Chunking (between two chunks), and Greeted after a login.
type Row = (&'static str, [u16; 6]);

const TABLE: [Row; 36] = [
    // RFC 5321 §4.1.4: EHLO is allowed at any time and resets; §4.1.1.5 RSET; §4.1.1.9 NOOP; §4.1.1.10 QUIT.
    ("EHLO a.b", [250; 6]),
    ("HELO a.b", [250; 6]),
    ("EHLO", [501; 6]),
    ("RSET", [250; 6]),
    ("RSET x", [501; 6]),
    ("NOOP", [250; 6]),
    ("NOOP x y", [250; 6]),
    ("QUIT", [221; 6]),
    ("QUIT now", [501; 6]),
    ("HELP", [214; 6]),
    // RFC 5321 §3.5.3: VRFY is not disclosed, and may come before EHLO (§4.1.4).
    ("VRFY bob", [252; 6]),
    ("EXPN staff", [252; 6]),
    ("VRFY", [501; 6]),
    // RFC 5321 §4.1.1.2, §4.1.4: one MAIL a transaction.
    ("MAIL FROM:<a@b.c>", [503, 250, 503, 503, 503, 250]),
    ("MAIL FROM:a@b.c", [501; 6]),
    ("MAIL FROM:<a@b.c> FOO=1", [555; 6]),
    ("MAIL FROM:<a@b.c> SIZE=99999999999999", [503, 552, 503, 503, 503, 552]),
    ("RCPT TO:<bob@hamburger.edu>", [503, 503, 250, 250, 503, 503]),
    ("RCPT TO:<x@other.org>", [503, 503, 550, 550, 503, 503]),
    ("RCPT TO:<>", [501; 6]),
    ("DATA", [503, 503, 503, 354, 503, 503]),
    ("DATA x", [501; 6]),
    // RFC 3030 §2.
    ("BDAT 0", [503, 503, 503, 250, 250, 503]),
    ("BDAT -1", [501; 6]),
    // RFC 4954 §4, RFC 3207 §4.
    ("AUTH PLAIN AGFubgBzM2NyZXQ=", [503, 235, 503, 503, 503, 503]),
    ("AUTH FOO", [503, 504, 503, 503, 503, 503]),
    ("STARTTLS", [220, 220, 503, 503, 503, 503]),
    ("LHLO a.b", [500; 6]),
    // RFC 1985 §5: not in a transaction; the host of these tests allows nobody.
    ("ETRN a.b", [503, 459, 503, 503, 503, 459]),
    ("ETRN @a.b", [503, 459, 503, 503, 503, 459]),
    ("ETRN #q", [503, 459, 503, 503, 503, 459]),
    ("ETRN", [501; 6]),
    ("ETRN localname", [501; 6]),
    ("XCLIENT NAME=a.b", [500; 6]),
    // RFC 5321 §4.2.4: not recognized.
    ("FOO", [500; 6]),
    ("", [500; 6]),
];

/// A session in each state of the table.
fn states(config: &Config) -> [Talk; 6] {
    let reach = |lines: &[&str]| {
        let mut talk = Talk::new(config.clone());
        talk.say(b"");
        for line in lines {
            let reply = talk.line(line);
            assert!(reply.starts_with('2'), "{line}: {reply}");
        }
        talk
    };
    let (hello, mail, rcpt) = ("EHLO a", "MAIL FROM:<a@b.c>", "RCPT TO:<bob@hamburger.edu>");
    [
        reach(&[]),
        reach(&[hello]),
        reach(&[hello, mail]),
        reach(&[hello, mail, rcpt]),
        reach(&[hello, mail, rcpt, "BDAT 0"]),
        reach(&[hello, "AUTH PLAIN AGFubgBzM2NyZXQ="]),
    ]
}

#[test]
fn every_command_in_every_state() {
    let config = Config { tls: TlsOffer::Upgrade, ..config() };
    for (command, expected) in TABLE {
        for (state, (mut talk, expected)) in states(&config).into_iter().zip(expected).enumerate() {
            let reply = talk.line(command);
            let codes = codes(reply.as_bytes());
            assert_eq!(codes, [expected], "{command:?} in state {state}: {reply}");
            // A refusal changes nothing, so what was right before still is.
            if expected >= 400 && !talk.closed {
                let next = [
                    "EHLO a",
                    "MAIL FROM:<a@b.c>",
                    "RCPT TO:<bob@hamburger.edu>",
                    "DATA",
                    "BDAT 0 LAST",
                    "MAIL FROM:<a@b.c>",
                ][state];
                let code = [250, 250, 250, 354, 554, 250][state];
                let reply = talk.line(next);
                assert_eq!(smtp_host::codes(reply.as_bytes()), [code], "{command:?}, {state}");
            }
        }
    }
}

#[test]
fn every_reply_has_the_form_that_it_should() {
    for enhanced in [true, false] {
        let extensions = Extensions { enhanced_status_codes: enhanced, ..config().extensions };
        let config = Config { extensions, ..config() };
        for (command, _) in TABLE {
            for mut talk in states(&config) {
                let reply = talk.line(command);
                let lines: Vec<_> = reply.split_inclusive("\r\n").collect();
                for (at, line) in lines.iter().enumerate() {
                    assert!(line.len() <= 512 && line.ends_with("\r\n"), "{line}");
                    assert!(
                        line.bytes().all(|o| o == b'\r' || o == b'\n' || (32..127).contains(&o))
                    );
                    let separator = if at + 1 < lines.len() { "-" } else { " " };
                    assert_eq!((&line[..3], &line[3..4]), (&reply[..3], separator), "{reply}");
                }
                // RFC 2034 §4: all but the greeting's kind and 3yz carry a code of the same class.
                let class = &reply[..1];
                let plain = class == "3" || command.contains("LO a.b") && class == "2";
                let has = reply[4..].starts_with(&format!("{class}."));
                assert_eq!(has, enhanced && !plain, "{command:?}: {reply}");
            }
        }
    }
}

#[test]
fn submission_wants_a_login_and_lmtp_its_own_hello() {
    let mut talk =
        Talk::greeted(Config { service: Service::Submission, auth_required: true, ..config() });
    assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("530 5.7.0 "));
    assert!(talk.asks.is_empty(), "the host is not asked before the login");
    assert!(talk.line("AUTH PLAIN AGFubgBzM2NyZXQ=").starts_with("235 "));
    assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("250 "));
    let mut talk = Talk::greeted(Config { service: Service::Lmtp, ..config() });
    // RFC 2033 §4.1: EHLO and HELO must not be accepted.
    assert!(talk.line("EHLO a").starts_with("500 "));
    assert!(talk.line("HELO a").starts_with("500 "));
    assert!(talk.line("LHLO a").starts_with("250-"));
}
