//! `probe imap` and `probe pop3` against our own server: every row is good, in the clear, by STARTTLS and with TLS first.

use pillarbox_tests::server::{Scratch, Server};
use serde_json::Value;

use super::{done, refused, text};

#[test]
fn our_own_servers_pass_their_probes() {
    let scratch = Scratch::new("people-probe");
    let data = scratch.path().join("data");
    let flags =
        ["--data", text(&data), "--starttls", "--imaps", "127.0.0.1:0", "--pop3s", "127.0.0.1:0"];
    let server = Server::start(scratch.path(), &flags);
    let ca = data.join("tls").join("certificate.pem");
    for (protocol, clear, tls) in
        [("imap", server.imap, server.at("imaps")), ("pop3", server.pop3, server.at("pop3s"))]
    {
        for (more, address) in [(&[][..], clear), (&["--starttls"], clear), (&["--implicit"], tls)]
        {
            // The certificate names localhost, and the address too.
            let address = format!("localhost:{}", address.port());
            let probe =
                ["probe", protocol, &address, "--ca", text(&ca), "--timeout", "5", "--json"];
            let said = done(&[&probe[..], more].concat());
            let probed: Value = serde_json::from_str(&said).expect("JSON");
            let rows = probed["rows"].as_array().expect("rows");
            assert!(rows.len() > 15, "{said}");
            for row in rows {
                assert_ne!(row["verdict"], "bad", "{protocol} {more:?}: {row}");
                let section = row["section"].as_str().expect("a section");
                assert!(row["rfc"].as_u64().is_some() && !section.is_empty(), "{row}");
            }
            let certificate = rows.iter().find(|row| row["test"] == "certificate");
            assert_eq!(certificate.expect("it is made")["verdict"], "good", "{said}");
            assert!(
                probed["greeting"].as_str().is_some_and(|words| words.contains("OK")),
                "{said}"
            );
            assert!(!probed["offers"].as_array().expect("offers").is_empty(), "{said}");
        }
        let words = ["probe", protocol, &clear.to_string(), "--ca", text(&ca), "--timeout", "5"];
        let said = done(&words);
        assert!(
            said.contains("RFC ") && said.contains(" good") && said.contains("expected"),
            "{said}"
        );
    }
    let (code, said) = refused(&["probe", "imap", &server.pop3.to_string(), "--timeout", "5"]);
    assert!(code == 69 && said.contains("does not speak IMAP"), "{said}");
    let (code, said) =
        refused(&["probe", "pop3", &server.at("pop3s").to_string(), "--timeout", "2"]);
    assert!(code == 69 && said.contains("--implicit"), "{said}");
    let (code, said) = refused(&["probe", "imap", "127.0.0.1:1"]);
    assert!(code == 75, "{said}");
}
