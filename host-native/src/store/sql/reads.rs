//! Reads of the SQLite store: each in one short transaction, on the caller's thread.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::connection::{self, Connection, OptionalExtension};
use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{
    FlagPage, FlagRow, FlagsAsk, MailboxPage, MailboxRow, MailboxStatus, MailboxesAsk, Opened,
    OrderAsk, OrderPage, Row, RowPage, RowsAsk, SearchAsk, SortKeys, UidPage, UidRun, VanishedAsk,
    VanishedPage,
};
use pillarbox_engine::imap::url_token::AccessKey;
use pillarbox_engine::types::{BlobRange, Reason};
use pillarbox_world::store::{
    AccountId, MailboxId, MaildropEntry, PAGE_OCTETS_MAX, Quota, Shared, SharedAsk, Store,
    UploadId, keyword_octets, push_uid, vanished_page,
};

use super::rows::{STATUS, flags, keywords_of_octets, status, uses_of_text};
use super::{Home, SqlStore, blobs, property, sharing};

/// Runs in one page of UIDs.
const RUNS_MAX: usize = 256;

impl Store for SqlStore {
    fn account(&self, name: &[u8]) -> Result<Option<AccountId>, Reason> {
        self.read(|c| {
            let mut find = c.prepare_cached("SELECT id FROM account WHERE name = ?1")?;
            find.query_row([name], |row| row.get(0)).optional()
        })
    }

    fn accounts(&self, after: Option<&[u8]>, max: u32) -> Result<Vec<Vec<u8>>, Reason> {
        self.read(|c| {
            let mut find = c.prepare_cached(
                "SELECT name FROM account WHERE name > ?1 ORDER BY name LIMIT ?2",
            )?;
            find.query_map((after.unwrap_or_default(), max), |row| row.get(0))?.collect()
        })
    }

    fn mailboxes(&self, account: AccountId, ask: &MailboxesAsk) -> Result<MailboxPage, Reason> {
        self.read(|c| consistently(c, || mailboxes(c, account, ask)))
    }

    fn status(&self, account: AccountId, name: &[u8]) -> Result<MailboxStatus, Reason> {
        self.read(|c| {
            consistently(c, || {
                let id = mailbox(c, account, name)?;
                status_of(c, id).map(|(status, _)| status)
            })
        })
    }

    fn mailbox(&self, account: AccountId, name: &[u8]) -> Result<MailboxId, Reason> {
        self.read(|c| mailbox(c, account, name))
    }

    fn place(&self, mailbox: MailboxId) -> Result<(AccountId, Vec<u8>), Reason> {
        self.read(|c| place(c, mailbox))
    }

    fn opened(&self, mailbox: MailboxId) -> Result<Opened, Reason> {
        self.read(|c| consistently(c, || opened(c, mailbox)))
    }

    fn uids(&self, mailbox: MailboxId, after: u32) -> Result<UidPage, Reason> {
        self.read(|c| consistently(c, || uids(c, mailbox, after)))
    }

    fn vanished(&self, mailbox: MailboxId, ask: &VanishedAsk) -> Result<VanishedPage, Reason> {
        self.read(|c| consistently(c, || vanished(c, mailbox, ask)))
    }

    fn rows(&self, mailbox: MailboxId, ask: &RowsAsk) -> Result<RowPage, Reason> {
        self.read(|c| consistently(c, || rows(c, mailbox, ask)))
    }

    fn flags(&self, mailbox: MailboxId, ask: &FlagsAsk) -> Result<FlagPage, Reason> {
        self.read(|c| consistently(c, || flag_rows(c, mailbox, ask)))
    }

    fn candidates(
        &self,
        mailbox: MailboxId,
        ask: &SearchAsk,
    ) -> Result<Option<Vec<UidRun>>, Reason> {
        Ok(self.full_text.get().and_then(|full_text| full_text.candidates(mailbox, ask)))
    }

    fn order(&self, mailbox: MailboxId, ask: &OrderAsk) -> Option<OrderPage> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).page(mailbox, ask)
    }

    fn keep_order(&self, mailbox: MailboxId, told: SortKeys) -> bool {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).keep(mailbox, told)
    }

    fn octets(&self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        self.read(|c| blobs::read(c, range.blob, range.offset, range.length))
    }

    fn staged(&self, upload: UploadId, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        self.read(|c| blobs::read(c, upload, offset, length))
    }

    fn maildrop(&self, mailbox: MailboxId) -> Result<Vec<MaildropEntry>, Reason> {
        self.read(|c| {
            let mut find = c.prepare_cached(
                "SELECT uid, blob, size, plain FROM message WHERE mailbox = ?1 ORDER BY uid",
            )?;
            let entry = |row: &connection::Row<'_>| {
                let (uid, blob) = (row.get(0)?, row.get(1)?);
                Ok(MaildropEntry { uid, blob, size: row.get(2)?, plain: row.get(3)? })
            };
            find.query_map([mailbox], entry)?.collect()
        })
    }

    fn quota(&self, account: AccountId) -> Result<Quota, Reason> {
        self.read(|c| consistently(c, || property::quota(c, account)))
    }

    fn is_full(&self, name: &[u8]) -> Result<bool, Reason> {
        if !self.known.limited.load(Ordering::Relaxed) {
            return Ok(false);
        }
        self.read(|c| property::is_full(c, name))
    }

    fn metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Reason> {
        self.read(|c| property::metadata(c, account, mailbox))
    }

    fn collected(
        &self,
        account: AccountId,
        source: &[u8],
        keys: &[Vec<u8>],
    ) -> Result<Vec<bool>, Reason> {
        self.read(|c| {
            let mut find = c.prepare_cached(
                "SELECT 1 FROM collected WHERE account = ?1 AND source = ?2 AND key = ?3",
            )?;
            keys.iter().map(|key| find.exists((account, source, key))).collect()
        })
    }

    fn account_name(&self, account: AccountId) -> Result<Vec<u8>, Reason> {
        self.read(|c| {
            let mut find = c.prepare_cached("SELECT name FROM account WHERE id = ?1")?;
            find.query_row([account], |row| row.get(0))
        })
    }

    fn acl(&self, mailbox: MailboxId) -> Result<Vec<(Vec<u8>, Rights)>, Reason> {
        self.read(|c| sharing::acl(c, mailbox))
    }

    fn access_key(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Option<AccessKey>, Reason> {
        self.read(|c| {
            if !c.prepare_cached("SELECT 1 FROM mailbox WHERE id = ?1")?.exists([mailbox])? {
                return Err(connection::Error::NoRows);
            }
            sharing::access_key(c, account, mailbox)
        })
    }

    fn shared(&self, ask: &SharedAsk) -> Result<Vec<Shared>, Reason> {
        self.read(|c| sharing::shared(c, ask))
    }

    fn sharers(&self, who: &[u8], except: AccountId) -> Result<Vec<AccountId>, Reason> {
        self.read(|c| sharing::sharers(c, who, except))
    }

    fn upload(&self) -> UploadId {
        let Home::Postgres(_) = &self.home else {
            return self.known.next_blob.fetch_add(1, Ordering::Relaxed);
        };
        // Where no number is had, nothing can be staged either: a number that is nobody's is refused there.
        self.read(next_blob).unwrap_or(blobs::NOBODY)
    }
}

/// The number of a new message where nodes share them.
pub(super) fn next_blob(c: &Connection) -> connection::Result<u64> {
    c.prepare_cached("SELECT nextval('blob_number')")?.query_row((), |row| row.get(0))
}

/// Runs several queries on one state of the file.
pub(super) fn consistently<T, E: From<connection::Error>>(
    c: &Connection,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    c.begin_reading()?;
    let value = read();
    c.run("COMMIT")?;
    value
}

/// Whose a mailbox is, and its name.
pub(in super::super) fn place(
    c: &Connection,
    mailbox: MailboxId,
) -> connection::Result<(AccountId, Vec<u8>)> {
    c.prepare_cached("SELECT account, name FROM name WHERE mailbox = ?1")?
        .query_row([mailbox], |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn mailbox(
    c: &Connection,
    account: AccountId,
    name: &[u8],
) -> connection::Result<MailboxId> {
    let mut find = c.prepare_cached(
        "SELECT mailbox FROM name WHERE account = ?1 AND name = ?2 AND mailbox IS NOT NULL",
    )?;
    find.query_row((account, name), |row| row.get(0))
}

/// Counters of a mailbox, and its mark of \Recent.
fn status_of(c: &Connection, mailbox: MailboxId) -> connection::Result<(MailboxStatus, u32)> {
    let mut find = c.prepare_cached(&format!("SELECT {STATUS} FROM mailbox m WHERE id = ?1"))?;
    let (mut status, recent_from) =
        find.query_row([mailbox], |row| Ok((status(row, 0)?, row.get::<_, u32>(8)?)))?;
    if recent_from < status.uid_next {
        let mut count =
            c.prepare_cached("SELECT count(*) FROM message WHERE mailbox = ?1 AND uid >= ?2")?;
        status.recent = count.query_row((mailbox, recent_from), |row| row.get(0))?;
    }
    Ok((status, recent_from))
}

fn mailboxes(
    c: &Connection,
    account: AccountId,
    ask: &MailboxesAsk,
) -> connection::Result<MailboxPage> {
    let mut find = c.prepare_cached(
        "SELECT n.name, coalesce(x.known, 0), x.mailbox, s.name IS NOT NULL
         FROM (SELECT name FROM name WHERE account = ?1 AND name > ?2
               UNION SELECT name FROM subscription WHERE account = ?1 AND name > ?2) n
         LEFT JOIN (SELECT name, mailbox, 1 AS known FROM name WHERE account = ?1) x ON x.name = n.name
         LEFT JOIN subscription s ON s.account = ?1 AND s.name = n.name
         WHERE substr(n.name, 1, ?5) = ?3
         ORDER BY n.name LIMIT ?4",
    )?;
    let after = ask.after.clone().unwrap_or_default();
    let limit = i64::from(ask.max) + 1;
    type Found = (Vec<u8>, bool, Option<MailboxId>, bool);
    let found: Vec<Found> = find
        .query_map((account, after, &ask.prefix, limit, ask.prefix.len()), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<connection::Result<_>>()?;
    let more = found.len() > ask.max as usize;
    let mut rows = Vec::new();
    for (name, exists, mailbox, subscribed) in found.into_iter().take(ask.max as usize) {
        let special_uses = match mailbox {
            Some(id) => {
                let mut find =
                    c.prepare_cached("SELECT special_uses FROM mailbox WHERE id = ?1")?;
                uses_of_text(&find.query_row([id], |row| row.get::<_, String>(0))?)
            }
            None => Vec::new(),
        };
        let status = match mailbox.filter(|_| ask.status) {
            Some(id) => Some(status_of(c, id)?.0),
            None => None,
        };
        let has_children = has_below(c, account, &name)?;
        let selectable = mailbox.is_some();
        rows.push(MailboxRow {
            name,
            exists,
            selectable,
            subscribed,
            has_children,
            special_uses,
            rights: if selectable { Rights::ALL.letters() } else { Vec::new() },
            status,
        });
    }
    Ok(MailboxPage { rows, more })
}

/// Whether names stand below this one. `0` is the octet after `/`.
pub(super) fn has_below(
    c: &Connection,
    account: AccountId,
    name: &[u8],
) -> connection::Result<bool> {
    let (first, end) = below(name);
    c.prepare_cached("SELECT 1 FROM name WHERE account = ?1 AND name >= ?2 AND name < ?3 LIMIT 1")?
        .exists((account, first, end))
}

/// The range of names below this one.
pub(super) fn below(name: &[u8]) -> (Vec<u8>, Vec<u8>) {
    ([name, b"/"].concat(), [name, b"0"].concat())
}

fn opened(c: &Connection, mailbox: MailboxId) -> connection::Result<Opened> {
    let (status, recent_from) = status_of(c, mailbox)?;
    let keywords: Vec<u8> = c
        .prepare_cached("SELECT keywords FROM mailbox WHERE id = ?1")?
        .query_row([mailbox], |row| row.get(0))?;
    let first_unseen = if status.unseen == 0 {
        None
    } else {
        c.prepare_cached(
            "SELECT uid FROM message WHERE mailbox = ?1 AND flags & 8 = 0 ORDER BY uid LIMIT 1",
        )?
        .query_row([mailbox], |row| row.get(0))
        .optional()?
    };
    let keywords = keywords_of_octets(&keywords);
    let uids = uids(c, mailbox, 0)?;
    let rights = Rights::ALL.letters();
    Ok(Opened { status, read_only: false, rights, first_unseen, recent_from, keywords, uids })
}

fn uids(c: &Connection, mailbox: MailboxId, after: u32) -> connection::Result<UidPage> {
    if let Some(runs) = uids_but_expunged(c, mailbox)? {
        let above = after.saturating_add(1);
        let rest = runs.into_iter().filter(|run| run.last > after);
        let mut runs: Vec<UidRun> = rest
            .map(|run| UidRun { first: run.first.max(above), ..run })
            .take(RUNS_MAX + 1)
            .collect();
        let more = runs.len() > RUNS_MAX;
        runs.truncate(RUNS_MAX);
        return Ok(UidPage { runs, more });
    }
    let mut find =
        c.prepare_cached("SELECT uid FROM message WHERE mailbox = ?1 AND uid > ?2 ORDER BY uid")?;
    let mut found = find.query((mailbox, after))?;
    let mut runs: Vec<UidRun> = Vec::new();
    while let Some(row) = found.next()? {
        let uid: u32 = row.get(0)?;
        let joins = runs.last().is_some_and(|run| run.last.checked_add(1) == Some(uid));
        if !joins && runs.len() == RUNS_MAX {
            return Ok(UidPage { runs, more: true });
        }
        push_uid(&mut runs, uid);
    }
    Ok(UidPage { runs, more: false })
}

/// All UIDs of a mailbox, told without reading its messages: those from the first to the last but for what is remembered
/// as expunged. `None` if that does not make as many as there are, since some of it is forgotten.
fn uids_but_expunged(
    c: &Connection,
    mailbox: MailboxId,
) -> connection::Result<Option<Vec<UidRun>>> {
    let count: u64 = c
        .prepare_cached("SELECT messages FROM mailbox WHERE id = ?1")?
        .query_row([mailbox], |row| row.get(0))?;
    // One each: together they would read every row.
    let end = |which: &str| -> connection::Result<Option<u32>> {
        c.prepare_cached(&format!("SELECT {which}(uid) FROM message WHERE mailbox = ?1"))?
            .query_row([mailbox], |row| row.get(0))
    };
    let (Some(first), Some(last)) = (end("min")?, end("max")?) else { return Ok(Some(Vec::new())) };
    if u64::from(last - first) + 1 == count {
        return Ok(Some(vec![UidRun { first, last }]));
    }
    let mut find = c.prepare_cached(
        "SELECT first, last FROM expunged WHERE mailbox = ?1 AND last >= ?2 ORDER BY first",
    )?;
    let run = |row: &connection::Row<'_>| Ok(UidRun { first: row.get(0)?, last: row.get(1)? });
    let gone: Vec<UidRun> =
        find.query_map((mailbox, first), run)?.collect::<connection::Result<_>>()?;
    let (mut runs, mut next) = (Vec::new(), first);
    for gap in gone.into_iter().filter(|gap| gap.first <= last) {
        if gap.first > next {
            runs.push(UidRun { first: next, last: gap.first - 1 });
        }
        next = next.max(gap.last.saturating_add(1));
    }
    if next <= last {
        runs.push(UidRun { first: next, last });
    }
    let told: u64 = runs.iter().map(|run| u64::from(run.last - run.first) + 1).sum();
    Ok((told == count).then_some(runs))
}

fn vanished(
    c: &Connection,
    mailbox: MailboxId,
    ask: &VanishedAsk,
) -> connection::Result<VanishedPage> {
    let forgotten: u64 = c
        .prepare_cached("SELECT forgotten_modseq FROM mailbox WHERE id = ?1")?
        .query_row([mailbox], |row| row.get(0))?;
    if ask.since < forgotten {
        return Ok(VanishedPage::default());
    }
    let mut find =
        c.prepare_cached("SELECT first, last FROM expunged WHERE mailbox = ?1 AND modseq > ?2")?;
    let run = |row: &connection::Row<'_>| Ok(UidRun { first: row.get(0)?, last: row.get(1)? });
    let runs = find.query_map((mailbox, ask.since), run)?.collect::<connection::Result<_>>()?;
    Ok(vanished_page(runs, ask.above))
}

/// Whether there may be something above a mod-sequence. The usual answer to who was away: nothing has changed.
fn has_changed(c: &Connection, mailbox: MailboxId, since: u64) -> connection::Result<bool> {
    if since == 0 {
        return Ok(true);
    }
    let mut find = c.prepare_cached("SELECT highest_modseq FROM mailbox WHERE id = ?1")?;
    let highest: u64 = find.query_row([mailbox], |row| row.get(0))?;
    Ok(highest > since)
}

fn flag_rows(c: &Connection, mailbox: MailboxId, ask: &FlagsAsk) -> connection::Result<FlagPage> {
    let mut find = c.prepare_cached(
        "SELECT uid, flags, keywords, modseq FROM message
         WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 AND modseq > ?5 ORDER BY uid LIMIT ?4",
    )?;
    let since = ask.changed_since.unwrap_or(0);
    let (mut page, mut octets) = (FlagPage::default(), 0);
    if !has_changed(c, mailbox, since)? {
        return Ok(page);
    }
    for run in &ask.uids {
        let limit = i64::from(ask.max) + 1;
        let mut found = find.query((mailbox, run.first, run.last, limit, since))?;
        while let Some(row) = found.next()? {
            if page.uids.len() >= ask.max as usize || octets >= PAGE_OCTETS_MAX {
                page.more = true;
                return Ok(page);
            }
            let flags = flags(row.get(1)?, row.get(2)?);
            octets += keyword_octets(&flags);
            page.push(FlagRow { uid: row.get(0)?, flags, modseq: row.get(3)? });
        }
    }
    Ok(page)
}

fn rows(c: &Connection, mailbox: MailboxId, ask: &RowsAsk) -> connection::Result<RowPage> {
    let mut find = c.prepare_cached(match ask.index {
        false => {
            "SELECT uid, blob, size, flags, keywords, modseq, date_ms, zone, save_ms
             FROM message WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 AND modseq > ?5
             ORDER BY uid LIMIT ?4"
        }
        // CROSS: the messages decide what is looked up, and in which order.
        true => {
            "SELECT uid, blob, message.size, flags, keywords, modseq, date_ms, zone, save_ms, index_octets
             FROM message CROSS JOIN blob ON blob.id = message.blob
             WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 AND modseq > ?5
             ORDER BY uid LIMIT ?4"
        }
    })?;
    let since = ask.changed_since.unwrap_or(0);
    if !has_changed(c, mailbox, since)? {
        return Ok(RowPage::default());
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut octets = 0;
    for run in &ask.uids {
        let limit = i64::from(ask.max) + 1;
        let mut found = find.query((mailbox, run.first, run.last, limit, since))?;
        while let Some(row) = found.next()? {
            if rows.len() >= ask.max as usize || (octets >= PAGE_OCTETS_MAX && !rows.is_empty()) {
                return Ok(RowPage { rows, more: true });
            }
            let index: Option<Vec<u8>> = if ask.index { Some(row.get(9)?) } else { None };
            let flags = flags(row.get(3)?, row.get(4)?);
            octets += index.as_ref().map_or(0, Vec::len) + keyword_octets(&flags);
            rows.push(Row {
                uid: row.get(0)?,
                blob: row.get(1)?,
                size: row.get(2)?,
                flags,
                modseq: row.get(5)?,
                internal_date_ms: row.get(6)?,
                internal_date_zone: row.get(7)?,
                save_date_ms: row.get(8)?,
                index,
            });
        }
    }
    Ok(RowPage { rows, more: false })
}
