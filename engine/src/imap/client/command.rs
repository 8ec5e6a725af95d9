//! Calls as commands: which line says what the host wants, and whether the server offers it.
//! Values are checked before; what a line leads to is left to `calls`.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use super::line::{Line, Message, Segment};
use super::offer::Offered;
use super::program::{self, Wrong, is_keyword, program};
use super::types::{
    AppendCommand, Command, CopyCommand, FetchCommand, FetchSection, ListCommand, MetadataCommand,
    NotifyEvent, NotifyGroup, NotifyScope, QuotaCommand, RightsCommand, SelectCommand, SortKey,
    StoreCommand, ThreadAlgorithm,
};
use crate::imap::grammar::print;
use crate::imap::types::{Flags, SearchKey, StoreMode, UidRun};

/// Octets of a set, and of all other text of a command: RFC 2683 §3.2.1.5 has servers take 8,000.
const SET_MAX: usize = 7000;
const LINE_MAX: usize = 60_000;
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
            right_set(&fetch.uids) && fetch.sections.iter().all(section)
        }
        Command::Store(store) => right_set(&store.uids) && right_flags(&store.flags),
        Command::Copy(copy) => right_set(&copy.uids) && right_name(&copy.to),
        Command::Expunge(uids) => right_set(uids),
        Command::Search(search) => program::is_right(&search.keys),
        Command::Sort(sort) => !sort.by.is_empty() && program::is_right(&sort.keys),
        Command::Thread(thread) => program::is_right(&thread.keys),
        Command::Append(append) => right_name(&append.name) && right_flags(&append.flags),
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
        Command::Metadata(MetadataCommand { name, read, write }) => {
            let entry = |entry: &[u8]| entry.starts_with(b"/") && entry.iter().all(is_entry);
            (name.is_empty() || right_name(name))
                && (read.is_empty() != write.is_empty())
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
    let has = |name: &str| offered.has(name).then_some(());
    let named = |verb: &str, name: &[u8]| {
        let mut line = Line::new(verb);
        line.mailbox(name, offered.utf8);
        line
    };
    let mut then = VecDeque::new();
    let first = match command {
        Command::Select(command) => select(command, offered, qresync),
        Command::Unselect => {
            has("UNSELECT")?;
            Line::new("UNSELECT")
        }
        Command::Close => Line::new("CLOSE"),
        Command::List(command) => list(command, offered)?,
        Command::Status(name) => {
            let mut line = named("STATUS ", name);
            line.text(b" ");
            line.text(&status_items(offered));
            line
        }
        Command::Create(command) => {
            let mut line = named("CREATE ", &command.name);
            if !command.special_uses.is_empty() {
                has("CREATE-SPECIAL-USE")?;
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
        Command::Namespace => {
            has("NAMESPACE")?;
            Line::new("NAMESPACE")
        }
        Command::Fetch(command) => fetch(command, offered, qresync)?,
        Command::Store(command) => store(command, offered)?,
        Command::Copy(command) => copy(command, offered, &mut then),
        Command::Expunge(uids) => {
            has("UIDPLUS")?;
            with_set("UID EXPUNGE ", uids)
        }
        Command::Search(command) => {
            let wanted = match (offered.has("ESEARCH"), command.summary) {
                (false, _) => "UID SEARCH ",
                (true, true) => "UID SEARCH RETURN (MIN MAX COUNT) ",
                (true, false) => "UID SEARCH RETURN (MIN MAX COUNT ALL) ",
            };
            searched(wanted, &command.keys, offered, Charset::IfNeeded)?
        }
        Command::Sort(command) => {
            has("SORT")?;
            let mut keys = Vec::new();
            for by in &command.by {
                let display = matches!(by.key, SortKey::DisplayFrom | SortKey::DisplayTo);
                if display {
                    has("SORT=DISPLAY")?;
                }
                keys.extend(by.reverse.then_some("REVERSE"));
                keys.push(sort_key(by.key));
            }
            let verb = format!("UID SORT ({}) ", keys.join(" "));
            searched(&verb, &command.keys, offered, Charset::Always)?
        }
        Command::Thread(command) => {
            let name = match command.algorithm {
                ThreadAlgorithm::OrderedSubject => "ORDEREDSUBJECT",
                ThreadAlgorithm::References => "REFERENCES",
            };
            has(&format!("THREAD={name}"))?;
            let verb = format!("UID THREAD {name} ");
            searched(&verb, &command.keys, offered, Charset::Always)?
        }
        Command::Append(command) => append(command, offered)?,
        Command::Idle => {
            has("IDLE")?;
            Line::new("IDLE")
        }
        Command::Notify(groups) => {
            has("NOTIFY")?;
            notify(groups, offered)
        }
        Command::Noop => Line::new("NOOP"),
        Command::Quota(command) => {
            has("QUOTA")?;
            quota(command, offered)
        }
        Command::Rights(command) => {
            has("ACL")?;
            rights(command, offered, &mut then)
        }
        Command::Metadata(command) => {
            let server = command.name.is_empty() && offered.has("METADATA-SERVER");
            if !server {
                has("METADATA")?;
            }
            metadata(command, offered)
        }
        Command::Logout => Line::new("LOGOUT"),
        // It is no command, but ends one.
        Command::DoneIdling => Line::default(),
    };
    Some(Lines { first, then })
}

fn select(command: &SelectCommand, offered: &Offered, qresync: bool) -> Line {
    let mut line = Line::new(if command.read_only { "EXAMINE " } else { "SELECT " });
    line.mailbox(&command.name, offered.utf8);
    match &command.known {
        Some(known) if qresync => {
            let (validity, modseq) = (known.uid_validity, known.modseq.max(1));
            line.text(format!(" (QRESYNC ({validity} {modseq}").as_bytes());
            if !known.uids.is_empty() {
                line.text(b" ");
                put_set(&mut line, &known.uids);
            }
            line.text(b"))");
        }
        // RFC 7162 §3.1: with QRESYNC enabled mod-sequences are told anyway.
        _ if offered.has("CONDSTORE") && !qresync => line.text(b" (CONDSTORE)"),
        _ => {}
    }
    line
}

fn list(command: &ListCommand, offered: &Offered) -> Option<Line> {
    let extended = offered.has("LIST-EXTENDED");
    let mut line = match (command.subscribed, command.special_use) {
        (false, false) => Line::new("LIST "),
        (true, false) if extended => Line::new("LIST (SUBSCRIBED) "),
        (true, false) => Line::new("LSUB "),
        (subscribed, true) => {
            if !extended || !offered.has("SPECIAL-USE") {
                return None;
            }
            Line::new(if subscribed {
                "LIST (SUBSCRIBED SPECIAL-USE) "
            } else {
                "LIST (SPECIAL-USE) "
            })
        }
    };
    line.text(b"\"\" ");
    line.mailbox(&command.pattern, offered.utf8);
    if !extended {
        return Some(line);
    }
    line.text(b" RETURN (SUBSCRIBED CHILDREN");
    if offered.has("SPECIAL-USE") {
        line.text(b" SPECIAL-USE");
    }
    if command.status && offered.has("LIST-STATUS") {
        line.text(b" STATUS ");
        line.text(&status_items(offered));
    }
    line.text(b")");
    Some(line)
}

/// All counters that the server knows.
fn status_items(offered: &Offered) -> Vec<u8> {
    let mut items = b"(MESSAGES UIDNEXT UIDVALIDITY UNSEEN".to_vec();
    for (has, item) in [
        (!offered.rev2, &b" RECENT"[..]),
        (offered.rev2, b" DELETED"),
        (offered.has("STATUS=SIZE"), b" SIZE"),
        (offered.has("CONDSTORE"), b" HIGHESTMODSEQ"),
        (offered.has("OBJECTID"), b" MAILBOXID"),
    ] {
        if has {
            items.extend_from_slice(item);
        }
    }
    items.push(b')');
    items
}

fn fetch(command: &FetchCommand, offered: &Offered, qresync: bool) -> Option<Line> {
    let mut line = with_set("UID FETCH ", &command.uids);
    let condstore = offered.has("CONDSTORE");
    let mut items: Vec<Vec<u8>> = alloc::vec![b"UID".to_vec()];
    let mut want = |wanted: bool, item: &[u8]| {
        if wanted {
            items.push(item.to_vec());
        }
    };
    want(command.with_flags, b"FLAGS");
    want(command.with_flags && condstore, b"MODSEQ");
    want(command.with_facts, b"INTERNALDATE");
    want(command.with_facts, b"RFC822.SIZE");
    want(command.with_facts && offered.has("OBJECTID"), b"EMAILID");
    want(command.with_facts && offered.has("OBJECTID"), b"THREADID");
    want(command.with_envelope, b"ENVELOPE");
    want(command.with_structure, b"BODYSTRUCTURE");
    want(command.with_preview && offered.has("PREVIEW"), b"PREVIEW");
    for FetchSection { section, binary, part } in &command.sections {
        if *binary && !offered.has("BINARY") {
            return None;
        }
        let name: &[u8] = if *binary { b"BINARY.PEEK[" } else { b"BODY.PEEK[" };
        let mut item = [name, section, b"]"].concat();
        if let Some(part) = part {
            item.extend_from_slice(format!("<{}.{}>", part.offset, part.length).as_bytes());
        }
        items.push(item);
    }
    line.text(b" (");
    line.text(&items.join(&b' '));
    line.text(b")");
    if let Some(modseq) = command.changed_since {
        if !condstore || (command.vanished && !qresync) {
            return None;
        }
        let vanished = if command.vanished { " VANISHED" } else { "" };
        line.text(format!(" (CHANGEDSINCE {modseq}{vanished})").as_bytes());
    }
    Some(line)
}

fn store(command: &StoreCommand, offered: &Offered) -> Option<Line> {
    let mut line = with_set("UID STORE ", &command.uids);
    if let Some(modseq) = command.unchanged_since {
        offered.has("CONDSTORE").then_some(())?;
        line.text(format!(" (UNCHANGEDSINCE {modseq})").as_bytes());
    }
    let mode = match command.mode {
        StoreMode::Replace => " FLAGS",
        StoreMode::Add => " +FLAGS",
        StoreMode::Remove => " -FLAGS",
    };
    line.text(mode.as_bytes());
    line.text(if command.silent { b".SILENT " } else { b" " });
    put_flags(&mut line, &command.flags);
    Some(line)
}

/// COPY, MOVE, or what RFC 6851 §1 says that clients do without MOVE.
fn copy(command: &CopyCommand, offered: &Offered, then: &mut VecDeque<Line>) -> Line {
    let by_move = command.remove && offered.has("MOVE");
    let mut line = with_set(if by_move { "UID MOVE " } else { "UID COPY " }, &command.uids);
    line.text(b" ");
    line.mailbox(&command.to, offered.utf8);
    if command.remove && !by_move {
        let mut mark = with_set("UID STORE ", &command.uids);
        mark.text(b" +FLAGS.SILENT (\\Deleted)");
        then.push_back(mark);
        // Without UIDPLUS, EXPUNGE would remove what others have marked too: so they stay, marked.
        if offered.has("UIDPLUS") {
            then.push_back(with_set("UID EXPUNGE ", &command.uids));
        }
    }
    line
}

/// Whether the charset is a part of the command or only needed for texts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Charset {
    IfNeeded,
    Always,
}

fn searched(verb: &str, keys: &[SearchKey], offered: &Offered, charset: Charset) -> Option<Line> {
    let program = match program(keys, offered) {
        Ok(program) => program,
        Err(Wrong::Unsupported | Wrong::Program) => return None,
    };
    let mut line = Line::new(verb);
    match charset {
        Charset::Always if program.utf8 => line.text(b"UTF-8 "),
        Charset::Always => line.text(b"US-ASCII "),
        // RFC 6855 §3: once UTF-8 is agreed on there is no CHARSET.
        Charset::IfNeeded if program.utf8 && !offered.utf8 => line.text(b"CHARSET UTF-8 "),
        Charset::IfNeeded => {}
    }
    line.append(program.keys);
    Some(line)
}

fn sort_key(key: SortKey) -> &'static str {
    match key {
        SortKey::Arrival => "ARRIVAL",
        SortKey::Cc => "CC",
        SortKey::Date => "DATE",
        SortKey::From => "FROM",
        SortKey::Size => "SIZE",
        SortKey::Subject => "SUBJECT",
        SortKey::To => "TO",
        SortKey::DisplayFrom => "DISPLAYFROM",
        SortKey::DisplayTo => "DISPLAYTO",
    }
}

fn append(command: &AppendCommand, offered: &Offered) -> Option<Line> {
    if command.binary {
        offered.has("BINARY").then_some(())?;
    }
    let mut line = Line::new("APPEND ");
    line.mailbox(&command.name, offered.utf8);
    line.text(b" ");
    put_flags(&mut line, &command.flags);
    line.text(b" ");
    if let Some(ms) = command.internal_date_ms {
        let mut date = Vec::new();
        print::date_time(&mut date, ms, 0);
        line.text(&date);
        line.text(b" ");
    }
    let AppendCommand { message: blob, size, binary, .. } = *command;
    line.segments.push(Segment::Message(Message { blob, size, binary }));
    Some(line)
}

fn notify(groups: &[NotifyGroup], offered: &Offered) -> Line {
    if groups.is_empty() {
        return Line::new("NOTIFY NONE");
    }
    let mut line = Line::new("NOTIFY SET");
    for group in groups {
        let (scope, names): (_, &[Vec<u8>]) = match &group.scope {
            NotifyScope::Selected => (" (selected", &[]),
            NotifyScope::SelectedDelayed => (" (selected-delayed", &[]),
            NotifyScope::Inboxes => (" (inboxes", &[]),
            NotifyScope::Personal => (" (personal", &[]),
            NotifyScope::Subscribed => (" (subscribed", &[]),
            NotifyScope::Subtree(names) => (" (subtree (", names),
            NotifyScope::Mailboxes(names) => (" (mailboxes (", names),
        };
        line.text(scope.as_bytes());
        for (at, name) in names.iter().enumerate() {
            if at > 0 {
                line.text(b" ");
            }
            line.mailbox(name, offered.utf8);
        }
        let events: Vec<&str> = group.events.iter().map(|event| notify_event(*event)).collect();
        line.text(if names.is_empty() { b" " } else { b") " });
        if events.is_empty() {
            line.text(b"NONE)");
        } else {
            line.text(format!("({}))", events.join(" ")).as_bytes());
        }
    }
    line
}

fn notify_event(event: NotifyEvent) -> &'static str {
    match event {
        NotifyEvent::MessageNew => "MessageNew",
        NotifyEvent::MessageExpunge => "MessageExpunge",
        NotifyEvent::FlagChange => "FlagChange",
        NotifyEvent::MailboxName => "MailboxName",
        NotifyEvent::SubscriptionChange => "SubscriptionChange",
        NotifyEvent::MailboxMetadataChange => "MailboxMetadataChange",
        NotifyEvent::ServerMetadataChange => "ServerMetadataChange",
    }
}

fn quota(command: &QuotaCommand, offered: &Offered) -> Line {
    if !command.root {
        let mut line = Line::new("GETQUOTAROOT ");
        line.mailbox(&command.name, offered.utf8);
        return line;
    }
    let mut line = Line::new(if command.set.is_empty() { "GETQUOTA " } else { "SETQUOTA " });
    line.string(&command.name, offered.utf8);
    if !command.set.is_empty() {
        line.text(b" (");
        for (at, limit) in command.set.iter().enumerate() {
            line.text(if at > 0 { b" " } else { b"" });
            line.text(&limit.resource);
            line.text(format!(" {}", limit.limit).as_bytes());
        }
        line.text(b")");
    }
    line
}

fn rights(command: &RightsCommand, offered: &Offered, then: &mut VecDeque<Line>) -> Line {
    let named = |verb: &str| {
        let mut line = Line::new(verb);
        line.mailbox(&command.name, offered.utf8);
        line
    };
    let Some(change) = &command.change else {
        // Not everybody may see everyone's; our own are told in any case, so they come first.
        then.push_back(named("GETACL "));
        return named("MYRIGHTS ");
    };
    let removes = change.mode == StoreMode::Replace && change.rights.is_empty();
    let mut line = named(if removes { "DELETEACL " } else { "SETACL " });
    line.text(b" ");
    line.string(&change.identifier, offered.utf8);
    if !removes {
        let sign = match change.mode {
            StoreMode::Replace => &b""[..],
            StoreMode::Add => b"+",
            StoreMode::Remove => b"-",
        };
        line.text(b" ");
        line.string(&[sign, &change.rights].concat(), false);
    }
    line
}

fn metadata(command: &MetadataCommand, offered: &Offered) -> Line {
    let mut line =
        Line::new(if command.write.is_empty() { "GETMETADATA " } else { "SETMETADATA " });
    line.mailbox(&command.name, offered.utf8);
    line.text(b" (");
    for (at, entry) in command.read.iter().enumerate() {
        line.text(if at > 0 { b" " } else { b"" });
        line.text(entry);
    }
    for (at, entry) in command.write.iter().enumerate() {
        line.text(if at > 0 { b" " } else { b"" });
        line.text(&entry.entry);
        line.text(b" ");
        match &entry.value {
            Some(value) => line.string(value, offered.utf8),
            None => line.text(b"NIL"),
        }
    }
    line.text(b")");
    line
}

fn with_set(verb: &str, uids: &[UidRun]) -> Line {
    let mut line = Line::new(verb);
    put_set(&mut line, uids);
    line
}

/// `sequence-set`; the greatest number of all stands for `*`.
pub(super) fn put_set(line: &mut Line, uids: &[UidRun]) {
    let number = |uid: u32| if uid == u32::MAX { "*".into() } else { format!("{uid}") };
    for (at, run) in uids.iter().enumerate() {
        line.text(if at > 0 { b"," } else { b"" });
        line.text(number(run.first).as_bytes());
        if run.first != run.last {
            line.text(format!(":{}", number(run.last)).as_bytes());
        }
    }
}

fn put_flags(line: &mut Line, flags: &Flags) {
    let mut out = Vec::new();
    print::flags(&mut out, flags, false);
    line.text(&out);
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

fn right_section(section: &[u8]) -> bool {
    let plain = |octet: &u8| (b' '..=b'~').contains(octet) && !b"[]\"{}\\".contains(octet);
    section.len() <= NAME_MAX && section.iter().all(plain)
}

fn right_flags(flags: &Flags) -> bool {
    flags.system < 32 && flags.keywords.iter().all(|keyword| is_keyword(keyword))
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
