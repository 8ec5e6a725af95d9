//! Building in a sandbox: servers, people with their devices, and lines come, change and go. The world begins anew with them,
//! and all that was done is done again; the text of a scenario is all of it.

use pillarbox_engine::smtp::grammar::parse_domain;
use pillarbox_world::fault::parse_duration;
use pillarbox_world::tape::scenario::is_name;
use pillarbox_world::tape::share::{LETTER, in_file};
use pillarbox_world::tape::{Scenario, Tape};
use pillarbox_world::world::{AccountSetup, Kind, LinkSetup, NodeSetup, Persona, Record, Setup};

use super::{Source, Story};
use crate::route::Route;

/// What a network is built of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// A mail server with the people who have a mailbox there.
    #[default]
    Server,
    /// Somebody's device.
    Device,
    /// A line between two hosts.
    Line,
}

/// A part as a form has it: of a server its domain, its people and whose words it uses; of a device what it is called and
/// whose it is; of a line its ends, how long an octet travels, and what is special about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What it is.
    pub part: Part,
    /// What stands in its fields.
    pub fields: [String; FIELDS],
}

/// Fields of a form; a part may have less.
pub const FIELDS: usize = 4;

/// A part that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// What it is called.
    pub title: String,
    /// What else is known of it.
    pub detail: String,
    /// Its form.
    pub form: Form,
}

/// What may be special about a line: its value, and words.
pub const LINES: [(&str, &str); 5] = [
    ("", "like any other"),
    ("slow", "slow: 1,000 octets a second"),
    ("drops", "one octet after the other"),
    ("seven", "the eighth bit is lost on it"),
    ("tap", "somebody listens on it"),
];
/// Whose words a server uses.
pub const WORDS: [(&str, &str); 2] = [("", "its own words"), ("book", "the book’s words")];

/// Towns that could be added, with who lives there.
const TOWNS: [(&str, &str); 4] = [
    ("pickles", "carol dill"),
    ("mustard", "dave seed"),
    ("relish", "erin onion"),
    ("mayo", "frank egg"),
];

/// The password of somebody for whom none was said.
const PASSWORD: &str = "secret";
/// Characters of a title.
const TITLE_MAX: usize = 40;
/// What stands between people in a list of them.
const BETWEEN: &str = ", ";

impl Story {
    /// The parts that are there.
    #[must_use]
    pub fn built(&self) -> Vec<Built> {
        let setup = &self.source.tape().scenario().setup;
        let servers = setup.nodes.iter().filter(|node| node.kind == Kind::Server).map(server);
        let devices = setup.nodes.iter().filter_map(device);
        let lines = setup.links.iter().map(|link| line(setup, link));
        servers.chain(devices).chain(lines).collect()
    }

    /// Hosts that a line can join: names and titles.
    #[must_use]
    pub fn ends(&self) -> Vec<(String, String)> {
        let nodes = self.nodes().iter();
        nodes.map(|node| (node.name.clone(), node.title.clone())).collect()
    }

    /// Whether a form is named like something that is there.
    #[must_use]
    pub fn has_built(&self, form: &Form) -> bool {
        let [one, two, ..] = form.fields.each_ref().map(|field| field.trim());
        let is_same = |built: &Built| {
            let [known, other, ..] = &built.form.fields;
            let same = known.eq_ignore_ascii_case(one);
            match form.part {
                Part::Line => same && other == two || known == two && other == one,
                _ => same,
            }
        };
        self.built().iter().any(|built| built.form.part == form.part && is_same(built))
    }

    /// What could be added next.
    #[must_use]
    pub fn suggested(&self, part: Part) -> Form {
        let built = self.built();
        let of = |part: Part| built.iter().filter(move |built| built.form.part == part);
        match part {
            Part::Server => {
                let is_free = |(town, _): &&(&str, &str)| {
                    !of(Part::Server).any(|server| server.title == format!("{town}.example"))
                };
                let free = TOWNS.iter().find(is_free);
                let (town, people) = free.unwrap_or(&("", ""));
                let domain =
                    if town.is_empty() { String::new() } else { format!("{town}.example") };
                form(part, [&domain, people, "", ""])
            }
            Part::Device => {
                let setup = &self.source.tape().scenario().setup;
                let people = setup.nodes.iter().flat_map(|node| &node.users);
                let people: Vec<&str> = people.map(|(address, _)| &address[..]).collect();
                let is_without =
                    |person: &&&str| !of(Part::Device).any(|device| device.detail == **person);
                let person = people.iter().find(is_without).or(people.first());
                let person = person.copied().unwrap_or_default();
                let name = person.split('@').next().unwrap_or_default();
                let first = name.get(..1).unwrap_or_default().to_ascii_uppercase();
                let name = first + name.get(1..).unwrap_or_default();
                let free = ["laptop", "phone", "tablet"].map(|kind| format!("{name}'s {kind}"));
                let is_free = |title: &&String| !built.iter().any(|built| built.title == **title);
                form(part, [free.iter().find(is_free).unwrap_or(&free[0]), person, "", ""])
            }
            Part::Line => {
                let servers: Vec<&str> = of(Part::Server).map(|built| &built.title[..]).collect();
                let pairs = servers.iter().enumerate().flat_map(|(at, one)| {
                    servers.iter().skip(at + 1).map(move |other| (*one, *other))
                });
                let is_free = |(one, other): &(&str, &str)| {
                    let line = form(Part::Line, [one, other, "", ""]);
                    !self.has_built(&line)
                };
                let first = || Some((*servers.first()?, *servers.get(1)?));
                let (one, other) =
                    pairs.into_iter().find(is_free).or_else(first).unwrap_or_default();
                form(part, [one, other, "40ms", ""])
            }
        }
    }

    /// Adds what a form says, or changes what is there by its name, and says what was done.
    ///
    /// # Errors
    /// What in the form makes no sense; then nothing was changed.
    pub fn build(&mut self, form: &Form) -> Result<String, String> {
        self.rebuild(|setup| put(setup, form))
    }

    /// Removes a part, with what cannot be without it, and says what went.
    ///
    /// # Errors
    /// Why it has to stay.
    pub fn unbuild(&mut self, form: &Form) -> Result<String, String> {
        self.rebuild(|setup| remove(setup, form))
    }

    fn rebuild(
        &mut self,
        change: impl FnOnce(&mut Setup) -> Result<String, String>,
    ) -> Result<String, String> {
        let mut scenario = self.source.tape().scenario().clone();
        let told = change(&mut scenario.setup)?;
        self.set_text(&scenario.to_text())?;
        Ok(told)
    }

    /// The world as it begins, as a scenario's text.
    #[must_use]
    pub fn text(&self) -> String {
        self.source.tape().scenario().to_text()
    }

    /// Begins with the world of a scenario's text.
    ///
    /// # Errors
    /// What in it makes no sense.
    pub fn set_text(&mut self, text: &str) -> Result<(), String> {
        let scenario = Scenario::own(text)?;
        if !scenario.is_unplanned() {
            return Err("something is planned in this text ([[do]]): open it as a file".to_owned());
        }
        self.act(|source| source.rebuild(scenario))
    }
}

/// The place of the page at which a file opens: one that holds a link, or the text of a scenario.
///
/// # Errors
/// What is wrong with it.
pub fn opened(text: &str) -> Result<Route, String> {
    let link = in_file(text);
    let is_link = !link.is_empty()
        && link.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet));
    if is_link && link.starts_with(LETTER) {
        return Ok(Route::Message(Some(link.to_owned())));
    }
    if is_link {
        Tape::decode_file(link).map_err(|why| why.to_string())?;
        let place = if Tape::fits(link) { Route::Shared } else { Route::File };
        return Ok(place(link.to_owned()));
    }
    let mut source = Source::new(Scenario::own(text)?)?;
    if !source.tape().scenario().is_unplanned() {
        source.tell_all();
    }
    Ok(Route::Shared(source.tape().encode("0")))
}

fn server(node: &NodeSetup) -> Built {
    let person = |(address, password): &(String, String)| {
        let name = address.strip_suffix(&node.name[..]).and_then(|name| name.strip_suffix('@'));
        format!("{} {password}", name.unwrap_or(address))
    };
    let people: Vec<String> = node.users.iter().map(person).collect();
    let names: Vec<&str> = people.iter().filter_map(|person| person.split(' ').next()).collect();
    let book = node.persona == Persona::Textbook;
    let who = if names.is_empty() { "nobody yet".to_owned() } else { names.join(BETWEEN) };
    let words = if book { "; the book’s words" } else { "" };
    Built {
        title: node.name.clone(),
        detail: format!("mailboxes: {who}{words}"),
        form: form(
            Part::Server,
            [&node.name, &people.join(BETWEEN), WORDS[usize::from(book)].0, ""],
        ),
    }
}

fn device(node: &NodeSetup) -> Option<Built> {
    let account = node.account.as_ref()?;
    Some(Built {
        title: node.title.clone(),
        detail: account.address.clone(),
        form: form(Part::Device, [&node.title, &account.address, "", ""]),
    })
}

fn line(setup: &Setup, link: &LinkSetup) -> Built {
    let special = match link {
        LinkSetup { tapped: true, .. } => "tap",
        LinkSetup { seven_bit: true, .. } => "seven",
        LinkSetup { chunk: Some(_), .. } => "drops",
        LinkSetup { octets_per_s: Some(_), .. } => "slow",
        _ => "",
    };
    let words = LINES.iter().find(|(value, _)| *value == special).map_or("", |(_, words)| words);
    let title = |name: &str| {
        let node = setup.nodes.iter().find(|node| node.name == name);
        let titled = node.filter(|node| node.kind != Kind::Server);
        titled.map_or_else(|| name.to_owned(), |node| node.title.clone())
    };
    let latency = format!("{}ms", link.latency_ms);
    Built {
        title: format!("{} – {}", title(&link.a), title(&link.b)),
        detail: format!("{} ms, {words}", link.latency_ms),
        form: form(Part::Line, [&link.a, &link.b, &latency, special]),
    }
}

fn form(part: Part, fields: [&str; FIELDS]) -> Form {
    Form { part, fields: fields.map(str::to_owned) }
}

fn put(setup: &mut Setup, form: &Form) -> Result<String, String> {
    let [one, two, three, four] = form.fields.each_ref().map(|field| field.trim());
    match form.part {
        Part::Server => put_server(setup, one, two, three == WORDS[1].0),
        Part::Device => put_device(setup, one, two),
        Part::Line => put_line(setup, one, two, three, four),
    }
}

/// What the world says of a domain.
fn domain(text: &str) -> Result<String, String> {
    let domain = text.to_ascii_lowercase();
    if domain.is_empty() {
        return Err("A server needs a domain, such as pickles.example.".to_owned());
    }
    is_name(&domain)?;
    if !domain.contains('.') {
        return Err(format!("{domain:?} is no domain: it has a dot, as in {domain}.example."));
    }
    if parse_domain(domain.as_bytes()).is_none() {
        return Err(format!(
            "{domain:?} is no domain: between its dots stand letters, digits and hyphens inside."
        ));
    }
    // RFC 1123 §2.1: by that it is told from an address.
    let is_digits = |label: &str| label.bytes().all(|octet| octet.is_ascii_digit());
    if domain.rsplit('.').next().is_some_and(is_digits) {
        return Err(format!(
            "{domain:?} is no domain: behind its last dot stand not digits alone."
        ));
    }
    Ok(domain)
}

/// The part of an address before the sign.
fn local(name: &str) -> Result<(), String> {
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let wrong = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "._-+".contains(*c)));
    match wrong {
        Some(wrong) => Err(format!("{name:?} is no name of a mailbox: it has {wrong:?}.")),
        None if name.is_empty() => Err("A mailbox needs a name before the @.".to_owned()),
        None if dots => Err(format!("{name:?} is no name of a mailbox: its dots stand apart.")),
        None => Ok(()),
    }
}

fn put_server(setup: &mut Setup, name: &str, people: &str, book: bool) -> Result<String, String> {
    let domain = domain(name)?;
    let mut users: Vec<(String, String)> = Vec::new();
    for person in people.split(',').map(str::trim).filter(|person| !person.is_empty()) {
        let (name, password) = person.split_once(' ').unwrap_or((person, PASSWORD));
        let (own, of) = name.split_once('@').unwrap_or((name, &domain));
        local(own)?;
        if of != domain {
            return Err(format!("{name} cannot have a mailbox at {domain}."));
        }
        let address = format!("{own}@{domain}");
        if users.iter().any(|(known, _)| *known == address) {
            return Err(format!("{own} stands there twice."));
        }
        users.push((address, password.trim().to_owned()));
    }
    let owners = setup.nodes.iter().filter_map(|node| Some((node, node.account.as_ref()?)));
    let of_here = owners.filter(|(_, account)| account.server == domain);
    for (device, account) in of_here {
        if !users.iter().any(|(address, _)| *address == account.address) {
            let (title, address) = (&device.title, &account.address);
            return Err(format!("{title} is {address}’s: remove it first, or leave them in."));
        }
    }
    // Who has a new password has it on their devices too.
    for account in setup.nodes.iter_mut().filter_map(|node| node.account.as_mut()) {
        if let Some((_, password)) = users.iter().find(|(address, _)| *address == account.address) {
            account.password.clone_from(password);
        }
    }
    let persona = if book { Persona::Textbook } else { Persona::Strict };
    if let Some(node) = setup.nodes.iter_mut().find(|node| node.name == domain) {
        if node.kind != Kind::Server {
            return Err(format!("{domain} is no server."));
        }
        (node.users, node.persona) = (users, persona);
        return Ok(format!("{domain} is changed."));
    }
    setup.nodes.push(NodeSetup { users, persona, ..NodeSetup::new(&domain, Kind::Server) });
    let exchanges = vec![(10, domain.clone())];
    setup.records.retain(|record| record.name != domain);
    setup.records.push(Record { name: domain.clone(), exchanges, addresses: Vec::new() });
    Ok(format!("{domain} is there."))
}

fn put_device(setup: &mut Setup, title: &str, address: &str) -> Result<String, String> {
    if title.is_empty() || title.chars().count() > TITLE_MAX {
        return Err(format!("A device is called something, in at most {TITLE_MAX} letters."));
    }
    let address = address.to_ascii_lowercase();
    let Some((own, domain)) = address.split_once('@') else {
        return Err(format!(
            "{address:?} is no address: it has an @, as in carol@pickles.example."
        ));
    };
    local(own)?;
    let takes = |node: &&mut NodeSetup| {
        let served = node.name == domain || node.domains.iter().any(|known| known == domain);
        node.kind == Kind::Server && served
    };
    let server = setup.nodes.iter_mut().find(takes);
    let server = server.ok_or(format!("No server here takes mail for {domain}: add one first."))?;
    let known = server.users.iter().find(|(known, _)| *known == address);
    let password = known.map_or(PASSWORD, |(_, password)| password).to_owned();
    if known.is_none() {
        server.users.push((address.clone(), password.clone()));
    }
    let host = server.name.clone();
    let account = AccountSetup {
        person: title.split(['’', '\'']).next().unwrap_or(title).to_owned(),
        address,
        password,
        submit: Some((host.clone(), 587)),
        server: host,
        tls: false,
    };
    let same = |node: &&mut NodeSetup| node.title.eq_ignore_ascii_case(title);
    if let Some(node) = setup.nodes.iter_mut().find(same) {
        if node.kind != Kind::Device {
            return Err(format!("{title} is a server: call the device something else."));
        }
        // Whether it uses TLS is not asked here.
        let tls = node.account.as_ref().is_some_and(|account| account.tls);
        node.account = Some(AccountSetup { tls, ..account });
        return Ok(format!("{title} is changed."));
    }
    let name = free_name(setup, title);
    let node = NodeSetup::new(&name, Kind::Device);
    setup.nodes.push(NodeSetup { title: title.to_owned(), account: Some(account), ..node });
    Ok(format!("{title} is there."))
}

/// A name for what has a title, which nobody else has.
fn free_name(setup: &Setup, title: &str) -> String {
    let letters = title.to_ascii_lowercase().replace(['’', '\''], "");
    let mut name: String =
        letters.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if name.trim_matches('-').is_empty() {
        name = "device".to_owned();
    }
    while setup.nodes.iter().any(|node| node.name == name) {
        name.push_str("-2");
    }
    name
}

fn put_line(
    setup: &mut Setup,
    a: &str,
    b: &str,
    latency: &str,
    special: &str,
) -> Result<String, String> {
    if a == b {
        return Err("A line joins two hosts: choose another one.".to_owned());
    }
    let Some(latency_ms) = parse_duration(latency).filter(|ms| *ms <= 86_400_000) else {
        return Err(format!("{latency:?} is no time: write 40ms or 2s, a day at most."));
    };
    let link = LinkSetup {
        a: a.to_owned(),
        b: b.to_owned(),
        latency_ms,
        octets_per_s: (special == "slow").then_some(1_000),
        chunk: (special == "drops").then_some(1),
        tapped: special == "tap",
        seven_bit: special == "seven",
    };
    let before = setup.links.len();
    setup.links.retain(|known| !joins(known, a, b));
    let done = if setup.links.len() < before { "changed" } else { "there" };
    let told = format!("The line {} is {done}.", line(setup, &link).title);
    setup.links.push(link);
    Ok(told)
}

fn joins(link: &LinkSetup, a: &str, b: &str) -> bool {
    let ends = (&link.a[..], &link.b[..]);
    ends == (a, b) || ends == (b, a)
}

fn remove(setup: &mut Setup, form: &Form) -> Result<String, String> {
    let [one, two, ..] = &form.fields;
    if form.part == Part::Line {
        let title = setup.links.iter().find(|link| joins(link, one, two));
        let title = title.map(|link| line(setup, link).title).unwrap_or_default();
        setup.links.retain(|link| !joins(link, one, two));
        return Ok(format!("The line {title} is like any other again."));
    }
    let is_meant = |node: &NodeSetup| match form.part {
        Part::Device => node.kind == Kind::Device && node.title == *one,
        _ => node.kind == Kind::Server && node.name == *one,
    };
    let Some(name) = setup.nodes.iter().find(|node| is_meant(node)).map(|node| node.name.clone())
    else {
        return Err(format!("{one} is not there any more."));
    };
    let servers = setup.nodes.iter().filter(|node| node.kind == Kind::Server).count();
    if form.part == Part::Server && servers == 1 {
        return Err(format!("{one} is the last server: add another one first."));
    }
    let needs = |node: &NodeSetup| {
        node.account.as_ref().is_some_and(|account| {
            let submit = account.submit.as_ref().is_some_and(|(host, _)| *host == name);
            account.server == name || submit
        })
    };
    let with: Vec<String> =
        setup.nodes.iter().filter(|node| needs(node)).map(|node| node.title.clone()).collect();
    setup.nodes.retain(|node| node.name != name && !needs(node));
    let left: Vec<String> = setup.nodes.iter().map(|node| node.name.clone()).collect();
    setup.links.retain(|link| left.contains(&link.a) && left.contains(&link.b));
    setup.records.retain(|record| {
        record.name != name && !record.exchanges.iter().any(|(_, host)| *host == name)
    });
    let with = if with.is_empty() {
        String::new()
    } else {
        format!(", and with it {}", with.join(BETWEEN))
    };
    Ok(format!("{one} is gone{with}."))
}

#[cfg(test)]
mod tests {
    use pillarbox_world::world::{Action, Check, Letter, Way};

    use super::*;
    use crate::story::seen::Seen;

    fn sandbox() -> Story {
        Story::sandbox("sandbox").expect("scenario 20 is one")
    }

    #[test]
    fn names_that_come_with_a_world_turn_no_text_around() {
        let text = sandbox().text();
        let text = text.replacen("title = \"Sandbox", "title = \"safe\u{202e}fdp.exe", 1);
        let text = text.replacen("goal = \"", "goal = \"\u{2066}", 1);
        let text = text.replace("title = \"Bob's phone", "title = \"Bob\u{202e}'s phone");
        let scenario = Scenario::own(&text).expect("it is one");
        let link = Source::new(scenario).expect("it begins").tape().encode("0");
        let (mut story, _) = Story::shared(&link).expect("it opens");
        assert_eq!(story.title(), "safe⟨U+202E⟩fdp.exe");
        assert!(story.goal().starts_with("⟨U+2066⟩Two towns"), "{}", story.goal());
        let titles: Vec<_> = story.nodes().iter().map(|node| &node.title[..]).collect();
        assert!(titles.contains(&"Bob⟨U+202E⟩'s phone"), "{titles:?}");
        let check = Check { device: "bob-phone".to_owned(), way: Way::Imap };
        story.perform(Action::Check(check)).expect("it can");
        let told: Vec<_> = (0..story.entries().len()).filter_map(|at| story.sentence(at)).collect();
        assert!(told.iter().any(|said| said.text.contains("Bob⟨U+202E⟩'s phone")), "{told:?}");
        assert!(told.iter().all(|said| !said.text.contains('\u{202e}')), "{told:?}");
    }

    fn pickles(story: &mut Story) {
        let told = story.build(&form(Part::Server, ["Pickles.example", "dave, erin dill", "", ""]));
        assert_eq!(told.as_deref(), Ok("pickles.example is there."));
        let told =
            story.build(&form(Part::Device, ["Carol's laptop", "carol@pickles.example", "", ""]));
        assert_eq!(told.as_deref(), Ok("Carol's laptop is there."));
    }

    #[test]
    fn a_town_is_built_and_mail_goes_there_and_back() {
        let mut story = sandbox();
        let letter = |device: &str, to: &str| {
            let (device, to) = (device.to_owned(), to.to_owned());
            Action::Send(Letter { device, to, text: "Hi".to_owned(), ..Letter::default() })
        };
        // What was sent before the town was there arrives once it is.
        story.perform(letter("alice-laptop", "carol@pickles.example")).expect("it is sent");
        pickles(&mut story);
        assert_eq!(story.source().mailboxes("pickles.example"), 1);
        story.perform(letter("carols-laptop", "bob@hamburger.edu")).expect("she can write");
        assert_eq!(story.source().mailboxes("hamburger.edu"), 1);
        let titles: Vec<String> = story.built().into_iter().map(|built| built.title).collect();
        assert!(titles.contains(&"Carol's laptop".to_owned()), "{titles:?}");
        let link = story.source().link(&Seen::default()).expect("it is short");
        let (again, _) = Story::shared(&link).expect("it is a link");
        assert_eq!(again.built(), story.built());
        assert_eq!(again.source().hash(), story.source().hash());
        assert!(again.is_sandbox());
    }

    #[test]
    fn what_is_there_is_changed_and_goes() {
        let mut story = sandbox();
        pickles(&mut story);
        // Each part's own form changes nothing; a line may only stand elsewhere among the others.
        let sorted = |story: &Story| {
            let mut built = story.built();
            built.sort_by(|one, other| one.title.cmp(&other.title));
            built
        };
        let before = sorted(&story);
        for built in story.built() {
            let told = story.build(&built.form).expect("it was read from there");
            assert!(told.ends_with("is changed."), "{told}");
        }
        assert_eq!(sorted(&story), before);
        let book = form(Part::Server, ["pickles.example", "carol vinegar", "book", ""]);
        story.build(&book).expect("nobody else has a device");
        assert!(story.text().contains("password = \"vinegar\""), "{}", story.text());
        let slow = form(Part::Line, ["pickles.example", "crepes.fr", "2s", "slow"]);
        let told = story.build(&slow).expect("both are there");
        assert_eq!(told, "The line pickles.example – crepes.fr is there.");
        let gone = story.unbuild(&book).expect("there are other servers");
        assert_eq!(gone, "pickles.example is gone, and with it Carol's laptop.");
        assert!(!story.text().contains("pickles"), "{}", story.text());
    }

    #[test]
    fn what_is_suggested_can_be_added_at_once() {
        let mut story = sandbox();
        let mut titles = Vec::new();
        for part in
            [Part::Server, Part::Device, Part::Server, Part::Device, Part::Device, Part::Line]
        {
            let form = story.suggested(part);
            assert!(!story.has_built(&form), "{form:?}");
            titles.push(story.build(&form).expect("it was suggested"));
            assert!(story.has_built(&form), "{form:?}");
        }
        assert_eq!(titles[1], "Carol's laptop is there.");
        assert_eq!(titles[4], "Alice's phone is there.");
        assert_eq!(titles[5], "The line crepes.fr – pickles.example is there.");
    }

    #[test]
    fn each_mistake_has_its_words_and_changes_nothing() {
        let mut story = sandbox();
        pickles(&mut story);
        let before = (story.text(), story.source().hash());
        let cases = [
            (form(Part::Server, ["", "", "", ""]), "needs a domain"),
            (form(Part::Server, ["pickles", "", "", ""]), "it has a dot, as in pickles.example"),
            (form(Part::Server, ["-a.example", "", "", ""]), "letters, digits and hyphens inside"),
            (form(Part::Server, ["a_b.example", "", "", ""]), "letters, digits and hyphens inside"),
            (form(Part::Server, ["10.0.0.1", "", "", ""]), "stand not digits alone"),
            (form(Part::Server, ["a b.example", "", "", ""]), "has ' '"),
            (form(Part::Server, ["a.example", "x, x", "", ""]), "x stands there twice"),
            (form(Part::Server, ["a.example", "x@b.example", "", ""]), "cannot have a mailbox"),
            (form(Part::Server, ["a.example", "a..b", "", ""]), "its dots stand apart"),
            (form(Part::Server, ["a.example", "é", "", ""]), "it has 'é'"),
            (form(Part::Server, ["pickles.example", "dave", "", ""]), "Carol's laptop is carol@"),
            (form(Part::Device, ["", "carol@pickles.example", "", ""]), "called something"),
            (form(Part::Device, ["X", "carol", "", ""]), "it has an @"),
            (form(Part::Device, ["X", "@pickles.example", "", ""]), "a name before the @"),
            (form(Part::Device, ["X", "x@gone.example", "", ""]), "for gone.example: add one"),
            (form(Part::Device, ["pickles.example", "x@crepes.fr", "", ""]), "is a server"),
            (form(Part::Line, ["dns", "dns", "1ms", ""]), "joins two hosts"),
            (form(Part::Line, ["dns", "crepes.fr", "soon", ""]), "write 40ms or 2s"),
            (form(Part::Line, ["dns", "gone", "1s", ""]), "no node named gone"),
        ];
        for (form, words) in cases {
            let why = story.build(&form).expect_err(words);
            assert!(why.contains(words), "{why:?} should say {words:?}");
            assert_eq!((story.text(), story.source().hash()), before);
        }
        for town in ["pickles.example", "crepes.fr"] {
            story.unbuild(&form(Part::Server, [town, "", "", ""])).expect("others are left");
        }
        let last = story.unbuild(&form(Part::Server, ["hamburger.edu", "", "", ""]));
        assert!(last.is_err_and(|why| why.contains("the last server")));
        let gone = story.unbuild(&form(Part::Device, ["Carol's laptop", "", "", ""]));
        assert!(gone.is_err_and(|why| why.contains("not there any more")));
    }

    #[test]
    fn a_world_is_bounded_while_it_is_built() {
        let mut story = sandbox();
        let refused = (0..40).find_map(|at| {
            let town = format!("town{at}.example");
            story.build(&form(Part::Server, [&town, "", "", ""])).err()
        });
        let why = refused.expect("there is an end");
        assert!(why.contains("at most 24 nodes"), "{why}");
        assert_eq!(story.nodes().len(), 24);
    }

    #[test]
    fn files_open_where_they_belong() {
        let mut story = sandbox();
        pickles(&mut story);
        let Ok(Route::Shared(link)) = opened(&story.text()) else { panic!("it is a world") };
        let (again, _) = Story::shared(&link).expect("it is a link");
        assert_eq!(again.built(), story.built());
        let file = format!("http://127.0.0.1:8025/playground/#/w/{link}\n");
        assert_eq!(opened(&file), Ok(Route::Shared(link)));
        let planned =
            "base = \"towns\"\n[[do]]\nat = \"1s\"\nwhat = \"try-now\"\nnode = \"crepes.fr\"\n";
        let Ok(Route::Shared(link)) = opened(planned) else { panic!("it is a story") };
        assert!(!Story::shared(&link).expect("it is a link").0.is_sandbox());
        let why = story.set_text(planned).expect_err("it is planned");
        assert!(why.contains("open it as a file"), "{why}");
        for (text, words) in [
            ("", "needs a node"),
            ("hello", "not know"),
            ("1AAAA", "not whole"),
            ("[[nod]]", "nobody knows what [[nod]] is"),
        ] {
            let why = opened(text).expect_err(words);
            assert!(why.contains(words), "{text:?}: {why}");
        }
    }
}
