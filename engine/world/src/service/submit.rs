//! A message that comes by another way than SMTP, and goes on as one that an SMTP session submits: there is one reading of
//! recipients, limits, signatures and writes. Web mail and the host's HTTP interface submit so.

use std::sync::Arc;

use pillarbox_engine::smtp::{Answer, Ask, Body, Envelope, MailFrom, Mailbox, RcptTo};
use pillarbox_engine::text::date::date_time;
use pillarbox_engine::types::{BlobId, Now, Reason, Refusal};

use super::{Backend, Service, SmtpService};
use crate::hub::SessionKey;

/// What is brought to the service at once.
const PIECE: usize = 256 << 10;

/// A message with its envelope.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who wrote it, and where reports go.
    pub author: Mailbox,
    /// Whom it is for.
    pub recipients: Vec<Mailbox>,
    /// Its octets, trace fields of this hop first; see [`trace`].
    pub octets: Vec<u8>,
    /// Octets of the fields that are for final delivery alone (RFC 5321 §4.4).
    pub return_path_octets: u64,
    /// Whether an address in it needs SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// Until when the queue holds it, on the session's wall clock.
    pub hold_until_ms: Option<u64>,
}

/// The fields that a hop over HTTP puts before a message, and octets of those that are for final delivery alone (RFC 5321
/// §4.4). `peer` is the address of who brings it.
#[must_use]
pub fn trace(
    host_name: &[u8],
    peer: &[u8],
    now: Now,
    from: &Mailbox,
    chance: [u8; 16],
) -> (u64, Vec<u8>) {
    let path = [&from.local_part[..], b"@", &from.domain].concat();
    let mut out = [b"Return-Path: <", &path[..], b">\r\n"].concat();
    let length = out.len() as u64;
    let tag: &[u8] = if peer.contains(&b':') { b"IPv6:" } else { b"" };
    let id = format!("{:016x}", u128::from_be_bytes(chance) >> 64);
    for part in [
        &b"Received: from ["[..],
        tag,
        peer,
        b"]\r\n\tby ",
        host_name,
        b" with HTTP id ",
        id.as_bytes(),
        b";\r\n\t",
        date_time(now.unix_ms).as_bytes(),
        b"\r\n",
    ] {
        out.extend_from_slice(part);
    }
    (length, out)
}

/// Asks for a message what an SMTP session asks that is logged in as `account`; the stored message.
///
/// # Errors
/// What the service says of the sender, a recipient or the message; nothing is delivered then.
pub async fn submit<B: Backend>(
    backend: &Arc<B>,
    key: SessionKey,
    now: Now,
    account: &str,
    submission: Submission,
) -> Result<BlobId, Refusal> {
    let Submission { author, recipients, mut octets, return_path_octets, smtputf8, .. } =
        submission;
    let account = account.as_bytes().to_vec();
    let service = SmtpService::new(Arc::clone(backend), key).signed_in(account);
    let mut service = service.holding(submission.hold_until_ms);
    let eight_bit = !octets.is_ascii();
    let mail = MailFrom {
        reverse_path: Some(author.clone()),
        body: if eight_bit { Body::EightBitMime } else { Body::SevenBit },
        smtputf8,
        ..MailFrom::default()
    };
    let size = octets.len() as u64;
    let mut asks = vec![Ask::Sender(mail)];
    for forward_path in recipients {
        asks.push(Ask::Recipient(RcptTo { forward_path, ..RcptTo::default() }));
    }
    let last = octets.split_off(octets.len().saturating_sub(1) / PIECE * PIECE);
    asks.extend(octets.chunks(PIECE).map(|piece| Ask::Chunk(piece.to_vec())));
    asks.push(Ask::Commit(Envelope {
        size,
        last,
        eight_bit,
        return_path_octets,
        authors: vec![author],
        ..Envelope::default()
    }));
    let mut name = None;
    for ask in asks {
        match service.answer(now, ask, &mut ()).await {
            Answer::Refused(refusal) => return Err(refusal),
            Answer::Committed(committed) => name = Some(committed.id),
            _ => {}
        }
    }
    let number = name.and_then(|name| std::str::from_utf8(&name).ok()?.parse().ok());
    number.ok_or_else(|| Refusal::new(Reason::StorageFailed))
}
