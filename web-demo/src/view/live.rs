//! Live: real conversations of the server that served this page, those of others and one's own, explained as on the stage.

use std::time::Duration;

use leptos::prelude::*;
use pillarbox_world::world::{Dir, WireId};

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Dialog, Field, Icon, Prompt, Row, Select, TextArea, icon};
use crate::link::{Link, News, Status};
use crate::player::Player;
use crate::story::Story;
use crate::story::hands::{PORTS, Part};
use crate::story::live::{Conversation, Errand, Live, Service, Task};

use super::{hands, simulated, stage};

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The screen's signals.
#[derive(Clone, Copy)]
struct Desk {
    ui: Ui,
    player: Player,
    live: StoredValue<Live, LocalStorage>,
    link: StoredValue<Option<Link>, LocalStorage>,
    listed: RwSignal<Vec<Conversation>>,
    /// What went wrong last, in words.
    wrong: RwSignal<Option<String>>,
    /// The conversation that is shown as a simulation.
    opened: RwSignal<Option<WireId>>,
    /// How visitors of this page are answered, and where it listens for them, once it does.
    serves: RwSignal<Option<(Service, Option<String>)>>,
}

impl Desk {
    /// Changes the record, does what is to be done for it outside, and shows what became of it.
    fn change<T>(self, change: impl FnOnce(&mut Live, &mut Story) -> T) -> Option<T> {
        let done = self.both(change)?;
        self.carry_out();
        self.show();
        Some(done)
    }

    fn both<T>(self, change: impl FnOnce(&mut Live, &mut Story) -> T) -> Option<T> {
        let change = |story: &mut Story| self.live.try_update_value(|live| change(live, story));
        self.player.story.try_update_value(change).flatten()
    }

    fn show(self) {
        self.player.version.update(|version| *version += 1);
        self.player.seek(usize::MAX);
        if let Some(listed) = self.live.try_with_value(|live| live.conversations().to_vec()) {
            self.listed.set(listed);
        }
    }

    /// Time has passed.
    fn look(self) {
        let before = self.player.story.try_with_value(|story| story.source().length());
        let Some(before) = before else { return };
        self.carry_out();
        if self.player.read(|story| story.source().length()) != before {
            self.show();
        }
    }

    fn carry_out(self) {
        let now = js_sys::Date::now() as u64;
        let errands = self.both(|live, story| live.pass(story, now)).unwrap_or_default();
        let Some(link) = self.link.try_get_value().flatten() else { return };
        for errand in errands {
            match errand {
                Errand::Open(wire, service) => {
                    self.player.chosen.set(Some(wire));
                    link.open(wire, service);
                }
                Errand::Send(wire, octets) => link.send(wire, &octets),
                Errand::Close(wire) => link.close(wire),
                Errand::Answer(_, number, octets) => link.answer(number, &octets),
                Errand::Leave(_, number) => link.answer(number, &[]),
            }
        }
    }

    fn hear(self, news: News) {
        match news {
            News::Told(told) => {
                let forgot = self.change(|live, story| {
                    let before = live.has_forgotten;
                    live.told(story, told);
                    live.has_forgotten && !before
                });
                if forgot == Some(true) {
                    self.player.chosen.set(None);
                    self.player.pin.set(None);
                }
            }
            News::Gap => {
                self.both(|live, story| live.lost(story));
                self.wrong.set(Some("Some of what was said is lost: too much at once.".to_owned()))
            }
            News::Connected(wire, local) => {
                self.change(|live, story| live.connected(story, wire, local));
            }
            News::Came(wire, octets) => {
                self.change(|live, story| live.came(story, wire, &octets));
            }
            News::Ended(wire, why) => {
                self.change(|live, story| live.ended(story, wire));
                self.ui.told.set(format!("The connection is over: {why}."));
            }
            News::Listening(address) => {
                self.ui.told.set(format!("This page is a server at {address}."));
                self.serves.update(|serves| {
                    if let Some((_, at)) = serves {
                        *at = Some(address);
                    }
                });
            }
            News::Arrived(number, peer) => {
                let Some((service, _)) = self.serves.get_untracked() else { return };
                let wire = self.change(|live, story| live.arrived(story, number, peer, service));
                self.player.pin.set(None);
                self.player.chosen.set(wire.flatten());
            }
            News::Visitor(number, octets) => {
                self.change(|live, story| live.visitor_said(story, number, &octets));
            }
            News::Deaf(why) => {
                self.closed();
                self.wrong.set(Some(format!("This page is a server no longer: {why}.")));
            }
        }
    }

    /// Nobody can visit this page.
    fn closed(self) {
        self.serves.set(None);
        self.change(|live, story| live.visitors_gone(story));
    }

    fn task(self, task: Task) {
        self.player.pin.set(None);
        let done = self.change(|live, story| live.begin_task(story, task));
        self.wrong.set(done.and_then(Result::err));
    }
}

/// The screen.
pub(super) fn live() -> AnyView {
    let ui: Ui = expect_context();
    let (live, story) = Live::begin(js_sys::Date::now() as u64);
    let desk = Desk {
        ui,
        player: Player::new(story),
        live: StoredValue::new_local(live),
        link: StoredValue::new_local(None),
        listed: RwSignal::new(Vec::new()),
        wrong: RwSignal::new(None),
        opened: RwSignal::new(None),
        serves: RwSignal::new(None),
    };
    let link = Link::new(move |news| desk.hear(news));
    desk.link.set_value(Some(link));
    if let Ok(timer) = set_interval_with_handle(move || desk.look(), LOOK_EVERY) {
        on_cleanup(move || timer.clear());
    }
    // Whoever comes here when nobody serves the page needs nothing but to know how to get one that does.
    let is_nobody = Memo::new(move |_| link.status.get() == Status::Nobody);
    let content = move || if is_nobody.get() { nobody(link) } else { table(desk, link) };
    view! {
        {move || match desk.opened.get() {
            Some(wire) => simulation(desk, wire),
            None => {
                ui.title.set("Live".to_owned());
                view! { <div class="hands live">{content}</div> }.into_any()
            }
        }}
    }
    .into_any()
}

/// A conversation as a simulation, in place of the table until somebody goes back to it.
fn simulation(desk: Desk, wire: WireId) -> AnyView {
    let back = move || desk.opened.set(None);
    match desk.both(|live, story| live.simulate(story, wire)) {
        Some(Ok(simulation)) => simulated::screen(simulation, back),
        _ => {
            back();
            ().into_any()
        }
    }
}

/// Opens the conversation that is shown as a simulation.
fn simulate(desk: Desk) -> AnyView {
    let wire = desk.player.wire;
    let why_not = Memo::new(move |_| {
        desk.player.version.track();
        let wire = wire.get()?;
        Some(desk.live.with_value(|live| desk.player.read(|story| live.unsimulated(story, wire))))
    });
    let is_off = Signal::derive(move || why_not.get().flatten().is_some());
    let words = move || {
        why_not
            .get()
            .flatten()
            .unwrap_or_else(|| "What the program said, said again to the engine here.".to_owned())
    };
    view! {
        <Show when=move || why_not.get().is_some()>
            <div class="simulate">
                <Button class="small-button" disabled=is_off press=move || desk.opened.set(wire.get_untracked())>
                    {icon(Icon::Play)}<span>"Open as a simulation"</span>
                </Button>
                <span class="muted small">{words}</span>
            </div>
        </Show>
    }
    .into_any()
}

fn nobody(link: Link) -> AnyView {
    view! {
        <div class="page">
            <h1>"There is no server behind this page"</h1>
            <p class="lead-in">
                "Live shows what programs really say to a Pillarbox server on your own machine. This page is a copy that no "
                "server of yours handed out, or that server has stopped, or it has accounts, and then its mail is nobody "
                "else's business. All the other screens work without one."
            </p>
            <p>"Start one, and open the page that it serves:"</p>
            <pre class="quote mono">"cargo run --release\nhttp://127.0.0.1:8025/playground/#/live"</pre>
            <p class="go"><Button class="primary" press=move || link.ask()>"Look again"</Button></p>
        </div>
    }
    .into_any()
}

fn table(desk: Desk, link: Link) -> AnyView {
    view! {
        {bar(desk, link)}
        <div class="panes">
            {list(desk, link)}
            <div class="hands-left">
                {stage::transcript(desk.player, false)}
                {simulate(desk)}
                {move || desk.wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
                {speak(desk)}
            </div>
            <div class="hands-right">{stage::inspector(desk.player)}</div>
        </div>
    }
    .into_any()
}

fn bar(desk: Desk, link: Link) -> AnyView {
    let status = move || match link.status.get() {
        Status::Asking => ("chip", "asking the server …"),
        Status::There(_) => ("chip good", "● connected"),
        Status::Lost => ("chip bad", "✖ the server is gone; it is asked again"),
        Status::Nobody => ("chip bad", "✖ nobody answers"),
    };
    let is_off = Signal::derive(move || !matches!(link.status.get(), Status::There(_)));
    let serves = RwSignal::new(false);
    let sends = RwSignal::new(false);
    let reads = RwSignal::new(false);
    let saves = RwSignal::new(false);
    let by_hand = PORTS.map(|(port, name)| {
        view! {
            <Button class="small-button" disabled=is_off press=move || {
                desk.task(Task::Type(port));
            }>{icon(Icon::Keyboard)}<span>{format!("Type {name}")}</span></Button>
        }
    });
    view! {
        <div class="choices-bar" role="group" aria-label="What to do at the server">
            <span class=move || status().0 role="status">{move || status().1}</span>
            <Button class="primary small-button" disabled=is_off press=move || sends.set(true)>
                {icon(Icon::Letter)}<span>"Send a mail …"</span>
            </Button>
            <Button class="small-button" disabled=is_off press=move || reads.set(true)>
                {icon(Icon::Devices)}<span>"Read mail …"</span>
            </Button>
            {by_hand.into_iter().collect_view()}
            <Button class="small-button" disabled=is_off press=move || serves.set(true)>
                {icon(Icon::Share)}<span>"Be the server …"</span>
            </Button>
            <Button class="quiet small-button" press=move || saves.set(true)>{icon(Icon::Save)}<span>"Files"</span></Button>
        </div>
        {serving(desk, link)}
        {stage::files(desk.player, saves, true)}
        {serve_dialog(desk, link, serves)}
        {send_dialog(desk, sends)}
        {read_dialog(desk, reads)}
    }
    .into_any()
}

/// Where this page listens, and how to visit it.
fn serving(desk: Desk, link: Link) -> AnyView {
    let stop = move || {
        link.listen_no_longer();
        desk.closed();
    };
    let told = move || {
        let (service, address) = desk.serves.get()?;
        let who = if service.by_hand { "you answer" } else { "the engine in this page answers" };
        let what = match &address {
            Some(address) => format!("● this page is a server at {address}: {who}"),
            None => "asking for the port …".to_owned(),
        };
        let example = address.map(|address| service.example(&address));
        Some(view! {
            <div class="choices-bar serving" role="group" aria-label="This page as a server">
                <span class="chip good" role="status">{what}</span>
                <Button class="small-button" press=stop>"Stop"</Button>
                {example.map(|example| view! { <code class="small">{example}</code> })}
            </div>
        })
    };
    view! { {told} }.into_any()
}

fn serve_dialog(desk: Desk, link: Link, open: RwSignal<bool>) -> AnyView {
    let place = RwSignal::new("2626".to_owned());
    let port = RwSignal::new(PORTS[0].0.to_string());
    let who = RwSignal::new("engine".to_owned());
    let ports = PORTS.map(|(port, name)| (port.to_string(), name.to_owned())).to_vec();
    let whom = [("engine", "The engine in this page"), ("hand", "I type the answers")];
    let whom = whom.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let (ports, whom) = (Signal::stored(ports), Signal::stored(whom));
    let wrong = RwSignal::new(false);
    let start = move || {
        let place = place.get_untracked().trim().parse::<u16>().ok().filter(|place| *place >= 1024);
        let (Some(place), Ok(port)) = (place, port.get_untracked().parse()) else {
            wrong.set(true);
            return;
        };
        wrong.set(false);
        open.set(false);
        desk.closed();
        desk.wrong.set(None);
        let by_hand = who.with_untracked(|who| who == "hand");
        desk.serves.set(Some((Service { port, by_hand }, None)));
        link.listen(place);
    };
    view! {
        <Dialog open=open title="Be the server">
            <p class="muted">
                "Your server lends this page a port of your own machine, and of no other one. Any program that connects to it "
                "speaks with this page: a command, or the mail program that you use. It ends when you stop it or leave."
            </p>
            <div class="form">
                <Select label="What is spoken" options=ports chosen=port set=move |value| port.set(value) />
                <Select label="Who answers" options=whom chosen=who set=move |value| who.set(value) />
                <Field label="Port, 1024 or more" value=place send=start />
                <Show when=move || wrong.get()><p class="defect" role="alert">"A port is a number from 1024 to 65535."</p></Show>
                <div class="go"><Button class="primary" press=start>"Listen"</Button></div>
            </div>
        </Dialog>
    }
    .into_any()
}

fn send_dialog(desk: Desk, open: RwSignal<bool>) -> AnyView {
    let from = RwSignal::new("alice@crepes.fr".to_owned());
    let to = RwSignal::new("bob@hamburger.edu".to_owned());
    let subject = RwSignal::new("Ketchup".to_owned());
    let text = RwSignal::new("Do you like ketchup?\nHow about pickles?\n".to_owned());
    let send = move || {
        open.set(false);
        desk.task(Task::Send {
            from: from.get_untracked(),
            to: to.get_untracked(),
            subject: subject.get_untracked(),
            text: text.get_untracked(),
        });
    };
    view! {
        <Dialog open=open title="Send a mail to your server">
            <p class="muted">"The engine in this page is the client. It sends the message to your server for real."</p>
            <div class="form">
                <Field label="From" value=from send=send />
                <Field label="To" value=to send=send />
                <Field label="Subject" value=subject send=send />
                <TextArea label="Text" value=text />
                <div class="go"><Button class="primary" press=send>"Send"</Button></div>
            </div>
        </Dialog>
    }
    .into_any()
}

fn read_dialog(desk: Desk, open: RwSignal<bool>) -> AnyView {
    let account = RwSignal::new("bob@hamburger.edu".to_owned());
    let read = move |by_imap: bool| {
        open.set(false);
        desk.task(Task::Read { account: account.get_untracked(), by_imap });
    };
    view! {
        <Dialog open=open title="Read mail from your server">
            <p class="muted">"The engine in this page logs in as this user; on a server for development any password is right."</p>
            <div class="form">
                <Field label="Whose mailbox" value=account send=move || read(false) />
                <div class="go">
                    <Button class="primary" press=move || read(false)>"By POP3"</Button>
                    <Button press=move || read(true)>"By IMAP"</Button>
                </div>
            </div>
        </Dialog>
    }
    .into_any()
}

/// Conversations, the newest first; where there is none, what would make one.
fn list(desk: Desk, link: Link) -> AnyView {
    let chosen = desk.player.wire;
    let row = move |one: Conversation| {
        let wire = one.wire;
        let is_chosen = Memo::new(move |_| chosen.get() == Some(wire));
        let first = Memo::new(move |_| {
            let shown = chosen.get();
            desk.listed
                .with(|listed| shown.or_else(|| listed.first().map(|one| one.wire)) == Some(wire))
        });
        let sign = match (one.bad, one.open) {
            (true, _) => ("chip bad", "✖"),
            (false, true) => ("chip good", "●"),
            (false, false) => ("chip", "over"),
        };
        view! {
            <Row
                class=Signal::stored("talk".to_owned())
                first=first
                current=is_chosen
                press=move || {
                    desk.player.pin.set(None);
                    desk.player.chosen.set(Some(wire));
                }
                at=|_| ()
            >
                <b>{one.protocol}</b>
                <span class="who">{one.who}</span>
                <span class=sign.0>{sign.1}</span>
                <time class="mono">{one.clock}</time>
                <span class="last mono">{one.last}</span>
            </Row>
        }
    };
    let key = |one: &Conversation| (one.wire, one.open, one.bad, one.last.clone());
    let is_empty = Memo::new(move |_| desk.listed.with(Vec::is_empty));
    let places = move || match link.status.get() {
        Status::There(services) => {
            let place = |(name, address): (String, String)| {
                view! { <dt>{name}</dt><dd class="mono">{address}</dd> }
            };
            services.into_iter().map(place).collect_view()
        }
        _ => Vec::new(),
    };
    view! {
        <section class="pane talks" aria-label="Conversations">
            <h2 class="pane-title">"Conversations"</h2>
            <ol class="rows">
                <For each=move || desk.listed.get() key=key children=row />
            </ol>
            <Show when=move || is_empty.get()>
                <div class="empty">
                    <p>"Nobody speaks to the server right now."</p>
                    <p>"Send a mail with the button above, or point any program at one of these: what it says appears here at once."</p>
                </div>
            </Show>
            <dl class="facts services">{places}</dl>
            {move || desk.listed.with(|listed| !listed.is_empty()).then(|| view! {
                <p class="empty small">"Conversations that begin while this page is open are shown. Passwords are masked by the server."</p>
            })}
        </section>
    }
    .into_any()
}

/// The prompt, on a connection of one's own.
fn speak(desk: Desk) -> AnyView {
    let player = desk.player;
    let line = RwSignal::new(String::new());
    let said = RwSignal::new(Vec::<String>::new());
    let at = Memo::new(move |_| {
        player.version.track();
        let wire = player.wire.get()?;
        desk.live.with_value(|live| player.read(|story| live.typing(story, wire)))
    });
    let state = Memo::new(move |_| {
        player.version.track();
        let (wire, part) = at.get()?;
        Some(player.read(|story| story.state_beyond(wire, part)))
    });
    let label = Signal::derive(move || {
        let served = matches!(at.get(), Some((_, Part::Server)));
        let letter = if served { Dir::ToClient.letter() } else { Dir::ToServer.letter() };
        match state.get() {
            Some(state) if !state.is_empty() => format!("{state} · {letter}:"),
            _ => format!("{letter}:"),
        }
    });
    let advice = Memo::new(move |_| {
        player.version.track();
        let (wire, _) = at.get()?;
        desk.live.with_value(|live| player.read(|story| live.advice(story, wire)))
    });
    let send = move |ended: bool| {
        let Some((wire, _)) = at.get_untracked() else { return };
        let text = line.get_untracked();
        let octets = (text.replace('\n', "\r\n") + if ended { "\r\n" } else { "" }).into_bytes();
        said.update(|said| said.push(text));
        line.set(String::new());
        player.pin.set(None);
        let done = desk.change(|live, story| live.say(story, wire, &octets));
        desk.wrong.set(done.and_then(Result::err));
        browser::focus("prompt");
    };
    let hang_up = move || {
        if let Some((wire, _)) = at.get_untracked() {
            desk.change(|live, story| live.hang_up(story, wire));
        }
    };
    let would = Memo::new(move |_| {
        player.version.track();
        let (wire, _) = at.get()?;
        desk.live.with_value(|live| player.read(|story| live.would_say(story, wire)))
    });
    let example = move || {
        let lines = would.get()?;
        let take = lines.join("\n");
        let lines = lines.into_iter().map(|line| view! { <code>{line}</code> }).collect_view();
        let take = move || {
            line.set(take.clone());
            browser::focus("prompt");
        };
        Some(view! {
            <p class="small">"The engine, which reads along, would say:"</p>
            <Button class="quiet small-button wrap would" press=take><span class="offer">{lines}</span></Button>
        })
    };
    let typed: Signal<Option<(WireId, Part)>> = at.into();
    view! {
        <Show when=move || at.get().is_some()>
            <details class="sayable" open=true>
                <summary>"What can I say now?"</summary>
                {hands::palette(player, move || typed.get(), line)}
                {move || advice.get().map(|advice| view! { <p class="small">{advice}</p> })}
                {example}
                <Button class="quiet small-button" press=hang_up>"Hang up"</Button>
            </details>
            <Prompt label=label value=line history=said send=send />
        </Show>
    }
    .into_any()
}
