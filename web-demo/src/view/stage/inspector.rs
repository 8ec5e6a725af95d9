//! What is looked at, in three voices: what it is, why it is so, and which sentence of which RFC says so.
//! For a node it is what lies there.

use leptos::prelude::*;
use pillarbox_world::world::{Dir, NodeId, WireId};

use crate::controls::{Button, Show};
use crate::player::{Focus, Player};
use crate::story::{Because, Explained, words};
use crate::view::wire::{hex, tree};

/// What is looked at, without its parts, for a screen that shows them elsewhere.
pub(crate) fn meaning(player: Player) -> AnyView {
    let focus = Memo::new(move |_| player.focus());
    view! {
        <aside class="pane inspector" aria-label="Inspector" id="inspector">
            <div class="pane-head"><h2 class="pane-title">"What it means"</h2></div>
            <div class="inspected">{move || {
                player.version.track();
                content(player, focus.get())
            }}</div>
        </aside>
    }
    .into_any()
}

fn content(player: Player, focus: Option<Focus>) -> AnyView {
    match focus {
        Some(Focus::Node(node)) => of_node(player, node),
        Some(Focus::Octets { wire, dir, start, end }) => {
            match player.read(|story| story.explain(wire, dir, start, end)) {
                Some(explained) => of_octets(player, explained),
                None => of_step(player),
            }
        }
        None => of_step(player),
    }
}

/// The pane at the side.
pub(crate) fn inspector(player: Player) -> AnyView {
    let focus = Memo::new(move |_| player.focus());
    // Parts stay as long as the line is the same, so that moving among them moves nothing.
    let line = Memo::new(move |_| match focus.get() {
        Some(Focus::Octets { wire, dir, start, .. }) => {
            let range = player.read(|story| story.line_of(wire, dir, start))?;
            Some((wire, dir, range.0, range.1))
        }
        _ => None,
    });
    let pinned = move || player.pin.get().is_some();
    view! {
        <aside class="pane inspector" aria-label="Inspector" id="inspector">
            <div class="pane-head">
                <h2 class="pane-title">"Inspector"</h2>
                <Show when=pinned>
                    <Button class="quiet small-button" press=move || player.pin.set(None)>"Unpin"</Button>
                </Show>
            </div>
            <div class="inspected">{move || {
                player.version.track();
                content(player, focus.get())
            }}
            {super::states::states(player)}
            </div>
            {move || line.get().map(|(wire, dir, start, end)| {
                player.version.track();
                view! { <div class="parts">{tree(player, wire, dir, start)}{hex(player, wire, dir, start, end)}</div> }
            })}
        </aside>
    }
    .into_any()
}

/// Where nothing is chosen: the step that was made last.
fn of_step(player: Player) -> AnyView {
    let step = Memo::new(move |_| {
        player.version.track();
        let cursor = player.cursor.get();
        player.read(|story| story.step(cursor))
    });
    let view = move || {
        match step.get() {
        None => view! {
            <h3>{player.read(|story| story.title())}</h3>
            // A challenge's task stands above.
            {player.read(|story| {
                let is_task = story.source().tape().scenario().of_challenge().is_some();
                (!is_task).then(|| story.goal())
            }).map(|goal| view! { <p>{goal}</p> })}
            <ul class="notice">
                {player.read(|story| story.source().notice().to_vec()).into_iter().map(|what| view! { <li>{what}</li> }).collect_view()}
            </ul>
            <p class="muted small">
                {player.read(|story| story.source().is_told()).then_some("Press play, or → for one step. ")}
                "Point at any octet or line to see what it is; Enter or a click keeps it here."
            </p>
        }
        .into_any(),
        Some(step) => {
            let causes = step.causes.into_iter().map(|(to, words)| {
                view! {
                    <li>
                        <Button class="quiet small-button wrap" press=move || player.seek(to)>{words}</Button>
                    </li>
                }
            });
            let causes = causes.collect::<Vec<_>>();
            let because = (!causes.is_empty()).then(|| {
                view! { <h4>"because"</h4><ul class="causes">{causes.into_iter().collect_view()}</ul> }
            });
            let facts = step.facts.into_iter().map(|(name, value)| {
                view! { <dt>{name}</dt><dd>{value}</dd> }
            });
            view! {
                <p class="small muted mono">{step.clock}</p>
                <h3>{step.title}</h3>
                {step.gloss.map(|gloss| view! { <p>{gloss}</p> })}
                <dl class="facts">{facts.collect_view()}</dl>
                {because}
            }
            .into_any()
        }
    }
    };
    view! { {view} }.into_any()
}

/// A link to a section, by its name, such as `RFC 5321 §4.1.1.1`.
pub(crate) fn law(name: String) -> AnyView {
    let place = name.strip_prefix("RFC ").and_then(|rest| rest.split_once(" §"));
    let href = place.map(|(rfc, section)| {
        // Appendices have letters.
        let kind = if section.starts_with(char::is_alphabetic) { "appendix" } else { "section" };
        format!("https://www.rfc-editor.org/rfc/rfc{rfc}#{kind}-{section}")
    });
    view! { <a href=href target="_blank" rel="noopener noreferrer">{name}</a> }.into_any()
}

/// What a reply follows from, and what became of the session's state.
fn caused(
    player: Player,
    wire: WireId,
    because: Because,
    state: Option<(String, String)>,
) -> AnyView {
    let Because { text, dir, start, end } = because;
    let cause = Focus::Octets { wire, dir, start, end };
    let state = state.map(|(before, after)| {
        let words = if before == after { "state, as before: " } else { "state: " };
        let after = (before != after).then(|| view! { " → "<code>{after}</code> });
        view! { <p class="state-step">{words}<code>{before}</code>{after}</p> }
    });
    view! {
        <h4>"because"</h4>
        <ul class="causes">
            <li>
                <Button class="quiet small-button wrap" press=move || {
                    player.hover.set(None);
                    player.pin.set(Some(cause));
                }>
                    <b class="speaker">{format!("{}:", dir.letter())}</b><code>{text}</code>
                </Button>
            </li>
        </ul>
        {state}
    }
    .into_any()
}

fn of_octets(player: Player, explained: Explained) -> AnyView {
    let Explained {
        wire,
        label,
        what,
        why,
        laws,
        steps,
        defects,
        text,
        dir,
        start,
        end,
        secret,
        because,
        state,
    } = explained;
    let open = player.explain;
    let law = |(rfc, section, gist): (u16, String, String)| {
        view! {
            <li>
                {law(format!("RFC {rfc} §{section}"))}
                {(!gist.is_empty()).then(|| view! { <span>{gist}</span> })}
            </li>
        }
    };
    let has_laws = !laws.is_empty();
    let laws = laws.into_iter().map(law).collect_view();
    let defects =
        defects.into_iter().map(|gist| view! { <p class="defect">{gist}</p> }).collect_view();
    let steps = steps.into_iter().map(|(from, to)| {
        view! { <p class="state-step"><code>{from}</code>" → "<code>{to}</code></p> }
    });
    let side = if dir == Dir::ToServer { "client" } else { "server" };
    let why = StoredValue::new(why);
    view! {
        <p class="small muted">{format!("{side}, octets {start} – {}", end.saturating_sub(1))}</p>
        <h3 class="label">{label}</h3>
        <p class="quote mono">{text}</p>
        {what.map(|what| view! { <p class="what">{what}</p> })}
        {defects}
        <Show when=move || open.get() fallback=move || view! {
            <Button class="quiet small-button" press=move || open.set(true)>"Explain (e)"</Button>
        }>
            {move || why.get_value().map(|why| view! { <p class="why">{why}</p> })}
        </Show>
        {has_laws.then(|| view! { <ul class="laws">{laws}</ul> })}
        {steps.collect_view()}
        {because.map(|because| caused(player, wire, because, state))}
        {secret.then(|| view! { <p class="chip">"secret: masked"</p> })}
    }
    .into_any()
}

fn of_node(player: Player, id: NodeId) -> AnyView {
    let state = Memo::new(move |_| {
        player.scene.with(|scene| scene.nodes.get(&id).cloned().unwrap_or_default())
    });
    let Some(node) = player.read(|story| story.nodes().iter().find(|node| node.id == id).cloned())
    else {
        return ().into_any();
    };
    let start = player.read(|story| story.start_unix_ms());
    let queue = move || {
        let waiting = state.get().waiting;
        let row = |((message, to), next): ((u64, String), Option<pillarbox_world::world::Time>)| {
            let when = next.map_or_else(|| "now".to_owned(), |at| words::clock(start, at));
            view! { <tr><td>{format!("#{message}")}</td><td>{to}</td><td class="mono">{when}</td></tr> }
        };
        (!waiting.is_empty()).then(|| {
            view! {
                <h4>"queue"</h4>
                <table class="plain">
                    <thead><tr><th>"message"</th><th>"to"</th><th>"next try"</th></tr></thead>
                    <tbody>{waiting.into_iter().map(row).collect_view()}</tbody>
                </table>
            }
        })
    };
    let mailboxes = move || {
        let all = state.get().mailboxes;
        let row = |((account, name), (count, unseen)): ((String, String), (u64, u64))| {
            view! { <tr><td>{account}</td><td>{name}</td><td>{count}</td><td>{unseen}</td></tr> }
        };
        (!all.is_empty()).then(|| view! {
            <h4>"mailboxes"</h4>
            <table class="plain">
                <thead><tr><th>"account"</th><th>"mailbox"</th><th>"holds"</th><th>"unread"</th></tr></thead>
                <tbody>{all.into_iter().map(row).collect_view()}</tbody>
            </table>
        })
    };
    let facts = node.facts.iter().map(|(name, value)| {
        view! { <dt>{*name}</dt><dd class="mono">{value.clone()}</dd> }
    });
    view! {
        <h3>{node.title.clone()}</h3>
        <p class="muted">{node.duty}</p>
        <dl class="facts">{facts.collect_view()}</dl>
        {move || state.get().off.then(|| view! { <p class="chip bad">"down"</p> })}
        {queue}
        {mailboxes}
    }
    .into_any()
}
