use super::types::{Notice, Report, ReportKind};
use crate::smtp::MailFrom;
use crate::trace::Rule;
pub(super) const ENVELOPE: Rule = Rule {
    rfc: 3461,
    section: "6.1",
    gist: "A report goes to the reverse path, from the null one, and asks for none itself.",
};
pub(super) const CONTENTS: Rule = Rule {
    rfc: 3461,
    section: "6.2",
    gist: "The whole message is returned only with a failure and by RET=FULL; otherwise its header section.",
};
pub(super) const FIELDS: Rule = Rule {
    rfc: 3464,
    section: "2.1.1",
    gist: "Fields about the message stand first, then a group for each recipient.",
};

/// How many octets of a message, from its first on, its report can use; the host need not read more.
#[must_use]
pub fn octets_wanted(_kind: ReportKind, _mail: &MailFrom, message_size: u64) -> u64 {
    message_size
}

/// A report as a message.
#[must_use]
pub fn make_report(_report: &Report) -> Option<Notice> {
    None
}
