//! All rules that the engine cites, collected for the coverage table and the playground.
//! Each rule is a constant beside the code that follows it; this file only lists them.

pub use crate::trace::Rule;

/// Whether who breaks this rule is put up with: what follows is said as if nothing had been wrong.
#[must_use]
pub fn is_tolerated(rule: &Rule) -> bool {
    crate::smtp::TOLERATED.contains(&rule)
}

/// Every rule, by the module that follows it.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    let smtp = [crate::smtp::RULES, crate::smtp::client::RULES, crate::smtp::probe::RULES];
    let clients = [crate::pop3::client::RULES, crate::imap::client::RULES];
    [crate::sasl::RULES, crate::pop3::RULES, crate::imap::RULES, crate::relay::RULES]
        .into_iter()
        .chain(smtp)
        .chain(clients)
        .chain(crate::probe::RULES.iter().copied())
        .flatten()
        .copied()
}
