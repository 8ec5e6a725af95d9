//! A session's memory: the worst mailbox of 100,000 messages, with a gap after each, stays far below
//! the 4 MiB of its sandbox, whatever is asked of it.

mod imap_host;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pillarbox_engine::imap::Server;
use pillarbox_engine::imap::types::*;
use pillarbox_engine::message::{Index, Part, Span};
use pillarbox_engine::sasl::{Account, LoginAnswer};
use pillarbox_engine::types::Now;
use pillarbox_engine::{Output, Session};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; only sizes are counted beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MESSAGES: u32 = 100_000;

/// Messages have the odd UIDs.
fn within(runs: &[UidRun]) -> impl Iterator<Item = u32> + '_ {
    runs.iter().flat_map(|run| run.first..=run.last).filter(|uid| uid % 2 == 1)
}

fn uids(above: u32) -> UidPage {
    let runs: Vec<UidRun> = (above + 1..=2 * MESSAGES)
        .filter(|uid| uid % 2 == 1)
        .take(256)
        .map(|uid| UidRun { first: uid, last: uid })
        .collect();
    let more = runs.last().is_some_and(|run| run.last < 2 * MESSAGES - 1);
    UidPage { runs, more }
}

fn rows(ask: &RowsAsk, index: &[u8]) -> RowPage {
    let all: Vec<u32> = within(&ask.uids).collect();
    let rows = all.iter().take(ask.max as usize).map(|&uid| Row {
        uid,
        blob: u64::from(uid),
        size: 100,
        flags: Flags { system: (uid % 4) as u8, keywords: vec![] },
        modseq: 1,
        internal_date_ms: 0,
        internal_date_zone: 0,
        save_date_ms: 0,
        index: ask.index.then(|| index.to_vec()),
    });
    RowPage { rows: rows.collect(), more: all.len() > ask.max as usize }
}

fn answer(ask: Ask, index: &[u8]) -> Answer {
    match ask {
        Ask::Login(_) => {
            let account = Account { name: b"ann".to_vec(), server_signature: vec![] };
            Answer::Login(LoginAnswer::Accepted(account))
        }
        Ask::Open(_) => {
            let recent_from = 2 * MESSAGES;
            Answer::Opened(Opened { recent_from, uids: uids(0), ..Opened::default() })
        }
        Ask::Uids(above) => Answer::Uids(uids(above)),
        Ask::Rows(ask) => Answer::Rows(rows(&ask, index)),
        Ask::Flags(ask) => Answer::Flags(rows(&ask.into(), index).into()),
        Ask::Octets(range) => Answer::Octets(vec![b'x'; range.length as usize]),
        Ask::Store(ask) => {
            let rows =
                within(&ask.uids).map(|uid| FlagRow { uid, flags: ask.flags.clone(), modseq: 2 });
            Answer::Stored(Stored { rows: rows.collect(), modified: vec![] })
        }
        Ask::Expunge(runs) => Answer::Expunged(Expunged { runs, modseq: 9 }),
        _ => Answer::Declined,
    }
}

#[test]
fn a_hundred_thousand_messages_with_gaps() {
    let part = Part {
        header: Span { start: 0, end: 50 },
        body: Span { start: 50, end: 100 },
        media_type: b"text".to_vec(),
        subtype: b"plain".to_vec(),
        ..Part::default()
    };
    let index = Index { size: 100, parts: vec![part], ..Index::default() }.encode();
    let now = Now::default();
    let before = LIVE.load(Relaxed);
    let mut session: Session<Server> = Session::new(imap_host::config(), now);
    let mut sent = 0;
    let commands = [
        "L LOGIN ann s3cret",
        "a SELECT INBOX",
        "b FETCH 1:* (UID FLAGS ENVELOPE BODY.PEEK[HEADER.FIELDS (A)])",
        "c SEARCH OR SEEN BODY nothing",
        "d UID SEARCH RETURN (SAVE ALL) NOT FLAGGED",
        "e STORE $ +FLAGS (\\Deleted)",
        "f SEARCH 1:*,1:* 1:* OR UID 1:999 UID 2:30000",
        "i SORT (SUBJECT REVERSE DATE) UTF-8 ALL",
        "j UID SORT RETURN (ALL COUNT) (REVERSE ARRIVAL) UTF-8 ALL",
        "k THREAD REFERENCES UTF-8 ALL",
        "l UID THREAD ORDEREDSUBJECT UTF-8 ALL",
        "m UID STORE 1:* (UNCHANGEDSINCE 1) +FLAGS.SILENT (\\Seen)",
        "g EXPUNGE",
        "h NOOP",
    ];
    for command in commands {
        PEAK.store(LIVE.load(Relaxed), Relaxed);
        let line = format!("{command}\r\n");
        assert_eq!(session.receive(now, line.as_bytes()), line.len());
        let mut last = Vec::new();
        loop {
            match session.poll() {
                Output::Transmit(octets) => {
                    sent += octets.len();
                    last = octets;
                }
                Output::Ask(id, ask) => {
                    session.answer(now, id, answer(ask, &index)).expect("a right answer");
                }
                Output::Wait { .. } => break,
                _ => {}
            }
        }
        let end = String::from_utf8_lossy(&last).into_owned();
        // So many messages are sorted in several passes; threads, and what stands in the way of a
        // STORE, must fit as a whole.
        let status = if "klm".contains(&command[..1]) { "NO [LIMIT]" } else { "OK" };
        assert!(end.contains(&format!("{} {status} ", &command[..1])), "{command}: {end}");
        let peak = PEAK.load(Relaxed).saturating_sub(before);
        eprintln!("{command}: {peak}");
        assert!(peak < 9 << 20, "{command}: {peak} octets");
    }
    assert!(sent > 10_000_000);
}
