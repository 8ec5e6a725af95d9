//! A message alone as text for a link: what a message lab shows, with no world around it.

use super::{BadLink, Reader, VIEW_MAX, Writer, octets_of, text};

/// What links to messages begin with.
pub const LETTER: char = 'm';

/// A message as text for a link; `view` is the page's own. None: it is too long for one.
///
/// Text of a view beyond [`VIEW_MAX`] is left out.
#[must_use]
pub fn encode_letter(octets: &[u8], view: &str) -> Option<String> {
    let mut out = Writer::default();
    out.text(if view.len() > VIEW_MAX { "" } else { view });
    out.octets(octets);
    Some(text(LETTER, &out)).filter(|link| super::Tape::fits(link))
}

/// The message of a link, and what the page added for itself.
///
/// # Errors
/// [`BadLink`].
pub fn decode_letter(link: &str) -> Result<(Vec<u8>, String), BadLink> {
    if !link.starts_with(LETTER) {
        return Err(BadLink::Format);
    }
    let all = octets_of(link, super::LINK_MAX)?;
    let mut reader = Reader::new(&all);
    let mut read = || {
        let view = reader.text().filter(|view| view.len() <= VIEW_MAX)?;
        let octets = reader.octets()?;
        reader.is_empty().then_some((octets, view))
    };
    read().ok_or(BadLink::Broken)
}
