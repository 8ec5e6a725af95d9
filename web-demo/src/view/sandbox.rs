//! The sandbox: a world in which nothing is planned. What happens is what its reader does.

use leptos::prelude::*;
use pillarbox_world::world::{Action, Letter, WireId};

use crate::app::Ui;
use crate::controls::{Button, Dialog, Field, Icon, Select, TextArea, icon};
use crate::player::Player;
use crate::story::Story;
use crate::story::seen::Seen;

use super::{doing, stage};

/// Ways to connect that are offered at once; the others are in a list.
const DOORS_MAX: usize = 6;

/// The screen, where it was left, with what was looked at there.
pub(super) fn sandbox(story: Story, seen: Seen) -> AnyView {
    let ui: Ui = expect_context();
    let title = story.title();
    let player = Player::new(story);
    player.open(Seen { cursor: usize::MAX, ..seen });
    player.narrate(ui);
    let (faults, letter) = (player.breakable(), RwSignal::new(false));
    let (build, built) = (RwSignal::new(false), RwSignal::new(0_u32));
    stage::listen(ui, player, title);
    let wrong = RwSignal::new(None::<String>);
    let act = move |action: Action| {
        let before = player.read(|story| story.entries().len());
        let typed = match &action {
            Action::Type { wire, .. } => Some(WireId(*wire)),
            _ => None,
        };
        let travels = matches!(action, Action::Send(_) | Action::Check(_));
        let done = player.change(|story| story.perform(action));
        player.chosen.set(typed);
        player.pin.set(None);
        if travels && done.is_ok() {
            // It is seen on its way.
            player.seek(before);
            player.play(true);
        } else {
            player.playing.set(false);
            player.seek(usize::MAX);
        }
        wrong.set(done.err());
    };
    let narrow = stage::narrow();
    view! {
        <div class="stage challenge sandbox">
            <div class="panes">
                <div class="left">
                    <section class="pane map-pane" aria-label="Map">
                        {stage::tools(player, faults)}
                        {stage::goal(player)}
                        {move || {
                            built.track();
                            stage::map(player, narrow.get())
                        }}
                    </section>
                    <div class="hands-left">
                        {stage::transcript(player, true)}
                        {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
                        {doing::speak(player, act, move || begin(player, act, letter, build))}
                    </div>
                </div>
                <div class="hands-right">
                    <div class="acts-and-letter">
                        <div class="letter-bar">
                            <Button class="small-button" press=move || letter.set(true)>
                                {icon(Icon::Letter)}<span>"Write a letter"</span>
                            </Button>
                            <Button class="small-button" id="build" press=move || build.set(true)>
                                {icon(Icon::Add)}<span>"Build the network"</span>
                            </Button>
                        </div>
                        {doing::acts(player, act, faults)}
                    </div>
                    {stage::inspector(player)}
                </div>
            </div>
            {stage::timeline(player)}
            {stage::faults(player, faults, false)}
            {write(player, act, letter, built)}
            {super::build::build(player, build, built)}
        </div>
    }
    .into_any()
}

/// Where nobody types: a letter first of all, then a connection.
fn begin(
    player: Player,
    act: impl Fn(Action) + Copy + Send + Sync + 'static,
    letter: RwSignal<bool>,
    build: RwSignal<bool>,
) -> AnyView {
    player.version.track();
    let doors = player.read(Story::doors);
    let door = move |(words, action): (String, Action)| {
        let action = StoredValue::new(action);
        view! { <Button press=move || act(action.get_value())>{words}</Button> }
    };
    view! {
        <div class="first-steps">
            <h3>"Begin here: send a letter, and watch it travel"</h3>
            <div class="go">
                <Button class="primary" press=move || letter.set(true)>{icon(Icon::Letter)}<span>"Write a letter"</span></Button>
                <Button press=move || build.set(true)>{icon(Icon::Add)}<span>"Build a network of your own"</span></Button>
            </div>
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
