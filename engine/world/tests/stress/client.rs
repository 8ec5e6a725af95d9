//! One client: what it says at random, and what it makes of the answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use pillarbox_engine::Session;
use pillarbox_engine::imap::Server;
use pillarbox_engine::imap::types::Config;
use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{AuthOffer, Mechanism};
use pillarbox_engine::types::{Now, Peer, TlsOffer};
use pillarbox_world::conversation::Conversation;
use pillarbox_world::service::ImapService;
use pillarbox_world::service::local::LocalBackend;

use super::model::{Given, Model, between, set};
use super::{MAILBOXES, Random};

type Talk = Conversation<Server, Session<Server>, ImapService<LocalBackend>>;

/// What the client said by NOTIFY.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    AtCommands,
    AtOnce,
    Delayed,
    Nothing,
}

pub(crate) struct Client {
    talk: Talk,
    key: u64,
    account: &'static str,
    tags: u32,
    open: Option<Model>,
    /// A search that is kept up to date (RFC 5267): its tag, and the UIDs that are in it.
    kept: Option<(String, BTreeSet<u32>)>,
    told: Told,
    idling: Option<String>,
    /// The rest of a command of which a part was said.
    half_said: Option<(String, String)>,
}

impl Client {
    pub(crate) fn new(backend: &Arc<LocalBackend>, key: u64, account: &'static str) -> Self {
        let mechanisms = vec![Mechanism::Plain];
        let config = Config {
            host_name: b"hamburger.edu".to_vec(),
            peer: Peer::default(),
            session_id: key.to_string().into_bytes(),
            tls: TlsOffer::None,
            auth: AuthOffer { mechanisms, password_commands: true, cleartext: true },
            without: vec![],
            faults: false,
            limits: Limits::IMAP,
            trace: false,
        };
        let now = Now { monotonic_ms: 0, unix_ms: 1_767_603_600_000 };
        let service = ImapService::new(Arc::clone(backend), key);
        let talk = Conversation::new(Session::new(config, now), service, now);
        let mut client = Self {
            talk,
            key,
            account,
            tags: 0,
            open: None,
            kept: None,
            told: Told::AtCommands,
            idling: None,
            half_said: None,
        };
        client.must(&format!("LOGIN {account} x"));
        if key % 4 == 1 {
            client.must("ENABLE QRESYNC");
        }
        client
    }

    pub(crate) fn account(&self) -> &'static str {
        self.account
    }

    pub(crate) fn is_over(&self) -> bool {
        self.talk.is_closed()
    }

    /// A command that is answered OK.
    pub(crate) fn must(&mut self, command: &str) {
        let answer = self.command(command, &mut Given::default());
        assert!(answer.contains(" OK "), "{command}: {answer}");
    }

    fn name(&self, mailbox: &str) -> String {
        match self.account {
            "bob" => mailbox.to_owned(),
            _ => format!("\"Other Users/bob@hamburger.edu/{mailbox}\""),
        }
    }

    fn say(&mut self, text: &str) -> String {
        let sent = self.talk.say(text.as_bytes()).expect("the host keeps the contract");
        String::from_utf8(sent).expect("it is ASCII")
    }

    /// Says a command and hears all of its answer; gives the last line.
    fn command(&mut self, command: &str, given: &mut Given) -> String {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        let text = self.say(&format!("{tag} {command}\r\n"));
        self.hear_command(&tag, command, &text, given)
    }

    fn hear_command(&mut self, tag: &str, command: &str, text: &str, given: &mut Given) -> String {
        // RFC 9051 §7.5.1
        let verb = command.split(' ').next().unwrap_or_default();
        let holds = matches!(verb, "FETCH" | "STORE" | "SEARCH") && self.told != Told::AtOnce;
        let mut last = String::new();
        for line in text.split_terminator("\r\n") {
            assert!(last.is_empty(), "nothing follows the end of {command}: {text}");
            match line.strip_prefix(tag) {
                Some(end) if end.starts_with(' ') => last = line.to_owned(),
                _ => self.hear(line, Some(command), !holds),
            }
        }
        if self.is_over() {
            return last;
        }
        assert!(!last.is_empty(), "{}: {command} is not answered: {text}", self.key);
        // RFC 5465 §5.3: with SELECTED a number may go while a command that has it is on its way.
        let gone = self.told == Told::AtOnce && last.contains("BAD There is no message with this");
        assert!(gone || !last.contains(" BAD "), "{command}: {last}");
        self.learn(command, &last, given);
        last
    }

    /// One untagged line.
    fn hear(&mut self, line: &str, command: Option<&str>, expunges: bool) {
        let Some(rest) = line.strip_prefix("* ") else {
            assert!(line.starts_with("+ "), "{command:?}: {line}");
            return;
        };
        let mut words = rest.split(' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Some(model) = &mut self.open else { return };
        if let Ok(number) = first.parse::<usize>() {
            match second {
                "EXISTS" => model.exists(number, line),
                "EXPUNGE" => {
                    assert!(expunges, "not now ({command:?}): {line}");
                    model.expunge(number, line);
                }
                "FETCH" => {
                    let uid = between(line, "UID ", ' ').or(between(line, "UID ", ')'));
                    let uid = uid.and_then(|uid| uid.trim_end_matches(')').parse().ok());
                    let flags = between(line, "FLAGS (", ')').map(|flags| {
                        let some = |flag: &&str| !flag.is_empty() && *flag != "\\Recent";
                        flags.split(' ').filter(some).map(str::to_owned).collect::<BTreeSet<_>>()
                    });
                    model.fetched(number, uid, flags, line);
                }
                _ => {}
            }
            return;
        }
        match first {
            "ESEARCH" => self.keep(line),
            "VANISHED" if second != "(EARLIER)" => {
                assert!(expunges, "not now ({command:?}): {line}");
                model.vanished(&set(second), line);
            }
            "SEARCH" => {
                let by_uid = command.is_some_and(|command| command.starts_with("UID"));
                let found: Vec<u32> =
                    rest.split(' ').skip(1).map(|n| n.parse().expect("a number")).collect();
                model.found(by_uid, &found, line);
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
    fn learn(&mut self, command: &str, last: &str, given: &mut Given) {
        let mut words = command.split(' ');
        let verb = words.next().unwrap_or_default();
        let ok = last.contains(" OK ");
        if let Some(code) = between(last, "[APPENDUID ", ']') {
            let (validity, uid) = code.split_once(' ').expect("two numbers");
            given.new_uids(validity.parse().expect("a number"), &set(uid), last);
        }
        if let Some(code) = between(last, "[COPYUID ", ']') {
            let parts: Vec<&str> = code.split(' ').collect();
            let (from, to) = (set(parts[1]), set(parts[2]));
            assert_eq!(from.len(), to.len(), "{last}");
            given.new_uids(parts[0].parse().expect("a number"), &to, last);
        }
        match verb {
            "SELECT" | "EXAMINE" if !ok => self.open = None,
            "CLOSE" | "UNSELECT" if ok => (self.open, self.kept) = (None, None),
            _ => {}
        }
    }

    fn open(&mut self, command: &str, given: &mut Given) {
        // What is heard from here on is about the new one.
        (self.open, self.kept) = (Some(Model::default()), None);
        self.command(command, given);
    }

    /// What the client is told while it says nothing.
    pub(crate) fn hear_others(&mut self) {
        let sent = self.talk.hear_others().expect("the host keeps the contract");
        let text = String::from_utf8(sent).expect("it is ASCII");
        let may = self.idling.is_some() || self.told == Told::AtOnce;
        let may_anything = may || self.told == Told::Delayed;
        for line in text.split_terminator("\r\n") {
            assert!(may_anything || line.starts_with("* BYE"), "unasked: {line}");
            self.hear(line, None, may);
        }
    }

    /// Goes on with what was begun, or does something else.
    pub(crate) fn step(&mut self, random: &mut Random, given: &mut Given) {
        self.hear_others();
        if self.is_over() {
            return;
        }
        if let Some(tag) = self.idling.take() {
            let text = self.say("DONE\r\n");
            self.hear_command(&tag, "DONE", &text, given);
            return;
        }
        let command = match self.half_said.take() {
            Some((command, rest)) => {
                let text = self.say(&rest);
                let tag = format!("t{}", self.tags);
                self.hear_command(&tag, &command, &text, given);
                return;
            }
            None => self.choose(random),
        };
        match command {
            Some(command) if random.below(6) == 0 && !command.contains('{') => {
                self.tags += 1;
                let line = format!("t{} {command}\r\n", self.tags);
                let (half, rest) = line.split_at(line.len() / 2);
                assert_eq!(self.say(half), "", "half a command is answered by nothing");
                self.half_said = Some((command, rest.to_owned()));
            }
            Some(command) => drop(self.command(&command, given)),
            None => self.other(random, given),
        }
    }

    /// A command about messages or nothing, or none where no mailbox is open.
    fn choose(&self, random: &mut Random) -> Option<String> {
        let count = self.open.as_ref()?.messages.len();
        if count == 0 {
            return (random.below(3) > 0).then(|| "NOOP".to_owned());
        }
        let low = 1 + random.below(count);
        let high = low + random.below(3).min(count - low);
        let flag = random.one(&["\\Seen", "\\Flagged", "\\Deleted", "\\Deleted", "$x"]);
        let sign = random.one(&["+", "-", "+"]);
        Some(match random.below(16) {
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
            _ => return None,
        })
    }

    /// What changes which mailbox is open, or how the client is told of things.
    fn other(&mut self, random: &mut Random, given: &mut Given) {
        let name = self.name(random.one(&MAILBOXES));
        match random.below(12) {
            0..=2 => self.open(&format!("SELECT {name}"), given),
            3 => self.open(&format!("EXAMINE {name}"), given),
            4..=6 => {
                let append = format!(
                    "APPEND {name} ({}) {{12+}}\r\nSubject: x\r\n",
                    random.one(&["\\Seen", "", "$x"])
                );
                drop(self.command(&append, given));
            }
            7 => {
                self.tags += 1;
                let tag = format!("t{}", self.tags);
                let text = self.say(&format!("{tag} IDLE\r\n"));
                for line in text.split_terminator("\r\n") {
                    self.hear(line, None, true);
                }
                self.idling = Some(tag);
            }
            8 => {
                let (told, group) = [
                    (Told::AtOnce, "(selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))"),
                    (
                        Told::Delayed,
                        "(selected-delayed (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange MailboxName))",
                    ),
                    (Told::Nothing, "(subscribed (MailboxName))"),
                ][random.below(3)];
                // From here on it holds, and what comes with it is told by its rules.
                self.told = if told == Told::AtOnce { told } else { self.told };
                drop(self.command(&format!("NOTIFY SET {group}"), given));
                self.told = told;
            }
            9 if self.open.is_some() && random.below(3) == 0 => {
                drop(self.command(random.one(&["UNSELECT", "CLOSE"]), given));
            }
            10 if self.kept.is_none() && self.open.is_some() => {
                self.kept = Some((format!("t{}", self.tags + 1), BTreeSet::new()));
                let search = "UID SEARCH RETURN (UPDATE ALL) FLAGGED UNDELETED";
                drop(self.command(search, given));
            }
            10 => self.silently(random, given),
            _ => {
                let answer = self.status(&name);
                let number = |from: &str| {
                    let text = between(&answer, from, ' ').or(between(&answer, from, ')'));
                    text.and_then(|text| text.trim_end_matches(')').parse::<u32>().ok())
                };
                if let (Some(validity), Some(next)) = (number("UIDVALIDITY "), number("UIDNEXT ")) {
                    given.uid_next(validity, next, &answer);
                }
            }
        }
    }

    fn status(&mut self, name: &str) -> String {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        let command = format!("STATUS {name} (UIDVALIDITY UIDNEXT MESSAGES)");
        let text = self.say(&format!("{tag} {command}\r\n"));
        self.hear_command(&tag, &command, &text, &mut Given::default());
        text.lines().find(|line| line.starts_with("* STATUS")).unwrap_or_default().to_owned()
    }

    /// A change of which the client does not want to hear: it knows what becomes of the flags.
    fn silently(&mut self, random: &mut Random, given: &mut Given) {
        let count = self.open.as_ref().map_or(0, |open| open.messages.len());
        if count == 0 {
            return;
        }
        let (number, sign) = (1 + random.below(count), random.one(&["+", "-"]));
        let flag = random.one(&["\\Flagged", "$x"]);
        let answer = self.command(&format!("STORE {number} {sign}FLAGS.SILENT ({flag})"), given);
        if answer.contains(" OK ")
            && let Some(model) = &mut self.open
        {
            model.changed(number, sign.chars().next().expect("a sign"), flag);
        }
    }

    /// Ends what was begun, and hears all that there is to hear.
    pub(crate) fn come_to_rest(&mut self, given: &mut Given) {
        if self.is_over() {
            return;
        }
        let mut random = Random(1);
        while self.idling.is_some() || self.half_said.is_some() {
            self.step(&mut random, given);
        }
        self.hear_others();
        let all = "(selected (MessageNew MessageExpunge FlagChange))";
        self.told = Told::AtOnce;
        drop(self.command(&format!("NOTIFY SET {all}"), given));
        drop(self.command("NOOP", given));
    }

    /// What the client was told bit by bit is what the mailbox is; how many messages that are.
    pub(crate) fn check_all(&mut self) -> usize {
        self.hear_others();
        let Some(model) = &self.open else { return 0 };
        let (known, account, key) = (model.messages.clone(), self.account, self.key);
        let who = format!("client {key} of {account}");
        self.must("UID FETCH 1:* (FLAGS)");
        let now = &self.open.as_ref().expect("it is open").messages;
        assert_eq!(known.len(), now.len(), "{who} was told of another number of messages");
        for (before, now) in known.iter().zip(now) {
            assert!(now.uid.is_some(), "{who}: a message was not told");
            assert!(before.uid.is_none() || before.uid == now.uid, "{who}: {before:?} is {now:?}");
            let flags = &before.flags;
            assert!(flags.is_none() || *flags == now.flags, "{who} knew {before:?}, it is {now:?}");
        }
        let count = now.len();
        if let Some((_, before)) = self.kept.take() {
            self.kept = Some((format!("t{}", self.tags + 1), BTreeSet::new()));
            self.must("UID SEARCH RETURN (ALL) FLAGGED UNDELETED");
            let now = self.kept.take().map(|(_, uids)| uids);
            assert_eq!(Some(before), now, "{who}: the result that was kept up to date");
        }
        count
    }
}
