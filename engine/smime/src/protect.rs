//! Signs and encrypts messages: what stays in the header, what goes inside, and the MIME around it (RFC 8551 §3).

use std::fmt;

use pillarbox_engine::message::seven_bit::{Encoder, Surveyor};
use pillarbox_engine::text::base64;
use pillarbox_engine::text::header::{self, fields};

use crate::certificate::Certificate;
use crate::cms::{self, Cipher, Signing, may_receive};
use crate::entity::canonicalised;
use crate::entropy::{Entropy, array};
use crate::key::{BadKey, PrivateKey};

/// Who signs a message.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// The private key.
    pub key: &'a PrivateKey,
    /// Its certificate.
    pub certificate: &'a Certificate,
    /// Certificates of the authorities behind it, which go along.
    pub chain: &'a [Certificate],
    /// When, in seconds since 1970.
    pub at: i64,
}

/// How a signed message looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// `multipart/signed`: readers without S/MIME see the content too.
    #[default]
    Detached,
    /// `application/pkcs7-mime`: servers that change text cannot break it, and readers without S/MIME see nothing.
    Opaque,
}

/// Why a message cannot be signed or encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotProtect {
    /// The certificate belongs to another key.
    OtherKey,
    /// The certificate is not for signing mail, or its key is too weak.
    NotForSigning,
    /// The key does not work.
    Key(BadKey),
    /// Nobody to encrypt to.
    NoRecipient,
    /// A recipient's certificate, and why it cannot be used, as a clause.
    Recipient(String, &'static str),
    /// It cannot be made fit for seven bits, as signed mail must be.
    SevenBit,
}

impl fmt::Display for CannotProtect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKey => f.write_str("the certificate belongs to another key"),
            Self::NotForSigning => f.write_str(
                "the certificate is not one for signing mail, or its RSA key has less than 2048 bits",
            ),
            Self::Key(why) => f.write_str(why.words()),
            Self::NoRecipient => f.write_str("there is no certificate to encrypt to"),
            Self::Recipient(whose, why) => {
                write!(f, "the certificate of {whose} cannot be used: {why}")
            }
            Self::SevenBit => f.write_str(
                "a part holds more than seven bits and must not be encoded anew, or its header does",
            ),
        }
    }
}

impl std::error::Error for CannotProtect {}

impl From<BadKey> for CannotProtect {
    fn from(why: BadKey) -> Self {
        Self::Key(why)
    }
}

/// Signs a message. Its header stays as it is, but for what describes the content; nothing else of it is signed.
///
/// # Errors
/// [`CannotProtect`]
pub fn sign(
    message: &[u8],
    author: &Author<'_>,
    form: Form,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, CannotProtect> {
    if !author.certificate.is_of(author.key) {
        return Err(CannotProtect::OtherKey);
    }
    if !author.certificate.may_sign_mail() || !author.key.public().is_strong() {
        return Err(CannotProtect::NotForSigning);
    }
    let (mut out, content) = split(message)?;
    let Author { key, certificate, chain, at } = *author;
    let signing = Signing { key, certificate, chain, at };
    if form == Form::Opaque {
        let signed = cms::sign(&signing, &content, true, entropy)?;
        push_opaque(&mut out, "signed-data", &signed);
        return Ok(out);
    }
    let signature = cms::sign(&signing, &content, false, entropy)?;
    let chance: String = array::<12>(entropy).iter().map(|octet| format!("{octet:02x}")).collect();
    let boundary = format!("signed-{chance}");
    // RFC 8551 §3.5.3.2
    out.extend_from_slice(
        format!(
            "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n\
             \tmicalg=sha-256; boundary=\"{boundary}\"\r\n\r\n\
             This is a signed message; its signature is of S/MIME.\r\n\
             --{boundary}\r\n"
        )
        .as_bytes(),
    );
    out.extend_from_slice(&content);
    out.extend_from_slice(
        format!(
            "\r\n--{boundary}\r\n\
             Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\
             Content-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=smime.p7s\r\n\r\n"
        )
        .as_bytes(),
    );
    push_base64(&mut out, &signature);
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(out)
}

/// Encrypts a message. Its header stays readable, but for what describes the content: subject and addresses are not
/// encrypted.
///
/// # Errors
/// [`CannotProtect`]
pub fn encrypt(
    message: &[u8],
    recipients: &[&Certificate],
    cipher: Cipher,
    entropy: &mut Entropy<'_>,
) -> Result<Vec<u8>, CannotProtect> {
    if recipients.is_empty() {
        return Err(CannotProtect::NoRecipient);
    }
    for recipient in recipients {
        may_receive(recipient)
            .map_err(|why| CannotProtect::Recipient(recipient.subject_words(), why))?;
    }
    let (mut out, content) = split(message)?;
    let sealed = cms::seal(cipher, recipients, content, entropy);
    let sealed = sealed.ok_or(CannotProtect::Key(BadKey::Malformed))?;
    let kind = if cipher.is_authenticated() { "authEnveloped-data" } else { "enveloped-data" };
    push_opaque(&mut out, kind, &sealed);
    Ok(out)
}

/// A message whose content was inside of a layer, with the header that it had around it.
#[must_use]
pub fn unwrapped(message: &[u8], content: &[u8]) -> Vec<u8> {
    let mut out = outer(&canonicalised(message));
    out.extend_from_slice(&canonicalised(content));
    out
}

fn is_content(name: &[u8]) -> bool {
    let describes = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
    describes || name.eq_ignore_ascii_case(b"mime-version")
}

/// The fields that stay outside, and the one that says that there is MIME.
fn outer(message: &[u8]) -> Vec<u8> {
    let section = &message[..header::section_length(message)];
    let mut out = Vec::new();
    for field in fields(section).filter(|field| !is_content(field.name)) {
        out.extend_from_slice(section[field.start..field.end].trim_ascii_end());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    out
}

/// Header that stays outside, and the entity that goes inside, in canonical form and seven bits (RFC 8551 §3.1).
fn split(message: &[u8]) -> Result<(Vec<u8>, Vec<u8>), CannotProtect> {
    let message = canonicalised(message);
    let length = header::section_length(&message);
    let section = &message[..length];
    let mut content = Vec::with_capacity(message.len());
    let is_inner = |name: &[u8]| is_content(name) && !name.eq_ignore_ascii_case(b"mime-version");
    for field in fields(section).filter(|field| is_inner(field.name)) {
        content.extend_from_slice(section[field.start..field.end].trim_ascii_end());
        content.extend_from_slice(b"\r\n");
    }
    if content.is_empty() {
        // RFC 2045 §5.2: what no type means, said aloud.
        content.extend_from_slice(b"Content-Type: text/plain; charset=us-ascii\r\n");
    }
    content.extend_from_slice(b"\r\n");
    content.extend_from_slice(&message[length..]);
    Ok((outer(&message), seven_bit(content)?))
}

/// RFC 8551 §3.1.3: what is signed must arrive as it is.
fn seven_bit(content: Vec<u8>) -> Result<Vec<u8>, CannotProtect> {
    let mut surveyor = Surveyor::new();
    surveyor.take(&content);
    let findings = surveyor.finish().map_err(|_| CannotProtect::SevenBit)?;
    if findings.is_clean() {
        return Ok(content);
    }
    let mut encoder = Encoder::new(findings);
    let mut out = Vec::with_capacity(content.len());
    encoder.take(&content, &mut out);
    encoder.finish(&mut out);
    Ok(out)
}

fn push_opaque(out: &mut Vec<u8>, kind: &str, octets: &[u8]) {
    out.extend_from_slice(
        format!(
            "Content-Type: application/pkcs7-mime; smime-type={kind}; name=smime.p7m\r\n\
             Content-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=smime.p7m\r\n\r\n"
        )
        .as_bytes(),
    );
    push_base64(out, octets);
}

fn push_base64(out: &mut Vec<u8>, octets: &[u8]) {
    for line in base64::encode(octets).chunks(76) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
}
