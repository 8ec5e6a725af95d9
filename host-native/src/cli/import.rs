//! `pillarbox import`: mail from files into an account.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pillarbox_engine::folder::mbox::Quoting;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::ServeFlags;
use crate::config::Settings;
use crate::error::{Error, Kind};
use crate::folders::{
    Folder, Format, INBOX, Imported, Importing, Shows, Tally, find, import, mailbox_named, settled,
};
use crate::local::Local;

const EXAMPLES: &str = "\
What a path holds is seen by looking: an mbox file, a Maildir (with Maildir++ folders), a folder of .eml files, or a folder of
mbox files. Other mailboxes than the top one keep their names, and are made if they are missing. Flags come from the names
of a Maildir's files and its dovecot-keywords, from the fields Status, X-Status and X-Keywords of an mbox, and from what
`pillarbox export` wrote beside .eml files; the date of arrival likewise, else from the Date field. Lines get CRLF.

A message that the same mailbox had from an import before, told by its octets (SHA-256), is not stored again: a run that was
cut off is simply run again. Equal messages within one source are all kept. --again stores everything once more.

If a server runs on the data directory, it does the storing; if none does, this command does.

Examples:
  pillarbox import --account bob@hamburger.edu --config pillarbox.toml ~/Maildir
  pillarbox import --account bob@hamburger.edu --mailbox 'Old mail' archive.mbox
  zcat list.mbox.gz | pillarbox import --account bob@hamburger.edu --mailbox list -

Exit codes: 0 all of it is in the account; 2 wrong flag; 4 the data directory cannot be used; 65 a message was left out, or
a file is not what it should be; 66 a file cannot be read; 75 run it again; 130 interrupted; 1 anything else.";

/// Whose mail, and where it is kept; the same for all commands that bring or take it.
#[derive(Clone, Debug, Args)]
pub(super) struct StoreFlags {
    /// Whose mail
    #[arg(long, value_name = "NAME", env = "PILLARBOX_ACCOUNT")]
    pub(super) account: String,
    /// Configuration of the server profile
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of the mail store [default: what the configuration names, else pillarbox in the user's data directory]
    #[arg(long, value_name = "DIR", env = "PILLARBOX_DATA")]
    data: Option<PathBuf>,
}

impl StoreFlags {
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        let (config, data) = (self.config.clone(), self.data.clone());
        Settings::new(ServeFlags { config, data, ..ServeFlags::default() })
    }
}

/// How lines of an mbox file that begin with `From ` are quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum QuotingChoice {
    /// `>` before `From ` with any number of `>` (mboxrd)
    Rd,
    /// `>` before `From ` alone (mboxo)
    O,
    /// Not at all
    None,
}

/// What shells say of a command that SIGINT ended.
const INTERRUPTED: i32 = 130;

impl QuotingChoice {
    pub(super) fn quoting(self) -> Quoting {
        match self {
            Self::Rd => Quoting::Mboxrd,
            Self::O => Quoting::Mboxo,
            Self::None => Quoting::Nothing,
        }
    }
}

/// Flags of `import`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportFlags {
    /// Files and directories with mail; - is an mbox on standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    store: StoreFlags,
    /// Where the top mailbox goes; of any but INBOX the others come to lie below
    #[arg(long, value_name = "NAME", default_value = INBOX)]
    mailbox: String,
    /// What the paths hold [default: what they look like]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// How mbox files are quoted
    #[arg(long, value_enum, default_value = "rd")]
    quoting: QuotingChoice,
    /// Store what came before once more
    #[arg(long)]
    again: bool,
    /// Write progress and outcome as JSON: one object per line
    #[arg(long)]
    json: bool,
    /// Say nothing but the outcome
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(flags: &ImportFlags) -> Result<(), Error> {
    let settings = flags.store.settings()?;
    let top = mailbox_named("--mailbox", &flags.mailbox)?;
    let mut folders = Vec::new();
    for path in &flags.paths {
        folders.extend(find(path, flags.format, &top)?);
    }
    tell_if_interrupted("stored")?;
    runtime()?.block_on(async {
        let mut local = Local::open(&settings, true).await?;
        let done = all(&mut local, flags, &folders).await;
        local.close().await;
        done
    })
}

/// A runtime for a command that reads, computes and waits for one disk.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::failed(format!("no runtime: {error}")))
}

/// From now on who interrupts this is told how far it came. A thread of its own waits for it, since a command may be
/// in the middle of a read of standard input.
pub(super) fn tell_if_interrupted(done: &'static str) -> Result<(), Error> {
    let runtime = runtime()?;
    let signal = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt())
    };
    let mut signal = signal.map_err(|error| Error::failed(format!("no signals: {error}")))?;
    std::thread::spawn(move || {
        runtime.block_on(signal.recv());
        let open = if std::io::stderr().is_terminal() { "\n" } else { "" };
        eprintln!(
            "{open}pillarbox: interrupted: {} messages are {done}; run it again to go on",
            settled()
        );
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

async fn all(local: &mut Local, flags: &ImportFlags, folders: &[Folder]) -> Result<(), Error> {
    let account = local.account(&flags.store.account).await?;
    let quoting = flags.quoting.quoting();
    let how = Importing { account: &account, quoting, again: flags.again };
    let mut tally = Tally::new(Shows::new(flags.json, flags.quiet));
    let mut total = Imported::default();
    for folder in folders {
        let done = import(local, &how, folder, &mut tally).await?;
        tally.clear();
        done.notes.iter().for_each(|note| eprintln!("{note}"));
        if flags.json {
            let (mailbox, path) = (&folder.mailbox, folder.path.display().to_string());
            println!(
                "{}",
                json!({ "event": "mailbox", "mailbox": mailbox, "path": path, "outcome": done.json() })
            );
        } else if folders.len() > 1 && !flags.quiet {
            println!("{}", done.line(&folder.mailbox));
        }
        total.add(done);
    }
    if flags.json {
        let seconds = tally.seconds();
        println!("{}", json!({ "event": "done", "outcome": total.json(), "seconds": seconds }));
    } else {
        println!("{}", total.line(&account));
    }
    if total.refused > 0 {
        let message = format!("{} messages were left out; the rest is stored", total.refused);
        return Err(Error::new(Kind::Input, message));
    }
    Ok(())
}
