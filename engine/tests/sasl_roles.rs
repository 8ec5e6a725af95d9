//! SASL inside the three protocols: commands, continuation lines, endings good and bad, and what a trace shows of it.

mod imap_host;
mod pop3_host;
mod sasl_host;
mod seeded;
mod smtp_host;

use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::client;
use pillarbox_engine::sasl::{AuthOffer, Credentials, LoginAnswer, Mechanism};
use pillarbox_engine::text::base64;
use pillarbox_engine::trace::{Note, Side};
use pillarbox_engine::types::{Now, Reason, Refusal, TlsFacts, TlsOffer};
use pillarbox_engine::{Output, Role, Session, imap, pop3, smtp};
use sasl_host::{ALL, Host, PASSWORD, TOKEN, reply, secret, tls};

/// How a protocol frames an exchange, and how it ends one.
trait Wire: Role + Sized {
    const HELLO: &'static str;
    const START_TLS: &'static str;
    /// Lists what can be done now.
    const LIST: &'static str;
    const COMMAND: &'static str;
    const CHALLENGE: &'static str;
    const LET_IN: &'static str;
    const REFUSED: &'static str;
    const CANCELLED: &'static str;
    const MALFORMED: &'static str;
    const TOO_LONG: &'static str;
    const NOT_OFFERED: &'static str;
    const NEEDS_TLS: &'static str;
    const AGAIN: &'static str;
    const QUIT: &'static str;

    fn session(auth: AuthOffer) -> Session<Self>;
    /// What the session asks, if it asks for a login; else what it is answered.
    fn login(ask: Self::Ask) -> Result<Credentials, Self::Answer>;
    fn answer(answer: LoginAnswer) -> Self::Answer;
}

impl Wire for smtp::Server {
    const HELLO: &'static str = "EHLO a\r\n";
    const START_TLS: &'static str = "STARTTLS\r\n";
    const LIST: &'static str = "EHLO a\r\n";
    const COMMAND: &'static str = "AUTH ";
    const CHALLENGE: &'static str = "334 ";
    const LET_IN: &'static str = "235 2.7.0 ";
    const REFUSED: &'static str = "535 5.7.8 ";
    const CANCELLED: &'static str = "501 5.7.0 ";
    const MALFORMED: &'static str = "501 5.5.2 ";
    const TOO_LONG: &'static str = "500 5.5.6 ";
    const NOT_OFFERED: &'static str = "504 5.5.4 ";
    const NEEDS_TLS: &'static str = "538 5.7.11 ";
    const AGAIN: &'static str = "503 5.5.1 ";
    const QUIT: &'static str = "QUIT\r\n";

    fn session(auth: AuthOffer) -> Session<Self> {
        let config = smtp_host::config();
        let mut config = smtp::Config { tls: TlsOffer::Upgrade, auth, trace: true, ..config };
        // Replies that are kept back are looked at elsewhere.
        config.limits.errors_slow = u32::MAX;
        Session::new(config, Now::default())
    }

    fn login(ask: Self::Ask) -> Result<Credentials, Self::Answer> {
        match ask {
            smtp::Ask::Login(credentials) => Ok(credentials),
            ask => panic!("{ask:?}"),
        }
    }

    fn answer(answer: LoginAnswer) -> Self::Answer {
        smtp::Answer::Login(answer)
    }
}

impl Wire for pop3::Server {
    const HELLO: &'static str = "";
    const START_TLS: &'static str = "STLS\r\n";
    const LIST: &'static str = "CAPA\r\n";
    const COMMAND: &'static str = "AUTH ";
    const CHALLENGE: &'static str = "+ ";
    const LET_IN: &'static str = "+OK maildrop has 0 ";
    const REFUSED: &'static str = "-ERR [AUTH] wrong ";
    const CANCELLED: &'static str = "-ERR authentication cancelled";
    const MALFORMED: &'static str = "-ERR cannot decode ";
    const TOO_LONG: &'static str = "-ERR the line is too long";
    const NOT_OFFERED: &'static str = "-ERR mechanism not offered";
    const NEEDS_TLS: &'static str = "-ERR mechanism not offered";
    const AGAIN: &'static str = "-ERR ";
    const QUIT: &'static str = "QUIT\r\n";

    fn session(auth: AuthOffer) -> Session<Self> {
        let config = pop3_host::config();
        let config = pop3::Config { tls: TlsOffer::Upgrade, auth, trace: true, ..config };
        Session::new(config, Now::default())
    }

    fn login(ask: Self::Ask) -> Result<Credentials, Self::Answer> {
        match ask {
            pop3::Ask::Login(credentials) => Ok(credentials),
            pop3::Ask::Open(_) => Err(pop3::Answer::Opened(pop3::Opened { count: 0, octets: 0 })),
            ask => panic!("{ask:?}"),
        }
    }

    fn answer(answer: LoginAnswer) -> Self::Answer {
        pop3::Answer::Login(answer)
    }
}

impl Wire for imap::Server {
    const HELLO: &'static str = "";
    const START_TLS: &'static str = "t STARTTLS\r\n";
    const LIST: &'static str = "t CAPABILITY\r\n";
    const COMMAND: &'static str = "t AUTHENTICATE ";
    const CHALLENGE: &'static str = "+ ";
    const LET_IN: &'static str = "t OK [CAPABILITY ";
    const REFUSED: &'static str = "t NO [AUTHENTICATIONFAILED] ";
    const CANCELLED: &'static str = "t BAD Authentication cancelled";
    const MALFORMED: &'static str = "t BAD This is not ";
    const TOO_LONG: &'static str = "t BAD The response is too long";
    const NOT_OFFERED: &'static str = "t NO [CANNOT] ";
    const NEEDS_TLS: &'static str = "t NO [PRIVACYREQUIRED] ";
    const AGAIN: &'static str = "t BAD Already logged in";
    const QUIT: &'static str = "t LOGOUT\r\n";

    fn session(auth: AuthOffer) -> Session<Self> {
        let config = imap_host::config();
        let config = imap::types::Config { tls: TlsOffer::Upgrade, auth, trace: true, ..config };
        Session::new(config, Now::default())
    }

    fn login(ask: Self::Ask) -> Result<Credentials, Self::Answer> {
        match ask {
            imap::types::Ask::Login(credentials) => Ok(credentials),
            ask => panic!("{ask:?}"),
        }
    }

    fn answer(answer: LoginAnswer) -> Self::Answer {
        imap::types::Answer::Login(answer)
    }
}

struct Talk<W: Wire> {
    session: Session<W>,
    host: Host,
    /// In place of the host's answer.
    refuse: Option<Reason>,
    facts: TlsFacts,
    /// Octets that arrive at once.
    piece: usize,
    notes: Vec<Note>,
    received: Vec<u8>,
    sent: Vec<u8>,
    closed: bool,
}

impl<W: Wire> Talk<W> {
    /// In the clear, greeted.
    fn clear(auth: AuthOffer, piece: usize) -> Self {
        let mut talk = Self {
            session: W::session(auth),
            host: Host::default(),
            refuse: None,
            facts: tls(),
            piece,
            notes: vec![],
            received: vec![],
            sent: vec![],
            closed: false,
        };
        talk.say(b"");
        talk.say(W::HELLO.as_bytes());
        talk
    }

    /// Secured, and greeted again.
    fn secured(auth: AuthOffer, piece: usize) -> Self {
        let mut talk = Self::clear(auth, piece);
        talk.say(W::START_TLS.as_bytes());
        talk.say(W::HELLO.as_bytes());
        talk
    }

    /// Says octets, and gives what comes back.
    fn say(&mut self, octets: &[u8]) -> String {
        self.received.extend_from_slice(octets);
        let before = self.sent.len();
        if octets.is_empty() {
            self.listen();
        }
        for mut piece in octets.chunks(self.piece) {
            while !piece.is_empty() {
                piece = &piece[self.session.receive(Now::default(), piece)..];
                self.listen();
            }
        }
        String::from_utf8(self.sent[before..].to_vec()).expect("these servers say ASCII")
    }

    fn line(&mut self, line: &[u8]) -> String {
        self.say(&[line, b"\r\n"].concat())
    }

    fn listen(&mut self) {
        let now = Now::default();
        loop {
            match self.session.poll() {
                Output::Transmit(octets) => self.sent.extend(octets),
                Output::Note(note) => self.notes.push(note),
                Output::Ask(id, ask) => {
                    let answer = match (W::login(ask), self.refuse) {
                        (Ok(_), Some(reason)) => {
                            W::answer(LoginAnswer::Refused(Refusal::new(reason)))
                        }
                        (Ok(credentials), None) => W::answer(self.host.answer(credentials)),
                        (Err(answer), _) => answer,
                    };
                    self.session.answer(now, id, answer).expect("a right answer");
                }
                Output::Compress => panic!("nothing asks for it"),
                Output::StartTls => {
                    self.session.secured(now, self.facts.clone()).expect("asked for");
                }
                Output::Close => {
                    self.closed = true;
                    return;
                }
                Output::Wait { .. } => return,
                _ => {}
            }
        }
    }

    /// A whole login with our client; what the server says last, and whether the client believes it.
    fn log_in(&mut self, mechanism: Mechanism, with_initial: bool) -> (String, bool) {
        let given = secret(mechanism);
        let mut client = client::Exchange::new(given, &ALL, Some(&self.facts)).expect("good");
        let initial = if with_initial { client.initial_response(usize::MAX) } else { None };
        let space = if initial.is_some() { " " } else { "" };
        let name = mechanism.name().to_ascii_lowercase();
        let mut command = [W::COMMAND, &name, space].concat().into_bytes();
        command.extend(initial.unwrap_or_default());
        let mut said = self.line(&command);
        while let Some(text) = said.strip_prefix(W::CHALLENGE) {
            let (after, line) = reply(client, text.trim_end().as_bytes());
            said = self.line(&line);
            match after {
                Ok(exchange) => client = exchange,
                Err(_) => return (said, false),
            }
        }
        (said, client.succeeded().is_ok())
    }

    /// What a reader sees of what the server received: secrets as stars.
    fn shown(&self) -> String {
        let mut octets = self.received.clone();
        let mut told = vec![false; octets.len()];
        for note in &self.notes {
            let Note::Span(span) = note else { continue };
            if span.side == Side::Received {
                let range = span.start as usize..span.end as usize;
                told[range.clone()].fill(true);
                if span.secret {
                    octets[range].fill(b'*');
                }
            }
        }
        let untold = told.iter().filter(|told| !**told).count();
        assert_eq!(untold, 0, "octets that no note tells of");
        String::from_utf8(octets).expect("ASCII")
    }
}

fn offer() -> AuthOffer {
    sasl_host::offer()
}

// A macro, since the harness finds test functions only by name.

/// One test of each protocol.
macro_rules! protocols {
    ($($name:ident)*) => {$(
        mod $name {
            #[test]
            fn smtp() {
                super::$name::<pillarbox_engine::smtp::Server>();
            }
            #[test]
            fn pop3() {
                super::$name::<pillarbox_engine::pop3::Server>();
            }
            #[test]
            fn imap() {
                super::$name::<pillarbox_engine::imap::Server>();
            }
        }
    )*};
}

protocols! {
    every_mechanism_logs_in
    what_is_offered_depends_on_the_channel
    an_exchange_can_be_cancelled_and_begun_again
    lines_that_are_no_response_end_the_exchange
    long_lines_end_the_exchange
    who_is_logged_in_stays_so
    who_fails_too_often_is_sent_away
    a_token_that_fails_is_told_why
    a_wrong_answer_changes_nothing
    nothing_that_is_shown_holds_a_secret
}

fn every_mechanism_logs_in<W: Wire>() {
    for mechanism in ALL {
        for (with_initial, piece) in [(true, 1000), (false, 1000), (true, 1), (false, 1)] {
            let mut talk = Talk::<W>::secured(offer(), piece);
            let (said, believed) = talk.log_in(mechanism, with_initial);
            assert!(said.starts_with(W::LET_IN) && believed, "{mechanism:?}: {said}");
        }
    }
}

fn what_is_offered_depends_on_the_channel<W: Wire>() {
    let mut clear = Talk::<W>::clear(offer(), 1000);
    let list = clear.say(W::LIST.as_bytes());
    assert!(!list.contains("PLAIN") && !list.contains("SCRAM"), "{list}");
    let said = clear.line([W::COMMAND, "SCRAM-SHA-256"].concat().as_bytes());
    assert!(said.starts_with(W::NEEDS_TLS), "{said}");

    let mut full = Talk::<W>::secured(offer(), 1000);
    let list = full.say(W::LIST.as_bytes());
    for mechanism in ALL {
        let names = list.split([' ', '=', '\r']);
        assert_eq!(names.filter(|name| *name == mechanism.name()).count(), 1, "{list}");
    }

    // The host says nothing of the channel: nothing can be bound to it, and it identifies nobody.
    let mut bare = Talk::<W>::clear(offer(), 1000);
    bare.facts = TlsFacts::default();
    bare.say(W::START_TLS.as_bytes());
    bare.say(W::HELLO.as_bytes());
    let list = bare.say(W::LIST.as_bytes());
    assert!(list.contains("SCRAM-SHA-256") && !list.contains("PLUS"), "{list}");
    assert!(!list.contains("EXTERNAL"), "{list}");
    for name in ["SCRAM-SHA-256-PLUS", "EXTERNAL", "ANONYMOUS", "NONE"] {
        let said = bare.line([W::COMMAND, name].concat().as_bytes());
        assert!(said.starts_with(W::NOT_OFFERED), "{name}: {said}");
    }
}

fn an_exchange_can_be_cancelled_and_begun_again<W: Wire>() {
    let mut talk = Talk::<W>::secured(offer(), 1000);
    for mechanism in ALL {
        let said = talk.line([W::COMMAND, mechanism.name()].concat().as_bytes());
        assert!(said.starts_with(W::CHALLENGE), "{mechanism:?}: {said}");
        let said = talk.line(b"*");
        assert!(said.starts_with(W::CANCELLED), "{mechanism:?}: {said}");
    }
    // After the server has spoken for the first time.
    let given = secret(Mechanism::ScramSha256);
    let mut client = client::Exchange::new(given, &ALL, Some(&tls())).expect("good");
    let first = client.initial_response(usize::MAX).expect("it has one");
    let command = [W::COMMAND.as_bytes(), b"SCRAM-SHA-256 ", &first].concat();
    assert!(talk.line(&command).starts_with(W::CHALLENGE));
    assert!(talk.line(b"*").starts_with(W::CANCELLED));
    let (said, believed) = talk.log_in(Mechanism::ScramSha256, true);
    assert!(said.starts_with(W::LET_IN) && believed, "{said}");
}

fn lines_that_are_no_response_end_the_exchange<W: Wire>() {
    let mut talk = Talk::<W>::secured(offer(), 1000);
    let wrong: [&[u8]; 9] =
        [b"A", b"AA", b"AB==", b"===", b" ", b"AA== ", b"**", b"a\nb", b"AG\0Fu"];
    for line in wrong {
        assert!(talk.line([W::COMMAND, "PLAIN"].concat().as_bytes()).starts_with(W::CHALLENGE));
        let said = talk.line(line);
        assert!(said.starts_with(W::MALFORMED), "{}: {said}", line.escape_ascii());
    }
    let initial: [&[u8]; 3] = [b"PLAIN =", b"PLAIN AA", b"SCRAM-SHA-1 bixuPXg="];
    for command in initial {
        let said = talk.line(&[W::COMMAND.as_bytes(), command].concat());
        assert!(said.starts_with(W::MALFORMED), "{}: {said}", command.escape_ascii());
    }
    // An empty initial response where one makes sense.
    let said = talk.line([W::COMMAND, "EXTERNAL ="].concat().as_bytes());
    assert!(said.starts_with(W::LET_IN), "{said}");
}

fn long_lines_end_the_exchange<W: Wire>() {
    let mut talk = Talk::<W>::secured(offer(), 1000);
    // RFC 4954 §4: 12,288 octets with CRLF.
    for (octets, expected) in [(12_286, W::MALFORMED), (12_287, W::TOO_LONG), (99_999, W::TOO_LONG)]
    {
        assert!(talk.line([W::COMMAND, "PLAIN"].concat().as_bytes()).starts_with(W::CHALLENGE));
        let said = talk.line(&vec![b'A'; octets]);
        assert!(said.starts_with(expected), "{octets}: {said}");
    }
    let (said, _) = talk.log_in(Mechanism::Plain, false);
    assert!(said.starts_with(W::LET_IN), "{said}");
    assert!(!talk.shown().contains("AAAA"), "nobody knows what a long line holds");
}

fn who_is_logged_in_stays_so<W: Wire>() {
    let mut talk = Talk::<W>::secured(offer(), 1000);
    assert!(talk.log_in(Mechanism::ScramSha256Plus, true).0.starts_with(W::LET_IN));
    let asked = talk.host.asked.len();
    let said = talk.log_in(Mechanism::Plain, true).0;
    assert!(said.starts_with(W::AGAIN), "{said}");
    assert_eq!(talk.host.asked.len(), asked);
    assert!(!talk.say(W::QUIT.as_bytes()).is_empty() && talk.closed);
}

fn who_fails_too_often_is_sent_away<W: Wire>() {
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::Oauthbearer] {
        let mut talk = Talk::<W>::secured(offer(), 1000);
        talk.refuse = Some(Reason::BadCredentials);
        let mut attempts = 0;
        while !talk.closed {
            let (said, believed) = talk.log_in(mechanism, true);
            assert!(!believed || mechanism == Mechanism::Plain);
            assert!(talk.closed || said.starts_with(W::REFUSED), "{said}");
            attempts += 1;
        }
        let max = Limits::SMTP.errors_max;
        assert!((max..=max + 1).contains(&attempts), "{attempts} attempts");
    }
}

fn a_token_that_fails_is_told_why<W: Wire>() {
    let told = [
        (Mechanism::Oauthbearer, Reason::BadCredentials, "{\"status\":\"invalid_token\"}"),
        (Mechanism::Oauthbearer, Reason::NotPermitted, "{\"status\":\"insufficient_scope\"}"),
        (Mechanism::Xoauth2, Reason::BadCredentials, "{\"status\":\"401\",\"schemes\":\"bearer\"}"),
    ];
    for (mechanism, reason, why) in told {
        for end in [&b""[..], b"AQ==", b"*"] {
            let mut talk = Talk::<W>::secured(offer(), 1000);
            talk.refuse = Some(reason);
            let given = secret(mechanism);
            let mut client = client::Exchange::new(given, &ALL, None).expect("good");
            let first = client.initial_response(usize::MAX).expect("it has one");
            let command = [W::COMMAND, mechanism.name(), " "].concat();
            let said = talk.line(&[command.as_bytes(), &first].concat());
            let text = said.strip_prefix(W::CHALLENGE).expect("a challenge").trim_end();
            assert_eq!(base64::decode(text.as_bytes()).as_deref(), Some(why.as_bytes()));
            let said = talk.line(end);
            if reason == Reason::BadCredentials {
                assert!(said.starts_with(W::REFUSED), "{said}");
            }
            assert!(!said.starts_with(W::LET_IN) && !said.starts_with(W::CHALLENGE), "{said}");
            talk.refuse = None;
            assert!(talk.log_in(mechanism, true).0.starts_with(W::LET_IN));
        }
    }
    let mut talk = Talk::<W>::secured(offer(), 1000);
    talk.refuse = Some(Reason::LoginThrottled);
    let said = talk.log_in(Mechanism::Oauthbearer, true).0;
    assert!(!said.starts_with(W::CHALLENGE) && !said.starts_with(W::LET_IN), "{said}");
}

/// A host that lets somebody in on a name alone is stopped, and can still answer rightly.
fn a_wrong_answer_changes_nothing<W: Wire>() {
    use pillarbox_engine::sasl::Account;
    use pillarbox_engine::types::Misuse;

    let mut talk = Talk::<W>::secured(offer(), 1000);
    let given = secret(Mechanism::ScramSha256);
    let mut client = client::Exchange::new(given, &ALL, Some(&tls())).expect("good");
    let first = client.initial_response(usize::MAX).expect("it has one");
    let command = [W::COMMAND.as_bytes(), b"SCRAM-SHA-256 ", &first, b"\r\n"].concat();
    let now = Now::default();
    assert_eq!(talk.session.receive(now, &command), command.len());
    let (id, ask) = loop {
        match talk.session.poll() {
            Output::Ask(id, ask) => break (id, ask),
            Output::Note(_) => {}
            _ => panic!("not an ask"),
        }
    };
    let account = Account { name: b"user".to_vec(), server_signature: vec![0; 32] };
    let too_early = W::answer(LoginAnswer::Accepted(account));
    assert_eq!(talk.session.answer(now, id, too_early), Err(Misuse::WrongAnswer));
    let Ok(credentials) = W::login(ask) else { panic!("not a login") };
    let right = W::answer(talk.host.answer(credentials));
    assert_eq!(talk.session.answer(now, id, right), Ok(()));
    talk.listen();
    assert!(talk.sent.windows(W::CHALLENGE.len()).any(|part| part == W::CHALLENGE.as_bytes()));
    let said = talk.line(b"*");
    assert!(said.starts_with(W::CANCELLED), "{said}");
}

fn nothing_that_is_shown_holds_a_secret<W: Wire>() {
    let hidden: Vec<String> = [PASSWORD, TOKEN]
        .into_iter()
        .flat_map(|secret| {
            // Whatever stands before it shifts the groups of base64 by 0, 1 or 2 octets.
            let shifted = (0..3).map(move |by| {
                let text = base64::encode(&[&vec![0; by][..], secret].concat());
                String::from_utf8(text[4..text.len() - 4].to_vec()).expect("ASCII")
            });
            shifted.chain([String::from_utf8(secret.to_vec()).expect("ASCII")])
        })
        .collect();
    for mechanism in ALL {
        for (with_initial, ends_well) in
            [(true, true), (false, true), (true, false), (false, false)]
        {
            let mut talk = Talk::<W>::secured(offer(), 1000);
            talk.refuse = (!ends_well).then_some(Reason::BadCredentials);
            let before = talk.received.len();
            talk.log_in(mechanism, with_initial);
            // Said once more, where it is not expected, in the clear, and with a typing mistake.
            let exchange = String::from_utf8(talk.received[before..].to_vec()).expect("ASCII");
            let bare =
                [Mechanism::Plain, Mechanism::Login, Mechanism::Oauthbearer, Mechanism::Xoauth2];
            let there = hidden.iter().any(|hidden| exchange.contains(hidden.as_str()));
            assert_eq!(there, bare.contains(&mechanism), "{mechanism:?}: {exchange}");
            let mut clear = Talk::<W>::clear(offer(), 1000);
            for line in exchange.lines().filter(|line| line.starts_with(W::COMMAND)) {
                talk.line(line.as_bytes());
                clear.line(line.as_bytes());
                clear.line(line.replacen(mechanism.name(), "X", 1).as_bytes());
                clear.line([line, "\0"].concat().as_bytes());
                clear.line(line.to_lowercase().as_bytes());
            }
            for shown in [talk.shown(), clear.shown()] {
                for hidden in &hidden {
                    assert!(!shown.contains(hidden.as_str()), "{mechanism:?}: {hidden} in {shown}");
                    let lower = hidden.to_lowercase();
                    assert!(!shown.contains(&lower), "{mechanism:?}: {lower} in {shown}");
                }
            }
        }
    }
}
