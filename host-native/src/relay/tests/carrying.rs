//! From host to host of one domain, over real sockets: what one server puts off or does not offer, another may take.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use pillarbox_engine::relay::{Hop, Lookup, Place};
use pillarbox_engine::smtp::client::types::{Fate, TlsPolicy};
use pillarbox_engine::smtp::{Body, Envelope, MailFrom, RcptTo, Service};
use pillarbox_world::service::Backend;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::super::outgoing::Outgoing;
use super::super::{Carrier, Connection, Parcel, Proof};
use super::few;
use super::rig::{Rig, mailbox};
use crate::cli::EngineChoice;
use crate::client::Client;
use crate::client::policy::Policies;
use crate::dns::{Answer, Dns, Kind, Looking, Mx, NoAnswer, Record, Source};
use crate::engine::{Engine, EngineSettings};
use crate::tls::ClientTls;

/// `two.example` has two exchanges, which begin with the addresses that they have.
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
        let answer = Answer { records, name: name.to_owned(), secure: false };
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

/// A server that takes everything and says these words after EHLO.
fn serve(listener: TcpListener, host: &'static str, offers: &'static [&'static str], heard: Heard) {
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            heard.note(host, "connected");
            tokio::spawn(converse(socket, host, offers, heard.clone()));
        }
    });
}

async fn converse(
    mut socket: TcpStream,
    host: &'static str,
    offers: &'static [&'static str],
    heard: Heard,
) -> std::io::Result<()> {
    let (read, mut write) = socket.split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(format!("220 {host}\r\n").as_bytes()).await?;
    let mut in_data = false;
    while let Some(line) = lines.next_line().await? {
        if in_data && line != "." {
            continue;
        }
        heard.note(host, &line);
        let reply = match &line[..line.len().min(4)] {
            "EHLO" => {
                let offers: String = offers.iter().map(|word| format!("250-{word}\r\n")).collect();
                format!("250-{host}\r\n{offers}250 ENHANCEDSTATUSCODES\r\n")
            }
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

/// Delivers a message to `two.example`, whose hosts offer this; `None` for one that is down.
async fn delivered(
    name: &str,
    offers: [Option<&'static [&'static str]>; 2],
    mail: MailFrom,
    to: &[&str],
    text: &str,
) -> (Vec<Fate>, Heard) {
    let rig = Rig::new(name, few());
    let heard = Heard::default();
    let first = TcpListener::bind((FIRST, 0)).await.expect("a loopback address");
    let port = first.local_addr().expect("it is bound").port();
    let second = TcpListener::bind((SECOND, port)).await.expect("nobody else is there");
    for (listener, host, offers) in [(first, FIRST, offers[0]), (second, SECOND, offers[1])] {
        if let Some(offers) = offers {
            serve(listener, host, offers, heard.clone());
        }
    }
    let envelope = Envelope { last: text.as_bytes().to_vec(), ..Envelope::default() };
    let blob = rig.send_as(mail.clone(), to, None, envelope).await;
    let messages = rig.backend.store().messages(0, 1).expect("the queue can be read");
    let size = messages[0].sent_size();
    let (dns, own): (_, Vec<SocketAddr>) = (Dns::new(Arc::new(Zone)), Vec::new());
    let tls = ClientTls::new(None).expect("this system trusts somebody");
    let engine = Engine::new(&EngineSettings::new(EngineChoice::Sandbox, Some(8)));
    let client = Client::new(Arc::new(engine.expect("it starts")), Arc::new(tls), None);
    let policies = Policies::new(dns.clone(), None);
    let outgoing = Outgoing::new(Arc::clone(&rig.backend), client, (dns, policies), own, 1 << 20);
    let next_hop =
        Place { host: b"two.example".to_vec(), lookup: Lookup::Exchanges, port: Some(port) };
    let hop = Hop { next_hop, service: Service::Smtp, tls: TlsPolicy::Opportunistic };
    let connection = outgoing.connect(&hop, Proof::Usual, None).await;
    let mut connection = connection.unwrap_or_else(|_| panic!("a host is there"));
    let recipients = to.iter().map(|to| RcptTo { forward_path: mailbox(to), ..RcptTo::default() });
    let parcel =
        Parcel { mail, recipients: recipients.collect(), blob, skip: 0, size, plain: false };
    let fates = connection.deliver(parcel).await;
    connection.quit().await;
    rig.end().await;
    (fates, heard)
}

fn alice() -> MailFrom {
    MailFrom { reverse_path: Some(mailbox("alice@ours.example")), ..MailFrom::default() }
}

fn all_accepted(fates: &[Fate]) -> bool {
    fates.iter().all(|fate| matches!(fate, Fate::Accepted(_)))
}

/// RFC 9422 MAILMAX: a server that takes one message of one recipient at a time gets as many connections as it needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_few_at_a_time_is_asked_again_at_once() {
    let limited: &[&str] = &["LIMITS MAILMAX=1 RCPTMAX=1"];
    let to = ["ann@two.example", "ben@two.example", "cy@two.example"];
    let (fates, heard) = delivered("mailmax", [Some(limited), Some(&[])], alice(), &to, "").await;
    assert!(all_accepted(&fates), "{fates:?}");
    assert_eq!(heard.count(FIRST, "connected"), 3);
    assert_eq!(heard.count(FIRST, "MAIL"), 3);
    assert_eq!(heard.count(SECOND, "connected"), 0, "the best host has served everybody");
}

/// RFC 6531 §3.5, RFC 8689 §4.2.1: of a domain's hosts one may offer what another does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_host_does_not_offer_is_asked_of_the_next() {
    let mail = MailFrom { smtputf8: true, ..alice() };
    let wide: &[&str] = &["8BITMIME", "SMTPUTF8"];
    let to = ["ann@two.example"];
    let run =
        async |name, second| delivered(name, [Some(&[]), second], mail.clone(), &to, "").await;
    let (fates, heard) = run("offers", Some(wide)).await;
    assert!(all_accepted(&fates), "{fates:?}");
    assert_eq!((heard.count(FIRST, "MAIL"), heard.count(SECOND, "MAIL")), (0, 1));
    let (fates, _) = run("offers-not", Some(&[])).await;
    assert!(matches!(fates[..], [Fate::Failed(_)]), "nobody offers it: {fates:?}");
    // The one that is down may offer it when it is up.
    let (fates, _) = run("offers-later", None).await;
    assert!(matches!(fates[..], [Fate::Deferred(_)]), "{fates:?}");
}

/// RFC 6152 §3, RFC 5321 §4.5.3.1.6: whatever MAIL said, a server gets nothing that it does not take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_are_too_long_are_encoded() {
    let mail = MailFrom { body: Body::BinaryMime, ..alice() };
    let (text, to) = (format!("{}\r\n", "x".repeat(3000)), ["ann@two.example"]);
    let (fates, heard) = delivered("long", [Some(&[]), None], mail, &to, &text).await;
    assert!(all_accepted(&fates), "{fates:?}");
    assert_eq!(heard.count(FIRST, "MAIL FROM:<alice@ours.example>"), 1);
}
