//! The grammar of SMTP commands, shared by both sides: what comes out of it is right, or was refused with a reason.

mod authors;
mod command;
mod params;
mod parts;
mod path;
mod values;
mod xclient;

pub(super) use authors::authors;
pub use command::{Command, Mail, Syntax, parse};
pub(super) use params::{ENVID_MAX, IDENTITY_MAX, number};
pub use params::{decode_xtext, encode_xtext};
pub use parts::{Part, Parts};
pub use path::{PathError, parse_domain, parse_forward_path, parse_mailbox, print_mailbox};
pub use values::Hold;
pub(super) use values::{is_orcpt, print_orcpt};
pub use xclient::Attributes;
pub(super) use xclient::NAMES as XCLIENT_NAMES;
