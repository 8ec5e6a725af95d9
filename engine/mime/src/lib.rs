//! MIME for Pillarbox: one parse at delivery makes the index that every later reader uses.
//! Structure comes from a scanner of our own, in one pass with bounds on parts and depth, and everything is read from that:
//! what an index says and what a person is shown (`view`) cannot disagree. Tests hold it against `mail-parser`.

mod fields;
mod html;
mod preview;
mod references;
mod scan;
pub mod spans;
mod view;

pub use html::text as html_text;
pub use scan::{index, index_small, index_surveyed};
pub use spans::spans;
pub use view::{Attachment, View, view};
