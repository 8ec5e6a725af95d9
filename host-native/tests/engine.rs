//! The sandboxes: what breaks in one ends with it, their number is bounded, and they say what the
//! library says.

use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use pillarbox::cli::EngineChoice;
use pillarbox::engine::{
    Driven, Engine, EngineSettings, INDEX_HERE_MAX, Input, StartError, TrapKind,
};
use pillarbox_engine::limits::Limits;
use pillarbox_engine::relay::{Attempted, Fared, Handover, Outcome, Queued, Schedule, Times};
use pillarbox_engine::sasl::AuthOffer;
use pillarbox_engine::smtp::client::types::{Fate, Reply};
use pillarbox_engine::smtp::{MailFrom, Mailbox, RcptTo};
use pillarbox_engine::types::{Now, Peer, TlsOffer};
use pillarbox_engine::{Output, smtp};

const NOW: Now = Now { monotonic_ms: 1000, unix_ms: 1_767_603_600_000 };

type Session = Box<dyn Driven<smtp::Server>>;

/// A directory of a test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pillarbox-{name}-{}", std::process::id()));
        fs::create_dir(&path).expect("it is new");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("it is ours");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn settings(slots: u32) -> EngineSettings {
    EngineSettings {
        cache: None,
        step_ms_max: 50,
        ..EngineSettings::new(EngineChoice::Sandbox, Some(slots))
    }
}

fn crashing(slots: u32) -> Engine {
    let component = Cow::Borrowed(pillarbox_component_crash::COMPONENT);
    Engine::new(&EngineSettings { component, ..settings(slots) }).expect("it starts")
}

fn config(trace: bool) -> smtp::Config {
    smtp::Config {
        host_name: b"mx.example".to_vec(),
        service: smtp::Service::Smtp,
        peer: Peer { address: b"192.0.2.7".to_vec(), name: None },
        session_id: b"s1".to_vec(),
        tls: TlsOffer::None,
        auth: AuthOffer::default(),
        auth_required: false,
        extensions: smtp::Extensions::default(),
        persona: pillarbox_engine::types::Persona::Strict,
        lenient: false,
        verify: false,
        return_path: true,
        faults: false,
        index: smtp::Indexer::new(|octets, known| {
            pillarbox_mime::index_surveyed(octets, known).map(|index| index.encode())
        }),
        limits: Limits::SMTP,
        trace,
    }
}

/// A session whose greeting was sent: who talks before it is shown out.
fn start(engine: &Engine) -> Session {
    let session = engine.smtp(config(false), NOW);
    let mut session = session.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(say(&mut session, b"").0.starts_with(b"220 "));
    session
}

/// Steps until the session waits or closes, and answers what it asks; gives what it transmits and,
/// as text, the rest.
fn say(session: &mut Session, octets: &[u8]) -> (Vec<u8>, Vec<String>) {
    let (mut said, mut rest) = (Vec::new(), Vec::new());
    let mut inputs = vec![Input::Receive(octets.to_vec())];
    while let Some(input) = inputs.pop() {
        let step = session.step(NOW, input).expect("this session is a good one");
        let mut over = false;
        for output in step.outputs {
            match output {
                Output::Transmit(octets) => said.extend(octets),
                Output::Ask(id, ask) => {
                    let answer = match &ask {
                        smtp::Ask::Commit(_) => smtp::Answer::Committed(smtp::Committed {
                            id: b"m1".to_vec(),
                            fates: Vec::new(),
                        }),
                        _ => smtp::Answer::Done,
                    };
                    rest.push(format!("{ask:?}"));
                    inputs.push(Input::Answer(id, answer));
                }
                Output::Wait { .. } | Output::Close => over = true,
                Output::Event(event) => rest.push(format!("{event:?}")),
                Output::Note(note) => rest.push(format!("{note:?}")),
                Output::TransmitBlob(_) | Output::StartTls | Output::Compress => {
                    panic!("not in this conversation")
                }
            }
        }
        if inputs.is_empty()
            && let Some(left) = step.left
        {
            inputs.push(Input::Receive(left));
        } else if inputs.is_empty() && !over {
            inputs.push(Input::Nothing);
        }
    }
    (said, rest)
}

const CONVERSATION: [&[u8]; 6] = [
    b"",
    b"EHLO crepes.fr\r\n",
    b"MAIL FROM:<alice@crepes.fr>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n",
    b"Subject: ketchup\r\n\r\nDo you like ketchup?\r\n..\r\n",
    b".\r\nBOGUS\r\n",
    b"QUIT\r\n",
];

#[test]
fn the_sandbox_says_what_the_library_says() {
    let native = EngineSettings { choice: EngineChoice::Native, ..settings(4) };
    let native = Engine::new(&native).expect("it starts");
    let sandbox = Engine::new(&settings(4)).expect("it starts");
    for trace in [false, true] {
        let mut one = native.smtp(config(trace), NOW).expect("no slot is needed");
        let mut other = sandbox.smtp(config(trace), NOW).expect("a slot is free");
        let mut all = Vec::new();
        for octets in CONVERSATION {
            let expected = say(&mut one, octets);
            assert_eq!(say(&mut other, octets), expected);
            all.extend(expected.0);
        }
        let all = String::from_utf8_lossy(&all).into_owned();
        assert!(all.contains("\r\n354 ") && all.contains("m1"), "{all}");
    }
    let message = b"Subject: x\r\n\r\nbody\r\n";
    let size = message.len() as u64;
    let indexed = sandbox.index(message, size).expect("a good message");
    assert_eq!(indexed, native.index(message, size).expect("a good message"));
}

#[test]
fn a_crash_ends_its_own_session_and_says_what_it_was() {
    let engine = crashing(4);
    let mut good = start(&engine);
    say(&mut good, b"EHLO crepes.fr\r\n");
    let verbs: [(&[u8], TrapKind, &str); 4] = [
        (b"XCRASH PANIC\r\n", TrapKind::Panic, "crash::obey"),
        (b"XCRASH LOOP\r\n", TrapKind::Timeout, "crash::spin"),
        (b"XCRASH MEMORY\r\n", TrapKind::Memory, "crash::hoard"),
        (b"XCRASH STACK\r\n", TrapKind::Stack, "crash::descend"),
    ];
    for (verb, kind, place) in verbs {
        let mut bad = start(&engine);
        say(&mut bad, b"EHLO evil.example\r\n");
        assert_eq!(engine.slots_taken(), 2);
        let began = Instant::now();
        let trap = bad.step(NOW, Input::Receive(verb.to_vec())).err().expect("it crashes");
        assert_eq!(trap.trap_kind(), kind, "{trap}");
        assert!(trap.to_string().contains(place), "{trap}");
        assert!(trap.to_string().contains(&format!("receive of {} octets", verb.len())), "{trap}");
        assert!(began.elapsed().as_millis() < 2000, "{trap} took {:?}", began.elapsed());
        // What broke stays broken; nothing is read from it.
        let again = bad.step(NOW, Input::Nothing).err().expect("it is gone");
        assert_eq!(again.trap_kind(), TrapKind::Contract, "{again}");
        drop(bad);
        assert_eq!(engine.slots_taken(), 1);
        assert!(say(&mut good, b"NOOP\r\n").0.starts_with(b"250 "));
    }
    let (said, _) = say(&mut good, b"MAIL FROM:<a@crepes.fr>\r\nRCPT TO:<b@c.example>\r\nQUIT\r\n");
    assert!(said.ends_with(b"\r\n") && said.windows(4).any(|octets| octets == b"221 "));
}

#[test]
fn a_good_conversation_goes_on_while_others_crash() {
    let engine = crashing(16);
    let stop = AtomicBool::new(false);
    let crashes = AtomicU32::new(0);
    let mut commands = 0;
    std::thread::scope(|scope| {
        let verbs: [&[u8]; 4] =
            [b"XCRASH PANIC", b"XCRASH MEMORY", b"XCRASH STACK", b"XCRASH LOOP"];
        let (engine, stop, crashes) = (&engine, &stop, &crashes);
        for verb in verbs {
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let trap = start(engine).step(NOW, Input::Receive(verb.to_vec()));
                    assert!(trap.is_err());
                    crashes.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut good = start(engine);
        say(&mut good, b"EHLO crepes.fr\r\n");
        while crashes.load(Ordering::Relaxed) < 500 {
            // Every tenth command makes progress, or the session would end an idler.
            if commands % 50 == 0 {
                good = start(engine);
                say(&mut good, b"EHLO crepes.fr\r\n");
            }
            assert!(say(&mut good, b"NOOP\r\n").0.starts_with(b"250 "));
            commands += 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(commands > 100, "{commands} commands went through beside 500 crashes");
    assert_eq!(engine.slots_taken(), 0);
}

#[test]
fn one_session_too_many_is_refused_and_a_slot_comes_back() {
    let engine = Engine::new(&settings(3)).expect("it starts");
    let mut sessions: Vec<Session> = (0..3).map(|_| start(&engine)).collect();
    let began = Instant::now();
    assert!(matches!(engine.smtp(config(false), NOW), Err(StartError::NoSlot)));
    assert!(began.elapsed().as_millis() < 100);
    // Indexing has slots of its own.
    engine.index(b"Subject: x\r\n\r\n", 14).expect("a good message");
    assert_eq!(engine.slots_taken(), 3);
    sessions.pop();
    sessions.push(start(&engine));
    assert!(say(&mut sessions[2], b"NOOP\r\n").0.starts_with(b"250 "));
}

#[test]
fn more_slots_than_the_kernel_has_are_refused_with_words() {
    let error = Engine::new(&settings(50_000_000)).err().expect("no kernel has so many");
    let words = error.to_string();
    assert!(words.contains("vm.max_map_count") || words.contains("ulimit -n"), "{words}");
}

#[test]
fn what_is_no_component_is_refused() {
    let component = Cow::Borrowed(&b"\0asm\x0d\0\x01\0rubbish"[..]);
    assert!(Engine::new(&EngineSettings { component, ..settings(2) }).is_err());
}

#[test]
fn a_compiled_component_is_kept_and_found_again() {
    let scratch = Scratch::new("cache");
    let with_cache = EngineSettings { cache: Some(scratch.0.clone()), ..settings(2) };
    let works = |settings: &EngineSettings| {
        let engine = Engine::new(settings).expect("it starts");
        assert!(say(&mut start(&engine), b"NOOP\r\n").0.starts_with(b"250 "));
    };
    works(&with_cache);
    let kept = files(&scratch.0);
    let [file] = &kept[..] else { panic!("one file, not {kept:?}") };
    assert_eq!(fs::metadata(file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let made = fs::metadata(file).expect("it is there").modified().expect("Linux knows");

    let began = Instant::now();
    works(&with_cache);
    println!("start with a compiled component: {:?}", began.elapsed());
    assert_eq!(fs::metadata(file).expect("kept").modified().expect("Linux knows"), made);

    // A file that is none of ours costs only compiling, and is replaced.
    fs::write(file, b"rubbish").expect("it is ours");
    works(&with_cache);
    assert!(fs::metadata(file).expect("replaced").len() > 100_000);

    // A directory that others can write to is not used at all.
    fs::remove_file(file).expect("it is ours");
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o777)).expect("it is ours");
    works(&with_cache);
    assert!(files(&scratch.0).is_empty());
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("it is there");
    entries.map(|entry| entry.expect("readable").path()).collect()
}

#[test]
fn a_message_with_much_structure_stays_within_the_memory_of_a_session() {
    let engine = Engine::new(&settings(4)).expect("it starts");
    let header = |field: &str, piece: &str| {
        format!("{field}: {}\r\n", piece.repeat((16_000 - field.len()) / piece.len()))
    };
    let fill = |start: String| start + &"x".repeat(250_000) + "\r\n";
    let parts = format!("--b\r\n{}\r\n", header("Content-Type: a/b", ";a=b")).repeat(60);
    let bombs = [
        fill(header("To", "a@b,") + "\r\n"),
        fill(header("To", ",") + "\r\n"),
        fill(header("Content-Type: text/plain", ";a=b") + "\r\n"),
        fill(header("Content-Language", "a,") + "\r\n"),
        fill(format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", parts.repeat(4))),
        fill("Content-Type: message/rfc822\r\n\r\n".repeat(5_000)),
        "--b\r\n".repeat(40_000),
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned() + &"--b\r\n".repeat(40_000),
    ];
    let mut session = start(&engine);
    say(&mut session, b"EHLO crepes.fr\r\n");
    let mut small = 0;
    for bomb in bombs {
        let bomb = &bomb.as_bytes()[..bomb.len().min(INDEX_HERE_MAX)];
        small += u32::from(session.index(bomb).expect("it is within bounds").is_some());
        assert!(say(&mut session, b"RSET\r\n").0.starts_with(b"250 "));
    }
    assert!(small >= 4, "{small} of them are small");
    assert_eq!(session.index(&[b'x'; INDEX_HERE_MAX + 1]).expect("too large is no fault"), None);
}

#[test]
fn a_message_that_breaks_its_session_sends_later_ones_elsewhere() {
    let engine = crashing(4);
    let (mut bad, mut good) = (start(&engine), start(&engine));
    assert!(good.index(b"Subject: x\r\n\r\n").expect("a good message").is_some());
    let trap = bad.index(b"XCRASH PANIC").expect_err("it crashes");
    assert_eq!(trap.trap_kind(), TrapKind::Panic, "{trap}");
    assert!(bad.step(NOW, Input::Nothing).is_err(), "the session is gone with it");
    assert_eq!(good.index(b"Subject: x\r\n\r\n").expect("a good message"), None);
    engine.index(b"Subject: x\r\n\r\n", 14).expect("in an instance of its own");
}

#[test]
fn a_relay_call_that_breaks_its_sandbox_costs_only_itself() {
    let engine = crashing(1);
    let relay = engine.relay();
    assert_eq!(relay.destination(b"A.example.").expect("it is a good one"), b"a.example");
    for (verb, kind) in
        [(&b"XCRASH PANIC"[..], TrapKind::Panic), (b"XCRASH STACK", TrapKind::Stack)]
    {
        let trap = relay.destination(verb).expect_err("it crashes");
        assert_eq!(trap.trap_kind(), kind, "{trap}");
        assert!(trap.to_string().contains("naming a destination"), "{trap}");
        assert_eq!(relay.destination(b"A.example.").expect("it is a good one"), b"a.example");
    }
    // It takes no slot of a session's.
    assert_eq!(engine.slots_taken(), 0);
    let began = Instant::now();
    for _ in 0..1000 {
        relay.destination(b"A.example.").expect("it is a good one");
    }
    let each = began.elapsed() / 1000;
    println!("a relay call in the sandbox: {each:?}");
    // An instance for each would take some 50 microseconds at best, and far more beside other tests.
    assert!(each.as_millis() < 5, "{each:?}");
}

/// What each attempt at a delivery costs more than it would without a sandbox, and that calls do not wait for each other.
#[test]
fn an_attempt_is_settled_in_microseconds() {
    let attempted = || {
        let recipient = |n: u32| {
            let domain = b"hamburger.edu".to_vec();
            let forward_path = Mailbox { local_part: format!("bob{n}").into_bytes(), domain };
            Queued { recipient: RcptTo { forward_path, ..RcptTo::default() }, ..Queued::default() }
        };
        let words = vec![b"Message accepted for delivery".to_vec()];
        let fate = Fate::Accepted(Reply { code: 250, status: None, lines: words });
        let server = Some(b"mx.hamburger.edu".to_vec());
        let fared = Fared { fate, server, handover: Handover::Silent };
        Attempted {
            schedule: Schedule::default(),
            times: Times { came_unix_ms: 1, ..Times::default() },
            now_unix_ms: 1000,
            mail: MailFrom::default(),
            recipients: (0..2).map(recipient).collect(),
            fared: vec![fared; 2],
            seed: 1,
        }
    };
    let cost = |choice| {
        let settings = EngineSettings { slots: Some(1), ..EngineSettings::new(choice, None) };
        let engine = Arc::new(Engine::new(&settings).expect("it starts"));
        let first = engine.relay().settle(attempted()).expect("it is a good one");
        assert!(first.outcomes.iter().all(|outcome| *outcome == Outcome::Delivered));
        let began = Instant::now();
        for _ in 0..2000 {
            engine.relay().settle(attempted()).expect("it is a good one");
        }
        let each = began.elapsed() / 2000;
        let threads = (0..8).map(|_| {
            let engine = Arc::clone(&engine);
            let attempted = attempted();
            std::thread::spawn(move || {
                for _ in 0..200 {
                    let settled = engine.relay().settle(attempted.clone());
                    assert_eq!(settled.expect("it is a good one").outcomes.len(), 2);
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no call failed"));
        each
    };
    let (native, sandboxed) = (cost(EngineChoice::Native), cost(EngineChoice::Sandbox));
    println!("settling two recipients: {native:?} natively, {sandboxed:?} in the sandbox");
    assert!(sandboxed.as_millis() < 2, "{sandboxed:?}");
}
