//! Two branches side by side, in a dialog: the one that is shown, and another.

use leptos::prelude::*;

use crate::controls::{Dialog, Select, Show};
use crate::player::Player;
use crate::story::beside::{Beside, Told};

use super::sequence::sign;

/// The dialog.
pub(super) fn beside(player: Player, open: RwSignal<bool>) -> AnyView {
    let chosen = RwSignal::new(None::<usize>);
    let branches = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.source().branches())
    });
    // The other one: as chosen, or the first that is not shown.
    let other = Signal::derive(move || {
        let (names, shown) = branches.get();
        let first = usize::from(shown == 0);
        chosen.get().filter(|other| *other < names.len() && *other != shown).unwrap_or(first)
    });
    let options = Signal::derive(move || {
        let (names, shown) = branches.get();
        let others = names.into_iter().enumerate().filter(|(at, _)| *at != shown);
        others.map(|(at, name)| (at.to_string(), format!("branch {name}"))).collect::<Vec<_>>()
    });
    let table = move || {
        let (shown, other) = (branches.get().1, other.get());
        player.read(|story| story.beside([other, shown])).map(table)
    };
    view! {
        <Dialog open=open title="Side by side">
            <Show when=move || { options.get().len() > 1 }>
                <Select
                    label="The other branch"
                    options=options
                    chosen=Signal::derive(move || other.get().to_string())
                    set=move |value: String| chosen.set(value.parse().ok())
                />
            </Show>
            {table}
        </Dialog>
    }
    .into_any()
}

fn table(beside: Beside) -> AnyView {
    let Beside { names, same, rows, ends } = beside;
    let heads = names.map(|name| view! { <th scope="col">{format!("branch {name}")}</th> });
    let cell = |told: Told| {
        let (text, mark) = told.map_or((String::new(), ""), |(text, mark)| (text, sign(mark)));
        view! { <td><b aria-hidden="true">{mark}</b>{text}</td> }
    };
    let row = |(clock, told): (String, [Told; 2])| {
        view! { <tr><th scope="row" class="mono">{clock}</th>{told.map(cell).into_iter().collect_view()}</tr> }
    };
    let ends = ends.map(|end| view! { <td>{end.join("; ")}</td> }).into_iter().collect_view();
    view! {
        <p class="muted">{format!("The first {same} things that happen are the same.")}</p>
        <div class="table-pane" tabindex="0" role="region" aria-label="Both branches">
            <table class="plain beside">
                <thead><tr><th scope="col">"time"</th>{heads.into_iter().collect_view()}</tr></thead>
                <tbody>
                    {rows.into_iter().map(row).collect_view()}
                    <tr class="ends"><th scope="row">"in the end"</th>{ends}</tr>
                </tbody>
            </table>
        </div>
    }
    .into_any()
}
