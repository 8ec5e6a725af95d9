//! The SMTP client against our own server: every set of extensions, however the octets are cut on their way.

mod seeded;
mod smtp_client_host;
mod smtp_host;

use pillarbox_engine::sasl::Mechanism;
use pillarbox_engine::smtp::client::types::{Call, Config, Fate, TlsPolicy};
use pillarbox_engine::smtp::{
    self, Ask, Body, ByMode, Committed, DeliverBy, Extensions, Notify, Ret, Service,
};
use pillarbox_engine::text::header::{fields, section_length};
use pillarbox_engine::text::transfer::Decoder;
use pillarbox_engine::types::{Reason, Refusal, TlsFacts, TlsOffer};
use seeded::Seeded;
use smtp_client_host::{Drive, config, mailbox, password};
use smtp_host::Talk;

/// How the octets between the two are cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Octets,
    Random(u64),
}

impl Cut {
    fn pieces<'a>(&mut self, octets: &'a [u8]) -> Vec<&'a [u8]> {
        match self {
            Self::Whole => vec![octets],
            Self::Octets => octets.chunks(1).collect(),
            Self::Random(seed) => {
                let mut random = Seeded(*seed);
                let mut pieces = Vec::new();
                let mut rest = octets;
                while !rest.is_empty() {
                    let (now, more) = rest.split_at((1 + random.below(40)).min(rest.len()));
                    pieces.push(now);
                    rest = more;
                }
                *seed = random.next();
                pieces
            }
        }
    }
}

/// Lets both talk until neither has anything to say.
fn pair(drive: &mut Drive, talk: &mut Talk, mut cut: Cut) {
    let mut to_client = talk.say(b"");
    let mut told = 0;
    loop {
        for piece in cut.pieces(&to_client) {
            drive.hear(piece);
        }
        let to_server = drive.sent[told..].to_vec();
        told = drive.sent.len();
        to_client.clear();
        for piece in cut.pieces(&to_server) {
            to_client.extend(talk.say(piece));
        }
        if talk.starting_tls && drive.securing {
            talk.starting_tls = false;
            talk.session.secured(talk.now, TlsFacts::default()).expect("a handshake");
            to_client.extend(talk.listen());
            drive.secure();
        }
        if to_client.is_empty() && drive.sent.len() == told {
            return;
        }
    }
}

fn extensions(bits: u32) -> Extensions {
    let bit = |n: u32| bits & 1 << n != 0;
    Extensions {
        pipelining: bit(0),
        size: bit(1),
        eight_bit_mime: bit(2),
        smtputf8: bit(3),
        enhanced_status_codes: bit(4),
        chunking: bit(5),
        binary_mime: bit(5) && bit(6),
        dsn: bit(7),
        ..Extensions::default()
    }
}

/// What came, without the trace field that our server put before it.
fn content(message: &[u8]) -> &[u8] {
    let received = fields(message).next().expect("a trace field");
    assert!(received.is(b"Received"));
    &message[received.end..]
}

/// The body of a message by its meaning.
fn meaning(message: &[u8]) -> Vec<u8> {
    let header = &message[..section_length(message)];
    let label = fields(header).find(|field| field.is(b"Content-Transfer-Encoding"));
    let label = label.map(|field| field.unfolded()).unwrap_or_default();
    let mut decoder = Decoder::new(&label).expect("a known encoding");
    let mut out = Vec::new();
    decoder.decode(&message[header.len()..], &mut out);
    decoder.finish(&mut out);
    out
}

#[test]
fn every_set_of_extensions_brings_the_message_over() {
    let long = b"Subject: l\r\n\r\n.\r\n".to_vec();
    let long = [long, b"..line after line\r\n".repeat(4000)].concat();
    let messages: [(&[u8], Body, bool); 5] = [
        (b"Subject: p\r\n\r\nplain\r\n", Body::SevenBit, true),
        (b"Subject: d\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\n", Body::SevenBit, false),
        (&long, Body::SevenBit, false),
        ("Subject: 8\r\n\r\n.caf\u{e9}\r\n".as_bytes(), Body::EightBitMime, false),
        (
            b"Subject: b\r\nContent-Type: image/x\r\n\r\n\0\xff\r\n.\r\n\x80\r\n",
            Body::BinaryMime,
            false,
        ),
    ];
    for bits in 0..256 {
        let offered = extensions(bits);
        let mut drive = Drive::new(config());
        for (id, (message, body, plain)) in (1..).zip(&messages) {
            let mut delivery = drive.delivery(id, &["bob@hamburger.edu"], message);
            delivery.mail.body = *body;
            delivery.plain = *plain;
            drive.call(Call::Deliver(delivery));
        }
        drive.call(Call::Quit);
        let mut talk = Talk::new(smtp::Config { extensions: offered, ..smtp_host::config() });
        pair(&mut drive, &mut talk, Cut::Random(u64::from(bits) + 1));
        assert!(drive.closed && talk.closed && drive.is_done(), "{offered:?}");
        assert_eq!(talk.defects(), 0, "{offered:?}: {}", String::from_utf8_lossy(&drive.sent));
        assert!(drive.ask_max <= 16 * 1024);
        for (id, (message, body, _)) in (1..).zip(&messages) {
            assert_eq!(drive.short(id), ["accepted 250"], "{offered:?}");
            let came = content(&talk.messages[id as usize - 1].1);
            let taken = match body {
                Body::SevenBit => true,
                Body::EightBitMime => offered.eight_bit_mime,
                Body::BinaryMime => offered.binary_mime,
            };
            if taken {
                assert!(came == *message, "{offered:?}, message {id}");
            } else {
                assert!(came.is_ascii(), "{offered:?}, message {id}");
                assert_eq!(meaning(came), meaning(message), "{offered:?}, message {id}");
            }
        }
    }
}

#[test]
fn cuts_make_no_difference() {
    let message = [&b"Subject: x\r\n\r\n"[..], &b".dots..\r\n".repeat(3000)].concat();
    for bits in [0, 0b1, 0b10_0000, 0b10_0001, 0xff] {
        let mut outcomes = Vec::new();
        for cut in [Cut::Whole, Cut::Octets, Cut::Random(1), Cut::Random(2), Cut::Random(3)] {
            let mut drive = Drive::new(config());
            drive.deliver(1, &["bob@hamburger.edu", "x@elsewhere.org"], &message);
            drive.deliver(2, &["x@elsewhere.org"], &message);
            drive.deliver(3, &["carol@hamburger.edu"], b"Subject: y\r\n\r\nshort\r\n");
            drive.call(Call::Quit);
            let mut talk =
                Talk::new(smtp::Config { extensions: extensions(bits), ..smtp_host::config() });
            pair(&mut drive, &mut talk, cut);
            assert_eq!(talk.messages.len(), 2);
            outcomes.push((drive.sent, drive.events, talk.messages));
        }
        for outcome in &outcomes[1..] {
            assert!(outcome.1 == outcomes[0].1 && outcome.2 == outcomes[0].2);
            assert!(outcome.0 == outcomes[0].0, "octets sent, with {bits:b}");
        }
    }
}

/// Our server parses what our client prints: nothing of an envelope is lost.
#[test]
fn the_envelope_comes_over() {
    let mut drive = Drive::new(config());
    let mut delivery = drive.delivery(1, &["bob@hamburger.edu"], b"Subject: x\r\n\r\ny\r\n");
    delivery.mail.reverse_path = Some(mailbox("ann \"b@a.example"));
    delivery.mail.ret = Some(Ret::Headers);
    delivery.mail.envid = Some(b"id+1=2 3".to_vec());
    delivery.mail.smtputf8 = true;
    delivery.mail.auth = Some(b"ann@a.example".to_vec());
    delivery.mail.priority = Some(-3);
    let (seconds, mode, trace) = (3600, ByMode::Notify, true);
    delivery.mail.deliver_by = Some(DeliverBy { seconds, mode, trace });
    delivery.recipients[0].forward_path = mailbox("b\u{f6}b@hamburger.edu");
    delivery.recipients[0].notify = Some(Notify { success: true, failure: true, delay: false });
    delivery.recipients[0].orcpt = Some(b"rfc822;old+x@hamburger.edu".to_vec());
    let (mail, to) = (delivery.mail.clone(), delivery.recipients[0].clone());
    drive.call(Call::Deliver(delivery));
    let mut talk = Talk::new(smtp_host::config());
    pair(&mut drive, &mut talk, Cut::Whole);
    assert_eq!(drive.short(1), ["accepted 250"]);
    let sender = talk.asks.iter().find_map(|ask| match ask {
        Ask::Sender(mail) => Some(mail),
        _ => None,
    });
    // Of another's login a stranger cannot say anything.
    let auth = Some(Vec::new());
    assert_eq!(sender, Some(&smtp::MailFrom { size: Some(17), auth, ..mail }));
    assert_eq!(talk.messages[0].0, [to]);
}

#[test]
fn lmtp_fates_come_over_one_by_one() {
    for bits in [0, 1, 0b10_0001] {
        let mut drive = Drive::new(Config { service: Service::Lmtp, ..config() });
        let to = ["a@hamburger.edu", "x@elsewhere.org", "full@hamburger.edu", "c@hamburger.edu"];
        drive.deliver(1, &to, b"Subject: x\r\n\r\n.y\r\n");
        let service = Service::Lmtp;
        let mut talk = Talk::new(smtp::Config {
            service,
            extensions: extensions(bits),
            ..smtp_host::config()
        });
        talk.judge = |ask| match ask {
            Ask::Commit(_) => Some(smtp::Answer::Committed(Committed {
                id: b"m".to_vec(),
                fates: vec![None, Some(Refusal::new(Reason::OverQuota)), None],
            })),
            _ => None,
        };
        pair(&mut drive, &mut talk, Cut::Octets);
        let fates = drive.fates(1);
        assert!(matches!(fates[0], Fate::Accepted(_)) && matches!(fates[3], Fate::Accepted(_)));
        assert!(matches!(fates[1], Fate::Failed(_)) && matches!(fates[2], Fate::Deferred(_)));
    }
}

#[test]
fn tls_and_login_come_before_mail() {
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        let mut drive = Drive::new(Config { tls: TlsPolicy::Required, login: true, ..config() });
        drive.secrets = vec![password(mechanism)];
        drive.deliver(1, &["bob@hamburger.edu"], b"Subject: x\r\n\r\ny\r\n");
        drive.call(Call::Quit);
        let mut server = smtp::Config {
            tls: TlsOffer::Upgrade,
            auth_required: true,
            service: Service::Submission,
            ..smtp_host::config()
        };
        server.auth.cleartext = false;
        let mut talk = Talk::new(server);
        pair(&mut drive, &mut talk, Cut::Random(5));
        assert_eq!(drive.short(1), ["accepted 250"]);
        assert_eq!(talk.defects(), 0);
        assert!(drive.closed && talk.closed);
    }
}

/// reliability: 600 forms of an end of data inside a stored message, over DATA and BDAT: one message goes out, and
/// nothing but CRLF.CRLF, at its end, ends it.
#[test]
fn no_stored_message_can_smuggle_another() {
    let ends: [&[u8]; 10] = [
        b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\0", b"\0\r\n", b"\r\0\n", b"\x85",
        b"\x0b",
    ];
    let middles: [&[u8]; 6] = [b".", b"..", b". ", b".\0", b"\0.", b"\xae"];
    let mut committed = 0;
    for (bits, body) in [
        (0b101, Body::EightBitMime),
        (0b1, Body::EightBitMime),
        (0b10_0101, Body::EightBitMime),
        (0b110_0101, Body::BinaryMime),
    ] {
        for left in ends {
            for middle in middles {
                for right in ends {
                    let evil = b"MAIL FROM:<evil@a.example>\r\nRCPT TO:<bob@hamburger.edu>\r\n";
                    let message =
                        [b"Subject: x\r\n\r\na", left, middle, right, evil, b"DATA\r\n"].concat();
                    let mut drive = Drive::new(config());
                    let mut delivery = drive.delivery(1, &["bob@hamburger.edu"], &message);
                    delivery.mail.body = body;
                    drive.call(Call::Deliver(delivery));
                    drive.call(Call::Quit);
                    let mut talk = Talk::new(smtp::Config {
                        extensions: extensions(bits),
                        ..smtp_host::config()
                    });
                    pair(&mut drive, &mut talk, Cut::Whole);
                    let text = message.escape_ascii();
                    let senders = talk.asks.iter().filter(|ask| matches!(ask, Ask::Sender(_)));
                    assert_eq!(senders.count(), 1, "{text}");
                    assert_eq!(drive.fates(1).len(), 1);
                    assert!(talk.messages.len() <= 1, "{text}");
                    committed += talk.messages.len();
                    if body == Body::EightBitMime {
                        let crs = drive.sent.iter().filter(|octet| **octet == b'\r').count();
                        let lfs = drive.sent.iter().filter(|octet| **octet == b'\n').count();
                        let pairs = drive.sent.windows(2).filter(|two| two == b"\r\n").count();
                        assert!(crs == pairs && lfs == pairs, "{text}");
                    }
                    let stops = drive.sent.windows(5).filter(|five| five == b"\r\n.\r\n").count();
                    let by_data = bits & 0b10_0000 == 0;
                    if by_data {
                        assert_eq!(stops, 1, "{text}");
                    }
                }
            }
        }
    }
    // Our server refuses NUL in what is not BINARYMIME; all else is taken, as one message.
    assert!(committed > 1500, "{committed}");
}

/// What goes by reference waits for no ask, and arrives the same.
#[test]
fn a_plain_message_goes_by_reference() {
    let message = [&b"Subject: x\r\n\r\n"[..], &b"line\r\n".repeat(200_000)].concat();
    for bits in [0b1, 0b10_0001] {
        let mut drive = Drive::new(config());
        let mut delivery = drive.delivery(1, &["bob@hamburger.edu"], &message);
        delivery.plain = true;
        drive.call(Call::Deliver(delivery));
        let mut talk =
            Talk::new(smtp::Config { extensions: extensions(bits), ..smtp_host::config() });
        pair(&mut drive, &mut talk, Cut::Whole);
        assert_eq!(drive.short(1), ["accepted 250"]);
        assert_eq!(drive.asks, 0);
        assert!(content(&talk.messages[0].1) == &message[..]);
    }
}
