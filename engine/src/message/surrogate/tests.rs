use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::text::header::fields;
use crate::text::{params, words};

fn surrogate(message: &[u8], cut: usize) -> Vec<u8> {
    let (mut maker, mut out) = (Surrogate::new(), Vec::new());
    message.chunks(cut).for_each(|octets| maker.take(octets, &mut out));
    maker.finish(&mut out);
    assert_eq!(maker.is_changed(), out != message);
    out
}

fn field(message: &[u8], name: &str) -> Option<Vec<u8>> {
    fields(message).find(|field| field.is(name.as_bytes())).map(|field| field.unfolded())
}

const MESSAGE: &str = "From: Jörg <joerg@xn--exmple-cua.org>, Åsa <åsa@exämple.org>\r\n\
    To: plain@example.org, Büro: \"Müller, Ö.\" <m@example.org>, ü@example.org;, b@exämple.org\r\n\
    Subject: Grüße =?utf-8?q?und_K=C3=BCsse?=\r\n\
    Message-ID: <ö@example.org>\r\n\
    References: <a@example.org>\r\n\
    X-Own: d\u{e9}j\u{e0} vu\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=\"=x=\"; n\u{e4}me=a\r\n\r\n\
    --=x=\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nö\r\n\
    --=x=\r\nContent-Type: image/png; name=\"größe.png\"\r\n\
    Content-Disposition: attachment; filename=\"ä;\\\"b\\\".png\"; size=3\r\n\r\nabc\r\n\
    --=x=\r\nContent-Type: message/rfc822\r\n\r\nSubject: öde\r\n\r\ninside: ö\r\n\
    --=x=--\r\nend ö\r\n";

#[test]
fn what_it_says_stays_the_same_in_ascii() {
    let made = surrogate(MESSAGE.as_bytes(), usize::MAX);
    let text = String::from_utf8(made.clone()).expect("it was UTF-8");
    let is = |name, value: &str| {
        let found = field(&made, name).map(|value| words::decode(&value));
        assert_eq!(found.as_deref(), Some(value), "{text}");
    };
    is(
        "From",
        "Jörg <joerg@xn--exmple-cua.org>, Åsa <åsa@exämple.org> <invalid@internationalized-address.invalid>",
    );
    is(
        "To",
        "plain@example.org, Büro : Müller, Ö. <m@example.org>, ü@example.org <invalid@internationalized-address.invalid> ;, b@xn--exmple-cua.org",
    );
    is("Subject", "Grüße und Küsse");
    is("References", "<a@example.org>");
    is("X-Own", "déjà vu");
    assert_eq!(field(&made, "Message-ID"), None);
    assert_eq!(
        field(&made, "Content-Type").as_deref(),
        Some(&b"multipart/mixed; boundary=\"=x=\""[..])
    );
    let part = text.split("--=x=\r\n").nth(2).expect("it is there").as_bytes();
    let parameter = |field_name, name: &str| {
        let read = params::parse(&field(part, field_name).expect("it is there"));
        read.parameter(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
    };
    assert_eq!(parameter("Content-Type", "name").as_deref(), Some("größe.png"), "{text}");
    assert_eq!(parameter("Content-Disposition", "filename").as_deref(), Some("ä;\"b\".png"));
    assert_eq!(parameter("Content-Disposition", "size").as_deref(), Some("3"));
    // Content is nobody's field.
    assert!(
        text.contains("8bit\r\n\r\nö\r\n")
            && text.contains("inside: ö\r\n")
            && text.ends_with("end ö\r\n")
    );
    assert!(text.contains("\r\n\r\nSubject: =?utf-8?q?=C3=B6de?=\r\n\r\n"), "{text}");
    for line in text.lines().filter(|line| !line.contains('ö')) {
        assert!(line.is_ascii() && line.len() <= 78, "{line}");
    }
}

#[test]
fn it_does_not_matter_how_it_is_cut_and_a_surrogate_has_none() {
    let whole = surrogate(MESSAGE.as_bytes(), usize::MAX);
    for cut in 1..60 {
        assert_eq!(surrogate(MESSAGE.as_bytes(), cut), whole, "cut at {cut}");
    }
    assert_eq!(surrogate(&whole, 7), whole);
}

#[test]
fn what_is_ascii_stays_octet_for_octet() {
    for message in ["", "a", "a: b\n\nc", "no field\r\n\r\nö", "a: b\r\n c\r\n\r\n\r\nö\r\n"] {
        assert_eq!(surrogate(message.as_bytes(), 1), message.as_bytes());
    }
}

#[test]
fn what_cannot_be_followed_is_still_ascii_and_loses_no_octet() {
    let long = [&b"a: "[..], &"ö".repeat(200_000).into_bytes()].concat();
    let made = surrogate(&long, 1000);
    assert!(made.is_ascii() && made.len() == long.len());
    let mut parts = String::from("Content-Type: multipart/mixed; boundary=x\r\n\r\n");
    (0..10_005).for_each(|_| parts.push_str("--x\r\nö: ö\r\n"));
    parts.push_str("\r\nend ö");
    let made = surrogate(parts.as_bytes(), 999);
    assert!(made.is_ascii() && made.ends_with(b"end ??"), "{}", made.len());
    assert_eq!(made.iter().filter(|octet| **octet == b'\n').count(), parts.matches('\n').count());
}

#[test]
fn raw_octets_of_an_old_charset_are_words_too() {
    let made =
        surrogate(b"Subject: caf\xe9\r\nReceived: from \xe9\r\nDate: \xff\r\n\r\n\xe9\r\n", 3);
    assert_eq!(field(&made, "Subject").map(|value| words::decode(&value)).as_deref(), Some("café"));
    assert!(field(&made, "Received").is_none() && made.ends_with(b"\r\n\r\n\xe9\r\n"));
}

#[test]
fn what_nobody_wrote_costs_no_more_than_its_size() {
    let long = "ö".repeat(100_000);
    for field in [
        format!("Subject: {long}"),
        format!("Cc: {}", "ö,".repeat(80_000)),
        format!("Content-Type: a/b; n=\"{long}\""),
    ] {
        let message = format!("{field}\r\n\r\nö");
        let made = surrogate(message.as_bytes(), 4096);
        let (head, body) = made.split_at(field.len());
        assert!(head.is_ascii() && body == "\r\n\r\nö".as_bytes(), "{}", made.len());
    }
    let text = surrogate("Sender: @ö\r\nContent-Type: a/b; name=\"\u{e9}\"\r\n\r\n".as_bytes(), 9);
    let text = String::from_utf8(text).expect("it is ASCII");
    assert!(text.contains("<invalid@internationalized-address.invalid>"), "{text}");
}

#[test]
fn words_where_addresses_should_be_stay_words() {
    for (was, is) in [
        ("Bcc: nur text ö", "nur text ö"),
        ("Cc: ö (never closed", "ö (never closed"),
        ("To: ö: <>, a@example.org;", "ö : a@example.org ;"),
        ("To: ö:;", "ö : ;"),
    ] {
        let made = surrogate(format!("{was}\r\n\r\n").as_bytes(), 5);
        let name = was.split(':').next().expect("a name");
        let value = field(&made, name).map(|value| words::decode(&value));
        assert_eq!(value.as_deref(), Some(is), "{}", String::from_utf8_lossy(&made));
    }
    let dated = surrogate("Date: Mon, 5 J\u{e4}n 2026\r\n\r\n".as_bytes(), 5);
    assert_eq!(dated, b"Date: Mon, 5 J??n 2026\r\n\r\n");
}
