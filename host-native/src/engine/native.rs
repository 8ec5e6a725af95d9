//! Sessions linked in natively: no sandbox, no conversion; only to measure what those cost.

use pillarbox_engine::types::Now;
use pillarbox_engine::{Input, Role, Session, Step};

use super::{Begin, Driven, Slot, StartError, Stepped, Trap};

/// A session and the slot that it holds, as one in a sandbox does.
pub(super) struct Native<R: Role> {
    session: Session<R>,
    _slot: Slot,
}

impl<R: Role> Native<R> {
    pub(super) fn start(
        slot: Slot,
        begin: Begin<'_>,
        config: R::Config,
        now: Now,
    ) -> Result<Self, StartError> {
        let session = match begin {
            Begin::New => Session::new(config, now),
            Begin::Frozen(octets) => {
                let thawed = Session::thaw(config, now, octets);
                thawed.map_err(|misuse| StartError::Trap(Trap::misuse(misuse)))?
            }
        };
        Ok(Self { session, _slot: slot })
    }
}

impl<R: Role> Driven<R> for Session<R>
where
    Session<R>: Send,
{
    fn step(&mut self, now: Now, input: Input<R>) -> Result<Stepped<R>, Trap> {
        let (taken, left, input) = match input {
            Input::Receive(mut octets) => {
                let taken = self.receive(now, &octets);
                octets.drain(..taken);
                (taken, Some(octets).filter(|left| !left.is_empty()), Input::Nothing)
            }
            input => (0, None, input),
        };
        let Step { outputs, .. } = Session::step(self, now, input).map_err(Trap::misuse)?;
        Ok(Stepped { taken, left, outputs })
    }

    fn index(&mut self, octets: &[u8]) -> Result<Option<Vec<u8>>, Trap> {
        Ok(pillarbox_mime::index_small(octets).map(|index| index.encode()))
    }

    fn freeze(&mut self) -> Result<Option<Vec<u8>>, Trap> {
        Ok(Session::freeze(self))
    }
}

impl<R: Role> Driven<R> for Native<R>
where
    Session<R>: Send,
{
    fn step(&mut self, now: Now, input: Input<R>) -> Result<Stepped<R>, Trap> {
        Driven::step(&mut self.session, now, input)
    }

    fn index(&mut self, octets: &[u8]) -> Result<Option<Vec<u8>>, Trap> {
        self.session.index(octets)
    }

    fn freeze(&mut self) -> Result<Option<Vec<u8>>, Trap> {
        Driven::freeze(&mut self.session)
    }
}
