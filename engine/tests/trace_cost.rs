//! What it costs that somebody reads along: the same conversations, traced and not, one after the other in one run. Times
//! are printed; only their ratio is asserted, of the least of many rounds, which other work on the machine does not change.
//!
//! A letter passes unread at the speed of a search for its line ends, about a gigabyte a second; a note for each line is
//! several times that, and about seventy nanoseconds.
#![allow(clippy::disallowed_methods, reason = "a test may measure time")]

mod seeded;
mod smtp_host;

use std::time::{Duration, Instant};

use pillarbox_engine::smtp::Config;
use smtp_host::*;

/// About twice of what is measured, since a busy machine disturbs even the least of rounds.
const RATIO_MAX: f64 = 12.0;

fn least(conversations: &[Vec<Vec<u8>>], trace: bool) -> Duration {
    let (began, mut letters) = (Instant::now(), 0);
    for groups in conversations {
        let mut talk = Talk::new(Config { trace, ..config() });
        // Who keeps what is told pays for that.
        talk.forgetful = true;
        say_whole(&mut talk, groups);
        letters += talk.messages.len();
    }
    assert!(letters > 0, "some letter comes");
    began.elapsed()
}

#[test]
fn tracing_costs_a_few_times_as_much() {
    let said = |seed| conversation(&mut Seeded(seed), config());
    let commands: Vec<Vec<Vec<u8>>> = (1..=120).map(said).collect();
    let text = "From: a@a.test\r\nDate: Mon, 5 Jan 2026 09:00:00 +0000\r\n\r\n".to_owned()
        + &"A line of a letter, which is as long as such lines are.\r\n".repeat(4000);
    let letter = [
        &b"EHLO a.test\r\n"[..],
        b"MAIL FROM:<a@a.test>\r\n",
        b"RCPT TO:<bob@hamburger.edu>\r\n",
        b"DATA\r\n",
    ];
    let mut letter: Vec<Vec<u8>> = letter.map(<[u8]>::to_vec).into();
    letter.push([text.as_bytes(), b".\r\nQUIT\r\n"].concat());
    for (what, conversations) in [("commands", commands), ("a letter of 4,000 lines", vec![letter])]
    {
        let [mut silent, mut traced] = [Duration::MAX; 2];
        for _ in 0..25 {
            silent = silent.min(least(&conversations, false));
            traced = traced.min(least(&conversations, true));
        }
        let ratio = traced.as_secs_f64() / silent.as_secs_f64();
        println!("{what}: {silent:?}, traced {traced:?}, {ratio:.2} times");
        assert!(ratio < RATIO_MAX, "{what}: {ratio:.2} times");
    }
}
