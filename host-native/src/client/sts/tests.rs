//! What is known outlives its process, is fetched again in time, and is bounded.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::dns::{Answer, Kind, Looking, Record, Source};

const TEXT: &str = "version: STSv1\nmode: enforce\nmx: mx.example\nmax_age: 604800\n";
const DAY_MS: u64 = 86_400_000;

/// Every domain announces a policy by the id that stands here.
struct Announcing(Mutex<&'static str>);

impl Source for Announcing {
    fn look_up<'a>(&'a self, name: &'a str, _: Kind) -> Looking<'a> {
        let id = *self.0.lock().expect("no panic");
        let answer = match id {
            "" => Err(NoAnswer::Temporary("cut".to_owned())),
            id => Ok(Answer {
                records: vec![Record::Txt(format!("v=STSv1; id={id};").into_bytes())],
                name: name.to_owned(),
                secure: false,
                alias_secure: false,
            }),
        };
        Box::pin(std::future::ready(answer))
    }
}

#[derive(Default)]
struct Web {
    asked: AtomicU32,
    down: std::sync::atomic::AtomicBool,
}

impl Fetch for Arc<Web> {
    fn fetch<'a>(&'a self, _: &'a str) -> Fetching<'a> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let down = self.down.load(Ordering::Relaxed);
        let answer = if down { Err("it is down".to_owned()) } else { Ok(TEXT.into()) };
        Box::pin(std::future::ready(answer))
    }
}

fn world() -> (Arc<Announcing>, Dns, Arc<Web>) {
    let source = Arc::new(Announcing(Mutex::new("1")));
    (Arc::clone(&source), Dns::new(source), Arc::default())
}

fn file(name: &str) -> std::path::PathBuf {
    let file = std::env::temp_dir().join(format!("pillarbox-sts-{name}-{}", std::process::id()));
    drop(std::fs::remove_file(&file));
    file
}

fn kept_in(web: &Arc<Web>, file: &Path, now_ms: u64) -> MtaSts {
    let sts = MtaSts::new(Box::new(Arc::clone(web)));
    sts.kept_in(file, now_ms).expect("a writable directory")
}

/// RFC 8461 §3.3, §10.2: who cuts us off from a domain's web server, and has us start anew, gets no mail all the same.
#[tokio::test]
async fn a_policy_outlives_its_process_until_it_ends() {
    let (source, dns, web) = world();
    let file = file("outlives");
    let policy = kept_in(&web, &file, 0).policy(&dns, "A.example", 0).await.expect("there is one");
    assert_eq!(policy.mode, Mode::Enforce);
    web.down.store(true, Ordering::Relaxed);
    let after = kept_in(&web, &file, DAY_MS);
    assert_eq!(after.policy(&dns, "a.example", DAY_MS).await, Some(Arc::clone(&policy)));
    assert_eq!(web.asked.load(Ordering::Relaxed), 2, "it is a day old, so it was asked for");
    *source.0.lock().expect("no panic") = "";
    assert_eq!(after.policy(&dns, "a.example", DAY_MS).await, Some(Arc::clone(&policy)));
    // A file that was cut, or that holds rubbish, costs what it lost.
    let mut text = std::fs::read(&file).expect("it is there");
    text.extend_from_slice(b"{\"domain\":\"b.example\",\"id\n\xff\xff\n");
    std::fs::write(&file, text).expect("it is ours");
    let again = kept_in(&web, &file, 2 * DAY_MS);
    assert_eq!(again.policy(&dns, "a.example", 2 * DAY_MS).await, Some(policy));
    let ended = kept_in(&web, &file, 8 * DAY_MS);
    assert_eq!(ended.policy(&dns, "a.example", 8 * DAY_MS).await, None, "its max_age is over");
    std::fs::remove_file(file).expect("it is ours");
}

#[tokio::test]
async fn policies_in_use_are_renewed_before_they_end() {
    let (source, dns, web) = world();
    let sts = MtaSts::new(Box::new(Arc::clone(&web)));
    let asked = || web.asked.load(Ordering::Relaxed);
    for domain in ["a.example", "b.example"] {
        assert!(sts.policy(&dns, domain, 0).await.is_some());
    }
    sts.renew(&dns, DAY_MS - 1).await;
    assert_eq!(asked(), 2, "it is too early");
    sts.renew(&dns, DAY_MS).await;
    assert_eq!(asked(), 4);
    sts.renew(&dns, 2 * DAY_MS).await;
    assert_eq!(asked(), 4, "no mail went by them since");
    // Renewed a day later, so it holds a day longer.
    assert!(sts.policy(&dns, "a.example", DAY_MS).await.is_some());
    web.down.store(true, Ordering::Relaxed);
    *source.0.lock().expect("no panic") = "2";
    let late = 8 * DAY_MS - 1;
    assert!(sts.policy(&dns, "a.example", late).await.is_some());
    assert!(sts.policy(&dns, "a.example", late).await.is_some());
    assert_eq!(asked(), 5, "what cannot be had is not asked for again at once");
    assert!(sts.policy(&dns, "a.example", 8 * DAY_MS).await.is_none());
}

#[tokio::test]
async fn what_is_kept_is_bounded_in_memory_and_file() {
    let (_, dns, web) = world();
    let file = file("bounded");
    let sts = kept_in(&web, &file, 0);
    for n in 0..DOMAINS_MAX as u64 + 1500 {
        assert!(sts.policy(&dns, &format!("d{n}.example"), n).await.is_some());
    }
    assert_eq!(sts.lock().kept.len(), DOMAINS_MAX);
    assert!(sts.policy(&dns, "d0.example", 0).await.is_some());
    let lines = std::fs::read(&file).expect("it is there");
    let lines = lines.iter().filter(|octet| **octet == b'\n').count();
    assert!(lines <= DOMAINS_MAX + 1000, "{lines}");
    assert_eq!(kept_in(&web, &file, 0).lock().kept.len(), DOMAINS_MAX);
    std::fs::remove_file(file).expect("it is ours");
}
