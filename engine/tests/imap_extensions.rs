//! Small extensions of IMAP: WITHIN, SAVEDATE, OBJECTID, PREVIEW, PARTIAL, MULTIAPPEND, APPENDLIMIT and
//! UNAUTHENTICATE.

mod imap_host;

use imap_host::*;
use pillarbox_engine::imap::capability_names;
use pillarbox_engine::imap::types::*;
use pillarbox_engine::types::Reason;

/// When `Talk` begins, in milliseconds since 1970: 2023-11-14 22:13:20 UTC.
const NOW_MS: u64 = 1_700_000_000_000;

fn host() -> Host {
    let mut host = Host::new();
    for number in 1..=6u32 {
        let text =
            format!("Subject: {number}\nX-Preview: text {number}\nReferences: <a@b>\n\n{number}\n");
        host.put("INBOX", &text, 8);
    }
    let inbox = host.mailbox("INBOX");
    for (message, seconds) in inbox.messages.iter_mut().zip([0, 10, 60, 3600, 86_400, 864_000]) {
        message.date_ms = NOW_MS - seconds * 1000;
    }
    // A gap in the UIDs.
    inbox.messages[5].uid = 9;
    inbox.uid_next = 10;
    host
}

#[test]
fn searches_by_age_and_by_save_date() {
    let (text, _) = selected(
        &host(),
        &[
            c("a SEARCH YOUNGER 60"),
            c("b SEARCH OLDER 60"),
            c("c SEARCH OLDER 10 YOUNGER 3599"),
            c("d SEARCH SAVEDON 15-Nov-2023"),
            c("e SEARCH SAVEDBEFORE 15-Nov-2023"),
            c("f SEARCH SAVEDSINCE 14-Nov-2023 SAVEDATESUPPORTED"),
            c("g FETCH 1,6 SAVEDATE"),
            c("h SEARCH YOUNGER 0"),
        ],
    );
    same(
        &text,
        "* SEARCH 1 2 3\na OK Searched\n* SEARCH 3 4 5 6\nb OK Searched\n* SEARCH 2 3\nc OK Searched\n\
         * SEARCH 1 2 3 4\nd OK Searched\n* SEARCH 5 6\ne OK Searched\n* SEARCH 1 2 3 4 5\nf OK Searched\n\
         * 1 FETCH (SAVEDATE \"15-Nov-2023 22:13:20 +0000\")\n\
         * 6 FETCH (SAVEDATE \" 5-Nov-2023 22:13:20 +0000\")\ng OK Fetched\n\
         h BAD Expected a number above 0 at octet 18\n",
    );
}

#[test]
fn identifiers_previews_and_the_limit_of_append() {
    let (text, _) = selected(
        &host(),
        &[
            c("a FETCH 1:2 (EMAILID THREADID)"),
            c("b SEARCH EMAILID M1"),
            c("c SEARCH OR THREADID T1 EMAILID X"),
            c("d SEARCH EMAILID M01"),
            c("e FETCH 2 (PREVIEW (LAZY) UID)"),
            c("f FETCH 2 PREVIEW (LAZY)"),
            c("g STATUS INBOX (MAILBOXID APPENDLIMIT MESSAGES)"),
            c("h CREATE New"),
            c("i CREATE New"),
            c("j SEARCH EMAILID"),
        ],
    );
    same(
        &text,
        "* 1 FETCH (EMAILID (M0) THREADID NIL)\n* 2 FETCH (EMAILID (M1) THREADID NIL)\na OK Fetched\n\
         * SEARCH\nb OK Searched\n* SEARCH\nc OK Searched\n* SEARCH\nd OK Searched\n\
         * 2 FETCH (PREVIEW \"text 2\" UID 2)\ne OK Fetched\n\
         * 2 FETCH (PREVIEW \"text 2\")\nf OK Fetched\n\
         * STATUS INBOX (MAILBOXID (m1) APPENDLIMIT 52428800 MESSAGES 6)\ng OK Status told\n\
         h OK [MAILBOXID (m1)] Created\ni NO [ALREADYEXISTS] It exists already\n\
         j BAD Expected a space at octet 16\n",
    );
}

/// RFC 9051 §6.4.4.1: a search that ends in NO saves nothing; one that ends in BAD was none.
#[test]
fn what_was_saved_goes_with_a_search_that_fails() {
    let mut steps = Vec::new();
    for failing in ["SEARCH RETURN (SAVE) CHARSET x-no ALL", "SORT RETURN (SAVE) (DATE) x-no ALL"] {
        steps.extend([
            c("a SEARCH RETURN (SAVE) 1"),
            c("b SEARCH RETURN (SAVE) CHARSET x-no"),
            c("c UID FETCH $ UID"),
            c(&format!("d {failing}")),
            c("e UID FETCH $ UID"),
        ]);
    }
    let (text, _) = selected(&host(), &steps);
    let told: Vec<&str> = text.lines().filter(|line| line.starts_with("* ")).collect();
    assert_eq!(told, ["* 1 FETCH (UID 1)"; 2], "{text}");
    assert_eq!(text.matches("d NO [BADCHARSET").count(), 2, "{text}");
}

#[test]
fn a_part_of_the_results() {
    let (text, _) = selected(
        &host(),
        &[
            c("a SEARCH RETURN (PARTIAL 1:2) ALL"),
            c("b UID SEARCH RETURN (PARTIAL -1:-2 COUNT) ALL"),
            c("c UID SEARCH RETURN (PARTIAL 5:100 MIN) SEEN"),
            c("d SEARCH RETURN (PARTIAL 7:9) ALL"),
            c("e SEARCH RETURN (PARTIAL 2:3 SAVE MAX) ALL"),
            c("f UID FETCH $ UID"),
            c("g SEARCH RETURN (PARTIAL 1:2 ALL) ALL"),
            c("h SEARCH RETURN (PARTIAL 1:-2) ALL"),
            c("i UID FETCH 2:* UID (PARTIAL -1:-2)"),
            c("j UID FETCH 1:* UID (PARTIAL 1:3 CHANGEDSINCE 5)"),
            c("k FETCH 1:* UID (PARTIAL 1:3)"),
            c("l SORT RETURN (PARTIAL 1:2) (ARRIVAL) UTF-8 ALL"),
        ],
    );
    same(
        &text,
        "* ESEARCH (TAG \"a\") PARTIAL (1:2 1:2)\na OK Searched\n\
         * ESEARCH (TAG \"b\") UID COUNT 6 PARTIAL (-1:-2 5,9)\nb OK Searched\n\
         * ESEARCH (TAG \"c\") UID MIN 1 PARTIAL (5:100 5,9)\nc OK Searched\n\
         * ESEARCH (TAG \"d\") PARTIAL (7:9 NIL)\nd OK Searched\n\
         * ESEARCH (TAG \"e\") MAX 6 PARTIAL (2:3 2:3)\ne OK Searched\n\
         * 2 FETCH (UID 2)\n* 3 FETCH (UID 3)\n* 6 FETCH (UID 9)\nf OK Fetched\n\
         g BAD Expected either ALL or PARTIAL at octet 33\nh BAD Expected a place from 1 at octet 27\n\
         * 5 FETCH (UID 5)\n* 6 FETCH (UID 9)\ni OK Fetched\n\
         * OK [HIGHESTMODSEQ 1] The highest mod-sequence to keep\nj OK Fetched\n\
         k BAD Expected CHANGEDSINCE, or with UID FETCH PARTIAL or VANISHED at octet 17\n\
         * ESEARCH (TAG \"l\") PARTIAL (1:2 6,5)\nl OK Sorted\n",
    );
}

fn octets(text: &str) -> Step {
    Step::Client(text.replace('\n', "\r\n").into_bytes())
}

#[test]
fn several_messages_are_appended_together() {
    let (text, talk) = selected(
        &host(),
        &[
            octets(
                "a APPEND Other {3+}\nabc {3+}\nabc (\\Seen x) \" 5-Jan-2026 10:00:00 +0100\" {2+}\nde\n",
            ),
            octets(
                "b APPEND INBOX (\\Flagged) {3+}\nabc (\\Seen x) \" 5-Jan-2026 10:00:00 +0100\" {2}\nde {1+}\nf\n",
            ),
            c("c FETCH 7:9 (FLAGS RFC822.SIZE)"),
        ],
    );
    same(
        &text,
        "a NO [TRYCREATE] There is no such mailbox\n\
         + Ready for the message\n* 9 EXISTS\n* 4 RECENT\nb OK [APPENDUID 7 10,11,12] Appended\n\
         * 7 FETCH (FLAGS (\\Flagged \\Recent) RFC822.SIZE 3)\n\
         * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Old x)\n\
         * 8 FETCH (FLAGS (\\Seen \\Recent x) RFC822.SIZE 2)\n\
         * 9 FETCH (FLAGS (\\Recent) RFC822.SIZE 1)\nc OK Fetched\n",
    );
    assert!(talk.host.append.is_empty());
}

#[test]
fn one_bad_message_undoes_them_all() {
    let (text, talk) = selected(
        &host(),
        &[
            octets("a APPEND INBOX {3+}\nabc {0+}\n\n"),
            octets("b APPEND INBOX {3+}\nabc (\\Foo) {2+}\nde\n"),
            octets("c APPEND INBOX {3+}\nabc {99999999}\n"),
            octets("d APPEND INBOX {3+}\nabc {3+}\na\0c\n"),
            octets("e APPEND INBOX {0}\n"),
            c("f NOOP"),
        ],
    );
    same(
        &text,
        "a NO [CANNOT] An empty message is none: nothing was appended\n\
         b BAD After a message comes the end of the command, or one more message\nc NO [TOOBIG] The message is too large\n\
         d BAD NUL may not be in a literal\n\
         e NO [CANNOT] An empty message is none: nothing was appended\nf OK Done\n",
    );
    assert!(talk.host.append.is_empty(), "nothing waits");
    assert_eq!(talk.host.mailboxes[&b"INBOX"[..]].messages.len(), 6);
}

#[test]
fn many_messages_at_once_are_bounded() {
    let many = "a APPEND INBOX {1+}\nx".to_owned() + &" {1+}\nx".repeat(1000) + "\n";
    let (text, talk) = selected(&host(), &[octets(&many), c("b NOOP")]);
    same(
        &text,
        "a NO [MESSAGELIMIT 1000] Too many messages at once: none was appended\nb OK Done\n",
    );
    assert_eq!(talk.host.events, ["AppendDropped"]);
}

#[test]
fn a_store_that_refuses_the_second_message_has_none() {
    fn refuse(host: &mut Host) {
        host.refuse = Some(Reason::OverQuota);
    }
    let steps = [
        octets("a APPEND INBOX {3+}\nabc"),
        Step::Host(refuse),
        octets(" {3}\n"),
        Step::Host(|host| host.refuse = None),
        c("b NOOP"),
    ];
    let (text, talk) = selected(&host(), &steps);
    same(&text, "a NO [OVERQUOTA] The quota is used up\nb OK Done\n");
    assert!(talk.host.append.is_empty());
}

#[test]
fn unauthenticate_goes_back_to_before_the_login() {
    let (text, talk) = logged_in(
        &host(),
        &[
            c("a ENABLE IMAP4rev2 QRESYNC"),
            c("b SELECT INBOX"),
            c("c UNAUTHENTICATE"),
            c("d FETCH 1 FLAGS"),
            c("e UNAUTHENTICATE"),
            c("f LOGIN ann s3cret"),
            c("g SELECT INBOX (QRESYNC (7 1))"),
            c("h STATUS INBOX (RECENT)"),
        ],
    );
    let rest = text.find("c OK").expect("it is answered");
    same(
        &text[rest..],
        "c OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID ENABLE IDLE LANGUAGE AUTH=PLAIN] Log in again\n\
         d BAD Log in first\ne BAD Log in first\nf OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ \
         ID ENABLE IDLE LANGUAGE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN SPECIAL-USE CREATE-SPECIAL-USE \
         LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH SEARCHRES BINARY CONDSTORE QRESYNC SORT \
         SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES I18NLEVEL=1 WITHIN SAVEDATE \
         OBJECTID PREVIEW PARTIAL MULTIAPPEND APPENDLIMIT=52428800 UNAUTHENTICATE \
         COMPRESS=DEFLATE QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE QUOTA=RES-MAILBOX QUOTASET \
         METADATA METADATA-SERVER UTF8=ACCEPT REPLACE SAVELIMIT=1000 NOTIFY ACL RIGHTS=kxte \
         LIST-MYRIGHTS CONTEXT=SEARCH CONTEXT=SORT MULTISEARCH SEARCH=FUZZY CATENATE URLAUTH UIDONLY LIST-METADATA INPROGRESS] Logged in\n\
         g BAD ENABLE QRESYNC comes first\n* STATUS INBOX (RECENT 0)\nh OK Status told\n",
    );
    assert_eq!(talk.host.events, ["Closed", "Unauthenticated"]);
}

#[test]
fn every_capability_can_be_left_out_and_is_not_understood_then() {
    let commands = [
        ("WITHIN", "SEARCH YOUNGER 5"),
        ("SAVEDATE", "SEARCH SAVEDATESUPPORTED"),
        ("SAVEDATE", "FETCH 1 SAVEDATE"),
        ("OBJECTID", "FETCH 1 EMAILID"),
        ("OBJECTID", "SEARCH THREADID T1"),
        ("OBJECTID", "STATUS INBOX (MAILBOXID)"),
        ("PREVIEW", "FETCH 1 PREVIEW"),
        ("PARTIAL", "SEARCH RETURN (PARTIAL 1:2) ALL"),
        ("PARTIAL", "UID FETCH 1:* UID (PARTIAL 1:2)"),
        ("APPENDLIMIT", "STATUS INBOX (APPENDLIMIT)"),
        ("UNAUTHENTICATE", "UNAUTHENTICATE"),
        ("URLAUTH", "RESETKEY INBOX"),
        ("URLAUTH", "URLFETCH x"),
    ];
    for (name, command) in commands {
        assert!(capability_names().any(|known| known == name));
        let config = Config { without: vec![name.as_bytes().to_vec()], ..config() };
        let steps = [c("L LOGIN ann s3cret"), c("S SELECT INBOX"), c(&format!("a {command}"))];
        let (text, _) = run(&config, &host(), &steps);
        assert!(!text.contains(name), "{text}");
        assert!(text.ends_with("a BAD This is not offered here\r\n"), "{command}: {text}");
    }
    for (name, gone) in [
        ("SORT", &["SORT=DISPLAY", "ESORT"][..]),
        ("ESEARCH", &["SEARCHRES", "PARTIAL", "ESORT"]),
        ("LIST-EXTENDED", &["LIST-STATUS"]),
        ("SPECIAL-USE", &["CREATE-SPECIAL-USE"]),
        ("CONDSTORE", &["QRESYNC"]),
        ("ENABLE", &["QRESYNC"]),
    ] {
        let config = Config { without: vec![name.as_bytes().to_vec()], ..config() };
        let (text, _) = run(&config, &host(), &[c("L LOGIN ann s3cret")]);
        assert!(gone.iter().all(|gone| !text.contains(gone)), "without {name}: {text}");
    }
    let config = Config { without: vec![b"multiappend".to_vec()], ..config() };
    let steps = [c("L LOGIN ann s3cret"), octets("a APPEND INBOX {1+}\nx {1+}\ny\n")];
    let (text, _) = run(&config, &host(), &steps);
    assert!(
        text.ends_with("a BAD Only one message, and after it the end of the command\r\n"),
        "{text}"
    );
}

#[test]
fn literals_that_do_not_wait_are_refused_where_both_forms_are_left_out() {
    let without = vec![b"LITERAL+".to_vec(), b"LITERAL-".to_vec()];
    let config = Config { without, ..config() };
    let steps = [
        octets("a LOGIN {3+}\nann s3cret\n"),
        c("L LOGIN ann s3cret"),
        octets("b APPEND INBOX {3+}\nabc\n"),
        c("c ENABLE IMAP4rev2"),
        octets("d APPEND INBOX {3+}\nabc\n"),
    ];
    let (text, _) = run(&config, &host(), &steps);
    let heads: Vec<&str> = text.lines().filter(|line| !line.starts_with('*')).collect();
    let wanted = "This form of literal is not offered";
    assert_eq!(heads[0], format!("a BAD {wanted}"));
    assert_eq!(heads[2], format!("b BAD {wanted}"));
    assert!(heads[4].starts_with("d OK [APPENDUID"), "RFC 9051 has the short ones: {text}");
}

#[test]
fn only_mistakes_in_a_row_are_counted() {
    let max = config().limits.errors_max;
    let mut steps = vec![c("L LOGIN ann s3cret")];
    for _ in 0..3 {
        steps.extend((0..max).map(|_| c("a FOO")));
        steps.push(c("b NOOP"));
    }
    let (text, _) = run(&config(), &host(), &steps);
    assert!(text.ends_with("b OK Done\r\n"), "{text}");
    steps.extend((0..=max).map(|_| c("a FOO")));
    let (text, _) = run(&config(), &host(), &steps);
    assert!(text.ends_with("* BYE Too many errors\r\n"), "{text}");
    // Before login what is OK says nothing of who means well.
    let steps: Vec<Step> = (0..=max).flat_map(|_| [c("a FOO"), c("b CAPABILITY")]).collect();
    let (text, _) = run(&config(), &host(), &steps);
    assert!(text.contains("* BYE Too many errors\r\n"), "{text}");
}

#[test]
fn what_was_saved_may_end_a_set() {
    let (text, _) = selected(
        &host(),
        &[
            c("a SEARCH RETURN (SAVE) 5:6"),
            c("b FETCH 1,3,$ UID"),
            c("c UID FETCH 1,$ UID"),
            c("d SEARCH 2,$"),
            c("e FETCH $,1 UID"),
        ],
    );
    same(
        &text,
        "a OK Searched\n* 1 FETCH (UID 1)\n* 3 FETCH (UID 3)\n* 5 FETCH (UID 5)\n\
         * 6 FETCH (UID 9)\nb OK Fetched\n* 1 FETCH (UID 1)\n* 5 FETCH (UID 5)\n\
         * 6 FETCH (UID 9)\nc OK Fetched\n* SEARCH 2 5 6\nd OK Searched\n\
         e BAD Expected a space at octet 9\n",
    );
}

#[test]
fn nothing_may_follow_compress_before_its_answer() {
    let mut talk = Talk::new(config(), host());
    talk.receive(b"L LOGIN ann s3cret\r\na COMPRESS DEFLATE\r\nb NOOP\r\n", 1000);
    let text = String::from_utf8_lossy(&talk.sent).into_owned();
    let wanted = "a BAD Nothing may follow COMPRESS before its answer\r\nb OK Done\r\n";
    assert!(text.ends_with(wanted), "{text}");
    assert!(talk.host.events.is_empty(), "the host compresses nothing");
    let (text, talk) = logged_in(&host(), &[c("a COMPRESS DEFLATE"), c("b NOOP")]);
    same(&text, "a OK DEFLATE active\nb OK Done\n");
    assert_eq!(talk.host.events, ["Compress"]);
}

#[test]
fn replace_is_one_action() {
    let (text, talk) = selected(
        &host(),
        &[
            octets("a REPLACE 2 INBOX (\\Draft) {3+}\nnew\n"),
            octets("b UID REPLACE 9 Other {3}\n"),
            octets("c REPLACE 9 INBOX {3+}\nnew\n"),
            octets("d UID REPLACE 99 INBOX {3+}\nnew\n"),
            octets("e REPLACE 1 INBOX {3+}\nnew {3+}\nmore\n"),
            octets("f REPLACE 1 Nowhere {3}\n"),
            c("g REPLACE 1 INBOX x"),
            c("h EXAMINE INBOX"),
            octets("i REPLACE 1 INBOX {3}\n"),
        ],
    );
    let rest = text.find("h OK").expect("it is selected");
    let (text, last) =
        (text[..text.find("* OK [CLOSED]").unwrap_or(rest)].to_owned(), &text[rest..]);
    same(
        &text,
        "* OK [APPENDUID 7 10] The replacement is there\n* 2 EXPUNGE\n* 6 EXISTS\n* 2 RECENT\n\
         a OK Replaced\nb NO [TRYCREATE] There is no such mailbox\n\
         c BAD There is no message with this number\n\
         d NO [NONEXISTENT] There is no such message\n\
         e BAD Only one message, and after it the end of the command\n\
         f NO [TRYCREATE] There is no such mailbox\n\
         g BAD Expected the end of the command at octet 18\n",
    );
    assert!(last.ends_with("i NO [NOPERM] This mailbox is open read-only\r\n"), "{last}");
    assert!(talk.host.append.is_empty());
}

#[test]
fn utf8_is_enabled_and_messages_come_in_its_form() {
    let mut host = host();
    host.mailbox("Other");
    let (text, talk) = logged_in(
        &host,
        &[
            octets("a APPEND Other UTF8 (~{3+}\nabc)\n"),
            octets("b APPEND Other UTF8 (~{3+}\nabc\n"),
            octets("c APPEND Other UTF8 ({3+}\nabc)\n"),
            octets("d APPEND Other (\\Seen) UTF8 (~{3+}\nabc) UTF8 (~{2+}\nde)\n"),
            c("e ENABLE UTF8=ACCEPT"),
            c("f CREATE \"Entwürfe\""),
            c("g STATUS \"Entwürfe\" (MESSAGES)"),
            c("h SEARCH CHARSET UTF-8 ALL"),
            c("i SELECT Other"),
            c("j SEARCH CHARSET UTF-8 ALL"),
            c("k SEARCH ALL"),
        ],
    );
    assert!(text.starts_with("a OK [APPENDUID 7 1] Appended\r\nb BAD A parenthesis"), "{text}");
    assert!(text.contains("c BAD UTF8 and a literal8"), "{text}");
    assert!(text.contains("d OK [APPENDUID 7 2,3] Appended"), "{text}");
    assert!(text.contains("* ENABLED UTF8=ACCEPT\r\ne OK Enabled"), "{text}");
    assert!(text.contains("* STATUS \"Entwürfe\" (MESSAGES 0)"), "{text}");
    assert!(text.contains("j BAD After UTF8=ACCEPT no charset is named"), "{text}");
    assert!(text.contains("* SEARCH 1 2 3\r\nk OK"), "{text}");
    assert!(talk.host.append.is_empty());
}

#[test]
fn uids_after_and_before_are_ranges_that_end() {
    let (text, _) = selected(
        &host(),
        &[
            c("a UID SEARCH UIDAFTER 4"),
            c("b UID SEARCH UIDAFTER 9"),
            c("c UID SEARCH UIDAFTER 4294967295"),
            c("d UID SEARCH UIDBEFORE 3"),
            c("e UID SEARCH UIDBEFORE 1"),
            c("f UID SEARCH NOT UIDBEFORE 5 UIDBEFORE 9"),
            c("g UID SEARCH UIDAFTER 0"),
        ],
    );
    same(
        &text,
        "* SEARCH 5 9\na OK Searched\n* SEARCH\nb OK Searched\n* SEARCH\nc OK Searched\n\
         * SEARCH 1 2\nd OK Searched\n* SEARCH\ne OK Searched\n* SEARCH 5\nf OK Searched\n\
         g BAD Expected a number above 0 at octet 23\n",
    );
}

/// A URL of the test host with its token.
fn authorized(rump: &str) -> String {
    let token = KEY.token(rump.as_bytes());
    let digits: String = token.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{rump}:internal:{digits}")
}

#[test]
fn urls_are_authorized_and_lead_to_octets_until_they_expire() {
    let rump = "imap://ann@mail.example/INBOX/;UID=2;URLAUTH=anonymous";
    let text = "imap://ann@MAIL.example:143/INBOX/;UID=2/;SECTION=TEXT;URLAUTH=anonymous";
    let field = "imap://ann@mail.example/INBOX/;UID=2/;SECTION=HEADER.FIELDS%20(X-Preview);URLAUTH=authuser";
    // The session stands at 22:13:20.
    let [early, late] = ["22:13:20Z", "22:13:21Z"].map(|until| {
        format!("imap://ann@mail.example/INBOX/;UID=2/;SECTION=TEXT;EXPIRE=2023-11-14T{until};URLAUTH=anonymous")
    });
    let steps = [
        c(&format!("a GENURLAUTH \"{rump}\" INTERNAL {text} internal")),
        c(&format!("b URLFETCH \"{}\" \"{}\"", authorized(text), authorized(field))),
        c(&format!("c URLFETCH {} {}", authorized(&early), authorized(&late))),
        c(&format!("d URLFETCH {} {rump} x", authorized(rump).replace("UID=2", "UID=3"))),
        c("e FETCH 2 FLAGS"),
    ];
    let (said, talk) = selected(&host(), &steps);
    same(
        &said,
        &format!(
            "* GENURLAUTH \"{}\" \"{}\"\na OK URLs authorized\n\
             * URLFETCH \"{}\" {{3}}\n2\n\n* URLFETCH \"{}\" {{21}}\nX-Preview: text 2\n\n\nb OK URLs followed\n\
             * URLFETCH \"{}\" NIL\n* URLFETCH \"{}\" {{3}}\n2\n\nc OK URLs followed\n\
             * URLFETCH \"{}\" NIL\n* URLFETCH \"{rump}\" NIL\n* URLFETCH \"x\" NIL\nd OK URLs followed\n\
             * 2 FETCH (FLAGS (\\Seen))\ne OK Fetched\n",
            authorized(rump),
            authorized(text),
            authorized(text),
            authorized(field),
            authorized(&early),
            authorized(&late),
            authorized(rump).replace("UID=2", "UID=3"),
        ),
    );
    assert_eq!(talk.host.events, ["Unpeeked"; 3]);
}

#[test]
fn a_url_that_is_not_right_is_refused_whole() {
    let right = "imap://ann@mail.example/INBOX/;UID=2;URLAUTH=anonymous";
    let steps = [
        c(&format!("a GENURLAUTH {right} INTERNAL {} INTERNAL", right.replace("ann@", "bob@"))),
        c(&format!("b GENURLAUTH {} INTERNAL", right.replace("mail.", "web."))),
        c(&format!("c GENURLAUTH {right} XSAMPLE")),
        c(&format!("d GENURLAUTH {} INTERNAL", right.replace("ann@", ""))),
        c("e RESETKEY"),
        c("f RESETKEY INBOX internal"),
        c("g RESETKEY INBOX XSAMPLE"),
        c(&format!("h URLFETCH{}", " x".repeat(33))),
        c(&format!("i URLFETCH \"{}\"", "x".repeat(4097))),
    ];
    let (said, _) = selected(&host(), &steps);
    same(
        &said,
        "a BAD A URL is of no mailbox that you have here\nb BAD A URL is of no mailbox that you have here\n\
         c NO [CANNOT] INTERNAL is the only mechanism here\n\
         d BAD Expected a URL that names its owner before an @ at octet 63\n\
         e OK All keys removed\nf OK [URLMECH INTERNAL] The key is a new one\n\
         g NO [CANNOT] INTERNAL is the only mechanism here\n\
         h BAD Expected at most 32 URLs at octet 75\n\
         i BAD Expected a URL of at most 4,096 octets at octet 4110\n",
    );
}
