//! SMTP, POP3 and IMAP as pure state machines: octets, answers and time go in; octets, asks and events come out.
//! Sockets, clocks, entropy and stores belong to the host; this crate cannot reach them.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod collect;
pub mod expected;
pub mod folder;
pub mod limits;
pub mod observe;
pub mod order;
pub mod pop3;
pub mod probe;
pub mod relay;
pub mod role;
pub mod rules;
pub mod sasl;
pub mod session;
pub mod smtp;
pub mod trace;
pub mod types;

pub mod imap;
pub mod message;
pub mod text;

mod foreign;
mod inbox;
mod outbox;

pub use role::{Cx, Line, LineFault, Role, Want};
pub use session::{Input, Output, Session, Step};
