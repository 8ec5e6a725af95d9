//! The TRANSACTION state and its end: marks, counters, and the one moment when messages go.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::listing::{Listing, What};
use super::retrieval::Retrieval;
use super::{STATE, Server, State};
use crate::pop3::grammar::Command;
use crate::pop3::types::{Answer, Ask, Event, NumberRun, Opened};
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 1939 §6, stricter: all marked messages go, or none.
pub(super) const UPDATE: Rule = Rule {
    rfc: 1939,
    section: "6",
    gist: "Only QUIT removes what was marked; a session that ends otherwise removes nothing.",
};

/// A locked maildrop, as this session sees it.
pub(super) struct Maildrop {
    opened: Opened,
    /// One bit a message, from message 1.
    marks: Vec<u64>,
    marked: u32,
    marked_octets: u64,
}

impl Maildrop {
    pub(super) fn new(opened: Opened) -> Self {
        Self { opened, marks: Vec::new(), marked: 0, marked_octets: 0 }
    }

    pub(super) fn count(&self) -> u32 {
        self.opened.count
    }

    /// Whether there is a message of this number that is not marked.
    pub(super) fn has(&self, number: u32) -> bool {
        (1..=self.opened.count).contains(&number) && !self.is_marked(number)
    }

    pub(super) fn is_marked(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.marks.get(word).is_some_and(|marks| marks & bit != 0)
    }

    fn mark(&mut self, number: u32, size: u64) {
        let (word, bit) = place(number);
        if self.marks.len() <= word {
            self.marks.resize(word + 1, 0);
        }
        self.marks[word] |= bit;
        self.marked += 1;
        self.marked_octets += size;
    }

    fn unmark_all(&mut self) {
        self.marks.clear();
        self.marked = 0;
        self.marked_octets = 0;
    }

    /// Messages and octets that are not marked.
    fn left(&self) -> (u32, u64) {
        let octets = self.opened.octets.saturating_sub(self.marked_octets);
        (self.opened.count.saturating_sub(self.marked), octets)
    }

    /// The marked messages as runs.
    fn marked_runs(&self) -> Vec<NumberRun> {
        let mut runs: Vec<NumberRun> = Vec::new();
        for number in (1..=self.opened.count).filter(|number| self.is_marked(*number)) {
            match runs.last_mut() {
                Some(run) if run.last + 1 == number => run.last = number,
                _ => runs.push(NumberRun { first: number, last: number }),
            }
        }
        runs
    }
}

fn place(number: u32) -> (usize, u64) {
    let at = number.saturating_sub(1) as usize;
    (at / 64, 1 << (at % 64))
}

impl Server {
    pub(super) fn transaction(
        self,
        cx: &mut Cx<Self>,
        command: Command,
        mut maildrop: Box<Maildrop>,
    ) -> Self {
        match command {
            Command::Stat => {
                let (count, octets) = maildrop.left();
                self.ok(cx, &alloc::format!("{count} {octets}"));
                self.go(cx, State::Transaction(maildrop))
            }
            Command::List(number) => self.list(cx, maildrop, What::Size, number),
            Command::Uidl(number) => self.list(cx, maildrop, What::UniqueId, number),
            Command::Retr(number) => {
                self.with_message(cx, maildrop, number, |_| Listing::retrieve(number, None))
            }
            Command::Top(number, lines) => {
                self.with_message(cx, maildrop, number, |_| Listing::retrieve(number, Some(lines)))
            }
            Command::Dele(number) => {
                self.with_message(cx, maildrop, number, |_| Listing::delete(number))
            }
            Command::Noop => {
                self.ok(cx, "nothing done");
                self.go(cx, State::Transaction(maildrop))
            }
            Command::Rset => {
                maildrop.unmark_all();
                let (count, octets) = maildrop.left();
                self.ok(cx, &alloc::format!("maildrop has {count} messages ({octets} octets)"));
                self.go(cx, State::Transaction(maildrop))
            }
            Command::Capa => {
                self.capabilities(cx, true);
                self.go(cx, State::Transaction(maildrop))
            }
            Command::Lang(range) => self.speak(cx, range.as_deref(), State::Transaction(maildrop)),
            // RFC 6856 §2: valid in AUTHORIZATION.
            Command::Utf8 => {
                let text = "UTF8 comes before the login";
                self.mistake(cx, text, &super::language::UTF8, State::Transaction(maildrop))
            }
            Command::Quit => self.update(cx, &maildrop),
            Command::User(_)
            | Command::Pass(_)
            | Command::Apop(..)
            | Command::Auth(..)
            | Command::Stls => {
                self.mistake(cx, "already logged in", &STATE, State::Transaction(maildrop))
            }
        }
    }

    fn list(
        self,
        cx: &mut Cx<Self>,
        maildrop: Box<Maildrop>,
        what: What,
        number: Option<u32>,
    ) -> Self {
        match number {
            Some(number) => self.with_message(cx, maildrop, number, |_| Listing::one(what, number)),
            None => {
                let (count, octets) = maildrop.left();
                self.ok(cx, &alloc::format!("{count} messages ({octets} octets)"));
                self.list_more(cx, maildrop, Listing::all(what))
            }
        }
    }

    /// Asks for one message's entry, or says that there is none.
    fn with_message(
        self,
        cx: &mut Cx<Self>,
        maildrop: Box<Maildrop>,
        number: u32,
        listing: impl FnOnce(&Maildrop) -> Listing,
    ) -> Self {
        if !maildrop.has(number) {
            self.err(cx, "no such message");
            return self.go(cx, State::Transaction(maildrop));
        }
        let listing = listing(&maildrop);
        self.ask_entries(cx, maildrop, listing)
    }

    /// The entry of a message that DELE, RETR or TOP names has come.
    pub(super) fn mark_or_retrieve(
        mut self,
        cx: &mut Cx<Self>,
        mut maildrop: Box<Maildrop>,
        number: u32,
        retrieval: Option<Retrieval>,
        size: u64,
    ) -> Self {
        self.common.idle_commands = 0;
        match retrieval {
            Some(retrieval) => {
                cx.event(Event::Retrieved(number));
                self.ok(cx, &alloc::format!("{size} octets"));
                self.retrieve_more(cx, maildrop, retrieval)
            }
            None => {
                maildrop.mark(number, size);
                self.ok(cx, "message marked");
                self.go(cx, State::Transaction(maildrop))
            }
        }
    }

    /// QUIT in TRANSACTION enters UPDATE.
    fn update(self, cx: &mut Cx<Self>, maildrop: &Maildrop) -> Self {
        let runs = maildrop.marked_runs();
        if runs.is_empty() {
            cx.event(Event::Quit);
            self.ok(cx, "bye");
            return self.close(cx);
        }
        cx.ask(Ask::Remove(runs));
        self.go(cx, State::Update)
    }

    pub(super) fn update_answered(
        self,
        cx: &mut Cx<Self>,
        answer: Answer,
    ) -> Result<Self, (Self, Misuse)> {
        match answer {
            Answer::Done => {
                cx.event(Event::Quit);
                self.ok(cx, "marked messages removed, bye");
            }
            Answer::Refused(refusal) => {
                cx.event(Event::Quit);
                let reason =
                    alloc::string::String::from_utf8_lossy(&super::reply::refused(&refusal, false))
                        .into_owned();
                self.err(cx, &alloc::format!("{reason}; nothing was removed"));
            }
            _ => return Err(self.wrong_answer(State::Update)),
        }
        Ok(self.close(cx))
    }
}
