//! How far long work has gone, on a terminal: a large message, or the visits of a probe.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Messages below this are gone before anybody reads a number.
const SHOWN_FROM: u64 = 1 << 20;
/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(100);

/// A line that is written over and over, on standard error.
pub(crate) struct Progress {
    last: Mutex<Option<Instant>>,
}

impl Progress {
    /// A line for a message of this size, if it is worth one.
    pub(crate) fn new(size: u64) -> Option<Self> {
        (size >= SHOWN_FROM).then(|| Self { last: Mutex::new(None) })
    }

    /// So many octets of `size` were taken by the connection.
    pub(crate) fn at(&self, done: u64, size: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if done < size && last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        *last = Some(Instant::now());
        let end = if done < size { "" } else { "\n" };
        let percent = done.saturating_mul(100) / size.max(1);
        let mut out = std::io::stderr().lock();
        // A terminal that is gone is no reason to stop.
        drop(write!(out, "\r{:>9} of {} ({percent} %){end}", mebi(done), mebi(size)));
        drop(out.flush());
    }
}

fn mebi(octets: u64) -> String {
    let tenths = octets.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// Says which of some visits is made; the line goes away with the last of them.
pub(crate) struct Visits {
    all: usize,
    made: usize,
    shows: bool,
}

impl Visits {
    /// Nothing is shown beside a trace, nor where standard error is no terminal.
    pub(crate) fn new(all: usize, is_traced: bool) -> Self {
        Self { all, made: 0, shows: !is_traced && std::io::stderr().is_terminal() }
    }

    /// The next one begins.
    pub(crate) fn next(&mut self) {
        self.made += 1;
        self.write(&format!("connection {} of {} ...", self.made, self.all));
    }

    fn write(&self, text: &str) {
        if self.shows {
            let mut out = std::io::stderr().lock();
            // To the beginning of the line, which is emptied first (ECMA-48: EL).
            drop(write!(out, "\r\x1b[K{text}"));
            drop(out.flush());
        }
    }
}

impl Drop for Visits {
    fn drop(&mut self) {
        self.write("");
    }
}
