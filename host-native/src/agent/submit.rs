//! Hands one message to a server and says what became of each recipient.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pillarbox_engine::smtp::client::types::{Fate, Reply, Stage};
use pillarbox_engine::smtp::grammar::print_mailbox;
use serde_json::{Value, json};

use super::look::{Found, Port};
use super::{Outgoing, Server};
use crate::cli::EngineChoice;
use crate::client::{Client, Envelope, Login, OpenError, OpenErrorKind, Security, Target, Trace};
use crate::engine::{Engine, EngineSettings};
use crate::error::{Error, Kind};
use crate::serve::shown;
use crate::tls::ClientTls;

/// How long a greeting mostly takes at most; then it is seen whether the server waits for TLS.
const GREETING_EXPECTED: Duration = Duration::from_secs(4);

/// One message and its envelope.
pub(crate) struct Submission {
    pub(crate) envelope: Envelope,
    pub(crate) message: Outgoing,
    /// Whether the conversation is shown on standard error.
    pub(crate) trace: bool,
}

/// What became of it.
pub(crate) struct Outcome {
    /// The server, as it was found.
    server: String,
    /// Version and cipher, and whether it is proven who the server is.
    tls: Option<(String, bool)>,
    /// The reverse path.
    sender: String,
    fates: Vec<(String, Fate)>,
}

/// Hands messages to servers, one after the other.
pub(crate) struct Submitter {
    runtime: tokio::runtime::Runtime,
    client: Client,
    tls: Arc<ClientTls>,
}

impl Submitter {
    /// One that trusts whom the server's flags say, and shows conversations on standard error with `trace`.
    ///
    /// # Errors
    /// The engine does not start, or a certificate cannot be read.
    pub(crate) fn new(server: &Server, trace: bool) -> Result<Self, Error> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| Error::failed(format!("no runtime: {error}")))?;
        let engine = Engine::new(&EngineSettings::new(EngineChoice::Sandbox, Some(1)))?;
        let tls = Arc::new(server.certificates.tls()?);
        let writer = || Trace::Writer(Arc::new(Mutex::new(std::io::stderr())));
        let client = Client::new(Arc::new(engine), Arc::clone(&tls), trace.then(writer));
        Ok(Self { runtime, client, tls })
    }

    /// Sends one.
    ///
    /// # Errors
    /// No server took it over; nothing was sent then.
    pub(crate) fn submit(&self, server: &Server, submission: Submission) -> Result<Outcome, Error> {
        self.runtime.block_on(send(&self.client, &self.tls, server, submission))
    }
}

/// Sends one message alone.
///
/// # Errors
/// As [`Submitter::submit`].
pub(crate) fn submit(server: &Server, submission: Submission) -> Result<Outcome, Error> {
    Submitter::new(server, submission.trace)?.submit(server, submission)
}

async fn send(
    client: &Client,
    tls: &ClientTls,
    server: &Server,
    submission: Submission,
) -> Result<Outcome, Error> {
    let Submission { envelope, message, .. } = submission;
    let targets = server.targets().await?;
    let last = targets.len() - 1;
    let mut opened = None;
    for (at, target) in targets.iter().enumerate() {
        let open = client.open(target, &server.settings);
        let opened_by = tokio::select! {
            opened_by = open => opened_by,
            // A server may take minutes to greet (RFC 5321 §4.5.3.2.1), but not one that waits for TLS.
            error = waits_for_tls(tls, server, target) => return Err(error),
        };
        match opened_by {
            Ok(connection) => {
                opened = Some(connection);
                break;
            }
            // Only where nothing listens is the next default tried.
            Err(error) if error.kind == OpenErrorKind::Unreachable && at < last => {}
            Err(error) => return Err(refused(server, target, &error)),
        }
    }
    let mut connection = opened.expect("every target but the last went on to the next");
    let tls = connection.tls().map(|facts| {
        let octets = [&facts.version[..], b" ", &facts.cipher].concat();
        (shown(&octets), connection.is_verified())
    });
    let address = connection.address();
    let sender = envelope.mail.reverse_path.as_ref().map(print_mailbox).unwrap_or_default();
    let sender = format!("<{}>", shown(&sender));
    let addresses: Vec<String> =
        envelope.recipients.iter().map(|to| shown(&print_mailbox(&to.forward_path))).collect();
    let fates = connection.deliver(envelope, Arc::new(message)).await;
    connection.quit().await;
    let fates = addresses.into_iter().zip(fates).collect();
    Ok(Outcome { server: address.to_string(), tls, sender, fates })
}

/// Ends if a server that was taken to speak first waits for TLS instead; never otherwise.
async fn waits_for_tls(tls: &ClientTls, server: &Server, target: &Target) -> Error {
    let implicit = matches!(server.settings.security, Security::Implicit(_));
    tokio::time::sleep(GREETING_EXPECTED).await;
    if let (false, Some(&address)) = (implicit, target.addresses.first()) {
        let port = Port {
            address,
            host: &target.name,
            protocol: "SMTP",
            is_implicit: false,
            within: GREETING_EXPECTED,
        };
        if let Ok(Found::Tls) = port.look(tls).await {
            let what = format!("no mail was sent to {}: it says nothing before TLS", target.name);
            return Error::new(Kind::Unavailable, format!("{what}; try --tls implicit"));
        }
    }
    std::future::pending().await
}

/// Why there is no connection, and what to do about it.
fn refused(server: &Server, target: &Target, error: &OpenError) -> Error {
    let name = &target.name;
    let login = error.failure.diagnosis.starts_with("4.7.8")
        || error.failure.reply.as_ref().is_some_and(|reply| matches!(reply.code, 534 | 535));
    let nothing = error.failure.diagnosis.starts_with("4.7.0");
    let by_certificate = server.settings.login.as_ref().is_some_and(Login::is_by_certificate);
    let (kind, help) = match error.kind {
        OpenErrorKind::Unreachable | OpenErrorKind::NoAddress
            if server.shown.starts_with("127.") =>
        {
            (
                Kind::Temporary,
                "is one running? `pillarbox` starts one; another is named by --server",
            )
        }
        OpenErrorKind::Unreachable | OpenErrorKind::NoAddress => {
            (Kind::Temporary, "are host and port right?")
        }
        OpenErrorKind::Tls => (
            Kind::Unavailable,
            "--ca FILE trusts another authority, such as certificate.pem in a Pillarbox's data \
             directory; --tls opportunistic asks for no proof",
        ),
        OpenErrorKind::Session if by_certificate && (login || nothing) => (
            Kind::Permission,
            "does the server offer EXTERNAL over TLS, trust the issuer of --cert, and know --user? --trace shows it",
        ),
        OpenErrorKind::Session if login => (Kind::Permission, "are --user and its password right?"),
        OpenErrorKind::Session => (Kind::Temporary, "try again later, or see more with --trace"),
        OpenErrorKind::Here => (Kind::Failed, "this is not the server's fault"),
    };
    Error::new(kind, format!("no mail was sent to {name}: {error}; {help}"))
}

impl Outcome {
    /// The sentence and exit code if not all recipients were accepted.
    pub(crate) fn verdict(&self) -> Result<(), Error> {
        let count =
            |wanted: fn(&Fate) -> bool| self.fates.iter().filter(|(_, fate)| wanted(fate)).count();
        let all = self.fates.len();
        let accepted = count(|fate| matches!(fate, Fate::Accepted(_)));
        let later = count(|fate| matches!(fate, Fate::Deferred(_) | Fate::Uncertain(_)));
        if accepted == all {
            return Ok(());
        }
        let server = &self.server;
        let words = format!("{server} took the message for {accepted} of {all} recipients");
        if later > 0 {
            return Err(Error::new(Kind::Temporary, format!("{words}; later it may take more")));
        }
        Err(Error::new(Kind::Unavailable, words))
    }

    /// One line per recipient, for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let sender = &self.sender;
        let line = |(address, fate): &(String, Fate)| match fate {
            Fate::Accepted(reply) => format!("{address}: accepted: {}", replied(reply)),
            Fate::Failed(failure) => format!("{address}: refused: {}", told(failure, sender)),
            Fate::Deferred(failure) => format!("{address}: not now: {}", told(failure, sender)),
            Fate::Uncertain(failure) => {
                format!("{address}: may have been taken: {}", told(failure, sender))
            }
        };
        self.fates.iter().map(line).collect()
    }

    /// Those who did not get it, for programs that read no standard output.
    pub(crate) fn failures(&self) -> Vec<String> {
        let lines = self.lines().into_iter().zip(&self.fates);
        let failed = lines.filter(|(_, (_, fate))| !matches!(fate, Fate::Accepted(_)));
        failed.map(|(line, _)| line).collect()
    }

    /// All of it, for programs.
    pub(crate) fn json(&self) -> Value {
        let recipients: Vec<Value> = self
            .fates
            .iter()
            .map(|(address, fate)| {
                let (word, reply, failure) = match fate {
                    Fate::Accepted(reply) => ("accepted", Some(reply), None),
                    Fate::Failed(failure) => ("refused", failure.reply.as_ref(), Some(failure)),
                    Fate::Deferred(failure) => ("deferred", failure.reply.as_ref(), Some(failure)),
                    Fate::Uncertain(failure) => {
                        ("uncertain", failure.reply.as_ref(), Some(failure))
                    }
                };
                json!({
                    "address": address,
                    "fate": word,
                    "code": reply.map(|reply| reply.code),
                    "status": reply.and_then(status),
                    "reply": reply.map(text),
                    "stage": failure.map(|failure| stage(failure.stage)),
                    "diagnosis": failure.map(|failure| &failure.diagnosis),
                })
            })
            .collect();
        let tls =
            self.tls.as_ref().map(|(tls, verified)| json!({ "tls": tls, "verified": verified }));
        json!({ "server": self.server, "tls": tls, "recipients": recipients })
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Session => "session",
        Stage::Mail => "sender",
        Stage::Recipient => "recipient",
        Stage::Data => "data",
        Stage::EndOfData => "end of data",
    }
}

fn told(failure: &pillarbox_engine::smtp::client::types::Failure, sender: &str) -> String {
    match &failure.reply {
        // Whoever called knows the recipients, but maybe not in whose name the mail goes out.
        Some(reply) if failure.stage == Stage::Mail => {
            format!("{} (at the sender, {sender})", replied(reply))
        }
        Some(reply) => format!("{} (at the {})", replied(reply), stage(failure.stage)),
        None => failure.diagnosis.clone(),
    }
}

fn replied(reply: &Reply) -> String {
    let status = status(reply).map_or_else(String::new, |status| format!(" {status}"));
    format!("{}{status} {}", reply.code, text(reply))
}

fn status(reply: &Reply) -> Option<String> {
    reply.status.map(|status| format!("{}.{}.{}", status.class, status.subject, status.detail))
}

fn text(reply: &Reply) -> String {
    reply.lines.iter().map(|line| shown(line)).collect::<Vec<_>>().join(" ")
}
