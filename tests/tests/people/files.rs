//! `import` and `export`: every form there and back, twice, cut off by kill -9, with a server and without.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use pillarbox_tests::server::{Scratch, Server};
use pillarbox_tests::site::Site;

use super::{append, command, done, facts, last_json, log_in, messages, refused, text};

const BOB: &str = "bob@hamburger.edu";

/// A server whose account has mail of several kinds.
fn filled(scratch: &Scratch, data: &str) -> Server {
    let server = Server::start(scratch.path(), &["--data", data]);
    let mut wire = log_in(server.imap, BOB);
    for command in ["m1 CREATE Work/Old", "m2 CREATE \"Entw&APw-rfe.v2\""] {
        wire.imap(command).expect("a response");
    }
    let ketchup = "From: ann@crepes.fr\nSubject: ketchup\n\nFrom here on\n>From there\n\nFrom x Fri Jul 17 \
                   12:34:56 2026\n.\n";
    let date = "17-Jul-2026 12:34:56 +0200";
    append(&mut wire, "INBOX", "\\Seen \\Flagged $Work later", date, ketchup);
    append(
        &mut wire,
        "INBOX",
        "\\Answered \\Draft \\Deleted",
        " 1-Jan-2020 00:00:01 +0000",
        "Subject: two\n\n",
    );
    append(&mut wire, "INBOX", "", "17-Jul-2026 12:34:57 -0800", ketchup);
    append(
        &mut wire,
        "Work/Old",
        "\\Seen $Forwarded",
        date,
        &format!("Subject: big\n\n{}", "0123456789 abcdef\n".repeat(40_000)),
    );
    append(&mut wire, "Entw&APw-rfe.v2", "", date, "Subject: draft\n\nGr\u{fc}\u{df}e\n");
    server
}

/// Messages and facts by mailbox; dates as moments, since not every form keeps the zone.
fn all(server: &Server, account: &str) -> BTreeMap<&'static str, (Vec<Vec<u8>>, Vec<String>)> {
    ["INBOX", "Work/Old", "Entw&APw-rfe.v2"]
        .into_iter()
        .map(|name| {
            let rows = facts(server.imap, account, name);
            let rows = rows.lines().filter(|row| row.starts_with("* ") && row.contains("FETCH"));
            (name, (messages(server.imap, account, name), rows.map(flags_of).collect()))
        })
        .collect()
}

/// The flags of a row in an order of their own, without \Recent.
fn flags_of(row: &str) -> String {
    let (_, rest) = row.split_once("FLAGS (").expect("flags were asked for");
    let (flags, _) = rest.split_once(')').expect("a list ends");
    let mut flags: Vec<&str> = flags.split(' ').filter(|flag| *flag != "\\Recent").collect();
    flags.sort_unstable();
    flags.join(" ")
}

#[test]
fn every_form_goes_there_and_back_with_its_flags_and_dates() {
    let scratch = Scratch::new("people-forms");
    let path = |name: &str| scratch.path().join(name).to_str().expect("ASCII").to_owned();
    let data = path("data");
    let server = filled(&scratch, &data);
    let before = all(&server, BOB);
    assert_eq!(before["INBOX"].0.len(), 3);
    for format in ["mbox", "maildir", "eml"] {
        let out = path(format);
        let account = format!("{format}@hamburger.edu");
        let export = ["export", "--data", &data, "--account", BOB, "--format", format, &out];
        let said = done(&export);
        assert!(said.contains("5 messages written"), "{said}");
        let (import, again) = {
            let import = ["import", "--data", &data, "--account", &account, &out];
            (import, [&import[..], &["--json"]].concat())
        };
        let said = done(&import);
        assert!(said.contains("5 messages stored"), "{said}");
        let after = all(&server, &account);
        for (name, (octets, flags)) in &before {
            assert!(octets == &after[name].0, "{format}: {name}");
            assert_eq!(flags, &after[name].1, "{format}: {name}");
        }
        // The moment of arrival, of which mbox and Maildir have no zone.
        let dates = facts(server.imap, &account, "INBOX");
        let expected = match format {
            "eml" => [
                "17-Jul-2026 12:34:56 +0200",
                " 1-Jan-2020 00:00:01 +0000",
                "17-Jul-2026 12:34:57 -0800",
            ],
            _ => [
                "17-Jul-2026 10:34:56 +0000",
                " 1-Jan-2020 00:00:01 +0000",
                "17-Jul-2026 20:34:57 +0000",
            ],
        };
        for date in expected {
            assert!(dates.contains(date), "{format}: {date}: {dates}");
        }
        // Twice is once.
        let outcome = last_json(&done(&again));
        assert_eq!(
            (&outcome["outcome"]["stored"], &outcome["outcome"]["known"]),
            (&0.into(), &5.into())
        );
        assert_eq!(all(&server, &account), after, "{format}");
        if format == "mbox" {
            let (code, said) = refused(&export);
            assert!(code == 2 && said.contains("--replace"), "{said}");
        } else {
            // Flags that have changed are told; messages are not written twice.
            let mut wire = log_in(server.imap, BOB);
            wire.imap("s SELECT INBOX").expect("a response");
            wire.imap("t STORE 3 FLAGS (\\Seen)").expect("a response");
            let said = done(&export);
            assert!(said.contains("0 messages written") && said.contains("5 were there"), "{said}");
            let account = format!("{format}2@hamburger.edu");
            done(&["import", "--data", &data, "--account", &account, &out]);
            assert_eq!(all(&server, &account)["INBOX"].1[2], "\\Seen", "{format}");
            wire.imap("t STORE 3 FLAGS ()").expect("a response");
        }
    }
    // At rest the same commands do it themselves.
    assert!(server.stop().success());
    let rest = path("rest");
    done(&["export", "--data", &data, "--account", BOB, "--format", "maildir", &rest]);
    let said = done(&["import", "--data", &data, "--account", "rest@hamburger.edu", &rest]);
    assert!(said.contains("5 messages stored"), "{said}");
    let server = Server::start(scratch.path(), &["--data", &data]);
    assert_eq!(all(&server, "rest@hamburger.edu"), before);
}

#[test]
fn files_of_others_are_read_and_what_is_wrong_is_said() {
    let scratch = Scratch::new("people-others");
    let path = |name: &str| scratch.path().join(name);
    let (data, config) = (path("data"), "host_name = 'mx.x.example'\ndomains = ['x.example']\n");
    let free = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let mut site = Site::new(scratch.path().to_owned(), free, config, &["ann@x.example"]);
    let file = path("pillarbox.toml");
    let import = |more: &[&str]| -> Vec<String> {
        let words = [&["import", "--config", text(&file), "--account"], more].concat();
        words.into_iter().map(str::to_owned).collect()
    };
    fs::write(
        path("a.mbox"),
        "From a Fri Jul 17 12:34:56 2026\nSubject: one\n\nx\n\nFrom b Fri Jul 17 12:34:56 2026\n\
        Subject: nul\n\n\0\n\nFrom a Fri Jul 17 12:34:56 2026\nSubject: one\n\nx\n",
    )
    .expect("ours");
    // Equal messages are all kept; one with NUL is left out, and that is said.
    let (code, said) =
        refused(&import(&["Ann@X.example", "--mailbox", "Old mail", text(&path("a.mbox"))]));
    assert!(code == 65 && said.contains("NUL") && said.contains("message 2"), "{said}");
    let (code, said) = refused(&import(&["bob@x.example", text(&path("a.mbox"))]));
    assert!(code == 1 && said.contains("there is no account bob@x.example"), "{said}");
    fs::write(path("letter.txt"), "Subject: x\n\n").expect("ours");
    let (code, said) = refused(&import(&["ann@x.example", text(&path("letter.txt"))]));
    assert!(code == 65 && said.contains("From "), "{said}");
    let (code, said) = refused(&import(&["ann@x.example", text(&path("nothing"))]));
    assert!(code == 66 && said.contains("nothing"), "{said}");
    let (code, said) = refused(&[
        "export",
        "--data",
        text(&path("empty")),
        "--account",
        "a",
        "--format",
        "mbox",
        "x",
    ]);
    assert!(code == 4 && said.contains("no mail store"), "{said}");
    let out = done(&[
        "export",
        "--config",
        text(&file),
        "--account",
        "ann@x.example",
        "--mailbox",
        "Old mail",
        "--format",
        "mbox",
        "-",
    ]);
    assert_eq!(out.matches("Subject: one").count(), 2, "{out}");
    let (code, said) = refused(&[
        "export",
        "--config",
        text(&file),
        "--account",
        "ann@x.example",
        "--mailbox",
        "No",
        "--format",
        "mbox",
        "-",
    ]);
    assert!(code == 2 && said.contains("Old mail"), "{said}");
    // A mailbox that was deleted and made anew has nothing yet.
    site.start(&[]);
    let mut wire = pillarbox_tests::wire::Wire::connect(site.server().imap).expect("it listens");
    wire.line().expect("it greets");
    wire.imap("a LOGIN ann@x.example secret").expect("a response");
    wire.imap("b DELETE \"Old mail\"").expect("a response");
    let (_, said) =
        refused(&import(&["ann@x.example", "--mailbox", "Old mail", text(&path("a.mbox"))]));
    assert!(said.contains("left out"), "{said}");
    let status = wire.imap("c STATUS \"Old mail\" (MESSAGES)").expect("a response");
    assert!(String::from_utf8_lossy(&status).contains("MESSAGES 2"), "{status:?}");
    drop(data);
}

/// Mailboxes of an account, as LIST names them.
fn mailboxes(server: &Server, account: &str) -> Vec<String> {
    let mut wire = log_in(server.imap, account);
    let listed = wire.imap("l LIST \"\" *").expect("a response");
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let rows = listed.lines().filter(|row| row.starts_with("* LIST"));
    let mut names: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn mailboxes_of_any_name_come_back() {
    let scratch = Scratch::new("people-names");
    let path = |name: &str| scratch.path().join(name).to_str().expect("ASCII").to_owned();
    let data = path("data");
    let server = Server::start(scratch.path(), &["--data", &data]);
    let mut wire = log_in(server.imap, BOB);
    let long = "l".repeat(300);
    let deep = vec!["many levels"; 30].join("/");
    let names = [
        ".hid",
        ".hid/sub",
        "cur",
        "cur/x",
        "new",
        "new/x",
        "&ZeVnLA-/x",
        "q%z",
        "x",
        "x.mbox",
        "x.mbox/y",
        "z.sbd/z",
        &long,
        &deep,
    ];
    for name in names {
        wire.imap(&format!("c CREATE \"{name}\"")).expect("a response");
    }
    let date = "17-Jul-2026 12:34:56 +0200";
    for name in [".hid/sub", "new/x", &long, "x.mbox/y"] {
        append(&mut wire, name, "\\Seen", date, &format!("Subject: {}\n\n", &name[..4]));
    }
    let before = mailboxes(&server, BOB);
    assert!(before.len() > names.len(), "{before:?}");
    for format in ["mbox", "maildir", "eml"] {
        let (out, account) = (path(format), format!("{format}@hamburger.edu"));
        done(&["export", "--data", &data, "--account", BOB, "--format", format, &out]);
        done(&["import", "--data", &data, "--account", &account, &out]);
        assert_eq!(mailboxes(&server, &account), before, "{format}");
        for name in [".hid/sub", "new/x", &long, "x.mbox/y"] {
            let found = messages(server.imap, &account, name);
            assert_eq!(found, messages(server.imap, BOB, name), "{format}: {name}");
            assert_eq!(found.len(), 1, "{format}: {name}");
        }
    }
}

#[test]
fn what_cannot_be_written_is_left_out_and_named() {
    let scratch = Scratch::new("people-left-out");
    let path = |name: &str| scratch.path().join(name).to_str().expect("ASCII").to_owned();
    let data = path("data");
    let _server = filled(&scratch, &data);
    for (format, in_the_way) in [("mbox", "Work"), ("maildir", ".Work.Old"), ("eml", "Work/Old")] {
        let out = path(format);
        let in_the_way = Path::new(&out).join(in_the_way);
        fs::create_dir_all(in_the_way.parent().expect("it has one")).expect("ours");
        fs::write(&in_the_way, "").expect("ours");
        let export = ["export", "--data", &data, "--account", BOB, "--format", format, &out];
        let (code, said) = refused(&export);
        assert!(code == 1 && said.contains("Work/Old: left out: "), "{format}: {said}");
        let last = said.trim_end().lines().last().expect("a line");
        assert!(last.ends_with(": Work/Old"), "{format}: {last}");
        // All others are there, also those that come after it.
        fs::remove_file(&in_the_way).expect("ours");
        let account = format!("{format}@hamburger.edu");
        let said = done(&["import", "--data", &data, "--account", &account, &out]);
        assert!(said.contains("4 messages stored"), "{format}: {said}");
    }
}

/// An mbox file with so many messages.
fn write_mbox(path: &Path, count: u32) {
    let mut out = String::new();
    for number in 0..count {
        let lines =
            "a line of a message that must not be lost\n".repeat((number % 40) as usize * 8);
        out.push_str(&format!(
            "From a@b.example Fri Jul 17 12:34:56 2026\nFrom: a@b.example\nSubject: {number}\nX-Number: {number}\n\n{lines}\n"
        ));
    }
    fs::write(path, out).expect("the scratch directory is writable");
}

/// The numbers of all messages, in their order.
fn numbers(messages: &[Vec<u8>]) -> Vec<u32> {
    let number = |message: &Vec<u8>| {
        let text = String::from_utf8_lossy(message).into_owned();
        let (_, rest) = text.split_once("X-Number: ").expect("it has one");
        rest.lines().next().and_then(|line| line.parse().ok()).expect("a number")
    };
    messages.iter().map(number).collect()
}

#[test]
fn an_import_that_is_killed_is_simply_run_again() {
    // Enough for a machine that is quick: fewer were taken before the third kill.
    const COUNT: u32 = 12_000;
    let scratch = Scratch::new("people-killed");
    let (data, file) = (scratch.path().join("data"), scratch.path().join("many.mbox"));
    write_mbox(&file, COUNT);
    let import = ["import", "--data", text(&data), "--account", BOB, text(&file)];
    let mut kills = 0;
    let mut wait = 150;
    for round in 0..40u64 {
        // With a server in the odd rounds: then that is killed in half of them.
        let server =
            (round % 2 == 1).then(|| Server::start(scratch.path(), &["--data", text(&data)]));
        let mut child = command(&import)
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(Duration::from_millis(wait));
        wait += 37;
        if round % 4 == 3 {
            server.expect("it runs").kill();
            assert!(!child.wait().expect("it ends").success() || kills > 0);
        } else {
            let over = child.try_wait().expect("ours").is_some();
            drop(child.kill());
            child.wait().expect("it ends");
            if over {
                break;
            }
        }
        kills += 1;
    }
    assert!(kills >= 4, "{kills} kills mean nothing");
    done(&import);
    let outcome = last_json(&done(&[&import[..], &["--json"]].concat()));
    assert_eq!(outcome["outcome"]["known"], COUNT);
    let server = Server::start(scratch.path(), &["--data", text(&data)]);
    let found = numbers(&messages(server.imap, BOB, "INBOX"));
    let wrong = found.iter().zip(0..).find(|(found, wanted)| *found != wanted);
    assert!(found.len() == COUNT as usize && wrong.is_none(), "all, once, in order: {wrong:?}");
    println!("{kills} kills");
}
