//! A node's life: that it says it lives, what it holds as long as it does, and what is tidied up behind those that do not.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pillarbox_world::hub::Elsewhere;
use pillarbox_world::store::MailboxId;

use super::news::catch_up;
use super::{Shared, lock_of};
use crate::store::sql::blobs;
use crate::store::sql::connection::{Connection, Error, OptionalExtension, Result};

/// How long a node is believed to live after it said so: what it held is free for others then.
const LIFE: Duration = Duration::from_secs(10);
/// How often it says so.
const BEAT: Duration = Duration::from_secs(2);
/// How often changes are looked for that no notification told of.
const LOOK: Duration = Duration::from_secs(1);
/// How long changes are kept for nodes that were away.
const CHANGES_KEPT_MS: i64 = 600_000;
/// Longer than any transaction lasts: what was removed so long before a session looked, it was not told of.
const SETTLED_MS: i64 = 60_000;
/// Blobs that are removed at once.
const SWEEP_MAX: u32 = 256;

/// First of all in a transaction that others must not overtake: whoever writes waits for it.
const IN_TURN: &str = "SELECT value FROM counter WHERE name = 'change' FOR UPDATE";
const ALIVE: &str = "SELECT 1 FROM node WHERE id = ?1 AND until_ms > now_ms()";

/// What a node knows of its own life.
pub(super) struct Life {
    /// Until when others believe that it lives; theirs is a little longer.
    until: Instant,
    /// Moments of the hub, each with a time before it by the clock of the database.
    moments: VecDeque<(u64, i64)>,
}

impl Life {
    pub(super) fn new(now: Instant) -> Self {
        Self { until: now, moments: VecDeque::new() }
    }

    pub(super) fn lives(&self) -> bool {
        Instant::now() < self.until
    }

    /// Since when sessions of this node may still send what is removed: no hold is older than that.
    fn held_since_ms(&mut self, oldest: Option<u64>) -> i64 {
        let oldest = oldest.unwrap_or(u64::MAX);
        while self.moments.get(1).is_some_and(|(moment, _)| *moment < oldest) {
            self.moments.pop_front();
        }
        self.moments.front().filter(|(moment, _)| *moment < oldest).map_or(0, |(_, at)| *at)
    }
}

impl Shared {
    /// Gets a number, and whatever is free.
    pub(super) fn enter(&self) -> Result<()> {
        let began = Instant::now();
        let (node, now_ms) = self.at_door(|c| {
            let sql = "INSERT INTO node (until_ms, held_since_ms) VALUES (now_ms() + ?1, 0)
                       RETURNING id, now_ms()";
            let found = c
                .prepare_cached(sql)?
                .query_row([life_ms()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
            Ok(found)
        })?;
        // Before it may write as the new one, whatever happened meanwhile is told.
        let mut told = self.told();
        let newest: u64 = self.at_door(|c| {
            c.prepare_cached("SELECT value FROM counter WHERE name = 'change'")?
                .query_row((), |row| row.get(0))
        })?;
        if *told != 0 && *told != newest {
            self.hub.lose();
        }
        *told = newest;
        drop(told);
        let mut life = lock_of(&self.life);
        life.until = began + LIFE;
        life.moments.clear();
        life.moments.push_back((self.hub.passed(), now_ms));
        drop(life);
        self.node.store(node, Ordering::Release);
        // The connection at the door was another's.
        *lock_of(&self.door) = None;
        self.take_queue()
    }

    /// Says that the node lives; where that comes too late it enters anew.
    fn beat(&self) -> Result<()> {
        let began = Instant::now();
        let held_since_ms = lock_of(&self.life).held_since_ms(self.hub.oldest_hold());
        let now_ms: Option<i64> = self.at_door(|c| {
            let sql = "UPDATE node SET until_ms = now_ms() + ?2, held_since_ms = ?3
                       WHERE id = ?1 AND until_ms > now_ms() RETURNING now_ms()";
            let said = (self.number(), life_ms(), held_since_ms);
            c.prepare_cached(sql)?.query_row(said, |row| row.get(0)).optional()
        })?;
        let Some(now_ms) = now_ms else {
            tracing::warn!("this node was away for too long; what it held is not its any more");
            self.holds_queue.store(false, Ordering::Release);
            return self.enter();
        };
        let mut life = lock_of(&self.life);
        life.until = began + LIFE;
        life.moments.push_back((self.hub.passed(), now_ms));
        drop(life);
        self.take_queue()?;
        self.at_door(tidy)
    }

    /// Takes the work at the queue if no node that lives has it.
    fn take_queue(&self) -> Result<()> {
        let node = self.number();
        let has = self.at_door(|c| {
            let sql = "SELECT 1 FROM lease WHERE name = 'queue' AND node = ?1";
            if c.prepare_cached(sql)?.exists([node])? {
                return Ok(true);
            }
            let free = "SELECT 1 FROM lease WHERE name = 'queue' AND (node IS NULL OR NOT EXISTS
                        (SELECT 1 FROM node WHERE id = lease.node AND until_ms > now_ms()))";
            if !c.prepare_cached(free)?.exists(())? {
                return Ok(false);
            }
            in_turn(c, || {
                let taken = c.prepare_cached(ALIVE)?.exists([node])?
                    && c.prepare_cached(free)?.exists(())?;
                if taken {
                    c.prepare_cached("UPDATE lease SET node = ?1 WHERE name = 'queue'")?
                        .execute([node])?;
                }
                Ok(taken)
            })
        })?;
        if has && !self.holds_queue.swap(has, Ordering::AcqRel) {
            tracing::info!(node, "this node works at the queue");
            self.queue_changed();
        }
        Ok(())
    }

    /// Gives everything up.
    pub(super) fn exit(&self) -> Result<()> {
        let node = self.number();
        self.at_door(|c| {
            for sql in [
                "UPDATE lease SET node = NULL WHERE node = ?1",
                "DELETE FROM maildrop WHERE node = ?1",
                "DELETE FROM node WHERE id = ?1",
            ] {
                c.prepare_cached(sql)?.execute([node])?;
            }
            tidy(c)
        })
    }

    /// Runs what is short on a connection that is kept for it; one that failed is not used again.
    fn at_door<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut door = lock_of(&self.door);
        let kept = door.take().filter(|c| !matches!(c, Connection::Postgres(s) if s.is_closed()));
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let done = run(&connection);
        if done.is_ok() {
            *door = Some(connection);
        }
        done
    }
}

fn life_ms() -> i64 {
    i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX)
}

/// Runs something in a transaction while nobody else writes.
fn in_turn<T>(c: &Connection, run: impl FnOnce() -> Result<T>) -> Result<T> {
    c.run("BEGIN")?;
    let done = c.prepare_cached(IN_TURN)?.exists(()).and_then(|_| run());
    match done {
        Ok(value) => c.run("COMMIT").map(|()| value),
        Err(error) => {
            drop(c.run("ROLLBACK"));
            Err(error)
        }
    }
}

/// Removes what nodes left that do not live any more, and octets that nobody may send.
fn tidy(c: &Connection) -> Result<()> {
    c.prepare_cached("DELETE FROM node WHERE until_ms < now_ms() - 60000")?.execute(())?;
    c.prepare_cached("DELETE FROM change WHERE at_ms < now_ms() - ?1")?
        .execute([CHANGES_KEPT_MS])?;
    c.prepare_cached("DELETE FROM maildrop WHERE NOT EXISTS (SELECT 1 FROM node WHERE id = node)")?
        .execute(())?;
    let left = "SELECT blob FROM staged WHERE NOT EXISTS
                (SELECT 1 FROM node WHERE id = staged.node) ORDER BY blob LIMIT ?1";
    remove(c, left, SWEEP_MAX, "DELETE FROM staged WHERE blob = ?1")?;
    let since = "SELECT coalesce(min(held_since_ms), 0) FROM node WHERE until_ms > now_ms()";
    let since: i64 = c.prepare_cached(since)?.query_row((), |row| row.get(0))?;
    let unused = format!(
        "SELECT id FROM blob WHERE uses = 0 AND went_ms < {} ORDER BY went_ms LIMIT ?1",
        "CAST(current_setting('pillarbox.since') AS BIGINT)"
    );
    c.run(&format!("SET pillarbox.since = '{}'", since - SETTLED_MS))?;
    remove(c, &unused, SWEEP_MAX, "DELETE FROM blob WHERE id = ?1 AND uses = 0")
}

/// Removes blobs with their octets, each of which goes only with its row.
fn remove(c: &Connection, which: &str, max: u32, row: &str) -> Result<()> {
    let found: Vec<u64> =
        c.prepare_cached(which)?.query_map([max], |row| row.get(0))?.collect::<Result<_>>()?;
    if found.is_empty() {
        return Ok(());
    }
    in_turn(c, || {
        for blob in found {
            if c.prepare_cached(row)?.execute([blob])? == 1 {
                blobs::remove(c, blob)?;
            }
        }
        Ok(())
    })
}

/// Maildrops are held for all nodes.
pub(super) struct Doors(pub(super) Weak<Shared>);

impl Elsewhere for Doors {
    fn lock(&self, mailbox: MailboxId) -> Option<u64> {
        let shared = self.0.upgrade()?;
        let node = shared.number();
        let sql = "INSERT INTO maildrop (mailbox, node) VALUES (?1, ?2)
                   ON CONFLICT (mailbox) DO UPDATE SET node = excluded.node
                   WHERE maildrop.node = excluded.node OR NOT EXISTS
                   (SELECT 1 FROM node WHERE id = maildrop.node AND until_ms > now_ms())";
        let taken = shared.at_door(|c| {
            in_turn(c, || {
                let alive = c.prepare_cached(ALIVE)?.exists([node])?;
                Ok(alive && c.prepare_cached(sql)?.execute((mailbox, node))? == 1)
            })
        });
        match taken {
            Ok(taken) => taken.then(|| u64::try_from(node).unwrap_or(0)),
            Err(error) => {
                tracing::error!(%error, "a maildrop could not be locked for all nodes");
                None
            }
        }
    }

    fn unlock(&self, mailbox: MailboxId, term: u64) {
        let Some(shared) = self.0.upgrade() else { return };
        let sql = "DELETE FROM maildrop WHERE mailbox = ?1 AND node = ?2";
        let freed = shared.at_door(|c| c.prepare_cached(sql)?.execute((mailbox, term)));
        if let Err(error) = freed {
            tracing::warn!(%error, "a maildrop stays locked until this node says that it is not");
        }
    }

    fn holds(&self, term: u64) -> bool {
        let Some(shared) = self.0.upgrade() else { return false };
        u64::try_from(shared.number()) == Ok(term) && lock_of(&shared.life).lives()
    }
}

/// Starts the thread that says that the node lives, and the one that tells the hub what others did.
pub(super) fn start(shared: &Arc<Shared>) -> std::io::Result<Vec<JoinHandle<()>>> {
    let living = Arc::clone(shared);
    let lives = std::thread::Builder::new().name("store-node".to_owned()).spawn(move || {
        while !living.is_leaving() {
            std::thread::park_timeout(BEAT);
            if !living.is_leaving()
                && let Err(error) = living.beat()
            {
                tracing::error!(%error, "this node could not say that it lives");
            }
        }
    })?;
    let telling = Arc::clone(shared);
    let tells = std::thread::Builder::new().name("store-news".to_owned()).spawn(move || {
        tell(&telling);
    })?;
    Ok(vec![lives, tells])
}

/// Tells the hub what others committed, until the node leaves.
fn tell(shared: &Shared) {
    let waiting = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(waiting) = waiting else { return };
    let (wake, mut woken) = tokio::sync::mpsc::unbounded_channel();
    *lock_of(&shared.wake) = Some(wake.clone());
    let mut connection = None;
    while !shared.is_leaving() {
        if let Err(error) = look(shared, &mut connection, &wake) {
            connection = None;
            tracing::error!(%error, "what other nodes do could not be read");
        }
        let next = async { tokio::time::timeout(LOOK, woken.recv()).await };
        drop(waiting.block_on(next));
        // One look finds all that was told of until now.
        while woken.try_recv().is_ok() {}
    }
}

fn look(
    shared: &Shared,
    kept: &mut Option<Connection>,
    wake: &tokio::sync::mpsc::UnboundedSender<()>,
) -> Result<()> {
    let is_closed = |c: &Connection| matches!(c, Connection::Postgres(s) if s.is_closed());
    if kept.as_ref().is_none_or(is_closed) {
        *kept = Some(shared.connect_for(Some(wake.clone()))?);
    }
    let Some(connection) = kept else { return Err(Error::NoRows) };
    let mut told = shared.told();
    let queue = catch_up(connection, &shared.hub, &mut told)?;
    drop(told);
    if queue {
        shared.queue_changed();
    }
    Ok(())
}
