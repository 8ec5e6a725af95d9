//! Whose mailbox a name means, and what this account may do with it (RFC 4314 §4, RFC 2342 §5). An account has all rights to
//! its own mailboxes; those of others stand below `Other Users/`, each under its owner's name, as far as they let it.

use pillarbox_engine::imap::rights::{ANYONE, OTHER_USERS, Rights};
use pillarbox_engine::imap::types::{
    MailboxPage, MailboxRow, MailboxesAsk, RightsAsk, RightsChange, RightsEntry,
};
use pillarbox_engine::types::Reason;

use super::imap::ImapService;
use super::{Backend, Bound, Directory};
use crate::store::{AccountId, MailboxId, SetRights, Shared, SharedAsk, Store, Write};

/// A mailbox, and what this account may do with it.
#[derive(Debug)]
pub(super) struct Place {
    /// Whose it is.
    pub(super) account: AccountId,
    /// What its owner calls it.
    pub(super) name: Vec<u8>,
    pub(super) mailbox: MailboxId,
    pub(super) rights: Rights,
}

/// A name of which this account may make use.
pub(super) struct Allowed {
    /// Whose it is.
    pub(super) account: AccountId,
    /// What its owner calls it.
    pub(super) name: Vec<u8>,
    pub(super) rights: Rights,
}

/// What a name means, whether there is a mailbox or not.
pub(super) struct Name<'a> {
    /// Whose mailbox it would be.
    pub(super) account: AccountId,
    /// What its owner calls it.
    pub(super) name: &'a [u8],
    pub(super) is_own: bool,
}

impl<B: Backend> ImapService<B> {
    /// Whose name it is. One below `Other Users` that names no account is nobody's.
    pub(super) fn name<'a>(&self, name: &'a [u8]) -> Result<Name<'a>, Reason> {
        self.name_of(self.bound()?.id, name)
    }

    /// Whose name it is, as the account `own` calls it.
    fn name_of<'a>(&self, own: AccountId, name: &'a [u8]) -> Result<Name<'a>, Reason> {
        let Some(path) = name.strip_prefix(OTHER_USERS) else {
            // The namespace itself is nobody's mailbox.
            let reserved = &OTHER_USERS[..OTHER_USERS.len() - 1];
            let reason = Reason::NotPermitted;
            return if name == reserved {
                Err(reason)
            } else {
                Ok(Name { account: own, name, is_own: true })
            };
        };
        let at = path.iter().position(|octet| *octet == b'/').ok_or(Reason::NotFound)?;
        let account = self.backend().store().account(&path[..at])?.ok_or(Reason::NotFound)?;
        let (name, is_own) = (&path[at + 1..], false);
        if account == own { Err(Reason::NotFound) } else { Ok(Name { account, name, is_own }) }
    }

    /// The mailbox of this name, if this account has all of these rights.
    ///
    /// # Errors
    /// [`Reason::NotFound`] too for one that this account cannot see; [`Reason::NotPermitted`].
    pub(super) fn reach(&self, name: &[u8], needed: Rights) -> Result<Place, Reason> {
        self.reach_as(self.bound()?, name, needed)
    }

    /// The same for somebody else, as whom something is done.
    pub(super) fn reach_as(
        &self,
        who: &Bound,
        name: &[u8],
        needed: Rights,
    ) -> Result<Place, Reason> {
        let place = self.look_up(who, name)?;
        match place.rights.has(needed) {
            true => Ok(place),
            false => Err(missing(place.rights)),
        }
    }

    /// Whose name it is and what this account may do there. Of its own mailboxes none is looked for: whatever is done with
    /// the name will find out whether there is one.
    pub(super) fn allowed(&self, name: &[u8], needed: Rights) -> Result<Allowed, Reason> {
        let own = self.name(name)?;
        if own.is_own {
            let (account, name) = (own.account, own.name.to_vec());
            return Ok(Allowed { account, name, rights: Rights::ALL });
        }
        let Place { account, name, rights, .. } = self.reach(name, needed)?;
        Ok(Allowed { account, name, rights })
    }

    fn look_up(&self, who: &Bound, name: &[u8]) -> Result<Place, Reason> {
        let Name { account, name, is_own } = self.name_of(who.id, name)?;
        let mailbox = self.backend().store().mailbox(account, name)?;
        let rights = if is_own { Rights::ALL } else { self.rights_of(&who.name, mailbox)? };
        Ok(Place { account, name: name.to_vec(), mailbox, rights })
    }

    /// What this account may do with somebody else's mailbox.
    pub(super) fn rights_to(&self, mailbox: MailboxId) -> Result<Rights, Reason> {
        self.rights_of(&self.bound()?.name, mailbox)
    }

    /// What an account may do with somebody else's mailbox.
    pub(super) fn rights_of(&self, account: &[u8], mailbox: MailboxId) -> Result<Rights, Reason> {
        let list = self.backend().store().acl(mailbox)?;
        let theirs = list.iter().filter(|(who, _)| who == account || who == ANYONE);
        Ok(theirs.fold(Rights::NONE, |rights, (_, more)| rights.and(*more)))
    }

    /// Whose mailbox somebody would make under this name: RFC 4314 §4 asks for `k` to the nearest that is above it.
    pub(super) fn may_create<'a>(&self, name: &'a [u8]) -> Result<Name<'a>, Reason> {
        let place = self.name(name)?;
        if place.is_own {
            return Ok(place);
        }
        let store = self.backend().store();
        let levels = place.name.iter().enumerate().rev().filter(|(_, octet)| **octet == b'/');
        for (at, _) in levels {
            match store.mailbox(place.account, &place.name[..at]) {
                Ok(above) => {
                    let rights = self.rights_to(above)?;
                    let may = rights.has(Rights::CREATE);
                    return if may { Ok(place) } else { Err(missing(rights)) };
                }
                Err(Reason::NotFound) => {}
                Err(reason) => return Err(reason),
            }
        }
        Err(Reason::NotFound)
    }

    /// RFC 4314 §3
    pub(super) async fn rights(
        &self,
        ask: RightsAsk,
    ) -> Result<pillarbox_engine::imap::types::Rights, Reason> {
        let place = self.look_up(self.bound()?, &ask.name)?;
        if !place.rights.has_any(Rights::ANY) {
            return Err(Reason::NotFound);
        }
        let store = self.backend().store();
        let owner = store.account_name(place.account)?;
        if let Some(RightsChange { identifier, mode, rights }) = ask.change {
            if !place.rights.has(Rights::ADMIN) {
                return Err(missing(place.rights));
            }
            let identifier = self.identifier(identifier).ok_or(Reason::Unsupported)?;
            if identifier == owner {
                return Err(Reason::Unsupported);
            }
            let rights = Rights::parse(&rights).ok_or(Reason::Unsupported)?;
            let set = SetRights { mailbox: place.mailbox, identifier, mode, rights };
            self.write(Write::SetRights(set)).await?;
        }
        let mut entries = Vec::new();
        if place.rights.has(Rights::ADMIN) {
            entries.push((owner.clone(), Rights::ALL));
            entries.extend(store.acl(place.mailbox)?);
        }
        let entry = |(identifier, rights): (Vec<u8>, Rights)| RightsEntry {
            identifier,
            rights: rights.letters(),
        };
        let entries = entries.into_iter().map(entry).collect();
        let mine = place.rights.letters();
        Ok(pillarbox_engine::imap::types::Rights { mine, owner, entries })
    }

    /// An identifier as it is kept: everybody, or an account that is here.
    fn identifier(&self, given: Vec<u8>) -> Option<Vec<u8>> {
        if given == ANYONE { Some(given) } else { self.backend().directory().known(&given) }
    }

    /// A page of this account's own names, and of others' mailboxes that it may see.
    pub(super) fn mailboxes(&self, ask: &MailboxesAsk) -> Result<MailboxPage, Reason> {
        let own = self.backend().store().mailboxes(self.bound()?.id, ask)?;
        // Names of others are sorted among the own, so that pages of both are one.
        let elsewhere =
            !ask.prefix.starts_with(OTHER_USERS) && !OTHER_USERS.starts_with(&ask.prefix);
        let past = ask
            .after
            .as_deref()
            .is_some_and(|after| after > OTHER_USERS && !after.starts_with(OTHER_USERS));
        if elsewhere || past {
            return Ok(own);
        }
        let others = self.others(ask)?;
        Ok(merged(own, others, ask.max as usize))
    }

    /// Others' mailboxes, with the levels above them.
    fn others(&self, ask: &MailboxesAsk) -> Result<MailboxPage, Reason> {
        let after = ask.after.as_deref().and_then(|after| after.strip_prefix(OTHER_USERS));
        let prefix = ask.prefix.strip_prefix(OTHER_USERS).unwrap_or_default();
        let all = self.shared(after, prefix, ask.max)?;
        let more = all.len() == ask.max as usize;
        let mut rows: Vec<MailboxRow> = Vec::new();
        for shared in all {
            let name = [OTHER_USERS, &shared.path].concat();
            // The namespace and the owner's level are there for what is below them.
            let levels = name.iter().enumerate().filter(|(_, octet)| **octet == b'/').take(2);
            for (at, _) in levels {
                let level = &name[..at];
                let wanted = level.starts_with(&ask.prefix)
                    && ask.after.as_deref().is_none_or(|after| level > after);
                if wanted && !rows.iter().any(|row| row.name == level) {
                    rows.push(MailboxRow {
                        name: level.to_vec(),
                        exists: true,
                        has_children: true,
                        ..MailboxRow::default()
                    });
                }
            }
            rows.push(self.shared_row(name, &shared, ask.status)?);
        }
        pillarbox_engine::order::sort_by(&mut rows, |a, b| a.name.cmp(&b.name));
        // A level was made for every page; what is past the last name of this one is not known yet.
        Ok(MailboxPage { rows, more })
    }

    fn shared(&self, after: Option<&[u8]>, prefix: &[u8], max: u32) -> Result<Vec<Shared>, Reason> {
        let bound = self.bound()?;
        let (who, except) = (bound.name.clone(), bound.id);
        let (after, prefix) = (after.map(<[u8]>::to_vec), prefix.to_vec());
        self.backend().store().shared(&SharedAsk { who, except, after, prefix, max })
    }

    fn shared_row(
        &self,
        name: Vec<u8>,
        shared: &Shared,
        status: bool,
    ) -> Result<MailboxRow, Reason> {
        let rights = self.rights_to(shared.mailbox)?;
        let below = [&shared.path[..], b"/"].concat();
        let status = (status && rights.has(Rights::READ))
            .then(|| self.backend().store().status(shared.account, &shared.name))
            .transpose()?;
        Ok(MailboxRow {
            name,
            exists: true,
            selectable: true,
            subscribed: false,
            has_children: !self.shared(None, &below, 1)?.is_empty(),
            special_uses: Vec::new(),
            rights: rights.letters(),
            status,
        })
    }

    /// What there is under a name of some account, as this one sees it.
    pub(super) fn seen(
        &self,
        account: AccountId,
        name: &[u8],
        status: bool,
    ) -> Result<MailboxRow, Reason> {
        let (own, store) = (self.bound()?.id, self.backend().store());
        if account == own {
            return store.name(own, name, status);
        }
        let path = [&store.account_name(account)?, &b"/"[..], name].concat();
        let full = [OTHER_USERS, &path].concat();
        // As it is listed: with what this account has subscribed.
        let subscribed = store.name(own, &full, false)?.subscribed;
        let found = self.shared(None, &path, 1)?.into_iter().find(|shared| shared.path == path);
        let row = match found {
            Some(shared) => self.shared_row(full, &shared, status)?,
            None => MailboxRow { name: full, ..MailboxRow::default() },
        };
        Ok(MailboxRow { subscribed, ..row })
    }
}

/// Why something is refused that needs a right that is not there: what cannot be seen does not exist (RFC 4314 §6).
pub(super) fn missing(rights: Rights) -> Reason {
    if rights.has(Rights::LOOKUP) { Reason::NotPermitted } else { Reason::NotFound }
}

/// One page of two, each in the order of names; a name that is in both is one that was subscribed.
fn merged(own: MailboxPage, others: MailboxPage, max: usize) -> MailboxPage {
    // Past the last name of a page that goes on, names of it may be missing.
    let end =
        |page: &MailboxPage| page.rows.last().map(|row| row.name.clone()).filter(|_| page.more);
    let up_to = match (end(&own), end(&others)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let mut more = own.more || others.more;
    let mut rows = others.rows;
    for row in own.rows {
        match rows.binary_search_by(|other| other.name.cmp(&row.name)) {
            Ok(at) => rows[at].subscribed |= row.subscribed,
            Err(at) => rows.insert(at, row),
        }
    }
    if let Some(up_to) = up_to {
        rows.retain(|row| row.name <= up_to);
    }
    more |= rows.len() > max;
    rows.truncate(max);
    MailboxPage { rows, more }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(names: &[&str], more: bool) -> MailboxPage {
        let row = |name: &&str| MailboxRow { name: name.as_bytes().to_vec(), ..Default::default() };
        MailboxPage { rows: names.iter().map(row).collect(), more }
    }

    #[test]
    fn a_page_of_both_leaves_out_no_name() {
        assert_eq!(
            merged(page(&["a", "x"], false), page(&["b"], false), 9),
            page(&["a", "b", "x"], false)
        );
        assert_eq!(
            merged(page(&["a", "x"], false), page(&["b", "c"], true), 9),
            page(&["a", "b", "c"], true)
        );
        assert_eq!(
            merged(page(&["a", "b"], true), page(&["c"], false), 9),
            page(&["a", "b"], true)
        );
        assert_eq!(merged(page(&["a", "b"], false), page(&["b"], false), 1), page(&["a"], true));
    }
}
