//! How far a long run has come: a line that is written over and over for people, or JSON lines for programs.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

/// How often people are told.
const EVERY: Duration = Duration::from_millis(100);
/// How often programs are told.
const EVERY_JSON: Duration = Duration::from_secs(1);

/// Messages that are done in all runs of this process: who is interrupted can ask nobody else.
static SETTLED: AtomicU64 = AtomicU64::new(0);

/// Messages that this process is done with.
pub(crate) fn settled() -> u64 {
    SETTLED.load(Ordering::Relaxed)
}

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// Nobody, until the end.
    Nothing,
    /// Who looks at the terminal.
    Line,
    /// Who reads standard output.
    Json,
}

impl Shows {
    /// By the flag, and by whether somebody looks.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        match json {
            true => Self::Json,
            false if !quiet && std::io::stderr().is_terminal() => Self::Line,
            false => Self::Nothing,
        }
    }
}

/// Messages and octets so far.
pub(crate) struct Tally {
    shows: Shows,
    started: Instant,
    told: Option<Instant>,
    pub(crate) messages: u64,
    pub(crate) octets: u64,
    is_line_open: bool,
}

impl Tally {
    pub(crate) fn new(shows: Shows) -> Self {
        let (started, told) = (Instant::now(), None);
        Self { shows, started, told, messages: 0, octets: 0, is_line_open: false }
    }

    /// One message more is done.
    pub(crate) fn message(&mut self, mailbox: &str, octets: u64) {
        SETTLED.fetch_add(1, Ordering::Relaxed);
        self.messages += 1;
        self.octets += octets;
        let every = if self.shows == Shows::Json { EVERY_JSON } else { EVERY };
        if self.shows == Shows::Nothing || self.told.is_some_and(|told| told.elapsed() < every) {
            return;
        }
        self.told = Some(Instant::now());
        let (messages, octets) = (self.messages, self.octets);
        if self.shows == Shows::Json {
            println!(
                "{}",
                json!({ "event": "progress", "mailbox": mailbox, "messages": messages, "octets": octets })
            );
            return;
        }
        let rate = messages as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let mut out = std::io::stderr().lock();
        // A terminal that is gone is no reason to stop.
        drop(write!(out, "\r\x1b[K{messages} messages, {}, {rate:.0}/s: {mailbox}", mebi(octets)));
        drop(out.flush());
        self.is_line_open = true;
    }

    /// Takes the line away, so that something else can be written.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_line_open) {
            let mut out = std::io::stderr().lock();
            drop(write!(out, "\r\x1b[K"));
            drop(out.flush());
        }
    }

    /// Seconds since the beginning.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Octets for people.
pub(crate) fn mebi(octets: u64) -> String {
    let tenths = octets.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
