//! HTTP and SMTP side by side: what each says at the same point of its work, from a scenario in which one page with a photo
//! travels both ways. Which lines belong to which point is told by what the engine noted of them.

use pillarbox_world::world::{Dir, Protocol, WireId};

use super::{SpokenLine, Story};

/// The scenario that is compared.
const SCENARIO: &str = "http-and-smtp";

/// A point of the work, in both protocols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// What it is.
    pub title: &'static str,
    /// Lines of HTTP, as places in what was spoken.
    pub http: Vec<SpokenLine>,
    /// Lines of SMTP.
    pub smtp: Vec<SpokenLine>,
    /// What stands there where nothing is said.
    pub silent: [String; 2],
    /// What is different, or alike.
    pub difference: String,
}

/// The story that is compared, told to its end, with the connections of both protocols.
#[must_use]
pub fn begin() -> Option<(Story, [WireId; 2])> {
    let story = Story::scenario(SCENARIO)?.without_questions();
    let wires = story.source().tape().world().wires();
    let of = |protocol| wires.iter().find(|wire| wire.protocol == protocol).map(|wire| wire.id);
    let wires = [of(Protocol::Http)?, of(Protocol::Smtp)?];
    Some((story, wires))
}

/// Octets of one direction of a wire, and those of them above 127.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All.
    pub octets: usize,
    /// Above 127.
    pub eight_bit: usize,
}

impl Count {
    fn of(octets: &[u8]) -> Self {
        let eight_bit = octets.iter().filter(|octet| **octet > 127).count();
        Self { octets: octets.len(), eight_bit }
    }

    fn words(self) -> String {
        match self.eight_bit {
            0 => format!("{} octets, all of them 7-bit", self.octets),
            high => format!("{} octets, {high} of them above 127", self.octets),
        }
    }
}

impl Story {
    /// The points of both conversations, in order.
    #[must_use]
    pub fn points(&self, [http, smtp]: [WireId; 2]) -> Vec<Point> {
        let (web, mail) = (self.exchanges(http), self.mail(smtp));
        let [first, second] = [0, 1].map(|at| web.get(at).cloned().unwrap_or_default());
        let photo = Count::of(&self.objects(http).pop().unwrap_or_default());
        let base64 = Count::of(&self.said(&mail.second));
        let quiet = |words: &str| [words.to_owned(), String::new()];
        let point = |title, http, smtp, silent, difference: String| Point {
            title,
            http,
            smtp,
            silent,
            difference,
        };
        vec![
            point(
                "Who connects",
                Vec::new(),
                Vec::new(),
                [self.opener(http), self.opener(smtp)],
                "HTTP pulls: who wants the page opens the connection. SMTP pushes: who has the mail opens it. \
                 Both use TCP and keep the connection for more."
                    .to_owned(),
            ),
            point(
                "First words",
                Vec::new(),
                mail.hello,
                quiet("The client asks at once."),
                "A web server waits to be asked. A mail server greets first, and both say who they are before anything else."
                    .to_owned(),
            ),
            point(
                "The request",
                first.request,
                mail.envelope,
                quiet(""),
                "A request names one object to be had. An envelope names who gets the message; nobody asked for it.".to_owned(),
            ),
            point(
                "The page",
                first.response,
                mail.first,
                quiet(""),
                "HTTP: one object in each response, its length said before. SMTP: one message for all objects, until a lone dot."
                    .to_owned(),
            ),
            point(
                "The photo",
                [second.request, second.response].concat(),
                mail.second,
                quiet(""),
                format!(
                    "HTTP: asked for once more, and sent as it is: {}. Mail: a further part of the same message, in base64, \
                     with its lines: {}.",
                    photo.words(),
                    base64.words()
                ),
            ),
            point(
                "The verdict",
                Vec::new(),
                mail.verdict,
                quiet("It came first, in each status line."),
                "Both answer with three digits, the first of which counts. After 250 the mail server answers for the message; \
                 after 200 the web server has nothing more to do."
                    .to_owned(),
            ),
            point(
                "The end",
                Vec::new(),
                mail.goodbye,
                quiet("A field said it: close."),
                "Either connection could have carried more: the next request, the next message.".to_owned(),
            ),
        ]
    }

    fn opener(&self, wire: WireId) -> String {
        let wires = self.source.tape().world().wires().into_iter();
        let Some(view) = wires.into_iter().find(|view| view.id == wire) else {
            return String::new();
        };
        let (client, server) = (self.name(view.client), self.name(view.server));
        format!("{client} connects to {server}, port {}.", view.port)
    }

    /// Requests with their responses.
    fn exchanges(&self, wire: WireId) -> Vec<Exchange> {
        let mut all: Vec<Exchange> = Vec::new();
        for line in self.spoken(wire, usize::MAX) {
            let begins = line.dir == Dir::ToServer
                && all.last().is_none_or(|exchange| !exchange.response.is_empty());
            if begins {
                all.push(Exchange::default());
            }
            let Some(exchange) = all.last_mut() else { continue };
            match line.dir {
                Dir::ToServer => exchange.request.push(line),
                Dir::ToClient => exchange.response.push(line),
            }
        }
        all
    }

    /// The objects that a web server gave out.
    fn objects(&self, wire: WireId) -> Vec<Vec<u8>> {
        let annotated = self.source.annotations(wire, Dir::ToClient);
        let bodies = annotated.all().iter().filter(|a| a.leaf && a.label == "message body");
        bodies.map(|a| self.octets(wire, Dir::ToClient, a.at.start, a.at.end)).collect()
    }

    fn said(&self, lines: &[SpokenLine]) -> Vec<u8> {
        lines
            .iter()
            .flat_map(|line| self.octets(line.wire, line.dir, line.start, line.end))
            .collect()
    }

    /// A mail's conversation, by what each part of it does.
    fn mail(&self, wire: WireId) -> Mail {
        let mut mail = Mail::default();
        let content = self.source.annotations(wire, Dir::ToServer);
        let is_content = |line: &SpokenLine| {
            let mut roots = content.all().iter().filter(|a| a.parent.is_none());
            line.dir == Dir::ToServer
                && roots.any(|a| a.label == "message content" && a.at.contains(&line.start))
        };
        let (mut verbs, mut parts, mut ended) = (0, 0, false);
        for line in self.spoken(wire, usize::MAX) {
            if is_content(&line) {
                let octets = self.octets(wire, line.dir, line.start, line.end);
                if octets == b".\r\n" {
                    mail.verdict.push(line);
                    ended = true;
                    continue;
                }
                // The last part of this message is the photo, and its parts begin with their boundaries.
                let is_image = octets.to_ascii_lowercase().starts_with(b"content-type: image/");
                parts += usize::from(is_image);
                if parts == 0 {
                    mail.first.push(line)
                } else {
                    mail.second.push(line)
                }
                continue;
            }
            if line.dir == Dir::ToServer {
                verbs += 1;
            }
            match (ended, verbs, line.dir) {
                (true, _, Dir::ToClient) if mail.verdict.len() < 2 => mail.verdict.push(line),
                (true, ..) => mail.goodbye.push(line),
                (false, 0 | 1, _) => mail.hello.push(line),
                _ => mail.envelope.push(line),
            }
        }
        mail
    }
}

/// A request and its response.
#[derive(Clone, Debug, Default)]
struct Exchange {
    request: Vec<SpokenLine>,
    response: Vec<SpokenLine>,
}

/// A mail's conversation in its parts.
#[derive(Debug, Default)]
struct Mail {
    hello: Vec<SpokenLine>,
    envelope: Vec<SpokenLine>,
    first: Vec<SpokenLine>,
    second: Vec<SpokenLine>,
    verdict: Vec<SpokenLine>,
    goodbye: Vec<SpokenLine>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[SpokenLine]) -> String {
        lines
            .iter()
            .map(|line| {
                let said: String = line.pieces.iter().map(|piece| &piece.text[..]).collect();
                format!("{}: {said}\n", line.dir.letter())
            })
            .collect()
    }

    #[test]
    fn both_conversations_are_cut_at_the_same_points() {
        let (story, wires) = begin().expect("the scenario is there");
        let points = story.points(wires);
        let of =
            |title: &str| points.iter().find(|point| point.title == title).expect("it is there");
        let request = of("The request");
        assert!(
            text(&request.http).starts_with("C: GET /pancakes.html"),
            "{}",
            text(&request.http)
        );
        assert!(
            text(&request.smtp).contains("RCPT TO:<bob@hamburger.edu>"),
            "{}",
            text(&request.smtp)
        );
        assert!(text(&of("First words").smtp).starts_with("S: 220"));
        let page = of("The page");
        assert!(text(&page.http).contains("200 OK") && text(&page.http).contains("pancakes"));
        assert!(text(&page.smtp).contains("Subject: Pancakes"), "{}", text(&page.smtp));
        let photo = of("The photo");
        assert!(text(&photo.http).starts_with("C: GET /pancakes.jpg"));
        assert!(photo.difference.contains("600 octets, "), "{}", photo.difference);
        assert!(photo.difference.contains("all of them 7-bit"), "{}", photo.difference);
        assert!(
            text(&of("The verdict").smtp).contains("S: 250"),
            "{}",
            text(&of("The verdict").smtp)
        );
        assert!(text(&of("The end").smtp).contains("S: 221"));
        assert!(of("Who connects").silent[0].contains("Bob"));
        assert!(of("Who connects").silent[1].contains("crepes.fr connects to hamburger.edu"));
    }
}
