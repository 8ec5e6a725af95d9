//! What a session's asks say about the moment that it is at, for each server role, and how a fault is told to it.

use std::marker::PhantomData;

use pillarbox_engine::sasl::{Credentials, LoginAnswer};
use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::types::{Instead, Phase, Reason, Refusal};
use pillarbox_engine::{Role, imap, pop3, smtp};

use super::faults::{Decision, Faults, Moment, Verdict};

/// A moment of a session at which a fault may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage<'a> {
    /// A connection is asked for, and nobody has taken it; only where the host can refuse it.
    Open,
    /// DNS is asked about a name, which stands for the server; only where the host can lie about it.
    Dns,
    /// Before the greeting.
    Connect,
    /// Before anything is done about this command, in upper case.
    Verb(&'a [u8]),
    /// Octets of a message's text are about to be taken: so many were before, so many will be.
    Text(u64, u64),
    /// Credentials are about to be judged.
    Login,
    /// A message is about to be stored.
    EndOfData,
    /// A message was stored.
    Commit,
    /// Octets with this label were read or said.
    Label(&'a str),
}

/// How a fault is told to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// These words in place of its own.
    Instead(Instead),
    /// Go on, but hide these keywords.
    Hiding(Vec<Vec<u8>>),
}

/// The connection that is watched, as rules name it.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// `smtp`, `submission`, `lmtp`, `pop3`, `imap` or `http`.
    pub service: &'static str,
    /// The server's own name.
    pub node: String,
    /// The connection's number.
    pub wire: u64,
    /// The client's address.
    pub address: Vec<u8>,
    /// The two servers that it lies between, where that is known.
    pub link: Option<(String, String)>,
}

/// A role whose sessions faults can meet.
pub trait Faced: Role {
    /// The moment that an ask stands for; none: nothing can go wrong there.
    fn stage<'a>(seen: &mut Seen, ask: &'a Self::Ask) -> Option<Stage<'a>>;
    /// Looks at what was answered.
    fn answered(seen: &mut Seen, answer: &Self::Answer);
    /// The answer that tells a fault; none if this ask takes no such answer.
    fn answer(ask: &Self::Ask, outcome: Outcome) -> Option<Self::Answer>;
}

/// What was seen of the mail transaction of a session.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    sender: Option<Vec<u8>>,
    asked: Option<Vec<u8>>,
    /// Accepted ones; the session bounds them.
    recipients: Vec<Vec<u8>>,
    octets: u64,
    /// The sender or recipient of the command at hand, in place of those above.
    at_hand: Option<AtHand>,
}

#[derive(Clone, Debug)]
enum AtHand {
    Sender(Vec<u8>),
    Recipient(Vec<u8>),
}

/// Watches one session.
pub struct Watch<R> {
    peer: Peer,
    seen: Seen,
    role: PhantomData<fn(R)>,
}

impl<R: Faced> Watch<R> {
    /// Watches a session of this connection.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        Self { peer, seen: Seen::default(), role: PhantomData }
    }

    /// What strikes at this ask, and the answer that tells it, if there is one; looked at before anybody answers.
    pub fn meet(
        &mut self,
        faults: &mut Faults,
        ask: &R::Ask,
        monotonic_ms: u64,
        unix_ms: u64,
    ) -> Option<(Decision, Option<R::Answer>)> {
        self.seen.at_hand = None;
        let stage = R::stage(&mut self.seen, ask)?;
        let seen = &self.seen;
        let (mut sender, mut recipients) = (seen.sender.as_deref(), &seen.recipients[..]);
        match &seen.at_hand {
            Some(AtHand::Sender(own)) => (sender, recipients) = (Some(&own[..]), &[]),
            Some(AtHand::Recipient(own)) => recipients = std::slice::from_ref(own),
            None => {}
        }
        let moment = Moment { peer: &self.peer, stage, sender, recipients, monotonic_ms, unix_ms };
        let mut decision = faults.decide(&moment)?;
        let answer = match std::mem::replace(&mut decision.verdict, Verdict::GoOn) {
            Verdict::Instead(instead) => R::answer(ask, Outcome::Instead(instead)),
            Verdict::GoOn if !decision.hidden.is_empty() => {
                R::answer(ask, Outcome::Hiding(std::mem::take(&mut decision.hidden)))
            }
            verdict => {
                decision.verdict = verdict;
                None
            }
        };
        Some((decision, answer))
    }

    /// What strikes after the session has read or said octets with this label.
    pub fn noted(
        &self,
        faults: &mut Faults,
        label: &str,
        monotonic_ms: u64,
        unix_ms: u64,
    ) -> Option<Decision> {
        let Seen { sender, recipients, .. } = &self.seen;
        let (peer, stage, sender) = (&self.peer, Stage::Label(label), sender.as_deref());
        faults.decide(&Moment { peer, stage, sender, recipients, monotonic_ms, unix_ms })
    }

    /// Looks at the answer to the ask before.
    pub fn answered(&mut self, answer: &R::Answer) {
        R::answered(&mut self.seen, answer);
    }
}

/// An address as patterns see it.
fn address(mailbox: &Mailbox) -> Vec<u8> {
    if mailbox.domain.is_empty() {
        return mailbox.local_part.clone();
    }
    [&mailbox.local_part[..], b"@", &mailbox.domain].concat()
}

fn reverse_path(path: Option<&Mailbox>) -> Vec<u8> {
    path.map_or_else(|| b"<>".to_vec(), address)
}

impl Faced for smtp::Server {
    fn stage<'a>(seen: &mut Seen, ask: &'a smtp::Ask) -> Option<Stage<'a>> {
        match ask {
            smtp::Ask::Phase(phase) => Some(smtp_stage(seen, phase)),
            smtp::Ask::Sender(mail) => {
                seen.sender = Some(reverse_path(mail.reverse_path.as_ref()));
                seen.recipients.clear();
                seen.octets = 0;
                None
            }
            smtp::Ask::Recipient(to) => {
                seen.asked = Some(address(&to.forward_path));
                None
            }
            smtp::Ask::Chunk(octets) => {
                let before = seen.octets;
                seen.octets += octets.len() as u64;
                Some(Stage::Text(before, seen.octets))
            }
            smtp::Ask::Login(credentials) => login_stage(credentials),
            smtp::Ask::Commit(_)
            | smtp::Ask::Verify(_)
            | smtp::Ask::Expand(_)
            | smtp::Ask::Flush(_) => None,
        }
    }

    fn answered(seen: &mut Seen, answer: &smtp::Answer) {
        if let (Some(asked), smtp::Answer::Done) = (seen.asked.take(), answer) {
            seen.recipients.push(asked);
        }
    }

    fn answer(ask: &smtp::Ask, outcome: Outcome) -> Option<smtp::Answer> {
        match (ask, outcome) {
            (smtp::Ask::Phase(_), Outcome::Instead(instead)) => {
                Some(smtp::Answer::Instead(instead))
            }
            (smtp::Ask::Phase(_), Outcome::Hiding(words)) => Some(smtp::Answer::Hiding(words)),
            (smtp::Ask::Login(_), Outcome::Instead(instead)) => {
                Some(smtp::Answer::Login(login_refused(instead)))
            }
            _ => None,
        }
    }
}

fn smtp_stage<'a>(seen: &mut Seen, phase: &'a smtp::Phase) -> Stage<'a> {
    match phase {
        smtp::Phase::Connected => Stage::Connect,
        smtp::Phase::Hello(_) => Stage::Verb(b"EHLO"),
        smtp::Phase::Auth(_) => Stage::Verb(b"AUTH"),
        smtp::Phase::Mail(mail) => {
            seen.at_hand = Some(AtHand::Sender(reverse_path(mail.reverse_path.as_ref())));
            Stage::Verb(b"MAIL")
        }
        smtp::Phase::Rcpt(to) => {
            seen.at_hand = Some(AtHand::Recipient(address(&to.forward_path)));
            Stage::Verb(b"RCPT")
        }
        smtp::Phase::Data => Stage::Verb(b"DATA"),
        smtp::Phase::EndOfData => Stage::EndOfData,
        smtp::Phase::Committed => Stage::Commit,
        smtp::Phase::Quit => Stage::Verb(b"QUIT"),
        smtp::Phase::Other(verb) => Stage::Verb(verb),
    }
}

impl Faced for pop3::Server {
    fn stage<'a>(_: &mut Seen, ask: &'a pop3::Ask) -> Option<Stage<'a>> {
        match ask {
            pop3::Ask::Phase(phase) => Some(reader_stage(phase)),
            pop3::Ask::Login(credentials) => login_stage(credentials),
            _ => None,
        }
    }

    fn answered(_: &mut Seen, _: &pop3::Answer) {}

    fn answer(ask: &pop3::Ask, outcome: Outcome) -> Option<pop3::Answer> {
        let Outcome::Instead(instead) = outcome else { return None };
        match ask {
            pop3::Ask::Phase(_) => Some(pop3::Answer::Instead(instead)),
            pop3::Ask::Login(_) => Some(pop3::Answer::Login(login_refused(instead))),
            _ => None,
        }
    }
}

impl Faced for imap::Server {
    fn stage<'a>(_: &mut Seen, ask: &'a imap::types::Ask) -> Option<Stage<'a>> {
        match ask {
            imap::types::Ask::Phase(phase) => Some(reader_stage(phase)),
            imap::types::Ask::Login(credentials) => login_stage(credentials),
            _ => None,
        }
    }

    fn answered(_: &mut Seen, _: &imap::types::Answer) {}

    fn answer(ask: &imap::types::Ask, outcome: Outcome) -> Option<imap::types::Answer> {
        let Outcome::Instead(instead) = outcome else { return None };
        match ask {
            imap::types::Ask::Phase(_) => Some(imap::types::Answer::Instead(instead)),
            imap::types::Ask::Login(_) => Some(imap::types::Answer::Login(login_refused(instead))),
            _ => None,
        }
    }
}

fn reader_stage(phase: &Phase) -> Stage<'_> {
    match phase {
        Phase::Connected => Stage::Connect,
        Phase::Command(verb) => Stage::Verb(verb),
    }
}

/// A SCRAM client's first message is judged with its second, and who waits for a challenge has said nothing yet.
fn login_stage(credentials: &Credentials) -> Option<Stage<'static>> {
    let begins = matches!(credentials, Credentials::ScramStart(_) | Credentials::DigestStart);
    (!begins).then_some(Stage::Login)
}

/// The role has its own reply for a refused login; the class of the code says which, and its words are said.
fn login_refused(instead: Instead) -> LoginAnswer {
    let temporary = instead.code < 500;
    let reason = if temporary { Reason::LoginThrottled } else { Reason::BadCredentials };
    let mut text = instead.text;
    // The role puts an enhanced code before the words (RFC 2034 §4).
    let word = text.iter().position(|&octet| octet == b' ').unwrap_or(0);
    let is_code = |octet: &u8| octet.is_ascii_digit() || *octet == b'.';
    if word > 0 && text[..word].iter().all(is_code) {
        text.drain(..=word);
    }
    LoginAnswer::Refused(Refusal { reason, text: Some(text) })
}
