//! The index as octets: the head and the envelope first, so that a reader of envelopes stops there.
//! Numbers are LEB128; texts are a length and octets. Reading trusts nothing: the octets come from a disk.

use alloc::vec::Vec;

use super::{Address, Ambiguity, Envelope, Index, Parameters, Part, PartKind, Span};

/// The form's version.
pub(super) const VERSION: u8 = 2;
/// Without references and preview; stores that are older have messages with such indexes.
const FIRST_VERSION: u8 = 1;
/// No list in an index is longer: the indexer's own limit on parts and addresses is lower.
const LIST_MAX: u64 = 100_000;

/// Octets that are no index of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadIndex;

impl Index {
    /// As octets.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.push(if self.references.is_some() { VERSION } else { FIRST_VERSION });
        out.push(
            u8::from(self.plain) | u8::from(self.eight_bit) << 1 | u8::from(self.truncated) << 2,
        );
        number(&mut out, self.size);
        match self.sent {
            Some((ms, zone)) => {
                out.push(1);
                out.extend_from_slice(&ms.to_le_bytes());
                out.extend_from_slice(&zone.to_le_bytes());
            }
            None => out.push(0),
        }
        put_envelope(&mut out, &self.envelope);
        if let Some(references) = &self.references {
            text(&mut out, references);
            text(&mut out, &self.preview);
        }
        number(&mut out, self.ambiguities.len() as u64);
        out.extend(self.ambiguities.iter().map(|ambiguity| *ambiguity as u8));
        number(&mut out, self.parts.len() as u64);
        self.parts.iter().for_each(|part| put_part(&mut out, part));
        out
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// [`BadIndex`].
    pub fn decode(octets: &[u8]) -> Result<Self, BadIndex> {
        let mut reader = Reader(octets);
        let mut index = head(&mut reader)?;
        for _ in 0..reader.count()? {
            index.ambiguities.push(ambiguity(reader.octet()?)?);
        }
        let count = reader.count()?;
        for at in 0..count {
            let part = part(&mut reader)?;
            let parent_before = u64::from(part.parent) < at || (at == 0 && part.parent == 0);
            if !parent_before || part.header.end > index.size || part.body.end > index.size {
                return Err(BadIndex);
            }
            index.parts.push(part);
        }
        if index.parts.is_empty() || !reader.0.is_empty() { Err(BadIndex) } else { Ok(index) }
    }

    /// Reads everything but ambiguities and parts, which is much less.
    ///
    /// # Errors
    /// [`BadIndex`].
    pub fn decode_head(octets: &[u8]) -> Result<Self, BadIndex> {
        head(&mut Reader(octets))
    }
}

/// What stands before the envelope.
pub(super) struct Fixed {
    bits: u8,
    size: u64,
    pub(super) sent: Option<(i64, i16)>,
}

/// The version, and what stands before the envelope.
pub(super) fn fixed(reader: &mut Reader<'_>) -> Result<(u8, Fixed), BadIndex> {
    let version = reader.octet()?;
    if !matches!(version, VERSION | FIRST_VERSION) {
        return Err(BadIndex);
    }
    let bits = reader.octet()?;
    let size = reader.number()?;
    let sent = match reader.octet()? {
        0 => None,
        1 => {
            let ms = i64::from_le_bytes(reader.array()?);
            Some((ms, i16::from_le_bytes(reader.array()?)))
        }
        _ => return Err(BadIndex),
    };
    Ok((version, Fixed { bits, size, sent }))
}

fn head(reader: &mut Reader<'_>) -> Result<Index, BadIndex> {
    let (version, Fixed { bits, size, sent }) = fixed(reader)?;
    let envelope = envelope(reader)?;
    let (references, preview) = match version {
        VERSION => (Some(reader.text()?.to_vec()), reader.text()?.to_vec()),
        _ => (None, Vec::new()),
    };
    let (plain, eight_bit, truncated) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
    let (ambiguities, parts) = (Vec::new(), Vec::new());
    Ok(Index {
        size,
        plain,
        eight_bit,
        truncated,
        ambiguities,
        sent,
        envelope,
        references,
        preview,
        parts,
    })
}

fn ambiguity(octet: u8) -> Result<Ambiguity, BadIndex> {
    let all = [
        Ambiguity::RepeatedField,
        Ambiguity::RepeatedParameter,
        Ambiguity::NoBoundary,
        Ambiguity::NotClosed,
        Ambiguity::EncodedComposite,
        Ambiguity::Author,
    ];
    all.into_iter().find(|ambiguity| *ambiguity as u8 == octet).ok_or(BadIndex)
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    number(out, text.len() as u64);
    out.extend_from_slice(text);
}

fn optional(out: &mut Vec<u8>, value: Option<&Vec<u8>>) {
    // A length of 0 means that there is none; others are one more than they are.
    match value {
        None => out.push(0),
        Some(value) => {
            number(out, value.len() as u64 + 1);
            out.extend_from_slice(value);
        }
    }
}

fn put_envelope(out: &mut Vec<u8>, envelope: &Envelope) {
    let Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id } =
        envelope;
    for value in [date, subject, in_reply_to, message_id] {
        optional(out, value.as_ref());
    }
    for list in [from, sender, reply_to, to, cc, bcc] {
        number(out, list.len() as u64);
        for address in list {
            for value in [&address.name, &address.mailbox, &address.host] {
                optional(out, value.as_ref());
            }
        }
    }
}

fn put_parameters(out: &mut Vec<u8>, parameters: &[(Vec<u8>, Vec<u8>)]) {
    number(out, parameters.len() as u64);
    for (name, value) in parameters {
        text(out, name);
        text(out, value);
    }
}

fn put_part(out: &mut Vec<u8>, part: &Part) {
    number(out, u64::from(part.parent));
    out.push(part.kind as u8);
    for offset in [part.header.start, part.header.end, part.body.start, part.body.end] {
        number(out, offset);
    }
    number(out, u64::from(part.lines));
    text(out, &part.media_type);
    text(out, &part.subtype);
    put_parameters(out, &part.parameters);
    text(out, &part.encoding);
    for value in [&part.id, &part.description, &part.md5, &part.location] {
        optional(out, value.as_ref());
    }
    match &part.disposition {
        None => out.push(0),
        Some((value, parameters)) => {
            out.push(1);
            text(out, value);
            put_parameters(out, parameters);
        }
    }
    number(out, part.language.len() as u64);
    part.language.iter().for_each(|language| text(out, language));
    match &part.envelope {
        None => out.push(0),
        Some(envelope) => {
            out.push(1);
            put_envelope(out, envelope);
        }
    }
}

pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self) -> Result<u8, BadIndex> {
        let (first, rest) = self.0.split_first().ok_or(BadIndex)?;
        self.0 = rest;
        Ok(*first)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadIndex> {
        let (first, rest) = self.0.split_first_chunk().ok_or(BadIndex)?;
        self.0 = rest;
        Ok(*first)
    }

    #[inline]
    fn number(&mut self) -> Result<u64, BadIndex> {
        // Nearly all are of one octet.
        if let [octet @ ..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok(u64::from(*octet));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<u64, BadIndex> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            value |= u64::from(octet & 0x7F).checked_shl(shift).ok_or(BadIndex)?;
            if octet < 0x80 {
                return Ok(value);
            }
        }
        Err(BadIndex)
    }

    fn small(&mut self) -> Result<u32, BadIndex> {
        u32::try_from(self.number()?).map_err(|_| BadIndex)
    }

    /// A list's length; each entry has at least one octet, so no list is longer than what is left.
    pub(super) fn count(&mut self) -> Result<u64, BadIndex> {
        let count = self.number()?;
        if count > LIST_MAX || count > self.0.len() as u64 { Err(BadIndex) } else { Ok(count) }
    }

    fn octets(&mut self, length: u64) -> Result<&'a [u8], BadIndex> {
        let length = usize::try_from(length).map_err(|_| BadIndex)?;
        let (first, rest) = self.0.split_at_checked(length).ok_or(BadIndex)?;
        self.0 = rest;
        Ok(first)
    }

    pub(super) fn text(&mut self) -> Result<&'a [u8], BadIndex> {
        let length = self.number()?;
        self.octets(length)
    }

    pub(super) fn optional(&mut self) -> Result<Option<&'a [u8]>, BadIndex> {
        match self.number()?.checked_sub(1) {
            None => Ok(None),
            Some(length) => self.octets(length).map(Some),
        }
    }

    fn own_text(&mut self) -> Result<Vec<u8>, BadIndex> {
        self.text().map(<[u8]>::to_vec)
    }

    fn own_optional(&mut self) -> Result<Option<Vec<u8>>, BadIndex> {
        Ok(self.optional()?.map(<[u8]>::to_vec))
    }

    fn span(&mut self) -> Result<Span, BadIndex> {
        let (start, end) = (self.number()?, self.number()?);
        if start > end { Err(BadIndex) } else { Ok(Span { start, end }) }
    }

    fn parameters(&mut self) -> Result<Parameters, BadIndex> {
        (0..self.count()?).map(|_| Ok((self.own_text()?, self.own_text()?))).collect()
    }

    fn addresses(&mut self) -> Result<Vec<Address>, BadIndex> {
        let count = self.count()?;
        let mut list = Vec::new();
        for _ in 0..count {
            let (name, mailbox, host) =
                (self.own_optional()?, self.own_optional()?, self.own_optional()?);
            list.push(Address { name, mailbox, host });
        }
        Ok(list)
    }
}

fn envelope(reader: &mut Reader<'_>) -> Result<Envelope, BadIndex> {
    let (date, subject) = (reader.own_optional()?, reader.own_optional()?);
    let (in_reply_to, message_id) = (reader.own_optional()?, reader.own_optional()?);
    let (from, sender, reply_to) = (reader.addresses()?, reader.addresses()?, reader.addresses()?);
    let (to, cc, bcc) = (reader.addresses()?, reader.addresses()?, reader.addresses()?);
    Ok(Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id })
}

fn part(reader: &mut Reader<'_>) -> Result<Part, BadIndex> {
    let parent = reader.small()?;
    let kind = match reader.octet()? {
        0 => PartKind::Leaf,
        1 => PartKind::Multipart,
        2 => PartKind::Message,
        _ => return Err(BadIndex),
    };
    let (header, body) = (reader.span()?, reader.span()?);
    let lines = reader.small()?;
    let (media_type, subtype) = (reader.own_text()?, reader.own_text()?);
    let parameters = reader.parameters()?;
    let encoding = reader.own_text()?;
    let (id, description) = (reader.own_optional()?, reader.own_optional()?);
    let (md5, location) = (reader.own_optional()?, reader.own_optional()?);
    let disposition = match reader.octet()? {
        0 => None,
        _ => Some((reader.own_text()?, reader.parameters()?)),
    };
    let language = (0..reader.count()?).map(|_| reader.own_text()).collect::<Result<_, _>>()?;
    let envelope = match reader.octet()? {
        0 => None,
        _ => Some(envelope(reader)?),
    };
    Ok(Part {
        parent,
        kind,
        header,
        body,
        lines,
        media_type,
        subtype,
        parameters,
        id,
        description,
        encoding,
        md5,
        disposition,
        language,
        location,
        envelope,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Index {
        let address = |name: &[u8]| Address {
            name: Some(name.to_vec()),
            mailbox: None,
            host: Some(Vec::new()),
        };
        let envelope = Envelope {
            subject: Some(Vec::new()),
            from: alloc::vec![address(b"a"), address(b"")],
            ..Envelope::default()
        };
        let part = Part {
            kind: PartKind::Message,
            header: Span { start: 0, end: 130 },
            body: Span { start: 130, end: 300 },
            parameters: alloc::vec![(b"charset".to_vec(), b"utf-8".to_vec())],
            disposition: Some((b"inline".to_vec(), Vec::new())),
            language: alloc::vec![b"de".to_vec()],
            envelope: Some(envelope.clone()),
            ..Part::default()
        };
        Index {
            size: 300,
            plain: true,
            sent: Some((-1, -90)),
            references: Some(b"<a@b>".to_vec()),
            preview: b"Hello".to_vec(),
            ambiguities: alloc::vec![Ambiguity::Author],
            envelope,
            parts: alloc::vec![part.clone(), Part { parent: 0, ..part }],
            ..Index::default()
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let index = sample();
        assert_eq!(Index::decode(&index.encode()), Ok(index.clone()));
        let head = Index::decode_head(&index.encode()).expect("it was just encoded");
        assert_eq!((head.envelope, head.sent), (index.envelope, index.sent));
        let first = Index { references: None, preview: Vec::new(), ..sample() };
        assert_eq!(first.encode()[0], FIRST_VERSION);
        assert_eq!(Index::decode(&first.encode()), Ok(first));
    }

    #[test]
    fn broken_octets_are_refused_and_never_trusted() {
        let octets = sample().encode();
        for end in 0..octets.len() {
            assert_eq!(Index::decode(&octets[..end]), Err(BadIndex));
        }
        for at in 0..octets.len() {
            for octet in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut broken = octets.clone();
                broken[at] = octet;
                // Only that it returns: a flipped octet inside a text is another text.
                drop(Index::decode(&broken));
            }
        }
    }
}
