//! Links: what they hold comes back, old ones keep their meaning, and no text can do harm.

use pillarbox_world::tape::share::{ACTIONS_MAX, BadLink, Passwords, decode_letter, encode_letter};
use pillarbox_world::tape::{Level, Scenario, Tape, export};
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

/// What somebody typed by mistake is not in the link; all that was said about it is, as it was.
#[test]
fn passwords_that_open_nothing_are_crossed_out() {
    let own = "my own, really";
    let plain = |password: &str| {
        let text = format!("\0bob\0{password}");
        String::from_utf8(pillarbox_engine::text::base64::encode(text.as_bytes())).expect("ASCII")
    };
    let talks: [(u16, Vec<String>); 3] = [
        (
            110,
            ["USER bob", &format!("PASS {own}"), "USER bob", "PASS hungry", "STAT"]
                .map(str::to_owned)
                .to_vec(),
        ),
        (
            143,
            vec![
                format!("a LOGIN bob \"{own}\""),
                format!("b LOGIN bob {{{}}}\r\n{own}", own.len()),
                format!("c AUTHENTICATE PLAIN {}", plain(own)),
                "d LOGIN bob hungry".to_owned(),
                "e NOOP".to_owned(),
            ],
        ),
        (
            587,
            vec![
                "EHLO me".to_owned(),
                format!("AUTH PLAIN {}", plain(own)),
                format!("AUTH PLAIN {}", plain("hungry")),
            ],
        ),
    ];
    for by_octet in [false, true] {
        let scenario = Scenario::find("sandbox").expect("the scenario exists");
        let mut tape = Tape::new(scenario, 1).expect("it makes sense");
        let mut now = 0;
        for (wire, (port, lines)) in talks.iter().enumerate() {
            let (from, host) = ("bob-laptop".to_owned(), "hamburger.edu".to_owned());
            tape.act(Action::Connect { from, host, port: *port, script: Vec::new() })
                .expect("it can be done");
            for line in lines {
                now += 5000;
                tape.run_to(Time(now));
                let line = format!("{line}\r\n").into_bytes();
                let parts: Vec<&[u8]> =
                    if by_octet { line.chunks(1).collect() } else { vec![&line] };
                for octets in parts {
                    let (wire, octets) = (wire as u32, octets.to_vec());
                    tape.act(Action::Type { wire, server: false, octets }).expect("it is open");
                }
            }
            now += 5000;
            tape.run_to(Time(now));
        }
        let told = export::transcript(tape.world(), false);
        for word in ["+OK maildrop has", "d OK [", "c NO [", "535 5.7.8", "235 2.7.0"] {
            assert!(told.contains(word), "{word}: {told}");
        }
        for all in [false, true] {
            let link = match all {
                false => tape.encode_with("", Passwords::CrossedOut),
                true => tape.encode_all_with("", Passwords::CrossedOut),
            };
            let opened = Tape::decode(&link).unwrap_or_else(|why| panic!("{why}")).tape;
            assert_eq!(export::transcript(opened.world(), false), told);
            let shown = export::transcript(opened.world(), true);
            assert!(!shown.contains(own) && !shown.contains(&plain(own)), "{shown}");
            assert!(shown.contains("PASS hungry") && shown.contains(&plain("hungry")), "{shown}");
            assert_eq!(opened.encode_with("", Passwords::CrossedOut), link, "crossed out once");
        }
        // Where the link is made before the server has read it.
        tape.run_to(Time(now + 1000));
        let as_typed = Tape::decode(&tape.encode("")).unwrap_or_else(|why| panic!("{why}")).tape;
        assert!(export::transcript(as_typed.world(), true).contains(own));
    }
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
    let mut other = Scenario::find("sandbox").expect("there is one");
    "gone".clone_into(&mut other.id);
    let gone = Tape::new(other, 1).expect("an empty world makes sense").encode("");
    assert_eq!(why(&gone), Some(BadLink::NoScenario("gone".to_owned())));
}

/// Numbers of a row that looks random, and is the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}

/// A tape on which somebody did this and that, looked back, and did something else.
fn wandered(seed: u64) -> Tape {
    let mut random = Random(seed);
    let id = ["sandbox", "asleep", "after-the-dot"][random.below(3)];
    let mut tape = Tape::new(Scenario::find(id).expect("it exists"), seed).expect("it makes sense");
    let mut end = 0;
    for _ in 0..random.below(40) + 4 {
        match random.below(4) {
            0 => tape.seek(Time(random.below(end + 1) as u64)),
            1 if tape.branches().0.len() > 1 => {
                let branches = tape.branches().0.len();
                tape.switch(random.below(branches));
            }
            _ => {
                tape.run_to(Time(tape.now().0 + random.below(90_000) as u64));
                let actions = every_action();
                drop(tape.act(actions[random.below(actions.len())].clone()));
            }
        }
        end = end.max(tape.now().0 as usize);
    }
    tape
}

#[test]
fn a_link_brings_back_all_branches() {
    let mut most = 0;
    for seed in 0..60 {
        let tape = wandered(seed);
        let (branches, current) = tape.branches();
        most = most.max(branches.len());
        let link = tape.encode_all("12 n3");
        assert_eq!(link.starts_with('1'), branches.len() == 1, "{seed}");
        let opened = Tape::decode(&link).unwrap_or_else(|why| panic!("{seed}: {why}"));
        assert_eq!(opened.tape.branches(), (branches, current), "{seed}");
        assert_eq!((opened.tape.hash(), &opened.view[..]), (tape.hash(), "12 n3"), "{seed}");
        assert_eq!(opened.tape.encode_all("12 n3"), link, "{seed}");
        // A link to the shown branch alone is the same as ever.
        let one = Tape::decode(&tape.encode("")).unwrap_or_else(|why| panic!("{seed}: {why}"));
        assert_eq!((one.tape.branches().0.len(), one.tape.hash()), (1, tape.hash()), "{seed}");
        for branch in 0..branches.len() {
            let end = Time(tape.now().0 + 3_600_000);
            let told = [&tape, &opened.tape].map(|tape| {
                let mut alone = tape.alone(branch).expect("there is this branch");
                alone.run_to(end);
                alone.hash()
            });
            assert_eq!(told[0], told[1], "{seed}: branch {branch}");
        }
    }
    assert!(most > 4, "{most} branches at most");
}

#[test]
fn a_branch_costs_only_what_is_its_own() {
    let scenario = Scenario::find("sandbox").expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    for _ in 0..50 {
        tape.run_to(Time(tape.now().0 + 1000));
        tape.act(Action::AddFault("any/verb=MAIL/delay=1s".to_owned())).expect("it can be done");
    }
    let alone = tape.encode("").len();
    tape.fork(Time(40_000));
    tape.act(Action::AddFault("any/verb=RCPT/delay=1s".to_owned())).expect("it can be done");
    let both = tape.encode_all("").len();
    assert!(both < alone + 80, "{both} characters, {alone} without the branch");
}

#[test]
fn a_short_link_makes_no_long_tape() {
    let scenario = Scenario::find("sandbox").expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    let power = Action::Power { node: "hamburger.edu".to_owned(), on: true };
    for _ in 0..400 {
        tape.run_to(Time(tape.now().0 + 1000));
        tape.act(power.clone()).expect("it can be done");
    }
    for _ in 0..30 {
        tape.fork(Time(399_500));
        tape.act(power.clone()).expect("it can be done");
    }
    let link = tape.encode_all("");
    assert!(31 * 400 > ACTIONS_MAX && Tape::fits(&link), "{}", link.len());
    assert_eq!(Tape::decode(&link).err(), Some(BadLink::Broken));
}

#[test]
fn a_link_holds_a_message_alone() {
    let mut random = Random(3);
    for length in [0, 1, 2, 3, 500, 20_000] {
        let octets: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        let link = encode_letter(&octets, "signed").expect("it is short enough");
        assert_eq!(decode_letter(&link), Ok((octets, "signed".to_owned())));
        assert_eq!(decode_letter(&link[..link.len() - 1]), Err(BadLink::Broken));
        assert_eq!(Tape::decode(&link).err(), Some(BadLink::Format));
    }
    assert_eq!(encode_letter(&[0; 70_000], ""), None);
    assert_eq!(decode_letter("1AAAA"), Err(BadLink::Format));
    assert_eq!(decode_letter("mé"), Err(BadLink::Broken));
}

#[test]
fn worlds_of_labs_have_links() {
    for id in ["by-hand", "by-the-book", "access"] {
        let scenario = Scenario::named(id).expect("there is this lab");
        assert_eq!(scenario.of_lab().map(|lab| lab.id()), Some(id));
        let mut tape = Tape::new(scenario, 1).expect("it makes sense");
        tape.run_to(Time(20_000));
        let opened = Tape::decode(&tape.encode("")).unwrap_or_else(|why| panic!("{id}: {why}"));
        assert_eq!(opened.tape.hash(), tape.hash(), "{id}");
    }
    assert_eq!(Scenario::find("asleep").and_then(|scenario| scenario.of_lab()), None);
}

/// Links whose octets are changed: each is refused or opens a simulation, and none breaks anything.
#[test]
fn changed_links_do_no_harm() {
    let scenario = Scenario::find("sandbox").expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    for action in every_action() {
        drop(tape.act(action));
    }
    let mut random = Random(7);
    let letter = encode_letter(b"Subject: x\r\n\r\ny\r\n", "view").expect("it is short");
    let links = [tape.encode("view"), wandered(4).encode_all("view"), letter];
    for link in &links {
        let mut opened = 0;
        for _ in 0..1500 {
            let mut changed = link.clone().into_bytes();
            for _ in 0..3 {
                let at = random.below(changed.len() - 1) + 1;
                changed[at] = b"ABCDEFGHIJKLMNOPabcdefghij0123456789-_"[random.below(38)];
            }
            let changed = String::from_utf8(changed).expect("it is ASCII");
            let letter = decode_letter(&changed).is_ok();
            let world = Tape::decode(&changed).is_ok_and(|opened| opened.tape.now() >= Time(0));
            opened += usize::from(letter || world);
        }
        println!("{opened} of 1500 opened");
    }
    // What lies behind a link's first characters may be anything.
    for _ in 0..20_000 {
        let mut text = ["1", "2", "m"][random.below(3)].to_owned();
        (0..random.below(60))
            .for_each(|_| text.push(char::from(b"AQgBCxyz09-_"[random.below(12)])));
        drop((Tape::decode(&text), decode_letter(&text)));
    }
}
