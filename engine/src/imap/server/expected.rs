//! What the client may say now. Commands are read by the grammar and judged by the same table as when they come; a test
//! holds even that together.

use alloc::vec::Vec;

use super::capability::Feature;
use super::demands;
use super::job::Job;
use super::state::State;
use super::{Doing, Server};
use crate::expected::{Expected, Form, offer};
use crate::imap::expected::COMMANDS;
use crate::imap::grammar::{self, Command, Piece, Piecewise};

/// The tag in examples.
const TAG: &str = "a1";

impl Server {
    /// What the client may say now. Nothing while the session waits for its host, or for octets.
    #[must_use]
    pub fn expected(&self) -> Vec<Expected> {
        let only = |words: &'static [&'static str]| {
            offer(COMMANDS.iter().filter(move |form| words.contains(&form.word)), TAG)
        };
        match &self.doing {
            Doing::Command(incoming) if incoming.is_empty() => {
                offer(COMMANDS.iter().filter(|form| self.may_come(form)), TAG)
            }
            Doing::Job { job: Job::Idle(_), .. } => only(&["DONE"]),
            Doing::Job { job: Job::Authenticate(step), .. } if step.takes_line() => {
                only(&["response", "cancellation"])
            }
            _ => Vec::new(),
        }
    }

    fn may_come(&self, form: &Form) -> bool {
        let Some(rest) = form.example.strip_prefix("{tag}") else { return false };
        let line = [TAG.as_bytes(), rest.as_bytes()].concat();
        let terms = self.base.terms();
        let (text, literal) = grammar::split_head(&line).unwrap_or((&line, None));
        let pieces = [Piece::Text(text.to_vec(), 0)];
        let options = self.base.options();
        let command = match literal {
            Some(_) => match grammar::append_head(&pieces).and_then(|head| head.replaces) {
                Some((by_uid, _)) => {
                    return self.base.features.has(Feature::Replace)
                        && matches!(self.state, State::Selected(_))
                        && (by_uid || !self.base.uid_only);
                }
                None => Command::AppendWithoutMessage,
            },
            None => match grammar::parse(&mut Piecewise::new(&pieces), options) {
                Ok(tagged) => tagged.command,
                Err(_) => return false,
            },
        };
        let offered = match command {
            Command::StartTls => self.base.offers_tls(),
            Command::Login(..) => terms.offer.password_commands && terms.are_open(),
            Command::Authenticate(..) => terms.mechanisms().next().is_some(),
            _ => true,
        };
        offered && demands::is_in_order(&self.base, &self.state, &command)
    }
}
