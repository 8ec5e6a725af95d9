//! The way from a certificate to an authority that is trusted (RFC 5280 §6.1), over certificates that came with the
//! message. Names, signatures, and what each may do are followed here; constraints on names are not, so a critical
//! one ends the way.

use super::{Certificate, RevocationList, extensions};
use crate::limits::{CHAIN_CHECKS_MAX, CHAIN_MAX};

/// What the search found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chained<'a> {
    /// From the signer's to the trusted one; empty if there is no way.
    pub(crate) way: Vec<&'a Certificate>,
    /// A certificate of the way that was not valid at the time.
    pub(crate) not_valid: Option<&'a Certificate>,
    /// One that had been revoked by then.
    pub(crate) revoked: Option<&'a Certificate>,
}

/// What a way is looked for among.
pub(crate) struct Search<'a> {
    pub(crate) anchors: &'a [Certificate],
    pub(crate) others: &'a [Certificate],
    pub(crate) revocations: &'a [RevocationList],
    /// When the signature was made, in seconds since 1970.
    pub(crate) at: i64,
}

/// Looks for a way; one without fault is preferred.
pub(crate) fn follow<'a>(leaf: &'a Certificate, search: &Search<'a>) -> Chained<'a> {
    let mut checks = CHAIN_CHECKS_MAX;
    let mut open: Vec<Vec<&Certificate>> = vec![vec![leaf]];
    let mut best = Chained::default();
    while let Some(way) = open.pop() {
        let last = *way.last().expect("a way begins with the leaf");
        if search.anchors.contains(last) {
            let found = judged(way, search);
            if found.not_valid.is_none() && found.revoked.is_none() {
                return found;
            }
            if best.way.is_empty() {
                best = found;
            }
            continue;
        }
        if way.len() == CHAIN_MAX {
            continue;
        }
        // Trusted ones last, so that they are looked at first.
        for next in search.others.iter().chain(search.anchors) {
            let is_possible = next.subject == last.issuer
                && may_issue(next, way.len() - 1)
                && !way.contains(&next);
            if !is_possible {
                continue;
            }
            if checks == 0 {
                return best;
            }
            checks -= 1;
            if next.has_signed(last) {
                let mut longer = way.clone();
                longer.push(next);
                open.push(longer);
            }
        }
    }
    best
}

/// Whether a certificate may sign others, with so many authorities below it.
fn may_issue(certificate: &Certificate, below: usize) -> bool {
    let extensions = &certificate.extensions;
    // RFC 5280 §6.1.4 (k) to (n); RFC 8550 §4.4.1
    extensions.is_authority
        && extensions.allows(extensions::CERT_SIGN)
        && extensions.protects_mail
        && !extensions.has_unknown
        && extensions.path_max.is_none_or(|max| below <= max as usize)
}

fn judged<'a>(way: Vec<&'a Certificate>, search: &Search<'a>) -> Chained<'a> {
    let not_valid = way.iter().find(|one| !one.is_valid_at(search.at)).copied();
    let pairs = way.iter().zip(way.iter().skip(1));
    let revoked = pairs.into_iter().find_map(|(one, issuer)| {
        let list = search.revocations.iter().find(|list| list.revokes(one, issuer, search.at));
        list.map(|_| *one)
    });
    Chained { not_valid, revoked, way }
}
