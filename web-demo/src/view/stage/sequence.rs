//! What happened, as a list: each thing that matters, with its time; talk in between is one row.

use leptos::prelude::*;

use crate::controls::Row;
use crate::player::Player;
use crate::story::words::Mark;

/// The list of a stage.
pub(crate) fn sequence(player: Player) -> AnyView {
    let rows = Memo::new(move |_| {
        player.version.track();
        let cursor = player.cursor.get();
        player.read(|story| story.rows(cursor))
    });
    let current = Memo::new(move |_| rows.with(|rows| rows.last().map(|row| row.from)));
    let row = move |row: crate::story::SequenceRow| {
        let (from, to) = (row.from, row.to);
        let class = match row.mark {
            Mark::Plain => "event",
            Mark::Good => "event good",
            Mark::Warn => "event warn",
            Mark::Bad => "event bad",
        };
        let sign = match row.mark {
            Mark::Plain => "",
            Mark::Good => "✔ ",
            Mark::Warn => "! ",
            Mark::Bad => "✖ ",
        };
        let is_current = Signal::derive(move || current.get() == Some(from));
        let gap = row.gap.map(|gap| view! { <span class="gap">{format!("{gap} later")}</span> });
        view! {
            <Row
                class=Signal::stored(class.to_owned())
                first=is_current
                current=is_current
                press=move || {
                    player.playing.set(false);
                    player.seek(to);
                }
                at=move |_| ()
            >
                {gap}
                <time class="mono">{row.clock}</time>
                <span><b aria-hidden="true">{sign}</b>{row.text}</span>
            </Row>
        }
    };
    let earlier = Memo::new(move |_| {
        player.version.track();
        let cursor = player.cursor.get();
        player.read(|story| story.earlier(cursor))
    });
    // The newest row is looked at, without moving the page.
    let list = NodeRef::<leptos::html::Ol>::new();
    Effect::new(move |_| {
        rows.track();
        if let Some(list) = list.get() {
            request_animation_frame(move || list.set_scroll_top(list.scroll_height()));
        }
    });
    view! {
        <section class="pane sequence" aria-label="What happened">
            <h2 class="pane-title">"What happened"</h2>
            <Show when=move || { earlier.get() > 0 }>
                <p class="empty small">{move || format!("… and {} things before", earlier.get())}</p>
            </Show>
            <ol class="rows" node_ref=list>
                <For each=move || rows.get() key=|row| (row.from, row.to, row.gap.clone()) children=row />
            </ol>
            <Show when=move || rows.with(Vec::is_empty)>
                <p class="empty">"Nothing yet. Press play, or → for one step."</p>
            </Show>
        </section>
    }
    .into_any()
}
