//! Bearer tokens: whose they are, by a table of this server, by asking who issued them (RFC 7662), or by the issuer's
//! signature (RFC 7519). The table is looked at first, since it costs nothing.

mod introspection;
mod jwks;
mod jwt;
mod table;

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::canonical;
use crate::error::Error;
use crate::http::Url;

use introspection::Introspection;
use jwks::Jwks;
use table::Table;

/// How tokens are judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSettings {
    /// File of hashes of tokens and their accounts.
    pub table: Option<PathBuf>,
    /// A server that is asked (RFC 7662).
    pub introspection: Option<WebSettings>,
    /// Keys that tokens are signed with (RFC 7517).
    pub jwks: Option<WebSettings>,
    /// Who must have issued a token.
    pub issuer: Option<String>,
    /// For whom it must have been issued.
    pub audience: Option<String>,
    /// What it must allow, all of it.
    pub scope: Vec<String>,
    /// The claim that names the account.
    pub account_claim: String,
}

/// A web server to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// Where.
    pub url: Url,
    /// PEM file of the authorities to trust; the machine's without one.
    pub authorities: Option<PathBuf>,
    /// Who we are there.
    pub client_id: Option<String>,
    /// File of the secret that goes with it.
    pub client_secret_file: Option<PathBuf>,
}

/// Why a token does not open an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenFault {
    /// It is no token, forged, withdrawn, over, or somebody else's.
    Bad,
    /// It is good, but not for this.
    Scope,
    /// It cannot be judged now.
    Unavailable,
}

/// Judges tokens.
pub(super) struct Tokens {
    table: Option<Table>,
    jwks: Option<Jwks>,
    introspection: Option<Introspection>,
    rules: Rules,
    /// Of a name without one.
    domain: String,
}

/// What claims must say, wherever they come from.
#[derive(Clone, Debug)]
struct Rules {
    issuer: Option<String>,
    audience: Option<String>,
    scope: Vec<String>,
    account_claim: String,
}

impl Tokens {
    pub(super) fn new(settings: &TokenSettings, domain: &str) -> Result<Self, Error> {
        let TokenSettings { issuer, audience, scope, account_claim, .. } = settings.clone();
        Ok(Self {
            table: settings.table.clone().map(Table::new).transpose()?,
            jwks: settings.jwks.as_ref().map(Jwks::new).transpose()?,
            introspection: settings.introspection.as_ref().map(Introspection::new).transpose()?,
            rules: Rules { issuer, audience, scope, account_claim },
            domain: domain.to_owned(),
        })
    }

    /// The account that a token opens.
    pub(super) async fn account(&self, token: &[u8]) -> Result<String, TokenFault> {
        let now = unix_seconds();
        if let Some(name) = self.table.as_ref().and_then(|table| table.account(token, now)) {
            return Ok(name);
        }
        let token = std::str::from_utf8(token).map_err(|_| TokenFault::Bad)?;
        let claims = match (&self.jwks, &self.introspection) {
            (Some(jwks), _) if jwt::has_form(token) => jwks.claims(token).await?,
            (_, Some(introspection)) => introspection.claims(token).await?,
            _ => return Err(TokenFault::Bad),
        };
        self.rules.account(&claims, now, &self.domain)
    }
}

impl Rules {
    /// RFC 7519 §4.1: whom the claims name, if they hold now and here.
    fn account(
        &self,
        claims: &Map<String, Value>,
        now: u64,
        domain: &str,
    ) -> Result<String, TokenFault> {
        // RFC 7519 §4.1.4: clocks differ a little.
        const LEEWAY_SECONDS: f64 = 60.0;
        let now = now as f64;
        let time = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(TokenFault::Bad),
        };
        // A token that never ends would outlive every account.
        let ends = time("exp")?.ok_or(TokenFault::Bad)?;
        let begins = time("nbf")?.unwrap_or(f64::MIN);
        if now >= ends + LEEWAY_SECONDS || now + LEEWAY_SECONDS < begins {
            return Err(TokenFault::Bad);
        }
        let issuer = claims.get("iss").and_then(Value::as_str);
        if self.issuer.is_some() && self.issuer.as_deref() != issuer {
            return Err(TokenFault::Bad);
        }
        if let Some(audience) = &self.audience
            && !words(claims.get("aud"), false).contains(&audience.as_str())
        {
            return Err(TokenFault::Bad);
        }
        let granted = [words(claims.get("scope"), true), words(claims.get("scp"), true)].concat();
        if !self.scope.iter().all(|wanted| granted.contains(&wanted.as_str())) {
            return Err(TokenFault::Scope);
        }
        // An address that its issuer has not looked at is whatever somebody typed.
        let is_email = self.account_claim == "email";
        if is_email && claims.get("email_verified").is_some_and(|value| *value != Value::Bool(true))
        {
            return Err(TokenFault::Bad);
        }
        let name = claims.get(&self.account_claim).and_then(Value::as_str);
        name.and_then(|name| canonical(name.as_bytes(), domain)).ok_or(TokenFault::Bad)
    }
}

/// A string or an array of strings; a string may hold several, with spaces between.
fn words(value: Option<&Value>, split: bool) -> Vec<&str> {
    match value {
        Some(Value::String(text)) if split => text.split(' ').collect(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn unix_seconds() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_must_hold_now_and_here() {
        let rules = Rules {
            issuer: Some("https://login.example".into()),
            audience: Some("mail".into()),
            scope: vec!["imap".into(), "smtp".into()],
            account_claim: "email".into(),
        };
        let good = json!({
            "iss": "https://login.example", "aud": ["web", "mail"], "exp": 2000, "nbf": 1000,
            "scope": "smtp openid imap", "email": "Ann@A.example", "email_verified": true,
        });
        let judge = |change: fn(&mut Value), now| {
            let mut claims = good.clone();
            change(&mut claims);
            rules.account(claims.as_object().expect("an object"), now, "a.example")
        };
        assert_eq!(judge(|_| (), 1500), Ok("ann@a.example".into()));
        assert_eq!(judge(|_| (), 2059), Ok("ann@a.example".into()));
        assert!(judge(|claims| claims["aud"] = json!("mail"), 1500).is_ok());
        assert_eq!(
            judge(|claims| claims["email"] = json!("ann"), 1500),
            Ok("ann@a.example".into())
        );
        type Change = fn(&mut Value);
        let scp: Change = |claims| {
            claims["scope"] = Value::Null;
            claims["scp"] = json!(["imap", "smtp"]);
        };
        assert!(judge(scp, 1500).is_ok());
        let bad: [(Change, u64); 11] = [
            (|_| (), 2060),
            (|_| (), 939),
            (|claims| claims["exp"] = json!("2000"), 1500),
            (|claims| drop(claims.as_object_mut().map(|map| map.remove("exp"))), 1500),
            (|claims| claims["iss"] = json!("https://login.example.evil"), 1500),
            (|claims| claims["iss"] = Value::Null, 1500),
            (|claims| claims["aud"] = json!("mail web"), 1500),
            (|claims| claims["aud"] = json!([]), 1500),
            (|claims| claims["email_verified"] = json!(false), 1500),
            (|claims| claims["email_verified"] = json!("true"), 1500),
            (|claims| claims["email"] = json!(7), 1500),
        ];
        for (at, (change, now)) in bad.into_iter().enumerate() {
            assert_eq!(judge(change, now), Err(TokenFault::Bad), "number {at}");
        }
        assert_eq!(judge(|claims| claims["scope"] = json!("imap"), 1500), Err(TokenFault::Scope));
    }
}
