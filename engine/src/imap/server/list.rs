//! LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 9590) and LSUB (RFC 3501 §6.3.9), page by page.
//! What a name's answer owes to names below it is known only later: such names wait on a stack of
//! their own line.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::job::{Answered, Job, Next, Work, wrong};
use super::reply::Reply;
use super::{Base, Server, acl, metadata, print};
use crate::imap::grammar::{self, StatusItem, lex, matches};
use crate::imap::rights::Rights;
use crate::imap::types::{Answer, Ask, MailboxPage, MailboxRow, MailboxesAsk, MetadataAsk};
use crate::limits::PAGE_ROWS_MAX;
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::Misuse;

use super::capability::Feature;

/// RFC 9051 §6.3.9.
pub(crate) const LIST: Rule = Rule {
    rfc: 9051,
    section: "6.3.9",
    gist: "LIST names the mailboxes that match a pattern, with their attributes.",
};
/// RFC 3501 §6.3.9.
pub(crate) const LSUB: Rule = Rule {
    rfc: 3501,
    section: "6.3.9",
    gist: "LSUB with % names a level above a subscribed name, marked \\Noselect.",
};

/// Names being told.
pub(crate) struct List {
    options: grammar::List,
    lsub: bool,
    /// Patterns with the reference before them.
    patterns: Vec<Vec<u8>>,
    prefix: Vec<u8>,
    after: Option<Vec<u8>>,
    /// To be looked at, last first.
    rows: Vec<MailboxRow>,
    more: bool,
    /// Names whose answer depends on names below; each is a beginning of the next.
    waiting: Vec<Waiting>,
    /// Names that were told and whose annotations are due, the next one last.
    annotated: Vec<Vec<u8>>,
}

struct Waiting {
    row: MailboxRow,
    /// Whether a name below is subscribed.
    child: bool,
    /// Whether one of those is not told itself.
    hidden_child: bool,
}

pub(crate) fn list(work: &mut Work<'_>, options: grammar::List) -> Next {
    // RFC 9051 §6.3.9: the empty pattern of the basic form asks for the delimiter.
    if !options.extended && options.patterns.iter().all(Vec::is_empty) {
        let line = b"* LIST (\\Noselect) \"/\" \"\"\r\n";
        lex::send(work.cx, line, Some(&LIST));
        return Next::done(Reply::ok("Listed"));
    }
    begin(options, false)
}

pub(crate) fn lsub(reference: Vec<u8>, pattern: Vec<u8>) -> Next {
    let options = grammar::List {
        reference,
        patterns: vec![pattern],
        select_subscribed: true,
        recursive_match: true,
        ..grammar::List::default()
    };
    begin(options, true)
}

fn begin(options: grammar::List, lsub: bool) -> Next {
    let patterns = options.patterns.iter().filter(|pattern| !pattern.is_empty());
    let patterns: Vec<Vec<u8>> =
        patterns.map(|pattern| [&options.reference[..], pattern].concat()).collect();
    if patterns.is_empty() {
        return Next::done(Reply::ok("Listed"));
    }
    let prefix = if let [pattern] = &patterns[..] { literal_prefix(pattern) } else { b"" };
    let prefix = prefix.to_vec();
    let job = List {
        options,
        lsub,
        patterns,
        prefix,
        after: None,
        rows: Vec::new(),
        more: true,
        waiting: Vec::new(),
        annotated: Vec::new(),
    };
    Box::new(job).ask()
}

/// What every name that matches begins with.
fn literal_prefix(pattern: &[u8]) -> &[u8] {
    let end = pattern.iter().position(|octet| matches!(octet, b'*' | b'%'));
    let prefix = &pattern[..end.unwrap_or(pattern.len())];
    // INBOX matches in any case, so its beginning in another case is none.
    let shared = prefix.len().min(5);
    if prefix[..shared].eq_ignore_ascii_case(&b"INBOX"[..shared]) { b"" } else { prefix }
}

impl List {
    fn ask(self: Box<Self>) -> Next {
        let ask = MailboxesAsk {
            after: self.after.clone(),
            prefix: self.prefix.clone(),
            max: PAGE_ROWS_MAX,
            status: !self.options.return_status.is_empty(),
        };
        Next::Ask(Ask::Mailboxes(ask), Job::List(self))
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Mailboxes(page) if self.annotated.is_empty() => match self.take_page(page) {
                Ok(()) => Ok(self.run(work)),
                Err(misuse) => Err((Job::List(self), misuse)),
            },
            Answer::Metadata(entries) if !self.annotated.is_empty() => {
                let name = self.annotated.pop().unwrap_or_default();
                metadata::send_listed(work, &name, &self.options.return_metadata, entries);
                Ok(self.run(work))
            }
            // It is gone, or its annotations are not for this user: LIST goes on.
            Answer::Refused(_) if !self.annotated.is_empty() => {
                self.annotated.pop();
                Ok(self.run(work))
            }
            Answer::Refused(refusal) => Ok(Next::done(Reply::refused(refusal))),
            _ => wrong(Job::List(self)),
        }
    }

    fn take_page(&mut self, page: MailboxPage) -> Result<(), Misuse> {
        self.after = page_end(&page, self.after.as_deref())?;
        self.more = page.more;
        self.rows = page.rows;
        self.rows.reverse();
        Ok(())
    }

    /// Tells as much as there is room for.
    pub(crate) fn run(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        loop {
            if work.cx.outbox_full() {
                return Next::Room(Job::List(self));
            }
            if let Some(name) = self.annotated.last() {
                let (name, read) = (name.clone(), self.options.return_metadata.clone());
                let ask = MetadataAsk { name, read, depth: 0, write: Vec::new() };
                return Next::Ask(Ask::Metadata(ask), Job::List(self));
            }
            match self.rows.pop() {
                Some(row) => self.look_at(work, row),
                None if self.more => return self.ask(),
                None => match self.waiting.pop() {
                    Some(waiting) => self.tell_waiting(work, &waiting),
                    None => return Next::done(Reply::ok("Listed")),
                },
            }
        }
    }

    fn is_wanted(&self, name: &[u8]) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, name))
    }

    fn look_at(&mut self, work: &mut Work<'_>, row: MailboxRow) {
        if self.options.recursive_match {
            self.look_at_tree(work, row);
            return;
        }
        let selected = if self.options.select_subscribed { row.subscribed } else { row.exists };
        let used = !self.options.select_special_use || !row.special_uses.is_empty();
        if selected && used && self.is_wanted(&row.name) {
            self.tell(work, &row, false);
        }
    }

    /// RFC 9051 §6.3.9.6: a name above subscribed ones is told with them, even if it is not
    /// subscribed itself.
    fn look_at_tree(&mut self, work: &mut Work<'_>, row: MailboxRow) {
        while let Some(last) = self.waiting.pop() {
            if row.name.starts_with(&last.row.name) {
                self.waiting.push(last);
                break;
            }
            self.tell_waiting(work, &last);
        }
        let wanted = self.is_wanted(&row.name);
        if self.is_selected(&row) {
            self.add_missing_levels(&row);
            for above in &mut self.waiting {
                if row.name.get(above.row.name.len()) == Some(&b'/') {
                    above.child = true;
                    above.hidden_child |= !wanted;
                }
            }
        }
        if wanted {
            self.waiting.push(Waiting { row, child: false, hidden_child: false });
        }
    }

    fn is_selected(&self, row: &MailboxRow) -> bool {
        let used = !self.options.select_special_use || !row.special_uses.is_empty();
        row.subscribed && used
    }

    /// Levels above a name that no row told of, since no mailbox is there.
    fn add_missing_levels(&mut self, below: &MailboxRow) {
        let name = &below.name;
        let levels = name.iter().enumerate().filter(|(_, octet)| **octet == b'/');
        for (end, _) in levels {
            let level = &name[..end];
            let at = self.waiting.partition_point(|waiting| waiting.row.name.len() < end);
            let known = self.waiting.get(at).is_some_and(|waiting| waiting.row.name.len() == end);
            if !known && self.is_wanted(level) {
                let row = MailboxRow {
                    name: level.to_vec(),
                    // RFC 5258 §5, example 10: what is only subscribed is no child.
                    has_children: below.exists || below.has_children,
                    ..MailboxRow::default()
                };
                self.waiting.insert(at, Waiting { row, child: false, hidden_child: false });
            }
        }
    }

    fn tell_waiting(&mut self, work: &mut Work<'_>, waiting: &Waiting) {
        if self.is_selected(&waiting.row) {
            self.tell(work, &waiting.row, waiting.child);
        } else if waiting.hidden_child {
            self.tell(work, &waiting.row, true);
        }
    }

    fn tell(&mut self, work: &mut Work<'_>, row: &MailboxRow, child: bool) {
        let base = &*work.base;
        let name = print::mailbox(base, &row.name);
        let attributes = self.attributes(base, row).join(&b' ');
        let (word, rule) =
            if self.lsub { (&b"LSUB ("[..], &LSUB) } else { (&b"LIST ("[..], &LIST) };
        let info: &[u8] =
            if child && !self.lsub { b" (\"CHILDINFO\" (\"SUBSCRIBED\"))" } else { b"" };
        let line = print::untagged(&[word, &attributes, b") \"/\" ", &name, info]);
        lex::send(work.cx, &line, Some(rule));
        // RFC 8440 §3
        if self.options.return_rights && !row.rights.is_empty() {
            let rights = Rights::parse(&row.rights).unwrap_or_default();
            lex::send(work.cx, &acl::my_rights(work, &row.name, rights), Some(&acl::MY_RIGHTS));
        }
        self.tell_status(work.base, work.cx, row);
        if !self.options.return_metadata.is_empty() && row.selectable {
            self.annotated.insert(0, row.name.clone());
        }
    }

    /// RFC 5819 §2
    fn tell_status(&self, base: &Base, cx: &mut Cx<Server>, row: &MailboxRow) {
        let items: &[StatusItem] = &self.options.return_status;
        if let Some(status) = row.status.as_ref().filter(|_| !items.is_empty() && row.selectable) {
            lex::send(cx, &print::status(base, &row.name, items, status), None);
        }
    }

    /// RFC 9051 §7.3.1
    fn attributes(&self, base: &Base, row: &MailboxRow) -> Vec<&'static [u8]> {
        if self.lsub {
            // RFC 3501 §6.3.9: a name that is told only for those below it.
            let only_below = !row.subscribed || !row.selectable;
            return if only_below { vec![b"\\Noselect"] } else { vec![] };
        }
        let subscribed = self.options.select_subscribed || self.options.return_subscribed;
        attributes(base, row, subscribed, self.options.return_children)
    }
}

/// The attributes of a name (RFC 9051 §7.3.1), \Subscribed and those of names below it where they are wanted.
pub(crate) fn attributes(
    base: &Base,
    row: &MailboxRow,
    subscribed: bool,
    children: bool,
) -> Vec<&'static [u8]> {
    let mut attributes: Vec<&'static [u8]> = Vec::new();
    if !row.exists {
        attributes.push(b"\\NonExistent");
    } else if !row.selectable {
        attributes.push(b"\\Noselect");
    }
    if subscribed && row.subscribed {
        attributes.push(b"\\Subscribed");
    }
    if base.features.has(Feature::Children) || children {
        let has = row.has_children;
        attributes.push(if has { b"\\HasChildren" } else { b"\\HasNoChildren" });
    }
    if base.features.has(Feature::SpecialUse) {
        let uses = row.special_uses.iter();
        attributes.extend(uses.map(|&used| grammar::print::special_use(used).as_bytes()));
    }
    attributes
}

/// The last name of a page, if it is one that the contract allows after this name.
pub(crate) fn page_end(
    page: &MailboxPage,
    after: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, Misuse> {
    let ascending = page.rows.windows(2).all(|pair| pair[0].name < pair[1].name);
    let ahead = match page.rows.first() {
        Some(first) => after.is_none_or(|after| &first.name[..] > after),
        None => !page.more,
    };
    if !ascending || !ahead {
        return Err(Misuse::BadValue);
    }
    Ok(page.rows.last().map(|row| row.name.clone()))
}
