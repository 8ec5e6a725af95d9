//! What a reader of a POP3 or IMAP client's session is shown: every octet once, no secret in the open, and nothing
//! changed by looking.

mod imap_client_host;
mod imap_host;
mod pop3_client_host;
mod pop3_host;
mod seeded;

use imap_client_host::run;
use pillarbox_engine::imap::client::types as imap;
use pillarbox_engine::pop3::client::types as pop3;
use pillarbox_engine::sasl::Mechanism;
use pillarbox_engine::trace::{Note, Side, Span};

/// All that was said, by each side, and the notes of it.
struct Seen {
    sent: Vec<u8>,
    heard: Vec<u8>,
    notes: Vec<Note>,
    events: String,
}

fn pop3_session(trace: bool, mechanism: Mechanism) -> Seen {
    use pop3_client_host::{Drive, config};
    let mut drive = Drive::new(pop3::Config { trace, ..config() });
    drive.choose = vec![mechanism];
    for (id, command) in (0..).zip([
        pop3::Command::Sizes(None),
        pop3::Command::Retrieve(2),
        pop3::Command::Retrieve(4),
        pop3::Command::Retrieve(99),
        pop3::Command::UniqueIds(Some(1)),
        pop3::Command::Quit,
    ]) {
        drive.call(id, command);
    }
    let mut talk = pop3_host::Talk::new(pop3_host::config());
    let (mut said, mut told, mut heard) = (talk.say(b""), 0, vec![]);
    while !said.is_empty() {
        heard.extend_from_slice(&said);
        drive.hear(&said);
        let octets = drive.sent[told..].to_vec();
        told = drive.sent.len();
        said = talk.say(&octets);
    }
    assert!(drive.closed);
    let events = format!("{:?}", drive.events);
    Seen { sent: drive.sent, heard, notes: drive.notes, events }
}

fn imap_session(trace: bool, mechanism: Mechanism) -> Seen {
    use imap_client_host::{Drive, config};
    let mut drive = Drive::new(imap::Config { trace, ..config() });
    drive.choose = vec![mechanism];
    drive.blobs.insert(1, vec![b'x'; 300_000]);
    let section = imap::FetchSection { section: vec![], binary: false, part: None };
    let name = b"INBOX".to_vec();
    for (id, command) in (0..).zip([
        imap::Command::Select(imap::SelectCommand {
            name: name.clone(),
            read_only: false,
            known: None,
        }),
        imap::Command::Fetch(imap::FetchCommand {
            uids: vec![run(1, u32::MAX)],
            with_flags: true,
            with_structure: true,
            sections: vec![section],
            ..imap::FetchCommand::default()
        }),
        imap::Command::Append(imap::AppendCommand {
            name: name.clone(),
            message: 1,
            size: 300_000,
            flags: Default::default(),
            internal_date_ms: None,
            binary: false,
            replaces: None,
        }),
        imap::Command::Status(b"Nowhere".to_vec()),
        imap::Command::Idle,
        imap::Command::Logout,
    ]) {
        drive.call(id, command);
    }
    let mut host = imap_host::Host::new();
    host.put("INBOX", "Subject: x\n\nHello\n", 0);
    host.put("INBOX", &"A line.\n".repeat(9000), 0);
    let mut talk = imap_host::Talk::new(imap_host::config(), host);
    let (mut told, mut heard) = (0, 0);
    while talk.sent.len() > heard {
        let said = talk.sent[heard..].to_vec();
        heard = talk.sent.len();
        drive.hear(&said);
        let octets = drive.sent[told..].to_vec();
        told = drive.sent.len();
        talk.receive(&octets, usize::MAX);
    }
    assert!(drive.closed);
    let events = format!("{:?}", drive.events);
    Seen { sent: drive.sent, heard: talk.sent, notes: drive.notes, events }
}

const SESSIONS: [fn(bool, Mechanism) -> Seen; 2] = [pop3_session, imap_session];

fn spans(seen: &Seen, side: Side) -> impl Iterator<Item = &Span> {
    seen.notes.iter().filter_map(move |note| match note {
        Note::Span(span) if span.side == side => Some(span),
        _ => None,
    })
}

#[test]
fn every_octet_is_labelled_once() {
    for session in SESSIONS {
        let seen = session(true, Mechanism::Login);
        for (side, total) in [(Side::Sent, seen.sent.len()), (Side::Received, seen.heard.len())] {
            let mut end = 0;
            for span in spans(&seen, side) {
                assert_eq!(span.start, end, "{span:?}");
                assert!(span.end > span.start, "{span:?}");
                end = span.end;
            }
            assert_eq!(end, total as u64, "{side:?}");
        }
        let mut state = "Connected";
        for note in &seen.notes {
            if let Note::State { from, to } = note {
                assert_eq!(*from, state);
                state = to;
            }
        }
        assert_eq!(state, "Closed");
    }
}

#[test]
fn tracing_changes_no_octet() {
    for session in SESSIONS {
        let (with, without) = (session(true, Mechanism::Plain), session(false, Mechanism::Plain));
        assert!(with.sent == without.sent && with.heard == without.heard);
        assert!(with.events == without.events);
        assert!(!with.notes.is_empty() && without.notes.is_empty());
    }
}

#[test]
fn secrets_are_masked() {
    for session in SESSIONS {
        for (mechanism, secret) in
            [(Mechanism::Plain, &b"AGJvYgBzM2NyZXQ="[..]), (Mechanism::Login, b"s3cret")]
        {
            let seen = session(true, mechanism);
            let at = seen.sent.windows(secret.len()).position(|window| window == secret);
            let at = at.expect("the secret was sent") as u64;
            let over = |span: &&Span| span.start < at + secret.len() as u64 && span.end > at;
            assert!(spans(&seen, Side::Sent).filter(over).all(|span| span.secret));
            assert!(!seen.events.contains("s3cret"));
        }
    }
}
