//! DANE (RFC 6698, RFC 7672): a certificate is right if the server's own zone, which DNSSEC proves, says so.
//! Whether records are proven is for whoever looked them up; here they only meet the certificate.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256, Sha512};

use super::client::AnyCertificate;
use super::provider;
use crate::dns::Tlsa;

/// Records that are looked at; a handshake compares each with each certificate of a chain.
const RECORDS_MAX: usize = 32;
/// RFC 6698 §2.1.1: a trust anchor that the domain asserts.
const DANE_TA: u8 = 2;
/// RFC 6698 §2.1.1: the server's own certificate.
const DANE_EE: u8 = 3;

/// Associations that prove a server, and the names that a trust anchor may vouch for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Associations {
    records: Vec<Tlsa>,
    names: Vec<String>,
}

impl Associations {
    /// Those of these records that mail can use; none if it can use none (RFC 7672 §3.1).
    ///
    /// `names` are the one below which they were found, and the domain that the host takes mail for (RFC 7672 §3.2.2).
    #[must_use]
    pub fn new(records: Vec<Tlsa>, names: Vec<String>) -> Option<Self> {
        let records: Vec<Tlsa> = records.into_iter().filter(is_usable).take(RECORDS_MAX).collect();
        (!records.is_empty()).then_some(Self { records, names })
    }

    /// The name that the server is asked for (RFC 7672 §8.1): the one below which the associations were found.
    pub(super) fn base(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }
}

/// RFC 7672 §3.1.3: usages 0 and 1 need authorities that both sides agree on, which mail servers do not have.
fn is_usable(record: &Tlsa) -> bool {
    let length = match record.matching {
        0 => !record.data.is_empty(),
        1 => record.data.len() == 32,
        2 => record.data.len() == 64,
        _ => false,
    };
    matches!(record.usage, DANE_TA | DANE_EE) && record.selector <= 1 && length
}

/// RFC 6698 §2.1.2, §2.1.3.
fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let key;
    let selected: &[u8] = if record.selector == 0 {
        certificate
    } else {
        let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return false };
        key = parsed.subject_public_key_info();
        &key
    };
    match record.matching {
        0 => record.data == selected,
        1 => record.data == Sha256::digest(selected).as_slice(),
        2 => record.data == Sha512::digest(selected).as_slice(),
        _ => false,
    }
}

/// Judges a server's certificate by associations alone.
#[derive(Debug)]
pub(super) struct Dane {
    associations: Associations,
    keys: AnyCertificate,
}

impl Dane {
    pub(super) fn new(associations: Associations) -> Self {
        Self { associations, keys: AnyCertificate::new() }
    }

    /// RFC 7672 §3.1.2: the chain must end at an anchor that matches, and the name must be one of the server's.
    fn is_anchored(
        &self,
        record: &Tlsa,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> bool {
        let mut roots = RootCertStore::empty();
        let whole = CertificateDer::from(record.data.clone());
        // RFC 7672 §3.1.2: an anchor given whole need not be sent by the server.
        let given = (record.selector == 0 && record.matching == 0).then_some(&whole);
        let sent = chain.iter().filter(|certificate| matches(record, certificate));
        for anchor in sent.chain(given) {
            // One that cannot be read anchors nothing.
            drop(roots.add(anchor.clone().into_owned()));
        }
        if roots.is_empty() {
            return false;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        let Ok(verifier) = verifier.build() else { return false };
        let names = self.associations.names.iter().cloned();
        names
            .filter_map(|name| ServerName::try_from(name).ok())
            .any(|name| verifier.verify_server_cert(own, chain, &name, &[], now).is_ok())
    }
}

impl ServerCertVerifier for Dane {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let proven = self.associations.records.iter().any(|record| match record.usage {
            // RFC 7672 §3.1.1: neither its name nor its time matters, since the zone says both.
            DANE_EE => matches(record, own),
            _ => self.is_anchored(record, own, chain, now),
        });
        if proven {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General("no TLSA record of the server fits its certificate".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.keys.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.keys.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.keys.supported_verify_schemes()
    }
}
