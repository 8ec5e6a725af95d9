//! The grammar of SMTP commands, shared by both sides: what comes out of it is right, or was refused with a reason.

mod command;
mod params;
mod parts;
mod path;

pub use command::{Command, Syntax, parse};
pub(super) use params::number;
pub use params::{decode_xtext, encode_xtext};
pub use parts::{Part, Parts};
pub use path::{PathError, parse_domain, parse_forward_path, parse_mailbox, print_mailbox};
