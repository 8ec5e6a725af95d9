//! Mail in files: what mbox files, Maildirs and their names mean, without any file being touched.
//! Which files are read and written, and what becomes of the messages, is the host's.

mod lines;
pub mod maildir;
pub mod mbox;

pub use lines::{ToCrlf, ToLf};
