//! Hosts that were not reached are left alone, whichever destination's mail they would get. Once the time of one is over,
//! one attempt finds out whether it is back, while the others leave it alone for a moment longer: a provider that is down
//! costs one try at a time, and not one for each of the domains that it serves. For how long is the engine's to say.
//! Nothing of it outlives the process: after a start each host is tried once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_engine::smtp::client::types::Failure;

/// Hosts that are remembered. One that is forgotten too early is tried too early, and nothing worse.
const HOSTS_MAX: usize = 4096;

/// A host: its name and the port.
type Key = (String, u16);

/// Hosts that are left alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resting(Arc<Mutex<Hosts>>);

#[derive(Debug, Default)]
struct Hosts {
    all: HashMap<Key, State>,
    /// Counts what happens, so that it is known what happened before what.
    clock: u64,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// Connections to it.
    open: u32,
    /// Attempts to connect to it that have not ended.
    trying: u32,
    /// Times in a row that it was not reached.
    failures: u32,
    /// It is left alone until then.
    until_ms: u64,
    /// How the last of them ended.
    last: Option<Failure>,
    /// When it served somebody, or the last failure was counted: attempts from before say nothing new.
    known_at: u64,
}

/// For how long a host is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Until then.
    pub until_ms: u64,
    /// After so many failures in a row; 0 if it is well, and only takes no more connections.
    pub failures: u32,
    /// Whether it was tried just now; otherwise nothing new is known of it.
    pub is_new: bool,
}

impl Resting {
    /// Whether a host is left alone now, and how it failed. Whoever finds out whether it is back is waited for `pause_ms`.
    pub(super) fn find(
        &self,
        name: &str,
        port: u16,
        now_ms: u64,
        pause_ms: u64,
    ) -> Option<(Rest, Failure)> {
        let hosts = self.hosts();
        let state = hosts.all.get(&(name.to_owned(), port))?;
        let last = state.last.clone()?;
        let until_ms = match state.until_ms > now_ms {
            true => state.until_ms,
            false if state.trying > 0 => now_ms.saturating_add(pause_ms),
            false => return None,
        };
        Some((Rest { until_ms, failures: state.failures, is_new: false }, last))
    }

    /// An attempt to connect begins; it ends with the result.
    pub(super) fn tries(&self, name: &str, port: u16) -> Attempt {
        let key = (name.to_owned(), port);
        let mut hosts = self.hosts();
        let began = hosts.tick();
        hosts.all.entry(key.clone()).or_default().trying += 1;
        Attempt { resting: self.clone(), key, began }
    }

    /// Somebody wants mail to be tried now.
    pub(super) fn wake_all(&self) {
        let mut hosts = self.hosts();
        let known_at = hosts.tick();
        hosts.all.retain(|_, state| {
            let State { open, trying, .. } = *state;
            *state = State { open, trying, known_at, ..State::default() };
            state.is_kept()
        });
    }

    fn hosts(&self) -> MutexGuard<'_, Hosts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hosts {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Makes room for one host more.
    fn make_room(&mut self, now_ms: u64) {
        if self.all.len() < HOSTS_MAX {
            return;
        }
        self.all.retain(|_, state| state.is_used() || state.until_ms > now_ms);
        if self.all.len() < HOSTS_MAX {
            return;
        }
        // All of them are down: the one that is tried again first makes room.
        let resting = self.all.iter().filter(|(_, state)| !state.is_used());
        let first = resting.min_by_key(|(_, state)| state.until_ms).map(|(key, _)| key.clone());
        if let Some(first) = first {
            self.all.remove(&first);
        }
    }
}

impl State {
    fn is_used(&self) -> bool {
        self.open > 0 || self.trying > 0
    }

    fn is_kept(&self) -> bool {
        self.is_used() || self.failures > 0
    }
}

/// An attempt to connect to a host.
#[derive(Debug)]
pub(super) struct Attempt {
    resting: Resting,
    key: Key,
    began: u64,
}

impl Attempt {
    /// The host serves us, until the result is dropped.
    pub(super) fn served(self) -> Serving {
        let mut hosts = self.resting.hosts();
        let known_at = hosts.tick();
        let state = hosts.all.entry(self.key.clone()).or_default();
        let State { open, trying, .. } = *state;
        *state = State { open: open + 1, trying, known_at, ..State::default() };
        drop(hosts);
        Serving { resting: self.resting.clone(), key: self.key.clone() }
    }

    /// The host was not reached: it is left alone for as long as `pause_ms` says for so many failures, and for as long as for
    /// the first if there is another connection to it: then it takes no more at once, and is well. Nothing if more is known
    /// of it than this attempt could find out, since it began before.
    pub(super) fn failed(
        self,
        failure: &Failure,
        now_ms: u64,
        pause_ms: impl Fn(u32) -> u64,
    ) -> Option<Rest> {
        let mut hosts = self.resting.hosts();
        let known_at = hosts.tick();
        hosts.make_room(now_ms);
        let state = hosts.all.entry(self.key.clone()).or_default();
        if state.open > 0 {
            let until_ms = now_ms.saturating_add(pause_ms(1));
            return Some(Rest { until_ms, failures: 0, is_new: true });
        }
        if self.began > state.known_at {
            state.failures = state.failures.saturating_add(1);
            state.until_ms = now_ms.saturating_add(pause_ms(state.failures));
            state.last = Some(failure.clone());
            state.known_at = known_at;
        } else if state.failures == 0 {
            // It has served somebody meanwhile.
            return None;
        }
        Some(Rest { until_ms: state.until_ms, failures: state.failures, is_new: true })
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.resting
            .hosts()
            .leave(&self.key, |state| state.trying = state.trying.saturating_sub(1));
    }
}

/// A connection to a host.
#[derive(Debug)]
pub(super) struct Serving {
    resting: Resting,
    key: Key,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.resting.hosts().leave(&self.key, |state| state.open = state.open.saturating_sub(1));
    }
}

impl Hosts {
    fn leave(&mut self, key: &Key, end: impl FnOnce(&mut State)) {
        let Some(state) = self.all.get_mut(key) else { return };
        end(state);
        if !state.is_kept() {
            self.all.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use pillarbox_engine::smtp::client::types::Stage;

    use super::*;

    const PAUSE: u64 = 5_000;

    fn failure(words: &str) -> Failure {
        Failure { stage: Stage::Session, reply: None, diagnosis: words.to_owned() }
    }

    fn minutes(failures: u32) -> u64 {
        u64::from(failures) * 60_000
    }

    fn rest(until_ms: u64, failures: u32, is_new: bool) -> Rest {
        Rest { until_ms, failures, is_new }
    }

    #[test]
    fn a_host_is_left_alone_for_longer_and_longer_until_it_serves_somebody() {
        let resting = Resting::default();
        let fails = |attempt: Attempt, now_ms| attempt.failed(&failure("down"), now_ms, minutes);
        let find = |now_ms| resting.find("mx", 25, now_ms, PAUSE).map(|(rest, _)| rest);
        let (one, other) = (resting.tries("mx", 25), resting.tries("mx", 25));
        assert_eq!(fails(one, 1000), Some(rest(61_000, 1, true)));
        assert_eq!(fails(other, 2000), Some(rest(61_000, 1, true)), "tried at the same time");
        assert_eq!(find(60_999), Some(rest(61_000, 1, false)));
        assert_eq!(find(61_000), None);
        assert_eq!(resting.find("mx", 587, 2000, PAUSE), None, "another port is another server");
        // One finds out whether it is back.
        let probe = resting.tries("mx", 25);
        assert_eq!(find(61_000), Some(rest(66_000, 1, false)));
        assert_eq!(fails(probe, 62_000), Some(rest(182_000, 2, true)));
        let late = resting.tries("mx", 25);
        let serving = resting.tries("mx", 25).served();
        assert_eq!(find(70_000), None);
        let busy = resting.tries("mx", 25);
        let full = Some(rest(130_000, 0, true));
        assert_eq!(fails(busy, 70_000), full, "it takes no second connection, and is well");
        drop(serving);
        assert_eq!(fails(late, 71_000), None, "it began before the host served somebody");
        assert_eq!(find(71_000), None);
        assert_eq!(fails(resting.tries("mx", 25), 72_000), Some(rest(132_000, 1, true)));
        resting.wake_all();
        assert_eq!(find(72_000), None);
        assert!(resting.hosts().all.is_empty());
    }

    #[test]
    fn an_attempt_from_before_everybody_was_woken_says_nothing() {
        let resting = Resting::default();
        let stale = resting.tries("mx", 25);
        resting.wake_all();
        assert_eq!(stale.failed(&failure("down"), 1000, minutes), None);
        assert!(resting.hosts().all.is_empty());
    }

    #[test]
    fn only_so_many_hosts_are_remembered() {
        let resting = Resting::default();
        let serving = resting.tries("open", 25).served();
        for number in 0..2 * HOSTS_MAX {
            let now_ms = u64::try_from(number).expect("it is small");
            let attempt = resting.tries(&format!("mx{number}"), 25);
            attempt.failed(&failure("down"), now_ms, |_| 1_000_000);
            assert!(resting.hosts().all.len() <= HOSTS_MAX + 1);
        }
        let last = format!("mx{}", 2 * HOSTS_MAX - 1);
        assert!(resting.find(&last, 25, 0, PAUSE).is_some());
        assert!(resting.find("mx0", 25, 0, PAUSE).is_none());
        drop(serving);
    }
}
