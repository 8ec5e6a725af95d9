//! A message that comes in one piece is indexed with what the session saw of it already; that changes nothing.

use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::AuthOffer;
use pillarbox_engine::smtp::{self, Answer, Ask, Committed, Envelope, Indexer};
use pillarbox_engine::types::{Now, Peer, TlsOffer};
use pillarbox_engine::{Output, Session};

const NOW: Now = Now { monotonic_ms: 0, unix_ms: 1_767_603_600_000 };

fn session(service: smtp::Service) -> Session<smtp::Server> {
    let config = smtp::Config {
        host_name: b"hamburger.edu".to_vec(),
        service,
        peer: Peer { address: b"192.0.2.1".to_vec(), name: None },
        session_id: b"s1".to_vec(),
        tls: TlsOffer::None,
        auth: AuthOffer::default(),
        auth_required: false,
        extensions: smtp::Extensions::default(),
        persona: pillarbox_engine::types::Persona::Strict,
        lenient: false,
        verify: false,
        return_path: true,
        faults: false,
        index: Indexer::new(|octets, known| {
            pillarbox_mime::index_surveyed(octets, known).map(|index| index.encode())
        }),
        limits: Limits::SMTP,
        trace: false,
    };
    Session::new(config, NOW)
}

/// Sends one message, and gives what its host was asked to make durable and the chunks before that.
fn sent(service: smtp::Service, sender: &str, bdat: bool, text: &[u8]) -> (Envelope, Vec<u8>) {
    let mut session = session(service);
    let (mut before, mut envelope) = (Vec::new(), None);
    let commands = ["", "EHLO crepes.fr\r\n", "MAIL", "RCPT TO:<b@c.de>\r\n"];
    let mail = format!("MAIL FROM:<{sender}> SMTPUTF8\r\n");
    let commands = commands.map(|line| if line == "MAIL" { &mail } else { line });
    let mut pieces: Vec<Vec<u8>> = commands.iter().map(|line| line.as_bytes().to_vec()).collect();
    if bdat {
        pieces.push([format!("BDAT {} LAST\r\n", text.len()).as_bytes(), text].concat());
    } else {
        pieces.push(b"DATA\r\n".to_vec());
        let lines = text.split_inclusive(|octet| *octet == b'\n');
        let stuffed =
            lines.flat_map(|line| [if line[0] == b'.' { "." } else { "" }.as_bytes(), line]);
        pieces.push([&stuffed.collect::<Vec<_>>().concat()[..], b".\r\n"].concat());
    }
    for piece in pieces {
        let mut rest = &piece[..];
        loop {
            rest = &rest[session.receive(NOW, rest)..];
            match session.poll() {
                Output::Ask(id, ask) => {
                    let answer = match ask {
                        Ask::Chunk(octets) => {
                            before.extend(octets);
                            Answer::Done
                        }
                        Ask::Commit(taken) => {
                            envelope = Some(taken);
                            Answer::Committed(Committed::default())
                        }
                        _ => Answer::Done,
                    };
                    session.answer(NOW, id, answer).expect("it is one that was asked for");
                }
                Output::Wait { .. } if rest.is_empty() => break,
                Output::Close => panic!("the session ended"),
                _ => {}
            }
        }
    }
    (envelope.expect("the message was taken"), before)
}

const TEXTS: [&str; 9] = [
    "From: a@b.c\r\nSubject: x\r\n\r\nHello\r\n",
    "From: a@b.c\r\n\r\n.\r\n..\r\nx\r\n",
    ".From: a@b.c\r\n\r\nx\r\n",
    "From: a@b.c\r\nSubject: Gr\u{fc}\u{df}e\r\n\r\nplain\r\n",
    "From: a@b.c\r\n\r\nGr\u{fc}\u{df}e\r\n\r\n\r\n",
    "From: a@b.c\r\n\r\n",
    "Return-Path: <x@y.z>\r\nFrom: a@b.c\r\nBcc: c@d.e\r\n\r\nx\r\n",
    "From: a@b.c\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\none\r\n--o\r\n\r\ntwo\r\n--o--\r\n",
    "x\r\n",
];

#[test]
fn what_the_session_saw_is_what_an_indexer_finds() {
    for text in TEXTS {
        for sender in ["alice@crepes.fr", "\u{e4}lice@crepes.fr"] {
            for service in [smtp::Service::Smtp, smtp::Service::Submission] {
                for bdat in [false, true] {
                    let (envelope, before) = sent(service, sender, bdat, text.as_bytes());
                    assert!(before.is_empty(), "it came in one piece");
                    assert_eq!(envelope.size, envelope.last.len() as u64);
                    let alone = pillarbox_mime::index_small(&envelope.last);
                    let alone = alone.map(|index| index.encode());
                    assert_eq!(envelope.index, alone, "{service:?} {sender} {bdat} {text:?}");
                    assert!(envelope.index.is_some());
                }
            }
        }
    }
}

#[test]
fn what_came_in_pieces_or_has_much_structure_is_for_the_host_to_index() {
    let long = format!("From: a@b.c\r\n\r\n{}", "0123456789\r\n".repeat(4000));
    let (envelope, before) = sent(smtp::Service::Smtp, "a@b.c", false, long.as_bytes());
    assert_eq!(envelope.index, None);
    assert!(!envelope.last.is_empty(), "the last octets come with the rest");
    assert_eq!(envelope.size, (before.len() + envelope.last.len()) as u64);
    assert!([before, envelope.last].concat().ends_with(long.as_bytes()));
    let parts = "--o\r\n\r\n".repeat(100);
    let deep = format!("From: a@b.c\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n{parts}");
    let (envelope, before) = sent(smtp::Service::Smtp, "a@b.c", false, deep.as_bytes());
    assert_eq!((envelope.index, before.len()), (None, 0));
    assert_eq!(envelope.size, envelope.last.len() as u64);
}
