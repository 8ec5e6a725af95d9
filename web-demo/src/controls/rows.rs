//! A list of rows of which one has the focus: arrows move it, Enter chooses, and the pointer does both.

use std::rc::Rc;

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// Moves the focus to the row before or after the one that has it, if a key says so: to the row, or to the button in it.
fn step(event: &KeyboardEvent) -> bool {
    let Some(row) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else {
        return false;
    };
    let Ok(Some(row)) = row.closest("[data-row]") else { return false };
    let next = match event.key().as_str() {
        "ArrowDown" => row.next_element_sibling(),
        "ArrowUp" => row.previous_element_sibling(),
        "Home" => row.parent_element().and_then(|list| list.first_element_child()),
        "End" => row.parent_element().and_then(|list| list.last_element_child()),
        _ => return false,
    };
    event.prevent_default();
    event.stop_propagation();
    let at = |row: Element| match row.has_attribute("tabindex") {
        true => Some(row),
        false => row.first_element_child(),
    };
    if let Some(next) = next.and_then(at).and_then(|next| next.dyn_into::<HtmlElement>().ok()) {
        drop(next.focus());
    }
    true
}

/// A list of choices, each a row with a button; `leave` is what Esc does.
pub(crate) fn offers(class: &'static str, leave: fn(), rows: AnyView) -> AnyView {
    let key = move |event: KeyboardEvent| {
        if !step(&event) && event.key() == "Escape" {
            leave();
        }
    };
    view! { <ul class=class on:keydown=key>{rows}</ul> }.into_any()
}

/// One row.
#[component]
pub(crate) fn Row(
    /// Classes.
    #[prop(into)]
    class: Signal<String>,
    /// Whether it is the one that Tab comes to.
    #[prop(into)]
    first: Signal<bool>,
    /// Whether it is the chosen one.
    #[prop(into)]
    current: Signal<bool>,
    /// What happens.
    press: impl Fn() + 'static,
    /// Told when pointer or focus comes and goes.
    at: impl Fn(bool) + 'static,
    /// Its menu: by the pointer's other button, or the key for that.
    #[prop(optional_no_strip)]
    menu: Option<Callback<()>>,
    children: Children,
) -> AnyView {
    row(class, first, current, Rc::new(press), Rc::new(at), menu, children)
}

/// What a row is whatever it does: compiled once, not once for each thing that can be done.
fn row(
    class: Signal<String>,
    first: Signal<bool>,
    current: Signal<bool>,
    press: Rc<dyn Fn()>,
    at: Rc<dyn Fn(bool)>,
    menu: Option<Callback<()>>,
    children: Children,
) -> AnyView {
    let pressed = Rc::clone(&press);
    let key = move |event: KeyboardEvent| {
        if step(&event) {
            return;
        }
        if matches!(event.key().as_str(), "Enter" | " ") {
            event.prevent_default();
            event.stop_propagation();
            pressed();
        }
    };
    let [enter, leave, focus, blur] = std::array::from_fn(|_| Rc::clone(&at));
    view! {
        <li
            data-row
            class=move || class.get()
            tabindex=move || if first.get() { "0" } else { "-1" }
            aria-current=move || current.get().then_some("true")
            on:click=move |_| press()
            on:keydown=key
            on:contextmenu=move |event| super::open_menu(&event, menu)
            on:mouseenter=move |_| enter(true)
            on:mouseleave=move |_| leave(false)
            on:focus=move |_| focus(true)
            on:blur=move |_| blur(false)
        >
            {children()}
        </li>
    }
    .into_any()
}

/// A part of a row's text: the pointer is at it, or presses it. The keyboard reaches it by the tree.
#[component]
pub(crate) fn Piece(
    /// Classes.
    class: String,
    /// Whether it is looked at.
    #[prop(into)]
    lit: Signal<bool>,
    /// What happens.
    press: impl Fn() + 'static,
    /// Told when the pointer comes and goes.
    at: impl Fn(bool) + 'static,
    children: Children,
) -> AnyView {
    piece(class, lit, Box::new(press), Rc::new(at), children)
}

fn piece(
    class: String,
    lit: Signal<bool>,
    press: Box<dyn Fn()>,
    at: Rc<dyn Fn(bool)>,
    children: Children,
) -> AnyView {
    let leave = Rc::clone(&at);
    view! {
        <span
            class=class
            class:lit=move || lit.get()
            on:click=move |event| {
                event.stop_propagation();
                press();
            }
            on:mouseenter=move |_| at(true)
            on:mouseleave=move |_| leave(false)
        >
            {children()}
        </span>
    }
    .into_any()
}
