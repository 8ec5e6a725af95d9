//! MIME for Pillarbox: one parse at delivery makes the index that every later reader uses.
//! Structure comes from a scanner of our own, in one pass with bounds on parts and depth: `mail-parser` has none, and
//! loses parameters after a fold; it decodes what a person wants to see (`view`).

mod fields;
mod preview;
mod scan;
pub mod spans;
mod view;

pub use scan::{index, index_small, index_surveyed};
pub use spans::spans;
pub use view::{Attachment, View, view};
