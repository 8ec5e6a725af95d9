//! Relaying: a sink that is the next hop of every server, and what it sees of their queues.
//! While its gate is closed connections get no greeting, so mail piles up in the queue of whoever sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::load::{Progress, Sample, Session};
use crate::machine::Meter;
use crate::server::Server;
use crate::smtp::Delivery;
use crate::work::{RECIPIENTS, opened};

/// Connections that fill a queue.
pub(crate) const ENQUEUE_LANES: u64 = 20;
/// A queue of which nothing arrives for so long has come to a halt.
const HALT: Duration = Duration::from_secs(60);
/// How often arrivals are looked at; small beside the time of a sample.
const LOOK: Duration = Duration::from_millis(2);
/// What a lone end of data looks like in a stream.
const END: &[u8] = b"\r\n.\r\n";

/// A server that takes everything and keeps nothing, as cheaply as it can: its time is none of the sender's.
pub(crate) struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    open: watch::Sender<bool>,
    messages: AtomicU64,
    octets: AtomicU64,
}

impl Sink {
    /// Listens on a free port, its gate closed.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            open: watch::Sender::new(false),
            messages: AtomicU64::new(0),
            octets: AtomicU64::new(0),
        });
        let its = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever breaks off sends the rest again; what is wrong shows in the count.
                let shared = Arc::clone(&its);
                tokio::spawn(async move { drop(take(stream, &shared).await) });
            }
        });
        Ok(Self { address, shared, accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn set(&self, open: bool) {
        self.shared.open.send_replace(open);
    }

    fn messages(&self) -> u64 {
        self.shared.messages.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One connection. A reply is written as soon as what was read ends in a whole line, so that pipelined commands are
/// answered together.
async fn take(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_nodelay(true)?;
    shared.open.subscribe().wait_for(|open| *open).await?;
    stream.write_all(b"220 sink.bench.example ESMTP\r\n").await?;
    let mut input = vec![0; 256 * 1024];
    let mut end = 0;
    let mut data = false;
    let mut replies = Vec::new();
    loop {
        ensure!(end < input.len(), "a line without end");
        let read = stream.read(&mut input[end..]).await?;
        if read == 0 {
            return Ok(());
        }
        end += read;
        let mut start = 0;
        let mut quit = false;
        loop {
            let rest = &input[start..end];
            if data {
                let Some(at) = memmem::find(rest, END) else {
                    // All but what may be the beginning of the end is over.
                    let kept = rest.len().min(END.len() - 1);
                    let done = rest.len() - kept;
                    shared.octets.fetch_add(done as u64, Ordering::Relaxed);
                    start += done;
                    break;
                };
                shared.octets.fetch_add((at + 2) as u64, Ordering::Relaxed);
                shared.messages.fetch_add(1, Ordering::Relaxed);
                start += at + END.len();
                data = false;
                replies.extend_from_slice(b"250 2.0.0 taken\r\n");
                continue;
            }
            let Some(at) = memmem::find(rest, b"\r\n") else { break };
            let line = &rest[..at];
            start += at + 2;
            let word = line.get(..4).unwrap_or(line).to_ascii_uppercase();
            replies.extend_from_slice(match &word[..] {
                b"EHLO" => b"250-sink.bench.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
                b"DATA" => {
                    data = true;
                    b"354 go on\r\n"
                }
                b"QUIT" => {
                    quit = true;
                    b"221 2.0.0 bye\r\n"
                }
                b"HELO" | b"MAIL" | b"RCPT" | b"RSET" | b"NOOP" => b"250 2.0.0 ok\r\n",
                _ => b"500 5.5.1 what\r\n",
            });
        }
        input.copy_within(start..end, 0);
        end -= start;
        if !replies.is_empty() {
            stream.write_all(&replies).await?;
            replies.clear();
        }
        if quit {
            return Ok(());
        }
    }
}

/// Has a server take so many messages while the gate is closed, then opens it; gives how fast they were taken, and how
/// fast they arrived: all of them, from the moment of opening on.
pub(crate) async fn sample(
    server: &Server,
    sink: &Sink,
    size: usize,
    messages: u64,
) -> Result<(Sample, Sample)> {
    sink.set(false);
    let address = server.addresses.smtp.context("no SMTP")?;
    let pid = Some(server.process.pid());
    let before = sink.messages();
    let octets_before = sink.shared.octets.load(Ordering::Relaxed);
    let dialect = crate::smtp::Dialect::Smtp;
    let open = |lane| Delivery::open(address, dialect, size, lane, RECIPIENTS);
    let sessions = opened(ENQUEUE_LANES, open).await?;
    let each = messages / ENQUEUE_LANES;
    let messages = each * ENQUEUE_LANES;

    let meter = Meter::start(pid)?;
    let clock = Instant::now();
    let mut running = JoinSet::new();
    for mut session in sessions {
        running.spawn(async move {
            let ignored = Progress::default();
            for _ in 0..each {
                session.operate(&ignored).await?;
            }
            anyhow::Ok(session)
        });
    }
    let mut sessions = Vec::new();
    while let Some(session) = running.join_next().await {
        sessions.push(session.context("a session panicked")??);
    }
    let taken = sampled(messages, messages * size as u64, clock, meter)?;
    for session in sessions {
        session.close().await?;
    }
    // A connection that is left over from the sample before would let mail through.
    let through = sink.messages() - before;
    ensure!(through == 0, "{through} messages went through a closed gate");

    let meter = Meter::start(pid)?;
    let clock = Instant::now();
    sink.set(true);
    let (mut seen, mut at) = (0, Instant::now());
    while seen < messages {
        ensure!(at.elapsed() < HALT, "{seen} of {messages} messages arrived, and no more");
        sleep(LOOK).await;
        let now = sink.messages() - before;
        if now > seen {
            (seen, at) = (now, Instant::now());
        }
    }
    let octets = sink.shared.octets.load(Ordering::Relaxed) - octets_before;
    let sent = sampled(messages, octets, clock, meter)?;
    // More than was taken would be mail that was sent twice. Connections are closed before the next sample.
    let quiet = async {
        while Arc::strong_count(&sink.shared) > 2 {
            sleep(LOOK).await;
        }
    };
    timeout(HALT, quiet).await.context("connections to the sink stay open")?;
    let arrived = sink.messages() - before;
    ensure!(arrived == messages, "{arrived} messages arrived, {messages} were taken");
    Ok((taken, sent))
}

fn sampled(operations: u64, octets: u64, clock: Instant, meter: Meter) -> Result<Sample> {
    let seconds = clock.elapsed().as_secs_f64();
    let used = meter.stop()?;
    Ok(Sample {
        operations,
        octets,
        seconds,
        server_cpu_seconds: used.server_cpu_seconds,
        elsewhere: used.elsewhere,
        stolen: used.stolen,
        ..Sample::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reply(stream: &mut TcpStream) -> String {
        let mut octets = [0; 1000];
        let read = timeout(Duration::from_secs(5), stream.read(&mut octets)).await;
        let read = read.expect("in time").expect("open");
        String::from_utf8_lossy(&octets[..read]).into_owned()
    }

    #[tokio::test]
    async fn a_sink_counts_what_ends_and_waits_behind_its_gate() {
        let sink = Sink::start().await.expect("loopback");
        let mut stream = TcpStream::connect(sink.address()).await.expect("it listens");
        let early = timeout(Duration::from_millis(50), stream.read_u8()).await;
        assert!(early.is_err(), "the gate is closed");
        sink.set(true);
        assert!(reply(&mut stream).await.starts_with("220 "));
        stream.write_all(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n").await.expect("open");
        assert!(reply(&mut stream).await.ends_with("354 go on\r\n"));
        for piece in [&b"Subject: x\r\n\r\n..\r"[..], b"\n", b".", b"\r"] {
            stream.write_all(piece).await.expect("open");
            sleep(Duration::from_millis(10)).await;
            assert_eq!(sink.messages(), 0);
        }
        stream.write_all(b"\nQUIT\r\n").await.expect("open");
        assert_eq!(reply(&mut stream).await, "250 2.0.0 taken\r\n221 2.0.0 bye\r\n");
        assert_eq!((sink.messages(), sink.shared.octets.load(Ordering::Relaxed)), (1, 18));
    }
}
