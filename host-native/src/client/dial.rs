//! Connects to one of several addresses, as RFC 8305 §5 does: in order, but never waiting long for a silent one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// RFC 8305 §5: how long an address is waited for before the next is tried beside it.
const STAGGER: Duration = Duration::from_millis(250);

/// Why nobody answered.
#[derive(Debug)]
pub(super) struct Unreachable {
    /// The last address that failed.
    pub(super) address: SocketAddr,
    pub(super) error: io::Error,
}

/// The first of these addresses that answers, which are at least one.
pub(super) async fn dial(
    addresses: &[SocketAddr],
    within: Duration,
) -> Result<(TcpStream, SocketAddr), Unreachable> {
    let mut waiting = addresses.iter().copied();
    let mut attempts = JoinSet::new();
    let mut next_at = Instant::now();
    let mut failed = None;
    loop {
        if attempts.is_empty() && waiting.len() == 0 {
            return Err(failed.expect("at least one address was tried, and all failed"));
        }
        tokio::select! {
            () = sleep_until(next_at), if waiting.len() > 0 => {
                if let Some(address) = waiting.next() {
                    attempts.spawn(attempt(address, within));
                }
                next_at = Instant::now() + STAGGER;
            }
            // The rest is dropped, and with it cut, when one has succeeded.
            Some(ended) = attempts.join_next() => match ended {
                Ok((address, Ok(stream))) => return Ok((stream, address)),
                Ok((address, Err(error))) => {
                    failed = Some(Unreachable { address, error });
                    next_at = Instant::now();
                }
                // Nobody cancels an attempt, and none panics.
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
        }
    }
}

async fn attempt(address: SocketAddr, within: Duration) -> (SocketAddr, io::Result<TcpStream>) {
    let connected = timeout(within, TcpStream::connect(address)).await;
    let silent = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    (address, connected.unwrap_or_else(|_| Err(silent())))
}

/// Takes turns between IPv6 and IPv4 (RFC 8305 §4), each in its own order, beginning with the first address's.
pub(super) fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let of = |same: bool| {
        addresses.iter().copied().filter(move |a| (a.is_ipv6() == first_is_v6) == same)
    };
    let (mut ones, mut others) = (of(true), of(false));
    let mut all = Vec::with_capacity(addresses.len());
    loop {
        let (one, other) = (ones.next(), others.next());
        if one.is_none() && other.is_none() {
            return all;
        }
        all.extend(one.into_iter().chain(other));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let [a, b, c, d]: [SocketAddr; 4] =
            ["[2001:db8::1]:25", "[2001:db8::2]:25", "192.0.2.1:25", "[2001:db8::3]:25"]
                .map(|text| text.parse().expect("an address"));
        assert_eq!(interleaved(&[a, b, c, d]), [a, c, b, d]);
        assert_eq!(interleaved(&[c, a, b]), [c, a, b]);
        assert!(interleaved(&[]).is_empty());
    }

    #[tokio::test]
    async fn a_refused_address_does_not_delay_the_next() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let (open, gone) = (listener.local_addr(), closed.local_addr());
        let (open, gone) = (open.expect("bound"), gone.expect("bound"));
        drop(closed);
        let (_stream, address) =
            dial(&[gone, open], Duration::from_secs(5)).await.expect("one of them is open");
        assert_eq!(address, open);
        let error = dial(&[gone], Duration::from_secs(5)).await.expect_err("nobody is there");
        assert_eq!((error.address, error.error.kind()), (gone, io::ErrorKind::ConnectionRefused));
    }
}
