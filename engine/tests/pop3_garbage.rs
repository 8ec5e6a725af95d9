//! Garbage never breaks a POP3 session and never makes it grow.

mod counting;
mod pop3_host;
mod seeded;

use pillarbox_engine::pop3::Config;
use pillarbox_engine::types::{Now, TlsFacts, TlsOffer};
use pop3_host::*;

/// What a session may need at most: its buffers, a chunk of a message stuffed with dots, and a page of its table.
const MEMORY_MAX: usize = 256 << 10;

fn throw(config: Config, input: &[u8], random: &mut Seeded) -> usize {
    let mut talk = Talk::new(config);
    talk.forgetful = true;
    // Short messages, since what is said is kept here for a moment.
    talk.maildrop.truncate(3);
    let (mut rest, mut said) = (input, 0);
    while !rest.is_empty() && !talk.closed {
        let (piece, more) = rest.split_at((1 + random.below(200)).min(rest.len()));
        said += talk.say(piece).len();
        rest = more;
        if talk.starting_tls {
            talk.starting_tls = false;
            talk.session.secured(talk.now, TlsFacts::default()).expect("it was asked for");
        }
    }
    talk.now = Now { monotonic_ms: 3_600_000, ..talk.now };
    talk.session.tick(talk.now);
    talk.listen();
    assert!(talk.closed, "silence ends a session");
    assert_eq!(talk.say(b"NOOP\r\n"), b"", "what is over says nothing");
    said
}

fn configs(random: &mut Seeded) -> Config {
    let mut config = Config { tls: TlsOffer::Upgrade, trace: random.below(3) == 0, ..config() };
    if random.below(2) == 0 {
        config.limits.errors_max = u32::MAX;
        config.limits.idle_commands_max = u32::MAX;
    }
    config
}

#[test]
fn random_octets() {
    let mut random = Seeded(42);
    for round in 0..600 {
        let config = configs(&mut random);
        let favoured = b"\r\n USERPASSRETRTOPLISTDELE0123456789\0.";
        let mut input = b"USER bob\r\nPASS s3cret\r\n".to_vec();
        for _ in 0..random.below(20_000) {
            let any = random.next() as u8;
            let some = favoured[random.below(favoured.len())];
            input.push(if random.below(3) == 0 { any } else { some });
        }
        let (_, peak) = counting::peak(|| throw(config, &input, &mut random));
        assert!(peak < MEMORY_MAX, "round {round}: {peak} octets");
    }
}

#[test]
fn mutated_conversations() {
    let mut random = Seeded(4711);
    let mut said = 0;
    for round in 0..1500 {
        let config = configs(&mut random);
        let mut input = conversation(&mut random);
        for _ in 0..random.below(8).min(input.len()) {
            let at = random.below(input.len());
            match random.below(4) {
                0 => input[at] = random.next() as u8,
                1 => drop(input.remove(at)),
                2 => input.insert(at, b"\0\r\n .01\xff"[random.below(8)]),
                _ => {
                    let end = (at + random.below(40)).min(input.len());
                    let piece = input[at..end].to_vec();
                    input.splice(at..at, piece);
                }
            }
            if input.is_empty() {
                break;
            }
        }
        let (octets, peak) = counting::peak(|| throw(config, &input, &mut random));
        assert!(peak < MEMORY_MAX, "round {round}: {peak} octets");
        said += octets;
    }
    assert!(said > 300_000, "only {said} octets were said");
}

#[test]
fn endless_lines_in_every_state() {
    for start in ["", "USER bob\r\nPASS s3cret\r\n", "AUTH LOGIN\r\n"] {
        for octet in *b"1x (\xff.\r" {
            let block = vec![octet; 16 << 10];
            let (_, peak) = counting::peak(|| {
                let mut talk = Talk::new(config());
                talk.forgetful = true;
                talk.say(start.as_bytes());
                (0..64).for_each(|_| drop(talk.say(&block)));
            });
            assert!(peak < MEMORY_MAX, "{start:?} {octet}: {peak} octets");
        }
    }
}
