//! Which fate a reply, or its absence, is for a recipient (RFC 5321 §4.2.1, §6.1).
//! Every recipient gets exactly one, and a server cannot make them grow without bound.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::reply::Kind;
use super::types::{EnhancedStatus, Failure, Fate, Reply, Stage};

/// Octets of the server's words that the fates of one delivery hold; then codes only.
const WORDS_MAX: usize = 32 * 1024;
/// The same for a delivery that never began: there may be many, and the words are those of the session's end.
const WORDS_WAITING_MAX: usize = 1024;

/// Why something ended that the server did not end by a reply to it.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    status: &'static str,
    text: &'static str,
    /// What the server said last, if that is why.
    reply: Option<Reply>,
}

impl Loss {
    /// Our own finding: an RFC 3463 status and words for people.
    pub(super) const fn new(status: &'static str, text: &'static str) -> Self {
        Self { status, text, reply: None }
    }

    /// What the server said is the reason.
    pub(super) fn because(self, reply: Reply) -> Self {
        Self { reply: Some(reply), ..self }
    }

    /// Whether the server said that it does not take the mail.
    pub(super) fn is_refusal(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| matches!(reply.kind(), Kind::NotNow | Kind::No))
    }

    pub(super) fn failure(&self, stage: Stage) -> Failure {
        // Of the server's status only one that says `later` fits what is tried later.
        let said = self.reply.as_ref().and_then(|reply| reply.status);
        let diagnosis = match said.filter(|status| status.class == 4) {
            Some(status) => format!("{} {}", print(status), self.text),
            None => format!("{} {}", self.status, self.text),
        };
        Failure { stage, reply: self.reply.clone(), diagnosis }
    }
}

/// The host cannot read what it stored.
pub(super) const UNREADABLE: Loss = Loss::new("4.3.0", "The stored message could not be read");

/// The fates of one delivery.
#[derive(Debug)]
pub(super) struct Fates {
    slots: Vec<Option<Fate>>,
    words_left: usize,
}

impl Fates {
    pub(super) fn new(recipients: usize) -> Self {
        let slots = core::iter::repeat_with(|| None).take(recipients).collect();
        Self { slots, words_left: WORDS_MAX }
    }

    /// The same fate for all of a delivery that never began.
    pub(super) fn waiting(recipients: usize, loss: &Loss) -> Vec<Fate> {
        let mut fates = Self { words_left: WORDS_WAITING_MAX, ..Self::new(recipients) };
        fates.rest(&Fate::Deferred(loss.failure(Stage::Session)));
        fates.whole()
    }

    /// Gives a recipient its fate, in place of one that it had.
    pub(super) fn put(&mut self, recipient: usize, mut fate: Fate) {
        if let Some(reply) = reply_of(&mut fate) {
            self.trim(reply);
        }
        if let Some(slot) = self.slots.get_mut(recipient) {
            *slot = Some(fate);
        }
    }

    /// Gives this fate to all that have none.
    pub(super) fn rest(&mut self, fate: &Fate) {
        for recipient in 0..self.slots.len() {
            if self.slots[recipient].is_none() {
                self.put(recipient, fate.clone());
            }
        }
    }

    /// A recipient whose fate is open again.
    pub(super) fn reopen(&mut self, recipient: usize) {
        if let Some(slot) = self.slots.get_mut(recipient) {
            *slot = None;
        }
    }

    pub(super) fn has(&self, recipient: usize) -> bool {
        self.slots.get(recipient).is_some_and(Option::is_some)
    }

    /// All of them; whoever was forgotten is to be tried again.
    pub(super) fn whole(mut self) -> Vec<Fate> {
        let unknown = Loss::new("4.3.0", "The delivery ended before this recipient's turn");
        self.rest(&Fate::Deferred(unknown.failure(Stage::Session)));
        self.slots.into_iter().flatten().collect()
    }

    fn trim(&mut self, reply: &mut Reply) {
        let mut kept = 0;
        for line in &reply.lines {
            if line.len() > self.words_left {
                break;
            }
            self.words_left -= line.len();
            kept += 1;
        }
        reply.lines.truncate(kept);
    }
}

fn reply_of(fate: &mut Fate) -> Option<&mut Reply> {
    match fate {
        Fate::Accepted(reply) => Some(reply),
        Fate::Failed(failure) | Fate::Deferred(failure) | Fate::Uncertain(failure) => {
            failure.reply.as_mut()
        }
    }
}

/// What a reply at this stage means for those whom it is about.
pub(super) fn judge(reply: &Reply, stage: Stage) -> Fate {
    let text = match stage {
        Stage::Session => "The server refused the session",
        Stage::Mail => "The server refused the sender",
        Stage::Recipient => "The server refused the recipient",
        Stage::Data | Stage::EndOfData => "The server refused the message",
    };
    let failure =
        |text| Failure { stage, reply: Some(reply.clone()), diagnosis: diagnosis(reply, text) };
    match reply.kind() {
        Kind::Yes => Fate::Accepted(reply.clone()),
        // RFC 5321 §4.5.3.1.10: at RCPT, 552 is an old way to say 452.
        Kind::No if !(stage == Stage::Recipient && reply.code == 552) => {
            Fate::Failed(failure(text))
        }
        _ => Fate::Deferred(failure(text)),
    }
}

/// RFC 5321 §4.5.3.1.10: whether the server only wants fewer recipients at a time.
pub(super) fn is_crowded(reply: &Reply) -> bool {
    let too_many = reply.status.is_none_or(|status| (status.subject, status.detail) == (5, 3));
    matches!(reply.code, 452 | 552) && too_many
}

fn diagnosis(reply: &Reply, text: &str) -> String {
    match reply.status {
        Some(status) => format!("{} {text}", print(status)),
        None if reply.kind() == Kind::No => format!("5.0.0 {text}"),
        None => format!("4.0.0 {text}"),
    }
}

fn print(status: EnhancedStatus) -> String {
    format!("{}.{}.{}", status.class, status.subject, status.detail)
}
