//! Conversations of a web server and of a browser: what they give and refuse, and that their notes cover every octet.

use super::*;
use pillarbox_engine::trace::{Side, Span};

fn pages() -> Vec<Resource> {
    let page = |path: &str, media_type: &str, octets: &[u8]| Resource {
        path: path.to_owned(),
        media_type: media_type.to_owned(),
        octets: octets.to_vec(),
    };
    vec![page("/", "text/html", b"<h1>Hi</h1>"), page("/a.jpg", "image/jpeg", b"\xff\xd8\n\x00")]
}

/// What it says, whether it closes; and that its spans cover what was said, whole or cut into single octets.
fn talk(said: &[u8]) -> (Vec<u8>, bool) {
    let mut results = Vec::new();
    for piece in [said.len().max(1), 1, 3] {
        let mut server = Server::default();
        let mut outputs = Vec::new();
        for octets in said.chunks(piece) {
            let mut left = server.receive(octets);
            while let Some(Output::Request(request)) = left.last().cloned() {
                left.pop();
                outputs.append(&mut left);
                left = server.respond(&give(&pages(), &request));
            }
            outputs.extend(left);
        }
        let (mut heard, mut closes) = (Vec::new(), false);
        let mut covered = [0_u64; 2];
        let mut notes = Vec::new();
        for output in outputs {
            match output {
                Output::Transmit(octets) => heard.extend(octets),
                Output::Close => closes = true,
                Output::Request(_) | Output::Response(_) => panic!("these were taken"),
                Output::Note(note) => {
                    if let Note::Span(span) = note {
                        let side = usize::from(span.side == Side::Sent);
                        assert_eq!(span.start, covered[side], "{}: no gap, no overlap", span.label);
                        assert!(HTTP_LABELS.contains(&span.label), "{}", span.label);
                        covered[side] = span.end;
                    }
                    notes.push(note);
                }
            }
        }
        assert_eq!(covered[1], heard.len() as u64, "what is sent is noted");
        results.push((heard, closes, notes));
    }
    assert!(results.windows(2).all(|two| two[0] == two[1]), "cutting changes nothing");
    let (heard, closes, _) = results.swap_remove(0);
    (heard, closes)
}

fn status(said: &[u8]) -> String {
    let (heard, _) = talk(said);
    String::from_utf8_lossy(&heard).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn one_object_for_each_request_on_one_connection() {
    let asks =
        b"GET / HTTP/1.1\r\nHost: crepes.fr\r\n\r\nGET /a.jpg HTTP/1.1\r\nhost: crepes.fr\r\n\r\n";
    let (heard, closes) = talk(asks);
    let first =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\n<h1>Hi</h1>";
    let second =
        b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 4\r\n\r\n\xff\xd8\n\x00";
    assert_eq!(heard, [&first[..], second].concat());
    assert!(!closes, "it is persistent");
}

#[test]
fn a_head_has_no_body_and_close_closes() {
    let (heard, closes) = talk(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(
        heard.ends_with(b"Content-Length: 11\r\nConnection: close\r\n\r\n"),
        "{}",
        heard.escape_ascii()
    );
    assert!(closes);
    assert!(talk(b"GET / HTTP/1.0\r\n\r\n").1, "before 1.1 a connection had one request");
    assert!(!talk(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").1);
}

#[test]
fn what_is_wrong_is_refused() {
    let host = "Host: a\r\n";
    for (request, wanted) in [
        (format!("GET /none HTTP/1.1\r\n{host}\r\n"), "404"),
        (format!("POST / HTTP/1.1\r\n{host}\r\n"), "405"),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\na=b"), "405"),
        (format!("BREW / HTTP/1.1\r\n{host}\r\n"), "501"),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 999999\r\n\r\n"), "413"),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n"), "400"),
        (
            format!("POST / HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            "400",
        ),
        (format!("GET / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n"), "411"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\n{host}{host}\r\n"), "400"),
        (format!("GET  / HTTP/1.1\r\n{host}\r\n"), "400"),
        (format!("GET / HTTP/1.1\n{host}\n"), "400"),
        (format!("GET / HTTP/2.0\r\n{host}\r\n"), "505"),
        (format!("GET / FTP/1.1\r\n{host}\r\n"), "400"),
        (format!("GET http://a/ HTTP/1.1\r\n{host}\r\n"), "400"),
        (format!("GET / HTTP/1.1\r\n{host}X : y\r\n\r\n"), "400"),
        (format!("GET / HTTP/1.1\r\n{host} folded\r\n\r\n"), "400"),
        ("EHLO crepes.fr\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X: y\r\n".repeat(200)), "400"),
        (format!("GET /{} HTTP/1.1\r\n", "x".repeat(HEAD_MAX)), "431"),
    ] {
        let said = status(request.as_bytes());
        assert!(said.starts_with(&format!("HTTP/1.1 {wanted} ")), "{request:?} → {said}");
    }
    assert_eq!(status(format!("\r\nGET /?x HTTP/1.1\r\n{host}\r\n").as_bytes()), "HTTP/1.1 200 OK");
}

#[test]
fn a_body_belongs_to_its_request_and_the_next_begins_behind_it() {
    let host = "Host: a\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 23\r\n";
    let said = format!(
        "POST /none HTTP/1.1\r\n{host}{form}\r\nuser=ann&password=open!GET / HTTP/1.1\r\n{host}\r\n"
    );
    let (heard, closes) = talk(said.as_bytes());
    let heard = String::from_utf8_lossy(&heard);
    assert!(heard.starts_with("HTTP/1.1 404 ") && heard.ends_with("<h1>Hi</h1>"), "{heard}");
    assert!(!closes);
}

fn spans(outputs: &[Output], side: Side) -> Vec<Span> {
    let note = |output: &Output| match output {
        Output::Note(Note::Span(span)) if span.side == side => Some(*span),
        _ => None,
    };
    outputs.iter().filter_map(note).collect()
}

fn said(outputs: &[Output]) -> Vec<u8> {
    let octets = |output: &Output| match output {
        Output::Transmit(octets) => Some(octets.clone()),
        _ => None,
    };
    outputs.iter().filter_map(octets).flatten().collect()
}

/// What one side says of its octets is what the other says of them; and secrets are secrets on both.
#[test]
fn a_browser_and_a_server_agree() {
    let fields =
        [("user", "ann@a"), ("password", "s e&cret")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    for piece in [1, 7, 100_000] {
        let (mut client, mut server) = (Client::new("a"), Server::default());
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for form in [Some(&fields[..]), None] {
            let asked = client.ask("/login", "visit=1234", form);
            for octets in said(&asked).chunks(piece) {
                other.extend(server.receive(octets));
            }
            one.extend(asked);
            let Some(Output::Request(request)) = other.last().cloned() else {
                panic!("a request is whole")
            };
            assert_eq!(request.cookie("visit"), Some("1234"));
            assert_eq!(request.given().all("password").next().is_some(), form.is_some());
            let answer = Response {
                fields: vec![
                    ("Location", "/inbox".to_owned()),
                    ("Set-Cookie", "visit=5; Path=/".to_owned()),
                ],
                media_type: "text/html".to_owned(),
                body: b"<p>x".to_vec(),
                ..Response::of(303)
            };
            let answered = server.respond(&answer);
            for octets in said(&answered).chunks(piece) {
                one.extend(client.receive(octets));
            }
            other.extend(answered);
            let Some(Output::Response(heard)) = one.last() else { panic!("it is whole") };
            assert_eq!((heard.status, &heard.phrase[..]), (303, "See Other"));
            assert_eq!(heard.location.as_deref(), Some("/inbox"));
            assert_eq!(heard.cookies, [("visit".to_owned(), "5".to_owned())]);
            assert!(client.rests());
        }
        for (sent, received) in [(&one, &other), (&other, &one)] {
            let (sent, received) = (spans(sent, Side::Sent), spans(received, Side::Received));
            assert_eq!(sent.len(), received.len());
            for (sent, received) in sent.iter().zip(&received) {
                let of = |span: &Span| (span.start, span.end, span.label, span.secret);
                assert_eq!(of(sent), of(received));
            }
        }
        let secrets = spans(&one, Side::Sent).into_iter().filter(|span| span.secret).count();
        assert_eq!(secrets, 3, "two cookies and a password");
    }
}

#[test]
fn a_browser_takes_no_nonsense() {
    for said in [
        &b"220 crepes.fr ESMTP\r\n\r\n"[..],
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        &b"x".repeat(HEAD_MAX + 1),
    ] {
        let mut client = Client::new("a");
        client.ask("/", "", None);
        let outputs = client.receive(said);
        let defects = outputs.iter().filter(|own| matches!(own, Output::Note(Note::Defect(_))));
        assert_eq!(defects.count(), 1, "{}", said.escape_ascii());
        assert_eq!(outputs.last(), Some(&Output::Close));
    }
    // Without a length the body ends with the connection.
    let mut client = Client::new("a");
    client.ask("/", "", None);
    assert!(spans(&client.receive(b"HTTP/1.0 200 OK\r\n\r\nab"), Side::Received).len() > 4);
    let outputs = client.end();
    assert!(
        outputs.iter().any(|own| matches!(own, Output::Response(heard) if heard.body == b"ab"))
    );
}

#[test]
fn every_rule_names_a_section_that_is_known() {
    let sections = include_str!("../../../../tests/rfc/sections.txt");
    for rule in RULES {
        let entry = format!("{} {}", rule.rfc, rule.section);
        assert!(sections.lines().any(|line| line == entry), "{entry}: {}", rule.gist);
        assert!(rule.gist.ends_with('.'));
    }
}
