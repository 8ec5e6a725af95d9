//! The laws of spans (`playground.md` calls them so), for all six roles, over every transcript and over garbled ones:
//! leaf spans cover every octet, do not depend on how the input was cut, change nothing, and mask every secret; and there
//! are words for all of them.

use std::path::{Path, PathBuf};

#[path = "../../../tests/src/transcript/played.rs"]
mod transcript;

use pillarbox_engine::trace::{Note, Side, Span};
use pillarbox_world::annotate::{Annotator, Party, Protocol};
use pillarbox_world::catalogue;
use transcript::{Library, Script, Seen, Split, Turn, What, witness};

/// Garbled forms of each transcript.
const GARBLED: u64 = 12;

fn transcripts() -> Vec<Script> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts");
    let mut files: Vec<PathBuf> = Vec::new();
    for directory in ["smtp", "smtp-client", "pop3", "pop3-client", "imap", "imap-client"] {
        let entries = std::fs::read_dir(root.join(directory)).expect("the transcripts are there");
        files.extend(entries.map(|entry| entry.expect("a readable directory").path()));
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "transcript"));
    files.sort();
    files.iter().map(|file| Script::read(file).expect("the transcript can be read")).collect()
}

/// The protocol, and which part the session plays.
fn role(script: &Script) -> (Protocol, Party) {
    let (protocol, party) = match script.protocol.strip_suffix("-client") {
        Some(protocol) => (protocol, Party::Client),
        None => (script.protocol.as_str(), Party::Server),
    };
    match protocol {
        "smtp" => (Protocol::Smtp, party),
        "pop3" => (Protocol::Pop3, party),
        _ => (Protocol::Imap, party),
    }
}

fn traced(script: &Script) -> Script {
    let mut script = script.clone();
    script.with.push("trace".to_owned());
    script
}

/// The same conversation a line at a time, so that nothing that comes in is early however it is cut; without asks, which
/// would differ.
fn line_by_line(script: &Script) -> Script {
    let mut script = script.clone();
    let mut turns = Vec::new();
    for turn in script.turns.drain(..) {
        match &turn.what {
            What::Peer(octets) => {
                for line in octets.split_inclusive(|octet| *octet == b'\n') {
                    let Turn { line: number, connection, .. } = turn;
                    turns.push(Turn { line: number, connection, what: What::Peer(line.to_vec()) });
                }
            }
            What::Session(_) | What::Event(_) | What::Ask(_) | What::Answer(_) | What::Closes => {}
            _ => turns.push(turn),
        }
    }
    script.turns = turns;
    script
}

/// Numbers that look random and are the same in each run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// The conversation with what the peer says spoilt here and there.
fn garbled(script: &Script, seed: u64) -> Script {
    let mut random = Seeded(seed);
    let mut script = script.clone();
    let wild: [&[u8]; 16] = [
        b" ",
        b"\0",
        b"\r",
        b"\n",
        b"\xff",
        b"(",
        b")",
        b"\"",
        b"{3}\r\n",
        b"{2+}\r\nab",
        b"<",
        b">",
        b".",
        b"*",
        b"\r\n.\r\n",
        b"xxxxxxxxxxxxxxxx",
    ];
    for turn in &mut script.turns {
        let What::Peer(octets) = &mut turn.what else { continue };
        for _ in 0..random.below(3) {
            let at = random.below(octets.len() + 1);
            match random.below(4) {
                0 => octets.truncate(at),
                1 => {
                    let from = octets.len().min(at + random.below(6));
                    octets.drain(at..from);
                }
                _ => {
                    let piece = wild[random.below(wild.len())];
                    octets.splice(at..at, piece.iter().copied());
                }
            }
        }
    }
    line_by_line(&script)
}

fn spans(seen: &Seen, side: Side) -> Vec<Span> {
    let span = |note: &Note| match note {
        Note::Span(span) if span.side == side => Some(*span),
        _ => None,
    };
    seen.notes.iter().filter_map(span).collect()
}

fn octets(seen: &Seen, side: Side) -> &[u8] {
    match side {
        Side::Received => &seen.received,
        Side::Sent => &seen.sent,
    }
}

const SIDES: [Side; 2] = [Side::Received, Side::Sent];

/// *Cover*: spans follow one another without a gap. What came when the session had stopped to listen is nothing.
fn assert_cover(name: &str, seen: &Seen, secures: bool) {
    for side in SIDES {
        let mut end = 0;
        for span in spans(seen, side) {
            assert!(span.end > span.start, "{name}: {span:?} is empty");
            let gap = span.start > end && secures && side == Side::Received;
            if span.start != end && !gap {
                let all = octets(seen, side);
                let near = end.saturating_sub(80) as usize..(span.end as usize + 20).min(all.len());
                let near = all[near].escape_ascii();
                panic!("{name}: {side:?} {span:?} does not begin at {end}, in {near}");
            }
            end = span.end;
        }
        if side == Side::Sent {
            assert_eq!(end, seen.sent.len() as u64, "{name}: not all that was sent has a span");
        }
        assert!(end <= octets(seen, side).len() as u64, "{name}: {side:?} spans go beyond");
    }
}

/// The tree of annotations: children in their parents, siblings apart, leaves over all; with words for everything.
fn assert_tree(name: &str, script: &Script, seen: &Seen) {
    let (protocol, party) = role(script);
    let mut annotator = Annotator::new(protocol, party);
    for note in &seen.notes {
        let under = match note {
            Note::Span(span) => &octets(seen, span.side)[span.start as usize..span.end as usize],
            _ => &[],
        };
        annotator.note(note, under);
        if let Note::State { from, to } = note {
            for state in [from, to] {
                let words = catalogue::state(protocol, party, state);
                assert!(words.is_some(), "{name}: no words for the state {state}");
            }
        }
    }
    for side in SIDES {
        let (mut end, all) = (0, annotator.of(side));
        let mut siblings: Vec<u64> = vec![0; all.len() + 1];
        for annotation in all {
            let words = catalogue::label(protocol, annotation.label);
            assert!(words.is_some(), "{name}: no words for {}", annotation.label);
            if annotation.parent.is_none() {
                // A line begins where one has ended, but for octets that are counted and not ended.
                let before = octets(seen, side)[..annotation.at.start as usize].last();
                let counted = annotator
                    .within(side, annotation.at.start.saturating_sub(1)..annotation.at.start);
                let counted = counted.first().is_some_and(|line| line.label == "message content");
                let begins = matches!(before, None | Some(b'\n')) || counted || secures(script);
                assert!(begins, "{name}: {annotation:?} begins within a line");
            }
            let place = match annotation.parent {
                Some(parent) => {
                    let parent = annotator.get(parent).expect("a parent");
                    let inside = parent.at.start <= annotation.at.start
                        && annotation.at.end <= parent.at.end;
                    assert!(inside && !parent.leaf, "{name}: {annotation:?} outside of {parent:?}");
                    parent.id.at as usize + 1
                }
                None => 0,
            };
            assert!(siblings[place] <= annotation.at.start, "{name}: {annotation:?} overlaps");
            siblings[place] = annotation.at.end;
            if annotation.leaf {
                assert_eq!(annotation.at.start, end, "{name}: {annotation:?}");
                end = annotation.at.end;
            }
            for cause in &annotation.causes {
                assert!(annotator.get(*cause).is_some(), "{name}: {annotation:?}");
            }
        }
    }
}

fn seen(script: &Script, split: Split) -> Vec<Seen> {
    witness(script, &Library, split).expect("a protocol that is known")
}

fn secures(script: &Script) -> bool {
    script.turns.iter().any(|turn| matches!(turn.what, What::Secures))
}

/// What was looked at.
#[derive(Default)]
struct Count {
    notes: usize,
    /// Conversations that were cut otherwise, and those of them that were the same conversation.
    tries: usize,
    cuts: usize,
}

/// The laws for one conversation, cut in several ways.
fn assert_laws(name: &str, script: &Script, splits: &[Split], spoilt: bool) -> Count {
    let silent = seen(script, Split::Whole);
    let script = traced(script);
    let whole = seen(&script, Split::Whole);
    let mut count = Count::default();
    assert_eq!(silent.len(), whole.len(), "{name}");
    for (silent, whole) in silent.iter().zip(&whole) {
        // *Silence*: looking changes nothing.
        assert!(silent.notes.is_empty(), "{name}");
        assert_eq!((&silent.sent, silent.closed), (&whole.sent, whole.closed), "{name}");
        assert_cover(name, whole, secures(&script));
        assert_tree(name, &script, whole);
        count.notes += whole.notes.len();
    }
    count.tries = splits.len() * whole.len();
    for split in splits {
        let other = seen(&script, *split);
        assert_eq!(other.len(), whole.len(), "{name} {split:?}");
        for (one, other) in whole.iter().zip(&other) {
            assert_cover(name, other, secures(&script));
            // Cut so, octets may have come before a reply that their sender had to read first: another conversation.
            if spoilt && one.sent != other.sent {
                continue;
            }
            count.cuts += 1;
            for side in SIDES {
                let (one, other) = (spans(one, side), spans(other, side));
                let differs = one.iter().zip(&other).find(|(one, other)| one != other);
                assert!(differs.is_none(), "{name} {split:?}: {differs:?}");
                assert_eq!(one.len(), other.len(), "{name} {split:?} {side:?}");
            }
        }
    }
    count
}

#[test]
fn laws_hold_over_every_transcript() {
    let mut notes = 0;
    for script in transcripts() {
        let splits = [Split::Octets, Split::Random(31), Split::Random(4711)];
        notes += assert_laws(&script.name, &line_by_line(&script), &splits, false).notes;
    }
    assert!(notes > 20_000, "only {notes} notes");
    println!("{notes} notes");
}

#[test]
fn laws_hold_over_garbled_transcripts() {
    let (mut notes, mut tries, mut cuts) = (0, 0, 0);
    for script in transcripts() {
        for seed in 1..=GARBLED {
            let name = format!("{} garbled by {seed}", script.name);
            let splits = [Split::Octets, Split::Random(seed)];
            let count = assert_laws(&name, &garbled(&script, seed), &splits, true);
            notes += count.notes;
            tries += count.tries;
            cuts += count.cuts;
        }
    }
    assert!(notes > 50_000, "only {notes} notes");
    assert!(cuts * 10 > tries * 9, "only {cuts} of {tries} were the same conversation");
    println!("{notes} notes");
}

/// *Prefix*: what more octets change is the end alone: every beginning of a conversation has the beginning of its spans.
#[test]
fn more_octets_only_add_spans() {
    for script in transcripts() {
        let script = traced(&line_by_line(&script));
        let whole = seen(&script, Split::Whole);
        let mut random = Seeded(script.turns.len() as u64);
        for _ in 0..4 {
            let mut part = script.clone();
            part.turns.truncate(random.below(script.turns.len()) + 1);
            if let Some(Turn { what: What::Peer(octets), .. }) = part.turns.last_mut() {
                octets.truncate(random.below(octets.len() + 1));
            }
            for (part, whole) in seen(&part, Split::Whole).iter().zip(&whole) {
                for side in SIDES {
                    let (part, whole) = (spans(part, side), spans(whole, side));
                    assert!(whole.starts_with(&part), "{}: {side:?}", script.name);
                }
            }
        }
    }
}

/// *Redaction*: however a password comes, its octets are masked.
#[test]
fn passwords_are_masked_however_they_come() {
    let secret = "czNjcmV0cGFzcw==";
    let smtp = [
        "AUTH PLAIN {}",
        "auth  plain {}",
        " AUTH PLAIN {}",
        "AUTH\tPLAIN {}",
        "AUTH PLAIN {} x",
        "AUTH LOGIN\r\n{}",
        "AUTH LOGIN\r\nYW5u\r\n{}",
        "AUTH XOAUTH2 {}",
        "AUTH PLAIN\r\n{} y",
    ];
    let pop3 = [
        "USER ann\r\nPASS {}",
        "PASS {}",
        "pass {} x",
        " PASS {}",
        "PASS\t{}",
        "APOP ann {}",
        "APOP ann {} x",
        "APOP {}",
        "AUTH PLAIN {}",
        "AUTH PLAIN\r\n{}",
        "AUTH LOGIN\r\nYW5u\r\n{}",
        "AUTH XOAUTH2 {}",
    ];
    let imap = [
        "a LOGIN ann {}",
        "a LOGIN \"ann\" \"{}\"",
        "a LOGIN ann {16+}\r\n{}",
        "a LOGIN {3+}\r\nann {16+}\r\n{}",
        "a LOGIN ann {16}\r\n{}",
        "a login ann {} x",
        "LOGIN ann {}",
        "a  LOGIN ann {}",
        "a a LOGIN ann {}",
        "a AUTHENTICATE PLAIN {}",
        "a AUTHENTICATE PLAIN\r\n{}",
        "a AUTHENTICATE LOGIN\r\nYW5u\r\n{}",
        "a AUTHENTICATE XOAUTH2 {}",
        "a LOGIN ann {16+}\r\n{}\0",
    ];
    let mut masked = 0;
    for (protocol, forms) in [("smtp", &smtp[..]), ("pop3", &pop3), ("imap", &imap)] {
        for form in forms {
            let hello = if protocol == "smtp" { "C: EHLO a\n" } else { "" };
            let text = format!("protocol {protocol}\nwith apop trace\n{hello}");
            let mut script = Script::parse("secrets", &text).expect("a transcript");
            let said = format!("{}\r\n", form.replacen("{}", secret, 1));
            script.turns.push(Turn { line: 9, connection: 1, what: What::Peer(said.into_bytes()) });
            for split in [Split::Whole, Split::Octets] {
                let seen = &seen(&line_by_line(&script), split)[0];
                let at = seen.received.windows(secret.len()).position(|w| w == secret.as_bytes());
                let at = at.expect("it was said") as u64;
                let inside = |span: &&Span| span.start < at + 16 && span.end > at;
                let over = spans(seen, Side::Received);
                let over: Vec<_> = over.iter().filter(inside).collect();
                assert!(!over.is_empty(), "{protocol}: {form}: no span");
                assert!(over.iter().all(|span| span.secret), "{protocol}: {form}: {over:?}");
                masked += 1;
            }
        }
    }
    assert!(masked > 60);
}

#[test]
fn a_fault_can_wait_for_every_label_that_a_server_gives() {
    let mut labels = std::collections::BTreeSet::new();
    for script in transcripts().iter().filter(|script| role(script).1 == Party::Server) {
        for seen in seen(&traced(script), Split::Whole) {
            let of = |side| spans(&seen, side).into_iter().map(|span| span.label);
            labels.extend(
                SIDES.into_iter().flat_map(of).map(|label| (script.protocol.clone(), label)),
            );
        }
    }
    assert!(labels.len() > 60, "{}", labels.len());
    for (service, label) in labels {
        let word = label.trim_end_matches(':').to_ascii_lowercase().replace(' ', "-");
        let rule = format!("{service}/after={word}/drop");
        let parsed = rule.parse::<pillarbox_world::fault::Rule>();
        // What ends a message has been a moment of its own before, which POP3 has none of.
        assert!(parsed.is_ok() || rule == "pop3/after=end-of-data/drop", "{rule}: {parsed:?}");
    }
}
