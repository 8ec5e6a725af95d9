//! Entries of the maildrop's table: LIST and UIDL, whole or of one message, and the entry that RETR, TOP and DELE need.

use alloc::boxed::Box;

use super::retrieval::Retrieval;
use super::transaction::Maildrop;
use super::{Server, State};
use crate::limits::PAGE_ROWS_MAX;
use crate::pop3::types::{Answer, Ask, EntriesAsk, Entry};
use crate::role::Cx;
use crate::types::Misuse;

/// What LIST and UIDL tell of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Size,
    UniqueId,
}

/// A walk over entries.
pub(super) struct Listing {
    goal: Goal,
    /// The next message to ask for.
    next: u32,
    asking: bool,
}

enum Goal {
    All(What),
    One(What, u32),
    /// Lines of the body for TOP.
    Retrieve(u32, Option<u32>),
    Delete(u32),
}

impl Listing {
    pub(super) fn all(what: What) -> Self {
        Self { goal: Goal::All(what), next: 1, asking: false }
    }

    pub(super) fn one(what: What, number: u32) -> Self {
        Self { goal: Goal::One(what, number), next: number, asking: false }
    }

    pub(super) fn retrieve(number: u32, lines: Option<u32>) -> Self {
        Self { goal: Goal::Retrieve(number, lines), next: number, asking: false }
    }

    pub(super) fn delete(number: u32) -> Self {
        Self { goal: Goal::Delete(number), next: number, asking: false }
    }

    pub(super) fn is_asking(&self) -> bool {
        self.asking
    }

    fn max(&self) -> u32 {
        if matches!(self.goal, Goal::All(_)) { PAGE_ROWS_MAX } else { 1 }
    }
}

impl Server {
    pub(super) fn ask_entries(
        self,
        cx: &mut Cx<Self>,
        maildrop: Box<Maildrop>,
        mut listing: Listing,
    ) -> Self {
        cx.ask(Ask::Entries(EntriesAsk { first: listing.next, max: listing.max() }));
        listing.asking = true;
        self.go(cx, State::Listing(maildrop, listing))
    }

    /// The next page, or the end.
    pub(super) fn list_more(
        self,
        cx: &mut Cx<Self>,
        maildrop: Box<Maildrop>,
        listing: Listing,
    ) -> Self {
        if listing.next <= maildrop.count() {
            return self.ask_entries(cx, maildrop, listing);
        }
        cx.send(b".\r\n", "end of response", None);
        self.go(cx, State::Transaction(maildrop))
    }

    pub(super) fn listing_answered(
        self,
        cx: &mut Cx<Self>,
        maildrop: Box<Maildrop>,
        mut listing: Listing,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        let due = listing.max().min(maildrop.count().saturating_sub(listing.next - 1));
        let entries = match answer {
            Answer::Entries(entries) if entries.len() == due as usize => entries,
            Answer::Entries(_) => {
                let (server, _) = self.wrong_answer(State::Listing(maildrop, listing));
                return Err((server, Misuse::BadValue));
            }
            Answer::Refused(refusal) => {
                return Ok(self.listing_refused(cx, maildrop, &listing, &refusal));
            }
            _ => return Err(self.wrong_answer(State::Listing(maildrop, listing))),
        };
        listing.asking = false;
        match (&listing.goal, &entries[..]) {
            (Goal::All(what), entries) => {
                for (number, entry) in (listing.next..).zip(entries) {
                    if !maildrop.is_marked(number) {
                        send_entry(cx, *what, number, entry, false);
                    }
                }
                listing.next = listing.next.saturating_add(due);
                Ok(self.go(cx, State::Listing(maildrop, listing)))
            }
            (Goal::One(what, number), [entry]) => {
                send_entry(cx, *what, *number, entry, true);
                Ok(self.go(cx, State::Transaction(maildrop)))
            }
            (Goal::Retrieve(number, lines), [entry]) => {
                let (number, retrieval) =
                    (*number, Retrieval::new(entry, *lines, self.common.utf8));
                Ok(self.mark_or_retrieve(cx, maildrop, number, Some(retrieval), entry.size))
            }
            (Goal::Delete(number), [entry]) => {
                let number = *number;
                Ok(self.mark_or_retrieve(cx, maildrop, number, None, entry.size))
            }
            _ => Err(self.wrong_answer(State::Listing(maildrop, listing))),
        }
    }

    fn listing_refused(
        self,
        cx: &mut Cx<Self>,
        maildrop: Box<Maildrop>,
        listing: &Listing,
        refusal: &crate::types::Refusal,
    ) -> Self {
        if matches!(listing.goal, Goal::All(_)) {
            // The response has begun with +OK: it cannot be taken back, only cut.
            return self.close(cx);
        }
        self.refuse(cx, refusal, false);
        self.go(cx, State::Transaction(maildrop))
    }
}

/// A scan listing or unique-id listing (RFC 1939 §5, §7).
fn send_entry(cx: &mut Cx<Server>, what: What, number: u32, entry: &Entry, alone: bool) {
    if alone {
        cx.send(b"+OK", "status", Some(&super::RESPONSE));
        cx.send(b" ", "SP", None);
    }
    cx.send(alloc::format!("{number}").as_bytes(), "message number", None);
    cx.send(b" ", "SP", None);
    match what {
        What::Size => cx.send(alloc::format!("{}", entry.size).as_bytes(), "size", None),
        What::UniqueId => cx.send(&entry.unique_id, "unique-id", None),
    }
    cx.send(b"\r\n", "CRLF", None);
}
