//! What a client knows of the mailbox that it has open, from nothing but what it was told.

use std::collections::{BTreeMap, BTreeSet};

/// What clients were told of UIDs that were given out: none is ever given twice, and each means one message for ever.
#[derive(Default)]
pub(crate) struct Given {
    /// The highest by UIDVALIDITY.
    pub(crate) highest: BTreeMap<u32, u32>,
    told: BTreeSet<(u32, u32)>,
    /// Subjects by UIDVALIDITY and UID: no two messages have the same, but for copies.
    pub(crate) labels: BTreeMap<(u32, u32), String>,
    /// What nobody expunges, and was acknowledged.
    pub(crate) safe: BTreeSet<(u32, u32)>,
    keys: u64,
}

impl Given {
    pub(crate) fn next_key(&mut self) -> u64 {
        self.keys += 1;
        self.keys
    }

    /// These were given out by an APPEND or a COPY that was said when those `before` had been.
    pub(crate) fn new_uids(
        &mut self,
        validity: u32,
        uids: &[u32],
        before: &BTreeMap<u32, u32>,
        line: &str,
    ) {
        let before = before.get(&validity).copied().unwrap_or_default();
        let highest = self.highest.entry(validity).or_default();
        for uid in uids {
            let new = *uid > before && self.told.insert((validity, *uid));
            assert!(new, "a UID that was given before: {line}");
            *highest = (*highest).max(*uid);
        }
    }

    /// UIDNEXT of a mailbox, asked for when those `before` had been given.
    pub(crate) fn uid_next(&self, before: Option<&BTreeMap<u32, u32>>, line: &str) {
        let number = |from: &str| {
            let text = between(line, from, ' ').or(between(line, from, ')'));
            text.and_then(|text| text.trim_end_matches(')').parse::<u32>().ok())
        };
        // A STATUS that NOTIFY has told is of some moment.
        let Some(before) = before else { return };
        if let (Some(validity), Some(next)) = (number("UIDVALIDITY "), number("UIDNEXT ")) {
            let highest = before.get(&validity).copied().unwrap_or_default();
            assert!(next > highest, "UIDNEXT is one that was given: {line}");
        }
    }

    /// RFC 9051 §2.3.1.1: a UID means one message for ever.
    pub(crate) fn is_labelled(&mut self, validity: u32, uid: u32, label: &str, line: &str) {
        let known = self.labels.entry((validity, uid)).or_insert_with(|| label.to_owned());
        assert_eq!(known, label, "another message: {line}");
    }

    pub(crate) fn is_acknowledged(&mut self, validity: u32, uids: &[u32], safe: bool) {
        if safe {
            self.safe.extend(uids.iter().map(|uid| (validity, *uid)));
        }
    }
}

/// One message, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) uid: Option<u32>,
    pub(crate) flags: Option<BTreeSet<String>>,
}

/// What is remembered of a mailbox (RFC 7162 §6), by UID; flags where they are known.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    pub(crate) validity: u32,
    pub(crate) modseq: u64,
    pub(crate) uids: BTreeMap<u32, Option<BTreeSet<String>>>,
    /// Whether there were no other messages.
    complete: bool,
    /// Whether changes of these alone are asked for.
    pub(crate) limited: bool,
}

/// The mailbox that is open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) validity: Option<u32>,
    pub(crate) messages: Vec<Message>,
    /// The mod-sequence up to which all is known, if `synchronised`.
    modseq: Option<u64>,
    /// Since the last tagged response: by a response code, and the highest of FETCH.
    coded: Option<u64>,
    fetched: u64,
    /// Whether all messages were known once.
    synchronised: bool,
    /// What was known before, while it is not put together with what is told now.
    before: Option<Cache>,
    /// With CONDSTORE alone, changes are asked for once it is open.
    by_changes: bool,
    /// How many messages there were when it was opened.
    at_first: Option<usize>,
    /// UIDs that are there, though not known by their numbers.
    there: BTreeSet<u32>,
}

impl Model {
    pub(crate) fn new(name: &str, before: Option<&Cache>, by_changes: bool) -> Self {
        Self { name: name.to_owned(), before: before.cloned(), by_changes, ..Self::default() }
    }

    /// Whether each message is known by its UID.
    pub(crate) fn is_complete(&self) -> bool {
        self.messages.iter().all(|message| message.uid.is_some())
    }

    /// What of it may be remembered.
    pub(crate) fn cache(&self) -> Option<Cache> {
        let (validity, modseq) = (self.validity?, self.modseq.filter(|_| self.synchronised)?);
        let known = |message: &Message| message.uid.map(|uid| (uid, message.flags.clone()));
        let uids = self.messages.iter().filter_map(known).collect();
        Some(Cache { validity, modseq, uids, complete: self.is_complete(), limited: false })
    }

    /// A response code that came untagged.
    pub(crate) fn code(&mut self, line: &str) {
        if let Some(validity) = between(line, "[UIDVALIDITY ", ']') {
            self.validity = validity.parse().ok();
        }
        if let Some(modseq) = between(line, "[HIGHESTMODSEQ ", ']') {
            self.coded = modseq.parse().ok();
        }
    }

    /// RFC 7162 §6: what a tagged response makes of the mod-sequence.
    pub(crate) fn tagged(&mut self, line: &str, counts: bool) {
        self.code(line);
        let coded = self.coded.take();
        let fetched = std::mem::take(&mut self.fetched);
        if self.modseq.is_none() {
            self.modseq = coded;
        } else if counts && self.synchronised {
            let highest = self.modseq.max(Some(fetched));
            self.modseq = coded.or(highest);
        }
        if self.is_complete() {
            self.synchronised |= self.before.is_none();
            let missing = |uid: &&u32| !self.messages.iter().any(|m| m.uid == Some(**uid));
            let missing = self.there.iter().find(missing);
            assert_eq!(missing, None, "it was there, and nobody said that it went: {line}");
            self.there.clear();
        }
    }

    /// SELECT is answered. True if what was known before is put together with what was told.
    pub(crate) fn opened(&mut self, line: &str) -> bool {
        let Some(cache) = &self.before else { return false };
        assert_eq!(Some(cache.validity), self.validity, "UIDVALIDITY: {line}");
        if self.by_changes {
            return false;
        }
        // RFC 7162 §3.2.5.1: what did not vanish is there, and what is there besides was told.
        let cache = self.before.take().expect("it was looked at");
        let told = |uid: &u32| self.messages.iter().any(|message| message.uid == Some(*uid));
        let rest = cache.uids.into_iter().filter(|(uid, _)| !told(uid));
        let rest: BTreeMap<u32, Option<BTreeSet<String>>> = rest.collect();
        if !cache.complete {
            self.there = rest.into_keys().collect();
            return true;
        }
        let at_first = self.at_first.unwrap_or_default().min(self.messages.len());
        let open = self.messages[..at_first].iter_mut().filter(|message| message.uid.is_none());
        let open: Vec<&mut Message> = open.collect();
        // RFC 7162 §3.2.5.2: of UIDs that were not named as known, nothing is told.
        let fits = open.len() == rest.len() || (cache.limited && open.len() > rest.len());
        assert!(fits, "{line}: {} holds {} others than {rest:?}", self.name, open.len());
        for (message, (uid, flags)) in open.into_iter().zip(rest) {
            *message = Message { uid: Some(uid), flags };
        }
        let uids: Vec<u32> = self.messages.iter().filter_map(|message| message.uid).collect();
        assert!(uids.is_sorted(), "{line}: UIDs ascend: {uids:?}");
        true
    }

    /// All that changed since the mod-sequence was told: what is left is as it was.
    pub(crate) fn changes_told(&mut self, line: &str) -> bool {
        let Some(cache) = self.before.take() else { return false };
        let told = !self.messages.is_empty() || self.at_first.is_some();
        assert!(told, "a mailbox without a number of messages: {line}");
        for message in &mut self.messages {
            let before = message.uid.and_then(|uid| cache.uids.get(&uid));
            if message.flags.is_none() {
                message.flags = before.cloned().flatten();
            }
        }
        true
    }

    /// RFC 7162 §3.2.10.1
    pub(crate) fn vanished_earlier(&mut self, uids: &[u32], line: &str) {
        for uid in uids {
            let here = self.messages.iter().any(|message| message.uid == Some(*uid));
            assert!(!here, "{uid} is there: {line}");
            if let Some(before) = &mut self.before {
                before.uids.remove(uid);
            }
        }
    }

    /// `UID SEARCH ALL`: where none was left out it names all messages.
    pub(crate) fn found_all(&mut self, found: &[u32]) {
        if found.len() == self.messages.len() {
            for (message, uid) in self.messages.iter_mut().zip(found) {
                assert!(message.uid.is_none_or(|known| known == *uid), "{uid} is {message:?}");
                message.uid = Some(*uid);
            }
        }
    }

    /// What FETCH says of a message.
    pub(crate) fn fetch(&mut self, number: usize, line: &str, given: &mut Given) {
        let uid = between(line, "UID ", ' ').or(between(line, "UID ", ')'));
        let uid = uid.and_then(|uid| uid.trim_end_matches(')').parse().ok());
        let flags = between(line, "FLAGS (", ')').map(|flags| {
            let some = |flag: &&str| !flag.is_empty() && *flag != "\\Recent";
            flags.split(' ').filter(some).map(str::to_owned).collect::<BTreeSet<_>>()
        });
        self.fetched(number, uid, flags, line);
        let modseq = between(line, "MODSEQ (", ')').and_then(|number| number.parse().ok());
        self.fetched = self.fetched.max(modseq.unwrap_or_default());
        let label = between(line, "ENVELOPE (NIL \"", '"');
        if let (Some(label), Some(uid), Some(validity)) = (label, uid, self.validity) {
            given.is_labelled(validity, uid, label, line);
        }
    }

    pub(crate) fn exists(&mut self, count: usize, line: &str) {
        assert!(count >= self.messages.len(), "EXISTS never shrinks: {line}");
        self.at_first.get_or_insert(count);
        self.messages.resize_with(count, Message::default);
    }

    pub(crate) fn expunge(&mut self, number: usize, line: &str) {
        assert!((1..=self.messages.len()).contains(&number), "there is no such number: {line}");
        self.messages.remove(number - 1);
    }

    /// RFC 7162 §3.2.10.2: with QRESYNC UIDs are named; those that are not known yet may be anywhere.
    pub(crate) fn vanished(&mut self, uids: &[u32], line: &str) {
        for uid in uids {
            self.there.remove(uid);
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

    fn fetched(
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
    pub(crate) fn changed(&mut self, by_uid: bool, number: u32, sign: char, flag: &str) {
        let found = match by_uid {
            true => self.messages.iter_mut().find(|message| message.uid == Some(number)),
            false => self.messages.get_mut(number as usize - 1),
        };
        if let Some(flags) = found.and_then(|message| message.flags.as_mut()) {
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
