//! `pillarbox dkim`: keys that sign outgoing mail, and what DNS must say of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::ServeFlags;
use crate::config::{DkimSettings, Profile, Settings, check_name};
use crate::dns::{Dns, NoAnswer, Resolver};
use crate::error::Error;
use crate::trust::{Key, KeyKind, RSA_BITS, generate, quoted, record_name};

const HELP: &str = "\
A signature tells who receives mail of yours that it is yours, and that nobody has changed it. In three steps:
  1. make a key:           pillarbox dkim keygen --domain hamburger.edu --selector s2026 --out s2026.pem
  2. publish what it prints as a TXT record, and put the lines for pillarbox.toml there
  3. see whether both fit:  pillarbox dkim check --config pillarbox.toml
A domain may have several keys, and mail is signed with all of them: an RSA key for everybody, an Ed25519 key for those
who know it. To change a key, make one with a new selector; remove the old record when no mail signed with it waits.";

/// Flags of `dkim`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct DkimFlags {
    #[command(subcommand)]
    word: Word,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Make a key; prints its DNS record and the lines for the configuration file
    Keygen {
        /// The domain that signs, such as hamburger.edu
        #[arg(long)]
        domain: String,
        /// A name for the key, such as s2026; each key of a domain has another
        #[arg(long)]
        selector: String,
        /// What kind of key: every server can check RSA, not each can check Ed25519
        #[arg(long, value_enum, default_value_t = Algorithm::Rsa)]
        algorithm: Algorithm,
        /// Bits of an RSA key: 2048, 3072 or 4096
        #[arg(long, default_value_t = 2048)]
        bits: usize,
        /// The new file for the private key; only its owner can read it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print the DNS record of a key
    Record {
        /// The file of the private key
        file: PathBuf,
        /// With the selector: print the record's name too
        #[arg(long, requires = "selector")]
        domain: Option<String>,
        /// With the domain
        #[arg(long, requires = "domain")]
        selector: Option<String>,
    },
    /// Look up the records of the configured keys and compare
    Check {
        /// Configuration of the server profile, with its [[dkim]] keys
        #[arg(long, value_name = "FILE", env = "PILLARBOX_CONFIG")]
        config: PathBuf,
        /// Only keys of this domain
        #[arg(long)]
        domain: Option<String>,
        /// Only the key of this name
        #[arg(long)]
        selector: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Algorithm {
    /// RFC 6376
    Rsa,
    /// RFC 8463
    Ed25519,
}

pub(super) fn run(flags: DkimFlags) -> Result<(), Error> {
    match flags.word {
        Word::Keygen { domain, selector, algorithm, bits, out } => {
            let (domain, selector) = (domain.to_lowercase(), selector.to_lowercase());
            keygen(&domain, &selector, kind(algorithm, bits)?, &out)
        }
        Word::Record { file, domain, selector } => {
            let key = Key::read(&file)?;
            let record = quoted(key.record());
            match domain.zip(selector) {
                Some((domain, selector)) => println!("{}", line(&domain, &selector, &key)),
                None => println!("{record}"),
            }
            Ok(())
        }
        Word::Check { config, domain, selector } => check(config, domain, selector),
    }
}

fn kind(algorithm: Algorithm, bits: usize) -> Result<KeyKind, Error> {
    match algorithm {
        Algorithm::Ed25519 => Ok(KeyKind::Ed25519),
        // With other lengths nothing could be signed: both primes have to fill whole words.
        Algorithm::Rsa if RSA_BITS.contains(&bits) && bits.is_multiple_of(1024) => {
            Ok(KeyKind::Rsa(bits))
        }
        Algorithm::Rsa => Err(Error::usage(format!("--bits {bits}: expected 2048, 3072 or 4096"))),
    }
}

fn keygen(domain: &str, selector: &str, kind: KeyKind, out: &Path) -> Result<(), Error> {
    for (key, name) in [("domain", domain), ("selector", selector)] {
        check_name(key, name).map_err(|why| Error::usage(format!("--{why}")))?;
    }
    let key = generate(kind, out)?;
    println!("; the record for DNS, a TXT record in the zone of {domain}:");
    println!("{}", line(domain, selector, &key));
    println!();
    println!("# the lines for pillarbox.toml:");
    println!("[[dkim]]");
    println!("domain = \"{domain}\"");
    println!("selector = \"{selector}\"");
    println!("file = {}", toml::Value::String(out.display().to_string()));
    Ok(())
}

/// A record as a line of a zone file.
fn line(domain: &str, selector: &str, key: &Key) -> String {
    format!("{}. IN TXT ( {} )", record_name(domain, selector), quoted(key.record()))
}

fn check(config: PathBuf, domain: Option<String>, selector: Option<String>) -> Result<(), Error> {
    let at = config.display().to_string();
    let settings = Settings::new(ServeFlags { config: Some(config), ..ServeFlags::default() })?;
    let Profile::Server(profile) = settings.profile else {
        return Err(Error::usage(format!("--config {at}: it is no server profile")));
    };
    let is_wanted = |name: &str, wanted: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let wanted = |key: &&DkimSettings| {
        is_wanted(&key.domain, &domain) && is_wanted(&key.selector, &selector)
    };
    let keys: Vec<&DkimSettings> = profile.dkim.iter().filter(wanted).collect();
    if keys.is_empty() {
        let help = "it has no such [[dkim]] key; `pillarbox dkim keygen` makes one";
        return Err(Error::usage(format!("--config {at}: {help}")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed(error.to_string()))?;
    let dns = Dns::new(Arc::new(Resolver::new(&profile.dns)?));
    let mut bad = 0;
    for settings in &keys {
        let name = record_name(&settings.domain, &settings.selector);
        let found = match settings.read() {
            Ok(signer) => runtime.block_on(compare(&dns, &name, &signer.key)),
            Err(error) => Err(error.message),
        };
        match found {
            Ok(()) => println!("good  {name}"),
            Err(why) => {
                bad += 1;
                println!("bad   {name}: {why}");
            }
        }
    }
    match bad {
        0 => Ok(()),
        1 => Err(Error::failed("1 key is not as DNS has it")),
        bad => Err(Error::failed(format!("{bad} keys are not as DNS has them"))),
    }
}

/// Whether DNS has this key under this name; what is wrong otherwise.
pub(super) async fn compare(dns: &Dns, name: &str, key: &Key) -> Result<(), String> {
    let should = format!("it should say: {}", quoted(key.record()));
    let records = match dns.txt(name).await {
        Ok(answer) => answer.records,
        Err(NoAnswer::NoName | NoAnswer::NoRecords) => {
            return Err(format!("DNS has no such TXT record; {should}"));
        }
        Err(error) => return Err(error.to_string()),
    };
    if let [_, _, ..] = &records[..] {
        // RFC 6376 §3.6.2.2: with several, what a verifier does is not defined.
        return Err(format!("DNS has {} records of this name; keep one", records.len()));
    }
    let own = tag(key.record(), "p");
    let said = String::from_utf8_lossy(&records[0]).into_owned();
    match tag(&said, "p") {
        Some(said) if Some(&said) == own.as_ref() => Ok(()),
        Some(said) if said.is_empty() => Err("DNS says that the key is revoked (p=)".to_owned()),
        Some(_) => Err(format!("DNS has another key; {should}")),
        None => Err(format!("DNS has a record that is no key, `{said}`; {should}")),
    }
}

/// A tag's value, without white space (RFC 6376 §3.2).
fn tag(record: &str, name: &str) -> Option<String> {
    let tags = record.split(';').filter_map(|tag| tag.split_once('='));
    let value = tags.into_iter().find(|(tag, _)| tag.trim() == name)?.1;
    Some(value.split_whitespace().collect())
}
