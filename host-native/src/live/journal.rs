//! The journal: the latest of what was told, numbered, so that a watcher who was away can go on from where it stopped.
//! It is bounded; who is too slow misses the oldest, and is told so.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::watch;

/// Octets of events, as JSON, that are kept where nothing else is asked for.
pub(crate) const OCTETS_MAX: usize = 8 * 1024 * 1024;
/// There is at most one event for so many of them.
const OCTETS_PER_EVENT: usize = 2048;
/// Events that a watcher takes at once.
const BATCH_MAX: usize = 64;
/// For so long after the last watcher left, sessions still tell: one that reloads its page misses nothing.
const LINGER: Duration = Duration::from_secs(30);

/// The latest of what was told.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Octets of events that are kept.
    octets_max: usize,
    ring: Mutex<Ring>,
    /// The number of the event that was told last.
    news: watch::Sender<u64>,
    watchers: AtomicUsize,
    left: Mutex<Option<Instant>>,
    /// Whether a session began that tells nobody, since the last watcher came.
    unseen: AtomicBool,
    /// Since when all sessions tell, whether somebody watches or not, in milliseconds since 1970 UTC; 0: they do not.
    kept_since: AtomicU64,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<Told>>,
    octets: usize,
    last: u64,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its number, from 1.
    pub(crate) id: u64,
    /// What it says, as one line of JSON.
    pub(crate) json: String,
}

/// Somebody who watches, until it is dropped.
pub(crate) struct Watcher {
    journal: Arc<Journal>,
    news: watch::Receiver<u64>,
    last: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self::new(OCTETS_MAX)
    }
}

impl Journal {
    /// One that keeps so many octets, and an event for each 2 KiB of them.
    pub(crate) fn new(octets_max: usize) -> Self {
        Self {
            octets_max,
            ring: Mutex::default(),
            news: watch::Sender::new(0),
            watchers: AtomicUsize::new(0),
            left: Mutex::new(None),
            unseen: AtomicBool::new(false),
            kept_since: AtomicU64::new(0),
        }
    }

    /// A session begins: whether it has somebody to tell. If not, whoever comes back learns that there was one.
    pub(crate) fn has_begun(&self) -> bool {
        let is_watched = self.is_watched();
        if !is_watched {
            self.unseen.store(true, Ordering::Relaxed);
        }
        is_watched
    }

    /// From now on every session that begins tells what is said. Says since when, in milliseconds since 1970 UTC.
    pub(crate) fn keep(&self) -> u64 {
        let now = wall_ms();
        let before = self.kept_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        before.err().unwrap_or(now)
    }

    /// All that is still there, oldest first.
    pub(crate) fn kept(&self) -> Vec<Arc<Told>> {
        lock(&self.ring).events.iter().cloned().collect()
    }

    fn is_watched(&self) -> bool {
        if self.kept_since.load(Ordering::Relaxed) > 0 {
            return true;
        }
        let left = *lock(&self.left);
        self.watchers.load(Ordering::Relaxed) > 0 || left.is_some_and(|at| at.elapsed() < LINGER)
    }

    /// Tells an event of a session.
    pub(crate) fn tell(&self, session: &str, what: &'static str, mut event: Value) {
        event["session"] = json!(session);
        self.put(what, event);
    }

    fn put(&self, what: &'static str, mut event: Value) {
        let at = wall_ms();
        let mut ring = lock(&self.ring);
        ring.last += 1;
        let id = ring.last;
        event["id"] = json!(id);
        event["at"] = json!(at);
        event["what"] = json!(what);
        let json = event.to_string();
        ring.octets += json.len();
        ring.events.push_back(Arc::new(Told { id, json }));
        let events_max = self.octets_max / OCTETS_PER_EVENT;
        while ring.events.len() > events_max || ring.octets > self.octets_max {
            let Some(oldest) = ring.events.pop_front() else { break };
            ring.octets -= oldest.json.len();
        }
        drop(ring);
        self.news.send_replace(id);
    }

    /// Somebody watches what is told after this event; none: after all that was told already.
    pub(crate) fn watch(self: &Arc<Self>, after: Option<u64>) -> Watcher {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        if self.unseen.swap(false, Ordering::Relaxed) {
            self.put("unseen", json!({}));
        }
        let last = lock(&self.ring).last;
        // A number that was never given comes from another run of this server.
        let last = after.filter(|after| *after <= last).unwrap_or(last);
        Watcher { journal: Arc::clone(self), news: self.news.subscribe(), last }
    }
}

impl Watcher {
    /// What was told since the last call, once there is something; and whether some of it is lost.
    pub(crate) async fn next(&mut self) -> (Vec<Arc<Told>>, bool) {
        let last = self.last;
        // The sender lives as long as the journal that is held here.
        drop(self.news.wait_for(|news| *news > last).await);
        let ring = lock(&self.journal.ring);
        let from = ring.events.partition_point(|told| told.id <= last);
        let events: Vec<_> = ring.events.range(from..).take(BATCH_MAX).cloned().collect();
        let missed = events.first().is_some_and(|first| first.id > last + 1);
        drop(ring);
        if let Some(newest) = events.last() {
            self.last = newest.id;
        }
        (events, missed)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        *lock(&self.journal.left) = Some(Instant::now());
        self.journal.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn wall_ms() -> u64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
}

/// What is behind these locks is whole between any two lines, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_goes_on_where_it_stopped_and_learns_what_it_missed() {
        let journal = Arc::new(Journal::default());
        assert!(!journal.is_watched());
        journal.tell("1", "opened", json!({}));
        let mut watcher = journal.watch(None);
        assert!(journal.is_watched());
        journal.tell("1", "closed", json!({ "cut": false }));
        let (events, missed) = watcher.next().await;
        assert_eq!((events.len(), events[0].id, missed), (1, 2, false));
        assert!(events[0].json.contains(r#""what":"closed""#), "{}", events[0].json);
        drop(watcher);
        assert!(journal.is_watched(), "who reloads the page is waited for");
        for _ in 0..OCTETS_MAX / OCTETS_PER_EVENT + 10 {
            journal.tell("2", "said", json!({}));
        }
        let mut again = journal.watch(Some(2));
        let (events, missed) = again.next().await;
        assert_eq!((events.len(), missed), (BATCH_MAX, true));
        let (next, missed) = again.next().await;
        assert_eq!((next[0].id, missed), (events[BATCH_MAX - 1].id + 1, false));
    }

    #[tokio::test]
    async fn who_comes_back_learns_that_sessions_began_meanwhile() {
        let journal = Arc::new(Journal::default());
        assert!(!journal.has_begun());
        journal.tell("1", "opened", json!({}));
        let mut first = journal.watch(None);
        assert!(journal.has_begun());
        journal.tell("2", "opened", json!({}));
        let (events, _) = first.next().await;
        assert!(events.iter().all(|told| !told.json.contains("unseen")), "it is new here");
        let last = events[0].id;
        drop(first);
        *lock(&journal.left) = None;
        assert!(!journal.has_begun(), "nobody watches any more");
        let mut again = journal.watch(Some(last));
        let (events, missed) = again.next().await;
        assert_eq!((events.len(), missed), (1, false));
        assert!(events[0].json.contains(r#""what":"unseen""#), "{}", events[0].json);
        assert!(journal.has_begun());
        assert!(journal.watch(Some(last + 1)).last == last + 1, "it is told once");
    }

    #[test]
    fn once_asked_it_is_told_without_a_watcher() {
        let journal = Arc::new(Journal::default());
        assert!(!journal.has_begun());
        let since = journal.keep();
        assert!(since > 0 && journal.has_begun());
        assert_eq!(journal.keep(), since, "it goes on");
        journal.tell("1", "opened", json!({}));
        journal.tell("1", "closed", json!({}));
        let ids: Vec<u64> = journal.kept().iter().map(|told| told.id).collect();
        assert_eq!(ids, [1, 2]);
    }

    #[test]
    fn a_journal_is_bounded_by_octets_too() {
        let journal = Journal::default();
        let large = "x".repeat(100_000);
        for _ in 0..200 {
            journal.tell("1", "said", json!({ "C": large }));
        }
        let ring = lock(&journal.ring);
        assert!(ring.octets <= OCTETS_MAX && ring.events.len() < 100, "{}", ring.octets);
        drop(ring);
        let small = Journal::new(3 * OCTETS_PER_EVENT);
        (0..9).for_each(|_| small.tell("1", "said", json!({})));
        let ids: Vec<u64> = small.kept().iter().map(|told| told.id).collect();
        assert_eq!(ids, [7, 8, 9], "the oldest go first");
    }
}
