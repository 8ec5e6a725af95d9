//! What a server offers (RFC 5321 §4.1.1.1): the lines of its reply to EHLO, one by one.
//! What is not understood is passed over, since new keywords must not break old clients.

use alloc::vec::Vec;

use super::types::Offer;
use crate::sasl::Mechanism;
use crate::smtp::grammar::number;
use crate::smtp::types::Extensions;

/// Mechanisms that are kept; a server may name any number.
const MECHANISMS_MAX: usize = 32;

/// What a server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offered {
    /// What the host is told.
    pub(super) told: Offer,
    /// RFC 4954: known mechanisms; `None` if the server offers no AUTH at all.
    pub(super) mechanisms: Option<Vec<Mechanism>>,
}

impl Offered {
    /// A server that offers nothing: that which answers HELO.
    pub(super) fn nothing(name: Vec<u8>) -> Self {
        let extensions = Extensions {
            pipelining: false,
            size: false,
            eight_bit_mime: false,
            smtputf8: false,
            enhanced_status_codes: false,
            chunking: false,
            binary_mime: false,
            dsn: false,
            require_tls: false,
            deliver_by: false,
            future_release: false,
            mt_priority: false,
            limits: false,
            etrn: false,
            xclient: false,
        };
        let told = Offer {
            name,
            extensions,
            start_tls: false,
            size_max: None,
            recipients_max: None,
            messages_max: None,
            recipient_domains_max: None,
            deliver_by_min_s: None,
            hold_max_s: None,
        };
        Self { told, mechanisms: None }
    }

    /// `ehlo-line = ehlo-keyword *( SP ehlo-param )`, the text of any line but the first.
    pub(super) fn line(&mut self, text: &[u8]) {
        let mut words = text.split(|octet| matches!(octet, b' ' | b'\t')).filter(|w| !w.is_empty());
        let Some(first) = words.next() else { return };
        let keyword = first.to_ascii_uppercase();
        let extensions = &mut self.told.extensions;
        match &keyword[..] {
            b"PIPELINING" => extensions.pipelining = true,
            b"SIZE" => {
                extensions.size = true;
                // RFC 1870 §4: 0 or no number means that no limit is told.
                self.told.size_max = words.next().and_then(number).filter(|max| *max > 0);
            }
            b"8BITMIME" => extensions.eight_bit_mime = true,
            b"SMTPUTF8" => extensions.smtputf8 = true,
            b"ENHANCEDSTATUSCODES" => extensions.enhanced_status_codes = true,
            b"CHUNKING" => extensions.chunking = true,
            b"BINARYMIME" => extensions.binary_mime = true,
            b"DSN" => extensions.dsn = true,
            b"STARTTLS" => self.told.start_tls = true,
            b"REQUIRETLS" => extensions.require_tls = true,
            b"DELIVERBY" => {
                extensions.deliver_by = true;
                self.told.deliver_by_min_s = words.next().and_then(number).and_then(small);
            }
            b"FUTURERELEASE" => {
                extensions.future_release = true;
                self.told.hold_max_s = words.next().and_then(number).and_then(small);
            }
            b"MT-PRIORITY" => extensions.mt_priority = true,
            b"ETRN" => extensions.etrn = true,
            b"XCLIENT" => extensions.xclient = true,
            b"AUTH" => self.mechanisms(words),
            b"LIMITS" => {
                extensions.limits = true;
                words.for_each(|word| self.limit(word));
            }
            // An old form that some servers still write beside the right one.
            keyword if keyword.starts_with(b"AUTH=") => {
                self.mechanisms(core::iter::once(&first[5..]).chain(words));
            }
            _ => {}
        }
    }

    fn mechanisms<'a>(&mut self, names: impl Iterator<Item = &'a [u8]>) {
        let known = self.mechanisms.get_or_insert_default();
        for mechanism in names.filter_map(Mechanism::from_name) {
            if !known.contains(&mechanism) && known.len() < MECHANISMS_MAX {
                known.push(mechanism);
            }
        }
    }

    /// RFC 9422: `limit = limit-name "=" limit-value`. A limit of 0 would forbid all mail, so it is no limit.
    fn limit(&mut self, word: &[u8]) {
        let Some(equals) = word.iter().position(|octet| *octet == b'=') else { return };
        let value = number(&word[equals + 1..]).filter(|value| *value > 0);
        let Some(value) = value.and_then(small) else { return };
        match &word[..equals].to_ascii_uppercase()[..] {
            b"RCPTMAX" => self.told.recipients_max = Some(value),
            b"MAILMAX" => self.told.messages_max = Some(value),
            b"RCPTDOMAINMAX" => self.told.recipient_domains_max = Some(value),
            _ => {}
        }
    }
}

/// A number, or the largest that is told.
fn small(value: u64) -> Option<u32> {
    Some(u32::try_from(value).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(lines: &[&str]) -> Offered {
        let mut offered = Offered::nothing(b"mx".to_vec());
        lines.iter().for_each(|line| offered.line(line.as_bytes()));
        offered
    }

    #[test]
    fn keywords_are_read_in_any_case_and_unknown_ones_passed_over() {
        let offered = offered(&[
            "pipelining",
            "SIZE 1000000",
            "8bitmime",
            "X-NEW thing=1",
            "",
            "AUTH PLAIN GSSAPI login PLAIN",
            "LIMITS RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1 X",
            "StartTLS",
            "REQUIRETLS",
        ]);
        let told = &offered.told;
        assert!(told.extensions.pipelining && told.extensions.eight_bit_mime && told.start_tls);
        assert!(told.extensions.size && !told.extensions.chunking && told.extensions.require_tls);
        assert_eq!(told.size_max, Some(1_000_000));
        assert_eq!((told.recipients_max, told.messages_max), (Some(20), Some(5)));
        assert_eq!(told.recipient_domains_max, Some(1));
        assert_eq!(offered.mechanisms, Some(alloc::vec![Mechanism::Plain, Mechanism::Login]));
    }

    #[test]
    fn strange_values_are_no_limits() {
        let offered = offered(&[
            "SIZE 0",
            "LIMITS RCPTMAX=0 MAILMAX=99999999999 RCPTMAX=x =1",
            "AUTH=LOGIN PLAIN",
        ]);
        assert_eq!(offered.told.size_max, None);
        assert_eq!(offered.told.recipients_max, None);
        assert_eq!(offered.told.messages_max, Some(u32::MAX));
        assert_eq!(offered.mechanisms, Some(alloc::vec![Mechanism::Login, Mechanism::Plain]));
        assert!(Offered::nothing(Vec::new()).mechanisms.is_none());
    }
}
