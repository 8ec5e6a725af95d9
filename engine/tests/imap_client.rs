//! IMAP client sessions against servers as they are, and against servers that are none.

mod imap_client_host;
mod seeded;

use imap_client_host::{Drive, config, run};
use pillarbox_engine::imap::client::types::{
    AppendCommand, AssembleCommand, AssemblePart, Call, Cause, Command, Config, CopyCommand, Event,
    FetchCommand, FetchSection, IdField, KnownState, MessageLimit, MultiSearchCommand, Outcome,
    Places, SearchCommand, SearchScope, SelectCommand, SortBy, SortCommand, SortKey, StoreCommand,
    StoredPart, ThreadAlgorithm, ThreadCommand, TlsPolicy,
};
use pillarbox_engine::imap::types::{Flags, SearchKey, StoreMode};
use pillarbox_engine::sasl::{LoginAsk, Mechanism};
use pillarbox_engine::types::Misuse;
use seeded::Seeded;

fn fetch(sections: &[&str]) -> Command {
    let section =
        |text: &&str| FetchSection { section: text.as_bytes().to_vec(), binary: false, part: None };
    Command::Fetch(FetchCommand {
        uids: vec![run(1, u32::MAX)],
        sections: sections.iter().map(section).collect(),
        ..FetchCommand::default()
    })
}

fn search(keys: Vec<SearchKey>) -> Command {
    Command::Search(SearchCommand { keys, ..Default::default() })
}

fn select(name: &str) -> Command {
    let name = name.as_bytes().to_vec();
    Command::Select(SelectCommand { name, read_only: false, known: None })
}

/// RFC 9051 §6.2.1: what was said before the handshake is not believed, and what came early is not the server's.
#[test]
fn nothing_from_before_tls_counts_after_it() {
    let required = Config { tls: TlsPolicy::Required, ..config() };
    let mut drive = Drive::new(required.clone());
    let said = drive.hear(b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN LOGINDISABLED] hi\r\n");
    assert_eq!(said, "A1 STARTTLS\r\n");
    drive.hear(b"A1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=LOGIN\r\nA2 OK\r\n");
    assert_eq!(drive.secure(), "A2 CAPABILITY\r\n");
    drive.choose = vec![Mechanism::Plain];
    let said = drive.hear(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA2 OK\r\n");
    assert_eq!(said, "A3 AUTHENTICATE PLAIN\r\n");
    let Some(LoginAsk::Choose(choice)) = drive.logins.first() else { panic!() };
    assert!(choice.secured && choice.mechanisms == [Mechanism::Plain, Mechanism::Login]);

    // The answer before the command: whoever wrote it did not read what we said.
    let mut drive = Drive::new(required.clone());
    drive.hear(b"* OK hi\r\n* CAPABILITY IMAP4rev1 STARTTLS\r\nA1 OK\r\n");
    assert_eq!(drive.done().expect("a failure").cause, Cause::Malformed);

    for greeting in
        ["* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] in", "* OK [CAPABILITY IMAP4rev1] x"]
    {
        let mut drive = Drive::new(required.clone());
        let said = drive.hear(format!("{greeting}\r\n").as_bytes());
        assert_eq!(said, "A1 LOGOUT\r\n");
        assert_eq!(drive.done().expect("a failure").cause, Cause::Tls);
        drive.hear(b"* BYE\r\nA1 OK\r\n");
        assert!(drive.closed);
    }
}

#[test]
fn logins_go_by_what_the_server_offers() {
    let greeting = |extra: &str| format!("* OK [CAPABILITY IMAP4rev1 {extra}] hi\r\n");
    let login = |extra: &str, mechanism| {
        let mut drive = Drive::new(config());
        drive.choose = vec![mechanism];
        let said = drive.hear(greeting(extra).as_bytes());
        (drive, said)
    };
    let (mut drive, said) = login("", Mechanism::Login);
    assert_eq!(said, "A1 LOGIN \"bob\" \"s3cret\"\r\n");
    // What the server offers now comes with its OK, so it is not asked.
    drive.hear(b"A1 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n");
    assert!(matches!(drive.events.last(), Some(Event::Ready(_))));
    let (mut drive, said) = login("SASL-IR AUTH=PLAIN", Mechanism::Plain);
    assert_eq!(said, "A1 AUTHENTICATE PLAIN AGJvYgBzM2NyZXQ=\r\n");
    assert_eq!(drive.hear(b"* CAPABILITY IMAP4rev1 MOVE\r\nA1 OK in\r\n"), "");
    let Some(Event::Ready(ready)) = drive.events.last() else { panic!() };
    assert_eq!(ready.capabilities, [b"IMAP4REV1".to_vec(), b"MOVE".to_vec()]);
    let (mut drive, _) = login("AUTH=PLAIN", Mechanism::Plain);
    assert_eq!(drive.hear(b"+ \r\n"), "AGJvYgBzM2NyZXQ=\r\n");
    assert_eq!(drive.hear(b"A1 OK in\r\n"), "A2 CAPABILITY\r\n");
    let (mut drive, _) = login("AUTH=SCRAM-SHA-1", Mechanism::ScramSha1);
    drive.hear(b"A1 OK in\r\n");
    assert_eq!(drive.done().expect("a failure").cause, Cause::Login);
    let (drive, _) = login("LOGINDISABLED", Mechanism::Login);
    assert_eq!(drive.done().expect("a failure").cause, Cause::Unsupported);
    for (code, again) in [("[AUTHENTICATIONFAILED] ", true), ("", true), ("[UNAVAILABLE] ", false)]
    {
        let (mut drive, _) = login("AUTH=PLAIN", Mechanism::Login);
        drive.choose = vec![Mechanism::Plain];
        let said = drive.hear(format!("A1 NO {code}no\r\n").as_bytes());
        assert_eq!(said == "A2 AUTHENTICATE PLAIN\r\n", again, "{said}");
    }
    // A password that cannot be quoted waits as a literal.
    let mut drive = Drive::new(config());
    drive.choose = vec![];
    drive.hear(greeting("").as_bytes());
    assert_eq!(drive.done().expect("a failure").cause, Cause::Login);
}

#[test]
fn bodies_stream_however_they_are_told() {
    let mut drive = Drive::ready("");
    let said = drive.call(1, fetch(&["", "HEADER"]));
    assert_eq!(said, "A2 UID FETCH 1:* (UID BODY.PEEK[] BODY.PEEK[HEADER])\r\n");
    let long = b"* 9 FETCH (UID 90 BODY[] {3}\r\n".repeat(3000);
    let mut text =
        format!("* 1 FETCH (UID 7 BODY[HEADER] {{2}}\r\n\r\n BODY[] {{{}}}\r\n", long.len());
    drive.hear(text.as_bytes());
    drive.hear(&long);
    text = " FLAGS (\\Seen))\r\n* 2 FETCH (BODY[] \"quoted\" BODY[HEADER] NIL UID 8)\r\n\
            * 3 fetch ( flags () UID 9 body[header] {0}\r\n BODY[]<5> ~{3}\r\n\0\r\n)\r\nA2 OK done\r\n"
        .to_owned();
    drive.hear(text.as_bytes());
    assert!(drive.bodies[&(7, String::new())] == long);
    assert_eq!(drive.bodies[&(7, "HEADER".into())], b"\r\n");
    assert_eq!(drive.bodies[&(8, String::new())], b"quoted");
    assert_eq!(drive.bodies[&(8, "HEADER".into())], b"");
    assert_eq!(drive.bodies[&(9, "HEADER".into())], b"");
    assert_eq!(drive.bodies[&(9, String::new())], b"\0\r\n");
    assert_eq!(drive.fetched().iter().map(|f| f.uid).collect::<Vec<_>>(), [7, 8, 9]);
    assert_eq!(drive.end_of(1).outcome, Outcome::Ok);
    assert_eq!((drive.chunk_max, drive.defects()), (16_384, 0));

    // What the host does not take is passed over, and nothing of it is read as a response.
    let mut drive = Drive::ready("");
    drive.refuse_after = Some(1);
    drive.call(1, fetch(&[""]));
    let evil = b"A2 BAD no\r\n* BYE\r\n".repeat(5000);
    drive.hear(format!("* 1 FETCH (UID 1 BODY[] {{{}}}\r\n", evil.len()).as_bytes());
    drive.hear(&evil);
    drive.hear(b")\r\nA2 OK done\r\n");
    assert_eq!((drive.end_of(1).outcome, drive.chunks), (Outcome::Ok, 2));
}

#[test]
fn literals_may_stand_anywhere() {
    let mut drive = Drive::ready("NAMESPACE");
    drive.call(1, Command::Namespace);
    drive.hear(b"* NAMESPACE (({3}\r\na\"b \"/\")) NIL NIL\r\n* LIST (\\X) \"/\" {5}\r\nin)b \r\nA2 OK\r\n");
    let Some(Event::Namespaces(all)) = drive.events.first() else { panic!("{:?}", drive.events) };
    assert_eq!(all.personal[0].prefix, b"a\"b");
    assert!(matches!(&drive.events[1], Event::Mailbox(mailbox) if mailbox.name == b"in)b "));
    // A status is for people, and may end as a literal's head does.
    drive.call(2, Command::Noop);
    drive.hear(b"* OK try {5}\r\nA3 OK really {100}\r\n");
    assert_eq!(drive.end_of(2).outcome, Outcome::Ok);
}

#[test]
fn unknown_things_are_passed_over() {
    let mut drive = Drive::ready("");
    drive.call(1, Command::Noop);
    drive.hear(
        b"* X-THING (a (b {3}\r\n)))\r\n* 5 X-COUNT\r\n* OK [X-CODE (a] \"]\") x] text\r\n\
        *  3  EXISTS \r\n* 0 EXPUNGE\r\n* LIST\r\n* STATUS\r\n* FLAGS\r\n* SEARCH 1\r\n\
        * ESEARCH\r\n* 1 FETCH (X 1 (2) UID 4)\r\n* NO [ALERT] careful\r\nA2 OK [X] done\r\n",
    );
    assert_eq!(drive.defects(), 0);
    assert!(drive.events.contains(&Event::Exists(3)));
    assert!(drive.events.contains(&Event::Alert(b"careful".to_vec())));
    assert_eq!(drive.fetched()[0].uid, 4);
    assert_eq!(drive.end_of(1).code, b"X");
}

#[test]
fn a_mailbox_is_opened_with_what_the_server_told() {
    let mut drive = Drive::ready("ENABLE CONDSTORE");
    assert_eq!(drive.call(1, select("Entwürfe")), "A2 SELECT \"Entw&APw-rfe\" (CONDSTORE)\r\n");
    drive.hear(
        b"* 172 EXISTS\r\n* 1 RECENT\r\n* OK [UNSEEN 12] x\r\n* OK [UIDVALIDITY 3857529045] x\r\n\
        * OK [UIDNEXT 4392] x\r\n* FLAGS (\\Answered \\Seen $x)\r\n\
        * OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n* OK [HIGHESTMODSEQ 715194045007]\r\n\
        A2 OK [READ-ONLY] done\r\n",
    );
    let Some(Event::Opened(opened)) = drive.events.first() else { panic!("{:?}", drive.events) };
    assert!(opened.read_only && opened.new_keywords && opened.modseqs);
    let counters = &opened.counters;
    assert_eq!((counters.messages, counters.uid_next), (Some(172), Some(4392)));
    assert_eq!(counters.uid_validity, Some(3_857_529_045));
    assert_eq!(counters.highest_modseq, Some(715_194_045_007));
    assert_eq!(opened.permanent_flags, Some(vec![b"\\Seen".to_vec()]));
    // A second one, which fails: nothing is told as opened.
    drive.call(2, select("x"));
    drive.hear(b"* OK [CLOSED] x\r\n* 5 EXISTS\r\nA3 NO [NONEXISTENT] no\r\n");
    assert_eq!(drive.end_of(2).code, b"NONEXISTENT");
    assert_eq!(drive.events.iter().filter(|e| matches!(e, Event::Opened(_))).count(), 1);
    assert!(drive.events.contains(&Event::Closed));
}

#[test]
fn resynchronisation_is_said_where_it_is_enabled() {
    let enable = vec![b"QRESYNC".to_vec(), b"IMAP4rev2".to_vec(), b"X".to_vec()];
    let mut drive = Drive::new(Config { enable, ..config() });
    drive.hear(b"* PREAUTH [CAPABILITY IMAP4rev1 IMAP4rev2 ENABLE QRESYNC] x\r\n");
    assert_eq!(drive.said(), "");
    let said: String = String::from_utf8_lossy(&drive.sent).into_owned();
    assert_eq!(said, "A1 ENABLE QRESYNC IMAP4REV2\r\n");
    drive.hear(b"* ENABLED QRESYNC IMAP4rev2\r\nA1 OK\r\n");
    let known = Some(KnownState { uid_validity: 67, modseq: 20, uids: vec![run(1, 9)] });
    let name = "ä".as_bytes().to_vec();
    let said = drive.call(1, Command::Select(SelectCommand { name, read_only: true, known }));
    assert_eq!(said, "A2 EXAMINE \"ä\" (QRESYNC (67 20 1:9))\r\n");
    drive.hear(b"* VANISHED (EARLIER) 3:5\r\n* 1 FETCH (UID 6 FLAGS () MODSEQ (25))\r\nA2 OK\r\n");
    drive.hear(b"* VANISHED 7,9\r\n");
    let vanished: Vec<_> = drive
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Vanished(vanished) => Some((vanished.earlier, vanished.uids.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(vanished, [(true, vec![run(3, 5)]), (false, vec![run(7, 7), run(9, 9)])]);
    assert_eq!(drive.fetched()[0].modseq, Some(25));
}

#[test]
fn appends_wait_where_they_must() {
    let append = |size, binary| {
        Command::Append(AppendCommand {
            name: b"INBOX".to_vec(),
            message: 1,
            size,
            flags: Flags { system: 8, keywords: vec![] },
            internal_date_ms: Some(837_596_665_000),
            binary,
            replaces: None,
        })
    };
    let message = vec![b'x'; 600_000];
    let mut drive = Drive::ready("");
    drive.blobs.insert(1, message.clone());
    let said = drive.call(1, append(600_000, false));
    let head = "A2 APPEND \"INBOX\" (\\Seen) \"17-Jul-1996 09:44:25 +0000\" {600000}\r\n";
    assert_eq!(said, head);
    assert_eq!(drive.call(2, Command::Noop), "", "it waits for the append");
    let said = drive.hear(b"+ go\r\n");
    assert_eq!(said.len(), 600_002);
    assert_eq!(drive.hear(b"A2 OK [APPENDUID 38505 3955] done\r\n"), "A3 NOOP\r\n");
    assert_eq!(drive.end_of(1).target, [run(3955, 3955)]);
    // Refused before its octets: none are sent, and the next command goes on.
    let mut drive = Drive::ready("LITERAL+");
    drive.blobs.insert(1, message.clone());
    drive.call(1, append(600_000, false));
    drive.call(2, Command::Noop);
    assert_eq!(drive.hear(b"A2 NO [TRYCREATE] no\r\n"), "A3 NOOP\r\n");
    assert_eq!(drive.end_of(1).code, b"TRYCREATE");
    // A small one goes unasked where the server takes that.
    let said = drive.call(3, append(3, false));
    assert_eq!(said, "");
    let said = drive.hear(b"A3 OK\r\n");
    assert!(said.ends_with(" {3+}\r\nxxx\r\n"), "{said}");
    assert_eq!(drive.call(4, append(5, true)), "");
    drive.hear(b"A4 OK\r\n");
    assert_eq!(drive.end_of(4).outcome, Outcome::Unsupported);
}

#[test]
fn idle_is_ended_by_what_comes_next_and_renewed_in_time() {
    let mut drive = Drive::ready("IDLE");
    assert_eq!(drive.call(1, Command::Idle), "A2 IDLE\r\n");
    assert_eq!(drive.hear(b"+ idling\r\n* 4 EXISTS\r\n"), "");
    assert!(drive.events.contains(&Event::Exists(4)));
    assert_eq!(drive.wait(28 * 60_000), "");
    drive.hear(b"* 5 EXISTS\r\n");
    assert_eq!(drive.wait(60_000), "DONE\r\n", "news does not put it off");
    assert_eq!(drive.hear(b"A2 OK\r\n"), "A3 IDLE\r\n");
    drive.hear(b"+\r\n");
    assert_eq!(drive.call(2, Command::Noop), "DONE\r\n");
    assert_eq!(drive.hear(b"* 6 EXISTS\r\nA3 OK\r\n"), "A4 NOOP\r\n");
    assert_eq!(drive.end_of(1).outcome, Outcome::Ok);
    drive.hear(b"A4 OK\r\n");
    // Ended before it was let begin.
    drive.call(3, Command::Idle);
    assert_eq!(drive.call(4, Command::DoneIdling), "");
    assert_eq!(drive.hear(b"+ idling\r\n"), "DONE\r\n");
    drive.hear(b"A5 OK\r\n");
    assert_eq!((drive.end_of(3).outcome, drive.end_of(4).outcome), (Outcome::Ok, Outcome::Ok));
    assert_eq!(drive.deadline_ms, None);
}

#[test]
fn commands_go_together_where_nothing_is_ambiguous() {
    let mut drive = Drive::ready("ESEARCH SORT THREAD=REFERENCES");
    assert_eq!(drive.call(1, fetch(&[])), "A2 UID FETCH 1:* (UID)\r\n");
    let said = drive.call(2, search(vec![SearchKey::Text("é".into())]));
    let line = "A3 UID SEARCH RETURN (MIN MAX COUNT ALL) CHARSET UTF-8 TEXT {2}\r\n";
    assert_eq!(said, line);
    let by = vec![SortBy { key: SortKey::Date, reverse: true }];
    let keys = vec![SearchKey::All];
    assert_eq!(drive.call(3, Command::Sort(SortCommand { by, keys: keys.clone() })), "");
    let algorithm = ThreadAlgorithm::References;
    assert_eq!(drive.call(4, Command::Thread(ThreadCommand { algorithm, keys })), "");
    assert_eq!(drive.hear("+ go\r\n".as_bytes()), "é\r\n");
    // Answers may come in any order.
    drive.hear(b"* ESEARCH (TAG \"A3\") UID MIN 2 MAX 90 COUNT 4 ALL 2:4,90\r\n");
    assert_eq!(drive.hear(b"A3 OK\r\n"), "A4 UID SORT (REVERSE DATE) US-ASCII ALL\r\n");
    assert_eq!(drive.hear(b"A2 OK\r\n"), "");
    let said = drive.hear(b"* SORT 5 3 1\r\nA4 OK\r\n");
    assert_eq!(said, "A5 UID THREAD REFERENCES US-ASCII ALL\r\n");
    drive.hear(b"* THREAD (2)(3 6 (4 23)(44 7 96))\r\nA5 OK\r\n");
    let events = &drive.events;
    assert!(
        events.iter().any(|e| matches!(e, Event::Counted(c) if c.count == 4 && c.max == Some(90)))
    );
    assert!(events.iter().any(|e| matches!(e, Event::Sorted(s) if s.uids == [5, 3, 1])));
    assert!(events.iter().any(|e| matches!(e, Event::Threaded(t) if t.rows.len() == 8)));
}

#[test]
fn a_search_of_any_size_is_told_in_pages() {
    let mut drive = Drive::ready("");
    drive.call(1, search(vec![SearchKey::All]));
    let mut line = "* SEARCH".to_owned();
    (0..30_000).for_each(|n| line.push_str(&format!(" {}", n * 2 + 1)));
    line.push_str(" (MODSEQ 917162500)\r\nA2 OK\r\n");
    drive.hear(line.as_bytes());
    let mut runs = 0;
    for event in &drive.events {
        if let Event::Found(found) = event {
            assert!(found.uids.len() <= 1024);
            runs += found.uids.len();
        }
    }
    assert_eq!(runs, 30_000);
    let counted = drive.events.iter().find_map(|event| match event {
        Event::Counted(counted) => Some(*counted),
        _ => None,
    });
    let counted = counted.expect("it is said");
    assert_eq!((counted.count, counted.min, counted.max), (30_000, Some(1), Some(59_999)));
    assert_eq!(counted.modseq, Some(917_162_500));
}

#[test]
fn moves_are_made_of_what_the_server_has() {
    let copy =
        Command::Copy(CopyCommand { uids: vec![run(3, 5)], to: b"x".to_vec(), remove: true });
    let mut drive = Drive::ready("MOVE");
    assert_eq!(drive.call(1, copy.clone()), "A2 UID MOVE 3:5 \"x\"\r\n");
    drive.hear(b"* OK [COPYUID 4 3:5 7:9] x\r\n* 1 EXPUNGE\r\nA2 OK\r\n");
    assert_eq!(drive.end_of(1).target, [run(7, 9)]);
    let mut drive = Drive::ready("UIDPLUS");
    let said = [
        drive.call(1, copy.clone()),
        drive.hear(b"A2 OK [COPYUID 4 3:5 7:9] x\r\n"),
        drive.hear(b"A3 OK\r\n"),
    ];
    let expected = [
        "A2 UID COPY 3:5 \"x\"\r\n",
        "A3 UID STORE 3:5 +FLAGS.SILENT (\\Deleted)\r\n",
        "A4 UID EXPUNGE 3:5\r\n",
    ];
    assert_eq!(said, expected);
    drive.hear(b"A4 OK\r\n");
    assert_eq!((drive.end_of(1).outcome, drive.end_of(1).uid_validity), (Outcome::Ok, 4));
    // Nothing is marked that was not copied.
    let mut drive = Drive::ready("UIDPLUS");
    drive.call(1, copy);
    assert_eq!(drive.hear(b"A2 NO [OVERQUOTA] full\r\n"), "");
    assert_eq!(drive.end_of(1).outcome, Outcome::No);
}

/// RFC 9738 §3.1.
#[test]
fn a_limit_on_messages_is_told_with_how_far_a_command_came() {
    let limit = |said: &str| {
        let mut drive = Drive::ready("UIDPLUS");
        drive.call(1, Command::Expunge(vec![run(1, 9)]));
        drive.hear(format!("A2 {said}\r\n").as_bytes());
        drive.end_of(1).message_limit
    };
    let told = |max, lowest_uid| Some(MessageLimit { max, lowest_uid });
    assert_eq!(limit("OK [MESSAGELIMIT 1000 23221] partial"), told(1000, Some(23221)));
    assert_eq!(limit("NO [messagelimit 1000 20001] too many"), told(1000, Some(20001)));
    assert_eq!(limit("NO [MESSAGELIMIT 1000] too many"), told(1000, None));
    assert_eq!(limit("NO [MESSAGELIMIT x 1] too many"), None);
    assert_eq!(limit("OK done"), None);
}

#[test]
fn stores_say_what_was_left_alone() {
    let store = Command::Store(StoreCommand {
        uids: vec![run(5, 9)],
        mode: StoreMode::Remove,
        flags: Flags { system: 4, keywords: vec![b"$x".to_vec()] },
        silent: true,
        unchanged_since: Some(320_162_338),
    });
    let mut drive = Drive::ready("CONDSTORE");
    let said = drive.call(1, store.clone());
    assert_eq!(
        said,
        "A2 UID STORE 5:9 (UNCHANGEDSINCE 320162338) -FLAGS.SILENT (\\Deleted $x)\r\n"
    );
    drive.hear(b"A2 OK [MODIFIED 7,9] failed\r\n");
    assert_eq!(drive.end_of(1).modified, [run(7, 7), run(9, 9)]);
    let mut drive = Drive::ready("");
    assert_eq!(drive.call(1, store), "");
    assert_eq!(drive.end_of(1).outcome, Outcome::Unsupported);
}

#[test]
fn calls_have_numbers_of_their_own_and_right_values() {
    let mut drive = Drive::ready("");
    drive.call(1, Command::Noop);
    let now = drive.now;
    let mut call = |id, command| drive.session.call(now, Call { id, command });
    assert_eq!(call(1, Command::Noop), Err(Misuse::BadValue));
    let all = || SearchCommand { keys: vec![SearchKey::All], ..SearchCommand::default() };
    let found = Command::Search;
    let five = Places { first: 1, last: 5, from_end: false };
    let (scopes, keys) = (vec![SearchScope::Personal], vec![SearchKey::All]);
    let everywhere = MultiSearchCommand { scopes, keys, summary: false, relevancy: false };
    let part = |uid| {
        let (mailbox, section) = (b"INBOX".to_vec(), b"TEXT".to_vec());
        AssemblePart::Stored(StoredPart { mailbox, uid_validity: 0, uid, section })
    };
    let put = AssembleCommand {
        name: b"INBOX".to_vec(),
        parts: vec![part(1)],
        flags: Flags::default(),
        internal_date_ms: None,
        replaces: None,
    };
    let wrong = [
        select(""),
        select("a\0b"),
        Command::Expunge(vec![]),
        Command::Expunge(vec![run(0, 1)]),
        Command::Expunge(vec![run(5, 4)]),
        Command::Expunge((1..5000).map(|n| run(n * 2, n * 2)).collect()),
        fetch(&["1]\r\nA9 LOGOUT\r\n"]),
        search(vec![]),
        search(vec![SearchKey::Keyword(b"a b".to_vec())]),
        search(vec![SearchKey::Text(b"\xff".to_vec())]),
        Command::Delete(vec![b'x'; 1001]),
        found(SearchCommand {
            places: Some(Places { first: 0, last: 5, from_end: false }),
            ..all()
        }),
        found(SearchCommand {
            places: Some(Places { first: 6, last: 5, from_end: true }),
            ..all()
        }),
        found(SearchCommand { places: Some(five), summary: true, ..all() }),
        found(SearchCommand { places: Some(five), update: true, ..all() }),
        found(SearchCommand { relevancy: true, ..all() }),
        Command::MultiSearch(MultiSearchCommand { scopes: vec![], ..everywhere.clone() }),
        Command::MultiSearch(MultiSearchCommand {
            scopes: vec![SearchScope::Mailboxes(vec![])],
            ..everywhere.clone()
        }),
        Command::MultiSearch(MultiSearchCommand { relevancy: true, ..everywhere }),
        Command::Assemble(AssembleCommand { parts: vec![], ..put.clone() }),
        Command::Assemble(AssembleCommand { parts: vec![part(0)], ..put.clone() }),
        Command::Assemble(AssembleCommand { parts: vec![part(1); 101], ..put.clone() }),
        Command::Assemble(AssembleCommand { replaces: Some(0), ..put }),
    ];
    for command in wrong {
        assert_eq!(call(2, command.clone()), Err(Misuse::BadValue), "{command:?}");
    }
    for id in 2..117 {
        assert_eq!(call(id, Command::Noop), Ok(()), "{id}");
    }
    assert_eq!(call(200, Command::Noop), Err(Misuse::BadValue), "so many may not wait");
}

#[test]
fn silence_and_farewells_end_the_session() {
    let mut drive = Drive::new(config());
    drive.wait(300_000);
    assert_eq!(drive.done().expect("a failure").cause, Cause::Timeout);
    let mut drive = Drive::new(config());
    drive.hear(b"* BYE [UNAVAILABLE] later\r\n");
    let failure = drive.done().expect("a failure");
    assert_eq!((failure.cause, &failure.code[..]), (Cause::Bye, &b"UNAVAILABLE"[..]));
    let mut drive = Drive::ready("");
    assert_eq!(drive.deadline_ms, None);
    drive.call(1, Command::Noop);
    drive.call(2, Command::Logout);
    drive.hear(b"* BYE idle for too long\r\n");
    assert_eq!(drive.end_of(1).outcome, Outcome::Lost);
    assert_eq!(drive.end_of(2).outcome, Outcome::Lost);
    assert!(drive.closed);
    let mut drive = Drive::ready("");
    drive.call(1, Command::Logout);
    drive.hear(b"* BYE\r\nA2 OK\r\n");
    assert_eq!((drive.end_of(1).outcome, drive.done()), (Outcome::Ok, None));
}

#[test]
fn what_is_too_large_is_dropped_or_ends_the_session() {
    let mut limited = config();
    limited.limits.literals_max = 1000;
    limited.limits.message_max = 5000;
    let mut drive = Drive::opened(limited, "");
    drive.call(1, Command::Noop);
    let literal = "* BYE\r\n".repeat(300);
    drive.hear(
        format!("* LIST () \"/\" {{{}}}\r\n{literal} x {{3}}\r\nabc\r\nA2 OK\r\n", literal.len())
            .as_bytes(),
    );
    assert!(drive.end_of(1).incomplete);
    assert_eq!(drive.defects(), 1);
    drive.call(2, fetch(&[""]));
    drive.hear(b"A3 OK\r\n");
    assert!(!drive.end_of(2).incomplete);
    drive.hear(b"* 1 FETCH (BODY[] {5001}\r\n");
    assert_eq!(drive.done().expect("a failure").cause, Cause::TooLarge);

    let mut drive = Drive::ready("");
    for _ in 0..80 {
        drive.hear(&b"* X".repeat(4000));
    }
    drive.hear(b"\r\n");
    assert_eq!(drive.done().expect("a failure").cause, Cause::TooLarge);

    // Empty literals without end take no memory without end.
    let mut drive = Drive::ready("");
    drive.hear(b"* X {0}\r\n");
    for _ in 0..2000 {
        drive.hear(&b" {0}\r\n".repeat(100));
    }
    drive.hear(b"\r\n");
    assert_eq!(drive.defects(), 1);
    assert!(!drive.closed);
}

/// Whatever a server says, every call ends once.
#[test]
fn garbage_ends_every_call_once() {
    let words = [
        "* ",
        "A1 ",
        "A2 ",
        "A3 ",
        "A4 ",
        "OK ",
        "NO ",
        "BAD ",
        "BYE ",
        "PREAUTH ",
        "+ ",
        "[CAPABILITY ",
        "IMAP4rev1 ",
        "STARTTLS ",
        "AUTH=PLAIN ",
        "IDLE ",
        "] ",
        "1 ",
        "FETCH ",
        "(",
        ")",
        "UID ",
        "BODY[] ",
        "{3}\r\n",
        "{0}\r\n",
        "abc",
        "\"",
        "\\",
        "EXISTS",
        "SEARCH ",
        "FLAGS ",
        "ENVELOPE ",
        "BODYSTRUCTURE ",
        "LIST ",
        "NIL ",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r\n",
        "\0",
        "\u{e9}",
        "4294967296 ",
        "VANISHED ",
        "ID ",
        "[COPYUID 1 2 3] ",
        "THREAD ",
        "ESEARCH ",
        "(TAG \"A2\") ",
        "ADDTO ",
        "RELEVANCY ",
        "PARTIAL ",
        "UIDFETCH ",
        "[INPROGRESS (\"A2\" 1 ",
        "STATUS ",
        "\n",
    ];
    for seed in 1..800 {
        let mut random = Seeded(seed * 0x9ABC_1234_5678);
        let tls = [TlsPolicy::None, TlsPolicy::Opportunistic, TlsPolicy::Required][random.below(3)];
        let id = vec![IdField { name: b"name".to_vec(), value: None }];
        let enable = vec![b"IMAP4rev2".to_vec()];
        let mut drive = Drive::new(Config { tls, id, enable, ..config() });
        drive.choose = vec![];
        let commands = [
            select("a"),
            fetch(&["", "1"]),
            search(vec![SearchKey::All]),
            Command::Idle,
            Command::Noop,
        ];
        for id in 0..5 {
            drive.call(id, commands[random.below(5)].clone());
        }
        drive.call(5, Command::Logout);
        if seed % 2 == 0 {
            drive.hear(b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE ESEARCH LITERAL+] x\r\n");
        }
        for _ in 0..80 {
            if drive.securing {
                drive.secure();
            }
            let mut text = String::new();
            (0..random.below(14)).for_each(|_| text.push_str(random.pick(&words)));
            drive.hear(text.as_bytes());
        }
        drive.end();
        drive.wait(100_000_000);
        drive.wait(100_000_000);
        if !drive.closed {
            assert!(drive.securing, "seed {seed}: only a handshake may still be awaited");
            continue;
        }
        drive.done();
        for call in 0..6 {
            drive.end_of(call);
        }
    }
}
