//! What comes in files and forms: HTML, mbox, structures in DER, scenarios, HTTP.

use pillarbox_engine::folder::mbox::{Quoting, Reader};
use pillarbox_engine::imap::grammar::{decode_utf7, encode_utf7, mailbox_name, message_url};
use pillarbox_engine::message::compose::parse_people;
use pillarbox_engine::text::{base64, domain};
use pillarbox_smime::{Certificate, Known, PrivateKey, RevocationList, pem, verify};
use pillarbox_world::fault;
use pillarbox_world::service::web::rich::{With, clean};
use pillarbox_world::tape::scenario::toml;
use pillarbox_world::web::{Client, Server, page};

use super::{Bomb, MOST, done, repeated};

type Read = fn(&[u8]);

const HTML: [&str; 14] = [
    "<",
    "<!--",
    "<b>",
    "</b>",
    "<b></i>",
    "<a href=\"",
    "&",
    "&#",
    "<svg>",
    "<script>",
    "</",
    "<p a=b ",
    "<p style=\"a:b;",
    "<img src=cid:a>",
];
const MBOX: [&str; 6] = [
    "From a@b Mon Jan  5 09:00:00 2026\n",
    "From x\n",
    ">From x\n",
    "\n",
    "Status: RO\n",
    "X-Keywords: a b\n",
];
const TOML: [&str; 7] = ["a = 1\n", "[[a]]\n", "[a]\n", "a = \"", "a = [", "\\u0041", "# \n"];
const HTTP: [&str; 7] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a: b\r\n",
    " ",
    "\r\n",
    "--b\r\n",
    "a=b&",
    "HTTP/1.1 100 Continue\r\n\r\n",
];
const NAMES: [&str; 8] =
    ["&ZeU-", "&", "/", "a@b, ", "é.", "\"a\" <b@c>,", ";UID=1/;SECTION=", "%41"];

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).expect("it is made of text")
}

pub(super) fn bombs() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    let mut put = |what: String, head: &'static str, piece: &'static str, read: Read| {
        let work = move |size| -> Box<dyn FnOnce()> {
            let octets = repeated(head, piece, "", size);
            Box::new(move || read(&octets))
        };
        bombs.push(Bomb { what, least: 4 << 10, most: MOST, work: Box::new(work) });
    };
    for piece in HTML {
        put(format!("HTML anew: {piece}"), "", piece, |octets| {
            done(clean(text(octets), With::default()))
        });
        put(format!("a page: {piece}"), "", piece, |octets| done(page::read(text(octets))));
    }
    for piece in MBOX {
        put(format!("mbox: {piece:?}"), "From a@b Mon Jan  5 09:00:00 2026\n", piece, |octets| {
            let (mut reader, mut out) = (Reader::new(Quoting::Mboxrd), Vec::new());
            octets.chunks(16 << 10).for_each(|chunk| done(reader.take(chunk, &mut out)));
            done(reader.finish(&mut out));
        });
    }
    for piece in TOML {
        put(format!("a scenario: {piece:?}"), "", piece, |octets| done(toml::parse(text(octets))));
        put(format!("rules of faults: {piece:?}"), "", piece, |octets| {
            done(fault::parse_file(text(octets)))
        });
    }
    for piece in HTTP {
        put(format!("a request: {piece:?}"), "GET / HTTP/1.1\r\n", piece, |octets| {
            let mut server = Server::default();
            octets.chunks(16 << 10).for_each(|chunk| done(server.receive(chunk)));
        });
        put(format!("a response: {piece:?}"), "HTTP/1.1 200 OK\r\n", piece, |octets| {
            let mut client = Client::new("a");
            done(client.ask("/", "", None));
            octets.chunks(16 << 10).for_each(|chunk| done(client.receive(chunk)));
            done(client.end());
        });
    }
    for piece in NAMES {
        put(format!("a name: {piece}"), "", piece, |octets| {
            done(decode_utf7(octets));
            done(encode_utf7(octets));
            done(mailbox_name(octets, false));
            done(message_url(octets));
            done(domain::to_ascii(octets));
            done(parse_people(text(octets), None));
        });
    }
    // In DER the octets of a head are no text, so they are written as what they stand for.
    for (what, piece) in [
        ("levels", "\x30\u{1}"),
        ("open ends", "\x24\u{1}"),
        ("nulls", "\x05\0"),
        ("sets", "\x31\0"),
    ] {
        put(format!("DER: {what}"), "", piece, |octets| {
            // 0x80: a length that is not told.
            let octets: Vec<u8> =
                octets.iter().map(|octet| if *octet == 1 { 0x80 } else { *octet }).collect();
            done(Certificate::of_der(&octets));
            done(PrivateKey::of_der(&octets));
            done(RevocationList::of_der(&octets));
            let head = b"From: a@b\r\nContent-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n";
            let message = [&head[..], &base64::encode(&octets)].concat();
            done(verify(&message, &Known::default(), &mut |octets: &mut [u8]| octets.fill(7)));
        });
    }
    put("PEM".to_owned(), "", "-----BEGIN CERTIFICATE-----\nAAAA\n", |octets| {
        done(pem::blocks(octets));
        done(Certificate::of_file(octets));
    });
    bombs
}
