//! The messages of all mailboxes as one list, newest first: what one SMTP transaction brought is one message, however many
//! mailboxes got it, since the store keeps it once.
//!
//! The list is made when it is first asked for. From then on it is told in which mailboxes something happened, and reads what
//! changed there since, so that asking again costs nothing while nothing happens.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use pillarbox_engine::imap::types::{
    Flags, FlagsAsk, MailboxesAsk, RowsAsk, SpecialUse, UidRun, VanishedAsk,
};
use pillarbox_engine::message::Index;
use pillarbox_engine::types::{BlobId, Reason};
use pillarbox_world::hub::SessionKey;
use pillarbox_world::store::{MailboxId, Store, push_uid};
use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast};

use super::summary::{Party, Summary, moment};
use crate::drive::next_key;
use crate::store::MailStore;

/// \Seen, as stores number system flags.
pub(super) const SEEN: u8 = 8;
/// Names that are read at once.
const PAGE: u32 = 256;
/// Rows that are read at once.
const ROWS: u32 = 256;
/// Events that a listener may be behind; then it is told that it missed some.
const BEHIND_MAX: usize = 256;

/// The list, and who is told of its changes.
pub(super) struct Catalogue {
    state: Mutex<State>,
    key: SessionKey,
    /// Something happened in the store.
    woken: Arc<Notify>,
    events: broadcast::Sender<Event>,
    /// Messages that went since the list is there.
    gone: AtomicU64,
}

/// What happened to the list.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A message came.
    New(Arc<Entry>),
    /// It is read or unread now, or has other tags.
    Changed(Arc<Entry>),
    /// It is in no mailbox any more.
    Gone(BlobId),
}

/// A message of the list, as it is at one moment.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: BlobId,
    pub(super) summary: Arc<Summary>,
    /// Where it lies.
    pub(super) places: Vec<Place>,
}

/// A mailbox that has a message.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) mailbox: MailboxId,
    pub(super) uid: u32,
    /// Whose mailbox.
    pub(super) account: Arc<str>,
    pub(super) seen: bool,
    pub(super) keywords: Vec<String>,
}

#[derive(Default)]
struct State {
    has_begun: bool,
    folders: HashMap<MailboxId, Folder>,
    /// Mailboxes of what somebody wrote: no mail that came.
    written: HashSet<MailboxId>,
    messages: HashMap<BlobId, Arc<Entry>>,
    /// By time.
    order: BTreeSet<(u64, BlobId)>,
    unread: usize,
    tags: BTreeMap<String, usize>,
    /// What this look at the store changed, each with whether it was there before.
    touched: BTreeMap<BlobId, bool>,
}

struct Folder {
    account: Arc<str>,
    /// Up to where changes are known.
    modseq: u64,
    /// The first UID that is not known.
    next: u32,
    uids: BTreeMap<u32, BlobId>,
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) all: usize,
    pub(super) unread: usize,
}

impl Entry {
    /// Whether everybody who got it has read it.
    pub(super) fn is_read(&self) -> bool {
        self.places.iter().all(|place| place.seen)
    }

    /// Its keywords but for those that programs set (RFC 5788), as tags.
    pub(super) fn tags(&self) -> BTreeSet<&str> {
        let all = self.places.iter().flat_map(|place| &place.keywords);
        all.map(String::as_str).filter(|tag| !tag.starts_with('$')).collect()
    }

    /// Whom it reached though its fields do not say so, and whom they say it reached blindly.
    pub(super) fn blind(&self) -> Vec<Party> {
        let summary = &self.summary;
        let mut blind = summary.bcc.clone();
        for place in &self.places {
            let named = summary.to.iter().chain(&summary.cc).chain(&blind);
            let is_named = |party: &Party| party.address.eq_ignore_ascii_case(&place.account);
            if !named.into_iter().any(is_named) {
                blind.push(Party { name: String::new(), address: place.account.to_string() });
            }
        }
        blind
    }

    /// As Mailpit's lists have it.
    pub(super) fn json(&self) -> Value {
        let Summary { from, to, cc, reply_to, subject, message_id, .. } = &*self.summary;
        let all = |parties: &[Party]| parties.iter().map(Party::json).collect::<Vec<_>>();
        json!({
            "ID": self.id.to_string(),
            "MessageID": message_id,
            "Read": self.is_read(),
            "From": from.clone().unwrap_or_default().json(),
            "To": all(to),
            "Cc": all(cc),
            "Bcc": all(&self.blind()),
            "ReplyTo": all(reply_to),
            "Subject": subject,
            "Created": moment(self.summary.came_ms),
            "Username": "",
            "Tags": self.tags(),
            "Size": self.summary.size,
            "Attachments": self.summary.files,
            "Snippet": self.summary.snippet,
        })
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            key: next_key(),
            woken: Arc::default(),
            events: broadcast::Sender::new(BEHIND_MAX),
            gone: AtomicU64::new(0),
        }
    }
}

impl Catalogue {
    /// The name under which the interface writes to the store.
    pub(super) fn key(&self) -> SessionKey {
        self.key
    }

    /// What happens from now on.
    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Ends once something happened in the store that somebody waits for.
    pub(super) async fn news(&self) {
        loop {
            self.woken.notified().await;
            if self.events.receiver_count() > 0 {
                return;
            }
        }
    }

    /// Reads what changed in the store since the last time.
    ///
    /// # Errors
    /// What the store says; the next time begins anew.
    pub(super) fn refresh(&self, store: &MailStore) -> Result<(), Reason> {
        let mut state = self.state();
        let done = state.refresh(self, store);
        if done.is_err() {
            // What is half read is not gone on with.
            *state = State::default();
            return done;
        }
        let touched = std::mem::take(&mut state.touched);
        let events: Vec<Event> = touched
            .into_iter()
            .filter_map(|(id, was_there)| match (state.messages.get(&id), was_there) {
                (Some(entry), true) => Some(Event::Changed(Arc::clone(entry))),
                (Some(entry), false) => Some(Event::New(Arc::clone(entry))),
                (None, true) => Some(Event::Gone(id)),
                (None, false) => None,
            })
            .collect();
        drop(state);
        for event in events {
            if let Event::Gone(_) = event {
                self.gone.fetch_add(1, Ordering::Relaxed);
            }
            // Only that nobody listens is an error.
            drop(self.events.send(event));
        }
        Ok(())
    }

    /// How many messages there are.
    pub(super) fn totals(&self) -> Totals {
        let state = self.state();
        Totals { all: state.messages.len(), unread: state.unread }
    }

    /// How many went while the list was there.
    pub(super) fn gone(&self) -> u64 {
        self.gone.load(Ordering::Relaxed)
    }

    /// All tags, each with how many messages have it.
    pub(super) fn tags(&self) -> BTreeMap<String, usize> {
        self.state().tags.clone()
    }

    /// A page of the list, newest first.
    pub(super) fn page(&self, start: usize, limit: usize) -> Vec<Arc<Entry>> {
        let state = self.state();
        let ids = state.order.iter().rev().skip(start).take(limit);
        ids.filter_map(|(_, id)| state.messages.get(id).cloned()).collect()
    }

    /// The newest of those whose time has come; of mail that all says to be from the future, what came last.
    pub(super) fn latest(&self, now_ms: u64) -> Option<Arc<Entry>> {
        let state = self.state();
        let id = match state.order.range(..=(now_ms, BlobId::MAX)).next_back() {
            Some((_, id)) => *id,
            None => state.order.iter().map(|(_, id)| *id).max()?,
        };
        state.messages.get(&id).cloned()
    }

    /// All that something holds of, newest first.
    pub(super) fn filtered(&self, mut holds: impl FnMut(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let state = self.state();
        let all = state.order.iter().rev().filter_map(|(_, id)| state.messages.get(id));
        all.filter(|entry| holds(entry)).cloned().collect()
    }

    /// One message.
    pub(super) fn message(&self, id: BlobId) -> Option<Arc<Entry>> {
        self.state().messages.get(&id).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in the middle of a look leaves a list that may lack something: the next look begins anew.
        self.state.lock().unwrap_or_else(|poisoned| {
            self.state.clear_poison();
            let mut state = poisoned.into_inner();
            *state = State::default();
            state
        })
    }
}

impl State {
    fn refresh(&mut self, catalogue: &Catalogue, store: &MailStore) -> Result<(), Reason> {
        let (hub, key) = (store.hub(), catalogue.key);
        let reads = store.reads();
        if !self.has_begun {
            let woken = Arc::clone(&catalogue.woken);
            hub.watch_everywhere(key, Box::new(move || woken.notify_one()));
            self.look_everywhere(reads)?;
            self.has_begun = true;
            return Ok(());
        }
        let heard = hub.happened_everywhere(key);
        if heard.overflow {
            return self.look_everywhere(reads);
        }
        heard.mailboxes.into_iter().try_for_each(|mailbox| self.look(reads, mailbox))
    }

    /// Looks at every mailbox there is.
    fn look_everywhere(&mut self, store: &dyn Store) -> Result<(), Reason> {
        let mut known: HashSet<MailboxId> = self.folders.keys().copied().collect();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let names = store.accounts(after.as_deref(), PAGE)?;
            let Some(last) = names.last() else { break };
            after = Some(last.clone());
            for name in &names {
                let Some(account) = store.account(name)? else { continue };
                let mut page_after = None;
                loop {
                    let after = page_after.take();
                    let ask = MailboxesAsk { after, prefix: Vec::new(), max: PAGE, status: false };
                    let page = store.mailboxes(account, &ask)?;
                    for row in page.rows.iter().filter(|row| row.exists && row.selectable) {
                        match store.mailbox(account, &row.name) {
                            Ok(mailbox) => {
                                known.remove(&mailbox);
                                self.look(store, mailbox)?;
                            }
                            Err(Reason::NotFound) => {}
                            Err(reason) => return Err(reason),
                        }
                    }
                    page_after = page.rows.last().map(|row| row.name.clone());
                    if !page.more || page_after.is_none() {
                        break;
                    }
                }
            }
        }
        known.into_iter().for_each(|mailbox| self.forget(mailbox));
        Ok(())
    }

    /// Reads what changed in a mailbox.
    fn look(&mut self, store: &dyn Store, mailbox: MailboxId) -> Result<(), Reason> {
        if self.written.contains(&mailbox) {
            return Ok(());
        }
        match self.look_at(store, mailbox) {
            // It went, perhaps while it was read.
            Err(Reason::NotFound) => {
                self.forget(mailbox);
                Ok(())
            }
            done => done,
        }
    }

    fn look_at(&mut self, store: &dyn Store, mailbox: MailboxId) -> Result<(), Reason> {
        let (account, name) = store.place(mailbox)?;
        if !self.folders.contains_key(&mailbox) {
            let uses = store.name(account, &name, false)?.special_uses;
            if uses.iter().any(|what| matches!(what, SpecialUse::Drafts | SpecialUse::Sent)) {
                self.written.insert(mailbox);
                return Ok(());
            }
            let whose = store.account_name(account)?;
            let account = Arc::from(&*String::from_utf8_lossy(&whose));
            let folder = Folder { account, modseq: 0, next: 1, uids: BTreeMap::new() };
            self.folders.insert(mailbox, folder);
        }
        // Before what it counts: what happens meanwhile is read twice, and nothing is passed over.
        let status = store.status(account, &name)?;
        let Some(folder) = self.folders.get(&mailbox) else { return Ok(()) };
        let (since, next) = (folder.modseq, folder.next);
        if status.highest_modseq == since && status.uid_next == next {
            return Ok(());
        }
        if next > 1 {
            if !self.read_vanished(store, mailbox, since)? {
                self.forget(mailbox);
                return self.look_at(store, mailbox);
            }
            self.read_flags(store, mailbox, since, next - 1)?;
        }
        self.read_rows(store, mailbox)?;
        if let Some(folder) = self.folders.get_mut(&mailbox) {
            folder.modseq = status.highest_modseq;
            folder.next = folder.next.max(status.uid_next);
        }
        Ok(())
    }

    /// False: the store does not remember all that went.
    fn read_vanished(
        &mut self,
        store: &dyn Store,
        mailbox: MailboxId,
        since: u64,
    ) -> Result<bool, Reason> {
        let mut above = 0;
        loop {
            let page = store.vanished(mailbox, &VanishedAsk { since, above })?;
            if !page.known {
                return Ok(false);
            }
            for run in &page.runs {
                let Some(folder) = self.folders.get_mut(&mailbox) else { return Ok(true) };
                let gone: Vec<u32> =
                    folder.uids.range(run.first..=run.last).map(|(uid, _)| *uid).collect();
                gone.into_iter().for_each(|uid| self.remove(mailbox, uid));
            }
            match page.runs.last() {
                Some(run) if page.more => above = run.last,
                _ => return Ok(true),
            }
        }
    }

    fn read_flags(
        &mut self,
        store: &dyn Store,
        mailbox: MailboxId,
        since: u64,
        last: u32,
    ) -> Result<(), Reason> {
        let mut first = 1;
        while first <= last {
            let uids = vec![UidRun { first, last }];
            let ask = FlagsAsk { uids, max: ROWS, changed_since: Some(since) };
            let page = store.flags(mailbox, &ask)?;
            let (last_seen, more) = (page.uids.last().copied(), page.more);
            // Our own store's columns fit.
            for row in page.into_reversed().into_iter().flatten() {
                let folder = self.folders.get(&mailbox);
                let known = folder.and_then(|folder| folder.uids.get(&row.uid)).copied();
                if let Some(id) = known {
                    self.change(id, |places| {
                        let own =
                            places.iter_mut().find(|p| (p.mailbox, p.uid) == (mailbox, row.uid));
                        if let Some(place) = own {
                            (place.seen, place.keywords) = flags_of(&row.flags);
                        }
                    });
                }
            }
            match last_seen {
                Some(uid) if more => first = uid.saturating_add(1),
                _ => break,
            }
        }
        Ok(())
    }

    fn read_rows(&mut self, store: &dyn Store, mailbox: MailboxId) -> Result<(), Reason> {
        loop {
            let Some(folder) = self.folders.get(&mailbox) else { return Ok(()) };
            let (account, first) = (Arc::clone(&folder.account), folder.next);
            let uids = vec![UidRun { first, last: u32::MAX }];
            let ask = RowsAsk { uids, max: ROWS, index: true, changed_since: None };
            let page = store.rows(mailbox, &ask)?;
            let Some(last) = page.rows.last().map(|row| row.uid) else { return Ok(()) };
            for mut row in page.rows {
                let index = row.index.take().and_then(|index| Index::decode(&index).ok());
                let (seen, keywords) = flags_of(&row.flags);
                let account = Arc::clone(&account);
                let place = Place { mailbox, uid: row.uid, account, seen, keywords };
                if let Some(folder) = self.folders.get_mut(&mailbox) {
                    folder.uids.insert(row.uid, row.blob);
                    folder.next = row.uid.saturating_add(1);
                }
                if !self.messages.contains_key(&row.blob) {
                    let summary = Summary::of(&row, &index.unwrap_or_default());
                    self.touched.entry(row.blob).or_insert(false);
                    self.insert(Entry {
                        id: row.blob,
                        summary: summary.into(),
                        places: vec![place],
                    });
                } else {
                    self.change(row.blob, |places| places.push(place));
                }
            }
            if !page.more || last == u32::MAX {
                return Ok(());
            }
        }
    }

    /// A mailbox is there no more.
    fn forget(&mut self, mailbox: MailboxId) {
        let Some(folder) = self.folders.get(&mailbox) else { return };
        let uids: Vec<u32> = folder.uids.keys().copied().collect();
        uids.into_iter().for_each(|uid| self.remove(mailbox, uid));
        self.folders.remove(&mailbox);
    }

    fn remove(&mut self, mailbox: MailboxId, uid: u32) {
        let folder = self.folders.get_mut(&mailbox);
        let Some(id) = folder.and_then(|folder| folder.uids.remove(&uid)) else { return };
        self.change(id, |places| {
            places.retain(|place| (place.mailbox, place.uid) != (mailbox, uid))
        });
    }

    /// Changes where a message lies; one that lies nowhere is gone.
    fn change(&mut self, id: BlobId, change: impl FnOnce(&mut Vec<Place>)) {
        let Some(old) = self.messages.remove(&id) else { return };
        self.touched.entry(id).or_insert(true);
        self.count(&old, false);
        let mut entry = Arc::unwrap_or_clone(old);
        change(&mut entry.places);
        if entry.places.is_empty() {
            self.order.remove(&(entry.summary.came_ms, id));
        } else {
            self.insert(entry);
        }
    }

    fn insert(&mut self, entry: Entry) {
        self.order.insert((entry.summary.came_ms, entry.id));
        self.count(&entry, true);
        self.messages.insert(entry.id, Arc::new(entry));
    }

    fn count(&mut self, entry: &Entry, more: bool) {
        let by = |count: usize| if more { count + 1 } else { count.saturating_sub(1) };
        if !entry.is_read() {
            self.unread = by(self.unread);
        }
        for tag in entry.tags() {
            let count = self.tags.entry(tag.to_owned()).or_default();
            *count = by(*count);
            if *count == 0 {
                self.tags.remove(tag);
            }
        }
    }
}

fn flags_of(flags: &Flags) -> (bool, Vec<String>) {
    let keywords = flags.keywords.iter();
    let keywords = keywords.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    (flags.system & SEEN != 0, keywords)
}

/// The places of messages, by mailbox, as runs of UIDs.
pub(super) fn places(entries: &[Arc<Entry>]) -> BTreeMap<MailboxId, Vec<UidRun>> {
    let mut uids: BTreeMap<MailboxId, BTreeSet<u32>> = BTreeMap::new();
    for place in entries.iter().flat_map(|entry| &entry.places) {
        uids.entry(place.mailbox).or_default().insert(place.uid);
    }
    let runs = |uids: BTreeSet<u32>| {
        let mut runs = Vec::new();
        uids.into_iter().for_each(|uid| push_uid(&mut runs, uid));
        runs
    };
    uids.into_iter().map(|(mailbox, uids)| (mailbox, runs(uids))).collect()
}

#[cfg(test)]
mod tests {
    use pillarbox_engine::imap::rights::Rights;
    use pillarbox_engine::imap::types::StoreMode;
    use pillarbox_world::store::{
        Body, Copy, Deliver, Expunge, Named, NewMessage, Outcome, SetFlags, Write,
    };

    use super::super::contents::Contents;
    use super::*;
    use crate::config::Data;

    const TEXT: &[u8] = b"From: Alice <alice@crepes.fr>\r\nTo: bob@x.test\r\nSubject: one\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n\
        --b\r\nContent-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment\r\n\r\n1,2\r\n--b--\r\n";

    async fn deliver(store: &MailStore, accounts: &[&str], ms: u64) -> BlobId {
        let message = NewMessage {
            body: Body::Whole(TEXT.to_vec()),
            index: pillarbox_mime::index(TEXT, TEXT.len() as u64).encode(),
            plain: true,
            flags: Flags::default(),
            internal_date_ms: ms,
            internal_date_zone: 0,
        };
        let accounts = accounts.iter().map(|name| name.as_bytes().to_vec()).collect();
        let (relay, reports) = (None, Vec::new());
        let deliver = Deliver { accounts, junk: false, relay, message, reports, now_ms: ms };
        match store.write(0, Write::Deliver(Box::new(deliver))).await {
            Ok(Outcome::Delivered(blob)) => blob,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_came_once_is_one_message_wherever_it_lies() {
        let store = MailStore::open(&Data::Memory).expect("memory is there");
        let first = deliver(&store, &["bob@x.test", "eve@x.test"], 1000).await;
        let list = Catalogue::default();
        let mut events = list.events();
        let mut told = || {
            list.refresh(&store).expect("it reads");
            std::iter::from_fn(|| events.try_recv().ok()).collect::<Vec<_>>()
        };
        assert!(matches!(&told()[..], [Event::New(entry)] if entry.id == first));
        assert!(told().is_empty(), "nothing happened since");
        let entry = list.message(first).expect("it is there");
        assert_eq!((entry.places.len(), entry.is_read()), (2, false));
        assert_eq!(entry.json()["Bcc"][0]["Address"], "eve@x.test");
        assert_eq!(entry.json()["Attachments"], 1);
        assert_eq!(entry.json()["Snippet"], "Hello");

        let contents = Contents::open(store.reads(), &entry).expect("it is there");
        let shown = contents.json(&entry).expect("it reads");
        assert_eq!(shown["Text"].as_str().map(str::trim), Some("Hello"));
        assert_eq!(shown["Attachments"][0]["PartID"], "2");
        let (octets, kind, name) = contents.numbered("2").expect("the file");
        assert_eq!((&octets[..], &kind[..], &name[..]), (&b"1,2"[..], "text/csv", "a.csv"));
        assert!(contents.numbered("3").is_err() && contents.numbered("").is_ok());

        let second = deliver(&store, &["carol@x.test"], 2000).await;
        let third = deliver(&store, &["bob@x.test"], 1500).await;
        assert_eq!(told().len(), 2);
        let ids = |page: Vec<Arc<Entry>>| page.iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!(ids(list.page(0, 10)), [second, third, first]);
        assert_eq!(ids(list.page(1, 1)), [third]);
        let latest = |now_ms| list.latest(now_ms).map(|entry| entry.id);
        assert_eq!(
            (latest(5000), latest(1999), latest(1000)),
            (Some(second), Some(third), Some(first))
        );
        assert_eq!(latest(10), Some(third), "what came last, where all is from the future");

        // Read by one is not read by all.
        let bobs = entry.places.iter().find(|place| &*place.account == "bob@x.test");
        let bobs = bobs.expect("he has it").mailbox;
        let one = vec![UidRun { first: 1, last: 1 }];
        let flags = Flags { system: SEEN, keywords: vec![b"later".to_vec(), b"$Work".to_vec()] };
        let set = |mailbox, uids| {
            let (flags, mode) = (flags.clone(), StoreMode::Add);
            Write::SetFlags(SetFlags {
                mailbox,
                uids,
                mode,
                flags,
                unchanged_since: None,
                may: Rights::ALL,
            })
        };
        store.write(0, set(bobs, one.clone())).await.expect("bob reads it");
        assert!(matches!(&told()[..], [Event::Changed(entry)] if !entry.is_read()));
        assert_eq!(list.totals(), Totals { all: 3, unread: 3 });
        for (mailbox, uids) in places(&[list.message(first).expect("it is there")]) {
            store.write(0, set(mailbox, uids)).await.expect("all read it");
        }
        told();
        assert_eq!(list.totals(), Totals { all: 3, unread: 2 });
        assert_eq!(list.tags().into_iter().collect::<Vec<_>>(), [("later".to_owned(), 1)]);

        // A copy is the same message; what lies in Sent is none that came.
        let bob = store.reads().place(bobs).expect("it is there").0;
        for to in [&b"Archive"[..], b"Sent"] {
            let copy = Copy {
                account: bob,
                mailbox: bobs,
                uids: one.clone(),
                to: to.to_vec(),
                remove: false,
                keeps: Rights::ALL,
                now_ms: 3000,
            };
            store.write(0, Write::Copy(copy)).await.expect("it is copied");
        }
        told();
        assert_eq!(list.message(first).expect("it is there").places.len(), 3);
        let named = Named { account: bob, name: b"Archive".to_vec() };
        store.write(0, Write::Delete(named)).await.expect("it goes");
        told();
        assert_eq!(list.message(first).expect("it is there").places.len(), 2);

        for (mailbox, uids) in places(&list.page(0, 10)) {
            let expunge = Expunge { mailbox, uids, deleted_only: false };
            store.write(0, Write::Expunge(expunge)).await.expect("they go");
        }
        assert!(told().iter().all(|event| matches!(event, Event::Gone(_))));
        assert_eq!((list.totals(), list.gone()), (Totals { all: 0, unread: 0 }, 3));
        assert!(list.tags().is_empty() && list.page(0, 10).is_empty());
    }

    #[tokio::test]
    async fn more_than_is_told_of_is_found_too() {
        let store = MailStore::open(&Data::Memory).expect("memory is there");
        let list = Catalogue::default();
        list.refresh(&store).expect("it reads");
        for number in 0..600 {
            deliver(&store, &[&format!("user{number}@x.test")], number).await;
        }
        list.refresh(&store).expect("it reads");
        assert_eq!(list.totals(), Totals { all: 600, unread: 600 });
    }
}
