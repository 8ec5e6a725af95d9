//! A first look at a port that may not be what it is taken for: what it says by itself, and whether it waits for TLS.
//! What the words mean is the engine's to say.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tls::{ClientTls, Trust};

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

/// Connects, and waits so long for first words; then tries TLS on a connection of its own.
pub(super) async fn look(
    tls: &ClientTls,
    name: &str,
    address: SocketAddr,
    within: Duration,
) -> io::Result<Found> {
    match first_words(address, within).await? {
        // Closed at once: it says nothing, and would not wait for more.
        Some(words) if words.is_empty() => return Ok(Found::Silent),
        Some(words) => return Ok(Found::Words(words)),
        None => {}
    }
    let stream = timeout(within, TcpStream::connect(address)).await.map_err(silent)??;
    let handshake = timeout(within.max(HANDSHAKE), tls.connect(stream, name, &Trust::Any)).await;
    Ok(if matches!(handshake, Ok(Ok(_))) { Found::Tls } else { Found::Silent })
}

/// What a port says by itself within this time; nothing if it closes, none if it is silent.
pub(super) async fn first_words(
    address: SocketAddr,
    within: Duration,
) -> io::Result<Option<Vec<u8>>> {
    let mut stream = timeout(within, TcpStream::connect(address)).await.map_err(silent)??;
    let mut words = vec![0; WORDS_MAX];
    let Ok(read) = timeout(within, stream.read(&mut words)).await else { return Ok(None) };
    words.truncate(read?);
    Ok(Some(words))
}

fn silent(_: tokio::time::error::Elapsed) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}
