//! Time, on a clock that tests move: how slow a message may come, and how replies to many mistakes are kept back.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Config, Event};
use smtp_host::*;

/// Says the text in pieces of `size` octets, one every `every_ms`, and lets deadlines strike in between; gives what
/// was said and the milliseconds that it took.
fn trickle(talk: &mut Talk, text: &[u8], size: usize, every_ms: u64) -> (String, u64) {
    let start_ms = talk.now.monotonic_ms;
    let mut said = vec![];
    for piece in text.chunks(size) {
        let next_ms = talk.now.monotonic_ms + every_ms;
        while let Some(deadline_ms) = talk.deadline_ms.filter(|at| *at <= next_ms && !talk.closed) {
            said.extend(talk.wait(deadline_ms - talk.now.monotonic_ms));
        }
        if talk.closed {
            break;
        }
        said.extend(talk.wait(next_ms - talk.now.monotonic_ms));
        said.extend(talk.say(piece));
    }
    (String::from_utf8(said).expect("ASCII"), talk.now.monotonic_ms - start_ms)
}

fn begin(config: Config, bdat: Option<usize>) -> Talk {
    let mut talk = Talk::greeted(config);
    talk.patient = false;
    talk.say(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\n");
    match bdat {
        Some(size) => talk.say(format!("BDAT {size} LAST\r\n").as_bytes()),
        None => talk.say(b"DATA\r\n"),
    };
    talk
}

fn text(size: usize) -> Vec<u8> {
    let mut text = b"Subject: x\r\n\r\n".to_vec();
    text.extend(b"line after line of a message\r\n".repeat(size / 30));
    text
}

#[test]
fn a_message_that_trickles_in_is_given_up() {
    let text = text(400_000);
    for bdat in [None, Some(text.len())] {
        // One octet every ten seconds: no wait is long, and yet it would take months.
        let mut talk = begin(config(), bdat);
        let (said, took_ms) = trickle(&mut talk, &text, 1, 10_000);
        assert_eq!(said, "421 4.4.2 Too slow, closing connection\r\n");
        assert!((300_000..=610_000).contains(&took_ms), "{took_ms}");
        assert!(talk.closed && talk.messages.is_empty());
        assert_eq!(talk.events.last(), Some(&Event::Reset));
        // Half of what is asked for is not enough either, however large the pieces are.
        for (size, every_ms) in [(250, 1000), (2500, 10_000), (25_000, 100_000)] {
            let mut talk = begin(config(), bdat);
            let (said, took_ms) = trickle(&mut talk, &text, size, every_ms);
            assert!(said.starts_with("421 4.4.2 "), "{said}");
            assert!((490_000..=1_000_000).contains(&took_ms), "{size}: {took_ms}");
        }
    }
}

#[test]
fn a_message_at_its_pace_is_taken_however_long_it_takes() {
    let text = text(400_000);
    let end = b"\r\n.\r\n".to_vec();
    for bdat in [None, Some(text.len())] {
        for (size, every_ms) in [(500, 1000), (5000, 10_000), (120_000, 240_000)] {
            let mut talk = begin(config(), bdat);
            let (said, took_ms) = trickle(&mut talk, &text, size, every_ms);
            let said = if bdat.is_none() {
                said + &String::from_utf8_lossy(&talk.say(&end))
            } else {
                said
            };
            assert!(said.starts_with("250 "), "{size}: {said}");
            assert!(took_ms >= 700_000 && talk.messages.len() == 1);
        }
    }
}

#[test]
fn silence_within_a_message_ends_it_after_five_minutes() {
    // RFC 5321 §4.5.3.2.7: not before.
    for bdat in [None, Some(1_000_000)] {
        let mut talk = begin(config(), bdat);
        // What came before buys no silence beyond that.
        talk.say(&text(200_000));
        assert!(talk.wait(299_999).is_empty() && !talk.closed);
        // The end of a piece may have come after the clock began.
        let said = [talk.wait(1), talk.wait(300_000)].concat();
        assert_eq!(said, b"421 4.4.2 Timeout, closing connection\r\n");
    }
}

#[test]
fn time_in_which_the_host_works_is_not_the_peers() {
    use pillarbox_engine::Output;
    use pillarbox_engine::smtp::{Answer, Ask};
    let mut talk = begin(config(), None);
    let text = text(100_000);
    let mut rest = &text[..];
    while !rest.is_empty() {
        let taken = talk.session.receive(talk.now, rest);
        rest = &rest[taken..];
        loop {
            match talk.session.poll() {
                Output::Ask(id, Ask::Chunk(_)) => {
                    // A slow disk: ten minutes a chunk, and ticks that nobody asked for.
                    talk.wait(600_000);
                    talk.session.answer(talk.now, id, Answer::Done).expect("a right answer");
                }
                Output::Wait { .. } => break,
                Output::Close => panic!("closed"),
                _ => {}
            }
        }
    }
    assert!(!talk.closed);
}

#[test]
fn the_pace_can_be_set_and_switched_off() {
    let mut any = config();
    any.limits.data_rate_min = 0;
    let mut talk = begin(any, None);
    let (said, _) = trickle(&mut talk, &text(600), 1, 10_000);
    assert!(said.is_empty() && !talk.closed);
    let mut fast = config();
    fast.limits.data_rate_min = 100_000;
    let mut talk = begin(fast, None);
    let (said, _) = trickle(&mut talk, &text(10_000_000), 50_000, 10_000);
    assert!(said.starts_with("421 4.4.2 "), "{said}");
}

#[test]
fn replies_to_many_mistakes_are_kept_back() {
    let mut talk = Talk::greeted(config());
    talk.patient = false;
    for _ in 0..10 {
        assert!(talk.line("FOO").starts_with("500 "));
    }
    for at in 11..20 {
        assert_eq!(talk.line("FOO"), "", "mistake {at} is answered at once");
        // Nothing is read meanwhile.
        assert_eq!(talk.line("NOOP"), "");
        assert!(talk.wait(999).is_empty());
        assert_eq!(codes(&talk.wait(1)), [500, 250], "mistake {at}");
    }
    assert!(talk.line("FOO").starts_with("421 4.7.0 ") && talk.closed);
}

#[test]
fn who_guesses_recipients_is_slowed_sooner() {
    let mut talk = Talk::greeted(config());
    talk.patient = false;
    talk.line("MAIL FROM:<a@b.c>");
    for _ in 0..5 {
        assert!(talk.line("RCPT TO:<x@other.org>").starts_with("550 "));
    }
    assert_eq!(talk.line("RCPT TO:<x@other.org>"), "");
    assert_eq!(codes(&talk.wait(1000)), [550]);
    // Right commands are answered at once, and the transaction is what it was.
    assert!(talk.line("RCPT TO:<bob@hamburger.edu>").starts_with("250 "));
    assert!(talk.line("DATA").starts_with("354 "));
}

#[test]
fn what_happens_while_a_reply_is_kept_back_is_right() {
    let slowed = || {
        let mut talk = Talk::greeted(config());
        talk.line("MAIL FROM:<a@b.c>");
        talk.patient = false;
        (0..11).for_each(|_| {
            talk.line("FOO");
        });
        talk
    };
    // The peer leaves.
    let mut talk = slowed();
    talk.session.receive_end(talk.now);
    assert_eq!(talk.listen(), b"");
    assert!(talk.closed && talk.events.last() == Some(&Event::Reset));
    // The host says goodbye.
    use pillarbox_engine::smtp::Call;
    use pillarbox_engine::types::Farewell;
    let mut talk = slowed();
    talk.session.call(talk.now, Call::Farewell(Farewell::ShuttingDown)).expect("a right call");
    assert_eq!(codes(&talk.listen()), [421]);
    assert!(talk.closed && talk.events.last() == Some(&Event::Reset));
}
