//! The built playground, as files: whoever serves it depends on this crate and builds nothing else.
//! How it is built, and what can be set, is told in `build.rs`.

/// One file of the page.
#[derive(Debug)]
pub struct File {
    /// Its path below the page's own, without a slash in front.
    pub name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Whether the name has a hash of the contents, so that it may be kept for ever.
    pub hashed: bool,
    /// Octets, uncompressed.
    pub octets_len: usize,
    /// The contents, compressed with gzip.
    pub gzip: &'static [u8],
    /// The contents, compressed with Brotli (RFC 7932).
    pub brotli: &'static [u8],
}

/// All of them; the first is the page.
pub static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));
