//! The files of all challenges, in their order.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../challenges/", $name, ".toml")))),*]
    };
}

/// Name and text of every challenge.
pub(super) const CHALLENGES: &[(&str, &str)] = files![
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
