//! The map: who is there, what lies in queues and mailboxes, and what moves now.

use leptos::prelude::*;
use pillarbox_world::world::NodeId;

use crate::browser::px;
use crate::controls::Area;
use crate::player::{Focus, Player};
use crate::story::layout::{self, Kind, Map, TALL_WIDTH, WIDTH, shortened};
use crate::story::lines::visible;
use crate::story::scene::{Moving, Phase, Place};
use crate::story::{Badge, NodeInfo, Spot, words};

const ENVELOPE: &str = "M0 0h15v11h-15zM0 .5l7.500 6l7.500 -6";
/// The height above which a drawing is not made smaller than it can be read at.
const HIGH: f32 = 480.0;
/// The scale at which it can.
const READABLE: f32 = 0.7;
/// The size of a title's letters, and of those under it, which are less bold and so narrower than their 13.
const TITLE: f32 = 15.0;
const UNDER: f32 = 12.0;
/// Envelopes drawn one by one; more are a number.
const ENVELOPES_MAX: u64 = 4;

/// The map of a stage.
pub(crate) fn map(player: Player, tall: bool) -> AnyView {
    let (map, nodes, links) =
        player.read(|story| (story.map(tall), story.nodes().to_vec(), story.links().to_vec()));
    let width = if tall { TALL_WIDTH } else { WIDTH };
    let box_of_all = format!("0 0 {} {}", px(width), px(map.height));
    let lines = links.iter().filter_map(|(a, b)| line(player, &map, *a, *b)).collect_view();
    let boxes = nodes.into_iter().filter_map(|node| {
        let spot = *map.spots.get(&node.id.0)?;
        Some(place(player, node, spot))
    });
    let boxes = boxes.collect_view();
    // What is drawn too small to be read is scrolled instead.
    let least = if map.height > HIGH { px(map.height * READABLE) } else { 0 };
    view! {
        <svg class="map" style=format!("min-height:{least}px") viewBox=box_of_all role="group" aria-label="Map of the network">
            {lines}
            {boxes}
            {badges(player, &map)}
            {mover(player, map)}
        </svg>
    }
    .into_any()
}

/// The numbers of the book's steps, lit once they have come. The list of what happened tells them too.
fn badges(player: Player, map: &Map) -> AnyView {
    let badge = move |Badge { number, x, y, reached }: Badge| {
        let class = move || match reached {
            Some(reached) if player.cursor.get() >= reached => "badge reached",
            _ => "badge",
        };
        view! {
            <g class=class aria-hidden="true">
                <circle cx=px(x) cy=px(y) r="11" />
                <text x=px(x) y=px(y + 4.5) text-anchor="middle">{number}</text>
            </g>
        }
    };
    let badges = player.read(|story| story.badges(map));
    badges.into_iter().map(badge).collect_view().into_any()
}

/// A link; lit while something is spoken over it.
fn line(player: Player, map: &Map, a: NodeId, b: NodeId) -> Option<AnyView> {
    let (from, to) = (*map.spots.get(&a.0)?, *map.spots.get(&b.0)?);
    let ((x1, y1), (x2, y2)) = (from.edge(&to), to.edge(&from));
    let talk = Memo::new(move |_| {
        player.scene.with(|scene| {
            let between = |talk: &&crate::story::scene::Talk| {
                (talk.client, talk.server) == (a, b) || (talk.client, talk.server) == (b, a)
            };
            let last = scene.wires.values().rev().find(between)?;
            Some((last.phase, crate::story::protocol_name(last.protocol), last.port, last.secured))
        })
    });
    let class = move || match talk.get() {
        Some((Phase::Opening, ..)) => "link opening",
        Some((Phase::Open, ..)) => "link open",
        Some((Phase::Refused | Phase::Cut, ..)) => "link refused",
        _ => "link",
    };
    let (x, y) = (f32::midpoint(x1, x2), f32::midpoint(y1, y2));
    let upright = (x1 - x2).abs() < 20.0;
    let (anchor, dx, dy) = if upright { ("start", 10.0, 4.0) } else { ("middle", 0.0, -10.0) };
    let is_short = (x1 - x2).abs() < 90.0 && !upright;
    let words = move || {
        let (phase, protocol, port, secured) = talk.get()?;
        let open = matches!(phase, Phase::Open | Phase::Opening);
        let lock = if secured { " TLS" } else { "" };
        match phase {
            Phase::Refused => Some(format!("✖ {port}")),
            Phase::Cut => Some("✖ cut".to_owned()),
            _ if is_short => open.then(|| format!("{port}{lock}")),
            _ => open.then(|| format!("{protocol} · port {port}{lock}")),
        }
    };
    let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(px);
    let drawn = view! {
        <line x1=x1 y1=y1 x2=x2 y2=y2 />
        <text x=px(x + dx) y=px(y + dy) text-anchor=anchor>{words}</text>
    };
    if !player.breaks() {
        return Some(view! { <g class=class>{drawn}</g> }.into_any());
    }
    let spot = Spot::Line(a, b);
    let title =
        player.read(|story| format!("The line between {} and {}", story.name(a), story.name(b)));
    let called = Signal::derive(move || match words() {
        Some(words) => format!("{title}: {words}"),
        None => title.clone(),
    });
    let view = view! {
        <Area
            class=Signal::derive(move || class().to_owned())
            called=called
            name=Signal::stored("What may go wrong with it".to_owned())
            press=move || player.ask(Some(spot))
            at=move |here| player.near(here, spot)
            menu=player.menu(spot)
        >
            // What is as thin as a line is hard to hit.
            <line class="near" x1=x1 y1=y1 x2=x2 y2=y2 />
            {drawn}
        </Area>
    };
    Some(view.into_any())
}

fn place(player: Player, node: NodeInfo, spot: layout::Spot) -> AnyView {
    let id = node.id;
    let state = Memo::new(move |_| {
        player.scene.with(|scene| scene.nodes.get(&id).cloned().unwrap_or_default())
    });
    let chosen = move || player.focus() == Some(Focus::Node(id));
    let (left, top) = (spot.x - spot.w / 2.0, spot.y - spot.h / 2.0);
    let kind = match node.kind {
        Kind::Server => "server",
        Kind::Device => "device",
        Kind::Dns => "dns",
        Kind::Listener => "listener",
    };
    let label = {
        let node = node.clone();
        Signal::derive(move || spoken(&node, &state.get()))
    };
    let class = move || {
        let off = if state.get().off { " off" } else { "" };
        let chosen = if chosen() { " chosen" } else { "" };
        format!("node {kind}{off}{chosen}")
    };
    let inside = match node.kind {
        Kind::Server => server(player, &node, state, spot),
        _ => small(&node, state, spot),
    };
    view! {
        <Area
            class=Signal::derive(class)
            name=label
            press=move || player.pin.set(Some(Focus::Node(id)))
            at=move |here| player.hover.set(here.then_some(Focus::Node(id)))
            menu=player.menu(Spot::Node(id))
        >
            <rect x=px(left) y=px(top) width=px(spot.w) height=px(spot.h) rx="10" />
            {inside}
        </Area>
    }
    .into_any()
}

/// What somebody hears who does not see the map.
fn spoken(node: &NodeInfo, place: &Place) -> String {
    let mut text = node.title.clone();
    match node.kind {
        Kind::Server => {
            text.push_str(&format!(", mail server; queue {}", place.queue));
            for ((account, name), (count, _)) in &place.mailboxes {
                text.push_str(&visible(&format!("; {account} {name} {count}")));
            }
        }
        Kind::Device => text.push_str(&format!(", device; shows {}", place.shown)),
        Kind::Dns | Kind::Listener => {}
    }
    if place.off {
        text.push_str("; down");
    }
    text
}

fn server(player: Player, node: &NodeInfo, state: Memo<Place>, spot: layout::Spot) -> AnyView {
    let (left, top) = (spot.x - spot.w / 2.0 + 14.0, spot.y - spot.h / 2.0);
    let right = left + spot.w - 28.0;
    let queue = Memo::new(move |_| state.with(|place| place.queue));
    let rows = Memo::new(move |_| {
        state.with(|place| {
            let mut rows: Vec<(String, u64)> = Vec::new();
            for ((account, _), (count, _)) in &place.mailboxes {
                let name = account.split('@').next().unwrap_or(account);
                match rows.iter_mut().find(|row| row.0 == name) {
                    Some(row) => row.1 += count,
                    None => rows.push((name.to_owned(), *count)),
                }
            }
            rows
        })
    });
    let start = player.read(|story| story.start_unix_ms());
    let next = move || {
        let waiting = state.with(|place| place.waiting.values().flatten().min().copied());
        waiting.map_or_else(|| "queue".to_owned(), |at| format!("next {}", words::clock(start, at)))
    };
    let users = node.users.clone();
    let mailboxes = move || {
        let mut rows = rows.get();
        for user in &users {
            if !rows.iter().any(|row| row.0 == *user) {
                rows.push((user.clone(), 0));
            }
        }
        pillarbox_engine::order::sort(&mut rows);
        let more = rows.len().saturating_sub(2);
        let shown = rows.into_iter().take(2).zip(0_u8..).map(|((name, count), nth)| {
            let name = visible(&name);
            let y = top + 73.0 + f32::from(nth) * 22.0;
            view! {
                <g class="row">
                    <text x=px(left) y=px(y)>{name}</text>
                    {envelopes(count, right, y)}
                </g>
            }
        });
        let shown = shown.collect_view();
        let more = (more > 0).then(|| {
            view! { <text class="more" x=px(right) y=px(top + 108.0) text-anchor="end">{format!("+{more}")}</text> }
        });
        view! { {shown}{more} }.into_any()
    };
    view! {
        <text class="title" x=px(left) y=px(top + 25.0)>{shortened(&node.title, spot.w - 28.0, TITLE)}</text>
        <g class="row" class:busy=move || queue.get() != 0>
            <text x=px(left) y=px(top + 50.0)>{next}</text>
            {move || envelopes(queue.get(), right, top + 50.0)}
        </g>
        {mailboxes}
    }
    .into_any()
}

/// Envelopes as far as there is room, and their number.
fn envelopes(count: u64, right: f32, y: f32) -> AnyView {
    let drawn = count.min(ENVELOPES_MAX);
    let pictures = (0..drawn).map(|nth| {
        let x = right - 30.0 - nth as f32 * 18.0;
        view! { <path class="envelope" d=ENVELOPE transform=format!("translate({} {})", px(x), px(y - 10.0)) /> }
    });
    view! {
        {pictures.collect_view()}
        <text class="count" x=px(right) y=px(y) text-anchor="end">{count}</text>
    }
    .into_any()
}

fn small(node: &NodeInfo, state: Memo<Place>, spot: layout::Spot) -> AnyView {
    let top = spot.y - spot.h / 2.0;
    let is_device = node.kind == Kind::Device;
    let under = shortened(&node.under, spot.w - 8.0, UNDER);
    let second = move || {
        let shown = state.with(|place| place.shown);
        match (is_device, shown) {
            (true, 1..) => format!("shows {shown}"),
            _ => under.clone(),
        }
    };
    let lit = move || is_device && state.with(|place| place.shown) > 0;
    view! {
        <text class="title" x=px(spot.x) y=px(top + 26.0) text-anchor="middle">{shortened(&node.title, spot.w - 8.0, TITLE)}</text>
        <text class="under" class:lit=lit x=px(spot.x) y=px(top + 46.0) text-anchor="middle">{second}</text>
    }
    .into_any()
}

/// What this very step moves, drawn on its way.
fn mover(player: Player, map: Map) -> AnyView {
    let moving = Memo::new(move |_| {
        let cursor = player.cursor.get();
        let letter = player.read(|story| story.carries_message(cursor));
        (cursor, letter, player.scene.with(|scene| scene.motion))
    });
    let draw = move || {
        let (cursor, letter, motion) = moving.get();
        let motion = motion?;
        let (from, to) = (map.spots.get(&motion.from.0)?, map.spots.get(&motion.to.0)?);
        let ((x0, y0), (x1, y1)) = (from.edge(to), to.edge(from));
        let [x0, y0, x1, y1] = [x0, y0, x1, y1].map(px);
        // Another name starts the movement anew.
        let name = if cursor % 2 == 0 { "fly-a" } else { "fly-b" };
        let style =
            format!("--x0:{x0}px;--y0:{y0}px;--x1:{x1}px;--y1:{y1}px;animation-name:{name}");
        let picture = match motion.what {
            Moving::Octets if letter => {
                view! { <path class="letter" d="M-13 -9h26v18h-26zM-13 -8.500l13 10l13 -10" /> }
                    .into_any()
            }
            Moving::Octets => view! { <circle r="7" /> }.into_any(),
            Moving::Request => view! { <circle class="hollow" r="7" /> }.into_any(),
            Moving::Refusal => {
                view! { <path class="cross" d="M-7 -7l14 14M7 -7l-14 14" /> }.into_any()
            }
            Moving::Name => {
                view! { <rect class="hollow" x="-6" y="-6" width="12" height="12" rx="3" /> }
                    .into_any()
            }
        };
        let drawn = view! { <g class="mover" style=style aria-hidden="true">{picture}</g> };
        let spot = Spot::Entry(cursor.saturating_sub(1));
        if !player.breaks() {
            return Some(drawn.into_any());
        }
        let view = view! {
            <Area
                class=Signal::stored("flying".to_owned())
                called=Signal::stored("What is on its way".to_owned())
                name=Signal::stored("What may go wrong with it".to_owned())
                press=move || player.ask(Some(spot))
                at=move |here| player.near(here, spot)
                menu=player.menu(spot)
            >
                {drawn}
            </Area>
        };
        Some(view.into_any())
    };
    view! { {draw} }.into_any()
}
