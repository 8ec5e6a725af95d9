//! The component by a Cargo of its own: compiled for WebAssembly, encoded, checked.
//! Build scripts include this file; it knows nothing of what they do with the component.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGE: &str = "pillarbox-component";

/// What goes into the component, from the workspace's root; nothing else makes it new.
const SOURCES: [&str; 11] = [
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
    "engine/component/binary/nested.rs",
];

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

/// How the component is compiled, whatever the outer build's profile says. Measured: level 3 is
/// a third larger and no faster.
const PROFILE: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "none"),
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s"),
    // Names of functions stay: a trap's backtrace is the only message that a panic inside leaves.
    ("CARGO_PROFILE_RELEASE_STRIP", "debuginfo"),
];

/// Builds the component with these features, in `OUT_DIR`, and says where it is.
pub(crate) fn component(features: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let is_root = |directory: &&Path| directory.join("Cargo.lock").is_file();
    let root = here.ancestors().find(is_root).ok_or("no Cargo.lock above this crate")?;
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    find_target()?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let core = fs::read(compile(root, &out.join("wasm"), features)?)?;
    let component = ComponentEncoder::default().validate(true).module(&core)?.encode()?;
    let file = out.join("pillarbox.component.wasm");
    fs::write(&file, component)?;
    Ok(file)
}

/// Compiles the core module in a target directory of its own: the outer Cargo holds the lock of
/// the usual one.
fn compile(root: &Path, target: &Path, features: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(root).args(["build", "--release", "--locked", "--package", PACKAGE]);
    cargo.args(["--target", TARGET, "--target-dir"]).arg(target);
    cargo.arg("--features").arg(features.join(","));
    for name in OUTER {
        cargo.env_remove(name);
    }
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
            cargo.env_remove(name);
        }
    }
    cargo.envs(PROFILE);
    // The stack lies below all data, so what is too deep traps instead of overwriting; no session
    // needs more of it. SIMD makes the search for octets fast.
    // The newer names of functions have no hash in each, which no compressor could make smaller.
    let flags = [
        "-Clink-arg=-zstack-size=65536",
        "-Ctarget-feature=+simd128",
        "-Csymbol-mangling-version=v0",
    ];
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    let output = cargo.output()?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{errors}\nthe component does not build, see above").into());
    }
    Ok(target.join(TARGET).join("release/pillarbox_component.wasm"))
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

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
