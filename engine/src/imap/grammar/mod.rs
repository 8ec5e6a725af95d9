//! The grammar of IMAP (RFC 9051 §9, RFC 3501 §9), shared by both sides: lines and literals first, then commands.
//! What comes out is typed and right; what is refused says what was expected and where.

mod acl;
mod append;
mod assembly;
mod auth_url;
mod command;
mod cursor;
mod date;
mod fetch;
pub(crate) mod lex;
mod list;
mod mailbox;
mod metadata;
mod notify;
mod parse;
pub mod print;
mod quota;
mod search;
mod set;
mod sort;
mod url;

pub use append::{append_head, append_line};
pub use assembly::{Assembled, Assembly, Literal, Piece, Problem, split_head};
pub use auth_url::{AuthUrl, auth_url, auth_url_rump, secret_of_url};
pub use command::{
    AppendData, AppendHead, AppendStep, Command, EventGroup, Events, Fetch, FetchItem, GetMetadata,
    Header, Known, List, MultiSearch, Notify, PartialRange, Scope, Search, SearchReturn, Section,
    SelectOptions, SequenceMatch, SetAcl, StatusItem, Store, Tagged, Update,
};
pub use cursor::{Bad, Piecewise, Token};
pub(super) use date::moment;
pub use list::matches;
pub use mailbox::{decode_utf7, encode_utf7, mailbox_name};
pub use parse::{Options, parse, tag_of};
pub use search::Key;
pub use set::{SequenceSet, SetNumber};
pub use sort::{Algorithm, Criterion, Sort, SortKey, Thread};
pub use url::{MessageUrl, message_url, url_of};
