//! What HTML of a letter may have: everything else is left out, not this or that.

/// Elements with content.
pub(super) const ELEMENTS: [&str; 65] = [
    "a",
    "abbr",
    "address",
    "article",
    "aside",
    "b",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "caption",
    "center",
    "cite",
    "code",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "font",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "i",
    "ins",
    "kbd",
    "li",
    "main",
    "mark",
    "nav",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "colgroup",
];
/// Elements without.
pub(super) const VOID: [&str; 5] = ["br", "col", "hr", "img", "wbr"];
/// Elements that are left out with all that is in them.
pub(super) const HIDDEN: [&str; 12] = [
    "svg", "math", "object", "applet", "select", "template", "audio", "video", "canvas",
    "frameset", "datalist", "map",
];
/// Elements that begin a line.
pub(super) const BLOCKS: [&str; 24] = [
    "address",
    "article",
    "blockquote",
    "br",
    "caption",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "p",
    "pre",
    "tr",
    "table",
];
/// Attributes whose values are text: whatever they say, they load and run nothing.
pub(super) const ATTRIBUTES: [&str; 18] = [
    "align",
    "alt",
    "bgcolor",
    "border",
    "cellpadding",
    "cellspacing",
    "color",
    "colspan",
    "dir",
    "face",
    "height",
    "lang",
    "rowspan",
    "size",
    "start",
    "title",
    "valign",
    "width",
];
/// Properties, whole families by their beginning. None takes a box out of its place.
const PROPERTIES: [&str; 33] = [
    "background-color",
    "background",
    "border-*",
    "border",
    "clear",
    "color",
    "direction",
    "display",
    "float",
    "font-*",
    "font",
    "height",
    "letter-spacing",
    "line-height",
    "list-style-type",
    "margin-*",
    "margin",
    "max-height",
    "max-width",
    "min-height",
    "min-width",
    "opacity",
    "overflow-wrap",
    "padding-*",
    "padding",
    "table-layout",
    "text-*",
    "vertical-align",
    "white-space",
    "width",
    "word-break",
    "word-spacing",
    "word-wrap",
];
/// Functions of values.
const FUNCTIONS: [&str; 4] = ["rgb", "rgba", "hsl", "hsla"];
/// Octets of a `style` attribute.
const STYLE_MAX: usize = 4096;

/// The declarations of a style that are let through.
pub(super) fn style(text: &str) -> String {
    let mut out = String::new();
    if text.len() > STYLE_MAX {
        return out;
    }
    for declaration in text.split(';') {
        let Some((name, value)) = declaration.split_once(':') else { continue };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let is_known = PROPERTIES.iter().any(|known| match known.strip_suffix('*') {
            Some(family) => name.starts_with(family) && name.bytes().all(is_name),
            None => name == *known,
        });
        if is_known && is_value(value) {
            for part in [&name[..], ":", value, ";"] {
                out.push_str(part);
            }
        }
    }
    out
}

fn is_name(octet: u8) -> bool {
    octet.is_ascii_lowercase() || octet == b'-'
}

/// A value that names colours, sizes and fonts: no address, no escape, no comment, nothing that is not closed.
fn is_value(text: &str) -> bool {
    let (mut quote, mut depth, mut word) = (None, 0_u32, 0);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), ' ' | '-') => {}
            (Some(_), c) if c.is_alphanumeric() => {}
            (Some(_), _) => return false,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => {
                let name = text[word..at].to_ascii_lowercase();
                if depth > 0 || !FUNCTIONS.contains(&&name[..]) {
                    return false;
                }
                depth = 1;
            }
            (None, ')') if depth == 1 => depth = 0,
            (None, ' ' | ',' | '#' | '%' | '.' | '+' | '!' | '/') => {}
            (None, c) if c.is_ascii_alphanumeric() || c == '-' => continue,
            (None, _) => return false,
        }
        word = at + c.len_utf8();
    }
    quote.is_none() && depth == 0 && !text.contains("/*") && !text.is_empty()
}

/// Where a link leads, if that is elsewhere by the web or to somebody.
pub(super) fn link(target: &str) -> Option<&str> {
    let target = target.trim();
    let lower = target.get(..8).unwrap_or(target).to_ascii_lowercase();
    let is_known = ["http://", "https://", "mailto:"].iter().any(|known| lower.starts_with(known));
    // Browsers leave out line ends and tabs within an address: one who reads it should not see another one.
    (is_known && !target.contains(char::is_whitespace)).then_some(target)
}

/// Whether it is a picture that stands in the address itself.
pub(super) fn is_picture(target: &str) -> bool {
    let types = ["png", "jpeg", "gif", "webp"];
    let rest = target.get(..11).filter(|start| start.eq_ignore_ascii_case("data:image/"));
    let (kind, octets) = match rest.and_then(|_| target[11..].split_once(";base64,")) {
        Some(parts) => parts,
        None => return false,
    };
    let is_base64 = |o: u8| o.is_ascii_alphanumeric() || b"+/=".contains(&o);
    types.iter().any(|known| kind.eq_ignore_ascii_case(known)) && octets.bytes().all(is_base64)
}
