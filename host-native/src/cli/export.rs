//! `pillarbox export`: an account's mail into files.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::import::{StoreFlags, runtime, tell_if_interrupted};
use crate::error::{Error, Kind};
use crate::folders::{
    Exported, Exporting, Format, NotExported, Shows, Sync, Tally, export, name_files,
};
use crate::local::{Ask, Local, Mailbox, Reply, unexpected};

const EXAMPLES: &str = "\
mbox is written as mboxrd (a `>` before every line of a message that is `From ` behind any number of `>`), with flags in the
fields Status, X-Status and X-Keywords. A Maildir has Maildir++ folders, flags in the names of files and keywords in
dovecot-keywords. The folders of .eml files have pillarbox.jsonl with flags and dates beside them. Files of the last two have
the date of arrival as their own. `pillarbox import` reads all of it back: where a mailbox cannot give its name to a file, since
it is too long or hidden, the file has a hash, and pillarbox.json tells the name.

A Maildir or folder of .eml files that is there already gets what it lacks, and flags that have changed, so a run that was
cut off is simply run again. An mbox file has another name until it is whole. A mailbox whose files cannot be written is left
out and named at the end.

Examples:
  pillarbox export --account bob@hamburger.edu --config pillarbox.toml --format maildir bob/
  pillarbox export --account bob@hamburger.edu --format mbox --mailbox INBOX inbox.mbox
  pillarbox export --account bob@hamburger.edu --format mbox --mailbox Sent - | gzip > sent.mbox.gz

Exit codes: 0 all of it is written; 2 wrong flag; 4 the data directory cannot be used; 130 interrupted; 1 anything else.";

/// Flags of `export`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExportFlags {
    /// The directory for all mailboxes; with one --mailbox, the file or directory of that one
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    store: StoreFlags,
    /// How it is written
    #[arg(long, value_enum)]
    format: Format,
    /// Only this mailbox; repeatable
    #[arg(long, value_name = "NAME")]
    mailbox: Vec<String>,
    /// Write mbox files anew that are there already
    #[arg(long)]
    replace: bool,
    /// Wait for the disk after every file
    #[arg(long)]
    sync: bool,
    /// Write progress and outcome as JSON: one object per line
    #[arg(long)]
    json: bool,
    /// Say nothing but the outcome
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(flags: &ExportFlags) -> Result<(), Error> {
    let is_stdout = flags.path.as_os_str() == "-";
    if is_stdout && (flags.format != Format::Mbox || flags.mailbox.len() != 1 || flags.json) {
        let what = "standard output is for one --mailbox, as --format mbox and without --json";
        return Err(Error::usage(format!("-: {what}")));
    }
    let settings = flags.store.settings()?;
    tell_if_interrupted("written")?;
    runtime()?.block_on(async {
        let mut local = Local::open(&settings, false).await?;
        let done = all(&mut local, flags, is_stdout).await;
        local.close().await;
        done
    })
}

async fn all(local: &mut Local, flags: &ExportFlags, is_stdout: bool) -> Result<(), Error> {
    let account = local.known_account(&flags.store.account).await?;
    let mailboxes = wanted(local, &account, &flags.mailbox).await?;
    let is_directory = flags.format == Format::Mbox && Path::new(&flags.path).is_dir();
    let how = Exporting {
        account: &account,
        format: flags.format,
        target: &flags.path,
        alone: flags.mailbox.len() == 1 && !is_directory,
        replace: flags.replace,
        sync: if flags.sync { Sync::Each } else { Sync::Later },
    };
    let mut tally = Tally::new(Shows::new(flags.json, flags.quiet));
    let mut total = Exported::default();
    let mut left_out = Vec::new();
    for mailbox in &mailboxes {
        let done = export(local, &how, mailbox, &mut tally).await;
        tally.clear();
        let done = match done {
            Ok(done) => done,
            Err(NotExported::Files(error)) if mailboxes.len() > 1 && error.kind != Kind::Usage => {
                eprintln!("{}: left out: {error}", mailbox.name);
                left_out.push(&mailbox.name[..]);
                continue;
            }
            Err(NotExported::Files(error) | NotExported::Store(error)) => return Err(error),
        };
        done.notes.iter().for_each(|note| eprintln!("{note}"));
        if flags.json {
            let outcome = done.json();
            println!(
                "{}",
                json!({ "event": "mailbox", "mailbox": &mailbox.name, "outcome": outcome })
            );
        } else if mailboxes.len() > 1 && !flags.quiet {
            println!("{}", done.line(&mailbox.name));
        }
        total.add(done);
    }
    name_files(&total.unnamed)?;
    if flags.json {
        let seconds = tally.seconds();
        println!(
            "{}",
            json!({ "event": "done", "outcome": total.json(), "left_out": left_out, "seconds": seconds })
        );
    } else if !is_stdout {
        println!("{}", total.line(&account));
    }
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        return Err(Error::failed(format!("not exported, while the rest is: {names}")));
    }
    Ok(())
}

/// The mailboxes of these names, or all.
async fn wanted(local: &mut Local, account: &str, names: &[String]) -> Result<Vec<Mailbox>, Error> {
    let (mut all, mut after): (Vec<Mailbox>, Option<String>) = (Vec::new(), None);
    loop {
        let ask = Ask::Mailboxes { account: account.to_owned(), after };
        let Reply::Mailboxes { mailboxes, more } = local.ask(ask).await?.0 else {
            return Err(unexpected());
        };
        after = mailboxes.last().map(|mailbox| mailbox.name.clone());
        // A name that only has mailboxes below it has no validity.
        all.extend(mailboxes.into_iter().filter(|mailbox| mailbox.uid_validity > 0));
        if !more {
            break;
        }
    }
    if names.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| {
        let found = all.iter().find(|mailbox| {
            &mailbox.name == name || (name.eq_ignore_ascii_case("INBOX") && mailbox.name == "INBOX")
        });
        let known = || {
            let names: Vec<&str> = all.iter().map(|mailbox| &mailbox.name[..]).collect();
            let names = names.join(", ");
            Error::usage(format!("--mailbox {name}: {account} has no such mailbox ({names})"))
        };
        found.cloned().ok_or_else(known)
    };
    names.iter().map(find).collect()
}
