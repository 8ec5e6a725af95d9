//! Builds the playground, so that `cargo run` on a fresh clone serves it.
//!
//! `PILLARBOX_SKIP_WEB=1` builds a notice in its place, in no time.

mod bundle;
#[path = "../../engine/component/binary/cargo.rs"]
mod cargo;
mod smaller;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

use bundle::Bundle;

/// Builds without the page, for work on something else.
const SKIP: &str = "PILLARBOX_SKIP_WEB";

/// What goes into the page, from the workspace's root; nothing else makes it new.
const SOURCES: [&str; 16] = [
    "Cargo.lock",
    "Cargo.toml",
    "rust-toolchain.toml",
    "engine/Cargo.toml",
    "engine/build.rs",
    "engine/src",
    "engine/mime/Cargo.toml",
    "engine/mime/src",
    "engine/world",
    "engine/component/binary/cargo.rs",
    "web-demo/Cargo.toml",
    "web-demo/assets",
    "web-demo/src",
    "web-demo/binary/build.rs",
    "web-demo/binary/bundle.rs",
    "web-demo/binary/smaller.rs",
];

/// Small before fast: what is loaded over a network is waited for.
const PROFILE: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "none"),
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z"),
    // wasm-bindgen reads sections that stripping would remove; it removes the names itself.
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
];

/// Optimised at link time the module is an eighth smaller, but 2 % larger once it is compressed, as it is loaded.
const CRATE_TYPES: &str = "cdylib,rlib";

fn main() {
    if let Err(error) = run() {
        // The last line of a failed build is the one that is read.
        eprintln!("{error}\n(or set {SKIP}=1 to build without the playground)");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={SKIP}");
    let out = PathBuf::from(cargo::variable("OUT_DIR")?);
    let bundle = if env::var_os(SKIP).is_some_and(|value| value == "1") {
        bundle::notice()
    } else {
        // Views whose types are erased are compiled once, not once for each place where they stand.
        let flags = ["-Ctarget-feature=+simd128", "--cfg", "erase_components"];
        let package = "pillarbox-web";
        let (profile, crate_types) = (&PROFILE, CRATE_TYPES);
        let nested = cargo::Nested { package, features: &[], profile, crate_types, flags: &flags };
        let module = nested.build(&SOURCES, &out.join("wasm"))?;
        let assets = PathBuf::from(cargo::variable("CARGO_MANIFEST_DIR")?).join("../assets");
        page(&module, &assets, &out.join("glue"))?
    };
    bundle.write(&out)
}

fn page(module: &Path, assets: &Path, glue: &Path) -> Result<Bundle, Box<dyn Error>> {
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(module).out_name("app").typescript(false);
    bindgen.web(true)?.omit_default_module_path(true);
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.generate(glue)?;
    bundle::page(glue, assets)
}
