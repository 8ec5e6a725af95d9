//! SORT and THREAD (RFC 5256, RFC 5957, RFC 5267) over a mailbox.

mod imap_host;

use imap_host::*;
use pillarbox_engine::imap::types::*;

fn host() -> Host {
    let mut host = Host::new();
    let day = |day: u32, zone: &str| format!("Date: {day} Mar 2026 10:00:00 {zone}\n");
    let messages = [
        format!(
            "Subject: ketchup\nFrom: Zoe <b@x.org>\nTo: m@x\nMessage-ID: <1@x>\n{}\none\n",
            day(5, "+0000")
        ),
        format!(
            "Subject: Re: Ketchup\nFrom: \"anna\" <c@x.org>\nTo: m@x\nMessage-ID: <2@x>\nReferences: <1@x>\n{}\nsecond one\n",
            day(6, "+0000")
        ),
        format!(
            "Subject: =?utf-8?q?=C3=84pfel?=\nFrom: <a@x.org>\nCc: q@x\nMessage-ID: <3@x>\n{}\nthe third of them\n",
            day(4, "+0000")
        ),
        format!(
            "Subject: [list] apfel (fwd)\nFrom: Bert <d@x.org>\nMessage-ID: <4@x>\nIn-Reply-To: <3@x> of monday\n{}\n4\n",
            day(7, "+0000")
        ),
        format!(
            "From: =?utf-8?q?=C3=84nne?= <e@x.org>\nMessage-ID: <5@x>\nReferences: old <2@x>\n <\"1\"@x> <2@x>\n{}\nfive\n",
            day(6, "-0300")
        ),
        "Subject: ketchup\nMessage-ID: <6@x>\n\nno date\n".to_owned(),
    ];
    for message in messages {
        host.put("INBOX", &message, 0);
    }
    let inbox = host.mailbox("INBOX");
    for (message, modseq) in inbox.messages.iter_mut().zip([10, 60, 30, 40, 50, 20]) {
        message.modseq = modseq;
        message.date_ms += modseq * 1000;
    }
    host
}

/// The same host: it keeps nothing of orders, all of them, or forgets them at every step of a command.
fn hosts() -> impl Iterator<Item = Host> {
    let forgetful = (0..4).map(|pages| Orders::kept(Some(pages)));
    let all = [Orders::Declined, Orders::kept(None)].into_iter().chain(forgetful);
    all.map(|orders| Host { orders, ..host() })
}

#[test]
fn messages_come_in_the_order_of_the_criteria() {
    hosts().for_each(|host| orders_are_right(&host));
}

fn orders_are_right(host: &Host) {
    let (text, _) = selected(
        host,
        &[
            c("a SORT (ARRIVAL) UTF-8 ALL"),
            c("b SORT (REVERSE ARRIVAL) US-ASCII 2:4"),
            c("c SORT (DATE) UTF-8 ALL"),
            c("d UID SORT (SUBJECT REVERSE DATE) UTF-8 ALL"),
            c("e SORT (FROM) UTF-8 ALL"),
            c("f SORT (DISPLAYFROM) UTF-8 ALL"),
            c("g SORT (TO REVERSE SIZE) UTF-8 ALL"),
            c("h SORT (CC) UTF-8 NOT SUBJECT ketchup"),
            c("i SORT (SUBJECT) UTF-8 TEXT \"not in mailbox\""),
            c("j SORT (SUBJECT) UTF-8 MODSEQ 30"),
            c("k SORT (SUBJECT) X-NO ALL"),
            c("l SORT SUBJECT UTF-8 ALL"),
        ],
    );
    same(
        &text,
        "* SORT 1 6 3 4 5 2\na OK Sorted\n* SORT 2 4 3\nb OK Sorted\n\
         * SORT 6 3 1 2 5 4\nc OK Sorted\n\
         * SORT 5 4 3 2 1 6\nd OK Sorted\n\
         * SORT 6 3 1 2 4 5\ne OK Sorted\n\
         * SORT 6 3 2 5 4 1\nf OK Sorted\n\
         * SORT 4 5 3 6 2 1\ng OK Sorted\n\
         * SORT 4 5 3\nh OK Sorted\n\
         * SORT\ni OK Sorted\n\
         * OK [HIGHESTMODSEQ 60] The highest mod-sequence to keep\n\
         * SORT 5 4 3 2 (MODSEQ 60)\nj OK Sorted\n\
         k NO [BADCHARSET (UTF-8 …)] This charset is not known\n\
         l BAD Expected ( and sort criteria at octet 7\n",
    );
}

#[test]
fn an_extended_sort_gives_what_is_asked_for() {
    hosts().for_each(|host| extended_sorts_are_right(&host));
}

fn extended_sorts_are_right(host: &Host) {
    let (text, _) = selected(
        host,
        &[
            c("a SORT RETURN () (DATE) UTF-8 ALL"),
            c("b UID SORT RETURN (MIN MAX COUNT) (REVERSE DATE) UTF-8 ALL"),
            c("c SORT RETURN (ALL COUNT) (SIZE) UTF-8 KEYWORD none"),
            c("d SORT RETURN (MIN SAVE) (SUBJECT) UTF-8 ALL"),
            c("e FETCH $ UID"),
            c("f SORT RETURN (MAX) (SUBJECT) UTF-8 MODSEQ 20"),
            c("g SORT RETURN (SAVE) (SUBJECT) UTF-8 1:2"),
            c("h SORT (REVERSE SUBJECT) UTF-8 $"),
            c("i SORT RETURN (PARTIAL 2:4 COUNT) (DATE) UTF-8 ALL"),
            c("j SORT RETURN (PARTIAL -1:-2) (DATE) UTF-8 ALL"),
            c("k SORT RETURN (PARTIAL 7:9 MIN) (DATE) UTF-8 ALL"),
        ],
    );
    same(
        &text,
        "* ESEARCH (TAG \"a\") ALL 6,3,1:2,5,4\na OK Sorted\n\
         * ESEARCH (TAG \"b\") UID MIN 4 MAX 6 COUNT 6\nb OK Sorted\n\
         * ESEARCH (TAG \"c\") COUNT 0\nc OK Sorted\n\
         * ESEARCH (TAG \"d\") MIN 5\nd OK Sorted\n* 5 FETCH (UID 5)\ne OK Fetched\n\
         * OK [HIGHESTMODSEQ 60] The highest mod-sequence to keep\n\
         * ESEARCH (TAG \"f\") MAX 6 MODSEQ 20\nf OK Sorted\n\
         g OK Sorted\n* SORT 1 2\nh OK Sorted\n\
         * ESEARCH (TAG \"i\") COUNT 6 PARTIAL (2:4 3,1:2)\ni OK Sorted\n\
         * ESEARCH (TAG \"j\") PARTIAL (-1:-2 5,4)\nj OK Sorted\n\
         * ESEARCH (TAG \"k\") MIN 6 PARTIAL (7:9 NIL)\nk OK Sorted\n",
    );
}

#[test]
fn an_order_of_more_than_a_page_is_told_whole() {
    const MESSAGES: u32 = 9_000;
    let mut host = Host { orders: Orders::kept(None), page: 1_000, ..Host::new() };
    for number in 0..MESSAGES {
        let subject = number * 7919 % MESSAGES;
        host.put("INBOX", &format!("Subject: {subject:05}\n\nx\n"), 0);
    }
    let (text, talk) =
        selected(&host, &[c("a SORT (SUBJECT) UTF-8 ALL"), c("b SORT (SUBJECT) UTF-8 1:8500")]);
    let mut expected: Vec<u32> = (0..MESSAGES).collect();
    expected.sort_by_key(|number| number * 7919 % MESSAGES);
    let line = |most: u32| {
        let told = expected.iter().filter(|number| **number < most);
        told.fold(String::from("* SORT"), |line, number| format!("{line} {}", number + 1))
    };
    let (all, some) = (line(MESSAGES), line(8500));
    assert_eq!(text, format!("{all}\r\na OK Sorted\r\n{some}\r\nb OK Sorted\r\n"));
    let Orders::Kept(kept, _) = &talk.host.orders else { panic!("they are kept") };
    assert_eq!(kept.values().map(|keys| keys.len()).sum::<usize>(), MESSAGES as usize);
    // What is forgotten between two pages is told again.
    let forgetful = Host { orders: Orders::kept(Some(2)), ..host };
    let (text, _) = selected(&forgetful, &[c("a SORT (SUBJECT) UTF-8 ALL")]);
    assert_eq!(text, format!("{all}\r\na OK Sorted\r\n"));
}

#[test]
fn threads_are_made_by_both_algorithms() {
    let (text, _) = selected(
        &host(),
        &[
            c("a THREAD ORDEREDSUBJECT UTF-8 ALL"),
            c("b THREAD REFERENCES UTF-8 ALL"),
            c("c UID THREAD REFERENCES US-ASCII 2:5"),
            c("d THREAD REFERENCES UTF-8 TEXT \"not in mailbox\""),
            c("e THREAD JWZ UTF-8 ALL"),
        ],
    );
    same(
        &text,
        "* THREAD (6 (1)(2))(3)(5)(4)\na OK Threaded\n\
         * THREAD ((6)(1 2 5))(3 4)\nb OK Threaded\n\
         * THREAD (3 4)(2 5)\nc OK Threaded\n* THREAD\nd OK Threaded\n\
         e BAD Expected ORDEREDSUBJECT or REFERENCES at octet 9\n",
    );
}

#[test]
fn messages_that_go_meanwhile_are_missed_and_that_is_said() {
    hosts().for_each(|host| what_went_is_missed(&host));
}

fn what_went_is_missed(host: &Host) {
    let (text, _) = selected(
        host,
        &[
            Step::Host(|host| host.mailbox("INBOX").messages.retain(|m| m.uid != 2)),
            c("a SORT (DATE) UTF-8 ALL"),
            c("b UID THREAD REFERENCES UTF-8 ALL"),
        ],
    );
    same(
        &text,
        "* SORT 6 3 1 5 4\na OK [EXPUNGEISSUED] Sorted\n* THREAD ((6)(1)(5))(3 4)\nb OK Threaded\n",
    );
}

#[test]
fn what_is_left_out_is_not_understood() {
    let without = [&b"SORT"[..], b"THREAD=REFERENCES"].map(<[u8]>::to_vec).to_vec();
    let config = Config { without, ..config() };
    let steps = [
        c("L LOGIN ann s3cret"),
        c("S SELECT INBOX"),
        c("a SORT (DATE) UTF-8 ALL"),
        c("b SORT RETURN () (DISPLAYTO) UTF-8 ALL"),
        c("c THREAD REFERENCES UTF-8 ALL"),
        c("d THREAD ORDEREDSUBJECT UTF-8 1"),
    ];
    let (text, _) = run(&config, &host(), &steps);
    assert!(!text.contains("SORT") && !text.contains("REFERENCES"), "{text}");
    assert_eq!(text.matches("BAD This is not offered here").count(), 3, "{text}");
    assert!(text.ends_with("* THREAD (1)\r\nd OK Threaded\r\n"), "{text}");
}

/// A client that does what ADDTO and REMOVEFROM say (RFC 5267 §4.3.3, §4.3.4).
fn follow(known: &mut Vec<u32>, said: &str, tag: &str) {
    let head = format!("* ESEARCH (TAG \"{tag}\") UID ");
    for line in said.lines().filter_map(|line| line.strip_prefix(&head)) {
        let (word, rest) = line.split_once(" (").expect("places");
        let words: Vec<&str> = rest.trim_end_matches(')').split(' ').collect();
        for pair in words.chunks(2) {
            let mut at = pair[0].parse::<usize>().expect("a place") - 1;
            for uid in uids(pair[1]) {
                if word == "ADDTO" {
                    known.insert(at, uid);
                    at += 1;
                } else {
                    assert_eq!((word, known.remove(at)), ("REMOVEFROM", uid), "{line}");
                }
            }
        }
    }
}

/// The numbers of a set, as they come.
fn uids(set: &str) -> Vec<u32> {
    let ranges = set.split(',').map(|range| range.split_once(':').unwrap_or((range, range)));
    let number = |text: &str| text.parse::<u32>().expect("a number");
    ranges.flat_map(|(first, last)| number(first)..=number(last)).collect()
}

fn sorted(talk: &mut Talk, order: &str) -> Vec<u32> {
    let said = say(talk, &format!("z UID SORT ({order}) UTF-8 UNFLAGGED"));
    let line = said.lines().find_map(|line| line.strip_prefix("* SORT")).expect("SORT");
    line.split_whitespace().map(|uid| uid.parse().expect("a UID")).collect()
}

fn say(talk: &mut Talk, line: &str) -> String {
    let told = talk.sent.len();
    talk.step(&c(line), usize::MAX);
    String::from_utf8_lossy(&talk.sent[told..]).into_owned()
}

/// RFC 5267 §4.3: whatever happens, a client that follows has what a new SORT gives.
#[test]
fn sorted_results_are_kept_up_to_date() {
    for order in ["SUBJECT REVERSE DATE", "REVERSE SIZE", "FROM", "REVERSE ARRIVAL"] {
        for page in [1, 2, 100] {
            let host = Host { page, ..host() };
            let (_, mut talk) = selected(&host, &[]);
            let said = say(
                &mut talk,
                &format!("u UID SORT RETURN (UPDATE ALL) ({order}) UTF-8 UNFLAGGED"),
            );
            assert!(!said.contains("NOUPDATE"), "{said}");
            let (_, all) = said.split_once(" ALL ").expect("ALL");
            let mut known = uids(all.lines().next().expect("a line"));
            assert_eq!(known, sorted(&mut talk, order));
            for command in [
                "a UID STORE 2,5 +FLAGS.SILENT (\\Flagged)",
                "b UID STORE 1,3:6 +FLAGS.SILENT (\\Flagged)",
                "c UID STORE 1:3 -FLAGS.SILENT (\\Flagged)",
                "d UID STORE 1:* -FLAGS.SILENT (\\Flagged)",
                "e UID STORE 3,4 +FLAGS.SILENT (\\Deleted)",
                "f EXPUNGE",
                "g UID STORE 1:* +FLAGS.SILENT (\\Flagged)",
                "h UID STORE 5,1 -FLAGS.SILENT (\\Flagged)",
                "i UID STORE 1:* -FLAGS.SILENT (\\Flagged)",
            ] {
                let said = say(&mut talk, command);
                assert!(said.contains(" OK "), "{said}");
                follow(&mut known, &said, "u");
                assert_eq!(known, sorted(&mut talk, order), "{order}, {command}: {said}");
            }
            assert_eq!(known.len(), 4);
            let said = say(&mut talk, "j CANCELUPDATE \"u\"");
            assert!(said.starts_with("j OK"), "{said}");
            let said = say(&mut talk, "k UID STORE 1:* +FLAGS.SILENT (\\Flagged)");
            assert!(!said.contains("ESEARCH"), "{said}");
        }
    }
}

/// RFC 5267 §4.3.1: an order that is too large, or depends on what else is there, is told once and not kept.
#[test]
fn too_large_orders_are_not_kept_up_to_date() {
    let mut host = Host::new();
    for _ in 0..4001 {
        host.put("INBOX", "Subject: x\n\n", 0);
    }
    let (_, mut talk) = selected(&host, &[]);
    let said = say(&mut talk, "a UID SORT RETURN (UPDATE COUNT) (SUBJECT) UTF-8 ALL");
    assert!(said.contains("NOUPDATE \"a\"") && said.contains(" COUNT 4001\r\n"), "{said}");
    let said = say(&mut talk, "b UID SORT RETURN (UPDATE COUNT) (SUBJECT) UTF-8 1:4000");
    assert!(!said.contains("NOUPDATE") && said.contains(" COUNT 4000\r\n"), "{said}");
    let said = say(&mut talk, "c UID SORT RETURN (UPDATE COUNT) (SUBJECT) UTF-8 1:4000");
    assert!(said.contains("NOUPDATE \"c\""), "the octets of one session: {said}");
    let said = say(&mut talk, "b UID SORT RETURN (UPDATE COUNT) (SUBJECT) UTF-8 1");
    assert!(said.starts_with("b BAD This tag is in use"), "{said}");
}
