//! Who sits at an end of a wire: an engine's session with its host, or somebody who types.
//! A seat is given turns and leaves effects; what travels and when is left to the world.

mod browser;
mod client;
mod client_imap;
mod client_pop;
mod reader;
mod reel;
mod server;
mod typist;
mod web;
mod words;
mod words_client;
mod words_imap;

use std::collections::VecDeque;

use pillarbox_engine::expected::Expected;
use pillarbox_engine::smtp::client::types::{Failure, Finished};
use pillarbox_engine::trace::Note;
use pillarbox_engine::types::{AskId, BlobRange, Now, TlsFacts};
use pillarbox_engine::{Input, Output, Role, imap, pop3, smtp};

use super::running::Running;

use crate::fault::{Faults, Strike};

pub(crate) use browser::{BrowsePlan, BrowserSeat, Cookies, WebNews, Wish};
pub(crate) use client::{Carried, Login, Order, Outgoing, SmtpHost};
pub(crate) use client_imap::{ImapHost, ImapNews, ImapPlan};
pub(crate) use client_pop::{PopHost, PopPlan};
pub(crate) use reader::{Reader, senses};
pub(crate) use reel::Reel;
pub(crate) use server::ServerHost;
pub(crate) use typist::{Line, Typist};
pub(crate) use web::WebSeat;
pub(crate) use words::{Worded, address};
pub(crate) use words_client::fate as fate_words;

/// What happens to a seat.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    /// Nothing, or others changed something: look.
    Look,
    /// Octets arrived.
    Octets(Vec<u8>),
    /// The peer says nothing more.
    End,
    /// The deadline is reached.
    Tick,
    /// TLS is up.
    Secured,
    /// An answer that took time is there.
    Resume,
    /// Somebody types.
    Type(Vec<u8>),
    /// The application wants something.
    Order(Order),
}

/// What a turn leaves behind, in causal order.
#[derive(Debug)]
pub(crate) enum Effect {
    Transmit(Vec<u8>),
    Note(Note),
    Ask(&'static str, String),
    Answer(&'static str, String),
    Call(&'static str, String),
    Event(&'static str, String),
    Misuse(String),
    StartTls,
    /// Everything before is still sent, then this end says nothing more.
    Close,
    /// Everything before is still sent, then the connection is gone.
    Cut,
    /// An ask is answered after so long.
    Later(u64),
    /// When the session is to be told of its deadline, on the monotonic clock.
    Wait(Option<u64>),
    Struck(Vec<Strike>),
    /// From here on this end's octets travel so.
    Pace {
        octets_per_s: Option<u64>,
        piece: Option<u32>,
        corrupt: Vec<u64>,
        lf_only: bool,
    },
    /// From here on octets of both directions lose their highest bit.
    SevenBit,
    /// From here on somebody listens to both directions.
    Tap,
    News(News),
}

/// What a client's host tells the application.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// The server is known, and whether it reports itself (RFC 3461).
    Offered { reports: bool },
    /// A delivery is over.
    Finished(Finished),
    /// The SMTP session can begin no more deliveries.
    SmtpDone(Option<Failure>),
    /// A message was read.
    Got { unique_id: Vec<u8>, octets: Vec<u8> },
    /// What a browser got.
    Web(WebNews),
    /// What an IMAP session found.
    Imap(Box<ImapNews>),
    /// Reading came to its end; why, if not as it should.
    ReadDone(Option<String>),
}

/// What a turn may use.
pub(crate) struct Cx<'a> {
    /// By the clock of this host, which may be wrong.
    pub(crate) now: Now,
    /// By the right one.
    pub(crate) unix_ms: u64,
    pub(crate) faults: &'a mut Faults,
    pub(crate) effects: Vec<Effect>,
}

/// Whoever sits there.
pub(crate) trait Drive {
    /// One turn.
    fn turn(&mut self, turn: Turn, cx: &mut Cx<'_>);

    /// What the peer may say to who sits here.
    fn expected(&self) -> Vec<Expected> {
        Vec::new()
    }

    /// The typist, if somebody types here.
    fn typist(&mut self) -> Option<&mut Typist> {
        None
    }

    /// What the engine would say now in place of who types here, where it reads along.
    fn would_say(&self) -> Option<Vec<u8>> {
        None
    }
}

/// What stands behind a session.
pub(crate) trait Host<R: Role> {
    /// Answers an ask; `resumed` if the time is over that it took.
    fn answer(&mut self, ask: &R::Ask, resumed: bool, cx: &mut Cx<'_>) -> Answered<R::Answer>;
    /// Octets that the session sends by reference; none breaks the connection.
    fn octets(&mut self, range: BlobRange) -> Option<Vec<u8>>;
    /// A fact.
    fn event(&mut self, event: R::Event, cx: &mut Cx<'_>);
    /// What the application wants of the session now.
    fn call(&mut self) -> Option<R::Call>;
    /// What others did before an answer was made, which a session must be told before it hears that answer.
    fn news(&mut self) -> Option<R::Call> {
        None
    }
    /// What faults on purpose do once the session has read or said octets with this label: whether the connection is cut,
    /// and how long it rests.
    fn noted(&mut self, _label: &'static str, _cx: &mut Cx<'_>) -> (bool, u64) {
        (false, 0)
    }
    /// The application wants something.
    fn order(&mut self, _order: Order) {}
}

/// Roles that say what their peer may say now.
pub trait Expects {
    /// What that is.
    fn peer_may_say(&self) -> Vec<Expected>;
}

macro_rules! expects {
    ($($role:ty),*) => {
        $(impl Expects for $role {
            fn peer_may_say(&self) -> Vec<Expected> {
                self.expected()
            }
        })*
    };
}

expects!(smtp::Server, smtp::Client, pop3::Server, pop3::Client, imap::Server, imap::Client);

/// What becomes of an ask.
pub(crate) enum Answered<A> {
    Now(A),
    /// It takes so many milliseconds.
    Later(u64),
    /// The connection is cut instead.
    Cut,
}

/// A session with its host.
pub(crate) struct Seat<R: Role, H> {
    session: Box<dyn Running<R>>,
    host: H,
    asks: VecDeque<(AskId, R::Ask)>,
    held: Option<(AskId, R::Ask)>,
    /// Octets that arrived and were not taken yet.
    waiting: Vec<u8>,
    ended: bool,
    end_told: bool,
    closed: bool,
    /// A fault makes it wait where it stands.
    rests: bool,
    deadline_ms: Option<u64>,
}

impl<R: Role, H: Host<R>> Seat<R, H>
where
    R::Ask: Worded,
    R::Answer: Worded,
    R::Call: Worded,
    R::Event: Worded,
{
    pub(crate) fn new(session: Box<dyn Running<R>>, host: H) -> Self {
        Self {
            session,
            host,
            asks: VecDeque::new(),
            held: None,
            waiting: Vec::new(),
            ended: false,
            end_told: false,
            closed: false,
            rests: false,
            deadline_ms: None,
        }
    }

    /// Goes on until the session only waits.
    fn settle(&mut self, cx: &mut Cx<'_>) {
        let mut stuck = false;
        while !self.closed && !self.rests {
            if let Some(call) = self.host.call() {
                self.call(call, cx);
            } else if self.held.is_none()
                && let Some((id, ask)) = self.asks.pop_front()
            {
                let (kind, about) = ask.words();
                // Whether a fault strikes is asked at every command; that none does is no news.
                if kind != "phase" {
                    cx.effects.push(Effect::Ask(kind, about));
                }
                self.meet(id, ask, false, cx);
            } else if !stuck && !self.waiting.is_empty() {
                let offered = std::mem::take(&mut self.waiting);
                let taken = self.step(Input::Receive(offered.clone()), cx);
                self.waiting = offered[taken..].to_vec();
                stuck = taken == 0;
            } else if self.ended && !self.end_told && self.waiting.is_empty() {
                self.end_told = true;
                self.step(Input::ReceiveEnd, cx);
            } else {
                break;
            }
        }
        cx.effects.push(Effect::Wait(self.deadline_ms.filter(|_| !self.closed)));
    }

    fn call(&mut self, call: R::Call, cx: &mut Cx<'_>) {
        let (kind, about) = call.words();
        cx.effects.push(Effect::Call(kind, about));
        self.step(Input::Call(call), cx);
    }

    fn meet(&mut self, id: AskId, ask: R::Ask, resumed: bool, cx: &mut Cx<'_>) {
        match self.host.answer(&ask, resumed, cx) {
            Answered::Now(answer) => {
                let (kind, about) = answer.words();
                if ask.words().0 != "phase" || kind != "done" {
                    cx.effects.push(Effect::Answer(kind, about));
                }
                if let Some(news) = self.host.news() {
                    self.call(news, cx);
                }
                self.step(Input::Answer(id, answer), cx);
            }
            Answered::Later(ms) => {
                self.held = Some((id, ask));
                cx.effects.push(Effect::Later(ms));
            }
            Answered::Cut => self.cut(cx),
        }
    }

    fn cut(&mut self, cx: &mut Cx<'_>) {
        self.closed = true;
        cx.effects.push(Effect::Cut);
    }

    /// What the session does about an input, and then what faults do about what it read and said.
    fn step(&mut self, input: Input<R>, cx: &mut Cx<'_>) -> usize {
        let begun = cx.effects.len();
        let taken = self.steps(input, cx);
        if !self.closed && cx.faults.hear_labels() {
            let label = |effect: &Effect| match effect {
                Effect::Note(Note::Span(span)) => Some(span.label),
                _ => None,
            };
            let labels: Vec<_> = cx.effects[begun..].iter().filter_map(label).collect();
            let mut rest_ms: u64 = 0;
            for label in labels {
                let (cut, delay_ms) = self.host.noted(label, cx);
                if cut {
                    self.cut(cx);
                    return taken;
                }
                rest_ms = rest_ms.saturating_add(delay_ms);
            }
            if rest_ms > 0 {
                self.rests = true;
                cx.effects.push(Effect::Later(rest_ms));
            }
        }
        taken
    }

    /// One step, and as many more as it takes until the session waits.
    fn steps(&mut self, input: Input<R>, cx: &mut Cx<'_>) -> usize {
        let mut input = Some(input);
        let mut taken = 0;
        loop {
            let step = match self.session.step(cx.now, input.take().unwrap_or(Input::Nothing)) {
                Ok(step) => step,
                Err(misuse) => {
                    cx.effects.push(Effect::Misuse(misuse));
                    self.cut(cx);
                    return taken;
                }
            };
            taken += step.taken;
            for output in step.outputs {
                match output {
                    Output::Transmit(octets) => cx.effects.push(Effect::Transmit(octets)),
                    Output::TransmitBlob(range) => match self.host.octets(range) {
                        Some(octets) => cx.effects.push(Effect::Transmit(octets)),
                        None => {
                            self.cut(cx);
                            return taken;
                        }
                    },
                    Output::Ask(id, ask) => self.asks.push_back((id, ask)),
                    Output::Event(event) => {
                        let (kind, about) = event.words();
                        cx.effects.push(Effect::Event(kind, about));
                        self.host.event(event, cx);
                    }
                    Output::Note(note) => cx.effects.push(Effect::Note(note)),
                    Output::StartTls => cx.effects.push(Effect::StartTls),
                    Output::Compress => {
                        // No server of a world offers it: a reader could not follow the octets.
                        cx.effects.push(Effect::Misuse("Compress".to_owned()));
                        self.cut(cx);
                        return taken;
                    }
                    Output::Wait { deadline_ms } => {
                        self.deadline_ms = deadline_ms;
                        return taken;
                    }
                    Output::Close => {
                        self.closed = true;
                        cx.effects.push(Effect::Close);
                        return taken;
                    }
                }
            }
        }
    }
}

impl<R: Role, H: Host<R>> Drive for Seat<R, H>
where
    R::Ask: Worded,
    R::Answer: Worded,
    R::Call: Worded,
    R::Event: Worded,
{
    fn turn(&mut self, turn: Turn, cx: &mut Cx<'_>) {
        if self.closed {
            return;
        }
        match turn {
            Turn::Look => drop(self.step(Input::Nothing, cx)),
            Turn::Octets(octets) => self.waiting.extend(octets),
            Turn::End => self.ended = true,
            Turn::Tick => drop(self.step(Input::Tick, cx)),
            Turn::Secured => {
                // RFC 3207 §4.2: what came before TLS does not count after it.
                self.waiting.clear();
                self.step(Input::Secured(tls_facts()), cx);
            }
            Turn::Resume => {
                if std::mem::take(&mut self.rests) {
                    // What it was asked before it rests until its own time is over.
                } else if let Some((id, ask)) = self.held.take() {
                    self.meet(id, ask, true, cx);
                }
            }
            Turn::Order(order) => self.host.order(order),
            // Nobody types where a session sits.
            Turn::Type(_) => {}
        }
        self.settle(cx);
    }

    fn expected(&self) -> Vec<Expected> {
        if self.closed { Vec::new() } else { self.session.expected() }
    }
}

/// What both ends learn of a handshake in a world.
fn tls_facts() -> TlsFacts {
    TlsFacts {
        version: b"TLSv1.3".to_vec(),
        cipher: b"TLS_AES_128_GCM_SHA256".to_vec(),
        ..TlsFacts::default()
    }
}
