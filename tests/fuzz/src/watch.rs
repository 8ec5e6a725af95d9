//! A run that never ends is told of, and ends the process: nothing else could end it.

use std::collections::HashMap;
use std::sync::{Mutex, Once, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// An input that runs for so long never ends, whatever else the machine does meanwhile.
const ENDLESS: Duration = Duration::from_secs(60);

struct Running {
    since: Instant,
    name: &'static str,
    input: Vec<u8>,
}

static RUNNING: Mutex<Option<HashMap<ThreadId, Running>>> = Mutex::new(None);

/// Watches this thread's run while it lives.
pub(crate) struct Watch(());

impl Watch {
    pub(crate) fn begin(name: &'static str, input: &[u8]) -> Self {
        static WATCHER: Once = Once::new();
        WATCHER.call_once(|| drop(std::thread::spawn(watch)));
        let running = Running { since: Instant::now(), name, input: input.to_vec() };
        with_running(|all| drop(all.insert(std::thread::current().id(), running)));
        Self(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        with_running(|all| drop(all.remove(&std::thread::current().id())));
    }
}

fn with_running<T>(look: impl FnOnce(&mut HashMap<ThreadId, Running>) -> T) -> T {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    look(running.get_or_insert_default())
}

fn watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        with_running(|all| {
            if let Some(endless) = all.values().find(|running| running.since.elapsed() > ENDLESS) {
                let Running { name, input, .. } = endless;
                eprintln!("{name} does not end on b\"{}\"", input.escape_ascii());
                std::process::exit(101);
            }
        });
    }
}
