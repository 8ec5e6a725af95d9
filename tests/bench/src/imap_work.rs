//! What is asked of an IMAP server: logging in, appending, fetching, searching, filling.
//! Each answer is held against what the corpus says it must be.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use crate::corpus::{KEYS, Message};
use crate::imap::Imap;
use crate::load::{Progress, Session};

/// Whose mailbox, on which server.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) address: SocketAddr,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Account {
    /// Connects and logs in.
    pub(crate) async fn log_in(&self) -> Result<Imap> {
        let mut imap = Imap::connect(self.address).await?;
        imap.login(&self.user, &self.password).await?;
        Ok(imap)
    }
}

impl Account {
    /// As `log_in`, from that address of this machine.
    pub(crate) async fn log_in_from(&self, source: IpAddr) -> Result<Imap> {
        let mut imap = Imap::connect_from(source, self.address).await?;
        imap.login(&self.user, &self.password).await?;
        Ok(imap)
    }
}

/// Connect, LOGIN, SELECT INBOX, LOGOUT.
pub(crate) struct LoginSelect(pub(crate) Account);

impl Session for LoginSelect {
    async fn operate(&mut self, progress: &Progress) -> Result<()> {
        let mut imap = self.0.log_in().await?;
        imap.select("INBOX").await?;
        progress.add(1, 0);
        imap.logout().await
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}

/// APPEND of one message after another to INBOX.
pub(crate) struct Append {
    imap: Imap,
    message: Message,
}

impl Append {
    pub(crate) async fn open(account: &Account, size: usize, lane: u64) -> Result<Self> {
        let mut imap = account.log_in().await?;
        imap.learn_capabilities().await?;
        Ok(Self { imap, message: Message::new(size, lane) })
    }
}

impl Session for Append {
    async fn operate(&mut self, progress: &Progress) -> Result<()> {
        self.message.stamp();
        self.imap.append("INBOX", self.message.octets()).await?;
        progress.add(1, self.message.octets().len() as u64);
        Ok(())
    }

    async fn close(self) -> Result<()> {
        self.imap.logout().await
    }
}

/// One connection appends a message, and another one that IDLEs is told of it.
pub(crate) struct Push {
    watcher: Imap,
    told: u64,
    append: Append,
}

impl Push {
    pub(crate) async fn open(account: &Account) -> Result<Self> {
        let append = Append::open(account, 2048, 0).await?;
        let mut watcher = account.log_in().await?;
        let told = watcher.select("INBOX").await?;
        watcher.idle().await?;
        Ok(Self { watcher, told, append })
    }
}

impl Session for Push {
    async fn operate(&mut self, progress: &Progress) -> Result<()> {
        self.told += 1;
        self.append.operate(progress).await?;
        self.watcher.told_of(self.told).await
    }

    async fn close(self) -> Result<()> {
        self.append.close().await
    }
}

/// One command over a selected mailbox, over and over.
pub(crate) struct Query {
    imap: Imap,
    messages: u64,
    question: Question,
    asked: u64,
}

/// The command of a [`Query`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// FETCH 1:* (FLAGS)
    Flags,
    /// FETCH 1:* (ENVELOPE)
    Envelope,
    /// FETCH 1:* (BODY.PEEK[])
    Bodies,
    /// SEARCH FROM; the sender sought is another one each time.
    SearchFrom,
    /// SEARCH SUBJECT, likewise.
    SearchSubject,
    /// SEARCH BODY, likewise.
    SearchBody,
    /// SORT (DATE) of all messages.
    SortDate,
    /// SORT (SUBJECT) of all messages.
    SortSubject,
    /// THREAD REFERENCES of all messages; of each eight, seven answer the same one.
    Thread,
}

impl Query {
    /// Logs in and selects; the mailbox must hold messages of the corpus.
    pub(crate) async fn open(account: &Account, mailbox: &str, question: Question) -> Result<Self> {
        let mut imap = account.log_in().await?;
        let messages = imap.select(mailbox).await?;
        ensure!(messages > 0, "{mailbox} of {} is empty: fill it first", account.user);
        Ok(Self { imap, messages, question, asked: 0 })
    }

    fn command(&self) -> String {
        // A fixed step through the keys: neighbours are far apart, and all have their turn.
        let key = self.asked * 37 % KEYS;
        match self.question {
            Question::Flags => "FETCH 1:* (FLAGS)".to_owned(),
            Question::Envelope => "FETCH 1:* (ENVELOPE)".to_owned(),
            Question::Bodies => "FETCH 1:* (BODY.PEEK[])".to_owned(),
            Question::SearchFrom => format!("SEARCH FROM \"sender-{key:03}\""),
            Question::SearchSubject => format!("SEARCH SUBJECT \"topic-{key:03}\""),
            Question::SearchBody => format!("SEARCH BODY \"needle-{key:03}\""),
            Question::SortDate => "SORT (DATE) UTF-8 ALL".to_owned(),
            Question::SortSubject => "SORT (SUBJECT) UTF-8 ALL".to_owned(),
            Question::Thread => "THREAD REFERENCES UTF-8 ALL".to_owned(),
        }
    }
}

impl Session for Query {
    async fn operate(&mut self, progress: &Progress) -> Result<()> {
        let command = self.command();
        self.asked += 1;
        let answer = self.imap.run_watched(&command, progress).await?;
        let (got, expected) = match self.question {
            Question::Flags | Question::Envelope | Question::Bodies => {
                (answer.fetched, self.messages)
            }
            Question::SortDate | Question::SortSubject | Question::Thread => {
                progress.add(1, 0);
                (answer.found, self.messages)
            }
            Question::SearchFrom | Question::SearchSubject | Question::SearchBody => {
                progress.add(1, 0);
                (answer.found, self.messages / KEYS)
            }
        };
        // A mailbox whose size is no multiple of KEYS holds one more of some keys.
        let some = expected != self.messages && !self.messages.is_multiple_of(KEYS);
        let more = expected + u64::from(some);
        ensure!(
            (expected..=more).contains(&got),
            "{command}: {got} answers from {} messages, expected {expected}",
            self.messages
        );
        let bodies = self.question == Question::Bodies;
        ensure!(!bodies || answer.octets > self.messages, "{command}: bodies without octets");
        Ok(())
    }

    async fn close(self) -> Result<()> {
        self.imap.logout().await
    }
}

/// Appends `messages` of the corpus to `mailbox`, which is created unless it is INBOX. Several
/// connections append side by side.
pub(crate) async fn fill(
    account: &Account,
    mailbox: &str,
    messages: u64,
    size: usize,
) -> Result<()> {
    const CONNECTIONS: u64 = 8;
    const BATCH: u64 = 20;
    let mut imap = account.log_in().await?;
    if mailbox != "INBOX" {
        imap.run(&format!("CREATE {mailbox}")).await?;
    }
    let next = Arc::new(AtomicU64::new(0));
    let mut filling = JoinSet::new();
    for _ in 0..CONNECTIONS.min(messages.div_ceil(BATCH)) {
        let (account, mailbox, next) = (account.clone(), mailbox.to_owned(), Arc::clone(&next));
        filling.spawn(async move {
            let mut imap = account.log_in().await?;
            imap.learn_capabilities().await?;
            loop {
                let begin = next.fetch_add(BATCH, Ordering::Relaxed);
                if begin >= messages {
                    return imap.logout().await;
                }
                let batch: Vec<Message> =
                    (begin..messages.min(begin + BATCH)).map(|at| Message::new(size, at)).collect();
                append_batch(&mut imap, &mailbox, batch).await?;
            }
        });
    }
    while let Some(ended) = filling.join_next().await {
        ended.context("filling panicked")??;
    }
    let found = imap.select(mailbox).await?;
    ensure!(found == messages, "{mailbox} holds {found} messages, {messages} were appended");
    imap.logout().await
}

async fn append_batch(imap: &mut Imap, mailbox: &str, mut batch: Vec<Message>) -> Result<()> {
    batch.iter_mut().for_each(Message::stamp);
    if imap.multi_append {
        return imap.append_all(mailbox, &batch).await;
    }
    for message in batch {
        imap.append(mailbox, message.octets()).await?;
    }
    Ok(())
}
