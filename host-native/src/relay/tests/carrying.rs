//! From host to host of one domain, over real sockets: what one server puts off or does not offer, another may take.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use pillarbox_engine::relay::{Fared, Handover, Hop, Lookup, Place};
use pillarbox_engine::smtp::client::types::{Fate, TlsPolicy};
use pillarbox_engine::smtp::{Body, Envelope, MailFrom, RcptTo, Service};
use pillarbox_world::queue::{Action, Which};
use pillarbox_world::service::Backend;
use pillarbox_world::service::web::Conversations;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::super::outgoing::{Outgoing, Sending};
use super::super::resting::Rest;
use super::super::steer::steer;
use super::super::{Carrier, Connection, NotReached, Parcel, Proof, Said};
use super::few;
use super::rig::{Rig, mailbox};
use crate::cli::EngineChoice;
use crate::client::Client;
use crate::client::policy::Policies;
use crate::dns::{Answer, Dns, Kind, Looking, Mx, NoAnswer, Record, Source};
use crate::engine::{Engine, EngineSettings};
use crate::tls::ClientTls;

/// Every domain has the same two exchanges, which begin with the addresses that they have.
struct Zone;

impl Source for Zone {
    fn look_up<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a> {
        let mx = |preference, exchange: &str| {
            Record::Mx(Mx { preference, exchange: exchange.to_owned() })
        };
        let records = match (kind, name) {
            (Kind::Mx, _) => vec![mx(1, "127-0-0-8.two.example"), mx(2, "127-0-0-9.two.example")],
            (Kind::A, name) => {
                let label = name.split('.').next().unwrap_or_default();
                label.replace('-', ".").parse().ok().map(Record::A).into_iter().collect()
            }
            _ => Vec::new(),
        };
        let answer = Answer { records, name: name.to_owned(), secure: false, alias_secure: false };
        let found = if answer.records.is_empty() { Err(NoAnswer::NoRecords) } else { Ok(answer) };
        Box::pin(std::future::ready(found))
    }
}

/// What servers heard: each line of each connection, by host.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(String, String)>>>);

impl Heard {
    fn note(&self, host: &str, line: &str) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push((host.to_owned(), line.to_owned()));
    }

    /// How many lines of a host begin like this.
    fn count(&self, host: &str, begin: &str) -> usize {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|(of, line)| of == host && line.starts_with(begin)).count()
    }
}

/// How a server behaves.
#[derive(Clone, Copy)]
struct Play {
    greeting: &'static str,
    /// Words after EHLO.
    offers: &'static [&'static str],
    /// RCPT with this in it is put off.
    defers: &'static str,
}

/// Takes everything.
const WILLING: Play = Play { greeting: "220 ready", offers: &[], defers: "nobody-at-all" };
/// Takes nothing.
const BUSY: Play = Play { greeting: "421 4.3.2 not now", ..WILLING };

const fn offering(offers: &'static [&'static str]) -> Option<Play> {
    Some(Play { offers, ..WILLING })
}

fn serve(listener: TcpListener, host: &'static str, play: Play, heard: Heard) {
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            heard.note(host, "connected");
            tokio::spawn(converse(socket, host, play, heard.clone()));
        }
    });
}

async fn converse(
    mut socket: TcpStream,
    host: &'static str,
    play: Play,
    heard: Heard,
) -> std::io::Result<()> {
    let (read, mut write) = socket.split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(format!("{}\r\n", play.greeting).as_bytes()).await?;
    let mut in_data = false;
    while let Some(line) = lines.next_line().await? {
        if in_data && line != "." {
            continue;
        }
        heard.note(host, &line);
        let reply = match &line[..line.len().min(4)] {
            "EHLO" => {
                let offers = play.offers.iter().map(|word| format!("250-{word}\r\n"));
                format!("250-{host}\r\n{}250 ENHANCEDSTATUSCODES\r\n", offers.collect::<String>())
            }
            "RCPT" if line.contains(play.defers) => "450 4.2.0 later\r\n".to_owned(),
            "DATA" => "354 go on\r\n".to_owned(),
            "QUIT" => "221 2.0.0 bye\r\n".to_owned(),
            _ => "250 2.0.0 fine\r\n".to_owned(),
        };
        in_data = line == "DATA";
        write.write_all(reply.as_bytes()).await?;
    }
    Ok(())
}

const FIRST: &str = "127.0.0.8";
const SECOND: &str = "127.0.0.9";

/// A host, and the two servers that every domain has; one that plays nothing is down.
struct Ground {
    rig: Rig,
    outgoing: Outgoing,
    port: u16,
    heard: Heard,
}

impl Ground {
    async fn new(name: &str, plays: [Option<Play>; 2]) -> Self {
        let rig = Rig::new(name, few());
        let heard = Heard::default();
        let first = TcpListener::bind((FIRST, 0)).await.expect("a loopback address");
        let port = first.local_addr().expect("it is bound").port();
        let second = TcpListener::bind((SECOND, port)).await.expect("nobody else is there");
        for (listener, host, play) in [(first, FIRST, plays[0]), (second, SECOND, plays[1])] {
            if let Some(play) = play {
                serve(listener, host, play, heard.clone());
            }
        }
        let (dns, own): (_, Vec<SocketAddr>) = (Dns::new(Arc::new(Zone)), Vec::new());
        let tls = ClientTls::new(None).expect("this system trusts somebody");
        let engine = Engine::new(&EngineSettings::new(EngineChoice::Sandbox, Some(8)));
        let client = Client::new(Arc::new(engine.expect("it starts")), Arc::new(tls), None);
        let policies = Policies::new(dns.clone(), None);
        let backend = Arc::clone(&rig.backend);
        let outgoing = Outgoing::new(backend, client, (dns, policies), own, 1 << 20);
        Self { rig, outgoing, port, heard }
    }

    async fn connect(&self, domain: &str) -> Result<Sending, NotReached> {
        self.connect_as(domain, false).await
    }

    async fn connect_as(&self, domain: &str, urgent: bool) -> Result<Sending, NotReached> {
        let (host, lookup) = (domain.as_bytes().to_vec(), Lookup::Exchanges);
        let next_hop = Place { host, lookup, port: Some(self.port) };
        let tls = TlsPolicy::Opportunistic;
        let hop = Hop { next_hop, service: Service::Smtp, tls, mapped: false };
        self.outgoing.connect(&hop, Proof::Usual, None, urgent).await
    }
}

/// Delivers a message to `two.example`, whose hosts play this.
async fn delivered(
    name: &str,
    plays: [Option<Play>; 2],
    mail: MailFrom,
    to: &[&str],
    text: &str,
) -> (Vec<Fared>, Heard) {
    let ground = Ground::new(name, plays).await;
    let envelope = Envelope { last: text.as_bytes().to_vec(), ..Envelope::default() };
    let blob = ground.rig.send_as(mail.clone(), to, None, envelope).await;
    let messages = ground.rig.backend.store().messages(0, 1).expect("the queue can be read");
    let size = messages[0].sent_size();
    let connection = ground.connect("two.example").await;
    let mut connection = connection.unwrap_or_else(|_| panic!("a host is there"));
    let recipients = to.iter().map(|to| RcptTo { forward_path: mailbox(to), ..RcptTo::default() });
    let parcel =
        Parcel { mail, recipients: recipients.collect(), blob, skip: 0, size, plain: false };
    let fared = connection.deliver(parcel).await;
    connection.quit().await;
    ground.rig.end().await;
    (fared, ground.heard)
}

fn alice() -> MailFrom {
    MailFrom { reverse_path: Some(mailbox("alice@ours.example")), ..MailFrom::default() }
}

fn all_accepted(fared: &[Fared]) -> bool {
    fared.iter().all(|fared| matches!(fared.fate, Fate::Accepted(_)))
}

/// RFC 9422 MAILMAX: a server that takes one message of one recipient at a time gets as many connections as it needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_few_at_a_time_is_asked_again_at_once() {
    let limited = offering(&["LIMITS MAILMAX=1 RCPTMAX=1"]);
    let to = ["ann@two.example", "ben@two.example", "cy@two.example"];
    let (fared, heard) = delivered("mailmax", [limited, Some(WILLING)], alice(), &to, "").await;
    assert!(all_accepted(&fared), "{fared:?}");
    assert_eq!(heard.count(FIRST, "connected"), 3);
    assert_eq!(heard.count(FIRST, "MAIL"), 3);
    assert_eq!(heard.count(SECOND, "connected"), 0, "the best host has served everybody");
}

/// What was said for a message tells of that one alone, though its connection carried another one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_for_a_message_is_kept_for_whom_it_was_promised_to() {
    let mut ground = Ground::new("said", [Some(WILLING), Some(WILLING)]).await;
    let said = Said::default();
    ground.outgoing = ground.outgoing.telling(Some(said.clone()));
    let connection = ground.connect("two.example").await;
    let mut connection = connection.unwrap_or_else(|_| panic!("a host is there"));
    let mut blobs = Vec::new();
    for to in ["ann@two.example", "ben@two.example"] {
        let envelope = Envelope { last: b"Subject: x\r\n\r\n".to_vec(), ..Envelope::default() };
        let blob = ground.rig.send_as(alice(), &[to], None, envelope).await;
        if to.starts_with("ben") {
            said.expect(blob);
        }
        let messages = ground.rig.backend.store().messages(blob - 1, 1).expect("it can be read");
        let size = messages[0].sent_size();
        let recipients = vec![RcptTo { forward_path: mailbox(to), ..RcptTo::default() }];
        let parcel = Parcel { mail: alice(), recipients, blob, skip: 0, size, plain: false };
        assert!(all_accepted(&connection.deliver(parcel).await));
        blobs.push(blob);
    }
    connection.quit().await;
    ground.rig.end().await;
    assert!(said.of(blobs[0]).is_empty(), "nobody was promised it");
    let [text] = &said.of(blobs[1])[..] else { panic!("one connection") };
    for line in [
        "# SMTP with 127-0-0-8.two.example 127.0.0.8:",
        "S: 220",
        "C: EHLO ",
        "C: MAIL FROM:<alice@ours.example>",
        "C: RCPT TO:<ben@two.example>",
        "C: Subject: x\n",
        "S: 250 2.0.0 fine\n",
        "RFC 5321 §",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("ann@"), "{text}");
}

/// RFC 6531 §3.5, RFC 8689 §4.2.1: of a domain's hosts one may offer what another does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_host_does_not_offer_is_asked_of_the_next() {
    let mail = MailFrom { smtputf8: true, ..alice() };
    let wide = offering(&["8BITMIME", "SMTPUTF8"]);
    let to = ["ann@two.example"];
    let run = async |name, second| {
        let (fared, heard) = delivered(name, [Some(WILLING), second], mail.clone(), &to, "").await;
        let [Fared { fate, .. }] = &fared[..] else { panic!("{fared:?}") };
        (fate.clone(), heard)
    };
    let (fate, heard) = run("offers", wide).await;
    assert!(matches!(fate, Fate::Accepted(_)), "{fate:?}");
    assert_eq!((heard.count(FIRST, "MAIL"), heard.count(SECOND, "MAIL")), (0, 1));
    let (fate, _) = run("offers-not", Some(WILLING)).await;
    assert!(matches!(fate, Fate::Failed(_)), "nobody offers it: {fate:?}");
    // The one that is down may offer it when it is up.
    let (fate, _) = run("offers-later", None).await;
    assert!(matches!(fate, Fate::Deferred(_)), "{fate:?}");
}

/// RFC 3461 §5.2.1: each recipient's sender is told by the host that took it, or else by us, naming that host.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_each_host_took_is_known() {
    let first = Play { offers: &["DSN"], defers: "ben", ..WILLING };
    let to = ["ann@two.example", "ben@two.example"];
    let (fared, heard) = delivered("whose", [Some(first), Some(WILLING)], alice(), &to, "").await;
    assert!(all_accepted(&fared), "{fared:?}");
    let by: Vec<_> = fared.iter().map(|fared| (fared.server.as_deref(), fared.handover)).collect();
    let (ann, ben) = (&b"127-0-0-8.two.example"[..], &b"127-0-0-9.two.example"[..]);
    assert_eq!(by, [(Some(ann), Handover::Reporting), (Some(ben), Handover::Silent)]);
    assert_eq!((heard.count(FIRST, "RCPT"), heard.count(SECOND, "RCPT")), (2, 1));
}

/// A host that is down is tried for one domain, and left alone by the mail of all others until its time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_down_is_left_alone_by_all_domains() {
    let ground = Ground::new("resting", [Some(BUSY), None]).await;
    let relaying = ground.rig.backend.relaying().clone();
    let tried = || ground.heard.count(FIRST, "connected");
    let rest_of = async |domain: &str| {
        let refused = ground.connect(domain).await.err().expect("nobody serves");
        assert!(matches!(refused.fared.fate, Fate::Deferred(_)), "{refused:?}");
        refused.rest.expect("all its hosts are down")
    };
    let rest = rest_of("two.example").await;
    assert_eq!((rest.failures, rest.is_new, tried()), (1, true, 1));
    let later = rest_of("other.example").await;
    let same = Rest { is_new: false, ..rest };
    assert_eq!((later, tried()), (same, 1), "for as long as the first failure says");
    // Before a message is given up, its hosts are tried whatever is known of them.
    assert!(ground.connect_as("other.example", true).await.is_err());
    assert_eq!(tried(), 2);
    let rest = rest_of("two.example").await;
    assert_eq!((rest.failures, rest.is_new), (2, false));
    // The second host failed a moment after the first.
    ground.rig.clock.advance(rest.until_ms + 1000 - relaying.clock.now_ms());
    let again = rest_of("other.example").await;
    assert_eq!((again.failures, tried()), (3, 3));
    assert!(again.until_ms - relaying.clock.now_ms() > relaying.schedule.first_ms);
    // Whoever asks for it to be tried now means it.
    let retry = Action::Retry { now_ms: relaying.clock.now_ms() };
    steer(&ground.rig.backend, &Which::All, retry).await.expect("the queue is there");
    assert_eq!((rest_of("two.example").await.failures, tried()), (1, 4));
    ground.rig.end().await;
}

/// A best host that is down costs its domain's mail one try, not one for each message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_host_serves_while_the_best_one_is_left_alone() {
    let ground = Ground::new("backup", [Some(BUSY), Some(WILLING)]).await;
    for _ in 0..3 {
        ground.connect("two.example").await.unwrap_or_else(|_| panic!("it serves")).quit().await;
    }
    let connected = |host| ground.heard.count(host, "connected");
    assert_eq!((connected(FIRST), connected(SECOND)), (1, 3));
    ground.rig.end().await;
}

/// RFC 6152 §3, RFC 5321 §4.5.3.1.6: whatever MAIL said, a server gets nothing that it does not take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_are_too_long_are_encoded() {
    let mail = MailFrom { body: Body::BinaryMime, ..alice() };
    let (text, to) = (format!("{}\r\n", "x".repeat(3000)), ["ann@two.example"]);
    let (fared, heard) = delivered("long", [Some(WILLING), None], mail, &to, &text).await;
    assert!(all_accepted(&fared), "{fared:?}");
    assert_eq!(heard.count(FIRST, "MAIL FROM:<alice@ours.example>"), 1);
}
