//! The states of RFC 9051 §3, each owning only what is true in it.
//! What a command does within a state is in the command's own file.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::context::Contexts;
use super::runs::Runs;
use super::view::View;
use super::{Server, print};
use crate::imap::grammar::lex;
use crate::imap::types::Flags;
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 9051 §7.3.5.
pub(crate) const FLAGS: Rule = Rule {
    rfc: 9051,
    section: "7.3.5",
    gist: "FLAGS names the flags and keywords that this mailbox knows.",
};

/// Keywords told in FLAGS; of more, clients learn from FETCH.
const KEYWORDS_MAX: usize = 256;

/// Runs of UIDs that are many: such a set, and those that a command makes of it, take a few hundred
/// kilobytes each.
const GAPS_MANY: usize = 16_384;

/// RFC 9051 §3.
#[derive(Debug)]
pub(crate) enum State {
    /// §3.1
    NotAuthenticated,
    /// §3.2
    Authenticated,
    /// §3.3
    Selected(Box<Selected>),
    /// §3.4
    Logout,
}

impl State {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::NotAuthenticated => "not authenticated",
            Self::Authenticated => "authenticated",
            Self::Selected(_) => "selected",
            Self::Logout => "logout",
        }
    }
}

/// The open mailbox.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) name: Vec<u8>,
    pub(crate) uid_validity: u32,
    /// RFC 9051 §2.3.1.1, when it was opened.
    pub(crate) uid_next: u32,
    pub(crate) read_only: bool,
    pub(crate) view: View,
    /// As FLAGS told them.
    pub(crate) keywords: Vec<Vec<u8>>,
    /// RFC 9051 §6.4.4.1: the search result variable.
    pub(crate) saved: Runs,
    /// RFC 5267: searches that are kept up to date.
    pub(crate) contexts: Contexts,
    /// RFC 7162 §3.2.7: the next OK gives the mod-sequence that goes with what was told to be gone.
    pub(crate) owes_highest: bool,
}

impl Selected {
    /// The highest UID that any message of this mailbox is known to have had.
    pub(crate) fn uid_last(&self) -> u32 {
        self.view.uids().last().unwrap_or(0).max(self.uid_next.saturating_sub(1))
    }

    /// Whether this mailbox has so many gaps that knowing its UIDs takes much of a session's memory.
    pub(crate) fn is_full_of_gaps(&self) -> bool {
        self.view.uids().as_slice().len() > GAPS_MANY
    }

    /// Tells FLAGS again if these flags hold a keyword that was not told before.
    pub(crate) fn learn_keywords(&mut self, cx: &mut Cx<Server>, flags: &Flags) {
        let mut learnt = false;
        for keyword in &flags.keywords {
            let known = self.keywords.iter().any(|known| known.eq_ignore_ascii_case(keyword));
            if !known && self.keywords.len() < KEYWORDS_MAX {
                self.keywords.push(keyword.clone());
                learnt = true;
            }
        }
        if learnt {
            self.send_flags(cx);
        }
    }

    /// FLAGS as they are known now.
    pub(crate) fn send_flags(&self, cx: &mut Cx<Server>) {
        let all = Flags { system: print::SYSTEM_FLAGS_ALL, keywords: self.keywords.clone() };
        let list = print::flags(&all, false);
        lex::send(cx, &print::untagged(&[b"FLAGS ", &list]), Some(&FLAGS));
    }
}
