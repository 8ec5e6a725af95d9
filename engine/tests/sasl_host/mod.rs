//! A host with one account, and a client and a server exchange that talk through whoever sits between them.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its part")]

use std::sync::LazyLock;

use pillarbox_engine::sasl::client::{self, Fault};
use pillarbox_engine::sasl::scram::{Hash, Keys};
use pillarbox_engine::sasl::server::{self, Terms};
use pillarbox_engine::sasl::*;
use pillarbox_engine::text::base64;
use pillarbox_engine::types::{Reason, Refusal, TlsFacts};

pub const USER: &[u8] = b"user";
pub const PASSWORD: &[u8] = b"pencil, with = and spaces";
pub const TOKEN: &[u8] = b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
pub const CLIENT_NONCE: &[u8] = b"rOprNGfwEbeRWgbNEkqO";
const SALT: &[u8] = b"sixteen octets..";
const ITERATIONS: u32 = 4096;

pub const ALL: [Mechanism; 10] = [
    Mechanism::External,
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::Oauthbearer,
    Mechanism::Xoauth2,
    Mechanism::Plain,
    Mechanism::Login,
    Mechanism::CramMd5,
];

/// Slow to make, so made once.
static SALTED: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [Hash::Sha1, Hash::Sha256].map(|hash| hash.salt_password(PASSWORD, SALT, ITERATIONS))
});
static KEYS: LazyLock<[Keys; 2]> = LazyLock::new(|| {
    [Hash::Sha1, Hash::Sha256].map(|hash| Keys::derive(hash, PASSWORD, SALT, ITERATIONS))
});

fn hash(mechanism: Mechanism) -> Hash {
    Hash::of(mechanism).expect("a SCRAM mechanism")
}

pub fn offer() -> AuthOffer {
    AuthOffer { mechanisms: ALL.to_vec(), password_commands: true, cleartext: false }
}

pub fn tls() -> TlsFacts {
    TlsFacts {
        exporter: b"what both ends exported".to_vec(),
        client_identity: Some(USER.to_vec()),
        ..TlsFacts::default()
    }
}

/// The server's host.
#[derive(Default)]
pub struct Host {
    /// All that it was asked to judge.
    pub asked: Vec<Credentials>,
    nonces: u32,
}

impl Host {
    pub fn answer(&mut self, ask: Credentials) -> LoginAnswer {
        self.asked.push(ask.clone());
        let accepted = |server_signature: Vec<u8>| {
            LoginAnswer::Accepted(Account { name: USER.to_vec(), server_signature })
        };
        let itself = |name: &[u8]| name.is_empty() || name == USER;
        match ask {
            Credentials::Password(given)
                if itself(&given.authorization)
                    && given.user == USER
                    && given.password == PASSWORD =>
            {
                accepted(vec![])
            }
            Credentials::Token(given) if itself(&given.authorization) && given.token == TOKEN => {
                accepted(vec![])
            }
            Credentials::External(name) if itself(&name) => accepted(vec![]),
            Credentials::ScramStart(_) => {
                self.nonces += 1;
                let nonce = format!("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k{}", self.nonces).into_bytes();
                let (salt, iterations) = (SALT.to_vec(), ITERATIONS);
                LoginAnswer::ScramParameters(ScramParameters { salt, iterations, nonce })
            }
            Credentials::DigestStart => {
                self.nonces += 1;
                let challenge = format!("<{}.697170952@postoffice.reston.mci.net>", self.nonces);
                LoginAnswer::DigestChallenge(challenge.into_bytes())
            }
            Credentials::Digest(given) if given.user == USER && given.is_of(PASSWORD) => {
                accepted(vec![])
            }
            Credentials::ScramFinish(given)
                if itself(&given.authorization) && given.user == USER =>
            {
                let hash = hash(given.mechanism);
                let keys = &KEYS[usize::from(hash == Hash::Sha256)];
                match keys.judge(hash, &given.auth_message, &given.proof) {
                    Some(signature) => accepted(signature),
                    None => refused(),
                }
            }
            _ => refused(),
        }
    }
}

fn refused() -> LoginAnswer {
    LoginAnswer::Refused(Refusal::new(Reason::BadCredentials))
}

/// What the client's host gives.
pub fn secret(mechanism: Mechanism) -> ClientCredentials {
    let secret = match mechanism {
        Mechanism::Oauthbearer | Mechanism::Xoauth2 => TOKEN,
        _ => PASSWORD,
    };
    ClientCredentials {
        mechanism,
        authorization: vec![],
        user: USER.to_vec(),
        secret: secret.to_vec(),
        nonce: CLIENT_NONCE.to_vec(),
    }
}

/// The client's host salts the password; another salt than the real one is not worth the time, for it cannot be right.
pub fn salted(ask: &SaltPassword) -> Vec<u8> {
    let hash = hash(ask.mechanism);
    if ask.salt == SALT && ask.iterations == ITERATIONS {
        SALTED[usize::from(hash == Hash::Sha256)].clone()
    } else {
        vec![0; hash.length()]
    }
}

/// One step of the client: its line, or `*` with what it took amiss.
pub fn reply(
    exchange: client::Exchange,
    challenge: &[u8],
) -> (Result<client::Exchange, Fault>, Vec<u8>) {
    let step = match exchange.challenge(challenge) {
        client::Step::Ask(exchange, ask) => exchange.salted(&salted(&ask)).expect("a right answer"),
        step => step,
    };
    match step {
        client::Step::Respond(exchange, line) => (Ok(exchange), line),
        client::Step::Cancel(fault) => (Err(fault), b"*".to_vec()),
        client::Step::Ask(..) => panic!("asked twice"),
    }
}

/// What came of a conversation.
pub struct Outcome {
    /// Whether the server let the client in.
    pub let_in: bool,
    /// What the client makes of that.
    pub client: Result<(), Fault>,
    /// All lines, as they were sent, and whether by the client.
    pub lines: Vec<(bool, Vec<u8>)>,
    /// All that the host was asked.
    pub asked: Vec<Credentials>,
}

/// A conversation; `meddle` gets the number of each line and the line, and gives what arrives.
pub fn talk(
    given: ClientCredentials,
    with_initial: bool,
    mut meddle: impl FnMut(usize, Vec<u8>) -> Vec<u8>,
) -> Outcome {
    let (offer, tls) = (offer(), tls());
    let terms = Terms { offer: &offer, secured: true, tls: Some(&tls) };
    let mechanism = given.mechanism;
    let mut client = Ok(client::Exchange::new(given, &ALL, Some(&tls)).expect("a good secret"));
    let mut host = Host::default();
    let mut lines = Vec::new();
    let mut carry = |from_client: bool, line: Vec<u8>| {
        lines.push((from_client, line.clone()));
        meddle(lines.len() - 1, line)
    };
    let initial = match &mut client {
        Ok(exchange) if with_initial => exchange.initial_response(usize::MAX),
        _ => None,
    };
    let initial = initial.map(|line| carry(true, line));
    let mut step = server::Exchange::start(mechanism, initial.as_deref(), terms);
    let let_in = loop {
        step = match step {
            server::Step::Challenge(exchange, text) => {
                let text = carry(false, text);
                let (after, line) = match client {
                    Ok(exchange) => reply(exchange, &text),
                    Err(fault) => (Err(fault), b"*".to_vec()),
                };
                client = after;
                exchange.respond(&carry(true, line), terms)
            }
            server::Step::Ask(exchange, ask) => {
                let answer = host.answer(ask);
                exchange.answered(answer).expect("a right answer")
            }
            server::Step::Accepted(account) => {
                assert_eq!(account.name, USER);
                break true;
            }
            server::Step::Refused(..) | server::Step::Cancelled | server::Step::Malformed(_) => {
                break false;
            }
        };
    };
    let client = client.and_then(client::Exchange::succeeded);
    Outcome { let_in, client, lines, asked: host.asked }
}

/// A line with its message changed: `change` sees the octets, not the base64.
pub fn reworded(line: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut message = base64::decode(line).expect("our own base64");
    change(&mut message);
    base64::encode(&message)
}
