//! HTTP and SMTP side by side, row by row, each octet as it was sent and explained.

use leptos::prelude::*;

use crate::app::Ui;
use crate::player::{Focus, Player};
use crate::route::Route;
use crate::story::SpokenLine;
use crate::story::compare::{self, Point};

use super::stage;

/// Lines of a cell that are shown.
const LINES_MAX: usize = 9;

/// The screen, with what is looked at there.
pub(super) fn compare(pin: Option<&str>) -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set("HTTP and SMTP".to_owned());
    let Some((story, wires)) = compare::begin() else { return ().into_any() };
    let points = story.points(wires);
    let player = Player::new(story);
    player.seek(usize::MAX);
    let pinned = pin.and_then(Focus::parse).filter(|focus| player.read(|story| story.has(*focus)));
    player.pin.set(pinned);
    let wrong = (pin.is_some() && pinned.is_none())
        .then(|| view! { <p class="defect" role="alert">"This link points at octets that are not here."</p> });
    let share = stage::share_place(move || {
        Some(Route::Compare(player.pin.get_untracked().map(|pin| pin.text())))
    });
    let first = points.iter().flat_map(|point| point.http.iter().chain(&point.smtp)).next();
    let first = first.map(|line| (line.dir, line.start, line.wire));
    let rows = points.into_iter().map(|point| row(player, point, first)).collect_view();
    let stage = Route::Scenario("http-and-smtp".to_owned()).to_string();
    view! {
        <div class="compare">
            <div class="compare-main">
                <div class="compare-head">
                    <h1>"One page with a photo, on two ways"</h1>
                    <p class="muted">
                        "Bob's laptop fetches it with HTTP; Alice's server brings it with SMTP. These octets were sent in a world "
                        "that runs in this page: point at any of them. "
                        <a href=stage>"See both travel on the stage"</a>
                    </p>
                    {share}
                    {wrong}
                </div>
                <table class="compare-table">
                    <thead><tr><th scope="col"><span class="unseen">"Step"</span></th><th scope="col">"HTTP"</th><th scope="col">"SMTP"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {stage::inspector(player)}
        </div>
    }
    .into_any()
}

fn row(player: Player, point: Point, first: stage::First) -> AnyView {
    let Point { title, http, smtp, silent, difference } = point;
    let [web, mail] = silent;
    view! {
        <tr>
            <th scope="row" rowspan="2">{title}</th>
            <td>{cell(player, title, "HTTP", http, web, first)}</td>
            <td>{cell(player, title, "SMTP", smtp, mail, first)}</td>
        </tr>
        <tr class="difference"><td colspan="2">{difference}</td></tr>
    }
    .into_any()
}

fn cell(
    player: Player,
    title: &str,
    protocol: &str,
    lines: Vec<SpokenLine>,
    silent: String,
    first: stage::First,
) -> AnyView {
    if lines.is_empty() {
        return view! { <p class="muted">{silent}</p> }.into_any();
    }
    let count = lines.len();
    let rest: u64 = lines.iter().skip(LINES_MAX).map(|line| line.end - line.start).sum();
    let shown = lines.into_iter().take(LINES_MAX);
    let shown = shown.map(|line| stage::compared_line(player, line, first)).collect_view();
    let more = (count > LINES_MAX).then(|| {
        let words = format!("… and {} more lines, {rest} octets", count - LINES_MAX);
        view! { <p class="muted small">{words}</p> }
    });
    let name = format!("{title}, {protocol}");
    view! { <ol class="rows lines" aria-label=name>{shown}</ol>{more} }.into_any()
}
