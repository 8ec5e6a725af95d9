//! What is asked of the store and answered, as JSON: one line each, some with octets behind it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Octets of a message that come at once.
pub(crate) const PART_MAX: usize = 256 * 1024;
/// Keys in one ask, so that its line stays short.
pub(crate) const KEYS_MAX: usize = 500;

/// What tells a message, or a source of messages, from all others: SHA-256 of whatever that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Key(pub(crate) [u8; 32]);

impl Key {
    /// The key of these parts, in this order; where one ends is part of it.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
        key.0.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
    }
}

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "a key has 64 hexadecimal digits";
        let mut key = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(WRONG);
        }
        for (at, octet) in key.iter_mut().enumerate() {
            *octet = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| WRONG)?;
        }
        Ok(Self(key))
    }
}

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mail")]
pub(crate) enum Ask {
    /// The canonical name of an account. Reply: account.
    Account {
        /// As it was typed.
        name: String,
        /// Whether it is made where it has never had mail, in the dev profile, where everybody's account is there.
        make: bool,
    },
    /// Makes a mailbox unless it is there. Reply: done.
    Make {
        /// Whose; canonical here and below.
        account: String,
        /// Its name.
        mailbox: String,
    },
    /// An account's mailboxes behind one, in the order of their names. Reply: mailboxes.
    Mailboxes {
        /// Whose.
        account: String,
        /// The one.
        after: Option<String>,
    },
    /// Whether messages were taken from a source before. Reply: known.
    Known {
        /// Whose.
        account: String,
        /// The source.
        source: Key,
        /// The messages, at most [`KEYS_MAX`].
        keys: Vec<Key>,
    },
    /// Messages of a mailbox behind a UID. Reply: rows.
    Rows {
        /// Whose.
        account: String,
        /// Its name.
        mailbox: String,
        /// The UID.
        after: u32,
    },
    /// Octets of a message, at most [`PART_MAX`]. Reply: octets, with them behind it.
    Octets {
        /// As `rows` named it.
        blob: u64,
        /// The first.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// So many octets of a message follow, at most [`PART_MAX`]. No reply.
    Part {
        /// How many.
        size: u64,
    },
    /// What came in parts is whole. Reply: stored.
    Store(Envelope),
    /// What came in parts is not wanted. No reply.
    Forget,
}

/// How a message is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) account: String,
    pub(crate) mailbox: String,
    pub(crate) origin: Origin,
    /// System flags, as bits of `Flags::system`.
    pub(crate) system: u8,
    pub(crate) keywords: Vec<String>,
    /// Milliseconds since 1970 UTC; none: now.
    pub(crate) date_ms: Option<u64>,
    /// Minutes east of UTC.
    pub(crate) zone: i16,
}

/// Where a message came from: what came from there before is not stored again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub(crate) enum Origin {
    /// That does not matter: it is stored.
    Anywhere,
    /// A file: told by its octets, within the mailbox that it goes to.
    File {
        /// What tells it.
        key: Key,
    },
    /// Another server.
    Server {
        /// Which mailbox there.
        source: Key,
        /// Which message of it.
        key: Key,
    },
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub(crate) enum Reply {
    /// It is done.
    Done,
    /// To `account`.
    Account {
        /// Its canonical name.
        name: String,
    },
    /// To `mailboxes`.
    Mailboxes {
        /// In the order of their names.
        mailboxes: Vec<Mailbox>,
        /// Whether there are more behind the last.
        more: bool,
    },
    /// To `known`.
    Known {
        /// In the order of the keys.
        known: Vec<bool>,
    },
    /// To `rows`.
    Rows {
        /// Ascending.
        rows: Vec<Row>,
        /// Whether there are more behind the last.
        more: bool,
    },
    /// To `octets`; so many follow.
    Octets {
        /// How many.
        size: u64,
    },
    /// To `store`.
    Stored(Stored),
    /// It cannot be done.
    Error {
        /// Why.
        message: String,
    },
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// It came before, and was not stored again.
    pub(crate) known: bool,
}

/// A mailbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mailbox {
    pub(crate) name: String,
    pub(crate) uid_validity: u32,
    pub(crate) messages: u32,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) uid: u32,
    pub(crate) blob: u64,
    pub(crate) size: u64,
    pub(crate) system: u8,
    pub(crate) keywords: Vec<String>,
    pub(crate) date_ms: u64,
    pub(crate) zone: i16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = Key::of(&[b"a", b"bc"]);
        assert_ne!(key, Key::of(&[b"ab", b"c"]));
        assert_eq!(Key::try_from(String::from(key)), Ok(key));
        for wrong in ["", "zz", &"é".repeat(32), &"g".repeat(64)] {
            assert!(Key::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn asks_are_told_from_questions_about_the_queue() {
        let ask = serde_json::to_string(&Ask::Forget).expect("it is plain data");
        assert!(serde_json::from_str::<crate::relay::Request>(&ask).is_err(), "{ask}");
        assert!(serde_json::from_str::<Ask>(&ask).is_ok());
    }
}
