//! A session that is frozen and thawed at every moment at which it can be says the same as one that
//! is not.

mod imap_host;
mod seeded;

use imap_host::*;
use pillarbox_engine::imap::Server;
use pillarbox_engine::imap::types::*;
use pillarbox_engine::types::{Misuse, Now};
use pillarbox_engine::{Output, Session};
use seeded::Seeded;

fn host() -> Host {
    let mut host = Host::new();
    for number in 0..20 {
        host.put("INBOX", &format!("Subject: {number}\n\n{number}\n"), number % 16);
    }
    host.mailbox("INBOX").messages.retain(|message| message.uid % 7 != 0);
    host.mailbox("Other");
    host
}

fn steps() -> Vec<Step> {
    let run = |first, last| vec![UidRun { first, last }];
    let flags = FlagRow { uid: 3, flags: Flags { system: 16, keywords: vec![] }, modseq: 9 };
    let call = |changes| Step::Call(Call::Changed(changes));
    vec![
        c("a LOGIN ann s3cret"),
        c("b ENABLE IMAP4rev2"),
        c("c SELECT INBOX"),
        c("d SEARCH RETURN (SAVE) SEEN"),
        call(vec![went(run(2, 2))]),
        c("e FETCH 2:3 UID"),
        call(vec![Change::Arrived(Arrived { runs: run(21, 22), recent: true })]),
        c("f IDLE"),
        call(vec![went(run(5, 6)), Change::Flags(vec![flags])]),
        Step::Wait(1000),
        c("DONE"),
        c("g FETCH $ (UID FLAGS)"),
        c("h STORE 1 +FLAGS ($Word)"),
        c("i LOGOUT"),
    ]
}

fn freeze(talk: &mut Talk) -> Option<usize> {
    let Output::Wait { deadline_ms } = talk.session.poll() else { return None };
    talk.freeze(deadline_ms)
}

#[test]
fn what_is_frozen_goes_on_where_it_stopped() {
    let (text, _) = run(&config(), &host(), &steps());
    for piece in [1, usize::MAX] {
        let mut talk = Talk::new(config(), host());
        let mut frozen = 0;
        for step in steps() {
            talk.step(&step, piece);
            frozen += usize::from(freeze(&mut talk).is_some_and(|length| length < 200));
        }
        assert_eq!(String::from_utf8_lossy(&talk.sent), text);
        assert_eq!(frozen, steps().len() - 1, "all but the end");
        assert!(talk.closed);
    }
}

#[test]
fn uidonly_is_not_forgotten() {
    let mut talk = Talk::new(config(), host());
    for step in [c("a LOGIN ann s3cret"), c("b ENABLE UIDONLY"), c("c SELECT INBOX"), c("d IDLE")] {
        talk.step(&step, usize::MAX);
        assert!(freeze(&mut talk).is_some());
    }
    talk.step(&Step::Call(Call::Changed(vec![went(vec![UidRun { first: 2, last: 2 }])])), 1);
    assert!(freeze(&mut talk).is_some());
    talk.step(&c("DONE"), usize::MAX);
    talk.step(&c("e FETCH 1 UID"), usize::MAX);
    let text = String::from_utf8_lossy(&talk.sent);
    assert!(text.contains("* VANISHED 2\r\n") && text.contains("e BAD [UIDREQUIRED] "), "{text}");
}

#[test]
fn a_deadline_and_half_a_command_are_not_lost() {
    let mut talk = Talk::new(config(), host());
    assert!(freeze(&mut talk).is_some());
    talk.receive(b"a LOGIN ann", 100);
    assert_eq!(freeze(&mut talk), None);
    talk.receive(b" s3cret\r\n", 100);
    assert!(freeze(&mut talk).is_some());
    talk.step(&Step::Wait(1_799_999), 1);
    assert!(!talk.closed);
    talk.step(&Step::Wait(1), 1);
    assert!(talk.closed);
    assert_eq!(talk.session.freeze(), None);
}

#[test]
fn octets_that_are_no_frozen_session_are_refused() {
    let mut talk = Talk::new(config(), host());
    for step in &steps()[..8] {
        talk.step(step, 100);
    }
    let frozen = talk.session.freeze().expect("it idles");
    let thaw = |octets: &[u8]| Session::<Server>::thaw(config(), Now::default(), octets).err();
    assert_eq!(thaw(&frozen), None);
    for at in 0..frozen.len() {
        for bit in 0..8 {
            let mut octets = frozen.clone();
            octets[at] ^= 1 << bit;
            assert_eq!(thaw(&octets), Some(Misuse::BadValue));
        }
        assert_eq!(thaw(&frozen[..at]), Some(Misuse::BadValue));
    }
}

#[test]
fn a_mailbox_with_too_many_gaps_stays_awake() {
    let mut host = Host::new();
    for _ in 0..9000 {
        host.put("INBOX", "\n", 0);
    }
    host.mailbox("INBOX").messages.retain(|message| message.uid % 2 == 0);
    let (_, talk) = selected(&host, &[]);
    assert_eq!(talk.session.freeze(), None);
}

/// What a client may say in the middle of anything, and what others do meanwhile.
fn anything(random: &mut Seeded, at: usize) -> Step {
    const COMMANDS: &[&str] = &[
        "NOOP",
        "CHECK",
        "SELECT INBOX",
        "EXAMINE Other",
        "SELECT Other",
        "UNSELECT",
        "CLOSE",
        "IDLE",
        "DONE",
        "EXPUNGE",
        "FETCH 1:* (UID FLAGS)",
        "UID FETCH 3:9 (FLAGS MODSEQ)",
        "FETCH $ UID",
        "STORE 1:2 +FLAGS (\\Deleted)",
        "UID STORE 5 FLAGS.SILENT ($New)",
        "SEARCH RETURN (SAVE) SEEN",
        "SEARCH RETURN (ALL UPDATE) UNSEEN",
        "CANCELUPDATE \"x\"",
        "ENABLE CONDSTORE",
        "ENABLE QRESYNC",
        "ENABLE IMAP4rev2 UTF8=ACCEPT",
        "SELECT INBOX (QRESYNC (7 1))",
        "COPY 1:2 Other",
        "MOVE 1 Other",
        "NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))",
        "NOTIFY NONE",
        "UNAUTHENTICATE",
        "LOGIN ann s3cret",
        "STATUS Other (MESSAGES)",
        "COMPRESS DEFLATE",
        "NONSENSE",
        "APPEND INBOX {6+}\r\nx: y\r\n",
    ];
    let run = |uid: u32| vec![UidRun { first: uid, last: uid }];
    let uid = 1 + random.below(22) as u32;
    let change = match random.below(12) {
        0 => went(run(uid)),
        1 => Change::Arrived(Arrived { runs: run(uid + 20), recent: uid.is_multiple_of(2) }),
        2 => {
            let flags = Flags { system: uid as u8 & 31, keywords: vec![b"$Old".to_vec()] };
            Change::Flags(vec![FlagRow { uid, flags, modseq: 10 + at as u64 }])
        }
        3 => Change::Resynchronise,
        4 => return Step::Wait(random.below(60_000) as u64),
        _ => return c(&format!("t{at} {}", random.pick(COMMANDS))),
    };
    Step::Call(Call::Changed(vec![change]))
}

/// Whatever was said and happened before: what follows is the same for a session that was frozen.
#[test]
fn whatever_is_said_it_makes_no_difference() {
    let mut frozen = 0;
    for seed in 1..=400 {
        let mut random = Seeded(seed * 0x9e37_79b9);
        let mut steps = vec![c("a LOGIN ann s3cret"), c("b SELECT INBOX")];
        steps.extend((0..40).map(|at| anything(&mut random, at)));
        let mut awake = Talk::new(config(), host());
        let mut asleep = Talk::new(config(), host());
        asleep.freezes = true;
        for (at, step) in steps.iter().enumerate() {
            awake.step(step, usize::MAX);
            // Half a command is waited for awake, and frozen no more than any other.
            asleep.step(step, 1 + random.below(40));
            let text = |talk: &Talk| String::from_utf8_lossy(&talk.sent).into_owned();
            assert_eq!(text(&asleep), text(&awake), "seed {seed}, step {at}");
            assert_eq!(asleep.closed, awake.closed, "seed {seed}, step {at}");
            if awake.closed {
                break;
            }
        }
        assert_eq!(asleep.host.events, awake.host.events, "seed {seed}");
        frozen += asleep.frozen;
    }
    assert!(frozen > 2000, "only {frozen} times");
}

/// What of a session's state is too long to keep holds it awake rather than being lost.
#[test]
fn what_cannot_be_frozen_stays_awake() {
    for command in [
        "d NOTIFY SET (SELECTED (MessageNew MessageExpunge))",
        "d SEARCH RETURN (ALL UPDATE) SEEN",
        "d FETCH 1 {3",
    ] {
        let mut talk = Talk::new(config(), host());
        [c("a LOGIN ann s3cret"), c("b SELECT INBOX")].iter().for_each(|step| talk.step(step, 99));
        assert!(freeze(&mut talk).is_some());
        talk.receive(command.as_bytes(), 99);
        talk.receive(if command.ends_with('3') { b"" } else { b"\r\n" }, 99);
        assert_eq!(freeze(&mut talk), None, "{command}");
    }
}
