//! Live: real conversations of the server that served this page, those of others and one's own, explained as on the stage.

use std::time::Duration;

use leptos::prelude::*;
use pillarbox_world::world::WireId;

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Dialog, Field, Icon, Prompt, Row, TextArea, icon};
use crate::link::{Link, News, Status};
use crate::player::Player;
use crate::story::Story;
use crate::story::hands::{PORTS, Part};
use crate::story::live::{Conversation, Errand, Live, Task};

use super::{hands, stage};

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
        }
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
    ui.title.set("Live".to_owned());
    let (live, story) = Live::begin(js_sys::Date::now() as u64);
    let desk = Desk {
        ui,
        player: Player::new(story),
        live: StoredValue::new_local(live),
        link: StoredValue::new_local(None),
        listed: RwSignal::new(Vec::new()),
        wrong: RwSignal::new(None),
    };
    let link = Link::new(move |news| desk.hear(news));
    desk.link.set_value(Some(link));
    if let Ok(timer) = set_interval_with_handle(move || desk.look(), LOOK_EVERY) {
        on_cleanup(move || timer.clear());
    }
    // Whoever comes here when nobody serves the page needs nothing but to know how to get one that does.
    let is_nobody = Memo::new(move |_| link.status.get() == Status::Nobody);
    let content = move || if is_nobody.get() { nobody(link) } else { table(desk, link) };
    view! { <div class="hands live">{content}</div> }.into_any()
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
            <Button class="quiet small-button" press=move || saves.set(true)>{icon(Icon::Save)}<span>"Files"</span></Button>
        </div>
        {stage::files(desk.player, saves, true)}
        {send_dialog(desk, sends)}
        {read_dialog(desk, reads)}
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
    let label = Signal::derive(move || match state.get() {
        Some(state) if !state.is_empty() => format!("{state} · C:"),
        _ => "C:".to_owned(),
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
    let typed: Signal<Option<(WireId, Part)>> = at.into();
    view! {
        <Show when=move || at.get().is_some()>
            <details class="sayable" open=true>
                <summary>"What can I say now?"</summary>
                {hands::palette(player, move || typed.get(), line)}
                <Button class="quiet small-button" press=hang_up>"Hang up"</Button>
            </details>
            <Prompt label=label value=line history=said send=send />
        </Show>
    }
    .into_any()
}
