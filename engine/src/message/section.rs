//! Which octets of a message a section of FETCH names (RFC 9051 §6.4.5.1).

use super::{Index, PartKind, Span};

/// What of a part a section names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionText {
    /// The part itself: `BODY[1.2]`, or the whole message: `BODY[]`.
    Whole,
    /// `HEADER` and its fields: of the message, or of the message that a part holds.
    Header,
    /// `TEXT`: the body of the message, or of the message that a part holds.
    Text,
    /// `MIME`: the header section of a part.
    Mime,
}

/// The octets that a section names; `None` if there is no such part, or it is not of the kind that the section needs.
#[must_use]
pub fn section(index: &Index, path: &[u32], text: SectionText) -> Option<Span> {
    let root = index.parts.first()?;
    if path.is_empty() {
        return match text {
            SectionText::Whole => Some(Span { start: 0, end: index.size }),
            SectionText::Header => Some(root.header),
            SectionText::Text => Some(Span { start: root.header.end, end: index.size }),
            SectionText::Mime => None,
        };
    }
    let part = part(index, path)?;
    let own = &index.parts[part];
    match text {
        SectionText::Whole => Some(own.body),
        SectionText::Mime => Some(own.header),
        SectionText::Header | SectionText::Text => {
            let inner = index.children(part).next().filter(|_| own.kind == PartKind::Message)?;
            let inner = &index.parts[inner];
            match text {
                SectionText::Header => Some(inner.header),
                _ => {
                    Some(Span { start: inner.header.end, end: own.body.end.max(inner.header.end) })
                }
            }
        }
    }
}

/// The part of a path such as `1.2.3`, by its place in the list.
///
/// RFC 9051 §6.4.5.1: numbers name the parts of a multipart; of anything else part 1 is its only one, its own body.
#[must_use]
pub fn part(index: &Index, path: &[u32]) -> Option<usize> {
    // The container whose numbered parts the next number chooses from.
    let mut at = 0;
    let mut path = path.iter().copied().peekable();
    while let Some(number) = path.next() {
        let nth = number.checked_sub(1)? as usize;
        let chosen = match index.parts.get(at)?.kind {
            PartKind::Multipart => index.children(at).nth(nth)?,
            _ if nth == 0 => at,
            _ => return None,
        };
        if path.peek().is_none() {
            return Some(chosen);
        }
        at = match index.parts.get(chosen)?.kind {
            // Numbers below a message count the parts of the message inside.
            PartKind::Message => index.children(chosen).next()?,
            PartKind::Multipart if chosen != at => chosen,
            // A leaf, or a part 1 that is its container itself, has nothing below it.
            _ => return None,
        };
    }
    Some(at)
}
