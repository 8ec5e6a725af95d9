//! The browser's decoders, as the engine wants them.

use js_sys::Reflect;
use pillarbox_engine::text::charset::{self, Given};
use web_sys::{TextDecodeOptions, TextDecoder, TextDecoderOptions};

use super::exact::Exact;

/// Lets the engine decode by the browser.
pub(crate) fn give() {
    charset::give(open);
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
