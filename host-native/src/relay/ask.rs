//! The engine's relay functions as the queue calls them: what is said where their sandbox breaks, so that a bug of ours
//! costs one message some time and never the queue.

use pillarbox_engine::relay::{Attempted, Fared, Handover, Queued, Settled, Tried, Unreached};
use pillarbox_engine::smtp::client::types::{Failure, Fate, Stage};
use pillarbox_engine::types::Reason;

use crate::engine::{Engine, Trap};

/// The sandbox broke; it is logged. To be tried again as if this machine had too much to do.
pub(crate) fn broke(trap: Trap) -> Reason {
    tracing::error!(%trap, "a relay function broke its sandbox");
    drop(trap);
    Reason::Overloaded
}

/// The fate of recipients whose server was not talked to.
fn fate_of(engine: &Engine, why: Unreached) -> Fate {
    engine.relay().fate_of(why).unwrap_or_else(|trap| {
        broke(trap);
        let diagnosis = "4.3.0 This server could not make the attempt".to_owned();
        Fate::Deferred(Failure { stage: Stage::Session, reply: None, diagnosis })
    })
}

/// How recipients fared whose server was not talked to.
pub(super) fn unserved(engine: &Engine, why: Unreached) -> Fared {
    Fared { fate: fate_of(engine, why), server: None, handover: Handover::Silent }
}

/// Whether the domain's next host should be offered this recipient.
pub(super) fn next_host_may_help(engine: &Engine, fate: &Fate) -> bool {
    engine.relay().next_host_may_help(fate).unwrap_or_else(|trap| {
        broke(trap);
        false
    })
}

/// Whether the same host should be offered this recipient over a new connection.
pub(super) fn same_host_may_help(engine: &Engine, fate: &Fate) -> bool {
    engine.relay().same_host_may_help(fate).unwrap_or_else(|trap| {
        broke(trap);
        false
    })
}

/// What an attempt means, which is made once more if need be.
///
/// # Errors
/// The sandbox broke even without the words of strangers, which are left out if it broke with them: what became of a
/// message must be written down whatever a server says.
pub(super) fn settle(
    engine: &Engine,
    attempted: impl Fn() -> Attempted,
) -> Result<Settled, Reason> {
    let relay = engine.relay();
    relay.settle(attempted()).or_else(|trap| {
        broke(trap);
        relay.settle(without_words(attempted())).map_err(broke)
    })
}

fn without_words(mut attempted: Attempted) -> Attempted {
    attempted.fared.iter_mut().for_each(|fared| silence(&mut fared.fate));
    for Queued { last, .. } in &mut attempted.recipients {
        if let Some(Tried { fate, .. }) = last {
            silence(fate);
        }
    }
    attempted
}

fn silence(fate: &mut Fate) {
    let reply = match fate {
        Fate::Accepted(reply) => Some(reply),
        Fate::Failed(failure) | Fate::Deferred(failure) | Fate::Uncertain(failure) => {
            failure.reply.as_mut()
        }
    };
    if let Some(reply) = reply {
        reply.lines.clear();
    }
}
