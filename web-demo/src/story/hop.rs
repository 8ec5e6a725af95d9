//! A message over one hop of the network, and what arrives: the client's lines are played, the server is the engine, and
//! the line between them carries eight bits of every octet, or seven.

use pillarbox_engine::message::{Part as Body, PartKind};
use pillarbox_engine::text::{charset, transfer::Decoder, words};
use pillarbox_world::world::{Action, Dir, LinkSetup};

use super::hands::{self, Part, Wish};
use super::lines::{LINE_END, text, text_alone};
use super::message::{Facts, facts};

/// Octets of a line without its end, RFC 5322 §2.1.1.
pub const LINE_MAX: usize = 998;
/// What is quoted of a part.
const QUOTE_MAX: usize = 160;
/// Rows about parts.
const PARTS_MAX: usize = 40;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What the server said to it.
    pub reply: String,
    /// Whether it took it.
    pub taken: bool,
    /// Octets that are not what they were.
    pub changed: usize,
    /// The first letter that was changed, octet by octet: before and after.
    pub letter: Vec<(u8, u8)>,
    /// Its header section and its parts.
    pub parts: Vec<Fate>,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// What it is.
    pub name: String,
    /// Octets as it travels, and decoded.
    pub sizes: (usize, usize),
    /// Octets that are not what they were.
    pub changed: usize,
    /// How it is read, before and after; none: nobody reads it.
    pub read: Option<(String, String)>,
}

impl Fate {
    /// What its encoding costs, in words.
    #[must_use]
    pub fn cost(&self) -> String {
        cost(self.sizes.0, self.sizes.1)
    }
}

fn cost(sent: usize, decoded: usize) -> String {
    if decoded == 0 {
        return "±0 %".to_owned();
    }
    let (more, tenth) = (sent as i64 - decoded as i64, decoded as i64);
    match (more * 100 + more.signum() * tenth / 2) / tenth {
        0 => "±0 %".to_owned(),
        percent => format!("{percent:+} %"),
    }
}

/// What can be known of a message before it goes: numbers about it, and what its encodings cost.
#[must_use]
pub fn before(raw: &[u8]) -> (Facts, String) {
    let index = pillarbox_mime::index(raw, raw.len() as u64);
    let leaves = index.parts.iter().filter(|part| part.kind == PartKind::Leaf);
    let (sent, told) = leaves.fold((0, 0), |(sent, told), part| {
        let body = within(raw, part);
        (sent + body.len(), told + decoded(body, part).len())
    });
    (facts(raw), cost(sent, told))
}

/// Sends a message over a line of seven bits, or of eight.
///
/// # Errors
/// Why it cannot be sent.
pub fn send(raw: &[u8], seven: bool) -> Result<Sent, String> {
    let mut raw = raw.to_vec();
    if !raw.ends_with(b"\r\n") {
        raw.extend_from_slice(b"\r\n");
    }
    let wish = Wish { part: Part::Client, port: 25, textbook: false };
    let mut story = hands::begin(wish);
    let before = story.source().messages().len();
    if seven {
        let (a, b) = ("crepes.fr".to_owned(), "hamburger.edu".to_owned());
        let (latency_ms, octets_per_s, chunk, tapped) = (20, None, None, false);
        let line = LinkSetup { a, b, latency_ms, octets_per_s, chunk, tapped, seven_bit: true };
        let end = story.source().length();
        story.act(|source| source.act_at(end, Action::Link(line)))?;
    }
    let body = if !seven && !raw.is_ascii() { " BODY=8BITMIME" } else { "" };
    let from = format!("MAIL FROM:<alice@crepes.fr>{body}\r\n");
    for line in ["EHLO crepes.fr\r\n", &from, "RCPT TO:<bob@hamburger.edu>\r\n", "DATA\r\n"] {
        story.say(Part::Client, line.as_bytes())?;
    }
    let mut stuffed = Vec::with_capacity(raw.len() + 3);
    for line in raw.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    stuffed.extend_from_slice(b".\r\n");
    story.say(Part::Client, &stuffed)?;
    let wire = story.standing(wish).wire.ok_or("there is no connection")?;
    let heard = story.octets(wire, Dir::ToClient, 0, u64::MAX);
    // What follows the word to begin is about the message.
    let mut lines = heard.split_inclusive(|octet| *octet == b'\n');
    let begun = lines.by_ref().any(|line| line.starts_with(b"354"));
    let reply = lines.next().filter(|_| begun).ok_or("the server does not take the message")?;
    let reply = text(reply).trim_end_matches(LINE_END).to_owned();
    let messages = story.source().messages();
    let new = (messages.len() > before).then(|| {
        let boxes = messages.iter().rev().find(|(name, _)| name.starts_with("bob@hamburger.edu"));
        boxes.map(|(_, octets)| octets.as_slice())
    });
    // The server's own fields stand before what was sent.
    let arrived = new.flatten().and_then(|all| all.get(all.len().checked_sub(raw.len())?..));
    let taken = arrived.is_some();
    Ok(compared(&raw, arrived.unwrap_or(&raw), reply, taken))
}

fn compared(raw: &[u8], arrived: &[u8], reply: String, taken: bool) -> Sent {
    let differ = |range: std::ops::Range<usize>| {
        let (one, other) = (raw.get(range.clone()), arrived.get(range));
        let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
        one.iter().zip(other).filter(|(one, other)| one != other).count()
    };
    let first = raw.iter().zip(arrived).position(|(one, other)| one != other);
    let letter = first.map_or_else(Vec::new, |at| {
        let rest = raw[at..].utf8_chunks().next();
        let letter = rest.and_then(|chunk| chunk.valid().chars().next());
        let end = at + letter.map_or(1, char::len_utf8);
        raw[at..end].iter().copied().zip(arrived[at..end].iter().copied()).collect()
    });
    let index = pillarbox_mime::index(raw, raw.len() as u64);
    let header = index.parts.first().map_or(0, |part| part.header.end as usize);
    let subject = |octets: &[u8]| {
        let all = pillarbox_mime::index(octets, octets.len() as u64);
        words::decode(all.envelope.subject.as_deref().unwrap_or_default())
    };
    let mut parts = vec![Fate {
        name: "header, read by its subject".to_owned(),
        sizes: (header, header),
        changed: differ(0..header),
        read: Some((subject(raw), subject(arrived))),
    }];
    let leaves = index.parts.iter().filter(|part| part.kind == PartKind::Leaf);
    parts.extend(leaves.take(PARTS_MAX).map(|part| {
        let (start, end) = (part.body.start as usize, part.body.end as usize);
        let [before, after] = [raw, arrived].map(|octets| decoded(within(octets, part), part));
        let shown = |octets: &[u8]| {
            let name =
                part.parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"charset"));
            let decoded = charset::decode(name.map_or(b"", |(_, value)| value), octets);
            let quote: String = decoded.trim().chars().take(QUOTE_MAX).collect();
            text_alone(quote.replace("\r\n", " ").as_bytes())
        };
        let is_text = part.media_type.is_empty() || part.media_type.eq_ignore_ascii_case(b"text");
        Fate {
            name: name(part),
            sizes: (end - start, before.len()),
            changed: differ(start..end),
            read: is_text.then(|| (shown(&before), shown(&after))),
        }
    }));
    Sent { reply, taken, changed: differ(0..raw.len()), letter, parts }
}

fn name(part: &Body) -> String {
    let shown = |octets: &[u8]| String::from_utf8_lossy(octets).to_ascii_lowercase();
    let encoding = if part.encoding.is_empty() { "7bit".into() } else { shown(&part.encoding) };
    let kind = if part.media_type.is_empty() { "text".into() } else { shown(&part.media_type) };
    format!("{kind}/{}, {encoding}", shown(&part.subtype))
}

fn within<'a>(octets: &'a [u8], part: &Body) -> &'a [u8] {
    octets.get(part.body.start as usize..part.body.end as usize).unwrap_or_default()
}

/// What a body says; in an encoding that nobody knows it is what stands there.
fn decoded(body: &[u8], part: &Body) -> Vec<u8> {
    let Some(mut decoder) = Decoder::new(&part.encoding) else { return body.to_vec() };
    let mut out = Vec::new();
    decoder.decode(body, &mut out);
    decoder.finish(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::message::{octets, samples};

    #[test]
    fn seven_bits_ruin_what_is_sent_raw_and_nothing_else() {
        let raw = octets(samples()[0].1);
        let sent = send(&raw, true).expect("it goes");
        assert!(sent.taken && sent.reply.starts_with("250 "), "{sent:?}");
        assert_eq!((sent.changed, &sent.letter[..]), (2, &[(0xc3, 0x43), (0xb6, 0x36)][..]));
        let read = |at: usize| sent.parts[at].read.clone().expect("it is text");
        let same = |text: &str| (text.to_owned(), text.to_owned());
        assert_eq!(read(0), same("Crème brûlée"));
        assert_eq!(read(1), same("Möchten Sie Crème brûlée?"));
        assert_eq!(read(2), same("Möchten Sie?"));
        assert_eq!(read(3), ("Möchten Sie?".to_owned(), "MC6chten Sie?".to_owned()));
        assert_eq!(sent.parts.iter().map(|part| part.changed).collect::<Vec<_>>(), [0, 0, 0, 2]);
        let whole = send(&raw, false).expect("it goes");
        assert!(whole.taken && whole.changed == 0 && whole.letter.is_empty(), "{whole:?}");
    }

    #[test]
    fn what_the_server_refuses_is_told_with_its_words() {
        let sent = send(b"Subject: x\r\n\r\na\nb\r\n", false).expect("it goes");
        assert!(!sent.taken && sent.reply.starts_with('5'), "{sent:?}");
        let dots = octets("Subject: x\n\n.\n..\nno end");
        let sent = send(&dots, true).expect("it goes");
        assert!(sent.taken && sent.changed == 0, "{sent:?}");
    }

    #[test]
    fn what_an_encoding_costs_is_counted() {
        let (facts, cost) = before(&octets(samples()[0].1));
        assert_eq!((facts.eight_bit, facts.longest <= LINE_MAX, &cost[..]), (2, true, "+42 %"));
        assert_eq!(super::cost(4, 3), "+33 %");
        assert_eq!((super::cost(3, 3), super::cost(0, 0)), ("±0 %".into(), "±0 %".into()));
    }
}
