//! A part of a drawing that can be looked at and pressed, and the rows of a list likewise.

use leptos::prelude::*;

/// A group of a drawing that acts as a button.
#[component]
pub(crate) fn Area(
    /// Classes.
    #[prop(into)]
    class: Signal<String>,
    /// What it is called, where its texts are not its name.
    #[prop(optional, into)]
    called: Option<Signal<String>>,
    /// What it is, for those who do not see it.
    #[prop(into)]
    name: Signal<String>,
    /// What happens.
    press: impl Fn() + Copy + 'static,
    /// Told when pointer or focus comes and goes.
    at: impl Fn(bool) + Copy + 'static,
    /// Its menu: by the pointer's other button, or the key for that.
    #[prop(optional_no_strip)]
    menu: Option<Callback<()>>,
    children: Children,
) -> AnyView {
    let key = move |event: leptos::ev::KeyboardEvent| {
        if matches!(event.key().as_str(), "Enter" | " ") {
            event.prevent_default();
            press();
        }
    };
    view! {
        <g
            class=move || class.get()
            role="button"
            tabindex="0"
            aria-label=move || called.map(|called| called.get())
            aria-description=move || name.get()
            on:click=move |_| press()
            on:keydown=key
            on:contextmenu=move |event| super::open_menu(&event, menu)
            on:mouseenter=move |_| at(true)
            on:mouseleave=move |_| at(false)
            on:focus=move |_| at(true)
            on:blur=move |_| at(false)
        >
            {children()}
        </g>
    }
    .into_any()
}
