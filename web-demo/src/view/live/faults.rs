//! A fault on the next connection to a service of the server: chosen in a dialog, shown until it has struck.

use std::time::Duration;

use js_sys::{Array, JSON, Reflect};
use leptos::prelude::*;
use wasm_bindgen::JsValue;

use super::desk::Desk;
use crate::browser;
use crate::controls::{Button, Dialog, Icon, Select, icon};
use crate::link::{Link, Status};
use crate::story::live::next::{self, Listed};

/// Where the server tells of its faults.
const PLACE: &str = "/api/faults";
/// How often it is asked whether one has struck.
const ASK_EVERY: Duration = Duration::from_millis(700);
/// How long it is shown that one has.
const SHOWN: Duration = Duration::from_secs(8);

/// A fault on the next connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It waits, under this number of the server's.
    Waits(u32, String),
    /// It has struck.
    Struck(String),
}

fn field(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

fn listed(text: &str) -> Vec<Listed> {
    let Ok(answer) = JSON::parse(text) else { return Vec::new() };
    let all = Array::from(&field(&answer, "faults"));
    let number = |one: &JsValue, name: &str| field(one, name).as_f64().map(|number| number as u32);
    let one = |one: JsValue| {
        let rule = field(&one, "rule").as_string()?;
        Some(Listed { number: number(&one, "number")?, rule, hits: number(&one, "hits")? })
    };
    all.iter().filter_map(one).collect()
}

/// What waits or has struck, kept up with the server for as long as the screen is there.
pub(super) fn watch(link: Link) -> RwSignal<Option<Next>> {
    let next = RwSignal::new(None::<Next>);
    let ask = move || {
        let asked = next.try_get_untracked();
        browser::ask("GET", PLACE, "", move |status, text| {
            // Where another one was set meanwhile, the answer is not of that one.
            if status == 200 && next.try_get_untracked() == asked {
                hear(next, &listed(&text));
            }
        });
    };
    // One may wait from an earlier visit.
    Effect::new(move |_| {
        if matches!(link.status.get(), Status::There(_)) {
            ask();
        }
    });
    let waits = move || matches!(next.try_get_untracked(), Some(Some(Next::Waits(..))));
    let look = move || {
        if waits() {
            ask();
        }
    };
    if let Ok(timer) = set_interval_with_handle(look, ASK_EVERY) {
        on_cleanup(move || timer.clear());
    }
    next
}

fn take_back(number: u32) {
    browser::ask("delete", &format!("{PLACE}/{number}"), "", |_, _| ());
}

fn hear(next: RwSignal<Option<Next>>, all: &[Listed]) {
    let Some(before) = next.try_get_untracked() else { return };
    let known = |fault: &&Listed| match &before {
        Some(Next::Waits(number, _)) => fault.number == *number,
        _ => fault.hits == 0 && next::words(&fault.rule).is_some(),
    };
    let found = all.iter().rfind(known);
    let now = match (found, before) {
        (Some(fault), Some(Next::Waits(number, words))) if fault.hits > 0 => {
            // It has done what it was for.
            take_back(number);
            set_timeout(move || drop(next.try_set(None)), SHOWN);
            Some(Next::Struck(words))
        }
        (Some(fault), _) => next::words(&fault.rule).map(|words| Next::Waits(fault.number, words)),
        (None, Some(Next::Waits(..))) => None,
        (None, before) => before,
    };
    next.set(now);
}

/// What waits, and how to take it back.
pub(super) fn waiting(next: RwSignal<Option<Next>>) -> AnyView {
    let shown = move || {
        let (class, words, number) = match next.get()? {
            Next::Waits(number, words) => ("chip", format!("⚡ waits for {words}"), Some(number)),
            Next::Struck(words) => ("chip good", format!("✔ it struck {words}"), None),
        };
        let back = number.map(|number| {
            let press = move || {
                next.set(None);
                take_back(number);
            };
            view! { <Button class="small-button" press=press>"Take it back"</Button> }
        });
        Some(view! {
            <div class="choices-bar serving" role="group" aria-label="A fault on purpose">
                <span class=class role="status">{words}</span>
                {back}
            </div>
        })
    };
    view! { {shown} }.into_any()
}

pub(super) fn dialog(desk: Desk, next: RwSignal<Option<Next>>, open: RwSignal<bool>) -> AnyView {
    let services = next::services();
    let service = RwSignal::new(services.first().map_or_else(String::new, |one| one.0.clone()));
    let fault = RwSignal::new(String::new());
    let faults = Memo::new(move |_| service.with(|service| next::faults(service)));
    Effect::new(move |_| {
        fault.set(faults.with(|all| all.first().map_or_else(String::new, |one| one.0.clone())));
    });
    let set = move || {
        open.set(false);
        if let Some(Some(Next::Waits(number, _))) = next.try_get_untracked() {
            take_back(number);
        }
        next.set(None);
        browser::ask("POST", PLACE, &fault.get_untracked(), move |status, text| {
            if status == 200 {
                // Those before are done with, whoever looked on when they struck.
                let (newest, struck) = next::set(&listed(&text));
                struck.into_iter().for_each(take_back);
                let _ = next.try_set(newest.map(|(number, words)| Next::Waits(number, words)));
            } else {
                let why = JSON::parse(&text).map(|answer| field(&answer, "error"));
                let why = why.ok().and_then(|why| why.as_string()).unwrap_or(text);
                let _ = desk.wrong.try_set(Some(format!("The server takes no fault: {why}")));
            }
        });
    };
    view! {
        <Dialog open=open title="A fault on the next connection">
            <p class="muted">"It strikes one connection to your server, whoever makes it, and then no more."</p>
            <div class="form">
                <Select label="To which service" options=Signal::stored(services.clone()) chosen=service set=move |to| service.set(to) />
                <Select label="What goes wrong" options=faults chosen=fault set=move |to| fault.set(to) />
                <div class="go"><Button class="primary" press=set>{icon(Icon::Fault)}<span>"Let it strike"</span></Button></div>
            </div>
        </Dialog>
    }
    .into_any()
}
