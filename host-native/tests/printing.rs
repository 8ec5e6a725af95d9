//! What the program prints, and what it does when nobody reads it.

use std::io::Read;
use std::process::{Command, Stdio};

/// As `pillarbox … | head -1` does.
#[test]
fn who_stops_reading_sees_no_panic() {
    for words in [&["replay", "alice-to-bob"][..], &["scenarios"], &["limits"]] {
        let mut run = Command::new(env!("CARGO_BIN_EXE_pillarbox"));
        let run = run.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut run = run.spawn().expect("it starts");
        drop(run.stdout.take());
        let mut said = String::new();
        let stderr = run.stderr.as_mut().expect("it is a pipe");
        stderr.read_to_string(&mut said).expect("UTF-8");
        run.wait().expect("it ends");
        assert_eq!(said, "", "{words:?}");
    }
}
