//! `mail`: mailboxes of a server listed, read, searched and changed, for people and for programs.

use pillarbox_tests::server::{Scratch, Server};
use serde_json::Value;

use super::{append, command, done, log_in, messages, refused};

const ANN: &str = "ann@far.example";
const DATE: &str = "17-Jul-2026 12:34:56 +0200";

const LETTER: &str = "From: =?utf-8?q?J=C3=BCrgen?= <j@a.example>\nTo: ann@far.example\n\
    Subject: =?utf-8?b?R3LDvMOfZQ==?= =?utf-8?q?_and_=1B=5B2J?=\nDate: Fri, 17 Jul 2026 12:00:00 +0200\n\
    Mime-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=iso-8859-1\n\
    Content-Transfer-Encoding: quoted-printable\n\nSch=F6ne Gr=FC=DFe=1B[2J\n--b\nContent-Type: image/png; name=a.png\n\
    Content-Disposition: attachment; filename=\"menu.png\"\nContent-Transfer-Encoding: base64\n\naGFt\nYnVyZ2Vy\n--b--\n";

struct Rig {
    _scratch: Scratch,
    server: Server,
}

impl Rig {
    fn new(name: &str) -> Self {
        Self::with(name, &[])
    }

    fn with(name: &str, flags: &[&str]) -> Self {
        let scratch = Scratch::new(name);
        let server = Server::start(scratch.path(), &[&["--memory"], flags].concat());
        let mut wire = log_in(server.imap, ANN);
        append(&mut wire, "INBOX", "", DATE, LETTER);
        for number in 2..=30 {
            let message =
                format!("From: bob@b.example\nSubject: number {number}\n\nketchup {number}\n");
            append(&mut wire, "INBOX", if number % 2 == 0 { "\\Seen" } else { "" }, DATE, &message);
        }
        wire.imap("m CREATE \"Entw&APw-rfe\"").expect("a response");
        Self { _scratch: scratch, server }
    }

    fn arguments<'a>(&self, url: &'a mut String, words: &[&'a str]) -> Vec<&'a str> {
        *url = format!("imap://{ANN}@{}", self.server.imap);
        [&["mail", "--server", &url[..]], words].concat()
    }

    fn mail(&self, words: &[&str]) -> String {
        let mut url = String::new();
        done(&self.arguments(&mut url, words))
    }

    fn json(&self, words: &[&str]) -> Vec<Value> {
        let said = self.mail(&[words, &["--json"]].concat());
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn uids(&self, words: &[&str]) -> Vec<u64> {
        self.json(words).iter().map(|row| row["uid"].as_u64().expect("a UID")).collect()
    }

    fn refused(&self, words: &[&str]) -> (i32, String) {
        let mut url = String::new();
        refused(&self.arguments(&mut url, words))
    }
}

#[test]
fn mail_is_listed_read_and_found() {
    let rig = Rig::new("people-mail");
    let said = rig.mail(&["mailboxes"]);
    let first = said.lines().next().expect("a line");
    assert!(first.contains("30") && first.contains("15 unseen  INBOX"), "{said}");
    assert!(said.contains("Entwürfe") && said.contains("\\trash"), "{said}");
    let boxes = rig.json(&["mailboxes"]);
    assert!(boxes.iter().any(|row| row["mailbox"] == "Trash" && row["uses"][0] == "\\Trash"));
    let said = rig.mail(&["list"]);
    assert_eq!(said.lines().count(), 20, "{said}");
    assert!(
        said.lines().last().is_some_and(|line| line.contains("30") && line.contains("number 30"))
    );
    assert_eq!(rig.uids(&["list", "INBOX", "--last", "3"]), [28, 29, 30]);
    let all = rig.mail(&["list", "--all"]);
    let letter = all.lines().next().expect("a line");
    assert!(letter.contains("Jürgen") && letter.contains("Grüße and  [2J") && letter.contains('N'));
    assert!(!all.contains('\u{1b}'), "nothing that a terminal obeys");
    assert_eq!(rig.uids(&["search", "Grüße"]), [1]);
    assert_eq!(
        rig.uids(&["search", "ketchup", "--unseen", "--subject", "number 2"]),
        [21, 23, 25, 27, 29]
    );
    assert_eq!(
        rig.uids(&["search", "--from", "bob", "--no-flag", "seen", "--larger", "54"]).len(),
        10
    );
    assert_eq!(rig.uids(&["search", "--before", "2026-07-17"]), [0; 0]);
    assert_eq!(rig.uids(&["search", "--since", "2026-07-17", "--header", "To:ann"]), [1]);
    // Reading, with what a terminal would obey taken out.
    let said = rig.mail(&["read", "1", "--peek"]);
    for word in [
        "From: Jürgen <j@a.example>\n",
        "Subject: Grüße and  [2J\n",
        "Schöne Grüße\u{fffd}[2J\n",
        "2  image/png",
        "menu.png",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(rig.uids(&["search", "--unseen", "--header", "To"]), [1], "it is unseen still");
    let whole = rig.mail(&["read", "1", "--raw"]);
    assert_eq!(whole.as_bytes(), messages(rig.server.imap, ANN, "INBOX")[0]);
    assert_eq!(rig.uids(&["search", "--unseen", "--header", "To"]), [0; 0], "it was read");
    assert_eq!(rig.mail(&["read", "1", "--part", "2"]), "hamburger");
    let json = &rig.json(&["read", "1"])[0];
    assert_eq!(
        (&json["parts"][0]["name"], &json["from"][0]["name"]),
        (&"menu.png".into(), &"Jürgen".into())
    );
    for (words, code, word) in [
        (&["read", "99"][..], 66, "no message 99"),
        (&["read", "1", "--part", "7"], 66, "no part 7"),
        (&["read", "x"], 2, "no UID"),
        (&["list", "No"], 69, "mailboxes"),
        (&["search", "--since", "yesterday"], 2, "2026-07-17"),
        (&["flag", "1", "seen"], 2, "+ or -"),
        (&["move", "99", "Trash"], 66, "no message"),
        (&["move", "1", "Nowhere"], 69, ""),
    ] {
        let (found, said) = rig.refused(words);
        assert!(found == code && said.contains(word), "{words:?}: {found} {said}");
    }
}

#[test]
fn mail_is_moved_flagged_and_deleted() {
    let rig = Rig::new("people-change");
    assert_eq!(rig.mail(&["flag", "3,5:6", "+flagged", "-seen", "+$Work"]), "3 flagged\n");
    assert_eq!(
        rig.uids(&["search", "--flag", "flagged", "--flag", "$Work", "--unseen"]),
        [3, 5, 6]
    );
    assert_eq!(rig.mail(&["flag", "5", "-$Work"]), "1 flagged\n");
    assert_eq!(rig.uids(&["search", "--flag", "$Work"]), [3, 6]);
    assert_eq!(rig.mail(&["move", "3,6", "Entwürfe"]), "2 moved to Entwürfe\n");
    assert_eq!(rig.json(&["search", "--in", "Entwürfe", "--flag", "$Work"]).len(), 2);
    assert_eq!(rig.mail(&["move", "7", "Archive", "--copy"]), "1 copied to Archive\n");
    assert_eq!(rig.uids(&["list", "--all"]).len(), 28);
    assert_eq!(rig.mail(&["delete", "8:9"]), "2 moved to Trash\n");
    assert_eq!(rig.json(&["list", "Trash"]).len(), 2);
    let trash = rig.uids(&["list", "Trash"])[0].to_string();
    assert_eq!(rig.mail(&["delete", &trash, "--in", "Trash"]), "1 deleted\n");
    assert_eq!(rig.json(&["list", "Trash"]).len(), 1);
    // Only what was named goes, though another is marked too.
    rig.mail(&["flag", "10", "+deleted"]);
    assert_eq!(rig.mail(&["delete", "11", "--now"]), "1 deleted\n");
    let left = rig.uids(&["list", "--all"]);
    assert!(left.contains(&10) && !left.contains(&11), "{left:?}");
}

/// RFC 9738: each command is made again until it was done for all.
#[test]
fn a_server_may_work_at_a_few_messages_at_once() {
    let rig = Rig::with("people-limited", &["--imap-message-limit", "7"]);
    let all: Vec<u64> = (1..=30).collect();
    assert_eq!(rig.uids(&["list", "--all"]), all);
    assert_eq!(
        rig.uids(&["search", "--unseen", "--from", "bob"]),
        all[2..].iter().copied().step_by(2).collect::<Vec<_>>()
    );
    assert_eq!(rig.mail(&["flag", "1:30", "+flagged"]), "30 flagged\n");
    assert_eq!(rig.uids(&["search", "--flag", "flagged"]), all);
    assert_eq!(rig.mail(&["move", "1:20", "Archive", "--copy"]), "20 copied to Archive\n");
    assert_eq!(rig.uids(&["list", "Archive", "--all"]).len(), 20);
    assert_eq!(rig.mail(&["move", "1:20", "Entwürfe"]), "20 moved to Entwürfe\n");
    assert_eq!(rig.uids(&["list", "Entwürfe", "--all"]).len(), 20);
    let path = rig._scratch.path().join("Mail");
    let sync = ["sync", super::text(&path)];
    assert_eq!(rig.mail(&sync), "50 new, 0 were there, 0 gone\n");
    assert_eq!(rig.mail(&sync), "0 new, 50 were there, 0 gone\n");
    assert_eq!(rig.mail(&["delete", "21:29", "--now"]), "9 deleted\n");
    assert_eq!(rig.uids(&["list", "--all"]), [30]);
    assert_eq!(rig.mail(&sync), "0 new, 41 were there, 9 gone\n");
}

#[test]
fn a_maildir_follows_a_server() {
    let rig = Rig::new("people-sync");
    let path = rig._scratch.path().join("Mail");
    let sync = |rig: &Rig| rig.mail(&["sync", super::text(&path)]);
    let names = |place: &str| -> Vec<String> {
        let all = std::fs::read_dir(path.join(place)).expect("it is a Maildir");
        let mut all: Vec<String> = all
            .map(|entry| entry.expect("ours").file_name().into_string().expect("ASCII"))
            .collect();
        all.sort();
        all
    };
    assert_eq!(sync(&rig), "30 new, 0 were there, 0 gone\n");
    assert_eq!(names("cur").len(), 30);
    let letter =
        names("cur").into_iter().find(|name| name.starts_with("0000000001.V")).expect("it came");
    let octets = std::fs::read(path.join("cur").join(&letter)).expect("ours");
    assert_eq!(octets, LETTER.as_bytes(), "with the line ends of files");
    assert_eq!(sync(&rig), "0 new, 30 were there, 0 gone\n");
    rig.mail(&["flag", "1", "+seen", "+flagged"]);
    rig.mail(&["move", "2:4", "Entwürfe"]);
    rig.mail(&["delete", "5", "--now"]);
    std::fs::write(path.join("cur").join("1.mine:2,"), "Subject: mine\n\n").expect("ours");
    assert_eq!(sync(&rig), "3 new, 26 were there, 4 gone\n");
    assert_eq!(names(".Entw&APw-rfe/cur").len(), 3);
    assert!(names("cur").contains(&letter.replace(":2,", ":2,FS")), "its flags follow");
    assert!(names("cur").contains(&"1.mine:2,".to_owned()), "what is not the server's stays");
}

#[test]
fn a_maildir_follows_mailboxes_that_go_and_have_long_names() {
    let rig = Rig::new("people-sync-gone");
    let path = rig._scratch.path().join("Mail");
    let sync = ["sync", super::text(&path)];
    let mut wire = log_in(rig.server.imap, ANN);
    let long = "l".repeat(300);
    for name in ["Gone", "Mixed", "Nothing", "Old", &long, "zz"] {
        wire.imap(&format!("c CREATE {name}")).expect("a response");
    }
    for name in ["Gone", "Mixed", "Old", &long, "zz"] {
        append(&mut wire, name, "", DATE, &format!("Subject: {}\n\n", &name[..2]));
    }
    assert_eq!(rig.mail(&sync), "35 new, 0 were there, 0 gone\n");
    let folders = || -> Vec<String> {
        let all = std::fs::read_dir(&path).expect("it is a Maildir");
        let all = all.map(|entry| entry.expect("ours").file_name().into_string().expect("ASCII"));
        let mut all: Vec<String> = all.filter(|name| name.starts_with('.')).collect();
        all.sort();
        all
    };
    let has = |name: &str| folders().iter().any(|folder| folder == name);
    let cut = format!(".{}~", "l".repeat(60));
    let long_folder = folders().into_iter().find(|name| name.starts_with(&cut)).expect("it came");
    assert!(has(".zz"), "what comes after it");
    // What somebody else has put there: a message, and a folder.
    let mine = path.join(".Mixed/cur/1.mine:2,");
    std::fs::write(&mine, "Subject: mine\n\n").expect("ours");
    std::fs::create_dir_all(path.join(".Mine/cur")).expect("ours");
    for command in ["DELETE Gone", "DELETE Mixed", "DELETE Nothing", "RENAME Old New"] {
        wire.imap(&format!("c {command}")).expect("a response");
    }
    // With a mailbox chosen nothing is said about the others.
    assert_eq!(rig.mail(&["sync", sync[1], "--mailbox", "zz"]), "0 new, 1 were there, 0 gone\n");
    assert!(has(".Gone") && has(".Old"), "{:?}", folders());
    assert_eq!(rig.mail(&sync), "1 new, 32 were there, 3 gone\n");
    for (name, is_there) in [
        (".Gone", false),
        (".Old", false),
        (".Nothing", false),
        (".New", true),
        (".Mixed", true),
        (".Mine", true),
        (&*long_folder, true),
    ] {
        assert_eq!(has(name), is_there, "{name}: {:?}", folders());
    }
    let left = std::fs::read_dir(path.join(".Mixed/cur")).expect("it stays").count();
    assert!(mine.exists() && left == 1);
    assert_eq!(rig.mail(&sync), "0 new, 33 were there, 0 gone\n");
    // A mailbox that cannot be written keeps none of the others back.
    std::fs::remove_dir_all(path.join(".New")).expect("ours");
    std::fs::write(path.join(".New"), "").expect("ours");
    std::fs::remove_dir_all(path.join(".zz")).expect("ours");
    let (code, said) = rig.refused(&sync);
    assert!(code == 1 && said.contains("New: left out: "), "{code} {said}");
    assert!(said.trim_end().ends_with(": New"), "{said}");
    assert_eq!(std::fs::read_dir(path.join(".zz/cur")).expect("it came").count(), 1);
}

#[test]
fn a_letter_of_html_alone_is_read_as_text() {
    let rig = Rig::new("people-html");
    let mut wire = log_in(rig.server.imap, ANN);
    let letter = "Subject: html\nMime-Version: 1.0\nContent-Type: text/html\n\n\
                  <html><style>p {}</style><p>Ketchup &amp;\n<b>mustard</b></p><p>&#27;[2J</p>\n";
    append(&mut wire, "INBOX", "", DATE, letter);
    let said = rig.mail(&["read", "31"]);
    assert!(said.contains("\n\nKetchup & mustard\n\u{fffd}[2J\n"), "{said}");
    assert!(!said.contains("<p>") && !said.contains('\u{1b}'), "{said}");
    let html = rig.mail(&["read", "31", "--part", "1"]);
    assert!(html.contains("<b>mustard</b>"), "{html}");
}

#[test]
fn a_conversation_is_shown_without_its_secret() {
    let rig = Rig::new("people-trace");
    let mut url = String::new();
    let arguments = rig.arguments(&mut url, &["--trace", "list", "--last", "1"]);
    let output =
        command(&arguments).env("PILLARBOX_PASSWORD", "hushhush").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.contains("EXAMINE") && said.contains("RFC 9051"),
        "{said}"
    );
    assert!(!said.contains("hushhush"), "{said}");
}
