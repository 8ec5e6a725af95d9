//! Pillarbox's own part of the interface: an inbox for one test, waiting in place of sleeping, what tests take out of a
//! message, and a known state to begin with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use pillarbox_engine::types::BlobId;
use pillarbox_world::service::Backend;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::catalogue::{Entry, Event};
use super::contents::TEXT_MAX;
use super::{Answer, Api, Refused, asked, extract, number};
use crate::auth::entropy;

/// Characters of a new inbox's name that a test chooses.
const NAME_MAX: usize = 30;
/// How long is waited where nothing else is asked for.
const WAIT: Duration = Duration::from_secs(10);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Messages that are waited for at most.
const COUNT_MAX: usize = 1000;
/// Messages that came beside those that were waited for, of which a failing test is told.
const OTHERS_MAX: usize = 20;

/// Where each service listens.
#[derive(Clone, Debug, Serialize)]
pub(in crate::serve) struct Ports {
    pub(in crate::serve) smtp: u16,
    pub(in crate::serve) pop3: u16,
    pub(in crate::serve) imap: u16,
    pub(in crate::serve) http: u16,
}

/// Which messages are waited for; each text is compared whole, without regard to case.
#[derive(Debug, Default)]
struct Awaited {
    to: Option<String>,
    from: Option<String>,
    subject: Option<String>,
}

impl Awaited {
    fn is(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, own: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.to_lowercase() == own.to_lowercase())
        };
        let from = entry.summary.from.as_ref().map_or("", |from| &from.address);
        // Without a domain it is a name, which may be of any.
        let named = |account: &str, to: &str| match to.contains('@') {
            true => account.eq_ignore_ascii_case(to),
            false => {
                account.rsplit_once('@').is_some_and(|(name, _)| name.eq_ignore_ascii_case(to))
            }
        };
        let reached = |to: &String| entry.places.iter().any(|place| named(&place.account, to));
        self.to.as_ref().is_none_or(reached)
            && same(&self.from, from)
            && same(&self.subject, &entry.summary.subject)
    }
}

/// `POST /api/inboxes?name=`: an address that nobody has, which begins with the name, with what logs in to it.
pub(super) async fn inbox(State(api): State<Api>, uri: Uri) -> Answer {
    api.keep_sessions();
    let begins = asked(&uri).get("name").to_owned();
    let is_fine = |octet: u8| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if begins.len() > NAME_MAX || begins.starts_with('-') || !begins.bytes().all(is_fine) {
        return Err(Refused::wrong(
            "name: expected up to 30 of a-z, 0-9 and -, with no - in front",
        ));
    }
    let failed = |what: String| Refused(StatusCode::INTERNAL_SERVER_ERROR, what);
    let chance: [u8; 16] =
        entropy().map_err(|_| failed("the system gives no random octets".to_owned()))?;
    let words: String = chance.iter().map(|octet| format!("{octet:02x}")).collect();
    let (name, secret) = words.split_at(16);
    // In this profile a mailbox is there with its first mail or login; where accounts are named it becomes one of them.
    let name = if begins.is_empty() { name.to_owned() } else { format!("{begins}-{name}") };
    let secret = secret.to_owned();
    let made = api.work(move |api| {
        let made = api.shared.backend.directory().add_user(&name, &secret);
        made.map_err(|error| failed(error.message))
    });
    let (address, own) = made.await?;
    // One password may be the only right one.
    let password = own.as_deref().or(api.shared.settings.dev_password.as_deref()).unwrap_or("any");
    let shown =
        json!({ "address": address, "user": address, "password": password, "ports": api.ports });
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// `GET /api/wait`: 200 with the messages once there are `count` of them; 408 with what did come. With `count=0` it is the
/// other way round: 200 when so long nothing came, 409 with what did.
pub(super) async fn wait(State(api): State<Api>, uri: Uri) -> Answer {
    let given = asked(&uri);
    let text =
        |name: &str| Some(given.get(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let awaited = Awaited { to: text("to"), from: text("from"), subject: text("subject") };
    let count = number(&given, "count", 1, COUNT_MAX)?;
    let within = within(given.get("timeout"))?;
    let until = tokio::time::Instant::now() + within;
    api.keep_sessions();
    let awaited = Arc::new(awaited);
    // From before the list is read, so that nothing comes unseen between.
    let mut events = api.catalogue.events();
    let mut found = api.awaited(&awaited).await?;
    let mut stopping = api.shared.stopping.clone();
    loop {
        let mut is_behind = false;
        loop {
            match events.try_recv() {
                Ok(event) => note(&mut found, &awaited, event),
                Err(TryRecvError::Lagged(_)) => is_behind = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if is_behind {
            found = api.awaited(&awaited).await?;
        }
        let found_now = || found.values().rev().cloned().collect::<Vec<_>>();
        if count > 0 && found.len() >= count {
            return Ok(told(StatusCode::OK, &found_now(), None));
        }
        if count == 0 && !found.is_empty() {
            return Ok(told(
                StatusCode::CONFLICT,
                &found_now(),
                Some("this came, and nothing should"),
            ));
        }
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => note(&mut found, &awaited, event),
                Err(RecvError::Lagged(_)) => found = api.awaited(&awaited).await?,
                // The list lives as long as this.
                Err(RecvError::Closed) => {}
            },
            () = tokio::time::sleep_until(until) => {
                if count == 0 {
                    return Ok(told(StatusCode::OK, &[], None));
                }
                return api.too_late(&awaited, count, &found_now());
            }
            () = crate::serve::told_to_stop(&mut stopping) => {
                return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, "the server stops".to_owned()));
            }
        }
    }
}

/// `POST /api/reset`: no mail in any mailbox, and no faults. Accounts, mailboxes and the queue stay.
pub(super) async fn reset(State(api): State<Api>) -> Answer {
    api.keep_sessions();
    let all = api.work(|api| Ok(api.chosen(None))).await?;
    api.expunge(&all).await?;
    if let Some(faults) = &api.shared.faults {
        let mut list = faults.lock();
        let seed = list.seed();
        list.clear(seed);
    }
    Ok(Json(json!({ "removed": all.len() })).into_response())
}

/// `GET /api/messages/{id}/…`: what tests take out of a message.
pub(super) async fn extracted(
    State(api): State<Api>,
    Path((id, what)): Path<(String, String)>,
) -> Answer {
    match &what[..] {
        "raw" => super::message::raw(State(api), Path(id)).await,
        "session" => api.brought(&id, false).await,
        "annotations" => api.brought(&id, true).await,
        "links" | "codes" => {
            let (_, (text, html)) = api
                .with(id, |contents, _| Ok((contents.text(TEXT_MAX)?, contents.html()?)))
                .await?;
            let found = match &what[..] {
                "links" => extract::links(&text, html.as_deref().unwrap_or_default()),
                _ => extract::codes(&text),
            };
            Ok(Json(found).into_response())
        }
        "structure" => {
            let (_, shown) = api.with(id, |contents, _| Ok(contents.structure())).await?;
            Ok(Json(shown).into_response())
        }
        _ => {
            let known = "links, codes, structure, raw, session and annotations";
            Err(Refused(StatusCode::NOT_FOUND, format!("{what}: there are {known}")))
        }
    }
}

/// Messages that were waited for, by time.
type Found = BTreeMap<(u64, BlobId), Arc<Entry>>;

/// An event's part in what was found.
fn note(found: &mut Found, awaited: &Awaited, event: Event) {
    match event {
        Event::New(entry) | Event::Changed(entry) => {
            let key = (entry.summary.came_ms, entry.id);
            if awaited.is(&entry) {
                found.insert(key, entry);
            } else {
                found.remove(&key);
            }
        }
        Event::Gone(id) => found.retain(|(_, other), _| *other != id),
    }
}

impl Api {
    /// The messages of the whole list that are waited for.
    async fn awaited(&self, awaited: &Arc<Awaited>) -> Result<Found, Refused> {
        let awaited = Arc::clone(awaited);
        let all =
            self.work(move |api| Ok(api.catalogue.filtered(|entry| awaited.is(entry)))).await?;
        Ok(all.into_iter().map(|entry| ((entry.summary.came_ms, entry.id), entry)).collect())
    }

    /// What a failing test needs to know: which came, and which others.
    fn too_late(&self, awaited: &Awaited, count: usize, found: &[Arc<Entry>]) -> Answer {
        let others = self.catalogue.page(0, OTHERS_MAX);
        let others = others.iter().filter(|entry| !awaited.is(entry)).map(|entry| entry.json());
        let others: Vec<Value> = others.collect();
        let why = format!("{} of {count} came in time", found.len());
        let mut shown = messages(found);
        shown["error"] = json!(why);
        shown["others"] = Value::Array(others);
        Ok((StatusCode::REQUEST_TIMEOUT, Json(shown)).into_response())
    }
}

fn messages(found: &[Arc<Entry>]) -> Value {
    json!({ "messages": found.iter().map(|entry| entry.json()).collect::<Vec<_>>() })
}

fn told(status: StatusCode, found: &[Arc<Entry>], error: Option<&str>) -> Response {
    let mut shown = messages(found);
    if let Some(error) = error {
        shown["error"] = json!(error);
    }
    (status, Json(shown)).into_response()
}

/// `10`, `10s` or `500ms`.
fn within(text: &str) -> Result<Duration, Refused> {
    if text.is_empty() {
        return Ok(WAIT);
    }
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.trim_end_matches('s'), 1000),
    };
    let wait = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let wait = wait.map(Duration::from_millis).filter(|wait| *wait <= WAIT_MAX);
    wait.ok_or_else(|| {
        let most = WAIT_MAX.as_secs();
        Refused::wrong(format!("timeout: expected seconds, or such as 500ms; at most {most}s"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_texts_are_compared() {
        let place = |account: &str| super::super::catalogue::Place {
            mailbox: 1,
            uid: 1,
            account: account.into(),
            seen: false,
            keywords: Vec::new(),
        };
        let party =
            super::super::summary::Party { name: String::new(), address: "A@x.test".into() };
        let summary = super::super::summary::Summary {
            from: Some(party),
            subject: "Reset".into(),
            ..Default::default()
        };
        let entry = Entry { id: 1, summary: summary.into(), places: vec![place("ba@x.test")] };
        let is = |to: &str, from: &str, subject: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            Awaited { to: some(to), from: some(from), subject: some(subject) }.is(&entry)
        };
        assert!(is("", "", "") && is("BA@x.test", "a@x.test", "reset") && is("ba", "", ""));
        for (to, from, subject) in [
            ("a@x.test", "", ""),
            ("a", "", ""),
            ("x.test", "", ""),
            ("", "x.test", ""),
            ("", "", "Res"),
        ] {
            assert!(!is(to, from, subject), "{to} {from} {subject}");
        }
    }

    #[test]
    fn times_are_read() {
        assert_eq!(within("").expect("the default"), WAIT);
        assert_eq!(within("500ms").expect("right"), Duration::from_millis(500));
        assert_eq!(within("3").expect("right"), within("3s").expect("right"));
        for wrong in ["301", "-1", "s", "1h", "99999999999999999999", "18446744073709551615"] {
            assert!(within(wrong).is_err(), "{wrong}");
        }
    }
}
