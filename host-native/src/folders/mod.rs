//! Mail in files of this machine: mbox files, Maildirs and folders of `.eml` files, read and written message by message.
//! What stands in them is `pillarbox_engine::folder`'s; where their messages go and come from is [`crate::local`]'s.

mod export;
mod find;
mod import;
mod letters;
mod mirror;
mod names;
mod read;
mod tally;
mod target;

use std::fmt;

use clap::ValueEnum;
use pillarbox_engine::imap::grammar::mailbox_name;

use crate::error::Error;

pub(crate) use export::{Exported, Exporting, NotExported, export};
pub(crate) use find::{Folder, find};
pub(crate) use import::{Imported, Importing, import};
pub(crate) use letters::letters;
pub(crate) use mirror::{Mirror, prune_others};
pub(crate) use names::Place;
pub(crate) use tally::{Shows, Tally, mebi, settled};
pub(crate) use target::{Sync, name_files};

/// The mailbox in which mail arrives.
pub(crate) const INBOX: &str = "INBOX";

/// How mail lies in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// All messages of a mailbox in one file, each behind a line that begins with `From `
    Mbox,
    /// A directory with cur, new and tmp, and one with a dot before its name for each other mailbox (Maildir++)
    Maildir,
    /// A directory for each mailbox, and a file NAME.eml for each message
    Eml,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mbox => "mbox",
            Self::Maildir => "Maildir",
            Self::Eml => ".eml",
        })
    }
}

/// A mailbox's name as the store has it.
///
/// # Errors
/// No mailbox can have it.
pub(crate) fn mailbox_named(flag: &str, name: &str) -> Result<String, Error> {
    let canonical = mailbox_name(name.as_bytes(), true).map_err(|_| {
        let form = "levels with `/` between them, none empty, `.` or `..`";
        Error::usage(format!("{flag}: no mailbox can be called `{name}`: a name is {form}"))
    })?;
    Ok(String::from_utf8_lossy(&canonical).into_owned())
}

/// The name of a mailbox that lies below the top one of a folder: INBOX has others beside it, not below.
fn beside(top: &str, name: &str) -> String {
    match (top, name) {
        (_, "") => top.to_owned(),
        _ if name.eq_ignore_ascii_case(INBOX) => top.to_owned(),
        (INBOX, name) => name.to_owned(),
        (top, name) => format!("{top}/{name}"),
    }
}
