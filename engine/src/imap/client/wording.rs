//! The wording of commands with many parts: what stands in the line, by what the server offers.
//! Which command is said, and whether its values are right, stands in `command`.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::line::{Line, Message, Segment};
use super::offer::Offered;
use super::program::{Wrong, program};
use super::types::{
    AppendAllCommand, AppendCommand, AppendMessage, AssembleCommand, AssemblePart, CopyCommand,
    FetchCommand, FetchSection, ListCommand, ListRightsCommand, MetadataCommand,
    MultiSearchCommand, NotifyEvent, NotifyGroup, NotifyScope, Places, QuotaCommand, RightsCommand,
    SearchCommand, SearchScope, SelectCommand, SentPart, SortCommand, SortKey, StoreCommand,
    StoredPart,
};
use crate::imap::grammar::{print, url_of};
use crate::imap::types::{Flags, SearchKey, StoreMode, UidRun};

pub(super) fn select(command: &SelectCommand, offered: &Offered, qresync: bool) -> Line {
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

pub(super) fn list(command: &ListCommand, offered: &Offered) -> Option<Line> {
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
    if command.rights && offered.has("LIST-MYRIGHTS") {
        line.text(b" MYRIGHTS");
    }
    if command.status && offered.has("LIST-STATUS") {
        line.text(b" STATUS ");
        line.text(&status_items(offered));
    }
    line.text(b")");
    Some(line)
}

/// All counters that the server knows.
pub(super) fn status_items(offered: &Offered) -> Vec<u8> {
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

pub(super) fn fetch(command: &FetchCommand, offered: &Offered, qresync: bool) -> Option<Line> {
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
    want(command.with_facts && offered.has("SAVEDATE"), b"SAVEDATE");
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
    let mut modifiers = Vec::new();
    if let Some(places) = command.places {
        offered.has("PARTIAL").then_some(())?;
        modifiers.push(self::places(places));
    }
    if let Some(modseq) = command.changed_since {
        if !condstore || (command.vanished && !qresync) {
            return None;
        }
        let vanished = if command.vanished { " VANISHED" } else { "" };
        modifiers.push(format!("CHANGEDSINCE {modseq}{vanished}"));
    }
    if !modifiers.is_empty() {
        line.text(format!(" ({})", modifiers.join(" ")).as_bytes());
    }
    Some(line)
}

pub(super) fn store(command: &StoreCommand, offered: &Offered) -> Option<Line> {
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
pub(super) fn copy(command: &CopyCommand, offered: &Offered, then: &mut VecDeque<Line>) -> Line {
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
pub(super) enum Charset {
    IfNeeded,
    Always,
}

pub(super) fn searched(
    verb: &str,
    keys: &[SearchKey],
    offered: &Offered,
    charset: Charset,
) -> Option<Line> {
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

/// RFC 9394 §4: places from the end are negative.
fn places(places: Places) -> String {
    let sign = if places.from_end { "-" } else { "" };
    format!("PARTIAL {sign}{}:{sign}{}", places.first, places.last)
}

/// What RETURN asks for, but for ALL and PARTIAL.
fn returns(relevancy: bool, update: bool) -> String {
    let relevancy = if relevancy { " RELEVANCY" } else { "" };
    let update = if update { " UPDATE" } else { "" };
    format!("{relevancy}{update}")
}

/// RFC 9051 §6.4.4, RFC 9394 §3.1, RFC 6203 §4, RFC 5267 §4.3
pub(super) fn search(command: &SearchCommand, offered: &Offered) -> Option<Line> {
    let SearchCommand { keys, summary, places, relevancy, update } = command;
    let needs = [
        (places.is_some(), "PARTIAL"),
        (*relevancy, "SEARCH=FUZZY"),
        (*update, "CONTEXT=SEARCH"),
        (places.is_some() || *relevancy || *update, "ESEARCH"),
    ];
    if needs.into_iter().any(|(needed, name)| needed && !offered.has(name)) {
        return None;
    }
    if !offered.has("ESEARCH") {
        return searched("UID SEARCH ", keys, offered, Charset::IfNeeded);
    }
    let which = match places {
        Some(places) => format!(" {}", self::places(*places)),
        None if *summary => String::new(),
        None => " ALL".into(),
    };
    let more = returns(*relevancy, *update);
    let verb = format!("UID SEARCH RETURN (MIN MAX COUNT{which}{more}) ");
    searched(&verb, keys, offered, Charset::IfNeeded)
}

/// RFC 7377 §2.1
pub(super) fn multi_search(command: &MultiSearchCommand, offered: &Offered) -> Option<Line> {
    let MultiSearchCommand { scopes, keys, summary, relevancy } = command;
    offered.has("MULTISEARCH").then_some(())?;
    (!relevancy || offered.has("SEARCH=FUZZY")).then_some(())?;
    let mut line = Line::new("ESEARCH IN (");
    for (at, scope) in scopes.iter().enumerate() {
        line.text(if at > 0 { b" " } else { b"" });
        let (word, names): (_, &[Vec<u8>]) = match scope {
            SearchScope::Selected => ("selected", &[]),
            SearchScope::Inboxes => ("inboxes", &[]),
            SearchScope::Personal => ("personal", &[]),
            SearchScope::Subscribed => ("subscribed", &[]),
            SearchScope::Subtree(names) => ("subtree", names),
            SearchScope::SubtreeOne(names) => ("subtree-one", names),
            SearchScope::Mailboxes(names) => ("mailboxes", names),
        };
        line.text(word.as_bytes());
        for (at, name) in names.iter().enumerate() {
            line.text(if at > 0 { b" " } else { b" (" });
            line.mailbox(name, offered.utf8);
        }
        line.text(if names.is_empty() { b"" } else { b")" });
    }
    let all = if *summary { "" } else { " ALL" };
    let verb = format!(") RETURN (MIN MAX COUNT{all}{}) ", returns(*relevancy, false));
    line.append(searched(&verb, keys, offered, Charset::IfNeeded)?);
    Some(line)
}

/// RFC 5256 §3 `"SORT" SP sort-criteria SP search-criteria`
pub(super) fn sort(command: &SortCommand, offered: &Offered) -> Option<Line> {
    offered.has("SORT").then_some(())?;
    let mut keys = Vec::new();
    for by in &command.by {
        if matches!(by.key, SortKey::DisplayFrom | SortKey::DisplayTo) {
            offered.has("SORT=DISPLAY").then_some(())?;
        }
        if by.key == SortKey::Relevancy {
            offered.has("SEARCH=FUZZY").then_some(())?;
        }
        keys.extend(by.reverse.then_some("REVERSE"));
        keys.push(sort_key(by.key));
    }
    let verb = format!("UID SORT ({}) ", keys.join(" "));
    searched(&verb, &command.keys, offered, Charset::Always)
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
        SortKey::Relevancy => "RELEVANCY",
    }
}

pub(super) fn append(command: &AppendCommand, offered: &Offered) -> Option<Line> {
    if command.binary {
        offered.has("BINARY").then_some(())?;
    }
    let AppendCommand { name, flags, internal_date_ms: date, .. } = command;
    let mut line = added(name, flags, *date, command.replaces, offered)?;
    let AppendCommand { message: blob, size, binary, .. } = *command;
    line.segments.push(Segment::Message(Message { blob, size, binary }));
    Some(line)
}

/// RFC 4469 §5
pub(super) fn assemble(command: &AssembleCommand, offered: &Offered) -> Option<Line> {
    offered.has("CATENATE").then_some(())?;
    let AssembleCommand { name, parts, flags, internal_date_ms: date, replaces } = command;
    let mut line = added(name, flags, *date, *replaces, offered)?;
    line.text(b"CATENATE (");
    for (at, part) in parts.iter().enumerate() {
        line.text(if at > 0 { b" " } else { b"" });
        match part {
            AssemblePart::Stored(StoredPart { mailbox, uid_validity, uid, section }) => {
                line.text(b"URL ");
                line.string(&url_of(mailbox, *uid_validity, *uid, section), false);
            }
            AssemblePart::Sent(SentPart { message: blob, size }) => {
                line.text(b"TEXT ");
                let message = Message { blob: *blob, size: *size, binary: false };
                line.segments.push(Segment::Message(message));
            }
        }
    }
    line.text(b")");
    Some(line)
}

/// APPEND, or UID REPLACE (RFC 8508 §3), up to the message.
fn added(
    name: &[u8],
    flags: &Flags,
    internal_date_ms: Option<u64>,
    replaces: Option<u32>,
    offered: &Offered,
) -> Option<Line> {
    let mut line = match replaces {
        Some(uid) => offered.has("REPLACE").then(|| Line::new(&format!("UID REPLACE {uid} ")))?,
        None => Line::new("APPEND "),
    };
    line.mailbox(name, offered.utf8);
    put_options(&mut line, flags, internal_date_ms);
    Some(line)
}

/// `append-opts SP`
fn put_options(line: &mut Line, flags: &Flags, internal_date_ms: Option<u64>) {
    line.text(b" ");
    put_flags(line, flags);
    line.text(b" ");
    if let Some(ms) = internal_date_ms {
        let mut date = Vec::new();
        print::date_time(&mut date, ms, 0);
        line.text(&date);
        line.text(b" ");
    }
}

/// RFC 3502 §6.3.11
pub(super) fn append_all(command: &AppendAllCommand, offered: &Offered) -> Option<Line> {
    offered.has("MULTIAPPEND").then_some(())?;
    let mut line = Line::new("APPEND ");
    line.mailbox(&command.name, offered.utf8);
    for AppendMessage { message: blob, size, flags, internal_date_ms, binary } in &command.messages
    {
        (!binary || offered.has("BINARY")).then_some(())?;
        put_options(&mut line, flags, *internal_date_ms);
        let message = Message { blob: *blob, size: *size, binary: *binary };
        line.segments.push(Segment::Message(message));
    }
    Some(line)
}

/// RFC 4467 §9 `genurlauth`
pub(super) fn authorize_urls(urls: &[Vec<u8>]) -> Line {
    let mut line = Line::new("GENURLAUTH");
    for url in urls {
        line.text(b" ");
        line.string(url, false);
        line.text(b" INTERNAL");
    }
    line
}

/// RFC 4467 §9 `resetkey`
pub(super) fn reset_key(name: Option<&[u8]>, offered: &Offered) -> Line {
    let mut line = Line::new("RESETKEY");
    if let Some(name) = name {
        line.text(b" ");
        line.mailbox(name, offered.utf8);
    }
    line
}

/// RFC 4467 §9 `urlfetch`. Whoever has such a URL can use it, so it is not shown.
pub(super) fn fetch_urls(urls: &[Vec<u8>]) -> Line {
    let mut line = Line::new("URLFETCH");
    for url in urls {
        line.text(b" ");
        line.secret(url, false);
    }
    line
}

pub(super) fn notify(groups: &[NotifyGroup], offered: &Offered) -> Line {
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

pub(super) fn quota(command: &QuotaCommand, offered: &Offered) -> Line {
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

pub(super) fn rights(
    command: &RightsCommand,
    offered: &Offered,
    then: &mut VecDeque<Line>,
) -> Line {
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

/// RFC 4314 §3.7
pub(super) fn list_rights(command: &ListRightsCommand, offered: &Offered) -> Line {
    let mut line = Line::new("LISTRIGHTS ");
    line.mailbox(&command.name, offered.utf8);
    line.text(b" ");
    line.string(&command.identifier, offered.utf8);
    line
}

/// RFC 5255 §3.2
pub(super) fn language(names: &[Vec<u8>]) -> Line {
    let mut line = Line::new("LANGUAGE");
    for name in names {
        line.text(b" ");
        line.string(name, false);
    }
    line
}

pub(super) fn metadata(command: &MetadataCommand, offered: &Offered) -> Line {
    let mut line =
        Line::new(if command.write.is_empty() { "GETMETADATA " } else { "SETMETADATA " });
    let value_max = command.value_max.map(|octets| format!("MAXSIZE {octets}"));
    let depth = match command.depth {
        0 => None,
        1 => Some("DEPTH 1".into()),
        _ => Some("DEPTH infinity".into()),
    };
    let options: Vec<String> = value_max.into_iter().chain(depth).collect();
    if !options.is_empty() {
        line.text(format!("({}) ", options.join(" ")).as_bytes());
    }
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

pub(super) fn with_set(verb: &str, uids: &[UidRun]) -> Line {
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
