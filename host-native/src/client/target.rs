//! Where a connection goes, on which terms, and why there is none.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use pillarbox_engine::limits::Limits;
use pillarbox_engine::smtp::Service;
use pillarbox_engine::smtp::client::types::{Failure, Stage, Timeouts, TlsPolicy};

use super::Login;
use crate::tls::Trust;

/// A host, by its name and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name that it is known by: for logs, and in a certificate.
    pub name: String,
    /// Its addresses, best first.
    pub addresses: Vec<SocketAddr>,
}

/// The terms of a connection.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our own name, as we introduce ourselves.
    pub host_name: String,
    /// Which of the three services.
    pub service: Service,
    /// How TLS comes about, and what it must prove.
    pub security: Security,
    /// Who logs in, if anybody.
    pub login: Option<Login>,
    /// Bounds of the session.
    pub limits: Limits,
    /// How long each kind of reply may take.
    pub timeouts: Timeouts,
    /// How long an address may take to answer at all.
    pub connect_within: Duration,
}

impl Settings {
    /// For relaying in the clear, with the time-outs that RFC 5321 §4.5.3.2 asks for.
    #[must_use]
    pub fn new(host_name: impl Into<String>) -> Self {
        Self {
            host_name: host_name.into(),
            service: Service::Smtp,
            security: Security::None,
            login: None,
            limits: Limits::SMTP,
            timeouts: Timeouts::default(),
            connect_within: Duration::from_secs(30),
        }
    }
}

/// How TLS comes about, and what it must prove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Never.
    #[default]
    None,
    /// If the server offers it and the handshake succeeds, whoever it is; in the clear otherwise (RFC 7435).
    Opportunistic,
    /// By STARTTLS, or not at all.
    Required(Trust),
    /// From the first octet on, or not at all.
    Implicit(Trust),
}

impl Security {
    /// The engine's part of it.
    pub(super) fn policy(&self) -> TlsPolicy {
        match self {
            Self::None => TlsPolicy::None,
            Self::Opportunistic => TlsPolicy::Opportunistic,
            Self::Required(_) => TlsPolicy::Required,
            Self::Implicit(_) => TlsPolicy::Implicit,
        }
    }

    /// Whether a secured connection proves who the server is.
    pub(super) fn is_verified(&self) -> bool {
        match self {
            Self::None | Self::Opportunistic => false,
            Self::Required(trust) | Self::Implicit(trust) => *trust != Trust::Any,
        }
    }
}

/// Why no connection could be opened. Another try later may succeed in every case.
#[derive(Debug)]
pub struct OpenError {
    /// What kind of failure.
    pub kind: OpenErrorKind,
    /// The address that failed last, if any was tried.
    pub address: Option<SocketAddr>,
    /// As a recipient's failure: with the server's words if it said any, and an RFC 3463 status.
    pub failure: Failure,
}

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenErrorKind {
    /// There is no address to try.
    NoAddress,
    /// Nobody answered.
    Unreachable,
    /// There is no TLS with it that is good enough.
    Tls,
    /// It serves nobody now, or broke off, or refused the login.
    Session,
    /// This host cannot hold more connections, or its engine failed.
    Here,
}

impl OpenError {
    pub(super) fn new(kind: OpenErrorKind, diagnosis: String) -> Self {
        let failure = Failure { stage: Stage::Session, reply: None, diagnosis };
        Self { kind, address: None, failure }
    }

    pub(super) fn at(self, address: SocketAddr) -> Self {
        Self { address: Some(address), ..self }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure.diagnosis)?;
        if let Some(address) = self.address {
            write!(f, " ({address})")?;
        }
        let Some(reply) = &self.failure.reply else { return Ok(()) };
        write!(f, ": {}", reply.code)?;
        let words = reply.lines.iter().map(|line| crate::serve::shown(line));
        words.into_iter().try_for_each(|line| write!(f, " {line}"))
    }
}

impl std::error::Error for OpenError {}
