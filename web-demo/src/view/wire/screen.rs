//! Octets as a screen of its own: the words of a connection, the octets of one line, its parts, and what they mean.

use leptos::prelude::*;

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Icon, Select, icon};
use crate::player::{Focus, Player};
use crate::route::Route;
use crate::story::{Story, scenarios};
use crate::view::stage;

use super::{hex_rows, tree};

/// The scenario whose octets are shown first.
const FIRST: &str = "crepes-hamburger";
/// Octets in one row.
const ROW: usize = 16;

/// The screen.
pub(crate) fn screen(name: Option<&str>) -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set("Wire".to_owned());
    let id = name.unwrap_or(FIRST).to_owned();
    let Some(story) = Story::scenario(&id) else {
        return crate::view::nowhere("There is no such scenario", &format!("None is called {id}."));
    };
    let player = Player::new(story.without_questions());
    player.seek(usize::MAX);
    let first =
        player.read(|story| story.source().tape().world().wires().first().map(|wire| wire.id));
    player.chosen.set(first);
    // The first line is looked at, so that nobody sees empty panes.
    if let Some(line) = first
        .and_then(|wire| player.read(|story| story.spoken(wire, usize::MAX).into_iter().next()))
    {
        player.pin.set(Some(Focus::Octets {
            wire: line.wire,
            dir: line.dir,
            start: line.start,
            end: line.end,
        }));
    }
    let options: Vec<_> = scenarios().into_iter().map(|one| (one.id, one.title)).collect();
    let chosen = Signal::stored(id);
    view! {
        <div class="wire">
            <div class="choices-bar" role="group" aria-label="What is looked at">
                <Select label="Scenario" options=Signal::stored(options) chosen=chosen set=move |id: String| {
                    browser::go(&Route::Wire(Some(id)).to_string());
                } />
                {saves(player)}
            </div>
            <div class="wire-panes">
                {stage::whole(player)}
                {octets(player)}
                {stage::meaning(player)}
            </div>
        </div>
    }
    .into_any()
}

/// The line that is looked at: its octets, and its parts.
fn octets(player: Player) -> AnyView {
    let line = Memo::new(move |_| match player.pin.get().or_else(|| player.focus()) {
        Some(Focus::Octets { wire, dir, start, .. }) => {
            let (start, end) = player.read(|story| story.line_of(wire, dir, start))?;
            Some((wire, dir, start, end))
        }
        _ => None,
    });
    let shown = move || {
        line.get().map(|(wire, dir, start, end)| {
            view! {
                <h2 class="pane-title">"Octets"</h2>
                {hex_rows(player, wire, dir, start, end, ROW)}
                <h2 class="pane-title">"Parts"</h2>
                {tree(player, wire, dir, start)}
            }
        })
    };
    view! {
        <section class="pane octets-pane" aria-label="Octets and parts">
            {shown}
            <Show when=move || line.get().is_none()>
                <p class="empty">"Choose a line: its octets and its parts are shown here."</p>
            </Show>
        </section>
    }
    .into_any()
}

/// The connection as files.
fn saves(player: Player) -> AnyView {
    let save = move |raw: bool| {
        let Some(wire) = player.wire.get_untracked() else { return };
        let (name, octets) = player.read(|story| {
            if raw {
                ("octets.bin", story.raw(wire))
            } else {
                ("octets.txt", story.dump(wire).into_bytes())
            }
        });
        browser::download(
            name,
            if raw { "application/octet-stream" } else { "text/plain;charset=utf-8" },
            &octets,
        );
    };
    view! {
        <Button class="small-button" press=move || save(false)>{icon(Icon::Save)}<span>"Save in hex"</span></Button>
        <Button class="small-button" press=move || save(true)>{icon(Icon::Save)}<span>"Save what the server said"</span></Button>
    }
    .into_any()
}
