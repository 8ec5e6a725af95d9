//! What a server offers (RFC 9051 §7.2.2): its capabilities by name, and what follows from them.
//! What is not known is kept as it came, since new capabilities must not break old clients.

use alloc::vec::Vec;

use super::scan::{Scan, Token};
use crate::sasl::Mechanism;

/// Capabilities that are kept, and octets of one.
const CAPABILITIES_MAX: usize = 256;
const CAPABILITY_MAX: usize = 250;

/// What a server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offered {
    /// In upper case.
    pub(super) names: Vec<Vec<u8>>,
    /// Whether both sides have agreed on UTF-8 (RFC 9051 §6.3.1, RFC 6855 §3).
    pub(super) utf8: bool,
    /// Whether both sides speak IMAP4rev2 now.
    pub(super) rev2: bool,
    /// Everything, to check values before a server is known.
    pub(super) everything: bool,
}

impl Offered {
    pub(super) fn everything() -> Self {
        Self { everything: true, utf8: true, ..Self::default() }
    }

    /// Takes a list of capabilities, in place of that before.
    pub(super) fn take(&mut self, scan: &mut Scan<'_>) {
        self.names.clear();
        loop {
            match scan.next() {
                Token::Atom(name)
                    if self.names.len() < CAPABILITIES_MAX && name.len() <= CAPABILITY_MAX =>
                {
                    self.names.push(name.to_ascii_uppercase());
                }
                Token::End => return,
                _ => {}
            }
        }
    }

    /// Whether the server offers this, or a version of the protocol that has it within.
    pub(super) fn has(&self, name: &str) -> bool {
        // RFC 9051 appendix E: what IMAP4rev2 has taken in.
        const REV2: [&str; 16] = [
            "BINARY",
            "ENABLE",
            "ESEARCH",
            "IDLE",
            "LIST-EXTENDED",
            "LIST-STATUS",
            "LITERAL-",
            "MOVE",
            "NAMESPACE",
            "SASL-IR",
            "SEARCHRES",
            "SPECIAL-USE",
            "STATUS=SIZE",
            "UIDPLUS",
            "UNSELECT",
            "CHILDREN",
        ];
        self.everything
            || self.lists(name)
            || (REV2.contains(&name) && self.lists("IMAP4REV2"))
            // RFC 7162 §3.2.3: QRESYNC brings CONDSTORE.
            || (name == "CONDSTORE" && self.lists("QRESYNC"))
    }

    fn lists(&self, name: &str) -> bool {
        self.names.iter().any(|other| other == name.as_bytes())
    }

    /// Whether this is a server of a version that we speak.
    pub(super) fn is_known(&self) -> bool {
        self.has("IMAP4REV1") || self.has("IMAP4REV2")
    }

    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        let mut out = Vec::new();
        for name in self.names.iter().filter_map(|name| name.strip_prefix(b"AUTH=")) {
            if let Some(mechanism) = Mechanism::from_name(name)
                && !out.contains(&mechanism)
            {
                out.push(mechanism);
            }
        }
        out
    }

    /// RFC 7888: whether a literal of so many octets may be sent unasked.
    pub(super) fn takes_unasked(&self, octets: u64) -> bool {
        // RFC 9051 §4.3 has short ones in IMAP4rev2, but a server of both versions speaks the older one until it is told.
        let rev2 = self.rev2 || (self.lists("IMAP4REV2") && !self.lists("IMAP4REV1"));
        self.lists("LITERAL+") || (octets <= 4096 && (rev2 || self.lists("LITERAL-")))
    }
}
