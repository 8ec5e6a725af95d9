//! Text on the wire: base64, dates, charsets, encoded words.
//! Protocols and the message index share it; nothing here knows a command.

pub mod address;
pub mod base64;
pub mod casemap;
pub mod charset;
pub mod date;
pub mod domain;
pub mod find;
pub mod fuzzy;
pub mod header;
pub mod number;
pub mod params;
pub mod transfer;
pub mod words;

pub mod unicode;
