//! Builds the component, so that `cargo run` on a fresh clone just works.
//!
//! `PILLARBOX_COMPONENT=FILE` takes a ready-made component instead, for builds without the wasm
//! target.

mod nested;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

const READY_MADE: &str = "PILLARBOX_COMPONENT";

fn main() {
    if let Err(error) = run() {
        // The last line of a failed build is the one that is read.
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={READY_MADE}");
    let file = match env::var_os(READY_MADE) {
        Some(file) => ready_made(Path::new(&file))?,
        None => nested::component(&[])
            .map_err(|error| format!("{error}\n(or set {READY_MADE} to a built component)"))?,
    };
    println!("cargo::rustc-env=PILLARBOX_COMPONENT_FILE={}", file.display());
    Ok(())
}

fn ready_made(file: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let absolute = fs::canonicalize(file)
        .map_err(|error| format!("{READY_MADE}={}: {error}", file.display()))?;
    println!("cargo::rerun-if-changed={}", absolute.display());
    Ok(absolute)
}
