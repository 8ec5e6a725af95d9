//! NOTIFY (RFC 5465): which changes the client wants to hear of at any time, and those of other mailboxes that wait to be
//! told. What happens to the open mailbox is kept by `view` and told by `tell`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::capability::Feature;
use super::fetch::{self, Fetch};
use super::item::{Item, Value};
use super::items;
use super::job::{Answered, Job, Next, Work, wrong};
use super::list;
use super::print;
use super::reply::{Reply, send_untagged_ok};
use super::runs::Runs;
use super::state::State;
use super::{Base, Server};
use crate::imap::grammar::{self, EventGroup, Events, Scope, StatusItem, lex};
use crate::imap::rights::{OTHER_USERS, Rights};
use crate::imap::types::{
    Answer, Ask, Event, MailboxPage, MailboxRow, MailboxesAsk, MessagesNotice, MetadataNotice,
    NameNotice, Notice, SpecialUse,
};
use crate::limits::{NOTICES_MAX, NOTIFY_GROUPS_MAX, NOTIFY_NAMES_MAX, PAGE_ROWS_MAX};
use crate::role::Cx;
use crate::trace::Rule;
use crate::types::Misuse;

/// RFC 5465 §3.1.
pub(crate) const NOTIFY: Rule = Rule {
    rfc: 5465,
    section: "3.1",
    gist: "NOTIFY SET says which events are told from now on, also while no command runs.",
};
/// RFC 5465 §5.2.
pub(crate) const OTHERS: Rule = Rule {
    rfc: 5465,
    section: "5.2",
    gist: "What happens to messages of a mailbox that is not open is told by STATUS.",
};
/// RFC 5465 §5.4.
pub(crate) const NAMES: Rule = Rule {
    rfc: 5465,
    section: "5.4",
    gist: "A mailbox that was made, removed or renamed is told by LIST, and its parent with it.",
};
/// RFC 5465 §5.8.
pub(crate) const OVERFLOW: Rule = Rule {
    rfc: 5465,
    section: "5.8",
    gist: "A server that cannot tell so much says NOTIFICATIONOVERFLOW and tells nothing more.",
};
/// RFC 5465 §8.
pub(crate) const BAD_EVENT: Rule = Rule {
    rfc: 5465,
    section: "8",
    gist: "An event that is not supported is refused with the names of those that are.",
};

/// What the client wants to hear of.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    /// Of the mailbox that is open; nothing without it.
    selected: Option<OfSelected>,
    /// Of others.
    groups: Vec<EventGroup>,
    /// What happened to others and was not told yet.
    notices: Vec<Notice>,
    /// More happened than was kept, and the client was not told so yet.
    overflowed: bool,
}

#[derive(Debug)]
struct OfSelected {
    delayed: bool,
    messages: bool,
    flags: bool,
    /// What is told of each new message.
    items: Vec<Item>,
}

/// What is told of the open mailbox.
pub(crate) struct Wanted {
    pub(crate) messages: bool,
    pub(crate) flags: bool,
    /// RFC 5465 §6.1.1: EXPUNGE may be told whatever the client is at.
    pub(crate) expunges_at_once: bool,
}

/// Without NOTIFY all is told, at the end of commands.
pub(crate) fn of_selected(base: &Base) -> Wanted {
    let Some(notify) = &base.notify else {
        return Wanted { messages: true, flags: true, expunges_at_once: false };
    };
    match &notify.selected {
        Some(OfSelected { delayed, messages, flags, .. }) => {
            Wanted { messages: *messages, flags: *flags, expunges_at_once: *messages && !*delayed }
        }
        None => Wanted { messages: false, flags: false, expunges_at_once: false },
    }
}

/// Whether something of other mailboxes waits to be told.
pub(crate) fn has_notices(base: &Base) -> bool {
    base.notify.as_ref().is_some_and(|notify| notify.overflowed || !notify.notices.is_empty())
}

/// What of new messages the client wants to know.
pub(crate) fn new_messages(base: &Base, uids: Runs) -> Option<Box<Fetch>> {
    let selected = base.notify.as_ref()?.selected.as_ref()?;
    if uids.is_empty() || selected.items.is_empty() {
        return None;
    }
    let (mut items, end) = (selected.items.clone(), Reply::ok("Told"));
    // RFC 7162 §3.2.4: what nobody asked for comes with UID and mod-sequence. UIDFETCH has the UID in any case.
    let uid = (!base.uid_only).then_some(Value::Uid);
    for value in uid.into_iter().chain([Value::Modseq]).filter(|_| base.tells_modseq()) {
        if !items.iter().any(|item| item.is(value)) {
            items.push(Item::Value(value));
        }
    }
    Some(fetch::fetch(fetch::Wanted { uids, items, by_uid: true, changed_since: None, end }))
}

/// Whether a notice is one that the contract allows.
pub(crate) fn is_sound(notice: &Notice) -> bool {
    match notice {
        Notice::Messages(notice) => notice.row.status.is_some() && !notice.row.name.is_empty(),
        Notice::Name(NameNotice { row, .. }) | Notice::Subscription(row) => !row.name.is_empty(),
        Notice::Metadata(notice) => !notice.entries.is_empty(),
        Notice::Overflow => true,
    }
}

impl Notify {
    /// Keeps what the client wants to hear of; true if that became too much, and nothing is wanted any more.
    pub(crate) fn take_in(&mut self, notices: Vec<Notice>) -> bool {
        for notice in notices {
            match notice {
                Notice::Overflow if !self.groups.is_empty() => self.overflow(),
                notice => {
                    if let Some(notice) = self.wanted(notice) {
                        self.keep(notice);
                    }
                }
            }
            if self.overflowed {
                return true;
            }
        }
        false
    }

    /// RFC 5465 §5.8: as after NOTIFY NONE.
    fn overflow(&mut self) {
        *self = Self { overflowed: true, ..Self::default() };
    }

    fn keep(&mut self, notice: Notice) {
        if let Notice::Messages(new) = &notice {
            let same = |old: &mut Notice| match old {
                Notice::Messages(old) if old.row.name == new.row.name => {
                    let (counted, flagged) = (old.counted | new.counted, old.flagged | new.flagged);
                    *old = MessagesNotice { counted, flagged, ..new.clone() };
                    true
                }
                _ => false,
            };
            if self.notices.iter_mut().any(same) {
                return;
            }
        }
        if self.notices.len() >= NOTICES_MAX {
            return self.overflow();
        }
        self.notices.push(notice);
    }

    /// What of a notice the client wants to hear of.
    fn wanted(&self, notice: Notice) -> Option<Notice> {
        let wants = |wanted: &dyn Fn(&EventGroup) -> bool| self.groups.iter().any(wanted);
        match notice {
            Notice::Messages(MessagesNotice { row, mut counted, mut flagged }) => {
                counted &= wants(&|g| g.events.message_expunge && covers(&g.scope, &row));
                flagged &= wants(&|g| g.events.flag_change && covers(&g.scope, &row));
                let notice = MessagesNotice { row, counted, flagged };
                (counted || flagged).then_some(Notice::Messages(notice))
            }
            Notice::Name(notice) => {
                let old =
                    notice.old_name.clone().map(|name| MailboxRow { name, ..notice.row.clone() });
                let covered = |scope: &Scope| {
                    covers(scope, &notice.row) || old.as_ref().is_some_and(|row| covers(scope, row))
                };
                let wanted = wants(&|g| g.events.mailbox_name && covered(&g.scope));
                wanted.then_some(Notice::Name(notice))
            }
            Notice::Subscription(row) => {
                // RFC 5465 §6.4: one that was unsubscribed was among them until now.
                let covered = |scope: &Scope| *scope == Scope::Subscribed || covers(scope, &row);
                let wanted = wants(&|g| g.events.subscription_change && covered(&g.scope));
                wanted.then_some(Notice::Subscription(row))
            }
            Notice::Metadata(notice) => {
                let wanted = match &notice.row {
                    Some(row) => {
                        wants(&|g| g.events.mailbox_metadata_change && covers(&g.scope, row))
                    }
                    None => wants(&|g| g.events.server_metadata_change),
                };
                wanted.then_some(Notice::Metadata(notice))
            }
            Notice::Overflow => None,
        }
    }
}

/// RFC 5465 §6: whether a mailbox that is not open is meant.
pub(crate) fn covers(scope: &Scope, row: &MailboxRow) -> bool {
    let name = &row.name;
    match scope {
        Scope::Selected | Scope::SelectedDelayed => false,
        // Where deliveries go.
        Scope::Inboxes => name == b"INBOX" || row.special_uses.contains(&SpecialUse::Junk),
        Scope::Personal => !name.starts_with(OTHER_USERS),
        Scope::Subscribed => row.subscribed,
        Scope::Subtree(tops) => tops.iter().any(|top| below(top, name).is_some()),
        Scope::SubtreeOne(tops) => tops.iter().any(|top| {
            let below = below(top, name);
            below.is_some_and(|below| !below.strip_prefix(b"/").unwrap_or(below).contains(&b'/'))
        }),
        Scope::Mailboxes(names) => names.contains(name),
    }
}

/// What of a name stands behind that of a mailbox which it is, or is below of. All are below the empty name, the root.
fn below<'a>(top: &[u8], name: &'a [u8]) -> Option<&'a [u8]> {
    let below = name.strip_prefix(top)?;
    (top.is_empty() || below.is_empty() || below.starts_with(b"/")).then_some(below)
}

/// Whether a mailbox of somebody else may be meant, to which there may be no right.
fn may_name_others(group: &EventGroup) -> bool {
    let top = &OTHER_USERS[..OTHER_USERS.len() - 1];
    match &group.scope {
        Scope::Subscribed => true,
        Scope::Subtree(names) | Scope::SubtreeOne(names) | Scope::Mailboxes(names) => {
            names.iter().any(|name| name.is_empty() || name.starts_with(top))
        }
        _ => false,
    }
}

/// Tells one thing that happened to another mailbox; false if there was nothing to tell.
pub(crate) fn tell_next(work: &mut Work<'_>) -> bool {
    let Some(notify) = work.base.notify.as_deref_mut() else { return false };
    if core::mem::take(&mut notify.overflowed) {
        send_untagged_ok(
            work.cx,
            b"NOTIFICATIONOVERFLOW",
            "Too much happened, nothing more is told",
        );
        return true;
    }
    if notify.notices.is_empty() {
        return false;
    }
    let notice = notify.notices.remove(0);
    let (base, cx) = (&*work.base, &mut *work.cx);
    match notice {
        Notice::Messages(notice) => {
            // It may have been opened meanwhile.
            if !matches!(&*work.state, State::Selected(open) if open.name == notice.row.name) {
                send_status(base, cx, &notice);
            }
        }
        Notice::Name(NameNotice { row, old_name }) => {
            send_list(base, cx, &row, old_name.as_deref())
        }
        Notice::Subscription(row) => send_list(base, cx, &row, None),
        Notice::Metadata(MetadataNotice { row, entries }) => {
            let name = match &row {
                Some(row) => print::mailbox(base, &row.name),
                None => b"\"\"".to_vec(),
            };
            let mut line = [b"* METADATA ", &name[..]].concat();
            for entry in &entries {
                line.push(b' ');
                grammar::print::astring(&mut line, entry, false);
            }
            line.extend_from_slice(b"\r\n");
            lex::send(cx, &line, Some(&OTHERS));
        }
        Notice::Overflow => {}
    }
    true
}

/// RFC 5465 §5.1 to §5.3
fn send_status(base: &Base, cx: &mut Cx<Server>, notice: &MessagesNotice) {
    let Some(status) = &notice.row.status else { return };
    let mut items = Vec::new();
    if notice.counted {
        items.extend([StatusItem::Messages, StatusItem::UidNext]);
    }
    if notice.flagged {
        items.extend([StatusItem::UidValidity, StatusItem::Unseen]);
    }
    if base.tells_modseq() {
        items.push(StatusItem::HighestModseq);
    }
    lex::send(cx, &print::status(base, &notice.row.name, &items, status), Some(&OTHERS));
}

fn send_list(base: &Base, cx: &mut Cx<Server>, row: &MailboxRow, old_name: Option<&[u8]>) {
    let attributes = list::attributes(base, row, true, false).join(&b' ');
    let old = match old_name {
        Some(name) => [b" (\"OLDNAME\" (", &print::mailbox(base, name)[..], b"))"].concat(),
        None => Vec::new(),
    };
    let name = print::mailbox(base, &row.name);
    let line = print::untagged(&[b"LIST (", &attributes, b") \"/\" ", &name, &old]);
    lex::send(cx, &line, Some(&NAMES));
}

/// A NOTIFY that the host is asked for.
pub(crate) struct Setting {
    notify: Notify,
    /// STATUS: the counters are told first.
    status: bool,
    after: Option<Vec<u8>>,
    /// To be looked at, last first.
    rows: Vec<MailboxRow>,
    more: bool,
    /// Whether the host has said yes.
    watched: bool,
}

/// NOTIFY.
pub(crate) fn notify(work: &mut Work<'_>, command: grammar::Notify) -> Next {
    let (status, groups) = match command {
        grammar::Notify::None => return done(work, Notify::default()),
        grammar::Notify::Set { status, groups } => (status, groups),
    };
    if let Some(reply) = refused(work.base, &groups) {
        return Next::done(reply);
    }
    let mut notify = Notify::default();
    for EventGroup { scope, events } in groups {
        if scope.is_selected() {
            let items = events.message_new.unwrap_or_default();
            notify.selected = Some(OfSelected {
                delayed: scope == Scope::SelectedDelayed,
                messages: events.message_expunge,
                flags: events.flag_change,
                items: items.into_iter().map(items::item).collect(),
            });
        } else if events != Events::default() {
            notify.groups.push(EventGroup { scope, events });
        }
    }
    if notify.groups.is_empty() {
        return done(work, notify);
    }
    let (after, rows) = (None, Vec::new());
    let setting = Setting { notify, status, after, rows, more: true, watched: false };
    Next::Ask(Ask::Watch, Job::Notify(Box::new(setting)))
}

/// Why this is not watched.
fn refused(base: &Base, groups: &[EventGroup]) -> Option<Reply> {
    // RFC 5465 §5.6, §5.7: each belongs to the capability that it is about.
    let of_mailboxes = base.features.has(Feature::Metadata);
    let of_server = of_mailboxes || base.features.has(Feature::MetadataServer);
    let is_unknown = |events: &Events| {
        events.is_unknown
            || (events.mailbox_metadata_change && !of_mailboxes)
            || (events.server_metadata_change && !of_server)
    };
    if groups.iter().any(|group| is_unknown(&group.events)) {
        let mut code =
            b"BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange"
                .to_vec();
        if of_mailboxes {
            code.extend_from_slice(b" MailboxMetadataChange");
        }
        if of_server {
            code.extend_from_slice(b" ServerMetadataChange");
        }
        code.push(b')');
        let reply = Reply::no("", "Such an event is not told here").because(&BAD_EVENT);
        return Some(reply.with_code(code));
    }
    let names = |group: &EventGroup| match &group.scope {
        Scope::Subtree(names) | Scope::SubtreeOne(names) | Scope::Mailboxes(names) => names.len(),
        _ => 0,
    };
    let too_many = groups.len() > NOTIFY_GROUPS_MAX
        || groups.iter().map(names).sum::<usize>() > NOTIFY_NAMES_MAX;
    let reply = Reply::no("NOTIFICATIONOVERFLOW", "Too many groups, or too many names");
    too_many.then_some(reply.because(&OVERFLOW))
}

/// From now on this is told, and nothing of other mailboxes.
fn done(work: &mut Work<'_>, notify: Notify) -> Next {
    let watched = work.base.notify.as_ref().is_some_and(|old| !old.groups.is_empty());
    if watched && notify.groups.is_empty() {
        work.cx.event(Event::Unwatched);
    }
    work.base.notify = Some(Box::new(notify));
    Next::done(Reply::ok("So it will be told").because(&NOTIFY))
}

impl Setting {
    pub(crate) fn notify(&mut self) -> &mut Notify {
        &mut self.notify
    }

    pub(crate) fn answer(mut self: Box<Self>, work: &mut Work<'_>, answer: Answer) -> Answered {
        match answer {
            Answer::Done if !self.watched => {
                self.watched = true;
                self.more = self.status || self.notify.groups.iter().any(may_name_others);
                Ok(self.run(work))
            }
            Answer::Mailboxes(page) if self.watched => match self.take_page(page) {
                Ok(()) => Ok(self.run(work)),
                Err(misuse) => Err((Job::Notify(self), misuse)),
            },
            Answer::Refused(refusal) => {
                let before = work.base.notify.as_ref().is_some_and(|old| !old.groups.is_empty());
                if self.watched && !before {
                    work.cx.event(Event::Unwatched);
                }
                Ok(Next::done(Reply::refused(refusal)))
            }
            _ => wrong(Job::Notify(self)),
        }
    }

    fn take_page(&mut self, page: MailboxPage) -> Result<(), Misuse> {
        self.after = list::page_end(&page, self.after.as_deref())?;
        self.more = page.more;
        self.rows = page.rows;
        self.rows.reverse();
        Ok(())
    }

    /// Tells the counters of what is watched, as much as there is room for.
    pub(crate) fn run(mut self: Box<Self>, work: &mut Work<'_>) -> Next {
        loop {
            if work.cx.outbox_full() {
                return Next::Room(Job::Notify(self));
            }
            match self.rows.pop() {
                Some(row) => self.tell_status(work, &row),
                None if self.more => {
                    let (after, prefix) = (self.after.clone(), Vec::new());
                    let ask = MailboxesAsk { after, prefix, max: PAGE_ROWS_MAX, status: true };
                    return Next::Ask(Ask::Mailboxes(ask), Job::Notify(self));
                }
                None => return done(work, self.notify),
            }
        }
    }

    /// RFC 5465 §3.1
    fn tell_status(&self, work: &mut Work<'_>, row: &MailboxRow) {
        if row.selectable && !Rights::parse(&row.rights).unwrap_or_default().has(Rights::READ) {
            let covered = |group: &EventGroup| covers(&group.scope, row);
            if self.notify.groups.iter().any(covered) {
                let name = print::mailbox(work.base, &row.name);
                let line = print::untagged(&[b"LIST (\\NoAccess) \"/\" ", &name]);
                lex::send(work.cx, &line, Some(&NOTIFY));
            }
            return;
        }
        if !self.status {
            return;
        }
        let Some(status) = row.status.as_ref().filter(|_| row.selectable) else { return };
        if matches!(&*work.state, State::Selected(open) if open.name == row.name) {
            return;
        }
        let watched = self.notify.groups.iter().filter(|group| covers(&group.scope, row));
        let (mut messages, mut flags) = (false, false);
        for EventGroup { events, .. } in watched {
            messages |= events.message_expunge;
            flags |= events.flag_change;
        }
        if !messages {
            return;
        }
        let mut items =
            [StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity].to_vec();
        if flags && work.base.features.has(Feature::Condstore) {
            items.push(StatusItem::HighestModseq);
        }
        lex::send(work.cx, &print::status(work.base, &row.name, &items, status), Some(&NOTIFY));
    }
}
