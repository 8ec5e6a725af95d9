//! Reads of the memory store.

use std::ops::Bound;
use std::sync::atomic::Ordering;

use pillarbox_engine::imap::rights::{ANYONE, Rights};
use pillarbox_engine::imap::types::{
    MailboxPage, MailboxRow, MailboxStatus, MailboxesAsk, Opened, OrderAsk, OrderPage, Row,
    RowPage, RowsAsk, SortKeys, UidPage, UidRun, VanishedAsk, VanishedPage,
};
use pillarbox_engine::imap::url_token::AccessKey;
use pillarbox_engine::types::{BlobRange, Reason};

use super::{Account, DELETED, Mailbox, MemoryStore, SEEN};
use crate::store::{
    AccountId, Annotations, MailboxId, MaildropEntry, PAGE_OCTETS_MAX, Quota, Shared, SharedAsk,
    Store, UploadId, keyword_octets, push_uid, vanished_page,
};

/// Runs in one page of UIDs.
const RUNS_MAX: usize = 256;

impl MemoryStore {
    pub(super) fn account_of(&self, id: AccountId) -> Result<&Account, Reason> {
        self.accounts.get(&id).map(|account| &**account).ok_or(Reason::NotFound)
    }

    pub(super) fn mailbox_of(&self, id: MailboxId) -> Result<&Mailbox, Reason> {
        self.mailboxes.get(&id).map(|mailbox| &**mailbox).ok_or(Reason::NotFound)
    }

    fn status_of(&self, id: MailboxId) -> Result<MailboxStatus, Reason> {
        let mailbox = self.mailbox_of(id)?;
        let count = |wanted: &dyn Fn(u8) -> bool| {
            let flagged = mailbox.messages.values().filter(|m| wanted(m.flags.system));
            u32::try_from(flagged.count()).map_err(|_| Reason::TooMany)
        };
        Ok(MailboxStatus {
            messages: count(&|_| true)?,
            recent: u32::try_from(mailbox.messages.range(mailbox.recent_from..).count())
                .map_err(|_| Reason::TooMany)?,
            uid_next: mailbox.uid_next,
            uid_validity: mailbox.uid_validity,
            unseen: count(&|flags| flags & SEEN == 0)?,
            deleted: count(&|flags| flags & DELETED != 0)?,
            size: mailbox.messages.values().map(|m| self.size_of(m.blob)).sum(),
            deleted_size: {
                let deleted = mailbox.messages.values().filter(|m| m.flags.system & DELETED != 0);
                deleted.map(|m| self.size_of(m.blob)).sum()
            },
            highest_modseq: mailbox.highest_modseq,
            mailbox_id: format!("F{id}").into_bytes(),
        })
    }

    pub(super) fn size_of(&self, blob: u64) -> u64 {
        self.blobs.get(&blob).map_or(0, |blob| blob.octets.len() as u64)
    }

    fn row(&self, uid: u32, message: &super::Message, index: bool) -> Result<Row, Reason> {
        let blob = self.blobs.get(&message.blob).ok_or(Reason::StorageFailed)?;
        Ok(Row {
            uid,
            blob: message.blob,
            size: blob.octets.len() as u64,
            flags: message.flags.clone(),
            modseq: message.modseq,
            internal_date_ms: message.internal_date_ms,
            internal_date_zone: message.internal_date_zone,
            save_date_ms: message.save_date_ms,
            index: index.then(|| blob.index.to_vec()),
        })
    }
}

impl MemoryStore {
    /// Others' mailboxes that somebody may see.
    fn shared_with<'a>(
        &'a self,
        who: &'a [u8],
        except: AccountId,
    ) -> impl Iterator<Item = Shared> + 'a {
        let others = self.accounts.iter().filter(move |(id, _)| **id != except);
        let names = others.flat_map(|(id, account)| {
            account.names.iter().map(move |(name, mailbox)| (*id, account, name, *mailbox))
        });
        names.filter_map(move |(id, account, name, mailbox)| {
            let acl = &self.mailboxes.get(&mailbox?)?.acl;
            let sees = |who: &[u8]| acl.get(who).is_some_and(|rights| rights.has(Rights::LOOKUP));
            (sees(who) || sees(ANYONE)).then(|| Shared {
                path: [&account.name[..], b"/", name].concat(),
                account: id,
                name: name.clone(),
                mailbox: mailbox.unwrap_or_default(),
            })
        })
    }
}

impl Store for MemoryStore {
    fn account(&self, name: &[u8]) -> Result<Option<AccountId>, Reason> {
        Ok(self.account_names.get(name).copied())
    }

    fn accounts(&self, after: Option<&[u8]>, max: u32) -> Result<Vec<Vec<u8>>, Reason> {
        let names =
            self.account_names.keys().filter(|name| after.is_none_or(|after| &name[..] > after));
        Ok(names.take(max as usize).cloned().collect())
    }

    fn mailboxes(&self, account: AccountId, ask: &MailboxesAsk) -> Result<MailboxPage, Reason> {
        let account = self.account_of(account)?;
        let mut names: Vec<&Vec<u8>> = account.names.keys().chain(&account.subscribed).collect();
        pillarbox_engine::order::sort(&mut names);
        names.dedup();
        let wanted = |name: &&Vec<u8>| {
            ask.after.as_ref().is_none_or(|after| *name > after) && name.starts_with(&ask.prefix)
        };
        let mut names = names.into_iter().filter(wanted).peekable();
        let mut rows = Vec::new();
        while rows.len() < ask.max as usize
            && let Some(name) = names.next()
        {
            let entry = account.names.get(name);
            let id = entry.copied().flatten();
            let below = [&name[..], b"/"].concat();
            let status = id.filter(|_| ask.status).map(|id| self.status_of(id)).transpose()?;
            rows.push(MailboxRow {
                name: name.clone(),
                exists: entry.is_some(),
                selectable: id.is_some(),
                subscribed: account.subscribed.contains(name),
                has_children: account
                    .names
                    .range(below.clone()..)
                    .next()
                    .is_some_and(|(name, _)| name.starts_with(&below)),
                special_uses: match id {
                    Some(id) => self.mailbox_of(id)?.special_uses.clone(),
                    None => Vec::new(),
                },
                rights: id.map_or_else(Vec::new, |_| Rights::ALL.letters()),
                status,
            });
        }
        Ok(MailboxPage { rows, more: names.peek().is_some() })
    }

    fn status(&self, account: AccountId, name: &[u8]) -> Result<MailboxStatus, Reason> {
        self.status_of(self.mailbox(account, name)?)
    }

    fn mailbox(&self, account: AccountId, name: &[u8]) -> Result<MailboxId, Reason> {
        self.account_of(account)?.names.get(name).copied().flatten().ok_or(Reason::NotFound)
    }

    fn place(&self, id: MailboxId) -> Result<(AccountId, Vec<u8>), Reason> {
        let mut all = self.accounts.iter().flat_map(|(id, account)| {
            account.names.iter().map(move |(name, mailbox)| (*id, name, *mailbox))
        });
        let found = all.find(|(_, _, mailbox)| *mailbox == Some(id));
        found.map(|(account, name, _)| (account, name.clone())).ok_or(Reason::NotFound)
    }

    fn opened(&self, id: MailboxId) -> Result<Opened, Reason> {
        let mailbox = self.mailbox_of(id)?;
        let unseen = mailbox.messages.iter().find(|(_, m)| m.flags.system & SEEN == 0);
        Ok(Opened {
            status: self.status_of(id)?,
            read_only: false,
            rights: Rights::ALL.letters(),
            first_unseen: unseen.map(|(uid, _)| *uid),
            recent_from: mailbox.recent_from,
            keywords: mailbox.keywords.clone(),
            uids: self.uids(id, 0)?,
        })
    }

    fn uids(&self, id: MailboxId, after: u32) -> Result<UidPage, Reason> {
        let mailbox = self.mailbox_of(id)?;
        let mut runs: Vec<UidRun> = Vec::new();
        for &uid in
            mailbox.messages.range((Bound::Excluded(after), Bound::Unbounded)).map(|(u, _)| u)
        {
            let joins = runs.last().is_some_and(|run| run.last.checked_add(1) == Some(uid));
            if !joins && runs.len() == RUNS_MAX {
                return Ok(UidPage { runs, more: true });
            }
            push_uid(&mut runs, uid);
        }
        Ok(UidPage { runs, more: false })
    }

    fn vanished(&self, id: MailboxId, ask: &VanishedAsk) -> Result<VanishedPage, Reason> {
        let mailbox = self.mailbox_of(id)?;
        if ask.since < mailbox.forgotten_modseq {
            return Ok(VanishedPage::default());
        }
        let wanted = mailbox.expunged.iter().filter(|(modseq, _)| *modseq > ask.since);
        Ok(vanished_page(wanted.map(|(_, run)| *run).collect(), ask.above))
    }

    fn rows(&self, id: MailboxId, ask: &RowsAsk) -> Result<RowPage, Reason> {
        let mailbox = self.mailbox_of(id)?;
        let mut rows: Vec<Row> = Vec::new();
        let mut octets = 0;
        for run in ask.uids.iter().filter(|run| run.first <= run.last) {
            for (uid, message) in mailbox.messages.range(run.first..=run.last) {
                if rows.len() >= ask.max as usize || (octets >= PAGE_OCTETS_MAX && !rows.is_empty())
                {
                    return Ok(RowPage { rows, more: true });
                }
                if ask.changed_since.is_some_and(|since| message.modseq <= since) {
                    continue;
                }
                let row = self.row(*uid, message, ask.index)?;
                octets += row.index.as_ref().map_or(0, Vec::len) + keyword_octets(&row.flags);
                rows.push(row);
            }
        }
        Ok(RowPage { rows, more: false })
    }

    fn order(&self, mailbox: MailboxId, ask: &OrderAsk) -> Option<OrderPage> {
        self.orders.lock().page(mailbox, ask)
    }

    fn keep_order(&self, mailbox: MailboxId, told: SortKeys) -> bool {
        self.orders.lock().keep(mailbox, told)
    }

    fn octets(&self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        let blob = self.blobs.get(&range.blob).ok_or(Reason::NotFound)?;
        piece(&blob.octets, range.offset, range.length).ok_or(Reason::NotFound)
    }

    fn staged(&self, upload: UploadId, offset: u64, length: u64) -> Result<Vec<u8>, Reason> {
        let octets = self.uploads.get(&upload).ok_or(Reason::NotFound)?;
        let left = (octets.len() as u64).saturating_sub(offset);
        piece(octets, offset, length.min(left)).ok_or(Reason::NotFound)
    }

    fn maildrop(&self, id: MailboxId) -> Result<Vec<MaildropEntry>, Reason> {
        let mailbox = self.mailbox_of(id)?;
        let entry = |(uid, message): (&u32, &super::Message)| {
            let blob = self.blobs.get(&message.blob).ok_or(Reason::StorageFailed)?;
            let size = blob.octets.len() as u64;
            Ok(MaildropEntry { uid: *uid, blob: message.blob, size, plain: blob.plain })
        };
        mailbox.messages.iter().map(entry).collect()
    }

    fn quota(&self, account: AccountId) -> Result<Quota, Reason> {
        self.quota_of(account)
    }

    fn is_full(&self, name: &[u8]) -> Result<bool, Reason> {
        let Some(account) = self.account_names.get(name) else { return Ok(false) };
        Ok(self.quota_of(*account)?.is_full())
    }

    fn metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
    ) -> Result<Annotations, Reason> {
        self.metadata_of(account, mailbox)
    }

    fn collected(
        &self,
        account: AccountId,
        source: &[u8],
        keys: &[Vec<u8>],
    ) -> Result<Vec<bool>, Reason> {
        let known = &self.account_of(account)?.collected;
        let entry = |key: &Vec<u8>| known.contains(&(source.to_vec(), key.clone()));
        Ok(keys.iter().map(entry).collect())
    }

    fn account_name(&self, account: AccountId) -> Result<Vec<u8>, Reason> {
        self.account_of(account).map(|account| account.name.clone())
    }

    fn acl(&self, mailbox: MailboxId) -> Result<Vec<(Vec<u8>, Rights)>, Reason> {
        let entries = self.mailbox_of(mailbox)?.acl.iter();
        Ok(entries.map(|(who, rights)| (who.clone(), *rights)).collect())
    }

    fn access_key(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Option<AccessKey>, Reason> {
        Ok(self.mailbox_of(mailbox)?.access_keys.get(&account).copied())
    }

    fn shared(&self, ask: &SharedAsk) -> Result<Vec<Shared>, Reason> {
        let all = self.shared_with(&ask.who, ask.except);
        let wanted = |shared: &Shared| {
            shared.path.starts_with(&ask.prefix)
                && ask.after.as_ref().is_none_or(|after| shared.path > *after)
        };
        let mut wanted: Vec<Shared> = all.filter(wanted).collect();
        pillarbox_engine::order::sort_by(&mut wanted, |a, b| a.path.cmp(&b.path));
        wanted.truncate(ask.max as usize);
        Ok(wanted)
    }

    fn sharers(&self, who: &[u8], except: AccountId) -> Result<Vec<AccountId>, Reason> {
        let mut accounts: Vec<AccountId> =
            self.shared_with(who, except).map(|shared| shared.account).collect();
        pillarbox_engine::order::sort(&mut accounts);
        accounts.dedup();
        Ok(accounts)
    }

    fn upload(&self) -> UploadId {
        self.counters.upload.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

fn piece(octets: &[u8], offset: u64, length: u64) -> Option<Vec<u8>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    octets.get(start..end).map(<[u8]>::to_vec)
}
