//! One host that judges and signs, its name server, and keys of others.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use mail_auth::common::crypto::{Ed25519Key, RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::{Canonicalization, DkimSigner, Done};
use pillarbox::dns::{Resolver, ResolverSettings};
use pillarbox::trust::{Key, KeyKind, Signer, Trust, TrustMetrics, TrustSettings, generate};
use pillarbox_engine::smtp::{MailFrom, Mailbox};
use pillarbox_engine::types::{Reason, Refusal};
use pillarbox_tests::dns::DnsServer;
use pillarbox_world::service::trust::{Edit, Judged, Letter, Signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

/// The host that judges.
pub(crate) const HOST: &str = "mx.b.example";
/// Who brings mail, unless a test says otherwise.
pub(crate) const PEER: &str = "192.0.2.1";
/// A message of the author that most tests are about.
pub(crate) const MESSAGE: &str = "From: Alice <alice@a.example>\r\nTo: bob@b.example\r\n\
                           Subject: ketchup\r\n\r\nDo you like  ketchup?\r\n\r\n";

/// Keys that are made once for all tests.
pub(crate) struct Keys {
    pub(crate) rsa: PathBuf,
    pub(crate) ed25519: PathBuf,
    pub(crate) other: PathBuf,
}

/// Makes them.
pub(crate) fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let make = |name: &str, kind| {
            let name = format!("pillarbox-trust-{name}-{}.pem", std::process::id());
            let path = std::env::temp_dir().join(name);
            drop(std::fs::remove_file(&path));
            generate(kind, &path).expect("a new file");
            path
        };
        Keys {
            rsa: make("rsa", KeyKind::Rsa(2048)),
            ed25519: make("ed25519", KeyKind::Ed25519),
            other: make("other", KeyKind::Rsa(2048)),
        }
    })
}

fn der(path: &Path) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(path).expect("it was just made")
}

/// The key as mail-auth signs with it.
pub(crate) fn rsa() -> RsaKey<Sha256> {
    RsaKey::from_key_der(der(&keys().rsa)).expect("an RSA key")
}

/// The key as mail-auth signs with it.
pub(crate) fn ed25519() -> Ed25519Key {
    Ed25519Key::from_pkcs8_der(der(&keys().ed25519).secret_der()).expect("an Ed25519 key")
}

/// A signer of a domain, under the selector `rsa`.
pub(crate) fn signer(domain: &str) -> DkimSigner<RsaKey<Sha256>, Done> {
    let signer = DkimSigner::from_key(rsa()).domain(domain).selector("rsa");
    signer.headers(["From", "To", "Subject"]).header_canonicalization(Canonicalization::Relaxed)
}

/// The message with the signature of a domain before it.
pub(crate) fn signed(domain: &str, message: &str) -> String {
    let signature = signer(domain).sign(message.as_bytes()).expect("it has such fields");
    format!("{}{message}", signature.to_header())
}

/// A host.
pub(crate) struct Rig {
    pub(crate) dns: DnsServer,
    pub(crate) trust: Trust,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The fields that were put before it.
    pub(crate) fields: String,
    /// Whether it goes where junk goes.
    pub(crate) junk: bool,
    /// The message as it is stored, without Return-Path.
    pub(crate) stored: String,
}

impl Rig {
    /// With settings; names are asked of the rig's own server.
    pub(crate) fn new(settings: TrustSettings) -> Self {
        Self::signing(settings, Vec::new())
    }

    /// The same with keys of its own.
    pub(crate) fn signing(settings: TrustSettings, signers: Vec<Signer>) -> Self {
        let dns = DnsServer::start();
        let resolver =
            ResolverSettings { servers: vec![dns.address()], ..ResolverSettings::default() };
        let resolver = Resolver::new(&resolver).expect("servers are given");
        let trust = Trust::new(settings, HOST, resolver, signers, TrustMetrics::default());
        Self { dns, trust }
    }

    /// One that only takes down what it found.
    pub(crate) fn usual() -> Self {
        let timeout = Duration::from_secs(5);
        Self::new(TrustSettings { timeout, ..TrustSettings::default() })
    }

    /// The keys of a domain are in DNS, under `rsa` and `ed25519`.
    pub(crate) fn publish(&self, domain: &str) {
        for (selector, file) in [("rsa", &keys().rsa), ("ed25519", &keys().ed25519)] {
            let key = Key::read(file).expect("it was just made");
            self.dns.txt(&format!("{selector}._domainkey.{domain}"), key.record());
        }
    }

    /// Has a message judged that comes from the usual peer and sender.
    pub(crate) async fn judge(&self, message: &str) -> Result<Outcome, Reason> {
        self.judge_from(PEER, "alice@a.example", message).await
    }

    /// The same from another.
    pub(crate) async fn judge_from(
        &self,
        peer: &str,
        path: &str,
        message: &str,
    ) -> Result<Outcome, Reason> {
        self.judge_leaving(peer, path, message, false).await
    }

    /// The same of one that may leave again.
    pub(crate) async fn judge_leaving(
        &self,
        peer: &str,
        path: &str,
        message: &str,
        leaves: bool,
    ) -> Result<Outcome, Reason> {
        let sender = mail_from(path);
        let return_path = format!("Return-Path: <{path}>\r\n");
        let skip = return_path.len() as u64;
        let received = format!("Received: from client ([{peer}])\r\n\tby {HOST};\r\n\tnow\r\n");
        let content = format!("{return_path}{received}{message}").into_bytes();
        let letter = Letter {
            content: &content,
            skip,
            sender: &sender,
            peer: peer.as_bytes(),
            helo: b"client.example",
            account: None,
            is_own: false,
            wide: false,
            leaves,
        };
        let judged = self.trust.judge(letter).await;
        let Judged { edit, junk } = judged.map_err(|Refusal { reason, .. }| reason)?;
        let fields = String::from_utf8(edit.before.clone()).expect("tests are ASCII");
        Ok(Outcome { fields, junk, stored: stored(&content, skip, &edit) })
    }

    /// Has a message of alice@a.example signed, who writes as herself; it has a Received field of this host first.
    pub(crate) async fn sign(&self, message: &str) -> Signed {
        self.sign_as(message, true).await
    }

    /// The same where it may be that the author's address is not her own.
    pub(crate) async fn sign_as(&self, message: &str, is_own: bool) -> Signed {
        let sender = mail_from("alice@a.example");
        let content = format!("Received: from client\r\n\tby {HOST}; now\r\n{message}");
        let content = content.into_bytes();
        let letter = Letter {
            content: &content,
            skip: 0,
            sender: &sender,
            peer: PEER.as_bytes(),
            helo: b"client.example",
            account: Some(b"alice@a.example"),
            is_own,
            wide: !message.is_ascii(),
            leaves: true,
        };
        self.trust.sign(letter).await.expect("it can be read")
    }
}

fn mail_from(path: &str) -> MailFrom {
    let mailbox = path.rsplit_once('@').map(|(local, domain)| Mailbox {
        local_part: local.as_bytes().to_vec(),
        domain: domain.as_bytes().to_vec(),
    });
    MailFrom { reverse_path: mailbox, ..MailFrom::default() }
}

fn stored(content: &[u8], skip: u64, edit: &Edit) -> String {
    let mut out = edit.before.clone();
    let mut at = skip as usize;
    for range in &edit.without {
        out.extend_from_slice(&content[at..range.start as usize]);
        at = range.end as usize;
    }
    out.extend_from_slice(&content[at..]);
    String::from_utf8(out).expect("tests are ASCII")
}

impl Outcome {
    /// The result of a check, such as `pass`; empty if there is none.
    pub(crate) fn result(&self, check: &str) -> &str {
        let mark = format!("\t{check}=");
        let Some((_, rest)) = self.fields.split_once(&mark) else { return "" };
        rest.split([' ', ';', '\r']).next().unwrap_or_default()
    }

    /// All results of a check.
    pub(crate) fn results(&self, check: &str) -> Vec<&str> {
        let mark = format!("\t{check}=");
        let parts = self.fields.split(&mark[..]).skip(1);
        parts.map(|rest| rest.split([' ', ';', '\r']).next().unwrap_or_default()).collect()
    }
}
