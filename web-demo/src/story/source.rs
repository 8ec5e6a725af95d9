//! Where a story comes from: a tape of the world. All that the page asks of the world passes through here.

use std::cell::RefCell;
use std::rc::Rc;

use pillarbox_engine::trace::Side;
use pillarbox_world::annotate::Annotation;
use pillarbox_world::catalogue::{self, Gloss, Party, Protocol as Spoken};
use pillarbox_world::tape::share::{Opened, Passwords};
use pillarbox_world::tape::{Heading, Level, Scenario, Tape, export};
use pillarbox_world::world::{
    Action, Dir, DnsAnswer, End, Entry, EntryId, Fate, Kind as NodeKind, NodeId, NodeSetup,
    Protocol, Time, What, WireId, World,
};

use super::annotated::{Annotated, Read};
use super::layout::Kind;
use super::lines::visible;
use super::seen::Seen;

/// What a node is, for a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its number.
    pub id: NodeId,
    /// Its name in actions.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What stands under that.
    pub under: String,
    /// What it is.
    pub kind: Kind,
    /// Who has a mailbox there, by the first part of the address.
    pub users: Vec<String>,
    /// What it is for.
    pub duty: &'static str,
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
}

/// A question before something surprising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which of the scenario's.
    pub number: usize,
    /// What is asked.
    pub text: String,
    /// What can be answered.
    pub choices: Vec<String>,
    /// Which of them is so.
    pub right: usize,
    /// What to say then.
    pub after: String,
}

/// A scenario, for the list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name in links.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What a reader will have understood.
    pub goal: String,
}

/// All scenarios.
#[must_use]
pub fn scenarios() -> Vec<Listed> {
    let listed = |one: Heading| Listed { id: one.id.to_owned(), title: one.title, goal: one.says };
    Scenario::headings().map(listed).collect()
}

/// All that happened, as a file.
#[derive(Clone, Copy, Debug)]
pub struct Export {
    /// What it is.
    pub words: &'static str,
    /// How it is called.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    make: fn(&Tape) -> Vec<u8>,
}

impl Export {
    /// Its octets.
    #[must_use]
    pub fn octets(&self, source: &Source) -> Vec<u8> {
        (self.make)(&source.tape)
    }
}

/// How much of a story is told at most, so that one that never ends does not hold the page.
const ENTRIES_MAX: usize = 20_000;
/// How much time a story takes at most: a queue gives up after five days.
const TIME_MAX: Time = Time(8 * 24 * 3_600_000);
/// The seed of a story that nobody chose another for.
const SEED: u64 = 1;

/// A tape, and what was read from it.
pub struct Source {
    tape: Tape,
    nodes: Vec<NodeInfo>,
    links: Vec<(NodeId, NodeId)>,
    answered: Vec<usize>,
    told: bool,
    shows_secrets: bool,
    /// Grows whenever what happened is not what had happened before and more.
    history: u32,
    // A list: maps of every kind are what makes a page large.
    read: RefCell<Vec<Rc<Read>>>,
}

impl Source {
    /// A scenario, told to its end.
    #[must_use]
    pub fn scenario(id: &str) -> Option<Self> {
        let mut source = Self::new(Scenario::find(id)?).ok()?;
        source.tell_all();
        Some(source)
    }

    /// A scenario at its beginning.
    ///
    /// # Errors
    /// What in it makes no sense.
    pub fn new(scenario: Scenario) -> Result<Self, String> {
        Ok(Self::of(Tape::new(scenario, SEED)?))
    }

    /// The world of a link, told to its end, with what was seen where it was made.
    ///
    /// # Errors
    /// Why it is no link.
    pub fn shared(link: &str) -> Result<(Self, Option<Seen>), String> {
        let opened = Tape::decode(link).map_err(|why| why.to_string())?;
        Ok(Self::opened(opened))
    }

    /// The same of a link that is kept in a file.
    ///
    /// # Errors
    /// Why it is no link.
    pub fn filed(link: &str) -> Result<(Self, Option<Seen>), String> {
        Ok(Self::opened(Tape::decode_file(link).map_err(|why| why.to_string())?))
    }

    fn opened(opened: Opened) -> (Self, Option<Seen>) {
        let mut source = Self::of(opened.tape);
        if source.goes_on() {
            // It goes on from where it was left; where nothing was done, it has not begun.
            let last = source.tape.actions().last().map(|planned| planned.at);
            if let Some(last) = last {
                source.pass_to(last.after(super::doing::AFTER_MS));
            }
        } else {
            source.tell_all();
        }
        let seen = Seen::parse(&opened.view);
        source.shows_secrets |= seen.is_some_and(|seen| seen.secrets);
        (source, seen)
    }

    /// The world as text for a link; none: it is too long for one.
    #[must_use]
    pub fn link(&self, seen: &Seen) -> Option<String> {
        Some(self.text(seen, false)).filter(|link| Tape::fits(link))
    }

    /// The same however long it is, for a file; with all branches, or the one that is shown.
    #[must_use]
    pub fn text(&self, seen: &Seen, all_branches: bool) -> String {
        let view = seen.text();
        let passwords = if seen.secrets { Passwords::Typed } else { Passwords::CrossedOut };
        match all_branches {
            true => self.tape.encode_all_with(&view, passwords),
            false => self.tape.encode_with(&view, passwords),
        }
    }

    /// Whether a link to it goes on from where it was left, so that it has no other place.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        let scenario = self.tape.scenario();
        let by_hand = scenario.of_lab().is_some() || scenario.of_challenge().is_some();
        by_hand || scenario.is_unplanned()
    }

    /// A tape, as far as it has gone.
    #[must_use]
    pub fn of(tape: Tape) -> Self {
        let nodes = nodes(&tape);
        let links = links(tape.world(), &tape.scenario().setup.nodes, &nodes);
        let (answered, read) = (Vec::new(), RefCell::default());
        let shows_secrets = tape.scenario().shows_secrets;
        Self { tape, nodes, links, answered, told: false, shows_secrets, history: 0, read }
    }

    /// Lets everything happen that is to come.
    pub fn tell_all(&mut self) {
        while self.tape.entries(EntryId(0)).len() < ENTRIES_MAX
            && self.tape.next_due().is_some_and(|due| due < TIME_MAX)
            && self.tape.step()
        {}
        self.told = true;
        self.forget();
    }

    /// Whether secrets are shown as they are.
    #[must_use]
    pub fn shows_secrets(&self) -> bool {
        self.shows_secrets
    }

    /// Shows secrets, or masks them.
    pub fn show_secrets(&mut self, on: bool) {
        self.shows_secrets = on;
    }

    /// Whether all was told that is to come.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// How hard the network can be made, with what is different then.
    #[must_use]
    pub fn levels(&self) -> Vec<(Level, String)> {
        let variants = self.tape.scenario().variants.iter();
        let mut levels = vec![(Level::Perfect, String::new())];
        levels.extend(variants.map(|variant| (variant.level, variant.notice.clone())));
        levels
    }

    /// Makes the network as hard.
    pub fn set_level(&mut self, level: Level) {
        // The scenario's own faults make sense, which a test of the world finds out.
        let _ = self.tape.set_level(level);
        self.tell_all();
    }

    /// Faults: number, text, and how often each struck.
    #[must_use]
    pub fn faults(&self) -> Vec<(u64, String, u64)> {
        let listed = self.tape.world().faults().into_iter();
        listed.map(|fault| (fault.number, fault.rule.to_string(), fault.hits)).collect()
    }

    /// What to look at.
    #[must_use]
    pub fn notice(&self) -> &[String] {
        &self.tape.scenario().notice
    }

    /// All that happened, as files: what each is, its name, its media type, and how it is made. Secrets are masked.
    #[must_use]
    pub fn files(&self) -> Vec<Export> {
        let file =
            |words, name: &'static str, media_type, make| Export { words, name, media_type, make };
        vec![
            file(
                "What was said, as books print it",
                "transcript.txt",
                "text/plain;charset=utf-8",
                |tape| export::transcript(tape.world(), false).into_bytes(),
            ),
            file("A lab report, in Markdown", "report.md", "text/markdown;charset=utf-8", |tape| {
                export::report(tape, false).into_bytes()
            }),
            file(
                "The log and every octet's note, as lines of JSON",
                "log.jsonl",
                "application/jsonl",
                |tape| export::jsonl(tape.world(), false).into_bytes(),
            ),
            file("Packets, for Wireshark", "capture.pcapng", "application/x-pcapng", |tape| {
                export::pcapng(tape.world(), false)
            }),
            file("All messages in one file (mbox)", "messages.mbox", "application/mbox", |tape| {
                export::mbox(tape.world())
            }),
        ]
    }

    /// The messages in all mailboxes, each as a file.
    #[must_use]
    pub fn messages(&self) -> Vec<(String, Vec<u8>)> {
        let messages = export::messages(self.tape.world()).into_iter();
        messages.map(|message| (message.name, message.octets)).collect()
    }

    /// A number that two runs share only if all that happened is the same.
    #[must_use]
    pub fn hash(&self) -> String {
        format!("{:016x}", self.tape.hash())
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, ms: u64) {
        let until = self.tape.now().after(ms);
        self.tape.run_to(until);
    }

    /// Lets time pass until then.
    pub fn pass_to(&mut self, until: Time) {
        self.tape.run_to(until.max(self.tape.now()));
    }

    /// Lets time pass in which nothing is due.
    pub fn keep_time(&mut self, until: Time) {
        self.tape.run_to(until.max(self.tape.now()));
    }

    /// What happened is not what had happened before and more.
    fn forget(&mut self) {
        self.history += 1;
        self.read.borrow_mut().clear();
    }

    /// A number that stays as long as all that happened is still so, and more was added at most.
    #[must_use]
    pub fn history(&self) -> u32 {
        self.history
    }

    /// Entries of the log.
    #[must_use]
    pub fn length(&self) -> usize {
        self.tape.entries(EntryId(0)).len()
    }

    /// The world, to enter what happened outside of it.
    pub fn witnessed(&mut self) -> &mut World {
        self.tape.witnessed()
    }

    /// The node of this name.
    #[must_use]
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().find(|node| node.name == name).map(|node| node.id)
    }

    /// Takes back what was done last, for another branch; false: nothing was done.
    pub fn take_back(&mut self) -> bool {
        let done = self.tape.take_back();
        if done {
            self.forget();
        }
        done
    }

    /// Does something after so many entries; what came then is another branch.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn act_at(&mut self, cursor: usize, action: Action) -> Result<(), String> {
        if cursor < self.tape.entries(EntryId(0)).len() {
            self.tape.seek_entry(cursor);
            self.forget();
        }
        self.tape.act(action)
    }

    /// Names of all branches, and which one is shown.
    #[must_use]
    pub fn branches(&self) -> (Vec<String>, usize) {
        let (branches, current) = self.tape.branches();
        (branches.iter().map(|branch| branch.name.clone()).collect(), current)
    }

    /// One branch alone, told to its end.
    #[must_use]
    pub fn alone(&self, branch: usize) -> Option<Self> {
        let mut source = Self::of(self.tape.alone(branch)?);
        source.tell_all();
        Some(source)
    }

    /// Begins with another world, in which all that was done is done again.
    ///
    /// # Errors
    /// What in it makes no sense; then nothing was changed.
    pub fn rebuild(&mut self, scenario: Scenario) -> Result<(), String> {
        self.tape.rebuild(scenario)?;
        self.nodes = nodes(&self.tape);
        self.links = links(self.tape.world(), &self.tape.scenario().setup.nodes, &self.nodes);
        self.forget();
        Ok(())
    }

    /// Shows another branch, told to its end.
    pub fn switch(&mut self, branch: usize) {
        self.tape.switch(branch);
        self.tell_all();
    }

    /// The tape itself.
    #[must_use]
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// What it is called.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.tape.scenario().title
    }

    /// What a reader will have understood.
    #[must_use]
    pub fn goal(&self) -> &str {
        &self.tape.scenario().goal
    }

    /// Its nodes.
    #[must_use]
    pub fn nodes(&self) -> &[NodeInfo] {
        &self.nodes
    }

    /// Links between them, as the map draws them.
    #[must_use]
    pub fn links(&self) -> &[(NodeId, NodeId)] {
        &self.links
    }

    /// When its time begins.
    #[must_use]
    pub fn start_unix_ms(&self) -> u64 {
        self.tape.scenario().setup.start_unix_ms
    }

    /// The question that is open after so many entries.
    #[must_use]
    pub fn question(&self, entries: &[Entry], cursor: usize) -> Option<Question> {
        let before = cursor.checked_sub(1).and_then(|at| entries.get(at))?.at;
        let next = entries.get(cursor).map(|entry| entry.at)?;
        let open = self.tape.scenario().predictions.iter().enumerate().find(|(number, asked)| {
            before <= asked.at && asked.at < next && !self.answered.contains(number)
        });
        let (number, asked) = open?;
        Some(Question {
            number,
            text: visible(&asked.question),
            choices: asked.choices.iter().map(|choice| visible(choice)).collect(),
            right: asked.right,
            after: visible(&asked.because),
        })
    }

    /// A question is answered, or skipped.
    pub fn answered(&mut self, number: usize) {
        self.answered.push(number);
    }

    /// All lines of the log.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        self.tape.entries(EntryId(0))
    }

    /// Who answers questions about names.
    #[must_use]
    pub fn dns(&self) -> Option<NodeId> {
        self.nodes.iter().find(|node| node.kind == Kind::Dns).map(|node| node.id)
    }

    /// Octets that were sent.
    #[must_use]
    pub fn octets(&self, wire: WireId, dir: Dir) -> &[u8] {
        self.tape.octets(wire, dir, 0..u64::MAX)
    }

    /// What one direction of a wire consists of. Who receives parses finest; where somebody reads by hand, who sent tells.
    #[must_use]
    pub fn annotations(&self, wire: WireId, dir: Dir) -> Annotated<'_> {
        let world = self.tape.world();
        let reader = dir.receiver();
        let reads = !world.all_notes(wire, reader).is_empty();
        let (end, side) = if reads { (reader, Side::Received) } else { (dir.sender(), Side::Sent) };
        let mut known = self.read.borrow_mut();
        let place = known.iter().position(|read| read.is_of(wire, end)).unwrap_or_else(|| {
            known.push(Rc::new(Read::new(world, wire, end)));
            known.len() - 1
        });
        // While somebody looks at it, nothing is added that could be read.
        if let Some(read) = Rc::get_mut(&mut known[place]) {
            read.go_on(world);
        }
        let (read, shows_secrets) = (Rc::clone(&known[place]), self.shows_secrets);
        Annotated { read, world, dir, side, shows_secrets }
    }

    /// Messages in the inboxes of a server.
    #[must_use]
    pub fn mailboxes(&self, server: &str) -> u64 {
        let found = self.nodes.iter().find(|node| node.name == server);
        let boxes = found.map(|node| self.tape.world().mailboxes(node.id)).unwrap_or_default();
        boxes.iter().map(|row| row.count).sum()
    }

    /// Words for just these octets, if they are a word of the protocol.
    #[must_use]
    pub fn word(&self, wire: WireId, dir: Dir, annotation: &Annotation) -> Option<Gloss> {
        let protocol = self.tape.world().protocol(wire)?;
        let octets = self.tape.octets(wire, dir, annotation.at.clone());
        catalogue::word(spoken(protocol), annotation.label, octets)
    }

    /// Words for an annotation: what it is, and why.
    #[must_use]
    pub fn gloss(&self, wire: WireId, dir: Dir, annotation: &Annotation) -> Option<Gloss> {
        let protocol = self.tape.world().protocol(wire)?;
        let own = self.word(wire, dir, annotation);
        own.or_else(|| catalogue::label(spoken(protocol), annotation.label))
    }
}

/// A protocol's name for a reader.
pub(super) fn protocol_name(protocol: Protocol) -> &'static str {
    spoken(protocol).name()
}

pub(super) fn spoken(protocol: Protocol) -> Spoken {
    match protocol {
        Protocol::Smtp | Protocol::Submission => Spoken::Smtp,
        Protocol::Pop3 => Spoken::Pop3,
        Protocol::Imap => Spoken::Imap,
        Protocol::Http => Spoken::Http,
    }
}

pub(super) fn words_of(gloss: &Gloss) -> (String, String) {
    (gloss.what.to_owned(), gloss.why.replace('\n', " "))
}

/// The same as one text.
pub(super) fn sentence_of(gloss: &Gloss) -> String {
    let (what, why) = words_of(gloss);
    if why.is_empty() { what } else { format!("{what} {why}") }
}

/// Words for a session's state.
pub(super) fn state_gloss(protocol: Protocol, end: End, state: &str) -> Option<String> {
    let party = if end == End::Server { Party::Server } else { Party::Client };
    let gloss = catalogue::state(spoken(protocol), party, state)?;
    Some(sentence_of(&gloss))
}

/// Words for what an entry tells, where the catalogue has some.
pub(super) fn gloss(what: &What) -> Option<String> {
    let gloss = match what {
        What::Dns(asked) => match asked.answer.as_ref()? {
            DnsAnswer::Exchanges(_) => catalogue::dns("mx"),
            DnsAnswer::NoName => catalogue::dns("nxdomain"),
            DnsAnswer::Failed => catalogue::dns("servfail"),
            DnsAnswer::Addresses(_) | DnsAnswer::NoRecords => None,
        },
        What::Queue(queue) => catalogue::queue(match queue.fate {
            Fate::Queued | Fate::Deferred { .. } => "waiting",
            Fate::Tried => "trying",
            Fate::Delivered { .. } => "delivered",
            Fate::Failed { .. } => "failed",
            Fate::Expired { .. } => "expired",
        }),
        What::FaultFired { rule, .. } => {
            let word = rule.rsplit('/').next()?.split(['=', ' ']).next()?;
            catalogue::fault(word)
        }
        What::Defect { rule, .. } => Some(catalogue::rule(rule)),
        _ => None,
    };
    gloss.map(|gloss| sentence_of(&gloss))
}

fn nodes(tape: &Tape) -> Vec<NodeInfo> {
    let setups = &tape.scenario().setup.nodes;
    let views = tape.world().nodes();
    let info = |(view, setup): (pillarbox_world::world::NodeView, &NodeSetup)| {
        let (kind, duty) = match view.kind {
            NodeKind::Server => (
                Kind::Server,
                "A mail server: it keeps its users' mailboxes, and sends their mail on from its queue.",
            ),
            NodeKind::Device => {
                (Kind::Device, "A person's device: their mail program writes, sends and reads.")
            }
            NodeKind::Dns => {
                (Kind::Dns, "The name system: it says which server takes the mail of a domain.")
            }
        };
        let local = |address: &str| address.split('@').next().unwrap_or(address).to_owned();
        let users = setup.users.iter().map(|(address, _)| local(address)).collect();
        let mut facts = vec![("address", view.address.clone())];
        if !view.ports.is_empty() {
            let ports: Vec<String> = view.ports.iter().map(ToString::to_string).collect();
            facts.push(("listens on", ports.join(", ")));
        }
        // Conversations name servers by their host names, so the map does too.
        let (title, known_as) = match kind {
            Kind::Dns => ("DNS".to_owned(), None),
            Kind::Server => (view.name.clone(), (view.title != view.name).then_some(view.title)),
            _ => (view.title, None),
        };
        let under = match (&setup.account, kind) {
            (Some(account), _) => visible(&account.address),
            (None, Kind::Dns) => "names".to_owned(),
            _ => String::new(),
        };
        facts.extend(known_as.map(|known_as| ("is", visible(&known_as))));
        let title = visible(&title);
        NodeInfo { id: view.id, name: view.name, title, under, kind, users, duty, facts }
    };
    views.into_iter().zip(setups).map(info).collect()
}

/// The map's lines: people to the servers that they use, servers to each other and to DNS.
fn links(world: &World, setups: &[NodeSetup], nodes: &[NodeInfo]) -> Vec<(NodeId, NodeId)> {
    let mut links: Vec<(NodeId, NodeId)> = Vec::new();
    let mut add = |a: NodeId, b: NodeId| {
        if a != b && !links.contains(&(a, b)) && !links.contains(&(b, a)) {
            links.push((a, b));
        }
    };
    let find = |name: &str| nodes.iter().find(|node| node.name == name).map(|node| node.id);
    for (node, setup) in nodes.iter().zip(setups) {
        let Some(account) = &setup.account else { continue };
        let submit = account.submit.as_ref().map(|(server, _)| server.as_str());
        for server in [Some(account.server.as_str()), submit].into_iter().flatten() {
            if let Some(server) = find(server) {
                add(node.id, server);
            }
        }
    }
    let of = |kind: Kind| nodes.iter().filter(move |node| node.kind == kind).map(|node| node.id);
    // A server that no line of the world joins to another one stands at the end of the row.
    let is_server = |id: NodeId| of(Kind::Server).any(|server| server == id);
    let is_joined = |id: NodeId| {
        let mut lines = world.links().iter().filter(|link| is_server(link.a) && is_server(link.b));
        lines.any(|link| link.a == id || link.b == id)
    };
    for (server, next) in of(Kind::Server).zip(of(Kind::Server).skip(1)) {
        if !is_joined(next) {
            add(server, next);
        }
    }
    for (dns, server) in
        of(Kind::Dns).flat_map(|dns| of(Kind::Server).map(move |server| (dns, server)))
    {
        add(server, dns);
    }
    for link in world.links() {
        add(link.a, link.b);
    }
    links
}
