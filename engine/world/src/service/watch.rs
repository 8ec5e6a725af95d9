//! What happens to mailboxes that are not open, for sessions that said NOTIFY (RFC 5465).

use pillarbox_engine::imap::types::{
    MailboxRow, MessagesNotice, MetadataNotice, NameNotice, Notice,
};
use pillarbox_engine::types::Reason;

use super::Backend;
use super::imap::ImapService;
use crate::store::{AccountId, Happening, Store};

impl<B: Backend> ImapService<B> {
    pub(super) fn listen(&mut self) -> Result<(), Reason> {
        let account = self.bound()?.id;
        let (hub, wake) = (self.backend().hub(), self.backend().wake(self.key()));
        hub.listen(self.key(), &[account], wake);
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
    pub(super) fn notices(&self) -> Vec<Notice> {
        let heard = self.backend().hub().heard(self.key());
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
            Happening::Created(name) | Happening::Deleted(name) => {
                self.name(account, &name, None)?;
                // RFC 5465 §5.4: its parent is affected too.
                if let Some(at) = name.iter().rposition(|octet| *octet == b'/') {
                    self.name(account, &name[..at], None)?;
                }
            }
            Happening::Renamed(from, to) => self.name(account, &to, Some(from))?,
            Happening::Subscribed(name) => {
                let row = self.row(account, &name, false)?;
                self.notices.push(Notice::Subscription(row));
            }
            Happening::Annotated(None, entries) => {
                self.notices.push(Notice::Metadata(MetadataNotice { row: None, entries }));
            }
            Happening::Annotated(Some(mailbox), entries) => {
                let row = self.row_of(mailbox)?;
                let notice = |row| Notice::Metadata(MetadataNotice { row: Some(row), entries });
                self.notices.extend(row.map(notice));
            }
        }
        Ok(())
    }

    fn name(
        &mut self,
        account: AccountId,
        name: &[u8],
        old_name: Option<Vec<u8>>,
    ) -> Result<(), Reason> {
        let notice = Notice::Name(NameNotice { row: self.row(account, name, false)?, old_name });
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
        Ok(())
    }

    fn row(&self, account: AccountId, name: &[u8], status: bool) -> Result<MailboxRow, Reason> {
        self.service.backend().store().name(account, name, status)
    }

    /// A mailbox with its status, if it is still there.
    fn row_of(&self, mailbox: u64) -> Result<Option<MailboxRow>, Reason> {
        let (account, name) = match self.service.backend().store().place(mailbox) {
            Ok(place) => place,
            Err(Reason::NotFound) => return Ok(None),
            Err(reason) => return Err(reason),
        };
        let row = self.row(account, &name, true)?;
        Ok(Some(row).filter(|row| row.status.is_some()))
    }
}
