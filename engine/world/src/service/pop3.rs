//! Answers a POP3 server session: the maildrop's lock, its table as it was when opened, and the removal at its end.

use std::sync::Arc;

use pillarbox_engine::imap::types::UidRun;
use pillarbox_engine::pop3::{Answer, Ask, EntriesAsk, Entry, Event, NumberRun, Opened, Server};
use pillarbox_engine::sasl::LoginAnswer;
use pillarbox_engine::types::{BlobRange, Now, Reason, Refusal};

use super::{Backend, Bound, Granted, Indexer, Service, log_in};
use crate::hub::{Held, MaildropLock, SessionKey};
use crate::store::{Expunge, MailboxId, MaildropEntry, Store, Write};

/// Answers one POP3 server session.
pub struct Pop3Service<B: Backend> {
    backend: Arc<B>,
    key: SessionKey,
    bound: Option<Bound>,
    maildrop: Option<Maildrop>,
    granted: Granted,
}

struct Maildrop {
    mailbox: MailboxId,
    uid_validity: u32,
    entries: Vec<MaildropEntry>,
    lock: MaildropLock,
    /// RFC 1939 §8: the maildrop stays as it was when it was opened, whatever IMAP does to the mailbox.
    _held: Held,
}

impl<B: Backend> Pop3Service<B> {
    /// A service for the connection `key`.
    pub fn new(backend: Arc<B>, key: SessionKey) -> Self {
        Self { backend, key, bound: None, maildrop: None, granted: Granted::default() }
    }

    fn open(&mut self, now: Now, delay_s: u32) -> Result<Opened, Reason> {
        let account = self.bound.as_ref().ok_or(Reason::NotPermitted)?.id;
        let store = self.backend.store();
        let mailbox = store.mailbox(account, b"INBOX")?;
        let hub = self.backend.hub();
        let lock = hub.lock_maildrop(mailbox).ok_or(Reason::InUse)?;
        // RFC 2449 §6.5
        if !hub.may_open_again(mailbox, now.monotonic_ms, u64::from(delay_s) * 1000) {
            return Err(Reason::LoginThrottled);
        }
        let uid_validity = store.status(account, b"INBOX")?.uid_validity;
        let held = self.backend.hub().hold(self.key);
        let entries = store.maildrop(mailbox)?;
        held.only(entries.iter().map(|entry| entry.blob).collect());
        let count = u32::try_from(entries.len()).map_err(|_| Reason::TooMany)?;
        let octets = entries.iter().map(|entry| entry.size).sum();
        self.maildrop = Some(Maildrop { mailbox, uid_validity, entries, lock, _held: held });
        Ok(Opened { count, octets })
    }

    fn entries(&mut self, ask: EntriesAsk) -> Result<Vec<Entry>, Reason> {
        let maildrop = self.maildrop.as_ref().ok_or(Reason::NotPermitted)?;
        let first = (ask.first as usize).checked_sub(1).ok_or(Reason::NotFound)?;
        let entries = maildrop.entries.iter().skip(first).take(ask.max as usize);
        let entry = |entry: &MaildropEntry| Entry {
            blob: entry.blob,
            size: entry.size,
            unique_id: format!("{:x}.{:x}", maildrop.uid_validity, entry.uid).into_bytes(),
            plain: entry.plain,
        };
        let entries: Vec<Entry> = entries.map(entry).collect();
        entries.iter().for_each(|entry| self.granted.grant(entry.blob));
        Ok(entries)
    }

    async fn remove(&mut self, numbers: &[NumberRun]) -> Result<(), Reason> {
        // The session ends with this: who hears that it is over can open the maildrop at once.
        let maildrop = self.maildrop.take().ok_or(Reason::NotPermitted)?;
        // RFC 1939 §4: without the lock others may have the maildrop open, and nothing may be removed.
        if !maildrop.lock.is_held() {
            return Err(Reason::InUse);
        }
        let mut uids: Vec<UidRun> = Vec::new();
        for run in numbers {
            for number in run.first..=run.last {
                let at = (number as usize).checked_sub(1).ok_or(Reason::NotFound)?;
                let uid = maildrop.entries.get(at).ok_or(Reason::NotFound)?.uid;
                match uids.last_mut() {
                    Some(last) if last.last.checked_add(1) == Some(uid) => last.last = uid,
                    _ => uids.push(UidRun { first: uid, last: uid }),
                }
            }
        }
        let expunge = Expunge { mailbox: maildrop.mailbox, uids, deleted_only: false };
        self.backend.write(self.key, Write::Expunge(expunge)).await.map(|_| ())
    }
}

impl<B: Backend> Service<Server> for Pop3Service<B> {
    async fn answer(&mut self, now: Now, ask: Ask, _: &mut dyn Indexer) -> Answer {
        let answered = match ask {
            // Whoever has faults answers before this is asked.
            Ask::Phase(_) => return Answer::Done,
            Ask::Login(credentials) => {
                // Seldom and large, so that a connection does not rest with room for it.
                let login = Box::pin(log_in(&*self.backend, self.key, credentials));
                let (bound, answer) = login.await;
                if matches!(answer, LoginAnswer::Accepted(_)) {
                    self.bound = bound;
                }
                Ok(Answer::Login(answer))
            }
            Ask::Open(delay_s) => self.open(now, delay_s).map(Answer::Opened),
            Ask::Entries(ask) => self.entries(ask).map(Answer::Entries),
            Ask::Octets(range) => self.octets(range).map(Answer::Octets),
            Ask::Remove(numbers) => self.remove(&numbers).await.map(|()| Answer::Done),
        };
        answered.unwrap_or_else(|reason| Answer::Refused(Refusal::new(reason)))
    }

    fn octets(&mut self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        self.granted.octets(self.backend.store(), range)
    }

    fn event(&mut self, event: &Event) {
        // RFC 1939 §6: the lock is given up before the farewell goes out, so that who hears it can open the maildrop.
        if matches!(event, Event::Quit) {
            self.maildrop = None;
        }
    }

    fn call(&mut self) -> Option<<Server as pillarbox_engine::Role>::Call> {
        None
    }

    fn account(&self) -> Option<&[u8]> {
        self.bound.as_ref().map(|bound| &bound.name[..])
    }
}
