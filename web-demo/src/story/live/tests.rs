//! What is said outside is listed, explained, answered and simulated.

use super::listed::LISTED_MAX;
use super::told::WAITING_MAX;
use super::*;
use crate::story::hands::Part;
use pillarbox_engine::trace::{Note, Side, Span};
use pillarbox_world::world::{Dir, End, EntryId};

fn span(side: Side, start: u64, end: u64, label: &'static str) -> Heard {
    Heard::Noted(Note::Span(Span { side, start, end, label, secret: false, why: None }))
}

fn opened(session: &str, service: &str, peer: &str) -> Told {
    let (session, service) = (session.to_owned(), service.to_owned());
    Told::Opened { session, service, peer: peer.to_owned(), tls: false }
}

#[test]
fn what_others_say_is_listed_and_explained() {
    let (mut live, mut story) = Live::begin(1_000);
    live.told(&mut story, opened("a", "smtp", "127.0.0.1:5000"));
    let parts = vec![
        Heard::Octets(End::Server, b"220 here\r\n".to_vec()),
        span(Side::Sent, 0, 3, "reply code"),
        span(Side::Sent, 3, 4, "SP"),
        span(Side::Sent, 4, 8, "reply text"),
        span(Side::Sent, 8, 10, "CRLF"),
        Heard::Noted(Note::State { from: "", to: "Connected" }),
    ];
    live.told(&mut story, Told::Said { session: "a".to_owned(), parts });
    let parts = vec![
        Heard::Octets(End::Client, b"NOOP\r\n".to_vec()),
        span(Side::Received, 0, 4, "verb"),
        span(Side::Received, 4, 6, "CRLF"),
    ];
    live.told(&mut story, Told::Said { session: "a".to_owned(), parts });
    let listed = live.conversations().to_vec();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0].who[..], listed[0].own, listed[0].open),
        ("127.0.0.1:5000", false, true)
    );
    assert_eq!(listed[0].last, "220 here");
    let wire = listed[0].wire;
    let lines = story.spoken(wire, usize::MAX);
    let said: Vec<String> = lines
        .iter()
        .map(|line| line.pieces.iter().map(|piece| &piece.text[..]).collect())
        .collect();
    assert_eq!(said, ["220 here↵", "NOOP↵"]);
    let explained = story.explain(wire, Dir::ToServer, 0, 4).expect("it was noted");
    assert_eq!(explained.label, "verb");
    assert!(explained.what.is_some());
    live.told(&mut story, Told::Closed { session: "a".to_owned(), unread: 0 });
    assert!(!live.conversations()[0].open);
}

#[test]
fn by_hand_octets_go_out_and_the_server_s_notes_explain_them() {
    let (mut live, mut story) = Live::begin(0);
    live.begin_task(&mut story, Task::Type(25)).expect("the page may connect");
    let errands = live.pass(&mut story, 10);
    let [Errand::Open(wire, "smtp")] = errands[..] else { panic!("{errands:?}") };
    // What the server tells of it may come before the page knows that it is its own.
    live.told(&mut story, opened("b", "smtp", "127.0.0.1:6000"));
    live.connected(&mut story, wire, "127.0.0.1:6000".to_owned());
    live.came(&mut story, wire, b"220 here\r\n");
    let parts = vec![
        Heard::Octets(End::Server, b"220 here\r\n".to_vec()),
        span(Side::Sent, 0, 10, "reply text"),
        Heard::Noted(Note::State { from: "", to: "Connected" }),
    ];
    live.told(&mut story, Told::Said { session: "b".to_owned(), parts });
    assert_eq!(live.conversations().len(), 1, "{:?}", live.conversations());
    assert_eq!(live.typing(&story, wire), Some((wire, Part::Client)));
    assert!(
        story.sayable(Some(wire), Part::Client).iter().any(|one| one.example.starts_with("EHLO"))
    );
    live.say(&mut story, wire, b"EHLO me\r\n").expect("it is open");
    assert_eq!(live.pass(&mut story, 20), [Errand::Send(wire, b"EHLO me\r\n".to_vec())]);
    assert_eq!(story.octets(wire, Dir::ToClient, 0, 99), b"220 here\r\n", "entered once");
    live.ended(&mut story, wire);
    assert_eq!(live.pass(&mut story, 30), [Errand::Close(wire)]);
    assert_eq!(live.typing(&story, wire), None);
}

#[test]
fn the_page_s_own_client_speaks_to_who_answers() {
    let (mut live, mut story) = Live::begin(0);
    let task = Task::Send {
        from: "ann@here".to_owned(),
        to: "bob@hamburger.edu".to_owned(),
        subject: "Lunch".to_owned(),
        text: "Do you like ketchup?".to_owned(),
    };
    live.begin_task(&mut story, task).expect("the page may send");
    let mut sent = Vec::new();
    let (mut now, mut wire) = (0, None);
    let replies: [&[u8]; 7] = [
        b"220 here ESMTP\r\n",
        b"250 here\r\n",
        b"250 2.1.0 Sender ok\r\n",
        b"250 2.1.5 Recipient ok\r\n",
        b"354 go on\r\n",
        b"250 2.0.0 Taken\r\n",
        b"221 bye\r\n",
    ];
    let mut replies = replies.into_iter();
    for _ in 0..40 {
        now += 100;
        let errands = live.pass(&mut story, now);
        let mut speaks = false;
        for errand in errands {
            match errand {
                Errand::Open(id, service) => {
                    assert_eq!(service, "smtp");
                    wire = Some(id);
                    live.connected(&mut story, id, "127.0.0.1:7000".to_owned());
                    speaks = true;
                }
                Errand::Send(_, octets) => {
                    sent.extend(octets);
                    speaks = sent.ends_with(b"\r\n");
                }
                Errand::Close(id) => live.ended(&mut story, id),
                Errand::Answer(..) | Errand::Leave(..) => panic!("nobody visits the page"),
            }
        }
        if let (true, Some(wire), Some(reply)) = (speaks, wire, replies.next()) {
            live.came(&mut story, wire, reply);
        }
    }
    let said = String::from_utf8_lossy(&sent).into_owned();
    for wanted in ["MAIL FROM:<ann@here>", "RCPT TO:<bob@hamburger.edu>", "\r\n.\r\n", "QUIT"] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
    assert!(story.source().tape().now() >= Time(4_000));
    let length = story.source().tape().entries(EntryId(0)).len();
    assert_eq!(length, story.source().length());
}

#[test]
fn a_conversation_opens_as_a_simulation_that_says_what_it_lacks() {
    let (mut live, mut story) = Live::begin(0);
    let say = |live: &mut Live, story: &mut Story, parts| {
        live.told(story, Told::Said { session: "a".to_owned(), parts });
    };
    live.told(&mut story, opened("a", "pop3", "127.0.0.1:1"));
    let wire = live.conversations()[0].wire;
    assert!(live.unsimulated(&story, wire).is_some(), "nobody said anything yet");
    say(&mut live, &mut story, vec![Heard::Octets(End::Server, b"+OK real\r\n".to_vec())]);
    say(
        &mut live,
        &mut story,
        vec![
            Heard::Octets(End::Client, b"USER bob\r\n".to_vec()),
            span(Side::Received, 0, 10, "unparsed"),
            Heard::Octets(End::Server, b"+OK\r\n".to_vec()),
        ],
    );
    let simulation = live.simulate(&story, wire).expect("somebody said something");
    assert_eq!(simulation.lacks.len(), 2, "{:?}", simulation.lacks);
    assert!(simulation.lacks[0].starts_with("It was still going on"));
    let said = simulation.story.octets(WireId(0), Dir::ToServer, 0, 99);
    assert_eq!(said, b"USER bob\r\n");
    assert_eq!(simulation.counts.iter().sum::<usize>(), 2);
    assert_eq!(simulation.counts[2], 0, "{:?}", simulation.compared);
    assert_eq!(simulation.compared[0].real, ["+OK real"]);
    say(&mut live, &mut story, vec![Heard::Secured]);
    live.lost(&story);
    say(
        &mut live,
        &mut story,
        vec![
            Heard::Octets(End::Client, b"STAT\r\n".to_vec()),
            span(Side::Received, 10, 16, "unparsed"),
        ],
    );
    let simulation = live.simulate(&story, wire).expect("its beginning is known");
    let told = simulation.lacks.join("\n");
    assert!(told.contains("TLS") && told.contains("was lost"), "{told}");
    let said = simulation.story.octets(WireId(0), Dir::ToServer, 0, 99);
    assert_eq!(said, b"USER bob\r\n", "nothing of what came after the gap");
    live.told(&mut story, opened("b", "lmtp", "127.0.0.1:2"));
    let wire = live.conversations()[0].wire;
    assert_eq!(live.unsimulated(&story, wire).as_deref(), Some("This service has no simulation."));
}

#[test]
fn a_long_record_begins_anew() {
    let (mut live, mut story) = Live::begin(0);
    for number in 0..1_000 {
        let session = number.to_string();
        live.told(&mut story, opened(&session, "pop3", "127.0.0.1:1"));
        live.told(&mut story, Told::Closed { session, unread: 0 });
    }
    assert!(live.has_forgotten);
    assert!(story.entries().len() <= ENTRIES_MAX + 10);
    assert!(live.conversations().len() <= LISTED_MAX);
    assert!(live.sessions.is_empty());
}

fn said(session: &str, end: End, octets: &[u8]) -> Told {
    let parts = vec![Heard::Octets(end, octets.to_vec())];
    Told::Said { session: session.to_owned(), parts }
}

#[test]
fn sessions_of_another_run_are_others_however_they_are_numbered() {
    let (mut live, mut story) = Live::begin(0);
    live.told(&mut story, opened("1", "smtp", "127.0.0.1:5000"));
    live.told(&mut story, said("1", End::Server, b"220 before\r\n"));
    let before = live.conversations()[0].wire;
    live.restarted(&mut story);
    assert!(live.take_notice().is_some_and(|told| told.contains("started again")));
    assert_eq!(live.take_notice(), None, "it is told once");
    let [row] = live.conversations() else { panic!("{:?}", live.conversations()) };
    assert!(!row.open && row.lacks, "{row:?}");
    live.told(&mut story, opened("1", "pop3", "127.0.0.1:5000"));
    live.told(&mut story, said("1", End::Server, b"+OK after\r\n"));
    let after = live.conversations()[0].wire;
    assert_ne!(before, after);
    assert_eq!(story.octets(before, Dir::ToClient, 0, 99), b"220 before\r\n");
    assert_eq!(story.octets(after, Dir::ToClient, 0, 99), b"+OK after\r\n");
    assert!(!live.conversations()[0].lacks, "of this one nothing is missing");
}

#[test]
fn what_found_no_room_while_it_waited_is_told_of() {
    let (mut live, mut story) = Live::begin(0);
    live.told(&mut story, opened("a", "smtp", "127.0.0.1:1"));
    live.begin_task(&mut story, Task::Type(25)).expect("the page may connect");
    let errands = live.pass(&mut story, 10);
    let [Errand::Open(wire, "smtp")] = errands[..] else { panic!("{errands:?}") };
    for _ in 0..=WAITING_MAX {
        live.told(&mut story, said("a", End::Client, b"NOOP\r\n"));
    }
    assert_eq!(live.take_notice(), None, "it still waits");
    live.connected(&mut story, wire, "127.0.0.1:6000".to_owned());
    assert!(live.take_notice().is_some_and(|told| told.contains("lost")));
    let other = live.conversations().iter().find(|row| !row.own).expect("it is listed");
    assert!(other.lacks, "{other:?}");
    let heard = story.octets(other.wire, Dir::ToServer, 0, u64::MAX);
    assert_eq!(heard.len(), WAITING_MAX * 6, "what found room is there");
    let mine = live.conversations().iter().find(|row| row.own).expect("it is listed");
    assert!(!mine.lacks, "{mine:?}");
}

#[test]
fn what_waited_for_a_connection_that_never_was_is_entered_in_order() {
    let (mut live, mut story) = Live::begin(0);
    live.begin_task(&mut story, Task::Type(25)).expect("the page may connect");
    let errands = live.pass(&mut story, 10);
    let [Errand::Open(wire, "smtp")] = errands[..] else { panic!("{errands:?}") };
    live.told(&mut story, opened("a", "smtp", "127.0.0.1:1"));
    live.told(&mut story, said("a", End::Server, b"220 one\r\n"));
    live.ended(&mut story, wire);
    live.told(&mut story, said("a", End::Server, b"250 two\r\n"));
    let other = live.conversations().iter().find(|row| !row.own).expect("it is listed");
    assert_eq!(story.octets(other.wire, Dir::ToClient, 0, 99), b"220 one\r\n250 two\r\n");
}

#[test]
fn an_address_that_the_system_gives_again_is_another_s() {
    let (mut live, mut story) = Live::begin(0);
    live.begin_task(&mut story, Task::Type(25)).expect("the page may connect");
    let errands = live.pass(&mut story, 10);
    let [Errand::Open(wire, "smtp")] = errands[..] else { panic!("{errands:?}") };
    live.connected(&mut story, wire, "127.0.0.1:6000".to_owned());
    live.told(&mut story, opened("a", "smtp", "127.0.0.1:6000"));
    live.told(&mut story, Told::Closed { session: "a".to_owned(), unread: 0 });
    live.ended(&mut story, wire);
    live.told(&mut story, opened("b", "pop3", "127.0.0.1:6000"));
    assert_eq!(live.conversations().len(), 2, "{:?}", live.conversations());
}
