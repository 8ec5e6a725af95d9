//! What an operator wants of senders: which checks are made, and what becomes of mail that does not pass.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::config::Network;

/// What is done with mail of strangers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustSettings {
    /// The checks that are made.
    pub checks: Checks,
    /// Networks whose mail is not judged.
    pub except: Vec<Network>,
    /// The most that a domain's own DMARC policy may bring about.
    pub honour: Then,
    /// What becomes of mail that SPF says is not from its sender's domain, if the author's domain has no DMARC policy.
    pub spf_fail: Then,
    /// What becomes of mail that would be rejected, while the reason cannot be looked up.
    pub on_temporary: OnTemporary,
    /// Rules by the author's domain; the first that fits decides.
    pub policies: Vec<TrustPolicy>,
    /// Domains whose seals (ARC) vouch for mail that they changed.
    pub sealers: Vec<String>,
    /// How long all checks of one message may take.
    pub timeout: Duration,
    /// Questions to DNS for one message.
    pub lookups_max: u32,
    /// Signatures of one message that are checked.
    pub signatures_max: usize,
}

/// Which checks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one check")]
pub struct Checks {
    /// RFC 7208.
    pub spf: bool,
    /// RFC 6376.
    pub dkim: bool,
    /// RFC 9989.
    pub dmarc: bool,
    /// RFC 8617.
    pub arc: bool,
}

impl Checks {
    /// No check.
    pub const NONE: Self = Self { spf: false, dkim: false, dmarc: false, arc: false };
    /// Every check.
    pub const ALL: Self = Self { spf: true, dkim: true, dmarc: true, arc: true };
}

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// RFC 7208: the client may send for the sender's domain.
    Spf,
    /// RFC 6376: a domain has signed the message.
    Dkim,
    /// RFC 9989: one of both speaks for the author's domain.
    Dmarc,
    /// RFC 8617: those who forwarded it say what they had found.
    Arc,
}

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// It is taken without a check.
    Accept,
    /// It is taken, and the results stand in it.
    Tag,
    /// It goes into the mailbox for junk.
    Quarantine,
    /// It is refused.
    Reject,
}

/// What is done while nobody knows whether a message is to be rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnTemporary {
    /// It is refused for now.
    Later,
    /// It is taken.
    Tag,
}

/// A rule for authors of some domains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    /// `bank.example`, `.bank.example` for what is below it, or `*`.
    pub domain: String,
    /// What must pass.
    pub unless: Check,
    /// What is done otherwise.
    pub then: Then,
}

impl TrustPolicy {
    fn fits(&self, author: &str) -> bool {
        match self.domain.strip_prefix('.') {
            Some(_) => author.ends_with(&self.domain),
            None => self.domain == "*" || self.domain == author,
        }
    }
}

impl Default for TrustSettings {
    fn default() -> Self {
        let network = |text: &str| text.parse().expect("a fixed, valid network");
        Self {
            checks: Checks::ALL,
            except: vec![network("127.0.0.0/8"), network("::1")],
            honour: Then::Quarantine,
            spf_fail: Then::Tag,
            on_temporary: OnTemporary::Later,
            policies: Vec::new(),
            sealers: Vec::new(),
            timeout: Duration::from_secs(20),
            lookups_max: 100,
            signatures_max: 10,
        }
    }
}

impl TrustSettings {
    /// Whether mail from there is judged.
    pub(super) fn judges(&self, peer: IpAddr) -> bool {
        self.checks != Checks::NONE && !self.except.iter().any(|network| network.contains(peer))
    }

    /// The rule for this author.
    pub(super) fn policy(&self, author: Option<&str>) -> Option<&TrustPolicy> {
        let author = author.unwrap_or_default();
        self.policies.iter().find(|policy| policy.fits(author))
    }
}
