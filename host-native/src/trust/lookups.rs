//! Counts what one check asks of DNS, and stops it where it asks too much. mail-auth keeps no such counts for all of a
//! message, but looks into a cache before each question; so this is a cache that keeps nothing. Answers themselves are
//! kept by the resolver.

use std::borrow::Borrow;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Instant;

use mail_auth::{DnsError, DnssecStatus, Error, MX, Parameters, RecordSet, ResolverCache, Txt};

/// RFC 7208 §4.6.4: terms that lead to nothing, of which more mean that the record is wrong.
pub(crate) const VOIDS_MAX: i64 = 2;

/// What all checks of one message may still ask.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicI64>);

impl Budget {
    pub(super) fn new(lookups_max: u32) -> Self {
        Self(Arc::new(AtomicI64::new(lookups_max.into())))
    }

    fn spend(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) > 0
    }
}

/// The questions of one check.
#[derive(Debug)]
pub(super) struct Lookups {
    budget: Budget,
    /// Questions that were answered with nothing, or are not answered yet.
    voids: AtomicI64,
    /// The client's address, for SPF; other checks have no limit of voids.
    client: Option<IpAddr>,
    /// The question just asked is that of `exists` for the kind of address that it asks for first.
    half: AtomicBool,
    /// It was asked whether a name exists, and nobody has told what the answer was.
    open: AtomicBool,
}

impl Lookups {
    /// Of a check that has no limit of its own.
    pub(super) fn new(budget: &Budget) -> Self {
        let (half, open) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { budget: budget.clone(), voids: AtomicI64::new(0), client: None, half, open }
    }

    /// Of SPF for a client.
    pub(super) fn of_spf(budget: &Budget, client: IpAddr) -> Self {
        Self { client: Some(client), ..Self::new(budget) }
    }

    /// Whether more terms led to nothing than SPF allows.
    pub(super) fn has_too_many_voids(&self) -> bool {
        self.client.is_some() && self.voids.load(Ordering::Relaxed) > VOIDS_MAX
    }

    /// What a check is given with its questions counted.
    pub(super) fn count<P>(&self, params: P) -> Parameters<'_, P, Self, Self, Self, Self, Self> {
        Parameters {
            params,
            cache_txt: Some(self),
            cache_mx: Some(self),
            cache_ptr: Some(self),
            cache_ipv4: Some(self),
            cache_ipv6: Some(self),
        }
    }

    /// A question comes; false if it may not be asked.
    fn ask(&self) -> bool {
        self.go_on();
        self.ask_now()
    }

    /// RFC 7208 §4.6.4: a name that does not exist is a void. What `exists` finds ends the check, since then its term
    /// matches; so if another question follows, it has found nothing. (A term that fails what an `include` asks for goes
    /// on too; three of them that find something in one record are taken for voids.)
    fn go_on(&self) {
        if self.open.swap(false, Ordering::Relaxed) {
            self.voids.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn ask_now(&self) -> bool {
        if self.has_too_many_voids() || !self.budget.spend() {
            return false;
        }
        self.voids.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// A question for an address of this kind. For `exists`, and for nothing else of SPF, both kinds are looked up here, A
    /// first, and what is found is told to nobody: so the second takes the first out of the count of voids.
    fn ask_address(&self, is_v4: bool) -> bool {
        let Some(client) = self.client else { return self.ask() };
        match (client.is_ipv4(), is_v4) {
            (true, true) => self.ask(),
            (true, false) => {
                self.voids.fetch_sub(1, Ordering::Relaxed);
                self.open.store(true, Ordering::Relaxed);
                !self.has_too_many_voids() && self.budget.spend()
            }
            (false, true) => {
                self.go_on();
                self.half.store(true, Ordering::Relaxed);
                !self.has_too_many_voids() && self.budget.spend()
            }
            (false, false) if self.half.swap(false, Ordering::Relaxed) => {
                self.open.store(true, Ordering::Relaxed);
                !self.has_too_many_voids() && self.budget.spend()
            }
            (false, false) => self.ask(),
        }
    }

    fn answered(&self) {
        self.voids.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Nothing, as an answer to what may not be asked.
fn nothing<T>() -> Option<RecordSet<T>> {
    Some(RecordSet { rrset: Arc::new([]), dnssec_status: DnssecStatus::Indeterminate })
}

impl ResolverCache<Box<str>, Txt> for Lookups {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        // No temporary failure: the same message would be as greedy the next time.
        (!self.ask()).then(|| Txt::Error(Error::Dns(DnsError::InvalidRecordType)))
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {
        self.answered();
    }
}

impl ResolverCache<Box<str>, RecordSet<MX>> for Lookups {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<MX>>
    where
        Box<str>: Borrow<Q>,
    {
        if self.ask() { None } else { nothing() }
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<MX>>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: RecordSet<MX>, _: Instant) {
        self.answered();
    }
}

impl ResolverCache<Box<str>, RecordSet<Ipv4Addr>> for Lookups {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
    {
        if self.ask_address(true) { None } else { nothing() }
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: RecordSet<Ipv4Addr>, _: Instant) {
        self.answered();
    }
}

impl ResolverCache<Box<str>, RecordSet<Ipv6Addr>> for Lookups {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Ipv6Addr>>
    where
        Box<str>: Borrow<Q>,
    {
        if self.ask_address(false) { None } else { nothing() }
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Ipv6Addr>>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: RecordSet<Ipv6Addr>, _: Instant) {
        self.answered();
    }
}

impl ResolverCache<IpAddr, RecordSet<Box<str>>> for Lookups {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Box<str>>>
    where
        IpAddr: Borrow<Q>,
    {
        if self.ask() { None } else { nothing() }
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Box<str>>>
    where
        IpAddr: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: IpAddr, _: RecordSet<Box<str>>, _: Instant) {
        self.answered();
    }
}
