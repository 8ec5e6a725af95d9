//! Who may connect: so many at once in all, from one address and from one network, and so many a minute; the last places are for known ones.
//! This machine's own programs are not counted by address, since they are not strangers. Sessions at work are counted by the
//! slots that they hold; one that is frozen is a connection only.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::auth::{Network, Rate};
use crate::config::{LimitSettings, is_loopback};
use crate::engine::Slots;
use crate::limits::{
    CONNECTIONS_PER_ADDRESS, CONNECTIONS_PER_MINUTE, CONNECTIONS_PER_NETWORK, Limit,
    RESERVE_PERCENT, STRESS_PERCENT,
};

/// Counts connections.
pub(crate) struct Admission {
    slots: Arc<Slots>,
    connections_max: u32,
    address_max: u32,
    network_max: u32,
    rate: Rate<Network>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: u32,
    /// Of these, those that have no slot yet.
    arriving: u32,
    addresses: HashMap<Network, u32>,
    networks: HashMap<Network, u32>,
}

/// A connection that is counted until this is dropped.
pub(crate) struct Ticket {
    admission: Arc<Admission>,
    is_arriving: bool,
    /// None for this machine itself.
    counted: Option<(Network, Network)>,
}

impl Admission {
    /// With so many connections in all, whose sessions take these slots.
    pub(crate) fn new(slots: Arc<Slots>, connections_max: u32, limits: LimitSettings) -> Self {
        let rate = limits.connections_per_address_and_minute.unwrap_or(CONNECTIONS_PER_MINUTE);
        Self {
            slots,
            connections_max,
            rate: Rate::new(rate, Duration::from_secs(60)),
            address_max: limits.connections_per_address.unwrap_or(CONNECTIONS_PER_ADDRESS),
            network_max: limits.connections_per_network.unwrap_or(CONNECTIONS_PER_NETWORK),
            counts: Mutex::default(),
        }
    }

    /// Counts a connection in; `is_known` says, if it matters, whether somebody has logged in from there.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        is_known: impl FnOnce() -> bool,
    ) -> Result<Ticket, Limit> {
        let mut counts = self.lock();
        if counts.all >= self.connections_max {
            return Err(Limit::Connections);
        }
        let counted = (!is_loopback(address))
            .then(|| (Network::of(address, 32, 64), Network::of(address, 24, 48)));
        if let Some((own, network)) = counted {
            let count = |map: &HashMap<_, u32>, key| map.get(&key).copied().unwrap_or(0);
            if count(&counts.addresses, own) >= self.address_max {
                return Err(Limit::ConnectionsPerAddress);
            }
            if count(&counts.networks, network) >= self.network_max {
                return Err(Limit::ConnectionsPerNetwork);
            }
            if self.fullness(&counts, 100 - RESERVE_PERCENT) >= 0 && !is_known() {
                return Err(Limit::SlotsReserve);
            }
            if !self.rate.take(&own) {
                return Err(Limit::ConnectionsPerMinute);
            }
            *counts.addresses.entry(own).or_default() += 1;
            *counts.networks.entry(network).or_default() += 1;
        }
        counts.all += 1;
        counts.arriving += 1;
        Ok(Ticket { admission: Arc::clone(self), is_arriving: true, counted })
    }

    /// Whether so many slots or connections are taken that whoever is silent must make room.
    pub(crate) fn is_stressed(&self) -> bool {
        self.fullness(&self.lock(), STRESS_PERCENT) > 0
    }

    /// How far more is taken than so many hundredths, of slots or of connections, whatever is fuller.
    fn fullness(&self, counts: &Counts, percent: u32) -> i64 {
        let working = self.slots.taken().saturating_add(counts.arriving);
        let above = |taken: u32, all: u32| i64::from(taken) - i64::from(part(all, percent));
        above(working, self.slots.all()).max(above(counts.all, self.connections_max))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The connection has its slot, or gets none.
    pub(crate) fn arrived(&mut self) {
        if std::mem::take(&mut self.is_arriving) {
            self.admission.lock().arriving -= 1;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.arrived();
        let mut counts = self.admission.lock();
        counts.all -= 1;
        let Some((own, network)) = self.counted else { return };
        let Counts { addresses, networks, .. } = &mut *counts;
        for (map, key) in [(addresses, own), (networks, network)] {
            if let Some(count) = map.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    map.remove(&key);
                }
            }
        }
    }
}

fn part(slots: u32, percent: u32) -> u32 {
    u32::try_from(u64::from(slots) * u64::from(percent) / 100).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn admission(slots: u32, connections: u32) -> Arc<Admission> {
        let slots = Arc::new(Slots::new(slots));
        Arc::new(Admission::new(slots, connections, LimitSettings::default()))
    }

    #[test]
    fn addresses_and_networks_have_their_share_and_give_it_back() {
        let admission = admission(2000, 2000);
        let mut tickets = Vec::new();
        let mut admit = |text: &str| {
            admission.admit(address(text), || false).map(|ticket| tickets.push(ticket))
        };
        for host in 0..4 {
            for _ in 0..50 {
                assert!(admit(&format!("192.0.2.{host}")).is_ok());
            }
            let full = Limit::ConnectionsPerAddress;
            assert_eq!(admit(&format!("192.0.2.{host}")).err(), Some(full));
        }
        assert_eq!(admit("192.0.2.77").err(), Some(Limit::ConnectionsPerNetwork));
        assert_eq!(admit("::ffff:192.0.2.77").err(), Some(Limit::ConnectionsPerNetwork));
        assert!(admit("192.0.3.77").is_ok());
        for host in 0..50 {
            assert!(admit(&format!("2001:db8::{host}")).is_ok());
        }
        assert_eq!(admit("2001:db8::9:9").err(), Some(Limit::ConnectionsPerAddress));
        assert!(admit("2001:db8:0:1::").is_ok());
        (0..300).for_each(|_| assert!(admit("127.0.0.1").is_ok()));
        tickets.clear();
        assert!(admission.lock().addresses.is_empty() && admission.lock().networks.is_empty());
        assert_eq!(admission.lock().all, 0);
    }

    #[test]
    fn who_comes_too_often_waits() {
        let limits = LimitSettings {
            connections_per_address_and_minute: Some(3),
            ..LimitSettings::default()
        };
        let admission = Arc::new(Admission::new(Arc::new(Slots::new(20)), 200, limits));
        let admit = |text: &str| admission.admit(address(text), || false).map(drop);
        assert!((0..3).all(|_| admit("192.0.2.1").is_ok()));
        assert_eq!(admit("192.0.2.1").err(), Some(Limit::ConnectionsPerMinute));
        assert!(admit("192.0.2.2").is_ok());
        assert!((0..10).all(|_| admit("127.0.0.1").is_ok()));
        assert_eq!(admission.lock().all, 0, "who is refused is not counted");
    }

    #[test]
    fn the_last_slots_are_for_those_who_are_known() {
        let admission = admission(20, 2000);
        let admit = |host: u8, known| admission.admit(IpAddr::from([198, 51, host, 1]), || known);
        let mut tickets: Vec<_> = (0..16).map(|host| admit(host, false).ok()).collect();
        assert!(!admission.is_stressed());
        tickets.extend([admit(16, false).ok(), admit(17, false).ok()]);
        assert!(admission.is_stressed() && tickets.iter().all(Option::is_some));
        assert_eq!(admit(18, false).err(), Some(Limit::SlotsReserve));
        tickets.push(admit(18, true).ok());
        tickets.push(admission.admit(address("127.0.0.1"), || false).ok());
        assert!(tickets.iter().all(Option::is_some));
        tickets.clear();
        assert!(!admission.is_stressed() && admit(19, false).is_ok());
    }

    #[test]
    fn who_is_frozen_takes_no_slot_but_is_a_connection() {
        let admission = admission(20, 100);
        let admit = |host: u8| admission.admit(IpAddr::from([198, 51, host, 1]), || false);
        let mut tickets = Vec::new();
        for host in 0..18 {
            let mut ticket = admit(host).expect("there is room");
            let slot = admission.slots.try_take().expect("there is room");
            ticket.arrived();
            tickets.push((ticket, Some(slot)));
        }
        assert_eq!(admit(18).err(), Some(Limit::SlotsReserve));
        assert!(admission.is_stressed());
        tickets.iter_mut().for_each(|(_, slot)| *slot = None);
        assert!(!admission.is_stressed());
        for host in 18..90 {
            let mut ticket = admit(host).expect("there is room");
            ticket.arrived();
            tickets.push((ticket, None));
        }
        assert!(admission.is_stressed(), "there are too many, though they rest");
        assert_eq!(admit(90).err(), Some(Limit::SlotsReserve));
        let local = || admission.admit(IpAddr::from([127, 0, 0, 1]), || false);
        let locals: Vec<_> = (0..10).map(|_| local().expect("there is room")).collect();
        assert_eq!(local().err(), Some(Limit::Connections));
        drop(locals);
        tickets.clear();
        assert!(!admission.is_stressed() && admission.lock().arriving == 0);
    }
}
