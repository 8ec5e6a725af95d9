//! A runner over a real store, with servers that a test plays.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pillarbox_engine::imap::types::{RowsAsk, UidRun};
use pillarbox_engine::relay::{Fared, Handover, Hop, Unreached, fate_of};
use pillarbox_engine::smtp::client::types::{Failure, Fate, Reply, Stage, TlsPolicy};
use pillarbox_engine::smtp::{Answer, Ask, Envelope, MailFrom, Mailbox, Notify, RcptTo};
use pillarbox_engine::types::{BlobRange, Now};
use pillarbox_world::queue::QueueStats;
use pillarbox_world::service::{Backend, Client, Service, SmtpService};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::{
    Carrier, Connection, NotReached, Parcel, Proof, QueueClock, RelayMetrics, Runner,
};
use crate::accounts::Accounts;
use crate::backend::{HostBackend, HostDirectory, Relaying};
use crate::cli::EngineChoice;
use crate::config::{AuthSettings, Data, RelaySettings, RouteLogin, ServerProfile};
use crate::engine::{Engine, EngineSettings};
use crate::limits::Hits;
use crate::store::MailStore;

/// Servers that a test plays.
#[derive(Clone, Default)]
pub(super) struct Servers(Arc<State>);

/// What arrived: host, recipients, octets.
pub(super) type Arrived = (String, Vec<String>, Vec<u8>);

#[derive(Default)]
struct State {
    /// Hosts that are not reached, and why.
    down: Mutex<BTreeMap<Vec<u8>, Unreached>>,
    /// Hosts that nobody can prove.
    unproved: Mutex<BTreeSet<Vec<u8>>>,
    /// Hosts whose TLS nobody can trust.
    unsafe_tls: Mutex<BTreeSet<Vec<u8>>>,
    /// Recipients that are refused, by local part.
    refused: Mutex<BTreeMap<Vec<u8>, u16>>,
    arrived: Mutex<Vec<Arrived>>,
    mails: Mutex<Vec<MailFrom>>,
    connects: AtomicU32,
    open: Mutex<BTreeMap<Vec<u8>, (u32, u32)>>,
    pause_ms: AtomicU32,
    store: Mutex<Option<Arc<HostBackend>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Servers {
    pub(super) fn fails(&self, host: &str, why: Unreached) {
        lock(&self.0.down).insert(host.as_bytes().to_vec(), why);
    }
    pub(super) fn works(&self, host: &str) {
        lock(&self.0.down).remove(host.as_bytes());
    }
    /// Only what needs no proof of the host gets there.
    pub(super) fn cannot_prove(&self, host: &str) {
        lock(&self.0.unproved).insert(host.as_bytes().to_vec());
    }
    /// Nothing gets there by a way that asks for TLS.
    pub(super) fn cannot_secure(&self, host: &str) {
        lock(&self.0.unsafe_tls).insert(host.as_bytes().to_vec());
    }
    pub(super) fn refuses(&self, local_part: &str, code: u16) {
        lock(&self.0.refused).insert(local_part.as_bytes().to_vec(), code);
    }
    pub(super) fn takes(&self, local_part: &str) {
        lock(&self.0.refused).remove(local_part.as_bytes());
    }
    pub(super) fn pause(&self, ms: u32) {
        self.0.pause_ms.store(ms, Ordering::Relaxed);
    }
    pub(super) fn connects(&self) -> u32 {
        self.0.connects.load(Ordering::Relaxed)
    }
    /// The most connections that a host had at once.
    pub(super) fn most_open(&self, host: &str) -> u32 {
        lock(&self.0.open).get(host.as_bytes()).map_or(0, |(_, most)| *most)
    }
    /// MAIL of each message that was offered.
    pub(super) fn mails(&self) -> Vec<MailFrom> {
        lock(&self.0.mails).clone()
    }
    pub(super) fn arrived(&self) -> Vec<Arrived> {
        lock(&self.0.arrived).clone()
    }
}

impl Carrier for Servers {
    type Connection = Server;

    async fn connect(
        &self,
        hop: &Hop,
        proof: Proof,
        _: Option<&RouteLogin>,
    ) -> Result<Server, NotReached> {
        self.0.connects.fetch_add(1, Ordering::Relaxed);
        let host = hop.next_hop.host.clone();
        if let Some(why) = lock(&self.0.down).get(&host) {
            return Err(not_reached(*why));
        }
        if proof != Proof::Optional && lock(&self.0.unproved).contains(&host) {
            return Err(not_reached(Unreached::TlsFailed));
        }
        if hop.tls == TlsPolicy::Required && lock(&self.0.unsafe_tls).contains(&host) {
            return Err(not_reached(Unreached::TlsFailed));
        }
        let mut open = lock(&self.0.open);
        let (now, most) = open.entry(host.clone()).or_default();
        *now += 1;
        *most = (*most).max(*now);
        Ok(Server { host, state: Arc::clone(&self.0) })
    }
}

fn not_reached(why: Unreached) -> NotReached {
    let fared = Fared { fate: fate_of(why), server: None, handover: Handover::Silent };
    NotReached { fared, rest: None }
}

pub(super) struct Server {
    host: Vec<u8>,
    state: Arc<State>,
}

impl Connection for Server {
    async fn is_usable(&mut self) -> bool {
        lock(&self.state.down).get(&self.host).is_none()
    }
    async fn deliver(&mut self, parcel: Parcel) -> Vec<Fared> {
        let pause = self.state.pause_ms.load(Ordering::Relaxed);
        if pause > 0 {
            tokio::time::sleep(Duration::from_millis(pause.into())).await;
        }
        lock(&self.state.mails).push(parcel.mail.clone());
        let refused = lock(&self.state.refused).clone();
        let (mut fates, mut taken) = (Vec::new(), Vec::new());
        let server = Some(self.host.clone());
        let fared = |fate| Fared { fate, server: server.clone(), handover: Handover::Silent };
        for to in &parcel.recipients {
            let code = refused.get(&to.forward_path.local_part).copied();
            let words = vec![b"Words of the server".to_vec()];
            let reply = Reply { code: code.unwrap_or(250), status: None, lines: words };
            let failure = |reply| Failure {
                stage: Stage::Recipient,
                reply: Some(reply),
                diagnosis: String::new(),
            };
            fates.push(match code {
                Some(500..) => Fate::Failed(failure(reply)),
                Some(_) => Fate::Deferred(failure(reply)),
                None => {
                    taken.push(super::super::settle::address(&to.forward_path));
                    Fate::Accepted(reply)
                }
            });
        }
        if !taken.is_empty() {
            let range = BlobRange { blob: parcel.blob, offset: parcel.skip, length: parcel.size };
            let backend = lock(&self.state.store).clone().expect("the rig has set it");
            let octets = backend.store().octets(range).expect("the message is there");
            let host = String::from_utf8_lossy(&self.host).into_owned();
            lock(&self.state.arrived).push((host, taken, octets));
        }
        fates.into_iter().map(fared).collect()
    }
    async fn quit(self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((now, _)) = lock(&self.state.open).get_mut(&self.host) {
            *now -= 1;
        }
    }
}

/// A host with accounts alice and bob at ours.example; `team` there is bob, somebody who has left, and ann elsewhere.
pub(super) struct Rig {
    pub(super) backend: Arc<HostBackend>,
    pub(super) servers: Servers,
    pub(super) metrics: RelayMetrics,
    pub(super) clock: QueueClock,
    settings: Arc<RelaySettings>,
    stop: watch::Sender<bool>,
    runner: Option<JoinHandle<()>>,
    pub(super) directory: PathBuf,
}

impl Rig {
    pub(super) fn new(name: &str, settings: RelaySettings) -> Self {
        let directory =
            std::env::temp_dir().join(format!("pillarbox-relay-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&directory));
        std::fs::create_dir_all(&directory).expect("it can be made");
        let mut accounts = Accounts::default();
        accounts.set("alice@ours.example", "secret").expect("it is hashed");
        accounts.set("bob@ours.example", "secret").expect("it is hashed");
        accounts.write(&directory.join("accounts")).expect("it is written");
        Self::open(directory, settings, Servers::default())
    }

    /// Opens what a rig has left.
    pub(super) fn open(directory: PathBuf, settings: RelaySettings, servers: Servers) -> Self {
        let profile = ServerProfile {
            domains: vec!["ours.example".to_owned()],
            aliases: BTreeMap::from([(
                "team@ours.example".to_owned(),
                ["bob@ours.example", "gone@ours.example", "ann@far.example"]
                    .map(str::to_owned)
                    .into(),
            )]),
            accounts: directory.join("accounts"),
            relay: settings.clone(),
            ..ServerProfile::default()
        };
        let clock = QueueClock::start();
        let relaying = Relaying::new("mx.ours.example", settings.schedule, clock.clone());
        let engine = Engine::new(&EngineSettings::new(EngineChoice::Sandbox, Some(1)));
        let engine = Arc::new(engine.expect("it starts"));
        let store = MailStore::open(&Data::Directory(directory.clone())).expect("it opens");
        let auth = AuthSettings { secret: directory.join("secret"), ..AuthSettings::default() };
        let accounts = HostDirectory::accounts(profile, &auth, Hits::default(), &engine);
        let accounts = accounts.expect("it is read");
        let backend = Arc::new(HostBackend::new(store, accounts, engine, relaying));
        *lock(&servers.0.store) = Some(Arc::clone(&backend));
        let metrics = RelayMetrics::new(&prometheus::Registry::new());
        let (stop, _) = watch::channel(false);
        let settings = Arc::new(settings);
        Self { backend, servers, metrics, clock, settings, stop, runner: None, directory }
    }

    pub(super) fn start(&mut self) {
        let runner = Runner::new(
            Arc::clone(&self.backend),
            self.servers.clone(),
            Arc::clone(&self.settings),
            true,
            self.metrics.clone(),
            self.stop.subscribe(),
        );
        self.runner = Some(tokio::spawn(runner.expect("it starts").run()));
    }

    /// Hands a message over, as an SMTP session does; gives its number.
    pub(super) async fn send(&self, from: &str, to: &[&str]) -> u64 {
        self.send_asking(from, to, None).await
    }

    pub(super) async fn send_asking(&self, from: &str, to: &[&str], notify: Option<Notify>) -> u64 {
        let reverse_path = (!from.is_empty()).then(|| mailbox(from));
        let sender = MailFrom { reverse_path, ..MailFrom::default() };
        self.send_as(sender, to, notify, Envelope::default()).await
    }

    pub(super) async fn send_as(
        &self,
        sender: MailFrom,
        to: &[&str],
        notify: Option<Notify>,
        envelope: Envelope,
    ) -> u64 {
        let client = Client { relays: true, name: b"test".to_vec(), ..Client::default() };
        let mut service = SmtpService::new(Arc::clone(&self.backend), 1).of(client);
        let now = Now { monotonic_ms: 0, unix_ms: self.clock.now_ms() };
        let mut asks = vec![Ask::Sender(sender)];
        for to in to {
            let forward_path = mailbox(to);
            asks.push(Ask::Recipient(RcptTo { forward_path, notify, ..RcptTo::default() }));
        }
        let text = format!("From: <a@b.c>\r\nSubject: greetings\r\n\r\nHello {}\r\n", to.len());
        asks.push(Ask::Chunk(text.into_bytes()));
        for ask in asks {
            let answer = service.answer(now, ask, &mut ()).await;
            assert_eq!(answer, Answer::Done);
        }
        match service.answer(now, Ask::Commit(envelope), &mut ()).await {
            Answer::Committed(committed) => {
                String::from_utf8_lossy(&committed.id).parse().expect("it is a number")
            }
            answer => panic!("{answer:?}"),
        }
    }

    pub(super) fn stats(&self) -> QueueStats {
        self.backend.store().queue_stats().expect("it can be read")
    }

    /// Waits until something holds.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..3000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never: {what}; {:?}, arrived {:?}", self.stats(), self.servers.arrived().len());
    }

    pub(super) async fn until_empty(&self) {
        self.until("the queue is empty", |rig| rig.stats().messages == 0).await;
    }

    /// Waits until nothing is due: all that could be tried by now was tried.
    pub(super) async fn until_tried(&self) {
        let idle = |rig: &Self| {
            let due = rig.backend.store().due_destinations(rig.clock.now_ms(), 1);
            // Looked at in this order: what was due a moment ago is in hand now, or done with.
            due.is_ok_and(|due| due.is_empty()) && rig.metrics.in_hand.get() == 0
        };
        self.until("nothing is due", idle).await;
    }

    /// Waits until nothing is due, then moves the clock to when something is; false if nothing ever is.
    pub(super) async fn next(&self) -> bool {
        self.until_tried().await;
        let now_ms = self.clock.now_ms();
        match self.backend.store().next_wake_ms(now_ms).expect("it can be read") {
            Some(next) => {
                self.clock.advance(next - now_ms);
                true
            }
            None => false,
        }
    }

    /// The messages of an account's INBOX.
    pub(super) fn inbox(&self, account: &str) -> Vec<String> {
        let store = self.backend.store();
        let Ok(Some(id)) = store.account(account.as_bytes()) else { return Vec::new() };
        let inbox = store.mailbox(id, b"INBOX").expect("it is there");
        let uids = vec![UidRun { first: 1, last: u32::MAX }];
        let page =
            store.rows(inbox, &RowsAsk { uids, max: 1000, index: false, changed_since: None });
        let read = |row: pillarbox_engine::imap::types::Row| {
            let range = BlobRange { blob: row.blob, offset: 0, length: row.size };
            String::from_utf8_lossy(&store.octets(range).expect("it is there")).into_owned()
        };
        page.expect("it is there").rows.into_iter().map(read).collect()
    }

    pub(super) async fn stop(mut self) -> PathBuf {
        self.stop.send_replace(true);
        if let Some(runner) = self.runner.take() {
            runner.await.expect("it ends well");
        }
        self.close().await
    }

    /// Ends as a killed process does, as far as one process can play it.
    pub(super) async fn kill(mut self) -> PathBuf {
        if let Some(runner) = self.runner.take() {
            runner.abort();
            drop(runner.await);
        }
        self.close().await
    }

    async fn close(self) -> PathBuf {
        *lock(&self.servers.0.store) = None;
        self.backend.mail_store().close().await;
        let Self { backend, directory, .. } = self;
        // Tasks that were cut let go of the store in a moment.
        for _ in 0..1000 {
            if Arc::strong_count(&backend) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        directory
    }

    pub(super) async fn end(self) {
        let directory = self.stop().await;
        drop(std::fs::remove_dir_all(directory));
    }
}

pub(super) fn mailbox(text: &str) -> Mailbox {
    let (local, domain) = text.split_once('@').expect("an address");
    Mailbox { local_part: local.into(), domain: domain.into() }
}
