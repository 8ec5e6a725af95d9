//! Every transcript, run whole, octet by octet, split at random and with sessions that are frozen wherever they can be, against the library, against the component in
//! wasmtime and against the component in Node: what the server must say is the same everywhere.
//! `PILLARBOX_RECORD=1` instead writes what the server says into the files, for a person to read and judge.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pillarbox::cli::EngineChoice;
use pillarbox::engine::{Engine, EngineSettings};
use pillarbox_tests::transcript::{Factory, Library, Node, Sandboxes, Script, Split, record, run};

fn transcripts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut files = Vec::new();
    for directory in ["smtp", "smtp-client", "pop3", "pop3-client", "imap", "imap-client"] {
        let entries = std::fs::read_dir(root.join(directory)).expect("the transcripts are there");
        files.extend(entries.map(|entry| entry.expect("a readable directory").path()));
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "transcript"));
    files.sort();
    assert!(files.len() > 30, "only {} transcripts found", files.len());
    files
}

fn run_all(factory: &dyn Factory, splits: &[Split]) {
    let mut failures = Vec::new();
    let files = transcripts();
    for file in &files {
        let script = Script::read(file).expect("the transcript can be read");
        failures.extend(splits.iter().filter_map(|split| run(&script, factory, *split).err()));
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    println!("{} transcripts in {} ways", files.len(), splits.len());
}

#[test]
fn against_the_library() {
    if std::env::var_os("PILLARBOX_RECORD").is_some() {
        for file in transcripts() {
            let text = std::fs::read_to_string(&file).expect("the transcript can be read");
            let script = Script::read(&file).expect("the transcript can be read");
            let recorded = record(&script, &text, &Library).expect("the conversation can be held");
            std::fs::write(&file, recorded).expect("the transcript can be written");
        }
    }
    let random = (1..=8).map(|seed| Split::Random(seed * 7919));
    let fixed = [Split::Whole, Split::Octets, Split::Frozen(17), Split::Frozen(1999)];
    let splits: Vec<Split> = fixed.into_iter().chain(random).collect();
    run_all(&Library, &splits);
}

#[test]
fn against_the_component_in_wasmtime() {
    let settings = EngineSettings::new(EngineChoice::Sandbox, Some(8));
    let engine = Engine::new(&settings).expect("the component is valid");
    run_all(
        &Sandboxes(Arc::new(engine)),
        &[Split::Whole, Split::Octets, Split::Random(31), Split::Frozen(127)],
    );
}

#[test]
fn against_the_component_in_node() {
    run_all(&Node::start(), &[Split::Whole, Split::Octets, Split::Frozen(31)]);
}
