//! FETCH and UID FETCH (RFC 9051 §6.4.5): a page of rows at a time, one message of it, one item,
//! one chunk. Plain ranges of a message go out as references; only what must be changed on its way
//! passes through here.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::item::{Item, Value};
use super::job::{Answered, Expunges, Job, Next, Work, wrong};
use super::message::{self, Message, Told};
use super::progress::Progress;
use super::reply::Reply;
use super::runs::Runs;
use super::state::Selected;
use super::view::UNTOLD_RUNS_MAX;
use super::{Base, Server, print, uid_only};
use crate::imap::grammar::lex;
use crate::imap::types::{
    Answer, Ask, FlagPage, FlagRow, Flags, FlagsAsk, Row, RowPage, RowsAsk, StoreAsk, StoreMode,
    UidRun,
};
use crate::limits::PAGE_ROWS_MAX;
use crate::message::Index;
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::{Misuse, Reason, Refusal};

/// RFC 9051 §7.5.2.
pub(crate) const FETCH: Rule = Rule {
    rfc: 9051,
    section: "7.5.2",
    gist: "FETCH gives the items of one message as pairs of name and value.",
};
/// RFC 9051 §6.4.5.
pub(crate) const SEEN: Rule = Rule {
    rfc: 9051,
    section: "6.4.5",
    gist: "Fetching octets without PEEK sets \\Seen, and the new flags are told.",
};
/// RFC 7162 §3.1.4.1.
pub(crate) const CHANGED: Rule = Rule {
    rfc: 7162,
    section: "3.1.4.1",
    gist: "CHANGEDSINCE picks the messages that were changed after a mod-sequence.",
};
/// RFC 2180 §4.1.2.
pub(crate) const GONE: Rule = Rule {
    rfc: 2180,
    section: "4.1.2",
    gist: "For a message that others removed there is no response, and the command ends with NO.",
};

/// Rows of a page whose messages become \Seen: so many are marked before their octets are sent.
const SEEN_ROWS_MAX: u32 = 32;

const NO_INDEX: Reply = Reply::no("SERVERBUG", "The index of a message cannot be read");

/// Messages being told.
pub(crate) struct Fetch {
    items: Vec<Item>,
    by_uid: bool,
    /// RFC 7162 §3.1.4.1
    changed_since: Option<u64>,
    /// How the command ends if nothing goes wrong.
    end: Reply,
    uids: Runs,
    /// Looked at up to this UID.
    above: u32,
    /// Messages of the set that were gone.
    missing: u64,
    /// An item that could not be told, as the end of the command.
    failed: Option<Reply>,
    /// To be told, last first.
    rows: Vec<Row>,
    /// Those of them that became \Seen just now.
    became_seen: Runs,
    message: Option<Message>,
    /// Where nothing but short values is asked for: those, so that a message is told in one piece.
    values: Option<Vec<Value>>,
    /// What one message is told by; kept for the next.
    line: Vec<u8>,
}

/// The end of a command when messages that it named by number were gone.
pub(crate) const fn vanished() -> Reply {
    Reply::no("EXPUNGEISSUED", "Some messages are gone").because(&GONE)
}

/// What is to be told of which messages.
pub(crate) struct Wanted {
    pub(crate) uids: Runs,
    pub(crate) items: Vec<Item>,
    pub(crate) by_uid: bool,
    pub(crate) changed_since: Option<u64>,
    /// How the command ends if nothing goes wrong.
    pub(crate) end: Reply,
}

pub(crate) fn fetch(wanted: Wanted) -> Box<Fetch> {
    let Wanted { uids, items, by_uid, changed_since, end } = wanted;
    let values = items.iter().map(Item::value).collect::<Option<Vec<_>>>();
    Box::new(Fetch {
        values,
        line: Vec::new(),
        items,
        by_uid,
        changed_since,
        end,
        uids,
        above: 0,
        missing: 0,
        failed: None,
        rows: Vec::new(),
        became_seen: Runs::new(),
        message: None,
    })
}

impl Fetch {
    fn sets_seen(&self) -> bool {
        self.items.iter().any(Item::sets_seen)
    }

    fn page(&self) -> Vec<UidRun> {
        // Of messages that did not change the host passes over any number.
        let all = self.changed_since.map_or(u64::from(PAGE_ROWS_MAX), |_| u64::MAX);
        self.uids.next_page(self.above, UNTOLD_RUNS_MAX, all)
    }

    /// Tells as much as there is room for.
    pub(crate) fn run(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        let Some((base, open, cx)) = work.selected() else { return Next::no_mailbox() };
        loop {
            if cx.outbox_full() {
                return Next::Room(Job::Fetch(self));
            }
            let Self { message, items, failed, .. } = &mut *self;
            if let Some(told) = message {
                match told.tell(items, failed, base, open, cx) {
                    Told::More => {}
                    Told::Whole => *message = None,
                    Told::Octets(range) => {
                        return Next::Ask(Ask::Octets(range), Job::Fetch(self));
                    }
                }
            } else if let Some(row) = self.rows.pop() {
                // RFC 9051 §7.3.1: FLAGS names the flags that messages here have; another session may have brought a new one.
                let tells_flags = || self.items.iter().any(|item| item.is(Value::Flags));
                if !row.flags.keywords.is_empty() && tells_flags() {
                    open.learn_keywords(cx, &row.flags);
                }
                if self.values.is_some() {
                    self.tell_values(&row, base, open, cx);
                } else {
                    self.message = self.begin(row, base, open, cx);
                }
            } else {
                return self.next_page(open);
            }
        }
    }

    fn next_page(self: Box<Self>, open: &Selected) -> Next {
        let uids = self.page();
        if uids.is_empty() {
            return self.end(open);
        }
        let changed_since = self.changed_since;
        let by_flags = |values: &Vec<Value>| values.iter().all(|value| value.is_flags());
        if self.values.as_ref().is_some_and(by_flags) {
            let ask = FlagsAsk { uids, max: PAGE_ROWS_MAX, changed_since };
            return Next::Ask(Ask::Flags(ask), Job::Fetch(self));
        }
        let max = if self.sets_seen() { SEEN_ROWS_MAX } else { PAGE_ROWS_MAX };
        let index = self.items.iter().any(Item::needs_index);
        let ask = RowsAsk { uids, max, index, changed_since };
        Next::Ask(Ask::Rows(ask), Job::Fetch(self))
    }

    /// Messages that were told, unless one is being told.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let between = self.message.is_none();
        between.then(|| Progress::up_to(&self.uids, self.above, self.rows.len() as u64))
    }

    fn expunges(&self) -> Expunges {
        if self.by_uid { Expunges::Told } else { Expunges::Kept }
    }

    fn end(self: Box<Self>, open: &Selected) -> Next {
        let expunges = self.expunges();
        // Which of those that were passed over are gone, the rows do not tell.
        let missing = match self.changed_since {
            Some(_) => open.view.any_gone(&self.uids),
            None => self.missing > 0,
        };
        let reply = match self.failed {
            Some(reply) => reply,
            // RFC 9051 §6.4.9: a UID that is not there is passed over without a word.
            None if missing && !self.by_uid => vanished(),
            None => self.end,
        };
        Next::Done(reply, expunges)
    }

    /// The host will not, before anything was fetched.
    pub(crate) fn refused(&self, refusal: Refusal) -> Next {
        Next::Done(Reply::refused(refusal), self.expunges())
    }

    /// Tells a message in one piece, if the client knows it.
    fn tell_values(&mut self, row: &Row, base: &Base, open: &mut Selected, cx: &mut Cx<Server>) {
        let rule = self.why(base);
        let Self { values, line, .. } = self;
        line.clear();
        if !uid_only::put_response_head(line, base, open, row.uid) {
            return;
        }
        for (at, value) in values.iter().flatten().enumerate() {
            if at > 0 {
                line.push(b' ');
            }
            message::put_value(line, *value, row, base, open);
        }
        line.extend_from_slice(b")\r\n");
        lex::send(cx, line, Some(rule));
    }

    fn why(&self, base: &Base) -> &'static Rule {
        let rule = if self.changed_since.is_some() { &CHANGED } else { &FETCH };
        uid_only::why(base, rule)
    }

    /// Begins a message's response, if the client knows the message.
    fn begin(
        &mut self,
        mut row: Row,
        base: &Base,
        open: &Selected,
        cx: &mut Cx<Server>,
    ) -> Option<Message> {
        let head = uid_only::response_head(base, open, row.uid)?;
        lex::send(cx, &head, Some(self.why(base)));
        let index = row.index.take().and_then(|octets| self.decode(&octets));
        if index.is_none() && self.items.iter().any(Item::needs_index) {
            // The host gave none that can be read: what needs it is NIL, and the end says that
            // something is wrong.
            self.failed.get_or_insert(NO_INDEX);
        }
        let flags_due = self.became_seen.contains(row.uid);
        Some(Message::new(row, index, flags_due))
    }

    fn decode(&self, octets: &[u8]) -> Option<Box<Index>> {
        let whole = self.items.iter().any(Item::needs_parts);
        let decode = if whole { Index::decode } else { Index::decode_head };
        decode(octets).ok().map(Box::new)
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        if self.message.as_mut().is_some_and(|message| message.reading().is_some()) {
            return self.octets(work, answer);
        }
        match answer {
            Answer::Rows(page) if self.rows.is_empty() => match self.take_page(page) {
                Ok(()) => Ok(self.mark_seen(work)),
                Err(misuse) => Err((Job::Fetch(self), misuse)),
            },
            Answer::Flags(page) if self.rows.is_empty() => match self.take_flags(page) {
                Ok(()) => Ok(self.run(work)),
                Err(misuse) => Err((Job::Fetch(self), misuse)),
            },
            Answer::Stored(stored) if !self.rows.is_empty() => {
                self.stored(work, &stored.rows);
                Ok(self.run(work))
            }
            // The flag could not be set; the messages can be read all the same.
            Answer::Refused(_) if !self.rows.is_empty() => Ok(self.run(work)),
            Answer::Refused(refusal) => Ok(self.refused(refusal)),
            _ => wrong(Job::Fetch(self)),
        }
    }

    fn take_page(&mut self, page: RowPage) -> Result<(), Misuse> {
        self.passed(|asked| page_end(asked, &page), page.rows.len())?;
        self.rows = page.rows;
        self.rows.reverse();
        Ok(())
    }

    fn take_flags(&mut self, page: FlagPage) -> Result<(), Misuse> {
        let (uids, more) = (page.uids.clone(), page.more);
        let rows = page.into_reversed().ok_or(Misuse::BadValue)?;
        self.passed(|asked| end_of(asked, uids.iter().copied(), more), uids.len())?;
        let row = |FlagRow { uid, flags, modseq }| Row { uid, flags, modseq, ..Row::default() };
        self.rows = rows.map(row).collect();
        Ok(())
    }

    /// A page has come, with so many rows.
    fn passed(
        &mut self,
        end: impl FnOnce(&Runs) -> Option<u32>,
        rows: usize,
    ) -> Result<(), Misuse> {
        let asked = Runs::from_unsorted(self.page());
        let up_to = end(&asked).ok_or(Misuse::BadValue)?;
        let looked_at = asked.count() - asked.above(up_to).count();
        self.missing += looked_at.saturating_sub(rows as u64);
        self.above = up_to;
        Ok(())
    }

    /// Sets \Seen where fetching does that and it is not set.
    fn mark_seen(self: Box<Self>, work: &mut Work<'_>) -> Next {
        let read_only = work.selected().is_none_or(|(_, open, _)| open.read_only);
        if read_only || !self.sets_seen() {
            return self.run(work);
        }
        let unseen = self.rows.iter().rev().filter(|row| row.flags.system & print::SEEN == 0);
        let mut uids = Runs::new();
        unseen.for_each(|row| uids.append_uid(row.uid));
        if uids.is_empty() {
            return self.run(work);
        }
        let flags = Flags { system: print::SEEN, keywords: vec![] };
        let (uids, mode) = (uids.into_vec(), StoreMode::Add);
        let ask = StoreAsk { uids, mode, flags, unchanged_since: None };
        Next::Ask(Ask::Store(ask), Job::Fetch(self))
    }

    fn stored(&mut self, work: &mut Work<'_>, rows: &[FlagRow]) {
        self.became_seen = Runs::from_unsorted(
            rows.iter().map(|row| UidRun { first: row.uid, last: row.uid }).collect(),
        );
        for stored in rows {
            if let Some(row) = self.rows.iter_mut().find(|row| row.uid == stored.uid) {
                row.flags = stored.flags.clone();
                row.modseq = stored.modseq;
            }
            if let Some((_, open, _)) = work.selected() {
                open.view.note_modseq(stored.modseq);
                open.contexts.touch_uid(stored.uid);
                open.view.flags_told(stored.uid, stored.modseq);
            }
        }
    }

    fn octets(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        let reading = self.message.as_mut().and_then(Message::reading);
        let Some(reading) = reading else { return wrong(Job::Fetch(self)) };
        match answer {
            Answer::Octets(octets) => match reading.take(&octets) {
                Ok(()) => Ok(self.run(work)),
                Err(misuse) => Err((Job::Fetch(self), misuse)),
            },
            Answer::Refused(_) if reading.is_promised() => {
                // The literal's length was sent: the response cannot be made good any more.
                Ok(Next::Bye(Some("UNAVAILABLE"), "The store failed within a message"))
            }
            Answer::Refused(refusal) => {
                reading.give_up();
                let gone = refusal.reason == Reason::NotFound;
                let reply = if gone { vanished() } else { Reply::refused(refusal) };
                self.failed.get_or_insert(reply);
                Ok(self.run(work))
            }
            _ => wrong(Job::Fetch(self)),
        }
    }
}

/// Up to which UID a page has looked, if it is one that the contract allows.
pub(crate) fn page_end(asked: &Runs, page: &RowPage) -> Option<u32> {
    end_of(asked, page.rows.iter().map(|row| row.uid), page.more)
}

/// The same of a page of flags.
pub(crate) fn flags_end(asked: &Runs, page: &FlagPage) -> Option<u32> {
    end_of(asked, page.uids.iter().copied(), page.more)
}

fn end_of(asked: &Runs, uids: impl Iterator<Item = u32>, more: bool) -> Option<u32> {
    let mut last = 0;
    for uid in uids {
        if uid <= last || !asked.contains(uid) {
            return None;
        }
        last = uid;
    }
    if more { Some(last).filter(|last| *last > 0) } else { asked.last() }
}
