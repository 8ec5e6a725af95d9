//! The message lab: a message as it is written, its parts, and what each of them means.

use leptos::prelude::*;

use crate::app::Ui;
use crate::controls::{Row, Select, TextArea};
use crate::story::message::{self, Facts, Part, SAMPLES, Shown};

/// The screen of the message lab.
pub(super) fn lab() -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set("Message lab".to_owned());
    let typed = RwSignal::new(SAMPLES[0].1.to_owned());
    let sample = RwSignal::new(SAMPLES[0].0.to_owned());
    let raw = Memo::new(move |_| message::octets(&typed.get()));
    let parts = Memo::new(move |_| raw.with(|raw| message::parts(raw)));
    let pin = RwSignal::new(None::<Part>);
    let hover = RwSignal::new(None::<Part>);
    Effect::new(move |_| {
        parts.track();
        pin.set(None);
        hover.set(None);
    });
    let options = SAMPLES.map(|(name, _)| (name.to_owned(), name.to_owned())).to_vec();
    let choose = move |name: String| {
        if let Some((_, text)) = SAMPLES.iter().find(|(known, _)| *known == name) {
            typed.set((*text).to_owned());
            sample.set(name);
        }
    };
    view! {
        <div class="lab">
            <div class="choices-bar" role="group" aria-label="Message">
                <Select label="A message to begin with" options=Signal::stored(options) chosen=sample set=choose />
                <p class="muted small">{move || told(raw.with(|raw| message::facts(raw)))}</p>
            </div>
            <div class="lab-panes">
                <section class="pane" aria-label="As it travels">
                    <h2 class="pane-title">"The message, as it travels"</h2>
                    <TextArea label="The message" value=typed />
                </section>
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
            </div>
        </div>
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
                <span class="leaf-label" style=format!("padding-left:{}rem", f32::from(part.depth) * 0.75)>{part.label}</span>
                <span class="leaf-text mono">{part.text}</span>
            </Row>
        }
    };
    let rows = move || parts.get().into_iter().enumerate().map(row).collect_view();
    view! { <ol class="rows tree-pane tree" aria-label="Parts">{rows}</ol> }.into_any()
}

fn meaning(
    raw: Memo<Vec<u8>>,
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
            <p class="seen-text">{shown.text}</p>
        </div>
    }
    .into_any()
}
