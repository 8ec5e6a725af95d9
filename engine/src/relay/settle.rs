//! What an attempt means: who is over, who stays until when, and whom the sender must hear of (RFC 3461 §5.2).
//! The words of a report are left to `report`.

use alloc::string::String;
use alloc::vec::Vec;

use super::schedule::{end_unix_ms, next_attempt};
use super::types::{
    Attempted, Due, Expiry, Fared, Handover, Outcome, Queued, ReportKind, Reported, Settled, Tried,
};
use crate::smtp::client::is_used_up;
use crate::smtp::client::types::{EnhancedStatus, Failure, Fate, Reply, Stage};
use crate::smtp::{Notify, RcptTo};
use crate::trace::Rule;

// RFC 3461 §5.2.2, and §5.2.3 for what lies in a mailbox
pub(super) const SUCCESS: Rule = Rule {
    rfc: 3461,
    section: "5.2.2",
    gist: "Success is reported only to who asked for it, and only if the next server will not do it.",
};

// RFC 3461 §5.2.5
pub(super) const DELAY: Rule = Rule {
    rfc: 3461,
    section: "5.2.5",
    gist: "A delay may be reported unless NOTIFY is given without DELAY.",
};

// RFC 3461 §5.2.6
pub(super) const FAILURE: Rule = Rule {
    rfc: 3461,
    section: "5.2.6",
    gist: "A failure must be reported unless NOTIFY is given without FAILURE.",
};

/// Judges an attempt: 2yz is over, 5yz fails at once, everything else waits for its next turn or for the end.
#[must_use]
pub fn settle(attempted: Attempted) -> Settled {
    let Attempted { schedule, times, now_unix_ms, mail, recipients, .. } = attempted;
    let mut fared = attempted.fared.into_iter();
    let failures = recipients.iter().map(|queued| queued.attempts).max().unwrap_or(0);
    let failures = failures.saturating_add(1);
    let next = next_attempt(&schedule, &times, now_unix_ms, failures, attempted.seed);
    let delayed = times.delay_unix_ms(&schedule).is_some_and(|at| now_unix_ms >= at);
    // The deadline is the reason wherever it ends what the lifetime would not.
    let by_deadline = times.return_unix_ms().is_some_and(|at| now_unix_ms >= at);
    let expiry = if by_deadline { Expiry::Deadline } else { Expiry::Lifetime };

    let traced = mail.deliver_by.is_some_and(|by| by.trace);
    let muted = mail.reverse_path.is_none();
    let mut reports = Reports { muted, traced, lists: Default::default() };
    let mut outcomes = Vec::with_capacity(recipients.len());
    for queued in recipients {
        let Fared { fate, server, handover } = fared.next().unwrap_or_else(unserved);
        let tried = Tried { fate, server, at_unix_ms: now_unix_ms };
        let outcome = match (&tried.fate, next) {
            (Fate::Accepted(_), _) => {
                reports.success(handover, &queued.recipient, tried);
                Outcome::Delivered
            }
            (Fate::Failed(_), _) => {
                reports.failure(queued.recipient, tried, None);
                Outcome::Failed
            }
            (Fate::Deferred(_) | Fate::Uncertain(_), None) => {
                reports.failure(queued.recipient, tried, Some(expiry));
                Outcome::Expired
            }
            (Fate::Deferred(_) | Fate::Uncertain(_), Some(_)) => {
                let told = delayed
                    && !queued.delay_reported
                    && reports.delay(&queued.recipient, tried.clone());
                Outcome::Waits(Queued {
                    attempts: queued.attempts.saturating_add(1),
                    delay_reported: queued.delay_reported || told,
                    last: Some(tried),
                    recipient: queued.recipient,
                })
            }
        };
        outcomes.push(outcome);
    }
    let waits = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Waits(_)));
    let until = end_unix_ms(&schedule, &times);
    Settled { outcomes, next_unix_ms: next.filter(|_| waits), reports: reports.due(until) }
}

/// Whether a recipient with this fate may be offered to the next of a domain's hosts at once (RFC 5321 §5.1).
///
/// Not after an uncertain end: that host may have the message, and another would double it. What the message needs and
/// one host does not offer, another may (RFC 8689 §4.2.1).
#[must_use]
pub fn next_host_may_help(fate: &Fate) -> bool {
    match fate {
        Fate::Deferred(_) => true,
        // No server has said no: the client found that it cannot give the message to this one.
        Fate::Failed(failure) => failure.reply.is_none(),
        Fate::Accepted(_) | Fate::Uncertain(_) => false,
    }
}

/// Whether a recipient with this fate is to be offered to the same host again at once, over a new connection: the last one
/// had served as many messages as its server allows (RFC 9422 MAILMAX), and others of them were served.
#[must_use]
pub fn same_host_may_help(fate: &Fate) -> bool {
    matches!(fate, Fate::Deferred(failure) if is_used_up(failure))
}

/// The RFC 3463 status of a fate: the server's own if it has one of the fate's class, or else ours.
#[must_use]
pub fn status(fate: &Fate) -> EnhancedStatus {
    let (class, reply, diagnosis) = match fate {
        Fate::Accepted(reply) => (2, Some(reply), ""),
        Fate::Failed(failure) => (5, failure.reply.as_ref(), &failure.diagnosis[..]),
        Fate::Deferred(failure) | Fate::Uncertain(failure) => {
            (4, failure.reply.as_ref(), &failure.diagnosis[..])
        }
    };
    let said = reply.and_then(|reply: &Reply| reply.status);
    let fits = |status: &EnhancedStatus| status.class == class;
    let found = said.filter(fits).or_else(|| parse_status(diagnosis).filter(fits));
    found.unwrap_or(EnhancedStatus { class, subject: 0, detail: 0 })
}

/// RFC 3463 §2 `class.subject.detail`, at the beginning of our own words.
fn parse_status(diagnosis: &str) -> Option<EnhancedStatus> {
    let mut numbers = diagnosis.split(' ').next()?.split('.');
    let mut number = || numbers.next()?.parse::<u16>().ok().filter(|number| *number <= 999);
    let (class, subject, detail) = (number()?, number()?, number()?);
    Some(EnhancedStatus { class: u8::try_from(class).ok()?, subject, detail })
}

/// For a recipient to whom nothing happened.
fn unserved() -> Fared {
    let diagnosis = String::from("4.3.0 The recipient's turn did not come");
    let fate = Fate::Deferred(Failure { stage: Stage::Session, reply: None, diagnosis });
    Fared { fate, server: None, handover: Handover::Silent }
}

/// The reports that an attempt makes due.
struct Reports {
    /// RFC 5321 §4.5.5: nothing is ever sent to the null path.
    muted: bool,
    /// RFC 2852 by-trace: who sends it wants to hear of each step, even where a server behind tells of the last one.
    traced: bool,
    lists: [(Option<ReportKind>, Vec<Reported>); 4],
}

impl Reports {
    fn success(&mut self, handover: Handover, recipient: &RcptTo, tried: Tried) {
        let asked = recipient.notify.is_some_and(|notify| notify.success);
        let never = recipient.notify == Some(Notify::default());
        let traced = self.traced && !never;
        let (kind, wanted) = match handover {
            Handover::Reporting => (ReportKind::Relayed, traced),
            Handover::Silent => (ReportKind::Relayed, asked || traced),
            Handover::Final => (ReportKind::Delivered, asked || traced),
        };
        if wanted {
            self.add(kind, recipient.clone(), tried, None);
        }
    }

    fn failure(&mut self, recipient: RcptTo, tried: Tried, expired: Option<Expiry>) {
        if asks(recipient.notify, |notify| notify.failure) {
            self.add(ReportKind::Failed, recipient, tried, expired);
        }
    }

    /// Whether it is told.
    fn delay(&mut self, recipient: &RcptTo, tried: Tried) -> bool {
        let asked = asks(recipient.notify, |notify| notify.delay) && !self.muted;
        if asked {
            self.add(ReportKind::Delayed, recipient.clone(), tried, None);
        }
        asked
    }

    fn add(&mut self, kind: ReportKind, recipient: RcptTo, tried: Tried, expired: Option<Expiry>) {
        if self.muted {
            return;
        }
        let list = self.lists.iter_mut().find(|(of, _)| of.is_none_or(|of| of == kind));
        let (of, list) = list.expect("there is one for each kind");
        *of = Some(kind);
        list.push(Reported { recipient, tried, expired });
    }

    fn due(self, until_unix_ms: u64) -> Vec<Due> {
        let lists = self.lists.into_iter();
        let due = lists.filter_map(|(kind, recipients)| {
            let kind = kind?;
            let until_unix_ms = (kind == ReportKind::Delayed).then_some(until_unix_ms);
            Some(Due { kind, recipients, until_unix_ms })
        });
        due.collect()
    }
}

/// RFC 3461 §4.1: without NOTIFY, failures and delays are told.
fn asks(notify: Option<Notify>, wanted: impl Fn(Notify) -> bool) -> bool {
    notify.is_none_or(wanted)
}
