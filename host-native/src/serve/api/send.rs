//! `POST /api/v1/send`: a message in parts, as JSON. It is composed as `pillarbox send` composes it, and goes the way of a
//! submitted one.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::limits::Limits;
use pillarbox_engine::message::compose::{
    self, Draft, FieldName, FileName, MediaType, Origin, Person, Piece, Text, compose,
    parse_mailboxes,
};
use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::text::base64;
use pillarbox_engine::types::Refusal;
use pillarbox_world::service::Backend;
use pillarbox_world::service::submit::{Submission, submit, trace};
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Handle;

use super::tags::keyword;
use super::{Answer, Api, Refused, json_of};
use crate::auth::entropy;
use crate::drive::next_key;
use crate::store::words;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    from: Option<Somebody>,
    to: Option<Vec<Somebody>>,
    cc: Option<Vec<Somebody>>,
    bcc: Option<Vec<String>>,
    reply_to: Option<Vec<Somebody>>,
    subject: Option<String>,
    text: Option<String>,
    #[serde(rename = "HTML")]
    html: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    attachments: Option<Vec<Attachment>>,
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Somebody {
    email: String,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attachment {
    content: String,
    filename: String,
    content_type: Option<String>,
    #[serde(rename = "ContentID")]
    content_id: Option<String>,
}

/// A letter, with the files that it carries.
struct Letter {
    draft: Draft,
    recipients: Vec<Mailbox>,
    inline: Vec<Vec<u8>>,
    attached: Vec<Vec<u8>>,
}

/// `POST /api/v1/send`.
pub(super) async fn send(
    State(api): State<Api>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Answer {
    let given: Given = json_of(&body)?;
    let tags = given.tags.iter().flatten().map(|tag| keyword(tag));
    let tags = tags.collect::<Result<Vec<_>, _>>()?;
    let letter = letter(given)?;
    let chance = entropy().map_err(|_| {
        let what = "the system gives no random octets".to_owned();
        Refused(StatusCode::INTERNAL_SERVER_ERROR, what)
    })?;
    let handle = Handle::current();
    let id = api
        .work(move |api| {
            let backend = &api.shared.backend;
            let (now, key) = (api.shared.now(), next_key());
            let author = letter.draft.from[0].mailbox.clone();
            let account = [&author.local_part[..], b"@", &author.domain].concat();
            let account = String::from_utf8_lossy(&account).into_owned();
            let address = peer.ip().to_canonical().to_string().into_bytes();
            let (path, trace) = trace(backend.host_name(), &address, now, &author, chance);
            let origin = Origin { unix_ms: now.unix_ms, seed: chance };
            let (octets, smtputf8) = octets(&letter, origin, trace)?;
            let limits = api.shared.settings.limits.apply(Limits::SMTP, false);
            if octets.len() as u64 > limits.message_max {
                let what = format!("a message has at most {} octets here", limits.message_max);
                return Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, what));
            }
            let submission = Submission {
                author,
                recipients: letter.recipients,
                octets,
                return_path_octets: path,
                smtputf8,
                hold_until_ms: None,
            };
            handle
                .block_on(submit(backend, key, now, &account, submission))
                .map_err(|Refusal { reason, .. }| Refused::wrong(words(reason)))
        })
        .await?;
    if !tags.is_empty() {
        let entry = api.work(move |api| Ok(api.catalogue.message(id))).await?;
        api.flag(entry.as_slice(), true, Flags { system: 0, keywords: tags }).await?;
    }
    Ok(Json(json!({ "ID": id.to_string() })).into_response())
}

fn octets(letter: &Letter, origin: Origin, before: Vec<u8>) -> Result<(Vec<u8>, bool), Refused> {
    let composed = compose(&letter.draft, origin).map_err(|refused| wrong("message", &refused))?;
    let files: Vec<&Vec<u8>> = letter.inline.iter().chain(&letter.attached).collect();
    let mut out = before;
    for piece in composed.pieces(0, composed.size()) {
        match piece {
            Piece::Octets(octets) => out.extend_from_slice(octets),
            Piece::File(piece) => {
                let (from, length) = (piece.start as usize, piece.length as usize);
                let octets = files.get(piece.file).and_then(|file| file.get(from..from + length));
                out.extend(piece.encode(octets.unwrap_or_default()));
            }
        }
    }
    Ok((out, composed.needs_utf8()))
}

fn letter(given: Given) -> Result<Letter, Refused> {
    let from = given.from.ok_or_else(|| Refused::wrong("From: say who writes"))?;
    let from = vec![person("From", from)?];
    let to = people("To", given.to)?;
    let cc = people("Cc", given.cc)?;
    let bcc = given.bcc.unwrap_or_default().into_iter();
    let bcc = bcc.map(|email| person("Bcc", Somebody { email, name: None }));
    let bcc = bcc.collect::<Result<Vec<_>, _>>()?;
    let mut recipients = Vec::new();
    for Person { mailbox, .. } in to.iter().chain(&cc).chain(&bcc) {
        if !recipients.contains(mailbox) {
            recipients.push(mailbox.clone());
        }
        if recipients.len() > Limits::SMTP.recipients_max as usize {
            let most = Limits::SMTP.recipients_max;
            return Err(Refused::wrong(format!("To, Cc, Bcc: at most {most} recipients")));
        }
    }
    if recipients.is_empty() {
        return Err(Refused::wrong("To, Cc, Bcc: say to whom it goes"));
    }
    let mut html = given.html.filter(|html| !html.is_empty());
    let (mut inline, mut inline_octets) = (Vec::new(), Vec::new());
    let (mut attachments, mut attached) = (Vec::new(), Vec::new());
    for one in given.attachments.unwrap_or_default() {
        let octets = one.content.split_ascii_whitespace().collect::<String>();
        let octets = base64::decode(octets.as_bytes())
            .ok_or_else(|| Refused::wrong("Attachments.Content: it is not base64"))?;
        let name = FileName::new(&one.filename).map_err(|r| wrong("Attachments.Filename", &r))?;
        let media_type = match one.content_type.filter(|kind| !kind.is_empty()) {
            Some(kind) => {
                MediaType::new(&kind).map_err(|r| wrong("Attachments.ContentType", &r))?
            }
            None => MediaType::of_name(name.as_str()),
        };
        let file = compose::File { name, media_type, size: octets.len() as u64 };
        let id = one.content_id.filter(|id| !id.is_empty());
        match (id, &mut html) {
            (Some(id), Some(html)) => {
                *html = html.replace(&format!("cid:{id}"), &shown_as(&file.name));
                inline.push(file);
                inline_octets.push(octets);
            }
            _ => {
                attachments.push(file);
                attached.push(octets);
            }
        }
    }
    let fields = given.headers.unwrap_or_default().into_iter().map(|(name, value)| {
        let name = FieldName::new(&name).map_err(|refused| wrong("Headers", &refused))?;
        Ok((name, text("Headers", &value)?))
    });
    let subject = given.subject.filter(|subject| !subject.is_empty());
    let draft = Draft {
        from,
        to,
        cc,
        reply_to: people("ReplyTo", given.reply_to)?,
        subject: subject.map(|subject| text("Subject", &subject)).transpose()?,
        fields: fields.collect::<Result<_, Refused>>()?,
        text: given.text.filter(|text| !text.is_empty()),
        html,
        inline,
        attachments,
        ..Draft::default()
    };
    Ok(Letter { draft, recipients, inline: inline_octets, attached })
}

/// How HTML names a file that it shows, as [`Draft::inline`] says.
fn shown_as(name: &FileName) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' };
    format!("cid:{}@inline", name.as_str().chars().map(plain).collect::<String>())
}

fn people(field: &str, list: Option<Vec<Somebody>>) -> Result<Vec<Person>, Refused> {
    list.unwrap_or_default().into_iter().map(|one| person(field, one)).collect()
}

fn person(field: &str, Somebody { email, name }: Somebody) -> Result<Person, Refused> {
    let mut found = parse_mailboxes(&email, None).map_err(|refused| wrong(field, &refused))?;
    let mailbox = match (found.pop(), found.pop()) {
        (Some(mailbox), None) => mailbox,
        _ => return Err(Refused::wrong(format!("{field}.Email: expected one address"))),
    };
    let name = name.filter(|name| !name.is_empty());
    let name = name.map(|name| text(field, &name)).transpose()?;
    Ok(Person { name, mailbox })
}

fn text(field: &str, text: &str) -> Result<Text, Refused> {
    Text::new(text).map_err(|refused| wrong(field, &refused))
}

fn wrong(field: &str, refused: &compose::Refused) -> Refused {
    Refused::wrong(format!("{field}: {refused}"))
}
