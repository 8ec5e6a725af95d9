//! The browser's decoders, and what it knows of characters, as the engine wants them.

use js_sys::{JsString, Reflect, RegExp};
use pillarbox_engine::text::charset::{self, Given};
use pillarbox_engine::text::unicode;
use web_sys::{TextDecodeOptions, TextDecoder, TextDecoderOptions};

use super::exact::Exact;

/// Lets the engine decode by the browser, and ask it what characters are made of.
pub(crate) fn give() {
    charset::give(open);
    unicode::give(unicode::Given { decomposed, is_mark });
}

fn decomposed(character: char) -> String {
    JsString::from(String::from(character)).normalize("NFKD").into()
}

fn is_mark(character: char) -> bool {
    thread_local! {
        static MARK: RegExp = RegExp::new("\\p{M}", "u");
    }
    MARK.with(|mark| mark.test(&String::from(character)))
}

struct Browsers {
    decoder: TextDecoder,
    exact: Exact,
    name: String,
}

fn open(label: &str) -> Option<Box<dyn Given>> {
    let named = decoder(label)?;
    let name = named.encoding();
    let exact = Exact::of(&name);
    let decoder = exact.other().map_or(Some(named), decoder)?;
    Some(Box::new(Browsers { decoder, exact, name }))
}

fn decoder(label: &str) -> Option<TextDecoder> {
    let options = TextDecoderOptions::new();
    // The engine takes octets as they stand: a byte order mark is a character. web-sys has no name for this.
    Reflect::set(&options, &"ignoreBOM".into(), &true.into()).ok()?;
    TextDecoder::new_with_label_and_options(label, &options).ok()
}

impl Given for Browsers {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn decode(&mut self, octets: &[u8], last: bool, out: &mut String) {
        let options = TextDecodeOptions::new();
        let decoder = &self.decoder;
        let mut browser = |octets: &[u8], last: bool, out: &mut String| {
            options.set_stream(!last);
            let text = decoder.decode_with_u8_array_and_options(octets, &options);
            // It fails only where it was told to, at what is malformed.
            out.push_str(&text.unwrap_or_default());
        };
        self.exact.decode(octets, last, out, &mut browser);
    }
}
