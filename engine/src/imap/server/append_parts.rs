//! An APPEND that is put together of parts (RFC 4469): which comes next, and what becomes of it. The rest of the command is
//! left to `append`, and octets of other messages to `catenate`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Server;
use super::append::{APPEND, Append, Stage, text_refused};
use super::catenate::{CATENATE, Source, Step};
use super::job::{Answered, Job, Next, Work, wrong};
use super::reply::Reply;
use crate::imap::grammar::{AppendStep, lex};
use crate::imap::types::{Answer, Ask, Event};
use crate::role::Cx;

/// Octets of a URL that is a literal.
const URL_MAX: u64 = 4096;

impl Append {
    /// The literal's octets are the next thing.
    pub(super) fn take_literal(mut self: Box<Self>, work: &mut Work<'_>, ready: &[u8]) -> Next {
        let Some(literal) = self.literal else { return Next::Room(Job::Append(self)) };
        self.stage = Stage::Coming { left: literal.size };
        if literal.waits {
            lex::send(work.cx, ready, Some(&APPEND));
        }
        self.more(literal.size)
    }

    /// RFC 4469: the next part, or what stands behind them.
    pub(super) fn go_on(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        loop {
            match self.steps.pop_front() {
                None => return self.commit(),
                Some(AppendStep::Message(data)) => return self.next(work, data),
                Some(AppendStep::Url(url)) => return self.copy(work, url),
                Some(AppendStep::Text) => return self.text(work),
                Some(AppendStep::Utf8Text) => {
                    self.utf8 = true;
                    return self.text(work);
                }
                Some(AppendStep::UrlLiteral) => {
                    return match self.literal {
                        Some(literal) if literal.size <= URL_MAX && !literal.binary => {
                            let ready = b"+ Ready for the URL\r\n";
                            let next = Stage::Url { left: literal.size, url: Vec::new() };
                            self.stage = next;
                            if literal.waits {
                                lex::send(work.cx, ready, Some(&APPEND));
                            }
                            self.more(literal.size)
                        }
                        _ => self.stop(work, Reply::bad("This is no URL").because(&CATENATE)),
                    };
                }
                Some(AppendStep::End) => {
                    self.catenates = false;
                    if self.total == 0 {
                        let reply = Reply::no("CANNOT", "An empty message is none");
                        return self.stop(work, reply.because(&CATENATE));
                    }
                }
            }
        }
    }

    fn text(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        let Some(literal) = self.literal else { return Next::Room(Job::Append(self)) };
        if let Some(reply) = text_refused(work, literal, self.utf8) {
            return self.stop(work, reply);
        }
        match self.grow(work, literal.size) {
            Ok(()) => self.take_literal(work, b"+ Ready for the part\r\n"),
            Err(reply) => self.stop(work, reply),
        }
    }

    /// So many octets more.
    fn grow(&mut self, work: &Work<'_>, length: u64) -> Result<(), Reply> {
        self.total = self.total.saturating_add(length);
        if self.total > work.base.config.limits.message_max {
            // RFC 4469 §4.2
            return Err(Reply::no("TOOBIG", "The message becomes too large"));
        }
        Ok(())
    }

    fn copy(mut self: Box<Self>, work: &mut Work<'_>, url: Vec<u8>) -> Next {
        match Source::new(work, url) {
            Ok((source, ask)) => {
                self.stage = Stage::Copying(source);
                Next::Ask(ask, Job::Append(self))
            }
            Err(reply) => self.stop(work, reply),
        }
    }

    /// The host answered while a part is copied.
    pub(super) fn copied(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        let Stage::Copying(source) = &mut self.stage else { return wrong(Job::Append(self)) };
        let step = match answer {
            Answer::Done => Ok(source.next()),
            answer => source.answer(answer),
        };
        let mut step = match step {
            Ok(step) => step,
            Err(misuse) => return Err((Job::Append(self), misuse)),
        };
        if let Step::Length(length) = step {
            step = match self.grow(work, length) {
                Ok(()) => match &mut self.stage {
                    Stage::Copying(source) => source.next(),
                    _ => Step::Over,
                },
                Err(reply) => Step::Failed(reply),
            };
        }
        Ok(match step {
            Step::Ask(ask) => Next::Ask(ask, Job::Append(self)),
            Step::Chunk(octets) => Next::Ask(Ask::Chunk(octets), Job::Append(self)),
            Step::Over | Step::Length(_) => {
                self.leave_source(work.cx);
                self.go_on(work)
            }
            Step::Failed(reply) => self.stop(work, reply),
        })
    }

    pub(super) fn leave_source(&mut self, cx: &mut Cx<Server>) {
        if let Stage::Copying(source) = &self.stage
            && source.peeks
        {
            cx.event(Event::Unpeeked);
        }
        self.stage = Stage::LineEnd;
    }

    /// No, after the host took something; the literal of this line may be on its way.
    fn stop(mut self: Box<Self>, work: &mut Work<'_>, reply: Reply) -> Next {
        self.leave_source(work.cx);
        work.cx.event(Event::AppendDropped);
        self.before = 0;
        self.refuse(reply)
    }

    pub(super) fn commit(mut self: Box<Self>) -> Next {
        self.stage = Stage::Committed;
        Next::Ask(Ask::Commit, Job::Append(self))
    }
}
