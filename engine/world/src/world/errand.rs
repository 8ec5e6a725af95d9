//! What a person's device does for them: finds a host's address, connects, and speaks with it.

use std::sync::Arc;

use pillarbox_engine::limits::Limits;
use pillarbox_engine::relay::Unreached;
use pillarbox_engine::smtp::client::types::TlsPolicy;
use pillarbox_engine::types::Now;
use pillarbox_engine::{imap, pop3, smtp};

use super::action::Played;
use super::ids::{NodeId, Protocol, WireId};
use super::log::{Dns, DnsAnswer, Screen, What};
use super::running::Engine;
use super::seat::{
    BrowsePlan, BrowserSeat, Carried, Drive, ImapHost, ImapPlan, Line, News, PopHost, PopPlan,
    Reel, Seat, SmtpHost, Typist, WebNews,
};
use super::setup::Kind;
use super::{Due, Owner, World};
use crate::fault::{DnsLie, Moment, Peer, Stage};

/// A question to DNS, and what it is asked for.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) record: &'static str,
    pub(super) name: String,
    pub(super) then: Then,
}

/// What is done with an answer.
#[derive(Clone)]
pub(super) enum Then {
    /// A queue finds out where a destination's mail goes.
    Route(Vec<u8>),
    /// A queue connects to the host.
    Carry(Vec<u8>),
    /// A device does what it was told.
    Errand(Arc<Errand>),
}

/// What a device was told to do at a host.
pub(super) struct Errand {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) goal: Goal,
}

pub(super) enum Goal {
    Submit(Box<Carried>, TlsPolicy),
    Pop(PopPlan, TlsPolicy),
    Imap(ImapPlan, TlsPolicy),
    Browse(BrowsePlan),
    Type(Vec<Line>),
    Play(Vec<Played>),
}

impl World {
    /// Asks DNS; the answer comes after a round trip.
    pub(super) fn ask_dns(&mut self, node: NodeId, question: Question) {
        let (record, name) = (question.record, &question.name.clone());
        let told = Dns { record, name: name.clone(), answer: None };
        self.note(Some(node), None, What::Dns(told));
        let server = self.nodes.iter().find(|node| node.setup.kind == Kind::Dns);
        let latency = server.map_or(1, |server| self.link(node, server.id).latency_ms);
        let answer = match question.record {
            "MX" => self.zones.exchanges(name),
            _ => self.zones.addresses(name),
        };
        let answer = self.lied(node, record, name, answer);
        self.plan(self.now.after(2 * latency), Due::Answered(node, question, answer));
    }

    /// What a fault makes DNS say.
    fn lied(&mut self, node: NodeId, record: &str, name: &str, answer: DnsAnswer) -> DnsAnswer {
        let peer = Peer { service: "dns", node: name.to_owned(), ..Peer::default() };
        let moment = Moment {
            peer: &peer,
            stage: Stage::Dns,
            sender: None,
            recipients: &[],
            monotonic_ms: self.now.0,
            unix_ms: self.unix_ms(self.now),
        };
        let Some(decision) = self.faults.decide(&moment) else { return answer };
        let cause = self.cause;
        for strike in &decision.strikes {
            let rule = strike.rule.as_str().into();
            self.note(Some(node), None, What::FaultFired { number: strike.number, rule });
        }
        self.cause = cause;
        match (decision.lie, record) {
            (Some(DnsLie::NoMx), "MX") => DnsAnswer::NoRecords,
            (Some(DnsLie::NullMx), "MX") => DnsAnswer::Exchanges(vec![(0, ".".to_owned())]),
            (Some(DnsLie::NxDomain), _) => DnsAnswer::NoName,
            (Some(DnsLie::ServFail), _) => DnsAnswer::Failed,
            (Some(DnsLie::NoMx | DnsLie::NullMx) | None, _) => answer,
        }
    }

    pub(super) fn dns_answered(&mut self, node: NodeId, question: Question, answer: DnsAnswer) {
        if !self.node(node).up {
            return;
        }
        let Question { record, name, then } = question;
        let told = Dns { record, name: name.clone(), answer: Some(answer.clone()) };
        self.note(Some(node), None, What::Dns(told));
        match then {
            Then::Route(destination) => self.routed(node, &destination, &name, &answer),
            Then::Carry(destination) => self.carry(node, &destination, &name, &answer),
            Then::Errand(errand) => self.go(node, &errand, &answer),
        }
    }

    /// The node at one of these addresses.
    pub(super) fn at_address(&self, answer: &DnsAnswer) -> Result<NodeId, Unreached> {
        let addresses = match answer {
            DnsAnswer::Addresses(addresses) => addresses,
            DnsAnswer::Failed => return Err(Unreached::DnsFailed),
            DnsAnswer::NoName | DnsAnswer::NoRecords | DnsAnswer::Exchanges(_) => {
                return Err(Unreached::NoAddress);
            }
        };
        let here = |address: &String| {
            let mut nodes = self.nodes.iter();
            nodes.find(|node| node.address == *address || node.setup.name == *address)
        };
        let found = addresses.iter().find_map(here);
        found.map(|node| node.id).ok_or(Unreached::Unreachable)
    }

    /// Sends a device on an errand.
    pub(super) fn errand(&mut self, node: NodeId, errand: Errand) {
        let name = errand.host.clone();
        if self.is_outside_world(&name, errand.port) {
            // Whoever brings the octets knows the way.
            self.go(node, &errand, &DnsAnswer::Addresses(vec![name]));
            return;
        }
        let then = Then::Errand(Arc::new(errand));
        self.ask_dns(node, Question { record: "A", name, then });
    }

    /// Whether a host is only a name for what is outside: its port is answered by hand, and there is no DNS to ask.
    fn is_outside_world(&self, host: &str, port: u16) -> bool {
        let asks = self.nodes.iter().any(|node| node.setup.kind == Kind::Dns);
        let by_hand =
            self.nodes.iter().any(|node| node.setup.name == host && node.by_hand.contains(&port));
        !asks && by_hand
    }

    fn go(&mut self, node: NodeId, errand: &Errand, answer: &DnsAnswer) {
        let to = match self.at_address(answer) {
            Ok(to) => to,
            Err(why) => {
                let (port, why) = (errand.port, unreached(why));
                self.note(Some(node), None, What::Refused { to: None, port, why });
                self.not_done(node, &errand.goal, why);
                return;
            }
        };
        let owner = match errand.goal {
            Goal::Type(_) | Goal::Play(_) => Owner::Hand,
            Goal::Submit(..) | Goal::Pop(..) | Goal::Imap(..) | Goal::Browse(_) => {
                Owner::Device(node)
            }
        };
        let now = self.clock_of(node);
        let host_name = self.node(node).setup.name.clone().into_bytes();
        let seat = seat(errand, host_name, now, &*self.engine);
        let wire = self.connect(node, to, errand.port, owner, seat);
        if matches!(errand.goal, Goal::Imap(..)) {
            self.node_mut(node).device.remote.wire = Some(wire);
        }
    }

    fn not_done(&mut self, node: NodeId, goal: &Goal, why: &str) {
        let why = why.to_owned();
        match goal {
            Goal::Submit(..) => self.show(node, Screen::NotSent { why }),
            Goal::Browse(_) => self.web_news(node, WebNews::Done(Err(why))),
            Goal::Pop(..) | Goal::Imap(..) => self.show(node, Screen::Failed { why }),
            Goal::Type(_) | Goal::Play(_) => {}
        }
    }

    /// A connection that was asked for is not to be had.
    pub(super) fn not_connected(&mut self, id: WireId, why: &'static str) {
        match self.owners.get(&id).cloned() {
            Some(Owner::Relay(node, destination)) => {
                let refused = why == "connection refused";
                let why = if refused { Unreached::Refused } else { Unreached::TimedOut };
                self.next_host(node, &destination, why);
            }
            Some(Owner::Device(node)) => {
                let why = why.to_owned();
                match self.wire(id).protocol {
                    Protocol::Submission => self.show(node, Screen::NotSent { why }),
                    Protocol::Http => self.web_news(node, WebNews::Done(Err(why))),
                    _ => self.show(node, Screen::Failed { why }),
                }
            }
            Some(Owner::Hand) | None => {}
        }
    }

    /// A client's host has something to tell.
    pub(super) fn news(&mut self, id: WireId, news: News) {
        match self.owners.get(&id).cloned() {
            Some(Owner::Relay(node, destination)) => self.relay_news(node, &destination, id, news),
            Some(Owner::Device(node)) => self.device_news(node, id, news),
            Some(Owner::Hand) | None => {}
        }
    }

    /// The client's end of a wire is left.
    pub(super) fn hung_up(&mut self, id: WireId) {
        if let Some(Owner::Relay(node, destination)) = self.owners.get(&id).cloned() {
            self.relay_hung_up(node, &destination, id);
        }
    }
}

pub(super) fn unreached(why: Unreached) -> &'static str {
    match why {
        Unreached::DnsFailed => "DNS failed",
        Unreached::NoSuchDomain => "no such domain",
        Unreached::NullMx => "the domain takes no mail",
        Unreached::NoAddress => "no address",
        Unreached::Refused => "connection refused",
        Unreached::TimedOut => "no answer",
        Unreached::Loop => "the way leads back here",
        _ => "unreachable",
    }
}

/// Who sits at the client's end.
fn seat(errand: &Errand, host_name: Vec<u8>, now: Now, engine: &dyn Engine) -> Box<dyn Drive> {
    match &errand.goal {
        Goal::Type(script) => Box::new(Typist::new(script.clone())),
        Goal::Play(parts) => Box::new(Reel::new(parts.clone())),
        Goal::Browse(plan) => Box::new(BrowserSeat::new(&errand.host, plan.clone())),
        Goal::Submit(carried, tls) => {
            let submission = errand.port != 25;
            let service = if submission { smtp::Service::Submission } else { smtp::Service::Smtp };
            let login = carried.login.is_some();
            let config = client_config(host_name, service, *tls, login);
            let host = SmtpHost::new((**carried).clone(), true);
            Box::new(Seat::<smtp::Client, _>::new(engine.begin(config, now), host))
        }
        Goal::Pop(plan, tls) => {
            use pop3::client::types::{Config, Timeouts, TlsPolicy as Pop};
            let config = Config {
                tls: match tls {
                    TlsPolicy::Implicit => Pop::Implicit,
                    TlsPolicy::None => Pop::None,
                    TlsPolicy::Opportunistic => Pop::Opportunistic,
                    TlsPolicy::Required => Pop::Required,
                },
                apop: false,
                utf8: false,
                language: Vec::new(),
                limits: Limits::POP3_CLIENT,
                timeouts: Timeouts::default(),
                trace: true,
            };
            let session = engine.begin(config, now);
            Box::new(Seat::<pop3::Client, _>::new(session, PopHost::new(plan.clone())))
        }
        Goal::Imap(plan, tls) => {
            use imap::client::types::{Config, Timeouts, TlsPolicy as Imap};
            let config = Config {
                tls: match tls {
                    TlsPolicy::Implicit => Imap::Implicit,
                    TlsPolicy::None => Imap::None,
                    TlsPolicy::Opportunistic => Imap::Opportunistic,
                    TlsPolicy::Required => Imap::Required,
                },
                enable: Vec::new(),
                id: Vec::new(),
                limits: Limits::IMAP_CLIENT,
                timeouts: Timeouts::default(),
                trace: true,
            };
            let session = engine.begin(config, now);
            Box::new(Seat::<imap::Client, _>::new(session, ImapHost::new(plan.clone())))
        }
    }
}

/// How an SMTP client session behaves in a world.
pub(super) fn client_config(
    host_name: Vec<u8>,
    service: smtp::Service,
    tls: TlsPolicy,
    login: bool,
) -> smtp::client::types::Config {
    smtp::client::types::Config {
        host_name,
        service,
        tls,
        login,
        limits: Limits::SMTP,
        timeouts: smtp::client::types::Timeouts::default(),
        trace: true,
    }
}
