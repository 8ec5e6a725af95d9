//! What a domain says of its mail's TLS, as text (RFC 8461 §3): the record that announces a policy, and the policy.
//! When it is fetched and how long it is kept is not decided here.

use serde::{Deserialize, Serialize};

/// RFC 8461 §3.2: the longest life of a policy, in seconds.
const AGE_MAX_S: u64 = 31_557_600;
/// Hosts that one policy may name.
const PATTERNS_MAX: usize = 100;

/// What a domain wants of those who send mail to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How seriously.
    pub mode: Mode,
    /// How long it holds, in seconds.
    pub max_age_s: u64,
    /// The hosts that take its mail; `*.` in front stands for one label.
    pub mx: Vec<String>,
}

/// RFC 8461 §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// No mail to a host that does not comply.
    Enforce,
    /// Mail goes on; failures are only told.
    Testing,
    /// As if there were no policy.
    None,
}

/// RFC 8461 §3.1: the id of the one record that announces a policy.
pub(super) fn announced(records: &[Vec<u8>]) -> Option<String> {
    let mut found = records.iter().filter(|record| record.starts_with(b"v=STSv1;"));
    let (Some(record), None) = (found.next(), found.next()) else { return None };
    let text = std::str::from_utf8(record).ok()?;
    let mut fields = text.split(';').filter_map(|field| field.trim().split_once('='));
    let (_, id) = fields.find(|(name, _)| name.trim() == "id")?;
    let id = id.trim();
    let right = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    right.then(|| id.to_owned())
}

/// RFC 8461 §3.2: `key: value`, one a line; the first of a key counts, except for `mx`.
pub(super) fn parse(text: &[u8]) -> Option<Policy> {
    let text = std::str::from_utf8(text).ok()?;
    let (mut version, mut mode, mut max_age_s, mut mx) = (None, None, None, Vec::new());
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match key.trim() {
            "version" if version.is_none() => version = Some(value),
            "mode" if mode.is_none() => mode = Some(value),
            "max_age" if max_age_s.is_none() => max_age_s = Some(value.parse::<u64>().ok()?),
            "mx" if mx.len() < PATTERNS_MAX => mx.push(value.to_ascii_lowercase()),
            _ => {}
        }
    }
    let mode = match mode? {
        "enforce" => Mode::Enforce,
        "testing" => Mode::Testing,
        "none" => Mode::None,
        _ => return None,
    };
    let fine = version? == "STSv1" && (mode == Mode::None || !mx.is_empty());
    let max_age_s = max_age_s?.min(AGE_MAX_S);
    fine.then_some(Policy { mode, max_age_s, mx })
}

impl Policy {
    /// RFC 8461 §4.1: whether a host is one of those that take the domain's mail.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(rest) => {
                host.split_once('.').is_some_and(|(first, of)| !first.is_empty() && of == rest)
            }
            None => *pattern == host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_one_record_with_an_id() {
        let of = |records: &[&str]| {
            let records: Vec<_> = records.iter().map(|text| text.as_bytes().to_vec()).collect();
            announced(&records)
        };
        assert_eq!(
            of(&["v=spf1 -all", "v=STSv1; id=20160831085700Z;"]),
            Some("20160831085700Z".into())
        );
        assert_eq!(of(&["v=STSv1;id=1"]), Some("1".into()));
        for wrong in [
            &["v=STSv1; id=1;", "v=STSv1; id=2;"][..],
            &["v=STSv1; id=;"],
            &["v=STSv1; id=a-b;"],
            &["v=STSv1; id=123456789012345678901234567890123;"],
            &["v=STSv2; id=1;"],
            &["v=STSv1;"],
            &[],
        ] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn policies_are_read_as_they_are_meant() {
        let text = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n\
                    mx: backupmx.example.com\r\nmax_age: 604800\r\nmode: none\r\nnew: x\r\n";
        let policy = parse(text.as_bytes()).expect("the example of RFC 8461 §3.2");
        assert_eq!((policy.mode, policy.max_age_s, policy.mx.len()), (Mode::Enforce, 604_800, 3));
        for host in ["mail.example.com", "MAIL.example.com.", "a.example.net"] {
            assert!(policy.names(host), "{host}");
        }
        for host in [
            "example.net",
            "a.b.example.net",
            "mail.example.com.evil",
            "example.com",
            ".example.net",
        ] {
            assert!(!policy.names(host), "{host}");
        }
        for wrong in [
            "",
            "version: STSv1\nmode: enforce\nmax_age: 1\n",
            "version: STSv2\nmode: none\nmax_age: 1\n",
            "version: STSv1\nmode: strict\nmx: a\nmax_age: 1\n",
            "version: STSv1\nmode: none\n",
            "version: STSv1\nmode: none\nmax_age: -1\n",
            "mode: none\nmax_age: 1\n",
            "<html>",
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong:?}");
        }
        let long = parse(b"version: STSv1\nmode: none\nmax_age: 99999999999\n").expect("a policy");
        assert_eq!(long.max_age_s, AGE_MAX_S);
    }
}
