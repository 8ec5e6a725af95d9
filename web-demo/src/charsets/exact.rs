//! Where browsers do not decode as the Encoding Standard says. The page must decode what every other host of the engine
//! decodes, to the octet, so these few sequences are taken from the browser's decoder.
//!
//! Chromium gives half a character for the four characters of Big5 that are two code points, stays in JIS X 0212 behind a
//! sequence of EUC-JP that breaks off, and goes its own way where escapes of ISO-2022-JP are wrong.

/// A browser's decoder: takes the next octets, whether they are the last, and adds what they mean.
pub(crate) type Browser<'a> = &'a mut dyn FnMut(&[u8], bool, &mut String);

/// What is done beside the browser's decoder for one encoding.
pub(crate) enum Exact {
    /// Nothing.
    AsItIs,
    /// A first octet whose second has not come.
    Big5(Option<u8>),
    EucJp(EucJp),
    Iso2022Jp(Iso2022Jp),
}

impl Exact {
    /// For the encoding of this name, as the browser gives it.
    pub(crate) fn of(name: &str) -> Self {
        match &name.to_ascii_lowercase()[..] {
            "big5" => Self::Big5(None),
            "euc-jp" => Self::EucJp(EucJp::default()),
            "iso-2022-jp" => Self::Iso2022Jp(Iso2022Jp::default()),
            _ => Self::AsItIs,
        }
    }

    /// The encoding whose decoder is used instead, if it is not this one's own.
    pub(crate) fn other(&self) -> Option<&'static str> {
        matches!(self, Self::Iso2022Jp(_)).then_some("euc-jp")
    }

    /// Decodes the next octets.
    pub(crate) fn decode(
        &mut self,
        octets: &[u8],
        last: bool,
        out: &mut String,
        browser: Browser<'_>,
    ) {
        let mut sink = Sink { held: Vec::with_capacity(octets.len()), out, browser };
        match self {
            Self::AsItIs => return (sink.browser)(octets, last, sink.out),
            Self::Big5(lead) => octets.iter().for_each(|octet| big5(lead, *octet, &mut sink)),
            Self::EucJp(state) => octets.iter().for_each(|octet| state.octet(*octet, &mut sink)),
            Self::Iso2022Jp(state) => {
                octets.iter().for_each(|octet| state.octet(*octet, &mut sink));
            }
        }
        if last {
            match self {
                Self::AsItIs => {}
                Self::Big5(lead) => sink.held.extend(lead.take()),
                Self::EucJp(state) => state.end(&mut sink),
                Self::Iso2022Jp(state) => state.end(&mut sink),
            }
        }
        sink.flush(last);
    }
}

/// Where what is decoded goes.
struct Sink<'a> {
    /// Octets that the browser decodes.
    held: Vec<u8>,
    out: &'a mut String,
    browser: Browser<'a>,
}

impl Sink<'_> {
    fn flush(&mut self, last: bool) {
        if last || !self.held.is_empty() {
            (self.browser)(&self.held, last, self.out);
            self.held.clear();
        }
    }

    fn text(&mut self, text: &str) {
        self.flush(false);
        self.out.push_str(text);
    }

    fn wrong(&mut self) {
        self.text("\u{fffd}");
    }
}

/// Encoding Standard §12.1.1.
fn big5(lead: &mut Option<u8>, octet: u8, sink: &mut Sink<'_>) {
    match (lead.take(), octet) {
        (None, 0x81..=0xfe) => *lead = Some(octet),
        (None, _) => sink.held.push(octet),
        (Some(0x88), 0x62) => sink.text("\u{ca}\u{304}"),
        (Some(0x88), 0x64) => sink.text("\u{ca}\u{30c}"),
        (Some(0x88), 0xa3) => sink.text("\u{ea}\u{304}"),
        (Some(0x88), 0xa5) => sink.text("\u{ea}\u{30c}"),
        (Some(first), _) => sink.held.extend([first, octet]),
    }
}

/// Encoding Standard §13.1.1: what of a sequence has come.
#[derive(Default)]
pub(crate) enum EucJp {
    #[default]
    Nothing,
    First(u8),
    /// 0x8F and this octet: a character of JIS X 0212, but for its last.
    Second(u8),
}

impl EucJp {
    fn octet(&mut self, octet: u8, sink: &mut Sink<'_>) {
        let is_half = matches!(octet, 0xa1..=0xfe);
        match std::mem::take(self) {
            Self::Nothing if is_half || matches!(octet, 0x8e | 0x8f) => *self = Self::First(octet),
            Self::Nothing => sink.held.push(octet),
            Self::First(0x8f) if is_half => *self = Self::Second(octet),
            Self::First(first) => sink.held.extend([first, octet]),
            Self::Second(second) if is_half => sink.held.extend([0x8f, second, octet]),
            Self::Second(_) => {
                sink.wrong();
                sink.held.extend(octet.is_ascii().then_some(octet));
            }
        }
    }

    fn end(&mut self, sink: &mut Sink<'_>) {
        match std::mem::take(self) {
            Self::Nothing => {}
            Self::First(first) => sink.held.push(first),
            Self::Second(second) => sink.held.extend([0x8f, second]),
        }
    }
}

/// Encoding Standard §13.2.1. Characters are left to the decoder of EUC-JP, which writes the same ones in another way.
#[derive(Default)]
pub(crate) struct Iso2022Jp {
    state: State,
    /// The set that an escape chose, to which a wrong one falls back.
    set: Set,
    /// An escape was read, and nothing since.
    only_escape: bool,
}

#[derive(Clone, Copy, Default)]
enum Set {
    #[default]
    Ascii,
    Roman,
    Katakana,
    Kanji,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// Between characters.
    #[default]
    Rest,
    /// Behind the first octet of a character of two.
    Half(u8),
    /// Behind ESC, and behind ESC and an octet more.
    Escape,
    Escaped(u8),
}

impl Iso2022Jp {
    fn octet(&mut self, octet: u8, sink: &mut Sink<'_>) {
        match (std::mem::take(&mut self.state), octet) {
            (State::Rest, 0x1b) => self.state = State::Escape,
            (State::Rest, _) => self.character(octet, sink),
            (State::Half(_), 0x1b) => {
                self.state = State::Escape;
                sink.wrong();
            }
            (State::Half(first), 0x21..=0x7e) => sink.held.extend([first | 0x80, octet | 0x80]),
            (State::Half(_), _) => sink.wrong(),
            (State::Escape, b'$' | b'(') => self.state = State::Escaped(octet),
            (State::Escape, _) => {
                self.wrong_escape(sink);
                self.octet(octet, sink);
            }
            (State::Escaped(first), _) => match (first, octet) {
                (b'(', b'B') => self.choose(Set::Ascii, sink),
                (b'(', b'J') => self.choose(Set::Roman, sink),
                (b'(', b'I') => self.choose(Set::Katakana, sink),
                (b'$', b'@' | b'B') => self.choose(Set::Kanji, sink),
                _ => {
                    self.wrong_escape(sink);
                    self.octet(first, sink);
                    self.octet(octet, sink);
                }
            },
        }
    }

    /// The first octet of a character in the chosen set.
    fn character(&mut self, octet: u8, sink: &mut Sink<'_>) {
        self.only_escape = false;
        match (self.set, octet) {
            (Set::Ascii | Set::Roman, 0x0e | 0x0f) => sink.wrong(),
            (Set::Roman, b'\\') => sink.text("\u{a5}"),
            (Set::Roman, b'~') => sink.text("\u{203e}"),
            (Set::Ascii | Set::Roman, 0..=0x7f) => sink.held.push(octet),
            (Set::Katakana, 0x21..=0x5f) => sink.held.extend([0x8e, octet | 0x80]),
            (Set::Kanji, 0x21..=0x7e) => self.state = State::Half(octet),
            _ => sink.wrong(),
        }
    }

    /// An escape right behind another one is an error, so that nothing can be hidden by them.
    fn choose(&mut self, set: Set, sink: &mut Sink<'_>) {
        self.set = set;
        if std::mem::replace(&mut self.only_escape, true) {
            sink.wrong();
        }
    }

    fn wrong_escape(&mut self, sink: &mut Sink<'_>) {
        self.only_escape = false;
        sink.wrong();
    }

    fn end(&mut self, sink: &mut Sink<'_>) {
        loop {
            match std::mem::take(&mut self.state) {
                State::Rest => return,
                State::Half(_) => sink.wrong(),
                State::Escape => self.wrong_escape(sink),
                State::Escaped(first) => {
                    self.wrong_escape(sink);
                    self.octet(first, sink);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{BIG5, EUC_JP, Encoding, ISO_2022_JP};

    use super::*;

    /// Octets in which what is special is frequent.
    fn octets(seed: u64, count: usize) -> Vec<u8> {
        const SPECIAL: &[u8] =
            b"\x1b\x1b\x1b$(@BIJA\\~\n\x0e\x80\x8e\x8f\xa0\xa1\xfe\xff\x88\x62\x64\xa3\xa5";
        let mut state = seed;
        let mut octet = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let octet = (state >> 32) as u8;
            if state >> 40 & 1 == 0 { octet } else { SPECIAL[usize::from(octet) % SPECIAL.len()] }
        };
        (0..count).map(|_| octet()).collect()
    }

    fn exactly(encoding: &'static Encoding, octets: &[u8], size: usize) -> String {
        let mut exact = Exact::of(encoding.name());
        let used = exact.other().map_or(encoding, |_| EUC_JP);
        let mut decoder = used.new_decoder_without_bom_handling();
        let mut browser = |octets: &[u8], last: bool, out: &mut String| {
            out.reserve(octets.len() * 3 + 16);
            let (_, read, _) = decoder.decode_to_string(octets, out, last);
            assert_eq!(read, octets.len());
        };
        let mut out = String::new();
        for piece in octets.chunks(size) {
            exact.decode(piece, false, &mut out, &mut browser);
        }
        exact.decode(b"", true, &mut out, &mut browser);
        out
    }

    #[test]
    fn nothing_else_is_changed() {
        for encoding in [BIG5, EUC_JP, ISO_2022_JP] {
            for seed in 1..400 {
                let octets = octets(seed, 1 + seed as usize);
                let (right, _) = encoding.decode_without_bom_handling(&octets);
                for size in [1, 2, 3, 7, 1000] {
                    let found = exactly(encoding, &octets, size);
                    assert_eq!(found, right, "{} {}", encoding.name(), octets.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn what_browsers_do_otherwise_is_right() {
        assert_eq!(exactly(BIG5, b"\x88\x62\x88\xa5", 9), "\u{ca}\u{304}\u{ea}\u{30c}");
        assert_eq!(exactly(EUC_JP, b"\x8f\xa1\n\xa1\xa1", 9), "\u{fffd}\n\u{3000}");
        assert_eq!(exactly(ISO_2022_JP, b"\x1b$B$\"\x1b(J\\\x1b(I1\x1b(B", 9), "あ¥ｱ");
    }
}
