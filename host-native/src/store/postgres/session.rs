//! One connection to PostgreSQL, for threads that wait: what the store reads and writes is asked for synchronously, on
//! whichever thread asks. Octets go through one thread of the store's own, so nothing here needs a runtime around it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::super::sql::connection::{Error, Result, Use};
use super::super::sql::value::Value;

/// A row of PostgreSQL.
pub(in super::super) type Found = tokio_postgres::Row;

/// A connection.
pub(in super::super) struct Session {
    client: Client,
    prepared: RefCell<HashMap<String, Statement>>,
    changes: Cell<u64>,
    /// A statement failed in the open transaction: its commit would be a rollback that looks like success.
    broken: Cell<bool>,
    /// The number of the node that opened it.
    node: i64,
}

impl Session {
    pub(super) fn new(client: Client, node: i64) -> Self {
        let (prepared, changes, broken) = Default::default();
        Self { client, prepared, changes, broken, node }
    }

    /// The statement of this text; the dialect of SQLite is put into the other's words.
    pub(in super::super) fn prepare(&self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.prepared.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.noted(wait(self.client.prepare(&translated(sql))))?;
        self.prepared.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(in super::super) fn execute(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<usize> {
        let params = params(values);
        let changed = self.noted(wait(self.client.execute(statement, &params)))?;
        self.changes.set(self.changes.get() + changed);
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub(in super::super) fn query(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
        used: Use,
    ) -> Result<Vec<Found>> {
        let params = params(values);
        let rows = self.noted(wait(self.client.query(statement, &params)))?;
        self.changes.set(self.changes.get() + u64::from(used == Use::Writes));
        Ok(rows)
    }

    /// Runs what has no parameters. A commit after a failure fails.
    pub(in super::super) fn run(&self, sql: &str) -> Result<()> {
        if sql == "COMMIT" && self.broken.get() {
            return Err(Error::Unreached("the transaction had failed before its end".to_owned()));
        }
        if sql.starts_with("ROLLBACK") || sql.starts_with("BEGIN") {
            self.broken.set(false);
        }
        self.noted(wait(self.client.batch_execute(sql)))
    }

    pub(in super::super) fn changes(&self) -> u64 {
        self.changes.get()
    }

    pub(super) fn node(&self) -> i64 {
        self.node
    }

    pub(in super::super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    fn noted<T>(&self, done: std::result::Result<T, tokio_postgres::Error>) -> Result<T> {
        if done.is_err() {
            self.broken.set(true);
        }
        Ok(done?)
    }
}

fn params<'v>(values: &'v [Value<'v>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Texts are written for SQLite; only words differ, never what they mean.
fn translated(sql: &str) -> String {
    let words = [
        ("CROSS JOIN", "JOIN"),
        (" INDEXED BY message_deleted", ""),
        ("x''", "''::bytea"),
        (" AS BLOB)", " AS bytea)"),
    ];
    words.iter().fold(sql.replace('?', "$"), |sql, (from, to)| sql.replace(from, to))
}

/// Waits on this thread, be it one of a runtime or not.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
