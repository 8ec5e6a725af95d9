//! What is said on every connection, told while it is said to whoever watches: a bounded journal, and the taps that
//! sessions write it with. Who may watch, and how it reaches them, is left to `serve`.

mod journal;
mod tap;

pub(crate) use journal::{Journal, OCTETS_MAX, Told};
pub(crate) use tap::Tap;
