//! Who has which mailbox open, what they have not been told yet, who alone holds a maildrop, and whose octets may not go.
//! It lives in memory beside a store and outlives no restart: all it knows begins anew with the connections.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use pillarbox_engine::imap::types::{Arrived, Change, Expunged, FlagRow, UidRun};
use pillarbox_engine::types::BlobId;

use crate::store::{AccountId, Happening, MailboxId};

/// Names a connection among all of a host's; never reused.
pub type SessionKey = u64;

/// Changes that wait for one session; above this many it is told to read everything again.
const WAITING_MAX: usize = 256;

/// Maildrops whose last opening is remembered before those are forgotten that may be opened again anyhow.
const OPENED_MAX: usize = 4096;

/// Told after a session's changes were queued; must not block.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// What holds maildrops beyond this process, where others have the same store.
pub trait Elsewhere: Send + Sync {
    /// Holds a maildrop for this process; the term in which it does, or `None` if another process holds it.
    fn lock(&self, mailbox: MailboxId) -> Option<u64>;
    /// Gives up what was held in this term.
    fn unlock(&self, mailbox: MailboxId, term: u64);
    /// Whether what was locked in this term is held still: terms end by themselves when a process is cut off.
    fn holds(&self, term: u64) -> bool;
}

/// The hub of one store. Clones are the same hub.
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<State>>);

/// Values behind a pointer make one and the same code of all these maps, which is loaded once by the page.
#[derive(Default)]
struct State {
    watchers: BTreeMap<SessionKey, Box<Watcher>>,
    /// Sessions by mailbox, in the order in which they opened it.
    open: BTreeMap<MailboxId, Vec<SessionKey>>,
    /// First UID that no session was told of as \Recent.
    recent_from: BTreeMap<MailboxId, u32>,
    maildrops: BTreeSet<MailboxId>,
    /// When maildrops were opened last, on the monotonic clock; kept where openings must not follow too soon.
    opened_ms: BTreeMap<MailboxId, u64>,
    /// Sessions that watch whole accounts (RFC 5465).
    listeners: BTreeMap<SessionKey, Box<Listener>>,
    /// Which of them watch which account.
    listened: BTreeMap<AccountId, BTreeSet<SessionKey>>,
    /// Whoever watches all mailboxes there are.
    everywhere: BTreeMap<SessionKey, Box<(Everywhere, Wake)>>,
    holds: BTreeMap<SessionKey, Box<Hold>>,
    /// Who is asked for a maildrop besides this hub.
    elsewhere: Option<Arc<dyn Elsewhere>>,
    /// Counts the commits after which messages were of no use any more.
    moment: u64,
}

/// Octets that a session may still send.
struct Hold {
    /// Nothing that went before this moment was ever told to it.
    since: u64,
    /// Which, in ascending order; all while it is not known yet.
    only: Option<Vec<BlobId>>,
}

struct Watcher {
    mailbox: MailboxId,
    read_only: bool,
    waiting: VecDeque<Change>,
    wake: Wake,
}

/// A session that is told of everything in some accounts.
struct Listener {
    accounts: Vec<AccountId>,
    heard: Heard,
    wake: Wake,
}

/// What happened in accounts that a session listens to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Of names, in order, with the account.
    pub happenings: Vec<(AccountId, Happening)>,
    /// Of messages, by mailbox.
    pub messages: BTreeMap<MailboxId, Touched>,
    /// More happened than was kept; the rest is empty.
    pub overflow: bool,
}

/// Mailboxes of all accounts in which something happened: messages came, went or got other flags, or the mailbox itself
/// went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Everywhere {
    /// Which.
    pub mailboxes: BTreeSet<MailboxId>,
    /// More happened than was kept; the rest is empty.
    pub overflow: bool,
}

/// What happened to messages of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// They came or went.
    pub counted: bool,
    /// They got other flags.
    pub flagged: bool,
}

impl Hub {
    /// From now on queues changes of `mailbox` for this session, in place of any mailbox it watched.
    pub fn watch(&self, key: SessionKey, mailbox: MailboxId, read_only: bool, wake: Wake) {
        let mut state = self.state();
        state.unwatch(key);
        let watcher = Watcher { mailbox, read_only, waiting: VecDeque::new(), wake };
        state.watchers.insert(key, Box::new(watcher));
        state.open.entry(mailbox).or_default().push(key);
    }

    /// Forgets what this session watches.
    pub fn unwatch(&self, key: SessionKey) {
        self.state().unwatch(key);
    }

    /// Takes what this session was not told yet.
    #[must_use]
    pub fn take(&self, key: SessionKey) -> Vec<Change> {
        let mut state = self.state();
        state
            .watchers
            .get_mut(&key)
            .map_or_else(Vec::new, |watcher| watcher.waiting.drain(..).collect())
    }

    /// From now on keeps for this session what happens in these accounts, in place of any others. What was kept stays.
    pub fn listen(&self, key: SessionKey, accounts: &[AccountId], wake: Wake) {
        let mut state = self.state();
        let heard = state.stop_listening(key);
        for account in accounts {
            state.listened.entry(*account).or_default().insert(key);
        }
        let listener = Listener { accounts: accounts.to_vec(), heard, wake };
        state.listeners.insert(key, Box::new(listener));
    }

    /// Forgets what this session listens to.
    pub fn stop_listening(&self, key: SessionKey) {
        self.state().stop_listening(key);
    }

    /// Takes what happened since this was asked before.
    #[must_use]
    pub fn heard(&self, key: SessionKey) -> Heard {
        let mut state = self.state();
        let listener = state.listeners.get_mut(&key);
        listener.map_or_else(Heard::default, |listener| std::mem::take(&mut listener.heard))
    }

    /// From now on keeps for this session in which mailboxes something happens, whosever they are; its own changes too.
    pub fn watch_everywhere(&self, key: SessionKey, wake: Wake) {
        self.state().everywhere.insert(key, Box::new((Everywhere::default(), wake)));
    }

    /// Takes where something happened since this was asked before.
    #[must_use]
    pub fn happened_everywhere(&self, key: SessionKey) -> Everywhere {
        let mut state = self.state();
        let kept = state.everywhere.get_mut(&key);
        kept.map_or_else(Everywhere::default, |kept| std::mem::take(&mut kept.0))
    }

    /// Queues changes for every session that has their mailbox open, and for those that listen to the account, but for
    /// the one that made them. `owner` says whose a mailbox is; it is asked only if somebody listens.
    pub fn publish(
        &self,
        origin: SessionKey,
        changes: &[(MailboxId, Change)],
        happenings: &[(AccountId, Happening)],
        mut owner: impl FnMut(MailboxId) -> Option<AccountId>,
    ) {
        let mut state = self.state();
        for (mailbox, change) in changes {
            state.publish(origin, *mailbox, change);
            for watch in state.everywhere.values_mut() {
                let (kept, wake) = &mut **watch;
                kept.put(*mailbox);
                wake();
            }
            if !state.listened.is_empty()
                && let Some(account) = owner(*mailbox)
            {
                state.let_hear(origin, account, |heard| heard.touch(*mailbox, change));
            }
        }
        for (account, happening) in happenings {
            state.let_hear(origin, *account, |heard| heard.happen(*account, happening));
        }
    }

    /// Claims \Recent for a session that opens a mailbox: messages from the result on are recent to it.
    ///
    /// RFC 3501 §2.3.2: a message is recent to one session only; a read-only one takes nothing away.
    #[must_use]
    pub fn claim_recent(
        &self,
        mailbox: MailboxId,
        stored: u32,
        uid_next: u32,
        read_only: bool,
    ) -> u32 {
        let mut state = self.state();
        let mark = state.recent_from.entry(mailbox).or_insert(stored);
        let from = (*mark).max(stored);
        if !read_only {
            *mark = from.max(uid_next);
        }
        from
    }

    /// From now on a maildrop is held only if it is held elsewhere too.
    pub fn reach(&self, elsewhere: Arc<dyn Elsewhere>) {
        self.state().elsewhere = Some(elsewhere);
    }

    /// Changes were missed that others made: every session is told to read everything again.
    pub fn lose(&self) {
        let mut state = self.state();
        for watcher in state.watchers.values_mut() {
            watcher.queue(Change::Resynchronise);
            (watcher.wake)();
        }
        for listener in state.listeners.values_mut() {
            listener.heard = Heard { overflow: true, ..Heard::default() };
            (listener.wake)();
        }
        for watch in state.everywhere.values_mut() {
            let (kept, wake) = &mut **watch;
            *kept = Everywhere { overflow: true, ..Everywhere::default() };
            wake();
        }
    }

    /// The moment since which the session that began to hold octets first may send them.
    #[must_use]
    pub fn oldest_hold(&self) -> Option<u64> {
        self.state().holds.values().map(|hold| hold.since).min()
    }

    /// Locks a maildrop (RFC 1939 §4), or `None` if another session holds it.
    #[must_use]
    pub fn lock_maildrop(&self, mailbox: MailboxId) -> Option<MaildropLock> {
        let mut state = self.state();
        if !state.maildrops.insert(mailbox) {
            return None;
        }
        let elsewhere = state.elsewhere.clone();
        drop(state);
        let mut lock = MaildropLock { hub: self.clone(), mailbox, there: None };
        if let Some(elsewhere) = elsewhere {
            // Without it the lock here is given up again.
            let term = elsewhere.lock(mailbox)?;
            lock.there = Some((elsewhere, term));
        }
        Some(lock)
    }

    /// Whether a maildrop may be opened again so long after it was opened last (RFC 2449 §6.5); if so, it is open now.
    #[must_use]
    pub fn may_open_again(&self, mailbox: MailboxId, now_ms: u64, delay_ms: u64) -> bool {
        if delay_ms == 0 {
            return true;
        }
        let mut state = self.state();
        let since = |opened_ms: u64| now_ms.saturating_sub(opened_ms);
        if state.opened_ms.get(&mailbox).is_some_and(|opened_ms| since(*opened_ms) < delay_ms) {
            return false;
        }
        if state.opened_ms.len() >= OPENED_MAX {
            state.opened_ms.retain(|_, opened_ms| since(*opened_ms) < delay_ms);
        }
        state.opened_ms.insert(mailbox, now_ms);
        true
    }

    /// Another hub that knows what this one knows while no session is open: which messages were told as \Recent.
    #[must_use]
    pub fn copy_at_rest(&self) -> Self {
        let recent_from = self.state().recent_from.clone();
        Self(Arc::new(Mutex::new(State { recent_from, ..State::default() })))
    }

    /// A restart: all that was known of sessions is gone with them.
    pub fn forget(&self) {
        let mut state = self.state();
        let (moment, elsewhere) = (state.moment, state.elsewhere.take());
        *state = State { moment, elsewhere, ..State::default() };
    }

    /// Keeps the octets of every message that loses its last use from now on, until [`Held::only`] says which are
    /// wanted. To be called before a session is told of messages: what it was told of, it may send.
    #[must_use]
    pub fn hold(&self, key: SessionKey) -> Held {
        let mut state = self.state();
        let since = state.moment;
        state.holds.insert(key, Box::new(Hold { since, only: None }));
        Held { hub: self.clone(), key }
    }

    /// The moment of a commit that is done: what lost its last use by it is gone for whoever looks from now on.
    #[must_use]
    pub fn passed(&self) -> u64 {
        let mut state = self.state();
        state.moment += 1;
        state.moment - 1
    }

    /// Whether a session may still send these octets, whose last use went at that moment.
    #[must_use]
    pub fn is_held(&self, blob: BlobId, went: u64) -> bool {
        self.state().holds.values().any(|hold| {
            let wanted = |only: &Vec<BlobId>| only.binary_search(&blob).is_ok();
            hold.since <= went && hold.only.as_ref().is_none_or(wanted)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding it leaves a queue at worst incomplete; every other session can go on.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn unwatch(&mut self, key: SessionKey) {
        if let Some(watcher) = self.watchers.remove(&key)
            && let Some(keys) = self.open.get_mut(&watcher.mailbox)
        {
            keys.retain(|&other| other != key);
            if keys.is_empty() {
                self.open.remove(&watcher.mailbox);
            }
        }
    }

    fn publish(&mut self, origin: SessionKey, mailbox: MailboxId, change: &Change) {
        let recent_to = self.recent_to(origin, mailbox, change);
        let Some(keys) = self.open.get(&mailbox) else { return };
        for key in keys.iter().filter(|key| **key != origin) {
            let Some(watcher) = self.watchers.get_mut(key) else { continue };
            watcher.queue(told(change, recent_to == Some(*key)));
            (watcher.wake)();
        }
    }

    /// The first session that may have them gets new messages as \Recent; the origin counts them so by itself.
    fn recent_to(
        &mut self,
        origin: SessionKey,
        mailbox: MailboxId,
        change: &Change,
    ) -> Option<SessionKey> {
        let Change::Arrived(arrived) = change else { return None };
        let last = arrived.runs.last()?.last;
        let keys = self.open.get(&mailbox)?;
        let may_have =
            |key: &SessionKey| self.watchers.get(key).is_some_and(|watcher| !watcher.read_only);
        let first = keys.iter().copied().find(may_have);
        let key = keys.iter().copied().find(|key| *key == origin && may_have(key)).or(first)?;
        let mark = self.recent_from.entry(mailbox).or_insert(0);
        *mark = (*mark).max(last.saturating_add(1));
        Some(key)
    }
}

impl State {
    /// What was kept is given back.
    fn stop_listening(&mut self, key: SessionKey) -> Heard {
        self.everywhere.remove(&key);
        let Some(listener) = self.listeners.remove(&key) else { return Heard::default() };
        for account in listener.accounts {
            if let Some(keys) = self.listened.get_mut(&account) {
                keys.remove(&key);
                if keys.is_empty() {
                    self.listened.remove(&account);
                }
            }
        }
        listener.heard
    }

    fn let_hear(&mut self, origin: SessionKey, account: AccountId, hear: impl Fn(&mut Heard)) {
        let Some(keys) = self.listened.get(&account) else { return };
        for key in keys.iter().filter(|key| **key != origin) {
            let Some(listener) = self.listeners.get_mut(key) else { continue };
            hear(&mut listener.heard);
            (listener.wake)();
        }
    }
}

impl Everywhere {
    fn put(&mut self, mailbox: MailboxId) {
        if self.mailboxes.len() >= WAITING_MAX && !self.mailboxes.contains(&mailbox) {
            *self = Self { overflow: true, ..Self::default() };
        }
        if !self.overflow {
            self.mailboxes.insert(mailbox);
        }
    }
}

impl Heard {
    fn touch(&mut self, mailbox: MailboxId, change: &Change) {
        let touched = match change {
            Change::Arrived(_) | Change::Expunged(_) => Touched { counted: true, flagged: false },
            Change::Flags(_) => Touched { counted: false, flagged: true },
            Change::Resynchronise => Touched { counted: true, flagged: true },
            // That is told as a name.
            Change::Deleted => return,
        };
        if self.has_room() || self.messages.contains_key(&mailbox) {
            let old = self.messages.entry(mailbox).or_default();
            old.counted |= touched.counted;
            old.flagged |= touched.flagged;
        }
    }

    fn happen(&mut self, account: AccountId, happening: &Happening) {
        if self.has_room() {
            self.happenings.push((account, happening.clone()));
        }
    }

    /// Whether one thing more is kept; if not, nothing is.
    fn has_room(&mut self) -> bool {
        if self.overflow || self.messages.len() + self.happenings.len() >= WAITING_MAX {
            *self = Self { overflow: true, ..Self::default() };
        }
        !self.overflow
    }
}

impl Watcher {
    fn queue(&mut self, change: Change) {
        if matches!(self.waiting.back(), Some(Change::Resynchronise))
            && !matches!(change, Change::Deleted)
        {
            return;
        }
        if let Some(Change::Flags(rows)) = self.waiting.back_mut()
            && let Change::Flags(more) = &change
            && rows.len() + more.len() <= WAITING_MAX
        {
            rows.extend_from_slice(more);
            return;
        }
        if self.waiting.len() >= WAITING_MAX || weight(&change) > WAITING_MAX {
            self.waiting.clear();
            self.waiting.push_back(Change::Resynchronise);
        } else {
            self.waiting.push_back(change);
        }
    }
}

/// How many rows or runs a change carries.
fn weight(change: &Change) -> usize {
    match change {
        Change::Arrived(Arrived { runs, .. }) | Change::Expunged(Expunged { runs, .. }) => {
            <[UidRun]>::len(runs)
        }
        Change::Flags(rows) => <[FlagRow]>::len(rows),
        Change::Resynchronise | Change::Deleted => 1,
    }
}

fn told(change: &Change, recent: bool) -> Change {
    match change {
        Change::Arrived(arrived) => Change::Arrived(Arrived { runs: arrived.runs.clone(), recent }),
        other => other.clone(),
    }
}

/// Holds a maildrop until dropped.
pub struct MaildropLock {
    hub: Hub,
    mailbox: MailboxId,
    /// Where else it is held, and in which term.
    there: Option<(Arc<dyn Elsewhere>, u64)>,
}

impl MaildropLock {
    /// Whether nobody else can have opened the maildrop meanwhile.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.there.as_ref().is_none_or(|(elsewhere, term)| elsewhere.holds(*term))
    }
}

impl Drop for MaildropLock {
    fn drop(&mut self) {
        if let Some((elsewhere, term)) = self.there.take() {
            elsewhere.unlock(self.mailbox, term);
        }
        self.hub.state().maildrops.remove(&self.mailbox);
    }
}

/// Keeps octets until dropped (RFC 2180 §4.1, RFC 1939 §8).
pub struct Held {
    hub: Hub,
    key: SessionKey,
}

impl Held {
    /// Keeps these and no others.
    pub fn only(&self, mut blobs: Vec<BlobId>) {
        pillarbox_engine::order::sort(&mut blobs);
        if let Some(hold) = self.hub.state().holds.get_mut(&self.key) {
            hold.only = Some(blobs);
        }
    }

    /// Keeps everything again that goes from now on, and what was kept so far.
    pub fn more(&self) {
        if let Some(hold) = self.hub.state().holds.get_mut(&self.key) {
            hold.only = None;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.hub.state().holds.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(uid: u32) -> Change {
        Change::Arrived(Arrived { runs: vec![UidRun { first: uid, last: uid }], recent: false })
    }

    fn publish(hub: &Hub, origin: SessionKey, changes: &[(MailboxId, Change)]) {
        hub.publish(origin, changes, &[], |mailbox| Some(mailbox / 10));
    }

    fn recent(changes: &[Change]) -> Vec<bool> {
        changes.iter().map(|c| matches!(c, Change::Arrived(Arrived { recent: true, .. }))).collect()
    }

    #[test]
    fn who_watches_everywhere_learns_where_its_own_changes_too() {
        let hub = Hub::default();
        hub.watch_everywhere(1, Box::new(|| ()));
        publish(&hub, 1, &[(10, arrived(1)), (20, Change::Deleted)]);
        publish(&hub, 2, &[(10, arrived(2))]);
        let heard = hub.happened_everywhere(1);
        assert_eq!(heard.mailboxes.into_iter().collect::<Vec<_>>(), [10, 20]);
        assert_eq!(hub.happened_everywhere(1), Everywhere::default());
        for mailbox in 0..=WAITING_MAX as u64 {
            publish(&hub, 2, &[(mailbox, arrived(1))]);
        }
        let heard = hub.happened_everywhere(1);
        assert!(heard.overflow && heard.mailboxes.is_empty());
        hub.stop_listening(1);
        publish(&hub, 2, &[(10, arrived(3))]);
        assert_eq!(hub.happened_everywhere(1), Everywhere::default());
    }

    #[test]
    fn only_one_session_has_a_message_as_recent_the_origin_before_others() {
        let hub = Hub::default();
        for key in 1..=3 {
            hub.watch(key, 7, key == 1, Box::new(|| ()));
        }
        publish(&hub, 3, &[(7, arrived(5)), (8, arrived(9))]);
        assert_eq!(recent(&hub.take(1)), [false]);
        assert_eq!(recent(&hub.take(2)), [false]);
        assert_eq!(hub.take(3), []);
        assert_eq!(hub.claim_recent(7, 1, 6, false), 6);
        publish(&hub, 9, &[(7, arrived(6))]);
        assert_eq!(recent(&hub.take(1)), [false]);
        assert_eq!(recent(&hub.take(2)), [true]);
        assert_eq!(recent(&hub.take(3)), [false]);
    }

    #[test]
    fn too_many_changes_become_one_resynchronisation() {
        let hub = Hub::default();
        hub.watch(1, 7, false, Box::new(|| ()));
        for uid in 1..1000 {
            publish(&hub, 0, &[(7, arrived(uid))]);
        }
        publish(&hub, 0, &[(7, Change::Deleted)]);
        assert_eq!(hub.take(1), [Change::Resynchronise, Change::Deleted]);
    }

    #[test]
    fn octets_are_kept_for_who_was_told_of_them() {
        let hub = Hub::default();
        let before = hub.passed();
        let held = hub.hold(1);
        let after = hub.passed();
        assert!(!hub.is_held(5, before), "it went before anybody could be told of it");
        assert!(hub.is_held(5, after), "nobody knows yet whether it was told of");
        held.only(vec![9, 5, 7]);
        let kept: Vec<bool> = (4..=9).map(|blob| hub.is_held(blob, after)).collect();
        assert_eq!(kept, [false, true, false, true, false, true]);
        held.more();
        assert!(hub.is_held(6, hub.passed()));
        held.only(vec![6]);
        assert!(hub.is_held(6, after) && !hub.is_held(5, after));
        drop(held);
        assert!(!hub.is_held(6, after));
    }

    #[test]
    fn a_maildrop_is_held_by_one() {
        let hub = Hub::default();
        let lock = hub.lock_maildrop(7);
        assert!(lock.is_some());
        assert!(hub.lock_maildrop(7).is_none());
        drop(lock);
        assert!(hub.lock_maildrop(7).is_some());
    }

    #[test]
    fn a_maildrop_that_is_held_elsewhere_is_not_had_here() {
        struct Once(std::sync::atomic::AtomicBool);
        impl Elsewhere for Once {
            fn lock(&self, mailbox: MailboxId) -> Option<u64> {
                (mailbox == 7).then_some(1)
            }
            fn unlock(&self, _: MailboxId, _: u64) {
                self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            fn holds(&self, term: u64) -> bool {
                term == 1 && !self.0.load(std::sync::atomic::Ordering::Relaxed)
            }
        }
        let (hub, once) = (Hub::default(), Arc::new(Once(false.into())));
        hub.reach(once.clone());
        assert!(hub.lock_maildrop(8).is_none());
        assert!(hub.lock_maildrop(8).is_none(), "and the next is refused for the same reason");
        let lock = hub.lock_maildrop(7).expect("it is free");
        assert!(lock.is_held());
        drop(lock);
        assert!(!once.holds(1));
    }

    #[test]
    fn who_missed_something_is_told_to_read_everything_again() {
        let hub = Hub::default();
        hub.watch(1, 7, false, Box::new(|| ()));
        hub.listen(2, &[2], Box::new(|| ()));
        hub.watch_everywhere(3, Box::new(|| ()));
        publish(&hub, 0, &[(7, arrived(1))]);
        hub.lose();
        assert_eq!(hub.take(1), [arrived_recent(1), Change::Resynchronise]);
        assert_eq!(hub.heard(2), Heard { overflow: true, ..Heard::default() });
        assert!(hub.happened_everywhere(3).overflow);
    }

    fn arrived_recent(uid: u32) -> Change {
        Change::Arrived(Arrived { runs: vec![UidRun { first: uid, last: uid }], recent: true })
    }

    #[test]
    fn who_listens_to_an_account_hears_what_others_do_in_it() {
        let hub = Hub::default();
        hub.listen(1, &[2], Box::new(|| ()));
        hub.listen(2, &[2, 3], Box::new(|| ()));
        publish(&hub, 2, &[(20, arrived(5)), (31, arrived(1))]);
        publish(&hub, 9, &[(20, Change::Flags(vec![])), (40, arrived(1))]);
        let created = (2, Happening::Created(b"x".to_vec()));
        hub.publish(9, &[], std::slice::from_ref(&created), |_| None);
        let both = Touched { counted: true, flagged: true };
        let expected =
            Heard { happenings: vec![created], messages: [(20, both)].into(), overflow: false };
        assert_eq!(hub.heard(1), expected);
        assert_eq!(hub.heard(2).messages[&20], Touched { counted: false, flagged: true });
        assert_eq!(hub.heard(1), Heard::default());
        for mailbox in 20..30 {
            publish(&hub, 0, &[(mailbox, arrived(1))]);
        }
        hub.stop_listening(2);
        assert_eq!((hub.heard(1).messages.len(), hub.heard(2).messages.len()), (10, 0));
        let many = vec![(2, Happening::Subscribed(b"x".to_vec())); WAITING_MAX + 1];
        hub.publish(0, &[], &many, |_| None);
        publish(&hub, 0, &[(20, arrived(9))]);
        assert_eq!(hub.heard(1), Heard { overflow: true, ..Heard::default() });
    }
}
