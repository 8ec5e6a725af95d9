//! What can be changed on the stage: how hard the network is, what goes wrong on purpose, which branch is shown.

use leptos::prelude::*;
use pillarbox_world::tape::Level;
use pillarbox_world::world::Action;

use crate::app::Ui;
use crate::browser;
use crate::controls::{Button, Dialog, Field, Icon, Select, Show, Switch, icon};
use crate::player::Player;
use crate::route::Route;
use crate::story::seen::Seen;
use crate::story::{BookLine, Chances, Export, Spot, Story, Stride, Template};

use super::beside;
use super::share::{open_file, share};

/// The row of tools.
pub(crate) fn tools(player: Player, faults: RwSignal<bool>) -> AnyView {
    let count = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.source().faults().len())
    });
    let (saves, secrets) = (RwSignal::new(false), RwSignal::new(false));
    // In a sandbox they stand among all that can be done there.
    let own = !player.read(Story::is_sandbox);
    let add = own.then(|| {
        view! {
            <Button class="quiet small-button" id="faults" press=move || faults.set(true)>
                {icon(Icon::Fault)}
                <span>{move || match count.get() {
                    0 => "Faults".to_owned(),
                    count => format!("Faults {count}"),
                }}</span>
            </Button>
        }
    });
    view! {
        <div class="tools" role="group" aria-label="Tools">
            {levels(player)}
            {branches(player)}
            {add}
            {share(player)}
            <Button class="quiet small-button" id="files" press=move || saves.set(true)>
                {icon(Icon::Save)}<span>"Files"</span>
            </Button>
            <Button class="quiet small-button" id="secrets" press=move || secrets.set(true)>
                {move || {
                    player.version.track();
                    let shown = player.read(|story| story.source().shows_secrets());
                    if shown { "Secrets shown" } else { "Secrets" }
                }}
            </Button>
            {own.then(|| messages(player, None))}
            {book(player)}
        </div>
        {files(player, saves, false)}
        {masks(player, secrets)}
    }
    .into_any()
}

/// The book's dialogue beside a server in its own words, where the story has it.
fn book(player: Player) -> AnyView {
    let Some(lines) = player.read(Story::book) else { return ().into_any() };
    let open = RwSignal::new(false);
    let row = |line: BookLine| {
        let BookLine { dir, book, strict, why } = line;
        let letter = dir.letter();
        let strict = if book == strict {
            view! { <span class="muted">"the same"</span> }.into_any()
        } else {
            strict.into_any()
        };
        let why = why.map(|(words, law)| {
            view! { {words}" "{law.map(|law| super::law(law.to_owned()))} }
        });
        view! {
            <tr>
                <td class="mono"><b class="speaker">{format!("{letter}: ")}</b>{book}</td>
                <td class="mono">{strict}</td>
                <td>{why}</td>
            </tr>
        }
    };
    let lines = StoredValue::new(lines);
    view! {
        <Button class="quiet small-button" id="book" press=move || open.set(true)>"Book and RFC"</Button>
        <Dialog open=open title="The book’s lines, and a server in its own words">
            <table class="plain book-lines">
                <thead><tr><th>"in the book"</th><th>"the same engine in its own words"</th><th>"why"</th></tr></thead>
                <tbody>{lines.get_value().into_iter().map(row).collect_view()}</tbody>
            </table>
        </Dialog>
    }
    .into_any()
}

/// Whether passwords are shown; that they are is warned of.
fn masks(player: Player, open: RwSignal<bool>) -> AnyView {
    let on = Signal::derive(move || {
        player.version.track();
        player.read(|story| story.source().shows_secrets())
    });
    view! {
        <Dialog open=open title="Secrets">
            <p>"Passwords and other secrets are masked here, and in all files. Who listens on a line without TLS reads them all the same."</p>
            <p class="defect">"If they are shown, whoever sees this screen reads them, or a picture of it."</p>
            <Switch label="Show secrets" on=on set=move |on| {
                player.change(|story| story.act(|source| source.show_secrets(on)));
            } />
        </Dialog>
    }
    .into_any()
}

/// The way to the message lab with what arrived in this world, if anything did.
pub(crate) fn messages(player: Player, target: Option<&'static str>) -> AnyView {
    let place = Memo::new(move |_| {
        player.version.track();
        player.read(|story| {
            let source = story.source();
            // Where the story goes on, some may come.
            let some = !source.is_told() || !source.messages().is_empty();
            let link = some.then(|| source.link(&Seen::default())).flatten();
            link.map(|link| Route::Message(Some(link)).to_string())
        })
    });
    let link = move |href: String| {
        view! {
            <a class="button quiet small-button messages" href=href target=target rel=target.map(|_| "noopener")>
                {icon(Icon::Letter)}<span>"Messages"</span>
            </a>
        }
    };
    view! { {move || place.get().map(link)} }.into_any()
}

/// All that happened as files, and what runs the same in a terminal.
pub(crate) fn files(player: Player, open: RwSignal<bool>, is_real: bool) -> AnyView {
    let ui: Ui = expect_context();
    let saved = move |name: &str| ui.told.set(format!("{name} was saved."));
    let list = move || {
        let file = |file: Export| {
            let save = move || {
                let octets = player.read(|story| file.octets(story.source()));
                browser::download(file.name, file.media_type, &octets);
                saved(file.name);
            };
            view! {
                <li class="fault">
                    <span>{file.words}</span>
                    <Button class="small-button" press=save>{icon(Icon::Save)}<span>{file.name}</span></Button>
                </li>
            }
        };
        player.read(|story| story.source().files()).into_iter().map(file).collect_view()
    };
    // What really happened cannot be told again, and its messages are where they were sent.
    let again = move || (!is_real).then(|| again(player, saved));
    view! {
        <Dialog open=open title="What happened, as files">
            <p class="muted">"All of it, to the end of the story. Passwords are masked in texts; packets hold what was sent."</p>
            <ul class="faults">{list}</ul>
            {again}
        </Dialog>
    }
    .into_any()
}

/// Messages of a world, and what makes the same world elsewhere.
fn again(player: Player, saved: impl Fn(&str) + Copy + Send + Sync + 'static) -> AnyView {
    let messages = move || {
        let message = |(name, octets): (String, Vec<u8>)| {
            let (shown, size) = (name.clone(), octets.len());
            let save = move || {
                browser::download(&name, "message/rfc822", &octets);
                saved(&name);
            };
            view! {
                <li class="fault">
                    <span class="muted">{format!("{size} octets")}</span>
                    <Button class="small-button" press=save>{icon(Icon::Letter)}<span>{shown}</span></Button>
                </li>
            }
        };
        player.read(|story| story.source().messages()).into_iter().map(message).collect_view()
    };
    let number = move || player.read(|story| story.source().hash());
    view! {
        <h3>"Messages in mailboxes"</h3>
        <ul class="faults">{messages}</ul>
        <h3>"The same in a terminal"</h3>
        <p class="quote mono command">{move || super::share::command(player)}</p>
        <p class="muted small">
            "Two runs in which all is the same have the same number; this one has "
            <code id="run-number">{number}</code>"."
        </p>
        <h3>"Something that was saved"</h3>
        {open_file()}
    }
    .into_any()
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Perfect => "perfect network",
        Level::Rough => "rough network",
        Level::Hostile => "hostile network",
    }
}

fn levels(player: Player) -> AnyView {
    let levels = player.read(|story| story.source().levels());
    if levels.len() < 2 {
        return ().into_any();
    }
    let options: Vec<_> = levels
        .iter()
        .map(|(level, _)| (word(*level).to_owned(), word(*level).to_owned()))
        .collect();
    let chosen = Signal::derive(move || {
        player.version.track();
        word(player.read(|story| story.source().tape().level())).to_owned()
    });
    let set = move |value: String| {
        if let Some((level, _)) = levels.iter().find(|(level, _)| word(*level) == value) {
            player.playing.set(false);
            player.change(|story| story.act(|source| source.set_level(*level)));
            player.seek(0);
        }
    };
    view! { <Select label="How hard the network is" options=Signal::stored(options) chosen=chosen set=set /> }.into_any()
}

fn branches(player: Player) -> AnyView {
    let side_by_side = RwSignal::new(false);
    let branches = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.source().branches())
    });
    let options = Signal::derive(move || {
        let (names, _) = branches.get();
        let option = |(at, name): (usize, String)| (at.to_string(), format!("branch {name}"));
        names.into_iter().enumerate().map(option).collect()
    });
    let chosen = Signal::derive(move || branches.get().1.to_string());
    let set = move |value: String| {
        if let Ok(branch) = value.parse() {
            player.playing.set(false);
            player.change(|story| story.act(|source| source.switch(branch)));
            player.seek(usize::MAX);
        }
    };
    view! {
        <Show when=move || { branches.get().0.len() > 1 }>
            <Select label="Branch" options=options chosen=chosen set=set />
            <Button class="quiet small-button" id="beside" press=move || side_by_side.set(true)>"Side by side"</Button>
        </Show>
        {beside::beside(player, side_by_side)}
    }
    .into_any()
}

/// Faults on purpose: those that are there, some to choose from, and one's own.
pub(crate) fn faults(player: Player, open: RwSignal<bool>, to_the_end: bool) -> AnyView {
    let ui: Ui = expect_context();
    let wrong = RwSignal::new(None::<String>);
    let text = RwSignal::new(String::new());
    let add = move |action: Action, at: Option<usize>| {
        player.playing.set(false);
        let cursor = at.unwrap_or_else(|| player.cursor.get_untracked());
        let done = player.change(|story| {
            story.act(|source| {
                let done = source.act_at(cursor, action);
                if to_the_end {
                    source.tell_all();
                }
                done
            })
        });
        match done {
            Ok(()) => {
                wrong.set(None);
                open.set(false);
                if to_the_end {
                    player.seek(cursor);
                    player.forward(Stride::Step);
                } else {
                    player.seek(usize::MAX);
                }
            }
            Err(why) => wrong.set(Some(why)),
        }
    };
    // What was switched off is kept, so that it can be switched on again.
    let off = RwSignal::new(Vec::<String>::new());
    let switch = move |action: Action| {
        player.playing.set(false);
        let cursor = player.cursor.get_untracked();
        let done = player.change(|story| {
            story.act(|source| {
                let done = source.act_at(cursor, action);
                if to_the_end {
                    source.tell_all();
                }
                done
            })
        });
        wrong.set(done.err());
    };
    let listed = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.source().faults())
    });
    let row = move |text: String, number: Option<u64>, fired: String| {
        let (words, shown) = (crate::story::words::fault(&text), text.clone());
        let set = move |on: bool| match number {
            Some(number) if !on => {
                off.update(|off| off.push(text.clone()));
                switch(Action::RemoveFault(number));
            }
            None if on => {
                off.update(|off| off.retain(|other| *other != text));
                switch(Action::AddFault(text.clone()));
            }
            _ => {}
        };
        let copy = |flag: String| {
            let press = move || {
                browser::copy(&flag);
                ui.told.set(format!("{flag} was copied."));
            };
            view! {
                <Button class="quiet small-button copy-flag" name=Signal::stored(format!("Copy as a flag for a real server: {words}")) press=press>{icon(Icon::Terminal)}</Button>
            }
        };
        let flag = player.read(|story| crate::story::flag(&shown, story.start_unix_ms())).map(copy);
        view! {
            <li class="fault">
                <span>{words.clone()}<br /><code class="small">{shown}</code></span>
                <span class="chip">{fired}</span>
                {flag}
                <Switch label="on" of=words on=Signal::stored(number.is_some()) set=set />
            </li>
        }
    };
    let list = move || {
        let fired = |hits| if hits == 0 { "not yet".to_owned() } else { format!("fired {hits}×") };
        let on = listed.get().into_iter();
        let on = on.map(|(number, text, hits)| row(text, Some(number), fired(hits)));
        let off = off.get().into_iter().map(|text| row(text, None, "off".to_owned()));
        on.chain(off).collect_view()
    };
    let offer = move |template: Template| {
        let Template { words, see, action, at } = template;
        let press = move || add(action.clone(), at);
        view! {
            <li class="fault">
                <span><b>{words}</b><br /><span class="muted small">{see}</span></span>
                <Button class="small-button" press=press>"Add"</Button>
            </li>
        }
    };
    // What was asked about, or else what is looked at.
    let spot = move || {
        let asked = player.spot.get();
        asked.or_else(|| player.spot_of(player.focus_untracked()?))
    };
    let templates = move || {
        let spot = open.get().then(spot).flatten();
        // What only happens to be on its way says nothing of the host that is meant.
        let host = match spot {
            Some(Spot::Entry(_)) => {
                player.focus_untracked().and_then(|focus| player.spot_of(focus))
            }
            spot => spot,
        };
        let cursor = player.cursor.get();
        let all =
            player.read(|story| story.templates(host.and_then(|host| story.host_of(host)), cursor));
        all.into_iter().map(offer).collect_view()
    };
    let here = move || {
        let spot = open.get().then(spot).flatten()?;
        let Chances { title, fields, all } = player.read(|story| story.chances(spot))?;
        let look = fields.map(|fields| {
            let look = move || {
                player.pin.set(Some(fields));
                open.set(false);
            };
            view! { <Button class="quiet small-button" id="fields" press=look>{icon(Icon::Find)}<span>"Look at its fields"</span></Button> }
        });
        let all = all.into_iter().map(offer).collect_view();
        Some(view! { <h3 id="about-spot">{title}</h3>{look}<ul class="faults here">{all}</ul> })
    };
    // Asked anew, it is about something else.
    Effect::new(move |_| {
        if !open.get() {
            player.spot.set(None);
        }
    });
    view! {
        <Dialog open=open title="What goes wrong on purpose">
            <p class="muted">"A fault strikes from this moment on. What came after it becomes another branch."</p>
            {here}
            {move || (!listed.with(Vec::is_empty) || !off.with(Vec::is_empty)).then(|| view! { <h3>"Those that are there"</h3> })}
            <ul class="faults">{list}</ul>
            <h3>{move || match spot() {
                Some(spot) if player.read(|story| story.chances(spot)).is_some() => "At a host",
                _ => "Add one",
            }}</h3>
            <ul class="faults">{templates}</ul>
            <Field label="Or write it: where / when / what" value=text send=move || add(Action::AddFault(text.get_untracked()), None) />
            {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
        </Dialog>
    }
    .into_any()
}
