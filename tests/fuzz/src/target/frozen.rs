//! What a frozen session is thawed from, with a checksum that is right: no peer can reach it, and it is read as if one could.

use std::sync::{Arc, LazyLock};

use pillarbox_engine::imap::Server;
use pillarbox_engine::imap::types::Config;
use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{AuthOffer, Mechanism};
use pillarbox_engine::types::{Now, Peer, TlsOffer};
use pillarbox_engine::{Output, Session};
use pillarbox_world::conversation::Conversation;
use pillarbox_world::service::ImapService;
use pillarbox_world::service::local::LocalBackend;

use super::USUAL;
use crate::{Seen, Target};

pub(super) const FROZEN: Target = Target {
    name: "frozen",
    run: thaw,
    seeds: || SEEDS.clone(),
    words: &["\0", "\x01", "\x02", "\x04", "\x7f", "INBOX", "$Word"],
    rounds: 4000,
    ..USUAL
};

const NOW: Now = Now { monotonic_ms: 1000, unix_ms: 1_767_603_600_000 };

fn config() -> Config {
    let mechanisms = vec![Mechanism::Plain];
    Config {
        host_name: b"hamburger.edu".to_vec(),
        peer: Peer::default(),
        session_id: b"1".to_vec(),
        tls: TlsOffer::None,
        auth: AuthOffer { mechanisms, password_commands: true, cleartext: true },
        without: vec![],
        faults: false,
        preauth: None,
        limits: Limits::IMAP,
        trace: false,
    }
}

fn thaw(input: &[u8], seen: &mut Seen) {
    let frozen = [input, &checksum(input)].concat();
    let Ok(mut session) = Session::<Server>::thaw(config(), NOW, &frozen) else { return };
    assert!(matches!(session.poll(), Output::Wait { .. }), "it waits, as it did");
    // What says it longer than needed says the same once more.
    if let Some(again) = session.freeze() {
        let second = Session::<Server>::thaw(config(), NOW, &again).expect("what is frozen thaws");
        assert_eq!(second.freeze(), Some(again), "and is the same again");
    }
    let backend = Arc::new(LocalBackend::new(b"hamburger.edu"));
    let service = ImapService::new(backend, 1);
    let mut talk = Conversation::new(session, service, NOW);
    for line in LINES {
        let said = talk.say(line.as_bytes()).expect("the host keeps the contract");
        seen.note_lines(&said);
    }
}

/// What each kind of state answers, whether it is in IDLE or not.
const LINES: [&str; 9] = [
    "DONE\r\n",
    "a NOOP\r\n",
    "b FETCH 1:* (UID FLAGS)\r\n",
    "c UID FETCH $ FLAGS\r\n",
    "d SEARCH RETURN (SAVE) ALL\r\n",
    "e STORE 1 +FLAGS (\\Seen $x)\r\n",
    "f EXPUNGE\r\n",
    "g UNSELECT\r\n",
    "h LOGOUT\r\n",
];

/// FNV-1a, as it stands behind what is frozen.
fn checksum(octets: &[u8]) -> [u8; 8] {
    let step = |sum: u64, octet: &u8| (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
    octets.iter().fold(0xcbf2_9ce4_8422_2325, step).to_le_bytes()
}

/// Sessions in each state, frozen, without their checksums.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let conversations: [&[&str]; 5] = [
        &[],
        &["a LOGIN bob x\r\n"],
        &["a LOGIN bob x\r\n", "b ENABLE QRESYNC UIDONLY\r\n", "c SELECT INBOX\r\n"],
        &[
            "a LOGIN bob x\r\n",
            MAIL,
            MAIL,
            MAIL,
            "c SELECT INBOX\r\n",
            "d STORE 2 +FLAGS ($Word)\r\n",
        ],
        &[
            "a LOGIN bob x\r\n",
            MAIL,
            "c SELECT INBOX\r\n",
            "d SEARCH RETURN (SAVE) ALL\r\n",
            "e IDLE\r\n",
        ],
    ];
    conversations.into_iter().map(frozen).collect()
});

const MAIL: &str = "m APPEND INBOX {9+}\r\nx: y\r\n\r\nz\r\n";

fn frozen(lines: &[&str]) -> Vec<u8> {
    let backend = Arc::new(LocalBackend::new(b"hamburger.edu"));
    let session = Session::<Server>::new(config(), NOW);
    let mut talk = Conversation::new(Kept(session), ImapService::new(backend, 1), NOW);
    let mut octets = Vec::new();
    for line in [""].iter().chain(lines) {
        talk.say(line.as_bytes()).expect("the host keeps the contract");
        octets = FROZEN_LAST.take();
    }
    octets.truncate(octets.len().saturating_sub(8));
    octets
}

thread_local! {
    static FROZEN_LAST: std::cell::Cell<Vec<u8>> = const { std::cell::Cell::new(Vec::new()) };
}

/// A session that is frozen after each step, and goes on.
struct Kept(Session<Server>);

impl pillarbox_world::conversation::Driven<Server> for Kept {
    type Broken = pillarbox_world::conversation::Misused;

    fn step(
        &mut self,
        now: Now,
        input: pillarbox_engine::Input<Server>,
    ) -> Result<pillarbox_engine::Step<Server>, Self::Broken> {
        let step = pillarbox_world::conversation::Driven::step(&mut self.0, now, input)?;
        if let Some(octets) = self.0.freeze() {
            FROZEN_LAST.set(octets);
        }
        Ok(step)
    }
}
