//! Faults on purpose: rules that say where, when and what goes wrong, and which of them strike at a moment.
//! All of it is decided here from arguments and a seed; to wait, to cut and to throttle is left to the host.
//!
//! ```text
//! fault  = where "/" when "/" what
//! where  = "any" | "smtp" | "submission" | "lmtp" | "pop3" | "imap" | "http"
//!        | "node:" name | "link:" name "~" name | "wire:" number
//! when   = "always" | clause *( "," clause )
//! clause = "verb=" ( command | "any" ) | "after=" ( "connect" | "login" | "end-of-data" | "commit" | label )
//!        | "octet=" number
//!        | "sender=" pattern | "to=" pattern | "nth=" range | "p=" probability | "over=" count "per" duration
//!        | "from=" time | "until=" time
//! what   = "down" | "refuse" | "drop" | "delay=" duration | "reply=" code [text] | "rate=" octets-per-second
//!        | "chunk=" octets | "corrupt=" octet | "lf-only" | "full" | "greylist=" duration | "uidvalidity"
//!        | "hide=" keyword *( "," keyword ) | "strip-starttls"
//!        | "strip8" | "dns=" ( "nomx" | "nullmx" | "nxdomain" | "servfail" )   ; in simulated worlds alone
//!        | "tap" | "clock=" ["+" | "-"] duration                                ; these too
//! ```
//!
//! `verb=` is the moment before anything is done about a command (`EHLO` stands for HELO and LHLO too, `DATA` for BDAT);
//! `after=end-of-data` the one before a whole message is stored, `after=commit` the one before its client is told that
//! it was. A label is one of those that a server's session gives octets (`reply-code`, `mailbox`, `tag`, `text-line`): the
//! moment after it read or said such octets, and did what it does about them at once.
//! Without `verb`, `after` or `octet` the moment follows from the rest: see [`Rule`].

mod clock;
mod faults;
mod parse;
mod pattern;
mod rule;
#[cfg(test)]
mod tests;
mod watch;
mod words;

pub use clock::parse_duration;
pub(crate) use clock::print_duration;
pub use faults::{Decision, Faults, Listed, Moment, RULES_MAX, Strike, Verdict};
pub use parse::{Problem, parse_file};
pub use pattern::Pattern;
pub use rule::{Action, DnsLie, Place, Point, Rule, Span, When};
pub use watch::{Faced, Outcome, Peer, Seen, Stage, Watch};
