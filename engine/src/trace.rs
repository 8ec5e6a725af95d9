//! Notes for a reader: which octets are what, which state follows, which rule was broken.
//! They come from the code that parses and replies, so they cannot disagree with it; with tracing off none is made.

/// One RFC sentence in our own words, cited beside the code that follows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The RFC's number.
    pub rfc: u16,
    /// The section without `§`, such as `4.1.1.4`.
    pub section: &'static str,
    /// What it says, in our words.
    pub gist: &'static str,
}

/// Which direction of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Octets that the session received.
    Received,
    /// Octets that the session sent.
    Sent,
}

/// A labelled range of octets, absolute in its direction, half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Direction.
    pub side: Side,
    /// First octet, counted from the start of the connection.
    pub start: u64,
    /// One past the last octet.
    pub end: u64,
    /// What it is, by the grammar's own name where it has one.
    pub label: &'static str,
    /// Whether it must be masked wherever it is shown.
    pub secret: bool,
    /// The rule it follows.
    pub why: Option<&'static Rule>,
}

/// A labelled part of octets that are looked at as a whole, half-open, counted from their beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// First octet, from 0.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// What it is, by the grammar's own name where it has one.
    pub label: &'static str,
}

/// What a reader should know, in causal order with everything else that `poll` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Octets and what they are.
    Span(Span),
    /// The session went from one state to another; states have their RFC names.
    State {
        /// Before.
        from: &'static str,
        /// After.
        to: &'static str,
    },
    /// The peer broke this rule, in the span noted directly before.
    Defect(&'static Rule),
}

/// Every label of a span of an SMTP session, of either side.
pub const SMTP_LABELS: &[&str] = &[
    "CRLF",
    "SP",
    "LAST",
    "FROM:",
    "TO:",
    "address literal",
    "angle bracket",
    "argument",
    "at sign",
    "attribute name",
    "attribute value",
    "cancellation",
    "challenge",
    "chunk",
    "chunk size",
    "domain",
    "ehlo keyword",
    "end of data",
    "enhanced code",
    "equals sign",
    "greeting",
    "initial response",
    "local part",
    "mailbox",
    "mechanism",
    "message",
    "node name",
    "null path",
    "option",
    "parameter keyword",
    "parameter value",
    "postmaster",
    "probe",
    "reply code",
    "reply text",
    "response",
    "source route",
    "string",
    "stuffed dot",
    "text line",
    "text lines",
    "unparsed",
    "verb",
];

/// Every label of a span of a POP3 session, of either side.
pub const POP3_LABELS: &[&str] = &[
    "CRLF",
    "SP",
    "argument",
    "cancellation",
    "capability",
    "challenge",
    "continuation",
    "digest",
    "end of data",
    "end of response",
    "initial response",
    "language",
    "line count",
    "mechanism",
    "message",
    "message number",
    "password",
    "response",
    "response code",
    "size",
    "status",
    "stuffed dot",
    "text",
    "text line",
    "text lines",
    "unique-id",
    "unparsed",
    "user name",
    "verb",
];

/// Every label of a span of an IMAP session, of either side.
pub const IMAP_LABELS: &[&str] = &[
    "CRLF",
    "SP",
    "atom",
    "auth-type",
    "base64",
    "cancellation",
    "capability",
    "challenge",
    "charset",
    "closing parenthesis",
    "command",
    "continue-req",
    "data item",
    "date-time",
    "events",
    "fetch-att",
    "fetch-modifier",
    "filter-mailboxes",
    "source-mbox",
    "url",
    "flag",
    "flag-list",
    "id-params",
    "identifier",
    "initial-resp",
    "list-mailbox",
    "literal",
    "literal head",
    "mailbox",
    "nil",
    "number",
    "opening parenthesis",
    "password",
    "quoted",
    "resp-text-code",
    "response",
    "response name",
    "search-key",
    "search-return-opts",
    "secret",
    "sequence-set",
    "sort-criteria",
    "status",
    "status item",
    "status-att",
    "tag",
    "text",
    "thread-alg",
    "unparsed",
    "untagged",
    "userid",
];

/// Whether a label is one of these. A debug build asserts it of each note, so that whoever has words for all of them has
/// words for all octets.
pub(crate) fn is_label(label: &str) -> bool {
    [SMTP_LABELS, POP3_LABELS, IMAP_LABELS].iter().any(|labels| labels.contains(&label))
}
