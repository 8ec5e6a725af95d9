//! The targets, one grammar or a few that belong together to a file, and the table of all.

mod commands;
mod fields;
mod folders;
mod frozen;
mod html;
mod links;
mod messages;
mod names;
mod observed;
mod reports;
mod sasl;
mod session;
mod smime;
mod text;
mod web;

use crate::Target;

/// Most inputs are small, since small ones run often; this is some ten times what a person writes.
const SMALL: usize = 4 << 10;

/// What targets have if nothing else is said of them.
const USUAL: Target = Target {
    name: "",
    run: |_, _| (),
    seeds: Vec::new,
    words: &[],
    lines: false,
    size_max: SMALL,
    memory_max: 4 << 20,
    rounds: 4000,
};

/// Every target.
pub const TARGETS: &[Target] = &[
    session::SMTP,
    session::SMTP_CLIENT,
    session::POP3,
    session::POP3_CLIENT,
    session::IMAP,
    session::IMAP_CLIENT,
    commands::IMAP_COMMAND,
    commands::SMTP_COMMAND,
    observed::OBSERVED,
    frozen::FROZEN,
    sasl::SASL,
    names::MAILBOX_NAME,
    names::IMAP_URL,
    names::LIST_PATTERN,
    names::ADDRESS,
    fields::FIELDS,
    text::TRANSFER,
    text::CHARSET,
    messages::MESSAGE,
    messages::INDEX,
    messages::SEVEN_BIT,
    messages::SURROGATE,
    messages::READY,
    folders::MBOX,
    folders::MAILDIR,
    reports::REPORT,
    smime::SMIME,
    smime::KEYS,
    html::HTML,
    web::HTTP,
    links::SCENARIO,
    links::LINK,
];

/// Cuts octets into pieces at places that depend on nothing but them.
fn cut(octets: &[u8]) -> Vec<&[u8]> {
    let mut random = crate::seeded::Seeded::new(octets.len() as u64 + 7);
    let (mut pieces, mut rest) = (Vec::new(), octets);
    while !rest.is_empty() {
        let (piece, more) = rest.split_at((1 + random.below(40)).min(rest.len()));
        pieces.push(piece);
        rest = more;
    }
    pieces
}

/// The three ways in which a peer may give octets: at once, one by one, and cut anywhere.
fn ways(octets: &[u8]) -> [Vec<&[u8]>; 3] {
    [vec![octets], octets.chunks(1).collect(), cut(octets)]
}

/// What `read` makes of octets, which must be the same however they are cut.
fn same<T: PartialEq + std::fmt::Debug>(octets: &[u8], read: impl Fn(&[&[u8]]) -> T) -> T {
    let [whole, single, cut] = ways(octets).map(|pieces| read(&pieces));
    assert_eq!(single, whole, "octet by octet it is another than at once");
    assert_eq!(cut, whole, "cut anywhere it is another than at once");
    whole
}
