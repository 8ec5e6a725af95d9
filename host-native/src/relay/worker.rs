//! One connection's worth of work at a destination: take a task, send it, have its outcome written, take the next.

use std::sync::Arc;
use std::time::Duration;

use pillarbox_engine::relay::{Fared, Hop, Unreached};
use pillarbox_engine::smtp::MailFrom;
use pillarbox_engine::smtp::client::types::{Fate, TlsPolicy};
use pillarbox_engine::types::Reason;
use pillarbox_world::queue::{
    Block, LOCAL, NewTask, QueuedMessage, Settle, TLS_OPTIONAL, Task, TaskId,
};
use pillarbox_world::service::Backend;
use pillarbox_world::store::Write;
use tokio::task::JoinSet;

use super::active::{Active, PAGE};
use super::ask::{broke, unserved};
use super::carrier::{Carrier, Connection, NotReached, Parcel, Proof};
use super::local;
use super::resting::Rest;
use super::runner::Work;
use super::settle::{Ended, answer};
use crate::engine::Trap;
use crate::serve::{shown, told_to_stop};

/// Messages of one connection whose outcome is being written while the next ones are sent: a sync is not waited for
/// between any two, and few enough could arrive twice after a crash.
const SETTLING_MAX: usize = 8;
/// How long a connection without work waits for more.
const LINGER: Duration = Duration::from_secs(2);
/// How long a farewell may take.
const QUIT_WITHIN: Duration = Duration::from_secs(5);
/// After the store failed, nothing is tried for so long; the pause doubles with each failure up to the other.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);
pub(super) const STORE_PAUSE_MAX: Duration = Duration::from_secs(60);

/// A connection that is open, and on which terms.
struct Line<C> {
    connection: C,
    tls: TlsPolicy,
    proof: Proof,
}

/// Whether a worker goes on.
enum Next {
    More,
    End,
}

pub(super) struct Worker<C: Carrier> {
    work: Arc<Work<C>>,
    active: Arc<Active>,
    line: Option<Line<C::Connection>>,
    settling: JoinSet<()>,
}

impl<C: Carrier> Worker<C> {
    pub(super) fn new(work: Arc<Work<C>>, active: Arc<Active>) -> Self {
        Self { work, active, line: None, settling: JoinSet::new() }
    }

    /// Works until there is nothing to do, the server is not reached, or the host stops.
    pub(super) async fn run(mut self) {
        if let Err(reason) = self.all().await {
            let destination = shown(&self.active.name);
            tracing::error!(destination, ?reason, "the queue could not be read or written");
            tokio::time::sleep(STORE_PAUSE).await;
        }
        while self.settling.join_next().await.is_some() {}
        self.hang_up().await;
        self.work.leave(&self.active);
    }

    async fn all(&mut self) -> Result<(), Reason> {
        while !*self.work.stopping.borrow() {
            let now_ms = self.work.now_ms();
            let Some(id) = self.active.take(self.work.backend.store(), now_ms)? else {
                if self.lingers().await {
                    continue;
                }
                break;
            };
            self.work.widen(&self.active);
            if self.active.has_ready() {
                self.active.news.notify_one();
            }
            match self.one(id).await? {
                Next::More => {}
                Next::End => break,
            }
        }
        Ok(())
    }

    /// Waits with an open connection for more work, unless somebody else needs its place.
    async fn lingers(&mut self) -> bool {
        if self.line.is_none() || self.work.places.available_permits() == 0 {
            return false;
        }
        let mut stopping = self.work.stopping.clone();
        tokio::select! {
            () = self.active.news.notified() => true,
            () = tokio::time::sleep(LINGER) => false,
            () = told_to_stop(&mut stopping) => false,
        }
    }

    async fn one(&mut self, id: TaskId) -> Result<Next, Reason> {
        let Some(task) = self.fresh(id)? else {
            self.active.done(id);
            return Ok(Next::More);
        };
        if self.active.name == LOCAL {
            let (task, ended) = local::deliver(&self.work.backend, task);
            self.write_down(task, ended, None).await;
            return Ok(Next::More);
        }
        let (rerouted, hop) = match self.rerouted(&task).and_then(|to| Ok((to, self.hop(&task)?))) {
            Ok(way) => way,
            Err(trap) => {
                // Of all that waits here, only this message cannot be sent.
                broke(trap);
                let fared = unserved(self.work.backend.engine(), Unreached::OurFault);
                let ended = Ended::alike(&task, &fared);
                self.write_down(task, ended, None).await;
                return Ok(Next::More);
            }
        };
        if let Some(keep) = rerouted {
            let settle = Settle { task: id, keep, now_ms: self.work.now_ms(), ..Settle::default() };
            let written = self.work.backend.write(0, Write::Settle(settle)).await;
            self.active.done(id);
            tracing::info!(id = task.message.id, "another route is configured now");
            self.work.changed.notify_one();
            return written.map(|_| Next::More);
        }
        if let Err(not_reached) = self.reach(&hop, &task).await? {
            return self.unreached(task, &hop, not_reached).await;
        }
        self.send(task).await;
        Ok(Next::More)
    }

    /// The task as it is now: it may have been removed, held or tried since its number was read.
    fn fresh(&self, id: TaskId) -> Result<Option<Task>, Reason> {
        match self.work.backend.store().task(id) {
            Ok(task) => {
                let due = !task.held && task.due_ms <= self.work.now_ms();
                Ok(Some(task).filter(|task| due && task.destination == self.active.name))
            }
            Err(Reason::NotFound) => Ok(None),
            Err(reason) => Err(reason),
        }
    }

    /// What takes the place of a task whose recipients go elsewhere by the settings of today.
    fn rerouted(&self, task: &Task) -> Result<Option<Vec<NewTask>>, Trap> {
        let recipients = task.recipients.iter();
        let optional = task.message.tls_optional;
        let keys =
            recipients.map(|q| self.work.destination(&q.recipient.forward_path.domain, optional));
        let keys: Vec<Vec<u8>> = keys.collect::<Result<_, _>>()?;
        if keys.iter().all(|key| *key == task.destination) {
            return Ok(None);
        }
        let mut keep: Vec<NewTask> = Vec::new();
        for (queued, destination) in task.recipients.iter().zip(keys) {
            match keep.iter_mut().find(|known| known.destination == destination) {
                Some(known) => known.recipients.push(queued.clone()),
                None => keep.push(NewTask {
                    destination,
                    recipients: vec![queued.clone()],
                    due_ms: task.due_ms,
                    notice_ms: task.notice_ms,
                }),
            }
        }
        Ok(Some(keep))
    }

    /// The way of a task: that of all its recipients, since the key of its destination says what a way does.
    fn hop(&self, task: &Task) -> Result<Hop, Trap> {
        let first = task.recipients.first().map(|queued| &queued.recipient.forward_path.domain);
        let mut hop = self.work.routes.hop(first.unwrap_or(&task.destination))?;
        // What the key does not say: mail for the next hop's own domain goes the same way as what the map sends there. Where
        // the map may be wrong, all of it waits.
        for queued in task.recipients.iter().skip(1) {
            hop.mapped |= self.work.routes.hop(&queued.recipient.forward_path.domain)?.mapped;
        }
        // RFC 8689 §4.2.1: by a proven connection, or not at all.
        let unproved = matches!(hop.tls, TlsPolicy::None | TlsPolicy::Opportunistic);
        if proof(task) == Proof::Required && unproved {
            hop.tls = TlsPolicy::Required;
        }
        Ok(hop)
    }

    /// Whether somebody must be told something of this destination's mail now, such as that it is given up: not before its
    /// hosts were tried once more.
    fn is_urgent(&self, task: &Task) -> Result<bool, Reason> {
        let now_ms = self.work.now_ms();
        let waits = self.work.backend.store().notice_tasks(&self.active.name, now_ms, 1)?;
        Ok(task.notice_ms <= now_ms || !waits.is_empty())
    }

    /// Sees to it that there is a connection.
    async fn reach(&mut self, hop: &Hop, task: &Task) -> Result<Result<(), NotReached>, Reason> {
        let proof = proof(task);
        if let Some(line) = &mut self.line {
            let fits = line.tls == hop.tls && line.proof == proof;
            if fits && line.connection.is_usable().await {
                return Ok(Ok(()));
            }
            self.hang_up().await;
        }
        // The way's own, also where a message asks for more TLS or for less than its way does.
        let name = &self.active.name;
        let login = self.work.settings.logins.get(name.strip_suffix(TLS_OPTIONAL).unwrap_or(name));
        let urgent = self.is_urgent(task)?;
        let connection = match self.work.carrier.connect(hop, proof, login, urgent).await {
            Ok(connection) => connection,
            Err(not_reached) => return Ok(Err(not_reached)),
        };
        self.line = Some(Line { connection, tls: hop.tls, proof });
        self.active.connected();
        self.work.metrics.open.inc();
        if self.work.backend.store().destination(name).is_ok_and(|found| found.failures > 0) {
            let block = Block { destination: name.clone(), ..Block::default() };
            self.work.backend.write(0, Write::Block(block)).await?;
        }
        Ok(Ok(()))
    }

    async fn hang_up(&mut self) {
        if let Some(line) = self.line.take() {
            self.active.disconnected();
            self.work.metrics.open.dec();
            // A server that does not say goodbye is left without.
            drop(tokio::time::timeout(QUIT_WITHIN, line.connection.quit()).await);
        }
    }

    async fn send(&mut self, task: Task) {
        let Some(line) = &mut self.line else { return };
        let note = self.work.begun.begin(task.id);
        let message = &task.message;
        let mail = mail_left(&self.work, message);
        let recipients = task.recipients.iter().map(|queued| queued.recipient.clone()).collect();
        let parcel = Parcel {
            mail,
            recipients,
            blob: message.id,
            skip: message.skip,
            size: message.sent_size(),
            plain: message.plain,
        };
        let fared = line.connection.deliver(parcel).await;
        let ended = Ended { fared, accounts: Vec::new(), moved: Vec::new() };
        self.write_down(task, ended, Some(note)).await;
    }

    /// Has an outcome written while the next message is sent.
    async fn write_down(&mut self, task: Task, ended: Ended, note: Option<super::begun::Note>) {
        if self.settling.len() >= SETTLING_MAX {
            self.settling.join_next().await;
        }
        let (work, active) = (Arc::clone(&self.work), Arc::clone(&self.active));
        self.settling.spawn(async move {
            if work.settle(&task, ended).await
                && let Some(note) = note
            {
                note.end();
            }
            active.done(task.id);
        });
    }

    /// There is no connection: for good, or for now.
    async fn unreached(
        &mut self,
        task: Task,
        hop: &Hop,
        not_reached: NotReached,
    ) -> Result<Next, Reason> {
        self.work.metrics.unreached.inc();
        let NotReached { fared, rest } = not_reached;
        if let Some(rest) = rest.filter(|rest| !rest.is_new) {
            // Nothing was attempted, so nothing became of it.
            self.leave_alone(&fared.fate, Some(rest)).await?;
            self.active.done(task.id);
            self.active.give_up();
            return Ok(Next::End);
        }
        if proof(&task) == Proof::Required {
            // What this message asks for is not missed by the others.
            self.apply(task.id, &fared).await?;
            return Ok(Next::More);
        }
        if matches!(fared.fate, Fate::Failed(_)) {
            // What holds for one holds for all that go this way; those read already need no further look-up.
            self.apply(task.id, &fared).await?;
            for _ in 0..PAGE {
                if !self.active.has_ready() {
                    break;
                }
                let now_ms = self.work.now_ms();
                let Some(id) = self.active.take(self.work.backend.store(), now_ms)? else { break };
                let task = self.fresh_anyway(id)?;
                if task.is_some_and(|task| self.hop(&task).is_ok_and(|other| other == *hop)) {
                    self.apply(id, &fared).await?;
                } else {
                    // It has its own turn.
                    self.active.done(id);
                    break;
                }
            }
            return Ok(Next::More);
        }
        if !self.active.give_up() {
            // Others are connected: the server takes no more connections at once, and they do this work.
            self.active.done(task.id);
            return Ok(Next::End);
        }
        self.leave_alone(&fared.fate, rest).await?;
        self.apply(task.id, &fared).await?;
        self.tell_of_delays(&fared).await?;
        Ok(Next::End)
    }

    async fn apply(&mut self, id: TaskId, fared: &Fared) -> Result<(), Reason> {
        if let Some(task) = self.fresh_anyway(id)? {
            let ended = Ended::alike(&task, fared);
            self.write_down(task, ended, None).await;
        } else {
            self.active.done(id);
        }
        Ok(())
    }

    fn fresh_anyway(&self, id: TaskId) -> Result<Option<Task>, Reason> {
        match self.work.backend.store().task(id) {
            Ok(task) => Ok(Some(task).filter(|task| !task.held)),
            Err(Reason::NotFound) => Ok(None),
            Err(reason) => Err(reason),
        }
    }

    /// The destination is left alone for longer and longer, or for as long as its hosts are: one row, however much waits
    /// for it.
    async fn leave_alone(&mut self, fate: &Fate, rest: Option<Rest>) -> Result<(), Reason> {
        let backend = &self.work.backend;
        let name = &self.active.name;
        let now_ms = self.work.now_ms();
        let (failures, pause_ms) = match rest {
            Some(rest) => {
                let more_ms = if rest.is_new { 0 } else { self.spread(rest, now_ms) };
                (rest.failures, rest.until_ms.saturating_sub(now_ms).saturating_add(more_ms))
            }
            None => {
                let failures = backend.store().destination(name).map_or(0, |found| found.failures);
                let failures = failures.saturating_add(1);
                let seed = backend.relaying().seed ^ u64::from(failures);
                let relay = backend.engine().relay();
                let pause_ms = relay.host_backoff(failures, &backend.schedule(), seed);
                (failures, pause_ms.map_err(broke)?)
            }
        };
        // Who must be told something meanwhile is told in time: of a delay, or that his message is given up. But however
        // many those are, the host is not tried more often than after its first failure.
        let least_ms = pause_ms.min(backend.schedule().first_ms);
        let notice_ms = backend.store().next_notice_ms(name, now_ms)?;
        let pause_ms = match notice_ms.map(|notice_ms| notice_ms - now_ms) {
            Some(left_ms) => pause_ms.min(left_ms.max(least_ms)),
            None => pause_ms,
        };
        let until_ms = now_ms.saturating_add(pause_ms);
        let why = answer(fate);
        let destination = shown(name);
        tracing::warn!(destination, failures, why, pause_s = pause_ms / 1000, "not reached");
        let (destination, why) = (name.clone(), why.into_bytes());
        let block = Block { destination, until_ms, failures, why };
        backend.write(0, Write::Block(block)).await.map(|_| ())
    }

    /// The destinations of one host come back one after the other, but for the one that has tried it, whose time says so much
    /// already.
    fn spread(&self, rest: Rest, now_ms: u64) -> u64 {
        let seed = self.work.backend.relaying().seed;
        let lot =
            self.active.name.iter().fold(seed, |lot, octet| {
                (lot ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        lot % (rest.until_ms.saturating_sub(now_ms) / 10 + 1)
    }

    /// Messages that were not tried, since their host is left alone, have senders who must be told all the same.
    async fn tell_of_delays(&mut self, fared: &Fared) -> Result<(), Reason> {
        loop {
            while self.settling.join_next().await.is_some() {}
            let now_ms = self.work.now_ms();
            let store = self.work.backend.store();
            let mut late = store.notice_tasks(&self.active.name, now_ms, PAGE)?;
            late.retain(|task| self.active.take_this(*task));
            if late.is_empty() || *self.work.stopping.borrow() {
                late.into_iter().for_each(|task| self.active.done(task));
                return Ok(());
            }
            for id in late {
                self.apply(id, fared).await?;
            }
        }
    }
}

/// MAIL as the next server gets it. Few messages have a time of their own, and the others need no visit to the sandbox.
fn mail_left<C: Carrier>(work: &Work<C>, message: &QueuedMessage) -> MailFrom {
    if message.mail.deliver_by.is_none() {
        return message.mail.clone();
    }
    let relay = work.backend.engine().relay();
    relay.mail_left(&message.mail, message.times.came_unix_ms, work.now_ms()).unwrap_or_else(
        |trap| {
            broke(trap);
            message.mail.clone()
        },
    )
}

/// What a message asks of TLS. A report of one that required it goes on without (RFC 8689 §5): it must not be lost.
fn proof(task: &Task) -> Proof {
    let message = &task.message;
    match (message.mail.require_tls, message.tls_optional) {
        (true, _) if message.mail.reverse_path.is_some() => Proof::Required,
        (false, true) => Proof::Optional,
        _ => Proof::Usual,
    }
}
