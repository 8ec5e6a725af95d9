//! The page's frame: which screen is shown, the bar above it, theme, help, and the keys that work everywhere.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::browser;
use crate::charsets;
use crate::controls::{Button, Dialog, Icon, Switch, icon};
use crate::explanations;
use crate::route::Route;
use crate::view;

/// How the page looks and listens; the same on every screen.
#[derive(Clone, Copy)]
pub(crate) struct Ui {
    /// Where the reader is.
    pub(crate) route: RwSignal<Route>,
    /// What stands in the bar, beside the name.
    pub(crate) title: RwSignal<String>,
    /// Whether single letters do something.
    pub(crate) letters: RwSignal<bool>,
    /// Whether steps are told to a screen reader.
    pub(crate) narrate: RwSignal<bool>,
    /// What it is told.
    pub(crate) told: RwSignal<String>,
    /// A key pressed outside of fields, for the screen that is shown.
    pub(crate) key: RwSignal<Option<String>>,
    /// Whether a stage is shown, which has its own keys.
    pub(crate) on_stage: RwSignal<bool>,
    /// Whether there are the texts of all screens but the first.
    pub(crate) has_words: RwSignal<bool>,
    /// Whether they could not be loaded when that was tried last.
    pub(crate) lost_words: RwSignal<bool>,
    help: RwSignal<bool>,
    palette: RwSignal<bool>,
    theme: RwSignal<Theme>,
}

/// Which colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theme {
    System,
    Light,
    Dark,
    Contrast,
}

impl Theme {
    const ALL: [Self; 4] = [Self::System, Self::Light, Self::Dark, Self::Contrast];

    fn value(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
            Self::Contrast => Some("contrast"),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::System => "as the system",
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Contrast => "high contrast",
        }
    }

    fn kept() -> Self {
        let kept = browser::kept("theme");
        let found = Self::ALL.into_iter().find(|theme| theme.value() == kept.as_deref());
        found.unwrap_or(Self::System)
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|theme| *theme == self).unwrap_or_default();
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| browser::complain(&panic.to_string())));
    charsets::give();
    leptos::mount::mount_to_body(app);
    browser::milestone("app:interactive");
}

fn app() -> impl IntoView {
    let ui = Ui {
        route: RwSignal::new(Route::parse(&browser::fragment())),
        title: RwSignal::new(String::new()),
        letters: RwSignal::new(browser::kept("letters").is_none()),
        narrate: RwSignal::new(browser::kept("silent").is_none()),
        told: RwSignal::new(String::new()),
        key: RwSignal::new(None),
        on_stage: RwSignal::new(false),
        has_words: RwSignal::new(false),
        lost_words: RwSignal::new(false),
        help: RwSignal::new(false),
        palette: RwSignal::new(false),
        theme: RwSignal::new(Theme::kept()),
    };
    provide_context(ui);
    // In a frame of somebody's page there is room for what they show alone.
    browser::mark("data-embed", Route::is_framed(&browser::fragment()).then_some(""));
    listen(ui);
    explain(ui);
    Effect::new(move |_| {
        ui.route.track();
        explain(ui);
    });
    Effect::new(move |_| browser::mark("data-theme", ui.theme.get().value()));
    // A server that has a label puts it before the title of the page.
    let own = document().title();
    let label = own.strip_suffix("Pillarbox playground").unwrap_or_default().to_owned();
    Effect::new(move |_| {
        let title = ui.title.get();
        let whole = if title.is_empty() {
            format!("{label}Pillarbox playground")
        } else {
            format!("{label}{title} · Pillarbox")
        };
        document().set_title(&whole);
    });
    let is_inner = move || ui.route.get() != Route::Home;
    // In a small window the links stand below the bar when they are asked for.
    let menu = RwSignal::new(false);
    Effect::new(move |_| {
        ui.route.track();
        menu.set(false);
    });
    view! {
        <a class="skip" href="#main" on:click=move |event| {
            event.prevent_default();
            browser::focus("main");
        }>"To the content"</a>
        <div class="app" class:fixed=move || view::is_fixed(&ui.route.get())>
            <header class="bar" class:inner=is_inner class:menu=move || menu.get()>
                <a class="brand" href="#/" aria-label="Pillarbox: home">
                    <Logo />
                    <span>"Pillarbox"</span>
                </a>
                <p class="where">{move || ui.title.get()}</p>
                {view::navigation(ui.route)}
                <Button class="quiet icon menu-button" name=Signal::stored("Screens".to_owned()) pressed=menu press=move || menu.update(|open| *open = !*open)>
                    {icon(Icon::Menu)}
                </Button>
                <Button
                    class="quiet icon"
                    name=Signal::derive(move || format!("Colours: {}", ui.theme.get().words()))
                    press=move || turn_theme(ui)
                >
                    {icon(Icon::Theme)}
                </Button>
                <Button class="quiet icon" name=Signal::stored("Go to … (Ctrl+K)".to_owned()) press=move || ui.palette.set(true)>
                    {icon(Icon::Find)}
                </Button>
                <Button class="quiet icon" name=Signal::stored("Help and keys (?)".to_owned()) press=move || ui.help.set(true)>
                    {icon(Icon::Question)}
                </Button>
            </header>
            <main id="main" tabindex="-1">{move || shown(ui)}</main>
        </div>
        <p class="unseen" role="status" aria-live="polite">{move || ui.told.get()}</p>
        {help(ui)}
        {view::palette(ui.palette)}
    }
}

/// The screen, once what it needs is there.
fn shown(ui: Ui) -> AnyView {
    let route = ui.route.get();
    if route == Route::Home || ui.has_words.get() {
        view::screen(route)
    } else {
        explanations::missing(ui)
    }
}

/// All screens but the first have texts of their own; what could not be loaded is asked for again by the next one.
pub(crate) fn explain(ui: Ui) {
    let needs = ui.route.get_untracked() != Route::Home && !ui.has_words.get_untracked();
    if needs {
        ui.lost_words.set(false);
        explanations::load(move |done| {
            ui.has_words.set(done);
            ui.lost_words.set(!done);
        });
    }
}

/// The pillar box.
#[component]
fn Logo() -> AnyView {
    view! {
        <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path d="M8 9c0-4 3.5-6 8-6s8 2 8 6z" fill="#c4222e" />
            <path d="M7 9h18v3H7z" fill="#9d1a25" />
            <path d="M8.500 12h15v15h-15z" fill="#c4222e" />
            <path d="M7.500 27h17v2.500h-17z" fill="currentColor" />
            <path d="M11.500 15h9v2.200h-9z" fill="#22201e" />
            <path d="M12 20h8v4.500h-8z" fill="#fff" />
        </svg>
    }
    .into_any()
}

fn turn_theme(ui: Ui) {
    let next = ui.theme.get_untracked().next();
    browser::keep("theme", next.value());
    ui.theme.set(next);
    ui.told.set(format!("Colours: {}", next.words()));
}

fn listen(ui: Ui) {
    let moved = window_event_listener_untyped("hashchange", move |_| {
        ui.route.set(Route::parse(&browser::fragment()));
    });
    let pressed = window_event_listener(ev::keydown, move |event| {
        let key = event.key();
        if (event.ctrl_key() || event.meta_key()) && key.eq_ignore_ascii_case("k") {
            event.prevent_default();
            ui.palette.update(|open| *open = !*open);
            return;
        }
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        // In a dialog keys are the dialog's, Esc above all.
        if browser::is_in_dialog() {
            return;
        }
        if browser::is_typing() || (!ui.letters.get_untracked() && key.len() == 1) {
            return;
        }
        if key == "?" {
            ui.help.update(|open| *open = !*open);
            event.prevent_default();
        } else {
            let scrolls = key == " " || key.starts_with("Arrow");
            let on_control = scrolls && browser::is_on_control();
            let (route, on_stage) = (ui.route.get_untracked(), ui.on_stage.get_untracked());
            if !on_control && view::takes_key(&route, on_stage, &key) {
                event.prevent_default();
                ui.key.set(Some(key));
            }
        }
    });
    // As long as the page is there.
    on_cleanup(move || {
        moved.remove();
        pressed.remove();
    });
}

/// Keys and what they do; two words each.
const KEYS: [(&str, &str); 16] = [
    ("?", "this help"),
    ("Ctrl+K", "go to a screen, a scenario or a challenge by its name"),
    ("F6", "to the next pane, with Shift to the one before"),
    ("Ctrl+Space", "where lines are typed: what can be said now"),
    ("1 – 9", "on the first page: open that scenario"),
    ("← → ↑ ↓", "on Wire: the part before, the one after, what it lies in, what lies in it"),
    ("Space", "play and pause"),
    ("→ ←", "one step on, one step back"),
    (
        "n p",
        "to the next turn of the story, to the one before: a connection, an error, a fault, a delivery",
    ),
    (
        "PageDown PageUp",
        "on the scrubber: to the next connection, to the one before; arrows with Shift: single entries",
    ),
    ("Home End", "to the start, to the end"),
    ("Enter", "pin what is looked at"),
    ("Esc", "unpin, leave a field, close"),
    ("e", "explain: open or close the reasons"),
    (
        "f",
        "what may go wrong with what is looked at: a host, a line, an arrow, octets; a right click asks the same",
    ),
    ("c", "copy a link to this moment"),
];

fn help(ui: Ui) -> AnyView {
    view! {
        <Dialog open=ui.help title="Help">
            <p class="muted">
                "Everything here is done by the mail server's own engine, in a network that exists only in this page. "
                "Nothing you do leaves it."
            </p>
            <dl class="help-grid">
                {KEYS.into_iter().map(|(keys, words)| {
                    let keys = keys.split(' ').filter(|key| *key != "–");
                    view! {
                        <dt>{keys.map(|key| view! { <kbd>{key}</kbd>" " }).collect_view()}</dt>
                        <dd>{words}</dd>
                    }
                }).collect_view()}
            </dl>
            <Switch label="Single letters are keys" on=ui.letters set=move |on| {
                browser::keep("letters", (!on).then_some("off"));
                ui.letters.set(on);
            } />
            <br />
            <Switch label="Tell each step to screen readers" on=ui.narrate set=move |on| {
                browser::keep("silent", (!on).then_some("yes"));
                ui.narrate.set(on);
            } />
        </Dialog>
    }
    .into_any()
}
