//! Judges logins for the accounts of a server profile: how often who may try, what is right, and whom one may act as.
//! Unknown names cost the same time and get the same answers as known ones.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pillarbox_engine::sasl::{
    Account, Credentials, DigestCredentials, LoginAnswer, Mechanism, PasswordCredentials,
    ScramFinish, TokenCredentials,
};
use pillarbox_engine::types::{Reason, Refusal};
use sha2::{Digest, Sha256};

use super::guesses::{Admission, Guesses, Reached};
use super::hashing::Hashing;
use super::scram::{self, ServerSecret, refused};
use super::token::{TokenFault, Tokens};
use super::{Caller, canonical, digest};
use crate::accounts::{LiveAccounts, Secret, verify};
use crate::config::{AuthSettings, ExtraLogins};
use crate::error::Error;
use crate::limits::{Hits, Limit};

/// For how long a password that was right need not be hashed again.
const VERIFIED_FOR: Duration = Duration::from_secs(60);
const VERIFIED_MAX: usize = 1024;
/// Whom a token names is known only after it was judged, so its failures are all of one account.
const TOKENS: &str = "(tokens)";
/// May act as everybody.
const ANYONE: &str = "*";

/// Judges logins.
pub struct Judge {
    accounts: Arc<LiveAccounts>,
    /// Of a name without one.
    domain: String,
    act_as: BTreeMap<String, Vec<String>>,
    secret: ServerSecret,
    guesses: Mutex<Guesses>,
    hashing: Hashing,
    verified: Mutex<Verified>,
    /// What an unknown name's password is checked against.
    dummy: String,
    tokens: Option<Tokens>,
    has_client_ca: bool,
    extra: ExtraLogins,
    hits: Hits,
    started: Instant,
}

/// Somebody who is who he says.
struct Proved {
    name: String,
    server_signature: Vec<u8>,
}

impl Judge {
    /// A judge with these settings, for accounts whose names without a domain are of `domain`.
    ///
    /// # Errors
    /// A file of the settings cannot be read.
    pub fn new(
        accounts: Arc<LiveAccounts>,
        domain: &str,
        settings: &AuthSettings,
        hits: Hits,
    ) -> Result<Self, Error> {
        let tokens = settings.tokens.as_ref().map(|tokens| Tokens::new(tokens, domain));
        let digests = settings.extra.apop || settings.extra.cram_md5;
        if digests && !accounts.now().has_readable() {
            tracing::warn!(
                "APOP and CRAM-MD5 are not offered: no account keeps a password that can be read; \
                 `pillarbox account password --readable` keeps one"
            );
        }
        Ok(Self {
            accounts,
            domain: domain.to_owned(),
            act_as: settings.act_as.clone(),
            secret: super::secret::read_or_make(&settings.secret)?,
            guesses: Mutex::new(Guesses::new(settings.guesses)),
            hashing: Hashing::default(),
            verified: Mutex::default(),
            dummy: Secret::new("a password that nobody has")?.hash,
            tokens: tokens.transpose()?,
            has_client_ca: settings.has_client_ca,
            extra: settings.extra,
            hits,
            started: Instant::now(),
        })
    }

    /// The mechanisms that somebody could complete, best first.
    #[must_use]
    pub fn mechanisms(&self) -> Vec<Mechanism> {
        let accounts = self.accounts.now();
        let scram = accounts.names().count() > accounts.without_scram();
        let all = [
            (Mechanism::External, self.has_client_ca),
            (Mechanism::ScramSha256Plus, scram),
            (Mechanism::ScramSha1Plus, scram),
            (Mechanism::ScramSha256, scram),
            (Mechanism::ScramSha1, scram),
            (Mechanism::Oauthbearer, self.tokens.is_some()),
            (Mechanism::Xoauth2, self.tokens.is_some()),
            (Mechanism::Plain, true),
            (Mechanism::Login, true),
            (Mechanism::CramMd5, self.extra.cram_md5 && accounts.has_readable()),
        ];
        all.into_iter().filter(|(_, usable)| *usable).map(|(mechanism, _)| mechanism).collect()
    }

    /// Whether somebody could log in by APOP.
    #[must_use]
    pub fn offers_apop(&self) -> bool {
        self.extra.apop && self.accounts.now().has_readable()
    }

    /// Whether anybody has logged in from this address lately.
    #[must_use]
    pub fn is_known_good(&self, address: std::net::IpAddr) -> bool {
        let now_ms = self.now_ms();
        self.guesses().is_known_good(now_ms, address)
    }

    /// Judges credentials; an answer that is no comes late, and the later the more failed before.
    pub async fn login(&self, caller: &Caller, credentials: Credentials) -> LoginAnswer {
        let (answer, delay) = self.judge(caller, credentials).await;
        tokio::time::sleep(delay).await;
        answer
    }

    /// The verdict, and how long it is to wait.
    pub(super) async fn judge(
        &self,
        caller: &Caller,
        credentials: Credentials,
    ) -> (LoginAnswer, Duration) {
        let counted = match &credentials {
            Credentials::Password(given) => canonical(&given.user, &self.domain),
            Credentials::ScramFinish(given) => canonical(&given.user, &self.domain),
            Credentials::Token(_) => Some(TOKENS.to_owned()),
            Credentials::ScramStart(start) => {
                // A start gives nothing away, so it is not counted; the proof after it is.
                let name = canonical(&start.user, &self.domain).unwrap_or_default();
                let accounts = self.accounts.now();
                let answer = scram::start(&accounts, &self.secret, start.mechanism, &name);
                return (answer, Duration::ZERO);
            }
            Credentials::External(authorization) => {
                return (self.external(caller, authorization), Duration::ZERO);
            }
            Credentials::Digest(given) => canonical(&given.user, &self.domain),
            Credentials::DigestStart if self.extra.cram_md5 => {
                return (digest::start(&self.domain), Duration::ZERO);
            }
            Credentials::Preauthenticated(name) => return (self.known(name), Duration::ZERO),
            // Nobody is let in here who has no account.
            Credentials::DigestStart | Credentials::Anonymous(_) => {
                return (refused(Reason::Unsupported), Duration::ZERO);
            }
        };
        // A name that is none fails as an unknown one does.
        let counted = counted.unwrap_or_default();
        let now_ms = self.now_ms();
        let admission = self.guesses().admit(now_ms, caller.address, &counted);
        let (rank, delay) = match admission {
            Admission::Judged { rank, delay } => (rank, delay),
            Admission::Refused { limit, delay } => {
                let limit = match limit {
                    Reached::Network => Limit::LoginFailuresPerNetwork,
                    Reached::Account => Limit::LoginFailuresPerAccount,
                };
                self.hits.hit(limit);
                return (refused(Reason::LoginThrottled), delay);
            }
        };
        let judged = match credentials {
            Credentials::Password(given) => self.password(rank, &counted, given).await,
            Credentials::ScramFinish(given) => self.proof(&counted, &given),
            Credentials::Token(given) => self.token(given).await,
            Credentials::Digest(given) => self.digest(&counted, &given),
            _ => Err(Reason::Unsupported),
        };
        match judged {
            Ok(Proved { name, server_signature }) => {
                self.guesses().succeeded(self.now_ms(), caller.address, &counted);
                let name = name.into_bytes();
                (LoginAnswer::Accepted(Account { name, server_signature }), Duration::ZERO)
            }
            Err(Reason::Overloaded) => {
                self.guesses().forgive(self.now_ms(), caller.address, &counted);
                (refused(Reason::Overloaded), Duration::ZERO)
            }
            Err(reason) => (refused(reason), delay),
        }
    }

    async fn password(
        &self,
        rank: u64,
        name: &str,
        given: PasswordCredentials,
    ) -> Result<Proved, Reason> {
        let accounts = self.accounts.now();
        let secret = accounts.secret(name);
        let hash = secret.map_or(&self.dummy, |secret| &secret.hash).clone();
        let password = match secret {
            Some(secret) => secret.comparable(&given.password),
            None => super::prepared(&given.password).map(String::into_bytes),
        };
        // What cannot be prepared is hashed all the same: no answer comes sooner than others.
        let usable = password.is_some();
        let right = self.check(rank, hash, password.unwrap_or_default()).await?;
        if right && usable && secret.is_some() {
            self.authorized(name, &given.authorization, Vec::new())
        } else {
            Err(Reason::BadCredentials)
        }
    }

    fn proof(&self, name: &str, given: &ScramFinish) -> Result<Proved, Reason> {
        let signature = scram::finish(&self.accounts.now(), &self.secret, name, given);
        let signature = signature.ok_or(Reason::BadCredentials)?;
        self.authorized(name, &given.authorization, signature)
    }

    /// APOP and CRAM-MD5. An account without a readable password fails as one that is not there.
    fn digest(&self, name: &str, given: &DigestCredentials) -> Result<Proved, Reason> {
        let is_on = if given.hmac { self.extra.cram_md5 } else { self.extra.apop };
        if !is_on {
            return Err(Reason::Unsupported);
        }
        let accounts = self.accounts.now();
        let kept = accounts.secret(name).map(|secret| secret.readable.as_ref());
        if kept == Some(None) {
            tracing::info!(
                account = name,
                "a login by APOP or CRAM-MD5, of an account whose password cannot be read; \
                 `pillarbox account password --readable` keeps it"
            );
        }
        let kept = kept.flatten();
        let octets = kept.map_or(self.dummy.as_bytes(), |readable| readable.octets());
        if given.is_of(octets) && kept.is_some() {
            self.authorized(name, b"", Vec::new())
        } else {
            Err(Reason::BadCredentials)
        }
    }

    /// Whom a listener's configuration names: whoever reaches it is that one, if there is such an account.
    fn known(&self, name: &[u8]) -> LoginAnswer {
        let name = canonical(name, &self.domain);
        match name.filter(|name| self.accounts.now().contains(name)) {
            Some(name) => {
                let (name, server_signature) = (name.into_bytes(), Vec::new());
                LoginAnswer::Accepted(Account { name, server_signature })
            }
            None => {
                let text = Some(b"The account that this listener is for does not exist".to_vec());
                LoginAnswer::Refused(Refusal { reason: Reason::NotPermitted, text })
            }
        }
    }

    async fn token(&self, given: TokenCredentials) -> Result<Proved, Reason> {
        let tokens = self.tokens.as_ref().ok_or(Reason::Unsupported)?;
        let name = tokens.account(&given.token).await.map_err(|fault| match fault {
            TokenFault::Bad => Reason::BadCredentials,
            TokenFault::Scope => Reason::NotPermitted,
            TokenFault::Unavailable => Reason::Overloaded,
        })?;
        self.authorized(&name, &given.authorization, Vec::new())
    }

    fn external(&self, caller: &Caller, authorization: &[u8]) -> LoginAnswer {
        let names = caller.identities.iter();
        let names = names.filter_map(|name| canonical(name.as_bytes(), &self.domain));
        let names: Vec<String> = names.collect();
        let wanted = canonical(authorization, &self.domain);
        let own = wanted.and_then(|wanted| names.iter().find(|name| **name == wanted));
        let Some(own) = own.or(names.first()) else { return refused(Reason::BadCredentials) };
        match self.authorized(own, authorization, Vec::new()) {
            Ok(Proved { name, server_signature }) => {
                LoginAnswer::Accepted(Account { name: name.into_bytes(), server_signature })
            }
            Err(reason) => refused(reason),
        }
    }

    /// RFC 4616 §2 and the others' like: whoever has proved who he is acts as himself, or as somebody that he may act as.
    fn authorized(
        &self,
        name: &str,
        authorization: &[u8],
        server_signature: Vec<u8>,
    ) -> Result<Proved, Reason> {
        let as_whom = match authorization {
            b"" => name.to_owned(),
            other => canonical(other, &self.domain).ok_or(Reason::BadCredentials)?,
        };
        let accounts = self.accounts.now();
        let may = as_whom == name
            || self.act_as.get(name).is_some_and(|others| {
                others.iter().any(|other| *other == as_whom || other == ANYONE)
            });
        if may && accounts.contains(name) && accounts.contains(&as_whom) {
            Ok(Proved { name: as_whom, server_signature })
        } else {
            Err(Reason::BadCredentials)
        }
    }

    /// Checks a password, by what was right a short while ago or by hashing.
    async fn check(&self, rank: u64, hash: String, password: Vec<u8>) -> Result<bool, Reason> {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(&hash)
            .chain_update([0])
            .chain_update(&password)
            .finalize()
            .into();
        if self.verified().contains(&digest) {
            return Ok(true);
        }
        let hashed = self.hashing.run(rank, move || verify(&hash, &password)).await;
        let right = hashed.map_err(|_| {
            self.hits.hit(Limit::PasswordHashesWaiting);
            Reason::Overloaded
        })?;
        if right {
            self.verified().add(digest);
        }
        Ok(right)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn guesses(&self) -> std::sync::MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, Verified> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Digests of passwords that were right a short while ago.
#[derive(Default)]
struct Verified(HashMap<[u8; 32], Instant>);

impl Verified {
    fn contains(&self, digest: &[u8; 32]) -> bool {
        self.0.get(digest).is_some_and(|at| at.elapsed() < VERIFIED_FOR)
    }

    fn add(&mut self, digest: [u8; 32]) {
        if self.0.len() >= VERIFIED_MAX {
            self.0.retain(|_, at| at.elapsed() < VERIFIED_FOR);
        }
        if self.0.len() < VERIFIED_MAX {
            self.0.insert(digest, Instant::now());
        }
    }
}
