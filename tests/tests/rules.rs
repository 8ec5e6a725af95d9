//! Every rule that the engine cites names a section that exists; `tests/rfc/sections.txt` was checked by reading.

use std::collections::BTreeSet;

const SECTIONS: &str = include_str!("../rfc/sections.txt");

#[test]
fn every_cited_section_exists() {
    let known: BTreeSet<&str> = SECTIONS.lines().collect();
    let mut cited = BTreeSet::new();
    for rule in pillarbox_engine::rules::all() {
        let entry = format!("{} {}", rule.rfc, rule.section);
        assert!(
            known.contains(&entry[..]),
            "{entry} ({}) is not in tests/rfc/sections.txt",
            rule.gist
        );
        assert!(rule.gist.ends_with('.'), "{entry}: a gist is a sentence");
        cited.insert(entry);
    }
    assert!(cited.len() > 20, "only {} sections are cited", cited.len());
    println!("{} sections cited", cited.len());
}
