//! The native host of Pillarbox: sockets, clock, store and command line around the sandboxed engine.
//! It answers asks and moves octets; every word of SMTP, POP3 and IMAP is said by the engine.

pub mod accounts;
mod agent;
pub mod auth;
pub mod backend;
pub mod cli;
pub mod client;
pub mod config;
pub mod dns;
mod drive;
pub mod engine;
pub mod error;
mod folders;
pub mod http;
pub mod limits;
mod live;
mod local;
pub mod relay;
pub mod serve;
pub mod store;
pub mod testing;
pub mod tls;
pub mod trust;
