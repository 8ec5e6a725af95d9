//! One load on a server that somebody else has started.
//! Prints what was done; nothing is compared.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::args::{self, Deliveries, Item, Key, LoadKind, Target};
use crate::idle;
use crate::imap_work::{Account, Append, LoginSelect, Query, Question};
use crate::load::{Sample, Session, rate, repeat};
use crate::pop3::Reader;
use crate::smtp::{Connect, Delivery, Dialect};
use crate::work::{opened, window};

/// Runs the load and gives its results as lines to print.
pub(crate) async fn run(load: LoadKind) -> Result<String> {
    Ok(match load {
        LoadKind::Smtp(deliveries) => deliver(deliveries, Dialect::Smtp).await?,
        LoadKind::Lmtp(deliveries) => deliver(deliveries, Dialect::Lmtp).await?,
        LoadKind::Connect { target, duration } => {
            let workers = (0..target.connections).map(|_| Connect::new(target.address)).collect();
            rated(workers, &target, duration.seconds, "connections").await?
        }
        LoadKind::Login { target, login, duration } => {
            let worker = |lane| LoginSelect(account(&target, &login, lane));
            let workers = (0..target.connections).map(worker).collect();
            rated(workers, &target, duration.seconds, "logins").await?
        }
        LoadKind::Append { target, login, duration, size } => {
            let open = |lane| {
                let account = account(&target, &login, lane);
                async move { Append::open(&account, size, lane).await }
            };
            let workers = opened(target.connections, open).await?;
            rated(workers, &target, duration.seconds, "messages").await?
        }
        LoadKind::Fetch { target, login, duration, mailbox, item } => {
            let question = match item {
                Item::Flags => Question::Flags,
                Item::Envelope => Question::Envelope,
                Item::Bodies => Question::Bodies,
            };
            query(&target, &login, duration.seconds, mailbox, question).await?
        }
        LoadKind::Search { target, login, duration, mailbox, key } => {
            let question = match key {
                Key::From => Question::SearchFrom,
                Key::Subject => Question::SearchSubject,
                Key::Body => Question::SearchBody,
            };
            query(&target, &login, duration.seconds, mailbox, question).await?
        }
        LoadKind::Pop3 { target, login, duration } => {
            let worker = |lane| {
                let Account { address, user, password } = account(&target, &login, lane);
                Reader::new(address, user, password)
            };
            let workers = (0..target.connections).map(worker).collect();
            rated(workers, &target, duration.seconds, "messages").await?
        }
        LoadKind::Idle { target, login, settle } => {
            let pid = target.pid.context("--pid says whose memory is to be measured")?;
            let settle = Duration::from_secs_f64(settle);
            let account = |lane| account(&target, &login, lane);
            let sample = idle::held(pid, target.connections, settle, account).await?;
            let each = sample.kib_each.unwrap_or(f64::NAN);
            format!("{} connections: {each:.1} KiB each (PSS)", target.connections)
        }
    })
}

async fn deliver(deliveries: Deliveries, dialect: Dialect) -> Result<String> {
    let Deliveries { target, duration, size, recipients } = deliveries;
    let open = |lane| Delivery::open(target.address, dialect, size, lane, recipients);
    let workers = opened(target.connections, open).await?;
    rated(workers, &target, duration.seconds, "messages").await
}

/// Over one connection each command is timed; over several the rate is what counts.
async fn query(
    target: &Target,
    login: &args::Account,
    seconds: f64,
    mailbox: String,
    question: Question,
) -> Result<String> {
    let open = |lane| {
        let (account, mailbox) = (account(target, login, lane), mailbox.clone());
        async move { Query::open(&account, &mailbox, question).await }
    };
    let mut workers = opened(target.connections, open).await?;
    if target.connections > 1 {
        return rated(workers, target, seconds, "answers").await;
    }
    let mut worker = workers.pop().context("one connection was asked for")?;
    let window = window(Duration::from_secs_f64(seconds));
    let sample = repeat(&mut worker, window, 1, target.pid).await?;
    worker.close().await?;
    let (first, median) = (sample.first_ms, sample.operation_ms);
    Ok(format!(
        "{:.2} ms (median), first time {:.2} ms\n{}",
        median.unwrap_or(f64::NAN),
        first.unwrap_or(f64::NAN),
        summary(&sample, "answers")
    ))
}

async fn rated<S: Session>(
    workers: Vec<S>,
    target: &Target,
    seconds: f64,
    operations: &str,
) -> Result<String> {
    let window = window(Duration::from_secs_f64(seconds));
    Ok(summary(&rate(workers, window, target.pid).await?, operations))
}

fn summary(sample: &Sample, operations: &str) -> String {
    let each_second = sample.operations as f64 / sample.seconds;
    let mut text = format!(
        "{} {operations} in {:.2} s: {each_second:.0} per second",
        sample.operations, sample.seconds
    );
    if sample.octets > 0 {
        let rate = sample.octets as f64 / sample.seconds / 1e6;
        text.push_str(&format!(", {rate:.1} MB/s"));
    }
    if let (Some(cpu), true) = (sample.server_cpu_seconds, sample.operations > 0) {
        let each = cpu / sample.operations as f64 * 1000.0;
        text.push_str(&format!("\nserver: {each:.3} CPU seconds per 1,000 {operations}"));
    }
    text.push_str(&format!(
        "\nmachine: {:.0} % went elsewhere, {:.0} % was stolen",
        sample.elsewhere * 100.0,
        sample.stolen * 100.0
    ));
    text
}

/// The account that connection `lane` uses.
pub(crate) fn account(target: &Target, login: &args::Account, lane: u64) -> Account {
    let (address, password) = (target.address, login.password.clone());
    Account { address, user: login.user.replace('#', &lane.to_string()), password }
}
