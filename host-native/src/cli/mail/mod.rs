//! `pillarbox mail`: mailboxes and messages on any IMAP server, listed, read, found, moved, flagged and deleted.

mod change;
mod query;
mod show;
mod sink;
mod sync;
mod text;

pub(super) use text::{lines, one_line};

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pillarbox_engine::imap::Client as ImapClient;
use pillarbox_engine::imap::client::types::{Command, Completion, Outcome, SelectCommand};
use pillarbox_engine::imap::types::{SearchKey, UidRun};

use super::import::runtime;
use super::reading::ReadFlags;
use crate::agent::{MailHost, MailUrl, Protocol};
use crate::client::reading::{Ended, Reading};
use crate::error::{Error, Kind};
use crate::folders::{INBOX, Shows, Tally};
use crate::serve::shown;

use query::QueryFlags;
use sink::Gathered;

const EXAMPLES: &str = "\
Messages are named by their UIDs, as `list` and `search` show them: 17, 17,19 or 17:20; * is the last one. Names of mailboxes
are as they are read. `delete` moves into the mailbox for trash if there is one (and deletes what is in it already);
--now deletes at once.

Examples:
  pillarbox mail --server imaps://bob@mail.provider.example mailboxes
  pillarbox mail list INBOX                      with the server in PILLARBOX_MAIL
  pillarbox mail read 4711
  pillarbox mail search --from ann --since 2026-07-01 ketchup
  pillarbox mail move 4711,4712 Archive
  pillarbox mail flag 4711 +flagged -seen +$Work
  pillarbox mail delete 4713 --now
  pillarbox mail sync ~/Mail                     a copy to read offline, which follows the server

The password is read from --password-file, PILLARBOX_PASSWORD or the terminal. A server must prove its name by a certificate,
unless --tls says otherwise.

Exit codes: 0 done; 2 wrong flag; 66 there is no such message; 69 the server refused, or TLS is not good enough; 75 later it
may work; 77 the login was refused; 1 anything else.";

/// Flags of `mail`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MailFlags {
    /// The server: imaps://USER@HOST or imap:
    #[arg(long, value_name = "URL", env = "PILLARBOX_MAIL", global = true)]
    server: Option<String>,
    #[command(flatten)]
    read: ReadFlags,
    /// Write JSON: one object per line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    word: Word,
}

#[derive(Clone, Debug, Subcommand)]
enum Word {
    /// List the mailboxes, with how many messages they have
    Mailboxes,
    /// List messages, newest last
    List {
        /// Which mailbox
        #[arg(default_value = INBOX)]
        mailbox: String,
        /// The last so many
        #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "all")]
        last: u32,
        /// All of them
        #[arg(long)]
        all: bool,
    },
    /// Show a message: who, what about, its text, what is attached; it counts as seen then
    Read {
        /// Its UID
        uid: String,
        #[command(flatten)]
        place: Place,
        /// Write it as it is, all of it
        #[arg(long, conflicts_with = "part")]
        raw: bool,
        /// Write this part alone, decoded: a number as shown, such as 2 or 1.2
        #[arg(long, value_name = "SECTION")]
        part: Option<String>,
        /// Leave it unseen
        #[arg(long)]
        peek: bool,
    },
    /// Find messages
    Search {
        #[command(flatten)]
        query: Box<QueryFlags>,
        #[command(flatten)]
        place: Place,
    },
    /// Move messages to another mailbox
    Move {
        /// Their UIDs
        uids: String,
        /// Where to
        to: String,
        #[command(flatten)]
        place: Place,
        /// Leave them here too
        #[arg(long)]
        copy: bool,
    },
    /// Set flags (+seen) and take them away (-flagged)
    Flag {
        /// Their UIDs
        uids: String,
        /// seen, answered, flagged, deleted, draft, or a keyword, each behind + or -
        #[arg(required = true, allow_hyphen_values = true)]
        changes: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Make a local Maildir (Maildir++) the same as the server's mailboxes; nothing is changed there. What came from a mailbox that
    /// is gone goes here too; what somebody else put there stays
    Sync {
        /// The Maildir
        path: PathBuf,
        /// Only this mailbox; repeatable
        #[arg(long, value_name = "NAME")]
        mailbox: Vec<String>,
    },
    /// Delete messages
    Delete {
        /// Their UIDs
        uids: String,
        #[command(flatten)]
        place: Place,
        /// For good, and not into the trash
        #[arg(long)]
        now: bool,
    },
}

/// Where messages are.
#[derive(Clone, Debug, Args)]
struct Place {
    /// In which mailbox
    #[arg(long = "in", value_name = "MAILBOX", default_value = INBOX)]
    mailbox: String,
}

pub(super) fn run(flags: &MailFlags) -> Result<(), Error> {
    let Some(server) = &flags.server else {
        let form = "--server imaps://USER@HOST, or set PILLARBOX_MAIL";
        return Err(Error::usage(format!("which server? name it with {form}")));
    };
    let url = MailUrl::read("--server", server)?;
    if url.protocol != Protocol::Imap {
        let what = "mail is read by IMAP here; POP3 is for `pillarbox fetch`";
        return Err(Error::usage(format!("--server: {what}")));
    }
    // What is wrong with the words is said before anybody is asked for anything.
    let wish = Wish::of(flags)?;
    if matches!(wish, Wish::Mailboxes | Wish::List { .. } | Wish::Read { .. } | Wish::Search { .. })
    {
        super::pipe::end_with_reader();
    }
    let host = MailHost::new(url, flags.read.access(), flags.read.trace)?;
    let client = host.client()?;
    runtime()?.block_on(async {
        let target = host.target().await?;
        let reading = Reading::open(&client, &target, &host.terms, Gathered::default).await;
        let reading = reading.map_err(|ended| host.error(&ended))?;
        let mut session = Session { reading, json: flags.json };
        let done = wish.fulfil(&mut session).await;
        session.reading.leave(Command::Logout).await;
        done.map_err(|stopped| match stopped {
            Stopped::There(ended) => host.error(&ended),
            Stopped::Refused(text) => {
                Error::new(Kind::Unavailable, format!("{}: {text}", host.shown()))
            }
            Stopped::Nothing(text) => Error::new(Kind::NoInput, text),
            Stopped::Here(error) => error,
        })
    })
}

/// What was asked for, judged.
enum Wish {
    Mailboxes,
    List { mailbox: String, last: Option<u32> },
    Read { uid: u32, mailbox: String, how: show::How, peek: bool },
    Search { keys: Vec<SearchKey>, mailbox: String },
    Move { uids: Vec<UidRun>, to: String, mailbox: String, copy: bool },
    Flag { uids: Vec<UidRun>, changes: change::Changes, mailbox: String },
    Delete { uids: Vec<UidRun>, mailbox: String, now: bool },
    Sync { path: PathBuf, only: Vec<String>, shows: Shows },
}

impl Wish {
    fn of(flags: &MailFlags) -> Result<Self, Error> {
        Ok(match flags.word.clone() {
            Word::Mailboxes => Self::Mailboxes,
            Word::List { mailbox, last, all } => {
                Self::List { mailbox, last: (!all).then_some(last) }
            }
            Word::Read { uid, place, raw, part, peek } => {
                let number = uid.parse().ok().filter(|uid| *uid > 0);
                let uid = number.ok_or_else(|| {
                    Error::usage(format!("`{uid}` is no UID; `pillarbox mail list` shows them"))
                })?;
                let how = match (raw, part) {
                    (true, _) => show::How::Raw,
                    (_, Some(section)) => show::How::part(&section)?,
                    _ => show::How::Text,
                };
                Self::Read { uid, mailbox: place.mailbox, how, peek }
            }
            Word::Search { query, place } => {
                Self::Search { keys: query.keys()?, mailbox: place.mailbox }
            }
            Word::Move { uids, to, place, copy } => {
                Self::Move { uids: query::uids(&uids)?, to, mailbox: place.mailbox, copy }
            }
            Word::Flag { uids, changes, place } => {
                let changes = change::Changes::read(&changes)?;
                Self::Flag { uids: query::uids(&uids)?, changes, mailbox: place.mailbox }
            }
            Word::Sync { path, mailbox } => {
                let shows = Shows::new(flags.json, flags.read.trace);
                Self::Sync { path, only: mailbox, shows }
            }
            Word::Delete { uids, place, now } => {
                Self::Delete { uids: query::uids(&uids)?, mailbox: place.mailbox, now }
            }
        })
    }

    async fn fulfil(self, session: &mut Session) -> Result<(), Stopped> {
        match self {
            Self::Mailboxes => show::mailboxes(session).await,
            Self::List { mailbox, last } => show::list(session, &mailbox, last).await,
            Self::Read { uid, mailbox, how, peek } => {
                show::read(session, &mailbox, uid, how, peek).await
            }
            Self::Search { keys, mailbox } => show::search(session, &mailbox, keys).await,
            Self::Move { uids, to, mailbox, copy } => {
                change::move_to(session, &mailbox, uids, to, copy).await
            }
            Self::Flag { uids, changes, mailbox } => {
                change::flag(session, &mailbox, uids, changes).await
            }
            Self::Sync { path, only, shows } => {
                sync::sync(session, &path, &only, Tally::new(shows)).await
            }
            Self::Delete { uids, mailbox, now } => {
                change::delete(session, &mailbox, uids, now).await
            }
        }
    }
}

/// An open session, and how it is told about.
struct Session {
    reading: Reading<ImapClient, Gathered>,
    json: bool,
}

/// Why it was not done.
enum Stopped {
    /// The connection ended.
    There(Ended),
    /// The server said no.
    Refused(String),
    /// There is no such message.
    Nothing(String),
    /// This machine.
    Here(Error),
}

impl From<Ended> for Stopped {
    fn from(ended: Ended) -> Self {
        Self::There(ended)
    }
}

impl Session {
    /// Makes a call that must go well.
    async fn call(&mut self, command: Command) -> Result<Completion, Stopped> {
        let end = self.reading.call_for_all(command).await?;
        match end.outcome {
            Outcome::Ok => Ok(end),
            _ => Err(Stopped::Refused(shown(&end.text))),
        }
    }

    /// Opens a mailbox.
    async fn open(&mut self, mailbox: &str, read_only: bool) -> Result<(), Stopped> {
        let name = if mailbox.eq_ignore_ascii_case(INBOX) { INBOX } else { mailbox };
        let name = name.to_owned().into_bytes();
        let select = Command::Select(SelectCommand { name, read_only, known: None });
        let end = self.reading.call(select).await?;
        if end.outcome == Outcome::Ok {
            return Ok(());
        }
        let help = "`pillarbox mail mailboxes` shows what there is";
        Err(Stopped::Refused(format!("{mailbox}: {}; {help}", shown(&end.text))))
    }

    /// The UIDs that these keys find, ascending.
    async fn search(&mut self, keys: Vec<SearchKey>) -> Result<Vec<u32>, Stopped> {
        use pillarbox_engine::imap::client::types::SearchCommand;
        let search = Command::Search(SearchCommand { keys, ..Default::default() });
        let end = self.call(search).await?;
        if end.incomplete {
            let what = "the server names too many messages in one line; ask for less";
            return Err(Stopped::Refused(what.to_owned()));
        }
        let found = std::mem::take(&mut self.reading.sink().found);
        let mut uids: Vec<u32> = found.iter().flat_map(|run| run.first..=run.last).collect();
        uids.sort_unstable();
        uids.dedup();
        Ok(uids)
    }
}
