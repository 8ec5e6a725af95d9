//! Rights to a mailbox (RFC 4314 §2.1), as a set. Who has which is kept by stores; which command needs which is decided by
//! the services that answer for it.

use alloc::vec::Vec;

/// The namespace of other users' mailboxes (RFC 2342 §5): below it stand the names of accounts, and below those their
/// mailboxes.
pub const OTHER_USERS: &[u8] = b"Other Users/";

/// The identifier that stands for everybody (RFC 4314 §2).
pub const ANYONE: &[u8] = b"anyone";

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u16);

/// Each right by its letter, the lowest bit first.
const LETTERS: &[u8; 11] = b"lrswipkxtea";

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);
    /// `l`: it is visible.
    pub const LOOKUP: Self = Self(1);
    /// `r`: it may be opened.
    pub const READ: Self = Self(1 << 1);
    /// `s`: \Seen may be changed.
    pub const SEEN: Self = Self(1 << 2);
    /// `w`: other flags may be changed.
    pub const WRITE: Self = Self(1 << 3);
    /// `i`: messages may be put into it.
    pub const INSERT: Self = Self(1 << 4);
    /// `p`: mail may be sent to it.
    pub const POST: Self = Self(1 << 5);
    /// `k`: mailboxes may be made below it.
    pub const CREATE: Self = Self(1 << 6);
    /// `x`: it may be removed.
    pub const DELETE: Self = Self(1 << 7);
    /// `t`: \Deleted may be changed.
    pub const DELETED: Self = Self(1 << 8);
    /// `e`: messages may be expunged.
    pub const EXPUNGE: Self = Self(1 << 9);
    /// `a`: rights may be read and changed.
    pub const ADMIN: Self = Self(1 << 10);
    /// All.
    pub const ALL: Self = Self((1 << LETTERS.len()) - 1);
    /// One of these is enough to ask for one's own rights (RFC 4314 §4).
    pub const ANY: Self = Self(0b100_1101_0011);
    /// One of these makes a mailbox more than readable (RFC 4314 §5.2).
    pub const CHANGE: Self = Self(0b11_0001_1100);

    /// Rights by their letters; RFC 2086's `c` stands for `k` and `x`, and its `d` for `t` and `e` (RFC 4314 §2.1.1).
    /// `None` for a letter that stands for none.
    #[must_use]
    pub fn parse(letters: &[u8]) -> Option<Self> {
        letters.iter().try_fold(Self::NONE, |rights, letter| {
            let more = match letter {
                b'c' => Self::CREATE.and(Self::DELETE),
                b'd' => Self::DELETED.and(Self::EXPUNGE),
                letter => Self(1 << LETTERS.iter().position(|known| known == letter)?),
            };
            Some(rights.and(more))
        })
    }

    /// Their letters.
    #[must_use]
    pub fn letters(self) -> Vec<u8> {
        let has = |at: usize| self.0 >> at & 1 == 1;
        LETTERS.iter().enumerate().filter(|(at, _)| has(*at)).map(|(_, letter)| *letter).collect()
    }

    /// Their letters as clients are told them: those of RFC 2086 are there for those who know no others.
    #[must_use]
    pub fn told(self) -> Vec<u8> {
        let mut letters = self.letters();
        for (letter, members) in Self::OLD {
            if self.has_any(members) {
                letters.push(letter);
            }
        }
        letters
    }

    /// The letters of RFC 2086 that stand for several rights.
    const OLD: [(u8, Self); 2] =
        [(b'c', Self::CREATE.and(Self::DELETE)), (b'd', Self::DELETED.and(Self::EXPUNGE))];

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without these.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of these are among them.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether one of these is among them.
    #[must_use]
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// As a number, for stores.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Of a number that `bits` gave.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The system flags that may be changed with them, as bits of `Flags::system`, and whether keywords may.
    #[must_use]
    pub const fn flags(self) -> (u8, bool) {
        let write = self.has(Self::WRITE);
        let mut system = if write { 1 | 2 | 16 } else { 0 };
        if self.has(Self::DELETED) {
            system |= 4;
        }
        if self.has(Self::SEEN) {
            system |= 8;
        }
        (system, write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_for_rights_and_old_ones_for_several() {
        assert_eq!(Rights::ALL.letters(), b"lrswipkxtea");
        assert_eq!(Rights::ALL.told(), b"lrswipkxteacd");
        assert_eq!(Rights::parse(b"lrswipkxtea"), Some(Rights::ALL));
        assert_eq!(Rights::parse(b"lrswipacd"), Some(Rights::ALL));
        assert_eq!(Rights::parse(b"lrsk").map(Rights::told), Some(b"lrskc".to_vec()));
        assert_eq!(Rights::parse(b"e").map(Rights::told), Some(b"ed".to_vec()));
        assert_eq!(Rights::parse(b""), Some(Rights::NONE));
        for wrong in ["lrQ", "lrq", "l1", "l r"] {
            assert_eq!(Rights::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(Rights::ANY.letters(), b"lrikxa");
        assert_eq!(Rights::CHANGE.letters(), b"switE".to_ascii_lowercase());
        let some = Rights::parse(b"lrs").expect("they are known");
        assert_eq!(some.flags(), (8, false));
        assert_eq!(Rights::ALL.flags(), (31, true));
        assert!(some.has(Rights::READ) && !some.has(Rights::READ.and(Rights::WRITE)));
        assert_eq!(Rights::from_bits(some.bits()), some);
    }
}
