//! The little of DER (X.690) and of certificates (RFC 5280) that is read here; whether a certificate is good is for the
//! library that verifies it.

/// RFC 5280 §4.2.1.6
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// RFC 5280 appendix A
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// Tags: INTEGER is not looked into; of names only the forms that text has.
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
/// `[1] rfc822Name` in a GeneralName, `[3] extensions` in a certificate.
const RFC822_NAME: u8 = 0x81;
const EXTENSIONS: u8 = 0xa3;
/// Names of one certificate that are looked at.
const NAMES_MAX: usize = 16;

/// The object identifier after the signed part of a certificate (RFC 5280 §4.1).
pub(super) fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (whole, _) = element(certificate, 0x30)?;
    let (_, rest) = element(whole, 0x30)?;
    let (algorithm, _) = element(rest, 0x30)?;
    Some(element(algorithm, 0x06)?.0)
}

/// A DER element with this tag: its content, and what follows it.
fn element(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = octets.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(length)
}

/// Whom a client's certificate names: its e-mail addresses; if it has none, its common name.
pub(super) fn identities(certificate: &[u8]) -> Vec<String> {
    let signed = element(certificate, SEQUENCE).and_then(|(whole, _)| element(whole, SEQUENCE));
    let Some((signed, _)) = signed else { return Vec::new() };
    let fields: Vec<(u8, &[u8])> = Elements(signed).collect();
    let mails = fields.iter().find(|(tag, _)| *tag == EXTENSIONS).map(|(_, list)| mails(list));
    let mails = mails.unwrap_or_default();
    if !mails.is_empty() {
        return mails;
    }
    // RFC 5280 §4.1: signature, issuer, validity and subject are the sequences before the key.
    let sequences = fields.iter().filter(|(tag, _)| *tag == SEQUENCE);
    let subject = sequences.map(|(_, content)| *content).nth(3).unwrap_or_default();
    let names = Elements(subject).filter(|(tag, _)| *tag == SET);
    let names = names.filter_map(|(_, set)| common_name(set));
    // The last one is the most specific.
    names.last().into_iter().collect()
}

fn mails(extensions: &[u8]) -> Vec<String> {
    let Some((list, _)) = element(extensions, SEQUENCE) else { return Vec::new() };
    let mut names = Elements(list).filter_map(|(_, extension)| {
        let (kind, rest) = element(extension, OBJECT_IDENTIFIER)?;
        let value = (kind == SUBJECT_ALTERNATIVE_NAME).then_some(rest)?;
        let (_, octets) = Elements(value).find(|(tag, _)| *tag == OCTET_STRING)?;
        Some(element(octets, SEQUENCE)?.0)
    });
    let names = Elements(names.next().unwrap_or_default());
    let mails = names.filter(|(tag, _)| *tag == RFC822_NAME).take(NAMES_MAX);
    mails.filter_map(|(_, mail)| text(mail)).filter(|mail| mail.contains('@')).collect()
}

fn common_name(set: &[u8]) -> Option<String> {
    let (attribute, _) = element(set, SEQUENCE)?;
    let (kind, value) = element(attribute, OBJECT_IDENTIFIER)?;
    (kind == COMMON_NAME).then_some(())?;
    let (_, name) = Elements(value).find(|(tag, _)| TEXTS.contains(tag))?;
    text(name)
}

/// UTF-8 that a login name can be.
fn text(octets: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(octets).ok()?;
    let fine = !text.is_empty() && text.len() <= 255 && !text.contains(char::is_control);
    fine.then(|| text.to_owned())
}

/// Elements one after the other, as far as they are whole.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = *self.0.first()?;
        let (content, rest) = element(self.0, tag)?;
        self.0 = rest;
        Some((tag, content))
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common_name: &str, names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, "Hamburger");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names = names;
        let key = KeyPair::generate().expect("entropy");
        params.self_signed(&key).expect("fine names").der().to_vec()
    }

    #[test]
    fn mail_addresses_come_before_the_common_name() {
        let mail = |text: &str| SanType::Rfc822Name(text.try_into().expect("ASCII"));
        let host = SanType::DnsName("ann.example".try_into().expect("ASCII"));
        let two =
            certificate("Ann", vec![host.clone(), mail("ann@a.example"), mail("a@b.example")]);
        assert_eq!(identities(&two), ["ann@a.example", "a@b.example"]);
        assert_eq!(identities(&certificate("ann", vec![host])), ["ann"]);
        assert_eq!(identities(&certificate("Änn@a.example", vec![])), ["Änn@a.example"]);
        assert_eq!(identities(&certificate("a\0b", vec![])), Vec::<String>::new());
        for end in 0..two.len() {
            // Cut anywhere it names nobody; what matters is that nothing breaks.
            assert!(identities(&two[..end]).is_empty(), "cut at {end}");
        }
    }
}
