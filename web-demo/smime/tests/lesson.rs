//! The scenario about S/MIME and the challenge: what the messages in them come to, as sent and as they arrive.

mod support;

use pillarbox_web_smime::{Reader, Told};
use pillarbox_world::tape::{Challenge, Level, Scenario, Tape, export};
use pillarbox_world::world::{Action, Time};
use support::{desk, judged};

/// The messages that a script types, as their author made them.
fn sent(script: &[(Time, Action)]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for (_, action) in script {
        let Action::Connect { script, .. } = action else { continue };
        let mut message: Option<String> = None;
        for line in script {
            match (line.as_str(), &mut message) {
                ("S: 354", open) => *open = Some(String::new()),
                ("C: .", open) => out.extend(open.take().map(String::into_bytes)),
                (line, Some(text)) => {
                    text.push_str(line.strip_prefix("C: ").expect("the client speaks"));
                    text.push_str("\r\n");
                }
                _ => {}
            }
        }
    }
    out
}

/// What lies in mailboxes in the end, then what devices show.
fn arrived(mut tape: Tape) -> Vec<(String, Vec<u8>)> {
    while tape.next_due().is_some_and(|due| due < Time(3_600_000)) && tape.step() {}
    let all = export::messages(tape.world()).into_iter();
    all.map(|message| (message.name, message.octets)).collect()
}

fn states(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().map(|message| judged(message, Reader::Bob).state).collect()
}

fn fact<'a>(told: &'a Told, name: &str) -> &'a str {
    let found = told.facts.iter().find(|(known, _)| *known == name);
    &found.unwrap_or_else(|| panic!("no {name} in {told:?}")).1
}

#[test]
fn the_hop_alters_what_was_signed_raw_and_nothing_else() {
    let scenario = Scenario::find("smime").expect("it is there");
    let sent = sent(&scenario.script);
    assert_eq!(states(&sent), [2, 2, 7], "as they were sent");
    let tape = Tape::new(scenario, 1).expect("it makes sense");
    let arrived = arrived(tape);
    let (boxes, screen): (Vec<_>, Vec<_>) =
        arrived.into_iter().partition(|(name, _)| name.contains("INBOX"));
    let octets = |all: Vec<(String, Vec<u8>)>| all.into_iter().map(|(_, octets)| octets).collect();
    let (boxes, screen): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (octets(boxes), octets(screen));
    assert_eq!(states(&boxes), [6, 2, 7], "in the mailbox");
    assert_eq!(states(&screen), [6, 2, 7], "on Bob's laptop");

    let altered = judged(&boxes[0], Reader::Bob);
    assert_ne!(fact(&altered, "digest that was signed"), fact(&altered, "digest of what is here"));
    let covered = &boxes[0][altered.covered[0].clone()];
    assert!(covered.ends_with(b"CrC(me brC;lC)e at eight?"), "covered and ruined");
    let trusted = judged(&boxes[1], Reader::Bob);
    assert_eq!(fact(&trusted, "trusted by"), "CN=Two Towns Authority");

    let opened = judged(&boxes[2], Reader::Bob);
    assert!(opened.opened.is_some_and(|text| text.ends_with(b"under the mat.\r\n")));
    let eve = judged(&boxes[2], Reader::Eve);
    assert_eq!((eve.state, eve.opened), (7, None));
    let text = String::from_utf8_lossy(&boxes[2]);
    assert!(!text.contains("mat") && text.contains("Subject: Only for Bob"));
}

#[test]
fn at_the_hostile_level_the_copy_on_the_laptop_is_altered() {
    let scenario = Scenario::find("smime").expect("it is there");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    tape.set_level(Level::Hostile).expect("there is one");
    let arrived = arrived(tape);
    let state = |end: &str| {
        let (_, octets) =
            arrived.iter().find(|(name, _)| name.ends_with(end)).expect("it is there");
        judged(octets, Reader::Bob).state
    };
    assert_eq!((state("INBOX-2.eml"), state("screen-2.eml")), (2, 6));
}

#[test]
fn the_challenge_asks_for_what_the_verdict_says() {
    let challenge = Challenge::find("prove-altered").expect("it is there");
    let arrived = arrived(challenge.start().expect("it begins"));
    let verdicts: Vec<Told> =
        arrived.iter().map(|(_, octets)| judged(octets, Reader::Bob)).collect();
    assert_eq!(verdicts.iter().map(|told| told.state).collect::<Vec<_>>(), [2, 6]);
    let digests = ["digest that was signed", "digest of what is here"];
    let asked = digests.map(|name| &fact(&verdicts[1], name)[..8]);
    for (goal, digest) in challenge.goals[1..].iter().zip(asked) {
        let wanted = format!("Message(\"carol@hamburger.edu\", \"{digest}\")");
        assert_eq!(format!("{:?}", goal.test), wanted, "{}", goal.text);
    }
}

#[test]
fn keys_are_told_of_by_their_certificates() {
    let keys = desk().keys();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|line| !line.contains("PRIVATE")));
}
