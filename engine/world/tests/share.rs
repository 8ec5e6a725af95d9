//! Links: what they hold comes back, old ones keep their meaning, and no text can do harm.

use pillarbox_world::tape::share::BadLink;
use pillarbox_world::tape::{Level, Scenario, Tape};
use pillarbox_world::world::{Action, Check, Letter, LinkSetup, Record, Time, Way};

fn every_action() -> Vec<Action> {
    let text = |text: &str| text.to_owned();
    vec![
        Action::Send(Letter {
            device: text("alice-laptop"),
            to: text("bob@hamburger.edu"),
            subject: text("Crème"),
            text: text("brûlée"),
            html: text("<p>brûlée"),
            pictures: vec![(text("a.jpg"), 1000)],
            files: vec![(text("b.bin"), vec![0, 255])],
        }),
        Action::Check(Check { device: text("bob-laptop"), way: Way::PopKeep }),
        Action::Check(Check { device: text("bob-laptop"), way: Way::PopDelete }),
        Action::Check(Check { device: text("bob-phone"), way: Way::Imap }),
        Action::Imap { device: text("bob-phone"), order: text("seen 1") },
        Action::Browse { device: text("bob-laptop"), order: text("read 1") },
        Action::Check(Check { device: text("bob-laptop"), way: Way::Web }),
        Action::Connect {
            from: text("crepes.fr"),
            host: text("hamburger.edu"),
            port: 25,
            script: vec![text("S: 220"), text("C: QUIT")],
        },
        Action::Type { wire: 0, server: false, octets: b"NOOP\r\n".to_vec() },
        Action::HangUp { wire: 0, server: false },
        Action::Cut { wire: 0 },
        Action::AddFault(text("any/verb=MAIL/delay=1s")),
        Action::RemoveFault(1),
        Action::Power { node: text("hamburger.edu"), on: false },
        Action::Power { node: text("hamburger.edu"), on: true },
        Action::TryNow { node: text("crepes.fr") },
        Action::Link(LinkSetup {
            a: text("crepes.fr"),
            b: text("hamburger.edu"),
            latency_ms: 7,
            octets_per_s: Some(9600),
            chunk: Some(1),
            tapped: true,
            seven_bit: false,
        }),
        Action::Record(Record {
            name: text("hamburger.edu"),
            exchanges: vec![(10, text("hamburger.edu"))],
            addresses: vec![text("192.0.2.9")],
        }),
        Action::User {
            node: text("hamburger.edu"),
            address: text("carol@hamburger.edu"),
            password: text("lettuce"),
        },
        Action::Secure { device: text("bob-laptop"), on: true },
        Action::Answer { node: text("hamburger.edu"), port: 25 },
    ]
}

#[test]
fn a_link_brings_back_everything() {
    let scenario = Scenario::find("sandbox").expect("the scenario exists");
    let mut tape = Tape::new(scenario, 99).expect("it makes sense");
    for action in every_action() {
        let later = Time(tape.now().0 + 1500);
        tape.run_to(later);
        // What cannot be done now is no part of the tape.
        drop(tape.act(action));
    }
    tape.run_to(Time(200_000));
    let link = tape.encode("pins=3");
    let opened = Tape::decode(&link).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(opened.tape.actions(), tape.actions());
    assert_eq!(opened.tape.hash(), tape.hash());
    assert_eq!((opened.view.as_str(), opened.is_older), ("pins=3", false));
    assert_eq!(opened.tape.encode("pins=3"), link);
}

#[test]
fn actions_between_those_of_a_script_keep_their_places() {
    let scenario = Scenario::find("after-the-dot").expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    tape.set_level(Level::Rough).expect("it has this level");
    tape.run_to(Time(60_000));
    tape.act(Action::TryNow { node: "crepes.fr".to_owned() }).expect("it has a queue");
    tape.run_to(Time(3_000_000));
    let opened = Tape::decode(&tape.encode("")).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((opened.tape.hash(), opened.tape.level()), (tape.hash(), Level::Rough));
}

#[test]
fn twenty_typed_lines_make_a_short_link() {
    let scenario = Scenario::find("sandbox").expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    let connect = Action::Connect {
        from: "crepes.fr".to_owned(),
        host: "hamburger.edu".to_owned(),
        port: 25,
        script: Vec::new(),
    };
    tape.act(connect).expect("it can be done");
    for number in 0..20 {
        tape.run_to(Time(2000 * (number + 1)));
        let octets = format!("RCPT TO:<bob{number}@hamburger.edu>\r\n").into_bytes();
        tape.act(Action::Type { wire: 0, server: false, octets }).expect("it is open");
    }
    let link = tape.encode("");
    println!("{} characters", link.len());
    assert!(link.len() <= 1400, "{}", link.len());
}

#[test]
fn what_is_no_link_says_why() {
    let scenario = Scenario::find("alice-to-bob").expect("the scenario exists");
    let link = Tape::new(scenario, 1).expect("it makes sense").encode("");
    let why = |text: &str| Tape::decode(text).err();
    assert_eq!(why(""), Some(BadLink::Format));
    assert_eq!(why("9abc"), Some(BadLink::Format));
    assert_eq!(why(&link[..link.len() - 2]), Some(BadLink::Broken));
    assert_eq!(why(&format!("{link}AA")), Some(BadLink::Broken));
    assert_eq!(why(&format!("1{}", "A".repeat(100_000))), Some(BadLink::TooLong));
    let other = Scenario { id: "gone".to_owned(), ..Scenario::default() };
    let gone = Tape::new(other, 1).expect("an empty world makes sense").encode("");
    assert_eq!(why(&gone), Some(BadLink::NoScenario("gone".to_owned())));
}

/// Links whose octets are changed: each is refused or opens a simulation, and none breaks anything.
#[test]
fn changed_links_do_no_harm() {
    let scenario = Scenario::find("sandbox").expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    for action in every_action() {
        drop(tape.act(action));
    }
    let link = tape.encode("view");
    let mut random = 7_u64;
    let mut opened = 0;
    for _ in 0..3000 {
        let mut changed = link.clone().into_bytes();
        for _ in 0..3 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (random >> 33) as usize % (changed.len() - 1) + 1;
            changed[at] = b"ABCDEFGHIJKLMNOPabcdefghij0123456789-_"[(random >> 20) as usize % 38];
        }
        let changed = String::from_utf8(changed).expect("it is ASCII");
        opened +=
            usize::from(Tape::decode(&changed).is_ok_and(|opened| opened.tape.now() >= Time(0)));
    }
    println!("{opened} of 3000 opened");
}
