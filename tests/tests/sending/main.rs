//! What a site does with mail that its own people send, over real sockets: whom it may be from, whom an alias does not
//! reach any more, and what a configuration says about it.

mod backlog;
mod operating;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use pillarbox_engine::text::base64;
use pillarbox_tests::dns::DnsServer;
use pillarbox_tests::server::{Scratch, binary};
use pillarbox_tests::site::{PASSWORD, Site};
use pillarbox_tests::wire::Wire;

const ACCOUNTS: [&str; 2] = ["alice@ours.example", "bob@ours.example"];

/// A server of alice and bob at ours.example, with these lines in its configuration, and submission beside SMTP.
fn site(scratch: &Scratch, name: &str, config: &str) -> Site {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = format!("host_name = 'mx.ours.example'\ndomains = ['ours.example']\n{config}");
    let mut site = Site::new(scratch.path().join(name), free, &config, &ACCOUNTS);
    site.start(&["--submission", "127.0.0.1:0"]);
    site
}

/// A connection on which alice has logged in.
fn alice(at: SocketAddr) -> Wire {
    let mut wire = Wire::connect(at).expect("it listens");
    wire.smtp("").expect("it greets");
    wire.smtp("EHLO client.example").expect("a reply");
    let plain = base64::encode(format!("\0alice@ours.example\0{PASSWORD}").as_bytes());
    let plain = format!("AUTH PLAIN {}", String::from_utf8(plain).expect("ASCII"));
    let reply = wire.smtp(&plain).expect("a reply");
    assert!(reply.starts_with(b"235"), "{}", reply.escape_ascii());
    wire
}

fn say(wire: &mut Wire, command: &str) -> String {
    String::from_utf8(wire.smtp(command).expect("a reply")).expect("ASCII")
}

/// Sends a message; gives the reply to it.
fn send(wire: &mut Wire, from: &str, to: &str, message: &str) -> String {
    for command in [&format!("MAIL FROM:<{from}>"), &format!("RCPT TO:<{to}>")[..], "DATA"] {
        let reply = say(wire, command);
        assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
    }
    wire.send(message.as_bytes()).expect("it reads");
    say(wire, ".")
}

/// RFC 6409 §6.3, §8.
#[test]
fn an_account_writes_as_itself_alone() {
    let scratch = Scratch::new("sending-authors");
    let config = "[aliases]\n'info@ours.example' = ['alice@ours.example']\n\
                  [identities]\n'Alice@ours.example' = ['Alice@Brand.example', '@lists.example']\n";
    let strict = site(&scratch, "strict", config);
    let ours = "alice@ours.example";
    let doors = [strict.server().smtp, strict.server().at("submission")];
    let mut taken = 0;
    for (header, code, word) in [
        ("From: Alice <alice@ours.example>", "250 2.0.0 ", ""),
        ("From: alice+shop@ours.example", "250 2.0.0 ", ""),
        ("From: info@OURS.example", "250 2.0.0 ", ""),
        ("From: alice@brand.example\r\nSender: alice@ours.example", "250 2.0.0 ", ""),
        ("From: dev@lists.example", "250 2.0.0 ", ""),
        ("From: Bob <bob@ours.example>", "550 5.7.1 ", "bob@ours.example"),
        ("From: ceo@elsewhere.example", "550 5.7.1 ", "ceo@elsewhere.example"),
        ("From: bob@brand.example", "550 5.7.1 ", "bob@brand.example"),
        ("From: x@sub.lists.example", "550 5.7.1 ", "x@sub.lists.example"),
        ("From: alice@ours.example\r\nSender: bob@ours.example", "550 5.7.1 ", "bob@ours.example"),
        ("From: alice@ours.example, bob@ours.example", "550 5.7.1 ", "bob@ours.example"),
        ("From: alice@ours.example\r\nFrom: bob@ours.example", "554 5.6.0 ", "more than one From"),
        ("From: alice@ours.example <bob@ours.example>", "554 5.6.0 ", "From field"),
        ("From: alice", "554 5.6.0 ", "From field"),
    ] {
        for door in doors {
            let mut wire = alice(door);
            let message = format!("{header}\r\nSubject: x\r\n\r\nwords\r\n");
            let said = send(&mut wire, ours, "bob@ours.example", &message);
            assert!(said.starts_with(code) && said.contains(word), "{header}: {said}");
            taken += usize::from(code.starts_with('2'));
        }
    }
    // Who is missing is added by submission, and left alone by a relay.
    let mut wire = alice(doors[1]);
    let said =
        send(&mut wire, "info@ours.example", "bob@ours.example", "Subject: y\r\n\r\nwords\r\n");
    assert!(said.starts_with("250"), "{said}");
    let said = send(&mut wire, "", "bob@ours.example", "Subject: y\r\n\r\nwords\r\n");
    assert!(said.starts_with("554 5.6.0 ") && said.contains("no From"), "{said}");
    let inbox = strict.inbox_of("bob@ours.example", taken + 1);
    let last = String::from_utf8_lossy(inbox.last().expect("one")).into_owned();
    assert!(last.contains("\r\nFrom: info@ours.example\r\n"), "{last}");
    assert_eq!(say(&mut wire, "MAIL FROM:<alice@brand.example>"), "250 2.1.0 Sender ok\r\n");
    // A stranger's From is not an account's affair.
    let mut stranger = Wire::connect(doors[0]).expect("it listens");
    stranger.smtp("").expect("it greets");
    stranger.smtp("EHLO client.example").expect("a reply");
    let said =
        send(&mut stranger, "x@far.example", "bob@ours.example", "From: y@far.example\r\n\r\n");
    assert!(said.starts_with("250"), "{said}");
}

/// With the switch anybody is an author, and nothing of ours vouches for who is not the account.
#[test]
fn only_an_accounts_own_author_is_signed_for() {
    let scratch = Scratch::new("sending-signed");
    let dns = DnsServer::start();
    let key = scratch.path().join("key.pem").display().to_string();
    let keygen = ["dkim", "keygen", "--domain", "ours.example", "--selector", "s", "--out", &key];
    let made = Command::new(binary()).args(keygen).output().expect("the binary starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = "host_name = 'mx.far.example'\ndomains = ['far.example']\n[trust]\nchecks = []\n";
    let mut far = Site::new(scratch.path().join("far"), free, config, &["bob@far.example"]);
    far.start(&[]);
    let config = format!(
        "[relay]\nany_author = true\nmta_sts = false\n\
         [[relay.routes]]\ndomain = '*'\nnext_hop = '[127.0.0.1]:{}'\ntls = 'none'\n\
         [dns]\nservers = ['{}']\n\
         [[dkim]]\ndomain = 'ours.example'\nselector = 's'\nfile = '{key}'\n",
        far.server().smtp.port(),
        dns.address()
    );
    let ours = site(&scratch, "ours", &config);
    let mut wire = alice(ours.server().smtp);
    for (number, author) in ["alice@ours.example", "bob@ours.example"].into_iter().enumerate() {
        let message = format!("From: {author}\r\nSubject: x\r\n\r\nwords\r\n");
        let said = send(&mut wire, "alice@ours.example", "bob@far.example", &message);
        assert!(said.starts_with("250"), "{author}: {said}");
        let came = far.inbox_of("bob@far.example", number + 1);
        let last = String::from_utf8_lossy(came.last().expect("one")).into_owned();
        let signed = last.contains("DKIM-Signature:") && last.contains("d=ours.example");
        assert_eq!(signed, author.starts_with("alice"), "{last}");
    }
}

/// RFC 5321 §3.9.1, §6.1.
#[test]
fn who_writes_to_an_alias_hears_of_members_that_are_not_here() {
    let scratch = Scratch::new("sending-aliases");
    let config = "[aliases]\n'team@ours.example' = ['bob@ours.example', 'gone@ours.example']\n\
                  'dead@ours.example' = ['gone@ours.example', 'left@ours.example']\n";
    let site = site(&scratch, "site", config);
    let mut wire = alice(site.server().smtp);
    say(&mut wire, "MAIL FROM:<alice@ours.example>");
    let refused = say(&mut wire, "RCPT TO:<dead@ours.example>");
    assert!(refused.starts_with("550 5.1.1 "), "{refused}");
    say(&mut wire, "RSET");
    let message = "From: alice@ours.example\r\nSubject: ketchup\r\n\r\nwords\r\n";
    let said = send(&mut wire, "alice@ours.example", "team@ours.example", message);
    assert!(said.starts_with("250"), "{said}");
    drop(site.inbox_of("bob@ours.example", 1));
    let told = site.inbox_of("alice@ours.example", 1);
    let told = String::from_utf8_lossy(&told[0]).into_owned();
    for word in [
        "Return-Path: <>\r\n",
        "Final-Recipient: rfc822; gone@ours.example",
        "Action: failed",
        "Status: 5.1.1",
        "Subject: ketchup",
    ] {
        assert!(told.contains(word), "{word}: {told}");
    }
    // RFC 3461 §4.1, RFC 5321 §4.5.5: not to who wants no report, and none about a report.
    for mail in ["MAIL FROM:<alice@ours.example>", "MAIL FROM:<>"] {
        say(&mut wire, mail);
        let notify = if mail.contains("alice") { " NOTIFY=NEVER" } else { "" };
        let taken = say(&mut wire, &format!("RCPT TO:<team@ours.example>{notify}"));
        assert!(taken.starts_with("250"), "{taken}");
        say(&mut wire, "DATA");
        wire.send(message.as_bytes()).expect("it reads");
        let said = say(&mut wire, ".");
        assert!(said.starts_with("250"), "{said}");
    }
    drop(site.inbox_of("bob@ours.example", 3));
    drop(site.inbox_of("alice@ours.example", 1));
}

/// All paths of a configuration are meant from where it is, and those of the command line from where that is typed.
#[test]
fn a_configuration_means_its_paths_from_where_it_is() {
    let scratch = Scratch::new("sending-paths");
    let (there, here) = (scratch.path().join("etc"), scratch.path().join("here"));
    std::fs::create_dir_all(&there).expect("ours");
    std::fs::create_dir_all(&here).expect("ours");
    let text = "data = 'mail'\nhost_name = 'mx.ours.example'\ndomains = ['ours.example']\n";
    std::fs::write(there.join("pillarbox.toml"), text).expect("ours");
    let add = |more: &[&str]| {
        let mut add = Command::new(binary());
        add.current_dir(&here).args(["account", "add", "alice@ours.example"]).args(more);
        let mut child = add.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(b"secret").expect("it reads");
        assert!(child.wait().expect("it ends").success());
    };
    let made = |path: &Path| path.join("accounts").exists();
    add(&["--config", "../etc/pillarbox.toml"]);
    assert!(made(&there.join("mail")) && !made(&here.join("mail")));
    add(&["--config", "../etc/pillarbox.toml", "--data", "other"]);
    assert!(made(&here.join("other")) && !made(&there.join("other")));
}
