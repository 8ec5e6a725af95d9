//! Building the network of a sandbox: what is there, a form to add to it or to change it, its text, and files.

use leptos::prelude::*;

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Dialog, Field, Icon, Select, TextArea, icon};
use crate::player::Player;
use crate::story::Story;
use crate::story::build::{self, Built, FIELDS, Form, Part};

use super::stage;

/// Parts with their values and words.
const PARTS: [(Part, &str, &str); 3] = [
    (Part::Server, "server", "a mail server with a domain"),
    (Part::Device, "device", "a person’s device"),
    (Part::Line, "line", "a line between two hosts"),
];
/// The file that the network is saved as.
const FILE: &str = "network.toml";

/// The form's signals.
#[derive(Clone, Copy)]
struct Desk {
    player: Player,
    ui: Ui,
    part: RwSignal<Part>,
    fields: [RwSignal<String>; FIELDS],
    /// What was done, or why it was not.
    told: RwSignal<Option<Result<String, String>>>,
    /// Grows with each change.
    built: RwSignal<u32>,
}

impl Desk {
    fn show(self, form: Form) {
        self.part.set(form.part);
        for (field, text) in self.fields.iter().zip(form.fields) {
            field.set(text);
        }
    }

    fn form(self) -> Form {
        let fields = self.fields.map(|field| field.get_untracked());
        Form { part: self.part.get_untracked(), fields }
    }

    /// Shows what could be added next.
    fn suggest(self, part: Part) {
        self.show(self.player.read(|story| story.suggested(part)));
    }

    fn change(self, change: impl FnOnce(&mut Story) -> Result<String, String>) -> bool {
        self.player.playing.set(false);
        self.player.pin.set(None);
        self.player.chosen.set(None);
        let told = self.player.change(change);
        self.player.seek(usize::MAX);
        let done = told.is_ok();
        if let Ok(told) = &told {
            self.ui.told.set(told.clone());
            self.built.update(|built| *built += 1);
        }
        self.told.set(Some(told));
        done
    }

    fn add(self) {
        let form = self.form();
        if self.change(|story| story.build(&form)) {
            // A town without people is no use, and people without a device cannot write.
            let next = if form.part == Part::Line { Part::Line } else { Part::Device };
            self.suggest(next);
        }
    }
}

/// The dialog; `built` grows with each change.
pub(super) fn build(player: Player, open: RwSignal<bool>, built: RwSignal<u32>) -> AnyView {
    let ui: Ui = expect_context();
    let fields = std::array::from_fn(|_| RwSignal::new(String::new()));
    let (part, told) = (RwSignal::new(Part::Server), RwSignal::new(None));
    let desk = Desk { player, ui, part, fields, told, built };
    desk.suggest(Part::Server);
    view! {
        <Dialog open=open title="Build the network">
            <p class="muted">"Servers, people and lines come and go here. The world begins anew with them, and all that you did is done again."</p>
            <div class="build">
                <div>
                    <h3>"Add or change"</h3>
                    {form(desk)}
                    {move || desk.told.get().map(|told| match told {
                        Ok(told) => view! { <p class="done">{told}</p> }.into_any(),
                        Err(why) => view! { <p class="defect" role="alert">{why}</p> }.into_any(),
                    })}
                    <h3>"As a file"</h3>
                    <div class="go">{save(desk)}{stage::open_file()}</div>
                    {text(desk)}
                </div>
                <div>
                    <h3>"What is there"</h3>
                    {there(desk)}
                </div>
            </div>
        </Dialog>
    }
    .into_any()
}

fn there(desk: Desk) -> AnyView {
    let list = Memo::new(move |_| {
        desk.built.track();
        desk.player.read(Story::built)
    });
    let row = move |Built { title, detail, form }: Built| {
        let form = StoredValue::new(form);
        let name = |what: &str| Signal::stored(format!("{what} {title}"));
        let (change, remove) = (name("Change"), name("Remove"));
        let go = move || {
            form.with_value(|form| desk.change(|story| story.unbuild(form)));
        };
        view! {
            <li class="fault">
                <span><b>{title}</b><br /><span class="muted small">{detail}</span></span>
                <Button class="quiet small-button" name=change press=move || {
                    desk.show(form.get_value());
                    browser::focus("build-what");
                }>"Change"</Button>
                <Button class="quiet small-button" name=remove press=go>"Remove"</Button>
            </li>
        }
    };
    view! { <ul class="faults there">{move || list.get().into_iter().map(row).collect_view()}</ul> }
        .into_any()
}

/// One of a few values, with words that are seen.
fn select(label: &'static str, options: Vec<(String, String)>, value: RwSignal<String>) -> AnyView {
    view! {
        <div class="labelled">
            <span aria-hidden="true">{label}</span>
            <Select label=label options=Signal::stored(options) chosen=value set=move |to| value.set(to) />
        </div>
    }
    .into_any()
}

fn form(desk: Desk) -> AnyView {
    let add = move || desk.add();
    let [one, two, three, four] = desk.fields;
    let words = |all: &[(&str, &str)]| {
        all.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect()
    };
    let fields = move || match desk.part.get() {
        Part::Server => view! {
            <Field label="Its domain" value=one send=add />
            <Field label="Mailboxes, with passwords: carol dill, dave" value=two send=add />
            {select("Whose words it uses", words(&build::WORDS), three)}
        }
        .into_any(),
        Part::Device => view! {
            <Field label="What it is called" value=one send=add />
            <Field label="Whose it is: an address" value=two send=add />
        }
        .into_any(),
        Part::Line => {
            desk.built.track();
            let ends = desk.player.read(Story::ends);
            view! {
                {select("From", ends.clone(), one)}
                {select("To", ends, two)}
                <Field label="How long an octet travels" value=three send=add />
                {select("What is special about it", words(&build::LINES), four)}
            }
            .into_any()
        }
    };
    let parts = PARTS.map(|(_, value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let named = move || PARTS.iter().find(|(part, ..)| *part == desk.part.get());
    let chosen = Signal::derive(move || {
        named().map_or_else(String::new, |(_, value, _)| (*value).to_owned())
    });
    let choose = move |value: String| {
        if let Some((part, ..)) = PARTS.iter().find(|(_, known, _)| *known == value) {
            desk.told.set(None);
            desk.suggest(*part);
        }
    };
    // What a form is named like is there already.
    let is_there = move || {
        desk.built.track();
        desk.fields.iter().for_each(|field| field.track());
        let form = Form { part: desk.part.get(), ..desk.form() };
        desk.player.read(|story| story.has_built(&form))
    };
    view! {
        <div class="form">
            <div id="build-what" tabindex="-1">
                <Select label="What is added" options=Signal::stored(parts) chosen=chosen set=choose />
            </div>
            {fields}
            <Button class="primary" id="build-add" press=add>{move || if is_there() { "Change it" } else { "Add it" }}</Button>
        </div>
    }
    .into_any()
}

fn save(desk: Desk) -> AnyView {
    let press = move || {
        let text = desk.player.read(Story::text);
        browser::download(FILE, "application/toml", text.as_bytes());
        desk.ui.told.set(format!("{FILE} was saved."));
    };
    view! {
        <Button class="small-button" id="save-network" press=press>{icon(Icon::Save)}<span>"Save as a scenario"</span></Button>
    }
    .into_any()
}

/// All of it as text, for what has no form.
fn text(desk: Desk) -> AnyView {
    let text = RwSignal::new(String::new());
    Effect::new(move |_| {
        desk.built.track();
        text.set(desk.player.read(Story::text));
    });
    let take = move || {
        let typed = text.get_untracked();
        desk.change(|story| {
            story.set_text(&typed).map(|()| "The network is as the text has it.".to_owned())
        });
    };
    view! {
        <details class="as-text">
            <summary>"As text"</summary>
            <TextArea label="The network as text" value=text />
            <div class="go"><Button class="small-button" id="use-text" press=take>"Use this text"</Button></div>
        </details>
    }
    .into_any()
}
