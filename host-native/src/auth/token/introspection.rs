//! Asks who issued a token whether it is good (RFC 7662); nothing is kept, so a token that is withdrawn is at its end.

use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::{TokenFault, WebSettings};
use crate::error::Error;
use crate::http::{Form, HttpClient, Url, escaped};

/// Questions at once; who comes then is told to come later.
const ASKING_MAX: usize = 16;

pub(super) struct Introspection {
    url: Url,
    http: HttpClient,
    authorization: Option<String>,
    asking: Semaphore,
}

impl Introspection {
    pub(super) fn new(settings: &WebSettings) -> Result<Self, Error> {
        let secret = match &settings.client_secret_file {
            Some(file) => {
                let failed = |error| Error::usage(format!("{}: {error}", file.display()));
                std::fs::read_to_string(file)
                    .map_err(failed)?
                    .trim_end_matches(['\r', '\n'])
                    .to_owned()
            }
            None => String::new(),
        };
        let authorization = settings.client_id.as_ref().map(|id| {
            // RFC 6749 §2.3.1: both are escaped before they are joined.
            let pair = format!("{}:{}", escaped(id), escaped(&secret));
            let basic = pillarbox_engine::text::base64::encode(pair.as_bytes());
            format!("Basic {}", basic.escape_ascii())
        });
        Ok(Self {
            url: settings.url.clone(),
            http: HttpClient::new(settings.authorities.as_deref())?,
            authorization,
            asking: Semaphore::new(ASKING_MAX),
        })
    }

    /// RFC 7662 §2.2: what the issuer says of a token that is active.
    pub(super) async fn claims(&self, token: &str) -> Result<Map<String, Value>, TokenFault> {
        let _asking = self.asking.try_acquire().map_err(|_| TokenFault::Unavailable)?;
        let hint = ("token_type_hint", "access_token".to_owned());
        let fields = vec![("token", token.to_owned()), hint];
        let form = Form { fields, authorization: self.authorization.clone() };
        let unavailable = |what: &dyn std::fmt::Display| {
            tracing::error!(url = %self.url, %what, "a token could not be judged");
            TokenFault::Unavailable
        };
        let answer = self.http.ask(&self.url, Some(form)).await;
        let answer = answer.map_err(|error| unavailable(&error))?;
        if !answer.status.is_success() {
            return Err(unavailable(&answer.status));
        }
        match serde_json::from_slice(&answer.body) {
            // RFC 7662 §2.2: nothing but `true` is active.
            Ok(Value::Object(claims)) if claims.get("active") == Some(&Value::Bool(true)) => {
                Ok(claims)
            }
            Ok(Value::Object(_)) => Err(TokenFault::Bad),
            _ => Err(unavailable(&"the answer is not a JSON object")),
        }
    }
}
