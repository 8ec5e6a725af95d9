//! What the tests share: a running server of the real binary, and a raw line client for any protocol.

pub mod dns;
pub mod report;
pub mod server;
pub mod site;
pub mod systrace;
pub mod transcript;
pub mod wire;
