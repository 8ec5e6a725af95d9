//! Builds the component with a Cargo of its own and encodes it, so that `cargo run` on a fresh clone just works.
//!
//! `PILLARBOX_COMPONENT=FILE` takes a ready-made component instead, for builds without the wasm target.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGE: &str = "pillarbox-component";
const READY_MADE: &str = "PILLARBOX_COMPONENT";

/// What goes into the component, from the workspace's root; nothing else makes it new.
const SOURCES: [&str; 12] = [
    "Cargo.lock",
    "Cargo.toml",
    "rust-toolchain.toml",
    "wit",
    "engine/Cargo.toml",
    "engine/src",
    "engine/mime/Cargo.toml",
    "engine/mime/src",
    "engine/component/Cargo.toml",
    "engine/component/src",
    "engine/component/binary/build.rs",
    "engine/component/binary/Cargo.toml",
];

/// What the outer Cargo, or clippy, says to its own compilers; the nested build is none of theirs.
const OUTER: [&str; 10] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CLIPPY_ARGS",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
];

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
        None => build()?,
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

fn build() -> Result<PathBuf, Box<dyn Error>> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = here.ancestors().nth(3).ok_or("this crate lies three levels below the workspace")?;
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    target_is_there()?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let core = compile(root, &out.join("wasm"))?;
    let component =
        ComponentEncoder::default().validate(true).module(&fs::read(core)?)?.encode()?;
    let file = out.join("pillarbox.component.wasm");
    fs::write(&file, component)?;
    Ok(file)
}

/// Compiles the core module in a target directory of its own: the outer Cargo holds the lock of the usual one.
fn compile(root: &Path, target_dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(root).args(["build", "--release", "--locked", "--package", PACKAGE]);
    cargo.args(["--target", TARGET, "--target-dir"]).arg(target_dir);
    for name in OUTER {
        cargo.env_remove(name);
    }
    // A profile set for the outer build by variables would change the component.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
            cargo.env_remove(name);
        }
    }
    // The stack lies below all data, so that one too deep traps instead of overwriting; no session needs more.
    // SIMD is what makes searching octets fast.
    // Symbols stay: a trap's backtrace is the only message that a panic inside leaves.
    let flags = ["-Clink-arg=-zstack-size=65536", "-Ctarget-feature=+simd128"];
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "none");
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "fat");
    cargo.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1");
    cargo.env("CARGO_PROFILE_RELEASE_PANIC", "abort");
    if let Ok(level) = env::var("PILLARBOX_COMPONENT_OPT_LEVEL") {
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", level);
    }
    let output = cargo.output()?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{errors}\nthe component does not build, see above").into());
    }
    Ok(target_dir.join(TARGET).join("release/pillarbox_component.wasm"))
}

/// Some machines forbid rustup to install by itself what `rust-toolchain.toml` names, so this looks and asks for it.
fn target_is_there() -> Result<(), Box<dyn Error>> {
    let rustc = variable("RUSTC")?;
    let output = Command::new(&rustc).args(["--print", "sysroot"]).output()?;
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
    Err(format!(
        "the Rust target {TARGET} is missing: run `rustup target add {TARGET}`, or set {READY_MADE} to a built component"
    )
    .into())
}

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
