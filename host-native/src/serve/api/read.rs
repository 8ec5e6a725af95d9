//! What came: lists, searches, and one message in all its forms.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query as Asked, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pillarbox_engine::message::Span;
use pillarbox_engine::text::header::fields;
use pillarbox_engine::text::words;
use pillarbox_world::service::catch::{Caught, Query, part_of};
use pillarbox_world::service::web::{SANDBOX, document};
use serde::Deserialize;
use serde_json::json;

use crate::config::Data;

use super::{Api, DECODED_MAX, Failed, Given, Mail, found, shape};

/// Messages of one answer, unless more are asked for.
const LIMIT: usize = 50;
/// Messages of one answer at most.
const LIMIT_MAX: usize = 1000;

/// Which part of a list is wanted. What else Mailpit takes, such as a time zone, changes nothing here.
#[derive(Deserialize)]
pub(super) struct Page {
    start: Option<String>,
    limit: Option<String>,
    query: Option<String>,
}

impl Page {
    fn number(name: &str, given: Option<&String>, otherwise: usize) -> Result<usize, Failed> {
        let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(otherwise) };
        text.parse().map_err(|_| Failed::bad(format!("{name}: expected a number, not {text}")))
    }

    fn start(&self) -> Result<usize, Failed> {
        Self::number("start", self.start.as_ref(), 0)
    }

    /// As Mailpit has it, 0 means all.
    fn limit(&self) -> Result<usize, Failed> {
        Ok(match Self::number("limit", self.limit.as_ref(), LIMIT)? {
            0 => LIMIT_MAX,
            limit => limit.min(LIMIT_MAX),
        })
    }

    pub(super) fn query(&self) -> Result<Query, Failed> {
        let words = self.query.as_deref().unwrap_or_default().trim();
        if words.is_empty() {
            return Err(Failed::bad(
                "query: expected what to search for, such as to:bob@example.org",
            ));
        }
        Query::read(words).map_err(Failed::bad)
    }
}

/// Some of the messages that were found, among all that there are.
fn listed(mail: &Mail, all: &[Caught], hits: &[Caught], page: &Page) -> Given {
    let (start, limit) = (page.start()?, page.limit()?);
    let unread = |list: &[Caught]| list.iter().filter(|caught| !caught.read).count();
    let mut messages = Vec::new();
    for caught in hits.iter().skip(start).take(limit) {
        // One that is gone meanwhile is not in the list.
        if let Ok(index) = mail.index(caught) {
            messages.push(shape::item(caught, &index));
        }
    }
    Ok(Json(json!({
        "total": all.len(),
        "unread": unread(all),
        "count": messages.len(),
        "messages_count": hits.len(),
        "messages_unread": unread(hits),
        "start": start,
        "tags": names_of_tags(all),
        "messages": messages,
    }))
    .into_response())
}

fn names_of_tags(all: &[Caught]) -> Vec<String> {
    let mut names: Vec<String> = all
        .iter()
        .flat_map(Caught::tags)
        .map(|tag| String::from_utf8_lossy(tag).into_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// `GET /api/v1/messages`
pub(super) async fn list(State(api): State<Api>, Asked(page): Asked<Page>) -> Given {
    api.with(move |mail, _| {
        let all = mail.all()?;
        listed(mail, &all, &all, &page)
    })
    .await
}

/// `GET /api/v1/search`
pub(super) async fn search(State(api): State<Api>, Asked(page): Asked<Page>) -> Given {
    let query = page.query()?;
    api.with(move |mail, _| listed(mail, &mail.all()?, &mail.search(&query)?, &page)).await
}

/// `GET /api/v1/tags`
pub(super) async fn tags(State(api): State<Api>) -> Given {
    api.with(|mail, _| Ok(Json(names_of_tags(&mail.all()?)).into_response())).await
}

/// Where the mail is kept.
fn database(data: &Data) -> String {
    match data {
        Data::Directory(path) => path.display().to_string(),
        Data::Memory => "memory".to_owned(),
    }
}

/// `GET /api/v1/info`
pub(super) async fn info(State(api): State<Api>) -> Given {
    let shared = std::sync::Arc::clone(&api.shared);
    api.with(move |mail, _| {
        let all = mail.all()?;
        let mut tags: BTreeMap<String, usize> = BTreeMap::new();
        for tag in all.iter().flat_map(Caught::tags) {
            *tags.entry(String::from_utf8_lossy(tag).into_owned()).or_default() += 1;
        }
        let accepted = shared.metrics.deliveries.with_label_values(&["stored"]).get();
        Ok(Json(json!({
            "Version": format!("pillarbox {}", env!("CARGO_PKG_VERSION")),
            "LatestVersion": "",
            "Database": database(&shared.settings.data),
            "DatabaseSize": all.iter().map(|caught| caught.size).sum::<u64>(),
            "Messages": all.len(),
            "Unread": all.iter().filter(|caught| !caught.read).count(),
            "Tags": tags,
            "RuntimeStats": {
                "Uptime": shared.started.elapsed().as_secs(),
                "SMTPAccepted": accepted,
            },
        }))
        .into_response())
    })
    .await
}

/// `GET /api/v1/webui`
pub(super) async fn webui() -> Response {
    Json(json!({
        "Label": "",
        "ChaosEnabled": true,
        "DuplicatesIgnored": false,
        "SpamAssassin": false,
        "HideDeleteAllButton": false,
        "MessageRelay": { "Enabled": false },
    }))
    .into_response()
}

/// `GET /api/v1/message/{id}`; who looks at a message has read it.
pub(super) async fn message(State(api): State<Api>, Path(id): Path<String>) -> Given {
    api.with(move |mail, handle| {
        let (caught, index) = found(mail, &id)?;
        let shown = shape::whole(mail, &caught, &index)?;
        if !caught.read {
            handle.block_on(mail.mark(&[caught], true))?;
        }
        Ok(Json(shown).into_response())
    })
    .await
}

/// `GET /api/v1/message/{id}/headers`: values by name, the names as MIME libraries write them.
pub(super) async fn headers(State(api): State<Api>, Path(id): Path<String>) -> Given {
    api.with(move |mail, _| {
        let (caught, index) = found(mail, &id)?;
        let span = index.parts.first().map(|part| part.header).unwrap_or_default();
        let section = mail.octets(&caught, span)?;
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for field in fields(&section) {
            let value = words::decode(&field.unfolded());
            all.entry(canonical(field.name)).or_default().push(value);
        }
        Ok(Json(all).into_response())
    })
    .await
}

/// `message-ID` as `Message-Id`.
fn canonical(name: &[u8]) -> String {
    let mut begins = true;
    let letter = |octet: &u8| {
        let octet = if begins { octet.to_ascii_uppercase() } else { octet.to_ascii_lowercase() };
        begins = octet == b'-';
        octet
    };
    let name: Vec<u8> = name.iter().map(letter).collect();
    String::from_utf8_lossy(&name).into_owned()
}

/// Octets that a browser does nothing with but keep.
fn harmless(kind: &str, disposition: &'static str, octets: Vec<u8>) -> Response {
    let octet_stream = HeaderValue::from_static("application/octet-stream");
    let kind = HeaderValue::try_from(kind).unwrap_or(octet_stream);
    let fields: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'")),
    ];
    (fields, octets).into_response()
}

/// `GET /api/v1/message/{id}/raw`
pub(super) async fn raw(State(api): State<Api>, Path(id): Path<String>) -> Given {
    api.with(move |mail, _| {
        let (caught, _) = found(mail, &id)?;
        if caught.size > DECODED_MAX {
            return Err(pillarbox_engine::types::Reason::TooLarge.into());
        }
        let octets = mail.octets(&caught, Span { start: 0, end: caught.size })?;
        Ok(harmless("text/plain; charset=utf-8", "inline", octets))
    })
    .await
}

/// `GET /api/v1/message/{id}/part/{part}`: a part by its number, decoded.
pub(super) async fn part(
    State(api): State<Api>,
    Path((id, number)): Path<(String, String)>,
) -> Given {
    api.with(move |mail, _| {
        let (caught, index) = found(mail, &id)?;
        let at = part_of(&index, &number).ok_or_else(|| Failed::missing("part"))?;
        let part = &index.parts[at];
        let octets = mail.decoded(&caught, part, DECODED_MAX)?;
        let kind = pillarbox_world::service::catch::media_type(part);
        Ok(harmless(&kind, "attachment", octets))
    })
    .await
}

/// `GET /view/{id}`, `/view/{id}.html`, `/view/{id}.txt`: a message to be looked at.
pub(super) async fn view(State(api): State<Api>, Path(name): Path<String>) -> Given {
    api.with(move |mail, _| {
        let (id, kind) = name.rsplit_once('.').unwrap_or((&name, ""));
        if !["", "html", "txt"].contains(&kind) {
            return Err(Failed::missing("view"));
        }
        let (caught, index) = found(mail, id)?;
        let html = match kind {
            "txt" => String::new(),
            _ => mail.text(&caught, &index, "html", DECODED_MAX)?,
        };
        if kind == "html" && html.is_empty() {
            return Err(Failed(StatusCode::NOT_FOUND, "this message has no HTML".to_owned()));
        }
        if html.is_empty() {
            let text = mail.text(&caught, &index, "plain", DECODED_MAX)?;
            return Ok(harmless("text/plain; charset=utf-8", "inline", text.into_bytes()));
        }
        let policy = format!(
            "sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        );
        let mut response =
            harmless("text/html; charset=utf-8", "inline", document(&html).into_bytes());
        if let Ok(policy) = HeaderValue::try_from(policy) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
            .headers_mut()
            .insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        Ok(response)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn names_are_written_as_mime_libraries_do() {
        assert_eq!(canonical(b"message-ID"), "Message-Id");
        assert_eq!(canonical(b"X"), "X");
        assert_eq!(canonical(b""), "");
    }
}
