//! Letters that a test sends without a client, and inboxes of its own.

use std::net::SocketAddr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use pillarbox_engine::text::base64;
use pillarbox_world::service::catch::{Letter, NotSent};
use serde::Deserialize;
use serde_json::json;

use super::{Api, Failed, Given};
use crate::auth::entropy;
use crate::drive::now;

/// The domain of inboxes that are made here; RFC 2606 §2 keeps it for tests.
const DOMAIN: &str = "inbox.test";

/// What `POST /api/v1/send` takes. Tags are for Mailpit's own list, and are refused rather than forgotten.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Sending {
    from: Somebody,
    #[serde(default)]
    to: Vec<Somebody>,
    #[serde(default)]
    cc: Vec<Somebody>,
    #[serde(default)]
    bcc: Vec<String>,
    #[serde(default)]
    reply_to: Vec<Somebody>,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    text: String,
    #[serde(default, rename = "HTML")]
    html: String,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Somebody {
    email: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attachment {
    content: String,
    filename: String,
    #[serde(default)]
    content_type: String,
}

impl Somebody {
    /// As a header field has it.
    fn written(&self) -> String {
        if self.name.is_empty() {
            return self.email.clone();
        }
        let quoted = self.name.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{quoted}\" <{}>", self.email)
    }
}

impl Sending {
    fn letter(self) -> Result<Letter, Failed> {
        let written = |list: &[Somebody]| list.iter().map(Somebody::written).collect();
        let mut files = Vec::new();
        for file in self.attachments {
            let octets = base64::decode(file.content.as_bytes());
            let octets = octets.ok_or_else(|| {
                Failed::bad(format!("Attachments: the Content of {} is no base64", file.filename))
            })?;
            files.push((file.filename, file.content_type, octets));
        }
        Ok(Letter {
            from: self.from.written(),
            to: written(&self.to),
            cc: written(&self.cc),
            bcc: self.bcc,
            reply_to: written(&self.reply_to),
            subject: self.subject,
            text: self.text,
            html: self.html,
            fields: self.headers.into_iter().collect(),
            files,
        })
    }
}

/// `POST /api/v1/send`; gives the id.
pub(super) async fn send(
    State(api): State<Api>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Given {
    let sending: Sending =
        serde_json::from_slice(&body).map_err(|why| Failed::bad(format!("the letter: {why}")))?;
    let letter = sending.letter()?;
    let moment = now(api.shared.started);
    let chance =
        entropy().map_err(|why| Failed(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()))?;
    let peer = peer.ip().to_canonical().to_string().into_bytes();
    api.with(move |mail, handle| {
        let sent = handle.block_on(mail.send(&letter, moment, peer, chance));
        let id = sent.map_err(|why| match why {
            NotSent::Bad(why) => Failed::bad(why),
            NotSent::Refused(reason) => {
                Failed(StatusCode::UNPROCESSABLE_ENTITY, format!("not taken: {reason:?}"))
            }
        })?;
        Ok(Json(json!({ "ID": id.to_string() })).into_response())
    })
    .await
}

/// `POST /api/inboxes`: an address that no other test has, with all that a program needs to use it.
pub(super) async fn inbox(State(api): State<Api>) -> Given {
    let chance: [u8; 8] =
        entropy().map_err(|why| Failed(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()))?;
    let name: String = chance.iter().map(|octet| format!("{octet:02x}")).collect();
    let address = format!("{name}@{DOMAIN}");
    // Every address has a mailbox in this profile, and every password opens it, unless one was set.
    let password = api.shared.settings.dev_password.is_none().then_some("any");
    Ok(Json(json!({
        "address": address,
        "user": address,
        "password": password,
        "wait": format!("/api/wait?to={address}"),
    }))
    .into_response())
}
