//! What a browser gets of a mail server, request by request.

mod keeping;
mod letters;
mod reading;

use super::*;
use crate::conversation::at_once;
use crate::service::local::LocalBackend;
use crate::store::Store;
use crate::web::encoded;
use crate::web::page::{Page, read};

/// A server, and a browser that keeps its cookie.
struct Browser {
    mail: WebMail<LocalBackend>,
    cookies: String,
    now_ms: u64,
    chance: u8,
    happened: Option<Happened>,
}

impl Browser {
    fn new() -> Self {
        let backend = Arc::new(LocalBackend::new(b"crepes.fr"));
        let visits = Arc::new(Visits::default());
        let mail = WebMail::new(backend, 1, visits, b"192.0.2.1".to_vec());
        Self { mail, cookies: String::new(), now_ms: 0, chance: 0, happened: None }
    }

    /// One who has signed in.
    fn alice() -> Self {
        let mut browser = Self::new();
        browser.sign_in();
        browser
    }

    fn ask(&mut self, method: &str, target: &str, body: &str) -> Response {
        self.bring(method, target, "", body.as_bytes())
    }

    fn bring(&mut self, method: &str, target: &str, media_type: &str, body: &[u8]) -> Response {
        self.chance = self.chance.wrapping_add(1);
        let request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            cookies: self.cookies.clone(),
            media_type: media_type.to_owned(),
            body: body.to_vec(),
        };
        let now = Now { monotonic_ms: self.now_ms, unix_ms: 1_767_603_600_000 + self.now_ms };
        let (response, happened) = at_once(self.mail.answer(now, &request, [self.chance; 16]));
        self.happened = happened.or(self.happened.take());
        let given = response.fields.iter().find(|(name, _)| *name == "Set-Cookie");
        if let Some((_, value)) = given {
            assert!(value.contains("; HttpOnly; SameSite=Strict"), "{value}");
            value.split(';').next().unwrap_or_default().clone_into(&mut self.cookies);
        }
        response
    }

    fn text(&mut self, target: &str) -> String {
        let response = self.ask("GET", target, "");
        assert_eq!(response.status, 200, "{target}");
        String::from_utf8(response.body).expect("UTF-8")
    }

    fn page(&mut self, target: &str) -> Page {
        read(&self.text(target))
    }

    fn sign_in(&mut self) {
        let response = self.ask("POST", "/login", "user=alice&password=sesame");
        assert_eq!(place(&response), (303, "/in/INBOX"));
        assert_eq!(self.happened, Some(Happened::SignedIn("alice@crepes.fr".to_owned())));
    }

    /// Sends what a form says.
    fn fill(&mut self, place: &str, fields: &[(&str, &str)]) -> Response {
        let pair = |(name, value): &(&str, &str)| [name, "=", &encoded(value)[..]].concat();
        let body: Vec<String> = fields.iter().map(pair).collect();
        self.ask("POST", place, &body.join("&"))
    }

    fn act(&mut self, act: &str, folder: &str, uids: &[&str], more: &[(&str, &str)]) -> Response {
        let mut fields = vec![("act", act), ("in", folder)];
        fields.extend(uids.iter().map(|uid| ("uid", *uid)));
        fields.extend(more);
        self.fill("/act", &fields)
    }

    fn send(&mut self, subject: &str, text: &str) -> Response {
        let to = "alice@crepes.fr";
        let fields = [("act", "send"), ("to", to), ("subject", subject), ("text", text)];
        self.fill("/send", &fields)
    }

    /// Puts a message into INBOX as it is.
    fn deliver(&mut self, message: &str) {
        let message = message.replace('\n', "\r\n");
        let now = Now { monotonic_ms: self.now_ms, unix_ms: 1_767_603_600_000 };
        let id = self.cookies.trim_start_matches("visit=");
        let visit = self.mail.visits.of(id, now).expect("somebody has signed in");
        let mut desk = Desk::new(&self.mail.backend, 2, &visit, now);
        at_once(desk.put(b"INBOX", message.as_bytes(), 0, None)).expect("there is room");
    }

    /// Lines of a page.
    fn lines(&mut self, target: &str) -> Vec<String> {
        self.page(target).lines.into_iter().map(|line| line.text.trim().to_owned()).collect()
    }

    /// UIDs of what a list names.
    fn uids(&mut self, target: &str) -> Vec<u32> {
        let lines = self.page(target).lines.into_iter();
        let uid = |line: crate::web::page::Line| {
            line.link?.strip_prefix("/in/INBOX/").and_then(|uid| uid.parse().ok())
        };
        lines.filter_map(uid).collect()
    }
}

fn place(response: &Response) -> (u16, &str) {
    (response.status, field(response, "Location"))
}

fn field<'a>(response: &'a Response, name: &str) -> &'a str {
    let found = response.fields.iter().find(|(own, _)| *own == name);
    found.map_or("", |(_, value)| value)
}

/// What stands in a field of the sheet.
fn written(page: &Page, name: &str) -> String {
    let form = page.form("/send").expect("a sheet");
    form.fields.iter().find(|field| field.name == name).expect("it has it").value.clone()
}

fn has(lines: &[String], wanted: &str) -> bool {
    lines.iter().any(|line| line.contains(wanted))
}

#[test]
fn who_has_no_cookie_sees_the_form_alone() {
    let mut browser = Browser::new();
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/in/INBOX"),
        ("GET", "/in/INBOX/1/raw"),
        ("GET", "/folders"),
        ("GET", "/folders/delete?name=Sent"),
        ("GET", "/write"),
        ("GET", "/sent"),
        ("POST", "/send"),
        ("POST", "/draft"),
        ("POST", "/unsend"),
        ("POST", "/act"),
        ("POST", "/undo"),
        ("POST", "/folders"),
        ("POST", "/logout"),
    ] {
        assert_eq!(place(&browser.ask(method, target, "")), (303, "/login"), "{target}");
    }
    browser.cookies = "visit=00000000000000000000000000000000".to_owned();
    assert_eq!(place(&browser.ask("GET", "/in/INBOX", "")), (303, "/login"));
    assert!(browser.page("/login").forms[0].asks_password());
    for (method, target, status) in [
        ("GET", "/none", 404),
        ("GET", "/in/INBOX/x", 303),
        ("GET", "/send", 405),
        ("POST", "/in/INBOX", 405),
        ("BREW", "/in/INBOX", 501),
        ("HEAD", "/login", 200),
    ] {
        assert_eq!(browser.ask(method, target, "").status, status, "{method} {target}");
    }
    assert_eq!(browser.ask("POST", "/login", "user=&password=").status, 403);
    assert_eq!(browser.happened, Some(Happened::SignInRefused(String::new())));
    let (method, target) = ("POST".to_owned(), "/send".to_owned());
    let send = Request { method, target, ..Request::default() };
    let now = Now { monotonic_ms: 0, unix_ms: 0 };
    assert_eq!(browser.mail.body_max(now, &send), BODY_MAX, "strangers bring no files");
    browser.sign_in();
    let send = Request { cookies: browser.cookies.clone(), ..send };
    assert_eq!(browser.mail.body_max(now, &send), FORM_MAX);
}

#[test]
fn a_letter_is_written_listed_read_and_deleted() {
    let mut browser = Browser::alice();
    assert!(has(&browser.lines("/in/INBOX"), "No messages."));
    let text = "<script>alert(1)</script>\n.\nCrème & \"brûlée\"";
    assert_eq!(place(&browser.send("<b>Lunch</b>", text)), (303, "/sent"));
    assert_eq!(browser.happened, Some(Happened::Sent("alice@crepes.fr".to_owned())));
    let taken = "Your server has the letter, and sees to it that it arrives.";
    assert_eq!(browser.lines("/sent")[1], taken);
    let list = browser.lines("/in/INBOX");
    let row = "<b>Lunch</b> from alice@crepes.fr, 05 Jan 2026 09:00, unread";
    assert!(list.contains(&row.to_owned()), "{list:?}");
    let html = browser.text("/in/INBOX/1");
    assert!(!html.contains("<script") && !html.contains("<b>Lunch"), "{html}");
    let page = read(&html);
    assert_eq!(page.title, "<b>Lunch</b>");
    let shown: Vec<_> = page.lines.iter().map(|line| &line.text[..]).collect();
    assert!(shown.join("\n").contains(text), "{shown:?}");
    assert!(!has(&browser.lines("/in/INBOX"), ", unread"));
    let form = page.form("/act").expect("a form to delete it");
    assert_eq!((&form.fields[1].name[..], &form.fields[1].value[..]), ("uid", "1"));
    assert_eq!(place(&browser.act("delete", "INBOX", &["1"], &[])), (303, "/in/INBOX"));
    assert_eq!(browser.ask("GET", "/in/INBOX/1", "").status, 404);
    assert!(has(&browser.lines("/in/INBOX"), "1 message moved to Trash."));
    assert!(browser.page("/in/INBOX").form("/undo").is_some());
    assert_eq!(place(&browser.ask("POST", "/undo", "")), (303, "/in/INBOX"));
    let list = browser.page("/in/INBOX");
    assert_eq!(list.lines[1].text, "1 message moved back to Inbox.");
    assert!(list.form("/undo").is_none());
    assert_eq!(browser.uids("/in/INBOX"), [2]);
    browser.act("delete", "INBOX", &["2"], &[]);
    browser.act("delete", "Trash", &["2"], &[]);
    let trash = browser.lines("/in/Trash");
    assert!(has(&trash, "1 message deleted for ever.") && has(&trash, "No messages."), "{trash:?}");
}

#[test]
fn several_are_done_with_at_once() {
    let mut browser = Browser::alice();
    (0..4).for_each(|number| browser.deliver(&format!("Subject: letter {number}.\n\ntext\n")));
    let marked = |browser: &mut Browser, word: &str| {
        browser.lines("/in/INBOX").iter().filter(|line| line.contains(word)).count()
    };
    for (act, word, count) in [
        ("flag", ", flagged", 3),
        ("unflag", ", flagged", 0),
        ("read", ", unread", 1),
        ("unread", ", unread", 4),
    ] {
        let response = browser.act(act, "INBOX", &["4", "1", "2"], &[]);
        assert_eq!(place(&response), (303, "/in/INBOX"), "{act}");
        assert_eq!(marked(&mut browser, word), count, "{act}");
    }
    browser.act("move", "INBOX", &["4", "1", "2"], &[("to", "Archive")]);
    assert_eq!(marked(&mut browser, "letter"), 1);
    assert_eq!(marked(&mut browser, "3 messages moved to Archive."), 1);
    assert_eq!(place(&browser.act("delete", "INBOX", &[], &[])), (303, "/in/INBOX"));
    assert_eq!(marked(&mut browser, "no message was chosen"), 1);
    assert_eq!(marked(&mut browser, "no message was chosen"), 0, "it is said once");
    for (act, folder) in [("flag", "None"), ("explode", "INBOX"), ("move", "INBOX")] {
        assert_eq!(browser.act(act, folder, &["3"], &[]).status, 404, "{act} {folder}");
    }
    let stays = browser.act("flag", "INBOX", &["3"], &[("stay", "3")]);
    assert_eq!(place(&stays), (303, "/in/INBOX/3"));
}

#[test]
fn folders_are_made_renamed_and_after_a_question_deleted() {
    let mut browser = Browser::alice();
    let trash = "Trash, 0 messages, 0 unread: what was deleted";
    assert!(has(&browser.lines("/folders"), trash));
    let name = "Crêpes & co/2026";
    let make = [("act", "create"), ("name", name)];
    assert_eq!(place(&browser.fill("/folders", &make)), (303, "/folders"));
    assert_eq!(browser.fill("/folders", &make).status, 422, "it is there already");
    for name in ["", "/", "a//b", "a*", "a\nb", &"x".repeat(256)] {
        let refused = browser.fill("/folders", &[("act", "create"), ("name", name)]);
        assert_eq!(refused.status, 422, "{name:?}");
    }
    browser.page("/in/Cr%C3%AApes%20%26%20co%2F2026");
    let renamed = [("act", "rename"), ("from", name), ("name", "Old")];
    assert_eq!(browser.fill("/folders", &renamed).status, 303);
    assert_eq!(browser.page("/folders/delete?name=Old").title, "Delete Old?");
    browser.page("/in/Old");
    let delete = |name| [("act", "delete"), ("name", name)];
    assert_eq!(browser.fill("/folders", &delete("Old")).status, 303);
    assert_eq!(browser.ask("GET", "/in/Old", "").status, 404);
    assert_eq!(browser.ask("GET", "/folders/delete?name=Old", "").status, 404);
    assert_eq!(browser.fill("/folders", &delete("INBOX")).status, 403);
}

#[test]
fn a_visit_ends_by_itself_and_by_hand() {
    let mut browser = Browser::alice();
    let first = browser.cookies.clone();
    assert!(first.len() > "visit=".len() + 30);
    for _ in 0..2 {
        browser.now_ms += 29 * 60_000;
        browser.page("/in/INBOX");
    }
    browser.now_ms += 31 * 60_000;
    assert_eq!(place(&browser.ask("GET", "/in/INBOX", "")), (303, "/login"));
    browser.sign_in();
    assert_ne!(browser.cookies, first, "each visit has a name of its own");
    let second = browser.cookies.clone();
    assert_eq!(place(&browser.ask("POST", "/logout", "")), (303, "/login"));
    assert_eq!(browser.cookies, "visit=", "the browser is told to forget it");
    browser.cookies = second;
    assert_eq!(place(&browser.ask("GET", "/in/INBOX", "")), (303, "/login"));
}

#[test]
fn a_list_goes_back_page_by_page() {
    let mut browser = Browser::alice();
    (0..105).for_each(|number| browser.deliver(&format!("Subject: letter {number}.\n\ntext\n")));
    for (page, first, last, count) in [(1, 105, 56, 50), (2, 55, 6, 50), (3, 5, 1, 5)] {
        let target = format!("/in/INBOX?page={page}");
        let uids = browser.uids(&target);
        assert_eq!((uids.len(), uids[0], uids[count - 1]), (count, first, last));
        let lines = browser.lines(&target);
        assert_eq!((has(&lines, "Older"), has(&lines, "Newer")), (page < 3, page > 1));
    }
    for page in ["0", "x", "4", "18446744073709551615"] {
        browser.page(&format!("/in/INBOX?page={page}"));
    }
    let list = browser.page("/in/INBOX?q=letter&page=2");
    let older = list.lines.iter().find(|line| line.text == "Older").expect("there are more");
    assert_eq!(older.link.as_deref(), Some("/in/INBOX?page=3&q=letter"));
}

#[test]
fn it_may_stand_beside_other_things() {
    let mut browser = Browser::new();
    let (backend, visits) =
        (Arc::new(LocalBackend::new(b"crepes.fr")), Arc::new(Visits::default()));
    browser.mail = WebMail::new(backend, 1, visits, b"192.0.2.1".to_vec()).under("/mail");
    assert_eq!(browser.ask("GET", "/in/INBOX", "").status, 404);
    assert_eq!(browser.ask("GET", "/mailbox", "").status, 404);
    assert_eq!(place(&browser.ask("GET", "/mail", "")), (303, "/mail/login"));
    let response = browser.ask("POST", "/mail/login", "user=alice&password=sesame");
    assert_eq!(place(&response), (303, "/mail/in/INBOX"));
    assert!(field(&response, "Set-Cookie").contains("; Path=/mail/;"));
    browser.deliver("Subject: Hi\n\ntext\n");
    for target in ["/in/INBOX", "/in/INBOX/1", "/write", "/folders", "/folders/delete?name=Sent"] {
        let page = browser.page(&["/mail", target].concat());
        let mut links = page.lines.iter().filter_map(|line| line.link.as_deref());
        assert!(links.all(|link| link.starts_with("/mail/")), "{target}");
        assert!(page.forms.iter().all(|form| form.action.starts_with("/mail/")), "{target}");
    }
}
