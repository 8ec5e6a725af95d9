//! The list of faults: what matches is counted, what strikes is decided, from time as given and from the seed.

use std::collections::{BTreeMap, VecDeque};

use pillarbox_engine::types::Instead;

use super::clock::DAY_MS;
use super::pattern::Pattern;
use super::rule::{Action, DnsLie, Place, Point, Rule, When};
use super::watch::{Peer, Stage};

/// Rules at once: a test has a handful, and every moment looks at all of them.
pub const RULES_MAX: usize = 256;
/// Clients, senders and recipients that one greylist remembers; the oldest is forgotten.
const GREYLISTED_MAX: usize = 4096;
/// A delay that several rules make together.
const DELAY_MAX_MS: u64 = DAY_MS;

/// The faults of one server or world.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    seed: u64,
    last: u64,
    /// Whether the host asks at `Stage::Open`: then `down` strikes there and nowhere else.
    network: bool,
    rules: Vec<Counted>,
}

/// A rule with what it has counted.
#[derive(Clone, Debug)]
struct Counted {
    number: u64,
    rule: Rule,
    /// Whose rule it is, for whoever replaces some and leaves others.
    owner: &'static str,
    matches: u64,
    hits: u64,
    /// When the last matches were, for `over`.
    recent: VecDeque<u64>,
    greylisted: Greylist,
}

/// A rule as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number; never used again.
    pub number: u64,
    /// The rule.
    pub rule: Rule,
    /// Who added it.
    pub owner: &'static str,
    /// Moments that were as it says, its count, chance and rate aside.
    pub matches: u64,
    /// How often it struck.
    pub hits: u64,
}

/// A moment, as a rule judges it.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The connection.
    pub peer: &'a Peer,
    /// Where its session stands.
    pub stage: Stage<'a>,
    /// The reverse path, if one is known.
    pub sender: Option<&'a [u8]>,
    /// Recipients.
    pub recipients: &'a [Vec<u8>],
    /// For rates and greylists.
    pub monotonic_ms: u64,
    /// For times of day.
    pub unix_ms: u64,
}

/// A rule that struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// Its number.
    pub number: u64,
    /// Its text.
    pub rule: String,
}

/// All that goes wrong at one moment, in the order of the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The rules that struck, at least one.
    pub strikes: Vec<Strike>,
    /// Before all else, wait so long.
    pub delay_ms: u64,
    /// From here on so many octets a second.
    pub octets_per_s: Option<u64>,
    /// From here on pieces of so many octets.
    pub piece_octets: Option<u32>,
    /// Of the octets sent from here on, flip these, counted from 1.
    pub corrupt: Vec<u64>,
    /// From here on lines end with LF alone.
    pub lf_only: bool,
    /// EHLO keywords to hide.
    pub hidden: Vec<Vec<u8>>,
    /// From here on octets lose their highest bit.
    pub seven_bit: bool,
    /// From here on somebody listens.
    pub tapped: bool,
    /// The mailbox that is opened gets another UIDVALIDITY first.
    pub renews: bool,
    /// What DNS says in place of the truth.
    pub lie: Option<DnsLie>,
    /// What becomes of it in the end; rules behind one that ends it are not looked at.
    pub verdict: Verdict,
}

/// What becomes of a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// What would have been.
    #[default]
    GoOn,
    /// These words.
    Instead(Instead),
    /// The connection is cut.
    Drop,
}

impl Faults {
    /// No faults yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// No faults yet, of a host that can refuse connections before anybody takes them.
    #[must_use]
    pub fn of_network(seed: u64) -> Self {
        Self { network: true, ..Self::new(seed) }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule waits for octets with a label, so that sessions have to say what octets are.
    #[must_use]
    pub fn hear_labels(&self) -> bool {
        self.rules.iter().any(|counted| matches!(counted.rule.when.point, Point::Label(_)))
    }

    /// Begins anew: with this seed, no rules, and numbers from 1.
    pub fn clear(&mut self, seed: u64) {
        *self = Self { network: self.network, ..Self::new(seed) };
    }

    /// Adds a rule behind the others and gives its number; none if there are as many as there may be.
    pub fn add(&mut self, rule: Rule, owner: &'static str) -> Option<u64> {
        if self.rules.len() >= RULES_MAX {
            return None;
        }
        self.last += 1;
        self.rules.push(Counted {
            number: self.last,
            rule,
            owner,
            matches: 0,
            hits: 0,
            recent: VecDeque::new(),
            greylisted: Greylist::default(),
        });
        Some(self.last)
    }

    /// Removes a rule; false if there is none of this number.
    pub fn remove(&mut self, number: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|counted| counted.number != number);
        self.rules.len() < before
    }

    /// Removes the rules of one owner.
    pub fn remove_of(&mut self, owner: &str) {
        self.rules.retain(|counted| counted.owner != owner);
    }

    /// The rules in their order.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let listed = |counted: &Counted| {
            let Counted { number, rule, owner, matches, hits, .. } = counted;
            Listed { number: *number, rule: rule.clone(), owner, matches: *matches, hits: *hits }
        };
        self.rules.iter().map(listed).collect()
    }

    /// How fast a host's clock is at this moment, in milliseconds; negative if it is slow.
    #[must_use]
    pub fn skew_ms(&self, node: &str, unix_ms: u64) -> i64 {
        let is_there = |place: &Place| match place {
            Place::Any => true,
            Place::Node(name) => name.eq_ignore_ascii_case(node),
            _ => false,
        };
        let skews = self.rules.iter().filter_map(|counted| match &counted.rule {
            Rule { place, when, action: Action::Clock(ms) } if is_there(place) => {
                is_at_time(when, unix_ms % DAY_MS).then_some(*ms)
            }
            _ => None,
        });
        skews.fold(0, i64::saturating_add)
    }

    /// What goes wrong at this moment; none if nothing does.
    pub fn decide(&mut self, moment: &Moment<'_>) -> Option<Decision> {
        let mut decision = Decision::default();
        for counted in &mut self.rules {
            if decision.verdict != Verdict::GoOn {
                break;
            }
            let met = match (moment.stage, &counted.rule.action) {
                (Stage::Open, action) => matches!(action, Action::Down),
                (Stage::Dns, action) => matches!(action, Action::Dns(_)),
                (_, Action::Down) => !self.network,
                (_, action) => self.network || !action.needs_world(),
            };
            if !met {
                continue;
            }
            counted.meet(self.seed, moment, &mut decision);
        }
        (!decision.strikes.is_empty()).then_some(decision)
    }
}

impl Counted {
    fn meet(&mut self, seed: u64, moment: &Moment<'_>, decision: &mut Decision) {
        let Rule { place, when, action } = &self.rule;
        if !(is_at(place, moment.peer) && is_when(when, moment)) {
            return;
        }
        self.matches += 1;
        if when.nth.is_some_and(|span| !span.has(self.matches)) {
            return;
        }
        if let Some((count, per_ms)) = when.over
            && !is_over(&mut self.recent, count, per_ms, moment.monotonic_ms)
        {
            return;
        }
        if when.probability_ppm.is_some_and(|ppm| draw(seed, self.number, self.matches) >= ppm) {
            return;
        }
        if let Action::Greylist(ms) = action
            && !self.greylisted.puts_off(moment, *ms)
        {
            return;
        }
        self.hits += 1;
        decision.strikes.push(Strike { number: self.number, rule: self.rule.to_string() });
        apply(action, moment, decision);
    }
}

fn apply(action: &Action, moment: &Moment<'_>, decision: &mut Decision) {
    let instead = |code: u16, text: &str, close: bool| {
        Verdict::Instead(Instead { code, text: text.as_bytes().to_vec(), close })
    };
    let reader = matches!(moment.peer.service, "pop3" | "imap");
    let web = moment.peer.service == "http";
    match action {
        Action::Down | Action::Drop => decision.verdict = Verdict::Drop,
        // RFC 9110 §15.6.4, RFC 4918 §11.5.
        Action::Refuse if web => decision.verdict = instead(503, "Not available on purpose", true),
        Action::Full if web => decision.verdict = instead(507, "Mailbox full", false),
        Action::Refuse if reader => {
            decision.verdict = instead(421, "Not available on purpose", true);
        }
        Action::Refuse => {
            decision.verdict = instead(421, "4.3.2 Not available on purpose", true);
        }
        Action::Delay(ms) => {
            decision.delay_ms = decision.delay_ms.saturating_add(*ms).min(DELAY_MAX_MS);
        }
        // RFC 5321 §3.8: a server that says 421 closes.
        Action::Reply(code, text) => decision.verdict = instead(*code, text, *code == 421),
        Action::Rate(octets) => {
            let least = decision.octets_per_s.map_or(*octets, |other| other.min(*octets));
            decision.octets_per_s = Some(least);
        }
        Action::Chunk(octets) => {
            let least = decision.piece_octets.map_or(*octets, |other| other.min(*octets));
            decision.piece_octets = Some(least);
        }
        Action::Corrupt(octet) => decision.corrupt.push(*octet),
        Action::LfOnly => decision.lf_only = true,
        // RFC 3463 §3.3: its owner can make room, so it is temporary.
        Action::Full if reader => {
            decision.verdict = instead(452, "[OVERQUOTA] Mailbox full", false)
        }
        Action::Full => decision.verdict = instead(452, "4.2.2 Mailbox full, try later", false),
        Action::Greylist(_) => {
            decision.verdict = instead(451, "4.7.1 Greylisted, try again later", false);
        }
        Action::UidValidity => decision.renews = true,
        Action::StripEighth => decision.seven_bit = true,
        Action::Tap => decision.tapped = true,
        // Whoever connects meets it; what the clock says is asked of [`Faults::skew_ms`].
        Action::Clock(_) => {}
        Action::Dns(lie) => decision.lie = decision.lie.or(Some(*lie)),
        Action::Hide(words) => {
            decision.hidden.extend(words.iter().map(|word| word.clone().into_bytes()));
        }
    }
}

fn is_at(place: &Place, peer: &Peer) -> bool {
    match place {
        Place::Any => true,
        Place::Service(service) => service == peer.service,
        Place::Node(name) => name.eq_ignore_ascii_case(&peer.node),
        Place::Wire(number) => *number == peer.wire,
        Place::Link(one, other) => peer
            .link
            .as_ref()
            .is_some_and(|(a, b)| (one == a && other == b) || (one == b && other == a)),
    }
}

fn is_when(when: &When, moment: &Moment<'_>) -> bool {
    let at_point = match (&when.point, moment.stage) {
        (Point::Connect, Stage::Connect | Stage::Open | Stage::Dns)
        | (Point::AnyVerb, Stage::Verb(_))
        | (Point::Login, Stage::Login)
        | (Point::EndOfData, Stage::EndOfData)
        | (Point::Commit, Stage::Commit) => true,
        (Point::Verb(verb), Stage::Verb(own)) => verb.as_bytes() == own,
        (Point::Label(label), Stage::Label(own)) => *label == own,
        (Point::Octet(number), Stage::Text(before, after)) => before < *number && *number <= after,
        _ => false,
    };
    let matches_sender = |pattern: &Pattern| moment.sender.is_some_and(|own| pattern.matches(own));
    let matches_to = |pattern: &Pattern| moment.recipients.iter().any(|own| pattern.matches(own));
    at_point
        && when.sender.as_ref().is_none_or(matches_sender)
        && when.to.as_ref().is_none_or(matches_to)
        && is_at_time(when, moment.unix_ms % DAY_MS)
}

fn is_at_time(when: &When, now_ms: u64) -> bool {
    match (when.from_ms, when.until_ms) {
        (Some(from), Some(until)) if from > until => now_ms >= from || now_ms < until,
        (from, until) => {
            from.is_none_or(|from| now_ms >= from) && until.is_none_or(|until| now_ms < until)
        }
    }
}

/// Counts this match, and says whether it is one too many of the last `per_ms`.
fn is_over(recent: &mut VecDeque<u64>, count: u32, per_ms: u64, now_ms: u64) -> bool {
    while recent.front().is_some_and(|at| now_ms.saturating_sub(*at) >= per_ms) {
        recent.pop_front();
    }
    // One that is too many takes no place: who waits gets through again.
    if recent.len() >= count as usize {
        return true;
    }
    recent.push_back(now_ms);
    false
}

/// The number from 0 to 999,999 that the seed gives a rule's match; the same whatever else happens.
fn draw(seed: u64, rule: u64, matches: u64) -> u32 {
    let mut mixed = seed;
    for word in [rule, matches] {
        // SplitMix64's step: each bit of what goes in moves every bit of what comes out.
        mixed = mixed.wrapping_add(word.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    (mixed % 1_000_000) as u32
}

/// Who came when for the first time.
#[derive(Clone, Debug, Default)]
struct Greylist {
    first_ms: BTreeMap<Vec<u8>, u64>,
    /// In the order in which they came.
    order: VecDeque<Vec<u8>>,
}

impl Greylist {
    /// Whether this client, sender and recipient must come again later.
    fn puts_off(&mut self, moment: &Moment<'_>, ms: u64) -> bool {
        let sender = moment.sender.unwrap_or_default();
        let to = moment.recipients.first().map(Vec::as_slice).unwrap_or_default();
        let key = [&moment.peer.address, sender, to].join(&0).to_ascii_lowercase();
        if let Some(first_ms) = self.first_ms.get(&key) {
            return moment.monotonic_ms.saturating_sub(*first_ms) < ms;
        }
        if self.order.len() >= GREYLISTED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.first_ms.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.first_ms.insert(key, moment.monotonic_ms);
        true
    }
}
