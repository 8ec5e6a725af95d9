//! `pillarbox ingest`: mail from files into a running server, over SMTP.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::import::QuotingChoice;
use super::send::{Ready, ServerFlags, people, ready};
use crate::agent::{Server, Submitter};
use crate::error::{Error, Kind};
use crate::folders::{Format, INBOX, find, letters};

const EXAMPLES: &str = "\
What a path holds is seen by looking, as `pillarbox import` does: an mbox file, a Maildir, a .eml file, or a folder of them; but
the messages go through the front door: to whom they name (To, Cc, Bcc), or to --to, as new mail in INBOX, without flags.
Nobody's mail is read again: a message that was ingested twice is there twice.

Without --server they go to a Pillarbox on this machine: 127.0.0.1:1587, else 127.0.0.1:1025.

Examples:
  pillarbox ingest caught/ letter.eml
  pillarbox ingest --to bob@hamburger.edu archive.mbox
  zcat list.mbox.gz | pillarbox ingest --to list@hamburger.edu -

Exit codes: 0 every message was accepted; 2 wrong flag; 65 some were not, or are no messages; 66 a file cannot be read; 69, 75
and 77 there is no server that takes any.";

/// Flags of `ingest`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct IngestFlags {
    /// Files and directories with mail; - is an mbox on standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Who gets all of it [default: whom each message names]
    #[arg(long, value_name = "LIST")]
    to: Vec<String>,
    /// Whom the server is told that it comes from; empty for nobody [default: each message's author]
    #[arg(long, value_name = "ADDRESS")]
    return_path: Option<String>,
    /// What the paths hold [default: what they look like]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// How mbox files are quoted
    #[arg(long, value_enum, default_value = "rd")]
    quoting: QuotingChoice,
    #[command(flatten)]
    server: ServerFlags,
    /// Write the outcome of each message as JSON: one object per line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(flags: IngestFlags) -> Result<(), Error> {
    let server = Server::new(flags.server.access())?;
    let how = Ready {
        place: String::new(),
        to: people("--to", &flags.to)?,
        from: None,
        return_path: flags.return_path,
        notify: None,
        trace: false,
    };
    let mut folders = Vec::new();
    for path in &flags.paths {
        folders.extend(find(path, flags.format, INBOX)?);
    }
    let submitter = Submitter::new(&server, false)?;
    let (mut taken, mut left_out) = (0_u64, 0_u64);
    for folder in &folders {
        let mut number = 0_u64;
        letters(folder, flags.quoting.quoting(), |letter| {
            number += 1;
            let place = format!("{}, message {number}", folder.path.display());
            let how = Ready { place: place.clone(), ..how.clone() };
            let submission = match &letter {
                Some(octets) => ready(&mut &octets[..], &how),
                None => Err(Error::new(Kind::Input, "it is larger than 64 MiB")),
            };
            let outcome = match submission {
                // What no server is needed for to see.
                Err(error) if error.kind == Kind::Input => Err(vec![error.message]),
                Err(error) => return Err(error),
                Ok(submission) => {
                    let outcome = submitter.submit(&server, submission).map_err(|error| {
                        let message = format!("{error}; {taken} messages were taken before");
                        Error::new(error.kind, message)
                    })?;
                    if flags.json {
                        let mut told = outcome.json();
                        told["message"] = json!(place);
                        println!("{told}");
                    }
                    outcome.verdict().map_err(|_| outcome.failures())
                }
            };
            match outcome {
                Ok(()) => taken += 1,
                Err(why) => {
                    left_out += 1;
                    why.iter().for_each(|why| eprintln!("{place}: {why}"));
                }
            }
            Ok(())
        })?;
    }
    if !flags.json {
        println!("{taken} messages were taken");
    }
    match left_out {
        0 => Ok(()),
        some => {
            Err(Error::new(Kind::Input, format!("{some} messages were not taken by everybody")))
        }
    }
}
