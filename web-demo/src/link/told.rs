//! What the server tells, as JSON, made what the story knows.

use std::cell::RefCell;

use js_sys::{Array, Reflect};
use pillarbox_engine::trace::{IMAP_LABELS, Note, POP3_LABELS, Rule, SMTP_LABELS, Side, Span};
use pillarbox_world::world::End;
use wasm_bindgen::JsValue;

use crate::story::live::{Heard, Told};

/// Names of states that are remembered.
const STATES_MAX: usize = 64;

pub(super) fn field(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

pub(super) fn text_of(object: &JsValue, name: &str) -> Option<String> {
    field(object, name).as_string()
}

pub(super) fn number(object: &JsValue, name: &str) -> Option<u64> {
    // Offsets and numbers of events stay far below what a float holds exactly.
    field(object, name).as_f64().map(|number| number as u64)
}

pub(super) fn list(value: &JsValue) -> Vec<JsValue> {
    if Array::is_array(value) { Array::from(value).to_vec() } else { Vec::new() }
}

pub(super) fn told(event: &JsValue) -> Option<Told> {
    let session = text_of(event, "session")?;
    Some(match text_of(event, "what")?.as_str() {
        "opened" => Told::Opened {
            session,
            service: text_of(event, "service")?,
            peer: text_of(event, "peer")?,
            tls: field(event, "tls").as_bool() == Some(true),
        },
        "said" => {
            let parts = list(&field(event, "parts"));
            Told::Said { session, parts: parts.iter().filter_map(part).collect() }
        }
        "full" => Told::Full { session },
        "closed" => {
            let unread = number(event, "unread").unwrap_or_default();
            Told::Closed { session, unread }
        }
        _ => return None,
    })
}

fn part(part: &JsValue) -> Option<Heard> {
    // Each character is the octet of its number.
    let octets = |text: String| text.chars().map(|c| u32::from(c) as u8).collect();
    if let Some(said) = text_of(part, "C") {
        return Some(Heard::Octets(End::Client, octets(said)));
    }
    if let Some(said) = text_of(part, "S") {
        return Some(Heard::Octets(End::Server, octets(said)));
    }
    if let Some(label) = text_of(part, "span") {
        let received = text_of(part, "side")? == "C";
        return Some(Heard::Noted(Note::Span(Span {
            side: if received { Side::Received } else { Side::Sent },
            start: number(part, "from")?,
            end: number(part, "to")?,
            label: known_label(&label),
            secret: field(part, "secret").as_bool() == Some(true),
            why: rule(part),
        })));
    }
    if let Some(to) = text_of(part, "state") {
        let from = state(text_of(part, "was").unwrap_or_default());
        return Some(Heard::Noted(Note::State { from, to: state(to) }));
    }
    if !field(part, "secured").is_undefined() {
        return Some(Heard::Secured);
    }
    field(part, "defect")
        .is_truthy()
        .then(|| rule(part))
        .flatten()
        .map(|rule| Heard::Noted(Note::Defect(rule)))
}

/// Server and page are of one build, so that every label is known.
fn known_label(label: &str) -> &'static str {
    let mut all = [SMTP_LABELS, POP3_LABELS, IMAP_LABELS].into_iter().flatten();
    all.find(|known| **known == label).copied().unwrap_or("unparsed")
}

fn rule(part: &JsValue) -> Option<&'static Rule> {
    let (rfc, section, gist) =
        (number(part, "rfc")?, text_of(part, "section")?, text_of(part, "gist")?);
    let mut all = pillarbox_engine::rules::all();
    all.find(|rule| u64::from(rule.rfc) == rfc && rule.section == section && rule.gist == gist)
}

/// A state's name, kept for good: there are few.
fn state(name: String) -> &'static str {
    thread_local! {
        static KNOWN: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }
    KNOWN.with_borrow_mut(|known| match known.iter().find(|known| **known == name) {
        Some(kept) => kept,
        None if known.len() >= STATES_MAX => "",
        None => {
            let kept: &'static str = Box::leak(name.into_boxed_str());
            known.push(kept);
            kept
        }
    })
}
