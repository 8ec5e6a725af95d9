//! What a configuration file says of domains and addresses, judged: whom a server profile takes mail for.

use std::collections::BTreeMap;
use std::path::Path;

use super::{ConfigFile, Data, RelaySettings, ServerProfile, check_domain, trust};
use crate::error::Error;

/// The server profile of a file.
///
/// # Errors
/// [`crate::error::Kind::Usage`], naming the key.
pub(super) fn server(file: ConfigFile, data: &Data, base: &Path) -> Result<ServerProfile, Error> {
    let accounts =
        data.directory().map(|directory| directory.join("accounts")).ok_or_else(|| {
            Error::usage(
                "a server profile keeps its accounts with its mail; \
             use --data DIR instead of --memory",
            )
        })?;
    let lower = |map: BTreeMap<String, String>| {
        map.into_iter().map(|(k, v)| (k.to_lowercase(), v.to_lowercase())).collect()
    };
    let lists = |map: BTreeMap<String, Vec<String>>| {
        let lower = |(name, all): (String, Vec<String>)| {
            (name.to_lowercase(), all.iter().map(|address| address.to_lowercase()).collect())
        };
        map.into_iter().map(lower).collect()
    };
    check_addresses(&file)?;
    let (aliases, identities) = (lists(file.aliases), lists(file.identities));
    let catch_all = lower(file.catch_all);
    let relay = RelaySettings::new(file.relay, base)?;
    Ok(ServerProfile {
        domains: file.domains,
        aliases,
        catch_all,
        identities,
        accounts,
        relay,
        dns: file.dns.settings(base),
        trust: file.trust.settings()?,
        dkim: trust::dkim(file.dkim, base)?,
    })
}

/// Whether names can ever be met: one that nobody can write to or log in with is a slip of the pen.
fn check_addresses(file: &ConfigFile) -> Result<(), Error> {
    let ours =
        |key: &str, name: &str, domain: &str| match file.domains.contains(&domain.to_lowercase()) {
            true => Ok(()),
            false => Err(Error::usage(format!("{key}: `{name}`: {domain} is none of domains"))),
        };
    for (name, targets) in &file.aliases {
        ours("aliases", name, domain_of("aliases", name)?)?;
        let key = format!("aliases.\"{name}\"");
        if targets.is_empty() {
            let what = "it stands for nobody; name an address, or leave it out";
            return Err(Error::usage(format!("{key}: {what}")));
        }
        targets.iter().try_for_each(|target| domain_of(&key, target).map(drop))?;
    }
    for (domain, target) in &file.catch_all {
        ours("catch_all", domain, domain)?;
        domain_of("catch_all", target)?;
    }
    for (account, identities) in &file.identities {
        domain_of("identities", account)?;
        let key = format!("identities.\"{account}\"");
        for identity in identities {
            // `@domain` is all of a domain.
            match identity.strip_prefix('@') {
                Some(domain) => {
                    check_domain(domain).map_err(|why| Error::usage(format!("{key}: {why}")))?
                }
                None => domain_of(&key, identity).map(drop)?,
            }
        }
    }
    let entities = &file.imap.submission_entities;
    for (key, accounts) in
        [("imap.quota_admins", &file.imap.quota_admins), ("imap.submission_entities", entities)]
    {
        accounts.iter().try_for_each(|account| domain_of(key, account).map(drop))?;
    }
    Ok(())
}

/// The domain of an address that a key names.
fn domain_of<'a>(key: &str, address: &'a str) -> Result<&'a str, Error> {
    match address.rsplit_once('@') {
        Some((local, domain))
            if !local.is_empty() && (domain.starts_with('[') || check_domain(domain).is_ok()) =>
        {
            Ok(domain)
        }
        _ => {
            let what = format!("`{address}` is not an address such as bob@hamburger.edu");
            Err(Error::usage(format!("{key}: {what}")))
        }
    }
}
