//! What of a message is beyond the bounds of its index is found all the same.

mod imap_host;

use imap_host::*;

#[test]
fn what_no_index_holds_is_found() {
    let mut host = Host::new();
    let people: Vec<String> = (0..4500).map(|at| format!("a{at}@a.test")).collect();
    host.put("INBOX", &format!("To: {}\n\nwords\n", people.join(",\n ")), 0);
    let part = |at: usize| format!("--b\n\nword{at} here\n");
    let parts: String = (0..1101).map(part).collect();
    let head = "Content-Type: multipart/mixed; boundary=b\n\n";
    host.put("INBOX", &format!("{head}{parts}--b--\n"), 0);
    let nested = "Content-Type: message/rfc822\n\n".repeat(105);
    host.put("INBOX", &format!("{nested}Subject: deep\n\nat the bottom\n"), 0);
    let (text, _) = selected(
        &host,
        &[
            c("a SEARCH TO a4400@a.test"),
            c("b SEARCH HEADER To a4400@a.test"),
            c("c SEARCH TO a4501@a.test"),
            c("d SEARCH BODY \"word1100 here\""),
            c("e SEARCH TEXT \"word1100 here\""),
            c("f SEARCH BODY \"at the bottom\""),
            c("g SEARCH BODY \"word1101 here\""),
        ],
    );
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with("* SEARCH")).collect();
    let expected = [
        "* SEARCH 1",
        "* SEARCH 1",
        "* SEARCH",
        "* SEARCH 2",
        "* SEARCH 2",
        "* SEARCH 3",
        "* SEARCH",
    ];
    assert_eq!(found, expected, "{text}");
}
