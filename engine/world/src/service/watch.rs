//! What happens to mailboxes that are not open, for sessions that said NOTIFY (RFC 5465).

use pillarbox_engine::imap::rights::{ANYONE, OTHER_USERS};
use pillarbox_engine::imap::types::{
    MailboxRow, MessagesNotice, MetadataNotice, NameNotice, Notice,
};
use pillarbox_engine::types::Reason;

use super::Backend;
use super::imap::ImapService;
use crate::store::{AccountId, Happening, MailboxId, Store};

/// Accounts of others to which one session listens: more is more than anybody could be told of.
const SHARERS_MAX: usize = 1024;
/// The account whose happenings are everybody's.
const EVERYBODY: AccountId = 0;

impl<B: Backend> ImapService<B> {
    pub(super) fn listen(&mut self) -> Result<(), Reason> {
        let (bound, store) = (self.bound()?, self.backend().store());
        // Its own, those of whoever lets it see something, and what is said to everybody.
        let mut accounts = store.sharers(&bound.name, bound.id)?;
        accounts.truncate(SHARERS_MAX);
        accounts.extend([bound.id, EVERYBODY]);
        let (hub, wake) = (self.backend().hub(), self.backend().wake(self.key()));
        hub.listen(self.key(), &accounts, wake);
        self.set_listens(true);
        Ok(())
    }

    pub(super) fn stop_listening(&mut self) {
        if self.listens() {
            self.backend().hub().stop_listening(self.key());
            self.set_listens(false);
        }
    }

    /// What happened since this was asked before, as things are now.
    pub(super) fn notices(&mut self) -> Vec<Notice> {
        let heard = self.backend().hub().heard(self.key());
        // Who lets this account see something may be another one now.
        let of_rights = |(_, happening): &(_, Happening)| matches!(happening, Happening::Rights(_));
        if heard.happenings.iter().any(of_rights) && self.listen().is_err() {
            return vec![Notice::Overflow];
        }
        let mut notices = Notices { service: self, notices: Vec::new() };
        let mut told = Ok(());
        for (account, happening) in heard.happenings {
            told = told.and_then(|()| notices.happened(account, happening));
        }
        for (mailbox, touched) in heard.messages {
            // What happened to the open one is told otherwise.
            if self.opened() == Some(mailbox) {
                continue;
            }
            told = told.and_then(|()| {
                let row = notices.row_of(mailbox)?;
                let (counted, flagged) = (touched.counted, touched.flagged);
                let notice = |row| Notice::Messages(MessagesNotice { row, counted, flagged });
                notices.notices.extend(row.map(notice));
                Ok(())
            });
        }
        // A store that cannot be read now leaves no way to tell what happened but that something did.
        match heard.overflow || told.is_err() {
            true => vec![Notice::Overflow],
            false => notices.notices,
        }
    }
}

struct Notices<'a, B: Backend> {
    service: &'a ImapService<B>,
    notices: Vec<Notice>,
}

impl<B: Backend> Notices<'_, B> {
    fn happened(&mut self, account: AccountId, happening: Happening) -> Result<(), Reason> {
        match happening {
            Happening::Created(name) => self.made_or_removed(account, &name, false)?,
            Happening::Deleted(name, seen) => {
                let me = &self.service.bound()?.name;
                let was_seen = seen.iter().any(|who| who == me || who == ANYONE);
                self.made_or_removed(account, &name, was_seen)?;
            }
            Happening::Renamed(from, to) => self.renamed(account, from, &to)?,
            Happening::Subscribed(name) if self.is_own(account)? => {
                let row = self.row(account, &name, false)?;
                self.notices.push(Notice::Subscription(row));
            }
            Happening::Rights(mailbox) => self.rights_changed(mailbox)?,
            // Nobody else's business.
            Happening::Subscribed(_) | Happening::Annotated(None, _)
                if !self.is_own(account)? => {}
            Happening::Subscribed(_) => {}
            Happening::Annotated(None, entries) => {
                self.notices.push(Notice::Metadata(MetadataNotice { row: None, entries }));
            }
            Happening::Annotated(Some(mailbox), mut entries) => {
                if !self.is_own(account)? {
                    entries.retain(|entry| entry.starts_with(b"/shared"));
                }
                if entries.is_empty() {
                    return Ok(());
                }
                let row = self.row_of(mailbox)?;
                let notice = |row| Notice::Metadata(MetadataNotice { row: Some(row), entries });
                self.notices.extend(row.map(notice));
            }
        }
        Ok(())
    }

    fn is_own(&self, account: AccountId) -> Result<bool, Reason> {
        Ok(account == self.service.bound()?.id)
    }

    /// RFC 5465 §5.4: the mailbox, and its parent with it. Of others' names that was what could be seen.
    fn made_or_removed(
        &mut self,
        account: AccountId,
        name: &[u8],
        was_seen: bool,
    ) -> Result<(), Reason> {
        let is_own = self.is_own(account)?;
        let row = self.row(account, name, false)?;
        if !(is_own || row.exists || was_seen) {
            return Ok(());
        }
        self.tell_name(row, None);
        if let Some(at) = name.iter().rposition(|octet| *octet == b'/') {
            let row = self.row(account, &name[..at], false)?;
            if is_own || row.exists {
                self.tell_name(row, None);
            }
        }
        Ok(())
    }

    fn renamed(&mut self, account: AccountId, from: Vec<u8>, to: &[u8]) -> Result<(), Reason> {
        let row = self.row(account, to, false)?;
        if self.is_own(account)? {
            self.tell_name(row, Some(from));
        } else if row.exists {
            let owner = self.service.backend().store().account_name(account)?;
            self.tell_name(row, Some([OTHER_USERS, &owner, b"/", &from].concat()));
        }
        Ok(())
    }

    /// RFC 5465 §5.4: who gets `l` sees a mailbox made, who loses it sees it removed.
    fn rights_changed(&mut self, mailbox: MailboxId) -> Result<(), Reason> {
        let (account, name) = match self.service.backend().store().place(mailbox) {
            Ok(place) => place,
            Err(Reason::NotFound) => return Ok(()),
            Err(reason) => return Err(reason),
        };
        if !self.is_own(account)? {
            let row = self.row(account, &name, false)?;
            self.tell_name(row, None);
        }
        Ok(())
    }

    fn tell_name(&mut self, row: MailboxRow, old_name: Option<Vec<u8>>) {
        let notice = Notice::Name(NameNotice { row, old_name });
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    fn row(&self, account: AccountId, name: &[u8], status: bool) -> Result<MailboxRow, Reason> {
        self.service.seen(account, name, status)
    }

    /// A mailbox with its status, if it is still there and this account may read it.
    fn row_of(&self, mailbox: MailboxId) -> Result<Option<MailboxRow>, Reason> {
        let (account, name) = match self.service.backend().store().place(mailbox) {
            Ok(place) => place,
            Err(Reason::NotFound) => return Ok(None),
            Err(reason) => return Err(reason),
        };
        let row = self.row(account, &name, true)?;
        Ok(Some(row).filter(|row| row.status.is_some()))
    }
}
