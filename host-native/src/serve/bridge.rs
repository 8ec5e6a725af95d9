//! `/bridge/tcp`: a page of this server is the client of one of this server's own services, by the service's name. There
//! is no way to say a host or a port. Octets go both ways as they are; what they mean is the page's engine's business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use super::guard::{Asked, Guard, Refused, route};
use super::ready::Addresses;
use super::{Shared, told_to_stop};

/// What both sides speak.
const SUBPROTOCOL: &str = "pillarbox.v1";
/// Connections at once: a page shows one or two.
const BRIDGES_MAX: usize = 8;
/// Octets of one frame from a page.
const FRAME_MAX: usize = 64 * 1024;
/// Octets read from a connection at once.
pub(super) const READ_MAX: usize = 16 * 1024;
/// Octets a second from a page; more is taken later.
pub(super) const RATE_MAX: u64 = 1024 * 1024;
/// A connection on which nobody says anything for so long is closed.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(300);
/// How long the token may take, a connection to this machine, and the last frame.
const PROMPT_WITHIN: Duration = Duration::from_secs(10);
/// A page that takes nothing for so long is not there any more. A tab in the background, a debugger that holds it and a
/// machine that sleeps are all back before; until then whoever speaks to the page waits, and little is kept for it.
const TAKES_WITHIN: Duration = Duration::from_secs(15 * 60);

/// Why a connection ended, as the page is told (RFC 6455 §7.4.2: 4000 and more are ours).
pub(super) mod code {
    pub(in super::super) const DONE: u16 = 1000;
    pub(in super::super) const STOPPING: u16 = 1001;
    pub(super) const TOKEN: u16 = 4001;
    pub(in super::super) const UNREACHED: u16 = 4002;
    pub(super) const IDLE: u16 = 4003;
    pub(in super::super) const WRONG: u16 = 4004;
    pub(in super::super) const CUT: u16 = 4005;
    pub(super) const UNREAD: u16 = 4006;
}

/// Services that a page may name.
#[derive(Clone, Debug)]
pub(super) struct Services(Arc<[(&'static str, SocketAddr)]>);

impl Services {
    /// Those of this server that begin without TLS: a page has none to speak.
    pub(super) fn new(addresses: &Addresses) -> Self {
        let Addresses { smtp, pop3, imap, submission, .. } = *addresses;
        let all = [
            ("smtp", Some(smtp)),
            ("submission", submission),
            ("pop3", Some(pop3)),
            ("imap", Some(imap)),
        ];
        let open = all.into_iter().filter_map(|(name, address)| Some((name, here(address?))));
        Self(open.collect())
    }

    /// Their names and where they are, for a page to show.
    pub(super) fn names(&self) -> Value {
        let all = self.0.iter();
        all.map(|(name, address)| json!({ "name": name, "address": address.to_string() })).collect()
    }

    /// The one that a query asks for: `service=NAME` and not an octet more.
    fn find(&self, query: Option<&str>) -> Result<(&'static str, SocketAddr), Refused> {
        let name = query.and_then(|query| query.strip_prefix("service="));
        let name = name.ok_or(Refused(StatusCode::BAD_REQUEST, "expected service=NAME alone"))?;
        let found = self.0.iter().find(|(known, _)| *known == name).copied();
        found.ok_or(Refused(StatusCode::NOT_FOUND, "there is no service of this name"))
    }
}

/// Where this machine reaches what listens everywhere.
fn here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

/// The routes.
pub(super) fn routes(shared: &Arc<Shared>, guard: &Guard, services: &Services) -> Router {
    let bridge = Bridge {
        shared: Arc::clone(shared),
        guard: guard.clone(),
        services: services.clone(),
        places: Arc::new(Semaphore::new(BRIDGES_MAX)),
    };
    route("/bridge/tcp", "the bridge refused somebody", move |uri, headers, query, asked| {
        bridge.clone().open(uri, headers, query, asked)
    })
}

#[derive(Clone)]
struct Bridge {
    shared: Arc<Shared>,
    guard: Guard,
    services: Services,
    places: Arc<Semaphore>,
}

/// How a connection ended: code and words.
pub(super) type Ending = (u16, &'static str);

/// A WebSocket for octets, as both bridges have it.
pub(super) fn upgrade(asked: Asked) -> Result<WebSocketUpgrade, Refused> {
    let asked = asked
        .map_err(|_| Refused(StatusCode::BAD_REQUEST, "this is no WebSocket handshake"))?
        .protocols([SUBPROTOCOL])
        .max_message_size(FRAME_MAX)
        .max_frame_size(FRAME_MAX);
    if asked.selected_protocol().is_none() {
        return Err(Refused(StatusCode::BAD_REQUEST, "expected the subprotocol pillarbox.v1"));
    }
    Ok(asked)
}

/// Waits for the first frame, which must be the token.
pub(super) async fn token(socket: &mut WebSocket, guard: &Guard) -> Result<(), Ending> {
    match tokio::time::timeout(PROMPT_WITHIN, socket.recv()).await {
        Ok(Some(Ok(Message::Text(token)))) if guard.is_token(token.as_bytes()) => Ok(()),
        _ => Err((code::TOKEN, "this is not the token of the server's latest start")),
    }
}

/// Says why it is over.
pub(super) async fn end(socket: &mut WebSocket, (code, reason): Ending) {
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    drop(tokio::time::timeout(PROMPT_WITHIN, socket.send(close)).await);
}

impl Bridge {
    fn open(
        self,
        uri: &Uri,
        headers: &HeaderMap,
        query: Option<&str>,
        asked: Asked,
    ) -> Result<Response, Refused> {
        self.guard.own_page(uri, headers)?;
        let (service, address) = self.services.find(query)?;
        let asked = upgrade(asked)?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| {
            Refused(StatusCode::SERVICE_UNAVAILABLE, "too many connections over the bridge")
        })?;
        Ok(asked.on_upgrade(async move |mut socket| {
            let ending = match self.carry(&mut socket, service, address).await {
                Ok(ending) | Err(ending) => ending,
            };
            let (code, reason) = ending;
            tracing::debug!(service, code, reason, "a connection over the bridge ended");
            end(&mut socket, ending).await;
            drop(place);
        }))
    }

    async fn carry(
        &self,
        socket: &mut WebSocket,
        service: &'static str,
        address: SocketAddr,
    ) -> Result<Ending, Ending> {
        token(socket, &self.guard).await?;
        const UNREACHED: Ending = (code::UNREACHED, "the service takes no connection");
        let stream = tokio::time::timeout(PROMPT_WITHIN, TcpStream::connect(address)).await;
        let stream = stream.ok().and_then(Result::ok).ok_or(UNREACHED)?;
        drop(stream.set_nodelay(true));
        let local = stream.local_addr().map_err(|_| UNREACHED)?;
        let opened = json!({ "service": service, "local": local.to_string() }).to_string();
        send(socket, &mut self.shared.stopping.clone(), Message::text(opened)).await?;
        self.shuttle(socket, stream).await
    }

    /// Octets both ways, until one side has had enough. What one side does not take holds the other back.
    async fn shuttle(&self, socket: &mut WebSocket, stream: TcpStream) -> Result<Ending, Ending> {
        const CUT: Ending = (code::CUT, "the connection to the service is cut");
        let (mut reader, mut writer) = stream.into_split();
        let mut stopping = self.shared.stopping.clone();
        let mut buffer = vec![0; READ_MAX];
        let mut out = Bytes::new();
        let (began, mut taken) = (Instant::now(), 0_u64);
        let mut idle = tokio::time::Instant::now() + IDLE_MAX;
        loop {
            let due = began + Duration::from_millis(taken.saturating_mul(1000) / RATE_MAX);
            tokio::select! {
                written = writer.write(&out), if !out.is_empty() => match written {
                    Ok(count) if count > 0 => drop(out.split_to(count)),
                    _ => return Err(CUT),
                },
                read = reader.read(&mut buffer) => match read {
                    Ok(0) => return Ok((code::DONE, "the service closed the connection")),
                    Ok(count) => {
                        idle = tokio::time::Instant::now() + IDLE_MAX;
                        let octets = Bytes::copy_from_slice(&buffer[..count]);
                        send(socket, &mut stopping, Message::Binary(octets)).await?;
                    }
                    Err(_) => return Err(CUT),
                },
                heard = hear(socket, due), if out.is_empty() => match heard {
                    Some(Ok(Message::Binary(octets))) => {
                        idle = tokio::time::Instant::now() + IDLE_MAX;
                        taken += octets.len() as u64;
                        out = octets;
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Text(_))) => return Err((code::WRONG, "octets are binary")),
                    Some(Ok(Message::Close(_))) | None => return Ok((code::DONE, "the page left")),
                    Some(Err(_)) => return Err((code::WRONG, "this is no frame that is taken")),
                },
                () = tokio::time::sleep_until(idle) => {
                    return Err((code::IDLE, "nobody said anything for five minutes"));
                }
                () = told_to_stop(&mut stopping) => {
                    return Ok((code::STOPPING, "the server stops"));
                }
            }
        }
    }
}

/// What the page says next, once it may.
pub(super) async fn hear(
    socket: &mut WebSocket,
    due: Instant,
) -> Option<Result<Message, axum::Error>> {
    tokio::time::sleep_until(due.into()).await;
    socket.recv().await
}

/// Says something to the page, however long it takes until it reads.
pub(super) async fn send(
    socket: &mut WebSocket,
    stopping: &mut watch::Receiver<bool>,
    message: Message,
) -> Result<(), Ending> {
    tokio::select! {
        sent = tokio::time::timeout(TAKES_WITHIN, socket.send(message)) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err((code::DONE, "the page is gone")),
            Err(_) => Err((code::UNREAD, "the page read nothing for a quarter of an hour")),
        },
        () = told_to_stop(stopping) => Err((code::STOPPING, "the server stops")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> Services {
        let address = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        Services::new(&Addresses {
            pid: 1,
            smtp: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 1025),
            pop3: address(1110),
            imap: address(1143),
            http: address(8025),
            submission: None,
            submissions: Some(address(465)),
            pop3s: None,
            imaps: None,
            lmtp: None,
            imap_preauth: None,
        })
    }

    #[test]
    fn services_have_names_and_nothing_else_does() {
        let services = services();
        let smtp = services.find(Some("service=smtp")).expect("it is there");
        assert_eq!(smtp, ("smtp", "127.0.0.1:1025".parse().expect("an address")));
        for query in [
            "",
            "service=",
            "service=submission",
            "service=submissions",
            "service=SMTP",
            "service=smtp&",
            "service=smtp&host=10.0.0.1",
            "host=10.0.0.1&service=smtp",
            "service=smtp:25",
            "service=smtp%00",
            "service=127.0.0.1:25",
            "service=evil.example",
            "service=smtp@evil.example",
            "service=//evil.example",
            "service=http",
            "Service=smtp",
            "service=smtp#x",
            "service=smtp%20",
        ] {
            assert!(services.find(Some(query)).is_err(), "{query}");
        }
        assert!(services.find(None).is_err());
    }
}
