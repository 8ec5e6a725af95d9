//! NOTIFY (RFC 5465): what is told while no command runs, and that it stays bounded.

mod imap_host;

use imap_host::*;
use pillarbox_engine::imap::types::*;

const MAIL: &str = "Subject: one\n\nwords\n";

fn host() -> Host {
    let mut host = Host::new();
    (0..3).for_each(|_| host.put("INBOX", MAIL, 0));
    host.mailbox("Work");
    host
}

fn row(name: &str) -> MailboxRow {
    let status = MailboxStatus { messages: 4, uid_next: 9, uid_validity: 7, ..Default::default() };
    MailboxRow {
        name: name.into(),
        exists: true,
        selectable: true,
        rights: b"lr".to_vec(),
        status: Some(status),
        ..MailboxRow::default()
    }
}

fn came(name: &str) -> Notice {
    Notice::Messages(MessagesNotice { row: row(name), counted: true, flagged: false })
}

fn noticed(notices: Vec<Notice>) -> Step {
    Step::Call(Call::Noticed(notices))
}

fn arrived(uid: u32) -> Step {
    let runs = vec![UidRun { first: uid, last: uid }];
    Step::Call(Call::Changed(vec![Change::Arrived(Arrived { runs, recent: false })]))
}

fn flagged(uid: u32) -> Step {
    let flags = Flags { system: 2, keywords: vec![] };
    Step::Call(Call::Changed(vec![Change::Flags(vec![FlagRow { uid, flags, modseq: 9 }])]))
}

const SELECTED: &str = "a NOTIFY SET (selected (MessageNew (UID RFC822.SIZE) MessageExpunge))";

#[test]
fn what_is_fetched_unasked_has_uid_and_mod_sequence_for_those_who_keep_them() {
    let (text, _) = selected(
        &host(),
        &[
            c("a FETCH 1 (MODSEQ)"),
            c("b NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge FlagChange))"),
            Step::Host(|host| host.put("INBOX", MAIL, 0)),
            arrived(4),
            c("c NOOP"),
        ],
    );
    let told = text.lines().find(|line| line.contains("* 4 FETCH")).expect("it is told");
    assert!(told.contains("UID 4") && told.contains("MODSEQ ("), "{text}");
}

#[test]
fn new_messages_are_fetched_unasked_and_expunges_come_at_once() {
    let (text, talk) = selected(
        &host(),
        &[
            c(SELECTED),
            Step::Host(|host| host.put("INBOX", MAIL, 0)),
            arrived(4),
            flagged(1),
            Step::Call(Call::Changed(vec![went(vec![UidRun { first: 2, last: 2 }])])),
            c("b NOOP"),
        ],
    );
    same(
        &text,
        "a OK So it will be told\n* 4 EXISTS\n* 1 RECENT\n* 4 FETCH (UID 4 RFC822.SIZE 23)\n\
         * 2 EXPUNGE\nb OK Done\n",
    );
    assert!(!talk.closed);
}

#[test]
fn what_is_told_unasked_does_not_keep_the_connection() {
    let hour = 3_600_000;
    let (text, talk) = selected(
        &host(),
        &[
            c(SELECTED),
            Step::Wait(hour / 3),
            Step::Host(|host| host.put("INBOX", MAIL, 0)),
            arrived(4),
            Step::Wait(hour / 3),
        ],
    );
    assert!(text.ends_with("* BYE Silent for too long\r\n"), "{text}");
    assert!(talk.closed);
}

#[test]
fn a_delayed_expunge_waits_for_a_command_that_lets_it() {
    let (text, _) = selected(
        &host(),
        &[
            c("a NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))"),
            Step::Call(Call::Changed(vec![went(vec![UidRun { first: 1, last: 1 }])])),
            flagged(2),
            c("b FETCH 2 UID"),
            c("c NOOP"),
        ],
    );
    same(
        &text,
        "a OK So it will be told\n* 2 FETCH (UID 2 FLAGS (\\Flagged))\n* 2 FETCH (UID 2)\n\
         b OK Fetched\n* 1 EXPUNGE\nc OK Done\n",
    );
}

#[test]
fn who_wants_nothing_is_told_only_what_it_does_itself() {
    let (text, _) = selected(
        &host(),
        &[
            c("a NOTIFY NONE"),
            Step::Call(Call::Changed(vec![went(vec![UidRun { first: 1, last: 1 }])])),
            flagged(2),
            noticed(vec![came("Work")]),
            c("b NOOP"),
            c("c IDLE"),
            flagged(3),
            c("DONE"),
            c("d NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))"),
        ],
    );
    same(
        &text,
        "a OK So it will be told\nb OK Done\n+ idling\nc OK Idle ended\n* 1 EXPUNGE\n\
         * 1 FETCH (UID 2 FLAGS (\\Flagged))\n* 2 FETCH (UID 3 FLAGS (\\Flagged \\Recent))\n\
         d OK So it will be told\n",
    );
}

#[test]
fn other_mailboxes_are_told_of_as_they_were_asked_for() {
    let name = |row: MailboxRow, old: Option<&str>| {
        Notice::Name(NameNotice { row, old_name: old.map(Into::into) })
    };
    let (text, talk) = logged_in(
        &host(),
        &[
            c(
                "a NOTIFY SET STATUS (mailboxes (Work None) (MessageNew MessageExpunge)) (subtree x (MailboxName))",
            ),
            noticed(vec![
                came("Work"),
                came("INBOX"),
                name(row("x/y"), None),
                name(row("y"), None),
            ]),
            noticed(vec![name(row("z"), Some("x"))]),
            c("b SELECT Work"),
            noticed(vec![came("Work")]),
            c("c NOTIFY NONE"),
            noticed(vec![came("Work")]),
            c("d NOOP"),
        ],
    );
    let (before, rest) = text.split_once("* FLAGS").expect("selected");
    same(
        before,
        "* STATUS Work (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7 HIGHESTMODSEQ 1)\n\
         a OK So it will be told\n* STATUS Work (MESSAGES 4 UIDNEXT 9)\n\
         * LIST (\\HasNoChildren) \"/\" x/y\n\
         * LIST (\\HasNoChildren) \"/\" z (\"OLDNAME\" (x))\n"
            .replace(" HIGHESTMODSEQ 1", "")
            .as_str(),
    );
    assert!(rest.ends_with("c OK So it will be told\r\nd OK Done\r\n"), "{rest}");
    assert_eq!(talk.host.events, ["Unwatched"]);
}

#[test]
fn too_much_at_once_ends_it() {
    // A command that is not over holds everything back.
    let mut steps = vec![
        c("a NOTIFY SET (personal (MessageNew MessageExpunge))"),
        Step::Client(b"b NOOP {1}\r\n".to_vec()),
    ];
    steps.extend((0..129).map(|at| noticed(vec![came(&format!("m{at}"))])));
    steps.push(Step::Client(b"x\r\n".to_vec()));
    steps.push(noticed(vec![came("Work")]));
    let (text, talk) = logged_in(&host(), &steps);
    assert!(
        text.contains("* OK [NOTIFICATIONOVERFLOW] Too much happened, nothing more is told\r\n"),
        "{text}"
    );
    assert!(!text.contains("STATUS"), "{text}");
    assert_eq!(talk.host.events, ["Unwatched", "Defect"]);
    let many = (0..300).map(|at| format!("m{at}")).collect::<Vec<_>>().join(" ");
    let (text, _) = logged_in(
        &host(),
        &[
            c(&format!("a NOTIFY SET (mailboxes ({many}) (MailboxName))")),
            c("b NOTIFY SET (personal (AnnotationChange))"),
            c("c NOTIFY SET (personal (MailboxName))"),
            noticed(vec![Notice::Overflow]),
            noticed(vec![came("Work")]),
        ],
    );
    same(
        &text,
        "a NO [NOTIFICATIONOVERFLOW] Too many groups, or too many names\n\
         b NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange \
         MailboxMetadataChange ServerMetadataChange)] Such an event is not told here\n\
         c OK So it will be told\n\
         * OK [NOTIFICATIONOVERFLOW] Too much happened, nothing more is told\n",
    );
}
