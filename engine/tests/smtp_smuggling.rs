//! Nothing but CRLF.CRLF ends a message, and what another server might take for its end makes it unacceptable:
//! 600 generated forms, whole and at every split, in SMTP, LMTP and BDAT.

mod seeded;
mod smtp_host;

use pillarbox_engine::smtp::{Ask, Config, Service};
use smtp_host::*;

const ENDS: [&[u8]; 10] =
    [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\0", b"\0\r\n", b"\r\0\n", b"\x85", b"\x0b"];
const MIDDLES: [&[u8]; 6] = [b".", b"..", b". ", b".\0", b"\0.", b"\xae"];
const HEAD: &[u8] = b"Subject: x\r\n\r\nhello";
const SECOND: &[u8] = b"MAIL FROM:<evil@crepes.fr>\r\nRCPT TO:<carol@hamburger.edu>\r\nDATA\r\n\
    Subject: smuggled\r\n\r\nx\r\n.\r\n";

/// Each form: the two line ends, what stands between, and the whole text with a second transaction behind it.
fn forms() -> impl Iterator<Item = (&'static [u8], &'static [u8], &'static [u8], Vec<u8>)> {
    ENDS.into_iter().flat_map(|left| {
        MIDDLES.into_iter().flat_map(move |middle| {
            ENDS.into_iter().map(move |right| {
                (left, middle, right, [HEAD, left, middle, right, SECOND].concat())
            })
        })
    })
}

/// Whether a message may hold these octets.
fn is_clean(octets: &[u8]) -> bool {
    let mut rest = octets.to_vec();
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
        rest.splice(at..at + 2, *b"__");
    }
    !rest.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0))
}

fn senders(talk: &Talk) -> usize {
    talk.asks.iter().filter(|ask| matches!(ask, Ask::Sender(_))).count()
}

fn begin(service: Service) -> Talk {
    let mut talk = Talk::greeted(Config { service, ..config() });
    talk.say(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n");
    talk
}

#[test]
fn six_hundred_forms_at_every_split() {
    let (mut count, mut ended) = (0, 0);
    for service in [Service::Smtp, Service::Lmtp] {
        for (left, middle, right, text) in forms() {
            count += 1;
            let name = [left, middle, right].concat();
            let name = name.escape_ascii();
            let form = [HEAD, left, middle, right].concat();
            let real = form.windows(5).position(|five| five == b"\r\n.\r\n");
            ended += usize::from(real.is_some());
            for split in 0..text.len() {
                let mut talk = begin(service);
                let mut said = talk.say(&text[..split]);
                said.extend(talk.say(&text[split..]));
                let codes = codes(&said);
                match real {
                    None => {
                        assert_eq!(senders(&talk), 1, "{name} at {split}");
                        // RFC 5321 §3.8: who closes says so.
                        let clean = is_clean(&text);
                        let expected: &[u16] = if clean { &[250] } else { &[550, 421] };
                        assert_eq!(codes, expected, "{name} at {split}");
                        assert_eq!(talk.messages.len(), usize::from(clean), "{name} at {split}");
                        assert_eq!(talk.closed, !clean, "{name} at {split}");
                    }
                    Some(end) if is_clean(&form[..end + 2]) => {
                        assert_eq!(codes[0], 250, "{name} at {split}");
                        assert_eq!(talk.messages[0].0.len(), 1, "{name} at {split}");
                        let next = if right == b"\r\n" { 250 } else { 500 };
                        assert_eq!(codes[1], next, "{name} at {split}");
                    }
                    Some(_) => {
                        assert_eq!(codes, [550, 421], "{name} at {split}");
                        assert!(talk.closed && talk.messages.is_empty(), "{name} at {split}");
                        assert_eq!(senders(&talk), 1, "{name} at {split}");
                    }
                }
            }
        }
    }
    assert_eq!((count, ended), (2 * 600, 2 * 6));
}

#[test]
fn the_forms_are_content_inside_bdat() {
    for (left, middle, right, text) in forms() {
        let name = [left, middle, right].concat();
        let name = name.escape_ascii();
        let mut talk = Talk::greeted(config());
        talk.say(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<bob@hamburger.edu>\r\n");
        let bdat = [format!("BDAT {} LAST\r\n", text.len()).as_bytes(), &text].concat();
        let expected = if is_clean(&text) { 250 } else { 550 };
        assert_eq!(codes(&talk.say(&bdat)), [expected], "{name}");
        assert_eq!(senders(&talk), 1, "{name}");
        assert_eq!(talk.messages.len(), usize::from(expected == 250), "{name}");
        assert!(!talk.closed, "{name}: the count says where the next command is");
        // As binary they are just octets.
        talk.say(b"RSET\r\nMAIL FROM:<a@b.c> BODY=BINARYMIME\r\nRCPT TO:<bob@hamburger.edu>\r\n");
        assert_eq!(codes(&talk.say(&bdat)), [250], "{name}");
        assert!(talk.messages.last().is_some_and(|(_, octets)| octets.ends_with(&text)), "{name}");
    }
}

#[test]
fn a_message_that_is_cut_is_none() {
    for (left, middle, right, text) in forms().step_by(7) {
        for end in (HEAD.len()..text.len() - 1).step_by(13) {
            let mut talk = begin(Service::Smtp);
            let said = talk.say(&text[..end]);
            talk.session.receive_end(talk.now);
            talk.listen();
            let form = [HEAD, left, middle, right].concat();
            let real = text[..end].windows(5).any(|five| five == b"\r\n.\r\n");
            assert!(talk.closed);
            if !real {
                assert_eq!((codes(&said).len(), talk.messages.len()), (0, 0));
            } else {
                assert!(form.windows(5).any(|five| five == b"\r\n.\r\n"));
            }
        }
    }
}
