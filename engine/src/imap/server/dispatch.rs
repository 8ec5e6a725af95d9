//! What begins when a command comes. Which may come stands in `demands`; what takes more than one step is a job in a file
//! of its own.

use alloc::vec::Vec;

use super::capability::Feature;
use super::condstore::Aware;
use super::item::{Item, Value};
use super::job::{Expunges, NOT_SELECTED, Next, Work};
use super::reply::{Reply, send_bye};
use super::runs::Runs;
use super::state::State;
use super::store::Wanted;
use super::{
    acl, append, authenticate, capability, condstore, context, copy, demands, expunge, fetch, idle,
    items, list, mailbox, metadata, multisearch, notify, open, print, quota, resolve, search, sort,
    status, store, thread, url_auth, url_fetch, vanished,
};
use crate::imap::grammar::{self, Command, SelectOptions, SequenceSet, lex};
use crate::imap::types::Event;
use crate::trace::Rule;
use crate::types::TlsOffer;

/// RFC 9051 §6.2.1.
pub(crate) const STARTTLS: Rule = Rule {
    rfc: 9051,
    section: "6.2.1",
    gist: "After STARTTLS nothing that came before counts, and it is not offered again.",
};

/// RFC 5255 §3.2.
pub(crate) const LANGUAGE: Rule = Rule {
    rfc: 5255,
    section: "3.2",
    gist: "LANGUAGE names the languages of what is said to people, or changes to the first range that one matches.",
};

/// RFC 4978 §3.
pub(crate) const COMPRESS: Rule = Rule {
    rfc: 4978,
    section: "3",
    gist: "After the OK to COMPRESS both directions are compressed, within TLS; nothing follows \
           the command before its answer.",
};
/// RFC 8437 §3.
pub(crate) const UNAUTHENTICATE: Rule = Rule {
    rfc: 8437,
    section: "3",
    gist: "UNAUTHENTICATE forgets the account and all that was enabled, but not TLS.",
};

/// What begins when a command comes.
pub(super) fn begin(work: &mut Work<'_>, tag: &[u8], command: Command) -> Next {
    if let Some((reply, broken)) = demands::refusal(work.base, work.state, &command) {
        if let Some(rule) = broken {
            work.cx.note_defect(rule);
        }
        return Next::done(reply);
    }
    if matches!(work.state, State::NotAuthenticated) {
        work.base.idle_commands = work.base.idle_commands.saturating_add(1);
    }
    if condstore::shows_awareness(&command) {
        work.become_aware(Aware::Condstore);
    }
    let by_number = is_by_number(&command);
    work.base.cut_at = None;
    match begin_in_order(work, tag, command) {
        // RFC 9051 §7.5.1: also where the command is refused, the numbers of those that follow it must hold.
        Next::Done(reply, _) if by_number => Next::Done(reply, Expunges::Kept),
        next => next,
    }
}

/// Whether a command is one of those during which no EXPUNGE may be told (RFC 9051 §7.5.1, RFC 5256 §3).
const fn is_by_number(command: &Command) -> bool {
    match command {
        Command::Fetch(fetch) => !fetch.uid,
        Command::Store(store) => !store.uid,
        Command::Search(search) => !search.uid,
        Command::Sort(sort) => !sort.uid,
        Command::Thread(thread) => !thread.uid,
        _ => false,
    }
}

/// What begins when a command comes that may come.
fn begin_in_order(work: &mut Work<'_>, tag: &[u8], command: Command) -> Next {
    match command {
        Command::Fetch(command) => begin_fetch(work, command),
        Command::Store(command) => begin_store(work, command),
        Command::Copy(by_uid, set, to) => begin_copy(work, by_uid, &set, to, false),
        Command::Move(by_uid, set, to) => begin_copy(work, by_uid, &set, to, true),
        Command::Search(command) => search::search(work, tag, command),
        Command::MultiSearch(command) => multisearch::begin(work, tag, command),
        Command::Sort(command) => sort::begin(work, tag, command),
        Command::Thread(command) => thread::begin(work, tag, command),
        Command::Expunge => expunge::expunge(work, None),
        Command::UidExpunge(set) => match messages(work, &set, true) {
            Ok(uids) => expunge::expunge(work, Some(uids)),
            Err(reply) => Next::done(reply),
        },
        Command::Close => expunge::close(work),
        Command::Unselect => expunge::closed(work),
        Command::Select(name, options) => select(work, name, options, false),
        Command::Examine(name, options) => select(work, name, options, true),
        Command::Create(name, uses) => mailbox::create(name, uses),
        Command::Delete(name) => mailbox::delete(name),
        Command::Rename(from, to) => mailbox::rename(from, to),
        Command::Subscribe(name) => mailbox::subscribe(name, true),
        Command::Unsubscribe(name) => mailbox::subscribe(name, false),
        Command::List(options) => list::list(work, options),
        Command::Lsub(reference, pattern) => list::lsub(reference, pattern),
        Command::Status(name, items) => status::status(name, items),
        Command::Login(user, password) => authenticate::login(work, user, password),
        Command::Authenticate(mechanism, initial) => {
            authenticate::authenticate(work, &mechanism, initial.as_deref())
        }
        Command::Idle => idle::idle(work),
        Command::Append(head) => append::whole(work, head),
        Command::AppendWithoutMessage => Next::done(Reply::bad("The message is missing")),
        command => at_once(work, command),
    }
}

/// Commands that need nothing of the host.
fn at_once(work: &mut Work<'_>, command: Command) -> Next {
    match command {
        Command::Capability => {
            let logged_in = !matches!(work.state, State::NotAuthenticated);
            let list = work.base.capabilities(logged_in);
            let line = print::untagged(&[b"CAPABILITY ", &list]);
            lex::send(work.cx, &line, Some(&capability::CAPABILITY));
            Next::done(Reply::ok("Capabilities told"))
        }
        Command::Logout => {
            send_bye(work.cx, None, b"Logging out");
            work.cx.event(Event::Logout);
            work.go(State::Logout);
            Next::done(Reply::ok("Logged out"))
        }
        Command::StartTls => start_tls(work),
        Command::Unauthenticate => unauthenticate(work),
        Command::Compress => compress(work),
        Command::Language(ranges) => language(work, &ranges),
        Command::GetQuota(root) => quota::of_root(root),
        Command::GetQuotaRoot(name) => quota::of_mailbox(name),
        Command::SetQuota(root, limits) => quota::set(root, limits),
        Command::GetMetadata(get) => metadata::get(get),
        Command::SetMetadata(name, entries) => metadata::set(name, entries),
        Command::GenUrlAuth(urls) => url_auth::generate(work, urls),
        Command::ResetKey(name, mechanisms) => url_auth::reset(name, &mechanisms),
        Command::UrlFetch(urls) => url_fetch::fetch(work, urls),
        Command::CancelUpdate(tags) => context::cancel(work, &tags),
        Command::Notify(command) => notify::notify(work, command),
        Command::GetAcl(name) => acl::get(name),
        Command::SetAcl(command) => acl::set(command),
        Command::DeleteAcl(name, identifier) => acl::delete(name, identifier),
        Command::ListRights(name, identifier) => acl::list(name, identifier),
        Command::MyRights(name) => acl::mine(name),
        Command::Enable(names) => {
            enable(work, &names);
            Next::done(Reply::ok("Enabled"))
        }
        Command::Id(_) => {
            // RFC 2971 §3.3: no version, since it would help an attacker more than a client.
            lex::send(work.cx, b"* ID (\"name\" \"Pillarbox\")\r\n", None);
            Next::done(Reply::ok("This is who I am"))
        }
        Command::Namespace => {
            lex::send(
                work.cx,
                b"* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) NIL\r\n",
                None,
            );
            Next::done(Reply::ok("Namespaces told"))
        }
        // NOOP and CHECK: what others did is told at the end of every command.
        _ => Next::done(Reply::ok("Done")),
    }
}

/// RFC 9051 §6.3.1: what is not known, or cannot be enabled, is passed over.
fn enable(work: &mut Work<'_>, names: &[Vec<u8>]) {
    let offered = work.base.features;
    let wanted = |name: &[u8], feature: Feature| {
        offered.has(feature) && names.iter().any(|other| other == name)
    };
    let mut line = b"* ENABLED".to_vec();
    if wanted(b"IMAP4REV2", Feature::Rev2) {
        line.extend_from_slice(b" IMAP4rev2");
        work.base.rev2_enabled = true;
    }
    if wanted(b"UTF8=ACCEPT", Feature::Utf8Accept) {
        line.extend_from_slice(b" UTF8=ACCEPT");
        work.base.utf8_enabled = true;
    }
    if wanted(b"CONDSTORE", Feature::Condstore) {
        line.extend_from_slice(b" CONDSTORE");
        work.become_aware(Aware::Condstore);
    }
    if wanted(b"QRESYNC", Feature::Qresync) {
        line.extend_from_slice(b" QRESYNC");
        work.become_aware(Aware::Qresync);
    }
    if wanted(b"UIDONLY", Feature::UidOnly) {
        line.extend_from_slice(b" UIDONLY");
        work.base.uid_only = true;
    }
    line.extend_from_slice(b"\r\n");
    lex::send(work.cx, &line, None);
}

/// RFC 8437 §3: as the connection was before the login, but for TLS.
fn unauthenticate(work: &mut Work<'_>) -> Next {
    if work.base.compressed {
        // RFC 8437 §3: NO is no answer. Compression would have to end with it, which no host is asked to do; a client
        // that wants both connects anew.
        return Next::Bye(None, "Log in again over a new connection: this one is compressed");
    }
    work.close_mailbox();
    work.cx.event(Event::Unauthenticated);
    (work.base.rev2_enabled, work.base.aware) = (false, Aware::default());
    (work.base.utf8_enabled, work.base.uid_only) = (false, false);
    work.base.notify = None;
    work.go(State::NotAuthenticated);
    let list = work.base.capabilities(false);
    let reply = Reply::ok("Log in again").because(&UNAUTHENTICATE);
    Next::done(reply.with_code([b"CAPABILITY ", &list[..]].concat()))
}

/// RFC 5255 §3.2: what is said is said in English, and there is no other language to change to.
fn language(work: &mut Work<'_>, ranges: &[Vec<u8>]) -> Next {
    if ranges.is_empty() {
        lex::send(work.cx, b"* LANGUAGE (en i-default)\r\n", Some(&LANGUAGE));
        return Next::done(Reply::ok("Languages told"));
    }
    let Some(tag) = ranges.iter().find_map(|range| spoken(range)) else {
        return Next::done(
            Reply::no("CANNOT", "None of these languages is spoken").because(&LANGUAGE),
        );
    };
    lex::send(work.cx, &[b"* LANGUAGE (", tag, b")\r\n"].concat(), Some(&LANGUAGE));
    Next::done(Reply::ok("This language is spoken").because(&LANGUAGE))
}

/// The language that a range matches (RFC 4647 §3.4: a range is cut from its end until it matches).
fn spoken(range: &[u8]) -> Option<&'static [u8]> {
    let first = range.split(|octet| *octet == b'-').next().unwrap_or_default();
    let english = [&b"en"[..], b"*"].iter().any(|known| first.eq_ignore_ascii_case(known));
    match range {
        _ if english || range.eq_ignore_ascii_case(b"default") => Some(b"en"),
        _ if range.eq_ignore_ascii_case(b"i-default") => Some(b"i-default"),
        _ => None,
    }
}

/// RFC 4978 §3. Only after login: who is nobody's guest gets no memory for it.
fn compress(work: &mut Work<'_>) -> Next {
    let reply = if work.base.compressed {
        Reply::no("COMPRESSIONACTIVE", "DEFLATE is active already")
    } else if work.cx.waiting() > 0 {
        Reply::bad("Nothing may follow COMPRESS before its answer")
    } else {
        return Next::Compress;
    };
    Next::done(reply.because(&COMPRESS))
}

fn start_tls(work: &mut Work<'_>) -> Next {
    if work.base.is_secure() {
        return Next::done(Reply::bad("TLS is on already").because(&STARTTLS));
    }
    if work.base.config.tls != TlsOffer::Upgrade {
        return Next::done(Reply::bad("TLS is not offered here").because(&STARTTLS));
    }
    Next::StartTls
}

fn select(work: &mut Work<'_>, name: Vec<u8>, options: SelectOptions, read_only: bool) -> Next {
    if options.known.is_some() && !work.base.has_qresync() {
        return Next::done(NOT_ENABLED);
    }
    let next = open::open(work, name, options.known, read_only);
    if options.condstore {
        // The mailbox that was open before is closed by now.
        work.become_aware(Aware::Condstore);
    }
    next
}

/// RFC 7162 §3.2.3
const NOT_ENABLED: Reply = Reply::bad("ENABLE QRESYNC comes first").because(&condstore::AWARE);

/// The messages that a set names.
fn messages(work: &mut Work<'_>, set: &SequenceSet, by_uid: bool) -> Result<Runs, Reply> {
    let Some((_, open, _)) = work.selected() else { return Err(NOT_SELECTED) };
    if by_uid {
        return Ok(resolve::uids(open, set));
    }
    resolve::numbers(open, set).ok_or(resolve::NO_SUCH_NUMBER)
}

fn begin_copy(
    work: &mut Work<'_>,
    by_uid: bool,
    set: &SequenceSet,
    to: Vec<u8>,
    remove: bool,
) -> Next {
    match messages(work, set, by_uid) {
        Ok(uids) => copy::copy(work, uids, to, remove, by_uid),
        Err(reply) => Next::done(reply),
    }
}

fn begin_store(work: &mut Work<'_>, command: grammar::Store) -> Next {
    let grammar::Store { uid: by_uid, set, mode, silent, flags, unchanged_since } = command;
    match messages(work, &set, by_uid) {
        Ok(uids) => {
            let uids = work.base.within_limit(uids);
            store::store(work, uids, Wanted { mode, flags, silent, by_uid, unchanged_since })
        }
        Err(reply) => Next::done(reply),
    }
}

fn begin_fetch(work: &mut Work<'_>, command: grammar::Fetch) -> Next {
    let grammar::Fetch { uid: by_uid, set, items, changed_since, partial, vanished } = command;
    if vanished && !work.base.has_qresync() {
        return Next::done(NOT_ENABLED);
    }
    let uids = match messages(work, &set, by_uid) {
        Ok(uids) => uids,
        Err(reply) => return Next::done(reply),
    };
    // RFC 9394 §3.4: first the places, then what changed of them.
    let uids = match partial {
        Some(range) => {
            let uids = uids.places(range);
            // RFC 9738 §3.1: a part that is asked for is told whole or not at all.
            if let Some(reply) = work.base.over_limit(&uids) {
                return Next::done(reply);
            }
            uids
        }
        None => work.base.within_limit(uids),
    };
    let mut items: Vec<Item> = items.into_iter().map(items::item).collect();
    // RFC 9051 §6.4.9: UID FETCH gives the UID even if it is not asked for. UIDFETCH has it in any case.
    if by_uid && !work.base.uid_only && !items.iter().any(|item| item.is(Value::Uid)) {
        items.insert(0, Item::Value(Value::Uid));
    }
    // RFC 7162 §3.1.4.1: whoever asks for what changed is told when.
    if changed_since.is_some() && !items.iter().any(|item| item.is(Value::Modseq)) {
        items.push(Item::Value(Value::Modseq));
    }
    let end = Reply::ok("Fetched");
    let job = fetch::fetch(fetch::Wanted { uids, items, by_uid, changed_since, end });
    match (changed_since, work.selected()) {
        (Some(since), Some((_, open, _))) if vanished => {
            vanished::vanished(resolve::asked(open, &set), since, job)
        }
        _ => job.run(work),
    }
}
