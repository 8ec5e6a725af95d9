//! A real conversation as a simulation: the stage, and above it what it is not, in words.

use leptos::prelude::*;

use crate::controls::{Button, Icon, icon};
use crate::story::recorded::{Compared, Simulation};
use crate::story::seen::Seen;

use super::stage;

/// The screen; `back` leads to where the conversation was opened.
pub(super) fn screen(simulation: Simulation, back: impl Fn() + 'static) -> AnyView {
    let Simulation { story, lacks, counts, compared } = simulation;
    let count = lacks.len();
    let lacks = lacks.into_iter().map(|lack| view! { <li>{lack}</li> }).collect_view();
    let missing = (count > 0).then(|| {
        view! {
            <details class="lacks" open=true>
                <summary>{format!("What is not as it was ({count})")}</summary>
                <ul>{lacks}</ul>
            </details>
        }
    });
    view! {
        <div class="again">
            <section class="about" aria-label="About this simulation">
                <div class="about-head">
                    <Button class="small-button" press=back>{icon(Icon::Undo)}<span>"Back to Live"</span></Button>
                    <p><b>"A simulation."</b>" What the program says is the recording. What it is answered is not: the engine in this page answers for itself."</p>
                </div>
                {missing}
                {answers(counts, compared)}
            </section>
            {stage::stage(story, Seen::default())}
        </div>
    }
    .into_any()
}

/// How the engine's answers compare with those of the real server.
fn answers(counts: [usize; 3], compared: Vec<Compared>) -> AnyView {
    let [wholly, in_sense, not] = counts;
    let words = format!(
        "Answers beside the real server's: {wholly} the same to the octet, {in_sense} in other words, {not} different"
    );
    let said = |lines: Vec<String>| {
        lines.into_iter().map(|line| view! { <div class="mono">{line}</div> }).collect_view()
    };
    let row = move |one: Compared| {
        let (class, sign) =
            if one.differs { ("chip bad", "different") } else { ("chip", "in other words") };
        let line = one.line.unwrap_or_else(|| "(the greeting)".to_owned());
        view! {
            <tr>
                <td class="mono">{line}</td>
                <td>{said(one.real)}</td>
                <td>{said(one.here)}</td>
                <td><span class=class>{sign}</span></td>
            </tr>
        }
    };
    let table = (!compared.is_empty()).then(|| {
        view! {
            <div class="answers" tabindex="0" role="region" aria-label="Answers compared">
                <table class="plain">
                    <thead><tr><th>"to"</th><th>"the real server said"</th><th>"the engine says here"</th><th>"compared"</th></tr></thead>
                    <tbody>{compared.into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        }
    });
    view! { <details><summary>{words}</summary>{table}</details> }.into_any()
}
