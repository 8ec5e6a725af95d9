//! Words in place of the server's own, such as those of a textbook: only the text behind `+OK` differs.

use crate::types::Persona;

/// What a server says behind `+OK`; nothing where it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// In its greeting; a timestamp (RFC 1939 §7) follows where there is one.
    pub greeting: &'static str,
    /// To USER.
    pub user: &'static str,
    /// To PASS and to every other login that succeeds.
    pub opened: &'static str,
}

impl Words {
    /// The lecture's dialogue.
    pub const TEXTBOOK: Self =
        Self { greeting: "POP3 server ready", user: "", opened: "user successfully logged on" };

    /// Those of a persona; none: the server's own.
    pub(super) const fn of(persona: Persona) -> Option<&'static Self> {
        match persona {
            Persona::Strict => None,
            Persona::Textbook => Some(&Self::TEXTBOOK),
        }
    }
}
