//! Counts what the checks of one message ask of DNS, and stops them where they ask too much. mail-auth keeps no such count,
//! but looks into a cache before each question; so this is a cache that keeps nothing. Answers themselves are kept by the
//! resolver.

use std::borrow::Borrow;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use mail_auth::{DnsError, DnssecStatus, Error, MX, Parameters, RecordSet, ResolverCache, Txt};

/// What all checks of one message may still ask.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicI64>);

impl Budget {
    pub(super) fn new(lookups_max: u32) -> Self {
        Self(Arc::new(AtomicI64::new(lookups_max.into())))
    }

    /// Whether one more question may be asked.
    pub(super) fn spend(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) > 0
    }
}

/// The questions of one check that mail-auth asks.
#[derive(Debug)]
pub(super) struct Lookups(Budget);

impl Lookups {
    pub(super) fn new(budget: &Budget) -> Self {
        Self(budget.clone())
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

    /// A question comes: nothing if it may be asked, otherwise nothing as its answer.
    fn ask<T>(&self) -> Option<RecordSet<T>> {
        (!self.0.spend())
            .then(|| RecordSet { rrset: Arc::new([]), dnssec_status: DnssecStatus::Indeterminate })
    }
}

impl ResolverCache<Box<str>, Txt> for Lookups {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        // No temporary failure: the same message would be as greedy the next time.
        (!self.0.spend()).then(|| Txt::Error(Error::Dns(DnsError::InvalidRecordType)))
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

impl ResolverCache<Box<str>, RecordSet<MX>> for Lookups {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<MX>>
    where
        Box<str>: Borrow<Q>,
    {
        self.ask()
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<MX>>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: RecordSet<MX>, _: Instant) {}
}

impl ResolverCache<Box<str>, RecordSet<Ipv4Addr>> for Lookups {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
    {
        self.ask()
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: RecordSet<Ipv4Addr>, _: Instant) {}
}

impl ResolverCache<Box<str>, RecordSet<Ipv6Addr>> for Lookups {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Ipv6Addr>>
    where
        Box<str>: Borrow<Q>,
    {
        self.ask()
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Ipv6Addr>>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: RecordSet<Ipv6Addr>, _: Instant) {}
}

impl ResolverCache<IpAddr, RecordSet<Box<str>>> for Lookups {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Box<str>>>
    where
        IpAddr: Borrow<Q>,
    {
        self.ask()
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<RecordSet<Box<str>>>
    where
        IpAddr: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: IpAddr, _: RecordSet<Box<str>>, _: Instant) {}
}
