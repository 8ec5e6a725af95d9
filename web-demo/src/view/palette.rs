//! The command palette: every screen, scenario and challenge by a few letters of its name.

use leptos::prelude::*;

use crate::browser;
use crate::controls::{Dialog, Finder};
use crate::route::Route;
use crate::story::{challenge, scenarios};

use super::NAVIGATION;

/// Places that are listed at once.
const SHOWN_MAX: usize = 12;

/// Where one can go: words, and the way.
fn places() -> Vec<(String, String)> {
    let screens = NAVIGATION.iter().map(|(route, words)| ((*words).to_owned(), route.to_string()));
    let scenarios =
        scenarios().into_iter().map(|one| (one.title, Route::Scenario(one.id).to_string()));
    let challenges = challenge::all().into_iter().map(|one| {
        (format!("Challenge: {}", one.title), Route::Challenges(Some(one.id)).to_string())
    });
    screens.chain(scenarios).chain(challenges).collect()
}

/// Whether all the words that were typed stand in a name.
fn fits(name: &str, typed: &str) -> bool {
    let name = name.to_lowercase();
    typed.to_lowercase().split_whitespace().all(|word| name.contains(word))
}

/// The palette.
pub(crate) fn palette(open: RwSignal<bool>) -> AnyView {
    let typed = RwSignal::new(String::new());
    let all = StoredValue::new(places());
    let found = Signal::derive(move || {
        let typed = typed.get();
        all.with_value(|all| {
            let fitting = all.iter().filter(|(name, _)| fits(name, &typed));
            fitting.take(SHOWN_MAX).cloned().collect::<Vec<_>>()
        })
    });
    let go = move |place: String| {
        open.set(false);
        typed.set(String::new());
        browser::go(&place);
    };
    view! {
        <Dialog open=open title="Go to">
            <Finder label="A screen, a scenario, a challenge" value=typed found=found choose=go />
        </Dialog>
    }
    .into_any()
}
