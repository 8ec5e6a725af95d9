//! Calls as commands: which line says what the host wants, and whether the server offers it.
//! Values are checked before; what a line leads to is left to `calls`.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use super::line::Line;
use super::offer::Offered;
use super::program::{self, is_keyword};
use super::types::{
    AppendMessage, AssemblePart, Command, FetchSection, ListCommand, MetadataCommand, NotifyEvent,
    NotifyGroup, NotifyScope, Places, RightsCommand, SearchScope, SelectCommand, SortKey,
    StoredPart, ThreadAlgorithm,
};
use super::wording::{self, Charset, put_set};
use crate::imap::grammar::print;
use crate::imap::types::{Flags, UidRun};
use crate::limits::{URL_OCTETS_MAX, URLS_MAX};

/// Octets of a set, and of all other text of a command: RFC 2683 §3.2.1.5 has servers take 8,000.
const SET_MAX: usize = 7000;
const LINE_MAX: usize = 60_000;
/// Parts of a message that is put together.
const PARTS_MAX: usize = 100;
/// Languages of one command, and octets of the name of one.
const LANGUAGES_MAX: usize = 20;
const LANGUAGE_MAX: usize = 64;
/// Octets of a mailbox's name.
const NAME_MAX: usize = 1000;

/// What a call says, and what to say when that went well.
pub(super) struct Lines {
    pub(super) first: Line,
    pub(super) then: VecDeque<Line>,
}

/// Whether a command's values are within their bounds.
pub(super) fn is_right(command: &Command) -> bool {
    let everything = Offered::everything();
    let right = match command {
        Command::Select(SelectCommand { name, known, .. }) => {
            right_name(name)
                && known.as_ref().is_none_or(|known| {
                    known.uid_validity > 0 && (known.uids.is_empty() || right_set(&known.uids))
                })
        }
        Command::List(ListCommand { pattern, .. }) => right_name(pattern),
        Command::Status(name)
        | Command::Delete(name)
        | Command::Subscribe(name)
        | Command::Unsubscribe(name) => right_name(name),
        Command::Create(create) => right_name(&create.name),
        Command::Rename(rename) => right_name(&rename.from) && right_name(&rename.to),
        Command::Fetch(fetch) => {
            let section = |section: &FetchSection| {
                right_section(&section.section) && section.part.is_none_or(|part| part.length > 0)
            };
            right_set(&fetch.uids)
                && fetch.sections.iter().all(section)
                && fetch.places.is_none_or(right_places)
        }
        Command::Store(store) => right_set(&store.uids) && right_flags(&store.flags),
        Command::Copy(copy) => right_set(&copy.uids) && right_name(&copy.to),
        Command::Expunge(uids) => right_set(uids),
        Command::Search(search) => {
            let plain = search.places.is_none() && !search.relevancy;
            program::is_right(&search.keys)
                && (plain || !search.summary)
                && (!search.update || search.places.is_none())
                && search.places.is_none_or(right_places)
                && (!search.relevancy || program::is_fuzzy(&search.keys))
        }
        Command::MultiSearch(search) => {
            program::is_right(&search.keys)
                && !search.scopes.is_empty()
                && search.scopes.iter().all(right_scope)
                && (!search.relevancy || (!search.summary && program::is_fuzzy(&search.keys)))
        }
        Command::Sort(sort) => {
            let by_score = sort.by.iter().any(|by| by.key == SortKey::Relevancy);
            !sort.by.is_empty()
                && program::is_right(&sort.keys)
                && (!by_score || program::is_fuzzy(&sort.keys))
        }
        Command::Thread(thread) => program::is_right(&thread.keys),
        Command::Append(append) => {
            right_name(&append.name) && right_flags(&append.flags) && append.replaces != Some(0)
        }
        Command::AppendAll(append) => {
            let right = |message: &AppendMessage| right_flags(&message.flags);
            right_name(&append.name)
                && (1..=PARTS_MAX).contains(&append.messages.len())
                && append.messages.iter().all(right)
        }
        Command::Assemble(assemble) => {
            right_name(&assemble.name)
                && right_flags(&assemble.flags)
                && (1..=PARTS_MAX).contains(&assemble.parts.len())
                && assemble.parts.iter().all(right_part)
                && assemble.replaces != Some(0)
        }
        Command::Notify(groups) => groups.iter().all(right_group),
        Command::Quota(quota) => {
            right_text(&quota.name) && quota.set.iter().all(|limit| is_keyword(&limit.resource))
        }
        Command::Rights(RightsCommand { name, change }) => {
            let right = |letters: &[u8]| letters.iter().all(u8::is_ascii_alphanumeric);
            right_name(name)
                && change
                    .as_ref()
                    .is_none_or(|change| right_text(&change.identifier) && right(&change.rights))
        }
        Command::ListRights(list) => right_name(&list.name) && right_text(&list.identifier),
        Command::AuthorizeUrls(urls) | Command::FetchUrls(urls) => {
            (1..=URLS_MAX).contains(&urls.len()) && urls.iter().all(|url| right_url(url))
        }
        Command::ResetKey(name) => name.as_deref().is_none_or(right_name),
        Command::Language(names) => {
            names.len() <= LANGUAGES_MAX && names.iter().all(|name| right_language(name))
        }
        Command::Metadata(MetadataCommand { name, read, depth, value_max, write }) => {
            let entry = |entry: &[u8]| entry.starts_with(b"/") && entry.iter().all(is_entry);
            (name.is_empty() || right_name(name))
                && (read.is_empty() != write.is_empty())
                && (write.is_empty() || (*depth == 0 && value_max.is_none()))
                && [0, 1, u32::MAX].contains(depth)
                && read.iter().all(|read| entry(read))
                && write.iter().all(|write| {
                    entry(&write.entry) && write.value.as_deref().is_none_or(right_text)
                })
        }
        _ => true,
    };
    right && lines(command, &everything, false).is_none_or(|lines| lines.first.length() <= LINE_MAX)
}

/// What says this; `None` if the server does not offer it. `qresync`: whether QRESYNC is enabled.
pub(super) fn lines(command: &Command, offered: &Offered, qresync: bool) -> Option<Lines> {
    let mut then = VecDeque::new();
    let first = match command {
        Command::Copy(command) => wording::copy(command, offered, &mut then),
        Command::Rights(command) => {
            offered.has("ACL").then_some(())?;
            wording::rights(command, offered, &mut then)
        }
        command => of_mailboxes(command, offered, qresync)
            .or_else(|| of_messages(command, offered, qresync))
            .or_else(|| of_session(command, offered))?,
    };
    Some(Lines { first, then })
}

/// Commands about mailboxes.
fn of_mailboxes(command: &Command, offered: &Offered, qresync: bool) -> Option<Line> {
    let named = |verb: &str, name: &[u8]| {
        let mut line = Line::new(verb);
        line.mailbox(name, offered.utf8);
        line
    };
    Some(match command {
        Command::Select(command) => wording::select(command, offered, qresync),
        Command::List(command) => wording::list(command, offered)?,
        Command::Status(name) => {
            let mut line = named("STATUS ", name);
            line.text(b" ");
            line.text(&wording::status_items(offered));
            line
        }
        Command::Create(command) => {
            let mut line = named("CREATE ", &command.name);
            if !command.special_uses.is_empty() {
                offered.has("CREATE-SPECIAL-USE").then_some(())?;
                let uses: Vec<&str> =
                    command.special_uses.iter().map(|one| print::special_use(*one)).collect();
                line.text(format!(" (USE ({}))", uses.join(" ")).as_bytes());
            }
            line
        }
        Command::Delete(name) => named("DELETE ", name),
        Command::Rename(command) => {
            let mut line = named("RENAME ", &command.from);
            line.append(named(" ", &command.to));
            line
        }
        Command::Subscribe(name) => named("SUBSCRIBE ", name),
        Command::Unsubscribe(name) => named("UNSUBSCRIBE ", name),
        Command::Quota(command) => {
            offered.has("QUOTA").then_some(())?;
            wording::quota(command, offered)
        }
        Command::ListRights(command) => {
            offered.has("ACL").then_some(())?;
            wording::list_rights(command, offered)
        }
        Command::Metadata(command) => {
            let server = command.name.is_empty() && offered.has("METADATA-SERVER");
            (server || offered.has("METADATA")).then_some(())?;
            wording::metadata(command, offered)
        }
        Command::Append(command) => wording::append(command, offered)?,
        Command::AppendAll(command) => wording::append_all(command, offered)?,
        Command::Assemble(command) => wording::assemble(command, offered)?,
        _ => return None,
    })
}

/// Commands about messages of the open mailbox.
fn of_messages(command: &Command, offered: &Offered, qresync: bool) -> Option<Line> {
    match command {
        Command::Fetch(command) => wording::fetch(command, offered, qresync),
        Command::Store(command) => wording::store(command, offered),
        Command::Expunge(uids) => {
            offered.has("UIDPLUS").then(|| wording::with_set("UID EXPUNGE ", uids))
        }
        Command::Search(command) => wording::search(command, offered),
        Command::MultiSearch(command) => wording::multi_search(command, offered),
        Command::Sort(command) => wording::sort(command, offered),
        Command::Thread(command) => {
            let name = match command.algorithm {
                ThreadAlgorithm::OrderedSubject => "ORDEREDSUBJECT",
                ThreadAlgorithm::References => "REFERENCES",
            };
            offered.has(&format!("THREAD={name}")).then_some(())?;
            let verb = format!("UID THREAD {name} ");
            wording::searched(&verb, &command.keys, offered, Charset::Always)
        }
        _ => None,
    }
}

/// Commands about the session itself.
fn of_session(command: &Command, offered: &Offered) -> Option<Line> {
    let word = |name: &str| offered.has(name).then(|| Line::new(name));
    match command {
        Command::Unselect => word("UNSELECT"),
        Command::Namespace => word("NAMESPACE"),
        Command::Idle => word("IDLE"),
        Command::Notify(groups) => offered.has("NOTIFY").then(|| wording::notify(groups, offered)),
        Command::Unauthenticate => word("UNAUTHENTICATE"),
        Command::Compress => offered.has("COMPRESS=DEFLATE").then(|| Line::new("COMPRESS DEFLATE")),
        Command::AuthorizeUrls(urls) => {
            offered.has("URLAUTH").then(|| wording::authorize_urls(urls))
        }
        Command::ResetKey(name) => {
            offered.has("URLAUTH").then(|| wording::reset_key(name.as_deref(), offered))
        }
        Command::FetchUrls(urls) => offered.has("URLAUTH").then(|| wording::fetch_urls(urls)),
        Command::Language(names) => offered.has("LANGUAGE").then(|| wording::language(names)),
        Command::Close => Some(Line::new("CLOSE")),
        Command::Noop => Some(Line::new("NOOP")),
        Command::Logout => Some(Line::new("LOGOUT")),
        // It is no command, but ends one.
        Command::DoneIdling => Some(Line::default()),
        _ => None,
    }
}

pub(super) fn right_set(uids: &[UidRun]) -> bool {
    let mut line = Line::default();
    put_set(&mut line, uids);
    !uids.is_empty()
        && uids.iter().all(|run| 0 < run.first && run.first <= run.last)
        && line.length() <= SET_MAX
}

/// What can be a string at all: no NUL.
pub(super) fn right_text(text: &[u8]) -> bool {
    !text.contains(&0)
}

fn right_name(name: &[u8]) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && right_text(name) && core::str::from_utf8(name).is_ok()
}

fn right_url(url: &[u8]) -> bool {
    (1..=URL_OCTETS_MAX).contains(&url.len()) && right_text(url)
}

fn right_section(section: &[u8]) -> bool {
    let plain = |octet: &u8| (b' '..=b'~').contains(octet) && !b"[]\"{}\\".contains(octet);
    section.len() <= NAME_MAX && section.iter().all(plain)
}

fn right_flags(flags: &Flags) -> bool {
    flags.system < 32 && flags.keywords.iter().all(|keyword| is_keyword(keyword))
}

/// `language-range` (RFC 4647 §2.1)
fn right_language(name: &[u8]) -> bool {
    let plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"-*".contains(octet);
    (1..=LANGUAGE_MAX).contains(&name.len()) && name.iter().all(plain)
}

fn right_places(places: Places) -> bool {
    0 < places.first && places.first <= places.last
}

fn right_scope(scope: &SearchScope) -> bool {
    match scope {
        SearchScope::Subtree(names)
        | SearchScope::SubtreeOne(names)
        | SearchScope::Mailboxes(names) => {
            !names.is_empty() && names.iter().all(|name| right_name(name))
        }
        _ => true,
    }
}

fn right_part(part: &AssemblePart) -> bool {
    match part {
        AssemblePart::Stored(StoredPart { mailbox, uid, section, .. }) => {
            right_name(mailbox) && *uid > 0 && right_section(section)
        }
        AssemblePart::Sent(own) => own.size > 0,
    }
}

fn right_group(group: &NotifyGroup) -> bool {
    let has = |event| group.events.contains(&event);
    let names = match &group.scope {
        NotifyScope::Subtree(names) | NotifyScope::Mailboxes(names) => {
            !names.is_empty() && names.iter().all(|name| right_name(name))
        }
        _ => true,
    };
    // RFC 5465 §5: the two make sense together alone.
    names && has(NotifyEvent::MessageNew) == has(NotifyEvent::MessageExpunge)
}

fn is_entry(octet: &u8) -> bool {
    octet.is_ascii_graphic() && !b"(){}%*\"\\".contains(octet)
}
