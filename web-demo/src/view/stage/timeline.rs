//! Time: to the start, a step, play, the end; a scrubber with marks; how fast.

use leptos::prelude::*;

use crate::browser::percent;
use crate::controls::{Button, Icon, Select, Show, Slider, Switch, icon};
use crate::player::{Pace, Player};
use crate::story::Stride;

/// The bar at the bottom.
pub(crate) fn timeline(player: Player) -> AnyView {
    let last = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.entries().len())
    });
    let words = Signal::derive(move || {
        let cursor = player.cursor.get();
        player.version.track();
        player.read(|story| match cursor.checked_sub(1).and_then(|at| story.sentence(at)) {
            Some(sentence) => format!("{}, {}", story.clock(cursor), sentence.text),
            None => story.clock(cursor),
        })
    });
    let clock = move || {
        player.version.track();
        let cursor = player.cursor.get();
        player.read(|story| story.clock(cursor))
    };
    let at_end = Signal::derive(move || player.cursor.get() >= last.get());
    let at_start = Signal::derive(move || player.cursor.get() == 0);
    let word = |text: &str| Signal::stored(text.to_owned());
    let play_name = Signal::derive(move || {
        if player.playing.get() { "Pause (Space)".to_owned() } else { "Play (Space)".to_owned() }
    });
    let paces = Pace::ALL.map(|(_, words)| (words.to_owned(), words.to_owned())).to_vec();
    let pace = Signal::derive(move || {
        let now = player.pace.get();
        Pace::ALL.iter().find(|(pace, _)| *pace == now).map_or("", |(_, words)| words).to_owned()
    });
    let set_pace = move |chosen: String| {
        if let Some((pace, _)) = Pace::ALL.iter().find(|(_, words)| *words == chosen) {
            player.pace.set(*pace);
        }
    };
    let waits = Signal::derive(move || !player.skips.get());
    view! {
        <div class="timeline" role="group" aria-label="Time">
            <div class="transport">
                <Button class="quiet icon first" name=word("To the start (Home)") disabled=at_start press=move || player.seek(0)>
                    {icon(Icon::First)}
                </Button>
                <Button class="quiet icon turn" id="turn-back" name=word("To the turn before (p)") disabled=at_start press=move || player.stride(Stride::Turn, false)>
                    {icon(Icon::PreviousTurn)}
                </Button>
                <Button class="quiet icon" name=word("One step back (←)") disabled=at_start press=move || player.stride(Stride::Step, false)>
                    {icon(Icon::Previous)}
                </Button>
                <Button class="primary icon play" id="play" name=play_name press=move || player.play(!player.playing.get_untracked())>
                    {move || icon(if player.playing.get() { Icon::Pause } else { Icon::Play })}
                </Button>
                <Button class="quiet icon" id="step" name=word("One step on (→)") disabled=at_end press=move || player.stride(Stride::Step, true)>
                    {icon(Icon::Next)}
                </Button>
                <Button class="quiet icon turn" id="turn" name=word("To the next turn: a connection, an error, a fault, a delivery (n)") disabled=at_end press=move || player.stride(Stride::Turn, true)>
                    {icon(Icon::NextTurn)}
                </Button>
                <Button class="quiet icon last" name=word("To the end (End)") disabled=at_end press=move || player.seek(usize::MAX)>
                    {icon(Icon::Last)}
                </Button>
            </div>
            <div class="scrub">
                <Slider name="Moment" max=last value=player.cursor words=words set=move |at| {
                    player.playing.set(false);
                    player.seek(at);
                } key=move |key, shift| keyed(player, key, shift) />
                {marks(player)}
            </div>
            <output class="clock mono">{clock}</output>
            <Select label="Pace" options=Signal::stored(paces) chosen=pace set=set_pace />
            <Show when=move || matches!(player.pace.get(), Pace::Times(_))>
                <Switch label="Don’t skip" on=waits set=move |on| player.skips.set(!on) />
            </Show>
        </div>
    }
    .into_any()
}

/// Keys of the scrubber: arrows go by steps, with Shift by entries, and pages by connections.
fn keyed(player: Player, key: &str, shift: bool) -> bool {
    let small = if shift { Stride::Entry } else { Stride::Step };
    let (stride, on) = match key {
        "ArrowRight" | "ArrowUp" => (small, true),
        "ArrowLeft" | "ArrowDown" => (small, false),
        "PageDown" => (Stride::Connection, true),
        "PageUp" => (Stride::Connection, false),
        _ => return false,
    };
    player.stride(stride, on);
    true
}

/// Marks under the scrubber, where something matters.
fn marks(player: Player) -> AnyView {
    let marks = Memo::new(move |_| {
        player.version.track();
        player.read(|story| story.marks())
    });
    let draw = move || {
        let mark = |(share, class): (f32, &'static str)| {
            view! { <i class=class style=format!("left:{}", percent(share))></i> }
        };
        marks.get().into_iter().map(mark).collect_view()
    };
    view! { <div class="marks" aria-hidden="true">{draw}</div> }.into_any()
}
