//! `/bridge/listen`: a page of this server is a server itself. Whoever on this machine connects to the port that it names
//! speaks with the page, over one WebSocket for all of them; what octets mean is the page's engine's business.
//!
//! The first frame of the page is the token. Then this server says `{"listening": ADDRESS}`, and of each connection
//! `{"opened": NUMBER, "peer": ADDRESS}`. Octets travel both ways in binary frames that begin with the number, in four
//! octets, the highest first; a frame with nothing behind it says that this side of the connection says nothing more, and
//! may still hear. `{"closed": NUMBER}` says that nobody is there any more.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::bridge::{Ending, IDLE_MAX, RATE_MAX, READ_MAX, code, hear, send, token, upgrade};
use super::guard::{Asked, Guard, Refused, route};
use super::{Shared, told_to_stop};

/// Ports that pages listen on at once: one lesson, and one more tab.
const LISTENERS_MAX: usize = 2;
/// Connections to one of them at once; others wait in the system's queue.
const VISITORS_MAX: usize = 8;
/// Those below belong to the system.
const PORT_MIN: u16 = 1024;
/// Frames on their way to the page, and to one visitor.
const FRAMES_MAX: usize = 32;
/// How long a visitor may take nothing of what was said.
const TAKE_WITHIN: Duration = Duration::from_secs(10);
/// How much silence counts towards what may be said.
const CREDIT: Duration = Duration::from_secs(1);
/// How long the last that a visitor says is still taken, and given to nobody.
const LINGER: Duration = Duration::from_secs(2);
/// Octets of a connection's number.
const NUMBER: usize = 4;

/// The routes.
pub(super) fn routes(shared: &Arc<Shared>, guard: &Guard) -> Router {
    let (shared, guard) = (Arc::clone(shared), guard.clone());
    let visitors = Visitors { shared, guard, places: Arc::new(Semaphore::new(LISTENERS_MAX)) };
    route("/bridge/listen", "nobody listens for a page", move |uri, headers, query, asked| {
        visitors.clone().open(uri, headers, query, asked)
    })
}

#[derive(Clone)]
struct Visitors {
    shared: Arc<Shared>,
    guard: Guard,
    places: Arc<Semaphore>,
}

/// The port that a query asks for: `port=NUMBER` and not an octet more.
fn port(query: Option<&str>) -> Result<u16, Refused> {
    const WRONG: Refused =
        Refused(StatusCode::BAD_REQUEST, "expected port=NUMBER alone, 1024 or more");
    let digits = query.and_then(|query| query.strip_prefix("port=")).ok_or(WRONG)?;
    let plain = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| plain && *port >= PORT_MIN);
    port.ok_or(WRONG)
}

impl Visitors {
    fn open(
        self,
        uri: &Uri,
        headers: &HeaderMap,
        query: Option<&str>,
        asked: Asked,
    ) -> Result<Response, Refused> {
        self.guard.own_page(uri, headers)?;
        let port = port(query)?;
        let asked = upgrade(asked)?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| {
            Refused(StatusCode::SERVICE_UNAVAILABLE, "pages listen on too many ports already")
        })?;
        Ok(asked.on_upgrade(async move |mut socket| {
            let ending = match self.listen(&mut socket, port).await {
                Ok(ending) | Err(ending) => ending,
            };
            tracing::debug!(port, code = ending.0, reason = ending.1, "a page listens no longer");
            super::bridge::end(&mut socket, ending).await;
            drop(place);
        }))
    }

    async fn listen(&self, socket: &mut WebSocket, port: u16) -> Result<Ending, Ending> {
        token(socket, &self.guard).await?;
        // Loopback and nothing else: who visits a page is on this machine.
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).await;
        let listener = listener
            .map_err(|_| (code::UNREACHED, "nobody can listen on this port; it is taken"))?;
        tracing::info!(%address, "a page listens");
        let listening = json!({ "listening": address.to_string() }).to_string();
        send(socket, &mut self.shared.stopping.clone(), Message::text(listening)).await?;
        self.welcome(socket, &listener).await
    }

    /// Takes visitors, and carries what they and the page say, until the page has had enough.
    async fn welcome(
        &self,
        socket: &mut WebSocket,
        listener: &TcpListener,
    ) -> Result<Ending, Ending> {
        let (to_page, mut said) = mpsc::channel::<(u32, Said)>(FRAMES_MAX);
        // With this they all are gone when the page is.
        let mut tasks = JoinSet::new();
        let mut visitors: Vec<Visitor> = Vec::new();
        let mut stopping = self.shared.stopping.clone();
        let (mut due, mut last) = (Instant::now(), 0_u32);
        let mut full_since: Option<Instant> = None;
        loop {
            let is_full = visitors.iter().any(Visitor::is_full);
            full_since = full_since.filter(|_| is_full).or(is_full.then(Instant::now));
            let waited = full_since.map_or(Duration::ZERO, |since| since.elapsed());
            let left = TAKE_WITHIN.saturating_sub(waited);
            tokio::select! {
                visitor = listener.accept(), if tasks.len() < VISITORS_MAX => {
                    let (stream, peer) =
                        visitor.map_err(|_| (code::CUT, "the system takes no more connections"))?;
                    last += 1;
                    let (sender, from_page) = mpsc::channel(FRAMES_MAX);
                    let task = tasks.spawn(visit(stream, last, from_page, to_page.clone()));
                    visitors.push(Visitor { number: last, sender, task });
                    let opened = json!({ "opened": last, "peer": peer.to_string() }).to_string();
                    send(socket, &mut stopping, Message::text(opened)).await?;
                }
                Some((number, said)) = said.recv() => {
                    send(socket, &mut stopping, said.message(number)).await?;
                }
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {
                    visitors.retain(|visitor| !visitor.sender.is_closed());
                }
                // What the page says waits while one of its visitors has to take what it said before.
                stuck = room(&visitors, left), if is_full => if let Some(at) = stuck {
                    let stuck = visitors.remove(at);
                    stuck.task.abort();
                    send(socket, &mut stopping, Said::Gone.message(stuck.number)).await?;
                },
                heard = hear(socket, due), if !is_full => match heard {
                    Some(Ok(Message::Binary(frame))) => {
                        // Who was silent may not say all of it at once.
                        let now = Instant::now();
                        let cost = frame.len() as u64 * 1_000_000 / RATE_MAX;
                        due = due.max(now.checked_sub(CREDIT).unwrap_or(now));
                        due += Duration::from_micros(cost);
                        answer(&mut visitors, frame)?;
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Text(_))) => return Err((code::WRONG, "octets are binary")),
                    Some(Ok(Message::Close(_))) | None => return Ok((code::DONE, "the page left")),
                    Some(Err(_)) => return Err((code::WRONG, "this is no frame that is taken")),
                },
                () = told_to_stop(&mut stopping) => {
                    return Ok((code::STOPPING, "the server stops"));
                }
            }
        }
    }
}

/// What a page is told of one of its visitors.
enum Said {
    /// They said this; nothing: they say nothing more, and may still hear.
    Octets(Bytes),
    /// They are gone.
    Gone,
}

impl Said {
    fn message(self, number: u32) -> Message {
        match self {
            Self::Octets(octets) => {
                Message::Binary([&number.to_be_bytes()[..], &octets].concat().into())
            }
            Self::Gone => Message::text(json!({ "closed": number }).to_string()),
        }
    }
}

/// One who visits a page.
struct Visitor {
    number: u32,
    sender: mpsc::Sender<Bytes>,
    task: AbortHandle,
}

impl Visitor {
    fn is_full(&self) -> bool {
        self.sender.capacity() == 0 && !self.sender.is_closed()
    }
}

/// Waits until the first visitor who has much to take has taken some; which one it is if that takes too long.
async fn room(visitors: &[Visitor], within: Duration) -> Option<usize> {
    let at = visitors.iter().position(Visitor::is_full)?;
    let taken = tokio::time::timeout(within, visitors[at].sender.reserve()).await;
    taken.is_err().then_some(at)
}

/// What the page says to one of its visitors. One who is gone already hears nothing.
fn answer(visitors: &mut Vec<Visitor>, mut frame: Bytes) -> Result<(), Ending> {
    if frame.len() < NUMBER {
        return Err((code::WRONG, "a frame begins with a connection's number"));
    }
    let octets = frame.split_off(NUMBER);
    let number = frame.iter().fold(0, |number, octet| number << 8 | u32::from(*octet));
    let Some(at) = visitors.iter().position(|known| known.number == number) else { return Ok(()) };
    // Without its sender a visitor's connection ends once all was written.
    if octets.is_empty() || visitors[at].sender.try_send(octets).is_err() {
        visitors.remove(at);
    }
    Ok(())
}

/// One connection, until the page ends it or nobody says anything for long.
async fn visit(
    stream: TcpStream,
    number: u32,
    mut from_page: mpsc::Receiver<Bytes>,
    to_page: mpsc::Sender<(u32, Said)>,
) {
    drop(stream.set_nodelay(true));
    let (mut reader, mut writer) = stream.into_split();
    let mut buffer = vec![0; READ_MAX];
    let (mut out, mut ended) = (Bytes::new(), false);
    let mut idle = tokio::time::Instant::now() + IDLE_MAX;
    loop {
        tokio::select! {
            written = writer.write(&out), if !out.is_empty() => match written {
                Ok(count) if count > 0 => {
                    idle = tokio::time::Instant::now() + IDLE_MAX;
                    drop(out.split_to(count));
                }
                _ => break,
            },
            answer = from_page.recv(), if out.is_empty() => match answer {
                Some(octets) => out = octets,
                None => break,
            },
            heard = next(&mut reader, &mut buffer, ended) => {
                let Some(count) = heard else { break };
                idle = tokio::time::Instant::now() + IDLE_MAX;
                // Who says nothing more may still be answered.
                ended = count == 0;
                let octets = Bytes::copy_from_slice(&buffer[..count]);
                if to_page.send((number, Said::Octets(octets))).await.is_err() {
                    break;
                }
            }
            () = tokio::time::sleep_until(idle) => break,
        }
    }
    drop(writer.shutdown().await);
    if !ended {
        // What is left unread would make the system forget what was just written (RFC 9293 §3.6.1).
        let rest = async { while reader.read(&mut buffer).await.is_ok_and(|count| count > 0) {} };
        drop(tokio::time::timeout(LINGER, rest).await);
    }
    drop(to_page.send((number, Said::Gone)).await);
}

/// How many octets somebody says next, 0 at the end of all they say; none: they are gone. Of somebody who says nothing
/// more only the answer of their system to what was said to them tells that (RFC 9293 §3.10.7.1).
async fn next(reader: &mut OwnedReadHalf, buffer: &mut [u8], ended: bool) -> Option<usize> {
    if ended {
        drop(reader.ready(Interest::ERROR).await);
        return None;
    }
    reader.read(buffer).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_of_its_own_and_no_low_one() {
        assert_eq!(port(Some("port=2626")), Ok(2626));
        assert_eq!(port(Some("port=1024")), Ok(1024));
        assert_eq!(port(Some("port=65535")), Ok(65535));
        for query in [
            "",
            "port=",
            "port=0",
            "port=25",
            "port=1023",
            "port=65536",
            "port=+2626",
            "port=-1",
            "port=2626&host=0.0.0.0",
            "host=0.0.0.0&port=2626",
            "port=0.0.0.0:2626",
            "port=2626 ",
            "port=%32626",
            "Port=2626",
            "service=smtp",
        ] {
            assert!(port(Some(query)).is_err(), "{query}");
        }
        assert!(port(None).is_err());
    }

    #[tokio::test]
    async fn a_frame_reaches_the_visitor_that_it_is_for() {
        let (one, mut first) = mpsc::channel(FRAMES_MAX);
        let (other, mut second) = mpsc::channel(FRAMES_MAX);
        let mut tasks = JoinSet::new();
        let mut visitor = |number, sender| {
            let task = tasks.spawn(std::future::pending::<()>());
            Visitor { number, sender, task }
        };
        let mut visitors = vec![visitor(1, one), visitor(258, other)];
        let frame = |octets: &[u8]| Bytes::copy_from_slice(octets);
        answer(&mut visitors, frame(&[0, 0, 1, 2, b'h', b'i'])).expect("it has a number");
        assert_eq!(second.try_recv().expect("it came"), &b"hi"[..]);
        assert!(first.try_recv().is_err());
        answer(&mut visitors, frame(&[0, 0, 0, 9, b'h'])).expect("one who is gone is nothing new");
        assert!(answer(&mut visitors, frame(&[0, 0, 1])).is_err());
        for _ in 0..FRAMES_MAX {
            answer(&mut visitors, frame(&[0, 0, 0, 1, b'x'])).expect("it has a number");
        }
        // The page waits for one who takes little, and nothing is lost.
        assert!(visitors[0].is_full() && !visitors[1].is_full());
        let (stuck, taken) = tokio::join!(room(&visitors, TAKE_WITHIN), first.recv());
        assert_eq!((stuck, taken.as_deref()), (None, Some(&b"x"[..])));
        answer(&mut visitors, frame(&[0, 0, 0, 1, b'x'])).expect("it has a number");
        let soon = Duration::from_millis(10);
        assert_eq!(room(&visitors, soon).await, Some(0), "who takes nothing for long is known");
        answer(&mut visitors, frame(&[0, 0, 1, 2])).expect("it has a number");
        assert_eq!(visitors.len(), 1, "nothing behind the number is the end");
    }
}
