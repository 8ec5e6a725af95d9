//! What a browser gets of a mail server, request by request.

use super::*;
use crate::conversation::at_once;
use crate::service::local::LocalBackend;
use crate::web::page::{Page, read};

/// A server, and a browser that keeps its cookie.
struct Browser {
    mail: WebMail<LocalBackend>,
    cookies: String,
    now_ms: u64,
    chance: u8,
}

impl Browser {
    fn new() -> Self {
        let backend = Arc::new(LocalBackend::new(b"crepes.fr"));
        let visits = Arc::new(Visits::default());
        let mail = WebMail::new(backend, 1, visits, b"192.0.2.1".to_vec());
        Self { mail, cookies: String::new(), now_ms: 0, chance: 0 }
    }

    fn ask(&mut self, method: &str, target: &str, body: &str) -> Response {
        self.chance += 1;
        let request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            cookies: self.cookies.clone(),
            body: body.as_bytes().to_vec(),
        };
        let now = Now { monotonic_ms: self.now_ms, unix_ms: 1_767_603_600_000 + self.now_ms };
        let response = at_once(self.mail.answer(now, &request, [self.chance; 16]));
        let given = response.fields.iter().find(|(name, _)| *name == "Set-Cookie");
        if let Some((_, value)) = given {
            assert!(value.contains("; HttpOnly; SameSite=Strict"), "{value}");
            value.split(';').next().unwrap_or_default().clone_into(&mut self.cookies);
        }
        response
    }

    fn page(&mut self, target: &str) -> Page {
        let response = self.ask("GET", target, "");
        assert_eq!(response.status, 200, "{target}");
        read(&String::from_utf8_lossy(&response.body))
    }

    fn sign_in(&mut self) {
        let response = self.ask("POST", "/login", "user=alice&password=sesame");
        assert_eq!(place(&response), (303, "/inbox"));
    }

    fn send(&mut self, subject: &str, text: &str) -> Response {
        let fields = [("to", "alice@crepes.fr"), ("subject", subject), ("text", text)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut client = crate::web::Client::new("crepes.fr");
        // The octets of the form as a browser writes them.
        let said =
            client.ask("/send", "", Some(&fields)).into_iter().find_map(|output| match output {
                crate::web::Output::Transmit(octets) => Some(octets),
                _ => None,
            });
        let said = String::from_utf8(said.expect("it asks")).expect("a form is ASCII");
        let (_, body) = said.split_once("\r\n\r\n").expect("a head and a body");
        self.ask("POST", "/send", body)
    }
}

fn place(response: &Response) -> (u16, &str) {
    let found = response.fields.iter().find(|(name, _)| *name == "Location");
    (response.status, found.map_or("", |(_, place)| place))
}

fn lines(page: &Page) -> Vec<&str> {
    page.lines.iter().map(|line| &line.text[..]).collect()
}

#[test]
fn who_has_no_cookie_sees_the_form_alone() {
    let mut browser = Browser::new();
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/inbox"),
        ("GET", "/message/1"),
        ("GET", "/compose"),
        ("GET", "/sent"),
        ("POST", "/send"),
        ("POST", "/delete"),
        ("POST", "/logout"),
    ] {
        assert_eq!(place(&browser.ask(method, target, "")), (303, "/login"), "{target}");
    }
    browser.cookies = "visit=00000000000000000000000000000000".to_owned();
    assert_eq!(place(&browser.ask("GET", "/inbox", "")), (303, "/login"));
    assert!(browser.page("/login").form.expect("a form").asks_password());
    for (method, target, status) in [
        ("GET", "/none", 404),
        ("GET", "/message/x", 303),
        ("GET", "/send", 405),
        ("POST", "/inbox", 405),
        ("BREW", "/inbox", 501),
        ("HEAD", "/login", 200),
    ] {
        assert_eq!(browser.ask(method, target, "").status, status, "{method} {target}");
    }
    assert_eq!(browser.ask("POST", "/login", "user=&password=").status, 403);
}

#[test]
fn a_letter_is_written_listed_read_and_deleted() {
    let mut browser = Browser::new();
    browser.sign_in();
    assert!(lines(&browser.page("/inbox")).contains(&"No messages."));
    let text = "<script>alert(1)</script>\n.\nCrème & \"brûlée\"";
    assert_eq!(place(&browser.send("<b>Lunch</b>", text)), (303, "/sent"));
    let list = browser.page("/inbox");
    let row = list.lines.iter().find(|line| line.link.as_deref() == Some("/message/1"));
    let row = &row.expect("it is listed").text;
    assert_eq!(row, "<b>Lunch</b> from alice@crepes.fr, unread");
    let response = browser.ask("GET", "/message/1", "");
    let html = String::from_utf8_lossy(&response.body).into_owned();
    assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
    let page = read(&html);
    assert_eq!(page.title, "<b>Lunch</b>");
    let shown = lines(&page).join("\n");
    assert!(shown.contains(text), "{shown}");
    assert!(lines(&browser.page("/inbox")).iter().any(|line| line.ends_with(", read")));
    let form = page.form.expect("a form to delete it");
    assert_eq!((&form.fields[0].name[..], &form.fields[0].value[..]), ("message", "1"));
    assert_eq!(place(&browser.ask("POST", "/delete", "message=1")), (303, "/inbox"));
    assert_eq!(browser.ask("GET", "/message/1", "").status, 404);
    assert_eq!(browser.ask("POST", "/delete", "message=x").status, 404);
}

#[test]
fn what_arrives_has_its_trace() {
    let mut browser = Browser::new();
    browser.sign_in();
    browser.send("Hi", "one");
    let store = browser.mail.backend.store();
    let account = store.account(b"alice@crepes.fr").expect("a store").expect("it is there");
    let mailbox = store.mailbox(account, b"INBOX").expect("it is there");
    let row = browser.mail.rows(mailbox, UidRun { first: 1, last: 1 }).expect("a row").remove(0);
    let message = browser.mail.octets(&row, SHOWN_MAX).expect("octets");
    let message = String::from_utf8(message).expect("it is ASCII");
    let begins = "Return-Path: <alice@crepes.fr>\r\nReceived: from [192.0.2.1]\r\n\tby crepes.fr with HTTP id ";
    assert!(message.starts_with(begins), "{message}");
    assert!(message.contains("From: alice@crepes.fr\r\n") && message.contains("Message-ID: <"));
}

#[test]
fn a_letter_that_cannot_be_sent_comes_back() {
    let mut browser = Browser::new();
    browser.sign_in();
    for body in ["to=&subject=a&text=b", "to=a%0D%0ABcc:x@y.z&text=b", "to=a@b&subject=x%0Ay", ""] {
        let response = browser.ask("POST", "/send", body);
        assert_eq!(response.status, 422, "{body}");
        let page = read(&String::from_utf8_lossy(&response.body));
        assert_eq!(page.form.expect("the form").action, "/send");
    }
    assert!(lines(&browser.page("/inbox")).contains(&"No messages."));
}

#[test]
fn a_visit_ends_by_itself_and_by_hand() {
    let mut browser = Browser::new();
    browser.sign_in();
    let first = browser.cookies.clone();
    assert!(first.len() > "visit=".len() + 30);
    browser.now_ms += 29 * 60_000;
    browser.page("/inbox");
    browser.now_ms += 29 * 60_000;
    browser.page("/inbox");
    browser.now_ms += 31 * 60_000;
    assert_eq!(place(&browser.ask("GET", "/inbox", "")), (303, "/login"));
    browser.sign_in();
    assert_ne!(browser.cookies, first, "each visit has a name of its own");
    let second = browser.cookies.clone();
    assert_eq!(place(&browser.ask("POST", "/logout", "")), (303, "/login"));
    assert_eq!(browser.cookies, "visit=", "the browser is told to forget it");
    browser.cookies = second;
    assert_eq!(place(&browser.ask("GET", "/inbox", "")), (303, "/login"));
}

#[test]
fn a_list_shows_the_newest() {
    let mut browser = Browser::new();
    browser.sign_in();
    for number in 0..LISTED_MAX + 5 {
        browser.send(&format!("letter {number}."), "text");
    }
    let list = browser.page("/inbox");
    let links: Vec<_> = list.lines.iter().filter_map(|line| line.link.as_deref()).collect();
    let links: Vec<_> = links.into_iter().filter(|link| link.starts_with("/message/")).collect();
    assert_eq!(links.len(), LISTED_MAX as usize);
    assert_eq!((links[0], *links.last().expect("many")), ("/message/55", "/message/6"));
}

#[test]
fn it_may_stand_beside_other_things() {
    let mut browser = Browser::new();
    let (backend, visits) =
        (Arc::new(LocalBackend::new(b"crepes.fr")), Arc::new(Visits::default()));
    browser.mail = WebMail::new(backend, 1, visits, b"192.0.2.1".to_vec()).under("/mail");
    assert_eq!(browser.ask("GET", "/inbox", "").status, 404);
    assert_eq!(browser.ask("GET", "/mailbox", "").status, 404);
    assert_eq!(place(&browser.ask("GET", "/mail", "")), (303, "/mail/login"));
    let response = browser.ask("POST", "/mail/login", "user=alice&password=sesame");
    assert_eq!(place(&response), (303, "/mail/inbox"));
    let given = response.fields.iter().find(|(name, _)| *name == "Set-Cookie");
    assert!(given.is_some_and(|(_, value)| value.contains("; Path=/mail/;")));
    for target in ["/mail/inbox", "/mail/compose", "/mail/sent"] {
        let page = browser.page(target);
        let links: Vec<_> = page.lines.iter().filter_map(|line| line.link.as_deref()).collect();
        assert!(!links.is_empty() && links.iter().all(|link| link.starts_with("/mail/")));
        assert!(page.form.is_none_or(|form| form.action.starts_with("/mail/")));
    }
}
