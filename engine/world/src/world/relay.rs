//! A server's queue at work: what is due is routed by the engine, carried by the engine's client, and settled.
//! One connection to each destination at a time; it carries all that waits there.

use std::collections::VecDeque;
use std::sync::Arc;

use pillarbox_engine::relay::{self, Exchange, Fared, Handover, Lookup, Route, Unreached};
use pillarbox_engine::smtp;
use pillarbox_engine::smtp::client::types::{Delivery, Fate as Carriage, TlsPolicy};

use super::backend::NodeBackend;
use super::errand::{Question, Then, client_config};
use super::ids::{NodeId, WireId};
use super::log::{DnsAnswer, Fate, Queue, What};
use super::relay_settle::alike;
use super::seat::{Carried, News, Order, Outgoing, Seat, SmtpHost};
use super::{Due, End, Owner, World};
use crate::queue::{Block, Queue as _, Task};
use crate::store::Write;

/// Destinations that one server works at at once.
const JOBS_MAX: u32 = 16;

/// Work at one destination.
#[derive(Clone, Default)]
pub(crate) struct Job {
    /// What is carried now.
    task: Option<Task>,
    /// Hosts that were not tried yet, best first.
    hosts: VecDeque<String>,
    /// The host that is tried.
    host: String,
    wire: Option<WireId>,
    /// Whether the server reports itself (RFC 3461).
    reports: bool,
    /// Deliveries on this connection.
    number: u32,
}

impl World {
    /// Sees to it that the queue is looked at when something is due there.
    pub(super) fn plan_queue(&mut self, node: NodeId) {
        let now_ms = self.unix_ms_of(node);
        let Some(backend) = self.node(node).backend.clone() else { return };
        let due = backend.store.due_destinations(now_ms, JOBS_MAX).unwrap_or_default();
        let fresh = due.iter().any(|due| !self.node(node).jobs.contains_key(&due.name));
        let next_ms = match fresh {
            true => Some(now_ms),
            false => backend.store.next_wake_ms(now_ms).unwrap_or_default(),
        };
        let Some(next_ms) = next_ms else { return };
        let at = self.time_of(node, next_ms);
        if self.node(node).queue_at != Some(at) {
            self.node_mut(node).queue_at = Some(at);
            self.plan(at, Due::Queue(node));
        }
    }

    /// Begins work at every destination that is due.
    pub(super) fn run_queue(&mut self, node: NodeId) {
        self.node_mut(node).queue_at = None;
        if !self.node(node).up {
            return;
        }
        let now_ms = self.unix_ms_of(node);
        let Some(backend) = self.node(node).backend.clone() else { return };
        let cause = self.cause;
        for due in backend.store.due_destinations(now_ms, JOBS_MAX).unwrap_or_default() {
            self.cause = cause;
            if !self.node(node).jobs.contains_key(&due.name) {
                self.begin(node, &backend, &due.name);
            }
        }
        self.plan_queue(node);
    }

    fn begin(&mut self, node: NodeId, backend: &NodeBackend, destination: &[u8]) {
        let Some(task) = self.next_task(node, backend, destination) else { return };
        let domain = task.recipients.first().map(|q| q.recipient.forward_path.domain.clone());
        let hop = relay::next_hop(&[], &domain.unwrap_or_default());
        self.tell_queue(node, &task, Fate::Tried);
        let job = Job { task: Some(task), ..Job::default() };
        self.node_mut(node).jobs.insert(destination.to_vec(), job);
        let host = String::from_utf8_lossy(&hop.next_hop.host).into_owned();
        match hop.next_hop.lookup {
            Lookup::Exchanges => {
                let then = Then::Route(destination.to_vec());
                self.ask_dns(node, Question { record: "MX", name: host, then });
            }
            Lookup::Addresses => {
                self.job(node, destination).hosts.push_back(host);
                self.next_host(node, destination, Unreached::NoAddress);
            }
            Lookup::Nothing => {
                let answer = DnsAnswer::Addresses(vec![host.clone()]);
                self.carry(node, destination, &host, &answer);
            }
        }
    }

    fn next_task(&self, node: NodeId, backend: &NodeBackend, destination: &[u8]) -> Option<Task> {
        let now_ms = self.unix_ms_of(node);
        let due = backend.store.due_tasks(destination, now_ms, 1).unwrap_or_default();
        due.first().and_then(|id| backend.store.task(*id).ok())
    }

    fn job(&mut self, node: NodeId, destination: &[u8]) -> &mut Job {
        self.node_mut(node).jobs.entry(destination.to_vec()).or_default()
    }

    /// DNS said where the destination's mail goes.
    pub(super) fn routed(
        &mut self,
        node: NodeId,
        destination: &[u8],
        domain: &str,
        answer: &DnsAnswer,
    ) {
        let exchanges = match answer {
            DnsAnswer::Exchanges(found) => found,
            DnsAnswer::NoName => {
                return self.not_reached(node, destination, Unreached::NoSuchDomain);
            }
            DnsAnswer::Failed => return self.not_reached(node, destination, Unreached::DnsFailed),
            // RFC 5321 §5.1: then the domain itself is its exchange.
            DnsAnswer::NoRecords | DnsAnswer::Addresses(_) => &Vec::new(),
        };
        let exchange = |(preference, name): &(u16, String)| Exchange {
            preference: *preference,
            name: name.clone().into_bytes(),
        };
        let exchanges: Vec<Exchange> = exchanges.iter().map(exchange).collect();
        let own = vec![self.node(node).setup.name.clone().into_bytes()];
        let seed = self.node_mut(node).draw.next();
        let text = |name: &Vec<u8>| String::from_utf8_lossy(name).into_owned();
        let hosts = match relay::choose_route(&exchanges, &own, seed) {
            Route::Hosts(names) => names.iter().map(text).collect(),
            Route::Implicit => VecDeque::from([domain.to_owned()]),
            Route::Null => return self.not_reached(node, destination, Unreached::NullMx),
            Route::Ours => return self.not_reached(node, destination, Unreached::Loop),
        };
        self.job(node, destination).hosts = hosts;
        self.next_host(node, destination, Unreached::NoAddress);
    }

    /// Tries the next of the destination's hosts, or gives up for now.
    pub(super) fn next_host(&mut self, node: NodeId, destination: &[u8], why: Unreached) {
        let job = self.job(node, destination);
        job.wire = None;
        match job.hosts.pop_front() {
            Some(host) => {
                job.host.clone_from(&host);
                let then = Then::Carry(destination.to_vec());
                self.ask_dns(node, Question { record: "A", name: host, then });
            }
            None => self.not_reached(node, destination, why),
        }
    }

    /// DNS said where the host is.
    pub(super) fn carry(
        &mut self,
        node: NodeId,
        destination: &[u8],
        host: &str,
        answer: &DnsAnswer,
    ) {
        let to = match self.at_address(answer) {
            // RFC 5321 §5.1: mail to ourselves would come round for ever.
            Ok(to) if to == node => return self.next_host(node, destination, Unreached::Loop),
            Ok(to) => to,
            Err(why) => return self.next_host(node, destination, why),
        };
        let backend = self.node(node).backend.clone().expect("only servers have queues");
        let job = self.job(node, destination);
        host.clone_into(&mut job.host);
        let Some(task) = job.task.clone() else { return };
        job.number = 1;
        let delivery = delivery(&task, 1, self.unix_ms_of(node));
        let carried = Carried { delivery, outgoing: Outgoing::Stored(backend), login: None };
        let host_name = self.node(node).setup.name.clone().into_bytes();
        let service = smtp::Service::Smtp;
        let config = client_config(host_name, service, TlsPolicy::Opportunistic, false);
        let now = self.clock_of(node);
        let session = self.engine.begin(config, now);
        let seat = Seat::<smtp::Client, _>::new(session, SmtpHost::new(carried, false));
        let owner = Owner::Relay(node, destination.to_vec());
        let wire = self.connect(node, to, 25, owner, Box::new(seat));
        self.job(node, destination).wire = Some(wire);
    }

    pub(super) fn relay_news(&mut self, node: NodeId, destination: &[u8], id: WireId, news: News) {
        match news {
            News::Offered { reports } => {
                self.job(node, destination).reports = reports;
                self.reached(node, destination);
            }
            News::Finished(finished) => self.carried(node, destination, id, finished.fates),
            _ => {}
        }
    }

    /// The destination is there again.
    fn reached(&mut self, node: NodeId, destination: &[u8]) {
        let Some(backend) = self.node(node).backend.clone() else { return };
        if backend.store.destination(destination).is_ok_and(|found| found.failures > 0) {
            let block = Block { destination: destination.to_vec(), ..Block::default() };
            self.write(node, &backend, Write::Block(block));
        }
    }

    fn carried(&mut self, node: NodeId, destination: &[u8], id: WireId, fates: Vec<Carriage>) {
        let job = self.job(node, destination);
        if job.wire != Some(id) {
            return;
        }
        let helps = !job.hosts.is_empty() && fates.iter().all(relay::next_host_may_help);
        if helps {
            // RFC 5321 §5.1: the next of the destination's hosts may take it.
            self.order(id, Order::Quit);
            return self.next_host(node, destination, Unreached::TimedOut);
        }
        let (reports, server) = (job.reports, job.host.clone().into_bytes());
        let Some(task) = job.task.take() else { return };
        let handover = if reports { Handover::Reporting } else { Handover::Silent };
        let fared = |fate| Fared { fate, server: Some(server.clone()), handover };
        self.settle(node, &task, fates.into_iter().map(fared).collect());
        let backend = self.node(node).backend.clone().expect("only servers have queues");
        match self.next_task(node, &backend, destination) {
            Some(task) => {
                self.tell_queue(node, &task, Fate::Tried);
                let unix_ms = self.unix_ms_of(node);
                let job = self.job(node, destination);
                job.number += 1;
                let delivery = delivery(&task, job.number, unix_ms);
                job.task = Some(task);
                self.order(id, Order::Deliver(delivery));
            }
            None => self.order(id, Order::Quit),
        }
    }

    /// An application's wish is told to a session after the turn that is being carried out.
    fn order(&mut self, id: WireId, order: Order) {
        self.plan(self.now, Due::Ordered(id, End::Client, order));
    }

    /// A connection is over: what is due is begun anew.
    pub(super) fn relay_hung_up(&mut self, node: NodeId, destination: &[u8], id: WireId) {
        let jobs = &mut self.node_mut(node).jobs;
        if jobs.get(destination).is_some_and(|job| job.wire == Some(id)) {
            jobs.remove(destination);
            self.plan_queue(node);
        }
    }

    /// There is no way to any of the destination's hosts: for good, or for now.
    fn not_reached(&mut self, node: NodeId, destination: &[u8], why: Unreached) {
        let Some(backend) = self.node(node).backend.clone() else { return };
        let Some(job) = self.node_mut(node).jobs.remove(destination) else { return };
        let Some(task) = job.task else { return };
        let fate = relay::fate_of(why);
        if let Carriage::Failed(_) = fate {
            self.settle(node, &task, alike(&task, &fate));
            self.plan_queue(node);
            return;
        }
        // The host is left alone for longer and longer: one row, however much waits for it.
        let failures = backend.store.destination(destination).map_or(0, |found| found.failures) + 1;
        let pause_ms = self.pause_ms(node, failures);
        let block = Block {
            destination: destination.to_vec(),
            until_ms: self.unix_ms_of(node) + pause_ms,
            failures,
            why: super::errand::unreached(why).as_bytes().to_vec(),
        };
        self.write(node, &backend, Write::Block(block));
        self.settle(node, &task, alike(&task, &fate));
        self.tell_of_delays(node, &backend, destination, &fate);
        self.plan_queue(node);
    }

    pub(super) fn write(&mut self, node: NodeId, backend: &Arc<NodeBackend>, write: Write) {
        if let Err(reason) = backend.write_now(write) {
            self.note(Some(node), None, What::Misuse(format!("the queue: {reason:?}")));
        }
        self.after_writes(node);
    }

    pub(super) fn tell_queue(&mut self, node: NodeId, task: &Task, fate: Fate) {
        let message = task.message.id;
        let destination = String::from_utf8_lossy(&task.destination).into_owned();
        let length = self.node(node).queue_length();
        self.note(Some(node), None, What::Queue(Queue { message, destination, fate, length }));
    }
}

fn delivery(task: &Task, id: u32, now_unix_ms: u64) -> Delivery {
    let message = &task.message;
    Delivery {
        id,
        mail: relay::mail_left(&message.mail, message.times.came_unix_ms, now_unix_ms),
        recipients: task.recipients.iter().map(|queued| queued.recipient.clone()).collect(),
        message: message.id,
        offset: message.skip,
        size: message.sent_size(),
        plain: message.plain,
        require_tls: message.mail.require_tls,
    }
}
