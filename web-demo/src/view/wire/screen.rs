//! Octets as a screen of its own: the words of a connection, the octets of one line, its parts, and what they mean.

use leptos::prelude::*;
use pillarbox_world::world::{Dir, WireId};

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Dialog, Field, Icon, Select, Show, icon};
use crate::player::{Focus, Player};
use crate::route::Route;
use crate::story::filter::Filter;
use crate::story::range::{FORMS, Kin, READINGS};
use crate::story::{Story, scenarios};
use crate::view::stage;

use super::{HEX_ROW, hex_rows, tree};

/// The scenario whose octets are shown first.
const FIRST: &str = "crepes-hamburger";
/// Octets in one row, where there is room.
const ROW: usize = 16;

/// The screen.
pub(crate) fn screen(name: Option<&str>) -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set("Wire".to_owned());
    let id = name.unwrap_or(FIRST).to_owned();
    let Some(story) = Story::scenario(&id) else {
        return crate::view::nowhere("There is no such scenario", &format!("None is called {id}."));
    };
    let player = Player::new(story.without_questions());
    player.seek(usize::MAX);
    let first =
        player.read(|story| story.source().tape().world().wires().first().map(|wire| wire.id));
    player.chosen.set(first);
    // The first line is looked at, so that nobody sees empty panes.
    if let Some(line) = first
        .and_then(|wire| player.read(|story| story.spoken(wire, usize::MAX).into_iter().next()))
    {
        player.pin.set(Some(Focus::Octets {
            wire: line.wire,
            dir: line.dir,
            start: line.start,
            end: line.end,
        }));
    }
    let options: Vec<_> = scenarios().into_iter().map(|one| (one.id, one.title)).collect();
    let chosen = Signal::stored(id);
    let side = RwSignal::new(String::new());
    let sides = [("", "both sides"), ("C", "the client alone"), ("S", "the server alone")];
    let sides = sides.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let (wanted, filter) = (RwSignal::new(String::new()), RwSignal::new(Filter::default()));
    let wrong = RwSignal::new(None::<String>);
    Effect::new(move |_| match Filter::parse(&wanted.get()) {
        Ok(parsed) => {
            wrong.set(None);
            filter.set(parsed);
        }
        // While it is typed the lines stay as they are.
        Err(why) => wrong.set(Some(why)),
    });
    let which = Signal::derive(move || {
        let side =
            side.with(|side| Dir::BOTH.into_iter().find(|dir| side.chars().eq([dir.letter()])));
        (side, filter.get())
    });
    let wish = Callback::new(move |words: String| {
        side.set(String::new());
        wanted.set(words);
    });
    let only = stage::Only { which, wish };
    listen(ui, player);
    view! {
        <div class="wire">
            <div class="choices-bar" role="group" aria-label="What is looked at">
                <Select label="Scenario" options=Signal::stored(options) chosen=chosen set=move |id: String| {
                    browser::go(&Route::Wire(Some(id)).to_string());
                } />
                <Select label="Who speaks" options=Signal::stored(sides) chosen=side set=move |to| side.set(to) />
                <div class="wire-filter"><Field label="Only lines with" value=wanted send=|| () /></div>
                {saves(player)}
                <p class="muted small">{move || match wrong.get() {
                    Some(why) => view! { <span class="defect" role="status">{why}</span> }.into_any(),
                    None => view! { <code>"code:5*"</code>", "<code>"label:path"</code>", or words of the line" }.into_any(),
                }}</p>
                <p class="hint-keys muted small">
                    <kbd>"←"</kbd><kbd>"→"</kbd>" beside "<kbd>"↑"</kbd>" what it lies in "<kbd>"↓"</kbd>" what lies in it "
                    <kbd>"e"</kbd>" explain "<kbd>"c"</kbd>" copy a link"
                </p>
            </div>
            <div class="wire-panes">
                {stage::whole(player, only)}
                {octets(player)}
                {stage::meaning(player)}
            </div>
        </div>
    }
    .into_any()
}

/// The line that is looked at: its octets, and its parts.
fn octets(player: Player) -> AnyView {
    let line = Memo::new(move |_| match player.pin.get().or_else(|| player.focus()) {
        Some(Focus::Octets { wire, dir, start, .. }) => {
            let (start, end) = player.read(|story| story.line_of(wire, dir, start))?;
            Some((wire, dir, start, end))
        }
        _ => None,
    });
    let way = RwSignal::new(READINGS[0].0.to_owned());
    let narrow = stage::narrow();
    let shown = move || {
        let row = if narrow.get() { HEX_ROW } else { ROW };
        line.get().map(|(wire, dir, start, end)| {
            view! {
                <h2 class="pane-title">"Octets"</h2>
                {hex_rows(player, wire, dir, start, end, row)}
                {reading(player, (wire, dir, start, end), way)}
                <h2 class="pane-title">"Parts"</h2>
                {tree(player, wire, dir, start)}
            }
        })
    };
    view! {
        <section class="pane octets-pane" aria-label="Octets and parts">
            {shown}
            <Show when=move || line.get().is_none()>
                <p class="empty">"Choose a line: its octets and its parts are shown here."</p>
            </Show>
        </section>
    }
    .into_any()
}

/// The octets that are looked at, read in another way.
fn reading(player: Player, line: (WireId, Dir, u64, u64), way: RwSignal<String>) -> AnyView {
    let options = READINGS.map(|(way, words)| (way.to_owned(), words.to_owned())).to_vec();
    let (wire, dir, from, to) = line;
    let read = Memo::new(move |_| {
        // What is looked at elsewhere is not what stands above.
        let range = match player.focus() {
            Some(Focus::Octets { wire: w, dir: d, start, end })
                if (w, d) == (wire, dir) && from <= start && end <= to =>
            {
                (start, end)
            }
            _ => (from, to),
        };
        way.with(|way| player.read(|story| story.reading(wire, dir, range, way)))
    });
    let shown = move || match read.get() {
        Some(text) => view! { <p class="quote mono">{text}</p> }.into_any(),
        None => view! { <p class="muted">"These octets are not written so."</p> }.into_any(),
    };
    view! {
        <div class="reading">
            <h2 class="pane-title">"The same, read as"</h2>
            <Select label="How the chosen octets are read" options=Signal::stored(options) chosen=way set=move |to| way.set(to) />
            {shown}
        </div>
    }
    .into_any()
}

/// What keys do here: arrows lead among parts, the rest is as on a stage.
fn listen(ui: Ui, player: Player) {
    ui.key.set(None);
    Effect::new(move |_| {
        let Some(key) = ui.key.get() else { return };
        ui.key.set(None);
        let Some(kin) = Kin::of_key(&key) else {
            match key.as_str() {
                "c" => {
                    // The link is to what is looked at.
                    if let Some(focus) = player.focus_untracked() {
                        player.pin.set(Some(focus));
                    }
                    stage::copy_link(ui, player);
                }
                key => player.key(key),
            }
            return;
        };
        let Some(Focus::Octets { wire, dir, start, end }) = player.focus_untracked() else {
            return;
        };
        let beside = player.read(|story| story.kin(wire, dir, (start, end), kin));
        if let Some((start, end)) = beside {
            player.hover.set(None);
            player.pin.set(Some(Focus::Octets { wire, dir, start, end }));
            request_animation_frame(|| browser::focus_beside("[aria-current]"));
        }
    });
}

/// The connection as files.
fn saves(player: Player) -> AnyView {
    let ui: Ui = expect_context();
    let open = RwSignal::new(false);
    let form = move |(name, words, media_type): (&'static str, &'static str, &'static str)| {
        let save = move || {
            let Some(wire) = player.wire.get_untracked() else { return };
            let octets = player.read(|story| story.in_form(wire, name));
            browser::download(name, media_type, &octets);
            ui.told.set(format!("{name} was saved."));
        };
        view! { <li><Button class="small-button" press=save>{icon(Icon::Save)}<span>{words}</span></Button></li> }
    };
    view! {
        <Button class="small-button" press=move || open.set(true)>{icon(Icon::Save)}<span>"Save …"</span></Button>
        <Dialog open=open title="Save this connection">
            <ul class="forms">{FORMS.into_iter().map(form).collect_view()}</ul>
            <p class="muted small">"Secrets are stars in it."</p>
        </Dialog>
    }
    .into_any()
}
