//! The server's side of SASL exchanges (RFC 4422): from base64 lines to credentials for the host,
//! and to its verdict. How a protocol frames challenges is the role's; whether credentials are
//! right is the host's.

mod anonymous;
mod cram;
mod external;
mod login;
mod plain;
mod scram;
mod token;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::binding::Binding;
use super::digest::is_challenge;
use super::{Account, AuthOffer, Credentials, LoginAnswer, Mechanism, scram as shared};
use crate::text::base64;
use crate::trace::Rule;
use crate::types::{Misuse, Reason, Refusal, TlsFacts};

pub(super) use anonymous::ANONYMOUS_MESSAGE;
pub(super) use cram::CRAM_RESPONSE;
pub(super) use external::EXTERNAL_MESSAGE;
pub(super) use plain::PLAIN_MESSAGE;
use scram::{Judging, Salted, Scram};
use token::Kind;
pub(super) use token::TOKEN_MESSAGE;

/// Octets of a name or a password (RFC 4616 §2 asks for at least 255).
const PART_MAX: usize = 1000;

/// On what terms a peer may log in: what the listener offers, and over which channel.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The listener's offer.
    pub offer: &'a AuthOffer,
    /// Whether the connection is secured.
    pub secured: bool,
    /// What the TLS handshake gave, if the host said.
    pub tls: Option<&'a TlsFacts>,
}

impl<'a> Terms<'a> {
    /// Whether a password may cross: over TLS, or where the listener takes it in the clear.
    #[must_use]
    pub const fn are_open(self) -> bool {
        self.secured || self.offer.cleartext
    }

    /// The mechanisms that can be used now, best first; none while the terms are not open.
    ///
    /// SCRAM and CRAM-MD5 too wait for TLS: who listens could try passwords at leisure, and reads
    /// the mail after the login anyway.
    pub fn mechanisms(self) -> impl Iterator<Item = Mechanism> + 'a {
        let open = self.are_open();
        let usable = move |mechanism: &Mechanism| match mechanism {
            Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus => {
                Binding::best(self.tls).is_some()
            }
            Mechanism::External => self.tls.is_some_and(|tls| tls.client_identity.is_some()),
            _ => true,
        };
        self.offer.mechanisms.iter().copied().filter(move |mechanism| open && usable(mechanism))
    }

    /// Whether this mechanism can be used now.
    #[must_use]
    pub fn has(self, mechanism: Mechanism) -> bool {
        self.mechanisms().any(|one| one == mechanism)
    }
}

/// A running exchange: what the next response, or the host's next answer, will be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange(State);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// PLAIN's only message.
    Plain,
    /// LOGIN's user name.
    LoginUser,
    /// LOGIN's password, for this user.
    LoginPassword(Vec<u8>),
    /// EXTERNAL's only message.
    External,
    /// ANONYMOUS's only message.
    Anonymous,
    /// The host makes CRAM-MD5's challenge.
    Challenging,
    /// CRAM-MD5's response to this challenge.
    Challenged(Vec<u8>),
    /// The only message that is to go well, of a mechanism with tokens.
    Token(Kind),
    /// Why the token failed was told; whatever the peer says now, it is refused.
    TokenFailed(Refusal),
    /// SCRAM's client-first-message.
    First(Mechanism),
    /// SCRAM's client-final-message.
    Salted(Box<Salted>),
    /// SCRAM: our proof was sent; an empty response ends it well.
    Proved(Account),
    /// The host judges all that the peer had to say.
    Judging,
    /// The host judges a token.
    JudgingToken(Kind),
    /// The host finds the salt.
    Salting(Box<Scram>),
    /// The host judges a proof.
    JudgingProof(Judging),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this challenge, base64 already, and give the response to `respond`.
    Challenge(Exchange, Vec<u8>),
    /// Ask the host, and give its answer to `answered`.
    Ask(Exchange, Credentials),
    /// The peer is let in.
    Accepted(Account),
    /// The peer is not let in; the rule is the one that it broke, if that is why.
    Refused(Refusal, Option<&'static Rule>),
    /// The peer gave up with `*`.
    Cancelled,
    /// The response is not base64, or not what the mechanism says.
    Malformed(&'static Rule),
}

impl Exchange {
    /// Begins an exchange of one of the terms' mechanisms; `initial` is the initial response in
    /// base64, `=` for an empty one (RFC 4954 §4, RFC 4959 §3).
    #[must_use]
    pub fn start(mechanism: Mechanism, initial: Option<&[u8]>, terms: Terms<'_>) -> Step {
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginUser,
            Mechanism::External => State::External,
            Mechanism::Oauthbearer => State::Token(Kind::Oauthbearer),
            Mechanism::Xoauth2 => State::Token(Kind::Xoauth2),
            Mechanism::ScramSha1
            | Mechanism::ScramSha1Plus
            | Mechanism::ScramSha256
            | Mechanism::ScramSha256Plus => State::First(mechanism),
            Mechanism::Anonymous => State::Anonymous,
            // RFC 4954 §4, RFC 4959 §3: where the server speaks first there is no initial response.
            Mechanism::CramMd5 if initial.is_some() => return Step::Malformed(&CRAM_RESPONSE),
            Mechanism::CramMd5 => {
                return Step::Ask(Self(State::Challenging), Credentials::DigestStart);
            }
        };
        let first = Self(state);
        match initial {
            Some(b"=") => first.message(Vec::new(), terms),
            // RFC 4954 §4: an empty initial response is written as `=`, so that nothing is not
            // taken for one.
            Some(b"") => Step::Malformed(&super::EXCHANGE),
            Some(response) => first.respond(response, terms),
            None => {
                let prompt: &[u8] =
                    if first.0 == State::LoginUser { login::USER_PROMPT } else { b"" };
                challenge(first.0, prompt)
            }
        }
    }

    /// What stands for the exchange where a protocol's own command brought the credentials: only
    /// the answer is to come.
    #[must_use]
    pub const fn judging() -> Self {
        Self(State::Judging)
    }

    /// Goes on with the peer's response, a line without its CRLF.
    #[must_use]
    pub fn respond(self, line: &[u8], terms: Terms<'_>) -> Step {
        // RFC 7628 §3.2.3: an abort and the dummy response end a failed exchange alike.
        if let State::TokenFailed(refusal) = self.0 {
            return Step::Refused(refusal, None);
        }
        if line == b"*" {
            return Step::Cancelled;
        }
        match base64::decode(line) {
            Some(message) => self.message(message, terms),
            None => Step::Malformed(&super::EXCHANGE),
        }
    }

    fn message(self, message: Vec<u8>, terms: Terms<'_>) -> Step {
        match self.0 {
            State::Plain => match plain::read(&message) {
                Some(credentials) => Step::Ask(Self(State::Judging), credentials),
                None => Step::Malformed(&PLAIN_MESSAGE),
            },
            State::LoginUser if is_part(&message) => {
                challenge(State::LoginPassword(message), login::PASSWORD_PROMPT)
            }
            State::LoginPassword(user) if is_part(&message) => {
                Step::Ask(Self(State::Judging), login::credentials(user, message))
            }
            State::External => match external::read(message) {
                Some(credentials) => Step::Ask(Self(State::Judging), credentials),
                None => Step::Malformed(&EXTERNAL_MESSAGE),
            },
            State::Anonymous => match anonymous::read(message) {
                Some(credentials) => Step::Ask(Self(State::Judging), credentials),
                None => Step::Malformed(&ANONYMOUS_MESSAGE),
            },
            State::Challenged(sent) => match cram::read(sent, &message) {
                Some(credentials) => Step::Ask(Self(State::Judging), credentials),
                None => Step::Malformed(&CRAM_RESPONSE),
            },
            State::Token(kind) => match kind.read(&message) {
                Some(given) if given.token.is_empty() => {
                    token_failed(kind, Refusal::new(Reason::BadCredentials))
                }
                Some(given) => {
                    Step::Ask(Self(State::JudgingToken(kind)), Credentials::Token(given))
                }
                None => Step::Malformed(&TOKEN_MESSAGE),
            },
            State::First(mechanism) => match Scram::read(mechanism, &message, terms) {
                Ok(scram) => {
                    let ask = Credentials::ScramStart(scram.ask());
                    Step::Ask(Self(State::Salting(Box::new(scram))), ask)
                }
                Err(fault) => fault.step(),
            },
            State::Salted(salted) => match salted.read(&message) {
                Ok((judging, finish)) => {
                    let ask = Credentials::ScramFinish(finish);
                    Step::Ask(Self(State::JudgingProof(judging)), ask)
                }
                Err(fault) => fault.step(),
            },
            // RFC 4954 §4 and the others' like: data with success takes one more, empty response.
            State::Proved(account) if message.is_empty() => Step::Accepted(account),
            State::LoginUser
            | State::LoginPassword(_)
            | State::Proved(_)
            | State::TokenFailed(_)
            | State::Challenging
            | State::Judging
            | State::JudgingToken(_)
            | State::Salting(_)
            | State::JudgingProof(_) => Step::Malformed(&super::EXCHANGE),
        }
    }

    /// Goes on with the host's answer to `Step::Ask`.
    ///
    /// # Errors
    /// [`Misuse::WrongAnswer`] if this ask takes no such answer: nobody is let in on a name alone.
    /// [`Misuse::BadValue`] if SCRAM's parameters or signature are out of their bounds, or a
    /// challenge is no message-id. The exchange is as it was.
    pub fn answered(self, answer: LoginAnswer) -> Result<Step, (Self, Misuse)> {
        match (self.0, answer) {
            (State::JudgingToken(kind), LoginAnswer::Refused(refusal)) if kind.tells(&refusal) => {
                Ok(token_failed(kind, refusal))
            }
            (
                State::Judging
                | State::JudgingToken(_)
                | State::Challenging
                | State::Salting(_)
                | State::JudgingProof(_),
                LoginAnswer::Refused(refusal),
            ) => Ok(Step::Refused(refusal, None)),
            (State::Judging | State::JudgingToken(_), LoginAnswer::Accepted(account)) => {
                Ok(Step::Accepted(account))
            }
            (State::Challenging, LoginAnswer::DigestChallenge(made)) if is_challenge(&made) => {
                let text = base64::encode(&made);
                Ok(Step::Challenge(Self(State::Challenged(made)), text))
            }
            (State::Challenging, LoginAnswer::DigestChallenge(_)) => {
                Err((Self(State::Challenging), Misuse::BadValue))
            }
            (State::Salting(scram), LoginAnswer::ScramParameters(parameters)) => {
                match scram.salted(&parameters) {
                    Ok((salted, message)) => {
                        Ok(challenge(State::Salted(Box::new(salted)), &message))
                    }
                    Err(scram) => Err((Self(State::Salting(scram)), Misuse::BadValue)),
                }
            }
            (State::JudgingProof(judging), LoginAnswer::Accepted(account)) => {
                match judging.server_final(&account) {
                    Some(message) => Ok(challenge(State::Proved(account), &message)),
                    None => Err((Self(State::JudgingProof(judging)), Misuse::BadValue)),
                }
            }
            (state, _) => Err((Self(state), Misuse::WrongAnswer)),
        }
    }
}

fn challenge(state: State, message: &[u8]) -> Step {
    Step::Challenge(Exchange(state), base64::encode(message))
}

fn token_failed(kind: Kind, refusal: Refusal) -> Step {
    let why = kind.failure(&refusal);
    challenge(State::TokenFailed(refusal), why)
}

/// A name or a password.
fn is_part(part: &[u8]) -> bool {
    !part.is_empty() && is_name(part)
}

/// A name, or none.
fn is_name(name: &[u8]) -> bool {
    name.len() <= PART_MAX && !name.contains(&0) && core::str::from_utf8(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::scram::{Hash, Keys};
    use super::super::{DigestCredentials, PasswordCredentials, ScramParameters, TokenCredentials};
    use super::*;
    use Mechanism::{External, Login, Oauthbearer, Plain, ScramSha1, ScramSha256};
    use Mechanism::{ScramSha256Plus, Xoauth2};

    fn offer() -> AuthOffer {
        let mechanisms = [ScramSha256Plus, ScramSha256, ScramSha1, External].into();
        AuthOffer { mechanisms, password_commands: true, cleartext: false }
    }

    fn start(mechanism: Mechanism, message: &[u8]) -> Step {
        started(mechanism, message, None)
    }

    fn started(mechanism: Mechanism, message: &[u8], tls: Option<&TlsFacts>) -> Step {
        let offer = offer();
        let terms = Terms { offer: &offer, secured: true, tls };
        Exchange::start(mechanism, Some(&base64::encode(message)), terms)
    }

    fn respond(exchange: Exchange, line: &[u8]) -> Step {
        let offer = offer();
        exchange.respond(line, Terms { offer: &offer, secured: true, tls: None })
    }

    fn account(server_signature: Vec<u8>) -> Account {
        Account { name: b"user".to_vec(), server_signature }
    }

    fn wrong() -> Refusal {
        Refusal::new(Reason::BadCredentials)
    }

    fn challenged(step: Step) -> (Exchange, Vec<u8>) {
        let Step::Challenge(exchange, text) = step else { panic!("{step:?}") };
        (exchange, base64::decode(&text).expect("our base64"))
    }

    #[test]
    fn plain_has_exactly_two_nuls() {
        let step = start(Plain, b"\0ann\0s3cret");
        let Step::Ask(exchange, Credentials::Password(given)) = step else { panic!("{step:?}") };
        assert_eq!((&given.user[..], &given.password[..]), (&b"ann"[..], &b"s3cret"[..]));
        let let_in = Step::Accepted(account(Vec::new()));
        assert_eq!(exchange.answered(LoginAnswer::Accepted(account(Vec::new()))), Ok(let_in));
        let wrong: [&[u8]; 8] =
            [b"", b"ann", b"\0ann", b"\0\0x", b"\0ann\0", b"\0a\0b\0c", b"\0\xff\0b", b"a\0b\0c\0"];
        for message in wrong {
            let step = start(Plain, message);
            assert!(matches!(step, Step::Malformed(_)), "{}", message.escape_ascii());
        }
        let long = |octets| [&[0][..], &alloc::vec![b'u'; octets], &[0], &[b'p'; 255]].concat();
        assert!(matches!(start(Plain, &long(255)), Step::Ask(..)));
        assert!(matches!(start(Plain, &long(1000)), Step::Ask(..)));
        assert!(matches!(start(Plain, &long(1001)), Step::Malformed(_)));
    }

    #[test]
    fn login_asks_twice() {
        let offer = offer();
        let terms = Terms { offer: &offer, secured: true, tls: None };
        let (user, first) = challenged(Exchange::start(Login, None, terms));
        assert_eq!(first, b"Username:");
        let (password, second) = challenged(user.respond(b"YW5u", terms));
        assert_eq!(second, b"Password:");
        let given = PasswordCredentials {
            authorization: Vec::new(),
            user: b"ann".to_vec(),
            password: b"s3cret".to_vec(),
        };
        let step = respond(password.clone(), b"czNjcmV0");
        assert_eq!(step, Step::Ask(Exchange::judging(), Credentials::Password(given)));
        assert_eq!(respond(password.clone(), b"*"), Step::Cancelled);
        assert!(matches!(respond(password.clone(), b"not base64"), Step::Malformed(_)));
        assert!(matches!(respond(password, b""), Step::Malformed(_)));
    }

    /// RFC 2195 §2.
    #[test]
    fn cram_md5_asks_the_host_for_a_challenge_of_its_own() {
        let (offer, challenge) = (offer(), &b"<1896.697170952@postoffice.reston.mci.net>"[..]);
        let terms = Terms { offer: &offer, secured: true, tls: None };
        let early = Exchange::start(Mechanism::CramMd5, Some(b"dGlt"), terms);
        assert_eq!(early, Step::Malformed(&CRAM_RESPONSE));
        let step = Exchange::start(Mechanism::CramMd5, None, terms);
        let Step::Ask(exchange, Credentials::DigestStart) = step else { panic!("{step:?}") };
        let wrong = exchange.answered(LoginAnswer::Accepted(account(Vec::new())));
        let (exchange, misuse) = wrong.expect_err("nobody was named");
        assert_eq!(misuse, Misuse::WrongAnswer);
        let wrong = exchange.answered(LoginAnswer::DigestChallenge(b"1896".to_vec()));
        let (exchange, misuse) = wrong.expect_err("no message-id");
        assert_eq!(misuse, Misuse::BadValue);
        let step = exchange.answered(LoginAnswer::DigestChallenge(challenge.to_vec()));
        let (exchange, sent) = challenged(step.expect("a challenge"));
        assert_eq!(sent, challenge);
        let given = DigestCredentials {
            user: b"tim t".to_vec(),
            challenge: challenge.to_vec(),
            digest: b"b913a602c7eda7a495b4e6e7334d3890".to_vec(),
            hmac: true,
        };
        let response = base64::encode(b"tim t B913a602c7eda7a495b4e6e7334d3890");
        let step = respond(exchange.clone(), &response);
        assert_eq!(step, Step::Ask(Exchange::judging(), Credentials::Digest(given)));
        assert_eq!(respond(exchange.clone(), b"*"), Step::Cancelled);
        let wrong: [&[u8]; 5] = [
            b"",
            b"b913a602c7eda7a495b4e6e7334d3890",
            b" b913a602c7eda7a495b4e6e7334d3890",
            b"tim b913a602c7eda7a495b4e6e7334d389",
            b"tim b913a602c7eda7a495b4e6e7334d389x",
        ];
        for response in wrong {
            let step = respond(exchange.clone(), &base64::encode(response));
            assert_eq!(step, Step::Malformed(&CRAM_RESPONSE), "{}", response.escape_ascii());
        }
    }

    /// RFC 4505 §2.
    #[test]
    fn anonymous_says_a_word_or_nothing() {
        let asked = |text: &[u8]| {
            let ask = Credentials::Anonymous(text.to_vec());
            Step::Ask(Exchange::judging(), ask)
        };
        assert_eq!(start(Mechanism::Anonymous, b"sirhc"), asked(b"sirhc"));
        let long = "ä".repeat(255);
        assert_eq!(start(Mechanism::Anonymous, long.as_bytes()), asked(long.as_bytes()));
        let (offer, long) = (offer(), "a".repeat(256));
        let terms = Terms { offer: &offer, secured: true, tls: None };
        assert_eq!(Exchange::start(Mechanism::Anonymous, Some(b"="), terms), asked(b""));
        for wrong in [&b"a\0b"[..], b"\xff", long.as_bytes()] {
            assert_eq!(start(Mechanism::Anonymous, wrong), Step::Malformed(&ANONYMOUS_MESSAGE));
        }
    }

    #[test]
    fn an_empty_initial_response_is_written() {
        let offer = offer();
        let terms = Terms { offer: &offer, secured: true, tls: None };
        let step = Exchange::start(External, Some(b"="), terms);
        assert_eq!(step, Step::Ask(Exchange::judging(), Credentials::External(Vec::new())));
        assert!(matches!(Exchange::start(External, Some(b""), terms), Step::Malformed(_)));
        assert!(matches!(Exchange::start(Plain, Some(b"="), terms), Step::Malformed(_)));
        assert!(matches!(start(External, b"a\0b"), Step::Malformed(_)));
    }

    /// RFC 7628 §4.1 and §4.3.
    #[test]
    fn examples_of_tokens() {
        let token = |user: &[u8], token: &[u8]| TokenCredentials {
            authorization: user.to_vec(),
            token: token.to_vec(),
        };
        let text = b"bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAW\
                     F1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB";
        let message = base64::decode(text).expect("base64");
        let good = token(b"user@example.com", b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        let Step::Ask(exchange, ask) = start(Oauthbearer, &message) else { panic!() };
        assert_eq!(ask, Credentials::Token(good));
        let refused = exchange.clone().answered(LoginAnswer::Refused(wrong()));
        for end in [&b"AQ=="[..], b"*", b"", b"not base64"] {
            let (failed, why) = challenged(refused.clone().expect("an answer"));
            assert_eq!(why, br#"{"status":"invalid_token"}"#);
            assert_eq!(respond(failed, end), Step::Refused(wrong(), None));
        }
        // Busy is nothing about the token.
        let busy = Refusal::new(Reason::Overloaded);
        let step = exchange.answered(LoginAnswer::Refused(busy.clone()));
        assert_eq!(step, Ok(Step::Refused(busy, None)));

        // A question for what would do.
        let empty =
            b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=\x01\x01";
        let (failed, why) = challenged(start(Oauthbearer, empty));
        assert_eq!(why, br#"{"status":"invalid_token"}"#);
        assert_eq!(respond(failed, b"AQ=="), Step::Refused(wrong(), None));
        let old = start(Xoauth2, b"user=ann\x01auth=bearer abc\x01\x01");
        let Step::Ask(_, Credentials::Token(given)) = old else { panic!("{old:?}") };
        assert_eq!(given, token(b"ann", b"abc"));

        let wrong: [(Mechanism, &[u8]); 14] = [
            (Oauthbearer, b"\x01"),
            (Oauthbearer, b"n,,\x01auth=Bearer a\x01"),
            (Oauthbearer, b"n,,\x01\x01"),
            (Oauthbearer, b"n,\x01auth=Bearer a\x01\x01"),
            (Oauthbearer, b"n,user=ann,\x01auth=Bearer a\x01\x01"),
            (Oauthbearer, b"n,a==,\x01auth=Bearer a\x01\x01"),
            (Oauthbearer, b"p=tls-exporter,,\x01auth=Bearer a\x01\x01"),
            (Oauthbearer, b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01"),
            (Oauthbearer, b"n,,\x01=x\x01auth=Bearer a\x01\x01"),
            (Oauthbearer, b"n,,\x01auth=Bearer \xff\x01\x01"),
            (Xoauth2, b"user=\x01auth=Bearer a\x01\x01"),
            (Xoauth2, b"user=a\x01auth=Bearer a\x01"),
            (Xoauth2, b"user=a\x01auth=Bearer a\x01b\x01\x01"),
            (Xoauth2, b"auth=Bearer a\x01\x01"),
        ];
        for (mechanism, message) in wrong {
            let step = start(mechanism, message);
            assert!(matches!(step, Step::Malformed(_)), "{}: {step:?}", message.escape_ascii());
        }
    }

    /// RFC 5802 §5 and RFC 7677 §3.
    #[test]
    fn examples_of_scram() {
        let examples: [(_, _, [&[u8]; 6]); 2] = [
            (
                ScramSha1,
                Hash::Sha1,
                [
                    b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                    b"3rfcNHYJY1ZVvWVs7j",
                    b"QSXCR+Q6sek8bf92",
                    b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                    b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
                      p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                    b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
                ],
            ),
            (
                ScramSha256,
                Hash::Sha256,
                [
                    b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                    b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                    b"W22ZaJ0SNY7soEsUEjb6gQ==",
                    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                      s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                      p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                    b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
                ],
            ),
        ];
        for (mechanism, hash, [first, nonce, salt, second, third, last]) in examples {
            let step = start(mechanism, first);
            let Step::Ask(exchange, Credentials::ScramStart(ask)) = step else {
                panic!("{step:?}")
            };
            assert_eq!((ask.mechanism, &ask.user[..]), (mechanism, &b"user"[..]));
            // A name alone lets nobody in.
            let early = exchange.answered(LoginAnswer::Accepted(account(alloc::vec![0; 32])));
            let (exchange, misuse) = early.expect_err("too early");
            assert_eq!(misuse, Misuse::WrongAnswer);
            let salt = base64::decode(salt).expect("base64");
            let good = ScramParameters { salt, iterations: 4096, nonce: nonce.to_vec() };
            let bad = [
                ScramParameters { iterations: 4095, ..good.clone() },
                ScramParameters { iterations: 1_000_001, ..good.clone() },
                ScramParameters { salt: Vec::new(), ..good.clone() },
                ScramParameters { nonce: b"short".to_vec(), ..good.clone() },
                ScramParameters { nonce: b"with,commas,in,the,nonce".to_vec(), ..good.clone() },
            ];
            let mut exchange = exchange;
            for parameters in bad {
                let answer = exchange.answered(LoginAnswer::ScramParameters(parameters));
                let (same, misuse) = answer.expect_err("out of bounds");
                assert_eq!(misuse, Misuse::BadValue);
                exchange = same;
            }
            let keys = Keys::derive(hash, b"pencil", &good.salt, 4096);
            let step = exchange.answered(LoginAnswer::ScramParameters(good)).expect("good");
            let (exchange, message) = challenged(step);
            assert_eq!(message, second);
            let step = respond(exchange, &base64::encode(third));
            let Step::Ask(exchange, Credentials::ScramFinish(ask)) = step else {
                panic!("{step:?}")
            };
            let signature = keys.judge(hash, &ask.auth_message, &ask.proof).expect("a right proof");
            let unsigned = exchange.answered(LoginAnswer::Accepted(account(Vec::new())));
            let (exchange, misuse) = unsigned.expect_err("no signature");
            assert_eq!(misuse, Misuse::BadValue);
            let let_in = account(signature);
            let step = exchange.answered(LoginAnswer::Accepted(let_in.clone())).expect("signed");
            let (exchange, message) = challenged(step);
            assert_eq!(message, last);
            assert!(matches!(respond(exchange.clone(), b"AQ=="), Step::Malformed(_)));
            assert_eq!(respond(exchange, b""), Step::Accepted(let_in));
        }
    }

    #[test]
    fn scram_checks_the_channel() {
        let tls = TlsFacts { exporter: b"exported".to_vec(), ..TlsFacts::default() };
        let rest = b",,n=user,r=rOprNGfwEbeRWgbNEkqO";
        let begin = |mechanism, flag: &[u8], tls: Option<&TlsFacts>| {
            started(mechanism, &[flag, &rest[..]].concat(), tls)
        };
        assert!(matches!(begin(ScramSha256Plus, b"p=tls-exporter", Some(&tls)), Step::Ask(..)));
        assert!(matches!(begin(ScramSha256, b"n", Some(&tls)), Step::Ask(..)));
        assert!(matches!(begin(ScramSha256, b"y", None), Step::Ask(..)));
        // SHA-1 with channel binding is not offered, so who says `y` to it is right.
        assert!(matches!(begin(ScramSha1, b"y", Some(&tls)), Step::Ask(..)));
        let unbound: [(_, &[u8], _); 4] = [
            (ScramSha256, b"y", Some(&tls)),
            (ScramSha256Plus, b"p=tls-unique", Some(&tls)),
            (ScramSha256Plus, b"p=tls-server-end-point", Some(&tls)),
            (ScramSha256Plus, b"p=tls-exporter", None),
        ];
        for (mechanism, flag, tls) in unbound {
            let step = begin(mechanism, flag, tls);
            assert!(matches!(step, Step::Refused(_, Some(_))), "{}", flag.escape_ascii());
        }
        let malformed: [(_, &[u8]); 5] = [
            (ScramSha256Plus, b"n"),
            (ScramSha256Plus, b"y"),
            (ScramSha256, b"p=tls-exporter"),
            (ScramSha256, b""),
            (ScramSha256, b"F,n"),
        ];
        for (mechanism, flag) in malformed {
            let step = begin(mechanism, flag, Some(&tls));
            assert!(matches!(step, Step::Malformed(_)), "{}", flag.escape_ascii());
        }
    }

    #[test]
    fn terms_follow_the_channel() {
        let offer = offer();
        let list = |secured, tls| {
            Terms { offer: &offer, secured, tls }.mechanisms().collect::<Vec<Mechanism>>()
        };
        assert_eq!(list(false, None), []);
        assert_eq!(list(true, None), [ScramSha256, ScramSha1]);
        let tls = TlsFacts {
            server_end_point: b"hash".to_vec(),
            client_identity: Some(b"ann".to_vec()),
            ..TlsFacts::default()
        };
        assert_eq!(list(true, Some(&tls)), offer.mechanisms);
    }
}
