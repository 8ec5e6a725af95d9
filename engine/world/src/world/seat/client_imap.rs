//! The host of an IMAP client's session: a device that shows a mailbox as it is on the server, and hears what changes.

use std::collections::{BTreeMap, VecDeque};

use pillarbox_engine::imap::client::types::{
    Answer, Ask, Call, Command, Completion, CopyCommand, CreateCommand, Event, FetchCommand,
    FetchSection, Fetched, OctetRange, Outcome, SearchCommand, SelectCommand, StoreCommand,
};
use pillarbox_engine::imap::types::{Flags, SearchKey, StoreMode, UidRun};
use pillarbox_engine::types::BlobRange;

use super::client::Login;
use super::{Answered, Cx, Effect, Host, News, Order};
use crate::world::ImapOrder;

/// The largest UID there is.
const LAST_UID: u32 = u32::MAX;

/// What a device wants of the mailbox at first.
#[derive(Clone, Debug, Default)]
pub(crate) struct ImapPlan {
    pub(crate) login: Login,
    pub(crate) orders: Vec<ImapOrder>,
}

/// What an IMAP session found.
#[derive(Clone, Debug)]
pub(crate) enum ImapNews {
    /// A mailbox is open, with so many messages, whose UIDs hold as long as this number (RFC 9051 §2.3.1.1).
    Opened { name: String, count: u32, uid_validity: u32 },
    /// What is known of a message.
    Fetched(Box<Fetched>),
    /// A body, or a part of one, came.
    Body { uid: u32, section: String, octets: Vec<u8> },
    /// The message of this number is gone.
    Gone { number: u32 },
    /// Messages are gone, by UID.
    GoneUids(Vec<UidRun>),
    /// A search found these.
    Found(Vec<u32>),
    /// What was wanted is done, or not.
    Done { ok: bool, words: String },
    /// The session is over.
    Over(Option<String>),
}

/// What stands behind an IMAP client's session.
pub(crate) struct ImapHost {
    plan: ImapPlan,
    ready: bool,
    calls: VecDeque<Call>,
    next_call: u32,
    /// Calls that are not over.
    open: BTreeMap<u32, &'static str>,
    idling: bool,
    /// The highest UID that is known.
    last_uid: u32,
    /// A body that is coming.
    body: Vec<u8>,
    found: Vec<u32>,
    quitting: bool,
}

impl ImapHost {
    pub(crate) fn new(plan: ImapPlan) -> Self {
        Self {
            plan,
            ready: false,
            calls: VecDeque::new(),
            next_call: 1,
            open: BTreeMap::new(),
            idling: false,
            last_uid: 0,
            body: Vec::new(),
            found: Vec::new(),
            quitting: false,
        }
    }

    fn want(&mut self, name: &'static str, command: Command) {
        let id = self.next_call;
        self.next_call += 1;
        self.open.insert(id, name);
        self.calls.push_back(Call { id, command });
    }

    fn overview(&mut self) {
        let first = self.last_uid.saturating_add(1);
        let fetch = FetchCommand {
            uids: vec![UidRun { first, last: LAST_UID }],
            with_flags: true,
            with_facts: true,
            with_envelope: true,
            ..FetchCommand::default()
        };
        self.want("overview", Command::Fetch(fetch));
    }

    fn obey(&mut self, order: &ImapOrder) {
        if self.quitting {
            return;
        }
        let one = |uid: u32| vec![UidRun { first: uid, last: uid }];
        match order {
            ImapOrder::Open(name) => {
                self.last_uid = 0;
                let name = name.clone().into_bytes();
                self.want(
                    "open",
                    Command::Select(SelectCommand { name, read_only: false, known: None }),
                );
                self.overview();
            }
            ImapOrder::Flag { uid, flag, on } => {
                let mode = if *on { StoreMode::Add } else { StoreMode::Remove };
                let flags = Flags { system: *flag, keywords: Vec::new() };
                let (silent, unchanged_since) = (false, None);
                let store = StoreCommand { uids: one(*uid), mode, flags, silent, unchanged_since };
                self.want("flag", Command::Store(store));
            }
            ImapOrder::Delete(uid) => {
                let flags = Flags { system: 4, keywords: Vec::new() };
                let mode = StoreMode::Add;
                let (silent, unchanged_since) = (true, None);
                let store = StoreCommand { uids: one(*uid), mode, flags, silent, unchanged_since };
                self.want("mark", Command::Store(store));
                self.want("delete", Command::Expunge(one(*uid)));
            }
            ImapOrder::Move { uid, to } | ImapOrder::Copy { uid, to } => {
                let remove = matches!(order, ImapOrder::Move { .. });
                let copy = CopyCommand { uids: one(*uid), to: to.clone().into_bytes(), remove };
                self.want(if remove { "move" } else { "copy" }, Command::Copy(copy));
            }
            ImapOrder::Create(name) => {
                let name = name.clone().into_bytes();
                self.want(
                    "create",
                    Command::Create(CreateCommand { name, special_uses: Vec::new() }),
                );
            }
            ImapOrder::Search(words) => {
                self.found.clear();
                let keys = vec![SearchKey::Text(words.clone().into_bytes())];
                self.want("search", Command::Search(SearchCommand { keys, ..Default::default() }));
            }
            ImapOrder::Structure(uid) => {
                let fetch =
                    FetchCommand { uids: one(*uid), with_structure: true, ..Default::default() };
                self.want("structure", Command::Fetch(fetch));
            }
            ImapOrder::Part { uid, section, range } => {
                let part = range.map(|(offset, length)| OctetRange { offset, length });
                let section = section.clone().into_bytes();
                let sections = vec![FetchSection { section, binary: false, part }];
                let fetch = FetchCommand { uids: one(*uid), sections, ..Default::default() };
                self.want("part", Command::Fetch(fetch));
            }
            ImapOrder::Quit => {
                self.quitting = true;
                self.want("quit", Command::Logout);
            }
        }
    }

    fn completed(&mut self, completion: Completion, cx: &mut Cx<'_>) {
        let Completion { call, outcome, text, .. } = completion;
        let Some(name) = self.open.remove(&call) else { return };
        if name == "idle" {
            self.idling = false;
            return;
        }
        if name == "search" {
            let found = std::mem::take(&mut self.found);
            tell(cx, ImapNews::Found(found));
        }
        let ok = outcome == Outcome::Ok;
        if !ok || !matches!(name, "overview" | "mark" | "open") {
            let words = format!("{name}: {}", String::from_utf8_lossy(&text));
            tell(cx, ImapNews::Done { ok, words });
        }
    }

    fn fetched(&mut self, fetched: Fetched, cx: &mut Cx<'_>) {
        self.last_uid = self.last_uid.max(fetched.uid);
        tell(cx, ImapNews::Fetched(Box::new(fetched)));
    }
}

fn tell(cx: &mut Cx<'_>, news: ImapNews) {
    cx.effects.push(Effect::News(News::Imap(Box::new(news))));
}

impl Host<pillarbox_engine::imap::Client> for ImapHost {
    fn answer(&mut self, ask: &Ask, _resumed: bool, cx: &mut Cx<'_>) -> Answered<Answer> {
        Answered::Now(match ask {
            Ask::Login(ask) => Answer::Login(self.plan.login.secret(ask)),
            Ask::Chunk(chunk) => {
                self.body.extend_from_slice(&chunk.octets);
                if chunk.last {
                    let octets = std::mem::take(&mut self.body);
                    let section = String::from_utf8_lossy(&chunk.section).into_owned();
                    tell(cx, ImapNews::Body { uid: chunk.uid, section, octets });
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
            Event::Ready(_) => {
                self.ready = true;
                for order in std::mem::take(&mut self.plan.orders) {
                    self.obey(&order);
                }
            }
            Event::Opened(opened) => {
                let name = String::from_utf8_lossy(&opened.name).into_owned();
                let counters = &opened.counters;
                let (count, uid_validity) =
                    (counters.messages.unwrap_or(0), counters.uid_validity.unwrap_or(0));
                tell(cx, ImapNews::Opened { name, count, uid_validity });
            }
            Event::Exists(_) if self.idling && !self.quitting => self.overview(),
            Event::Fetched(fetched) => self.fetched(fetched, cx),
            Event::Expunged(number) => tell(cx, ImapNews::Gone { number }),
            Event::Vanished(gone) => tell(cx, ImapNews::GoneUids(gone.uids)),
            Event::Found(found) => {
                let each = found.uids.iter().flat_map(|run| run.first..=run.last);
                self.found.extend(each);
            }
            Event::Completed(completion) => self.completed(completion, cx),
            Event::Done(why) => {
                let why = why.map(|why| {
                    let words = String::from_utf8_lossy(&why.text).into_owned();
                    if words.is_empty() { format!("{:?}", why.cause) } else { words }
                });
                self.quitting = true;
                tell(cx, ImapNews::Over(why));
            }
            _ => {}
        }
    }

    fn call(&mut self) -> Option<Call> {
        if let Some(call) = self.calls.pop_front() {
            return Some(call);
        }
        // With nothing to do it waits for what others change (RFC 2177).
        if self.ready && self.open.is_empty() && !self.quitting {
            self.idling = true;
            self.want("idle", Command::Idle);
        }
        self.calls.pop_front()
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Imap(order) if self.ready => self.obey(&order),
            Order::Imap(order) => self.plan.orders.push(order),
            Order::Quit => self.obey(&ImapOrder::Quit),
            Order::Deliver(_) => {}
        }
    }
}
