//! The access lab: the mailbox on the server, and beside it what each device shows after each step.

use leptos::prelude::*;

use crate::app::Ui;
use crate::controls::{Button, Icon, icon};
use crate::player::Player;
use crate::story::Story;
use crate::story::access::{self, Desk, Mode, Row, Step, Truth};
use crate::story::seen::Seen;

use super::stage;

/// The screen, or what a link brought there.
pub(super) fn access(begun: Option<(Story, Option<Seen>)>) -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set("Access lab".to_owned());
    let round = RwSignal::new(0_u32);
    let begun = StoredValue::new_local(begun);
    view! {
        {move || {
            round.track();
            lab(ui, round, begun.try_update_value(Option::take).flatten())
        }}
    }
    .into_any()
}

fn lab(ui: Ui, round: RwSignal<u32>, begun: Option<(Story, Option<Seen>)>) -> AnyView {
    let (story, seen) = begun.unwrap_or_else(|| (access::begin(), None));
    let player = Player::new(story);
    player.open(Seen { cursor: usize::MAX, ..seen.unwrap_or_default() });
    let lesson = RwSignal::new(None::<&'static str>);
    let wrong = RwSignal::new(None::<String>);
    let act = move |step: Step| {
        let done = player.change(|story| story.take_step(&step));
        player.pin.set(None);
        player.chosen.set(None);
        player.seek(usize::MAX);
        lesson.set(done.is_ok().then(|| step.lesson()));
        wrong.set(done.err());
        if let Some(lesson) = lesson.get_untracked() {
            ui.told.set(lesson.to_owned());
        }
    };
    let read = move |read: fn(&Story) -> Vec<Desk>| {
        player.version.track();
        player.read(read)
    };
    let desks = Memo::new(move |_| read(Story::desks));
    let kept = Memo::new(move |_| {
        player.version.track();
        player.read(Story::kept)
    });
    let numbers = move || {
        player.version.track();
        player.read(Story::numbers)
    };
    let truth = Memo::new(move |_| {
        player.version.track();
        player.read(Story::truth)
    });
    let columns = move || desks.get().into_iter().map(|desk| column(desk, act)).collect_view();
    let more = Signal::derive(move || {
        player.version.track();
        player.read(Story::next_subject).is_none()
    });
    view! {
        <div class="access">
            <div class="choices-bar" role="group" aria-label="Whose mailbox">
                <Button class="small-button" disabled=more press=move || act(Step::More)>
                    {icon(Icon::Letter)}<span>"Alice writes to Bob"</span>
                </Button>
                <Button class="quiet small-button" press=move || act(Step::Renew)>"The server loses its UIDs"</Button>
                <Button class="quiet small-button" press=move || round.update(|round| *round += 1)>
                    {icon(Icon::Undo)}<span>"Start over"</span>
                </Button>
                {stage::share(player)}
                <p class="lesson" role="note">{move || lesson.get().unwrap_or(
                    "Bob's mailbox, and five devices that reach it in different ways. Check mail on one of them, and see who has what.",
                )}</p>
            </div>
            {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
            <div class="desks">
                <section class="desk server card" aria-label="The server">
                    <h2>"hamburger.edu"</h2>
                    <p class="muted small">"The mailbox is here"</p>
                    {move || rows(kept.get(), None, act)}
                    <p class="muted small heard">{numbers}</p>
                </section>
                {columns}
            </div>
            <div class="access-below">
                <section class="pane" aria-label="Who has what">
                    <h2 class="pane-title">"Who has what"</h2>
                    {move || table(truth.get(), desks.get())}
                </section>
                {stage::transcript(player, true)}
                {stage::inspector(player)}
            </div>
        </div>
    }
    .into_any()
}

/// What one device shows, and what can be done there.
fn column(desk: Desk, act: impl Fn(Step) + Copy + Send + Sync + 'static) -> AnyView {
    let Desk { device, title, mode, rows: shown, open, octets } = desk;
    let words = match (mode, open) {
        (Mode::Imap, false) => "Open the mailbox",
        (Mode::Imap, true) => "Look again",
        (Mode::Web, false) => "Sign in",
        (Mode::Web, true) => "Reload",
        _ => "Check mail",
    };
    let acts = open && matches!(mode, Mode::Imap | Mode::Web);
    let class = if mode == Mode::Imap { "desk card imap" } else { "desk card" };
    let heard = match octets {
        0 => "nothing fetched yet".to_owned(),
        octets => format!("{octets} octets came here"),
    };
    view! {
        <section class=class aria-label=title.clone()>
            <h2>{title.clone()}</h2>
            <p class="muted small">{mode.words()}</p>
            <Button class="small-button primary" press=move || act(Step::Check(device, mode))>{words}</Button>
            {rows(shown, acts.then_some((device, mode)), act)}
            <p class="muted small heard">{heard}</p>
        </section>
    }
    .into_any()
}

/// Messages somewhere; with what can be done to them, where the mailbox is open.
fn rows(
    rows: Vec<Row>,
    device: Option<(&'static str, Mode)>,
    act: impl Fn(Step) + Copy + Send + Sync + 'static,
) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted small none">"no messages"</p> }.into_any();
    }
    let row = |row: Row| {
        let mark = match row.read {
            Some(false) => "● ",
            _ => "",
        };
        let state = match row.read {
            Some(true) => "read",
            Some(false) => "unread",
            None => "a copy",
        };
        let work = (!row.folder.is_empty() && row.folder != "INBOX").then(|| row.folder.clone());
        let subject = row.subject.clone();
        let name = move |what: &str| Signal::stored(format!("{what}: {subject}"));
        let act_of = |words: &'static str, what: &str, step: Step| {
            view! {
                <Button class="quiet small-button" name=name(what) press=move || act(step.clone())>{words}</Button>
            }
        };
        let acts = device.zip(row.uid).map(|((device, mode), uid)| {
            let is_read = row.read == Some(true);
            let acts = match mode {
                Mode::Web => vec![
                    act_of("open", "Open", Step::Browse(device, uid, true)),
                    act_of("delete", "Delete", Step::Browse(device, uid, false)),
                ],
                _ => vec![
                    act_of(
                        if is_read { "unread" } else { "read" },
                        if is_read { "Mark as unread" } else { "Mark as read" },
                        Step::Read(device, uid, !is_read),
                    ),
                    act_of("file", "File in Work", Step::File(device, uid)),
                    act_of("delete", "Delete", Step::Delete(device, uid)),
                ],
            };
            view! { <span class="acts-row">{acts}</span> }
        });
        let class = if row.read == Some(false) { "mail unread" } else { "mail" };
        view! {
            <li class=class>
                <span><span aria-hidden="true">{mark}</span>{row.subject.clone()}</span>
                <span class="muted small">{work.map_or_else(|| state.to_owned(), |folder| format!("{folder}, {state}"))}</span>
                {acts}
            </li>
        }
    };
    view! { <ul class="mails">{rows.into_iter().map(row).collect_view()}</ul> }.into_any()
}

fn table(truth: Vec<Truth>, desks: Vec<Desk>) -> AnyView {
    let sign = |has: bool| {
        if has {
            view! { <td class="yes"><span aria-hidden="true">"✔"</span><span class="unseen">"has it"</span></td> }.into_any()
        } else {
            view! { <td class="no"><span aria-hidden="true">"–"</span><span class="unseen">"has it not"</span></td> }.into_any()
        }
    };
    let heads = desks.iter().map(|desk| view! { <th scope="col">{desk.title.clone()}</th> });
    let heads = heads.collect_view();
    let row = |row: Truth| {
        let read = if row.read { "read" } else { "not read" };
        let read = row.server.is_some().then_some(read).unwrap_or("–");
        let devices = row.devices.into_iter().map(sign).collect_view();
        view! {
            <tr>
                <th scope="row">{row.subject}</th>
                {sign(row.server.is_some())}
                {devices}
                <td>{read}</td>
            </tr>
        }
    };
    let rows = truth.into_iter().map(row).collect_view();
    view! {
        <div class="truth-pane" tabindex="0" role="region" aria-label="The table of who has what">
            <table class="plain truth">
                <thead><tr><th scope="col">"message"</th><th scope="col">"server"</th>{heads}<th scope="col">"state kept"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
