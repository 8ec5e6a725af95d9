//! The keys that an issuer signs tokens with (RFC 7517): fetched when they are needed, and kept for a while.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::jwt::{Jwt, Key};
use super::{TokenFault, WebSettings};
use crate::error::Error;
use crate::http::{HttpClient, Url};

/// After so long the keys are fetched again.
const KEEP: Duration = Duration::from_secs(3600);
/// So long they are used if they cannot be fetched again.
const KEEP_AT_MOST: Duration = Duration::from_secs(24 * 3600);
/// A token of an unknown key, or a failure, makes us fetch no sooner than this after the last time.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// Keys of one issuer.
const KEYS_MAX: usize = 100;

pub(super) struct Jwks {
    url: Url,
    http: HttpClient,
    /// Held while they are fetched: who needs them too waits for the same answer.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    keys: Vec<Key>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

impl Jwks {
    pub(super) fn new(settings: &WebSettings) -> Result<Self, Error> {
        let http = HttpClient::new(settings.authorities.as_deref())?;
        Ok(Self { url: settings.url.clone(), http, kept: Mutex::default() })
    }

    /// The claims of a token that one of the keys signed.
    pub(super) async fn claims(&self, token: &str) -> Result<Map<String, Value>, TokenFault> {
        let jwt = Jwt::parse(token).ok_or(TokenFault::Bad)?;
        let mut kept = self.kept.lock().await;
        let is_old = kept.fetched.is_none_or(|at| at.elapsed() >= KEEP);
        if is_old || !kept.keys.iter().any(|key| is_meant(key, &jwt)) {
            self.fetch(&mut kept).await;
        }
        if kept.fetched.is_none_or(|at| at.elapsed() >= KEEP_AT_MOST) {
            return Err(TokenFault::Unavailable);
        }
        let mut meant = kept.keys.iter().filter(|key| is_meant(key, &jwt));
        meant.find_map(|key| jwt.claims(key)).ok_or(TokenFault::Bad)
    }

    async fn fetch(&self, kept: &mut Kept) {
        if kept.tried.is_some_and(|at| at.elapsed() < AGAIN_AFTER) {
            return;
        }
        kept.tried = Some(Instant::now());
        match self.keys().await {
            Ok(keys) => {
                tracing::info!(url = %self.url, keys = keys.len(), "keys of the token issuer fetched");
                (kept.keys, kept.fetched) = (keys, Some(Instant::now()));
            }
            Err(error) => {
                tracing::error!(url = %self.url, %error, "no keys of the token issuer");
            }
        }
    }

    async fn keys(&self) -> Result<Vec<Key>, crate::http::Failure> {
        let answer = self.http.ask(&self.url, None).await?;
        if !answer.status.is_success() {
            return Err(answer.status.to_string().into());
        }
        let set: Value = serde_json::from_slice(&answer.body)?;
        let keys = set.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or("the answer is no JSON object with keys")?;
        // RFC 7517 §5: keys of a kind that is not understood are passed over.
        Ok(keys.iter().filter_map(Key::parse).take(KEYS_MAX).collect())
    }
}

/// A token that names a key means that one.
fn is_meant(key: &Key, jwt: &Jwt<'_>) -> bool {
    jwt.key_id.is_none() || key.id == jwt.key_id
}
