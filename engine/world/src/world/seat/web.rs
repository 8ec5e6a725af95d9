//! A web server's session at its end of a wire.

use super::{Cx, Drive, Effect, Turn};
use crate::web::{IDLE_MS, Output, Resource, Server};

/// A web server's session.
pub(crate) struct WebSeat {
    session: Server,
}

impl WebSeat {
    pub(crate) fn new(resources: Vec<Resource>) -> Self {
        Self { session: Server::new(resources) }
    }
}

impl Drive for WebSeat {
    fn turn(&mut self, turn: Turn, cx: &mut Cx<'_>) {
        let outputs = match turn {
            Turn::Octets(octets) => self.session.receive(&octets),
            Turn::End | Turn::Tick => self.session.end(),
            Turn::Look => Vec::new(),
            // None of these happens to a web server without TLS.
            Turn::Secured | Turn::Resume | Turn::Type(_) | Turn::Order(_) => return,
        };
        let mut closes = false;
        for output in outputs {
            closes |= output == Output::Close;
            cx.effects.push(match output {
                Output::Transmit(octets) => Effect::Transmit(octets),
                Output::Note(note) => Effect::Note(note),
                Output::Close => Effect::Close,
            });
        }
        cx.effects.push(Effect::Wait((!closes).then_some(cx.now.monotonic_ms + IDLE_MS)));
    }
}
