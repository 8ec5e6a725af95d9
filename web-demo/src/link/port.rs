//! The port of the server's machine that this page is a server on. Where it is lost without this page having wished so,
//! the same one is asked for again, for as long as somebody wants it.

use std::time::Duration;

use js_sys::{JSON, Uint8Array};
use leptos::prelude::*;
use web_sys::WebSocket;

use super::socket::{close, on_close, on_message, reason};
use super::told::{number, text_of};
use super::{CLOSED_BROWSER, Link, News, Status, again_ms};

/// Octets of one frame to a visitor; the server takes few more.
const FRAME_MAX: usize = 32 * 1024;
/// How often a port is asked for again that the server, which is there, does not lend.
const REFUSALS_MAX: u32 = 8;

/// A port that this page wants.
#[derive(Clone)]
pub(super) struct Port {
    number: u16,
    /// The connection for it; none: it is asked for again later.
    pub(super) socket: Option<WebSocket>,
    /// Whether it was had already: who never had it is refused at once.
    was_had: bool,
    refusals: u32,
}

impl Link {
    /// Asks the server to listen on a port for this page, and for no other one any more.
    pub(crate) fn listen(self, number: u16) {
        self.listen_no_longer();
        let port = Port { number, socket: None, was_had: false, refusals: 0 };
        self.inner.try_update_value(|inner| inner.port = Some(port));
        self.listen_again();
    }

    /// Lets the port go.
    pub(crate) fn listen_no_longer(self) {
        let port = self.inner.try_update_value(|inner| inner.port.take()).flatten();
        close(port.and_then(|port| port.socket));
    }

    /// Asks for the port that is wanted and not had.
    pub(super) fn listen_again(self) {
        let port = self.inner.try_with_value(|inner| inner.port.clone()).flatten();
        let Some(Port { number: port, socket: None, .. }) = port else { return };
        let Some(socket) = self.bridge(&format!("bridge/listen?port={port}")) else {
            self.listen_no_longer();
            self.say(News::Deaf(CLOSED_BROWSER.to_owned(), false));
            return;
        };
        on_message(&socket, move |data| match data.as_string() {
            Some(text) => self.heard(&text),
            None => {
                let frame = Uint8Array::new(&data).to_vec();
                if let Some((number, octets)) = frame.split_first_chunk() {
                    self.say(News::Visitor(u32::from_be_bytes(*number), octets.to_vec()));
                }
            }
        });
        on_close(&socket, move |event| self.deaf(reason(&event)));
        self.port(|port| port.socket = Some(socket));
    }

    fn heard(self, text: &str) {
        let Ok(told) = JSON::parse(text) else { return };
        let visitor = |name| number(&told, name).and_then(|number| u32::try_from(number).ok());
        if let Some(address) = text_of(&told, "listening") {
            self.port(|port| (port.was_had, port.refusals) = (true, 0));
            self.say(News::Listening(address));
        } else if let (Some(opened), Some(peer)) = (visitor("opened"), text_of(&told, "peer")) {
            self.say(News::Arrived(opened, peer));
        } else if let Some(closed) = visitor("closed") {
            self.say(News::Gone(closed));
        }
    }

    /// The port is lost, or was never had.
    fn deaf(self, why: String) {
        let is_there = matches!(self.status.try_get_untracked(), Some(Status::There(_)));
        let refusals = self.port(|port| {
            port.socket = None;
            port.refusals += u32::from(is_there);
            (port.was_had && port.refusals <= REFUSALS_MAX).then_some(port.refusals)
        });
        let Some(refusals) = refusals else { return };
        let Some(refusals) = refusals else {
            self.listen_no_longer();
            self.say(News::Deaf(why, false));
            return;
        };
        // The server itself is asked again elsewhere, and once it is there the port is.
        let again = move || {
            if matches!(self.status.try_get_untracked(), Some(Status::There(_))) {
                self.listen_again();
            }
        };
        set_timeout(again, Duration::from_millis(again_ms(refusals)));
        self.say(News::Deaf(why, true));
    }

    fn port<T>(self, change: impl FnOnce(&mut Port) -> T) -> Option<T> {
        self.inner.try_update_value(|inner| inner.port.as_mut().map(change)).flatten()
    }

    /// Answers a visitor; with nothing: says that this was all.
    pub(crate) fn answer(self, number: u32, octets: &[u8]) {
        self.inner.try_with_value(|inner| {
            let socket = inner.port.as_ref()?.socket.as_ref()?;
            let frame = |octets: &[u8]| [&number.to_be_bytes()[..], octets].concat();
            if octets.is_empty() {
                return socket.send_with_u8_array(&frame(&[])).ok();
            }
            octets
                .chunks(FRAME_MAX)
                .try_for_each(|part| socket.send_with_u8_array(&frame(part)).ok())
        });
    }
}
