//! The host's say at each phase: where it is asked, what it may answer, what becomes of the session, and that nobody is
//! asked when faults are off.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Answer, Ask, Config, Envelope, Event, Phase, Server, Service};
use pillarbox_engine::types::{Instead, Misuse, Now, TlsFacts, TlsOffer};
use pillarbox_engine::{Output, Session};
use smtp_host::{Seeded, Talk, codes, config, conversation, say_whole};

fn faulty() -> Config {
    Config { faults: true, ..config() }
}

fn instead(code: u16, text: &str, close: bool) -> Answer {
    Answer::Instead(Instead { code, text: text.as_bytes().to_vec(), close })
}

/// A host that lets everything go on.
fn patient(ask: &Ask) -> Option<Answer> {
    matches!(ask, Ask::Phase(_)).then_some(Answer::Done)
}

fn talk(config: Config, judge: fn(&Ask) -> Option<Answer>) -> Talk {
    let mut talk = Talk::new(config);
    talk.judge = judge;
    talk
}

fn phases(talk: &Talk) -> Vec<Phase> {
    let phase = |ask: &Ask| if let Ask::Phase(phase) = ask { Some(phase.clone()) } else { None };
    talk.asks.iter().filter_map(phase).collect()
}

/// What was asked, but for phases and for how the octets came: where phases are, the last ones come before the last phase.
/// What they came to is in the messages.
fn asks(talk: &Talk) -> Vec<Ask> {
    let without_octets = |ask: &Ask| match ask {
        Ask::Phase(_) | Ask::Chunk(_) => None,
        Ask::Commit(envelope) => {
            Some(Ask::Commit(Envelope { last: Vec::new(), ..envelope.clone() }))
        }
        ask => Some(ask.clone()),
    };
    talk.asks.iter().filter_map(without_octets).collect()
}

#[test]
fn a_host_that_always_says_go_on_changes_no_octet() {
    let mut met = 0;
    for seed in 1..300 {
        let groups = conversation(&mut Seeded(seed), config());
        let (mut plain, mut held) = (talk(config(), |_| None), talk(faulty(), patient));
        let (said, said_held) = (say_whole(&mut plain, &groups), say_whole(&mut held, &groups));
        assert_eq!(said, said_held, "seed {seed}");
        assert!(phases(&plain).is_empty(), "nobody is asked when faults are off");
        assert!(!phases(&held).is_empty());
        assert_eq!((plain.closed, &plain.events), (held.closed, &held.events), "seed {seed}");
        assert_eq!(asks(&plain), asks(&held), "seed {seed}");
        assert_eq!(plain.messages, held.messages, "seed {seed}");
        met += held.messages.len();
    }
    assert!(met > 0, "some conversation brought a message");
}

#[test]
fn every_phase_is_asked_in_order() {
    let mut talk = talk(faulty(), patient);
    talk.say(b"");
    for line in ["EHLO crepes.fr", "NOOP", "AUTH PLAIN AGFubgBzM2NyZXQ=", "MAIL FROM:<a@b.c>"] {
        talk.line(line);
    }
    for line in ["RCPT TO:<bob@hamburger.edu>", "DATA", "Subject: x\r\n\r\n.", "QUIT"] {
        talk.line(line);
    }
    let names: Vec<String> = phases(&talk)
        .iter()
        .map(|phase| format!("{phase:?}"))
        .map(|name| name.split(['(', ' ']).next().unwrap_or_default().to_owned())
        .collect();
    let expected = [
        "Connected",
        "Hello",
        "Other",
        "Auth",
        "Mail",
        "Rcpt",
        "Data",
        "EndOfData",
        "Committed",
        "Quit",
    ];
    assert_eq!(names, expected);
    assert!(!format!("{:?}", phases(&talk)).contains("AGFubg"), "no secret goes with a phase");
    assert_eq!(talk.messages.len(), 1);
}

#[test]
fn the_greeting_can_be_anothers() {
    fn refuse(ask: &Ask) -> Option<Answer> {
        match ask {
            Ask::Phase(Phase::Connected) => Some(instead(554, "No mail here", false)),
            _ => patient(ask),
        }
    }
    let mut talk = talk(faulty(), refuse);
    assert_eq!(talk.say(b""), b"554 No mail here\r\n");
    assert!(talk.line("NOOP").starts_with("250"));
    fn close(ask: &Ask) -> Option<Answer> {
        matches!(ask, Ask::Phase(Phase::Connected)).then(|| instead(421, "4.3.2 No", true))
    }
    let mut talk = self::talk(faulty(), close);
    assert_eq!(talk.say(b""), b"421 4.3.2 No\r\n");
    assert!(talk.closed);
}

#[test]
fn a_greeting_over_tls_waits_for_the_handshake() {
    let config = Config { tls: TlsOffer::Implicit, ..faulty() };
    let now = Now::default();
    let mut session = Session::<Server>::new(config, now);
    assert!(matches!(session.poll(), Output::StartTls));
    assert!(matches!(session.poll(), Output::Wait { .. }));
    session.secured(now, TlsFacts::default()).expect("asked for");
    let Output::Ask(id, Ask::Phase(Phase::Connected)) = session.poll() else { panic!("no ask") };
    session.answer(now, id, Answer::Done).expect("a right answer");
    assert!(matches!(session.poll(), Output::Transmit(octets) if octets.starts_with(b"220 ")));
}

#[test]
fn what_is_said_too_early_stays_early() {
    // A client that does not wait for the greeting is shown out, however late the host lets it be said.
    let mut talk = talk(faulty(), patient);
    let said = talk.say(b"EHLO crepes.fr\r\n");
    assert_eq!(codes(&said), [220, 421]);
    assert!(talk.closed);
}

#[test]
fn pipelined_commands_are_refused_one_by_one() {
    fn no_bob(ask: &Ask) -> Option<Answer> {
        match ask {
            Ask::Phase(Phase::Rcpt(to)) if to.forward_path.local_part == b"bob" => {
                Some(instead(451, "4.7.1 Later", false))
            }
            Ask::Phase(_) => Some(Answer::Done),
            _ => None,
        }
    }
    let mut talk = talk(faulty(), no_bob);
    talk.say(b"");
    talk.line("EHLO crepes.fr");
    let said = talk.say(
        b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\nRCPT TO:<carol@hamburger.edu>\r\nDATA\r\n",
    );
    assert_eq!(codes(&said), [250, 451, 250, 354]);
    talk.line("Subject: x\r\n\r\n.");
    assert_eq!(talk.messages.len(), 1);
    assert_eq!(talk.messages[0].0.len(), 1);
}

#[test]
fn a_message_is_stored_or_not_as_the_phase_says() {
    fn before(ask: &Ask) -> Option<Answer> {
        match ask {
            Ask::Phase(Phase::EndOfData) => Some(instead(451, "4.3.0 Later", false)),
            _ => patient(ask),
        }
    }
    fn after(ask: &Ask) -> Option<Answer> {
        match ask {
            Ask::Phase(Phase::Committed) => Some(instead(421, "4.4.2 Lost", true)),
            _ => patient(ask),
        }
    }
    for (judge, stored, resets, code) in
        [(before as fn(&Ask) -> _, 0, 1, 451), (after as fn(&Ask) -> _, 1, 0, 421)]
    {
        for service in [Service::Smtp, Service::Lmtp] {
            let mut talk = talk(Config { service, ..faulty() }, judge);
            talk.say(b"");
            talk.line(if service == Service::Lmtp { "LHLO a" } else { "EHLO a" });
            talk.say(
                b"MAIL FROM:<a@b.c>\r\nRCPT TO:<x@hamburger.edu>\r\nRCPT TO:<y@hamburger.edu>\r\n",
            );
            talk.line("DATA");
            let said = talk.line("Subject: x\r\n\r\n.");
            let replies = if service == Service::Lmtp { 2 } else { 1 };
            assert_eq!(codes(said.as_bytes()), vec![code; replies]);
            assert_eq!(talk.messages.len(), stored);
            let reset = talk.events.iter().filter(|event| **event == Event::Reset).count();
            assert_eq!(reset, resets);
            assert_eq!(talk.closed, code == 421);
        }
    }
}

#[test]
fn a_refused_chunk_is_read_and_thrown_away() {
    fn no_data(ask: &Ask) -> Option<Answer> {
        match ask {
            Ask::Phase(Phase::Data) => Some(instead(451, "4.3.0 Later", false)),
            _ => patient(ask),
        }
    }
    let mut talk = talk(faulty(), no_data);
    talk.say(b"");
    talk.line("EHLO a");
    talk.say(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\n");
    let said = talk.say(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
    assert_eq!(codes(&said), [451, 250], "the chunk is no command");
    assert!(talk.messages.is_empty() && !talk.closed);
}

#[test]
fn hidden_keywords_are_hidden_once() {
    fn hide(ask: &Ask) -> Option<Answer> {
        match ask {
            Ask::Phase(Phase::Hello(name)) if name == b"hidden" => {
                Some(Answer::Hiding(vec![b"size".to_vec(), b"AUTH".to_vec()]))
            }
            _ => patient(ask),
        }
    }
    let mut talk = talk(faulty(), hide);
    talk.say(b"");
    let said = talk.line("EHLO hidden");
    assert!(
        !said.contains("SIZE") && !said.contains("AUTH") && said.contains("PIPELINING"),
        "{said}"
    );
    assert!(talk.line("AUTH PLAIN AGFubgBzM2NyZXQ=").starts_with("235"), "it works all the same");
    let said = talk.line("EHLO seen");
    assert!(said.contains("250-SIZE") && said.contains("250-AUTH"), "{said}");
    assert!(talk.line("HELO hidden").starts_with("250 "));
}

#[test]
fn a_host_cannot_forge_a_reply() {
    let now = Now::default();
    let mut session = Session::<Server>::new(faulty(), now);
    let Output::Ask(id, Ask::Phase(Phase::Connected)) = session.poll() else { panic!("no ask") };
    for (answer, misuse) in [
        (instead(250, "fine", false), Misuse::BadValue),
        (instead(354, "go on", false), Misuse::BadValue),
        (instead(600, "what", false), Misuse::BadValue),
        (instead(451, "", false), Misuse::BadValue),
        (instead(451, "two\r\n250 lines", false), Misuse::BadValue),
        (instead(451, &"x".repeat(201), false), Misuse::BadValue),
        (Answer::Hiding(vec![]), Misuse::WrongAnswer),
        (Answer::Mailboxes(vec![]), Misuse::WrongAnswer),
    ] {
        assert_eq!(session.answer(now, id, answer), Err(misuse));
    }
    session.answer(now, id, instead(599, &"x".repeat(200), false)).expect("the bounds are right");
}

#[test]
fn refusing_for_ever_ends_the_session() {
    fn never(ask: &Ask) -> Option<Answer> {
        match ask {
            Ask::Phase(Phase::Mail(_)) => Some(instead(451, "4.7.1 Later", false)),
            _ => patient(ask),
        }
    }
    let mut talk = talk(faulty(), never);
    talk.say(b"");
    talk.line("EHLO a");
    let mut said = String::new();
    for _ in 0..1000 {
        if talk.closed {
            break;
        }
        said = talk.line("MAIL FROM:<a@b.c>");
    }
    assert!(talk.closed && said.starts_with("421 "), "{said}");
}
