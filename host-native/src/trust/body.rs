//! The hash of a body, made piece by piece, so that none is ever whole in memory for our sake.

use mail_auth::common::crypto::HashContext;
use mail_auth::dkim::Canonicalization;
use mail_auth::dkim::canonicalize::BodyHasher;
use pillarbox_engine::types::Reason;
use pillarbox_world::service::trust::Octets;
use ring::digest::{Context, SHA256};

use super::head::PIECE;

/// The SHA-256 of what stands behind `at`, in each of these forms (RFC 6376 §3.4).
pub(super) async fn hashes(
    content: &dyn Octets,
    at: u64,
    forms: &[Canonicalization],
) -> Result<Vec<Vec<u8>>, Reason> {
    let hasher = |form: &Canonicalization| BodyHasher::new(Context::new(&SHA256), *form, 0);
    let mut hashers: Vec<_> = forms.iter().map(hasher).collect();
    let (size, mut at) = (content.size(), at);
    while at < size && !hashers.is_empty() {
        let piece = content.octets(at, PIECE.min(size - at))?;
        hashers.iter_mut().for_each(|hasher| hasher.write(&piece));
        at += piece.len() as u64;
        // Other connections have their turn between pieces.
        tokio::task::yield_now().await;
    }
    Ok(hashers.into_iter().map(|hasher| hasher.finish().0.complete().as_ref().to_vec()).collect())
}
