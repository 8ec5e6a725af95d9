//! The catalogue's texts: `boot.js` loads them for the first screen that explains anything, since the first page does not.

use leptos::prelude::*;
use pillarbox_world::catalogue;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};

use crate::app::{self, Ui};
use crate::controls::{Button, Show};

#[wasm_bindgen]
extern "C" {
    /// The texts, if they are here; else they are loaded, and told then: nothing, if that failed.
    #[wasm_bindgen(js_name = pillarboxWords)]
    fn load_words(told: JsValue) -> Option<String>;
}

/// Has the texts given to the catalogue, and says when that is done, or that it could not be.
pub(crate) fn load(told: impl Fn(bool) + Clone + 'static) {
    let later = {
        let told = told.clone();
        move |texts: JsValue| {
            let texts = texts.as_string();
            let done = texts.is_some();
            texts.into_iter().for_each(catalogue::give);
            told(done);
        }
    };
    let later = Closure::once(later).into_js_value();
    if let Some(texts) = load_words(later.unchecked_into()) {
        catalogue::give(texts);
        told(true);
    }
}

/// What stands where explanations would, as long as there are none: that they are on their way, or that they could not be
/// loaded and can be asked for again.
pub(crate) fn missing() -> AnyView {
    let ui: Ui = expect_context();
    let told = move || {
        if !ui.lost_words.get() {
            return view! { <p class="muted small">"The explanations are on their way …"</p> }
                .into_any();
        }
        view! {
            <div class="lost-words" role="alert">
                <p class="defect">"The explanations could not be loaded. All the rest works without them."</p>
                <Button class="small-button" press=move || app::explain(ui)>"Load them again"</Button>
            </div>
        }
        .into_any()
    };
    view! { <Show when=move || !ui.has_words.get()>{told}</Show> }.into_any()
}
