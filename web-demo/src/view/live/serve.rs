//! This page as a server: the dialog that asks for a port, and what is told while it is lent.

use leptos::prelude::*;

use super::desk::{Desk, Place};
use crate::controls::{Button, Dialog, Field, Select, Show};
use crate::link::Link;
use crate::story::hands::PORTS;
use crate::story::live::Service;

/// Where this page listens, and how to visit it.
pub(super) fn serving(desk: Desk, link: Link) -> AnyView {
    let stop = move || {
        link.listen_no_longer();
        desk.closed();
    };
    let told = move || {
        let (service, address) = desk.serves.get()?;
        let who = if service.by_hand { "you answer" } else { "the engine in this page answers" };
        let what = match &address {
            Place::At(address) => format!("● this page is a server at {address}: {who}"),
            Place::Asked => "asking for the port …".to_owned(),
            Place::Lost(why) => {
                format!("✖ the port is lost: {why}; the same one is asked for again")
            }
        };
        let class = if matches!(address, Place::Lost(_)) { "chip bad" } else { "chip good" };
        let example = match address {
            Place::At(address) => Some(service.example(&address)),
            _ => None,
        };
        Some(view! {
            <div class="choices-bar serving" role="group" aria-label="This page as a server">
                <span class=class role="status">{what}</span>
                <Button class="small-button" press=stop>"Stop"</Button>
                {example.map(|example| view! { <code class="small">{example}</code> })}
            </div>
        })
    };
    view! { {told} }.into_any()
}

pub(super) fn dialog(desk: Desk, link: Link, open: RwSignal<bool>) -> AnyView {
    let place = RwSignal::new("2626".to_owned());
    let port = RwSignal::new(PORTS[0].0.to_string());
    let who = RwSignal::new("engine".to_owned());
    let ports = PORTS.map(|(port, name)| (port.to_string(), name.to_owned())).to_vec();
    let whom = [("engine", "The engine in this page"), ("hand", "I type the answers")];
    let whom = whom.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let (ports, whom) = (Signal::stored(ports), Signal::stored(whom));
    let wrong = RwSignal::new(false);
    let start = move || {
        let place = place.get_untracked().trim().parse::<u16>().ok().filter(|place| *place >= 1024);
        let (Some(place), Ok(port)) = (place, port.get_untracked().parse()) else {
            wrong.set(true);
            return;
        };
        wrong.set(false);
        open.set(false);
        desk.closed();
        desk.wrong.set(None);
        let by_hand = who.with_untracked(|who| who == "hand");
        desk.serves.set(Some((Service { port, by_hand }, Place::Asked)));
        link.listen(place);
    };
    view! {
        <Dialog open=open title="Be the server">
            <p class="muted">
                "Your server lends this page a port of your own machine, and of no other one. Any program that connects to it "
                "speaks with this page: a command, or the mail program that you use. It ends when you stop it or leave."
            </p>
            <div class="form">
                <Select label="What is spoken" options=ports chosen=port set=move |value| port.set(value) />
                <Select label="Who answers" options=whom chosen=who set=move |value| who.set(value) />
                <Field label="Port, 1024 or more" value=place send=start />
                <Show when=move || wrong.get()><p class="defect" role="alert">"A port is a number from 1024 to 65535."</p></Show>
                <div class="go"><Button class="primary" press=start>"Listen"</Button></div>
            </div>
        </Dialog>
    }
    .into_any()
}
