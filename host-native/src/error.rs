//! Errors that end the program, each with the exit code that scripts can rely on.

use std::fmt;

/// What kind of mistake ended the program; its number is the exit code, see [`Kind::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something failed that no setting explains.
    Failed = 1,
    /// A flag, a variable or the configuration file is wrong.
    Usage = 2,
    /// What was waited for did not come, or is not there.
    TimedOut = 3,
    /// The data directory cannot be used.
    Data = 4,
    /// The data directory is in use by another process: to scripts the same as [`Kind::Data`].
    Busy = 104,
    /// An address cannot be listened on.
    Address = 5,
    /// `sendmail` was called wrongly (`EX_USAGE`; these are the numbers that its callers know).
    Call = 64,
    /// A message or an address is wrong (`EX_DATAERR`).
    Input = 65,
    /// A file or standard input cannot be read (`EX_NOINPUT`).
    NoInput = 66,
    /// A server refused for good (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// Later it may work (`EX_TEMPFAIL`).
    Temporary = 75,
    /// A login was refused (`EX_NOPERM`).
    Permission = 77,
    /// The configuration of `sendmail` is wrong (`EX_CONFIG`).
    Configuration = 78,
}

impl Kind {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Busy => Self::Data as u8,
            kind => kind as u8,
        }
    }
}

/// An error for the person at the terminal: what is wrong, and what to do.
#[derive(Debug)]
pub struct Error {
    /// What kind.
    pub kind: Kind,
    /// One or two sentences.
    pub message: String,
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A wrong flag, variable or file.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A failure without a better name.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
