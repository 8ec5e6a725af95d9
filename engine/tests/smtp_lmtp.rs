//! LMTP (RFC 2033): after the data one reply for each recipient that was taken, however the data came.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Answer, Ask, Committed, Config, Event, Service};
use pillarbox_engine::types::{Reason, Refusal};
use smtp_host::*;

fn lmtp() -> Talk {
    Talk::greeted(Config { service: Service::Lmtp, ..config() })
}

/// Three recipients that are taken, the first twice, and one that is not.
const ENVELOPE: &[u8] = b"MAIL FROM:<a@b.c>\r\nRCPT TO:<a@hamburger.edu>\r\n\
    RCPT TO:<x@other.org>\r\nRCPT TO:<b@hamburger.edu>\r\nRCPT TO:<a@hamburger.edu>\r\n";

/// The message by DATA, by one chunk, and by several of which the last is empty.
fn ways() -> [Vec<u8>; 3] {
    let text = b"a: b\r\n\r\nwords\r\n";
    [
        [&b"DATA\r\n"[..], text, b".\r\n"].concat(),
        [format!("BDAT {} LAST\r\n", text.len()).as_bytes(), text].concat(),
        [b"BDAT 6\r\n", &text[..6], b"BDAT 9\r\n", &text[6..], b"BDAT 0 LAST\r\n"].concat(),
    ]
}

/// Says it, for DATA in two steps, and gives the codes that follow the last octet.
fn say(talk: &mut Talk, way: &[u8]) -> Vec<u16> {
    assert_eq!(codes(&talk.say(ENVELOPE)), [250, 250, 550, 250, 250]);
    if let Some(text) = way.strip_prefix(b"DATA\r\n") {
        assert_eq!(codes(&talk.say(b"DATA\r\n")), [354]);
        return codes(&talk.say(text));
    }
    let chunks = way.windows(4).filter(|four| *four == b"BDAT").count();
    let mut said = codes(&talk.say(way));
    said.drain(..chunks - 1).for_each(|code| assert_eq!(code, 250));
    said
}

#[test]
fn one_reply_for_each_recipient_in_order() {
    for way in ways() {
        let mut talk = lmtp();
        assert_eq!(say(&mut talk, &way), [250, 250, 250]);
        let to: Vec<_> =
            talk.messages[0].0.iter().map(|to| to.forward_path.local_part.clone()).collect();
        assert_eq!(to, [b"a", b"b", b"a"]);
        assert!(talk.line("NOOP").starts_with("250 "), "and nothing more");
    }
}

#[test]
fn each_has_its_own_fate() {
    for way in ways() {
        let mut talk = lmtp();
        talk.judge = |ask| match ask {
            Ask::Commit(_) => Some(Answer::Committed(Committed {
                id: b"m".to_vec(),
                fates: vec![
                    Some(Refusal::new(Reason::OverQuota)),
                    None,
                    Some(Refusal::new(Reason::NotFound)),
                ],
            })),
            _ => None,
        };
        assert_eq!(say(&mut talk, &way), [452, 250, 550]);
        assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("250 "));
    }
}

#[test]
fn a_refusal_of_the_whole_is_said_to_each() {
    let refuse_commit: fn(&Ask) -> Option<Answer> = |ask| {
        let refusal = Answer::Refused(Refusal::new(Reason::StorageFailed));
        matches!(ask, Ask::Commit(_)).then_some(refusal)
    };
    for way in ways() {
        let mut talk = lmtp();
        talk.judge = refuse_commit;
        assert_eq!(say(&mut talk, &way), [451, 451, 451]);
        assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("250 "));
    }
}

#[test]
fn chunks_behind_a_refused_one_are_answered_as_they_are_waited_for() {
    let refuse_chunk: fn(&Ask) -> Option<Answer> = |ask| {
        let refusal = Answer::Refused(Refusal::new(Reason::StorageFull));
        matches!(ask, Ask::Chunk(_)).then_some(refusal)
    };
    for (service, last) in [(Service::Lmtp, &[452, 452, 452][..]), (Service::Smtp, &[452])] {
        let mut talk = Talk::greeted(Config { service, ..config() });
        talk.judge = refuse_chunk;
        talk.say(ENVELOPE);
        let said = talk.say(b"BDAT 6\r\na: b\r\nBDAT 6\r\nc: d\r\nBDAT 6 LAST\r\ne: f\r\n");
        assert_eq!(codes(&said), [&[452, 452], last].concat());
        let chunks = talk.asks.iter().filter(|ask| matches!(ask, Ask::Chunk(_))).count();
        let resets = talk.events.iter().filter(|event| **event == Event::Reset).count();
        assert_eq!((chunks, resets, talk.messages.len()), (1, 1, 0));
        // It is over now, for MAIL as for RSET.
        for next in ["MAIL FROM:<a@b.c>", "RSET"] {
            let mut talk = Talk::greeted(Config { service, ..config() });
            talk.judge = refuse_chunk;
            talk.say(ENVELOPE);
            talk.say(b"BDAT 6\r\na: b\r\n");
            assert!(talk.line("DATA").starts_with("503 "));
            assert!(talk.line(next).starts_with("250 "), "{next}");
        }
    }
}

#[test]
fn a_last_chunk_for_nobody_is_answered_by_nobody() {
    // RFC 2033 §4.3: zero replies; the client counts on it.
    for start in
        [&b"MAIL FROM:<a@b.c>\r\nRCPT TO:<x@other.org>\r\n"[..], b"RCPT TO:<x@other.org>\r\n"]
    {
        for size in [0, 5, 40_000] {
            let mut talk = lmtp();
            talk.say(start);
            let chunk =
                [format!("BDAT {size} LAST\r\n").as_bytes(), &vec![b'x'; size][..]].concat();
            assert_eq!(talk.say(&chunk), b"");
            let resets = talk.events.iter().filter(|event| **event == Event::Reset).count();
            assert_eq!(resets, usize::from(start.starts_with(b"MAIL")));
            assert!(talk.line("MAIL FROM:<a@b.c>").starts_with("250 "), "the transaction is over");
        }
    }
    // One that is not the last has exactly one reply; RFC 2033 §4.2: DATA for nobody is 503.
    let mut talk = lmtp();
    talk.say(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<x@other.org>\r\n");
    assert_eq!(codes(&talk.say(b"BDAT 3\r\nabc")), [503]);
    assert_eq!(codes(&talk.say(b"DATA\r\n")), [503]);
}

#[test]
fn what_lmtp_must_offer_is_offered() {
    let mut talk = Talk::new(Config { service: Service::Lmtp, ..config() });
    talk.say(b"");
    let hello = talk.line("LHLO a");
    for keyword in ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME"] {
        assert!(hello.contains(keyword), "RFC 2033 §5: {keyword}");
    }
    assert!(!hello.contains("ETRN"));
}
