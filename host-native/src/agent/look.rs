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
    let silent = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let connect = || async { timeout(within, TcpStream::connect(address)).await.map_err(silent)? };
    let mut stream = connect().await?;
    let mut words = vec![0; WORDS_MAX];
    match timeout(within, stream.read(&mut words)).await {
        // Closed at once: it says nothing, and would not wait for more.
        Ok(Ok(0)) => return Ok(Found::Silent),
        Ok(Ok(count)) => {
            words.truncate(count);
            return Ok(Found::Words(words));
        }
        Ok(Err(error)) => return Err(error),
        Err(_) => drop(stream),
    }
    let handshake = tls.connect(connect().await?, name, &Trust::Any).await;
    Ok(if handshake.is_ok() { Found::Tls } else { Found::Silent })
}
