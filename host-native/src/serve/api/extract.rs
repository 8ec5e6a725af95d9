//! What tests take out of texts: where links lead, and codes that are typed somewhere.

use std::collections::BTreeSet;

/// Links that are told of one message.
const LINKS_MAX: usize = 1000;
/// Characters of a code.
const CODE: std::ops::RangeInclusive<usize> = 4..=10;

/// The links of a message, each once, in the order in which it shows them: those of the HTML first, as it has them, then those
/// of the text.
pub(super) fn links(text: &str, html: &str) -> Vec<String> {
    let of_html = attributes(html).chain(addresses(html).map(|link| link.replace("&amp;", "&")));
    let mut seen = BTreeSet::new();
    let all = of_html.chain(addresses(text).map(str::to_owned));
    all.filter(|link| seen.insert(link.clone())).take(LINKS_MAX).collect()
}

/// What `href` attributes say, as far as it leads somewhere outside of the message.
fn attributes(html: &str) -> impl Iterator<Item = String> + '_ {
    let lower = html.to_ascii_lowercase();
    let starts: Vec<usize> = lower.match_indices("href").map(|(at, _)| at + "href".len()).collect();
    starts.into_iter().filter_map(|at| {
        let rest = html.get(at..)?.trim_start().strip_prefix('=')?.trim_start();
        let value = match rest.chars().next()? {
            quote @ ('"' | '\'') => rest.get(1..)?.split(quote).next()?,
            _ => rest.split(|c: char| c.is_whitespace() || c == '>').next()?,
        };
        let value = value.trim().replace("&amp;", "&");
        let leads = ["http://", "https://", "mailto:"];
        leads.iter().any(|scheme| value.to_ascii_lowercase().starts_with(scheme)).then_some(value)
    })
}

/// Addresses of the web that stand in a text, without the marks that end a sentence.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    placed(text).map(|(_, link)| link)
}

/// The same, each with where it begins.
fn placed(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let begins = |at: usize| {
        let rest = &text[at..];
        rest.starts_with("http://") || rest.starts_with("https://")
    };
    let starts = text.match_indices("http").map(|(at, _)| at).filter(move |at| begins(*at));
    starts.map(|at| {
        let rest = &text[at..];
        let ends = |c: char| c.is_whitespace() || c.is_control() || "<>\"'`".contains(c);
        let link = rest.split(ends).next().unwrap_or_default();
        let link = link.trim_end_matches(['.', ',', ';', ':', '!', '?']);
        // A bracket that was opened before the address closes behind it.
        match link.strip_suffix(')') {
            Some(inner) if !inner.contains('(') => (at, inner),
            _ => (at, link),
        }
    })
}

/// Codes: words of digits, or of capital letters with digits among them, perhaps with hyphens. Those with digits alone come
/// first, as they stand.
pub(super) fn codes(text: &str) -> Vec<String> {
    let (mut without, mut from) = (String::new(), 0);
    for (at, link) in placed(text) {
        // One that stands inside of another went with it.
        if at >= from {
            without.push_str(&text[from..at]);
            without.push(' ');
            from = at + link.len();
        }
    }
    without.push_str(&text[from..]);
    let part = |c: char| c.is_alphanumeric() || c == '-';
    let words = without.split(|c: char| !part(c)).map(|word| word.trim_matches('-'));
    let has_digit = |word: &&str| word.bytes().any(|octet| octet.is_ascii_digit());
    let plain = |word: &&str| {
        let fine = |o: u8| o.is_ascii_digit() || o.is_ascii_uppercase() || o == b'-';
        word.bytes().all(fine) && CODE.contains(&word.replace('-', "").len())
    };
    let mut seen = BTreeSet::new();
    let found = words.filter(has_digit).filter(plain).filter(|word| seen.insert(word.to_string()));
    let is_number = |word: &&str| word.bytes().all(|octet| octet.is_ascii_digit());
    let (numbers, others): (Vec<&str>, Vec<&str>) = found.partition(is_number);
    numbers.into_iter().chain(others).take(LINKS_MAX).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_once_each() {
        let html = "<a HREF = 'https://a.example/reset?x=1&amp;y=2'>go</a> <a href=#top>up</a> \
                    <a href=mailto:x@a.example>write</a> see https://b.example/z. href";
        let text = "Go to (https://a.example/reset?x=1&y=2), or http://c.example/(d)! httpx://no";
        assert_eq!(
            links(text, html),
            [
                "https://a.example/reset?x=1&y=2",
                "mailto:x@a.example",
                "https://b.example/z",
                "http://c.example/(d)",
            ]
        );
        assert!(links("", "href=\"").is_empty() && links("http", "hrefé=é").is_empty());
    }

    #[test]
    fn codes_are_numbers_first() {
        let text = "Code AB12-CD34, or 482913. Not 123, word, 12345678901, \
                    https://a.example/99999 or Abc123.";
        assert_eq!(codes(text), ["482913", "AB12-CD34"]);
        assert!(codes("").is_empty());
    }
}
