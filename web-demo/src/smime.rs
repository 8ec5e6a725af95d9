//! The second module: loaded when a screen first needs it, and kept as long as the page is open. Private keys are in its
//! memory, and nothing here asks for them.

use std::cell::RefCell;
use std::ops::Range;

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use crate::story::lines::text_alone;

#[wasm_bindgen]
extern "C" {
    /// Loads the module, and makes everybody's keys: calls one of both, in `40-boot.js`.
    #[wasm_bindgen(js_name = pillarboxSmime)]
    fn load_module(ready: JsValue, failed: JsValue);

    #[derive(Clone)]
    type Desk;
    #[wasm_bindgen(method)]
    fn authors(this: &Desk) -> Vec<String>;
    #[wasm_bindgen(method)]
    fn states(this: &Desk) -> Vec<String>;
    #[wasm_bindgen(method)]
    fn keys(this: &Desk) -> Vec<String>;
    #[wasm_bindgen(method, catch)]
    fn sign(this: &Desk, message: &[u8], author: usize) -> Result<Vec<u8>, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn encrypt(this: &Desk, message: &[u8]) -> Result<Vec<u8>, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn judge(this: &Desk, message: &[u8], is_bob: bool) -> Result<Verdict, JsValue>;

    type Verdict;
    #[wasm_bindgen(method, getter)]
    fn state(this: &Verdict) -> u8;
    #[wasm_bindgen(method, getter)]
    fn title(this: &Verdict) -> String;
    #[wasm_bindgen(method, getter)]
    fn inside(this: &Verdict) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn partly(this: &Verdict) -> bool;
    #[wasm_bindgen(method, getter)]
    fn sealed(this: &Verdict) -> bool;
    #[wasm_bindgen(method, getter)]
    fn covered(this: &Verdict) -> Vec<u32>;
    #[wasm_bindgen(method, getter)]
    fn reasons(this: &Verdict) -> Vec<String>;
    #[wasm_bindgen(method, getter)]
    fn facts(this: &Verdict) -> Vec<String>;
    #[wasm_bindgen(method, getter)]
    fn opened(this: &Verdict) -> Option<Vec<u8>>;
}

thread_local! {
    static DESK: RefCell<Option<Desk>> = const { RefCell::new(None) };
}

/// What a message comes to; the words are the module's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) state: u8,
    pub(crate) title: String,
    pub(crate) inside: Option<String>,
    pub(crate) partly: bool,
    /// Whether what is covered is encrypted rather than signed.
    pub(crate) sealed: bool,
    pub(crate) covered: Vec<Range<usize>>,
    pub(crate) reasons: Vec<String>,
    /// Names and values, by turns.
    pub(crate) facts: Vec<String>,
    pub(crate) opened: Option<Vec<u8>>,
}

/// Loads the module, or makes new keys in it; says when it is ready, or why it is not.
pub(crate) fn load(told: impl Fn(Result<(), String>) + Clone + 'static) {
    let other = told.clone();
    let ready = move |desk: JsValue| {
        DESK.with_borrow_mut(|kept| *kept = Some(desk.unchecked_into()));
        told(Ok(()));
    };
    let failed = move |why: JsValue| other(Err(words(&why)));
    load_module(Closure::once_into_js(ready), Closure::once_into_js(failed));
}

/// Whether it is here.
pub(crate) fn is_loaded() -> bool {
    DESK.with_borrow(Option::is_some)
}

fn with<T>(ask: impl FnOnce(&Desk) -> Result<T, JsValue>) -> Result<T, String> {
    let desk = DESK.with_borrow(Clone::clone).ok_or("the module is not loaded")?;
    ask(&desk).map_err(|why| words(&why))
}

fn words(why: &JsValue) -> String {
    let text = |value: &JsValue| value.as_string();
    text(why).unwrap_or_else(|| "the module has failed; reload the page".to_owned())
}

/// Texts that others chose, with what cannot be seen made visible.
fn plain(texts: Vec<String>) -> Vec<String> {
    texts.iter().map(|text| text_alone(text.as_bytes())).collect()
}

/// By whom a message can be signed.
pub(crate) fn authors() -> Vec<String> {
    with(|desk| Ok(desk.authors())).unwrap_or_default()
}

/// The seven states.
pub(crate) fn states() -> Vec<String> {
    with(|desk| Ok(desk.states())).unwrap_or_default()
}

/// Whose certificates there are, in lines.
pub(crate) fn keys() -> Vec<String> {
    with(|desk| Ok(desk.keys())).unwrap_or_default()
}

/// Signs a message.
///
/// # Errors
/// Why it cannot be signed.
pub(crate) fn sign(message: &[u8], author: usize) -> Result<Vec<u8>, String> {
    with(|desk| desk.sign(message, author))
}

/// Encrypts a message to Bob.
///
/// # Errors
/// Why it cannot be encrypted.
pub(crate) fn encrypt(message: &[u8]) -> Result<Vec<u8>, String> {
    with(|desk| desk.encrypt(message))
}

/// What a message comes to for Bob, or for Eve.
///
/// # Errors
/// The module has failed.
pub(crate) fn judge(message: &[u8], is_bob: bool) -> Result<Told, String> {
    let verdict = with(|desk| desk.judge(message, is_bob))?;
    let pairs = verdict.covered();
    let covered = pairs.chunks_exact(2).map(|pair| pair[0] as usize..pair[1] as usize);
    Ok(Told {
        state: verdict.state(),
        title: text_alone(verdict.title().as_bytes()),
        inside: verdict.inside(),
        partly: verdict.partly(),
        sealed: verdict.sealed(),
        covered: covered.collect(),
        reasons: plain(verdict.reasons()),
        facts: plain(verdict.facts()),
        opened: verdict.opened(),
    })
}
