//! What tests look for in a message: links, codes, what it is made of.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use pillarbox_engine::message::PartKind;
use pillarbox_world::service::catch::{media_type, part_number};
use pillarbox_world::service::web::rich;
use serde_json::{Value, json};

use super::{Api, DECODED_MAX, Failed, Given, Mail, found};

/// Links and codes of one message that are given.
const FOUND_MAX: usize = 1000;

/// The texts of a message, plain and HTML.
fn texts(mail: &Mail, id: &str) -> Result<(String, String), Failed> {
    let (caught, index) = found(mail, id)?;
    let text = |subtype| mail.text(&caught, &index, subtype, DECODED_MAX);
    Ok((text("plain")?, text("html")?))
}

/// `GET /api/messages/{id}/links`: what is linked to, each once, in the order in which it stands.
pub(super) async fn links(State(api): State<Api>, Path(id): Path<String>) -> Given {
    api.with(move |mail, _| {
        let (plain, html) = texts(mail, &id)?;
        let mut all: Vec<String> = Vec::new();
        for link in links_of(&html, true).chain(links_of(&plain, false)) {
            if all.len() < FOUND_MAX && !all.contains(&link) {
                all.push(link);
            }
        }
        Ok(Json(all).into_response())
    })
    .await
}

/// `http://` and `https://` addresses in a text; of HTML those in quotes, with its entities read.
fn links_of(text: &str, html: bool) -> impl Iterator<Item = String> + '_ {
    let ends = |c: char| c.is_whitespace() || c.is_control() || "<>\"'`|{}".contains(c);
    let starts = text.match_indices("http").map(|(at, _)| at);
    starts.filter_map(move |at| {
        let rest = &text[at..];
        let scheme = ["http://", "https://"].into_iter().find(|word| rest.starts_with(word))?;
        let end = rest.find(ends).unwrap_or(rest.len());
        // What ends a sentence ends no address.
        let link = rest[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']']);
        let link = if html { link.replace("&amp;", "&") } else { link.to_owned() };
        (link.len() > scheme.len()).then_some(link)
    })
}

/// `GET /api/messages/{id}/codes`: numbers of 4 to 8 digits that stand alone, as people are sent them to type.
pub(super) async fn codes(State(api): State<Api>, Path(id): Path<String>) -> Given {
    api.with(move |mail, _| {
        let (plain, html) = texts(mail, &id)?;
        let text = if plain.trim().is_empty() { rich::text(&html) } else { plain };
        Ok(Json(codes_of(&text)).into_response())
    })
    .await
}

fn codes_of(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let is_part =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '=' | '_' | '-' | '#' | '@' | '%');
    for word in text.split(|c: char| !is_part(c)) {
        let is_code = (4..=8).contains(&word.len()) && word.bytes().all(|o| o.is_ascii_digit());
        if is_code && all.len() < FOUND_MAX && !all.iter().any(|known| known == word) {
            all.push(word.to_owned());
        }
    }
    all
}

/// `GET /api/messages/{id}/structure`: the parts, in their order, with their numbers.
pub(super) async fn structure(State(api): State<Api>, Path(id): Path<String>) -> Given {
    api.with(move |mail, _| {
        let (_, index) = found(mail, &id)?;
        let parts: Vec<Value> = index
            .parts
            .iter()
            .enumerate()
            .map(|(at, part)| {
                json!({
                    "part": if at == 0 && part.kind == PartKind::Multipart { String::new() } else { part_number(&index, at) },
                    "parent": part.parent,
                    "type": media_type(part),
                    "encoding": String::from_utf8_lossy(&part.encoding),
                    "octets": part.body.length(),
                    "header": [part.header.start, part.header.end],
                    "body": [part.body.start, part.body.end],
                })
            })
            .collect();
        Ok(Json(json!({ "parts": parts, "truncated": index.truncated })).into_response())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_end_where_addresses_do() {
        let plain =
            "Go to https://a.example/reset?t=1, or (http://b.example/x). Not http:// alone.";
        let found: Vec<String> = links_of(plain, false).collect();
        assert_eq!(found, ["https://a.example/reset?t=1", "http://b.example/x"]);
        let html = r#"<a href="https://a.example/?x=1&amp;y=2">here</a>"#;
        assert_eq!(links_of(html, true).collect::<Vec<_>>(), ["https://a.example/?x=1&y=2"]);
    }

    #[test]
    fn codes_stand_alone() {
        let text = "Your code is 123456. Not 12, not 123456789, not a1234, not /2026/ nor 2026-11-27; 0042!";
        assert_eq!(codes_of(text), ["123456", "0042"]);
    }
}
