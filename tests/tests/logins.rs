//! Every mechanism in every protocol, over real TLS of both versions, with the engine's own client on the other side.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pillarbox_engine::sasl::client::{Exchange, Step};
use pillarbox_engine::sasl::scram::Hash;
use pillarbox_engine::sasl::{ClientCredentials, Mechanism};
use pillarbox_engine::types::TlsFacts;
use pillarbox_tests::server::{Scratch, Server, binary};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use sha2::{Digest, Sha256};

const USER: &str = "ann@a.example";
const PASSWORD: &str = "pencil, with = and spaces";
const TOKEN: &str = "a-token-of-thirty-random-octets";
const MECHANISMS: [Mechanism; 9] = [
    Mechanism::External,
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::Oauthbearer,
    Mechanism::Xoauth2,
    Mechanism::Plain,
    Mechanism::Login,
];

/// A server with one account, a certificate, an authority for clients, and a token.
fn prepare(scratch: &Path) -> String {
    let write = |name: &str, text: &str| {
        fs::write(scratch.join(name), text).expect("the scratch directory is writable");
    };
    let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("entropy");
    write("server.pem", &server.cert.pem());
    write("server.key", &server.signing_key.serialize_pem());
    fs::set_permissions(scratch.join("server.key"), Permissions::from_mode(0o600)).expect("ours");
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "an authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("entropy");
    write("clients.pem", &authority.self_signed(&key).expect("fine").pem());
    let authority = Issuer::new(authority, key);
    let mut client = CertificateParams::default();
    client.subject_alt_names = vec![SanType::Rfc822Name(USER.try_into().expect("ASCII"))];
    let key = KeyPair::generate().expect("entropy");
    write("client.pem", &client.signed_by(&key, &authority).expect("fine").pem());
    write("client.key", &key.serialize_pem());
    fs::set_permissions(scratch.join("client.key"), Permissions::from_mode(0o600)).expect("ours");
    let hash: String = Sha256::digest(TOKEN).iter().map(|octet| format!("{octet:02x}")).collect();
    write("tokens", &format!("{hash} {USER}\n"));
    let config = format!(
        "data = {:?}\ndomains = [\"a.example\"]\n\
         [tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\nclient_ca = \"clients.pem\"\n\
         [auth.tokens]\ntable = \"tokens\"\n[limits]\nlogin_failures_per_network = 1000\n",
        scratch.join("data"),
    );
    write("pillarbox.toml", &config);
    let config = scratch.join("pillarbox.toml").to_str().expect("UTF-8").to_owned();
    let mut add = Command::new(binary())
        .args(["account", "add", USER, "--config", &config])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut stdin = add.stdin.take().expect("it is piped");
    stdin.write_all(PASSWORD.as_bytes()).expect("it reads");
    drop(stdin);
    assert!(add.wait().expect("the child is ours").success());
    config
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Smtp,
    Pop3,
    Imap,
}

/// A connection over TLS, past its greeting.
struct Client {
    protocol: Protocol,
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    facts: TlsFacts,
}

impl Client {
    fn connect(
        protocol: Protocol,
        address: SocketAddr,
        scratch: &Path,
        version: &'static SupportedProtocolVersion,
        certificate: bool,
    ) -> Self {
        let pem = |name: &str| scratch.join(name);
        let read = |name| CertificateDer::from_pem_file(pem(name)).expect("we wrote it");
        let server = read("server.pem");
        let mut roots = RootCertStore::empty();
        roots.add(server.clone()).expect("a good certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_protocol_versions(&[version]).expect("there is this version");
        let config = config.with_root_certificates(roots);
        let config = if certificate {
            let key = PrivateKeyDer::from_pem_file(pem("client.key")).expect("we wrote it");
            config.with_client_auth_cert(vec![read("client.pem")], key).expect("they fit")
        } else {
            config.with_no_client_auth()
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("fine");
        let socket = TcpStream::connect(address).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it can be set");
        let stream = BufReader::new(StreamOwned::new(connection, socket));
        let mut client = Self { protocol, stream, facts: TlsFacts::default() };
        client.line();
        let exporter = client.stream.get_ref().conn.export_keying_material(
            [0; 32],
            b"EXPORTER-Channel-Binding",
            Some(&[]),
        );
        client.facts.exporter = exporter.expect("the handshake is done").to_vec();
        client.facts.server_end_point = Sha256::digest(&server).to_vec();
        client
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server answers");
        line.trim_end().to_owned()
    }

    fn say(&mut self, line: &str) {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).expect("the server reads");
        stream.flush().expect("the server reads");
    }

    /// The mechanisms that the server offers.
    fn offered(&mut self) -> Vec<Mechanism> {
        let (ask, last) = match self.protocol {
            Protocol::Smtp => ("EHLO localhost", "250 "),
            Protocol::Pop3 => ("CAPA", "."),
            Protocol::Imap => ("a CAPABILITY", "a OK"),
        };
        self.say(ask);
        let mut offered = Vec::new();
        loop {
            let line = self.line();
            let words = line.split(['-', ' ']).any(|word| word == "AUTH" || word == "SASL");
            for word in line.split(' ').filter(|_| words) {
                offered.extend(Mechanism::from_name(word.as_bytes()));
            }
            let imap = line.split(' ').filter_map(|word| word.strip_prefix("AUTH="));
            offered.extend(imap.filter_map(|word| Mechanism::from_name(word.as_bytes())));
            if line.starts_with(last) {
                return offered;
            }
        }
    }

    /// A whole exchange; whether both sides are content.
    fn log_in(&mut self, mechanism: Mechanism, secret: &str, authorization: &str) -> bool {
        let given = ClientCredentials {
            mechanism,
            authorization: authorization.as_bytes().to_vec(),
            user: if mechanism == Mechanism::External { vec![] } else { USER.as_bytes().to_vec() },
            secret: if Hash::of(mechanism).is_some() { vec![] } else { secret.as_bytes().to_vec() },
            nonce: format!("{:032x}", std::process::id()).into_bytes(),
        };
        let mut exchange = Exchange::new(given, &MECHANISMS, Some(&self.facts)).expect("fine");
        let initial = exchange.initial_response(usize::MAX);
        let initial = initial.map(|initial| format!(" {}", initial.escape_ascii()));
        let verb = match self.protocol {
            Protocol::Smtp | Protocol::Pop3 => "AUTH",
            Protocol::Imap => "a AUTHENTICATE",
        };
        self.say(&format!("{verb} {}{}", mechanism.name(), initial.unwrap_or_default()));
        loop {
            let line = self.line();
            let challenge = match self.protocol {
                Protocol::Smtp => line.strip_prefix("334 "),
                Protocol::Pop3 | Protocol::Imap => line.strip_prefix("+ "),
            };
            let Some(challenge) = challenge else {
                let accepted = match self.protocol {
                    Protocol::Smtp => line.starts_with("235"),
                    // RFC 2449 §8.1.1: who is told that the maildrop is in use, by the connection before this one, was
                    // who he said.
                    Protocol::Pop3 => line.starts_with("+OK") || line.starts_with("-ERR [IN-USE]"),
                    Protocol::Imap => line.starts_with("a OK"),
                };
                return accepted && exchange.succeeded().is_ok();
            };
            let step = match exchange.challenge(challenge.as_bytes()) {
                Step::Ask(exchange, ask) => {
                    let hash = Hash::of(ask.mechanism).expect("SCRAM alone asks");
                    let salted = hash.salt_password(secret.as_bytes(), &ask.salt, ask.iterations);
                    exchange.salted(&salted).expect("the right length")
                }
                step => step,
            };
            let (next, line) = match step {
                Step::Respond(next, line) => (next, line.escape_ascii().to_string()),
                Step::Cancel(_) | Step::Ask(..) => return false,
            };
            exchange = next;
            self.say(&line);
        }
    }
}

#[test]
fn every_mechanism_in_every_protocol_over_tls() {
    let scratch = Scratch::new("logins");
    let config = prepare(scratch.path());
    let server = Server::start(scratch.path(), &["--config", &config]);
    let services = [
        (Protocol::Smtp, server.at("submissions")),
        (Protocol::Pop3, server.at("pop3s")),
        (Protocol::Imap, server.at("imaps")),
    ];
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    for (at, (protocol, address)) in services.into_iter().enumerate() {
        for version in versions {
            let connect = |certificate| {
                Client::connect(protocol, address, scratch.path(), version, certificate)
            };
            // Without a certificate, EXTERNAL could not succeed, so it is not offered.
            let mut offered = connect(false).offered();
            assert_eq!(offered, MECHANISMS[1..], "{protocol:?} {version:?}");
            offered = connect(true).offered();
            assert_eq!(offered, MECHANISMS, "{protocol:?} {version:?}");
            for (number, mechanism) in MECHANISMS.into_iter().enumerate() {
                let secret = match mechanism {
                    Mechanism::Oauthbearer | Mechanism::Xoauth2 => TOKEN,
                    _ => PASSWORD,
                };
                let what = format!("{protocol:?} {version:?} {}", mechanism.name());
                let mut client = connect(true);
                client.offered();
                assert!(client.log_in(mechanism, secret, ""), "{what}");
                // Each is refused once somewhere, since refusals come late.
                if number % 6 == at * 2 + usize::from(version == versions[0]) {
                    let mut client = connect(true);
                    client.offered();
                    let (secret, whom) = match mechanism {
                        Mechanism::External => ("", "eve@a.example"),
                        _ => ("wrong", ""),
                    };
                    assert!(!client.log_in(mechanism, secret, whom), "{what}");
                }
            }
            for mechanism in [Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus] {
                let mut client = connect(false);
                client.offered();
                // RFC 5929 §4 for clients that cannot export.
                client.facts.exporter.clear();
                assert!(client.log_in(mechanism, PASSWORD, ""), "{protocol:?} end point");
                let mut client = connect(false);
                client.offered();
                // Somebody between the two has another channel to each.
                client.facts.exporter = vec![7; 32];
                assert!(!client.log_in(mechanism, PASSWORD, ""), "{protocol:?} bound elsewhere");
            }
        }
    }
    assert!(server.stop().success());
}

/// Our own clients show a certificate where a server asks for one, and log in by it (EXTERNAL).
#[test]
fn the_programs_log_in_by_a_certificate() {
    let scratch = Scratch::new("logins-own");
    let config = prepare(scratch.path());
    let server = Server::start(scratch.path(), &["--config", &config]);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        let run = command.args(arguments).current_dir(scratch.path()).stdin(Stdio::null());
        let output = run.output().expect("the binary starts");
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let at = |service| format!("localhost:{}", server.at(service).port());
    let shown = ["--ca", "server.pem", "--cert", "client.pem", "--key", "client.key"];
    let send = |more: &[&str]| {
        let (to, submissions) = (["send", "--to", USER, "--text", "hi"], at("submissions"));
        let how = ["--trace", "--from", USER, "--server", &submissions, "--tls", "implicit"];
        run(&[&to[..], &how, more].concat())
    };
    let (code, _, said) = send(&[&shown[..], &["--user", USER]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("AUTH EXTERNAL"), "{said}");
    let (code, _, said) = send(&[&shown[..], &["--mechanism", "EXTERNAL"]].concat());
    assert_eq!(code, Some(0), "as whom the certificate says: {said}");
    // It is nobody else's.
    let (code, _, said) = send(&[&shown[..], &["--user", "eve@a.example"]].concat());
    assert_eq!(code, Some(77), "{said}");
    let (code, _, said) = send(&["--ca", "server.pem", "--cert", "client.pem"]);
    assert!(code == Some(2) && said.contains("--key"), "{said}");
    let wrong = ["--ca", "server.pem", "--cert", "client.pem", "--key", "server.key"];
    let (code, _, said) = send(&[&wrong[..], &["--user", USER]].concat());
    assert!(code == Some(2) && said.contains("client.pem"), "{code:?} {said}");
    let list = ["mail", "list", "--server", &format!("imaps://{}", at("imaps")), "--user", USER];
    let (code, listed, said) = run(&[&list[..], &shown].concat());
    assert!(code == Some(0) && listed.contains(USER), "{listed} {said}");
    let url = format!("pop3s://{}", at("pop3s"));
    let fetch = ["fetch", "--config", &config, "--account", USER, "--user", USER, &url, "--trace"];
    let (code, _, said) = run(&[&fetch[..], &shown].concat());
    assert!(code == Some(0) && said.contains("AUTH EXTERNAL"), "{said}");
    assert!(server.stop().success());
}
