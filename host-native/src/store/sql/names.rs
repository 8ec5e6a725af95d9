//! Writes to accounts and to names of mailboxes.

use super::connection::{self, OptionalExtension};
use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{Change, SpecialUse};
use pillarbox_engine::types::Reason;
use pillarbox_world::store::{
    AccountId, Create, FIRST_MAILBOXES, Happening, MailboxId, Named, Outcome, Rename, Subscribe,
    check_names,
};

use super::reads::{below, has_below, mailbox};
use super::rows::{uses_of_text, uses_to_text};
use super::sharing::acl;
use super::writer::{Changes, Done, Failure, Writer};

const INBOX: &[u8] = b"INBOX";

impl Writer {
    /// The account of this name and its INBOX, made if it is new.
    pub(super) fn ensure_account(
        &mut self,
        name: &[u8],
    ) -> Result<(AccountId, MailboxId), Failure> {
        if let Some(found) = self.inboxes.get(name) {
            return Ok(*found);
        }
        let found: Option<AccountId> = self
            .connection
            .prepare_cached("SELECT id FROM account WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let (account, inbox) = match found {
            Some(account) => (account, mailbox(&self.connection, account, INBOX)?),
            None => self.new_account(name)?,
        };
        self.inboxes.insert(name.to_vec(), (account, inbox));
        Ok((account, inbox))
    }

    /// The account's mailbox that has \Junk, the first by name.
    pub(super) fn junk(&self, account: AccountId) -> Result<Option<MailboxId>, Failure> {
        let mut find = self.connection.prepare_cached(
            "SELECT mailbox, special_uses FROM name JOIN mailbox ON mailbox.id = name.mailbox
             WHERE account = ?1 AND special_uses <> '' ORDER BY name",
        )?;
        let mut rows = find.query([account])?;
        while let Some(row) = rows.next()? {
            if uses_of_text(&row.get::<_, String>(1)?).contains(&SpecialUse::Junk) {
                return Ok(Some(row.get(0)?));
            }
        }
        Ok(None)
    }

    fn new_account(&mut self, name: &[u8]) -> Result<(AccountId, MailboxId), Failure> {
        let account: AccountId = self
            .connection
            .prepare_cached("INSERT INTO account (name) VALUES (?1) RETURNING id")?
            .query_row([name], |row| row.get(0))?;
        let inbox = self.new_mailbox(&[])?;
        self.put_name(account, INBOX, Some(inbox))?;
        self.set_subscribed(account, INBOX, true)?;
        for (name, special_use) in FIRST_MAILBOXES {
            let mailbox = self.new_mailbox(&[special_use])?;
            self.put_name(account, name, Some(mailbox))?;
            self.set_subscribed(account, name, true)?;
        }
        Ok((account, inbox))
    }

    fn new_mailbox(&mut self, uses: &[SpecialUse]) -> Result<MailboxId, Failure> {
        self.uid_validity = self.uid_validity.checked_add(1).ok_or(Reason::TooMany)?;
        let (uid_validity, modseq) = (self.uid_validity, self.next_modseq());
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO mailbox
             (uid_validity, uid_next, highest_modseq, recent_from, special_uses, keywords)
             VALUES (?1, 1, ?2, 1, ?3, x'') RETURNING id",
        )?;
        Ok(insert.query_row((uid_validity, modseq, uses_to_text(uses)), |row| row.get(0))?)
    }

    pub(super) fn renew(&mut self, mailbox: MailboxId) -> Done {
        let uid_validity = self.uid_validity.checked_add(1).ok_or(Reason::TooMany)?;
        let sql = "UPDATE mailbox SET uid_validity = ?2 WHERE id = ?1";
        if self.connection.prepare_cached(sql)?.execute((mailbox, uid_validity))? == 0 {
            return Err(Reason::NotFound.into());
        }
        self.uid_validity = uid_validity;
        Ok((Outcome::Done, vec![(mailbox, Change::Deleted)]))
    }

    fn put_name(
        &self,
        account: AccountId,
        name: &[u8],
        mailbox: Option<MailboxId>,
    ) -> connection::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO name (account, name, mailbox) VALUES (?1, ?2, ?3)
                 ON CONFLICT (account, name) DO UPDATE SET mailbox = excluded.mailbox",
            )?
            .execute((account, name, mailbox))?;
        Ok(())
    }

    fn remove_name(&self, account: AccountId, name: &[u8]) -> connection::Result<()> {
        self.connection
            .prepare_cached("DELETE FROM name WHERE account = ?1 AND name = ?2")?
            .execute((account, name))?;
        Ok(())
    }

    /// What stands under a name: nothing, a name alone, or a mailbox.
    fn entry(
        &self,
        account: AccountId,
        name: &[u8],
    ) -> connection::Result<Option<Option<MailboxId>>> {
        self.connection
            .prepare_cached("SELECT mailbox FROM name WHERE account = ?1 AND name = ?2")?
            .query_row((account, name), |row| row.get(0))
            .optional()
    }

    fn is_subscribed(&self, account: AccountId, name: &[u8]) -> connection::Result<bool> {
        let sql = "SELECT 1 FROM subscription WHERE account = ?1 AND name = ?2";
        self.connection.prepare_cached(sql)?.exists((account, name))
    }

    /// True if it was otherwise before.
    fn set_subscribed(
        &self,
        account: AccountId,
        name: &[u8],
        on: bool,
    ) -> connection::Result<bool> {
        let sql = match on {
            true => {
                "INSERT INTO subscription (account, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING"
            }
            false => "DELETE FROM subscription WHERE account = ?1 AND name = ?2",
        };
        self.connection.prepare_cached(sql)?.execute((account, name)).map(|changed| changed > 0)
    }

    pub(super) fn remove_account(&mut self, name: &[u8]) -> Done {
        let account: AccountId = self
            .connection
            .prepare_cached("SELECT id FROM account WHERE name = ?1")?
            .query_row([name], |row| row.get(0))?;
        let mailboxes: Vec<MailboxId> = self
            .connection
            .prepare_cached("SELECT mailbox FROM name WHERE account = ?1 AND mailbox IS NOT NULL")?
            .query_map([account], |row| row.get(0))?
            .collect::<connection::Result<_>>()?;
        let mut changes: Changes = Vec::new();
        for mailbox in mailboxes {
            self.drop_mailbox(mailbox)?;
            changes.push((mailbox, Change::Deleted));
        }
        for sql in [
            "DELETE FROM name WHERE account = ?1",
            "DELETE FROM subscription WHERE account = ?1",
            "DELETE FROM annotation WHERE mailbox = 0 AND account = ?1",
            "DELETE FROM collected WHERE account = ?1",
            "DELETE FROM access_key WHERE account = ?1",
            "DELETE FROM account WHERE id = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([account])?;
        }
        // Who comes by this name later is somebody else.
        self.connection.prepare_cached("DELETE FROM acl WHERE identifier = ?1")?.execute([name])?;
        self.inboxes.clear();
        Ok((Outcome::Done, changes))
    }

    fn drop_mailbox(&mut self, mailbox: MailboxId) -> Result<(), Failure> {
        let blobs: Vec<u64> = self
            .connection
            .prepare_cached("SELECT blob FROM message WHERE mailbox = ?1")?
            .query_map([mailbox], |row| row.get(0))?
            .collect::<connection::Result<_>>()?;
        for blob in blobs {
            self.release(blob)?;
        }
        for sql in [
            "DELETE FROM message WHERE mailbox = ?1",
            "DELETE FROM expunged WHERE mailbox = ?1",
            "DELETE FROM annotation WHERE mailbox = ?1",
            "DELETE FROM acl WHERE mailbox = ?1",
            "DELETE FROM access_key WHERE mailbox = ?1",
            "DELETE FROM mailbox WHERE id = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([mailbox])?;
        }
        Ok(())
    }

    pub(super) fn create(&mut self, create: &Create) -> Done {
        if matches!(self.entry(create.account, &create.name)?, Some(Some(_))) {
            return Err(Reason::AlreadyExists.into());
        }
        let more = 1 + self.missing_superiors(create.account, &create.name)?;
        self.check_names(create.account, more)?;
        self.check_quota(create.account, (0, 0), (0, 0), more)?;
        let mailbox = self.new_mailbox(&create.special_uses)?;
        self.put_name(create.account, &create.name, Some(mailbox))?;
        self.make_superiors(create.account, &create.name)?;
        self.inherit(create.account, &create.name)?;
        self.happened(create.account, Happening::Created(create.name.clone()));
        Ok((Outcome::Done, Vec::new()))
    }

    fn missing_superiors(&self, account: AccountId, name: &[u8]) -> connection::Result<u64> {
        let mut missing = 0;
        for (at, _) in name.iter().enumerate().filter(|(_, octet)| **octet == b'/') {
            missing += u64::from(self.entry(account, &name[..at])?.is_none());
        }
        Ok(missing)
    }

    /// Whether an account may have so many names more.
    fn check_names(&self, account: AccountId, more: u64) -> Result<(), Failure> {
        let mut count =
            self.connection.prepare_cached("SELECT count(*) FROM name WHERE account = ?1")?;
        Ok(check_names(count.query_row([account], |row| row.get(0))?, more)?)
    }

    /// RFC 9051 §6.3.4: superior names are made too; here as mailboxes, so that every client can open them.
    fn make_superiors(&mut self, account: AccountId, name: &[u8]) -> Result<(), Failure> {
        let levels = name.iter().enumerate().filter(|(_, octet)| **octet == b'/');
        for (at, _) in levels {
            if self.entry(account, &name[..at])?.is_none() {
                let mailbox = self.new_mailbox(&[])?;
                self.put_name(account, &name[..at], Some(mailbox))?;
                self.inherit(account, &name[..at])?;
                self.happened(account, Happening::Created(name[..at].to_vec()));
            }
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, named: &Named) -> Done {
        if named.name == INBOX {
            return Err(Reason::NotPermitted.into());
        }
        let entry = self.entry(named.account, &named.name)?.ok_or(Reason::NotFound)?;
        // RFC 9051 §6.3.5: a name without a mailbox that has others below it cannot be deleted.
        let mailbox = entry.ok_or(Reason::NotPermitted)?;
        let seen = acl(&self.connection, mailbox)?.into_iter();
        let seen = seen.filter(|(_, rights)| rights.has(Rights::LOOKUP)).map(|(who, _)| who);
        let seen = seen.collect();
        if has_below(&self.connection, named.account, &named.name)? {
            self.put_name(named.account, &named.name, None)?;
        } else {
            self.remove_name(named.account, &named.name)?;
        }
        self.drop_mailbox(mailbox)?;
        self.drop_empty_superiors(named.account, &named.name)?;
        self.happened(named.account, Happening::Deleted(named.name.clone(), seen));
        Ok((Outcome::Done, vec![(mailbox, Change::Deleted)]))
    }

    /// A name that had no mailbox and has none below it any more is gone.
    fn drop_empty_superiors(&self, account: AccountId, name: &[u8]) -> Result<(), Failure> {
        let mut end = name.len();
        while let Some(at) = name[..end].iter().rposition(|octet| *octet == b'/') {
            let superior = &name[..at];
            if self.entry(account, superior)? != Some(None)
                || has_below(&self.connection, account, superior)?
            {
                break;
            }
            self.remove_name(account, superior)?;
            end = at;
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, rename: &Rename) -> Done {
        let Rename { account, from, to } = rename;
        self.entry(*account, from)?.ok_or(Reason::NotFound)?;
        if self.entry(*account, to)?.is_some() {
            return Err(Reason::AlreadyExists.into());
        }
        let superiors = self.missing_superiors(*account, to)?;
        self.check_names(*account, superiors + u64::from(from == INBOX))?;
        if from == INBOX {
            let inbox = mailbox(&self.connection, *account, INBOX)?;
            let target = self.new_mailbox(&[])?;
            self.put_name(*account, to, Some(target))?;
            self.make_superiors(*account, to)?;
            self.happened(*account, Happening::Renamed(from.clone(), to.clone()));
            let changes = self.move_all(inbox, target)?;
            return Ok((Outcome::Done, changes));
        }
        let (first, end) = below(from);
        if to.starts_with(&first) {
            return Err(Reason::NotPermitted.into());
        }
        let mut names: Vec<Vec<u8>> = self
            .connection
            .prepare_cached(
                "SELECT name FROM name WHERE account = ?1 AND name >= ?2 AND name < ?3",
            )?
            .query_map((account, first, end), |row| row.get(0))?
            .collect::<connection::Result<_>>()?;
        names.push(from.clone());
        let moved = |name: &[u8]| [&to[..], &name[from.len()..]].concat();
        for name in &names {
            if self.entry(*account, &moved(name))?.is_some() {
                return Err(Reason::AlreadyExists.into());
            }
        }
        for name in &names {
            let entry = self.entry(*account, name)?.flatten();
            self.remove_name(*account, name)?;
            self.put_name(*account, &moved(name), entry)?;
        }
        self.make_superiors(*account, to)?;
        self.drop_empty_superiors(*account, from)?;
        self.happened(*account, Happening::Renamed(from.clone(), to.clone()));
        Ok((Outcome::Done, Vec::new()))
    }

    pub(super) fn subscribe(&mut self, subscribe: &Subscribe) -> Done {
        let Subscribe { account, name, subscribed } = subscribe;
        if *subscribed && !self.is_subscribed(*account, name)? {
            let sql = "SELECT count(*) FROM subscription WHERE account = ?1";
            let mut count = self.connection.prepare_cached(sql)?;
            check_names(count.query_row([*account], |row| row.get(0))?, 1)?;
        }
        if self.set_subscribed(*account, name, *subscribed)? {
            self.happened(*account, Happening::Subscribed(name.clone()));
        }
        Ok((Outcome::Done, Vec::new()))
    }
}
