//! What no compiler checks about the page: views know no protocol, press nothing by themselves, and build no HTML.

use std::fs;
use std::path::{Path, PathBuf};

/// Words of the protocols, which belong to the engine and the catalogue.
const PROTOCOL: [&str; 22] = [
    "EHLO",
    "HELO",
    "MAIL FROM",
    "RCPT",
    "DATA",
    "RSET",
    "VRFY",
    "QUIT",
    "STARTTLS",
    "USER ",
    "PASS ",
    "STAT",
    "RETR",
    "DELE",
    "UIDL",
    "LOGIN",
    "SELECT",
    "FETCH",
    "EXAMINE",
    "CAPABILITY",
    "+OK",
    "-ERR",
];

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("the directory is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn lines(below: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(below);
    let mut all = Vec::new();
    for path in sources(&root) {
        let text = fs::read_to_string(&path).expect("a source is text");
        for (number, line) in (1..).zip(text.lines()) {
            let comment = line.trim_start().starts_with("//");
            if !comment {
                all.push((format!("{}:{number}", path.display()), line.to_owned()));
            }
        }
    }
    assert!(all.len() > 100, "{below} has views");
    all
}

#[test]
fn views_know_no_protocol() {
    for (place, line) in lines("src/view") {
        let literals = line.split('"').skip(1).step_by(2);
        for literal in literals {
            assert!(!PROTOCOL.iter().any(|word| literal.contains(word)), "{place}: {literal:?}");
            let digits = literal.len() == 3 && literal.bytes().all(|octet| octet.is_ascii_digit());
            assert!(!digits, "{place}: {literal:?} looks like a reply code");
        }
    }
}

#[test]
fn only_controls_can_be_pressed() {
    for (place, line) in lines("src/view") {
        for handler in ["on:click", "on:keydown", "on:mousedown", "on:pointerdown"] {
            assert!(!line.contains(handler), "{place}: make it a control");
        }
    }
}

#[test]
fn nothing_becomes_html() {
    for (place, line) in lines("src") {
        for door in ["inner_html", "insert_adjacent_html", "outer_html", "eval("] {
            assert!(!line.contains(door), "{place}: {door}");
        }
    }
}
