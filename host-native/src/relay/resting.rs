//! Hosts that were not reached are left alone, whichever destination's mail they would get: a provider that is down costs
//! one try at a time, and not one for each of the domains that it serves. For how long is the engine's to say.
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
pub(crate) struct Resting(Arc<Mutex<HashMap<Key, State>>>);

#[derive(Clone, Debug, Default)]
struct State {
    /// Connections to it.
    open: u32,
    /// Times in a row that it was not reached.
    failures: u32,
    /// It is left alone until then.
    until_ms: u64,
    /// How the last of them ended.
    last: Option<Failure>,
}

/// For how long a host is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Until then.
    pub until_ms: u64,
    /// After so many failures in a row.
    pub failures: u32,
}

impl Resting {
    /// Whether a host is left alone now, and how it failed.
    pub(super) fn find(&self, name: &str, port: u16, now_ms: u64) -> Option<(Rest, Failure)> {
        let hosts = self.hosts();
        let State { failures, until_ms, last, .. } = hosts.get(&(name.to_owned(), port))?;
        let last = last.as_ref().filter(|_| *until_ms > now_ms)?.clone();
        Some((Rest { until_ms: *until_ms, failures: *failures }, last))
    }

    /// A host was not reached: it is left alone for as long as `pause_ms` says for so many failures. Nothing while there
    /// is another connection to it: then it takes no more at once, and is well.
    pub(super) fn failed(
        &self,
        name: &str,
        port: u16,
        failure: &Failure,
        now_ms: u64,
        pause_ms: impl Fn(u32) -> u64,
    ) -> Option<Rest> {
        let mut hosts = self.hosts();
        let key = (name.to_owned(), port);
        if hosts.len() >= HOSTS_MAX && !hosts.contains_key(&key) {
            hosts.retain(|_, state| state.open > 0 || state.until_ms > now_ms);
            // All of them are down: the one that is tried again first makes room.
            let resting = hosts.iter().filter(|(_, state)| state.open == 0);
            let first = resting.min_by_key(|(_, state)| state.until_ms).map(|(key, _)| key.clone());
            if hosts.len() >= HOSTS_MAX
                && let Some(first) = first
            {
                hosts.remove(&first);
            }
        }
        let state = hosts.entry(key).or_default();
        if state.open > 0 {
            return None;
        }
        // Others may have tried at the same time; together that is one failure.
        if state.until_ms <= now_ms {
            state.failures = state.failures.saturating_add(1);
            state.until_ms = now_ms.saturating_add(pause_ms(state.failures));
        }
        state.last = Some(failure.clone());
        Some(Rest { until_ms: state.until_ms, failures: state.failures })
    }

    /// A host serves us, until the result is dropped.
    pub(super) fn served(&self, name: &str, port: u16) -> Serving {
        let key = (name.to_owned(), port);
        let mut hosts = self.hosts();
        let state = hosts.entry(key.clone()).or_default();
        *state = State { open: state.open + 1, ..State::default() };
        Serving { resting: self.clone(), key }
    }

    /// Somebody wants mail to be tried now, or the clock was set back.
    pub(super) fn wake_all(&self) {
        self.hosts().retain(|_, state| {
            *state = State { open: state.open, ..State::default() };
            state.open > 0
        });
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<Key, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut hosts = self.resting.hosts();
        let Some(state) = hosts.get_mut(&self.key) else { return };
        state.open = state.open.saturating_sub(1);
        if state.open == 0 && state.failures == 0 {
            hosts.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use pillarbox_engine::smtp::client::types::Stage;

    use super::*;

    fn failure(words: &str) -> Failure {
        Failure { stage: Stage::Session, reply: None, diagnosis: words.to_owned() }
    }

    fn minutes(failures: u32) -> u64 {
        u64::from(failures) * 60_000
    }

    #[test]
    fn a_host_is_left_alone_for_longer_and_longer_until_it_serves_somebody() {
        let resting = Resting::default();
        let failed = |now_ms| resting.failed("mx", 25, &failure("down"), now_ms, minutes);
        let first = failed(1000).expect("nothing is open");
        assert_eq!(first, Rest { until_ms: 61_000, failures: 1 });
        assert_eq!(failed(2000), Some(first), "tried at the same time");
        assert_eq!(resting.find("mx", 25, 60_999), Some((first, failure("down"))));
        assert_eq!(resting.find("mx", 25, 61_000), None);
        assert_eq!(resting.find("mx", 587, 2000), None, "another port is another server");
        let second = Rest { until_ms: 181_000, failures: 2 };
        assert_eq!(failed(61_000), Some(second));
        let serving = resting.served("mx", 25);
        assert_eq!(resting.find("mx", 25, 70_000), None);
        assert_eq!(failed(70_000), None, "it takes no second connection, and is well");
        drop(serving);
        assert_eq!(failed(70_000), Some(Rest { until_ms: 130_000, failures: 1 }));
        resting.wake_all();
        assert_eq!(resting.find("mx", 25, 70_000), None);
        assert!(resting.hosts().is_empty());
    }

    #[test]
    fn only_so_many_hosts_are_remembered() {
        let resting = Resting::default();
        let serving = resting.served("open", 25);
        for number in 0..2 * HOSTS_MAX {
            let now_ms = u64::try_from(number).expect("it is small");
            resting.failed(&format!("mx{number}"), 25, &failure("down"), now_ms, |_| 1_000_000);
            assert!(resting.hosts().len() <= HOSTS_MAX);
        }
        let last = format!("mx{}", 2 * HOSTS_MAX - 1);
        assert!(resting.find(&last, 25, 0).is_some());
        assert!(resting.find("mx0", 25, 0).is_none());
        drop(serving);
    }
}
