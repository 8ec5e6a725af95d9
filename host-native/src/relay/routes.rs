//! The ways of the transport map, asked of the engine once for each domain.
//! What a way means is the engine's; the map itself is the configuration's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pillarbox_engine::relay::{Hop, Transport};

use crate::engine::{Engine, Trap};

/// Domains whose way is remembered: a way takes some 200 octets, and to ask again takes microseconds.
const KNOWN_MAX: usize = 4096;

/// The ways of the transport map.
pub(crate) struct Routes {
    engine: Arc<Engine>,
    transports: Vec<Transport>,
    /// The map never changes while the program runs.
    known: Mutex<HashMap<Vec<u8>, Hop>>,
}

impl Routes {
    /// Of this map.
    pub(crate) fn new(engine: Arc<Engine>, transports: Vec<Transport>) -> Self {
        Self { engine, transports, known: Mutex::default() }
    }

    /// The way of a domain's mail.
    ///
    /// # Errors
    /// The domain broke the sandbox.
    pub(crate) fn hop(&self, domain: &[u8]) -> Result<Hop, Trap> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hop) = known().get(domain) {
            return Ok(hop.clone());
        }
        let hop = self.engine.relay().next_hop(&self.transports, domain)?;
        let mut known = known();
        if known.len() >= KNOWN_MAX {
            // Whoever sends to ever new domains costs the others a call, and no more.
            known.clear();
        }
        known.insert(domain.to_vec(), hop.clone());
        Ok(hop)
    }

    /// The keys of the destinations that mail for a domain, and for what is below it, goes to by this map; not of those
    /// that it does not mention.
    ///
    /// # Errors
    /// As [`hop`](Self::hop).
    pub(crate) fn destinations_under(&self, domain: &[u8]) -> Result<Vec<Vec<u8>>, Trap> {
        let mut found = vec![self.destination(domain)?];
        for Transport { pattern, .. } in &self.transports {
            let name = pattern.strip_prefix(b".").unwrap_or(pattern);
            let below = name.len().checked_sub(domain.len()).map(|at| name.split_at(at));
            let inside = below.is_some_and(|(below, end)| {
                end.eq_ignore_ascii_case(domain) && (below.is_empty() || below.ends_with(b"."))
            });
            if inside {
                // One that stands for all below it, as any of them goes.
                let one = if name == pattern { name.to_vec() } else { [b"a.", name].concat() };
                found.push(self.destination(&one)?);
            }
        }
        Ok(found)
    }

    /// The key of the destination that mail for a domain goes to.
    ///
    /// # Errors
    /// As [`hop`](Self::hop).
    pub(crate) fn destination(&self, domain: &[u8]) -> Result<Vec<u8>, Trap> {
        self.hop(domain).map(|hop| hop.key())
    }
}
