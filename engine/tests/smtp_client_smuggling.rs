//! The sending direction: whatever a stored message holds, what goes out has no lone CR or LF outside chunks, and one end
//! of data. The same 600 forms as in the receiving direction, through every way that a message can go.

mod seeded;
mod smtp_client_host;
mod smtp_host;

use pillarbox_engine::smtp::client::types::{Call, Config};
use pillarbox_engine::smtp::{Ask, Body, Config as ServerConfig, Extensions, Service};
use smtp_client_host::{Drive, config};
use smtp_host::Talk;

const ENDS: [&[u8]; 10] =
    [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\0", b"\0\r\n", b"\r\0\n", b"\x85", b"\x0b"];
const MIDDLES: [&[u8]; 6] = [b".", b"..", b". ", b".\0", b"\0.", b"\xae"];
const HEAD: &[u8] = b"Subject: x\r\n\r\nhello";
const SECOND: &[u8] = b"MAIL FROM:<evil@crepes.fr>\r\nRCPT TO:<carol@hamburger.edu>\r\nDATA\r\n\
    Subject: smuggled\r\n\r\nx\r\n.\r\n";

/// Each form, with a second transaction behind it that must stay text.
fn forms() -> impl Iterator<Item = Vec<u8>> {
    ENDS.into_iter().flat_map(|left| {
        MIDDLES.into_iter().flat_map(move |middle| {
            ENDS.into_iter().map(move |right| [HEAD, left, middle, right, SECOND].concat())
        })
    })
}

/// What was sent without the octets of chunks, and the chunks.
fn split(sent: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut lines, mut chunks) = (Vec::new(), Vec::new());
    let mut rest = sent;
    let mut data = false;
    while let Some(lf) = rest.iter().position(|&octet| octet == b'\n') {
        let (line, more) = rest.split_at(lf + 1);
        rest = more;
        lines.extend_from_slice(line);
        match line {
            b"DATA\r\n" if !data => data = true,
            b".\r\n" => data = false,
            _ => {}
        }
        let Some(size) = line.strip_prefix(b"BDAT ").filter(|_| !data) else { continue };
        let digits = size.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let size: usize =
            std::str::from_utf8(&size[..digits]).expect("digits").parse().expect("a size");
        chunks.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
    }
    assert!(rest.is_empty(), "what is sent ends with a line or a chunk");
    (lines, chunks)
}

/// `(?<!\r)\n|\r(?!\n)`: how often it is found.
fn lone_ends(octets: &[u8]) -> usize {
    let at = |place: usize| octets.get(place).copied();
    let lone = |place: &usize| match octets[*place] {
        b'\n' => place.checked_sub(1).and_then(at) != Some(b'\r'),
        b'\r' => at(place + 1) != Some(b'\n'),
        _ => false,
    };
    (0..octets.len()).filter(lone).count()
}

fn ends_of_data(octets: &[u8]) -> usize {
    octets.windows(5).filter(|five| *five == b"\r\n.\r\n").count()
}

/// What a server offers: each way that content goes has one.
fn servers() -> [Extensions; 5] {
    let all = Extensions::default();
    let lines = Extensions { chunking: false, binary_mime: false, ..all };
    [
        all,
        Extensions { binary_mime: false, ..all },
        lines,
        Extensions { eight_bit_mime: false, ..lines },
        Extensions { pipelining: false, eight_bit_mime: false, ..lines },
    ]
}

/// How a message is sent.
#[derive(Clone, Copy, Debug)]
struct Way {
    service: Service,
    body: Body,
    extensions: Extensions,
    /// Octets that each side hears at once.
    piece: usize,
}

/// Sends a message so; gives what went out, and what the server asked its host.
fn send(message: &[u8], way: Way) -> (Drive, Talk) {
    let Way { service, body, extensions, piece } = way;
    let mut drive = Drive::new(Config { service, ..config() });
    let mut delivery = drive.delivery(1, &["bob@hamburger.edu"], message);
    delivery.mail.body = body;
    drive.call(Call::Deliver(delivery));
    drive.call(Call::Quit);
    let mut talk = Talk::new(ServerConfig { service, extensions, ..smtp_host::config() });
    let mut told = 0;
    let mut heard = talk.say(b"");
    loop {
        heard.chunks(piece).for_each(|piece| drop(drive.hear(piece)));
        let sent = drive.sent[told..].to_vec();
        told = drive.sent.len();
        heard = sent.chunks(piece).flat_map(|piece| talk.say(piece)).collect();
        if heard.is_empty() && drive.sent.len() == told {
            return (drive, talk);
        }
    }
}

/// What holds of everything that is sent.
fn check(message: &[u8], way: Way) -> (usize, usize) {
    let (drive, talk) = send(message, way);
    let name = format!("{} {way:?}", message.escape_ascii());
    let (lines, chunks) = split(&drive.sent);
    assert_eq!(lone_ends(&lines), 0, "{name}: {}", lines.escape_ascii());
    let data = usize::from(lines.windows(8).any(|line| line == b"\r\nDATA\r\n"));
    assert_eq!(ends_of_data(&lines), data, "{name}: {}", lines.escape_ascii());
    if way.body != Body::BinaryMime {
        assert_eq!(lone_ends(&chunks), 0, "{name}: {}", chunks.escape_ascii());
    }
    // It ended in one fate, and nobody took it for two.
    assert_eq!(drive.fates(1).len(), 1, "{name}");
    let senders = talk.asks.iter().filter(|ask| matches!(ask, Ask::Sender(_))).count();
    assert!(senders <= 1 && talk.messages.len() <= 1, "{name}");
    let nul = message.contains(&0);
    assert!(nul || talk.messages.len() == 1, "{name}: {:?}", drive.short(1));
    (data, usize::from(!chunks.is_empty()))
}

#[test]
fn six_hundred_forms_stay_text() {
    for service in [Service::Smtp, Service::Lmtp] {
        let (mut count, mut by_data, mut by_chunks) = (0, 0, 0);
        for message in forms() {
            count += 1;
            for extensions in servers() {
                for body in [Body::SevenBit, Body::EightBitMime, Body::BinaryMime] {
                    let way = Way { service, body, extensions, piece: 4096 };
                    let (data, chunks) = check(&message, way);
                    by_data += data;
                    by_chunks += chunks;
                }
            }
        }
        assert_eq!(count, 600);
        assert!(by_data > 4000 && by_chunks > 3000, "{service:?}: {by_data} {by_chunks}");
    }
}

#[test]
fn where_it_is_cut_makes_no_difference() {
    for message in forms().step_by(11) {
        for extensions in servers() {
            for service in [Service::Smtp, Service::Lmtp] {
                let way = Way { service, body: Body::EightBitMime, extensions, piece: usize::MAX };
                let whole = send(&message, way).0.sent;
                let cut = send(&message, Way { piece: 1, ..way }).0.sent;
                assert_eq!(whole.escape_ascii().to_string(), cut.escape_ascii().to_string());
            }
        }
    }
}
