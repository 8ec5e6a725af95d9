//! Which command may come in which state, with which extension on offer, and what begins when it
//! comes.

use alloc::format;
use alloc::vec::Vec;

use super::capability::Feature;
use super::condstore::Aware;
use super::item::{Fields, Item, Partial, Section};
use super::job::{Expunges, NOT_SELECTED, Next, Work};
use super::reply::{Reply, send_bye};
use super::runs::Runs;
use super::state::State;
use super::store::Wanted;
use super::{
    Base, acl, append, authenticate, capability, condstore, context, copy, expunge, fetch, idle,
    list, mailbox, metadata, multisearch, notify, open, print, quota, resolve, search, sort,
    status, store, thread, vanished,
};
use crate::imap::grammar::lex;
use crate::imap::grammar::{
    self, Command, FetchItem, Header, SelectOptions, SequenceSet, StatusItem,
};
use crate::imap::types::Event;
use crate::message::SectionText;
use crate::trace::Rule;
use crate::types::TlsOffer;

/// RFC 9051 §3.
pub(crate) const STATES: Rule =
    Rule { rfc: 9051, section: "3", gist: "Most commands are valid in certain states only." };
/// RFC 9051 §6.2.1.
pub(crate) const STARTTLS: Rule = Rule {
    rfc: 9051,
    section: "6.2.1",
    gist: "After STARTTLS nothing that came before counts, and it is not offered again.",
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

/// The state that a command needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// Before login only.
    NotAuthenticated,
    /// After login, with no mailbox open.
    AuthenticatedOnly,
    Authenticated,
    Selected,
}

fn needs(command: &Command) -> Needs {
    match command {
        Command::Capability | Command::Noop | Command::Logout | Command::Id(_) => Needs::Nothing,
        Command::StartTls | Command::Login(..) | Command::Authenticate(..) => {
            Needs::NotAuthenticated
        }
        Command::Enable(_) => Needs::AuthenticatedOnly,
        Command::CancelUpdate(_)
        | Command::Check
        | Command::Close
        | Command::Unselect
        | Command::Expunge
        | Command::UidExpunge(_)
        | Command::Search(_)
        | Command::Sort(_)
        | Command::Thread(_)
        | Command::Fetch(_)
        | Command::Store(_)
        | Command::Copy(..)
        | Command::Move(..) => Needs::Selected,
        Command::MultiSearch(search) if multisearch::is_about_open(&search.sources) => {
            Needs::Selected
        }
        _ => Needs::Authenticated,
    }
}

/// Why a command cannot come in this state.
fn wrong_state(state: &State, needs: Needs) -> Option<Reply> {
    let text = match (needs, state) {
        (Needs::NotAuthenticated, State::NotAuthenticated) | (Needs::Nothing, _) => return None,
        (Needs::NotAuthenticated, _) => "Already logged in",
        (_, State::NotAuthenticated) => "Log in first",
        (Needs::AuthenticatedOnly, State::Selected(_)) => "Only before a mailbox is selected",
        (Needs::Selected, State::Authenticated) => "Select a mailbox first",
        _ => return None,
    };
    Some(Reply::bad(text).because(&STATES))
}

/// Extensions that a command uses.
fn features(command: &Command) -> Vec<Feature> {
    match command {
        Command::Enable(_) => [Feature::Enable].into(),
        Command::Id(_) => [Feature::Id].into(),
        Command::Idle => [Feature::Idle].into(),
        Command::Namespace => [Feature::Namespace].into(),
        Command::Unselect => [Feature::Unselect].into(),
        Command::Unauthenticate => [Feature::Unauthenticate].into(),
        Command::Compress => [Feature::Compress].into(),
        Command::GetQuota(_) | Command::GetQuotaRoot(_) => [Feature::Quota].into(),
        Command::SetQuota(..) => [Feature::QuotaSet].into(),
        Command::GetMetadata(get) => metadata_features(&get.name),
        Command::SetMetadata(name, _) => metadata_features(name),
        Command::Notify(notify) => notify_features(notify),
        Command::GetAcl(_)
        | Command::SetAcl(_)
        | Command::DeleteAcl(..)
        | Command::ListRights(..)
        | Command::MyRights(_) => [Feature::Acl].into(),
        Command::Authenticate(_, Some(_)) => [Feature::SaslIr].into(),
        Command::Check | Command::Lsub(..) => [Feature::Rev1].into(),
        Command::Create(_, uses) if !uses.is_empty() => [Feature::CreateSpecialUse].into(),
        Command::Status(_, items) => status_features(items),
        Command::List(list) => list_features(list),
        Command::Search(search) => search_features(search.returns.as_ref(), &search.program),
        Command::MultiSearch(command) => {
            let search = &command.search;
            let mut features = search_features(search.returns.as_ref(), &search.program);
            features.push(Feature::MultiSearch);
            features
        }
        Command::Sort(sort) => sort_features(sort),
        Command::Thread(thread) => {
            let mut features = search_features(None, &thread.program);
            features.push(match thread.algorithm {
                grammar::Algorithm::OrderedSubject => Feature::ThreadSubject,
                grammar::Algorithm::References => Feature::ThreadReferences,
            });
            features
        }
        Command::CancelUpdate(_) => [Feature::ContextSearch].into(),
        Command::UidExpunge(set) => with_set(set, [Feature::UidPlus].into()),
        Command::Copy(_, set, _) => with_set(set, Vec::new()),
        Command::Move(_, set, _) => with_set(set, [Feature::Move].into()),
        Command::Select(_, options) | Command::Examine(_, options) => {
            let used = [
                (options.condstore, Feature::Condstore),
                (options.known.is_some(), Feature::Qresync),
            ];
            used.into_iter().filter(|(used, _)| *used).map(|(_, feature)| feature).collect()
        }
        Command::Store(store) => {
            let conditional = store.unchanged_since.map(|_| Feature::Condstore);
            with_set(&store.set, conditional.into_iter().collect())
        }
        Command::Fetch(fetch) => fetch_features(fetch),
        _ => Vec::new(),
    }
}

fn with_set(set: &SequenceSet, mut features: Vec<Feature>) -> Vec<Feature> {
    if set.saved {
        features.push(Feature::SearchRes);
    }
    features
}

fn fetch_features(fetch: &grammar::Fetch) -> Vec<Feature> {
    let mut features: Vec<Feature> = fetch.items.iter().filter_map(item_feature).collect();
    features.extend(fetch.changed_since.map(|_| Feature::Condstore));
    features.extend(fetch.vanished.then_some(Feature::Qresync));
    features.extend(fetch.partial.map(|_| Feature::Partial));
    with_set(&fetch.set, features)
}

fn item_feature(item: &FetchItem) -> Option<Feature> {
    match item {
        FetchItem::Rfc822 | FetchItem::Rfc822Header | FetchItem::Rfc822Text => Some(Feature::Rev1),
        FetchItem::Binary(..) | FetchItem::BinarySize(_) => Some(Feature::Binary),
        FetchItem::Modseq => Some(Feature::Condstore),
        FetchItem::SaveDate => Some(Feature::SaveDate),
        FetchItem::EmailId | FetchItem::ThreadId => Some(Feature::ObjectId),
        FetchItem::Preview => Some(Feature::Preview),
        _ => None,
    }
}

fn notify_features(command: &grammar::Notify) -> Vec<Feature> {
    let mut features = [Feature::Notify].to_vec();
    if let grammar::Notify::Set { groups, .. } = command {
        let items = groups.iter().filter_map(|group| group.events.message_new.as_deref()).flatten();
        features.extend(items.filter_map(item_feature));
    }
    features
}

/// RFC 5464 §3.1: of the server either capability has them, of mailboxes METADATA alone.
fn metadata_features(name: &[u8]) -> Vec<Feature> {
    let server = Feature::MetadataServer;
    [if name.is_empty() { server } else { Feature::Metadata }].into()
}

fn status_features(items: &[StatusItem]) -> Vec<Feature> {
    let feature = |item: &StatusItem| match item {
        StatusItem::Recent => Some(Feature::Rev1),
        StatusItem::Size => Some(Feature::StatusSize),
        // RFC 9208 §4.1.4 has DELETED too, so it is there whatever is left out.
        StatusItem::Deleted => None,
        StatusItem::HighestModseq => Some(Feature::Condstore),
        StatusItem::MailboxId => Some(Feature::ObjectId),
        StatusItem::AppendLimit => Some(Feature::AppendLimit),
        StatusItem::DeletedStorage => Some(Feature::QuotaStorage),
        _ => None,
    };
    items.iter().filter_map(feature).collect()
}

fn list_features(list: &grammar::List) -> Vec<Feature> {
    let mut features = status_features(&list.return_status);
    let used = [
        (list.extended, Feature::ListExtended),
        (list.return_rights, Feature::ListMyRights),
        (!list.return_status.is_empty(), Feature::ListStatus),
        (list.select_special_use || list.return_special_use, Feature::SpecialUse),
    ];
    features.extend(used.into_iter().filter(|(used, _)| *used).map(|(_, feature)| feature));
    features
}

fn sort_features(sort: &grammar::Sort) -> Vec<Feature> {
    let mut features = search_features(sort.returns.as_ref(), &sort.program);
    // RFC 5267 §4.1: of SORT it is a capability of its own that has these.
    for feature in &mut features {
        if matches!(feature, Feature::Partial | Feature::ContextSearch) {
            *feature = Feature::ContextSort;
        }
    }
    features.push(Feature::Sort);
    features.extend(sort.returns.map(|_| Feature::Esort));
    let display = |criterion: &grammar::Criterion| {
        matches!(criterion.key, grammar::SortKey::DisplayFrom | grammar::SortKey::DisplayTo)
    };
    features.extend(sort.criteria.iter().any(display).then_some(Feature::SortDisplay));
    let by_score = |criterion: &grammar::Criterion| criterion.key == grammar::SortKey::Relevancy;
    features.extend(sort.criteria.iter().any(by_score).then_some(Feature::SearchFuzzy));
    features
}

fn search_features(
    returns: Option<&grammar::SearchReturn>,
    program: &[grammar::Key],
) -> Vec<Feature> {
    let mut features = Vec::new();
    if let Some(returns) = returns {
        features.push(Feature::Esearch);
        if returns.save {
            features.push(Feature::SearchRes);
        }
        features.extend(returns.partial.map(|_| Feature::Partial));
        let context = returns.context || returns.update.is_some();
        features.extend(context.then_some(Feature::ContextSearch));
        features.extend(returns.relevancy.then_some(Feature::SearchFuzzy));
    }
    for key in program {
        match key {
            grammar::Key::Numbers(set) | grammar::Key::Uids(set) => {
                features = with_set(set, features);
            }
            grammar::Key::Fuzzy => features.push(Feature::SearchFuzzy),
            grammar::Key::Modseq(_) => features.push(Feature::Condstore),
            grammar::Key::Younger(_) | grammar::Key::Older(_) => features.push(Feature::Within),
            grammar::Key::SavedBefore(_)
            | grammar::Key::SavedOn(_)
            | grammar::Key::SavedSince(_)
            | grammar::Key::SaveDateSupported => features.push(Feature::SaveDate),
            grammar::Key::EmailId(_) | grammar::Key::ThreadId => features.push(Feature::ObjectId),
            _ => {}
        }
    }
    features
}

/// Whether a command would be begun: it is offered, and has its place in this state.
pub(super) fn is_in_order(base: &Base, state: &State, command: &Command) -> bool {
    let offered = base.features;
    features(command).into_iter().all(|feature| offered.has(feature))
        && wrong_state(state, needs(command)).is_none()
}

/// What begins when a command comes.
pub(super) fn begin(work: &mut Work<'_>, tag: &[u8], command: Command) -> Next {
    let offered = work.base.features;
    if features(&command).into_iter().any(|feature| !offered.has(feature)) {
        return Next::done(Reply::bad("This is not offered here").because(&capability::CAPABILITY));
    }
    if let Some(reply) = wrong_state(work.state, needs(&command)) {
        work.cx.note_defect(&STATES);
        return Next::done(reply);
    }
    if matches!(work.state, State::NotAuthenticated) {
        work.base.idle_commands = work.base.idle_commands.saturating_add(1);
    }
    if condstore::shows_awareness(&command) {
        work.become_aware(Aware::Condstore);
    }
    let by_number = is_by_number(&command);
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
        Command::GetQuota(root) => quota::of_root(root),
        Command::GetQuotaRoot(name) => quota::of_mailbox(name),
        Command::SetQuota(root, limits) => quota::set(root, limits),
        Command::GetMetadata(get) => metadata::get(get),
        Command::SetMetadata(name, entries) => metadata::set(name, entries),
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
    line.extend_from_slice(b"\r\n");
    lex::send(work.cx, &line, None);
}

/// RFC 8437 §3: as the connection was before the login, but for TLS.
fn unauthenticate(work: &mut Work<'_>) -> Next {
    if work.base.compressed {
        // RFC 8437 §3 would have compression end with it; a client that wants both can connect anew.
        return Next::done(Reply::no("CANNOT", "Not while the connection is compressed"));
    }
    work.close_mailbox();
    work.cx.event(Event::Unauthenticated);
    (work.base.rev2_enabled, work.base.aware) = (false, Aware::default());
    work.base.utf8_enabled = false;
    work.base.notify = None;
    work.go(State::NotAuthenticated);
    let list = work.base.capabilities(false);
    let reply = Reply::ok("Log in again").because(&UNAUTHENTICATE);
    Next::done(reply.with_code([b"CAPABILITY ", &list[..]].concat()))
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
    if options.known.is_some() && !work.base.tells_vanished() {
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
            store::store(work, uids, Wanted { mode, flags, silent, by_uid, unchanged_since })
        }
        Err(reply) => Next::done(reply),
    }
}

fn begin_fetch(work: &mut Work<'_>, command: grammar::Fetch) -> Next {
    let grammar::Fetch { uid: by_uid, set, items, changed_since, partial, vanished } = command;
    if vanished && !work.base.tells_vanished() {
        return Next::done(NOT_ENABLED);
    }
    let uids = match messages(work, &set, by_uid) {
        Ok(uids) => uids,
        Err(reply) => return Next::done(reply),
    };
    // RFC 9394 §3.4: first the places, then what changed of them.
    let uids = match partial {
        Some(range) => uids.places(range),
        None => uids,
    };
    let mut items: Vec<Item> = items.into_iter().map(item).collect();
    // RFC 9051 §6.4.9: UID FETCH gives the UID even if it is not asked for.
    if by_uid && !items.iter().any(|item| matches!(item, Item::Uid)) {
        items.insert(0, Item::Uid);
    }
    // RFC 7162 §3.1.4.1: whoever asks for what changed is told when.
    if changed_since.is_some() && !items.iter().any(|item| matches!(item, Item::Modseq)) {
        items.push(Item::Modseq);
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

pub(super) fn item(item: FetchItem) -> Item {
    let whole = |label: &str, text: SectionText, peek: bool| {
        let (label, path) = (label.as_bytes().to_vec(), Vec::new());
        Item::Section(Section { label, path, text, fields: None, partial: None, peek })
    };
    match item {
        FetchItem::Uid => Item::Uid,
        FetchItem::Flags => Item::Flags,
        FetchItem::InternalDate => Item::InternalDate,
        FetchItem::Size => Item::Size,
        FetchItem::Envelope => Item::Envelope,
        FetchItem::Body => Item::Structure { extended: false },
        FetchItem::BodyStructure => Item::Structure { extended: true },
        FetchItem::Rfc822 => whole("RFC822", SectionText::Whole, false),
        // RFC 3501 §6.4.5: this one leaves \Seen alone.
        FetchItem::Rfc822Header => whole("RFC822.HEADER", SectionText::Header, true),
        FetchItem::Rfc822Text => whole("RFC822.TEXT", SectionText::Text, false),
        FetchItem::Section(peek, section, partial) => {
            Item::Section(body_section(section, partial, peek))
        }
        FetchItem::Binary(peek, path, partial) => {
            Item::Binary(binary_section("BINARY[", path, partial, peek))
        }
        FetchItem::BinarySize(path) => {
            Item::BinarySize(binary_section("BINARY.SIZE[", path, None, true))
        }
        FetchItem::Modseq => Item::Modseq,
        FetchItem::SaveDate => Item::SaveDate,
        FetchItem::EmailId => Item::EmailId,
        FetchItem::ThreadId => Item::ThreadId,
        FetchItem::Preview => Item::Preview,
    }
}

pub(super) fn body_section(
    section: grammar::Section,
    partial: Option<(u64, u64)>,
    peek: bool,
) -> Section {
    let grammar::Section { path, header } = section;
    let (name, text, fields) = match header {
        None => ("", SectionText::Whole, None),
        Some(Header::All) => ("HEADER", SectionText::Header, None),
        Some(Header::Text) => ("TEXT", SectionText::Text, None),
        Some(Header::Mime) => ("MIME", SectionText::Mime, None),
        Some(Header::Fields(names)) => {
            ("HEADER.FIELDS", SectionText::Header, Some(Fields { names, not: false }))
        }
        Some(Header::FieldsNot(names)) => {
            ("HEADER.FIELDS.NOT", SectionText::Header, Some(Fields { names, not: true }))
        }
    };
    let mut label = [b"BODY[", &path_text(&path)[..]].concat();
    if !path.is_empty() && !name.is_empty() {
        label.push(b'.');
    }
    label.extend_from_slice(name.as_bytes());
    if let Some(fields) = &fields {
        label.extend_from_slice(b" (");
        for (at, field) in fields.names.iter().enumerate() {
            if at > 0 {
                label.push(b' ');
            }
            grammar::print::astring(&mut label, field, false);
        }
        label.push(b')');
    }
    label.push(b']');
    Section { label, path, text, fields, partial: partial.map(range), peek }
}

fn binary_section(name: &str, path: Vec<u32>, partial: Option<(u64, u64)>, peek: bool) -> Section {
    let label = [name.as_bytes(), &path_text(&path), b"]"].concat();
    let text = SectionText::Whole;
    Section { label, path, text, fields: None, partial: partial.map(range), peek }
}

fn range((origin, count): (u64, u64)) -> Partial {
    Partial { origin, count }
}

fn path_text(path: &[u32]) -> Vec<u8> {
    let mut text = Vec::new();
    for number in path {
        if !text.is_empty() {
            text.push(b'.');
        }
        text.extend_from_slice(format!("{number}").as_bytes());
    }
    text
}
