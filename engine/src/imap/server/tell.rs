//! Tells the client what others did to the open mailbox: EXPUNGE, EXISTS, RECENT and FETCH FLAGS.
//! It runs at the end of a command or within IDLE, and pauses where the outbox is full or rows must
//! be read.

use alloc::vec;
use alloc::vec::Vec;

use super::fetch::page_end;
use super::print;
use super::runs::{Runs, are_runs};
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use super::{Base, Server, condstore};
use crate::imap::grammar::lex;
use crate::imap::types::{Answer, Ask, Change, FlagRow, RowsAsk};
use crate::limits::PAGE_ROWS_MAX;
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::{Misuse, Reason};

/// RFC 9051 §7.5.1.
pub(crate) const EXPUNGE: Rule = Rule {
    rfc: 9051,
    section: "7.5.1",
    gist: "EXPUNGE is not sent while no command runs, nor during FETCH, STORE or SEARCH: their \
           sequence numbers must hold.",
};
/// RFC 9051 §5.2.
pub(crate) const SIZE: Rule = Rule {
    rfc: 9051,
    section: "5.2",
    gist: "A change of the mailbox's size is told while a command is processed.",
};
/// RFC 9051 §7.5.2.
pub(crate) const FLAGS: Rule = Rule {
    rfc: 9051,
    section: "7.5.2",
    gist: "Changes of flags are told as FETCH responses, also unasked.",
};

/// RFC 7162 §3.2.10.2.
pub(crate) const VANISHED: Rule = Rule {
    rfc: 7162,
    section: "3.2.10.2",
    gist: "With QRESYNC, VANISHED names the UIDs that are gone in place of EXPUNGE.",
};

/// What is being told.
#[derive(Debug)]
pub(crate) struct Telling {
    expunges: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Which UIDs there are, if too much has changed to know.
    Read,
    /// What is gone: told above this UID down to here, and how many were told.
    Gone {
        uids: Runs,
        above: u32,
        told: u32,
    },
    Arrived,
    /// Flags, last first.
    Flags(Vec<FlagRow>),
    /// Flags that must be read first: these above this UID.
    Stale {
        uids: Runs,
        above: u32,
        rows: Vec<FlagRow>,
    },
}

/// What telling needs next.
#[derive(Debug)]
pub(crate) enum Need {
    Answer(Ask, Telling),
    Room(Telling),
    Nothing,
}

impl Telling {
    /// `expunges`: whether EXPUNGE may be sent now.
    pub(crate) const fn new(expunges: bool) -> Self {
        Self { expunges, stage: Stage::Read }
    }

    /// Tells as much as there is room for.
    pub(crate) fn run(self, base: &Base, open: &mut Selected, cx: &mut Cx<Server>) -> Need {
        let Self { expunges, mut stage } = self;
        loop {
            if cx.outbox_full() {
                return Need::Room(Self { expunges, stage });
            }
            stage = match stage {
                Stage::Read => match open.view.reading().filter(|_| expunges) {
                    Some(above) => {
                        let stage = Stage::Read;
                        return Need::Answer(Ask::Uids(above), Self { expunges, stage });
                    }
                    None if expunges => {
                        Stage::Gone { uids: open.view.take_gone(), above: 0, told: 0 }
                    }
                    None => Stage::Arrived,
                },
                Stage::Gone { uids, above, .. } if base.tells_vanished() => {
                    tell_vanished(open, cx, uids, above)
                }
                Stage::Gone { uids, above, told } => tell_gone(open, cx, uids, above, told),
                Stage::Arrived => {
                    if open.view.number_arrived() {
                        send_size(base, open, cx);
                    }
                    let mut rows = open.view.take_flags();
                    rows.reverse();
                    Stage::Flags(rows)
                }
                Stage::Flags(mut rows) => match rows.pop() {
                    Some(row) => {
                        send_flags(base, open, cx, &row);
                        Stage::Flags(rows)
                    }
                    None => Stage::Stale { uids: open.view.take_stale(), above: 0, rows: vec![] },
                },
                Stage::Stale { uids, above, mut rows } => match rows.pop() {
                    Some(row) => {
                        send_flags(base, open, cx, &row);
                        Stage::Stale { uids, above, rows }
                    }
                    None => {
                        let max = PAGE_ROWS_MAX;
                        let page = uids.next_page(above, UNTOLD_RUNS_MAX, u64::from(max));
                        if page.is_empty() {
                            if expunges {
                                open.view.all_told();
                            } else {
                                condstore::send_delayed(base, open, cx);
                            }
                            return Need::Nothing;
                        }
                        let ask = RowsAsk { uids: page, max, index: false, changed_since: None };
                        let ask = Ask::Rows(ask);
                        let stage = Stage::Stale { uids, above, rows };
                        return Need::Answer(ask, Self { expunges, stage });
                    }
                },
            };
        }
    }

    /// The answer that it needed.
    pub(crate) fn answer(
        self,
        open: &mut Selected,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        let Self { expunges, stage } = self;
        let stage = match (stage, answer) {
            (Stage::Read, Answer::Uids(page)) => {
                let above = open.view.read_up_to();
                let sound = are_runs(&page.runs)
                    && page.runs.first().is_none_or(|run| run.first > above)
                    && !(page.more && page.runs.is_empty());
                if !sound {
                    return Err((Self { expunges, stage: Stage::Read }, Misuse::BadValue));
                }
                open.view.read(page.runs, page.more);
                Stage::Read
            }
            (Stage::Read, Answer::Refused(refusal)) => {
                // Else it stays to be read, and is tried again at the end of the next command.
                if matches!(refusal.reason, Reason::NotFound | Reason::NotPermitted) {
                    open.view.change(Change::Deleted);
                }
                Stage::Gone { uids: open.view.take_gone(), above: 0, told: 0 }
            }
            (Stage::Stale { uids, above, .. }, Answer::Rows(page)) => {
                let asked = uids.next_page(above, UNTOLD_RUNS_MAX, u64::from(PAGE_ROWS_MAX));
                let Some(up_to) = page_end(&Runs::from_unsorted(asked), &page) else {
                    let stage = Stage::Stale { uids, above, rows: Vec::new() };
                    return Err((Self { expunges, stage }, Misuse::BadValue));
                };
                let rows = page.rows.into_iter().rev();
                let rows =
                    rows.map(|row| FlagRow { uid: row.uid, flags: row.flags, modseq: row.modseq });
                Stage::Stale { rows: rows.collect(), uids, above: up_to }
            }
            // The messages are still there; only the news of their flags is lost to a failed store.
            (Stage::Stale { .. }, Answer::Refused(_)) => {
                Stage::Stale { uids: Runs::new(), above: 0, rows: Vec::new() }
            }
            (stage, _) => return Err((Self { expunges, stage }, Misuse::WrongAnswer)),
        };
        Ok(Self { expunges, stage })
    }
}

fn tell_vanished(open: &mut Selected, cx: &mut Cx<Server>, uids: Runs, above: u32) -> Stage {
    let next = uids.next_page(above, UNTOLD_RUNS_MAX, u64::MAX);
    let Some(last) = next.last() else {
        open.view.forget(&uids);
        return Stage::Arrived;
    };
    let above = last.last;
    let line = print::untagged(&[b"VANISHED ", &print::uid_set(&next)]);
    lex::send(cx, &line, Some(&VANISHED));
    open.owes_highest = true;
    Stage::Gone { uids, above, told: 0 }
}

fn tell_gone(open: &mut Selected, cx: &mut Cx<Server>, uids: Runs, above: u32, told: u32) -> Stage {
    let next = uids.next_page(above, 1, 1);
    let Some(uid) = next.first().map(|run| run.first) else {
        if told > 0 {
            open.view.forget(&uids);
        }
        return Stage::Arrived;
    };
    // RFC 9051 §7.5.1: each EXPUNGE lowers the numbers above it by one.
    let number = open.view.number(uid).map(|number| number - told);
    if let Some(number) = number {
        let line = print::untagged(&[&print::decimal(u64::from(number)), b" EXPUNGE"]);
        lex::send(cx, &line, Some(&EXPUNGE));
        open.owes_highest = true;
    }
    Stage::Gone { uids, above: uid, told: told + u32::from(number.is_some()) }
}

/// EXISTS, and RECENT for a client that knows it.
pub(crate) fn send_size(base: &Base, open: &Selected, cx: &mut Cx<Server>) {
    let count = print::decimal(u64::from(open.view.count()));
    lex::send(cx, &print::untagged(&[&count, b" EXISTS"]), Some(&SIZE));
    if !base.is_rev2() {
        let count = print::decimal(open.view.recent_count());
        lex::send(cx, &print::untagged(&[&count, b" RECENT"]), None);
    }
}

/// A message's flags as they are now.
pub(crate) fn send_flags(base: &Base, open: &mut Selected, cx: &mut Cx<Server>, row: &FlagRow) {
    let Some(number) = open.view.number(row.uid) else { return };
    open.learn_keywords(cx, &row.flags);
    let recent = !base.is_rev2() && open.view.is_recent(row.uid);
    let line = print::untagged(&[
        &print::decimal(u64::from(number)),
        b" FETCH (UID ",
        &print::decimal(u64::from(row.uid)),
        b" FLAGS ",
        &print::flags(&row.flags, recent),
        &if base.tells_modseq() {
            [b" ", &print::modseq(row.modseq)[..]].concat()
        } else {
            Vec::new()
        },
        b")",
    ]);
    lex::send(cx, &line, Some(&FLAGS));
}

/// A message's mod-sequence alone: the client knows its flags.
pub(crate) fn send_modseq(open: &Selected, cx: &mut Cx<Server>, row: &FlagRow) {
    let Some(number) = open.view.number(row.uid) else { return };
    let line = print::untagged(&[
        &print::decimal(u64::from(number)),
        b" FETCH (UID ",
        &print::decimal(u64::from(row.uid)),
        b" ",
        &print::modseq(row.modseq),
        b")",
    ]);
    lex::send(cx, &line, Some(&condstore::AWARE));
}
