//! The way to the server that served this page: what it tells of its conversations, and connections to its services. It goes
//! over WebSockets to this page's own origin and to nowhere else; what is said on them is left to the story.

mod port;
mod socket;
mod told;

use std::time::Duration;

use js_sys::{JSON, Uint8Array};
use leptos::prelude::*;
use pillarbox_world::world::WireId;
use wasm_bindgen::JsValue;
use web_sys::{BinaryType, WebSocket};

use crate::browser;
use crate::story::live::Told;

use port::Port;
use socket::{close, on_close, on_message, on_open, place, reason};
use told::{field, list, number, text_of};

/// What both ends of a bridge speak.
const SUBPROTOCOL: &str = "pillarbox.v1";
/// Why there is no connection at all.
const CLOSED_BROWSER: &str = "the browser opens no connection";
/// The server's code for a token that is not its own.
const REFUSED: u16 = 4001;
/// How long after a loss it is tried again: first, and at most.
const AGAIN_MS: (u64, u64) = (1_000, 10_000);

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
    /// It wants the token of its latest start.
    Locked {
        /// Whether it was there before: then it was started again.
        again: bool,
        /// Whether it was told another token.
        wrong: bool,
    },
}

/// What happens on the way.
pub(crate) enum News {
    /// The server tells of a conversation.
    Told(Told),
    /// Some of what it told is lost.
    Gap,
    /// Conversations began of which it tells nothing, since nobody listened.
    Unseen,
    /// It is another run of the server that tells from here on.
    Restarted,
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
    /// A visitor said this; nothing: they say nothing more, and still hear.
    Visitor(u32, Vec<u8>),
    /// A visitor is gone.
    Gone(u32),
    /// The server listens for this page no longer, and why; and whether it is asked again.
    Deaf(String, bool),
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
    /// Which run of the server it is that the numbers of events belong to.
    run: String,
    last: Option<u64>,
    bridges: Vec<(WireId, WebSocket)>,
    /// The port that this page wants to be a server on.
    port: Option<Port>,
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
        let given = window_event_listener_untyped(browser::TOKEN, move |_| link.ask());
        on_cleanup(move || {
            given.remove();
            link.leave();
        });
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
        let (run, last) = self.inner.try_with_value(|inner| (inner.run.clone(), inner.last))?;
        let place = match last {
            Some(last) => format!("{place}?run={run}&last={last}"),
            None => place.to_owned(),
        };
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
        let token = browser::token();
        let given = token.clone().unwrap_or_default();
        let opened = socket.clone();
        on_open(&socket, move || drop(opened.send_with_str(&given)));
        on_close(&socket, move |event| match event.code() {
            _ if !is_current() => {}
            REFUSED => self.refused(token.as_deref()),
            _ => self.lost(),
        });
        Some(socket)
    }

    /// Whether the server was there, whatever became of it.
    fn was_there(self) -> bool {
        matches!(
            self.status.try_get_untracked(),
            Some(Status::There(_) | Status::Lost | Status::Locked { again: true, .. })
        )
    }

    /// The server is there, and wants another token; no use in asking again with this one.
    fn refused(self, token: Option<&str>) {
        if token.is_some() && browser::token().as_deref() == token {
            browser::keep_token(None);
        }
        let again = self.was_there();
        self.inner.try_update_value(|inner| inner.stream = None);
        self.status.set(Status::Locked { again, wrong: token.is_some() });
    }

    /// Asks with the token that somebody gives, or with that of an address.
    pub(crate) fn unlock(self, given: &str) {
        let token = given.rsplit("#t=").next().unwrap_or_default().trim();
        browser::keep_token(Some(token));
        self.ask();
    }

    /// The stream is gone; it is asked for again after a while, longer each time.
    fn lost(self) {
        let was_there = self.was_there();
        let failures = self.inner.try_update_value(|inner| {
            inner.stream = None;
            inner.failures += 1;
            inner.failures
        });
        let Some(failures) = failures else { return };
        self.status.set(if was_there { Status::Lost } else { Status::Nobody });
        if was_there {
            let ms = again_ms(failures);
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
                let run = text_of(&event, "run").unwrap_or_default();
                // After another start of the server its numbers mean nothing any more.
                let restarted = self.inner.try_update_value(|inner| {
                    inner.failures = 0;
                    let before = std::mem::replace(&mut inner.run, run);
                    let restarted = !before.is_empty() && before != inner.run;
                    if restarted {
                        inner.last = None;
                    }
                    restarted
                });
                let Some(restarted) = restarted else { return };
                self.status.set(Status::There(services));
                if restarted {
                    self.say(News::Restarted);
                }
                self.listen_again();
            }
            Some("gap") => self.say(News::Gap),
            what => {
                if let Some(id) = number(&event, "id") {
                    self.inner.try_update_value(|inner| inner.last = Some(id));
                }
                if what == Some("unseen") {
                    self.say(News::Unseen);
                } else if let Some(told) = told::told(&event) {
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
        let token = browser::token().unwrap_or_default();
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

    /// Nothing of it is left open.
    fn leave(self) {
        let inner = self.inner.try_update_value(std::mem::take);
        let Some(inner) = inner else { return };
        close(inner.stream);
        close(inner.port.and_then(|port| port.socket));
        inner.bridges.into_iter().for_each(|(_, socket)| close(Some(socket)));
    }
}

/// How long it takes until something is tried again that failed so often.
fn again_ms(failures: u32) -> u64 {
    (AGAIN_MS.0 << failures.min(4)).min(AGAIN_MS.1)
}
