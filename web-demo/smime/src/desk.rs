//! People with keys: who writes, who reads, who certifies them; and those of the scenario about S/MIME.

use pillarbox_engine::text::address::parse_list;
use pillarbox_engine::text::header::{self, fields};
use pillarbox_smime::{
    Certificate, Cipher, Entropy, Form, Issuer, Known, New, PrivateKey, encrypt, make, sign, verify,
};

use crate::told::Told;

/// The scenario's authority, and its Bob. Everybody can read these keys, so they prove nothing outside of the scenario.
const LESSON_AUTHORITY: &[u8] =
    include_bytes!("../../../engine/world/scenarios/smime/authority.pem");
const LESSON_BOB: &[u8] = include_bytes!("../../../engine/world/scenarios/smime/bob.pem");

const YEAR: i64 = 365 * 86_400;

/// By whom, and with which certificate, a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The one that From names, certified by the authority that Bob trusts.
    Certified,
    /// The same, certified by nobody else.
    Unknown,
    /// Someone else, certified.
    Other,
    /// The one that From names, by a certificate that has expired.
    Expired,
}

impl Author {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Certified, Self::Unknown, Self::Other, Self::Expired];

    /// Words to choose by.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Certified => "the sender, certified by an authority that Bob trusts",
            Self::Unknown => "the sender, certified by nobody but themselves",
            Self::Other => "Mallory, certified by the same authority",
            Self::Expired => "the sender, by a certificate that has expired",
        }
    }
}

/// Who looks at a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// He has his private key.
    Bob,
    /// She has none.
    Eve,
}

/// Someone with a key.
struct Person {
    key: PrivateKey,
    certificate: Certificate,
}

/// The people of one page, with their keys.
pub struct Desk {
    authority: Person,
    /// Keys of those who sign; their certificates are made for the address of each message.
    sender: PrivateKey,
    mallory: PrivateKey,
    /// Whom Bob trusts: the authority of this page, and that of the scenario.
    anchors: Vec<Certificate>,
    /// Bob's keys: that of this page, and that of the scenario.
    keys: Vec<(Certificate, PrivateKey)>,
}

impl Desk {
    /// Makes new keys for everybody, as of this moment in seconds since 1970.
    ///
    /// # Errors
    /// A key or a certificate of the scenario cannot be read, which a test finds before anybody else can.
    pub fn new(now: i64, entropy: &mut Entropy<'_>) -> Result<Self, String> {
        let authority = PrivateKey::generate_p256(entropy);
        let new = certificate("Authority of this page", &[], (now - YEAR, now + YEAR));
        let made = make(new, &authority, None, entropy).map_err(|why| why.words())?;
        let authority = Person { key: authority, certificate: made };
        let key = PrivateKey::generate_p256(entropy);
        let new = certificate("Bob", &["bob@hamburger.edu"], (now - YEAR, now + YEAR));
        let bob = make(new, &key, Some(authority.issuer()), entropy).map_err(|why| why.words())?;
        let (lesson_authority, lesson_bob) = (person(LESSON_AUTHORITY)?, person(LESSON_BOB)?);
        Ok(Self {
            sender: PrivateKey::generate_p256(entropy),
            mallory: PrivateKey::generate_p256(entropy),
            anchors: vec![authority.certificate.clone(), lesson_authority.certificate],
            keys: vec![(bob, key), (lesson_bob.certificate, lesson_bob.key)],
            authority,
        })
    }

    /// What there is, in lines for people; nothing of a private key is among them.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let line = |certificate: &Certificate| {
            format!("{}: {}", certificate.subject_words(), certificate.fingerprint())
        };
        let bob = self.keys.iter().map(|(certificate, _)| line(certificate));
        self.anchors.iter().map(line).chain(bob).collect()
    }

    /// Signs a message in clear: who has no S/MIME can read it too.
    ///
    /// # Errors
    /// Why it cannot be signed.
    pub fn sign(
        &self,
        message: &[u8],
        author: Author,
        now: i64,
        entropy: &mut Entropy<'_>,
    ) -> Result<Vec<u8>, String> {
        let from = sender(message)
            .ok_or("The message has no From with one address, so nobody can sign it.")?;
        let valid = match author {
            Author::Expired => (now - 2 * YEAR, now - YEAR),
            _ => (now - YEAR, now + YEAR),
        };
        let (key, address) = match author {
            Author::Other => (&self.mallory, "mallory@hamburger.edu"),
            _ => (&self.sender, &from[..]),
        };
        let issuer = (author != Author::Unknown).then(|| self.authority.issuer());
        let name = address.split('@').next().unwrap_or_default();
        let addresses = [address];
        let made = make(certificate(name, &addresses, valid), key, issuer, entropy);
        let certificate = made.map_err(|why| why.words())?;
        let author =
            pillarbox_smime::Author { key, certificate: &certificate, chain: &[], at: now };
        sign(message, &author, Form::Detached, entropy).map_err(|why| sentence(&why.to_string()))
    }

    /// Encrypts a message to Bob.
    ///
    /// # Errors
    /// Why it cannot be encrypted.
    pub fn encrypt(&self, message: &[u8], entropy: &mut Entropy<'_>) -> Result<Vec<u8>, String> {
        let to: Vec<_> = self.keys.iter().take(1).map(|(certificate, _)| certificate).collect();
        encrypt(message, &to, Cipher::Aes256Gcm, entropy).map_err(|why| sentence(&why.to_string()))
    }

    /// What a message comes to for a reader.
    #[must_use]
    pub fn judge(
        &self,
        message: &[u8],
        reader: Reader,
        now: i64,
        entropy: &mut Entropy<'_>,
    ) -> Told {
        let keys = if reader == Reader::Bob { &self.keys[..] } else { &[] };
        let known = Known { anchors: &self.anchors, keys, now, ..Known::default() };
        Told::of(verify(message, &known, entropy))
    }
}

impl Person {
    fn issuer(&self) -> Issuer<'_> {
        Issuer { certificate: &self.certificate, key: &self.key }
    }
}

fn certificate<'a>(name: &'a str, addresses: &'a [&'a str], valid: (i64, i64)) -> New<'a> {
    let (not_before, not_after) = valid;
    New { name, addresses, is_authority: addresses.is_empty(), not_before, not_after }
}

fn person(pem: &[u8]) -> Result<Person, String> {
    let key = PrivateKey::of_pem(pem).map_err(|why| why.words())?;
    let found = Certificate::of_file(pem).ok().and_then(|all| all.into_iter().next());
    Ok(Person { key, certificate: found.ok_or("there is no certificate in it")? })
}

/// The address of From, if there is one such field with one address.
fn sender(message: &[u8]) -> Option<String> {
    let section = &message[..header::section_length(message)];
    let mut all = fields(section).filter(|field| field.is(b"from"));
    let (first, None) = (all.next()?, all.next()) else { return None };
    let list = parse_list(&first.unfolded());
    let [address] = &list[..] else { return None };
    let whole = [address.mailbox.as_deref()?, address.host.as_deref()?].join(&b'@');
    String::from_utf8(whole).ok()
}

/// A clause as a sentence.
fn sentence(clause: &str) -> String {
    let mut chars = clause.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
