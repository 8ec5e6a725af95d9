//! The catalogue's texts: `boot.js` loads them for the first screen that explains anything, since the first page does not.

use pillarbox_world::catalogue;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};

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
