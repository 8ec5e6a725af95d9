//! Small pieces of responses that this side composes of the grammar's printers.

use alloc::vec::Vec;

use crate::imap::types::{Flags, UidRun};

/// Every system flag (RFC 9051 §2.3.2).
pub(crate) const SYSTEM_FLAGS_ALL: u8 = 31;
