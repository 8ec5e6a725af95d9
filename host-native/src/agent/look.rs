//! A first look at a port that may not be what it is taken for: what it says by itself, and whether it waits for TLS.
//! What the words mean is the engine's to say.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tls::{ClientTls, Trust};

/// How long the first words are waited for before TLS is tried.
const SOON: Duration = Duration::from_secs(5);
/// The same where TLS is expected.
const SOON_TLS: Duration = Duration::from_millis(500);

/// Octets of the first words that are looked at.
const WORDS_MAX: usize = 512;

/// How long a handshake is waited for: who does not speak TLS may wait for more of what is no line to it.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What a port does when somebody connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It says this in the clear.
    Words(Vec<u8>),
    /// It says nothing, and takes a TLS handshake.
    Tls,
    /// It says nothing at all.
    Silent,
}

/// A port that is looked at, and what it should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port<'a> {
    pub(super) address: SocketAddr,
    /// The name in its certificate.
    pub(super) host: &'a str,
    /// What it should speak.
    pub(super) protocol: &'a str,
    /// Whether it should begin with TLS.
    pub(super) is_implicit: bool,
    /// How long its first words may take.
    pub(super) within: Duration,
}

impl Port<'_> {
    /// Connects, and waits a little for first words; then tries TLS on a connection of its own, and waits on.
    pub(super) async fn look(&self, tls: &ClientTls) -> io::Result<Found> {
        let soon = self.within.min(if self.is_implicit { SOON_TLS } else { SOON });
        let mut stream = self.connect().await?;
        let mut words = vec![0; WORDS_MAX];
        let mut read = timeout(soon, stream.read(&mut words)).await;
        if read.is_err() {
            if self.takes_tls(tls).await? {
                return Ok(Found::Tls);
            }
            read = timeout(self.within.saturating_sub(soon), stream.read(&mut words)).await;
        }
        let Ok(count) = read else { return Ok(Found::Silent) };
        words.truncate(count?);
        // Closed at once: it says nothing, and would not wait for more.
        Ok(if words.is_empty() { Found::Silent } else { Found::Words(words) })
    }

    /// What is wrong with a port that speaks too early, too late or not at all; nothing if it does as it should.
    pub(super) fn mistaken(&self, found: &Found) -> Option<String> {
        let Self { address, protocol, is_implicit, .. } = self;
        match found {
            Found::Words(_) if *is_implicit => {
                Some(format!("{address} speaks in the clear first; leave out --implicit"))
            }
            Found::Tls if !is_implicit => {
                let what = "says nothing before TLS, as ports for implicit TLS do";
                Some(format!("{address} {what}; try --implicit"))
            }
            Found::Silent => {
                let seconds = self.within.as_secs();
                let what = format!(
                    "{address} says nothing for {seconds} s, so it is no {protocol} server"
                );
                Some(format!(
                    "{what}, or waits for its client to speak, as HTTP does; is the port right?"
                ))
            }
            Found::Words(_) | Found::Tls => None,
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
        timeout(self.within, TcpStream::connect(self.address)).await.map_err(late)?
    }

    async fn takes_tls(&self, tls: &ClientTls) -> io::Result<bool> {
        let stream = self.connect().await?;
        let handshake = timeout(HANDSHAKE, tls.connect(stream, self.host, &Trust::Any)).await;
        Ok(matches!(handshake, Ok(Ok(_))))
    }
}
