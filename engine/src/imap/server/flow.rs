//! What comes after each step of a session: the next ask, the next line, the end of a command, or
//! BYE. Every path to the client's next command leads through here, so deadlines and farewells
//! cannot be missed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::dispatch::COMPRESS;
use super::incoming::Incoming;
use super::job::{Expunges, Job, Next, Wait, Work};
use super::reply::{self, Reply, Status};
use super::state::State;
use super::tell::{self, Need, Telling};
use super::{After, Doing, Server, Unasked, condstore};
use crate::role::Cx;
use crate::types::Farewell;

impl Server {
    pub(super) fn work<'a>(&'a mut self, cx: &'a mut Cx<Self>) -> Work<'a> {
        Work { base: &mut self.base, state: &mut self.state, cx }
    }

    /// Does what comes next, and sets the deadline for it.
    pub(super) fn go(mut self, cx: &mut Cx<Self>, tag: Vec<u8>, next: Next) -> Self {
        let (job, wait) = match next {
            Next::Done(reply, expunges) => return self.finish(cx, tag, reply, expunges),
            Next::Bye(code, text) => return self.bye(cx, code, text),
            Next::Cut(words) => {
                reply::send_bye(cx, None, &words);
                return self.close(cx);
            }
            Next::Rest(line, reply) => {
                return self.command_line(cx, Incoming::doomed(tag, reply), line);
            }
            Next::Ask(ask, job) => {
                // The answer before this ask was the one that the farewell waited for.
                if let Some(reason) = self.base.farewell {
                    job.cut(cx);
                    return self.farewell(cx, reason);
                }
                self.tell_progress(cx, &tag, &job);
                cx.ask(ask);
                (job, Wait::Answer)
            }
            Next::Room(job) => (job, Wait::Room),
            Next::Line(max, job) => (job, Wait::Line { max }),
            Next::Octets(left, job) => (job, Wait::Octets { left }),
            Next::Compress => {
                // RFC 4978 §3: what is told before the OK is not compressed, so nothing is told after it.
                self.base.compressed = true;
                Reply::ok("DEFLATE active").because(&COMPRESS).send(cx, &tag);
                cx.compress();
                self.doing = Doing::Command(Box::default());
                return self.settle(cx);
            }
            Next::StartTls => {
                Reply::ok("Begin TLS now").send(cx, &tag);
                cx.start_tls();
                self.doing = Doing::Securing;
                self.set_deadline(cx);
                return self;
            }
        };
        self.doing = Doing::Job { tag, job, wait };
        self.settle(cx)
    }

    /// The end of a command: what others did is told before the reply.
    pub(super) fn finish(
        mut self,
        cx: &mut Cx<Self>,
        tag: Vec<u8>,
        reply: Reply,
        expunges: Expunges,
    ) -> Self {
        let reply = self.base.tell_limit(cx, reply);
        let telling = Telling::new(expunges == Expunges::Told && reply.status != Status::Bad);
        self.tell(cx, After::Reply(tag, reply), telling)
    }

    pub(super) fn tell(mut self, cx: &mut Cx<Self>, after: After, telling: Telling) -> Self {
        let need = telling.run(&mut self.work(cx));
        self.told(cx, after, need)
    }

    /// Goes on with what telling needs.
    pub(super) fn told(mut self, cx: &mut Cx<Self>, after: After, need: Need) -> Self {
        let (telling, wait) = match need {
            Need::Answer(ask, telling) => {
                cx.ask(ask);
                (telling, Wait::Answer)
            }
            Need::Room(telling) => (telling, Wait::Room),
            Need::Bye(code, text) => return self.bye(cx, code, text),
            Need::Nothing => {
                return match after {
                    After::Reply(tag, reply) => self.conclude(cx, &tag, &reply),
                    After::Nothing(unasked) => self.told_unasked(cx, unasked),
                };
            }
        };
        self.doing = Doing::Telling { after, telling, wait };
        self.settle(cx)
    }

    /// RFC 5465 §3.1: what the client wants to hear of is told while no command runs.
    fn tell_unasked(self, cx: &mut Cx<Self>) -> Self {
        let unasked = Unasked { deadline_ms: cx.deadline_ms, again: false };
        self.tell(cx, After::Nothing(unasked), Telling::new(false))
    }

    fn told_unasked(mut self, cx: &mut Cx<Self>, unasked: Unasked) -> Self {
        self.doing = Doing::Command(Box::default());
        if self.has_lost_mailbox() {
            return self.bye(cx, None, "The mailbox is gone");
        }
        let mut role = self.settle(cx);
        // What is told does not show that the client is still there.
        cx.deadline_ms = unasked.deadline_ms;
        if unasked.again && tell::is_due(&role.work(cx), false) {
            return role.tell_unasked(cx);
        }
        role
    }

    fn has_lost_mailbox(&self) -> bool {
        matches!(&self.state, State::Selected(open) if open.view.is_lost())
    }

    pub(super) fn conclude(mut self, cx: &mut Cx<Self>, tag: &[u8], reply: &Reply) -> Self {
        match self.highest_owed(reply) {
            Some(modseq) => {
                let reply = reply.clone().with_code(condstore::highest_code(modseq));
                reply.because(&condstore::HIGHEST).send(cx, tag);
            }
            None => reply.send(cx, tag),
        }
        match reply.status {
            Status::Bad => self.base.errors = self.base.errors.saturating_add(1),
            // Who gets something done means well: only mistakes in a row are counted against it. Before login even
            // CAPABILITY is OK, so there all are counted.
            Status::Ok if !matches!(self.state, State::NotAuthenticated) => self.base.errors = 0,
            Status::Ok | Status::No => {}
        }
        if matches!(self.state, State::Logout) {
            return self.close(cx);
        }
        if self.base.errors > self.base.config.limits.errors_max {
            return self.bye(cx, None, "Too many errors");
        }
        if self.base.idle_commands > self.base.config.limits.idle_commands_max {
            return self.bye(cx, None, "Log in next time");
        }
        if self.has_lost_mailbox() {
            // RFC 2180 §3.3: whoever has a deleted mailbox open is told BYE.
            return self.bye(cx, None, "The mailbox is gone");
        }
        self.doing = Doing::Command(Box::default());
        self.settle(cx)
    }

    /// RFC 7162 §3.2.7: the mod-sequence that goes with what was told to be gone.
    fn highest_owed(&mut self, reply: &Reply) -> Option<u64> {
        let State::Selected(open) = &mut self.state else { return None };
        let fits = reply.status == Status::Ok && reply.code.is_none();
        let owed = fits && self.base.tells_modseq() && open.owes_highest;
        // What is held back has its own word on it.
        let owed = owed && open.view.delayed_modseq().is_none();
        if owed {
            open.owes_highest = false;
        }
        owed.then(|| open.view.told_modseq())
    }

    /// Waits, unless a farewell is due.
    pub(super) fn settle(mut self, cx: &mut Cx<Self>) -> Self {
        if let Some(reason) = self.base.farewell
            && !self.is_asking()
        {
            return self.farewell(cx, reason);
        }
        self.set_deadline(cx);
        self
    }

    pub(super) fn set_deadline(&mut self, cx: &mut Cx<Self>) {
        let limits = &self.base.config.limits;
        match self.state {
            _ if self.is_asking() => cx.no_deadline(),
            State::Logout => cx.no_deadline(),
            State::NotAuthenticated => cx.deadline_in(limits.idle_before_login_ms),
            // RFC 9051 §5.4
            State::Authenticated | State::Selected(_) => cx.deadline_in(limits.idle_ms),
        }
    }

    pub(super) fn is_asking(&self) -> bool {
        matches!(
            self.doing,
            Doing::Greeting
                | Doing::Admitting
                | Doing::Job { wait: Wait::Answer, .. }
                | Doing::Telling { wait: Wait::Answer, .. }
        )
    }

    pub(super) fn farewell(self, cx: &mut Cx<Self>, reason: Farewell) -> Self {
        self.bye(cx, Some(reply::farewell_code(reason)), reply::farewell_text(reason))
    }

    pub(super) fn bye(
        self,
        cx: &mut Cx<Self>,
        code: Option<&'static str>,
        text: &'static str,
    ) -> Self {
        reply::send_bye(cx, code.map(str::as_bytes), text.as_bytes());
        self.close(cx)
    }

    pub(super) fn close(mut self, cx: &mut Cx<Self>) -> Self {
        if let Doing::Job { job, .. } = &self.doing {
            job.cut(cx);
        }
        cx.note_state(self.state.name(), State::Logout.name());
        self.state = State::Logout;
        self.doing = Doing::Over;
        cx.no_deadline();
        cx.close();
        self
    }

    /// Tells IDLE at once what others did, and who said NOTIFY; everything else tells it at its end.
    pub(super) fn wake(mut self, cx: &mut Cx<Self>) -> Self {
        match core::mem::replace(&mut self.doing, Doing::Over) {
            Doing::Job { tag, job: Job::Idle(job), wait: Wait::Line { .. } } => {
                let deadline_ms = cx.deadline_ms;
                let next = job.run(&mut self.work(cx));
                let role = self.go(cx, tag, next);
                // RFC 9051 §6.3.13: what is told does not show that the client is still there.
                cx.deadline_ms = deadline_ms;
                role
            }
            Doing::Command(incoming) if incoming.is_empty() && self.base.notify.is_some() => {
                self.doing = Doing::Command(incoming);
                match tell::is_due(&self.work(cx), false) {
                    true => self.tell_unasked(cx),
                    false => self,
                }
            }
            Doing::Telling { after: After::Nothing(unasked), telling, wait } => {
                let after = After::Nothing(Unasked { again: true, ..unasked });
                self.doing = Doing::Telling { after, telling, wait };
                self
            }
            doing => {
                self.doing = doing;
                self
            }
        }
    }
}
