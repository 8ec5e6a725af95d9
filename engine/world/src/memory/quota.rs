//! Quotas and annotations of the memory store.

use pillarbox_engine::types::Reason;

use super::MemoryStore;
use super::writes::plain;
use crate::store::{
    AccountId, Annotations, MailboxId, Outcome, Quota, SetMetadata, SetQuota, Store, Written,
    annotated, check_metadata,
};

/// Whose an annotation is: 0 stands for all.
fn owner(account: AccountId, entry: &[u8]) -> AccountId {
    if entry.starts_with(b"/shared") { 0 } else { account }
}

impl MemoryStore {
    pub(super) fn quota_of(&self, account: AccountId) -> Result<Quota, Reason> {
        let account = self.account_of(account)?;
        let mut quota = Quota { limits: account.limits, ..Quota::default() };
        for id in account.names.values().flatten() {
            let mailbox = self.mailbox_of(*id)?;
            quota.mailboxes += 1;
            quota.messages += mailbox.messages.len() as u64;
            quota.octets += mailbox.messages.values().map(|m| self.size_of(m.blob)).sum::<u64>();
        }
        Ok(quota)
    }

    pub(super) fn metadata_of(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
    ) -> Result<Annotations, Reason> {
        let of_server = &self.account_of(account)?.annotations;
        let Some(mailbox) = mailbox else {
            return Ok(of_server.iter().map(|(e, v)| (e.clone(), v.clone())).collect());
        };
        let all = self.mailbox_of(mailbox)?.annotations.iter();
        let seen = all.filter(|((whose, _), _)| *whose == account || *whose == 0);
        let mut seen: Vec<_> = seen.map(|((_, e), v)| (e.clone(), v.clone())).collect();
        pillarbox_engine::order::sort(&mut seen);
        Ok(seen)
    }

    pub(super) fn set_quota(&mut self, set: &SetQuota) -> Result<Written, Reason> {
        self.accounts.get_mut(&set.account).ok_or(Reason::NotFound)?.limits = set.limits;
        Ok(plain(Outcome::Done))
    }

    pub(super) fn set_metadata(&mut self, set: SetMetadata) -> Result<Written, Reason> {
        let SetMetadata { account, mailbox, entries } = set;
        let owner_of = match mailbox {
            Some(id) => self.place(id)?.0,
            None => account,
        };
        let happenings = annotated(account, owner_of, mailbox, &entries);
        let Some(mailbox) = mailbox else {
            let old = &mut self.accounts.get_mut(&account).ok_or(Reason::NotFound)?.annotations;
            let mut new = old.clone();
            for (entry, value) in entries {
                match value {
                    Some(value) => new.insert(entry, value),
                    None => new.remove(&entry),
                };
            }
            check_metadata(new.iter().map(|(entry, value)| (&entry[..], value.len())))?;
            *old = new;
            return Ok(Written { happenings, ..plain(Outcome::Done) });
        };
        let old = &mut self.mailboxes.get_mut(&mailbox).ok_or(Reason::NotFound)?.annotations;
        let mut new = old.clone();
        for (entry, value) in entries {
            let key = (owner(account, &entry), entry);
            match value {
                Some(value) => new.insert(key, value),
                None => new.remove(&key),
            };
        }
        check_metadata(new.iter().map(|((_, entry), value)| (&entry[..], value.len())))?;
        *old = new;
        Ok(Written { happenings, ..plain(Outcome::Done) })
    }
}
