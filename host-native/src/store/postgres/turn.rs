//! A group of writes in a database that others write to: it begins when no other node is at it, with the numbers as they
//! are then, and ends with what others are to be told.

use pillarbox_engine::types::Reason;

use super::Shared;
use super::news::{catch_up, written};
use crate::store::sql::connection::{Connection, Error, Result};
use crate::store::sql::group::Did;
use crate::store::sql::queue::Counts;
use crate::store::sql::writer::Writer;

impl Writer {
    /// Begins, behind all others' commits and before any that follows.
    pub(in super::super) fn begin_shared(&mut self, shared: &Shared) -> Result<()> {
        let usable = match &self.connection {
            Connection::Postgres(session) => {
                !session.is_closed() && session.node() == shared.number()
            }
            Connection::Sqlite(_) => true,
        };
        if !usable {
            self.connection = shared.connect()?;
        }
        self.connection.run("BEGIN")?;
        let counters: Vec<(String, u64)> = self
            .connection
            .prepare_cached("SELECT name, value FROM counter ORDER BY name FOR UPDATE")?
            .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_>>()?;
        let lives = "SELECT 1 FROM node WHERE id = ?1 AND until_ms > now_ms()";
        if !self.connection.prepare_cached(lives)?.exists([shared.number()])? {
            return Err(Error::Unreached("this node's time was over".to_owned()));
        }
        let of = |name: &str| -> Result<u64> {
            let found = counters.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| *value).ok_or(Error::NoRows)
        };
        self.modseq = of("modseq")?;
        self.uid_validity = u32::try_from(of("uid_validity")?).unwrap_or(u32::MAX);
        self.queue = Counts {
            messages: of("queue_messages")?,
            tasks: of("queue_tasks")?,
            held: of("queue_held")?,
            latest_ms: of("queue_latest")?,
        };
        // Others may have renamed or removed what was known.
        self.inboxes.clear();
        // What they did is told before what is done now.
        let (hub, mut told) = (self.hub.clone(), self.told);
        let queue = catch_up(&self.connection, &hub, &mut told)?;
        self.told = told;
        if queue {
            shared.queue_changed();
        }
        Ok(())
    }

    /// Ends with the news for others, which are told exactly if this is committed.
    pub(in super::super) fn commit_shared(
        &mut self,
        did: &[Did],
        queue_changed: bool,
    ) -> Result<()> {
        for blob in &self.unused {
            self.connection
                .prepare_cached("UPDATE blob SET went_ms = now_ms() WHERE id = ?1 AND uses = 0")?
                .execute([*blob])?;
        }
        let news = written(did, queue_changed)?;
        if let Some(news) = &news {
            let seq = self.told + 1;
            self.connection
                .prepare_cached("INSERT INTO change (seq, at_ms, news) VALUES (?1, now_ms(), ?2)")?
                .execute((seq, news))?;
            self.connection
                .prepare_cached("UPDATE counter SET value = ?1 WHERE name = 'change'")?
                .execute([seq])?;
            self.connection.run("NOTIFY pillarbox")?;
        }
        self.connection.run("COMMIT")?;
        // The writers' own sessions are told by whoever answers them, before anybody else tells anything.
        self.told += u64::from(news.is_some());
        Ok(())
    }

    /// What a commit that was not answered is to those who asked for it: not done, as far as is known.
    pub(in super::super) fn unanswered(&mut self, shared: &Shared, error: &Error) -> Reason {
        tracing::error!(%error, "a commit was not answered; whether it happened is found out");
        // If it happened it is among the changes that nobody was told of yet, and all are.
        if let Ok(connection) = shared.connect() {
            self.connection = connection;
        }
        if error.is_full() { Reason::StorageFull } else { Reason::StorageFailed }
    }
}
