//! Letters that are written: with files, as answers, handed on, kept as drafts.

use super::*;

const MULTIPART: &str = "multipart/form-data; boundary=xYz";

/// A form with files, as a browser writes it.
fn with_files(fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let begin = "--xYz\r\nContent-Disposition: form-data; name=\"";
    let mut out = Vec::new();
    for (name, value) in fields {
        out.extend([begin, name, "\"\r\n\r\n", value, "\r\n"].concat().into_bytes());
    }
    for (name, kind, octets) in files {
        let head = [begin, "files\"; filename=\"", name, "\"\r\nContent-Type: ", kind, "\r\n\r\n"];
        out.extend([head.concat().as_bytes(), octets, b"\r\n"].concat());
    }
    out.extend(b"--xYz--\r\n");
    out
}

#[test]
fn files_go_along_and_are_handed_out_as_nothing_but_files() {
    let mut browser = Browser::alice();
    let page = b"<script>alert(1)</script>\0\xff".repeat(20_000);
    let fields = [("act", "send"), ("to", "alice@crepes.fr"), ("subject", "Files"), ("text", "x")];
    let empty = ("", "application/octet-stream", &b""[..]);
    let body = with_files(&fields, &[("Crème %221%22.html", "text/html", &page), empty]);
    let sent = browser.bring("POST", "/send", MULTIPART, &body);
    assert_eq!(place(&sent), (303, "/sent"));
    assert!(has(&browser.lines("/in/INBOX"), ", with files, unread"));
    let message = browser.page("/in/INBOX/1");
    let file = message.lines.iter().find(|line| line.label == "Crème \"1\".html");
    let file = file.and_then(|line| line.link.clone()).expect("it can be had");
    let given = browser.ask("GET", &file, "");
    assert_eq!((given.status, &given.media_type[..]), (200, "text/html"));
    assert!(given.body == page, "each octet is there");
    assert_eq!(
        field(&given, "Content-Disposition"),
        "attachment; filename=\"Cr_me _1_.html\"; filename*=UTF-8''Cr%C3%A8me%20%221%22.html"
    );
    assert_eq!(field(&given, "X-Content-Type-Options"), "nosniff");
    assert_eq!(field(&given, "Content-Security-Policy"), "sandbox; default-src 'none'");
    let structure = browser.text("/in/INBOX/1/structure");
    assert!(structure.contains("multipart/mixed, "), "{structure}");
    assert!(structure.contains("\n  text/html, "), "{structure}");
    assert_eq!(browser.ask("GET", "/in/INBOX/1/part/99", "").status, 404);
    let raw = browser.ask("GET", "/in/INBOX/1/raw", "");
    assert_eq!(&raw.media_type[..], "text/plain; charset=utf-8");
    assert!(raw.body.starts_with(b"Return-Path: <alice@crepes.fr>\r\n"));
}

#[test]
fn a_letter_is_handed_on_by_way_of_a_draft() {
    let mut browser = Browser::alice();
    browser.deliver(
        "From: bob@hamburger.edu\nSubject: File\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhere\n--b\nContent-Type: image/png\n\
         Content-Disposition: attachment; filename=a.png\n\nx\n--b--\n",
    );
    let sheet = browser.page("/write?how=forward&re=INBOX/1");
    assert_eq!(written(&sheet, "subject"), "Fwd: File");
    assert!(written(&sheet, "text").contains("From: bob@hamburger.edu"));
    let keep = written(&sheet, "keep");
    let fields = [
        ("to", "alice@crepes.fr"),
        ("bcc", "bob@crepes.fr"),
        ("subject", "Fwd: File"),
        ("text", "See this."),
        ("re", "INBOX/1"),
        ("how", "forward"),
    ];
    let draft = [&fields[..], &[("act", "draft"), ("keep", &keep)]].concat();
    assert_eq!(place(&browser.fill("/send", &draft)), (303, "/write?draft=Drafts%2F1"));
    assert!(has(&browser.lines("/in/Drafts/1"), "Go on writing"));
    assert!(browser.text("/in/Drafts/1/raw").contains("X-Web-Mail-Answers: forward INBOX/1\r\n"));
    let sheet = browser.page("/write?draft=Drafts%2F1");
    for (name, value) in fields {
        assert_eq!(written(&sheet, name).trim(), value);
    }
    let (keep, draft) = (written(&sheet, "keep"), written(&sheet, "draft"));
    assert_eq!((&keep[..], &draft[..]), ("Drafts/1/2", "Drafts/1"));
    let send = [&fields[..], &[("act", "send"), ("keep", &keep), ("draft", &draft)]].concat();
    assert_eq!(place(&browser.fill("/send", &send)), (303, "/sent"));
    assert!(has(&browser.lines("/in/Drafts"), "No messages."), "it is a draft no more");
    assert!(has(&browser.lines("/in/INBOX"), ", forwarded, with files"));
    let arrived = browser.text("/in/INBOX/2/raw");
    assert!(arrived.contains("a.png") && !arrived.contains("Bcc:"), "{arrived}");
    assert!(!arrived.contains("X-Web-Mail") && !arrived.contains("In-Reply-To"), "{arrived}");
    assert!(browser.text("/in/Sent/1/raw").contains("Bcc: bob@crepes.fr\r\n"), "for who wrote it");
    let store = browser.mail.backend.store();
    let bob = store.account(b"bob@crepes.fr").expect("a store").expect("he got it");
    assert_eq!(store.status(bob, b"INBOX").expect("an inbox").messages, 1);
    // What cannot go along is said, and the sheet comes back.
    for keep in ["INBOX/9/1", "INBOX/1/99", "None/1/1", "x"] {
        let fields = [("act", "send"), ("to", "alice@crepes.fr"), ("keep", keep)];
        assert_eq!(browser.fill("/send", &fields).status, 422, "{keep}");
    }
}

#[test]
fn an_answer_says_what_it_answers_and_the_conversation_is_shown() {
    let mut browser = Browser::alice();
    // Longer than what would become an encoded word in a text.
    let id = ["<", &"x".repeat(90), "@bob.example>"].concat();
    browser.deliver(&format!(
        "From: \"Bob, \\\"cook\\\"\" <bob@hamburger.edu>\nTo: alice@crepes.fr, carol@a.example\n\
         Cc: Dave <dave@a.example>\nSubject: Lunch\nMessage-ID: {id}\nReferences: <first@b>\n\n\
         Ketchup?\n> one\n> two\n> three\n> four\nBob\n"
    ));
    let page = browser.text("/in/INBOX/1");
    let folded = "</pre>\n<details><summary>Quoted text, 4 lines</summary>\n<pre>&gt; one\n";
    assert!(page.contains(folded) && !page.contains("Conversation"), "{page}");
    let sheet = browser.page("/write?how=reply&re=INBOX%2F1");
    assert_eq!(written(&sheet, "to"), "\"Bob, \\\"cook\\\"\" <bob@hamburger.edu>");
    assert_eq!((&written(&sheet, "cc")[..], &written(&sheet, "subject")[..]), ("", "Re: Lunch"));
    let quote = written(&sheet, "text").replace('\r', "");
    assert!(quote.contains(" wrote:\n> Ketchup?\n>> one\n"), "{quote}");
    let sheet = browser.page("/write?how=all&re=INBOX%2F1");
    assert_eq!(written(&sheet, "cc"), "carol@a.example, \"Dave\" <dave@a.example>");
    let (to, subject) = (written(&sheet, "to"), written(&sheet, "subject"));
    let fields = [("re", "INBOX/1"), ("how", "all"), ("to", &to), ("subject", &subject)];
    let send = [&fields[..], &[("act", "send"), ("text", "Yes.")]].concat();
    assert_eq!(place(&browser.fill("/send", &send)), (303, "/sent"));
    let sent = browser.text("/in/Sent/1/raw");
    assert!(sent.contains(&format!("In-Reply-To: {id}\r\n")), "{sent}");
    assert!(sent.contains(&format!("References: <first@b>\r\n {id}\r\n")), "{sent}");
    assert!(has(&browser.lines("/in/INBOX"), ", answered"));
    let page = browser.page("/in/INBOX/1");
    let own = page.lines.iter().find(|line| line.link.as_deref() == Some("/in/Sent/1"));
    assert!(own.expect("the answer is shown").text.contains("in Sent"));
    // Kept as a draft, it knows what it answers.
    let draft = [&fields[..], &[("act", "draft"), ("text", "Or no.")]].concat();
    browser.fill("/send", &draft);
    let sheet = browser.page("/write?draft=Drafts/1");
    assert_eq!((&written(&sheet, "re")[..], &written(&sheet, "how")[..]), ("INBOX/1", "all"));
    assert!(browser.text("/in/Drafts/1/raw").contains("In-Reply-To: "));
}

#[test]
fn what_arrives_has_its_trace() {
    let mut browser = Browser::alice();
    browser.send("Hi", "one");
    let message = browser.text("/in/INBOX/1/raw");
    let begins = "Return-Path: <alice@crepes.fr>\r\nReceived: from [192.0.2.1]\r\n\tby crepes.fr with HTTP id ";
    assert!(message.starts_with(begins), "{message}");
    assert!(message.contains("From: alice@crepes.fr\r\n") && message.contains("Message-ID: <"));
    let copy = browser.text("/in/Sent/1/raw");
    assert!(message.ends_with(&copy), "the copy is the same message: {copy}");
}

#[test]
fn a_letter_that_cannot_be_sent_comes_back() {
    let mut browser = Browser::alice();
    for body in [
        "act=send&to=&subject=a&text=b",
        "to=a%0D%0ABcc:x@y.z&text=b",
        "to=a@b&subject=x%0Ay",
        "",
        "act=draft&to=%3Cx",
    ] {
        let response = browser.ask("POST", "/send", body);
        assert_eq!(response.status, 422, "{body}");
        assert!(read(&String::from_utf8_lossy(&response.body)).form("/send").is_some());
    }
    for folder in ["/in/INBOX", "/in/Sent", "/in/Drafts"] {
        assert!(has(&browser.lines(folder), "No messages."), "{folder}");
    }
}
