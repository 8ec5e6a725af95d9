//! The judge with real hashes: what is right, whom one may act as, what strangers can find out, and guessing under load.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pillarbox_engine::sasl::client;
use pillarbox_engine::sasl::scram::Hash;
use pillarbox_engine::sasl::server::{self, Terms};
use pillarbox_engine::sasl::{
    AuthOffer, ClientCredentials, Credentials, LoginAnswer, Mechanism, PasswordCredentials,
    ScramParameters, ScramStart,
};
use pillarbox_engine::types::Reason;
use sha2::{Digest, Sha256};

use super::{Caller, Judge, OpenJudge, TokenSettings};
use crate::accounts::{Accounts, LiveAccounts};
use crate::config::AuthSettings;
use crate::limits::Hits;

const PASSWORD: &str = "corrêct horse, = and so on";

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pillarbox-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the directory can be made");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn judge(scratch: &Scratch) -> Judge {
    let file = scratch.0.join("accounts");
    let mut accounts = Accounts::default();
    for name in ["ann@a.example", "bob@a.example"] {
        accounts.set(name, PASSWORD).expect("a password");
    }
    accounts.write(&file).expect("it can be written");
    // Carl is of an older version: only his Argon2id hash is there.
    let text = std::fs::read_to_string(&file).expect("it is there");
    let bob = text.lines().last().and_then(|line| line.split(' ').nth(1)).expect("his hash");
    std::fs::write(&file, format!("{text}carl@a.example {bob}\n")).expect("it is ours");
    let tokens = scratch.0.join("tokens");
    let hash: String =
        Sha256::digest(b"a long token").iter().map(|octet| format!("{octet:02x}")).collect();
    std::fs::write(&tokens, format!("{hash} bob@a.example\n")).expect("it is ours");
    let settings = AuthSettings {
        act_as: [("bob@a.example".to_owned(), vec!["ann@a.example".to_owned()])].into(),
        tokens: Some(TokenSettings { table: Some(tokens), ..TokenSettings::default() }),
        secret: scratch.0.join("secret"),
        has_client_ca: true,
        ..AuthSettings::default()
    };
    let accounts = Arc::new(LiveAccounts::new(file).expect("our own"));
    Judge::new(accounts, "a.example", &settings, Hits::default()).expect("good settings")
}

fn caller(network: [u8; 2]) -> Caller {
    Caller { address: IpAddr::from([10, network[0], network[1], 1]), identities: Vec::new() }
}

fn password(user: &str, password: &str, authorization: &str) -> Credentials {
    let [user, password, authorization] =
        [user, password, authorization].map(|text| text.as_bytes().to_vec());
    Credentials::Password(PasswordCredentials { authorization, user, password })
}

fn name(answer: &LoginAnswer) -> Result<&str, Reason> {
    match answer {
        LoginAnswer::Accepted(account) => Ok(std::str::from_utf8(&account.name).expect("UTF-8")),
        LoginAnswer::Refused(refusal) => Err(refusal.reason),
        LoginAnswer::ScramParameters(_) | LoginAnswer::DigestChallenge(_) => {
            panic!("not in this exchange")
        }
    }
}

#[tokio::test]
async fn passwords_open_their_account_and_those_that_it_may_act_as() {
    let scratch = Scratch::new("judge-passwords");
    let judge = judge(&scratch);
    let bad = Err(Reason::BadCredentials);
    let cases = [
        (password("ann@a.example", PASSWORD, ""), Ok("ann@a.example")),
        (password("ANN", PASSWORD, ""), Ok("ann@a.example")),
        // RFC 4013: the same letter, composed in another way.
        (password("ann", "corre\u{302}ct horse, = and so on", "ann"), Ok("ann@a.example")),
        (password("carl", PASSWORD, ""), Ok("carl@a.example")),
        (password("bob", PASSWORD, "ann@a.example"), Ok("ann@a.example")),
        (password("ann", PASSWORD, "bob"), bad),
        (password("bob", PASSWORD, "carl"), bad),
        (password("bob", PASSWORD, "nobody"), bad),
        (password("ann", "correct horse", ""), bad),
        (password("ann", "", ""), bad),
        (password("ann\u{7}", PASSWORD, ""), bad),
        (password("nobody", PASSWORD, ""), bad),
        (password("", PASSWORD, ""), bad),
        (password("nobody", "a password that nobody has", ""), bad),
    ];
    for (at, (credentials, expected)) in cases.into_iter().enumerate() {
        let network = [1, u8::try_from(at).expect("few")];
        let (answer, delay) = judge.judge(&caller(network), credentials).await;
        assert_eq!(name(&answer), expected, "case {at}");
        assert_eq!(delay.is_zero(), expected.is_ok(), "case {at}");
    }
    let before = std::fs::read_to_string(scratch.0.join("accounts")).expect("it is there");
    assert!(before.lines().any(|line| line.starts_with("carl") && !line.contains("SCRAM")));
}

#[tokio::test]
async fn certificates_and_tokens_open_accounts() {
    let scratch = Scratch::new("judge-others");
    let judge = judge(&scratch);
    let identities = ["Bob@A.example", "ann@a.example", "eve@evil.example"].map(str::to_owned);
    let known = Caller { identities: identities.to_vec(), ..caller([2, 1]) };
    let external = |whom: &str| Credentials::External(whom.as_bytes().to_vec());
    assert_eq!(name(&judge.login(&known, external("")).await), Ok("bob@a.example"));
    assert_eq!(name(&judge.login(&known, external("ann")).await), Ok("ann@a.example"));
    for whom in ["carl", "eve@evil.example"] {
        let answer = judge.login(&known, external(whom)).await;
        assert_eq!(name(&answer), Err(Reason::BadCredentials), "{whom}");
    }
    let answer = judge.login(&caller([2, 2]), external("bob")).await;
    assert_eq!(name(&answer), Err(Reason::BadCredentials));
    let token = |token: &str, whom: &str| {
        let [token, authorization] = [token, whom].map(|text| text.as_bytes().to_vec());
        Credentials::Token(pillarbox_engine::sasl::TokenCredentials { authorization, token })
    };
    let here = caller([2, 3]);
    assert_eq!(name(&judge.login(&here, token("a long token", "")).await), Ok("bob@a.example"));
    assert_eq!(name(&judge.login(&here, token("a long token", "ann")).await), Ok("ann@a.example"));
    for (text, whom) in [("a long token", "carl"), ("another", "bob"), ("a.b.c", "")] {
        let answer = judge.login(&here, token(text, whom)).await;
        assert_eq!(name(&answer), Err(Reason::BadCredentials), "{text} {whom}");
    }
}

/// A whole exchange between the engine's client and server, with `judge` as the host.
async fn exchange(
    mechanism: Mechanism,
    user: &str,
    secret: &str,
    mut judge: impl AsyncFnMut(Credentials) -> LoginAnswer,
) -> bool {
    let offer = AuthOffer { mechanisms: vec![mechanism], ..AuthOffer::default() };
    let terms = Terms { offer: &offer, secured: true, tls: None };
    let given = ClientCredentials {
        mechanism,
        authorization: vec![],
        user: user.as_bytes().to_vec(),
        secret: vec![],
        nonce: b"rOprNGfwEbeRWgbNEkqO".to_vec(),
    };
    let mut client = Some(client::Exchange::new(given, &offer.mechanisms, None).expect("fine"));
    let initial = client.as_mut().and_then(|client| client.initial_response(usize::MAX));
    let mut step = server::Exchange::start(mechanism, initial.as_deref(), terms);
    loop {
        step = match step {
            server::Step::Challenge(server, text) => {
                let Some(own) = client.take() else { return false };
                let next = match own.challenge(&text) {
                    client::Step::Ask(own, ask) => {
                        let hash = Hash::of(ask.mechanism).expect("SCRAM");
                        let secret = super::prepared(secret.as_bytes()).expect("a password");
                        let salted =
                            hash.salt_password(secret.as_bytes(), &ask.salt, ask.iterations);
                        own.salted(&salted).expect("the right length")
                    }
                    next => next,
                };
                let client::Step::Respond(own, line) = next else { return false };
                client = Some(own);
                server.respond(&line, terms)
            }
            server::Step::Ask(server, ask) => {
                let answer = judge(ask).await;
                server.answered(answer).expect("a right answer")
            }
            server::Step::Accepted(_) => {
                return client.is_some_and(|client| client.succeeded().is_ok());
            }
            _ => return false,
        };
    }
}

#[tokio::test]
async fn scram_lets_in_who_knows_the_password_and_tells_others_nothing() {
    let scratch = Scratch::new("judge-scram");
    let judge = judge(&scratch);
    let from = caller([3, 1]);
    for mechanism in [Mechanism::ScramSha1, Mechanism::ScramSha256] {
        let host = async |ask| judge.login(&from, ask).await;
        assert!(exchange(mechanism, "Ann", PASSWORD, host).await);
        assert!(!exchange(mechanism, "ann", "pencil", host).await);
        assert!(!exchange(mechanism, "nobody", PASSWORD, host).await);
        // What he has is no verifier; a login with PLAIN does not make one either.
        assert!(!exchange(mechanism, "carl", PASSWORD, host).await);
    }
    let start = async |judge: &Judge, user: &str| {
        let start =
            ScramStart { mechanism: Mechanism::ScramSha256, user: user.as_bytes().to_vec() };
        match judge.login(&from, Credentials::ScramStart(start)).await {
            LoginAnswer::ScramParameters(parameters) => parameters,
            answer => panic!("{answer:?}"),
        }
    };
    let ScramParameters { salt, iterations, nonce } = start(&judge, "nobody").await;
    let again = start(&judge, "Nobody@a.example").await;
    assert_eq!((&again.salt, again.iterations), (&salt, iterations));
    assert_ne!(again.nonce, nonce);
    assert_ne!(start(&judge, "carl").await.salt, salt);
    let known = start(&judge, "ann").await;
    assert_eq!((known.salt.len(), known.iterations), (salt.len(), iterations));
    // After a restart with the same secret nothing has changed.
    let accounts = Arc::new(LiveAccounts::new(scratch.0.join("accounts")).expect("our own"));
    let settings = AuthSettings { secret: scratch.0.join("secret"), ..AuthSettings::default() };
    let restarted = Judge::new(accounts, "a.example", &settings, Hits::default()).expect("good");
    assert_eq!(start(&restarted, "nobody").await.salt, salt);
}

#[tokio::test]
async fn the_open_judge_offers_what_can_be_completed() {
    let scram = |judge: &OpenJudge| judge.mechanisms().contains(&Mechanism::ScramSha256);
    let open = OpenJudge::new("localhost", None).expect("fine");
    let from = caller([4, 1]);
    assert!(!scram(&open));
    let answer = open.login(&from, password("Ann", "anything", ""));
    assert_eq!(name(&answer), Ok("ann@localhost"));
    let certified = Caller { identities: vec!["bob@b.example".to_owned()], ..from.clone() };
    let answer = open.login(&certified, Credentials::External(Vec::new()));
    assert_eq!(name(&answer), Ok("bob@b.example"));
    let one = OpenJudge::new("localhost", Some("pencil")).expect("fine");
    assert!(scram(&one));
    for (secret, right) in [("pencil", true), ("pen", false)] {
        for mechanism in [Mechanism::ScramSha1, Mechanism::ScramSha256] {
            let host = async |ask| one.login(&from, ask);
            assert_eq!(exchange(mechanism, "ann", secret, host).await, right);
        }
        let answer = one.login(&from, password("ann", secret, ""));
        assert_eq!(name(&answer).is_ok(), right);
    }
    assert!(OpenJudge::new("localhost", Some("")).is_err());
}

#[tokio::test]
async fn the_open_judge_may_know_its_users() {
    let users = [("ann@localhost", "pencil"), ("bob@b.test", "pen")];
    let users = users.map(|(name, password)| (name.to_owned(), password.to_owned()));
    let judge = OpenJudge::new("localhost", None).expect("fine");
    let judge = judge.with_users(&users.into_iter().collect()).expect("two users");
    let from = caller([4, 2]);
    for (user, secret, right) in [
        ("ann", "pencil", true),
        ("ANN@localhost", "pencil", true),
        ("ann", "pen", false),
        ("bob@b.test", "pen", true),
        ("bob", "pen", false),
        ("eve@b.test", "pen", false),
    ] {
        let answer = judge.login(&from, password(user, secret, ""));
        assert_eq!(name(&answer).is_ok(), right, "{user} {secret}");
        if user != "eve@b.test" && user != "bob" {
            let host = async |ask| judge.login(&from, ask);
            assert_eq!(exchange(Mechanism::ScramSha256, user, secret, host).await, right);
        }
    }
    let as_bob = judge.login(&from, password("ann", "pencil", "bob@b.test"));
    assert_eq!(name(&as_bob), Err(Reason::BadCredentials));
    let mechanisms = judge.mechanisms();
    assert!(mechanisms.contains(&Mechanism::ScramSha1) && mechanisms.contains(&Mechanism::Plain));
    assert!(!mechanisms.contains(&Mechanism::External), "a certificate is no password");
    let certified = Caller { identities: vec!["ann@localhost".to_owned()], ..from };
    let answer = judge.login(&certified, Credentials::External(Vec::new()));
    assert_eq!(name(&answer), Err(Reason::Unsupported));
}

/// Nobody can tell by the time whether there is such an account: the medians are within 2 ms; on a machine that is busy
/// with other things, within a twentieth of what a login takes there.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_take_as_long_as_known_ones() {
    let scratch = Scratch::new("judge-time");
    let judge = judge(&scratch);
    let mut worst = (Duration::MAX, Duration::ZERO);
    // A busy machine may spoil a round, but not every one.
    for round in 0..4 {
        let mut times = [Vec::new(), Vec::new()];
        for at in 0..60 {
            for (times, user) in times.iter_mut().zip(["ann", "nobody"]) {
                let start = Instant::now();
                let network = [20 + round * 2 + u8::from(user == "ann"), at];
                let (answer, _) = judge.judge(&caller(network), password(user, "wrong", "")).await;
                times.push(start.elapsed());
                assert_eq!(name(&answer), Err(Reason::BadCredentials));
            }
        }
        let [known, unknown] = times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        worst = (known, unknown);
        if known.abs_diff(unknown) <= Duration::from_millis(2).max(known / 20) {
            return;
        }
    }
    panic!("the medians differ: {worst:?}");
}

/// Goal S13 scaled down, with real hashes: the full count is in `guesses`, with a clock of its own.
#[tokio::test(flavor = "multi_thread")]
async fn users_get_in_within_a_second_while_others_guess() {
    let scratch = Scratch::new("judge-attack");
    let judge = Arc::new(judge(&scratch));
    let home = caller([200, 1]);
    let start = Instant::now();
    assert!(name(&judge.login(&home, password("ann", PASSWORD, "")).await).is_ok());
    // The first try of each of the 20 may come before: half a second or so. A machine that is busy with other things
    // hashes more slowly, and may take longer in that measure.
    let within = Duration::from_secs(1).max(start.elapsed() * 25);
    let mut guessing = tokio::task::JoinSet::new();
    for guess in 0..2000u32 {
        let judge = Arc::clone(&judge);
        guessing.spawn(async move {
            let from = caller([50, (guess % 20) as u8]);
            let user = if guess % 2 == 0 { "ann" } else { "bob" };
            let (answer, _) = judge.judge(&from, password(user, &guess.to_string(), "")).await;
            name(&answer).expect_err("a guess")
        });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Bob's is not among those that were right a short while ago, so it is hashed.
    for (from, at) in [(&home, 0), (&caller([201, 7]), 1)] {
        for user in ["ann", "bob"] {
            let start = Instant::now();
            let (answer, _) = judge.judge(from, password(user, PASSWORD, "")).await;
            assert!(name(&answer).is_ok(), "{user} from {from:?}: {answer:?}");
            let took = start.elapsed();
            assert!(took <= within, "{user} {at}: {took:?} of {within:?}");
        }
    }
    let mut judged = 0;
    while let Some(reason) = guessing.join_next().await {
        match reason.expect("no guess panics") {
            Reason::BadCredentials => judged += 1,
            Reason::LoginThrottled | Reason::Overloaded => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(judged <= 20 * 10, "{judged} of 2000 guesses were hashed");
}
