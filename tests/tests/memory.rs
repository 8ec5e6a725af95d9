//! Memory: one sandbox of 4 MiB takes a message of a gigabyte and lists a hundred thousand.

use std::time::Instant;

use pillarbox::cli::EngineChoice;
use pillarbox::engine::{Engine, EngineSettings, Input};
use pillarbox_engine::imap::types::{
    Answer, Ask, Flags, MailboxStatus, Opened, Row, RowPage, UidPage, UidRun,
};
use pillarbox_engine::limits::Limits;
use pillarbox_engine::message::Index;
use pillarbox_engine::sasl::{Account, AuthOffer, LoginAnswer};
use pillarbox_engine::types::{Now, Peer, TlsOffer};
use pillarbox_engine::{Output, imap, smtp};

const NOW: Now = Now { monotonic_ms: 0, unix_ms: 1_767_603_600_000 };

fn engine() -> Engine {
    let settings = EngineSettings::new(EngineChoice::Sandbox, Some(2));
    assert!(settings.session_memory_max <= 4 << 20, "the cap is 4 MiB");
    Engine::new(&settings).expect("the component is valid")
}

fn full(small: u64, large: u64) -> u64 {
    if std::env::var("PILLARBOX_FULL").is_ok_and(|full| full == "1") { large } else { small }
}

#[test]
fn a_message_of_a_gigabyte_passes_through() {
    let size = full(1 << 30, 8 << 30);
    let config = smtp::Config {
        host_name: b"hamburger.edu".to_vec(),
        service: smtp::Service::Smtp,
        peer: Peer::default(),
        session_id: b"1".to_vec(),
        tls: TlsOffer::None,
        auth: AuthOffer::default(),
        auth_required: false,
        extensions: smtp::Extensions::default(),
        persona: pillarbox_engine::types::Persona::Strict,
        lenient: false,
        verify: false,
        return_path: true,
        faults: false,
        index: engine().indexer(),
        limits: Limits { message_max: u64::MAX, ..Limits::SMTP },
        trace: false,
    };
    let mut session = engine().smtp(config, NOW).expect("a slot is free");
    let start = Instant::now();
    let mut stored = 0;
    let mut say = |octets: &[u8]| {
        let mut input = Input::Receive(octets.to_vec());
        let mut heard = Vec::new();
        loop {
            let step = session.step(NOW, input).expect("the sandbox holds");
            let mut next = step.left.map_or(Input::Nothing, Input::Receive);
            let mut waits = matches!(next, Input::Nothing);
            for output in step.outputs {
                match output {
                    Output::Transmit(octets) => heard.extend(octets),
                    Output::Ask(id, smtp::Ask::Chunk(octets)) => {
                        stored += octets.len() as u64;
                        (next, waits) = (Input::Answer(id, smtp::Answer::Done), false);
                    }
                    Output::Ask(id, smtp::Ask::Commit(envelope)) => {
                        stored += envelope.last.len() as u64;
                        let committed = smtp::Committed::default();
                        (next, waits) =
                            (Input::Answer(id, smtp::Answer::Committed(committed)), false);
                    }
                    Output::Ask(id, _) => {
                        (next, waits) = (Input::Answer(id, smtp::Answer::Done), false);
                    }
                    _ => {}
                }
            }
            if waits {
                return (heard, stored);
            }
            input = next;
        }
    };
    say(b"");
    say(b"EHLO a\r\n");
    say(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
    say(b"Subject: large\r\n\r\n");
    let line = [&[b'x'; 1022][..], b"\r\n"].concat();
    let chunk = line.repeat(16);
    for _ in 0..size / chunk.len() as u64 {
        say(&chunk);
    }
    let (heard, stored) = say(b".\r\n");
    assert!(heard.starts_with(b"250 "), "{}", heard.escape_ascii());
    assert!(stored > size, "every octet went to the host");
    println!("{} MiB in {:?}", size >> 20, start.elapsed());
}

#[test]
fn a_hundred_thousand_messages_are_fetched() {
    let config = imap::types::Config {
        host_name: b"hamburger.edu".to_vec(),
        peer: Peer::default(),
        session_id: b"1".to_vec(),
        tls: TlsOffer::None,
        auth: AuthOffer { mechanisms: Vec::new(), password_commands: true, cleartext: true },
        preauth: None,
        without: Vec::new(),
        faults: false,
        limits: Limits::IMAP,
        trace: false,
    };
    const COUNT: u32 = 100_000;
    let mut index = Index::opaque(b"Subject: x\r\n\r\nwords\r\n", 21);
    index.references = Some(Vec::new());
    // Messages with subjects of their own, in no order, that refer to one each.
    let index = |uid: u32| {
        let number = uid.wrapping_mul(2_654_435_761);
        let mut index = index.clone();
        index.envelope.subject = Some(format!("{number:010} {}", "x".repeat(80)).into_bytes());
        index.envelope.message_id = Some(format!("<{uid}@x>").into_bytes());
        index.references = Some(format!("<{}@x>", uid / 3).into_bytes());
        index.encode()
    };
    let answer = |ask: &Ask| match ask {
        Ask::Login(_) => {
            let account = Account { name: b"bob".to_vec(), server_signature: Vec::new() };
            Answer::Login(LoginAnswer::Accepted(account))
        }
        Ask::Open(_) => Answer::Opened(Opened {
            status: MailboxStatus {
                messages: COUNT,
                uid_next: COUNT + 1,
                uid_validity: 1,
                ..MailboxStatus::default()
            },
            recent_from: COUNT + 1,
            uids: UidPage { runs: vec![UidRun { first: 1, last: COUNT }], more: false },
            ..Opened::default()
        }),
        Ask::Rows(ask) => {
            let uids = ask.uids.iter().flat_map(|run| run.first..=run.last);
            let row = |uid| Row {
                uid,
                blob: u64::from(uid),
                size: 21,
                flags: Flags::default(),
                modseq: 1,
                internal_date_ms: 0,
                internal_date_zone: 0,
                save_date_ms: 0,
                index: ask.index.then(|| index(uid)),
            };
            let mut rows: Vec<Row> = uids.map(row).take(ask.max as usize + 1).collect();
            let more = rows.len() > ask.max as usize;
            rows.truncate(ask.max as usize);
            Answer::Rows(RowPage { rows, more })
        }
        Ask::Order(_) => Answer::Declined,
        ask => panic!("not expected: {ask:?}"),
    };
    let mut session = engine().imap(config, NOW).expect("a slot is free");
    let mut fetched = 0;
    let mut heard = Vec::new();
    for command in [
        &b"a LOGIN bob x\r\nb SELECT INBOX\r\n"[..],
        b"c FETCH 1:* (UID FLAGS ENVELOPE RFC822.SIZE BODY.PEEK[])\r\n",
        b"d UID SORT (SUBJECT) UTF-8 ALL\r\n",
        b"e THREAD REFERENCES UTF-8 1:19000\r\n",
        b"f THREAD ORDEREDSUBJECT UTF-8 1:19000\r\n",
        b"g THREAD REFERENCES UTF-8 ALL\r\n",
        b"h NOOP\r\n",
    ] {
        let start = Instant::now();
        heard.clear();
        let mut input = Input::Receive(command.to_vec());
        loop {
            let step = session.step(NOW, input).expect("the sandbox holds");
            let mut next = None;
            let mut waits = false;
            for output in step.outputs {
                match output {
                    Output::Ask(id, ask) => next = Some(Input::Answer(id, answer(&ask))),
                    Output::TransmitBlob(_) => fetched += 1,
                    Output::Transmit(octets) => heard.extend(octets),
                    Output::Wait { .. } => waits = true,
                    Output::Close => panic!("the session goes on"),
                    _ => {}
                }
            }
            match next {
                None if waits => break,
                next => input = next.unwrap_or(Input::Nothing),
            }
        }
        println!("{}: {:?}", command.escape_ascii(), start.elapsed());
        let text = String::from_utf8_lossy(&heard);
        match command[0] {
            b'd' => assert_sorted(&text, COUNT),
            b'e' | b'f' => {
                let numbers =
                    text.split(['(', ')', ' ']).filter(|word| word.parse::<u32>().is_ok());
                assert_eq!(numbers.count(), 19_000, "each message is in a thread");
            }
            b'g' => assert!(text.contains("g NO [LIMIT]"), "{text}"),
            tag => {
                let tag = char::from(tag);
                assert!(text.lines().any(|line| line.starts_with(&format!("{tag} OK"))), "{tag}");
            }
        }
    }
    assert_eq!(fetched, COUNT, "each body left by reference");
}

/// Whether a SORT response has every message once, in the order of the numbers in their subjects.
fn assert_sorted(text: &str, count: u32) {
    let line = text.lines().find_map(|line| line.strip_prefix("* SORT ")).expect("a response");
    let uids: Vec<u32> = line.split(' ').map(|uid| uid.parse().expect("a UID")).collect();
    assert_eq!(uids.len(), count as usize);
    let number = |uid: &u32| uid.wrapping_mul(2_654_435_761);
    assert!(uids.is_sorted_by_key(number), "they are in order");
}
