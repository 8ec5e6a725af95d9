//! The arguments of GETMETADATA and SETMETADATA (RFC 5464 §5).

use alloc::vec::Vec;

use super::command::{Command, GetMetadata};
use super::cursor::{Bad, Piecewise, Read};
use super::mailbox::mailbox_name;
use super::parse::Options;
use crate::imap::types::MetadataEntry;
use crate::limits::{METADATA_ENTRIES_MAX, METADATA_ENTRY_NAME_MAX};

/// `"GETMETADATA" [SP getmetadata-options] SP mailbox SP entries`
///
/// The examples of RFC 5464 §4.2.1 have the options behind the mailbox, so they are taken there too.
pub(super) fn get(cursor: &mut Piecewise<'_>, options: Options) -> Read<Command> {
    let mut get = GetMetadata::default();
    cursor.space()?;
    let has_options = cursor.peek() == Some(b'(');
    if has_options {
        self::options(cursor, &mut get)?;
        cursor.space()?;
    }
    get.name = place(cursor, options)?;
    cursor.space()?;
    if !has_options && is_options(cursor.text()) {
        self::options(cursor, &mut get)?;
        cursor.space()?;
    }
    get.entries = match cursor.peek() {
        Some(b'(') => cursor.list("(", entry)?,
        _ => [entry(cursor)?].to_vec(),
    };
    // Some clients leave the parentheses out, as RFC 5464 §4.4.1 does.
    while cursor.take(b' ') {
        get.entries.push(entry(cursor)?);
    }
    bounded(cursor, &get.entries)?;
    Ok(Command::GetMetadata(get))
}

/// `"(" entry *(SP entry) ")"`, as LIST has it (RFC 9590).
pub(super) fn entries(cursor: &mut Piecewise<'_>) -> Read<Vec<Vec<u8>>> {
    let entries = cursor.list("(", entry)?;
    bounded(cursor, &entries)?;
    Ok(entries)
}

/// Whether a list of options stands here, and not one of entries.
fn is_options(text: &[u8]) -> bool {
    let words: [&[u8]; 2] = [b"(MAXSIZE ", b"(DEPTH "];
    let begins =
        |word: &&[u8]| text.get(..word.len()).is_some_and(|t| t.eq_ignore_ascii_case(word));
    words.iter().any(begins)
}

/// `getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")"`
fn options(cursor: &mut Piecewise<'_>, get: &mut GetMetadata) -> Read<()> {
    cursor.list("(", |cursor| {
        if cursor.take_word(b"MAXSIZE") {
            cursor.space()?;
            get.value_max = Some(cursor.number("a number of octets")?);
        } else if cursor.take_word(b"DEPTH") {
            cursor.space()?;
            get.depth = depth(cursor)?;
        } else {
            return cursor.expected("MAXSIZE or DEPTH");
        }
        Ok(())
    })?;
    Ok(())
}

/// `"0" / "1" / "infinity"`
fn depth(cursor: &mut Piecewise<'_>) -> Read<u32> {
    let all = [(&b"0"[..], 0), (b"1", 1), (b"infinity", u32::MAX)];
    match all.iter().find(|(word, _)| cursor.take_word(word)) {
        Some((_, depth)) => Ok(*depth),
        None => cursor.expected("0, 1 or infinity"),
    }
}

/// `"SETMETADATA" SP mailbox SP "(" entry-value *(SP entry-value) ")"`
pub(super) fn set(cursor: &mut Piecewise<'_>, options: Options) -> Read<Command> {
    cursor.space()?;
    let name = place(cursor, options)?;
    cursor.space()?;
    let entries = cursor.list("( and entries", |cursor| {
        let entry = entry(cursor)?;
        cursor.space()?;
        Ok(MetadataEntry { entry, value: cursor.nstring("a value or NIL")? })
    })?;
    let names: Vec<Vec<u8>> = entries.iter().map(|entry| entry.entry.clone()).collect();
    bounded(cursor, &names)?;
    Ok(Command::SetMetadata(name, entries))
}

fn bounded(cursor: &Piecewise<'_>, entries: &[Vec<u8>]) -> Read<()> {
    let fits = !entries.is_empty() && entries.len() <= METADATA_ENTRIES_MAX;
    if fits { Ok(()) } else { cursor.expected("at least one entry, and not too many") }
}

/// A mailbox, or the empty string for the server.
fn place(cursor: &mut Piecewise<'_>, options: Options) -> Read<Vec<u8>> {
    let wire = cursor.labelled("mailbox", false, |cursor| cursor.astring("a mailbox name"))?;
    if wire.is_empty() { Ok(wire) } else { mailbox_name(&wire, options.utf8) }
}

/// `entry = astring`: levels after slashes, in lower case since case tells none apart (RFC 5464 §3.2).
fn entry(cursor: &mut Piecewise<'_>) -> Read<Vec<u8>> {
    let name = cursor.astring("an entry such as /private/comment")?.to_ascii_lowercase();
    let mut levels = name.split(|octet| *octet == b'/');
    let rooted =
        levels.next() == Some(b"") && matches!(levels.next(), Some(b"private" | b"shared"));
    let plain = |octet: &u8| (b' '..=b'~').contains(octet) && !matches!(octet, b'*' | b'%');
    let right = rooted && levels.all(|level| !level.is_empty()) && name.iter().all(plain);
    match right && name.len() <= METADATA_ENTRY_NAME_MAX {
        true => Ok(name),
        false => Err(Bad::Entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::grammar::{Piece, parse};

    fn command(text: &str) -> Result<Command, Bad> {
        let pieces = [Piece::Text(text.as_bytes().to_vec(), 0)];
        parse(&mut Piecewise::new(&pieces), Options::default()).map(|tagged| tagged.command)
    }

    #[test]
    fn metadata_commands_are_parsed() {
        let parsed = command("a GETMETADATA (DEPTH infinity MAXSIZE 9) inbox (/Shared/A /private)");
        let get = GetMetadata {
            name: b"INBOX".to_vec(),
            entries: [b"/shared/a".to_vec(), b"/private".to_vec()].to_vec(),
            depth: u32::MAX,
            value_max: Some(9),
        };
        assert_eq!(parsed, Ok(Command::GetMetadata(get)));
        for right in [
            "a GETMETADATA \"\" /shared/comment",
            "a GETMETADATA INBOX (DEPTH 1) (/private/x)",
            "a GETMETADATA INBOX (maxsize 1024) (/private/x /shared/y)",
            "a GETMETADATA INBOX /private/x /shared/y",
            "a SETMETADATA INBOX (/private/comment \"x\" /shared/comment NIL)",
        ] {
            assert!(command(right).is_ok(), "{right}: {:?}", command(right));
        }
        for (wrong, bad) in [
            ("a GETMETADATA INBOX /comment", Some(Bad::Entry)),
            ("a GETMETADATA INBOX /private//x", Some(Bad::Entry)),
            ("a GETMETADATA INBOX /private/x/", Some(Bad::Entry)),
            ("a GETMETADATA INBOX \"/private/%\"", Some(Bad::Entry)),
            ("a GETMETADATA (DEPTH 2) INBOX /private/x", None),
            ("a SETMETADATA INBOX ()", None),
            ("a SETMETADATA INBOX (/private/x)", None),
        ] {
            let parsed = command(wrong);
            assert!(
                parsed.is_err() && bad.is_none_or(|bad| parsed == Err(bad)),
                "{wrong}: {parsed:?}"
            );
        }
    }
}
