//! HTML of a letter as it is shown: in a frame that can do nothing, and with a policy of its own that says the same. Either
//! of them, and the writing anew of what stands in it, holds alone.

use pillarbox_engine::text::base64;
use pillarbox_engine::types::Reason;

use super::desk::Letter;
use super::page::Html;
use super::rich::{PICTURES_MAX, With, clean};
use super::show::media_type;
use super::{Call, Not};
use crate::service::Backend;
use crate::web::Response;

/// What the frame lets happen: a link opens a page of its own, and nothing else.
pub const SANDBOX: &str = "allow-popups allow-popups-to-escape-sandbox";
/// What the page in it may load: its own looks, and pictures that stand in it.
const POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
    style-src 'unsafe-inline'; img-src data:";
/// The same where somebody wants to see pictures from elsewhere, once.
const POLICY_WITH_REMOTE: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; \
    default-src 'none'; style-src 'unsafe-inline'; img-src data: https:";
/// What stands before the letter's own. A letter is written for white paper.
const BEGINNING: &str = "<!doctype html>\n<html lang=\"\"><meta charset=utf-8>\
    <meta name=referrer content=no-referrer><title>Letter</title><style>body{margin:1rem;background:#fff;\
    color:#1a1f29;font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}img{max-width:100%;height:auto}\
    </style><body>\n";
/// The policy of a page that no response brings, so that it stands in the page itself. A sandbox it cannot have (HTML
/// §4.2.5.3): that is the frame's.
const POLICY_WITHIN: &str = "<meta http-equiv=content-security-policy content=\"default-src 'none'; \
    style-src 'unsafe-inline'; img-src data:\">";
/// Pictures of a message that stand in its page.
pub const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// Parts of one message that have a Content-ID and are looked at.
pub const PICTURES_COUNT_MAX: usize = 50;

/// HTML of a letter as a page of its own for a frame with [`SANDBOX`], where nobody answers a request for it: what may be
/// shown of it, under a policy that stands before all of it. Pictures from elsewhere are not among that, nor those of the
/// letter itself.
#[must_use]
pub fn document(html: &str) -> String {
    // Before the policy stands nothing but what says that this is HTML.
    let (doctype, rest) = BEGINNING.split_once('\n').unwrap_or_default();
    [doctype, "\n", POLICY_WITHIN, rest, &clean(html, With::default()).html].concat()
}

/// The same where a request is answered: the policy is the response's, and pictures of the message may come with it.
#[must_use]
pub fn framed(html: &str, with: With<'_>) -> Response {
    let policy = if with.remote { POLICY_WITH_REMOTE } else { POLICY };
    let fields = [
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    Response {
        media_type: "text/html; charset=utf-8".to_owned(),
        fields: fields.map(|(name, value)| (name, value.to_owned())).to_vec(),
        body: [BEGINNING, &clean(html, with).html].concat().into_bytes(),
        ..Response::of(200)
    }
}

impl<B: Backend> Call<'_, B> {
    /// The page in the frame.
    pub(super) async fn frame_of(
        &mut self,
        letter: &Letter,
        remote: bool,
    ) -> Result<Response, Not> {
        let (html, _) = self.text(letter, "html").await?;
        let pictures = self.pictures(letter, &html).await?;
        Ok(framed(&html, With { pictures: &pictures, remote }))
    }

    /// The pictures of the message that its HTML shows, by their Content-ID (RFC 2392), as far as there is room for them.
    async fn pictures(
        &mut self,
        letter: &Letter,
        html: &str,
    ) -> Result<Vec<(String, String)>, Reason> {
        let (mut out, mut left) = (Vec::new(), PICTURES_MAX as u64);
        let named = letter.index.parts.iter().filter(|part| part.id.is_some());
        for part in named.take(PICTURES_COUNT_MAX) {
            let Some(id) = &part.id else { continue };
            let id = String::from_utf8_lossy(id);
            let id = id.trim().trim_start_matches('<').trim_end_matches('>');
            let kind = media_type(part);
            let is_shown = PICTURES.contains(&&kind[..]) && html.contains(&["cid:", id].concat());
            if id.is_empty() || !is_shown {
                continue;
            }
            // What is too large is not shown here; it is among the files.
            let Ok(octets) = self.part(letter, part, left).await else { continue };
            left -= part.body.length().min(left);
            let text = base64::encode(&octets);
            let text = String::from_utf8_lossy(&text);
            out.push((id.to_owned(), ["data:", &kind, ";base64,", &text].concat()));
        }
        Ok(out)
    }

    /// The frame, and what is to be known of what is in it; whether that is all of the letter.
    pub(super) async fn framed(
        &mut self,
        folder: &str,
        letter: &Letter,
        remote: bool,
        body: &mut Html,
    ) -> Result<bool, Reason> {
        let (html, whole) = self.text(letter, "html").await?;
        let clean = clean(&html, With { pictures: &[], remote });
        let place = self.frame().at(folder, &["/", &letter.row.uid.to_string()].concat());
        if clean.remote > 0 {
            body.put("<p class=notice>");
            match remote {
                true => body.put("Pictures from elsewhere are shown, this once.\n"),
                false => {
                    body.put("Remote content blocked (").number(clean.remote).put(") – ");
                    body.link(&[&place, "?as=html&remote=once"].concat(), "show once").put("\n")
                }
            };
        }
        body.put("<iframe title=\"The letter as HTML\" sandbox=\"").put(SANDBOX).put("\" src=\"");
        body.text(&place).put(if remote { "/html?remote=once" } else { "/html" });
        body.put("\"></iframe>\n");
        if !clean.links.is_empty() {
            body.put("<details><summary>Where its links lead, ").number(clean.links.len() as u64);
            body.put("</summary>\n<ul class=links>\n");
            for link in &clean.links {
                body.put("<li>").text(link).put("</li>\n");
            }
            body.put("</ul></details>\n");
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_of_a_page_stands_before_the_letter() {
        let made = document("<p onclick=a()>Hi<script>b()</script></p><meta http-equiv=refresh>");
        let (before, letter) = made.split_once("<body>\n").expect("it has a body");
        assert!(before.starts_with(&["<!doctype html>\n", POLICY_WITHIN].concat()), "{before}");
        assert_eq!(letter, "<p>Hi</p>");
    }
}
