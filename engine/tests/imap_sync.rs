//! IMAP with mod-sequences: CONDSTORE and QRESYNC (RFC 7162), and what each client is told of them.

mod imap_host;

use imap_host::*;
use pillarbox_engine::imap::types::*;

fn host() -> Host {
    let mut host = Host::new();
    for number in 1..=8u32 {
        host.put("INBOX", &format!("Subject: {number}\n\n{number}\n"), 8);
    }
    let inbox = host.mailbox("INBOX");
    for (message, modseq) in inbox.messages.iter_mut().zip([10, 20, 30, 40, 50, 60, 70, 80]) {
        message.modseq = modseq;
    }
    // 3 and 6 went, at 90 and 95.
    inbox.messages.retain(|message| message.uid != 3 && message.uid != 6);
    inbox.expunged = vec![(90, 3), (95, 6)];
    host.modseq = 100;
    host
}

fn flags(uid: u32, system: u8, modseq: u64) -> Change {
    Change::Flags(vec![FlagRow { uid, flags: Flags { system, keywords: vec![] }, modseq }])
}

fn expunged(uid: u32, modseq: u64) -> Change {
    Change::Expunged(Expunged { runs: vec![UidRun { first: uid, last: uid }], modseq })
}

fn changed(changes: Vec<Change>) -> Step {
    Step::Call(Call::Changed(changes))
}

#[test]
fn the_first_use_tells_the_highest_and_everything_after_carries_modseqs() {
    let (text, _) = selected(
        &host(),
        &[
            c("a FETCH 1 FLAGS"),
            changed(vec![flags(1, 1, 101)]),
            c("b NOOP"),
            c("c FETCH 2 (MODSEQ)"),
            c("d STORE 1 +FLAGS (\\Flagged)"),
            c("e STORE 1 +FLAGS.SILENT (\\Draft)"),
            changed(vec![flags(1, 1, 120)]),
            c("f NOOP"),
            c("g STATUS INBOX (HIGHESTMODSEQ MESSAGES)"),
        ],
    );
    same(
        &text,
        "* 1 FETCH (FLAGS (\\Seen))\na OK Fetched\n\
         * 1 FETCH (UID 1 FLAGS (\\Answered))\nb OK Done\n\
         * OK [HIGHESTMODSEQ 101] The highest mod-sequence to keep\n\
         * 2 FETCH (MODSEQ (20))\nc OK Fetched\n\
         * 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen) MODSEQ (100))\nd OK Stored\n\
         * 1 FETCH (UID 1 MODSEQ (100))\ne OK Stored\n\
         * 1 FETCH (UID 1 FLAGS (\\Answered) MODSEQ (120))\nf OK Done\n\
         * STATUS INBOX (HIGHESTMODSEQ 100 MESSAGES 6)\ng OK Status told\n",
    );
}

#[test]
fn unchangedsince_leaves_alone_what_was_changed_and_tells_it() {
    let (text, _) = selected(
        &host(),
        &[
            c("a STORE 1:3,6 (UNCHANGEDSINCE 20) +FLAGS.SILENT (\\Deleted)"),
            c("b UID STORE 1:5 (UNCHANGEDSINCE 40) FLAGS (\\Draft)"),
            c("c STORE 4 (UNCHANGEDSINCE 0) +FLAGS (\\Draft)"),
            c("d UID STORE 99 (UNCHANGEDSINCE 5) +FLAGS (\\Draft)"),
        ],
    );
    same(
        &text,
        "* OK [HIGHESTMODSEQ 95] The highest mod-sequence to keep\n\
         * 1 FETCH (UID 1 MODSEQ (100))\n* 2 FETCH (UID 2 MODSEQ (100))\n\
         * 3 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (40))\n* 6 FETCH (UID 8 FLAGS (\\Seen \\Recent) MODSEQ (80))\n\
         a OK [MODIFIED 3,6] Not all of them: some were changed\n\
         * 3 FETCH (UID 4 FLAGS (\\Draft) MODSEQ (100))\n\
         * 1 FETCH (UID 1 FLAGS (\\Deleted \\Seen) MODSEQ (100))\n\
         * 2 FETCH (UID 2 FLAGS (\\Deleted \\Seen) MODSEQ (100))\n\
         * 4 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (50))\n\
         b OK [MODIFIED 1:2,5] Not all of them: some were changed\n\
         * 4 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (50))\n\
         c OK [MODIFIED 4] Not all of them: some were changed\n\
         d OK Stored\n",
    );
}

#[test]
fn messages_that_are_gone_make_a_conditional_store_fail_with_both_words() {
    let (text, _) = selected(
        &host(),
        &[
            Step::Host(|host| host.mailbox("INBOX").messages.retain(|m| m.uid != 1)),
            c("a STORE 1:3 (UNCHANGEDSINCE 20) +FLAGS (\\Draft)"),
        ],
    );
    same(
        &text,
        "* OK [HIGHESTMODSEQ 95] The highest mod-sequence to keep\n\
         * 2 FETCH (UID 2 FLAGS (\\Seen \\Draft) MODSEQ (100))\n\
         * 3 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (40))\n\
         a NO [MODIFIED 3] Some messages are gone\n",
    );
}

#[test]
fn fetch_of_what_changed() {
    let (text, _) = selected(
        &host(),
        &[
            c("a FETCH 1:* UID (CHANGEDSINCE 50)"),
            c("b UID FETCH 1:5 (MODSEQ FLAGS) (CHANGEDSINCE 30)"),
            c("c FETCH 1:2 FLAGS (CHANGEDSINCE 9999)"),
            c("d UID FETCH 1:* FLAGS (CHANGEDSINCE 50 VANISHED)"),
            c("e FETCH 1 BODY.PEEK[TEXT] (CHANGEDSINCE 5)"),
        ],
    );
    same(
        &text,
        "* OK [HIGHESTMODSEQ 95] The highest mod-sequence to keep\n\
         * 5 FETCH (UID 7 MODSEQ (70))\n* 6 FETCH (UID 8 MODSEQ (80))\na OK Fetched\n\
         * 3 FETCH (UID 4 MODSEQ (40) FLAGS (\\Seen))\n* 4 FETCH (UID 5 MODSEQ (50) FLAGS (\\Seen))\nb OK Fetched\n\
         c OK Fetched\nd BAD ENABLE QRESYNC comes first\n\
         * 1 FETCH (BODY[TEXT] {3}\n1\n MODSEQ (10))\ne OK Fetched\n",
    );
}

#[test]
fn reading_that_sets_seen_tells_uid_and_modseq() {
    let mut host = host();
    host.mailbox("INBOX").messages[0].flags.system = 0;
    let (text, _) = selected(&host, &[c("a FETCH 1 MODSEQ"), c("b FETCH 1:2 BODY[TEXT]")]);
    same(
        &text,
        "* OK [HIGHESTMODSEQ 95] The highest mod-sequence to keep\n\
         * 1 FETCH (MODSEQ (10))\na OK Fetched\n\
         * 1 FETCH (BODY[TEXT] {3}\n1\n FLAGS (\\Seen) UID 1 MODSEQ (100))\n\
         * 2 FETCH (BODY[TEXT] {3}\n2\n)\nb OK Fetched\n",
    );
}

#[test]
fn searches_by_modseq_end_with_the_highest_found() {
    let (text, _) = selected(
        &host(),
        &[
            c("a SEARCH MODSEQ 50"),
            c("b SEARCH MODSEQ \"/flags/\\\\draft\" all 9999"),
            c("c SEARCH RETURN (MIN) MODSEQ 20"),
            c("d SEARCH RETURN (MAX) NOT MODSEQ 50"),
            c("e UID SEARCH RETURN (MIN MAX) MODSEQ 1"),
            c("f SEARCH RETURN (MIN COUNT ALL) OR ALL MODSEQ 50"),
            c("g SEARCH RETURN (SAVE) MODSEQ 70"),
            c("h FETCH $ UID"),
            c("i SEARCH MODSEQ 20 SUBJECT 7"),
            c("j SEARCH MODSEQ 20 NOT BODY 7"),
        ],
    );
    same(
        &text,
        "* OK [HIGHESTMODSEQ 95] The highest mod-sequence to keep\n\
         * SEARCH 4 5 6 (MODSEQ 80)\na OK Searched\n* SEARCH\nb OK Searched\n\
         * ESEARCH (TAG \"c\") MIN 2 MODSEQ 20\nc OK Searched\n\
         * ESEARCH (TAG \"d\") MAX 3 MODSEQ 40\nd OK Searched\n\
         * ESEARCH (TAG \"e\") UID MIN 1 MAX 8 MODSEQ 80\ne OK Searched\n\
         * ESEARCH (TAG \"f\") MIN 1 COUNT 6 ALL 1:6 MODSEQ 80\nf OK Searched\n\
         g OK Searched\n* 5 FETCH (UID 7)\n* 6 FETCH (UID 8)\nh OK Fetched\n\
         * SEARCH 5 (MODSEQ 70)\ni OK Searched\n* SEARCH 2 3 4 6 (MODSEQ 80)\nj OK Searched\n",
    );
}

/// What follows `ENABLE QRESYNC` and the counters of a SELECT.
fn again(host: &Host, parameter: &str) -> String {
    let select = format!("b SELECT INBOX ({parameter})");
    let (text, _) = logged_in(host, &[c("a ENABLE QRESYNC CONDSTORE"), c(&select)]);
    assert!(text.starts_with("* ENABLED CONDSTORE QRESYNC\r\na OK"), "{text}");
    let end = text.find("* OK [HIGHESTMODSEQ 95]").expect("it is always told");
    let last = "be authorized\r\n";
    let line = text[end..].find(last).expect("a line") + last.len();
    text[end + line..].to_owned()
}

#[test]
fn select_with_what_is_known_tells_what_went_and_what_changed() {
    let end = "b OK [READ-WRITE] Selected\n";
    let five = "* 4 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (50))\n";
    let rest = "* 5 FETCH (UID 7 FLAGS (\\Seen) MODSEQ (70))\n* 6 FETCH (UID 8 FLAGS (\\Seen \\Recent) MODSEQ (80))\n";
    let host = host();
    same(&again(&host, "QRESYNC (7 95)"), end);
    same(&again(&host, "QRESYNC (8 40)"), end);
    same(&again(&host, "QRESYNC (7 40)"), &format!("* VANISHED (EARLIER) 3,6\n{five}{rest}{end}"));
    same(&again(&host, "QRESYNC (7 90)"), &format!("* VANISHED (EARLIER) 6\n{end}"));
    same(&again(&host, "QRESYNC (7 40 4:5)"), &format!("{five}{end}"));
    same(
        &again(&host, "CONDSTORE QRESYNC (7 40 1:6 (2,3 2,4))"),
        &format!("* VANISHED (EARLIER) 6\n{five}{end}"),
    );
    // What went is forgotten: then all that is not there may have gone.
    let mut forgetful = host.clone();
    forgetful.mailbox("INBOX").forgotten = 90;
    forgetful.mailbox("INBOX").uid_next = 20;
    same(&again(&forgetful, "QRESYNC (7 80)"), &format!("* VANISHED (EARLIER) 3,6,9:19\n{end}"));
    same(
        &again(&forgetful, "QRESYNC (7 80 1:100 (1:2,5 1:2,7))"),
        &format!("* VANISHED (EARLIER) 9:19\n{end}"),
    );
}

#[test]
fn qresync_must_be_enabled_first_and_be_whole() {
    let (text, _) = logged_in(
        &host(),
        &[
            c("a SELECT INBOX (QRESYNC (7 40))"),
            c("b ENABLE QRESYNC"),
            c("c SELECT INBOX (QRESYNC (7 40 1:*))"),
            c("d SELECT INBOX (QRESYNC (7 40 (2,1 1,2)))"),
            c("e NOOP"),
        ],
    );
    same(
        &text,
        "a BAD ENABLE QRESYNC comes first\n* ENABLED QRESYNC\nb OK Enabled\n\
         c BAD Expected a set without * at octet 33\nd BAD Expected a set in ascending order at octet 34\n\
         e OK Done\n",
    );
}

/// With QRESYNC enabled and INBOX selected.
fn enabled(host: &Host, steps: &[Step]) -> String {
    let mut all = vec![c("L LOGIN ann s3cret"), c("a ENABLE QRESYNC"), c("S SELECT INBOX")];
    all.extend_from_slice(steps);
    let (text, _) = run(&config(), host, &all);
    let end = "S OK [READ-WRITE] Selected\r\n";
    text[text.find(end).expect("selected") + end.len()..].to_owned()
}

#[test]
fn vanished_takes_the_place_of_expunge() {
    let text = enabled(
        &host(),
        &[
            c("a STORE 1:2,5 +FLAGS.SILENT (\\Deleted)"),
            Step::Host(|host| host.modseq = 110),
            c("b EXPUNGE"),
            c("c UID EXPUNGE 7"),
            changed(vec![expunged(5, 111), expunged(3, 112)]),
            c("d NOOP"),
            c("e UID MOVE 4 Other"),
            Step::Host(|host| {
                host.mailbox("Other");
                host.modseq = 120;
            }),
            c("f UID MOVE 4 Other"),
            c("g UID FETCH 1:* FLAGS (CHANGEDSINCE 95 VANISHED)"),
            c("h CLOSE"),
        ],
    );
    same(
        &text,
        "* 1 FETCH (UID 1 MODSEQ (100))\n* 2 FETCH (UID 2 MODSEQ (100))\n* 5 FETCH (UID 7 MODSEQ (100))\n\
         a OK Stored\n\
         * VANISHED 1:2,7\nb OK [HIGHESTMODSEQ 110] Expunged\nc OK Expunged\n\
         * VANISHED 5\nd OK [HIGHESTMODSEQ 112] Done\n\
         e NO [TRYCREATE] There is no such mailbox\n\
         * OK [COPYUID 7 4 1] These were moved\n* VANISHED 4\nf OK [HIGHESTMODSEQ 120] Moved\n\
         * VANISHED (EARLIER) 1:2\n* VANISHED (EARLIER) 7\ng OK Fetched\nh OK Closed\n",
    );
}

#[test]
fn what_is_held_back_holds_the_highest_modseq_down() {
    let text = enabled(
        &host(),
        &[
            changed(vec![expunged(2, 97), flags(1, 1, 98)]),
            c("a STORE 3 +FLAGS.SILENT (\\Draft)"),
            c("b FETCH 1 FLAGS"),
            c("c NOOP"),
            c("d NOOP"),
        ],
    );
    same(
        &text,
        "* 3 FETCH (UID 4 MODSEQ (100))\n* 1 FETCH (UID 1 FLAGS (\\Answered) MODSEQ (98))\n\
         * OK [HIGHESTMODSEQ 96] The highest mod-sequence to keep\na OK Stored\n\
         * 1 FETCH (FLAGS (\\Seen))\n* OK [HIGHESTMODSEQ 96] The highest mod-sequence to keep\nb OK Fetched\n\
         * VANISHED 2\nc OK [HIGHESTMODSEQ 100] Done\nd OK Done\n",
    );
}

#[test]
fn without_condstore_nothing_of_it_is_known() {
    let config = Config { without: vec![b"condstore".to_vec()], ..config() };
    let steps = [
        c("L LOGIN ann s3cret"),
        c("a ENABLE QRESYNC CONDSTORE"),
        c("b SELECT INBOX (CONDSTORE)"),
        c("c SELECT INBOX"),
        c("d FETCH 1 MODSEQ"),
        c("e FETCH 1 FLAGS (CHANGEDSINCE 5)"),
        c("f STORE 1 (UNCHANGEDSINCE 5) FLAGS ()"),
        c("g SEARCH MODSEQ 5"),
        c("h STATUS INBOX (HIGHESTMODSEQ)"),
    ];
    let (text, _) = run(&config, &host(), &steps);
    assert!(!text.contains("CONDSTORE") && !text.contains("QRESYNC"), "{text}");
    assert!(text.contains("* ENABLED\r\na OK") && !text.contains("MODSEQ"), "{text}");
    assert_eq!(text.matches("BAD This is not offered here").count(), 6, "{text}");
}
