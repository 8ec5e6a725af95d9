//! A session that is frozen and thawed at every moment at which it can be says the same as one that
//! is not.

mod imap_host;

use imap_host::*;
use pillarbox_engine::Session;
use pillarbox_engine::imap::types::*;
use pillarbox_engine::types::{Misuse, Now};

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
    let frozen = talk.session.freeze()?;
    talk.session = Session::thaw(config(), talk.now, &frozen).expect("what was frozen thaws");
    assert_eq!(talk.session.freeze(), Some(frozen.clone()));
    Some(frozen.len())
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
    let thaw = |octets: &[u8]| Session::thaw(config(), Now::default(), octets).err();
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
