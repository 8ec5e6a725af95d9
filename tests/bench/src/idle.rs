//! Memory per idle IMAP connection, on a server that has done nothing else.
//! Kernel memory (socket buffers, page tables) is in no process and not counted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::sleep;

use crate::imap::Imap;
use crate::imap_work::Account;
use crate::load::Sample;
use crate::machine::pss_kib;
use crate::server::{Kind, Server};
use crate::work::{account_of, opened};

/// Connections that exist before the first count, so that what a server sets up once is in it.
const WARM: u64 = 10;
/// So many log in side by side.
const AT_ONCE: u64 = 20;
/// So many come from one address of this machine, which has ports for some 28,000.
const PER_SOURCE: u64 = 10_000;

/// Starts `kind`, makes the accounts, starts it afresh, and counts. Also gives what the server
/// says of itself.
pub(crate) async fn sample(
    kind: Kind,
    home: &Path,
    pillarbox: &Path,
    connections: u64,
    settle: Duration,
) -> Result<(Sample, String)> {
    let first = kind.start(home, pillarbox, None)?;
    let accounts = idle_connections(&first, WARM + connections).await;
    drop(accounts.inspect_err(|_| tell(&first))?);
    drop(first);
    let server = kind.start(home, pillarbox, None)?;
    let warm = idle_connections(&server, WARM).await?;
    let address = server.addresses.imap.context("no IMAP")?;
    let account = move |lane| account_of(address, "idle", WARM + lane);
    let sample = held(server.process.pid(), connections, settle, account).await;
    let sample = sample.inspect_err(|_| tell(&server))?;
    drop(warm);
    Ok((sample, server.facts.clone()))
}

fn tell(server: &Server) {
    eprintln!("the end of its log:\n{}", server.process.last_words());
}

/// Opens `connections` idle connections and gives what each costs the processes under `pid`.
pub(crate) async fn held(
    pid: u32,
    connections: u64,
    settle: Duration,
    account: impl Fn(u64) -> Account,
) -> Result<Sample> {
    sleep(settle).await;
    let before = pss_kib(pid)?;
    let start = Instant::now();
    let held = open(connections, account).await?;
    let seconds = start.elapsed().as_secs_f64();
    sleep(settle).await;
    let after = pss_kib(pid)?;
    drop(held);
    let each = (after as f64 - before as f64) / connections as f64;
    Ok(Sample { operations: connections, seconds, kib_each: Some(each), ..Sample::default() })
}

async fn idle_connections(server: &Server, count: u64) -> Result<Vec<Imap>> {
    let address = server.addresses.imap.context("no IMAP")?;
    open(count, |lane| account_of(address, "idle", lane)).await
}

async fn open(count: u64, account: impl Fn(u64) -> Account) -> Result<Vec<Imap>> {
    let mut held = Vec::new();
    while (held.len() as u64) < count {
        let begin = held.len() as u64;
        let more = opened(AT_ONCE.min(count - begin), |lane| {
            let account = account(begin + lane);
            let source = source(account.address, begin + lane);
            async move {
                let mut imap = match source {
                    Some(source) => account.log_in_from(source).await?,
                    None => account.log_in().await?,
                };
                imap.select("INBOX").await?;
                imap.idle().await?;
                Ok(imap)
            }
        });
        held.extend(more.await.with_context(|| format!("after {begin} idle connections"))?);
    }
    Ok(held)
}

/// From where a connection comes: elsewhere than from here only if the server is on this machine.
fn source(server: SocketAddr, lane: u64) -> Option<IpAddr> {
    let last = u8::try_from(1 + lane / PER_SOURCE).ok()?;
    let here = server.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST);
    here.then(|| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_connections_come_from_many_addresses() {
        let here = SocketAddr::from(([127, 0, 0, 1], 143));
        let last = |lane| source(here, lane).map(|source| source.to_string());
        assert_eq!(last(0).as_deref(), Some("127.0.0.1"));
        assert_eq!(last(29_999).as_deref(), Some("127.0.0.3"));
        assert_eq!(source(SocketAddr::from(([192, 0, 2, 1], 143)), 5), None);
    }
}
