//! Compiled components on disk, so that the second start takes milliseconds. What is loaded is run
//! as native code: only a directory that nobody else can write to is trusted, and whatever is wrong
//! with it only costs compiling.

use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::code::CodeMemory;

const SUFFIX: &str = "cwasm";
/// Files that are kept: this version's, and a few of others that may run beside it.
const FILES_MAX: usize = 4;

/// The directory in the user's cache; none if the user has none.
pub(super) fn directory() -> Option<PathBuf> {
    let of = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = of("XDG_CACHE_HOME").or_else(|| of("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("pillarbox"))
}

/// The component, from the directory if it is there, otherwise compiled and put there.
pub(super) fn load(
    engine: &Engine,
    component: &[u8],
    directory: Option<&Path>,
    memory: &Arc<CodeMemory>,
) -> Result<Component, wasmtime::Error> {
    let Some(file) = directory.and_then(|directory| place(engine, component, directory)) else {
        // SAFETY: what this engine just compiled.
        return unsafe { memory.load(engine, &engine.precompile_component(component)?) };
    };
    if is_private(&file)
        && let Ok(kept) = fs::read(&file)
        // SAFETY: the file is one that `keep` wrote whole, for this very component, compiler and
        // CPU, since its name is their hash; and nobody but this user can have changed it.
        && let Ok(loaded) = unsafe { memory.load(engine, &kept) }
    {
        return Ok(loaded);
    }
    let compiled = engine.precompile_component(component)?;
    if let Err(error) = keep(&compiled, &file) {
        let file = file.display();
        tracing::warn!(%file, %error, "the compiled component is not kept; each start compiles it");
    }
    // SAFETY: what this engine just compiled.
    unsafe { memory.load(engine, &compiled) }
}

/// Where this component's file is or will be; none if the directory cannot be trusted.
fn place(engine: &Engine, component: &[u8], directory: &Path) -> Option<PathBuf> {
    if !directory.exists() {
        // A failure shows below.
        drop(DirBuilder::new().recursive(true).mode(0o700).create(directory));
    }
    if !is_private(directory) {
        let directory = directory.display();
        tracing::warn!(%directory, "not used as cache: it cannot be made, or others could write there");
        return None;
    }
    let mut hash = Digester(Sha256::new_with_prefix(component));
    engine.precompile_compatibility_hash().hash(&mut hash);
    let name: String = hash.0.finalize().iter().map(|octet| format!("{octet:02x}")).collect();
    Some(directory.join(name).with_extension(SUFFIX))
}

/// Whether it is this user's, and only this user may write to it.
fn is_private(path: &Path) -> bool {
    let (Ok(found), Ok(own)) = (fs::symlink_metadata(path), fs::metadata("/proc/self")) else {
        return false;
    };
    !found.is_symlink() && found.uid() == own.uid() && found.mode() & 0o022 == 0
}

/// Writes the file whole or not at all, and removes the oldest ones.
fn keep(compiled: &[u8], file: &Path) -> std::io::Result<()> {
    let temporary = file.with_extension(format!("{}.new", std::process::id()));
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    // Synced before it gets its name: half a file after a power cut would be run.
    let written = new.write_all(compiled).and_then(|()| new.sync_all());
    let renamed = written.and_then(|()| fs::rename(&temporary, file));
    if renamed.is_err() {
        drop(fs::remove_file(&temporary));
    }
    renamed?;
    if let Some(directory) = file.parent() {
        prune(directory);
    }
    Ok(())
}

fn prune(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let files = entries.filter_map(Result::ok).map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|suffix| suffix == SUFFIX));
    let mut aged: Vec<_> =
        files.filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path))).collect();
    aged.sort();
    for (_, path) in aged.iter().rev().skip(FILES_MAX) {
        drop(fs::remove_file(path));
    }
}

/// Lets wasmtime's own description of what its code depends on go into the name.
struct Digester(Sha256);

impl Hasher for Digester {
    fn write(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn finish(&self) -> u64 {
        // The digest itself is taken instead.
        0
    }
}
