//! Takes the messages of an account's mailboxes into files, page by page and piece by piece.

use std::path::Path;

use pillarbox_engine::text::header::{fields, section_length};
use serde_json::{Value, json};

use super::names::Place;
use super::tally::mebi;
use super::target::{Letters, Maildir, Mbox, Target, Unnamed, Wanted};
use super::{Format, Sync, Tally};
use crate::error::Error;
use crate::local::{Ask, Local, Mailbox, Reply, Row, unexpected};

/// Octets read at once.
const PIECE: u64 = 256 * 1024;

/// What was done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exported {
    pub(crate) written: u64,
    pub(crate) there: u64,
    pub(crate) octets: u64,
    pub(crate) gone: u64,
    pub(crate) notes: Vec<String>,
    /// Whole files that have another name until all are.
    pub(crate) unnamed: Vec<Unnamed>,
}

/// Why a mailbox was not exported.
pub(crate) enum NotExported {
    /// Its files cannot be written; those of another mailbox may be.
    Files(Error),
    /// The store cannot be read.
    Store(Error),
}

impl From<Error> for NotExported {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// How it is done.
pub(crate) struct Exporting<'a> {
    pub(crate) account: &'a str,
    pub(crate) format: Format,
    /// A directory for all mailboxes; or, if `alone`, the one mailbox itself.
    pub(crate) target: &'a Path,
    pub(crate) alone: bool,
    pub(crate) replace: bool,
    pub(crate) sync: Sync,
}

/// Writes one mailbox.
///
/// # Errors
/// The store cannot be read or the files cannot be written; which of them is told apart.
pub(crate) async fn export(
    local: &mut Local,
    how: &Exporting<'_>,
    mailbox: &Mailbox,
    tally: &mut Tally,
) -> Result<Exported, NotExported> {
    let mut target = open(how, mailbox).map_err(NotExported::Files)?;
    let mut done = Exported::default();
    let mut after = 0;
    loop {
        let (account, name) = (how.account.to_owned(), mailbox.name.clone());
        let asked = local.ask(Ask::Rows { account, mailbox: name, after }).await?.0;
        let Reply::Rows { rows, more } = asked else { return Err(unexpected().into()) };
        for row in &rows {
            after = row.uid;
            match message(local, &mut target, row).await? {
                Some(Wanted::Yes) => {
                    done.written += 1;
                    done.octets += row.size;
                }
                Some(Wanted::No) => done.there += 1,
                None => done.gone += 1,
            }
            tally.message(&mailbox.name, row.size);
        }
        if !more || rows.is_empty() {
            break;
        }
    }
    if let Target::Maildir(maildir) = &target
        && maildir.left_out > 0
    {
        let count = maildir.left_out;
        done.notes.push(format!(
            "{}: {count} times a keyword is not told, since a Maildir has letters for 26 alone",
            mailbox.name
        ));
    }
    done.unnamed.extend(target.finish().map_err(NotExported::Files)?);
    Ok(done)
}

fn open(how: &Exporting<'_>, mailbox: &Mailbox) -> Result<Target, Error> {
    let place = match how.alone {
        true => Place::chosen(how.target),
        false => Place::below(how.target, how.format, &mailbox.name),
    };
    let (path, uid_validity) = (&place.path, mailbox.uid_validity);
    let target = match how.format {
        Format::Mbox => Target::Mbox(Mbox::create(path, how.replace)?),
        Format::Maildir => {
            Target::Maildir(Box::new(Maildir::create(path, uid_validity, how.sync)?))
        }
        Format::Eml => Target::Letters(Letters::create(path, uid_validity, how.sync)?),
    };
    place.remember(how.format)?;
    Ok(target)
}

/// Writes one message; none if it went in between.
async fn message(
    local: &mut Local,
    target: &mut Target,
    row: &Row,
) -> Result<Option<Wanted>, NotExported> {
    let is_mbox = matches!(target, Target::Mbox(_));
    if !is_mbox && target.begin(row, b"").map_err(NotExported::Files)? == Wanted::No {
        return Ok(Some(Wanted::No));
    }
    let mut offset = 0;
    while offset < row.size || offset == 0 {
        let length = PIECE.min(row.size - offset);
        let asked = local.ask(Ask::Octets { blob: row.blob, offset, length }).await;
        let octets = match asked {
            Ok((Reply::Octets { .. }, octets)) if octets.len() as u64 == length => octets,
            // Whoever uses the account has removed it, and nothing of it was written yet.
            Err(_) if offset == 0 => return Ok(None),
            Ok(_) => return Err(unexpected().into()),
            Err(error) => return Err(error.into()),
        };
        if offset == 0 && is_mbox {
            target.begin(row, &sender(&octets)).map_err(NotExported::Files)?;
        }
        target.octets(&octets).map_err(NotExported::Files)?;
        offset += length;
        if row.size == 0 {
            break;
        }
    }
    target.end(row).map_err(NotExported::Files)?;
    Ok(Some(Wanted::Yes))
}

/// The sender's address, as the final delivery wrote it down; nothing if it did not.
fn sender(head: &[u8]) -> Vec<u8> {
    let section = &head[..section_length(head)];
    let Some(field) = fields(section).find(|field| field.is(b"Return-Path")) else {
        return Vec::new();
    };
    let path = field.unfolded();
    let path = path.strip_prefix(b"<").and_then(|path| path.strip_suffix(b">"));
    path.unwrap_or_default().to_vec()
}

impl Exported {
    pub(crate) fn add(&mut self, other: Self) {
        self.written += other.written;
        self.there += other.there;
        self.octets += other.octets;
        self.gone += other.gone;
        self.notes.extend(other.notes);
        self.unnamed.extend(other.unnamed);
    }

    pub(crate) fn line(&self, name: &str) -> String {
        let Self { written, there, gone, .. } = self;
        let mut line = format!("{name}: {written} messages written ({})", mebi(self.octets));
        for (count, what) in [(there, "were there"), (gone, "went while they were read")] {
            if *count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        line
    }

    pub(crate) fn json(&self) -> Value {
        let Self { written, there, octets, gone, notes, .. } = self;
        json!({ "written": written, "there": there, "octets": octets, "gone": gone, "notes": notes })
    }
}
