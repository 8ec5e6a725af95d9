//! What leads to other servers and what they must prove: DNS answers and failures, certificates, DANE, MTA-STS, and what a
//! man in the middle may try, all over real sockets.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pillarbox::cli::EngineChoice;
use pillarbox::client::policy::{NextHop, Policies, Unfit};
use pillarbox::client::sts::{Fetch, Fetching, Mode, MtaSts, WebFetch};
use pillarbox::client::{
    Client, Envelope, Login, OpenErrorKind, Secret, Security, Settings, Target, Trust,
};
use pillarbox::dns::{
    Answer, Dns, Kind, Looking, Mx, NoAnswer, Record, Resolver, ResolverSettings, Source, Tlsa,
};
use pillarbox::engine::{Engine, EngineSettings};
use pillarbox::tls::{Associations, ClientTls};
use pillarbox_engine::smtp::client::types::Fate;
use pillarbox_engine::smtp::{MailFrom, Mailbox, RcptTo};
use pillarbox_tests::dns::DnsServer;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const HOST: &str = "mx.hamburger.example";

fn resolver(dns: &DnsServer) -> Dns {
    let settings = ResolverSettings { servers: vec![dns.address()], ..ResolverSettings::default() };
    Dns::new(Arc::new(Resolver::new(&settings).expect("servers are given")))
}

#[tokio::test]
async fn names_lead_to_hosts_and_hosts_to_addresses() {
    let server = DnsServer::start();
    server.mx("hamburger.example", 20, "backup.hamburger.example");
    server.mx("hamburger.example", 10, "MX.hamburger.example");
    server.cname("alias.example", "hamburger.example");
    server.mx("null.example", 0, ".");
    server.address_of(HOST, "127.0.0.2".parse().expect("an address"));
    server.address_of(HOST, "::1".parse().expect("an address"));
    server.txt("long.example", &"0123456789".repeat(60));
    server.tlsa("_25._tcp.mx.hamburger.example", [3, 1, 1], &[7; 32]);
    let dns = resolver(&server);
    let mut found = dns.mx("hamburger.example").await.expect("there are two");
    found.records.sort();
    let mx = |preference, exchange: &str| Mx { preference, exchange: exchange.to_owned() };
    let both = [mx(10, HOST), mx(20, "backup.hamburger.example")];
    assert_eq!(found.records, both);
    assert!(!found.secure, "nothing is signed here");
    let mut found = dns.mx("alias.example").await.expect("the alias is followed");
    found.records.sort();
    assert_eq!((&found.records[..], &found.name[..]), (&both[..], "hamburger.example"));
    assert_eq!(dns.mx("null.example").await.expect("it is there").records, [mx(0, "")]);
    let found = dns.addresses(HOST).await.expect("of both kinds");
    let addresses: Vec<_> = found.records.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["::1", "127.0.0.2"]);
    // More than fits into a datagram, and more than one string.
    assert_eq!(dns.txt("long.example").await.expect("a text").records, [b"0123456789".repeat(60)]);
    let tlsa = Tlsa { usage: 3, selector: 1, matching: 1, data: vec![7; 32] };
    assert_eq!(dns.tlsa(25, HOST).await.expect("one").records, [tlsa]);
}

#[tokio::test]
async fn what_is_for_good_and_what_is_not() {
    let server = DnsServer::start();
    server.address_of("hostonly.example", "127.0.0.1".parse().expect("an address"));
    server.fail("broken.example");
    server.keep_silent("silent.example");
    let dns = resolver(&server);
    assert_eq!(dns.mx("nowhere.example").await, Err(NoAnswer::NoName));
    assert_eq!(dns.addresses("nowhere.example").await, Err(NoAnswer::NoName));
    assert_eq!(dns.mx("hostonly.example").await, Err(NoAnswer::NoRecords));
    assert!(dns.addresses("hostonly.example").await.is_ok());
    for name in ["broken.example", "silent.example"] {
        let looked = tokio::time::timeout(Duration::from_secs(60), dns.mx(name)).await;
        let none = looked.expect("it ends").expect_err(name);
        assert!(matches!(none, NoAnswer::Temporary(_)), "{name}: {none}");
    }
    for name in ["", "a..b", &"x".repeat(64), &format!("{}example", "a.".repeat(200))] {
        assert!(dns.mx(name).await.is_err(), "{name:?}");
    }
    // An answer is kept, so that a queue does not ask for each message.
    server.mx("kept.example", 1, HOST);
    for _ in 0..3 {
        dns.mx("kept.example").await.expect("it is there");
    }
    assert_eq!(server.asked("kept.example"), 1);
}

/// An authority and what it vouches for.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("entropy");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("fine parameters");
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { issuer: Issuer::new(params, key), certificate: der, pem }
    }

    /// A server's certificate for this name, good for these years.
    fn identity(&self, name: &str, years: [i32; 2]) -> Identity {
        let key = KeyPair::generate().expect("entropy");
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().expect("ASCII"))];
        params.not_before = rcgen::date_time_ymd(years[0], 1, 1);
        params.not_after = rcgen::date_time_ymd(years[1], 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).expect("fine parameters");
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        Identity { chain, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
    }

    fn good(&self) -> Identity {
        self.identity(HOST, [2020, 2120])
    }

    /// A client that trusts this authority.
    fn tls(&self, name: &str) -> Arc<ClientTls> {
        let file =
            std::env::temp_dir().join(format!("pillarbox-{name}-{}.pem", std::process::id()));
        std::fs::write(&file, &self.pem).expect("a writable directory");
        let tls = ClientTls::new(Some(&file)).expect("a certificate");
        std::fs::remove_file(file).expect("it is ours");
        Arc::new(tls)
    }
}

impl Identity {
    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("usual versions")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .expect("key and certificate belong together");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// How a server handles TLS.
#[derive(Clone, Copy, PartialEq)]
enum How {
    StartTls,
    Implicit,
    /// It offers STARTTLS, and the handshake goes wrong.
    Broken,
    /// Behind the reply to STARTTLS more comes, in the clear.
    Injected,
    /// It offers no STARTTLS.
    Stripped,
}

/// A server that takes every message; says what it was told, and whether under TLS.
struct Server {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(acceptor: TlsAcceptor, how: How) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let its = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, heard) = (acceptor.clone(), Arc::clone(&its));
                tokio::spawn(async move {
                    // What goes wrong here the client tells.
                    drop(attend(stream, &acceptor, how, &heard).await);
                });
            }
        });
        Self { address, heard }
    }

    fn target(&self) -> Target {
        Target { name: HOST.to_owned(), addresses: vec![self.address] }
    }

    fn has_heard(&self, words: &str) -> bool {
        self.heard.lock().expect("no panic").iter().any(|line| line.starts_with(words))
    }
}

async fn attend(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    how: How,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    if how == How::Implicit {
        let mut stream = acceptor.accept(stream).await?;
        stream.write_all(b"220 mx\r\n").await?;
        return converse(&mut stream, true, how, heard).await.map(drop);
    }
    let mut stream = stream;
    stream.write_all(b"220 mx\r\n").await?;
    if !converse(&mut stream, false, how, heard).await? {
        return Ok(());
    }
    match how {
        How::Broken => stream.write_all(b"220 go\r\nthis is no handshake\r\n").await,
        How::Injected => {
            stream.write_all(b"220 go\r\n250-injected\r\n250 SIZE 1\r\n").await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
            handshake(stream, acceptor, how, heard).await
        }
        _ => {
            stream.write_all(b"220 go\r\n").await?;
            handshake(stream, acceptor, how, heard).await
        }
    }
}

async fn handshake(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    how: How,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    converse(&mut stream, true, how, heard).await.map(drop)
}

/// True if the client wants TLS.
async fn converse<S: AsyncReadExt + AsyncWriteExt + Unpin>(
    stream: &mut S,
    secured: bool,
    how: How,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<bool> {
    let mut data = false;
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await?);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mark = if secured { "S " } else { "" };
        heard.lock().expect("no panic").push(format!("{mark}{line}"));
        let reply = match line.as_str() {
            "." => {
                data = false;
                "250 2.0.0 taken\r\n"
            }
            _ if data => continue,
            "STARTTLS" => return Ok(true),
            "DATA" => {
                data = true;
                "354 go\r\n"
            }
            "QUIT" => "221 bye\r\n",
            line if line.starts_with("EHLO") && (secured || how == How::Stripped) => {
                "250-mx\r\n250-REQUIRETLS\r\n250 AUTH PLAIN\r\n"
            }
            line if line.starts_with("EHLO") => "250-mx\r\n250 STARTTLS\r\n",
            line if line.starts_with("AUTH") => "235 in\r\n",
            _ => "250 ok\r\n",
        };
        stream.write_all(reply.as_bytes()).await?;
    }
}

fn client(tls: &Arc<ClientTls>) -> Client {
    let settings = EngineSettings::new(EngineChoice::Sandbox, Some(8));
    let engine = Engine::new(&settings).expect("the component is valid");
    Client::new(Arc::new(engine), Arc::clone(tls), None)
}

fn with(security: Security) -> Settings {
    Settings { security, ..Settings::new("client.example") }
}

fn envelope(require_tls: bool) -> Envelope {
    let mailbox = |local: &[u8]| Mailbox {
        local_part: local.to_vec(),
        domain: b"hamburger.example".to_vec(),
    };
    Envelope {
        mail: MailFrom { reverse_path: Some(mailbox(b"ann")), ..MailFrom::default() },
        recipients: vec![RcptTo { forward_path: mailbox(b"bob"), ..RcptTo::default() }],
        plain: false,
        require_tls,
    }
}

async fn send(client: &Client, server: &Server, security: Security, require_tls: bool) -> Fate {
    let mut connection =
        client.open(&server.target(), &with(security)).await.expect("it serves on these terms");
    let fates = connection.deliver(envelope(require_tls), Arc::new(b"Hello\r\n".to_vec())).await;
    connection.quit().await;
    fates.into_iter().next().expect("one recipient")
}

#[tokio::test]
async fn certificates_prove_what_is_asked_of_them() {
    let (ours, other) = (Authority::new(), Authority::new());
    let client = client(&ours.tls("pkix"));
    let cases = [
        ("good", ours.good(), true),
        ("of another authority", other.good(), false),
        ("for another name", ours.identity("other.example", [2020, 2120]), false),
        ("expired", ours.identity(HOST, [2020, 2021]), false),
        ("not valid yet", ours.identity(HOST, [2110, 2120]), false),
    ];
    for (what, identity, is_good) in cases {
        for how in [How::StartTls, How::Implicit] {
            let server = Server::start(identity.acceptor(), how).await;
            let secure = |trust| match how {
                How::Implicit => Security::Implicit(trust),
                _ => Security::Required(trust),
            };
            let opened = client.open(&server.target(), &with(secure(Trust::Pkix))).await;
            match opened {
                Ok(connection) => {
                    assert!(is_good, "{what}");
                    assert!(connection.is_verified());
                    let facts = connection.tls().expect("it is secured");
                    assert_eq!(facts.version, b"TLSv1.3");
                    assert_eq!((facts.exporter.len(), facts.server_end_point.len()), (32, 32));
                    connection.quit().await;
                }
                Err(error) => {
                    assert!(!is_good, "{what}: {error}");
                    assert_eq!(error.kind, OpenErrorKind::Tls, "{what}: {error}");
                    assert!(error.failure.diagnosis.starts_with("4.7.5 "), "{what}: {error}");
                    assert!(!server.has_heard("S EHLO"), "{what}");
                }
            }
            // Who asks for no proof is served all the same, and it is not taken for one.
            let connection = client.open(&server.target(), &with(secure(Trust::Any))).await;
            let connection = connection.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(connection.tls().is_some() && !connection.is_verified());
            connection.quit().await;
        }
    }
}

#[tokio::test]
async fn a_man_in_the_middle_gets_nothing_that_must_be_secret() {
    let authority = Authority::new();
    let client = client(&authority.tls("middle"));
    let acceptor = || authority.good().acceptor();
    // The offer is hidden.
    let server = Server::start(acceptor(), How::Stripped).await;
    let opened = client.open(&server.target(), &with(Security::Required(Trust::Pkix))).await;
    let error = opened.err().expect("TLS is required");
    assert_eq!(error.kind, OpenErrorKind::Tls, "{error}");
    assert!(error.failure.diagnosis.starts_with("4.7.10 "), "{error}");
    assert!(!server.has_heard("MAIL"));
    let login = Login::new("ann", Secret::Password("s3cret".into()), None, false).expect("good");
    let settings = Settings { login: Some(login), ..with(Security::Opportunistic) };
    assert!(client.open(&server.target(), &settings).await.is_err());
    assert!(!server.has_heard("AUTH"));
    // Only where nothing more was asked for does mail go in the clear.
    let fate = send(&client, &server, Security::Opportunistic, false).await;
    assert!(matches!(fate, Fate::Accepted(_)), "{fate:?}");
    assert!(server.has_heard("MAIL"));

    let server = Server::start(acceptor(), How::Broken).await;
    let opened = client.open(&server.target(), &with(Security::Required(Trust::Any))).await;
    assert_eq!(opened.err().map(|error| error.kind), Some(OpenErrorKind::Tls));
    assert!(!server.has_heard("MAIL"));
    let fate = send(&client, &server, Security::Opportunistic, false).await;
    assert!(matches!(fate, Fate::Accepted(_)), "{fate:?}");

    // Replies in front of the handshake are thrown away, or break it; they never count.
    let server = Server::start(acceptor(), How::Injected).await;
    match client.open(&server.target(), &with(Security::Required(Trust::Pkix))).await {
        Ok(connection) => {
            let offer = connection.offer().expect("it was greeted");
            assert_eq!(offer.size_max, None);
            connection.quit().await;
        }
        Err(error) => assert_eq!(error.kind, OpenErrorKind::Tls, "{error}"),
    }
}

#[tokio::test]
async fn required_tls_needs_a_server_that_proves_itself() {
    let authority = Authority::new();
    let client = client(&authority.tls("require"));
    let server = Server::start(authority.good().acceptor(), How::StartTls).await;
    let fate = send(&client, &server, Security::Required(Trust::Pkix), true).await;
    assert!(matches!(fate, Fate::Accepted(_)), "{fate:?}");
    assert!(server.has_heard("S MAIL FROM:<ann@hamburger.example> REQUIRETLS"));
    for security in [Security::Required(Trust::Any), Security::Opportunistic] {
        let Fate::Failed(failure) = send(&client, &server, security, true).await else {
            panic!("nothing is proven");
        };
        assert!(failure.diagnosis.starts_with("5.7.10 "), "{}", failure.diagnosis);
    }
}

fn tlsa(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
    Tlsa { usage, selector, matching, data: data.to_vec() }
}

fn key_of(certificate: &CertificateDer<'_>) -> Vec<u8> {
    let parsed = rustls::server::ParsedCertificate::try_from(certificate).expect("a certificate");
    parsed.subject_public_key_info().to_vec()
}

#[tokio::test]
async fn a_zone_vouches_for_its_servers() {
    let (authority, other) = (Authority::new(), Authority::new());
    // Trusts nobody that is met here: what counts is the zone.
    let client = client(&other.tls("dane"));
    let expired = authority.identity("whatever.example", [2020, 2021]);
    let (own, anchor) = (expired.chain[0].clone(), authority.certificate.clone());
    let sha256 = |octets: &[u8]| Sha256::digest(octets).to_vec();
    let sha512 = |octets: &[u8]| sha2::Sha512::digest(octets).to_vec();
    let server = Server::start(expired.acceptor(), How::StartTls).await;
    // Usage 3: neither name nor time matters.
    let own_cases = [
        (tlsa(3, 0, 0, &own), true),
        (tlsa(3, 0, 1, &sha256(&own)), true),
        (tlsa(3, 0, 2, &sha512(&own)), true),
        (tlsa(3, 1, 0, &key_of(&own)), true),
        (tlsa(3, 1, 1, &sha256(&key_of(&own))), true),
        (tlsa(3, 1, 2, &sha512(&key_of(&own))), true),
        (tlsa(3, 1, 1, &sha256(&own)), false),
        (tlsa(3, 0, 1, &[0; 32]), false),
        // Usage 2 for a server whose certificate is out of date.
        (tlsa(2, 0, 1, &sha256(&anchor)), false),
    ];
    for (record, is_good) in own_cases {
        check(&client, &server, vec![record], HOST, is_good).await;
    }
    let server = Server::start(authority.good().acceptor(), How::StartTls).await;
    let anchor_cases = [
        (tlsa(2, 0, 0, &anchor), HOST, true),
        (tlsa(2, 0, 1, &sha256(&anchor)), HOST, true),
        (tlsa(2, 1, 1, &sha256(&key_of(&anchor))), HOST, true),
        (tlsa(2, 1, 2, &sha512(&key_of(&anchor))), HOST, true),
        (tlsa(2, 0, 1, &sha256(&anchor)), "other.example", false),
        (tlsa(2, 0, 1, &sha256(&other.certificate)), HOST, false),
        (tlsa(2, 0, 0, &other.certificate), HOST, false),
    ];
    for (record, name, is_good) in anchor_cases {
        check(&client, &server, vec![record], name, is_good).await;
    }
    // One of several is enough: keys are rolled over like that.
    let records = vec![tlsa(3, 1, 1, &[1; 32]), tlsa(2, 0, 1, &sha256(&anchor))];
    check(&client, &server, records, HOST, true).await;
}

async fn check(client: &Client, server: &Server, records: Vec<Tlsa>, name: &str, is_good: bool) {
    let shown = format!("{records:?} for {name}");
    let associations = Associations::new(records, vec![name.to_owned()]).expect("usable");
    let trust = Trust::Dane(associations);
    let opened = client.open(&server.target(), &with(Security::Required(trust))).await;
    match opened {
        Ok(connection) => {
            assert!(is_good && connection.is_verified(), "{shown}");
            connection.quit().await;
        }
        Err(error) => assert!(!is_good && error.kind == OpenErrorKind::Tls, "{shown}: {error}"),
    }
}

#[test]
fn records_that_mail_cannot_use_are_none() {
    let names = || vec![HOST.to_owned()];
    for record in [
        tlsa(0, 0, 1, &[0; 32]),
        tlsa(1, 1, 1, &[0; 32]),
        tlsa(3, 2, 1, &[0; 32]),
        tlsa(3, 1, 3, &[0; 32]),
        tlsa(3, 1, 1, &[0; 31]),
        tlsa(3, 1, 2, &[0; 32]),
        tlsa(3, 1, 0, &[]),
        tlsa(255, 1, 1, &[0; 32]),
    ] {
        assert_eq!(Associations::new(vec![record.clone()], names()), None, "{record:?}");
    }
    assert!(Associations::new(vec![tlsa(3, 1, 1, &[0; 32])], names()).is_some());
}

/// A name, a kind of record, and what is known of it: records, and whether their signatures are right.
type Known = (&'static str, Kind, Result<(Vec<Record>, bool), NoAnswer>);

/// Answers that a test makes up, so that it says what DNSSEC proves.
struct Table(Vec<Known>);

impl Source for Table {
    fn look_up<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a> {
        let found = self.0.iter().find(|(other, of, _)| *other == name && *of == kind);
        let found = found.map_or(Err(NoAnswer::NoName), |(_, _, answer)| answer.clone());
        let name = name.to_owned();
        Box::pin(async { found.map(|(records, secure)| Answer { records, name, secure }) })
    }
}

/// A policy, fetched as often as is counted.
struct Told(&'static str, Arc<Mutex<u32>>);

impl Fetch for Told {
    fn fetch<'a>(&'a self, _: &'a str) -> Fetching<'a> {
        *self.1.lock().expect("no panic") += 1;
        Box::pin(async {
            if self.0.is_empty() { Err("nobody is there".to_owned()) } else { Ok(self.0.into()) }
        })
    }
}

fn hop(proven: bool) -> NextHop<'static> {
    let (domain, host) = ("hamburger.example", HOST);
    let (mx_secure, address_secure) = (proven, proven);
    NextHop { domain, host, canonical: host, port: 25, mx_secure, address_secure }
}

const ANNOUNCED: &str = "_mta-sts.hamburger.example";
const TLSA_NAME: &str = "_25._tcp.mx.hamburger.example";

fn announced() -> Known {
    (ANNOUNCED, Kind::Txt, Ok((vec![Record::Txt(b"v=STSv1; id=1;".to_vec())], false)))
}

#[tokio::test]
async fn dane_decides_before_mta_sts() {
    let usable = tlsa(3, 1, 1, &[0; 32]);
    let decide = async |answer: Result<(Vec<Record>, bool), NoAnswer>, proven: bool| {
        let table = Table(vec![(TLSA_NAME, Kind::Tlsa, answer)]);
        Policies::new(Dns::new(Arc::new(table)), None).security(hop(proven), 0).await
    };
    let record = |tlsa: &Tlsa| vec![Record::Tlsa(tlsa.clone())];
    let dane = Security::Required(Trust::Dane(
        Associations::new(vec![usable.clone()], vec![HOST.into(), "hamburger.example".into()])
            .expect("usable"),
    ));
    assert_eq!(decide(Ok((record(&usable), true)), true).await, Ok(dane));
    // Records without proof, or a way to the host without proof, prove nothing.
    assert_eq!(decide(Ok((record(&usable), false)), true).await, Ok(Security::Opportunistic));
    assert_eq!(decide(Ok((record(&usable), true)), false).await, Ok(Security::Opportunistic));
    // Records of no use still say that there is TLS.
    let unusable = record(&tlsa(0, 0, 1, &[0; 32]));
    assert_eq!(decide(Ok((unusable, true)), true).await, Ok(Security::Required(Trust::Any)));
    assert_eq!(decide(Err(NoAnswer::NoRecords), true).await, Ok(Security::Opportunistic));
    // What cannot be looked up may be what somebody hides.
    let failed = decide(Err(NoAnswer::Temporary("timeout".into())), true).await;
    assert_eq!(failed, Err(Unfit::Unknown("timeout".into())));
}

/// RFC 7672 §2.2.2, §2.2.3: associations stand where the host's CNAMEs end, or else below the host's own name.
#[tokio::test]
async fn associations_are_looked_for_where_aliases_end() {
    const END: &str = "cluster.example";
    const END_TLSA: &str = "_25._tcp.cluster.example";
    let record = |octet| vec![Record::Tlsa(tlsa(3, 1, 1, &[octet; 32]))];
    let found = |name, octet| (name, Kind::Tlsa, Ok((record(octet), true)));
    let alias = |secure| (HOST, Kind::Cname, Ok((vec![Record::Cname(END.into())], secure)));
    let decide = async |known: Vec<Known>, address_secure| {
        let way = NextHop { canonical: END, address_secure, ..hop(true) };
        Policies::new(Dns::new(Arc::new(Table(known))), None).security(way, 0).await
    };
    let by = |base: &str, octet| {
        let names = vec![base.to_owned(), "hamburger.example".to_owned()];
        let trust = Associations::new(vec![tlsa(3, 1, 1, &[octet; 32])], names);
        Ok(Security::Required(Trust::Dane(trust.expect("usable"))))
    };
    let open = Ok(Security::Opportunistic);
    let both = || vec![found(END_TLSA, 1), found(TLSA_NAME, 2), alias(true)];
    assert_eq!(decide(both(), true).await, by(END, 1));
    assert_eq!(decide(vec![found(TLSA_NAME, 2), alias(true)], true).await, by(HOST, 2));
    // The alias is proven, and what it leads to is not.
    assert_eq!(decide(both(), false).await, by(HOST, 2));
    assert_eq!(decide(vec![found(TLSA_NAME, 2), alias(false)], false).await, open);
    let hidden = (HOST, Kind::Cname, Err(NoAnswer::Temporary("timeout".into())));
    let failed = decide(vec![found(TLSA_NAME, 2), hidden], false).await;
    assert_eq!(failed, Err(Unfit::Unknown("timeout".into())));
}

#[tokio::test]
async fn a_policy_says_which_hosts_must_prove_themselves() {
    let decide = async |text: &'static str| {
        let sts = MtaSts::new(Box::new(Told(text, Arc::default())));
        let dns = Dns::new(Arc::new(Table(vec![announced()])));
        Policies::new(dns, Some(Arc::new(sts))).security(hop(false), 0).await
    };
    let pkix = Ok(Security::Required(Trust::Pkix));
    let open = Ok(Security::Opportunistic);
    assert_eq!(
        decide("version: STSv1\nmode: enforce\nmx: *.hamburger.example\nmax_age: 60\n").await,
        pkix
    );
    assert_eq!(
        decide("version: STSv1\nmode: enforce\nmx: other.example\nmax_age: 60\n").await,
        Err(Unfit::NotNamed)
    );
    assert_eq!(
        decide("version: STSv1\nmode: testing\nmx: other.example\nmax_age: 60\n").await,
        open
    );
    assert_eq!(decide("version: STSv1\nmode: none\nmax_age: 60\n").await, open);
    assert_eq!(decide("<html>not found</html>").await, open);
    assert_eq!(decide("").await, open);
}

#[tokio::test]
async fn a_policy_is_kept_as_long_as_it_says() {
    const TEXT: &str = "version: STSv1\nmode: enforce\nmx: mx.hamburger.example\nmax_age: 60\n";
    let fetched = Arc::new(Mutex::new(0));
    let sts = MtaSts::new(Box::new(Told(TEXT, Arc::clone(&fetched))));
    let with = |records| Dns::new(Arc::new(Table(records)));
    let mode = async |dns: &Dns, now_ms| {
        sts.policy(dns, "Hamburger.example", now_ms).await.map(|policy| policy.mode)
    };
    let there = with(vec![announced()]);
    let gone = with(vec![]);
    assert_eq!(mode(&gone, 0).await, None);
    assert_eq!(mode(&there, 0).await, Some(Mode::Enforce));
    assert_eq!(mode(&there, 29_999).await, Some(Mode::Enforce));
    // Who hides the announcement does not undo it.
    assert_eq!(mode(&gone, 59_999).await, Some(Mode::Enforce));
    assert_eq!(*fetched.lock().expect("no panic"), 1);
    assert_eq!(mode(&gone, 60_000).await, None);
    assert_eq!(mode(&there, 60_000).await, Some(Mode::Enforce));
    assert_eq!(*fetched.lock().expect("no panic"), 2);
    let renewed =
        (ANNOUNCED, Kind::Txt, Ok((vec![Record::Txt(b"v=STSv1; id=2;".to_vec())], false)));
    assert_eq!(mode(&with(vec![renewed]), 60_001).await, Some(Mode::Enforce));
    assert_eq!(*fetched.lock().expect("no panic"), 3);
}

#[tokio::test]
async fn policies_come_over_https_from_their_own_domain() {
    const TEXT: &str =
        "version: STSv1\r\nmode: enforce\r\nmx: mx.hamburger.example\r\nmax_age: 60\r\n";
    let authority = Authority::new();
    let server = DnsServer::start();
    server.txt(ANNOUNCED, "v=STSv1; id=1;");
    server.address_of("mta-sts.hamburger.example", "127.0.0.1".parse().expect("an address"));
    let dns = resolver(&server);
    let tls = authority.tls("sts");
    let policy = async |name: &str, reply: String| {
        let identity = authority.identity(name, [2020, 2120]);
        let port = web_server(identity.acceptor(), reply).await;
        let fetch = WebFetch::new(dns.clone(), Arc::clone(&tls)).at_port(port);
        let sts = MtaSts::new(Box::new(fetch));
        sts.policy(&dns, "hamburger.example", 0).await.map(|policy| policy.mode)
    };
    let ok =
        |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let right = "mta-sts.hamburger.example";
    assert_eq!(policy(right, ok(TEXT)).await, Some(Mode::Enforce));
    assert_eq!(policy("hamburger.example", ok(TEXT)).await, None);
    let moved = format!(
        "HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: {}\r\n\r\n{TEXT}",
        TEXT.len()
    );
    assert_eq!(policy(right, moved).await, None);
    let large = format!("{TEXT}{}", "x: y\r\n".repeat(20_000));
    assert_eq!(policy(right, ok(&large)).await, None);
}

async fn web_server(acceptor: TlsAcceptor, reply: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(octet) => asked.push(octet),
                    Err(_) => break,
                }
            }
            let path = b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n";
            assert!(asked.starts_with(path), "{}", String::from_utf8_lossy(&asked));
            drop(stream.write_all(reply.as_bytes()).await);
            drop(stream.shutdown().await);
        }
    });
    port
}

/// The system's own authorities can be read, or Mozilla's are there; a file that is none is refused by name.
#[test]
fn authorities_come_from_where_they_are_said_to_be() {
    assert!(ClientTls::new(None).is_ok());
    let missing = PathBuf::from("/nonexistent/ca.pem");
    let error = ClientTls::new(Some(&missing)).err().expect("it is not there");
    assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
}
