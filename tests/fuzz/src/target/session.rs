//! The six roles, in every state that a conversation brings them to: inputs are transcripts, as under `tests/transcripts`,
//! with nothing that the session itself says. What of a mutated one cannot be read is passed over.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::USUAL;
use crate::corpus::conversations;
use crate::transcript::{Endured, Library, NOT_ANSWERED, Script, Split, Turn, What, endure};
use crate::{Seen, Target};

const SESSION: Target = Target {
    lines: true,
    size_max: 8 << 10,
    // With the store, messages of some kilobytes, and all that was said in both directions.
    memory_max: 24 << 20,
    rounds: 700,
    ..USUAL
};

pub(super) const SMTP: Target = Target {
    name: "smtp",
    run: |input, seen| hold("smtp", input, seen),
    seeds: || conversations("smtp"),
    words: &[
        "C: EHLO a\n",
        "C: DATA\n",
        "C: .\n",
        "C: RSET\n",
        "C: STARTTLS\nC secures\n",
        "C: QUIT\n",
        "C: BDAT 5 LAST\nC| abcde",
        "C: AUTH PLAIN\n",
        "C: AUTH LOGIN\n",
        "C: *\n",
        "\\r",
        "\\n",
        "\\0",
        "\\r\\n.\\r\\n",
        "\\xff",
        " SIZE=",
        " BODY=BINARYMIME",
        " NOTIFY=NEVER",
        " ORCPT=rfc822;",
        " RET=HDRS",
        " SMTPUTF8",
        " BY=1;R",
        " HOLDFOR=1",
        "<",
        ">",
        "@",
        "\"",
        "[IPv6:",
        "+3D",
        "@ +5m\n",
        "C ends\n",
        "with lmtp\n",
        "with submission\n",
        "with trace\n",
    ],
    ..SESSION
};

pub(super) const SMTP_CLIENT: Target = Target {
    name: "smtp-client",
    run: |input, seen| hold("smtp-client", input, seen),
    seeds: || conversations("smtp-client"),
    words: &[
        "S: 250 ok\n",
        "S: 250-SIZE 1\n",
        "S: 334 \n",
        "S: 354 go\n",
        "S: 421 4.3.2 bye\n",
        "S: 220 x\n",
        "S: 250-AUTH PLAIN LOGIN SCRAM-SHA-1\n",
        "S: 250 STARTTLS\nS: 220 go\nS secures\n",
        "S: 550 5.1.1 no\n",
        "-",
        " ",
        "\\0",
        "\\r",
        "\\xff",
        "> deliver 9 from=<a@b> to=<c@d>\n| x: y\n|\n| .z\n",
        "> quit\n",
        "> cancel 1\n",
        "> broken-off 1\n",
        "@ +5m\n",
        "S ends\n",
        "with lmtp\n",
    ],
    ..SESSION
};

pub(super) const POP3: Target = Target {
    name: "pop3",
    run: |input, seen| hold("pop3", input, seen),
    seeds: || conversations("pop3"),
    words: &[
        "C: USER bob\nC: PASS x\n",
        "C: RETR 1\n",
        "C: TOP 1 0\n",
        "C: UIDL\n",
        "C: LIST\n",
        "C: DELE 1\n",
        "C: RSET\n",
        "C: STAT\n",
        "C: CAPA\n",
        "C: AUTH PLAIN\n",
        "C: *\n",
        "C: LANG\n",
        "C: UTF8\n",
        "C: STLS\nC secures\n",
        "C: QUIT\n",
        "C: APOP a b\n",
        "4294967296",
        "\\0",
        "\\r",
        "\\xff",
        "@ +10m\n",
    ],
    ..SESSION
};

pub(super) const POP3_CLIENT: Target = Target {
    name: "pop3-client",
    run: |input, seen| hold("pop3-client", input, seen),
    seeds: || conversations("pop3-client"),
    words: &[
        "S: +OK\n",
        "S: -ERR [IN-USE] x\n",
        "S: +OK 2 320\n",
        "S: .\n",
        "S: ..\n",
        "S: + \n",
        "S: 1 a\n",
        "S: SASL PLAIN LOGIN\n",
        "S: UIDL\n",
        "S: PIPELINING\n",
        "> 1 retrieve 1\n",
        "> 2 unique-ids\n",
        "> 3 sizes\n",
        "> 4 top 1 0\n",
        "> 5 delete 1\n",
        "> 6 quit\n",
        "S ends\n",
        "\\0",
        "\\r",
        "\\xff",
        "@ +10m\n",
    ],
    ..SESSION
};

pub(super) const IMAP: Target = Target {
    name: "imap",
    run: |input, seen| hold("imap", input, seen),
    seeds: || conversations("imap"),
    words: &[
        "C: x LOGIN bob hungry\n",
        "C: x SELECT INBOX\n",
        "C: x IDLE\n",
        "C: DONE\n",
        "C: x NOOP\n",
        "C: x AUTHENTICATE PLAIN\n",
        "C: *\n",
        "C: x STARTTLS\nC secures\n",
        "C: x UNAUTHENTICATE\n",
        "C: x FETCH 1:* (FLAGS BODY[] BODYSTRUCTURE ENVELOPE PREVIEW)\n",
        "C: x EXPUNGE\n",
        "C: x CLOSE\n",
        "C: x APPEND INBOX {3}\nC| abc\nC: \n",
        "C: x APPEND INBOX CATENATE (TEXT {1+}\nC: x)\n",
        "C: x UID SEARCH RETURN (ALL UPDATE) ",
        "C: x SORT (REVERSE DATE) UTF-8 ALL\n",
        "C: x THREAD REFERENCES UTF-8 ALL\n",
        "C: x ENABLE QRESYNC\n",
        "C: x ENABLE UIDONLY\n",
        "C: x NOTIFY SET (SELECTED (MessageNew MessageExpunge))\n",
        "C: x STORE 1:* +FLAGS (\\\\Deleted)\n",
        "C: x COMPRESS DEFLATE\n",
        "C: x GENURLAUTH ",
        " OR ",
        " NOT ",
        "(",
        ")",
        "{5}",
        "{5+}",
        "~{5+}",
        "\"",
        "\\\\",
        "\\0",
        "\\xff",
        "*",
        "%",
        "4294967295",
        "$",
        "BODY[1.2.HEADER.FIELDS (A)]<0.9>",
        "BINARY.SIZE[1]",
        "C2: y LOGIN bob hungry\nC2: z SELECT INBOX\n",
        "@ +30m\n",
        "C ends\n",
    ],
    ..SESSION
};

pub(super) const IMAP_CLIENT: Target = Target {
    name: "imap-client",
    run: |input, seen| hold("imap-client", input, seen),
    seeds: || conversations("imap-client"),
    words: &[
        "S: * PREAUTH [CAPABILITY IMAP4rev1 ESEARCH] x\n",
        "S: A1 OK\n",
        "S: A2 NO [ALERT] x\n",
        "S: + \n",
        "S: * BYE\n",
        "S: * 3 EXISTS\n",
        "S: * 1 EXPUNGE\n",
        "S: * VANISHED (EARLIER) 1:9\n",
        "S: * 1 FETCH (UID 1 BODY[] {3}\nS| abc\nS: )\n",
        "S: * ESEARCH (TAG \"A1\") UID ALL 1:3\n",
        "S: * LIST (\\\\Noselect) \"/\" {3}\nS: abc\n",
        "S: * OK [UIDVALIDITY 1] x\n",
        "(",
        ")",
        "NIL",
        "\"",
        "{3}",
        "~{3}",
        "\\0",
        "\\xff",
        "4294967295",
        "> 7 select INBOX\n",
        "> 8 fetch 1:* structure\n",
        "> 9 idle\n",
        "> 9 done-idling\n",
        "> 9 search all\n",
        "> 9 logout\n",
        "S ends\n",
        "@ +30m\n",
    ],
    ..SESSION
};

/// Octets that a peer says in one go; more of the same adds nothing.
const SAID_MAX: usize = 32 << 10;
const TURNS_MAX: usize = 400;
const GIVEN_MAX: usize = 8;
const CONNECTIONS_MAX: usize = 3;
const DAY_MS: u64 = 86_400_000;
/// Octets that a session may send for each that it was given, beside a few: a short FETCH asks for much.
const SENT_PER_OCTET: usize = 16 << 10;

fn hold(protocol: &str, input: &[u8], seen: &mut Seen) {
    let mut script = script(protocol, input);
    end(&mut script);
    let whole = run(&script, Split::Whole);
    let unanswered = whole.refused.iter().any(|why| why.contains(NOT_ANSWERED));
    for (one, connection) in whole.seen.iter().zip(0..) {
        seen.note(connection);
        seen.note_lines(&one.sent);
        let sent_max = (64 << 10) + one.received.len() * SENT_PER_OCTET;
        assert!(one.sent.len() <= sent_max, "{} octets sent", one.sent.len());
        // Who was given no answer that it could take still waits for one.
        assert!(unanswered || one.closed, "silence does not end it");
    }
    whole.told.iter().for_each(|told| seen.note(told.split(' ').next()));
    let split = input.len() as u64;
    let ways = [Split::Octets, Split::Random(split), Split::Frozen(split)];
    for way in ways.into_iter().filter(|way| protocol == "imap" || !matches!(way, Split::Frozen(_)))
    {
        is_same(&whole, &run(&script, way), &format!("{way:?}"));
    }
    // Whoever looks on changes nothing.
    match script.with.iter().position(|word| word == "trace") {
        Some(at) => drop(script.with.remove(at)),
        None => script.with.push("trace".to_owned()),
    }
    is_same(&whole, &run(&script, Split::Whole), "with trace, or without");
}

fn run(script: &Script, split: Split) -> Endured {
    let endured = endure(script, &Library, split).expect("it is a protocol");
    let chosen = script.turns.iter().any(|turn| matches!(turn.what, What::Answer(_)));
    let refused = endured.refused.iter().find(|why| why.contains(NOT_ANSWERED));
    // What stands behind `!` may be no answer to what is asked.
    assert!(chosen || refused.is_none(), "{refused:?}");
    endured
}

/// RFC 2920 §3.1: the refusal of what was sent too early.
const EARLY: &[u8] = b"Sent before the reply that it has to wait for";

fn is_same(whole: &Endured, other: &Endured, way: &str) {
    assert_eq!(other.seen.len(), whole.seen.len(), "{way}: connections");
    for (one, first) in other.seen.iter().zip(&whole.seen) {
        // Whether something came before a reply depends on when it came: that is what this refusal is about.
        let early = |sent: &[u8]| sent.windows(EARLY.len()).any(|piece| piece == EARLY);
        if early(&one.sent) || early(&first.sent) {
            return;
        }
        let (said, at_first) = (one.sent.escape_ascii(), first.sent.escape_ascii());
        assert!(one.sent == first.sent, "{way}: it says\n{said}\nand at first\n{at_first}");
        assert_eq!(one.closed, first.closed, "{way}: closed");
    }
    // A body comes in pieces, and those depend on how it arrived.
    let events = |endured: &Endured| -> Vec<String> {
        endured.told.iter().filter(|told| !told.starts_with("chunk")).cloned().collect()
    };
    assert_eq!(events(other), events(whole), "{way}: events");
}

/// The conversation, within bounds.
fn script(protocol: &str, input: &[u8]) -> Script {
    let mut script = Script::lenient(protocol, &text(input));
    script.with.retain(|word| SETTINGS.contains(word));
    script.given.truncate(GIVEN_MAX);
    if protocol == "smtp" || script.is_client() {
        // Who speaks before its turn is told so, and that depends on what comes at once (RFC 5321 §4.1.1).
        script.turns = script.turns.into_iter().flat_map(line_by_line).collect();
    }
    script.turns.truncate(TURNS_MAX);
    script.turns.retain(|turn| !matches!(turn.what, What::Session(_) | What::Event(_)));
    for turn in &mut script.turns {
        turn.connection = turn.connection.clamp(1, CONNECTIONS_MAX);
        match &mut turn.what {
            What::Peer(octets) => octets.truncate(SAID_MAX),
            What::Wait(ms) => *ms = (*ms).min(DAY_MS),
            _ => {}
        }
    }
    script
}

/// What a peer says, one line at a time.
fn line_by_line(turn: Turn) -> Vec<Turn> {
    let What::Peer(octets) = &turn.what else { return vec![turn] };
    let lines = octets.split_inclusive(|octet| *octet == b'\n').take(TURNS_MAX);
    lines.map(|line| Turn { what: What::Peer(line.to_vec()), ..turn.clone() }).collect()
}

/// Settings that a transcript has; others are the host's mistake.
static SETTINGS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let protocols = ["smtp", "pop3", "imap", "smtp-client", "pop3-client", "imap-client"];
    let mut settings = BTreeSet::new();
    for seed in protocols.into_iter().flat_map(conversations) {
        let text = String::from_utf8_lossy(&seed).into_owned();
        let with = text.lines().filter_map(|line| line.strip_prefix("with "));
        settings.extend(with.flat_map(str::split_whitespace).map(str::to_owned));
    }
    settings
});

/// Lines that the transcripts' reader takes: what is no text is escaped, what would be much is left out.
fn text(input: &[u8]) -> String {
    let mut text = String::new();
    for line in input.split(|octet| *octet == b'\n') {
        let head = line.iter().take_while(|octet| !b":| ".contains(octet)).count();
        let times =
            line[..head].iter().position(|octet| *octet == b'*').map(|at| &line[at + 1..head]);
        let many = times.is_some_and(|times| times.len() > 2 && line.len() * 1000 > SAID_MAX);
        let days = line.starts_with(b"@") && line.len() > 9;
        if many || days || times.is_some_and(|times| times.len() > 3) {
            continue;
        }
        for chunk in line.utf8_chunks() {
            text.push_str(chunk.valid());
            chunk.invalid().iter().for_each(|octet| text.push_str(&format!("\\x{octet:02x}")));
        }
        text.push('\n');
    }
    text
}

/// Goes on until peers have gone and a long time has passed: then a session is over.
fn end(script: &mut Script) {
    let connections: BTreeSet<usize> = script.turns.iter().map(|turn| turn.connection).collect();
    let line = script.turns.last().map_or(1, |turn| turn.line + 1);
    let turn = |connection, what| Turn { line, connection, what };
    script.turns.extend(connections.into_iter().map(|connection| turn(connection, What::End)));
    script.turns.extend((0..4).map(|_| turn(1, What::Wait(DAY_MS))));
}
