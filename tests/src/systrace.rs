//! Reads what `strace -ff -ttt -T -y` wrote of a process, and judges by that alone whether each message was synced before
//! its acceptance was sent. How the process is built, and what its clients think, is nothing to it.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// System calls that the judgement needs.
const CALLS: &str = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,\
                     pwritev,pwritev2,fsync,fdatasync,sync_file_range,io_uring_setup,msync";
/// Times are printed in microseconds, each rounded.
const ROUNDED_US: u64 = 2;
/// The tracer may write down the last calls after the process has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command that runs a program under strace, which writes one file for each thread beginning with `prefix`.
///
/// The program is the direct child (`-D`), so that signals reach it.
#[must_use]
pub fn tracer(prefix: &Path, program: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-D", "-ff", "-ttt", "-T", "-y", "-a", "1", "-s", "70000", "-e", CALLS, "-o"]);
    command.arg(prefix).arg(program);
    command
}

/// What a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// Took octets out of a file or socket.
    Read,
    /// Put octets into one.
    Wrote,
    /// Waited until a file's octets were on the disk.
    Synced,
}

/// One system call that was not in vain.
#[derive(Clone, Debug)]
pub struct Event {
    /// The thread.
    pub thread: String,
    /// When it began and ended, in microseconds.
    pub from_us: u64,
    /// See `from_us`.
    pub to_us: u64,
    /// What it did.
    pub did: Did,
    /// The file or socket, as strace names it.
    pub file: String,
    /// The octets.
    pub octets: Vec<u8>,
}

/// Reads the whole trace, in the order in which calls began; waits until the tracer is done.
///
/// # Panics
/// If there is none, it never ends, or the program used what the trace does not see.
#[must_use]
pub fn read(prefix: &Path) -> Vec<Event> {
    let directory = prefix.parent().expect("the prefix lies in a directory");
    let name = prefix.file_name().expect("it has a name").to_str().expect("it is ASCII");
    let until = Instant::now() + PATIENCE;
    let mut events = Vec::new();
    let files = std::fs::read_dir(directory).expect("the directory is there");
    let files: Vec<_> = files.map(|file| file.expect("it can be listed").path()).collect();
    for file in files {
        let Some(thread) =
            file.file_name().and_then(|file| file.to_str()?.strip_prefix(name)?.strip_prefix('.'))
        else {
            continue;
        };
        let text = loop {
            let text = std::fs::read_to_string(&file).expect("strace writes ASCII");
            if text.lines().last().is_some_and(|line| line.contains(" +++ ")) {
                break text;
            }
            assert!(Instant::now() < until, "{}: the tracer does not end", file.display());
            std::thread::sleep(Duration::from_millis(20));
        };
        // What goes by a ring or by mapped memory would not be seen.
        assert!(!text.contains("io_uring_setup("), "the server uses io_uring");
        events.extend(text.lines().filter_map(|line| event(thread, line)));
    }
    assert!(!events.is_empty(), "{}: no trace", prefix.display());
    events.sort_by_key(|event| (event.from_us, event.to_us));
    events
}

/// `1795658115.054302 sendto(13<socket:[7]>, "250 ok\r\n", 8, ...) = 8 <0.000012>`; none for a call that failed.
fn event(thread: &str, line: &str) -> Option<Event> {
    let (time, rest) = line.split_once(' ')?;
    let (call, rest) = rest.split_once('(')?;
    let did = match call {
        "read" | "readv" | "recvfrom" | "recvmsg" => Did::Read,
        "write" | "writev" | "sendto" | "sendmsg" | "pwrite64" | "pwritev" | "pwritev2" => {
            Did::Wrote
        }
        "fsync" | "fdatasync" => Did::Synced,
        _ => return None,
    };
    let (arguments, result) = rest.rsplit_once(") = ")?;
    let (result, took) = result.rsplit_once(" <")?;
    let result: i64 = result.split(' ').next()?.parse().ok()?;
    if result < 0 || (result == 0 && did != Did::Synced) {
        return None;
    }
    let file = arguments.split_once('<')?.1;
    let file = file.split_once(">, ").map_or_else(|| file.trim_end_matches('>'), |both| both.0);
    let from_us = micros(time)?;
    let to_us = from_us + micros(took.trim_end_matches('>'))?;
    let mut octets = strings(arguments);
    octets
        .truncate(usize::try_from(result).ok().filter(|_| did == Did::Read).unwrap_or(usize::MAX));
    let (thread, file) = (thread.to_owned(), file.to_owned());
    Some(Event { thread, from_us, to_us, did, file, octets })
}

fn micros(seconds: &str) -> Option<u64> {
    let (whole, part) = seconds.split_once('.')?;
    Some(whole.parse::<u64>().ok()? * 1_000_000 + part.parse::<u64>().ok()?)
}

/// The octets of all strings among the arguments, which are written as in C.
fn strings(arguments: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut octets = arguments.bytes().peekable();
    let mut inside = false;
    while let Some(octet) = octets.next() {
        match octet {
            b'"' => inside = !inside,
            _ if !inside => {}
            b'\\' => out.push(match octets.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(b'f') => 12,
                Some(digit @ b'0'..=b'7') => {
                    let mut value = u32::from(digit - b'0');
                    for _ in 0..2 {
                        let Some(next) = octets.next_if(|next| (b'0'..=b'7').contains(next)) else {
                            break;
                        };
                        value = value * 8 + u32::from(next - b'0');
                    }
                    value as u8
                }
                Some(other) => other,
                None => break,
            }),
            other => out.push(other),
        }
    }
    out
}

/// What tells one message from all others, at its beginning and at its end: `head-17-x` and `tail-17-x`.
#[must_use]
pub fn marks(number: u64) -> [String; 2] {
    [format!("head-{number}-x"), format!("tail-{number}-x")]
}

/// The judgement: for each reply that accepts, marks of the message that the same socket brought are in a file, and that
/// file was synced after they were written, before the reply began. Gives how many replies there were.
///
/// # Errors
/// The first reply that came too early, and what was missing.
pub fn synced_before_accepted(
    events: &[Event],
    accepts: impl Fn(&[u8]) -> bool,
) -> Result<usize, String> {
    let mut heard: HashMap<&str, (Vec<u8>, u64)> = HashMap::new();
    let mut current: HashMap<&str, Vec<String>> = HashMap::new();
    let mut replies = 0;
    let mut written: Written = HashMap::new();
    for event in events.iter().filter(|event| event.did == Did::Wrote && !is_socket(event)) {
        for mark in marks_in(&event.octets) {
            written.entry(mark).or_default().push((&event.file, event.to_us));
        }
    }
    let syncs: Vec<&Event> = events.iter().filter(|event| event.did == Did::Synced).collect();
    for event in events.iter().filter(|event| is_socket(event)) {
        let socket = event.file.as_str();
        match event.did {
            Did::Read => {
                let (octets, last_us) = heard.entry(socket).or_default();
                octets.extend_from_slice(&event.octets);
                *last_us = event.to_us;
            }
            Did::Wrote if accepts(&event.octets) => {
                let (octets, last_us) = heard.entry(socket).or_default();
                let found = marks_in(octets);
                octets.clear();
                if !found.is_empty() {
                    current.insert(socket, found);
                }
                // LMTP answers once for each recipient of one message.
                let marks = current.get(socket).ok_or("a reply accepts what never came")?;
                judge(&syncs, &written, event, marks, *last_us)?;
                replies += 1;
            }
            _ => {}
        }
    }
    Ok(replies)
}

fn marks_in(octets: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(octets);
    let word = |word: &&str| {
        (word.starts_with("head-") || word.starts_with("tail-")) && word.ends_with("-x")
    };
    let mut marks: Vec<String> = text.split_whitespace().filter(word).map(str::to_owned).collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// By mark, the files that it was written to, and when.
type Written<'a> = HashMap<String, Vec<(&'a str, u64)>>;

fn is_socket(event: &Event) -> bool {
    event.file.starts_with("socket:") || event.file.starts_with("TCP:")
}

fn judge(
    syncs: &[&Event],
    written: &Written,
    reply: &Event,
    marks: &[String],
    last_us: u64,
) -> Result<(), String> {
    let what = format!("{:?} at {}", String::from_utf8_lossy(&reply.octets), reply.from_us);
    if marks.len() != 2 {
        return Err(format!("{what}: marks {marks:?} came since the last one"));
    }
    let mut between = syncs.iter().filter(|sync| {
        // The sync of this message begins after its last octets were read.
        sync.from_us + ROUNDED_US >= last_us && sync.to_us <= reply.from_us + ROUNDED_US
    });
    let holds = |sync: &Event, mark: &String| {
        let mut places = written.get(mark).into_iter().flatten();
        places.any(|(file, to_us)| *file == sync.file && *to_us <= sync.from_us + ROUNDED_US)
    };
    if between.any(|sync| marks.iter().all(|mark| holds(sync, mark))) {
        return Ok(());
    }
    Err(format!("{what}: no sync of a file that holds {marks:?} lies between"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_strace_writes_them() {
        let line = r#"10.000002 sendto(13<socket:[7]>, "250 a\"\\\r\n\0\3012", 13, 0, NULL, 0) = 13 <0.000012>"#;
        let read = event("9", line).expect("a call");
        assert_eq!((read.from_us, read.to_us, read.did), (10_000_002, 10_000_014, Did::Wrote));
        assert_eq!((&*read.file, &read.octets[..]), ("socket:[7]", &b"250 a\"\\\r\n\0\xc12"[..]));
        let sync = event("9", "1.500000 fdatasync(6</d/mail.db-wal>) = 0 <0.000300>").expect("one");
        assert_eq!((&*sync.file, sync.did), ("/d/mail.db-wal", Did::Synced));
        let failed = "1.500000 fdatasync(6</d/a>) = -1 EIO (Input/output error) <0.000300>";
        assert!(event("9", failed).is_none());
        let vectors = r#"1.000000 writev(3<socket:[1]>, [{iov_base="25", iov_len=2}, {iov_base="0 ok", iov_len=4}], 2) = 6 <0.000001>"#;
        assert_eq!(event("9", vectors).expect("a call").octets, b"250 ok");
    }
}
