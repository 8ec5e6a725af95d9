//! Brings the messages of files into an account, in order, many on their way to the disk at once.
//!
//! What was brought before is told by its octets: SHA-256 of the message and how many equal ones came before it, remembered in
//! the store with the message, in one transaction. So a run that is cut off anywhere is simply run again.

use std::collections::HashMap;

use pillarbox_engine::folder::mbox::Quoting;
use pillarbox_engine::text::date;
use pillarbox_engine::text::header::{fields, section_length};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::read::{Facts, Messages, Part};
use super::tally::mebi;
use super::{Folder, Tally};
use crate::error::Error;
use crate::local::{Envelope, Handed, Key, Local, Origin, Stored};

/// Octets of a header section in which the date is looked for.
const HEAD_MAX: usize = 64 * 1024;
/// Octets that are handed over at once.
const PART_MAX: usize = 256 * 1024;

/// How it is done.
pub(crate) struct Importing<'a> {
    pub(crate) account: &'a str,
    pub(crate) quoting: Quoting,
    /// Whether what came before is brought again.
    pub(crate) again: bool,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Imported {
    pub(crate) stored: u64,
    pub(crate) known: u64,
    pub(crate) octets: u64,
    pub(crate) gone: u64,
    /// What was left out or looks wrong, one sentence each.
    pub(crate) notes: Vec<String>,
    /// Messages that were left out.
    pub(crate) refused: u64,
}

/// Brings one mailbox.
///
/// # Errors
/// The files cannot be read, or the store says no; what was stored before stays.
pub(crate) async fn import(
    local: &mut Local,
    how: &Importing<'_>,
    folder: &Folder,
    tally: &mut Tally,
) -> Result<Imported, Error> {
    local.make(how.account, &folder.mailbox).await?;
    let mut messages = Messages::open(folder, how.quoting)?;
    let mut run = Run {
        local,
        how,
        folder,
        tally,
        message: Message::default(),
        seen: HashMap::new(),
        handed: Handed::default(),
        number: 0,
        done: Imported::default(),
    };
    while let Some(part) = messages.next()? {
        match part {
            Part::Octets(octets) => run.octets(octets).await?,
            Part::End(facts) => run.end(facts).await?,
            Part::Dropped => run.drop_message().await?,
        }
    }
    while let Some((size, stored)) = run.handed.next().await {
        run.settled(size, stored?);
    }
    let mut done = run.done;
    done.gone = messages.gone;
    let doubtful = messages.doubtful();
    if doubtful > 0 {
        let place = folder.path.display();
        done.notes.push(format!(
            "{place}: {doubtful} lines begin with `From ` and hold no date, and were taken for text"
        ));
    }
    let unparted = messages.unparted();
    if unparted > 0 {
        let place = folder.path.display();
        done.notes.push(format!(
            "{place}: {unparted} lines look like the beginning of a message, but no blank line stands before them, as RFC 4155 \
             asks; they were taken for text. If messages are missing, put a blank line there"
        ));
    }
    Ok(done)
}

struct Run<'a, 'b> {
    local: &'a mut Local,
    how: &'a Importing<'b>,
    folder: &'a Folder,
    tally: &'a mut Tally,
    message: Message,
    /// How often a message was seen in this run, by the beginning of its digest.
    seen: HashMap<u64, u32>,
    handed: Handed<u64>,
    number: u64,
    done: Imported,
}

/// The message that is being read.
#[derive(Default)]
struct Message {
    hash: Sha256,
    size: u64,
    /// Not handed over yet.
    held: Vec<u8>,
    head: Vec<u8>,
    has_nul: bool,
}

impl Run<'_, '_> {
    async fn octets(&mut self, octets: Vec<u8>) -> Result<(), Error> {
        let message = &mut self.message;
        message.hash.update(&octets);
        message.size += octets.len() as u64;
        message.has_nul |= octets.contains(&0);
        let room = HEAD_MAX.saturating_sub(message.head.len()).min(octets.len());
        message.head.extend_from_slice(&octets[..room]);
        message.held.extend(octets);
        // A message of the usual size is handed over whole, and only if it is new.
        if message.held.len() >= PART_MAX && !message.has_nul {
            let held = std::mem::take(&mut message.held);
            self.local.part(&held).await?;
        }
        Ok(())
    }

    async fn drop_message(&mut self) -> Result<(), Error> {
        self.message = Message::default();
        self.local.forget().await
    }

    async fn end(&mut self, facts: Facts) -> Result<(), Error> {
        self.number += 1;
        let Message { hash, size, held, head, has_nul } = std::mem::take(&mut self.message);
        if has_nul || size == 0 {
            // No message has it (RFC 5322 §2.2), and IMAP could not give it out (RFC 9051 §4.3).
            let what = if has_nul { "holds a NUL octet" } else { "is empty" };
            let (number, place) = (self.number, self.folder.path.display());
            self.note(format!("{place}: message {number} {what}, and was left out"));
            self.done.refused += 1;
            return self.local.forget().await;
        }
        let digest: [u8; 32] = hash.finalize().into();
        let prefix = u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 octets"));
        let count = self.seen.entry(prefix).or_default();
        let key = Key::of(&[b"file", &digest, &count.to_be_bytes()]);
        *count += 1;
        let origin = if self.how.again { Origin::Anywhere } else { Origin::File { key } };
        let (date_ms, zone) = match facts.date.or_else(|| dated(&head)) {
            Some((ms, zone)) => (Some(ms), zone),
            None => (None, 0),
        };
        let keywords = facts.flags.keywords.iter();
        let envelope = Envelope {
            account: self.how.account.to_owned(),
            mailbox: self.folder.mailbox.clone(),
            origin,
            system: facts.flags.system,
            keywords: keywords.map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
            date_ms,
            zone,
        };
        self.local.part(&held).await?;
        let pending = self.local.store(envelope).await?;
        self.handed.push(size, pending);
        while let Some((size, stored)) = self.handed.next_if_full().await {
            self.settled(size, stored?);
        }
        Ok(())
    }

    fn settled(&mut self, size: u64, stored: Stored) {
        if stored.known {
            self.done.known += 1;
        } else {
            self.done.stored += 1;
            self.done.octets += size;
        }
        self.tally.message(&self.folder.mailbox, size);
    }

    fn note(&mut self, note: String) {
        // The first ones say what is wrong; the rest is counted.
        if self.done.notes.len() < 20 {
            self.done.notes.push(note);
        }
    }
}

/// When a message was sent, if its header section says so.
fn dated(head: &[u8]) -> Option<(u64, i16)> {
    let section = &head[..section_length(head)];
    let field = fields(section).find(|field| field.is(b"Date"))?;
    let date = date::parse(&field.unfolded())?;
    Some((u64::try_from(date.unix_ms).ok()?, date.zone))
}

impl Imported {
    pub(crate) fn add(&mut self, other: Self) {
        self.stored += other.stored;
        self.known += other.known;
        self.octets += other.octets;
        self.gone += other.gone;
        self.refused += other.refused;
        self.notes.extend(other.notes);
    }

    pub(crate) fn line(&self, name: &str) -> String {
        let Self { stored, known, gone, refused, .. } = self;
        let mut line = format!("{name}: {stored} messages stored ({})", mebi(self.octets));
        for (count, what) in [
            (known, "were there from before"),
            (refused, "left out"),
            (gone, "went while they were read"),
        ] {
            if *count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        line
    }

    pub(crate) fn json(&self) -> Value {
        let Self { stored, known, octets, gone, refused, notes } = self;
        json!({ "stored": stored, "known": known, "octets": octets, "gone": gone,
            "left_out": refused, "notes": notes })
    }
}
