//! Faults on purpose: at each command the host may have other words said than this server's own, if it wants to be asked.
//! Which fault strikes, and when, is the host's business; here is only the way there and back.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::append::Form;
use super::job::{Answered, Job, Next, Work, wrong};
use super::reply::{Reply, Status};
use super::state::State;
use super::{append, dispatch};
use crate::imap::grammar::{Command, Piece};
use crate::imap::types::{Answer, AppendAsk, Ask};
use crate::types::{Misuse, Phase};

/// What begins once the host has had its say.
pub(crate) enum Held {
    /// A command with its tag.
    Command(Vec<u8>, Command),
    /// APPEND, whose message was not taken yet.
    Append(AppendAsk, Form),
}

/// Begins a command, after the host had its say.
pub(super) fn begin(work: &mut Work<'_>, pieces: &[Piece], tag: &[u8], command: Command) -> Next {
    if !work.base.config.faults {
        return dispatch::begin(work, tag, command);
    }
    ask(verb(pieces), Held::Command(tag.to_vec(), command))
}

/// Begins APPEND or REPLACE, after the host had its say.
pub(super) fn append(work: &mut Work<'_>, message: AppendAsk, form: Form, verb: Vec<u8>) -> Next {
    if !work.base.config.faults {
        return append::append(work, message, form);
    }
    ask(verb, Held::Append(message, form))
}

fn ask(verb: Vec<u8>, held: Held) -> Next {
    Next::Ask(Ask::Phase(Phase::Command(verb)), Job::Phase(Box::new(held)))
}

impl Held {
    pub(crate) fn answer(self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Done => Ok(match *self {
                Self::Command(tag, command) => dispatch::begin(work, &tag, command),
                Self::Append(message, form) => append::append(work, message, form),
            }),
            Answer::Instead(instead) if !instead.is_fit() => {
                Err((Job::Phase(self), Misuse::BadValue))
            }
            Answer::Instead(instead) if instead.close => Ok(Next::Cut(instead.text)),
            Answer::Instead(instead) => {
                if matches!(work.state, State::NotAuthenticated) {
                    work.base.idle_commands = work.base.idle_commands.saturating_add(1);
                }
                let reply = Reply::instead(Status::No, instead.text);
                Ok(match *self {
                    Self::Command(..) => Next::done(reply),
                    Self::Append(_, form) => append::refuse(form.literal, reply),
                })
            }
            _ => wrong(Job::Phase(self)),
        }
    }
}

/// A command's verb in upper case; of those by UID the one behind that word.
pub(super) fn verb(pieces: &[Piece]) -> Vec<u8> {
    let Some(Piece::Text(text, _)) = pieces.first() else { return Vec::new() };
    let mut words = text.split(|&octet| octet == b' ').skip(1);
    let verb = words.next().unwrap_or_default();
    let verb = if verb.eq_ignore_ascii_case(b"UID") { words.next() } else { Some(verb) };
    verb.unwrap_or_default().to_ascii_uppercase()
}
