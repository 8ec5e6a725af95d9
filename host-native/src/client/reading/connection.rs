//! One connection to a server that has mail: opened to one of its addresses, used call by call, and left politely.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_engine::imap::Client as ImapClient;
use pillarbox_engine::imap::client::types::{Command, Completion, Remaining};
use pillarbox_engine::types::TlsFacts;
use tokio::net::TcpStream;

use super::device::{Device, Sink, Until};
use super::{Ended, Reads, Terms, Why};
use crate::client::connection::transcript;
use crate::client::dial::{dial, interleaved};
use crate::client::{Client, Security, Target, Trust};
use crate::drive::{Driver, End, Host, Record, Wire, next_key, now};
use crate::engine::StartError;

/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 16;
/// How long the goodbye of a server is waited for; nothing depends on it.
const GOODBYE_WITHIN: Duration = Duration::from_secs(5);

/// How long a greeting may take; who is silent for longer is mostly no server of this kind.
const GREETING_WITHIN: Duration = Duration::from_secs(30);
/// Octets of a greeting that are looked at.
const GREETING_HEAD: usize = 4;

/// A connection on which calls can be made.
pub(crate) struct Reading<R: Reads, S: Sink<R>> {
    driver: Driver<R, Device<R, S>>,
    wire: Wire,
    address: SocketAddr,
    verified: bool,
    next_call: u32,
}

impl<R: Reads, S: Sink<R>> Reading<R, S> {
    /// Connects to the first address that serves us on these terms, and logs in.
    ///
    /// # Errors
    /// None does.
    pub(crate) async fn open(
        client: &Client,
        target: &Target,
        terms: &Terms,
        sink: impl Fn() -> S,
    ) -> Result<Self, Ended> {
        let mut left = interleaved(&target.addresses);
        left.truncate(ADDRESSES_MAX);
        let mut last = Ended::new(Why::Unreachable, "it has no address");
        while !left.is_empty() {
            let (stream, address) = match dial(&left, terms.connect_within).await {
                Ok(answered) => answered,
                Err(gone) if last.text == "it has no address" => {
                    let text = format!("it cannot be reached: {} ({})", gone.error, gone.address);
                    return Err(Ended::new(Why::Unreachable, text));
                }
                // What an address that answered said is worth more.
                Err(_) => return Err(last),
            };
            left.retain(|other| *other != address);
            let security = &terms.security;
            match Self::begin(client, target, terms, security, (stream, address), sink()).await {
                Ok(reading) => return Ok(reading),
                // What one address refuses the others do too.
                Err(ended) if matches!(ended.why, Why::Login | Why::Here) => return Err(ended),
                Err(ended) if ended.why == Why::Tls && *security == Security::Opportunistic => {
                    // RFC 7435 §3: what cannot be secured is done in the clear, where nothing more was asked for.
                    if let Ok(answered) = dial(&[address], terms.connect_within).await {
                        let clear = &Security::None;
                        return Self::begin(client, target, terms, clear, answered, sink()).await;
                    }
                    last = ended;
                }
                Err(ended) => last = ended,
            }
        }
        Err(last)
    }

    async fn begin(
        client: &Client,
        target: &Target,
        terms: &Terms,
        security: &Security,
        (stream, address): (TcpStream, SocketAddr),
        sink: S,
    ) -> Result<Self, Ended> {
        // What is written is written whole; waiting to fill a segment would only delay it.
        drop(stream.set_nodelay(true));
        if !matches!(security, Security::Implicit(_)) {
            greeted(&stream, R::PROTOCOL).await?;
        }
        let key = next_key();
        let trace = client.trace.is_some();
        let session = R::session(&client.engine, terms, security, trace, now(client.started));
        let session = session.map_err(|error| {
            let text = match error {
                StartError::NoSlot => "no slot is free for another connection".to_owned(),
                StartError::Trap(trap) => format!("a session could not be started: {trap}"),
            };
            Ended::new(Why::Here, text)
        })?;
        let trust = match security {
            Security::None | Security::Opportunistic => Trust::Any,
            Security::Required(trust) | Security::Implicit(trust) => trust.clone(),
        };
        let device = Device {
            key,
            started: client.started,
            tls: Arc::clone(&client.tls),
            name: target.name.clone(),
            trust,
            verified: security.is_verified(),
            login: terms.login.clone(),
            until: Until::Ready,
            sink,
            facts: None,
            is_ready: false,
            done: None,
            completed: HashMap::new(),
        };
        let transcript = transcript(client, target, address, key, R::PROTOCOL);
        let driver = Driver::new(device, session, Record::new(transcript, None));
        let wire = Wire::plain(stream);
        let verified = security.is_verified();
        let mut reading = Self { driver, wire, address, verified, next_call: 1 };
        let ended = match reading.driver.begin(&mut reading.wire, false).await {
            Ok(()) => reading.driver.run(&mut reading.wire).await,
            Err(end) => Err(end),
        };
        reading.judged(ended).await?;
        let device = &reading.driver.host;
        if device.is_ready && device.done.is_none() {
            return Ok(reading);
        }
        Err(reading.why_done())
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the TLS handshake gave, and whether it is proven who the server is; none in the clear.
    pub(crate) fn tls(&self) -> Option<(&TlsFacts, bool)> {
        self.driver.host.facts.as_ref().map(|facts| (facts, self.verified))
    }

    /// What becomes of what comes.
    pub(crate) fn sink(&mut self) -> &mut S {
        &mut self.driver.host.sink
    }

    /// Begins a call; its number.
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) async fn begin_call(&mut self, command: R::Command) -> Result<u32, Ended> {
        if self.driver.is_closed() || self.driver.host.done.is_some() {
            return Err(self.why_done());
        }
        let id = self.next_call;
        self.next_call = self.next_call.wrapping_add(1);
        self.driver.host.until = Until::Nothing;
        let called = self.driver.call(&mut self.wire, R::call(id, command)).await;
        self.judged(called).await?;
        Ok(id)
    }

    /// Drives the session until this call is over.
    ///
    /// # Errors
    /// The connection ended first.
    pub(crate) async fn complete(&mut self, id: u32) -> Result<R::Completion, Ended> {
        self.driver.host.until = Until::Completed(id);
        if !self.driver.is_closed() && !self.driver.host.is_content() {
            let ran = self.driver.run(&mut self.wire).await;
            self.judged(ran).await?;
        }
        // Calls that wait when the session ends are completed too; a caller must know that it was that.
        if self.driver.host.done.as_ref().is_some_and(Option::is_some) {
            return Err(self.why_done());
        }
        let end = self.driver.host.completed.remove(&id);
        end.ok_or_else(|| self.why_done())
    }

    /// Makes a call, and waits for its end.
    ///
    /// # Errors
    /// The connection ended first.
    pub(crate) async fn call(&mut self, command: R::Command) -> Result<R::Completion, Ended> {
        let id = self.begin_call(command).await?;
        self.complete(id).await
    }

    /// Drives the session until its sink has news, or this call is over.
    ///
    /// # Errors
    /// The connection ended.
    pub(crate) async fn wait_for_news(&mut self, id: u32) -> Result<(), Ended> {
        self.driver.host.until = Until::News(id);
        if self.driver.is_closed() || self.driver.host.done.is_some() {
            return Err(self.why_done());
        }
        let ran = self.driver.run(&mut self.wire).await;
        self.judged(ran).await?;
        match &self.driver.host.done {
            None => Ok(()),
            Some(_) => Err(self.why_done()),
        }
    }

    /// Says goodbye by this call, and hears how that ended; nothing if the server did not say.
    pub(crate) async fn leave(mut self, command: R::Command) -> (Option<R::Completion>, S) {
        let goodbye = async {
            let id = self.begin_call(command).await.ok()?;
            self.driver.host.until = Until::Close;
            let ran = self.driver.run(&mut self.wire).await;
            drop(self.judged(ran).await);
            self.driver.host.completed.remove(&id)
        };
        let end = tokio::time::timeout(GOODBYE_WITHIN, goodbye).await.unwrap_or(None);
        drop(self.wire.shutdown().await);
        (end, self.driver.host.sink)
    }

    /// Why the session is over.
    fn why_done(&self) -> Ended {
        let done = self.driver.host.done.clone().flatten();
        done.unwrap_or_else(|| Ended::new(Why::Lost, "the connection is over"))
    }

    /// What the end of a run means; the session is told of a connection that is lost.
    async fn judged(&mut self, ran: Result<(), End>) -> Result<(), Ended> {
        let Err(end) = ran else { return Ok(()) };
        let ended = match end {
            End::Cut(error) | End::Unread(error) => {
                Ended::new(Why::Lost, format!("the connection was lost: {error}"))
            }
            End::Unsecured(error) => {
                Ended::new(Why::Tls, format!("there is no TLS with the server: {error}"))
            }
            End::Trap(trap) => {
                tracing::error!(protocol = R::PROTOCOL, %trap, "a session broke its sandbox");
                let ended = Ended::new(Why::Here, "the session broke its sandbox");
                self.driver.host.done = Some(Some(ended.clone()));
                drop(self.wire.shutdown().await);
                return Err(ended);
            }
        };
        if self.driver.lose(&mut self.wire).is_err() {
            self.driver.host.done = Some(Some(ended.clone()));
        }
        drop(self.wire.shutdown().await);
        // What the server said last says more than that it is gone.
        match self.driver.host.done.clone().flatten() {
            Some(said) if said.why != Why::Lost => Err(said),
            _ => {
                self.driver.host.done = Some(Some(ended.clone()));
                Err(ended)
            }
        }
    }
}

/// Waits until the server speaks, and says so if it clearly speaks something else. Nothing is taken from the stream.
async fn greeted(stream: &TcpStream, protocol: &str) -> Result<(), Ended> {
    let mut head = [0; GREETING_HEAD];
    let Ok(peeked) = tokio::time::timeout(GREETING_WITHIN, stream.peek(&mut head)).await else {
        let seconds = GREETING_WITHIN.as_secs();
        let text =
            format!("it says nothing for {seconds} s, as ports for TLS or of other protocols do");
        return Err(Ended::new(Why::Unreachable, text));
    };
    // What is wrong with the connection is found again by who reads it.
    let spoken = match &head[..peeked.unwrap_or(0)] {
        b"220 " | b"220-" => "SMTP",
        b"+OK " if protocol.starts_with("imap") => "POP3",
        b"* OK" if protocol.starts_with("pop3") => "IMAP",
        _ => return Ok(()),
    };
    let text = format!("it speaks {spoken} at this port; is the port right?");
    Err(Ended::new(Why::Unsupported, text))
}

impl<S: Sink<ImapClient>> Reading<ImapClient, S> {
    /// Makes a call; where the server works at so many messages at once (RFC 9738), again for the rest, until all is done.
    /// How the last one ended.
    ///
    /// # Errors
    /// The connection ended first.
    pub(crate) async fn call_for_all(&mut self, command: Command) -> Result<Completion, Ended> {
        let mut remaining = Remaining::new(command.clone());
        let mut end = self.call(command).await?;
        while let Some(command) = remaining.next(&end) {
            end = self.call(command).await?;
        }
        Ok(end)
    }
}
