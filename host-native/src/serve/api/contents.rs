//! What is read of one message: its texts, its files, its header section, its octets.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use md5::Md5;
use pillarbox_engine::message::{Index, Part, PartKind, Span};
use pillarbox_engine::text::{base64, charset, header};
use pillarbox_engine::types::{BlobId, BlobRange, Reason};
use pillarbox_world::service::web::{
    PICTURES, PICTURES_COUNT_MAX, file_name, files, framed, media_type, rich, texts,
    transfer_decoded,
};
use pillarbox_world::store::Store;
use pillarbox_world::web;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::catalogue::Entry;
use super::summary::{Party, is_inline, moment};

/// Octets of the texts of one kind that are shown.
pub(super) const TEXT_MAX: u64 = 8 << 20;
/// Octets that are read for a search.
const SEARCHED_MAX: u64 = 512 << 10;
/// Octets of a message or a file that are handed out over HTTP; more is there by IMAP and POP3.
pub(super) const HANDED_MAX: u64 = 64 << 20;
/// Octets of a header section.
const HEADER_MAX: u64 = 1 << 20;

/// A message with its index, and where its octets are read.
pub(super) struct Contents<'a> {
    store: &'a dyn Store,
    blob: BlobId,
    index: Index,
    size: u64,
}

impl<'a> Contents<'a> {
    /// # Errors
    /// [`Reason::NotFound`]: it went meanwhile.
    pub(super) fn open(store: &'a dyn Store, entry: &Entry) -> Result<Self, Reason> {
        use pillarbox_engine::imap::types::{RowsAsk, UidRun};
        for place in &entry.places {
            let uids = vec![UidRun { first: place.uid, last: place.uid }];
            let ask = RowsAsk { uids, max: 1, index: true, changed_since: None };
            let Ok(page) = store.rows(place.mailbox, &ask) else { continue };
            let row = page.rows.into_iter().next().filter(|row| row.blob == entry.id);
            if let Some(row) = row {
                let index = row.index.and_then(|index| Index::decode(&index).ok());
                let index = index.unwrap_or_default();
                return Ok(Self { store, blob: row.blob, index, size: row.size });
            }
        }
        Err(Reason::NotFound)
    }

    /// Exactly these octets.
    fn octets(&self, span: Span) -> Result<Vec<u8>, Reason> {
        let Span { start, end } = span;
        let end = end.min(self.size);
        if start >= end {
            return Ok(Vec::new());
        }
        let range = BlobRange { blob: self.blob, offset: start, length: end - start };
        self.store.octets(range)
    }

    /// All octets.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] above [`HANDED_MAX`].
    pub(super) fn raw(&self) -> Result<Vec<u8>, Reason> {
        if self.size > HANDED_MAX {
            return Err(Reason::TooLarge);
        }
        self.octets(Span { start: 0, end: self.size })
    }

    /// What a part means.
    fn part(&self, part: &Part, max: u64) -> Result<Vec<u8>, Reason> {
        if part.body.length() > max {
            return Err(Reason::TooLarge);
        }
        Ok(transfer_decoded(part, self.octets(part.body)?))
    }

    /// A part by its number, with its media type and its name.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::TooLarge`] above [`HANDED_MAX`].
    pub(super) fn numbered(&self, number: &str) -> Result<(Vec<u8>, String, String), Reason> {
        let at = (0..self.index.parts.len()).find(|at| self.number(*at) == number);
        let part = at.and_then(|at| self.index.parts.get(at)).ok_or(Reason::NotFound)?;
        Ok((self.part(part, HANDED_MAX)?, media_type(part), file_name(part)))
    }

    /// The number of a part, as IMAP counts them in the message outside (RFC 9051 §6.4.5).
    fn number(&self, at: usize) -> String {
        let (mut at, mut numbers) = (at, Vec::new());
        // Parents stand before their parts, so this ends.
        while at > 0 {
            let parent = (self.index.parts[at].parent as usize).min(at - 1);
            let before = self.index.children(parent).take_while(|child| *child < at).count();
            numbers.push((before + 1).to_string());
            at = parent;
        }
        if numbers.is_empty() {
            let is_one =
                self.index.parts.first().is_none_or(|part| part.kind != PartKind::Multipart);
            // What holds parts has no number of its own.
            return if is_one { "1".to_owned() } else { String::new() };
        }
        numbers.reverse();
        numbers.join(".")
    }

    /// The texts of this kind, one behind the other, at most so many octets of them.
    fn texts(&self, subtype: &str, max: u64) -> Result<String, Reason> {
        let (mut out, mut left) = (String::new(), max);
        for at in texts(&self.index, subtype) {
            let part = &self.index.parts[at];
            let length = part.body.length().min(left);
            left -= length;
            let body = Span { start: part.body.start, end: part.body.start + length };
            let octets = self.part(&Part { body, ..part.clone() }, max)?;
            let named = |(name, _): &&(Vec<u8>, Vec<u8>)| name.eq_ignore_ascii_case(b"charset");
            let name = part.parameters.iter().find(named).map(|(_, value)| &value[..]);
            out.push_str(&charset::decode(name.unwrap_or_default(), &octets));
            if left == 0 {
                break;
            }
        }
        Ok(out)
    }

    /// The plain text, or what the HTML says.
    pub(super) fn text(&self, max: u64) -> Result<String, Reason> {
        match texts(&self.index, "plain").is_empty() {
            false => self.texts("plain", max),
            true => Ok(rich::text(&self.texts("html", max)?)),
        }
    }

    /// The HTML; none if there is none.
    pub(super) fn html(&self) -> Result<Option<String>, Reason> {
        match texts(&self.index, "html").is_empty() {
            true => Ok(None),
            false => self.texts("html", TEXT_MAX).map(Some),
        }
    }

    /// The HTML with what it shows of its own files read from this server.
    pub(super) fn page(&self, path: &str) -> Result<Option<String>, Reason> {
        let Some(mut html) = self.html()? else { return Ok(None) };
        for at in files(&self.index) {
            let Some(id) = &self.index.parts[at].id else { continue };
            let id = String::from_utf8_lossy(id);
            let id = id.trim().trim_matches(['<', '>']);
            if !id.is_empty() {
                html =
                    html.replace(&format!("cid:{id}"), &format!("{path}/part/{}", self.number(at)));
            }
        }
        Ok(Some(html))
    }

    /// The HTML as a response for a frame: cleaned, with its own pictures in it, and a policy that lets it do nothing.
    pub(super) fn framed(&self, remote: bool) -> Result<Option<web::Response>, Reason> {
        let Some(html) = self.html()? else { return Ok(None) };
        let pictures = self.pictures(&html)?;
        Ok(Some(framed(&html, rich::With { pictures: &pictures, remote })))
    }

    /// The pictures of the message that its HTML shows, by their Content-ID (RFC 2392), as far as there is room for them.
    fn pictures(&self, html: &str) -> Result<Vec<(String, String)>, Reason> {
        let (mut out, mut left) = (Vec::new(), rich::PICTURES_MAX as u64);
        let named = self.index.parts.iter().filter(|part| part.id.is_some());
        for part in named.take(PICTURES_COUNT_MAX) {
            let id = String::from_utf8_lossy(part.id.as_deref().unwrap_or_default());
            let id = id.trim().trim_matches(['<', '>']);
            let kind = media_type(part);
            let is_shown = PICTURES.contains(&&kind[..]) && html.contains(&format!("cid:{id}"));
            // What is too large is not shown here; it is among the files.
            if id.is_empty() || !is_shown || part.body.length() > left {
                continue;
            }
            left -= part.body.length();
            let text = base64::encode(&self.part(part, HANDED_MAX)?);
            let text = String::from_utf8_lossy(&text);
            out.push((id.to_owned(), format!("data:{kind};base64,{text}")));
        }
        Ok(out)
    }

    /// Where texts are looked for that stand anywhere in what people read.
    pub(super) fn searched(&self, entry: &Entry) -> Result<String, Reason> {
        let summary = &entry.summary;
        let mut out = format!("{}\n{}\n", summary.subject, summary.message_id);
        for Party { name, address } in summary.everybody().chain(&entry.blind()) {
            // Writing to a string does not fail.
            let _ = writeln!(out, "{name} <{address}>");
        }
        for at in files(&self.index) {
            out.push_str(&file_name(&self.index.parts[at]));
            out.push('\n');
        }
        out.push_str(&self.text(SEARCHED_MAX)?);
        Ok(pillarbox_engine::text::find::folded(&out))
    }

    /// The fields of the header section, each name written as Mailpit writes it, values unfolded.
    pub(super) fn fields(&self) -> Result<BTreeMap<String, Vec<String>>, Reason> {
        let end = self.index.parts.first().map_or(0, |part| part.header.end);
        let section = self.octets(Span { start: 0, end: end.min(HEADER_MAX) })?;
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for field in header::fields(&section) {
            let value = String::from_utf8_lossy(&field.unfolded()).trim().to_owned();
            all.entry(title(field.name)).or_default().push(value);
        }
        Ok(all)
    }

    /// The parts, each with its number and where its octets stand in the message.
    pub(super) fn structure(&self) -> Value {
        let parts = self.index.parts.iter().enumerate().map(|(at, part)| {
            let encoding = String::from_utf8_lossy(&part.encoding).to_ascii_lowercase();
            json!({
                "part": self.number(at),
                "parent": (at > 0).then(|| self.number(part.parent as usize)),
                "type": media_type(part),
                "encoding": encoding,
                "file": (part.kind != PartKind::Multipart && part.disposition.is_some())
                    .then(|| file_name(part)),
                "header": [part.header.start, part.header.end],
                "body": [part.body.start, part.body.end],
            })
        });
        json!({ "size": self.size, "whole": !self.index.truncated, "parts": parts.collect::<Vec<_>>() })
    }

    /// Files, with their checksums: those beside the text, and those that it shows.
    fn attached(&self, inline: bool) -> Result<Vec<Value>, Reason> {
        let own = files(&self.index).into_iter();
        let own = own.filter(|at| is_inline(&self.index.parts[*at]) == inline);
        own.map(|at| {
            let part = &self.index.parts[at];
            let octets = self.part(part, HANDED_MAX)?;
            let id = String::from_utf8_lossy(part.id.as_deref().unwrap_or_default());
            let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &octets);
            Ok(json!({
                "PartID": self.number(at),
                "FileName": file_name(part),
                "ContentType": media_type(part),
                "ContentID": id.trim().trim_matches(['<', '>']),
                "Size": octets.len(),
                "Checksums": {
                    "MD5": hex(&Md5::digest(&octets)),
                    "SHA1": hex(sha1.as_ref()),
                    "SHA256": hex(&Sha256::digest(&octets)),
                },
            }))
        })
        .collect()
    }

    /// All of it, as Mailpit's interface has it.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn json(&self, entry: &Entry) -> Result<Value, Reason> {
        let fields = self.fields()?;
        let field = |name: &str| fields.get(name).and_then(|all| all.first()).cloned();
        let path = field("Return-Path").unwrap_or_default();
        let summary = &entry.summary;
        let mut out = entry.json();
        out["Date"] = json!(moment(summary.sent_ms.unwrap_or(summary.came_ms)));
        out["ReturnPath"] = json!(path.trim_matches(['<', '>']));
        out["Text"] = json!(self.text(TEXT_MAX)?);
        out["HTML"] = json!(self.html()?.unwrap_or_default());
        out["Attachments"] = Value::Array(self.attached(false)?);
        out["Inline"] = Value::Array(self.attached(true)?);
        out["ListUnsubscribe"] = list_unsubscribe(
            &field("List-Unsubscribe").unwrap_or_default(),
            &field("List-Unsubscribe-Post").unwrap_or_default(),
        );
        if let Some(object) = out.as_object_mut() {
            // A list has these, and a message has not.
            ["Read", "Created", "Snippet"].into_iter().for_each(|name| drop(object.remove(name)));
        }
        Ok(out)
    }
}

/// RFC 2369 §2 and RFC 8058 §3.1: links in angle brackets with commas between them.
fn list_unsubscribe(value: &str, post: &str) -> Value {
    let inside = value.split('<').skip(1).filter_map(|rest| rest.split_once('>'));
    let links: Vec<&str> = inside.map(|(link, _)| link.trim()).collect();
    let is_web = |link: &&str| link.starts_with("https://") || link.starts_with("http://");
    let known = |link: &&str| is_web(link) || link.starts_with("mailto:");
    let errors = if !value.is_empty() && links.is_empty() {
        "no link in angle brackets (RFC 2369 §2)"
    } else if !links.iter().all(known) {
        "a link that is neither mailto: nor http"
    } else if !post.is_empty() && post != "List-Unsubscribe=One-Click" {
        "List-Unsubscribe-Post must be List-Unsubscribe=One-Click (RFC 8058 §3.1)"
    } else if !post.is_empty() && !links.iter().any(|link| link.starts_with("https://")) {
        "one click needs an https link (RFC 8058 §3.1)"
    } else {
        ""
    };
    json!({ "Header": value, "HeaderPost": post, "Links": links, "Errors": errors })
}

/// A field's name with each of its words in title case.
fn title(name: &[u8]) -> String {
    let mut begins = true;
    let mut letter = |c: char| {
        let shown = if begins { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        begins = c == '-';
        shown
    };
    String::from_utf8_lossy(name).chars().map(&mut letter).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_are_written_alike() {
        assert_eq!(title(b"message-ID"), "Message-Id");
        assert_eq!(title(b"X-SES-Outgoing"), "X-Ses-Outgoing");
    }

    #[test]
    fn lists_are_left_by_links() {
        let read = |value: &str, post: &str| list_unsubscribe(value, post);
        let good =
            read("<mailto:a@b.example>, <https://b.example/u>", "List-Unsubscribe=One-Click");
        assert_eq!(good["Links"], json!(["mailto:a@b.example", "https://b.example/u"]));
        assert_eq!(good["Errors"], "");
        for (value, post) in [
            ("https://b.example/u", ""),
            ("<ftp://b.example/u>", ""),
            ("<https://b.example/u>", "yes"),
            ("<mailto:a@b.example>", "List-Unsubscribe=One-Click"),
        ] {
            assert_ne!(read(value, post)["Errors"], "", "{value} {post}");
        }
    }
}
