//! Text on the wire: base64, dates, charsets, encoded words.
//! Protocols and the message index share it; nothing here knows a command.

pub mod base64;
pub mod date;
