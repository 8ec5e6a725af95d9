//! What a session's peer may say now, as data: for completion, palettes and lessons. Each role answers by its state, from
//! the tables here; that a table agrees with what the role does is tested against the role itself.

use alloc::string::String;
use alloc::vec::Vec;

use crate::trace::Rule;

/// A way to say something.
#[derive(Debug, PartialEq, Eq)]
pub struct Form {
    /// What it begins with, such as `RCPT`, or what it is, such as `text`.
    pub word: &'static str,
    /// How it is written, in the manner of the RFC's grammar.
    pub form: &'static str,
    /// One that can be said, without its line end. `{tag}` stands for the tag of the command that is answered.
    pub example: &'static str,
    /// Where it stands in the RFCs, and what it does.
    pub rule: Rule,
}

/// A form that may be used now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The form.
    pub form: &'static Form,
    /// One that can be said now, without its line end.
    pub example: String,
}

/// Forms as they may be said, with this tag.
pub(crate) fn offer(forms: impl Iterator<Item = &'static Form>, tag: &str) -> Vec<Expected> {
    forms.map(|form| Expected { form, example: form.example.replace("{tag}", tag) }).collect()
}

/// Forms of these words, in the order of the table.
pub(crate) fn of_words(table: &'static [Form], words: &[&str], tag: &str) -> Vec<Expected> {
    offer(table.iter().filter(|form| words.contains(&form.word)), tag)
}

/// A form, in short.
pub(crate) const fn form(
    word: &'static str,
    form: &'static str,
    example: &'static str,
    rfc: u16,
    section: &'static str,
    gist: &'static str,
) -> Form {
    Form { word, form, example, rule: Rule { rfc, section, gist } }
}

/// Every form of every role.
pub fn all() -> impl Iterator<Item = &'static Form> {
    let smtp = [crate::smtp::expected::COMMANDS, crate::smtp::expected::REPLIES];
    let pop3 = [crate::pop3::expected::COMMANDS, crate::pop3::expected::REPLIES];
    let imap = [crate::imap::expected::COMMANDS, crate::imap::expected::RESPONSES];
    smtp.into_iter().chain(pop3).chain(imap).flatten()
}
