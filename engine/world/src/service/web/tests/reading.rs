//! Messages that are looked for, and HTML that is looked at.

use super::*;

#[test]
fn words_find_messages() {
    let mut browser = Browser::alice();
    browser.deliver("From: bob@hamburger.edu\nSubject: Lunch\n\nKetchup and Crème\n");
    browser.deliver("From: carol@a.example\nSubject: =?utf-8?q?D=C3=AEner?=\n\nKetchup\n");
    browser.deliver(
        "From: carol@a.example\nSubject: File\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhere\n--b\nContent-Type: image/png\n\
         Content-Disposition: attachment; filename=a.png\n\nx\n--b--\n",
    );
    browser.act("flag", "INBOX", &["2"], &[]);
    browser.page("/in/INBOX/1");
    for (words, found) in [
        ("ketchup", &[2, 1][..]),
        ("from:carol", &[3, 2]),
        ("-from:carol", &[1]),
        ("subject:dîner", &[2]),
        ("\"ketchup and\"", &[1]),
        ("crème", &[1]),
        ("is:unread", &[3, 2]),
        ("is:flagged ketchup", &[2]),
        ("has:attachment", &[3]),
        ("-has:attachment", &[2, 1]),
        ("since:2026-01-05", &[3, 2, 1]),
        ("before:2026-01-05", &[]),
        ("addressed:bob", &[1]),
        ("larger:1m", &[]),
        ("nowhere", &[]),
        ("\"a\r\nz LOGOUT\"", &[]),
    ] {
        let uids = browser.uids(&format!("/in/INBOX?q={}", encoded(words)));
        assert_eq!(uids, found, "{words}");
    }
    let lines = browser.lines("/in/INBOX?q=since:soon");
    assert!(lines[1].contains("comes a day"), "{lines:?}");
    assert_eq!(browser.ask("GET", "/in/None?q=a", "").status, 404);
}

#[test]
fn html_is_shown_in_a_frame_that_can_do_nothing() {
    let mut browser = Browser::alice();
    browser.deliver(
        "From: bob@hamburger.edu\nSubject: News\nMIME-Version: 1.0\n\
         Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n\
         <h1>News</h1><script>alert(1)</script><img src=cid:a@b>\n\
         <img src=https://evil.example/1.png><a href=https://a.example/>see</a>\n\n\
         --b\nContent-Type: image/png\nContent-ID: <a@b>\nContent-Transfer-Encoding: base64\n\n\
         AAAA\n--b--\n",
    );
    let page = browser.text("/in/INBOX/1");
    assert!(page.contains("<pre>News\nsee\n</pre>") && !page.contains("<iframe"), "{page}");
    let page = browser.text("/in/INBOX/1?as=html");
    let frame = "sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"/in/INBOX/1/html\">";
    assert!(page.contains(frame), "{page}");
    let blocked = "Remote content blocked (1) – \
        <a href=\"/in/INBOX/1?as=html&amp;remote=once\">show once</a>";
    assert!(page.contains(blocked) && page.contains("<li>https://a.example/</li>"), "{page}");
    let inside = browser.ask("GET", "/in/INBOX/1/html", "");
    assert_eq!(
        field(&inside, "Content-Security-Policy"),
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
         style-src 'unsafe-inline'; img-src data:"
    );
    assert_eq!(field(&inside, "Referrer-Policy"), "no-referrer");
    assert_eq!(field(&inside, "X-Content-Type-Options"), "nosniff");
    let html = String::from_utf8(inside.body).expect("UTF-8");
    assert!(html.contains("<img src=\"data:image/png;base64,AAAA\">"), "{html}");
    assert!(!html.contains("script>") && !html.contains("evil.example"), "{html}");
    let inside = browser.ask("GET", "/in/INBOX/1/html?remote=once", "");
    assert!(field(&inside, "Content-Security-Policy").ends_with("img-src data: https:"));
    let html = String::from_utf8(inside.body).expect("UTF-8");
    assert!(html.contains("<img src=\"https://evil.example/1.png\">"), "{html}");
    let page = browser.text("/in/INBOX/1?as=html&remote=once");
    assert!(page.contains("src=\"/in/INBOX/1/html?remote=once\"") && page.contains("this once"));
}
