//! The runner: looks which destinations are due, and sets workers at a bounded number of them.
//! It holds no part of the queue but what is being worked at, so a restart begins where the store is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pillarbox_engine::smtp::Flush;
use pillarbox_engine::types::Reason;
use pillarbox_world::queue::{Action, Destination, LOCAL, TLS_OPTIONAL, Which};
use pillarbox_world::service::Backend;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use super::active::Active;
use super::ask::broke;
use super::begun::Begun;
use super::carrier::Carrier;
use super::metrics::RelayMetrics;
use super::routes::Routes;
use super::steer::steer;
use super::worker::Worker;
use crate::backend::HostBackend;
use crate::config::RelaySettings;
use crate::engine::Trap;
use crate::error::{Error, Kind};
use crate::serve::told_to_stop;

/// New mail that comes within this time is looked for once.
const GATHER: Duration = Duration::from_millis(2);
/// How often the gauges are read.
const GAUGE_EVERY: Duration = Duration::from_secs(5);
/// After the store failed, nothing is looked for so long.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// A clock that is so little behind the queue's last write was not set back.
const CLOCK_SLACK_MS: u64 = 10_000;

/// What workers share.
pub(super) struct Work<C: Carrier> {
    pub(super) backend: Arc<HostBackend>,
    pub(super) carrier: C,
    pub(super) settings: Arc<RelaySettings>,
    /// The ways of the transport map.
    pub(super) routes: Routes,
    /// Whether anything leaves this machine.
    relays: bool,
    pub(super) metrics: RelayMetrics,
    pub(super) begun: Begun,
    active: Mutex<HashMap<Vec<u8>, Arc<Active>>>,
    pub(super) places: Arc<Semaphore>,
    /// A worker has ended, or the queue has changed by its own work.
    pub(super) changed: Notify,
    pub(super) stopping: watch::Receiver<bool>,
    workers: Mutex<JoinSet<()>>,
}

/// What works at the queue until the server stops.
pub(crate) struct Runner<C: Carrier>(Arc<Work<C>>);

impl<C: Carrier> Runner<C> {
    /// A runner; says in the log what was being sent when the process before this one ended.
    ///
    /// # Errors
    /// [`Kind::Data`] if the data directory cannot be used.
    pub(crate) fn new(
        backend: Arc<HostBackend>,
        carrier: C,
        settings: Arc<RelaySettings>,
        relays: bool,
        metrics: RelayMetrics,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, Error> {
        let directory = backend.mail_store().directory();
        let (begun, left) = Begun::open(directory).map_err(|error| {
            Error::new(Kind::Data, format!("the notes of what is being sent: {error}"))
        })?;
        for id in left {
            if let Ok(task) = backend.store().task(id) {
                let destination = crate::serve::shown(&task.destination);
                tracing::warn!(
                    id = task.message.id,
                    destination,
                    "it was being sent when the server ended; it is tried again, and may arrive twice"
                );
            }
        }
        let places = Arc::new(Semaphore::new(settings.connections_max as usize));
        let routes = Routes::new(Arc::clone(backend.engine()), settings.transports.clone());
        let work = Work {
            backend,
            carrier,
            settings,
            routes,
            relays,
            metrics,
            begun,
            active: Mutex::default(),
            places,
            changed: Notify::new(),
            stopping,
            workers: Mutex::default(),
        };
        Ok(Self(Arc::new(work)))
    }

    /// Works until the server stops, then lets what is being sent come to its end.
    pub(crate) async fn run(self) {
        let work = self.0;
        let clock = work.backend.relaying().clock.clone();
        if let Err(reason) = work.mend_clock().await {
            tracing::error!(?reason, "the queue could not be brought in line with the clock");
        }
        let mut stopping = work.stopping.clone();
        let mut gauges = tokio::time::interval(GAUGE_EVERY);
        while !*stopping.borrow() {
            work.flush().await;
            let next_ms = match work.start_due() {
                Ok(next_ms) => next_ms,
                Err(reason) => {
                    tracing::error!(?reason, "the queue could not be read");
                    Some(work.now_ms() + u64::try_from(STORE_PAUSE.as_millis()).unwrap_or(0))
                }
            };
            let due = async {
                match next_ms {
                    Some(next_ms) => clock.until(next_ms).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = work.backend.relaying().news.notified() => tokio::time::sleep(GATHER).await,
                () = work.changed.notified() => {}
                _ = gauges.tick() => work.gauge(),
                () = told_to_stop(&mut stopping) => {}
            }
        }
        loop {
            let mut workers = std::mem::take(&mut *work.workers());
            if workers.is_empty() {
                break;
            }
            while workers.join_next().await.is_some() {}
        }
    }
}

impl<C: Carrier> Work<C> {
    pub(super) fn now_ms(&self) -> u64 {
        self.backend.relaying().clock.now_ms()
    }

    /// The key of the destination that mail for a domain goes to by the settings of today; that which may go without
    /// TLS has one of its own, so that it does not wait for what may not.
    pub(super) fn destination(&self, domain: &[u8], tls_optional: bool) -> Result<Vec<u8>, Trap> {
        if self.backend.hosts(domain) {
            return Ok(LOCAL.to_vec());
        }
        let mut destination = self.routes.destination(domain)?;
        if tls_optional {
            destination.extend_from_slice(TLS_OPTIONAL);
        }
        Ok(destination)
    }

    /// Sets a worker at every destination that is due, as far as there are places; says when the next one is due.
    fn start_due(self: &Arc<Self>) -> Result<Option<u64>, Reason> {
        let now_ms = self.now_ms();
        if !self.backend.mail_store().works_at_queue() {
            // Another node does. It may end at any time, and nobody says so.
            let pause_ms = u64::try_from(STORE_PAUSE.as_millis()).unwrap_or(0);
            return Ok(Some(now_ms + pause_ms));
        }
        let store = self.backend.store();
        let due = if self.relays {
            // Those that are worked at are due too: the page has room for them and for as many as there are places.
            let room = self.active().len() + self.places.available_permits();
            store.due_destinations(now_ms, u32::try_from(room.max(1)).unwrap_or(u32::MAX))?
        } else {
            let local = store.destination(LOCAL).ok().into_iter();
            local.filter(|found| found.wake_ms.is_some_and(|wake| wake <= now_ms)).collect()
        };
        for Destination { name, .. } in due {
            self.start(name);
        }
        if self.relays {
            return store.next_wake_ms(now_ms);
        }
        let local = store.destination(LOCAL).ok().and_then(|found| found.wake_ms);
        Ok(local.filter(|wake| *wake > now_ms))
    }

    fn start(self: &Arc<Self>, name: Vec<u8>) {
        let mut all = self.active();
        if let Some(active) = all.get(&name) {
            active.news.notify_one();
            return;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let active = Arc::new(Active::new(name.clone(), self.metrics.in_hand.clone()));
        all.insert(name, Arc::clone(&active));
        drop(all);
        self.spawn(active, place);
    }

    /// Sets another worker at a destination that has more to do than one connection does at once.
    pub(super) fn widen(self: &Arc<Self>, active: &Arc<Active>) {
        if !active.widen(self.settings.connections_per_destination_max) {
            return;
        }
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => self.spawn(Arc::clone(active), place),
            Err(_) => active.narrow(),
        }
    }

    fn spawn(self: &Arc<Self>, active: Arc<Active>, place: tokio::sync::OwnedSemaphorePermit) {
        let worker = Worker::new(Arc::clone(self), active);
        let mut workers = self.workers();
        // Those that have ended are taken off, so that the set stays as small as there are places.
        while workers.try_join_next().is_some() {}
        workers.spawn(async move {
            worker.run().await;
            drop(place);
        });
    }

    /// A worker has ended; with the last one its destination is looked at anew.
    pub(super) fn leave(&self, active: &Active) {
        let mut all = self.active();
        if active.leave() {
            all.remove(&active.name);
        }
        drop(all);
        self.changed.notify_one();
    }

    /// After a clock was set back everything would wait for as long as it was ahead.
    async fn mend_clock(&self) -> Result<(), Reason> {
        let now_ms = self.now_ms();
        let latest_ms = self.backend.store().queue_stats()?.latest_ms;
        if latest_ms <= now_ms.saturating_add(CLOCK_SLACK_MS) {
            return Ok(());
        }
        let longest = self.backend.schedule().interval_ms_max;
        let action = Action::Clamp { now_ms, latest_ms: now_ms + longest + longest / 5 };
        let tasks = steer(&self.backend, &Which::All, action).await?.tasks;
        tracing::warn!(
            behind_s = (latest_ms - now_ms) / 1000,
            tasks,
            "the clock is behind the queue's last write; what would wait too long is due now"
        );
        Ok(())
    }

    /// What somebody wants to be tried now.
    async fn flush(&self) {
        for flush in self.backend.relaying().take_flushes() {
            let meant = match self.meant(&flush) {
                Ok(meant) => meant,
                Err(trap) => {
                    broke(trap);
                    continue;
                }
            };
            let (Flush::Node(name) | Flush::Subdomains(name) | Flush::Queue(name)) = &flush;
            let name = crate::serve::shown(name);
            for which in meant {
                let action = Action::Retry { now_ms: self.now_ms() };
                match steer(&self.backend, &which, action).await {
                    Ok(done) => {
                        let tasks = done.tasks;
                        tracing::info!(name, tasks, "tried now, as was asked for");
                    }
                    Err(reason) => tracing::error!(?reason, "the queue could not be flushed"),
                }
            }
        }
    }

    /// Where the mail waits that is to be tried: by its domain, or at the next hop of a route for it.
    fn meant(&self, flush: &Flush) -> Result<Vec<Which>, Trap> {
        Ok(match flush {
            Flush::Queue(name) => vec![Which::Destination(name.clone())],
            Flush::Node(domain) => vec![Which::Destination(self.routes.destination(domain)?)],
            Flush::Subdomains(domain) => {
                let under = self.backend.engine().relay().destination(domain)?;
                let mut meant: Vec<Which> = vec![Which::Under(under)];
                for destination in self.routes.destinations_under(domain)? {
                    if !meant.iter().any(|which| which.has(&destination)) {
                        meant.push(Which::Destination(destination));
                    }
                }
                meant
            }
        })
    }

    fn gauge(&self) {
        let Ok(stats) = self.backend.store().queue_stats() else { return };
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.metrics.messages.set(number(stats.messages));
        self.metrics.tasks.set(number(stats.tasks));
        self.metrics.held.set(number(stats.held));
        let age_ms = stats.oldest_ms.map_or(0, |oldest| self.now_ms().saturating_sub(oldest));
        self.metrics.oldest_seconds.set(number(age_ms / 1000));
    }

    fn active(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Arc<Active>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn workers(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
