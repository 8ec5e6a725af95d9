//! Commands by their grammar alone: a line, and of IMAP its literals, without a session around them.

use pillarbox_engine::imap::grammar::{
    Assembled, Assembly, Command as ImapCommand, Options, Piece, Piecewise, parse,
};
use pillarbox_engine::limits::Limits;
use pillarbox_engine::role::Line;
use pillarbox_engine::smtp::Extensions;
use pillarbox_engine::smtp::grammar::{self as smtp, Parts};

use super::USUAL;
use crate::corpus::said;
use crate::{Seen, Target};

pub(super) const IMAP_COMMAND: Target = Target {
    name: "imap-command",
    run: imap_command,
    seeds: || said("imap"),
    words: &[
        " ",
        "(",
        ")",
        "\"",
        "\\",
        "{3}\r\nabc",
        "{3+}\r\nabc",
        "~{3}\r\nabc",
        "1:*",
        "$",
        "%",
        "NIL",
        "a UID SEARCH ",
        "a SEARCH RETURN (PARTIAL 1:10 SAVE) ",
        "CHARSET UTF-8 ",
        "OR ",
        "NOT ",
        "FUZZY ",
        "a SORT (REVERSE SUBJECT) UTF-8 ",
        "a THREAD REFERENCES UTF-8 ",
        "ALL",
        "HEADER Subject ",
        "TEXT ",
        "UNDELETED ",
        "SINCE 1-Jan-2020 ",
        "MODSEQ \"/flags/\\\\seen\" all 1 ",
        "a FETCH 1 ",
        "BODY.PEEK[1.MIME]<1.2>",
        "a ESEARCH IN (subtree-one INBOX) ",
        "a NOTIFY SET STATUS (inboxes (MessageNew))",
        "a LIST (SUBSCRIBED) \"\" (",
        "a APPEND x (\\Seen) \"01-Jan-2020 00:00:00 +0000\" CATENATE (URL ",
        "a STORE 1 (UNCHANGEDSINCE 1) +FLAGS ",
        "a SETMETADATA \"\" (/private/comment ",
        "a SETQUOTA \"\" (STORAGE 1)",
        "a GENURLAUTH \"imap://",
        "a ID (\"",
    ],
    ..USUAL
};

fn imap_command(input: &[u8], seen: &mut Seen) {
    for (logged_in, plus) in [(true, true), (true, false), (false, true)] {
        for pieces in commands(input, logged_in, plus, seen) {
            for (utf8, no_charset) in [(false, false), (true, false), (true, true)] {
                let mut cursor = Piecewise::new(&pieces);
                match parse(&mut cursor, Options { utf8, no_charset }) {
                    Ok(tagged) => note_command(&tagged.command, seen),
                    Err(bad) => seen.note(format!("{bad:?}").split('(').next()),
                }
                are_in_order(&cursor, &pieces);
            }
        }
    }
}

fn note_command(command: &ImapCommand, seen: &mut Seen) {
    let text = format!("{command:?}");
    for word in text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 2) {
        seen.note(word);
    }
}

/// What was read is told within what came, and what ends later is told later.
fn are_in_order(cursor: &Piecewise<'_>, pieces: &[Piece]) {
    let end = pieces.last().map_or(0, |piece| match piece {
        Piece::Text(octets, start) | Piece::Literal(octets, start, _) => {
            start + octets.len() as u64
        }
    });
    let mut at = 0;
    for token in &cursor.tokens {
        assert!(token.end >= at && token.end > token.start, "{token:?} after {at}");
        assert!(token.end <= end, "{token:?} beyond {end}");
        at = token.end;
    }
}

/// The commands of an input, with their literals.
fn commands(mut rest: &[u8], logged_in: bool, plus: bool, seen: &mut Seen) -> Vec<Vec<Piece>> {
    let (mut at, mut assembly, mut whole) = (0, Assembly::default(), Vec::new());
    while !rest.is_empty() {
        let end = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |end| end + 1);
        let (line, more) = rest.split_at(end);
        let octets = line.strip_suffix(b"\n").unwrap_or(line);
        let octets = octets.strip_suffix(b"\r").unwrap_or(octets);
        let (start, end) = (at, at + line.len() as u64);
        let line = Line { octets: octets.to_vec(), start, end, fault: None };
        (rest, at) = (more, end);
        match assembly.line(&line, &Limits::IMAP, logged_in, plus) {
            Assembled::Literal(next, literal) => {
                let size = usize::try_from(literal.size).unwrap_or(usize::MAX).min(rest.len());
                let (octets, more) = rest.split_at(size);
                (rest, at) = (more, at + size as u64);
                assembly = next.octets(octets, at);
                assert_eq!(assembly.due().is_none(), literal.size == size as u64);
            }
            Assembled::Whole(pieces) => {
                whole.push(pieces);
                assembly = Assembly::default();
            }
            Assembled::Append(pieces, _) => {
                seen.note("append");
                drop(pieces);
                assembly = Assembly::default();
            }
            Assembled::Refused(_, problem) => {
                seen.note(format!("{problem:?}"));
                assembly = Assembly::default();
            }
        }
    }
    whole
}

pub(super) const SMTP_COMMAND: Target = Target {
    name: "smtp-command",
    run: smtp_command,
    seeds: || said("smtp"),
    words: &[
        " ",
        "<",
        ">",
        "@",
        "\"",
        "\\",
        ":",
        ",",
        ".",
        "[",
        "]",
        "MAIL FROM:<a@b.c>",
        "RCPT TO:<a@b.c>",
        " SIZE=",
        " BODY=8BITMIME",
        " SMTPUTF8",
        " AUTH=<>",
        " NOTIFY=SUCCESS,FAILURE",
        " ORCPT=utf-8;\\x{E9}@x",
        " RET=FULL",
        " ENVID=+41",
        " BY=120;RT",
        " HOLDUNTIL=2026-01-05T09:00:00Z",
        " MT-PRIORITY=3",
        " REQUIRETLS",
        "<@a,@b:c@d>",
        "[127.0.0.1]",
        "[IPv6:::1]",
        "xn--",
        "é",
        "BDAT 1 LAST",
        "AUTH PLAIN =",
        "ETRN @x",
        "XCLIENT NAME=[TEMPUNAVAIL] ADDR=IPV6:::1",
    ],
    ..USUAL
};

fn smtp_command(input: &[u8], seen: &mut Seen) {
    let all = Extensions { xclient: true, etrn: true, ..Extensions::default() };
    for line in input.split(|octet| *octet == b'\n') {
        let (mut silent, mut noted) = (Parts::new(false), Parts::new(true));
        let command = smtp::parse(line, all, true, &mut silent);
        // Whoever looks on changes nothing.
        assert_eq!(command, smtp::parse(line, all, true, &mut noted));
        let mut at = 0;
        for part in noted.iter() {
            assert!(
                part.start >= at && part.end >= part.start && part.end <= line.len(),
                "{part:?}"
            );
            at = part.end;
        }
        let text = format!("{command:?}");
        text.split([' ', '(', '{']).filter(|word| word.len() > 3).for_each(|word| seen.note(word));
        let decoded = smtp::decode_xtext(line);
        if let Some(meaning) = decoded {
            assert_eq!(smtp::decode_xtext(&smtp::encode_xtext(&meaning)), Some(meaning));
        }
    }
}
