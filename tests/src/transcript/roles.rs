//! What a transcript needs of each role: a configuration, a service, an ask's name, a refusal.

use std::str::FromStr;
use std::sync::Arc;

use pillarbox_engine::imap::types::UidRun;
use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{AuthOffer, Mechanism};
use pillarbox_engine::types::{Instead, Now, Peer, Persona, Reason, Refusal, TlsOffer};
use pillarbox_engine::{Role, Session, imap, pop3, smtp};
use pillarbox_world::conversation::Driven;
use pillarbox_world::service::local::LocalBackend;
use pillarbox_world::service::{ImapService, Pop3Service, Service, SmtpService};

use super::desk::{Desk, OFF_BY_DEFAULT};
use super::freezing::{Freeze, Freezing};

/// Makes sessions of every role for one kind of host.
pub trait Factory {
    /// A session of SMTP.
    fn smtp(
        &self,
        config: smtp::Config,
        now: Now,
    ) -> Box<dyn Driven<smtp::Server, Broken = String>>;
    /// A session of the SMTP client.
    fn smtp_client(
        &self,
        config: smtp::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<smtp::Client, Broken = String>>;
    /// A session of POP3.
    fn pop3(
        &self,
        config: pop3::Config,
        now: Now,
    ) -> Box<dyn Driven<pop3::Server, Broken = String>>;
    /// A session of the POP3 client.
    fn pop3_client(
        &self,
        config: pop3::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<pop3::Client, Broken = String>>;
    /// A session of IMAP.
    fn imap(
        &self,
        config: imap::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Server, Broken = String>>;
    /// A session of IMAP that is frozen wherever it can be, and goes on as another one.
    fn imap_frozen(
        &self,
        config: imap::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Server, Broken = String>>;
    /// A session of the IMAP client.
    fn imap_client(
        &self,
        config: imap::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Client, Broken = String>>;
}

/// The engine linked in.
pub struct Library;

struct Linked<R: Role>(Session<R>);

impl<R: Role> Driven<R> for Linked<R> {
    type Broken = String;

    fn step(
        &mut self,
        now: Now,
        input: pillarbox_engine::Input<R>,
    ) -> Result<pillarbox_engine::Step<R>, String> {
        self.0.step(now, input).map_err(|misuse| format!("misuse: {misuse:?}"))
    }
}

impl Factory for Library {
    fn smtp(
        &self,
        config: smtp::Config,
        now: Now,
    ) -> Box<dyn Driven<smtp::Server, Broken = String>> {
        Box::new(Linked(Session::new(config, now)))
    }
    fn smtp_client(
        &self,
        config: smtp::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<smtp::Client, Broken = String>> {
        Box::new(Linked(Session::new(config, now)))
    }
    fn pop3(
        &self,
        config: pop3::Config,
        now: Now,
    ) -> Box<dyn Driven<pop3::Server, Broken = String>> {
        Box::new(Linked(Session::new(config, now)))
    }
    fn pop3_client(
        &self,
        config: pop3::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<pop3::Client, Broken = String>> {
        Box::new(Linked(Session::new(config, now)))
    }
    fn imap(
        &self,
        config: imap::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Server, Broken = String>> {
        Box::new(Linked(Session::new(config, now)))
    }
    fn imap_frozen(
        &self,
        config: imap::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Server, Broken = String>> {
        let session = Linked(Session::<imap::Server>::new(config.clone(), now));
        Box::new(Freezing::new(session, move |now, octets: &[u8]| {
            let thawed = Session::<imap::Server>::thaw(config.clone(), now, octets);
            thawed.map(Linked).map_err(|misuse| format!("misuse: {misuse:?}"))
        }))
    }
    fn imap_client(
        &self,
        config: imap::client::types::Config,
        now: Now,
    ) -> Box<dyn Driven<imap::Client, Broken = String>> {
        Box::new(Linked(Session::new(config, now)))
    }
}

impl<R: Role> Freeze for Linked<R> {
    fn freeze(&mut self) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.freeze())
    }
}

/// A role as transcripts see it.
pub(super) trait Scripted: Role<Ask: std::fmt::Debug> {
    type Service: Service<Self>;
    /// A session with these settings; with `frozen` it is frozen wherever it can be, if its role has such a form.
    fn session(
        factory: &dyn Factory,
        with: &[String],
        now: Now,
        frozen: bool,
    ) -> Result<Box<dyn Driven<Self, Broken = String>>, String>;
    fn service(backend: &Arc<LocalBackend>, desk: &Arc<Desk>, key: u64) -> Self::Service;
    /// What the application wants, by the words behind `>`.
    fn call(words: &str, _octets: &[u8], _desk: &Desk) -> Result<Self::Call, String> {
        Err(format!("`> {words}`: nothing is wanted of this role"))
    }
    fn verdict(verdict: Verdict, ask: &Self::Ask) -> Self::Answer;
}

fn auth(with: &[String]) -> AuthOffer {
    let mut mechanisms = vec![Mechanism::Plain, Mechanism::Login];
    let wanted = OFF_BY_DEFAULT.into_iter().filter(|(word, _)| has(with, word));
    mechanisms.extend(wanted.map(|(_, mechanism)| mechanism));
    AuthOffer { mechanisms, password_commands: true, cleartext: !has(with, "no-cleartext") }
}

fn peer() -> Peer {
    Peer { address: b"192.0.2.1".to_vec(), name: Some(b"crepes.fr".to_vec()) }
}

/// Changes limits by words such as `recipients_max=2`.
pub(super) fn limits(mut limits: Limits, with: &[String]) -> Result<Limits, String> {
    // A capability that is left out may have such a sign in its name.
    for word in with.iter().filter(|word| !word.contains(':')) {
        let Some((name, value)) = word.split_once('=') else { continue };
        let number: u64 = value.parse().map_err(|_| format!("`{word}`: not a number"))?;
        let small = u32::try_from(number).map_err(|_| format!("`{word}`: too large"));
        match name {
            "message_max" => limits.message_max = number,
            "header_max" => limits.header_max = small?,
            "line_max" => limits.line_max = small?,
            "line_after_login_max" => limits.line_after_login_max = small?,
            "recipients_max" => limits.recipients_max = small?,
            "received_max" => limits.received_max = small?,
            "errors_max" => limits.errors_max = small?,
            "idle_commands_max" => limits.idle_commands_max = small?,
            "literals_max" => limits.literals_max = small?,
            "errors_slow" => limits.errors_slow = small?,
            "messages_max" => limits.messages_max = small?,
            "data_rate_min" => limits.data_rate_min = small?,
            "deliver_by_min_s" => limits.deliver_by_min_s = small?,
            "hold_max_s" => limits.hold_max_s = small?,
            _ => return Err(format!("`{word}`: no such limit")),
        }
    }
    Ok(limits)
}

pub(super) fn has(with: &[String], word: &str) -> bool {
    with.iter().any(|other| other == word)
}

fn tls(with: &[String]) -> TlsOffer {
    if has(with, "starttls") { TlsOffer::Upgrade } else { TlsOffer::None }
}

fn persona(with: &[String]) -> Persona {
    if has(with, "textbook") { Persona::Textbook } else { Persona::Strict }
}

/// Capabilities behind `without:`.
fn without(with: &[String]) -> Vec<Vec<u8>> {
    let names = with.iter().filter_map(|word| word.strip_prefix("without:"));
    names.map(|name| name.as_bytes().to_vec()).collect()
}

/// The usual extensions, with `with:KEYWORD`.
fn extensions(with: &[String]) -> Result<smtp::Extensions, String> {
    let mut offered = smtp::Extensions::default();
    for word in with {
        let Some(keyword) = word.strip_prefix("with:") else { continue };
        let place = match keyword {
            "PIPELINING" => &mut offered.pipelining,
            "SIZE" => &mut offered.size,
            "8BITMIME" => &mut offered.eight_bit_mime,
            "SMTPUTF8" => &mut offered.smtputf8,
            "ENHANCEDSTATUSCODES" => &mut offered.enhanced_status_codes,
            "CHUNKING" => &mut offered.chunking,
            "BINARYMIME" => &mut offered.binary_mime,
            "DSN" => &mut offered.dsn,
            "REQUIRETLS" => &mut offered.require_tls,
            "DELIVERBY" => &mut offered.deliver_by,
            "FUTURERELEASE" => &mut offered.future_release,
            "MT-PRIORITY" => &mut offered.mt_priority,
            "LIMITS" => &mut offered.limits,
            "ETRN" => &mut offered.etrn,
            "XCLIENT" => &mut offered.xclient,
            _ => return Err(format!("`{word}`: no such extension")),
        };
        *place = true;
    }
    Ok(offered)
}

impl Scripted for smtp::Server {
    type Service = SmtpService<LocalBackend>;

    fn session(
        factory: &dyn Factory,
        with: &[String],
        now: Now,
        _: bool,
    ) -> Result<Box<dyn Driven<Self, Broken = String>>, String> {
        let service = match () {
            () if has(with, "lmtp") => smtp::Service::Lmtp,
            () if has(with, "submission") => smtp::Service::Submission,
            () => smtp::Service::Smtp,
        };
        let mut config = smtp::Config {
            host_name: b"hamburger.edu".to_vec(),
            service,
            peer: peer(),
            session_id: b"1".to_vec(),
            tls: tls(with),
            auth: auth(with),
            auth_required: has(with, "auth-required"),
            extensions: extensions(with)?,
            persona: persona(with),
            lenient: has(with, "lenient"),
            verify: has(with, "verify"),
            return_path: true,
            faults: has(with, "faults"),
            index: smtp::Indexer::new(|octets, known| {
                pillarbox_mime::index_surveyed(octets, known).map(|index| index.encode())
            }),
            limits: limits(Limits::SMTP, with)?,
            trace: has(with, "trace"),
        };
        config.leave_out(&without(with));
        Ok(factory.smtp(config, now))
    }

    fn service(backend: &Arc<LocalBackend>, _: &Arc<Desk>, key: u64) -> Self::Service {
        SmtpService::new(Arc::clone(backend), key)
    }

    fn verdict(verdict: Verdict, ask: &smtp::Ask) -> smtp::Answer {
        match (verdict, ask) {
            (Verdict::Refused(refusal), smtp::Ask::Login(_)) => {
                smtp::Answer::Login(pillarbox_engine::sasl::LoginAnswer::Refused(refusal))
            }
            (Verdict::Refused(refusal), _) => smtp::Answer::Refused(refusal),
            (Verdict::Instead(instead), _) => smtp::Answer::Instead(instead),
            (Verdict::Hiding(keywords), _) => smtp::Answer::Hiding(keywords),
            (Verdict::Candidates(_), _) => smtp::Answer::Hiding(Vec::new()),
        }
    }
}

impl Scripted for pop3::Server {
    type Service = Pop3Service<LocalBackend>;

    fn session(
        factory: &dyn Factory,
        with: &[String],
        now: Now,
        _: bool,
    ) -> Result<Box<dyn Driven<Self, Broken = String>>, String> {
        let config = pop3::Config {
            host_name: b"hamburger.edu".to_vec(),
            peer: peer(),
            session_id: b"1".to_vec(),
            tls: tls(with),
            auth: auth(with),
            apop_timestamp: has(with, "apop").then(|| b"<1.1@hamburger.edu>".to_vec()),
            without: without(with),
            persona: persona(with),
            login_delay_s: if has(with, "login-delay") { 60 } else { 0 },
            faults: has(with, "faults"),
            limits: limits(Limits::POP3, with)?,
            trace: has(with, "trace"),
        };
        Ok(factory.pop3(config, now))
    }

    fn service(backend: &Arc<LocalBackend>, _: &Arc<Desk>, key: u64) -> Self::Service {
        Pop3Service::new(Arc::clone(backend), key)
    }

    fn verdict(verdict: Verdict, ask: &pop3::Ask) -> pop3::Answer {
        match (verdict, ask) {
            (Verdict::Refused(refusal), pop3::Ask::Login(_)) => {
                pop3::Answer::Login(pillarbox_engine::sasl::LoginAnswer::Refused(refusal))
            }
            (Verdict::Refused(refusal), _) => pop3::Answer::Refused(refusal),
            (Verdict::Instead(instead), _) => pop3::Answer::Instead(instead),
            // A misuse, which the transcript's own run then shows.
            (Verdict::Hiding(_) | Verdict::Candidates(_), _) => pop3::Answer::Octets(Vec::new()),
        }
    }
}

impl Scripted for imap::Server {
    type Service = ImapService<LocalBackend>;

    fn session(
        factory: &dyn Factory,
        with: &[String],
        now: Now,
        frozen: bool,
    ) -> Result<Box<dyn Driven<Self, Broken = String>>, String> {
        let config = imap::types::Config {
            host_name: b"hamburger.edu".to_vec(),
            peer: peer(),
            session_id: b"1".to_vec(),
            tls: tls(with),
            auth: auth(with),
            preauth: has(with, "preauth").then(|| b"bob@hamburger.edu".to_vec()),
            without: without(with),
            faults: has(with, "faults"),
            limits: limits(Limits::IMAP, with)?,
            trace: has(with, "trace"),
        };
        Ok(if frozen { factory.imap_frozen(config, now) } else { factory.imap(config, now) })
    }

    fn service(backend: &Arc<LocalBackend>, _: &Arc<Desk>, key: u64) -> Self::Service {
        ImapService::new(Arc::clone(backend), key)
    }

    fn verdict(verdict: Verdict, ask: &imap::types::Ask) -> imap::types::Answer {
        match (verdict, ask) {
            (Verdict::Refused(refusal), imap::types::Ask::Login(_)) => {
                imap::types::Answer::Login(pillarbox_engine::sasl::LoginAnswer::Refused(refusal))
            }
            (Verdict::Refused(refusal), _) => imap::types::Answer::Refused(refusal),
            (Verdict::Instead(instead), _) => imap::types::Answer::Instead(instead),
            (Verdict::Candidates(runs), _) => imap::types::Answer::Candidates(runs),
            // A misuse, which the transcript's own run then shows.
            (Verdict::Hiding(_), _) => imap::types::Answer::Octets(Vec::new()),
        }
    }
}

/// What the host answers in place of its service, by the words behind `!`.
#[derive(Clone)]
pub(super) enum Verdict {
    /// `refused over-quota`
    Refused(Refusal),
    /// `instead 451 4.7.1 later`, or `last 421 4.3.2 goodbye` to close too
    Instead(Instead),
    /// `hiding STARTTLS SIZE`
    Hiding(Vec<Vec<u8>>),
    /// `candidates 2,5`
    Candidates(Vec<UidRun>),
}

impl FromStr for Verdict {
    type Err = String;

    fn from_str(words: &str) -> Result<Self, String> {
        let (what, rest) = words.split_once(' ').unwrap_or((words, ""));
        match what {
            "refused" => serde_json::from_value(serde_json::Value::String(rest.to_owned()))
                .map(|reason: Reason| Self::Refused(Refusal::new(reason)))
                .map_err(|_| format!("`{rest}` is not a reason of a refusal")),
            "instead" | "last" => {
                let (code, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let code = code.parse().map_err(|_| format!("`{code}` is no reply code"))?;
                let (text, close) = (text.as_bytes().to_vec(), what == "last");
                Ok(Self::Instead(Instead { code, text, close }))
            }
            "hiding" => Ok(Self::Hiding(rest.split(' ').map(|w| w.as_bytes().to_vec()).collect())),
            "candidates" => {
                let uid = |word: &str| word.parse().map(|uid| UidRun { first: uid, last: uid });
                let runs: Result<_, std::num::ParseIntError> =
                    rest.split(',').filter(|word| !word.is_empty()).map(uid).collect();
                runs.map(Self::Candidates).map_err(|_| format!("`{rest}` are no UIDs"))
            }
            _ => Err(format!("`! {words}`: expected refused, instead, last, hiding or candidates")),
        }
    }
}
