//! The first page: a message on its way, what this is, three ways in, and all scenarios.

use leptos::prelude::*;

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Icon, Show, icon};
use crate::player::{Pace, Player};
use crate::route::Route;
use crate::story::challenge;
use crate::story::{Listed, Story, scenarios};

use super::stage;

/// The scenario that the first page plays.
const JOURNEY: &str = "alice-to-bob";

/// Where it is kept which scenarios were opened, and with a `!` behind it, seen to their end.
const PROGRESS: &str = "progress";
/// Where it is kept which scenario was looked at last, and how far; of the sandbox, the link to all that was done there.
const PLACE: &str = "place";
/// The scenario in which nothing is planned.
const SANDBOX: &str = "sandbox";

/// How far a reader is with a scenario.
fn progress(kept: &str, id: &str) -> Option<bool> {
    let mut known =
        kept.split(' ').map(|one| one.strip_suffix('!').map_or((one, false), |id| (id, true)));
    known.find(|(known, _)| *known == id).map(|(_, finished)| finished)
}

/// Keeps that a scenario was opened, or seen to its end.
pub(super) fn remember(id: &str, finished: bool) {
    let kept = browser::kept(PROGRESS).unwrap_or_default();
    let before = progress(&kept, id);
    if before.is_some_and(|before| before >= finished) {
        return;
    }
    let others = kept.split(' ').filter(|one| !one.is_empty() && *one != id);
    let mut all: Vec<String> = others.map(str::to_owned).collect();
    all.push(if finished { format!("{id}!") } else { id.to_owned() });
    browser::keep(PROGRESS, Some(&all.join(" ")));
}

/// Keeps that a scenario was opened, and where its reader is for as long as they are there.
pub(super) fn follow(player: Player, id: &str) {
    remember(id, false);
    let id = id.to_owned();
    Effect::new(move |_| {
        let Some(cursor) = player.rested.get() else { return };
        let last = player.read(|story| story.entries().len());
        if cursor >= last {
            // What has come to its end is not gone on with.
            remember(&id, true);
            browser::keep(PLACE, None);
        } else if cursor > 0 {
            browser::keep(PLACE, Some(&format!("{id}/{cursor}")));
        }
    });
}

/// Keeps what was done in the sandbox.
pub(super) fn keep_sandbox(link: &str) {
    browser::keep(PLACE, Some(&format!("{SANDBOX}/{link}")));
}

/// Forgets all of that, and which challenges were solved.
fn forget() {
    browser::keep(PROGRESS, None);
    browser::keep(PLACE, None);
    for one in challenge::all() {
        browser::keep(&format!("solved.{}", one.id), None);
    }
}

/// The first page.
pub(super) fn home() -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set(String::new());
    let all = scenarios();
    let ids: Vec<String> = all.iter().map(|scenario| scenario.id.clone()).collect();
    Effect::new(move |_| {
        let Some(key) = ui.key.get() else { return };
        let number = key.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if let Some(id) = number.and_then(|at| ids.get(at)) {
            ui.key.set(None);
            browser::go(&Route::Scenario(id.clone()).to_string());
        }
    });
    let story = Story::scenario(JOURNEY).map(Story::without_questions);
    let kept = RwSignal::new(browser::kept(PROGRESS).unwrap_or_default());
    let place = RwSignal::new(browser::kept(PLACE).and_then(|place| {
        let (id, rest) = place.split_once('/')?;
        let one = all.iter().find(|one| one.id == id)?;
        let route = match id {
            SANDBOX => Route::Shared(rest.to_owned()),
            _ => Route::Scenario(place.clone()),
        };
        Some((route.to_string(), one.title.clone()))
    }));
    let go_on = move || {
        place.get().map(|(href, title)| view! { <a class="button primary" href=href>{format!("Continue: {title}")}</a> })
    };
    let first = move || if place.get().is_some() { "button" } else { "button primary" };
    let count = all.len();
    let told = move || {
        let finished = kept.with(|kept| kept.split(' ').filter(|one| one.ends_with('!')).count());
        format!("{finished} of {count} finished; keys 1 – 9 open them")
    };
    let list = all.into_iter().zip(1..).map(|one| card(one, kept)).collect_view();
    view! {
        <div class="page">
            <section class="hero">
                <h1>"See what really happens when you send a mail"</h1>
                <div>
                    <p class="lead">
                        "A whole mail Internet lives in this page, made of a real mail server's engine. "
                        "Step through it, type to it, break it, and ask every octet why it is there."
                    </p>
                    <div class="go">
                        {go_on}
                        <a class=first href=Route::Scenario(JOURNEY.to_owned()).to_string()>"Step through it"</a>
                        {super::can_speak().then(|| view! {
                            <a class="button" href=Route::HandsOn.to_string()>"Type it yourself"</a>
                        })}
                        {browser::inbox().map(|place| view! {
                            <a class="button" href=place>"Open my server's inbox"</a>
                        })}
                    </div>
                </div>
                {story.map(|story| journey(ui, story))}
            </section>
            <section aria-labelledby="all">
                <div class="section-head">
                    <h2 id="all" tabindex="-1">"Scenarios"</h2>
                    <p class="muted small">{told}</p>
                    <Show when=move || kept.with(|kept| !kept.is_empty())>
                        <Button class="quiet small-button" press=move || {
                            forget();
                            kept.set(String::new());
                            place.set(None);
                            ui.told.set("All progress is forgotten.".to_owned());
                            browser::focus("all");
                        }>"Forget my progress"</Button>
                    </Show>
                </div>
                <ol class="scenarios">{list}</ol>
            </section>
        </div>
    }
    .into_any()
}

fn card((scenario, number): (Listed, u32), kept: RwSignal<String>) -> AnyView {
    let Listed { id, title, goal } = scenario;
    let own = id.clone();
    let chip = move || {
        let (class, words) = match kept.with(|kept| progress(kept, &own))? {
            true => ("chip good", "✔ finished"),
            false => ("chip", "seen"),
        };
        Some(view! { <span class=class>{words}</span> })
    };
    view! {
        <li>
            <a class="scenario card" href=Route::Scenario(id).to_string()>
                <span class="number">{number}</span>
                <h3>{title}{chip}</h3>
                <p>{goal}</p>
            </a>
        </li>
    }
    .into_any()
}

/// A message on its way, over and over, unless the reader asked for little motion.
fn journey(ui: Ui, story: Story) -> AnyView {
    let player = Player::new(story);
    player.pace.set(Pace::BRISK);
    if !browser::calm() {
        // By then the reader may be elsewhere.
        let begin = move || {
            if player.playing.try_get_untracked().is_some() {
                player.play(true);
            }
        };
        set_timeout(begin, std::time::Duration::from_millis(500));
    }
    Effect::new(move |_| {
        if ui.key.get().is_some_and(|key| key == " " || key == ".") {
            ui.key.set(None);
            player.play(!player.playing.get_untracked());
        }
    });
    let told = Memo::new(move |_| {
        let cursor = player.cursor.get();
        player.read(|story| (story.clock(cursor), story.last_sentence(cursor)))
    });
    let name =
        Signal::derive(
            move || {
                if player.playing.get() { "Pause".to_owned() } else { "Play".to_owned() }
            },
        );
    let narrow = stage::narrow();
    view! {
        <figure class="journey card" aria-label="A message on its way from Alice to Bob">
            {move || stage::map(player, narrow.get())}
            <figcaption class="caption">
                <Button class="quiet icon" name=name press=move || player.play(!player.playing.get_untracked())>
                    {move || icon(if player.playing.get() { Icon::Pause } else { Icon::Play })}
                </Button>
                <b class="mono">{move || told.get().0}</b>
                <span>{move || told.get().1.unwrap_or_else(|| "Alice has written to Bob.".to_owned())}</span>
            </figcaption>
        </figure>
    }
    .into_any()
}
