//! What was done, for others: as a link, in a page of theirs, in a terminal, as a file; and a file opened again.

use leptos::prelude::*;
use pillarbox_world::tape::share::{FILE_MAX, LONG};

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Dialog, Icon, Show, Switch, icon};
use crate::player::{Holds, Player};
use crate::route::Route;
use crate::story::build;

/// What is said where there is no link.
const TOO_LONG: &str = "All that is said here is too long for a link.";
/// The file that holds what a link would.
const FILE: &str = "story.pillarbox";

/// The button that copies a link to this moment, and shows what else can be had of it.
pub(crate) fn share(player: Player) -> AnyView {
    let ui: Ui = expect_context();
    let (ask, done) = (RwSignal::new(false), RwSignal::new(None));
    let copy = move || tell_for_a_while(done, copy_link(ui, player));
    on_key(ui, copy);
    let press = move || {
        ask.set(true);
        copy();
    };
    view! {
        {button("link", "Share", done, press)}
        <Dialog open=ask title="A link to this moment">{shared(player, done)}</Dialog>
    }
    .into_any()
}

/// Whether a link holds something: its words, and where that stands.
type Held = (&'static str, fn(&mut Holds) -> &mut bool);

fn shared(player: Player, done: RwSignal<Option<bool>>) -> AnyView {
    let ui: Ui = expect_context();
    let (goes_on, branches) =
        player.read(|story| (story.source().goes_on(), story.source().branches().0.len()));
    let text = Memo::new(move |_| {
        player.holds.track();
        player.link().map(|link| address(&Route::Shared(link)))
    });
    let length = move || match text.get() {
        None => format!("{TOO_LONG} A file holds it."),
        Some(link) if link.len() > LONG => format!(
            "It has {} characters, and many programs cut links as long as this. A file is safe.",
            link.len()
        ),
        Some(link) => format!("It has {} characters.", link.len()),
    };
    let is_long =
        Memo::new(move |_| text.with(|text| !matches!(text, Some(text) if text.len() <= LONG)));
    let all: [(bool, Held); 4] = [
        (!goes_on, ("Where I am", |holds| &mut holds.position)),
        (true, ("What I look at", |holds| &mut holds.selection)),
        (branches > 1, ("All branches", |holds| &mut holds.branches)),
        (true, ("Secrets shown", |holds| &mut holds.secrets)),
    ];
    let switch = move |(words, place): Held| {
        let on = Signal::derive(move || *place(&mut player.holds.get()));
        let set = move |on| player.holds.update(|holds| *place(holds) = on);
        view! { <Switch label=words on=on set=set /> }
    };
    let switches = all.into_iter().filter(|(there, _)| *there).map(|(_, held)| switch(held));
    let copy = move || tell_for_a_while(done, copy_link(ui, player));
    let save = move || {
        browser::download(FILE, "text/plain", player.text().as_bytes());
        ui.told.set(format!("{FILE} was saved."));
    };
    let save = move || {
        view! {
            <Button class="small-button" id="save-link" press=save>{icon(Icon::Save)}<span>"Save as a file"</span></Button>
        }
    };
    let title = ui.title.get_untracked();
    let embed = move || {
        let place =
            player.link().map(|link| address(&Route::Shared(link)).replace("#/w/", "#/embed/"));
        let title = title.replace('&', "&amp;").replace('"', "&quot;");
        place.map(|place| {
            format!(
                "<iframe src=\"{place}\" title=\"{title}\" width=\"960\" height=\"640\"></iframe>"
            )
        })
    };
    let embed = Memo::new(move |_| {
        text.track();
        embed().unwrap_or_default()
    });
    let command = Memo::new(move |_| {
        text.track();
        command(player)
    });
    let has_link = move || text.with(Option::is_some);
    view! {
        <div class="shared">
            <p>"It holds all that was done here, so others see the same. With it:"</p>
            <div class="held">{switches.collect_view()}</div>
            <p class="small">"Passwords that were typed are crossed out in it, but for those of the simulated accounts. With the last switch it holds and shows them."</p>
            <Show when=has_link>
                <p class="quote mono link-text" tabindex="0" role="group" aria-label="The link">{move || text.get()}</p>
            </Show>
            <p id="link-length" class:defect=move || is_long.get()>{length}</p>
            <div class="go"><Show when=has_link>{button("copy-link", "Copy the link", done, copy)}</Show>{save()}</div>
            <Show when=has_link>
                <h3>"In a page of your own"</h3>
                {copied("embed", embed)}
                <p class="muted small">"It is for copies of this page on a host of files; a server on your machine lets no page frame it."</p>
            </Show>
            <h3>"In a terminal"</h3>
            {copied("command", command)}
        </div>
    }
    .into_any()
}

/// What runs the same in a terminal.
pub(super) fn command(player: Player) -> String {
    match player.link().filter(|link| link.len() <= LONG) {
        Some(link) => format!("pillarbox replay '{link}'"),
        None => format!("pillarbox replay {FILE}"),
    }
}

/// A text with the button that copies it.
pub(crate) fn copied(id: &'static str, text: Memo<String>) -> AnyView {
    let ui: Ui = expect_context();
    let done = RwSignal::new(None);
    let copy = move || {
        browser::copy(&text.get_untracked());
        ui.told.set("It was copied.".to_owned());
        tell_for_a_while(done, true);
    };
    view! {
        <div class="copied" id=id>
            <code class="quote mono">{move || text.get()}</code>
            {button(&format!("copy-{id}"), "Copy", done, copy)}
        </div>
    }
    .into_any()
}

/// The button that opens a file: a scenario, or what a link would hold.
pub(crate) fn open_file() -> AnyView {
    let ui: Ui = expect_context();
    let wrong = RwSignal::new(None::<String>);
    let open = move |name: String, octets: Option<Vec<u8>>| {
        let text = octets.and_then(|octets| String::from_utf8(octets).ok());
        let place = match text {
            None => Err(format!("it is no text, or larger than {FILE_MAX} octets")),
            Some(text) => build::opened(&text),
        };
        match place {
            Ok(Route::File(link)) => ui.route.set(Route::File(link)),
            Ok(place) => browser::go(&place.to_string()),
            Err(why) => {
                let _ = wrong.try_set(Some(format!("{name}: {why}")));
            }
        }
    };
    let press = move || browser::pick(FILE_MAX, open);
    view! {
        <Button class="small-button" id="open-file" press=press>{icon(Icon::Open)}<span>"Open a file …"</span></Button>
        {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
    }
    .into_any()
}

/// The button that copies a link to a place of the page; none: it would be too long.
pub(crate) fn share_place(place: impl Fn() -> Option<Route> + Copy + 'static) -> AnyView {
    let ui: Ui = expect_context();
    let done = RwSignal::new(None);
    let copy = move || tell_for_a_while(done, copy_place(ui, place()));
    on_key(ui, copy);
    button("link", "Link", done, copy)
}

fn button(
    id: &str,
    words: &'static str,
    done: RwSignal<Option<bool>>,
    press: impl Fn() + 'static,
) -> AnyView {
    view! {
        <Button class="quiet small-button" id=id.to_owned() press=press>
            {icon(Icon::Share)}
            <span>{move || match done.get() {
                None => words,
                Some(true) => "Copied",
                Some(false) => "Too long for a link",
            }}</span>
        </Button>
    }
    .into_any()
}

fn tell_for_a_while(done: RwSignal<Option<bool>>, well: bool) {
    done.set(Some(well));
    let silent = move || {
        let _ = done.try_set(None);
    };
    set_timeout(silent, std::time::Duration::from_secs(2));
}

/// The key that copies a link, where no stage listens for it.
fn on_key(ui: Ui, copy: impl Fn() + 'static) {
    if ui.key.get_untracked().as_deref() == Some("c") {
        ui.key.set(None);
    }
    Effect::new(move |_| {
        if ui.key.get().as_deref() == Some("c") && !ui.on_stage.get_untracked() {
            ui.key.set(None);
            copy();
        }
    });
}

/// Puts a link to this very moment on the clipboard, if there is one, and says whether there is. It starts a simulation,
/// and holds nothing else.
pub(crate) fn copy_link(ui: Ui, player: Player) -> bool {
    copy_place(ui, player.link().map(Route::Shared))
}

/// Puts a link to a place of the page on the clipboard, if there is one, and says whether there is.
fn copy_place(ui: Ui, place: Option<Route>) -> bool {
    let told = match &place {
        Some(route) => {
            browser::copy(&address(route));
            "A link to this moment was copied."
        }
        None => TOO_LONG,
    };
    ui.told.set(told.to_owned());
    place.is_some()
}

fn address(route: &Route) -> String {
    format!("{}{route}", browser::base())
}
