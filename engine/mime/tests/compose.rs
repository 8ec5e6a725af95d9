//! What is composed is read back by another parser as what it was, and by our own index without any doubt.

use mail_parser::MimeHeaders;
use pillarbox_engine::message::compose::{
    Composed, Draft, File, FileName, MediaType, Origin, Piece, Text, compose, parse_people,
};

/// Numbers that look random and are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, max: usize) -> usize {
        (self.next() % max as u64) as usize
    }

    fn text(&mut self, max: usize, alphabet: &[&str]) -> String {
        let length = self.below(max);
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

const LINE: [&str; 24] = [
    "a", "B", "7", " ", " ", ".", ",", "=", "?", "=?", "?=", "_", "\"", "\\", "(", "<", "@", "ä",
    "ß", "日", "😀", ":", "--", "'",
];
const BODY: [&str; 20] = [
    "a",
    "word ",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\n.",
    "\n\n",
    "=",
    "--=_1-",
    "\nFrom ",
    "\t",
    "ä",
    "日",
    "\0",
    " \n",
    "\x1b",
    "long long long long long long long long long long long long long long long long long ",
    ".",
    "\n--",
];

fn octets(composed: &Composed, files: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < composed.size() {
        for piece in composed.pieces(at, 1000) {
            match piece {
                Piece::Octets(octets) => out.extend_from_slice(octets),
                Piece::File(piece) => {
                    let start = piece.start as usize;
                    out.extend(
                        piece.encode(&files[piece.file][start..start + piece.length as usize]),
                    );
                }
            }
        }
        at += 1000;
    }
    assert_eq!(out.len() as u64, composed.size());
    out
}

/// What every reader makes of line ends.
fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.trim_end_matches('\n').replace('\n', "\r\n")
}

fn file(random: &mut Seeded) -> (File, Vec<u8>) {
    let octets: Vec<u8> = (0..random.below(300)).map(|_| random.next() as u8).collect();
    let name = format!("f{}.png", random.text(60, &LINE));
    let name = FileName::new(&name).expect("no character of the alphabet is refused");
    let media_type = MediaType::of_name(name.as_str());
    (File { name, media_type, size: octets.len() as u64 }, octets)
}

#[test]
fn what_is_composed_is_read_back() {
    let mut random = Seeded(20_260_105);
    for round in 0..2000_u64 {
        let mut draft =
            Draft { from: parse_people("ann@crepes.fr", None).expect("right"), ..Draft::default() };
        let subject = random.text(120, &LINE);
        draft.subject = Some(Text::new(&subject).expect("no character of the alphabet is refused"));
        let name = random.text(60, &LINE);
        draft.to = parse_people("bob@hamburger.edu, x@y.z", None).expect("right");
        draft.to[0].name = Some(Text::new(&name).expect("no character of the alphabet is refused"));
        draft.text = (random.below(4) > 0).then(|| random.text(200, &BODY));
        draft.html = (random.below(2) > 0).then(|| format!("<p>{}", random.text(100, &BODY)));
        let mut files = Vec::new();
        for list in [&mut draft.inline, &mut draft.attachments] {
            for _ in 0..random.below(3) {
                let (file, octets) = file(&mut random);
                list.push(file);
                files.push(octets);
            }
        }
        let composed = compose(&draft, Origin { unix_ms: round, seed: [round as u8; 16] })
            .expect("it has an author");
        let message = octets(&composed, &files);
        check(&draft, &subject, &name, &message, &files, composed.is_plain());
    }
}

fn check(draft: &Draft, subject: &str, name: &str, message: &[u8], files: &[Vec<u8>], plain: bool) {
    let shown = message.escape_ascii();
    let index = pillarbox_mime::index(message, message.len() as u64);
    assert!(index.ambiguities.is_empty() && !index.truncated && !index.eight_bit, "{shown}");
    assert_eq!(index.plain, plain, "{shown}");
    assert!(message.split(|octet| *octet == b'\n').all(|line| line.len() <= 999), "{shown}");
    let decoded = |text: &[u8]| pillarbox_engine::text::words::decode(text);
    assert_eq!(
        decoded(index.envelope.subject.as_deref().unwrap_or_default()),
        subject.trim_end_matches('\0'),
        "{shown}"
    );
    let to = index.envelope.to[0].name.as_deref().map(decoded).unwrap_or_default();
    assert_eq!(to, name, "{shown}");
    assert_eq!(index.envelope.to.len(), 2, "{shown}");
    assert!(index.envelope.bcc.is_empty(), "{shown}");
    let leaves: Vec<_> =
        index.parts.iter().filter(|part| part.media_type != b"multipart").collect();
    let body = |part: &pillarbox_engine::message::Part| {
        let octets = &message[part.body.start as usize..part.body.end as usize];
        let mut decoder =
            pillarbox_engine::text::transfer::Decoder::new(&part.encoding).expect("known");
        let mut out = Vec::new();
        decoder.decode(octets, &mut out);
        decoder.finish(&mut out);
        out
    };
    let (carried, said): (Vec<_>, Vec<_>) =
        leaves.into_iter().partition(|part| part.disposition.is_some());
    assert_eq!(carried.len(), files.len(), "{shown}");
    let names = draft.inline.iter().chain(&draft.attachments);
    for ((part, file), octets) in carried.iter().zip(names).zip(files) {
        assert_eq!(&body(part), octets, "{shown}");
        let (_, parameters) = part.disposition.as_ref().expect("it was chosen for it");
        assert_eq!(parameters[0].1, file.name.as_str().as_bytes(), "{shown}");
    }
    let texts: Vec<&String> = draft.text.iter().chain(&draft.html).collect();
    if !texts.is_empty() {
        assert_eq!(said.len(), texts.len(), "{shown}");
    }
    for (part, text) in said.iter().zip(texts) {
        let found = String::from_utf8(body(part)).expect("it was UTF-8");
        assert_eq!(found.trim_end_matches(['\r', '\n']), lines(text), "{shown}");
    }
}

#[test]
fn another_parser_reads_the_same() {
    let mut draft = Draft {
        from: parse_people("Jörg \"der\" <j@crepes.fr>", None).expect("right"),
        to: parse_people("\"B, Bob\" <bob@hamburger.edu>", None).expect("right"),
        subject: Some(
            Text::new("Grüße, und noch ein ziemlich langer Rest des Betreffs für zwei Zeilen")
                .expect("right"),
        ),
        text: Some("Wie geht's?\n.\n".to_owned()),
        html: Some("<p>Wie geht's?".to_owned()),
        ..Draft::default()
    };
    let name =
        FileName::new("/home/j/Übersicht über alles, was man wissen möchte.pdf").expect("right");
    let media_type = MediaType::of_name(name.as_str());
    draft.attachments.push(File { name, media_type, size: 1000 });
    let composed = compose(&draft, Origin { unix_ms: 1_767_603_600_000, seed: [7; 16] })
        .expect("it has an author");
    let message = octets(&composed, &[vec![5; 1000]]);
    let theirs = mail_parser::MessageParser::default().parse(&message).expect("it is a message");
    assert_eq!(theirs.subject(), Some(draft.subject.as_ref().expect("set").as_str()));
    let from = theirs.from().and_then(|list| list.first()).expect("it has an author");
    assert_eq!((from.name(), from.address()), (Some("Jörg der"), Some("j@crepes.fr")));
    let to = theirs.to().and_then(|list| list.first()).expect("it has a recipient");
    assert_eq!((to.name(), to.address()), (Some("B, Bob"), Some("bob@hamburger.edu")));
    let text = theirs.body_text(0).expect("it has a text");
    assert_eq!(text.trim_end(), "Wie geht's?\r\n.");
    let files: Vec<_> = theirs.attachments().collect();
    assert_eq!(files.len(), 1);
    let name = "Übersicht über alles, was man wissen möchte.pdf";
    assert_eq!((files[0].attachment_name(), files[0].contents().len()), (Some(name), 1000));
    // And our own view is what that parser sees.
    let view = pillarbox_mime::view(&message).expect("it is small");
    assert_eq!(view.subject, theirs.subject().unwrap_or_default());
    assert_eq!(view.from, ["Jörg der <j@crepes.fr>"]);
    assert_eq!(view.to, ["B, Bob <bob@hamburger.edu>"]);
    assert_eq!(view.text.as_deref(), Some(&*text));
    assert_eq!(view.attachments.len(), 1);
    assert_eq!(view.attachments[0].name.as_deref(), Some(name));
    let (media_type, size) = (view.attachments[0].media_type.as_str(), view.attachments[0].size);
    assert_eq!((media_type, size), ("application/pdf", 1000));
}

#[test]
fn only_addresses_make_a_message_need_utf8() {
    let mut draft = Draft {
        from: parse_people("Jörg <j@crepes.fr>", None).expect("right"),
        ..Draft::default()
    };
    let origin = Origin { unix_ms: 0, seed: [0; 16] };
    assert!(!compose(&draft, origin).expect("it has an author").needs_utf8());
    draft.cc = parse_people("jörg@crepes.fr", None).expect("right");
    assert!(compose(&draft, origin).expect("it has an author").needs_utf8());
    draft.from.clear();
    assert!(compose(&draft, origin).is_err());
}
