//! The support table of IMAP and POP3: what `tests/rfc/support.txt` says of each RFC, with the rules that the code cites, the
//! capabilities that it announces, and the transcripts that show it. `PILLARBOX_RECORD=1` writes it to `tests/rfc/support.md`.
//!
//! In `support.txt` a line that begins with a number is a claim; what it rests on follows, indented: `imap` or `pop3` and the
//! capabilities that announce it there, `C` and words that a client says, `S` and words that a server says. Each of these
//! words stands in a transcript that cites the RFC.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use pillarbox_engine::imap;
use pillarbox_engine::pop3;

const CLAIMS: &str = include_str!("../../tests/rfc/support.txt");
const TABLE: &str = include_str!("../../tests/rfc/support.md");

struct Claim {
    rfc: u16,
    support: &'static str,
    title: &'static str,
    note: &'static str,
    /// Protocol and name, as they are announced.
    capabilities: Vec<(&'static str, &'static str)>,
    /// Who says it, and words of it.
    proofs: Vec<(char, &'static str)>,
}

fn claims() -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    for line in CLAIMS.lines() {
        let Some(basis) = line.strip_prefix("  ") else {
            let (head, note) = line.split_once('|').expect("a bar before the note");
            let mut words = head.splitn(3, ' ');
            let mut next = || words.next().expect("number, support and title");
            let rfc = next().parse().expect("a number");
            let (support, title, note) = (next(), next().trim(), note.trim());
            let (capabilities, proofs) = (Vec::new(), Vec::new());
            claims.push(Claim { rfc, support, title, note, capabilities, proofs });
            continue;
        };
        let claim = claims.last_mut().expect("a claim comes first");
        match basis.split_once(' ') {
            Some((protocol @ ("imap" | "pop3"), names)) => {
                claim.capabilities.extend(names.split(' ').map(|name| (protocol, name)));
            }
            Some(("C", words)) => claim.proofs.push(('C', words)),
            Some(("S", words)) => claim.proofs.push(('S', words)),
            _ => panic!("neither imap, pop3, C nor S: {line}"),
        }
    }
    claims
}

struct Transcript {
    name: String,
    protocol: &'static str,
    cited: BTreeSet<u16>,
    /// What each side says, by the letter of its side.
    said: Vec<(char, String)>,
}

/// Those of the server's side.
fn transcripts() -> Vec<Transcript> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/transcripts");
    let mut transcripts = Vec::new();
    for protocol in ["imap", "pop3"] {
        for entry in std::fs::read_dir(root.join(protocol)).expect("they are there") {
            let path = entry.expect("it can be read").path();
            let text = std::fs::read_to_string(&path).expect("it can be read");
            let stem = path.file_stem().expect("a name").to_string_lossy();
            let (mut cited, mut said) = (BTreeSet::new(), Vec::new());
            for line in text.lines() {
                if line.starts_with('#') {
                    for (at, _) in line.match_indices("RFC ") {
                        let digits = line[at + 4..].split(|c: char| !c.is_ascii_digit()).next();
                        cited.insert(digits.and_then(|it| it.parse().ok()).expect("a number"));
                    }
                } else if let Some((side @ ('C' | 'S'), words)) = said_by(line) {
                    said.push((side, words.to_owned()));
                }
            }
            transcripts.push(Transcript {
                name: format!("{protocol}/{stem}"),
                protocol,
                cited,
                said,
            });
        }
    }
    transcripts.sort_by(|a, b| a.name.cmp(&b.name));
    transcripts
}

/// The side of a line such as `C2: NOOP` or `S| +`, and its words.
fn said_by(line: &str) -> Option<(char, &str)> {
    let (head, words) = line.split_at(line.find([':', '|'])?);
    let side = head.chars().next()?;
    let is_number = |c: char| c.is_ascii_digit() || c == '*';
    head[1..].chars().all(is_number).then(|| (side, words[1..].strip_prefix(' ').unwrap_or("")))
}

/// The names in a list of capabilities of IMAP, if a line has one.
fn listed(words: &str) -> Option<&str> {
    let (_, list) = words.split_once("CAPABILITY ")?;
    Some(list.split(']').next().unwrap_or(list))
}

impl Transcript {
    /// Whether someone says these words; what is only listed among capabilities is not said.
    fn has(&self, (side, words): (char, &str)) -> bool {
        let says = |text: &str| match listed(text) {
            Some(list) => text.replace(list, "").contains(words),
            None => text.contains(words),
        };
        self.said.iter().any(|(by, text)| *by == side && says(text))
    }

    /// Whether a capability is announced here: in a list, and with POP3 on a line of its own or by being a command that works.
    fn announces(&self, protocol: &str, name: &str) -> bool {
        let is_it = |word: &str| word == name || word.split('=').next() == Some(name);
        let in_line = |(side, text): &(char, String)| match (protocol, side) {
            ("imap", 'S') => listed(text).is_some_and(|list| list.split(' ').any(is_it)),
            ("pop3", 'S') => match name.strip_prefix("AUTH=") {
                Some(mechanism) => {
                    text.starts_with("SASL ") && text.split(' ').any(|it| it == mechanism)
                }
                None => text.split(' ').next() == Some(name),
            },
            ("pop3", _) if matches!(name, "CAPA" | "APOP") => text.split(' ').next() == Some(name),
            _ => false,
        };
        self.protocol == protocol && self.said.iter().any(in_line)
    }
}

fn rules() -> BTreeMap<u16, BTreeSet<&'static str>> {
    let mut cited: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for rule in imap::RULES.iter().chain(pop3::RULES) {
        cited.entry(rule.rfc).or_default().insert(rule.section);
    }
    cited
}

/// Every capability of the code, with its protocol.
fn capabilities() -> BTreeSet<(&'static str, &'static str)> {
    let of_imap = imap::capability_names().map(|name| ("imap", name));
    of_imap.chain(pop3::capability_names().map(|name| ("pop3", name))).collect()
}

#[test]
fn the_table_says_what_the_code_and_the_transcripts_show() {
    let (claims, rules, transcripts) = (claims(), rules(), transcripts());
    assert!(claims.windows(2).all(|pair| pair[0].rfc < pair[1].rfc), "in the order of numbers");
    let mut table = String::from(
        "# IMAP and POP3: what is there\n\n\
         Made by `PILLARBOX_RECORD=1 cargo test -p pillarbox-engine --test support` of `support.txt`, of the rules that \
         the code\ncites, of the capabilities that it announces, and of the transcripts (`tests/transcripts/`) that show \
         each RFC at work:\nthose that cite it, in which the server says words that `support.txt` asks for.\n\n\
         | RFC | what | support | note | sections cited | announced as | shown by |\n|---|---|---|---|---|---|---|\n",
    );
    let mut wrong = Vec::new();
    for claim in &claims {
        let Claim { rfc, support, title, note, capabilities, proofs } = claim;
        assert!(matches!(*support, "yes" | "partial" | "no"), "{rfc}: {support}");
        let sections = rules.get(rfc).map_or(0, BTreeSet::len);
        let citing: Vec<&Transcript> =
            transcripts.iter().filter(|transcript| transcript.cited.contains(rfc)).collect();
        if *support == "no" {
            assert_eq!(sections, 0, "RFC {rfc} is said not to be there, and its rules are cited");
            assert!(capabilities.is_empty() && proofs.is_empty(), "RFC {rfc} rests on something");
        } else {
            if sections == 0 && capabilities.is_empty() {
                wrong.push(format!("nothing in the code cites or announces RFC {rfc}"));
            }
            for side in ['C', 'S'] {
                if !proofs.iter().any(|(by, _)| *by == side) {
                    wrong.push(format!("RFC {rfc} asks for nothing that {side} says"));
                }
            }
        }
        for proof in proofs {
            if !citing.iter().any(|transcript| transcript.has(*proof)) {
                let (side, words) = proof;
                wrong.push(format!(
                    "RFC {rfc}: no transcript that cites it has {side} say: {words}"
                ));
            }
        }
        for (protocol, name) in capabilities {
            if !citing.iter().any(|transcript| transcript.announces(protocol, name)) {
                wrong.push(format!("RFC {rfc}: no transcript that cites it announces {name}"));
            }
        }
        let shows = |transcript: &&&Transcript| {
            proofs.iter().any(|proof| proof.0 == 'S' && transcript.has(*proof))
        };
        let files: Vec<&str> = citing.iter().filter(shows).map(|it| &it.name[..]).collect();
        let sections = if sections == 0 { String::new() } else { sections.to_string() };
        let names: BTreeSet<&str> = capabilities.iter().map(|(_, name)| *name).collect();
        let announced = names.into_iter().collect::<Vec<_>>().join(", ");
        let files = files.join(", ");
        writeln!(
            table,
            "| {rfc} | {title} | {support} | {note} | {sections} | {announced} | {files} |"
        )
        .expect("a string takes all");
    }
    let claimed = |rfc: &u16| claims.iter().any(|claim| claim.rfc == *rfc && claim.support != "no");
    let unclaimed = rules.keys().filter(|rfc| !claimed(rfc));
    wrong.extend(
        unclaimed.map(|rfc| format!("the table says nothing of RFC {rfc}, which is cited")),
    );
    // What the code announces is what the claims announce, each at one place.
    let mut announced: Vec<_> = claims.iter().flat_map(|claim| &claim.capabilities).collect();
    announced.sort_unstable();
    let twice = announced.windows(2).filter(|pair| pair[0] == pair[1]);
    wrong.extend(twice.map(|pair| format!("{:?} is claimed twice", pair[0])));
    let announced: BTreeSet<_> = announced.into_iter().copied().collect();
    let all = capabilities();
    wrong.extend(announced.difference(&all).map(|name| format!("{name:?} is not in the code")));
    // SASL's mechanisms are the same for all protocols; the table names those alone that have a transcript.
    let of_protocol = all.difference(&announced).filter(|(_, name)| !name.starts_with("AUTH="));
    wrong.extend(of_protocol.map(|name| format!("nothing claims {name:?}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if std::env::var_os("PILLARBOX_RECORD").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/rfc/support.md");
        std::fs::write(path, table).expect("it can be written");
    } else {
        assert_eq!(TABLE, table, "PILLARBOX_RECORD=1 writes the table anew");
    }
}
