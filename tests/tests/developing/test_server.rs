//! The server that other programs' tests start in their own process: `pillarbox::testing`.

use std::time::{Duration, Instant};

use pillarbox::cli::ServeFlags;
use pillarbox::testing::{Failure, TestServer};
use pillarbox_tests::wire::Wire;

/// What a program that is tested would do.
fn send(smtp: std::net::SocketAddr, to: &str, subject: &str, text: &str) -> String {
    let mut wire = Wire::connect(smtp).expect("it listens");
    wire.line().expect("a greeting");
    let mut said = |command: &str| {
        let line = wire.smtp(command).expect("a reply");
        String::from_utf8_lossy(&line).into_owned()
    };
    said("EHLO shop.test");
    said("MAIL FROM:<shop@shop.test>");
    let reply = said(&format!("RCPT TO:<{to}>"));
    if !reply.starts_with("250") {
        return reply;
    }
    said("DATA");
    let head = format!("From: shop@shop.test\r\nTo: {to}\r\nSubject: {subject}\r\n");
    said(&format!("{head}\r\n{text}\r\n."))
}

fn ask_for_a_new_password(smtp: std::net::SocketAddr, to: &str) {
    let text = "Your code is 482913, or go to https://shop.test/reset/77?a=b.";
    assert!(send(smtp, to, "Reset", text).starts_with("250"));
}

#[rustfmt::skip]
// As the README has it.
#[test]
fn a_reset_link_is_sent() -> Result<(), Failure> {
    let mail = TestServer::start()?;
    let bob = mail.address("bob");
    ask_for_a_new_password(mail.smtp(), &bob);
    let link = mail.wait().to(&bob).subject("Reset").one()?.link("/reset/")?;
    assert_eq!(link, "https://shop.test/reset/77?a=b");
    Ok(())
}

#[test]
fn the_readme_has_this_example() {
    let own = include_str!("test_server.rs");
    let (_, own) = own.split_once("// As the README has it.\n").expect("it is marked");
    let (own, _) = own.split_once("\n}\n").expect("it ends");
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(own), "README.md lacks:\n{own}");
}

#[test]
fn what_a_test_wants_to_know_of_a_message() -> Result<(), Failure> {
    let mail = TestServer::start()?;
    let (ann, bob) = (mail.address("ann"), mail.address("bob"));
    assert_ne!(ann, mail.address("ann"), "each test has addresses of its own");
    ask_for_a_new_password(mail.smtp(), &bob);
    let message = mail.wait().to(&bob).from("shop@shop.test").one()?;
    assert_eq!((message.subject(), message.from()), ("Reset", "shop@shop.test"));
    assert_eq!(message.code()?, "482913");
    assert!(message.text()?.contains("Your code is 482913"));
    assert!(message.raw()?.starts_with(b"Return-Path: <shop@shop.test>"));
    mail.wait().to(&ann).within(Duration::from_millis(200)).none()?;
    // It is a mail server like any other.
    let mut wire = Wire::connect(mail.pop3()).expect("it listens");
    wire.line().expect("a greeting");
    for line in [format!("USER {bob}\r\n"), "PASS any\r\n".to_owned(), "STAT\r\n".to_owned()] {
        wire.send(line.as_bytes()).expect("it reads");
        let said = wire.line().expect("it answers");
        assert!(said.starts_with(b"+OK"), "{}", String::from_utf8_lossy(&said));
    }
    Ok(())
}

#[test]
fn a_failure_tells_what_came_and_what_was_said() -> Result<(), Failure> {
    let mail = TestServer::start()?;
    let bob = mail.address("bob");
    ask_for_a_new_password(mail.smtp(), &bob);
    mail.wait().to(&bob).one()?;
    let wait = || mail.wait().to(&bob).within(Duration::from_millis(100));
    let text = wait().subject("Rest").one().expect_err("another subject").to_string();
    for part in [
        "0 of 1 came in time",
        "subject `Rest`",
        "`Reset`",
        &format!("{}/view/1", mail.url()),
        "C: RCPT TO:<bob-",
        "S: 250 2.1.5 Recipient ok",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert!(wait().none().is_err(), "one is there");
    ask_for_a_new_password(mail.smtp(), &bob);
    mail.wait().to(&bob).count(2)?;
    let text = wait().one().expect_err("there are two").to_string();
    assert!(text.contains("one message should be there"), "{text}");
    let text = wait().count(2)?[0].link("/login/").expect_err("no such link").to_string();
    assert!(text.contains("https://shop.test/reset/77?a=b") && text.contains("/view/"), "{text}");
    Ok(())
}

#[test]
fn flags_and_asynchronous_tests_work() -> Result<(), Failure> {
    let fault = vec!["any/verb=RCPT,nth=1/reply=451 4.7.1 Later".to_owned()];
    let user = vec!["bob@test:s3cret".parse().expect("an account")];
    let flags = ServeFlags { fault, user, ..ServeFlags::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let started = Instant::now();
        let mail = TestServer::with(flags)?;
        assert!(send(mail.smtp(), "bob@test", "x", "y").starts_with("451"));
        assert!(send(mail.smtp(), "eve@test", "x", "y").starts_with("550 5.1.1"));
        assert!(send(mail.smtp(), "bob@elsewhere.test", "x", "y").starts_with("550 5.7.1"));
        assert!(send(mail.smtp(), "bob+x@test", "x", "y").starts_with("250"));
        mail.wait().to("bob@test").one()?;
        drop(mail);
        assert!(started.elapsed() < Duration::from_secs(60));
        Ok(())
    })
}

#[test]
fn a_wrong_flag_and_a_taken_port_are_told() {
    let first = TestServer::start().expect("it starts");
    let flags = ServeFlags { smtp: Some(first.smtp()), ..ServeFlags::default() };
    let error = TestServer::with(flags).expect_err("the port is taken").to_string();
    assert!(error.contains("--smtp") && error.contains("in use"), "{error}");
    let flags = ServeFlags { config: Some("x.toml".into()), ..ServeFlags::default() };
    assert!(TestServer::with(flags).is_err());
}
