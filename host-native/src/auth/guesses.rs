//! How often who may guess: failed logins fill a bucket for their network and one for their account, and both leak.
//!
//! Attempts are counted when they begin, so that a thousand at once are not one. Whoever once logged in from an address
//! has a bucket of his own there, which no attack from elsewhere fills.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::buckets::{Bucket, Buckets, make_room};

/// Failures from a network that has failed less than this are judged even while its account is under attack: a right
/// password from elsewhere must get in.
const FRESH: u64 = 3;
/// How much more a provider's IPv6 site (/48) may fail than one of its networks (/64).
const SITE_FACTOR: u64 = 4;
/// Each failure more makes the next answer come so much later, up to the second.
const DELAY_STEP: Duration = Duration::from_millis(250);
const DELAY_MAX: Duration = Duration::from_millis(2500);
/// For how long an address is known as an account's own.
const GOOD_FOR_MS: u64 = 30 * 24 * 3600 * 1000;

/// How much may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessSettings {
    /// Failures of one network (/24, /64) at once.
    pub network_burst: u64,
    /// After so long, one of them is forgotten.
    pub network_ms: u64,
    /// Failures at one account from anywhere.
    pub account_burst: u64,
    /// After so long, one of them is forgotten.
    pub account_ms: u64,
}

impl Default for GuessSettings {
    fn default() -> Self {
        Self { network_burst: 10, network_ms: 120_000, account_burst: 20, account_ms: 30_000 }
    }
}

/// The buckets.
#[derive(Debug)]
pub struct Guesses {
    settings: GuessSettings,
    networks: Buckets<Network>,
    accounts: Buckets<String>,
    good: HashMap<(String, IpAddr), Good>,
    /// When anybody last logged in from an address.
    good_addresses: HashMap<IpAddr, u64>,
}

/// An address from which an account was opened.
#[derive(Clone, Copy, Debug)]
struct Good {
    at_ms: u64,
    failures: Bucket,
}

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is judged; the smaller the rank, the sooner.
    Judged {
        /// 0 for an address that is the account's own; else how often its network failed, and one.
        rank: u64,
        /// How long the answer waits if it is no.
        delay: Duration,
    },
    /// It is refused, right or wrong.
    Refused {
        /// Which limit was reached.
        limit: Reached,
        /// How long the answer waits.
        delay: Duration,
    },
}

/// Which bucket is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The network's.
    Network,
    /// The account's.
    Account,
}

/// A network as one attacker has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Network {
    octets: [u8; 8],
    bits: u8,
}

impl Network {
    /// The first `bits` of an address, of IPv4 or of IPv6.
    pub(crate) fn of(address: IpAddr, v4_bits: u8, v6_bits: u8) -> Self {
        let mut octets = [0; 8];
        let bits = match address.to_canonical() {
            IpAddr::V4(v4) => {
                octets[..4].copy_from_slice(&v4.octets());
                v4_bits
            }
            IpAddr::V6(v6) => {
                octets.copy_from_slice(&v6.octets()[..8]);
                // Not to be taken for a network of IPv4.
                v6_bits | 0x80
            }
        };
        let kept = u32::from(bits & 0x7f);
        let masked = u64::from_be_bytes(octets) & !u64::MAX.checked_shr(kept).unwrap_or(0);
        Self { octets: masked.to_be_bytes(), bits }
    }
}

impl Guesses {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new(settings: GuessSettings) -> Self {
        let (networks, accounts) = (Buckets::default(), Buckets::default());
        let (good, good_addresses) = (HashMap::new(), HashMap::new());
        Self { settings, networks, accounts, good, good_addresses }
    }

    /// An attempt begins. It counts as failed until [`Guesses::succeeded`] says otherwise.
    pub fn admit(&mut self, now_ms: u64, address: IpAddr, account: &str) -> Admission {
        let GuessSettings { network_burst, network_ms, account_burst, account_ms } = self.settings;
        let pair = (account.to_owned(), own(address));
        if let Some(good) = self.good.get_mut(&pair).filter(|good| good.is_valid(now_ms)) {
            let failures = good.failures.level(now_ms, network_ms);
            if failures < network_burst {
                good.failures.add(now_ms, network_ms);
                return Admission::Judged { rank: 0, delay: delay(failures) };
            }
            return Admission::Refused { limit: Reached::Network, delay: DELAY_MAX };
        }
        let networks = networks(address);
        let mut worst = 0;
        for (at, network) in networks.into_iter().flatten().enumerate() {
            let failures = self.networks.level(&network, now_ms, network_ms);
            let burst = if at == 0 { network_burst } else { network_burst * SITE_FACTOR };
            if failures >= burst {
                return Admission::Refused { limit: Reached::Network, delay: DELAY_MAX };
            }
            if at == 0 {
                worst = failures;
            }
        }
        let on_account = self.accounts.level(account, now_ms, account_ms);
        if on_account >= account_burst && worst >= FRESH {
            return Admission::Refused { limit: Reached::Account, delay: DELAY_MAX };
        }
        for network in networks.into_iter().flatten() {
            self.networks.add(network, now_ms, network_ms);
        }
        if on_account < account_burst {
            self.accounts.add(account.to_owned(), now_ms, account_ms);
        }
        Admission::Judged { rank: worst + 1, delay: delay(worst) }
    }

    /// The attempt was right: it is no failure, and the address is the account's own from now on.
    pub fn succeeded(&mut self, now_ms: u64, address: IpAddr, account: &str) {
        let GuessSettings { network_ms, account_ms, .. } = self.settings;
        let pair = (account.to_owned(), own(address));
        make_room(&mut self.good_addresses, |at| is_recent(*at, now_ms), |at| *at);
        self.good_addresses.insert(own(address), now_ms);
        if let Some(good) = self.good.get_mut(&pair).filter(|good| good.is_valid(now_ms)) {
            good.at_ms = now_ms;
            good.failures.take(now_ms, network_ms);
            return;
        }
        self.forgive(now_ms, address, account);
        self.accounts.take(account, now_ms, account_ms);
        make_room(&mut self.good, |good| good.is_valid(now_ms), |good| good.at_ms);
        self.good.insert(pair, Good { at_ms: now_ms, failures: Bucket::default() });
    }

    /// The attempt was not judged for a reason that is not its own.
    pub fn forgive(&mut self, now_ms: u64, address: IpAddr, account: &str) {
        let pair = (account.to_owned(), own(address));
        let network_ms = self.settings.network_ms;
        if let Some(good) = self.good.get_mut(&pair).filter(|good| good.is_valid(now_ms)) {
            return good.failures.take(now_ms, network_ms);
        }
        for network in networks(address).into_iter().flatten() {
            self.networks.take(&network, now_ms, network_ms);
        }
    }

    /// Whether anybody has logged in from this address.
    #[must_use]
    pub fn is_known_good(&self, now_ms: u64, address: IpAddr) -> bool {
        self.good_addresses.get(&own(address)).is_some_and(|at| is_recent(*at, now_ms))
    }
}

impl Good {
    fn is_valid(&self, now_ms: u64) -> bool {
        is_recent(self.at_ms, now_ms)
    }
}

fn is_recent(at_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(at_ms) < GOOD_FOR_MS
}

/// The address that stands for one household: hosts change the rest of an IPv6 address by themselves (RFC 8981).
fn own(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) & !u128::from(u64::MAX)).to_be_bytes()),
        v4 => v4,
    }
}

fn networks(address: IpAddr) -> [Option<Network>; 2] {
    let site = matches!(address.to_canonical(), IpAddr::V6(_));
    [Some(Network::of(address, 24, 64)), site.then(|| Network::of(address, 24, 48))]
}

fn delay(failures: u64) -> Duration {
    let failures = u32::try_from(failures).unwrap_or(u32::MAX);
    DELAY_STEP.saturating_mul(failures.saturating_add(1)).min(DELAY_MAX)
}

#[cfg(test)]
mod tests {
    use super::super::buckets::ENTRIES_MAX;
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn judged(admission: Admission) -> bool {
        matches!(admission, Admission::Judged { .. })
    }

    /// Goal S13, with a clock of its own: guesses from 100 addresses at one account, and at many.
    #[test]
    fn of_200_000_guesses_from_100_addresses_few_are_judged_and_users_get_in() {
        for accounts in [1, 1000] {
            let mut guesses = Guesses::new(GuessSettings::default());
            assert!(judged(guesses.admit(0, HOME, "user0@a.example")));
            guesses.succeeded(0, HOME, "user0@a.example");
            let mut hashed = 0;
            for guess in 0..200_000u64 {
                // Ten minutes, in which the attackers take turns.
                let now_ms = guess * 3;
                let address = IpAddr::from([198, 18, (guess % 100) as u8, 1]);
                let account = format!("user{}@a.example", guess % accounts);
                hashed += u64::from(judged(guesses.admit(now_ms, address, &account)));
                if guess % 20_000 == 10_000 {
                    let own = guesses.admit(now_ms, HOME, "user0@a.example");
                    assert!(matches!(own, Admission::Judged { rank: 0, .. }), "{own:?}");
                    guesses.succeeded(now_ms, HOME, "user0@a.example");
                    let elsewhere = IpAddr::from([203, 0, (guess / 20_000) as u8, 9]);
                    let new = guesses.admit(now_ms, elsewhere, "user0@a.example");
                    assert!(matches!(new, Admission::Judged { rank: 1, .. }), "{new:?}");
                    guesses.succeeded(now_ms, elsewhere, "user0@a.example");
                }
            }
            assert!(hashed <= 2000, "{hashed} of {accounts} accounts");
        }
    }

    #[test]
    fn failures_are_forgotten_one_by_one_and_right_ones_are_none() {
        let settings = GuessSettings { network_burst: 2, network_ms: 1000, ..Default::default() };
        let mut guesses = Guesses::new(settings);
        let refused = Admission::Refused { limit: Reached::Network, delay: DELAY_MAX };
        assert!(judged(guesses.admit(0, HOME, "a")));
        assert!(judged(guesses.admit(0, HOME, "b")));
        assert_eq!(guesses.admit(0, HOME, "c"), refused);
        // Another host of the same network.
        assert_eq!(guesses.admit(999, IpAddr::from([192, 0, 2, 200]), "c"), refused);
        assert!(judged(guesses.admit(1000, HOME, "c")));
        guesses.succeeded(1000, HOME, "c");
        assert!(guesses.is_known_good(1000, HOME));
        assert!(judged(guesses.admit(1000, HOME, "d")));
        assert_eq!(guesses.admit(1000, HOME, "d"), refused);
        // Where somebody once was right he has tries of his own.
        assert!(judged(guesses.admit(1000, HOME, "c")));
        assert!(judged(guesses.admit(1000, HOME, "c")));
        assert_eq!(guesses.admit(1000, HOME, "c"), refused);
        guesses.forgive(1000, HOME, "c");
        assert!(judged(guesses.admit(1000, HOME, "c")));
        assert!(!guesses.is_known_good(GOOD_FOR_MS + 2000, HOME));
    }

    #[test]
    fn a_site_of_ipv6_is_one_attacker() {
        let mut guesses = Guesses::new(GuessSettings::default());
        let mut hashed = 0;
        for network in 0..10_000u16 {
            let address = IpAddr::from([0x2001, 0xdb8, 7, network, 0, 0, 0, 1]);
            hashed += u32::from(judged(guesses.admit(0, address, &network.to_string())));
        }
        assert_eq!(hashed, 40);
        let other = IpAddr::from([0x2001, 0xdb8, 8, 0, 0, 0, 0, 1]);
        assert!(judged(guesses.admit(0, other, "a")));
    }

    #[test]
    fn floods_of_networks_stay_in_bounds_and_do_not_wash_the_worst_away() {
        let mut guesses = Guesses::new(GuessSettings::default());
        for _ in 0..10 {
            guesses.admit(0, HOME, "ann");
        }
        for host in 0..200_000u32 {
            let address = IpAddr::from((host << 8 | 0x1000_0000).to_be_bytes());
            guesses.admit(1, address, &host.to_string());
        }
        assert!(guesses.networks.0.len() <= ENTRIES_MAX);
        assert!(guesses.accounts.0.len() <= ENTRIES_MAX);
        assert!(!judged(guesses.admit(1, HOME, "ann")));
    }

    #[test]
    fn networks_are_what_their_first_bits_say() {
        let v4 = |text: &str| Network::of(text.parse().expect("an address"), 24, 64);
        assert_eq!(v4("192.0.2.1"), v4("::ffff:192.0.2.255"));
        assert_ne!(v4("192.0.2.1"), v4("192.0.3.1"));
        assert_eq!(v4("2001:db8::1"), v4("2001:db8::ffff:0:0:1"));
        assert_ne!(v4("2001:db8::1"), v4("2001:db8:0:1::1"));
        assert_ne!(v4("0.0.0.0"), v4("::"));
    }
}
