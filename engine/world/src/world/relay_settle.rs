//! What an attempt means is the engine's to say; here it is written to the queue, with the reports that follow.

use std::sync::Arc;

use pillarbox_engine::relay::{self, Attempted, Due as Report, Fared, Handover, Outcome, Settled};
use pillarbox_engine::smtp::client::types::Fate as Carried;
use pillarbox_engine::types::BlobRange;

use super::World;
use super::backend::NodeBackend;
use super::ids::NodeId;
use super::log::Fate;
use super::seat::fate_words;
use crate::conversation::at_once;
use crate::queue::{NewTask, Queue as _, Settle, Task};
use crate::service::{About, Backend, report};
use crate::store::{Deliver, Store, Write};

/// Seeds that are tried for the one that spreads an attempt least.
const CALM_SEEDS: u64 = 512;
/// Tasks whose senders are told of a delay together.
const PAGE: u32 = 100;

/// What an attempt came to that reached no server: the same for each recipient.
pub(super) fn alike(task: &Task, fate: &Carried) -> Vec<Fared> {
    let fared = Fared { fate: fate.clone(), server: None, handover: Handover::Silent };
    vec![fared; task.recipients.len()]
}

impl World {
    /// How long a host is left alone.
    pub(super) fn pause_ms(&mut self, node: NodeId, failures: u32) -> u64 {
        let schedule = self.node(node).setup.schedule;
        let seed = self.node_mut(node).draw.next();
        let pause = |seed| relay::host_backoff(failures, &schedule, seed);
        if self.spread {
            return pause(seed);
        }
        let calm = (0..CALM_SEEDS).map(|more| pause(seed.wrapping_add(more)));
        calm.min().unwrap_or_else(|| pause(seed))
    }

    /// A seed for the next attempt: in a lesson one that spreads it least.
    fn seed(&mut self, node: NodeId, task: &Task, now_ms: u64) -> u64 {
        let seed = self.node_mut(node).draw.next();
        if self.spread {
            return seed;
        }
        let schedule = self.node(node).setup.schedule;
        let failures = task.recipients.iter().map(|queued| queued.attempts).max().unwrap_or(0) + 1;
        let next = |seed: &u64| {
            relay::next_attempt(&schedule, &task.message.times, now_ms, failures, *seed)
        };
        let seeds = (0..CALM_SEEDS).map(|more| seed.wrapping_add(more));
        seeds.min_by_key(next).unwrap_or(seed)
    }

    /// Writes down what follows from an attempt.
    pub(super) fn settle(&mut self, node: NodeId, task: &Task, fared: Vec<Fared>) {
        let Some(backend) = self.node(node).backend.clone() else { return };
        let now_ms = self.unix_ms_of(node);
        let schedule = backend.schedule();
        let told: Vec<String> = fared.iter().map(|fared| fate_words(&fared.fate).1).collect();
        let message = &task.message;
        let Settled { outcomes, next_unix_ms, reports } = relay::settle(Attempted {
            schedule,
            times: message.times,
            now_unix_ms: now_ms,
            mail: message.mail.clone(),
            recipients: task.recipients.clone(),
            fared,
            seed: self.seed(node, task, now_ms),
        });
        let next = next_unix_ms.map(|at| self.time_of(node, at));
        // Recipients that fared alike are told together.
        let mut fates: Vec<Fate> = Vec::new();
        for (outcome, why) in outcomes.iter().zip(told) {
            let fate = match outcome {
                Outcome::Delivered => Fate::Delivered { why },
                Outcome::Failed => Fate::Failed { why },
                Outcome::Expired => Fate::Expired { why },
                Outcome::Waits(_) => Fate::Deferred { next: next.unwrap_or(self.now), why },
            };
            if !fates.contains(&fate) {
                fates.push(fate);
            }
        }
        let waiting = outcomes.into_iter().filter_map(|outcome| match outcome {
            Outcome::Waits(queued) => Some(queued),
            Outcome::Delivered | Outcome::Failed | Outcome::Expired => None,
        });
        let recipients: Vec<_> = waiting.collect();
        let mut keep = Vec::new();
        if let (false, Some(due_ms)) = (recipients.is_empty(), next_unix_ms) {
            let notice_ms = relay::notice_unix_ms(&schedule, &message.times, now_ms);
            let destination = task.destination.clone();
            keep.push(NewTask { destination, recipients, due_ms, notice_ms });
        }
        let reports = self.make_reports(&backend, task, reports, now_ms);
        let settle = Settle { task: task.id, keep, accounts: Vec::new(), reports, now_ms };
        let written = backend.write_now(Write::Settle(settle));
        if written.is_ok() {
            let cause = self.cause;
            for fate in fates {
                self.cause = cause;
                self.tell_queue(node, task, fate);
            }
        }
        self.after_writes(node);
    }

    /// The reports that are due, each as a delivery.
    fn make_reports(
        &self,
        backend: &Arc<NodeBackend>,
        task: &Task,
        due: Vec<Report>,
        now_ms: u64,
    ) -> Vec<Deliver> {
        let message = &task.message;
        let mut made = Vec::new();
        for due in due {
            let size = message.sent_size();
            let length = relay::octets_wanted(due.kind, &message.mail, size).min(size);
            let range = BlobRange { blob: message.id, offset: message.skip, length };
            let about = About {
                mail: &message.mail,
                came_unix_ms: message.times.came_unix_ms,
                octets: backend.store.octets(range).unwrap_or_default(),
                size,
                log_id: Some(message.id.to_string().into_bytes()),
            };
            // A sender who is unknown here cannot be told.
            if let Ok(Some(report)) = at_once(report(&**backend, due, about, now_ms)) {
                made.push(report);
            }
        }
        made
    }

    /// Messages that were not tried, since their host is left alone, have senders who must be told all the same.
    pub(super) fn tell_of_delays(
        &mut self,
        node: NodeId,
        backend: &Arc<NodeBackend>,
        destination: &[u8],
        fate: &Carried,
    ) {
        let now_ms = self.unix_ms_of(node);
        for id in backend.store.notice_tasks(destination, now_ms, PAGE).unwrap_or_default() {
            if let Ok(task) = backend.store.task(id) {
                self.settle(node, &task, alike(&task, fate));
            }
        }
    }
}
