//! A text of which the pointer can press each octet. The keyboard reaches them by a slider and a button beside it.

use leptos::ev::MouseEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, ScrollIntoViewOptions, ScrollLogicalPosition};

/// The text. Its octets are elements with `data-at`, the number of the octet; the one that is looked at has the class `here`.
#[component]
pub(crate) fn Octets(
    /// What it is about.
    name: &'static str,
    /// Which octet is looked at; it is brought into sight.
    #[prop(into)]
    here: Signal<usize>,
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
    let node = NodeRef::<leptos::html::Div>::new();
    Effect::new(move |ran: Option<()>| {
        here.track();
        let Some(text) = node.get_untracked().filter(|_| ran.is_some()) else { return };
        request_animation_frame(move || {
            let Ok(Some(octet)) = text.query_selector(".here") else { return };
            let options = ScrollIntoViewOptions::new();
            options.set_block(ScrollLogicalPosition::Nearest);
            octet.scroll_into_view_with_scroll_into_view_options(&options);
        });
    });
    view! {
        <div class="octets mono" node_ref=node role="region" tabindex="0" aria-label=name on:click=pressed>
            {children()}
        </div>
    }
    .into_any()
}
