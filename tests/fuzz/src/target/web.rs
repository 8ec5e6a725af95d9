//! HTTP, both sides, and the forms and pages that come by it.

use pillarbox_world::web::{Client, Output, Response, Server, page};

use super::{USUAL, same};
use crate::{Seen, Target};

pub(super) const HTTP: Target = Target {
    name: "http",
    run: http,
    seeds: || {
        let seeds = [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x?a=b HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=b&c=%GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 90\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\nContent-Type: a/b\r\n\r\nxyz\r\n--b--\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 20\r\nContent-Type: text/html\r\nSet-Cookie: a=b\r\n\r\n<form action=x><a>1",
            "HTTP/1.0 302 Found\r\nLocation: /y\r\nConnection: close\r\n\r\n",
        ];
        seeds.map(Vec::from).to_vec()
    },
    words: &[
        "\r\n",
        "\r\n\r\n",
        "GET ",
        " HTTP/1.1",
        "Host: a\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        ":",
        " ",
        "%",
        "%41",
        "+",
        "&",
        "=",
        "?",
        ";",
        "--b\r\n",
        "--b--\r\n",
        "Content-Disposition: form-data; name=x\r\n",
        "5\r\nabcde\r\n",
        "<form>",
        "<input name=a value=b>",
        "<a href=x>",
        "Cookie: a=b\r\n",
        "\0",
        "é",
    ],
    lines: true,
    rounds: 5000,
    ..USUAL
};

fn http(input: &[u8], seen: &mut Seen) {
    let (requests, sent) = same(input, to_server);
    seen.note_lines(&sent);
    for request in &requests {
        let (given, query) = (request.given(), request.query());
        for file in &given.files {
            assert!(file.octets.start <= file.octets.end && file.octets.end <= request.body.len());
        }
        seen.note((
            &request.method,
            given.fields.len().min(9),
            given.files.len(),
            query.fields.len().min(9),
        ));
        let _ = (request.path(), request.cookie("a"));
    }
    let (heard, sent) = same(input, to_client);
    seen.note((heard.len(), sent.len()));
    let html = String::from_utf8_lossy(input);
    let page = page::read(&html);
    seen.note(page.form("").map(|form| form.asks_password()));
}

/// The requests that a server was asked, each answered at once, and what it sent.
fn to_server(pieces: &[&[u8]]) -> (Vec<pillarbox_world::web::Request>, Vec<u8>) {
    let (mut server, mut requests, mut sent) = (Server::default(), Vec::new(), Vec::new());
    for piece in pieces {
        let mut due = server.receive(piece);
        while !due.is_empty() {
            let mut next = Vec::new();
            for output in due {
                match output {
                    Output::Transmit(octets) => sent.extend(octets),
                    Output::Request(request) => {
                        let response = Response {
                            media_type: "text/plain".to_owned(),
                            body: b"x".to_vec(),
                            ..Response::of(200)
                        };
                        requests.push(request);
                        next.extend(server.respond(&response));
                    }
                    _ => {}
                }
            }
            due = next;
        }
    }
    server.end();
    (requests, sent)
}

/// What a browser hears of one answer.
fn to_client(pieces: &[&[u8]]) -> (String, Vec<u8>) {
    let (mut client, mut heard, mut sent) = (Client::new("a"), String::new(), Vec::new());
    let mut look = |outputs: Vec<Output>| {
        for output in outputs {
            match output {
                Output::Transmit(octets) => sent.extend(octets),
                Output::Note(_) => {}
                other => heard.push_str(&format!("{other:?}")),
            }
        }
    };
    look(client.ask("/", "", None));
    pieces.iter().for_each(|piece| look(client.receive(piece)));
    look(client.end());
    (heard, sent)
}
