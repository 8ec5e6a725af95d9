//! HTTP and SMTP side by side: what each says at the same point of its work, from a scenario in which one page with a photo
//! travels both ways. Which lines belong to which point is told by what the engine noted of them.

use pillarbox_world::tape::Scenario;
use pillarbox_world::world::{Action, Dir, NodeSetup, Protocol, Time, WireId};

use super::{Source, SpokenLine, Story};

/// The scenario that is compared.
const SCENARIO: &str = "http-and-smtp";

/// A point of the work, in both protocols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// What it is.
    pub title: String,
    /// Lines of HTTP, as places in what was spoken.
    pub http: Vec<SpokenLine>,
    /// Lines of SMTP.
    pub smtp: Vec<SpokenLine>,
    /// What stands there where nothing is said.
    pub silent: [String; 2],
    /// What is different, or alike.
    pub difference: String,
}

/// Photos of the page, in their order: each is an object of its own.
const PHOTOS: [&str; 5] = ["pancakes.jpg", "syrup.jpg", "butter.jpg", "berries.jpg", "sugar.jpg"];
/// Octets of a photo.
const PHOTO: u32 = 600;
/// How long after one request the next is made.
const NEXT_MS: u64 = 2_000;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Whether one connection of HTTP carries all; else each object has its own.
    pub persistent: bool,
    /// Photos on the page, from 1 to [`PHOTOS_MAX`].
    pub photos: usize,
}

/// Photos that a page may have.
pub const PHOTOS_MAX: usize = PHOTOS.len();

impl Default for Wish {
    fn default() -> Self {
        Self { persistent: true, photos: 1 }
    }
}

impl Wish {
    /// Its text in a link: `p1`, or `o3` for one connection each.
    #[must_use]
    pub fn text(self) -> String {
        format!("{}{}", if self.persistent { 'p' } else { 'o' }, self.photos)
    }

    /// Reads a text; none: it makes no sense.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (persistent, photos) = match text.strip_prefix('p') {
            Some(photos) => (true, photos),
            None => (false, text.strip_prefix('o')?),
        };
        let photos = photos.parse().ok().filter(|photos| (1..=PHOTOS_MAX).contains(photos))?;
        Some(Self { persistent, photos })
    }

    /// The scenario with as many photos, fetched in this way.
    fn scenario(self) -> Option<Scenario> {
        let mut scenario = Scenario::find(SCENARIO)?;
        if self == Self::default() {
            return Some(scenario);
        }
        let photos = &PHOTOS[..self.photos];
        let web = |node: &&mut NodeSetup| !node.pages.is_empty();
        let pages = &mut scenario.setup.nodes.iter_mut().find(web)?.pages;
        let photo = pages.pop()?;
        let page = pages.first_mut()?;
        let shows: String = photos.iter().map(|name| format!("<img src={name}>")).collect();
        let (text, _) = std::str::from_utf8(&page.octets).ok()?.split_once("<img")?;
        page.octets = format!("{text}{shows}\n").into_bytes();
        let html = page.path.clone();
        for (nth, name) in photos.iter().enumerate() {
            // No two photos are alike.
            let octets = pillarbox_world::world::picture(PHOTO + nth as u32);
            let path = format!("/{name}");
            pages.push(pillarbox_world::web::Resource { path, octets, ..photo.clone() });
        }
        scenario.script.retain_mut(|(_, action)| match action {
            Action::Send(letter) => {
                letter.html =
                    letter.html.split("<img").next().unwrap_or_default().to_owned() + &shows;
                let names = photos.iter().zip(PHOTO..);
                letter.pictures = names.map(|(name, size)| ((*name).to_owned(), size)).collect();
                true
            }
            _ => false,
        });
        let paths = std::iter::once(html).chain(photos.iter().map(|name| format!("/{name}")));
        for (nth, path) in paths.enumerate() {
            let at = Time(1_000 + NEXT_MS * nth as u64);
            let last = nth == self.photos;
            for action in self.request(nth, &path, last) {
                scenario.script.push((at, action));
            }
        }
        scenario.script.sort_by_key(|(at, _)| *at);
        Some(scenario)
    }

    /// What is done to ask for an object: on the connection that is there, or on one of its own.
    fn request(self, nth: usize, path: &str, last: bool) -> Vec<Action> {
        let mut lines = vec![format!("GET {path} HTTP/1.1"), "Host: crepes.fr".to_owned()];
        if last || !self.persistent {
            lines.push("Connection: close".to_owned());
        }
        lines.push(String::new());
        if nth > 0 && self.persistent {
            let typed = |line: String| Action::Type {
                wire: 0,
                server: false,
                octets: (line + "\r\n").into_bytes(),
            };
            return lines.into_iter().map(typed).collect();
        }
        let script = lines.into_iter().map(|line| format!("C: {line}")).collect();
        let (from, host) = ("bob-laptop".to_owned(), "crepes.fr".to_owned());
        vec![Action::Connect { from, host, port: 80, script }]
    }
}

/// The connections of both protocols; of the web there may be several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wires {
    http: Vec<WireId>,
    smtp: WireId,
}

/// The story that is compared, told to its end, with the connections of both protocols.
#[must_use]
pub fn begin(wish: Wish) -> Option<(Story, Wires)> {
    let mut source = Source::new(wish.scenario()?).ok()?;
    source.tell_all();
    let story = Story::of(source).without_questions();
    let wires = story.source().tape().world().wires();
    let of =
        |protocol| wires.iter().filter(move |wire| wire.protocol == protocol).map(|wire| wire.id);
    let wires = Wires { http: of(Protocol::Http).collect(), smtp: of(Protocol::Smtp).next()? };
    (!wires.http.is_empty()).then_some((story, wires))
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
    pub fn points(&self, wires: &Wires) -> Vec<Point> {
        let smtp = wires.smtp;
        let mut web = wires.http.iter().flat_map(|wire| self.exchanges(*wire));
        let mut mail = self.mail(smtp);
        let first = web.next().unwrap_or_default();
        let connections = wires.http.len();
        let quiet = |words: &str| [words.to_owned(), String::new()];
        let point = |title: &str, http, smtp, silent, difference: String| Point {
            title: title.to_owned(),
            http,
            smtp,
            silent,
            difference,
        };
        let opened = self.opener(wires.http[0]);
        let (opened, kept) = match connections {
            1 => (opened, "Both use TCP and keep the connection for more.".to_owned()),
            _ => (
                format!("{opened} It does so {connections} times: once for each object."),
                format!(
                    "Here each object has a connection of its own: {connections} times somebody waits for TCP to begin. \
                     The mail has one for all."
                ),
            ),
        };
        let mut points = vec![
            point(
                "Who connects",
                Vec::new(),
                Vec::new(),
                [opened, self.opener(smtp)],
                format!(
                    "HTTP pulls: who wants the page opens the connection. SMTP pushes: who has the mail opens it. {kept}"
                ),
            ),
            point(
                "First words",
                Vec::new(),
                std::mem::take(&mut mail.hello),
                quiet("The client asks at once."),
                "A web server waits to be asked. A mail server greets first, and both say who they are before anything else."
                    .to_owned(),
            ),
            point(
                "The request",
                first.request,
                std::mem::take(&mut mail.envelope),
                quiet(""),
                "A request names one object to be had. An envelope names who gets the message; nobody asked for it.".to_owned(),
            ),
            point(
                "The page",
                first.response,
                std::mem::take(&mut mail.first),
                quiet(""),
                "HTTP: one object in each response, its length said before. SMTP: one message for all objects, until a lone dot."
                    .to_owned(),
            ),
        ];
        let bodies: Vec<Vec<u8>> = wires.http.iter().flat_map(|wire| self.objects(*wire)).collect();
        let count = mail.photos.len();
        for (nth, (part, asked)) in
            std::mem::take(&mut mail.photos).into_iter().zip(web).enumerate()
        {
            let photo = Count::of(bodies.get(nth + 1).map_or(&[][..], |body| body));
            let base64 = Count::of(&self.said(&part));
            let title =
                if count == 1 { "The photo".to_owned() } else { format!("Photo {}", nth + 1) };
            let again = if connections == 1 {
                "asked for once more"
            } else {
                "a connection and a request more"
            };
            let words = format!(
                "HTTP: {again}, and sent as it is: {}. Mail: a further part of the same message, in base64, \
                 with its lines: {}.",
                photo.words(),
                base64.words()
            );
            points.push(point(
                &title,
                [asked.request, asked.response].concat(),
                part,
                quiet(""),
                words,
            ));
        }
        points.extend([
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
                match connections {
                    1 => "Either connection could have carried more: the next request, the next message.".to_owned(),
                    _ => "The mail’s connection could have carried more. Those of the web were closed after one object each.".to_owned(),
                },
            ),
            point(
                "In all",
                Vec::new(),
                Vec::new(),
                [self.sum(&wires.http), self.sum(&[smtp])],
                "Counted are the octets of both directions, as they travelled.".to_owned(),
            ),
        ]);
        points
    }

    /// What connections carried, in words.
    fn sum(&self, wires: &[WireId]) -> String {
        let octets =
            wires.iter().flat_map(|wire| Dir::BOTH.map(|dir| self.source.octets(*wire, dir).len()));
        let octets: usize = octets.sum();
        match wires.len() {
            1 => format!("1 connection, {octets} octets."),
            count => format!("{count} connections, {octets} octets."),
        }
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
        let (mut verbs, mut ended) = (0, false);
        for line in self.spoken(wire, usize::MAX) {
            if is_content(&line) {
                let octets = self.octets(wire, line.dir, line.start, line.end);
                if octets == b".\r\n" {
                    mail.verdict.push(line);
                    ended = true;
                    continue;
                }
                // The last parts of this message are the photos, and each begins with its boundary.
                if octets.to_ascii_lowercase().starts_with(b"content-type: image/") {
                    mail.photos.push(Vec::new());
                }
                mail.photos.last_mut().unwrap_or(&mut mail.first).push(line);
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
    /// Each photo's lines.
    photos: Vec<Vec<SpokenLine>>,
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
        let (story, wires) = begin(Wish::default()).expect("the scenario is there");
        let points = story.points(&wires);
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

    #[test]
    fn as_many_photos_travel_as_are_wanted_each_on_its_way() {
        for persistent in [true, false] {
            for photos in 1..=PHOTOS_MAX {
                let wish = Wish { persistent, photos };
                assert_eq!(Wish::parse(&wish.text()), Some(wish));
                let (story, wires) = begin(wish).expect("the scenario is there");
                assert_eq!(wires.http.len(), if persistent { 1 } else { photos + 1 }, "{wish:?}");
                let points = story.points(&wires);
                let shown: Vec<_> =
                    points.iter().filter(|point| point.title.contains("hoto")).collect();
                assert_eq!(shown.len(), photos, "{wish:?}");
                for (name, point) in PHOTOS.iter().zip(shown) {
                    assert!(text(&point.http).starts_with(&format!("C: GET /{name}")), "{wish:?}");
                    assert!(text(&point.http).contains("200 OK"), "{}", text(&point.http));
                    assert!(text(&point.smtp).contains(name), "{}", text(&point.smtp));
                    assert!(point.difference.contains("60"), "{}", point.difference);
                }
                let last = points.last().expect("there are some");
                let count = if wires.http.len() == 1 {
                    "1 connection, ".to_owned()
                } else {
                    format!("{} connections, ", photos + 1)
                };
                assert!(last.silent[0].starts_with(&count), "{:?}", last.silent);
                assert!(last.silent[1].starts_with("1 connection, "));
            }
        }
        for text in ["", "p", "p0", "o6", "x1", "p1x"] {
            assert_eq!(Wish::parse(text), None, "{text}");
        }
    }
}
