//! What a certificate's extensions say that matters for mail (RFC 8550 §4.4).

use crate::der::{Malformed, Reader, oid, tag};
use crate::limits::CERTIFICATES_MAX;

// Bits of keyUsage (RFC 5280 §4.2.1.3), the first one the most significant.
pub(super) const DIGITAL_SIGNATURE: u16 = 0x8000;
pub(super) const NON_REPUDIATION: u16 = 0x4000;
pub(super) const KEY_ENCIPHERMENT: u16 = 0x2000;
pub(super) const KEY_AGREEMENT: u16 = 0x0800;
pub(super) const CERT_SIGN: u16 = 0x0400;
pub(super) const CRL_SIGN: u16 = 0x0200;

/// Addresses of one certificate that are read.
const ADDRESSES_MAX: usize = 8 * CERTIFICATES_MAX;

#[derive(Clone, Debug)]
pub(super) struct Extensions {
    pub(super) is_authority: bool,
    /// Authorities that may follow below (RFC 5280 §4.2.1.9).
    pub(super) path_max: Option<u32>,
    /// `None`: any use.
    key_usage: Option<u16>,
    /// It is for mail, or says nothing of what it is for.
    pub(super) protects_mail: bool,
    pub(super) addresses: Vec<String>,
    pub(super) key_id: Option<Vec<u8>>,
    /// It has a critical extension that is not understood here, so nothing may rest on it (RFC 5280 §4.2).
    pub(super) has_unknown: bool,
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            is_authority: false,
            path_max: None,
            key_usage: None,
            protects_mail: true,
            addresses: Vec::new(),
            key_id: None,
            has_unknown: false,
        }
    }
}

impl Extensions {
    pub(super) fn read(list: &[u8]) -> Result<Self, Malformed> {
        let mut out = Self::default();
        let mut list = Reader::new(list).sequence()?;
        let mut seen: Vec<&[u8]> = Vec::new();
        while !list.is_empty() {
            let mut extension = list.sequence()?;
            let name = extension.take(tag::OID)?;
            let is_critical = extension.optional(tag::BOOLEAN)?.is_some_and(|value| value != [0]);
            let value = Reader::new(extension.take(tag::OCTET_STRING)?);
            // RFC 5280 §4.2: once each; two could be read in two ways.
            if seen.contains(&name) || seen.len() == 64 {
                return Err(Malformed);
            }
            seen.push(name);
            out.take(name, value, is_critical)?;
        }
        Ok(out)
    }

    fn take(
        &mut self,
        name: &[u8],
        mut value: Reader<'_>,
        is_critical: bool,
    ) -> Result<(), Malformed> {
        match name {
            oid::BASIC_CONSTRAINTS => {
                let mut value = value.sequence()?;
                let authority = value.optional(tag::BOOLEAN)?;
                self.is_authority = authority.is_some_and(|value| value != [0]);
                if !value.is_empty() {
                    self.path_max = Some(value.small()?);
                }
            }
            oid::KEY_USAGE => {
                let bits = value.take(tag::BIT_STRING)?;
                let bits = bits.get(1..).ok_or(Malformed)?;
                let octet = |at: usize| u16::from(bits.get(at).copied().unwrap_or_default());
                self.key_usage = Some(octet(0) << 8 | octet(1));
            }
            oid::EXTENDED_KEY_USAGE => {
                let mut uses = value.sequence()?;
                self.protects_mail = false;
                while !uses.is_empty() {
                    let one = uses.take(tag::OID)?;
                    self.protects_mail |= one == oid::EMAIL_PROTECTION || one == oid::ANY_USAGE;
                }
            }
            oid::SUBJECT_ALT_NAME => self.take_addresses(value.sequence()?)?,
            oid::SUBJECT_KEY_ID => self.key_id = Some(value.take(tag::OCTET_STRING)?.to_vec()),
            // They only help to find the issuer, or name policies, of which none is asked for here.
            oid::AUTHORITY_KEY_ID | oid::POLICIES => {}
            _ => self.has_unknown |= is_critical,
        }
        Ok(())
    }

    /// RFC 5280 §4.2.1.6: rfc822Name is `[1]`, otherName `[0]`.
    fn take_addresses(&mut self, mut names: Reader<'_>) -> Result<(), Malformed> {
        while !names.is_empty() && self.addresses.len() < ADDRESSES_MAX {
            let name = names.any()?;
            let address = if name.tag == tag::primitive(1) {
                name.body
            } else if name.tag == tag::context(0) {
                let mut other = Reader::new(name.body);
                let kind = other.take(tag::OID)?;
                let value = other.take(tag::context(0))?;
                // RFC 8398 §3
                match Reader::new(value).optional(tag::UTF8_STRING)? {
                    Some(address) if kind == oid::SMTP_UTF8_MAILBOX => address,
                    _ => continue,
                }
            } else {
                continue;
            };
            // A NUL once made one address look like another to those who read C strings.
            if let Ok(address) = std::str::from_utf8(address)
                && !address.chars().any(char::is_control)
            {
                self.addresses.push(address.to_owned());
            }
        }
        Ok(())
    }

    /// Whether one of these uses is allowed.
    pub(super) const fn allows(&self, uses: u16) -> bool {
        match self.key_usage {
            Some(allowed) => allowed & uses != 0,
            None => true,
        }
    }
}
