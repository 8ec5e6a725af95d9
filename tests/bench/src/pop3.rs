//! The POP3 driver: log in, LIST, and RETR of every message, over and over.
//! Messages are counted and their sizes held against the LIST; nothing is deleted.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};

use crate::load::{Progress, Session};
use crate::wire::{Wire, shown};

/// A reader of one maildrop. One operation is one message retrieved; logging in and LIST are part
/// of the first of each round.
pub(crate) struct Reader {
    address: SocketAddr,
    user: String,
    password: String,
    round: Option<Round>,
}

/// A session under way: what is left to retrieve.
struct Round {
    wire: Wire,
    sizes: Vec<u64>,
    next: usize,
}

impl Reader {
    /// Reads the maildrop of `user`; no connection is made yet.
    pub(crate) fn new(address: SocketAddr, user: String, password: String) -> Self {
        Self { address, user, password, round: None }
    }

    async fn begin(&self) -> Result<Round> {
        let mut wire = Wire::connect(self.address).await?;
        expect_ok(&mut wire).await?;
        wire.send(format!("USER {}\r\n", self.user).as_bytes()).await?;
        expect_ok(&mut wire).await?;
        wire.send(format!("PASS {}\r\n", self.password).as_bytes()).await?;
        expect_ok(&mut wire).await?;
        wire.send(b"LIST\r\n").await?;
        expect_ok(&mut wire).await?;
        let mut sizes = Vec::new();
        loop {
            let line = wire.line().await?;
            if line == b"." {
                break;
            }
            sizes.push(listed_size(line, sizes.len() + 1)?);
        }
        ensure!(!sizes.is_empty(), "the maildrop of {} is empty: fill it first", self.user);
        Ok(Round { wire, sizes, next: 0 })
    }
}

impl Session for Reader {
    async fn operate(&mut self, progress: &Progress) -> Result<()> {
        let mut round = match self.round.take() {
            Some(round) => round,
            None => self.begin().await?,
        };
        let size = round.sizes[round.next];
        round.next += 1;
        retrieve(&mut round.wire, round.next, size)
            .await
            .with_context(|| format!("RETR {} ({size} octets)", round.next))?;
        progress.add(1, size);
        if round.next < round.sizes.len() {
            self.round = Some(round);
            return Ok(());
        }
        quit(round.wire).await
    }

    async fn close(mut self) -> Result<()> {
        match self.round.take() {
            Some(round) => quit(round.wire).await,
            None => Ok(()),
        }
    }
}

async fn retrieve(wire: &mut Wire, number: usize, size: u64) -> Result<()> {
    wire.send(format!("RETR {number}\r\n").as_bytes()).await?;
    expect_ok(wire).await?;
    // RFC 1939 §3: stuffed dots only add octets, so the end lies beyond the listed size.
    wire.skip(size, |_| ()).await?;
    while wire.line().await? != b"." {}
    Ok(())
}

async fn quit(mut wire: Wire) -> Result<()> {
    wire.send(b"QUIT\r\n").await?;
    expect_ok(&mut wire).await?;
    wire.end().await
}

async fn expect_ok(wire: &mut Wire) -> Result<()> {
    let line = wire.line().await?;
    ensure!(line.starts_with(b"+OK"), "expected +OK, got {}", shown(line));
    Ok(())
}

/// A line of a LIST answer, `number SP size`: RFC 1939 §5.
fn listed_size(line: &[u8], number: usize) -> Result<u64> {
    let mut words = line.split(|&octet| octet == b' ').map(digits);
    match (words.next(), words.next()) {
        (Some(Some(listed)), Some(Some(size))) if listed == number as u64 => Ok(size),
        _ => bail!("expected the listing of message {number}, got {}", shown(line)),
    }
}

/// A decimal number of at most 19 digits, or `None`.
pub(crate) fn digits(octets: &[u8]) -> Option<u64> {
    if octets.is_empty() || octets.len() > 19 || !octets.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(octets.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_read_in_order() {
        assert_eq!(listed_size(b"1 10240", 1).expect("a listing"), 10240);
        assert_eq!(listed_size(b"12 7 extra", 12).expect("a listing"), 7);
        for wrong in [&b"2 10"[..], b"1", b"1 ", b"one 2", b"1 -3", b"-ERR"] {
            assert!(listed_size(wrong, 1).is_err(), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn digits_are_nothing_else() {
        assert_eq!(digits(b"0"), Some(0));
        assert_eq!(digits(b"9999999999999999999"), Some(9_999_999_999_999_999_999));
        for wrong in [&b""[..], b"+1", b"1 ", b"00000000000000000000"] {
            assert_eq!(digits(wrong), None);
        }
    }
}
