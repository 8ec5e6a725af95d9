//! There are words for all that happens in any scenario: each line of its log, each state, each span and its octets.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox_world::catalogue::{self, Party, Protocol};
use pillarbox_world::tape::{Scenario, Tape};
use pillarbox_world::world::{Dir, End, EntryId, Protocol as Spoken, Time, WireId};

fn spoken(protocol: Spoken) -> Protocol {
    match protocol {
        Spoken::Smtp | Spoken::Submission => Protocol::Smtp,
        Spoken::Pop3 => Protocol::Pop3,
        Spoken::Imap => Protocol::Imap,
        Spoken::Http => Protocol::Http,
    }
}

fn ended(scenario: Scenario) -> Tape {
    let mut tape = Tape::new(scenario, 1).expect("it makes sense");
    let mut steps = 0;
    while tape.step() && steps < 20_000 {
        steps += 1;
    }
    tape.run_to(Time(30 * 86_400_000));
    tape
}

#[test]
fn every_line_of_every_log_has_words() {
    let mut lines = 0;
    for scenario in Scenario::all() {
        let name = scenario.id.clone();
        let tape = ended(scenario);
        let protocols: BTreeMap<WireId, Spoken> =
            tape.world().wires().into_iter().map(|view| (view.id, view.protocol)).collect();
        for entry in tape.entries(EntryId(0)) {
            let protocol = entry.wire.and_then(|wire| protocols.get(&wire)).copied().map(spoken);
            let words = catalogue::happening(&entry.what, protocol);
            assert!(words.is_some(), "{name}: no words for {:?}", entry.what);
            lines += 1;
        }
    }
    assert!(lines > 1000, "{lines}");
}

#[test]
fn every_span_and_every_word_of_every_wire_has_words() {
    let mut missing = BTreeSet::new();
    let mut spans = 0;
    for scenario in Scenario::all() {
        let name = scenario.id.clone();
        let tape = ended(scenario);
        for view in tape.world().wires() {
            let protocol = spoken(view.protocol);
            for end in [End::Client, End::Server] {
                for dir in [Dir::ToServer, Dir::ToClient] {
                    for annotation in tape.annotations_by(view.id, end, dir, 0..u64::MAX) {
                        spans += 1;
                        let label = catalogue::label(protocol, annotation.label);
                        assert!(label.is_some(), "{name}: {}", annotation.label);
                        if let Some((from, to)) = annotation.step {
                            let party = match end {
                                End::Client => Party::Client,
                                End::Server => Party::Server,
                            };
                            for state in [from, to] {
                                let words = catalogue::state(protocol, party, state);
                                assert!(words.is_some(), "{name}: {state}");
                            }
                        }
                        // What a program acts on has words of its own.
                        let own = matches!(
                            annotation.label,
                            "verb"
                                | "command"
                                | "ehlo keyword"
                                | "parameter keyword"
                                | "reply code"
                                | "enhanced code"
                                | "response name"
                                | "status item"
                                | "data item"
                                | "status"
                                | "resp-text-code"
                                | "capability"
                        );
                        let octets = tape.octets(view.id, dir, annotation.at.clone());
                        if own && catalogue::word(protocol, annotation.label, octets).is_none() {
                            let text = octets.escape_ascii().to_string();
                            missing.insert((protocol.key(), annotation.label, text));
                        }
                    }
                }
            }
        }
    }
    assert!(spans > 5000, "{spans}");
    // What people typed on purpose to be refused.
    missing.retain(|(_, label, _)| *label != "verb");
    assert!(missing.is_empty(), "no words for {missing:#?}");
}
