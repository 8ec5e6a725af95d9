//! Responses: what a hostile server says to a client, in one line or in many.

use pillarbox_engine::imap::client::types as imap;
use pillarbox_engine::imap::types::SearchKey;
use pillarbox_engine::limits::Limits;
use pillarbox_engine::pop3::client::types as pop3;
use pillarbox_engine::sasl::LoginSecret;
use pillarbox_engine::smtp::client::types as smtp;
use pillarbox_engine::smtp::{MailFrom, Mailbox, RcptTo, Service};
use pillarbox_engine::types::Now;
use pillarbox_engine::{Output, Role, Session};

use super::{Bomb, MOST, repeated};

const NOW: Now = Now { monotonic_ms: 1000, unix_ms: 1_767_603_600_000 };

/// Head, piece, end.
const IMAP: [(&str, &str, &str); 28] = [
    ("* SEARCH", " 4294967295", "\r\n"),
    ("* SEARCH", " 1 3", "\r\n"),
    ("* ESEARCH (TAG \"A2\") UID ALL 1", ",3,5", "\r\n"),
    ("* ESEARCH (TAG \"A2\" X ", "(", "\r\n"),
    ("* ESEARCH (", "TAG \"A2\" MAILBOX x ", "\r\n"),
    ("* FLAGS (", "a ", ")\r\n"),
    ("* 1 FETCH (FLAGS (", "a ", "))\r\n"),
    ("* 1 FETCH (BODYSTRUCTURE ", "(", "\r\n"),
    ("* 1 FETCH (BODYSTRUCTURE (", "(\"A\" \"B\" NIL NIL NIL \"C\" 1)", " \"mixed\"))\r\n"),
    ("* 1 FETCH (BODYSTRUCTURE (\"A\" \"B\" (", "\"a\" \"b\" ", "\r\n"),
    ("* 1 FETCH (ENVELOPE (NIL NIL (", "(\"a\" \"b\" \"c\" \"d\")", "\r\n"),
    ("* 1 FETCH (", "BODY[] \"a\" ", "\r\n"),
    ("* THREAD ", "(1", "\r\n"),
    ("* THREAD ", "(1 2)", "\r\n"),
    ("* CAPABILITY ", "ABC ", "\r\n"),
    ("* LIST () \"/\" \"", "\\\"", "\"\r\n"),
    ("* NAMESPACE (", "(\"\" \"/\")", ") NIL NIL\r\n"),
    ("* QUOTA \"\" (", "A 1 2 ", ")\r\n"),
    ("* ACL x ", "a b ", "\r\n"),
    ("* METADATA x (", "/a NIL ", ")\r\n"),
    ("* OK [PERMANENTFLAGS (", "a ", ")] x\r\n"),
    ("* LIST () \"/\" ", "{9}\r\n123456789 ", "\r\n"),
    ("* X ", "{0}\r\n ", "\r\n"),
    ("* VANISHED (EARLIER) 1", ",3", "\r\n"),
    ("", "* 1 EXISTS\r\n", ""),
    ("", "* LIST () \"/\" x\r\n", ""),
    ("", "* 1 FETCH (UID 1 FLAGS (a))\r\n", ""),
    ("* 1 FETCH (UID 1 BODY[] {20000000}\r\n", "x", ""),
];

const POP3: [(&str, &str); 4] =
    [("+OK\r\n", "1 a\r\n"), ("+OK\r\n", "\r\n"), ("+OK ", "x"), ("+OK\r\n", "100000 \u{e9}\r\n")];

const SMTP: [(&str, &str, &str); 4] = [
    ("", "250-x\r\n", "250 x\r\n"),
    ("", "250-AUTH PLAIN LOGIN\r\n", "250 x\r\n"),
    ("250-AUTH", " X", "\r\n250 x\r\n"),
    ("250-", "x", "\r\n250 x\r\n"),
];

pub(super) fn bombs() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    for &(head, piece, end) in &IMAP {
        bombs.push(bomb("IMAP client", head, piece, end, |octets| {
            let mut session = imap_session();
            Box::new(move || hear(&mut session, &octets, |_| imap::Answer::Done))
        }));
    }
    for &(head, piece) in &POP3 {
        bombs.push(bomb("POP3 client", head, piece, ".\r\n", |octets| {
            let mut session = pop3_session();
            Box::new(move || hear(&mut session, &octets, pop3_answer))
        }));
    }
    for &(head, piece, end) in &SMTP {
        bombs.push(bomb("SMTP client", head, piece, end, |octets| {
            let mut session = smtp_session();
            Box::new(move || hear(&mut session, &octets, |_| smtp::Answer::Octets(Vec::new())))
        }));
    }
    bombs
}

fn bomb(
    who: &str,
    head: &'static str,
    piece: &'static str,
    end: &'static str,
    work: fn(Vec<u8>) -> Box<dyn FnOnce()>,
) -> Bomb {
    let what = format!("{who}: {}{}", head.escape_debug(), piece.escape_debug());
    let work = move |size| work(repeated(head, piece, end, size));
    Bomb { what, least: 1 << 10, most: MOST, work: Box::new(work) }
}

/// What a server says, as far as the session lives.
fn hear<R: Role>(session: &mut Session<R>, octets: &[u8], answer: fn(&R::Ask) -> R::Answer) {
    let mut rest = octets;
    while !rest.is_empty() {
        let taken = session.receive(NOW, &rest[..rest.len().min(16 << 10)]);
        rest = &rest[taken..];
        if listen(session, answer) || taken == 0 {
            return;
        }
    }
}

/// Lets it say all that it has to say; whether that was the last.
fn listen<R: Role>(session: &mut Session<R>, answer: fn(&R::Ask) -> R::Answer) -> bool {
    loop {
        match session.poll() {
            Output::Ask(id, ask) => session.answer(NOW, id, answer(&ask)).expect("a right answer"),
            Output::Wait { .. } => return false,
            Output::Close => return true,
            _ => {}
        }
    }
}

fn imap_session() -> Session<pillarbox_engine::imap::Client> {
    let config = imap::Config {
        tls: imap::TlsPolicy::None,
        enable: vec![],
        id: vec![],
        limits: Limits::IMAP_CLIENT,
        timeouts: imap::Timeouts::default(),
        trace: false,
    };
    let mut session = Session::new(config, NOW);
    let greeting =
        b"* PREAUTH [CAPABILITY IMAP4rev1 ESEARCH CONTEXT=SEARCH THREAD=REFERENCES] x\r\n";
    hear(&mut session, greeting, |_| imap::Answer::Done);
    let command = imap::Command::Search(imap::SearchCommand {
        keys: vec![SearchKey::All],
        ..Default::default()
    });
    session.call(NOW, imap::Call { id: 1, command }).expect("a right call");
    listen(&mut session, |_| imap::Answer::Done);
    session
}

fn pop3_answer(ask: &pop3::Ask) -> pop3::Answer {
    match ask {
        pop3::Ask::Login(_) => pop3::Answer::Login(LoginSecret::NoLogin),
        pop3::Ask::Chunk(_) => pop3::Answer::Done,
    }
}

fn pop3_session() -> Session<pillarbox_engine::pop3::Client> {
    let config = pop3::Config {
        tls: pop3::TlsPolicy::None,
        apop: false,
        utf8: false,
        language: vec![],
        limits: Limits::POP3_CLIENT,
        timeouts: pop3::Timeouts::default(),
        trace: false,
    };
    let mut session = Session::new(config, NOW);
    hear(&mut session, b"+OK ready\r\n", pop3_answer);
    session
}

fn smtp_session() -> Session<pillarbox_engine::smtp::Client> {
    let config = smtp::Config {
        host_name: b"client.example".to_vec(),
        service: Service::Smtp,
        tls: smtp::TlsPolicy::None,
        login: false,
        limits: Limits::SMTP,
        timeouts: smtp::Timeouts::default(),
        trace: false,
    };
    let mut session = Session::new(config, NOW);
    let address = Mailbox { local_part: b"a".to_vec(), domain: b"b".to_vec() };
    let delivery = smtp::Delivery {
        id: 1,
        mail: MailFrom::default(),
        recipients: vec![RcptTo { forward_path: address, ..RcptTo::default() }],
        message: 1,
        offset: 0,
        size: 0,
        plain: false,
        require_tls: false,
    };
    session.call(NOW, smtp::Call::Deliver(delivery)).expect("a right call");
    hear(&mut session, b"220 ready\r\n", |_| smtp::Answer::Octets(Vec::new()));
    session
}
