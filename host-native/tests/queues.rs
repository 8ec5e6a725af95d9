//! Every store's queue answers alike: the same random writes and reads against the store in memory and against those that last,
//! a queue written by the version before, and a queue that is large.

mod rig;

use std::time::Instant;

use pillarbox::config::Data;
use pillarbox::store::MailStore;
use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::relay::{Queued, Times};
use pillarbox_engine::smtp::{MailFrom, Mailbox, RcptTo};
use pillarbox_engine::types::{BlobRange, Reason};
use pillarbox_world::queue::{
    Action, Block, Enqueue, NewTask, Settle, Steer, Steered, TLS_OPTIONAL, Task, Which,
};
use pillarbox_world::store::{Body, Deliver, NewMessage, Outcome, Store, Write};

use rig::{Kind, Place};

type Reads<'a> = &'a (dyn Store + Send + Sync);

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn destination(&mut self) -> Vec<u8> {
        let number = self.below(6);
        match number {
            4 => b"a.host1.example".to_vec(),
            5 => [b"host1.example", TLS_OPTIONAL].concat(),
            _ => format!("host{number}.example").into_bytes(),
        }
    }

    fn task(&mut self) -> NewTask {
        let recipients = (0..=self.below(2)).map(|_| {
            let local_part = format!("user{}\u{e9}\"\0", self.below(9)).into_bytes();
            let forward_path = Mailbox { local_part, domain: b"x.example".to_vec() };
            let attempts = self.below(3) as u32;
            let recipient = RcptTo { forward_path, ..RcptTo::default() };
            Queued { recipient, attempts, ..Queued::default() }
        });
        let recipients = recipients.collect();
        let destination = self.destination();
        let (due_ms, notice_ms) = (self.below(100), 50 + self.below(100));
        NewTask { destination, recipients, due_ms, notice_ms }
    }

    fn tasks(&mut self, least: u64) -> Vec<NewTask> {
        (0..least + self.below(3)).map(|_| self.task()).collect()
    }

    fn deliver(&mut self) -> Deliver {
        let hold = (self.below(5) == 0).then(|| self.below(200));
        let times =
            Times { came_unix_ms: self.below(50), hold_until_unix_ms: hold, ..Times::default() };
        let mail = MailFrom { size: Some(self.below(9)), ..MailFrom::default() };
        let relay = Enqueue {
            mail,
            skip: self.below(10),
            times,
            priority: self.below(3) as i8 - 1,
            by: b"alice@x".to_vec(),
            tls_optional: self.below(2) == 0,
            tasks: self.tasks(1),
        };
        let accounts = if self.below(2) == 0 { vec![b"bob@x".to_vec()] } else { Vec::new() };
        deliver(accounts, Some(relay))
    }

    fn write(&mut self, reads: Reads<'_>) -> Write {
        let task = self.some_task(reads);
        match self.below(8) {
            0..=2 => Write::Deliver(Box::new(self.deliver())),
            3 | 4 => {
                let keep = self.tasks(0);
                let reports = if self.below(4) == 0 { vec![self.deliver()] } else { Vec::new() };
                let accounts = if self.below(4) == 0 { vec![b"eve@x".to_vec()] } else { vec![] };
                let task = task.map_or(99_999, |task| task.id);
                Write::Settle(Settle { task, keep, accounts, reports, now_ms: self.below(300) })
            }
            5 => Write::Block(Block {
                destination: self.destination(),
                until_ms: self.below(200),
                failures: self.below(9) as u32,
                why: b"4.4.1 refused".to_vec(),
            }),
            _ => {
                let which = match self.below(4) {
                    0 => Which::All,
                    1 => Which::Destination(self.destination()),
                    2 => Which::Under(b"host1.example".to_vec()),
                    _ => Which::Message(task.map_or(1, |task| task.message.id)),
                };
                let now_ms = self.below(100);
                let action = match self.below(9) {
                    0..=2 => Action::Hold,
                    3 | 4 => Action::Release,
                    5 => Action::Retry { now_ms },
                    6 => Action::Clamp { now_ms, latest_ms: now_ms + 20 },
                    7 => Action::Recall { now_ms },
                    _ => Action::Delete,
                };
                Write::Steer(Steer { which, after: self.below(3), action })
            }
        }
    }

    fn some_task(&mut self, reads: Reads<'_>) -> Option<Task> {
        let messages = reads.messages(0, 1000).expect("it can be read");
        let message = messages.get(self.below(messages.len().max(1) as u64) as usize)?;
        let tasks = reads.tasks(message.id, 0, 100).expect("it can be read");
        let place = self.below(tasks.len() as u64) as usize;
        tasks.into_iter().nth(place)
    }
}

fn deliver(accounts: Vec<Vec<u8>>, relay: Option<Enqueue>) -> Deliver {
    let message = NewMessage {
        body: Body::Whole(b"Subject: x\r\n\r\nHello\r\n".to_vec()),
        index: Vec::new(),
        plain: true,
        flags: Flags::default(),
        internal_date_ms: 0,
        internal_date_zone: 0,
    };
    let now_ms = relay.as_ref().map_or(0, |relay| relay.times.came_unix_ms);
    Deliver { accounts, junk: false, relay, message, reports: Vec::new(), now_ms }
}

fn open(place: &Place) -> MailStore {
    MailStore::open(&place.data).expect("it opens")
}

/// Everything that can be read of a queue.
fn seen(store: Reads<'_>) -> Vec<String> {
    let mut seen = vec![
        format!("{:?}", store.queue_stats()),
        format!("{:?} {:?}", store.next_wake_ms(0), store.next_wake_ms(70)),
        format!("{:?}", store.destinations(b"host0.example", 2)),
        format!("{:?}", store.task(99_999)),
    ];
    for now_ms in [0, 30, 60, 99, 150, 300] {
        seen.push(format!("{:?}", store.due_destinations(now_ms, 3)));
    }
    for destination in store.destinations(b"", 100).expect("it can be read") {
        let name = &destination.name;
        seen.push(format!("{destination:?} {:?}", store.destination(name)));
        for now_ms in [20, 80, 160] {
            seen.push(format!("{:?}", store.due_tasks(name, now_ms, 7)));
            seen.push(format!("{:?}", store.notice_tasks(name, now_ms, 4)));
            seen.push(format!("{:?}", store.next_notice_ms(name, now_ms)));
        }
    }
    for message in store.messages(0, 1000).expect("it can be read") {
        let tasks = store.tasks(message.id, 0, 100).expect("it can be read");
        assert!(!tasks.is_empty(), "a message without a task is not in the queue");
        let whole = BlobRange { blob: message.id, offset: 0, length: message.size };
        assert_eq!(store.octets(whole).map(|octets| octets.len()), Ok(21));
        seen.push(format!("{message:?} {tasks:?}"));
    }
    seen
}

#[tokio::test]
async fn memory_and_sqlite_answer_alike() {
    memory_and_what_lasts_answer_alike(Kind::Sqlite).await;
}

#[tokio::test]
async fn memory_and_postgres_answer_alike() {
    memory_and_what_lasts_answer_alike(Kind::Postgres).await;
}

async fn memory_and_what_lasts_answer_alike(kind: Kind) {
    for seed in 1..=kind.runs(30) {
        let mut random = Random(seed);
        let place = Place::new(kind, &format!("queues-{seed}"));
        let memory = MailStore::open(&Data::Memory).expect("memory is there");
        let mut lasting = open(&place);
        for step in 0..200 {
            let write = random.write(memory.reads());
            let (one, two) =
                (memory.write(0, write.clone()).await, lasting.write(0, write.clone()).await);
            assert_eq!(format!("{one:?}"), format!("{two:?}"), "seed {seed}, after {write:?}");
            if step % 20 == 0 {
                assert_eq!(seen(memory.reads()), seen(lasting.reads()), "seed {seed} step {step}");
            }
            if step == 100 {
                lasting.close().await;
                drop(lasting);
                lasting = open(&place);
            }
        }
        assert_eq!(seen(memory.reads()), seen(lasting.reads()), "seed {seed}");
        let all = Steer { which: Which::All, after: 0, action: Action::Delete };
        for store in [&memory, &lasting] {
            store.write(0, Write::Steer(all.clone())).await.expect("it can be emptied");
            let stats = store.reads().queue_stats().expect("it can be read");
            assert_eq!((stats.messages, stats.tasks, stats.held, stats.oldest_ms), (0, 0, 0, None));
            assert_eq!(store.reads().destinations(b"", 10), Ok(Vec::new()));
        }
        lasting.close().await;
    }
}

/// The octets of a message live as long as a mailbox or the queue has it, and no longer.
#[tokio::test]
async fn octets_go_with_their_last_use() {
    let place = Place::new(Kind::Sqlite, "queue-octets");
    let sqlite = open(&place);
    for store in [&MailStore::open(&Data::Memory).expect("memory is there"), &sqlite] {
        let task = NewTask { destination: b"x.example".to_vec(), ..NewTask::default() };
        let relay = Enqueue { tasks: vec![task], ..Enqueue::default() };
        let delivered =
            store.write(0, Write::Deliver(Box::new(deliver(Vec::new(), Some(relay))))).await;
        let Ok(Outcome::Delivered(blob)) = delivered else { panic!("{delivered:?}") };
        let task = store.reads().tasks(blob, 0, 1).expect("it is there")[0].clone();
        let range = BlobRange { blob, offset: 0, length: 5 };
        assert!(store.reads().octets(range).is_ok());
        let settle = Settle { task: task.id, ..Settle::default() };
        store.write(0, Write::Settle(settle.clone())).await.expect("it is there");
        assert_eq!(store.write(0, Write::Settle(settle)).await.err(), Some(Reason::NotFound));
        // The sweep follows the commit.
        for _ in 0..100 {
            if store.reads().octets(range).is_err() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(store.reads().octets(range), Err(Reason::NotFound));
    }
    sqlite.close().await;
}

/// A back-off changes one row: a destination with many tasks is blocked and woken as fast as one with few. Reads of a
/// large queue read a page. `PILLARBOX_QUEUE=1000000` makes it large.
#[tokio::test]
async fn a_large_queue_costs_what_a_page_costs() {
    let wanted = std::env::var("PILLARBOX_QUEUE").ok().and_then(|text| text.parse().ok());
    let wanted: u64 = wanted.unwrap_or(20_000);
    let place = Place::new(Kind::Sqlite, "queue-large");
    let sqlite = open(&place);
    let mut random = Random(7);
    for _ in 0..wanted / 1000 {
        let tasks = (0..1000).map(|_| {
            let task = random.task();
            // Nine of ten go to one host.
            let one = random.below(10) > 0;
            let destination = if one { b"big.example".to_vec() } else { random.destination() };
            NewTask { destination, due_ms: 10, notice_ms: 1 << 40, ..task }
        });
        let relay = Enqueue { tasks: tasks.collect(), ..Enqueue::default() };
        let written =
            sqlite.write(0, Write::Deliver(Box::new(deliver(Vec::new(), Some(relay))))).await;
        written.expect("there is room");
    }
    sqlite.close().await;
    drop(sqlite);
    let before = resident_kib();
    let started = Instant::now();
    let sqlite = open(&place);
    assert!(started.elapsed().as_secs() < 2, "no full scan before the first greeting");
    let reads = sqlite.reads();
    let stats = reads.queue_stats().expect("it can be read");
    assert_eq!(stats.tasks, wanted / 1000 * 1000);
    for round in 1..=50 {
        let due = reads.due_destinations(100 + round, 10).expect("it can be read");
        let tasks = reads.due_tasks(b"big.example", 100 + round, 64).expect("it can be read");
        assert!(due.iter().any(|found| found.name == b"big.example"));
        assert_eq!(tasks.len(), 64);
        assert_eq!(reads.notice_tasks(b"big.example", 1000, 64), Ok(Vec::new()));
        let block = |until_ms| Block {
            destination: b"big.example".to_vec(),
            until_ms,
            failures: 1,
            why: Vec::new(),
        };
        sqlite.write(0, Write::Block(block(5000))).await.expect("it is there");
        let due = reads.due_destinations(100 + round, 10).expect("it can be read");
        assert!(due.iter().all(|found| found.name != b"big.example"), "it is left alone");
        sqlite.write(0, Write::Block(block(0))).await.expect("it is there");
        let settle = Settle { task: tasks[0], ..Settle::default() };
        sqlite.write(0, Write::Settle(settle)).await.expect("it is there");
    }
    let took = started.elapsed();
    assert!(took.as_secs() < 10, "200 reads and writes took {took:?}");
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB of memory for a page of work");
    sqlite.close().await;
}

/// An operator's wish about very many tasks is done in steps, so that mail is taken meanwhile.
#[tokio::test]
async fn a_wish_about_many_is_done_in_steps() {
    let place = Place::new(Kind::Sqlite, "queue-steps");
    let sqlite = open(&place);
    let mut random = Random(3);
    for _ in 0..5 {
        let tasks = (0..1000).map(|_| random.task()).collect();
        let relay = Enqueue { tasks, ..Enqueue::default() };
        let written =
            sqlite.write(0, Write::Deliver(Box::new(deliver(Vec::new(), Some(relay))))).await;
        written.expect("there is room");
    }
    let (mut after, mut steps, mut done) = (0, 0, 0);
    loop {
        let steer = Steer { which: Which::All, after, action: Action::Hold };
        let outcome = sqlite.write(0, Write::Steer(steer)).await;
        let Ok(Outcome::Steered(Steered { tasks, last, .. })) = outcome else {
            panic!("{outcome:?}")
        };
        (steps, done) = (steps + 1, done + tasks);
        match last {
            Some(last) => after = last,
            None => break,
        }
    }
    assert_eq!((done, sqlite.reads().queue_stats().map(|stats| stats.held)), (5000, Ok(5000)));
    assert!(steps > 2, "{steps} steps");
    assert_eq!(sqlite.reads().next_wake_ms(0), Ok(None), "what is held wakes nobody");
    sqlite.close().await;
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is told");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("it is a number")
}
