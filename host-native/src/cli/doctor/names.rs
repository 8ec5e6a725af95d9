//! What DNS says of a server's own names: whether mail for its domains finds it, and whether others believe mail from them.

use std::sync::Arc;

use super::super::dkim::compare;
use super::Finding;
use crate::config::ServerProfile;
use crate::dns::{Dns, NoAnswer, Resolver};
use crate::trust::{is_spf, record_name};

/// Looks at all of them; who cannot be asked is told once.
pub(super) async fn look(profile: &ServerProfile, host_name: &str) -> Vec<Finding> {
    let dns = match Resolver::new(&profile.dns) {
        Ok(resolver) => Dns::new(Arc::new(resolver)),
        Err(error) => return vec![Finding::bad("DNS", error.message, "")],
    };
    let mut all = Vec::new();
    match dns.addresses(host_name).await {
        Err(NoAnswer::Temporary(why)) => {
            let help =
                "see that `servers` under [dns], or /etc/resolv.conf, names one that answers";
            return vec![Finding::bad("DNS", format!("{host_name}: {why}"), help)];
        }
        Ok(answer) => {
            let addresses: Vec<String> = answer.records.iter().map(ToString::to_string).collect();
            all.push(Finding::good("DNS", format!("{host_name} is {}", addresses.join(", "))));
        }
        Err(_) => all.push(Finding::warning(
            "DNS",
            format!("{host_name} has no address"),
            "add an A or AAAA record, or set host_name: others check the name that EHLO says",
        )),
    }
    for domain in &profile.domains {
        all.push(exchanges(&dns, domain, host_name).await);
        all.push(policy(&dns, "SPF", domain, domain, is_spf).await);
        all.push(policy(&dns, "DMARC", domain, &format!("_dmarc.{domain}"), is_dmarc).await);
        if !profile.dkim.iter().any(|key| covers(&key.domain, domain)) {
            let says = format!("{domain}: no key signs its mail");
            all.push(Finding::warning("DKIM", says, "pillarbox dkim keygen --domain NAME"));
        }
    }
    for key in &profile.dkim {
        let name = record_name(&key.domain, &key.selector);
        let signer = match key.read() {
            Ok(signer) => signer,
            // What is wrong with the file says whose key it is.
            Err(error) => {
                let advice = "pillarbox dkim keygen --domain NAME --selector NAME --out FILE";
                all.push(Finding::bad("DKIM", error.message, advice));
                continue;
            }
        };
        all.push(match compare(&dns, &name, &signer.key).await {
            Ok(()) => Finding::good("DKIM", format!("{name}: as the key has it")),
            Err(why) => {
                Finding::bad("DKIM", format!("{name}: {why}"), "pillarbox dkim record FILE")
            }
        });
    }
    all
}

/// Whether a key of one domain may sign for another.
fn covers(signer: &str, domain: &str) -> bool {
    domain == signer || domain.strip_suffix(signer).is_some_and(|rest| rest.ends_with('.'))
}

async fn exchanges(dns: &Dns, domain: &str, host_name: &str) -> Finding {
    let help = format!("add the record: {domain}. IN MX 10 {host_name}.");
    match dns.mx(domain).await {
        Ok(answer) => {
            let hosts: Vec<&str> = answer.records.iter().map(|mx| &mx.exchange[..]).collect();
            let says = format!("{domain}: mail goes to {}", hosts.join(", "));
            match hosts.iter().any(|host| host.eq_ignore_ascii_case(host_name)) {
                true => Finding::good("MX", says),
                false => Finding::warning("MX", format!("{says}, and not to {host_name}"), help),
            }
        }
        Err(NoAnswer::Temporary(why)) => Finding::warning("MX", format!("{domain}: {why}"), ""),
        Err(_) => Finding::warning("MX", format!("{domain}: it has no MX record"), help),
    }
}

/// RFC 7489 §6.4: the version comes first, and is followed by a semicolon or the end; spaces may stand around.
fn is_dmarc(text: &[u8]) -> bool {
    let version = text.split(|octet| *octet == b';').next().unwrap_or_default();
    let (name, value) = match version.iter().position(|octet| *octet == b'=') {
        Some(at) => (&version[..at], &version[at + 1..]),
        None => return false,
    };
    name.trim_ascii_end() == b"v" && value.trim_ascii() == b"DMARC1"
}

/// A domain has one record of such a policy, or others guess.
async fn policy(
    dns: &Dns,
    what: &'static str,
    domain: &str,
    name: &str,
    is_one: fn(&[u8]) -> bool,
) -> Finding {
    let example = match what {
        "SPF" => "v=spf1 mx -all",
        _ => "v=DMARC1; p=none",
    };
    let help = format!("add the record: {name}. IN TXT \"{example}\"");
    let texts = match dns.txt(name).await {
        Ok(answer) => answer.records,
        Err(NoAnswer::Temporary(why)) => {
            return Finding::warning(what, format!("{domain}: {why}"), "");
        }
        Err(_) => Vec::new(),
    };
    match texts.iter().filter(|text| is_one(text)).count() {
        0 => Finding::warning(what, format!("{domain}: it has no {what} record"), help),
        1 => Finding::good(what, format!("{domain}: it has a record")),
        // RFC 7208 §4.5: several are an error for good; RFC 7489 §6.6.3: several are none.
        count => {
            let says = format!("{domain}: it has {count} records, of which others then use none");
            Finding::bad(what, says, "keep one")
        }
    }
}
