//! Builds the playground, so that `cargo run` on a fresh clone serves it.
//!
//! `PILLARBOX_SKIP_WEB=1` builds a notice in its place, in no time.

mod bundle;
#[path = "../../engine/component/binary/cargo.rs"]
mod cargo;
mod locals;
mod names;
mod order;
mod smaller;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Builds without the page, for work on something else.
const SKIP: &str = "PILLARBOX_SKIP_WEB";

/// The page's module, and the one that it loads when it first needs it: packages, and names of files.
const MODULES: [(&str, &str); 2] = [("pillarbox-web", "app"), ("pillarbox-web-smime", "smime")];

/// What goes into the page, from the workspace's root; nothing else makes it new.
const SOURCES: [&str; 23] = [
    "Cargo.lock",
    "Cargo.toml",
    "rust-toolchain.toml",
    "engine/Cargo.toml",
    "engine/build.rs",
    "engine/src",
    "engine/mime/Cargo.toml",
    "engine/mime/src",
    "engine/smime/Cargo.toml",
    "engine/smime/src",
    "engine/world",
    "engine/component/binary/cargo.rs",
    "web-demo/Cargo.toml",
    "web-demo/assets",
    "web-demo/src",
    "web-demo/smime/Cargo.toml",
    "web-demo/smime/src",
    "web-demo/binary/build.rs",
    "web-demo/binary/bundle.rs",
    "web-demo/binary/locals.rs",
    "web-demo/binary/names.rs",
    "web-demo/binary/order.rs",
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
        let mut flags = vec!["-Ctarget-feature=+simd128", "--cfg", "erase_components"];
        let paths = paths();
        flags.extend(paths.iter().map(String::as_str));
        let (profile, crate_types) = (&PROFILE, CRATE_TYPES);
        let glue = out.join("glue");
        for (package, name) in MODULES {
            let (features, flags) = (&[], &flags[..]);
            let nested = cargo::Nested { package, features, profile, crate_types, flags };
            let module = nested.build(&SOURCES, &out.join("wasm"))?;
            bind(&module, name, &glue)?;
        }
        let assets = PathBuf::from(cargo::variable("CARGO_MANIFEST_DIR")?).join("../assets");
        bundle::page(&glue, &assets, &assets.join("../../engine/world"))?
    };
    bundle.write(&out)
}

/// Has the compiler leave out where this machine keeps other people's code: each panic would carry it to every visitor.
fn paths() -> Vec<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let mut paths: Vec<_> =
        registries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| format!("--remap-path-prefix={}/=", path.display())).collect()
}

/// Writes a module with its glue.
fn bind(module: &Path, name: &str, glue: &Path) -> Result<(), Box<dyn Error>> {
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(module).out_name(name).typescript(false);
    bindgen.web(true)?.omit_default_module_path(true);
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.generate(glue)?;
    Ok(())
}
