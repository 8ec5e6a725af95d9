//! Predict, then see: before something surprising the story stops and asks.

use leptos::prelude::*;

use crate::controls::{Button, Choice, Show};
use crate::player::Player;
use crate::story::Question;

/// The question at this moment, if there is one.
pub(super) fn prediction(player: Player) -> AnyView {
    let asked = Memo::new(move |_| {
        player.version.track();
        let cursor = player.cursor.get();
        player.read(|story| story.question(cursor))
    });
    // What appears in it is read out; it is there before, so that it is.
    view! { <div class="asks" aria-live="polite">{move || asked.get().map(|question| ask(player, question))}</div> }.into_any()
}

fn ask(player: Player, question: Question) -> AnyView {
    let Question { number, text, choices, right, after } = question;
    let chosen = RwSignal::new(None::<usize>);
    let answered = RwSignal::new(false);
    let words = choices.clone();
    let choices = choices.into_iter().enumerate().map(|(at, words)| {
        let is_chosen = Signal::derive(move || chosen.get() == Some(at));
        view! { <Choice group="prediction" label=words chosen=is_chosen closed=answered set=move || chosen.set(Some(at)) /> }
    });
    let choices = choices.collect_view();
    let verdict = move || {
        answered.get().then(|| {
            let is_right = chosen.get() == Some(right);
            let (class, said) = if is_right { ("chip good", "That is so.") } else { ("chip warn", "Not quite.") };
            let answer = (!is_right).then(|| format!("It is: {}. ", words[right]));
            view! { <p class="verdict"><span class=class>{said}</span>" "{answer}{after.clone()}</p> }
        })
    };
    let go_on = move || {
        player.change(|story| story.answered(number));
        player.play(true);
    };
    view! {
        <form class="prediction card" aria-label="What do you think?" on:submit=|event| event.prevent_default()>
            <h2>{text}</h2>
            <div class="choices">{choices}</div>
            {verdict}
            <div class="go">
                <Show when=move || !answered.get() fallback=move || view! {
                    <Button class="primary" press=go_on>"Watch"</Button>
                }>
                    <Button class="primary" disabled=Signal::derive(move || chosen.get().is_none()) press=move || answered.set(true)>
                        "Answer"
                    </Button>
                    <Button class="quiet" press=go_on>"Skip"</Button>
                </Show>
            </div>
        </form>
    }
    .into_any()
}
