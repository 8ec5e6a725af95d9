//! The screens. They hold no knowledge of a protocol: words come from the world's catalogue, facts from its log.

mod access;
mod challenge;
mod compare;
mod doing;
mod hands;
mod home;
mod hop;
mod live;
mod message;
mod palette;
mod sandbox;
mod simulated;
mod smime;
mod stage;
pub(crate) mod wire;

use leptos::prelude::*;

pub(crate) use palette::palette;

use crate::route::Route;

/// Screens in the bar, as far as they are there.
const NAVIGATION: [(Route, &str); 8] = [
    (Route::Home, "Scenarios"),
    (Route::HandsOn, "Speak it"),
    (Route::Access, "Access lab"),
    (Route::Wire(None), "Wire"),
    (Route::Compare, "Compare"),
    (Route::Message(None), "Message lab"),
    (Route::Challenges(None), "Challenges"),
    (Route::Live, "Live"),
];

/// The links in the bar.
pub(crate) fn navigation(route: RwSignal<Route>) -> AnyView {
    let link = |(to, words): (Route, &'static str)| {
        let href = to.to_string();
        let here = std::mem::discriminant(&to);
        let current = move || (std::mem::discriminant(&route.get()) == here).then_some("page");
        view! { <a href=href aria-current=current>{words}</a> }
    };
    view! { <nav aria-label="Screens">{NAVIGATION.into_iter().map(link).collect_view()}</nav> }
        .into_any()
}

/// Whether a screen is as high as the window, with panes that scroll by themselves.
pub(crate) fn is_fixed(route: &Route) -> bool {
    matches!(
        route,
        Route::Scenario(_)
            | Route::Shared(_)
            | Route::HandsOn
            | Route::Live
            | Route::Access
            | Route::Wire(_)
            | Route::Compare
            | Route::Message(_)
            | Route::Challenges(Some(_))
    )
}

/// Whether a screen has a use for this key.
pub(crate) fn takes_key(route: &Route, on_stage: bool, key: &str) -> bool {
    match route {
        Route::Home => {
            matches!(key, " " | ".")
                || key.len() == 1 && key.bytes().all(|octet| (b'1'..=b'9').contains(&octet))
        }
        Route::Wire(_) => key.starts_with("Arrow") || matches!(key, "e" | "c" | "Escape"),
        _ if on_stage => {
            let letters = [
                " ",
                ".",
                "ArrowRight",
                "ArrowLeft",
                "Home",
                "End",
                "Escape",
                "e",
                "f",
                "c",
                "n",
                "p",
            ];
            letters.contains(&key)
        }
        _ => false,
    }
}

/// A screen.
pub(crate) fn screen(route: Route) -> AnyView {
    match route {
        Route::Scenario(name) => stage::scenario(&name),
        Route::Shared(link) => stage::shared(&link),
        Route::Challenges(None) => challenge::list(),
        Route::Challenges(Some(id)) => challenge::challenge(&id),
        Route::HandsOn => hands::hands_on(),
        Route::Message(world) => message::lab(world.as_deref()),
        Route::Live => live::live(),
        Route::Access => access::access(),
        Route::Wire(name) => wire::screen(name.as_deref()),
        Route::Compare => compare::compare(),
        Route::Inbox => {
            if let Some(place) = crate::browser::inbox() {
                crate::browser::leave(place);
            }
            home::home()
        }
        Route::Home => home::home(),
    }
}

/// Whether there is a screen for typing by hand.
fn can_speak() -> bool {
    NAVIGATION.iter().any(|(route, _)| *route == Route::HandsOn)
}
