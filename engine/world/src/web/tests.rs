//! The web server's conversations: what it gives, what it refuses, and that its notes cover every octet.

use super::*;

fn server() -> Server {
    let page = |path: &str, media_type: &str, octets: &[u8]| Resource {
        path: path.to_owned(),
        media_type: media_type.to_owned(),
        octets: octets.to_vec(),
    };
    Server::new(vec![
        page("/", "text/html", b"<h1>Hi</h1>"),
        page("/a.jpg", "image/jpeg", b"\xff\xd8\n\x00"),
    ])
}

/// What it says, whether it closes; and that its spans cover what was said, whole or cut into single octets.
fn talk(said: &[u8]) -> (Vec<u8>, bool) {
    let mut results = Vec::new();
    for piece in [said.len().max(1), 1, 3] {
        let mut server = server();
        let outputs: Vec<Output> =
            said.chunks(piece).flat_map(|octets| server.receive(octets)).collect();
        let (mut heard, mut closes) = (Vec::new(), false);
        let mut covered = [0_u64; 2];
        let mut notes = Vec::new();
        for output in outputs {
            match output {
                Output::Transmit(octets) => heard.extend(octets),
                Output::Close => closes = true,
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
        (format!("POST / HTTP/1.1\r\n{host}\r\n"), "501"),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\n"), "413"),
        (format!("GET / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n"), "413"),
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
fn every_rule_names_a_section_that_is_known() {
    let sections = include_str!("../../../../tests/rfc/sections.txt");
    for rule in RULES {
        let entry = format!("{} {}", rule.rfc, rule.section);
        assert!(sections.lines().any(|line| line == entry), "{entry}: {}", rule.gist);
        assert!(rule.gist.ends_with('.'));
    }
}
