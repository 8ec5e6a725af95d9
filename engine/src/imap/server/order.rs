//! The order of messages (RFC 5256 §3, RFC 5957): every criterion as octets that compare as it does,
//! one after the other, and the UID last, so that one comparison of octets decides.

use alloc::string::String;
use alloc::vec::Vec;

use crate::imap::grammar::{Criterion, SortKey};
use crate::imap::types::Row;
use crate::message::subject::base_subject;
use crate::message::{AddressRef, Addresses, Head};
use crate::text::casemap::casemapped;
use crate::text::words;

/// Octets of a text that are compared; where more are equal, the mailbox's own order decides.
const TEXT_MAX: usize = 2048;

/// Whether a criterion needs the message's index.
pub(crate) fn needs_index(criterion: &Criterion) -> bool {
    !matches!(criterion.key, SortKey::Arrival | SortKey::Size | SortKey::Relevancy)
}

/// Names an order, as octets: one for each criterion.
pub(crate) fn label(criteria: &[Criterion]) -> Vec<u8> {
    criteria.iter().map(|by| (by.key as u8) << 1 | u8::from(by.reverse)).collect()
}

/// A message's place, as octets; the last four are its UID.
pub(crate) fn key(
    criteria: &[Criterion],
    row: &Row,
    head: Option<&Head<'_>>,
    score: u8,
) -> Vec<u8> {
    let mut key = Vec::with_capacity(64);
    for criterion in criteria {
        let from = key.len();
        match criterion.key {
            // RFC 5256 §3: date and time as INTERNALDATE has them; what comes within a second stays in its order.
            SortKey::Arrival => {
                key.extend_from_slice(&(row.internal_date_ms / 1000).to_be_bytes());
            }
            // RFC 6203 §6: the highest first.
            SortKey::Relevancy => key.push(u8::MAX - score),
            SortKey::Size => key.extend_from_slice(&row.size.to_be_bytes()),
            SortKey::Date => {
                // The sign turned round: octets are compared without one.
                let sent = sent_ms(row, head) as u64 ^ (1 << 63);
                key.extend_from_slice(&sent.to_be_bytes());
            }
            text => put_text(&mut key, &text_of(text, head)),
        }
        if criterion.reverse {
            key[from..].iter_mut().for_each(|octet| *octet = !*octet);
        }
    }
    key.extend_from_slice(&row.uid.to_be_bytes());
    key
}

/// The UID that a key ends with.
pub(crate) fn uid(key: &[u8]) -> u32 {
    key.last_chunk().map_or(0, |octets| u32::from_be_bytes(*octets))
}

/// RFC 5256 §2.2: the Date field in UTC, or else the internal date.
pub(crate) fn sent_ms(row: &Row, head: Option<&Head<'_>>) -> i64 {
    let received = i64::try_from(row.internal_date_ms).unwrap_or(i64::MAX);
    head.and_then(|head| head.sent).map_or(received, |(sent, _)| sent)
}

fn text_of(key: SortKey, head: Option<&Head<'_>>) -> String {
    let Some(head) = head else { return String::new() };
    let mailbox =
        |mut list: Addresses<'_>| list.next().and_then(|one| one.mailbox).map(words::decode);
    let text = match key {
        SortKey::Cc => mailbox(head.cc),
        SortKey::From => mailbox(head.from),
        SortKey::To => mailbox(head.to),
        SortKey::DisplayFrom => { head.from }.next().map(display),
        SortKey::DisplayTo => { head.to }.next().map(display),
        SortKey::Subject => head.subject.map(|body| base_subject(body).text),
        SortKey::Arrival | SortKey::Date | SortKey::Size | SortKey::Relevancy => None,
    };
    casemapped(&text.unwrap_or_default())
}

/// RFC 5957 §3: the name that is shown, or else the address.
fn display(address: AddressRef<'_>) -> String {
    let AddressRef { name, mailbox, host } = address;
    let name = name.map(words::decode);
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        return name;
    }
    let mut text = mailbox.map(words::decode).unwrap_or_default();
    if let (Some(_), Some(host)) = (mailbox, host) {
        text.push('@');
        text.push_str(&words::decode(host));
    }
    text
}

/// A text and its end, so that a text comes before every longer one that begins with it.
fn put_text(key: &mut Vec<u8>, text: &str) {
    for octet in text.bytes().take(TEXT_MAX) {
        key.push(octet);
        if octet == 0 {
            key.push(0xff);
        }
    }
    key.extend_from_slice(&[0, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::types::Flags;
    use crate::message::{Envelope, Index};

    fn row(uid: u32, internal_date_ms: u64) -> Row {
        Row {
            uid,
            blob: 0,
            size: 5,
            flags: Flags::default(),
            modseq: 1,
            internal_date_ms,
            internal_date_zone: 0,
            save_date_ms: 0,
            index: None,
        }
    }

    fn subject(text: &str) -> Vec<u8> {
        let subject = Some(text.as_bytes().to_vec());
        let envelope = Envelope { subject, ..Envelope::default() };
        Index { envelope, ..Index::default() }.encode()
    }

    fn read(octets: &[u8]) -> Head<'_> {
        Head::read(octets).expect("it was just encoded")
    }

    fn by(key: SortKey, reverse: bool) -> [Criterion; 1] {
        [Criterion { reverse, key }]
    }

    #[test]
    fn texts_compare_as_octets_and_equal_ones_by_uid() {
        let place = |reverse, uid, text: &str| {
            key(&by(SortKey::Subject, reverse), &row(uid, 0), Some(&read(&subject(text))), 1)
        };
        assert!(place(false, 9, "Re: a") < place(false, 1, "ab"));
        assert!(place(false, 1, "re: A") < place(false, 2, "a"));
        assert!(place(true, 1, "ab") < place(true, 9, "a"));
        assert!(place(true, 1, "a") < place(true, 2, "A"));
        assert!(place(false, 9, "") < place(false, 1, "\u{1}"));
        assert_eq!(uid(&place(false, 77, "x")), 77);
    }

    #[test]
    fn dates_before_1970_come_first_and_the_internal_date_stands_in() {
        let place = |uid, received, sent| {
            let octets = Index { sent, ..Index::default() }.encode();
            key(&by(SortKey::Date, false), &row(uid, received), Some(&read(&octets)), 1)
        };
        assert!(place(9, 5000, Some((-7, 0))) < place(1, 0, Some((3, 60))));
        assert!(place(9, 2, None) < place(1, 0, Some((3, 60))));
    }

    #[test]
    fn what_is_shown_is_the_name_or_else_the_address() {
        let address = |name, mailbox, host| {
            let octets = |text: Option<&'static str>| text.map(str::as_bytes);
            display(AddressRef { name: octets(name), mailbox: octets(mailbox), host: octets(host) })
        };
        assert_eq!(address(Some("=?utf-8?q?=C3=84nn?="), Some("a"), Some("b")), "Änn");
        assert_eq!(address(Some(""), Some("a"), Some("b")), "a@b");
        assert_eq!(address(None, Some("group"), None), "group");
        assert_eq!(address(None, None, None), "");
    }
}
