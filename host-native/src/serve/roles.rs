//! What differs between the three server roles for the host: configuration, service, and what is worth a log line.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::AuthOffer;
use pillarbox_engine::types::{Farewell, Now, Peer, TlsOffer};
use pillarbox_engine::{imap, pop3, smtp};
use pillarbox_world::fault::Faced;
use pillarbox_world::hub::SessionKey;
use pillarbox_world::service::trust::Bringer;
use pillarbox_world::service::{
    Backend, Client, ImapService, Parties, Pop3Service, Service, SmtpService,
};

use super::Shared;
use super::faults::SharedFaults;
use super::log::shown;
use crate::auth::{Caller, challenge};
use crate::backend::HostBackend;
use crate::config::Profile;
use crate::engine::{Begin, Driven, Engine, Slot, StartError};

/// A connection's own facts.
pub(crate) struct Link {
    pub(crate) key: SessionKey,
    pub(crate) peer: IpAddr,
    /// The port that the peer speaks from, or that of a proxy which speaks for it.
    pub(crate) port: u16,
    /// Where the peer connected to, for those who watch; apart, since most connections need it no more.
    pub(crate) own: Option<Box<SocketAddr>>,
    /// Whether only this machine can reach the listener.
    pub(crate) loopback: bool,
    /// Where it came in.
    pub(crate) door: Door,
    /// Whether there was little room when it came.
    pub(crate) is_stressed: bool,
    /// Rules that the peer broke, and what it was refused.
    pub(crate) faults: AtomicU32,
    /// Whether the session lets its host have its say, since there are faults on purpose.
    pub(crate) is_facing: bool,
    /// Whether somebody watches what is said.
    pub(crate) is_watched: bool,
}

/// What one listener offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Door {
    /// How TLS comes about.
    pub(crate) tls: TlsOffer,
    /// Of an SMTP listener: which of its services.
    pub(crate) service: smtp::Service,
    /// Of an IMAP listener: whether who comes is logged in, as the one whom the settings name.
    pub(crate) preauth: bool,
}

impl Link {
    pub(crate) fn session_id(&self) -> String {
        format!("{:x}", self.key)
    }

    pub(crate) fn faults(&self) -> u32 {
        self.faults.load(Ordering::Relaxed)
    }

    fn fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }
}

/// A role as the host serves it.
pub(crate) trait Served:
    Faced<Ask: Send, Answer: Send, Event: Send, Call: Send> + 'static
{
    /// For logs, metrics and file names.
    const PROTOCOL: &'static str;
    type Service: Service<Self>;

    /// Whether sessions of this role can be frozen while they rest.
    const FREEZES: bool = false;

    fn config(shared: &Shared, link: &Link) -> Self::Config;
    fn session(
        engine: &Engine,
        slot: Slot,
        begin: Begin<'_>,
        config: Self::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<Self>>, StartError>;
    fn service(shared: &Shared, link: &Link) -> Self::Service;
    /// The last words of a connection that has no session.
    fn farewell(reason: Farewell) -> Vec<u8>;
    fn farewell_call(reason: Farewell) -> Self::Call;
    /// Logs and counts a fact.
    fn observe(shared: &Shared, link: &Link, service: &mut Self::Service, event: &Self::Event);
    /// Logs and counts an answer; called before the session gets it.
    fn observe_answer(
        shared: &Shared,
        link: &Link,
        service: &mut Self::Service,
        answer: &Self::Answer,
    );
    /// The name of the service that a connection is for.
    fn service_name(link: &Link) -> &'static str;
    /// The name of an ask, without what it carries.
    fn ask_name(ask: &Self::Ask) -> String;
}

fn peer(link: &Link) -> Peer {
    Peer { address: link.peer.to_canonical().to_string().into_bytes(), name: None }
}

fn auth(shared: &Shared, link: &Link) -> AuthOffer {
    AuthOffer {
        mechanisms: shared.backend.directory().mechanisms(),
        password_commands: true,
        cleartext: takes_cleartext(shared, link),
    }
}

/// Who comes to the listener of one account is that account; but not who is brought there by a proxy on this machine.
fn preauth(shared: &Shared, link: &Link) -> Option<Vec<u8>> {
    let preauth = shared.settings.preauth.as_ref();
    let account = preauth.map(|preauth| preauth.account.clone().into_bytes());
    account.filter(|_| link.door.preauth && link.loopback)
}

/// RFC 1939 §7: the greeting offers APOP, so it is told before there could be STLS. Whoever listened could try passwords at
/// leisure; so there is none but where a password might come too.
fn apop_timestamp(shared: &Shared, link: &Link) -> Option<Vec<u8>> {
    let open = link.door.tls == TlsOffer::Implicit || takes_cleartext(shared, link);
    if !open || !shared.backend.directory().offers_apop() {
        return None;
    }
    match challenge(&shared.settings.host_name) {
        Ok(timestamp) => Some(timestamp),
        Err(error) => {
            tracing::error!(%error, "no timestamp, so there is no APOP");
            None
        }
    }
}

/// No password crosses a network in the clear, unless somebody said so.
fn takes_cleartext(shared: &Shared, link: &Link) -> bool {
    link.loopback || shared.settings.allow_cleartext_login
}

fn limits(shared: &Shared, link: &Link, base: Limits) -> Limits {
    shared.settings.limits.apply(base, link.is_stressed)
}

fn is_tracing(shared: &Shared, link: &Link) -> bool {
    shared.settings.trace_sessions.is_some() || link.is_watched || hears_labels(shared, link)
}

/// Whether a fault waits for octets that the session has to say what they are.
fn hears_labels(shared: &Shared, link: &Link) -> bool {
    link.is_facing && shared.faults.as_ref().is_some_and(SharedFaults::hear_labels)
}

fn host_name(shared: &Shared) -> Vec<u8> {
    shared.settings.host_name.clone().into_bytes()
}

fn defect(shared: &Shared, link: &Link, protocol: &str, rule: &[u8]) {
    defect_about(shared, link, protocol, rule, None);
}

fn defect_about(
    shared: &Shared,
    link: &Link,
    protocol: &str,
    rule: &[u8],
    parties: Option<&Parties>,
) {
    link.fault();
    shared.metrics.defects.with_label_values(&[protocol]).inc();
    let session = link.session_id();
    let (from, to) = named(parties);
    let rule = shown(rule);
    tracing::info!(protocol, session, peer = %link.peer, from, to, rule, "the peer broke a rule");
}

/// Whom something is about, as the log says it.
fn named(parties: Option<&Parties>) -> (Option<String>, Option<String>) {
    let from = parties.and_then(|parties| parties.from.as_ref());
    let to: Vec<String> =
        parties.iter().flat_map(|parties| &parties.to).map(|to| shown(to)).collect();
    (from.map(|from| format!("<{}>", shown(from))), (!to.is_empty()).then(|| to.join(",")))
}

fn login(
    shared: &Shared,
    link: &Link,
    protocol: &str,
    answer: &pillarbox_engine::sasl::LoginAnswer,
) {
    use pillarbox_engine::sasl::LoginAnswer;
    let session = link.session_id();
    match answer {
        LoginAnswer::Accepted(account) => {
            shared.metrics.logins.with_label_values(&[protocol, "accepted"]).inc();
            tracing::info!(protocol, session, account = shown(&account.name), peer = %link.peer, "login");
        }
        LoginAnswer::Refused(refusal) => {
            link.fault();
            shared.metrics.logins.with_label_values(&[protocol, "refused"]).inc();
            let account = shared.backend.directory().callers().tried(link.key);
            let account = account.map(|name| shown(name.as_bytes()));
            tracing::warn!(
                protocol, session, account, reason = ?refusal.reason, peer = %link.peer, "login refused"
            );
        }
        LoginAnswer::ScramParameters(_) | LoginAnswer::DigestChallenge(_) => {}
    }
}

/// The first word of a value's debug form: a variant's name without what it holds.
fn variant_name(value: &impl std::fmt::Debug) -> String {
    /// Stops at the first octet that is not part of a name.
    struct Name(String);
    impl std::fmt::Write for Name {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let end = text.find(|c: char| !c.is_alphanumeric());
            self.0.push_str(&text[..end.unwrap_or(text.len())]);
            if end.is_some() { Err(std::fmt::Error) } else { Ok(()) }
        }
    }
    let mut name = Name(String::new());
    // The error only says that the name is complete.
    let _ = std::fmt::Write::write_fmt(&mut name, format_args!("{value:?}"));
    name.0
}

/// Whether this peer may relay without a login. Never over LMTP, which is for delivery here (RFC 2033 §5).
fn may_relay(shared: &Shared, link: &Link) -> bool {
    match &shared.settings.profile {
        Profile::Dev => false,
        Profile::Server(profile) => {
            link.door.service != smtp::Service::Lmtp && profile.relay.is_known(link.peer)
        }
    }
}

/// Whether what this peer brings is judged: in a server profile, what comes from other servers.
fn bringer(shared: &Shared, link: &Link) -> Bringer {
    match &shared.settings.profile {
        Profile::Server(_) if link.door.service == smtp::Service::Smtp => {
            if may_forward(shared, link) { Bringer::Relay } else { Bringer::Stranger }
        }
        _ => Bringer::Ours,
    }
}

/// Whether this peer is believed when it says for whom it speaks.
fn may_forward(shared: &Shared, link: &Link) -> bool {
    shared.settings.trusted.xclient.contains(&link.peer)
}

/// Failed logins are counted where they come from; a certificate that was shown is the forwarding peer's own.
fn forwarded(shared: &Shared, link: &Link, told: &smtp::Forwarded) {
    let session = link.session_id();
    let name = shown(&told.peer.address);
    tracing::info!(session, peer = %link.peer, client = name, "the peer speaks for another");
    let address = std::str::from_utf8(&told.peer.address).ok().and_then(|text| text.parse().ok());
    let caller = Caller { address: address.unwrap_or(link.peer), identities: Vec::new() };
    shared.backend.directory().callers().set(link.key, caller);
}

/// SMTP.
pub(crate) type SmtpRole = smtp::Server;
/// POP3.
pub(crate) type Pop3Role = pop3::Server;
/// IMAP.
pub(crate) type ImapRole = imap::Server;

impl Served for SmtpRole {
    const PROTOCOL: &'static str = "smtp";
    type Service = SmtpService<HostBackend>;

    fn config(shared: &Shared, link: &Link) -> smtp::Config {
        let mut config = smtp::Config {
            host_name: host_name(shared),
            service: link.door.service,
            peer: peer(link),
            session_id: link.session_id().into_bytes(),
            tls: link.door.tls,
            auth: auth(shared, link),
            auth_required: link.door.service == smtp::Service::Submission
                && matches!(shared.settings.profile, Profile::Server(_)),
            extensions: smtp::Extensions {
                deliver_by: true,
                future_release: true,
                // Who may not relay shall not make us knock at other servers' doors either.
                etrn: may_relay(shared, link) && !may_forward(shared, link),
                xclient: may_forward(shared, link),
                ..smtp::Extensions::default()
            },
            persona: shared.settings.dev.persona,
            lenient: shared.settings.dev.lenient,
            verify: shared.settings.smtp_verify,
            return_path: true,
            faults: link.is_facing,
            index: shared.backend.engine().indexer(),
            limits: limits(shared, link, Limits::SMTP),
            trace: is_tracing(shared, link),
        };
        config.leave_out(&shared.settings.without.smtp);
        config
    }

    fn session(
        engine: &Engine,
        slot: Slot,
        begin: Begin<'_>,
        config: smtp::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<Self>>, StartError> {
        engine.smtp_in(slot, begin, config, now)
    }

    fn service(shared: &Shared, link: &Link) -> Self::Service {
        let service = SmtpService::new(Arc::clone(&shared.backend), link.key);
        let (relays, bringer) = (may_relay(shared, link), bringer(shared, link));
        service.of(Client { relays, name: peer(link).address, bringer })
    }

    fn farewell(reason: Farewell) -> Vec<u8> {
        smtp::farewell(reason)
    }

    fn farewell_call(reason: Farewell) -> smtp::Call {
        smtp::Call::Farewell(reason)
    }

    fn observe(shared: &Shared, link: &Link, service: &mut Self::Service, event: &smtp::Event) {
        match event {
            smtp::Event::Defect(rule) => {
                defect_about(shared, link, Self::PROTOCOL, rule, Some(service.parties()));
            }
            smtp::Event::Forwarded(told) => forwarded(shared, link, told),
            _ => {}
        }
    }

    fn observe_answer(
        shared: &Shared,
        link: &Link,
        service: &mut Self::Service,
        answer: &smtp::Answer,
    ) {
        let session = link.session_id();
        match answer {
            smtp::Answer::Login(answer) => login(shared, link, Self::PROTOCOL, answer),
            smtp::Answer::Committed(_) => {
                let Some(delivery) = service.take_delivery() else { return };
                shared.metrics.deliveries.with_label_values(&["stored"]).inc();
                let list = |names: &[Vec<u8>]| {
                    let names: Vec<String> = names.iter().map(|name| shown(name)).collect();
                    names.join(",")
                };
                let (to, queued) = (list(&delivery.accounts), list(&delivery.queued));
                let (message, octets) = (shown(&delivery.id), delivery.size);
                let from = format!("<{}>", shown(&delivery.from));
                if !to.is_empty() {
                    tracing::info!(session, id = message, from, to, octets, "delivered");
                }
                if !queued.is_empty() {
                    tracing::info!(session, id = message, from, to = queued, octets, "queued");
                }
            }
            smtp::Answer::Refused(refusal) => {
                link.fault();
                shared.metrics.deliveries.with_label_values(&["refused"]).inc();
                let (from, to) = named(Some(&service.refused_parties()));
                let words = refusal.text.as_deref().map(shown);
                tracing::info!(
                    session, peer = %link.peer, from, to, reason = ?refusal.reason, words, "refused"
                );
            }
            smtp::Answer::Done
            | smtp::Answer::Mailboxes(_)
            | smtp::Answer::Flushing(_)
            | smtp::Answer::Instead(_)
            | smtp::Answer::Hiding(_) => {}
        }
    }

    fn service_name(link: &Link) -> &'static str {
        match link.door.service {
            smtp::Service::Smtp => "smtp",
            smtp::Service::Submission => "submission",
            smtp::Service::Lmtp => "lmtp",
        }
    }

    fn ask_name(ask: &smtp::Ask) -> String {
        variant_name(ask)
    }
}

impl Served for Pop3Role {
    const PROTOCOL: &'static str = "pop3";
    type Service = Pop3Service<HostBackend>;

    fn config(shared: &Shared, link: &Link) -> pop3::Config {
        pop3::Config {
            host_name: host_name(shared),
            peer: peer(link),
            session_id: link.session_id().into_bytes(),
            tls: link.door.tls,
            auth: auth(shared, link),
            apop_timestamp: apop_timestamp(shared, link),
            without: shared.settings.without.pop3.clone(),
            persona: shared.settings.dev.persona,
            login_delay_s: shared.settings.pop3_login_delay_s,
            faults: link.is_facing,
            limits: limits(shared, link, Limits::POP3),
            trace: is_tracing(shared, link),
        }
    }

    fn session(
        engine: &Engine,
        slot: Slot,
        begin: Begin<'_>,
        config: pop3::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<Self>>, StartError> {
        engine.pop3_in(slot, begin, config, now)
    }

    fn service(shared: &Shared, link: &Link) -> Self::Service {
        Pop3Service::new(Arc::clone(&shared.backend), link.key)
    }

    fn farewell(reason: Farewell) -> Vec<u8> {
        pop3::farewell(reason)
    }

    fn farewell_call(reason: Farewell) -> pop3::Call {
        pop3::Call::Farewell(reason)
    }

    fn observe(shared: &Shared, link: &Link, _: &mut Self::Service, event: &pop3::Event) {
        if let pop3::Event::Defect(rule) = event {
            defect(shared, link, Self::PROTOCOL, rule);
        }
    }

    fn observe_answer(shared: &Shared, link: &Link, _: &mut Self::Service, answer: &pop3::Answer) {
        if let pop3::Answer::Login(answer) = answer {
            login(shared, link, Self::PROTOCOL, answer);
        }
    }

    fn service_name(_: &Link) -> &'static str {
        "pop3"
    }

    fn ask_name(ask: &pop3::Ask) -> String {
        variant_name(ask)
    }
}

impl Served for ImapRole {
    const PROTOCOL: &'static str = "imap";
    const FREEZES: bool = true;
    type Service = ImapService<HostBackend>;

    fn config(shared: &Shared, link: &Link) -> imap::types::Config {
        imap::types::Config {
            host_name: host_name(shared),
            peer: peer(link),
            session_id: link.session_id().into_bytes(),
            tls: link.door.tls,
            auth: auth(shared, link),
            preauth: preauth(shared, link),
            without: shared.settings.without.imap.clone(),
            faults: link.is_facing,
            limits: Limits {
                messages_max: shared.settings.imap_message_limit,
                ..limits(shared, link, Limits::IMAP)
            },
            trace: is_tracing(shared, link),
        }
    }

    fn session(
        engine: &Engine,
        slot: Slot,
        begin: Begin<'_>,
        config: imap::types::Config,
        now: Now,
    ) -> Result<Box<dyn Driven<Self>>, StartError> {
        engine.imap_in(slot, begin, config, now)
    }

    fn service(shared: &Shared, link: &Link) -> Self::Service {
        ImapService::new(Arc::clone(&shared.backend), link.key)
    }

    fn farewell(reason: Farewell) -> Vec<u8> {
        imap::farewell(reason)
    }

    fn farewell_call(reason: Farewell) -> imap::types::Call {
        imap::types::Call::Farewell(reason)
    }

    fn observe(shared: &Shared, link: &Link, _: &mut Self::Service, event: &imap::types::Event) {
        if let imap::types::Event::Defect(rule) = event {
            defect(shared, link, Self::PROTOCOL, rule);
        }
    }

    fn observe_answer(
        shared: &Shared,
        link: &Link,
        _: &mut Self::Service,
        answer: &imap::types::Answer,
    ) {
        if let imap::types::Answer::Login(answer) = answer {
            login(shared, link, Self::PROTOCOL, answer);
        }
    }

    fn service_name(_: &Link) -> &'static str {
        "imap"
    }

    fn ask_name(ask: &imap::types::Ask) -> String {
        variant_name(ask)
    }
}
