//! Every bound on what a message can make this crate do, with its reason.

/// Levels of values inside of values. A certificate in a signed message has some ten; each costs a copy.
pub const DER_DEPTH_MAX: usize = 40;
/// Signers that are looked at. Messages have one, seldom two; each costs at least one check of a signature.
pub const SIGNERS_MAX: usize = 4;
/// Certificates that are read from one message. A chain has three or four.
pub const CERTIFICATES_MAX: usize = 32;
/// Revocation lists that are read from one message.
pub const REVOCATION_LISTS_MAX: usize = 8;
/// Recipients that are looked at; a list of addressees is not longer than SMTP lets it be.
pub const RECIPIENTS_MAX: usize = 1_000;
/// Certificates in one chain, both ends counted. Public authorities use three or four.
pub const CHAIN_MAX: usize = 8;
/// Checks of signatures in the search for one chain, which certificates that name each other could make endless.
pub const CHAIN_CHECKS_MAX: usize = 32;
/// Layers of one message, such as signed, encrypted and signed again (RFC 2634 §1.1).
pub const LAYERS_MAX: usize = 8;
/// Parts that are looked through for signed ones.
pub const PARTS_MAX: usize = 1_000;
/// Signed or encrypted parts of one message that are judged; each may cost what a whole message costs, which is at most
/// `SIGNERS_MAX` searches of `CHAIN_CHECKS_MAX` checks in each layer: together some seconds with the largest keys.
pub const JUDGED_PARTS_MAX: usize = 8;
/// Depth of multiparts in which signed parts are looked for.
pub const DEPTH_MAX: usize = 20;
/// Bits of RSA keys that are used. Smaller ones prove nothing, and larger ones cost seconds (RFC 8551 §4.3).
pub const RSA_BITS: core::ops::RangeInclusive<usize> = 1024..=8192;
/// Bits below which an RSA key is called weak (RFC 8551 §4.3).
pub const RSA_BITS_STRONG: usize = 2048;
/// Octets of a file of keys or certificates.
pub const PEM_MAX: usize = 4 * 1024 * 1024;
