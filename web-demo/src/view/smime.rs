//! The message lab's bench for signatures and encryption: who signs, who reads, which octets are covered, and what it comes
//! to: one of seven states in words, with the reasons. What is cryptographic is in a module of its own.

use leptos::prelude::*;

use crate::controls::{Button, Octets, Select, Slider};
use crate::smime::{self, Told};
use crate::story::covered::{self, Line};
use crate::story::message;

/// Messages that can be gone back to.
const BEFORE_MAX: usize = 32;

/// Whether the module is here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Module {
    Loading,
    Ready,
    Failed(String),
}

/// The message, and what was done with it.
#[derive(Clone, Copy)]
struct Bench<P> {
    raw: RwSignal<Vec<u8>>,
    /// Puts another message in its place.
    put: P,
    before: RwSignal<Vec<Vec<u8>>>,
    /// The octet that is looked at.
    at: RwSignal<usize>,
    /// Which of the authors signs.
    author: RwSignal<String>,
    /// Who reads.
    reader: RwSignal<String>,
    /// How often keys were made.
    round: RwSignal<u32>,
    refused: RwSignal<Option<String>>,
}

/// The bench, once the module is here.
pub(super) fn bench(
    raw: RwSignal<Vec<u8>>,
    put: impl Fn(Vec<u8>) + Copy + Send + Sync + 'static,
) -> AnyView {
    let begun = if smime::is_loaded() { Module::Ready } else { Module::Loading };
    let module = RwSignal::new(begun);
    let load = move || {
        module.set(Module::Loading);
        // By then the reader may be elsewhere.
        smime::load(move |done| {
            let _ = module.try_set(done.map_or_else(Module::Failed, |()| Module::Ready));
        });
    };
    if module.get_untracked() == Module::Loading {
        load();
    }
    let bench = Bench {
        raw,
        put,
        before: RwSignal::new(Vec::new()),
        at: RwSignal::new(0),
        author: RwSignal::new("0".to_owned()),
        reader: RwSignal::new(BOB.to_owned()),
        round: RwSignal::new(0),
        refused: RwSignal::new(None),
    };
    let shown = move || {
        match module.get() {
        Module::Loading => view! {
            <p class="empty" role="status">"Loading what signs and encrypts: a module of its own …"</p>
        }
        .into_any(),
        Module::Failed(why) => view! {
            <div class="inspected" role="alert">
                <h3>"The module for S/MIME could not be loaded"</h3>
                <p class="muted">{why}</p>
                <Button class="primary" press=load>"Try again"</Button>
            </div>
        }
        .into_any(),
        Module::Ready => panes(bench),
    }
    };
    view! { {shown} }.into_any()
}

/// Who has the key.
const BOB: &str = "bob";

impl<P: Fn(Vec<u8>) + Copy + Send + Sync + 'static> Bench<P> {
    /// Puts another message in the place of this one, which can be gone back to.
    fn change(self, made: Result<Vec<u8>, String>) {
        match made {
            Ok(message) => {
                self.before.update(|before| {
                    if before.len() == BEFORE_MAX {
                        before.remove(0);
                    }
                    before.push(self.raw.get_untracked());
                });
                (self.put)(message);
                self.refused.set(None);
            }
            Err(why) => self.refused.set(Some(why)),
        }
    }

    fn undo(self) {
        if let Some(message) = self.before.try_update(Vec::pop).flatten() {
            (self.put)(message);
            self.refused.set(None);
        }
    }

    fn flip(self, at: usize) {
        self.at.set(at);
        self.change(Ok(self.raw.with_untracked(|raw| covered::flipped(raw, at))));
    }
}

fn panes<P: Fn(Vec<u8>) + Copy + Send + Sync + 'static>(bench: Bench<P>) -> AnyView {
    let told = Memo::new(move |_| {
        bench.round.track();
        let is_bob = bench.reader.with(|reader| reader == BOB);
        bench.raw.with(|raw| smime::judge(raw, is_bob))
    });
    let verdict = Memo::new(move |_| told.get().unwrap_or_default());
    view! {
        <section class="pane" aria-label="Signed and encrypted">
            {acts(bench)}
            {octets(bench, verdict)}
        </section>
        <section class="pane" aria-label="What it comes to">
            <h2 class="pane-title">"What it comes to"</h2>
            <div class="inspected">
                {move || told.get().err().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
                {states(verdict)}
                {why(verdict)}
                {seen(bench.raw, bench.reader, verdict)}
                {keys(bench.round)}
            </div>
        </section>
    }
    .into_any()
}

/// Who signs, to whom it is encrypted, who reads.
fn acts<P: Fn(Vec<u8>) + Copy + Send + Sync + 'static>(bench: Bench<P>) -> AnyView {
    let authors = smime::authors().into_iter().enumerate();
    let authors: Vec<_> = authors.map(|(at, words)| (at.to_string(), words)).collect();
    let readers = [(BOB, "Bob, who has his key"), ("eve", "Eve, who has none")];
    let readers = readers.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let sign = move || {
        let author = bench.author.get_untracked().parse().unwrap_or_default();
        bench.change(bench.raw.with_untracked(|raw| smime::sign(raw, author)));
    };
    let encrypt = move || bench.change(bench.raw.with_untracked(|raw| smime::encrypt(raw)));
    let nothing = Signal::derive(move || bench.before.with(Vec::is_empty));
    view! {
        <div class="bench" role="group" aria-label="Who signs, who reads">
            <Select label="Who signs" options=Signal::stored(authors) chosen=bench.author set=move |who| bench.author.set(who) />
            <div class="go">
                <Button class="primary small-button" press=sign>"Sign"</Button>
                <Button class="small-button" press=encrypt>"Encrypt to Bob"</Button>
                <Button class="quiet small-button" disabled=nothing press=move || bench.undo()>"Undo"</Button>
            </div>
            <label class="reads">
                <span class="muted small">"Read by"</span>
                <Select label="Read by" options=Signal::stored(readers) chosen=bench.reader set=move |who| bench.reader.set(who) />
            </label>
            {move || bench.refused.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
        </div>
    }
    .into_any()
}

/// The message octet by octet, what is covered marked, each of them to be flipped.
fn octets<P: Fn(Vec<u8>) + Copy + Send + Sync + 'static>(
    bench: Bench<P>,
    verdict: Memo<Told>,
) -> AnyView {
    let lines = Memo::new(move |_| {
        let ranges = verdict.with(|told| told.covered.clone());
        bench.raw.with(|raw| covered::lines(raw, &ranges))
    });
    let last =
        Signal::derive(move || bench.raw.with(Vec::len).min(covered::SHOWN_MAX).saturating_sub(1));
    let here = Signal::derive(move || bench.at.get().min(last.get()));
    let words = Signal::derive(move || bench.raw.with(|raw| covered::told(raw, here.get())));
    let legend = move || {
        verdict.with(|told| {
            let what = if told.sealed { "encrypted" } else { "covered by the signature" };
            match &told.covered[..] {
                [] => "No octet is covered by a signature or encrypted.".to_owned(),
                [range] => format!(
                    "▌ Octets {} – {} are {what}; all others are not.",
                    range.start,
                    range.end.saturating_sub(1)
                ),
                ranges => {
                    format!("▌ {} ranges of octets are covered; all others are not.", ranges.len())
                }
            }
        })
    };
    let drawn = move |line: Line| {
        let end = line.start + line.octets.len();
        let start = line.start;
        let own = Memo::new(move |_| Some(here.get()).filter(|at| (start..end).contains(at)));
        let sign = if line.covered.is_empty() { " " } else { "▌" };
        view! {
            <div class="octet-line">
                <span class="gutter" aria-hidden="true">{sign}</span>
                <span>{move || pieces(&line, own.get())}</span>
            </div>
        }
    };
    view! {
        <p class="legend small" id="legend">{legend}</p>
        <Octets name="The message, octet by octet" here=here press=move |at| bench.flip(at)>
            <For each=move || lines.get() key=Clone::clone children=drawn />
        </Octets>
        <div class="flip">
            <Slider name="Which octet" max=last value=here words=words set=move |at| bench.at.set(at) key=|_, _| false />
            <span class="small mono">{words}</span>
            <Button class="small-button" press=move || bench.flip(here.get_untracked())>"Flip a bit of it"</Button>
        </div>
    }
    .into_any()
}

/// The octets of a line; one of them may be looked at.
fn pieces(line: &Line, here: Option<usize>) -> AnyView {
    let octet = |(at, octet): (usize, &u8)| {
        let number = line.start + at;
        let class = match (line.covered.contains(&at), here == Some(number)) {
            (false, false) => "",
            (true, false) => "c",
            (false, true) => "here",
            (true, true) => "c here",
        };
        let end = if matches!(octet, b'\r' | b'\n') { " end" } else { "" };
        view! { <i class=format!("{class}{end}") data-at=number.to_string()>{covered::shown(*octet).to_string()}</i> }
    };
    line.octets.iter().enumerate().map(octet).collect_view().into_any()
}

/// The seven states, of which it is one.
fn states(verdict: Memo<Told>) -> AnyView {
    let now = Memo::new(move |_| verdict.with(|told| told.state));
    let row = |(number, words): (u8, String)| {
        let is_now = move || now.get() == number;
        let class =
            move || if is_now() { format!("state now s{number}") } else { "state".to_owned() };
        let words = move || match is_now() {
            true => verdict.with(|told| told.title.clone()),
            false => words.clone(),
        };
        view! {
            <li class=class aria-current=move || is_now().then_some("true")>
                <b>{number}</b><span>{words}</span>
            </li>
        }
    };
    let rows = (1..).zip(smime::states()).map(row).collect_view();
    let said = move || verdict.with(|told| format!("State {}: {}", told.state, told.title));
    view! {
        <p class="unseen" role="status">{said}</p>
        <ol class="states" aria-label="The seven states of a message">{rows}</ol>
        {move || verdict.with(|told| told.partly).then(|| view! {
            <p class="defect">"Only a part of it is signed or encrypted. That says nothing of the rest, so the message is not signed."</p>
        })}
        {move || verdict.with(|told| told.inside.clone()).map(|inside| view! {
            <p><b>"Inside: "</b>{inside}</p>
        })}
    }
    .into_any()
}

/// The reasons, and what is known of those who signed.
fn why(verdict: Memo<Told>) -> AnyView {
    let reasons = move || {
        let all = verdict.with(|told| told.reasons.clone());
        let list = all.into_iter().map(|why| view! { <li>{why}</li> }).collect::<Vec<_>>();
        (!list.is_empty()).then(
            || view! { <h4>"Why"</h4><ul class="notice">{list.into_iter().collect_view()}</ul> },
        )
    };
    let facts = move || {
        let all = verdict.with(|told| told.facts.clone());
        let fact = |pair: &[String]| {
            let (name, value) = (pair[0].clone(), pair[1].clone());
            view! { <dt>{name}</dt><dd>{value}</dd> }
        };
        view! { <dl class="facts">{all.chunks_exact(2).map(fact).collect_view()}</dl> }
    };
    view! { {reasons} {facts} }.into_any()
}

/// What the reader sees. What was hidden by a layer is shown alone, as text.
fn seen(raw: RwSignal<Vec<u8>>, reader: RwSignal<String>, verdict: Memo<Told>) -> AnyView {
    view! {
        {move || {
            let name = if reader.with(|reader| reader == BOB) { "Bob" } else { "Eve" };
            let outside = raw.with(|raw| message::shown(raw));
            let (sealed, opened) = verdict.with(|told| (told.sealed, told.opened.clone()));
            let text = match &opened {
                Some(opened) => message::shown(opened).text,
                None if sealed => "Nothing of it: base64, and no key.".to_owned(),
                None => outside.text,
            };
            let inside = opened.is_some().then_some("What was inside, shown alone:");
            view! {
                <h4>{format!("What {name} sees")}</h4>
                <div class="seen card">
                    <p class="small muted">{outside.from}</p>
                    <p><b>{outside.subject}</b></p>
                    {sealed.then(|| view! { <p class="small muted">"From, To and Subject are in clear for everybody."</p> })}
                </div>
                {inside.map(|words| view! { <p class="small muted">{words}</p> })}
                <div class="seen card"><p class="seen-text">{text}</p></div>
            }
        }}
    }
    .into_any()
}

/// Whose keys there are.
fn keys(round: RwSignal<u32>) -> AnyView {
    let wrong = RwSignal::new(None::<String>);
    let renew = move || {
        smime::load(move |done| {
            let _ = wrong.try_set(done.err());
            let _ = round.try_update(|round| *round += 1);
        });
    };
    let lines = move || {
        round.track();
        smime::keys().into_iter().map(|line| view! { <li class="mono">{line}</li> }).collect_view()
    };
    view! {
        <details class="keys">
            <summary>"Keys"</summary>
            <p class="muted small">
                "Made in this page, for as long as it is open. Private keys leave it nowhere: no link, no file and no "
                "storage has them. Certificates, by their SHA-256:"
            </p>
            <ul class="small">{lines}</ul>
            <Button class="small-button" press=renew>"Make new keys"</Button>
            {move || wrong.get().map(|why| view! { <p class="defect" role="alert">{why}</p> })}
        </details>
    }
    .into_any()
}
