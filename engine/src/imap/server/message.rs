//! One message's FETCH response (RFC 9051 §7.5.2): item after item, as there is room.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::condstore::AWARE;
use super::fetch::{FETCH, SEEN};
use super::item::{Item, Partial, Section, Value};
use super::reading::{Reading, Step};
use super::reply::Reply;
use super::sieve::Sieve;
use super::state::Selected;
use super::{Base, Server, print};
use crate::imap::grammar::lex;
use crate::imap::types::Row;
use crate::message::Index;
use crate::role::Cx;
use crate::text::number::push_decimal;
use crate::types::BlobRange;

/// Octets that the flags of most messages take.
const FLAGS_OCTETS: usize = 48;

/// The message that is being told. It stays where it is while its items are told: there may be very many.
pub(crate) struct Message {
    row: Row,
    index: Option<Box<Index>>,
    /// Items told.
    told: usize,
    flags_told: bool,
    /// Its flags changed by being fetched.
    became_seen: bool,
    reading: Option<Reading>,
}

/// What became of telling a bit more of a message.
pub(crate) enum Told {
    More,
    Octets(BlobRange),
    Whole,
}

impl Message {
    /// A message whose response has begun; `flags_due`: its flags changed and must be told with it.
    pub(crate) fn new(row: Row, index: Option<Box<Index>>, flags_due: bool) -> Self {
        let became_seen = flags_due;
        Self { row, index, told: 0, flags_told: !flags_due, became_seen, reading: None }
    }

    /// Octets that are on their way, if some are.
    pub(crate) fn reading(&mut self) -> Option<&mut Reading> {
        self.reading.as_mut()
    }

    /// Tells the next item, or a chunk of it, or the end.
    pub(crate) fn tell(
        &mut self,
        items: &[Item],
        failed: &mut Option<Reply>,
        base: &Base,
        open: &mut Selected,
        cx: &mut Cx<Server>,
    ) -> Told {
        if let Some(reading) = self.reading.take() {
            return match reading.step(cx) {
                Step::Octets(span, reading) => {
                    let (blob, offset, length) = (self.row.blob, span.start, span.length());
                    self.reading = Some(reading);
                    Told::Octets(BlobRange { blob, offset, length })
                }
                Step::Room(reading) => {
                    self.reading = Some(reading);
                    Told::More
                }
                Step::Done => Told::More,
            };
        }
        let Some(item) = items.get(self.told) else {
            if !self.flags_told {
                self.send_flags(base, open, cx, " FLAGS ");
            }
            if self.became_seen && base.tells_modseq() {
                self.send_sync(base, items, cx);
            }
            lex::send(cx, b")\r\n", None);
            return Told::Whole;
        };
        if self.told > 0 {
            cx.send(b" ", "SP", None);
        }
        self.told += 1;
        self.tell_item(item, failed, base, open, cx);
        Told::More
    }

    /// RFC 7162 §3.2.4: what is told of changed flags is told with UID and mod-sequence.
    fn send_sync(&self, base: &Base, items: &[Item], cx: &mut Cx<Server>) {
        let has = |value| items.iter().any(|item| item.is(value));
        if !base.uid_only && !has(Value::Uid) {
            let uid = print::decimal(u64::from(self.row.uid));
            lex::send(cx, &[b" UID ", &uid[..]].concat(), Some(&AWARE));
        }
        if !has(Value::Modseq) {
            let modseq = print::modseq(self.row.modseq);
            lex::send(cx, &[b" ", &modseq[..]].concat(), Some(&AWARE));
        }
    }

    fn tell_item(
        &mut self,
        item: &Item,
        failed: &mut Option<Reply>,
        base: &Base,
        open: &mut Selected,
        cx: &mut Cx<Server>,
    ) {
        let put = |cx: &mut Cx<Server>, name: &str, value: &[u8]| {
            lex::send(cx, &[name.as_bytes(), value].concat(), Some(&FETCH));
        };
        match item {
            // They may have changed by being fetched.
            Item::Value(Value::Flags) => self.send_flags(base, open, cx, "FLAGS "),
            Item::Value(value) => {
                let mut told = Vec::with_capacity(FLAGS_OCTETS);
                put_value(&mut told, *value, &self.row, base, open);
                lex::send(cx, &told, Some(&FETCH));
            }
            Item::Preview => {
                // RFC 8970 §3.2: a message that has none has an empty one.
                let preview = self.index.as_ref().map_or(&b""[..], |index| &index.preview);
                put(cx, "PREVIEW ", &print::string(base, preview));
            }
            Item::Envelope => {
                let envelope =
                    self.index.as_ref().map(|index| print::envelope(base, &index.envelope));
                put(cx, "ENVELOPE ", &envelope.unwrap_or_else(|| b"NIL".to_vec()));
            }
            Item::Structure { extended } => {
                let name = if *extended { "BODYSTRUCTURE " } else { "BODY " };
                let structure =
                    self.index.as_ref().map(|index| print::body_structure(base, index, *extended));
                put(cx, name, &structure.unwrap_or_else(|| b"NIL".to_vec()));
            }
            Item::Section(section) => self.tell_section(section, cx),
            Item::Binary(section) => self.tell_binary(section, false, failed, cx),
            Item::BinarySize(section) => self.tell_binary(section, true, failed, cx),
        }
    }

    fn send_flags(&mut self, base: &Base, open: &mut Selected, cx: &mut Cx<Server>, name: &str) {
        let mut told = Vec::with_capacity(FLAGS_OCTETS);
        told.extend_from_slice(name.as_bytes());
        put_flags(&mut told, &self.row, base, open);
        let rule = if self.flags_told { &FETCH } else { &SEEN };
        lex::send(cx, &told, Some(rule));
        self.flags_told = true;
    }

    fn tell_section(&mut self, section: &Section, cx: &mut Cx<Server>) {
        print::send_section_name(cx, section);
        let Some(span) = section.span(self.index.as_deref(), self.row.size) else {
            // RFC 9051 §6.4.5.1: a part that is not there has no octets.
            cx.send(b"NIL", "nil", None);
            return;
        };
        if let Some(fields) = &section.fields {
            let sieve = Sieve::fields(fields.clone());
            self.reading = Some(Reading::new(span, sieve, section.partial, false));
            return;
        }
        let (skipped, length) = Partial::within(section.partial, span.length());
        if length == 0 {
            cx.send(b"\"\"", "quoted", None);
            return;
        }
        cx.send(&print::literal(length, false), "literal head", None);
        let range = BlobRange { blob: self.row.blob, offset: span.start + skipped, length };
        cx.send_blob(range, "literal");
    }

    fn tell_binary(
        &mut self,
        section: &Section,
        size_only: bool,
        failed: &mut Option<Reply>,
        cx: &mut Cx<Server>,
    ) {
        print::send_section_name(cx, section);
        let span = section.span(self.index.as_deref(), self.row.size);
        let encoding = self.index.as_deref().and_then(|index| section.encoding(index));
        let sieve = encoding.map(Sieve::decoder);
        match (span, sieve) {
            (Some(span), Some(Some(sieve))) => {
                let reading = Reading::new(span, sieve, section.partial, true);
                self.reading = Some(if size_only { reading.size_only() } else { reading });
            }
            (Some(_), Some(None)) => {
                // RFC 9051 §7.5.2
                let reply = Reply::no("UNKNOWN-CTE", "The part's encoding is unknown");
                failed.get_or_insert(reply);
                cx.send(if size_only { b"0" } else { b"NIL" }, "nil", None);
            }
            _ => cx.send(if size_only { b"0" } else { b"NIL" }, "nil", None),
        }
    }
}

/// A value behind other octets; the flags count as told.
pub(crate) fn put_value(
    out: &mut Vec<u8>,
    value: Value,
    row: &Row,
    base: &Base,
    open: &mut Selected,
) {
    let mut put = |name: &str, value: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(value);
    };
    match value {
        Value::Uid => {
            put("UID ", b"");
            push_decimal(out, u64::from(row.uid));
        }
        Value::Flags => {
            put("FLAGS ", b"");
            put_flags(out, row, base, open);
        }
        Value::InternalDate => {
            let date = print::date_time(row.internal_date_ms, row.internal_date_zone);
            put("INTERNALDATE ", &date);
        }
        Value::Size => {
            put("RFC822.SIZE ", b"");
            push_decimal(out, row.size);
        }
        Value::Modseq => put("", &print::modseq(row.modseq)),
        // RFC 8514 §4.2: when it was, but not where: in UTC.
        Value::SaveDate => put("SAVEDATE ", &print::date_time(row.save_date_ms, 0)),
        Value::EmailId => {
            put("EMAILID ", &[b"(M", &print::decimal(row.blob)[..], b")"].concat());
        }
        // RFC 8474 §5.2: this server does not keep threads.
        Value::ThreadId => put("THREADID ", b"NIL"),
    }
}

fn put_flags(out: &mut Vec<u8>, row: &Row, base: &Base, open: &mut Selected) {
    let recent = !base.is_rev2() && open.view.is_recent(row.uid);
    print::put_flags(out, &row.flags, recent);
    open.view.flags_told(row.uid, row.modseq);
}
