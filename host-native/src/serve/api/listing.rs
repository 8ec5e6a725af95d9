//! Lists of messages, whole or searched, and what is done with many at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;
use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{Flags, StoreMode};
use pillarbox_engine::types::{BlobId, Reason};
use pillarbox_world::store::{Expunge, SetFlags, Write};
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalogue::{Entry, SEEN, places};
use super::query::Query;
use super::{Answer, Api, Refused, asked, json_of, number, ok};

/// Messages of a page where nothing else is asked for, as in Mailpit.
const LIMIT: usize = 50;
/// Messages of one page.
const LIMIT_MAX: usize = 10_000;

/// Which messages, as Mailpit's clients say it.
#[derive(Deserialize)]
struct Chosen {
    /// Nothing: all of them.
    #[serde(rename = "IDs", default)]
    ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct SetRead {
    #[serde(rename = "Read", default)]
    read: bool,
    #[serde(rename = "IDs", default)]
    ids: Option<Vec<String>>,
    #[serde(rename = "Search", default)]
    search: Option<String>,
}

/// `GET /api/v1/messages`.
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Answer {
    let given = asked(&uri);
    let start = number(&given, "start", 0, usize::MAX)?;
    let limit = number(&given, "limit", LIMIT, LIMIT_MAX)?;
    api.work(move |api| {
        let totals = api.catalogue.totals();
        let page = api.catalogue.page(start, limit);
        Ok(shown(api, &page, start, (totals.all, totals.unread)))
    })
    .await
    .map(|page| Json(page).into_response())
}

/// `GET /api/v1/search`.
pub(super) async fn search(State(api): State<Api>, uri: Uri) -> Answer {
    let given = asked(&uri);
    let query = query_of(given.get("query"), given.get("tz"))?;
    let start = number(&given, "start", 0, usize::MAX)?;
    let limit = number(&given, "limit", LIMIT, LIMIT_MAX)?;
    api.work(move |api| {
        let found = api.found(&query)?;
        let unread = found.iter().filter(|entry| !entry.is_read()).count();
        let from = start.min(found.len());
        let page = &found[from..from.saturating_add(limit).min(found.len())];
        Ok(shown(api, page, start, (found.len(), unread)))
    })
    .await
    .map(|page| Json(page).into_response())
}

/// `PUT /api/v1/messages`: read or unread, for everybody who has them.
pub(super) async fn set_read(State(api): State<Api>, uri: Uri, body: Bytes) -> Answer {
    let SetRead { read, ids, search } = json_of(&body)?;
    let query = search.filter(|search| !search.trim().is_empty());
    let query = query.map(|search| query_of(&search, asked(&uri).get("tz"))).transpose()?;
    let ids = numbers(ids)?;
    if ids.is_some() && query.is_some() {
        return Err(Refused::wrong("IDs, Search: give one of them"));
    }
    let chosen = api
        .work(move |api| match query {
            Some(query) => api.found(&query),
            None => Ok(api.chosen(ids.as_ref())),
        })
        .await?;
    api.flag(&chosen, read, Flags { system: SEEN, keywords: Vec::new() }).await?;
    Ok(ok())
}

/// `DELETE /api/v1/messages`.
pub(super) async fn delete(State(api): State<Api>, body: Bytes) -> Answer {
    let Chosen { ids } = json_of(&body)?;
    let ids = numbers(ids)?;
    let chosen = api.work(move |api| Ok(api.chosen(ids.as_ref()))).await?;
    api.expunge(&chosen).await?;
    Ok(ok())
}

/// `DELETE /api/v1/search`.
pub(super) async fn delete_found(State(api): State<Api>, uri: Uri) -> Answer {
    let given = asked(&uri);
    let query = query_of(given.get("query"), given.get("tz"))?;
    let found = api.work(move |api| api.found(&query)).await?;
    api.expunge(&found).await?;
    Ok(ok())
}

impl Api {
    /// What a search finds, newest first.
    pub(super) fn found(&self, query: &Query) -> Result<Vec<Arc<Entry>>, Refused> {
        let mut found = self.catalogue.filtered(|entry| query.holds(entry));
        if query.has_words() {
            let (store, mut failed) = (self.store().reads(), None);
            found.retain(|entry| match self.texts.of(store, entry) {
                Ok(text) => query.fits(&text),
                // It went meanwhile.
                Err(Reason::NotFound) => false,
                Err(reason) => {
                    failed = Some(reason);
                    false
                }
            });
            if let Some(reason) = failed {
                return Err(reason.into());
            }
        }
        Ok(found)
    }

    /// These messages, as far as they are there; nothing named: all.
    pub(super) fn chosen(&self, ids: Option<&BTreeSet<BlobId>>) -> Vec<Arc<Entry>> {
        match ids {
            Some(ids) => ids.iter().filter_map(|id| self.catalogue.message(*id)).collect(),
            None => self.catalogue.filtered(|_| true),
        }
    }

    /// Adds or removes flags wherever these messages lie.
    pub(super) async fn flag(
        &self,
        entries: &[Arc<Entry>],
        add: bool,
        flags: Flags,
    ) -> Result<(), Refused> {
        let mode = if add { StoreMode::Add } else { StoreMode::Remove };
        for (mailbox, uids) in places(entries) {
            let flags = flags.clone();
            let unchanged_since = None;
            let change = SetFlags { mailbox, uids, mode, flags, unchanged_since, may: Rights::ALL };
            self.write(Write::SetFlags(change)).await?;
        }
        Ok(())
    }

    /// Removes messages from wherever they lie.
    pub(super) async fn expunge(&self, entries: &[Arc<Entry>]) -> Result<(), Refused> {
        for (mailbox, uids) in places(entries) {
            self.write(Write::Expunge(Expunge { mailbox, uids, deleted_only: false })).await?;
        }
        Ok(())
    }
}

/// A search that is asked for and not empty: who forgets it must not delete everything.
fn query_of(text: &str, zone: &str) -> Result<Query, Refused> {
    let query = Query::read(text, zone).map_err(Refused::wrong)?;
    match query.is_empty() {
        true => Err(Refused::wrong("query: say what to look for")),
        false => Ok(query),
    }
}

/// Messages by the numbers that lists give them; none named is the same as nothing.
pub(super) fn numbers(ids: Option<Vec<String>>) -> Result<Option<BTreeSet<BlobId>>, Refused> {
    let Some(ids) = ids.filter(|ids| !ids.is_empty()) else { return Ok(None) };
    let all: Result<_, _> = ids.iter().map(|id| number_of(id)).collect();
    all.map(Some)
}

/// The number of a message, as lists write it.
pub(super) fn number_of(id: &str) -> Result<BlobId, Refused> {
    let number = id.parse::<BlobId>().ok().filter(|number| number.to_string() == id);
    number.ok_or_else(|| Refused::wrong("id: it is none that a list gives to a message"))
}

fn shown(api: &Api, page: &[Arc<Entry>], start: usize, (count, unread): (usize, usize)) -> Value {
    let totals = api.catalogue.totals();
    let messages: Vec<Value> = page.iter().map(|entry| entry.json()).collect();
    json!({
        "total": totals.all,
        "unread": totals.unread,
        "count": messages.len(),
        "messages_count": count,
        "messages_unread": unread,
        "start": start,
        "tags": api.catalogue.tags().keys().collect::<Vec<_>>(),
        "messages": messages,
    })
}
