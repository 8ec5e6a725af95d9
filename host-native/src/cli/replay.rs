//! `pillarbox replay` and `pillarbox scenarios`: simulated worlds in the terminal, as the playground shows them.
//! Nothing here opens a connection: servers, network and clock are made of data.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pillarbox_world::tape::{Challenge, Level, Scenario, Tape, export, share};
use pillarbox_world::world::Time;

use crate::error::{Error, Kind};

/// How far a world is run that has no end of its own: somebody waits in IDLE for ever.
const END_MS: u64 = 10 * 86_400_000;
/// Octets of a file with a link or a scenario.
const FILE_MAX: u64 = 1 << 20;

/// Flags of `replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayFlags {
    /// A link of the playground, the name or number of a scenario, `challenge:NAME`, `random:SEED`, or a file that holds a
    /// link or a scenario
    #[arg(value_name = "LINK|SCENARIO|FILE")]
    what: String,
    /// How hard the network is [default: the link's, or perfect]
    #[arg(long, value_enum)]
    level: Option<LevelFlag>,
    /// The world's random seed; a link has its own
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Stop after so much virtual time, such as 90s or 3h [default: where the link was made, or the end]
    #[arg(long, value_name = "DURATION")]
    until: Option<String>,
    /// What is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Show passwords and what else is masked
    #[arg(long)]
    secrets: bool,
    /// Write the packets there, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcapng: Option<PathBuf>,
    /// Write every message there as a file
    #[arg(long, value_name = "DIRECTORY")]
    eml: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LevelFlag {
    /// As the scenario has it
    Perfect,
    /// As networks are
    Rough,
    /// As bad as they get
    Hostile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What was said, as books print it
    Text,
    /// The log and what was said, as lines of JSON
    Json,
    /// A lab report in Markdown
    Report,
    /// The number that two runs share only if all that happened is the same
    Hash,
}

/// Runs a world and prints what happened.
pub(super) fn run(flags: &ReplayFlags) -> Result<(), Error> {
    let (mut tape, is_link) = open(flags)?;
    if let Some(level) = flags.level {
        let level = match level {
            LevelFlag::Perfect => Level::Perfect,
            LevelFlag::Rough => Level::Rough,
            LevelFlag::Hostile => Level::Hostile,
        };
        tape.set_level(level).map_err(|why| Error::usage(format!("--level: {why}")))?;
    }
    match &flags.until {
        Some(text) => tape.seek(until(text)?),
        None if is_link => {}
        None => while tape.next_due().is_some_and(|due| due.0 <= END_MS) && tape.step() {},
    }
    for (at, why) in tape.refused() {
        eprintln!("action {}: {why}", at + 1);
    }
    let world = tape.world();
    if let Some(path) = &flags.pcapng {
        write(path, &export::pcapng(world, flags.secrets), "--pcapng")?;
    }
    if let Some(directory) = &flags.eml {
        std::fs::create_dir_all(directory).map_err(|error| cannot("--eml", directory, &error))?;
        for message in export::messages(world) {
            write(&directory.join(&message.name), &message.octets, "--eml")?;
        }
    }
    let text = match flags.format {
        Format::Text => export::transcript(world, flags.secrets),
        Format::Json => export::jsonl(world, flags.secrets),
        Format::Report => export::report(&tape, flags.secrets),
        Format::Hash => format!("{:016x}\n", tape.hash()),
    };
    print(&text)
}

/// Prints what there is.
pub(super) fn list() -> Result<(), Error> {
    let mut out = String::new();
    for scenario in Scenario::all() {
        let (number, id, title) = (scenario.number, scenario.id, scenario.title);
        writeln!(out, "{number:>3}  {id:<24} {title}").map_err(|_| Error::failed("no memory"))?;
    }
    for challenge in Challenge::all() {
        let id = format!("challenge:{}", challenge.id);
        let (number, title) = (challenge.number, challenge.title);
        writeln!(out, "{number:>3}  {id:<32} {title}").map_err(|_| Error::failed("no memory"))?;
    }
    print(&out)
}

pub(super) fn print(text: &str) -> Result<(), Error> {
    use std::io::Write as _;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Who reads only the beginning has what they wanted.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| Error::failed(format!("cannot write: {error}"))),
    }
}

/// The tape that is meant, and whether it has a moment of its own.
fn open(flags: &ReplayFlags) -> Result<(Tape, bool), Error> {
    let what = flags.what.trim();
    if let Some(scenario) = Scenario::named(what) {
        return scenario_tape(scenario, flags).map(|tape| (tape, false));
    }
    let path = Path::new(what);
    if path.is_file() {
        let text = read(path)?;
        let named = path.file_stem().and_then(std::ffi::OsStr::to_str).unwrap_or("file");
        if text.contains('=') && !is_link(text.trim()) {
            let scenario = Scenario::parse(named, &text)
                .map_err(|why| Error::usage(format!("{}: {why}", path.display())))?;
            return scenario_tape(scenario, flags).map(|tape| (tape, false));
        }
        return link_tape(&text, flags, Tape::decode_file).map(|tape| (tape, true));
    }
    if is_link(what) {
        return link_tape(share::in_file(what), flags, Tape::decode).map(|tape| (tape, true));
    }
    Err(Error::usage(format!(
        "{what}: there is no such scenario and no such file; `pillarbox scenarios` lists what there is"
    )))
}

fn is_link(text: &str) -> bool {
    text.contains("#/w/") || text.len() > 8 && !text.contains(['.', '/', ' ', '\n'])
}

fn scenario_tape(scenario: Scenario, flags: &ReplayFlags) -> Result<Tape, Error> {
    // A made-up world runs with the seed that made it up.
    let own = scenario.id.strip_prefix("random:").and_then(|seed| seed.parse().ok());
    let seed = flags.seed.or(own).unwrap_or(1);
    Tape::new(scenario, seed).map_err(|why| Error::usage(format!("{}: {why}", flags.what)))
}

fn link_tape(
    text: &str,
    flags: &ReplayFlags,
    decode: fn(&str) -> Result<share::Opened, share::BadLink>,
) -> Result<Tape, Error> {
    if flags.seed.is_some() {
        return Err(Error::usage("--seed: a link has a seed of its own; leave one of the two out"));
    }
    decoded(text, decode)
}

fn decoded(
    text: &str,
    decode: fn(&str) -> Result<share::Opened, share::BadLink>,
) -> Result<Tape, Error> {
    let opened = decode(text).map_err(|why| Error::usage(why.to_string()))?;
    if opened.is_older {
        eprintln!("the scenario has changed since this link was made; it may show something else");
    }
    Ok(opened.tape)
}

/// What a link holds, or a file with one; `-` is standard input.
///
/// # Errors
/// [`Kind::Usage`]: it is neither, or cannot be read.
pub(super) fn link_in(what: &Path) -> Result<Tape, Error> {
    if what.as_os_str() == "-" {
        let text = std::io::read_to_string(std::io::stdin().lock().take(FILE_MAX));
        let text = text.map_err(|error| Error::usage(format!("-: cannot read it: {error}")))?;
        return decoded(text.trim(), Tape::decode_file);
    }
    match what.is_file() {
        true => decoded(read(what)?.trim(), Tape::decode_file),
        false => decoded(share::in_file(&what.to_string_lossy()), Tape::decode),
    }
}

fn until(text: &str) -> Result<Time, Error> {
    let ms = pillarbox_world::fault::parse_duration(text);
    let wrong =
        || Error::usage(format!("--until {text}: expected a duration such as 90s, 5m or 3h"));
    ms.map(Time).ok_or_else(wrong)
}

fn read(path: &Path) -> Result<String, Error> {
    let size = path.metadata().map(|facts| facts.len()).unwrap_or(0);
    if size > FILE_MAX {
        return Err(Error::usage(format!(
            "{}: too large for a scenario or a link",
            path.display()
        )));
    }
    std::fs::read_to_string(path)
        .map_err(|error| Error::usage(format!("{}: cannot read it: {error}", path.display())))
}

fn write(path: &Path, octets: &[u8], flag: &str) -> Result<(), Error> {
    std::fs::write(path, octets).map_err(|error| cannot(flag, path, &error))
}

fn cannot(flag: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("{flag} {}: cannot write it: {error}", path.display()))
}
