//! What people do with mail at the command line, with the real binary: files brought in and taken out, mail collected from
//! other servers, mailboxes looked at, servers probed.

mod collecting;
mod files;
mod mailboxes;
mod probing;

use std::ffi::OsStr;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use pillarbox_tests::server::binary;
use pillarbox_tests::wire::Wire;
use serde_json::Value;

/// A command of the binary, whose environment names nothing.
fn command(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PILLARBOX_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).env("PILLARBOX_PASSWORD", "any").stdin(Stdio::null());
    command
}

/// Runs a command to its end.
fn run(arguments: &[impl AsRef<OsStr>]) -> Output {
    command(arguments).output().expect("the binary starts")
}

/// Runs a command that must go well; gives what it wrote.
fn done(arguments: &[impl AsRef<OsStr> + Debug]) -> String {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// Runs a command that must fail; gives its exit code and what it said about it.
fn refused(arguments: &[impl AsRef<OsStr> + Debug]) -> (i32, String) {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{arguments:?} went well");
    (output.status.code().expect("it exits"), said)
}

/// The last object of JSON lines.
fn last_json(lines: &str) -> Value {
    serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is ASCII")
}

/// A logged-in connection.
fn log_in(imap: SocketAddr, account: &str) -> Wire {
    let mut wire = Wire::connect(imap).expect("it listens");
    wire.line().expect("it greets");
    let said = wire.imap(&format!("a LOGIN {account} any")).expect("a response");
    assert!(said.ends_with(b"\r\n") && said.windows(4).any(|w| w == b"a OK"), "{said:?}");
    wire
}

/// Whole messages of a mailbox, in order.
fn messages(imap: SocketAddr, account: &str, mailbox: &str) -> Vec<Vec<u8>> {
    let mut wire = log_in(imap, account);
    let opened = wire.imap(&format!("b EXAMINE \"{mailbox}\"")).expect("a response");
    let opened = String::from_utf8_lossy(&opened).into_owned();
    assert!(opened.contains("b OK"), "{opened}");
    if opened.contains("* 0 EXISTS") {
        return Vec::new();
    }
    wire.literals("c FETCH 1:* BODY.PEEK[]").expect("a response")
}

/// What FETCH says of flags and dates.
fn facts(imap: SocketAddr, account: &str, mailbox: &str) -> String {
    let mut wire = log_in(imap, account);
    wire.imap(&format!("b EXAMINE \"{mailbox}\"")).expect("a response");
    let said = wire.imap("c FETCH 1:* (FLAGS INTERNALDATE)").expect("a response");
    String::from_utf8(said).expect("text")
}

/// Appends a message with these flags and this date.
fn append(wire: &mut Wire, mailbox: &str, flags: &str, date: &str, message: &str) {
    let message = message.replace('\n', "\r\n");
    let head = format!("x APPEND \"{mailbox}\" ({flags}) \"{date}\" {{{}+}}", message.len());
    let said = wire.imap(&format!("{head}\r\n{message}")).expect("a response");
    assert!(String::from_utf8_lossy(&said).contains("x OK"), "{}", said.escape_ascii());
}
