//! Names: of mailboxes in modified UTF-7, URLs of messages, patterns of LIST, and addresses.

use pillarbox_engine::imap::grammar::{
    auth_url, auth_url_rump, decode_utf7, encode_utf7, mailbox_name, matches, message_url,
    secret_of_url, url_of,
};
use pillarbox_engine::message::compose::{parse_people, parse_person};
use pillarbox_engine::smtp::grammar::{
    parse_domain, parse_forward_path, parse_mailbox, print_mailbox,
};
use pillarbox_engine::text::{address, domain};

use super::USUAL;
use crate::{Seen, Target};

pub(super) const MAILBOX_NAME: Target = Target {
    name: "mailbox-name",
    run: name,
    seeds: || {
        ["INBOX", "inbox/a", "R&-D", "&ZeVnLA-", "&2D3eAA-", "a/b/c", "日本", "..", "&AC8-"]
            .map(Vec::from)
            .to_vec()
    },
    words: &[
        "&", "-", "/", "&-", "&AC8-", "&ZeU-", "&2D0-", "INBOX", ".", "..", "\u{2028}", "\u{FEFF}",
        "é", "😀",
    ],
    size_max: 512,
    rounds: 20_000,
    ..USUAL
};

fn name(input: &[u8], seen: &mut Seen) {
    if let Some(meaning) = decode_utf7(input) {
        assert_eq!(encode_utf7(&meaning), input, "one name has one form");
        seen.note(("utf7", meaning.len(), meaning.is_ascii()));
    }
    let text = String::from_utf8_lossy(input).into_owned();
    let wire = encode_utf7(text.as_bytes());
    assert!(wire.iter().all(|octet| (b' '..=b'~').contains(octet)), "it is ASCII");
    assert_eq!(decode_utf7(&wire).as_deref(), Some(text.as_bytes()), "what is written is read");
    for utf8 in [false, true] {
        let Ok(name) = mailbox_name(input, utf8) else { continue };
        seen.note((utf8, name.split(|octet| *octet == b'/').count()));
        // A name that was taken is taken again, in either form, and is the same.
        assert_eq!(mailbox_name(&name, true).as_ref(), Ok(&name));
        assert_eq!(mailbox_name(&encode_utf7(&name), false).as_ref(), Ok(&name));
        let wide = String::from_utf8(name.clone()).expect("it is UTF-8");
        assert!(!wide.chars().any(char::is_control) && !wide.contains("//"));
    }
}

pub(super) const IMAP_URL: Target = Target {
    name: "imap-url",
    run: url,
    seeds: || {
        let seeds = [
            "/INBOX/;UID=20",
            "/INBOX;UIDVALIDITY=7/;UID=20/;SECTION=1.2/;PARTIAL=0.1024",
            ";UID=3/;SECTION=HEADER",
            "imap://bob@hamburger.edu/INBOX/;uid=20;urlauth=submit+ann:internal:91354a473744909de610943775f92038",
            "imap://bob@hamburger.edu:143/a%2Fb;UIDVALIDITY=1/;UID=1;EXPIRE=2026-01-05T09:00:00Z;URLAUTH=anonymous",
        ];
        seeds.map(Vec::from).to_vec()
    },
    words: &[
        "imap://",
        "/",
        ";UID=",
        ";UIDVALIDITY=",
        "/;SECTION=",
        "/;PARTIAL=",
        ";EXPIRE=",
        ";URLAUTH=",
        ":INTERNAL:",
        "@",
        "%2F",
        "%00",
        "%",
        "1.MIME",
        "HEADER.FIELDS%20(A)",
        "user+",
        "authuser",
        "anonymous",
        "4294967296",
        ":",
    ],
    size_max: 1024,
    rounds: 20_000,
    ..USUAL
};

fn url(input: &[u8], seen: &mut Seen) {
    assert!(secret_of_url(input) <= input.len());
    if let Some(url) = message_url(input) {
        seen.note((url.mailbox.is_some(), url.uid_validity.is_some(), url.partial.is_some()));
        seen.note(format!("{:?}", url.section.header).split('(').next());
        assert!(url.uid > 0);
        if let Some(mailbox) = &url.mailbox {
            let again = url_of(mailbox, url.uid_validity.unwrap_or(0), url.uid, b"");
            let again = message_url(&again).expect("what is written is read");
            assert_eq!((again.mailbox.as_ref(), again.uid), (Some(mailbox), url.uid));
            assert_eq!(again.uid_validity, url.uid_validity);
        }
    }
    match auth_url_rump(input) {
        Ok(rump) => {
            seen.note((rump.expires_ms.is_some(), format!("{:?}", rump.access).len()));
            assert_eq!(rump.rump, input);
        }
        Err(why) => seen.note(why),
    }
    if let Some((url, token)) = auth_url(input) {
        seen.note(("token", token.len()));
        assert!(input.starts_with(&url.rump));
    }
}

pub(super) const LIST_PATTERN: Target = Target {
    name: "list-pattern",
    run: pattern,
    seeds: || {
        ["*\na/b", "%\nINBOX", "a/%\na/b", "in*%x\nINBOX/x", "*a*a*a*b\naaaaaaaaaaaa"]
            .map(Vec::from)
            .to_vec()
    },
    words: &["*", "%", "/", "\n", "INBOX", "inbox", "*%", "%*", "a/"],
    size_max: 400,
    rounds: 20_000,
    ..USUAL
};

/// The pattern stands before the first line end, the name behind it; what matches is what matches by the definition.
fn pattern(input: &[u8], seen: &mut Seen) {
    let end = input.iter().position(|octet| *octet == b'\n').unwrap_or(input.len());
    let (pattern, name) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let found = matches(pattern, name);
    seen.note((found, pattern.len().min(9), name.len().min(9)));
    if !name.starts_with(b"INBOX") {
        assert_eq!(found, by_definition(pattern, name));
    }
    assert!(matches(b"*", name));
    assert_eq!(matches(b"%", name), !name.contains(&b'/'));
}

/// RFC 9051 §6.3.9, place by place.
fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
    let mut matched = vec![vec![false; name.len() + 1]; pattern.len() + 1];
    matched[0][0] = true;
    for (at, octet) in pattern.iter().enumerate() {
        for upto in 0..=name.len() {
            matched[at + 1][upto] = match octet {
                b'*' => matched[at][upto] || upto > 0 && matched[at + 1][upto - 1],
                b'%' => {
                    let more = upto > 0 && name[upto - 1] != b'/' && matched[at + 1][upto - 1];
                    matched[at][upto] || more
                }
                octet => upto > 0 && name[upto - 1] == *octet && matched[at][upto - 1],
            };
        }
    }
    matched[pattern.len()][name.len()]
}

pub(super) const ADDRESS: Target = Target {
    name: "address",
    run: address,
    seeds: || {
        let seeds = [
            "bob@hamburger.edu",
            "Bob <bob@hamburger.edu>, \"A, B\" <a@b>",
            "\"a b\"@[127.0.0.1]",
            "<@a,@b:c@d>",
            "Group: a@b, c@d;, e@f",
            "=?utf-8?q?caf=C3=A9?= <x@y>",
            "a(comment(nested))@b",
            "é@münchen.example",
            "<Postmaster>",
        ];
        seeds.map(Vec::from).to_vec()
    },
    words: &[
        "<",
        ">",
        "@",
        "\"",
        "\\",
        "(",
        ")",
        ":",
        ";",
        ",",
        ".",
        "[",
        "]",
        "[IPv6:::1]",
        "=?utf-8?b?",
        "?=",
        "é",
        "xn--",
        " ",
    ],
    size_max: 2048,
    rounds: 10_000,
    ..USUAL
};

fn address(input: &[u8], seen: &mut Seen) {
    for utf8 in [false, true] {
        match parse_mailbox(input, utf8) {
            Ok(mailbox) => {
                let printed = print_mailbox(&mailbox);
                assert_eq!(parse_mailbox(&printed, utf8).as_ref(), Ok(&mailbox), "read again");
                let path = [b"<", &printed[..], b">"].concat();
                assert_eq!(parse_forward_path(&path, utf8).as_ref(), Ok(&mailbox), "as a path");
                seen.note((utf8, printed[0] == b'"', mailbox.domain.starts_with(b"[")));
            }
            Err(why) => seen.note((utf8, format!("{why:?}"))),
        }
        seen.note(parse_forward_path(input, utf8).is_ok());
    }
    if let Some(name) = parse_domain(input) {
        assert_eq!(parse_domain(&name).as_ref(), Some(&name), "read again");
    }
    let ascii = domain::to_ascii(input);
    if domain::is_name(&ascii) {
        assert_eq!(domain::to_ascii(&ascii), ascii, "what was put into ASCII stays");
        seen.note(("name", ascii.starts_with(b"xn--")));
    }
    let list = address::parse_list(input);
    seen.note(("list", list.len().min(20)));
    let text = String::from_utf8_lossy(input).into_owned();
    match parse_people(&text, Some("hamburger.edu")) {
        Ok(people) => {
            seen.note(("people", people.len().min(20)));
            for person in &people {
                let address = person.address();
                let read = parse_mailbox(&address, true);
                assert_eq!(read.as_ref(), Ok(&person.mailbox), "{}", address.escape_ascii());
            }
        }
        Err(why) => seen.note(format!("{why:?}").split('(').next()),
    }
    seen.note(parse_person(&text, None).is_ok());
}
