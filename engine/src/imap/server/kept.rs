//! An order that the host keeps (RFC 5256): it is asked for the messages in order, told the keys of those that it does
//! not know, and asked again. What it does not keep is sorted here, by `selection`.

use alloc::vec::Vec;

use super::fetch::page_end;
use super::order;
use super::runs::Runs;
use super::view::UNTOLD_RUNS_MAX;
use crate::imap::grammar::Criterion;
use crate::imap::types::{Ask, OrderAsk, OrderPage, RowPage, RowsAsk, SortKeys, UidRun};
use crate::limits::PAGE_ROWS_MAX;
use crate::message::Head;
use crate::types::Misuse;

/// Messages of one page of an order.
const PAGE_MAX: u32 = 8192;
/// Octets of keys that the host is told at once, or one key.
const KEYS_OCTETS_MAX: usize = 64 * 1024;
/// How often the host may have forgotten keys that it was told for one command.
const FORGETS_MAX: u8 = 4;

/// Where the host stands in an order.
#[derive(Debug)]
pub(crate) enum Kept {
    /// Asked for a page.
    Asking(Place),
    /// It lacks keys.
    Learning(Place, Learning),
    /// A page is being told, from `at` on.
    Telling(Place, Vec<u32>, usize),
}

/// Where in the order the next page begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    skip: u64,
    /// The place after the last one that is wanted.
    end: u64,
    forgets: u8,
}

/// Messages whose keys the host lacks.
#[derive(Debug)]
pub(crate) struct Learning {
    uids: Runs,
    /// Read up to this UID.
    above: u32,
    /// Those that are there.
    read: Runs,
    keys: Vec<Vec<u8>>,
    octets: usize,
}

impl Place {
    /// Messages from one place up to before another.
    pub(crate) fn new(skip: u64, end: u64) -> Self {
        Self { skip, end, forgets: 0 }
    }

    /// Messages before it.
    pub(crate) fn skip(self) -> u64 {
        self.skip
    }

    /// The same attempt, with another place.
    pub(crate) fn moved(self, to: Self) -> Self {
        Self { forgets: self.forgets, ..to }
    }

    pub(crate) fn ask(self, criteria: &[Criterion], uids: &Runs) -> Ask {
        let uids = uids.as_slice().to_vec();
        Ask::Order(OrderAsk {
            by: order::label(criteria),
            uids,
            skip: self.skip,
            max: self.wanted(),
        })
    }

    fn wanted(self) -> u32 {
        let left = self.end.saturating_sub(self.skip);
        u32::try_from(left).unwrap_or(u32::MAX).min(PAGE_MAX)
    }

    /// After a page; `None` if it was the last.
    pub(crate) fn after(mut self, told: usize) -> Option<Self> {
        self.skip += told as u64;
        (self.skip < self.end).then_some(self)
    }

    /// What a page leads to; `None` if the host forgets faster than it is told.
    pub(crate) fn take(self, page: OrderPage, uids: &Runs) -> Result<Option<Kept>, Misuse> {
        let unknown = Runs::from_unsorted(page.unknown);
        if !unknown.is_empty() {
            if unknown.count_common(uids) != unknown.count() {
                return Err(Misuse::BadValue);
            }
            let forgets = self.forgets + 1;
            let place = Self { forgets, ..self };
            return Ok(
                (forgets <= FORGETS_MAX).then(|| Kept::Learning(place, Learning::new(unknown)))
            );
        }
        let due = uids.count().saturating_sub(self.skip).min(u64::from(self.wanted()));
        let are_known = page.uids.iter().all(|uid| uids.contains(*uid));
        if page.uids.len() as u64 != due || !are_known {
            return Err(Misuse::BadValue);
        }
        Ok(Some(Kept::Telling(self, page.uids, 0)))
    }
}

impl Learning {
    fn new(uids: Runs) -> Self {
        Self { uids, above: 0, read: Runs::new(), keys: Vec::new(), octets: 0 }
    }

    fn page(&self) -> Vec<UidRun> {
        self.uids.next_page(self.above, UNTOLD_RUNS_MAX, u64::from(PAGE_ROWS_MAX))
    }

    /// What is asked next; `None` if the host knows all.
    pub(crate) fn ask(&mut self, criteria: &[Criterion]) -> Option<Ask> {
        let uids = self.page();
        if self.octets >= KEYS_OCTETS_MAX || (uids.is_empty() && !self.keys.is_empty()) {
            self.octets = 0;
            let (by, keys) = (order::label(criteria), core::mem::take(&mut self.keys));
            return Some(Ask::SortKeys(SortKeys { by, keys }));
        }
        let index = criteria.iter().any(order::needs_index);
        let ask = RowsAsk { uids, max: PAGE_ROWS_MAX, index, changed_since: None };
        (!ask.uids.is_empty()).then_some(Ask::Rows(ask))
    }

    pub(crate) fn take(&mut self, criteria: &[Criterion], page: &RowPage) -> Result<(), Misuse> {
        self.above = page_end(&Runs::from_unsorted(self.page()), page).ok_or(Misuse::BadValue)?;
        for row in &page.rows {
            let head = row.index.as_deref().and_then(|index| Head::read(index).ok());
            let key = order::key(criteria, row, head.as_ref(), 0);
            self.octets += key.len();
            self.keys.push(key);
            self.read.append_uid(row.uid);
        }
        Ok(())
    }

    /// Those that were not there any more when they were read.
    pub(crate) fn gone(&self) -> Runs {
        self.uids.without(&self.read)
    }

    /// Messages whose keys are still to be read.
    pub(crate) fn left(&self) -> u64 {
        self.uids.above(self.above).count()
    }
}
