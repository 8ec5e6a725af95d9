//! What a client knows of the mailbox that it has open, from nothing but what it was told.

use std::collections::{BTreeMap, BTreeSet};

/// What every client was told of UIDs that were given out: none is ever given twice.
#[derive(Default)]
pub(crate) struct Given {
    highest: BTreeMap<u32, u32>,
    keys: u64,
}

impl Given {
    pub(crate) fn next_key(&mut self) -> u64 {
        self.keys += 1;
        self.keys
    }

    /// These were given out by an APPEND or a COPY that was answered just now.
    pub(crate) fn new_uids(&mut self, validity: u32, uids: &[u32], line: &str) {
        let highest = self.highest.entry(validity).or_default();
        for uid in uids {
            assert!(*uid > *highest, "a UID that was given before: {line}");
            *highest = *uid;
        }
    }

    /// UIDNEXT of a mailbox now.
    pub(crate) fn uid_next(&self, validity: u32, uid_next: u32, line: &str) {
        let highest = self.highest.get(&validity).copied().unwrap_or_default();
        assert!(uid_next > highest, "UIDNEXT is one that was given: {line}");
    }
}

/// One message, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) uid: Option<u32>,
    pub(crate) flags: Option<BTreeSet<String>>,
}

/// The mailbox that is open.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) messages: Vec<Message>,
}

impl Model {
    pub(crate) fn exists(&mut self, count: usize, line: &str) {
        assert!(count >= self.messages.len(), "EXISTS never shrinks: {line}");
        self.messages.resize_with(count, Message::default);
    }

    pub(crate) fn expunge(&mut self, number: usize, line: &str) {
        assert!((1..=self.messages.len()).contains(&number), "there is no such number: {line}");
        self.messages.remove(number - 1);
    }

    /// RFC 7162 §3.2.10.2: with QRESYNC UIDs are named; those that are not known yet may be anywhere.
    pub(crate) fn vanished(&mut self, uids: &[u32], line: &str) {
        for uid in uids {
            if let Some(at) = self.messages.iter().position(|m| m.uid == Some(*uid)) {
                self.messages.remove(at);
                continue;
            }
            let at = self.place_of(*uid);
            let at = at.unwrap_or_else(|| panic!("no message can have had UID {uid}: {line}"));
            // Which of its neighbours it was is not known, so neither is which flags went with it.
            let unknown = self.messages[at..].iter_mut().take_while(|m| m.uid.is_none());
            unknown.for_each(|message| message.flags = None);
            self.messages.remove(at);
        }
    }

    /// Where a message of this UID must be whose UID was not told: between those that are.
    fn place_of(&self, uid: u32) -> Option<usize> {
        let before = self.messages.iter().rposition(|m| m.uid.is_some_and(|known| known < uid));
        let from = before.map_or(0, |at| at + 1);
        self.messages.get(from).filter(|message| message.uid.is_none()).map(|_| from)
    }

    pub(crate) fn fetched(
        &mut self,
        number: usize,
        uid: Option<u32>,
        flags: Option<BTreeSet<String>>,
        line: &str,
    ) {
        assert!((1..=self.messages.len()).contains(&number), "there is no such number: {line}");
        if let Some(uid) = uid {
            let below = self.messages[..number - 1].iter().rev().find_map(|m| m.uid);
            let above = self.messages[number..].iter().find_map(|m| m.uid);
            assert!(below.is_none_or(|below| below < uid), "UIDs ascend: {line}");
            assert!(above.is_none_or(|above| uid < above), "UIDs ascend: {line}");
            let known = self.messages[number - 1].uid;
            assert!(
                known.is_none_or(|known| known == uid),
                "number {number} was {known:?}: {line}"
            );
            self.messages[number - 1].uid = Some(uid);
        }
        if flags.is_some() {
            self.messages[number - 1].flags = flags;
        }
    }

    /// Numbers or UIDs that a search found.
    pub(crate) fn found(&self, by_uid: bool, found: &[u32], line: &str) {
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "results ascend: {line}");
        if !by_uid {
            let last = found.last().copied().unwrap_or_default() as usize;
            assert!(last <= self.messages.len(), "there is no such number: {line}");
        } else if self.messages.iter().all(|message| message.uid.is_some()) {
            let known = |uid: &u32| self.messages.iter().any(|message| message.uid == Some(*uid));
            assert!(found.iter().all(known), "a UID that nobody was told of: {line}");
        }
    }

    /// A change of flags that the client made without asking what became of them.
    pub(crate) fn changed(&mut self, number: usize, sign: char, flag: &str) {
        if let Some(flags) = &mut self.messages[number - 1].flags {
            match sign {
                '+' => drop(flags.insert(flag.to_owned())),
                _ => drop(flags.remove(flag)),
            }
        }
    }
}

/// `1:3,5` as single numbers.
pub(crate) fn set(text: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let number =
            |text: &str| text.parse::<u32>().unwrap_or_else(|_| panic!("a number: {text}"));
        number(first)..=number(last)
    };
    text.split(',').flat_map(range).collect()
}

/// What stands between two marks.
pub(crate) fn between<'a>(line: &'a str, from: &str, to: char) -> Option<&'a str> {
    let start = line.find(from)? + from.len();
    let end = line[start..].find(to)?;
    Some(&line[start..start + end])
}
