//! The requests of a story's browsers, as a network tab lists them: what each asked for, what came back, and what
//! it caused. All of it is read from octets that were sent and from the log.

use std::collections::BTreeMap;

use pillarbox_world::world::{Dir, Protocol, What, WireId};

use super::{Story, words};

/// Consequences of one request that are named.
const CAUSED_MAX: usize = 4;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// When it left.
    pub clock: String,
    /// Who asked.
    pub who: String,
    /// Method and target.
    pub what: String,
    /// The status of the response; empty: there is none.
    pub status: String,
    /// Octets of the request, and of the response.
    pub octets: [u64; 2],
    /// What it caused, beyond its response.
    pub caused: Vec<String>,
    /// Where it was said: its wire, and its first line.
    pub wire: u32,
    /// The first octet of that line.
    pub start: u64,
    /// One past the last.
    pub end: u64,
}

impl Story {
    /// Whether this is a story of browsers.
    #[must_use]
    pub fn has_web(&self) -> bool {
        let setup = &self.source.tape().scenario().setup;
        setup.nodes.iter().any(|node| node.web_mail)
    }

    /// The requests that were made before a cursor, in their order.
    #[must_use]
    pub fn requests(&self, cursor: usize) -> Vec<Asked> {
        let cursor = cursor.min(self.entries.len());
        let wires = self.source.tape().world().wires().into_iter();
        let mut begun = BTreeMap::new();
        for wire in wires.filter(|wire| wire.protocol == Protocol::Http) {
            let [asks, answers] = Dir::BOTH.map(|dir| self.messages(wire.id, dir, cursor));
            for (at, (entry, start, end, octets, what)) in asks.into_iter().enumerate() {
                let answer = answers.get(at);
                let asked = Asked {
                    clock: words::clock(self.start_unix_ms(), self.entries[entry].at),
                    who: self.name(wire.client),
                    what,
                    status: answer.map(|answer| answer.4.clone()).unwrap_or_default(),
                    octets: [octets, answer.map_or(0, |answer| answer.3)],
                    caused: Vec::new(),
                    wire: wire.id.0,
                    start,
                    end,
                };
                begun.insert(entry, asked);
            }
        }
        self.tell_consequences(&mut begun, cursor);
        begun.into_values().collect()
    }

    /// Messages of one direction: entry, first line, octets, and what the first line says without its version.
    fn messages(
        &self,
        wire: WireId,
        dir: Dir,
        cursor: usize,
    ) -> Vec<(usize, u64, u64, u64, String)> {
        let annotated = self.source.annotations(wire, dir);
        let begins = annotated
            .all()
            .iter()
            .filter(|annotation| matches!(annotation.label, "request line" | "status line"));
        let lines: Vec<_> = begins.map(|annotation| annotation.at.clone()).collect();
        let all = self.source.octets(wire, dir).len() as u64;
        let message = |(at, line): (usize, &std::ops::Range<u64>)| {
            let said = |what: &What| match what {
                What::Octets { dir: own, start, end, .. } => {
                    *own == dir && (*start..*end).contains(&line.start)
                }
                _ => false,
            };
            let mut told = self.entries[..cursor].iter();
            let entry = told.position(|entry| entry.wire == Some(wire) && said(&entry.what))?;
            let parts = annotated.all().iter().filter(|part| {
                part.leaf
                    && line.contains(&part.at.start)
                    && matches!(
                        part.label,
                        "method" | "request-target" | "status-code" | "reason-phrase"
                    )
            });
            let parts = parts.map(|part| {
                let octets = self.octets(wire, dir, part.at.start, part.at.end);
                String::from_utf8_lossy(&octets).into_owned()
            });
            let next = lines.get(at + 1).map_or(all, |next| next.start);
            let words = parts.collect::<Vec<_>>().join(" ");
            Some((entry, line.start, line.end, next - line.start, words))
        };
        lines.iter().enumerate().filter_map(message).collect()
    }

    /// What happened because of a request and of no later one.
    fn tell_consequences(&self, begun: &mut BTreeMap<usize, Asked>, cursor: usize) {
        // Causes lie before what they cause, so one pass is enough.
        let mut owners: Vec<Option<usize>> = Vec::with_capacity(cursor);
        for (at, entry) in self.entries[..cursor].iter().enumerate() {
            let cause = entry.causes.first().and_then(|cause| owners.get(cause.0 as usize));
            let owner = if begun.contains_key(&at) { Some(at) } else { cause.copied().flatten() };
            owners.push(owner);
            let tells = match &entry.what {
                What::Queue(_) | What::Mailbox(_) => true,
                What::Connect { protocol, .. } => *protocol == Protocol::Smtp,
                _ => false,
            };
            let asked = owner.and_then(|owner| begun.get_mut(&owner)).filter(|_| tells);
            let Some(asked) = asked.filter(|asked| asked.caused.len() < CAUSED_MAX) else {
                continue;
            };
            asked.caused.extend(self.sentence(at).map(|told| told.text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_listed_with_what_it_caused() {
        let story = Story::scenario("web-mail").expect("it is listed").without_questions();
        assert!(story.has_web());
        let all = story.requests(usize::MAX);
        let first: Vec<_> =
            all.iter().take(7).map(|asked| (&asked.what[..], &asked.status[..])).collect();
        assert_eq!(
            first,
            [
                ("GET /write", "303 See Other"),
                ("GET /login", "200 OK"),
                ("POST /login", "303 See Other"),
                ("GET /in/INBOX", "200 OK"),
                ("GET /write", "200 OK"),
                ("POST /send", "303 See Other"),
                ("GET /sent", "200 OK"),
            ]
        );
        let send = &all[5];
        assert_eq!(send.who, "Alice's browser");
        let caused = send.caused.join("; ");
        assert!(caused.contains("queue") && caused.contains("port 25"), "{caused}");
        assert!(all[6].caused.is_empty(), "{:?}", all[6]);
        let read = all.iter().find(|asked| asked.what == "GET /in/INBOX/1").expect("Bob reads");
        assert!(read.caused[0].contains("INBOX"), "{:?}", read.caused);
        assert!(all.iter().all(|asked| asked.octets.iter().all(|octets| *octets > 30)));
        // Looking back, there were fewer.
        assert!(story.requests(0).is_empty());
        let half = story.requests(story.entries().len() / 2).len();
        assert!(half > 0 && half < all.len());
    }

    #[test]
    fn other_stories_have_no_network_tab() {
        assert!(!Story::scenario("alice-to-bob").expect("it is listed").has_web());
    }
}
