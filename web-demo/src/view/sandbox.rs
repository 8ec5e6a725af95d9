//! The sandbox: a world in which nothing is planned. What happens is what its reader does.

use leptos::prelude::*;
use pillarbox_world::world::{Action, Letter, WireId};

use crate::app::Ui;
use crate::controls::{Button, Dialog, Field, Icon, Select, TextArea, icon};
use crate::player::Player;
use crate::story::Story;

use super::{doing, stage};

/// The screen, at a cursor.
pub(super) fn sandbox(story: Story, cursor: usize) -> AnyView {
    let ui: Ui = expect_context();
    let title = story.title();
    let player = Player::new(story);
    player.seek(cursor);
    player.narrate(ui);
    let (faults, letter) = (player.breakable(), RwSignal::new(false));
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
                        {move || stage::map(player, narrow.get())}
                    </section>
                    <div class="hands-left">
                        {stage::transcript(player, true)}
                        {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
                        {doing::speak(player, act, move || begin(player, act, letter))}
                    </div>
                </div>
                <div class="hands-right">
                    <div class="acts-and-letter">
                        <div class="letter-bar">
                            <Button class="small-button" press=move || letter.set(true)>
                                {icon(Icon::Letter)}<span>"Write a letter"</span>
                            </Button>
                        </div>
                        {doing::acts(player, act, faults)}
                    </div>
                    {stage::inspector(player)}
                </div>
            </div>
            {stage::timeline(player)}
            {stage::faults(player, faults, false)}
            {write(player, act, letter)}
        </div>
    }
    .into_any()
}

/// Where nobody types: a letter first of all, then a connection.
fn begin(
    player: Player,
    act: impl Fn(Action) + Copy + Send + Sync + 'static,
    letter: RwSignal<bool>,
) -> AnyView {
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
            </div>
            <h3>"Or connect by hand, and type"</h3>
            <div class="go">{doors.into_iter().map(door).collect_view()}</div>
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
) -> AnyView {
    let writers = StoredValue::new(player.read(Story::writers));
    let first = writers.with_value(|writers| writers.first().cloned()).unwrap_or_default();
    let device = RwSignal::new(first.0);
    let to = RwSignal::new(first.2);
    let subject = RwSignal::new("Lunch".to_owned());
    let text = RwSignal::new("Do you like ketchup?\nHow about pickles?\n".to_owned());
    let options =
        writers.with_value(|all| all.iter().map(|one| (one.0.clone(), one.1.clone())).collect());
    let options = StoredValue::new(options);
    let choose = move |value: String| {
        let other = writers.with_value(|all| all.iter().find(|one| one.0 == value).cloned());
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
                <Select label="On which device" options=Signal::stored(options.get_value()) chosen=device set=choose />
                <Field label="To" value=to send=send />
                <Field label="Subject" value=subject send=send />
                <TextArea label="What it says" value=text />
                <Button class="primary" press=send>"Send"</Button>
            </div>
        </Dialog>
    }
    .into_any()
}
