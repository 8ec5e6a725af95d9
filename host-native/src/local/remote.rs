//! The store as the running server has it open: asks go through its control socket, many at once, and are answered in order.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use super::Pending;
use super::asks::{Ask, Envelope, PART_MAX, Reply};
use crate::error::{Error, Kind};

/// Who waits for an answer.
enum Waiting {
    /// For octets too.
    Whole(oneshot::Sender<(Reply, Vec<u8>)>),
    Reply(oneshot::Sender<Reply>),
}

type Turns = Arc<Mutex<Option<VecDeque<Waiting>>>>;

/// A connection to the server.
pub(crate) struct Remote {
    write: OwnedWriteHalf,
    /// None once the server is gone.
    turns: Turns,
    reader: tokio::task::JoinHandle<()>,
}

impl Remote {
    pub(super) fn new(stream: StdUnixStream) -> Result<Self, Error> {
        let ours = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
        let (read, write) = ours.map_err(|error| gone(&error))?.into_split();
        let turns: Turns = Arc::new(Mutex::new(Some(VecDeque::new())));
        let reader = tokio::spawn(hear(read, Arc::clone(&turns)));
        Ok(Self { write, turns, reader })
    }

    pub(super) async fn ask(&mut self, ask: &Ask) -> Result<(Reply, Vec<u8>), Error> {
        let (told, answer) = oneshot::channel();
        self.send(ask, Some(Waiting::Whole(told)), &[]).await?;
        answer.await.map_err(|_| gone(&"it closed the socket"))
    }

    pub(super) async fn part(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.send(&Ask::Part { size: octets.len() as u64 }, None, octets).await
    }

    pub(super) async fn store(&mut self, envelope: Envelope) -> Result<Pending, Error> {
        let (told, pending) = oneshot::channel();
        self.send(&Ask::Store(envelope), Some(Waiting::Reply(told)), &[]).await?;
        Ok(pending)
    }

    pub(super) async fn forget(&mut self) -> Result<(), Error> {
        self.send(&Ask::Forget, None, &[]).await
    }

    async fn send(
        &mut self,
        ask: &Ask,
        waiting: Option<Waiting>,
        octets: &[u8],
    ) -> Result<(), Error> {
        if let Some(waiting) = waiting {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            let turns = turns.as_mut().ok_or_else(|| gone(&"it closed the socket"))?;
            turns.push_back(waiting);
        }
        let mut line = serde_json::to_vec(ask).map_err(|error| Error::failed(error.to_string()))?;
        line.push(b'\n');
        line.extend_from_slice(octets);
        self.write.write_all(&line).await.map_err(|error| gone(&error))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn gone(error: &dyn std::fmt::Display) -> Error {
    let help = "what was stored stays; run this again";
    Error::new(Kind::Temporary, format!("the server broke off: {error}; {help}"))
}

/// Gives each answer to who waits for it; at the end nobody waits any more.
async fn hear(read: OwnedReadHalf, turns: Turns) {
    let mut read = BufReader::new(read);
    while let Ok(Some((reply, octets))) = answer(&mut read).await {
        let next = {
            let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.as_mut().and_then(VecDeque::pop_front)
        };
        // Whoever asked may have gone.
        match next {
            Some(Waiting::Whole(told)) => drop(told.send((reply, octets))),
            Some(Waiting::Reply(told)) => drop(told.send(reply)),
            None => break,
        }
    }
    turns.lock().unwrap_or_else(PoisonError::into_inner).take();
}

async fn answer(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<(Reply, Vec<u8>)>> {
    let mut line = Vec::new();
    if read.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    let reply = serde_json::from_slice(&line)?;
    let mut octets = Vec::new();
    if let Reply::Octets { size } = &reply {
        let size = usize::try_from(*size).ok().filter(|size| *size <= PART_MAX);
        let size = size.ok_or_else(|| io::Error::other("an answer is too long"))?;
        octets = vec![0; size];
        read.read_exact(&mut octets).await?;
    }
    Ok(Some((reply, octets)))
}
