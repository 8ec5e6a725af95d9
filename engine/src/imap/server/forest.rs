//! Threads of messages (RFC 5256 §3): both algorithms, on messages that are given one by one. What a
//! message says of itself is read by `thread`, which also bounds how many there are.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::text::number::push_decimal;

/// No node.
const NONE: u32 = u32::MAX;
/// Ancestors that are looked at for loops, for all links of one message; what would need more is not linked.
const ANCESTORS_MAX: usize = 4096;

/// What a message says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) uid: u32,
    /// RFC 5256 §2.2, in milliseconds.
    pub(crate) sent_ms: i64,
    /// Stands for the base subject; 0 for an empty one.
    pub(crate) subject: u64,
    /// RFC 5256 §3: its subject says that it is a reply or a forward.
    pub(crate) is_reply: bool,
    /// Stands for its Message ID, if it has one.
    pub(crate) id: Option<u64>,
    /// Stand for the Message IDs that it refers to, the oldest first.
    pub(crate) references: Vec<u64>,
}

/// A message, or a dummy for one that is only referred to.
#[derive(Clone, Debug)]
struct Node {
    id: u64,
    /// Of a dummy at the top, that of its first child.
    sent_ms: i64,
    subject: u64,
    parent: u32,
    /// The first of its children.
    child: u32,
    /// The next of its siblings.
    next: u32,
    /// 0 for a dummy.
    uid: u32,
    /// What decides between equal dates: the UID, of a dummy its first child's.
    order: u32,
    is_reply: bool,
    /// It was some node's parent, and may be it still.
    was_parent: bool,
}

/// Messages linked as the algorithm REFERENCES does it. Until all have come only parents are known: lists of children
/// would have to be searched whenever a message takes another parent.
#[derive(Debug, Default)]
pub(crate) struct Forest {
    nodes: Vec<Node>,
    /// Places of nodes by their ids: open addressing, at most half full.
    table: Vec<u32>,
}

impl Forest {
    /// With room for so many messages.
    pub(crate) fn of(messages: usize) -> Self {
        let table = alloc::vec![NONE; messages.saturating_mul(2).next_power_of_two().max(256)];
        Self { nodes: Vec::with_capacity(messages), table }
    }

    /// How many nodes there are, dummies included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Step 1: a message, in the order of their numbers.
    pub(crate) fn add(&mut self, facts: &Facts) {
        let node = self.node_of_message(facts);
        let (mut before, mut left) = (NONE, ANCESTORS_MAX);
        for &id in &facts.references {
            let this = self.node_of(id);
            // Step 1 A: a link that is there stays.
            if before != NONE && self.at(this).parent == NONE {
                self.set_parent(this, before, &mut left);
            }
            before = this;
        }
        // Step 1 B: a link that is there came of a message whose references were cut.
        self.at_mut(node).parent = NONE;
        if before != NONE {
            self.set_parent(node, before, &mut left);
        }
    }

    fn at(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    fn at_mut(&mut self, node: u32) -> &mut Node {
        &mut self.nodes[node as usize]
    }

    fn node_of_message(&mut self, facts: &Facts) -> u32 {
        let known = facts.id.map(|id| self.node_of(id));
        let node = match known {
            // The first message with an id has it; others get one of their own.
            Some(node) if self.at(node).uid == 0 => node,
            _ => self.push(0),
        };
        let Facts { uid, sent_ms, subject, is_reply, .. } = *facts;
        let filled = self.at_mut(node);
        (filled.uid, filled.order, filled.sent_ms) = (uid, uid, sent_ms);
        (filled.subject, filled.is_reply) = (subject, is_reply);
        node
    }

    fn push(&mut self, id: u64) -> u32 {
        let node = Node {
            id,
            sent_ms: 0,
            subject: 0,
            parent: NONE,
            child: NONE,
            next: NONE,
            uid: 0,
            order: 0,
            is_reply: false,
            was_parent: false,
        };
        if self.nodes.len() == self.nodes.capacity() {
            // Doubling would need three times the memory of many nodes.
            self.nodes.reserve_exact((self.nodes.len() / 4).max(64));
        }
        self.nodes.push(node);
        u32::try_from(self.nodes.len() - 1).expect("their number is bounded")
    }

    /// The node with an id; a dummy is made for a new one.
    fn node_of(&mut self, id: u64) -> u32 {
        if self.nodes.len() * 2 >= self.table.len() {
            self.grow_table();
        }
        let mask = self.table.len() - 1;
        let mut slot = id as usize & mask;
        loop {
            match self.table[slot] {
                NONE => {
                    let node = self.push(id);
                    self.table[slot] = node;
                    return node;
                }
                node if self.at(node).id == id => return node,
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    fn grow_table(&mut self) {
        let old = core::mem::take(&mut self.table);
        let size = (old.len() * 2).max(256);
        self.table = alloc::vec![NONE; size];
        for node in old.into_iter().filter(|node| *node != NONE) {
            let mut slot = self.at(node).id as usize & (size - 1);
            while self.table[slot] != NONE {
                slot = (slot + 1) & (size - 1);
            }
            self.table[slot] = node;
        }
    }

    /// Gives a node without a parent this one, unless that makes a loop; of so many ancestors as are `left`.
    fn set_parent(&mut self, child: u32, parent: u32, left: &mut usize) {
        if child == parent || self.at(child).was_parent && !self.is_apart(child, parent, left) {
            return;
        }
        self.at_mut(child).parent = parent;
        self.at_mut(parent).was_parent = true;
    }

    /// Whether `above` is no ancestor of a node.
    fn is_apart(&self, above: u32, node: u32, left: &mut usize) -> bool {
        let mut node = node;
        while node != NONE && node != above && *left > 0 {
            *left -= 1;
            node = self.at(node).parent;
        }
        node == NONE
    }

    fn link(&mut self, parent: u32, child: u32) {
        let next = self.at(parent).child;
        (self.at_mut(child).parent, self.at_mut(child).next) = (parent, next);
        self.at_mut(parent).child = child;
    }

    /// Makes the lists of children of what is known of parents.
    fn link_all(&mut self) {
        for node in 0..u32::try_from(self.nodes.len()).expect("their number is bounded") {
            let parent = self.at(node).parent;
            if parent != NONE {
                self.link(parent, node);
            }
        }
    }

    fn children(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.at(node).child;
        core::iter::successors((first != NONE).then_some(first), |node| {
            let next = self.at(*node).next;
            (next != NONE).then_some(next)
        })
    }

    /// Steps 2 to 6: the threads, in order.
    pub(crate) fn finish(mut self) -> Threads {
        self.table = Vec::new();
        self.link_all();
        let mut roots: Vec<u32> = self.prune();
        for &root in &roots {
            self.stand_in(root);
        }
        // Step 4
        let mut sorted = core::mem::take(&mut roots);
        self.in_order(&mut sorted);
        let roots = self.gather(sorted);
        self.sort_all(roots)
    }

    fn place(&self, node: u32) -> (i64, u32) {
        (self.at(node).sent_ms, self.at(node).order)
    }

    fn in_order(&self, nodes: &mut [u32]) {
        nodes.sort_by_key(|node| self.place(*node));
    }

    /// Step 3: dummies give way to their children; those at the top only to a single one.
    fn prune(&mut self) -> Vec<u32> {
        // Parents before children; from the end, children are done before their parents.
        let all = 0..u32::try_from(self.nodes.len()).expect("their number is bounded");
        let mut order: Vec<u32> = all.filter(|node| self.at(*node).parent == NONE).collect();
        let roots = order.len();
        let mut next = 0;
        while next < order.len() {
            order.extend(self.children(order[next]));
            next += 1;
        }
        // The last of each node's children, so that lists are joined without a walk.
        let mut last: Vec<u32> = alloc::vec![NONE; self.nodes.len()];
        for &node in order.iter().rev() {
            self.prune_children(node, &mut last);
        }
        let mut kept = Vec::new();
        for &root in &order[..roots] {
            let child = self.at(root).child;
            if self.at(root).uid > 0 {
                kept.push(root);
            } else if child != NONE && self.at(child).next == NONE {
                (self.at_mut(child).parent, self.at_mut(root).child) = (NONE, NONE);
                kept.push(child);
            } else if child != NONE {
                kept.push(root);
            }
        }
        kept
    }

    fn prune_children(&mut self, node: u32, last: &mut [u32]) {
        let (mut first, mut end) = (NONE, NONE);
        let mut child = self.at(node).child;
        while child != NONE {
            let next = self.at(child).next;
            let (head, tail) = match self.at(child).uid {
                // What is deleted must not lead to its children any more.
                0 => {
                    (core::mem::replace(&mut self.at_mut(child).child, NONE), last[child as usize])
                }
                _ => (child, child),
            };
            if head != NONE {
                match end {
                    NONE => first = head,
                    end => self.at_mut(end).next = head,
                }
                self.at_mut(tail).next = NONE;
                end = tail;
            }
            child = next;
        }
        self.at_mut(node).child = first;
        last[node as usize] = end;
    }

    /// A dummy at the top goes by its first child, by date.
    fn stand_in(&mut self, node: u32) {
        if self.at(node).uid > 0 {
            return;
        }
        let first = self.children(node).min_by_key(|child| self.place(*child));
        if let Some(first) = first {
            let Node { sent_ms, order, subject, .. } = *self.at(first);
            let dummy = self.at_mut(node);
            (dummy.sent_ms, dummy.order, dummy.subject) = (sent_ms, order, subject);
        }
    }

    /// Step 5: threads at the top with one base subject become one.
    fn gather(&mut self, roots: Vec<u32>) -> Vec<u32> {
        let mut table: BTreeMap<u64, u32> = BTreeMap::new();
        for &root in &roots {
            let subject = self.at(root).subject;
            if subject == 0 {
                continue;
            }
            let this = self.at(root);
            table
                .entry(subject)
                .and_modify(|other| {
                    let known = &self.nodes[*other as usize];
                    let replaces = this.uid == 0 || (known.is_reply && !this.is_reply);
                    if known.uid > 0 && replaces {
                        *other = root;
                    }
                })
                .or_insert(root);
        }
        let mut gathered = Vec::with_capacity(roots.len());
        let mut moved: Vec<bool> = alloc::vec![false; self.nodes.len()];
        for root in roots {
            let Some(other) = table.get_mut(&self.at(root).subject).filter(|o| **o != root) else {
                gathered.push(root);
                continue;
            };
            let (this, known) = (self.at(root), &self.nodes[*other as usize]);
            let is_dummy = (this.uid == 0, known.uid == 0);
            let below = this.is_reply && !known.is_reply;
            let known = *other;
            match is_dummy {
                (true, true) => {
                    let children: Vec<u32> = self.children(root).collect();
                    children.into_iter().for_each(|child| self.link(known, child));
                    self.at_mut(root).child = NONE;
                }
                (false, true) => self.link(known, root),
                (false, false) if below => self.link(known, root),
                _ => {
                    let subject = self.at(root).subject;
                    let dummy = self.push(0);
                    self.at_mut(dummy).subject = subject;
                    self.link(dummy, known);
                    self.link(dummy, root);
                    *other = dummy;
                    gathered.push(dummy);
                    moved[known as usize] = true;
                }
            }
            // What was promoted before keeps no place of its own at the top.
            moved[root as usize] = true;
            moved.resize(self.nodes.len(), false);
        }
        gathered.retain(|node| !moved[*node as usize]);
        gathered
    }

    /// Step 6: siblings by date, those at the top last.
    fn sort_all(mut self, mut roots: Vec<u32>) -> Threads {
        for node in 0..self.nodes.len() {
            let node = u32::try_from(node).expect("their number is bounded");
            if self.at(node).child == NONE {
                continue;
            }
            let mut children: Vec<u32> = self.children(node).collect();
            self.in_order(&mut children);
            let mut next = NONE;
            for &child in children.iter().rev() {
                self.at_mut(child).next = next;
                next = child;
            }
            self.at_mut(node).child = next;
        }
        for &root in &roots {
            self.stand_in(root);
        }
        self.in_order(&mut roots);
        roots.reverse();
        Threads { due: roots.into_iter().map(Due::Begin).collect(), nodes: self.nodes }
    }
}

/// ORDEREDSUBJECT: each subject is a thread, and all but its first message are children of that.
pub(crate) fn by_subject(mut messages: Vec<(u64, i64, u32)>) -> Threads {
    messages.sort_unstable();
    let mut forest = Forest::default();
    let mut roots: Vec<u32> = Vec::new();
    let mut last = NONE;
    for (at, &(subject, sent_ms, uid)) in messages.iter().enumerate() {
        let node = forest.push(0);
        let new = forest.at_mut(node);
        (new.uid, new.order, new.sent_ms) = (uid, uid, sent_ms);
        match roots.last() {
            Some(&root) if messages[at - 1].0 == subject => {
                let before = if last == root {
                    &mut forest.at_mut(root).child
                } else {
                    &mut forest.at_mut(last).next
                };
                *before = node;
            }
            _ => roots.push(node),
        }
        last = node;
    }
    forest.in_order(&mut roots);
    roots.reverse();
    Threads { due: roots.into_iter().map(Due::Begin).collect(), nodes: forest.nodes }
}

/// Threads that are being told.
#[derive(Debug)]
pub(crate) struct Threads {
    nodes: Vec<Node>,
    /// What is still to be told, last first.
    due: Vec<Due>,
}

#[derive(Clone, Copy, Debug)]
enum Due {
    /// A list that begins with this node.
    Begin(u32),
    /// This node, within a list; whether a number stands before it.
    Member(u32, bool),
    /// The end of a list.
    End,
}

impl Threads {
    pub(crate) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// Adds the next piece of `1*thread-list`; false if there is none.
    pub(crate) fn tell(&mut self, number: impl Fn(u32) -> u32, out: &mut Vec<u8>) -> bool {
        let Some(due) = self.due.pop() else { return false };
        match due {
            Due::Begin(node) => {
                out.push(b'(');
                self.due.push(Due::Member(node, false));
            }
            Due::End => out.push(b')'),
            Due::Member(node, follows) => self.tell_member(node, follows, number, out),
        }
        true
    }

    fn tell_member(
        &mut self,
        node: u32,
        follows: bool,
        number: impl Fn(u32) -> u32,
        out: &mut Vec<u8>,
    ) {
        let Node { uid, child, .. } = self.nodes[node as usize];
        if uid > 0 {
            if follows {
                out.push(b' ');
            }
            push_decimal(out, u64::from(number(uid)));
        }
        let follows = follows || uid > 0;
        if child == NONE {
            out.push(b')');
        } else if self.nodes[child as usize].next == NONE {
            self.due.push(Due::Member(child, follows));
        } else {
            // `thread-nested = 2*thread-list`
            if follows {
                out.push(b' ');
            }
            self.due.push(Due::End);
            let from = self.due.len();
            let mut next = child;
            while next != NONE {
                self.due.push(Due::Begin(next));
                next = self.nodes[next as usize].next;
            }
            self.due[from..].reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn told(mut threads: Threads) -> String {
        let mut out = Vec::new();
        while threads.tell(|uid| uid, &mut out) {}
        String::from_utf8(out).expect("numbers and parentheses")
    }

    /// Messages as (UID, date, subject, reply, id, references), with letters for subjects and ids.
    fn message(uid: u32, sent: i64, subject: &str, id: u64, references: &[u64]) -> Facts {
        let is_reply = subject.starts_with("Re:");
        let subject = subject.trim_start_matches("Re:").bytes().next().map_or(0, u64::from);
        let id = (id > 0).then_some(id);
        Facts { uid, sent_ms: sent, subject, is_reply, id, references: references.to_vec() }
    }

    fn threads(messages: &[Facts]) -> String {
        let mut forest = Forest::default();
        messages.iter().for_each(|message| forest.add(message));
        told(forest.finish())
    }

    #[test]
    fn references_make_parents_and_children() {
        assert_eq!(threads(&[]), "");
        assert_eq!(
            threads(&[
                message(1, 10, "a", 1, &[]),
                message(2, 20, "Re:a", 2, &[1]),
                message(3, 30, "Re:a", 3, &[1, 2]),
                message(4, 25, "Re:a", 4, &[1]),
                message(5, 5, "b", 5, &[]),
            ]),
            "(5)(1 (2 3)(4))"
        );
        // A parent that is not there.
        assert_eq!(
            threads(&[message(1, 10, "Re:a", 1, &[9]), message(2, 20, "Re:a", 2, &[9])]),
            "((1)(2))"
        );
        assert_eq!(threads(&[message(1, 10, "a", 1, &[8, 9])]), "(1)");
        // Later messages may be parents of earlier ones.
        assert_eq!(
            threads(&[message(1, 30, "Re:a", 1, &[2]), message(2, 10, "a", 2, &[])]),
            "(2 1)"
        );
    }

    #[test]
    fn dummies_between_give_way() {
        assert_eq!(
            threads(&[
                message(1, 10, "a", 1, &[]),
                message(2, 20, "b", 2, &[1, 7, 8]),
                message(3, 30, "c", 3, &[1, 7]),
            ]),
            "(1 (2)(3))"
        );
    }

    #[test]
    fn loops_and_doubles_do_no_harm() {
        assert_eq!(threads(&[message(1, 10, "a", 1, &[2]), message(2, 20, "b", 2, &[1])]), "(2 1)");
        assert_eq!(threads(&[message(1, 10, "a", 1, &[1])]), "(1)");
        assert_eq!(
            threads(&[
                message(1, 10, "a", 1, &[]),
                message(2, 20, "b", 1, &[]),
                message(3, 30, "c", 3, &[1]),
                message(4, 40, "d", 0, &[1, 3]),
            ]),
            "(1 3 4)(2)"
        );
    }

    #[test]
    fn the_last_reference_counts_over_what_others_said() {
        // 3 says that 2 is a child of 1; 2 itself says that it is none.
        assert_eq!(
            threads(&[
                message(1, 10, "a", 1, &[]),
                message(3, 30, "c", 3, &[1, 2]),
                message(2, 20, "b", 2, &[]),
            ]),
            "(1)(2 3)"
        );
    }

    #[test]
    fn threads_with_one_subject_are_gathered() {
        // A reply goes below what it replies to, whichever comes first.
        assert_eq!(
            threads(&[message(1, 10, "Re:a", 1, &[]), message(2, 20, "a", 2, &[])]),
            "(2 1)"
        );
        // Two of a kind get a dummy.
        assert_eq!(
            threads(&[
                message(1, 10, "a", 1, &[]),
                message(2, 20, "a", 2, &[]),
                message(3, 15, "b", 3, &[]),
                message(4, 30, "Re:a", 4, &[]),
            ]),
            "((1)(2)(4))(3)"
        );
        // Both are dummies: their children are siblings.
        assert_eq!(
            threads(&[
                message(1, 10, "Re:a", 1, &[8]),
                message(2, 20, "Re:a", 2, &[8]),
                message(3, 30, "Re:a", 3, &[9]),
                message(4, 40, "Re:a", 4, &[9]),
            ]),
            "((1)(2)(3)(4))"
        );
        // An empty subject gathers nothing.
        assert_eq!(threads(&[message(1, 10, "", 1, &[]), message(2, 20, "", 2, &[])]), "(1)(2)");
    }

    #[test]
    fn subjects_alone() {
        let messages = [(7, 10, 1), (8, 5, 2), (7, 30, 3), (7, 20, 4), (9, 1, 5), (8, 5, 6)];
        assert_eq!(told(by_subject(messages.to_vec())), "(5)(2 6)(1 (4)(3))");
        assert_eq!(told(by_subject(Vec::new())), "");
    }

    #[test]
    fn every_message_is_told_once_whatever_the_references() {
        let mut state = 3u64;
        let mut random = move |end: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_041);
            (state >> 33) % end
        };
        for round in 0..300 {
            let count = 1 + random(40) as u32;
            let messages: Vec<Facts> = (1..=count)
                .map(|uid| {
                    let references: Vec<u64> = (0..random(5)).map(|_| 1 + random(30)).collect();
                    let subject = ["a", "Re:a", "b", "Re:b", ""][random(5) as usize];
                    message(uid, random(100) as i64, subject, random(30), &references)
                })
                .collect();
            let text = threads(&messages);
            let mut seen: Vec<u32> = text
                .split(['(', ')', ' '])
                .filter(|word| !word.is_empty())
                .map(|word| word.parse().expect("a number"))
                .collect();
            seen.sort_unstable();
            assert_eq!(seen, (1..=count).collect::<Vec<_>>(), "round {round}: {text}");
            assert!(!text.contains("()") && !text.contains("( "), "round {round}: {text}");
        }
    }

    #[test]
    fn deep_threads_take_no_stack_and_wide_ones_no_square() {
        let deep: Vec<Facts> = (2..=20_000)
            .map(|uid| message(uid, 1, "", u64::from(uid), &[u64::from(uid) - 1]))
            .collect();
        assert!(threads(&deep).starts_with("(2 3 4"));
        let wide: Vec<Facts> = (1..=20_000).map(|uid| message(uid, 1, "a", 0, &[7])).collect();
        assert!(threads(&wide).starts_with("((1)(2)"));
    }
}
