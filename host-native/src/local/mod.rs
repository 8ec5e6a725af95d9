//! The mail of this machine's accounts, as commands that bring and take it see it: through the server that has the data
//! directory open, or in this process if there is none. Both answer the same asks, at the same [`Desk`].

mod asks;
mod desk;
mod remote;

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::backend::{HostBackend, Relaying};
use crate::config::Settings;
use crate::engine::{Engine, EngineSettings};
use crate::error::{Error, Kind};
use crate::limits::Hits;
use crate::relay::QueueClock;
use crate::serve;
use crate::store::MailStore;

pub(crate) use asks::{Ask, Envelope, Key, Mailbox, Origin, Reply, Row, Stored};
pub(crate) use desk::{Desk, serve as serve_desk};

use remote::Remote;

/// Messages that are being stored at once: enough that one sync of the disk serves many.
const STORING_MAX: usize = 128;

/// How long a directory that another command has open is waited for: mostly it is done with a few messages.
const BUSY_WITHIN: Duration = Duration::from_secs(5);
/// How often it is tried meanwhile.
const BUSY_EVERY: Duration = Duration::from_millis(100);

/// What becomes of a message that was handed over.
pub(crate) type Pending = oneshot::Receiver<Reply>;

/// The store, wherever it is open.
pub(crate) enum Local {
    /// In this process.
    Here(Box<Desk>),
    /// In the server.
    There(Remote),
}

impl Local {
    /// Opens what the settings name, and waits a little if another command has it; `make`: a directory without a
    /// store gets one.
    ///
    /// # Errors
    /// There is no store, or it cannot be reached.
    pub(crate) async fn open(settings: &Settings, make: bool) -> Result<Self, Error> {
        let Some(directory) = settings.data.directory() else {
            let what = "mail in memory alone is reached by its server's ports; name a directory";
            return Err(Error::usage(format!("{what} with --data DIR")));
        };
        if !make && settings.data.is_new() {
            let what = "no mail store is here; name the right directory with --data or --config";
            return Err(Error::new(Kind::Data, format!("--data {}: {what}", directory.display())));
        }
        let began = Instant::now();
        let store = loop {
            // Looked for each time: what has the directory open may be a server that has just begun.
            if let Ok(stream) = UnixStream::connect(directory.join(serve::CONTROL)) {
                return Ok(Self::There(Remote::new(stream)?));
            }
            match MailStore::open(&settings.data) {
                Err(error) if error.kind == Kind::Busy && began.elapsed() < BUSY_WITHIN => {
                    tokio::time::sleep(BUSY_EVERY).await;
                }
                opened => break opened?,
            }
        };
        let relaying = Relaying::of(settings, QueueClock::start());
        let engine = Arc::new(Engine::new(&EngineSettings::new(settings.engine, Some(1)))?);
        let accounts = serve::directory(settings, Hits::default(), &engine)?;
        let backend = Arc::new(HostBackend::new(store, accounts, engine, relaying));
        Ok(Self::Here(Box::new(Desk::new(backend))))
    }

    /// Asks for something that changes no message.
    pub(crate) async fn ask(&mut self, ask: Ask) -> Result<(Reply, Vec<u8>), Error> {
        let (reply, octets) = match self {
            Self::Here(desk) => desk.ask(ask).await,
            Self::There(remote) => remote.ask(&ask).await?,
        };
        match reply {
            Reply::Error { message } => Err(Error::failed(message)),
            reply => Ok((reply, octets)),
        }
    }

    /// The canonical name of an account to bring mail to.
    ///
    /// # Errors
    /// There is none of this name.
    pub(crate) async fn account(&mut self, name: &str) -> Result<String, Error> {
        self.account_or(name, true).await
    }

    /// The canonical name of an account to take mail from.
    ///
    /// # Errors
    /// There is none of this name, or, in the dev profile, none that ever had mail.
    pub(crate) async fn known_account(&mut self, name: &str) -> Result<String, Error> {
        self.account_or(name, false).await
    }

    async fn account_or(&mut self, name: &str, make: bool) -> Result<String, Error> {
        match self.ask(Ask::Account { name: name.to_owned(), make }).await?.0 {
            Reply::Account { name } => Ok(name),
            _ => Err(unexpected()),
        }
    }

    /// Makes a mailbox unless it is there.
    pub(crate) async fn make(&mut self, account: &str, mailbox: &str) -> Result<(), Error> {
        let (account, mailbox) = (account.to_owned(), mailbox.to_owned());
        self.ask(Ask::Make { account, mailbox }).await.map(|_| ())
    }

    /// Of each of these keys, whether a message with it was taken from this source before.
    pub(crate) async fn known(
        &mut self,
        account: &str,
        source: Key,
        keys: &[Key],
    ) -> Result<Vec<bool>, Error> {
        let mut all = Vec::with_capacity(keys.len());
        for some in keys.chunks(asks::KEYS_MAX) {
            let account = account.to_owned();
            match self.ask(Ask::Known { account, source, keys: some.to_vec() }).await?.0 {
                Reply::Known { known } if known.len() == some.len() => all.extend(known),
                _ => return Err(unexpected()),
            }
        }
        Ok(all)
    }

    /// The next octets of a message, with CRLF; at most [`asks::PART_MAX`] at once.
    pub(crate) async fn part(&mut self, octets: &[u8]) -> Result<(), Error> {
        for octets in octets.chunks(asks::PART_MAX) {
            match self {
                Self::Here(desk) => desk.part(octets).await,
                Self::There(remote) => remote.part(octets).await?,
            }
        }
        Ok(())
    }

    /// The message is whole: it is to be stored, behind those handed over before.
    pub(crate) async fn store(&mut self, envelope: Envelope) -> Result<Pending, Error> {
        match self {
            Self::Here(desk) => Ok(desk.store(envelope).await),
            Self::There(remote) => remote.store(envelope).await,
        }
    }

    /// The message that is coming is not wanted any more.
    pub(crate) async fn forget(&mut self) -> Result<(), Error> {
        match self {
            Self::Here(desk) => {
                desk.forget();
                Ok(())
            }
            Self::There(remote) => remote.forget().await,
        }
    }

    /// Lets writes end, and closes the files.
    pub(crate) async fn close(self) {
        if let Self::Here(desk) = self {
            desk.close().await;
        }
    }
}

/// What a message that was handed over has come to.
///
/// # Errors
/// It is not stored.
pub(crate) fn stored(reply: Result<Reply, oneshot::error::RecvError>) -> Result<Stored, Error> {
    match reply {
        Ok(Reply::Stored(stored)) => Ok(stored),
        Ok(Reply::Error { message }) => Err(Error::failed(message)),
        Ok(_) => Err(unexpected()),
        Err(_) => Err(Error::new(Kind::Temporary, "the server broke off; run this again")),
    }
}

pub(crate) fn unexpected() -> Error {
    Error::failed("the server answered something else; is it of the same version as this command?")
}

/// Messages that were handed over and are not known to be stored, in order, each with what its caller calls it.
pub(crate) struct Handed<T>(VecDeque<(T, Pending)>);

impl<T> Default for Handed<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Handed<T> {
    /// One more.
    pub(crate) fn push(&mut self, what: T, pending: Pending) {
        self.0.push_back((what, pending));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The oldest, once it is stored or is known not to be; none if there is none.
    pub(crate) async fn next(&mut self) -> Option<(T, Result<Stored, Error>)> {
        // Looked at in place: whoever stops waiting loses nothing.
        let (_, pending) = self.0.front_mut()?;
        let reply = pending.await;
        let (what, _) = self.0.pop_front()?;
        Some((what, stored(reply)))
    }

    /// The oldest, if so many wait that no more should.
    pub(crate) async fn next_if_full(&mut self) -> Option<(T, Result<Stored, Error>)> {
        if self.len() < STORING_MAX { self.try_next() } else { self.next().await }
    }

    /// The oldest, if that is decided already.
    pub(crate) fn try_next(&mut self) -> Option<(T, Result<Stored, Error>)> {
        let (_, pending) = self.0.front_mut()?;
        let reply = match pending.try_recv() {
            Ok(reply) => Ok(reply),
            Err(oneshot::error::TryRecvError::Empty) => return None,
            Err(oneshot::error::TryRecvError::Closed) => {
                let gone = "the server broke off; run this again";
                let (what, _) = self.0.pop_front()?;
                return Some((what, Err(Error::new(Kind::Temporary, gone))));
            }
        };
        let (what, _) = self.0.pop_front()?;
        Some((what, stored(reply)))
    }
}
