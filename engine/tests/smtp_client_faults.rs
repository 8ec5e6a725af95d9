//! The SMTP client and a server that breaks off, stalls, or says anything at all: every delivery ends exactly once.

mod seeded;
mod smtp_client_host;
mod smtp_host;

use pillarbox_engine::sasl::Mechanism;
use pillarbox_engine::smtp::client::types::{Call, Config, Fate, Stage, TlsPolicy};
use pillarbox_engine::smtp::{self, Body, Extensions, Service};
use seeded::Seeded;
use smtp_client_host::{Drive, config, password};
use smtp_host::Talk;

const TO: [&str; 3] = ["bob@hamburger.edu", "x@elsewhere.org", "carol@hamburger.edu"];
const MESSAGE: &[u8] = "Subject: x\r\n\r\n.dot\r\ncaf\u{e9}\r\n".as_bytes();

fn client(config: Config) -> Drive {
    let mut drive = Drive::new(config);
    drive.secrets = vec![password(Mechanism::Plain)];
    for id in 1..=2 {
        let mut delivery = drive.delivery(id, &TO, MESSAGE);
        delivery.mail.body = Body::EightBitMime;
        drive.call(Call::Deliver(delivery));
    }
    drive.call(Call::Quit);
    drive
}

fn server(extensions: Extensions, service: Service) -> Talk {
    Talk::new(smtp::Config { extensions, service, ..smtp_host::config() })
}

fn no_extensions() -> Extensions {
    Extensions {
        pipelining: false,
        size: false,
        eight_bit_mime: false,
        smtputf8: false,
        enhanced_status_codes: false,
        chunking: false,
        binary_mime: false,
        dsn: false,
        require_tls: false,
        deliver_by: false,
        future_release: false,
        mt_priority: false,
        limits: false,
        etrn: false,
        xclient: false,
    }
}

/// Lets both talk, of which the server's first `most` octets come over; gives how many there were.
fn talk(drive: &mut Drive, talk: &mut Talk, most: usize) -> usize {
    let mut said = talk.say(b"");
    let (mut told, mut came) = (0, 0);
    loop {
        let now = said.len().min(most - came);
        drive.hear(&said[..now]);
        came += now;
        if came == most {
            return came;
        }
        let octets = drive.sent[told..].to_vec();
        told = drive.sent.len();
        said = talk.say(&octets);
        if said.is_empty() {
            return came;
        }
    }
}

/// Exactly one end for each delivery, and one fate for each recipient.
#[track_caller]
fn assert_ended(drive: &Drive, deliveries: u32) {
    assert!(drive.closed && drive.is_done(), "it is over");
    assert_eq!(drive.finished().len(), deliveries as usize);
    for id in 1..=deliveries {
        assert_eq!(drive.fates(id).len(), TO.len());
    }
}

/// Wherever the server breaks off, by closing or by silence, each recipient has one fate, and a message that was taken is
/// never said to have failed.
#[test]
fn the_connection_may_break_after_any_octet() {
    let all = Extensions::default();
    let lines = Extensions { chunking: false, binary_mime: false, ..all };
    let cases = [
        (no_extensions(), Service::Smtp),
        (lines, Service::Smtp),
        (all, Service::Smtp),
        (lines, Service::Lmtp),
        (all, Service::Lmtp),
    ];
    for (extensions, service) in cases {
        let make = || (client(Config { service, ..config() }), server(extensions, service));
        let (mut drive, mut other) = make();
        let total = talk(&mut drive, &mut other, usize::MAX);
        assert_ended(&drive, 2);
        assert_eq!(other.messages.len(), 2);
        let mut uncertain = 0;
        for most in 0..total {
            for stalls in [false, true] {
                let (mut drive, mut other) = make();
                talk(&mut drive, &mut other, most);
                if stalls {
                    drive.wait(3_600_000);
                } else {
                    drive.end();
                }
                assert_ended(&drive, 2);
                let mut taken = other.messages.len();
                for id in 1..=2 {
                    let fates = drive.fates(id);
                    let doubtful = fates
                        .iter()
                        .any(|fate| matches!(fate, Fate::Accepted(_) | Fate::Uncertain(_)));
                    uncertain +=
                        usize::from(fates.iter().any(|fate| matches!(fate, Fate::Uncertain(_))));
                    if doubtful {
                        taken = taken.saturating_sub(1);
                    }
                    for fate in [&fates[0], &fates[2]] {
                        assert!(!matches!(fate, Fate::Failed(_)), "{fate:?}");
                    }
                }
                assert_eq!(taken, 0, "after {most} octets: a message was taken, and nobody knows");
            }
        }
        assert!(uncertain > 0);
    }
}

/// The sending side may be cut too: what the server has not got whole, it does not take.
#[test]
fn a_message_cut_anywhere_is_not_taken() {
    for extensions in [no_extensions(), Extensions::default()] {
        let mut drive = client(config());
        let mut other = server(extensions, Service::Smtp);
        talk(&mut drive, &mut other, usize::MAX);
        let sent = drive.sent.clone();
        let ends: Vec<usize> = [&b"\r\n.\r\n"[..], b"caf\xc3\xa9\r\n"]
            .iter()
            .flat_map(|end| {
                let found = sent.windows(end.len()).position(|window| window == *end);
                found.map(|at| at + end.len())
            })
            .collect();
        let end = ends.into_iter().min().expect("the first message ends");
        for most in 0..end {
            let mut other = server(extensions, Service::Smtp);
            other.say(b"");
            // The server answers each command before the next comes, but for the last.
            sent[..most].split_inclusive(|octet| *octet == b'\n').for_each(|line| {
                other.say(line);
            });
            other.session.receive_end(other.now);
            other.listen();
            assert!(other.messages.is_empty(), "{}", sent[..most].escape_ascii());
        }
    }
}

/// The words that a mad server's replies are made of.
const WORDS: [&[u8]; 34] = [
    b"220 mx.example ESMTP\r\n",
    b"220-x\r\n",
    b"250 ok\r\n",
    b"250 ok\r\n",
    b"250 2.1.0 ok\r\n",
    b"250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000\r\n",
    b"250-mx\r\n250-CHUNKING\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
    b"250-mx\r\n250 AUTH PLAIN LOGIN SCRAM-SHA-256\r\n",
    b"250-LIMITS RCPTMAX=1 MAILMAX=1\r\n",
    b"250-\r\n",
    b"250\r\n",
    b"251 forwards\r\n",
    b"354 go\r\n",
    b"354 go\r\n",
    b"334 VXNlcm5hbWU6\r\n",
    b"334 \r\n",
    b"235 in\r\n",
    b"421 bye\r\n",
    b"450 later\r\n",
    b"451 4.3.0 later\r\n",
    b"452 4.5.3 many\r\n",
    b"500 what\r\n",
    b"503 5.5.1 order\r\n",
    b"535 5.7.8 no\r\n",
    b"550 5.1.1 no\r\n",
    b"552 too big\r\n",
    b"554-no\r\n554 no\r\n",
    b"999 x\r\n",
    b"\r\n",
    b"\n",
    b"+OK\r\n",
    b"* OK IMAP\r\n",
    b"250 \xff\0\r\r\n",
    b"\x16\x03\x01",
];

#[test]
fn a_server_may_say_anything() {
    let mut beyond = 0;
    for seed in 1..20_000u64 {
        let mut random = Seeded(seed);
        let tls =
            [TlsPolicy::None, TlsPolicy::Opportunistic, TlsPolicy::Required, TlsPolicy::Implicit]
                [random.below(4)];
        let service = if random.below(4) == 0 { Service::Lmtp } else { Service::Smtp };
        let login = random.below(4) == 0;
        let mut drive = client(Config { service, tls, login, ..config() });
        if drive.securing && random.below(8) > 0 {
            drive.secure();
        }
        // Often a sensible beginning, so that the later states are met too.
        if random.below(4) > 0 {
            drive.hear(b"220 mx\r\n");
            drive.hear(random.pick(&[
                &b"250 mx\r\n"[..],
                b"250-mx\r\n250 PIPELINING\r\n",
                WORDS[6],
            ]));
        }
        for _ in 0..random.below(30) {
            // One in three fits, so that what comes late is met often enough.
            let fits =
                if drive.sent.ends_with(b"DATA\r\n") { b"354 go\r\n" } else { b"250 ok\r\n" };
            let words = if random.below(3) == 0 { &fits[..] } else { random.pick(&WORDS) };
            if random.below(8) == 0 {
                words.chunks(1).for_each(|octet| drop(drive.hear(octet)));
            } else {
                drive.hear(words);
            }
            if drive.securing {
                drive.secure();
            }
        }
        beyond += usize::from(
            drive
                .finished()
                .iter()
                .any(|end| end.fates.iter().any(|fate| matches!(fate, Fate::Accepted(_)))),
        );
        if !drive.closed {
            match random.below(3) {
                0 => drive.end(),
                1 => drive.wait(3_600_000),
                _ => drop(drive.hear(b"421 enough\r\n421 enough\r\n")),
            }
        }
        // QUIT may be waiting for a reply, or TLS for its end.
        if !drive.closed {
            drive.wait(3_600_000);
        }
        assert_ended(&drive, 2);
        for id in 1..=2 {
            for fate in drive.fates(id) {
                if let Fate::Uncertain(failure) = fate {
                    assert_eq!(failure.stage, Stage::EndOfData);
                }
            }
        }
    }
    assert!(beyond > 100, "only {beyond} deliveries were accepted");
}

#[test]
fn random_octets_end_the_session_or_time_does() {
    for seed in 1..2000u64 {
        let mut random = Seeded(seed);
        let mut drive = client(config());
        if seed % 2 == 0 {
            drive.script(&["220 mx\r\n", "250 mx\r\n"]);
        }
        let octets: Vec<u8> = (0..random.below(400))
            .map(|_| b"2345 -01.\r\n\r\n\r\nAZ\0\xff"[random.below(19)])
            .collect();
        drive.hear(&octets);
        drive.wait(3_600_000);
        drive.wait(3_600_000);
        assert_ended(&drive, 2);
    }
}
