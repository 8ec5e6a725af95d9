//! The sandbox: a world in which nothing is planned. What happens is what its reader does.

use leptos::prelude::*;
use pillarbox_world::tape::share::LONG;
use pillarbox_world::world::{Action, Letter, WireId};

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Dialog, Field, Icon, Select, Show, TextArea, icon};
use crate::player::Player;
use crate::route::Route;
use crate::story::Story;
use crate::story::seen::Seen;

use super::{doing, home, stage};

/// Ways to connect that are offered at once; the others are in a list.
const DOORS_MAX: usize = 6;

/// The screen, where it was left, with what was looked at there; whether anything was done before.
pub(super) fn sandbox(story: Story, seen: Seen, begun: bool) -> AnyView {
    let ui: Ui = expect_context();
    let title = story.title();
    let player = Player::new(story);
    player.open(Seen { cursor: usize::MAX, ..seen });
    player.narrate(ui);
    let (faults, letter) = (player.breakable(), RwSignal::new(false));
    let (build, built) = (RwSignal::new(false), RwSignal::new(0_u32));
    stage::listen(ui, player, title);
    let (begun, lost) = (RwSignal::new(begun), RwSignal::new(false));
    keep(player, begun, lost);
    let wrong = RwSignal::new(None::<String>);
    let narrow = stage::narrow();
    let pane = RwSignal::new("map".to_owned());
    let act = move |action: Action| {
        let before = player.read(|story| story.entries().len());
        let typed = match &action {
            Action::Type { wire, .. } => Some(WireId(*wire)),
            _ => None,
        };
        let travels = matches!(action, Action::Send(_) | Action::Check(_));
        let talks = matches!(action, Action::Connect { .. });
        let done = player.change(|story| story.perform(action));
        player.chosen.set(typed);
        player.pin.set(None);
        if travels && done.is_ok() {
            // It is seen on its way.
            pane.set("map".to_owned());
            if narrow.get_untracked() {
                browser::show(".map");
            }
            player.seek(before);
            player.play(true);
        } else {
            if talks {
                pane.set("wire".to_owned());
            }
            player.playing.set(false);
            player.seek(usize::MAX);
        }
        wrong.set(done.err());
    };
    let map = move || {
        built.track();
        stage::map_pane(player, faults)
    };
    let wrong = move || {
        let why = wrong.get().or_else(|| lost.get().then(|| TOO_LONG.to_owned()));
        why.map(|why| view! { <p class="defect" role="alert">{why}</p> })
    };
    let talk = move || {
        view! {
            <div class="hands-left">
                {stage::transcript(player, true)}
                {wrong}
                {doing::speak(player, act, move || begin(player, act, letter, begun))}
            </div>
        }
    };
    let write_or_build = move || {
        view! {
            <div class="letter-bar">
                // Who has not begun finds it as the first thing to do.
                <Show when=move || begun.get()>
                    <Button class="small-button" press=move || letter.set(true)>
                        {icon(Icon::Letter)}<span>"Write a letter"</span>
                    </Button>
                </Show>
                <Button class="small-button" id="build" press=move || build.set(true)>
                    {icon(Icon::Add)}<span>"Build the network"</span>
                </Button>
            </div>
        }
    };
    let acts = move || doing::acts(player, act, faults);
    let first = move || {
        let first = move || {
            let first = || view! { <div class="first-steps">{first_letter(letter)}</div> };
            (!begun.get()).then(first)
        };
        view! { {first}{write_or_build()}{wrong}{map}{acts()} }.into_any()
    };
    let wide = move || {
        view! {
            <div class="panes">
                <div class="left">{map}{talk()}</div>
                <div class="hands-right">
                    <div class="acts-and-letter">{write_or_build()}{acts()}</div>
                    {stage::inspector(player)}
                </div>
            </div>
        }
        .into_any()
    };
    let panes = move || match narrow.get() {
        true => stage::in_tabs(player, pane, first, move || view! { {talk()}{acts()} }.into_any()),
        false => wide(),
    };
    view! {
        <div class="stage challenge sandbox">
            {panes}
            {stage::timeline(player)}
            {stage::faults(player, faults, false)}
            {write(player, act, letter, built)}
            {super::build::build(player, build, built)}
        </div>
    }
    .into_any()
}

/// Said where an address does not hold all that was done.
const TOO_LONG: &str = "The address of this page holds no more, so what you did last is lost when you leave. Share saves all of it as a file.";

/// What was done stands in the address, so that it is there again after a reload, another screen, or on the first page. What
/// was too long for that is `lost` to who leaves, and they are asked first.
fn keep(player: Player, begun: RwSignal<bool>, lost: RwSignal<bool>) {
    let text = move || player.read(|story| story.source().text(&Seen::default(), true));
    let kept = StoredValue::new(text());
    Effect::new(move |_| {
        player.version.track();
        let link = text();
        if kept.with_value(|kept| *kept == link) {
            return;
        }
        begun.set(true);
        lost.set(link.len() > LONG);
        if link.len() <= LONG {
            home::keep_sandbox(&link);
            let place = Route::Shared(link.clone()).to_string();
            // A frame of somebody's page stays one.
            let is_framed = browser::fragment().starts_with("#/embed/");
            browser::stand_at(&if is_framed { place.replace("#/w/", "#/embed/") } else { place });
        }
        kept.set_value(link);
    });
    let left = window_event_listener_untyped("beforeunload", move |event| {
        if lost.get_untracked() {
            event.prevent_default();
        }
    });
    on_cleanup(move || left.remove());
}

/// The one obvious thing to do first.
fn first_letter(letter: RwSignal<bool>) -> AnyView {
    view! {
        <h3>"Begin here: send a letter, and watch it travel"</h3>
        <div class="go">
            <Button class="primary" press=move || letter.set(true)>{icon(Icon::Letter)}<span>"Write a letter"</span></Button>
        </div>
    }
    .into_any()
}

/// Where nobody types: a letter first of all, then a connection. Who has begun finds all of it among what can be done.
fn begin(
    player: Player,
    act: impl Fn(Action) + Copy + Send + Sync + 'static,
    letter: RwSignal<bool>,
    begun: RwSignal<bool>,
) -> AnyView {
    if begun.get() {
        return view! { <p class="first-steps muted small">"To type, connect by hand."</p> }
            .into_any();
    }
    player.version.track();
    let doors = player.read(Story::doors);
    let door = move |(words, action): (String, Action)| {
        let action = StoredValue::new(action);
        view! { <Button press=move || act(action.get_value())>{words}</Button> }
    };
    view! {
        <div class="first-steps">
            {first_letter(letter)}
            <h3>"Or connect by hand, and type"</h3>
            <div class="go">{doors.into_iter().take(DOORS_MAX).map(door).collect_view()}</div>
            <p class="muted small">"There are faults, too, lines to cut, hosts that go down, and time that passes."</p>
        </div>
    }
    .into_any()
}

/// A letter of one's own.
fn write(
    player: Player,
    act: impl Fn(Action) + Copy + Send + Sync + 'static,
    open: RwSignal<bool>,
    built: RwSignal<u32>,
) -> AnyView {
    let writers = Memo::new(move |_| {
        built.track();
        player.read(Story::writers)
    });
    let (device, to) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    // Who wrote last may be there no longer.
    Effect::new(move |_| {
        let writers = writers.get();
        if writers.iter().all(|one| one.0 != device.get_untracked()) {
            let first = writers.into_iter().next().unwrap_or_default();
            device.set(first.0);
            to.set(first.2);
        }
    });
    let subject = RwSignal::new("Lunch".to_owned());
    let text = RwSignal::new("Do you like ketchup?\nHow about pickles?\n".to_owned());
    let options = Signal::derive(move || {
        let writers = writers.get().into_iter();
        writers.map(|(device, words, _)| (device, words)).collect::<Vec<_>>()
    });
    let choose = move |value: String| {
        let other = writers.with_untracked(|all| all.iter().find(|one| one.0 == value).cloned());
        to.set(other.map_or_else(String::new, |one| one.2));
        device.set(value);
    };
    let send = move || {
        open.set(false);
        act(Action::Send(Letter {
            device: device.get_untracked(),
            to: to.get_untracked(),
            subject: subject.get_untracked(),
            text: text.get_untracked(),
            ..Letter::default()
        }));
    };
    view! {
        <Dialog open=open title="A letter">
            <div class="form">
                <Select label="On which device" options=options chosen=device set=choose />
                <Field label="To" value=to send=send />
                <Field label="Subject" value=subject send=send />
                <TextArea label="What it says" value=text />
                <Button class="primary" press=send>"Send"</Button>
            </div>
        </Dialog>
    }
    .into_any()
}
