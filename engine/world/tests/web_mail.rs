//! Mail by the web in whole worlds: HTTP at both ends, SMTP between the servers, and what faults make of it.

use pillarbox_world::tape::{Level, Scenario, Tape};
use pillarbox_world::world::{
    Action, Check, Dir, EntryId, Letter, NodeId, Protocol, Screen, Time, Way, What,
};

fn begun(faults: &[&str]) -> Tape {
    let mut scenario = Scenario::find("web-mail").expect("the scenario exists").clone();
    scenario.script.clear();
    scenario.setup.faults = faults.iter().map(|&fault| fault.to_owned()).collect();
    Tape::new(scenario, 1).expect("it makes sense")
}

fn node(tape: &Tape, name: &str) -> NodeId {
    let nodes = tape.world().nodes();
    nodes.iter().find(|node| node.name == name).expect("it is there").id
}

fn act(tape: &mut Tape, action: Action) {
    tape.act(action).expect("it can be done");
    let until = tape.now().after(5_000);
    tape.run_to(until);
}

fn send(tape: &mut Tape, subject: &str) {
    let text = "Do you like ketchup?".to_owned();
    let (device, to) = ("alice-laptop".to_owned(), "bob@hamburger.edu".to_owned());
    let subject = subject.to_owned();
    act(tape, Action::Send(Letter { device, to, subject, text, ..Letter::default() }));
}

fn check(tape: &mut Tape) {
    act(tape, Action::Check(Check { device: "bob-laptop".to_owned(), way: Way::Web }));
}

fn browse(tape: &mut Tape, order: &str) {
    let (device, order) = ("bob-laptop".to_owned(), order.to_owned());
    act(tape, Action::Browse { device, order });
}

fn status(tape: &Tape, device: &str) -> Screen {
    tape.world().status(node(tape, device)).expect("it said something").clone()
}

/// Texts of the lines with links to messages.
fn listed(tape: &Tape) -> Vec<String> {
    let list = tape.world().browser(node(tape, "bob-laptop")).list;
    let is_message = |link: &String| link.starts_with("/in/INBOX/");
    let rows = list.lines.into_iter().filter(|line| line.link.as_ref().is_some_and(is_message));
    rows.map(|line| line.text).collect()
}

fn inbox(tape: &Tape) -> u64 {
    let boxes = tape.world().mailboxes(node(tape, "hamburger.edu"));
    boxes.iter().find(|row| row.name == "INBOX").map_or(0, |row| row.count)
}

#[test]
fn http_at_both_ends_and_smtp_between() {
    let mut tape = begun(&[]);
    send(&mut tape, "Lunch");
    assert!(matches!(status(&tape, "alice-laptop"), Screen::Sent { .. }));
    check(&mut tape);
    let row = listed(&tape).remove(0);
    assert!(row.starts_with("Lunch from alice@crepes.fr, ") && row.ends_with(", unread"), "{row}");
    assert_eq!(status(&tape, "bob-laptop"), Screen::Got { new: 1, shown: 1 });
    browse(&mut tape, "read 1");
    let shown = tape.world().browser(node(&tape, "bob-laptop"));
    assert_eq!(shown.page.title, "Lunch");
    assert!(shown.page.lines.iter().any(|line| line.text == "Do you like ketchup?"));
    check(&mut tape);
    assert_eq!(listed(&tape), [row.trim_end_matches(", unread")]);
    browse(&mut tape, "delete 1");
    assert_eq!((listed(&tape).len(), inbox(&tape)), (0, 0));
    let spoken: Vec<_> = tape.world().wires().iter().map(|wire| wire.protocol).collect();
    let smtp = spoken.iter().filter(|protocol| **protocol == Protocol::Smtp).count();
    assert_eq!((smtp, spoken.len()), (1, 6), "{spoken:?}");
    let entries = tape.entries(EntryId(0));
    assert!(
        !entries.iter().any(|entry| matches!(entry.what, What::Misuse(_) | What::Defect { .. }))
    );
}

#[test]
fn the_cookie_stands_for_the_password() {
    let mut tape = begun(&[]);
    check(&mut tape);
    check(&mut tape);
    browse(&mut tape, "sign out");
    assert!(!tape.world().browser(node(&tape, "bob-laptop")).signed_in);
    check(&mut tape);
    let passwords: Vec<bool> = tape
        .world()
        .wires()
        .iter()
        .map(|wire| {
            let said = tape.octets(wire.id, Dir::ToServer, 0..u64::MAX);
            String::from_utf8_lossy(said).contains("password=hungry")
        })
        .collect();
    assert_eq!(passwords, [true, false, false, true]);
    // In what is exported it is masked, as the cookie is.
    let text = pillarbox_world::tape::export::transcript(tape.world(), false);
    assert!(!text.contains("hungry") && !text.contains("visit="), "{text}");
}

#[test]
fn a_wrong_password_gets_nothing() {
    let mut scenario = Scenario::find("web-mail").expect("the scenario exists").clone();
    scenario.script.clear();
    for node in &mut scenario.setup.nodes {
        if let Some(account) = &mut node.account {
            account.password = "wrong".to_owned();
        }
    }
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    check(&mut tape);
    let why = "Name and password do not go together.".to_owned();
    assert_eq!(status(&tape, "bob-laptop"), Screen::Failed { why: why.clone() });
    send(&mut tape, "Lunch");
    assert_eq!(status(&tape, "alice-laptop"), Screen::NotSent { why });
    assert_eq!(inbox(&tape), 0);
}

#[test]
fn what_cannot_be_sent_comes_back_with_the_reason() {
    let mut tape = begun(&[]);
    for (to, why) in [
        ("nobody@crepes.fr", "There is nobody of this address here."),
        ("", "Say to whom it goes."),
    ] {
        let (device, to) = ("alice-laptop".to_owned(), to.to_owned());
        act(&mut tape, Action::Send(Letter { device, to, ..Letter::default() }));
        assert_eq!(status(&tape, "alice-laptop"), Screen::NotSent { why: why.to_owned() });
    }
    browse(&mut tape, "read 7");
    let why = "There is nothing of this name.".to_owned();
    assert_eq!(status(&tape, "bob-laptop"), Screen::Failed { why });
}

#[test]
fn faults_strike_the_web_too() {
    let sent = |fault: &str| {
        let mut tape = begun(&[fault]);
        send(&mut tape, "Lunch");
        (status(&tape, "alice-laptop"), inbox(&tape))
    };
    let not = |why: &str| Screen::NotSent { why: why.to_owned() };
    // The letter is taken and its sender told that it was not: who sends again sends twice.
    let cut = "the connection ended too early";
    assert_eq!(sent("http/after=commit/drop"), (not(cut), 1));
    assert_eq!(sent("http/after=end-of-data/drop"), (not(cut), 0));
    assert_eq!(sent("node:crepes.fr/verb=POST,nth=2/reply=503 Not now"), (not("503 Not now"), 0));
    for fault in ["http/verb=GET/refuse", "http/always/refuse"] {
        assert_eq!(sent(fault), (not("503 Not available on purpose"), 0), "{fault}");
    }
    assert_eq!(sent("node:crepes.fr/always/down"), (not("connection refused"), 0));
    assert_eq!(sent("node:crepes.fr/always/dns=nxdomain").1, 0);
    // Octets one by one, and slowly: the same letter.
    let slow = "node:crepes.fr/after=connect/chunk=1";
    for fault in
        [slow, "http/verb=GET/chunk=1", "http/verb=any/delay=200ms", "http/verb=GET/rate=2000"]
    {
        let (told, count) = sent(fault);
        assert!(matches!(told, Screen::Sent { .. }), "{fault}: {told:?}");
        assert_eq!(count, 1, "{fault}");
    }
    // What is spoilt on its way is not taken for a page.
    let (told, count) = sent("http/verb=GET,nth=1/lf-only");
    assert!(matches!(told, Screen::NotSent { .. }), "{told:?}");
    assert_eq!(count, 0);
}

#[test]
fn a_silent_server_is_given_up() {
    let mut tape = begun(&["http/verb=GET/delay=10m"]);
    check(&mut tape);
    let until = tape.now().after(70_000);
    tape.run_to(until);
    assert_eq!(status(&tape, "bob-laptop"), Screen::Failed { why: "no answer".to_owned() });
}

#[test]
fn who_types_http_by_hand_meets_the_same_server() {
    let mut tape = begun(&[]);
    let script = [
        "C: POST /login HTTP/1.1",
        "C: Host: hamburger.edu",
        "C: Content-Length: 38",
        "C: ",
        "C: user=bob@hamburger.edu&password=hungry",
        "S: Set-Cookie: visit=",
    ];
    act(
        &mut tape,
        Action::Connect {
            from: "bob-laptop".to_owned(),
            host: "hamburger.edu".to_owned(),
            port: 80,
            script: script.map(str::to_owned).to_vec(),
        },
    );
    let wire = tape.world().wires()[0].id;
    let said = String::from_utf8_lossy(tape.octets(wire, Dir::ToClient, 0..u64::MAX)).into_owned();
    // The line end that was typed behind the form stands before the next request, if there is one.
    assert!(
        said.starts_with("HTTP/1.1 303 See Other\r\nLocation: /in/INBOX\r\nSet-Cookie: visit="),
        "{said}"
    );
}

#[test]
fn a_rough_network_keeps_the_letter_and_tells_nobody() {
    let scenario = Scenario::find("web-mail").expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    tape.set_level(Level::Rough).expect("it has that level");
    tape.run_to(Time(60_000));
    assert!(matches!(status(&tape, "alice-laptop"), Screen::Sent { .. }));
    assert!(matches!(status(&tape, "bob-laptop"), Screen::Failed { .. }));
    tape.run_to(Time(3_600_000));
    assert_eq!(inbox(&tape), 2);
}
