//! The IMAP client role. What it shares with the server stands there.

use pillarbox_engine::imap::client::types as engine;

use super::super::wit::{imap_client as wit, imap_types as shared};
use super::{records, variants};

records! {
    shared, engine;
    Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id }
    Address { name, mailbox, host }
    BodyPart {
        depth, section, media_type, parameters, content_id, description, encoding, size, lines,
        envelope, md5, disposition, disposition_parameters, language, location,
    }
    Parameter { name, value }
}

records! {
    wit, engine;
    Config { tls, enable, id, limits, timeouts, trace }
    Timeouts { reply_ms, idle_renew_ms }
    IdField { name, value }
    BodyChunk { number, uid, section, url, binary, origin, size, octets, last }
    Call { id, command }
    SelectCommand { name, read_only, known }
    KnownState { uid_validity, modseq, uids }
    ListCommand { pattern, subscribed, special_use, status, rights }
    CreateCommand { name, special_uses }
    RenameCommand { from, to }
    FetchCommand {
        uids, with_flags, with_facts, with_envelope, with_structure, with_preview, sections,
        changed_since, vanished, places,
    }
    FetchSection { section, binary, part }
    OctetRange { offset, length }
    StoreCommand { uids, mode, flags, silent, unchanged_since }
    CopyCommand { uids, to, remove }
    Places { first, last, from_end }
    SearchCommand { keys, summary, places, relevancy, update }
    MultiSearchCommand { scopes, keys, summary, relevancy }
    SortBy { key, reverse }
    SortCommand { by, keys }
    ThreadCommand { algorithm, keys }
    AppendCommand { name, message, size, flags, internal_date_ms, binary, replaces }
    AppendAllCommand { name, messages }
    AppendMessage { message, size, flags, internal_date_ms, binary }
    AssembleCommand { name, parts, flags, internal_date_ms, replaces }
    StoredPart { mailbox, uid_validity, uid, section }
    SentPart { message, size }
    NotifyGroup { scope, events }
    QuotaCommand { name, root, set }
    RightsCommand { name, change }
    ListRightsCommand { name, identifier }
    MetadataCommand { name, read, depth, value_max, write }
    MessageLimit { max, lowest_uid }
    Completion {
        call, outcome, code, text, incomplete, uid_validity, source, target, modified, message_limit,
    }
    Counters {
        messages, recent, uid_next, uid_validity, unseen, deleted, size, highest_modseq, mailbox_id,
    }
    Opened { name, counters, read_only, flags, permanent_flags, new_keywords, modseqs }
    Mailbox { name, separator, attributes, subscribed_list }
    Counted { name, counters }
    Namespace { prefix, separator }
    Namespaces { personal, others, shared }
    Fetched {
        number, uid, flags, modseq, internal_date_ms, internal_date_zone, save_date_ms, size, envelope,
        structure, preview, email_id, thread_id,
    }
    Vanished { uids, earlier }
    Found { call, uids }
    FoundIn { call, name, uid_validity }
    Scored { call, scores }
    Updated { call, removed, added }
    Progress { call, done, goal }
    SearchCount { call, count, min, max, modseq }
    Sorted { call, uids }
    ThreadRow { depth, uid }
    Threaded { call, rows }
    RightsTold { name, mine, entries }
    Grantable { name, identifier, always, groups }
    MetadataTold { name, entries }
    UrlFetched { url, found }
    Ready { capabilities, enabled, server, preauth }
    Failure { cause, code, text }
}

variants! {
    wit, engine;
    TlsPolicy { Implicit, None, Opportunistic, Required }
    Ask { Login(value), Chunk(value) }
    Answer { Login(value), Done, Refused(value) }
    Command {
        Select(value), Unselect, Close, List(value), Status(value), Create(value), Delete(value),
        Rename(value), Subscribe(value), Unsubscribe(value), Namespace, Fetch(value), Store(value),
        Copy(value), Expunge(value), Search(value), CancelUpdate(value), MultiSearch(value),
        Sort(value), Thread(value), Append(value), AppendAll(value), Assemble(value), Idle, DoneIdling, Notify(value), Noop,
        Quota(value), Rights(value), ListRights(value), Metadata(value), AuthorizeUrls(value),
        ResetKey(value), FetchUrls(value), Language(value), Compress, Unauthenticate, Logout,
    }
    SearchScope {
        Selected, Inboxes, Personal, Subscribed, Subtree(value), SubtreeOne(value), Mailboxes(value),
    }
    AssemblePart { Stored(value), Sent(value) }
    SortKey { Arrival, Cc, Date, From, Size, Subject, To, DisplayFrom, DisplayTo, Relevancy }
    ThreadAlgorithm { OrderedSubject, References }
    NotifyScope {
        Selected, SelectedDelayed, Inboxes, Personal, Subscribed, Subtree(value), Mailboxes(value),
    }
    NotifyEvent {
        MessageNew, MessageExpunge, FlagChange, MailboxName, SubscriptionChange,
        MailboxMetadataChange, ServerMetadataChange,
    }
    Outcome { Ok, No, Bad, Unsupported, Lost }
    Cause { Bye, Unsupported, Login, Tls, Malformed, TooLarge, Timeout, Lost }
    Event {
        Ready(value), Completed(value), Opened(value), Closed, Mailbox(value), Status(value),
        Namespaces(value), Capabilities(value), Exists(value), Recent(value), Flags(value),
        Fetched(value), Expunged(value), Vanished(value), Found(value), Counted(value),
        FoundIn(value), Scored(value), Updated(value), UpdateRefused(value), Progress(value),
        Sorted(value), Threaded(value), Quota(value), Rights(value), Grantable(value),
        Metadata(value), MetadataLeftOut(value), UrlsAuthorized(value), UrlFetched(value),
        Languages(value), Alert(value),
        NotifyOverflow, Bye(value), Defect(value), Done(value),
    }
}
