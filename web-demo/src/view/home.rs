//! The first page: a message on its way, what this is, three ways in, and all scenarios.

use leptos::prelude::*;

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Icon, icon};
use crate::player::{Pace, Player};
use crate::route::Route;
use crate::story::{Listed, Story, scenarios};

use super::stage;

/// The scenario that the first page plays.
const JOURNEY: &str = "alice-to-bob";

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
    let list = all.into_iter().zip(1..).map(card).collect_view();
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
                        <a class="button primary" href=Route::Scenario(JOURNEY.to_owned()).to_string()>"Step through it"</a>
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
                    <h2 id="all">"Scenarios"</h2>
                    <p class="muted small">"keys 1 – 9 open them"</p>
                </div>
                <ol class="scenarios">{list}</ol>
            </section>
        </div>
    }
    .into_any()
}

fn card((scenario, number): (Listed, u32)) -> AnyView {
    let Listed { id, title, goal } = scenario;
    view! {
        <li>
            <a class="scenario card" href=Route::Scenario(id).to_string()>
                <span class="number">{number}</span>
                <h3>{title}</h3>
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
