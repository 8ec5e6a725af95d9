//! Mail in files: mbox, and the names and keywords of a Maildir.

use pillarbox_engine::folder::maildir::{self, Keywords};
use pillarbox_engine::folder::mbox::{Item, Quoting, Reader, Writer};
use pillarbox_engine::imap::grammar::mailbox_name;
use pillarbox_engine::imap::types::Flags;

use super::{USUAL, same};
use crate::corpus::messages;
use crate::{Seen, Target};

pub(super) const MBOX: Target = Target {
    name: "mbox",
    run: mbox,
    seeds: || {
        let all = messages();
        let mut seeds: Vec<Vec<u8>> =
            all.iter().map(|message| written(std::slice::from_ref(message))).collect();
        seeds.push(written(&all[..4]));
        seeds
    },
    words: &[
        "From a@b Mon Jan  5 09:00:00 2026\n",
        "From ",
        ">From ",
        ">>From ",
        "\n\n",
        "\r\n",
        "\r",
        "Status: RO\n",
        "X-Status: AFTD\n",
        "X-Keywords: a b\n",
        "X-IMAP: 1 2\n",
        "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n",
        "\0",
    ],
    lines: true,
    size_max: 8 << 10,
    rounds: 2500,
    ..USUAL
};

fn mbox(input: &[u8], seen: &mut Seen) {
    for quoting in [Quoting::Mboxrd, Quoting::Mboxo, Quoting::Nothing] {
        let items = same(input, |pieces| read(pieces, quoting));
        let Some(items) = items else {
            seen.note("not mbox");
            continue;
        };
        let mut inside = false;
        for item in &items {
            seen.note(match item {
                Item::Begin(came) => (1, came.is_some(), 0),
                Item::Octets(octets) => (2, octets.is_ascii(), 0),
                Item::End(ended) => (3, ended.is_internal, ended.flags.system),
            });
            // A message begins, goes on and ends, and nothing is between two.
            assert_eq!(inside, !matches!(item, Item::Begin(_)));
            inside = !matches!(item, Item::End(_));
        }
        assert!(!inside, "each message that begins ends");
        let bodies = bodies(&items);
        let again = read(&[&written(&bodies)], Quoting::Mboxrd).expect("what is written is mbox");
        let again = self::bodies(&again);
        assert_eq!(again.len(), bodies.len(), "as many messages");
        // What says flags is taken out, and a last line gets its end; only what needs neither must be the same.
        for (again, body) in again.iter().zip(&bodies).filter(|(_, body)| is_plain(body)) {
            assert_eq!(again.escape_ascii().to_string(), body.escape_ascii().to_string());
        }
    }
}

/// The items, with the octets of each message in one; nothing if the file is no mbox.
fn read(pieces: &[&[u8]], quoting: Quoting) -> Option<Vec<Item>> {
    let (mut reader, mut out) = (Reader::new(quoting), Vec::new());
    for piece in pieces {
        reader.take(piece, &mut out).ok()?;
    }
    reader.finish(&mut out).ok()?;
    let mut joined: Vec<Item> = Vec::new();
    for item in out {
        match (joined.last_mut(), item) {
            (Some(Item::Octets(before)), Item::Octets(more)) => before.extend(more),
            (_, item) => joined.push(item),
        }
    }
    Some(joined)
}

fn bodies(items: &[Item]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    for item in items {
        match item {
            Item::Begin(_) => bodies.push(Vec::new()),
            Item::Octets(octets) => bodies.last_mut().expect("it began").extend_from_slice(octets),
            Item::End(_) => {}
        }
    }
    bodies
}

fn is_plain(body: &[u8]) -> bool {
    let lower = body.to_ascii_lowercase();
    let has = |what: &[u8]| lower.windows(what.len()).any(|piece| piece == what);
    let hidden = has(b"status") || has(b"x-keywords") || has(b"x-imap") || has(b"internal");
    // A field that is put before a line that goes on with a field would take that line along.
    let begins = !body.first().is_some_and(|octet| matches!(octet, b' ' | b'\t'));
    let ends = body.ends_with(b"\r\n") && !body.ends_with(b"\n\r\n");
    begins && ends && !hidden && has(b"\r\n\r\n")
}

fn written(messages: &[Vec<u8>]) -> Vec<u8> {
    let (mut writer, mut out) = (Writer::default(), Vec::new());
    for message in messages {
        writer.begin(b"a@b", 1_767_603_600_000, &Flags { system: 8, keywords: vec![] }, &mut out);
        writer.take(message, &mut out);
        writer.end(&mut out);
    }
    out
}

pub(super) const MAILDIR: Target = Target {
    name: "maildir",
    run: maildir,
    seeds: || {
        [
            "1.2.host:2,FRSab",
            ".Work.Old",
            ".a&AC4-b",
            ".R&-D",
            "0 $Label1\n1 Work\n25 z\n",
            "x:2,PT",
        ]
        .map(Vec::from)
        .to_vec()
    },
    words: &[
        ":2,",
        ".",
        "&AC4-",
        "&",
        "-",
        "/",
        "0 ",
        "25 ",
        "26 ",
        "\n",
        "$Forwarded",
        "P",
        "a",
        "é",
    ],
    size_max: 512,
    rounds: 10_000,
    ..USUAL
};

fn maildir(input: &[u8], seen: &mut Seen) {
    let keywords = Keywords::read(input);
    assert_eq!(Keywords::read(&keywords.print()).print(), keywords.print(), "read again");
    let mut known = Keywords::read(b"0 Work\n1 Play\n");
    let flags = maildir::flags(input, &known);
    let (info, left_out) = maildir::info(&flags, &mut known);
    assert_eq!(left_out, 0, "what came of letters has letters");
    let same = maildir::flags(info.as_bytes(), &known);
    assert_eq!(same.system, flags.system);
    assert_eq!(same.keywords.len(), flags.keywords.len(), "{info}");
    assert!(input.starts_with(maildir::unique(input)));
    if let Some(mailbox) = maildir::mailbox(input) {
        let directory = maildir::directory(&mailbox);
        assert!(!directory.contains(&b'/') && !directory.contains(&0), "it stays where it is");
        assert_eq!(maildir::mailbox(&directory).as_ref(), Some(&mailbox), "read again");
        seen.note(mailbox.split(|octet| *octet == b'/').count());
    }
    if let Ok(name) = mailbox_name(input, true) {
        let directory = maildir::directory(&name);
        assert_eq!(
            maildir::mailbox(&directory).as_ref(),
            Some(&name),
            "every mailbox has a directory"
        );
    }
    seen.note((flags.system, flags.keywords.len()));
}
