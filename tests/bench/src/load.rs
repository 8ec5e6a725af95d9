//! Running many sessions against one server: a window of time for rates, repetition for times.
//! What a session does is its driver's business; what the numbers mean is the table's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::machine::Meter;

/// After the window, sessions have so long to finish what they are in the middle of.
const FINISH_MAX: Duration = Duration::from_secs(60);

/// A connection, or a succession of connections, that does the same thing over and over.
pub(crate) trait Session: Send + 'static {
    /// Does it once; tells `progress` what was done, as it is done.
    fn operate(&mut self, progress: &Progress) -> impl Future<Output = Result<()>> + Send;
    /// Says goodbye as the protocol wants it.
    fn close(self) -> impl Future<Output = Result<()>> + Send;
}

/// What all sessions together have done so far.
#[derive(Default)]
pub(crate) struct Progress {
    operations: AtomicU64,
    octets: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    /// Counts work that the server has acknowledged.
    pub(crate) fn add(&self, operations: u64, octets: u64) {
        self.operations.fetch_add(operations, Ordering::Relaxed);
        self.octets.fetch_add(octets, Ordering::Relaxed);
    }

    fn now(&self) -> (u64, u64) {
        (self.operations.load(Ordering::Relaxed), self.octets.load(Ordering::Relaxed))
    }
}

/// How long a sample takes.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    /// Load that is not counted, before the clock starts.
    pub(crate) warm_up: Duration,
    /// The time that counts.
    pub(crate) measured: Duration,
}

/// What one sample found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Operations acknowledged in the window.
    pub(crate) operations: u64,
    /// Octets of message carried in the window.
    pub(crate) octets: u64,
    /// Length of the window.
    pub(crate) seconds: f64,
    /// CPU time of the server's processes, user and system, where its processes are known.
    pub(crate) server_cpu_seconds: Option<f64>,
    /// Share of the machine that went to neither the server nor this program, 0 to 1.
    pub(crate) elsewhere: f64,
    /// Share of the machine that its host gave to others, 0 to 1.
    pub(crate) stolen: f64,
    /// Median time of one operation, where operations ran one at a time.
    pub(crate) operation_ms: Option<f64>,
    /// Time of the operation before the clock started, where operations ran one at a time.
    pub(crate) first_ms: Option<f64>,
    /// Memory per connection, where that was asked.
    pub(crate) kib_each: Option<f64>,
}

/// Runs all `sessions` at once and counts what they do within the window.
pub(crate) async fn rate<S: Session>(
    sessions: Vec<S>,
    window: Window,
    server_pid: Option<u32>,
) -> Result<Sample> {
    let progress = Arc::new(Progress::default());
    let mut running = JoinSet::new();
    for session in sessions {
        running.spawn(keep_at_it(session, Arc::clone(&progress)));
    }
    undisturbed(&mut running, window.warm_up).await?;
    let meter = Meter::start(server_pid)?;
    let (operations, octets) = progress.now();
    let clock = Instant::now();
    undisturbed(&mut running, window.measured).await?;
    let (operations_after, octets_after) = progress.now();
    let seconds = clock.elapsed().as_secs_f64();
    let used = meter.stop()?;
    progress.stop.store(true, Ordering::Relaxed);
    timeout(FINISH_MAX, async {
        while let Some(ended) = running.join_next().await {
            ended.context("a session panicked")??;
        }
        anyhow::Ok(())
    })
    .await
    .map_err(|_| anyhow!("sessions did not finish within {} s", FINISH_MAX.as_secs()))??;
    Ok(Sample {
        operations: operations_after - operations,
        octets: octets_after - octets,
        seconds,
        server_cpu_seconds: used.server_cpu_seconds,
        elsewhere: used.elsewhere,
        stolen: used.stolen,
        operation_ms: None,
        first_ms: None,
        kib_each: None,
    })
}

/// Repeats one operation on one session until the window is over, at least `times_min` times.
/// The warm-up is one operation.
pub(crate) async fn repeat<S: Session>(
    session: &mut S,
    window: Window,
    times_min: usize,
    server_pid: Option<u32>,
) -> Result<Sample> {
    let progress = Progress::default();
    let first = Instant::now();
    session.operate(&progress).await?;
    let first_ms = first.elapsed().as_secs_f64() * 1000.0;
    let meter = Meter::start(server_pid)?;
    let (operations, octets) = progress.now();
    let clock = Instant::now();
    let mut times_ms = Vec::new();
    while times_ms.len() < times_min || clock.elapsed() < window.measured {
        let start = Instant::now();
        session.operate(&progress).await?;
        times_ms.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    let seconds = clock.elapsed().as_secs_f64();
    let (operations_after, octets_after) = progress.now();
    let used = meter.stop()?;
    Ok(Sample {
        operations: operations_after - operations,
        octets: octets_after - octets,
        seconds,
        server_cpu_seconds: used.server_cpu_seconds,
        elsewhere: used.elsewhere,
        stolen: used.stolen,
        operation_ms: crate::stats::median(&times_ms),
        first_ms: Some(first_ms),
        kib_each: None,
    })
}

async fn keep_at_it<S: Session>(mut session: S, progress: Arc<Progress>) -> Result<()> {
    while !progress.stop.load(Ordering::Relaxed) {
        session.operate(&progress).await?;
    }
    session.close().await
}

/// Waits for `time`, unless a session ends in an error before.
async fn undisturbed(running: &mut JoinSet<Result<()>>, time: Duration) -> Result<()> {
    tokio::select! {
        () = sleep(time) => Ok(()),
        Some(ended) = running.join_next() => {
            ended.context("a session panicked")??;
            Err(anyhow!("a session ended before its time"))
        }
    }
}
