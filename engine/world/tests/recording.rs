//! A recording of a real conversation becomes a story: the program says the same octets, the engine answers, and all that
//! is not as it was is told.

use pillarbox_engine::trace::{Note, Side, Span};
use pillarbox_world::tape::{Agrees, Lack, PLAYED_MAX, Recording, Tape};
use pillarbox_world::world::{Dir, End, EntryId, Kind, NodeSetup, Setup, Time, WireId, World};

/// A real conversation, as it is witnessed: a world with both of its ends outside.
struct Real {
    world: World,
    wire: WireId,
    read: u64,
}

impl Real {
    fn new(port: u16) -> Self {
        let server = NodeSetup { by_hand: vec![port], ..NodeSetup::new("server", Kind::Server) };
        let nodes = vec![NodeSetup::new("program", Kind::Device), server];
        let setup = Setup { nodes, ..Setup::default() };
        let mut world = World::new(&setup, 1).expect("two nodes make sense");
        let wire = world.witness("program", "server", port).expect("both are there");
        Self { world, wire, read: 0 }
    }

    fn wait(&mut self, ms: u64) {
        self.world.run_to(Time(self.world.now().0 + ms));
    }

    fn server(&mut self, text: &str) {
        self.world.witness_octets(self.wire, End::Server, text.as_bytes());
    }

    /// The program says this a while later, and the server reads it.
    fn client(&mut self, text: &str) {
        self.wait(40);
        self.unread(text);
        self.note(text.len(), "unparsed", false);
    }

    fn unread(&mut self, text: &str) {
        self.world.witness_octets(self.wire, End::Client, text.as_bytes());
    }

    fn note(&mut self, octets: usize, label: &'static str, secret: bool) {
        let (start, end) = (self.read, self.read + octets as u64);
        self.read = end;
        let span = Span { side: Side::Received, start, end, label, secret, why: None };
        self.world.witness_note(self.wire, End::Server, Note::Span(span));
    }

    fn recording(&self) -> Recording {
        let entries = self.world.entries(EntryId(0)).len();
        Recording::of(&self.world, self.wire, entries).expect("the program said something")
    }
}

/// The story of a recording, told to its end.
fn told(recording: &Recording) -> Tape {
    let mut tape = recording.tape().expect("there is a place for it");
    while tape.step() {}
    tape
}

fn octets(tape: &Tape, dir: Dir) -> String {
    String::from_utf8_lossy(tape.octets(WireId(0), dir, 0..u64::MAX)).into_owned()
}

const LETTER: &str = "Subject: hello\r\n\r\n..a dot\r\n.\r\n";

fn a_letter() -> Real {
    let mut real = Real::new(25);
    real.server("220 mail.example ESMTP Pillarbox\r\n");
    for (said, answer) in [
        ("EHLO curl\r\n", "250-real\r\n250 PIPELINING\r\n"),
        ("MAIL FROM:<ann@test.example>\r\n", "250 2.1.0 fine\r\n"),
        ("RCPT TO:<Bob@anywhere.example>\r\n", "250 2.1.5 fine\r\n"),
        ("RCPT TO:<nobody@anywhere.example>\r\n", "550 5.1.1 nobody\r\n"),
        ("DATA\r\n", "354 go on\r\n"),
        (LETTER, "250 2.0.0 taken\r\n"),
        ("QUIT\r\n", "221 2.0.0 bye\r\n"),
    ] {
        real.client(said);
        real.server(answer);
    }
    real
}

#[test]
fn the_program_says_what_it_said_and_the_engine_answers_for_itself() {
    let real = a_letter();
    let recording = real.recording();
    assert_eq!(recording.lacks(), []);
    let tape = told(&recording);
    let said = real.world.octets(real.wire, Dir::ToServer, 0..u64::MAX);
    assert_eq!(octets(&tape, Dir::ToServer).as_bytes(), said, "the same octets");
    let server = tape.world().nodes()[1].id;
    let stored = tape.world().stored(server);
    let whom: Vec<&str> = stored.iter().map(|row| &row.account[..]).collect();
    assert_eq!(
        whom,
        ["bob@anywhere.example", "nobody@anywhere.example"],
        "everybody has a mailbox"
    );
    assert!(stored[0].octets.ends_with(b"\r\n\r\n.a dot\r\n"), "it was read as a letter");
    // What the program said is explained octet by octet by who read it.
    let notes = tape.notes(WireId(0), Dir::ToServer, End::Server);
    assert!(notes.iter().any(|noted| matches!(noted.note, Note::Span(s) if s.label == "verb")));
    let answers = recording.answers(tape.world());
    let agrees: Vec<Agrees> = answers.iter().map(|answer| answer.agrees).collect();
    use Agrees::{InSense, Not};
    assert_eq!(answers.len(), 8, "{answers:?}");
    assert_eq!(agrees[1..4], [InSense; 3], "{answers:?}");
    assert_eq!(agrees[4], Not, "here there is somebody of that name");
    assert_eq!(answers[4].line, b"RCPT TO:<nobody@anywhere.example>\r\n");
    assert_eq!(answers[4].real, b"550 5.1.1 nobody\r\n");
    assert!(answers[4].here.starts_with(b"250 "));
    assert_eq!(agrees[5..], [InSense; 3], "{answers:?}");
}

#[test]
fn the_same_recording_is_the_same_story_wound_back_and_out_of_a_link() {
    let recording = a_letter().recording();
    assert_eq!(recording, a_letter().recording());
    let mut tape = told(&recording);
    let (hash, end) = (tape.hash(), tape.now());
    assert_eq!(told(&a_letter().recording()).hash(), hash);
    for part in [0, 3, 7, 10] {
        tape.seek(Time(end.0 * part / 10));
        tape.run_to(end);
        assert_eq!(tape.hash(), hash, "wound back to {part} tenths");
    }
    let link = tape.encode("");
    assert!(Tape::fits(&link));
    let opened = Tape::decode(&link).expect("it is a link");
    assert_eq!(opened.tape.hash(), hash);
    // A fault makes another story of the same octets.
    tape.seek(Time(0));
    let fault = "any/verb=MAIL/reply=451 4.3.0 later".to_owned();
    tape.act(pillarbox_world::world::Action::AddFault(fault)).expect("it is a fault");
    while tape.step() {}
    assert_ne!(tape.hash(), hash);
    assert!(octets(&tape, Dir::ToClient).contains("451 4.3.0 later\r\n"));
    assert_eq!(tape.branches().0.len(), 2);
}

#[test]
fn passwords_are_masked_and_a_login_that_cannot_be_read_is_replaced() {
    let mut real = Real::new(587);
    real.server("220 mail.example ESMTP\r\n");
    real.client("EHLO curl\r\n");
    real.server("250 AUTH PLAIN\r\n");
    real.wait(10);
    // As a page knows it that said it itself: nothing is masked yet.
    real.unread("AUTH PLAIN AGFubgBzM2NyM3Q=\r\n");
    real.note(11, "unparsed", false);
    real.note(16, "initial response", true);
    real.note(2, "CRLF", false);
    real.server("235 2.7.0 in\r\n");
    real.client("MAIL FROM:<ann@test.example>\r\n");
    real.server("250 2.1.0 fine\r\n");
    real.client("QUIT\r\n");
    real.server("221 2.0.0 bye\r\n");
    let recording = real.recording();
    assert_eq!(recording.lacks(), [Lack::Logins(1)]);
    let tape = told(&recording);
    let said = octets(&tape, Dir::ToServer);
    assert!(!said.contains("AGFubgBzM2NyM3Q="), "{said}");
    assert!(said.contains("AUTH PLAIN AG1hc2tlZABtYXNrZWQ=\r\nMAIL FROM"), "{said}");
    assert!(octets(&tape, Dir::ToClient).contains("\r\n235 "), "{}", octets(&tape, Dir::ToClient));
    let not = recording.answers(tape.world());
    assert!(not.iter().all(|answer| answer.agrees != Agrees::Not), "{not:?}");

    let mut real = Real::new(110);
    real.server("+OK ready\r\n");
    real.client("USER bob\r\n");
    real.server("+OK\r\n");
    real.wait(10);
    real.unread("PASS hungry\r\n");
    real.note(5, "verb", false);
    real.note(6, "password", true);
    real.note(2, "CRLF", false);
    real.server("+OK in\r\n");
    real.client("STAT\r\n");
    real.server("+OK 2 640\r\n");
    real.unread("GARBAGE");
    let recording = real.recording();
    assert_eq!(recording.lacks(), [Lack::Secrets(1), Lack::Unread(7)]);
    let tape = told(&recording);
    assert_eq!(octets(&tape, Dir::ToServer), "USER bob\r\nPASS ******\r\nSTAT\r\n");
    assert!(octets(&tape, Dir::ToClient).contains("+OK 0 "), "its mailboxes are empty");
    assert!(!tape.encode("").contains("hungry"));
}

#[test]
fn what_is_too_long_is_cut_and_its_link_is_refused() {
    let mut real = Real::new(25);
    real.server("220 mail.example ESMTP\r\n");
    for said in [
        "EHLO curl\r\n",
        "MAIL FROM:<ann@test.example>\r\n",
        "RCPT TO:<bob@test.example>\r\n",
        "DATA\r\n",
    ] {
        real.client(said);
        real.server("250 fine\r\n");
    }
    let line = "x".repeat(70) + "\r\n";
    let text = line.repeat(100);
    for _ in 0..60 {
        real.client(&text);
    }
    let recording = real.recording();
    let said = real.world.octets(real.wire, Dir::ToServer, 0..u64::MAX).len();
    assert_eq!(recording.lacks(), [Lack::Long((said - PLAYED_MAX) as u64)]);
    let tape = told(&recording);
    assert_eq!(octets(&tape, Dir::ToServer).len(), PLAYED_MAX);
    let link = tape.encode("");
    assert!(!Tape::fits(&link));
    assert!(Tape::decode(&link).is_err());
}

#[test]
fn a_program_that_said_nothing_has_no_story() {
    let mut real = Real::new(143);
    real.server("* OK ready\r\n");
    real.unread("a1 NO");
    assert_eq!(Recording::of(&real.world, real.wire, usize::MAX), None);
    assert_eq!(Recording::of(&real.world, WireId(9), usize::MAX), None);
    real.unread("OP\r\n");
    real.note(9, "unparsed", false);
    let tape = told(&real.recording());
    assert!(
        octets(&tape, Dir::ToClient).contains("\r\na1 OK "),
        "{}",
        octets(&tape, Dir::ToClient)
    );
}
