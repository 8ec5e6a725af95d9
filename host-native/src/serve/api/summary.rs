//! What a list says of a message: made of the index that delivery made, so that no body is read for it.

use pillarbox_engine::imap::types::Row;
use pillarbox_engine::message::{Address, Index};
use pillarbox_engine::text::find::folded;
use pillarbox_engine::text::words;
use pillarbox_world::service::web::{files, mailbox, people};
use serde_json::{Value, json};

/// Characters of a text that a list shows, as Mailpit has it.
const SNIPPET_MAX: usize = 250;

/// Somebody, by name and address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Party {
    /// As people read it; may be empty.
    pub(super) name: String,
    /// As it is written.
    pub(super) address: String,
}

impl Party {
    fn of(address: &Address) -> Self {
        let name = address.name.as_ref().map(|name| words::decode(name)).unwrap_or_default();
        Self { name, address: mailbox(address) }
    }

    fn all(list: &[Address]) -> Vec<Self> {
        people(list).map(Self::of).collect()
    }

    /// As Mailpit's interface has it.
    pub(super) fn json(&self) -> Value {
        json!({ "Name": self.name, "Address": self.address })
    }

    /// Whether a text, folded, stands in it.
    pub(super) fn has(&self, needle: &str) -> bool {
        folded(&format!("{} <{}>", self.name, self.address)).contains(needle)
    }
}

/// What a message says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) from: Option<Party>,
    pub(super) to: Vec<Party>,
    pub(super) cc: Vec<Party>,
    pub(super) bcc: Vec<Party>,
    pub(super) reply_to: Vec<Party>,
    pub(super) subject: String,
    /// Without its brackets.
    pub(super) message_id: String,
    /// What the Date field says, in milliseconds since 1970 UTC.
    pub(super) sent_ms: Option<u64>,
    /// When it came, likewise.
    pub(super) came_ms: u64,
    pub(super) size: u64,
    /// Files, those that a text shows among them.
    pub(super) files: usize,
    /// Whether a text shows one of them.
    pub(super) has_inline: bool,
    pub(super) snippet: String,
}

impl Summary {
    /// Of a stored message and its index.
    pub(super) fn of(row: &Row, index: &Index) -> Self {
        let envelope = &index.envelope;
        let text = |field: &Option<Vec<u8>>| {
            field.as_ref().map(|field| words::decode(field)).unwrap_or_default()
        };
        let attached = files(index);
        let is_inline = |at: &usize| is_inline(&index.parts[*at]);
        let preview = String::from_utf8_lossy(&index.preview);
        Self {
            from: people(&envelope.from).next().map(Party::of),
            to: Party::all(&envelope.to),
            cc: Party::all(&envelope.cc),
            bcc: Party::all(&envelope.bcc),
            reply_to: Party::all(&envelope.reply_to),
            subject: text(&envelope.subject),
            message_id: text(&envelope.message_id).trim().trim_matches(['<', '>']).to_owned(),
            sent_ms: index.sent.and_then(|(ms, _)| u64::try_from(ms).ok()),
            came_ms: row.internal_date_ms,
            size: row.size,
            has_inline: attached.iter().any(is_inline),
            files: attached.len(),
            snippet: preview.chars().take(SNIPPET_MAX).collect(),
        }
    }

    /// All whom its fields name.
    pub(super) fn everybody(&self) -> impl Iterator<Item = &Party> {
        let lists = [&self.to, &self.cc, &self.bcc, &self.reply_to];
        self.from.iter().chain(lists.into_iter().flatten())
    }
}

/// Whether a text shows a file: it has a name for that (RFC 2392), and is not said to be beside the text.
pub(super) fn is_inline(part: &pillarbox_engine::message::Part) -> bool {
    let beside = |how: &[u8]| how.eq_ignore_ascii_case(b"attachment");
    part.id.is_some() && !part.disposition.as_ref().is_some_and(|(how, _)| beside(how))
}

/// RFC 3339 with milliseconds, as programs of JavaScript write it.
pub(super) fn moment(unix_ms: u64) -> String {
    let whole = pillarbox_engine::text::date::timestamp(unix_ms);
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), unix_ms % 1000)
}
