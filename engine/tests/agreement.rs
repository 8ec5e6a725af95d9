//! Both ends of a connection see the same: over one direction, what its sender notes and what its receiver notes lie in
//! one another or apart, and what the one masks the other masks too.

mod imap_client_host;
mod imap_host;
mod pop3_client_host;
mod pop3_host;
mod seeded;
mod smtp_client_host;
mod smtp_host;

use pillarbox_engine::sasl::Mechanism;
use pillarbox_engine::trace::{Note, Side, Span};
use pillarbox_engine::{imap, pop3, smtp};

/// The spans of one side; pieces of one message or literal are one, since where it is cut means nothing.
fn spans(notes: &[Note], side: Side) -> Vec<Span> {
    let mut all: Vec<Span> = Vec::new();
    for note in notes {
        let Note::Span(span) = note else { continue };
        if span.side != side {
            continue;
        }
        let piece = matches!(span.label, "message" | "literal" | "chunk");
        match all.last_mut() {
            Some(last) if piece && last.label == span.label => last.end = span.end,
            _ => all.push(*span),
        }
    }
    all
}

fn assert_agreement(name: &str, sender: &[Note], receiver: &[Note]) -> usize {
    let (sent, received) = (spans(sender, Side::Sent), spans(receiver, Side::Received));
    for one in &sent {
        let over = received.iter().filter(|two| two.start < one.end && two.end > one.start);
        for two in over {
            let inside = one.start <= two.start && two.end <= one.end;
            let outside = two.start <= one.start && one.end <= two.end;
            assert!(inside || outside, "{name}: {one:?} crosses {two:?}");
            assert!(!one.secret || two.secret, "{name}: {one:?} is a secret, {two:?} is none");
        }
    }
    let end = |spans: &[Span]| spans.last().map_or(0, |span| span.end);
    assert_eq!(end(&sent), end(&received), "{name}");
    sent.len() + received.len()
}

fn smtp_pair(mechanism: Mechanism, chunking: bool, message: &[u8]) -> usize {
    use smtp_client_host::{Drive, config, password};
    let mut drive = Drive::new(smtp::client::types::Config { trace: true, ..config() });
    drive.secrets = vec![password(mechanism)];
    drive.deliver(1, &["bob@hamburger.edu", "carol@hamburger.edu"], message);
    drive.deliver(2, &["bob@hamburger.edu"], b"Subject: y\r\n\r\n.\r\n..x\r\n");
    drive.call(smtp::client::types::Call::Quit);
    let mut server = smtp::Config { trace: true, ..smtp_host::config() };
    server.extensions.chunking = chunking;
    let mut talk = smtp_host::Talk::new(server);
    let (mut said, mut told) = (talk.say(b""), 0);
    while !said.is_empty() {
        drive.hear(&said);
        let octets = drive.sent[told..].to_vec();
        told = drive.sent.len();
        said = talk.say(&octets);
    }
    assert_eq!(talk.messages.len(), 2);
    assert_agreement("SMTP, client to server", &drive.notes, &talk.notes)
        + assert_agreement("SMTP, server to client", &talk.notes, &drive.notes)
}

#[test]
fn both_ends_of_smtp_agree() {
    let long = b"A line of no importance.\r\n".repeat(3000);
    let mut count = 0;
    for mechanism in [Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256] {
        for chunking in [false, true] {
            for message in [&b"Subject: x\r\n\r\nHello\r\n.\r\n"[..], &long] {
                count += smtp_pair(mechanism, chunking, message);
            }
        }
    }
    assert!(count > 1000, "{count}");
}

#[test]
fn both_ends_of_pop3_agree() {
    use pop3::client::types::{Command, Config, TopCommand};
    use pop3_client_host::{Drive, config};
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        let mut drive = Drive::new(Config { trace: true, ..config() });
        drive.choose = vec![mechanism];
        for (id, command) in (0..).zip([
            Command::Sizes(None),
            Command::UniqueIds(None),
            Command::Retrieve(2),
            Command::Retrieve(4),
            Command::Top(TopCommand { number: 1, body_lines: 1 }),
            Command::Retrieve(99),
            Command::Delete(1),
            Command::UniqueIds(Some(2)),
            Command::Capabilities,
            Command::Quit,
        ]) {
            drive.call(id, command);
        }
        let mut talk = pop3_host::Talk::new(pop3::Config { trace: true, ..pop3_host::config() });
        let (mut said, mut told) = (talk.say(b""), 0);
        while !said.is_empty() {
            drive.hear(&said);
            let octets = drive.sent[told..].to_vec();
            told = drive.sent.len();
            said = talk.say(&octets);
        }
        assert!(drive.closed);
        let count = assert_agreement("POP3, client to server", &drive.notes, &talk.notes)
            + assert_agreement("POP3, server to client", &talk.notes, &drive.notes);
        assert!(count > 100, "{count}");
    }
}

#[test]
fn both_ends_of_imap_agree() {
    use imap::client::types as c;
    use imap_client_host::{Drive, config, run};
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        let mut drive = Drive::new(c::Config { trace: true, ..config() });
        drive.choose = vec![mechanism];
        drive.blobs.insert(1, vec![b'x'; 300_000]);
        let section = c::FetchSection { section: vec![], binary: false, part: None };
        let inbox = b"INBOX".to_vec();
        let wild = "Entw\u{fc}rfe \"x\"".as_bytes().to_vec();
        for (id, command) in (0..).zip([
            c::Command::Create(c::CreateCommand { name: wild.clone(), special_uses: vec![] }),
            c::Command::Select(c::SelectCommand {
                name: inbox.clone(),
                read_only: false,
                known: None,
            }),
            c::Command::Fetch(c::FetchCommand {
                uids: vec![run(1, u32::MAX)],
                with_flags: true,
                with_envelope: true,
                with_structure: true,
                sections: vec![section],
                ..c::FetchCommand::default()
            }),
            c::Command::Append(c::AppendCommand {
                name: inbox.clone(),
                message: 1,
                size: 300_000,
                flags: Default::default(),
                internal_date_ms: None,
                binary: false,
                replaces: None,
            }),
            c::Command::Status(inbox),
            c::Command::Status(b"Nowhere".to_vec()),
            c::Command::Delete(wild),
            c::Command::Idle,
            c::Command::Logout,
        ]) {
            drive.call(id, command);
        }
        let mut host = imap_host::Host::new();
        host.put("INBOX", "Subject: a \u{f6}\nFrom: \"a\\\"b\" <c@d>\n\nHello\n", 0);
        host.put("INBOX", &"A line.\n".repeat(9000), 0);
        let server = imap::types::Config { trace: true, ..imap_host::config() };
        let mut talk = imap_host::Talk::new(server, host);
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
        let count = assert_agreement("IMAP, client to server", &drive.notes, &talk.all_notes)
            + assert_agreement("IMAP, server to client", &talk.all_notes, &drive.notes);
        assert!(count > 300, "{count}");
    }
}
