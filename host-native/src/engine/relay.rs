//! The relay functions where the engine runs: in a sandbox of their own that serves call after call, or linked in
//! natively. What to do with their results is left to the queue.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pillarbox_engine::relay as engine;
use pillarbox_engine::relay::{
    Attempted, Exchange, Hop, Notice, Report, ReportKind, Route, Schedule, Settled, Times,
    Transport, Turn, Unreached,
};
use pillarbox_engine::smtp::MailFrom;
use pillarbox_engine::smtp::client::types::Fate;
use wasmtime::component::{ComponentNamedList, Lift, Lower, TypedFunc};

use super::Trap;
use super::convert::Convert;
use super::functions::Functions;
use super::sandbox::{RelayInstance, Sandbox};
use super::settings::RELAY_SLOTS;

/// The relay functions; one for the whole program. A few calls are made at once, each in an instance that serves call
/// after call; further ones wait. Each takes microseconds, but for a report with a large message, which takes some
/// milliseconds.
///
/// A call that breaks an instance that has served others is made once more in a fresh one: what breaks that too, is
/// a trap of its own making.
pub struct Relay(Option<Sandboxed>);

struct Sandboxed {
    sandbox: Arc<Sandbox>,
    pool: Mutex<Pool>,
    /// A call has ended.
    freed: Condvar,
}

/// Instances that nobody uses now. Never more live than [`RELAY_SLOTS`]: each call takes one of these if there is any.
struct Pool {
    idle: Vec<RelayInstance>,
    /// Calls that may begin now.
    free: u32,
}

/// Leave for one call, given back when it is dropped.
struct Leave<'a> {
    of: &'a Sandboxed,
    /// None if a fresh one is to be made: before the first calls, and after a trap.
    instance: Option<RelayInstance>,
}

impl Relay {
    pub(super) fn new(sandbox: Option<&Arc<Sandbox>>) -> Self {
        let pool = || Mutex::new(Pool { idle: Vec::new(), free: RELAY_SLOTS });
        let sandboxed = |sandbox| Sandboxed {
            sandbox: Arc::clone(sandbox),
            pool: pool(),
            freed: Condvar::new(),
        };
        Self(sandbox.map(sandboxed))
    }

    /// As [`engine::destination`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn destination(&self, domain: &[u8]) -> Result<Vec<u8>, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::destination(domain)) };
        sandboxed.call("naming a destination", |f| &f.destination, (domain.to_vec(),))
    }

    /// As [`engine::next_hop`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn next_hop(&self, transports: &[Transport], domain: &[u8]) -> Result<Hop, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::next_hop(transports, domain)) };
        let taken = (transports.to_vec().convert(), domain.to_vec());
        Ok(sandboxed.call("choosing a hop", |f| &f.next_hop, taken)?.convert())
    }

    /// As [`engine::choose_route`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn choose_route(
        &self,
        exchanges: &[Exchange],
        own_names: &[Vec<u8>],
        seed: u64,
    ) -> Result<Route, Trap> {
        let Some(sandboxed) = &self.0 else {
            return Ok(engine::choose_route(exchanges, own_names, seed));
        };
        let taken = (exchanges.to_vec().convert(), own_names.to_vec(), seed);
        Ok(sandboxed.call("choosing a route", |f| &f.choose_route, taken)?.convert())
    }

    /// As [`engine::fate_of`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn fate_of(&self, why: Unreached) -> Result<Fate, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::fate_of(why)) };
        Ok(sandboxed.call("naming a fate", |f| &f.fate_of, (why.convert(),))?.convert())
    }

    /// As [`engine::next_host_may_help`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn next_host_may_help(&self, fate: &Fate) -> Result<bool, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::next_host_may_help(fate)) };
        let taken = (fate.clone().convert(),);
        sandboxed.call("judging a fate", |f| &f.next_host_may_help, taken)
    }

    /// As [`engine::same_host_may_help`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn same_host_may_help(&self, fate: &Fate) -> Result<bool, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::same_host_may_help(fate)) };
        let taken = (fate.clone().convert(),);
        sandboxed.call("judging a fate", |f| &f.same_host_may_help, taken)
    }

    /// As [`engine::mail_left`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn mail_left(
        &self,
        mail: &MailFrom,
        came_unix_ms: u64,
        now_unix_ms: u64,
    ) -> Result<MailFrom, Trap> {
        let Some(sandboxed) = &self.0 else {
            return Ok(engine::mail_left(mail, came_unix_ms, now_unix_ms));
        };
        let taken = (mail.clone().convert(), came_unix_ms, now_unix_ms);
        Ok(sandboxed.call("timing a deadline", |f| &f.mail_left, taken)?.convert())
    }

    /// As [`engine::times_of`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn times_of(&self, mail: &MailFrom, came_unix_ms: u64) -> Result<Times, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::times_of(mail, came_unix_ms)) };
        let taken = (mail.clone().convert(), came_unix_ms);
        Ok(sandboxed.call("reading times", |f| &f.times_of, taken)?.convert())
    }

    /// As [`engine::notice_unix_ms`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn notice_unix_ms(
        &self,
        schedule: &Schedule,
        times: &Times,
        now_unix_ms: u64,
    ) -> Result<u64, Trap> {
        let Some(sandboxed) = &self.0 else {
            return Ok(engine::notice_unix_ms(schedule, times, now_unix_ms));
        };
        let taken = (schedule.convert(), times.convert(), now_unix_ms);
        sandboxed.call("timing a notice", |f| &f.notice_unix_ms, taken)
    }

    /// As [`engine::end_unix_ms`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn end_unix_ms(&self, schedule: &Schedule, times: &Times) -> Result<u64, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::end_unix_ms(schedule, times)) };
        let taken = (schedule.convert(), times.convert());
        sandboxed.call("finding the end", |f| &f.end_unix_ms, taken)
    }

    /// As [`engine::first_attempt`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn first_attempt(&self, times: &Times, now_unix_ms: u64) -> Result<u64, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::first_attempt(times, now_unix_ms)) };
        let taken = (times.convert(), now_unix_ms);
        sandboxed.call("timing the first attempt", |f| &f.first_attempt, taken)
    }

    /// As [`engine::next_attempt`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn next_attempt(
        &self,
        schedule: &Schedule,
        times: &Times,
        now_unix_ms: u64,
        failures: u32,
        seed: u64,
    ) -> Result<Option<u64>, Trap> {
        let Some(sandboxed) = &self.0 else {
            return Ok(engine::next_attempt(schedule, times, now_unix_ms, failures, seed));
        };
        let taken = (schedule.convert(), times.convert(), now_unix_ms, failures, seed);
        sandboxed.call("timing an attempt", |f| &f.next_attempt, taken)
    }

    /// As [`engine::host_backoff`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn host_backoff(&self, failures: u32, schedule: &Schedule, seed: u64) -> Result<u64, Trap> {
        let Some(sandboxed) = &self.0 else {
            return Ok(engine::host_backoff(failures, schedule, seed));
        };
        let taken = (failures, schedule.convert(), seed);
        sandboxed.call("timing a host", |f| &f.host_backoff, taken)
    }

    /// As [`engine::in_order`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn in_order(&self, turns: &[Turn]) -> Result<Vec<u32>, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::in_order(turns)) };
        sandboxed.call("ordering turns", |f| &f.in_order, (turns.to_vec().convert(),))
    }

    /// As [`engine::settle`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn settle(&self, attempted: Attempted) -> Result<Settled, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::settle(attempted)) };
        let taken = (attempted.convert(),);
        Ok(sandboxed.call("settling an attempt", |f| &f.settle, taken)?.convert())
    }

    /// As [`engine::octets_wanted`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn octets_wanted(
        &self,
        kind: ReportKind,
        mail: &MailFrom,
        message_size: u64,
    ) -> Result<u64, Trap> {
        let Some(sandboxed) = &self.0 else {
            return Ok(engine::octets_wanted(kind, mail, message_size));
        };
        let taken = (kind.convert(), mail.clone().convert(), message_size);
        sandboxed.call("sizing a report", |f| &f.octets_wanted, taken)
    }

    /// As [`engine::make_report`].
    ///
    /// # Errors
    /// The sandbox broke.
    pub fn make_report(&self, report: Report) -> Result<Option<Notice>, Trap> {
        let Some(sandboxed) = &self.0 else { return Ok(engine::make_report(&report)) };
        let taken = (report.convert(),);
        Ok(sandboxed.call("making a report", |f| &f.make_report, taken)?.convert())
    }
}

impl Sandboxed {
    /// Calls a function, in an instance that lives or in a fresh one.
    fn call<P, R>(
        &self,
        doing: &str,
        function: impl Fn(&Functions) -> &TypedFunc<P, (R,)>,
        taken: P,
    ) -> Result<R, Trap>
    where
        P: ComponentNamedList + Lower + Clone,
        R: Lift + 'static,
        (R,): ComponentNamedList + Lift,
    {
        let trapped = |error: wasmtime::Error| Trap::new(doing.to_owned(), &error);
        let mut leave = self.leave();
        // Taken out before it is used and put back after, so that a panic here leaves nothing half done there.
        if let Some(mut instance) = leave.instance.take() {
            match instance.call(&function, taken.clone()) {
                Ok(given) => {
                    leave.instance = Some(instance);
                    return Ok(given);
                }
                Err(error) => {
                    let trap = trapped(error);
                    tracing::warn!(%trap, "the relay's sandbox broke; the call is made in a fresh one");
                }
            }
        }
        let mut instance = self.sandbox.relay_instance().map_err(trapped)?;
        let given = instance.call(&function, taken).map_err(trapped)?;
        leave.instance = Some(instance);
        Ok(given)
    }

    fn leave(&self) -> Leave<'_> {
        let mut pool = self
            .freed
            .wait_while(self.pool(), |pool| pool.free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        pool.free -= 1;
        let instance = pool.idle.pop();
        Leave { of: self, instance }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut pool = self.of.pool();
        pool.idle.extend(self.instance.take());
        pool.free += 1;
        drop(pool);
        self.of.freed.notify_one();
    }
}
