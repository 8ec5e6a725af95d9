//! The places in which sessions run: so many at once, given to those who wait in the order in which they came. Who rests
//! while others wait is asked for its place; whether it can give it is the session's own affair.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::limits::STRESS_PERCENT;

/// All places of an engine.
pub struct Slots {
    all: u32,
    /// A semaphore of tokio's is fair: who asks first is served first, and who does not wait passes nobody.
    free: Arc<Semaphore>,
    waiting: AtomicU32,
    wanted: Notify,
}

/// A place, given back when it is dropped.
pub struct Slot(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

/// Counts one who waits until it is dropped.
struct Waiting<'a>(&'a AtomicU32);

impl Slots {
    /// So many places.
    pub(crate) fn new(all: u32) -> Self {
        let free = Semaphore::new(usize::try_from(all).unwrap_or(Semaphore::MAX_PERMITS));
        let (waiting, wanted) = (AtomicU32::new(0), Notify::new());
        Self { all, free: Arc::new(free), waiting, wanted }
    }

    /// How many there are.
    #[must_use]
    pub fn all(&self) -> u32 {
        self.all
    }

    /// How many are taken now.
    #[must_use]
    pub fn taken(&self) -> u32 {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        self.all.saturating_sub(free)
    }

    /// A place, if one is free and nobody waits for it.
    #[must_use]
    pub fn try_take(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        if self.are_scarce() {
            // Who rests makes room before anybody has to wait for it.
            self.wanted.notify_one();
        }
        Some(Slot(permit))
    }

    /// A place, waited for behind all who came before; none if it takes longer than that.
    pub async fn take(&self, within: Duration) -> Option<Slot> {
        if let Some(slot) = self.try_take() {
            return Some(slot);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        self.wanted.notify_one();
        let permit = Arc::clone(&self.free).acquire_owned();
        tokio::time::timeout(within, permit).await.ok()?.ok().map(Slot)
    }

    /// Whether who rests should give its place at once.
    pub(crate) fn are_scarce(&self) -> bool {
        let full = u64::from(self.taken()) * 100 > u64::from(self.all) * u64::from(STRESS_PERCENT);
        full || self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Ends when this session's place is wanted. Of all who rest the one is asked that has rested longest.
    pub(crate) fn wanted(&self) -> impl Future<Output = ()> {
        self.wanted.notified()
    }

    /// Who was asked cannot give its place: the next is asked.
    pub(crate) fn pass_on(&self) {
        if self.are_scarce() {
            self.wanted.notify_one();
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn who_waits_is_served_in_order_and_nobody_passes() {
        let slots = Arc::new(Slots::new(2));
        let held = [slots.try_take(), slots.try_take()];
        assert!(held.iter().all(Option::is_some) && slots.taken() == 2);
        assert!(slots.try_take().is_none());
        let (order, mut served) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..5 {
            let (slots, order) = (Arc::clone(&slots), order.clone());
            tokio::spawn(async move {
                let slot = slots.take(LONG).await;
                order.send((number, slot.is_some())).expect("somebody counts");
                assert!(slots.try_take().is_none() || number == 4, "others wait longer");
            });
            tokio::task::yield_now().await;
        }
        drop(held);
        for number in 0..5 {
            assert_eq!(served.recv().await, Some((number, true)));
        }
    }

    #[tokio::test]
    async fn a_wait_has_an_end_and_asks_who_rests() {
        let slots = Slots::new(1);
        let held = slots.try_take();
        let (taken, ()) = tokio::join!(slots.take(Duration::from_millis(20)), slots.wanted());
        assert!(taken.is_none(), "nobody gave it back");
        assert_eq!(slots.waiting.load(Ordering::Relaxed), 0);
        let give = async {
            slots.wanted().await;
            drop(held);
        };
        let (taken, ()) = tokio::join!(slots.take(LONG), give);
        assert!(taken.is_some() && slots.taken() == 1);
    }

    #[tokio::test]
    async fn who_cannot_give_its_place_passes_on() {
        let slots = Slots::new(1);
        let held = slots.try_take();
        let unable = async {
            slots.wanted().await;
            slots.pass_on();
        };
        let able = async {
            slots.wanted().await;
            drop(held);
        };
        let (taken, (), ()) = tokio::join!(slots.take(LONG), unable, able);
        assert!(taken.is_some());
    }
}
