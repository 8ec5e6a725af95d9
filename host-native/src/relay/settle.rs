//! The end of an attempt: what the engine makes of it, in one write with the reports that follow, and one line of the log.

use pillarbox_engine::relay::{Attempted, Due, Fared, Outcome, Queued, ReportKind, Settled};
use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::smtp::client::types::Fate;
use pillarbox_engine::types::{BlobRange, Reason};
use pillarbox_world::queue::{NewTask, QueuedMessage, Settle, Task};
use pillarbox_world::service::{About, Backend, report};
use pillarbox_world::store::{Deliver, Write};

use super::ask::{self, broke};
use super::carrier::Carrier;
use super::metrics::RelayMetrics;
use super::runner::Work;
use super::worker::{STORE_PAUSE, STORE_PAUSE_MAX};
use crate::backend::HostBackend;
use crate::serve::{shown, told_to_stop};

/// Recipients that a line of the log names; of more it tells how many.
const NAMED_MAX: usize = 10;

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// One for each recipient of the task, in order.
    pub(crate) fared: Vec<Fared>,
    /// Accounts whose INBOX gets the message.
    pub(crate) accounts: Vec<Vec<u8>>,
    /// Recipients that go elsewhere from here, untried.
    pub(crate) moved: Vec<NewTask>,
}

impl Ended {
    /// All recipients fared alike.
    pub(crate) fn alike(task: &Task, fared: &Fared) -> Self {
        let fared = vec![fared.clone(); task.recipients.len()];
        Self { fared, accounts: Vec::new(), moved: Vec::new() }
    }
}

impl<C: Carrier> Work<C> {
    /// Has what became of a task written down, however often that takes: until then nobody else tries it, since a store
    /// that is full would otherwise have the same message sent over and over. False if the server stops first.
    pub(super) async fn settle(&self, task: &Task, ended: Ended) -> bool {
        let id = task.message.id;
        let mut pause = STORE_PAUSE;
        loop {
            match settle(&self.backend, &self.metrics, task, &ended).await {
                Ok(()) => return true,
                Err(Reason::NotFound) => {
                    tracing::info!(id, "it was removed from the queue while it was tried");
                    return true;
                }
                Err(reason) => {
                    tracing::error!(
                        id,
                        ?reason,
                        pause_s = pause.as_secs(),
                        "what became of it could not be written down"
                    );
                }
            }
            let mut stopping = self.stopping.clone();
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(STORE_PAUSE_MAX),
                () = told_to_stop(&mut stopping) => return false,
            }
        }
    }
}

/// Writes down what follows from an attempt.
///
/// # Errors
/// [`Reason::NotFound`] if the task is over; what the store says.
pub(crate) async fn settle(
    backend: &HostBackend,
    metrics: &RelayMetrics,
    task: &Task,
    ended: &Ended,
) -> Result<(), Reason> {
    let now_ms = backend.relaying().clock.now_ms();
    let schedule = backend.schedule();
    let message = &task.message;
    let attempted = || Attempted {
        schedule,
        times: message.times,
        now_unix_ms: now_ms,
        mail: message.mail.clone(),
        recipients: task.recipients.clone(),
        fared: ended.fared.clone(),
        seed: backend.relaying().seed ^ task.id,
    };
    let engine = backend.engine();
    let Settled { outcomes, next_unix_ms, reports } = ask::settle(engine, attempted)?;
    let kinds: Vec<&'static str> = outcomes.iter().map(word).collect();
    let recipients: Vec<Queued> = outcomes.into_iter().filter_map(waiting).collect();
    let mut keep = ended.moved.clone();
    if let (false, Some(due_ms)) = (recipients.is_empty(), next_unix_ms) {
        let notice_ms = engine.relay().notice_unix_ms(&schedule, &message.times, now_ms);
        let notice_ms = notice_ms.map_err(broke)?;
        let destination = task.destination.clone();
        keep.insert(0, NewTask { destination, recipients, due_ms, notice_ms });
    }
    let reports = make(backend, metrics, message, reports, now_ms).await?;
    let accounts = ended.accounts.clone();
    let settle = Settle { task: task.id, keep, accounts, reports, now_ms };
    backend.write(0, Write::Settle(settle)).await?;
    let next_ms = next_unix_ms.map(|at| at.saturating_sub(now_ms));
    log(task, ended, &kinds, next_ms);
    kinds.iter().for_each(|kind| metrics.outcomes.with_label_values(&[*kind]).inc());
    metrics.attempts.inc();
    Ok(())
}

fn waiting(outcome: Outcome) -> Option<Queued> {
    match outcome {
        Outcome::Waits(queued) => Some(queued),
        Outcome::Delivered | Outcome::Failed | Outcome::Expired => None,
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Failed => "failed",
        Outcome::Expired => "expired",
        Outcome::Waits(_) => "deferred",
    }
}

/// The reports that are due, each as a delivery.
async fn make(
    backend: &HostBackend,
    metrics: &RelayMetrics,
    message: &QueuedMessage,
    due: Vec<Due>,
    now_ms: u64,
) -> Result<Vec<Deliver>, Reason> {
    let mut made = Vec::new();
    for due in due {
        let kind = due.kind;
        let size = message.sent_size();
        let length = backend.engine().relay().octets_wanted(kind, &message.mail, size);
        let length = length.map_err(broke)?.min(size);
        let range = BlobRange { blob: message.id, offset: message.skip, length };
        // A report without the message is better than none.
        let octets = backend.store().octets(range).unwrap_or_else(|reason| {
            tracing::error!(id = message.id, ?reason, "it cannot be read for a report");
            Vec::new()
        });
        let about = About {
            mail: &message.mail,
            came_unix_ms: message.times.came_unix_ms,
            octets,
            size,
            log_id: Some(message.id.to_string().into_bytes()),
        };
        match report(backend, due, about, now_ms).await {
            Ok(Some(report)) => {
                metrics.reports.with_label_values(&[report_word(kind)]).inc();
                made.push(report);
            }
            Ok(None) => {}
            Err(reason @ (Reason::NotFound | Reason::NotPermitted)) => {
                let kind = report_word(kind);
                tracing::warn!(
                    id = message.id,
                    kind,
                    ?reason,
                    "the sender does not exist here, so nobody is told"
                );
            }
            Err(reason) => return Err(reason),
        }
    }
    Ok(made)
}

fn report_word(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Failed => "failed",
        ReportKind::Delayed => "delayed",
        ReportKind::Delivered => "delivered",
        ReportKind::Relayed => "relayed",
    }
}

/// One line for each kind of outcome: recipients that fared alike are told together.
fn log(task: &Task, ended: &Ended, kinds: &[&'static str], next_ms: Option<u64>) {
    let id = task.message.id;
    let server = |fared: &Fared| fared.server.as_deref().map_or_else(String::new, shown);
    let hosts: Vec<String> = ended.fared.iter().map(server).collect();
    let answers: Vec<String> = ended.fared.iter().map(|fared| answer(&fared.fate)).collect();
    let alike = |a: usize, b: usize| {
        (kinds[a], &hosts[a], &answers[a]) == (kinds[b], &hosts[b], &answers[b])
    };
    let told = kinds.len().min(answers.len()).min(task.recipients.len());
    for first in 0..told {
        if (0..first).any(|before| alike(before, first)) {
            continue;
        }
        let all: Vec<usize> = (first..told).filter(|other| alike(first, *other)).collect();
        let name = |place: &usize| address(&task.recipients[*place].recipient.forward_path);
        let mut to = all.iter().take(NAMED_MAX).map(name).collect::<Vec<_>>().join(",");
        if all.len() > NAMED_MAX {
            to = format!("{to} and {} more", all.len() - NAMED_MAX);
        }
        let destination = shown(&task.destination);
        let (outcome, host, answer) = (kinds[first], &hosts[first], &answers[first]);
        let next_s = next_ms.filter(|_| outcome == "deferred").map(|ms| ms / 1000);
        tracing::info!(id, to, destination, host, outcome, answer, next_s, "attempted");
        if matches!(ended.fared[first].fate, Fate::Uncertain(_)) && outcome == "deferred" {
            tracing::warn!(
                id,
                to,
                host,
                "all of it was sent, and the answer did not come; it is tried again, and may arrive twice"
            );
        }
    }
}

/// The server's words if there are any, or else ours.
pub(crate) fn answer(fate: &Fate) -> String {
    let (reply, ours) = match fate {
        Fate::Accepted(reply) => (Some(reply), ""),
        Fate::Failed(failure) | Fate::Deferred(failure) | Fate::Uncertain(failure) => {
            (failure.reply.as_ref(), &failure.diagnosis[..])
        }
    };
    let Some(reply) = reply else { return ours.to_owned() };
    let status = reply.status.map_or_else(String::new, |status| {
        format!(" {}.{}.{}", status.class, status.subject, status.detail)
    });
    let first = reply.lines.first().map_or_else(String::new, |line| shown(line));
    format!("{}{status} {first}", reply.code)
}

pub(crate) fn address(mailbox: &Mailbox) -> String {
    let mut text = shown(&mailbox.local_part);
    if !mailbox.domain.is_empty() {
        text.push('@');
        text.push_str(&shown(&mailbox.domain));
    }
    text
}
