//! Collecting by POP3: what is new in the maildrop, by unique-id.

use std::collections::{HashMap, VecDeque};

use pillarbox_engine::collect::pop3_keys;
use pillarbox_engine::pop3::Client;
use pillarbox_engine::pop3::client::types::{
    Command, Completion, Event, MessageChunk, Outcome, Ready, UniqueIdRow,
};

use super::intake::{Facts, Intake};
use super::{Collecting, OPEN_MAX, Round, Stopped};
use crate::client::reading::{Ended, Reading, Sink, Why};
use crate::folders::Tally;
use crate::local::{Key, Local};
use crate::serve::shown;

/// Commands that wait for the server at once; without PIPELINING the session sends them one by one.
const CALLS: usize = 16;

/// What becomes of what a POP3 server tells.
#[derive(Default)]
pub(crate) struct PopSink {
    pub(super) intake: Option<Intake>,
    ready: Option<Ready>,
    rows: Vec<UniqueIdRow>,
    /// Messages by the call that wanted them.
    wanted: HashMap<u32, u32>,
    /// The call whose message is coming.
    coming: Option<u32>,
    /// A whole message that was not handed over yet.
    due: Option<u32>,
}

impl PopSink {
    async fn hand_over(&mut self) {
        if let (Some(number), Some(intake)) = (self.due.take(), &mut self.intake) {
            // POP3 tells neither flags nor dates.
            intake.hand_over(number, Facts::default()).await;
        }
    }
}

impl Sink<Client> for PopSink {
    async fn chunk(&mut self, chunk: MessageChunk) -> bool {
        self.hand_over().await;
        let Some(intake) = &mut self.intake else { return false };
        if self.coming != Some(chunk.call) {
            if self.coming.is_some() {
                intake.forget().await;
            }
            self.coming = Some(chunk.call);
        }
        intake.part(&chunk.octets).await
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Ready(ready) => self.ready = Some(ready),
            Event::UniqueIds(found) => self.rows.extend(found.rows),
            Event::Completed(Completion { call, outcome: Outcome::Retrieved(_) })
                if self.coming == Some(call) =>
            {
                self.coming = None;
                self.due = self.wanted.get(&call).copied();
            }
            _ => {}
        }
    }
}

type Connection = Reading<Client, PopSink>;

/// One round, which ends the session: only that removes messages for good (RFC 1939 §6).
pub(crate) async fn collect_pop3(
    mut reading: Connection,
    local: Local,
    how: &Collecting,
    tally: Tally,
) -> (Round, Result<(), Stopped>) {
    let mut round = Round::default();
    reading.sink().intake = Some(Intake::new(local, how.clone(), tally));
    let mut ended = run(&mut reading, how, &mut round).await;
    let mut sink = if ended.is_ok() {
        let marked = reading.sink().intake.as_ref().map_or(0, |intake| intake.plan.deleting());
        let (end, mut sink) = reading.leave(Command::Quit).await;
        let is_done = end.is_some_and(|end| matches!(end.outcome, Outcome::Done));
        if is_done && let Some(intake) = &mut sink.intake {
            intake.plan.deleted(marked);
        } else if marked > 0 {
            let what = "the server did not say that it removed what was collected";
            ended = Err(Ended::new(Why::Lost, format!("{what}; the next run does it")).into());
        }
        sink
    } else {
        // Not QUIT: what was marked stays, and the next run knows it.
        std::mem::take(reading.sink())
    };
    if let Some(mut intake) = sink.intake.take() {
        if let (Ok(()), Err(error)) = (&ended, intake.check()) {
            ended = Err(error.into());
        }
        (round.counts, round.octets) = intake.close().await;
    }
    (round, ended)
}

async fn run(reading: &mut Connection, how: &Collecting, round: &mut Round) -> Result<(), Stopped> {
    plan(reading, round).await?;
    let mut calls: VecDeque<(u32, u32)> = VecDeque::new();
    let mut deletes: VecDeque<u32> = VecDeque::new();
    loop {
        while calls.len() < CALLS {
            let open = intake(reading).plan.open();
            let next = intake(reading).plan.next(OPEN_MAX.min(open + 1));
            let Some(number) = next.first().copied() else { break };
            let call = reading.begin_call(Command::Retrieve(number)).await?;
            reading.sink().wanted.insert(call, number);
            calls.push_back((call, number));
        }
        match calls.pop_front() {
            Some((call, number)) => {
                let end = reading.complete(call).await?;
                reading.sink().hand_over().await;
                reading.sink().wanted.remove(&call);
                if let Outcome::Failed(failure) = end.outcome {
                    let said = shown(&failure.text);
                    round.notes.push(format!("message {number} could not be had: {said}"));
                }
                // What came is being stored by now; what did not is not there.
                intake(reading).plan.answered(&[number], true);
                intake(reading).settle_ready();
            }
            None => intake(reading).settle_one().await,
        }
        intake(reading).check()?;
        let is_over = calls.is_empty() && intake(reading).plan.is_collected();
        if how.delete {
            for number in intake(reading).plan.deletable(CALLS) {
                deletes.push_back(reading.begin_call(Command::Delete(number)).await?);
            }
            while deletes.len() > CALLS || (is_over && !deletes.is_empty()) {
                let Some(call) = deletes.pop_front() else { break };
                let end = reading.complete(call).await?;
                if let Outcome::Failed(failure) = end.outcome {
                    let text =
                        format!("the server lets nothing be deleted: {}", shown(&failure.text));
                    return Err(Ended::new(Why::Unsupported, text).into());
                }
            }
        }
        if is_over && intake(reading).plan.deletable_count() == 0 {
            return Ok(());
        }
    }
}

fn intake(reading: &mut Connection) -> &mut Intake {
    reading.sink().intake.as_mut().expect("a round has one until it is over")
}

/// Finds out what is there.
async fn plan(reading: &mut Connection, round: &mut Round) -> Result<(), Stopped> {
    let Some(ready) = reading.sink().ready.clone() else {
        return Err(Ended::new(Why::Lost, "the session is not open").into());
    };
    let count = ready.maildrop.count;
    if count == 0 {
        return Ok(());
    }
    if !ready.capabilities.uidl {
        // Everything comes every time, and what is here already is known by its octets.
        let what = "the server has no UIDL: all messages are fetched to see which are new";
        round.notes.push(what.to_owned());
        (1..=count).for_each(|number| intake(reading).plan.found(number, false));
        return Ok(());
    }
    let end = reading.call(Command::UniqueIds(None)).await?;
    if let Outcome::Failed(failure) = end.outcome {
        let text = format!("the server tells no unique-ids: {}", shown(&failure.text));
        return Err(Ended::new(Why::Unsupported, text).into());
    }
    let rows = std::mem::take(&mut reading.sink().rows);
    let ids: Vec<Vec<u8>> = rows.iter().map(|row| row.unique_id.clone()).collect();
    let keys = pop3_keys(&ids);
    let messages = rows.iter().zip(keys).map(|(row, key)| (row.number, Key::of(&[b"pop3", &key])));
    let messages = messages.collect();
    intake(reading).plan(messages).await?;
    Ok(())
}
