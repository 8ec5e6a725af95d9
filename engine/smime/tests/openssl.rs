//! Against OpenSSL: what we sign it verifies, what it signs we verify, and the same with what is encrypted, both ways.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pillarbox_smime::{
    Certificate, Cipher, Form, Known, Layer, PrivateKey, Reason, RevocationList, State, decrypt,
    encrypt, sign,
};
use support::*;

/// A directory that goes away.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, octets: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(name), octets).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    fn put(&self, name: &str, person: &Person) {
        self.write(&format!("{name}.key"), person.key.to_pem());
        self.write(&format!("{name}.crt"), person.certificate.to_pem());
    }

    fn run(&self, arguments: &str) -> Output {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace()).current_dir(&self.0);
        command.output().expect("openssl is installed, as tests/setup.sh does")
    }

    fn works(&self, arguments: &str) -> Output {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {said}");
        output
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An authority, Alice with a key of P-256, and Alice with one of RSA.
fn people(place: &Place) -> (Person, Person, Person) {
    let ca = authority(1);
    let alice = person(2, "Alice", "alice@crepes.fr", Some(&ca));
    let rsa = with_rsa(&ca);
    place.put("ca", &ca);
    place.put("alice", &alice);
    place.put("rsa", &rsa);
    (ca, alice, rsa)
}

/// The key is one of RFC 9216: to make one takes seconds in a build that is not optimised.
fn with_rsa(ca: &Person) -> Person {
    let key = sample("bob", "sign").key;
    let issuer = pillarbox_smime::Issuer { certificate: &ca.certificate, key: &ca.key };
    let new = pillarbox_smime::New {
        name: "Alice",
        addresses: &["alice@crepes.fr"],
        is_authority: false,
        not_before: NOW - YEAR,
        not_after: NOW + YEAR,
    };
    let certificate = pillarbox_smime::make(new, &key, Some(issuer), &mut chance(3)).unwrap();
    Person { key, certificate }
}

#[test]
fn openssl_verifies_what_we_sign() {
    let place = Place::new("we-sign");
    let (_, alice, rsa) = people(&place);
    let certificates = place
        .works("verify -attime 1795651200 -purpose smimesign -CAfile ca.crt alice.crt rsa.crt");
    assert_eq!(String::from_utf8_lossy(&certificates.stdout).matches("OK").count(), 2);
    for (name, author) in [("alice", &alice), ("rsa", &rsa)] {
        for form in [Form::Detached, Form::Opaque] {
            let message = sign(MESSAGE.as_bytes(), &author.author(), form, &mut chance(5)).unwrap();
            place.write("signed.eml", &message);
            let verify = "cms -verify -in signed.eml -CAfile ca.crt -attime 1795651200 -out out";
            place.works(verify);
            let out = place.read("out");
            assert!(out.ends_with(b"How about pickles?\r\n"), "{name} {form:?}");
            if form == Form::Detached {
                place.write("signed.eml", replaced(&message, "pickles", "pickled"));
                assert!(!place.run(verify).status.success(), "{name}: altered");
            }
        }
    }
}

#[test]
fn we_verify_what_openssl_signs() {
    let place = Place::new("openssl-signs");
    let (ca, _, _) = people(&place);
    let anchors = [ca.certificate.clone()];
    place.write("mail", "Content-Type: text/plain\r\n\r\nDo you like ketchup?\r\nYes.\r\n");
    let head = "-in mail -from alice@crepes.fr -to bob@hamburger.edu -subject x -out signed.eml";
    let mut judged = 0;
    for name in ["alice", "rsa"] {
        for options in [
            "",
            "-nodetach",
            "-nodetach -stream",
            "-md sha512",
            "-md sha384 -nosmimecap",
            "-noattr",
            "-keyid",
            "-keyopt rsa_padding_mode:pss",
            "-crlfeol",
        ] {
            if options.contains("pss") && name != "rsa" {
                continue;
            }
            // OpenSSL signs as of now, so what it says is judged as of now.
            place
                .works(&format!("cms -sign -signer {name}.crt -inkey {name}.key {options} {head}"));
            let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
            let known = Known { now, ..known(&anchors) };
            let message = place.read("signed.eml");
            let verdict = verified(&message, &known);
            let is_in_time = (NOW - YEAR..NOW + YEAR).contains(&now);
            let expected = if is_in_time { State::Trusted } else { State::NotValidThen };
            assert_eq!(verdict.state(), expected, "{name} {options}: {verdict:?}");
            judged += 1;
            if let Layer::Signed { covered, is_detached: true, .. } = &verdict.layers[0] {
                let mut other = message.clone();
                other[covered.end - 4] ^= 1;
                assert_eq!(state(&other, &known), State::Altered, "{name} {options}");
            }
        }
    }
    assert_eq!(judged, 17);
    // Its certificate left out, it is looked for among those that are known.
    place.works(&format!("cms -sign -nocerts -signer alice.crt -inkey alice.key {head}"));
    let message = place.read("signed.eml");
    let verdict = verified(&message, &known(&anchors));
    let Layer::Signed { signers, .. } = &verdict.layers[0] else { panic!() };
    assert_eq!(signers[0].reasons, [Reason::CertificateMissing]);
}

#[test]
fn openssl_opens_what_we_encrypt() {
    let place = Place::new("we-encrypt");
    let (_, alice, rsa) = people(&place);
    let to = [&alice.certificate, &rsa.certificate];
    for cipher in [Cipher::Aes256Gcm, Cipher::Aes128Gcm, Cipher::Aes256Cbc, Cipher::Aes128Cbc] {
        let message = encrypt(MESSAGE.as_bytes(), &to, cipher, &mut chance(5)).unwrap();
        place.write("sealed.eml", &message);
        for name in ["alice", "rsa"] {
            place.works(&format!(
                "cms -decrypt -in sealed.eml -recip {name}.crt -inkey {name}.key -out out"
            ));
            let out = place.read("out");
            assert!(out.ends_with(b"How about pickles?\r\n"), "{name} {cipher:?}");
        }
    }
}

#[test]
fn we_open_what_openssl_encrypts() {
    let place = Place::new("openssl-encrypts");
    let (_, alice, rsa) = people(&place);
    place.write("mail", "Content-Type: text/plain\r\n\r\nDo you like ketchup?\r\n");
    for (name, person) in [("alice", &alice), ("rsa", &rsa)] {
        for options in [
            "-aes-256-gcm",
            "-aes-128-gcm",
            "-aes-256-gcm -stream",
            "-aes256",
            "-aes192 -keyid",
            "-aes128 -stream",
            "-aes256 -keyopt rsa_padding_mode:oaep",
            "-aes256 -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256",
            "-aes256 -keyopt ecdh_kdf_md:sha256",
        ] {
            let is_rsa = name == "rsa";
            // OpenSSL wraps in a key as long as the cipher's, and AES-192 wraps nothing here.
            let not_ours = options.contains("aes192") && !is_rsa;
            if not_ours || options.contains("rsa_") && !is_rsa || options.contains("ecdh") && is_rsa
            {
                continue;
            }
            // The recipient before the options of its key.
            let (cipher, options) = options.split_once(' ').unwrap_or((options, ""));
            place.works(&format!(
                "cms -encrypt -in mail {cipher} -out sealed.eml -recip {name}.crt {options}"
            ));
            let sealed = place.read("sealed.eml");
            let opened = decrypt(&sealed, &person.keys(), &mut chance(7));
            let opened = opened.unwrap_or_else(|why| panic!("{name} {cipher} {options}: {why:?}"));
            assert!(opened.content.ends_with(b"Do you like ketchup?\r\n"), "{cipher} {options}");
        }
        place.works(&format!("cms -encrypt -in mail -des3 -out sealed.eml {name}.crt"));
        let lost = decrypt(&place.read("sealed.eml"), &person.keys(), &mut chance(7));
        assert_eq!(lost, Err(Some(Reason::CipherUnknown("3DES"))));
    }
}

#[test]
fn keys_of_openssl_are_read_and_ours_by_it() {
    let place = Place::new("keys");
    people(&place);
    for name in ["alice", "rsa"] {
        place.works(&format!("pkey -in {name}.key -check -noout"));
        place.works(&format!("pkey -in {name}.key -traditional -out old.key"));
        let ours = PrivateKey::of_pem(&place.read(&format!("{name}.key"))).unwrap();
        let old = PrivateKey::of_pem(&place.read("old.key")).unwrap();
        assert_eq!(ours.to_pkcs8(), old.to_pkcs8());
        place.works(&format!("pkey -in {name}.key -aes256 -passout pass:x -out locked.key"));
        let locked = PrivateKey::of_pem(&place.read("locked.key"));
        assert_eq!(locked.err(), Some(pillarbox_smime::BadKey::Encrypted));
    }
}

#[test]
fn what_an_authority_revoked_is_revoked() {
    let place = Place::new("revoked");
    let (ca, alice, _) = people(&place);
    place.write("index.txt", "");
    place.write("crlnumber", "01\n");
    place.write(
        "ca.cnf",
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\n\
         default_crl_days=3650\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n",
    );
    let options = "-config ca.cnf -keyfile ca.key -cert ca.crt";
    place.works(&format!("ca {options} -revoke alice.crt"));
    place.works(&format!("ca {options} -gencrl -out ca.crl"));
    let lists = RevocationList::of_file(&place.read("ca.crl")).unwrap();
    let anchors = [ca.certificate.clone()];
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
    let at = |at: i64| {
        let author = pillarbox_smime::Author { at, ..alice.author() };
        let message = sign(MESSAGE.as_bytes(), &author, Form::Detached, &mut chance(5)).unwrap();
        let known = Known { revocations: &lists, now: at, ..known(&anchors) };
        verified(&message, &known)
    };
    let after = at(now + 60);
    let Layer::Signed { signers, .. } = &after.layers[0] else { panic!() };
    assert!(signers[0].reasons.contains(&Reason::Revoked("CN=Alice".to_owned())));
    assert_eq!(after.state(), State::NotValidThen);
    let before = at(now - 3600);
    let Layer::Signed { signers, .. } = &before.layers[0] else { panic!() };
    assert!(!signers[0].reasons.iter().any(|reason| matches!(reason, Reason::Revoked(_))));
    // A list that another authority signed under that name says nothing.
    let other = authority(50);
    place.put("ca", &other);
    place.works(&format!("ca {options} -gencrl -out ca.crl"));
    let lists = RevocationList::of_file(&place.read("ca.crl")).unwrap();
    let author = pillarbox_smime::Author { at: now + 60, ..alice.author() };
    let message = sign(MESSAGE.as_bytes(), &author, Form::Detached, &mut chance(5)).unwrap();
    let known = Known { revocations: &lists, now: now + 60, ..known(&anchors) };
    assert_eq!(state(&message, &known), State::Trusted);
}

#[test]
fn a_certificate_of_openssl_is_read() {
    let place = Place::new("certificate");
    place.works(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c -days 30 \
         -subj /CN=Carol/emailAddress=carol@crepes.fr -addext subjectAltName=email:c@crepes.fr",
    );
    let certificate = Certificate::of_file(&place.read("c")).unwrap().remove(0);
    assert_eq!(certificate.addresses(), ["c@crepes.fr", "carol@crepes.fr"]);
    assert_eq!(certificate.subject_words(), "CN=Carol, E=carol@crepes.fr");
    assert!(certificate.is_of(&PrivateKey::of_pem(&place.read("k")).unwrap()));
    assert!(certificate.is_authority());
}
