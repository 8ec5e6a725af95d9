//! The application's side of an IMAP client's transcript: what it wants, and what it was told and given.

use std::sync::Arc;

use pillarbox_engine::imap;
use pillarbox_engine::imap::client::types::{
    Answer, AppendAllCommand, AppendCommand, AppendMessage, Ask, AssembleCommand, AssemblePart,
    Call, Command, Config, CopyCommand, CreateCommand, FetchCommand, FetchSection, IdField,
    KnownState, ListCommand, ListRightsCommand, MetadataCommand, MultiSearchCommand, NotifyEvent,
    NotifyGroup, NotifyScope, OctetRange, Places, QuotaCommand, RenameCommand, RightsCommand,
    SearchCommand, SearchScope, SelectCommand, SentPart, SortBy, SortCommand, SortKey,
    StoreCommand, StoredPart, ThreadAlgorithm, ThreadCommand, Timeouts, TlsPolicy,
};
use pillarbox_engine::imap::types::{
    Flags, HeaderKey, MetadataEntry, SearchKey, SpecialUse, StoreMode, UidRun,
};
use pillarbox_engine::limits::Limits;
use pillarbox_engine::types::{BlobRange, Now, Reason};
use pillarbox_world::conversation::Driven;
use pillarbox_world::service::local::LocalBackend;
use pillarbox_world::service::{Indexer, Service};

use super::desk::Desk;
use super::imap_told::told;
use super::roles::{Factory, Scripted, Verdict, has, limits};

/// Answers a client session from the desk.
pub(super) struct ImapDesk(Arc<Desk>);

impl Service<imap::Client> for ImapDesk {
    async fn answer(&mut self, _: Now, ask: Ask, _: &mut dyn Indexer) -> Answer {
        match ask {
            Ask::Login(ask) => Answer::Login(self.0.secret(ask)),
            Ask::Chunk(chunk) => {
                let place = match &chunk.url {
                    Some(url) => url.escape_ascii().to_string(),
                    None => format!("{}={}", chunk.number, chunk.uid),
                };
                let kind = if chunk.binary { "binary" } else { "body" };
                let origin = chunk.origin.map_or_else(String::new, |at| format!("<{at}>"));
                let section = chunk.section.escape_ascii();
                let last = if chunk.last { "." } else { "" };
                let octets = match chunk.octets.len() {
                    0..200 => chunk.octets.escape_ascii().to_string(),
                    length => format!("{length} octets"),
                };
                let size = chunk.size;
                self.0
                    .tell(format!("chunk {place} {kind}[{section}]{origin} {size}{last} {octets}"));
                Answer::Done
            }
        }
    }

    fn octets(&mut self, range: BlobRange) -> Result<Vec<u8>, Reason> {
        self.0.octets(range)
    }

    fn event(&mut self, event: &imap::client::types::Event) {
        self.0.tell(told(event));
    }

    fn call(&mut self) -> Option<Call> {
        None
    }

    fn account(&self) -> Option<&[u8]> {
        None
    }
}

impl Scripted for imap::Client {
    type Service = ImapDesk;

    fn session(
        factory: &dyn Factory,
        with: &[String],
        now: Now,
        _: bool,
    ) -> Result<Box<dyn Driven<Self, Broken = String>>, String> {
        let own = ["login=", "enable=", "id="];
        let own = |word: &&String| own.iter().any(|prefix| word.starts_with(prefix));
        let bounds: Vec<String> = with.iter().filter(|word| !own(word)).cloned().collect();
        let tls = match () {
            () if has(with, "starttls") => TlsPolicy::Opportunistic,
            () if has(with, "starttls-required") => TlsPolicy::Required,
            () if has(with, "tls") => TlsPolicy::Implicit,
            () => TlsPolicy::None,
        };
        let of = |prefix: &str| with.iter().find_map(|word| word.strip_prefix(prefix));
        let enable = of("enable=").into_iter().flat_map(|names| names.split(','));
        let id = of("id=")
            .map(|name| IdField { name: b"name".to_vec(), value: Some(name.as_bytes().to_vec()) });
        let config = Config {
            tls,
            enable: enable.map(|name| name.as_bytes().to_vec()).collect(),
            id: id.into_iter().collect(),
            limits: limits(Limits::IMAP_CLIENT, &bounds)?,
            timeouts: Timeouts::default(),
            trace: has(with, "trace"),
        };
        Ok(factory.imap_client(config, now))
    }

    fn service(_: &Arc<LocalBackend>, desk: &Arc<Desk>, _: u64) -> Self::Service {
        ImapDesk(Arc::clone(desk))
    }

    fn verdict(verdict: Verdict, _: &Ask) -> Answer {
        match verdict {
            Verdict::Refused(refusal) => Answer::Refused(refusal),
            Verdict::Instead(_) | Verdict::Hiding(_) | Verdict::Candidates(_) => Answer::Done,
        }
    }

    /// `> 1 fetch 1:* flags section=HEADER`: the call's number, what is wanted, and of what.
    fn call(words: &str, octets: &[u8], desk: &Desk) -> Result<Call, String> {
        let mut words = words.split_whitespace();
        let id = words.next().and_then(|word| word.parse().ok());
        let id = id.ok_or("expected the call's number")?;
        let name = words.next().ok_or("expected what is wanted")?;
        let rest: Vec<&str> = words.collect();
        if ["append", "append-all", "assemble"].contains(&name) {
            desk.keep(u64::from(id), octets);
        }
        let command = command(id, name, &rest, octets.len() as u64);
        let command = command.ok_or_else(|| format!("`{name}` with {rest:?} is no command"))?;
        Ok(Call { id, command })
    }
}

fn command(id: u32, name: &str, rest: &[&str], size: u64) -> Option<Command> {
    let first = || rest.first().map(|word| octets(word));
    let second = || rest.get(1).map(|word| octets(word));
    let is = |word: &str| rest.contains(&word);
    let value = |prefix: &str| rest.iter().find_map(|word| word.strip_prefix(prefix));
    Some(match name {
        "select" => Command::Select(SelectCommand {
            name: first()?,
            read_only: is("read-only"),
            known: value("known=").map(known).transpose().ok()?,
        }),
        "unselect" => Command::Unselect,
        "close" => Command::Close,
        "list" => Command::List(ListCommand {
            pattern: first()?,
            subscribed: is("subscribed"),
            special_use: is("special-use"),
            status: is("status"),
            rights: is("rights"),
        }),
        "status" => Command::Status(first()?),
        "create" => {
            let special_uses = if is("use=sent") { vec![SpecialUse::Sent] } else { vec![] };
            Command::Create(CreateCommand { name: first()?, special_uses })
        }
        "delete" => Command::Delete(first()?),
        "rename" => Command::Rename(RenameCommand { from: first()?, to: second()? }),
        "subscribe" => Command::Subscribe(first()?),
        "unsubscribe" => Command::Unsubscribe(first()?),
        "namespace" => Command::Namespace,
        "fetch" => Command::Fetch(fetch(rest)?),
        "store" => {
            let mode = match *rest.get(1)? {
                "add" => StoreMode::Add,
                "remove" => StoreMode::Remove,
                _ => StoreMode::Replace,
            };
            let word = |word: &&&str| !word.starts_with("unchanged-since=") && **word != "silent";
            let words: Vec<&str> = rest[2..].iter().filter(word).copied().collect();
            Command::Store(StoreCommand {
                uids: set(rest.first()?)?,
                mode,
                flags: flags(&words),
                silent: is("silent"),
                unchanged_since: value("unchanged-since=").and_then(|word| word.parse().ok()),
            })
        }
        "copy" | "move" => {
            let uids = set(rest.first()?)?;
            Command::Copy(CopyCommand { uids, to: second()?, remove: name == "move" })
        }
        "expunge" => Command::Expunge(set(rest.first()?)?),
        "search" => Command::Search(SearchCommand {
            keys: keys(rest)?,
            summary: is("summary"),
            places: value("places=").map(places).transpose().ok()?,
            relevancy: is("relevancy"),
            update: is("update"),
        }),
        "cancel-update" => Command::CancelUpdate(rest.first()?.parse().ok()?),
        "multi-search" => {
            let scopes = rest.iter().filter_map(|word| word.strip_prefix("in="));
            Command::MultiSearch(MultiSearchCommand {
                scopes: scopes.map(search_scope).collect::<Option<_>>()?,
                keys: keys(rest)?,
                summary: is("summary"),
                relevancy: is("relevancy"),
            })
        }
        "sort" => {
            let by = rest.first()?.split(',').map(sort_by).collect::<Option<_>>()?;
            Command::Sort(SortCommand { by, keys: keys(rest.get(1..)?)? })
        }
        "thread" => {
            let by_subject = is("orderedsubject");
            let algorithm = if by_subject {
                ThreadAlgorithm::OrderedSubject
            } else {
                ThreadAlgorithm::References
            };
            Command::Thread(ThreadCommand { algorithm, keys: keys(rest.get(1..)?)? })
        }
        "append" => {
            let words: Vec<&str> = rest.get(1..)?.iter().filter(is_flag).copied().collect();
            Command::Append(AppendCommand {
                name: first()?,
                message: u64::from(id),
                size,
                flags: flags(&words),
                internal_date_ms: value("date=").and_then(|word| word.parse().ok()),
                binary: is("binary"),
                replaces: value("replaces=").and_then(|word| word.parse().ok()),
            })
        }
        // Two of the same, of which the first has these flags.
        "append-all" => {
            let words: Vec<&str> = rest.get(1..)?.iter().filter(is_flag).copied().collect();
            let message = |flags, internal_date_ms| AppendMessage {
                message: u64::from(id),
                size,
                flags,
                internal_date_ms,
                binary: is("binary"),
            };
            let date = value("date=").and_then(|word| word.parse().ok());
            let messages = vec![message(flags(&words), None), message(Flags::default(), date)];
            Command::AppendAll(AppendAllCommand { name: first()?, messages })
        }
        "assemble" => {
            let words: Vec<&str> = rest.get(1..)?.iter().filter(is_flag).copied().collect();
            let part = |word: &&str| match word.strip_prefix("url=") {
                Some(url) => Some(AssemblePart::Stored(stored(url)?)),
                None if *word == "octets" => {
                    Some(AssemblePart::Sent(SentPart { message: u64::from(id), size }))
                }
                None => None,
            };
            Command::Assemble(AssembleCommand {
                name: first()?,
                parts: rest.iter().filter_map(part).collect(),
                flags: flags(&words),
                internal_date_ms: value("date=").and_then(|word| word.parse().ok()),
                replaces: value("replaces=").and_then(|word| word.parse().ok()),
            })
        }
        "idle" => Command::Idle,
        "done-idling" => Command::DoneIdling,
        "notify" if is("none") => Command::Notify(vec![]),
        "notify" => Command::Notify(rest.iter().map(|word| group(word)).collect::<Option<_>>()?),
        "noop" => Command::Noop,
        "quota" => {
            Command::Quota(QuotaCommand { name: first()?, root: is("root"), set: Vec::new() })
        }
        "rights" => Command::Rights(RightsCommand { name: first()?, change: None }),
        "list-rights" => {
            Command::ListRights(ListRightsCommand { name: first()?, identifier: second()? })
        }
        "authorize-urls" => Command::AuthorizeUrls(rest.iter().map(|word| octets(word)).collect()),
        "reset-key" => Command::ResetKey(first()),
        "fetch-urls" => Command::FetchUrls(rest.iter().map(|word| octets(word)).collect()),
        "language" => Command::Language(rest.iter().map(|word| octets(word)).collect()),
        "compress" => Command::Compress,
        "unauthenticate" => Command::Unauthenticate,
        "metadata" => {
            let entry = |word: &&str| octets(word);
            let write = value("value=").map(|value| MetadataEntry {
                entry: second().unwrap_or_default(),
                value: Some(octets(value)),
            });
            let read =
                rest.get(1..)?.iter().filter(|word| write.is_none() && word.starts_with('/'));
            let read = read.map(entry).collect();
            let depth = value("depth=").map_or(Some(0), |word| word.parse().ok())?;
            let value_max = value("value-max=").and_then(|word| word.parse().ok());
            let write = write.into_iter().collect();
            Command::Metadata(MetadataCommand { name: first()?, read, depth, value_max, write })
        }
        "logout" => Command::Logout,
        _ => return None,
    })
}

/// `_` stands for a space, since words end at spaces; `""` for nothing.
fn octets(word: &str) -> Vec<u8> {
    if word == "\"\"" { Vec::new() } else { word.replace('_', " ").into_bytes() }
}

/// `1:3,5`, and `*` for the largest.
fn set(word: &str) -> Option<Vec<UidRun>> {
    let number = |word: &str| if word == "*" { Some(u32::MAX) } else { word.parse().ok() };
    let run = |run: &str| {
        let (first, last) = run.split_once(':').unwrap_or((run, run));
        Some(UidRun { first: number(first)?, last: number(last)? })
    };
    word.split(',').map(run).collect()
}

/// What of the words of APPEND is no setting and no part.
fn is_flag(word: &&&str) -> bool {
    !["binary", "octets"].contains(*word) && !word.contains('=')
}

/// `url=MAILBOX/VALIDITY/UID/SECTION`
fn stored(words: &str) -> Option<StoredPart> {
    let mut parts = words.splitn(4, '/');
    let mailbox = octets(parts.next()?);
    let mut number = || parts.next().and_then(|part| part.parse().ok());
    let (uid_validity, uid) = (number()?, number()?);
    let section = octets(parts.next().unwrap_or_default());
    Some(StoredPart { mailbox, uid_validity, uid, section })
}

/// `places=1:10`, and `places=-1:10` from the end.
fn places(words: &str) -> Result<Places, String> {
    let (from_end, words) = words.strip_prefix('-').map_or((false, words), |rest| (true, rest));
    let (first, last) = words.split_once(':').unwrap_or((words, words));
    let number = |word: &str| word.parse::<u32>().map_err(|error| error.to_string());
    Ok(Places { first: number(first)?, last: number(last)?, from_end })
}

/// `in=personal`, `in=subtree=Work,Play`
fn search_scope(word: &str) -> Option<SearchScope> {
    let names = |names: &str| names.split(',').map(octets).collect();
    Some(match word.split_once('=') {
        Some(("subtree", of)) => SearchScope::Subtree(names(of)),
        Some(("subtree-one", of)) => SearchScope::SubtreeOne(names(of)),
        Some(("mailboxes", of)) => SearchScope::Mailboxes(names(of)),
        None if word == "selected" => SearchScope::Selected,
        None if word == "inboxes" => SearchScope::Inboxes,
        None if word == "personal" => SearchScope::Personal,
        None if word == "subscribed" => SearchScope::Subscribed,
        _ => return None,
    })
}

/// `known=VALIDITY/MODSEQ/UIDS`
fn known(words: &str) -> Result<KnownState, String> {
    let mut parts = words.split('/');
    let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok()).ok_or("a number");
    let (validity, modseq) = (number()?, number()?);
    let uids = parts.next().and_then(set).unwrap_or_default();
    Ok(KnownState { uid_validity: validity as u32, modseq, uids })
}

fn fetch(rest: &[&str]) -> Option<FetchCommand> {
    let mut command = FetchCommand { uids: set(rest.first()?)?, ..FetchCommand::default() };
    for word in &rest[1..] {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "flags" => command.with_flags = true,
            "facts" => command.with_facts = true,
            "envelope" => command.with_envelope = true,
            "structure" => command.with_structure = true,
            "preview" => command.with_preview = true,
            "vanished" => command.vanished = true,
            "places" => command.places = Some(places(value).ok()?),
            "changed-since" => command.changed_since = value.parse().ok(),
            "section" | "binary" => command.sections.push(FetchSection {
                section: octets(value),
                binary: name == "binary",
                part: None,
            }),
            "part" => {
                let (offset, length) = value.split_once('.')?;
                let part =
                    OctetRange { offset: offset.parse().ok()?, length: length.parse().ok()? };
                command.sections.last_mut()?.part = Some(part);
            }
            _ => return None,
        }
    }
    Some(command)
}

fn flags(words: &[&str]) -> Flags {
    let mut flags = Flags::default();
    for word in words {
        match *word {
            "\\Answered" => flags.system |= 1,
            "\\Flagged" => flags.system |= 2,
            "\\Deleted" => flags.system |= 4,
            "\\Seen" => flags.system |= 8,
            "\\Draft" => flags.system |= 16,
            keyword => flags.keywords.push(keyword.as_bytes().to_vec()),
        }
    }
    flags
}

/// Keys in postfix order.
fn keys(words: &[&str]) -> Option<Vec<SearchKey>> {
    let settings =
        ["summary", "references", "orderedsubject", "relevancy", "update", "in=", "places="];
    let word = |word: &&&str| {
        let is = |setting: &&str| match setting.ends_with('=') {
            true => word.starts_with(*setting),
            false => **word == *setting,
        };
        !settings.iter().any(is)
    };
    words.iter().filter(word).map(|word| key(word)).collect()
}

fn key(word: &str) -> Option<SearchKey> {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    Some(match name {
        "all" => SearchKey::All,
        "seen" => SearchKey::Flags(8),
        "flagged" => SearchKey::Flags(2),
        "keyword" => SearchKey::Keyword(octets(value)),
        "uids" => SearchKey::Uids(set(value)?),
        "larger" => SearchKey::Larger(value.parse().ok()?),
        "since" => SearchKey::Since(value.parse().ok()?),
        "sent-before" => SearchKey::SentBefore(value.parse().ok()?),
        "subject" => {
            SearchKey::Header(HeaderKey { name: b"Subject".to_vec(), text: octets(value) })
        }
        "fuzzy-subject" => {
            SearchKey::FuzzyHeader(HeaderKey { name: b"Subject".to_vec(), text: octets(value) })
        }
        "fuzzy-body" => SearchKey::FuzzyBody(octets(value)),
        "fuzzy-text" => SearchKey::FuzzyText(octets(value)),
        "body" => SearchKey::Body(octets(value)),
        "text" => SearchKey::Text(octets(value)),
        "modseq" => SearchKey::Modseq(value.parse().ok()?),
        "younger" => SearchKey::Younger(value.parse().ok()?),
        "not" => SearchKey::Not,
        "or" => SearchKey::Or,
        "and" => SearchKey::And(value.parse().ok()?),
        _ => return None,
    })
}

/// `-date`: the latest first.
fn sort_by(word: &str) -> Option<SortBy> {
    let (reverse, name) = word.strip_prefix('-').map_or((false, word), |name| (true, name));
    let key = match name {
        "arrival" => SortKey::Arrival,
        "date" => SortKey::Date,
        "from" => SortKey::From,
        "size" => SortKey::Size,
        "subject" => SortKey::Subject,
        "display-from" => SortKey::DisplayFrom,
        "relevancy" => SortKey::Relevancy,
        _ => return None,
    };
    Some(SortBy { key, reverse })
}

/// `selected:new,expunge,flags`
fn group(word: &str) -> Option<NotifyGroup> {
    let (scope, events) = word.split_once(':')?;
    let scope = match scope.split_once('=') {
        Some(("subtree", name)) => NotifyScope::Subtree(vec![octets(name)]),
        Some(("mailboxes", name)) => NotifyScope::Mailboxes(vec![octets(name)]),
        None if scope == "selected" => NotifyScope::Selected,
        None if scope == "personal" => NotifyScope::Personal,
        _ => return None,
    };
    let event = |word: &str| match word {
        "new" => Some(NotifyEvent::MessageNew),
        "expunge" => Some(NotifyEvent::MessageExpunge),
        "flags" => Some(NotifyEvent::FlagChange),
        "names" => Some(NotifyEvent::MailboxName),
        _ => None,
    };
    let events = events.split(',').filter(|word| !word.is_empty()).map(event);
    Some(NotifyGroup { scope, events: events.collect::<Option<_>>()? })
}
