//! What SEARCH, SORT and THREAD find (RFC 9051 §7.3, RFC 4731, RFC 5256), told in pages as it is read.
//! At most one such command is due at a time, so that results need not say whose they are.

use alloc::vec::Vec;

use super::Client;
use super::calls::{Context, Kind};
use super::scan::{Scan, Token, number, push_uid, uid_set};
use super::sending::tag_number;
use super::types::{
    Event, Found, FoundIn, Scored, SearchCount, Sorted, ThreadRow, Threaded, Updated,
};
use super::untagged::meaning;
use crate::imap::types::UidRun;
use crate::role::Cx;

/// Runs in one event.
const RUNS_MAX: usize = 1024;
/// Messages in one event.
const ROWS_MAX: usize = 4096;

impl Client {
    /// The search in the open mailbox that is due.
    fn search(&mut self) -> Option<&mut SearchCount> {
        self.common.sent.iter_mut().find_map(|sent| match &mut sent.kind {
            Kind::Search(count) => Some(count),
            _ => None,
        })
    }

    /// The search in several mailboxes that is due.
    fn multi_search(&self) -> Option<SearchCount> {
        self.common.sent.iter().find_map(|sent| match &sent.kind {
            Kind::MultiSearch(count) => Some(*count),
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
        let about = Correlator::read(scan, self.common.offered().utf8);
        let context = |context: &&Context| Some(context.tag) == about.tag;
        if let Some(context) = self.common.contexts.iter().find(context)
            && let Some((added, removed)) = changes(scan)
        {
            cx.event(Event::Updated(Updated { call: context.call, removed, added }));
            return self;
        }
        if let Some(SearchCount { call, .. }) = self.multi_search() {
            // RFC 7377 §2.1: each mailbox has a response of its own.
            let Correlator { name, uid_validity, .. } = about;
            cx.event(Event::FoundIn(FoundIn { call, name, uid_validity }));
            let mut count = SearchCount::of(call);
            read_esearch(cx, scan, &mut count);
            cx.event(Event::Counted(count));
        } else if let Some(count) = self.search() {
            read_esearch(cx, scan, count);
        }
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

/// `"(" "TAG" SP tag-string ["MAILBOX" SP astring "UIDVALIDITY" SP nz-number] ")"` (RFC 7377 §4)
#[derive(Default)]
struct Correlator {
    tag: Option<u32>,
    name: Vec<u8>,
    uid_validity: u32,
}

impl Correlator {
    fn read(scan: &mut Scan<'_>, utf8: bool) -> Self {
        let mut out = Self::default();
        if !scan.open() {
            return out;
        }
        while !scan.at_end() {
            let Some(word) = scan.string() else { continue };
            match &word.to_ascii_uppercase()[..] {
                b"TAG" => out.tag = scan.string().and_then(|tag| tag_number(&tag)),
                b"MAILBOX" => out.name = meaning(&scan.string().unwrap_or_default(), utf8),
                b"UIDVALIDITY" => {
                    let validity = scan.number().and_then(|n| u32::try_from(n).ok());
                    out.uid_validity = validity.unwrap_or(0);
                }
                _ => scan.skip(),
            }
        }
        scan.close();
        out
    }
}

/// `["UID"] *(SP search-return-data)`
fn read_esearch(cx: &mut Cx<Client>, scan: &mut Scan<'_>, count: &mut SearchCount) {
    let mut told = None;
    let small = |scan: &mut Scan<'_>| scan.number().and_then(|n| u32::try_from(n).ok());
    while let Token::Atom(name) = scan.next() {
        match &name.to_ascii_uppercase()[..] {
            b"UID" => {}
            b"ALL" => {
                let runs = uid_set(&scan.string().unwrap_or_default());
                for run in &runs {
                    count_one(count, run.first, run.last);
                }
                tell_runs(cx, count.call, &runs);
            }
            b"PARTIAL" => {
                // RFC 9394 §4: the places that were asked for, and what stands there.
                if scan.open() {
                    scan.skip();
                    tell_runs(cx, count.call, &uid_set(&scan.nstring().unwrap_or_default()));
                    scan.leave();
                }
            }
            b"RELEVANCY" => read_scores(cx, scan, count.call),
            b"COUNT" => told = small(scan),
            b"MIN" => count.min = small(scan),
            b"MAX" => count.max = small(scan),
            b"MODSEQ" => count.modseq = scan.number(),
            _ => scan.skip(),
        }
    }
    count.count = told.unwrap_or(count.count);
}

/// `"(" score *(SP score) ")"` (RFC 6203 §7)
fn read_scores(cx: &mut Cx<Client>, scan: &mut Scan<'_>, call: u32) {
    if !scan.open() {
        return;
    }
    let mut scores = Vec::new();
    while !scan.at_end() {
        let score = scan.number().and_then(|score| u8::try_from(score).ok());
        scores.push(score.unwrap_or(0).clamp(1, 100));
        if scores.len() >= ROWS_MAX {
            cx.event(Event::Scored(Scored { call, scores: core::mem::take(&mut scores) }));
        }
    }
    scan.close();
    if !scores.is_empty() {
        cx.event(Event::Scored(Scored { call, scores }));
    }
}

/// `["UID"] *("ADDTO" / "REMOVEFROM" SP "(" position SP set *(SP position SP set) ")")` (RFC 5267 §5): what came and what
/// left; none if it tells of no change.
fn changes(scan: &Scan<'_>) -> Option<(Vec<UidRun>, Vec<UidRun>)> {
    let mut scan = *scan;
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    let mut any = false;
    while let Token::Atom(name) = scan.next() {
        let into = match &name.to_ascii_uppercase()[..] {
            b"UID" => continue,
            b"ADDTO" => &mut added,
            b"REMOVEFROM" => &mut removed,
            _ => {
                scan.skip();
                continue;
            }
        };
        any = true;
        if !scan.open() {
            continue;
        }
        while !scan.at_end() {
            // Where in the order it stands is of no use: what is found has none but the mailbox's.
            scan.skip();
            into.extend(uid_set(&scan.nstring().unwrap_or_default()));
        }
        scan.close();
    }
    any.then_some((added, removed))
}

fn tell_runs(cx: &mut Cx<Client>, call: u32, runs: &[UidRun]) {
    for page in runs.chunks(RUNS_MAX) {
        tell(cx, call, page.to_vec());
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
