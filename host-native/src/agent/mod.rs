//! The user agent: messages made of flags, files and standard input, handed to a server, and servers tried by a probe.
//! What is said to them is the engine's; what a message looks like is `pillarbox_engine::message::compose`'s.

mod collect;
mod look;
mod mailhost;
mod message;
mod probe;
mod probe_mail;
mod progress;
mod server;
mod submit;

pub(crate) use collect::{
    Collecting, ImapSink, PopSink, Round, Stopped, collect_imap, collect_pop3,
};
pub(crate) use mailhost::{MailHost, MailUrl, Protocol};
pub(crate) use message::{Outgoing, Spool, origin};
pub(crate) use probe::{Probed, Tries, probe};
pub(crate) use probe_mail::{MailProbed, MailTries, probe_mail};
pub(crate) use progress::Progress;
pub(crate) use server::{Access, Server, ServerFile, TlsChoice, host_and_port, host_name};
pub(crate) use submit::{Submission, Submitter, submit};
