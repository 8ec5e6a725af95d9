//! Writes to accounts and mailbox names of the memory store.

use pillarbox_engine::imap::rights::{ANYONE, Rights};
use pillarbox_engine::imap::types::{Change, Expunged, SpecialUse, UidRun};
use pillarbox_engine::limits::ACL_ENTRIES_MAX;
use pillarbox_engine::types::Reason;

use super::writes::{arrived, plain};
use super::{Account, Mailbox, MemoryStore};
use crate::store::{
    AccountId, Create, FIRST_MAILBOXES, Happening, MailboxId, Named, Outcome, Rename, SetAccessKey,
    SetRights, Subscribe, Written, check_names, push_uid,
};

const INBOX: &[u8] = b"INBOX";

impl MemoryStore {
    pub(super) fn ensure_account(&mut self, name: &[u8]) -> AccountId {
        if let Some(id) = self.account_names.get(name) {
            return *id;
        }
        self.counters.account += 1;
        let id = self.counters.account;
        let mut account = Account { name: name.to_vec(), ..Account::default() };
        account.names.insert(INBOX.to_vec(), Some(self.new_mailbox(Vec::new())));
        for (name, special_use) in FIRST_MAILBOXES {
            let mailbox = self.new_mailbox(vec![special_use]);
            account.names.insert(name.to_vec(), Some(mailbox));
            account.subscribed.insert(name.to_vec());
        }
        account.subscribed.insert(INBOX.to_vec());
        self.account_names.insert(name.to_vec(), id);
        self.accounts.insert(id, Box::new(account));
        id
    }

    pub(super) fn remove_account(&mut self, name: &[u8]) -> Result<Written, Reason> {
        let id = self.account_names.remove(name).ok_or(Reason::NotFound)?;
        let account = self.accounts.remove(&id).ok_or(Reason::NotFound)?;
        debug_assert_eq!(account.name, name);
        let mut changes = Vec::new();
        for mailbox in account.names.into_values().flatten() {
            self.drop_mailbox(mailbox);
            changes.push((mailbox, Change::Deleted));
        }
        // Who comes by this name later is somebody else.
        for mailbox in self.mailboxes.values_mut() {
            mailbox.acl.remove(name);
            mailbox.access_keys.remove(&id);
        }
        Ok(Written::new(Outcome::Done, changes))
    }

    fn new_mailbox(&mut self, special_uses: Vec<SpecialUse>) -> MailboxId {
        self.counters.mailbox += 1;
        self.counters.uid_validity += 1;
        let mailbox = Mailbox {
            uid_validity: self.counters.uid_validity,
            uid_next: 1,
            highest_modseq: self.next_modseq(),
            recent_from: 1,
            special_uses,
            expunged: Vec::new(),
            forgotten_modseq: 0,
            keywords: Vec::new(),
            messages: std::collections::BTreeMap::new(),
            acl: std::collections::BTreeMap::new(),
            access_keys: std::collections::BTreeMap::new(),
            annotations: std::collections::BTreeMap::new(),
        };
        self.mailboxes.insert(self.counters.mailbox, Box::new(mailbox));
        self.counters.mailbox
    }

    fn drop_mailbox(&mut self, id: MailboxId) {
        let Some(mailbox) = self.mailboxes.remove(&id) else { return };
        mailbox.messages.values().for_each(|message| self.release_blob(message.blob));
    }

    fn account_mut(&mut self, id: AccountId) -> Result<&mut Account, Reason> {
        self.accounts.get_mut(&id).map(|account| &mut **account).ok_or(Reason::NotFound)
    }

    pub(super) fn create(&mut self, create: &Create) -> Result<Written, Reason> {
        let names = &self.account_of(create.account)?.names;
        if matches!(names.get(&create.name), Some(Some(_))) {
            return Err(Reason::AlreadyExists);
        }
        let more = 1 + self.missing_superiors(create.account, &create.name)?;
        check_names(names.len() as u64, more)?;
        self.quota_of(create.account)?.check(0, 0, more)?;
        let mailbox = self.new_mailbox(create.special_uses.clone());
        let account = self.account_mut(create.account)?;
        account.names.insert(create.name.clone(), Some(mailbox));
        let mut happenings = self.make_superiors(create.account, &create.name)?;
        self.inherit(create.account, &create.name)?;
        happenings.push((create.account, Happening::Created(create.name.clone())));
        Ok(Written { happenings, ..plain(Outcome::Done) })
    }

    fn missing_superiors(&self, account: AccountId, name: &[u8]) -> Result<u64, Reason> {
        let names = &self.account_of(account)?.names;
        let levels = name.iter().enumerate().filter(|(_, octet)| **octet == b'/');
        Ok(levels.filter(|(at, _)| !names.contains_key(&name[..*at])).count() as u64)
    }

    /// RFC 9051 §6.3.4: superior names are made too; here as mailboxes, so that every client can open them.
    fn make_superiors(
        &mut self,
        account: AccountId,
        name: &[u8],
    ) -> Result<Vec<(AccountId, Happening)>, Reason> {
        let levels = name.iter().enumerate().filter(|(_, octet)| **octet == b'/');
        let superiors: Vec<Vec<u8>> = levels.map(|(at, _)| name[..at].to_vec()).collect();
        let mut happenings = Vec::new();
        for superior in superiors {
            if !self.account_of(account)?.names.contains_key(&superior) {
                let mailbox = self.new_mailbox(Vec::new());
                self.account_mut(account)?.names.insert(superior.clone(), Some(mailbox));
                self.inherit(account, &superior)?;
                happenings.push((account, Happening::Created(superior)));
            }
        }
        Ok(happenings)
    }

    /// RFC 4314 §4: a new mailbox has the rights of the one above it.
    fn inherit(&mut self, account: AccountId, name: &[u8]) -> Result<(), Reason> {
        let Some(at) = name.iter().rposition(|octet| *octet == b'/') else { return Ok(()) };
        let names = &self.account_of(account)?.names;
        let id = |name: &[u8]| names.get(name).copied().flatten();
        if let (Some(above), Some(new)) = (id(&name[..at]), id(name)) {
            let acl = self.mailbox_of(above)?.acl.clone();
            self.mailboxes.get_mut(&new).ok_or(Reason::StorageFailed)?.acl = acl;
        }
        Ok(())
    }

    pub(super) fn set_rights(&mut self, set: &SetRights) -> Result<Written, Reason> {
        let acl = &mut self.mailboxes.get_mut(&set.mailbox).ok_or(Reason::NotFound)?.acl;
        let old = acl.get(&set.identifier).copied().unwrap_or_default();
        let new = set.applied(old);
        if new == Rights::NONE {
            acl.remove(&set.identifier);
        } else if old == Rights::NONE && acl.len() >= ACL_ENTRIES_MAX {
            return Err(Reason::TooMany);
        } else {
            acl.insert(set.identifier.clone(), new);
        }
        let whose = match set.identifier == ANYONE {
            true => Some(0),
            false => self.account_names.get(&set.identifier).copied(),
        };
        let happening = |account| (account, Happening::Rights(set.mailbox));
        let happenings = whose.filter(|_| old != new).map(happening).into_iter().collect();
        Ok(Written { happenings, ..plain(Outcome::Done) })
    }

    pub(super) fn set_access_key(&mut self, set: &SetAccessKey) -> Result<Written, Reason> {
        self.account_of(set.account)?;
        let mailbox = self.mailboxes.get_mut(&set.mailbox).ok_or(Reason::NotFound)?;
        let kept = mailbox.access_keys.entry(set.account).or_insert(set.key);
        if set.replaces {
            *kept = set.key;
        }
        Ok(plain(Outcome::AccessKey(*kept)))
    }

    pub(super) fn forget_access_keys(&mut self, account: AccountId) -> Written {
        for mailbox in self.mailboxes.values_mut() {
            mailbox.access_keys.remove(&account);
        }
        plain(Outcome::Done)
    }

    pub(super) fn delete(&mut self, named: &Named) -> Result<Written, Reason> {
        if named.name == INBOX {
            return Err(Reason::NotPermitted);
        }
        let account = self.account_mut(named.account)?;
        let below = [&named.name[..], b"/"].concat();
        let has_children = account
            .names
            .range(below.clone()..)
            .next()
            .is_some_and(|(name, _)| name.starts_with(&below));
        let entry = account.names.get_mut(&named.name).ok_or(Reason::NotFound)?;
        // RFC 9051 §6.3.5: a name without a mailbox that has others below it cannot be deleted.
        let mailbox = entry.take().ok_or(Reason::NotPermitted)?;
        if !has_children {
            account.names.remove(&named.name);
        }
        let acl = self.mailbox_of(mailbox)?.acl.iter();
        let seen = acl.filter(|(_, rights)| rights.has(Rights::LOOKUP));
        let seen = seen.map(|(who, _)| who.clone()).collect();
        self.drop_mailbox(mailbox);
        self.drop_empty_superiors(named.account, &named.name)?;
        let happenings = vec![(named.account, Happening::Deleted(named.name.clone(), seen))];
        let changes = vec![(mailbox, Change::Deleted)];
        Ok(Written { outcome: Outcome::Done, changes, happenings })
    }

    /// A name that had no mailbox and has none below it any more is gone.
    fn drop_empty_superiors(&mut self, account: AccountId, name: &[u8]) -> Result<(), Reason> {
        let account = self.account_mut(account)?;
        let mut end = name.len();
        while let Some(at) = name[..end].iter().rposition(|octet| *octet == b'/') {
            let superior = &name[..at];
            let below = [superior, b"/"].concat();
            let next = account.names.range(below.clone()..).next();
            if account.names.get(superior) != Some(&None)
                || next.is_some_and(|(name, _)| name.starts_with(&below))
            {
                break;
            }
            account.names.remove(superior);
            end = at;
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, rename: &Rename) -> Result<Written, Reason> {
        let account = self.account_of(rename.account)?;
        if !account.names.contains_key(&rename.from) {
            return Err(Reason::NotFound);
        }
        if account.names.contains_key(&rename.to) {
            return Err(Reason::AlreadyExists);
        }
        let more = self.missing_superiors(rename.account, &rename.to)?;
        check_names(account.names.len() as u64, more + u64::from(rename.from == INBOX))?;
        if rename.from == INBOX {
            return self.rename_inbox(rename);
        }
        let below = [&rename.from[..], b"/"].concat();
        if rename.to.starts_with(&below) {
            return Err(Reason::NotPermitted);
        }
        let moved = |name: &[u8]| [&rename.to[..], &name[rename.from.len()..]].concat();
        let inside = |name: &Vec<u8>| *name == rename.from || name.starts_with(&below);
        let names: Vec<Vec<u8>> =
            account.names.keys().filter(|name| inside(name)).cloned().collect();
        if names.iter().any(|name| account.names.contains_key(&moved(name))) {
            return Err(Reason::AlreadyExists);
        }
        let account = self.account_mut(rename.account)?;
        for name in names {
            if let Some(mailbox) = account.names.remove(&name) {
                account.names.insert(moved(&name), mailbox);
            }
        }
        let mut happenings = self.make_superiors(rename.account, &rename.to)?;
        self.drop_empty_superiors(rename.account, &rename.from)?;
        happenings.push(renamed(rename));
        Ok(Written { happenings, ..plain(Outcome::Done) })
    }

    /// RFC 9051 §6.3.6: renaming INBOX gives its messages to a new mailbox and leaves it empty.
    fn rename_inbox(&mut self, rename: &Rename) -> Result<Written, Reason> {
        let inbox = self.account_of(rename.account)?.names.get(INBOX).copied().flatten();
        let inbox = inbox.ok_or(Reason::StorageFailed)?;
        let target = self.new_mailbox(Vec::new());
        self.account_mut(rename.account)?.names.insert(rename.to.clone(), Some(target));
        let mut happenings = self.make_superiors(rename.account, &rename.to)?;
        happenings.push(renamed(rename));
        let source = self.mailboxes.get_mut(&inbox).ok_or(Reason::StorageFailed)?;
        let messages = std::mem::take(&mut source.messages);
        let (mut gone, mut new): (Vec<UidRun>, Vec<UidRun>) = (Vec::new(), Vec::new());
        for (uid, mut message) in messages {
            message.modseq = self.next_modseq();
            let target = self.mailboxes.get_mut(&target).ok_or(Reason::StorageFailed)?;
            push_uid(&mut new, target.add(message)?);
            push_uid(&mut gone, uid);
        }
        let mut changes = Vec::new();
        if !gone.is_empty() {
            let modseq = self.next_modseq();
            let source = self.mailboxes.get_mut(&inbox).ok_or(Reason::StorageFailed)?;
            source.remember_expunged(&gone, modseq);
            changes.push((inbox, Change::Expunged(Expunged { runs: gone, modseq })));
            changes.push((target, arrived(new)));
        }
        Ok(Written { outcome: Outcome::Done, changes, happenings })
    }

    pub(super) fn subscribe(&mut self, subscribe: Subscribe) -> Result<Written, Reason> {
        let Subscribe { account: id, name, subscribed } = subscribe;
        let account = self.account_mut(id)?;
        if subscribed && !account.subscribed.contains(&name) {
            check_names(account.subscribed.len() as u64, 1)?;
        }
        let changed = match subscribed {
            true => account.subscribed.insert(name.clone()),
            false => account.subscribed.remove(&name),
        };
        let happenings = if changed { vec![(id, Happening::Subscribed(name))] } else { vec![] };
        Ok(Written { happenings, ..plain(Outcome::Done) })
    }
}

fn renamed(rename: &Rename) -> (AccountId, Happening) {
    (rename.account, Happening::Renamed(rename.from.clone(), rename.to.clone()))
}
