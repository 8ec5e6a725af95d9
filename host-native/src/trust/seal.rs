//! ARC sets (RFC 8617) for strangers' mail that an alias sends on: what this host found is sealed, for who gets it next.

use mail_auth::arc::ArcSealer;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::{ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimResult};

use super::sign::Signer;

/// Fields that the set's signature covers.
const SIGNED: [&str; 11] = [
    "From",
    "Reply-To",
    "Subject",
    "Date",
    "To",
    "Cc",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "DKIM-Signature",
];
/// RFC 8617 §4.2.1.
const SETS_MAX: usize = 50;

/// The fields of one more set. None for a chain that is broken: nobody could make it good again, and whoever verifies it
/// sees that for himself.
pub(super) fn seal<'x>(
    signer: &Signer,
    message: &'x AuthenticatedMessage<'x>,
    results: &'x AuthenticationResults<'x>,
    arc: &ArcOutput<'_>,
) -> Option<Vec<u8>> {
    let whole = matches!(arc.result(), DkimResult::None | DkimResult::Pass);
    if !whole || arc.sets().len() >= SETS_MAX {
        return None;
    }
    let sealer = ArcSealer::from_key(signer.key.clone())
        .domain(&signer.domain)
        .selector(&signer.selector)
        .headers(SIGNED);
    match sealer.seal(message, results, arc) {
        Ok(set) => Some(set.to_header().into_bytes()),
        Err(error) => {
            tracing::warn!(domain = signer.domain, %error, "a message goes on without a seal");
            None
        }
    }
}
