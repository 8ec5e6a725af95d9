//! `pillarbox smime`: keys and certificates for people, and messages signed, verified, encrypted and decrypted.
//! Messages come from files or standard input and go to standard output; what S/MIME is, `pillarbox-smime` knows.

mod files;
mod report;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};
use pillarbox_smime::{
    Author, Certificate, Cipher, Form, Issuer, Known, New, PrivateKey, Reason, State, decrypt,
    encrypt, make, sign, unwrapped, verify,
};

use crate::auth::chance;
use crate::error::{Error, Kind};
use crate::trust::write_new;
use files::{certificates, message, put, revocations, system_authorities};

const DAY: i64 = 86_400;

const HELP: &str = "\
Examples:
  pillarbox smime keygen --address alice@crepes.fr --key alice.key --cert alice.crt
  pillarbox smime sign --key alice.key --cert alice.crt letter.eml | pillarbox send --message - --to bob@hamburger.edu
  pillarbox smime encrypt --to bob.crt --to alice.crt letter.eml > sealed.eml
  pillarbox smime verify --trust alice.crt signed.eml
  pillarbox smime decrypt --key bob.key --cert bob.crt sealed.eml

An authority of one's own, for a group of people:
  pillarbox smime keygen --authority 'Crepes authority' --key ca.key --cert ca.crt
  pillarbox smime keygen --address alice@crepes.fr --key alice.key --cert alice.crt --issuer-key ca.key --issuer-cert ca.crt

Neither a signature nor encryption covers the header: subject, sender and recipients stay readable, and can be changed.

Exit codes: 0 done, and for verify: signed, trusted, and the address is that of From; 1 verify found something else, or
decrypt has no key; 2 wrong flag, key or certificate; 65 the message is wrong; 66 it cannot be read.";

/// Flags of `smime`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct SmimeFlags {
    #[command(subcommand)]
    word: Word,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Make a key and its certificate
    Keygen(KeygenFlags),
    /// Sign a message
    Sign(SignFlags),
    /// Say who signed a message, whether it is as it was signed, and whether that someone is trusted
    Verify(VerifyFlags),
    /// Encrypt a message to the owners of certificates
    Encrypt(EncryptFlags),
    /// Decrypt a message that is encrypted to you
    Decrypt(DecryptFlags),
}

#[derive(Debug, Args)]
struct KeygenFlags {
    /// Whose key it is; repeatable
    #[arg(long, value_name = "ADDRESS", required_unless_present = "authority")]
    address: Vec<String>,
    /// Make an authority of this name, which signs certificates of others and no mail
    #[arg(long, value_name = "NAME", conflicts_with_all = ["address", "name"])]
    authority: Option<String>,
    /// The owner's name [default: the first address]
    #[arg(long)]
    name: Option<String>,
    /// The new file for the private key; only its owner can read it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The new file for the certificate, which everybody may have
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// What kind of key
    #[arg(long, value_enum, default_value_t = Algorithm::Rsa)]
    algorithm: Algorithm,
    /// Bits of an RSA key: 2048, 3072 or 4096
    #[arg(long, default_value_t = 2048)]
    bits: usize,
    /// For how many days it is valid
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(u16).range(1..=36500))]
    days: u16,
    /// The authority's key; without it the certificate is signed by itself
    #[arg(long, value_name = "FILE", requires = "issuer_cert")]
    issuer_key: Option<PathBuf>,
    /// The authority's certificate
    #[arg(long, value_name = "FILE", requires = "issuer_key")]
    issuer_cert: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Algorithm {
    /// Every mail program can use it
    Rsa,
    /// Smaller and quicker; not each mail program can encrypt to it
    P256,
}

/// A key and its certificate.
#[derive(Debug, Args)]
struct OwnFlags {
    /// Your private key, as PEM
    #[arg(long, value_name = "FILE", env = "PILLARBOX_SMIME_KEY")]
    key: PathBuf,
    /// Your certificate, as PEM or DER; further ones in the file are those of the authorities behind it
    #[arg(long, value_name = "FILE", env = "PILLARBOX_SMIME_CERT")]
    cert: PathBuf,
}

#[derive(Debug, Args)]
struct SignFlags {
    #[command(flatten)]
    own: OwnFlags,
    /// Put the content inside of the signature: servers that change text cannot break it, and programs without S/MIME
    /// show nothing
    #[arg(long)]
    opaque: bool,
    /// The message; - or nothing is standard input
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct VerifyFlags {
    /// Certificates of whom to trust: authorities, or single people; repeatable
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Trust the authorities of this system too
    #[arg(long)]
    trust_system: bool,
    /// Certificates that may be needed and do not come with the message; nobody is trusted because of them
    #[arg(long = "with", value_name = "FILE")]
    others: Vec<PathBuf>,
    /// Lists of revoked certificates; repeatable
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// A private key that the message may be encrypted to
    #[arg(long, value_name = "FILE", env = "PILLARBOX_SMIME_KEY", requires = "cert")]
    key: Option<PathBuf>,
    /// Its certificate
    #[arg(long, value_name = "FILE", env = "PILLARBOX_SMIME_CERT", requires = "key")]
    cert: Option<PathBuf>,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
    /// The message; - or nothing is standard input
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct EncryptFlags {
    /// Certificate of a recipient; name your own too, or you cannot read what you sent; repeatable
    #[arg(long, value_name = "FILE", required = true)]
    to: Vec<PathBuf>,
    /// The content's cipher; CBC is for programs that know no GCM, and does not tell when something was changed
    #[arg(long, value_enum, default_value_t = CipherChoice::Aes256Gcm)]
    cipher: CipherChoice,
    /// The message; - or nothing is standard input
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CipherChoice {
    #[value(name = "aes-256-gcm")]
    Aes256Gcm,
    #[value(name = "aes-128-gcm")]
    Aes128Gcm,
    #[value(name = "aes-256-cbc")]
    Aes256Cbc,
    #[value(name = "aes-128-cbc")]
    Aes128Cbc,
}

#[derive(Debug, Args)]
struct DecryptFlags {
    #[command(flatten)]
    own: OwnFlags,
    /// The message; - or nothing is standard input
    file: Option<PathBuf>,
}

pub(super) fn run(flags: SmimeFlags) -> Result<(), Error> {
    match flags.word {
        Word::Keygen(flags) => keygen(&flags),
        Word::Sign(flags) => signed(&flags),
        Word::Verify(flags) => verified(&flags),
        Word::Encrypt(flags) => encrypted(&flags),
        Word::Decrypt(flags) => decrypted(&flags),
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

fn keygen(flags: &KeygenFlags) -> Result<(), Error> {
    for address in &flags.address {
        files::check_address(address)?;
    }
    if flags.key == flags.cert {
        return Err(Error::usage("--key and --cert name the same file; name two"));
    }
    let issuer = match (&flags.issuer_key, &flags.issuer_cert) {
        (Some(key), Some(certificate)) => Some(own(key, certificate)?),
        _ => None,
    };
    if let (Some((_, all)), Some(path)) = (&issuer, &flags.issuer_cert)
        && !all[0].is_authority()
    {
        let help = "make one with `pillarbox smime keygen --authority NAME`";
        let path = path.display();
        return Err(Error::usage(format!("--issuer-cert {path}: it is no authority's; {help}")));
    }
    let entropy = &mut chance()?;
    let key = match flags.algorithm {
        Algorithm::P256 => PrivateKey::generate_p256(entropy),
        Algorithm::Rsa if matches!(flags.bits, 2048 | 3072 | 4096) => {
            let key = PrivateKey::generate_rsa(flags.bits, entropy);
            key.map_err(|why| Error::failed(format!("no RSA key: {}", why.words())))?
        }
        Algorithm::Rsa => {
            let bits = flags.bits;
            return Err(Error::usage(format!("--bits {bits}: expected 2048, 3072 or 4096")));
        }
    };
    let addresses: Vec<&str> = flags.address.iter().map(String::as_str).collect();
    let named = flags.authority.as_deref().or(flags.name.as_deref());
    let new = New {
        name: named.or(addresses.first().copied()).unwrap_or_default(),
        addresses: &addresses,
        is_authority: flags.authority.is_some(),
        // Clocks of others may be behind.
        not_before: now() - DAY,
        not_after: now() + i64::from(flags.days) * DAY,
    };
    let signer = issuer.as_ref().map(|(key, all)| Issuer { certificate: &all[0], key });
    let certificate = make(new, &key, signer, entropy);
    let certificate = certificate.map_err(|why| Error::usage(why.words()))?;
    let mut text = certificate.to_pem();
    // Who verifies needs those between the owner and an authority that is trusted.
    for one in issuer.iter().flat_map(|(_, all)| all) {
        text.push_str(&one.to_pem());
    }
    write_new("--key", &flags.key, key.to_pem().as_bytes())?;
    files::write_certificate("--cert", &flags.cert, &text)?;
    println!("key          {} ({})", flags.key.display(), key.words());
    println!("certificate  {} ({})", flags.cert.display(), certificate.subject_words());
    println!("fingerprint  {}", certificate.fingerprint());
    Ok(())
}

/// A private key, and certificates of which the first one is its.
fn own(
    key: &std::path::Path,
    path: &std::path::Path,
) -> Result<(PrivateKey, Vec<Certificate>), Error> {
    let own = files::private_key(key)?;
    let all = certificates(path)?;
    if !all[0].is_of(&own) {
        let (path, key) = (path.display(), key.display());
        return Err(Error::usage(format!("{path}: its first certificate is not that of {key}")));
    }
    Ok((own, all))
}

fn signed(flags: &SignFlags) -> Result<(), Error> {
    let (key, all) = own(&flags.own.key, &flags.own.cert)?;
    let (certificate, chain) = all.split_first().expect("a file without certificates is refused");
    files::check_valid(&flags.own.cert, certificate, now())?;
    // Whoever trusts an authority has its certificate.
    let chain: Vec<Certificate> =
        chain.iter().filter(|one| one.subject_words() != one.issuer_words()).cloned().collect();
    let author = Author { key: &key, certificate, chain: &chain, at: now() };
    let form = if flags.opaque { Form::Opaque } else { Form::Detached };
    let message = message(flags.file.as_deref())?;
    let signed = sign(&message, &author, form, &mut chance()?).map_err(files::cannot)?;
    put(&signed)
}

fn encrypted(flags: &EncryptFlags) -> Result<(), Error> {
    let mut recipients = Vec::new();
    for path in &flags.to {
        // Further ones in the file are those of authorities.
        let certificate = certificates(path)?.swap_remove(0);
        files::check_valid(path, &certificate, now())?;
        recipients.push(certificate);
    }
    let recipients: Vec<&Certificate> = recipients.iter().collect();
    let cipher = match flags.cipher {
        CipherChoice::Aes256Gcm => Cipher::Aes256Gcm,
        CipherChoice::Aes128Gcm => Cipher::Aes128Gcm,
        CipherChoice::Aes256Cbc => Cipher::Aes256Cbc,
        CipherChoice::Aes128Cbc => Cipher::Aes128Cbc,
    };
    let message = message(flags.file.as_deref())?;
    put(&encrypt(&message, &recipients, cipher, &mut chance()?).map_err(files::cannot)?)
}

fn decrypted(flags: &DecryptFlags) -> Result<(), Error> {
    let (key, mut all) = own(&flags.own.key, &flags.own.cert)?;
    let keys = [(all.swap_remove(0), key)];
    let message = message(flags.file.as_deref())?;
    match decrypt(&message, &keys, &mut chance()?) {
        Ok(opened) => {
            if let pillarbox_smime::Layer::Encrypted { reasons, .. } = &opened.layer {
                reasons.iter().for_each(|why| eprintln!("pillarbox: note: {}", why.sentence()));
            }
            put(&unwrapped(&message, &opened.content))
        }
        Err(Some(why @ (Reason::Unreadable | Reason::Damaged))) => {
            Err(Error::new(Kind::Input, why.sentence()))
        }
        Err(Some(why)) => Err(Error::failed(why.sentence())),
        Err(None) => Err(Error::new(Kind::Input, "the message is not encrypted with S/MIME")),
    }
}

fn verified(flags: &VerifyFlags) -> Result<(), Error> {
    let mut anchors = Vec::new();
    for path in &flags.trust {
        anchors.extend(certificates(path)?);
    }
    if flags.trust_system {
        anchors.extend(system_authorities());
    }
    let mut others = Vec::new();
    for path in &flags.others {
        others.extend(certificates(path)?);
    }
    let mut lists = Vec::new();
    for path in &flags.crl {
        lists.extend(revocations(path)?);
    }
    let keys = match (&flags.key, &flags.cert) {
        (Some(key), Some(certificate)) => {
            let (key, mut all) = own(key, certificate)?;
            vec![(all.swap_remove(0), key)]
        }
        _ => Vec::new(),
    };
    let message = message(flags.file.as_deref())?;
    let known =
        Known { anchors: &anchors, others: &others, revocations: &lists, keys: &keys, now: now() };
    let verdict = verify(&message, &known, &mut chance()?);
    if flags.json {
        println!("{}", report::json(&verdict));
    } else {
        report::lines(&verdict).iter().for_each(|line| println!("{line}"));
    }
    match (verdict.state(), verdict.inner_state()) {
        (State::Trusted, _) | (State::Encrypted, State::Trusted) => Ok(()),
        (State::Encrypted, inner) if verdict.is_open() => {
            Err(Error::failed(format!("encrypted, and inside: {}", inner.words())))
        }
        (state, _) => Err(Error::failed(state.words())),
    }
}
