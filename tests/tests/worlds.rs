//! The same triple of scenario, seed and actions gives the same world wherever its sessions run: every scenario at every
//! level comes to its golden number with sessions of the component in wasmtime, each in its sandbox, and to the same
//! world with sessions of the component in Node. (The page's numbers are compared by `tests/browser`.)

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use pillarbox::cli::EngineChoice;
use pillarbox::engine::{Engine, EngineSettings};
use pillarbox_engine::types::Now;
use pillarbox_engine::{Input, Output, Role, Step, imap, pop3, smtp};
use pillarbox_tests::transcript::{Factory, Library, Node, Sandboxes};
use pillarbox_world::conversation::Driven;
use pillarbox_world::tape::{Level, Scenario, Tape};
use pillarbox_world::world::{Begins, EntryId, Running, SharedEngine, Time};

/// The engine as a factory of sessions has it.
struct Outside<F> {
    factory: F,
    /// Whether sessions say what each octet is: the driver in Node carries no notes.
    trace: bool,
}

struct Session<R: Role>(Box<dyn Driven<R, Broken = String>>);

impl<R: Role> Running<R> for Session<R> {
    fn step(&mut self, now: Now, input: Input<R>) -> Result<Step<R>, String> {
        self.0.step(now, input)
    }
}

macro_rules! begins {
    ($($role:ty, $make:ident;)*) => {
        $(impl<F: Factory> Begins<$role> for Outside<F> {
            fn begin(&self, mut config: <$role as Role>::Config, now: Now) -> Box<dyn Running<$role>> {
                config.trace = self.trace;
                Box::new(Session(self.factory.$make(config, now)))
            }
        })*
    };
}

begins! {
    smtp::Server, smtp;
    smtp::Client, smtp_client;
    pop3::Server, pop3;
    pop3::Client, pop3_client;
    imap::Server, imap;
    imap::Client, imap_client;
}

/// Scenario, level and number of each line of the golden file.
fn golden() -> Vec<(String, Level, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/world/tests/golden.txt");
    let text = std::fs::read_to_string(path).expect("the file is there");
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let level = match words[1] {
            "Perfect" => Level::Perfect,
            "Rough" => Level::Rough,
            _ => Level::Hostile,
        };
        (words[0].to_owned(), level, words[3].to_owned())
    };
    let all: Vec<_> = text.lines().map(line).collect();
    assert!(all.len() > 45, "only {} lines", all.len());
    all
}

/// A scenario run to its end by this engine.
fn run(id: &str, level: Level, engine: Option<&SharedEngine>) -> Tape {
    let scenario = Scenario::find(id).expect("the scenario exists");
    let tape = match engine {
        Some(engine) => Tape::run_by(scenario, 1, Rc::clone(engine)),
        None => Tape::new(scenario, 1),
    };
    let mut tape = tape.expect("the scenario makes sense");
    tape.set_level(level).expect("the level exists");
    while tape.next_due().is_some_and(|due| due < Time(10 * 86_400_000)) && tape.step() {}
    tape
}

#[test]
fn worlds_of_sandboxed_sessions_come_to_their_golden_numbers() {
    let settings = EngineSettings::new(EngineChoice::Sandbox, Some(64));
    let engine = Engine::new(&settings).expect("the component is valid");
    let outside = Outside { factory: Sandboxes(Arc::new(engine)), trace: true };
    let engine: SharedEngine = Rc::new(outside);
    let mut wrong = Vec::new();
    let golden = golden();
    for (id, level, number) in &golden {
        let tape = run(id, *level, Some(&engine));
        let here = format!("{:016x}", tape.hash());
        if here != *number {
            let other = run(id, *level, None);
            wrong.push(format!(
                "{id} {level:?}: {here}, not {number}; {}",
                first_difference(&tape, &other)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), golden.len(), wrong.join("\n"));
}

/// An engine of which the first session that says a letter says it otherwise.
struct Slips(Rc<Cell<bool>>);

struct Slipping<R: Role>(Box<dyn Running<R>>, Rc<Cell<bool>>);

impl<R: Role> Running<R> for Slipping<R> {
    fn step(&mut self, now: Now, input: Input<R>) -> Result<Step<R>, String> {
        let mut step = self.0.step(now, input)?;
        for output in &mut step.outputs {
            if let Output::Transmit(octets) = output
                && self.1.get()
                && let Some(octet) = octets.iter_mut().rfind(|octet| octet.is_ascii_alphabetic())
            {
                self.1.set(false);
                *octet ^= 0x20;
            }
        }
        Ok(step)
    }
}

macro_rules! slips {
    ($($role:ty;)*) => {
        $(impl Begins<$role> for Slips {
            fn begin(&self, config: <$role as Role>::Config, now: Now) -> Box<dyn Running<$role>> {
                Box::new(Slipping(pillarbox_world::world::Library.begin(config, now), Rc::clone(&self.0)))
            }
        })*
    };
}

slips! {
    smtp::Server;
    smtp::Client;
    pop3::Server;
    pop3::Client;
    imap::Server;
    imap::Client;
}

#[test]
fn one_octet_makes_another_world() {
    let of = |slips| -> SharedEngine { Rc::new(Slips(Rc::new(Cell::new(slips)))) };
    let mut differ = 0;
    for (id, level, number) in golden() {
        let hash = |slips| format!("{:016x}", run(&id, level, Some(&of(slips))).hash());
        assert_eq!(hash(false), number, "{id} {level:?}");
        // In a world of HTTP alone no session of the engine speaks.
        differ += usize::from(hash(true) != number);
    }
    assert!(differ * 10 > golden().len() * 9, "{differ}");
}

/// What two worlds do not have in common, for whoever must find out why.
fn first_difference(one: &Tape, other: &Tape) -> String {
    let (ours, theirs) = (one.entries(EntryId(0)), other.entries(EntryId(0)));
    let at = ours.iter().zip(theirs).position(|(one, other)| one != other);
    let at = at.unwrap_or_else(|| ours.len().min(theirs.len()));
    format!("entry {at}: {:?}, not {:?}", ours.get(at), theirs.get(at))
}

#[test]
fn worlds_of_sessions_in_node_are_the_same() {
    // Neither side has notes of what each octet is, which are entries of the log, too.
    let node: SharedEngine = Rc::new(Outside { factory: Node::start(), trace: false });
    let library: SharedEngine = Rc::new(Outside { factory: Library, trace: false });
    let (mut octets, mut wrong) = (0, Vec::new());
    // Of each scenario its own level; the others differ in faults, which are the world's and not the engine's.
    let golden = golden();
    for (id, level, _) in golden.iter().filter(|(_, level, _)| *level == Level::Perfect) {
        let (there, here) = (run(id, *level, Some(&node)), run(id, *level, Some(&library)));
        if there.hash() != here.hash() {
            wrong.push(format!("{id}: {}", first_difference(&there, &here)));
        }
        octets +=
            there.world().wires().iter().map(|wire| wire.octets.iter().sum::<u64>()).sum::<u64>();
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(octets > 50_000, "{octets}");
    println!("{octets} octets are the same in Node");
}
