//! One peer's octets, in the clear or over TLS, compressed or not; the rest of the host need not know which.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use pillarbox_engine::types::TlsFacts;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::deflate::Deflate;
use crate::tls::Metered;

/// Octets read at once.
const READ_MAX: usize = 16 * 1024;

/// A connection.
pub(crate) struct Wire {
    stream: Stream,
    /// RFC 4978 §3: what is between the session's octets and TLS.
    deflate: Option<Box<Deflate>>,
}

enum Stream {
    /// In the clear.
    Plain(TcpStream),
    /// Over TLS.
    Secured(Box<TlsStream<Metered>>),
    /// A handshake failed.
    Gone,
}

impl Wire {
    /// A connection in the clear.
    pub(crate) const fn plain(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), deflate: None }
    }

    /// From now on both directions are compressed; `left` came and was not looked at yet, so it is already.
    pub(crate) fn compress(&mut self, left: Vec<u8>) {
        let deflate = self.deflate.insert(Box::new(Deflate::new()));
        deflate.take_in(left);
    }

    /// The next octets, or none at their end. Waits without a buffer: an idle connection costs none.
    pub(crate) async fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            match self.try_read()? {
                Poll::Ready(octets) => return Ok(octets),
                Poll::Pending => self.readable().await?,
            }
        }
    }

    /// What is there already.
    pub(crate) fn try_read(&mut self) -> io::Result<Poll<Option<Vec<u8>>>> {
        let Some(deflate) = &mut self.deflate else { return self.stream.try_read() };
        // Octets that mean nothing yet are no end: what is behind them is looked at, and then the socket.
        loop {
            if deflate.is_over() {
                return Ok(Poll::Ready(None));
            }
            if deflate.wants_input() {
                match self.stream.try_read()? {
                    Poll::Ready(Some(octets)) => deflate.take_in(octets),
                    other => return Ok(other),
                }
            }
            let octets = deflate.next()?;
            if !octets.is_empty() {
                return Ok(Poll::Ready(Some(octets)));
            }
        }
    }

    async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Writes some of these octets, and says how many.
    pub(crate) async fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.deflate.is_none() {
            return self.stream.write(octets).await;
        }
        self.write_due().await?;
        if let Some(deflate) = &mut self.deflate {
            deflate.give(octets)?;
        }
        Ok(octets.len())
    }

    /// Writes what was compressed. May be given up in between: what was written is not written again.
    async fn write_due(&mut self) -> io::Result<()> {
        let Some(deflate) = &mut self.deflate else { return Ok(()) };
        while !deflate.is_written() {
            match self.stream.write(deflate.due()).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => deflate.wrote(written),
            }
        }
        Ok(())
    }

    /// Sees to it that what was written is on its way.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.write_due().await?;
        if let Some(deflate) = &mut self.deflate
            && deflate.flush()?
        {
            self.write_due().await?;
        }
        self.stream.flush().await
    }

    /// Says that nothing more will be written.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// The TLS handshake. After an error the connection is gone.
    pub(crate) async fn secure<F>(
        &mut self,
        handshake: impl FnOnce(TcpStream) -> F,
    ) -> io::Result<TlsFacts>
    where
        F: Future<Output = io::Result<(TlsStream<Metered>, TlsFacts)>>,
    {
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(io::Error::other("TLS inside TLS"));
        };
        let (stream, facts) = handshake(stream).await?;
        self.stream = Stream::Secured(Box::new(stream));
        Ok(facts)
    }
}

impl Stream {
    fn try_read(&mut self) -> io::Result<Poll<Option<Vec<u8>>>> {
        let mut octets = Vec::with_capacity(READ_MAX);
        let read = match self {
            Self::Plain(stream) => stream.try_read_buf(&mut octets),
            Self::Secured(stream) => try_read_secured(stream, &mut octets),
            Self::Gone => Ok(0),
        };
        match read {
            Ok(0) => Ok(Poll::Ready(None)),
            Ok(_) => Ok(Poll::Ready(Some(octets))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Poll::Pending),
            // TLS without a last word of its own; the protocols above say when they are at an end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Poll::Ready(None)),
            Err(error) => Err(error),
        }
    }

    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.readable().await,
            Self::Secured(stream) => stream.get_ref().0.socket().readable().await,
            Self::Gone => Ok(()),
        }
    }

    async fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(octets).await,
            Self::Secured(stream) => stream.write(octets).await,
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) | Self::Gone => Ok(()),
            Self::Secured(stream) => stream.flush().await,
        }
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Secured(stream) => stream.shutdown().await,
            Self::Gone => Ok(()),
        }
    }
}

fn try_read_secured(stream: &mut TlsStream<Metered>, octets: &mut Vec<u8>) -> io::Result<usize> {
    let mut space = [std::mem::MaybeUninit::uninit(); READ_MAX];
    let mut buffer = ReadBuf::uninit(&mut space);
    // Nobody is woken by this context: whoever finds nothing waits for the socket.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match Pin::new(stream).poll_read(&mut context, &mut buffer) {
        Poll::Ready(Ok(())) => {
            octets.extend_from_slice(buffer.filled());
            Ok(octets.len())
        }
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
