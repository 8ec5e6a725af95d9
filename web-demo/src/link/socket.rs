//! WebSockets to this page's own origin, and what happens to them.

use leptos::prelude::window;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CloseEvent, MessageEvent, WebSocket};

/// A path of this page's own server, as a WebSocket's address.
pub(super) fn place(path: &str) -> Option<String> {
    let location = window().location();
    let scheme = match location.protocol().ok()?.as_str() {
        "http:" => "ws",
        "https:" => "wss",
        _ => return None,
    };
    Some(format!("{scheme}://{}/{path}", location.host().ok()?))
}

/// Why a connection is over, in the server's words.
pub(super) fn reason(event: &CloseEvent) -> String {
    match event.reason() {
        // RFC 6455 §7.1.5: nobody said why, not even that it is over.
        reason if reason.is_empty() => "the server took no connection, or is gone".to_owned(),
        reason => reason,
    }
}

pub(super) fn close(socket: Option<WebSocket>) {
    if let Some(socket) = socket {
        socket.set_onmessage(None);
        socket.set_onclose(None);
        drop(socket.close());
    }
}

pub(super) fn on_open(socket: &WebSocket, act: impl Fn() + 'static) {
    let closure = Closure::<dyn FnMut()>::new(act).into_js_value();
    socket.set_onopen(Some(closure.unchecked_ref()));
}

pub(super) fn on_message(socket: &WebSocket, act: impl Fn(JsValue) + 'static) {
    let act = move |event: MessageEvent| act(event.data());
    let closure = Closure::<dyn FnMut(MessageEvent)>::new(act).into_js_value();
    socket.set_onmessage(Some(closure.unchecked_ref()));
}

pub(super) fn on_close(socket: &WebSocket, act: impl Fn(CloseEvent) + 'static) {
    let closure = Closure::<dyn FnMut(CloseEvent)>::new(act).into_js_value();
    socket.set_onclose(Some(closure.unchecked_ref()));
}
