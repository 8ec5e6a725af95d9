//! A field with what fits below it: arrows choose, Enter takes (the combobox of the ARIA practices).

use leptos::prelude::*;

/// A field that finds: values with their words.
#[component]
pub(crate) fn Finder(
    /// What it is about.
    label: &'static str,
    /// What is typed.
    value: RwSignal<String>,
    /// What fits: words and values.
    #[prop(into)]
    found: Signal<Vec<(String, String)>>,
    /// What happens.
    choose: impl Fn(String) + Copy + Send + Sync + 'static,
) -> AnyView {
    let at = RwSignal::new(0_usize);
    let count = move || found.with(Vec::len);
    let node = NodeRef::<leptos::html::Input>::new();
    Effect::new(move |_| {
        if let Some(input) = node.get() {
            drop(input.focus());
        }
    });
    let key = move |event: leptos::ev::KeyboardEvent| match event.key().as_str() {
        "ArrowDown" => {
            event.prevent_default();
            at.update(|at| *at = (*at + 1).min(count().saturating_sub(1)));
        }
        "ArrowUp" => {
            event.prevent_default();
            at.update(|at| *at = at.saturating_sub(1));
        }
        "Enter" => {
            event.prevent_default();
            let chosen = found.with(|found| found.get(at.get_untracked()).cloned());
            if let Some((_, value)) = chosen {
                choose(value);
            }
        }
        _ => {}
    };
    let rows = move || {
        let row = |(nth, (words, to)): (usize, (String, String))| {
            let is_chosen = move || at.get() == nth;
            view! {
                <li
                    role="option"
                    id=format!("found-{nth}")
                    aria-selected=move || if is_chosen() { "true" } else { "false" }
                    on:mouseenter=move |_| at.set(nth)
                    on:click=move |_| choose(to.clone())
                >
                    {words}
                </li>
            }
        };
        found.get().into_iter().enumerate().map(row).collect_view()
    };
    view! {
        <input
            node_ref=node
            class="field finder"
            type="text"
            role="combobox"
            autocomplete="off"
            spellcheck="false"
            aria-label=label
            aria-expanded="true"
            aria-controls="found"
            aria-activedescendant=move || format!("found-{}", at.get())
            placeholder=label
            prop:value=move || value.get()
            on:input=move |event| {
                at.set(0);
                value.set(event_target_value(&event));
            }
            on:keydown=key
        />
        <ul class="found" id="found" role="listbox" aria-label=label>{rows}</ul>
        <p class="muted small" role="status">{move || match count() {
            0 => "Nothing fits.".to_owned(),
            count => format!("{count} fit; arrows choose, Enter goes there"),
        }}</p>
    }
    .into_any()
}
