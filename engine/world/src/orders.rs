//! Orders of messages, as sessions told them (RFC 5256): kept in memory for whoever sorts the same mailbox again, within
//! a bound, those that were used last. Nothing depends on them; what is not kept is sorted by the session.
//!
//! A key is octets that the session made of a message. An order that was told wrong shows the messages of that mailbox
//! in that wrong order, and nothing else.

use std::collections::BTreeMap;

use pillarbox_engine::imap::types::{OrderAsk, OrderPage, SortKeys, UidRun};

use crate::store::MailboxId;

/// Octets that an order's name has at most.
const NAME_MAX: usize = 16;
/// Octets of memory that a key takes beside its own: its place, and its UID.
const KEY_COST: usize = 12;
/// Octets that a key takes at least, to judge from their number what an order will take.
const KEY_GUESS: usize = KEY_COST + 8;
/// Octets of the keys of one order: their places are numbers of 32 bits.
const ORDER_MAX: usize = u32::MAX as usize;

/// Orders of mailboxes.
#[derive(Clone, Debug)]
pub struct Orders {
    kept: BTreeMap<(MailboxId, Vec<u8>), Order>,
    octets: usize,
    octets_max: usize,
    uses: u64,
}

#[derive(Clone, Debug, Default)]
struct Order {
    /// Keys, one after the other as they came.
    octets: Vec<u8>,
    /// Where each begins and how long it is; in order, but for those that came since somebody asked.
    keys: Vec<(u32, u32)>,
    /// Their UIDs, ascending, but for those.
    uids: Vec<u32>,
    /// How many are in order.
    sorted: usize,
    used: u64,
}

impl Orders {
    /// Of all together at most so many octets; of one, half of that.
    #[must_use]
    pub fn new(octets_max: usize) -> Self {
        Self { kept: BTreeMap::new(), octets: 0, octets_max, uses: 0 }
    }

    /// A page of an order; `None`: it would be too large.
    pub fn page(&mut self, mailbox: MailboxId, ask: &OrderAsk) -> Option<OrderPage> {
        let wanted: u64 = ask.uids.iter().map(|run| u64::from(run.last - run.first) + 1).sum();
        let guess = wanted.saturating_mul(KEY_GUESS as u64);
        if guess > self.octets_max as u64 / 2 || ask.by.len() > NAME_MAX {
            return None;
        }
        self.uses += 1;
        let Some(order) = self.kept.get_mut(&(mailbox, ask.by.clone())) else {
            return Some(OrderPage { unknown: ask.uids.clone(), ..OrderPage::default() });
        };
        order.used = self.uses;
        order.sort();
        let unknown = order.lacking(&ask.uids);
        if !unknown.is_empty() {
            return Some(OrderPage { unknown, ..OrderPage::default() });
        }
        let (skip, max) = (usize::try_from(ask.skip).unwrap_or(usize::MAX), ask.max as usize);
        Some(if order.uids.len() as u64 == wanted {
            order.page(skip, max)
        } else {
            order.page_of(&ask.uids, skip, max)
        })
    }

    /// Keeps keys; false if there is no room for this order, of which all is forgotten then.
    pub fn keep(&mut self, mailbox: MailboxId, told: SortKeys) -> bool {
        if told.by.len() > NAME_MAX {
            return false;
        }
        self.uses += 1;
        let name = (mailbox, told.by);
        let order = self.kept.entry(name.clone()).or_default();
        let before = order.memory();
        order.used = self.uses;
        order.add(&told.keys);
        let memory = order.memory();
        self.octets = self.octets - before + memory;
        if memory > (self.octets_max / 2).min(ORDER_MAX) {
            self.forget(&name);
            return false;
        }
        while self.octets > self.octets_max {
            let oldest = self.kept.iter().min_by_key(|(_, order)| order.used);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { break };
            self.forget(&oldest);
        }
        true
    }

    fn forget(&mut self, name: &(MailboxId, Vec<u8>)) {
        if let Some(order) = self.kept.remove(name) {
            self.octets -= order.memory();
        }
    }
}

impl Order {
    /// Of these, those whose keys are not here.
    fn lacking(&self, runs: &[UidRun]) -> Vec<UidRun> {
        let mut lacking = Vec::new();
        for run in runs {
            let from = self.uids.partition_point(|uid| *uid < run.first);
            let mut next = u64::from(run.first);
            for &uid in self.uids[from..].iter().take_while(|uid| **uid <= run.last) {
                put_run(&mut lacking, next, u64::from(uid));
                next = u64::from(uid) + 1;
            }
            put_run(&mut lacking, next, u64::from(run.last) + 1);
        }
        lacking
    }

    /// A page where all messages are wanted: each page of a long answer costs what it has, not what there is.
    fn page(&self, skip: usize, max: usize) -> OrderPage {
        let uid = |key: &(u32, u32)| uid_of(self.key(*key));
        OrderPage {
            unknown: Vec::new(),
            uids: self.keys.iter().skip(skip).take(max).map(uid).collect(),
            first: self.keys.first().map(uid).unwrap_or_default(),
            last: self.keys.last().map(uid).unwrap_or_default(),
        }
    }

    /// A page of some of them.
    fn page_of(&self, wanted: &[UidRun], skip: usize, max: usize) -> OrderPage {
        let uid = |key: &(u32, u32)| uid_of(self.key(*key));
        let uids = || self.keys.iter().map(uid).filter(|uid| contains(wanted, *uid));
        let last = self.keys.iter().rev().map(uid).find(|uid| contains(wanted, *uid));
        OrderPage {
            unknown: Vec::new(),
            uids: uids().skip(skip).take(max).collect(),
            first: uids().next().unwrap_or_default(),
            last: last.unwrap_or_default(),
        }
    }

    fn memory(&self) -> usize {
        self.octets.len() + self.keys.len() * KEY_COST
    }

    fn key(&self, (start, length): (u32, u32)) -> &[u8] {
        let start = start as usize;
        self.octets.get(start..start + length as usize).unwrap_or_default()
    }

    /// Adds keys at the end: a session tells them in many parts, and asks when all are told.
    fn add(&mut self, keys: &[Vec<u8>]) {
        for key in keys {
            let uid = uid_of(key);
            let place = (u32::try_from(self.octets.len()), u32::try_from(key.len()));
            let is_new = || self.uids[..self.sorted].binary_search(&uid).is_err();
            if let (Ok(start), Ok(length)) = place
                && uid > 0
                && is_new()
            {
                self.octets.extend_from_slice(key);
                self.keys.push((start, length));
                self.uids.push(uid);
            }
        }
    }

    fn sort(&mut self) {
        if self.sorted == self.keys.len() {
            return;
        }
        // Stable, so that what was in order is only merged. The session names each message once; if two sessions told the
        // same at once, their keys are equal and stand side by side.
        let mut keys = std::mem::take(&mut self.keys);
        keys.sort_by(|a, b| self.key(*a).cmp(self.key(*b)));
        keys.dedup_by(|a, b| uid_of(self.key(*a)) == uid_of(self.key(*b)));
        self.keys = keys;
        self.uids.sort();
        self.uids.dedup();
        self.sorted = self.keys.len();
    }
}

/// The UID that a key ends with; 0, which is none, of one that is too short.
fn uid_of(key: &[u8]) -> u32 {
    key.last_chunk().map_or(0, |octets| u32::from_be_bytes(*octets))
}

fn contains(runs: &[UidRun], uid: u32) -> bool {
    let at = runs.partition_point(|run| run.last < uid);
    runs.get(at).is_some_and(|run| run.first <= uid)
}

/// Adds `from..end`, which may be empty.
fn put_run(runs: &mut Vec<UidRun>, from: u64, end: u64) {
    if from < end
        && let (Ok(first), Ok(last)) = (u32::try_from(from), u32::try_from(end - 1))
    {
        runs.push(UidRun { first, last });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str, uid: u32) -> Vec<u8> {
        [text.as_bytes(), &uid.to_be_bytes()].concat()
    }

    fn told(keys: &[(&str, u32)]) -> SortKeys {
        let keys = keys.iter().map(|(text, uid)| key(text, *uid)).collect();
        SortKeys { by: b"x".to_vec(), keys }
    }

    fn run(first: u32, last: u32) -> UidRun {
        UidRun { first, last }
    }

    fn ask(uids: &[UidRun], skip: u64, max: u32) -> OrderAsk {
        OrderAsk { by: b"x".to_vec(), uids: uids.to_vec(), skip, max }
    }

    #[test]
    fn what_was_told_in_parts_comes_back_in_order() {
        let mut orders = Orders::new(10_000);
        let page = orders.page(1, &ask(&[run(1, 3), run(7, 7)], 0, 9)).expect("there is room");
        assert_eq!(page.unknown, [run(1, 3), run(7, 7)]);
        assert!(orders.keep(1, told(&[("c", 1), ("a", 3)])));
        let page = orders.page(1, &ask(&[run(1, 3), run(7, 7)], 0, 9)).expect("there is room");
        assert_eq!(page.unknown, [run(2, 2), run(7, 7)]);
        assert!(page.uids.is_empty());
        assert!(orders.keep(1, told(&[("b", 7), ("d", 2), ("z", 3), ("", 0)])));
        let page = orders.page(1, &ask(&[run(1, 3), run(7, 7)], 1, 2)).expect("there is room");
        assert_eq!((page.uids, page.first, page.last), (vec![7, 1], 3, 2), "3 7 1 2");
        let page = orders.page(1, &ask(&[run(2, 2), run(7, 9)], 0, 9)).expect("there is room");
        assert_eq!(page.unknown, [run(8, 9)]);
        let page = orders.page(1, &ask(&[run(2, 2), run(7, 7)], 0, 9)).expect("there is room");
        assert_eq!((page.uids, page.first, page.last), (vec![7, 2], 7, 2));
        let other = orders.page(2, &ask(&[run(2, 2)], 0, 9)).expect("there is room");
        assert_eq!(other.unknown, [run(2, 2)], "another mailbox");
    }

    #[test]
    fn memory_is_bounded_and_what_was_used_last_stays() {
        let mut orders = Orders::new(4 * (KEY_COST + 5));
        assert!(orders.page(1, &ask(&[run(1, 100)], 0, 9)).is_none(), "it would be too large");
        assert!(orders.page(1, &ask(&[run(1, u32::MAX)], 0, 9)).is_none());
        for mailbox in 1..=4 {
            assert!(orders.keep(mailbox, told(&[("a", 1)])));
        }
        let knows = |orders: &mut Orders, mailbox| {
            orders.page(mailbox, &ask(&[run(1, 1)], 0, 9)).expect("small").unknown.is_empty()
        };
        assert!(knows(&mut orders, 1));
        assert!(orders.keep(5, told(&[("a", 1)])));
        assert!(knows(&mut orders, 1) && !knows(&mut orders, 2) && knows(&mut orders, 5));
        assert!(!orders.keep(1, told(&[("long enough to be too much for one", 2), ("b", 3)])));
        assert!(!knows(&mut orders, 1), "all of it is forgotten");
        let sum: usize = orders.kept.values().map(Order::memory).sum();
        assert_eq!(sum, orders.octets);
    }

    #[test]
    fn names_and_numbers_at_their_ends() {
        let mut orders = Orders::new(10_000);
        assert!(!orders.keep(1, SortKeys { by: vec![0; 17], keys: Vec::new() }));
        assert!(orders.page(1, &OrderAsk { by: vec![0; 17], ..OrderAsk::default() }).is_none());
        assert!(orders.keep(1, told(&[("a", u32::MAX)])));
        let page = orders.page(1, &ask(&[run(u32::MAX, u32::MAX)], 0, 1)).expect("small");
        assert_eq!(page.uids, [u32::MAX]);
        let none = orders.page(1, &ask(&[], 0, 1)).expect("nothing");
        assert_eq!((none.first, none.last), (0, 0));
    }
}
