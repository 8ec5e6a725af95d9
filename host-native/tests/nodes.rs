//! Two nodes in one process on one database: who works at the queue, and that the other cannot write what its attempts
//! came to.

mod rig;

use pillarbox::store::MailStore;
use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::types::Reason;
use pillarbox_world::queue::{Enqueue, NewTask, Settle};
use pillarbox_world::store::{Body, Create, Deliver, NewMessage, Outcome, Write};

use pillarbox::config::{Data, Database};
use rig::{Kind, Place};

fn deliver() -> Write {
    let task = NewTask { destination: b"x.example".to_vec(), ..NewTask::default() };
    Write::Deliver(Box::new(Deliver {
        accounts: Vec::new(),
        junk: false,
        relay: Some(Enqueue { tasks: vec![task], ..Enqueue::default() }),
        message: NewMessage {
            body: Body::Whole(b"Subject: x\r\n".to_vec()),
            index: Vec::new(),
            plain: true,
            flags: Flags::default(),
            internal_date_ms: 1,
            internal_date_zone: 0,
        },
        reports: Vec::new(),
        now_ms: 1,
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_works_at_the_queue_and_another_cannot_settle() {
    let place = Place::new(Kind::Postgres, "queue-nodes");
    let other = place.directory.with_extension("two");
    drop(std::fs::remove_dir_all(&other));
    let url = place.url.as_deref().expect("it is a database");
    let second = Data::Database(Database::new(url, other.clone()).expect("it is near"));
    let one = MailStore::open(&place.data).expect("it opens");
    let two = MailStore::open(&second).expect("it opens");
    assert!(one.works_at_queue() && !two.works_at_queue());
    let Ok(Outcome::Delivered(blob)) = two.write(0, deliver()).await else { panic!("it is kept") };
    let task = one.reads().tasks(blob, 0, 1).expect("both have it")[0].id;
    let settle = Write::Settle(Settle { task, ..Settle::default() });
    assert_eq!(two.write(0, settle.clone()).await.err(), Some(Reason::NotFound));
    assert_eq!(one.reads().queue_stats().map(|stats| stats.tasks), Ok(1), "nothing was written");
    one.close().await;
    let began = std::time::Instant::now();
    while !two.works_at_queue() {
        assert!(began.elapsed().as_secs() < 20, "who left gives up the queue");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    two.write(0, settle).await.expect("it is its own now");
    two.close().await;
    drop(std::fs::remove_dir_all(other));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_would_lose_what_it_committed_is_refused() {
    let place = Place::new(Kind::Postgres, "lossy");
    let name = place.url.as_deref().and_then(|url| url.rsplit('/').next()).expect("it has one");
    let cluster = place.cluster.as_ref().expect("it has one");
    cluster.psql(name, &format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    let refused = MailStore::open(&place.data).err().expect("mail could be lost there");
    assert!(refused.message.contains("synchronous_commit is off"), "{}", refused.message);
    cluster.psql(name, &format!("ALTER DATABASE {name} SET synchronous_commit = on"));
    MailStore::open(&place.data).expect("nothing is").close().await;
}

/// Every connection is cut, of those that write, read and listen: what is answered as done is there, and what another node
/// does meanwhile is told.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_go_on_after_their_connections_were_cut() {
    let place = Place::new(Kind::Postgres, "cut");
    let other = place.directory.with_extension("two");
    drop(std::fs::remove_dir_all(&other));
    let url = place.url.as_deref().expect("it is a database");
    let second = Data::Database(Database::new(url, other.clone()).expect("it is near"));
    let one = MailStore::open(&place.data).expect("it opens");
    let two = MailStore::open(&second).expect("it opens");
    let ensured = one.write(0, Write::EnsureAccount(b"bob@x".to_vec())).await;
    let Ok(Outcome::Account(account)) = ensured else { panic!("an account: {ensured:?}") };
    two.hub().listen(1, &[account], Box::new(|| ()));
    let mut made = 0;
    for round in 0..20 {
        if round % 5 == 0 {
            place.by_hand(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = 'pillarbox' AND datname = current_database()",
            );
        }
        let name = format!("m{round}").into_bytes();
        let create = Create { account, name: name.clone(), special_uses: Vec::new() };
        if one.write(0, Write::Create(create)).await.is_ok() {
            made += 1;
            assert!(two.reads().mailbox(account, &name).is_ok(), "it is there");
        }
    }
    assert!(made >= 16, "{made} of 20: at most one write for each cut fails");
    let began = std::time::Instant::now();
    let mut told = 0;
    while told < made {
        assert!(began.elapsed().as_secs() < 20, "{told} of {made} were told");
        let heard = two.hub().heard(1);
        assert!(!heard.overflow);
        told += heard.happenings.len();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    one.close().await;
    two.close().await;
    drop(std::fs::remove_dir_all(other));
}
