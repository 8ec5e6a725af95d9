//! The support table of IMAP and POP3: what `tests/rfc/support.txt` says of each RFC, with the rules that the code cites, the
//! capabilities that it announces, and the transcripts that show it. `PILLARBOX_RECORD=1` writes it to `tests/rfc/support.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use pillarbox_engine::imap::{self, capability_names};
use pillarbox_engine::pop3;

const CLAIMS: &str = include_str!("../../tests/rfc/support.txt");
const TABLE: &str = include_str!("../../tests/rfc/support.md");

struct Claim {
    rfc: u16,
    support: &'static str,
    title: &'static str,
    note: &'static str,
}

fn claims() -> Vec<Claim> {
    let claim = |line: &'static str| {
        let (head, note) = line.split_once('|').expect("a bar before the note");
        let mut words = head.splitn(3, ' ');
        let mut next = || words.next().expect("number, support and title");
        let rfc = next().parse().expect("a number");
        Claim { rfc, support: next(), title: next().trim(), note: note.trim() }
    };
    CLAIMS.lines().map(claim).collect()
}

/// Transcripts by the RFCs that their remarks cite.
fn transcripts() -> BTreeMap<u16, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/transcripts");
    let mut cited: BTreeMap<u16, BTreeSet<String>> = BTreeMap::new();
    for protocol in ["imap", "pop3"] {
        for entry in std::fs::read_dir(root.join(protocol)).expect("they are there") {
            let path = entry.expect("it can be read").path();
            let text = std::fs::read_to_string(&path).expect("it can be read");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            for remark in text.lines().filter(|line| line.starts_with('#')) {
                for (at, _) in remark.match_indices("RFC ") {
                    let digits = remark[at + 4..].split(|c: char| !c.is_ascii_digit()).next();
                    let rfc = digits.and_then(|digits| digits.parse().ok()).expect("a number");
                    cited.entry(rfc).or_default().insert(format!("{protocol}/{name}"));
                }
            }
        }
    }
    cited
}

fn rules() -> BTreeMap<u16, BTreeSet<&'static str>> {
    let mut cited: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for rule in imap::RULES.iter().chain(pop3::RULES) {
        cited.entry(rule.rfc).or_default().insert(rule.section);
    }
    cited
}

/// The capabilities of the code that a title names, whole or by what stands before their `=`.
fn announced(title: &str) -> Vec<&'static str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "=+-".contains(c);
    let words: Vec<&str> = title.split(|c| !is_part(c)).collect();
    let halves = |name: &'static str| name.split_once('=').unwrap_or((name, name));
    let is_named = |name: &&'static str| {
        let (family, one) = halves(name);
        [*name, family, one].iter().any(|part| words.contains(part))
    };
    let all: BTreeSet<&str> = capability_names().chain(pop3::capability_names()).collect();
    all.into_iter().filter(is_named).collect()
}

#[test]
fn the_table_says_what_the_code_and_the_transcripts_show() {
    let (claims, rules, shown) = (claims(), rules(), transcripts());
    assert!(claims.windows(2).all(|pair| pair[0].rfc < pair[1].rfc), "in the order of numbers");
    let mut table = String::from(
        "# IMAP and POP3: what is there\n\n\
         Made by `PILLARBOX_RECORD=1 cargo test -p pillarbox-engine --test support` of `support.txt`, of the rules that \
         the code\ncites, of the capabilities that it announces, and of the transcripts (`tests/transcripts/`) that show \
         each RFC at work.\n\n\
         | RFC | what | support | note | sections cited | announced as | shown by |\n|---|---|---|---|---|---|---|\n",
    );
    let (mut missing, mut unfounded) = (Vec::new(), Vec::new());
    for Claim { rfc, support, title, note } in &claims {
        assert!(matches!(*support, "yes" | "partial" | "no"), "{rfc}: {support}");
        let sections = rules.get(rfc).map_or(0, BTreeSet::len);
        let files: Vec<&str> = shown.get(rfc).into_iter().flatten().map(|name| &name[..]).collect();
        if *support == "no" {
            assert_eq!(sections, 0, "RFC {rfc} is said not to be there, and its rules are cited");
        } else if files.is_empty() {
            missing.push(*rfc);
        }
        let announced = if *support == "no" { Vec::new() } else { announced(title) };
        if *support != "no" && sections == 0 && announced.is_empty() {
            unfounded.push(*rfc);
        }
        let sections = if sections == 0 { String::new() } else { sections.to_string() };
        let announced = announced.join(", ");
        let files = files.join(", ");
        writeln!(
            table,
            "| {rfc} | {title} | {support} | {note} | {sections} | {announced} | {files} |"
        )
        .expect("a string takes all");
    }
    assert!(missing.is_empty(), "no transcript cites RFC {missing:?}");
    assert!(unfounded.is_empty(), "nothing in the code cites or announces RFC {unfounded:?}");
    let claimed = |rfc: &u16| claims.iter().any(|claim| claim.rfc == *rfc && claim.support != "no");
    let unclaimed: Vec<&u16> = rules.keys().filter(|rfc| !claimed(rfc)).collect();
    assert!(unclaimed.is_empty(), "rules cite RFC {unclaimed:?}, of which the table says nothing");
    // A capability that is announced is in some title, or belongs to one that is.
    for name in capability_names() {
        let family = name.split('=').next().unwrap_or(name);
        let known = |claim: &Claim| claim.support != "no" && claim.title.contains(family);
        let of_others =
            ["METADATA-SERVER", "RIGHTS=kxte", "SAVELIMIT", "STARTTLS", "LOGINDISABLED"];
        assert!(claims.iter().any(known) || of_others.contains(&name), "nothing claims {name}");
    }
    if std::env::var_os("PILLARBOX_RECORD").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/rfc/support.md");
        std::fs::write(path, table).expect("it can be written");
    } else {
        assert_eq!(TABLE, table, "PILLARBOX_RECORD=1 writes the table anew");
    }
}
