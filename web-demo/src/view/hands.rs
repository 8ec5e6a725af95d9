//! Hands-on: the prompt, the conversation, what was refused and why, and the state of the other side.

use leptos::prelude::*;

use pillarbox_world::world::WireId;

use crate::app::Ui;
use crate::browser;
use crate::controls::{
    BACKSPACE, Button, Icon, Prompt, Select, Show, Switch, Terminal, icon, offers,
};
use crate::player::Player;
use crate::story::Story;
use crate::story::hands::{self, PORTS, Part, Remark, Sayable, Wish};
use crate::story::seen::Seen;

use super::stage;

/// How much help there is with typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wheels {
    /// None; what can be said is told when it is asked for.
    Off,
    /// What can be said stands beside.
    Hints,
    /// And behind what is typed.
    Completion,
    /// Nothing is typed: what can be said is chosen.
    Choose,
}

impl Wheels {
    /// All, with the names by which they are kept and their words.
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Off, "off", "No help"),
        (Self::Hints, "hints", "Help: hints"),
        (Self::Completion, "completion", "Help: completion"),
        (Self::Choose, "choose", "I choose, and type nothing"),
    ];

    fn named(name: &str) -> Self {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map_or(Self::Completion, |one| one.0)
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(own, ..)| *own == self).map_or("", |one| one.1)
    }
}

/// The screen for speaking by hand, or what a link brought there.
pub(super) fn hands_on(begun: Option<(Story, Option<Seen>)>) -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set("Speak it yourself".to_owned());
    let wished = begun.as_ref().and_then(|(story, _)| story.wish());
    let usual = Wish { part: Part::Client, port: 25, textbook: true };
    let wish = RwSignal::new(wished.unwrap_or(usual));
    let wheels = RwSignal::new(Wheels::named(&browser::kept("wheels").unwrap_or_default()));
    let begun = StoredValue::new_local(begun);
    view! { <div class="hands">{move || conversation(wish, wheels, begun.try_update_value(Option::take).flatten())}</div> }.into_any()
}

/// One conversation; another wish begins another one.
fn conversation(
    wish: RwSignal<Wish>,
    wheels: RwSignal<Wheels>,
    begun: Option<(Story, Option<Seen>)>,
) -> AnyView {
    let now = wish.get();
    let (story, seen) = begun.unwrap_or_else(|| (hands::begin(now), None));
    let player = Player::new(story);
    player.open(Seen { cursor: usize::MAX, ..seen.unwrap_or_default() });
    player.chosen.set(player.read(|story| story.standing(now).wire));
    let said = RwSignal::new(Vec::<String>::new());
    let line = RwSignal::new(String::new());
    let (lf_only, terminal) = (RwSignal::new(false), RwSignal::new(Terminal::default()));
    let wrong = RwSignal::new(None::<String>);
    // Whether somebody without help asked what can be said.
    let asked = RwSignal::new(false);
    let standing = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.standing(now))
    });
    let offered = offered(player, move || Some((standing.get().wire?, now.part)));
    let put = move |octets: String| {
        let done = player.change(|story| story.say(now.part, octets.as_bytes()));
        wrong.set(done.err());
        player.pin.set(None);
        player.seek(usize::MAX);
    };
    // A key that goes back is an octet, where it was sent.
    let sent = |text: &str| text.replace(BACKSPACE, "\u{8}");
    let say = move |ended: bool| {
        let text = line.get_untracked();
        let end = match (ended, lf_only.get_untracked()) {
            (false, _) => "",
            (true, true) => "\n",
            (true, false) => "\r\n",
        };
        if terminal.get_untracked().at_once {
            // All but the line's end was sent when it was typed.
            put(end.to_owned());
        } else {
            let lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
            let between = if end.is_empty() { "\r\n" } else { end };
            put(sent(&lines.collect::<Vec<_>>().join(between)) + end);
        }
        said.update(|said| said.push(text));
        line.set(String::new());
        asked.set(false);
    };
    let piece = Callback::new(move |text: String| put(sent(&text)));
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
    let examples = examples(offered);
    let next = Signal::derive(move || match wheels.get() {
        Wheels::Completion => examples.get(),
        _ => Vec::new(),
    });
    let ask = Callback::new(move |()| asked.set(true));
    let chosen = Callback::new(move |example: String| {
        line.set(example);
        say(true);
        browser::focus_first(".palette button");
    });
    let chooses = Memo::new(move |_| wheels.get() == Wheels::Choose);
    view! {
        {choices(wish, wheels, player)}
        <div class="panes">
            <div class="hands-left">
                {stage::transcript(player, false)}
                {remark(player, now, undo)}
                {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
                <Show when=move || !closed.get() fallback=move || view! {
                    <div class="prompt over">
                        <p>"The connection is over."</p>
                        <Button class="primary" press=move || wish.set(now)>"Start again"</Button>
                        <Button press=undo>{icon(Icon::Undo)}<span>"Take the last line back"</span></Button>
                    </div>
                }>
                    <Show when=move || chooses.get() fallback=move || view! {
                        <Prompt label=label value=line history=said next=next terminal=terminal piece=piece ask=ask send=say />
                    }>
                        <div class="prompt chosen" role="group" aria-label="Choose what you say">
                            <span class="mono">{move || label.get()}</span>
                            {palette_with(offered, chosen, true)}
                        </div>
                    </Show>
                </Show>
            </div>
            <div class="hands-right">
                {state(player, now, undo)}
                <Show when=move || !chooses.get()>{sayable(offered, wheels, asked, line, lf_only, terminal)}</Show>
                {stage::inspector(player)}
            </div>
        </div>
    }
    .into_any()
}

fn choices(wish: RwSignal<Wish>, wheels: RwSignal<Wheels>, player: Player) -> AnyView {
    let helps = Wheels::ALL.map(|(_, name, words)| (name.to_owned(), words.to_owned())).to_vec();
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
            <Select label="Help with typing" options=Signal::stored(helps) chosen=Signal::derive(move || wheels.get().name().to_owned())
                set=move |value: String| {
                    browser::keep("wheels", Some(&value));
                    wheels.set(Wheels::named(&value));
                } />
            <Button class="quiet small-button" press=move || wish.update(|_| ())>"Start over"</Button>
            {stage::share(player)}
        </div>
    }
    .into_any()
}

/// What there is to say of the last line: a refusal explains itself, and offers to take the line back.
fn remark(player: Player, wish: Wish, undo: impl Fn() + Copy + Send + Sync + 'static) -> AnyView {
    let remark = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.remark(wish))
    });
    let show = move || {
        remark.get().map(|remark| {
            let (words, law) = remark.words();
            let (title, back) = match remark {
                Remark::Refused { .. } => ("Why? ", true),
                Remark::Waits { .. } => ("Nothing yet. ", true),
                Remark::Pipelined { .. } => ("Several at once. ", false),
            };
            view! {
                <div class="refusal" role="note">
                    <p><b>{title}</b>{words}" "{law.map(stage::law)}</p>
                    {back.then(|| view! {
                        <Button class="small-button" press=undo>{icon(Icon::Undo)}<span>"Take it back"</span></Button>
                    })}
                </div>
            }
        })
    };
    view! { {show} }.into_any()
}

/// The other side's state, and what time and keyboard do.
fn state(player: Player, wish: Wish, undo: impl Fn() + Copy + Send + Sync + 'static) -> AnyView {
    let standing = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.standing(wish))
    });
    let can_undo = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.typed_last().is_some())
    });
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
                {move || standing.get().left.map(|left| view! {
                    <p class="small time-out">"Time-out in "<b class="mono">{left}</b>", unless something is said before."</p>
                })}
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
            </div>
        </section>
    }
    .into_any()
}

/// What can be said, and how the terminal behaves.
fn sayable(
    offered: Memo<Offered>,
    wheels: RwSignal<Wheels>,
    asked: RwSignal<bool>,
    line: RwSignal<String>,
    lf_only: RwSignal<bool>,
    terminal: RwSignal<Terminal>,
) -> AnyView {
    let switch = move |label: &'static str, of: fn(&mut Terminal) -> &mut bool| {
        let on = Signal::derive(move || *of(&mut terminal.get()));
        view! { <Switch label=label on=on set=move |on| terminal.update(|terminal| *of(terminal) = on) /> }
    };
    view! {
        <section class="pane says-pane" aria-label="What you can say, and how">
            <div class="inspected">
                <Show when=move || wheels.get() != Wheels::Off || asked.get() fallback=move || view! {
                    <Button class="small-button" press=move || {
                        asked.set(true);
                        browser::focus_first(".palette button");
                    }>"What can I say now? "<kbd>"Ctrl+Space"</kbd></Button>
                }>{palette_of(offered, line)}</Show>
                <details class="telnet">
                    <summary>"As with telnet"</summary>
                    {switch("no local echo: what you type is not shown", |terminal| &mut terminal.silent)}
                    {switch("Backspace sends octet 8", |terminal| &mut terminal.backspace)}
                    {switch("a character at a time, sent as you type", |terminal| &mut terminal.at_once)}
                    <Switch label="my lines end with LF alone" on=lf_only set=move |on| lf_only.set(on) />
                </details>
            </div>
        </section>
    }
    .into_any()
}

/// What is offered. What could be said when the conversation began can be said nearly always; what came later is the
/// next step, and stands first.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Offered {
    wire: Option<WireId>,
    first: Vec<&'static str>,
    now: Vec<Sayable>,
}

/// What can be said now at an end of a wire, the next step first.
pub(super) fn offered(
    player: Player,
    at: impl Fn() -> Option<(WireId, Part)> + Send + Sync + 'static,
) -> Memo<Offered> {
    Memo::new(move |before: Option<&Offered>| {
        player.version.track();
        let Some((wire, part)) = at() else { return Offered::default() };
        let mut now = player.read(|story| story.sayable(Some(wire), part));
        let before = before.filter(|before| before.wire == Some(wire) && !before.first.is_empty());
        let first = match before {
            Some(before) => before.first.clone(),
            None => now.iter().map(|one| one.form).collect(),
        };
        pillarbox_engine::order::sort_by_key(&mut now, |one| first.contains(&one.form));
        Offered { wire: Some(wire), first, now }
    })
}

/// One of each of them, to be completed.
pub(super) fn examples(offered: Memo<Offered>) -> Signal<Vec<String>> {
    Signal::derive(move || {
        offered.with(|offered| offered.now.iter().map(|one| one.example.clone()).collect())
    })
}

/// What can be said now at an end of a wire, each with what it does.
pub(super) fn palette(
    player: Player,
    at: impl Fn() -> Option<(WireId, Part)> + Send + Sync + 'static,
    line: RwSignal<String>,
) -> AnyView {
    palette_of(offered(player, at), line)
}

/// What is offered, each with what it does; a press puts it into the prompt.
pub(super) fn palette_of(offered: Memo<Offered>, line: RwSignal<String>) -> AnyView {
    let take = Callback::new(move |example: String| {
        line.set(example);
        browser::focus("prompt");
    });
    palette_with(offered, take, false)
}

/// What is offered, and what happens with the one that is taken: it is shown as it is said then, or as what it is an example
/// of. Arrows go through it, and Esc back to the prompt.
fn palette_with(offered: Memo<Offered>, take: Callback<String>, said: bool) -> AnyView {
    let offer = move |one: Sayable| {
        let example = one.example.clone();
        let shown = if said { one.example } else { one.form.to_owned() };
        view! {
            <li data-row>
                <Button class="quiet small-button wrap" press=move || take.run(example.clone())>
                    <span class="offer">
                        <code>{shown}</code>
                        <span class="muted small">{one.gist}" "{one.law}</span>
                    </span>
                </Button>
            </li>
        }
    };
    let list = move || {
        let sayable = offered.with(|offered| offered.now.clone());
        (!sayable.is_empty()).then(|| {
            view! {
                <h4>"You can say now"</h4>
                {offers("palette", || browser::focus("prompt"), sayable.into_iter().map(offer).collect_view().into_any())}
            }
        })
    };
    view! { {list} }.into_any()
}
