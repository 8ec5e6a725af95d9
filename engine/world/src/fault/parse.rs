//! The text form of faults, one a line. What is wrong is told with the name of the field that it is in.

use std::fmt;
use std::str::FromStr;

use pillarbox_engine::trace::{IMAP_LABELS, POP3_LABELS, SMTP_LABELS};

use super::clock::{DAY_MS, duration_ms, time_of_day_ms};
use super::pattern::Pattern;
use super::rule::{Action, DnsLie, Place, Point, Rule, Span, WEB_VERBS, When};

/// Octets of one rule's text.
const TEXT_MAX: usize = 2048;
/// Octets of a reply's text: what a session takes for one line.
const REPLY_TEXT_MAX: usize = 200;
/// Matches that `over` counts; it keeps the time of each.
const OVER_MAX: u32 = 10_000;
/// Keywords that one rule hides.
const HIDDEN_MAX: usize = 32;
/// Octets a second, octets a piece, and numbers of octets: whatever fits, from 1.
const NUMBER: &str = "expected a whole number from 1";

const SMTP_VERBS: [&str; 14] = [
    "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "VRFY", "EXPN", "HELP", "STARTTLS",
    "QUIT", "ETRN", "XCLIENT",
];
const POP3_VERBS: [&str; 16] = [
    "USER", "PASS", "APOP", "AUTH", "CAPA", "STLS", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE",
    "NOOP", "RSET", "QUIT", "UTF8",
];
const IMAP_VERBS: [&str; 32] = [
    "CAPABILITY",
    "NOOP",
    "LOGOUT",
    "STARTTLS",
    "LOGIN",
    "AUTHENTICATE",
    "ENABLE",
    "ID",
    "NAMESPACE",
    "SELECT",
    "EXAMINE",
    "CREATE",
    "DELETE",
    "RENAME",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "LIST",
    "LSUB",
    "STATUS",
    "APPEND",
    "IDLE",
    "CHECK",
    "CLOSE",
    "UNSELECT",
    "EXPUNGE",
    "SEARCH",
    "FETCH",
    "STORE",
    "COPY",
    "MOVE",
    "SORT",
    "THREAD",
];
/// Labels that clients and probes alone give what they read: no server's session says them.
const NOT_OF_SMTP: [&str; 5] = ["argument", "cancellation", "challenge", "message", "probe"];
const NOT_OF_IMAP: [&str; 3] = ["cancellation", "response", "secret"];
/// Moments that are no label's.
const MOMENTS: [&str; 4] = ["connect", "login", "end-of-data", "commit"];
/// How wrong a clock is at most: enough for a certificate to have ended.
const CLOCK_MAX_MS: i64 = 366 * DAY_MS as i64;
const SERVICES: [&str; 6] = ["smtp", "submission", "lmtp", "pop3", "imap", "http"];

/// What is wrong with a rule, and in which field: `where`, `when`, `what`, or the name of a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field.
    pub field: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl Problem {
    /// A problem of a field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Rules of a file, one a line; lines that begin with `#` are remarks, and `seed=7` sets the seed.
///
/// # Errors
/// The number of the line and what is wrong with it.
pub fn parse_file(text: &str) -> Result<(Option<u64>, Vec<Rule>), (usize, Problem)> {
    let (mut seed, mut rules) = (None, Vec::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(number) = line.strip_prefix("seed=") {
            let wrong = |_| (at + 1, Problem::new("seed", "expected a whole number"));
            seed = Some(number.parse().map_err(wrong)?);
            continue;
        }
        rules.push(line.parse().map_err(|problem| (at + 1, problem))?);
    }
    Ok((seed, rules))
}

impl FromStr for Rule {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.len() > TEXT_MAX {
            return Err(Problem::new("rule", format!("longer than {TEXT_MAX} octets")));
        }
        let mut parts = text.trim().splitn(3, '/');
        let (place, when, what) = (parts.next(), parts.next(), parts.next());
        let (Some(place), Some(when), Some(what)) = (place, when, what) else {
            let example = "any/verb=RCPT,nth=1/reply=451 4.7.1 later";
            return Err(Problem::new(
                "rule",
                format!("expected where/when/what, such as {example}"),
            ));
        };
        let (place, action) = (parse_place(place)?, parse_action(what)?);
        let (point, mut when) = parse_when(when)?;
        when.point = point.unwrap_or_else(|| implied(&when, &action));
        let rule = Self { place, when, action };
        rule.check()?;
        Ok(rule)
    }
}

fn parse_place(text: &str) -> Result<Place, Problem> {
    let wrong = |message: &str| Problem::new("where", message);
    let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
    if text == "any" {
        return Ok(Place::Any);
    }
    if SERVICES.contains(&text) {
        return Ok(Place::Service(text.to_owned()));
    }
    match text.split_once(':') {
        Some(("node", name)) => {
            named(name).map(Place::Node).ok_or_else(|| wrong("expected a name behind node:"))
        }
        Some(("link", names)) => {
            let pair = names.split_once('~').and_then(|(a, b)| Some((named(a)?, named(b)?)));
            let (one, other) = pair.ok_or_else(|| wrong("expected link:one~other"))?;
            Ok(Place::Link(one, other))
        }
        Some(("wire", number)) => {
            let number = number.parse().map_err(|_| wrong("expected a number behind wire:"))?;
            Ok(Place::Wire(number))
        }
        _ => Err(wrong(&format!(
            "`{text}` is none of any, {}, node:NAME, link:ONE~OTHER, wire:NUMBER",
            SERVICES.join(", ")
        ))),
    }
}

fn parse_when(text: &str) -> Result<(Option<Point>, When), Problem> {
    let mut when = When {
        point: Point::Connect,
        sender: None,
        to: None,
        nth: None,
        probability_ppm: None,
        over: None,
        from_ms: None,
        until_ms: None,
    };
    let mut point = None;
    let mut seen: Vec<&str> = Vec::new();
    for clause in text.split(',').filter(|_| text != "always") {
        let Some((name, value)) = clause.split_once('=') else {
            let message = format!("`{clause}` is neither `always` nor name=value");
            return Err(Problem::new("when", message));
        };
        // Three names for one thing: the moment.
        let kind = if matches!(name, "verb" | "after" | "octet") { "moment" } else { name };
        if seen.contains(&kind) {
            return Err(Problem::new(name, "one rule has one moment, and each clause once"));
        }
        seen.push(kind);
        let pattern = || {
            Pattern::new(value)
                .ok_or_else(|| Problem::new(name, "expected a pattern such as *@crepes.fr"))
        };
        let time = || {
            time_of_day_ms(value)
                .ok_or_else(|| Problem::new(name, "expected a time of day such as 09:50 (UTC)"))
        };
        match name {
            "verb" => point = Some(parse_verb(value)?),
            "after" => point = Some(parse_after(value)?),
            "octet" => point = Some(Point::Octet(positive(name, value)?)),
            "sender" => when.sender = Some(pattern()?),
            "to" => when.to = Some(pattern()?),
            "nth" => when.nth = Some(parse_span(value)?),
            "p" => when.probability_ppm = Some(parse_probability(value)?),
            "over" => when.over = Some(parse_over(value)?),
            "from" => when.from_ms = Some(time()?),
            "until" => when.until_ms = Some(time()?),
            _ => {
                let message = "no such clause; there are verb, after, octet, sender, to, nth, p, over, from, until";
                return Err(Problem::new(name, message));
            }
        }
    }
    Ok((point, when))
}

fn parse_verb(value: &str) -> Result<Point, Problem> {
    if value.eq_ignore_ascii_case("any") {
        return Ok(Point::AnyVerb);
    }
    let verb = value.to_ascii_uppercase();
    let verb = match verb.as_str() {
        "HELO" | "LHLO" => "EHLO",
        "BDAT" => "DATA",
        other => other,
    };
    let known = [&SMTP_VERBS[..], &POP3_VERBS, &IMAP_VERBS, &WEB_VERBS].concat();
    if !known.contains(&verb) {
        let message =
            format!("`{value}` is no command; of SMTP there are {}", SMTP_VERBS.join(", "));
        return Err(Problem::new("verb", message));
    }
    Ok(Point::Verb(verb.to_owned()))
}

fn parse_after(value: &str) -> Result<Point, Problem> {
    match value {
        "connect" => Ok(Point::Connect),
        "login" => Ok(Point::Login),
        "end-of-data" => Ok(Point::EndOfData),
        "commit" => Ok(Point::Commit),
        _ => {
            let labels = || labels("smtp").chain(labels("pop3")).chain(labels("imap"));
            let label = labels().find(|label| Point::word(label) == value);
            label.map(Point::Label).ok_or_else(|| {
                let words = labels().map(Point::word);
                let all = MOMENTS.iter().map(|word| (*word).to_owned()).chain(words);
                let nearest = all.min_by_key(|word| distance(word, value));
                let message = format!(
                    "`{value}` is no moment and no label of octets; did you mean `{}`? Moments are {}",
                    nearest.unwrap_or_default(),
                    MOMENTS.join(", "),
                );
                Problem::new("after", message)
            })
        }
    }
}

/// The labels that a server of this kind gives octets.
fn labels(service: &str) -> impl Iterator<Item = &'static str> {
    let (all, others): (&[&'static str], &[&str]) = match service {
        "pop3" => (POP3_LABELS, &[]),
        "imap" => (IMAP_LABELS, &NOT_OF_IMAP),
        "http" => (&[], &[]),
        _ => (SMTP_LABELS, &NOT_OF_SMTP),
    };
    all.iter().copied().filter(move |label| !others.contains(label))
}

/// How many octets have to be put in, taken out or changed to make one word of the other; of long words their beginnings count.
fn distance(one: &str, other: &str) -> usize {
    let other = &other.as_bytes()[..other.len().min(64)];
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, octet) in one.bytes().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (column, own) in other.iter().enumerate() {
            let changed = before + usize::from(*own != octet);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

fn positive<N: FromStr + PartialOrd + From<u8>>(name: &str, value: &str) -> Result<N, Problem> {
    let number: Option<N> = value.parse().ok().filter(|number| *number >= N::from(1));
    number.ok_or_else(|| Problem::new(name, NUMBER))
}

fn parse_span(value: &str) -> Result<Span, Problem> {
    let wrong =
        || Problem::new("nth", "expected a number or a range from 1, such as 3, 1..2 or 2..");
    let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number >= 1);
    let span = match value.split_once("..") {
        None => number(value).map(|only| Span { first: only, last: Some(only) }),
        Some((first, "")) => number(first).map(|first| Span { first, last: None }),
        Some(("", last)) => number(last).map(|last| Span { first: 1, last: Some(last) }),
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Some(Span { first, last: Some(last) }),
            _ => None,
        },
    };
    span.ok_or_else(wrong)
}

fn parse_probability(value: &str) -> Result<u32, Problem> {
    let expected = "expected a probability from 0 to 1, such as 0.25";
    millionths(value).filter(|ppm| *ppm <= 1_000_000).ok_or_else(|| Problem::new("p", expected))
}

/// A decimal number below ten, rounded to millionths. The standard library's floating point would bring tables that are
/// larger than this module.
fn millionths(value: &str) -> Option<u32> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_number = |digits: &str| digits.bytes().all(|octet| octet.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0').bytes().map(|digit| u32::from(digit - b'0'));
    let whole = whole.take(2).fold(0, |number, digit| 10 * number + digit);
    let digit = |at| fraction.as_bytes().get(at).map_or(0, |digit| u32::from(digit - b'0'));
    let ppm = (0..6).fold(whole.min(9), |number, at| 10 * number + digit(at));
    Some(ppm + u32::from(digit(6) >= 5))
}

fn parse_over(value: &str) -> Result<(u32, u64), Problem> {
    let parts = value.split_once("per").and_then(|(count, duration)| {
        let count = count.parse().ok().filter(|count| *count <= OVER_MAX)?;
        let per_ms = duration_ms(duration).filter(|ms| *ms >= 1)?;
        Some((count, per_ms))
    });
    let expected = format!("expected a count up to {OVER_MAX} and a duration, such as 10per1m");
    parts.ok_or_else(|| Problem::new("over", expected))
}

fn parse_action(text: &str) -> Result<Action, Problem> {
    let (name, value) =
        text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let value = value.map(str::trim);
    let duration = |value: &str| {
        duration_ms(value).filter(|ms| *ms <= DAY_MS).ok_or_else(|| {
            Problem::new(name, "expected a duration up to 1d, such as 500ms, 30s or 5m")
        })
    };
    match (name, value) {
        ("down", None) => Ok(Action::Down),
        ("refuse", None) => Ok(Action::Refuse),
        ("drop", None) => Ok(Action::Drop),
        ("lf-only", None) => Ok(Action::LfOnly),
        ("full", None) => Ok(Action::Full),
        ("uidvalidity", None) => Ok(Action::UidValidity),
        ("strip8", None) => Ok(Action::StripEighth),
        ("tap", None) => Ok(Action::Tap),
        ("clock", Some(value)) => {
            let (slow, text) = match value.strip_prefix('-') {
                Some(text) => (true, text),
                None => (false, value.strip_prefix('+').unwrap_or(value)),
            };
            let ms = duration_ms(text).and_then(|ms| i64::try_from(ms).ok());
            let ms = ms.filter(|ms| *ms <= CLOCK_MAX_MS).ok_or_else(|| {
                Problem::new(
                    "clock",
                    "expected how fast the clock is, up to 366d, such as 3h or -20m",
                )
            })?;
            Ok(Action::Clock(if slow { -ms } else { ms }))
        }
        ("dns", Some(value)) => {
            let lie = DnsLie::WORDS.iter().find(|(word, _)| *word == value);
            let expected = "expected nomx, nullmx, nxdomain or servfail";
            lie.map(|(_, lie)| Action::Dns(*lie)).ok_or_else(|| Problem::new("dns", expected))
        }
        ("strip-starttls", None) => Ok(Action::Hide(vec!["STARTTLS".to_owned()])),
        ("delay", Some(value)) => Ok(Action::Delay(duration(value)?)),
        ("greylist", Some(value)) => Ok(Action::Greylist(duration(value)?)),
        ("rate", Some(value)) => Ok(Action::Rate(positive(name, value)?)),
        ("chunk", Some(value)) => Ok(Action::Chunk(positive(name, value)?)),
        ("corrupt", Some(value)) => Ok(Action::Corrupt(positive(name, value)?)),
        ("hide", Some(value)) => parse_hidden(value),
        ("reply", Some(value)) => parse_reply(value),
        _ => Err(Problem::new(
            "what",
            format!(
                "`{text}` is none of down, refuse, drop, delay=DURATION, reply=CODE TEXT, rate=OCTETS, \
                 chunk=OCTETS, corrupt=OCTET, lf-only, full, uidvalidity, greylist=DURATION, hide=KEYWORD, strip-starttls, strip8, dns=LIE, \
                 tap, clock=DURATION"
            ),
        )),
    }
}

fn parse_hidden(value: &str) -> Result<Action, Problem> {
    let words: Vec<String> =
        value.split(',').map(|word| word.trim().to_ascii_uppercase()).collect();
    let is_keyword = |word: &String| {
        (1..=64).contains(&word.len())
            && word.bytes().all(|o| o.is_ascii_alphanumeric() || o == b'-')
    };
    if words.len() > HIDDEN_MAX || !words.iter().all(is_keyword) {
        return Err(Problem::new("hide", "expected EHLO keywords, such as PIPELINING,SIZE"));
    }
    Ok(Action::Hide(words))
}

fn parse_reply(value: &str) -> Result<Action, Problem> {
    let (code, text) = value.split_once(' ').unwrap_or((value, "Fault on purpose"));
    let number: Option<u16> = code.parse().ok().filter(|code| (400..600).contains(code));
    let Some(number) = number else {
        let message = "expected a code from 400 to 599 and a text, such as 451 4.7.1 later: \
                       a fault refuses, it never claims what was not done";
        return Err(Problem::new("reply", message));
    };
    let text = text.trim();
    let printable = text.bytes().all(|octet| (b' '..=b'~').contains(&octet));
    if text.is_empty() || text.len() > REPLY_TEXT_MAX || !printable {
        let message = format!("expected a text of 1 to {REPLY_TEXT_MAX} printable octets of ASCII");
        return Err(Problem::new("reply", message));
    }
    Ok(Action::Reply(number, text.to_owned()))
}

/// The moment of a rule that names none.
fn implied(when: &When, action: &Action) -> Point {
    let verb = match action {
        Action::Hide(_) => "EHLO",
        Action::Greylist(_) | Action::Full => "RCPT",
        Action::UidValidity => "SELECT",
        _ if when.to.is_some() => "RCPT",
        _ if when.sender.is_some() => "MAIL",
        _ => return Point::Connect,
    };
    Point::Verb(verb.to_owned())
}

impl Rule {
    /// Refuses what could never strike, so that a test does not pass because of a slip.
    fn check(&self) -> Result<(), Problem> {
        let Self { place, when, action } = self;
        let is_verb = |verb: &str| matches!(&when.point, Point::Verb(own) if own == verb);
        let early = is_verb("EHLO")
            || is_verb("AUTH")
            || matches!(when.point, Point::Connect | Point::Login);
        if early && (when.sender.is_some() || when.to.is_some()) {
            let field = if when.sender.is_some() { "sender" } else { "to" };
            return Err(Problem::new(field, "at this moment no mail has begun"));
        }
        if is_verb("MAIL") && when.to.is_some() {
            return Err(Problem::new("to", "recipients are not known before RCPT"));
        }
        let message_point =
            matches!(when.point, Point::Octet(_) | Point::EndOfData | Point::Commit);
        if let Place::Service(service) = place {
            let verbs = match service.as_str() {
                "pop3" => &POP3_VERBS[..],
                "imap" => &IMAP_VERBS[..],
                "http" => &WEB_VERBS[..],
                _ => &SMTP_VERBS[..],
            };
            let foreign = match &when.point {
                Point::Verb(verb) => !verbs.contains(&verb.as_str()),
                Point::Label(label) => !labels(service).any(|own| own == *label),
                _ => false,
            };
            let reads = matches!(service.as_str(), "pop3" | "imap");
            // A letter in a form has no envelope yet, and its octets come with the form.
            let web = service == "http";
            let octets = web && matches!(when.point, Point::Octet(_));
            let envelope = when.sender.is_some() || when.to.is_some();
            if foreign || octets || reads && message_point || (reads || web) && envelope {
                let message = format!("{service} has no such moment as `{when}`");
                return Err(Problem::new("where", message));
            }
        }
        let fits = match action {
            Action::Down | Action::Dns(_) => when.point == Point::Connect,
            Action::Clock(_) => return self.check_clock(),
            Action::Hide(_) => is_verb("EHLO"),
            Action::Greylist(_) => is_verb("RCPT"),
            Action::Full => is_verb("RCPT") || is_verb("APPEND") || when.point == Point::EndOfData,
            Action::UidValidity => is_verb("SELECT") || is_verb("EXAMINE"),
            // Where no command waits for an answer there is nothing to say instead.
            Action::Reply(..) | Action::Refuse => {
                !matches!(when.point, Point::Octet(_) | Point::Label(_))
            }
            _ => true,
        };
        let message = format!("`{action}` does not go with `{}`", when.point);
        if fits { Ok(()) } else { Err(Problem::new("what", message)) }
    }

    /// A clock is a host's, whoever talks to it.
    fn check_clock(&self) -> Result<(), Problem> {
        if !matches!(self.place, Place::Any | Place::Node(_)) {
            return Err(Problem::new("where", "clock= is about `any` host or one, as `node:NAME`"));
        }
        let When { point, sender, to, nth, probability_ppm, over, from_ms: _, until_ms: _ } =
            &self.when;
        let is_plain = *point == Point::Connect && sender.is_none() && to.is_none();
        if is_plain && nth.is_none() && probability_ppm.is_none() && over.is_none() {
            return Ok(());
        }
        Err(Problem::new("when", "with clock= it is `always`, or from= and until="))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        for (text, printed) in [
            ("any/always/down", "any/after=connect/down"),
            ("any/verb=rcpt,to=bob@*,nth=1..2/reply=451 4.7.1 greylisted", ""),
            ("any/verb=MAIL,over=10per1m/reply=421 4.7.0 slow down", ""),
            (
                "node:hamburger.edu/until=09:50/down",
                "node:hamburger.edu/after=connect,until=09:50/down",
            ),
            ("link:crepes.fr~hamburger.edu/nth=1,after=end-of-data/drop", ""),
            ("wire:3/octet=1000/drop", ""),
            ("smtp/verb=HELO/delay=90s", "smtp/verb=EHLO/delay=90s"),
            ("any/verb=BDAT/reply=451", "any/verb=DATA/reply=451 Fault on purpose"),
            ("any/to=*@crepes.fr,p=0.25/full", "any/verb=RCPT,to=*@crepes.fr,p=0.25/full"),
            (
                "any/sender=<>/reply=550 5.7.1 no/slash",
                "any/verb=MAIL,sender=<>/reply=550 5.7.1 no/slash",
            ),
            ("any/always/strip-starttls", "any/verb=EHLO/strip-starttls"),
            ("any/always/hide=size, pipelining", "any/verb=EHLO/hide=SIZE,PIPELINING"),
            ("any/always/greylist=5m", "any/verb=RCPT/greylist=5m"),
            ("imap/verb=FETCH,from=22:00,until=06:00/rate=100", ""),
            ("any/verb=any/chunk=1", ""),
            ("any/after=commit,nth=2../corrupt=1", ""),
            ("pop3/after=login/lf-only", ""),
            ("http/after=commit,nth=1/drop", ""),
            ("http/verb=POST/reply=503 Not now", ""),
            ("any/verb=DATA/strip8", ""),
            ("imap/always/uidvalidity", "imap/verb=SELECT/uidvalidity"),
            ("any/verb=EXAMINE,nth=2/uidvalidity", ""),
            ("smtp/after=reply-code,nth=2/drop", ""),
            ("any/after=from,to=bob@*/delay=5s", ""),
            ("imap/after=resp-text-code/rate=10", ""),
            ("node:crepes.fr/always/dns=nullmx", "node:crepes.fr/after=connect/dns=nullmx"),
        ] {
            let rule: Rule = text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"));
            let again = rule.to_string();
            assert_eq!(again.parse::<Rule>().as_ref(), Ok(&rule), "{again}");
            if !printed.is_empty() {
                assert_eq!(again, printed);
            }
        }
    }

    #[test]
    fn a_problem_names_its_field() {
        for (text, field) in [
            ("", "rule"),
            ("any/always", "rule"),
            ("everywhere/always/drop", "where"),
            ("link:crepes.fr/always/drop", "where"),
            ("wire:x/always/drop", "where"),
            ("any//drop", "when"),
            ("any/sometimes/drop", "when"),
            ("any/verb=RCTP/drop", "verb"),
            ("any/verb=MAIL,verb=RCPT/drop", "verb"),
            ("any/verb=MAIL,after=connect/drop", "after"),
            ("any/after=dinner/drop", "after"),
            ("any/octet=0/drop", "octet"),
            ("any/nth=0/drop", "nth"),
            ("any/nth=3..2/drop", "nth"),
            ("any/p=1.5/drop", "p"),
            ("any/p=NaN/drop", "p"),
            ("any/over=10/drop", "over"),
            ("any/over=10per0s/drop", "over"),
            ("any/from=9/drop", "from"),
            ("any/until=25:00/drop", "until"),
            ("any/colour=red/drop", "colour"),
            ("any/to=/drop", "to"),
            ("any/verb=EHLO,to=bob@*/drop", "to"),
            ("any/verb=MAIL,to=bob@*/drop", "to"),
            ("any/after=connect,sender=a@b/drop", "sender"),
            ("any/always/explode", "what"),
            ("any/always/drop=1", "what"),
            ("any/always/delay=5", "delay"),
            ("any/always/delay=2d", "delay"),
            ("any/always/rate=0", "rate"),
            ("any/always/dns=wrong", "dns"),
            ("any/verb=MAIL/dns=nomx", "what"),
            ("any/always/reply=250 fine", "reply"),
            ("any/always/reply=xyz", "reply"),
            ("any/always/reply=451 caf\u{e9}", "reply"),
            ("any/always/hide=A B", "hide"),
            ("any/verb=MAIL/hide=SIZE", "what"),
            ("any/verb=MAIL/greylist=1m", "what"),
            ("any/verb=MAIL/down", "what"),
            ("any/octet=5/reply=451 x", "what"),
            ("pop3/verb=EHLO/drop", "where"),
            ("http/verb=RCPT/drop", "where"),
            ("smtp/verb=POST/drop", "where"),
            ("http/octet=5/drop", "where"),
            ("http/after=commit,to=bob@*/drop", "where"),
            ("imap/after=commit/drop", "where"),
            ("smtp/after=tag/drop", "where"),
            ("http/after=verb/drop", "where"),
            ("smtp/after=challenge/drop", "where"),
            ("any/after=probe/drop", "after"),
            ("any/after=verb/reply=451 x", "what"),
            ("any/after=verb/full", "what"),
            ("any/after=Verb/drop", "after"),
            ("any/after=/drop", "after"),
            ("smtp/verb=SELECT/uidvalidity", "where"),
            ("smtp/always/uidvalidity", "where"),
            ("imap/verb=FETCH/uidvalidity", "what"),
            ("any/after=login/uidvalidity", "what"),
        ] {
            let problem = text.parse::<Rule>().expect_err(text);
            assert_eq!(problem.field, field, "{text}: {problem}");
        }
        let long = format!("any/always/reply=451 {}", "x".repeat(3000));
        assert_eq!(long.parse::<Rule>().expect_err("too long").field, "rule");
    }

    #[test]
    fn every_label_is_a_moment_and_a_slip_is_told_which_was_meant() {
        let labels: Vec<_> = ["smtp", "pop3", "imap"].into_iter().flat_map(labels).collect();
        let mut words: Vec<String> = labels.iter().map(|label| Point::word(label)).collect();
        for (label, word) in labels.iter().zip(&words) {
            let rule: Rule = format!("any/after={word}/drop").parse().expect(word);
            // The moment before a message is stored had its name first.
            let own = matches!(rule.when.point, Point::Label(own) if own == *label);
            assert!(own || word == "end-of-data", "{label}: {rule:?}");
            assert_eq!(rule.to_string(), format!("any/after={word}/drop"));
        }
        words.extend(MOMENTS.map(str::to_owned));
        for word in &words {
            for at in 0..=word.len() {
                for slip in [
                    format!("{}~{}", &word[..at], &word[at..]),
                    format!("{}{}", &word[..at], word.get(at + 1..).unwrap_or("~~~")),
                ] {
                    let Err(problem) = format!("any/after={slip}/drop").parse::<Rule>() else {
                        assert!(words.contains(&slip), "{slip} is no label");
                        continue;
                    };
                    assert_eq!(problem.field, "after");
                    let (_, meant) = problem.message.split_once("did you mean `").expect("it says");
                    let (meant, _) = meant.split_once('`').expect("it ends");
                    assert!(distance(meant, &slip) <= distance(word, &slip), "{slip}: {problem}");
                }
            }
        }
        let problem = "any/after=ehlo-keywrd/drop".parse::<Rule>().expect_err("a slip");
        assert!(problem.message.contains("did you mean `ehlo-keyword`?"), "{problem}");
    }

    #[test]
    fn a_file_says_which_line_is_wrong() {
        let text = "# two faults\nseed=7\n\nany/verb=MAIL/drop\n  any/verb=QUIT/delay=1s\n";
        let (seed, rules) = parse_file(text).expect("a right file");
        assert_eq!((seed, rules.len()), (Some(7), 2));
        let (line, problem) =
            parse_file("any/verb=MAIL/drop\nany/verb=MAL/drop").expect_err("wrong");
        assert_eq!((line, problem.field.as_str()), (2, "verb"));
        assert_eq!(parse_file("seed=x").expect_err("wrong").1.field, "seed");
    }

    #[test]
    fn probabilities_are_rounded_to_millionths() {
        let right =
            [("0", 0), ("1", 1_000_000), ("0.25", 250_000), (".5", 500_000), ("1.", 1_000_000)];
        for (value, ppm) in right.into_iter().chain([("0.0000015", 2), ("0.0000014999", 1)]) {
            assert_eq!(parse_probability(value).ok(), Some(ppm), "{value}");
        }
        for value in ["", ".", "-0.5", "0,5", "1.000001", "2", "19", "nan", "1e-3", "4294967297"] {
            assert!(parse_probability(value).is_err(), "{value}");
        }
    }
}
