//! `ingest`, `dump`, `export` and `check`: mail and solutions in files, by the real program.

use pillarbox_tests::server::{Scratch, Server};

use crate::command_line::{pillarbox, send, subjects};

/// What a command prints, and its exit code.
fn ran(words: &[&str]) -> (Option<i32>, String, String) {
    let ran = pillarbox(words).output().expect("it runs");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (ran.status.code(), text(&ran.stdout), text(&ran.stderr))
}

#[test]
fn what_is_dumped_is_ingested_again() {
    let scratch = Scratch::new("dump-ingest");
    let server = Server::start(scratch.path(), &["--memory"]);
    let url = format!("http://{}", server.http);
    for subject in ["../../etc/passwd", "Re: ketchup?"] {
        assert!(send(&server, "bob@hamburger.edu", subject).starts_with("250"));
    }
    let caught = scratch.path().join("caught");
    let path = caught.display().to_string();
    let (code, said, wrong) = ran(&["dump", &path, "--url", &url]);
    assert_eq!((code, &said[..11]), (Some(0), "2 messages "), "{said}{wrong}");
    let mut names: Vec<String> = std::fs::read_dir(&caught)
        .expect("it was made")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names[0].ends_with("-etc-passwd.eml") && names[1].ends_with("-re-ketchup.eml"));
    let (_, said, _) = ran(&["dump", &path, "--url", &url]);
    assert!(said.starts_with("0 messages") && said.contains("2 were there"), "{said}");
    let one = scratch.path().join("one").display().to_string();
    let (code, said, _) = ran(&["dump", &one, "--url", &url, "--search", "subject:ketchup"]);
    assert!(code == Some(0) && said.starts_with("1 messages"), "{said}");

    // These letters name nobody.
    let smtp = server.smtp.to_string();
    let (code, said, wrong) = ran(&["ingest", &path, "--server", &smtp]);
    assert!(code == Some(65) && said.starts_with("0 messages"), "{said}{wrong}");
    assert!(wrong.contains("message 2"), "{wrong}");
    let (code, said, wrong) =
        ran(&["ingest", &path, "--server", &smtp, "--to", "ann@hamburger.edu"]);
    assert!(code == Some(0) && said.starts_with("2 messages were taken"), "{said}{wrong}");
    let mbox = scratch.path().join("some.mbox");
    let text = "From a Thu Jan  1 00:00:00 2026\nSubject: one\nTo: x@y.test\n\nx\n\n\
                From a Thu Jan  1 00:00:00 2026\nSubject: two\nTo: x@y.test\n\n>From here\n";
    std::fs::write(&mbox, text).expect("ours");
    let path = mbox.display().to_string();
    let (code, said, wrong) = ran(&["ingest", &path, "--server", &smtp]);
    assert!(code == Some(0) && said.starts_with("2 messages were taken"), "{said}{wrong}");
    let mut all = subjects(&server);
    all.sort();
    let twice = ["../../etc/passwd", "../../etc/passwd", "Re: ketchup?", "Re: ketchup?"];
    assert_eq!(all[..4], twice);
    assert_eq!(all[4..], ["one", "two"]);
    assert!(server.stop().success());
    let (code, _, wrong) = ran(&["ingest", &path, "--server", &smtp]);
    assert_eq!(code, Some(75), "{wrong}");
}

#[test]
fn an_account_that_never_was_is_not_exported() {
    let scratch = Scratch::new("export-nobody");
    let data = scratch.path().join("data").display().to_string();
    let server = Server::start(scratch.path(), &["--data", &data]);
    assert!(send(&server, "bob@hamburger.edu", "x").starts_with("250"));
    let out = scratch.path().join("out").display().to_string();
    let export = |account: &str| {
        ran(&["export", "--data", &data, "--account", account, "--format", "eml", &out])
    };
    let nobody = |(code, said, wrong): (Option<i32>, String, String)| {
        assert!(code == Some(1) && wrong.contains("eve@hamburger.edu"), "{said}{wrong}");
        assert!(!std::path::Path::new(&out).exists(), "nothing was written");
    };
    nobody(export("eve@hamburger.edu"));
    assert!(server.stop().success());
    // And without a server in between.
    nobody(export("eve@hamburger.edu"));
    let (code, said, wrong) = export("bob@hamburger.edu");
    assert_eq!(code, Some(0), "{said}{wrong}");
}

#[test]
fn a_challenge_is_checked() {
    let (code, said, _) = ran(&["check", "1"]);
    assert!(code == Some(0) && !said.contains("no   "), "{said}");
    let (code, said, _) = ran(&["check", "1", "--solution"]);
    assert!(code == Some(0) && said.contains("yes  ") && !said.contains("no   "), "{said}");
    let (code, _, wrong) = ran(&["check", "no-such-thing"]);
    assert!(code == Some(2) && wrong.contains("pillarbox scenarios"), "{wrong}");
    let (code, _, wrong) = ran(&["check", "1", "nonsense"]);
    assert_eq!(code, Some(2), "{wrong}");
}
