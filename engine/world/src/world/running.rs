//! Where the sessions of a world run: linked in, or wherever a host has the engine, such as in its sandbox. The world that
//! comes of it is the same, octet for octet; that is what this is for.

use std::rc::Rc;

use pillarbox_engine::expected::Expected;
use pillarbox_engine::types::Now;
use pillarbox_engine::{Input, Role, Session, Step, imap, pop3, smtp};

use super::seat::Expects;

/// A session that runs somewhere.
pub trait Running<R: Role> {
    /// One step, as [`Session::step`].
    ///
    /// # Errors
    /// The host broke the contract, or the session its sandbox: in words. The session is gone then.
    fn step(&mut self, now: Now, input: Input<R>) -> Result<Step<R>, String>;

    /// What the peer may say now, where that is known.
    fn expected(&self) -> Vec<Expected> {
        Vec::new()
    }
}

/// Begins sessions of one role.
pub trait Begins<R: Role> {
    /// One with this configuration.
    fn begin(&self, config: R::Config, now: Now) -> Box<dyn Running<R>>;
}

/// Begins sessions of all roles.
pub trait Engine:
    Begins<smtp::Server>
    + Begins<smtp::Client>
    + Begins<pop3::Server>
    + Begins<pop3::Client>
    + Begins<imap::Server>
    + Begins<imap::Client>
{
}

impl<E> Engine for E where
    E: Begins<smtp::Server>
        + Begins<smtp::Client>
        + Begins<pop3::Server>
        + Begins<pop3::Client>
        + Begins<imap::Server>
        + Begins<imap::Client>
{
}

/// The engine of a world that was not told of another one: the library itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Library;

impl<R: Role + Expects + 'static> Begins<R> for Library {
    fn begin(&self, config: R::Config, now: Now) -> Box<dyn Running<R>> {
        Box::new(Session::<R>::new(config, now))
    }
}

impl<R: Role + Expects> Running<R> for Session<R> {
    fn step(&mut self, now: Now, input: Input<R>) -> Result<Step<R>, String> {
        Self::step(self, now, input).map_err(|misuse| format!("{misuse:?}"))
    }

    fn expected(&self) -> Vec<Expected> {
        self.role().peer_may_say()
    }
}

/// An engine that several worlds share.
pub type SharedEngine = Rc<dyn Engine>;
