//! The parser of commands: from pieces to `Command`.

use alloc::vec::Vec;

use super::command::{
    Command, Known, List, SelectOptions, SequenceMatch, StatusItem, Store, Tagged,
};
use super::cursor::{Bad, Piecewise, Read, is_astring_char};
use super::fetch::fetch;
use super::list::simplified;
use super::mailbox::{mailbox_name, meaning, with_inbox};
use super::search::{multi_search, search};
use super::set::{ascending_set, plain_set, sequence_set};
use super::sort::{sort, thread};
use super::{acl, append, auth_url, metadata, notify, quota};
use crate::imap::types::{Flags, SpecialUse, StoreMode};

/// Language ranges of one LANGUAGE command.
const LANGUAGES_MAX: usize = 64;

/// What was enabled or is true of the session, as far as grammar depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Mailbox names are UTF-8 (IMAP4rev2 or UTF8=ACCEPT enabled).
    pub utf8: bool,
    /// SEARCH names no charset (RFC 6855 §3: UTF8=ACCEPT enabled).
    pub no_charset: bool,
}

/// The tag at a line's beginning, if there is one.
#[must_use]
pub fn tag_of(line: &[u8]) -> Option<Vec<u8>> {
    let end = line.iter().position(|octet| !is_tag_char(*octet)).unwrap_or(line.len());
    (end > 0 && line.get(end).is_none_or(|octet| *octet == b' ')).then(|| line[..end].to_vec())
}

/// `tag = 1*<any ASTRING-CHAR except "+">`
fn is_tag_char(octet: u8) -> bool {
    is_astring_char(octet) && octet != b'+'
}

/// Parses a whole command.
///
/// # Errors
/// What is wrong with it.
pub fn parse(cursor: &mut Piecewise<'_>, options: Options) -> Result<Tagged, Bad> {
    let tag = tag(cursor)?;
    let verb = verb(cursor)?;
    let command = match arguments(cursor, &verb, options)? {
        Some(command) => command,
        None => return Err(Bad::Unknown),
    };
    cursor.end()?;
    Ok(Tagged { tag, command })
}

pub(super) fn tag(cursor: &mut Piecewise<'_>) -> Read<Vec<u8>> {
    cursor.labelled("tag", false, |cursor| {
        let tag = cursor.take_while(is_tag_char);
        if tag.is_empty() { cursor.expected("a tag") } else { Ok(tag.to_vec()) }
    })
}

pub(super) fn verb(cursor: &mut Piecewise<'_>) -> Read<Vec<u8>> {
    cursor.space()?;
    cursor.labelled("command", false, |cursor| Ok(cursor.atom("a command")?.to_ascii_uppercase()))
}

fn arguments(cursor: &mut Piecewise<'_>, verb: &[u8], options: Options) -> Read<Option<Command>> {
    let name = |cursor: &mut Piecewise<'_>| mailbox(cursor, options);
    Ok(Some(match verb {
        b"CAPABILITY" => Command::Capability,
        b"NOOP" => Command::Noop,
        b"LOGOUT" => Command::Logout,
        b"STARTTLS" => Command::StartTls,
        b"NAMESPACE" => Command::Namespace,
        b"GETQUOTA" => quota::get(cursor)?,
        b"GETQUOTAROOT" => quota::get_root(cursor, options)?,
        b"SETQUOTA" => quota::set(cursor)?,
        b"GETMETADATA" => metadata::get(cursor, options)?,
        b"SETMETADATA" => metadata::set(cursor, options)?,
        b"SETACL" => acl::set(cursor, options)?,
        b"DELETEACL" => {
            let (name, identifier) = acl::about(cursor, options)?;
            Command::DeleteAcl(name, identifier)
        }
        b"LISTRIGHTS" => {
            let (name, identifier) = acl::about(cursor, options)?;
            Command::ListRights(name, identifier)
        }
        b"GETACL" => Command::GetAcl(name(cursor)?),
        b"MYRIGHTS" => Command::MyRights(name(cursor)?),
        b"GENURLAUTH" => auth_url::generate(cursor)?,
        b"RESETKEY" => auth_url::reset(cursor, options)?,
        b"URLFETCH" => auth_url::fetch(cursor)?,
        b"NOTIFY" => notify::notify(cursor, options)?,
        b"IDLE" => Command::Idle,
        b"CHECK" => Command::Check,
        b"CLOSE" => Command::Close,
        b"UNAUTHENTICATE" => Command::Unauthenticate,
        b"LANGUAGE" => language(cursor)?,
        b"COMPRESS" => compress(cursor)?,
        b"UNSELECT" => Command::Unselect,
        b"EXPUNGE" => Command::Expunge,
        b"LOGIN" => login(cursor)?,
        b"AUTHENTICATE" => authenticate(cursor)?,
        b"ENABLE" => enable(cursor)?,
        b"ID" => id(cursor)?,
        b"SELECT" => Command::Select(name(cursor)?, select_options(cursor)?),
        b"EXAMINE" => Command::Examine(name(cursor)?, select_options(cursor)?),
        b"CREATE" => create(cursor, options)?,
        b"DELETE" => Command::Delete(name(cursor)?),
        b"RENAME" => Command::Rename(name(cursor)?, name(cursor)?),
        b"SUBSCRIBE" => Command::Subscribe(name(cursor)?),
        b"UNSUBSCRIBE" => Command::Unsubscribe(name(cursor)?),
        b"LIST" => Command::List(list(cursor, options)?),
        b"LSUB" => {
            let reference = pattern(cursor, options)?;
            Command::Lsub(reference, pattern(cursor, options)?)
        }
        b"STATUS" => {
            let mailbox = name(cursor)?;
            cursor.space()?;
            Command::Status(mailbox, status_items(cursor)?)
        }
        b"APPEND" => append::whole(append::arguments(cursor)?),
        b"REPLACE" => append::whole(append::replace_arguments(cursor, false)?),
        b"UID" => return uid(cursor, options).map(Some),
        b"FETCH" => Command::Fetch(fetch(cursor, false)?),
        b"SEARCH" => Command::Search(search(cursor, false, options)?),
        b"ESEARCH" => Command::MultiSearch(multi_search(cursor, options)?),
        b"SORT" => Command::Sort(sort(cursor, false)?),
        b"THREAD" => Command::Thread(thread(cursor, false)?),
        b"CANCELUPDATE" => cancel_update(cursor)?,
        b"STORE" => Command::Store(store(cursor, false)?),
        b"COPY" | b"MOVE" => copy(cursor, false, verb == b"MOVE", options)?,
        _ => return Ok(None),
    }))
}

/// `UID SP (copy / move / fetch / search / sort / thread / store / expunge)`
fn uid(cursor: &mut Piecewise<'_>, options: Options) -> Read<Command> {
    let verb = verb(cursor)?;
    match &verb[..] {
        b"FETCH" => fetch(cursor, true).map(Command::Fetch),
        b"SEARCH" => search(cursor, true, options).map(Command::Search),
        b"SORT" => sort(cursor, true).map(Command::Sort),
        b"THREAD" => thread(cursor, true).map(Command::Thread),
        b"STORE" => store(cursor, true).map(Command::Store),
        b"COPY" | b"MOVE" => copy(cursor, true, verb == b"MOVE", options),
        b"EXPUNGE" => {
            cursor.space()?;
            sequence_set(cursor).map(Command::UidExpunge)
        }
        b"REPLACE" => append::replace_arguments(cursor, true).map(append::whole),
        _ => cursor.expected("a command that UID can stand before"),
    }
}

/// `SP mailbox`
pub(super) fn mailbox(cursor: &mut Piecewise<'_>, options: Options) -> Read<Vec<u8>> {
    cursor.space()?;
    let wire = cursor.labelled("mailbox", false, |cursor| cursor.astring("a mailbox name"))?;
    mailbox_name(&wire, options.utf8)
}

fn login(cursor: &mut Piecewise<'_>) -> Read<Command> {
    cursor.space()?;
    let user = cursor.labelled("userid", false, |cursor| cursor.astring("a user name"))?;
    cursor.space()?;
    let password = cursor.labelled("password", true, |cursor| cursor.astring("a password"))?;
    Ok(Command::Login(user, password))
}

fn authenticate(cursor: &mut Piecewise<'_>) -> Read<Command> {
    cursor.space()?;
    let mechanism = cursor.labelled("auth-type", false, |cursor| cursor.atom("a mechanism"))?;
    let mut initial = None;
    if cursor.take(b' ') {
        let base64 =
            |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
        let read = |cursor: &mut Piecewise<'_>| Ok(cursor.take_while(base64).to_vec());
        initial = Some(cursor.labelled("initial-resp", true, read)?);
    }
    Ok(Command::Authenticate(mechanism.to_vec(), initial))
}

/// `"LANGUAGE" *(SP lang-range-quoted)`
fn language(cursor: &mut Piecewise<'_>) -> Read<Command> {
    let mut ranges = Vec::new();
    while cursor.take(b' ') {
        ranges.push(cursor.astring("a language range such as en")?);
        if ranges.len() > LANGUAGES_MAX {
            return cursor.expected("not so many languages");
        }
    }
    Ok(Command::Language(ranges))
}

/// `"COMPRESS" SP algorithm`
fn compress(cursor: &mut Piecewise<'_>) -> Read<Command> {
    cursor.space()?;
    match cursor.take_word(b"DEFLATE") {
        true => Ok(Command::Compress),
        false => cursor.expected("DEFLATE"),
    }
}

fn enable(cursor: &mut Piecewise<'_>) -> Read<Command> {
    let mut names = Vec::new();
    loop {
        cursor.space()?;
        let name = cursor.labelled("capability", false, |cursor| cursor.atom("a capability"))?;
        names.push(name.to_ascii_uppercase());
        if cursor.peek().is_none() {
            return Ok(Command::Enable(names));
        }
    }
}

/// `"CANCELUPDATE" 1*(SP quoted)` (RFC 5267 §5)
fn cancel_update(cursor: &mut Piecewise<'_>) -> Read<Command> {
    let mut tags = Vec::new();
    loop {
        cursor.space()?;
        tags.push(cursor.labelled("tag", false, |cursor| cursor.string("a tag in quotes"))?);
        if cursor.peek().is_none() {
            return Ok(Command::CancelUpdate(tags));
        }
    }
}

/// RFC 2971 §3.3: at most 30 pairs.
fn id(cursor: &mut Piecewise<'_>) -> Read<Command> {
    cursor.space()?;
    if cursor.take_word(b"NIL") {
        return Ok(Command::Id(Vec::new()));
    }
    let pairs = cursor.labelled("id-params", false, |cursor| {
        cursor.list("( or NIL", |cursor| {
            let field = cursor.string("a field name")?;
            cursor.space()?;
            Ok((field, cursor.nstring("a value or NIL")?))
        })
    })?;
    if pairs.len() > 30 { cursor.expected("at most 30 fields") } else { Ok(Command::Id(pairs)) }
}

/// `[SP "(" select-param *(SP select-param) ")"]`
fn select_options(cursor: &mut Piecewise<'_>) -> Read<SelectOptions> {
    let mut options = SelectOptions::default();
    if cursor.take(b' ') {
        cursor.list("(", |cursor| {
            if cursor.take_word(b"CONDSTORE") {
                options.condstore = true;
                Ok(())
            } else if options.known.is_none() && cursor.take_word(b"QRESYNC") {
                cursor.space()?;
                options.known = Some(known(cursor)?);
                Ok(())
            } else {
                cursor.expected("a parameter of SELECT that is offered")
            }
        })?;
    }
    Ok(options)
}

/// `"(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"` (RFC 7162 §7)
fn known(cursor: &mut Piecewise<'_>) -> Read<Known> {
    cursor.must(b'(', "(")?;
    let uid_validity = cursor.nz_number("a UIDVALIDITY")?;
    cursor.space()?;
    let modseq = cursor.modseq()?;
    let (mut uids, mut pairs) = (None, None);
    while pairs.is_none() && cursor.take(b' ') {
        if cursor.take(b'(') {
            let numbers = ascending_set(cursor)?;
            cursor.space()?;
            pairs = Some(SequenceMatch { numbers, uids: ascending_set(cursor)? });
            cursor.must(b')', ")")?;
        } else if uids.is_none() {
            uids = Some(plain_set(cursor)?);
        } else {
            return cursor.expected("(");
        }
    }
    cursor.must(b')', ")")?;
    Ok(Known { uid_validity, modseq, uids, pairs })
}

fn create(cursor: &mut Piecewise<'_>, options: Options) -> Read<Command> {
    cursor.space()?;
    let mut wire = cursor.labelled("mailbox", false, |cursor| cursor.astring("a mailbox name"))?;
    // RFC 9051 §6.3.4: a delimiter at the end only says that there will be names below.
    if wire.len() > 1 && wire.ends_with(b"/") {
        wire.pop();
    }
    let name = mailbox_name(&wire, options.utf8)?;
    let mut uses = Vec::new();
    if cursor.take(b' ') {
        cursor.must(b'(', "(")?;
        if !cursor.take_word(b"USE") {
            return cursor.expected("USE");
        }
        cursor.space()?;
        uses = cursor.list("(", special_use)?;
        cursor.must(b')', ")")?;
    }
    Ok(Command::Create(name, uses))
}

fn special_use(cursor: &mut Piecewise<'_>) -> Read<SpecialUse> {
    cursor.must(b'\\', "a use such as \\Sent")?;
    let all = [
        (&b"All"[..], SpecialUse::All),
        (b"Archive", SpecialUse::Archive),
        (b"Drafts", SpecialUse::Drafts),
        (b"Flagged", SpecialUse::Flagged),
        (b"Important", SpecialUse::Important),
        (b"Junk", SpecialUse::Junk),
        (b"Sent", SpecialUse::Sent),
        (b"Trash", SpecialUse::Trash),
    ];
    match all.iter().find(|(name, _)| cursor.take_word(name)) {
        Some((_, found)) => Ok(*found),
        None if cursor.peek().is_some_and(super::cursor::is_atom_char) => Err(Bad::Use),
        None => cursor.expected("a use"),
    }
}

/// Octets of a pattern, runs of wildcards as one: no name is longer.
const PATTERN_MAX: usize = 1000;
/// A pattern of a control, which no name has.
const MATCHES_NONE: &[u8] = b"\0";

/// `SP list-mailbox`
fn pattern(cursor: &mut Piecewise<'_>, options: Options) -> Read<Vec<u8>> {
    cursor.space()?;
    list_mailbox(cursor, options)
}

/// `list-mailbox = 1*list-char / string`
fn list_mailbox(cursor: &mut Piecewise<'_>, options: Options) -> Read<Vec<u8>> {
    let list_char = |octet: u8| is_astring_char(octet) || matches!(octet, b'%' | b'*');
    let wire = cursor.labelled("list-mailbox", false, |cursor| match cursor.peek() {
        Some(octet) if list_char(octet) => Ok(cursor.take_while(list_char).to_vec()),
        _ => cursor.string("a mailbox pattern"),
    })?;
    // RFC 9051 §6.3.9: what no name can be matches none, and that is no error.
    let pattern =
        meaning(&simplified(&wire), options.utf8).filter(|text| text.len() <= PATTERN_MAX);
    Ok(pattern.map_or_else(|| MATCHES_NONE.to_vec(), with_inbox))
}

/// `"LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`
fn list(cursor: &mut Piecewise<'_>, options: Options) -> Read<List> {
    let mut list = List::default();
    cursor.space()?;
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        cursor.list("(", |cursor| list_selection(cursor, &mut list))?;
        cursor.space()?;
    }
    list.reference = list_mailbox(cursor, options)?;
    cursor.space()?;
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        list.patterns = cursor.list("(", |cursor| list_mailbox(cursor, options))?;
        if list.patterns.is_empty() {
            return cursor.expected("at least one pattern");
        }
    } else {
        list.patterns.push(list_mailbox(cursor, options)?);
    }
    if cursor.take(b' ') {
        list.extended = true;
        if !cursor.take_word(b"RETURN") {
            return cursor.expected("RETURN");
        }
        cursor.space()?;
        cursor.list("(", |cursor| list_return(cursor, &mut list))?;
    }
    // RFC 5258 §3.1: RECURSIVEMATCH says nothing without something to match.
    if list.recursive_match && !list.select_subscribed {
        return cursor.expected("a selection beside RECURSIVEMATCH");
    }
    Ok(list)
}

fn list_selection(cursor: &mut Piecewise<'_>, list: &mut List) -> Read<()> {
    if cursor.take_word(b"SUBSCRIBED") {
        list.select_subscribed = true;
    } else if cursor.take_word(b"SPECIAL-USE") {
        list.select_special_use = true;
    } else if cursor.take_word(b"RECURSIVEMATCH") {
        list.recursive_match = true;
    } else if !cursor.take_word(b"REMOTE") {
        // REMOTE asks for mailboxes on other servers too: there are none.
        return cursor.expected("a selection that is known");
    }
    Ok(())
}

fn list_return(cursor: &mut Piecewise<'_>, list: &mut List) -> Read<()> {
    if cursor.take_word(b"SUBSCRIBED") {
        list.return_subscribed = true;
    } else if cursor.take_word(b"CHILDREN") {
        list.return_children = true;
    } else if cursor.take_word(b"SPECIAL-USE") {
        list.return_special_use = true;
    } else if cursor.take_word(b"MYRIGHTS") {
        list.return_rights = true;
    } else if cursor.take_word(b"STATUS") {
        cursor.space()?;
        list.return_status = status_items(cursor)?;
    } else if cursor.take_word(b"METADATA") {
        cursor.space()?;
        list.return_metadata = metadata::entries(cursor)?;
    } else {
        return cursor.expected("a return option that is known");
    }
    Ok(())
}

fn status_items(cursor: &mut Piecewise<'_>) -> Read<Vec<StatusItem>> {
    let mut items: Vec<StatusItem> = Vec::new();
    cursor.labelled("status-att", false, |cursor| {
        cursor.list("(", |cursor| {
            let found = StatusItem::ALL.iter().find(|(_, name)| cursor.take_word(name.as_bytes()));
            let Some((item, _)) = found else { return cursor.expected("a status item") };
            if !items.contains(item) {
                items.push(*item);
            }
            Ok(())
        })
    })?;
    if items.is_empty() { cursor.expected("at least one status item") } else { Ok(items) }
}

/// `sequence-set [SP store-modifiers] SP store-att-flags`
fn store(cursor: &mut Piecewise<'_>, uid: bool) -> Read<Store> {
    cursor.space()?;
    let set = sequence_set(cursor)?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.take(b'(') {
        if !cursor.take_word(b"UNCHANGEDSINCE") {
            return cursor.expected("UNCHANGEDSINCE");
        }
        cursor.space()?;
        unchanged_since = Some(cursor.number64("a mod-sequence")?);
        cursor.must(b')', ")")?;
        cursor.space()?;
    }
    let mode = match (cursor.take(b'+'), cursor.take(b'-')) {
        (true, false) => StoreMode::Add,
        (false, true) => StoreMode::Remove,
        (false, false) => StoreMode::Replace,
        (true, true) => return cursor.expected("FLAGS"),
    };
    let silent = cursor.take_word(b"FLAGS.SILENT");
    if !silent && !cursor.take_word(b"FLAGS") {
        return cursor.expected("FLAGS");
    }
    cursor.space()?;
    let flags = cursor.labelled("flag-list", false, |cursor| {
        if cursor.peek() == Some(b'(') { flag_list(cursor) } else { flags(cursor) }
    })?;
    Ok(Store { uid, set, mode, silent, flags, unchanged_since })
}

/// `flag-list = "(" [flag *(SP flag)] ")"`
pub(super) fn flag_list(cursor: &mut Piecewise<'_>) -> Read<Flags> {
    let mut all = Flags::default();
    cursor.list("(", |cursor| flag(cursor, &mut all))?;
    Ok(all)
}

/// `flag *(SP flag)`
fn flags(cursor: &mut Piecewise<'_>) -> Read<Flags> {
    let mut all = Flags::default();
    flag(cursor, &mut all)?;
    while cursor.take(b' ') {
        flag(cursor, &mut all)?;
    }
    Ok(all)
}

/// System flags with their bits in `Flags::system`.
pub(super) const SYSTEM_FLAGS: [(&str, u8); 5] =
    [("Answered", 1), ("Flagged", 2), ("Deleted", 4), ("Seen", 8), ("Draft", 16)];

/// Keywords of one message, and octets of one: more is a way to fill a disk.
const KEYWORDS_MAX: usize = 100;
const KEYWORD_MAX: usize = 250;

fn flag(cursor: &mut Piecewise<'_>, all: &mut Flags) -> Read<()> {
    if cursor.take(b'\\') {
        // RFC 3501 §2.3.2: \Recent cannot be changed; clients that send it back are not hurt.
        if cursor.take_word(b"Recent") {
            return Ok(());
        }
        let found = SYSTEM_FLAGS.iter().find(|(name, _)| cursor.take_word(name.as_bytes()));
        let Some((_, bit)) = found else { return cursor.expected("a system flag that is known") };
        all.system |= bit;
        return Ok(());
    }
    let keyword = cursor.atom("a flag")?;
    if keyword.len() > KEYWORD_MAX || all.keywords.len() >= KEYWORDS_MAX {
        return cursor.expected("fewer or shorter keywords");
    }
    if !all.keywords.iter().any(|other| other.eq_ignore_ascii_case(keyword)) {
        all.keywords.push(keyword.to_vec());
    }
    Ok(())
}

fn copy(cursor: &mut Piecewise<'_>, uid: bool, moves: bool, options: Options) -> Read<Command> {
    cursor.space()?;
    let set = sequence_set(cursor)?;
    let to = mailbox(cursor, options)?;
    Ok(if moves { Command::Move(uid, set, to) } else { Command::Copy(uid, set, to) })
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::grammar::Piece;

    fn pieces(text: &str) -> Vec<Piece> {
        alloc::vec![Piece::Text(text.as_bytes().to_vec(), 0)]
    }

    fn command(text: &str) -> Result<Command, Bad> {
        let pieces = pieces(text);
        parse(&mut Piecewise::new(&pieces), Options::default()).map(|tagged| tagged.command)
    }

    #[test]
    fn commands_are_parsed() {
        for text in [
            "a CAPABILITY",
            "a noop",
            "a.1 LOGIN ann secret",
            "a LOGIN \"a\\\"b\" \"\"",
            "a AUTHENTICATE PLAIN AGEAYg==",
            "a ENABLE IMAP4rev2 CONDSTORE",
            "a ID NIL",
            "a ID (\"name\" \"x\" \"version\" NIL)",
            "a SELECT INBOX",
            "a SELECT x (CONDSTORE)",
            "a SELECT x (QRESYNC (7 99))",
            "a EXAMINE x (CONDSTORE QRESYNC (7 99 1:5,9))",
            "a SELECT x (QRESYNC (7 99 (1,3:4 2,6:7)))",
            "a SELECT x (QRESYNC (7 99 9,1:5 (1,3:4 2,6:7)))",
            "a SELECT x (QRESYNC (7 99 1:* (1 2))) ",
            "a SELECT x (QRESYNC (7 0)) ",
            "a SELECT x (QRESYNC (7 99 1:5 (3,1 2,6))) ",
            "a SELECT x (QRESYNC (7 99 1:5 (1,3 6,2))) ",
            "a FETCH 1 FLAGS (CHANGEDSINCE 5)",
            "a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 5 VANISHED)",
            "a FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED) ",
            "a UID FETCH 1 FLAGS (VANISHED) ",
            "a FETCH 1 FLAGS (CHANGEDSINCE 0) ",
            "a CREATE x/  ",
            "a LIST \"\" *",
            "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"a\" b*) RETURN (CHILDREN STATUS (MESSAGES SIZE))",
            "a LSUB \"\" %",
            "a STATUS x (MESSAGES UIDNEXT)",
            "a STORE 1:* +FLAGS.SILENT (\\Deleted $x)",
            "a STORE 1 FLAGS \\Seen \\Recent",
            "a UID COPY 1,3:5 x",
            "a MOVE $ x",
            "a MOVE 1,3:4,$ x",
            "a MOVE $,1 x ",
            "a UID EXPUNGE 1:*",
            "a GENURLAUTH imap://b@h/x/;UID=1;URLAUTH=anonymous INTERNAL",
            "a GENURLAUTH \"imap://b@h/x/;UID=1;URLAUTH=user+c\" INTERNAL imap://b@h/x/;UID=2;URLAUTH=authuser X",
            "a GENURLAUTH imap://b@h/x/;UID=1;URLAUTH=anonymous ",
            "a GENURLAUTH imap://b@h/x/;UID=1 INTERNAL ",
            "a GENURLAUTH ",
            "a RESETKEY",
            "a RESETKEY INBOX",
            "a RESETKEY INBOX INTERNAL XSAMPLE",
            "a RESETKEY a//b ",
            "a URLFETCH x \"y z\"",
            "a URLFETCH ",
            "a COMPRESS deflate",
            "a COMPRESS GZIP ",
            "a CREATE x (USE (\\Sent))",
        ] {
            let expected_error = text.ends_with(' ');
            let text = if expected_error { &text[..text.len() - 1] } else { text };
            assert_eq!(command(text).is_err(), expected_error, "{text}: {:?}", command(text));
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        assert_eq!(command("a"), Err(Bad::Expected("a space", 1)));
        assert_eq!(command("a LOGIN x"), Err(Bad::Expected("a space", 9)));
        assert_eq!(command("a NOOP x"), Err(Bad::Expected("the end of the command", 6)));
        assert_eq!(command("a FOO"), Err(Bad::Unknown));
        assert_eq!(command("a STORE 0 FLAGS x"), Err(Bad::Expected("a number above 0", 9)));
        assert_eq!(command("a COPY 4294967296 x"), Err(Bad::Expected("a number of 32 bits", 17)));
        assert_eq!(command("a SELECT a//b"), Err(Bad::Mailbox));
    }

    #[test]
    fn mutations_never_panic() {
        let texts = [
            "a LIST (SUBSCRIBED) \"\" (\"a\" b*) RETURN (STATUS (MESSAGES))",
            "a UID STORE 1:*,5 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Deleted $x)",
            "a SELECT x (QRESYNC (7 99 1:5 (1,3:4 2,6:7)))",
            "a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 5 VANISHED)",
            "a FETCH 1:5 (BODY.PEEK[1.2.HEADER.FIELDS (A \"b\")]<0.5> ENVELOPE)",
            "a SEARCH RETURN (MIN) CHARSET UTF-8 (OR NOT SEEN BEFORE 5-Jan-2026) HEADER x \"y\"",
        ];
        for text in texts {
            assert!(command(text).is_ok(), "{text}: {:?}", command(text));
            for at in 0..text.len() {
                for octet in *b"(){}\"\\ 0*%\x80]" {
                    let mut mutated = text.as_bytes().to_vec();
                    mutated[at] = octet;
                    let pieces = [Piece::Text(mutated, 0)];
                    drop(parse(&mut Piecewise::new(&pieces), Options::default()));
                }
                drop(command(&text[..at]));
            }
        }
    }
}
