//! Trust in mail: strangers' messages are judged by SPF, DKIM, DMARC and ARC before they are taken, and ours are signed
//! before they leave. What a message says and how it is stored is left to the services that ask.

mod body;
mod head;
mod keys;
mod lookups;
mod metrics;
mod seal;
mod settings;
mod sign;
mod spf;
mod verdict;
mod verify;

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::Canonicalization;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimOutput, DkimResult, DmarcOutput,
    DmarcResult, MessageAuthenticator, SpfOutput, SpfResult,
};
use pillarbox_engine::types::{Reason, Refusal};
use pillarbox_world::service::trust::{Edit, Judged, Letter, Signed};

use crate::dns::Resolver;

use head::{Head, ascii};
use verdict::{Findings, Verdict};
use verify::Sender;

pub(crate) use spf::{TERMS_MAX as SPF_TERMS_MAX, VOIDS_MAX as SPF_VOIDS_MAX, is_spf};

pub use keys::{
    Key, Kind as KeyKind, RSA_BITS, generate, quoted, read_private, record_name, write_new,
};
pub use metrics::TrustMetrics;
pub use settings::{Check, Checks, OnTemporary, Then, TrustPolicy, TrustSettings};
pub use sign::Signer;

/// Results of DKIM that are written into a message.
const RESULTS_MAX: usize = 20;

/// Judges and signs.
pub struct Trust {
    settings: TrustSettings,
    host_name: String,
    dns: MessageAuthenticator,
    names: Resolver,
    signers: Vec<Signer>,
    metrics: TrustMetrics,
}

impl Trust {
    /// Looks names up with this resolver, and signs with these keys.
    #[must_use]
    pub fn new(
        settings: TrustSettings,
        host_name: &str,
        names: Resolver,
        signers: Vec<Signer>,
        metrics: TrustMetrics,
    ) -> Self {
        let dns = MessageAuthenticator(names.shared());
        let host_name = host_name.to_owned();
        Self { settings, host_name, dns, names, signers, metrics }
    }

    /// Judges a stranger's message.
    ///
    /// # Errors
    /// It is not taken.
    pub async fn judge(&self, letter: Letter<'_>) -> Result<Judged, Refusal> {
        let head = Head::read(letter.content, letter.skip, true).map_err(Refusal::new)?;
        let without = head.forged(&self.host_name);
        let only_edit =
            |without| Judged { edit: Edit { before: Vec::new(), without }, junk: false };
        let peer = std::str::from_utf8(letter.peer).ok().and_then(|text| text.parse().ok());
        let Some(peer) = peer.map(|peer: IpAddr| peer.to_canonical()) else {
            return Ok(only_edit(without));
        };
        if !self.settings.judges(peer) {
            return Ok(only_edit(without));
        }
        let mut message = AuthenticatedMessage::parse(&head.octets);
        let author = message.as_ref().and_then(|message| head.author(message));
        let author = author.filter(|_| head.is_well_formed());
        let rule = self.settings.policy(author.as_deref());
        if rule.is_some_and(|rule| rule.then == Then::Accept) {
            self.metrics.verdicts.with_label_values(&["accept"]).inc();
            return Ok(only_edit(without));
        }
        let mut refused = Vec::new();
        if let Some(message) = &mut message {
            verify::prepare(message, author.as_deref(), self.settings.signatures_max);
            let (content, seals) = (letter.content, letter.leaves && self.sealer().is_some());
            let ready = verify::with_body(message, content, head.body_at, seals).await;
            refused = ready.map_err(Refusal::new)?;
        }
        let (helo, path) = (text(letter.helo), path(&letter));
        let sender = Sender { peer, helo: &helo, path: &path, host_name: &self.host_name };
        let author = author.as_deref();
        let (dns, message) = ((&self.dns, &self.names), message.as_ref());
        let findings = verify::verify(dns, &self.settings, &sender, message, refused, author);
        let findings = findings.await;
        let verdict = findings.verdict(&self.settings, rule);
        self.tell(&sender, author, &findings, verdict);
        let junk = match verdict {
            Verdict::Tag => false,
            Verdict::Quarantine => true,
            Verdict::Reject(reason) => return Err(Refusal::new(reason)),
            Verdict::Later => return Err(Refusal::new(Reason::Unverifiable)),
        };
        let results = self.results(&sender, &findings, author);
        let mut before = Vec::new();
        if let (true, Some(signer), Some(message)) = (letter.leaves, self.sealer(), message) {
            let none = ArcOutput::default();
            let arc = findings.arc.as_ref().unwrap_or(&none);
            before.extend(seal::seal(signer, message, &results, arc).unwrap_or_default());
        }
        results.write_header(&mut before);
        Ok(Judged { edit: Edit { before, without }, junk })
    }

    /// RFC 8601 §2.2, with this host's name as authserv-id.
    fn results<'a>(
        &'a self,
        sender: &Sender<'_>,
        findings: &Findings<'_>,
        author: Option<&str>,
    ) -> AuthenticationResults<'a> {
        let checks = self.settings.checks;
        let mut results = AuthenticationResults::new(&self.host_name);
        if let Some(spf) = findings.spf.as_ref().filter(|_| checks.spf) {
            results = match sender.path.is_empty() {
                true => results.with_spf_ehlo_result(spf, sender.peer, sender.helo),
                false => {
                    results.with_spf_mailfrom_result(spf, sender.peer, sender.path, sender.helo)
                }
            };
        }
        if checks.dkim {
            let author = author.unwrap_or_default();
            for output in findings.dkim.iter().take(RESULTS_MAX) {
                results.set_dkim_result(output, author);
            }
        }
        if let Some(dmarc) = &findings.dmarc {
            results = results.with_dmarc_result(dmarc);
        }
        if let Some(arc) = &findings.arc {
            results = results.with_arc_result(arc, sender.peer);
        }
        results
    }

    /// Counts and logs.
    fn tell(
        &self,
        sender: &Sender<'_>,
        author: Option<&str>,
        findings: &Findings<'_>,
        verdict: Verdict,
    ) {
        let count = |check: &str, result: &'static str| {
            self.metrics.results.with_label_values(&[check, result]).inc();
            result
        };
        let spf = findings.spf.as_ref().map_or("off", |spf| count("spf", spf_word(spf)));
        let best = findings.dkim.iter().map(DkimOutput::result).min_by_key(|result| rank(result));
        let dkim = count("dkim", best.map_or("none", dkim_word));
        let dmarc = findings.dmarc.as_ref();
        let dmarc = dmarc.map_or("off", |dmarc| count("dmarc", dmarc_word(dmarc)));
        let arc = findings.arc.as_ref();
        let arc = arc.map_or("off", |arc| count("arc", dkim_word(arc.result())));
        let verdict = verdict.word();
        self.metrics.verdicts.with_label_values(&[verdict]).inc();
        let from = format!("<{}>", sender.path.escape_debug());
        let author = author.unwrap_or("-");
        tracing::info!(
            peer = %sender.peer, from, author, spf, dkim, dmarc, arc, verdict, "judged"
        );
    }

    /// Signs a message of one of ours.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn sign(&self, letter: Letter<'_>) -> Result<Signed, Reason> {
        // What this host composed itself has no Received field of its own.
        let head = Head::read(letter.content, letter.skip, !letter.peer.is_empty())?;
        let without = head.forged(&self.host_name);
        let signers = self.signers_for(&head, &letter);
        if signers.is_empty() {
            return Ok(Signed::With(Edit { before: Vec::new(), without }));
        }
        if letter.wide {
            return Ok(Signed::SevenBitFirst);
        }
        let forms = [Canonicalization::Relaxed];
        let hashes = body::hashes(letter.content, head.body_at, &forms).await?;
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let mut before = Vec::new();
        for signer in &signers {
            match signer.field(&head.octets, &hashes[0], now_s) {
                Ok(Some(field)) => before.extend(field),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "a message leaves without a signature"),
            }
        }
        let outcome = if before.is_empty() { "unsigned" } else { "signed" };
        self.metrics.signed.with_label_values(&[outcome]).inc();
        Ok(Signed::With(Edit { before, without }))
    }

    /// The keys for the author of a message, if it is one that the account may write as: everybody's From field can name
    /// a domain of ours, and a signature would prove it right.
    fn signers_for(&self, head: &Head, letter: &Letter<'_>) -> Vec<&Signer> {
        // Without an account it is a machine that relays without a login, or this host itself.
        let may = letter.account.is_none() || letter.is_own;
        if self.signers.is_empty() || !may || !head.is_well_formed() {
            return Vec::new();
        }
        let message = AuthenticatedMessage::parse(&head.octets);
        let author = message.as_ref().and_then(|message| head.author(message));
        let Some(domain) = author.as_deref().and_then(|author| self.domain_for(author)) else {
            return Vec::new();
        };
        let signers = self.signers.iter().filter(|signer| signer.domain == domain);
        signers.collect()
    }

    /// The domain of ours that signs for this one: itself, or the nearest above it that has a key.
    fn domain_for(&self, domain: &str) -> Option<&str> {
        let mut at = domain;
        loop {
            if let Some(signer) = self.signers.iter().find(|signer| signer.domain == at) {
                return Some(&signer.domain);
            }
            at = at.split_once('.')?.1;
        }
    }

    /// Who seals what is sent on: the host's own domain, or the first that has a key. By RSA if it can, since a set has
    /// one seal alone and not everybody knows Ed25519.
    fn sealer(&self) -> Option<&Signer> {
        let first = self.signers.first()?;
        let domain = self.domain_for(&self.host_name).unwrap_or(&first.domain);
        let of_domain = || self.signers.iter().filter(|signer| signer.domain == domain);
        of_domain().find(|signer| signer.key.is_rsa()).or_else(|| of_domain().next())
    }
}

/// The reverse path as text.
fn path(letter: &Letter<'_>) -> String {
    let path = letter.sender.reverse_path.as_ref();
    path.map_or_else(String::new, |path| {
        let (local, domain) = (text(&path.local_part), text(&path.domain));
        // RFC 7208 §4.3: what is no domain name has no record.
        format!("{local}@{}", ascii(&domain).unwrap_or(domain))
    })
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn spf_word(spf: &SpfOutput) -> &'static str {
    match spf.result() {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
        SpfResult::None => "none",
    }
}

/// Better is lower.
fn rank(result: &DkimResult) -> u8 {
    match result {
        DkimResult::Pass => 0,
        DkimResult::TempError(_) => 1,
        DkimResult::Fail(_) => 2,
        DkimResult::PermError(_) => 3,
        DkimResult::Neutral(_) => 4,
        DkimResult::None => 5,
    }
}

fn dkim_word(result: &DkimResult) -> &'static str {
    match result {
        DkimResult::Pass => "pass",
        DkimResult::TempError(_) => "temperror",
        DkimResult::Fail(_) => "fail",
        DkimResult::PermError(_) => "permerror",
        DkimResult::Neutral(_) => "neutral",
        DkimResult::None => "none",
    }
}

fn dmarc_word(dmarc: &DmarcOutput) -> &'static str {
    match dmarc.result() {
        DmarcResult::Pass => "pass",
        DmarcResult::Fail(_) => "fail",
        DmarcResult::TempError(_) => "temperror",
        DmarcResult::PermError(_) => "permerror",
        DmarcResult::None => "none",
    }
}
