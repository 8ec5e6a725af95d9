//! Mail that waited for mailboxes here: held until a time of its sender's choice, or for a domain that has become ours.

use pillarbox_engine::relay::{Fared, Handover, Queued};
use pillarbox_engine::smtp::RcptTo;
use pillarbox_engine::smtp::client::types::{EnhancedStatus, Failure, Fate, Reply, Stage};
use pillarbox_engine::types::Reason;
use pillarbox_world::queue::{NewTask, Task};
use pillarbox_world::service::{Backend, Directory};

use super::settle::Ended;
use crate::backend::HostBackend;

/// Where the recipients' mail goes now; the task has only those left that end here.
pub(super) fn deliver(backend: &HostBackend, mut task: Task) -> (Task, Ended) {
    let server = Some(backend.host_name().to_vec());
    let fared = |fate| Fared { fate, server: server.clone(), handover: Handover::Final };
    let mut ends = Vec::new();
    let (mut accounts, mut moved): (Vec<Vec<u8>>, Vec<NewTask>) = (Vec::new(), Vec::new());
    let mut here = Vec::new();
    for queued in std::mem::take(&mut task.recipients) {
        let taken = match backend.directory().recipient(&queued.recipient.forward_path, true) {
            Ok(taken) => taken,
            Err(refusal) => {
                ends.push(fared(refused(refusal.reason)));
                here.push(queued);
                continue;
            }
        };
        for elsewhere in taken.elsewhere {
            let mut recipient = queued.recipient.clone();
            recipient.forward_path = elsewhere.address;
            let queued = Queued { recipient, ..Queued::default() };
            moved.push(NewTask {
                destination: elsewhere.destination,
                recipients: vec![queued],
                due_ms: task.due_ms,
                notice_ms: task.notice_ms,
            });
        }
        let recipient = queued.recipient.clone();
        if !taken.accounts.is_empty() {
            ends.push(fared(accepted()));
            here.push(queued);
        }
        // RFC 5321 §6.1: an alias may stand for somebody who is not here any more, and its sender is told.
        for member in taken.unknown {
            let recipient = RcptTo { forward_path: member, ..recipient.clone() };
            ends.push(fared(refused(Reason::NotFound)));
            here.push(Queued { recipient, ..Queued::default() });
        }
        for account in taken.accounts {
            if !accounts.contains(&account) {
                accounts.push(account);
            }
        }
    }
    task.recipients = here;
    (task, Ended { fared: ends, accounts, moved })
}

fn accepted() -> Fate {
    let status = Some(EnhancedStatus { class: 2, subject: 1, detail: 5 });
    Fate::Accepted(Reply { code: 250, status, lines: vec![b"Delivered to the mailbox".to_vec()] })
}

fn refused(reason: Reason) -> Fate {
    let never = matches!(reason, Reason::NotFound | Reason::NotPermitted | Reason::Policy);
    let diagnosis = if never { "5.1.1 No such mailbox here" } else { "4.3.0 Local error" };
    let failure = Failure { stage: Stage::Recipient, reply: None, diagnosis: diagnosis.to_owned() };
    if never { Fate::Failed(failure) } else { Fate::Deferred(failure) }
}
