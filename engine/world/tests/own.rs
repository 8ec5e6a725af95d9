//! Worlds of people's own: their text is read as it was written, a link holds them, and no text does harm.

use pillarbox_world::tape::scenario::{LINKS_MAX, NODES_MAX, TEXT_MAX, USERS_MAX};
use pillarbox_world::tape::share::{BadLink, FILE_MAX, OCTETS_MAX, in_file};
use pillarbox_world::tape::{Challenge, Lab, Scenario, Tape};
use pillarbox_world::world::{Action, EntryId, Letter, NodeSetup, Persona, Time};

fn sandbox() -> Scenario {
    Scenario::find("sandbox").expect("scenario 20 is one")
}

#[test]
fn every_world_is_read_as_it_was_written() {
    let labs = [Lab::ByHand, Lab::ByTheBook, Lab::Access].map(Scenario::lab);
    let challenges = Challenge::all().into_iter().map(|challenge| challenge.scenario);
    let all = Scenario::all().into_iter().chain(labs).chain(challenges);
    let mut read = 0;
    for scenario in all {
        let text = scenario.to_text();
        let again = Scenario::parse("again", &text)
            .unwrap_or_else(|why| panic!("{}: {why}\n{text}", scenario.id));
        assert_eq!(again.setup, scenario.setup, "{}\n{text}", scenario.id);
        assert_eq!(
            (again.title, again.goal, again.notice),
            (scenario.title, scenario.goal, scenario.notice)
        );
        assert_eq!(again.shows_secrets, scenario.shows_secrets);
        read += 1;
    }
    assert!(read > 50, "{read}");
}

#[test]
fn what_no_scenario_has_is_written_too() {
    let mut scenario = sandbox();
    let server = &mut scenario.setup.nodes[1];
    server.title = "A \"server\"\\ of\n\tAlice".to_owned();
    server.persona = Persona::Textbook;
    server.extensions.chunking = true;
    server.extensions.dsn = false;
    server.schedule.delay_report_ms = None;
    server.by_hand = vec![25];
    server.aliases = vec![("all@crepes.fr".to_owned(), vec!["alice@crepes.fr".to_owned()])];
    scenario.setup.spread = true;
    let again = Scenario::parse("again", &scenario.to_text()).expect("it was just written");
    assert_eq!(again.setup, scenario.setup);
}

fn letter() -> Action {
    Action::Send(Letter {
        device: "alice-laptop".to_owned(),
        to: "carol@pickles.example".to_owned(),
        text: "Do you like pickles?".to_owned(),
        ..Letter::default()
    })
}

/// The sandbox with a third town.
fn with_pickles() -> Scenario {
    let more = "
[[node]]
name = \"pickles.example\"
kind = \"server\"
users = [\"carol@pickles.example dill\"]
[[record]]
name = \"pickles.example\"
mx = [\"10 pickles.example\"]
";
    Scenario::own(&(sandbox().to_text() + more)).expect("it makes sense")
}

#[test]
fn a_world_that_is_built_later_is_the_same_as_one_that_was_there() {
    let mut tape = Tape::new(sandbox(), 1).expect("it begins");
    tape.act(letter()).expect("it is sent");
    tape.run_to(Time(60_000));
    let lost = tape.hash();
    tape.rebuild(with_pickles()).expect("it makes sense");
    assert_ne!(tape.hash(), lost, "what was refused arrives");
    let pickles = tape.world().nodes().last().expect("there are some").id;
    assert_eq!(tape.world().mailboxes(pickles).iter().map(|row| row.count).sum::<u64>(), 1);
    let mut other = Tape::new(with_pickles(), 1).expect("it begins");
    other.act(letter()).expect("it is sent");
    other.run_to(Time(60_000));
    assert_eq!(tape.hash(), other.hash());
    // Winding goes on as ever, and a link holds the world itself.
    tape.seek(Time(0));
    tape.seek(Time(60_000));
    assert_eq!(tape.hash(), other.hash());
    let opened = Tape::decode(&tape.encode("")).expect("it was just made");
    assert_eq!(opened.tape.hash(), other.hash());
    assert_eq!(opened.tape.scenario(), other.scenario());
    assert!(opened.tape.scenario().is_own() && !opened.is_older);
}

#[test]
fn a_world_that_makes_no_sense_changes_nothing() {
    let mut tape = Tape::new(sandbox(), 1).expect("it begins");
    tape.act(letter()).expect("it is sent");
    tape.run_to(Time(60_000));
    let before = tape.hash();
    let mut bad = sandbox();
    bad.setup.nodes.push(NodeSetup::new("crepes.fr", pillarbox_world::world::Kind::Server));
    tape.rebuild(bad).expect_err("two nodes have one name");
    assert_eq!(tape.hash(), before);
    tape.seek(Time(0));
    tape.seek(Time(60_000));
    assert_eq!(tape.hash(), before);
    assert_eq!(tape.scenario(), &sandbox());
}

#[test]
fn each_bound_and_each_mistake_has_its_words() {
    let many = |table: &dyn Fn(usize) -> String, count: usize| -> String {
        (0..count).map(table).collect::<Vec<_>>().join("\n")
    };
    let node = |at: usize| format!("[[node]]\nname = \"n{at}\"\nkind = \"server\"");
    let two = many(&node, 2);
    let users: Vec<String> = (0..=USERS_MAX).map(|at| format!("\"u{at}@n0 x\"")).collect();
    let link = |_| "[[link]]\nbetween = [\"n0\", \"n1\"]".to_owned();
    let record = |at| format!("[[record]]\nname = \"r{at}\"\na = [\"n0\"]");
    let wait = |_| "[[do]]\nwhat = \"try-now\"\nnode = \"n0\"".to_owned();
    let cases = [
        (" ".repeat(TEXT_MAX + 1), "at most 32768 octets"),
        (String::new(), "a world needs a node"),
        (many(&node, NODES_MAX + 1), "at most 24 nodes; here are 25"),
        (format!("{two}\nusers = [{}]", users.join(", ")), "at most 64 people and aliases"),
        (format!("{two}\n{}", many(&record, LINKS_MAX + 1)), "at most 64 records"),
        (format!("{two}\n{}", many(&wait, 1_001)), "octets of text"),
        (format!("{two}\n[[link]]\nbetween = [\"n0\", \"n9\"]"), "no node named n9"),
        (format!("{two}\n[[link]]\nbetween = [\"n0\", \"N0\"]"), "not n0 with itself"),
        (format!("{two}\n{}\nlatency = \"101d\"", link(0)), "latency: at most 100 days"),
        (format!("{two}\nsync-ms = 9000000000000"), "sync-ms: at most 100 days"),
        ("[[node]]\nname = \"a b\"\nkind = \"server\"".to_owned(), "\"a b\" has ' '"),
        ("[[node]]\nname = \"\"\nkind = \"server\"".to_owned(), "needs a name"),
        (format!("[[node]]\nname = \"{}\"\nkind = \"dns\"", "a".repeat(65)), "at most 64 letters"),
        (format!("{two}\n[[node]]\nname = \"N1\"\nkind = \"server\""), "two nodes are named N1"),
        (
            format!("{two}\npages = [\"/ a/b 8000000\", \"/c a/b 8000000\"]"),
            "pages: all have at most",
        ),
        (
            "[[node]]\nname = \"d\"\nkind = \"device\"\naddress = \"a@b\"\npassword = \"c\"\nserver = \"gone\"".to_owned(),
            "d: there is no server named \"gone\"",
        ),
    ];
    for (text, words) in cases {
        let why = Scenario::own(&text).expect_err(words);
        assert!(why.contains(words), "{why:?} should say {words:?}");
    }
    assert!(Scenario::own(&many(&node, NODES_MAX)).is_ok());
}

#[test]
fn a_link_to_a_world_that_makes_no_sense_says_why() {
    let link = Tape::new(with_pickles(), 1).expect("it begins").encode("");
    assert!(Tape::decode(&link).is_ok());
    let other = Scenario::own("[[node]]\nname = \"only\"\nkind = \"server\"").expect("it is small");
    let other = Tape::new(other, 1).expect("it begins").encode("");
    let opened = Tape::decode(&other).expect("one node is a world");
    assert_eq!(opened.tape.world().nodes().len(), 1);
    // A link that is changed somewhere in its text is refused or is another world, and never more.
    let mut refused = 0;
    for at in 1..link.len() {
        let mut octets = link.clone().into_bytes();
        octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
        let text = String::from_utf8(octets).expect("it is ASCII");
        match Tape::decode(&text) {
            Err(BadLink::Scenario(why)) => {
                assert!(!why.is_empty());
                refused += 1;
            }
            Err(_) => {}
            Ok(opened) => assert!(opened.tape.entries(EntryId(0)).len() < 1_000),
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_file_may_hold_more_than_a_link() {
    let mut tape = Tape::new(sandbox(), 1).expect("it begins");
    let text = "All work and no play makes Alice a dull girl.\n".repeat(2_000);
    let Action::Send(letter) = letter() else { unreachable!("it is one") };
    tape.act(Action::Send(Letter { text, ..letter })).expect("it is sent");
    tape.run_to(Time(60_000));
    let link = tape.encode("");
    assert!(link.len() > OCTETS_MAX && link.len() < FILE_MAX);
    assert_eq!(Tape::decode(&link).err(), Some(BadLink::TooLong));
    for text in [format!("{link}\n"), format!("https://pages.example/playground/#/w/{link}")] {
        let opened = Tape::decode_file(&text).expect("it was just made");
        assert_eq!(opened.tape.hash(), tape.hash());
    }
    let longer = format!("1{}", "A".repeat(FILE_MAX));
    assert_eq!(Tape::decode_file(&longer).err(), Some(BadLink::TooLong));
    assert_eq!(in_file(" 1Ab \n"), "1Ab");
}
