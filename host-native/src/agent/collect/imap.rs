//! Collecting by IMAP: what is new in one mailbox, by UID, with its flags and dates.

use pillarbox_engine::collect::imap_key;
use pillarbox_engine::imap::Client;
use pillarbox_engine::imap::client::types::{
    BodyChunk, Command, Event, FetchCommand, FetchSection, Opened, Outcome, Remaining,
    SearchCommand, SelectCommand, StoreCommand,
};
use pillarbox_engine::imap::types::{Flags, SearchKey, StoreMode, UidRun};
use pillarbox_world::store::push_uid;
use std::collections::VecDeque;

use super::intake::{Facts, Intake};
use super::{Collecting, DELETE_AT, OPEN_MAX, Round, Stopped};
use crate::client::reading::{Ended, Reading, Sink, Why};
use crate::folders::Tally;
use crate::local::{Key, Local};
use crate::serve::shown;

/// Messages of one FETCH.
const BATCH: usize = 25;
/// FETCH commands that are due at once: while one's messages are stored the next ones come.
const CALLS: usize = 2;
/// UIDs that one SEARCH looks through: servers without ESEARCH name every message in one line.
const SEARCH_UIDS: u32 = 30_000;
/// Searches of that kind; where UIDs are sparser all are looked through at once.
const SEARCHES_MAX: u32 = 200;
const DELETED: u8 = 4;

/// What becomes of what an IMAP server tells.
#[derive(Default)]
pub(crate) struct ImapSink {
    pub(super) intake: Option<Intake>,
    /// The message that is coming, by number, and whether it came whole.
    coming: Option<(u32, bool)>,
    /// A whole message that was not handed over yet.
    due: Option<(u32, Facts)>,
    opened: Option<Opened>,
    found: Vec<UidRun>,
    /// Messages were added since this was looked at.
    pub(crate) has_news: bool,
}

impl ImapSink {
    /// Gives the message that came whole to the store.
    async fn hand_over(&mut self) {
        if let (Some((uid, facts)), Some(intake)) = (self.due.take(), &mut self.intake) {
            intake.hand_over(uid, facts).await;
        }
    }
}

impl Sink<Client> for ImapSink {
    async fn chunk(&mut self, chunk: BodyChunk) -> bool {
        self.hand_over().await;
        let Some(intake) = &mut self.intake else { return false };
        if self.coming.is_none_or(|(number, whole)| number != chunk.number || whole) {
            if self.coming.is_some() {
                intake.forget().await;
            }
            self.coming = Some((chunk.number, false));
        }
        let wanted = intake.part(&chunk.octets).await;
        if chunk.last {
            self.coming = Some((chunk.number, true));
        }
        wanted
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Fetched(fetched)
                if self.coming == Some((fetched.number, true)) && fetched.uid > 0 =>
            {
                self.coming = None;
                let flags = fetched.flags.unwrap_or_default();
                let (date_ms, zone) = (fetched.internal_date_ms, fetched.internal_date_zone);
                self.due = Some((fetched.uid, Facts { flags, date_ms, zone }));
            }
            Event::Opened(opened) => self.opened = Some(opened),
            Event::Found(found) => self.found.extend(found.uids),
            Event::Exists(_) => self.has_news = true,
            _ => {}
        }
    }

    fn is_news(&self) -> bool {
        self.has_news
    }
}

type Connection = Reading<Client, ImapSink>;

/// One round: everything above this UID that is not here yet.
///
/// # Errors
/// Why it stopped; what was stored before stays, and so does what was not.
pub(crate) async fn collect_imap(
    reading: &mut Connection,
    local: Local,
    how: &Collecting,
    above: u32,
    tally: Tally,
) -> (Round, Result<(), Stopped>) {
    let mut round = Round { last_uid: above, ..Round::default() };
    reading.sink().intake = Some(Intake::new(local, how.clone(), tally));
    let mut ended = run(reading, how, above, &mut round).await;
    if let Some(mut intake) = reading.sink().intake.take() {
        if let (Ok(()), Err(error)) = (&ended, intake.check()) {
            ended = Err(error.into());
        }
        (round.counts, round.octets) = intake.close().await;
    }
    (round, ended)
}

async fn run(
    reading: &mut Connection,
    how: &Collecting,
    above: u32,
    round: &mut Round,
) -> Result<(), Stopped> {
    let uids =
        if above == 0 { open(reading, how).await? } else { search(reading, above, None).await? };
    round.last_uid = uids.last().map_or(above, |uid| above.max(*uid));
    let validity = reading.sink().opened.as_ref().and_then(|opened| opened.counters.uid_validity);
    let validity = validity.unwrap_or(0);
    let keyed = |uid: &u32| (*uid, Key::of(&[b"imap", &imap_key(validity, *uid)]));
    let messages = uids.iter().map(keyed).collect();
    intake(reading).plan(messages).await?;
    let mut calls: VecDeque<(u32, Vec<u32>, Remaining)> = VecDeque::new();
    let mut can_delete = true;
    loop {
        while calls.len() < CALLS {
            let open = intake(reading).plan.open();
            let next = intake(reading).plan.next(OPEN_MAX.min(open + BATCH));
            if next.is_empty() {
                break;
            }
            let command = Command::Fetch(fetch(&next));
            let remaining = Remaining::new(command.clone());
            calls.push_back((reading.begin_call(command).await?, next, remaining));
        }
        match calls.pop_front() {
            Some((call, uids, mut remaining)) => {
                let end = reading.complete(call).await?;
                reading.sink().hand_over().await;
                if let Some(command) = remaining.next(&end) {
                    calls.push_front((reading.begin_call(command).await?, uids, remaining));
                    continue;
                }
                let is_refused = end.outcome != Outcome::Ok;
                intake(reading).plan.answered(&uids, is_refused);
                if is_refused {
                    let said = shown(&end.text);
                    round.notes.push(format!("some messages could not be fetched: {said}"));
                }
                intake(reading).settle_ready();
            }
            None => intake(reading).settle_one().await,
        }
        intake(reading).check()?;
        let is_over = calls.is_empty() && intake(reading).plan.is_collected();
        if how.delete {
            delete(reading, is_over, &mut can_delete, round).await?;
        }
        if is_over {
            return Ok(());
        }
    }
}

fn intake(reading: &mut Connection) -> &mut Intake {
    reading.sink().intake.as_mut().expect("a round has one until it is over")
}

/// Opens the mailbox; its UIDs.
async fn open(reading: &mut Connection, how: &Collecting) -> Result<Vec<u32>, Stopped> {
    let name = how.remote.clone().into_bytes();
    // EXAMINE where nothing is to be changed there: not even \Recent is.
    let select = SelectCommand { name, read_only: !how.delete, known: None };
    let end = reading.call(Command::Select(select)).await?;
    if end.outcome != Outcome::Ok {
        let text = format!("the mailbox {} cannot be opened: {}", how.remote, shown(&end.text));
        return Err(Ended::new(Why::Unsupported, text).into());
    }
    if how.delete && reading.sink().opened.as_ref().is_some_and(|opened| opened.read_only) {
        let text = format!("the mailbox {} is read-only, so nothing can be deleted", how.remote);
        return Err(Ended::new(Why::Unsupported, text).into());
    }
    let next = reading.sink().opened.as_ref().and_then(|opened| opened.counters.uid_next);
    search(reading, 0, next).await
}

/// UIDs above one, ascending; `next` is what the next message would get, if that is known.
async fn search(
    reading: &mut Connection,
    above: u32,
    next: Option<u32>,
) -> Result<Vec<u32>, Stopped> {
    reading.sink().has_news = false;
    let windows = next.map(|next| next / SEARCH_UIDS + 1).filter(|count| *count <= SEARCHES_MAX);
    let runs: Vec<UidRun> = match windows {
        Some(count) if count > 1 => {
            let run =
                |at: u32| UidRun { first: at * SEARCH_UIDS + 1, last: (at + 1) * SEARCH_UIDS };
            (0..count).map(run).collect()
        }
        _ => vec![UidRun { first: above.saturating_add(1), last: u32::MAX }],
    };
    let mut uids = Vec::new();
    for run in runs {
        let keys = vec![SearchKey::Uids(vec![run])];
        let search = SearchCommand { keys, ..Default::default() };
        let end = reading.call_for_all(Command::Search(search)).await?;
        if end.outcome != Outcome::Ok || end.incomplete {
            let text = format!("the server does not say what is there: {}", shown(&end.text));
            return Err(Ended::new(Why::Unsupported, text).into());
        }
        let found = std::mem::take(&mut reading.sink().found);
        // `n:*` names the last message even if its UID is lower (RFC 9051 §6.4.4).
        let found = found.iter().flat_map(|run| run.first..=run.last);
        uids.extend(found.filter(|uid| *uid > above));
    }
    uids.sort_unstable();
    uids.dedup();
    Ok(uids)
}

fn runs(uids: &[u32]) -> Vec<UidRun> {
    let mut uids = uids.to_vec();
    uids.sort_unstable();
    let mut runs = Vec::new();
    uids.into_iter().for_each(|uid| push_uid(&mut runs, uid));
    runs
}

fn fetch(uids: &[u32]) -> FetchCommand {
    let whole = FetchSection { section: Vec::new(), binary: false, part: None };
    FetchCommand {
        uids: runs(uids),
        with_flags: true,
        with_facts: true,
        sections: vec![whole],
        ..FetchCommand::default()
    }
}

/// Removes there what is stored here.
async fn delete(
    reading: &mut Connection,
    all: bool,
    can: &mut bool,
    round: &mut Round,
) -> Result<(), Stopped> {
    let waiting = if all { 1 } else { DELETE_AT };
    while intake(reading).plan.deletable_count() >= waiting {
        let uids = intake(reading).plan.deletable(DELETE_AT);
        let flags = Flags { system: DELETED, keywords: Vec::new() };
        let (mode, silent, unchanged_since) = (StoreMode::Add, true, None);
        let store = StoreCommand { uids: runs(&uids), mode, flags, silent, unchanged_since };
        let end = reading.call_for_all(Command::Store(store)).await?;
        if end.outcome != Outcome::Ok {
            let text = format!("the server lets nothing be deleted: {}", shown(&end.text));
            return Err(Ended::new(Why::Unsupported, text).into());
        }
        if !*can {
            continue;
        }
        let end = reading.call_for_all(Command::Expunge(runs(&uids))).await?;
        match end.outcome {
            Outcome::Ok => intake(reading).plan.deleted(uids.len() as u64),
            Outcome::Unsupported => {
                // EXPUNGE without UIDs would remove what others have marked too (RFC 4315 §2.1).
                *can = false;
                let what = "the server can only remove all that is marked (it has no UIDPLUS)";
                round.notes.push(format!("{what}: what was collected is marked as deleted there"));
            }
            _ => {
                let text = format!("the server does not remove messages: {}", shown(&end.text));
                return Err(Ended::new(Why::Unsupported, text).into());
            }
        }
    }
    Ok(())
}
