//! What clients' sessions and their hosts say to each other, in words for the log.

use pillarbox_engine::pop3::client::types as pop;
use pillarbox_engine::smtp::client::types as smtp;

use super::words::{Worded, address, login_ask, login_secret, octets, plain, refused, text};

type Words = (&'static str, String);

impl Worded for smtp::Ask {
    fn words(&self) -> Words {
        match self {
            Self::Login(ask) => login_ask(ask),
            Self::Octets(range) => ("octets", format!("{} octets", range.length)),
        }
    }
}

impl Worded for smtp::Answer {
    fn words(&self) -> Words {
        match self {
            Self::Login(secret) => login_secret(secret),
            Self::Octets(given) => octets("octets", given.len()),
            Self::Refused(refusal) => refused(refusal),
        }
    }
}

impl Worded for smtp::Call {
    fn words(&self) -> Words {
        match self {
            Self::Deliver(delivery) => {
                let names = delivery.recipients.iter().map(|to| address(&to.forward_path));
                ("deliver", names.collect::<Vec<_>>().join(", "))
            }
            Self::Cancel(id) => ("cancel", id.to_string()),
            Self::BrokenOff(id) => ("broken-off", id.to_string()),
            Self::Quit => plain("quit"),
        }
    }
}

/// A fate, in a word and the server's words or ours.
pub(crate) fn fate(fate: &smtp::Fate) -> (&'static str, String) {
    match fate {
        smtp::Fate::Accepted(said) => ("accepted", reply(said)),
        smtp::Fate::Failed(failure) => ("failed", why(failure)),
        smtp::Fate::Deferred(failure) => ("deferred", why(failure)),
        smtp::Fate::Uncertain(failure) => ("uncertain", why(failure)),
    }
}

fn reply(reply: &smtp::Reply) -> String {
    let status = reply.status.map_or_else(String::new, |status| {
        format!(" {}.{}.{}", status.class, status.subject, status.detail)
    });
    let first = reply.lines.first().map_or_else(String::new, |line| text(line));
    format!("{}{status} {first}", reply.code)
}

/// The server's words if there are any, or else ours.
pub(crate) fn why(failure: &smtp::Failure) -> String {
    failure.reply.as_ref().map_or_else(|| failure.diagnosis.clone(), reply)
}

impl Worded for smtp::Event {
    fn words(&self) -> Words {
        match self {
            Self::Ready(offer) => ("ready", text(&offer.name)),
            Self::Finished(finished) => {
                let told = finished.fates.iter().map(|one| {
                    let (word, why) = fate(one);
                    format!("{word}: {why}")
                });
                ("finished", told.collect::<Vec<_>>().join("; "))
            }
            Self::Defect(rule) => ("defect", text(rule)),
            Self::Done(failure) => ("done", failure.as_ref().map_or_else(String::new, why)),
        }
    }
}

impl Worded for pop::Ask {
    fn words(&self) -> Words {
        match self {
            Self::Login(ask) => login_ask(ask),
            Self::Chunk(chunk) => octets("chunk", chunk.octets.len()),
        }
    }
}

impl Worded for pop::Answer {
    fn words(&self) -> Words {
        match self {
            Self::Login(secret) => login_secret(secret),
            Self::Done => plain("done"),
            Self::Refused(refusal) => refused(refusal),
        }
    }
}

impl Worded for pop::Call {
    fn words(&self) -> Words {
        match &self.command {
            pop::Command::Maildrop => plain("maildrop"),
            pop::Command::Sizes(_) => plain("sizes"),
            pop::Command::UniqueIds(_) => plain("unique-ids"),
            pop::Command::Retrieve(number) => ("retrieve", number.to_string()),
            pop::Command::Top(top) => ("top", top.number.to_string()),
            pop::Command::Delete(number) => ("delete", number.to_string()),
            pop::Command::Reset => plain("reset"),
            pop::Command::Noop => plain("noop"),
            pop::Command::Capabilities => plain("capabilities"),
            pop::Command::Languages => plain("languages"),
            pop::Command::Language(tag) => ("language", text(tag)),
            pop::Command::Quit => plain("quit"),
        }
    }
}

impl Worded for pop::Event {
    fn words(&self) -> Words {
        match self {
            Self::Ready(ready) => ("ready", format!("{} messages", ready.maildrop.count)),
            Self::Maildrop(found) => ("maildrop", format!("{} messages", found.count)),
            Self::Sizes(found) => ("sizes", found.rows.len().to_string()),
            Self::UniqueIds(found) => ("unique-ids", found.rows.len().to_string()),
            Self::Capabilities(_) => plain("capabilities"),
            Self::Languages(_) => plain("languages"),
            Self::Completed(completion) => ("completed", outcome(&completion.outcome)),
            Self::Defect(rule) => ("defect", text(rule)),
            Self::Done(failure) => {
                let why = failure.as_ref().map(|failure| text(&failure.text));
                ("done", why.unwrap_or_default())
            }
        }
    }
}

fn outcome(outcome: &pop::Outcome) -> String {
    match outcome {
        pop::Outcome::Done => "done".to_owned(),
        pop::Outcome::Retrieved(count) => format!("{count} octets"),
        pop::Outcome::Failed(failure) => format!("failed: {}", text(&failure.text)),
    }
}
