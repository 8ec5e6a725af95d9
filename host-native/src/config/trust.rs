//! `[trust]` and `[[dkim]]`: how senders of mail are judged, and what mail is signed with.
//! What the settings mean is said in `trust`; here their text becomes its types.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::relay::Network;
use crate::error::Error;
use crate::trust::{Check, Checks, Key, OnTemporary, Signer, Then, TrustPolicy, TrustSettings};

/// RFC 5321 §4.5.3.2.6: a client waits ten minutes for the answer to its message; half of it is for us.
const TIMEOUT_MAX_S: u64 = 300;
/// A bound for bounds: what is asked for a stranger's message costs others.
const COUNT_MAX: u32 = 1000;

/// `[trust]`, as the file has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFile {
    /// `spf`, `dkim`, `dmarc`, `arc`; none judges nothing [default: all].
    pub checks: Option<Vec<Check>>,
    /// Networks whose mail is not judged [default: this machine].
    pub except: Option<Vec<String>>,
    /// The most that a domain's DMARC policy may bring about: `tag`, `quarantine`, `reject` [default: quarantine].
    pub honour: Option<Then>,
    /// What becomes of mail that SPF denies, where the author's domain has no DMARC policy [default: tag].
    pub spf_fail: Option<Then>,
    /// While it is not known whether mail is to be rejected: `later` or `tag` [default: later].
    pub on_temporary: Option<OnTemporary>,
    /// Domains whose ARC seals vouch for mail that they changed.
    #[serde(default)]
    pub sealers: Vec<String>,
    /// Seconds for all checks of one message [default: 20].
    pub timeout_s: Option<u64>,
    /// Questions to DNS for one message [default: 100].
    pub lookups_max: Option<u32>,
    /// Signatures of one message that are checked [default: 10].
    pub signatures_max: Option<u32>,
    /// Rules by the author's domain.
    #[serde(default)]
    pub policies: Vec<TrustPolicyFile>,
}

/// `[[trust.policies]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustPolicyFile {
    /// `bank.example`, `.bank.example` for what is below it, or `*`.
    pub domain: String,
    /// What must pass [default: dmarc].
    pub unless: Option<Check>,
    /// `accept`, `tag`, `quarantine` or `reject`.
    pub then: Then,
}

/// `[[dkim]]`: a key that signs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DkimFile {
    /// The domain that signs.
    pub domain: String,
    /// Under which name below it DNS has the key.
    pub selector: String,
    /// The file that `pillarbox dkim keygen` wrote.
    pub file: PathBuf,
}

/// A key that signs, not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimSettings {
    /// The domain, lower case.
    pub domain: String,
    /// The selector.
    pub selector: String,
    /// The file.
    pub file: PathBuf,
}

impl TrustFile {
    /// Reads the section.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`], naming the key.
    pub(super) fn settings(self) -> Result<TrustSettings, Error> {
        let usual = TrustSettings::default();
        let checks = self.checks.map(|checks| Checks {
            spf: checks.contains(&Check::Spf),
            dkim: checks.contains(&Check::Dkim),
            dmarc: checks.contains(&Check::Dmarc),
            arc: checks.contains(&Check::Arc),
        });
        let timeout_s = self.timeout_s.unwrap_or(usual.timeout.as_secs());
        if !(1..=TIMEOUT_MAX_S).contains(&timeout_s) {
            let expected = format!("expected 1 to {TIMEOUT_MAX_S} seconds, for clients wait");
            return Err(usage("timeout_s", &expected));
        }
        let signatures_max = self.signatures_max.map(|max| count("signatures_max", max));
        let signatures_max = signatures_max.transpose()?;
        Ok(TrustSettings {
            checks: checks.unwrap_or(usual.checks),
            except: self.except.map_or(Ok(usual.except), networks)?,
            honour: most("honour", self.honour)?.unwrap_or(usual.honour),
            spf_fail: most("spf_fail", self.spf_fail)?.unwrap_or(usual.spf_fail),
            on_temporary: self.on_temporary.unwrap_or(usual.on_temporary),
            policies: policies(self.policies, checks.unwrap_or(usual.checks))?,
            sealers: self.sealers.iter().map(|sealer| sealer.to_lowercase()).collect(),
            timeout: Duration::from_secs(timeout_s),
            lookups_max: self
                .lookups_max
                .map_or(Ok(usual.lookups_max), |max| count("lookups_max", max))?,
            signatures_max: signatures_max.map_or(usual.signatures_max, |max| max as usize),
        })
    }
}

fn networks(texts: Vec<String>) -> Result<Vec<Network>, Error> {
    let network = |(place, text): (usize, &String)| {
        let expected = "expected an address, or a network such as 10.0.0.0/8";
        let key = format!("except[{place}]");
        text.parse().map_err(|()| usage(&key, &format!("`{text}`: {expected}")))
    };
    texts.iter().enumerate().map(network).collect()
}

fn policies(files: Vec<TrustPolicyFile>, checks: Checks) -> Result<Vec<TrustPolicy>, Error> {
    let policy = |(place, file): (usize, TrustPolicyFile)| {
        let unless = file.unless.unwrap_or(Check::Dmarc);
        let made = match unless {
            Check::Spf => checks.spf,
            Check::Dkim => checks.dkim,
            Check::Dmarc => checks.dmarc,
            Check::Arc => checks.arc,
        };
        let key = format!("policies[{place}]");
        if !made && file.then > Then::Tag {
            let why = "it wants a check that `checks` does not name, so nothing could pass it";
            return Err(usage(&key, why));
        }
        let domain = file.domain.to_lowercase();
        let bare = domain.strip_prefix('.').unwrap_or(&domain);
        if bare != "*" && (bare.is_empty() || bare.contains(['*', '@', ' '])) {
            let expected = "expected bank.example, .bank.example for what is below it, or *";
            return Err(usage(&format!("{key}.domain"), &format!("`{domain}`: {expected}")));
        }
        Ok(TrustPolicy { domain, unless, then: file.then })
    };
    files.into_iter().enumerate().map(policy).collect()
}

/// What may be done to mail whose proof fails.
fn most(key: &str, then: Option<Then>) -> Result<Option<Then>, Error> {
    match then {
        Some(Then::Accept) => Err(usage(key, "expected tag, quarantine or reject")),
        then => Ok(then),
    }
}

fn count(key: &str, max: u32) -> Result<u32, Error> {
    match max {
        1..=COUNT_MAX => Ok(max),
        _ => Err(usage(key, &format!("expected 1 to {COUNT_MAX}"))),
    }
}

fn usage(key: &str, why: &str) -> Error {
    Error::usage(format!("trust.{key}: {why}"))
}

/// Reads `[[dkim]]`; paths are meant from `base`.
pub(super) fn dkim(files: Vec<DkimFile>, base: &Path) -> Result<Vec<DkimSettings>, Error> {
    let mut keys: Vec<DkimSettings> = Vec::new();
    for (place, DkimFile { domain, selector, file }) in files.into_iter().enumerate() {
        let (domain, selector) = (domain.to_lowercase(), selector.to_lowercase());
        check_name("domain", &domain)
            .and_then(|()| check_name("selector", &selector))
            .map_err(|why| Error::usage(format!("dkim[{place}].{why}")))?;
        if keys.iter().any(|key| key.domain == domain && key.selector == selector) {
            let why =
                format!("selector `{selector}` of {domain} is used twice; name each key once");
            return Err(Error::usage(format!("dkim[{place}].selector: {why}")));
        }
        keys.push(DkimSettings { domain, selector, file: base.join(file) });
    }
    Ok(keys)
}

/// Whether a domain or a selector can stand in DNS and in a signature (RFC 6376 §3.1, §3.5): what is wrong otherwise.
///
/// # Errors
/// The key, and what was expected.
pub fn check_name(key: &str, name: &str) -> Result<(), String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    };
    if name.len() <= 253 && name.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!(
        "{key}: `{name}` is none; expected letters, digits, hyphens and dots (of other letters, the form with xn--)"
    ))
}

impl DkimSettings {
    /// Reads the key.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`], naming the domain, the selector and the file.
    pub fn read(&self) -> Result<Signer, Error> {
        let Self { domain, selector, file } = self;
        let key = Key::read(file).map_err(|error| {
            Error::usage(format!("dkim {selector}._domainkey.{domain}: {}", error.message))
        })?;
        Ok(Signer { domain: domain.clone(), selector: selector.clone(), key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<TrustSettings, String> {
        let file: TrustFile = toml::from_str(text).map_err(|error| error.to_string())?;
        file.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_said_means_what_is_safe() {
        let usual = settings("").expect("nothing is wrong");
        assert_eq!(usual, TrustSettings::default());
        assert_eq!((usual.honour, usual.checks), (Then::Quarantine, Checks::ALL));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            ("checks = ['spv']", "unknown variant"),
            ("honour = 'accept'", "trust.honour: expected tag"),
            ("timeout_s = 0", "trust.timeout_s"),
            ("lookups_max = 0", "trust.lookups_max"),
            ("signatures_max = 5000", "trust.signatures_max"),
            ("except = ['here']", "trust.except[0]: `here`"),
            ("policy = 1", "unknown field"),
            ("[[policies]]\ndomain = 'a@b'\nthen = 'tag'", "trust.policies[0].domain"),
            (
                "checks = ['spf']\n[[policies]]\ndomain = 'a'\nthen = 'reject'",
                "`checks` does not name",
            ),
        ];
        for (text, part) in wrong {
            let error = settings(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
        let file = |domain: &str| DkimFile {
            domain: domain.to_owned(),
            selector: "a".to_owned(),
            file: "key".into(),
        };
        let base = Path::new("/etc/mail");
        let keys = dkim(vec![file("B.example")], base).expect("fine");
        assert_eq!((&keys[0].domain[..], &keys[0].file), ("b.example", &"/etc/mail/key".into()));
        for (files, part) in [
            (vec![file("a b")], "dkim[0].domain"),
            (vec![file("a"), file("A")], "dkim[1].selector: selector `a` of a is used twice"),
        ] {
            let error = dkim(files, base).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        let missing = keys[0].read().expect_err("there is no such file").to_string();
        assert!(missing.contains("a._domainkey.b.example: /etc/mail/key"), "{missing}");
    }
}
