//! The one small set of controls: each has its role, its name and its keys, so that no view can forget them.

mod area;
mod dialog;
mod finder;
mod icon;
mod octets;
mod prompt;
mod rows;
mod tabs;

pub(crate) use area::Area;
pub(crate) use dialog::Dialog;
pub(crate) use finder::Finder;
pub(crate) use icon::{Icon, icon};
pub(crate) use octets::Octets;
pub(crate) use prompt::{BACKSPACE, Prompt, Terminal};
pub(crate) use rows::{Piece, Row, offers};
pub(crate) use tabs::tabs;

use leptos::prelude::*;

use crate::browser;

/// What is there only while something holds; else what stands in its place, if anything does.
#[component]
pub(crate) fn Show(
    /// What must hold.
    when: impl Fn() -> bool + Send + Sync + 'static,
    /// What stands in its place.
    #[prop(optional, into)]
    fallback: Option<ViewFn>,
    children: ChildrenFn,
) -> AnyView {
    show(Box::new(when), fallback, children)
}

fn show(
    when: Box<dyn Fn() -> bool + Send + Sync>,
    fallback: Option<ViewFn>,
    children: ChildrenFn,
) -> AnyView {
    let holds = Memo::new(move |_| when());
    let content = move || match (holds.get(), &fallback) {
        (true, _) => children(),
        (false, Some(fallback)) => fallback.run(),
        (false, None) => ().into_any(),
    };
    view! { {content} }.into_any()
}

/// Opens a menu in place of the browser's own, where there is one.
fn open_menu(event: &leptos::ev::MouseEvent, menu: Option<Callback<()>>) {
    if let Some(menu) = menu {
        event.prevent_default();
        menu.run(());
    }
}

/// Something to press.
#[component]
pub(crate) fn Button(
    /// What happens.
    press: impl Fn() + 'static,
    /// Classes beside `button`.
    #[prop(optional)]
    class: &'static str,
    /// The name, where the content is only a picture.
    #[prop(optional, into)]
    name: Option<Signal<String>>,
    /// For buttons that stay pressed.
    #[prop(optional, into)]
    pressed: Option<Signal<bool>>,
    /// Whether it can be pressed now.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// For whoever looks for it.
    #[prop(optional, into)]
    id: Option<String>,
    children: Children,
) -> AnyView {
    button(Box::new(press), class, name, pressed, disabled, id, children)
}

/// What a button is whatever it does: compiled once, not once for each thing that can be done.
fn button(
    press: Box<dyn Fn()>,
    class: &'static str,
    name: Option<Signal<String>>,
    pressed: Option<Signal<bool>>,
    disabled: Signal<bool>,
    id: Option<String>,
    children: Children,
) -> AnyView {
    let pressed = move || pressed.map(|pressed| if pressed.get() { "true" } else { "false" });
    let name = move || name.map(|name| name.get());
    view! {
        <button
            type="button"
            id=id
            class=format!("button {class}")
            aria-label=name
            title=name
            aria-pressed=pressed
            disabled=move || disabled.get()
            on:click=move |_| press()
        >
            {children()}
        </button>
    }
    .into_any()
}

/// A switch with its words.
#[component]
pub(crate) fn Switch(
    /// What it says.
    #[prop(into)]
    label: String,
    /// What it switches, where the words alone do not say that.
    #[prop(optional, into)]
    of: Option<String>,
    /// Whether it is on.
    #[prop(into)]
    on: Signal<bool>,
    /// What happens.
    set: impl Fn(bool) + 'static,
) -> AnyView {
    switch(label, of, on, Box::new(set))
}

fn switch(label: String, of: Option<String>, on: Signal<bool>, set: Box<dyn Fn(bool)>) -> AnyView {
    let name = of.map(|of| format!("{label}: {of}"));
    view! {
        <label class="switch">
            <input type="checkbox" aria-label=name prop:checked=move || on.get() on:change=move |event| set(event_target_checked(&event)) />
            <span>{label}</span>
        </label>
    }
    .into_any()
}

/// One of several.
#[component]
pub(crate) fn Select(
    /// What it is about.
    #[prop(into)]
    label: String,
    /// Values and words.
    #[prop(into)]
    options: Signal<Vec<(String, String)>>,
    /// Which one is chosen.
    #[prop(into)]
    chosen: Signal<String>,
    /// What happens.
    set: impl Fn(String) + 'static,
) -> AnyView {
    select(label, options, chosen, Box::new(set))
}

fn select(
    label: String,
    options: Signal<Vec<(String, String)>>,
    chosen: Signal<String>,
    set: Box<dyn Fn(String)>,
) -> AnyView {
    // An option stays as long as it is offered: a list of connections only grows and shrinks at its end.
    let option = move |(value, words): (String, String)| {
        let own = value.clone();
        let selected = move || chosen.with(|chosen| *chosen == own);
        view! { <option value=value prop:selected=selected>{words}</option> }
    };
    let name = label.clone();
    let changed = move |event: leptos::ev::Event| {
        let select: web_sys::HtmlSelectElement = event_target(&event);
        browser::keep_focus(select.clone(), name.clone());
        set(event_target_value(&event));
        // What was chosen may only have done something; then it is not the chosen one, and can be taken again.
        if let Some(chosen) = chosen.try_get_untracked() {
            select.set_value(&chosen);
        }
    };
    view! {
        <select aria-label=label on:change=changed>
            <For each=move || options.get() key=Clone::clone children=option />
        </select>
    }
    .into_any()
}

/// A slider over whole numbers.
#[component]
pub(crate) fn Slider(
    /// What it is about.
    name: &'static str,
    /// The greatest value.
    #[prop(into)]
    max: Signal<usize>,
    /// Where it is.
    #[prop(into)]
    value: Signal<usize>,
    /// The same in words.
    #[prop(into)]
    words: Signal<String>,
    /// What happens.
    set: impl Fn(usize) + 'static,
    /// Told of a key, and whether Shift is held; says whether it has done something, in place of the browser.
    key: impl Fn(&str, bool) -> bool + 'static,
) -> AnyView {
    view! {
        <input
            type="range"
            class="slider"
            on:keydown=move |event| {
                if key(&event.key(), event.shift_key()) {
                    event.prevent_default();
                    event.stop_propagation();
                }
            }
            aria-label=name
            min="0"
            max=move || max.get()
            prop:value=move || value.get().to_string()
            aria-valuetext=move || words.get()
            on:input=move |event| {
                if let Ok(at) = event_target_value(&event).parse() {
                    set(at);
                }
            }
        />
    }
    .into_any()
}

/// One of a few choices, all of which are seen.
#[component]
pub(crate) fn Choice(
    /// Which group.
    group: &'static str,
    /// What it says.
    #[prop(into)]
    label: String,
    /// Whether it is the chosen one.
    #[prop(into)]
    chosen: Signal<bool>,
    /// Whether nothing can be chosen any more.
    #[prop(into)]
    closed: Signal<bool>,
    /// What happens.
    set: impl Fn() + 'static,
) -> AnyView {
    view! {
        <label class="choice">
            <input
                type="radio"
                name=group
                prop:checked=move || chosen.get()
                disabled=move || closed.get()
                on:change=move |_| set()
            />
            <span>{label}</span>
        </label>
    }
    .into_any()
}

/// A line of text, sent by Enter.
#[component]
pub(crate) fn Field(
    /// What it is about.
    label: &'static str,
    /// What it holds.
    value: RwSignal<String>,
    /// What happens.
    send: impl Fn() + 'static,
) -> AnyView {
    field(label, value, Box::new(send))
}

fn field(label: &'static str, value: RwSignal<String>, send: Box<dyn Fn()>) -> AnyView {
    let key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Enter" {
            event.prevent_default();
            send();
        }
    };
    view! {
        <label class="labelled">
            <span>{label}</span>
            <input
                class="field mono"
                type="text"
                autocomplete="off"
                spellcheck="false"
                prop:value=move || value.get()
                on:input=move |event| value.set(event_target_value(&event))
                on:keydown=key
            />
        </label>
    }
    .into_any()
}

/// A text of many lines.
#[component]
pub(crate) fn TextArea(
    /// What it is about.
    label: &'static str,
    /// What it holds.
    value: RwSignal<String>,
) -> AnyView {
    view! {
        <textarea
            class="mono editor"
            aria-label=label
            autocomplete="off"
            spellcheck="false"
            wrap="off"
            prop:value=move || value.get()
            on:input=move |event| value.set(event_target_value(&event))
        ></textarea>
    }
    .into_any()
}
