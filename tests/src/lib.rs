//! What the tests share: a running server of the real binary, and a raw line client for any protocol.

pub mod dns;
pub mod server;
pub mod transcript;
pub mod wire;
