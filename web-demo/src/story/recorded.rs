//! A real conversation opened as a simulation: what the program said is said again to the engine. What the recording lacks
//! and where the engine answers otherwise than the real server did is told in words, so that nobody takes one for the other.

use pillarbox_world::tape::{Agrees, Answer, Lack, PLAYED_MAX, Recording};

use super::lines::{LINE_END, text};
use super::{Source, Story};

/// It was inside TLS.
pub(super) const TLS: &str = "TLS: what is played was said inside of it. Here it goes in the clear, \
    and a command to begin TLS is refused.";
/// The server told no more of it.
pub(super) const FULL: &str = "Its end is missing: the server tells only the beginning of a \
    conversation as long as this.";
/// Somebody said more than is kept.
pub(super) const LONG: &str = "Its end is missing: it is longer than what this page keeps of one \
    connection.";
/// Some of it never came here.
pub(super) const LOST: &str = "Its end is missing: a part of it was lost on the way to this page, \
    and only what came before that is played.";
/// It goes on.
pub(super) const OPEN: &str = "It was still going on when you opened it: what came later is missing, \
    and the program hangs up where the recording ends.";
/// The server closed before it had read all.
pub(super) const UNREAD: &str = "Its last octets are missing: the server closed before it had read \
    them, so nobody knows whether they hold a secret.";
/// Nobody knows what was in it.
const MAILBOX: &str = "Its mailbox: nobody knows what was in it, so it is empty here. Answers about \
    messages differ.";
/// Lines of an answer that are shown.
const LINES_MAX: usize = 4;
/// Answers that are shown.
const ANSWERS_MAX: usize = 60;

/// A simulation, with what it is not.
pub struct Simulation {
    /// Its story.
    pub story: Story,
    /// What the recording lacks, in words.
    pub lacks: Vec<String>,
    /// How many answers are the same octet by octet, the same in other words, and others.
    pub counts: [usize; 3],
    /// Those that are not the same.
    pub compared: Vec<Compared>,
}

/// An answer of the engine beside that of the real server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// What is answered; none: the greeting.
    pub line: Option<String>,
    /// What the real server said.
    pub real: Vec<String>,
    /// What the engine says.
    pub here: Vec<String>,
    /// Whether it is another answer, rather than the same in other words.
    pub differs: bool,
}

impl Simulation {
    /// The simulation of a recording, told to its end; `lacks` is known of it besides what it knows itself.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn of(recording: &Recording, lacks: Vec<&'static str>) -> Result<Self, String> {
        let mut source = Source::of(recording.tape()?);
        source.tell_all();
        let answers = recording.answers(source.tape().world());
        let mut counts = [0; 3];
        for answer in &answers {
            counts[answer.agrees as usize] += 1;
        }
        let others = answers.iter().filter(|answer| answer.agrees != Agrees::Wholly);
        let compared = others.take(ANSWERS_MAX).map(compared).collect();
        let mut words: Vec<String> = recording.lacks().iter().map(lack).collect();
        words.extend(lacks.into_iter().map(str::to_owned));
        words.extend(recording.reads_mail().then(|| MAILBOX.to_owned()));
        Ok(Self { story: Story::of(source), lacks: words, counts, compared })
    }
}

fn compared(answer: &Answer) -> Compared {
    let shown = |octets: &[u8]| {
        let all: Vec<String> = octets.split_inclusive(|octet| *octet == b'\n').map(line).collect();
        let more = all.len().saturating_sub(LINES_MAX);
        let mut shown: Vec<String> = all.into_iter().take(LINES_MAX).collect();
        shown.extend((more > 0).then(|| format!("… and {more} lines more")));
        if shown.is_empty() {
            shown.push("(nothing)".to_owned());
        }
        shown
    };
    let first = answer.line.split_inclusive(|octet| *octet == b'\n').next();
    Compared {
        line: first.map(line),
        real: shown(&answer.real),
        here: shown(&answer.here),
        differs: answer.agrees == Agrees::Not,
    }
}

fn line(octets: &[u8]) -> String {
    text(octets).trim_end_matches(LINE_END).to_owned()
}

fn lack(lack: &Lack) -> String {
    let kib = PLAYED_MAX >> 10;
    match lack {
        Lack::Secrets(count) => format!(
            "Passwords: {count} masked. Stars are played in their place, and the engine here takes \
             them, as it takes any."
        ),
        Lack::Logins(count) => format!(
            "Logins: {count} masked, and stars would be no login. The program logs in as “masked” \
             in their place."
        ),
        Lack::Unread(octets) => format!(
            "Its last octets ({octets}) are missing: the server had not read them, so nobody knows \
             whether they hold a secret."
        ),
        Lack::Long(octets) => {
            format!("Its end is missing: {octets} octets, since no more than {kib} KiB are played.")
        }
    }
}
