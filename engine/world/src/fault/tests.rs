//! Which faults strike when: counts, chances, rates, times, and what several make together.

use pillarbox_engine::smtp::{Answer, Ask, MailFrom, Mailbox, Phase, RcptTo, Server};
use pillarbox_engine::types::Instead;

use super::*;

const NINE_MS: u64 = 9 * 3_600_000;

fn faults(seed: u64, rules: &[&str]) -> Faults {
    let mut faults = Faults::new(seed);
    for rule in rules {
        let rule = rule.parse().unwrap_or_else(|problem| panic!("{rule}: {problem}"));
        faults.add(rule, "test").expect("there is room");
    }
    faults
}

fn peer() -> Peer {
    Peer { service: "smtp", node: "hamburger.edu".to_owned(), wire: 3, ..Peer::default() }
}

fn at(faults: &mut Faults, stage: Stage<'_>, now_ms: u64) -> Option<Decision> {
    let (peer, recipients) = (peer(), [b"bob@hamburger.edu".to_vec()]);
    let (monotonic_ms, unix_ms) = (now_ms, NINE_MS + now_ms);
    let sender = Some(&b"alice@crepes.fr"[..]);
    faults.decide(&Moment {
        peer: &peer,
        stage,
        sender,
        recipients: &recipients,
        monotonic_ms,
        unix_ms,
    })
}

fn strikes(faults: &mut Faults, stage: Stage<'_>) -> bool {
    at(faults, stage, 0).is_some()
}

const MAIL: Stage<'static> = Stage::Verb(b"MAIL");
const RCPT: Stage<'static> = Stage::Verb(b"RCPT");

#[test]
fn every_moment_has_its_name_and_no_other() {
    let stages = [
        ("after=connect", Stage::Connect),
        ("verb=MAIL", MAIL),
        ("verb=RCPT", RCPT),
        ("after=login", Stage::Login),
        ("octet=11", Stage::Text(10, 20)),
        ("after=end-of-data", Stage::EndOfData),
        ("after=commit", Stage::Commit),
        ("after=reply-code", Stage::Label("reply code")),
        ("after=tag", Stage::Label("tag")),
    ];
    for (name, _) in stages {
        for (other, stage) in stages {
            let mut faults = faults(0, &[&format!("any/{name}/drop")]);
            assert_eq!(strikes(&mut faults, stage), name == other, "{name} at {other}");
        }
    }
    let mut any = faults(0, &["any/verb=any/delay=1s"]);
    assert!(
        strikes(&mut any, MAIL) && strikes(&mut any, RCPT) && !strikes(&mut any, Stage::Connect)
    );
    let mut octet = faults(0, &["any/octet=20/drop"]);
    assert!(!strikes(&mut octet, Stage::Text(0, 19)) && strikes(&mut octet, Stage::Text(19, 20)));
    assert!(!strikes(&mut octet, Stage::Text(20, 30)));
}

#[test]
fn places_are_told_apart() {
    for (place, there) in [
        ("any", true),
        ("smtp", true),
        ("lmtp", false),
        ("node:HAMBURGER.edu", true),
        ("node:crepes.fr", false),
        ("wire:3", true),
        ("wire:4", false),
        ("link:crepes.fr~hamburger.edu", false),
    ] {
        let mut faults = faults(0, &[&format!("{place}/always/drop")]);
        assert_eq!(strikes(&mut faults, Stage::Connect), there, "{place}");
    }
    let mut linked = faults(0, &["link:hamburger.edu~crepes.fr/always/drop"]);
    let link = Some(("crepes.fr".to_owned(), "hamburger.edu".to_owned()));
    let peer = Peer { link, ..peer() };
    let moment = Moment {
        peer: &peer,
        stage: Stage::Connect,
        sender: None,
        recipients: &[],
        monotonic_ms: 0,
        unix_ms: 0,
    };
    assert!(linked.decide(&moment).is_some());
}

#[test]
fn counts_are_of_what_matches() {
    let mut faults = faults(0, &["any/verb=RCPT,to=bob@*,nth=2..3/reply=451 4.7.1 later"]);
    let hits: Vec<bool> = (0..5).map(|_| strikes(&mut faults, RCPT)).collect();
    assert_eq!(hits, [false, true, true, false, false]);
    assert!(!strikes(&mut faults, MAIL));
    let listed = &faults.list()[0];
    assert_eq!((listed.matches, listed.hits), (5, 2));
}

#[test]
fn chances_are_the_same_for_the_same_seed() {
    let run = |seed| -> Vec<bool> {
        let mut faults = faults(seed, &["any/verb=MAIL,p=0.25/drop", "any/verb=RCPT,p=0.25/drop"]);
        (0..4000).map(|at| strikes(&mut faults, if at % 2 == 0 { MAIL } else { RCPT })).collect()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    let hits = run(7).into_iter().filter(|hit| *hit).count();
    assert!((850..1150).contains(&hits), "{hits} of 4,000 at a quarter");
    // Another rule's matches between them change nothing.
    let mut alone = faults(7, &["any/verb=MAIL,p=0.25/drop"]);
    let alone: Vec<bool> = (0..2000).map(|_| strikes(&mut alone, MAIL)).collect();
    assert_eq!(run(7).into_iter().step_by(2).collect::<Vec<_>>(), alone);
    let mut never = faults(7, &["any/verb=MAIL,p=0/drop"]);
    assert!((0..100).all(|_| !strikes(&mut never, MAIL)));
    let mut always = faults(7, &["any/verb=MAIL,p=1/drop"]);
    assert!((0..100).all(|_| strikes(&mut always, MAIL)));
}

#[test]
fn a_rate_lets_through_again_who_waits() {
    let mut faults = faults(0, &["any/verb=MAIL,over=2per1m/reply=421 4.7.0 slow down"]);
    let mut hit = |ms| at(&mut faults, MAIL, ms).is_some();
    assert_eq!([hit(0), hit(10_000), hit(20_000), hit(59_999)], [false, false, true, true]);
    assert_eq!([hit(60_000), hit(60_001), hit(70_000)], [false, true, false]);
}

#[test]
fn times_of_day_may_span_midnight() {
    for (clauses, there) in [
        ("until=09:50", true),
        ("until=09:00", false),
        ("from=09:00", true),
        ("from=09:01", false),
        ("from=08:00,until=10:00", true),
        ("from=22:00,until=06:00", false),
        ("from=22:00,until=09:01", true),
        ("from=08:59,until=08:00", true),
    ] {
        let mut faults = faults(0, &[&format!("any/{clauses}/drop")]);
        assert_eq!(strikes(&mut faults, Stage::Connect), there, "{clauses}");
    }
}

#[test]
fn several_rules_add_up_until_one_ends_it() {
    let rules = [
        "any/verb=RCPT/delay=1s",
        "any/verb=RCPT/delay=2s",
        "any/verb=RCPT/rate=100",
        "any/verb=RCPT/rate=50",
        "any/verb=RCPT/chunk=7",
        "any/verb=RCPT/corrupt=3",
        "any/verb=RCPT/lf-only",
        "any/verb=RCPT/reply=421 4.3.2 gone",
        "any/verb=RCPT/drop",
    ];
    let mut faults = faults(0, &rules);
    let decision = at(&mut faults, RCPT, 0).expect("they strike");
    assert_eq!(decision.strikes.len(), 8);
    assert_eq!((decision.delay_ms, decision.octets_per_s), (3000, Some(50)));
    assert_eq!((decision.piece_octets, &decision.corrupt[..]), (Some(7), &[3][..]));
    assert!(decision.lf_only);
    let instead = Instead { code: 421, text: b"4.3.2 gone".to_vec(), close: true };
    assert_eq!(decision.verdict, Verdict::Instead(instead));
    assert_eq!(faults.list()[8].matches, 0, "nobody came so far");
}

#[test]
fn a_greylist_puts_off_each_stranger_once() {
    let mut faults = faults(0, &["any/always/greylist=5m"]);
    let mut hit = |ms| at(&mut faults, RCPT, ms).is_some();
    assert_eq!([hit(0), hit(1000), hit(299_999)], [true, true, true]);
    assert_eq!([hit(300_000), hit(300_001), hit(90_000_000)], [false, false, false]);
    // It forgets the oldest of many.
    let peer = peer();
    for number in 0..5000 {
        let to = [format!("user{number}@hamburger.edu").into_bytes()];
        let moment = Moment {
            peer: &peer,
            stage: RCPT,
            sender: None,
            recipients: &to,
            monotonic_ms: 300_002,
            unix_ms: 0,
        };
        assert!(faults.decide(&moment).is_some());
    }
    assert!(at(&mut faults, RCPT, 300_003).is_some());
}

#[test]
fn lists_are_kept_by_number_and_owner() {
    let mut faults = faults(9, &["any/always/drop", "any/verb=MAIL/drop"]);
    assert_eq!(faults.add("any/verb=QUIT/drop".parse().expect("a rule"), "other"), Some(3));
    assert!(faults.remove(2) && !faults.remove(2));
    faults.remove_of("other");
    assert_eq!(faults.list().iter().map(|listed| listed.number).collect::<Vec<_>>(), [1]);
    assert_eq!(faults.add("any/verb=QUIT/drop".parse().expect("a rule"), "test"), Some(4));
    faults.clear(5);
    assert!(faults.is_empty() && faults.seed() == 5);
    for _ in 0..RULES_MAX {
        faults.add("any/always/drop".parse().expect("a rule"), "test").expect("there is room");
    }
    assert_eq!(faults.add("any/always/drop".parse().expect("a rule"), "test"), None);
}

fn mailbox(local_part: &str, domain: &str) -> Mailbox {
    Mailbox { local_part: local_part.into(), domain: domain.into() }
}

#[test]
fn a_watch_knows_the_transaction() {
    let rules = [
        "any/verb=MAIL,sender=eve@*/reply=550 5.7.1 not you",
        "any/verb=DATA,to=bob@*/reply=451 4.3.0 later",
        "any/verb=EHLO/hide=SIZE",
        "any/after=end-of-data,sender=<>/drop",
    ];
    let mut faults = faults(0, &rules);
    let mut watch = Watch::<Server>::new(peer());
    let mut meet = |watch: &mut Watch<Server>, ask: &Ask| watch.meet(&mut faults, ask, 0, 0);
    let mail = |path: Option<Mailbox>| MailFrom { reverse_path: path, ..MailFrom::default() };
    let rcpt =
        |to: &str| RcptTo { forward_path: mailbox(to, "hamburger.edu"), ..RcptTo::default() };

    let (_, answer) = meet(&mut watch, &Ask::Phase(Phase::Hello(b"x".to_vec()))).expect("hidden");
    assert_eq!(answer, Some(Answer::Hiding(vec![b"SIZE".to_vec()])));
    let eve = mail(Some(mailbox("eve", "crepes.fr")));
    let (_, answer) = meet(&mut watch, &Ask::Phase(Phase::Mail(eve))).expect("refused");
    assert!(matches!(answer, Some(Answer::Instead(Instead { code: 550, .. }))), "{answer:?}");

    assert!(meet(&mut watch, &Ask::Phase(Phase::Mail(mail(None)))).is_none());
    assert!(meet(&mut watch, &Ask::Sender(mail(None))).is_none());
    watch.answered(&Answer::Done);
    for (to, accepted) in [("bob", false), ("carol", true)] {
        assert!(meet(&mut watch, &Ask::Phase(Phase::Rcpt(rcpt(to)))).is_none());
        watch.answered(&Answer::Done);
        assert!(meet(&mut watch, &Ask::Recipient(rcpt(to))).is_none());
        let refused =
            pillarbox_engine::types::Refusal::new(pillarbox_engine::types::Reason::NotFound);
        watch.answered(&if accepted { Answer::Done } else { Answer::Refused(refused) });
    }
    assert!(meet(&mut watch, &Ask::Phase(Phase::Data)).is_none(), "bob was refused");
    let (decision, answer) =
        meet(&mut watch, &Ask::Phase(Phase::EndOfData)).expect("the null path");
    assert_eq!((decision.verdict, answer), (Verdict::Drop, None));

    // A new transaction knows nothing of the last.
    meet(&mut watch, &Ask::Sender(mail(Some(mailbox("alice", "crepes.fr")))));
    meet(&mut watch, &Ask::Recipient(rcpt("bob")));
    watch.answered(&Answer::Done);
    assert!(meet(&mut watch, &Ask::Phase(Phase::Data)).is_some());
    assert!(meet(&mut watch, &Ask::Phase(Phase::EndOfData)).is_none());
}
