//! Live: real conversations of the server that served this page, those of others and one's own, explained as on the stage.

mod desk;
mod faults;
mod list;
mod serve;
mod speak;
mod tasks;

use std::time::Duration;

use leptos::prelude::*;
use pillarbox_world::world::WireId;

use crate::app::Ui;
use crate::controls::{Button, Field, Icon, Show, icon, tabs};
use crate::link::{Link, Status};
use crate::player::Player;
use crate::story::hands::PORTS;
use crate::story::live::{Live, Task};

use super::{simulated, stage};
use desk::Desk;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The screen.
pub(super) fn live() -> AnyView {
    let ui: Ui = expect_context();
    let (live, story) = Live::begin(js_sys::Date::now() as u64);
    let desk = Desk {
        ui,
        player: Player::new(story),
        live: StoredValue::new_local(live),
        link: StoredValue::new_local(None),
        listed: RwSignal::new(Vec::new()),
        wrong: RwSignal::new(None),
        opened: RwSignal::new(None),
        due: StoredValue::new_local(false),
        serves: RwSignal::new(None),
    };
    let link = Link::new(move |news| desk.hear(news));
    desk.link.set_value(Some(link));
    if let Ok(timer) = set_interval_with_handle(move || desk.look(), LOOK_EVERY) {
        on_cleanup(move || timer.clear());
    }
    // Whoever comes here when nobody serves the page, or without the token, needs nothing but to know how to get there.
    let missing = Memo::new(move |_| match link.status.get() {
        Status::Nobody => Some(true),
        Status::Locked { again: false, .. } => Some(false),
        _ => None,
    });
    let content = move || match missing.get() {
        Some(true) => nobody(link),
        Some(false) => locked(link),
        None => table(desk, link),
    };
    view! {
        {move || match desk.opened.get() {
            Some(wire) => simulation(desk, wire),
            None => {
                ui.title.set("Live".to_owned());
                view! { <div class="hands live">{content}</div> }.into_any()
            }
        }}
    }
    .into_any()
}

/// A conversation as a simulation, in place of the table until somebody goes back to it.
fn simulation(desk: Desk, wire: WireId) -> AnyView {
    let back = move || desk.opened.set(None);
    match desk.both(|live, story| live.simulate(story, wire)) {
        Some(Ok(simulation)) => simulated::screen(simulation, back),
        _ => {
            back();
            ().into_any()
        }
    }
}

/// Opens the conversation that is shown as a simulation.
fn simulate(desk: Desk) -> AnyView {
    let wire = desk.player.wire;
    let why_not = Memo::new(move |_| {
        desk.player.version.track();
        let wire = wire.get()?;
        Some(desk.live.with_value(|live| desk.player.read(|story| live.unsimulated(story, wire))))
    });
    let is_off = Signal::derive(move || why_not.get().flatten().is_some());
    let words = move || {
        why_not
            .get()
            .flatten()
            .unwrap_or_else(|| "What the program said, said again to the engine here.".to_owned())
    };
    view! {
        <Show when=move || why_not.get().is_some()>
            <div class="simulate">
                <Button class="small-button" disabled=is_off press=move || desk.opened.set(wire.get_untracked())>
                    {icon(Icon::Play)}<span>"Open as a simulation"</span>
                </Button>
                <span class="muted small">{words}</span>
            </div>
        </Show>
    }
    .into_any()
}

fn nobody(link: Link) -> AnyView {
    view! {
        <div class="page">
            <h1>"There is no server behind this page"</h1>
            <p class="lead-in">
                "Live shows what programs really say to a Pillarbox server on your own machine. This page is a copy that no "
                "server of yours handed out, or that server has stopped, or it has accounts, and then its mail is nobody "
                "else's business. All the other screens work without one."
            </p>
            <p>"Start one, open the address that it prints, and from there the playground:"</p>
            <pre class="quote mono">"cargo run --release\n  HTTP  http://127.0.0.1:8025/#t=…"</pre>
            <p class="go"><Button class="primary" press=move || link.ask()>"Look again"</Button></p>
        </div>
    }
    .into_any()
}

/// The server is there, and this tab does not have its token.
fn locked(link: Link) -> AnyView {
    view! {
        <div class="page">
            <h1>"Live opens with the address that your server printed"</h1>
            <p class="lead-in">
                "That address ends with a token. Who has it may see what is said to the server and speak to its services; "
                "a program or page that merely found the port may not. All other screens, the inbox and web mail need none."
            </p>
            <pre class="quote mono">"HTTP  http://127.0.0.1:8025/"<b>"#t=…"</b></pre>
            <p>"Open it in any tab of this browser, and this one goes on by itself; or paste it here."</p>
            {unlocking(link)}
        </div>
    }
    .into_any()
}

/// A field for the printed address.
fn unlocking(link: Link) -> AnyView {
    let given = RwSignal::new(String::new());
    let unlock = move || given.with_untracked(|given| link.unlock(given));
    let is_wrong = move || matches!(link.status.get(), Status::Locked { wrong: true, .. });
    view! {
        <div class="form unlock">
            <Show when=is_wrong>
                <p class="defect" role="alert">
                    "The token that this tab had is not the one of the server's latest start: each start has a new one. Open "
                    "the address that it printed, or paste it here."
                </p>
            </Show>
            <Field label="The printed address, or the token alone" value=given send=unlock />
            <p class="go"><Button class="primary" press=unlock>"Go on"</Button></p>
        </div>
    }
    .into_any()
}

fn table(desk: Desk, link: Link) -> AnyView {
    let narrow = stage::narrow();
    let pane = RwSignal::new(TALKS.to_owned());
    // What is chosen, or begins to speak, is what one wants to see.
    Effect::new(move |before: Option<Option<WireId>>| {
        let chosen = desk.player.chosen.get();
        if chosen.is_some() && before != Some(chosen) {
            pane.set(TALK.to_owned());
        }
        chosen
    });
    view! { {move || if narrow.get() { in_tabs(desk, link, pane) } else { side_by_side(desk, link) }} }
        .into_any()
}

fn side_by_side(desk: Desk, link: Link) -> AnyView {
    view! {
        {bar(desk, link)}
        <div class="panes">
            {list::list(desk, link)}
            <div class="hands-left">{talk(desk)}</div>
            <div class="hands-right">{stage::inspector(desk.player)}</div>
        </div>
    }
    .into_any()
}

/// Tabs of a small window.
const TALKS: &str = "talks";
const TALK: &str = "talk";

/// One of them at a time, in its full height.
fn in_tabs(desk: Desk, link: Link, pane: RwSignal<String>) -> AnyView {
    let names = [(TALKS, "Conversations"), (TALK, "Talk"), ("why", "Why")];
    let names = names.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let shown = move || {
        match pane.get().as_str() {
        TALK => view! { <div class="hands-left">{talk(desk)}</div> }.into_any(),
        "why" => stage::inspector(desk.player),
        _ => view! { <div class="live-first">{bar(desk, link)}{wrong(desk)}{list::list(desk, link)}</div> }.into_any(),
    }
    };
    view! {
        <div class="narrow">
            {tabs("live", "Panes", names, pane)}
            <div class="narrow-pane" id="live-panel" role="tabpanel">{shown}</div>
        </div>
    }
    .into_any()
}

/// The conversation, and what can be said in it.
fn talk(desk: Desk) -> AnyView {
    view! {
        {stage::transcript(desk.player, false)}
        {simulate(desk)}
        {wrong(desk)}
        {speak::speak(desk)}
    }
    .into_any()
}

fn wrong(desk: Desk) -> AnyView {
    view! { {move || desk.wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })} }.into_any()
}

fn bar(desk: Desk, link: Link) -> AnyView {
    let (next, breaks) = (faults::watch(link), RwSignal::new(false));
    let status = move || match link.status.get() {
        Status::Asking => ("chip", "asking the server …"),
        Status::There(_) => ("chip good", "● connected"),
        Status::Lost => ("chip bad", "✖ the server is gone; it is asked again"),
        Status::Nobody => ("chip bad", "✖ nobody answers"),
        Status::Locked { .. } => ("chip bad", "✖ the server was started again, with a new token"),
    };
    let is_off = Signal::derive(move || !matches!(link.status.get(), Status::There(_)));
    let serves = RwSignal::new(false);
    let sends = RwSignal::new(false);
    let reads = RwSignal::new(false);
    let saves = RwSignal::new(false);
    let by_hand = PORTS.map(|(port, name)| {
        view! {
            <Button class="small-button" disabled=is_off press=move || {
                desk.task(Task::Type(port));
            }>{icon(Icon::Keyboard)}<span>{format!("Type {name}")}</span></Button>
        }
    });
    view! {
        <div class="choices-bar" role="group" aria-label="What to do at the server">
            <span class=move || status().0 role="status">{move || status().1}</span>
            <Button class="primary small-button" disabled=is_off press=move || sends.set(true)>
                {icon(Icon::Letter)}<span>"Send a mail …"</span>
            </Button>
            <Button class="small-button" disabled=is_off press=move || reads.set(true)>
                {icon(Icon::Devices)}<span>"Read mail …"</span>
            </Button>
            {by_hand.into_iter().collect_view()}
            <Button class="small-button" disabled=is_off press=move || serves.set(true)>
                {icon(Icon::Share)}<span>"Be the server …"</span>
            </Button>
            <Button class="small-button" id="next-fault" disabled=is_off press=move || breaks.set(true)>
                {icon(Icon::Fault)}<span>"Fault …"</span>
            </Button>
            <Button class="quiet small-button" press=move || saves.set(true)>{icon(Icon::Save)}<span>"Files"</span></Button>
        </div>
        <Show when=move || matches!(link.status.get(), Status::Locked { again: true, .. })>
            {unlocking(link)}
        </Show>
        {serve::serving(desk, link)}
        {faults::waiting(next)}
        {faults::dialog(desk, next, breaks)}
        {stage::files(desk.player, saves, true)}
        {serve::dialog(desk, link, serves)}
        {tasks::send_dialog(desk, sends)}
        {tasks::read_dialog(desk, reads)}
    }
    .into_any()
}
