//! Answers asks about an account's mail from the store, and takes messages piece by piece: the one place where commands
//! that bring and take mail meet it, in the server and without one.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::{SystemTime, UNIX_EPOCH};

use pillarbox_engine::imap::grammar::mailbox_name;
use pillarbox_engine::imap::types::{Flags, MailboxesAsk, RowsAsk, UidRun};
use pillarbox_engine::types::{BlobRange, Reason};
use pillarbox_world::service::{Backend, Content, Directory};
use pillarbox_world::store::{AccountId, Append, Collect, Create, NewMessage, Outcome, Write};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use super::Pending;
use super::asks::{Ask, Envelope, KEYS_MAX, Key, Mailbox, Origin, PART_MAX, Reply, Row, Stored};
use crate::backend::HostBackend;
use crate::store;

/// Mailboxes in one answer.
const MAILBOXES_MAX: u32 = 200;
/// Messages in one answer.
const ROWS_MAX: u32 = 500;
/// Replies that wait to be written.
const REPLIES_MAX: usize = 256;
/// Octets of an ask's line.
const LINE_MAX: u64 = 64 * 1024;

/// Where one command's asks are answered.
pub(crate) struct Desk {
    backend: Arc<HostBackend>,
    /// The message that is coming.
    content: Content,
    /// Why it cannot be taken any more.
    broken: Option<Reason>,
}

impl Desk {
    pub(crate) fn new(backend: Arc<HostBackend>) -> Self {
        Self { backend, content: Content::default(), broken: None }
    }

    /// Octets of the message that is coming. What fails is told once it is to be stored.
    pub(crate) async fn part(&mut self, octets: &[u8]) {
        if self.broken.is_none()
            && let Err(reason) = self.content.add(&*self.backend, 0, octets).await
        {
            self.content.drop_staged(&*self.backend);
            self.broken = Some(reason);
        }
    }

    /// The message that is coming is not wanted.
    pub(crate) fn forget(&mut self) {
        self.broken = None;
        self.content.drop_staged(&*self.backend);
        self.content = Content::default();
    }

    /// Stores what came, behind what was stored before.
    pub(crate) async fn store(&mut self, envelope: Envelope) -> Pending {
        let (told, pending) = oneshot::channel();
        match self.begin_store(envelope).await {
            Ok(Begun::Known) => {
                drop(told.send(Reply::Stored(Stored { known: true })));
            }
            Ok(Begun::Write(write)) => {
                let backend = Arc::clone(&self.backend);
                // Unconstrained: a task that has done much would be told to wait, and others would get in between.
                let writing = async move { backend.write(0, *write).await };
                let mut writing = Box::pin(tokio::task::unconstrained(writing));
                // Looked at once here, which puts it behind those before it; its end is waited for elsewhere.
                let begun = poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx))).await;
                tokio::spawn(async move {
                    let outcome = match begun {
                        Poll::Ready(outcome) => outcome,
                        Poll::Pending => writing.await,
                    };
                    // Whoever asked may be gone; what is stored stays.
                    drop(told.send(reply(outcome)));
                });
            }
            Err(reason) => drop(told.send(refused(reason))),
        }
        self.forget();
        pending
    }

    async fn begin_store(&mut self, envelope: Envelope) -> Result<Begun, Reason> {
        if let Some(reason) = self.broken.take() {
            return Err(reason);
        }
        let now_ms = now_ms();
        let account = self.account(&envelope.account)?;
        let name = envelope.mailbox.clone().into_bytes();
        let mailbox = self.backend.store().mailbox(account, &name)?;
        let origin = match envelope.origin {
            Origin::Anywhere => None,
            // A mailbox that was made anew has nothing from files yet, so its number is part of it.
            Origin::File { key } => Some((Key::of(&[b"files", &mailbox.to_be_bytes()]), key)),
            Origin::Server { source, key } => Some((source, key)),
        };
        if let Some((source, key)) = origin {
            let keys = [key.0.to_vec()];
            if self.backend.store().collected(account, &source.0, &keys)? == [true] {
                return Ok(Begun::Known);
            }
        }
        let keywords = envelope.keywords.into_iter().map(String::into_bytes).collect();
        let flags = Flags { system: envelope.system, keywords };
        let date = (envelope.date_ms.unwrap_or(now_ms), envelope.zone);
        let backend = &*self.backend;
        let message: NewMessage =
            self.content.take_message(backend, 0, &mut (), flags, date).await?;
        let append = Append { account, name, messages: vec![message], replaces: None, now_ms };
        Ok(Begun::Write(Box::new(match origin {
            Some((source, key)) => {
                let (source, key) = (source.0.to_vec(), key.0.to_vec());
                Write::Collect(Box::new(Collect { append, source, key }))
            }
            None => Write::Append(append),
        })))
    }

    /// Answers what changes no message.
    pub(crate) async fn ask(&mut self, ask: Ask) -> (Reply, Vec<u8>) {
        match self.answered(ask).await {
            Ok(answer) => answer,
            Err(reason) => (refused(reason), Vec::new()),
        }
    }

    async fn answered(&self, ask: Ask) -> Result<(Reply, Vec<u8>), Reason> {
        let store = self.backend.store();
        let reply = match ask {
            Ask::Account { name, make } => self.known_account(&name, make).await?,
            Ask::Make { account, mailbox } => {
                self.make(&account, &mailbox).await?;
                Reply::Done
            }
            Ask::Mailboxes { account, after } => {
                let after = after.map(String::into_bytes);
                let ask =
                    MailboxesAsk { after, prefix: Vec::new(), max: MAILBOXES_MAX, status: true };
                let page = store.mailboxes(self.account(&account)?, &ask)?;
                // A name without a mailbox counts for the page, so that it goes on behind it.
                let mailbox = |row: pillarbox_engine::imap::types::MailboxRow| Mailbox {
                    name: text(&row.name),
                    uid_validity: row.status.as_ref().map_or(0, |status| status.uid_validity),
                    messages: row.status.as_ref().map_or(0, |status| status.messages),
                };
                let mailboxes = page.rows.into_iter().map(mailbox).collect();
                Reply::Mailboxes { mailboxes, more: page.more }
            }
            Ask::Known { account, source, keys } => {
                if keys.len() > KEYS_MAX {
                    return Err(Reason::TooMany);
                }
                let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.0.to_vec()).collect();
                let known = store.collected(self.account(&account)?, &source.0, &keys)?;
                Reply::Known { known }
            }
            Ask::Rows { account, mailbox, after } => {
                let mailbox = store.mailbox(self.account(&account)?, mailbox.as_bytes())?;
                let Some(first) = after.checked_add(1) else {
                    return Ok((Reply::Rows { rows: Vec::new(), more: false }, Vec::new()));
                };
                let uids = vec![UidRun { first, last: u32::MAX }];
                let ask = RowsAsk { uids, max: ROWS_MAX, index: false, changed_since: None };
                let page = store.rows(mailbox, &ask)?;
                let rows = page.rows.into_iter().map(|row| Row {
                    uid: row.uid,
                    blob: row.blob,
                    size: row.size,
                    system: row.flags.system,
                    keywords: row.flags.keywords.iter().map(|keyword| text(keyword)).collect(),
                    date_ms: row.internal_date_ms,
                    zone: row.internal_date_zone,
                });
                Reply::Rows { rows: rows.collect(), more: page.more }
            }
            Ask::Octets { blob, offset, length } => {
                let octets = store.octets(BlobRange {
                    blob,
                    offset,
                    length: length.min(PART_MAX as u64),
                })?;
                return Ok((Reply::Octets { size: octets.len() as u64 }, octets));
            }
            Ask::Part { .. } | Ask::Store(_) | Ask::Forget => return Err(Reason::Unsupported),
        };
        Ok((reply, Vec::new()))
    }

    async fn known_account(&self, name: &str, make: bool) -> Result<Reply, Reason> {
        let right = |name: &[u8]| {
            !name.is_empty() && name.len() <= 255 && !name.iter().any(u8::is_ascii_control)
        };
        let known = self.backend.directory().known(name.as_bytes());
        let Some(name) = known.filter(|name| right(name)) else {
            let help = "`pillarbox account list` shows them all";
            let message = format!("there is no account {name}; {help}");
            return Ok(Reply::Error { message });
        };
        if self.backend.store().account(&name)?.is_none() {
            // Where accounts are in a file, one without mail is there all the same.
            if !make && self.backend.directory().accounts_now().is_none() {
                let message = format!("there is no mail of {} here, and never was", text(&name));
                return Ok(Reply::Error { message });
            }
            self.backend.write(0, Write::EnsureAccount(name.clone())).await?;
        }
        Ok(Reply::Account { name: text(&name) })
    }

    fn account(&self, name: &str) -> Result<AccountId, Reason> {
        self.backend.store().account(name.as_bytes())?.ok_or(Reason::NotFound)
    }

    async fn make(&self, account: &str, mailbox: &str) -> Result<(), Reason> {
        let account = self.account(account)?;
        let name = mailbox_name(mailbox.as_bytes(), true).map_err(|_| Reason::NotPermitted)?;
        match self.backend.store().mailbox(account, &name) {
            Err(Reason::NotFound) => {}
            found => return found.map(|_| ()),
        }
        let create = Create { account, name: name.clone(), special_uses: Vec::new() };
        match self.backend.write(0, Write::Create(create)).await {
            // Somebody else was quicker.
            Err(Reason::AlreadyExists) => {}
            made => return made.map(|_| ()),
        }
        self.backend.store().mailbox(account, &name).map(|_| ())
    }

    /// Lets writes end, and closes the files.
    pub(crate) async fn close(mut self) {
        self.forget();
        self.backend.mail_store().close().await;
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.content.drop_staged(&*self.backend);
    }
}

enum Begun {
    Known,
    Write(Box<Write>),
}

fn reply(outcome: Result<Outcome, Reason>) -> Reply {
    match outcome {
        Ok(Outcome::Known) => Reply::Stored(Stored { known: true }),
        Ok(_) => Reply::Stored(Stored { known: false }),
        Err(reason) => refused(reason),
    }
}

fn refused(reason: Reason) -> Reply {
    let message = match reason {
        Reason::NotFound => "the account or the mailbox is gone",
        Reason::NotPermitted => "no mailbox can have this name",
        reason => store::words(reason),
    };
    Reply::Error { message: message.to_owned() }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A reply to be written, in its turn.
enum Turn {
    Now(Reply, Vec<u8>),
    Later(Pending),
}

/// Serves one command over the control socket, whose first ask was read already, until it goes away.
pub(crate) async fn serve(
    backend: Arc<HostBackend>,
    first: Ask,
    mut read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
) -> io::Result<()> {
    let (turns, waiting) = mpsc::channel(REPLIES_MAX);
    let writer = tokio::spawn(write_replies(write, waiting));
    let mut desk = Desk::new(backend);
    let mut ask = Some(first);
    while let Some(asked) = ask {
        let turn = match asked {
            Ask::Part { size } => {
                let size = usize::try_from(size).ok().filter(|size| *size <= PART_MAX);
                // Where the next ask begins is not known any more.
                let Some(size) = size else { break };
                let mut octets = vec![0; size];
                read.read_exact(&mut octets).await?;
                desk.part(&octets).await;
                None
            }
            Ask::Forget => {
                desk.forget();
                None
            }
            Ask::Store(envelope) => Some(Turn::Later(desk.store(envelope).await)),
            ask => {
                let (reply, octets) = desk.ask(ask).await;
                Some(Turn::Now(reply, octets))
            }
        };
        if let Some(turn) = turn
            && turns.send(turn).await.is_err()
        {
            break;
        }
        ask = next(&mut read).await?;
    }
    drop((turns, desk));
    writer.await.unwrap_or(Ok(()))
}

/// The next ask; none at the end, and if it is none.
async fn next(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Ask>> {
    let mut line = Vec::new();
    let length = read.take(LINE_MAX).read_until(b'\n', &mut line).await?;
    Ok(if length == 0 { None } else { serde_json::from_slice(&line).ok() })
}

async fn write_replies(
    mut write: OwnedWriteHalf,
    mut waiting: mpsc::Receiver<Turn>,
) -> io::Result<()> {
    while let Some(turn) = waiting.recv().await {
        let (reply, octets) = match turn {
            Turn::Now(reply, octets) => (reply, octets),
            Turn::Later(pending) => {
                (pending.await.unwrap_or_else(|_| refused(Reason::StorageFailed)), Vec::new())
            }
        };
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        line.extend(octets);
        write.write_all(&line).await?;
    }
    Ok(())
}
