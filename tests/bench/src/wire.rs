//! One TCP connection that reads lines and counted octets out of a buffer it keeps for life.
//! What the lines mean is left to the protocol drivers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// A server that says nothing for so long is taken to have stopped.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Large enough that bodies arrive in few reads, small enough to stay in the second-level cache.
const BUFFER_OCTETS: usize = 64 * 1024;
/// Beyond this a line is no reply of any of the protocols driven here.
const LINE_MAX: usize = 1024 * 1024;

/// A connection to the server under load.
pub(crate) struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    start: usize,
    end: usize,
}

impl Wire {
    /// Connects without Nagle's algorithm, as every mail client and server does.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect(address), address).await
    }

    /// As `connect`, from that address.
    pub(crate) async fn connect_from(source: IpAddr, address: SocketAddr) -> Result<Self> {
        let socket = if source.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.context("a socket")?;
        socket.bind((source, 0).into()).with_context(|| format!("speaking from {source}"))?;
        Self::over(socket.connect(address), address).await
    }

    async fn over(
        connecting: impl Future<Output = std::io::Result<TcpStream>>,
        address: SocketAddr,
    ) -> Result<Self> {
        let stream = timeout(SILENCE_MAX, connecting)
            .await
            .map_err(|_| anyhow!("{address} does not accept connections"))?
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: Vec::new(), start: 0, end: 0 })
    }

    /// Keeps no buffer while nothing is expected.
    pub(crate) fn rest(&mut self) {
        if self.start == self.end {
            self.input = Vec::new();
            (self.start, self.end) = (0, 0);
        }
    }

    /// Writes all of `octets`.
    pub(crate) async fn send(&mut self, octets: &[u8]) -> Result<()> {
        self.stream.write_all(octets).await.context("writing to the server")
    }

    /// The next line without its CRLF. A line that ends in a bare LF is an error: no server may
    /// send one in these protocols.
    pub(crate) async fn line(&mut self) -> Result<&[u8]> {
        let mut searched = 0;
        loop {
            let pending = &self.input[self.start..self.end];
            if let Some(found) = pending[searched..].iter().position(|&octet| octet == b'\n') {
                let length = searched + found;
                if length == 0 || pending[length - 1] != b'\r' {
                    bail!("a line ends in a bare LF: {}", shown(&pending[..=length]));
                }
                let start = self.start;
                self.start += length + 1;
                return Ok(&self.input[start..start + length - 1]);
            }
            searched = pending.len();
            if searched > LINE_MAX {
                bail!("a line without end: {}", shown(pending));
            }
            self.fill().await?;
        }
    }

    /// Reads `count` octets and forgets them; `seen` is told of them as they arrive.
    pub(crate) async fn skip(&mut self, count: u64, mut seen: impl FnMut(u64)) -> Result<()> {
        let mut left = count;
        loop {
            let here = left.min((self.end - self.start) as u64);
            self.start += here as usize;
            left -= here;
            seen(here);
            if left == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Waits until the server has closed; anything it still sends is an error.
    pub(crate) async fn end(&mut self) -> Result<()> {
        if self.start == self.end && self.read_some().await? == 0 {
            return Ok(());
        }
        bail!("the server went on after its farewell: {}", shown(&self.input[self.start..self.end]))
    }

    async fn fill(&mut self) -> Result<()> {
        if self.read_some().await? == 0 {
            let rest = shown(&self.input[self.start..self.end]);
            bail!("the server closed the connection; unfinished line: {rest}");
        }
        Ok(())
    }

    async fn read_some(&mut self) -> Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.input.len() && self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.input.len() {
            // Idle connections wait here by the thousand: the first buffer is a small one.
            let grown = (self.input.len() * 4).clamp(1024, BUFFER_OCTETS.max(self.input.len() * 2));
            self.input.resize(grown, 0);
        }
        let read = timeout(SILENCE_MAX, self.stream.read(&mut self.input[self.end..]))
            .await
            .map_err(|_| anyhow!("no answer within {} s", SILENCE_MAX.as_secs()))?
            .context("reading from the server")?;
        self.end += read;
        Ok(read)
    }
}

/// Octets as an error message shows them: escaped, and cut where they grow long.
pub(crate) fn shown(octets: &[u8]) -> String {
    const SHOWN_MAX: usize = 200;
    let more = if octets.len() > SHOWN_MAX { "…" } else { "" };
    format!("\"{}\"{more}", octets[..octets.len().min(SHOWN_MAX)].escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A connection whose server sends `chunks`, one write each, and closes.
    async fn served(chunks: &'static [&'static [u8]]) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            stream.set_nodelay(true).expect("a live socket");
            for chunk in chunks {
                stream.write_all(chunk).await.expect("a reader");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        Wire::connect(address).await.expect("listening")
    }

    #[tokio::test]
    async fn lines_and_counted_octets_come_whole_whatever_the_chunks() {
        let mut wire = served(&[b"* O", b"K\r", b"\n{5}\r\n12", b"345)\r\nlast\r\n"]).await;
        assert_eq!(wire.line().await.expect("line"), b"* OK");
        assert_eq!(wire.line().await.expect("line"), b"{5}");
        let mut seen = 0;
        wire.skip(5, |octets| seen += octets).await.expect("octets");
        assert_eq!(seen, 5);
        assert_eq!(wire.line().await.expect("line"), b")");
        assert_eq!(wire.line().await.expect("line"), b"last");
        wire.end().await.expect("closed");
    }

    #[tokio::test]
    async fn a_line_longer_than_the_buffer_is_kept_whole() {
        static LONG: [u8; 100_000] = [b'x'; 100_000];
        static CHUNKS: [&[u8]; 2] = [&LONG, b"\r\n"];
        let mut wire = served(&CHUNKS).await;
        assert_eq!(wire.line().await.expect("line").len(), LONG.len());
    }

    #[tokio::test]
    async fn bare_lf_early_close_and_late_octets_are_errors() {
        let bare = served(&[b"+OK\n"]).await.line().await.expect_err("bare LF").to_string();
        assert!(bare.contains("bare LF") && bare.contains("+OK"), "{bare}");
        let cut = served(&[b"+OK half"]).await.line().await.expect_err("cut").to_string();
        assert!(cut.contains("+OK half"), "{cut}");
        let late = served(&[b"more\r\n"]).await.end().await.expect_err("late").to_string();
        assert!(late.contains("more"), "{late}");
    }
}
