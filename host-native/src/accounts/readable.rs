//! A password that is kept as it is. Whoever reads the accounts file has it, so it is there only where somebody wants APOP
//! (RFC 1939 §7) or CRAM-MD5 (RFC 2195) for an account, and has said so.

use std::fmt;

use pillarbox_engine::text::base64;

/// What a word of this kind begins with.
const MARK: &str = "READABLE$";

/// The password itself, as it was given: clients digest what they are told, and prepare nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Readable(Vec<u8>);

impl Readable {
    pub(super) fn new(password: &str) -> Self {
        Self(password.as_bytes().to_vec())
    }

    /// ```text
    /// "READABLE$" base64
    /// ```
    pub(super) fn parse(word: &str) -> Option<Self> {
        let octets = base64::decode(word.strip_prefix(MARK)?.as_bytes())?;
        (!octets.is_empty()).then_some(Self(octets))
    }

    /// As it stands in the file. Base64 hides nothing; it keeps spaces and line ends out of the line.
    pub(super) fn to_line(&self) -> String {
        format!("{MARK}{}", base64::encode(&self.0).escape_ascii())
    }

    /// The password.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readable(******)")
    }
}
