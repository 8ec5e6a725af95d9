//! Conversations, and where the server is reached.

use leptos::prelude::*;

use super::Desk;
use crate::controls::{Row, Show};
use crate::link::{Link, Status};
use crate::story::live::Conversation;

/// Conversations, the newest first; where there is none, what would make one.
pub(super) fn list(desk: Desk, link: Link) -> AnyView {
    let chosen = desk.player.wire;
    let row = move |one: Conversation| {
        let wire = one.wire;
        let is_chosen = Memo::new(move |_| chosen.get() == Some(wire));
        let first = Memo::new(move |_| {
            let shown = chosen.get();
            desk.listed
                .with(|listed| shown.or_else(|| listed.first().map(|one| one.wire)) == Some(wire))
        });
        let sign = match (one.bad, one.open) {
            (true, _) => ("chip bad", "✖"),
            (false, true) => ("chip good", "●"),
            (false, false) => ("chip", "over"),
        };
        view! {
            <Row
                class=Signal::stored("talk".to_owned())
                first=first
                current=is_chosen
                press=move || {
                    desk.player.pin.set(None);
                    desk.player.chosen.set(Some(wire));
                }
                at=|_| ()
            >
                <b>{one.protocol}</b>
                <span class="who">{one.who}</span>
                <span class=sign.0>{sign.1}</span>
                <time class="mono">{one.clock}</time>
                <span class="last mono">
                    {one.lacks.then(|| view! { <span class="chip bad">"incomplete"</span>" " })}
                    {one.last}
                </span>
            </Row>
        }
    };
    let key = |one: &Conversation| (one.wire, one.open, one.bad, one.lacks, one.last.clone());
    let is_empty = Memo::new(move |_| desk.listed.with(Vec::is_empty));
    let places = move || match link.status.get() {
        Status::There(services) => {
            let place = |(name, address): (String, String)| {
                view! { <dt>{name}</dt><dd class="mono">{address}</dd> }
            };
            services.into_iter().map(place).collect_view()
        }
        _ => Vec::new(),
    };
    view! {
        <section class="pane talks" aria-label="Conversations">
            <h2 class="pane-title">"Conversations"</h2>
            <ol class="rows">
                <For each=move || desk.listed.get() key=key children=row />
            </ol>
            <Show when=move || is_empty.get()>
                <div class="empty">
                    <p>"Nobody speaks to the server right now."</p>
                    <p>"Send a mail with the button above, or point any program at one of these: what it says appears here at once."</p>
                </div>
            </Show>
            <dl class="facts services">{places}</dl>
            {move || desk.listed.with(|listed| !listed.is_empty()).then(|| view! {
                <p class="empty small">"Conversations that begin while this page is open are shown. Passwords are masked by the server."</p>
            })}
        </section>
    }
    .into_any()
}
