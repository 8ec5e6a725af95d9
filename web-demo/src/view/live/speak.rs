//! The prompt of whoever types on a connection of this page.

use leptos::prelude::*;
use pillarbox_world::world::{Dir, WireId};

use super::Desk;
use crate::browser;
use crate::controls::{Button, Prompt, Show};
use crate::story::hands::Part;
use crate::view::hands;

/// The prompt, on a connection of one's own.
pub(super) fn speak(desk: Desk) -> AnyView {
    let player = desk.player;
    let line = RwSignal::new(String::new());
    let said = RwSignal::new(Vec::<String>::new());
    let at = Memo::new(move |_| {
        player.version.track();
        let wire = player.wire.get()?;
        desk.live.with_value(|live| player.read(|story| live.typing(story, wire)))
    });
    let state = Memo::new(move |_| {
        player.version.track();
        let (wire, part) = at.get()?;
        Some(player.read(|story| story.state_beyond(wire, part)))
    });
    let label = Signal::derive(move || {
        let served = matches!(at.get(), Some((_, Part::Server)));
        let letter = if served { Dir::ToClient.letter() } else { Dir::ToServer.letter() };
        match state.get() {
            Some(state) if !state.is_empty() => format!("{state} · {letter}:"),
            _ => format!("{letter}:"),
        }
    });
    let advice = Memo::new(move |_| {
        player.version.track();
        let (wire, _) = at.get()?;
        desk.live.with_value(|live| player.read(|story| live.advice(story, wire)))
    });
    let send = move |ended: bool| {
        let Some((wire, _)) = at.get_untracked() else { return };
        let text = line.get_untracked();
        let octets = (text.replace('\n', "\r\n") + if ended { "\r\n" } else { "" }).into_bytes();
        said.update(|said| said.push(text));
        line.set(String::new());
        player.pin.set(None);
        let done = desk.change(|live, story| live.say(story, wire, &octets));
        desk.wrong.set(done.and_then(Result::err));
        browser::focus("prompt");
    };
    let hang_up = move || {
        if let Some((wire, _)) = at.get_untracked() {
            desk.change(|live, story| live.hang_up(story, wire));
        }
    };
    let would = Memo::new(move |_| {
        player.version.track();
        let (wire, _) = at.get()?;
        desk.live.with_value(|live| player.read(|story| live.would_say(story, wire)))
    });
    let example = move || {
        let lines = would.get()?;
        let take = lines.join("\n");
        let lines = lines.into_iter().map(|line| view! { <code>{line}</code> }).collect_view();
        let take = move || {
            line.set(take.clone());
            browser::focus("prompt");
        };
        Some(view! {
            <p class="small">"The engine, which reads along, would say:"</p>
            <Button class="quiet small-button wrap would" press=take><span class="offer">{lines}</span></Button>
        })
    };
    let only_hears = Memo::new(move |_| {
        player.version.track();
        at.get().is_some_and(|(wire, _)| desk.live.with_value(|live| live.only_hears(wire)))
    });
    let typed: Signal<Option<(WireId, Part)>> = at.into();
    view! {
        <Show when=move || at.get().is_some()>
            <details class="sayable" open=true>
                <summary>"What can I say now?"</summary>
                {hands::palette(player, move || typed.get(), line)}
                {move || advice.get().map(|advice| view! { <p class="small">{advice}</p> })}
                <Show when=move || only_hears.get()>
                    <p class="small">"The visitor says nothing more, and still hears what you say. Hang up once that is all."</p>
                </Show>
                {example}
                <Button class="quiet small-button" press=hang_up>"Hang up"</Button>
            </details>
            <Prompt label=label value=line history=said send=send />
        </Show>
    }
    .into_any()
}
