//! Access control lists of the SQLite store (RFC 4314): who beside its owner may do what with a mailbox; and the keys of URLs
//! by which others read single messages (RFC 4467).

use super::connection::{self, Connection, OptionalExtension, Row};
use pillarbox_engine::imap::rights::{ANYONE, Rights};
use pillarbox_engine::imap::url_token::AccessKey;
use pillarbox_engine::limits::ACL_ENTRIES_MAX;
use pillarbox_engine::types::Reason;
use pillarbox_world::store::{
    AccountId, Happening, MailboxId, Outcome, SetAccessKey, SetRights, Shared, SharedAsk,
};

use super::writer::{Done, Writer};

/// Who has which rights to a mailbox beside its owner.
pub(super) fn acl(
    c: &Connection,
    mailbox: MailboxId,
) -> connection::Result<Vec<(Vec<u8>, Rights)>> {
    c.prepare_cached("SELECT identifier, rights FROM acl WHERE mailbox = ?1 ORDER BY identifier")?
        .query_map([mailbox], |row| Ok((row.get(0)?, Rights::from_bits(row.get(1)?))))?
        .collect()
}

/// The key of an account's URLs to a mailbox.
pub(super) fn access_key(
    c: &Connection,
    account: AccountId,
    mailbox: MailboxId,
) -> connection::Result<Option<AccessKey>> {
    c.prepare_cached("SELECT key FROM access_key WHERE mailbox = ?1 AND account = ?2")?
        .query_row((mailbox, account), |row| row.get(0).map(AccessKey::new))
        .optional()
}

/// A page of others' mailboxes that somebody may see.
pub(super) fn shared(c: &Connection, ask: &SharedAsk) -> connection::Result<Vec<Shared>> {
    let mut find = c.prepare_cached(
        "SELECT DISTINCT CAST(account.name || ?9 || name.name AS BLOB) AS path, account.id,
         name.name, name.mailbox
         FROM acl JOIN name ON name.mailbox = acl.mailbox JOIN account ON account.id = name.account
         WHERE acl.identifier IN (?1, ?2) AND acl.rights & ?3 <> 0 AND account.id <> ?4
         AND (CAST(?5 AS BLOB) IS NULL OR CAST(account.name || ?9 || name.name AS BLOB) > ?5)
         AND substr(CAST(account.name || ?9 || name.name AS BLOB), 1, ?6) = ?7
         ORDER BY path LIMIT ?8",
    )?;
    let lookup = Rights::LOOKUP.bits();
    let SharedAsk { who, except, after, prefix, max } = ask;
    let shared = |row: &Row<'_>| {
        let (path, account) = (row.get(0)?, row.get(1)?);
        Ok(Shared { path, account, name: row.get(2)?, mailbox: row.get(3)? })
    };
    let bound = (who, ANYONE, lookup, except, after, prefix.len(), prefix, max, b"/");
    find.query_map(bound, shared)?.collect()
}

/// Whose mailboxes somebody may see.
pub(super) fn sharers(
    c: &Connection,
    who: &[u8],
    except: AccountId,
) -> connection::Result<Vec<AccountId>> {
    c.prepare_cached(
        "SELECT DISTINCT name.account FROM acl JOIN name ON name.mailbox = acl.mailbox
         WHERE acl.identifier IN (?1, ?2) AND acl.rights & ?3 <> 0 AND name.account <> ?4
         ORDER BY name.account",
    )?
    .query_map((who, ANYONE, Rights::LOOKUP.bits(), except), |row| row.get(0))?
    .collect()
}

impl Writer {
    pub(super) fn set_rights(&mut self, set: &SetRights) -> Done {
        let SetRights { mailbox, identifier, .. } = set;
        let c = &self.connection;
        if !c.prepare_cached("SELECT 1 FROM mailbox WHERE id = ?1")?.exists([mailbox])? {
            return Err(Reason::NotFound.into());
        }
        let list = acl(c, *mailbox)?;
        let entry = list.iter().find(|(who, _)| who == identifier);
        let old = entry.map_or(Rights::NONE, |(_, rights)| *rights);
        let new = set.applied(old);
        if new == Rights::NONE {
            c.prepare_cached("DELETE FROM acl WHERE mailbox = ?1 AND identifier = ?2")?
                .execute((mailbox, identifier))?;
        } else if entry.is_none() && list.len() >= ACL_ENTRIES_MAX {
            return Err(Reason::TooMany.into());
        } else {
            c.prepare_cached(
                "INSERT INTO acl (mailbox, identifier, rights) VALUES (?1, ?2, ?3)
                 ON CONFLICT (mailbox, identifier) DO UPDATE SET rights = excluded.rights",
            )?
            .execute((mailbox, identifier, new.bits()))?;
        }
        if old != new {
            let whose: Option<AccountId> = match identifier == ANYONE {
                true => Some(0),
                false => c
                    .prepare_cached("SELECT id FROM account WHERE name = ?1")?
                    .query_row([identifier], |row| row.get(0))
                    .optional()?,
            };
            if let Some(account) = whose {
                self.happened(account, Happening::Rights(*mailbox));
            }
        }
        Ok((Outcome::Done, Vec::new()))
    }

    pub(super) fn set_access_key(&self, set: &SetAccessKey) -> Done {
        let SetAccessKey { account, mailbox, key, replaces } = *set;
        let c = &self.connection;
        let there = c.prepare_cached("SELECT 1 FROM mailbox WHERE id = ?1")?.exists([mailbox])?
            && c.prepare_cached("SELECT 1 FROM account WHERE id = ?1")?.exists([account])?;
        if !there {
            return Err(Reason::NotFound.into());
        }
        if let Some(kept) = access_key(c, account, mailbox)?.filter(|_| !replaces) {
            return Ok((Outcome::AccessKey(kept), Vec::new()));
        }
        c.prepare_cached(
            "INSERT INTO access_key (mailbox, account, key) VALUES (?1, ?2, ?3)
             ON CONFLICT (mailbox, account) DO UPDATE SET key = excluded.key",
        )?
        .execute((mailbox, account, key.octets()))?;
        Ok((Outcome::AccessKey(key), Vec::new()))
    }

    pub(super) fn forget_access_keys(&self, account: AccountId) -> Done {
        self.connection
            .prepare_cached("DELETE FROM access_key WHERE account = ?1")?
            .execute([account])?;
        Ok((Outcome::Done, Vec::new()))
    }

    /// RFC 4314 §4: a new mailbox has the rights of the one above it.
    pub(super) fn inherit(&self, account: AccountId, name: &[u8]) -> connection::Result<()> {
        let Some(at) = name.iter().rposition(|octet| *octet == b'/') else { return Ok(()) };
        self.connection
            .prepare_cached(
                "INSERT INTO acl (mailbox, identifier, rights)
                 SELECT new.mailbox, acl.identifier, acl.rights
                 FROM name new JOIN name above ON above.account = new.account
                 JOIN acl ON acl.mailbox = above.mailbox
                 WHERE new.account = ?1 AND new.name = ?2 AND above.name = ?3
                 ON CONFLICT (mailbox, identifier) DO UPDATE SET rights = excluded.rights",
            )?
            .execute((account, name, &name[..at]))?;
        Ok(())
    }
}
