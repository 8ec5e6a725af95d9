//! A place to type lines, as at a terminal: what may come next is shown behind what is typed, and it can behave as badly as
//! old terminals do.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use super::Button;
use crate::browser;

/// How a key for going back is shown that was sent as an octet of its own.
pub(crate) const BACKSPACE: char = '␈';

/// What of an old terminal is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// What is typed is not shown.
    pub(crate) silent: bool,
    /// Backspace is an octet like any other.
    pub(crate) backspace: bool,
    /// Each character is sent at once, so that none can be taken back.
    pub(crate) at_once: bool,
}

/// What stands behind what is typed, if one of these begins so; case does not matter. Before anything is typed it is all of
/// the first.
fn rest_of(typed: &str, next: &[String]) -> String {
    let fits = |known: &&String| {
        let begins = known.get(..typed.len());
        known.len() > typed.len() && begins.is_some_and(|begins| begins.eq_ignore_ascii_case(typed))
    };
    next.iter().find(fits).map_or_else(String::new, |known| known[typed.len()..].to_owned())
}

/// A place to type lines: Enter sends, Ctrl+Enter sends without an end of line, Tab completes, Ctrl+Space goes to what can be
/// said, arrows bring back what was sent.
#[component]
pub(crate) fn Prompt(
    /// What stands before it.
    #[prop(into)]
    label: Signal<String>,
    /// What is typed.
    value: RwSignal<String>,
    /// What was sent before.
    history: RwSignal<Vec<String>>,
    /// What may come next, likeliest first.
    #[prop(optional, into)]
    next: Signal<Vec<String>>,
    /// How it behaves.
    #[prop(optional, into)]
    terminal: Signal<Terminal>,
    /// What happens with characters that are sent at once.
    #[prop(optional)]
    piece: Option<Callback<String>>,
    /// What happens when it is asked what can be said.
    #[prop(optional)]
    ask: Option<Callback<()>>,
    /// What happens; told whether the line is ended.
    send: impl Fn(bool) + Copy + 'static,
) -> AnyView {
    let node = NodeRef::<html::Textarea>::new();
    let back = RwSignal::new(0_usize);
    Effect::new(move |_| {
        if let Some(area) = node.get() {
            drop(area.focus());
        }
    });
    let recall = move |back_by: usize| {
        let sent = history.get_untracked();
        back.set(back_by.min(sent.len()));
        let at = sent.len().checked_sub(back.get_untracked());
        value.set(at.and_then(|at| sent.get(at)).cloned().unwrap_or_default());
    };
    let ghost = Memo::new(move |_| {
        let typed = value.get();
        if terminal.get().silent { String::new() } else { next.with(|next| rest_of(&typed, next)) }
    });
    let at_once = move |text: &str| {
        if let Some(piece) = piece {
            piece.run(text.to_owned());
        }
    };
    let typed = move |event: ev::Event| {
        let (now, before) = (event_target_value(&event), value.get_untracked());
        if !terminal.get_untracked().at_once {
            value.set(now);
            return;
        }
        match now.strip_prefix(&before[..]) {
            Some(new) => {
                at_once(new);
                value.set(now.clone());
            }
            // What was sent cannot be changed.
            None => {
                if let Some(area) = node.get_untracked() {
                    area.set_value(&before);
                }
            }
        }
    };
    let key = move |event: ev::KeyboardEvent| {
        let one_line = !value.with_untracked(|value| value.contains('\n'));
        let terminal = terminal.get_untracked();
        match event.key().as_str() {
            "Enter" if !event.shift_key() => {
                event.prevent_default();
                back.set(0);
                send(!event.ctrl_key());
            }
            " " if event.ctrl_key() => {
                event.prevent_default();
                if let Some(ask) = ask {
                    ask.run(());
                }
                browser::focus_first(".palette button");
            }
            "Backspace" if terminal.backspace || terminal.at_once => {
                event.prevent_default();
                if terminal.at_once {
                    at_once(&BACKSPACE.to_string());
                }
                value.update(|value| value.push(BACKSPACE));
            }
            "Tab" if !event.shift_key() => {
                let rest = ghost.get_untracked();
                // In an empty field the key goes on to what comes next, as everywhere.
                if !rest.is_empty() && !value.with_untracked(String::is_empty) {
                    event.prevent_default();
                    if terminal.at_once {
                        at_once(&rest);
                    }
                    value.update(|value| value.push_str(&rest));
                }
            }
            "ArrowUp" if one_line && !terminal.at_once => {
                event.prevent_default();
                recall(back.get_untracked() + 1);
            }
            "ArrowDown" if one_line && !terminal.at_once => {
                event.prevent_default();
                recall(back.get_untracked().saturating_sub(1));
            }
            "Escape" => {
                if let Some(area) = node.get_untracked() {
                    drop(area.blur());
                }
            }
            _ => {}
        }
    };
    let rows = move || value.with(|value| value.split('\n').count()).clamp(1, 8);
    let hint = move || {
        let empty = ghost.with(String::is_empty);
        empty.then_some("type a line, Enter sends it")
    };
    view! {
        <div class="prompt">
            <label for="prompt" class="mono">{move || label.get()}</label>
            <div class="typing mono" class:silent=move || terminal.get().silent>
                <div class="ghost" aria-hidden="true">
                    <span class="typed">{move || value.get()}</span>
                    <span class="rest">{move || ghost.get()}</span>
                </div>
                <textarea
                    id="prompt"
                    node_ref=node
                    rows=rows
                    autocomplete="off"
                    spellcheck="false"
                    placeholder=hint
                    prop:value=move || value.get()
                    on:input=typed
                    on:keydown=key
                ></textarea>
            </div>
            <Button class="primary" press=move || send(true)>"Send"</Button>
        </div>
    }
    .into_any()
}
