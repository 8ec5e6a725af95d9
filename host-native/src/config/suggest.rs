//! What is said of a file that cannot be read: in words of the file, not of this program, and with what may have been meant.

/// Slips that are taken for slips.
const SLIPS_MAX: usize = 3;

/// What the reader of TOML expects, and how a person says it.
const EXPECTED: [(&str, &str); 10] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number, 0 or more"),
    ("usize", "a whole number, 0 or more"),
    ("a sequence", "a list in brackets, such as [\"a\", \"b\"]"),
    ("a string", "text in quotes, such as \"a\""),
    ("a boolean", "true or false"),
    ("a map", "a table: name = value, in lines below its [name]"),
    ("socket address", "an address and a port, such as \"127.0.0.1:25\""),
];

/// Why TOML cannot be read: place and line, and what is expected, and what was meant if that can be guessed.
pub(crate) fn wrong_toml(error: &toml::de::Error) -> String {
    let said = error.to_string();
    let meant = meant(error.message());
    let meant = meant.map_or_else(String::new, |word| format!("did you mean `{word}`?\n"));
    format!("{}{meant}", plain(&said))
}

/// The message with what is expected in plain words.
fn plain(said: &str) -> String {
    let Some((before, expected)) = said.trim_end().rsplit_once(", expected ") else {
        return said.to_owned();
    };
    // A table of our own goes by its name in this program.
    let words = EXPECTED.iter().find(|(ours, _)| *ours == expected).map(|(_, words)| *words);
    let table = EXPECTED[8].1;
    match words.or_else(|| expected.starts_with("struct ").then_some(table)) {
        Some(words) => format!("{before}, expected {words}\n"),
        None => said.to_owned(),
    }
}

/// Of a message such as "unknown field `hostname`, expected one of `host_name`, `data`", the word that was meant, if one is near.
fn meant(message: &str) -> Option<&str> {
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
    fn what_is_expected_is_said_in_plain_words() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "it is never read")]
        struct File {
            number: Option<u32>,
            list: Option<Vec<String>>,
            text: Option<String>,
            table: Option<Inner>,
            yes: Option<bool>,
            at: Option<std::net::SocketAddr>,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Inner {}
        for (text, words) in [
            (
                "number = 'x'",
                "invalid type: string \"x\", expected a whole number from 0 to 4294967295\n",
            ),
            ("number = -1", "expected a whole number from 0"),
            ("list = 'a'", "expected a list in brackets"),
            ("text = 5", "expected text in quotes"),
            ("table = 5", "expected a table"),
            ("yes = 'y'", "expected true or false"),
            ("at = 5", "expected an address and a port"),
        ] {
            let error = toml::from_str::<File>(text).expect_err("it is wrong");
            let said = wrong_toml(&error);
            assert!(said.contains(words), "{text}: {said}");
            assert!(said.contains("line 1, column"), "{text}: {said}");
        }
        assert_eq!(plain("unclosed table, expected `]`\n"), "unclosed table, expected `]`\n");
    }

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
