//! LIST patterns (RFC 9051 §6.3.9): `*` matches anything, `%` anything within a level.

use alloc::vec::Vec;

/// Whether a name matches a pattern, both UTF-8; INBOX matches in any case.
///
/// It follows all ways of matching at once, so its cost is at most the product of both lengths.
#[must_use]
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let pattern = simplified(pattern);
    let inbox_level = name.starts_with(b"INBOX") && matches!(name.get(5), None | Some(b'/'));
    let equal = |at: usize, octet: u8, wanted: u8| {
        octet == wanted || (inbox_level && at < 5 && octet.eq_ignore_ascii_case(&wanted))
    };
    // Which places of the pattern can be next; a wildcard's place is there with the one after it.
    let mut places = alloc::vec![false; pattern.len() + 1];
    enter(&pattern, &mut places, 0);
    for (at, &octet) in name.iter().enumerate() {
        let mut next = alloc::vec![false; pattern.len() + 1];
        for (place, &wanted) in pattern.iter().enumerate().filter(|(place, _)| places[*place]) {
            match wanted {
                b'*' => enter(&pattern, &mut next, place),
                b'%' if octet != b'/' => enter(&pattern, &mut next, place),
                b'%' => {}
                wanted if equal(at, octet, wanted) => enter(&pattern, &mut next, place + 1),
                _ => {}
            }
        }
        places = next;
    }
    places[pattern.len()]
}

/// Marks a place, and the places behind wildcards that may match nothing.
fn enter(pattern: &[u8], places: &mut [bool], place: usize) {
    let mut place = place;
    while !places[place] {
        places[place] = true;
        if matches!(pattern.get(place), Some(b'*' | b'%')) {
            place += 1;
        }
    }
}

/// Runs of wildcards as one: `*` takes in every `%` beside it.
pub(super) fn simplified(pattern: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(pattern.len());
    for &octet in pattern {
        match (out.last_mut(), octet) {
            (Some(last @ (b'*' | b'%')), b'*') => *last = b'*',
            (Some(b'*' | b'%'), b'%') => {}
            _ => out.push(octet),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_by_level() {
        let cases = [
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("a/%", "a/b", true),
            ("a/%", "a/b/c", false),
            ("%/%", "a/b", true),
            ("*c", "a/b/c", true),
            ("%c", "abc", true),
            ("a*%", "a/b/c", true),
            ("", "", true),
            ("", "a", false),
            ("inbox", "INBOX", true),
            ("InBox/%", "INBOX/x", true),
            ("inboxes", "inboxes", true),
            ("a", "A", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        let pattern = [&b"*%".repeat(400)[..], b"x"].concat();
        assert!(!matches(&pattern, &b"a".repeat(1000)));
        assert!(!matches(&[&b"*a".repeat(200)[..], b"x"].concat(), &b"a".repeat(1000)));
    }
}
