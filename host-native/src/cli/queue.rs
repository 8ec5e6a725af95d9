//! `pillarbox queue`: what waits to be relayed, and what an operator does with it.
//! Asks the running server, or opens the data directory if there is none.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::backend::{HostBackend, Relaying};
use crate::cli::ServeFlags;
use crate::config::Settings;
use crate::engine::{Engine, EngineSettings};
use crate::error::{Error, Kind};
use crate::limits::Hits;
use crate::relay::{Message, QueueClock, RelayMetrics, Request, Response, Stats, Target, operate};
use crate::serve;
use crate::store::MailStore;

const EXAMPLES: &str = "\
Examples:
  pillarbox queue list --config pillarbox.toml
  pillarbox queue retry --destination hamburger.edu
  pillarbox queue delete 4711 --bounce";

/// Flags of `queue`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct QueueFlags {
    #[command(subcommand)]
    word: Word,
    /// Configuration of the server profile
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Directory of the mail store, if the configuration does not name it
    #[arg(long, value_name = "DIR", env = "PILLARBOX_DATA", global = true)]
    data: Option<PathBuf>,
    /// Print JSON: one object per line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// List messages, oldest first
    List,
    /// Show one message
    Show {
        /// Its number, as `list` shows it
        message: u64,
    },
    /// Try messages now
    Retry(Which),
    /// Keep messages until they are released
    Hold(Which),
    /// Let messages go on that were held
    Release(Which),
    /// Remove messages; nobody is told unless with --bounce
    Delete {
        #[command(flatten)]
        which: Which,
        /// Return the message to its sender
        #[arg(long, requires = "message")]
        bounce: bool,
    },
    /// Count messages, and show each destination
    Stats,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// A message's number
    message: Option<u64>,
    /// All messages for this destination, as `stats` shows it
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// All messages
    #[arg(long)]
    all: bool,
}

impl Which {
    fn target(self) -> Target {
        match (self.message, self.destination) {
            (Some(message), _) => Target::Message(message),
            (None, Some(name)) => Target::Destination(name),
            (None, None) => {
                debug_assert!(self.all, "one of the three is required");
                Target::All
            }
        }
    }
}

pub(super) fn run(flags: QueueFlags) -> Result<(), Error> {
    let (config, data) = (flags.config, flags.data);
    if config.is_none() && data.is_none() {
        let what = "without --config nothing is relayed, so there is no queue";
        let help = "name the server's file, with --config or PILLARBOX_CONFIG";
        return Err(Error::usage(format!("{what}; {help}")));
    }
    let settings = Settings::new(ServeFlags { config, data, ..ServeFlags::default() })?;
    let mut asked = Asked::new(&settings)?;
    let json = flags.json;
    match flags.word {
        Word::List => list(&mut asked, json),
        Word::Stats => stats(&mut asked, json),
        Word::Show { message } => {
            let Response::Message(message) = asked.ask(Request::Show { message })? else {
                return Err(unexpected());
            };
            if json {
                return print_json(&message);
            }
            print_message(&message);
            Ok(())
        }
        Word::Retry(which) => change(&mut asked, json, Request::Retry(which.target()), "due now"),
        Word::Hold(which) => change(&mut asked, json, Request::Hold(which.target()), "held"),
        Word::Release(which) => {
            change(&mut asked, json, Request::Release(which.target()), "released")
        }
        Word::Delete { which, bounce } => {
            let request = Request::Delete { target: which.target(), bounce };
            change(&mut asked, json, request, if bounce { "returned" } else { "removed" })
        }
    }
}

fn change(asked: &mut Asked, json: bool, request: Request, done: &str) -> Result<(), Error> {
    let retries = matches!(request, Request::Retry(_));
    let Response::Changed { tasks, held } = asked.ask(request)? else { return Err(unexpected()) };
    if json {
        let held = retries.then_some(held);
        return print_json(&Changed { changed: tasks, held });
    }
    println!("{tasks} {done}");
    if held > 0 {
        println!("{held} held, and so not tried; `pillarbox queue release` lets them go");
    }
    Ok(())
}

/// What was done, for programs.
#[derive(serde::Serialize)]
struct Changed {
    /// Messages, counted once for each destination.
    changed: u64,
    /// Of `retry`: messages that are held, and so are not tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
}

fn list(asked: &mut Asked, json: bool) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let Response::Messages { messages, more } = asked.ask(Request::List { after })? else {
            return Err(unexpected());
        };
        for message in &messages {
            if json {
                print_json(message)?
            } else {
                print_message(message)
            }
            after = message.id;
        }
        if !more {
            if after == 0 && !json {
                println!("the queue is empty");
            }
            return Ok(());
        }
    }
}

fn print_message(message: &Message) {
    let Message { id, from, size, by, .. } = message;
    println!("{id}  <{from}>  {size} octets, by {by}, since {}", time(message.came_unix_ms));
    for part in &message.destinations {
        let when =
            if part.held { "held".to_owned() } else { format!("next {}", time(part.next_unix_ms)) };
        println!("    {}: {when}", part.destination);
        for recipient in &part.recipients {
            let last = recipient.last.as_deref().unwrap_or("not tried yet");
            println!("        {} ({}x) {last}", recipient.address, recipient.attempts);
        }
    }
}

fn stats(asked: &mut Asked, json: bool) -> Result<(), Error> {
    let mut after = Some(String::new());
    let mut first = true;
    while let Some(name) = after {
        let Response::Stats(stats) = asked.ask(Request::Stats { after: name })? else {
            return Err(unexpected());
        };
        if json {
            print_json(&stats)?;
        } else {
            print_stats(&stats, std::mem::take(&mut first));
        }
        after = stats.after;
    }
    Ok(())
}

fn print_stats(stats: &Stats, first: bool) {
    if first {
        let oldest = stats.oldest_unix_ms.map_or_else(|| "none".to_owned(), time);
        println!(
            "{} messages, {} by destination, {} of them held; oldest: {oldest}",
            stats.messages, stats.tasks, stats.held
        );
    }
    for place in &stats.destinations {
        let next = place.next_unix_ms.map_or_else(|| "held".to_owned(), time);
        let failed = match place.failures {
            0 => String::new(),
            failures => format!(", not reached {failures}x: {}", place.why),
        };
        println!("    {}: {}, next {next}{failed}", place.destination, place.tasks);
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(value).map_err(|error| Error::failed(error.to_string()))?;
    println!("{text}");
    Ok(())
}

/// A time for people, in UTC.
fn time(unix_ms: u64) -> String {
    pillarbox_engine::text::date::date_time(unix_ms)
}

fn unexpected() -> Error {
    Error::failed("the server answered something else; is it of the same version as this command?")
}

/// Who answers.
enum Asked {
    /// The server that has the directory open.
    Server(BufReader<UnixStream>),
    /// This process.
    Store(Box<(tokio::runtime::Runtime, HostBackend, RelayMetrics)>),
}

impl Asked {
    fn new(settings: &Settings) -> Result<Self, Error> {
        let Some(directory) = settings.data.directory() else {
            return Err(Error::usage("the queue is in a directory; name it with --data DIR"));
        };
        if settings.data.is_new() {
            let what = "no mail store is here; name the right directory with --data or --config";
            return Err(Error::new(Kind::Data, format!("--data {}: {what}", directory.display())));
        }
        if let Ok(stream) = UnixStream::connect(directory.join(serve::CONTROL)) {
            return Ok(Self::Server(BufReader::new(stream)));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::failed(format!("cannot start threads: {e}")))?;
        let relaying = Relaying::of(settings, QueueClock::start());
        let engine = Arc::new(Engine::new(&EngineSettings::new(settings.engine, Some(1)))?);
        let store = MailStore::open(&settings.data)?;
        let directory = serve::directory(settings, Hits::default(), &engine)?;
        let backend = HostBackend::new(store, directory, engine, relaying);
        let metrics = RelayMetrics::new(&prometheus::Registry::new());
        Ok(Self::Store(Box::new((runtime, backend, metrics))))
    }

    fn ask(&mut self, request: Request) -> Result<Response, Error> {
        let response = match self {
            Self::Store(parts) => {
                let (runtime, backend, metrics) = &mut **parts;
                runtime.block_on(operate(backend, metrics, request))
            }
            Self::Server(stream) => talk(stream, &request)?,
        };
        match response {
            Response::Error { message } => Err(Error::failed(message)),
            response => Ok(response),
        }
    }
}

fn talk(stream: &mut BufReader<UnixStream>, request: &Request) -> Result<Response, Error> {
    let lost = |error: std::io::Error| Error::failed(format!("the server broke off: {error}"));
    let mut line = serde_json::to_vec(request).map_err(|e| Error::failed(e.to_string()))?;
    line.push(b'\n');
    stream.get_mut().write_all(&line).map_err(lost)?;
    let mut answer = String::new();
    stream.read_line(&mut answer).map_err(lost)?;
    serde_json::from_str(&answer).map_err(|_| unexpected())
}
