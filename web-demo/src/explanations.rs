//! The texts of scenarios, challenges and explanations: `40-boot.js` loads them for the first screen that has any, which the
//! first page does not.

use leptos::prelude::*;
use pillarbox_world::given::give;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};

use crate::app::{self, Ui};
use crate::controls::Button;

#[wasm_bindgen]
extern "C" {
    /// The texts, if they are here; else they are loaded, and told then: nothing, if that failed.
    #[wasm_bindgen(js_name = pillarboxWords)]
    fn load_words(told: JsValue) -> Option<String>;
}

/// Has the texts given to the world, and says when that is done, or that it could not be.
pub(crate) fn load(told: impl Fn(bool) + Clone + 'static) {
    let later = {
        let told = told.clone();
        move |texts: JsValue| {
            let texts = texts.as_string();
            let done = texts.is_some();
            texts.into_iter().for_each(give);
            told(done);
        }
    };
    let later = Closure::once(later).into_js_value();
    if let Some(texts) = load_words(later.unchecked_into()) {
        give(texts);
        told(true);
    }
}

/// What stands in a screen's place as long as there are none: that they are on their way, or that they could not be loaded
/// and can be asked for again.
pub(crate) fn missing(ui: Ui) -> AnyView {
    if !ui.lost_words.get() {
        return view! { <p class="page muted">"What is told here is on its way …"</p> }.into_any();
    }
    view! {
        <div class="page lost-words" role="alert">
            <h1>"This could not be loaded"</h1>
            <p>"The texts of this screen did not come: the server that has them does not answer."</p>
            <p class="go"><Button class="primary" press=move || app::explain(ui)>"Load them again"</Button></p>
        </div>
    }
    .into_any()
}
