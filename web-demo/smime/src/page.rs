//! What the page's module calls. Time and chance come from the browser.

use wasm_bindgen::prelude::wasm_bindgen;

use crate::desk::{self, Author, Reader};
use crate::told::Told;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(octets: &mut [u8]);
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn date_now() -> f64;
}

/// Octets of chance that one call may ask of the browser.
const CHANCE_MAX: usize = 65_536;

fn chance(octets: &mut [u8]) {
    octets.chunks_mut(CHANCE_MAX).for_each(get_random_values);
}

/// Seconds since 1970.
fn now() -> i64 {
    (date_now() / 1000.0) as i64
}

/// The people of this page, with keys that are made as it is.
#[wasm_bindgen]
pub struct Desk(desk::Desk);

#[wasm_bindgen]
impl Desk {
    /// Makes everybody's keys.
    ///
    /// # Errors
    /// Why they cannot be made.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<Self, String> {
        desk::Desk::new(now(), &mut chance).map(Self)
    }

    /// What there is, in lines.
    pub fn keys(&self) -> Vec<String> {
        self.0.keys()
    }

    /// By whom a message can be signed.
    pub fn authors(&self) -> Vec<String> {
        Author::ALL.map(|author| author.words().to_owned()).to_vec()
    }

    /// The seven states in words.
    pub fn states(&self) -> Vec<String> {
        Told::states().into_iter().map(str::to_owned).collect()
    }

    /// Signs a message.
    ///
    /// # Errors
    /// Why it cannot be signed.
    pub fn sign(&self, message: &[u8], author: usize) -> Result<Vec<u8>, String> {
        let author = *Author::ALL.get(author).ok_or("There is no such author.")?;
        self.0.sign(message, author, now(), &mut chance)
    }

    /// Encrypts a message to Bob.
    ///
    /// # Errors
    /// Why it cannot be encrypted.
    pub fn encrypt(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        self.0.encrypt(message, &mut chance)
    }

    /// What a message comes to for Bob, or for Eve.
    pub fn judge(&self, message: &[u8], is_bob: bool) -> Verdict {
        let reader = if is_bob { Reader::Bob } else { Reader::Eve };
        self.0.judge(message, reader, now(), &mut chance).into()
    }
}

/// A verdict as values that pass from one module to the other.
#[wasm_bindgen(getter_with_clone)]
pub struct Verdict {
    /// From 1 to 7.
    #[wasm_bindgen(readonly)]
    pub state: u8,
    /// In words.
    #[wasm_bindgen(readonly)]
    pub title: String,
    /// What is inside of the encryption.
    #[wasm_bindgen(readonly)]
    pub inside: Option<String>,
    /// Whether only parts are signed or encrypted.
    #[wasm_bindgen(readonly)]
    pub partly: bool,
    /// Whether what is covered is encrypted.
    #[wasm_bindgen(readonly)]
    pub sealed: bool,
    /// First octet and one past the last, of each range.
    #[wasm_bindgen(readonly)]
    pub covered: Vec<u32>,
    /// Why.
    #[wasm_bindgen(readonly)]
    pub reasons: Vec<String>,
    /// A name and a value, and so on.
    #[wasm_bindgen(readonly)]
    pub facts: Vec<String>,
    /// What a layer hid.
    #[wasm_bindgen(readonly)]
    pub opened: Option<Vec<u8>>,
}

impl From<Told> for Verdict {
    fn from(told: Told) -> Self {
        let facts = told.facts.into_iter();
        let covered = told.covered.into_iter();
        Self {
            state: told.state,
            title: told.title,
            inside: told.inside,
            partly: told.is_partly,
            sealed: told.is_sealed,
            covered: covered.flat_map(|range| [range.start as u32, range.end as u32]).collect(),
            reasons: told.reasons,
            facts: facts.flat_map(|(name, value)| [name.to_owned(), value]).collect(),
            opened: told.opened,
        }
    }
}
