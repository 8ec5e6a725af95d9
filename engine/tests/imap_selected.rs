//! IMAP with a mailbox open: FETCH, STORE, SEARCH, COPY, MOVE, APPEND, EXPUNGE, IDLE, and what two
//! sessions see.

mod imap_host;

use imap_host::*;
use pillarbox_engine::imap::types::*;
use pillarbox_engine::types::Reason;

const PLAIN: &str = "From: Ann <ann@example.com>\nTo: bob@example.com\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\n\
                     Date: Tue, 3 Mar 2026 23:30:00 -0500\nX-Long: a\n\tb\n\nHello Bob,\nsee you.\n";
const PARTS: &str = "Subject: parts\nFrom: carl@example.org\n\npreamble\n--b\n\nfirst part\n--b\n\
                     Content-Transfer-Encoding: base64\n\nVMOkw58gw4QA\n--b\n\
                     Content-Transfer-Encoding: x-own\n\nzzz\n--b--\n";

fn host() -> Host {
    let mut host = Host::new();
    host.put("INBOX", PLAIN, 0);
    host.put("INBOX", PARTS, 8);
    host.put("INBOX", "Subject: third\n\nthe third body\n", 1 | 8);
    host.put("INBOX", "Subject: fourth\nDate: Thu, 5 Mar 2026 00:30:00 +0100\n\n", 2);
    // A gap in the UIDs.
    host.mailbox("INBOX").uid_next = 10;
    host.put("INBOX", "Subject: tenth\n\nten\n", 8);
    host.mailbox("Other");
    host
}

fn runs(runs: &[(u32, u32)]) -> Vec<UidRun> {
    runs.iter().map(|&(first, last)| UidRun { first, last }).collect()
}

fn changed(changes: Vec<Change>) -> Step {
    Step::Call(Call::Changed(changes))
}

fn arrived(first: u32, last: u32) -> Change {
    Change::Arrived(Arrived { runs: runs(&[(first, last)]), recent: false })
}

fn flags(uid: u32, system: u8, modseq: u64) -> Change {
    Change::Flags(vec![FlagRow { uid, flags: Flags { system, keywords: vec![] }, modseq }])
}

#[test]
fn select_tells_the_mailbox() {
    let steps = [
        c("a SELECT INBOX"),
        c("b EXAMINE inbox"),
        c("c ENABLE IMAP4rev2"),
        c("d UNSELECT"),
        c("e ENABLE IMAP4rev2"),
        c("f SELECT INBOX"),
        c("g SELECT Nowhere"),
        c("h FETCH 1 FLAGS"),
    ];
    let (text, talk) = logged_in(&host(), &steps);
    let flags = "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Old)\n";
    let permanent = "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Old \\*)] What STORE may change for good\n";
    let counts = "* 5 EXISTS\n* 1 RECENT\n* OK [UNSEEN 1] The first without \\Seen\n";
    let uids = "* OK [UIDVALIDITY 7] UIDs hold as long\n* OK [UIDNEXT 11] The next UID at least\n\
                * OK [HIGHESTMODSEQ 1] The highest mod-sequence to keep\n\
                * OK [MAILBOXID (m1)] The same whatever its name\n\
                * OK [URLMECH INTERNAL] How URLs can be authorized\n";
    let closed = "* OK [CLOSED] Previous mailbox closed\n";
    same(
        &text,
        &format!(
            "{flags}{permanent}{counts}{uids}a OK [READ-WRITE] Selected\n\
             {closed}{flags}* OK [PERMANENTFLAGS ()] What STORE may change for good\n{counts}{uids}b OK [READ-ONLY] Examined\n\
             c BAD Only before a mailbox is selected\nd OK Closed\n* ENABLED IMAP4rev2\ne OK Enabled\n\
             {flags}{permanent}* 5 EXISTS\n{uids}* LIST () \"/\" INBOX\nf OK [READ-WRITE] Selected\n\
             {closed}g NO [NONEXISTENT] There is no such mailbox\nh BAD Select a mailbox first\n"
        ),
    );
    assert_eq!(talk.host.events, ["Closed"; 3]);
}

#[test]
fn fetch_items() {
    let steps = [
        c("a FETCH 1 (UID RFC822.SIZE FLAGS INTERNALDATE)"),
        c("b FETCH 5:4 UID"),
        c("c UID FETCH 4:* RFC822.SIZE"),
        c("d FETCH 1 ENVELOPE"),
        c("e FETCH 2 BODYSTRUCTURE"),
        c("f FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT x-long None)]"),
        c("g FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (from to date subject)]"),
        c("h FETCH 1 BODY.PEEK[TEXT]<6.4>"),
        c("i FETCH 1 BODY.PEEK[TEXT]<600.4>"),
        c("j FETCH 2 (BODY.PEEK[1] BODY.PEEK[2.MIME] BODY.PEEK[9])"),
        c("k FETCH 4 BODY.PEEK[]"),
        c("l FETCH 4 (BODY.PEEK[TEXT] RFC822.HEADER)"),
        c("m FETCH 6 UID"),
        c("n UID FETCH 6 UID"),
        c("o FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]<3.5>"),
    ];
    let (text, _) = selected(&host(), &steps);
    let subject = "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\n";
    let fourth = "Subject: fourth\nDate: Thu, 5 Mar 2026 00:30:00 +0100\n\n";
    same(
        &text,
        &format!(
            "* 1 FETCH (UID 1 RFC822.SIZE 165 FLAGS () INTERNALDATE \"13-Sep-2020 14:26:40 +0200\")\na OK Fetched\n\
             * 4 FETCH (UID 4)\n* 5 FETCH (UID 10)\nb OK Fetched\n\
             * 4 FETCH (UID 4 RFC822.SIZE 57)\n* 5 FETCH (UID 10 RFC822.SIZE 23)\nc OK Fetched\n\
             * 1 FETCH (ENVELOPE (\"Tue, 3 Mar 2026 23:30:00 -0500\" \"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\" \
             ((\"Ann\" NIL \"ann\" \"example.com\")) ((\"Ann\" NIL \"ann\" \"example.com\")) \
             ((\"Ann\" NIL \"ann\" \"example.com\")) ((NIL NIL \"bob\" \"example.com\")) NIL NIL NIL NIL))\nd OK Fetched\n\
             * 2 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 10 0 NIL NIL NIL NIL)\
             (\"text\" \"plain\" NIL NIL NIL \"base64\" 12 0 NIL NIL NIL NIL)\
             (\"text\" \"plain\" NIL NIL NIL \"x-own\" 3 0 NIL NIL NIL NIL) \"mixed\" NIL NIL NIL NIL))\ne OK Fetched\n\
             * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT x-long None)] {{55}}\n{subject}X-Long: a\n\tb\n\n)\nf OK Fetched\n\
             * 1 FETCH (BODY[HEADER.FIELDS.NOT (from to date subject)] {{17}}\nX-Long: a\n\tb\n\n)\ng OK Fetched\n\
             * 1 FETCH (BODY[TEXT]<6> {{4}}\nBob,)\nh OK Fetched\n\
             * 1 FETCH (BODY[TEXT]<600> \"\")\ni OK Fetched\n\
             * 2 FETCH (BODY[1] {{10}}\nfirst part BODY[2.MIME] {{37}}\nContent-Transfer-Encoding: base64\n\n BODY[9] NIL)\nj OK Fetched\n\
             * 4 FETCH (BODY[] {{57}}\n{fourth})\nk OK Fetched\n\
             * 4 FETCH (BODY[TEXT] \"\" RFC822.HEADER {{57}}\n{fourth})\nl OK Fetched\n\
             m BAD There is no message with this number\nn OK Fetched\n\
             * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)]<3> {{5}}\nject:)\no OK Fetched\n"
        ),
    );
}

#[test]
fn fetching_octets_sets_seen_unless_read_only() {
    let steps = [
        c("a FETCH 1:3 RFC822.TEXT"),
        c("b FETCH 1 (FLAGS BODY[HEADER.FIELDS (X)])"),
        c("c EXAMINE INBOX"),
        c("d FETCH 4 BODY[TEXT]"),
    ];
    let (text, talk) = selected(&host(), &steps);
    let text = text.replace("\r\n", "\n");
    assert!(text.starts_with("* 1 FETCH (RFC822.TEXT {22}\nHello Bob,\nsee you.\n FLAGS (\\Seen))\n* 2 FETCH (RFC822.TEXT {"));
    assert!(text.contains("* 3 FETCH (RFC822.TEXT {16}\nthe third body\n)\na OK Fetched\n"));
    assert!(
        text.contains("* 1 FETCH (FLAGS (\\Seen) BODY[HEADER.FIELDS (X)] {2}\n\n)\nb OK Fetched\n")
    );
    assert!(text.ends_with("* 4 FETCH (BODY[TEXT] \"\")\nd OK Fetched\n"));
    assert_eq!(talk.host.mailboxes[&b"INBOX"[..]].messages[3].flags.system, 2);
}

#[test]
fn binary_is_decoded() {
    let steps = [
        c("a FETCH 2 (BINARY.SIZE[2] BINARY.PEEK[2] BINARY.PEEK[1]<6.4>)"),
        c("b FETCH 2 (BINARY.PEEK[3] UID)"),
        c("c FETCH 2 BINARY.PEEK[2]<0.3>"),
    ];
    let (text, _) = selected(&host(), &steps);
    same(
        &text,
        "* 2 FETCH (BINARY.SIZE[2] 9 BINARY[2] ~{9}\nTäß Ä\0 BINARY[1]<6> {4}\npart)\na OK Fetched\n\
         * 2 FETCH (BINARY[3] NIL UID 2)\nb NO [UNKNOWN-CTE] The part's encoding is unknown\n\
         * 2 FETCH (BINARY[2]<0> ~{3}\nTä)\nc OK Fetched\n",
    );
}

#[test]
fn long_sections_are_read_twice_and_come_out_whole() {
    let mut host = Host::new();
    let filler: String = (0..3000).map(|n| format!("X-Filler-{n}: {n}\n")).collect();
    let body = "=41=42=\n".repeat(9000);
    host.put(
        "INBOX",
        &format!("{filler}Subject: s\nContent-Transfer-Encoding: quoted-printable\n\n{body}"),
        8,
    );
    let steps = [c("a FETCH 1 (BODY.PEEK[HEADER.FIELDS.NOT (Subject)] BINARY.PEEK[1]<3.40000>)")];
    let (text, _) = selected(&host, &steps);
    let header =
        format!("{filler}Content-Transfer-Encoding: quoted-printable\n\n").replace('\n', "\r\n");
    let expected = format!(
        "* 1 FETCH (BODY[HEADER.FIELDS.NOT (Subject)] {{{}}}\r\n{header} BINARY[1]<3> {{17997}}\r\n{})\r\na OK Fetched\r\n",
        header.len(),
        &"AB".repeat(9000)[3..],
    );
    assert!(text == expected, "{} and {} octets", text.len(), expected.len());
}

#[test]
fn store_tells_what_flags_became() {
    let steps = [
        c("a STORE 1:2 +FLAGS (\\Deleted $New)"),
        c("b UID STORE 10 FLAGS.SILENT (\\Flagged)"),
        c("c STORE 3 -FLAGS \\Seen"),
        c("d FETCH 5 FLAGS"),
        c("e EXAMINE INBOX"),
        c("f STORE 1 FLAGS ()"),
    ];
    let (text, _) = selected(&host(), &steps);
    let text = text.split("* OK [CLOSED]").next().expect("a beginning");
    same(
        text,
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Old $New)\n\
         * 1 FETCH (UID 1 FLAGS (\\Deleted $New))\n* 2 FETCH (UID 2 FLAGS (\\Deleted \\Seen $New))\na OK Stored\n\
         b OK Stored\n* 3 FETCH (UID 3 FLAGS (\\Answered))\nc OK Stored\n\
         * 5 FETCH (FLAGS (\\Flagged \\Recent))\nd OK Fetched\n",
    );
}

#[test]
fn expunge_and_close() {
    let steps = [
        c("a STORE 1,3,5 +FLAGS.SILENT \\Deleted"),
        c("b UID EXPUNGE 2:3"),
        c("c EXPUNGE"),
        c("d FETCH 1:* UID"),
        c("e STORE 1 +FLAGS.SILENT \\Deleted"),
        c("f CLOSE"),
        c("g STATUS INBOX (MESSAGES)"),
    ];
    let (text, talk) = selected(&host(), &steps);
    same(
        &text,
        "a OK Stored\n* 3 EXPUNGE\nb OK Expunged\n* 1 EXPUNGE\n* 3 EXPUNGE\nc OK Expunged\n\
         * 1 FETCH (UID 2)\n* 2 FETCH (UID 4)\nd OK Fetched\ne OK Stored\nf OK Closed\n\
         * STATUS INBOX (MESSAGES 1)\ng OK Status told\n",
    );
    assert_eq!(talk.host.events, ["Closed"]);
}

#[test]
fn copy_and_move() {
    let steps = [
        c("a COPY 2,4:5 Other"),
        c("b UID MOVE 1:3 Other"),
        c("c COPY 1 Nowhere"),
        c("d UID COPY 77 Other"),
        c("e COPY 1 INBOX"),
        c("f FETCH 1:* UID"),
    ];
    let (text, _) = selected(&host(), &steps);
    same(
        &text,
        "a OK [COPYUID 7 2,4,10 1,2,3] Copied\n\
         * OK [COPYUID 7 1,2,3 4,5,6] These were moved\n* 1 EXPUNGE\n* 1 EXPUNGE\n* 1 EXPUNGE\nb OK Moved\n\
         c NO [TRYCREATE] There is no such mailbox\nd OK There is no such message\n\
         * 3 EXISTS\n* 2 RECENT\ne OK [COPYUID 7 4 11] Copied\n\
         * 1 FETCH (UID 4)\n* 2 FETCH (UID 10)\n* 3 FETCH (UID 11)\nf OK Fetched\n",
    );
}

/// RFC 2180 §4.4.1: another session expunged it, and the news of that is still on its way.
#[test]
fn what_is_gone_by_now_is_not_said_to_be_copied() {
    let steps = [
        Step::Host(|host| host.mailbox("INBOX").messages.retain(|message| message.uid != 2)),
        c("a COPY 2 Other"),
        c("b MOVE 2 Other"),
        c("c COPY 1:2 Other"),
        c("d UID COPY 2 Other"),
    ];
    let (text, _) = selected(&host(), &steps);
    same(
        &text,
        "a NO [EXPUNGEISSUED] Some messages are gone\nb NO [EXPUNGEISSUED] Some messages are gone\n\
         c OK [COPYUID 7 1 1] Copied\nd OK Copied\n",
    );
}

#[test]
fn append_takes_a_message_whole_or_not_at_all() {
    let steps = [
        c("a APPEND INBOX (\\Seen $X) \" 3-Mar-2026 10:00:00 +0100\" {12}\r\nSubject: a\r\n"),
        c("b APPEND Nowhere {3+}\r\nabc"),
        c("c APPEND Nowhere {3}"),
        c("d APPEND Other {3+}\r\na\0c"),
        c("e APPEND Other ~{3+}\r\na\0c"),
        c("f APPEND Other {99999999}"),
        c("g APPEND Other {3+}\r\nabc junk {4+}\r\nNOOP more"),
        c("h APPEND Other"),
        c("i APPEND Other (\\Bad) {3+}\r\nabc"),
        c("j APPEND Other ~{3+}\r\nabc"),
        c("k NOOP"),
    ];
    let (text, talk) = selected(&host(), &steps);
    same(
        &text,
        "+ Ready for the message\n* 6 EXISTS\n* 2 RECENT\na OK [APPENDUID 7 11] Appended\n\
         b NO [TRYCREATE] There is no such mailbox\nc NO [TRYCREATE] There is no such mailbox\n\
         d BAD NUL may not be in a literal\ne NO [UNKNOWN-CTE] A message with NUL is not taken\n\
         f NO [TOOBIG] The message is too large\ng BAD After a message comes the end of the command, or one more message\n\
         h BAD Expected a space at octet 14\ni BAD Expected a system flag that is known at octet 17\n\
         j OK [APPENDUID 7 1] Appended\nk OK Done\n",
    );
    assert_eq!(talk.host.mailboxes[&b"Other"[..]].messages.len(), 1);
    let appended = &talk.host.mailboxes[&b"INBOX"[..]].messages[5];
    assert_eq!((appended.flags.system, appended.date_ms), (8, 1_772_528_400_000));
    assert_eq!(talk.host.events.iter().filter(|event| *event == "AppendDropped").count(), 3);
}

#[test]
fn a_cut_append_is_dropped() {
    let mut talk = Talk::new(config(), host());
    talk.receive(b"L LOGIN ann s3cret\r\na APPEND INBOX {5+}\r\nab", 100);
    talk.session.receive_end(talk.now);
    while !matches!(talk.session.poll(), pillarbox_engine::Output::Close) {}
    assert_eq!(talk.host.mailboxes[&b"INBOX"[..]].messages.len(), 5);
}

#[test]
fn search_by_every_kind_of_key() {
    let cases = [
        ("ALL", "1 2 3 4 5"),
        ("1:2,4", "1 2 4"),
        ("NOT 1:4", "5"),
        ("UID 4:*", "4 5"),
        ("SEEN", "2 3 5"),
        ("UNSEEN FLAGGED", "4"),
        ("OR ANSWERED FLAGGED", "3 4"),
        ("KEYWORD $none", ""),
        ("RECENT", "5"),
        ("OLD UNSEEN", "1 4"),
        ("LARGER 100", "1 2"),
        ("SMALLER 30", "5"),
        ("ON 13-Sep-2020", "1 2 3 4 5"),
        ("BEFORE 13-Sep-2020", ""),
        ("SENTON 3-Mar-2026", "1"),
        ("SENTSINCE 4-Mar-2026", "4"),
        ("SENTBEFORE 5-Mar-2026", "1"),
        ("SUBJECT grü", ""),
        ("FROM ann", "1"),
        ("FROM EXAMPLE", "1 2"),
        ("TO \"bob@\"", "1"),
        ("SUBJECT th", "3 4 5"),
        ("HEADER X-Long \"\"", "1"),
        ("HEADER x-long B", "1"),
        ("HEADER x-none \"\"", ""),
        ("BODY third", "3"),
        ("BODY hello", "1"),
        ("BODY Subject", ""),
        ("TEXT fourth", "4"),
        ("TEXT \"x-long\"", "1"),
        ("BODY \"first part\"", "2"),
        ("OR BODY third (TEXT ten NOT SEEN)", "3"),
        ("OR SEEN BODY hello", "1 2 3 5"),
        ("NOT TEXT e", ""),
    ];
    for (keys, numbers) in cases {
        let (text, _) = selected(&host(), &[c(&format!("a SEARCH {keys}"))]);
        let space = if numbers.is_empty() { "" } else { " " };
        if keys == "SUBJECT grü" {
            assert!(text.starts_with("a BAD "), "an atom is ASCII: {text}");
            continue;
        }
        same(&text, &format!("* SEARCH{space}{numbers}\na OK Searched\n"));
    }
    let steps = [
        c("a SEARCH CHARSET UTF-8 SUBJECT {4+}\r\ngrü"),
        Step::Client(b"b SEARCH CHARSET ISO-8859-1 BODY {2+}\r\nt\xe4\r\n".to_vec()),
        c("c SEARCH BODY {5+}\r\nTÄß"),
        c("d SEARCH CHARSET X-NONE ALL"),
        c("e SEARCH 9"),
        c("f UID SEARCH 5 NOT DELETED"),
        c("g SEARCH YOUNGER 5"),
    ];
    let (text, _) = selected(&host(), &steps);
    same(
        &text,
        "* SEARCH 1\na OK Searched\n* SEARCH 2\nb OK Searched\n* SEARCH 2\nc OK Searched\n\
         d NO [BADCHARSET (UTF-8 …)] This charset is not known\n\
         * SEARCH\ne OK Searched\n* SEARCH 10\nf OK Searched\n\
         * SEARCH\ng OK Searched\n",
    );
}

#[test]
fn esearch_and_the_saved_result() {
    let steps = [
        c("a SEARCH RETURN (MIN MAX COUNT) SEEN"),
        c("b UID SEARCH RETURN (ALL) 1:3,5"),
        c("c SEARCH RETURN () KEYWORD $none"),
        c("d SEARCH RETURN (SAVE) SEEN"),
        c("e FETCH $ UID"),
        c("f SEARCH RETURN (SAVE MIN) SEEN"),
        c("g UID FETCH $ UID"),
        c("h SEARCH RETURN (ALL) UID 3:*"),
        c("i SEARCH $"),
        c("j SEARCH RETURN (SAVE COUNT) 1,5"),
        c("k STORE $ +FLAGS.SILENT \\Deleted"),
        c("l EXPUNGE"),
        c("m UID SEARCH RETURN (COUNT) $"),
    ];
    let (text, _) = selected(&host(), &steps);
    same(
        &text,
        "* ESEARCH (TAG \"a\") MIN 2 MAX 5 COUNT 3\na OK Searched\n\
         * ESEARCH (TAG \"b\") UID ALL 1:3,10\nb OK Searched\n* ESEARCH (TAG \"c\")\nc OK Searched\n\
         d OK Searched\n* 2 FETCH (UID 2)\n* 3 FETCH (UID 3)\n* 5 FETCH (UID 10)\ne OK Fetched\n\
         * ESEARCH (TAG \"f\") MIN 2\nf OK Searched\n* 2 FETCH (UID 2)\ng OK Fetched\n\
         * ESEARCH (TAG \"h\") ALL 3:5\nh OK Searched\n* SEARCH 2\ni OK Searched\n\
         * ESEARCH (TAG \"j\") COUNT 2\nj OK Searched\nk OK Stored\n* 1 EXPUNGE\n* 4 EXPUNGE\nl OK Expunged\n\
         * ESEARCH (TAG \"m\") UID COUNT 0\nm OK Searched\n",
    );
}

#[test]
fn rev2_sessions_get_rev2_responses() {
    let steps = [
        c("a ENABLE IMAP4rev2"),
        c("b SELECT INBOX"),
        c("c SEARCH SEEN"),
        c("d FETCH 5 FLAGS"),
        c("e UID SEARCH BODY third"),
    ];
    let (text, _) = logged_in(&host(), &steps);
    let text = text.split("Selected\r\n").last().expect("selected");
    same(
        text,
        "* ESEARCH (TAG \"c\") ALL 2:3,5\nc OK Searched\n* 5 FETCH (FLAGS (\\Seen))\nd OK Fetched\n\
         * ESEARCH (TAG \"e\") UID ALL 3\ne OK Searched\n",
    );
}

#[test]
fn expunges_wait_until_numbers_may_change() {
    let gone = |host: &mut Host| host.mailbox("INBOX").messages.retain(|m| m.uid != 2);
    let steps = [
        Step::Host(gone),
        changed(vec![went(runs(&[(2, 2)])), arrived(11, 12), flags(3, 4, 9)]),
        c("a FETCH 1:3 UID"),
        c("b STORE 2 +FLAGS \\Seen"),
        c("c SEARCH ALL"),
        c("d UID FETCH 3 UID"),
        c("e FETCH 1:3 UID"),
        // Known already, or never known.
        changed(vec![arrived(11, 12), went(runs(&[(2, 2), (50, 60)]))]),
        c("f NOOP"),
    ];
    let (text, _) = selected(&host(), &steps);
    same(
        &text,
        "* 1 FETCH (UID 1)\n* 3 FETCH (UID 3)\n* 7 EXISTS\n* 1 RECENT\n* 3 FETCH (UID 3 FLAGS (\\Deleted))\n\
         a NO [EXPUNGEISSUED] Some messages are gone\n\
         b NO [EXPUNGEISSUED] Some messages are gone\n\
         * SEARCH 1 2 3 4 5 6 7\nc OK Searched\n\
         * 2 EXPUNGE\nd OK Fetched\n\
         * 1 FETCH (UID 1)\n* 2 FETCH (UID 3)\n* 3 FETCH (UID 4)\ne OK Fetched\nf OK Done\n"
            .replace("* 2 EXPUNGE\nd OK", "* 3 FETCH (UID 3)\n* 2 EXPUNGE\nd OK")
            .as_str(),
    );
}

#[test]
fn idle_tells_at_once() {
    let steps = [
        c("a IDLE"),
        changed(vec![arrived(11, 11)]),
        changed(vec![flags(1, 8, 5), went(runs(&[(3, 4)]))]),
        c("done"),
        c("b IDLE"),
        c("NOOP"),
        c("c NOOP"),
    ];
    let (text, _) = selected(&host(), &steps);
    same(
        &text,
        "+ idling\n* 6 EXISTS\n* 1 RECENT\n* 3 EXPUNGE\n* 3 EXPUNGE\n* 1 FETCH (UID 1 FLAGS (\\Seen))\na OK Idle ended\n\
         + idling\nb BAD Only DONE ends IDLE\nc OK Done\n",
    );
    let steps =
        [c("a IDLE"), Step::Wait(1_000_000), changed(vec![arrived(11, 11)]), Step::Wait(800_000)];
    let (text, talk) = selected(&host(), &steps);
    assert!(talk.closed, "what is told does not keep a silent client's session");
    same(&text, "+ idling\n* 6 EXISTS\n* 1 RECENT\n* BYE Silent for too long\n");
}

#[test]
fn too_much_to_tell_is_read_again() {
    let change = |host: &mut Host| {
        host.mailbox("INBOX").messages.retain(|m| m.uid != 1 && m.uid != 10);
        host.put("INBOX", "Subject: new\n\nx\n", 2);
    };
    let steps = [
        Step::Host(change),
        changed(vec![Change::Resynchronise]),
        c("a FETCH 2 UID"),
        c("b NOOP"),
        c("c FETCH 1:* UID"),
    ];
    let (text, _) = selected(&host(), &steps);
    same(
        &text,
        "* 2 FETCH (UID 2)\na OK Fetched\n\
         * 1 EXPUNGE\n* 4 EXPUNGE\n* 4 EXISTS\n* 0 RECENT\n\
         * 1 FETCH (UID 2 FLAGS (\\Seen))\n* 2 FETCH (UID 3 FLAGS (\\Answered \\Seen))\n* 3 FETCH (UID 4 FLAGS (\\Flagged))\n\
         b OK Done\n\
         * 1 FETCH (UID 2)\n* 2 FETCH (UID 3)\n* 3 FETCH (UID 4)\n* 4 FETCH (UID 11)\nc OK Fetched\n",
    );
}

#[test]
fn a_mailbox_that_goes_away_ends_the_session_or_the_selection() {
    let (text, talk) = selected(&host(), &[changed(vec![Change::Deleted])]);
    assert!(talk.closed);
    same(&text, "* BYE The mailbox is gone\n");
    let (text, talk) = selected(&host(), &[c("a IDLE"), changed(vec![Change::Deleted])]);
    assert!(talk.closed);
    same(&text, "+ idling\n* BYE The mailbox is gone\n");
    let steps = [c("a SELECT Other"), c("b DELETE Other"), c("c CHECK"), c("d NOOP")];
    let (text, talk) = logged_in(&host(), &steps);
    assert!(!talk.closed);
    assert!(text.ends_with(
        "* OK [CLOSED] The open mailbox was deleted\r\nb OK Deleted\r\nc BAD Select a mailbox first\r\nd OK Done\r\n"
    ));
}

#[test]
fn a_store_that_fails_changes_nothing() {
    for command in ["STORE 1 FLAGS ()", "COPY 1 Other", "EXPUNGE", "SEARCH SEEN", "FETCH 1 FLAGS"] {
        let fail = |host: &mut Host| host.refuse = Some(Reason::StorageFailed);
        let steps = [Step::Host(fail), c(&format!("a {command}")), c("b CLOSE")];
        let (text, _) = selected(&host(), &steps);
        same(&text, "a NO [UNAVAILABLE] The store failed, nothing was changed\nb OK Closed\n");
    }
}

/// Pipelined commands are answered in order, and a long answer waits for room without losing any of
/// it.
#[test]
fn long_answers_and_pipelines() {
    let mut host = Host::new();
    host.page = 1000;
    for number in 0..2000 {
        host.put("INBOX", &format!("Subject: {number}\n\n{number}\n"), 0);
    }
    let steps = [c(
        "a FETCH 1:* (UID FLAGS RFC822.SIZE)\r\nb UID SEARCH 1:*\r\nc STORE 1:* +FLAGS (\\Deleted)\r\nd EXPUNGE\r\ne NOOP",
    )];
    let (text, _) = selected(&host, &steps);
    assert_eq!(text.matches(" RFC822.SIZE ").count(), 2000);
    assert_eq!(text.matches(" FLAGS (\\Deleted").count(), 2000);
    assert_eq!(text.matches("* 1 EXPUNGE\r\n").count(), 2000);
    let ends: Vec<usize> = ["a OK", "* SEARCH 1 2 3", "b OK", "c OK", "d OK", "e OK"]
        .iter()
        .map(|end| text.find(end).expect(end))
        .collect();
    assert!(ends.is_sorted());
}
