//! A Cargo inside a build script, which compiles one package of this workspace for WebAssembly.
//! Build scripts include this file; what becomes of the module is theirs to know.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// What the outer Cargo, or clippy, says to its own compilers; the nested build is none of theirs.
const OUTER: [&str; 11] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CLIPPY_ARGS",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
];

/// What is built, and how.
pub(crate) struct Nested<'a> {
    /// The package's name.
    pub(crate) package: &'a str,
    /// Its features.
    pub(crate) features: &'a [&'a str],
    /// Variables that say how, whatever the outer build's profile says.
    pub(crate) profile: &'a [(&'a str, &'a str)],
    /// For the compiler.
    pub(crate) flags: &'a [&'a str],
}

impl Nested<'_> {
    /// Builds the module in a target directory of its own, since the outer Cargo holds the lock of
    /// the usual one, and says where it is. Only a change of these sources, named from the
    /// workspace's root, makes it new.
    pub(crate) fn build(&self, sources: &[&str], target: &Path) -> Result<PathBuf, Box<dyn Error>> {
        let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
        let is_root = |directory: &&Path| directory.join("Cargo.lock").is_file();
        let root = here.ancestors().find(is_root).ok_or("no Cargo.lock above this crate")?;
        for source in sources {
            println!("cargo::rerun-if-changed={}", root.join(source).display());
        }
        find_target()?;
        let mut cargo = Command::new(variable("CARGO")?);
        // The packages are plain libraries, so that a build of the whole workspace does not make native modules of them.
        cargo.current_dir(root).args(["rustc", "--release", "--locked", "--package", self.package]);
        cargo.args(["--lib", "--crate-type", "cdylib"]);
        cargo.args(["--target", TARGET, "--target-dir"]).arg(target);
        cargo.arg("--features").arg(self.features.join(","));
        for name in OUTER {
            cargo.env_remove(name);
        }
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
                cargo.env_remove(name);
            }
        }
        cargo.envs(self.profile.iter().copied());
        cargo.env("CARGO_ENCODED_RUSTFLAGS", self.flags.join("\u{1f}"));
        let output = cargo.output()?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            let package = self.package;
            return Err(format!("{errors}\n{package} does not build, see above").into());
        }
        let module = self.package.replace('-', "_") + ".wasm";
        Ok(target.join(TARGET).join("release").join(module))
    }
}

/// Some machines forbid rustup to install by itself what `rust-toolchain.toml` names, so this
/// looks whether it is there, and asks for it.
fn find_target() -> Result<(), Box<dyn Error>> {
    let output = Command::new(variable("RUSTC")?).args(["--print", "sysroot"]).output()?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout)?.trim_end());
    let installed = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    if installed.is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    if let Some(toolchain) = env::var_os("RUSTUP_TOOLCHAIN") {
        rustup.arg("--toolchain").arg(toolchain);
    }
    let added = rustup.output().is_ok_and(|output| output.status.success());
    if added && installed.is_dir() {
        return Ok(());
    }
    Err(format!("the Rust target {TARGET} is missing: run `rustup target add {TARGET}`").into())
}

/// A variable that Cargo sets for build scripts.
pub(crate) fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
