//! Faults on purpose, at work: what the list decides is logged, counted, shown in the transcript, and done to the wire.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pillarbox_engine::types::Now;
use pillarbox_world::fault::{Decision, Faults, Peer, Watch};

use super::Shared;
use super::roles::{Link, Served};
use crate::config::FaultSettings;
use crate::drive::Met;

/// Who added a rule that flags or files gave.
const FLAGS: &str = "flags";

/// The faults of this server, changed over HTTP while connections look at them.
pub(crate) struct SharedFaults(Mutex<Faults>);

impl SharedFaults {
    /// Those that the server begins with.
    pub(super) fn new(settings: &FaultSettings) -> Self {
        let mut faults = Faults::new(settings.seed);
        for rule in &settings.rules {
            // Settings hold no more than there is room for.
            faults.add(rule.clone(), FLAGS);
        }
        Self(Mutex::new(faults))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Faults> {
        // A list is whole after each of its methods, so a panic elsewhere leaves nothing half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether sessions have to say what octets are.
    pub(super) fn hear_labels(&self) -> bool {
        self.lock().hear_labels()
    }

    /// Whether there are any; sessions that begin without one are not asked to stop for them.
    pub(super) fn strike(&self) -> bool {
        !self.lock().is_empty()
    }
}

/// What faults know of one connection.
pub(super) struct Facing<R>(Watch<R>);

impl<R: Served> Facing<R> {
    /// None if the session does not stop for faults.
    pub(super) fn new(shared: &Shared, link: &Link) -> Option<Self> {
        let peer = Peer {
            service: R::service_name(link),
            node: shared.settings.host_name.clone(),
            wire: link.key,
            address: link.peer.to_string().into_bytes(),
            link: None,
        };
        link.is_facing.then(|| Self(Watch::new(peer)))
    }

    /// What strikes at this ask, logged and counted, and the answer that it makes, if it makes one.
    pub(super) fn meet(
        &mut self,
        shared: &Shared,
        link: &Link,
        ask: &R::Ask,
        now: Now,
    ) -> Option<Met<R>> {
        let faults = shared.faults.as_ref()?;
        let met = self.0.meet(&mut faults.lock(), ask, now.monotonic_ms, now.unix_ms);
        let (decision, answer) = met?;
        tell::<R>(shared, link, &decision);
        Some(Met { decision, answer })
    }

    /// What strikes after octets with this label, logged and counted.
    pub(super) fn noted(
        &self,
        shared: &Shared,
        link: &Link,
        label: &str,
        now: Now,
    ) -> Option<Decision> {
        let mut faults = shared.faults.as_ref()?.lock();
        if !faults.hear_labels() {
            return None;
        }
        let decision = self.0.noted(&mut faults, label, now.monotonic_ms, now.unix_ms)?;
        tell::<R>(shared, link, &decision);
        Some(decision)
    }

    /// Looks at what was answered.
    pub(super) fn answered(&mut self, answer: &R::Answer) {
        self.0.answered(answer);
    }
}

fn tell<R: Served>(shared: &Shared, link: &Link, decision: &Decision) {
    for strike in &decision.strikes {
        shared.metrics.faults.with_label_values(&[R::PROTOCOL]).inc();
        let (session, number) = (link.session_id(), strike.number);
        let rule = strike.rule.as_str();
        tracing::info!(protocol = R::PROTOCOL, session, peer = %link.peer, number, rule, "fault on purpose");
    }
}
