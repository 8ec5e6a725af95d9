//! `pillarbox completions` and `pillarbox man`: what shells and `man` know of the commands, made of the flags themselves.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::error::Error;

/// Flags of `completions`.
#[derive(Clone, Debug, Args)]
pub(super) struct CompletionsFlags {
    /// For which shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// Flags of `man`.
#[derive(Clone, Debug, Args)]
pub(super) struct ManFlags {
    /// Write a page of each command into this directory, in place of the first one to standard output
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(super) fn completions(flags: &CompletionsFlags) -> Result<(), Error> {
    let mut out = Vec::new();
    clap_complete::generate(flags.shell, &mut super::help::command(), "pillarbox", &mut out);
    written(io::stdout().write_all(&out))
}

pub(super) fn man(flags: &ManFlags) -> Result<(), Error> {
    let command = super::help::command();
    let Some(directory) = &flags.directory else {
        let mut out = Vec::new();
        written(clap_mangen::Man::new(command).render(&mut out))?;
        return written(io::stdout().write_all(&out));
    };
    let failed =
        |error: io::Error| Error::failed(format!("--directory {}: {error}", directory.display()));
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(command, directory).map_err(failed)
}

fn written(done: io::Result<()>) -> Result<(), Error> {
    done.map_err(|error| Error::failed(format!("standard output: {error}")))
}
