//! What /proc says: the CPU time and memory of a server's processes, the load of the machine.
//! Linux only, as are the servers it is compared with.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process;

use anyhow::{Context, Result};

/// USER_HZ, in which /proc counts; 100 on every Linux architecture that Debian builds for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures the use of the CPUs between two moments.
pub(crate) struct Meter {
    server_pid: Option<u32>,
    before: Moment,
}

/// What was used between the two moments.
pub(crate) struct Used {
    pub(crate) server_cpu_seconds: Option<f64>,
    /// Share of the machine used by neither the server nor this program, 0 to 1.
    pub(crate) elsewhere: f64,
    /// Share of the machine that its host gave to others, 0 to 1.
    pub(crate) stolen: f64,
}

struct Moment {
    machine: Ticks,
    server: Option<u64>,
    own: u64,
}

impl Meter {
    /// Starts now. `server_pid` is the root of the server's process tree.
    pub(crate) fn start(server_pid: Option<u32>) -> Result<Self> {
        Ok(Self { server_pid, before: Moment::now(server_pid)? })
    }

    /// Gives what was used since the start.
    pub(crate) fn stop(self) -> Result<Used> {
        let after = Moment::now(self.server_pid)?;
        let before = self.before;
        let ticks = |after: u64, before: u64| after.saturating_sub(before) as f64;
        let total = ticks(after.machine.total, before.machine.total).max(1.0);
        let busy = ticks(after.machine.busy, before.machine.busy);
        let server = after.server.zip(before.server).map(|(after, before)| ticks(after, before));
        let known = server.unwrap_or(0.0) + ticks(after.own, before.own);
        Ok(Used {
            server_cpu_seconds: server.map(|ticks| ticks / TICKS_PER_SECOND),
            elsewhere: ((busy - known) / total).clamp(0.0, 1.0),
            stolen: ticks(after.machine.stolen, before.machine.stolen) / total,
        })
    }
}

impl Moment {
    fn now(server_pid: Option<u32>) -> Result<Self> {
        let processes = processes()?;
        let server = server_pid
            .map(|root| tree(&processes, root).iter().map(|pid| processes[pid].ticks).sum());
        let own = processes.get(&process::id()).map_or(0, |own| own.ticks_alone);
        let stat = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
        Ok(Self { machine: Ticks::read(&stat).context("unknown form of /proc/stat")?, server, own })
    }
}

/// CPU ticks that the process tree under `root` has used so far.
pub(crate) fn ticks(root: u32) -> Result<u64> {
    let processes = processes()?;
    Ok(tree(&processes, root).iter().map(|pid| processes[pid].ticks).sum())
}

/// Proportional set size of the process tree under `root`, in KiB: shared pages are divided
/// among those who share them, so that the sum counts each page once.
pub(crate) fn pss_kib(root: u32) -> Result<u64> {
    let mut sum = 0;
    for pid in tree(&processes()?, root) {
        // A process that has just ended has no memory any more.
        let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
        sum += pss_of(&rollup).with_context(|| format!("no Pss in smaps_rollup of {pid}"))?;
    }
    Ok(sum)
}

fn pss_of(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// CPU ticks of the whole machine since it started.
#[derive(Debug, PartialEq)]
struct Ticks {
    total: u64,
    busy: u64,
    stolen: u64,
}

impl Ticks {
    /// The first line: user nice system idle iowait irq softirq steal (guest is part of user).
    fn read(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let fields: Vec<u64> =
            line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let [user, nice, system, idle, iowait, irq, softirq, stolen, ..] = fields[..] else {
            return None;
        };
        let busy = user + nice + system + irq + softirq;
        Some(Self { total: busy + idle + iowait + stolen, busy, stolen })
    }
}

struct Process {
    parent: u32,
    /// Its own and those of the children it has waited for.
    ticks: u64,
    ticks_alone: u64,
}

fn processes() -> Result<HashMap<u32, Process>> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc").context("reading /proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended since the directory was read.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if let Some(process) = process_of(&stat) {
            all.insert(pid, process);
        }
    }
    Ok(all)
}

/// Reads /proc/PID/stat: see proc_pid_stat(5).
fn process_of(stat: &str) -> Option<Process> {
    // The name in parentheses may hold anything, parentheses and spaces included.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks_alone = number(11)? + number(12)?;
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        ticks: ticks_alone + number(13)? + number(14)?,
        ticks_alone,
    })
}

fn tree(processes: &HashMap<u32, Process>, root: u32) -> Vec<u32> {
    let mut found: Vec<u32> = processes.contains_key(&root).then_some(root).into_iter().collect();
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        found.extend(processes.iter().filter(|(_, it)| it.parent == parent).map(|(&pid, _)| pid));
    }
    found
}

/// The machine in a few words, one fact a line.
pub(crate) fn hardware() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = field(&cpuinfo, "model name").unwrap_or("unknown CPU");
    let cpus = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let guest = cpuinfo.lines().any(|line| {
        line.starts_with("flags") && line.split_whitespace().any(|flag| flag == "hypervisor")
    });
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|total| total.strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or_else(|| "unknown memory".to_owned(), |kib| format!("{} GiB", kib >> 20));
    let kind = if guest { ", virtual machine" } else { "" };
    vec![
        format!("{cpus} × {model}{kind}, {memory}"),
        format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
    ]
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| Some(line.strip_prefix(name)?.trim_start().strip_prefix(':')?.trim()))
}

/// 1-, 5- and 15-minute load averages, as the kernel prints them.
pub(crate) fn load_average() -> String {
    let all = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    all.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The type of the file system that holds `path`, from /proc/self/mountinfo.
pub(crate) fn file_system(path: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    mounted_type(&mounts, &path).unwrap_or("unknown file system").to_owned()
}

fn mounted_type<'a>(mountinfo: &'a str, path: &Path) -> Option<&'a str> {
    mountinfo
        .lines()
        .filter_map(|line| {
            let (mount, rest) = line.split_once(" - ")?;
            let point = mount.split(' ').nth(4)?;
            path.starts_with(point).then_some((point.len(), rest.split(' ').next()?))
        })
        // Of mounts on one point the last one is seen.
        .max_by_key(|&(length, _)| length)
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_wild_name_is_read() {
        let stat = "4242 (a) R (b)) S 17 4242 4242 0 -1 4194560 1 2 3 4 50 7 100 20 20 0 1 0 99";
        let process = process_of(stat).expect("complete");
        assert_eq!((process.parent, process.ticks_alone, process.ticks), (17, 57, 177));
        assert!(process_of("4242 (cut) S 17 1").is_none());
    }

    #[test]
    fn machine_ticks_are_summed_without_guest_time() {
        let stat = "cpu  10 1 20 1000 30 2 3 40 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(Ticks::read(stat), Some(Ticks { total: 1106, busy: 36, stolen: 40 }));
        assert_eq!(Ticks::read("cpu  10 1\n"), None);
    }

    #[test]
    fn trees_include_grandchildren_only_of_the_root() {
        let process = |parent| Process { parent, ticks: 1, ticks_alone: 1 };
        let all =
            HashMap::from([(1, process(0)), (2, process(1)), (3, process(2)), (4, process(1))]);
        let mut found = tree(&all, 2);
        found.sort_unstable();
        assert_eq!(found, [2, 3]);
        assert!(tree(&all, 99).is_empty());
    }

    #[test]
    fn pss_mounts_and_fields_are_found() {
        assert_eq!(pss_of("5-6 ---p 0 00:00 0 [rollup]\nRss: 99 kB\nPss:    12 kB\n"), Some(12));
        assert_eq!(pss_of("Rss: 99 kB\n"), None);
        let mounts = "1 0 8:1 / / rw - ext4 /dev/vda rw\n2 1 0:5 / /tmp rw shared:1 - tmpfs t rw\n";
        assert_eq!(mounted_type(mounts, Path::new("/tmp/x")), Some("tmpfs"));
        assert_eq!(mounted_type(mounts, Path::new("/tmpx")), Some("ext4"));
        assert_eq!(field("a\t: 1\nmodel name\t: Fast One\n", "model name"), Some("Fast One"));
    }

    #[test]
    fn this_very_process_is_metered() {
        let meter = Meter::start(Some(process::id())).expect("a Linux machine");
        let start = std::time::Instant::now();
        let mut sum = 0u64;
        while start.elapsed().as_millis() < 200 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let used = meter.stop().expect("a Linux machine");
        assert!(used.server_cpu_seconds.expect("it lives") > 0.02);
        assert!(pss_kib(process::id()).expect("own memory") > 100);
    }
}
