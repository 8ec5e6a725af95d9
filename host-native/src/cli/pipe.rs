//! What is printed for a reader that may stop reading, as `head` does. Only commands that change nothing end with it.

/// From now on this program ends quietly, as others do, when what it prints into is closed; without this it would panic.
pub(super) fn end_with_reader() {
    // SAFETY: no handler of ours runs, and no other thread exists yet.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
