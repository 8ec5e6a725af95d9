//! Messages as files: each as it lies in a mailbox or on a screen, and all of them in one file for programs that read mbox.

use pillarbox_engine::text::date::date_time;

use crate::world::{Kind, World};

/// A message as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eml {
    /// A name for it: of letters, digits, `@`, dots and hyphens.
    pub name: String,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// All messages in mailboxes, then all that devices show.
#[must_use]
pub fn messages(world: &World) -> Vec<Eml> {
    let mut all = Vec::new();
    for node in world.nodes() {
        if node.kind == Kind::Server {
            for row in world.stored(node.id) {
                let name = file_name(&[&row.account, &row.mailbox, &row.uid.to_string()]);
                all.push(Eml { name, octets: row.octets });
            }
        }
        for (at, shown) in world.screen(node.id).into_iter().enumerate() {
            if !shown.octets.is_empty() {
                let name = file_name(&[&node.name, "screen", &(at + 1).to_string()]);
                all.push(Eml { name, octets: shown.octets });
            }
        }
    }
    all
}

/// A name that is safe in any directory.
fn file_name(parts: &[&str]) -> String {
    let safe = |c: char| match c {
        '.' | '-' | '@' => c,
        _ if c.is_ascii_alphanumeric() => c,
        _ => '_',
    };
    let joined = parts.join("-");
    let name: String = joined.chars().map(safe).collect();
    format!("{}.eml", name.trim_start_matches('.'))
}

/// RFC 4155: one file of them all, in its default form.
#[must_use]
pub fn mbox(world: &World) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages(world) {
        let date = date_time(world.unix_ms(world.now()));
        out.extend_from_slice(format!("From pillarbox {date}\n").as_bytes());
        for line in message.octets.split_inclusive(|octet| *octet == b'\n') {
            let line = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap_or(line);
            let quoted = line.iter().position(|octet| *octet != b'>').unwrap_or(line.len());
            if line[quoted..].starts_with(b"From ") {
                out.push(b'>');
            }
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out.push(b'\n');
    }
    out
}
