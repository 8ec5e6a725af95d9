//! HTTP and SMTP side by side, row by row, each octet as it was sent and explained.

use leptos::prelude::*;

use crate::app::Ui;
use crate::browser;
use crate::controls::Select;
use crate::player::{Focus, Player};
use crate::route::Route;
use crate::story::SpokenLine;
use crate::story::compare::{self, PHOTOS_MAX, Point, Wish};

use super::stage;

/// Lines of a cell that are shown.
const LINES_MAX: usize = 9;

/// The screen, with what is looked at there.
pub(super) fn compare(pin: Option<&str>) -> AnyView {
    let ui: Ui = expect_context();
    ui.title.set("HTTP and SMTP".to_owned());
    // What is compared stands before what is looked at.
    let (wish, pin) = match pin.map(|text| text.split_once('.').unwrap_or((text, ""))) {
        Some((wish, pin)) if Wish::parse(wish).is_some() => {
            (Wish::parse(wish), Some(pin).filter(|pin| !pin.is_empty()))
        }
        _ => (None, pin),
    };
    if let (None, Some(pin)) = (wish, pin)
        && Focus::parse(pin).is_none()
    {
        return super::no_such_place(&Route::Compare(Some(pin.to_owned())));
    }
    let wish = wish.unwrap_or_default();
    let Some((story, wires)) = compare::begin(wish) else { return ().into_any() };
    let points = story.points(&wires);
    let player = Player::new(story);
    player.seek(usize::MAX);
    let pinned = pin.and_then(Focus::parse).filter(|focus| player.read(|story| story.has(*focus)));
    player.pin.set(pinned);
    let wrong = (pin.is_some() && pinned.is_none())
        .then(|| view! { <p class="defect" role="alert">"This link points at octets that are not here."</p> });
    let share = stage::share_place(move || {
        let pin = player.pin.get_untracked().map(|pin| format!(".{}", pin.text()));
        Some(place(wish, &pin.unwrap_or_default()))
    });
    let first = points.iter().flat_map(|point| point.http.iter().chain(&point.smtp)).next();
    let first = first.map(|line| (line.dir, line.start, line.wire));
    let rows = points.into_iter().map(|point| row(player, point, first)).collect_view();
    let stage = Route::Scenario("http-and-smtp".to_owned()).to_string();
    view! {
        <div class="compare">
            <div class="compare-main">
                <div class="compare-head">
                    <h1>{if wish.photos == 1 { "One page with a photo, sent in two ways".to_owned() } else { format!("One page with {} photos, sent in two ways", wish.photos) }}</h1>
                    <p class="muted">
                        "Bob's laptop fetches it with HTTP; Alice's server brings it with SMTP. These octets were sent in a world "
                        "that runs in this page: point at any of them. "
                        <a href=stage>"See both travel on the stage"</a>
                    </p>
                    <div class="go">{choices(wish)}{share}</div>
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

/// The place of the page where this is compared, and that is looked at.
fn place(wish: Wish, pin: &str) -> Route {
    let text = format!("{}{pin}", wish.text());
    Route::Compare((text != Wish::default().text()).then_some(text))
}

/// How the page is fetched, and how much is on it.
fn choices(wish: Wish) -> AnyView {
    let go = |wish: Wish| browser::go(&place(wish, "").to_string());
    let ways = [("p", "HTTP: one connection for all"), ("o", "HTTP: a connection for each object")];
    let ways = ways.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let counts = (1..=PHOTOS_MAX).map(|count| {
        let words = if count == 1 { "1 photo".to_owned() } else { format!("{count} photos") };
        (count.to_string(), words)
    });
    let way = Signal::stored(if wish.persistent { "p" } else { "o" }.to_owned());
    view! {
        <Select label="Connections" options=Signal::stored(ways) chosen=way set=move |to: String| go(Wish { persistent: to == "p", ..wish }) />
        <Select label="How many photos" options=Signal::stored(counts.collect::<Vec<_>>()) chosen=Signal::stored(wish.photos.to_string()) set=move |to: String| {
            if let Ok(photos) = to.parse() {
                go(Wish { photos, ..wish });
            }
        } />
    }
    .into_any()
}

fn row(player: Player, point: Point, first: stage::First) -> AnyView {
    let Point { title, http, smtp, silent, difference } = point;
    let [web, mail] = silent;
    view! {
        <tr>
            <th scope="row" rowspan="2">{title.clone()}</th>
            <td>{cell(player, &title, "HTTP", http, web, first)}</td>
            <td>{cell(player, &title, "SMTP", smtp, mail, first)}</td>
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
