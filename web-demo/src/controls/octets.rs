//! A text of which the pointer can press each octet. The keyboard reaches them by a slider and a button beside it.

use leptos::ev::MouseEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

/// The text. Its octets are elements with `data-at`, the number of the octet.
#[component]
pub(crate) fn Octets(
    /// What it is about.
    name: &'static str,
    /// What happens, with the octet's number.
    press: impl Fn(usize) + 'static,
    children: Children,
) -> AnyView {
    let pressed = move |event: MouseEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let at = target.and_then(|octet| octet.get_attribute("data-at"));
        if let Some(at) = at.and_then(|at| at.parse().ok()) {
            press(at);
        }
    };
    view! {
        <div class="octets mono" role="region" tabindex="0" aria-label=name on:click=pressed>
            {children()}
        </div>
    }
    .into_any()
}
