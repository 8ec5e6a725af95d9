//! Maildir: one file a message, whose name tells its flags; and Maildir++, whose directories' names are mailboxes.
//! Names of mailboxes here are as everywhere: UTF-8 with `/` between levels.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::mbox::is_keyword;
use crate::imap::grammar::{decode_utf7, encode_utf7, mailbox_name};
use crate::imap::types::Flags;

/// Letters of flags, in the order in which they must stand.
const LETTERS: [(u8, u8); 5] = [(b'D', 16), (b'F', 2), (b'R', 1), (b'S', 8), (b'T', 4)];
/// The letter of a message that was passed on, and the keyword that says the same in IMAP.
const PASSED: (u8, &[u8]) = (b'P', b"$Forwarded");
/// Keywords that have letters of their own: `a` to `z`.
pub const KEYWORDS_MAX: usize = 26;
/// How a dot within a level is written, which would divide levels: as modified UTF-7 could write it, and never does.
const DOT: &[u8] = b"&AC4-";

/// Keywords by their letters, as the file `dovecot-keywords` of a mailbox lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keywords(Vec<Vec<u8>>);

impl Keywords {
    /// Reads the file: lines of a number and a keyword.
    #[must_use]
    pub fn read(text: &[u8]) -> Self {
        let mut all = Vec::new();
        for line in text.split(|octet| *octet == b'\n') {
            let Some(space) = line.iter().position(|octet| *octet == b' ') else { continue };
            let number = core::str::from_utf8(&line[..space]).ok().and_then(|n| n.parse().ok());
            let word = line[space..].trim_ascii();
            let Some(number) = number.filter(|number| *number < KEYWORDS_MAX) else { continue };
            if is_keyword(word) {
                if all.len() <= number {
                    all.resize(number + 1, Vec::new());
                }
                all[number] = word.to_vec();
            }
        }
        Self(all)
    }

    /// The file.
    #[must_use]
    pub fn print(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, word) in self.0.iter().enumerate().filter(|(_, word)| !word.is_empty()) {
            out.extend_from_slice(format!("{number} ").as_bytes());
            out.extend_from_slice(word);
            out.push(b'\n');
        }
        out
    }

    fn of_letter(&self, letter: u8) -> Option<&Vec<u8>> {
        self.0.get(usize::from(letter.checked_sub(b'a')?)).filter(|word| !word.is_empty())
    }

    /// The letter of a keyword, which gets one if there are any left.
    fn letter_of(&mut self, word: &[u8]) -> Option<u8> {
        let known = self.0.iter().position(|other| other.eq_ignore_ascii_case(word));
        let at = match known.or_else(|| self.0.iter().position(Vec::is_empty)) {
            Some(at) => at,
            None if self.0.len() < KEYWORDS_MAX => {
                self.0.push(Vec::new());
                self.0.len() - 1
            }
            None => return None,
        };
        if self.0[at].is_empty() {
            self.0[at] = word.to_vec();
        }
        Some(b'a' + at as u8)
    }
}

/// What comes before the flags in a file's name: it stays the same when they change.
#[must_use]
pub fn unique(name: &[u8]) -> &[u8] {
    name.split(|octet| *octet == b':').next().unwrap_or_default()
}

/// The flags that a file's name tells.
#[must_use]
pub fn flags(name: &[u8], keywords: &Keywords) -> Flags {
    let mut flags = Flags::default();
    let Some(at) = name.windows(3).rposition(|three| three == b":2,") else { return flags };
    for letter in &name[at + 3..] {
        if let Some((_, bit)) = LETTERS.iter().find(|(known, _)| known == letter) {
            flags.system |= bit;
        } else if *letter == PASSED.0 {
            flags.keywords.push(PASSED.1.to_vec());
        } else if let Some(word) = keywords.of_letter(*letter)
            && !flags.keywords.iter().any(|other| other.eq_ignore_ascii_case(word))
        {
            flags.keywords.push(word.clone());
        }
    }
    flags
}

/// The end of a file's name that tells these flags; and how many keywords have no letter, and so are not told.
#[must_use]
pub fn info(flags: &Flags, keywords: &mut Keywords) -> (String, usize) {
    let mut letters: Vec<u8> = LETTERS
        .iter()
        .filter(|(_, bit)| flags.system & bit != 0)
        .map(|(letter, _)| *letter)
        .collect();
    let mut left_out = 0;
    for word in &flags.keywords {
        if word.eq_ignore_ascii_case(PASSED.1) {
            letters.push(PASSED.0);
        } else if let Some(letter) = keywords.letter_of(word) {
            letters.push(letter);
        } else {
            left_out += 1;
        }
    }
    letters.sort_unstable();
    let letters: String = letters.into_iter().map(char::from).collect();
    (format!(":2,{letters}"), left_out)
}

/// The mailbox of a directory such as `.Work.Old`; none if its name is no mailbox's.
#[must_use]
pub fn mailbox(directory: &[u8]) -> Option<Vec<u8>> {
    let mut levels = Vec::new();
    for level in directory.strip_prefix(b".")?.split(|octet| *octet == b'.') {
        let mut rest = level;
        let mut parts = Vec::new();
        while let Some(at) = rest.windows(DOT.len()).position(|five| five == DOT) {
            parts.push(decoded(&rest[..at])?);
            rest = &rest[at + DOT.len()..];
        }
        parts.push(decoded(rest)?);
        levels.push(parts.join(&b'.'));
    }
    mailbox_name(&levels.join(&b'/'), true).ok()
}

/// Modified UTF-7, or UTF-8 as newer programs write it.
fn decoded(part: &[u8]) -> Option<Vec<u8>> {
    if part.is_ascii() { decode_utf7(part) } else { Some(part.to_vec()) }
}

/// The directory of a mailbox below the Maildir of INBOX.
#[must_use]
pub fn directory(mailbox: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for level in mailbox.split(|octet| *octet == b'/') {
        out.push(b'.');
        for octet in encode_utf7(level) {
            if octet == b'.' { out.extend_from_slice(DOT) } else { out.push(octet) }
        }
    }
    out
}
