//! Challenges: something to achieve, with a world to do it in, checks that tell how far it is, and hints.

use leptos::prelude::*;
use pillarbox_world::tape::Challenge;
use pillarbox_world::world::Action;

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Icon, Show, icon};
use crate::player::Player;
use crate::route::Route;
use crate::story::Story;
use crate::story::challenge::{self, Offered};

use super::{doing, stage};

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
                Err(why) => super::nowhere("There is no such challenge", &why),
            }
        }}
    }
    .into_any()
}

/// Whether a link brought a challenge's world.
pub(super) fn is_one(story: &Story) -> bool {
    challenge::of(story).is_some()
}

/// A challenge as somebody left it, who made a link of it.
pub(super) fn shared(story: Story) -> AnyView {
    let Some(left) = challenge::resume(story) else { return ().into_any() };
    let id = left.0.id.clone();
    let left = StoredValue::new_local(Some(left));
    let round = RwSignal::new(0_u32);
    view! {
        {move || {
            round.track();
            let left = left.try_update_value(Option::take).flatten();
            let begun = left.or_else(|| challenge::begin(&id).ok());
            begun.map(|(challenge, story)| attempt(challenge, Player::new(story), round))
        }}
    }
    .into_any()
}

fn attempt(challenge: Challenge, player: Player, round: RwSignal<u32>) -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set(challenge.title.clone());
    let door = challenge.door;
    player.seek(usize::MAX);
    let wrong = RwSignal::new(None::<String>);
    let act = move |action: Action| {
        wrong.set(player.change(|story| story.perform(action)).err());
        player.seek(usize::MAX);
    };
    let faults = player.breakable();
    let shows_goal = RwSignal::new(false);
    let known = StoredValue::new_local(challenge.clone());
    let map = move || {
        let goal = shows_goal.get().then(|| known.with_value(challenge::goal).ok()).flatten();
        match goal {
            Some(goal) => {
                let words = known
                    .with_value(|challenge| player.read(|story| story.wanted(challenge, &goal)));
                reached(words, goal, shows_goal)
            }
            None => stage::map(player, stage::narrow().get()),
        }
    };
    view! {
        <div class="stage challenge">
            <div class="panes">
                <div class="left">
                    <section class="pane map-pane" aria-label="Map">{map}</section>
                    <div class="hands-left">
                        {stage::transcript(player, true)}
                        {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
                        {doing::speak(player, act, move || doing::first_steps(player, act, door))}
                    </div>
                </div>
                <div class="hands-right">
                    {task(ui, challenge, player, round, shows_goal)}
                    {doing::acts(player, act, faults)}
                    {stage::inspector(player)}
                </div>
            </div>
            {stage::faults(player, faults, false)}
        </div>
    }
    .into_any()
}

/// The world at the goal, in place of the reader's own, and in words what is to be reached.
fn reached(words: Vec<String>, goal: Story, shown: RwSignal<bool>) -> AnyView {
    let words = words.into_iter().map(|one| view! { <li>{one}</li> }).collect_view();
    let goal = Player::new(goal);
    goal.seek(usize::MAX);
    view! {
        <div class="goal-state" role="status">
            <b>"The goal: so the world looks once it is solved"</b>
            <ul>{words}</ul>
            <Button class="small-button" press=move || {
                shown.set(false);
                browser::focus("show-goal");
            }>{icon(Icon::Undo)}<span>"Back to my world"</span></Button>
        </div>
        {stage::map(goal, stage::narrow().get())}
    }
    .into_any()
}

/// What to achieve, how far it is, and hints.
fn task(
    ui: Ui,
    challenge: Challenge,
    player: Player,
    round: RwSignal<u32>,
    shows_goal: RwSignal<bool>,
) -> AnyView {
    let hints = challenge.hints.clone();
    let shown = RwSignal::new(0_usize);
    let (id, text) = (challenge.id.clone(), challenge.task.clone());
    let challenge = StoredValue::new_local(challenge);
    let progress = Memo::new(move |_| {
        player.version.track();
        challenge.with_value(|challenge| player.read(|story| story.progress(challenge)))
    });
    let solved = Memo::new(move |_| progress.with(|now| now.goals.iter().all(|(_, held)| *held)));
    // What somebody else had solved before is not this reader's doing.
    let others = solved.get_untracked();
    Effect::new(move |_| {
        if solved.get() && !others {
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
    let undo = move || {
        player.change(Story::undo);
        player.pin.set(None);
        player.chosen.set(None);
        player.seek(usize::MAX);
        ui.told.set("What was done last is taken back.".to_owned());
    };
    let show = move || {
        shows_goal.update(|on| *on = !*on);
        if shows_goal.get_untracked() {
            browser::focus_first(".goal-state button");
        }
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
                <Button class="small-button" pressed=shows_goal id="show-goal" press=show>"Show the goal"</Button>
                <Button class="small-button" disabled=Signal::derive(move || progress.with(|now| now.done == 0)) press=undo>
                    {icon(Icon::Undo)}<span>"Undo"</span>
                </Button>
                <Button class="small-button" press=move || round.update(|round| *round += 1)>
                    "Start over"
                </Button>
                {stage::share(player)}
            </div>
        </section>
    }
    .into_any()
}
