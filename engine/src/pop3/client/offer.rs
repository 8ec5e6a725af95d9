//! What a server offers (RFC 2449 §6): the lines of its reply to CAPA, one by one.
//! What is not understood is kept as it came, since new capabilities must not break old clients.

use super::types::Capabilities;
use crate::sasl::Mechanism;

/// Lines that are kept, and octets of one.
const LINES_KEPT_MAX: usize = 64;
const LINE_MAX: usize = 512;
/// Mechanisms that are kept; a server may name any number, and one any number of times.
const MECHANISMS_MAX: usize = 32;

impl Capabilities {
    /// What a server without CAPA is taken to offer: RFC 1939 has USER, and leaves TOP and UIDL to be tried.
    pub(super) fn of_old() -> Self {
        Self { user: true, top: true, uidl: true, ..Self::default() }
    }

    /// `capability = keyword *( SP param )`
    pub(super) fn line(&mut self, line: &[u8]) {
        if self.lines.len() < LINES_KEPT_MAX {
            self.lines.push(line[..line.len().min(LINE_MAX)].to_vec());
        }
        let mut words = line.split(|octet| matches!(octet, b' ' | b'\t')).filter(|w| !w.is_empty());
        let Some(keyword) = words.next() else { return };
        match &keyword.to_ascii_uppercase()[..] {
            b"USER" => self.user = true,
            b"SASL" => self.mechanisms(words),
            b"STLS" => self.stls = true,
            b"TOP" => self.top = true,
            b"UIDL" => self.uidl = true,
            b"PIPELINING" => self.pipelining = true,
            b"RESP-CODES" => self.resp_codes = true,
            b"AUTH-RESP-CODE" => self.auth_resp_code = true,
            b"UTF8" => self.utf8 = true,
            b"LANG" => self.lang = true,
            b"LOGIN-DELAY" => self.login_delay_s = words.next().and_then(number),
            // RFC 2449 §6.7: a number of days, or NEVER.
            b"EXPIRE" => self.expire_days = words.next().and_then(number),
            b"IMPLEMENTATION" => {
                let text = line[keyword.len()..].trim_ascii();
                self.implementation = text[..text.len().min(LINE_MAX)].to_vec();
            }
            _ => {}
        }
    }

    fn mechanisms<'a>(&mut self, names: impl Iterator<Item = &'a [u8]>) {
        for mechanism in names.filter_map(Mechanism::from_name) {
            if !self.mechanisms.contains(&mechanism) && self.mechanisms.len() < MECHANISMS_MAX {
                self.mechanisms.push(mechanism);
            }
        }
    }
}

/// A decimal number; one beyond 32 bits is the largest that is told.
pub(super) fn number(word: &[u8]) -> Option<u32> {
    number64(word).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// A decimal number of 64 bits.
pub(super) fn number64(word: &[u8]) -> Option<u64> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |number: u64, digit: &u8| {
        number.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(digit - b'0')))
    };
    Some(word.iter().try_fold(0, digit).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_read_in_any_case_and_unknown_ones_kept() {
        let mut offered = Capabilities::default();
        let lines = [
            "top",
            "SASL PLAIN gssapi LOGIN PLAIN",
            "Stls",
            "LOGIN-DELAY 900 USER",
            "EXPIRE 60",
            "IMPLEMENTATION  Cyrus POP3 v2",
            "X-NEW",
            "",
            "UTF8 USER",
            "PIPELINING",
        ];
        lines.iter().for_each(|line| offered.line(line.as_bytes()));
        assert!(offered.top && offered.stls && offered.utf8 && offered.pipelining);
        assert!(!offered.user && !offered.uidl && !offered.lang);
        assert_eq!(offered.mechanisms, [Mechanism::Plain, Mechanism::Login]);
        assert_eq!((offered.login_delay_s, offered.expire_days), (Some(900), Some(60)));
        assert_eq!(offered.implementation, b"Cyrus POP3 v2");
        assert_eq!(offered.lines.len(), lines.len());
        offered.line(b"EXPIRE NEVER");
        assert_eq!(offered.expire_days, None);
        (0..100).for_each(|_| offered.line(&[b'x'; 600]));
        assert_eq!(offered.lines.len(), LINES_KEPT_MAX);
        assert!(offered.lines.iter().all(|line| line.len() <= LINE_MAX));
    }
}
