//! Whom a connection logs in as: the mechanism is chosen of those that both sides have, and no password crosses a network
//! in the clear.

use std::fmt;

use pillarbox_engine::sasl::scram::Hash;
use pillarbox_engine::sasl::{
    ClientCredentials, LoginAsk, LoginChoice, LoginSecret, Mechanism, SaltPassword,
};

use crate::tls;

/// A user and what proves it.
#[derive(Clone)]
pub struct Login {
    user: String,
    secret: Secret,
    /// Only this one.
    mechanism: Option<Mechanism>,
    /// APOP alone, which POP3 has in place of a mechanism (RFC 1939 §7).
    apop: bool,
    cleartext: bool,
}

/// What proves a user.
#[derive(Clone)]
pub enum Secret {
    /// A password.
    Password(String),
    /// An OAuth 2.0 access token.
    Token(String),
    /// The certificate that the connection shows (EXTERNAL, RFC 4422 appendix A); the user is whom to act as, and may be
    /// empty: then the server reads it from the certificate.
    Certificate,
    /// Nothing (ANONYMOUS, RFC 4505): the user is whom to name, and may be empty.
    Nothing,
}

/// Why a login is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// The user name holds a control character, or is empty though it is what the secret proves.
    User,
    /// The password or token is empty or holds what cannot be sent.
    Secret,
    /// The mechanism does not fit the secret.
    Mechanism,
}

impl Login {
    /// A login with any mechanism that fits the secret, or with this one alone.
    ///
    /// `cleartext` lets a password cross a connection without TLS; only one that does not leave this machine deserves it.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn new(
        user: impl Into<String>,
        secret: Secret,
        mechanism: Option<Mechanism>,
        cleartext: bool,
    ) -> Result<Self, LoginError> {
        let user = user.into();
        let printable = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
        let unnamed = user.is_empty() && matches!(secret, Secret::Certificate | Secret::Nothing);
        if !(unnamed || printable(&user)) {
            return Err(LoginError::User);
        }
        let right = match &secret {
            Secret::Password(password) => printable(password),
            Secret::Token(token) => {
                !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic())
            }
            Secret::Certificate | Secret::Nothing => true,
        };
        if !right {
            return Err(LoginError::Secret);
        }
        if mechanism.is_some_and(|mechanism| !secret.fits(mechanism)) {
            return Err(LoginError::Mechanism);
        }
        Ok(Self { user, secret, mechanism, apop: false, cleartext })
    }

    /// A login with a password by APOP, and in no other way.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn by_apop(
        user: impl Into<String>,
        secret: Secret,
        cleartext: bool,
    ) -> Result<Self, LoginError> {
        // A session that is told so has APOP stand where others say the password.
        let login = Self::new(user, secret, Some(Mechanism::Login), cleartext)?;
        Ok(Self { apop: true, ..login })
    }

    /// Whether it is by APOP.
    pub(crate) fn is_by_apop(&self) -> bool {
        self.apop
    }

    /// Whether a certificate proves the user.
    pub(crate) fn is_by_certificate(&self) -> bool {
        matches!(self.secret, Secret::Certificate)
    }

    /// The answer to a session's ask; `verified`: it is proven who the server is.
    pub(super) async fn answer(&self, ask: LoginAsk, verified: bool) -> LoginSecret {
        match ask {
            LoginAsk::Choose(choice) => self.choose(&choice, verified),
            LoginAsk::SaltPassword(ask) => self.salt(ask).await,
        }
    }

    fn choose(&self, choice: &LoginChoice, verified: bool) -> LoginSecret {
        // A second attempt says the password itself to a server that could not do with its proof (an account without
        // verifiers, mostly): only to one that is who it should be.
        let again = choice.attempt > 1;
        if again && !(choice.attempt == 2 && choice.secured && verified) {
            return LoginSecret::NoLogin;
        }
        let may = |mechanism: &Mechanism| {
            let hidden = choice.secured
                || self.cleartext
                || is_scram(*mechanism)
                || *mechanism == Mechanism::Anonymous;
            // What a listener can try passwords on nobody takes without meaning it.
            let meant = *mechanism != Mechanism::CramMd5 || self.mechanism.is_some();
            self.secret.fits(*mechanism)
                && meant
                && hidden
                && self.mechanism.is_none_or(|only| only == *mechanism)
                && !(again && (is_scram(*mechanism) || self.mechanism.is_some()))
        };
        let offered = &choice.mechanisms;
        // PLAIN first was refused already if there was no SCRAM before it.
        let had_scram = offered.iter().any(|mechanism| is_scram(*mechanism));
        let Some(mechanism) = offered.iter().copied().find(may).filter(|_| !again || had_scram)
        else {
            return LoginSecret::NoLogin;
        };
        let nonce = if is_scram(mechanism) {
            match nonce() {
                Some(nonce) => nonce,
                None => return LoginSecret::NoLogin,
            }
        } else {
            Vec::new()
        };
        let secret = if is_scram(mechanism) { Vec::new() } else { self.secret.octets() };
        let named = self.user.clone().into_bytes();
        let (authorization, user, secret) = match self.secret {
            Secret::Certificate => (named, Vec::new(), secret),
            Secret::Password(_) | Secret::Token(_) => (Vec::new(), named, secret),
            Secret::Nothing => (Vec::new(), Vec::new(), named),
        };
        LoginSecret::Credentials(ClientCredentials {
            mechanism,
            authorization,
            user,
            secret,
            nonce,
        })
    }

    /// Iterated hashing takes long, so it happens beside the threads that serve.
    async fn salt(&self, ask: SaltPassword) -> LoginSecret {
        let SaltPassword { mechanism, salt, iterations } = ask;
        let Some(hash) = Hash::of(mechanism) else { return LoginSecret::NoLogin };
        let password = self.secret.octets();
        let salted = move || hash.salt_password(&password, &salt, iterations);
        match tokio::task::spawn_blocking(salted).await {
            Ok(salted) => LoginSecret::SaltedPassword(salted),
            Err(error) => {
                tracing::error!(%error, "a password could not be salted");
                LoginSecret::NoLogin
            }
        }
    }
}

impl Secret {
    fn fits(&self, mechanism: Mechanism) -> bool {
        match self {
            Self::Password(_) => {
                is_scram(mechanism)
                    || matches!(mechanism, Mechanism::Plain | Mechanism::Login | Mechanism::CramMd5)
            }
            Self::Token(_) => matches!(mechanism, Mechanism::Oauthbearer | Mechanism::Xoauth2),
            Self::Certificate => mechanism == Mechanism::External,
            Self::Nothing => mechanism == Mechanism::Anonymous,
        }
    }

    fn octets(&self) -> Vec<u8> {
        match self {
            Self::Password(text) | Self::Token(text) => text.clone().into_bytes(),
            Self::Certificate | Self::Nothing => Vec::new(),
        }
    }
}

fn is_scram(mechanism: Mechanism) -> bool {
    Hash::of(mechanism).is_some()
}

/// A SCRAM client's nonce: printable, without a comma, of 144 random bits.
fn nonce() -> Option<Vec<u8>> {
    let mut octets = [0; 18];
    if !tls::fill_random(&mut octets) {
        tracing::error!("the system gives no random octets, so there is no login");
        return None;
    }
    Some(octets.iter().flat_map(|octet| format!("{octet:02x}").into_bytes()).collect())
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "the user name is empty or holds a control character",
            Self::Secret => {
                "the password or token is empty or holds a character that cannot be sent"
            }
            Self::Mechanism => {
                "the mechanism does not fit a password, token or certificate as given"
            }
        })
    }
}

impl std::error::Error for LoginError {}
