//! Quotas and annotations of the SQLite store.

use std::sync::atomic::Ordering;

use super::connection::{self, Connection, OptionalExtension};
use pillarbox_engine::types::Reason;
use pillarbox_world::store::{
    AccountId, MailboxId, Outcome, Quota, QuotaLimits, SetMetadata, SetQuota, annotated,
    check_metadata,
};

use super::reads;
use super::writer::{Done, Failure, Writer};

/// The number that stands for the server among mailboxes, and for all among accounts.
const NONE: u64 = 0;

/// What an account may use.
fn limits(c: &Connection, account: AccountId) -> connection::Result<QuotaLimits> {
    let mut find = c.prepare_cached(
        "SELECT quota_storage_kib, quota_messages, quota_mailboxes FROM account WHERE id = ?1",
    )?;
    find.query_row([account], |row| {
        let (storage_kib, messages) = (row.get(0)?, row.get(1)?);
        Ok(QuotaLimits { storage_kib, messages, mailboxes: row.get(2)? })
    })
}

/// What an account uses and may use.
pub(super) fn quota(c: &Connection, account: AccountId) -> connection::Result<Quota> {
    let limits = limits(c, account)?;
    let mut count = c.prepare_cached(
        "SELECT CAST(coalesce(sum(m.size), 0) AS BIGINT),
         CAST(coalesce(sum(m.messages), 0) AS BIGINT), count(*)
         FROM name n JOIN mailbox m ON m.id = n.mailbox WHERE n.account = ?1",
    )?;
    count.query_row([account], |row| {
        let (octets, messages) = (row.get(0)?, row.get(1)?);
        Ok(Quota { octets, messages, mailboxes: row.get(2)?, limits })
    })
}

/// Whether the account of this name uses all that it may. Where nothing is limited, nothing is counted.
pub(super) fn is_full(c: &Connection, name: &[u8]) -> connection::Result<bool> {
    let mut find = c.prepare_cached(
        "SELECT id FROM account WHERE name = ?1
         AND (quota_storage_kib IS NOT NULL OR quota_messages IS NOT NULL)",
    )?;
    let limited: Option<AccountId> = find.query_row([name], |row| row.get(0)).optional()?;
    match limited {
        Some(account) => quota(c, account).map(|quota| quota.is_full()),
        None => Ok(false),
    }
}

/// Whether any account has a bound on what it may hold.
pub(super) fn is_any_limited(c: &Connection) -> connection::Result<bool> {
    c.prepare_cached(
        "SELECT 1 FROM account
         WHERE quota_storage_kib IS NOT NULL OR quota_messages IS NOT NULL LIMIT 1",
    )?
    .exists(())
}

/// Annotations that an account sees.
pub(super) fn metadata(
    c: &Connection,
    account: AccountId,
    mailbox: Option<MailboxId>,
) -> connection::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut find = c.prepare_cached(
        "SELECT entry, value FROM annotation WHERE mailbox = ?1 AND account IN (?2, ?3)
         ORDER BY entry",
    )?;
    let entry = |row: &connection::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    find.query_map((mailbox.unwrap_or(NONE), account, NONE), entry)?.collect()
}

impl Writer {
    /// Whether so many octets, messages and mailboxes more fit into what an account may use, once so many octets and
    /// messages are gone.
    pub(super) fn check_quota(
        &self,
        account: AccountId,
        (octets, octets_less): (u64, u64),
        (messages, messages_less): (u64, u64),
        mailboxes: u64,
    ) -> Result<(), Failure> {
        if limits(&self.connection, account)?.are_none() {
            return Ok(());
        }
        let mut quota = quota(&self.connection, account)?;
        quota.octets = quota.octets.saturating_sub(octets_less);
        quota.messages = quota.messages.saturating_sub(messages_less);
        Ok(quota.check(octets, messages, mailboxes)?)
    }

    pub(super) fn set_quota(&self, set: &SetQuota) -> Done {
        let SetQuota { account, limits } = set;
        if !limits.are_none() {
            // Before anybody can see it, so that nobody is taken in whom it keeps out.
            self.known.limited.store(true, Ordering::Relaxed);
        }
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE account SET quota_storage_kib = ?2, quota_messages = ?3,
                 quota_mailboxes = ?4 WHERE id = ?1",
            )?
            .execute((account, limits.storage_kib, limits.messages, limits.mailboxes))?;
        if changed == 0 {
            return Err(Reason::NotFound.into());
        }
        Ok((Outcome::Done, Vec::new()))
    }

    pub(super) fn set_metadata(&mut self, set: &SetMetadata) -> Done {
        let SetMetadata { account, mailbox, entries } = set;
        let c = &self.connection;
        let place = mailbox.unwrap_or(NONE);
        let exists = match mailbox {
            Some(id) => c.prepare_cached("SELECT 1 FROM mailbox WHERE id = ?1")?.exists([id])?,
            None => c.prepare_cached("SELECT 1 FROM account WHERE id = ?1")?.exists([account])?,
        };
        if !exists {
            return Err(Reason::NotFound.into());
        }
        for (entry, value) in entries {
            let whose = if entry.starts_with(b"/shared") { NONE } else { *account };
            match value {
                Some(value) => c
                    .prepare_cached(
                        "INSERT INTO annotation (mailbox, account, entry, value)
                         VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (mailbox, account, entry)
                         DO UPDATE SET value = excluded.value",
                    )?
                    .execute((place, whose, entry, value))?,
                None => c
                    .prepare_cached(
                        "DELETE FROM annotation WHERE mailbox = ?1 AND account = ?2 AND entry = ?3",
                    )?
                    .execute((place, whose, entry))?,
            };
        }
        self.check_annotations(place, mailbox.map_or(Some(*account), |_| None))?;
        let owner = match mailbox {
            Some(id) => reads::place(&self.connection, *id)?.0,
            None => *account,
        };
        for (whose, happening) in annotated(*account, owner, *mailbox, entries) {
            self.happened(whose, happening);
        }
        Ok((Outcome::Done, Vec::new()))
    }

    /// Of the server each account has as many as it may; a mailbox has so many of all together.
    fn check_annotations(&self, mailbox: u64, account: Option<AccountId>) -> Result<(), Failure> {
        let mut find = self.connection.prepare_cached(
            "SELECT entry, length(value) FROM annotation
             WHERE mailbox = ?1 AND (CAST(?2 AS BIGINT) IS NULL OR account = ?2)",
        )?;
        let length = |row: &connection::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let all: Vec<(Vec<u8>, usize)> =
            find.query_map((mailbox, account), length)?.collect::<connection::Result<_>>()?;
        Ok(check_metadata(all.iter().map(|(entry, length)| (&entry[..], *length)))?)
    }
}
