//! The host of a server's session: faults first, then the service, which takes the time of a sync where it writes.

use pillarbox_engine::types::BlobRange;
use pillarbox_engine::{Role, imap, pop3, smtp};

use super::{Answered, Cx, Effect, Host};
use crate::conversation::at_once;
use crate::fault::{Decision, Faced, Verdict, Watch};
use crate::service::Service;

/// How long a write takes to be durable: a disk with a cache that keeps its promise.
pub(super) const SYNC_MS: u64 = 2;

/// Roles whose asks may write.
pub(crate) trait Syncs: Role {
    /// Whether the answer waits for a disk.
    fn syncs(ask: &Self::Ask) -> bool;
}

impl Syncs for smtp::Server {
    fn syncs(ask: &smtp::Ask) -> bool {
        matches!(ask, smtp::Ask::Commit(_))
    }
}

impl Syncs for pop3::Server {
    fn syncs(ask: &pop3::Ask) -> bool {
        matches!(ask, pop3::Ask::Remove(_))
    }
}

impl Syncs for imap::Server {
    fn syncs(ask: &imap::types::Ask) -> bool {
        use imap::types::Ask;
        matches!(
            ask,
            Ask::Create(_)
                | Ask::Delete(_)
                | Ask::Rename(_)
                | Ask::Subscribe(_)
                | Ask::Store(_)
                | Ask::Expunge(_)
                | Ask::Copy(_)
                | Ask::Commit
        )
    }
}

/// What stands behind a server's session.
pub(crate) struct ServerHost<R: Faced, S> {
    service: S,
    watch: Watch<R>,
    /// What a fault says in place of the service, once its delay is over.
    ready: Option<R::Answer>,
}

impl<R: Faced, S> ServerHost<R, S> {
    pub(crate) fn new(service: S, watch: Watch<R>) -> Self {
        Self { service, watch, ready: None }
    }
}

impl<R: Faced + Syncs, S: Service<R>> ServerHost<R, S>
where
    R::Ask: Clone,
{
    fn served(&mut self, ask: &R::Ask, cx: &Cx<'_>) -> R::Answer {
        let answer = match self.ready.take() {
            Some(answer) => answer,
            None => at_once(self.service.answer(cx.now, ask.clone(), &mut ())),
        };
        self.watch.answered(&answer);
        answer
    }
}

/// Hands on what faults do to the connection; whether it is cut, and the delay.
pub(super) fn suffer(decision: Decision, cx: &mut Cx<'_>) -> (bool, u64) {
    let Decision { strikes, delay_ms, octets_per_s, piece_octets, corrupt, lf_only, .. } = decision;
    cx.effects.push(Effect::Struck(strikes));
    if decision.seven_bit {
        cx.effects.push(Effect::SevenBit);
    }
    if decision.tapped {
        cx.effects.push(Effect::Tap);
    }
    if octets_per_s.is_some() || piece_octets.is_some() || !corrupt.is_empty() || lf_only {
        cx.effects.push(Effect::Pace { octets_per_s, piece: piece_octets, corrupt, lf_only });
    }
    (decision.verdict == Verdict::Drop, delay_ms)
}

impl<R: Faced + Syncs, S: Service<R>> Host<R> for ServerHost<R, S>
where
    R::Ask: Clone,
{
    fn answer(&mut self, ask: &R::Ask, resumed: bool, cx: &mut Cx<'_>) -> Answered<R::Answer> {
        if resumed {
            return Answered::Now(self.served(ask, cx));
        }
        let (monotonic_ms, unix_ms) = (cx.now.monotonic_ms, cx.unix_ms);
        let mut delay_ms = 0;
        if let Some((decision, answer)) = self.watch.meet(cx.faults, ask, monotonic_ms, unix_ms) {
            if decision.renews {
                self.service.renews();
            }
            let (cut, delay) = suffer(decision, cx);
            if cut {
                return Answered::Cut;
            }
            self.ready = answer;
            delay_ms = delay;
        }
        if self.ready.is_none() && R::syncs(ask) {
            delay_ms += SYNC_MS;
        }
        if delay_ms > 0 { Answered::Later(delay_ms) } else { Answered::Now(self.served(ask, cx)) }
    }

    fn noted(&mut self, label: &'static str, cx: &mut Cx<'_>) -> (bool, u64) {
        let (monotonic_ms, unix_ms) = (cx.now.monotonic_ms, cx.unix_ms);
        match self.watch.noted(cx.faults, label, monotonic_ms, unix_ms) {
            Some(decision) => suffer(decision, cx),
            None => (false, 0),
        }
    }

    fn octets(&mut self, range: BlobRange) -> Option<Vec<u8>> {
        self.service.octets(range).ok()
    }

    fn event(&mut self, event: R::Event, _cx: &mut Cx<'_>) {
        self.service.event(&event);
    }

    fn call(&mut self) -> Option<R::Call> {
        self.service.call()
    }

    fn news(&mut self) -> Option<R::Call> {
        self.service.call()
    }
}
