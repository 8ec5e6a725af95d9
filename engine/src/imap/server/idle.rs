//! IDLE (RFC 2177, RFC 9051 §6.3.13): what others do is told at once, until DONE.

use super::job::{Answered, Job, Next, Work, wrong};
use super::reply::Reply;
use super::tell::{self, Need, Telling};
use crate::imap::grammar::lex;
use crate::imap::types::Answer;
use crate::role::Line;
use crate::trace::Rule;

/// RFC 9051 §6.3.13.
pub(crate) const DONE: Rule = Rule {
    rfc: 9051,
    section: "6.3.13",
    gist: "Only DONE on a line of its own ends IDLE; no command may be sent before.",
};

/// `DONE` and its CRLF, with room to see that it is something else.
pub(crate) const LINE_MAX: usize = 64;

/// An IDLE, and what it is telling.
pub(crate) struct Idle {
    telling: Option<Telling>,
}

pub(crate) fn idle(work: &mut Work<'_>) -> Next {
    lex::send(work.cx, b"+ idling\r\n", Some(&DONE));
    Idle::waiting().run(work)
}

impl Idle {
    /// An IDLE that waits for DONE.
    pub(crate) const fn waiting() -> Self {
        Self { telling: None }
    }

    pub(crate) const fn is_waiting(&self) -> bool {
        self.telling.is_none()
    }

    /// Tells what there is to tell, then waits for DONE.
    pub(crate) fn run(mut self, work: &mut Work<'_>) -> Next {
        let telling = match self.telling.take() {
            None if !tell::is_due(work, true) => None,
            telling => Some(telling.unwrap_or(Telling::new(true))),
        };
        match telling {
            Some(telling) => {
                let need = telling.run(work);
                self.needs(work, need)
            }
            None => self.needs(work, Need::Nothing),
        }
    }

    fn needs(self, work: &mut Work<'_>, need: Need) -> Next {
        match need {
            Need::Answer(ask, telling) => {
                return Next::Ask(ask, Job::Idle(Self { telling: Some(telling) }));
            }
            Need::Room(telling) => return Next::Room(Job::Idle(Self { telling: Some(telling) })),
            Need::Bye(code, text) => return Next::Bye(code, text),
            Need::Nothing => {}
        }
        if work.selected().is_some_and(|(_, open, _)| open.view.is_lost()) {
            return Next::Bye(None, "The mailbox is gone");
        }
        Next::Line(LINE_MAX, Job::Idle(self))
    }

    pub(crate) fn answer(mut self, work: &mut Work<'_>, answer: Answer) -> Answered {
        let Some(telling) = self.telling.take() else { return wrong(Job::Idle(self)) };
        match telling.answer(work, answer) {
            Ok(need) => Ok(self.needs(work, need)),
            Err((telling, misuse)) => Err((Job::Idle(Self { telling: Some(telling) }), misuse)),
        }
    }

    pub(crate) fn line(self, work: &mut Work<'_>, line: Line) -> Next {
        if line.fault.is_none() && line.octets.eq_ignore_ascii_case(b"DONE") {
            let end = line.end - 2;
            work.cx.note_received(line.start, end, "command", Some(&DONE));
            work.cx.note_received(end, line.end, "CRLF", None);
            return Next::done(Reply::ok("Idle ended"));
        }
        work.cx.note_unparsed(&line, false, &DONE);
        work.cx.note_defect(&DONE);
        Next::done(Reply::bad("Only DONE ends IDLE").because(&DONE))
    }
}
