//! One form for the two databases that speak SQL: what is prepared, run and read is the same text for both. How a
//! connection is made, and what a database does by itself, is left to `sqlite` and `postgres`.

use std::fmt;

use super::super::postgres::session::{Found, Session};
use super::value::{Cell, FromCell, Params};

/// A connection to a database.
pub(in super::super) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Session),
}

/// What may be run again and again.
pub(in super::super) enum Statement<'c> {
    Sqlite(rusqlite::CachedStatement<'c>),
    Postgres(&'c Session, tokio_postgres::Statement, Use),
}

/// What a statement that gives rows does besides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Use {
    Reads,
    Writes,
}

/// A row that was found.
pub(in super::super) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r Found),
}

/// Rows, one after the other.
pub(in super::super) enum Rows<'s> {
    Sqlite(rusqlite::Rows<'s>),
    Postgres(std::vec::IntoIter<Found>, Option<Found>),
}

/// Why a statement gave nothing.
#[derive(Debug)]
pub(in super::super) enum Error {
    /// There is no such row.
    NoRows,
    /// What is stored, or is to be stored, does not have the right form.
    Form(String),
    Sqlite(rusqlite::Error),
    Postgres(tokio_postgres::Error),
    /// The database is not reached, or this node must not write to it.
    Unreached(String),
}

pub(in super::super) type Result<T> = std::result::Result<T, Error>;

impl Connection {
    pub(in super::super) fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>> {
        Ok(match self {
            Self::Sqlite(connection) => Statement::Sqlite(connection.prepare_cached(sql)?),
            Self::Postgres(session) => {
                let used = if sql.starts_with("SELECT") { Use::Reads } else { Use::Writes };
                Statement::Postgres(session, session.prepare(sql)?, used)
            }
        })
    }

    /// Runs what has no parameters and gives no rows.
    pub(in super::super) fn run(&self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => {
                connection.prepare_cached(sql)?.execute([])?;
                Ok(())
            }
            Self::Postgres(session) => session.run(sql),
        }
    }

    /// Begins what reads one state.
    pub(in super::super) fn begin_reading(&self) -> Result<()> {
        self.run(match self {
            Self::Sqlite(_) => "BEGIN",
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })
    }

    /// Rows that were changed since it was opened.
    pub(in super::super) fn total_changes(&self) -> u64 {
        match self {
            Self::Sqlite(connection) => connection.total_changes(),
            Self::Postgres(session) => session.changes(),
        }
    }

    /// Whether it was cut.
    pub(in super::super) fn is_closed(&self) -> bool {
        matches!(self, Self::Postgres(session) if session.is_closed())
    }

    /// Whether no transaction is open.
    pub(in super::super) fn is_autocommit(&self) -> bool {
        match self {
            Self::Sqlite(connection) => connection.is_autocommit(),
            Self::Postgres(session) => session.is_closed(),
        }
    }
}

impl Statement<'_> {
    pub(in super::super) fn execute(&mut self, params: impl Params) -> Result<usize> {
        match self {
            Self::Sqlite(statement) => Ok(statement.execute(params)?),
            Self::Postgres(session, statement, _) => session.execute(statement, &params.values()),
        }
    }

    pub(in super::super) fn query_row<T>(
        &mut self,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        match self {
            Self::Sqlite(statement) => {
                let mut rows = statement.query(params)?;
                let row = rows.next()?.ok_or(Error::NoRows)?;
                read(&Row::Sqlite(row))
            }
            Self::Postgres(session, statement, used) => {
                let rows = session.query(statement, &params.values(), *used)?;
                read(&Row::Postgres(rows.first().ok_or(Error::NoRows)?))
            }
        }
    }

    pub(in super::super) fn query_map<T>(
        &mut self,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<std::vec::IntoIter<Result<T>>> {
        let mut rows = self.query(params)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(&row));
        }
        Ok(all.into_iter())
    }

    pub(in super::super) fn query(&mut self, params: impl Params) -> Result<Rows<'_>> {
        Ok(match self {
            Self::Sqlite(statement) => Rows::Sqlite(statement.query(params)?),
            Self::Postgres(session, statement, used) => {
                let rows = session.query(statement, &params.values(), *used)?;
                Rows::Postgres(rows.into_iter(), None)
            }
        })
    }

    pub(in super::super) fn exists(&mut self, params: impl Params) -> Result<bool> {
        Ok(self.query(params)?.next()?.is_some())
    }
}

impl Rows<'_> {
    pub(in super::super) fn next(&mut self) -> Result<Option<Row<'_>>> {
        match self {
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
            Self::Postgres(rows, current) => {
                *current = rows.next();
                Ok(current.as_ref().map(Row::Postgres))
            }
        }
    }
}

impl Row<'_> {
    pub(in super::super) fn get<I: Place, T: FromCell>(&self, at: I) -> Result<T> {
        let at = at.number();
        match self {
            Self::Sqlite(row) => Ok(row.get(at)?),
            Self::Postgres(found) => {
                let cell = found.try_get::<_, Cell<'_>>(at)?;
                T::from_cell(cell).ok_or_else(|| Error::Form(format!("column {at}: {cell:?}")))
            }
        }
    }
}

/// The number of a column.
pub(in super::super) trait Place {
    fn number(self) -> usize;
}

impl Place for usize {
    fn number(self) -> usize {
        self
    }
}

/// A row that need not be there.
pub(in super::super) trait OptionalExtension<T> {
    fn optional(self) -> Result<Option<T>>;
}

impl<T> OptionalExtension<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::NoRows) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Error {
    /// Whether there is no room for more.
    pub(in super::super) fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => {
                matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull))
            }
            Self::Postgres(error) => {
                error.code() == Some(&tokio_postgres::error::SqlState::DISK_FULL)
            }
            Self::NoRows | Self::Form(_) | Self::Unreached(_) => false,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::QueryReturnedNoRows => Self::NoRows,
            error => Self::Sqlite(error),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRows => f.write_str("there is no such row"),
            Self::Form(what) => write!(f, "it does not have the right form: {what}"),
            Self::Sqlite(error) => error.fmt(f),
            Self::Postgres(error) => match error.as_db_error() {
                // Its message alone: what it was about may be in its details.
                Some(said) => write!(f, "PostgreSQL: {}", said.message()),
                None => write!(f, "PostgreSQL: {error}"),
            },
            Self::Unreached(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}
