//! The files of all challenges, in their order.

use crate::tape::file::{File, files};

/// Every challenge's file.
pub(super) const CHALLENGES: &[File] = files![
    "challenges":
    "read-a-220",
    "say-helo",
    "say-it-yourself",
    "two-on-one",
    "three-recipients",
    "the-lone-dot",
    "out-of-order",
    "be-the-server",
    "refuse-politely",
    "retry-twice",
    "cause-a-duplicate",
    "cause-a-bounce",
    "read-by-pop",
    "download-and-delete",
    "lose-nothing",
    "cut-the-line",
    "file-the-invoice",
    "find-it",
    "subjects-for-little",
    "seven-bit-hop",
    "decode-by-hand",
    "forged-from",
    "steal-the-password",
    "prove-altered",
];
