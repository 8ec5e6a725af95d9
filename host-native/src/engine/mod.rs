//! Runs the engine: each session in a sandbox of its own, or, to measure what that costs, linked in
//! natively. Nothing here knows a socket, and nothing waits but for a slot; whoever drives a session
//! brings its octets, answers and time.

mod bindings;
mod cache;
mod code;
#[path = "../../../engine/component/src/convert/mod.rs"]
mod convert;
mod deadline;
mod entries;
mod functions;
mod hosted;
mod native;
mod notes;
mod relay;
mod sandbox;
mod settings;
mod slots;
mod texts;
mod trap;

use std::sync::Arc;

use pillarbox_engine::types::Now;
use pillarbox_engine::{Output, Role, imap, pop3, smtp};

use bindings::wit;
use native::Native;
use sandbox::Sandbox;

pub use pillarbox_engine::Input;
pub use relay::Relay;
pub use settings::EngineSettings;
pub(crate) use settings::connections;
pub use slots::{Slot, Slots};
pub use texts::TextReader;
pub use trap::{Trap, TrapKind};

use crate::cli::EngineChoice;
use crate::error::Error;

/// Octets of the largest message that is indexed in the sandbox of the session that it came by: its memory, which is
/// bounded for sessions, holds that beside all else.
pub const INDEX_HERE_MAX: usize = 256 << 10;

/// Makes sessions and indexes messages; one for the whole program.
pub struct Engine {
    /// None: linked in natively.
    sandbox: Option<Arc<Sandbox>>,
    relay: Relay,
    slots: Arc<Slots>,
}

/// How a session begins.
#[derive(Clone, Copy, Debug)]
pub enum Begin<'a> {
    /// At its beginning.
    New,
    /// Where the one stood that [`Driven::freeze`] made these octets of. It needs the same configuration.
    Frozen(&'a [u8]),
}

/// A session that can be stepped, wherever it runs.
///
/// After an `Err` the session is gone: drop it, and tell the peer goodbye.
pub trait Driven<R: Role>: Send {
    /// One verb, then what the session gives out, as `pillarbox_engine::Session::step`.
    ///
    /// # Errors
    /// The session broke its sandbox, or the host broke the contract.
    fn step(&mut self, now: Now, input: Input<R>) -> Result<Stepped<R>, Trap>;

    /// Indexes a whole message where the session runs: a fresh sandbox costs more than a small message's index.
    ///
    /// None if it is larger than [`INDEX_HERE_MAX`] or has much structure, or if a message once broke a session like this:
    /// then [`Engine::index`] is the way.
    ///
    /// # Errors
    /// The message broke the sandbox, and the session with it. No later message is indexed in a session then.
    fn index(&mut self, octets: &[u8]) -> Result<Option<Vec<u8>>, Trap>;

    /// The session as octets, with which another one begins where this one stands; then this one is to be dropped. None if
    /// its role or its state has no such form, or anything is under way: then it goes on.
    ///
    /// # Errors
    /// The session broke its sandbox.
    fn freeze(&mut self) -> Result<Option<Vec<u8>>, Trap>;
}

/// What one step gave.
pub struct Stepped<R: Role> {
    /// How many octets of a `Receive` were taken.
    pub taken: usize,
    /// The octets of a `Receive` that were not taken, if any: to be offered again.
    pub left: Option<Vec<u8>>,
    /// In causal order; unless the last is `Wait` or `Close`, step again with `Nothing` when these
    /// are done.
    pub outputs: Vec<Output<R>>,
}

/// Why no session could be started.
#[derive(Debug)]
pub enum StartError {
    /// All slots are taken; one is free when another session ends.
    NoSlot,
    /// The sandbox broke before the session said anything.
    Trap(Trap),
}

impl Engine {
    /// Loads the component, from the cache of compiled ones if it is there.
    ///
    /// # Errors
    /// A setting is out of what this machine allows, or the component is none.
    pub fn new(settings: &EngineSettings) -> Result<Self, Error> {
        let slots = settings.slots()?;
        let sandbox = match settings.choice {
            EngineChoice::Sandbox => Some(Arc::new(Sandbox::new(settings, slots)?)),
            EngineChoice::Native => None,
        };
        let relay = Relay::new(sandbox.as_ref());
        Ok(Self { sandbox, relay, slots: Arc::new(Slots::new(slots)) })
    }

    /// The slots, of which every session that is not frozen holds one.
    #[must_use]
    pub fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    /// How many slots are taken now.
    #[must_use]
    pub fn slots_taken(&self) -> u32 {
        self.slots.taken()
    }

    fn slot(&self) -> Result<Slot, StartError> {
        self.slots.try_take().ok_or(StartError::NoSlot)
    }

    /// What an SMTP server session is to index messages with that come in one piece: nothing, once a session broke that
    /// did so. The message will come again, and is indexed in an instance of its own then.
    #[must_use]
    pub fn indexer(&self) -> smtp::Indexer {
        if self.sandbox.as_ref().is_some_and(|sandbox| sandbox.has_index_broken_session()) {
            return smtp::Indexer::default();
        }
        smtp::Indexer::new(|octets, known| {
            pillarbox_mime::index_surveyed(octets, known).map(|index| index.encode())
        })
    }

    /// Starts an SMTP server session.
    ///
    /// # Errors
    /// No slot is free, or the sandbox broke.
    pub fn smtp(
        &self,
        config: smtp::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<smtp::Server>>, StartError> {
        self.smtp_in(self.slot()?, Begin::New, config, now)
    }

    /// Starts an SMTP server session in this slot, or makes one go on that was frozen.
    ///
    /// # Errors
    /// The sandbox broke, or these octets are no frozen session.
    pub fn smtp_in(
        &self,
        slot: Slot,
        begin: Begin<'_>,
        config: smtp::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<smtp::Server>>, StartError> {
        match &self.sandbox {
            Some(sandbox) => Ok(Box::new(hosted::Smtp::start(sandbox, slot, begin, config, now)?)),
            None => Ok(Box::new(Native::<smtp::Server>::start(slot, begin, config, now)?)),
        }
    }

    /// Starts an SMTP client session; it takes a slot as a server's does.
    ///
    /// # Errors
    /// As `smtp`.
    pub fn smtp_client(
        &self,
        config: smtp::client::types::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<smtp::Client>>, StartError> {
        let slot = self.slot()?;
        match &self.sandbox {
            Some(sandbox) => {
                Ok(Box::new(hosted::SmtpClient::start(sandbox, slot, Begin::New, config, now)?))
            }
            None => Ok(Box::new(Native::<smtp::Client>::start(slot, Begin::New, config, now)?)),
        }
    }

    /// Starts a POP3 server session.
    ///
    /// # Errors
    /// As `smtp`.
    pub fn pop3(
        &self,
        config: pop3::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<pop3::Server>>, StartError> {
        self.pop3_in(self.slot()?, Begin::New, config, now)
    }

    /// Starts a POP3 server session in this slot, or makes one go on that was frozen.
    ///
    /// # Errors
    /// The sandbox broke, or these octets are no frozen session.
    pub fn pop3_in(
        &self,
        slot: Slot,
        begin: Begin<'_>,
        config: pop3::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<pop3::Server>>, StartError> {
        match &self.sandbox {
            Some(sandbox) => Ok(Box::new(hosted::Pop3::start(sandbox, slot, begin, config, now)?)),
            None => Ok(Box::new(Native::<pop3::Server>::start(slot, begin, config, now)?)),
        }
    }

    /// Starts a POP3 client session; it takes a slot as a server's does.
    ///
    /// # Errors
    /// As `smtp`.
    pub fn pop3_client(
        &self,
        config: pop3::client::types::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<pop3::Client>>, StartError> {
        let slot = self.slot()?;
        match &self.sandbox {
            Some(sandbox) => {
                Ok(Box::new(hosted::Pop3Client::start(sandbox, slot, Begin::New, config, now)?))
            }
            None => Ok(Box::new(Native::<pop3::Client>::start(slot, Begin::New, config, now)?)),
        }
    }

    /// Starts an IMAP server session.
    ///
    /// # Errors
    /// As `smtp`.
    pub fn imap(
        &self,
        config: imap::types::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<imap::Server>>, StartError> {
        self.imap_in(self.slot()?, Begin::New, config, now)
    }

    /// Starts an IMAP server session in this slot, or makes one go on that was frozen.
    ///
    /// # Errors
    /// The sandbox broke, or these octets are no frozen session.
    pub fn imap_in(
        &self,
        slot: Slot,
        begin: Begin<'_>,
        config: imap::types::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<imap::Server>>, StartError> {
        match &self.sandbox {
            Some(sandbox) => Ok(Box::new(hosted::Imap::start(sandbox, slot, begin, config, now)?)),
            None => Ok(Box::new(Native::<imap::Server>::start(slot, begin, config, now)?)),
        }
    }

    /// Starts an IMAP client session; it takes a slot as a server's does.
    ///
    /// # Errors
    /// As `smtp`.
    pub fn imap_client(
        &self,
        config: imap::client::types::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<imap::Client>>, StartError> {
        let slot = self.slot()?;
        match &self.sandbox {
            Some(sandbox) => {
                Ok(Box::new(hosted::ImapClient::start(sandbox, slot, Begin::New, config, now)?))
            }
            None => Ok(Box::new(Native::<imap::Client>::start(slot, Begin::New, config, now)?)),
        }
    }

    /// The relay functions.
    #[must_use]
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    /// What reads texts of messages for a full-text index; there is room for one of them.
    #[must_use]
    pub fn text_reader(&self) -> TextReader {
        TextReader::new(self.sandbox.clone())
    }

    /// Indexes a message of `total_size` octets, of which `octets` are the beginning or all, in an
    /// instance of its own.
    ///
    /// Takes some milliseconds for a large message, and waits for others that are being indexed if
    /// there are many.
    ///
    /// # Errors
    /// The message broke the sandbox.
    pub fn index(&self, octets: &[u8], total_size: u64) -> Result<Vec<u8>, Trap> {
        match &self.sandbox {
            Some(sandbox) => sandbox.index(octets, total_size),
            None => Ok(pillarbox_mime::index(octets, total_size).encode()),
        }
    }
}
