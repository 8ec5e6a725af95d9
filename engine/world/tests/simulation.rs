//! Worlds that seeds make up, and what must hold in all of them: nothing acknowledged is lost, no UID is used twice, each
//! failure is reported once, every session ends, and the same seed gives the same world.
//!
//! `SIMULATION_SEEDS=5000` runs more of them, `SIMULATION_SEED=17` runs one and prints its log.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox_world::tape::{Scenario, Tape};
use pillarbox_world::world::{
    Action, EntryId, Fate, Kind, Letter, NodeId, Phase, Screen, Time, What,
};

/// When every queue has given up what it could not deliver.
const END: Time = Time(6 * 3_600_000);
/// Steps of one world; more means that it goes round and round.
const STEPS_MAX: u32 = 100_000;
const SEEDS: u64 = 1000;

/// Messages by account, mailbox, UIDVALIDITY and UID.
type Uids = BTreeMap<(NodeId, String, String, u32, u32), Vec<u8>>;

fn run(seed: u64) -> Result<Tape, String> {
    let mut tape = Tape::new(Scenario::random(seed), seed)?;
    let (mut uids, mut steps, mut seen) = (Uids::new(), 0, EntryId(0));
    while tape.next_due().is_some_and(|due| due <= END) && tape.step() {
        steps += 1;
        if steps > STEPS_MAX {
            return Err("it does not come to an end".to_owned());
        }
        let new = tape.entries(seen);
        // A mailbox is told of when the disk has it: a UID that a crash took back was never given to anybody.
        let stored = new.iter().filter(|entry| matches!(entry.what, What::Mailbox(_)));
        let nodes: BTreeSet<NodeId> = stored.filter_map(|entry| entry.node).collect();
        seen = EntryId(seen.0 + u32::try_from(new.len()).expect("entries are bounded"));
        for node in nodes {
            check_uids(&tape, node, &mut uids)?;
        }
    }
    check(&tape)?;
    Ok(tape)
}

/// What happened in many worlds, so that a reader sees that they are not all quiet.
#[derive(Debug, Default)]
struct Sum {
    letters: usize,
    taken: usize,
    strikes: u64,
    crashes: usize,
    lost_writes: u64,
    deferred: usize,
    reports: usize,
    doubled: usize,
}

impl Sum {
    fn add(&mut self, tape: &Tape) {
        for (_, action) in &tape.scenario().script {
            match action {
                Action::Send(letter) => {
                    self.letters += 1;
                    self.taken += usize::from(acknowledged(tape, letter));
                }
                Action::Power { on: false, .. } => self.crashes += 1,
                _ => {}
            }
        }
        for entry in tape.entries(EntryId(0)) {
            match &entry.what {
                What::FaultFired { .. } => self.strikes += 1,
                What::Lost { writes } => self.lost_writes += writes,
                What::Queue(queue) => {
                    self.deferred += usize::from(matches!(queue.fate, Fate::Deferred { .. }));
                }
                _ => {}
            }
        }
        let mut copies = copies(tape);
        self.reports += copies.iter().filter(|(_, octets)| has(octets, "Action: failed")).count();
        let all = copies.len();
        copies.sort();
        copies.dedup();
        self.doubled += all - copies.len();
    }
}

/// RFC 9051 §2.3.1.1: a UID means one message for ever.
fn check_uids(tape: &Tape, node: NodeId, known: &mut Uids) -> Result<(), String> {
    for row in tape.world().stored(node) {
        let key = (node, row.account, row.mailbox, row.uid_validity, row.uid);
        match known.get(&key) {
            Some(octets) if *octets != row.octets => {
                return Err(format!("another message has a UID that was used: {key:?}"));
            }
            Some(_) => {}
            None => {
                let same = |at: &&(NodeId, String, String, u32, u32)| {
                    (&at.0, &at.1, &at.2, &at.3) == (&key.0, &key.1, &key.2, &key.3)
                };
                if let Some(last) = known.keys().rfind(same)
                    && last.4 > key.4
                {
                    return Err(format!("UIDs do not ascend: {key:?} after {}", last.4));
                }
                known.insert(key, row.octets);
            }
        }
    }
    Ok(())
}

fn check(tape: &Tape) -> Result<(), String> {
    for entry in tape.entries(EntryId(0)) {
        if let What::Misuse(what) = &entry.what {
            return Err(format!("the world broke a contract: {what}"));
        }
    }
    for wire in tape.world().wires() {
        if wire.phase != Phase::Closed {
            return Err(format!("a session has not ended: {wire:?}"));
        }
    }
    for node in tape.world().nodes() {
        if node.queue_length > 0 {
            let rows = tape.world().queue(node.id);
            return Err(format!("{} has a queue after all this time: {rows:?}", node.name));
        }
    }
    check_mail(tape)
}

/// All copies of messages that are anywhere: with the address whose they are.
fn copies(tape: &Tape) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for node in tape.world().nodes() {
        if node.kind == Kind::Server {
            let stored = tape.world().stored(node.id).into_iter();
            // Copies that a reader made are no second arrival.
            let inbox = stored.filter(|row| row.mailbox == "INBOX");
            all.extend(inbox.map(|row| (row.account, row.octets)));
        }
    }
    let setup = &tape.scenario().setup;
    for (at, node) in setup.nodes.iter().enumerate() {
        let Some(account) = &node.account else { continue };
        let id = NodeId(u16::try_from(at).expect("there are few"));
        let shown = tape.world().screen(id).into_iter();
        all.extend(shown.map(|shown| (account.address.clone(), shown.octets)));
    }
    all
}

fn has(octets: &[u8], text: &str) -> bool {
    octets.windows(text.len()).any(|window| window == text.as_bytes())
}

fn check_mail(tape: &Tape) -> Result<(), String> {
    let copies = copies(tape);
    let script = &tape.scenario().script;
    let trouble = script
        .iter()
        .any(|(_, action)| matches!(action, Action::AddFault(_) | Action::Power { on: false, .. }));
    let letters = script.iter().filter_map(|(_, action)| match action {
        Action::Send(letter) => Some(letter),
        _ => None,
    });
    for letter in letters {
        if acknowledged(tape, letter) {
            check_letter(tape, letter, &copies, trouble)?;
        } else if !trouble && !letter.to.contains("nobody@") {
            return Err(format!("{} was not taken, though nothing is wrong", letter.subject));
        }
    }
    Ok(())
}

/// Whether the sender's server has said that it has the message for all of its recipients.
fn acknowledged(tape: &Tape, letter: &Letter) -> bool {
    let nodes = tape.world().nodes();
    let device = nodes.iter().find(|node| node.name == letter.device).expect("it was set up").id;
    tape.entries(EntryId(0)).iter().any(|entry| {
        entry.node == Some(device) && matches!(entry.what, What::Screen(Screen::Sent { .. }))
    })
}

fn check_letter(
    tape: &Tape,
    letter: &Letter,
    copies: &[(String, Vec<u8>)],
    trouble: bool,
) -> Result<(), String> {
    let setup = tape.scenario().setup.nodes.iter();
    let mut accounts = setup.filter(|node| node.name == letter.device);
    let account = accounts.next().and_then(|node| node.account.as_ref()).expect("it has one");
    let is_report = |octets: &[u8]| has(octets, "Action: failed");
    for to in letter.to.split(", ") {
        let meant = meant(tape, to);
        let here = copies.iter().filter(|(address, octets)| {
            *address == meant && has(octets, &letter.subject) && !has(octets, "report-type=")
        });
        // A reader who keeps mail on the server, or reads on several devices, has more copies of one arrival.
        let arrived = here.count();
        let wanted = |octets: &[u8]| {
            [to, &meant].iter().any(|to| has(octets, &format!("Final-Recipient: rfc822; {to}")))
        };
        let reports: Vec<&Vec<u8>> = copies
            .iter()
            .filter(|(address, octets)| {
                *address == account.address
                    && is_report(octets)
                    && has(octets, &letter.subject)
                    && wanted(octets)
            })
            .map(|(_, octets)| octets)
            .collect();
        // A report that travels may be doubled on its way, as all mail may: then it has other trace fields, and one name.
        let different: BTreeSet<&[u8]> =
            reports.iter().map(|octets| message_id(octets).unwrap_or(octets)).collect();
        if arrived == 0 && different.is_empty() {
            return Err(format!("{} to {to} is lost", letter.subject));
        }
        // Who is written to in two ways may fail in two ways.
        let ways = letter.to.split(", ").filter(|to| self::meant(tape, to) == meant).count();
        if different.len() > ways {
            return Err(format!("{} to {to}: {} reports", letter.subject, different.len()));
        }
        if !trouble && ways == 1 && arrived > 0 && !different.is_empty() {
            return Err(format!("{} to {to} arrived and was reported", letter.subject));
        }
    }
    Ok(())
}

/// What the first Message-ID field says.
fn message_id(octets: &[u8]) -> Option<&[u8]> {
    let mut lines = octets.split(|octet| *octet == b'\n');
    lines.find_map(|line| line.strip_prefix(b"Message-ID: "))
}

/// Who gets what is sent there.
fn meant(tape: &Tape, to: &str) -> String {
    let nodes = tape.scenario().setup.nodes.iter();
    let mut aliases = nodes.flat_map(|node| &node.aliases);
    let alias = aliases.find(|(name, _)| name == to);
    alias.map_or_else(|| to.to_owned(), |(_, targets)| targets[0].clone())
}

fn print(tape: &Tape) {
    for entry in tape.entries(EntryId(0)) {
        println!("{:>8} {:?} {:?} {:?}", entry.at.0, entry.node, entry.wire, entry.what);
    }
}

fn failed(seed: u64, why: &str) -> String {
    format!(
        "seed {seed}: {why}\n  SIMULATION_SEED={seed} cargo test --release -p pillarbox-world \
         --test simulation -- --nocapture\n  pillarbox replay random:{seed}"
    )
}

#[test]
fn what_must_hold_holds_in_every_world() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SIMULATION_SEED") {
        let mut tape = Tape::new(Scenario::random(seed), seed).expect("a random world makes sense");
        tape.run_to(END);
        print(&tape);
        for (at, action) in &tape.scenario().script {
            println!("{:>8} {action:?}", at.0);
        }
        run(seed).unwrap_or_else(|why| panic!("{}", failed(seed, &why)));
        return;
    }
    let seeds =
        number("SIMULATION_SEEDS").unwrap_or(if cfg!(debug_assertions) { 60 } else { SEEDS });
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8) as u64;
    let failures: Vec<String> = std::thread::scope(|scope| {
        let part = |first: u64| {
            let (mut failures, mut sum) = (Vec::new(), Sum::default());
            for seed in (first..seeds).step_by(threads as usize) {
                match run(seed) {
                    Ok(tape) if seed % 10 == 0 => {
                        sum.add(&tape);
                        let again = run(seed).expect("it went well before");
                        if again.hash() != tape.hash() {
                            failures.push(failed(seed, "a second run is another world"));
                        }
                    }
                    Ok(_) => {}
                    Err(why) => failures.push(failed(seed, &why)),
                }
            }
            println!("every tenth of a part: {sum:?}");
            failures
        };
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || part(first))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no world panics")).collect()
    });
    assert!(failures.is_empty(), "{} of {seeds}\n{}", failures.len(), failures.join("\n"));
}
