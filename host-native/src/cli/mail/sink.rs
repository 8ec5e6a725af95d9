//! What an IMAP server tells a command, gathered until the command looks; bodies go to standard output, or are kept if they
//! are to be decoded.

use std::io::Write;

use pillarbox_engine::imap::Client;
use pillarbox_engine::imap::client::types::{BodyChunk, Counted, Event, Fetched, Mailbox, Opened};
use pillarbox_engine::imap::types::UidRun;
use pillarbox_engine::text::transfer::Decoder;

use crate::client::reading::Sink;
use crate::error::Error;
use crate::folders::Mirror;
use crate::local::Row;

/// Octets of a body that are kept to be shown; nobody reads more at a terminal.
const KEPT_MAX: usize = 16 << 20;

/// What was told.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) mailboxes: Vec<Mailbox>,
    pub(super) statuses: Vec<Counted>,
    pub(super) opened: Option<Opened>,
    pub(super) found: Vec<UidRun>,
    pub(super) fetched: Vec<Fetched>,
    pub(super) body: Body,
}

/// What becomes of a body.
#[derive(Default)]
pub(super) enum Body {
    /// Nobody wants one.
    #[default]
    None,
    /// It is kept.
    Kept(Vec<u8>),
    /// It is written, decoded first; and whether that still works.
    Written(Option<Decoder>, bool),
    /// Several go into a Maildir.
    Filed(Box<Filing>),
}

/// Messages on their way into a Maildir.
pub(super) struct Filing {
    mirror: Mirror,
    /// By number, in their order.
    rows: Vec<(u32, Row)>,
    /// The one that is coming.
    open: Option<u32>,
    filed: Vec<Row>,
    failed: Option<Error>,
}

impl Filing {
    pub(super) fn new(mirror: Mirror, rows: Vec<(u32, Row)>) -> Self {
        Self { mirror, rows, open: None, filed: Vec::new(), failed: None }
    }

    /// The Maildir, what came whole, and why no more did.
    pub(super) fn finish(self) -> (Mirror, Vec<Row>, Option<Error>) {
        (self.mirror, self.filed, self.failed)
    }

    fn take(&mut self, chunk: &BodyChunk) -> Result<(), Error> {
        let Some((_, row)) = self.rows.iter().find(|(number, _)| *number == chunk.number) else {
            // A message that nobody asked for.
            return Ok(());
        };
        if self.open != Some(chunk.number) {
            self.mirror.begin(row)?;
            self.open = Some(chunk.number);
        }
        self.mirror.octets(&chunk.octets)?;
        if chunk.last {
            self.mirror.end(row)?;
            self.open = None;
            self.filed.push(row.clone());
        }
        Ok(())
    }
}

impl Sink<Client> for Gathered {
    async fn chunk(&mut self, chunk: BodyChunk) -> bool {
        match &mut self.body {
            Body::None => false,
            Body::Kept(kept) => {
                let room = KEPT_MAX.saturating_sub(kept.len()).min(chunk.octets.len());
                kept.extend_from_slice(&chunk.octets[..room]);
                room == chunk.octets.len()
            }
            Body::Filed(filing) => {
                if let Err(error) = filing.take(&chunk) {
                    filing.failed.get_or_insert(error);
                }
                filing.failed.is_none()
            }
            Body::Written(decoder, works) => {
                let mut out = Vec::new();
                let octets = match decoder {
                    None => &chunk.octets,
                    Some(decoder) => {
                        decoder.decode(&chunk.octets, &mut out);
                        if chunk.last {
                            decoder.finish(&mut out);
                        }
                        &out
                    }
                };
                // Whoever reads may have seen enough.
                *works &= std::io::stdout().write_all(octets).is_ok();
                *works
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Mailbox(mailbox) => self.mailboxes.push(mailbox),
            Event::Status(status) => self.statuses.push(status),
            Event::Opened(opened) => self.opened = Some(opened),
            Event::Found(found) => self.found.extend(found.uids),
            Event::Fetched(fetched) if fetched.uid > 0 => self.fetched.push(fetched),
            _ => {}
        }
    }
}
