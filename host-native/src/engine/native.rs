//! Sessions linked in natively: no sandbox, no conversion; only to measure what those cost.

use pillarbox_engine::types::Now;
use pillarbox_engine::{Input, Role, Session, Step};

use super::{Driven, Stepped, Trap};

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
}
