//! How much was done, counted in octets, notes and entries that were looked at: tests tell by it what time cannot tell on a
//! busy machine. Outside of tests nothing is counted.

#[cfg(test)]
thread_local! {
    static DONE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// So much was done.
#[cfg_attr(not(test), inline(always))]
pub(super) fn done(_count: usize) {
    #[cfg(test)]
    DONE.set(DONE.get() + _count);
}

/// How much was done meanwhile.
#[cfg(test)]
pub(super) fn during<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = DONE.get();
    let done = act();
    (done, DONE.get() - before)
}
