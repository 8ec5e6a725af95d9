//! Connections that read mail, by IMAP or POP3: opened, secured, logged in, and driven call by call.
//! What is said is the engine's; what is called, and what becomes of what comes, is its user's.

mod connection;
mod device;
mod roles;

use std::fmt;
use std::time::Duration;

pub(crate) use connection::Reading;
pub(crate) use device::Sink;
pub(crate) use roles::{Heard, Reads};

use super::{Login, Security};

/// The terms of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// How TLS comes about, and what it must prove.
    pub(crate) security: Security,
    /// Who logs in.
    pub(crate) login: Option<Login>,
    /// How long an address may take to answer at all.
    pub(crate) connect_within: Duration,
    /// After how long IDLE is begun anew.
    pub(crate) idle_renew: Duration,
}

/// Why there is no connection any more, or none at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) why: Why,
    /// The server's words, or ours.
    pub(crate) text: String,
}

/// What kind of end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Nobody answered.
    Unreachable,
    /// There is no TLS with it that is good enough.
    Tls,
    /// The login was refused.
    Login,
    /// It cannot do what is needed, or speaks another protocol.
    Unsupported,
    /// It said goodbye, broke off, or was silent.
    Lost,
    /// This host cannot go on.
    Here,
}

impl Ended {
    pub(crate) fn new(why: Why, text: impl Into<String>) -> Self {
        Self { why, text: text.into() }
    }

    /// Whether the same may go well a little later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.why, Why::Unreachable | Why::Lost)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Ended {}
