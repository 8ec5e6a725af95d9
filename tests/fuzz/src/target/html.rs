//! HTML of letters as it is written anew: whatever came in, what goes out is balanced and has nothing that acts or fetches.

use pillarbox_world::service::web::rich::{self, With};

use super::USUAL;
use crate::corpus::messages;
use crate::{Seen, Target};

pub(super) const HTML: Target = Target {
    name: "html",
    run: html,
    seeds: || {
        let mut seeds: Vec<Vec<u8>> =
            PIECES.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        let views =
            messages().into_iter().filter_map(|message| pillarbox_mime::view(&message)?.html);
        seeds.extend(views.map(String::into_bytes));
        seeds
    },
    words: PIECES,
    rounds: 8000,
    ..USUAL
};

const PIECES: &[&str] = &[
    "<script>",
    "</script>",
    "<img src=x onerror=alert(1)>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<svg><style>",
    "<math>",
    "<!--",
    "-->",
    "<![CDATA[",
    "<p style=\"background:url(//e.example)\">",
    "<table><td>",
    "<noscript>",
    "<template>",
    "<textarea>",
    "<plaintext>",
    "</p>",
    "<b>",
    "</b>",
    "&lt;",
    "&#x3c;",
    "&#60",
    "&colon;",
    "&NewLine;",
    "\"",
    "'",
    "`",
    "=",
    "/",
    ">",
    "<",
    "\0",
    "href=",
    "src=cid:a@b",
    "data:image/png;base64,AAAA",
    "https://e.example/1.png",
    " style=\"color:\\72 ed;width:expression(1)\"",
    "title=\"",
    "\u{202e}",
    "<base href=//e.example>",
    "<meta http-equiv=refresh content=0>",
    "&amp;#60;",
];

fn html(input: &[u8], seen: &mut Seen) {
    let html = String::from_utf8_lossy(input);
    for remote in [false, true] {
        let with = With { remote, ..With::default() };
        let clean = rich::clean(&html, with);
        assert!(clean.html.len() <= 64 * html.len() + 64, "{} of {}", clean.html.len(), html.len());
        is_harmless(&clean.html, remote);
        seen.note((clean.remote.min(9), clean.links.len().min(9)));
        clean
            .html
            .split(['<', ' ', '=', '>'])
            .filter(|word| word.len() < 12)
            .for_each(|word| seen.note(word));
        // What was written is not written otherwise a second time.
        assert_eq!(rich::clean(&clean.html, with).html, clean.html);
    }
}

/// Tags are closed, values are quoted, elements are balanced, and of what runs or fetches nothing is there.
fn is_harmless(html: &str, remote: bool) {
    const EMPTY: [&str; 6] = ["br", "hr", "img", "col", "wbr", "area"];
    const NEVER: [&str; 14] = [
        "script", "style", "svg", "math", "iframe", "object", "embed", "form", "input", "base",
        "meta", "link", "template", "noscript",
    ];
    let (mut rest, mut open) = (html, Vec::new());
    while let Some(at) = rest.find(['<', '>', '"']) {
        assert!(rest[at..].starts_with('<'), "only tags have these: {html}");
        let (tag, behind) = rest[at + 1..].split_once('>').expect("tags are closed");
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{html}");
            continue;
        }
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(
            !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphanumeric()),
            "{html}"
        );
        assert!(!NEVER.contains(&name), "{html}");
        if !EMPTY.contains(&name) {
            open.push(name);
        }
        while !attributes.is_empty() {
            let (own, behind) = attributes.split_once("=\"").expect("values are quoted");
            let (value, behind) = behind.split_once('"').expect("quotes are closed");
            attributes = behind.trim_start();
            assert!(own.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'-'), "{html}");
            assert!(!own.starts_with("on") && !["id", "name", "srcset"].contains(&own), "{html}");
            let lower = value.to_ascii_lowercase();
            if own == "style" {
                assert!(
                    !["url(", "expression", "@", "\\"].iter().any(|word| lower.contains(word)),
                    "{html}"
                );
            }
            if own == "href" || own == "src" {
                let schemes = ["http://", "https://", "mailto:", "data:image/"];
                assert!(schemes.iter().any(|scheme| lower.starts_with(scheme)), "{html}");
            }
            assert!(own != "src" || remote || lower.starts_with("data:image/"), "{html}");
        }
    }
    assert!(open.is_empty(), "{html}");
}
