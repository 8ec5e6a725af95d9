//! MESSAGELIMIT (RFC 9738 §3.1), seen by the client: a command that was done for the highest of its messages alone is made
//! again for what remains. Which part comes next is decided here; who calls makes it.

use alloc::vec::Vec;

use super::types::{Command, Completion, Outcome};
use crate::imap::types::{SearchKey, UidRun};

/// A command that the server may have to be told in several parts, and how far it has come.
#[derive(Clone, Debug)]
pub struct Remaining {
    command: Command,
    /// The UIDs of the part that is being done.
    part: UidRun,
}

impl Remaining {
    /// Before a command is called for the first time.
    #[must_use]
    pub fn new(command: Command) -> Self {
        Self { command, part: UidRun { first: 1, last: u32::MAX } }
    }

    /// The command to call next, after the last one ended so; `None` if all is done, or cannot be. Each is for lower UIDs
    /// or for fewer of them, whatever a server says.
    pub fn next(&mut self, end: &Completion) -> Option<Command> {
        let UidRun { first, last } = self.part;
        let lowest = end.message_limit.and_then(|limit| limit.lowest_uid);
        self.part = match (end.outcome, lowest) {
            (Outcome::Ok, lowest) => {
                let done = lowest.map_or(first, |lowest| lowest.max(first));
                UidRun { first: 1, last: done.checked_sub(1).filter(|to| (1..last).contains(to))? }
            }
            // A COPY is done whole or not at all: this is where those begin that may be copied at once.
            (Outcome::No, Some(lowest)) if (first + 1..=last).contains(&lowest) => {
                UidRun { first: lowest, last }
            }
            _ => return None,
        };
        self.command.within(self.part)
    }
}

impl Command {
    /// The same for those of its messages whose UIDs lie in a range; `None` if none does, or if it cannot be said so.
    fn within(&self, part: UidRun) -> Option<Self> {
        let mut command = self.clone();
        match &mut command {
            Self::Fetch(fetch) if fetch.places.is_none() => fetch.uids = cut(&fetch.uids, part)?,
            Self::Store(store) => store.uids = cut(&store.uids, part)?,
            Self::Copy(copy) => copy.uids = cut(&copy.uids, part)?,
            Self::Expunge(uids) => *uids = cut(uids, part)?,
            Self::Search(search)
                if !search.summary && !search.update && search.places.is_none() =>
            {
                search.keys.push(SearchKey::Uids([part].into()));
                search.keys.push(SearchKey::And(2));
            }
            _ => return None,
        }
        Some(command)
    }
}

fn cut(uids: &[UidRun], part: UidRun) -> Option<Vec<UidRun>> {
    let cut =
        |run: &UidRun| UidRun { first: run.first.max(part.first), last: run.last.min(part.last) };
    let cut: Vec<UidRun> = uids.iter().map(cut).filter(|run| run.first <= run.last).collect();
    (!cut.is_empty()).then_some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::client::calls::completion;
    use crate::imap::client::types::{CopyCommand, MessageLimit, SearchCommand};

    fn run(first: u32, last: u32) -> UidRun {
        UidRun { first, last }
    }

    fn ended(outcome: Outcome, lowest: Option<u32>) -> Completion {
        let limit = lowest.map(|uid| MessageLimit { max: 100, lowest_uid: Some(uid) });
        Completion { message_limit: limit, ..completion(1, outcome) }
    }

    fn uids(command: Option<Command>) -> Option<Vec<UidRun>> {
        match command? {
            Command::Copy(copy) => Some(copy.uids),
            Command::Expunge(uids) => Some(uids),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_remains_is_below_what_was_done() {
        let mut all = Remaining::new(Command::Expunge([run(5, 300), run(400, 500)].into()));
        let next = all.next(&ended(Outcome::Ok, Some(401)));
        assert_eq!(uids(next), Some([run(5, 300), run(400, 400)].into()));
        assert_eq!(uids(all.next(&ended(Outcome::Ok, Some(201)))), Some([run(5, 200)].into()));
        assert_eq!(uids(all.next(&ended(Outcome::Ok, None))), None);
        // A server that goes up again, or that does nothing more, is not asked for ever.
        for lowest in [201, 202, u32::MAX] {
            let mut all = Remaining::new(Command::Expunge([run(5, 300)].into()));
            all.next(&ended(Outcome::Ok, Some(201))).expect("a rest");
            assert_eq!(uids(all.next(&ended(Outcome::Ok, Some(lowest)))), None, "{lowest}");
        }
        let mut all = Remaining::new(Command::Expunge([run(5, 300)].into()));
        assert_eq!(uids(all.next(&ended(Outcome::Ok, Some(5)))), None);
        let mut all = Remaining::new(Command::Expunge([run(5, 300)].into()));
        assert_eq!(uids(all.next(&ended(Outcome::No, None))), None);
    }

    #[test]
    fn a_copy_is_made_in_parts_that_fit() {
        let copy = CopyCommand { uids: [run(1, 250)].into(), to: b"x".to_vec(), remove: false };
        let mut all = Remaining::new(Command::Copy(copy));
        assert_eq!(uids(all.next(&ended(Outcome::No, Some(151)))), Some([run(151, 250)].into()));
        // What is left may be too many again.
        assert_eq!(uids(all.next(&ended(Outcome::Ok, None))), Some([run(1, 150)].into()));
        assert_eq!(uids(all.next(&ended(Outcome::No, Some(51)))), Some([run(51, 150)].into()));
        assert_eq!(uids(all.next(&ended(Outcome::Ok, None))), Some([run(1, 50)].into()));
        assert_eq!(uids(all.next(&ended(Outcome::Ok, None))), None);
        // What fitted and is refused again is refused.
        let copy = CopyCommand { uids: [run(1, 250)].into(), to: b"x".to_vec(), remove: false };
        let mut all = Remaining::new(Command::Copy(copy));
        all.next(&ended(Outcome::No, Some(151))).expect("a part");
        assert_eq!(uids(all.next(&ended(Outcome::No, Some(151)))), None);
    }

    #[test]
    fn a_search_goes_on_below() {
        let keys = Vec::from([SearchKey::All]);
        let mut all = Remaining::new(Command::Search(SearchCommand { keys, ..Default::default() }));
        let next = all.next(&ended(Outcome::Ok, Some(90)));
        let Some(Command::Search(search)) = next else { panic!("{next:?}") };
        let below = SearchKey::Uids([run(1, 89)].into());
        assert_eq!(search.keys, [SearchKey::All, below, SearchKey::And(2)]);
    }
}
