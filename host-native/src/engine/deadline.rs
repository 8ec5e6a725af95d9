//! How long one call into a sandbox may take: so much time of a processor, not of the clock on the wall. On a machine that
//! is busy with other things a thread may stand still for long, and that is no fault of its session.

use wasmtime::UpdateDeadline;

/// How often the second half of a call may be begun anew, because its thread did not run: some seconds of the wall's clock.
const HALVES_MAX: u32 = 64;
/// Linux: nanoseconds that this thread has run, and other numbers behind them.
const RUN_TIME: &str = "/proc/thread-self/schedstat";

/// The clock of one call, in the engine's ticks.
pub(super) struct Deadline {
    half_ticks: u64,
    /// What the thread runs in the second half at least, if it runs at all times; a tick more or less is the clock's own.
    half_ns: u64,
    /// What the thread had run when the second half began, and how often that was begun anew.
    second: Option<(u64, u32)>,
}

impl Deadline {
    pub(super) fn new(ticks_max: u64, tick_ns: u64) -> Self {
        let half_ticks = ticks_max.div_ceil(2).max(1);
        let half_ns = (half_ticks - 1).saturating_mul(tick_ns).max(tick_ns / 2);
        Self { half_ticks, half_ns, second: None }
    }

    /// A call begins; gives the ticks after which [`passed`](Self::passed) is to be asked.
    pub(super) fn start(&mut self) -> u64 {
        self.second = None;
        self.half_ticks
    }

    /// Half of the time has passed on the wall's clock. Only then anybody looks how long the thread has run, since to ask
    /// is dearer than most calls are.
    pub(super) fn passed(&mut self) -> UpdateDeadline {
        let Some(now_ns) = run_time_ns() else {
            // Where nobody tells, the wall's clock has to do.
            return match self.second.replace((0, 0)) {
                None => UpdateDeadline::Continue(self.half_ticks),
                Some(_) => UpdateDeadline::Interrupt,
            };
        };
        let (began_ns, anew) = self.second.map_or((now_ns, 0), |(ns, anew)| (ns, anew + 1));
        let is_over = now_ns.saturating_sub(began_ns) >= self.half_ns;
        if self.second.is_some() && (is_over || anew > HALVES_MAX) {
            return UpdateDeadline::Interrupt;
        }
        self.second = Some((began_ns, anew));
        UpdateDeadline::Continue(self.half_ticks)
    }
}

fn run_time_ns() -> Option<u64> {
    let text = std::fs::read_to_string(RUN_TIME).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_NS: u64 = 10_000_000;

    fn goes_on(update: &UpdateDeadline) -> bool {
        matches!(update, UpdateDeadline::Continue(1))
    }

    #[test]
    fn a_thread_that_runs_is_ended_after_its_second_half() {
        let mut deadline = Deadline::new(2, TICK_NS);
        assert_eq!(deadline.start(), 1);
        assert!(goes_on(&deadline.passed()));
        let started = std::time::Instant::now();
        let mut ended = false;
        // However busy this machine is: a thread that does nothing but run gets there.
        while !ended && started.elapsed().as_secs() < 60 {
            let until = run_time_ns().map(|ns| ns + TICK_NS);
            while run_time_ns().is_some() && run_time_ns() < until {}
            ended = !goes_on(&deadline.passed());
        }
        assert!(ended);
        deadline.start();
        assert!(goes_on(&deadline.passed()), "the next call has all its time again");
    }

    #[test]
    fn a_thread_that_stands_still_goes_on_for_a_while() {
        let mut deadline = Deadline::new(2_000, TICK_NS);
        deadline.start();
        if run_time_ns().is_none() {
            return;
        }
        let halves = (0..).take_while(|_| !matches!(deadline.passed(), UpdateDeadline::Interrupt));
        assert_eq!(halves.count(), HALVES_MAX as usize + 1);
    }
}
