//! What this server can do, as one table from which the announcement and every refusal follow.
//! An extension that the configuration leaves out is neither announced nor accepted.

use alloc::vec::Vec;

use super::{limit, print};
use crate::imap::types::Config;
use crate::sasl::server::Terms;
use crate::sasl::{Mechanism, is_among};
use crate::trace::Rule;
use crate::types::TlsOffer;

/// RFC 9051 §6.1.1.
pub(crate) const CAPABILITY: Rule = Rule {
    rfc: 9051,
    section: "6.1.1",
    gist: "CAPABILITY lists what this server can do now; what it does not list is not accepted.",
};

/// An extension that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    Rev1,
    Rev2,
    SaslIr,
    LiteralPlus,
    LiteralMinus,
    Id,
    Enable,
    Idle,
    Namespace,
    Unselect,
    UidPlus,
    Move,
    Children,
    SpecialUse,
    CreateSpecialUse,
    ListExtended,
    ListStatus,
    StatusSize,
    Esearch,
    SearchRes,
    Binary,
    Condstore,
    Qresync,
    Sort,
    SortDisplay,
    Esort,
    ThreadSubject,
    ThreadReferences,
    I18n,
    Within,
    SaveDate,
    ObjectId,
    Preview,
    Partial,
    MultiAppend,
    AppendLimit,
    Unauthenticate,
    Compress,
    Quota,
    QuotaStorage,
    QuotaMessage,
    QuotaMailbox,
    QuotaSet,
    Metadata,
    MetadataServer,
    Utf8Accept,
    Replace,
    SaveLimit,
    Notify,
    Acl,
    AclRights,
    ListMyRights,
    ContextSearch,
    ContextSort,
    MultiSearch,
    SearchFuzzy,
    Catenate,
    UrlAuth,
    UidOnly,
    Language,
    ListMetadata,
    InProgress,
}

/// When a capability is announced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// Of use before login, and told before it.
    LoggedIn,
}

struct Row {
    feature: Feature,
    name: &'static str,
    when: When,
}

const fn always(feature: Feature, name: &'static str) -> Row {
    Row { feature, name, when: When::Always }
}

const fn logged_in(feature: Feature, name: &'static str) -> Row {
    Row { feature, name, when: When::LoggedIn }
}

/// In the order of the announcement.
const TABLE: &[Row] = &[
    always(Feature::Rev1, "IMAP4rev1"),
    always(Feature::Rev2, "IMAP4rev2"),
    always(Feature::SaslIr, "SASL-IR"),
    always(Feature::LiteralPlus, "LITERAL+"),
    always(Feature::LiteralMinus, "LITERAL-"),
    always(Feature::Id, "ID"),
    always(Feature::Enable, "ENABLE"),
    always(Feature::Idle, "IDLE"),
    // RFC 5255 §3.1: in the greeting too.
    always(Feature::Language, "LANGUAGE"),
    logged_in(Feature::Namespace, "NAMESPACE"),
    logged_in(Feature::Unselect, "UNSELECT"),
    logged_in(Feature::UidPlus, "UIDPLUS"),
    logged_in(Feature::Move, "MOVE"),
    logged_in(Feature::Children, "CHILDREN"),
    logged_in(Feature::SpecialUse, "SPECIAL-USE"),
    logged_in(Feature::CreateSpecialUse, "CREATE-SPECIAL-USE"),
    logged_in(Feature::ListExtended, "LIST-EXTENDED"),
    logged_in(Feature::ListStatus, "LIST-STATUS"),
    logged_in(Feature::StatusSize, "STATUS=SIZE"),
    logged_in(Feature::Esearch, "ESEARCH"),
    logged_in(Feature::SearchRes, "SEARCHRES"),
    logged_in(Feature::Binary, "BINARY"),
    logged_in(Feature::Condstore, "CONDSTORE"),
    logged_in(Feature::Qresync, "QRESYNC"),
    logged_in(Feature::Sort, "SORT"),
    logged_in(Feature::SortDisplay, "SORT=DISPLAY"),
    logged_in(Feature::Esort, "ESORT"),
    logged_in(Feature::ThreadSubject, "THREAD=ORDEREDSUBJECT"),
    logged_in(Feature::ThreadReferences, "THREAD=REFERENCES"),
    // RFC 5255 §4.3: it promises a collation, and asks for nothing more.
    logged_in(Feature::I18n, "I18NLEVEL=1"),
    logged_in(Feature::Within, "WITHIN"),
    logged_in(Feature::SaveDate, "SAVEDATE"),
    logged_in(Feature::ObjectId, "OBJECTID"),
    logged_in(Feature::Preview, "PREVIEW"),
    logged_in(Feature::Partial, "PARTIAL"),
    logged_in(Feature::MultiAppend, "MULTIAPPEND"),
    logged_in(Feature::AppendLimit, "APPENDLIMIT"),
    logged_in(Feature::Unauthenticate, "UNAUTHENTICATE"),
    logged_in(Feature::Compress, "COMPRESS=DEFLATE"),
    logged_in(Feature::Quota, "QUOTA"),
    logged_in(Feature::QuotaStorage, "QUOTA=RES-STORAGE"),
    logged_in(Feature::QuotaMessage, "QUOTA=RES-MESSAGE"),
    logged_in(Feature::QuotaMailbox, "QUOTA=RES-MAILBOX"),
    logged_in(Feature::QuotaSet, "QUOTASET"),
    logged_in(Feature::Metadata, "METADATA"),
    logged_in(Feature::MetadataServer, "METADATA-SERVER"),
    logged_in(Feature::Utf8Accept, "UTF8=ACCEPT"),
    logged_in(Feature::Replace, "REPLACE"),
    logged_in(Feature::SaveLimit, "SAVELIMIT"),
    logged_in(Feature::Notify, "NOTIFY"),
    logged_in(Feature::Acl, "ACL"),
    // RFC 4314 §5.1.1: those that RFC 2086 does not have.
    logged_in(Feature::AclRights, "RIGHTS=kxte"),
    logged_in(Feature::ListMyRights, "LIST-MYRIGHTS"),
    logged_in(Feature::ContextSearch, "CONTEXT=SEARCH"),
    logged_in(Feature::ContextSort, "CONTEXT=SORT"),
    logged_in(Feature::MultiSearch, "MULTISEARCH"),
    logged_in(Feature::SearchFuzzy, "SEARCH=FUZZY"),
    logged_in(Feature::Catenate, "CATENATE"),
    logged_in(Feature::UrlAuth, "URLAUTH"),
    logged_in(Feature::UidOnly, "UIDONLY"),
    logged_in(Feature::ListMetadata, "LIST-METADATA"),
    logged_in(Feature::InProgress, "INPROGRESS"),
];

/// What is announced as the connection is, and can be left out too.
const STARTTLS: &str = "STARTTLS";
/// See `STARTTLS`. Where it is left out LOGIN is refused all the same, as by servers that do not say so before.
const LOGIN_DISABLED: &str = "LOGINDISABLED";

/// What is nothing without something else: it is left out with it. Whoever stands behind another here may need it.
const NEEDS: &[(Feature, &[Feature])] = &[
    // RFC 5182 §2.1, RFC 9394 §3.1: options of RETURN, which is ESEARCH's.
    (Feature::SearchRes, &[Feature::Esearch]),
    (Feature::Partial, &[Feature::Esearch]),
    // RFC 5267 §4.1: likewise, and PARTIAL is one of them.
    (Feature::ContextSearch, &[Feature::Esearch, Feature::Partial]),
    // RFC 5267 §3.1: its answer is ESEARCH's. RFC 5957 §1: it says more of SORT.
    (Feature::Esort, &[Feature::Sort, Feature::Esearch]),
    (Feature::SortDisplay, &[Feature::Sort]),
    // RFC 5267 §4.1
    (Feature::ContextSort, &[Feature::Sort, Feature::Esort, Feature::Esearch]),
    // RFC 7377 §2.1: its responses are ESEARCH's.
    (Feature::MultiSearch, &[Feature::Esearch]),
    // RFC 5819 §2: an option of LIST's RETURN.
    (Feature::ListStatus, &[Feature::ListExtended]),
    // RFC 6154 §3: the uses that it gives are those that the other shows.
    (Feature::CreateSpecialUse, &[Feature::SpecialUse]),
    // RFC 9208 §3.1.1, §5: they say more of QUOTA.
    (Feature::QuotaStorage, &[Feature::Quota]),
    (Feature::QuotaMessage, &[Feature::Quota]),
    (Feature::QuotaMailbox, &[Feature::Quota]),
    (Feature::QuotaSet, &[Feature::Quota]),
    // RFC 4314 §5.1.1: it says more of ACL. RFC 8440 §3: an option of LIST's RETURN.
    (Feature::AclRights, &[Feature::Acl]),
    (Feature::ListMyRights, &[Feature::Acl, Feature::ListExtended]),
    // RFC 9590: likewise, of METADATA.
    (Feature::ListMetadata, &[Feature::Metadata, Feature::ListExtended]),
    // RFC 6855 §3: it is there for who enables it.
    (Feature::Utf8Accept, &[Feature::Enable]),
    // RFC 9586 §3.1: likewise.
    (Feature::UidOnly, &[Feature::Enable]),
    // RFC 7162 §3.2.3
    (Feature::Qresync, &[Feature::Condstore, Feature::Enable]),
];

/// The extensions on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Features(u64);

impl Features {
    pub(crate) fn new(without: &[Vec<u8>]) -> Self {
        let offered = TABLE.iter().filter(|row| !is_among(without, row.name));
        let mut set = offered.fold(0, |set, row| set | bit(row));
        if set & (flag(Feature::Rev1) | flag(Feature::Rev2)) == 0 {
            set |= flag(Feature::Rev1);
        }
        // RFC 7888 §3: only one of the two may be announced; the smaller promise is for who leaves
        // out the larger.
        if set & flag(Feature::LiteralPlus) != 0 {
            set &= !flag(Feature::LiteralMinus);
        }
        for (needs, needed) in NEEDS {
            if needed.iter().any(|feature| set & flag(*feature) == 0) {
                set &= !flag(*needs);
            }
        }
        Self(set)
    }

    /// All but one.
    pub(crate) const fn but(self, feature: Feature) -> Self {
        Self(self.0 & !flag(feature))
    }

    pub(crate) const fn has(self, feature: Feature) -> bool {
        self.0 & flag(feature) != 0
    }
}

const fn flag(feature: Feature) -> u64 {
    1 << feature as u32
}

const fn bit(row: &Row) -> u64 {
    flag(row.feature)
}

/// The capability list as it is now, from `IMAP4rev1` on.
pub(crate) fn list(
    features: Features,
    config: &Config,
    terms: Terms<'_>,
    logged_in: bool,
) -> Vec<u8> {
    let mut list = Vec::new();
    for row in TABLE {
        if features.has(row.feature) && (row.when == When::Always || logged_in) {
            let name = match row.feature {
                // RFC 9738 §3: a limit on all commands is more than one on those that save.
                Feature::SaveLimit if limit::of_commands(config).is_some() => "MESSAGELIMIT",
                _ => row.name,
            };
            add(&mut list, &[name.as_bytes()]);
            let limit = match row.feature {
                // RFC 7889 §2: one limit for all mailboxes.
                Feature::AppendLimit => append_limit(config),
                // RFC 9738 §3: one number for both; COPY takes more where none is set.
                Feature::SaveLimit => u64::from(limit::of_saving(config)),
                _ => continue,
            };
            list.push(b'=');
            list.extend_from_slice(&print::decimal(limit));
        }
    }
    if logged_in {
        return list;
    }
    if config.tls == TlsOffer::Upgrade && !terms.secured {
        add(&mut list, &[STARTTLS.as_bytes()]);
    }
    for mechanism in terms.mechanisms() {
        add(&mut list, &[mechanism.capability().as_bytes()]);
    }
    // RFC 9051 §6.2.3: announced whenever LOGIN would be refused.
    if !login_allowed(config, terms.secured) && !is_among(&config.without, LOGIN_DISABLED) {
        add(&mut list, &[LOGIN_DISABLED.as_bytes()]);
    }
    list
}

/// RFC 7889 §5: a number of 32 bits.
pub(crate) fn append_limit(config: &Config) -> u64 {
    config.limits.message_max.min(u64::from(u32::MAX))
}

/// The names by which capabilities are left out.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let of_logins = Mechanism::ALL.into_iter().map(Mechanism::capability);
    TABLE.iter().map(|row| row.name).chain([STARTTLS, LOGIN_DISABLED]).chain(of_logins)
}

/// Leaves out what is not in the table: TLS, and mechanisms.
pub(crate) fn leave_out(config: &mut Config) {
    if config.tls == TlsOffer::Upgrade && is_among(&config.without, STARTTLS) {
        config.tls = TlsOffer::None;
    }
    config.auth.leave_out(&config.without);
}

/// Whether LOGIN is taken now (RFC 9051 §11.7).
pub(crate) fn login_allowed(config: &Config, secure: bool) -> bool {
    config.auth.password_commands && (secure || config.auth.cleartext)
}

fn add(list: &mut Vec<u8>, parts: &[&[u8]]) {
    if !list.is_empty() {
        list.push(b' ');
    }
    parts.iter().for_each(|part| list.extend_from_slice(part));
}
