//! What can I say now? Whoever types into a world is told what the other end would take, and it takes it.

use pillarbox_world::catalogue::{self, Protocol};
use pillarbox_world::tape::{Scenario, Tape};
use pillarbox_world::world::{Action, Dir, End, Time, WireId};

fn connected(port: u16) -> Tape {
    let scenario = Scenario::find("sandbox").expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    let connect = Action::Connect {
        from: "crepes.fr".to_owned(),
        host: "hamburger.edu".to_owned(),
        port,
        script: Vec::new(),
    };
    tape.act(connect).expect("it can be done");
    tape.run_to(Time(2000));
    tape
}

fn words(tape: &Tape) -> Vec<&'static str> {
    tape.expected(WireId(0), End::Client).iter().map(|expected| expected.form.word).collect()
}

fn say(tape: &mut Tape, line: &str, seconds: u64) {
    let octets = format!("{line}\r\n").into_bytes();
    tape.act(Action::Type { wire: 0, server: false, octets }).expect("it is open");
    tape.run_to(Time(2000 + seconds * 2000));
}

#[test]
fn a_message_is_sent_by_saying_what_is_offered() {
    let mut tape = connected(25);
    assert!(words(&tape).contains(&"EHLO") && !words(&tape).contains(&"MAIL"));
    let wanted = ["EHLO", "MAIL", "RCPT", "DATA", "text", "end of data", "QUIT"];
    for (second, word) in (1..).zip(wanted) {
        let expected = tape.expected(WireId(0), End::Client);
        let one = expected.iter().find(|expected| expected.form.word == word);
        let one = one.unwrap_or_else(|| panic!("{word} is not offered: {:?}", words(&tape)));
        if word.chars().all(char::is_uppercase) {
            assert!(catalogue::command(Protocol::Smtp, word).is_some());
        }
        say(&mut tape, &one.example.clone(), second);
    }
    let said = tape.octets(WireId(0), Dir::ToClient, 0..u64::MAX);
    let said = String::from_utf8_lossy(said).into_owned();
    assert!(!said.lines().any(|line| line.starts_with('5')), "{said}");
    assert!(said.contains("221"), "{said}");
    assert!(words(&tape).is_empty());
    // Where somebody types, anything may be said.
    assert!(tape.expected(WireId(0), End::Server).is_empty());
}

#[test]
fn each_protocol_offers_its_own() {
    for (port, word) in [(110, "USER"), (143, "LOGIN")] {
        let offered = words(&connected(port));
        let has =
            offered.contains(&word) || offered.contains(&"STARTTLS") || offered.contains(&"STLS");
        assert!(has, "{port}: {offered:?}");
    }
}
