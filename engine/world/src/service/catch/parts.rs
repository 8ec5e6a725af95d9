//! What a message is made of, as a test asks for it: its texts, and the files that it brings.

use pillarbox_engine::message::{Index, Part, PartKind};
use pillarbox_engine::text::{charset, transfer};
use pillarbox_engine::types::Reason;

use super::{Catcher, Caught};
use crate::service::Backend;
use crate::service::web::list::files;
use crate::service::web::show::{file_name, media_type, parameter, texts};

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its place among the parts.
    pub at: usize,
    /// Its number as IMAP has it, such as `1.2` (RFC 9051 §6.4.5.1).
    pub number: String,
    /// Its name, without any path.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Content-ID, without angle brackets; empty if it has none.
    pub content_id: String,
    /// Whether the text shows it where it stands: it has a Content-ID and is no attachment.
    pub inline: bool,
}

/// The files of a message.
#[must_use]
pub fn attached(index: &Index) -> Vec<Attached> {
    let file = |at: usize| {
        let part = &index.parts[at];
        let id = part.id.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let content_id = id.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
        let kept = |(how, _): &(Vec<u8>, _)| how.eq_ignore_ascii_case(b"attachment");
        let is_attachment = part.disposition.as_ref().is_some_and(kept);
        Attached {
            at,
            number: part_number(index, at),
            name: file_name(part),
            media_type: media_type(part),
            inline: !content_id.is_empty() && !is_attachment,
            content_id,
        }
    };
    files(index).into_iter().map(file).collect()
}

/// The number of a part that is in no message inside of this one.
#[must_use]
pub fn part_number(index: &Index, at: usize) -> String {
    let mut numbers = Vec::new();
    let mut here = at;
    while here > 0 {
        // Parents stand before their parts, so this ends.
        let parent = (index.parts[here].parent as usize).min(here - 1);
        let nth = index.children(parent).position(|child| child == here).unwrap_or(0);
        numbers.push((nth + 1).to_string());
        here = parent;
    }
    if numbers.is_empty() {
        return "1".to_owned();
    }
    numbers.reverse();
    numbers.join(".")
}

/// The part of a number.
#[must_use]
pub fn part_of(index: &Index, number: &str) -> Option<usize> {
    let path: Option<Vec<u32>> = number.split('.').map(|part| part.parse().ok()).collect();
    pillarbox_engine::message::part(index, &path?)
}

impl<B: Backend> Catcher<B> {
    /// What a part means, if it is no more than so many octets as it stands.
    ///
    /// # Errors
    /// [`Reason::TooLarge`]; [`Reason::NotFound`] if the message is gone.
    pub fn decoded(&self, caught: &Caught, part: &Part, max: u64) -> Result<Vec<u8>, Reason> {
        if part.body.length() > max {
            return Err(Reason::TooLarge);
        }
        let octets = self.octets(caught, part.body)?;
        let encoding = if part.kind == PartKind::Leaf { &part.encoding[..] } else { b"" };
        // An encoding that nobody knows is left as it is.
        let Some(mut decoder) = transfer::Decoder::new(encoding) else { return Ok(octets) };
        let mut out = Vec::new();
        decoder.decode(&octets, &mut out);
        decoder.finish(&mut out);
        Ok(out)
    }

    /// The texts of this kind (`plain`, `html`), one behind the other.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] if one is larger than so many octets; [`Reason::NotFound`] if the message is gone.
    pub fn text(
        &self,
        caught: &Caught,
        index: &Index,
        subtype: &str,
        max: u64,
    ) -> Result<String, Reason> {
        let mut out = String::new();
        for at in texts(index, subtype) {
            let part = &index.parts[at];
            let octets = self.decoded(caught, part, max)?;
            let name = parameter(&part.parameters, "charset").unwrap_or_default();
            out.push_str(&charset::decode(name, &octets));
        }
        Ok(out)
    }
}
