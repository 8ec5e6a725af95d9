//! The open mailbox as its client knows it: the only home of sequence numbers and of changes not
//! told yet. It decides what may be told; `tell` prints it, and commands change the view only
//! through it.

use alloc::vec::Vec;

use super::runs::{Numbered, Runs, are_runs};
use crate::imap::types::{Arrived, Change, Expunged, FlagRow, UidRun};
use crate::types::Misuse;

/// Runs of a view: with 8 octets each, twice over while it is read again, it stays within a
/// session's memory.
pub(crate) const VIEW_RUNS_MAX: usize = 131_072;
/// Flag changes kept whole; of more, only the UIDs are kept and the flags are read again.
pub(crate) const UNTOLD_FLAGS_MAX: usize = 128;
/// Runs of changes kept; more collapse into reading again.
pub(crate) const UNTOLD_RUNS_MAX: usize = 256;

/// What the client was told, and what it was not told yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    told: Numbered,
    /// Told, and gone since.
    gone: Runs,
    /// Above all that was told.
    arrived: Runs,
    /// RFC 3501 §2.3.2: \Recent to this session.
    recent: Runs,
    flags: Vec<FlagRow>,
    /// Told, with flags that must be read again before they can be told.
    stale: Runs,
    /// Too much has changed.
    reading: Option<Reading>,
    lost: bool,
    modseqs: Modseqs,
    /// What this session did itself, which is told whatever else is wanted (RFC 5465 §5).
    own: Own,
}

/// What a session's own commands did, and what of it was not told yet.
#[derive(Clone, Debug, Default)]
struct Own {
    arrived: Runs,
    did: bool,
}

/// RFC 7162: mod-sequences of this mailbox, as far as the client matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modseqs {
    /// All that was changed up to this one was told.
    pub(crate) told: u64,
    /// The highest of the changes that are known here; others tell theirs in order.
    pub(crate) seen: u64,
    /// The lowest of what is gone and not told; 0 if nothing is.
    pub(crate) gone: u64,
}

/// UIDs that are being read again.
#[derive(Clone, Debug, Default)]
struct Reading {
    read: Runs,
    /// It happened again meanwhile: what was read so far may be wrong.
    restart: bool,
}

impl View {
    /// A mailbox just opened, with all its UIDs; those from `recent_from` on are \Recent.
    pub(crate) fn new(uids: Runs, recent_from: u32, modseq: u64) -> Self {
        let recent = uids.above(recent_from.saturating_sub(1));
        let modseqs = Modseqs { told: modseq, seen: modseq, gone: 0 };
        let mut view = Self { recent, modseqs, ..Self::default() };
        view.told.replace(uids);
        view
    }

    /// All that a view is; none while it is being read again, since half of that is no place to stop at.
    pub(crate) fn frozen(&self) -> Option<Frozen<'_>> {
        let Self { told, gone, arrived, recent, flags, stale, reading, lost, modseqs, own } = self;
        // What was read before it happened again counts for nothing.
        let halfway = |reading: &Reading| !reading.restart && !reading.read.is_empty();
        if reading.as_ref().is_some_and(halfway) {
            return None;
        }
        Some(Frozen {
            sets: [told.runs(), gone, arrived, recent, stale, &own.arrived],
            flags,
            reading: reading.is_some(),
            lost: *lost,
            modseqs: *modseqs,
            did: own.did,
        })
    }

    /// The view that `frozen` described, with the sets in the same order.
    pub(crate) fn thawed(sets: [Runs; 6], flags: Vec<FlagRow>, thawed: Thawed) -> Self {
        let [told_runs, gone, arrived, recent, stale, own_arrived] = sets;
        let Thawed { reading, lost, modseqs, did } = thawed;
        let reading = reading.then(Reading::default);
        let told = Numbered::default();
        let own = Own { arrived: own_arrived, did };
        let mut view =
            Self { told, gone, arrived, recent, flags, stale, reading, lost, modseqs, own };
        view.told.replace(told_runs);
        view
    }

    /// Messages that the client knows of.
    pub(crate) fn count(&self) -> u32 {
        self.told.count()
    }

    pub(crate) fn uids(&self) -> &Runs {
        self.told.runs()
    }

    /// The sequence number of a UID.
    pub(crate) fn number(&self, uid: u32) -> Option<u32> {
        self.told.number(uid)
    }

    /// The sequence numbers of messages that the client knows of, as runs.
    pub(crate) fn numbers(&self, uids: &Runs) -> Runs {
        let mut numbers = Runs::new();
        for run in uids.common(self.told.runs()).as_slice() {
            if let (Some(first), Some(last)) = (self.number(run.first), self.number(run.last)) {
                numbers.append(UidRun { first, last });
            }
        }
        numbers
    }

    /// The UIDs with the sequence numbers `low` to `high`, which must lie within 1 and the
    /// count, added to UIDs that are below them.
    pub(crate) fn between(&self, low: u32, high: u32, into: &mut Runs) {
        self.told.between(low, high, into);
    }

    pub(crate) fn is_recent(&self, uid: u32) -> bool {
        self.recent.contains(uid)
    }

    pub(crate) fn recent_count(&self) -> u64 {
        self.recent.count_common(self.told.runs())
    }

    pub(crate) fn recent(&self) -> &Runs {
        &self.recent
    }

    /// Whether the mailbox is gone, or cannot be shown any longer; the connection must end.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether some of these are known to be gone.
    pub(crate) fn any_gone(&self, uids: &Runs) -> bool {
        self.gone.count_common(uids) > 0
    }

    /// Takes in what others did.
    pub(crate) fn change(&mut self, change: Change) {
        match change {
            Change::Arrived(Arrived { runs, recent }) => {
                self.take_in(&Runs::from_unsorted(runs), recent);
            }
            Change::Flags(rows) => rows.into_iter().for_each(|row| self.reflag(row)),
            Change::Expunged(expunged) => self.take_out(expunged),
            Change::Resynchronise => self.read_again(),
            Change::Deleted => self.lost = true,
        }
    }

    /// This session brought messages.
    pub(crate) fn arrive(&mut self, uids: &Runs, recent: bool) {
        self.own.did = true;
        self.own.arrived.add(uids);
        self.take_in(uids, recent);
    }

    /// This session removed messages.
    pub(crate) fn expunge(&mut self, expunged: Expunged) {
        self.own.did = true;
        self.take_out(expunged);
    }

    /// Whether this session did something since this was asked last.
    pub(crate) fn take_own(&mut self) -> bool {
        core::mem::take(&mut self.own.did)
    }

    /// Messages came; those at or below what was told are known already.
    fn take_in(&mut self, uids: &Runs, recent: bool) {
        let news = uids.above(self.told.runs().last().unwrap_or(0));
        if recent {
            self.recent.add(&news);
        }
        self.arrived.add(&news);
        if self.arrived.as_slice().len() > UNTOLD_RUNS_MAX {
            self.read_again();
        }
    }

    /// Messages went; unknown ones are passed over.
    fn take_out(&mut self, expunged: Expunged) {
        let Expunged { runs, modseq } = expunged;
        let uids = &Runs::from_unsorted(runs);
        self.note_modseq(modseq);
        let known = uids.common(self.told.runs());
        if !known.is_empty() && modseq > 0 {
            let gone = &mut self.modseqs.gone;
            *gone = if *gone == 0 { modseq } else { modseq.min(*gone) };
        }
        self.gone.add(&known);
        self.arrived = self.arrived.without(uids);
        self.flags.retain(|row| !uids.contains(row.uid));
        if let Some(reading) = &mut self.reading {
            reading.read = reading.read.without(uids);
        }
    }

    /// A change of this mod-sequence is known, and so is every change before it.
    pub(crate) fn note_modseq(&mut self, modseq: u64) {
        self.modseqs.seen = self.modseqs.seen.max(modseq);
    }

    /// Up to which mod-sequence all is told.
    pub(crate) fn told_modseq(&self) -> u64 {
        self.modseqs.told
    }

    /// All that may be told is told now; it may be that not all was to be.
    pub(crate) fn all_told(&mut self) {
        if !self.has_news() {
            self.modseqs = Modseqs { told: self.modseqs.seen, gone: 0, ..self.modseqs };
        }
    }

    /// The highest mod-sequence that the client may keep while something gone is not told.
    pub(crate) fn delayed_modseq(&self) -> Option<u64> {
        if self.reading.is_some() {
            // What went meanwhile is not known, nor when.
            return Some(self.modseqs.told);
        }
        let waits = !self.gone.is_empty();
        waits.then(|| self.modseqs.gone.saturating_sub(1).max(self.modseqs.told))
    }

    /// The flags of these are to be told, whatever they are now.
    pub(crate) fn look_again(&mut self, uids: &Runs) {
        self.flags.retain(|row| !uids.contains(row.uid));
        self.stale.add(&uids.common(self.told.runs()));
        if self.stale.as_slice().len() > UNTOLD_RUNS_MAX {
            self.stale = self.told.runs().clone();
        }
    }

    fn reflag(&mut self, row: FlagRow) {
        self.note_modseq(row.modseq);
        if self.told.number(row.uid).is_none() || self.gone.contains(row.uid) {
            return;
        }
        self.flags.retain(|old| old.uid != row.uid);
        self.flags.push(row);
        if self.flags.len() > UNTOLD_FLAGS_MAX {
            let uids = self.flags.drain(..).map(|row| UidRun { first: row.uid, last: row.uid });
            let uids = Runs::from_unsorted(uids.collect());
            self.stale.add(&uids);
            if self.stale.as_slice().len() > UNTOLD_RUNS_MAX {
                self.stale = self.told.runs().clone();
            }
        }
    }

    /// These flags were told in another way: older ones must not be told after them.
    pub(crate) fn flags_told(&mut self, uid: u32, modseq: u64) {
        if !self.flags.is_empty() {
            self.flags.retain(|row| row.uid != uid || row.modseq > modseq);
        }
    }

    /// Newer flags, which the client need not be told but where it was to be told older ones.
    pub(crate) fn flags_overtaken(&mut self, row: FlagRow) {
        if let Some(old) = self.flags.iter_mut().find(|old| old.uid == row.uid) {
            *old = row;
        }
    }

    fn read_again(&mut self) {
        self.arrived = Runs::new();
        self.flags.clear();
        self.reading.get_or_insert_default().restart = true;
    }

    /// Whether anything waits to be told.
    pub(crate) fn has_news(&self) -> bool {
        !self.gone.is_empty()
            || !self.arrived.is_empty()
            || !self.flags.is_empty()
            || !self.stale.is_empty()
            || self.reading.is_some()
    }

    /// Whether the UIDs must be read again, and above which one; what is asked for now counts.
    pub(crate) fn reading(&mut self) -> Option<u32> {
        let reading = self.reading.as_mut()?;
        if core::mem::take(&mut reading.restart) {
            reading.read = Runs::new();
        }
        Some(reading.read.last().unwrap_or(0))
    }

    /// Up to which UID they were read.
    pub(crate) fn read_up_to(&self) -> u32 {
        self.reading.as_ref().and_then(|reading| reading.read.last()).unwrap_or(0)
    }

    /// UIDs that were read; without `more`, what is missing is gone and what is new has arrived.
    pub(crate) fn read(&mut self, page: Vec<UidRun>, more: bool) {
        let Some(mut reading) = self.reading.take_if(|reading| !reading.restart) else { return };
        page.into_iter().for_each(|run| reading.read.append(run));
        if reading.read.as_slice().len() > VIEW_RUNS_MAX {
            self.lost = true;
        } else if more {
            self.reading = Some(reading);
        } else {
            let (known, read) = (self.told.runs(), reading.read);
            self.gone.add(&known.without(&read));
            self.stale = known.common(&read);
            self.arrived.add(&read.above(known.last().unwrap_or(0)));
        }
    }

    /// Takes what is gone, to be told; they keep their numbers until `forget`.
    pub(crate) fn take_gone(&mut self) -> Runs {
        core::mem::take(&mut self.gone)
    }

    /// The client was told that these are gone.
    pub(crate) fn forget(&mut self, gone: &Runs) {
        self.told.replace(self.told.runs().without(gone));
        self.recent = self.recent.without(gone);
        self.stale = self.stale.without(gone);
        self.gone = self.gone.without(gone);
    }

    /// Whether anything waits that would be told now: with the flags or without, and whether EXPUNGE may be sent.
    pub(crate) fn has_due(&self, expunges: bool, flags: bool) -> bool {
        let of_flags = !self.flags.is_empty() || !self.stale.is_empty();
        let reading = self.reading.is_some();
        (expunges && (reading || !self.gone.is_empty()))
            || (!reading && !self.arrived.is_empty())
            || (flags && of_flags)
    }

    /// Numbers what has arrived; `None` if nothing has.
    pub(crate) fn number_arrived(&mut self) -> Option<NewlyNumbered> {
        // Before all is read again, messages below these may be unknown: their numbers must come
        // first.
        if self.reading.is_some() || self.arrived.is_empty() {
            return None;
        }
        let arrived = core::mem::take(&mut self.arrived);
        self.told.extend(&arrived);
        self.lost |= self.told.runs().as_slice().len() > VIEW_RUNS_MAX;
        let own = core::mem::take(&mut self.own.arrived);
        Some(NewlyNumbered { others: arrived.without(&own), all: arrived })
    }

    pub(crate) fn take_flags(&mut self) -> Vec<FlagRow> {
        core::mem::take(&mut self.flags)
    }

    pub(crate) fn take_stale(&mut self) -> Runs {
        core::mem::take(&mut self.stale)
    }
}

/// Messages that just got their numbers.
pub(crate) struct NewlyNumbered {
    pub(crate) all: Runs,
    /// Those that others brought.
    pub(crate) others: Runs,
}

/// What a view is.
pub(crate) struct Frozen<'a> {
    /// Told, gone, arrived, recent, stale, brought by this session.
    pub(crate) sets: [&'a Runs; 6],
    pub(crate) flags: &'a [FlagRow],
    pub(crate) reading: bool,
    pub(crate) lost: bool,
    pub(crate) modseqs: Modseqs,
    /// Whether the session did something itself.
    pub(crate) did: bool,
}

/// What a view is beside its sets and flags.
pub(crate) struct Thawed {
    pub(crate) reading: bool,
    pub(crate) lost: bool,
    pub(crate) modseqs: Modseqs,
    pub(crate) did: bool,
}

/// Whether a change is one that the contract allows.
pub(crate) fn check(change: &Change) -> Result<(), Misuse> {
    let sound = match change {
        Change::Arrived(Arrived { runs, .. }) | Change::Expunged(Expunged { runs, .. }) => {
            are_runs(runs)
        }
        Change::Flags(rows) => rows.iter().all(|row| row.uid > 0),
        Change::Resynchronise | Change::Deleted => true,
    };
    if sound { Ok(()) } else { Err(Misuse::BadValue) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::types::Flags;
    use alloc::vec;

    fn run(first: u32, last: u32) -> UidRun {
        UidRun { first, last }
    }

    fn view() -> View {
        View::new(Runs::from_unsorted(vec![run(1, 5), run(10, 12)]), 12, 4)
    }

    fn gone(runs: Vec<UidRun>) -> Change {
        Change::Expunged(Expunged { runs, modseq: 9 })
    }

    fn row(uid: u32, modseq: u64) -> FlagRow {
        FlagRow { uid, flags: Flags::default(), modseq }
    }

    #[test]
    fn numbers_hold_until_the_client_is_told() {
        let mut view = view();
        view.change(gone(vec![run(2, 3), run(7, 7)]));
        view.change(Change::Arrived(Arrived { runs: vec![run(11, 14)], recent: true }));
        assert_eq!((view.count(), view.number(10), view.number(13)), (8, Some(6), None));
        let gone = view.take_gone();
        assert_eq!(gone.as_slice(), [run(2, 3)]);
        view.forget(&gone);
        assert_eq!((view.count(), view.number(10)), (6, Some(4)));
        assert!(view.number_arrived().is_some());
        assert_eq!((view.count(), view.number(13), view.recent_count()), (8, Some(7), 3));
        assert!(!view.has_news());
    }

    #[test]
    fn an_older_flag_change_is_not_told_after_a_newer_one() {
        let mut view = view();
        view.change(Change::Flags(vec![row(1, 5), row(2, 6), row(99, 7)]));
        view.flags_told(1, 6);
        view.flags_told(2, 5);
        assert_eq!(view.take_flags(), [row(2, 6)]);
    }

    #[test]
    fn what_is_not_told_holds_the_highest_modseq_down() {
        let mut view = view();
        view.change(Change::Flags(vec![row(1, 7)]));
        view.change(gone(vec![run(3, 3)]));
        view.change(Change::Flags(vec![row(2, 11)]));
        assert_eq!((view.told_modseq(), view.delayed_modseq()), (4, Some(8)));
        view.all_told();
        assert_eq!(view.told_modseq(), 4, "what is gone was not told");
        let uids = view.take_gone();
        view.forget(&uids);
        view.all_told();
        assert_eq!(view.told_modseq(), 4, "flags may be held back by NOTIFY");
        assert_eq!(view.take_flags().len(), 2);
        view.all_told();
        assert_eq!((view.told_modseq(), view.delayed_modseq()), (11, None));
        view.change(gone(vec![run(90, 91)]));
        assert_eq!(view.delayed_modseq(), None, "the client never knew of these");
        view.change(Change::Resynchronise);
        assert_eq!(view.delayed_modseq(), Some(11));
    }

    #[test]
    fn many_flag_changes_are_read_again() {
        let mut view = View::new(Runs::from_unsorted(vec![run(1, 1000)]), 1001, 4);
        view.change(Change::Flags((1..=UNTOLD_FLAGS_MAX as u32 + 1).map(|u| row(u, 1)).collect()));
        assert!(view.take_flags().is_empty());
        assert_eq!(view.take_stale().as_slice(), [run(1, UNTOLD_FLAGS_MAX as u32 + 1)]);
    }

    #[test]
    fn reading_again_finds_what_went_and_what_came() {
        let mut view = view();
        view.change(Change::Resynchronise);
        assert_eq!(view.reading(), Some(0));
        view.read(vec![run(1, 4)], true);
        assert_eq!(view.reading(), Some(4));
        view.change(gone(vec![run(4, 4)]));
        view.read(vec![run(11, 20)], false);
        assert_eq!(view.take_gone().as_slice(), [run(4, 5), run(10, 10)]);
        assert_eq!(view.take_stale().as_slice(), [run(1, 3), run(11, 12)]);
        assert!(view.number_arrived().is_some());
        assert_eq!(view.uids().last(), Some(20));
    }

    #[test]
    fn unsound_runs_are_misuse() {
        assert!(check(&gone(vec![run(3, 2)])).is_err());
        assert!(check(&gone(vec![run(0, 2)])).is_err());
        assert!(check(&gone(vec![run(2, 4), run(4, 5)])).is_err());
        assert!(check(&gone(vec![run(2, 4), run(5, 5)])).is_ok());
    }
}
