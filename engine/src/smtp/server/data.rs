//! DATA and BDAT: the message's way to the host, chunk by chunk, and the one way to `250`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::authors::{AUTHORS, Authors};
use super::commands::PIPELINING;
use super::content::{Content, bare};
use super::pace::Pace;
use super::phase::Held;
use super::reply::{About, Reply, refused};
use super::{Pending, Server, State, Transaction, trace_fields};
use crate::role::{Cx, TextEnd};
use crate::smtp::types::{Answer, Ask, Body, Committed, Envelope, Event, Phase, Service};
use crate::trace::Rule;
use crate::types::Misuse;

use super::commands::ORDER;

/// RFC 5321 §4.1.1.4.
pub(super) const END_OF_DATA: Rule = Rule {
    rfc: 5321,
    section: "4.1.1.4",
    gist: "Only CRLF.CRLF ends the data; with its 250 the server takes responsibility for the message.",
};
/// RFC 3030 §2.
pub(super) const CHUNK: Rule = Rule {
    rfc: 3030,
    section: "2",
    gist: "BDAT says how many octets follow; nothing in them is a command or an end.",
};

impl Server {
    /// DATA: the text may come.
    pub(super) fn data(mut self, cx: &mut Cx<Self>, tx: Box<Transaction>) -> Self {
        if cx.waiting() > 0 && self.common.config.lenient {
            self.tolerate(cx, &PIPELINING);
        } else if cx.waiting() > 0 {
            // Text before 354 may be commands to a client that did not mean it as text, so neither is read.
            self.state = State::RcptGiven(tx);
            return self.out_of_step(cx);
        }
        let text = &b"Enter mail, end with \".\" on a line by itself"[..];
        self.reply(cx, &self.worded(Reply::plain(354, text), |words| words.data, Vec::new));
        cx.sync();
        self.common.idle_commands = 0;
        let content = self.content(cx, *tx, false);
        self.go(cx, State::Data(content))
    }

    /// A message that is about to come, with what this hop puts before it.
    pub(super) fn content(
        &mut self,
        cx: &Cx<Self>,
        tx: Transaction,
        lines_due: bool,
    ) -> Box<Content> {
        self.common.pace = Pace::new(cx);
        let return_path = trace_fields::return_path(&self.common, &tx);
        let return_path_octets = return_path.len() as u64;
        let trace = [return_path, trace_fields::received(&self.common, &tx, cx)].concat();
        let submission = self.common.config.service == Service::Submission;
        let completion = submission.then(|| trace_fields::completion(&self.common, &tx, cx));
        // RFC 6409 §6.3: whoever logged in submits, by whichever port.
        let sends = submission || self.common.account.is_some();
        let authors = sends.then(Authors::new);
        let mut content = Box::new(Content::new(tx, trace, completion, authors, lines_due));
        content.return_path_octets = return_path_octets;
        content
    }

    /// Text of DATA came.
    pub(super) fn data_text(
        mut self,
        cx: &mut Cx<Self>,
        octets: Vec<u8>,
        end: Option<TextEnd>,
    ) -> Self {
        self.common.pace.waited(cx);
        let early = cx.is_early(cx.text_start());
        cx.note_text(&octets, end.is_some(), &END_OF_DATA);
        let State::Data(mut content) = core::mem::replace(&mut self.state, State::Closed) else {
            return self;
        };
        if early && !self.common.config.lenient {
            self.state = State::Data(content);
            return self.out_of_step(cx);
        }
        if end.is_some_and(|end| end.fault.is_some()) {
            return self.bare(cx, &content);
        }
        if content.look(&octets, end.is_some(), &self.common.config.limits) {
            cx.event(Event::Reset);
        }
        content.undotted = end.is_some_and(|end| end.undotted);
        if content.refused.is_some() || !self.is_to_give(&mut content, octets, end.is_some()) {
            return self.text_taken(cx, content, end);
        }
        cx.ask(Ask::Chunk(content.next()));
        self.go(cx, State::Asking(Box::new(Pending::Text(content, end))))
    }

    /// The text held a bare CR, a bare LF or NUL, whatever else was wrong with it. What follows may have been meant to
    /// be read by another server, so nothing more is read.
    fn bare(self, cx: &mut Cx<Self>, content: &Content) -> Self {
        cx.note_defect(&super::content::BARE);
        cx.event(Event::Defect(super::content::BARE.gist.as_bytes().to_vec()));
        if content.refused.is_none() {
            cx.event(Event::Reset);
        }
        let reply = bare();
        self.reply_each(cx, content, |_| reply.clone());
        // RFC 5321 §3.8: who closes without QUIT says so.
        self.end(cx, &Reply::new(421, "4.7.0", "What follows is not read, closing connection"))
    }

    /// Has the next octets ready for the host; true if it gets them by themselves. The last ones go with what is known of
    /// the message then, unless the host has its say before that.
    fn is_to_give(&self, content: &mut Content, octets: Vec<u8>, end: bool) -> bool {
        content.complete(octets, end);
        !content.next.is_empty() && (!end || self.common.config.faults)
    }

    pub(super) fn text_answered(
        self,
        cx: &mut Cx<Self>,
        mut content: Box<Content>,
        end: Option<TextEnd>,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match answer {
            Answer::Done => {}
            Answer::Refused(refusal) => {
                content.refused = Some(refused(About::Message, &refusal));
                cx.event(Event::Reset);
            }
            _ => return Err(self.wrong_answer(Pending::Text(content, end))),
        }
        Ok(self.text_taken(cx, content, end))
    }

    fn text_taken(self, cx: &mut Cx<Self>, content: Box<Content>, end: Option<TextEnd>) -> Self {
        if end.is_some() { self.finish(cx, content) } else { self.go(cx, State::Data(content)) }
    }

    /// The message is whole: refuse it, or ask the host to make it durable.
    fn finish(self, cx: &mut Cx<Self>, mut content: Box<Content>) -> Self {
        if content.refused.is_none()
            && let Err(reply) = content.authors()
        {
            cx.note_defect(&AUTHORS);
            cx.event(Event::Defect([AUTHORS.gist.as_bytes(), b" ", &reply.text].concat()));
            cx.event(Event::Reset);
            content.refused = Some(reply);
        }
        match &content.refused {
            Some(reply) => {
                self.reply_each(cx, &content, |_| reply.clone());
                self.go(cx, State::Greeted)
            }
            None if self.common.config.faults => {
                self.at_phase(cx, Phase::EndOfData, Held::Whole(content))
            }
            None => self.commit(cx, content),
        }
    }

    /// Gives the host the last octets, and asks it to make the message durable.
    pub(super) fn commit(self, cx: &mut Cx<Self>, mut content: Box<Content>) -> Self {
        let binary = content.tx.from.body == Body::BinaryMime;
        let last = content.next();
        let is_whole = last.len() as u64 == content.stored;
        let indexed = || self.common.config.index.index(&last, content.surveyed());
        let index = is_whole.then(indexed).flatten();
        let (size, eight_bit) = (content.stored, content.eight_bit);
        let return_path_octets = content.return_path_octets;
        let tls_optional = content.is_tls_optional();
        let authors = content.authors().unwrap_or_default();
        let envelope = Envelope {
            size,
            last,
            index,
            eight_bit,
            binary,
            return_path_octets,
            tls_optional,
            authors,
            utf8_undeclared: content.is_utf8_undeclared(),
        };
        cx.ask(Ask::Commit(envelope));
        self.go(cx, State::Asking(Box::new(Pending::Commit(content))))
    }

    /// One reply, or with LMTP one for each accepted recipient (RFC 2033 §4.2).
    pub(super) fn reply_each(
        &self,
        cx: &mut Cx<Self>,
        content: &Content,
        reply: impl Fn(usize) -> Reply,
    ) {
        let lmtp = self.common.config.service == Service::Lmtp;
        let replies = if lmtp { content.tx.recipients.len() } else { 1 };
        (0..replies).for_each(|at| self.reply(cx, &reply(at)));
    }

    pub(super) fn commit_answered(
        self,
        cx: &mut Cx<Self>,
        content: Box<Content>,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match answer {
            Answer::Committed(committed)
                if committed.fates.is_empty()
                    || committed.fates.len() == content.tx.recipients.len() =>
            {
                Ok(if self.common.config.faults {
                    self.at_phase(cx, Phase::Committed, Held::Committed(content, committed))
                } else {
                    self.accepted(cx, &content, &committed)
                })
            }
            Answer::Committed(_) => {
                let (server, _) = self.wrong_answer(Pending::Commit(content));
                Err((server, Misuse::BadValue))
            }
            Answer::Refused(refusal) => {
                let reply = refused(About::Message, &refusal);
                self.reply_each(cx, &content, |_| reply.clone());
                Ok(self.go(cx, State::Greeted))
            }
            _ => Err(self.wrong_answer(Pending::Commit(content))),
        }
    }

    /// Tells that the message is durable.
    pub(super) fn accepted(
        self,
        cx: &mut Cx<Self>,
        content: &Content,
        committed: &Committed,
    ) -> Self {
        let accepted = [b"Message accepted for delivery as ", &committed.id[..]].concat();
        let accepted = Reply::made(250, "2.0.0", accepted);
        let id = || committed.id.clone();
        let accepted = self.worded(accepted, |words| words.accepted, id);
        self.reply_each(cx, content, |at| match committed.fates.get(at) {
            Some(Some(refusal)) => refused(About::Recipient, refusal),
            _ => accepted.clone(),
        });
        self.go(cx, State::Greeted)
    }

    /// BDAT (RFC 3030 §2). Its octets are on their way whatever the reply is, so they are read first.
    pub(super) fn bdat(mut self, cx: &mut Cx<Self>, size: u64, last: bool, state: State) -> Self {
        self.common.idle_commands = 0;
        let lmtp = self.common.config.service == Service::Lmtp;
        let content = match state {
            State::Chunking(content) => content,
            State::RcptGiven(tx) => {
                let lines_due = tx.from.body != Body::BinaryMime;
                self.content(cx, *tx, lines_due)
            }
            State::MailGiven(_) | State::Greeted if last && lmtp => {
                // RFC 2033 §4.3: one reply for each recipient that was taken, and none was.
                if matches!(state, State::MailGiven(_)) {
                    cx.event(Event::Reset);
                }
                self.common.pace = Pace::new(cx);
                return self.go(cx, State::DiscardUnheard(size));
            }
            state => {
                self.common.pace = Pace::new(cx);
                let text = match state {
                    State::MailGiven(_) => "Need RCPT before BDAT",
                    _ => "Need MAIL before BDAT",
                };
                let reply = Reply::new(503, "5.5.1", text);
                return self.go(cx, State::Discard(size, reply, Box::new(state)));
            }
        };
        self.go(cx, State::Chunk(content, size, last))
    }

    /// Octets of a chunk of BDAT came.
    pub(super) fn chunk_octets(mut self, cx: &mut Cx<Self>, octets: Vec<u8>) -> Self {
        let count = octets.len() as u64;
        let stop = cx.received();
        cx.note_received(stop - count, stop, "chunk", Some(&CHUNK));
        self.common.pace.waited(cx);
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Discard(left, reply, before) => {
                let left = left.saturating_sub(count);
                if left > 0 {
                    return self.go(cx, State::Discard(left, reply, before));
                }
                self.mistake(cx, &reply, &ORDER, *before)
            }
            State::DiscardUnheard(left) => {
                let left = left.saturating_sub(count);
                let done = left == 0;
                self.go(cx, if done { State::Greeted } else { State::DiscardUnheard(left) })
            }
            State::Chunk(mut content, left, last) => {
                let left = left.saturating_sub(count);
                let end = last && left == 0;
                if content.look(&octets, end, &self.common.config.limits) {
                    cx.event(Event::Reset);
                }
                if content.refused.is_some() || !self.is_to_give(&mut content, octets, end) {
                    return self.chunk_taken(cx, content, left, last);
                }
                cx.ask(Ask::Chunk(content.next()));
                self.go(cx, State::Asking(Box::new(Pending::Chunk(content, left, last))))
            }
            state => self.go(cx, state),
        }
    }

    pub(super) fn chunk_answered(
        self,
        cx: &mut Cx<Self>,
        mut content: Box<Content>,
        left: u64,
        last: bool,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match answer {
            Answer::Done => {}
            Answer::Refused(refusal) => {
                content.refused = Some(refused(About::Message, &refusal));
                cx.event(Event::Reset);
            }
            _ => return Err(self.wrong_answer(Pending::Chunk(content, left, last))),
        }
        Ok(self.chunk_taken(cx, content, left, last))
    }

    fn chunk_taken(self, cx: &mut Cx<Self>, content: Box<Content>, left: u64, last: bool) -> Self {
        if left > 0 {
            return self.go(cx, State::Chunk(content, left, last));
        }
        if last {
            return self.finish(cx, content);
        }
        match &content.refused {
            // RFC 3030 §2: a chunk that is refused ends the transaction, and RSET is expected next. Chunks that were sent
            // before the client knew get the same reply, and with LMTP the last one as many as it waits for.
            Some(reply) => self.reply(cx, reply),
            None => self.say(cx, 250, "2.0.0", "Octets received"),
        }
        self.go(cx, State::Chunking(content))
    }
}
