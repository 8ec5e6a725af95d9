//! SPF (RFC 7208 §4): goes through a domain's record for one client, term by term, and counts what the terms ask of DNS.
//! Records are read and macros expanded by mail-auth, whose own way through a record counts no void lookups, gives an
//! include within an include no qualifier, and believes names of PTR records.

use std::net::IpAddr;

use mail_auth::SpfResult;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::spf::{Directive, Macro, Mechanism, Spf, Variables};

use super::lookups::Budget;
use super::verify::Sender;
use crate::dns::{Kind, NoAnswer, Record, Resolver, Source};

/// Terms that ask DNS, in all records together (RFC 7208 §4.6.4).
pub(crate) const TERMS_MAX: u32 = 10;
/// Terms that find nothing in DNS (RFC 7208 §4.6.4).
pub(crate) const VOIDS_MAX: u32 = 2;
/// Names of one MX or PTR answer whose addresses are looked up (RFC 7208 §4.6.4).
const NAMES_MAX: usize = 10;
/// Octets of a name (RFC 7208 §7.3).
const NAME_MAX: usize = 253;
/// Octets of a label (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;

/// What may be asked for one client, and has been.
pub(super) struct Check<'a> {
    names: &'a Resolver,
    budget: &'a Budget,
    sender: &'a Sender<'a>,
    terms: u32,
    voids: u32,
    /// A question of the present term had nothing for an answer.
    is_void: bool,
}

/// Why a check ends before its record does.
#[derive(Clone, Copy)]
enum End {
    /// RFC 7208 §2.6.6.
    Temporary,
    /// RFC 7208 §2.6.7.
    Permanent,
}

/// A record that is gone through.
struct Frame {
    record: Spf,
    domain: String,
    /// The directive that comes next.
    next: usize,
}

impl Frame {
    fn new(record: Spf, domain: String) -> Self {
        Self { record, domain, next: 0 }
    }

    fn directive(&mut self) -> Option<Directive> {
        let directive = self.record.directives.get(self.next).cloned();
        self.next += 1;
        directive
    }

    /// The result of the `include` that was gone into last, if it matches.
    fn included(&self) -> SpfResult {
        let include = self.next.checked_sub(1).and_then(|at| self.record.directives.get(at));
        include.map_or(SpfResult::Neutral, |include| SpfResult::from(&include.qualifier))
    }
}

impl<'a> Check<'a> {
    pub(super) fn new(names: &'a Resolver, budget: &'a Budget, sender: &'a Sender<'a>) -> Self {
        Self { names, budget, sender, terms: 0, voids: 0, is_void: false }
    }

    /// Whether the domain lets the client send for it.
    pub(super) async fn result(mut self) -> SpfResult {
        match self.domain().await {
            Ok(result) => result,
            Err(End::Temporary) => SpfResult::TempError,
            Err(End::Permanent) => SpfResult::PermError,
        }
    }

    async fn domain(&mut self) -> Result<SpfResult, End> {
        let domain = self.sender.domain();
        // RFC 7208 §4.3: an address literal, or a name that is none.
        if domain.starts_with('[') || !is_name(domain) {
            return Ok(SpfResult::None);
        }
        match self.record(domain).await? {
            Some(record) => self.walk(Frame::new(record, domain.to_owned())).await,
            None => Ok(SpfResult::None),
        }
    }

    /// RFC 7208 §4.6. An include lies on those that it is in, never deeper than there may be terms.
    async fn walk(&mut self, mut frame: Frame) -> Result<SpfResult, End> {
        let mut outer: Vec<Frame> = Vec::new();
        'terms: loop {
            let mut result = match (frame.directive(), &frame.record.redirect) {
                (Some(Directive { mechanism: Mechanism::Include { macro_string }, .. }), _) => {
                    let inner = self.other(&macro_string, &frame.domain).await?;
                    outer.push(std::mem::replace(&mut frame, inner));
                    continue;
                }
                (Some(directive), _) => {
                    if !self.matches(&directive.mechanism, &frame.domain).await? {
                        continue;
                    }
                    SpfResult::from(&directive.qualifier)
                }
                (None, Some(redirect)) => {
                    frame = self.other(&redirect.clone(), &frame.domain).await?;
                    continue;
                }
                (None, None) => SpfResult::Neutral,
            };
            while let Some(including) = outer.pop() {
                frame = including;
                // RFC 7208 §5.2: an include matches if what it names says pass, and otherwise does not.
                if result != SpfResult::Pass {
                    continue 'terms;
                }
                result = frame.included();
            }
            return Ok(result);
        }
    }

    /// The record that an include or a redirect leads to; there must be one.
    async fn other(&mut self, target: &Macro, domain: &str) -> Result<Frame, End> {
        self.term()?;
        let target = self.expand(target, domain).await;
        let record = self.record(&target).await?.ok_or(End::Permanent)?;
        Ok(Frame::new(record, target))
    }

    /// RFC 7208 §4.4, §4.5.
    async fn record(&mut self, domain: &str) -> Result<Option<Spf>, End> {
        let found = self.ask(domain, Kind::Txt).await;
        self.is_void = false;
        let found = found?;
        let mut records = found.iter().filter_map(|record| match record {
            Record::Txt(text) if is_spf(text) => Some(text),
            _ => None,
        });
        match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(End::Permanent),
            (Some(text), None) => Spf::parse(text).map(Some).map_err(|_| End::Permanent),
        }
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, End> {
        let matches = match (mechanism, self.sender.peer) {
            (Mechanism::All, _) => true,
            (Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. }, peer) => is_in_network(mechanism, peer),
            (Mechanism::A { macro_string, .. }, peer) => {
                self.term()?;
                let target = self.expand(macro_string, domain).await;
                let addresses = self.addresses(&target).await?;
                addresses.into_iter().any(|address| is_near(mechanism, peer, address))
            }
            (Mechanism::Mx { macro_string, .. }, peer) => {
                self.term()?;
                let target = self.expand(macro_string, domain).await;
                self.is_exchanger(mechanism, &target, peer).await?
            }
            (Mechanism::Ptr { macro_string }, _) => {
                self.term()?;
                let target = self.expand(macro_string, domain).await.to_lowercase();
                let names = self.client_names().await;
                names.iter().any(|name| is_at_or_below(name, &target))
            }
            (Mechanism::Exists { macro_string }, _) => {
                self.term()?;
                let target = self.expand(macro_string, domain).await;
                // RFC 7208 §5.7: of this kind, whatever the client's is.
                !self.ask(&target, Kind::A).await?.is_empty()
            }
            (Mechanism::Include { .. }, _) => false,
        };
        if std::mem::take(&mut self.is_void) && !matches {
            self.voids += 1;
            if self.voids > VOIDS_MAX {
                return Err(End::Permanent);
            }
        }
        Ok(matches)
    }

    /// RFC 7208 §5.4.
    async fn is_exchanger(
        &mut self,
        mechanism: &Mechanism,
        domain: &str,
        peer: IpAddr,
    ) -> Result<bool, End> {
        let exchangers = self.ask(domain, Kind::Mx).await?;
        for (at, record) in exchangers.into_iter().enumerate() {
            if at == NAMES_MAX {
                return Err(End::Permanent);
            }
            let Record::Mx(mx) = record else { continue };
            let addresses = self.addresses(&mx.exchange).await?;
            if addresses.into_iter().any(|address| is_near(mechanism, peer, address)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those of the client's kind.
    async fn addresses(&mut self, name: &str) -> Result<Vec<IpAddr>, End> {
        let kind = if self.sender.peer.is_ipv4() { Kind::A } else { Kind::Aaaa };
        let records = self.ask(name, kind).await?;
        let addresses = records.into_iter().filter_map(|record| match record {
            Record::A(address) => Some(address.into()),
            Record::Aaaa(address) => Some(address.into()),
            _ => None,
        });
        Ok(addresses.collect())
    }

    /// RFC 7208 §5.5: the names of the client whose addresses include its own. What cannot be looked up is passed over.
    async fn client_names(&mut self) -> Vec<String> {
        let peer = self.sender.peer;
        let mut names = Vec::new();
        let found = self.ask(&reverse_name(peer), Kind::Ptr).await.unwrap_or_default();
        for record in found.into_iter().take(NAMES_MAX) {
            let Record::Ptr(name) = record else { continue };
            if self.addresses(&name).await.is_ok_and(|addresses| addresses.contains(&peer)) {
                names.push(name.to_lowercase());
            }
        }
        names
    }

    /// RFC 7208 §7.3, of `%{p}`.
    async fn client_name(&mut self, domain: &str) -> String {
        let (names, domain) = (self.client_names().await, domain.to_lowercase());
        let same = names.iter().find(|name| **name == domain);
        let below = || names.iter().find(|name| is_at_or_below(name, &domain));
        let name = same.or_else(below).or(names.first());
        name.map_or_else(|| "unknown".to_owned(), Clone::clone)
    }

    /// RFC 7208 §7.
    async fn expand(&mut self, text: &Macro, domain: &str) -> String {
        let name = match text.needs_ptr() {
            true => self.client_name(domain).await,
            false => String::new(),
        };
        let Sender { peer, helo, path, host_name } = self.sender;
        // RFC 7208 §2.4: who HELO names is its postmaster.
        let sender = match path.is_empty() {
            true => format!("postmaster@{helo}"),
            false => (*path).to_owned(),
        };
        let mut variables = Variables::new();
        variables.set_ip(peer);
        variables.set_sender(sender.as_bytes());
        variables.set_domain(domain.as_bytes());
        variables.set_helo_domain(helo.as_bytes());
        variables.set_host_domain(host_name.as_bytes());
        variables.set_validated_domain(name.as_bytes());
        let expanded = text.eval(&variables, domain, false);
        let expanded = expanded.strip_suffix('.').unwrap_or(&expanded);
        within_length(expanded).to_owned()
    }

    /// A term that asks DNS begins.
    fn term(&mut self) -> Result<(), End> {
        self.terms += 1;
        if self.terms > TERMS_MAX { Err(End::Permanent) } else { Ok(()) }
    }

    async fn ask(&mut self, name: &str, kind: Kind) -> Result<Vec<Record>, End> {
        // RFC 7208 §4.8: what is no name has nothing, and nobody is asked for it.
        if !is_name(name) {
            return Ok(Vec::new());
        }
        // No temporary failure: the same message would be as greedy the next time.
        if !self.budget.spend() {
            return Err(End::Permanent);
        }
        match self.names.look_up(name, kind).await {
            Ok(answer) => Ok(answer.records),
            Err(NoAnswer::NoName | NoAnswer::NoRecords) => {
                self.is_void = true;
                Ok(Vec::new())
            }
            Err(NoAnswer::Temporary(_)) => Err(End::Temporary),
        }
    }
}

/// RFC 7208 §4.5: what begins with the version, and nothing that goes on after it.
pub(crate) fn is_spf(text: &[u8]) -> bool {
    const VERSION: &[u8] = b"v=spf1";
    let version = text.get(..VERSION.len());
    version.is_some_and(|version| version.eq_ignore_ascii_case(VERSION))
        && text.get(VERSION.len()).is_none_or(|next| *next == b' ')
}

/// RFC 7208 §4.3: two labels at least, of 1 to 63 octets.
fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= NAME_MAX
        && name.contains('.')
        && name.split('.').all(|label| (1..=LABEL_MAX).contains(&label.len()))
}

/// RFC 7208 §7.3: labels are taken from the left until it is short enough.
fn within_length(mut name: &str) -> &str {
    while name.len() > NAME_MAX {
        let Some((_, rest)) = name.split_once('.') else { return "" };
        name = rest;
    }
    name
}

fn is_at_or_below(name: &str, domain: &str) -> bool {
    let above = name.strip_suffix(domain);
    above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// RFC 7208 §5.6.
fn is_in_network(mechanism: &Mechanism, peer: IpAddr) -> bool {
    match (mechanism, peer) {
        (Mechanism::Ip4 { addr, mask }, IpAddr::V4(peer)) => {
            peer.to_bits() & mask == addr.to_bits() & mask
        }
        (Mechanism::Ip6 { addr, mask }, IpAddr::V6(peer)) => {
            peer.to_bits() & mask == addr.to_bits() & mask
        }
        _ => false,
    }
}

/// RFC 7208 §5.3, §5.4: whether the client is in the network of this address that the mechanism means.
fn is_near(mechanism: &Mechanism, peer: IpAddr, address: IpAddr) -> bool {
    let (Mechanism::A { ip4_mask, ip6_mask, .. } | Mechanism::Mx { ip4_mask, ip6_mask, .. }) =
        mechanism
    else {
        return false;
    };
    match (peer, address) {
        (IpAddr::V4(peer), IpAddr::V4(address)) => {
            peer.to_bits() & ip4_mask == address.to_bits() & ip4_mask
        }
        (IpAddr::V6(peer), IpAddr::V6(address)) => {
            peer.to_bits() & ip6_mask == address.to_bits() & ip6_mask
        }
        _ => false,
    }
}

/// RFC 1035 §3.5, RFC 3596 §2.5.
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = (0..32).map(|at| format!("{:x}.", (address.to_bits() >> (at * 4)) & 15));
            format!("{}ip6.arpa", nibbles.collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_names() {
        let name = |text: &str| reverse_name(text.parse().expect("an address"));
        assert_eq!(name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        let ones = format!("1.{}8.b.d.0.1.0.0.2.ip6.arpa", "0.".repeat(23));
        assert_eq!(name("2001:db8::1"), ones);
    }

    #[test]
    fn names_are_made_short_from_the_left() {
        let long = format!("{}example.org", "abcdefghi.".repeat(25));
        assert_eq!(long.len(), 261);
        assert_eq!(within_length(&long), &long[10..]);
        assert_eq!(within_length(&"a".repeat(254)), "");
    }

    #[test]
    fn a_record_begins_with_its_version() {
        for good in ["v=spf1", "v=spf1 -all", "V=SPF1 -all"] {
            assert!(is_spf(good.as_bytes()), "{good}");
        }
        for bad in ["v=spf10 -all", "v=spf1-all", "v=spf", " v=spf1 -all", "spf2.0/pra -all"] {
            assert!(!is_spf(bad.as_bytes()), "{bad}");
        }
    }
}
