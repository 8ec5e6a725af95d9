//! Writes to messages.

use std::collections::BTreeMap;

use pillarbox_engine::imap::types::{
    Appended, Arrived, Change, Copied, Expunged, FlagRow, Flags, Stored, UidRun,
};
use pillarbox_engine::types::Reason;
use pillarbox_world::store::{
    Append, Body, Collect, Copy, Deliver, Expunge, MailboxId, MarkRecent, NewMessage, Outcome,
    SetFlags, Stage, Write,
};

use pillarbox_world::store::{combined, learn_keywords, permitted, push_uid, runs_to_forget};

use super::connection;
use super::rows::{DELETED, SEEN, flags, keywords_column, keywords_of_octets, keywords_to_octets};
use super::writer::{Changes, Done, Failure, Writer};
use super::{blobs, reads};

const PRESENT: &str = "SELECT uid, blob, size, flags, keywords, modseq FROM message
     WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3";
/// Those that have \Deleted; SQLite would rather read the whole mailbox than use the index of the few that have it.
const DELETED_ONES: &str = "SELECT uid, blob, size, flags, keywords, modseq
     FROM message INDEXED BY message_deleted
     WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 AND flags & 4 <> 0";

/// One message of a mailbox, as far as writes need it.
struct Found {
    uid: u32,
    blob: u64,
    size: u64,
    flags: Flags,
    modseq: u64,
}

impl Writer {
    pub(super) fn write(&mut self, write: &Write) -> Done {
        match write {
            Write::EnsureAccount(name) => {
                let (account, _) = self.ensure_account(name)?;
                Ok((Outcome::Account(account), Vec::new()))
            }
            Write::RemoveAccount(name) => self.remove_account(name),
            Write::Stage(stage) => self.stage(stage),
            Write::Unstage(upload) => {
                if self.unstage(*upload)? {
                    blobs::remove(&self.connection, *upload)?;
                }
                self.set_staged(*upload, None);
                Ok((Outcome::Done, Vec::new()))
            }
            Write::Deliver(deliver) => self.deliver(deliver),
            Write::Append(append) => self.append(append),
            Write::Collect(collect) => self.collect(collect),
            Write::SetFlags(set) => self.set_flags(set),
            Write::Expunge(expunge) => self.expunge(expunge),
            Write::Copy(copy) => self.copy(copy),
            Write::Create(create) => self.create(create),
            Write::Delete(named) => self.delete(named),
            Write::Rename(rename) => self.rename(rename),
            Write::Subscribe(subscribe) => self.subscribe(subscribe),
            Write::SetQuota(set) => self.set_quota(set),
            Write::SetMetadata(set) => self.set_metadata(set),
            Write::SetRights(set) => self.set_rights(set),
            Write::SetAccessKey(set) => self.set_access_key(set),
            Write::ForgetAccessKeys(account) => self.forget_access_keys(*account),
            Write::Renew(mailbox) => self.renew(*mailbox),
            Write::MarkRecent(MarkRecent { mailbox, recent_from }) => {
                let mut mark = self.connection.prepare_cached(
                    "UPDATE mailbox SET recent_from = ?2 WHERE id = ?1 AND recent_from < ?2",
                )?;
                mark.execute((mailbox, recent_from))?;
                Ok((Outcome::Done, Vec::new()))
            }
            Write::Settle(settle) => self.settle(settle),
            Write::Block(block) => self.block(block),
            Write::Steer(steer) => self.steer(steer),
        }
    }

    fn stage(&mut self, stage: &Stage) -> Done {
        if stage.upload == blobs::NOBODY {
            return Err(Reason::StorageFailed.into());
        }
        let at = self.staged(stage.upload).unwrap_or(0);
        if at == 0 {
            self.connection
                .prepare_cached("INSERT INTO staged (blob) VALUES (?1) ON CONFLICT DO NOTHING")?
                .execute([stage.upload])?;
        }
        blobs::append(&self.connection, stage.upload, at, &stage.octets)?;
        self.set_staged(stage.upload, Some(at + stage.octets.len() as u64));
        self.written += stage.octets.len() as u64;
        Ok((Outcome::Done, Vec::new()))
    }

    /// Takes an upload off the list of staged ones; false if it is not on it.
    fn unstage(&self, upload: u64) -> connection::Result<bool> {
        let mut delete = self.connection.prepare_cached("DELETE FROM staged WHERE blob = ?1")?;
        Ok(delete.execute([upload])? == 1)
    }

    /// Takes a message's octets and its index, used by so many messages.
    fn store_blob(&mut self, message: &NewMessage, uses: u64) -> Result<(u64, u64), Failure> {
        let (blob, size) = match &message.body {
            Body::Whole(octets) => {
                let blob = self.new_blob()?;
                blobs::append(&self.connection, blob, 0, octets)?;
                self.written += octets.len() as u64;
                (blob, octets.len() as u64)
            }
            Body::Staged(upload, size) => {
                if self.staged(*upload) != Some(*size) || !self.unstage(*upload)? {
                    return Err(Reason::StorageFailed.into());
                }
                self.taken.push(*upload);
                (*upload, *size)
            }
        };
        self.connection
            .prepare_cached(
                "INSERT INTO blob (id, size, uses, index_octets) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((blob, size, uses, &message.index))?;
        self.written += message.index.len() as u64 + 1000;
        Ok((blob, size))
    }

    fn deliver(&mut self, deliver: &Deliver) -> Done {
        let (blob, mut changes) = self.deliver_one(deliver)?;
        changes.extend(self.deliver_reports(&deliver.reports)?);
        Ok((Outcome::Delivered(blob), changes))
    }

    pub(super) fn deliver_reports(&mut self, reports: &[Deliver]) -> Result<Changes, Failure> {
        let mut changes = Changes::new();
        for report in reports {
            changes.extend(self.deliver_one(report)?.1);
        }
        Ok(changes)
    }

    fn deliver_one(&mut self, deliver: &Deliver) -> Result<(u64, Changes), Failure> {
        let mut inboxes: Vec<MailboxId> = Vec::new();
        for account in &deliver.accounts {
            let (account, inbox) = self.ensure_account(account)?;
            let junk = if deliver.junk { self.junk(account)? } else { None };
            inboxes.push(junk.unwrap_or(inbox));
        }
        let uses = inboxes.len() as u64 + u64::from(deliver.relay.is_some());
        let message = &deliver.message;
        let (blob, size) = self.store_blob(message, uses)?;
        let mut changes: Changes = Vec::new();
        for inbox in inboxes {
            let uid = self.put(inbox, blob, size, message, deliver.now_ms)?;
            changes.push((inbox, arrived(vec![UidRun { first: uid, last: uid }])));
        }
        if let Some(relay) = &deliver.relay {
            self.enqueue(blob, size, message.plain, relay, deliver.now_ms)?;
        }
        Ok((blob, changes))
    }

    /// Puts a message behind the others of a mailbox, and counts it.
    pub(super) fn put(
        &mut self,
        mailbox: MailboxId,
        blob: u64,
        size: u64,
        message: &NewMessage,
        now_ms: u64,
    ) -> Result<u32, Failure> {
        if !message.flags.keywords.is_empty() {
            self.learn_keywords(mailbox, &message.flags)?;
        }
        let modseq = self.next_modseq();
        let uid = self.count_in(mailbox, size, message.flags.system, modseq)?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO message
             (mailbox, uid, blob, size, plain, flags, keywords, modseq, date_ms, zone, save_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        insert.execute((
            mailbox,
            uid,
            blob,
            size,
            message.plain,
            message.flags.system,
            keywords_column(&message.flags),
            modseq,
            message.internal_date_ms,
            message.internal_date_zone,
            now_ms,
        ))?;
        Ok(uid)
    }

    /// Gives out a mailbox's next UID and counts the message that gets it.
    fn count_in(
        &self,
        mailbox: MailboxId,
        size: u64,
        system: u8,
        modseq: u64,
    ) -> Result<u32, Failure> {
        // Two statements are quicker than one that gives back what it wrote: SQLite makes a table for that.
        let uid: u32 = self
            .connection
            .prepare_cached("SELECT uid_next FROM mailbox WHERE id = ?1 AND uid_next < 4294967295")?
            .query_row([mailbox], |row| row.get(0))?;
        let mut count = self.connection.prepare_cached(
            "UPDATE mailbox SET uid_next = uid_next + 1, messages = messages + 1, size = size + ?2,
             unseen = unseen + ?3, deleted = deleted + ?4, deleted_size = deleted_size + ?4 * ?2,
             highest_modseq = ?5
             WHERE id = ?1",
        )?;
        let (unseen, deleted) = (system & SEEN == 0, system & DELETED != 0);
        count.execute((mailbox, size, unseen, deleted, modseq))?;
        Ok(uid)
    }

    fn append(&mut self, append: &Append) -> Done {
        let mailbox = reads::mailbox(&self.connection, append.account, &append.name)?;
        let octets = append.messages.iter().map(|message| message.body.size()).sum();
        let replaced = match append.replaces {
            Some((mailbox, uid)) => {
                let found = self.present(mailbox, &[UidRun { first: uid, last: uid }])?;
                if found.is_empty() {
                    return Err(Reason::NotFound.into());
                }
                Some((mailbox, found))
            }
            None => None,
        };
        let messages = append.messages.len() as u64;
        let freed = replaced.as_ref().map_or(0, |(_, found)| found.iter().map(|m| m.size).sum());
        let less = u64::from(replaced.is_some());
        self.check_quota(append.account, (octets, freed), (messages, less), 0)?;
        let mut uids: Vec<UidRun> = Vec::new();
        for message in &append.messages {
            let (blob, size) = self.store_blob(message, 1)?;
            push_uid(&mut uids, self.put(mailbox, blob, size, message, append.now_ms)?);
        }
        let uid_validity = self.uid_validity_of(mailbox)?;
        let mut changes = vec![(mailbox, arrived(uids.clone()))];
        let mut appended = Appended { uid_validity, uids, replaced_modseq: 0 };
        if let Some((mailbox, found)) = replaced {
            let expunged = self.take_out(mailbox, &found)?;
            appended.replaced_modseq = expunged.modseq;
            changes.extend(gone(mailbox, &expunged));
        }
        Ok((Outcome::Appended(appended), changes))
    }

    fn collect(&mut self, collect: &Collect) -> Done {
        let Collect { append, source, key } = collect;
        let mut remember = self.connection.prepare_cached(
            "INSERT INTO collected (account, source, key) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
        )?;
        let is_new = remember.execute((append.account, source, key))? == 1;
        drop(remember);
        if is_new {
            return self.append(append);
        }
        for upload in append.messages.iter().filter_map(|message| message.body.staged()) {
            if self.unstage(upload)? {
                blobs::remove(&self.connection, upload)?;
                self.taken.push(upload);
            }
        }
        Ok((Outcome::Known, Vec::new()))
    }

    fn uid_validity_of(&self, mailbox: MailboxId) -> connection::Result<u32> {
        self.connection
            .prepare_cached("SELECT uid_validity FROM mailbox WHERE id = ?1")?
            .query_row([mailbox], |row| row.get(0))
    }

    /// Keywords of a mailbox, those of `flags` added.
    fn learn_keywords(&self, mailbox: MailboxId, flags: &Flags) -> Result<Vec<Vec<u8>>, Failure> {
        let octets: Vec<u8> = self
            .connection
            .prepare_cached("SELECT keywords FROM mailbox WHERE id = ?1")?
            .query_row([mailbox], |row| row.get(0))?;
        let mut known = keywords_of_octets(&octets);
        if learn_keywords(&mut known, flags).map_err(Failure::Refused)? {
            self.connection
                .prepare_cached("UPDATE mailbox SET keywords = ?2 WHERE id = ?1")?
                .execute((mailbox, keywords_to_octets(&known)))?;
        }
        Ok(known)
    }

    /// Messages of these runs that are there, ascending.
    fn present(&self, mailbox: MailboxId, runs: &[UidRun]) -> connection::Result<Vec<Found>> {
        self.found(PRESENT, mailbox, runs)
    }

    fn found(
        &self,
        which: &str,
        mailbox: MailboxId,
        runs: &[UidRun],
    ) -> connection::Result<Vec<Found>> {
        let mut find = self.connection.prepare_cached(which)?;
        let mut all = BTreeMap::new();
        for run in runs {
            let mut rows = find.query((mailbox, run.first, run.last))?;
            while let Some(row) = rows.next()? {
                let (uid, blob, size) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let (flags, modseq) = (flags(row.get(3)?, row.get(4)?), row.get(5)?);
                all.insert(uid, Found { uid, blob, size, flags, modseq });
            }
        }
        Ok(all.into_values().collect())
    }

    fn set_flags(&mut self, set: &SetFlags) -> Done {
        let found = self.present(set.mailbox, &set.uids)?;
        let learns = found.iter().any(|message| set.gives_keywords(message.modseq));
        let learn = if learns { set.flags.clone() } else { Flags::default() };
        let known = self.learn_keywords(set.mailbox, &learn)?;
        let modseq = self.modseq + 1;
        let (mut stored, mut changed) = (Stored::default(), Vec::new());
        let (mut unseen, mut deleted, mut deleted_size) = (0i64, 0i64, 0i64);
        for message in found {
            if !set.may_change(message.modseq) {
                push_uid(&mut stored.modified, message.uid);
                continue;
            }
            let new = combined(&message.flags, set.mode, &set.flags, &known);
            let new = permitted(&message.flags, new, set.may);
            if new == message.flags {
                let (uid, flags, modseq) = (message.uid, message.flags, message.modseq);
                stored.rows.push(FlagRow { uid, flags, modseq });
                continue;
            }
            let change = |bit: u8| {
                i64::from(new.system & bit != 0) - i64::from(message.flags.system & bit != 0)
            };
            unseen -= change(SEEN);
            deleted += change(DELETED);
            deleted_size += change(DELETED) * i64::try_from(message.size).unwrap_or(0);
            self.connection
                .prepare_cached(
                    "UPDATE message SET flags = ?3, keywords = ?4, modseq = ?5 WHERE mailbox = ?1 AND uid = ?2",
                )?
                .execute((set.mailbox, message.uid, new.system, keywords_column(&new), modseq))?;
            self.written += 200;
            let row = FlagRow { uid: message.uid, flags: new, modseq };
            changed.push(row.clone());
            stored.rows.push(row);
        }
        let mut changes = Vec::new();
        if !changed.is_empty() {
            self.modseq = modseq;
            let mut count = self.connection.prepare_cached(
                "UPDATE mailbox SET unseen = unseen + ?2, deleted = deleted + ?3, highest_modseq = ?4,
                 deleted_size = deleted_size + ?5 WHERE id = ?1",
            )?;
            count.execute((set.mailbox, unseen, deleted, modseq, deleted_size))?;
            changes.push((set.mailbox, Change::Flags(changed)));
        }
        Ok((Outcome::Stored(stored), changes))
    }

    fn expunge(&mut self, expunge: &Expunge) -> Done {
        let which = if expunge.deleted_only { DELETED_ONES } else { PRESENT };
        let found = self.found(which, expunge.mailbox, &expunge.uids)?;
        let expunged = self.take_out(expunge.mailbox, &found)?;
        let changes = gone(expunge.mailbox, &expunged);
        Ok((Outcome::Expunged(expunged), changes))
    }

    /// Removes messages that are there, and counts them out.
    fn take_out(&mut self, mailbox: MailboxId, found: &[Found]) -> Result<Expunged, Failure> {
        if found.is_empty() {
            return Ok(Expunged::default());
        }
        let modseq = self.next_modseq();
        let mut runs = Vec::new();
        let (mut size, mut unseen, mut deleted, mut deleted_size) = (0u64, 0u64, 0u64, 0u64);
        for message in found {
            self.connection
                .prepare_cached("DELETE FROM message WHERE mailbox = ?1 AND uid = ?2")?
                .execute((mailbox, message.uid))?;
            self.release(message.blob)?;
            size += message.size;
            unseen += u64::from(message.flags.system & SEEN == 0);
            if message.flags.system & DELETED != 0 {
                deleted += 1;
                deleted_size += message.size;
            }
            push_uid(&mut runs, message.uid);
        }
        let mut count = self.connection.prepare_cached(
            "UPDATE mailbox SET messages = messages - ?2, size = size - ?3, unseen = unseen - ?4,
             deleted = deleted - ?5, highest_modseq = ?6, deleted_size = deleted_size - ?7
             WHERE id = ?1",
        )?;
        let messages = found.len() as u64;
        count.execute((mailbox, messages, size, unseen, deleted, modseq, deleted_size))?;
        self.written += 100 * found.len() as u64;
        self.remember_expunged(mailbox, &runs, modseq)?;
        Ok(Expunged { runs, modseq })
    }

    /// RFC 7162 §3.2: what goes is remembered with its mod-sequence; of one mod-sequence all or nothing.
    fn remember_expunged(
        &self,
        mailbox: MailboxId,
        runs: &[UidRun],
        modseq: u64,
    ) -> connection::Result<()> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO expunged (mailbox, modseq, first, last) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for run in runs {
            insert.execute((mailbox, modseq, run.first, run.last))?;
        }
        let kept: usize = self
            .connection
            .prepare_cached(
                "UPDATE mailbox SET expunged_runs = expunged_runs + ?2 WHERE id = ?1
                 RETURNING expunged_runs",
            )?
            .query_row((mailbox, runs.len()), |row| row.get(0))?;
        let forget = runs_to_forget(kept);
        if forget == 0 {
            return Ok(());
        }
        let up_to: u64 = self
            .connection
            .prepare_cached(
                "SELECT modseq FROM expunged WHERE mailbox = ?1 ORDER BY modseq LIMIT 1 OFFSET ?2",
            )?
            .query_row((mailbox, forget - 1), |row| row.get(0))?;
        let forgotten = self
            .connection
            .prepare_cached("DELETE FROM expunged WHERE mailbox = ?1 AND modseq <= ?2")?
            .execute((mailbox, up_to))?;
        self.connection
            .prepare_cached(
                "UPDATE mailbox SET expunged_runs = expunged_runs - ?2, forgotten_modseq = ?3
                 WHERE id = ?1",
            )?
            .execute((mailbox, forgotten, up_to))?;
        Ok(())
    }

    /// One message fewer has this blob; the last one leaves it to the sweep.
    pub(super) fn release(&mut self, blob: u64) -> connection::Result<()> {
        let uses: u64 = self
            .connection
            .prepare_cached("SELECT uses FROM blob WHERE id = ?1")?
            .query_row([blob], |row| row.get(0))?;
        let left = uses - 1;
        self.connection
            .prepare_cached("UPDATE blob SET uses = ?2 WHERE id = ?1")?
            .execute((blob, left))?;
        if left == 0 {
            self.unused.push(blob);
        }
        Ok(())
    }

    fn copy(&mut self, copy: &Copy) -> Done {
        let target = reads::mailbox(&self.connection, copy.account, &copy.to)?;
        let mut found = self.present(copy.mailbox, &copy.uids)?;
        // What moves within an account takes no more room of it.
        if !copy.remove || reads::place(&self.connection, copy.mailbox)?.0 != copy.account {
            let octets = found.iter().map(|message| message.size).sum();
            self.check_quota(copy.account, (octets, 0), (found.len() as u64, 0), 0)?;
        }
        let mut copied =
            Copied { uid_validity: self.uid_validity_of(target)?, ..Copied::default() };
        for message in &mut found {
            let flags = std::mem::take(&mut message.flags);
            let kept = permitted(&Flags::default(), flags.clone(), copy.keeps);
            message.flags = kept;
            let uid = self.copy_one(copy.mailbox, target, message, Some(copy.now_ms))?;
            // What goes is counted out with the flags that it had.
            message.flags = flags;
            push_uid(&mut copied.source, message.uid);
            push_uid(&mut copied.target, uid);
        }
        let mut changes: Changes = Vec::new();
        if !found.is_empty() {
            changes.push((target, arrived(copied.target.clone())));
        }
        if copy.remove {
            let expunged = self.take_out(copy.mailbox, &found)?;
            copied.modseq = expunged.modseq;
            changes.extend(gone(copy.mailbox, &expunged));
        }
        Ok((Outcome::Copied(copied), changes))
    }

    fn copy_one(
        &mut self,
        from: MailboxId,
        to: MailboxId,
        message: &Found,
        saved_ms: Option<u64>,
    ) -> Result<u32, Failure> {
        self.learn_keywords(to, &message.flags)?;
        let modseq = self.next_modseq();
        let uid = self.count_in(to, message.size, message.flags.system, modseq)?;
        self.connection
            .prepare_cached(
                "INSERT INTO message
                 (mailbox, uid, blob, size, plain, flags, keywords, modseq, date_ms, zone, save_ms)
                 SELECT ?3, ?4, blob, size, plain, ?7, ?8, ?5, date_ms, zone, coalesce(?6, save_ms)
                 FROM message WHERE mailbox = ?1 AND uid = ?2",
            )?
            .execute((
                from,
                message.uid,
                to,
                uid,
                modseq,
                saved_ms,
                message.flags.system,
                keywords_column(&message.flags),
            ))?;
        self.connection
            .prepare_cached("UPDATE blob SET uses = uses + 1 WHERE id = ?1")?
            .execute([message.blob])?;
        self.written += 200;
        Ok(uid)
    }

    /// Moves every message of one mailbox to another that is empty (RFC 9051 §6.3.6, renaming INBOX).
    pub(super) fn move_all(&mut self, from: MailboxId, to: MailboxId) -> Result<Changes, Failure> {
        let all = [UidRun { first: 1, last: u32::MAX }];
        let found = self.present(from, &all)?;
        let mut new = Vec::new();
        for message in &found {
            push_uid(&mut new, self.copy_one(from, to, message, None)?);
        }
        let expunged = self.take_out(from, &found)?;
        let mut changes = gone(from, &expunged);
        if !new.is_empty() {
            changes.push((to, arrived(new)));
        }
        Ok(changes)
    }
}

pub(super) fn arrived(runs: Vec<UidRun>) -> Change {
    Change::Arrived(Arrived { runs, recent: false })
}

fn gone(mailbox: MailboxId, expunged: &Expunged) -> Changes {
    let told = (mailbox, Change::Expunged(expunged.clone()));
    if expunged.runs.is_empty() { Vec::new() } else { vec![told] }
}
