//! A load generator for mail servers, and a table that compares them.
//! See README.md beside it for what is measured and how the peers are set up.

mod args;
mod compare;
mod corpus;
mod goals;
mod idle;
mod imap;
mod imap_work;
mod load;
mod machine;
mod peers;
mod pillarbox;
mod pop3;
mod relay;
mod rest;
mod scratch;
mod server;
mod single;
mod smtp;
mod stats;
mod table;
mod wire;
mod work;

#[cfg(test)]
mod smoke;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use args::{Arguments, Command, Comparison};
use compare::Plan;
use scratch::Scratch;
use server::{Kind, Kinds};
use table::Report;

/// One thread: the servers need the rest of the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut terminated = match signal(SignalKind::terminate()) {
        Ok(terminated) => terminated,
        Err(error) => return failed(&error.into()),
    };
    // What is dropped when the run is cut short stops its servers and removes its data.
    let ended = tokio::select! {
        ended = run(arguments) => ended,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        _ = terminated.recv() => Err(anyhow::anyhow!("terminated")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("pillarbox-bench: {error:#}");
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        None => {
            let peers = [Kinds(vec![Kind::Native, Kind::Postfix])];
            compare(Kind::Pillarbox, &peers, arguments.comparison).await
        }
        Some(Command::Compare { subject, peers, comparison }) => {
            let &[subject] = subject.0.as_slice() else { bail!("the subject is one server") };
            compare(subject, &peers, comparison).await
        }
        Some(Command::Load(load)) => {
            println!("{}", single::run(load.what).await?);
            Ok(())
        }
        Some(Command::Fill { target, login, mailbox, messages, size }) => {
            for lane in 0..target.connections {
                let account = single::account(&target, &login, lane);
                imap_work::fill(&account, &mailbox, messages, size).await?;
                println!("{}: {messages} messages in {mailbox}", account.user);
            }
            Ok(())
        }
    }
}

async fn compare(subject: Kind, peers: &[Kinds], options: Comparison) -> Result<()> {
    let target = target_directory()?;
    let mut wanted = vec![subject];
    for kind in peers.iter().flat_map(|kinds| kinds.0.iter().copied()) {
        if !wanted.contains(&kind) {
            wanted.push(kind);
        }
    }
    let ours = wanted.iter().any(|kind| matches!(kind, Kind::Pillarbox | Kind::Native));
    let given = options.pillarbox.clone();
    let pillarbox = if ours { pillarbox::binary(given, &target)? } else { PathBuf::new() };
    let mut servers = Vec::new();
    let mut absent = Vec::new();
    for kind in wanted {
        match kind.missing(&pillarbox) {
            None => servers.push(kind),
            Some(reason) if kind == subject => bail!("{kind}: {reason}"),
            Some(reason) => absent.push((kind, reason)),
        }
    }
    let scratch = Scratch::new(options.data.clone().unwrap_or_else(|| target.join("bench")))?;
    let environment = rest::environment(scratch.path(), options.idle)?;
    for line in &environment {
        eprintln!("{line}");
    }
    let plan = plan(&options, servers, scratch.path().to_owned(), pillarbox)?;
    let results = plan.run().await?;
    let failures = results.rows.iter().flat_map(|row| &row.cells);
    let failures = failures.filter(|cell| cell.failure.is_some()).count() + results.left_out.len();
    let report = Report { subject, environment, absent, results };
    println!("{}", report.table());
    if let Some(file) = options.json {
        fs::write(&file, format!("{:#}\n", report.json()))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    ensure!(failures == 0, "{failures} measurements failed: see the table");
    Ok(())
}

fn plan(
    options: &Comparison,
    servers: Vec<Kind>,
    home: PathBuf,
    pillarbox: PathBuf,
) -> Result<Plan> {
    let full = options.full;
    let chosen =
        |work: &work::Work| options.only.is_empty() || options.only.contains(&work.topic());
    let works: Vec<work::Work> =
        work::list(full, options.idle).into_iter().filter(chosen).collect();
    ensure!(!servers.is_empty() && !works.is_empty(), "nothing to measure");
    let seconds = options.seconds.unwrap_or(if full { 2.0 } else { 0.6 });
    let rounds = options.rounds.unwrap_or(if full { 3 } else { 2 });
    Ok(Plan {
        servers,
        works,
        turns: usize::from(rounds) * 2,
        window: work::window(Duration::from_secs_f64(seconds)),
        relayed_messages: if full { 10_000 } else { 3_000 },
        small_messages: 10_000,
        large_messages: if full { 10_000 } else { 2_000 },
        settle: Duration::from_secs_f64(options.settle),
        home,
        pillarbox,
    })
}

/// The build's target directory: the program lies in target/release.
fn target_directory() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.parent().and_then(|release| release.parent());
    Ok(target.context("the program lies in no target directory")?.to_owned())
}
