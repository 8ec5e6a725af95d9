//! The way to the server that served this page: what it tells of its conversations, and connections to its services. It goes
//! over WebSockets to this page's own origin and to nowhere else; what is said on them is left to the story.

use std::cell::RefCell;
use std::time::Duration;

use js_sys::{Array, JSON, Reflect, Uint8Array};
use leptos::prelude::*;
use pillarbox_engine::trace::{IMAP_LABELS, Note, POP3_LABELS, Rule, SMTP_LABELS, Side, Span};
use pillarbox_world::world::{End, WireId};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use crate::story::live::{Heard, Told};

/// What both ends of a bridge speak.
const SUBPROTOCOL: &str = "pillarbox.v1";
/// Why there is no connection at all.
const CLOSED_BROWSER: &str = "the browser opens no connection";
/// Octets of one frame to a visitor; the server takes few more.
const FRAME_MAX: usize = 32 * 1024;
/// How long after a loss it is tried again: first, and at most.
const AGAIN_MS: (u64, u64) = (1_000, 10_000);
/// Names of states that are remembered.
const STATES_MAX: usize = 64;

/// Whether there is a server behind this page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It is being asked.
    Asking,
    /// It is there; its services with their addresses.
    There(Vec<(String, String)>),
    /// It was there, and is gone; it is asked again by itself.
    Lost,
    /// Nobody answers.
    Nobody,
}

/// What happens on the way.
pub(crate) enum News {
    /// The server tells of a conversation.
    Told(Told),
    /// Some of what it told is lost.
    Gap,
    /// A connection of this page's own is there, seen by the server as from here.
    Connected(WireId, String),
    /// Octets came over it.
    Came(WireId, Vec<u8>),
    /// It is over, and why.
    Ended(WireId, String),
    /// The server listens for this page, at this address.
    Listening(String),
    /// A visitor came, from there.
    Arrived(u32, String),
    /// A visitor said this; nothing: they say nothing more.
    Visitor(u32, Vec<u8>),
    /// The server listens for this page no longer, and why.
    Deaf(String),
}

/// The way to the server.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    /// Whether there is one.
    pub(crate) status: RwSignal<Status>,
    inner: StoredValue<Inner, LocalStorage>,
    hear: StoredValue<Box<dyn Fn(News)>, LocalStorage>,
}

#[derive(Default)]
struct Inner {
    stream: Option<WebSocket>,
    token: String,
    last: Option<u64>,
    bridges: Vec<(WireId, WebSocket)>,
    listener: Option<WebSocket>,
    failures: u32,
    /// Grows with each attempt, so that what an earlier one left behind is known.
    attempt: u32,
}

impl Inner {
    fn take(&mut self, wire: WireId) -> Option<WebSocket> {
        let at = self.bridges.iter().position(|(known, _)| *known == wire)?;
        Some(self.bridges.remove(at).1)
    }
}

impl Link {
    /// Asks the server; news go to `hear`, for as long as the screen is there.
    pub(crate) fn new(hear: impl Fn(News) + 'static) -> Self {
        let link = Self {
            status: RwSignal::new(Status::Asking),
            inner: StoredValue::new_local(Inner::default()),
            hear: StoredValue::new_local(Box::new(hear)),
        };
        link.ask();
        on_cleanup(move || link.leave());
        link
    }

    /// Asks again, since somebody wants to.
    pub(crate) fn ask(self) {
        let Some(stream) = place("api/stream").and_then(|place| self.stream(&place)) else {
            self.status.set(Status::Nobody);
            return;
        };
        let old = self.inner.try_update_value(|inner| inner.stream.replace(stream)).flatten();
        close(old);
    }

    fn stream(self, place: &str) -> Option<WebSocket> {
        let last = self.inner.try_with_value(|inner| inner.last)?;
        let place = last.map_or_else(|| place.to_owned(), |last| format!("{place}?last={last}"));
        let attempt = self.inner.try_update_value(|inner| {
            inner.attempt += 1;
            inner.attempt
        })?;
        let is_current =
            move || self.inner.try_with_value(|inner| inner.attempt == attempt) == Some(true);
        let socket = WebSocket::new(&place).ok()?;
        on_message(&socket, move |data| {
            if let (true, Some(text)) = (is_current(), data.as_string()) {
                self.told(&text);
            }
        });
        on_close(&socket, move |_| {
            if is_current() {
                self.lost();
            }
        });
        Some(socket)
    }

    /// The stream is gone; it is asked for again after a while, longer each time.
    fn lost(self) {
        let was_there =
            matches!(self.status.try_get_untracked(), Some(Status::There(_) | Status::Lost));
        let failures = self.inner.try_update_value(|inner| {
            inner.stream = None;
            inner.failures += 1;
            inner.failures
        });
        let Some(failures) = failures else { return };
        self.status.set(if was_there { Status::Lost } else { Status::Nobody });
        if was_there {
            let ms = (AGAIN_MS.0 << failures.min(4)).min(AGAIN_MS.1);
            let again = move || {
                if self.status.try_get_untracked() == Some(Status::Lost) {
                    self.ask();
                }
            };
            set_timeout(again, Duration::from_millis(ms));
        }
    }

    fn told(self, text: &str) {
        let Ok(event) = JSON::parse(text) else { return };
        match field(&event, "what").as_string().as_deref() {
            Some("hello") => {
                let services = list(&field(&event, "services"));
                let named =
                    |one: JsValue| Some((text_of(&one, "name")?, text_of(&one, "address")?));
                let services = services.into_iter().filter_map(named).collect();
                let token = text_of(&event, "token").unwrap_or_default();
                // After another start of the server its numbers mean nothing any more.
                let known = self.inner.try_update_value(|inner| {
                    inner.failures = 0;
                    let is_new = inner.token != token;
                    inner.token = token;
                    if is_new {
                        inner.last = None;
                    }
                });
                if known.is_some() {
                    self.status.set(Status::There(services));
                }
            }
            Some("gap") => self.say(News::Gap),
            _ => {
                if let Some(id) = number(&event, "id") {
                    self.inner.try_update_value(|inner| inner.last = Some(id));
                }
                if let Some(told) = told(&event) {
                    self.say(News::Told(told));
                }
            }
        }
    }

    fn say(self, news: News) {
        self.hear.try_with_value(|hear| hear(news));
    }

    /// A WebSocket for octets, which says the token first.
    fn bridge(self, path: &str) -> Option<WebSocket> {
        let socket = WebSocket::new_with_str(&place(path)?, SUBPROTOCOL).ok()?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let token = self.inner.try_with_value(|inner| inner.token.clone()).unwrap_or_default();
        let opened = socket.clone();
        on_open(&socket, move || drop(opened.send_with_str(&token)));
        Some(socket)
    }

    /// Connects to a service, by its name.
    pub(crate) fn open(self, wire: WireId, service: &str) {
        let Some(socket) = self.bridge(&format!("bridge/tcp?service={service}")) else {
            self.say(News::Ended(wire, CLOSED_BROWSER.to_owned()));
            return;
        };
        on_message(&socket, move |data| match data.as_string() {
            Some(text) => {
                let local = JSON::parse(&text).ok().and_then(|told| text_of(&told, "local"));
                if let Some(local) = local {
                    self.say(News::Connected(wire, local));
                }
            }
            None => self.say(News::Came(wire, Uint8Array::new(&data).to_vec())),
        });
        on_close(&socket, move |event| {
            let known = self.inner.try_update_value(|inner| inner.take(wire)).flatten();
            if known.is_some() {
                self.say(News::Ended(wire, reason(&event)));
            }
        });
        self.inner.try_update_value(|inner| inner.bridges.push((wire, socket)));
    }

    /// Sends octets over a connection.
    pub(crate) fn send(self, wire: WireId, octets: &[u8]) {
        // One that is not open yet has nothing to say: the server greets first.
        self.inner.try_with_value(|inner| {
            let (_, socket) = inner.bridges.iter().find(|(known, _)| *known == wire)?;
            socket.send_with_u8_array(octets).ok()
        });
    }

    /// Ends a connection.
    pub(crate) fn close(self, wire: WireId) {
        close(self.inner.try_update_value(|inner| inner.take(wire)).flatten());
    }

    /// Asks the server to listen on a port for this page, and for no other one any more.
    pub(crate) fn listen(self, port: u16) {
        self.listen_no_longer();
        let Some(socket) = self.bridge(&format!("bridge/listen?port={port}")) else {
            self.say(News::Deaf(CLOSED_BROWSER.to_owned()));
            return;
        };
        on_message(&socket, move |data| match data.as_string() {
            Some(text) => {
                let Ok(told) = JSON::parse(&text) else { return };
                let opened = number(&told, "opened").and_then(|number| u32::try_from(number).ok());
                if let Some(address) = text_of(&told, "listening") {
                    self.say(News::Listening(address));
                } else if let (Some(opened), Some(peer)) = (opened, text_of(&told, "peer")) {
                    self.say(News::Arrived(opened, peer));
                }
            }
            None => {
                let frame = Uint8Array::new(&data).to_vec();
                if let Some((number, octets)) = frame.split_first_chunk() {
                    self.say(News::Visitor(u32::from_be_bytes(*number), octets.to_vec()));
                }
            }
        });
        on_close(&socket, move |event| {
            let known = self.inner.try_update_value(|inner| inner.listener.take()).flatten();
            if known.is_some() {
                self.say(News::Deaf(reason(&event)));
            }
        });
        self.inner.try_update_value(|inner| inner.listener = Some(socket));
    }

    /// Lets the port go.
    pub(crate) fn listen_no_longer(self) {
        close(self.inner.try_update_value(|inner| inner.listener.take()).flatten());
    }

    /// Answers a visitor; with nothing: says that this was all.
    pub(crate) fn answer(self, number: u32, octets: &[u8]) {
        self.inner.try_with_value(|inner| {
            let socket = inner.listener.as_ref()?;
            let frame = |octets: &[u8]| [&number.to_be_bytes()[..], octets].concat();
            if octets.is_empty() {
                return socket.send_with_u8_array(&frame(&[])).ok();
            }
            octets
                .chunks(FRAME_MAX)
                .try_for_each(|part| socket.send_with_u8_array(&frame(part)).ok())
        });
    }

    /// Nothing of it is left open.
    fn leave(self) {
        let inner = self.inner.try_update_value(std::mem::take);
        let Some(inner) = inner else { return };
        close(inner.stream);
        close(inner.listener);
        inner.bridges.into_iter().for_each(|(_, socket)| close(Some(socket)));
    }
}

/// A path of this page's own server, as a WebSocket's address.
fn place(path: &str) -> Option<String> {
    let location = window().location();
    let scheme = match location.protocol().ok()?.as_str() {
        "http:" => "ws",
        "https:" => "wss",
        _ => return None,
    };
    Some(format!("{scheme}://{}/{path}", location.host().ok()?))
}

/// Why a connection is over, in the server's words.
fn reason(event: &CloseEvent) -> String {
    match event.reason() {
        reason if reason.is_empty() => "the server took no connection".to_owned(),
        reason => reason,
    }
}

fn close(socket: Option<WebSocket>) {
    if let Some(socket) = socket {
        socket.set_onmessage(None);
        socket.set_onclose(None);
        drop(socket.close());
    }
}

fn on_open(socket: &WebSocket, act: impl Fn() + 'static) {
    let closure = Closure::<dyn FnMut()>::new(act).into_js_value();
    socket.set_onopen(Some(closure.unchecked_ref()));
}

fn on_message(socket: &WebSocket, act: impl Fn(JsValue) + 'static) {
    let act = move |event: MessageEvent| act(event.data());
    let closure = Closure::<dyn FnMut(MessageEvent)>::new(act).into_js_value();
    socket.set_onmessage(Some(closure.unchecked_ref()));
}

fn on_close(socket: &WebSocket, act: impl Fn(CloseEvent) + 'static) {
    let closure = Closure::<dyn FnMut(CloseEvent)>::new(act).into_js_value();
    socket.set_onclose(Some(closure.unchecked_ref()));
}

fn field(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

fn text_of(object: &JsValue, name: &str) -> Option<String> {
    field(object, name).as_string()
}

fn number(object: &JsValue, name: &str) -> Option<u64> {
    // Offsets and numbers of events stay far below what a float holds exactly.
    field(object, name).as_f64().map(|number| number as u64)
}

fn list(value: &JsValue) -> Vec<JsValue> {
    if Array::is_array(value) { Array::from(value).to_vec() } else { Vec::new() }
}

fn told(event: &JsValue) -> Option<Told> {
    let session = text_of(event, "session")?;
    Some(match text_of(event, "what")?.as_str() {
        "opened" => Told::Opened {
            session,
            service: text_of(event, "service")?,
            peer: text_of(event, "peer")?,
            tls: field(event, "tls").as_bool() == Some(true),
        },
        "said" => {
            let parts = list(&field(event, "parts"));
            Told::Said { session, parts: parts.iter().filter_map(part).collect() }
        }
        "full" => Told::Full { session },
        "closed" => {
            let unread = number(event, "unread").unwrap_or_default();
            Told::Closed { session, unread }
        }
        _ => return None,
    })
}

fn part(part: &JsValue) -> Option<Heard> {
    // Each character is the octet of its number.
    let octets = |text: String| text.chars().map(|c| u32::from(c) as u8).collect();
    if let Some(said) = text_of(part, "C") {
        return Some(Heard::Octets(End::Client, octets(said)));
    }
    if let Some(said) = text_of(part, "S") {
        return Some(Heard::Octets(End::Server, octets(said)));
    }
    if let Some(label) = text_of(part, "span") {
        let received = text_of(part, "side")? == "C";
        return Some(Heard::Noted(Note::Span(Span {
            side: if received { Side::Received } else { Side::Sent },
            start: number(part, "from")?,
            end: number(part, "to")?,
            label: known_label(&label),
            secret: field(part, "secret").as_bool() == Some(true),
            why: rule(part),
        })));
    }
    if let Some(to) = text_of(part, "state") {
        let from = state(text_of(part, "was").unwrap_or_default());
        return Some(Heard::Noted(Note::State { from, to: state(to) }));
    }
    if !field(part, "secured").is_undefined() {
        return Some(Heard::Secured);
    }
    field(part, "defect")
        .is_truthy()
        .then(|| rule(part))
        .flatten()
        .map(|rule| Heard::Noted(Note::Defect(rule)))
}

/// Server and page are of one build, so that every label is known.
fn known_label(label: &str) -> &'static str {
    let mut all = [SMTP_LABELS, POP3_LABELS, IMAP_LABELS].into_iter().flatten();
    all.find(|known| **known == label).copied().unwrap_or("unparsed")
}

fn rule(part: &JsValue) -> Option<&'static Rule> {
    let (rfc, section, gist) =
        (number(part, "rfc")?, text_of(part, "section")?, text_of(part, "gist")?);
    let mut all = pillarbox_engine::rules::all();
    all.find(|rule| u64::from(rule.rfc) == rfc && rule.section == section && rule.gist == gist)
}

/// A state's name, kept for good: there are few.
fn state(name: String) -> &'static str {
    thread_local! {
        static KNOWN: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }
    KNOWN.with_borrow_mut(|known| match known.iter().find(|known| **known == name) {
        Some(kept) => kept,
        None if known.len() >= STATES_MAX => "",
        None => {
            let kept: &'static str = Box::leak(name.into_boxed_str());
            known.push(kept);
            kept
        }
    })
}
