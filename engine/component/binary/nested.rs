//! The component by a Cargo of its own: compiled for WebAssembly, encoded, checked.
//! Build scripts include this file; it knows nothing of what they do with the component.

#[path = "cargo.rs"]
mod cargo;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use wit_component::ComponentEncoder;

/// What goes into the component, from the workspace's root; nothing else makes it new.
const SOURCES: [&str; 13] = [
    "Cargo.lock",
    "Cargo.toml",
    "rust-toolchain.toml",
    "wit",
    "engine/Cargo.toml",
    "engine/build.rs",
    "engine/src",
    "engine/mime/Cargo.toml",
    "engine/mime/src",
    "engine/component/Cargo.toml",
    "engine/component/src",
    "engine/component/binary/cargo.rs",
    "engine/component/binary/nested.rs",
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

/// The stack lies below all data, so what is too deep traps instead of overwriting; no session
/// needs more of it. SIMD makes the search for octets fast.
/// The newer names of functions have no hash in each, which no compressor could make smaller.
const FLAGS: [&str; 3] =
    ["-Clink-arg=-zstack-size=65536", "-Ctarget-feature=+simd128", "-Csymbol-mangling-version=v0"];

/// Builds the component with these features, in `OUT_DIR`, and says where it is.
pub(crate) fn component(features: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let package = "pillarbox-component";
    let (profile, crate_types) = (&PROFILE, "cdylib");
    let nested = cargo::Nested { package, features, profile, crate_types, flags: &FLAGS };
    let out = PathBuf::from(cargo::variable("OUT_DIR")?);
    let core = fs::read(nested.build(&SOURCES, &out.join("wasm"))?)?;
    let component = ComponentEncoder::default().validate(true).module(&core)?.encode()?;
    let file = out.join("pillarbox.component.wasm");
    fs::write(&file, component)?;
    Ok(file)
}
