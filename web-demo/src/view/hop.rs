//! A message over one hop: what is known before it goes, what the line takes from it, and what its reader gets.

use leptos::prelude::*;

use crate::controls::{Button, Icon, Select, icon};
use crate::story::hop::{self, Fate, LINE_MAX, Sent};
use crate::story::lines::shown;

/// The panel.
pub(super) fn hop(raw: RwSignal<Vec<u8>>) -> AnyView {
    let line = RwSignal::new("7".to_owned());
    let sent = RwSignal::new(None::<Result<Sent, String>>);
    // What was sent is not what is written now.
    Effect::new(move |_| {
        raw.track();
        line.track();
        sent.set(None);
    });
    let lines = [("7", "a line of seven bits"), ("8", "a line of eight bits")];
    let lines = lines.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let send = move || {
        let seven = line.with_untracked(|line| line == "7");
        sent.set(Some(raw.with_untracked(|raw| hop::send(raw, seven))));
    };
    let known = move || {
        let (facts, cost) = raw.with(|raw| hop::before(raw));
        let sign = |fine: bool| if fine { "chip good" } else { "chip warn" };
        let mark = |fine: bool| if fine { "✔" } else { "✖" };
        let (seven, short) = (facts.eight_bit == 0, facts.longest <= LINE_MAX);
        view! {
            <span class=sign(seven)>{format!("octets of eight bits: {} {}", facts.eight_bit, mark(seven))}</span>
            <span class=sign(short)>{format!("longest line: {} ≤ {LINE_MAX} {}", facts.longest, mark(short))}</span>
            <span class="chip">{format!("encodings cost {cost}")}</span>
        }
    };
    let told = move || {
        sent.get().map(|sent| match sent {
            Ok(sent) => told(sent),
            Err(why) => view! { <p class="defect" role="alert">{why}</p> }.into_any(),
        })
    };
    view! {
        <section class="pane hop" aria-label="Over one hop">
            <h2 class="pane-title">"Over one hop"</h2>
            <p class="bench">{known}</p>
            <div class="bench">
                <Select label="Which line it goes over" options=Signal::stored(lines) chosen=line set=move |to| line.set(to) />
                <Button class="primary small-button" id="send-hop" press=send>{icon(Icon::Letter)}<span>"Send"</span></Button>
                <span class="muted small">"SMTP was made for seven bits: a server that does not offer 8BITMIME need carry no more."</span>
            </div>
            <div class="inspected" role="status">{told}</div>
        </section>
    }
    .into_any()
}

fn told(sent: Sent) -> AnyView {
    let Sent { reply, taken, changed, letter, parts } = sent;
    let (class, verdict) = match (taken, changed) {
        (false, _) => ("verdict bad", "The server refuses it.".to_owned()),
        (_, 0) => ("verdict good", "It survives: every octet arrives as it was sent.".to_owned()),
        (_, 1) => ("verdict bad", "It is damaged: 1 octet arrives as another one.".to_owned()),
        (_, count) => {
            ("verdict bad", format!("It is damaged: {count} octets arrive as other ones."))
        }
    };
    let parts = taken.then(|| {
        let rows = parts.into_iter().map(part).collect_view();
        view! {
            <h4>"part by part"</h4>
            <table class="plain fates">
                <thead><tr><th>"part"</th><th>"cost"</th><th>"sent"</th><th>"arrives"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        }
    });
    view! {
        <p class=class>{verdict}</p>
        <p class="small muted">"The server says: "<code>{reply}</code></p>
        {(!letter.is_empty()).then(|| bits(&letter))}
        {parts}
    }
    .into_any()
}

/// A letter that lost its eighth bits, bit by bit.
fn bits(letter: &[(u8, u8)]) -> AnyView {
    let sent: Vec<u8> = letter.iter().map(|(sent, _)| *sent).collect();
    let became: String = letter.iter().map(|(_, became)| shown(*became)).collect();
    let title = format!("{} becomes {became}", String::from_utf8_lossy(&sent));
    let row = |(sent, became): &(u8, u8)| {
        let (first, rest) = (sent >> 7, format!("{:07b}", sent & 0x7f));
        view! {
            <tr>
                <td>{format!("{sent:02X}")}</td>
                <td><del>{first}</del>{rest}</td>
                <td>{format!("0{:07b}", became & 0x7f)}</td>
                <td>{format!("{became:02X}")}</td>
                <td>{shown(*became)}</td>
            </tr>
        }
    };
    view! {
        <h4>{title}</h4>
        <table class="plain mono bits">
            <thead><tr><th>"sent"</th><th>"bits"</th><th>"bits"</th><th>"arrives"</th><th>"is"</th></tr></thead>
            <tbody>{letter.iter().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn part(part: Fate) -> AnyView {
    let cost = part.cost();
    let Fate { name, changed, read, .. } = part;
    let sign = if changed == 0 { "✔ " } else { "✖ " };
    let (before, after) = read.unwrap_or_else(|| {
        let after = if changed == 0 { "as it was" } else { "damaged" };
        (String::new(), after.to_owned())
    });
    let class = if changed == 0 { "held" } else { "hurt" };
    view! { <tr class=class><td>{name}</td><td>{cost}</td><td>{before}</td><td>{sign}{after}</td></tr> }
        .into_any()
}
