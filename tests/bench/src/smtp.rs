//! The SMTP and LMTP driver: deliveries over a kept connection.
//! Every reply is read and checked; what a delivery means on the server's disk is its own matter.

use std::net::SocketAddr;

use anyhow::{Result, bail};

use crate::corpus::Message;
use crate::load::{Progress, Session};
use crate::wire::{Wire, shown};

/// Which of the two protocols: they differ in the greeting and in who answers for the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// RFC 5321.
    Smtp,
    /// RFC 2033.
    Lmtp,
}

/// A connection that delivers one message after another, each to the next of its recipients.
pub(crate) struct Delivery {
    wire: Wire,
    pipelining: bool,
    message: Message,
    next_recipient: u64,
    recipients: u64,
    envelope: Vec<u8>,
}

impl Delivery {
    /// Connects and says hello. `lane` numbers the connection, so that it starts at another
    /// recipient than its neighbours.
    pub(crate) async fn open(
        address: SocketAddr,
        dialect: Dialect,
        size: usize,
        lane: u64,
        recipients: u64,
    ) -> Result<Self> {
        let mut wire = Wire::connect(address).await?;
        expect(&mut wire, b"220").await?;
        let hello: &[u8] = match dialect {
            Dialect::Smtp => b"EHLO client.bench.example\r\n",
            Dialect::Lmtp => b"LHLO client.bench.example\r\n",
        };
        wire.send(hello).await?;
        let pipelining = offers_pipelining(&mut wire).await?;
        let message = Message::new(size, lane).ended_with(b".\r\n");
        let recipients = recipients.max(1);
        let next_recipient = lane % recipients;
        Ok(Self { wire, pipelining, message, next_recipient, recipients, envelope: Vec::new() })
    }

    async fn deliver(&mut self) -> Result<()> {
        let recipient = self.next_recipient;
        self.next_recipient = (recipient + 1) % self.recipients;
        self.message.stamp();
        self.envelope.clear();
        self.envelope.extend_from_slice(b"MAIL FROM:<load@bench.example>\r\n");
        let rcpt_at = self.envelope.len();
        self.envelope
            .extend_from_slice(format!("RCPT TO:<user{recipient}@bench.example>\r\n").as_bytes());
        let data_at = self.envelope.len();
        self.envelope.extend_from_slice(b"DATA\r\n");
        if self.pipelining {
            self.wire.send(&self.envelope).await?;
            expect(&mut self.wire, b"250").await?;
            expect(&mut self.wire, b"250").await?;
        } else {
            self.wire.send(&self.envelope[..rcpt_at]).await?;
            expect(&mut self.wire, b"250").await?;
            self.wire.send(&self.envelope[rcpt_at..data_at]).await?;
            expect(&mut self.wire, b"250").await?;
            self.wire.send(&self.envelope[data_at..]).await?;
        }
        expect(&mut self.wire, b"354").await?;
        self.wire.send(self.message.octets()).await?;
        expect(&mut self.wire, b"250").await
    }
}

impl Session for Delivery {
    async fn operate(&mut self, progress: &Progress) -> Result<()> {
        self.deliver().await?;
        progress.add(1, self.message.octets().len() as u64);
        Ok(())
    }

    async fn close(mut self) -> Result<()> {
        quit(&mut self.wire).await
    }
}

/// A worker that connects, reads the greeting, says QUIT and waits for the end: what a
/// connection costs by itself.
pub(crate) struct Connect {
    address: SocketAddr,
}

impl Connect {
    /// Connections go to `address`, one after the other.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address }
    }
}

impl Session for Connect {
    async fn operate(&mut self, progress: &Progress) -> Result<()> {
        let mut wire = Wire::connect(self.address).await?;
        expect(&mut wire, b"220").await?;
        quit(&mut wire).await?;
        progress.add(1, 0);
        Ok(())
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}

async fn quit(wire: &mut Wire) -> Result<()> {
    wire.send(b"QUIT\r\n").await?;
    expect(wire, b"221").await?;
    wire.end().await
}

/// Reads one reply, which may have several lines, and demands its code.
async fn expect(wire: &mut Wire, code: &[u8; 3]) -> Result<()> {
    while let Part::More(_) = reply_line(wire.line().await?, code)? {}
    Ok(())
}

async fn offers_pipelining(wire: &mut Wire) -> Result<bool> {
    let mut pipelining = false;
    loop {
        let part = reply_line(wire.line().await?, b"250")?;
        let (Part::More(text) | Part::Last(text)) = part;
        pipelining |= text.eq_ignore_ascii_case(b"PIPELINING");
        if let Part::Last(_) = part {
            return Ok(pipelining);
        }
    }
}

/// A line of a reply: RFC 5321 §4.2.1.
enum Part<'a> {
    More(&'a [u8]),
    Last(&'a [u8]),
}

fn reply_line<'a>(line: &'a [u8], code: &[u8; 3]) -> Result<Part<'a>> {
    match line.strip_prefix(code) {
        Some([b'-', text @ ..]) => Ok(Part::More(text)),
        Some([b' ', text @ ..]) => Ok(Part::Last(text)),
        Some([]) => Ok(Part::Last(b"")),
        _ => bail!("expected reply {}, got {}", code.escape_ascii(), shown(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_lines_are_told_apart() {
        assert!(matches!(reply_line(b"250-PIPELINING", b"250"), Ok(Part::More(b"PIPELINING"))));
        assert!(matches!(reply_line(b"250 OK", b"250"), Ok(Part::Last(b"OK"))));
        assert!(matches!(reply_line(b"250", b"250"), Ok(Part::Last(b""))));
        for wrong in [&b"451 4.3.0 no"[..], b"25", b"250x", b""] {
            let error = reply_line(wrong, b"250").err().expect("not a 250").to_string();
            assert!(error.contains(&wrong.escape_ascii().to_string()), "{error}");
        }
    }
}
