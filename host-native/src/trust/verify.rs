//! SPF, DKIM, ARC and DMARC for one message, by mail-auth: what it is given, and what its results are worth.
//! What becomes of the message is not decided here.

use std::net::IpAddr;
use std::time::Duration;

use mail_auth::common::crypto::Algorithm;
use mail_auth::dkim::{Canonicalization, DkimError, Signature};
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, DkimOutput, DkimResult, DmarcOutput, DmarcResult, DnsError,
    Error, MessageAuthenticator, SpfOutput, SpfResult,
};
use pillarbox_engine::types::Reason;
use pillarbox_world::service::trust::Octets;
use tokio::time::{Instant, timeout_at};

use super::lookups::{Budget, Lookups};
use super::settings::{Checks, TrustSettings};
use super::spf::Check;
use super::verdict::Findings;
use crate::dns::Resolver;

/// Names in h= of a signature: each is looked for among all fields.
const NAMES_MAX: usize = 200;
/// Questions for the policy of the author's domain, and for whose domain each proof is: eight for a name at most
/// (RFC 9989 §4.10).
const POLICY_LOOKUPS_MAX: u32 = 100;
/// Octets of a domain, or of a selector (RFC 1035 §2.3.4).
const DOMAIN_MAX: usize = 253;
/// Octets of the address in i= of a signature (RFC 5321 §4.5.3.1).
const ADDRESS_MAX: usize = 320;
/// Sets of an ARC chain that are checked; each costs a question and a signature. RFC 8617 §5.1.1.1 allows 50.
const SETS_MAX: usize = 20;

/// Who sent the message, as the conversation had it.
pub(super) struct Sender<'a> {
    pub(super) peer: IpAddr,
    pub(super) helo: &'a str,
    /// The reverse path, empty for the null path.
    pub(super) path: &'a str,
    pub(super) host_name: &'a str,
}

impl Sender<'_> {
    /// RFC 7208 §2.4: the domain of MAIL, or that of HELO for the null path.
    pub(super) fn domain(&self) -> &str {
        self.path.rsplit_once('@').map_or(self.helo, |(_, domain)| domain)
    }
}

/// Prepares a message for its checks: keeps what may be checked, and says what form of the body each needs.
pub(super) fn prepare(message: &mut AuthenticatedMessage<'_>, author: Option<&str>, max: usize) {
    // Those for the author first: if there are too many, they are the ones that matter.
    let speaks =
        |signature: &Signature| author.is_some_and(|author| is_within(author, &signature.d));
    message.dkim_headers.sort_by_key(|header| !speaks(&header.header));
    message.dkim_headers.truncate(max);
    message.errors.truncate(max);
}

/// Whether a signature may be checked at all.
fn is_sound(signature: &Signature) -> bool {
    // RFC 8301 §3.1: SHA-1 proves nothing.
    signature.a != Algorithm::RsaSha1
        && signature.h.len() <= NAMES_MAX
        && signature.d.len() <= DOMAIN_MAX
        && signature.s.len() <= DOMAIN_MAX
        && signature.i.len() <= ADDRESS_MAX
        // RFC 6376 §5.4: without From the author could be anybody.
        && signature.h.iter().any(|name| name.eq_ignore_ascii_case("from"))
}

fn is_within(domain: &str, of: &str) -> bool {
    let of = of.trim_end_matches('.').to_ascii_lowercase();
    domain == of || domain.strip_suffix(&of).is_some_and(|rest| rest.ends_with('.'))
}

/// Takes out signatures that are not checked, and says so of each.
fn refuse_unsound(message: &mut AuthenticatedMessage<'_>) -> Vec<DkimOutput<'static>> {
    let before = message.dkim_headers.len();
    message.dkim_headers.retain(|header| is_sound(&header.header));
    let refused = before - message.dkim_headers.len();
    let error = || Error::Dkim(DkimError::UnsupportedAlgorithm);
    (0..refused).map(|_| DkimOutput::perm_err(error())).collect()
}

/// The forms in which the body is wanted.
fn forms(message: &AuthenticatedMessage<'_>) -> Vec<Canonicalization> {
    let of_dkim = message.dkim_headers.iter().map(|header| header.header.cb);
    let of_arc = message.ams_headers.iter().map(|header| header.header.cb);
    let mut forms: Vec<Canonicalization> = Vec::new();
    for form in of_dkim.chain(of_arc) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

/// Makes a message ready: unsound signatures are out, and the hashes of its body, which it was parsed without, are in.
pub(super) async fn with_body(
    message: &mut AuthenticatedMessage<'_>,
    content: &dyn Octets,
    at: u64,
    seals: bool,
) -> Result<Vec<DkimOutput<'static>>, Reason> {
    use mail_auth::common::crypto::HashAlgorithm::Sha256;
    let refused = refuse_unsound(message);
    if message.ams_headers.iter().any(|one| one.header.a == Algorithm::RsaSha1)
        || message.ams_headers.len() > SETS_MAX
        || message.ams_headers.iter().any(|one| one.header.h.len() > NAMES_MAX)
        || message.as_headers.iter().any(|one| one.header.a == Algorithm::RsaSha1)
    {
        // A chain that is not checked is a broken one; without its seals mail-auth says so.
        message.as_headers.clear();
    }
    let mut forms = forms(message);
    if seals && !forms.contains(&Canonicalization::Relaxed) {
        forms.push(Canonicalization::Relaxed);
    }
    let hashes = super::body::hashes(content, at, &forms).await?;
    let hashes = forms.into_iter().zip(hashes);
    message.body_hashes = hashes.map(|(form, hash)| (form, Sha256, 0, hash)).collect();
    Ok(refused)
}

/// Makes the checks that are wanted, all within the time for one message.
pub(super) async fn verify<'x>(
    (dns, names): (&MessageAuthenticator, &Resolver),
    settings: &TrustSettings,
    sender: &Sender<'_>,
    message: Option<&'x AuthenticatedMessage<'x>>,
    refused: Vec<DkimOutput<'static>>,
    author: Option<&str>,
) -> Findings<'x> {
    let is_odd = author.is_none();
    let checks = settings.checks;
    let deadline = Instant::now() + settings.timeout;
    let budget = Budget::new(settings.lookups_max);
    // DMARC is made of both.
    let checks =
        Checks { spf: checks.spf || checks.dmarc, dkim: checks.dkim || checks.dmarc, ..checks };
    let (spf, mut dkim, arc) = tokio::join!(
        async { if checks.spf { Some(spf(names, sender, &budget, deadline).await) } else { None } },
        async {
            match message.filter(|_| checks.dkim && !is_odd) {
                Some(message) => dkim(dns, message, &budget, deadline).await,
                None => Vec::new(),
            }
        },
        async {
            match message.filter(|_| checks.arc && !is_odd) {
                Some(message) => Some(arc(dns, message, &budget, deadline).await),
                None => None,
            }
        },
    );
    dkim.extend(refused);
    let dmarc = match (message, &spf) {
        (Some(message), Some(spf)) if checks.dmarc && !is_odd => {
            let found = dmarc(dns, message, (sender, spf), &dkim, deadline).await;
            Some(if found.domain().is_empty() {
                found.with_domain(author.unwrap_or_default())
            } else {
                found
            })
        }
        _ if checks.dmarc => {
            let error = DmarcResult::PermError(Error::ParseError);
            // RFC 6761 §6.4: a domain that is none.
            let odd = DmarcOutput::default().with_domain("invalid");
            let odd = odd.with_spf_result(error.clone());
            Some(odd.with_dkim_result(error))
        }
        _ => None,
    };
    Findings { spf, dkim, arc, dmarc, is_odd }
}

/// The answer of one that had no time left.
fn late() -> Error {
    Error::Dns(DnsError::Resolver("no answer in time".to_owned()))
}

async fn spf(
    names: &Resolver,
    sender: &Sender<'_>,
    budget: &Budget,
    deadline: Instant,
) -> SpfOutput {
    let result = timeout_at(deadline, Check::new(names, budget, sender).result()).await;
    let result = result.unwrap_or(SpfResult::TempError);
    SpfOutput::new(sender.domain().to_owned()).with_result(result)
}

async fn dkim<'x>(
    dns: &MessageAuthenticator,
    message: &'x AuthenticatedMessage<'x>,
    budget: &Budget,
    deadline: Instant,
) -> Vec<DkimOutput<'x>> {
    let lookups = Lookups::new(budget);
    let mut outputs = Vec::new();
    // The shorter lifetime of what counts is no part of the results, so each is made anew from what it says.
    let found = timeout_at(deadline, dns.verify_dkim(lookups.count(message))).await;
    match found {
        Ok(found) => {
            for output in found {
                outputs.push(worth(message, &output));
            }
        }
        Err(_) => outputs.extend(
            message
                .dkim_headers
                .iter()
                .map(|header| DkimOutput::temp_err(late()).with_signature(&header.header)),
        ),
    }
    outputs
}

/// RFC 8601 §2.7.1: a signature that does not fit what it is over has failed, whatever made it so.
fn worth<'x>(message: &'x AuthenticatedMessage<'x>, output: &DkimOutput<'_>) -> DkimOutput<'x> {
    let made = match output.result() {
        DkimResult::Pass => DkimOutput::pass(),
        DkimResult::Neutral(
            error @ Error::Dkim(DkimError::FailedBodyHashMatch | DkimError::SignatureExpired),
        )
        | DkimResult::Fail(error) => DkimOutput::fail(error.clone()),
        DkimResult::Neutral(error) => DkimOutput::neutral(error.clone()),
        DkimResult::PermError(error) => DkimOutput::perm_err(error.clone()),
        DkimResult::TempError(error) => DkimOutput::temp_err(error.clone()),
        DkimResult::None => DkimOutput::neutral(Error::ParseError),
    };
    let same = |signature: &Signature| {
        message.dkim_headers.iter().map(|header| &header.header).find(|own| *own == signature)
    };
    match output.signature().and_then(same) {
        Some(signature) => made.with_signature(signature),
        None => made,
    }
}

async fn arc<'x>(
    dns: &MessageAuthenticator,
    message: &'x AuthenticatedMessage<'x>,
    budget: &Budget,
    deadline: Instant,
) -> ArcOutput<'x> {
    let lookups = Lookups::new(budget);
    let found = timeout_at(deadline, dns.verify_arc(lookups.count(message))).await;
    let result = match found.map(|found| found.result().clone()) {
        // RFC 8617 §4.4: a chain is good, or there is none, or it is broken.
        Ok(DkimResult::Neutral(error) | DkimResult::PermError(error)) => DkimResult::Fail(error),
        Ok(result) => result,
        Err(_) => DkimResult::TempError(late()),
    };
    let mut output = ArcOutput::default().with_result(result);
    let sets = message.ams_headers.iter().zip(&message.as_headers).zip(&message.aar_headers);
    for ((signature, seal), results) in sets {
        use mail_auth::common::headers::Header;
        output = output.with_set(mail_auth::arc::Set {
            signature: Header::new(signature.name, signature.value, &signature.header),
            seal: Header::new(seal.name, seal.value, &seal.header),
            results: Header::new(results.name, results.value, &results.header),
        });
    }
    output
}

async fn dmarc(
    dns: &MessageAuthenticator,
    message: &AuthenticatedMessage<'_>,
    (sender, spf_output): (&Sender<'_>, &SpfOutput),
    dkim_output: &[DkimOutput<'_>],
    deadline: Instant,
) -> DmarcOutput {
    // There are always questions and a moment left for it: otherwise a sender could spend them all on proofs, and hide
    // what the author's domain wants.
    let lookups = Lookups::new(&Budget::new(POLICY_LOOKUPS_MAX));
    let params = DmarcParameters {
        message,
        dkim_output,
        dkim2_output: None,
        rfc5321_mail_from_domain: sender.domain(),
        spf_output,
    };
    let deadline = deadline.max(Instant::now() + Duration::from_secs(5));
    match timeout_at(deadline, dns.verify_dmarc(lookups.count(params))).await {
        Ok(output) => output,
        Err(_) => {
            let error = DmarcResult::TempError(late());
            DmarcOutput::default().with_spf_result(error.clone()).with_dkim_result(error)
        }
    }
}
