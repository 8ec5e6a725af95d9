//! What a person wants to see of a message, decoded: for hosts that show mail or test it.

use std::borrow::Cow;

use pillarbox_engine::message::{Address, Index, Part, PartKind};
use pillarbox_engine::text::{charset, transfer, words};

use crate::html;

/// A message as a person sees it. Everything is UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Subject, decoded.
    pub subject: String,
    /// From, as `name <address>` or the address alone.
    pub from: Vec<String>,
    /// To.
    pub to: Vec<String>,
    /// The plain text, made from HTML if there is no other.
    pub text: Option<String>,
    /// The HTML, as it came: never to be shown without a sandbox.
    pub html: Option<String>,
    /// Attachments, inline ones included.
    pub attachments: Vec<Attachment>,
}

/// One attachment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// File name, without any path; a label, not a place to write to.
    pub name: Option<String>,
    /// Such as `image/png`.
    pub media_type: String,
    /// Octets, decoded.
    pub size: u64,
}

/// Decodes a message; `None` if the indexer finds more parts in it than it tells apart.
#[must_use]
pub fn view(raw: &[u8]) -> Option<View> {
    let index = crate::index(raw, raw.len() as u64);
    if index.truncated {
        return None;
    }
    let places = places(&index);
    let mut view = View {
        subject: words::decode(index.envelope.subject.as_deref().unwrap_or_default()),
        from: shown(&index.envelope.from),
        to: shown(&index.envelope.to),
        ..View::default()
    };
    show_text(raw, &index, &places, &mut view);
    for (part, place) in index.parts.iter().zip(&places) {
        if place.is_own && place.text.is_none() && part.kind != PartKind::Multipart {
            view.attachments.push(attachment(raw, part));
        }
    }
    Some(view)
}

/// Where a part stands, as a reader sees it.
#[derive(Clone, Copy)]
struct Place {
    /// It belongs to this message, and to none inside it.
    is_own: bool,
    /// The outermost multipart/alternative that it is in.
    choice: Option<usize>,
    /// What of the message's text it is.
    text: Option<Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Html,
}

/// The places of all parts, in their order.
fn places(index: &Index) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::with_capacity(index.parts.len());
    // Of each part, whether one inside it has come.
    let mut begun = vec![false; index.parts.len()];
    for (at, part) in index.parts.iter().enumerate() {
        // A part comes after the one that it is in.
        let above = usize::try_from(part.parent).ok().filter(|above| *above < at);
        let outer = above.map(|above| (&index.parts[above], places[above]));
        let is_first = above.is_none_or(|above| !core::mem::replace(&mut begun[above], true));
        let is_own =
            outer.is_none_or(|(outer, place)| place.is_own && outer.kind != PartKind::Message);
        let within = outer.and_then(|(_, place)| place.choice);
        let is_choice = part.kind == PartKind::Multipart && is(&part.subtype, "alternative");
        let is_related = outer.is_some_and(|(outer, _)| {
            is(&outer.media_type, "multipart") && is(&outer.subtype, "related")
        });
        let text = kind(part).filter(|_| {
            // RFC 2387 §3.2: of related parts the first is shown, and others only where it says so. What has a name is a
            // file, unless nothing stands before it (RFC 8621 §4.1.4).
            is_own && (is_first || !is_related && parameter(part, "name").is_none())
        });
        places.push(Place { is_own, choice: within.or(is_choice.then_some(at)), text });
    }
    places
}

/// What kind of text a part is, if it is one that is shown where it stands.
fn kind(part: &Part) -> Option<Kind> {
    let attached = part.disposition.as_ref().is_some_and(|(value, _)| is(value, "attachment"));
    if part.kind != PartKind::Leaf || attached || !is(&part.media_type, "text") {
        return None;
    }
    match () {
        () if is(&part.subtype, "plain") => Some(Kind::Plain),
        () if is(&part.subtype, "html") => Some(Kind::Html),
        () => None,
    }
}

/// The first text, and its other form if it is one of several to choose from (RFC 2046 §5.1.4).
fn show_text(raw: &[u8], index: &Index, places: &[Place], view: &mut View) {
    let texts = || places.iter().enumerate().filter(|(_, place)| place.text.is_some());
    let Some((first, place)) = texts().next() else { return };
    let form = |kind| {
        let of_choice = |(_, other): &(usize, &Place)| {
            other.text == Some(kind) && other.choice.is_some() && other.choice == place.choice
        };
        let found = if place.text == Some(kind) { Some(first) } else { None };
        found.or_else(|| texts().find(of_choice).map(|(at, _)| at))
    };
    let text = |at: usize| decoded_text(raw, &index.parts[at]);
    view.html = form(Kind::Html).map(text);
    view.text = form(Kind::Plain).map(text).or_else(|| view.html.as_deref().map(html::text));
}

fn decoded_text(raw: &[u8], part: &Part) -> String {
    let octets = decoded(raw, part);
    let name = parameter(part, "charset").unwrap_or_default();
    let text = match charset::as_it_stands(name, &octets) {
        Some(text) => text.into(),
        None => Cow::from(charset::decode(name, &octets)),
    };
    // A byte order mark is not part of what is read.
    text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
}

/// What a part's body means; in an encoding that is not known, it is what stands there.
fn decoded<'a>(raw: &'a [u8], part: &Part) -> Cow<'a, [u8]> {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(raw.len());
    let body = &raw[at(part.body.start)..at(part.body.end)];
    match transfer::Decoder::new(&part.encoding) {
        Some(mut decoder) if !decoder.is_identity() => {
            let mut octets = Vec::new();
            decoder.decode(body, &mut octets);
            decoder.finish(&mut octets);
            octets.into()
        }
        _ => body.into(),
    }
}

fn attachment(raw: &[u8], part: &Part) -> Attachment {
    let named = part.disposition.as_ref();
    let named = named.and_then(|(_, parameters)| value(parameters, "filename"));
    // Many writers put encoded words here, which RFC 2047 §5 forbids.
    let name = named.or_else(|| parameter(part, "name")).map(words::decode);
    let media_type = [&part.media_type[..], b"/", &part.subtype].concat().to_ascii_lowercase();
    Attachment {
        name: name.map(|name| label(&name).to_owned()),
        media_type: String::from_utf8_lossy(&media_type).into_owned(),
        size: decoded(raw, part).len() as u64,
    }
}

/// The last component of what claims to be a file name.
fn label(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// Addresses, without the marks of groups.
fn shown(addresses: &[Address]) -> Vec<String> {
    let one = |address: &Address| {
        let host = address.host.as_deref()?;
        let mailbox = address.mailbox.as_deref().unwrap_or_default();
        let at: &[u8] = if host.is_empty() { b"" } else { b"@" };
        let plain = charset::decode(b"", &[mailbox, at, host].concat());
        Some(match &address.name {
            Some(name) => format!("{} <{plain}>", words::decode(name)),
            None => plain,
        })
    };
    addresses.iter().filter_map(one).collect()
}

fn parameter<'a>(part: &'a Part, name: &str) -> Option<&'a [u8]> {
    value(&part.parameters, name)
}

fn value<'a>(parameters: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    parameters.iter().find(|(other, _)| is(other, name)).map(|(_, value)| &value[..])
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests;
