//! The full-text index: searches find with it what they find without it, whatever was stored, moved and expunged
//! meanwhile, and as soon as it is there few messages are looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pillarbox::cli::EngineChoice;
use pillarbox::config::Data;
use pillarbox::engine::{Engine, EngineSettings};
use pillarbox::store::MailStore;
use pillarbox_engine::imap::types::{Answer, Ask, Config, SearchAsk, SearchKey, UidRun};
use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{AuthOffer, Mechanism};
use pillarbox_engine::types::{Now, Peer, Reason, TlsOffer};
use pillarbox_engine::{Session, imap};
use pillarbox_world::conversation::Conversation;
use pillarbox_world::hub::{Hub, SessionKey, Wake};
use pillarbox_world::service::local::OpenDirectory;
use pillarbox_world::service::{Backend, ImapService, Indexed};
use pillarbox_world::store::{MailboxId, Outcome, Store, Write};

const NOW: Now = Now { monotonic_ms: 1000, unix_ms: 1_767_603_600_000 };
/// Octets of the index; no test comes near.
const ROOM: u64 = 64 << 20;

/// A store on the disk, whose writes are waited for.
struct Disk {
    store: MailStore,
    directory: OpenDirectory,
    runtime: tokio::runtime::Runtime,
}

impl Backend for Disk {
    type Store = dyn Store + Send + Sync;
    type Directory = OpenDirectory;

    fn store(&self) -> &Self::Store {
        self.store.reads()
    }
    fn directory(&self) -> &OpenDirectory {
        &self.directory
    }
    fn hub(&self) -> &Hub {
        self.store.hub()
    }
    async fn write(&self, origin: SessionKey, write: Write) -> Result<Outcome, Reason> {
        // A conversation does not wait for what is not there at once.
        self.runtime.block_on(self.store.write(origin, write))
    }
    fn write_later(&self, write: Write) {
        self.store.write_later(write);
    }
    async fn index(&self, octets: Vec<u8>, size: u64) -> Result<Indexed, Reason> {
        let index = pillarbox_mime::index(&octets, size);
        Ok(Indexed { octets, plain: index.plain, index: index.encode() })
    }
    fn wake(&self, _key: SessionKey) -> Wake {
        Box::new(|| ())
    }
    fn host_name(&self) -> &[u8] {
        b"x"
    }
}

type Talk = Conversation<imap::Server, Session<imap::Server>, ImapService<Disk>>;

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

const WORDS: [&str; 20] = [
    "ketchup",
    "Mustard",
    "definitely",
    "accommodation",
    "CAFÉ",
    "straße",
    "ångström",
    "naïve",
    "Ωmega",
    "漢字かな",
    "a",
    "to",
    "the",
    "q\"uote",
    "100%",
    "e\u{301}tude",
    "ﬁnal",
    "x-ray",
    "Привет",
    "überall",
];

fn text(random: &mut Random, words: usize) -> String {
    let mut text = String::new();
    for _ in 0..words {
        text.push_str(random.of(&WORDS));
        text.push_str(random.of(&[" ", " ", ", ", "-", "\r\n", ""]));
        if random.below(4) == 0 {
            text.push_str(&format!("n{} ", random.below(2000)));
        }
    }
    text
}

fn quoted_printable(octets: &[u8]) -> String {
    let mut out = String::new();
    for (at, octet) in octets.iter().enumerate() {
        out.push_str(&format!("={octet:02X}"));
        if at % 20 == 19 {
            out.push_str("=\r\n");
        }
    }
    out
}

/// What only Latin-1 and its kin can say, in it.
fn latin(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

fn part(random: &mut Random) -> String {
    let words = 1 + random.below(40);
    let text = text(random, words);
    match random.below(5) {
        0 => format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
        ),
        1 => format!(
            "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}\r\n",
            quoted_printable(text.as_bytes())
        ),
        2 => format!(
            "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}\r\n",
            quoted_printable(&latin(&text))
        ),
        3 => format!(
            "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
        ),
        // Longer than what is read at once.
        _ => format!(
            "Content-Type: text/plain; charset=utf-8\r\n\r\n{}{text}\r\n",
            "filler words go here\r\n".repeat(800)
        ),
    }
}

fn message(random: &mut Random) -> String {
    let mut encoded = |words| {
        let text = text(random, words).replace("\r\n", " ");
        format!("=?utf-8?q?{}?=", quoted_printable(text.as_bytes()).replace("=\r\n", ""))
    };
    let (subject, note) = (encoded(2), encoded(3));
    let head = format!(
        "From: Ann <ann@x>\r\nSubject: {subject}\r\nX-Note: {note}\r\nMIME-Version: 1.0\r\n"
    );
    match random.below(4) {
        0 => {
            let parts: String = (0..3).map(|_| format!("--b\r\n{}", part(random))).collect();
            format!("{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n")
        }
        1 => format!(
            "{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
             Content-Type: message/rfc822\r\n\r\nX-Inner: {note}\r\n{}--b--\r\n",
            part(random)
        ),
        _ => format!("{head}{}", part(random)),
    }
}

/// A search for something that may be there.
fn key(random: &mut Random, depth: usize) -> String {
    let mut wanted = text(random, 2).replace("\r\n", " ");
    if random.below(2) == 0 {
        let letters: Vec<char> = wanted.chars().collect();
        let from = random.below(letters.len());
        let length = 1 + random.below(9);
        wanted = letters[from..].iter().take(length).collect();
    }
    if random.below(3) == 0 {
        wanted = wanted.to_uppercase();
    }
    if random.below(6) == 0 && wanted.is_ascii() && wanted.len() > 5 {
        // A slip.
        wanted.remove(wanted.len() / 2);
    }
    let literal = format!("{{{}+}}\r\n{wanted}", wanted.len());
    match random.below(if depth > 0 { 10 } else { 6 }) {
        0 | 1 => format!("BODY {literal}"),
        2 => format!("TEXT {literal}"),
        3 => format!("HEADER X-Note {literal}"),
        4 => format!("FUZZY TEXT {literal}"),
        5 => format!("FUZZY BODY {literal}"),
        6 => format!("NOT ({})", key(random, depth - 1)),
        7 => format!("OR ({}) ({})", key(random, depth - 1), key(random, depth - 1)),
        8 => format!("{} {}", key(random, depth - 1), key(random, depth - 1)),
        _ => format!("UNSEEN SUBJECT {literal}"),
    }
}

struct Bench {
    disk: Arc<Disk>,
    with: Talk,
    without: Talk,
    tag: u32,
}

impl Bench {
    fn new(directory: &Path, engine: &Engine) -> Self {
        let store = MailStore::open(&Data::Directory(directory.to_owned())).expect("it opens");
        store.index_texts(engine.text_reader(), ROOM).expect("it starts");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
        let directory = OpenDirectory { domain: b"x".to_vec() };
        let disk = Arc::new(Disk { store, directory, runtime });
        let talk = |key| {
            let config = Config {
                host_name: b"x".to_vec(),
                peer: Peer { address: b"127.0.0.1".to_vec(), name: None },
                session_id: b"1".to_vec(),
                tls: TlsOffer::None,
                auth: AuthOffer {
                    mechanisms: vec![Mechanism::Plain],
                    password_commands: true,
                    cleartext: true,
                },
                preauth: None,
                without: Vec::new(),
                faults: false,
                limits: Limits::IMAP,
                trace: false,
            };
            let service = ImapService::new(Arc::clone(&disk), key);
            Conversation::new(Session::new(config, NOW), service, NOW)
        };
        let (with, without) = (talk(1), talk(2));
        let mut bench = Self { disk: Arc::clone(&disk), with, without, tag: 0 };
        bench.both("LOGIN ann x");
        bench.both("SELECT INBOX");
        bench
    }

    /// Says the same in both sessions, of which one has no index.
    fn both(&mut self, command: &str) -> (String, String) {
        self.tag += 1;
        let line = format!("t{} {command}\r\n", self.tag);
        let ok = format!("t{} OK", self.tag);
        let mut decline = |ask: &Ask| matches!(ask, Ask::Search(_)).then_some(Answer::Declined);
        let said = [
            self.with.say(line.as_bytes()).expect("it goes on"),
            self.without.say_instead(line.as_bytes(), &mut decline).expect("it goes on"),
        ];
        let [with, without] = said.map(|said| {
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(said.contains(&ok), "{command}: {said}");
            said
        });
        (with, without)
    }

    fn one(&mut self, command: &str) {
        self.tag += 1;
        let line = format!("t{} {command}\r\n", self.tag);
        let said = self.with.say(line.as_bytes()).expect("it goes on");
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(&format!("t{} OK", self.tag)), "{command}: {said}");
    }

    fn append(&mut self, mailbox: &str, message: &str) {
        self.one(&format!("APPEND {mailbox} {{{}+}}\r\n{message}", message.len()));
    }

    /// Searches in both ways; gives how many found something.
    fn compare(&mut self, random: &mut Random, searches: usize) -> usize {
        self.both("NOOP");
        let mut found = 0;
        for _ in 0..searches {
            let key = key(random, 2);
            let relevancy = if key.contains("FUZZY") { " RELEVANCY" } else { "" };
            let command = format!("UID SEARCH RETURN (ALL{relevancy}) CHARSET UTF-8 {key}");
            let (with, without) = self.both(&command);
            assert_eq!(with, without, "{key}");
            found += usize::from(with.contains("ALL"));
        }
        found
    }

    fn inbox(&self) -> MailboxId {
        let store = self.disk.store.reads();
        let account = store.account(b"ann@x").expect("it reads").expect("it is there");
        store.mailbox(account, b"INBOX").expect("it is there")
    }

    fn candidates(&self, text: &str) -> Option<Vec<UidRun>> {
        let uids = vec![UidRun { first: 1, last: u32::MAX }];
        let keys = vec![SearchKey::Body(text.as_bytes().to_vec())];
        let ask = SearchAsk { uids, keys };
        self.disk.store.reads().candidates(self.inbox(), &ask).expect("it reads")
    }

    /// Waits until all messages of INBOX are indexed.
    fn wait(&self) {
        let inbox = self.inbox();
        let next = self.disk.store.reads().opened(inbox).expect("it reads").status.uid_next;
        let until = Instant::now() + Duration::from_secs(120);
        drop(self.candidates("wanted"));
        while self.disk.store.indexed_up_to(inbox).unwrap_or(0) + 1 < next {
            assert!(Instant::now() < until, "{:?}", self.disk.store.indexed_up_to(inbox));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn fresh(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("pillarbox-{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&directory));
    directory
}

#[test]
fn searches_find_with_the_index_what_they_find_without() {
    let directory = fresh("full-text");
    // One in a sandbox and one without make the same texts.
    let engines = [EngineChoice::Sandbox, EngineChoice::Native]
        .map(|choice| Engine::new(&EngineSettings::new(choice, Some(2))).expect("it starts"));
    let mut random = Random(11);
    let mut bench = Bench::new(&directory, &engines[0]);
    bench.one("CREATE Other");
    for _ in 0..150 {
        let message = message(&mut random);
        bench.append("INBOX", &message);
    }
    bench.append("INBOX", "Subject: one of a kind\r\n\r\nThe word xylophone is here alone.\r\n");
    assert!(bench.candidates("xylophone").is_none(), "nothing is indexed yet");
    assert!(bench.compare(&mut random, 60) > 20, "most find nothing");
    bench.wait();
    let one = [UidRun { first: 151, last: 151 }, UidRun { first: 152, last: u32::MAX }];
    let candidates = bench.candidates("Xylophone").expect("it is indexed");
    assert!(candidates.len() <= 2 && candidates[0].first == one[0].first, "{candidates:?}");
    assert!(bench.candidates("xy").is_none(), "too short to narrow anything");
    assert!(bench.compare(&mut random, 200) > 60);
    // What went, what moved and what came back, before the index knows.
    bench.one("UID STORE 3:40 +FLAGS.SILENT (\\Deleted)");
    bench.one("UID EXPUNGE 3:20");
    bench.one("UID MOVE 50:70 Other");
    bench.one("UID COPY 151 INBOX");
    bench.both("NOOP");
    assert!(bench.compare(&mut random, 60) > 20);
    for _ in 0..30 {
        let message = message(&mut random);
        bench.append("INBOX", &message);
    }
    assert!(bench.compare(&mut random, 40) > 10);
    bench.wait();
    assert!(bench.compare(&mut random, 100) > 30);
    drop(bench);
    // It is there at the next start, whoever reads the texts then.
    let mut bench = Bench::new(&directory, &engines[1]);
    let candidates = bench.candidates("xylophone").expect("it is indexed still");
    assert!(
        candidates.iter().any(|run| run.first == 151) && candidates.len() <= 3,
        "{candidates:?}"
    );
    for _ in 0..30 {
        let message = message(&mut random);
        bench.append("INBOX", &message);
    }
    bench.wait();
    assert!(bench.compare(&mut random, 100) > 30);
    drop(bench);
    drop(std::fs::remove_dir_all(&directory));
}

#[test]
fn without_room_or_file_searches_go_on() {
    let directory = fresh("full-text-none");
    let settings = EngineSettings::new(EngineChoice::Native, Some(2));
    let engine = Engine::new(&settings).expect("it starts");
    let mut random = Random(5);
    let mut bench = Bench::new(&directory, &engine);
    for _ in 0..40 {
        let message = message(&mut random);
        bench.append("INBOX", &message);
    }
    bench.wait();
    drop(bench);
    // A damaged index is made anew.
    let file = directory.join("search.db");
    assert!(!directory.join("search.db-wal").exists(), "a file that is closed is one file");
    std::fs::write(&file, vec![7; 50_000]).expect("it is written");
    let mut bench = Bench::new(&directory, &engine);
    assert!(!file.exists());
    assert!(bench.compare(&mut random, 40) > 10);
    bench.wait();
    assert!(file.exists() && bench.candidates("xylophone").is_some());
    drop(bench);
    // Switched off, it is taken away.
    let store = MailStore::open(&Data::Directory(directory.clone())).expect("it opens");
    store.index_texts(engine.text_reader(), 0).expect("nothing starts");
    assert!(!file.exists());
    drop(store);
    // Without room for a message it says nothing, and nothing fails.
    let store = MailStore::open(&Data::Directory(directory.clone())).expect("it opens");
    store.index_texts(engine.text_reader(), 1).expect("it starts");
    let account = store.reads().account(b"ann@x").expect("it reads").expect("it is there");
    let inbox = store.reads().mailbox(account, b"INBOX").expect("it is there");
    let uids = vec![UidRun { first: 1, last: 9 }];
    let ask = SearchAsk { uids, keys: vec![SearchKey::Text(b"ketchup".to_vec())] };
    for _ in 0..20 {
        assert_eq!(store.reads().candidates(inbox, &ask).expect("it reads"), None);
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(store);
    drop(std::fs::remove_dir_all(&directory));
}
