//! What is exported says what happened, in forms that others read.

use pillarbox_world::tape::{Scenario, Tape, export};
use pillarbox_world::world::Time;

fn run(id: &str) -> Tape {
    let scenario = Scenario::find(id).expect("the scenario exists");
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    while tape.next_due().is_some_and(|due| due < Time(86_400_000)) && tape.step() {}
    tape
}

#[test]
fn secrets_are_masked_unless_they_are_asked_for() {
    let tape = run("passwords");
    for text in [export::transcript(tape.world(), false), export::jsonl(tape.world(), false)] {
        assert!(text.contains("USER bob"), "the dialogue is there");
        assert!(!text.contains("hungry"), "and the password is not");
    }
    assert!(export::transcript(tape.world(), true).contains("PASS hungry"));
    assert!(!export::report(&tape, false).contains("hungry"));
}

/// Every line is one object: braces and quotes are in balance outside of strings.
#[test]
fn each_line_of_json_is_whole() {
    let text = export::jsonl(run("seven-bits").world(), false);
    assert!(text.lines().count() > 100);
    for line in text.lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
        let (mut inside, mut escaped, mut depth) = (false, false, 0);
        for character in line.chars() {
            match character {
                _ if escaped => escaped = false,
                '\\' if inside => escaped = true,
                '"' => inside = !inside,
                '{' if !inside => depth += 1,
                '}' if !inside => depth -= 1,
                other => assert!(u32::from(other) >= 0x20, "{line}"),
            }
        }
        assert!(!inside && depth == 0, "{line}");
    }
}

/// What one end sent, put together again from the packets of a file.
fn sent_by_packets(file: &[u8], ports: (u16, u16)) -> Vec<u8> {
    let number = |octets: &[u8]| u32::from_le_bytes(octets.try_into().expect("four octets"));
    let (mut at, mut sent) = (0, Vec::new());
    while at < file.len() {
        let (kind, length) = (number(&file[at..at + 4]), number(&file[at + 4..at + 8]) as usize);
        assert_eq!(length % 4, 0);
        assert_eq!(number(&file[at + length - 4..at + length]) as usize, length);
        if kind == 6 {
            let captured = number(&file[at + 20..at + 24]) as usize;
            let ip = &file[at + 28..at + 28 + captured];
            assert_eq!((ip[0], ip[9]), (0x45, 6), "IPv4 and TCP");
            assert_eq!(usize::from(u16::from_be_bytes([ip[2], ip[3]])), captured);
            let tcp = &ip[20..];
            let (from, to) =
                (u16::from_be_bytes([tcp[0], tcp[1]]), u16::from_be_bytes([tcp[2], tcp[3]]));
            if (from, to) == ports {
                sent.extend_from_slice(&tcp[20..]);
            }
        }
        at += length;
    }
    assert_eq!(at, file.len());
    sent
}

#[test]
fn packets_put_together_are_the_dialogue() {
    let tape = run("crepes-hamburger");
    let sent = sent_by_packets(&export::pcapng(tape.world(), false), (49_152, 25));
    let wire = tape.world().wires()[0].id;
    assert_eq!(sent, tape.octets(wire, pillarbox_world::world::Dir::ToServer, 0..u64::MAX));
}

#[test]
fn packets_show_no_secret_unless_they_are_asked_to() {
    let tape = run("passwords");
    let wires = tape.world().wires();
    let wire = wires.iter().find(|wire| wire.port == 110).expect("Bob logs in");
    let ports = (49_152 + u16::try_from(wire.id.0).expect("few"), 110);
    let whole = tape.octets(wire.id, pillarbox_world::world::Dir::ToServer, 0..u64::MAX);
    let masked = sent_by_packets(&export::pcapng(tape.world(), false), ports);
    assert_eq!(masked.len(), whole.len());
    let text = String::from_utf8_lossy(&masked).into_owned();
    assert!(text.contains("PASS ******\r\n") && text.contains("RETR 1"), "{text}");
    assert_eq!(sent_by_packets(&export::pcapng(tape.world(), true), ports), whole);
}

#[test]
fn messages_are_files() {
    let tape = run("the-bounce");
    let all = export::messages(tape.world());
    let names: Vec<&str> = all.iter().map(|eml| &eml.name[..]).collect();
    assert!(names.contains(&"alice@crepes.fr-INBOX-1.eml"), "{names:?}");
    let report =
        all.iter().find(|eml| eml.name == "alice@crepes.fr-INBOX-1.eml").expect("it is there");
    assert!(report.octets.starts_with(b"Return-Path: <>\r\n"));
    let mbox = String::from_utf8_lossy(&export::mbox(tape.world())).into_owned();
    assert_eq!(mbox.lines().filter(|line| line.starts_with("From ")).count(), all.len());
}
