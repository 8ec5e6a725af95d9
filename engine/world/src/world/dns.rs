//! DNS as a world has it: names with exchanges and addresses. What an answer means for mail is the engine's.

use std::collections::BTreeMap;

use super::log::DnsAnswer;
use super::setup::Record;

/// All names of a world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zones(BTreeMap<String, Names>);

/// What one name has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    exchanges: Vec<(u16, String)>,
    addresses: Vec<String>,
}

impl Zones {
    /// Adds what a record says to its name.
    pub fn add(&mut self, record: &Record) {
        let names = self.0.entry(record.name.to_ascii_lowercase()).or_default();
        names.exchanges.extend(record.exchanges.iter().cloned());
        names.addresses.extend(record.addresses.iter().cloned());
    }

    /// Forgets a name.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(&name.to_ascii_lowercase());
    }

    /// Puts what a record says in the place of what its name had.
    pub fn replace(&mut self, record: &Record) {
        self.remove(&record.name);
        self.add(record);
    }

    /// All names with what they have, in order.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.0.iter().map(|(name, names)| Record {
            name: name.clone(),
            exchanges: names.exchanges.clone(),
            addresses: names.addresses.clone(),
        })
    }

    /// The answer to a question for exchanges.
    #[must_use]
    pub fn exchanges(&self, name: &str) -> DnsAnswer {
        match self.find(name) {
            None => DnsAnswer::NoName,
            Some(names) if names.exchanges.is_empty() => DnsAnswer::NoRecords,
            Some(names) => DnsAnswer::Exchanges(names.exchanges.clone()),
        }
    }

    /// The answer to a question for addresses.
    #[must_use]
    pub fn addresses(&self, name: &str) -> DnsAnswer {
        match self.find(name) {
            None => DnsAnswer::NoName,
            Some(names) if names.addresses.is_empty() => DnsAnswer::NoRecords,
            Some(names) => DnsAnswer::Addresses(names.addresses.clone()),
        }
    }

    fn find(&self, name: &str) -> Option<&Names> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.0.get(&name)
    }
}
