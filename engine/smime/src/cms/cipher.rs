//! Ciphers of content: AES with GCM, which tells when something was changed, and with CBC, which does not and is read
//! for the sake of older mail. And the wrapping of keys in keys (RFC 3394).

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::{U12, U16};
use subtle::ConstantTimeEq;

use crate::der::{self, Malformed, Reader, oid, sequence, tag, tlv};

type Block = Array<u8, U16>;

/// Octets of a GCM nonce (RFC 5084 §3.2) that everybody uses.
pub(super) const NONCE: usize = 12;
/// Octets of a GCM tag that are written.
const TAG: usize = 16;
/// Octets of a block.
pub(super) const BLOCK: usize = 16;

/// What content is encrypted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// AES-128 with GCM: RFC 8551 §2.7 asks for it.
    Aes128Gcm,
    /// AES-256 with GCM, which this crate prefers.
    Aes256Gcm,
    /// AES-128 with CBC, for readers that know no GCM.
    Aes128Cbc,
    /// AES-192 with CBC.
    Aes192Cbc,
    /// AES-256 with CBC, for readers that know no GCM.
    Aes256Cbc,
}

/// A cipher with what it needs beside its key.
#[derive(Debug)]
pub(super) enum Parameters<'a> {
    Gcm { nonce: &'a [u8], tag_length: usize },
    Cbc { start: &'a [u8] },
}

impl Cipher {
    /// Octets of its key.
    pub(super) const fn key_length(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Cbc => 16,
            Self::Aes192Cbc => 24,
            Self::Aes256Gcm | Self::Aes256Cbc => 32,
        }
    }

    /// Whether it tells when something was changed.
    #[must_use]
    pub const fn is_authenticated(self) -> bool {
        matches!(self, Self::Aes128Gcm | Self::Aes256Gcm)
    }

    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "AES-128-GCM",
            Self::Aes256Gcm => "AES-256-GCM",
            Self::Aes128Cbc => "AES-128-CBC",
            Self::Aes192Cbc => "AES-192-CBC",
            Self::Aes256Cbc => "AES-256-CBC",
        }
    }

    /// Of an AlgorithmIdentifier's body; the name of one that is not known here otherwise.
    pub(super) fn read(
        body: &[u8],
    ) -> Result<Result<(Self, Parameters<'_>), &'static str>, Malformed> {
        let (name, parameters) = der::algorithm(body)?;
        let cipher = match name {
            oid::AES128_GCM => Self::Aes128Gcm,
            oid::AES256_GCM => Self::Aes256Gcm,
            oid::AES128_CBC => Self::Aes128Cbc,
            oid::AES192_CBC => Self::Aes192Cbc,
            oid::AES256_CBC => Self::Aes256Cbc,
            oid::DES3_CBC => return Ok(Err("3DES")),
            oid::RC2_CBC => return Ok(Err("RC2")),
            _ => return Ok(Err("a cipher that is not known here")),
        };
        let mut reader = Reader::new(parameters.ok_or(Malformed)?.whole);
        if !cipher.is_authenticated() {
            let start = reader.take(tag::OCTET_STRING)?;
            return Ok(Ok((cipher, Parameters::Cbc { start })));
        }
        let mut inner = reader.sequence()?;
        let nonce = inner.take(tag::OCTET_STRING)?;
        // RFC 5084 §3.2: 12 unless it says otherwise.
        let tag_length = if inner.is_empty() { 12 } else { inner.small()? as usize };
        Ok(Ok((cipher, Parameters::Gcm { nonce, tag_length })))
    }

    /// Its AlgorithmIdentifier with this nonce or first block.
    pub(super) fn identifier(self, start: &[u8]) -> Vec<u8> {
        let name = match self {
            Self::Aes128Gcm => oid::AES128_GCM,
            Self::Aes256Gcm => oid::AES256_GCM,
            Self::Aes128Cbc => oid::AES128_CBC,
            Self::Aes192Cbc => oid::AES192_CBC,
            Self::Aes256Cbc => oid::AES256_CBC,
        };
        let start = tlv(tag::OCTET_STRING, start);
        let parameters = if self.is_authenticated() {
            sequence(&[&start, &der::integer(&[TAG as u8])])
        } else {
            start
        };
        sequence(&[&oid::value(name), &parameters])
    }

    /// Encrypts; gives a tag too, which is empty with CBC.
    pub(super) fn encrypt(self, key: &[u8], start: &[u8], mut content: Vec<u8>) -> Sealed {
        if !self.is_authenticated() {
            let padding = BLOCK - content.len() % BLOCK;
            content.resize(content.len() + padding, padding as u8);
            match self {
                Self::Aes128Cbc => cbc_encrypt::<Aes128>(key, start, &mut content),
                Self::Aes192Cbc => cbc_encrypt::<Aes192>(key, start, &mut content),
                _ => cbc_encrypt::<Aes256>(key, start, &mut content),
            }
            return Sealed { content, tag: Vec::new() };
        }
        let nonce = Array::try_from(start).expect("the caller made it of this length");
        let tag = match self {
            Self::Aes128Gcm => AesGcm::<Aes128, U12, U16>::new_from_slice(key)
                .expect("the caller made the key of this length")
                .encrypt_inout_detached(&nonce, &[], content.as_mut_slice().into()),
            _ => AesGcm::<Aes256, U12, U16>::new_from_slice(key)
                .expect("the caller made the key of this length")
                .encrypt_inout_detached(&nonce, &[], content.as_mut_slice().into()),
        };
        let tag = tag.expect("no message has 64 GiB, where GCM ends").to_vec();
        Sealed { content, tag }
    }

    /// Decrypts; `None` if something was changed, or the key is another one.
    pub(super) fn decrypt(
        self,
        key: &[u8],
        parameters: &Parameters<'_>,
        sealed: Sealed,
        associated: &[u8],
    ) -> Option<Vec<u8>> {
        match (self, parameters) {
            (Self::Aes128Gcm, Parameters::Gcm { nonce, tag_length }) => match tag_length {
                16 => gcm::<AesGcm<Aes128, U12, U16>>(key, nonce, sealed, associated),
                12 => gcm::<AesGcm<Aes128, U12, U12>>(key, nonce, sealed, associated),
                _ => None,
            },
            (Self::Aes256Gcm, Parameters::Gcm { nonce, tag_length }) => match tag_length {
                16 => gcm::<AesGcm<Aes256, U12, U16>>(key, nonce, sealed, associated),
                12 => gcm::<AesGcm<Aes256, U12, U12>>(key, nonce, sealed, associated),
                _ => None,
            },
            (Self::Aes128Cbc, Parameters::Cbc { start }) => cbc::<Aes128>(key, start, sealed),
            (Self::Aes192Cbc, Parameters::Cbc { start }) => cbc::<Aes192>(key, start, sealed),
            (Self::Aes256Cbc, Parameters::Cbc { start }) => cbc::<Aes256>(key, start, sealed),
            _ => None,
        }
    }
}

/// Encrypted content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) content: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

fn gcm<A: AeadInOut + KeyInit>(
    key: &[u8],
    nonce: &[u8],
    mut sealed: Sealed,
    associated: &[u8],
) -> Option<Vec<u8>> {
    let cipher = A::new_from_slice(key).ok()?;
    let nonce = Array::try_from(nonce).ok()?;
    let tag = Array::try_from(&sealed.tag[..]).ok()?;
    let content = sealed.content.as_mut_slice().into();
    cipher.decrypt_inout_detached(&nonce, associated, content, &tag).ok()?;
    Some(sealed.content)
}

fn cbc_encrypt<A: BlockCipherEncrypt<BlockSize = U16> + KeyInit>(
    key: &[u8],
    start: &[u8],
    content: &mut [u8],
) {
    let cipher = A::new_from_slice(key).expect("the caller made the key of this length");
    let mut before = Block::try_from(start).expect("the caller made it of this length");
    for block in content.chunks_exact_mut(BLOCK) {
        for (octet, other) in before.iter_mut().zip(&*block) {
            *octet ^= other;
        }
        cipher.encrypt_block(&mut before);
        block.copy_from_slice(&before);
    }
}

/// RFC 5652 §6.3: the last octet says how many are padding.
fn cbc<A: BlockCipherDecrypt<BlockSize = U16> + KeyInit>(
    key: &[u8],
    start: &[u8],
    sealed: Sealed,
) -> Option<Vec<u8>> {
    let cipher = A::new_from_slice(key).ok()?;
    let mut before = Block::try_from(start).ok()?;
    let mut content = sealed.content;
    if !content.len().is_multiple_of(BLOCK) {
        return None;
    }
    for block in content.chunks_exact_mut(BLOCK) {
        let encrypted = Block::try_from(&*block).expect("a chunk is a block");
        let mut plain = encrypted;
        cipher.decrypt_block(&mut plain);
        for ((octet, plain), other) in block.iter_mut().zip(&plain).zip(&before) {
            *octet = plain ^ other;
        }
        before = encrypted;
    }
    let padding = usize::from(*content.last()?);
    let rest = content.len().checked_sub(padding)?;
    let is_right = (1..=BLOCK).contains(&padding)
        && content[rest..].iter().all(|octet| usize::from(*octet) == padding);
    content.truncate(rest);
    is_right.then_some(content)
}

/// RFC 3394 §2.2.3.1
const WRAP_START: [u8; 8] = [0xA6; 8];

/// Wraps a key in a key of 16 or 32 octets (RFC 3394 §2.2.1).
pub(super) fn wrap(outer: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    match outer.len() {
        16 => wrap_with::<Aes128>(outer, key),
        32 => wrap_with::<Aes256>(outer, key),
        _ => None,
    }
}

/// Takes it out again (RFC 3394 §2.2.2); `None` if it was changed, or the outer key is another one.
pub(super) fn unwrap(outer: &[u8], wrapped: &[u8]) -> Option<Vec<u8>> {
    match outer.len() {
        16 => unwrap_with::<Aes128>(outer, wrapped),
        32 => unwrap_with::<Aes256>(outer, wrapped),
        _ => None,
    }
}

fn wrap_with<A: BlockCipherEncrypt<BlockSize = U16> + KeyInit>(
    outer: &[u8],
    key: &[u8],
) -> Option<Vec<u8>> {
    let cipher = A::new_from_slice(outer).ok()?;
    let count = key.len() / 8;
    let mut out = [&WRAP_START, key].concat();
    for step in 0..6 * count {
        let at = 8 * (step % count + 1);
        let mut block = Block::default();
        block[..8].copy_from_slice(&out[..8]);
        block[8..].copy_from_slice(&out[at..at + 8]);
        cipher.encrypt_block(&mut block);
        out[at..at + 8].copy_from_slice(&block[8..]);
        let mixed = u64::from_be_bytes(block[..8].try_into().ok()?) ^ (step as u64 + 1);
        out[..8].copy_from_slice(&mixed.to_be_bytes());
    }
    Some(out)
}

fn unwrap_with<A: BlockCipherDecrypt<BlockSize = U16> + KeyInit>(
    outer: &[u8],
    wrapped: &[u8],
) -> Option<Vec<u8>> {
    // The longest key here has 32 octets.
    if !wrapped.len().is_multiple_of(8) || !(24..=40).contains(&wrapped.len()) {
        return None;
    }
    let cipher = A::new_from_slice(outer).ok()?;
    let count = wrapped.len() / 8 - 1;
    let mut out = wrapped.to_vec();
    for step in (0..6 * count).rev() {
        let at = 8 * (step % count + 1);
        let mixed = u64::from_be_bytes(out[..8].try_into().ok()?) ^ (step as u64 + 1);
        let mut block = Block::default();
        block[..8].copy_from_slice(&mixed.to_be_bytes());
        block[8..].copy_from_slice(&out[at..at + 8]);
        cipher.decrypt_block(&mut block);
        out[..8].copy_from_slice(&block[..8]);
        out[at..at + 8].copy_from_slice(&block[8..]);
    }
    let key = out.split_off(8);
    bool::from(out.ct_eq(&WRAP_START)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<char> = text.chars().filter(|sign| !sign.is_whitespace()).collect();
        let octet = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
        digits.chunks(2).map(|pair| octet(pair).expect("hexadecimal")).collect()
    }

    /// RFC 3394 §4.1 and §4.6.
    #[test]
    fn keys_are_wrapped_as_the_rfc_shows() {
        let data = hex("00112233445566778899AABBCCDDEEFF");
        let outer = hex("000102030405060708090A0B0C0D0E0F");
        let wrapped = hex("1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5");
        assert_eq!(wrap(&outer, &data), Some(wrapped.clone()));
        assert_eq!(unwrap(&outer, &wrapped), Some(data.clone()));
        let outer = [outer.clone(), hex("101112131415161718191A1B1C1D1E1F")].concat();
        let data = [data, hex("000102030405060708090A0B0C0D0E0F")].concat();
        let mut wrapped =
            hex("28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21");
        assert_eq!(wrap(&outer, &data), Some(wrapped.clone()));
        assert_eq!(unwrap(&outer, &wrapped), Some(data));
        wrapped[39] ^= 1;
        assert_eq!(unwrap(&outer, &wrapped), None);
    }

    #[test]
    fn content_survives_and_changes_are_seen() {
        let all = [
            Cipher::Aes128Gcm,
            Cipher::Aes256Gcm,
            Cipher::Aes128Cbc,
            Cipher::Aes192Cbc,
            Cipher::Aes256Cbc,
        ];
        for cipher in all {
            for length in [0, 1, 15, 16, 17, 1000] {
                let content: Vec<u8> = (0..length).map(|n| n as u8).collect();
                let key = vec![7; cipher.key_length()];
                let start = vec![9; if cipher.is_authenticated() { NONCE } else { BLOCK }];
                let sealed = || cipher.encrypt(&key, &start, content.clone());
                let identifier = cipher.identifier(&start);
                let body = Reader::new(&identifier).take(tag::SEQUENCE).expect("a sequence");
                let (read, parameters) = Cipher::read(body).expect("DER").expect("known");
                assert_eq!(read, cipher);
                let opened = cipher.decrypt(&key, &parameters, sealed(), &[]);
                assert_eq!(opened.as_ref(), Some(&content), "{cipher:?} {length}");
                let mut changed = sealed();
                match changed.content.last_mut() {
                    Some(last) => *last ^= 0x80,
                    None => changed.tag[0] ^= 0x80,
                }
                let opened = cipher.decrypt(&key, &parameters, changed, &[]);
                // CBC does not tell; one time in 256 its padding even looks right.
                assert_ne!(opened.as_ref(), Some(&content));
                assert!(opened.is_none() || !cipher.is_authenticated());
            }
        }
    }
}
