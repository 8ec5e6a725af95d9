//! The host of a POP3 client's session: a device that fetches what it does not have, and deletes it there or keeps it.

use std::collections::{BTreeMap, VecDeque};

use pillarbox_engine::pop3::client::types::{
    Answer, Ask, Call, Command, Completion, Event, Outcome, UniqueIdRow,
};
use pillarbox_engine::types::BlobRange;

use super::client::Login;
use super::{Answered, Cx, Effect, Host, News};

/// What a device wants of its maildrop.
#[derive(Clone, Debug, Default)]
pub(crate) struct PopPlan {
    pub(crate) login: Login,
    /// Whether what was fetched is deleted there.
    pub(crate) delete: bool,
    /// Whether unique-ids are asked for, so that nothing is fetched twice (RFC 1939 §7).
    pub(crate) unique_ids: bool,
    /// Unique-ids of what the device has.
    pub(crate) known: Vec<Vec<u8>>,
}

/// What stands behind a POP3 client's session.
pub(crate) struct PopHost {
    plan: PopPlan,
    calls: VecDeque<Call>,
    next_call: u32,
    /// Messages that are being fetched, by their call.
    fetching: BTreeMap<u32, Fetching>,
    rows: Vec<UniqueIdRow>,
    listing: Option<u32>,
    count: u32,
}

struct Fetching {
    number: u32,
    octets: Vec<u8>,
}

impl PopHost {
    pub(crate) fn new(plan: PopPlan) -> Self {
        Self {
            plan,
            calls: VecDeque::new(),
            next_call: 1,
            fetching: BTreeMap::new(),
            rows: Vec::new(),
            listing: None,
            count: 0,
        }
    }

    fn want(&mut self, command: Command) -> u32 {
        let id = self.next_call;
        self.next_call += 1;
        self.calls.push_back(Call { id, command });
        id
    }

    fn begin(&mut self, count: u32, has_unique_ids: bool) {
        self.count = count;
        if count > 0 && self.plan.unique_ids && has_unique_ids {
            self.listing = Some(self.want(Command::UniqueIds(None)));
        } else {
            self.fetch();
        }
    }

    /// Fetches what the device does not have.
    fn fetch(&mut self) {
        for number in 1..=self.count {
            let row = self.rows.iter().find(|row| row.number == number);
            if row.is_some_and(|row| self.plan.known.contains(&row.unique_id)) {
                continue;
            }
            let id = self.want(Command::Retrieve(number));
            self.fetching.insert(id, Fetching { number, octets: Vec::new() });
        }
        self.quit_if_done();
    }

    fn quit_if_done(&mut self) {
        if self.fetching.is_empty() && self.listing.is_none() {
            self.want(Command::Quit);
        }
    }

    fn completed(&mut self, completion: Completion, cx: &mut Cx<'_>) {
        let Completion { call, outcome } = completion;
        if self.listing == Some(call) {
            self.listing = None;
            self.fetch();
            return;
        }
        let Some(Fetching { number, octets }) = self.fetching.remove(&call) else { return };
        if matches!(outcome, Outcome::Retrieved(_)) {
            let row = self.rows.iter().find(|row| row.number == number);
            let unique_id = row.map_or_else(Vec::new, |row| row.unique_id.clone());
            cx.effects.push(Effect::News(News::Got { unique_id, octets }));
            if self.plan.delete {
                self.want(Command::Delete(number));
            }
        }
        self.quit_if_done();
    }
}

impl Host<pillarbox_engine::pop3::Client> for PopHost {
    fn answer(&mut self, ask: &Ask, _resumed: bool, _cx: &mut Cx<'_>) -> Answered<Answer> {
        Answered::Now(match ask {
            Ask::Login(ask) => Answer::Login(self.plan.login.secret(ask)),
            Ask::Chunk(chunk) => {
                if let Some(fetching) = self.fetching.get_mut(&chunk.call) {
                    fetching.octets.extend_from_slice(&chunk.octets);
                }
                Answer::Done
            }
        })
    }

    fn octets(&mut self, _range: BlobRange) -> Option<Vec<u8>> {
        None
    }

    fn event(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Ready(ready) => self.begin(ready.maildrop.count, ready.capabilities.uidl),
            Event::UniqueIds(found) => self.rows.extend(found.rows),
            Event::Completed(completion) => self.completed(completion, cx),
            Event::Done(failure) => {
                let why = failure.map(|failure| {
                    let text = String::from_utf8_lossy(&failure.text).into_owned();
                    if text.is_empty() { format!("{:?}", failure.cause) } else { text }
                });
                cx.effects.push(Effect::News(News::ReadDone(why)));
            }
            Event::Maildrop(_)
            | Event::Sizes(_)
            | Event::Capabilities(_)
            | Event::Languages(_)
            | Event::Defect(_) => {}
        }
    }

    fn call(&mut self) -> Option<Call> {
        self.calls.pop_front()
    }
}
