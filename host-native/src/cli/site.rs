//! `pillarbox site`: the playground as a folder, for any web server.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use pillarbox_web_binary::FILES;

use crate::error::Error;
use crate::serve::plain;

/// Flags of `site`.
#[derive(Debug, Args)]
pub(super) struct SiteFlags {
    /// Where the files go; it is made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(super) fn run(flags: &SiteFlags) -> Result<(), Error> {
    let directory = &flags.directory;
    let failed = |error: std::io::Error| Error::failed(format!("{}: {error}", directory.display()));
    fs::create_dir_all(directory).map_err(failed)?;
    for file in FILES {
        fs::write(directory.join(file.name), plain(file)).map_err(failed)?;
    }
    println!(
        "{} files in {}; serve them over HTTPS or from localhost, with .wasm as application/wasm",
        FILES.len(),
        directory.display()
    );
    Ok(())
}
