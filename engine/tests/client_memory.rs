//! What a server can make a POP3 or IMAP client hold: far less than the 4 MiB of its sandbox, whatever it says.

mod counting;
mod imap_client_host;
mod pop3_client_host;

use counting::peak;
use imap_client_host::run;
use pillarbox_engine::imap::client::types as imap;
use pillarbox_engine::imap::types::SearchKey;
use pillarbox_engine::pop3::client::types as pop3;
use pillarbox_engine::types::Now;
use pillarbox_engine::{Output, Session};

/// A session whose host keeps nothing: every chunk is taken and every event forgotten.
fn hear_imap(session: &mut Session<pillarbox_engine::imap::Client>, mut octets: &[u8]) -> u64 {
    let now = Now { monotonic_ms: 1000, unix_ms: 0 };
    let mut outputs = 0;
    loop {
        octets = &octets[session.receive(now, octets)..];
        loop {
            outputs += 1;
            match session.poll() {
                Output::Ask(id, _) => {
                    session.answer(now, id, imap::Answer::Done).expect("a right answer");
                }
                Output::Wait { .. } => break,
                Output::Close => return outputs,
                _ => {}
            }
        }
        if octets.is_empty() {
            return outputs;
        }
    }
}

fn hear_pop3(session: &mut Session<pillarbox_engine::pop3::Client>, mut octets: &[u8]) {
    let now = Now { monotonic_ms: 1000, unix_ms: 0 };
    loop {
        octets = &octets[session.receive(now, octets)..];
        loop {
            match session.poll() {
                Output::Ask(id, _) => {
                    let answer = if octets.is_empty() {
                        pop3::Answer::Login(pillarbox_engine::sasl::LoginSecret::NoLogin)
                    } else {
                        pop3::Answer::Done
                    };
                    if session.answer(now, id, answer).is_err() {
                        session.answer(now, id, pop3::Answer::Done).expect("one of the two");
                    }
                }
                Output::Wait { .. } => break,
                Output::Close => return,
                _ => {}
            }
        }
        if octets.is_empty() {
            return;
        }
    }
}

/// Heads, a piece that is repeated, and an end: what a hostile server sends.
fn hostile() -> Vec<(&'static str, String, &'static str, usize)> {
    let half = 250_000;
    vec![
        ("a line of numbers", "* SEARCH".into(), " 4294967295", half / 11),
        ("numbers with gaps", "* SEARCH".into(), " 1 3", half / 4),
        ("a set", "* ESEARCH (TAG \"A2\") UID ALL 1".into(), ",3,5", half / 4),
        ("scores", "* ESEARCH (TAG \"A2\") UID RELEVANCY (".into(), "1 ", half / 2),
        ("correlators", "* ESEARCH (".into(), "TAG \"A2\" MAILBOX x ", half / 19),
        ("nested", "* ESEARCH (TAG \"A2\" X ".into(), "(", half),
        ("changes", "* ESEARCH (TAG \"A1\") UID ADDTO (".into(), "0 1,3 ", half / 6),
        ("progress", "* OK [INPROGRESS (\"A1\" ".into(), "1 ", half / 2),
        ("by UID", "* 7 UIDFETCH (FLAGS (".into(), "a ", half / 2),
        ("flags", "* FLAGS (".into(), "a ", half / 2),
        ("keywords", "* 1 FETCH (FLAGS (".into(), "a ", half / 2),
        ("parentheses", "* 1 FETCH (BODYSTRUCTURE ".into(), "(", half),
        ("parts", "* 1 FETCH (BODYSTRUCTURE (".into(), "(A B NIL NIL NIL C 1)", half / 21),
        ("parameters", "* 1 FETCH (BODYSTRUCTURE (A B (".into(), "a b ", half / 4),
        ("addresses", "* 1 FETCH (ENVELOPE (NIL NIL (".into(), "(a b c d)", half / 9),
        ("bodies", "* 1 FETCH (".into(), "BODY[] a ", half / 9),
        ("threads", "* THREAD ".into(), "(1", half / 2),
        ("capabilities", "* CAPABILITY ".into(), "ABC ", half / 4),
        ("quoted", "* LIST () \"/\" \"".into(), "\\\"", half / 2),
        ("namespaces", "* NAMESPACE (".into(), "(\"\" \"/\")", half / 8),
        ("quota", "* QUOTA \"\" (".into(), "A 1 2 ", half / 6),
        ("rights", "* ACL x ".into(), "a b ", half / 4),
        ("annotations", "* METADATA x (".into(), "/a NIL ", half / 7),
        ("a code", "* OK [PERMANENTFLAGS (".into(), "a ", half / 2),
        ("literals", "* LIST () \"/\" ".into(), "{9}\r\n123456789 ", half / 14),
        ("empty literals", "* X ".into(), "{0}\r\n ", half / 6),
        ("bodies as literals", "* 1 FETCH (".into(), "BODY[1] {1}\r\nx ", half / 15),
    ]
}

#[test]
fn no_response_takes_more_than_its_share() {
    for (what, head, piece, times) in hostile() {
        let text = [head.as_bytes(), piece.repeat(times).as_bytes(), b"\r\n"].concat();
        let now = Now { monotonic_ms: 1000, unix_ms: 0 };
        let ((), most) = peak(|| {
            let mut session = Session::new(imap_client_host::config(), now);
            hear_imap(
                &mut session,
                b"* PREAUTH [CAPABILITY IMAP4rev1 ESEARCH CONTEXT=SEARCH THREAD=REFERENCES] x\r\n",
            );
            let keys = vec![SearchKey::All];
            let command = if what == "threads" {
                let algorithm = imap::ThreadAlgorithm::References;
                imap::Command::Thread(imap::ThreadCommand { algorithm, keys })
            } else {
                imap::Command::Search(imap::SearchCommand {
                    keys,
                    update: what == "changes",
                    ..Default::default()
                })
            };
            let call = imap::Call { id: 1, command };
            session.call(now, call).expect("a right call");
            for piece in text.chunks(16_384) {
                hear_imap(&mut session, piece);
            }
        });
        assert!(most < 3 << 20, "{what}: {most} octets");
        println!("{what}: {most} octets");
    }
}

#[test]
fn messages_of_any_size_pass_by() {
    let now = Now { monotonic_ms: 1000, unix_ms: 0 };
    let ((), most) = peak(|| {
        let mut session = Session::new(imap_client_host::config(), now);
        hear_imap(&mut session, b"* PREAUTH [CAPABILITY IMAP4rev1] x\r\n");
        let fetch = imap::FetchCommand { uids: vec![run(1, 1)], ..Default::default() };
        let call = imap::Call { id: 1, command: imap::Command::Fetch(fetch) };
        session.call(now, call).expect("a right call");
        hear_imap(&mut session, b"* 1 FETCH (UID 1 BODY[] {20000000}\r\n");
        let piece = [b'x'; 16_000];
        for _ in 0..20_000_000 / piece.len() {
            hear_imap(&mut session, &piece);
        }
        hear_imap(&mut session, b")\r\nA1 OK\r\n");
    });
    assert!(most < 200_000, "{most} octets");
}

#[test]
fn a_maildrop_of_any_size_passes_by() {
    let now = Now { monotonic_ms: 1000, unix_ms: 0 };
    let mut drive =
        pop3_client_host::Drive::opened(pop3_client_host::config(), "UIDL\r\n", 100_000);
    for (id, command) in (1..).zip([pop3::Command::UniqueIds(None), pop3::Command::Retrieve(1)]) {
        let call = pop3::Call { id, command };
        drive.session.call(now, call).expect("a right call");
    }
    let ((), most) = peak(|| {
        hear_pop3(&mut drive.session, b"+OK\r\n");
        for first in (1..=100_000).step_by(1000) {
            let rows: String =
                (first..first + 1000).map(|n| format!("{n} {}\r\n", "u".repeat(70))).collect();
            hear_pop3(&mut drive.session, rows.as_bytes());
        }
        hear_pop3(&mut drive.session, b".\r\n");
        hear_pop3(&mut drive.session, b"+OK\r\n");
        let piece = b"0123456789abcdef0123456789abcd\r\n".repeat(500);
        for _ in 0..1000 {
            hear_pop3(&mut drive.session, &piece);
        }
        hear_pop3(&mut drive.session, b".\r\n");
    });
    assert!(most < 300_000, "{most} octets");
}
