//! Worlds of people's own: the text of a scenario is all of them, so that a link or a file can hold it. Whoever made the
//! text, what comes of it is bounded.

use super::{OWN, Scenario, read};
use crate::world::{Action, Kind, Setup};

/// Octets of the text.
pub const TEXT_MAX: usize = 32 << 10;
/// Nodes of one world: more cannot be told apart on a map.
pub const NODES_MAX: usize = 24;
/// People with a mailbox, in one world.
pub const USERS_MAX: usize = 64;
/// Links of one world, and names in its DNS.
pub const LINKS_MAX: usize = 64;
/// Actions of its script.
const SCRIPT_MAX: usize = 1_000;
/// Octets of a name.
const NAME_MAX: usize = 64;
/// Nothing takes longer than this, and nothing is done later.
const TIME_MAX_MS: u64 = 100 * 86_400_000;

impl Scenario {
    /// A world of somebody's own, from the text of a scenario.
    ///
    /// # Errors
    /// What in it makes no sense, or is beyond [`TEXT_MAX`], [`NODES_MAX`], [`USERS_MAX`] or [`LINKS_MAX`].
    pub fn own(text: &str) -> Result<Self, String> {
        if text.len() > TEXT_MAX {
            return Err(format!("a world of one's own has at most {TEXT_MAX} octets of text"));
        }
        let mut scenario = read::scenario(text, &super::files::base)?;
        check(&scenario)?;
        if scenario.title.is_empty() {
            scenario.title = "A world of your own".to_owned();
        }
        Ok(Self { id: OWN.to_owned(), text: text.to_owned(), ..scenario })
    }

    /// Whether its text is somebody's own.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.id == OWN
    }
}

fn check(scenario: &Scenario) -> Result<(), String> {
    let setup = &scenario.setup;
    let users = setup.nodes.iter().map(|node| node.users.len() + node.aliases.len()).sum();
    let counts = [
        ("nodes", setup.nodes.len(), NODES_MAX),
        ("people and aliases", users, USERS_MAX),
        ("links", setup.links.len(), LINKS_MAX),
        ("records", setup.records.len(), LINKS_MAX),
        ("actions in its script", scenario.script.len(), SCRIPT_MAX),
    ];
    for (what, count, max) in counts {
        if count > max {
            return Err(format!("a world has at most {max} {what}; here are {count}"));
        }
    }
    if setup.nodes.is_empty() {
        return Err("a world needs a node: [[node]] begins one".to_owned());
    }
    check_nodes(setup)?;
    for link in &setup.links {
        let [a, b] = [&link.a, &link.b].map(|name| node_of(setup, name));
        if a? == b? {
            return Err(format!("a link joins two nodes, not {} with itself", link.a));
        }
        soon("latency", link.latency_ms)?;
    }
    for (at, action) in &scenario.script {
        soon("at", at.0)?;
        if let Action::Link(link) = action {
            soon("latency", link.latency_ms)?;
        }
    }
    Ok(())
}

fn check_nodes(setup: &Setup) -> Result<(), String> {
    for (at, node) in setup.nodes.iter().enumerate() {
        is_name(&node.name)?;
        if node_of(setup, &node.name)? != at {
            return Err(format!("two nodes are named {}", node.name));
        }
        soon("sync-ms", node.sync_ms)?;
        let account = node.account.as_ref();
        let asked = account.and_then(|account| account.submit.as_ref()).map(|(host, _)| host);
        for host in account.map(|account| &account.server).into_iter().chain(asked) {
            let known = node_of(setup, host).ok().and_then(|at| setup.nodes.get(at));
            if known.is_none_or(|server| server.kind != Kind::Server) {
                return Err(format!("{}: there is no server named {host:?}", node.name));
            }
        }
    }
    Ok(())
}

fn node_of(setup: &Setup, name: &str) -> Result<usize, String> {
    let at = setup.nodes.iter().position(|node| node.name.eq_ignore_ascii_case(name));
    at.ok_or_else(|| format!("there is no node named {name}"))
}

fn soon(what: &str, ms: u64) -> Result<(), String> {
    if ms > TIME_MAX_MS { Err(format!("{what}: at most 100 days")) } else { Ok(()) }
}

/// Names stand in faults, files and addresses, so they have letters, digits, dots, hyphens and underlines alone.
///
/// # Errors
/// What is wrong with it.
pub fn is_name(name: &str) -> Result<(), String> {
    let wrong = name.chars().find(|c| !(c.is_ascii_alphanumeric() || ".-_".contains(*c)));
    match wrong {
        Some(wrong) => {
            Err(format!("a name has letters, digits, dots and hyphens: {name:?} has {wrong:?}"))
        }
        None if name.is_empty() => Err("a node needs a name".to_owned()),
        None if name.len() > NAME_MAX => {
            Err(format!("a name has at most {NAME_MAX} letters: {name}"))
        }
        None => Ok(()),
    }
}
