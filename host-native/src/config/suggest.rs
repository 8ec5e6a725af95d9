//! What somebody may have meant who wrote a word that is none of those that are known.

/// Slips that are taken for slips.
const SLIPS_MAX: usize = 3;

/// Of a message such as "unknown field `hostname`, expected one of `host_name`, `data`", the word that was meant, if one is near.
pub(super) fn meant(message: &str) -> Option<&str> {
    let (unknown, expected) = message.split_once("expected")?;
    if !unknown.contains("unknown") {
        return None;
    }
    let word = unknown.split('`').nth(1)?;
    let known = expected.split('`').skip(1).step_by(2);
    let (slips, meant) = known.map(|known| (slips(word, known), known)).min()?;
    (slips <= SLIPS_MAX && slips < word.chars().count().div_ceil(2)).then_some(meant)
}

/// Letters that must be put in, taken out or changed, or changed places with their neighbours.
fn slips(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut least =
                (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_was_meant() {
        assert_eq!(slips("host_name", "hostname"), 1);
        assert_eq!((slips("ab", "ba"), slips("", "abc"), slips("abc", "abc")), (1, 3, 0));
        let unknown = "unknown field `domain`, expected one of `host_name`, `data`, `domains`";
        assert_eq!(meant(unknown), Some("domains"));
        let unknown = "unknown variant `requierd`, expected one of `none`, `required`";
        assert_eq!(meant(unknown), Some("required"));
        let unknown = "unknown field `show`, expected `show_protocol`";
        assert_eq!(meant(unknown), None, "a guess would be no help");
        for other in ["invalid type: string \"x\", expected a boolean", "unknown field `q`", ""] {
            assert_eq!(meant(other), None, "{other}");
        }
    }
}
