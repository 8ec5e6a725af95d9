//! S/MIME (RFC 8551): signs, verifies, encrypts and decrypts mail. It has no clock, draws no entropy and does no I/O:
//! time, chance, keys and whom to trust come from the caller, which is the command line or the page, and never the server.
//!
//! The syntax (DER, CMS, certificates) is read here and not by a library: mail of other programs is often BER, every
//! length and every level must be bounded, and a verdict must say which octets it is about. The cryptography is
//! RustCrypto's.

mod certificate;
mod cms;
mod der;
mod digest;
mod entity;
mod entropy;
mod key;
pub mod limits;
pub mod pem;
mod protect;
mod signer;
mod verdict;
mod verify;

pub use certificate::{Certificate, Issuer, New, RevocationList, make};
pub use cms::Cipher;
pub use der::Malformed;
pub use digest::Digest;
pub use entropy::Entropy;
pub use key::{BadKey, PrivateKey, rsa_public_info};
pub use protect::{Author, CannotProtect, Form, encrypt, sign, unwrapped};
pub use verdict::{Layer, Reason, SignedPart, Signer, State, Verdict};
pub use verify::{Known, Opened, decrypt, verify};
