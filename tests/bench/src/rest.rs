//! Before the run: what the machine is, how fast its disk syncs, and whether it is at rest.
//! Raises the limit of open files, which idle connections need.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::machine::{Meter, file_system, hardware, load_average};
use crate::server::quietly;
use crate::stats::median;
use crate::table::DISTURBED;

/// The facts that belong above the table.
pub(crate) fn environment(home: &Path, idle_connections: u64) -> Result<Vec<String>> {
    let mut facts = vec![hardware().join("; ")];
    facts.push(format!(
        "data on {}, same file system for all; append of 4 KiB + fdatasync {:.0} µs (median)",
        file_system(home),
        sync_us(home)?
    ));
    facts.push(resting()?);
    files(idle_connections + 500)?;
    Ok(facts)
}

fn sync_us(home: &Path) -> Result<f64> {
    const TIMES: usize = 100;
    let path = home.join("sync-probe");
    let mut file = OpenOptions::new().create_new(true).append(true).open(&path)?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let start = Instant::now();
        file.write_all(&[0x5A; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    fs::remove_file(path)?;
    median(&times).context("no time was taken")
}

/// Watches the machine for a second in which this program does nothing.
fn resting() -> Result<String> {
    let meter = Meter::start(None)?;
    sleep(Duration::from_secs(1));
    let used = meter.stop()?;
    let (elsewhere, stolen) = (used.elsewhere * 100.0, used.stolen * 100.0);
    let state = if used.elsewhere + used.stolen > DISTURBED {
        "THE MACHINE IS BUSY with something else: only ratios count, and those little"
    } else {
        "the machine was at rest"
    };
    Ok(format!(
        "{state}: {elsewhere:.0} % of its CPUs in use, {stolen:.0} % stolen, load {}",
        load_average()
    ))
}

/// Sees to it that this program, and the servers it starts, may open `needed` files.
fn files(needed: u64) -> Result<()> {
    let limits = fs::read_to_string("/proc/self/limits").context("reading /proc/self/limits")?;
    let (soft, hard) = open_files(&limits).context("unknown form of /proc/self/limits")?;
    if soft >= needed {
        return Ok(());
    }
    ensure!(hard >= needed, "{needed} open files are needed, the limit is {hard}: --idle less");
    let mut raise = Command::new("prlimit");
    raise.args(["--pid", &std::process::id().to_string(), &format!("--nofile={hard}:{hard}")]);
    ensure!(quietly(raise), "prlimit failed; say `ulimit -n {hard}` first");
    Ok(())
}

/// Soft and hard limit.
fn open_files(limits: &str) -> Option<(u64, u64)> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace().map(|word| match word {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    });
    Some((words.next()??, words.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let limits = "Limit   Soft   Hard   Units\nMax open files   1024   524288   files\n";
        assert_eq!(open_files(limits), Some((1024, 524_288)));
        let endless = "Max open files   unlimited   unlimited   files\n";
        assert_eq!(open_files(endless), Some((u64::MAX, u64::MAX)));
        assert_eq!(open_files("Max processes 1 2\n"), None);
    }

    #[test]
    fn a_sync_takes_time_and_leaves_nothing() {
        let home = std::env::temp_dir().join(format!("bench-rest-{}", std::process::id()));
        fs::create_dir(&home).expect("a writable temporary directory");
        assert!(sync_us(&home).expect("writable") > 0.0);
        fs::remove_dir(&home).expect("it is empty again");
    }
}
