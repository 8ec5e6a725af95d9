//! Logins (RFC 4422): what a peer says within an exchange, to a server and to a client. The first octet says which
//! mechanism and side, each line is what the peer says next.

use std::sync::LazyLock;

use pillarbox_engine::sasl::scram::Hash;
use pillarbox_engine::sasl::server::{self, Terms};
use pillarbox_engine::sasl::{
    Account, AuthOffer, ClientCredentials, Credentials, LoginAnswer, Mechanism, ScramParameters,
    client,
};
use pillarbox_engine::text::base64;
use pillarbox_engine::types::{Reason, Refusal, TlsFacts};

use super::USUAL;
use crate::{Seen, Target};

pub(super) const SASL: Target = Target {
    name: "sasl",
    run: sasl,
    seeds: || SEEDS.clone(),
    words: &[
        "\n",
        "*",
        "=",
        "+",
        "n,,n=user,r=",
        "y,,",
        "p=tls-exporter,,",
        ",c=biws,r=",
        ",p=",
        ",i=4096",
        ",s=c2FsdA==",
        "v=",
        "e=",
        "\0",
        "\x01",
        "auth=Bearer ",
        "n,a=x,",
    ],
    lines: true,
    size_max: 2048,
    rounds: 6000,
    ..USUAL
};

const ALL: [Mechanism; 9] = [
    Mechanism::External,
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::Oauthbearer,
    Mechanism::Xoauth2,
    Mechanism::Plain,
    Mechanism::Login,
];
/// For what a peer says that is not base64 already.
const PLAIN: u8 = 32;
const CLIENT: u8 = 64;
const ROUNDS_MAX: usize = 8;

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let said: [&[u8]; 8] = [
        b"\0user\0pencil",
        b"user\npencil",
        b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA\n",
        b"n,a=user,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
        b"user=user\x01auth=Bearer vF9d\x01\x01",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDp,s=QSXCR+Q6sek8bf92,i=4096\nv=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        b"{\"status\":\"invalid_token\"}",
        b"VXNlcm5hbWU6\nUGFzc3dvcmQ6",
    ];
    let mut seeds = Vec::new();
    for kind in 0..ALL.len() as u8 {
        for text in said {
            seeds.push([&[PLAIN | kind], text].concat());
            seeds.push([&[PLAIN | CLIENT | kind], text].concat());
        }
    }
    seeds
});

fn sasl(input: &[u8], seen: &mut Seen) {
    let Some((kind, rest)) = input.split_first() else { return };
    let mechanism = ALL[usize::from(*kind & 31) % ALL.len()];
    let lines: Vec<Vec<u8>> = rest
        .split(|octet| *octet == b'\n')
        .map(|line| if kind & PLAIN == 0 { line.to_vec() } else { base64::encode(line) })
        .take(ROUNDS_MAX)
        .collect();
    seen.note((mechanism.name(), kind & CLIENT));
    if kind & CLIENT == 0 {
        to_server(mechanism, &lines, seen)
    } else {
        to_client(mechanism, &lines, seen)
    }
}

fn tls() -> TlsFacts {
    let (exporter, client_identity) = (b"what both ends exported".to_vec(), Some(b"user".to_vec()));
    TlsFacts { exporter, client_identity, ..TlsFacts::default() }
}

fn to_server(mechanism: Mechanism, lines: &[Vec<u8>], seen: &mut Seen) {
    let offer = AuthOffer { mechanisms: ALL.to_vec(), password_commands: true, cleartext: false };
    let tls = tls();
    let terms = Terms { offer: &offer, secured: true, tls: Some(&tls) };
    let (mut initial, mut lines) = (None, lines.iter());
    if mechanism != Mechanism::Login {
        initial = lines.next();
    }
    let mut step = server::Exchange::start(mechanism, initial.map(|line| &line[..]), terms);
    for round in 0.. {
        assert!(round < 20, "an exchange ends");
        step = match step {
            server::Step::Challenge(exchange, text) => {
                seen.note(("challenge", round, text.len()));
                let Some(line) = lines.next() else { return };
                exchange.respond(line, terms)
            }
            server::Step::Ask(exchange, ask) => {
                seen.note(("ask", round, format!("{ask:?}").split('(').next()));
                exchange.answered(answer(&ask)).expect("a right answer")
            }
            server::Step::Accepted(account) => {
                // The host below lets nobody in by a proof, and by all else only with the right words.
                assert_eq!(account.name, b"user");
                return seen.note("accepted");
            }
            server::Step::Refused(_, rule) => {
                return seen.note(("refused", rule.map(|rule| rule.section)));
            }
            server::Step::Cancelled => return seen.note("cancelled"),
            server::Step::Malformed(rule) => return seen.note(("malformed", rule.section)),
        };
    }
}

fn answer(ask: &Credentials) -> LoginAnswer {
    let accepted =
        LoginAnswer::Accepted(Account { name: b"user".to_vec(), server_signature: vec![] });
    match ask {
        Credentials::ScramStart(_) => LoginAnswer::ScramParameters(ScramParameters {
            salt: b"sixteen octets..".to_vec(),
            iterations: 4096,
            nonce: b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_vec(),
        }),
        Credentials::Password(given) if given.user == b"user" && given.password == b"pencil" => {
            accepted
        }
        Credentials::External(_) => accepted,
        _ => LoginAnswer::Refused(Refusal::new(Reason::BadCredentials)),
    }
}

fn to_client(mechanism: Mechanism, lines: &[Vec<u8>], seen: &mut Seen) {
    let given = ClientCredentials {
        mechanism,
        authorization: vec![],
        user: b"user".to_vec(),
        secret: b"pencil".to_vec(),
        nonce: b"rOprNGfwEbeRWgbNEkqO".to_vec(),
    };
    let tls = tls();
    let mut exchange = client::Exchange::new(given, &ALL, Some(&tls)).expect("a good secret");
    let first = exchange.initial_response(usize::MAX);
    seen.note(("initial", first.map(|text| text.len())));
    for (round, line) in lines.iter().enumerate() {
        let step = match exchange.challenge(line) {
            client::Step::Ask(exchange, ask) => {
                // Whoever asks for more protects nobody better, and for fewer nobody.
                assert!(
                    (4096..=10_000_000).contains(&ask.iterations),
                    "{} iterations",
                    ask.iterations
                );
                seen.note(("salt", ask.salt.len()));
                let length = Hash::of(ask.mechanism).expect("a SCRAM mechanism").length();
                exchange.salted(&vec![7; length]).expect("a right answer")
            }
            step => step,
        };
        exchange = match step {
            client::Step::Respond(exchange, text) => {
                seen.note(("respond", round, text.len()));
                exchange
            }
            client::Step::Cancel(fault) => return seen.note(format!("{fault:?}")),
            client::Step::Ask(..) => panic!("asked twice"),
        };
    }
    seen.note(format!("{:?}", exchange.succeeded()));
}
