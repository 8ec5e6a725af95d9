//! The IMAP roles.

use pillarbox_engine::imap::types as engine;

use super::super::wit::{imap_server as wit, imap_types as shared};
use super::{records, variants};

records! {
    shared, engine;
    UidRun { first, last }
    MailboxRow { name, exists, selectable, subscribed, has_children, special_uses, rights, status }
    MailboxStatus {
        messages, recent, uid_next, uid_validity, unseen, deleted, size, deleted_size,
        highest_modseq,
        mailbox_id,
    }
    Flags { system, keywords }
    FlagRow { uid, flags, modseq }
    Stored { rows, modified }
    Copied { uid_validity, source, target, modseq }
    Appended { uid_validity, uids, replaced_modseq }
    HeaderKey { name, text }
    QuotaLimit { resource, limit }
    QuotaResource { root, resource, usage, limit }
    RightsChange { identifier, mode, rights }
    RightsEntry { identifier, rights }
    Rights { mine, owner, entries }
    MetadataEntry { entry, value }
}

variants! {
    shared, engine;
    SpecialUse { All, Archive, Drafts, Flagged, Important, Junk, Sent, Trash }
    StoreMode { Replace, Add, Remove }
    SearchKey {
        All, Flags(value), Keyword(value), Uids(value), Larger(value), Smaller(value),
        Before(value), On(value), Since(value), SentBefore(value), SentOn(value),
        SentSince(value), Header(value), Body(value), Text(value), FuzzyHeader(value), FuzzyBody(value),
        FuzzyText(value), Modseq(value), Younger(value),
        Older(value), SavedBefore(value), SavedOn(value), SavedSince(value), EmailId(value), Not,
        Or, And(value),
    }
}

records! {
    wit, engine;
    Config { host_name, peer, session_id, tls, auth, preauth, without, faults, limits, trace }
    MailboxesAsk { after, prefix, max, status }
    CreateAsk { name, special_uses }
    RenameAsk { from, to }
    SubscribeAsk { name, subscribed }
    OpenAsk { name, read_only }
    Opened { status, read_only, rights, first_unseen, recent_from, keywords, uids }
    UidPage { runs, more }
    RowsAsk { uids, max, index, changed_since }
    FlagsAsk { uids, max, changed_since }
    FlagPage { uids, system, modseqs, keywords, more }
    KeywordsAt { place, keywords }
    OrderAsk { by, uids, skip, max }
    OrderPage { unknown, uids, first, last }
    SortKeys { by, keys }
    VanishedAsk { since, above }
    VanishedPage { known, runs, more }
    Expunged { runs, modseq }
    Row {
        uid, blob, size, flags, modseq, internal_date_ms, internal_date_zone, save_date_ms, index,
    }
    RowPage { rows, more }
    StoreAsk { uids, mode, flags, unchanged_since }
    CopyAsk { uids, to, remove }
    AppendAsk { name, size, flags, internal_date_ms, internal_date_zone, replaces }
    SearchAsk { uids, keys }
    QuotaAsk { name, root, set }
    Quota { roots, resources }
    RightsAsk { name, change }
    MetadataAsk { name, read, depth, write }
    UrlRump { rump, owner, mailbox, uid_validity, access }
    UrlClaim { url, token }
    MailboxPage { rows, more }
    Arrived { runs, recent }
    MessagesNotice { row, counted, flagged }
    NameNotice { row, old_name }
    MetadataNotice { row, entries }
}

variants! {
    wit, engine;
    Ask {
        Login(value), Mailboxes(value), Create(value), Delete(value), Rename(value),
        Subscribe(value), Status(value), Open(value), Uids(value), Rows(value), Flags(value),
        Vanished(value), Octets(value), Store(value), Expunge(value), Copy(value), Append(value), Chunk(value), Commit,
        Search(value), Order(value), SortKeys(value), Quota(value), Rights(value), Metadata(value), AuthorizeUrl(value), ResetKey(value),
        RedeemUrl(value), Watch, Peek(value), Phase(value),
    }
    Answer {
        Login(value), Mailboxes(value), Status(value), Opened(value), Uids(value), Rows(value), Flags(value),
        Vanished(value), Octets(value), Stored(value), Expunged(value), Copied(value), Appended(value),
        Found(value), Declined, Candidates(value), Order(value), Quota(value), Rights(value), Metadata(value),
        UrlToken(value), Done, Refused(value), Instead(value),
    }
    UrlAccess { Submit(value), User(value), AuthUser, Anonymous }
    Call { Changed(value), Noticed(value), Farewell(value) }
    Notice { Messages(value), Name(value), Subscription(value), Metadata(value), Overflow }
    Change { Arrived(value), Flags(value), Expunged(value), Resynchronise, Deleted }
    Event { Closed, AppendDropped, Defect(value), Logout, Unauthenticated, Unwatched, Unpeeked }
}
