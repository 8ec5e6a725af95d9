//! One message: what it says, its fields, its octets, its parts, and how it looks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::types::Reason;
use pillarbox_world::web::encoded;

use super::catalogue::{Entry, SEEN};
use super::contents::{Contents, HANDED_MAX};
use super::listing::number_of;
use super::{Answer, Api, Refused, asked};

/// What is handed out came from strangers: a browser runs nothing of it, and asks nobody for what it names.
const HARMLESS: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "sandbox allow-popups; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'self'",
    ),
    (header::CACHE_CONTROL, "no-store"),
];
const TEXT: &str = "text/plain; charset=utf-8";

/// `GET /api/v1/message/{id}`: as in Mailpit it is read by that.
pub(super) async fn message(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    let (entry, shown) = api.with(id, |contents, entry| contents.json(entry)).await?;
    if !entry.is_read() {
        api.flag(&[entry], true, Flags { system: SEEN, keywords: Vec::new() }).await?;
    }
    Ok(Json(shown).into_response())
}

/// `GET /api/v1/message/{id}/headers`.
pub(super) async fn headers(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    let (_, fields) = api.with(id, |contents, _| contents.fields()).await?;
    Ok(Json(fields).into_response())
}

/// `GET /api/v1/message/{id}/raw`.
pub(super) async fn raw(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    let (_, octets) = api.with(id, |contents, _| contents.raw()).await?;
    Ok(handed(octets, TEXT, None))
}

/// `GET /api/v1/message/{id}/part/{part}`.
pub(super) async fn part(
    State(api): State<Api>,
    Path((id, part)): Path<(String, String)>,
) -> Answer {
    let (_, found) = api.with(id, move |contents, _| contents.numbered(&part)).await?;
    let (octets, media_type, name) = found;
    Ok(handed(octets, &media_type, Some(&name)))
}

/// `GET /view/{id}.html`, `/view/{id}.txt`, and `/view/latest` for the one that there is.
pub(super) async fn view(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    let (id, kind) = name.rsplit_once('.').unwrap_or((&name, ""));
    let kind = match kind {
        "" | "html" | "txt" => kind.to_owned(),
        _ => return Err(Refused::wrong("view: there are .html and .txt")),
    };
    let is_text = kind == "txt";
    let (_, found) = api
        .with(id.to_owned(), move |contents, entry| {
            let path = format!("/api/v1/message/{}", entry.id);
            let html = if is_text { None } else { contents.page(&path)? };
            match html {
                Some(html) => Ok(Some((html, "text/html; charset=utf-8"))),
                None if kind == "html" => Ok(None),
                None => contents.text(HANDED_MAX).map(|text| Some((text, TEXT))),
            }
        })
        .await?;
    let Some((text, media_type)) = found else {
        let what = "this message has no HTML; there is .txt".to_owned();
        return Err(Refused(StatusCode::NOT_FOUND, what));
    };
    Ok(handed(text.into_bytes(), media_type, None))
}

/// `GET /inbox/html/{id}`: what may be shown of its HTML, as web mail shows it, for the frame of the inbox's page.
pub(super) async fn framed(State(api): State<Api>, Path(id): Path<String>, uri: Uri) -> Answer {
    let remote = asked(&uri).get("remote") == "1";
    let (_, found) = api.with(id, move |contents, _| contents.framed(remote)).await?;
    let Some(page) = found else {
        return Err(Refused(StatusCode::NOT_FOUND, "this message has no HTML".to_owned()));
    };
    let mut response = page.body.into_response();
    let kind = [("Content-Type", page.media_type), ("Cache-Control", "no-store".to_owned())];
    for (name, value) in page.fields.into_iter().chain(kind) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

impl Api {
    /// Reads of a message by its number, or of the latest.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        id: String,
        read: impl FnOnce(&Contents<'_>, &Entry) -> Result<T, Reason> + Send + 'static,
    ) -> Result<(Arc<Entry>, T), Refused> {
        let wanted = if id == "latest" { None } else { Some(number_of(&id)?) };
        self.work(move |api| {
            let gone = || {
                let what = match wanted {
                    Some(id) => format!("there is no message {id}"),
                    None => "there is no message yet".to_owned(),
                };
                Refused(StatusCode::NOT_FOUND, what)
            };
            let entry = match wanted {
                Some(id) => api.catalogue.message(id),
                None => api.catalogue.latest(api.now_ms()),
            };
            let entry = entry.ok_or_else(gone)?;
            let contents = Contents::open(api.store().reads(), &entry).map_err(|_| gone())?;
            match read(&contents, &entry) {
                Ok(read) => Ok((entry, read)),
                Err(Reason::TooLarge) => {
                    let what =
                        format!("it has more than {HANDED_MAX} octets; read it by IMAP or POP3");
                    Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, what))
                }
                Err(Reason::NotFound) => {
                    let what = "the message has no such part, or went meanwhile".to_owned();
                    Err(Refused(StatusCode::NOT_FOUND, what))
                }
                Err(reason) => Err(reason.into()),
            }
        })
        .await
    }
}

/// Octets of a message, as what they are.
fn handed(octets: Vec<u8>, media_type: &str, name: Option<&str>) -> Response {
    let mut response = octets.into_response();
    let fields = response.headers_mut();
    for (field, value) in HARMLESS {
        fields.insert(field, HeaderValue::from_static(value));
    }
    let unknown = HeaderValue::from_static("application/octet-stream");
    let media_type = HeaderValue::try_from(media_type).unwrap_or(unknown);
    fields.insert(header::CONTENT_TYPE, media_type);
    // RFC 8187 §3.2.1: of the name only what a field may hold.
    let disposition = name.map(|name| format!("inline; filename*=UTF-8''{}", encoded(name)));
    if let Some(Ok(value)) = disposition.map(HeaderValue::try_from) {
        fields.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
