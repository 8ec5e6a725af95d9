//! What a client knows of mod-sequences (RFC 7162 §3.1, §3.2.3), and which one it may take for the
//! highest that it has seen. Where each is kept is in the view; what they select is in the commands.

use alloc::vec::Vec;

use super::capability::Feature;
use super::job::Work;
use super::print;
use super::reply::Reply;
use super::state::{Selected, State};
use super::{Base, Server};
use crate::imap::grammar::{Command, FetchItem, Key, StatusItem};
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 7162 §3.1.
pub(crate) const AWARE: Rule = Rule {
    rfc: 7162,
    section: "3.1",
    gist: "Who once used CONDSTORE is told mod-sequences from then on, first the mailbox's.",
};
/// RFC 7162 §3.1.2.1.
pub(crate) const HIGHEST: Rule = Rule {
    rfc: 7162,
    section: "3.1.2.1",
    gist: "HIGHESTMODSEQ is the highest mod-sequence of the mailbox.",
};
/// RFC 7162 §6.
pub(crate) const DELAYED: Rule = Rule {
    rfc: 7162,
    section: "6",
    gist: "While EXPUNGE must wait, HIGHESTMODSEQ holds the client below it.",
};

/// What a client has shown that it understands; each includes what is before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aware {
    /// Nothing of mod-sequences.
    #[default]
    Not,
    /// RFC 7162 §3.1: it is a CONDSTORE-aware client.
    Condstore,
    /// RFC 7162 §3.2.3: it has enabled QRESYNC.
    Qresync,
}

impl Base {
    /// RFC 7162 §3.2.4: whether unasked FETCH responses carry mod-sequences.
    pub(super) fn tells_modseq(&self) -> bool {
        self.aware >= Aware::Condstore
    }

    /// RFC 7162 §3.2.3: whether QRESYNC was enabled.
    pub(super) fn has_qresync(&self) -> bool {
        self.aware == Aware::Qresync
    }

    /// RFC 7162 §3.2.10, RFC 9586 §3.6: whether VANISHED takes the place of EXPUNGE.
    pub(super) fn tells_vanished(&self) -> bool {
        self.has_qresync() || self.uid_only
    }
}

impl Work<'_> {
    /// A command has shown that the client understands this much.
    pub(crate) fn become_aware(&mut self, aware: Aware) {
        let before = self.base.aware;
        self.base.aware = before.max(aware);
        if before == Aware::Not
            && aware > Aware::Not
            && let State::Selected(open) = self.state
        {
            send_highest(self.cx, open.view.told_modseq(), &AWARE);
        }
    }
}

/// Whether a command is one that makes a client CONDSTORE-aware.
pub(crate) fn shows_awareness(command: &Command) -> bool {
    match command {
        Command::Status(_, items) => items.contains(&StatusItem::HighestModseq),
        Command::List(list) => list.return_status.contains(&StatusItem::HighestModseq),
        Command::Fetch(fetch) => {
            fetch.changed_since.is_some() || fetch.items.contains(&FetchItem::Modseq)
        }
        Command::Search(search) => has_modseq(&search.program),
        Command::Sort(sort) => has_modseq(&sort.program),
        Command::Thread(thread) => has_modseq(&thread.program),
        Command::Store(store) => store.unchanged_since.is_some(),
        _ => false,
    }
}

pub(crate) fn has_modseq(program: &[Key]) -> bool {
    program.iter().any(|key| matches!(key, Key::Modseq(_)))
}

/// `* OK [HIGHESTMODSEQ n]`
pub(crate) fn send_highest(cx: &mut Cx<Server>, modseq: u64, why: &'static Rule) {
    let reply = Reply::ok("The highest mod-sequence to keep").because(why);
    reply.with_code(highest_code(modseq)).send(cx, b"");
}

/// `HIGHESTMODSEQ n`
pub(crate) fn highest_code(modseq: u64) -> Vec<u8> {
    [b"HIGHESTMODSEQ ", &print::decimal(modseq)[..]].concat()
}

/// While something that went is not told: no higher mod-sequence than this may be kept.
pub(crate) fn send_delayed(base: &Base, open: &Selected, cx: &mut Cx<Server>) {
    if base.tells_modseq()
        && base.features.has(Feature::Condstore)
        && let Some(modseq) = open.view.delayed_modseq()
    {
        send_highest(cx, modseq, &DELAYED);
    }
}
