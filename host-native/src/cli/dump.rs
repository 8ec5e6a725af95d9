//! `pillarbox dump`: all that a running server of the dev profile caught, as `.eml` files.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::asking::{AskFlags, Asked, refused};
use crate::error::Error;
use crate::http::escaped;

/// A server that is there answers within this time.
const ANSWER: Duration = Duration::from_secs(60);
/// Messages of a page.
const PAGE: usize = 500;
/// Characters of a subject in a name.
const SUBJECT_MAX: usize = 40;
/// Files of one name.
const EQUALS_MAX: u32 = 1000;

const EXAMPLES: &str = "\
A file is called after the message's number and subject, of which nothing is kept but letters, digits and `-` of ASCII. What is
there already with the same octets stays; nothing is written over.

Examples:
  pillarbox dump caught/
  pillarbox dump caught/ --search 'to:bob@hamburger.edu after:2026-07-01'
  pillarbox ingest caught/                       puts them into a server again

Exit codes: 0 all of it is there; 2 wrong flag; 1 anything else.";

/// Flags of `dump`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DumpFlags {
    /// Where the files go; it is made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Only what this finds, as the inbox searches: to:, from:, subject:, after:, is:unread
    #[arg(long, value_name = "QUERY")]
    search: Option<String>,
    /// Write the outcome as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: AskFlags,
}

pub(super) fn run(flags: &DumpFlags) -> Result<(), Error> {
    let server = flags.server.open()?;
    let all = messages(&server, flags.search.as_deref())?;
    let directory = &flags.directory;
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let (mut written, mut known) = (0_u64, 0_u64);
    // The oldest first, as they came.
    for message in all.iter().rev() {
        let id = message["ID"].as_str().unwrap_or_default();
        let path = format!("/api/v1/message/{}/raw", escaped(id));
        let answer =
            server.get(&path, ANSWER).map_err(|error| Error::failed(format!("{id}: {error}")))?;
        if answer.status != 200 {
            // It went while the others were written.
            if answer.status == 404 {
                continue;
            }
            return Err(Error::failed(format!("message {id}: the server says {}", answer.status)));
        }
        let name = name(id, message["Subject"].as_str().unwrap_or_default());
        match put(directory, &name, &answer.body)? {
            true => written += 1,
            false => known += 1,
        }
    }
    match flags.json {
        true => println!("{}", json!({ "written": written, "known": known })),
        false => {
            println!("{written} messages in {}, {known} were there", directory.display());
        }
    }
    Ok(())
}

/// What lists say of all of them, the newest first.
fn messages(server: &Asked, search: Option<&str>) -> Result<Vec<Value>, Error> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let page = format!("start={}&limit={PAGE}", all.len());
        let path = match search {
            Some(query) => format!("/api/v1/search?query={}&{page}", escaped(query)),
            None => format!("/api/v1/messages?{page}"),
        };
        let (status, mut answer) = server.json(&path, ANSWER)?;
        if status != 200 {
            return Err(refused(status, &answer));
        }
        let Value::Array(some) = answer["messages"].take() else {
            return Err(Error::failed("the server lists no messages; is it a Pillarbox?"));
        };
        let is_last = some.len() < PAGE;
        all.extend(some);
        if is_last {
            return Ok(all);
        }
    }
}

/// A file's name: no more of what strangers wrote than words.
fn name(id: &str, subject: &str) -> String {
    let safe = |text: &str| {
        let mut out = String::new();
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                out.push(c);
            } else if !out.is_empty() && !out.ends_with('-') {
                out.push('-');
            }
        }
        out
    };
    let subject: String = safe(subject).chars().take(SUBJECT_MAX).collect();
    let (id, subject) = (safe(id), subject.trim_matches('-').to_lowercase());
    match &subject[..] {
        "" => format!("{id:0>6}"),
        subject => format!("{id:0>6}-{subject}"),
    }
}

/// Writes a message beside what is there; false if it is there already.
fn put(directory: &Path, name: &str, octets: &[u8]) -> Result<bool, Error> {
    for number in 1..=EQUALS_MAX {
        let behind = if number == 1 { String::new() } else { format!("~{number}") };
        let path = directory.join(format!("{name}{behind}.eml"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(octets).map_err(|error| failed(&path, &error))?;
                return Ok(true);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if fs::read(&path).is_ok_and(|known| known == octets) {
                    return Ok(false);
                }
            }
            Err(error) => return Err(failed(&path, &error)),
        }
    }
    Err(Error::failed(format!("{name}.eml: too many others have this name")))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_anywhere_else() {
        assert_eq!(name("17", "Re: ketchup & pickles!"), "000017-re-ketchup-pickles");
        assert_eq!(name("../../etc", "/../x"), "000etc-x");
        assert_eq!(name("3", "\u{202e}\0…"), "000003");
        let long = name("1", &"x".repeat(500));
        assert_eq!(long.len(), 7 + SUBJECT_MAX);
    }

    #[test]
    fn nothing_is_written_over() {
        let directory = std::env::temp_dir().join(format!("pillarbox-dump-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("ours");
        assert!(put(&directory, "a", b"one").expect("it is new"));
        assert!(!put(&directory, "a", b"one").expect("it is there"));
        assert!(put(&directory, "a", b"two").expect("another one"));
        assert_eq!(fs::read(directory.join("a.eml")).expect("ours"), b"one");
        assert_eq!(fs::read(directory.join("a~2.eml")).expect("ours"), b"two");
        fs::remove_dir_all(&directory).expect("ours");
    }
}
