//! The transcripts' reader and player without the hosts of a component: what tests below the workspace's own take in as
//! their module.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    reason = "each test uses its part"
)]

mod desk;
mod freezing;
mod imap_desk;
mod imap_told;
mod pop3_desk;
mod roles;
mod run;
mod script;

pub use roles::{Factory, Library};
pub use run::{Endured, NOT_ANSWERED, Seen, Split, endure, record, run, witness};
pub use script::{Script, Turn, What};
