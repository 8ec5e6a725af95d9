//! What crosses to the host for a login, in the shapes of `wit/sasl.wit`.

use alloc::vec::Vec;

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// The undocumented one that old clients want.
    Login,
    /// RFC 2195.
    CramMd5,
    /// RFC 5802.
    ScramSha1,
    /// RFC 5802 with channel binding.
    ScramSha1Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 7677 with channel binding.
    ScramSha256Plus,
    /// RFC 7628.
    Oauthbearer,
    /// Google's predecessor of OAUTHBEARER.
    Xoauth2,
    /// RFC 4422 appendix A: the identity that TLS gave.
    External,
    /// RFC 4505.
    Anonymous,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Plain,
        Self::Login,
        Self::CramMd5,
        Self::ScramSha1,
        Self::ScramSha1Plus,
        Self::ScramSha256,
        Self::ScramSha256Plus,
        Self::Oauthbearer,
        Self::Xoauth2,
        Self::External,
        Self::Anonymous,
    ];

    /// Its registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::Oauthbearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
            Self::External => "EXTERNAL",
            Self::Anonymous => "ANONYMOUS",
        }
    }

    /// The mechanism of this name, in any case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let named = |mechanism: &Self| mechanism.name().as_bytes().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(named)
    }

    /// How a server announces it, and by which name it is left out: `AUTH=` and its own name.
    #[must_use]
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Plain => "AUTH=PLAIN",
            Self::Login => "AUTH=LOGIN",
            Self::CramMd5 => "AUTH=CRAM-MD5",
            Self::ScramSha1 => "AUTH=SCRAM-SHA-1",
            Self::ScramSha1Plus => "AUTH=SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "AUTH=SCRAM-SHA-256",
            Self::ScramSha256Plus => "AUTH=SCRAM-SHA-256-PLUS",
            Self::Oauthbearer => "AUTH=OAUTHBEARER",
            Self::Xoauth2 => "AUTH=XOAUTH2",
            Self::External => "AUTH=EXTERNAL",
            Self::Anonymous => "AUTH=ANONYMOUS",
        }
    }
}

/// Which logins a session offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct AuthOffer {
    /// SASL mechanisms, best first; empty offers none. Those with channel binding are offered only
    /// over a channel with data for it (`TlsFacts`), EXTERNAL only if it gave an identity.
    pub mechanisms: Vec<Mechanism>,
    /// Whether the protocol's own password commands (USER and PASS, LOGIN) are offered too.
    pub password_commands: bool,
    /// Whether a password may come without TLS; only right on loopback.
    pub cleartext: bool,
}

impl AuthOffer {
    /// Leaves out the mechanisms whose capability, such as `AUTH=PLAIN`, is among these.
    pub fn leave_out(&mut self, without: &[Vec<u8>]) {
        self.mechanisms.retain(|mechanism| !is_among(without, mechanism.capability()));
    }
}

/// Whether a capability is among these names, in any case.
pub(crate) fn is_among(names: &[Vec<u8>], capability: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(capability.as_bytes()))
}

/// What a peer gave to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum Credentials {
    /// A name and a password. Answers: accepted, refused.
    Password(PasswordCredentials),
    /// A digest over our challenge and a shared secret (APOP, CRAM-MD5). Answers: accepted,
    /// refused.
    Digest(DigestCredentials),
    /// A SCRAM client's first message. Answers: scram-parameters, refused.
    ScramStart(ScramStart),
    /// A SCRAM client's proof. Answers: accepted with the server signature, refused.
    ScramFinish(ScramFinish),
    /// A bearer token. Answers: accepted, refused (`BadCredentials`, `NotPermitted` and `Policy`
    /// are told to the client as the token's fault, RFC 7628 §3.2.2; other reasons are not).
    Token(TokenCredentials),
    /// Whom the identity from TLS, which the host knows, would act as (empty: itself). Answers:
    /// accepted, refused.
    External(Vec<u8>),
    /// Anyone, with a trace text. Answers: accepted, refused.
    Anonymous(Vec<u8>),
    /// A CRAM-MD5 client waits for a challenge, of which nothing is known yet. Answers:
    /// digest-challenge, refused.
    DigestStart,
    /// Whom the session's own configuration names: no peer can bring this. Answers: accepted,
    /// refused.
    Preauthenticated(Vec<u8>),
}

/// A name and a password, prepared by nothing: the host compares after its own preparation (RFC
/// 4013).
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct PasswordCredentials {
    /// Whom to act as; empty means the user itself.
    pub authorization: Vec<u8>,
    /// Whose password it is.
    pub user: Vec<u8>,
    /// The password. Never logged.
    pub password: Vec<u8>,
}

impl core::fmt::Debug for PasswordCredentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let user = self.user.escape_ascii();
        write!(f, "PasswordCredentials {{ user: \"{user}\", password: ****** }}")
    }
}

/// A keyed digest (RFC 1939 §7 APOP, RFC 2195 CRAM-MD5); [`is_of`](Self::is_of) judges it.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct DigestCredentials {
    /// Whose secret it is.
    pub user: Vec<u8>,
    /// What we sent to be digested.
    pub challenge: Vec<u8>,
    /// Lower-case hexadecimal.
    pub digest: Vec<u8>,
    /// Whether HMAC-MD5 (CRAM-MD5) or plain MD5 over challenge and secret (APOP).
    pub hmac: bool,
}

impl core::fmt::Debug for DigestCredentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Digest and challenge together let passwords be tried at leisure.
        let (name, user) = (if self.hmac { "CRAM-MD5" } else { "APOP" }, self.user.escape_ascii());
        write!(f, "DigestCredentials {{ {name}, user: \"{user}\", digest: ****** }}")
    }
}

/// RFC 5802 §5.1: the start of a SCRAM exchange.
///
/// For a user that does not exist the host answers as for one that does, with made-up parameters,
/// or the two could be told apart; it refuses only what it would refuse to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ScramStart {
    /// Which hash.
    pub mechanism: Mechanism,
    /// Whose secret.
    pub user: Vec<u8>,
}

/// RFC 5802 §3: what the host needs to check a proof without the session seeing any key.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ScramFinish {
    /// Which hash.
    pub mechanism: Mechanism,
    /// Whose secret.
    pub user: Vec<u8>,
    /// Whom to act as; empty means the user itself.
    pub authorization: Vec<u8>,
    /// RFC 5802 §3 AuthMessage.
    pub auth_message: Vec<u8>,
    /// RFC 5802 §3 ClientProof.
    pub proof: Vec<u8>,
}

impl core::fmt::Debug for ScramFinish {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Proof and AuthMessage together let passwords be tried at leisure.
        let (name, user) = (self.mechanism.name(), self.user.escape_ascii());
        write!(f, "ScramFinish {{ {name}, user: \"{user}\", proof: ****** }}")
    }
}

/// A bearer token (RFC 7628).
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct TokenCredentials {
    /// Whom to act as; empty means whom the token names.
    pub authorization: Vec<u8>,
    /// The token. Never logged.
    pub token: Vec<u8>,
}

impl core::fmt::Debug for TokenCredentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TokenCredentials { token: ****** }")
    }
}

/// What the host says to credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum LoginAnswer {
    /// Let in; the host has bound this connection to the account.
    Accepted(Account),
    /// Not let in.
    Refused(crate::types::Refusal),
    /// How to go on with SCRAM.
    ScramParameters(ScramParameters),
    /// RFC 2195 §2: the challenge, a message-id `<…@…>` of at most 500 octets, with fresh entropy
    /// in it.
    DigestChallenge(Vec<u8>),
}

/// The account that a connection is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Account {
    /// Its canonical name, for replies and trace fields.
    pub name: Vec<u8>,
    /// RFC 5802 §3 ServerSignature, 20 octets with SHA-1 and 32 with SHA-256; empty with other
    /// mechanisms.
    pub server_signature: Vec<u8>,
}

/// RFC 5802 §5.1: what a SCRAM server's first message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ScramParameters {
    /// The stored salt, 1 to 1,024 octets; a made-up, stable one for an unknown user.
    pub salt: Vec<u8>,
    /// Iterations, 4,096 to 1,000,000.
    pub iterations: u32,
    /// The host's part of the nonce: printable, no comma, 18 to 1,024 octets of fresh entropy.
    pub nonce: Vec<u8>,
}

/// What a client session needs to log in, once it knows what the server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum LoginAsk {
    /// Choose one of these and give the secret for it. Answers: credentials, no-login.
    Choose(LoginChoice),
    /// RFC 5802 §3 SaltedPassword: iterated hashing is work for the host. Answers: salted-password,
    /// no-login.
    SaltPassword(SaltPassword),
}

/// What a server offers a client that would log in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct LoginChoice {
    /// The mechanisms that both sides have, best first. `Login` stands for the protocol's own
    /// password command too.
    pub mechanisms: Vec<Mechanism>,
    /// Whether the connection is secured.
    pub secured: bool,
    /// 1 for the first attempt on this connection; later ones follow a login that the server
    /// refused.
    pub attempt: u32,
}

/// RFC 5802 §5.1: what the server's first message said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct SaltPassword {
    /// Which hash.
    pub mechanism: Mechanism,
    /// The salt.
    pub salt: Vec<u8>,
    /// Iterations; a session refuses fewer than 4,096 and more than 1,000,000 before it asks.
    pub iterations: u32,
}

/// What a client session's host gives it to log in with.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case", tag = "tag", content = "val"))]
pub enum LoginSecret {
    /// The mechanism to use, and what it needs.
    Credentials(ClientCredentials),
    /// To `SaltPassword`.
    SaltedPassword(Vec<u8>),
    /// Do not log in: end the connection politely.
    NoLogin,
}

impl core::fmt::Debug for LoginSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Credentials(given) => f.debug_tuple("Credentials").field(given).finish(),
            Self::SaltedPassword(_) => f.write_str("SaltedPassword(******)"),
            Self::NoLogin => f.write_str("NoLogin"),
        }
    }
}

/// A client's credentials for one mechanism.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ClientCredentials {
    /// One of those asked for.
    pub mechanism: Mechanism,
    /// Whom to act as; empty means the user itself.
    pub authorization: Vec<u8>,
    /// Who logs in; empty with `External` and `Anonymous`. A name with a space cannot be said by
    /// APOP.
    pub user: Vec<u8>,
    /// The password, the token, or the trace text of `Anonymous`; empty with SCRAM, where
    /// `SaltPassword` is asked.
    pub secret: Vec<u8>,
    /// SCRAM: the client's nonce, printable, no comma, at least 18 octets of fresh entropy; else
    /// empty.
    pub nonce: Vec<u8>,
}

impl core::fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (name, user) = (self.mechanism.name(), self.user.escape_ascii());
        write!(f, "ClientCredentials {{ {name}, user: \"{user}\", secret: ****** }}")
    }
}
