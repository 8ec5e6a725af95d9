//! The network tab: the requests of all browsers, in their order, with what each caused.

use leptos::prelude::*;
use pillarbox_world::world::{Dir, WireId};

use crate::controls::{Button, Show};
use crate::player::{Focus, Player};
use crate::story::web::Asked;

/// The table of a stage.
pub(super) fn network(player: Player) -> AnyView {
    let all = Memo::new(move |_| {
        player.version.track();
        let cursor = player.cursor.get();
        player.read(|story| story.requests(cursor))
    });
    let rows = move || all.get().into_iter().map(|asked| row(player, asked)).collect_view();
    view! {
        <section class="pane sequence network" aria-label="Network">
            <h2 class="pane-title">"Network"</h2>
            <Show
                when=move || all.with(|all| !all.is_empty())
                fallback=|| view! { <p class="empty">"No request yet. Press play, or → for one step."</p> }
            >
                <div class="table-pane" tabindex="0" role="region" aria-label="Requests">
                    <table class="plain">
                        <thead><tr>
                            <th scope="col">"time"</th><th scope="col">"who"</th><th scope="col">"request"</th>
                            <th scope="col">"status"</th><th scope="col">"octets"</th>
                        </tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </Show>
        </section>
    }
    .into_any()
}

fn row(player: Player, asked: Asked) -> AnyView {
    let Asked { clock, who, what, status, octets: [sent, got], caused, wire, start, end } = asked;
    let wire = WireId(wire);
    let press = move || {
        player.chosen.set(Some(wire));
        player.pin.set(Some(Focus::Octets { wire, dir: Dir::ToServer, start, end }));
    };
    let status = if status.is_empty() { "–".to_owned() } else { status };
    let caused = (!caused.is_empty()).then(|| {
        view! { <tr class="caused"><td></td><td colspan="4">{format!("it caused: {}", caused.join("; "))}</td></tr> }
    });
    view! {
        <tr>
            <td class="mono">{clock}</td>
            <td>{who}</td>
            <th scope="row"><Button class="quiet small-button mono" press=press>{what}</Button></th>
            <td>{status}</td>
            <td>{format!("{sent} + {got}")}</td>
        </tr>
        {caused}
    }
    .into_any()
}
