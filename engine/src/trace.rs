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

/// Every label that a span can have. A debug build asserts of each note that its label is here, so that whoever has
/// words for all of these has words for all octets.
pub const LABELS: &[&str] = &[
    "CRLF",
    "SP",
    "address literal",
    "angle bracket",
    "argument",
    "at sign",
    "atom",
    "attribute name",
    "attribute value",
    "auth-type",
    "base64",
    "cancellation",
    "capability",
    "challenge",
    "charset",
    "chunk",
    "chunk size",
    "closing parenthesis",
    "command",
    "continuation",
    "continue-req",
    "data item",
    "date-time",
    "digest",
    "domain",
    "ehlo keyword",
    "end of data",
    "end of response",
    "enhanced code",
    "equals sign",
    "fetch-att",
    "fetch-modifier",
    "flag",
    "flag-list",
    "FROM:",
    "greeting",
    "id-params",
    "initial response",
    "initial-resp",
    "language",
    "LAST",
    "line count",
    "list-mailbox",
    "literal",
    "literal head",
    "local part",
    "mailbox",
    "mechanism",
    "message",
    "message number",
    "nil",
    "node name",
    "null path",
    "number",
    "opening parenthesis",
    "option",
    "parameter keyword",
    "parameter value",
    "password",
    "postmaster",
    "probe",
    "quoted",
    "reply code",
    "reply text",
    "resp-text-code",
    "response",
    "response code",
    "response name",
    "search-key",
    "search-return-opts",
    "secret",
    "sequence-set",
    "size",
    "sort-criteria",
    "source route",
    "status",
    "status item",
    "status-att",
    "string",
    "stuffed dot",
    "tag",
    "text",
    "text line",
    "thread-alg",
    "TO:",
    "unique-id",
    "unparsed",
    "untagged",
    "user name",
    "userid",
    "verb",
];
