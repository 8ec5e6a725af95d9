//! The client's side of SASL exchanges (RFC 4422): which mechanism to take, and what to say to each
//! challenge. How a protocol frames challenges is the role's; which secret goes with a mechanism is
//! the host's.

mod scram;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::binding::Binding;
use super::digest::{cram_md5, is_challenge};
use super::{ClientCredentials, Mechanism, SaltPassword, scram as shared};
use crate::text::base64;
use crate::trace::Rule;
use crate::types::{Misuse, TlsFacts};

use scram::{Proved, Salting, Scram};

/// RFC 5802 §5.
pub(super) const PROOF: Rule = Rule {
    rfc: 5802,
    section: "5",
    gist: "A server that cannot prove that it knows the keys has not let anybody in.",
};

/// Mechanisms that a client session may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Only these; empty means every one that this side has.
    pub only: Vec<Mechanism>,
    /// Whether a password or a token may cross without TLS; only right on loopback.
    pub cleartext: bool,
}

/// Characters of a trace text (RFC 4505 §2).
const TRACE_CHARACTERS_MAX: usize = 255;

/// Best first: keys bound to the channel, keys, tokens, and then the password itself. Behind it are those that nobody
/// should take without meaning it: a digest that a listener can try passwords on, and no name at all.
const BEST_FIRST: [Mechanism; 11] = [
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
    Mechanism::Anonymous,
];

impl Policy {
    /// The mechanisms that both sides have and that may be used on this connection, best first.
    ///
    /// `offered` is the server's list; `tls` is what the handshake gave, `None` in the clear.
    #[must_use]
    pub fn choices(&self, offered: &[Mechanism], tls: Option<&TlsFacts>) -> Vec<Mechanism> {
        let fits = |mechanism: Mechanism| match mechanism {
            Mechanism::ScramSha256 | Mechanism::ScramSha1 => true,
            Mechanism::ScramSha256Plus | Mechanism::ScramSha1Plus => Binding::best(tls).is_some(),
            // It is the identity that TLS gave: without TLS there is none.
            Mechanism::External => tls.is_some(),
            // It has no secret.
            Mechanism::Anonymous => true,
            _ => tls.is_some() || self.cleartext,
        };
        let wanted = |mechanism: Mechanism| self.only.is_empty() || self.only.contains(&mechanism);
        let all = BEST_FIRST.into_iter();
        all.filter(|&one| offered.contains(&one) && wanted(one) && fits(one)).collect()
    }
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Send this line, base64 already (empty: an empty line), masked in traces; the server's next
    /// words go to `challenge`, `succeeded`, or, if it refused, nowhere.
    Respond(Exchange, Vec<u8>),
    /// Ask the host (`LoginAsk::SaltPassword`); its answer goes to `salted`.
    Ask(Exchange, SaltPassword),
    /// Cancel: send `*`, and take the login for failed whatever the server says. After
    /// `Fault::Unproven` close too, since the server is not the one that it claims to be.
    Cancel(Fault),
}

/// Why a login fails on the server's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The challenge is not base64, not what the mechanism says, or one too many.
    Malformed,
    /// Too few iterations to protect the password, or so many that they are an attack.
    Iterations,
    /// The server did not prove, or proved wrongly, that it knows the keys; or it let us in before
    /// the exchange was over.
    Unproven,
    /// The server said within the exchange that it refuses.
    Refused,
}

impl Fault {
    /// The rule that the server broke; none when it only refused.
    #[must_use]
    pub const fn rule(self) -> Option<&'static Rule> {
        match self {
            Self::Malformed => Some(&super::EXCHANGE),
            Self::Iterations => Some(&shared::ITERATIONS),
            Self::Unproven => Some(&PROOF),
            Self::Refused => None,
        }
    }
}

/// A running exchange.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchange {
    mechanism: Mechanism,
    state: State,
}

impl core::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Exchange {{ {}, ****** }}", self.mechanism.name())
    }
}

#[derive(Clone, PartialEq, Eq)]
enum State {
    /// The only message is not sent yet.
    Message(Vec<u8>),
    /// LOGIN, before the user name.
    User { user: Vec<u8>, password: Vec<u8> },
    /// LOGIN, before the password.
    Password(Vec<u8>),
    /// CRAM-MD5, before the challenge.
    Digest { user: Vec<u8>, secret: Vec<u8> },
    /// A token was sent: another challenge says why it failed.
    Token,
    /// SCRAM, before client-first-message.
    First(Box<Scram>),
    /// SCRAM: client-first-message was sent.
    Begun(Box<Scram>),
    /// SCRAM: the host is salting the password.
    Salting(Box<Salting>),
    /// SCRAM: client-final-message was sent.
    Proved(Proved),
    /// Nothing is left to say.
    Spoken,
    /// The server said that it refuses.
    Failed,
}

impl Exchange {
    /// Prepares an exchange with what the host gave.
    ///
    /// `offered` is the server's list of mechanisms, not cut down to what we have: SCRAM tells the
    /// server whether we saw it offer channel binding. `tls` is what the handshake gave.
    ///
    /// # Errors
    /// [`Misuse::BadValue`]: the mechanism is not offered or not implemented, a name or secret that
    /// it needs is missing, holds octets that it cannot carry, or a nonce is short.
    pub fn new(
        given: ClientCredentials,
        offered: &[Mechanism],
        tls: Option<&TlsFacts>,
    ) -> Result<Self, Misuse> {
        let mechanism = given.mechanism;
        if !offered.contains(&mechanism) {
            return Err(Misuse::BadValue);
        }
        let state = match mechanism {
            Mechanism::Plain => State::Message(plain(&given)?),
            Mechanism::Login => {
                let right = is_part(&given.user) && is_part(&given.secret);
                let ClientCredentials { user, secret: password, .. } = given;
                right.then_some(State::User { user, password }).ok_or(Misuse::BadValue)?
            }
            Mechanism::Oauthbearer => State::Message(oauthbearer(&given)?),
            Mechanism::Xoauth2 => State::Message(xoauth2(&given)?),
            Mechanism::External => State::Message(external(given)?),
            Mechanism::ScramSha1
            | Mechanism::ScramSha1Plus
            | Mechanism::ScramSha256
            | Mechanism::ScramSha256Plus => {
                State::First(Box::new(Scram::new(&given, offered, tls)?))
            }
            Mechanism::CramMd5 => {
                let right = is_part(&given.user) && !given.secret.is_empty();
                let ClientCredentials { user, secret, .. } = given;
                right.then_some(State::Digest { user, secret }).ok_or(Misuse::BadValue)?
            }
            Mechanism::Anonymous => State::Message(trace(given)?),
        };
        Ok(Self { mechanism, state })
    }

    /// The mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Takes the initial response to send with the command: base64, `=` for an empty one (RFC 4954
    /// §4, RFC 4959 §3).
    ///
    /// `None` if the mechanism has none or it is longer than `octets_max`; then send the command
    /// alone, and the message follows as the response to the first challenge.
    pub fn initial_response(&mut self, octets_max: usize) -> Option<Vec<u8>> {
        let message = match &self.state {
            State::Message(message) => message,
            State::First(scram) => scram.first_message(),
            _ => return None,
        };
        let text = if message.is_empty() { b"=".to_vec() } else { base64::encode(message) };
        if text.len() > octets_max {
            return None;
        }
        self.state = match core::mem::replace(&mut self.state, State::Spoken) {
            State::First(scram) => State::Begun(scram),
            _ => after_message(self.mechanism),
        };
        Some(text)
    }

    /// Goes on with the server's challenge: what follows `334 ` or `+ `, base64 still, without its
    /// CRLF.
    #[must_use]
    pub fn challenge(self, text: &[u8]) -> Step {
        let Self { mechanism, state } = self;
        let respond = |state, message: &[u8]| {
            Step::Respond(Self { mechanism, state }, base64::encode(message))
        };
        match state {
            // The first challenge of a mechanism in which the client speaks first says nothing, and
            // those of LOGIN say what everybody knows; some servers put words there that are not
            // even base64.
            State::Message(message) => respond(after_message(mechanism), &message),
            State::User { user, password } => respond(State::Password(password), &user),
            State::Password(password) => respond(State::Spoken, &password),
            // What is no message-id may be made to find the secret out.
            State::Digest { user, secret } => {
                match base64::decode(text).filter(|challenge| is_challenge(challenge)) {
                    Some(challenge) => {
                        let digest = cram_md5(&challenge, &secret);
                        respond(State::Spoken, &[&user[..], b" ", &digest].concat())
                    }
                    None => Step::Cancel(Fault::Malformed),
                }
            }
            State::First(scram) => {
                let message = scram.first_message().to_vec();
                respond(State::Begun(scram), &message)
            }
            // RFC 7628 §3.2.3; XOAUTH2 wants an empty response in its place.
            State::Token if mechanism == Mechanism::Oauthbearer => respond(State::Failed, b"\x01"),
            State::Token => respond(State::Failed, b""),
            State::Begun(scram) => {
                let read = base64::decode(text).ok_or(Fault::Malformed);
                match read.and_then(|message| scram.server_first(&message)) {
                    Ok(salting) => {
                        let ask = salting.ask(mechanism);
                        Step::Ask(Self { mechanism, state: State::Salting(Box::new(salting)) }, ask)
                    }
                    Err(fault) => Step::Cancel(fault),
                }
            }
            State::Proved(proved) => {
                let read = base64::decode(text).ok_or(Fault::Malformed);
                match read.and_then(|message| proved.server_final(&message)) {
                    Ok(()) => respond(State::Spoken, b""),
                    Err(fault) => Step::Cancel(fault),
                }
            }
            State::Failed => Step::Cancel(Fault::Refused),
            State::Salting(_) | State::Spoken => Step::Cancel(Fault::Malformed),
        }
    }

    /// Goes on with the host's answer to `Step::Ask`, RFC 5802 §3 SaltedPassword.
    ///
    /// # Errors
    /// [`Misuse::BadValue`] if it has another length than the hash, [`Misuse::WrongAnswer`] if it
    /// was not asked for; the exchange is as it was.
    pub fn salted(self, salted_password: &[u8]) -> Result<Step, (Self, Misuse)> {
        let State::Salting(salting) = &self.state else { return Err((self, Misuse::WrongAnswer)) };
        match salting.prove(salted_password) {
            Some((proved, message)) => {
                let next = Self { mechanism: self.mechanism, state: State::Proved(proved) };
                Ok(Step::Respond(next, base64::encode(&message)))
            }
            None => Err((self, Misuse::BadValue)),
        }
    }

    /// The server says that we are in: is the exchange at a point where that can be?
    ///
    /// # Errors
    /// [`Fault::Unproven`] if the server has not proved itself where the mechanism says so, or has
    /// not even heard us: close the connection. [`Fault::Refused`] if it said before that the token
    /// is no good.
    pub fn succeeded(self) -> Result<(), Fault> {
        match self.state {
            State::Spoken | State::Token => Ok(()),
            State::Failed => Err(Fault::Refused),
            _ => Err(Fault::Unproven),
        }
    }
}

const fn after_message(mechanism: Mechanism) -> State {
    match mechanism {
        Mechanism::Oauthbearer | Mechanism::Xoauth2 => State::Token,
        _ => State::Spoken,
    }
}

/// A name or a password as PLAIN and LOGIN carry it.
fn is_part(part: &[u8]) -> bool {
    !part.is_empty() && is_name(part)
}

/// A name, or none.
fn is_name(name: &[u8]) -> bool {
    !name.contains(&0) && core::str::from_utf8(name).is_ok()
}

/// RFC 4616 §2: `message = [authzid] UTF8NUL authcid UTF8NUL passwd`
fn plain(given: &ClientCredentials) -> Result<Vec<u8>, Misuse> {
    let ClientCredentials { authorization, user, secret, .. } = given;
    let right = is_name(authorization) && is_part(user) && is_part(secret);
    let message = || [authorization, &b"\0"[..], user, b"\0", secret].concat();
    right.then(message).ok_or(Misuse::BadValue)
}

/// RFC 7628 §3.1: `client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep`
///
/// Host and port are for tokens that sign their request; a bearer token does not.
fn oauthbearer(given: &ClientCredentials) -> Result<Vec<u8>, Misuse> {
    let ClientCredentials { authorization, user, secret, .. } = given;
    if !is_name(authorization) || !is_name(user) || !is_token(secret) {
        return Err(Misuse::BadValue);
    }
    // What the token cannot say, the name does: servers ask for it.
    let name = if authorization.is_empty() { user } else { authorization };
    let name =
        if name.is_empty() { Vec::new() } else { [b"a=", &shared::encode_name(name)[..]].concat() };
    Ok([b"n,", &name[..], b",\x01auth=Bearer ", secret, b"\x01\x01"].concat())
}

/// XOAUTH2, as its inventor describes it: `user=` name, 0x01, `auth=Bearer ` token, 0x01, 0x01.
fn xoauth2(given: &ClientCredentials) -> Result<Vec<u8>, Misuse> {
    let ClientCredentials { authorization, user, secret, .. } = given;
    let name = if authorization.is_empty() { user } else { authorization };
    if !is_part(name) || name.contains(&1) || !is_token(secret) {
        return Err(Misuse::BadValue);
    }
    Ok([b"user=", &name[..], b"\x01auth=Bearer ", secret, b"\x01\x01"].concat())
}

/// A bearer token: visible, no white space (RFC 7628 §3.1 `value`, narrower).
fn is_token(token: &[u8]) -> bool {
    !token.is_empty() && token.iter().all(u8::is_ascii_graphic)
}

/// RFC 4422 §A.1: whom to act as, or nothing.
fn external(given: ClientCredentials) -> Result<Vec<u8>, Misuse> {
    let name = given.authorization;
    is_name(&name).then_some(name).ok_or(Misuse::BadValue)
}

/// RFC 4505 §2: an address, a word, or nothing.
fn trace(given: ClientCredentials) -> Result<Vec<u8>, Misuse> {
    let text = given.secret;
    let characters = core::str::from_utf8(&text).map(|text| text.chars().count());
    let right = is_name(&text) && characters.is_ok_and(|count| count <= TRACE_CHARACTERS_MAX);
    right.then_some(text).ok_or(Misuse::BadValue)
}

#[cfg(test)]
mod tests {
    use super::super::scram::Hash;
    use super::*;

    fn given(mechanism: Mechanism) -> ClientCredentials {
        ClientCredentials {
            mechanism,
            authorization: Vec::new(),
            user: b"user".to_vec(),
            secret: b"pencil".to_vec(),
            nonce: b"rOprNGfwEbeRWgbNEkqO".to_vec(),
        }
    }

    fn begin(given: ClientCredentials) -> Exchange {
        let offered = [given.mechanism];
        Exchange::new(given, &offered, None).expect("a good secret")
    }

    fn text(octets: &[u8]) -> Vec<u8> {
        base64::encode(octets)
    }

    fn responded(step: Step) -> (Exchange, Vec<u8>) {
        let Step::Respond(exchange, line) = step else { panic!("{step:?}") };
        (exchange, base64::decode(&line).expect("our base64"))
    }

    #[test]
    fn plain_speaks_once_with_the_command_or_after_it() {
        let mut exchange = begin(given(Mechanism::Plain));
        assert_eq!(exchange.initial_response(15), None);
        let (after, message) = responded(exchange.clone().challenge(b""));
        assert_eq!(message, b"\0user\0pencil");
        assert_eq!(after.succeeded(), Ok(()));
        assert_eq!(exchange.initial_response(16), Some(text(b"\0user\0pencil")));
        assert_eq!(exchange.initial_response(16), None);
        assert!(matches!(exchange.clone().challenge(b""), Step::Cancel(Fault::Malformed)));
        assert_eq!(exchange.succeeded(), Ok(()));
        assert_eq!(begin(given(Mechanism::Plain)).succeeded(), Err(Fault::Unproven));
    }

    #[test]
    fn login_tells_name_and_password_in_turn() {
        let mut exchange = begin(given(Mechanism::Login));
        assert_eq!(exchange.initial_response(1000), None);
        let (exchange, name) = responded(exchange.challenge(b"VXNlcm5hbWU6"));
        let (exchange, password) = responded(exchange.challenge(b"not base64"));
        assert_eq!((&name[..], &password[..]), (&b"user"[..], &b"pencil"[..]));
        assert_eq!(exchange.succeeded(), Ok(()));
    }

    /// RFC 2195 §2.
    #[test]
    fn cram_md5_digests_the_challenge_and_nothing_but_a_challenge() {
        let mut given = given(Mechanism::CramMd5);
        (given.user, given.secret) = (b"tim".to_vec(), b"tanstaaftanstaaf".to_vec());
        let mut exchange = begin(given);
        assert_eq!(exchange.initial_response(1000), None);
        assert_eq!(exchange.clone().succeeded(), Err(Fault::Unproven));
        let challenge = b"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+";
        let (after, message) = responded(exchange.clone().challenge(challenge));
        assert_eq!(message, b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert!(matches!(after.clone().challenge(b""), Step::Cancel(Fault::Malformed)));
        assert_eq!(after.succeeded(), Ok(()));
        for wrong in [&b""[..], b"?", &text(b"1896"), &text(b"<a b@c>")] {
            let step = exchange.clone().challenge(wrong);
            assert!(matches!(step, Step::Cancel(Fault::Malformed)), "{}", wrong.escape_ascii());
        }
    }

    /// RFC 4505 §4.
    #[test]
    fn anonymous_leaves_a_word_or_none() {
        let mut sirhc = given(Mechanism::Anonymous);
        sirhc.secret = b"sirhc".to_vec();
        assert_eq!(begin(sirhc.clone()).initial_response(100), Some(b"c2lyaGM=".to_vec()));
        sirhc.secret = Vec::new();
        assert_eq!(begin(sirhc.clone()).initial_response(100), Some(b"=".to_vec()));
        sirhc.secret = "ä".repeat(256).into_bytes();
        let long = Exchange::new(sirhc, &[Mechanism::Anonymous], None);
        assert_eq!(long.err(), Some(Misuse::BadValue));
    }

    #[test]
    fn external_may_have_nothing_to_say() {
        let mut exchange = begin(given(Mechanism::External));
        assert_eq!(exchange.initial_response(10).as_deref(), Some(&b"="[..]));
        let (exchange, line) = responded(begin(given(Mechanism::External)).challenge(b""));
        assert_eq!((line, exchange.succeeded()), (Vec::new(), Ok(())));
    }

    /// RFC 7628 §4.1 and §4.3, and the same of XOAUTH2.
    #[test]
    fn tokens_that_fail_are_told_so_and_acknowledged() {
        let mut token = given(Mechanism::Oauthbearer);
        token.user = b"user@example.com".to_vec();
        token.secret = b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==".to_vec();
        let mut exchange = begin(token.clone());
        let expected = b"n,a=user@example.com,\x01\
            auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(exchange.initial_response(1000), Some(text(expected)));
        assert_eq!(exchange.clone().succeeded(), Ok(()));
        let (exchange, line) = responded(exchange.challenge(&text(b"{\"status\":\"x\"}")));
        assert_eq!(line, b"\x01");
        assert_eq!(exchange.clone().succeeded(), Err(Fault::Refused));
        assert!(matches!(exchange.challenge(b""), Step::Cancel(Fault::Refused)));

        token.mechanism = Mechanism::Xoauth2;
        let (exchange, line) = responded(begin(token).challenge(b""));
        let expected = b"user=user@example.com\x01\
            auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(line, expected);
        let (exchange, line) = responded(exchange.challenge(b"e30="));
        assert_eq!((line, exchange.succeeded()), (Vec::new(), Err(Fault::Refused)));
    }

    const FIRST: &[u8] = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn salted(step: Step) -> (Exchange, Vec<u8>) {
        let Step::Ask(exchange, ask) = step else { panic!("{step:?}") };
        let salted = Hash::Sha256.salt_password(b"pencil", &ask.salt, ask.iterations);
        responded(exchange.salted(&salted).expect("asked for"))
    }

    /// RFC 7677 §3.
    #[test]
    fn scram_proves_both_sides() {
        let mut exchange = begin(given(Mechanism::ScramSha256));
        let first = text(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(exchange.initial_response(1000), Some(first));
        let (exchange, last) = salted(exchange.challenge(&text(FIRST)));
        let expected = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(last, expected);
        assert_eq!(exchange.clone().succeeded(), Err(Fault::Unproven));
        let proof = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        let (after, line) = responded(exchange.clone().challenge(&text(proof)));
        assert_eq!((line, after.succeeded()), (Vec::new(), Ok(())));
        let wrong = b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        let step = exchange.clone().challenge(&text(wrong));
        assert!(matches!(step, Step::Cancel(Fault::Unproven)));
        let step = exchange.clone().challenge(&text(b"e=other-error"));
        assert!(matches!(step, Step::Cancel(Fault::Refused)));
        assert!(matches!(exchange.challenge(b"?"), Step::Cancel(Fault::Malformed)));
    }

    #[test]
    fn scram_takes_nothing_but_a_good_first_message() {
        let ours = "r=rOprNGfwEbeRWgbNEkqO";
        let salt = "s=W22ZaJ0SNY7soEsUEjb6gQ==";
        let long = base64::encode(&[7; 1025]);
        let long = core::str::from_utf8(&long).expect("ASCII");
        let wrong = [
            ("".into(), Fault::Malformed),
            ("e=other-error".into(), Fault::Malformed),
            (alloc::format!("{ours},{salt},i=4096"), Fault::Malformed),
            (alloc::format!("r=sOprNGfwEbeRWgbNEkqOx,{salt},i=4096"), Fault::Malformed),
            (alloc::format!("{ours}\u{7f},{salt},i=4096"), Fault::Malformed),
            (alloc::format!("{ours}x,s=,i=4096"), Fault::Malformed),
            (alloc::format!("{ours}x,s={long},i=4096"), Fault::Malformed),
            (alloc::format!("{ours}x,i=4096,{salt}"), Fault::Malformed),
            (alloc::format!("m=x,{ours}x,{salt},i=4096"), Fault::Malformed),
            (alloc::format!("{ours}x,{salt},i=4096,m=x"), Fault::Malformed),
            (alloc::format!("{ours}x,{salt},i=4096,"), Fault::Malformed),
            (alloc::format!("{ours}x,{salt},i=4095"), Fault::Iterations),
            (alloc::format!("{ours}x,{salt},i=1"), Fault::Iterations),
            (alloc::format!("{ours}x,{salt},i=4294967295"), Fault::Iterations),
        ];
        let mut exchange = begin(given(Mechanism::ScramSha256));
        assert!(exchange.initial_response(1000).is_some());
        for (message, expected) in wrong {
            let step = exchange.clone().challenge(&text(message.as_bytes()));
            let Step::Cancel(fault) = step else { panic!("{message}: {step:?}") };
            assert_eq!(fault, expected, "{message}");
        }
        let good = alloc::format!("{ours}x,{salt},i=4096,x=ignored");
        let Step::Ask(exchange, _) = exchange.challenge(&text(good.as_bytes())) else { panic!() };
        let (exchange, misuse) = exchange.salted(&[0; 20]).expect_err("the hash has 32");
        assert_eq!(misuse, Misuse::BadValue);
        assert!(exchange.salted(&[0; 32]).is_ok());
    }

    #[test]
    fn scram_says_how_it_is_bound() {
        let tls = TlsFacts { exporter: b"exported".to_vec(), ..TlsFacts::default() };
        let cert = TlsFacts { server_end_point: b"hash".to_vec(), ..TlsFacts::default() };
        let (plus, bare) = (Mechanism::ScramSha256Plus, Mechanism::ScramSha256);
        let cases: [(_, &[Mechanism], _, &[u8]); 6] = [
            (plus, &[plus, bare], Some(&tls), b"p=tls-exporter,,n=user,"),
            (plus, &[plus, bare], Some(&cert), b"p=tls-server-end-point,,n=user,"),
            (bare, &[plus, bare], Some(&tls), b"n,,n=user,"),
            (bare, &[bare], Some(&tls), b"y,,n=user,"),
            (bare, &[bare], Some(&TlsFacts::default()), b"n,,n=user,"),
            (bare, &[bare], None, b"n,,n=user,"),
        ];
        for (mechanism, offered, tls, start) in cases {
            let mut exchange = Exchange::new(given(mechanism), offered, tls).expect("good");
            let first = exchange.initial_response(1000).expect("it fits");
            assert!(base64::decode(&first).expect("base64").starts_with(start));
        }
        assert!(Exchange::new(given(plus), &[plus], None).is_err());
    }

    #[test]
    fn choices_are_the_strongest_first_and_none_in_the_clear() {
        use Mechanism::{External, Login, Oauthbearer, Plain, ScramSha1, ScramSha256};
        use Mechanism::{ScramSha256Plus, Xoauth2};
        let offered = [Login, Plain, ScramSha1, Xoauth2, ScramSha256Plus, ScramSha256, External];
        let careful = Policy::default();
        assert_eq!(careful.choices(&offered, None), [ScramSha256, ScramSha1]);
        let weak = [Mechanism::Anonymous, Mechanism::CramMd5, Login];
        assert_eq!(careful.choices(&weak, None), [Mechanism::Anonymous]);
        let last = [Login, Mechanism::CramMd5, Mechanism::Anonymous];
        assert_eq!(careful.choices(&weak, Some(&TlsFacts::default())), last);
        let tls = TlsFacts { exporter: b"exported".to_vec(), ..TlsFacts::default() };
        let all = [External, ScramSha256Plus, ScramSha256, ScramSha1, Xoauth2, Plain, Login];
        assert_eq!(careful.choices(&offered, Some(&tls)), all);
        let bold = Policy { only: [Oauthbearer, Plain, ScramSha256Plus].into(), cleartext: true };
        assert_eq!(bold.choices(&offered, None), [Plain]);
    }

    #[test]
    fn what_a_mechanism_cannot_carry_is_the_hosts_mistake() {
        type Spoil = fn(&mut ClientCredentials);
        let wrong: [(Mechanism, Spoil); 11] = [
            (Mechanism::Plain, |given| given.secret = b"a\0b".to_vec()),
            (Mechanism::Plain, |given| given.user = Vec::new()),
            (Mechanism::Login, |given| given.secret = Vec::new()),
            (Mechanism::Oauthbearer, |given| given.secret = b"two words".to_vec()),
            (Mechanism::Xoauth2, |given| given.user = b"a\x01b".to_vec()),
            (Mechanism::External, |given| given.authorization = b"\xff".to_vec()),
            (Mechanism::ScramSha1, |given| given.nonce.truncate(17)),
            (Mechanism::ScramSha1, |given| given.nonce[0] = b','),
            (Mechanism::ScramSha1, |given| given.user = Vec::new()),
            (Mechanism::CramMd5, |given| given.user = Vec::new()),
            (Mechanism::Anonymous, |given| given.secret = b"a\0b".to_vec()),
        ];
        for (mechanism, spoil) in wrong {
            let mut given = given(mechanism);
            spoil(&mut given);
            let made = Exchange::new(given, &[mechanism], None);
            assert_eq!(made.err(), Some(Misuse::BadValue), "{mechanism:?}");
        }
        let not_offered = Exchange::new(given(Mechanism::Plain), &[Mechanism::Login], None);
        assert_eq!(not_offered.err(), Some(Misuse::BadValue));
    }
}
