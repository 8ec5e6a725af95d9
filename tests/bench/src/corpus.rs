//! The messages that are sent and stored, the same octets for every server.
//! They are built before the clock starts; a serial number is written over in place, so that no
//! two messages are equal and no server gains from storing one body once.

use std::sync::atomic::{AtomicU64, Ordering};

/// Messages of a filled mailbox carry one of so many senders, topics and needles in turn.
pub(crate) const KEYS: u64 = 100;
const SERIAL_DIGITS: usize = 12;
/// The header and the fixed part of the body; a message is never shorter.
const SIZE_MIN: usize = 900;

/// One message, ready to be sent, of exactly the size asked for.
#[derive(Clone)]
pub(crate) struct Message {
    octets: Vec<u8>,
    serial_at: usize,
}

impl Message {
    /// A message of `size` octets, or of the smallest size a header allows. `index` chooses
    /// sender, topic, date and words.
    pub(crate) fn new(size: usize, index: u64) -> Self {
        let mut random = Random(index.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut octets = header(index);
        let serial_at = position(&octets, b"<000000000000.") + 1;
        let size = size.max(SIZE_MIN);
        if index % 4 == 3 {
            alternative(&mut octets, size, index, &mut random);
        } else {
            octets.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n\r\n");
            text(&mut octets, size, index, &mut random);
        }
        assert_eq!(octets.len(), size, "a message has the size asked for");
        Self { octets, serial_at }
    }

    /// Makes the message one that this program has not sent before: writes the next serial
    /// number into its Message-ID.
    pub(crate) fn stamp(&mut self) {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let mut rest = SERIAL.fetch_add(1, Ordering::Relaxed);
        for digit in self.octets[self.serial_at..self.serial_at + SERIAL_DIGITS].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }

    /// The message; it ends in CRLF and no line of it begins with a dot.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Adds what ends the message on the wire (`.` CRLF after DATA), so that one write sends both.
    pub(crate) fn ended_with(mut self, end: &[u8]) -> Self {
        self.octets.extend_from_slice(end);
        self
    }
}

fn header(index: u64) -> Vec<u8> {
    let key = index % KEYS;
    let (day, hour, minute) = (index / 1440 % 28 + 1, index / 60 % 24, index % 60);
    let thread = index / 8 * 8;
    let reference = if thread == index {
        String::new()
    } else {
        format!("In-Reply-To: <{thread}@thread.bench.example>\r\n")
    };
    format!(
        "Received: from client.bench.example (client.bench.example [192.0.2.{}])\r\n\
         \tby mx.bench.example with ESMTP id {index:08x};\r\n\
         \tMon, {day:02} Jun 2026 {hour:02}:{minute:02}:00 +0000\r\n\
         Message-ID: <000000000000.{index}@load.bench.example>\r\n\
         Date: Mon, {day:02} Jun 2026 {hour:02}:{minute:02}:00 +0000\r\n\
         From: \"Sender No. {key}\" <sender-{key:03}@bench.example>\r\n\
         To: Reader <reader@bench.example>\r\n\
         Subject: Minutes of meeting {index} about topic-{key:03}\r\n\
         {reference}MIME-Version: 1.0\r\n",
        index % 254 + 1
    )
    .into_bytes()
}

fn alternative(octets: &mut Vec<u8>, size: usize, index: u64, random: &mut Random) {
    const CLOSE: &[u8] = b"</p></body></html>\r\n--=_bench--\r\n";
    octets.extend_from_slice(
        b"Content-Type: multipart/alternative; boundary=\"=_bench\"\r\n\r\n\
          --=_bench\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
    );
    text(octets, octets.len() + (size - SIZE_MIN) / 2 + 80, index, random);
    octets.extend_from_slice(
        b"--=_bench\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>\r\n",
    );
    fill(octets, size - CLOSE.len(), random);
    octets.extend_from_slice(CLOSE);
}

/// Text that brings `octets` up to `size`, with the needle that SEARCH BODY looks for.
fn text(octets: &mut Vec<u8>, size: usize, index: u64, random: &mut Random) {
    let middle = octets.len() + (size - octets.len()) / 2;
    fill(octets, middle, random);
    octets.extend_from_slice(format!("needle-{:03} was found here.\r\n", index % KEYS).as_bytes());
    fill(octets, size, random);
}

/// Lines of words, until `octets` has exactly `size` octets.
fn fill(octets: &mut Vec<u8>, size: usize, random: &mut Random) {
    const WORDS: [&[u8]; 16] = [
        b"letter",
        b"stamp",
        b"the",
        b"post",
        b"office",
        b"carries",
        b"a",
        b"parcel",
        b"to",
        b"every",
        b"house",
        b"envelope",
        b"and",
        b"address",
        b"return",
        b"quickly",
    ];
    let mut line_start = octets.len();
    while octets.len() + 24 < size {
        let word = WORDS[(random.next() % WORDS.len() as u64) as usize];
        octets.extend_from_slice(word);
        if octets.len() - line_start > 64 {
            octets.extend_from_slice(b".\r\n");
            line_start = octets.len();
        } else {
            octets.push(b' ');
        }
    }
    // A last line of filling; with fewer than two octets left there would be no room for CRLF.
    while octets.len() + 2 < size {
        octets.push(b'x');
    }
    octets.extend_from_slice(b"\r\n");
}

fn position(octets: &[u8], wanted: &[u8]) -> usize {
    octets.windows(wanted.len()).position(|part| part == wanted).expect("the header carries it")
}

/// Marsaglia's xorshift: the same words on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_its_size_and_is_fit_for_the_wire() {
        for index in 0..500 {
            for size in [1024, 1025, 2048, 10 * 1024, 20 * 1024] {
                let message = Message::new(size, index);
                let octets = message.octets();
                assert_eq!(octets.len(), size);
                assert!(octets.ends_with(b"\r\n"));
                assert!(!octets.windows(3).any(|part| part == b"\n.\r" || part == b"\n.."));
                for line in octets.split(|&octet| octet == b'\n') {
                    assert!(line.len() < 200, "{}", line.escape_ascii());
                    assert!(line.is_empty() || line.ends_with(b"\r"), "a bare LF");
                }
            }
        }
    }

    #[test]
    fn keys_are_where_the_searches_look() {
        for index in [0, 3, 42, 142] {
            let message = String::from_utf8(Message::new(2048, index).octets).expect("ASCII");
            let key = index % KEYS;
            assert!(message.contains(&format!("<sender-{key:03}@")));
            assert!(message.contains(&format!("topic-{key:03}\r\n")));
            assert_eq!(message.matches("needle-").count(), 1);
            assert!(message.contains(&format!("needle-{key:03} ")));
        }
    }

    #[test]
    fn a_stamp_changes_the_message_id_alone_and_never_repeats() {
        let plain = Message::new(1024, 7);
        let mut first = plain.clone();
        let mut second = plain.clone();
        first.stamp();
        second.stamp();
        assert_ne!(first.octets, second.octets);
        let id = plain.serial_at..plain.serial_at + SERIAL_DIGITS;
        for stamped in [first, second] {
            assert_eq!(stamped.octets[..id.start], plain.octets[..id.start]);
            assert_eq!(stamped.octets[id.end..], plain.octets[id.end..]);
            assert!(stamped.octets[id.clone()].iter().all(u8::is_ascii_digit));
        }
    }
}
