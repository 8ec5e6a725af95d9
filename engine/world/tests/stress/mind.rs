//! What one client makes of what it hears, and what it says next. How octets travel is left to who drives it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::model::{Cache, Given, Model, between, set};
use super::{MAILBOXES, Random, SAFE};

/// How a client comes up to date when it opens a mailbox again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Condstore,
    Qresync,
}

/// What the client said by NOTIFY.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    AtCommands,
    AtOnce,
    Delayed,
    Nothing,
}

/// A command that is not answered yet.
pub(crate) struct Sent {
    tag: String,
    pub(crate) command: String,
    /// UIDs that were given out by then.
    given: BTreeMap<u32, u32>,
}

impl Sent {
    pub(crate) fn tag(&self) -> String {
        self.tag.clone()
    }
}

/// One client, wherever it is.
pub(crate) struct Mind {
    pub(crate) account: &'static str,
    key: u64,
    kind: Kind,
    /// Octets take time: what comes may be older than what was said.
    apart: bool,
    tags: u32,
    /// Oldest first.
    sent: VecDeque<Sent>,
    pub(crate) open: Option<Model>,
    /// The one that a SELECT on its way opens, while the old one may still be told of.
    next: Option<Model>,
    /// A search that is kept up to date (RFC 5267): its tag, and the UIDs that are in it.
    pub(crate) kept: Option<(String, BTreeSet<u32>)>,
    told: Told,
    /// IDLE, once it was answered by `+`.
    idling: Option<Sent>,
    /// What comes first, in order.
    pub(crate) todo: VecDeque<String>,
    greeted: bool,
    /// Prints what is said and heard.
    prints: bool,
    caches: BTreeMap<String, Cache>,
    /// How often a mailbox was opened with what was known of it before.
    pub(crate) resynchronised: u32,
}

impl Mind {
    pub(crate) fn new(key: u64, account: &'static str, kind: Kind, apart: bool) -> Self {
        let mut mind = Self {
            account,
            key,
            kind,
            apart,
            tags: 0,
            sent: VecDeque::new(),
            open: None,
            next: None,
            kept: None,
            told: Told::AtCommands,
            idling: None,
            todo: VecDeque::new(),
            greeted: false,
            prints: std::env::var("PILLARBOX_STRESS_LOG").is_ok(),
            caches: BTreeMap::new(),
            resynchronised: 0,
        };
        mind.lost();
        mind
    }

    /// The connection is over; what was learnt is kept, and used over the next.
    pub(crate) fn lost(&mut self) {
        self.leave();
        self.next = None;
        self.sent.clear();
        (self.told, self.idling, self.greeted) = (Told::AtCommands, None, false);
        self.todo = [format!("LOGIN {} x", self.account)].into();
        match self.kind {
            Kind::Plain => {}
            Kind::Condstore => self.todo.push_back("ENABLE CONDSTORE".to_owned()),
            Kind::Qresync => self.todo.push_back("ENABLE QRESYNC".to_owned()),
        }
    }

    /// The open mailbox is left; what is known of it is remembered.
    fn leave(&mut self) {
        self.kept = None;
        let Some(model) = self.open.take() else { return };
        if self.kind != Kind::Plain
            && let Some(cache) = model.cache()
        {
            self.caches.insert(model.name, cache);
        }
    }

    pub(crate) fn is_idling(&self) -> bool {
        self.idling.is_some()
    }

    /// Whether all that was said is answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.sent.is_empty()
    }

    fn name(&self, mailbox: &str) -> String {
        match self.account {
            "bob" => mailbox.to_owned(),
            _ => format!("\"Other Users/bob@hamburger.edu/{mailbox}\""),
        }
    }

    /// The octets of a command, and what is to be remembered of it once they are said.
    pub(crate) fn say(&mut self, command: &str) -> (Sent, String) {
        self.tags += 1;
        let sent = Sent {
            tag: format!("t{}", self.tags),
            command: command.to_owned(),
            given: BTreeMap::new(),
        };
        let octets = format!("{} {command}\r\n", sent.tag);
        (sent, octets)
    }

    /// The whole of a command was said.
    pub(crate) fn said(&mut self, mut sent: Sent, given: &Given) {
        sent.given = given.highest.clone();
        if self.prints {
            println!("{} C: {} {}", self.key, sent.tag, sent.command);
        }
        let verb = sent.command.split(' ').next().unwrap_or_default();
        match verb {
            "SELECT" | "EXAMINE" => self.opening(&sent.command),
            "NOTIFY" if sent.command.contains("(selected (") => self.told = Told::AtOnce,
            _ if sent.command.contains("(UPDATE ") => {
                self.kept = Some((sent.tag.clone(), BTreeSet::new()));
            }
            _ => {}
        }
        self.sent.push_back(sent);
    }

    fn opening(&mut self, command: &str) {
        let name = MAILBOXES.iter().find(|name| command.contains(**name)).expect("it is one");
        let by_changes = command.contains("(CONDSTORE)");
        let resumes = by_changes || command.contains("(QRESYNC (");
        let before = self.caches.get(*name).filter(|_| resumes);
        let model = Model::new(name, before, by_changes);
        // RFC 7162 §3.2.11: what comes before CLOSED is about the mailbox before.
        match self.open {
            Some(_) => self.next = Some(model),
            None => self.open = Some(model),
        }
    }

    /// One line that came.
    pub(crate) fn hear_line(&mut self, line: &str, given: &mut Given) {
        if self.prints {
            println!("{} S: {line}", self.key);
        }
        let tagged = self.sent.front().is_some_and(|sent| {
            line.strip_prefix(&sent.tag[..]).is_some_and(|rest| rest.starts_with(' '))
        });
        if tagged {
            let sent = self.sent.pop_front().expect("it was there");
            self.learn(&sent, line, given);
            return;
        }
        if line.starts_with("+ ") {
            let idle = self.sent.pop_front();
            assert!(idle.as_ref().is_some_and(|sent| sent.command == "IDLE"), "unasked: {line}");
            self.idling = idle;
            return;
        }
        self.hear(line, given);
    }

    /// What is said to end IDLE.
    pub(crate) fn done(&mut self) -> &'static str {
        let mut idle = self.idling.take().expect("it idles");
        idle.command = "DONE".to_owned();
        self.sent.push_back(idle);
        "DONE\r\n"
    }

    /// One untagged line.
    fn hear(&mut self, line: &str, given: &mut Given) {
        let at_once = self.idling.is_some() || self.told == Told::AtOnce;
        let command = self.sent.front().map(|sent| sent.command.clone());
        // RFC 9051 §7.5.1
        let verb = command.as_ref().and_then(|command| command.split(' ').next());
        let expunges = match verb {
            Some(verb) => {
                let by_number = matches!(verb, "FETCH" | "STORE" | "SEARCH" | "SORT" | "THREAD");
                at_once || !by_number
            }
            None => at_once,
        };
        let greets = !std::mem::replace(&mut self.greeted, true);
        let may = command.is_some() || at_once || self.told == Told::Delayed || greets;
        assert!(may || line.starts_with("* BYE"), "unasked: {line}");
        let Some(rest) = line.strip_prefix("* ") else { panic!("{command:?}: {line}") };
        let mut words = rest.split(' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if second == "[CLOSED]" && self.next.is_some() {
            self.leave();
            self.open = self.next.take();
        }
        match first {
            "ESEARCH" => return self.keep(line),
            "STATUS" => {
                let status = self.sent.iter().find(|sent| sent.command.starts_with("STATUS"));
                return given.uid_next(status.map(|sent| &sent.given), line);
            }
            _ => {}
        }
        let Some(model) = &mut self.open else { return };
        if let Ok(number) = first.parse::<usize>() {
            match second {
                "EXISTS" => model.exists(number, line),
                "EXPUNGE" => {
                    assert!(expunges, "not now ({command:?}): {line}");
                    model.expunge(number, line);
                }
                "FETCH" => model.fetch(number, line, given),
                _ => {}
            }
            return;
        }
        match first {
            "OK" => model.code(line),
            "VANISHED" if second == "(EARLIER)" => {
                let uids = words.next().unwrap_or_default();
                model.vanished_earlier(&set(uids), line);
            }
            "VANISHED" => {
                assert!(expunges, "not now ({command:?}): {line}");
                model.vanished(&set(second), line);
            }
            "SEARCH" => {
                let by_uid = verb == Some("UID");
                let found: Vec<u32> =
                    rest.split(' ').skip(1).map(|n| n.parse().expect("a number")).collect();
                model.found(by_uid, &found, line);
                if command.as_deref() == Some("UID SEARCH ALL") {
                    model.found_all(&found);
                }
            }
            "SORT" | "THREAD" => {
                let numbers = rest.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
                let mut found: Vec<u32> = numbers.map(|n| n.parse().expect("a number")).collect();
                // Each once, which `found` sees by their order.
                found.sort_unstable();
                model.found(verb == Some("UID"), &found, line);
            }
            _ => {}
        }
    }

    /// RFC 5267 §4.3: what comes to a result was not in it, and what leaves it was.
    fn keep(&mut self, line: &str) {
        let Some((tag, uids)) = &mut self.kept else { return };
        if between(line, "(TAG \"", '"') != Some(tag) {
            return;
        }
        if let Some(all) = line.split(" ALL ").nth(1) {
            uids.extend(set(all));
        }
        for uid in between(line, "ADDTO (0 ", ')').map(set).into_iter().flatten() {
            assert!(uids.insert(uid), "it was there: {line}");
        }
        for uid in between(line, "REMOVEFROM (0 ", ')').map(set).into_iter().flatten() {
            assert!(uids.remove(&uid), "it was not there: {line}");
        }
    }

    /// What the end of a command says.
    fn learn(&mut self, sent: &Sent, line: &str, given: &mut Given) {
        let command = &sent.command[..];
        let verb = command.split(' ').next().unwrap_or_default();
        let ok = line.contains(" OK ");
        // RFC 5465 §5.3: with SELECTED a number may go while a command that has it is on its way.
        let gone = self.told == Told::AtOnce && line.contains("BAD There is no message with this");
        assert!(gone || !line.contains(" BAD "), "{}: {command}: {line}", self.key);
        assert!(ok || !matches!(verb, "LOGIN" | "ENABLE" | "SELECT" | "NOOP"), "{command}: {line}");
        if let Some(code) = between(line, "[APPENDUID ", ']') {
            let (validity, uid) = code.split_once(' ').expect("two numbers");
            let validity = validity.parse().expect("a number");
            given.new_uids(validity, &set(uid), &sent.given, line);
            if let Some(label) = self.label_of(command, given) {
                given.is_labelled(validity, set(uid)[0], &label, line);
            }
            given.is_acknowledged(validity, &set(uid), command.contains(SAFE));
        }
        if let Some(code) = between(line, "[COPYUID ", ']') {
            self.copied(code, sent, line, given);
        }
        match verb {
            "SELECT" | "EXAMINE" => {
                if let Some(next) = self.next.take().filter(|_| ok) {
                    panic!("{} was opened without CLOSED: {line}", next.name);
                }
                match &mut self.open {
                    Some(model) if ok => {
                        self.resynchronised += u32::from(model.opened(line));
                    }
                    _ => self.open = None,
                }
            }
            "CLOSE" | "UNSELECT" if ok => self.leave(),
            "NOTIFY" if ok => {
                self.told = match command {
                    _ if command.contains("(selected (") => Told::AtOnce,
                    _ if command.contains("(selected-delayed (") => Told::Delayed,
                    _ => Told::Nothing,
                };
            }
            _ if command.contains("FLAGS.SILENT") && ok => self.silent(command),
            _ if command.contains("(UPDATE ") && !ok => self.kept = None,
            _ => {}
        }
        if let Some(model) = &mut self.open {
            if command.contains("CHANGEDSINCE") && ok {
                self.resynchronised += u32::from(model.changes_told(line));
            }
            // Who does not want to be told of changes does not know what a mod-sequence covers.
            model.tagged(line, self.told != Told::Nothing && verb != "CLOSE");
        }
    }

    /// The subject of what was appended: it stands there, or is that of another message (RFC 4469).
    fn label_of(&self, command: &str, given: &Given) -> Option<String> {
        let Some(uid) = between(command, ";UID=", '"') else {
            return between(command, "Subject: ", '\r').map(str::to_owned);
        };
        let here = self.open.as_ref()?.validity?;
        given.labels.get(&(here, uid.parse().expect("a number"))).cloned()
    }

    fn copied(&self, code: &str, sent: &Sent, line: &str, given: &mut Given) {
        let parts: Vec<&str> = code.split(' ').collect();
        let (from, to) = (set(parts[1]), set(parts[2]));
        assert_eq!(from.len(), to.len(), "{line}");
        let validity = parts[0].parse().expect("a number");
        given.new_uids(validity, &to, &sent.given, line);
        given.is_acknowledged(validity, &to, sent.command.contains(SAFE));
        let here = self.open.as_ref().and_then(|model| model.validity);
        for (from, to) in from.iter().zip(&to) {
            let label = here.and_then(|here| given.labels.get(&(here, *from)).cloned());
            if let Some(label) = label {
                given.is_labelled(validity, *to, &label, line);
            }
        }
    }

    /// A change of which the client does not want to hear: it knows what becomes of the flags.
    fn silent(&mut self, command: &str) {
        let words: Vec<&str> = command.split(' ').collect();
        let Some(at) = words.iter().position(|word| *word == "STORE") else { return };
        let number: u32 = words[at + 1].parse().expect("one number");
        let sign = words[at + 2].chars().next().expect("a sign");
        let flag = words[at + 3].trim_matches(['(', ')']);
        if let Some(model) = &mut self.open {
            model.changed(words[0] == "UID", number, sign, flag);
        }
    }

    /// What the client says next; whether it may be said in two halves.
    pub(crate) fn choose(&mut self, random: &mut Random, given: &mut Given) -> (String, bool) {
        if let Some(command) = self.todo.pop_front() {
            return (command, false);
        }
        match self.about_messages(random) {
            Some(command) => (command, true),
            None => (self.other(random, given), false),
        }
    }

    /// Whether a command may be said before the one before it is answered (RFC 9051 §5.5).
    pub(crate) fn may_pipeline(&self, command: &str) -> bool {
        let by_uid = |command: &str| command.starts_with("UID ") && !command.contains("(UPDATE ");
        self.sent.len() < 3 && by_uid(command) && self.sent.iter().all(|sent| by_uid(&sent.command))
    }

    /// A command about messages or nothing, or none where no mailbox is open.
    fn about_messages(&self, random: &mut Random) -> Option<String> {
        let model = self.open.as_ref()?;
        let count = model.messages.len();
        if count == 0 {
            return (random.below(3) > 0).then(|| "NOOP".to_owned());
        }
        if self.apart && !model.is_complete() && random.below(3) == 0 {
            return Some("UID FETCH 1:* (FLAGS)".to_owned());
        }
        let low = 1 + random.below(count);
        let high = low + random.below(3).min(count - low);
        let flag = random.one(&["\\Seen", "\\Flagged", "\\Deleted", "\\Deleted", "$x"]);
        let sign = random.one(&["+", "-", "+"]);
        // RFC 5465 §5.3: a client that is told at once does well to use UIDs; numbers would be those of another moment.
        let uids_only = self.apart && self.told == Told::AtOnce;
        let number = random.below(20);
        let keeps = model.name == SAFE && (9..14).contains(&number) && number != 11;
        let command = match number {
            _ if keeps => "NOOP".to_owned(),
            0 => "NOOP".to_owned(),
            1 => format!("FETCH {low}:{high} (UID FLAGS)"),
            2 => "FETCH 1:* FLAGS".to_owned(),
            3 => "UID FETCH 1:* (FLAGS)".to_owned(),
            4 | 5 => format!("STORE {low}:{high} {sign}FLAGS ({flag})"),
            6 => format!("UID STORE {low}:{} {sign}FLAGS ({flag})", high + 3),
            7 => format!("SEARCH {}", random.one(&["ALL", "UNSEEN", "FLAGGED", "NOT DELETED"])),
            8 => format!("UID SEARCH {}", random.one(&["ALL", "SEEN", "KEYWORD $x", "UID 1:*"])),
            9 => "EXPUNGE".to_owned(),
            10 => format!("UID EXPUNGE {low}:{}", high + 9),
            11 => format!("COPY {low} {}", self.name(random.one(&MAILBOXES))),
            12 => format!("UID MOVE {low}:{high} {}", self.name(random.one(&MAILBOXES))),
            13 => format!("MOVE {low} {}", self.name(random.one(&MAILBOXES))),
            14 => format!("UID FETCH {low}:{} (ENVELOPE)", high + 5),
            15 => format!("FETCH {low}:{high} (UID ENVELOPE)"),
            17 => {
                let uid = model.messages[low - 1].uid?;
                let name = self.name(random.one(&MAILBOXES));
                format!("APPEND {name} CATENATE (URL \";UID={uid}\")")
            }
            18 => {
                let by = random.one(&["SUBJECT", "REVERSE ARRIVAL", "SIZE REVERSE SUBJECT"]);
                let uid = random.one(&["", "UID "]);
                format!("{uid}SORT ({by}) UTF-8 {}", random.one(&["ALL", "UNDELETED"]))
            }
            19 => format!("{}THREAD REFERENCES UTF-8 ALL", random.one(&["", "UID "])),
            16 => {
                let name = self.name(random.one(&MAILBOXES));
                format!(
                    "ESEARCH IN (mailboxes {name}) {}",
                    random.one(&["ALL", "FUZZY SUBJECT m1"])
                )
            }
            _ => return None,
        };
        let by_number = ["FETCH", "STORE", "SEARCH", "SORT", "THREAD", "COPY", "MOVE"];
        let verb = command.split(' ').next().unwrap_or_default();
        match uids_only && by_number.contains(&verb) {
            true => Some("UID FETCH 1:* (FLAGS)".to_owned()),
            false => Some(command),
        }
    }

    /// What changes which mailbox is open, or how the client is told of things.
    fn other(&mut self, random: &mut Random, given: &mut Given) -> String {
        let mailbox = random.one(&MAILBOXES);
        let name = self.name(mailbox);
        match random.below(12) {
            0..=3 => self.select(mailbox, random),
            4..=6 => {
                let flags = random.one(&["\\Seen", "", "$x"]);
                let message = format!("Subject: m{}\r\n\r\n", given.next_key());
                format!("APPEND {name} ({flags}) {{{}+}}\r\n{message}", message.len())
            }
            7 => "IDLE".to_owned(),
            8 => {
                let groups = [
                    "(selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))",
                    "(selected-delayed (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange MailboxName))",
                    "(subscribed (MailboxName))",
                ];
                format!("NOTIFY SET {}", random.one(&groups))
            }
            9 if self.open.is_some() && random.below(3) == 0 => {
                let safe = self.open.as_ref().is_some_and(|model| model.name == SAFE);
                random.one(if safe { &["UNSELECT"] } else { &["UNSELECT", "CLOSE"] }).to_owned()
            }
            10 if self.kept.is_none() && self.open.is_some() => {
                "UID SEARCH RETURN (UPDATE ALL) FLAGGED UNDELETED".to_owned()
            }
            10 => self.silently(random).unwrap_or_else(|| "NOOP".to_owned()),
            _ => format!("STATUS {name} (UIDVALIDITY UIDNEXT MESSAGES)"),
        }
    }

    fn select(&mut self, mailbox: &str, random: &mut Random) -> String {
        let verb = random.one(&["SELECT", "SELECT", "SELECT", "EXAMINE"]);
        let name = self.name(mailbox);
        // What was learnt of the mailbox that is open now counts as well.
        let now = self.open.as_ref().filter(|model| model.name == mailbox).map(Model::cache);
        let cache = now.flatten().or_else(|| self.caches.get(mailbox).cloned());
        let Some(mut cache) = cache.filter(|_| random.below(8) > 0) else {
            return format!("{verb} {name}");
        };
        match self.kind {
            Kind::Plain => format!("{verb} {name}"),
            Kind::Condstore => {
                self.caches.insert(mailbox.to_owned(), cache.clone());
                self.todo.push_back("UID SEARCH ALL".to_owned());
                let since = cache.modseq;
                self.todo.push_back(format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since})"));
                format!("{verb} {name} (CONDSTORE)")
            }
            Kind::Qresync => {
                let (validity, since) = (cache.validity, cache.modseq);
                let known = match cache.uids.last_key_value() {
                    Some((last, _)) if random.below(3) == 0 => format!(" 1:{last}"),
                    _ => String::new(),
                };
                cache.limited = !known.is_empty();
                self.caches.insert(mailbox.to_owned(), cache);
                format!("{verb} {name} (QRESYNC ({validity} {since}{known}))")
            }
        }
    }

    fn silently(&self, random: &mut Random) -> Option<String> {
        let model = self.open.as_ref().filter(|open| !open.messages.is_empty())?;
        let number = 1 + random.below(model.messages.len());
        let (sign, flag) = (random.one(&["+", "-"]), random.one(&["\\Flagged", "$x"]));
        let change = format!("{sign}FLAGS.SILENT ({flag})");
        if self.apart && self.told == Told::AtOnce {
            let uid = model.messages[number - 1].uid?;
            return Some(format!("UID STORE {uid} {change}"));
        }
        Some(format!("STORE {number} {change}"))
    }

    /// From here on all is told, of some mailbox.
    pub(crate) fn rest(&mut self, random: &mut Random) {
        self.todo.clear();
        if self.open.is_none() {
            let select = self.select(random.one(&MAILBOXES), random);
            self.todo.push_front(select);
        }
        let all = "(selected (MessageNew MessageExpunge FlagChange))";
        self.todo.push_back(format!("NOTIFY SET {all}"));
        self.todo.push_back("NOOP".to_owned());
    }

    /// What the client was told bit by bit is what the mailbox is; how many messages that are.
    pub(crate) fn compare(&self, known: &Model) -> usize {
        let who = format!("client {} of {}", self.key, self.account);
        let now = &self.open.as_ref().expect("it is open").messages;
        assert_eq!(known.messages.len(), now.len(), "{who} was told of another number of messages");
        for (before, now) in known.messages.iter().zip(now) {
            assert!(now.uid.is_some(), "{who}: a message was not told");
            assert!(before.uid.is_none() || before.uid == now.uid, "{who}: {before:?} is {now:?}");
            let flags = &before.flags;
            assert!(flags.is_none() || *flags == now.flags, "{who} knew {before:?}, it is {now:?}");
        }
        now.len()
    }
}
