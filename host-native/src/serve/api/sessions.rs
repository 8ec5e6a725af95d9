//! `/api/sessions`: conversations with what each octet of them is, from the journal that the playground's Live view watches, with
//! the same bounds and the same masks. They are kept from the start on, or with `--keep-sessions 0` from the first request on
//! that is a test's: sessions that note nothing are faster.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use pillarbox_engine::text::date::date_time;
use pillarbox_world::tape::export::{Connection, Packets};
use pillarbox_world::world::End;
use serde_json::{Value, json};

use super::{Answer, Api, Refused, asked, number};
use crate::live::{Journal, Told};
use crate::serve::shown;

/// Conversations of a list where nothing else is asked for.
const LIMIT: usize = 50;
/// Conversations of a list at most; the journal has no more events.
const LIMIT_MAX: usize = 4096;
/// What stands in front of a message's number where SMTP takes it.
const TAKEN: &str = "Message accepted for delivery as ";

/// One conversation.
struct Conversation {
    id: String,
    /// With whom it is; none if its beginning is gone from the journal.
    about: Option<Value>,
    opened_ms: Option<u64>,
    closed_ms: Option<u64>,
    /// Whether it said more than is kept of one.
    is_full: bool,
    events: Vec<Value>,
}

impl Conversation {
    fn new(id: String) -> Self {
        let (opened_ms, closed_ms) = (None, None);
        Self { id, about: None, opened_ms, closed_ms, is_full: false, events: Vec::new() }
    }

    fn add(&mut self, event: Value) {
        let at = event["at"].as_u64();
        match event["what"].as_str() {
            Some("opened") => {
                self.opened_ms = at;
                self.about = Some(event.clone());
            }
            Some("closed") => self.closed_ms = at,
            Some("full") => self.is_full = true,
            _ => {}
        }
        self.events.push(event);
    }

    fn protocol(&self) -> &str {
        self.about.as_ref().and_then(|about| about["protocol"].as_str()).unwrap_or_default()
    }

    /// What it said and heard, as lines: each with whether the client said it.
    fn lines(&self) -> Vec<(bool, String)> {
        let mut lines = Vec::new();
        let mut open = [String::new(), String::new()];
        for part in self.parts() {
            for (side, letter) in [(0, "S"), (1, "C")] {
                let Some(text) = part[letter].as_str() else { continue };
                for piece in text.split_inclusive('\n') {
                    open[side].push_str(piece);
                    if piece.ends_with('\n') {
                        lines.push((side == 1, std::mem::take(&mut open[side])));
                    }
                }
            }
        }
        let [server, client] = open;
        lines.extend(
            [(true, client), (false, server)].into_iter().filter(|(_, text)| !text.is_empty()),
        );
        lines
    }

    fn parts(&self) -> impl Iterator<Item = &Value> {
        self.events.iter().flat_map(|event| event["parts"].as_array()).flatten()
    }

    /// Numbers of the messages that it brought.
    fn messages(&self) -> Vec<u64> {
        if self.protocol() != "smtp" {
            return Vec::new();
        }
        let lines = self.lines();
        let taken = lines.iter().filter(|(is_client, text)| !is_client && text.starts_with("250"));
        taken.filter_map(|(_, text)| text.split_once(TAKEN)?.1.trim_end().parse().ok()).collect()
    }

    fn json(&self) -> Value {
        let about =
            |name: &str| self.about.as_ref().map_or(Value::Null, |about| about[name].clone());
        let messages: Vec<String> = self.messages().iter().map(u64::to_string).collect();
        json!({
            "id": self.id,
            "protocol": about("protocol"),
            "service": about("service"),
            "peer": about("peer"),
            "local": about("local"),
            "tls": about("tls"),
            "opened_unix_ms": self.opened_ms,
            "closed_unix_ms": self.closed_ms,
            "is_whole": self.about.is_some() && !self.is_full,
            "messages": messages,
        })
    }

    /// With everything that was said, and what it is.
    fn whole(&self) -> Value {
        let mut whole = self.json();
        let said = self.events.iter().filter(|event| event["what"] == "said");
        let said = said.map(|event| json!({ "at_unix_ms": event["at"], "parts": event["parts"] }));
        whole["said"] = said.collect();
        whole
    }

    /// As packets for other programs, made up around what was said: masked, and of TLS what was inside of it. Which end closed
    /// first is not known, so the server does. None if its beginning is gone, with the addresses.
    fn packets(&self) -> Option<Vec<u8>> {
        let about = self.about.as_ref()?;
        let address = |name: &str| about[name].as_str()?.parse::<SocketAddr>().ok();
        let mut packets = Packets::default();
        let mut connection = Connection::new(&mut packets, address("peer")?, address("local")?);
        connection.at(self.opened_ms?);
        connection.open();
        connection.accept();
        for event in self.events.iter().filter(|event| event["what"] == "said") {
            connection.at(event["at"].as_u64()?);
            for part in event["parts"].as_array().into_iter().flatten() {
                for (letter, end) in [("C", End::Client), ("S", End::Server)] {
                    connection.say(end, &octets(part[letter].as_str().unwrap_or_default()));
                }
            }
        }
        if let Some(closed) = self.closed_ms {
            connection.at(closed);
            connection.close(End::Server, false);
            connection.close(End::Client, false);
        }
        Some(packets.file())
    }

    /// For people: a line for each line.
    fn transcript(&self) -> String {
        let mut out = String::new();
        let opened = self.opened_ms.map_or_else(|| "its beginning is gone".to_owned(), date_time);
        out.push_str(&format!("# session {} {} {opened}\n", self.id, self.protocol()));
        for (is_client, text) in self.lines() {
            let line = octets(text.trim_end_matches(['\r', '\n']));
            let who = if is_client { 'C' } else { 'S' };
            out.push_str(&format!("{who}: {}\n", shown(&line)));
        }
        if self.is_full {
            out.push_str("# what came then is not kept\n");
        }
        out
    }
}

/// In the journal each character is the octet of its number.
fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|c| c as u8).collect()
}

/// The conversations of a journal, oldest first.
fn conversations(told: &[Arc<Told>]) -> Vec<Conversation> {
    let mut all: Vec<Conversation> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for told in told {
        let Ok(event) = serde_json::from_str::<Value>(&told.json) else { continue };
        // That nobody watched is said of no session.
        let Some(session) = event["session"].as_str().map(str::to_owned) else { continue };
        let place = *places.entry(session).or_insert_with_key(|session| {
            all.push(Conversation::new(session.clone()));
            all.len() - 1
        });
        if let Some(conversation) = all.get_mut(place) {
            conversation.add(event);
        }
    }
    all
}

/// `GET /api/sessions`: newest first.
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Answer {
    let given = asked(&uri);
    let limit = number(&given, "limit", LIMIT, LIMIT_MAX)?;
    let protocol = given.get("protocol").to_owned();
    if !["", "smtp", "pop3", "imap"].contains(&&protocol[..]) {
        return Err(Refused::wrong("protocol: expected smtp, pop3 or imap"));
    }
    let since = api.journal()?.keep();
    let all = api.conversations().await?;
    let wanted = |one: &&Conversation| protocol.is_empty() || one.protocol() == protocol;
    let shown = all.iter().rev().filter(wanted).take(limit).map(Conversation::json);
    let shown: Vec<Value> = shown.collect();
    Ok(Json(json!({ "kept_since_unix_ms": since, "sessions": shown })).into_response())
}

/// `GET /api/sessions/{id}`, and with `.pcapng` behind it its packets.
pub(super) async fn show(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    if let Some(id) = id.strip_suffix(".pcapng") {
        return capture(State(api), Path(id.to_owned())).await;
    }
    Ok(Json(api.conversation(&id).await?.whole()).into_response())
}

/// `GET /api/sessions/{id}/log`: its events as the stream told them, one line of JSON each.
pub(super) async fn log(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    let conversation = api.conversation(&id).await?;
    let text: String = conversation.events.iter().map(|event| format!("{event}\n")).collect();
    Ok(handed("application/x-ndjson", text))
}

/// `GET /api/sessions/{id}/transcript.txt`.
pub(super) async fn transcript(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    Ok(handed("text/plain; charset=utf-8", api.conversation(&id).await?.transcript()))
}

/// `GET /api/sessions/{id}/capture.pcapng`.
pub(super) async fn capture(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    let file = api.conversation(&id).await?.packets().ok_or_else(|| {
        let what = "the beginning of this session is no longer kept, nor where it came from; --keep-sessions keeps more";
        Refused(StatusCode::GONE, what.to_owned())
    })?;
    Ok(handed("application/x-pcapng", file))
}

/// What peers said is handed out as text, and a browser makes nothing else of it.
fn handed(kind: &'static str, text: impl IntoResponse) -> Response {
    let fields = [(header::CONTENT_TYPE, kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (fields, text).into_response()
}

impl Api {
    /// The journal, which is for programs of this machine.
    fn journal(&self) -> Result<&Arc<Journal>, Refused> {
        let journal = self.shared.journal.as_ref().filter(|_| self.is_local);
        journal.ok_or_else(|| {
            let what =
                "conversations are shown on a loopback address alone; serve HTTP on one".to_owned();
            Refused(StatusCode::FORBIDDEN, what)
        })
    }

    /// A test is at work: from now on it may ask for what was said.
    pub(super) fn keep_sessions(&self) {
        if let Ok(journal) = self.journal() {
            journal.keep();
        }
    }

    async fn conversations(&self) -> Result<Vec<Conversation>, Refused> {
        let told = self.journal()?.kept();
        self.work(move |_| Ok(conversations(&told))).await
    }

    async fn conversation(&self, id: &str) -> Result<Conversation, Refused> {
        let found = self.conversations().await?.into_iter().find(|one| one.id == id);
        found.ok_or_else(|| {
            let what = format!(
                "there is no session {}; GET /api/sessions lists those that are kept",
                shown(id.as_bytes())
            );
            Refused(StatusCode::NOT_FOUND, what)
        })
    }

    /// The conversation that brought a message; none else does.
    pub(super) async fn brought(&self, id: &str, is_whole: bool) -> Answer {
        let (entry, ()) = self.with(id.to_owned(), |_, _| Ok(())).await?;
        let all = self.conversations().await?;
        let found = all.iter().rev().find(|one| one.messages().contains(&entry.id));
        let found = found.ok_or_else(|| {
            let what = format!(
                "the conversation that brought message {} is not kept: only the latest are, as many as --keep-sessions says, and with 0 \
                 from a test's first request on (POST /api/inboxes or /api/reset, GET /api/wait or /api/sessions)",
                entry.id
            );
            Refused(StatusCode::NOT_FOUND, what)
        })?;
        let shown = if is_whole { found.whole() } else { json!({ "session": found.id }) };
        Ok(Json(shown).into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_conversations() {
        let journal = Arc::new(Journal::default());
        journal.tell("a", "opened", json!({ "protocol": "smtp", "peer": "127.0.0.1:9" }));
        journal.tell(
            "b",
            "said",
            json!({ "parts": [{ "S": "250 Message accepted for delivery as 9\r\n" }] }),
        );
        journal.tell(
            "a",
            "said",
            json!({ "parts": [
            { "C": "MAIL \u{e9}\u{1b}\r\n250 Message accepted for delivery as 8\r\nNO" },
            { "S": "250 2.0.0 Message accep" },
            { "span": "verb", "side": "C", "from": 0, "to": 4 },
        ] }),
        );
        journal.tell(
            "a",
            "said",
            json!({ "parts": [{ "S": "ted for delivery as 7\r\n" }, { "C": "OP\r\n" }] }),
        );
        journal.tell("a", "closed", json!({ "unread": 0 }));
        let all = conversations(&journal.kept());
        assert_eq!(all.iter().map(|one| &one.id[..]).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(all[0].messages(), [7]);
        assert!(all[1].messages().is_empty(), "nobody knows of what protocol it is");
        assert_eq!(
            (&all[0].json()["is_whole"], &all[1].json()["is_whole"]),
            (&json!(true), &json!(false))
        );
        let text = all[0].transcript();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let expected = [
            r"C: MAIL \xe9\x1b",
            "C: 250 Message accepted for delivery as 8",
            "S: 250 2.0.0 Message accepted for delivery as 7",
            "C: NOOP",
        ];
        assert_eq!(lines, expected);
        assert_eq!(all[0].whole()["said"].as_array().map(Vec::len), Some(2));
        assert!(all[0].packets().is_none(), "nobody knows where it came in");
    }

    #[test]
    fn a_conversation_becomes_packets() {
        let has = |file: &[u8], part: &[u8]| file.windows(part.len()).any(|found| found == part);
        for (peer, local, starts) in
            [("192.0.2.1:9", "192.0.2.2:25", 0x45), ("192.0.2.1:9", "[2001:db8::2]:25", 0x60)]
        {
            let journal = Journal::default();
            journal.tell("a", "opened", json!({ "peer": peer, "local": local }));
            journal.tell("a", "said", json!({ "parts": [{ "S": "220 \u{e9}\r\n" }] }));
            journal.tell("a", "closed", json!({}));
            let file = conversations(&journal.kept())[0].packets().expect("it is whole");
            assert!(has(&file, b"220 \xe9\r\n"));
            // Section, interface, three packets of the beginning, one of data, two of the end.
            let (mut at, mut kinds) = (0, Vec::new());
            while at < file.len() {
                let number = |at: usize| {
                    u32::from_le_bytes(file[at..at + 4].try_into().expect("four octets"))
                };
                kinds.push(number(at));
                if number(at) == 6 {
                    assert_eq!(file[at + 28], starts);
                }
                at += number(at + 4) as usize;
            }
            assert_eq!(kinds, [0x0a0d_0d0a, 1, 6, 6, 6, 6, 6, 6]);
        }
    }
}
