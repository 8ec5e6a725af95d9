//! What a line means, as a sentence.

use alloc::format;
use alloc::string::String;

use crate::expected::Form;

/// A form's sentence, and the section that it stands in.
pub(super) fn sentence(form: &'static Form) -> String {
    format!("{} (RFC {} §{})", form.rule.gist, form.rule.rfc, form.rule.section)
}

/// The row of a table that begins with a word, in whatever case.
pub(crate) fn row(table: &'static [Form], word: &[u8]) -> Option<&'static Form> {
    table.iter().find(|form| form.word.as_bytes().eq_ignore_ascii_case(word))
}
