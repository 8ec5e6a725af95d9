//! One session's tap: octets once the session has noted what they are, with secrets masked, and the notes themselves.
//! What a session never noted leaves as a number, since nobody can say whether it held a secret.

use std::sync::Arc;

use pillarbox_engine::trace::{Note, Rule, Side, Span};
use pillarbox_engine::types::TlsFacts;
use serde_json::{Value, json};

use super::Journal;

/// Octets of one session that are told; what comes after them is not.
const TOLD_MAX: usize = 256 * 1024;
/// Stands for each octet that nobody may see.
const MASK: u8 = b'*';

/// A session's tap.
pub(crate) struct Tap {
    journal: Arc<Journal>,
    session: String,
    client: Direction,
    server: Direction,
    /// What is told with the next event.
    parts: Vec<Value>,
    told: usize,
    is_full: bool,
}

/// One direction's octets that were not told yet.
#[derive(Default)]
struct Direction {
    octets: Vec<u8>,
    /// Offset of the first of `octets` in the connection.
    base: u64,
    /// How far the session has noted.
    noted: u64,
    /// Ranges that must be masked.
    secrets: Vec<(u64, u64)>,
}

impl Tap {
    /// A server's session begins; `about` says with whom.
    pub(crate) fn open(journal: &Arc<Journal>, session: String, about: Value) -> Self {
        journal.tell(&session, "opened", about);
        Self {
            journal: Arc::clone(journal),
            session,
            client: Direction::default(),
            server: Direction::default(),
            parts: Vec::new(),
            told: 0,
            is_full: false,
        }
    }

    pub(crate) fn received(&mut self, octets: &[u8]) {
        if !self.is_full {
            self.client.octets.extend_from_slice(octets);
        }
    }

    pub(crate) fn sent(&mut self, octets: &[u8]) {
        if !self.is_full {
            self.server.octets.extend_from_slice(octets);
        }
    }

    /// TLS began; the last `dropped` octets that came before it were given to nobody.
    pub(crate) fn secured(&mut self, facts: &TlsFacts, dropped: usize) {
        let client = &mut self.client;
        client.octets.truncate(client.octets.len().saturating_sub(dropped));
        // What the session took and never noted is gone unread; its place is kept, so that offsets stay right.
        let unread = client.base + client.octets.len() as u64;
        client.secrets.push((client.noted.max(client.base), unread));
        client.noted = client.noted.max(unread);
        self.flush();
        self.part(json!({ "secured": String::from_utf8_lossy(&facts.version) }));
    }

    pub(crate) fn asked(&mut self, name: &str) {
        self.part(json!({ "ask": name.to_lowercase() }));
    }

    pub(crate) fn fault(&mut self, rule: &str) {
        self.part(json!({ "fault": rule }));
    }

    pub(crate) fn note(&mut self, note: &Note) {
        let part = match note {
            Note::Span(span) => {
                let direction = match span.side {
                    Side::Received => &mut self.client,
                    Side::Sent => &mut self.server,
                };
                direction.noted = direction.noted.max(span.end);
                if span.secret {
                    direction.secrets.push((span.start, span.end));
                }
                span_part(span)
            }
            Note::State { from, to } => json!({ "state": to, "was": from }),
            Note::Defect(rule) => with_rule(json!({ "defect": true }), rule),
        };
        self.part(part);
    }

    fn part(&mut self, part: Value) {
        if !self.is_full {
            self.parts.push(part);
        }
    }

    /// Tells what is known by now.
    pub(crate) fn flush(&mut self) {
        if self.is_full {
            return;
        }
        let (client, server) = (self.client.take(), self.server.take());
        self.told += client.len() + server.len();
        if self.told > TOLD_MAX {
            self.is_full = true;
            self.parts = Vec::new();
            (self.client, self.server) = (Direction::default(), Direction::default());
            self.journal.tell(&self.session, "full", json!({ "octets_max": TOLD_MAX }));
            return;
        }
        let mut parts = Vec::new();
        for (letter, octets) in [("C", client), ("S", server)] {
            if !octets.is_empty() {
                parts.push(json!({ letter: text(&octets) }));
            }
        }
        parts.append(&mut self.parts);
        if !parts.is_empty() {
            self.journal.tell(&self.session, "said", json!({ "parts": parts }));
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.flush();
        let unread = self.client.octets.len() + self.server.octets.len();
        self.journal.tell(&self.session, "closed", json!({ "unread": unread }));
    }
}

impl Direction {
    /// What has been noted and not been told, masked.
    fn take(&mut self) -> Vec<u8> {
        let known = usize::try_from(self.noted.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let mut octets: Vec<u8> = self.octets.drain(..known.min(self.octets.len())).collect();
        let (from, to) = (self.base, self.base + octets.len() as u64);
        for (start, end) in &self.secrets {
            for at in (*start).max(from)..(*end).min(to) {
                if let Some(octet) =
                    usize::try_from(at - from).ok().and_then(|at| octets.get_mut(at))
                {
                    *octet = MASK;
                }
            }
        }
        self.secrets.retain(|(_, end)| *end > to);
        self.base = to;
        octets
    }
}

/// Each octet as the character of its number: ASCII stays readable, and nothing is lost.
fn text(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}

fn span_part(span: &Span) -> Value {
    let side = if span.side == Side::Received { "C" } else { "S" };
    let mut part = json!({ "span": span.label, "side": side, "from": span.start, "to": span.end });
    if span.secret {
        part["secret"] = json!(true);
    }
    match span.why {
        Some(rule) => with_rule(part, rule),
        None => part,
    }
}

fn with_rule(mut part: Value, rule: &Rule) -> Value {
    part["rfc"] = json!(rule.rfc);
    part["section"] = json!(rule.section);
    part["gist"] = json!(rule.gist);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(side: Side, start: u64, end: u64, label: &'static str, secret: bool) -> Note {
        Note::Span(Span { side, start, end, label, secret, why: None })
    }

    async fn told(journal: &Arc<Journal>) -> String {
        let (events, _) = journal.watch(Some(0)).next().await;
        events.iter().map(|told| format!("{}\n", told.json)).collect()
    }

    #[tokio::test]
    async fn octets_are_told_once_they_are_noted_and_secrets_never() {
        let journal = Arc::new(Journal::default());
        let mut tap = Tap::open(&journal, "1".to_owned(), json!({ "protocol": "pop3" }));
        tap.received(b"PASS hung");
        tap.flush();
        tap.received(b"ry\r\nNO");
        tap.note(&span(Side::Received, 0, 5, "verb", false));
        tap.note(&span(Side::Received, 5, 11, "password", true));
        tap.note(&span(Side::Received, 11, 13, "CRLF", false));
        tap.sent("+OK \u{e9}\r\n".as_bytes());
        tap.note(&span(Side::Sent, 0, 8, "response", false));
        tap.flush();
        drop(tap);
        let told = told(&journal).await;
        assert!(told.contains(r#"{"C":"PASS ******\r\n"}"#), "{told}");
        assert!(told.contains("+OK \u{c3}\u{a9}"), "{told}");
        assert!(!told.contains("hung") && !told.contains("\"NO"), "{told}");
        assert!(told.contains(r#""unread":2"#), "{told}");
    }

    #[tokio::test]
    async fn what_is_too_much_is_not_told() {
        let journal = Arc::new(Journal::default());
        let mut tap = Tap::open(&journal, "1".to_owned(), json!({}));
        let piece = [b'x'; 16 * 1024];
        for at in 0..64_u64 {
            tap.received(&piece);
            let (start, end) = (at * 16 * 1024, (at + 1) * 16 * 1024);
            tap.note(&span(Side::Received, start, end, "text lines", false));
            tap.flush();
        }
        assert!(tap.client.octets.is_empty() && tap.parts.is_empty());
        drop(tap);
        let told = told(&journal).await;
        assert!(told.len() < TOLD_MAX + 10_000, "{}", told.len());
        assert_eq!(told.matches(r#""what":"full""#).count(), 1);
    }
}
