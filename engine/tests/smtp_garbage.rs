//! Garbage never breaks a session, never makes it grow, and never leaves it in a state where it does nothing.

mod counting;
mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Answer, Ask, Committed, Config, Service};
use pillarbox_engine::types::{Now, TlsFacts};
use smtp_host::*;

/// What a session may need at most: its buffers, a chunk, and what was parsed.
const MEMORY_MAX: usize = 256 << 10;

/// The message is not kept: only the session's own memory is of interest.
fn keep_nothing(ask: &Ask) -> Option<Answer> {
    match ask {
        Ask::Chunk(_) => Some(Answer::Done),
        Ask::Commit(_) => Some(Answer::Committed(Committed::default())),
        _ => None,
    }
}

/// Says group after group, cut at random; gives how much was said, and checks that the session ends.
fn throw(config: Config, groups: &[Vec<u8>], random: &mut Seeded) -> usize {
    let mut talk = Talk::new(config);
    talk.judge = keep_nothing;
    talk.forgetful = true;
    let mut said = talk.say(b"").len();
    for group in groups {
        let mut rest = &group[..];
        while !rest.is_empty() && !talk.closed {
            let (piece, more) = rest.split_at((1 + random.below(2000)).min(rest.len()));
            said += talk.say(piece).len();
            rest = more;
        }
        if talk.starting_tls {
            talk.starting_tls = false;
            talk.session.secured(talk.now, TlsFacts::default()).expect("it was asked for");
        }
    }
    // Time ends what the peer does not.
    for _ in 0..3 {
        // What came before a message's first deadline buys it another one.
        talk.now = Now { monotonic_ms: talk.now.monotonic_ms + 3_600_000, ..talk.now };
        talk.session.tick(talk.now);
        talk.listen();
    }
    assert!(talk.closed, "silence ends a session");
    assert_eq!(talk.say(b"NOOP\r\n"), b"", "what is over says nothing");
    said
}

fn configs(random: &mut Seeded) -> Config {
    let service = [Service::Smtp, Service::Submission, Service::Lmtp][random.below(3)];
    let mut config = Config { service, trace: random.below(3) == 0, ..config() };
    // Mistakes do not end it, so that there is more of it.
    config.limits.errors_max = if random.below(2) == 0 { u32::MAX } else { 20 };
    config
}

/// Bounded memory for silent sessions; what a reader is told may take more, but not without bound.
fn memory_max(config: &Config) -> usize {
    if config.trace { 4 << 20 } else { MEMORY_MAX }
}

#[test]
fn random_octets() {
    let mut random = Seeded(42);
    for round in 0..600 {
        let config = configs(&mut random);
        let favoured = b"\r\n .:<>@\0MAILRCPTDATABDAT0123456789";
        let mut input = vec![];
        for _ in 0..random.below(30_000) {
            let any = random.next() as u8;
            let some = favoured[random.below(favoured.len())];
            input.push(if random.below(3) == 0 { any } else { some });
        }
        let max = memory_max(&config);
        let (_, peak) =
            counting::peak(|| throw(config, &[b"EHLO a\r\n".to_vec(), input], &mut random));
        assert!(peak < max, "round {round}: {peak} octets");
    }
}

#[test]
fn mutated_conversations() {
    let mut random = Seeded(4711);
    let mut said = 0;
    for round in 0..1500 {
        let config = configs(&mut random);
        let mut groups = conversation(&mut random, config.clone());
        for _ in 0..random.below(8) {
            let group = random.below(groups.len());
            mutate(&mut groups[group], &mut random);
        }
        let max = memory_max(&config);
        let (octets, peak) = counting::peak(|| throw(config, &groups, &mut random));
        assert!(peak < max, "round {round}: {peak} octets");
        said += octets;
    }
    assert!(said > 1_000_000, "only {said} octets were said");
}

fn mutate(input: &mut Vec<u8>, random: &mut Seeded) {
    if input.is_empty() {
        return;
    }
    let at = random.below(input.len());
    match random.below(5) {
        0 => input[at] = random.next() as u8,
        1 => drop(input.remove(at)),
        2 => input.insert(at, b"\0\r\n .<>@\xff"[random.below(9)]),
        3 => {
            let end = (at + random.below(40)).min(input.len());
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        _ => input.truncate(at + 1),
    }
}

/// reliability: every state × 16 MiB of one octet without a line end; here 1 MiB, and the growth is the same.
#[test]
fn endless_lines_in_every_state() {
    let starts: [&[&[u8]]; 7] = [
        &[],
        &[b"EHLO a\r\n"],
        &[b"EHLO a\r\n", b"MAIL FROM:<"],
        &[b"EHLO a\r\n", b"MAIL FROM:<a@b.c>\r\nRCPT TO:<\""],
        &[b"EHLO a\r\n", b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n"],
        &[b"EHLO a\r\n", b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\nBDAT 9999999\r\n"],
        &[b"EHLO a\r\n", b"AUTH LOGIN\r\n"],
    ];
    for start in starts {
        for octet in *b"1x (\"\\\xff{.\r" {
            let block = vec![octet; 16 << 10];
            let (_, peak) = counting::peak(|| {
                let mut talk = Talk::new(config());
                talk.judge = keep_nothing;
                talk.forgetful = true;
                talk.say(b"");
                for piece in start {
                    talk.say(piece);
                }
                for _ in 0..64 {
                    talk.say(&block);
                }
            });
            assert!(peak < MEMORY_MAX, "{start:?} {octet}: {peak} octets");
        }
    }
}
