//! Password hashes, a few at a time, so that guessing slows nobody else: the rest waits in a short queue.
//! Who failed least comes first, and when the queue is full who failed most has to leave it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// Hashes computed at once.
pub(crate) const WORKERS: usize = 2;
/// Hashes that wait.
pub(crate) const WAITING_MAX: usize = 64;

/// The queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Hashing(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    running: usize,
    /// By rank, then in the order of their coming.
    waiting: BTreeMap<(u64, u64), oneshot::Sender<Worker>>,
    next: u64,
}

/// There is no room, and this one failed most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overloaded;

/// Leave to hash; given on when it is dropped.
#[derive(Debug)]
struct Worker(Hashing);

impl Hashing {
    /// Computes `work` on a thread for long work when its turn comes.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        rank: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let worker = match self.enter(rank)? {
            Ok(worker) => worker,
            // The sender is dropped when another takes this place in the queue.
            Err(turn) => turn.await.map_err(|_| Overloaded)?,
        };
        // The worker goes with the work: a connection that is cut must not make room for a third.
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(worker);
            done
        });
        task.await.map_err(|_| Overloaded)
    }

    fn enter(&self, rank: u64) -> Result<Result<Worker, oneshot::Receiver<Worker>>, Overloaded> {
        let mut queue = self.lock();
        if queue.running < WORKERS {
            queue.running += 1;
            return Ok(Ok(Worker(self.clone())));
        }
        queue.waiting.retain(|_, turn| !turn.is_closed());
        queue.next += 1;
        let place = (rank, queue.next);
        if queue.waiting.len() >= WAITING_MAX {
            match queue.waiting.last_entry() {
                Some(last) if *last.key() > place => drop(last.remove()),
                _ => return Err(Overloaded),
            }
        }
        let (turn, wait) = oneshot::channel();
        queue.waiting.insert(place, turn);
        Ok(Err(wait))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.running -= 1;
        while let Some((_, turn)) = queue.waiting.pop_first() {
            if turn.is_closed() {
                continue;
            }
            queue.running += 1;
            drop(queue);
            // A receiver that went in between drops the worker, which gives the turn on.
            drop(turn.send(Self(self.0.clone())));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_failed_least_comes_first_and_who_failed_most_leaves() {
        let hashing = Hashing::default();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let mut tasks = Vec::new();
        for _ in 0..WORKERS {
            let (hashing, held) = (hashing.clone(), Arc::clone(&held));
            tasks.push(tokio::spawn(async move {
                hashing.run(1, move || held.lock().expect("nobody panics").recv()).await.is_ok()
            }));
        }
        while hashing.lock().running < WORKERS {
            tokio::task::yield_now().await;
        }
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for rank in (0..WAITING_MAX as u64 + 2).rev() {
            let (hashing, order) = (hashing.clone(), Arc::clone(&order));
            let before = hashing.lock().next;
            let own = Arc::clone(&order);
            let watched = hashing.clone();
            waiting.push(tokio::spawn(async move {
                watched.run(rank, move || own.lock().expect("nobody panics").push(rank)).await
            }));
            while hashing.lock().next == before {
                tokio::task::yield_now().await;
            }
            assert!(hashing.lock().waiting.len() <= WAITING_MAX);
        }
        assert_eq!(hashing.run(1000, || ()).await, Err(Overloaded));
        (0..WORKERS).for_each(|_| release.send(()).expect("the workers wait"));
        let mut done = Vec::new();
        for task in waiting {
            done.push(task.await.expect("no task panics").is_ok());
        }
        // Those that were held give their places back when they end, which is after others took them.
        for task in tasks {
            assert!(task.await.expect("no task panics"));
        }
        // The two that came first failed most.
        assert_eq!(done[..3], [false, false, true]);
        let order = order.lock().expect("nobody panics");
        assert_eq!(order.len(), WAITING_MAX);
        // Two work at once, so neighbours may change places.
        assert!(
            order.iter().enumerate().all(|(at, rank)| rank.abs_diff(at as u64) <= 2),
            "{order:?}"
        );
        assert_eq!(hashing.lock().running, 0);
    }
}
