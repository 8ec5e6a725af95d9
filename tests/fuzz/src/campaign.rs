//! Runs a target over its seeds and over what is made of them, and makes a failing input small before it is told.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};

use crate::corpus;
use crate::mutate::Mutator;
use crate::seeded::Seeded;
use crate::watch::Watch;
use crate::{Seen, Target};

/// Runs work and says how many octets it had in use at most at one time; whoever has an allocator that counts gives it.
pub type Peak = fn(&mut dyn FnMut()) -> usize;

/// How long a campaign goes on.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// So many inputs.
    Rounds(u32),
    /// So long, by the clock.
    Time(Duration),
}

/// An input that broke a law.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The input, as small as it could be made.
    pub input: Vec<u8>,
    /// What was broken.
    pub why: String,
}

/// What a campaign came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Inputs that were run.
    pub runs: u64,
    /// Seeds, and inputs that showed something new.
    pub kept: usize,
    /// Octets in use at most in one run.
    pub peak: usize,
}

/// Attempts at making a failing input smaller.
const SMALLER_MAX: u32 = 3000;
/// Inputs that are kept for mutation.
const KEPT_MAX: usize = 20_000;

/// Runs a target from a seed.
///
/// # Errors
/// The first input that broke a law.
pub fn run(target: &Target, seed: u64, length: Length, peak: Peak) -> Result<Sum, Finding> {
    let mut runner = Runner { target, peak, known: HashSet::new(), sum: Sum::default() };
    let mut pool = seeds(target);
    for input in &pool {
        runner.judge(input)?;
    }
    let mut random = Seeded::new(seed);
    let Target { words, lines, size_max, .. } = *target;
    let mutator = Mutator { words, lines, size_max };
    let start = Instant::now();
    let goes_on = |round: u32| match length {
        Length::Rounds(rounds) => round < rounds,
        Length::Time(time) => start.elapsed() < time,
    };
    let mut round = 0;
    while goes_on(round) {
        round = round.saturating_add(1);
        let from = random.pick(&pool).map_or(&b""[..], |seed| seed);
        let other = random.pick(&pool).map_or(&b""[..], |seed| seed);
        let input = mutator.mutated(from, other, &mut random);
        if runner.judge(&input)? && pool.len() < KEPT_MAX {
            pool.push(input);
        }
    }
    runner.sum.kept = pool.len();
    Ok(runner.sum)
}

/// All seeds of a target; those that are too long are cut, and there is always one.
#[must_use]
pub fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        corpus::own(target).into_iter().map(|(_, octets)| octets).collect();
    seeds.extend((target.seeds)());
    seeds.iter_mut().for_each(|seed| seed.truncate(target.size_max));
    seeds.push(Vec::new());
    seeds
}

/// Runs one input.
///
/// # Errors
/// What it broke.
pub fn check(target: &Target, input: &[u8], peak: Peak) -> Result<(), String> {
    tried(target, input, peak).map(|_| ())
}

struct Runner<'a> {
    target: &'a Target,
    peak: Peak,
    known: HashSet<u64>,
    sum: Sum,
}

impl Runner<'_> {
    /// Runs an input, and says whether it showed something new.
    fn judge(&mut self, input: &[u8]) -> Result<bool, Finding> {
        self.sum.runs += 1;
        match tried(self.target, input, self.peak) {
            Ok((seen, most)) => {
                self.sum.peak = self.sum.peak.max(most);
                let before = self.known.len();
                self.known.extend(seen.all().iter().copied());
                Ok(self.known.len() > before)
            }
            Err(why) => Err(smaller(self.target, input, why, self.peak)),
        }
    }
}

/// One run, with what it showed and the octets that it had in use.
fn tried(target: &Target, input: &[u8], peak: Peak) -> Result<(Seen, usize), String> {
    listen_to_panics();
    let mut seen = Seen::default();
    let watch = Watch::begin(target.name, input);
    LISTENS.set(true);
    let mut outcome = Ok(());
    let most = peak(&mut || {
        outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input, &mut seen)));
    });
    LISTENS.set(false);
    drop(watch);
    outcome.map_err(|_| PANIC.with_borrow_mut(|why| why.take().unwrap_or_default()))?;
    match most <= target.memory_max {
        true => Ok((seen, most)),
        false => Err(format!("{most} octets in use, and at most {} may be", target.memory_max)),
    }
}

thread_local! {
    /// What the last panic of this thread said.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static LISTENS: Cell<bool> = const { Cell::new(false) };
}

/// From now on a panic in a run is kept rather than printed: making an input small takes thousands.
fn listen_to_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !LISTENS.get() {
                return usual(panic);
            }
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let said = panic.payload_as_str().unwrap_or("no words");
            PANIC.set(Some(format!("panic at {place}: {said}")));
        }));
    });
}

/// Makes a failing input smaller as long as something is still broken.
fn smaller(target: &Target, input: &[u8], why: String, peak: Peak) -> Finding {
    let mut finding = Finding { input: input.to_vec(), why };
    let mut left = SMALLER_MAX;
    let mut size = finding.input.len().next_power_of_two();
    while size > 0 && left > 0 {
        let mut at = 0;
        while at < finding.input.len() && left > 0 {
            left -= 1;
            let mut less = finding.input.clone();
            less.drain(at..(at + size).min(less.len()));
            match check(target, &less, peak) {
                Err(why) => finding = Finding { input: less, why },
                Ok(()) => at += size,
            }
        }
        size /= 2;
    }
    finding
}
