//! A device that shows a mailbox where it is: on the server, by IMAP.

use pillarbox_engine::imap::client::types::{Address, Fetched};
use pillarbox_engine::text::words;

use super::World;
use super::device::{login, tls_policy};
use super::errand::{Errand, Goal};
use super::ids::{End, NodeId, WireId};
use super::log::Screen;
use super::seat::{ImapNews, ImapPlan, Order, Turn};
use super::setup::AccountSetup;
use super::view::RemoteRow;
use super::wire::Phase;

/// What a person wants in the mailbox that is open.
///
/// As words: `open INBOX`, `seen 1`, `unseen 1`, `flag 1`, `unflag 1`, `delete 1`, `move 1 Work`, `copy 1 Work`,
/// `create Work`, `search ketchup`, `structure 1`, `part 1`, `part 1 2.1`, `part 1 HEADER.FIELDS (SUBJECT)`,
/// `part 1 2 0..2048`, `quit`. Numbers are UIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImapOrder {
    /// Open this mailbox.
    Open(String),
    /// Set or clear a system flag, as a bit.
    Flag {
        /// Of which message.
        uid: u32,
        /// Which.
        flag: u8,
        /// Whether it is set.
        on: bool,
    },
    /// Mark and remove.
    Delete(u32),
    /// Move to another mailbox.
    Move {
        /// Which message.
        uid: u32,
        /// Where to.
        to: String,
    },
    /// Copy to another mailbox.
    Copy {
        /// Which message.
        uid: u32,
        /// Where to.
        to: String,
    },
    /// Make a mailbox.
    Create(String),
    /// Have the server look for words.
    Search(String),
    /// Ask what the message is made of.
    Structure(u32),
    /// Fetch a part of a message, and no more.
    Part {
        /// Of which message.
        uid: u32,
        /// What stands between the brackets; empty: all of it.
        section: String,
        /// First octet, and how many.
        range: Option<(u64, u64)>,
    },
    /// Log out.
    Quit,
}

const SEEN: u8 = 8;
const FLAGGED: u8 = 2;

impl ImapOrder {
    /// Reads an order's words.
    ///
    /// # Errors
    /// They are none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let uid = |text: &str| {
            text.parse::<u32>().map_err(|_| format!("expected a message's number, not {text:?}"))
        };
        let flag = |flag: u8, on: bool| Ok(Self::Flag { uid: uid(rest)?, flag, on });
        let two = || rest.split_once(' ').ok_or_else(|| format!("{verb}: where to?"));
        match verb {
            "open" => Ok(Self::Open(rest.to_owned())),
            "seen" => flag(SEEN, true),
            "unseen" => flag(SEEN, false),
            "flag" => flag(FLAGGED, true),
            "unflag" => flag(FLAGGED, false),
            "delete" => Ok(Self::Delete(uid(rest)?)),
            "move" => two().and_then(|(n, to)| Ok(Self::Move { uid: uid(n)?, to: to.to_owned() })),
            "copy" => two().and_then(|(n, to)| Ok(Self::Copy { uid: uid(n)?, to: to.to_owned() })),
            "create" => Ok(Self::Create(rest.to_owned())),
            "search" => Ok(Self::Search(rest.to_owned())),
            "structure" => Ok(Self::Structure(uid(rest)?)),
            "part" => {
                let (number, section) = rest.split_once(' ').unwrap_or((rest, ""));
                let (section, range) = split_range(section);
                Ok(Self::Part { uid: uid(number)?, section: section.to_owned(), range })
            }
            "quit" => Ok(Self::Quit),
            _ => Err(format!("nobody knows how to {verb:?} by IMAP")),
        }
    }
}

/// A section, and the range behind it if there is one.
fn split_range(section: &str) -> (&str, Option<(u64, u64)>) {
    let (before, last) = section.rsplit_once(' ').unwrap_or(("", section));
    let range = last.split_once("..").and_then(|(from, to)| {
        let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
        Some((from, to.checked_sub(from).filter(|length| *length > 0)?))
    });
    if range.is_some() { (before, range) } else { (section, None) }
}

/// A mailbox that is open by IMAP.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remote {
    pub(crate) wire: Option<WireId>,
    pub(crate) mailbox: String,
    /// As long as it is this, UIDs mean what they meant.
    pub(crate) uid_validity: u32,
    /// By their numbers.
    pub(crate) rows: Vec<RemoteRow>,
    /// What a search found last.
    pub(crate) found: Vec<u32>,
}

impl World {
    pub(super) fn read_by_imap(
        &mut self,
        node: NodeId,
        account: &AccountSetup,
    ) -> Result<(), String> {
        if self.imap_wire(node).is_some() {
            return self.order_imap(node, ImapOrder::Open("INBOX".to_owned()));
        }
        let orders = vec![ImapOrder::Open("INBOX".to_owned())];
        let plan = ImapPlan { login: login(account), orders };
        let port = if account.tls { 993 } else { 143 };
        let goal = Goal::Imap(plan, tls_policy(account, port));
        self.errand(node, Errand { host: account.server.clone(), port, goal });
        Ok(())
    }

    pub(super) fn do_by_imap(&mut self, device: &str, order: &str) -> Result<(), String> {
        let node = self.node_of(device)?;
        let order = ImapOrder::parse(order)?;
        self.order_imap(node, order)
    }

    fn order_imap(&mut self, node: NodeId, order: ImapOrder) -> Result<(), String> {
        let wire = self.imap_wire(node).ok_or("no mailbox is open on this device")?;
        if order == ImapOrder::Quit {
            // What is wanted from now on is for another session.
            self.node_mut(node).device.remote.wire = None;
        }
        self.turn(wire, End::Client, Turn::Order(Order::Imap(order)));
        Ok(())
    }

    fn imap_wire(&self, node: NodeId) -> Option<WireId> {
        let wire = self.node(node).device.remote.wire?;
        (self.wire(wire).phase != Phase::Closed).then_some(wire)
    }

    pub(super) fn imap_news(&mut self, node: NodeId, news: ImapNews) {
        let remote = &mut self.node_mut(node).device.remote;
        let changed = |how: String| Screen::Changed { how };
        let told = match news {
            ImapNews::Opened { name, count, uid_validity } => {
                let (known, wire) = (remote.uid_validity, remote.wire);
                let is_new = known > 0 && known != uid_validity && remote.mailbox == name;
                let how = match is_new {
                    true => format!(
                        "{name}: {count} messages; its UIDVALIDITY is {uid_validity} and no more {known}, so that nothing \
                         that was known of its messages counts"
                    ),
                    false => format!("{name}: {count} messages"),
                };
                *remote = Remote { wire, mailbox: name, uid_validity, ..Remote::default() };
                changed(how)
            }
            ImapNews::Fetched(fetched) => {
                let Some(told) = remote.fetched(*fetched) else { return };
                told
            }
            ImapNews::Body { uid, section, octets } => {
                let how = format!("{uid} [{section}]: {} octets", octets.len());
                if let Some(row) = remote.rows.iter_mut().find(|row| row.uid == uid) {
                    row.parts.retain(|(known, _)| *known != section);
                    row.parts.push((section, octets));
                }
                changed(how)
            }
            ImapNews::Gone { number } => {
                let at = (number as usize).wrapping_sub(1);
                if at >= remote.rows.len() {
                    return;
                }
                let gone = remote.rows.remove(at);
                changed(format!("{} is gone", gone.uid))
            }
            ImapNews::GoneUids(runs) => {
                let is_gone = |uid: u32| runs.iter().any(|run| run.first <= uid && uid <= run.last);
                remote.rows.retain(|row| !is_gone(row.uid));
                changed("messages are gone".to_owned())
            }
            ImapNews::Found(found) => {
                remote.found.clone_from(&found);
                let list: Vec<String> = found.iter().map(u32::to_string).collect();
                changed(format!("found: {}", list.join(", ")))
            }
            ImapNews::Done { ok: true, words } => changed(words),
            ImapNews::Done { ok: false, words } => Screen::Failed { why: words },
            ImapNews::Over(None) => changed("logged out".to_owned()),
            ImapNews::Over(Some(why)) => Screen::Failed { why },
        };
        self.show(node, told);
    }
}

impl Remote {
    fn fetched(&mut self, fetched: Fetched) -> Option<Screen> {
        let at = (fetched.number as usize).checked_sub(1)?;
        let is_new = at >= self.rows.len();
        if is_new {
            self.rows.resize_with(at + 1, RemoteRow::default);
        }
        let row = &mut self.rows[at];
        let before = row.flags;
        if fetched.uid != 0 {
            row.uid = fetched.uid;
        }
        if let Some(flags) = fetched.flags {
            row.flags = flags.system;
        }
        row.size = fetched.size.unwrap_or(row.size);
        if let Some(envelope) = fetched.envelope {
            row.subject = words::decode(&envelope.subject.unwrap_or_default());
            row.from = envelope.from.iter().map(address).collect::<Vec<_>>().join(", ");
        }
        for part in fetched.structure {
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            let line = (text(&part.section), text(&part.media_type), part.size);
            if !row.structure.contains(&line) {
                row.structure.push(line);
            }
        }
        let (uid, flags, shown) = (row.uid, row.flags, self.rows.len() as u64);
        match (is_new, before == flags) {
            (true, _) => Some(Screen::Got { new: 1, shown }),
            (false, false) => {
                Some(Screen::Changed { how: format!("{uid}: {}", flag_words(flags)) })
            }
            (false, true) => None,
        }
    }
}

fn address(address: &Address) -> String {
    let text = |octets: &Option<Vec<u8>>| words::decode(octets.as_deref().unwrap_or_default());
    let full = format!("{}@{}", text(&address.mailbox), text(&address.host));
    match text(&address.name) {
        name if name.is_empty() => full,
        name => format!("{name} <{full}>"),
    }
}

/// System flags by their names.
fn flag_words(flags: u8) -> String {
    let names = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
    let set = names.iter().enumerate().filter(|(bit, _)| flags & (1 << bit) != 0);
    let set: Vec<&str> = set.map(|(_, name)| *name).collect();
    if set.is_empty() { "no flags".to_owned() } else { set.join(" ") }
}
