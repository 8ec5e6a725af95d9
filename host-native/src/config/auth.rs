//! Settings of logins and of those who speak for others: what the configuration file says, and what follows from it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConfigFile, LimitSettings};
use crate::auth::{GuessSettings, TokenSettings, WebSettings};
use crate::cli::ServeFlags;
use crate::error::Error;
use crate::http::Url;

/// Logins that are off unless somebody wants them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtraLogins {
    /// APOP of POP3 (RFC 1939 §7), for accounts whose password can be read.
    pub apop: bool,
    /// CRAM-MD5 (RFC 2195), likewise.
    pub cram_md5: bool,
    /// ANONYMOUS (RFC 4505), in the dev profile alone.
    pub anonymous: bool,
}

impl ExtraLogins {
    /// Joins flags and file.
    pub(super) fn new(flags: &ServeFlags, file: Option<&ConfigFile>) -> Result<Self, Error> {
        let extra = Self {
            apop: flags.apop || file.is_some_and(|file| file.pop3.apop),
            cram_md5: flags.cram_md5 || file.is_some_and(|file| file.auth.cram_md5),
            anonymous: flags.anonymous,
        };
        if file.is_some() && extra.anonymous {
            let message =
                "--anonymous is for the dev profile: a server lets nobody in without an account";
            return Err(Error::usage(message));
        }
        let asked = [("--apop", extra.apop), ("--cram-md5", extra.cram_md5)];
        match asked.into_iter().find(|(_, is_on)| *is_on) {
            Some((flag, _))
                if file.is_none()
                    && flags.dev_password.is_none()
                    && flags.user.is_empty()
                    && flags.users.is_none() =>
            {
                let help = "without a password that both sides know there is nothing to digest; \
                            give one with --dev-password, or accounts with --user";
                Err(Error::usage(format!("{flag}: {help}")))
            }
            _ => Ok(extra),
        }
    }
}

/// How logins to accounts are judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthSettings {
    /// By account, whom else it may act as; `*` is everybody.
    pub act_as: BTreeMap<String, Vec<String>>,
    /// Tokens, if any are taken.
    pub tokens: Option<TokenSettings>,
    /// How often who may guess.
    pub guesses: GuessSettings,
    /// File of the server's own secret.
    pub secret: PathBuf,
    /// Whether certificates of clients are looked at.
    pub has_client_ca: bool,
    /// Logins that are off unless somebody wants them.
    pub extra: ExtraLogins,
}

/// `[auth]` of the configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthFile {
    /// Whether passwords may come without TLS from other machines [default: false].
    #[serde(default)]
    pub allow_cleartext_login: bool,
    /// Whether CRAM-MD5 (RFC 2195) is offered, for accounts whose password can be read [default: false].
    #[serde(default)]
    pub cram_md5: bool,
    /// By account, whom else it may act as.
    #[serde(default)]
    pub act_as: BTreeMap<String, Vec<String>>,
    /// Tokens.
    pub tokens: Option<TokensFile>,
}

/// `[auth.tokens]` of the configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokensFile {
    /// File of hashes and accounts.
    pub table: Option<PathBuf>,
    /// Who must have issued a token.
    pub issuer: Option<String>,
    /// For whom it must have been issued.
    pub audience: Option<String>,
    /// What it must allow, all of it.
    #[serde(default)]
    pub scope: Vec<String>,
    /// The claim that names the account [default: email].
    pub account_claim: Option<String>,
    /// A server that is asked (RFC 7662).
    pub introspection: Option<WebFile>,
    /// Keys of an issuer (RFC 7517).
    pub jwks: Option<WebFile>,
}

/// A web server of the configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebFile {
    /// Where.
    pub url: Url,
    /// PEM file of authorities [default: the machine's].
    pub ca: Option<PathBuf>,
    /// Who we are there.
    pub client_id: Option<String>,
    /// File of the secret that goes with it.
    pub client_secret_file: Option<PathBuf>,
}

/// `[proxy]` of the configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyFile {
    /// Addresses whose connections all begin with a header of the PROXY protocol.
    #[serde(default)]
    pub from: Vec<IpAddr>,
}

/// `[smtp]` of the configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpFile {
    /// Addresses that may say XCLIENT.
    #[serde(default)]
    pub xclient: Vec<IpAddr>,
    /// Whether VRFY and EXPN tell who is here, to anybody [default: false].
    #[serde(default)]
    pub verify: bool,
    /// Capabilities that are neither announced nor accepted.
    #[serde(default)]
    pub without: Vec<String>,
}

/// Addresses that are believed when they speak for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    /// With the PROXY protocol.
    pub proxy: Vec<IpAddr>,
    /// With XCLIENT.
    pub xclient: Vec<IpAddr>,
}

impl Trusted {
    pub(super) fn new(proxy: &ProxyFile, smtp: &SmtpFile) -> Self {
        let plain = |from: &[IpAddr]| from.iter().map(IpAddr::to_canonical).collect();
        Self { proxy: plain(&proxy.from), xclient: plain(&smtp.xclient) }
    }
}

impl AuthFile {
    /// Joins and judges; paths are meant from `base`, and `data` is where the accounts are.
    pub(super) fn settings(
        &self,
        base: &Path,
        data: &Path,
        limits: LimitSettings,
        has_client_ca: bool,
    ) -> Result<AuthSettings, Error> {
        let lower = |names: &Vec<String>| names.iter().map(|name| name.to_lowercase()).collect();
        let act_as = self.act_as.iter().map(|(name, others)| (name.to_lowercase(), lower(others)));
        let tokens = self.tokens.as_ref().map(|tokens| tokens.settings(base)).transpose()?;
        let usual = GuessSettings::default();
        let guesses = GuessSettings {
            network_burst: limits.login_failures_per_network.map_or(usual.network_burst, u64::from),
            account_burst: limits.login_failures_per_account.map_or(usual.account_burst, u64::from),
            ..usual
        };
        let secret = data.join("secret");
        let (act_as, extra) = (act_as.collect(), ExtraLogins::default());
        Ok(AuthSettings { act_as, tokens, guesses, secret, has_client_ca, extra })
    }
}

impl TokensFile {
    fn settings(&self, base: &Path) -> Result<TokenSettings, Error> {
        if self.table.is_none() && self.introspection.is_none() && self.jwks.is_none() {
            let message = "auth.tokens: name a table, an introspection server or jwks";
            return Err(Error::usage(message));
        }
        if self.jwks.is_some() && (self.issuer.is_none() || self.audience.is_none()) {
            // RFC 8725 §3.8, §3.9: or any token that the issuer ever signed, for whatever service, would open accounts.
            let message = "auth.tokens.jwks: name issuer and audience in [auth.tokens] too";
            return Err(Error::usage(message));
        }
        let web = |name: &str, file: &Option<WebFile>| match file {
            Some(file) => file.settings(name, base).map(Some),
            None => Ok(None),
        };
        Ok(TokenSettings {
            table: self.table.as_ref().map(|table| base.join(table)),
            introspection: web("introspection", &self.introspection)?,
            jwks: web("jwks", &self.jwks)?,
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            scope: self.scope.clone(),
            account_claim: self.account_claim.clone().unwrap_or_else(|| "email".to_owned()),
        })
    }
}

impl WebFile {
    fn settings(&self, name: &str, base: &Path) -> Result<WebSettings, Error> {
        if !self.url.is_secure() && !self.url.is_local() {
            let message = format!("auth.tokens.{name}.url: tokens and keys need https");
            return Err(Error::usage(message));
        }
        let from_base = |path: &Option<PathBuf>| path.as_ref().map(|path| base.join(path));
        Ok(WebSettings {
            url: self.url.clone(),
            authorities: from_base(&self.ca),
            client_id: self.client_id.clone(),
            client_secret_file: from_base(&self.client_secret_file),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<AuthSettings, String> {
        let file: AuthFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let (base, data) = (Path::new("/etc/mail"), Path::new("/var/mail"));
        let settings = file.settings(base, data, LimitSettings::default(), false);
        settings.map_err(|error| error.to_string())
    }

    #[test]
    fn tokens_need_somebody_to_judge_them_and_a_safe_way_there() {
        let jwks = "[tokens]\nissuer = 'i'\naudience = 'a'\ntable = 't'\n[tokens.jwks]\nurl = 'https://i/k'\nca = 'ca.pem'";
        let tokens = settings(jwks).expect("fine").tokens.expect("tokens");
        assert_eq!(tokens.table, Some("/etc/mail/t".into()));
        assert_eq!(tokens.jwks.and_then(|web| web.authorities), Some("/etc/mail/ca.pem".into()));
        assert_eq!(tokens.account_claim, "email");
        let wrong = [
            ("[tokens]\n", "name a table"),
            ("[tokens.jwks]\nurl = 'https://i/k'", "issuer and audience"),
            ("[tokens.introspection]\nurl = 'http://i/k'", "https"),
            ("[tokens.introspection]\nurl = 'i/k'", "expected an address"),
            ("[tokens]\ntabel = 't'", "unknown field"),
        ];
        for (text, part) in wrong {
            let error = settings(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
        assert!(settings("[tokens.introspection]\nurl = 'http://127.0.0.1:9/'").is_ok());
    }
}
