//! Commands: IMAP's programs, sets, patterns, lists and literals, in one command as long as it may be and in many; orders
//! and threads of many messages; and the same of SMTP and POP3.

use std::sync::Arc;

use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::limits::{CHUNK_MAX, Limits};
use pillarbox_engine::sasl::{AuthOffer, Mechanism};
use pillarbox_engine::types::{Now, Peer, TlsOffer};
use pillarbox_engine::{Role, Session, imap, pop3, smtp};
use pillarbox_world::conversation::{Conversation, Driven, at_once};
use pillarbox_world::service::local::LocalBackend;
use pillarbox_world::service::{Backend, ImapService, Pop3Service, Service, SmtpService};
use pillarbox_world::store::{Body, Deliver, NewMessage, Write};

use super::cost::Work;
use super::{Bomb, MOST, done, numbered, repeated};

type Make = fn(usize) -> Vec<u8>;

const NOW: Now = Now { monotonic_ms: 1000, unix_ms: 1_767_603_600_000 };
const MESSAGES: usize = 20;
/// Octets of one line of IMAP that is not too long, which would only be passed by.
const LINE: usize = 65_000;

fn auth() -> AuthOffer {
    AuthOffer { mechanisms: vec![Mechanism::Plain], password_commands: true, cleartext: true }
}

type Imap = Conversation<imap::Server, Session<imap::Server>, ImapService<LocalBackend>>;

/// A session with a mailbox of so many messages open.
fn imap_session(messages: usize, message: fn(usize) -> String) -> Imap {
    let backend = Arc::new(LocalBackend::new(b"hamburger.edu"));
    for number in 0..messages {
        deliver(&backend, message(number).into_bytes());
    }
    // Mistakes do not end it, so that there is more of it.
    let limits = Limits { errors_max: u32::MAX, idle_commands_max: u32::MAX, ..Limits::IMAP };
    let config = imap::types::Config {
        preauth: None,
        host_name: b"hamburger.edu".to_vec(),
        peer: Peer::default(),
        session_id: b"1".to_vec(),
        tls: TlsOffer::None,
        auth: auth(),
        without: vec![],
        faults: false,
        limits,
        trace: false,
    };
    let mut talk = Conversation::new(Session::new(config, NOW), ImapService::new(backend, 1), NOW);
    let said =
        talk.say(b"a LOGIN bob x\r\nb SELECT INBOX\r\n").expect("the host keeps the contract");
    assert!(said.ends_with(b"b OK [READ-WRITE] Selected\r\n"), "{}", said.escape_ascii());
    talk
}

fn deliver(backend: &LocalBackend, octets: Vec<u8>) {
    let index = pillarbox_mime::index(&octets, octets.len() as u64);
    let message = NewMessage {
        plain: index.plain,
        index: index.encode(),
        body: Body::Whole(octets),
        flags: Flags::default(),
        internal_date_ms: NOW.unix_ms,
        internal_date_zone: 0,
    };
    let (accounts, reports) = (vec![b"bob@hamburger.edu".to_vec()], Vec::new());
    let deliver =
        Deliver { accounts, junk: false, relay: None, message, reports, now_ms: NOW.unix_ms };
    at_once(backend.write(0, Write::Deliver(Box::new(deliver)))).expect("there is room");
}

fn letter(number: usize) -> String {
    format!("Subject: x{number}\r\nFrom: a@b\r\nMessage-ID: <{number}@x>\r\n\r\nwords {number}\r\n")
}

/// One command: with literals it may be longer than a line may.
const IMAP: [(&str, Make); 26] = [
    ("SEARCH, NOT in NOT", |n| repeated("a SEARCH", " NOT", " ALL\r\n", n)),
    ("SEARCH, OR in OR", |n| repeated("a SEARCH", " OR ALL", " ALL ALL\r\n", n)),
    ("SEARCH, lists in lists", |n| repeated("a SEARCH ", "(", "ALL\r\n", n)),
    ("SEARCH, many keys", |n| repeated("a SEARCH", " SEEN", "\r\n", n)),
    ("SEARCH, many texts", |n| repeated("a SEARCH", " TEXT q", "\r\n", n)),
    ("SEARCH, many texts of which one must be there", |n| {
        repeated("a SEARCH", " OR TEXT q", " ALL\r\n", n)
    }),
    ("SEARCH, a long text", |n| repeated("a SEARCH TEXT ", "a", "\r\n", n)),
    ("SEARCH, fuzzy words", |n| repeated("a SEARCH FUZZY TEXT \"", "ab ", "\"\r\n", n)),
    ("SEARCH, a set", |n| repeated("a SEARCH 1", ",3", "\r\n", n)),
    ("SEARCH, sets", |n| repeated("a SEARCH", " 1:*,2:*", "\r\n", n)),
    ("SEARCH, header fields", |n| repeated("a SEARCH", " HEADER X y", "\r\n", n)),
    ("SEARCH, literals", |n| repeated("a SEARCH", " TEXT {1+}\r\nx", "\r\n", n)),
    ("SORT by many", |n| repeated("a SORT (DATE", " SUBJECT", ") UTF-8 ALL\r\n", n)),
    ("FETCH of a set", |n| numbered("a FETCH 1", n, |at| format!(",{}", 2 * at + 3))),
    ("FETCH of a set from its end", |n| {
        numbered("a UID FETCH 1", n, |at| format!(",{}", 999_999_999 - 2 * at))
    }),
    ("FETCH of fields", |n| repeated("a FETCH 1:* BODY.PEEK[HEADER.FIELDS (A", " B", ")]\r\n", n)),
    ("FETCH of parts", |n| repeated("a FETCH 1 BODY.PEEK[1", ".1", "]\r\n", n)),
    ("STORE of keywords", |n| numbered("a STORE 1 +FLAGS (x", n, |at| format!(" k{at}"))),
    ("LIST by wildcards", |n| repeated("a LIST \"\" \"", "*%a", "\"\r\n", n)),
    ("LIST by patterns", |n| repeated("a LIST \"\" (x", " *", ")\r\n", n)),
    ("STATUS of items", |n| repeated("a STATUS INBOX (MESSAGES", " UNSEEN", ")\r\n", n)),
    ("a name of levels", |n| repeated("a CREATE x", "/x", "\r\n", n)),
    ("a name of shifts", |n| repeated("a CREATE x", "&ZeU-", "\r\n", n)),
    ("NOTIFY of groups", |n| {
        repeated("a NOTIFY SET", " (personal (MessageNew MessageExpunge))", "\r\n", n)
    }),
    ("ID of fields", |n| repeated("a ID (\"x\" NIL", " \"y\" \"z\"", ")\r\n", n)),
    ("GENURLAUTH of URLs", |n| {
        repeated("a GENURLAUTH", " imap://bob@x/INBOX/;UID=1;URLAUTH=anonymous INTERNAL", "\r\n", n)
    }),
];

/// Many commands.
const IMAP_MANY: [(&str, Make); 4] = [
    ("commands", |n| repeated("", "a NOOP\r\n", "", n)),
    ("what is no command", |n| repeated("", "a b\r\n", "", n)),
    ("searches", |n| repeated("", "a SEARCH TEXT q\r\n", "", n)),
    ("bodies", |n| repeated("", "a FETCH 1:5 (BODY[] ENVELOPE BODYSTRUCTURE)\r\n", "", n)),
];

/// A name, the message of each number, and what is said then.
type Grown = (&'static str, fn(usize) -> String, &'static str);

/// Mailboxes of as many messages as the size says.
const MAILBOXES: [Grown; 11] = [
    ("SEARCH of many", letter, "a SEARCH OR TEXT nothing SUBJECT none\r\n"),
    ("SORT of many", letter, "a SORT (SUBJECT REVERSE DATE) UTF-8 ALL\r\n"),
    ("SORT of one subject", |_| "Subject: x\r\n\r\n".to_owned(), "a SORT (SUBJECT) UTF-8 ALL\r\n"),
    ("THREAD of one chain", chain, "a THREAD REFERENCES UTF-8 ALL\r\n"),
    (
        "THREAD of one chain, the last first",
        |at| chain(1_000_000 - at),
        "a THREAD REFERENCES UTF-8 ALL\r\n",
    ),
    (
        "THREAD of one parent",
        |at| format!("Message-ID: <{at}@x>\r\nReferences: <0@x>\r\n\r\n"),
        "a THREAD REFERENCES UTF-8 ALL\r\n",
    ),
    (
        "THREAD of children that come after what names them",
        late,
        "a THREAD REFERENCES UTF-8 ALL\r\n",
    ),
    (
        "THREAD of loops",
        |at| {
            format!(
                "Message-ID: <{at}@x>\r\nReferences: <{}@x> <0@x> <{at}@x>\r\n\r\n",
                at.wrapping_sub(1)
            )
        },
        "a THREAD REFERENCES UTF-8 ALL\r\n",
    ),
    (
        "THREAD of one subject",
        |at| format!("Subject: Re: x\r\nMessage-ID: <{at}@x>\r\n\r\n"),
        "a THREAD REFERENCES UTF-8 ALL\r\n",
    ),
    ("THREAD ORDEREDSUBJECT of many", letter, "a THREAD ORDEREDSUBJECT UTF-8 ALL\r\n"),
    ("FETCH of many", letter, "a FETCH 1:* (FLAGS ENVELOPE)\r\n"),
];

fn chain(at: usize) -> String {
    format!("Message-ID: <{at}@x>\r\nReferences: <{}@x>\r\n\r\n", at.wrapping_sub(1))
}

/// Messages that name children of one parent, in their order; then those children come, and say otherwise.
fn late(at: usize) -> String {
    let (round, place) = (at / 512, at % 512);
    if place < 256 {
        format!("Message-ID: <n{at}@x>\r\nReferences: <p@x> <{round}.{place}@x>\r\n\r\n")
    } else {
        format!("Message-ID: <{round}.{}@x>\r\nReferences: <q@x>\r\n\r\n", place - 256)
    }
}

const SMTP: [(&str, Make); 10] = [
    ("recipients", |n| numbered("MAIL FROM:<a@b>\r\n", n, |at| format!("RCPT TO:<b{at}@x>\r\n"))),
    ("one recipient again", |n| repeated("MAIL FROM:<a@b>\r\n", "RCPT TO:<b@x>\r\n", "", n)),
    ("parameters", |n| repeated("MAIL FROM:<a@b>", " SIZE=1", "\r\n", n)),
    ("a route", |n| repeated("MAIL FROM:<@a", ",@a", ":b@c>\r\n", n)),
    ("a quoted name", |n| repeated("MAIL FROM:<\"", "\\\"", "\"@c>\r\n", n)),
    ("commands", |n| repeated("", "NOOP\r\n", "", n)),
    ("transactions", |n| repeated("", "MAIL FROM:<a@b>\r\nRSET\r\n", "", n)),
    ("dots", |n| repeated("MAIL FROM:<a@b>\r\nRCPT TO:<b@x>\r\nDATA\r\n", "..\r\n", ".\r\n", n)),
    ("fields", |n| {
        repeated("MAIL FROM:<a@b>\r\nRCPT TO:<b@x>\r\nDATA\r\n", "x: y\r\n", "\r\n.\r\n", n)
    }),
    ("octets one at a time", |n| {
        repeated("MAIL FROM:<a@b>\r\nRCPT TO:<b@x>\r\n", "BDAT 1\r\nx", "BDAT 0 LAST\r\n", n)
    }),
];

const POP3: [(&str, Make); 4] = [
    ("commands", |n| repeated("", "NOOP\r\n", "", n)),
    ("lists", |n| repeated("", "UIDL\r\nLIST\r\n", "", n)),
    ("what is no command", |n| repeated("", "X\r\n", "", n)),
    ("removals", |n| repeated("", "DELE 1\r\nRSET\r\n", "", n)),
];

pub(super) fn bombs() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    let mut put = |protocol: &str, what: &str, most, work: Box<Work<'static>>| {
        bombs.push(Bomb { what: format!("{protocol}: {what}"), least: 1 << 10, most, work });
    };
    let lines = IMAP.iter().map(|one| (one, LINE));
    for (&(what, make), most) in lines.chain(IMAP_MANY.iter().map(|one| (one, MOST))) {
        put(
            "IMAP",
            what,
            most,
            Box::new(move |size| {
                let (mut talk, octets) = (imap_session(MESSAGES, letter), make(size));
                Box::new(move || say(&mut talk, &octets))
            }),
        );
    }
    for &(what, make) in &SMTP {
        put(
            "SMTP",
            what,
            MOST,
            Box::new(move |size| {
                let (mut talk, octets) = (smtp_session(), make(size));
                Box::new(move || say(&mut talk, &octets))
            }),
        );
    }
    for &(what, make) in &POP3 {
        put(
            "POP3",
            what,
            MOST,
            Box::new(move |size| {
                let (mut talk, octets) = (pop3_session(), make(size));
                Box::new(move || say(&mut talk, &octets))
            }),
        );
    }
    for &(what, message, command) in &MAILBOXES {
        let what = format!("IMAP: {what}");
        let work = move |size| -> Box<dyn FnOnce()> {
            let mut talk = imap_session(size, message);
            Box::new(move || {
                let said = talk.say(command.as_bytes()).expect("the host keeps the contract");
                let end = said.windows(5).any(|five| five == b"a OK ");
                assert!(end, "{}", said[said.len().saturating_sub(200)..].escape_ascii());
            })
        };
        bombs.push(Bomb { what, least: 32, most: 4096, work: Box::new(work) });
    }
    bombs
}

/// As a host reads of a socket: what a conversation is given at once, it copies each time that it offers the rest.
fn say<R: Role, D: Driven<R>, S: Service<R>>(talk: &mut Conversation<R, D, S>, octets: &[u8]) {
    for chunk in octets.chunks(CHUNK_MAX) {
        let said =
            talk.say(chunk).unwrap_or_else(|why| panic!("the host keeps the contract: {why}"));
        done(said);
    }
}

fn smtp_session() -> Conversation<smtp::Server, Session<smtp::Server>, SmtpService<LocalBackend>> {
    let limits = Limits {
        errors_max: u32::MAX,
        errors_slow: u32::MAX,
        idle_commands_max: u32::MAX,
        ..Limits::SMTP
    };
    let config = smtp::Config {
        host_name: b"hamburger.edu".to_vec(),
        service: smtp::Service::Smtp,
        peer: Peer::default(),
        session_id: b"1".to_vec(),
        tls: TlsOffer::None,
        auth: auth(),
        auth_required: false,
        extensions: smtp::Extensions::default(),
        persona: pillarbox_engine::types::Persona::Strict,
        lenient: false,
        verify: false,
        return_path: true,
        faults: false,
        index: smtp::Indexer::default(),
        limits,
        trace: false,
    };
    let service = SmtpService::new(Arc::new(LocalBackend::new(b"hamburger.edu")), 1);
    let mut talk = Conversation::new(Session::new(config, NOW), service, NOW);
    talk.say(b"").and_then(|_| talk.say(b"EHLO a\r\n")).expect("the host keeps the contract");
    talk
}

fn pop3_session() -> Conversation<pop3::Server, Session<pop3::Server>, Pop3Service<LocalBackend>> {
    let backend = Arc::new(LocalBackend::new(b"hamburger.edu"));
    (0..MESSAGES).for_each(|number| deliver(&backend, letter(number).into_bytes()));
    let limits = Limits { errors_max: u32::MAX, idle_commands_max: u32::MAX, ..Limits::POP3 };
    let config = pop3::Config {
        without: vec![],
        host_name: b"hamburger.edu".to_vec(),
        peer: Peer::default(),
        session_id: b"1".to_vec(),
        tls: TlsOffer::None,
        auth: auth(),
        apop_timestamp: None,
        login_delay_s: 0,
        persona: pillarbox_engine::types::Persona::Strict,
        faults: false,
        limits,
        trace: false,
    };
    let mut talk = Conversation::new(Session::new(config, NOW), Pop3Service::new(backend, 1), NOW);
    let said = talk.say(b"USER bob\r\nPASS x\r\n").expect("the host keeps the contract");
    assert!(said.windows(4).filter(|four| four == b"+OK ").count() >= 3, "{}", said.escape_ascii());
    talk
}
