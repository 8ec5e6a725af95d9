//! `/api/wait`: a test waits for what it sent, and does not sleep.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query as Asked, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use pillarbox_engine::message::Index;
use pillarbox_world::fault::parse_duration;
use pillarbox_world::service::catch::{Caught, Query};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Api, Failed, Given, Mail, shape};

/// How long is waited unless a request says so.
const WAIT: Duration = Duration::from_secs(10);
/// How long a request may ask for.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Messages that did come, and are told when the time is over.
const ARRIVED_MAX: usize = 20;

/// What is waited for; what is named must be exactly so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    to: Option<String>,
    from: Option<String>,
    subject: Option<String>,
    count: Option<usize>,
    timeout: Option<String>,
    /// Only what came after this id.
    since: Option<u64>,
}

impl Wanted {
    fn timeout(&self) -> Result<Duration, Failed> {
        let Some(text) = &self.timeout else { return Ok(WAIT) };
        let seconds = text.parse::<u64>().ok().map(|seconds| seconds.saturating_mul(1000));
        let ms = seconds.or_else(|| parse_duration(text));
        let timeout = ms.map(Duration::from_millis).filter(|timeout| *timeout <= WAIT_MAX);
        timeout.ok_or_else(|| {
            Failed::bad("timeout: expected a duration up to 5m, such as 10s or 500ms")
        })
    }

    fn is(&self, caught: &Caught, index: &Index) -> bool {
        let subject = || shape::text(index.envelope.subject.as_ref());
        let from = |wanted: &String| {
            let people = shape::people(&index.envelope.from);
            people.iter().any(|person| {
                person["Address"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(wanted))
            })
        };
        self.to.as_ref().is_none_or(|to| Query::is_to(index, caught, to))
            && self.from.as_ref().is_none_or(from)
            && self.subject.as_ref().is_none_or(|wanted| subject() == *wanted)
    }
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    /// Looked at, whether wanted or not.
    ids: BTreeSet<u64>,
    wanted: Vec<(u64, Value)>,
}

/// Looks at what is new; gives what was seen.
fn look(mail: &Mail, wanted: &Wanted, mut seen: Seen) -> Result<Seen, Failed> {
    for caught in mail.all()?.into_iter().rev() {
        if caught.id <= wanted.since.unwrap_or(0) || !seen.ids.insert(caught.id) {
            continue;
        }
        // One that is gone meanwhile did not come.
        let Ok(index) = mail.index(&caught) else { continue };
        if wanted.is(&caught, &index) {
            seen.wanted.push((caught.id, shape::item(&caught, &index)));
        }
    }
    Ok(seen)
}

/// `GET /api/wait?to=&from=&subject=&count=&timeout=&since=`: answers once so many messages are there; with `count=0` once
/// the time is over and none came.
pub(super) async fn wait(State(api): State<Api>, Asked(wanted): Asked<Wanted>) -> Given {
    let (timeout, count) = (wanted.timeout()?, wanted.count.unwrap_or(1));
    let until = Instant::now() + timeout;
    let wanted = std::sync::Arc::new(wanted);
    let mut seen = Seen::default();
    loop {
        let asked = std::sync::Arc::clone(&wanted);
        seen = api.with(move |mail, _| look(mail, &asked, seen)).await?;
        let messages = || seen.wanted.iter().map(|(_, item)| item.clone()).collect::<Vec<_>>();
        if count == 0 && !seen.wanted.is_empty() {
            let why = format!("none was to come within {timeout:?}, and this did");
            let body = json!({ "Error": why, "messages": messages() });
            return Ok((StatusCode::CONFLICT, Json(body)).into_response());
        }
        if count > 0 && seen.wanted.len() >= count {
            return Ok(
                Json(json!({ "count": seen.wanted.len(), "messages": messages() })).into_response()
            );
        }
        if Instant::now() >= until {
            break;
        }
        tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY)).await;
    }
    if count == 0 {
        return Ok(Json(json!({ "count": 0, "messages": [] })).into_response());
    }
    let since = wanted.since.unwrap_or(0);
    let arrived = api.with(move |mail, _| arrived(mail, since)).await?;
    let why = format!(
        "{} of {count} came within {timeout:?}; `arrived` is what else did, the newest first",
        seen.wanted.len()
    );
    let wanted: Vec<&Value> = seen.wanted.iter().map(|(_, item)| item).collect();
    let body = json!({ "Error": why, "messages": wanted, "arrived": arrived });
    Ok((StatusCode::REQUEST_TIMEOUT, Json(body)).into_response())
}

/// The newest messages, for whoever must find out why the right one is not among them.
fn arrived(mail: &Mail, since: u64) -> Result<Vec<Value>, Failed> {
    let all = mail.all()?;
    let newest = all.iter().filter(|caught| caught.id > since).take(ARRIVED_MAX);
    let shown = newest.filter_map(|caught| {
        let item = shape::item(caught, &mail.index(caught).ok()?);
        let accounts = caught.accounts.iter();
        let accounts: Vec<_> = accounts.map(|name| String::from_utf8_lossy(name)).collect();
        Some(json!({
            "ID": item["ID"], "From": item["From"], "To": item["To"], "Subject": item["Subject"],
            "mailboxes": accounts,
        }))
    });
    Ok(shown.collect())
}
