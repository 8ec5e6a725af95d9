//! What sessions and hosts say to each other, in words for the log: the kind by its name in the contract, and what it is
//! about. Secrets are no part of it.

use pillarbox_engine::sasl::{Credentials, LoginAnswer, LoginAsk, LoginSecret};
use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::types::{Instead, Phase, Refusal};
use pillarbox_engine::{pop3, smtp};

/// Something that can be told in a log.
pub(crate) trait Worded {
    /// Its kind, and what it is about.
    fn words(&self) -> (&'static str, String);
}

type Words = (&'static str, String);

pub(super) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

pub(super) fn plain(kind: &'static str) -> Words {
    (kind, String::new())
}

pub(super) fn octets(kind: &'static str, count: usize) -> Words {
    (kind, format!("{count} octets"))
}

/// An address as people read it.
pub(crate) fn address(mailbox: &Mailbox) -> String {
    let local = text(&mailbox.local_part);
    if mailbox.domain.is_empty() { local } else { format!("{local}@{}", text(&mailbox.domain)) }
}

fn path(path: Option<&Mailbox>) -> String {
    path.map_or_else(|| "<>".to_owned(), address)
}

pub(super) fn refused(refusal: &Refusal) -> Words {
    ("refused", format!("{:?}", refusal.reason))
}

pub(super) fn instead(said: &Instead) -> Words {
    ("instead", format!("{} {}", said.code, text(&said.text)))
}

pub(super) fn phase(at: &Phase) -> Words {
    match at {
        Phase::Connected => ("phase", "connected".to_owned()),
        Phase::Command(verb) => ("phase", text(verb)),
    }
}

pub(super) fn credentials(given: &Credentials) -> Words {
    let user = match given {
        Credentials::Password(given) => text(&given.user),
        Credentials::Digest(given) => text(&given.user),
        Credentials::ScramStart(given) => text(&given.user),
        Credentials::ScramFinish(given) => text(&given.user),
        Credentials::Token(given) => text(&given.authorization),
        Credentials::Preauthenticated(name) => text(name),
        Credentials::External(_) | Credentials::Anonymous(_) | Credentials::DigestStart => {
            String::new()
        }
    };
    ("login", user)
}

pub(super) fn login_answer(answer: &LoginAnswer) -> Words {
    match answer {
        LoginAnswer::Accepted(account) => ("login", format!("accepted: {}", text(&account.name))),
        LoginAnswer::Refused(refusal) => ("login", format!("refused: {:?}", refusal.reason)),
        LoginAnswer::ScramParameters(_) => ("login", "scram-parameters".to_owned()),
        LoginAnswer::DigestChallenge(_) => ("login", "digest-challenge".to_owned()),
    }
}

pub(super) fn login_ask(ask: &LoginAsk) -> Words {
    match ask {
        LoginAsk::Choose(choice) => {
            let names: Vec<&str> = choice.mechanisms.iter().map(|m| m.name()).collect();
            ("login", names.join(" "))
        }
        LoginAsk::SaltPassword(_) => plain("salt-password"),
    }
}

pub(super) fn login_secret(secret: &LoginSecret) -> Words {
    match secret {
        LoginSecret::Credentials(given) => {
            ("login", format!("{} as {}", given.mechanism.name(), text(&given.user)))
        }
        LoginSecret::SaltedPassword(_) => plain("login"),
        LoginSecret::NoLogin => ("login", "none".to_owned()),
    }
}

impl Worded for smtp::Ask {
    fn words(&self) -> Words {
        match self {
            Self::Login(given) => credentials(given),
            Self::Sender(mail) => ("sender", path(mail.reverse_path.as_ref())),
            Self::Recipient(to) => ("recipient", address(&to.forward_path)),
            Self::Chunk(content) => octets("chunk", content.len()),
            Self::Commit(envelope) => ("commit", format!("{} octets", envelope.size)),
            Self::Verify(name) => ("verify", text(name)),
            Self::Expand(name) => ("expand", text(name)),
            Self::Flush(_) => plain("flush"),
            Self::Phase(phase) => ("phase", smtp_phase(phase)),
        }
    }
}

fn smtp_phase(phase: &smtp::Phase) -> String {
    match phase {
        smtp::Phase::Connected => "connected".to_owned(),
        smtp::Phase::Hello(name) => format!("hello {}", text(name)),
        smtp::Phase::Auth(_) => "auth".to_owned(),
        smtp::Phase::Mail(mail) => format!("mail {}", path(mail.reverse_path.as_ref())),
        smtp::Phase::Rcpt(to) => format!("rcpt {}", address(&to.forward_path)),
        smtp::Phase::Data => "data".to_owned(),
        smtp::Phase::EndOfData => "end-of-data".to_owned(),
        smtp::Phase::Committed => "committed".to_owned(),
        smtp::Phase::Quit => "quit".to_owned(),
        smtp::Phase::Other(verb) => text(verb),
    }
}

impl Worded for smtp::Answer {
    fn words(&self) -> Words {
        match self {
            Self::Login(answer) => login_answer(answer),
            Self::Done => plain("done"),
            Self::Refused(refusal) => refused(refusal),
            Self::Committed(committed) => ("committed", text(&committed.id)),
            Self::Mailboxes(found) => ("mailboxes", found.len().to_string()),
            Self::Flushing(_) => plain("flushing"),
            Self::Instead(said) => instead(said),
            Self::Hiding(_) => plain("hiding"),
        }
    }
}

impl Worded for smtp::Call {
    fn words(&self) -> Words {
        let Self::Farewell(why) = self;
        ("farewell", format!("{why:?}"))
    }
}

impl Worded for smtp::Event {
    fn words(&self) -> Words {
        match self {
            Self::Greeted(name) => ("greeted", text(name)),
            Self::Reset => plain("reset"),
            Self::Defect(rule) => ("defect", text(rule)),
            Self::Quit => plain("quit"),
            Self::Forwarded(_) => plain("forwarded"),
        }
    }
}

impl Worded for pop3::Ask {
    fn words(&self) -> Words {
        match self {
            Self::Login(given) => credentials(given),
            Self::Open(_) => plain("open"),
            Self::Entries(ask) => ("entries", format!("from {}", ask.first)),
            Self::Octets(range) => ("octets", format!("{} octets", range.length)),
            Self::Remove(runs) => {
                let count: u64 = runs.iter().map(|r| u64::from(r.last - r.first) + 1).sum();
                ("remove", count.to_string())
            }
            Self::Phase(at) => phase(at),
        }
    }
}

impl Worded for pop3::Answer {
    fn words(&self) -> Words {
        match self {
            Self::Login(answer) => login_answer(answer),
            Self::Opened(opened) => ("opened", format!("{} messages", opened.count)),
            Self::Entries(entries) => ("entries", entries.len().to_string()),
            Self::Octets(given) => octets("octets", given.len()),
            Self::Done => plain("done"),
            Self::Refused(refusal) => refused(refusal),
            Self::Instead(said) => instead(said),
        }
    }
}

impl Worded for pop3::Call {
    fn words(&self) -> Words {
        let Self::Farewell(why) = self;
        ("farewell", format!("{why:?}"))
    }
}

impl Worded for pop3::Event {
    fn words(&self) -> Words {
        match self {
            Self::Retrieved(number) => ("retrieved", number.to_string()),
            Self::Defect(rule) => ("defect", text(rule)),
            Self::Quit => plain("quit"),
        }
    }
}
