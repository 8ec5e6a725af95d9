//! The application's side of a POP3 client's transcript: what it wants, and what it was told and given.

use std::sync::Arc;

use pillarbox_engine::limits::Limits;
use pillarbox_engine::pop3;
use pillarbox_engine::pop3::client::types::{
    Answer, Ask, Call, Capabilities, Command, Config, Event, Failure, Maildrop, Outcome, Timeouts,
    TlsPolicy, TopCommand,
};
use pillarbox_engine::types::{BlobRange, Now, Reason};
use pillarbox_world::conversation::Driven;
use pillarbox_world::service::local::LocalBackend;
use pillarbox_world::service::{Indexer, Service};

use super::desk::Desk;
use super::roles::{Factory, Scripted, Verdict, has, limits};

/// Answers a client session from the desk.
pub(super) struct Pop3Desk(Arc<Desk>);

impl Service<pop3::Client> for Pop3Desk {
    async fn answer(&mut self, _: Now, ask: Ask, _: &mut dyn Indexer) -> Answer {
        match ask {
            Ask::Login(ask) => Answer::Login(self.0.secret(ask)),
            Ask::Chunk(chunk) => {
                let (call, octets) = (chunk.call, chunk.octets);
                self.0.tell(match octets.len() {
                    0..200 => format!("chunk {call} {}", octets.escape_ascii()),
                    length => format!("chunk {call} of {length} octets"),
                });
                Answer::Done
            }
        }
    }

    fn octets(&mut self, _: BlobRange) -> Result<Vec<u8>, Reason> {
        Err(Reason::NotFound)
    }

    fn event(&mut self, event: &Event) {
        self.0.tell(told(event));
    }

    fn call(&mut self) -> Option<Call> {
        None
    }

    fn account(&self) -> Option<&[u8]> {
        None
    }
}

/// An event as a transcript has it behind `<`.
fn told(event: &Event) -> String {
    let maildrop = |maildrop: &Maildrop| format!("{} of {}", maildrop.count, maildrop.octets);
    match event {
        Event::Ready(ready) => {
            format!("ready {}, {}", maildrop(&ready.maildrop), offered(&ready.capabilities))
        }
        Event::Maildrop(now) => format!("maildrop {}", maildrop(now)),
        Event::Sizes(sizes) => {
            let rows = sizes.rows.iter().map(|row| format!("{}={}", row.number, row.size));
            format!("sizes {} {}", sizes.call, rows.collect::<Vec<_>>().join(" "))
        }
        Event::UniqueIds(ids) => {
            let row = |row: &pop3::client::types::UniqueIdRow| {
                format!("{}={}", row.number, row.unique_id.escape_ascii())
            };
            let rows: Vec<String> = ids.rows.iter().map(row).collect();
            format!("unique-ids {} {}", ids.call, rows.join(" "))
        }
        Event::Capabilities(now) => format!("capabilities {}", offered(now)),
        Event::Languages(rows) => {
            let rows = rows.iter().map(|row| row.tag.escape_ascii().to_string());
            format!("languages {}", rows.collect::<Vec<_>>().join(" "))
        }
        Event::Completed(completion) => match &completion.outcome {
            Outcome::Done => format!("completed {}", completion.call),
            Outcome::Retrieved(octets) => format!("completed {} {octets}", completion.call),
            Outcome::Failed(failure) => format!("failed {} {}", completion.call, why(failure)),
        },
        Event::Defect(rule) => format!("defect {}", rule.escape_ascii()),
        Event::Done(None) => "done".to_owned(),
        Event::Done(Some(failure)) => format!("done {}", why(failure)),
    }
}

fn offered(offer: &Capabilities) -> String {
    let mut words: Vec<String> = Vec::new();
    for (has, word) in [
        (offer.user, "USER"),
        (offer.stls, "STLS"),
        (offer.top, "TOP"),
        (offer.uidl, "UIDL"),
        (offer.pipelining, "PIPELINING"),
        (offer.utf8, "UTF8"),
        (offer.lang, "LANG"),
    ] {
        words.extend(has.then(|| word.to_owned()));
    }
    words.extend(offer.mechanisms.iter().map(|mechanism| mechanism.name().to_owned()));
    words.join(" ")
}

fn why(failure: &Failure) -> String {
    let text = failure.text.escape_ascii();
    format!("{:?} {:?} {text}", failure.cause, failure.code)
}

impl Scripted for pop3::Client {
    type Service = Pop3Desk;

    fn session(
        factory: &dyn Factory,
        with: &[String],
        now: Now,
        _: bool,
    ) -> Result<Box<dyn Driven<Self, Broken = String>>, String> {
        let own = |word: &&String| word.starts_with("login=") || word.starts_with("language=");
        let bounds: Vec<String> = with.iter().filter(|word| !own(word)).cloned().collect();
        let tls = match () {
            () if has(with, "starttls") => TlsPolicy::Opportunistic,
            () if has(with, "starttls-required") => TlsPolicy::Required,
            () if has(with, "tls") => TlsPolicy::Implicit,
            () => TlsPolicy::None,
        };
        let language = with.iter().find_map(|word| word.strip_prefix("language="));
        let config = Config {
            tls,
            apop: has(with, "apop"),
            utf8: has(with, "utf8"),
            language: language.unwrap_or_default().as_bytes().to_vec(),
            limits: limits(Limits::POP3_CLIENT, &bounds)?,
            timeouts: Timeouts::default(),
            trace: has(with, "trace"),
        };
        Ok(factory.pop3_client(config, now))
    }

    fn service(_: &Arc<LocalBackend>, desk: &Arc<Desk>, _: u64) -> Self::Service {
        Pop3Desk(Arc::clone(desk))
    }

    fn verdict(verdict: Verdict, _: &Ask) -> Answer {
        match verdict {
            Verdict::Refused(refusal) => Answer::Refused(refusal),
            Verdict::Instead(_) | Verdict::Hiding(_) | Verdict::Candidates(_) => Answer::Done,
        }
    }

    /// `> 1 retrieve 2`: the call's number, what is wanted, and of which message.
    fn call(words: &str, _: &[u8], _: &Desk) -> Result<Call, String> {
        let mut words = words.split_whitespace();
        let id = words.next().and_then(|word| word.parse().ok());
        let id = id.ok_or("expected the call's number")?;
        let name = words.next().ok_or("expected what is wanted")?;
        let rest: Vec<&str> = words.collect();
        let numbers: Vec<u32> = rest.iter().filter_map(|word| word.parse().ok()).collect();
        let command = match (name, &numbers[..], &rest[..]) {
            ("maildrop", ..) => Command::Maildrop,
            ("sizes", numbers, _) => Command::Sizes(numbers.first().copied()),
            ("unique-ids", numbers, _) => Command::UniqueIds(numbers.first().copied()),
            ("retrieve", [number], _) => Command::Retrieve(*number),
            ("top", &[number, body_lines], _) => Command::Top(TopCommand { number, body_lines }),
            ("delete", [number], _) => Command::Delete(*number),
            ("reset", ..) => Command::Reset,
            ("noop", ..) => Command::Noop,
            ("capabilities", ..) => Command::Capabilities,
            ("languages", ..) => Command::Languages,
            ("language", _, [tag]) => Command::Language(tag.as_bytes().to_vec()),
            ("quit", ..) => Command::Quit,
            _ => return Err(format!("`{name}` with {rest:?} is no command of a POP3 client")),
        };
        Ok(Call { id, command })
    }
}
