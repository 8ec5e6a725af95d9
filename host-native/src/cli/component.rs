//! `pillarbox component`: the component as a file, for programs that host it themselves.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use pillarbox_component_binary::COMPONENT;

use crate::error::Error;

const EXAMPLES: &str = "\
The component is the one that this server runs: all protocol logic, both sides of SMTP, POP3 and IMAP, and MIME. It imports
nothing, so a program gives it octets and gets octets, answers what it asks, and decides itself where mail is kept. Its contract
stands in the folder wit/ of the project, and in the file itself (`wasm-tools component wit`). For Node and pages the second
command makes a module of it; engine/component/examples/receive.mjs receives a message by that.

Examples:
  pillarbox component pillarbox.wasm
  npx @bytecodealliance/jco transpile pillarbox.wasm --name pillarbox --instantiation sync -o pillarbox
  pillarbox component - | sha256sum

Exit codes: 0 it is written; 2 wrong flag; 1 it cannot be written.";

/// Flags of `component`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ComponentFlags {
    /// Where it goes; - is standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(flags: &ComponentFlags) -> Result<(), Error> {
    let file = &flags.file;
    let failed = |error: std::io::Error| Error::failed(format!("{}: {error}", file.display()));
    if file == Path::new("-") {
        let mut out = std::io::stdout().lock();
        return out.write_all(COMPONENT).and_then(|()| out.flush()).map_err(failed);
    }
    fs::write(file, COMPONENT).map_err(failed)?;
    println!("{}: {} octets; it imports nothing", file.display(), COMPONENT.len());
    Ok(())
}
