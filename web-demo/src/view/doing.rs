//! What somebody does in a world of their own: connect, type, read mail, break lines, add faults, let time pass.
//! Challenges and the sandbox offer the same.

use std::iter;

use leptos::prelude::*;
use pillarbox_world::world::{Action, Dir};

use crate::controls::{Button, Icon, Prompt, Select, Show, icon};
use crate::player::Player;
use crate::story::Story;
use crate::story::hands::Part;

use super::{hands, stage};

/// Ways to begin that are offered as buttons.
const DOORS_MAX: usize = 6;

/// Things that can be done, with their words.
type Doable = Vec<(String, Action)>;

/// What can be done besides typing.
pub(super) fn acts(
    player: Player,
    act: impl Fn(Action) + Copy + Send + Sync + 'static,
    faults: RwSignal<bool>,
) -> AnyView {
    let choose = move |label: &'static str, list: fn(&Story) -> Doable| {
        // Hosts go and come, so what can be done with them changes.
        let list = Memo::new(move |_| {
            player.version.track();
            player.read(list)
        });
        let options = Signal::derive(move || {
            let words = list.with(|list| {
                list.iter().map(|(words, _)| (words.clone(), words.clone())).collect::<Vec<_>>()
            });
            [(String::new(), label.to_owned())].into_iter().chain(words).collect()
        });
        let again = RwSignal::new(String::new());
        let set = move |value: String| {
            let chosen = list.with_untracked(|list| {
                list.iter().find(|(words, _)| *words == value).map(|(_, action)| action.clone())
            });
            if let Some(action) = chosen {
                act(action);
            }
            // The first line of the list is shown again.
            again.set(value);
            again.set(String::new());
        };
        view! { <Select label=label options=options chosen=again set=set /> }
    };
    let wait = move |ms: u64| {
        player.change(|story| story.think(ms));
        player.seek(usize::MAX);
    };
    let cut = move || {
        if let Some((wire, _)) = player.read(|story| story.by_hand()) {
            act(Action::Cut { wire: wire.0 });
        }
    };
    let has_line = Signal::derive(move || {
        player.version.track();
        player.read(|story| story.by_hand()).is_none()
    });
    view! {
        <section class="pane acts" aria-label="What you can do">
            {choose("Connect by hand to …", Story::doors)}
            {choose("Read mail on …", Story::readings)}
            {choose("Lines and TLS …", Story::changes)}
            {choose("Hosts …", Story::hosts)}
            <Button class="small-button" press=move || {
                // A fault strikes from now on, wherever one has looked back to.
                player.seek(usize::MAX);
                faults.set(true);
            }>{icon(Icon::Fault)}<span>"Faults"</span></Button>
            <Button class="small-button" disabled=has_line press=cut>"Cut the line"</Button>
            <Button class="small-button" press=move || wait(60_000)>"Wait 1 min"</Button>
            <Button class="small-button" press=move || wait(3_600_000)>"Wait 1 h"</Button>
            {stage::messages(player, Some("_blank"))}
        </section>
    }
    .into_any()
}

/// Where there is no connection to type on: ways to begin.
pub(super) fn first_steps(
    player: Player,
    act: impl Fn(Action) + Copy + Send + Sync + 'static,
    door: Option<u16>,
) -> AnyView {
    let (doors, readings) = player.read(|story| (story.doors_at(door), story.readings()));
    let button = move |(class, (words, action)): (&'static str, (String, Action))| {
        let action = StoredValue::new(action);
        view! { <Button class=class press=move || act(action.get_value())>{words}</Button> }
    };
    let doors = iter::once("primary").chain(iter::repeat("")).zip(doors).take(DOORS_MAX);
    let doors = doors.map(button).collect_view();
    let readings = iter::repeat("small-button").zip(readings).take(DOORS_MAX);
    let readings = readings.map(button).collect_view();
    view! {
        <div class="first-steps">
            <h3>"Begin here: connect by hand, and type"</h3>
            <div class="go">{doors}</div>
            <h3>"Or let a device read mail"</h3>
            <div class="go">{readings}</div>
            <p class="muted small">"Some challenges are solved without typing: by a fault, by time, or by what a device does."</p>
        </div>
    }
    .into_any()
}

/// The prompt, where there is a connection to type on; elsewhere what to begin with.
pub(super) fn speak(
    player: Player,
    act: impl Fn(Action) + Copy + Send + Sync + 'static,
    begin: impl Fn() -> AnyView + Copy + Send + Sync + 'static,
) -> AnyView {
    let line = RwSignal::new(String::new());
    let said = RwSignal::new(Vec::<String>::new());
    let at = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.by_hand())
    });
    let label = Signal::derive(move || {
        let Some((wire, part)) = at.get() else { return String::new() };
        player.version.track();
        let letter =
            if part == Part::Client { Dir::ToServer.letter() } else { Dir::ToClient.letter() };
        let state = player.read(|story| story.state_beyond(wire, part));
        if state.is_empty() { format!("{letter}:") } else { format!("{state} · {letter}:") }
    });
    let offered = hands::offered(player, move || at.get());
    let send = move |ended: bool| {
        let Some((wire, part)) = at.get_untracked() else { return };
        let text = line.get_untracked();
        let end = if ended { "\r\n" } else { "" };
        let octets = (text.replace('\n', "\r\n") + end).into_bytes();
        said.update(|said| said.push(text));
        line.set(String::new());
        act(Action::Type { wire: wire.0, server: part == Part::Server, octets });
    };
    view! {
        <Show when=move || at.get().is_some() fallback=begin>
            <details class="sayable"><summary>"What can I say now?"</summary>{hands::palette_of(offered, line)}</details>
            <Prompt label=label value=line history=said next=hands::examples(offered) send=send />
        </Show>
    }
    .into_any()
}
