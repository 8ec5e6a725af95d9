//! A story on the stage: map, what happened, the conversation, the inspector and time, all linked.

mod beside;
mod inspector;
mod map;
mod network;
mod onward;
mod predict;
mod sequence;
mod share;
mod states;
mod timeline;
mod tools;
mod transcript;

use leptos::prelude::*;

use crate::app::Ui;
use crate::browser;
use crate::controls::tabs;
use crate::player::Player;
use crate::route::Route;
use crate::story::Story;
use crate::story::seen::Seen;

use super::{access, challenge, hands, home, sandbox};

/// Below this width panes are tabs, and the map stands upright.
const NARROW: &str = "(max-width: 899px)";

pub(crate) use inspector::{inspector, law, meaning};
pub(crate) use map::map;
pub(crate) use share::{copy_link, open_file, share, share_place};
pub(crate) use timeline::timeline;
pub(crate) use tools::{faults, files, messages, tools};
pub(crate) use transcript::{First, Only, compared_line, transcript, whole};

/// The stage of a scenario.
pub(super) fn scenario(place: &str) -> AnyView {
    let (name, cursor) = place.split_once('/').unwrap_or((place, ""));
    if let Some(story) = Story::sandbox(name) {
        home::remember(name, false);
        return sandbox::sandbox(story, Seen::default(), false);
    }
    match Story::scenario(name) {
        Some(story) => {
            let seen = Seen::at(cursor.parse().unwrap_or(0));
            staged(story, seen, |player| home::follow(player, name))
        }
        None => super::nowhere("There is no such scenario", &format!("None is called {name}.")),
    }
}

/// The stage of a world that somebody shared.
pub(super) fn shared(opened: Result<(Story, Option<Seen>), String>) -> AnyView {
    match opened {
        Ok((story, seen)) if story.wish().is_some() => hands::hands_on(Some((story, seen))),
        Ok((story, seen)) if story.is_access() => access::access(Some((story, seen))),
        Ok((story, _)) if challenge::is_one(&story) => challenge::shared(story),
        Ok((story, seen)) if story.is_sandbox() => {
            sandbox::sandbox(story, seen.unwrap_or_default(), true)
        }
        Ok((story, seen)) => stage(story, seen.unwrap_or(Seen::at(usize::MAX))),
        Err(why) => super::nowhere("This link does not open", &why),
    }
}

/// The stage of a story.
pub(crate) fn stage(story: Story, seen: Seen) -> AnyView {
    staged(story, seen, |_| ())
}

fn staged(story: Story, seen: Seen, begun: impl FnOnce(Player)) -> AnyView {
    let ui: Ui = expect_context();
    let title = story.title();
    let player = Player::new(story);
    player.open(seen);
    player.narrate(ui);
    begun(player);
    let faults = player.breakable();
    listen(ui, player, title);
    let narrow = narrow();
    // In a frame of somebody's page there is the conversation alone.
    let first = if Route::is_framed(&browser::fragment()) { "wire" } else { "map" };
    let pane = RwSignal::new(first.to_owned());
    view! {
        <div class="stage">
            {move || if narrow.get() {
                in_tabs(player, pane, move || map_pane(player, faults), move || transcript(player, true))
            } else {
                side_by_side(player, faults)
            }}
            {predict::prediction(player)}
            {onward::onward(player)}
            {timeline(player)}
            {tools::faults(player, faults, true)}
        </div>
    }
    .into_any()
}

/// A stage is on the screen: its title, and its keys.
pub(crate) fn listen(ui: Ui, player: Player, title: String) {
    ui.title.set(title);
    ui.key.set(None);
    ui.on_stage.set(true);
    on_cleanup(move || {
        let _ = ui.on_stage.try_set(false);
    });
    Effect::new(move |_| match ui.key.get() {
        None => {}
        Some(key) => {
            ui.key.set(None);
            match key.as_str() {
                "f" => player.ask(player.at()),
                "c" => drop(copy_link(ui, player)),
                key => player.key(key),
            }
        }
    });
}

/// The map, as wide as the window lets it be, with tools and what happened last.
pub(crate) fn map_pane(player: Player, faults: RwSignal<bool>) -> AnyView {
    let narrow = narrow();
    view! {
        <section class="pane map-pane" aria-label="Map">
            {tools(player, faults)}
            {goal(player)}
            {move || map(player, narrow.get())}
        </section>
    }
    .into_any()
}

fn side_by_side(player: Player, faults: RwSignal<bool>) -> AnyView {
    view! {
        <div class="panes">
            <div class="left">
                {map_pane(player, faults)}
                <div class="below">{happened(player)}{transcript(player, true)}</div>
            </div>
            {inspector(player)}
        </div>
    }
    .into_any()
}

/// What happened, and of a story of browsers what they asked for.
fn happened(player: Player) -> AnyView {
    if !player.read(Story::has_web) {
        return sequence::sequence(player);
    }
    let names = [("steps", "Steps"), ("web", "Network")];
    let names = names.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let pane = RwSignal::new("steps".to_owned());
    let shown = move || match pane.get().as_str() {
        "web" => network::network(player),
        _ => sequence::sequence(player),
    };
    view! {
        <div class="tabbed">
            {tabs("happened", "What happened", names, pane)}
            <div class="tabbed-pane" id="happened-panel" role="tabpanel">{shown}</div>
        </div>
    }
    .into_any()
}

/// The panes of a stage in a small window, one at a time: first the map, then what happened, what was said, and why.
pub(crate) fn in_tabs(
    player: Player,
    pane: RwSignal<String>,
    first: impl Fn() -> AnyView + Send + 'static,
    talk: impl Fn() -> AnyView + Send + 'static,
) -> AnyView {
    let names = [("map", "Map"), ("steps", "Steps"), ("wire", "Talk"), ("why", "Why")];
    let names = names.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let shown = move || match pane.get().as_str() {
        "steps" => happened(player),
        "wire" => talk(),
        "why" => inspector(player),
        _ => first(),
    };
    view! {
        <div class="narrow">
            {tabs("stage", "Panes", names, pane)}
            <div class="narrow-pane" id="stage-panel" role="tabpanel">{shown}</div>
        </div>
    }
    .into_any()
}

/// What this story is about, and what happened last.
pub(crate) fn goal(player: Player) -> AnyView {
    let goal = player.read(Story::goal);
    let last = Memo::new(move |_| {
        player.version.track();
        let cursor = player.cursor.get();
        player.read(|story| story.last_sentence(cursor))
    });
    view! { <p class="goal">{move || last.get().unwrap_or_else(|| goal.clone())}</p> }.into_any()
}

pub(crate) fn narrow() -> RwSignal<bool> {
    let narrow = RwSignal::new(false);
    if let Ok(Some(list)) = window().match_media(NARROW) {
        narrow.set(list.matches());
        let resized = window_event_listener(leptos::ev::resize, move |_| {
            if narrow.get_untracked() != list.matches() {
                narrow.set(list.matches());
            }
        });
        on_cleanup(move || resized.remove());
    }
    narrow
}
