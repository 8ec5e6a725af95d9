//! The message lab: a message as it is written, its parts, and what each of them means.

use leptos::prelude::*;

use pillarbox_world::tape::{Scenario, share};

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Dialog, Icon, Row, Select, Show, TextArea, icon, tabs};
use crate::route::Route;
use crate::story::covered;
use crate::story::message::{self, Facts, Part, Shown, samples};
use crate::story::part::{self, Added};

use super::{hop, smime, stage};

/// The values of the tabs.
const PARTS: &str = "parts";
const SIGNED: &str = "signed";
const HOP: &str = "hop";

/// What can be added: value, words, and what could stand there.
const KINDS: [(&str, &str, &str); 3] = [
    ("text", "a text", "How about pickles?\n"),
    ("html", "HTML: the same in another form", "<p>Do you like <b>ketchup</b>?</p>\n"),
    ("file", "a file", ""),
];

/// The screen of the message lab, with the messages of a world if one is named.
pub(super) fn lab(world: Option<&str>) -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set("Message lab".to_owned());
    // Names of scenarios may begin as links to letters do.
    let is_letter =
        |world: &&str| world.starts_with(share::LETTER) && Scenario::named(world).is_none();
    let linked = world.filter(is_letter).map(share::decode_letter);
    let looked =
        linked.as_ref().and_then(|linked| linked.as_ref().ok()).map(|(_, tab)| tab.clone());
    let linked = linked.map(|linked| match linked {
        Ok((octets, _)) => Ok(vec![("The message of the link".to_owned(), octets)]),
        Err(why) => Err(why.to_string()),
    });
    let mut all = match linked.or_else(|| world.map(message::arrived)) {
        None => Vec::new(),
        Some(Ok(all)) => all,
        Some(Err(why)) => {
            let place = Route::Message(world.map(str::to_owned));
            return super::nowhere("There is no such place", &format!("{place}: {why}"));
        }
    };
    all.extend(samples().map(|(name, text)| (name.to_owned(), message::octets(text))));
    let options: Vec<_> = all.iter().map(|(name, _)| (name.clone(), name.clone())).collect();
    let protected =
        |(_, octets): &&(String, Vec<u8>)| covered::is_protected(&message::parts(octets));
    // A message alone is what was sent; of several, the one with more to see comes first.
    let first = if looked.is_some() { all.first() } else { all.iter().find(protected) };
    let usual = if looked.is_none() && first.is_some() { SIGNED } else { PARTS };
    let looked = looked.filter(|tab| [PARTS, HOP, SIGNED].contains(&tab.as_str()));
    let tab = RwSignal::new(looked.unwrap_or_else(|| usual.to_owned()));
    let (name, octets) = first.unwrap_or(&all[0]).clone();
    let typed = RwSignal::new(message::typed(&octets));
    let (sample, raw) = (RwSignal::new(name), RwSignal::new(octets));
    let put = move |octets: Vec<u8>| {
        typed.set(message::typed(&octets));
        raw.set(octets);
    };
    // What somebody types is the message; what was put there may hold octets that no text has.
    Effect::new(move |_| {
        let text = typed.get();
        if raw.with_untracked(|raw| message::typed(raw) != text) {
            raw.set(message::octets(&text));
        }
    });
    let all = StoredValue::new(all);
    let choose = move |name: String| {
        let found = all.with_value(|all| all.iter().find(|(known, _)| *known == name).cloned());
        if let Some((name, octets)) = found {
            put(octets);
            sample.set(name);
        }
    };
    let place = move || {
        let link = raw.with_untracked(|raw| share::encode_letter(raw, &tab.get_untracked()));
        link.map(|link| Route::Message(Some(link)))
    };
    let names = [(PARTS, "Parts"), (HOP, "Seven bits"), (SIGNED, "Signed and encrypted")];
    let names = names.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let panes = move || match tab.get().as_str() {
        SIGNED => smime::bench(raw, put),
        HOP => hop::hop(raw),
        _ => parts(raw),
    };
    view! {
        <div class="lab">
            <div class="choices-bar" role="group" aria-label="Message">
                <Select label="A message to begin with" options=Signal::stored(options) chosen=sample set=choose />
                {tabs("lab", "What to look at", names, tab)}
                {add_part(raw, put)}
                {stage::share_place(place)}
                <p class="muted small">{move || told(raw.with(|raw| message::facts(raw)))}</p>
                {move || raw.with(|raw| message::remark(raw)).map(|why| view! { <p class="defect" role="status">{why}</p> })}
            </div>
            <div class="lab-panes">
                <section class="pane" aria-label="As it travels">
                    <h2 class="pane-title">"The message, as it travels"</h2>
                    <TextArea label="The message" value=typed />
                </section>
                <div class="lab-panel" id="lab-panel" role="tabpanel">{panes}</div>
            </div>
        </div>
    }
    .into_any()
}

/// Adds a part: text, HTML, or a file.
fn add_part(
    raw: RwSignal<Vec<u8>>,
    put: impl Fn(Vec<u8>) + Copy + Send + Sync + 'static,
) -> AnyView {
    let ui: Ui = expect_context();
    let (open, wrong) = (RwSignal::new(false), RwSignal::new(None::<String>));
    let kind = RwSignal::new(KINDS[0].0.to_owned());
    let text = RwSignal::new("How about pickles?\n".to_owned());
    let add = move |added: Added| match raw.with_untracked(|raw| part::add(raw, &added)) {
        Ok(octets) => {
            open.set(false);
            put(octets);
            ui.told.set("The part was added.".to_owned());
        }
        Err(why) => wrong.set(Some(why)),
    };
    let choose = move |value: String| {
        text.set(
            KINDS.iter().find(|(kind, ..)| *kind == value).map_or("", |kind| kind.2).to_owned(),
        );
        kind.set(value);
    };
    let file = move |name: String, octets: Option<Vec<u8>>| match octets {
        Some(octets) => add(Added::File(name, octets)),
        None => {
            let _ = wrong.try_set(Some(format!("{name} is larger than a message here can be.")));
        }
    };
    let press = move || match kind.get_untracked().as_str() {
        "file" => browser::pick(message::OCTETS_MAX, file),
        "html" => add(Added::Html(text.get_untracked())),
        _ => add(Added::Text(text.get_untracked())),
    };
    let is_file = move || kind.with(|kind| kind == "file");
    let kinds = KINDS.map(|(value, words, _)| (value.to_owned(), words.to_owned())).to_vec();
    view! {
        <Button class="small-button" id="add-part" press=move || {
            wrong.set(None);
            open.set(true);
        }>{icon(Icon::Add)}<span>"Add a part"</span></Button>
        <Dialog open=open title="Add a part">
            <div class="form">
                <Select label="What is added" options=Signal::stored(kinds.clone()) chosen=kind set=choose />
                <Show when=move || !is_file()><TextArea label="What it says" value=text /></Show>
                {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
                <Button class="primary" press=press>{move || if is_file() { "Choose the file …" } else { "Add it" }}</Button>
            </div>
        </Dialog>
    }
    .into_any()
}

/// Its parts, and what each means.
fn parts(raw: RwSignal<Vec<u8>>) -> AnyView {
    let parts = Memo::new(move |_| raw.with(|raw| message::parts(raw)));
    let pin = RwSignal::new(None::<Part>);
    let hover = RwSignal::new(None::<Part>);
    Effect::new(move |_| {
        parts.track();
        pin.set(None);
        hover.set(None);
    });
    view! {
        <section class="pane" aria-label="Its parts">
            <h2 class="pane-title">"Its parts"</h2>
            {tree(parts, pin, hover)}
        </section>
        <section class="pane" aria-label="Meaning">
            <h2 class="pane-title">"What it means"</h2>
            <div class="inspected">
                {meaning(raw, pin, hover)}
                <h4>"What a reader sees"</h4>
                {move || seen(raw.with(|raw| message::shown(raw)))}
            </div>
        </section>
    }
    .into_any()
}

fn told(facts: Facts) -> String {
    let Facts { octets, eight_bit, longest } = facts;
    let bits = match eight_bit {
        0 => "all of them 7-bit".to_owned(),
        count => format!("{count} of them need the eighth bit"),
    };
    format!("{octets} octets, {bits}; the longest line has {longest}")
}

fn tree(
    parts: Memo<Vec<Part>>,
    pin: RwSignal<Option<Part>>,
    hover: RwSignal<Option<Part>>,
) -> AnyView {
    let row = move |(nth, part): (usize, Part)| {
        let (own, pressed, hovered) = (part.clone(), part.clone(), part.clone());
        let lit = Memo::new(move |_| hover.get().or_else(|| pin.get()).as_ref() == Some(&own));
        let class =
            Signal::derive(
                move || if lit.get() { "leaf lit".to_owned() } else { "leaf".to_owned() },
            );
        view! {
            <Row
                class=class
                first=Signal::stored(nth == 0)
                current=lit
                press=move || pin.set(Some(pressed.clone()))
                at=move |here| hover.set(here.then(|| hovered.clone()))
            >
                <span class="leaf-label" style=format!("padding-left:calc({} * .75rem)", part.depth)>{part.label}</span>
                <span class="leaf-text mono">{part.text}</span>
            </Row>
        }
    };
    let rows = move || parts.get().into_iter().enumerate().map(row).collect_view();
    view! { <ol class="rows tree-pane tree" aria-label="Parts">{rows}</ol> }.into_any()
}

fn meaning(
    raw: RwSignal<Vec<u8>>,
    pin: RwSignal<Option<Part>>,
    hover: RwSignal<Option<Part>>,
) -> AnyView {
    let meant = move || {
        let Some(part) = hover.get().or_else(|| pin.get()) else {
            return view! { <p class="muted">"Point at a part, or choose one with the arrow keys."</p> }.into_any();
        };
        let meant = raw.with(|raw| message::meaning(raw, &part));
        let law = meant.law.map(|(rfc, section)| {
            let href = format!("https://www.rfc-editor.org/rfc/rfc{rfc}#section-{section}");
            let words = format!("RFC {rfc} §{section}");
            view! { <ul class="laws"><li><a href=href target="_blank" rel="noopener noreferrer">{words}</a></li></ul> }
        });
        view! {
            <h3 class="label">{meant.label}</h3>
            <p class="quote mono">{meant.text}</p>
            {meant.value.map(|value| view! { <h4>"decoded"</h4><p class="quote">{value}</p> })}
            {meant.what.map(|what| view! { <p class="what">{what}</p> })}
            {meant.why.map(|why| view! { <p class="why">{why}</p> })}
            {law}
        }
        .into_any()
    };
    view! { {meant} }.into_any()
}

fn seen(shown: Shown) -> AnyView {
    view! {
        <div class="seen card">
            <p class="small muted">{shown.from}</p>
            <p><b>{shown.subject}</b></p>
            {match shown.html {
                Some(html) => view! {
                    <iframe class="seen-html" title="The letter as HTML" sandbox=message::FRAME srcdoc=html></iframe>
                }.into_any(),
                None => view! { <p class="seen-text">{shown.text}</p> }.into_any(),
            }}
        </div>
    }
    .into_any()
}
