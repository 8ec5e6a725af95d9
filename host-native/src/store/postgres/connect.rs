//! Connections to PostgreSQL: what is asked of the server before anything is written there, and the schema.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::schema::{SCHEMA, VERSION};
use super::session::{Session, wait};
use crate::config::Database;
use crate::store::sql::connection::{Error, Result, Use};

/// How long a connection is waited for, and after which silence of its peer it is given up.
const CONNECT_MAX: Duration = Duration::from_secs(5);
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What each connection begins with. A statement that hangs ends, so that no thread is lost to it.
const BEGIN: &str = "
SET search_path = pillarbox; SET statement_timeout = '30s'; SET lock_timeout = '20s';
SET idle_in_transaction_session_timeout = '30s'; SET client_min_messages = warning;
SET plan_cache_mode = force_generic_plan;";

/// What must be on for a commit to be durable.
const SETTINGS: &str = "SELECT current_setting('fsync'), current_setting('full_page_writes'),
    current_setting('synchronous_commit'), current_setting('data_checksums'),
    CAST(current_setting('server_version_num') AS BIGINT)";

/// A connection for the node with this number; `news` is told of each notification, if there is one to tell.
pub(super) fn connect(
    runtime: &Handle,
    database: &Database,
    node: i64,
    news: Option<UnboundedSender<()>>,
) -> Result<Session> {
    let mut config = database.config().clone();
    config.application_name("pillarbox").connect_timeout(CONNECT_MAX);
    config.tcp_user_timeout(SILENCE_MAX).keepalives_idle(SILENCE_MAX);
    let listens = news.is_some();
    let made = runtime.spawn(async move {
        let (client, mut connection) = config.connect(NoTls).await?;
        tokio::spawn(async move {
            loop {
                let message = std::future::poll_fn(|context| connection.poll_message(context));
                match message.await {
                    Some(Ok(AsyncMessage::Notification(_))) => {
                        if let Some(news) = &news {
                            let _ = news.send(());
                        }
                    }
                    Some(Ok(_)) => {}
                    // Whoever asks by it learns that it is closed.
                    Some(Err(_)) | None => break,
                }
            }
        });
        Ok::<Client, tokio_postgres::Error>(client)
    });
    let client = wait(made).map_err(|error| Error::Unreached(error.to_string()))??;
    let session = Session::new(client, node);
    session.run(&format!("{BEGIN} SET pillarbox.node = '{node}';"))?;
    check(&session)?;
    if listens {
        session.run("LISTEN pillarbox")?;
    }
    Ok(session)
}

/// Refuses a server whose commits may be lost: it would be answered to peers that mail is kept.
fn check(session: &Session) -> Result<()> {
    let [fsync, pages, commit, _] = settings(session)?;
    let wrong = |what: &str| Err(Error::Unreached(format!("{what}: mail could be lost there")));
    if fsync != "on" {
        return wrong("its fsync is off");
    }
    if pages != "on" {
        return wrong("its full_page_writes is off");
    }
    if !["on", "remote_apply"].contains(&commit.as_str()) {
        return wrong(&format!("its synchronous_commit is {commit}, and must be on"));
    }
    Ok(())
}

/// fsync, full_page_writes, synchronous_commit and data_checksums.
pub(super) fn settings(session: &Session) -> Result<[String; 4]> {
    let found = session.query(&session.prepare(SETTINGS)?, &[], Use::Reads)?;
    let row = found.first().ok_or(Error::NoRows)?;
    if row.try_get::<_, i64>(4)? < 130_000 {
        return Err(Error::Unreached("it is older than PostgreSQL 13".to_owned()));
    }
    Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?])
}

/// Makes the schema unless it is there; refuses one of a newer program.
pub(super) fn prepare(session: &Session) -> Result<()> {
    // Two nodes that start at once make it one after the other.
    session.run("BEGIN; SELECT pg_advisory_xact_lock(hashtext('pillarbox schema'));")?;
    session.run("CREATE SCHEMA IF NOT EXISTS pillarbox")?;
    let there = "SELECT to_regclass('pillarbox.counter') IS NOT NULL";
    let found = session.query(&session.prepare(there)?, &[], Use::Reads)?;
    if !found.first().ok_or(Error::NoRows)?.try_get::<_, bool>(0)? {
        session.run(SCHEMA)?;
    }
    let version = "SELECT value FROM counter WHERE name = 'schema'";
    let found = session.query(&session.prepare(version)?, &[], Use::Reads)?;
    let version: i64 = found.first().ok_or(Error::NoRows)?.try_get(0)?;
    session.run("COMMIT")?;
    if version != VERSION {
        let what = format!("it has schema {version}, and this pillarbox knows {VERSION}");
        return Err(Error::Unreached(what));
    }
    Ok(())
}
