//! A session that is frozen after each step after which it can be, and thawed for the next: nobody may see a difference.

use pillarbox_engine::types::Now;
use pillarbox_engine::{Input, Output, Role, Step};
use pillarbox_world::conversation::Driven;

/// What can be frozen, if its state has such a form.
pub(super) trait Freeze {
    /// The session as octets.
    fn freeze(&mut self) -> Result<Option<Vec<u8>>, String>;
}

/// A session, or what was made of it.
enum Life<S> {
    Awake(S),
    Frozen(Vec<u8>),
    /// Thawing failed.
    Gone,
}

/// A session and what makes another of its octets.
pub(super) struct Freezing<S, T> {
    life: Life<S>,
    thaw: T,
}

impl<S, T> Freezing<S, T> {
    pub(super) fn new(session: S, thaw: T) -> Self {
        Self { life: Life::Awake(session), thaw }
    }
}

impl<R, S, T> Driven<R> for Freezing<S, T>
where
    R: Role,
    S: Driven<R, Broken = String> + Freeze,
    T: FnMut(Now, &[u8]) -> Result<S, String>,
{
    type Broken = String;

    fn step(&mut self, now: Now, input: Input<R>) -> Result<Step<R>, String> {
        let mut session = match std::mem::replace(&mut self.life, Life::Gone) {
            Life::Awake(session) => session,
            Life::Frozen(octets) => (self.thaw)(now, &octets)?,
            Life::Gone => return Err("the session is gone".to_owned()),
        };
        let step = match session.step(now, input) {
            Ok(step) => step,
            Err(why) => {
                // What its host did wrong has changed nothing.
                self.life = Life::Awake(session);
                return Err(why);
            }
        };
        let waits = matches!(step.outputs.last(), Some(Output::Wait { .. }));
        self.life = match if waits { session.freeze()? } else { None } {
            Some(octets) => Life::Frozen(octets),
            None => Life::Awake(session),
        };
        Ok(step)
    }
}
