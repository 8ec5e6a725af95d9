//! What no lint finds: the engine and its world count in whole numbers. How a machine rounds and prints others is its own affair,
//! and a replay must not depend on it.

use std::fs;
use std::path::{Path, PathBuf};

/// The sources below a directory.
fn sources(directory: &Path, all: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|why| panic!("{directory:?}: {why}"));
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push(path);
        }
    }
}

/// Whether a line of code holds a type of floating point, or a number of one.
fn has_float(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let mut outside = String::new();
    for (at, part) in code.split('"').enumerate() {
        if at % 2 == 0 {
            outside.push_str(part);
        }
    }
    let words = outside.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.into_iter().any(|word| {
        word.ends_with("f32") || word.ends_with("f64") || {
            let (digits, exponent) = word.split_once('e').unwrap_or((word, "?"));
            let number = |text: &str| !text.is_empty() && text.bytes().all(|o| o.is_ascii_digit());
            number(digits) && number(exponent)
        }
    })
}

#[test]
fn there_are_no_floats() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let engine = here.parent().expect("the engine's directory");
    let mut all = Vec::new();
    for part in ["src", "mime/src", "smime/src", "component/src", "world/src"] {
        sources(&engine.join(part), &mut all);
    }
    assert!(all.len() > 200, "only {} files", all.len());
    let mut found = Vec::new();
    for path in all {
        let text = fs::read_to_string(&path).expect("a source");
        let lines = text.lines().enumerate().filter(|(_, line)| has_float(line));
        found.extend(lines.map(|(at, line)| format!("{}:{}: {line}", path.display(), at + 1)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_float_is_found() {
    for line in ["let a: f64 = x;", "f32::from(x)", "x / 1e6", "x as f64"] {
        assert!(has_float(line), "{line}");
    }
    for line in ["// f64", "\"1e6\"", "0x1e6", "let e1 = 1;", "sha256", "a.0.1"] {
        assert!(!has_float(line), "{line}");
    }
}
