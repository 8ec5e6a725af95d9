//! What work costs, as two figures that a loaded machine does not change: the octets that it takes of the allocator, which
//! are exact, and the time that its own thread ran, of which the least of some runs counts.

use std::time::Duration;

use crate::counting;

/// What doubling the input may cost; work in proportion is 2, with a factor of the logarithm a little more, and the square
/// is 4.
const RATIO_MAX: f64 = 2.4;
/// Sizes that are compared, each twice the one before.
const SIZES: usize = 4;
/// Below this, clocks and first touches are most of what is measured.
const LEAST: Duration = Duration::from_micros(1500);
/// Octets that growing by doubling may have taken early.
const SLACK_OCTETS: u64 = 64 << 10;
/// A machine that is busy makes some runs longer, never shorter: so often it may try before a ratio counts.
const ATTEMPTS: usize = 12;

/// Time that this thread ran.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is one that Linux has, and what it writes to is ours.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "a thread has a clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[derive(Clone, Copy, Debug)]
struct Cost {
    time: Duration,
    octets: u64,
}

/// What one run costs; what it needs is made before.
fn once(ready: Box<dyn FnOnce() + '_>) -> Cost {
    let start = thread_time();
    let ((), octets) = counting::taken(ready);
    Cost { time: thread_time() - start, octets }
}

/// From now on memory that was given back stays mapped: else the first touch of each page would be measured again and
/// again, and of large pieces alone.
pub(super) fn keep_memory() {
    // SAFETY: these only set what the allocator does with memory that nobody uses.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        // The most that it takes.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// Work of any size: what it needs is made first, then what is given is run and measured.
pub(super) type Work<'a> = dyn Fn(usize) -> Box<dyn FnOnce() + 'a> + Send + Sync + 'a;

/// Whether work costs no more than in proportion to its size, from `least` to 8 times what takes a moment, and not beyond
/// `most`.
pub(super) fn grows(what: &str, least: usize, most: usize, work: &Work<'_>) -> Result<(), String> {
    let mut size = least;
    while size * 2 <= most >> (SIZES - 1) && once(work(size)).time < LEAST {
        size *= 2;
    }
    let sizes: Vec<usize> = (0..SIZES).map(|step| size << step).collect();
    // The largest first, so that memory is there for all.
    once(work(sizes[SIZES - 1]));
    let mut costs: Vec<Cost> = sizes.iter().map(|size| once(work(*size))).collect();
    for attempt in 0.. {
        let bad = costs.windows(2).position(|two| !in_proportion(two[0], two[1]));
        let Some(bad) = bad else { break };
        if attempt >= ATTEMPTS {
            return Err(format!(
                "{what}: sizes {sizes:?} cost {costs:?}, too much at {}",
                sizes[bad + 1]
            ));
        }
        for (cost, size) in costs.iter_mut().zip(&sizes) {
            cost.time = cost.time.min(once(work(*size)).time);
        }
    }
    let (first, last) = (costs[0].time.as_secs_f64(), costs[SIZES - 1].time.as_secs_f64());
    println!("{what:<50} {size:>9} ×{:.1} in {SIZES} sizes, {:.1} ms", last / first, last * 1000.0);
    Ok(())
}

fn in_proportion(one: Cost, twice: Cost) -> bool {
    let octets = twice.octets as f64 <= one.octets as f64 * RATIO_MAX + SLACK_OCTETS as f64;
    let slack = LEAST.as_secs_f64() / 10.0;
    let time = twice.time.as_secs_f64() <= one.time.as_secs_f64() * RATIO_MAX + slack;
    octets && time
}
