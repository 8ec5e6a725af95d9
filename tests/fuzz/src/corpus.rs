//! Where seeds come from: the target's own directory under `tests/fuzz/corpus`, in which inputs that once failed stay too;
//! the transcripts; and the messages under `tests/corpus`.

use std::path::{Path, PathBuf};

use crate::Target;

/// The directory of a target's own seeds.
#[must_use]
pub fn directory(target: &Target) -> PathBuf {
    tests().join("fuzz/corpus").join(target.name)
}

/// A target's own seeds, in the order of their names; none if it has no directory.
///
/// # Panics
/// If one of them cannot be read.
#[must_use]
pub fn own(target: &Target) -> Vec<(String, Vec<u8>)> {
    files(&directory(target), "")
}

/// Messages of all kinds.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    octets(files(&tests().join("corpus"), ".eml"))
}

/// What the crate of S/MIME is tested with.
pub(crate) fn vectors() -> Vec<Vec<u8>> {
    octets(files(&tests().join("../engine/smime/tests/vectors"), ""))
}

/// The scenarios of the playground.
pub(crate) fn scenarios() -> Vec<Vec<u8>> {
    octets(files(&tests().join("../engine/world/scenarios"), ".toml"))
}

/// The challenges of the playground.
pub(crate) fn challenges() -> Vec<Vec<u8>> {
    octets(files(&tests().join("../engine/world/challenges"), ".toml"))
}

/// Conversations of all three protocols as whoever reads along has them: what both sides say, behind the protocol's name.
pub(crate) fn dialogues() -> Vec<Vec<u8>> {
    let of = |protocol: &str| {
        let files = files(&tests().join("transcripts").join(protocol), ".transcript");
        let name = protocol.trim_end_matches("-client").to_owned();
        files.into_iter().map(move |(_, octets)| {
            let text = String::from_utf8_lossy(&octets).into_owned();
            let said =
                text.lines().filter(|line| line.starts_with("C: ") || line.starts_with("S: "));
            let lines: Vec<&str> = std::iter::once(name.as_str()).chain(said).collect();
            lines.join("\n").into_bytes()
        })
    };
    ["smtp", "smtp-client", "pop3", "pop3-client", "imap", "imap-client"]
        .into_iter()
        .flat_map(of)
        .collect()
}

/// The conversations of one protocol, without what the session itself says in them.
pub(crate) fn conversations(protocol: &str) -> Vec<Vec<u8>> {
    let session = if protocol.ends_with("-client") { 'C' } else { 'S' };
    let is_said = |line: &&str| {
        let spoken = line.strip_prefix(session).and_then(|rest| {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '*');
            rest.chars().next()
        });
        let remark = line.starts_with(['#', '<']) || line.starts_with("protocol");
        remark || matches!(spoken, Some(':' | '|'))
    };
    let files = files(&tests().join("transcripts").join(protocol), ".transcript");
    let given = files.into_iter().map(|(_, octets)| {
        let text = String::from_utf8_lossy(&octets).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !is_said(line)).collect();
        lines.join("\n").into_bytes()
    });
    given.collect()
}

/// What peers say in the conversations of one protocol, line by line.
pub(crate) fn said(protocol: &str) -> Vec<Vec<u8>> {
    let peer = if protocol.ends_with("-client") { "S: " } else { "C: " };
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for conversation in conversations(protocol) {
        let text = String::from_utf8_lossy(&conversation).into_owned();
        lines.extend(text.lines().filter_map(|line| line.strip_prefix(peer)).map(Vec::from));
    }
    lines.sort();
    lines.dedup();
    lines
}

fn octets(files: Vec<(String, Vec<u8>)>) -> Vec<Vec<u8>> {
    files.into_iter().map(|(_, octets)| octets).collect()
}

fn tests() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn files(directory: &Path, ending: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.is_file() && path.to_string_lossy().ends_with(ending));
    // Directories have no order of their own, and runs are to be the same everywhere.
    paths.sort();
    let read = |path: PathBuf| {
        let octets = std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name, octets)
    };
    paths.into_iter().map(read).collect()
}
