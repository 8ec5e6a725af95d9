//! Tells the client what others did: to the open mailbox by EXPUNGE, EXISTS, RECENT and FETCH, to others as NOTIFY wants
//! it. It runs at the end of a command, within IDLE or unasked, and pauses where the outbox is full or rows must be read.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::fetch::{Fetch, flags_end, page_end};
use super::job::{Job, Next, Work};
use super::notify::{self, Wanted};
use super::print;
use super::runs::{Runs, are_runs};
use super::search::{self, Search};
use super::state::{Selected, State};
use super::view::UNTOLD_RUNS_MAX;
use super::{Base, Server, condstore, context, uid_only};
use crate::imap::grammar::lex;
use crate::imap::types::{Answer, Ask, Change, FlagRow, FlagsAsk, RowsAsk};
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
pub(crate) struct Telling {
    expunges: bool,
    stage: Stage,
}

enum Stage {
    /// Nothing yet.
    Begin,
    /// Which UIDs there are, if too much has changed to know.
    Read,
    /// What is gone is taken.
    Going,
    /// What is gone: told above this UID down to here, and how many were told.
    Gone {
        uids: Runs,
        above: u32,
        told: u32,
    },
    Arrived,
    /// RFC 5267 §4.3: results that are kept up to date, from this one on; these messages are looked at for them.
    Contexts {
        at: usize,
        touched: Runs,
        new: Runs,
        search: Option<Box<Search>>,
    },
    /// These go into a sorted result, those above this UID still.
    Placing {
        at: usize,
        touched: Runs,
        new: Runs,
        uids: Runs,
        above: u32,
    },
    /// RFC 5465 §5.2: what the client wants to know of messages that came. It is told after the flags of others, whose
    /// numbers it may move if it takes long.
    New(Box<Fetch>),
    /// Flags, last first; then what is new.
    Flags(Vec<FlagRow>, Runs),
    /// Flags that must be read first: these above this UID.
    Stale {
        uids: Runs,
        above: u32,
        rows: Vec<FlagRow>,
        new: Runs,
    },
    /// What happened to other mailboxes.
    Others,
}

/// What telling needs next.
pub(crate) enum Need {
    Answer(Ask, Telling),
    Room(Telling),
    Bye(Option<&'static str>, &'static str),
    Nothing,
}

/// Where telling goes on, or what it needs for that.
enum Step {
    On(Stage),
    Ask(Ask, Stage),
}

/// Whether anything waits that would be told.
pub(crate) fn is_due(work: &Work<'_>, expunges: bool) -> bool {
    let wanted = notify::of_selected(work.base);
    let here = match &*work.state {
        State::Selected(open) if wanted.messages => {
            open.view.has_due(expunges || wanted.expunges_at_once, wanted.flags)
        }
        _ => false,
    };
    here || notify::has_notices(work.base)
}

impl Telling {
    /// `expunges`: whether EXPUNGE may be sent now.
    pub(crate) const fn new(expunges: bool) -> Self {
        Self { expunges, stage: Stage::Begin }
    }

    /// Tells as much as there is room for.
    pub(crate) fn run(mut self, work: &mut Work<'_>) -> Need {
        loop {
            if work.cx.outbox_full() {
                return Need::Room(self);
            }
            let step = match self.stage {
                Stage::New(fetch) => match fetch.run(work) {
                    Next::Ask(ask, Job::Fetch(fetch)) => Step::Ask(ask, Stage::New(fetch)),
                    Next::Room(Job::Fetch(fetch)) => {
                        return Need::Room(Self { stage: Stage::New(fetch), ..self });
                    }
                    Next::Bye(code, text) => return Need::Bye(code, text),
                    // What could not be told of them is left to the client's own FETCH.
                    _ => Step::On(Stage::Others),
                },
                Stage::Contexts { at, touched, new, search } => {
                    match judge(work, at, touched, new, search) {
                        Ok(step) => step,
                        Err(Judging::Room(stage)) => {
                            return Need::Room(Self { stage, ..self });
                        }
                        Err(Judging::Bye(code, text)) => return Need::Bye(code, text),
                    }
                }
                Stage::Others if notify::tell_next(work) => Step::On(Stage::Others),
                Stage::Others => return Need::Nothing,
                stage => match work.selected() {
                    None => Step::On(Stage::Others),
                    Some((base, open, cx)) => {
                        let wanted = notify::of_selected(base);
                        if matches!(stage, Stage::Begin) {
                            self.expunges |= wanted.expunges_at_once;
                        }
                        step(stage, self.expunges, &wanted, base, open, cx)
                    }
                },
            };
            match step {
                Step::On(stage) => self.stage = stage,
                Step::Ask(ask, stage) => return Need::Answer(ask, Self { stage, ..self }),
            }
        }
    }

    /// The answer that it needed, and what it needs then.
    pub(crate) fn answer(
        self,
        work: &mut Work<'_>,
        answer: Answer,
    ) -> Result<Need, (Self, Misuse)> {
        let Self { expunges, stage } = self;
        if let Stage::New(fetch) = stage {
            return match fetch.answer(work, answer) {
                Ok(Next::Ask(ask, Job::Fetch(fetch))) => {
                    Ok(Need::Answer(ask, Self { expunges, stage: Stage::New(fetch) }))
                }
                Ok(Next::Room(Job::Fetch(fetch))) => {
                    Ok(Need::Room(Self { expunges, stage: Stage::New(fetch) }))
                }
                Ok(Next::Bye(code, text)) => Ok(Need::Bye(code, text)),
                Ok(_) => Ok(Self { expunges, stage: Stage::Others }.run(work)),
                Err((Job::Fetch(fetch), misuse)) => {
                    Err((Self { expunges, stage: Stage::New(fetch) }, misuse))
                }
                Err((_, misuse)) => Err((Self { expunges, stage: Stage::Others }, misuse)),
            };
        }
        if let Stage::Contexts { at, touched, new, search: Some(search) } = stage {
            let contexts =
                |search| Stage::Contexts { at, touched: touched.clone(), new: new.clone(), search };
            return match search.answer(work, answer) {
                Ok(Next::Ask(ask, Job::Search(search))) => {
                    Ok(Need::Answer(ask, Self { expunges, stage: contexts(Some(search)) }))
                }
                Ok(Next::Room(Job::Search(search))) => {
                    Ok(Need::Room(Self { expunges, stage: contexts(Some(search)) }))
                }
                Ok(Next::Bye(code, text)) => Ok(Need::Bye(code, text)),
                Ok(_) => {
                    let stage = updated(work, at, touched, new);
                    Ok(Self { expunges, stage }.run(work))
                }
                Err((Job::Search(search), misuse)) => {
                    Err((Self { expunges, stage: contexts(Some(search)) }, misuse))
                }
                Err((_, misuse)) => Err((Self { expunges, stage: Stage::Others }, misuse)),
            };
        }
        let answered = match work.selected() {
            Some((_, open, cx)) => answered(stage, open, cx, answer),
            // Nothing is asked for without a mailbox.
            None => Err((stage, Misuse::WrongAnswer)),
        };
        match answered {
            Ok(stage) => Ok(Self { expunges, stage }.run(work)),
            Err((stage, misuse)) => Err((Self { expunges, stage }, misuse)),
        }
    }
}

/// What judging messages for a result needs but an answer.
enum Judging {
    Room(Stage),
    Bye(Option<&'static str>, &'static str),
}

/// Judges messages for the results that are kept up to date, one result after the other.
fn judge(
    work: &mut Work<'_>,
    at: usize,
    touched: Runs,
    new: Runs,
    search: Option<Box<Search>>,
) -> Result<Step, Judging> {
    let program = work.selected().and_then(|(_, open, _)| open.contexts.program(at));
    let Some(program) = program.filter(|_| !touched.is_empty()) else {
        return Ok(Step::On(match notify::new_messages(work.base, new) {
            Some(fetch) => Stage::New(fetch),
            None => Stage::Others,
        }));
    };
    let next = match search {
        Some(search) => search.run(work),
        None => search::judge(work, program, &touched),
    };
    Ok(match next {
        Next::Ask(ask, Job::Search(search)) => {
            Step::Ask(ask, Stage::Contexts { at, touched, new, search: Some(search) })
        }
        Next::Room(Job::Search(search)) => {
            return Err(Judging::Room(Stage::Contexts { at, touched, new, search: Some(search) }));
        }
        Next::Bye(code, text) => return Err(Judging::Bye(code, text)),
        _ => Step::On(updated(work, at, touched, new)),
    })
}

/// Messages were judged for a result: what comes after it.
fn updated(work: &mut Work<'_>, at: usize, touched: Runs, new: Runs) -> Stage {
    let updated = match work.selected() {
        Some((_, open, cx)) => context::update(open, cx, at, &touched),
        None => context::Updated::All,
    };
    let at = match updated {
        context::Updated::All => at + 1,
        context::Updated::GivenUp => at,
        context::Updated::Placeless(uids) => {
            return Stage::Placing { at, touched, new, uids, above: 0 };
        }
    };
    Stage::Contexts { at, touched, new, search: None }
}

/// The next step of what is told of the open mailbox.
fn step(
    stage: Stage,
    expunges: bool,
    wanted: &Wanted,
    base: &Base,
    open: &mut Selected,
    cx: &mut Cx<Server>,
) -> Step {
    Step::On(match stage {
        Stage::Begin => {
            let own = open.view.take_own();
            if own || wanted.messages { Stage::Read } else { Stage::Others }
        }
        Stage::Read => match open.view.reading().filter(|_| expunges) {
            Some(above) => return Step::Ask(Ask::Uids(above), Stage::Read),
            None if expunges => Stage::Going,
            None => Stage::Arrived,
        },
        Stage::Going => {
            let uids = open.view.take_gone();
            // RFC 5267 §4.3.4
            context::remove(open, cx, &uids);
            Stage::Gone { uids, above: 0, told: 0 }
        }
        Stage::Gone { uids, above, .. } if base.tells_vanished() => {
            tell_vanished(base, open, cx, uids, above)
        }
        Stage::Gone { uids, above, told } => tell_gone(open, cx, uids, above, told),
        Stage::Arrived => {
            let new = open.view.number_arrived();
            if new.is_some() {
                send_size(base, open, cx);
            }
            if let Some(arrived) = &new {
                open.contexts.touch(&arrived.all);
            }
            let new = new.map(|arrived| arrived.others);
            let mut rows = if wanted.flags { open.view.take_flags() } else { Vec::new() };
            rows.reverse();
            Stage::Flags(rows, new.unwrap_or_default())
        }
        Stage::Flags(mut rows, new) => match rows.pop() {
            Some(row) => {
                send_flags(base, open, cx, &row);
                Stage::Flags(rows, new)
            }
            None => {
                let uids = if wanted.flags { open.view.take_stale() } else { Runs::new() };
                Stage::Stale { uids, above: 0, rows: Vec::new(), new }
            }
        },
        Stage::Stale { uids, above, mut rows, new } => match rows.pop() {
            Some(row) => {
                send_flags(base, open, cx, &row);
                open.contexts.touch_uid(row.uid);
                Stage::Stale { uids, above, rows, new }
            }
            None => {
                let max = PAGE_ROWS_MAX;
                let page = uids.next_page(above, UNTOLD_RUNS_MAX, u64::from(max));
                if !page.is_empty() {
                    let ask = FlagsAsk { uids: page, max, changed_since: None };
                    return Step::Ask(Ask::Flags(ask), Stage::Stale { uids, above, rows, new });
                }
                if expunges {
                    open.view.all_told();
                } else {
                    condstore::send_delayed(base, open, cx);
                }
                let touched = open.contexts.take_touched();
                Stage::Contexts { at: 0, touched, new, search: None }
            }
        },
        Stage::Placing { at, touched, new, uids, above } => {
            let max = PAGE_ROWS_MAX;
            let page = uids.next_page(above, UNTOLD_RUNS_MAX, u64::from(max));
            if !page.is_empty() {
                let index = open.contexts.needs_index(at);
                let ask = RowsAsk { uids: page, max, index, changed_since: None };
                return Step::Ask(Ask::Rows(ask), Stage::Placing { at, touched, new, uids, above });
            }
            Stage::Contexts { at: at + 1, touched, new, search: None }
        }
        stage @ (Stage::Contexts { .. } | Stage::New(_) | Stage::Others) => stage,
    })
}

fn answered(
    stage: Stage,
    open: &mut Selected,
    cx: &mut Cx<Server>,
    answer: Answer,
) -> Result<Stage, (Stage, Misuse)> {
    Ok(match (stage, answer) {
        (Stage::Read, Answer::Uids(page)) => {
            let above = open.view.read_up_to();
            let sound = are_runs(&page.runs)
                && page.runs.first().is_none_or(|run| run.first > above)
                && !(page.more && page.runs.is_empty());
            if !sound {
                return Err((Stage::Read, Misuse::BadValue));
            }
            open.view.read(page.runs, page.more);
            Stage::Read
        }
        (Stage::Read, Answer::Refused(refusal)) => {
            // Else it stays to be read, and is tried again at the end of the next command.
            if matches!(refusal.reason, Reason::NotFound | Reason::NotPermitted) {
                open.view.change(Change::Deleted);
            }
            Stage::Going
        }
        (Stage::Stale { uids, above, new, .. }, Answer::Flags(page)) => {
            let asked = uids.next_page(above, UNTOLD_RUNS_MAX, u64::from(PAGE_ROWS_MAX));
            let up_to = flags_end(&Runs::from_unsorted(asked), &page);
            let (Some(up_to), Some(rows)) = (up_to, page.into_reversed()) else {
                let stage = Stage::Stale { uids, above, rows: Vec::new(), new };
                return Err((stage, Misuse::BadValue));
            };
            Stage::Stale { rows: rows.collect(), uids, above: up_to, new }
        }
        // The messages are still there; only the news of their flags is lost to a failed store.
        (Stage::Stale { new, .. }, Answer::Refused(_)) => {
            Stage::Stale { uids: Runs::new(), above: 0, rows: Vec::new(), new }
        }
        (Stage::Placing { at, touched, new, uids, above }, Answer::Rows(page)) => {
            let asked = uids.next_page(above, UNTOLD_RUNS_MAX, u64::from(PAGE_ROWS_MAX));
            let Some(up_to) = page_end(&Runs::from_unsorted(asked), &page) else {
                let stage = Stage::Placing { at, touched, new, uids, above };
                return Err((stage, Misuse::BadValue));
            };
            if context::place(open, cx, at, &page.rows) {
                Stage::Placing { at, touched, new, uids, above: up_to }
            } else {
                Stage::Contexts { at, touched, new, search: None }
            }
        }
        // An order with a message missing would be wrong from there on.
        (Stage::Placing { at, touched, new, .. }, Answer::Refused(_)) => {
            context::give_up(open, cx, at);
            Stage::Contexts { at, touched, new, search: None }
        }
        (stage, _) => return Err((stage, Misuse::WrongAnswer)),
    })
}

fn tell_vanished(
    base: &Base,
    open: &mut Selected,
    cx: &mut Cx<Server>,
    uids: Runs,
    above: u32,
) -> Stage {
    let next = uids.next_page(above, UNTOLD_RUNS_MAX, u64::MAX);
    let Some(last) = next.last() else {
        open.view.forget(&uids);
        return Stage::Arrived;
    };
    let above = last.last;
    let line = print::untagged(&[b"VANISHED ", &print::uid_set(&next)]);
    let why = if base.has_qresync() { &VANISHED } else { &uid_only::GONE };
    lex::send(cx, &line, Some(why));
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
    let Some(head) = uid_only::head_with_uid(base, open, row.uid) else { return };
    open.learn_keywords(cx, &row.flags);
    let recent = !base.is_rev2() && open.view.is_recent(row.uid);
    let line = print::untagged(&[
        &head,
        b"FLAGS ",
        &print::flags(&row.flags, recent),
        &if base.tells_modseq() {
            [b" ", &print::modseq(row.modseq)[..]].concat()
        } else {
            Vec::new()
        },
        b")",
    ]);
    lex::send(cx, &line, Some(uid_only::why(base, &FLAGS)));
}

/// A message's mod-sequence alone: the client knows its flags.
pub(crate) fn send_modseq(base: &Base, open: &Selected, cx: &mut Cx<Server>, row: &FlagRow) {
    let Some(head) = uid_only::head_with_uid(base, open, row.uid) else { return };
    let line = print::untagged(&[&head, &print::modseq(row.modseq), b")"]);
    lex::send(cx, &line, Some(&condstore::AWARE));
}
