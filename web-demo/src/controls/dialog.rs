//! A dialog over the page: opened and closed by a signal, by its button, and by Esc.

use leptos::html;
use leptos::prelude::*;

use super::{Button, Icon, icon};

/// A dialog with a title.
#[component]
pub(crate) fn Dialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// What it is called.
    title: &'static str,
    children: ChildrenFn,
) -> AnyView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = node.get() else { return };
        if open.get() && !dialog.open() {
            drop(dialog.show_modal());
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    // What is closed costs nothing.
    let content = move || open.get().then(|| children());
    view! {
        <dialog node_ref=node aria-label=title on:close=move |_| open.set(false)>
            <div class="dialog-head">
                <h2>{title}</h2>
                <Button class="quiet icon" name=Signal::stored("Close".to_owned()) press=move || open.set(false)>
                    {icon(Icon::Close)}
                </Button>
            </div>
            {content}
        </dialog>
    }
    .into_any()
}
