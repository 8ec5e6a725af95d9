//! The limits of a session as a table for people: what each is called, and what a peer is told that
//! reaches it. What a host keeps against peers beside a session is the host's to print.

use super::Limits;

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The field of [`Limits`].
    pub name: &'static str,
    /// Its value.
    pub value: fn(&Limits) -> u64,
    smtp: &'static str,
    pop3: &'static str,
    imap: &'static str,
}

impl Row {
    /// What a peer is told, or none where the protocol has no such limit.
    #[must_use]
    pub fn reply(&self, protocol: &str) -> Option<&'static str> {
        let reply = match protocol {
            "smtp" => self.smtp,
            "pop3" => self.pop3,
            "imap" => self.imap,
            _ => "",
        };
        (!reply.is_empty()).then_some(reply)
    }
}

impl Limits {
    /// The table, in the order in which a session meets them.
    pub const ROWS: &'static [Row] = &[
        Row {
            name: "line_max",
            value: |limits| limits.line_max as u64,
            smtp: "500 5.5.2, and the line is skipped",
            pop3: "-ERR, and the line is skipped",
            imap: "BAD; at the third one BYE",
        },
        Row {
            name: "line_after_login_max",
            value: |limits| limits.line_after_login_max as u64,
            smtp: "",
            pop3: "",
            imap: "BAD; at the third one BYE",
        },
        Row {
            name: "auth_line_max",
            value: |limits| limits.auth_line_max as u64,
            smtp: "500 5.5.6",
            pop3: "-ERR",
            imap: "BAD",
        },
        Row {
            name: "literals_max",
            value: |limits| limits.literals_max as u64,
            smtp: "",
            pop3: "",
            imap: "BAD",
        },
        Row {
            name: "message_max",
            value: |limits| limits.message_max,
            smtp: "552 5.3.4",
            pop3: "",
            imap: "NO [TOOBIG]",
        },
        Row {
            name: "header_max",
            value: |limits| limits.header_max as u64,
            smtp: "552 5.3.4",
            pop3: "",
            imap: "",
        },
        Row {
            name: "recipients_max",
            value: |limits| limits.recipients_max as u64,
            smtp: "452 4.5.3",
            pop3: "",
            imap: "",
        },
        Row {
            name: "received_max",
            value: |limits| limits.received_max as u64,
            smtp: "554 5.4.6",
            pop3: "",
            imap: "",
        },
        Row {
            name: "errors_max",
            value: |limits| limits.errors_max as u64,
            smtp: "421 4.7.0",
            pop3: "-ERR, closed",
            imap: "BYE",
        },
        Row {
            name: "idle_commands_max",
            value: |limits| limits.idle_commands_max as u64,
            smtp: "421 4.7.0",
            pop3: "-ERR, closed",
            imap: "BYE",
        },
        Row {
            name: "idle_before_login_ms",
            value: |limits| limits.idle_before_login_ms,
            smtp: "421 4.4.2",
            pop3: "closed",
            imap: "BYE",
        },
        Row {
            name: "idle_ms",
            value: |limits| limits.idle_ms,
            smtp: "421 4.4.2",
            pop3: "closed",
            imap: "BYE",
        },
    ];
}
