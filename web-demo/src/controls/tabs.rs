//! Tabs: one panel of several, chosen by arrow keys too.

use leptos::prelude::*;

use crate::browser;

/// A row of tabs; which one is chosen lives with the caller. Panels are `{prefix}-panel`.
pub(crate) fn tabs(
    prefix: &'static str,
    label: &'static str,
    names: Vec<(String, String)>,
    chosen: RwSignal<String>,
) -> AnyView {
    let count = names.len();
    let values: Vec<String> = names.iter().map(|(value, _)| value.clone()).collect();
    let tab = |(at, (value, words)): (usize, (String, String))| {
        let (own, keyed) = (value.clone(), values.clone());
        let is_chosen = Memo::new(move |_| chosen.get() == own);
        let key = move |event: leptos::ev::KeyboardEvent| {
            let to = match event.key().as_str() {
                "ArrowRight" => (at + 1) % count,
                "ArrowLeft" => (at + count - 1) % count,
                "Home" => 0,
                "End" => count - 1,
                _ => return,
            };
            event.prevent_default();
            chosen.set(keyed[to].clone());
            browser::focus(&format!("{prefix}-tab-{}", keyed[to]));
        };
        view! {
            <button
                type="button"
                role="tab"
                class="tab"
                id=format!("{prefix}-tab-{value}")
                aria-controls=format!("{prefix}-panel")
                aria-selected=move || if is_chosen.get() { "true" } else { "false" }
                tabindex=move || if is_chosen.get() { "0" } else { "-1" }
                on:click=move |_| chosen.set(value.clone())
                on:keydown=key
            >
                {words}
            </button>
        }
    };
    view! {
        <div class="tabs" role="tablist" aria-label=label>
            {names.into_iter().enumerate().map(tab).collect_view()}
        </div>
    }
    .into_any()
}
