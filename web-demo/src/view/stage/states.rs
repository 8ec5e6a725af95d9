//! The state diagram of a connection's sessions: a picture, and the same as a list whose rows lead to the moment.

use leptos::prelude::*;

use crate::browser::px;
use crate::controls::{Button, Show};
use crate::player::Player;
use crate::story::states::{Diagram, Step};

/// From one state to the next below it.
const ROW: f32 = 30.0;
/// Where boxes begin and end, of a width of 300.
const LEFT: f32 = 8.0;
const WIDTH: f32 = 150.0;
const HEIGHT: f32 = 21.0;
/// How far the arcs of other steps stand apart, and how many have a place of their own.
const ARC: f32 = 13.0;
const ARCS: usize = 8;

/// The diagrams of the connection that is shown.
pub(crate) fn states(player: Player) -> AnyView {
    let all = Memo::new(move |_| {
        player.version.track();
        let (cursor, wire) = (player.cursor.get(), player.wire.get());
        wire.map_or_else(Vec::new, |wire| player.read(|story| story.diagrams(wire, cursor)))
    });
    let drawn = move || {
        let one = |diagram: Diagram| {
            view! {
                <h4>{diagram.whose.clone()}</h4>
                {picture(&diagram)}
                {list(player, &diagram)}
            }
        };
        all.get().into_iter().map(one).collect_view()
    };
    view! {
        <Show when=move || all.with(|all| !all.is_empty())>
            <details class="states">
                <summary>"State diagram"</summary>
                {drawn}
            </details>
        </Show>
    }
    .into_any()
}

fn middle(at: usize) -> f32 {
    at as f32 * ROW + HEIGHT / 2.0 + 2.0
}

fn picture(diagram: &Diagram) -> AnyView {
    let height = px(diagram.states.len() as f32 * ROW);
    let boxes = diagram.states.iter().enumerate().map(|(at, state)| {
        let class = match (state.present, state.reached) {
            (true, _) => "state present",
            (_, true) => "state reached",
            _ => "state",
        };
        view! {
            <g class=class>
                <rect x=px(LEFT) y=px(middle(at) - HEIGHT / 2.0) width=px(WIDTH) height=px(HEIGHT) rx="10" />
                <text x=px(LEFT + WIDTH / 2.0) y=px(middle(at) + 4.0) text-anchor="middle">{state.name}</text>
            </g>
        }
    });
    let mut arcs = 0;
    let steps = diagram.steps.iter().map(|step| {
        let (d, head) = arrow(step, &mut arcs);
        let class = if step.made { "step made" } else { "step" };
        view! { <g class=class><path d=d /><path class="head" d=head /></g> }
    });
    view! {
        <svg class="state-picture" viewBox=format!("0 0 300 {height}") aria-hidden="true">
            {steps.collect_view()}
            {boxes.collect_view()}
        </svg>
    }
    .into_any()
}

/// The line of a step and its head: straight to the next state, else around at the right.
fn arrow(step: &Step, arcs: &mut usize) -> (String, String) {
    let (from, to) = (middle(step.from), middle(step.to));
    if step.to == step.from + 1 {
        let x = LEFT + WIDTH / 2.0;
        let end = to - HEIGHT / 2.0;
        let head = format!("M{} {}l4 5l4 -5", px(x - 4.0), px(end - 5.0));
        return (format!("M{} {}V{}", px(x), px(from + HEIGHT / 2.0), px(end)), head);
    }
    let edge = LEFT + WIDTH;
    let out = edge + 16.0 + (*arcs % ARCS) as f32 * ARC;
    *arcs += 1;
    // Beside each other where a step leaves and another arrives.
    let (leaves, arrives) = (from + 4.0, to - 4.0);
    let head = format!("M{} {}l-5 4l5 4", px(edge + 5.0), px(arrives - 4.0));
    let [edge, leaves, out, arrives] = [edge, leaves, out, arrives].map(px);
    (format!("M{edge} {leaves}H{out}V{arrives}H{edge}"), head)
}

fn list(player: Player, diagram: &Diagram) -> AnyView {
    let rows = diagram.states.iter().enumerate().map(|(at, state)| {
        let present = state.present.then_some("step");
        let when = match (state.present, state.reached) {
            (true, _) => "now",
            (_, true) => "was there",
            _ => "not yet",
        };
        let next = diagram.steps.iter().filter(|step| step.from == at).map(|step| {
            let (to, name) = (step.at, diagram.states[step.to].name);
            view! {
                <Button class="quiet small-button" press=move || {
                    player.playing.set(false);
                    player.seek(to);
                }>{format!("→ {name}")}</Button>
            }
        });
        view! {
            <li aria-current=present title=state.gloss.clone()>
                <b>{state.name}</b>" "<span class="muted">{when}</span>" "{next.collect_view()}
            </li>
        }
    });
    view! { <ul class="state-list">{rows.collect_view()}</ul> }.into_any()
}
