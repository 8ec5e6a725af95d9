//! What the page asks of its browser: storage, the address, the clipboard, files.
//! Each may be refused, and the page goes on without.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlElement, HtmlSelectElement, Url};

/// A setting that was kept.
pub(crate) fn kept(name: &str) -> Option<String> {
    window().local_storage().ok()??.get_item(&format!("pillarbox.{name}")).ok()?
}

/// Keeps a setting, where the browser lets the page do so.
pub(crate) fn keep(name: &str, value: Option<&str>) {
    let Ok(Some(storage)) = window().local_storage() else { return };
    let name = format!("pillarbox.{name}");
    let done = match value {
        Some(value) => storage.set_item(&name, value),
        None => storage.remove_item(&name),
    };
    drop(done);
}

/// What `10-token.js` tells of a token that came from the address or from another tab.
pub(crate) const TOKEN: &str = "pillarbox.token";

/// The token of the server that served this page, where this tab has one.
pub(crate) fn token() -> Option<String> {
    window().session_storage().ok()??.get_item(TOKEN).ok()?
}

/// Keeps a token for this tab, or forgets the one that is no good.
pub(crate) fn keep_token(token: Option<&str>) {
    let Ok(Some(storage)) = window().session_storage() else { return };
    let done = match token {
        Some(token) => storage.set_item(TOKEN, token),
        None => storage.remove_item(TOKEN),
    };
    drop(done);
}

/// The address's fragment.
pub(crate) fn fragment() -> String {
    window().location().hash().unwrap_or_default()
}

/// Goes to a fragment.
pub(crate) fn go(fragment: &str) {
    drop(window().location().set_hash(fragment));
}

/// Writes another fragment for the screen that is shown, which stays as it is.
pub(crate) fn stand_at(fragment: &str) {
    if let Ok(history) = window().history() {
        drop(history.replace_state_with_url(&JsValue::NULL, "", Some(fragment)));
    }
}

/// The page's own address without fragment.
pub(crate) fn base() -> String {
    let href = window().location().href().unwrap_or_default();
    href.split('#').next().unwrap_or_default().to_owned()
}

/// Where the server that served this page shows what it caught; none on a site of files alone. A server serves the page
/// under this path, and has an inbox for its own machine.
pub(crate) fn inbox() -> Option<&'static str> {
    let place = window().location();
    let is_local = matches!(&place.hostname().ok()?[..], "localhost" | "127.0.0.1" | "[::1]");
    (is_local && place.pathname().ok()? == "/playground/").then_some("/inbox/")
}

/// Leaves this page for another one, which takes its place in the history.
pub(crate) fn leave(place: &str) {
    drop(window().location().replace(place));
}

/// Sets an attribute of the root element, which styles look at.
pub(crate) fn mark(name: &str, value: Option<&str>) {
    let Some(root) = document().document_element() else { return };
    let done = match value {
        Some(value) => root.set_attribute(name, value),
        None => root.remove_attribute(name),
    };
    drop(done);
}

/// Moves the focus to the element of this id.
pub(crate) fn focus(id: &str) {
    if let Some(element) = document().get_element_by_id(id)
        && let Some(element) = element.dyn_ref::<HtmlElement>()
    {
        drop(element.focus());
    }
}

/// Moves the focus to the first thing that a selector finds, once what was changed is drawn; what is folded away is opened.
pub(crate) fn focus_first(selector: &'static str) {
    request_animation_frame(move || {
        let Ok(Some(found)) = document().query_selector(selector) else { return };
        if let Ok(Some(folded)) = found.closest("details") {
            drop(folded.set_attribute("open", ""));
        }
        if let Some(found) = found.dyn_ref::<HtmlElement>() {
            drop(found.focus());
        }
    });
}

/// Gives the focus of a list of choices to the one of the same name, where what was chosen drew the whole screen anew.
pub(crate) fn keep_focus(list: HtmlSelectElement, label: String) {
    if document().active_element().as_ref() != Some(list.as_ref()) {
        return;
    }
    // Another place of the page is told of before what is queued here, and drawn before the next frame.
    let look = move || {
        let is_lost = document().active_element().is_none_or(|holder| holder.tag_name() == "BODY");
        if list.is_connected() || !is_lost {
            return;
        }
        let found = document().query_selector(&format!("select[aria-label=\"{label}\"]"));
        if let Some(found) =
            found.ok().flatten().and_then(|found| found.dyn_into::<HtmlElement>().ok())
        {
            drop(found.focus());
        }
    };
    set_timeout(move || request_animation_frame(look), Duration::ZERO);
}

/// Scrolls to the first thing that a selector finds, once what was changed is drawn.
pub(crate) fn show(selector: &'static str) {
    request_animation_frame(move || {
        if let Ok(Some(found)) = document().query_selector(selector) {
            found.scroll_into_view();
        }
    });
}

/// Moves the focus from a row of a list to the first element that a selector finds in the same list.
pub(crate) fn focus_beside(selector: &str) {
    let list = document().active_element().and_then(|row| row.closest(".rows").ok().flatten());
    let found = list.and_then(|list| list.query_selector(selector).ok().flatten());
    if let Some(row) = found.and_then(|row| row.dyn_into::<HtmlElement>().ok()) {
        drop(row.focus());
    }
}

/// Whether letters typed now go into a field.
pub(crate) fn is_typing() -> bool {
    let Some(element) = document().active_element() else { return false };
    matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
        && !matches!(element.get_attribute("type").as_deref(), Some("checkbox" | "radio" | "range"))
}

/// Whether a dialog is open.
pub(crate) fn is_in_dialog() -> bool {
    document().query_selector("dialog[open]").ok().flatten().is_some()
}

/// Milliseconds since the page was opened.
pub(crate) fn now_ms() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

/// Marks a moment for whoever measures the page.
pub(crate) fn milestone(name: &str) {
    if let Some(performance) = window().performance() {
        drop(performance.mark(name));
    }
}

/// Whether the reader asked for little motion.
pub(crate) fn calm() -> bool {
    let asked = window().match_media("(prefers-reduced-motion: reduce)");
    asked.ok().flatten().is_some_and(|list| list.matches())
}

/// Puts text on the clipboard.
pub(crate) fn copy(text: &str) {
    drop(window().navigator().clipboard().write_text(text));
}

/// Offers octets as a file.
pub(crate) fn download(name: &str, content_type: &str, octets: &[u8]) {
    let save = || {
        let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(octets));
        let options = BlobPropertyBag::new();
        options.set_type(content_type);
        let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &options).ok()?;
        let url = Url::create_object_url_with_blob(&blob).ok()?;
        let link = document().create_element("a").ok()?.dyn_into::<web_sys::HtmlAnchorElement>();
        let link = link.ok()?;
        link.set_href(&url);
        link.set_download(name);
        link.click();
        Url::revoke_object_url(&url).ok()
    };
    let _ = save();
}

#[wasm_bindgen]
extern "C" {
    /// Lets somebody choose a file; its name and its octets are told, or none if it is larger.
    #[wasm_bindgen(js_name = pillarboxPick)]
    fn pick_file(largest: u32, told: JsValue);

    /// Asks the server behind the page; its answer is told as a status and a text.
    #[wasm_bindgen(js_name = pillarboxAsk)]
    fn ask_server(method: &str, path: &str, body: &str, told: JsValue);
}

/// Lets somebody choose a file. Its name is told, and its octets; none: it is larger.
pub(crate) fn pick(largest: usize, told: impl FnMut(String, Option<Vec<u8>>) + 'static) {
    let told: Box<dyn FnMut(String, Option<Vec<u8>>)> = Box::new(told);
    pick_file(largest as u32, Closure::wrap(told).into_js_value());
}

/// Asks the server behind the page. The status of its answer is told, 0 if there is none, and the text.
pub(crate) fn ask(method: &str, path: &str, body: &str, told: impl FnOnce(u16, String) + 'static) {
    let told: Box<dyn FnOnce(u16, String)> = Box::new(told);
    ask_server(method, path, body, Closure::once_into_js(told));
}

/// Whether the focus is on something that has a use of its own for arrow keys or Space.
pub(crate) fn is_on_control() -> bool {
    let Some(element) = document().active_element() else { return false };
    matches!(element.tag_name().as_str(), "BUTTON" | "A" | "INPUT" | "SUMMARY")
        || element.get_attribute("role").is_some_and(|role| role != "document")
}

/// Tells whoever looks for the reason why the page broke.
pub(crate) fn complain(what: &str) {
    web_sys::console::error_1(&what.into());
}

/// A length in whole pixels. To write fractions would need tables of which nothing else here has a use.
pub(crate) fn px(length: f32) -> i32 {
    length.round() as i32
}

/// A share of a width, to a hundredth of a per cent.
pub(crate) fn percent(share: f32) -> String {
    let hundredths = (share.max(0.0) * 10_000.0).round() as u32;
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}
