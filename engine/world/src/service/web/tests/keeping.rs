//! Letters that are kept while they are written, held once they are sent, and taken back; pages that are told.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::queue::Queue;

/// A sheet's own name.
const SHEET: &str = "0123456789abcdef";

fn holding() -> Browser {
    let mut browser = Browser::new();
    browser.mail = browser.mail.holding(UNDO_MS);
    browser.sign_in();
    browser
}

impl Browser {
    fn waiting(&self) -> Vec<crate::queue::QueuedMessage> {
        self.mail.backend.store().messages(0, 10).expect("it can be read")
    }

    fn save(&mut self, fields: &[(&str, &str)]) -> (u16, String) {
        let response = self.fill("/draft", &[&[("sheet", SHEET)], fields].concat());
        (response.status, String::from_utf8(response.body).expect("UTF-8"))
    }
}

#[test]
fn a_letter_is_held_and_can_be_taken_back() {
    let mut browser = holding();
    browser.deliver("From: bob@hamburger.edu\nMessage-ID: <1@b>\nSubject: Lunch\n\ntext\n");
    let fields = [
        ("act", "send"),
        ("sheet", SHEET),
        ("to", "alice@crepes.fr, carol@a.example"),
        ("bcc", "bob@crepes.fr"),
        ("subject", "Re: Lunch"),
        ("text", "Yes."),
        ("re", "INBOX/1"),
        ("how", "reply"),
    ];
    assert_eq!(place(&browser.fill("/send", &fields)), (303, "/sent"));
    assert_eq!(browser.uids("/in/INBOX"), [1], "nobody has it yet");
    let [message] = &browser.waiting()[..] else { panic!("it waits") };
    let hold = browser.now_ms + 1_767_603_600_000 + UNDO_MS + 1000;
    assert_eq!(message.times.hold_until_unix_ms, Some(hold), "the queue holds it, and no page");
    assert_eq!(message.mail.hold_until_ms, None, "no other server is asked to hold it");
    let id = message.id.to_string();
    assert!(has(&browser.lines("/in/INBOX"), ", answered"));
    let sent = browser.page("/sent");
    assert!(sent.lines[1].text.starts_with("Your server holds the letter for 5 seconds."));
    assert_eq!(sent.form("/unsend").expect("a button").fields[0].value, id);
    browser.now_ms += 4999;
    let back = browser.fill("/unsend", &[("letter", &id)]);
    assert_eq!(place(&back), (303, "/write?draft=Drafts%2F1"));
    assert!(browser.waiting().is_empty());
    let sheet = browser.page("/write?draft=Drafts%2F1");
    assert_eq!(sheet.lines[1].text, "It is not sent. Here is the letter again.");
    for (name, value) in &fields[2..] {
        assert_eq!(written(&sheet, name).trim(), *value);
    }
    assert!(has(&browser.lines("/in/Sent"), "No messages."), "what says that it was sent is gone");
    assert!(!has(&browser.lines("/in/INBOX"), ", answered"));
    browser.fill("/unsend", &[("letter", &id)]);
    assert_eq!(browser.lines("/sent")[1], "There is no letter that could be taken back.");
    // The same sheet is sent then, and once.
    let draft = [("draft", "Drafts/1")];
    for _ in 0..2 {
        let sent = browser.fill("/send", &[&fields[..], &draft].concat());
        assert_eq!(place(&sent), (303, "/sent"));
    }
    assert_eq!(browser.lines("/sent")[1], "This letter was sent before; it went once.");
    assert_eq!(browser.waiting().len(), 1);
    assert!(has(&browser.lines("/in/Drafts"), "No messages."));
}

#[test]
fn who_is_too_late_is_told_so() {
    let mut browser = holding();
    browser.send("Hi", "text");
    let id = browser.waiting()[0].id.to_string();
    browser.now_ms += UNDO_MS + 1;
    assert!(browser.page("/sent").form("/unsend").is_none(), "it is not offered any more");
    browser.now_ms += 1000;
    let back = browser.fill("/unsend", &[("letter", &id)]);
    assert_eq!(place(&back), (303, "/sent"));
    assert_eq!(browser.lines("/sent")[1], "It was too late: the letter is sent.");
    assert_eq!(browser.waiting().len(), 1, "it goes on its way");
    assert!(!has(&browser.lines("/in/Sent"), "No messages."));
    // What somebody else sent is nobody's to take back.
    browser.send("Hi", "text");
    let id = browser.waiting()[1].id.to_string();
    browser.sign_in();
    browser.fill("/unsend", &[("letter", &id)]);
    assert_eq!(browser.lines("/sent")[1], "There is no letter that could be taken back.");
    assert_eq!(browser.waiting().len(), 2);
}

#[test]
fn what_was_answered_before_stays_answered() {
    let mut browser = holding();
    browser.deliver("From: bob@hamburger.edu\nSubject: Lunch\n\ntext\n");
    for _ in 0..2 {
        let fields = [("act", "send"), ("to", "alice"), ("re", "INBOX/1"), ("how", "reply")];
        assert_eq!(place(&browser.fill("/send", &fields)), (303, "/sent"));
    }
    let id = browser.waiting()[1].id.to_string();
    assert_eq!(place(&browser.fill("/unsend", &[("letter", &id)])).0, 303);
    assert!(has(&browser.lines("/in/INBOX"), ", answered"), "the first answer is under way");
}

#[test]
fn a_sheet_is_one_draft_however_often_it_is_saved() {
    let mut browser = Browser::alice();
    let (status, body) = browser.save(&[("to", "bob@"), ("text", "one")]);
    assert_eq!(status, 200);
    assert!(body.contains("name=draft value=\"Drafts/1\""), "{body}");
    // Nobody heard the answer, so the form says nothing of the draft.
    let (_, body) = browser.save(&[("to", "bob@"), ("subject", "Hi"), ("text", "two")]);
    assert!(body.contains("name=draft value=\"Drafts/2\""), "{body}");
    let drafts = browser.lines("/in/Drafts");
    assert_eq!(drafts.iter().filter(|line| line.contains("Hi to ")).count(), 1, "{drafts:?}");
    assert!(browser.text("/in/Drafts/2/raw").contains("X-Web-Mail-To: bob@\r\n"));
    // A page that is loaded again, by its own name or by what was its draft.
    for target in [&["/write?draft=Drafts/1&sheet=", SHEET].concat()[..], "/write?draft=Drafts/2"] {
        let sheet = browser.page(target);
        assert_eq!(written(&sheet, "to"), "bob@", "what is half typed is kept");
        assert_eq!(
            (&written(&sheet, "subject")[..], &written(&sheet, "draft")[..]),
            ("Hi", "Drafts/2")
        );
    }
    assert_eq!(place(&browser.ask("GET", "/write?draft=Drafts/1", "")), (303, "/in/Drafts"));
    let gone = "This draft is not there any more: it was sent, discarded or kept anew.";
    assert!(has(&browser.lines("/in/Drafts"), gone));
    let (status, why) = browser.save(&[("to", "bob@"), ("keep", "Drafts/9/1")]);
    assert_eq!((status, &why[..]), (422, "There is nothing of this name."));
    let send = [("act", "send"), ("sheet", SHEET), ("to", "alice@crepes.fr"), ("text", "three")];
    assert_eq!(place(&browser.fill("/send", &send)), (303, "/sent"));
    assert!(has(&browser.lines("/in/Drafts"), "No messages."));
    let raw = browser.text("/in/INBOX/1/raw");
    assert!(!raw.contains("X-Web-Mail"), "{raw}");
    assert_eq!(browser.save(&[("text", "four")]), (409, "This letter was sent.".to_owned()));
    assert!(has(&browser.lines("/in/Drafts"), "No messages."), "what was sent is no draft again");
    assert_ne!(written(&browser.page(&["/write?sheet=", SHEET].concat()), "sheet"), SHEET);
}

#[test]
fn a_letter_that_is_refused_stays_a_draft_and_one_that_is_discarded_can_be_had_again() {
    let mut browser = Browser::alice();
    browser.save(&[("to", "bob@"), ("text", "one")]);
    let fields = [("sheet", SHEET), ("to", "bob@"), ("text", "one")];
    let refused = browser.fill("/send", &[&[("act", "send")], &fields[..]].concat());
    assert_eq!(refused.status, 422);
    let sheet = read(&String::from_utf8_lossy(&refused.body));
    assert_eq!((&written(&sheet, "draft")[..], &written(&sheet, "sheet")[..]), ("Drafts/1", SHEET));
    assert_eq!(browser.save(&[("to", "bob@"), ("text", "two")]).0, 200, "it goes on");
    let discard = browser.fill("/send", &[&[("act", "discard")], &fields[..]].concat());
    assert_eq!(place(&discard), (303, "/in/INBOX"));
    assert!(has(&browser.lines("/in/INBOX"), "1 message moved to Trash."));
    assert!(has(&browser.lines("/in/Drafts"), "No messages."));
    assert_eq!(place(&browser.ask("POST", "/undo", "")), (303, "/in/Drafts"));
    let empty = browser.fill("/send", &[("act", "discard"), ("sheet", SHEET)]);
    assert_eq!(place(&empty), (303, "/in/INBOX"));
    assert!(has(&browser.lines("/in/INBOX"), "The letter is discarded."));
}

#[test]
fn what_a_page_asks_by_itself_is_no_sign_of_life() {
    let mut browser = Browser::alice();
    browser.deliver("Subject: Hi\n\ntext\n");
    browser.act("delete", "INBOX", &["1"], &[]);
    assert!(!has(&browser.lines("/in/INBOX?live=1"), "moved to Trash"));
    assert!(has(&browser.lines("/in/INBOX"), "1 message moved to Trash."), "it is not lost");
    for _ in 0..2 {
        browser.now_ms += 20 * 60_000;
        browser.ask("GET", "/in/INBOX?live=1", "");
    }
    assert_eq!(place(&browser.ask("GET", "/in/INBOX", "")), (303, "/login"));
}

#[test]
fn a_page_is_told_of_what_others_do_until_its_visit_ends() {
    let mut browser = Browser::new();
    let request = |cookies: &str| Request { cookies: cookies.to_owned(), ..Request::default() };
    let now = Now { monotonic_ms: 0, unix_ms: 0 };
    assert!(browser.mail.listen(now, &request("visit=x"), Box::new(|| ())).is_none());
    browser.sign_in();
    let woken = Arc::new(AtomicUsize::new(0));
    let wake = Arc::clone(&woken);
    let wake = Box::new(move || _ = wake.fetch_add(1, Ordering::Relaxed));
    let page = browser.mail.listen(now, &request(&browser.cookies), wake).expect("they are in");
    assert!(!page.heard());
    browser.deliver("Subject: Hi\n\ntext\n");
    assert!(woken.load(Ordering::Relaxed) > 0 && page.heard() && !page.heard());
    assert!(page.goes_on(now));
    browser.ask("POST", "/logout", "");
    assert!(!page.goes_on(now));
    drop(page);
    let before = woken.load(Ordering::Relaxed);
    browser.sign_in();
    browser.deliver("Subject: Hi\n\ntext\n");
    assert_eq!(woken.load(Ordering::Relaxed), before, "nobody listens any more");
}

/// What was said to other servers, as a test knows it.
struct Told;

impl Conversations for Told {
    fn expect(&self, _message: pillarbox_engine::types::BlobId) {}

    fn of(&self, _message: pillarbox_engine::types::BlobId) -> Vec<String> {
        vec!["C: MAIL FROM:<alice@crepes.fr>\nS: 250 2.1.0 <OK>".to_owned()]
    }
}

#[test]
fn the_protocol_is_shown_without_secrets_and_to_nobody_else() {
    let mut browser = Browser::new();
    browser.mail = browser.mail.showing(Arc::new(Told));
    browser.sign_in();
    let id = browser.cookies.trim_start_matches("visit=").to_owned();
    let list = browser.text("/in/INBOX");
    for said in [
        "POST /login HTTP/1.1\n",
        "  password = ******\n",
        "Set-Cookie: visit=******; Path=/; HttpOnly",
        "GET /in/INBOX HTTP/1.1\nCookie: visit=******\n",
    ] {
        assert!(list.contains(said), "{said}: {list}");
    }
    assert!(!list.contains("sesame") && !list.contains(&id));
    let list = browser.text("/in/INBOX?live=1");
    assert!(!list.contains("id=protocol"), "what a page asks by itself is no action");
    browser.send("<b>Hi</b>", &"word ".repeat(100));
    let sent = browser.text("/sent");
    assert!(sent.contains("subject = &lt;b&gt;Hi&lt;/b&gt;\n"), "{sent}");
    assert!(
        sent.contains("word … (500 octets)\n") || sent.contains("word… (500 octets)\n"),
        "{sent}"
    );
    assert!(!sent.contains("/login"), "a page shows what led to it");
    assert!(browser.text("/protocol").contains("POST /login HTTP/1.1\n"), "all of it is there");
    let smtp = browser.page("/sent");
    let link = smtp.lines.iter().find(|line| line.label == "Show me the SMTP");
    assert_eq!(link.expect("it leads there").link.as_deref(), Some("/in/Sent/1/smtp"));
    let shown = browser.text("/in/Sent/1/smtp");
    for said in
        ["MAIL FROM:&lt;alice@crepes.fr&gt; SIZE=", "# queued as ", "S: 250 2.1.0 &lt;OK&gt;"]
    {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(browser.text("/in/Sent/1").contains("Show me the SMTP"));
    // Another account has a copy of the same number.
    let response = browser.ask("POST", "/login", "user=bob&password=sesame");
    assert_eq!(response.status, 303);
    let visit = browser
        .mail
        .visits
        .of(browser.cookies.trim_start_matches("visit="), Now { monotonic_ms: 0, unix_ms: 0 });
    let now = Now { monotonic_ms: 0, unix_ms: 0 };
    let mut desk = Desk::new(&browser.mail.backend, 2, &visit.expect("bob is in"), now);
    at_once(desk.put(b"Sent", b"Subject: x\r\n\r\n", 0, None)).expect("there is room");
    assert_eq!(browser.ask("GET", "/in/Sent/1/smtp", "").status, 404);
    assert!(!browser.text("/in/Sent/1").contains("Show me the SMTP"));
    assert!(!browser.text("/protocol").contains("alice"), "nor what alice asked");
    // Where it is not shown, nothing of it is there.
    let mut browser = Browser::alice();
    browser.send("Hi", "x");
    assert!(!browser.text("/sent").contains("rotocol"));
    assert_eq!(browser.ask("GET", "/protocol", "").status, 404);
    assert_eq!(browser.ask("GET", "/in/Sent/1/smtp", "").status, 404);
}
