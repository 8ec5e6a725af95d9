//! Challenges: something to achieve, with a world to do it in, checks that tell how far it is, and hints.

use leptos::prelude::*;
use pillarbox_world::tape::Challenge;
use pillarbox_world::world::{Action, Dir};

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Icon, Prompt, Select, icon};
use crate::player::Player;
use crate::route::Route;
use crate::story::challenge::{self, Offered};
use crate::story::hands::Part;

use super::{hands, stage};

/// Ways to begin that are offered as buttons.
const DOORS_MAX: usize = 6;

/// All challenges.
pub(super) fn list() -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set("Challenges".to_owned());
    let card = |one: Offered| {
        let solved = browser::kept(&format!("solved.{}", one.id)).is_some();
        view! {
            <li>
                <a class="scenario card" href=Route::Challenges(Some(one.id)).to_string()>
                    <span class="number">{one.number}</span>
                    <h3>{one.title}{solved.then(|| view! { <span class="chip good">"✔ solved"</span> })}</h3>
                    <p>{one.task}</p>
                </a>
            </li>
        }
    };
    let cards = challenge::all().into_iter().map(card).collect_view();
    view! {
        <div class="page">
            <h1>"Challenges"</h1>
            <p class="muted lead-in">"Each is a small world and something to achieve in it. The world itself judges."</p>
            <ol class="scenarios">{cards}</ol>
        </div>
    }
    .into_any()
}

/// One challenge.
pub(super) fn challenge(id: &str) -> AnyView {
    let id = id.to_owned();
    // Counts how often it was begun.
    let round = RwSignal::new(0_u32);
    view! {
        {move || {
            round.track();
            match challenge::begin(&id) {
                Ok((challenge, story)) => attempt(challenge, Player::new(story), round),
                Err(why) => view! {
                    <div class="page"><h1>"No challenge"</h1><p>{why}</p><p><a href="#/c">"See all of them"</a></p></div>
                }
                .into_any(),
            }
        }}
    }
    .into_any()
}

fn attempt(challenge: Challenge, player: Player, round: RwSignal<u32>) -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set(challenge.title.clone());
    player.seek(usize::MAX);
    let wrong = RwSignal::new(None::<String>);
    let act = move |action: Action| {
        wrong.set(player.change(|story| story.perform(action)).err());
        player.seek(usize::MAX);
    };
    let faults = RwSignal::new(false);
    view! {
        <div class="stage challenge">
            <div class="panes">
                <div class="left">
                    <section class="pane map-pane" aria-label="Map">{stage::map(player, stage::narrow().get())}</section>
                    <div class="hands-left">
                        {stage::transcript(player, true)}
                        {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
                        {speak(player, act)}
                    </div>
                </div>
                <div class="hands-right">
                    {task(ui, challenge, player, round)}
                    {acts(player, act, faults)}
                    {stage::inspector(player)}
                </div>
            </div>
            {stage::faults(player, faults, false)}
        </div>
    }
    .into_any()
}

/// What to achieve, how far it is, and hints.
fn task(ui: Ui, challenge: Challenge, player: Player, round: RwSignal<u32>) -> AnyView {
    let hints = challenge.hints.clone();
    let shown = RwSignal::new(0_usize);
    let (id, text) = (challenge.id.clone(), challenge.task.clone());
    let challenge = StoredValue::new_local(challenge);
    let progress = Memo::new(move |_| {
        player.version.track();
        challenge.with_value(|challenge| player.read(|story| story.progress(challenge)))
    });
    let solved = Memo::new(move |_| progress.with(|now| now.goals.iter().all(|(_, held)| *held)));
    Effect::new(move |_| {
        if solved.get() {
            browser::keep(&format!("solved.{id}"), Some("yes"));
            ui.told.set("The challenge is solved.".to_owned());
        }
    });
    let goals = move || {
        let goal = |(text, held): (String, bool)| {
            let (class, sign) = if held { ("goal-row held", "✔") } else { ("goal-row", "○") };
            view! { <li class=class><b aria-label=if held { "done:" } else { "open:" }>{sign}</b><span>{text}</span></li> }
        };
        progress.get().goals.into_iter().map(goal).collect_view()
    };
    let count = hints.len();
    let given = move || {
        hints.iter().take(shown.get()).map(|hint| view! { <li>{hint.clone()}</li> }).collect_view()
    };
    view! {
        <section class="pane task" aria-label="Task">
            <p class="task-text">{text}</p>
            <ul class="goals">{goals}</ul>
            <Show when=move || solved.get()>
                <p class="chip good solved">{move || {
                    let now = progress.get();
                    format!("Solved with {}; {} are known to do", now.done, now.par)
                }}</p>
            </Show>
            <ol class="notice">{given}</ol>
            <div class="go">
                <Button class="small-button" disabled=Signal::derive(move || shown.get() >= count) press=move || shown.update(|n| *n += 1)>
                    {move || format!("Hint {} of {count}", (shown.get() + 1).min(count))}
                </Button>
                <Button class="small-button" press=move || round.update(|round| *round += 1)>
                    {icon(Icon::Undo)}<span>"Start over"</span>
                </Button>
            </div>
        </section>
    }
    .into_any()
}

/// What can be done besides typing.
fn acts(
    player: Player,
    act: impl Fn(Action) + Copy + Send + Sync + 'static,
    faults: RwSignal<bool>,
) -> AnyView {
    let choose = move |label: &'static str, list: Vec<(String, Action)>| {
        let mut options = vec![(String::new(), label.to_owned())];
        options.extend(list.iter().map(|(words, _)| (words.clone(), words.clone())));
        let again = RwSignal::new(String::new());
        let set = move |value: String| {
            if let Some((_, action)) = list.iter().find(|(words, _)| *words == value) {
                act(action.clone());
            }
            // The first line of the list is shown again.
            again.set(value);
            again.set(String::new());
        };
        view! { <Select label=label options=Signal::stored(options) chosen=again set=set /> }
    };
    let (doors, readings) = player.read(|story| (story.doors(), story.readings()));
    let changes = player.read(|story| story.changes());
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
            {choose("Connect by hand to …", doors)}
            {choose("Read mail on …", readings)}
            {choose("Lines and TLS …", changes)}
            <Button class="small-button" press=move || faults.set(true)>{icon(Icon::Fault)}<span>"Faults"</span></Button>
            <Button class="small-button" disabled=has_line press=cut>"Cut the line"</Button>
            <Button class="small-button" press=move || wait(60_000)>"Wait 1 min"</Button>
            <Button class="small-button" press=move || wait(3_600_000)>"Wait 1 h"</Button>
            {stage::messages(player, Some("_blank"))}
        </section>
    }
    .into_any()
}

/// Where there is no connection to type on: ways to begin.
fn first_steps(player: Player, act: impl Fn(Action) + Copy + Send + Sync + 'static) -> AnyView {
    let (doors, readings) = player.read(|story| (story.doors(), story.readings()));
    let button = move |(at, (words, action)): (usize, (String, Action))| {
        let class = if at == 0 { "primary" } else { "" };
        let action = StoredValue::new(action);
        view! { <Button class=class press=move || act(action.get_value())>{words}</Button> }
    };
    let doors = doors.into_iter().take(DOORS_MAX).enumerate().map(button).collect_view();
    let readings = readings.into_iter().take(DOORS_MAX).zip(1..).map(|(one, at)| button((at, one)));
    let readings = readings.collect_view();
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

/// The prompt, where there is a connection to type on.
fn speak(player: Player, act: impl Fn(Action) + Copy + Send + Sync + 'static) -> AnyView {
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
        <Show when=move || at.get().is_some() fallback=move || first_steps(player, act)>
            <details class="sayable"><summary>"What can I say now?"</summary>{hands::palette(player, move || at.get(), line)}</details>
            <Prompt label=label value=line history=said send=send />
        </Show>
    }
    .into_any()
}
