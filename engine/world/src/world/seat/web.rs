//! A web server's session at its end of a wire: faults first, then its pages, then people's mail.

use std::collections::VecDeque;
use std::sync::Arc;

use super::server::{SYNC_MS, suffer};
use super::{Cx, Drive, Effect, Turn};
use crate::conversation::at_once;
use crate::fault::{Moment, Peer, Stage, Verdict};
use crate::service::web::WebMail;
use crate::web::{IDLE_MS, Output, Request, Resource, Response, Server, give};
use crate::world::backend::NodeBackend;

/// A web server's session.
pub(crate) struct WebSeat {
    session: Server,
    pages: Vec<Resource>,
    mail: Option<(WebMail<NodeBackend>, Arc<NodeBackend>)>,
    peer: Peer,
    /// A request whose answer takes time, and what a fault says in place of it.
    held: Option<(Request, Option<Response>)>,
    /// Whether nobody has asked for anything yet.
    fresh: bool,
    closed: bool,
}

impl WebSeat {
    pub(crate) fn new(
        pages: Vec<Resource>,
        mail: Option<(WebMail<NodeBackend>, Arc<NodeBackend>)>,
        peer: Peer,
    ) -> Self {
        let session = Server::default();
        Self { session, pages, mail, peer, held: None, fresh: true, closed: false }
    }

    /// What strikes at this moment of a request: what is said in place of its answer, and how long it waits; none: the
    /// connection is cut.
    fn strike(&self, stage: Stage<'_>, cx: &mut Cx<'_>) -> Option<(Option<Response>, u64)> {
        let moment = Moment {
            peer: &self.peer,
            stage,
            sender: None,
            recipients: &[],
            monotonic_ms: cx.now.monotonic_ms,
            unix_ms: cx.unix_ms,
        };
        let Some(mut decision) = cx.faults.decide(&moment) else { return Some((None, 0)) };
        let instead = match std::mem::take(&mut decision.verdict) {
            Verdict::Instead(instead) => {
                let phrase = String::from_utf8_lossy(&instead.text).into_owned();
                let close = instead.close;
                Some(Response { phrase, close, ..Response::of(instead.code) })
            }
            verdict => {
                decision.verdict = verdict;
                None
            }
        };
        let (cut, delay_ms) = suffer(decision, cx);
        (!cut).then_some((instead, delay_ms))
    }

    /// A request is there: faults, and what it takes until it is answered.
    fn meet(&mut self, request: Request, cx: &mut Cx<'_>) -> Option<Response> {
        let mail = self.mail.as_ref().map(|(mail, _)| mail);
        if mail.is_some() {
            let about = format!("{} {}", request.method, request.path());
            cx.effects.push(Effect::Ask("request", about));
        }
        let verb = request.method.clone().into_bytes();
        // A web server greets nobody: what happens before a greeting elsewhere happens before the first answer here.
        let first = std::mem::replace(&mut self.fresh, false).then_some(Stage::Connect);
        let mut stages: Vec<Stage<'_>> = first.into_iter().chain([Stage::Verb(&verb)]).collect();
        if mail.is_some_and(|mail| mail.signs_in(&request)) {
            stages.push(Stage::Login);
        }
        if mail.is_some_and(|mail| mail.sends(&request)) {
            stages.push(Stage::EndOfData);
        }
        let (mut instead, mut delay_ms) = (None, 0_u64);
        for stage in stages {
            let Some((said, ms)) = self.strike(stage, cx) else {
                self.cut(cx);
                return None;
            };
            delay_ms = delay_ms.saturating_add(ms);
            instead = said;
            if instead.is_some() {
                break;
            }
        }
        // What a form brings is written down before it is answered.
        if self.mail.is_some() && instead.is_none() && request.method == "POST" {
            delay_ms = delay_ms.saturating_add(SYNC_MS);
        }
        if delay_ms > 0 {
            self.held = Some((request, instead));
            cx.effects.push(Effect::Later(delay_ms));
            return None;
        }
        self.answer(&request, instead, cx)
    }

    fn answer(
        &mut self,
        request: &Request,
        instead: Option<Response>,
        cx: &mut Cx<'_>,
    ) -> Option<Response> {
        let mut response = match (instead, &self.mail) {
            (Some(instead), _) => instead,
            (None, Some((mail, backend))) => {
                let own = give(&self.pages, request);
                match own.status {
                    404 => at_once(mail.answer(cx.now, request, backend.chance())).0,
                    _ => own,
                }
            }
            (None, None) => give(&self.pages, request),
        };
        let sends = self.mail.as_ref().is_some_and(|(mail, _)| mail.sends(request));
        if sends && response.status == 303 {
            let Some((instead, _)) = self.strike(Stage::Commit, cx) else {
                self.cut(cx);
                return None;
            };
            response = instead.unwrap_or(response);
        }
        if self.mail.is_some() {
            cx.effects.push(Effect::Answer("response", response.status.to_string()));
        }
        Some(response)
    }

    fn cut(&mut self, cx: &mut Cx<'_>) {
        self.closed = true;
        cx.effects.push(Effect::Cut);
    }

    fn take(&mut self, outputs: Vec<Output>, cx: &mut Cx<'_>) {
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Transmit(octets) => cx.effects.push(Effect::Transmit(octets)),
                Output::Note(note) => cx.effects.push(Effect::Note(note)),
                Output::Request(request) => {
                    let response = self.meet(request, cx);
                    if self.closed {
                        return;
                    }
                    // A request is the last that a session leaves behind before it is answered.
                    outputs.extend(response.into_iter().flat_map(|own| self.session.respond(&own)));
                }
                // A server asks for nothing.
                Output::Response(_) => {}
                Output::Close => {
                    self.closed = true;
                    cx.effects.push(Effect::Close);
                }
            }
        }
    }
}

impl Drive for WebSeat {
    fn turn(&mut self, turn: Turn, cx: &mut Cx<'_>) {
        if self.closed {
            return;
        }
        let outputs = match turn {
            Turn::Octets(octets) => self.session.receive(&octets),
            Turn::End | Turn::Tick => self.session.end(),
            Turn::Look => Vec::new(),
            Turn::Resume => {
                let Some((request, instead)) = self.held.take() else { return };
                let Some(response) = self.answer(&request, instead, cx) else { return };
                self.session.respond(&response)
            }
            // None of these happens to a web server without TLS.
            Turn::Secured | Turn::Type(_) | Turn::Order(_) => return,
        };
        self.take(outputs, cx);
        cx.effects.push(Effect::Wait((!self.closed).then_some(cx.now.monotonic_ms + IDLE_MS)));
    }
}
