//! A backlog of any size: it lies in the store, and the server and those who look at it hold a page of it.

use std::process::Command;

use pillarbox_tests::dns::DnsServer;
use pillarbox_tests::server::{Scratch, binary};
use pillarbox_tests::wire::Wire;

use crate::{alice, site};

/// Recipients of a message, each at a domain of its own: as many tasks, and as many destinations.
const RECIPIENTS: u32 = 1000;
/// What a task may cost while it waits. An entry in memory, with its names, would be larger.
const OCTETS_PER_TASK_MAX: u64 = 120;
/// What listing it may cost, however much waits: the caches of two or three connections to the store, 8 MiB each, and a
/// page of what is listed.
const LISTING_MAX: u64 = 32 << 20;

fn queue(wire: &mut Wire, number: u32) {
    let mut commands = b"MAIL FROM:<alice@ours.example>\r\n".to_vec();
    for at in 0..RECIPIENTS {
        commands.extend(format!("RCPT TO:<x@d{number}-{at}.example>\r\n").as_bytes());
    }
    commands.extend(b"DATA\r\n");
    wire.send(&commands).expect("it reads");
    for _ in 0..RECIPIENTS + 2 {
        let reply = wire.line().expect("a reply");
        assert!(reply.starts_with(b"2") || reply.starts_with(b"354"), "{}", reply.escape_ascii());
    }
    wire.send(b"From: alice@ours.example\r\n\r\nwords\r\n.\r\n").expect("it reads");
    let reply = wire.line().expect("a reply");
    assert!(reply.starts_with(b"250"), "{}", reply.escape_ascii());
}

/// Octets of memory that a process has.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

#[test]
fn what_waits_is_not_held_in_memory() {
    let full = std::env::var("PILLARBOX_FULL").is_ok_and(|full| full == "1");
    let (first, all) = if full { (50, 1000) } else { (20, 100) };
    let scratch = Scratch::new("sending-backlog");
    // Nobody knows the domains, so all of it stays.
    let dns = DnsServer::start();
    // One account sends all of it, which none does by itself within an hour.
    let silent = format!(
        "[relay]\nmta_sts = false\n[dns]\nservers = ['{}']\n\
         [limits]\nrecipients_per_account_and_hour = 10000000\n",
        dns.address()
    );
    drop(dns);
    let site = site(&scratch, "site", &silent);
    let mut wire = alice(site.server().smtp);
    (0..first).for_each(|number| queue(&mut wire, number));
    let before = resident(site.server().pid());
    (first..all).for_each(|number| queue(&mut wire, number));
    let after = resident(site.server().pid());
    let tasks = u64::from((all - first) * RECIPIENTS);
    let grown = after.saturating_sub(before);
    assert!(grown < tasks * OCTETS_PER_TASK_MAX, "{grown} octets for {tasks} tasks");
    let config = scratch.path().join("site/pillarbox.toml");
    let mut list = Command::new(binary());
    list.args(["queue", "list", "--json", "--config"]).arg(config);
    let listed = list.output().expect("the binary starts").stdout;
    assert_eq!(listed.split(|octet| *octet == b'\n').count() as u32, all + 1, "a line for each");
    let grown = resident(site.server().pid()).saturating_sub(after);
    assert!(grown < LISTING_MAX, "{grown} octets to list it");
}
