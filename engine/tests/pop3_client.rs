//! POP3 client sessions: against our own server however the octets are cut, and against servers that are none.

mod pop3_client_host;
mod pop3_host;
mod seeded;

use pillarbox_engine::pop3::client::types::{
    Cause, Code, Command, Config, Event, Outcome, TlsPolicy, TopCommand,
};
use pillarbox_engine::sasl::{LoginAsk, Mechanism};
use pillarbox_engine::types::{Misuse, TlsFacts, TlsOffer};
use pop3_client_host::{Drive, config};
use pop3_host::Talk;
use seeded::Seeded;

/// Lets both talk until neither has anything to say, with pieces of at most `most` octets.
fn pair(drive: &mut Drive, talk: &mut Talk, random: &mut Seeded, most: usize) {
    let mut to_client = talk.say(b"");
    let mut told = 0;
    let mut pieces = |octets: &[u8]| {
        let (mut all, mut rest) = (vec![], octets.to_vec());
        while !rest.is_empty() {
            let more = rest.split_off((1 + random.below(most)).min(rest.len()));
            all.push(std::mem::replace(&mut rest, more));
        }
        all
    };
    loop {
        for piece in pieces(&to_client) {
            drive.hear(&piece);
        }
        let to_server = drive.sent[told..].to_vec();
        told = drive.sent.len();
        to_client.clear();
        for piece in pieces(&to_server) {
            to_client.extend(talk.say(&piece));
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

/// Every call once, against our own server, over TLS and not, however the octets are cut.
#[test]
fn every_call_works_against_our_own_server() {
    let mut random = Seeded(0x9E37_79B9_7F4A_7C15);
    for (round, most) in [1, 7, 60, 700, 20_000].into_iter().cycle().take(20).enumerate() {
        let tls = if round % 2 == 0 { TlsPolicy::None } else { TlsPolicy::Required };
        let mut drive = Drive::new(Config { tls, trace: round % 3 == 0, ..config() });
        drive.choose = vec![[Mechanism::Login, Mechanism::Plain][round % 2]];
        let commands = [
            Command::Maildrop,
            Command::Sizes(None),
            Command::Sizes(Some(2)),
            Command::UniqueIds(None),
            Command::UniqueIds(Some(4)),
            Command::Retrieve(1),
            Command::Retrieve(2),
            Command::Retrieve(4),
            Command::Top(TopCommand { number: 2, body_lines: 1 }),
            Command::Retrieve(99),
            Command::Delete(1),
            Command::Reset,
            Command::Delete(2),
            Command::Noop,
            Command::Capabilities,
            Command::Languages,
            Command::Quit,
        ];
        for (id, command) in commands.into_iter().enumerate() {
            drive.call(id as u32, command);
        }
        let mut server = pop3_host::config();
        if tls == TlsPolicy::Required {
            server.tls = TlsOffer::Upgrade;
            server.auth.cleartext = false;
        }
        let mut talk = Talk::new(server);
        pair(&mut drive, &mut talk, &mut random, most);
        let maildrop = pop3_host::maildrop();
        for (call, message) in [(5, 0), (6, 1), (7, 3)] {
            let size = maildrop[message].len() as u64;
            assert_eq!(*drive.outcome(call), Outcome::Retrieved(size), "in pieces of {most}");
            assert!(drive.messages[&call] == maildrop[message]);
        }
        assert_eq!(drive.messages[&8], b"Subject: b\r\n\r\n.\r\n");
        assert_eq!(drive.failure(9).cause, Cause::Refused);
        for call in [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 16] {
            assert_eq!(*drive.outcome(call), Outcome::Done, "call {call}");
        }
        assert_eq!(drive.done(), None);
        assert!(drive.closed && talk.closed);
        assert_eq!(talk.removed.len(), 1);
        assert!(drive.chunk_max <= 16_384);
        let sizes: Vec<u64> = drive.events.iter().filter_map(sizes).flatten().collect();
        let own: Vec<u64> = maildrop.iter().map(|message| message.len() as u64).collect();
        assert_eq!(sizes, [&own[..], &own[1..2]].concat());
    }
}

fn sizes(event: &Event) -> Option<Vec<u64>> {
    match event {
        Event::Sizes(sizes) => Some(sizes.rows.iter().map(|row| row.size).collect()),
        _ => None,
    }
}

#[test]
fn commands_are_pipelined_only_where_the_server_takes_that() {
    let mut drive = Drive::opened(config(), "", 3);
    assert_eq!(drive.call(1, Command::Noop), "NOOP\r\n");
    assert_eq!(drive.call(2, Command::Delete(1)), "");
    assert_eq!(drive.hear(b"+OK\r\n"), "DELE 1\r\n");

    let mut drive = Drive::opened(config(), "PIPELINING\r\nUIDL\r\n", 3);
    assert_eq!(drive.call(1, Command::UniqueIds(None)), "UIDL\r\n");
    assert_eq!(drive.call(2, Command::Retrieve(1)), "RETR 1\r\n");
    assert_eq!(drive.call(3, Command::Quit), "");
    assert_eq!(
        drive.hear(b"+OK\r\n1 a\r\n2 b\r\n.\r\n+OK\r\nSubject: x\r\n\r\n..y\r\n.\r\n"),
        "QUIT\r\n"
    );
    assert_eq!(*drive.outcome(2), Outcome::Retrieved(18));
    assert_eq!(drive.messages[&2], b"Subject: x\r\n\r\n.y\r\n");
    drive.hear(b"-ERR [SYS/TEMP] some messages are not removed\r\n");
    assert_eq!(drive.failure(3).code, Code::SysTemp);
    assert!(drive.closed && drive.done().is_none());
    for _ in 0..2 {
        let call = pillarbox_engine::pop3::client::types::Call { id: 9, command: Command::Noop };
        assert_eq!(drive.session.call(drive.now, call), Ok(()), "a closed session hears nothing");
    }
}

#[test]
fn calls_have_numbers_of_their_own_and_right_values() {
    let mut drive = Drive::opened(config(), "", 1);
    drive.call(1, Command::Noop);
    let now = drive.now;
    let mut call = |id, command| {
        drive.session.call(now, pillarbox_engine::pop3::client::types::Call { id, command })
    };
    assert_eq!(call(1, Command::Noop), Err(Misuse::BadValue));
    assert_eq!(call(2, Command::Retrieve(0)), Err(Misuse::BadValue));
    assert_eq!(call(2, Command::Language(b"a b".to_vec())), Err(Misuse::BadValue));
    for id in 2..102 {
        assert_eq!(call(id, Command::Noop), Ok(()));
    }
    assert_eq!(call(200, Command::Noop), Err(Misuse::BadValue), "so many may not wait");
}

/// RFC 2595 §4: what was said before the handshake is not believed, and what came early is not the server's.
#[test]
fn nothing_from_before_tls_counts_after_it() {
    let required = Config { tls: TlsPolicy::Required, ..config() };
    let secured = |config: Config| {
        let mut drive = Drive::new(config);
        drive.hear(b"+OK <a@b>\r\n");
        assert_eq!(drive.hear(b"+OK\r\nSTLS\r\nSASL PLAIN\r\nUSER\r\n.\r\n"), "STLS\r\n");
        drive.hear(b"+OK\r\n+OK\r\nSASL LOGIN\r\n.\r\n");
        assert_eq!(drive.secure(), "CAPA\r\n");
        // What was injected went with the handshake; the server itself has nothing of it to say.
        let said = drive.hear(b"+OK\r\nUSER\r\n.\r\n");
        (drive, said)
    };
    let (drive, said) = secured(required.clone());
    assert_eq!(said, "USER bob\r\n");
    let Some(LoginAsk::Choose(choice)) = drive.logins.first() else { panic!() };
    assert!(choice.secured && choice.mechanisms == [Mechanism::Login]);
    // No APOP over a timestamp that anybody could write, and no password in its place.
    let (drive, said) = secured(Config { apop: true, ..required.clone() });
    assert_eq!((said.as_str(), drive.logins.len()), ("QUIT\r\n", 0));

    // Both replies at once: the second cannot be to what was said after the first.
    let mut drive = Drive::new(required.clone());
    drive.hear(b"+OK\r\n+OK\r\nUSER\r\n.\r\n");
    assert_eq!(drive.done().expect("a failure").cause, Cause::Malformed);

    let mut drive = Drive::new(required);
    let said = drive.script(&["+OK\r\n", "+OK\r\nUSER\r\n.\r\n"]);
    assert_eq!(said, "CAPA\r\nQUIT\r\n");
    assert_eq!(drive.done().expect("a failure").cause, Cause::Tls);
    drive.hear(b"+OK\r\n");
    assert!(drive.closed);
}

#[test]
fn a_login_is_tried_again_only_if_another_secret_may_help() {
    for (reply, code, again) in [
        ("-ERR [AUTH] wrong\r\n", Code::Auth, true),
        ("-ERR no\r\n", Code::None, true),
        ("-ERR [IN-USE] locked\r\n", Code::InUse, false),
        ("-ERR [LOGIN-DELAY] wait\r\n", Code::LoginDelay, false),
        ("-ERR [SYS/PERM] broken\r\n", Code::SysPerm, false),
    ] {
        let mut drive = Drive::new(config());
        drive.choose = vec![Mechanism::Login, Mechanism::Plain];
        drive.script(&["+OK\r\n", "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n", "+OK\r\n"]);
        let said = drive.hear(reply.as_bytes());
        if again {
            assert_eq!(said, "AUTH PLAIN AGJvYgBzM2NyZXQ=\r\n");
            drive.hear(reply.as_bytes());
        }
        let failure = drive.done().expect("a failure");
        assert_eq!((failure.cause, &failure.code), (Cause::Login, &code), "{reply}");
        assert_eq!(drive.logins.len(), if again { 3 } else { 1 });
    }
}

#[test]
fn scram_is_spoken_and_its_proof_wanted() {
    let mut drive = Drive::new(config());
    drive.choose = vec![Mechanism::ScramSha1];
    let said = drive.script(&["+OK\r\n", "+OK\r\nSASL SCRAM-SHA-1\r\n.\r\n"]);
    assert!(said.contains("AUTH SCRAM-SHA-1 biws"), "{said}");
    drive.hear(b"+OK\r\n");
    let failure = drive.done().expect("a failure");
    assert_eq!(failure.cause, Cause::Login);
    assert!(drive.closed);
}

/// RFC 5034 §4: a command line has 255 octets at most; a longer initial response follows the empty challenge.
#[test]
fn a_long_initial_response_waits_for_the_challenge() {
    for (octets, at_once) in [(175, true), (176, false)] {
        let mut drive = Drive::new(config());
        drive.choose = vec![Mechanism::Plain];
        drive.secret = vec![b'x'; octets];
        let said = drive.script(&["+OK\r\n", "+OK\r\nSASL PLAIN\r\n.\r\n"]);
        let line = said.strip_prefix("CAPA\r\n").expect("CAPA first");
        assert!(line.len() <= 255, "{}", line.len());
        assert_eq!(line == "AUTH PLAIN\r\n", !at_once, "{line}");
        if !at_once {
            let response = drive.hear(b"+ \r\n");
            assert!(response.starts_with("AGJvYgB4eHh4"), "{response}");
        }
        assert_eq!(drive.hear(b"+OK\r\n"), "CAPA\r\n", "it is logged in");
    }
}

/// RFC 5034 §4: `*` cancels where a challenge cannot be decoded.
#[test]
fn a_challenge_that_is_not_base64_is_cancelled() {
    let mut drive = Drive::new(config());
    drive.choose = vec![Mechanism::CramMd5];
    drive.script(&["+OK\r\n", "+OK\r\nSASL CRAM-MD5\r\n.\r\n"]);
    assert_eq!(drive.hear(b"+ PDE4=TYuNjk3\r\n"), "*\r\n");
}

/// RFC 1939 §7, its example, with the digest of another password.
#[test]
fn apop_is_used_where_it_is_wanted() {
    let mut drive = Drive::new(Config { apop: true, ..config() });
    let said = drive.script(&["+OK <1896.697170952@dbc.mtview.ca.us>\r\n", "-ERR what?\r\n"]);
    let (start, digest) = said.split_at("CAPA\r\nAPOP bob ".len());
    assert_eq!(start, "CAPA\r\nAPOP bob ");
    assert_eq!(digest.len(), 34);
    // A server without CAPA is not asked a second time.
    assert_eq!(drive.hear(b"+OK\r\n"), "STAT\r\n");
    drive.hear(b"+OK 1 5\r\n");
    assert!(matches!(drive.events.last(), Some(Event::Ready(_))));
}

#[test]
fn utf8_and_a_language_are_asked_for_before_the_login() {
    let mut drive = Drive::new(Config { utf8: true, language: b"fr".to_vec(), ..config() });
    let said = drive.script(&[
        "+OK\r\n",
        "+OK\r\nUSER\r\nUTF8\r\nLANG\r\n.\r\n",
        "-ERR no\r\n",
        "+OK\r\n",
    ]);
    assert_eq!(said, "CAPA\r\nUTF8\r\nLANG fr\r\nUSER bob\r\n");
    let mut drive = Drive::opened(config(), "LANG\r\n", 0);
    assert_eq!(drive.call(1, Command::Languages), "LANG\r\n");
    drive.hear("+OK\r\nen English\r\nfr Français\r\n.\r\n".as_bytes());
    assert!(matches!(&drive.events[0], Event::Languages(rows) if rows.len() == 2));
}

#[test]
fn a_refused_chunk_fails_its_call_alone() {
    let mut drive = Drive::opened(config(), "PIPELINING\r\n", 2);
    drive.refuse_after = Some(1);
    drive.call(1, Command::Retrieve(1));
    drive.call(2, Command::Noop);
    let message = [&b"+OK\r\n"[..], &b"0123456789\r\n".repeat(10_000), b".\r\n+OK\r\n"].concat();
    drive.hear(&message);
    assert_eq!(drive.failure(1).cause, Cause::Dropped);
    assert_eq!(*drive.outcome(2), Outcome::Done);
    assert_eq!((drive.chunks, drive.chunk_max), (2, 16_384));
}

#[test]
fn what_does_not_end_is_ended() {
    let mut limited = config();
    limited.limits.message_max = 50_000;
    let mut drive = Drive::opened(limited, "PIPELINING\r\n", 2);
    drive.call(1, Command::Retrieve(1));
    drive.call(2, Command::Noop);
    drive.hear(b"+OK\r\n");
    for _ in 0..100 {
        drive.hear(&b"0123456789\r\n".repeat(1000));
    }
    assert_eq!(drive.failure(1).cause, Cause::TooLarge);
    assert_eq!(drive.failure(2).cause, Cause::Lost);
    assert!(drive.closed);

    let mut drive = Drive::opened(config(), "", 2);
    drive.call(1, Command::Sizes(None));
    drive.hear(b"+OK\r\n1 1\r\nwhat?\r\n2 2\r\n");
    assert_eq!(drive.failure(1).cause, Cause::TooLarge);

    let mut drive = Drive::new(config());
    drive.hear(b"+OK\r\n");
    drive.hear(&[&b"+OK\r\n"[..], &b"X-A\r\n".repeat(2000)].concat());
    assert_eq!(drive.done().expect("a failure").cause, Cause::TooLarge);
}

#[test]
fn silence_ends_the_session_and_an_idle_one_goes_on() {
    let mut drive = Drive::new(config());
    drive.wait(119_999);
    assert!(!drive.closed);
    drive.wait(1);
    assert_eq!(drive.done().expect("a failure").cause, Cause::Timeout);

    let mut drive = Drive::opened(config(), "", 1);
    assert_eq!(drive.deadline_ms, None);
    drive.call(1, Command::Retrieve(1));
    drive.hear(b"+OK\r\nSubject");
    drive.wait(179_999);
    drive.hear(b": x\r\n");
    assert!(!drive.closed);
    drive.wait(1);
    assert_eq!(drive.failure(1).cause, Cause::Timeout);
}

#[test]
fn words_that_are_no_replies_end_the_session() {
    for words in [&b"hello\r\n"[..], b"\r\n", b"+OK\r\n* OK\r\n", b"220 mx ESMTP\r\n", b"\xff\r\n"]
    {
        let mut drive = Drive::new(config());
        drive.hear(words);
        drive.end();
        assert!(drive.closed && drive.done().is_some(), "{}", words.escape_ascii());
    }
    let mut drive = Drive::opened(config(), "", 1);
    drive.hear(b"-ERR idle for too long\r\n");
    let failure = drive.done().expect("a failure");
    assert_eq!((failure.cause, &failure.text[..]), (Cause::Lost, &b"idle for too long"[..]));
}

/// Whatever a server says, every call ends once, and memory and time stay in bounds.
#[test]
fn garbage_ends_every_call_once() {
    let words = [
        "+OK",
        "-ERR",
        "+",
        "+ YWJj",
        ".",
        "..",
        "1 2",
        "2 abc",
        "[IN-USE]",
        "<a@b>",
        "USER",
        "SASL",
        "PLAIN",
        "STLS",
        "PIPELINING",
        "UIDL",
        " ",
        "\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "\0",
        "\u{e9}",
        "18446744073709551616",
        "0",
    ];
    for seed in 1..500 {
        let mut random = Seeded(seed * 0x1234_5678_9ABC);
        let tls = [TlsPolicy::None, TlsPolicy::Opportunistic, TlsPolicy::Required];
        let mut drive =
            Drive::new(Config { tls: tls[random.below(3)], apop: true, utf8: true, ..config() });
        drive.choose = vec![];
        for id in 0..6 {
            let commands = [
                Command::Sizes(None),
                Command::UniqueIds(None),
                Command::Retrieve(1),
                Command::Capabilities,
                Command::Maildrop,
                Command::Quit,
            ];
            let command = if id == 5 { Command::Quit } else { commands[random.below(5)].clone() };
            drive.call(id, command);
        }
        if seed % 2 == 0 {
            drive.choose = vec![Mechanism::Login];
            let capa = "+OK\r\nUSER\r\nUIDL\r\nPIPELINING\r\n.\r\n";
            drive.script(&["+OK\r\n", capa, "+OK\r\n", "+OK\r\n", capa, "+OK 3 30\r\n"]);
        }
        for _ in 0..60 {
            if drive.securing {
                drive.secure();
            }
            let mut text = String::new();
            (0..random.below(12)).for_each(|_| text.push_str(random.pick(&words)));
            drive.hear(text.as_bytes());
        }
        drive.end();
        drive.wait(1_000_000);
        if !drive.closed {
            // Only a handshake may still be awaited.
            assert!(drive.securing, "seed {seed}");
            continue;
        }
        drive.done();
        for call in 0..6 {
            drive.outcome(call);
        }
    }
}
