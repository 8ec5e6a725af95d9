//! Answers an SMTP server session: who may send, whose mail is taken, and one transaction for the whole message.

use std::sync::Arc;

use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::sasl::LoginAnswer;
use pillarbox_engine::smtp::{Answer, Ask, Committed, Event, MailFrom, Server};
use pillarbox_engine::types::{BlobRange, Now, Reason, Refusal};

use super::content::Content;
use super::{Backend, Bound, Directory, Indexer, Service, log_in, unstage};
use crate::hub::SessionKey;
use crate::store::{Deliver, Outcome, Write};

/// A message that was made durable, for the log.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// The name given in the reply.
    pub id: Vec<u8>,
    /// The reverse path, empty for the null path.
    pub from: Vec<u8>,
    /// Accounts that got it.
    pub accounts: Vec<Vec<u8>>,
    /// Octets.
    pub size: u64,
}

/// Answers one SMTP server session.
pub struct SmtpService<B: Backend> {
    backend: Arc<B>,
    key: SessionKey,
    bound: Option<Bound>,
    sender: Option<MailFrom>,
    accounts: Vec<Vec<u8>>,
    content: Content,
    delivered: Option<Delivery>,
}

impl<B: Backend> SmtpService<B> {
    /// A service for the connection `key`.
    pub fn new(backend: Arc<B>, key: SessionKey) -> Self {
        let content = Content::default();
        Self {
            backend,
            key,
            bound: None,
            sender: None,
            accounts: Vec::new(),
            content,
            delivered: None,
        }
    }

    /// Takes the fact of the last delivery, for the log.
    pub fn take_delivery(&mut self) -> Option<Delivery> {
        self.delivered.take()
    }

    fn reset(&mut self) {
        self.sender = None;
        self.accounts.clear();
        self.content.drop_staged(&*self.backend);
    }

    async fn commit(&mut self, now: Now, indexer: &mut dyn Indexer) -> Result<Committed, Reason> {
        let size = self.content.size();
        let date = (now.unix_ms, 0);
        let (backend, flags) = (&*self.backend, Flags::default());
        let message = self.content.take_message(backend, self.key, indexer, flags, date).await?;
        let accounts = std::mem::take(&mut self.accounts);
        let staged = message.body.staged();
        let deliver = Deliver { accounts: accounts.clone(), message, now_ms: now.unix_ms };
        let outcome = self.backend.write(self.key, Write::Deliver(deliver)).await;
        let outcome = outcome.inspect_err(|_| unstage(&*self.backend, staged))?;
        let Outcome::Delivered(blob) = outcome else { return Err(Reason::StorageFailed) };
        let id = blob.to_string().into_bytes();
        let from = self.sender.take().and_then(|sender| sender.reverse_path);
        let from = from.map_or_else(Vec::new, |path| [path.local_part, path.domain].join(&b'@'));
        self.delivered = Some(Delivery { id: id.clone(), from, accounts, size });
        Ok(Committed { id, fates: Vec::new() })
    }
}

impl<B: Backend> Service<Server> for SmtpService<B> {
    async fn answer(&mut self, now: Now, ask: Ask, indexer: &mut dyn Indexer) -> Answer {
        let done =
            |outcome: Result<(), Refusal>| outcome.map_or_else(Answer::Refused, |()| Answer::Done);
        match ask {
            Ask::Login(credentials) => {
                let (bound, answer) = log_in(&*self.backend, self.key, credentials).await;
                if matches!(answer, LoginAnswer::Accepted(_)) {
                    self.bound = bound;
                }
                Answer::Login(answer)
            }
            Ask::Sender(sender) => {
                self.reset();
                self.sender = Some(sender);
                Answer::Done
            }
            Ask::Recipient(to) => {
                done(self.backend.directory().recipient(&to.forward_path).map(|accounts| {
                    for account in accounts {
                        // Two addresses of one account are one copy (RFC 5321 §3.9 says nothing against it).
                        if !self.accounts.contains(&account) {
                            self.accounts.push(account);
                        }
                    }
                }))
            }
            Ask::Chunk(octets) => done(
                self.content.add(&*self.backend, self.key, &octets).await.map_err(Refusal::new),
            ),
            Ask::Commit(_) => match self.commit(now, indexer).await {
                Ok(committed) => Answer::Committed(committed),
                Err(reason) => {
                    self.reset();
                    Answer::Refused(Refusal::new(reason))
                }
            },
            Ask::Verify(_) | Ask::Expand(_) | Ask::Flush(_) => {
                Answer::Refused(Refusal::new(Reason::Unsupported))
            }
        }
    }

    fn octets(&mut self, _range: BlobRange) -> Result<Vec<u8>, Reason> {
        Err(Reason::NotPermitted)
    }

    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Reset) {
            self.reset();
        }
    }

    fn call(&mut self) -> Option<<Server as pillarbox_engine::Role>::Call> {
        None
    }

    fn account(&self) -> Option<&[u8]> {
        self.bound.as_ref().map(|bound| &bound.name[..])
    }
}

impl<B: Backend> Drop for SmtpService<B> {
    fn drop(&mut self) {
        self.content.drop_staged(&*self.backend);
    }
}
