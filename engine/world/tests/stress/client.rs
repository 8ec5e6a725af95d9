//! A client whose session runs at once, as if nothing were between it and the server.

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

use super::Random;
use super::mind::{Kind, Mind, Sent};
use super::model::Given;

type Talk = Conversation<Server, Session<Server>, ImapService<LocalBackend>>;

pub(crate) struct Client {
    talk: Talk,
    mind: Mind,
    /// The rest of a command of which a part was said.
    half_said: Option<(Sent, String)>,
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
            preauth: None,
            without: vec![],
            faults: false,
            limits: Limits::IMAP,
            trace: false,
        };
        let now = Now { monotonic_ms: 0, unix_ms: 1_767_603_600_000 };
        let service = ImapService::new(Arc::clone(backend), key);
        let talk = Conversation::new(Session::new(config, now), service, now);
        let kind = match key % 4 {
            1 => Kind::Qresync,
            3 => Kind::Condstore,
            _ => Kind::Plain,
        };
        let mut client = Self { talk, mind: Mind::new(key, account, kind, false), half_said: None };
        while let Some(command) = client.mind.todo.pop_front() {
            client.must(&command, &mut Given::default());
        }
        client
    }

    pub(crate) fn account(&self) -> &'static str {
        self.mind.account
    }

    pub(crate) fn is_over(&self) -> bool {
        self.talk.is_closed()
    }

    /// A command that is answered OK.
    pub(crate) fn must(&mut self, command: &str, given: &mut Given) {
        let (sent, octets) = self.mind.say(command);
        let answer = self.command(sent, &octets, given);
        assert!(answer.contains(" OK "), "{command}: {answer}");
    }

    fn octets(&mut self, text: &str) -> String {
        let sent = self.talk.say(text.as_bytes()).expect("the host keeps the contract");
        String::from_utf8(sent).expect("it is ASCII")
    }

    /// Says a command, or the rest of it, and hears all of its answer; gives the last line.
    fn command(&mut self, sent: Sent, octets: &str, given: &mut Given) -> String {
        let command = sent.command.clone();
        self.mind.said(sent, given);
        let text = self.octets(octets);
        self.hear(&command, &text, given)
    }

    fn hear(&mut self, command: &str, text: &str, given: &mut Given) -> String {
        let mut last = String::new();
        for line in text.split_terminator("\r\n") {
            assert!(last.is_empty(), "nothing follows the end of {command}: {text}");
            self.mind.hear_line(line, given);
            if self.mind.is_answered() && !self.mind.is_idling() {
                line.clone_into(&mut last);
            }
        }
        assert!(self.is_over() || self.mind.is_answered(), "{command} is not answered: {text}");
        last
    }

    /// What the client is told while it says nothing.
    pub(crate) fn hear_others(&mut self, given: &mut Given) {
        let sent = self.talk.hear_others().expect("the host keeps the contract");
        let text = String::from_utf8(sent).expect("it is ASCII");
        text.split_terminator("\r\n").for_each(|line| self.mind.hear_line(line, given));
    }

    /// Goes on with what was begun, or does something else.
    pub(crate) fn step(&mut self, random: &mut Random, given: &mut Given) {
        self.hear_others(given);
        if self.is_over() {
            return;
        }
        if self.mind.is_idling() {
            let done = self.mind.done();
            let text = self.octets(done);
            self.hear(done, &text, given);
            return;
        }
        if let Some((sent, rest)) = self.half_said.take() {
            self.command(sent, &rest, given);
            return;
        }
        let (command, may_stop) = self.mind.choose(random, given);
        let (sent, octets) = self.mind.say(&command);
        if may_stop && random.below(6) == 0 {
            let (half, rest) = octets.split_at(octets.len() / 2);
            assert_eq!(self.octets(half), "", "half a command is answered by nothing");
            self.half_said = Some((sent, rest.to_owned()));
            return;
        }
        self.command(sent, &octets, given);
    }

    /// Ends what was begun, and hears all that there is to hear.
    pub(crate) fn come_to_rest(&mut self, given: &mut Given) {
        if self.is_over() {
            return;
        }
        let mut random = Random(1);
        while self.mind.is_idling() || self.half_said.is_some() || !self.mind.todo.is_empty() {
            self.step(&mut random, given);
        }
        self.hear_others(given);
        self.mind.rest(&mut random);
        while let Some(command) = self.mind.todo.pop_front() {
            self.must(&command, given);
        }
    }

    /// What the client was told bit by bit is what the mailbox is; how many messages that are.
    pub(crate) fn check_all(&mut self, given: &mut Given) -> usize {
        self.hear_others(given);
        let Some(known) = self.mind.open.clone() else { return 0 };
        self.must("UID FETCH 1:* (FLAGS)", given);
        let count = self.mind.compare(&known);
        if let Some((_, before)) = self.mind.kept.take() {
            let (sent, octets) = self.mind.say("UID SEARCH RETURN (ALL) FLAGGED UNDELETED");
            self.mind.kept = Some((sent.tag(), BTreeSet::new()));
            self.command(sent, &octets, given);
            let now = self.mind.kept.take().map(|(_, uids)| uids);
            assert_eq!(Some(before), now, "the result that was kept up to date");
        }
        count
    }

    pub(crate) fn resynchronised(&self) -> u32 {
        self.mind.resynchronised
    }
}
