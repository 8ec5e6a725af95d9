//! Every target over its seeds and over what is made of them; `CONTRIBUTING.md` says how to look for more.
//!
//! `PILLARBOX_FUZZ=imap,message` runs these targets alone; `PILLARBOX_FUZZ_SECONDS=600` gives each so long instead of its
//! usual number of inputs; `PILLARBOX_FUZZ_SEED=7` begins elsewhere; `PILLARBOX_FUZZ_INPUT=file` runs that input alone.

mod bombs;
#[path = "../../../engine/tests/counting/mod.rs"]
mod counting;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pillarbox_fuzz::campaign::{self, Finding, Length, Peak};
use pillarbox_fuzz::{TARGETS, Target, corpus};

/// Octets in use at most, as the tests' allocator counts them.
const PEAK: Peak = |work| counting::peak(work).1;

/// Seconds of each target in a full run.
const FULL_SECONDS: u64 = 600;

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str) -> Option<u64> {
    setting(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number")))
}

/// Whether campaigns run at full size.
fn is_full() -> bool {
    setting("PILLARBOX_FULL").is_some_and(|full| full != "0")
}

/// The targets that are asked for, or all.
fn chosen() -> Vec<&'static Target> {
    let Some(names) = setting("PILLARBOX_FUZZ") else { return TARGETS.iter().collect() };
    let find = |name| pillarbox_fuzz::find(name).unwrap_or_else(|| panic!("no target `{name}`"));
    names.split(',').map(find).collect()
}

/// As many threads as there are processors, each with the next one that nobody has begun.
fn on_all<T: Sync>(all: &[T], run: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(all.len()) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run(one);
                }
            });
        }
    });
}

/// What to do with an input that broke a law.
fn told(target: &Target, finding: &Finding) -> String {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    let mut file = directory.join(format!("{}-failed", target.name));
    if let Err(why) =
        std::fs::create_dir_all(&directory).and_then(|()| std::fs::write(&file, &finding.input))
    {
        file = format!("(not written: {why})").into();
    }
    format!(
        "{}: {}\n  of b\"{}\"\n  again: PILLARBOX_FUZZ={} PILLARBOX_FUZZ_INPUT={} cargo test --release --locked -p pillarbox-fuzz \
         --test fuzz\n  once mended: move it into {}",
        target.name,
        finding.why,
        finding.input.escape_ascii(),
        target.name,
        file.display(),
        corpus::directory(target).display(),
    )
}

#[test]
fn no_input_breaks_a_law() {
    let targets = chosen();
    if let Some(file) = setting("PILLARBOX_FUZZ_INPUT") {
        let input = std::fs::read(&file).unwrap_or_else(|why| panic!("{file}: {why}"));
        for target in targets {
            if let Err(why) = campaign::check(target, &input, PEAK) {
                panic!("{}: {why}", target.name);
            }
        }
        return;
    }
    let seconds = number("PILLARBOX_FUZZ_SECONDS").or(is_full().then_some(FULL_SECONDS));
    let seed = number("PILLARBOX_FUZZ_SEED").unwrap_or(1);
    let findings = Mutex::new(Vec::new());
    on_all(&targets, |&target| {
        let length = match seconds {
            Some(seconds) => Length::Time(Duration::from_secs(seconds)),
            None => Length::Rounds(target.rounds),
        };
        let start = Instant::now();
        match campaign::run(target, seed, length, PEAK) {
            Ok(sum) => println!(
                "{:<14} {:>8} inputs, {:>5} kept, {:>9} octets in use, {:>6} ms",
                target.name,
                sum.runs,
                sum.kept,
                sum.peak,
                start.elapsed().as_millis()
            ),
            Err(finding) => {
                let told = told(target, &finding);
                println!("{told}");
                findings.lock().expect("nobody panics while it is held").push(told);
            }
        }
    });
    let findings = findings.into_inner().expect("nobody panics while it is held");
    assert!(findings.is_empty(), "\n{}", findings.join("\n\n"));
}
