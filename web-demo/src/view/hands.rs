//! Hands-on: the prompt, the conversation, what was refused and why, and the state of the other side.

use leptos::prelude::*;

use pillarbox_world::world::WireId;

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Icon, Prompt, Select, Switch, icon};
use crate::player::Player;
use crate::story::hands::{self, PORTS, Part, Sayable, Wish};

use super::stage;

/// The screen for speaking by hand.
pub(super) fn hands_on() -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set("Speak it yourself".to_owned());
    let wish = RwSignal::new(Wish { part: Part::Client, port: 25, textbook: true });
    view! { <div class="hands">{move || conversation(ui, wish)}</div> }.into_any()
}

/// One conversation; another wish begins another one.
fn conversation(ui: Ui, wish: RwSignal<Wish>) -> AnyView {
    let now = wish.get();
    let player = Player::new(hands::begin(now));
    player.seek(usize::MAX);
    player.chosen.set(player.read(|story| story.standing(now).wire));
    let said = RwSignal::new(Vec::<String>::new());
    let line = RwSignal::new(String::new());
    let lf_only = RwSignal::new(false);
    let wrong = RwSignal::new(None::<String>);
    let standing = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.standing(now))
    });
    let say = move |ended: bool| {
        let text = line.get_untracked();
        let end = match (ended, lf_only.get_untracked()) {
            (false, _) => "",
            (true, true) => "\n",
            (true, false) => "\r\n",
        };
        let lines = text.split('\n').map(|line| line.trim_end_matches('\r')).collect::<Vec<_>>();
        let octets = lines.join(if end.is_empty() { "\r\n" } else { end }) + end;
        let done = player.change(|story| story.say(now.part, octets.as_bytes()));
        wrong.set(done.err());
        said.update(|said| said.push(text));
        line.set(String::new());
        player.pin.set(None);
        player.seek(usize::MAX);
        tell(ui, player, now);
    };
    let undo = move || {
        player.change(|story| story.take_back(now));
        player.chosen.set(player.read(|story| story.standing(now).wire));
        player.pin.set(None);
        player.seek(usize::MAX);
    };
    let label = Signal::derive(move || {
        let standing = standing.get();
        let state = if standing.state.is_empty() { "" } else { " · " };
        format!("{}{state}{}", standing.protocol, standing.state)
    });
    let closed = Signal::derive(move || !standing.get().open);
    view! {
        {choices(wish)}
        <div class="panes">
            <div class="hands-left">
                {stage::transcript(player, false)}
                {refusal(player, now, undo)}
                {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
                <Show when=move || !closed.get() fallback=move || view! {
                    <div class="prompt over">
                        <p>"The connection is over."</p>
                        <Button class="primary" press=move || wish.set(now)>"Start again"</Button>
                        <Button press=undo>{icon(Icon::Undo)}<span>"Take the last line back"</span></Button>
                    </div>
                }>
                    <Prompt label=label value=line history=said send=say />
                </Show>
            </div>
            <div class="hands-right">
                {state(player, now, lf_only, undo, line)}
                {stage::inspector(player)}
            </div>
        </div>
    }
    .into_any()
}

/// The newest line of the other side, for a screen reader.
fn tell(ui: Ui, player: Player, wish: Wish) {
    let heard = player.read(|story| {
        let wire = story.standing(wish).wire?;
        let spoken = story.spoken(wire, usize::MAX);
        let last = spoken.last()?;
        Some(last.pieces.iter().map(|piece| piece.text.as_str()).collect::<String>())
    });
    if let Some(heard) = heard {
        ui.told.set(heard);
    }
}

fn choices(wish: RwSignal<Wish>) -> AnyView {
    let parts = vec![
        ("client".to_owned(), "You are the client".to_owned()),
        ("server".to_owned(), "You are the server".to_owned()),
    ];
    let part = Signal::derive(move || {
        if wish.get().part == Part::Client { "client".to_owned() } else { "server".to_owned() }
    });
    let ports =
        PORTS.map(|(port, name)| (port.to_string(), format!("{name}, port {port}"))).to_vec();
    let port = Signal::derive(move || wish.get().port.to_string());
    let is_client = move || wish.get().part == Part::Client;
    view! {
        <div class="choices-bar" role="group" aria-label="What to try">
            <Select label="Your part" options=Signal::stored(parts) chosen=part set=move |value: String| {
                let part = if value == "server" { Part::Server } else { Part::Client };
                wish.update(|wish| wish.part = part);
            } />
            <Select label="Protocol" options=Signal::stored(ports) chosen=port set=move |value: String| {
                if let Ok(port) = value.parse() {
                    wish.update(|wish| wish.port = port);
                }
            } />
            <Show when=is_client>
                <Switch label="the server uses the book's words" on=Signal::derive(move || wish.get().textbook)
                    set=move |on| wish.update(|wish| wish.textbook = on) />
            </Show>
            <Button class="quiet small-button" press=move || wish.update(|_| ())>"Start over"</Button>
        </div>
    }
    .into_any()
}

/// A refusal explains itself, and offers to take the line back.
fn refusal(player: Player, wish: Wish, undo: impl Fn() + Copy + Send + Sync + 'static) -> AnyView {
    let refused = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.last_refusal(wish))
    });
    let show = move || {
        refused.get().map(|(_, why)| view! {
            <div class="refusal" role="note">
                <p><b>"Why? "</b>{why}</p>
                <Button class="small-button" press=undo>{icon(Icon::Undo)}<span>"Take it back"</span></Button>
            </div>
        })
    };
    view! { {show} }.into_any()
}

/// The other side's state, and what time and keyboard do.
fn state(
    player: Player,
    wish: Wish,
    lf_only: RwSignal<bool>,
    undo: impl Fn() + Copy + Send + Sync + 'static,
    line: RwSignal<String>,
) -> AnyView {
    let standing = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.standing(wish))
    });
    let can_undo = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.typed_last().is_some())
    });
    let now_part = wish.part;
    let other = if wish.part == Part::Client { "The server's state" } else { "The client's state" };
    view! {
        <section class="pane state-pane" aria-label=other>
            <div class="pane-head"><h2 class="pane-title">{other}</h2></div>
            <div class="inspected">
                <h3>{move || standing.get().state}</h3>
                <p class="muted">{move || match standing.get() {
                    now if now.state.is_empty() => Some("It still waits for a first line that it understands.".to_owned()),
                    now => now.gloss,
                }}</p>
                <p class="small">{move || match standing.get().mailbox {
                    1 => "Bob's mailbox holds 1 message.".to_owned(),
                    count => format!("Bob's mailbox holds {count} messages."),
                }}</p>
                <div class="go">
                    <Button class="small-button" disabled=Signal::derive(move || !can_undo.get()) press=undo>
                        {icon(Icon::Undo)}<span>"Take back"</span>
                    </Button>
                    <Button class="small-button" press=move || {
                        player.change(|story| story.think(60_000));
                        player.seek(usize::MAX);
                    }>"Wait a minute"</Button>
                </div>
                {palette(player, move || Some((standing.get().wire?, now_part)), line)}
                <Switch label="my lines end with LF alone" on=lf_only set=move |on| lf_only.set(on) />
            </div>
        </section>
    }
    .into_any()
}

/// What is offered. What could be said when the conversation began can be said nearly always; what came later is the
/// next step, and stands first.
#[derive(Clone, Default, PartialEq)]
struct Offered {
    wire: Option<WireId>,
    first: Vec<&'static str>,
    now: Vec<Sayable>,
}

/// What can be said now, each with what it does; a press puts it into the prompt.
pub(super) fn palette(
    player: Player,
    at: impl Fn() -> Option<(WireId, Part)> + Send + Sync + 'static,
    line: RwSignal<String>,
) -> AnyView {
    let sayable = Memo::new(move |before: Option<&Offered>| {
        player.version.track();
        let Some((wire, part)) = at() else { return Offered::default() };
        let mut now = player.read(|story| story.sayable(Some(wire), part));
        let before = before.filter(|before| before.wire == Some(wire) && !before.first.is_empty());
        let first = match before {
            Some(before) => before.first.clone(),
            None => now.iter().map(|one| one.form).collect(),
        };
        now.sort_by_key(|one| first.contains(&one.form));
        Offered { wire: Some(wire), first, now }
    });
    let take = move |example: String| {
        line.set(example);
        browser::focus("prompt");
    };
    let offer = move |one: Sayable| {
        let example = one.example.clone();
        view! {
            <li>
                <Button class="quiet small-button wrap" press=move || take(example.clone())>
                    <span class="offer">
                        <code>{one.form}</code>
                        <span class="muted small">{one.gist}" "{one.law}</span>
                    </span>
                </Button>
            </li>
        }
    };
    let list = move || {
        let sayable = sayable.with(|offered| offered.now.clone());
        (!sayable.is_empty()).then(|| {
            view! {
                <h4>"You can say now"</h4>
                <ul class="palette">{sayable.into_iter().map(offer).collect_view()}</ul>
            }
        })
    };
    view! { {list} }.into_any()
}
