//! The screens. They hold no knowledge of a protocol: words come from the world's catalogue, facts from its log.

mod access;
mod build;
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
use crate::story::Story;

/// Screens in the bar, as far as they are there.
const NAVIGATION: [(Route, &str); 8] = [
    (Route::Home, "Scenarios"),
    (Route::HandsOn, "Speak it"),
    (Route::Access, "Access lab"),
    (Route::Wire(None), "Wire"),
    (Route::Compare(None), "Compare"),
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
            | Route::File(_)
            | Route::HandsOn
            | Route::Live
            | Route::Access
            | Route::Wire(_)
            | Route::Compare(_)
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
        // All that can be shared is, by the same key.
        Route::HandsOn
        | Route::Access
        | Route::Compare(_)
        | Route::Message(_)
        | Route::Shared(_)
        | Route::File(_)
        | Route::Challenges(Some(_)) => key == "c",
        _ => false,
    }
}

/// A screen.
pub(crate) fn screen(route: Route) -> AnyView {
    match route {
        Route::Scenario(name) => stage::scenario(&name),
        Route::Shared(link) => stage::shared(Story::shared(&link)),
        Route::File(link) => stage::shared(Story::filed(&link)),
        Route::Challenges(None) => challenge::list(),
        Route::Challenges(Some(id)) => challenge::challenge(&id),
        Route::HandsOn => hands::hands_on(None),
        Route::Message(world) => message::lab(world.as_deref()),
        Route::Live => live::live(),
        Route::Access => access::access(None),
        Route::Wire(name) => wire::screen(name.as_deref()),
        Route::Compare(pin) => compare::compare(pin.as_deref()),
        Route::Inbox => leave("/inbox/").unwrap_or_else(|| {
            nowhere(
                "There is no inbox here",
                "A server that runs on your own machine has one: it serves this page, too.",
            )
        }),
        // A site of files alone has no web mail, but a story of one.
        Route::Mail => leave("/mail").unwrap_or_else(|| stage::scenario("web-mail")),
        Route::Home => home::home(),
        Route::Unknown(_) => no_such_place(&route),
    }
}

/// Leaves for a page of the server that served this one; none: there is no server.
fn leave(place: &str) -> Option<AnyView> {
    crate::browser::inbox()?;
    crate::browser::leave(place);
    Some(().into_any())
}

/// Where an address leads that names nothing of the page.
fn no_such_place(route: &Route) -> AnyView {
    nowhere("There is no such place", &format!("This page has nothing at {route}."))
}

/// Where an address leads that leads nowhere, and why.
fn nowhere(title: &'static str, why: &str) -> AnyView {
    let ui: crate::app::Ui = expect_context();
    ui.title.set(title.to_owned());
    view! {
        <div class="page">
            <h1>{title}</h1>
            <p role="alert">{why.to_owned()}</p>
            <p class="go">
                <a class="button primary" href="#/">"To the first page, with all scenarios"</a>
                <a class="button" href="#/c">"All challenges"</a>
            </p>
        </div>
    }
    .into_any()
}

/// Whether there is a screen for typing by hand.
fn can_speak() -> bool {
    NAVIGATION.iter().any(|(route, _)| *route == Route::HandsOn)
}
