//! Tags, which are IMAP's keywords: what a test tags here, a mail program finds there.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use pillarbox_engine::imap::types::Flags;
use serde::Deserialize;

use super::listing::numbers;
use super::{Answer, Api, Refused, json_of, ok};

/// Octets of a tag.
const TAG_MAX: usize = 64;

#[derive(Deserialize)]
struct SetTags {
    #[serde(rename = "IDs", default)]
    ids: Option<Vec<String>>,
    #[serde(rename = "Tags", default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Renamed {
    #[serde(rename = "Name")]
    name: String,
}

/// `GET /api/v1/tags`.
pub(super) async fn list(State(api): State<Api>) -> Answer {
    let tags = api.work(|api| Ok(api.catalogue.tags())).await?;
    Ok(Json(tags.into_keys().collect::<Vec<_>>()).into_response())
}

/// `PUT /api/v1/tags`: these tags and no others.
pub(super) async fn set(State(api): State<Api>, body: Bytes) -> Answer {
    let SetTags { ids, tags } = json_of(&body)?;
    let tags = tags.unwrap_or_default();
    let wanted = tags.iter().map(|tag| keyword(tag)).collect::<Result<Vec<_>, _>>()?;
    let Some(ids) = numbers(ids)? else { return Err(Refused::wrong("IDs: name some messages")) };
    let chosen = api.work(move |api| Ok(api.chosen(Some(&ids)))).await?;
    for entry in &chosen {
        let is_wanted =
            |tag: &&str| wanted.iter().any(|own| own.eq_ignore_ascii_case(tag.as_bytes()));
        let old = entry.tags().into_iter().filter(|tag| !is_wanted(tag));
        let old: Vec<Vec<u8>> = old.map(|tag| tag.as_bytes().to_vec()).collect();
        if !old.is_empty() {
            let flags = Flags { system: 0, keywords: old };
            api.flag(std::slice::from_ref(entry), false, flags).await?;
        }
    }
    if !wanted.is_empty() {
        api.flag(&chosen, true, Flags { system: 0, keywords: wanted }).await?;
    }
    Ok(ok())
}

/// `PUT /api/v1/tags/{tag}`.
pub(super) async fn rename(State(api): State<Api>, Path(tag): Path<String>, body: Bytes) -> Answer {
    let (old, Renamed { name }) = (keyword(&tag)?, json_of(&body)?);
    let new = keyword(&name)?;
    let chosen = api.work(move |api| Ok(api.tagged(&tag))).await?;
    if !new.eq_ignore_ascii_case(&old) {
        api.flag(&chosen, true, Flags { system: 0, keywords: vec![new] }).await?;
        api.flag(&chosen, false, Flags { system: 0, keywords: vec![old] }).await?;
    }
    Ok(ok())
}

/// `DELETE /api/v1/tags/{tag}`: the tag; the messages stay.
pub(super) async fn delete(State(api): State<Api>, Path(tag): Path<String>) -> Answer {
    let old = keyword(&tag)?;
    let chosen = api.work(move |api| Ok(api.tagged(&tag))).await?;
    api.flag(&chosen, false, Flags { system: 0, keywords: vec![old] }).await?;
    Ok(ok())
}

impl Api {
    fn tagged(&self, tag: &str) -> Vec<std::sync::Arc<super::catalogue::Entry>> {
        let has = |entry: &super::catalogue::Entry| {
            entry.tags().into_iter().any(|own| own.eq_ignore_ascii_case(tag))
        };
        self.catalogue.filtered(has)
    }
}

/// A tag as a keyword, which is an atom (RFC 9051 §9 `flag-keyword`).
pub(super) fn keyword(tag: &str) -> Result<Vec<u8>, Refused> {
    let tag = tag.trim();
    let fine = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
    if tag.is_empty() || tag.len() > TAG_MAX || !tag.bytes().all(fine) {
        return Err(Refused::wrong(format!(
            "tag: it is a keyword of IMAP here: 1 to {TAG_MAX} letters, digits, hyphens, dots and underscores, no spaces"
        )));
    }
    Ok(tag.as_bytes().to_vec())
}
