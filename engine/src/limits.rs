//! Every bound of the engine, with its reason.
//! The constants are fixed by design; [`Limits`] is what a host may set for a listener or an account.

mod rows;

pub use rows::Row;

/// Octets of output that a session holds before it pauses: one socket write's worth.
pub const OUTBOX_OCTETS_MAX: usize = 16 * 1024;
/// Outputs of any kind that a session holds before it pauses, so that notes and references stay bounded too.
pub const OUTBOX_OUTPUTS_MAX: usize = 1024;
/// Octets that the inbox takes beyond the longest unit wanted now, so that pipelining works.
pub const INBOX_SPARE: usize = 16 * 1024;
/// Octets of message content in one chunk to or from the store.
pub const CHUNK_MAX: usize = 16 * 1024;
/// Lines of message content in one chunk that a reader is told one by one; the rest is told as one.
pub const TEXT_LINES_NOTED_MAX: usize = 1000;
/// Octets of a stored message that a session gives out by one reference where it has to know how fast they go.
pub const BLOB_PIECE: u64 = 256 * 1024;
/// Octets given out by reference in one step, so that a session's deadlines do not run while its host still writes.
pub const STEP_BLOB_OCTETS_MAX: u64 = 1024 * 1024;
/// Rows that a session asks for at once.
pub const PAGE_ROWS_MAX: u32 = 128;
/// Octets of a host's own words in a reply (RFC 5321 §4.5.3.1.5 bounds the reply line at 512).
pub const REFUSAL_TEXT_MAX: usize = 200;
/// RFC 1939 §3: octets of a POP3 reply line, CRLF included, that every client takes.
pub const POP3_REPLY_LINE_MIN: usize = 512;
/// RFC 5321 §4.5.3.1.1: octets of a local part.
pub const LOCAL_PART_MAX: usize = 64;
/// RFC 5321 §4.5.3.1.2: octets of a domain.
pub const DOMAIN_MAX: usize = 255;
/// RFC 5321 §4.5.3.1.3: octets of a path, brackets included.
pub const PATH_MAX: usize = 256;
/// Depth of MIME parts, search keys and parenthesised lists; beyond it structure is opaque or the command is refused.
pub const DEPTH_MAX: usize = 64;
/// Messages that one APPEND appends (RFC 9738 §3 asks for at least 1,000, and this is the number that is announced).
pub const APPEND_MESSAGES_MAX: u32 = 1_000;
/// Messages that one COPY copies: it is one transaction, for which all others wait.
/// What its refusal names is the announced number: RFC 9738 §4.2 lets a server take more than it announces.
pub const COPY_MESSAGES_MAX: u64 = 100_000;
/// Milliseconds between two words on how far a command is: RFC 9585 §4 recommends 10 to 15 seconds, and lines that say no
/// more than that are noise to most clients.
pub const PROGRESS_EVERY_MS: u64 = 10_000;
/// Octets of an annotation's value (RFC 5464 §4.3 lets a server have such a limit): a page of text, or a small picture.
pub const METADATA_VALUE_MAX: usize = 16 * 1024;
/// Octets of an annotation's name.
pub const METADATA_ENTRY_NAME_MAX: usize = 255;
/// Annotations that one mailbox has, and entries of one command: with the next, what one answer holds fits a sandbox.
pub const METADATA_ENTRIES_MAX: usize = 128;
/// Octets of all annotations of one mailbox.
pub const METADATA_OCTETS_MAX: usize = 256 * 1024;
/// Octets of the identifier of an access control list: an account's name.
pub const ACL_IDENTIFIER_MAX: usize = 255;
/// Entries of one mailbox's access control list: some groups of people, not a directory.
pub const ACL_ENTRIES_MAX: usize = 128;
/// URLs of one GENURLAUTH or URLFETCH (RFC 4467): the parts of one message that is being sent.
pub const URLS_MAX: usize = 32;
/// Octets of such a URL: a mailbox's name of 1,000 octets, each of them encoded, and a section with some fields.
pub const URL_OCTETS_MAX: usize = 4096;
/// Event groups of one NOTIFY (RFC 5465 §3.1 lets a server refuse what is too much): each is looked at for every change.
pub const NOTIFY_GROUPS_MAX: usize = 32;
/// Mailboxes that one NOTIFY names.
pub const NOTIFY_NAMES_MAX: usize = 256;
/// Changes of other mailboxes that wait to be told by NOTIFY; more end it (RFC 5465 §5.8).
pub const NOTICES_MAX: usize = 128;
/// Octets of one text (a subject, a name) of a message that is composed: no reader shows more.
pub const COMPOSED_TEXT_MAX: usize = 8 * 1024;
/// Addresses of one field of a message that is composed; a server takes 1,000 recipients of one message at most.
pub const COMPOSED_PEOPLE_MAX: usize = 1000;
/// Files that one composed message carries.
pub const COMPOSED_FILES_MAX: usize = 1000;

/// Octets of a From or Sender field that are read to see who an account writes as: some hundred addresses, which is more
/// than any message has authors.
pub const AUTHOR_FIELD_MAX: usize = 16 * 1024;
/// Hosts of one domain that are tried (RFC 5321 §5.1 allows a limit, and asks for two at least).
pub const ROUTE_HOSTS_MAX: usize = 32;
/// Octets of a message that a report returns whole; of a larger one the header section is enough to know it by.
pub const REPORT_MESSAGE_MAX: u64 = 1024 * 1024;
/// Octets of a header section that a report returns: no honest one comes near, and reports must stay small.
pub const REPORT_HEADER_MAX: usize = 64 * 1024;
/// Octets of a server's words in a report, for each recipient.
pub const REPORT_WORDS_MAX: usize = 1024;
/// Recipients that the part for people names one by one; the rest it counts.
pub const REPORT_NAMED_MAX: usize = 50;

/// The limits of one session; all that a peer can make grow has one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Limits {
    /// Octets of a message. RFC 5321 §4.5.3.1.7 asks for at least 64 KiB.
    pub message_max: u64,
    /// Octets of a message's header section over SMTP: no honest one comes near.
    pub header_max: u32,
    /// Octets of a command line, CRLF included: SMTP 4,096, POP3 255 (RFC 2449 §4), IMAP before login 8,192.
    pub line_max: u32,
    /// Octets of an IMAP command line after login; RFC 2683 §3.2.1.5 asks for at least 8,000.
    pub line_after_login_max: u32,
    /// Octets of a line in a SASL exchange (RFC 4954 §4).
    pub auth_line_max: u32,
    /// Recipients of one message; RFC 5321 §4.5.3.1.8 asks for at least 100.
    pub recipients_max: u32,
    /// Received fields before a message is taken for looping (RFC 5321 §6.3).
    pub received_max: u32,
    /// Faulty commands before the session ends.
    pub errors_max: u32,
    /// Faulty commands before replies to further ones are delayed (RFC 5321 §7.8).
    pub errors_slow: u32,
    /// Commands without progress (NOOP, RSET, VRFY and the like) before the session ends.
    pub idle_commands_max: u32,
    /// Octets of all literals of one IMAP command other than APPEND's message.
    pub literals_max: u32,
    /// SMTP: messages over one connection (RFC 9422 MAILMAX); IMAP: messages that one command works at (RFC 9738
    /// MESSAGELIMIT, at most 100,000); 0: any number, and none is announced.
    pub messages_max: u32,
    /// Octets a second that a message has to come with while it is due, beyond `idle_ms` of silence in all.
    pub data_rate_min: u32,
    /// Seconds that a message has to be given for its delivery at least (RFC 2852).
    pub deliver_by_min_s: u32,
    /// Seconds that a message is kept back at most (RFC 4865).
    pub hold_max_s: u32,
    /// Milliseconds of silence before login, or before a mail transaction, that end the session.
    pub idle_before_login_ms: u64,
    /// Milliseconds of silence that end the session otherwise.
    pub idle_ms: u64,
}

impl Limits {
    /// SMTP, submission and LMTP.
    pub const SMTP: Self = Self {
        message_max: 50 << 20,
        header_max: 1 << 20,
        line_max: 4096,
        line_after_login_max: 4096,
        auth_line_max: 12_288,
        recipients_max: 1000,
        received_max: 100,
        errors_max: 20,
        errors_slow: 10,
        idle_commands_max: 100,
        literals_max: 0,
        messages_max: 0,
        // A modem of 1995 is faster; a peer that trickles holds a slot for nothing.
        data_rate_min: 500,
        // The shortest way through a queue that is not empty.
        deliver_by_min_s: 60,
        // 30 days: holidays, and no calendar.
        hold_max_s: 2_592_000,
        // RFC 5321 §4.5.3.2.7: at least five minutes.
        idle_before_login_ms: 300_000,
        idle_ms: 300_000,
    };

    /// POP3.
    pub const POP3: Self = Self {
        line_max: 255,
        line_after_login_max: 255,
        // RFC 1939 §3: at least ten minutes.
        idle_before_login_ms: 600_000,
        idle_ms: 600_000,
        ..Self::SMTP
    };

    /// IMAP.
    pub const IMAP: Self = Self {
        line_max: 8192,
        line_after_login_max: 65_536,
        literals_max: 65_536,
        idle_before_login_ms: 60_000,
        // RFC 9051 §5.4: at least 30 minutes.
        idle_ms: 1_800_000,
        ..Self::SMTP
    };

    /// A POP3 client: what a user fetches is bounded by the user's disk, and some servers write long lines.
    pub const POP3_CLIENT: Self = Self { line_max: 2048, message_max: 1 << 40, ..Self::POP3 };

    /// An IMAP client: how much a server may say at once. A SEARCH of 35,000 messages fits a line, for servers that
    /// know no other form; what a line of worse numbers leads to still fits a sandbox.
    pub const IMAP_CLIENT: Self = Self {
        line_max: 16_384,
        line_after_login_max: 256 << 10,
        literals_max: 256 << 10,
        message_max: 1 << 40,
        ..Self::IMAP
    };

    /// As these, while the host is under stress: who has not logged in and is silent or makes mistakes must make room.
    /// The waiting times are below RFC 5321 §4.5.3.2.7 and RFC 1939 §3, which hold while there is room.
    #[must_use]
    pub fn under_stress(self) -> Self {
        Self {
            errors_max: 1,
            // Not 1: clients ask twice what a server can before they log in.
            idle_commands_max: self.idle_commands_max.min(5),
            idle_before_login_ms: self.idle_before_login_ms.min(10_000),
            ..self
        }
    }
}
