//! What other servers' names lead to: mail exchangers, addresses, texts, and certificates (TLSA).
//! Answers are plain values, and the source of them is a trait, so that tests bring their own; which host mail goes to is
//! not decided here.

mod resolver;

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;

pub use resolver::{Resolver, ResolverSettings};

/// Records of one kind that are used of an answer; more are of no use to mail, and cost its sender.
pub const RECORDS_MAX: usize = 100;

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RFC 1035 §3.3.9.
    Mx,
    /// RFC 1035 §3.4.1.
    A,
    /// RFC 3596 §2.1.
    Aaaa,
    /// RFC 1035 §3.3.14.
    Txt,
    /// RFC 6698 §2.
    Tlsa,
    /// RFC 1035 §3.3.12.
    Ptr,
    /// RFC 1035 §3.3.1: the alias itself, which is not followed.
    Cname,
}

/// One record's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A mail exchanger.
    Mx(Mx),
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A text, its strings joined.
    Txt(Vec<u8>),
    /// A certificate association.
    Tlsa(Tlsa),
    /// A name of an address, without a dot at its end.
    Ptr(String),
    /// The name that another one stands for, without a dot at its end.
    Cname(String),
}

/// A mail exchanger (RFC 5321 §5.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// The host, without a dot at its end; empty for the null MX (RFC 7505).
    pub exchange: String,
}

/// A certificate association (RFC 6698 §2.1), its numbers as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// Which certificate of the chain is meant, and who else must vouch for it.
    pub usage: u8,
    /// Whether the whole certificate or its key is meant.
    pub selector: u8,
    /// How it is told: whole, or by a hash.
    pub matching: u8,
    /// The certificate, the key, or the hash.
    pub data: Vec<u8>,
}

/// What a name has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// At least one, of the kind that was asked for.
    pub records: Vec<T>,
    /// The name that has them: the one asked for, or the last that CNAMEs led to; without a dot at its end.
    pub name: String,
    /// Whether DNSSEC proves all of it, aliases included.
    pub secure: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// There is no such name (NXDOMAIN): permanent.
    NoName,
    /// The name has nothing of this kind: permanent.
    NoRecords,
    /// Nobody knows now: no server answered, one failed, or DNSSEC shows that somebody interferes.
    Temporary(String),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("there is no such domain"),
            Self::NoRecords => f.write_str("the domain has no such record"),
            Self::Temporary(why) => write!(f, "the domain cannot be looked up now: {why}"),
        }
    }
}

impl std::error::Error for NoAnswer {}

/// An answer on its way.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Result<Answer<Record>, NoAnswer>> + Send + 'a>>;

/// Where answers come from.
pub trait Source: Send + Sync {
    /// What this fully qualified name has, CNAMEs followed; never the search list of this machine.
    fn look_up<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a>;
}

/// No names at all, for who never leaves this machine.
pub struct Nothing;

impl Source for Nothing {
    fn look_up<'a>(&'a self, _name: &'a str, _kind: Kind) -> Looking<'a> {
        let why = "nothing is looked up in the dev profile".to_owned();
        Box::pin(std::future::ready(Err(NoAnswer::Temporary(why))))
    }
}

/// Names and what they lead to.
#[derive(Clone)]
pub struct Dns(Arc<dyn Source>);

impl Dns {
    /// Answers from this source.
    #[must_use]
    pub fn new(source: Arc<dyn Source>) -> Self {
        Self(source)
    }

    /// The domain's mail exchangers, as they came: order and meaning are the router's.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn mx(&self, domain: &str) -> Result<Answer<Mx>, NoAnswer> {
        self.of(domain, Kind::Mx, |record| match record {
            Record::Mx(mx) => Some(mx),
            _ => None,
        })
        .await
    }

    /// The host's addresses: IPv6 first, as RFC 6724 has it.
    ///
    /// # Errors
    /// [`NoAnswer`]; temporary also if only one of the two kinds could be looked up, and it gave none.
    pub async fn addresses(&self, host: &str) -> Result<Answer<IpAddr>, NoAnswer> {
        let v6 = self.of(host, Kind::Aaaa, |record| match record {
            Record::Aaaa(address) => Some(IpAddr::V6(address)),
            _ => None,
        });
        let v4 = self.of(host, Kind::A, |record| match record {
            Record::A(address) => Some(IpAddr::V4(address)),
            _ => None,
        });
        match tokio::join!(v6, v4) {
            (Ok(v6), Ok(v4)) => {
                let records = [v6.records, v4.records].concat();
                Ok(Answer { records, name: v6.name, secure: v6.secure && v4.secure })
            }
            (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
            (Err(NoAnswer::Temporary(why)), _) | (_, Err(NoAnswer::Temporary(why))) => {
                Err(NoAnswer::Temporary(why))
            }
            (Err(NoAnswer::NoName), Err(NoAnswer::NoName)) => Err(NoAnswer::NoName),
            (Err(_), Err(_)) => Err(NoAnswer::NoRecords),
        }
    }

    /// The name's texts, the strings of each joined (RFC 7208 §3.3, RFC 6376 §3.6.2.2).
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn txt(&self, name: &str) -> Result<Answer<Vec<u8>>, NoAnswer> {
        self.of(name, Kind::Txt, |record| match record {
            Record::Txt(text) => Some(text),
            _ => None,
        })
        .await
    }

    /// The name that this one stands for: one step, which is all that the proof is about.
    ///
    /// # Errors
    /// [`NoAnswer`]; no records if it is no alias.
    pub async fn alias(&self, name: &str) -> Result<Answer<String>, NoAnswer> {
        self.of(name, Kind::Cname, |record| match record {
            Record::Cname(name) => Some(name),
            _ => None,
        })
        .await
    }

    /// The certificate associations of a service (RFC 6698 §3), such as port 25 of a mail exchanger.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn tlsa(&self, port: u16, host: &str) -> Result<Answer<Tlsa>, NoAnswer> {
        self.of(&format!("_{port}._tcp.{host}"), Kind::Tlsa, |record| match record {
            Record::Tlsa(tlsa) => Some(tlsa),
            _ => None,
        })
        .await
    }

    async fn of<T>(
        &self,
        name: &str,
        kind: Kind,
        take: fn(Record) -> Option<T>,
    ) -> Result<Answer<T>, NoAnswer> {
        let Answer { records, name, secure } = self.0.look_up(name, kind).await?;
        let records: Vec<T> = records.into_iter().filter_map(take).take(RECORDS_MAX).collect();
        if records.is_empty() {
            return Err(NoAnswer::NoRecords);
        }
        Ok(Answer { records, name, secure })
    }
}
