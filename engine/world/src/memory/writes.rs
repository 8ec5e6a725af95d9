//! Writes to messages of the memory store; those to names are in `names`.

use std::sync::Arc;

use pillarbox_engine::imap::types::{
    Appended, Arrived, Change, Copied, Expunged, FlagRow, Flags, SpecialUse, Stored, UidRun,
};
use pillarbox_engine::types::{BlobId, Reason};

use super::{Blob, DELETED, Mailbox, MemoryStore, Message};
use crate::store::{
    Append, Body, Collect, Copy, Deliver, Expunge, MailboxId, NewMessage, Outcome, SetFlags, Stage,
    Write, Writer, Written, combined, learn_keywords, permitted, push_uid, runs_to_forget,
};

impl Writer for MemoryStore {
    fn write(&mut self, write: Write) -> Result<Written, Reason> {
        match write {
            Write::EnsureAccount(name) => Ok(plain(Outcome::Account(self.ensure_account(&name)))),
            Write::RemoveAccount(name) => self.remove_account(&name),
            Write::Stage(Stage { upload, octets }) => {
                self.uploads.entry(upload).or_default().extend(octets);
                Ok(plain(Outcome::Done))
            }
            Write::Unstage(upload) => {
                self.uploads.remove(&upload);
                Ok(plain(Outcome::Done))
            }
            Write::Deliver(deliver) => self.deliver(*deliver),
            Write::Append(append) => self.append(append),
            Write::Collect(collect) => self.collect(*collect),
            Write::SetFlags(set) => self.set_flags(&set),
            Write::Expunge(expunge) => self.expunge(&expunge),
            Write::Copy(copy) => self.copy(&copy),
            Write::Create(create) => self.create(&create),
            Write::Delete(named) => self.delete(&named),
            Write::Rename(rename) => self.rename(&rename),
            Write::Subscribe(subscribe) => self.subscribe(subscribe),
            Write::SetQuota(set) => self.set_quota(&set),
            Write::SetMetadata(set) => self.set_metadata(set),
            Write::SetRights(set) => self.set_rights(&set),
            Write::SetAccessKey(set) => self.set_access_key(&set),
            Write::ForgetAccessKeys(account) => Ok(self.forget_access_keys(account)),
            Write::Renew(mailbox) => {
                let renewed = self.mailboxes.get_mut(&mailbox).ok_or(Reason::NotFound)?;
                self.counters.uid_validity += 1;
                renewed.uid_validity = self.counters.uid_validity;
                Ok(Written::new(Outcome::Done, vec![(mailbox, Change::Deleted)]))
            }
            Write::MarkRecent(mark) => {
                let mailbox = self.mailboxes.get_mut(&mark.mailbox).ok_or(Reason::NotFound)?;
                mailbox.recent_from = mailbox.recent_from.max(mark.recent_from);
                Ok(plain(Outcome::Done))
            }
            Write::Settle(settle) => self.settle(settle),
            Write::Block(block) => Ok(self.block(&block)),
            Write::Steer(steer) => Ok(self.steer(&steer)),
        }
    }
}

/// Changes of mailboxes, for those that have them open.
pub(super) type Changes = Vec<(MailboxId, Change)>;

/// An outcome that nobody else need hear of.
pub(super) fn plain(outcome: Outcome) -> Written {
    Written::new(outcome, Vec::new())
}

impl Mailbox {
    /// UIDs of these runs that are there, ascending.
    fn present(&self, runs: &[UidRun]) -> Vec<u32> {
        let runs = runs.iter().filter(|run| run.first <= run.last);
        let uids = runs.flat_map(|run| self.messages.range(run.first..=run.last));
        let mut uids: Vec<u32> = uids.map(|(uid, _)| *uid).collect();
        uids.sort_unstable();
        uids.dedup();
        uids
    }

    pub(super) fn add(&mut self, message: Message) -> Result<u32, Reason> {
        learn_keywords(&mut self.keywords, &message.flags)?;
        let uid = self.uid_next;
        self.uid_next = uid.checked_add(1).ok_or(Reason::TooMany)?;
        self.highest_modseq = message.modseq;
        self.messages.insert(uid, message);
        Ok(uid)
    }

    /// RFC 7162 §3.2: what goes raises the mod-sequence, and is remembered with it.
    pub(super) fn remember_expunged(&mut self, runs: &[UidRun], modseq: u64) {
        self.highest_modseq = modseq;
        self.expunged.extend(runs.iter().map(|run| (modseq, *run)));
        let forget = runs_to_forget(self.expunged.len());
        if let Some(&(up_to, _)) = forget.checked_sub(1).and_then(|at| self.expunged.get(at)) {
            // Of one mod-sequence all is remembered or nothing.
            self.expunged.retain(|(modseq, _)| *modseq > up_to);
            self.forgotten_modseq = up_to;
        }
    }
}

impl MemoryStore {
    /// Messages in all mailboxes.
    pub(crate) fn mail_count(&self) -> usize {
        self.mailboxes.values().map(|mailbox| mailbox.messages.len()).sum()
    }

    pub(super) fn next_modseq(&mut self) -> u64 {
        self.counters.modseq += 1;
        self.counters.modseq
    }

    /// Takes a body; a staged one must be as long as was said.
    fn store_blob(&mut self, message: &NewMessage) -> Result<BlobId, Reason> {
        let octets: Arc<[u8]> = match &message.body {
            Body::Whole(octets) => Arc::from(&octets[..]),
            Body::Staged(upload, size) => {
                let staged = self.uploads.get(upload).ok_or(Reason::StorageFailed)?;
                if staged.len() as u64 != *size {
                    return Err(Reason::StorageFailed);
                }
                Arc::from(self.uploads.remove(upload).ok_or(Reason::StorageFailed)?)
            }
        };
        self.counters.blob += 1;
        let (index, plain) = (Arc::from(&message.index[..]), message.plain);
        let blob = Blob { octets, index, plain, uses: 0 };
        self.blobs.insert(self.counters.blob, Box::new(blob));
        Ok(self.counters.blob)
    }

    pub(super) fn use_blob(&mut self, blob: BlobId) {
        if let Some(blob) = self.blobs.get_mut(&blob) {
            blob.uses += 1;
        }
    }

    pub(super) fn release_blob(&mut self, blob: BlobId) {
        if let Some(entry) = self.blobs.get_mut(&blob) {
            entry.uses -= 1;
            if entry.uses == 0 {
                self.unused.push(blob);
            }
        }
    }

    /// Blobs that lost their last use since this was called before; each is to be removed once no session may send it.
    #[must_use]
    pub fn take_unused(&mut self) -> Vec<BlobId> {
        std::mem::take(&mut self.unused)
    }

    /// Removes the octets of a blob that has no use.
    pub fn remove_unused(&mut self, blob: BlobId) {
        if self.blobs.get(&blob).is_some_and(|blob| blob.uses == 0) {
            self.blobs.remove(&blob);
        }
    }

    fn deliver(&mut self, deliver: Deliver) -> Result<Written, Reason> {
        let (blob, mut changes) = self.deliver_one(&deliver)?;
        changes.extend(self.deliver_reports(&deliver.reports)?);
        Ok(Written::new(Outcome::Delivered(blob), changes))
    }

    pub(super) fn deliver_reports(&mut self, reports: &[Deliver]) -> Result<Changes, Reason> {
        let mut changes = Vec::new();
        for report in reports {
            changes.extend(self.deliver_one(report)?.1);
        }
        Ok(changes)
    }

    fn deliver_one(&mut self, deliver: &Deliver) -> Result<(BlobId, Changes), Reason> {
        let blob = self.store_blob(&deliver.message)?;
        let mut changes = Vec::new();
        for name in &deliver.accounts {
            let inbox = match deliver.junk {
                true => self.junk(name)?,
                false => self.inbox(name)?,
            };
            let uid = self.put(inbox, blob, &deliver.message, deliver.now_ms)?;
            changes.push((inbox, arrived(vec![UidRun { first: uid, last: uid }])));
        }
        if let Some(relay) = &deliver.relay {
            self.use_blob(blob);
            self.enqueue(blob, deliver.message.plain, relay, deliver.now_ms);
        }
        Ok((blob, changes))
    }

    /// The INBOX of an account, which is made if it is new.
    pub(super) fn inbox(&mut self, name: &[u8]) -> Result<MailboxId, Reason> {
        let account = self.ensure_account(name);
        let inbox = self.account_of(account)?.names.get(&b"INBOX"[..]).copied().flatten();
        inbox.ok_or(Reason::StorageFailed)
    }

    /// The mailbox of an account that has \Junk, or its INBOX.
    fn junk(&mut self, name: &[u8]) -> Result<MailboxId, Reason> {
        let inbox = self.inbox(name)?;
        let account = self.ensure_account(name);
        let is_junk = |id: &MailboxId| {
            let mailbox = self.mailboxes.get(id);
            mailbox.is_some_and(|mailbox| mailbox.special_uses.contains(&SpecialUse::Junk))
        };
        let found = self.account_of(account)?.names.values().flatten().copied().find(is_junk);
        Ok(found.unwrap_or(inbox))
    }

    fn put(
        &mut self,
        mailbox: MailboxId,
        blob: BlobId,
        message: &NewMessage,
        now_ms: u64,
    ) -> Result<u32, Reason> {
        let modseq = self.next_modseq();
        self.use_blob(blob);
        let message = Message {
            blob,
            flags: message.flags.clone(),
            modseq,
            internal_date_ms: message.internal_date_ms,
            internal_date_zone: message.internal_date_zone,
            save_date_ms: now_ms,
        };
        self.mailboxes.get_mut(&mailbox).ok_or(Reason::NotFound)?.add(message)
    }

    fn append(&mut self, append: Append) -> Result<Written, Reason> {
        use crate::store::Store;
        let mailbox = self.mailbox(append.account, &append.name)?;
        let octets = append.messages.iter().map(|message| message.body.size()).sum();
        let messages = append.messages.len() as u64;
        let mut quota = self.quota_of(append.account)?;
        if let Some((mailbox, uid)) = append.replaces {
            let replaced = self.mailbox_of(mailbox)?.messages.get(&uid).ok_or(Reason::NotFound)?;
            quota.octets -= self.size_of(replaced.blob);
            quota.messages -= 1;
        }
        quota.check(octets, messages, 0)?;
        let mut uids = Vec::new();
        for message in &append.messages {
            let blob = self.store_blob(message)?;
            push_uid(&mut uids, self.put(mailbox, blob, message, append.now_ms)?);
        }
        let uid_validity = self.mailbox_of(mailbox)?.uid_validity;
        let mut changes = vec![(mailbox, arrived(uids.clone()))];
        let mut appended = Appended { uid_validity, uids, replaced_modseq: 0 };
        if let Some((mailbox, uid)) = append.replaces {
            let expunged = self.take_out(mailbox, &[uid])?;
            appended.replaced_modseq = expunged.modseq;
            changes.extend(gone(mailbox, &expunged));
        }
        Ok(Written::new(Outcome::Appended(appended), changes))
    }

    fn collect(&mut self, collect: Collect) -> Result<Written, Reason> {
        let Collect { append, source, key } = collect;
        let (account, entry) = (append.account, (source, key));
        if self.account_of(account)?.collected.contains(&entry) {
            for upload in append.messages.iter().filter_map(|message| message.body.staged()) {
                self.uploads.remove(&upload);
            }
            return Ok(plain(Outcome::Known));
        }
        let written = self.append(append)?;
        self.accounts.get_mut(&account).ok_or(Reason::NotFound)?.collected.insert(entry);
        Ok(written)
    }

    fn set_flags(&mut self, set: &SetFlags) -> Result<Written, Reason> {
        let modseq = self.counters.modseq + 1;
        let mailbox = self.mailboxes.get_mut(&set.mailbox).ok_or(Reason::NotFound)?;
        let (mut stored, mut changed) = (Stored::default(), Vec::new());
        let uids = mailbox.present(&set.uids);
        let gives = |uid: &u32| {
            mailbox.messages.get(uid).is_some_and(|message| set.gives_keywords(message.modseq))
        };
        if uids.iter().any(gives) {
            learn_keywords(&mut mailbox.keywords, &set.flags)?;
        }
        for uid in uids {
            let Some(message) = mailbox.messages.get_mut(&uid) else { continue };
            if !set.may_change(message.modseq) {
                push_uid(&mut stored.modified, uid);
                continue;
            }
            let flags = combined(&message.flags, set.mode, &set.flags, &mailbox.keywords);
            let flags = permitted(&message.flags, flags, set.may);
            let is_changed = flags != message.flags;
            if is_changed {
                message.flags = flags;
                message.modseq = modseq;
                mailbox.highest_modseq = modseq;
                self.counters.modseq = modseq;
            }
            let row = FlagRow { uid, flags: message.flags.clone(), modseq: message.modseq };
            if is_changed {
                changed.push(row.clone());
            }
            stored.rows.push(row);
        }
        let changes = match changed.is_empty() {
            true => Vec::new(),
            false => vec![(set.mailbox, Change::Flags(changed))],
        };
        Ok(Written::new(Outcome::Stored(stored), changes))
    }

    fn expunge(&mut self, expunge: &Expunge) -> Result<Written, Reason> {
        let mailbox = self.mailbox_of(expunge.mailbox)?;
        let mut uids = mailbox.present(&expunge.uids);
        if expunge.deleted_only {
            uids.retain(|uid| mailbox.messages[uid].flags.system & DELETED != 0);
        }
        let expunged = self.take_out(expunge.mailbox, &uids)?;
        let changes = gone(expunge.mailbox, &expunged);
        Ok(Written::new(Outcome::Expunged(expunged), changes))
    }

    /// Removes messages that are there.
    fn take_out(&mut self, id: MailboxId, uids: &[u32]) -> Result<Expunged, Reason> {
        if uids.is_empty() {
            return Ok(Expunged::default());
        }
        let modseq = self.next_modseq();
        let mut runs = Vec::new();
        for &uid in uids {
            let mailbox = self.mailboxes.get_mut(&id).ok_or(Reason::NotFound)?;
            let message = mailbox.messages.remove(&uid).ok_or(Reason::NotFound)?;
            self.release_blob(message.blob);
            push_uid(&mut runs, uid);
        }
        let mailbox = self.mailboxes.get_mut(&id).ok_or(Reason::NotFound)?;
        mailbox.remember_expunged(&runs, modseq);
        Ok(Expunged { runs, modseq })
    }

    fn copy(&mut self, copy: &Copy) -> Result<Written, Reason> {
        use crate::store::Store;
        let target = self.mailbox(copy.account, &copy.to)?;
        let uids = self.mailbox_of(copy.mailbox)?.present(&copy.uids);
        // What moves within an account takes no more room of it.
        if !copy.remove || self.place(copy.mailbox)?.0 != copy.account {
            let source = &self.mailbox_of(copy.mailbox)?.messages;
            let octets = uids.iter().map(|uid| self.size_of(source[uid].blob)).sum();
            self.quota_of(copy.account)?.check(octets, uids.len() as u64, 0)?;
        }
        let uid_validity = self.mailbox_of(target)?.uid_validity;
        let mut copied = Copied { uid_validity, ..Copied::default() };
        for &uid in &uids {
            let mut message = self.mailbox_of(copy.mailbox)?.messages[&uid].clone();
            message.modseq = self.next_modseq();
            message.save_date_ms = copy.now_ms;
            message.flags = permitted(&Flags::default(), message.flags, copy.keeps);
            self.use_blob(message.blob);
            let new = self.mailboxes.get_mut(&target).ok_or(Reason::NotFound)?.add(message)?;
            push_uid(&mut copied.source, uid);
            push_uid(&mut copied.target, new);
        }
        let mut changes = Vec::new();
        if !uids.is_empty() {
            changes.push((target, arrived(copied.target.clone())));
        }
        if copy.remove {
            let expunged = self.take_out(copy.mailbox, &uids)?;
            copied.modseq = expunged.modseq;
            changes.extend(gone(copy.mailbox, &expunged));
        }
        Ok(Written::new(Outcome::Copied(copied), changes))
    }
}

pub(super) fn arrived(runs: Vec<UidRun>) -> Change {
    Change::Arrived(Arrived { runs, recent: false })
}

fn gone(mailbox: MailboxId, expunged: &Expunged) -> Vec<(MailboxId, Change)> {
    let told = (mailbox, Change::Expunged(expunged.clone()));
    if expunged.runs.is_empty() { Vec::new() } else { vec![told] }
}
