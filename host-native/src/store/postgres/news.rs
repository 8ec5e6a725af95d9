//! What one node's commits tell the sessions of the others: rows in the order of commits, written in the transaction that
//! they tell of. A notification only says that there is something to read, so none can be missed.

use pillarbox_engine::imap::types::Change;
use pillarbox_world::hub::Hub;
use pillarbox_world::store::{AccountId, Happening, MailboxId};
use serde::{Deserialize, Serialize};

use crate::store::sql::connection::{Connection, Error, Result};
use crate::store::sql::group::Did;
use crate::store::sql::reads;

/// Rows that are read at once.
const PAGE: u32 = 256;
/// Rows or runs of one change; of more, sessions are told to read everything again, as they would be here.
const WEIGHT_MAX: usize = 256;

/// One commit.
#[derive(Serialize, Deserialize)]
struct News {
    changes: Vec<(MailboxId, Change)>,
    happenings: Vec<(AccountId, Told)>,
    /// The queue changed.
    queue: bool,
}

/// A [`Happening`] in the form that nodes exchange.
#[derive(Serialize, Deserialize)]
enum Told {
    Created(Vec<u8>),
    Deleted(Vec<u8>, Vec<Vec<u8>>),
    Renamed(Vec<u8>, Vec<u8>),
    Subscribed(Vec<u8>),
    Rights(MailboxId),
    Annotated(Option<MailboxId>, Vec<Vec<u8>>),
}

/// What a group of writes did, if others are to hear of it.
pub(super) fn written(did: &[Did], queue: bool) -> Result<Option<String>> {
    let mut news = News { changes: Vec::new(), happenings: Vec::new(), queue };
    for (done, happenings) in did {
        let Ok((_, changes)) = done else { continue };
        news.changes.extend(changes.iter().map(|(mailbox, change)| (*mailbox, bounded(change))));
        let told = happenings.iter().map(|(account, happening)| (*account, told(happening)));
        news.happenings.extend(told);
    }
    if news.changes.is_empty() && news.happenings.is_empty() && !queue {
        return Ok(None);
    }
    serde_json::to_string(&news).map(Some).map_err(|error| Error::Form(error.to_string()))
}

/// Tells the hub what was committed after `told`, and moves it on. True if the queue changed.
pub(super) fn catch_up(c: &Connection, hub: &Hub, told: &mut u64) -> Result<bool> {
    let mut queue = false;
    loop {
        let newest: u64 = c
            .prepare_cached("SELECT value FROM counter WHERE name = 'change'")?
            .query_row((), |row| row.get(0))?;
        if newest <= *told {
            return Ok(queue);
        }
        let page: Vec<(u64, String)> = c
            .prepare_cached("SELECT seq, news FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
            .query_map((*told, PAGE), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_>>()?;
        if page.first().is_none_or(|(seq, _)| *seq != *told + 1) {
            // This node was away for longer than commits are remembered.
            hub.lose();
            *told = newest;
            return Ok(true);
        }
        for (seq, text) in page {
            let news: News =
                serde_json::from_str(&text).map_err(|error| Error::Form(error.to_string()))?;
            let happenings: Vec<(AccountId, Happening)> =
                news.happenings.into_iter().map(|(account, told)| (account, heard(told))).collect();
            let owner = |mailbox| Some(reads::place(c, mailbox).ok()?.0);
            hub.publish(0, &news.changes, &happenings, owner);
            queue |= news.queue;
            *told = seq;
        }
    }
}

fn bounded(change: &Change) -> Change {
    let weight = match change {
        Change::Arrived(arrived) => arrived.runs.len(),
        Change::Expunged(expunged) => expunged.runs.len(),
        Change::Flags(rows) => rows.len(),
        Change::Resynchronise | Change::Deleted => 1,
    };
    if weight > WEIGHT_MAX { Change::Resynchronise } else { change.clone() }
}

fn told(happening: &Happening) -> Told {
    match happening.clone() {
        Happening::Created(name) => Told::Created(name),
        Happening::Deleted(name, seen) => Told::Deleted(name, seen),
        Happening::Renamed(from, to) => Told::Renamed(from, to),
        Happening::Subscribed(name) => Told::Subscribed(name),
        Happening::Rights(mailbox) => Told::Rights(mailbox),
        Happening::Annotated(mailbox, names) => Told::Annotated(mailbox, names),
    }
}

fn heard(told: Told) -> Happening {
    match told {
        Told::Created(name) => Happening::Created(name),
        Told::Deleted(name, seen) => Happening::Deleted(name, seen),
        Told::Renamed(from, to) => Happening::Renamed(from, to),
        Told::Subscribed(name) => Happening::Subscribed(name),
        Told::Rights(mailbox) => Happening::Rights(mailbox),
        Told::Annotated(mailbox, names) => Happening::Annotated(mailbox, names),
    }
}
