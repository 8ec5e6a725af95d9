//! What SEARCH, SORT and THREAD find (RFC 9051 §7.3, RFC 4731, RFC 5256), told in pages as it is read.
//! At most one such command is due at a time, so that results need not say whose they are.

use alloc::vec::Vec;

use super::Client;
use super::calls::Kind;
use super::scan::{Scan, Token, number, push_uid, uid_set};
use super::types::{Event, Found, SearchCount, Sorted, ThreadRow, Threaded};
use crate::imap::types::UidRun;
use crate::role::Cx;

/// Runs in one event.
const RUNS_MAX: usize = 1024;
/// Messages in one event.
const ROWS_MAX: usize = 4096;

impl Client {
    /// The search that is due, if it is one of these.
    fn search(&mut self) -> Option<&mut SearchCount> {
        self.common.sent.iter_mut().find_map(|sent| match &mut sent.kind {
            Kind::Search(count) => Some(count),
            _ => None,
        })
    }

    fn due(&self, kind: Kind) -> Option<u32> {
        self.common.sent.iter().find(|sent| sent.kind == kind).map(|sent| sent.end.call)
    }

    /// `"SEARCH" *(SP nz-number) [SP "(" "MODSEQ" SP mod-sequence-value ")"]`
    pub(super) fn searched(mut self, cx: &mut Cx<Self>, scan: &mut Scan<'_>) -> Self {
        let Some(count) = self.search() else { return self };
        let mut runs = Vec::new();
        loop {
            match scan.next() {
                Token::Atom(word) => {
                    let Some(uid) = number(word).filter(|uid| *uid > 0) else { continue };
                    count_one(count, uid, uid);
                    push_uid(&mut runs, uid);
                    if runs.len() > RUNS_MAX {
                        let last = runs.split_off(RUNS_MAX);
                        tell(cx, count.call, core::mem::replace(&mut runs, last));
                    }
                }
                Token::Open => {
                    if scan.string().is_some_and(|word| word.eq_ignore_ascii_case(b"MODSEQ")) {
                        count.modseq = scan.number();
                    }
                    scan.leave();
                }
                Token::End => break,
                _ => {}
            }
        }
        tell(cx, count.call, runs);
        self
    }

    /// `"ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)`
    pub(super) fn esearched(mut self, cx: &mut Cx<Self>, scan: &mut Scan<'_>) -> Self {
        let Some(count) = self.search() else { return self };
        if scan.open() {
            scan.leave();
        }
        let mut told = None;
        while let Token::Atom(name) = scan.next() {
            match &name.to_ascii_uppercase()[..] {
                b"UID" => {}
                b"ALL" => {
                    let runs = uid_set(&scan.string().unwrap_or_default());
                    for run in &runs {
                        count_one(count, run.first, run.last);
                    }
                    for page in runs.chunks(RUNS_MAX) {
                        tell(cx, count.call, page.to_vec());
                    }
                }
                b"COUNT" => told = scan.number().and_then(|n| u32::try_from(n).ok()),
                b"MIN" => count.min = scan.number().and_then(|n| u32::try_from(n).ok()),
                b"MAX" => count.max = scan.number().and_then(|n| u32::try_from(n).ok()),
                b"MODSEQ" => count.modseq = scan.number(),
                _ => scan.skip(),
            }
        }
        count.count = told.unwrap_or(count.count);
        self
    }

    /// `"SORT" *(SP nz-number)`
    pub(super) fn sorted(self, cx: &mut Cx<Self>, scan: &mut Scan<'_>) -> Self {
        let Some(call) = self.due(Kind::Sort) else { return self };
        let mut uids = Vec::new();
        loop {
            match scan.next() {
                Token::Atom(word) => uids.extend(number(word).filter(|uid| *uid > 0)),
                // RFC 7162 §3.1.5: a mod-sequence may stand behind them.
                Token::Open => scan.leave(),
                Token::End => break,
                _ => {}
            }
            if uids.len() >= ROWS_MAX {
                cx.event(Event::Sorted(Sorted { call, uids: core::mem::take(&mut uids) }));
            }
        }
        if !uids.is_empty() {
            cx.event(Event::Sorted(Sorted { call, uids }));
        }
        self
    }

    /// `"THREAD" [SP 1*thread-list]`
    pub(super) fn threaded(self, cx: &mut Cx<Self>, scan: &mut Scan<'_>) -> Self {
        let Some(call) = self.due(Kind::Thread) else { return self };
        let mut rows = Vec::new();
        threads(scan, |row| {
            rows.push(row);
            if rows.len() >= ROWS_MAX {
                cx.event(Event::Threaded(Threaded { call, rows: core::mem::take(&mut rows) }));
            }
        });
        if !rows.is_empty() {
            cx.event(Event::Threaded(Threaded { call, rows }));
        }
        self
    }
}

fn count_one(count: &mut SearchCount, first: u32, last: u32) {
    count.count = count.count.saturating_add((last - first).saturating_add(1));
    count.min = Some(count.min.map_or(first, |min| min.min(first)));
    count.max = Some(count.max.map_or(last, |max| max.max(last)));
}

fn tell(cx: &mut Cx<Client>, call: u32, uids: Vec<UidRun>) {
    if !uids.is_empty() {
        cx.event(Event::Found(Found { call, uids }));
    }
}

/// `thread-list = "(" (thread-members / thread-nested) ")"`: each message answers the one before it, and lists that
/// follow one another answer the same one. The stack is ours: one number for each list that is open.
fn threads(scan: &mut Scan<'_>, mut tell: impl FnMut(ThreadRow)) {
    let mut outer: Vec<u32> = Vec::new();
    let mut depth = 0u32;
    let mut fresh = false;
    loop {
        match scan.next() {
            Token::Open => {
                if fresh {
                    // RFC 5256 §4: lists that begin a list answer a message that is not there.
                    tell(ThreadRow { depth, uid: 0 });
                    depth = depth.saturating_add(1);
                }
                outer.push(depth);
                fresh = true;
            }
            Token::Close => {
                depth = outer.pop().unwrap_or(0);
                fresh = false;
            }
            Token::Atom(word) => {
                if let Some(uid) = number(word) {
                    tell(ThreadRow { depth, uid });
                    depth = depth.saturating_add(1);
                }
                fresh = false;
            }
            Token::End => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::Piece;
    use super::*;

    #[test]
    fn threads_are_rows_with_depths() {
        let rows = |text: &str| {
            let pieces = [Piece::Text(text.as_bytes().to_vec())];
            let mut rows = Vec::new();
            threads(&mut Scan::new(&pieces), |row| rows.push((row.depth, row.uid)));
            rows
        };
        // RFC 5256 §4, its own examples.
        assert_eq!(
            rows("(2)(3 6 (4 23)(44 7 96))"),
            [(0, 2), (0, 3), (1, 6), (2, 4), (3, 23), (2, 44), (3, 7), (4, 96)]
        );
        assert_eq!(rows("((3)(5))"), [(0, 0), (1, 3), (1, 5)]);
        assert_eq!(rows(""), []);
        assert_eq!(rows(")) 1 x (2"), [(0, 1), (1, 2)]);
        assert_eq!(rows(&"(".repeat(10_000)).len(), 9999);
    }
}
