//! Connections to other servers: opened to one of a host's addresses, secured as asked for, and driven as every session.
//! Which host that is, and what follows from a fate, is for those who deliver; what is said is the engine's.

mod connection;
mod dial;
mod login;
mod outgoing;
pub mod policy;
pub(crate) mod reading;
mod source;
pub mod sts;
mod target;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::engine::Engine;
use crate::serve::Metrics;
use crate::tls::ClientTls;

pub use crate::tls::Trust;
pub use connection::{Connection, Envelope};
pub use login::{Login, LoginError, Secret};
pub use source::{FileSource, Source};
pub use target::{OpenError, OpenErrorKind, Security, Settings, Target};

/// What all connections to other servers share.
#[derive(Clone)]
pub struct Client {
    engine: Arc<Engine>,
    tls: Arc<ClientTls>,
    started: Instant,
    trace: Option<Trace>,
    metrics: Option<Arc<Metrics>>,
}

/// Where conversations are written down, secrets masked.
#[derive(Clone)]
pub enum Trace {
    /// One file for each, in this directory.
    Directory(PathBuf),
    /// All, line by line.
    Writer(Arc<Mutex<dyn std::io::Write + Send>>),
}

impl Client {
    /// A client whose sessions run in this engine, and which trusts whom this trusts.
    #[must_use]
    pub fn new(engine: Arc<Engine>, tls: Arc<ClientTls>, trace: Option<Trace>) -> Self {
        Self { engine, tls, started: Instant::now(), trace, metrics: None }
    }

    /// The same, counting what it does.
    #[must_use]
    #[allow(dead_code, reason = "only who runs a queue counts")]
    pub(crate) fn counting(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// The same, and what is said goes to this writer too, unless it goes to files.
    #[must_use]
    #[allow(dead_code, reason = "only who runs a queue tells")]
    pub(crate) fn told_to(self, writer: Arc<Mutex<dyn std::io::Write + Send>>) -> Self {
        let trace = self.trace.or(Some(Trace::Writer(writer)));
        Self { trace, ..self }
    }

    /// Connects to the first address that answers, and drives the session until mail can be sent.
    ///
    /// Addresses are tried in order; where one is slow the next is tried beside it, and where one does not serve the
    /// next is tried after it.
    ///
    /// # Errors
    /// No address has a server that serves us on these terms. All of them are worth another try later.
    pub async fn open(
        &self,
        target: &Target,
        settings: &Settings,
    ) -> Result<Connection, OpenError> {
        connection::open(self, target, settings).await
    }
}
