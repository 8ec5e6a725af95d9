//! The IMAP client against our own server: every call once, with and without extensions, however the octets are cut.

mod imap_client_host;
mod imap_host;
mod seeded;

use imap_client_host::{Drive, config, run};
use imap_host::{Host, Talk};
use pillarbox_engine::imap::client::types::{
    AppendCommand, AssembleCommand, AssemblePart, Command, Config, CopyCommand, CreateCommand,
    Event, FetchCommand, FetchSection, IdField, ListCommand, MultiSearchCommand, OctetRange,
    Outcome, Places, RenameCommand, SearchCommand, SearchScope, SelectCommand, SentPart, SortBy,
    SortCommand, SortKey, StoreCommand, StoredPart, TlsPolicy,
};
use pillarbox_engine::imap::types::{Flags, SearchKey, StoreMode};
use pillarbox_engine::sasl::Mechanism;
use pillarbox_engine::types::TlsOffer;
use seeded::Seeded;

const MESSAGE: &str = "From: Ann <ann@a.example>\nTo: bob@b.example\nSubject: Caf\u{e9}\nDate: Mon, 5 Jan \
                       2026 09:00:00 +0000\n\nHello {\n. UID 5 BODY[] {3}\n";

fn host() -> Host {
    let mut host = Host::new();
    host.page = 50;
    host.put("INBOX", MESSAGE, 0);
    host.put("INBOX", &format!("Subject: long\n\n{}", "0123456789 abcdef\n".repeat(4000)), 8);
    host.put("INBOX", "Subject: three\n\n", 4);
    host.mailbox("Entwürfe");
    host.mailbox("Work/Old");
    host
}

/// Lets both talk until neither has anything to say, with pieces of at most `most` octets.
fn pair(drive: &mut Drive, talk: &mut Talk, random: &mut Seeded, most: usize) {
    let (mut heard, mut told) = (0, 0);
    loop {
        let to_client = talk.sent[heard..].to_vec();
        heard = talk.sent.len();
        for piece in pieces(&to_client, random, most) {
            drive.hear(&piece);
        }
        if drive.securing {
            drive.secure();
        }
        let to_server = drive.sent[told..].to_vec();
        told = drive.sent.len();
        for piece in pieces(&to_server, random, most) {
            talk.receive(&piece, usize::MAX);
        }
        if talk.sent.len() == heard && drive.sent.len() == told {
            return;
        }
    }
}

fn pieces(octets: &[u8], random: &mut Seeded, most: usize) -> Vec<Vec<u8>> {
    let (mut all, mut rest) = (vec![], octets);
    while !rest.is_empty() {
        let (piece, more) = rest.split_at((1 + random.below(most)).min(rest.len()));
        all.push(piece.to_vec());
        rest = more;
    }
    all
}

fn commands() -> Vec<Command> {
    let inbox = || b"INBOX".to_vec();
    let all = || vec![run(1, u32::MAX)];
    let section =
        |text: &str, part| FetchSection { section: text.as_bytes().to_vec(), binary: false, part };
    let list = |pattern: &str, subscribed, status| {
        let pattern = pattern.as_bytes().to_vec();
        Command::List(ListCommand {
            pattern,
            subscribed,
            special_use: false,
            status,
            rights: false,
        })
    };
    let search =
        |keys, summary| Command::Search(SearchCommand { keys, summary, ..Default::default() });
    let seen = Flags { system: 8, keywords: vec![b"$Work".to_vec()] };
    vec![
        Command::Namespace,
        list("*", false, true),
        Command::Create(CreateCommand { name: "Ä&b".into(), special_uses: vec![] }),
        Command::Rename(RenameCommand { from: "Ä&b".into(), to: b"Kept".to_vec() }),
        Command::Subscribe(b"Kept".to_vec()),
        list("%", true, false),
        Command::Unsubscribe(b"Kept".to_vec()),
        Command::Status(inbox()),
        Command::Append(AppendCommand {
            name: b"Kept".to_vec(),
            message: 1,
            size: 300_000,
            flags: Flags { system: 1, keywords: vec![] },
            internal_date_ms: Some(837_596_665_000),
            binary: false,
            replaces: None,
        }),
        Command::Select(SelectCommand { name: inbox(), read_only: false, known: None }),
        Command::Fetch(FetchCommand {
            uids: all(),
            with_flags: true,
            with_facts: true,
            with_envelope: true,
            with_structure: true,
            sections: vec![section("", None), section("HEADER.FIELDS (SUBJECT)", None)],
            ..FetchCommand::default()
        }),
        Command::Fetch(FetchCommand {
            uids: vec![run(2, 2)],
            sections: vec![section("TEXT", Some(OctetRange { offset: 17, length: 20_000 }))],
            ..FetchCommand::default()
        }),
        search(vec![SearchKey::Flags(8), SearchKey::Not], false),
        search(vec![SearchKey::Text("café".into()), SearchKey::Larger(5), SearchKey::And(2)], true),
        Command::Store(StoreCommand {
            uids: vec![run(1, 2)],
            mode: StoreMode::Add,
            flags: seen.clone(),
            silent: false,
            unchanged_since: None,
        }),
        Command::Copy(CopyCommand { uids: vec![run(1, 2)], to: b"Kept".to_vec(), remove: false }),
        Command::Copy(CopyCommand { uids: vec![run(1, 1)], to: b"Kept".to_vec(), remove: true }),
        Command::Expunge(all()),
        Command::Idle,
        Command::DoneIdling,
        Command::Noop,
        Command::Unselect,
        Command::Delete(b"Work/Old".to_vec()),
        Command::Status(b"Work/Old".to_vec()),
        Command::Logout,
    ]
}

#[test]
fn every_call_works_against_our_own_server() {
    let mut random = Seeded(0x0123_4567_89AB_CDEF);
    let lacks: [&[&str]; 5] = [
        &[],
        &["IMAP4rev2"],
        &["IMAP4rev2", "MOVE", "ESEARCH", "LITERAL+", "LITERAL-"],
        &["IMAP4rev2", "LITERAL+", "LIST-EXTENDED", "LIST-STATUS"],
        &["IMAP4rev2", "UNSELECT", "NAMESPACE", "SASL-IR", "ENABLE"],
    ];
    let big = "A line of a message that is long.\r\n".repeat(8572).into_bytes();
    for (round, most) in [60_000, 700, 60, 7, 1].into_iter().cycle().take(25).enumerate() {
        let without = lacks[(round + round / 5) % 5];
        let tls = [TlsPolicy::None, TlsPolicy::Required][round % 2];
        let mut drive = Drive::new(Config {
            tls,
            enable: vec![b"IMAP4rev2".to_vec()],
            id: vec![IdField { name: b"name".to_vec(), value: Some(b"us".to_vec()) }],
            trace: round % 3 == 0,
            ..config()
        });
        drive.choose = vec![[Mechanism::Login, Mechanism::Plain][round % 2]];
        drive.blobs.insert(1, big.clone());
        let mut server = imap_host::config();
        server.without = without.iter().map(|name| name.as_bytes().to_vec()).collect();
        if tls == TlsPolicy::Required {
            server.tls = TlsOffer::Upgrade;
            server.auth.cleartext = false;
        }
        for (id, command) in commands().into_iter().enumerate() {
            let mut command = command;
            if let Command::Append(append) = &mut command {
                append.size = big.len() as u64;
            }
            drive.call(id as u32, command);
        }
        let mut talk = Talk::new(server, host());
        pair(&mut drive, &mut talk, &mut random, most);
        check(&drive, &talk, without, &big);
    }
}

fn check(drive: &Drive, talk: &Talk, without: &[&str], big: &[u8]) {
    let what = format!("without {without:?}");
    assert_eq!(drive.defects(), 0, "{what}");
    assert!(drive.closed && talk.closed && drive.done().is_none(), "{what}: {:?}", drive.events);
    for (id, command) in commands().into_iter().enumerate() {
        let end = drive.end_of(id as u32);
        let expected = match &command {
            Command::Namespace if without.contains(&"NAMESPACE") => Outcome::Unsupported,
            Command::Unselect if without.contains(&"UNSELECT") => Outcome::Unsupported,
            // It was deleted before.
            Command::Status(name) if name == b"Work/Old" => Outcome::No,
            _ => Outcome::Ok,
        };
        assert_eq!(end.outcome, expected, "{what}: {command:?} {end:?}");
    }
    // What was appended came whole.
    let kept = &talk.host.mailboxes[&b"Kept"[..]].messages;
    assert!(kept[0].octets == big && kept.len() == 4, "{what}");
    let append = drive.end_of(8);
    assert_eq!((append.uid_validity, &append.target[..]), (7, &[run(1, 1)][..]), "{what}");
    let copy = drive.end_of(15);
    assert_eq!((&copy.source[..], &copy.target[..]), (&[run(1, 2)][..], &[run(2, 3)][..]));
    let moved = drive.end_of(16);
    assert_eq!((&moved.source[..], &moved.target[..]), (&[run(1, 1)][..], &[run(4, 4)][..]));

    let message = MESSAGE.replace('\n', "\r\n").into_bytes();
    assert_eq!(drive.bodies[&(1, String::new())], message, "{what}");
    let subject = "Subject: Caf\u{e9}\r\n\r\n".as_bytes();
    assert_eq!(drive.bodies[&(1, "HEADER.FIELDS (SUBJECT)".into())], subject, "{what}");
    assert_eq!(drive.bodies[&(2, "TEXT".into())].len(), 20_000, "{what}");
    assert!(drive.bodies[&(2, "TEXT".into())].starts_with(b"\r\n0123456789"), "{what}");
    assert!(drive.chunk_max <= 16_384);
    let fetched = drive.fetched();
    let first = fetched.iter().find(|fetched| fetched.uid == 1).expect("it was told");
    let envelope = first.envelope.as_ref().expect("asked for");
    assert_eq!(envelope.from[0].mailbox.as_deref(), Some(&b"ann"[..]));
    assert_eq!(first.structure[0].media_type, b"text/plain");
    assert_eq!(first.size, Some(message.len() as u64));
    assert!(fetched.iter().any(|f| f.uid == 2 && f.flags.as_ref().is_some_and(|f| f.system == 8)));

    let has = |wanted: &dyn Fn(&Event) -> bool| drive.events.iter().any(wanted);
    assert!(has(&|e| matches!(e, Event::Mailbox(m) if m.name == "Entwürfe".as_bytes())), "{what}");
    assert!(has(&|e| matches!(e, Event::Mailbox(m) if m.name == b"Kept")), "{what}");
    assert!(has(&|e| matches!(e, Event::Opened(o) if o.counters.messages == Some(3))), "{what}");
    let status = |e: &Event| matches!(e, Event::Status(s) if s.counters.uid_next == Some(4));
    assert!(has(&status), "{what}");
    let found = |e: &Event| matches!(e, Event::Found(f) if f.call == 12 && f.uids == [run(1, 1), run(3, 3)]);
    assert!(has(&found), "{what}");
    let counted = |e: &Event| matches!(e, Event::Counted(c) if c.call == 13 && c.count == 1);
    assert!(has(&counted), "{what}");
    let gone = |e: &Event| matches!(e, Event::Expunged(_) | Event::Vanished(_));
    let gone = drive.events.iter().filter(|event| gone(event)).count();
    assert_eq!(gone, 2, "{what}: one moved, one expunged");
    let left: Vec<u32> =
        talk.host.mailboxes[&b"INBOX"[..]].messages.iter().map(|message| message.uid).collect();
    assert_eq!(left, [2], "{what}");
}

fn of_extensions() -> Vec<Command> {
    let inbox = || b"INBOX".to_vec();
    let search = |keys| SearchCommand { keys, ..SearchCommand::default() };
    let store = |uid| {
        Command::Store(StoreCommand {
            uids: vec![run(uid, uid)],
            mode: StoreMode::Add,
            flags: Flags { system: 2, keywords: vec![] },
            silent: false,
            unchanged_since: None,
        })
    };
    let stored = |section: &str| {
        let (mailbox, section) = (inbox(), section.as_bytes().to_vec());
        AssemblePart::Stored(StoredPart { mailbox, uid_validity: 7, uid: 1, section })
    };
    let sent = AssemblePart::Sent(SentPart { message: 1, size: 300_000 });
    let put = |name: &[u8], replaces| {
        Command::Assemble(AssembleCommand {
            name: name.to_vec(),
            parts: vec![stored("HEADER"), sent.clone(), stored("TEXT")],
            flags: Flags::default(),
            internal_date_ms: None,
            replaces,
        })
    };
    let places = |first, last, from_end| Some(Places { first, last, from_end });
    let fuzzy = || vec![SearchKey::FuzzyText(b"hallo".to_vec())];
    let one = AppendCommand { name: inbox(), message: 2, size: 4, ..AppendCommand::default() };
    vec![
        Command::Select(SelectCommand { name: inbox(), read_only: false, known: None }),
        Command::Search(SearchCommand {
            places: places(2, 9, false),
            ..search(vec![SearchKey::All])
        }),
        Command::Search(SearchCommand { relevancy: true, ..search(fuzzy()) }),
        Command::MultiSearch(MultiSearchCommand {
            scopes: vec![SearchScope::Personal],
            keys: fuzzy(),
            summary: false,
            relevancy: true,
        }),
        Command::Search(SearchCommand { update: true, ..search(vec![SearchKey::Flags(2)]) }),
        store(2),
        Command::CancelUpdate(4),
        store(3),
        Command::Fetch(FetchCommand {
            uids: vec![run(1, u32::MAX)],
            with_flags: true,
            places: places(1, 1, true),
            ..FetchCommand::default()
        }),
        put(b"Work/Old", None),
        put(b"INBOX", Some(2)),
        Command::Append(AppendCommand { replaces: Some(3), ..one }),
        Command::Sort(SortCommand {
            by: vec![SortBy { key: SortKey::Relevancy, reverse: false }],
            keys: fuzzy(),
        }),
        Command::Expunge(vec![run(1, u32::MAX)]),
        Command::Logout,
    ]
}

#[test]
fn calls_of_extensions_work_with_numbers_and_without() {
    let mut random = Seeded(0x5DEE_CE66);
    for (round, most) in [60_000, 60, 7, 1, 700, 60_000].into_iter().enumerate() {
        let uid_only = round % 2 == 0;
        let names: &[&str] = if uid_only { &["UIDONLY"] } else { &["IMAP4rev2"] };
        let enable = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut drive = Drive::new(Config { enable, ..config() });
        drive.choose = vec![Mechanism::Plain];
        drive.blobs.insert(1, vec![b'x'; 300_000]);
        drive.blobs.insert(2, b"new\n".to_vec());
        let mut server = imap_host::config();
        if round > 2 {
            server.without = vec![b"LITERAL+".to_vec(), b"LITERAL-".to_vec()];
        }
        for (id, command) in (0..).zip(of_extensions()) {
            drive.call(id, command);
        }
        let mut talk = Talk::new(server, host());
        pair(&mut drive, &mut talk, &mut random, most);
        check_extensions(&drive, &talk, uid_only);
    }
}

fn check_extensions(drive: &Drive, talk: &Talk, uid_only: bool) {
    assert_eq!(drive.defects(), 0);
    for (id, command) in (0..).zip(of_extensions()) {
        let end = drive.end_of(id);
        assert_eq!(end.outcome, Outcome::Ok, "{command:?} {end:?}");
    }
    let has = |wanted: &dyn Fn(&Event) -> bool| drive.events.iter().any(wanted);
    assert!(has(&|e| matches!(e, Event::Found(f) if f.call == 1 && f.uids == [run(2, 3)])));
    assert!(has(&|e| matches!(e, Event::Counted(c) if c.call == 1 && c.count == 3)));
    assert!(has(&|e| matches!(e, Event::Scored(s) if s.call == 2 && s.scores == [60])));
    let place = |e: &Event| matches!(e, Event::FoundIn(p) if p.call == 3 && p.name == b"INBOX");
    assert!(has(&place));
    let at = drive.events.iter().position(place).expect("it was told");
    assert!(
        matches!(&drive.events[at + 1], Event::Found(f) if f.call == 3 && f.uids == [run(1, 1)])
    );
    let updated = |event: &Event| match event {
        Event::Updated(updated) => Some(updated.clone()),
        _ => None,
    };
    let updates: Vec<_> = drive.events.iter().filter_map(updated).collect();
    let [updated] = &updates[..] else { panic!("{updates:?}") };
    assert_eq!((updated.call, &updated.added[..]), (4, &[run(2, 2)][..]));
    let fetched = drive.fetched();
    assert!(
        !fetched.is_empty() && fetched.iter().all(|f| (f.number == 0) == uid_only),
        "{fetched:?}"
    );
    assert!(fetched.iter().all(|f| f.uid > 0));
    // What is put in the place of something is told with what went.
    assert_eq!(drive.end_of(10).target, [run(4, 4)]);
    assert_eq!(drive.end_of(11).target, [run(5, 5)]);
    let numbered = |e: &Event| matches!(e, Event::Expunged(_));
    let by_uid = |e: &Event| matches!(e, Event::Vanished(_));
    assert_eq!((has(&numbered), has(&by_uid)), (!uid_only, uid_only));
    let message = MESSAGE.replace('\n', "\r\n").into_bytes();
    let kept = &talk.host.mailboxes[&b"Work/Old"[..]].messages[0].octets;
    assert_eq!(kept.len(), message.len() + 300_000);
    assert!(kept.starts_with(b"From: Ann") && kept.ends_with(b"BODY[] {3}\r\n"));
}
