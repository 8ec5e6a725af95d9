//! The comparison: starts the servers, fills their mailboxes, and takes the samples in turns.
//! Servers of one group run side by side and are loaded one at a time, A B B A.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow};
use tokio::time::sleep;

use crate::idle;
use crate::imap_work::fill;
use crate::load::{Progress, Sample, Session, Window};
use crate::machine::ticks;
use crate::relay::{self, Sink};
use crate::server::{Kind, Server};
use crate::smtp::Delivery;
use crate::stats::turns;
use crate::work::{
    INBOX_MESSAGES, LARGE, MAILDROP_MESSAGES, MESSAGE_OCTETS, RECIPIENTS, SMALL, Topic, Work,
    account, account_of,
};

/// A server that has taken so much starts afresh, lest its data fill the disk.
const DATA_MAX_OCTETS: u64 = 2 << 30;

/// What to compare, and how long.
pub(crate) struct Plan {
    pub(crate) servers: Vec<Kind>,
    pub(crate) works: Vec<Work>,
    /// Samples of each server for each work.
    pub(crate) turns: usize,
    pub(crate) window: Window,
    /// Messages that wait in a queue before it empties.
    pub(crate) relayed_messages: u64,
    /// Messages in the mailbox that is queried, and in the one whose bodies are fetched.
    pub(crate) small_messages: u64,
    pub(crate) large_messages: u64,
    /// Before memory is counted.
    pub(crate) settle: Duration,
    /// Everything that servers write goes below it, side by side on one file system.
    pub(crate) home: PathBuf,
    /// The server's binary.
    pub(crate) pillarbox: PathBuf,
}

/// All samples of one work.
pub(crate) struct Row {
    pub(crate) work: Work,
    pub(crate) cells: Vec<Cell>,
}

/// All samples of one server, in the order of the turns.
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    pub(crate) samples: Vec<Sample>,
    pub(crate) failure: Option<String>,
}

/// The rows, and what each server said of itself.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) rows: Vec<Row>,
    pub(crate) facts: Vec<(Kind, String)>,
    /// Servers that failed before anything was measured, and what is therefore missing.
    pub(crate) left_out: Vec<(Kind, String)>,
}

impl Plan {
    /// Runs everything; progress goes to standard error.
    pub(crate) async fn run(&self) -> Result<Results> {
        let mut results = Results::default();
        let intake = |work: &Work| matches!(work.topic(), Topic::Delivery | Topic::Connect);
        let idle = |work: &Work| work.topic() == Topic::Idle;
        let relay = |work: &Work| work.topic() == Topic::Relay;
        let works = |wanted: &dyn Fn(&Work) -> bool| -> Vec<Work> {
            self.works.iter().copied().filter(wanted).collect()
        };
        self.group(&works(&intake), &self.servers, &mut results).await?;
        self.relay_rows(&works(&relay), &mut results).await?;
        let with_mailboxes: Vec<Kind> =
            self.servers.iter().copied().filter(|kind| kind.has_mailboxes()).collect();
        let mailboxes = works(&|work| !intake(work) && !relay(work) && !idle(work));
        self.group(&mailboxes, &with_mailboxes, &mut results).await?;
        for work in works(&idle) {
            self.idle_row(work, &with_mailboxes, &mut results).await?;
        }
        Ok(results)
    }

    async fn group(&self, works: &[Work], kinds: &[Kind], results: &mut Results) -> Result<()> {
        if works.is_empty() {
            return Ok(());
        }
        let mut running = Vec::new();
        for &kind in kinds {
            match self.start_filled(kind, works).await {
                Ok(server) => {
                    results.know(kind, server.facts.clone());
                    running.push(Running { server, taken: 0 });
                }
                Err(error) => {
                    results.leave_out(kind, works, &error);
                    self.remove(kind)?;
                }
            }
        }
        for &work in works {
            if running.iter().any(|it| work.possible(&it.server.addresses)) {
                results.rows.push(self.row(work, &mut running).await?);
            }
        }
        for Running { server, .. } in running {
            let kind = server.kind;
            drop(server);
            self.remove(kind)?;
        }
        Ok(())
    }

    async fn row(&self, work: Work, running: &mut Vec<Running>) -> Result<Row> {
        say(&work.title());
        let able: Vec<usize> =
            (0..running.len()).filter(|&at| work.possible(&running[at].server.addresses)).collect();
        let mut cells: Vec<Cell> =
            able.iter().map(|&at| Cell::new(running[at].server.kind)).collect();
        for turn in turns(able.len(), self.turns) {
            for column in turn {
                let it = &mut running[able[column]];
                if cells[column].failure.is_some() {
                    continue;
                }
                let sample = work.sample(&it.server, self.window).await;
                if sample.is_err() {
                    eprintln!("the end of its log:\n{}", it.server.process.last_words());
                }
                cells[column].take(sample, work);
                at_rest(it.server.process.pid()).await?;
                let octets = cells[column].samples.last().map_or(0, |sample| sample.octets);
                it.taken += if work.topic() == Topic::Delivery { octets } else { 0 };
                if it.taken > DATA_MAX_OCTETS {
                    self.renew(running, able[column]).await?;
                }
            }
        }
        Ok(Row { work, cells })
    }

    async fn start_filled(&self, kind: Kind, works: &[Work]) -> Result<Server> {
        let server = self.start(kind)?;
        if let Err(error) = self.prepare(&server, works).await {
            eprintln!("the end of its log:\n{}", server.process.last_words());
            return Err(error.context("filling its mailboxes"));
        }
        Ok(server)
    }

    fn start(&self, kind: Kind) -> Result<Server> {
        say(&format!("starting {kind}"));
        kind.start(&self.home.join(kind.name()), &self.pillarbox, None)
    }

    /// Only servers of the group that takes deliveries come here: they hold no other mail.
    async fn renew(&self, running: &mut Vec<Running>, at: usize) -> Result<()> {
        let Running { server, .. } = running.remove(at);
        let kind = server.kind;
        drop(server);
        self.remove(kind)?;
        let server = self.start(kind)?;
        first_mail(&server).await?;
        running.insert(at, Running { server, taken: 0 });
        Ok(())
    }

    fn remove(&self, kind: Kind) -> Result<()> {
        let home = self.home.join(kind.name());
        if home.exists() {
            fs::remove_dir_all(&home).with_context(|| format!("removing {}", home.display()))?;
        }
        Ok(())
    }

    async fn prepare(&self, server: &Server, works: &[Work]) -> Result<()> {
        if works.iter().any(|work| work.topic() == Topic::Delivery) {
            first_mail(server).await?;
        }
        let Some(address) = server.addresses.imap else { return Ok(()) };
        let most =
            |count: fn(Work) -> u64| works.iter().map(|&work| count(work)).max().unwrap_or(0);
        let logins =
            most(|work| if let Work::Login { connections } = work { connections } else { 0 });
        let drops =
            most(|work| if let Work::Pop3 { connections } = work { connections } else { 0 });
        let queries = works.iter().any(|work| matches!(work, Work::Query(_)));
        let bodies = works.iter().any(|work| matches!(work, Work::Bodies { .. }));
        if logins + drops > 0 || queries || bodies {
            say(&format!("filling mailboxes of {}", server.kind));
        }
        for lane in 0..logins {
            let account = account_of(address, "login", lane);
            fill(&account, "INBOX", INBOX_MESSAGES, MESSAGE_OCTETS).await?;
        }
        for lane in 0..drops {
            let account = account_of(address, "maildrop", lane);
            fill(&account, "INBOX", MAILDROP_MESSAGES, MESSAGE_OCTETS).await?;
        }
        let account = account(address, "query");
        if queries {
            fill(&account, SMALL.0, self.small_messages, SMALL.1).await?;
        }
        if bodies {
            fill(&account, LARGE.0, self.large_messages, LARGE.1).await?;
        }
        Ok(())
    }

    /// Both works of relaying come from the same messages: they are taken, then sent on.
    async fn relay_rows(&self, works: &[Work], results: &mut Results) -> Result<()> {
        let kinds: Vec<Kind> = self.servers.iter().copied().filter(|kind| kind.relays()).collect();
        for work in works {
            let &Work::Drain { size } = work else { continue };
            say(&work.title());
            let sink = Sink::start().await?;
            let mut running = Vec::new();
            for &kind in &kinds {
                let home = self.home.join(kind.name());
                let server = kind.start(&home, &self.pillarbox, Some(sink.address()))?;
                results.know(kind, server.facts.clone());
                running.push(server);
            }
            let cells = || kinds.iter().map(|kind| Cell::new(*kind)).collect::<Vec<_>>();
            let (mut taken, mut sent) = (cells(), cells());
            for turn in turns(kinds.len(), self.turns) {
                for column in turn {
                    if taken[column].failure.is_some() || sent[column].failure.is_some() {
                        continue;
                    }
                    let server = &running[column];
                    match relay::sample(server, &sink, size, self.relayed_messages).await {
                        Ok((enqueued, drained)) => {
                            taken[column].take(Ok(enqueued), Work::Enqueue { size });
                            sent[column].take(Ok(drained), *work);
                        }
                        Err(error) => {
                            eprintln!("the end of its log:\n{}", server.process.last_words());
                            sent[column].take(Err(error), *work);
                        }
                    }
                    at_rest(server.process.pid()).await?;
                }
            }
            drop(running);
            for &kind in &kinds {
                self.remove(kind)?;
            }
            results.rows.push(Row { work: Work::Enqueue { size }, cells: taken });
            results.rows.push(Row { work: *work, cells: sent });
        }
        Ok(())
    }

    async fn idle_row(&self, work: Work, kinds: &[Kind], results: &mut Results) -> Result<()> {
        let Work::Idle { connections } = work else { return Err(anyhow!("not idle: {work:?}")) };
        say(&work.title());
        let mut cells = Vec::new();
        for &kind in kinds {
            let home = self.home.join(kind.name());
            let sample = idle::sample(kind, &home, &self.pillarbox, connections, self.settle).await;
            let sample = sample.map(|(sample, facts)| {
                results.know(kind, facts);
                sample
            });
            let mut cell = Cell::new(kind);
            cell.take(sample, work);
            cells.push(cell);
            self.remove(kind)?;
        }
        results.rows.push(Row { work, cells });
        Ok(())
    }
}

impl Results {
    /// A server that does not start, or does not take the mail it is filled with, is said to be
    /// missing; the others are measured all the same.
    fn leave_out(&mut self, kind: Kind, works: &[Work], error: &Error) {
        let titles: Vec<String> = works.iter().map(|work| work.title()).collect();
        eprintln!("{kind}: {error:#}");
        self.left_out.push((kind, format!("{error:#}; not measured: {}", titles.join("; "))));
    }

    fn know(&mut self, kind: Kind, facts: String) {
        if self.facts.iter().all(|(known, said)| *known != kind || *said != facts) {
            self.facts.push((kind, facts));
        }
    }
}

struct Running {
    server: Server,
    /// Octets of mail that it holds.
    taken: u64,
}

impl Cell {
    fn new(kind: Kind) -> Self {
        Self { kind, samples: Vec::new(), failure: None }
    }

    fn take(&mut self, sample: Result<Sample>, work: Work) {
        match sample {
            Ok(sample) => self.samples.push(sample),
            Err(error) => {
                let failure = format!("{error:#}");
                eprintln!("{}: {}: {failure}", self.kind, work.title());
                self.failure = Some(failure);
            }
        }
    }
}

/// Delivers one message to each recipient, one after the other: mailboxes are created, caches
/// warm. (Dovecot 2.3 may fail when two deliveries create a mailbox at once.)
async fn first_mail(server: &Server) -> Result<()> {
    let (address, dialect) = server.addresses.delivery().context("no SMTP")?;
    let mut delivery = Delivery::open(address, dialect, MESSAGE_OCTETS, 0, RECIPIENTS).await?;
    let ignored = Progress::default();
    for _ in 0..RECIPIENTS {
        delivery.operate(&ignored).await?;
    }
    delivery.close().await
}

/// Lets a server finish what it does behind its clients' backs (deferring mail, checkpoints), so
/// that it does not disturb the next one's sample.
async fn at_rest(pid: u32) -> Result<()> {
    const LOOK: Duration = Duration::from_millis(50);
    const LOOKS_MAX: usize = 60;
    let mut before = ticks(pid)?;
    for _ in 0..LOOKS_MAX {
        sleep(LOOK).await;
        let now = ticks(pid)?;
        if now == before {
            break;
        }
        before = now;
    }
    Ok(())
}

fn say(what: &str) {
    static START: OnceLock<Instant> = OnceLock::new();
    eprintln!("{:4} s  {what}", START.get_or_init(Instant::now).elapsed().as_secs());
}
