//! Domain names as DNS compares them: lower case, A-labels in place of U-labels (RFC 5890, RFC 3492).
//! Which names exist, and which of them look alike, is left to registries.

use alloc::string::String;
use alloc::vec::Vec;

use crate::limits::DOMAIN_MAX;

/// Octets of a label (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;

/// A domain name in lower case, without a dot at its end, and with A-labels in place of U-labels.
///
/// RFC 5890 §2.3.2.1 has U-labels in Unicode's form NFC; one that is not is no U-label and gets an A-label of its own.
/// What is no UTF-8, or too long to be a name, is only put in lower case.
#[must_use]
pub fn to_ascii(name: &[u8]) -> Vec<u8> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let lower = || name.to_ascii_lowercase();
    if name.is_ascii() || name.len() > DOMAIN_MAX {
        return lower();
    }
    let Ok(text) = core::str::from_utf8(name) else { return lower() };
    let mut out = Vec::with_capacity(name.len());
    // RFC 3490 §3.1: the full stops of East Asian writing separate labels too.
    for (number, label) in text.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).enumerate() {
        if number > 0 {
            out.push(b'.');
        }
        let label: String = label.chars().flat_map(char::to_lowercase).collect();
        if label.is_ascii() {
            out.extend_from_slice(label.as_bytes());
        } else {
            out.extend_from_slice(b"xn--");
            punycode(&label, &mut out);
        }
    }
    if out.ends_with(b".") {
        out.pop();
    }
    out
}

/// Whether this is a domain name that DNS can be asked for: labels of letters, digits, hyphens and underscores.
#[must_use]
pub fn is_name(name: &[u8]) -> bool {
    let inner = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    let label = |label: &[u8]| (1..=LABEL_MAX).contains(&label.len()) && label.iter().all(inner);
    name.len() <= DOMAIN_MAX && name.split(|octet| *octet == b'.').all(label)
}

/// RFC 3492 §6.3, with the parameters of §5.
fn punycode(label: &str, out: &mut Vec<u8>) {
    const BASE: u32 = 36;
    const T_MIN: u32 = 1;
    const T_MAX: u32 = 26;
    let basic: Vec<u8> = label.bytes().filter(u8::is_ascii).collect();
    let basic_count = basic.len() as u32;
    out.extend_from_slice(&basic);
    if !basic.is_empty() {
        out.push(b'-');
    }
    // A name is at most 255 octets, so no number below comes near its type's end: 255 times the largest code point.
    let total = label.chars().count() as u32;
    let (mut point, mut delta, mut bias, mut handled) = (128, 0_u32, 72, basic_count);
    while handled < total {
        let rest = label.chars().map(u32::from).filter(|other| *other >= point);
        let next = rest.min().expect("a character is left");
        delta += (next - point) * (handled + 1);
        point = next;
        for other in label.chars().map(u32::from) {
            if other < point {
                delta += 1;
            }
            if other != point {
                continue;
            }
            let mut quotient = delta;
            for step in (1..).map(|step| step * BASE) {
                let threshold = step.saturating_sub(bias).clamp(T_MIN, T_MAX);
                if quotient < threshold {
                    break;
                }
                let rest = quotient - threshold;
                out.push(digit(threshold + rest % (BASE - threshold)));
                quotient = rest / (BASE - threshold);
            }
            out.push(digit(quotient));
            bias = adapt(delta, handled + 1, handled == basic_count);
            delta = 0;
            handled += 1;
        }
        delta += 1;
        point += 1;
    }
}

/// RFC 3492 §6.1.
fn adapt(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut steps = 0;
    while delta > 455 {
        delta /= 35;
        steps += 36;
    }
    steps + 36 * delta / (delta + 38)
}

fn digit(value: u32) -> u8 {
    // Below 36 by construction.
    b"abcdefghijklmnopqrstuvwxyz0123456789"[value as usize % 36]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_brought_to_one_form() {
        let cases = [
            ("Hamburger.EDU", "hamburger.edu"),
            ("hamburger.edu.", "hamburger.edu"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example.", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("münchen.de", "xn--mnchen-3ya.de"),
            // RFC 3492 §7.1 (A), (B), (L)
            ("ليهمابتكلموشعربي؟", "xn--egbpdaj6bu4bxfgehfvwxn"),
            ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
            ("3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("россия。", "xn--h1alffa9f"),
            ("", ""),
            (".", ""),
            ("a..b", "a..b"),
        ];
        for (name, expected) in cases {
            let found = to_ascii(name.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), expected, "{name}");
            // Once is enough.
            assert_eq!(to_ascii(&found), found);
        }
        assert_eq!(to_ascii(b"A\xff"), b"a\xff");
    }

    #[test]
    fn the_longest_and_highest_names_are_counted_within_bounds() {
        for text in ["\u{10ffff}".repeat(63), "é".repeat(127), "\u{10ffff}é".repeat(42)] {
            assert!(to_ascii(text.as_bytes()).is_ascii());
        }
        assert!(!to_ascii("é".repeat(128).as_bytes()).is_ascii());
    }

    #[test]
    fn what_is_no_name_is_told() {
        for name in ["a", "a.b", "_25._tcp.a", "xn--bcher-kva.example", &"a".repeat(63)] {
            assert!(is_name(name.as_bytes()), "{name}");
        }
        for name in ["", ".", "a.", ".a", "a..b", "a b", "a\r\n", "é", "[1]", &"a".repeat(64)] {
            assert!(!is_name(name.as_bytes()), "{name}");
        }
    }
}
