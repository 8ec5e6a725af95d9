//! Who does not wait where a client has to, and who speaks another protocol, is shown out; nobody else is.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Ask, Config, Event, Extensions, Service};
use pillarbox_engine::types::{TlsFacts, TlsOffer};
use smtp_host::*;

const ENVELOPE: &[u8] = b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\n";
const TEXT: &[u8] = b"Subject: x\r\n\r\nwords\r\n.\r\n";

/// Says each piece only after the replies to those before, and gives all codes.
fn pieces(talk: &mut Talk, pieces: &[&[u8]]) -> Vec<u16> {
    pieces.iter().flat_map(|piece| codes(&talk.say(piece))).collect()
}

#[test]
fn octets_before_the_greeting_are_an_early_talkers() {
    let mut talk = Talk::new(config());
    assert_eq!(codes(&talk.say(b"EHLO a\r\n")), [220, 421]);
    assert!(talk.closed);
    assert_eq!(talk.defects(), 1);
    assert!(!talk.events.contains(&Event::Greeted(b"a".to_vec())), "EHLO was not obeyed");
    // Part of a line is as early as the whole.
    let mut talk = Talk::new(config());
    assert_eq!(pieces(&mut talk, &[b"EH", b"LO a\r\n"]), [220, 421]);
    // The greeting first: nothing is wrong.
    let mut talk = Talk::new(config());
    assert_eq!(pieces(&mut talk, &[b"", b"EHLO a\r\n"]), [220, 250]);
}

#[test]
fn what_must_be_the_last_of_a_group_is() {
    let groups: [(&[&[u8]], &[u16]); 7] = [
        (&[b"EHLO a\r\nMAIL FROM:<a@b.c>\r\n"], &[250, 421]),
        (&[b"HELO a\r\nMAIL FROM:<a@b.c>\r\n"], &[250, 421]),
        (&[b"EHLO a\r\n", b"EHLO a\r\nRSET\r\n"], &[250, 250, 421]),
        (&[b"EHLO a\r\n", b"AUTH PLAIN AGFubgBzM2NyZXQ=\r\nNOOP\r\n"], &[250, 235, 421]),
        (&[b"EHLO a\r\n", b"AUTH LOGIN\r\nYW5u\r\n"], &[250, 334, 421]),
        (&[b"EHLO a\r\n", b"AUTH FOO\r\nNOOP\r\n"], &[250, 504, 421]),
        (&[b"EHLO a\r\n", ENVELOPE, b"DATA\r\n.\r\n"], &[250, 250, 250, 421]),
    ];
    for (group, expected) in groups {
        let mut talk = Talk::new(config());
        talk.say(b"");
        assert_eq!(pieces(&mut talk, group), expected, "{}", group.concat().escape_ascii());
        assert!(talk.closed);
        assert!(!talk.asks.iter().any(|ask| matches!(ask, Ask::Chunk(_))), "no text was read");
    }
}

#[test]
fn groups_that_are_allowed_are_served() {
    let mut talk = Talk::greeted(config());
    let mail = [ENVELOPE, b"DATA\r\n"].concat();
    assert_eq!(codes(&talk.say(&mail)), [250, 250, 354]);
    // RFC 2920 §3.1: the text may be the first of a group.
    let again = [TEXT, b"RSET\r\n", &mail].concat();
    assert_eq!(codes(&talk.say(&again)), [250, 250, 250, 250, 354]);
    assert_eq!(
        codes(&talk.say(&[TEXT, b"NOOP\r\nVRFY x\r\nFOO\r\nQUIT\r\n"].concat())),
        [250, 250, 252, 500, 221]
    );
    assert_eq!(talk.messages.len(), 2);
    // RFC 3030 §2: BDAT is followed by its octets, and by the next BDAT.
    let mut talk = Talk::greeted(config());
    let chunks = [ENVELOPE, b"BDAT 3\r\na: BDAT 5 LAST\r\nb\r\n\r\nNOOP\r\n"].concat();
    assert_eq!(codes(&talk.say(&chunks)), [250, 250, 250, 250, 250]);
    // Behind QUIT nothing is read.
    let mut talk = Talk::greeted(config());
    assert_eq!(codes(&talk.say(b"QUIT\r\nMAIL FROM:<a@b.c>\r\n")), [221]);
    assert!(talk.asks.is_empty() && talk.closed);
}

#[test]
fn without_pipelining_every_reply_is_waited_for() {
    let extensions = Extensions { pipelining: false, ..Extensions::default() };
    let without = Config { extensions, ..config() };
    for (config, hello) in [(config(), b"HELO a\r\n"), (without, b"EHLO a\r\n")] {
        let mut talk = Talk::new(config.clone());
        talk.say(b"");
        let (mail, rcpt) = ENVELOPE.split_at(19);
        let steps = [hello, mail, rcpt, b"DATA\r\n", TEXT, mail];
        assert_eq!(pieces(&mut talk, &steps), [250, 250, 250, 354, 250, 250]);
        assert_eq!(talk.defects(), 0);
        let mut talk = Talk::new(config.clone());
        talk.say(b"");
        assert_eq!(pieces(&mut talk, &[hello, ENVELOPE]), [250, 250, 421]);
        let mut talk = Talk::new(config.clone());
        talk.say(b"");
        let text = [TEXT, mail].concat();
        let steps = [hello, mail, rcpt, b"DATA\r\n", &text];
        assert_eq!(pieces(&mut talk, &steps), [250, 250, 250, 354, 250, 421]);
        assert_eq!(talk.messages.len(), 1, "what was acknowledged stays");
        let mut talk = Talk::new(config);
        talk.say(b"");
        // Before EHLO nothing is offered.
        assert_eq!(codes(&talk.say(b"RSET\r\nEHLO a\r\n")), [250, 421]);
    }
}

#[test]
fn octets_behind_starttls_are_dropped_and_told() {
    let mut talk = Talk::greeted(Config { tls: TlsOffer::Upgrade, ..config() });
    assert_eq!(codes(&talk.say(b"STARTTLS\r\nMAIL FROM:<a@b.c>\r\n")), [220]);
    assert!(talk.starting_tls && talk.defects() == 1);
    assert_eq!(talk.say(b"EHLO injected\r\n"), b"");
    talk.session.secured(talk.now, TlsFacts::default()).expect("a handshake was asked for");
    assert_eq!(talk.listen(), b"");
    assert_eq!(codes(&talk.say(b"MAIL FROM:<a@b.c>\r\n")), [503], "nothing before TLS counts");
    let said = talk.line("EHLO a");
    assert!(said.starts_with("250-") && !said.contains("STARTTLS"), "{said}");
    assert!(!talk.closed && talk.asks.is_empty());
}

#[test]
fn another_protocol_is_shown_out_at_once() {
    let inputs: [&[u8]; 12] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x80\x2e\x01\x03\x01",
        b"GET / HTTP/1.0\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /\r\nEHLO a\r\n",
        b"CONNECT x:25 HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\0\0\0\0",
        b"EH\0LO a\r\n",
        b"\xff\xfd\x03",
        b"<?xml version='1.0'?>",
    ];
    for service in [Service::Smtp, Service::Lmtp] {
        for input in inputs {
            let mut all = vec![];
            for size in [1, 2, 3, input.len()] {
                let mut talk = Talk::new(Config { service, ..config() });
                talk.say(b"");
                let said = input.chunks(size).map(|piece| talk.say(piece)).collect::<Vec<_>>();
                all.push(said.concat());
                assert!(talk.closed, "{}", input.escape_ascii());
                assert_eq!(talk.defects(), 1);
            }
            assert!(all[0].starts_with(b"554 5.5.1 "), "{}", all[0].escape_ascii());
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
        }
    }
    // Not only at first: a browser's form may begin with anything.
    let mut talk = Talk::greeted(config());
    assert_eq!(codes(&talk.say(b"POST / HTTP/1.1\r\nMAIL FROM:<a@b.c>\r\n")), [554]);
    assert!(talk.closed && talk.asks.is_empty());
    // What people and old clients do is no other protocol.
    let mut talk = Talk::new(config());
    talk.say(b"");
    assert_eq!(pieces(&mut talk, &[b"\r\n", b" \r\n", b"ehlo a\r\n"]), [500, 500, 250]);
}

#[test]
fn lmtp_answers_bare_ends_once_for_each_recipient() {
    let lmtp = || {
        let mut talk = Talk::greeted(Config { service: Service::Lmtp, ..config() });
        talk.say(ENVELOPE);
        talk.say(b"RCPT TO:<carol@hamburger.edu>\r\nDATA\r\n");
        talk
    };
    let mut talk = lmtp();
    assert_eq!(codes(&talk.say(b"a: b\r\n\r\nx\ny\r\n.\r\nNOOP\r\n")), [550, 550, 421]);
    assert!(talk.closed && talk.messages.is_empty());
    // A refusal before does not hide it.
    let mut talk = Talk::greeted(config());
    talk.judge = |ask| {
        let refusal =
            pillarbox_engine::types::Refusal::new(pillarbox_engine::types::Reason::StorageFull);
        matches!(ask, Ask::Chunk(_)).then_some(pillarbox_engine::smtp::Answer::Refused(refusal))
    };
    talk.say(&[ENVELOPE, b"DATA\r\n"].concat());
    let long = [b"a: b\r\n\r\n", &b"line\r\n".repeat(4000)[..], b"x\ny\r\n.\r\nNOOP\r\n"].concat();
    assert_eq!(codes(&talk.say(&long)), [550, 421]);
    assert!(talk.closed);
    assert_eq!(talk.events.iter().filter(|event| **event == Event::Reset).count(), 1);
}

#[test]
fn commands_that_move_nothing_on_end_the_session_but_rset_does_not() {
    let limited = |max| {
        let mut config = config();
        config.limits.idle_commands_max = max;
        config.limits.recipients_max = 1;
        Talk::greeted(config)
    };
    let mut talk = limited(3);
    assert_eq!(pieces(&mut talk, &[b"EHLO a\r\n", b"EHLO a\r\n", b"EHLO a\r\n"]), [250, 250, 421]);
    let mut talk = limited(3);
    let big = b"MAIL FROM:<a@b.c> SIZE=99999999999\r\n";
    assert_eq!(pieces(&mut talk, &[big, big, big]), [552, 552, 421]);
    let mut talk = limited(3);
    talk.say(ENVELOPE);
    let more = b"RCPT TO:<bob@hamburger.edu>\r\n";
    assert_eq!(pieces(&mut talk, &[more, more, more, more]), [452, 452, 452, 421]);
    assert!(talk.closed && talk.events.contains(&Event::Reset));
    let mut talk = limited(3);
    for _ in 0..1000 {
        assert_eq!(codes(&talk.say(b"RSET\r\n")), [250]);
    }
    assert_eq!(codes(&talk.say(b"NOOP\r\n")), [421]);
}
