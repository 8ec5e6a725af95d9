//! The client on real sockets: one connection for many messages, addresses that do not answer, servers that break off.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pillarbox::cli::EngineChoice;
use pillarbox::client::{
    Client, Envelope, Login, LoginError, OpenErrorKind, Secret, Settings, Source, Target, Trace,
};
use pillarbox::engine::{Engine, EngineSettings};
use pillarbox::tls::ClientTls;
use pillarbox_engine::smtp::client::types::{Fate, Stage, Timeouts};
use pillarbox_engine::smtp::{MailFrom, Mailbox, RcptTo};
use pillarbox_engine::types::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MESSAGE: &[u8] = b"Subject: x\r\n\r\n.dot\r\nhello\r\n";

fn client(trace: Option<Trace>) -> Client {
    let settings = EngineSettings::new(EngineChoice::Sandbox, Some(8));
    let engine = Engine::new(&settings).expect("the component is valid");
    let tls = ClientTls::new(None).expect("no file is read");
    Client::new(Arc::new(engine), Arc::new(tls), trace)
}

fn mailbox(address: &str) -> Mailbox {
    let (local, domain) = address.rsplit_once('@').expect("an address has an @");
    Mailbox { local_part: local.as_bytes().to_vec(), domain: domain.as_bytes().to_vec() }
}

fn envelope(recipients: &[&str]) -> Envelope {
    let rcpt = |to: &&str| RcptTo { forward_path: mailbox(to), ..RcptTo::default() };
    Envelope {
        mail: MailFrom { reverse_path: Some(mailbox("ann@a.example")), ..MailFrom::default() },
        recipients: recipients.iter().map(rcpt).collect(),
        plain: false,
        require_tls: false,
    }
}

fn message() -> Arc<dyn Source> {
    Arc::new(MESSAGE.to_vec())
}

fn short(fate: &Fate) -> String {
    match fate {
        Fate::Accepted(reply) => format!("accepted {}", reply.code),
        Fate::Failed(failure) => format!("failed {:?} {}", failure.stage, failure.diagnosis),
        Fate::Deferred(failure) => format!("deferred {:?} {}", failure.stage, failure.diagnosis),
        Fate::Uncertain(failure) => format!("uncertain {:?} {}", failure.stage, failure.diagnosis),
    }
}

/// A server that holds this conversation with each that connects: what it says, and after that what it must hear.
async fn server(script: &'static [(&'static str, &'static str)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(hold(stream, script));
        }
    });
    address
}

async fn hold(mut stream: TcpStream, script: &[(&str, &str)]) {
    for (say, hear) in script {
        stream.write_all(say.as_bytes()).await.expect("the client is there");
        let mut heard = vec![0; hear.len()];
        let read = stream.read_exact(&mut heard).await;
        let heard = String::from_utf8_lossy(&heard).into_owned();
        read.unwrap_or_else(|error| panic!("after {say:?}: {error}, {heard:?}"));
        assert_eq!(&heard, hear, "after {say:?}");
    }
}

fn at(addresses: &[SocketAddr]) -> Target {
    Target { name: "mx.example".to_owned(), addresses: addresses.to_vec() }
}

fn settings() -> Settings {
    Settings::new("client.example")
}

#[tokio::test]
async fn several_messages_over_one_connection() {
    let address = server(&[
        ("220 mx.example\r\n", "EHLO client.example\r\n"),
        ("250-mx.example\r\n250 PIPELINING\r\n", "MAIL FROM:<ann@a.example>\r\nRCPT TO:<bob@b.example>\r\nRCPT TO:<no@b.example>\r\nDATA\r\n"),
        ("250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n", "Subject: x\r\n\r\n..dot\r\nhello\r\n.\r\n"),
        ("250 2.0.0 taken\r\n", "MAIL FROM:<ann@a.example>\r\nRCPT TO:<eve@b.example>\r\nDATA\r\n"),
        ("250 ok\r\n452 4.2.2 full\r\n503 none\r\n", "RSET\r\nMAIL FROM:<ann@a.example>\r\nRCPT TO:<bob@b.example>\r\nDATA\r\n"),
        ("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", "Subject: x\r\n\r\n..dot\r\nhello\r\n.\r\n"),
        ("250 2.0.0 taken too\r\n", "QUIT\r\n"),
        ("221 bye\r\n", ""),
    ])
    .await;
    let mut connection = client(None).open(&at(&[address]), &settings()).await.expect("it serves");
    assert!(connection.offer().is_some_and(|offer| offer.extensions.pipelining));
    let fates = connection.deliver(envelope(&["bob@b.example", "no@b.example"]), message()).await;
    assert_eq!(
        fates.iter().map(short).collect::<Vec<_>>(),
        ["accepted 250", "failed Recipient 5.1.1 The server refused the recipient"]
    );
    let fates = connection.deliver(envelope(&["eve@b.example"]), message()).await;
    assert!(short(&fates[0]).starts_with("deferred Recipient 4.2.2"), "{fates:?}");
    assert!(connection.is_usable().await);
    let fates = connection.deliver(envelope(&["bob@b.example"]), message()).await;
    assert_eq!(short(&fates[0]), "accepted 250");
    connection.quit().await;
}

#[tokio::test]
async fn addresses_are_tried_until_one_serves() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        listener.local_addr().expect("bound")
    };
    let busy = server(&[("421 4.3.2 not now\r\n", "")]).await;
    let open = server(&[
        ("220 mx\r\n", "EHLO client.example\r\n"),
        ("250 mx\r\n", "QUIT\r\n"),
        ("221 bye\r\n", ""),
    ])
    .await;
    let client = client(None);
    let connection = client.open(&at(&[gone, busy, open]), &settings()).await.expect("one serves");
    assert_eq!(connection.address(), open);
    connection.quit().await;
    // The words of the one that answered are worth more than the silence of the other.
    let error = client.open(&at(&[busy, gone]), &settings()).await.err().expect("none serves");
    assert_eq!((error.kind, error.address), (OpenErrorKind::Session, Some(busy)));
    assert_eq!(error.failure.reply.as_ref().map(|reply| reply.code), Some(421));
    assert!(error.to_string().contains("421 not now"), "{error}");
    let error = client.open(&at(&[gone]), &settings()).await.err().expect("nobody is there");
    assert_eq!(error.kind, OpenErrorKind::Unreachable);
    assert!(error.failure.diagnosis.starts_with("4.4.1 "), "{error}");
    let error = client.open(&at(&[]), &settings()).await.err().expect("there is nothing");
    assert_eq!(error.kind, OpenErrorKind::NoAddress);
}

#[tokio::test]
async fn a_server_that_breaks_off_leaves_a_fate_for_each() {
    const ENVELOPE: &str = "MAIL FROM:<ann@a.example>\r\n";
    let cases: [(&'static [(&str, &str)], &str); 4] = [
        (
            &[("220 mx\r\n", "EHLO client.example\r\n"), ("250 mx\r\n", ENVELOPE)],
            "deferred Mail 4.4.2",
        ),
        (
            &[
                ("220 mx\r\n", "EHLO client.example\r\n"),
                ("250 mx\r\n", ENVELOPE),
                ("250 ok\r\n", "RCPT TO:<bob@b.example>\r\n"),
                ("250 ok\r\n", "DATA\r\n"),
            ],
            "deferred Data 4.4.2",
        ),
        (
            &[
                ("220 mx\r\n", "EHLO client.example\r\n"),
                ("250 mx\r\n", ENVELOPE),
                ("250 ok\r\n", "RCPT TO:<bob@b.example>\r\n"),
                ("250 ok\r\n", "DATA\r\n"),
                ("354 go\r\n", "Subject: x\r\n\r\n..dot\r\nhello\r\n.\r\n"),
            ],
            "uncertain EndOfData 4.4.2",
        ),
        (
            &[
                ("220 mx\r\n", "EHLO client.example\r\n"),
                ("250 mx\r\n", ENVELOPE),
                ("421 4.3.2 going down\r\n", ""),
            ],
            "deferred Mail 4.3.2",
        ),
    ];
    let client = client(None);
    for (script, expected) in cases {
        let address = server(script).await;
        let mut connection = client.open(&at(&[address]), &settings()).await.expect("it serves");
        let fates = connection.deliver(envelope(&["bob@b.example"]), message()).await;
        assert!(short(&fates[0]).starts_with(expected), "{} not {expected}", short(&fates[0]));
        assert!(!connection.is_usable().await);
        let fates = connection.deliver(envelope(&["bob@b.example"]), message()).await;
        assert!(short(&fates[0]).starts_with("deferred Session"), "{fates:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_too_long() {
    let address = server(&[
        ("220 mx\r\n", "EHLO client.example\r\n"),
        ("250 mx\r\n", "MAIL FROM:<ann@a.example>\r\n"),
        ("", "never said"),
    ])
    .await;
    let timeouts = Timeouts { command_ms: 300, ..Timeouts::default() };
    let settings = Settings { timeouts, ..settings() };
    let mut connection = client(None).open(&at(&[address]), &settings).await.expect("it serves");
    let delivery = connection.deliver(envelope(&["bob@b.example"]), message());
    let fates = tokio::time::timeout(Duration::from_secs(20), delivery).await.expect("it ends");
    assert_eq!(short(&fates[0]), "deferred Mail 4.4.2 The server did not answer in time");
}

/// It refuses a large message while it comes and reads no more of it: what it says is heard all the same.
#[tokio::test]
async fn a_server_that_speaks_while_it_does_not_read_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let script = [
            ("220 mx\r\n", "EHLO client.example\r\n"),
            ("250 mx\r\n", "MAIL FROM:<ann@a.example>\r\n"),
            ("250 ok\r\n", "RCPT TO:<bob@b.example>\r\n"),
            ("250 ok\r\n", "DATA\r\n"),
        ];
        for (say, hear) in script {
            stream.write_all(say.as_bytes()).await.expect("the client is there");
            let mut heard = vec![0; hear.len()];
            stream.read_exact(&mut heard).await.expect("the client speaks");
        }
        stream.write_all(b"354 go\r\n").await.expect("the client is there");
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(b"552 5.3.4 too large\r\n").await.expect("the client is there");
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let mut connection = client(None).open(&at(&[address]), &settings()).await.expect("it serves");
    let message = b"a line of text that is long enough\r\n".repeat(1_000_000);
    let delivery = connection
        .deliver(Envelope { plain: true, ..envelope(&["bob@b.example"]) }, Arc::new(message));
    let fates = tokio::time::timeout(Duration::from_secs(30), delivery).await.expect("it ends");
    let Fate::Failed(failure) = &fates[0] else { panic!("{fates:?}") };
    assert_eq!((failure.stage, failure.reply.as_ref().map(|r| r.code)), (Stage::Data, Some(552)));
    assert!(!connection.is_usable().await);
}

struct Unreadable;

impl Source for Unreadable {
    fn size(&self) -> u64 {
        100
    }

    fn octets(&self, _: u64, _: u64) -> Result<Vec<u8>, Reason> {
        Err(Reason::StorageFailed)
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_not_half_sent() {
    let script: &[(&str, &str)] = &[
        ("220 mx\r\n", "EHLO client.example\r\n"),
        ("250 mx\r\n", "MAIL FROM:<ann@a.example>\r\n"),
        ("250 ok\r\n", "RCPT TO:<bob@b.example>\r\n"),
        ("250 ok\r\n", "DATA\r\n"),
        ("354 go\r\n", ""),
    ];
    let client = client(None);
    for plain in [true, false] {
        let address = server(script).await;
        let mut connection = client.open(&at(&[address]), &settings()).await.expect("it serves");
        let envelope = Envelope { plain, ..envelope(&["bob@b.example"]) };
        let fates = connection.deliver(envelope, Arc::new(Unreadable)).await;
        assert!(short(&fates[0]).starts_with("deferred"), "{fates:?}");
        assert!(!connection.is_usable().await);
    }
}

#[tokio::test]
async fn conversations_are_written_down_without_secrets() {
    let address = server(&[
        ("220 mx\r\n", "EHLO client.example\r\n"),
        ("250-mx\r\n250 AUTH PLAIN\r\n", "AUTH PLAIN AGFubgBzM2NyZXQ=\r\n"),
        ("235 2.7.0 in\r\n", "MAIL FROM:<ann@a.example>\r\n"),
        ("250 ok\r\n", "RCPT TO:<bob@b.example>\r\n"),
        ("250 ok\r\n", "DATA\r\n"),
        ("354 go\r\n", "Subject: x\r\n\r\n..dot\r\nhello\r\n.\r\n"),
        ("250 2.0.0 taken\r\n", "QUIT\r\n"),
        ("221 bye\r\n", ""),
    ])
    .await;
    let written: Arc<Mutex<Vec<u8>>> = Arc::default();
    let client = client(Some(Trace::Writer(written.clone())));
    let login = Login::new("ann", Secret::Password("s3cret".to_owned()), None, true).expect("good");
    assert!(!format!("{login:?}").contains("s3cret"));
    let settings = Settings { login: Some(login), ..settings() };
    let mut connection = client.open(&at(&[address]), &settings).await.expect("it serves");
    let fates = connection.deliver(envelope(&["bob@b.example"]), message()).await;
    assert_eq!(short(&fates[0]), "accepted 250");
    connection.quit().await;
    let text = String::from_utf8(written.lock().expect("no panic").clone()).expect("text");
    for line in [
        "S: 220 mx\n",
        "C: AUTH PLAIN ******\n",
        "C: ..dot\n",
        "C: .\n",
        "S: 250 2.0.0 taken\n",
        "C: QUIT\n",
        "S: 221 bye\n",
    ] {
        assert!(text.contains(line), "{line:?} is missing:\n{text}");
    }
    assert!(!text.contains("AGFubgBzM2NyZXQ"), "{text}");
}

#[tokio::test]
async fn no_password_crosses_in_the_clear_and_a_refusal_is_told() {
    let address = server(&[
        ("220 mx\r\n", "EHLO client.example\r\n"),
        ("250-mx\r\n250 AUTH PLAIN\r\n", "QUIT\r\n"),
    ])
    .await;
    let client = client(None);
    let password = || Secret::Password("s3cret".to_owned());
    let login = Login::new("ann", password(), None, false).expect("good");
    let with = |login| Settings { login: Some(login), ..settings() };
    let error = client.open(&at(&[address]), &with(login)).await.err().expect("no login");
    assert!(error.failure.diagnosis.starts_with("4.7.0 "), "{error}");
    let refusing = server(&[
        ("220 mx\r\n", "EHLO client.example\r\n"),
        ("250-mx\r\n250 AUTH PLAIN\r\n", "AUTH PLAIN AGFubgBzM2NyZXQ=\r\n"),
        ("535 5.7.8 wrong\r\n", "QUIT\r\n"),
    ])
    .await;
    let login = Login::new("ann", password(), None, true).expect("good");
    let error = client.open(&at(&[refusing, refusing]), &with(login)).await.err().expect("refused");
    assert_eq!(error.failure.reply.as_ref().map(|reply| reply.code), Some(535), "{error}");
    assert_eq!(Login::new("a\0", password(), None, true).err(), Some(LoginError::User));
    assert_eq!(Login::new("", password(), None, true).err(), Some(LoginError::User));
    let secret = Secret::Token("two words".to_owned());
    assert_eq!(Login::new("ann", secret, None, true).err(), Some(LoginError::Secret));
}
