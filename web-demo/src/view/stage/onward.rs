//! Where to go when a story is over.

use leptos::prelude::*;

use crate::controls::{Icon, icon};
use crate::player::Player;
use crate::route::Route;
use crate::story::Onward;

/// The ways on, at the end of a scenario.
pub(super) fn onward(player: Player) -> AnyView {
    let at_end = Memo::new(move |_| {
        player.version.track();
        let cursor = player.cursor.get();
        player.read(|story| cursor > 0 && cursor >= story.entries().len())
    });
    let show = move || {
        if !at_end.get() {
            return None;
        }
        let Onward { next, challenge } = player.read(|story| story.onward())?;
        let next = next.map(|(id, title)| {
            let href = Route::Scenario(id).to_string();
            view! { <a class="button primary small-button" href=href>{icon(Icon::Next)}<span>{format!("Next: {title}")}</span></a> }
        });
        let (href, words) = match challenge {
            Some((id, title)) => (Route::Challenges(Some(id)), format!("Challenge: {title}")),
            None => (Route::Challenges(None), "Challenges".to_owned()),
        };
        Some(view! {
            <nav class="onward" aria-label="Where to go from here">
                <span class="muted">"The end. "</span>
                {next}
                <a class="button small-button" href=Route::HandsOn.to_string()>"Type it yourself"</a>
                <a class="button small-button" href=href.to_string()>{words}</a>
            </nav>
        })
    };
    view! { {show} }.into_any()
}
