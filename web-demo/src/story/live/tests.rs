//! What is said outside is listed, explained, answered and simulated.

use super::*;
use pillarbox_engine::trace::Span;
use pillarbox_world::world::EntryId;

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
fn a_visitor_is_answered_by_the_engine_or_by_hand() {
    let (mut live, mut story) = Live::begin(0);
    live.arrived(&mut story, 1, "127.0.0.1:9".to_owned(), Service { port: 25, by_hand: false });
    let wire = live.conversations()[0].wire;
    assert_eq!(live.conversations()[0].who, "this page ← 127.0.0.1:9");
    let [Errand::Answer(_, 1, greeting)] = &live.pass(&mut story, 10)[..] else { panic!() };
    assert!(greeting.starts_with(b"220 engine.example "));
    live.visitor_said(&mut story, 1, b"QUIT\r\n");
    let errands = live.pass(&mut story, 20);
    let [Errand::Answer(_, 1, bye), Errand::Leave(_, 1)] = &errands[..] else {
        panic!("{errands:?}")
    };
    assert!(bye.starts_with(b"221 "));
    let explained = story.explain(wire, Dir::ToServer, 0, 4).expect("the engine read it");
    assert_eq!(explained.label, "verb");
    assert_eq!(live.unsimulated(&story, wire), None);

    live.arrived(&mut story, 2, "127.0.0.1:8".to_owned(), Service { port: 25, by_hand: true });
    let wire = live.conversations()[0].wire;
    assert_eq!(live.typing(&story, wire), Some((wire, Part::Server)));
    assert!(live.advice(&story, wire).is_some_and(|advice| advice.contains("220")));
    assert_eq!(live.pass(&mut story, 30), [], "nobody greets but who types");
    let would = live.would_say(&story, wire).expect("the engine reads along");
    assert!(would[0].starts_with("220 "), "{would:?}");
    live.say(&mut story, wire, b"220 me\r\n").expect("it is open");
    assert_eq!(live.pass(&mut story, 40), [Errand::Answer(wire, 2, b"220 me\r\n".to_vec())]);
    live.visitor_said(&mut story, 2, b"EHLO there\r\n");
    assert_eq!(story.octets(wire, Dir::ToServer, 0, 99), b"EHLO there\r\n");
    let explained = story.explain(wire, Dir::ToServer, 0, 4).expect("the engine read it");
    assert_eq!(explained.label, "verb");
    live.visitors_gone(&mut story);
    assert_eq!(live.typing(&story, wire), None);
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
