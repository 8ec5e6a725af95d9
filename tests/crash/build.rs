//! Builds the component with crash verbs, as the product is built otherwise.

#[path = "../../engine/component/binary/nested.rs"]
mod nested;

fn main() {
    match nested::component(&["crash-verbs"]) {
        Ok(file) => println!("cargo::rustc-env=PILLARBOX_CRASH_FILE={}", file.display()),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}
