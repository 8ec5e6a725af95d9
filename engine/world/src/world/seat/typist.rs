//! Somebody who types at one end of a wire, by hand or from a script; the other end is the engine.
//! A typist knows no protocol: a script says which lines to wait for.

use std::collections::VecDeque;

use super::{Cx, Drive, Effect, Turn};

/// A line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Say this, as it is.
    Say(Vec<u8>),
    /// Wait until a line has come that begins so.
    Hear(Vec<u8>),
    /// End the connection.
    HangUp,
}

/// Somebody who types.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typist {
    script: VecDeque<Line>,
    /// What came since the last whole line.
    heard: Vec<u8>,
    /// Whole lines that no line of the script has waited for yet.
    lines: VecDeque<Vec<u8>>,
    closed: bool,
}

impl Typist {
    /// Somebody with a script, which may be empty.
    pub(crate) fn new(script: Vec<Line>) -> Self {
        Self { script: script.into(), ..Self::default() }
    }

    fn hear(&mut self, octets: &[u8]) {
        for octet in octets {
            self.heard.push(*octet);
            if *octet == b'\n' {
                self.lines.push_back(std::mem::take(&mut self.heard));
            }
        }
        if self.script.is_empty() {
            self.lines.clear();
        }
    }

    fn go_on(&mut self, cx: &mut Cx<'_>) {
        while let Some(next) = self.script.front() {
            match next {
                Line::Say(octets) => cx.effects.push(Effect::Transmit(octets.clone())),
                Line::Hear(wanted) => {
                    let found = self.lines.iter().position(|line| line.starts_with(wanted));
                    let Some(found) = found else { return };
                    self.lines.drain(..=found);
                }
                Line::HangUp => {
                    self.closed = true;
                    cx.effects.push(Effect::Close);
                }
            }
            self.script.pop_front();
        }
    }
}

impl Drive for Typist {
    fn turn(&mut self, turn: Turn, cx: &mut Cx<'_>) {
        if self.closed {
            return;
        }
        match turn {
            Turn::Octets(octets) => self.hear(&octets),
            Turn::Type(octets) => cx.effects.push(Effect::Transmit(octets)),
            // Who types sees the other end go, and goes too.
            Turn::End => {
                self.closed = true;
                cx.effects.push(Effect::Close);
                return;
            }
            Turn::Order(super::Order::Quit) => {
                self.closed = true;
                cx.effects.push(Effect::Close);
                return;
            }
            Turn::Look | Turn::Tick | Turn::Secured | Turn::Resume | Turn::Order(_) => {}
        }
        self.go_on(cx);
    }

    fn typist(&mut self) -> Option<&mut Typist> {
        Some(self)
    }
}
