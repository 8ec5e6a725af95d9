//! IMAP before a mailbox is open: greeting, login, TLS, literals, names.

mod imap_host;

use imap_host::*;
use pillarbox_engine::imap::types::{Call, Config};
use pillarbox_engine::types::{Farewell, Reason, TlsOffer};

const CAPABILITIES: &str = "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID ENABLE IDLE LANGUAGE";
const LOGGED_IN: &str = "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID ENABLE IDLE LANGUAGE NAMESPACE UNSELECT UIDPLUS \
                         MOVE CHILDREN SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE \
                         ESEARCH SEARCHRES BINARY CONDSTORE QRESYNC SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES I18NLEVEL=1 WITHIN SAVEDATE OBJECTID PREVIEW PARTIAL MULTIAPPEND APPENDLIMIT=52428800 UNAUTHENTICATE \
                         COMPRESS=DEFLATE QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE \
                         QUOTA=RES-MAILBOX QUOTASET METADATA METADATA-SERVER UTF8=ACCEPT REPLACE \
                         SAVELIMIT=1000 NOTIFY ACL RIGHTS=kxte \
         LIST-MYRIGHTS CONTEXT=SEARCH CONTEXT=SORT MULTISEARCH SEARCH=FUZZY CATENATE URLAUTH UIDONLY LIST-METADATA INPROGRESS";

#[test]
fn a_session_from_greeting_to_logout() {
    let steps = [
        c("a CAPABILITY"),
        c("b LOGIN ann wrong"),
        c("c login {3}"),
        c("ann {6+}"),
        c("s3cret"),
        c("d NAMESPACE"),
        c("e ID NIL"),
        c("f ENABLE IMAP4REV2 X"),
        c("g LOGIN ann s3cret"),
        c("h FETCH 1 FLAGS"),
        c("i LOGOUT"),
    ];
    let (text, talk) = run(&config(), &Host::new(), &steps);
    same(
        &text,
        &format!(
            "* OK [CAPABILITY {CAPABILITIES} AUTH=PLAIN] mail.example IMAP server ready\n\
             * CAPABILITY {CAPABILITIES} AUTH=PLAIN\na OK Capabilities told\n\
             b NO [AUTHENTICATIONFAILED] Name or password is wrong\n\
             + Ready for the literal\n\
             c OK [CAPABILITY {LOGGED_IN}] Logged in\n\
             * NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) NIL\nd OK Namespaces told\n\
             * ID (\"name\" \"Pillarbox\")\ne OK This is who I am\n\
             * ENABLED IMAP4rev2\nf OK Enabled\n\
             g BAD Already logged in\nh BAD Select a mailbox first\n\
             * BYE Logging out\ni OK Logged out\n"
        ),
    );
    assert!(talk.closed);
    assert_eq!(talk.host.events, ["Logout"]);
}

#[test]
fn no_password_in_the_clear_and_nothing_before_tls_counts() {
    let mut config = Config { tls: TlsOffer::Upgrade, ..config() };
    config.auth.cleartext = false;
    let steps = [
        c("a LOGIN ann s3cret"),
        c("b AUTHENTICATE PLAIN AGFubgBzM2NyZXQ="),
        // Injected after STARTTLS, in the same segment.
        c("c STARTTLS\r\nd NOOP"),
        c("e AUTHENTICATE PLAIN"),
        c("AGFubgBzM2NyZXQ="),
        c("f STARTTLS"),
    ];
    // Octet by octet the injected command arrives after the handshake of the test's host, so only
    // whole counts here.
    let mut talk = Talk::new(config, Host::new());
    steps.iter().for_each(|step| talk.step(step, usize::MAX));
    let text = String::from_utf8_lossy(&talk.sent);
    same(
        &text,
        &format!(
            "* OK [CAPABILITY {CAPABILITIES} STARTTLS LOGINDISABLED] mail.example IMAP server ready\n\
             a NO [PRIVACYREQUIRED] Start TLS first\nb NO [PRIVACYREQUIRED] Start TLS first\n\
             c OK Begin TLS now\n+ \ne OK [CAPABILITY {LOGGED_IN}] Logged in\nf BAD Already logged in\n"
        ),
    );
}

#[test]
fn what_is_left_out_is_neither_announced_nor_accepted() {
    let without = ["IMAP4REV2", "literal+", "MOVE", "SASL-IR", "IDLE"];
    let without = without.iter().map(|name| name.as_bytes().to_vec()).collect();
    let config = Config { without, ..config() };
    let steps = [
        c("a AUTHENTICATE PLAIN AGFubgBzM2NyZXQ="),
        c("b LOGIN ann s3cret"),
        c("c IDLE"),
        c("d ENABLE IMAP4rev2"),
        c(&format!("e STATUS {{5000+}}\r\n{} (MESSAGES)", "x".repeat(5000))),
        c(&format!("f APPEND INBOX {{5000+}}\r\n{}", "NOOP\r\n..".repeat(625))),
        c("g APPEND INBOX {4+}\r\nok\r\n"),
    ];
    let (text, _) = run(&config, &Host::new(), &steps);
    same(
        &text,
        "* OK [CAPABILITY IMAP4rev1 LITERAL- ID ENABLE LANGUAGE AUTH=PLAIN] mail.example IMAP server ready\n\
         a BAD This is not offered here\n\
         b OK [CAPABILITY IMAP4rev1 LITERAL- ID ENABLE LANGUAGE NAMESPACE UNSELECT UIDPLUS CHILDREN SPECIAL-USE \
         CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH SEARCHRES BINARY CONDSTORE QRESYNC SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES I18NLEVEL=1 WITHIN SAVEDATE OBJECTID PREVIEW PARTIAL MULTIAPPEND APPENDLIMIT=52428800 UNAUTHENTICATE \
         COMPRESS=DEFLATE QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE QUOTA=RES-MAILBOX QUOTASET \
         METADATA METADATA-SERVER UTF8=ACCEPT REPLACE SAVELIMIT=1000 NOTIFY ACL RIGHTS=kxte \
         LIST-MYRIGHTS CONTEXT=SEARCH CONTEXT=SORT MULTISEARCH SEARCH=FUZZY CATENATE URLAUTH UIDONLY LIST-METADATA INPROGRESS] Logged in\n\
         c BAD This is not offered here\n* ENABLED\nd OK Enabled\n\
         e BAD [TOOBIG] The literal is too large\nf BAD [TOOBIG] Without waiting, at most 4,096 octets\n\
         g OK [APPENDUID 7 1] Appended\n",
    );
}

#[test]
fn what_is_no_command_is_answered_and_passed_by() {
    let steps = [
        c("a b c"),
        c(""),
        c("a LOGIN x\0y z"),
        c("a LOGIN {5+}\r\na b\r\n \"open"),
        c("a LOGIN {4294967296}"),
        c("a LOGIN {9223372036854775808}"),
        c("a NOOP extra"),
        c("a AUTHENTICATE X-NONE"),
        c("a AUTHENTICATE PLAIN\r\n*"),
        c("a NOOP"),
    ];
    let (text, talk) = run(&config(), &Host::new(), &steps);
    let text = text.split_once("\r\n").expect("a greeting").1;
    let replies: Vec<&str> = text.lines().map(|line| &line[..5.min(line.len())]).collect();
    assert_eq!(
        replies,
        [
            "a BAD", "* BAD", "a BAD", "a BAD", "a BAD", "a BAD", "a BAD", "a NO ", "+ ", "a BAD",
            "a OK "
        ]
    );
    assert!(!talk.closed);
}

#[test]
fn who_errs_too_often_or_is_silent_is_told_bye() {
    let steps: Vec<Step> = (0..30).map(|_| c("x y")).collect();
    let (text, talk) = run(&config(), &Host::new(), &steps);
    assert!(talk.closed && text.ends_with("* BYE Too many errors\r\n"));
    assert_eq!(text.matches(" BAD ").count(), 21);
    let long = "x".repeat(9000);
    let (text, talk) = run(&config(), &Host::new(), &[c(&long), c(&long), c(&long)]);
    assert!(talk.closed && text.ends_with("* BYE Too many errors\r\n"));
    let (text, talk) = run(&config(), &Host::new(), &[Step::Wait(60_000)]);
    assert!(talk.closed && text.ends_with("* BYE Silent for too long\r\n"));
    let (text, talk) = logged_in(&Host::new(), &[Step::Wait(60_000), c("a NOOP")]);
    assert!(!talk.closed);
    same(&text, "a OK Done\n");
    let farewell = Step::Call(Call::Farewell(Farewell::ShuttingDown));
    let (text, talk) = logged_in(&Host::new(), &[farewell]);
    assert!(talk.closed);
    same(&text, "* BYE [UNAVAILABLE] This server stops, try again later\n");
    assert_eq!(
        pillarbox_engine::imap::farewell(Farewell::TooManyConnections),
        b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n"
    );
}

fn tree() -> Host {
    let mut host = Host::new();
    host.put("INBOX", "Subject: x\n\nbody\n", 0);
    for name in ["Archive", "Archive/2024", "Archive/2025", "R&D", "日本"] {
        host.mailbox(name);
    }
    host.mailbox("Archive/2025").subscribed = true;
    host.mailbox("INBOX").subscribed = true;
    host.mailbox("Archive").special_uses = vec![pillarbox_engine::imap::types::SpecialUse::Archive];
    host
}

#[test]
fn list_and_its_relatives() {
    let steps = [
        c("a LIST \"\" \"\""),
        c("b LIST \"\" %"),
        c("c LIST Archive/ *"),
        c("d LIST (SUBSCRIBED) \"\" *"),
        c("e LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %"),
        c("f LSUB \"\" %"),
        c("g LIST \"\" (inbox) RETURN (STATUS (MESSAGES UNSEEN SIZE))"),
        c("h LIST (SPECIAL-USE) \"\" *"),
        c("i LIST (RECURSIVEMATCH) \"\" *"),
        c("j ENABLE IMAP4rev2"),
        c("k LIST \"\" \"日*\""),
        c("l SETMETADATA INBOX (/Private/specialUse NIL)"),
    ];
    let (text, _) = logged_in(&tree(), &steps);
    same(
        &text,
        "* LIST (\\Noselect) \"/\" \"\"\na OK Listed\n\
         * LIST (\\HasChildren \\Archive) \"/\" Archive\n* LIST (\\HasNoChildren) \"/\" INBOX\n\
         * LIST (\\HasNoChildren) \"/\" R&-D\n* LIST (\\HasNoChildren) \"/\" &ZeVnLA-\nb OK Listed\n\
         * LIST (\\HasNoChildren) \"/\" Archive/2024\n* LIST (\\HasNoChildren) \"/\" Archive/2025\nc OK Listed\n\
         * LIST (\\Subscribed \\HasNoChildren) \"/\" Archive/2025\n\
         * LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX\nd OK Listed\n\
         * LIST (\\HasChildren \\Archive) \"/\" Archive (\"CHILDINFO\" (\"SUBSCRIBED\"))\n\
         * LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX\ne OK Listed\n\
         * LSUB (\\Noselect) \"/\" Archive\n* LSUB () \"/\" INBOX\nf OK Listed\n\
         * LIST (\\HasNoChildren) \"/\" INBOX\n* STATUS INBOX (MESSAGES 1 UNSEEN 1 SIZE 20)\ng OK Listed\n\
         * LIST (\\HasChildren \\Archive) \"/\" Archive\nh OK Listed\n\
         i BAD Expected a selection beside RECURSIVEMATCH at octet 28\n\
         * ENABLED IMAP4rev2\nj OK Enabled\n\
         * LIST (\\HasNoChildren) \"/\" \"日本\"\nk OK Listed\n\
         l NO [CANNOT] CREATE alone says what a mailbox is for\n",
    );
}

/// RFC 5258 §5, examples 8 and 10: what is only subscribed makes a name appear, and is no child of it.
#[test]
fn subscriptions_below_a_name_are_no_children() {
    let mut host = tree();
    for name in ["Lost/one", "R&D/lost"] {
        let mailbox = host.mailbox(name);
        (mailbox.subscribed, mailbox.gone) = (true, true);
    }
    host.mailbox("Kept/one").subscribed = true;
    let steps = [c("a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (Kept Lost R%)")];
    let (text, _) = logged_in(&host, &steps);
    same(
        &text,
        "* LIST (\\NonExistent \\HasChildren) \"/\" Kept (\"CHILDINFO\" (\"SUBSCRIBED\"))\n\
         * LIST (\\NonExistent \\HasNoChildren) \"/\" Lost (\"CHILDINFO\" (\"SUBSCRIBED\"))\n\
         * LIST (\\HasNoChildren) \"/\" R&-D (\"CHILDINFO\" (\"SUBSCRIBED\"))\na OK Listed\n",
    );
}

#[test]
fn mailboxes_are_made_renamed_and_removed() {
    let steps = [
        c("a CREATE Work/"),
        c("b CREATE Work"),
        c("c CREATE inbox"),
        c("d RENAME Work Play"),
        c("e DELETE Work"),
        c("f DELETE INBOX"),
        c("g SUBSCRIBE Play"),
        c("h STATUS Play (MESSAGES UIDNEXT UIDVALIDITY RECENT DELETED)"),
        c("i CREATE ../x"),
        c("j CREATE \"Se&nt\""),
        c("k CREATE Gone (USE (\\Sent))"),
        c("l SELECT Nowhere"),
        c("m UNSUBSCRIBE Play"),
    ];
    let (text, _) = logged_in(&Host::new(), &steps);
    same(
        &text,
        "a OK [MAILBOXID (m1)] Created\nb NO [ALREADYEXISTS] It exists already\nc NO [ALREADYEXISTS] INBOX is always there\n\
         d OK Renamed\ne NO [NONEXISTENT] There is no such mailbox\nf NO [CANNOT] INBOX cannot be deleted\n\
         g OK Subscribed\n* STATUS Play (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7 RECENT 0 DELETED 0)\nh OK Status told\n\
         i NO [CANNOT] No mailbox can have this name\nj NO [CANNOT] No mailbox can have this name\n\
         k OK [MAILBOXID (m1)] Created\nl NO [NONEXISTENT] There is no such mailbox\nm OK Unsubscribed\n",
    );
}

#[test]
fn a_refusal_has_its_code() {
    let refusals = [
        (Reason::OverQuota, "[OVERQUOTA]"),
        (Reason::InUse, "[INUSE]"),
        (Reason::StorageFull, "[UNAVAILABLE]"),
        (Reason::NotPermitted, "[NOPERM]"),
        (Reason::TooMany, "[LIMIT]"),
    ];
    for (reason, code) in refusals {
        let mut host = Host::new();
        host.refuse = Some(reason);
        let (text, _) = logged_in(&host, &[c("a CREATE x"), c("b LIST \"\" *")]);
        assert_eq!(text.matches(&format!(" NO {code} ")).count(), 2, "{text}");
    }
}

/// Whatever comes, in every state, nothing panics, and the session still answers or has said BYE.
#[test]
fn garbage_never_panics() {
    let words: [&[u8]; 36] = [
        b"a ",
        b"FETCH ",
        b"1:* ",
        b"(",
        b")",
        b"BODY[",
        b"]",
        b"<0.5>",
        b"UID ",
        b"SEARCH ",
        b"OR ",
        b"NOT ",
        b"{3}\r\n",
        b"{3+}\r\n",
        b"abc",
        b"\r\n",
        b"\"",
        b"\\",
        b"SELECT INBOX\r\n",
        b"APPEND INBOX ",
        b"IDLE\r\n",
        b"DONE\r\n",
        b"STORE ",
        b"FLAGS ",
        b"\\Seen ",
        b"$",
        b"\0",
        b"\xff",
        b"~{2}\r\n",
        b"LIST ",
        b"TEXT x ",
        b"RETURN (SAVE) ",
        b"1.2.HEADER.FIELDS (A)",
        b"COPY ",
        b"LOGIN ann s3cret\r\n",
        b"EXPUNGE\r\n",
    ];
    let mut state = 1_u32;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for round in 0..3000 {
        let mut host = tree();
        host.put("INBOX", "Subject: y\n\n--b\n\nx\n--b--\n", 0);
        let mut talk = Talk::new(config(), host);
        if round % 3 > 0 {
            talk.receive(b"L LOGIN ann s3cret\r\n", 100);
        }
        if round % 3 > 1 {
            talk.receive(b"S SELECT INBOX\r\n", 100);
        }
        for _ in 0..random(60) {
            let word = words[random(words.len())];
            talk.receive(word, 1 + random(9));
        }
    }
}
