//! What a command demands before anything is done about it: a state to come in, extensions on offer, and of who has enabled
//! UIDONLY, that messages are named by UID. What it does then stands in `dispatch`.

use alloc::vec::Vec;

use super::capability::{CAPABILITY, Feature};
use super::reply::Reply;
use super::state::State;
use super::{Base, multisearch, uid_only};
use crate::imap::grammar::{self, Command, FetchItem, SequenceSet, StatusItem};
use crate::trace::Rule;

/// RFC 9051 §3.
pub(crate) const STATES: Rule =
    Rule { rfc: 9051, section: "3", gist: "Most commands are valid in certain states only." };

/// Why a command is refused before anything is done about it, and the rule that it broke, if it broke one.
pub(super) fn refusal(
    base: &Base,
    state: &State,
    command: &Command,
) -> Option<(Reply, Option<&'static Rule>)> {
    if features(command).into_iter().any(|feature| !base.features.has(feature)) {
        return Some((Reply::bad("This is not offered here").because(&CAPABILITY), None));
    }
    if let Some(reply) = wrong_state(state, needs(command)) {
        return Some((reply, Some(&STATES)));
    }
    let by_number = base.uid_only && uid_only::names_numbers(command);
    by_number.then(|| (uid_only::refusal(), Some(&uid_only::REQUIRED)))
}

/// Whether a command would be begun.
pub(super) fn is_in_order(base: &Base, state: &State, command: &Command) -> bool {
    refusal(base, state, command).is_none()
}

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
        Command::Capability
        | Command::Noop
        | Command::Logout
        | Command::Id(_)
        | Command::Language(_) => Needs::Nothing,
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
        Command::Language(_) => [Feature::Language].into(),
        Command::GetQuota(_) | Command::GetQuotaRoot(_) => [Feature::Quota].into(),
        Command::SetQuota(..) => [Feature::QuotaSet].into(),
        Command::GetMetadata(get) => metadata_features(&get.name),
        Command::SetMetadata(name, _) => metadata_features(name),
        Command::GenUrlAuth(_) | Command::ResetKey(..) | Command::UrlFetch(_) => {
            [Feature::UrlAuth].into()
        }
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
        (!list.return_metadata.is_empty(), Feature::ListMetadata),
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
