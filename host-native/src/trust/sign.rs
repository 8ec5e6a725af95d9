//! DKIM signatures (RFC 6376) of mail that leaves this host. mail-auth's own signer signs each field once; here fields
//! are signed once more than they are there, so that nobody can add another which readers might show instead.

use mail_auth::common::crypto::SigningKey;
use mail_auth::common::headers::Writer;
use pillarbox_engine::text::header::{Field, fields, unfold};

use super::keys::{Key, base64_text};
use crate::error::Error;

/// Fields that are signed, and signed against addition: what readers show, and what says how to read the body
/// (RFC 6376 §5.4.1).
const SIGNED: [&str; 13] = [
    "From",
    "Reply-To",
    "Subject",
    "Date",
    "To",
    "Cc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Sender",
];
/// Instances of fields that one signature names; a message with more is an attack on whoever verifies it.
const NAMES_MAX: usize = 100;
/// Octets of a line of the field.
const LINE_MAX: usize = 72;

/// Signs for one domain under one selector.
#[derive(Clone, Debug)]
pub struct Signer {
    /// d=, lower case.
    pub domain: String,
    /// s=.
    pub selector: String,
    /// The key.
    pub key: Key,
}

impl Signer {
    /// The field for a message with this header section and this hash of its body, both in relaxed form; none if the
    /// section has too many fields.
    ///
    /// # Errors
    /// The key does not sign.
    pub(super) fn field(
        &self,
        section: &[u8],
        body_hash: &[u8],
        now_s: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some((names, mut data)) = signed(section) else { return Ok(None) };
        let algorithm = self.key.algorithm_name();
        let Self { domain, selector, .. } = self;
        let mut value = format!(
            " v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector};\r\n\tt={now_s}; h="
        );
        let mut column = value.len() - value.rfind('\n').unwrap_or_default();
        for (place, name) in names.iter().enumerate() {
            let colon = if place > 0 { ":" } else { "" };
            if column + name.len() > LINE_MAX {
                value.push_str(&format!("{colon}\r\n\t{name}"));
                column = name.len() + 1;
            } else {
                value.push_str(&format!("{colon}{name}"));
                column += name.len() + 1;
            }
        }
        value.push_str(&format!(";\r\n\tbh={};\r\n\tb=", base64_text(body_hash)));
        // RFC 6376 §3.7: the field itself comes last, with nothing in b=, and without the line end.
        relaxed(b"DKIM-Signature", value.as_bytes(), &mut data);
        data.truncate(data.len() - 2);
        let signature = self.key.sign(&data[..]);
        let signature = signature.map_err(|error| Error::failed(format!("{domain}: {error}")))?;
        let signature = base64_text(&signature);
        let lines: Vec<&str> = (0..signature.len())
            .step_by(LINE_MAX)
            .map(|at| &signature[at..signature.len().min(at + LINE_MAX)])
            .collect();
        Ok(Some(format!("DKIM-Signature:{value}{}\r\n", lines.join("\r\n\t")).into_bytes()))
    }
}

/// The names for h=, and the fields that they stand for in relaxed form: of those with one name the last comes first
/// (RFC 6376 §5.4.2), and one more name than there are fields stands for none.
fn signed(section: &[u8]) -> Option<(Vec<&'static str>, Vec<u8>)> {
    let all: Vec<Field<'_>> = fields(section).collect();
    let (mut names, mut data) = (Vec::new(), Vec::new());
    for name in SIGNED {
        for field in all.iter().rev().filter(|field| field.is(name.as_bytes())) {
            names.push(name);
            relaxed(field.name, field.raw, &mut data);
            if names.len() > NAMES_MAX {
                return None;
            }
        }
        names.push(name);
    }
    Some((names, data))
}

/// RFC 6376 §3.4.2.
fn relaxed(name: &[u8], raw: &[u8], out: &mut impl Writer) {
    out.write(&name.to_ascii_lowercase());
    out.write(b":");
    let body = unfold(raw);
    let words = body.split(|octet| matches!(octet, b' ' | b'\t')).filter(|word| !word.is_empty());
    for (place, word) in words.enumerate() {
        if place > 0 {
            out.write(b" ");
        }
        out.write(word);
    }
    out.write(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_from_the_last_and_once_more_than_they_are_there() {
        let section = b"Received: x\r\nTo: a\r\nFROM : b\r\n  c\t \r\nTo:  d \r\n\r\nTo: body\r\n";
        let (names, data) = signed(section).expect("there are few");
        let count = |name| names.iter().filter(|other| **other == name).count();
        assert_eq!((count("From"), count("To"), count("Cc")), (2, 3, 1));
        assert_eq!(data, b"from:b c\r\nto:d\r\nto:a\r\n");
        let many = "To: a\r\n".repeat(NAMES_MAX + 1);
        assert!(signed(many.as_bytes()).is_none());
    }
}
