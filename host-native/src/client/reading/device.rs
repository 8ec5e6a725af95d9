//! A client session that reads, as the drive loop's host: it logs in, secures, gives what comes to a [`Sink`], and keeps how
//! calls ended until their caller asks.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pillarbox_engine::sasl::LoginSecret;
use pillarbox_engine::types::{BlobRange, Now, Reason, TlsFacts};
use pillarbox_world::hub::SessionKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::roles::Asked;
use super::{Ended, Heard, Reads};
use crate::client::{Login, Trust};
use crate::drive::{Host, Interrupt};
use crate::engine::Driven;
use crate::serve::shown;
use crate::tls::{ClientTls, Metered};

/// What becomes of what comes.
pub(crate) trait Sink<R: Reads>: Send {
    /// Octets of a message; false if the rest of it is not wanted. No more come before this is done.
    fn chunk(&mut self, chunk: R::Chunk) -> impl Future<Output = bool> + Send;
    /// A fact, in its turn between chunks.
    fn event(&mut self, event: R::Event);
    /// Octets of a message that is being given to the server.
    fn octets(&mut self, _range: BlobRange) -> Result<Vec<u8>, Reason> {
        Err(Reason::NotFound)
    }
    /// Whether something came for which waiting should end.
    fn is_news(&self) -> bool {
        false
    }
}

/// What a session is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Only what is there already.
    Nothing,
    /// Calls can be made, or there is nothing with this server.
    Ready,
    /// This call is over.
    Completed(u32),
    /// The sink has news, or this call is over.
    News(u32),
    /// The session is over.
    Close,
}

/// See the module.
pub(super) struct Device<R: Reads, S> {
    pub(super) key: SessionKey,
    pub(super) started: Instant,
    pub(super) tls: Arc<ClientTls>,
    pub(super) name: String,
    pub(super) trust: Trust,
    pub(super) verified: bool,
    pub(super) login: Option<Login>,
    pub(super) until: Until,
    pub(super) sink: S,
    pub(super) facts: Option<TlsFacts>,
    pub(super) is_ready: bool,
    pub(super) done: Option<Option<Ended>>,
    pub(super) completed: HashMap<u32, R::Completion>,
}

impl<R: Reads, S: Sink<R>> Host<R> for Device<R, S> {
    const WRITE_WITHIN: Duration = Duration::from_secs(180);
    const HEARS_WHILE_WRITING: bool = true;

    fn started(&self) -> Instant {
        self.started
    }

    fn session_id(&self) -> String {
        format!("{:x}", self.key)
    }

    fn ask_name(ask: &R::Ask) -> String {
        R::ask_name(ask).to_owned()
    }

    async fn answer(&mut self, _: Now, ask: R::Ask, _: &mut dyn Driven<R>) -> R::Answer {
        match R::asked(ask) {
            Asked::Login(ask) => R::secret(match &self.login {
                Some(login) => login.answer(ask, self.verified).await,
                None => LoginSecret::NoLogin,
            }),
            Asked::Chunk(chunk) => R::taken(self.sink.chunk(chunk).await),
        }
    }

    fn observe_answer(&mut self, _: &R::Answer) {}

    fn call(&mut self) -> Option<R::Call> {
        None
    }

    fn octets(&mut self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        self.sink.octets(range)
    }

    fn event(&mut self, event: R::Event) {
        match R::heard(&event) {
            Heard::Ready => self.is_ready = true,
            Heard::Completed(call, end) => {
                self.completed.insert(call, end);
            }
            Heard::Done(ended) => self.done = Some(ended),
            Heard::Defect(rule) => {
                let (session, host) = (self.session_id(), &self.name);
                let protocol = R::PROTOCOL;
                tracing::info!(
                    protocol,
                    session,
                    host,
                    rule = shown(&rule),
                    "the server broke a rule"
                );
            }
            Heard::Other => {}
        }
        self.sink.event(event);
    }

    async fn secure(&mut self, stream: TcpStream) -> io::Result<(TlsStream<Metered>, TlsFacts)> {
        let (stream, facts) = self.tls.connect(stream, &self.name, &self.trust).await?;
        self.facts = Some(facts.clone());
        Ok((stream.into(), facts))
    }

    fn count(&self, _: &str, _: usize) {}

    fn is_content(&self) -> bool {
        match self.until {
            Until::Nothing => true,
            Until::Ready => self.is_ready || self.done.is_some(),
            Until::Completed(call) => self.completed.contains_key(&call),
            Until::News(call) => self.sink.is_news() || self.completed.contains_key(&call),
            Until::Close => false,
        }
    }

    async fn interrupted(&mut self) -> Interrupt<R> {
        std::future::pending().await
    }
}
