use super::*;

fn view_of(message: &str) -> View {
    view(message.replace('\n', "\r\n").as_bytes()).expect("it is small")
}

#[test]
fn a_message_is_decoded() {
    let raw = b"From: =?utf-8?q?J=C3=B6rg?= <j@x.de>\r\nTo: a@b, G: c@d;\r\nSubject: =?utf-8?b?w6Q=?=\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\n\r\nf\xfcnf\r\n--x\r\n\
        Content-Type: image/png; name=\"../a.png\"\r\nContent-Disposition: attachment\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--x--\r\n";
    let view = view(raw).expect("it is a message");
    assert_eq!(view.subject, "ä");
    assert_eq!(view.from, ["Jörg <j@x.de>"]);
    assert_eq!(view.to, ["a@b", "c@d"]);
    assert_eq!(view.text.as_deref(), Some("fünf"));
    assert_eq!(view.html, None);
    let media_type = "image/png".to_owned();
    assert_eq!(
        view.attachments,
        [Attachment { name: Some("a.png".to_owned()), media_type, size: 3 }]
    );
}

#[test]
fn of_a_choice_each_form_is_taken() {
    let view = view_of(
        "Content-Type: multipart/mixed; boundary=m\n\n--m\n\
         Content-Type: multipart/alternative; boundary=a\n\n--a\n\nplain\n--a\n\
         Content-Type: multipart/related; boundary=r\n\n--r\nContent-Type: text/html\n\n<p>rich\n--r\n\
         Content-Type: image/png\n\nx\n--r--\n--a--\n--m\nContent-Type: text/html\n\n<p>below\n--m\n\
         Content-Type: message/rfc822\n\nSubject: in\nContent-Type: image/gif\n\nxyz\n--m--\n",
    );
    assert_eq!(view.text.as_deref(), Some("plain"));
    assert_eq!(view.html.as_deref(), Some("<p>rich"));
    let files: Vec<_> = view.attachments.iter().map(|file| &file.media_type[..]).collect();
    assert_eq!(files, ["image/png", "message/rfc822"]);
}

#[test]
fn the_first_text_is_the_one_that_is_shown() {
    let html_first = "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: text/html\n\n\
        <p>Fish &amp; chips<br>for two\n--m\n\nA list's own lines\n--m--\n";
    let view = view_of(html_first);
    assert_eq!(view.text.as_deref(), Some("Fish & chips\nfor two"));
    assert_eq!(view.attachments, []);
    let file_first = "Content-Type: multipart/mixed; boundary=m\n\n--m\n\
        Content-Disposition: attachment; filename==?utf-8?q?=C3=A4?=.txt\n\nfile\n--m\n\ntext\n--m--\n";
    let view = view_of(file_first);
    assert_eq!(view.text.as_deref(), Some("text"));
    assert_eq!(view.attachments[0].name.as_deref(), Some("ä.txt"));
    assert_eq!(view_of("Content-Type: image/png\n\nx\n").text, None);
}

/// Where `mail-parser` shows something else of the corpus.
const OTHERWISE: [(&str, &str); 19] = [
    // It takes what does not fit its encoding or charset as it stands, or as UTF-8 that is not right.
    ("base64-broken.eml", "text"),
    ("charset-lie.eml", "text"),
    ("charset-unknown.eml", "text"),
    ("cte-upper.eml", "text"),
    ("qp-broken.eml", "text"),
    ("encoded-words-broken.eml", "subject"),
    ("encoded-words-split.eml", "subject"),
    // Of a field that stands twice it takes the last, of which a filter may know nothing.
    ("repeated.eml", "from"),
    ("repeated.eml", "subject"),
    // It finds other parts where boundaries are odd or missing.
    ("dashes.eml", "text"),
    ("folded-boundary.eml", "attachments"),
    ("folded-boundary.eml", "text"),
    ("never-begun.eml", "attachments"),
    ("never-begun.eml", "text"),
    ("no-blank-line.eml", "text"),
    ("no-boundary.eml", "attachments"),
    ("no-boundary.eml", "text"),
    ("no-close.eml", "attachments"),
    // A message without a body has an empty text.
    ("header-only.eml", "text"),
];

#[test]
fn another_parser_shows_the_same() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus");
    let (mut compared, mut otherwise) = (0, Vec::new());
    for entry in std::fs::read_dir(corpus).expect("the corpus is there") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().expect("it has one").to_string_lossy().into_owned();
        let raw = std::fs::read(&path).expect("it can be read");
        let theirs = mail_parser::MessageParser::default().parse(&raw);
        let (true, Some(view), Some(theirs)) = (name.ends_with(".eml"), view(&raw), theirs) else {
            continue;
        };
        compared += 1;
        let other = differences(&view, &theirs).into_iter().map(|what| (name.clone(), what));
        otherwise.extend(other);
    }
    assert!(compared > 80, "{compared}");
    otherwise.sort_unstable();
    let mut known = OTHERWISE.map(|(name, what)| (name.to_owned(), what));
    known.sort_unstable();
    assert_eq!(otherwise, known);
}

/// What of a message another parser shows otherwise; how text is broken into lines does not matter.
fn differences(view: &View, theirs: &mail_parser::Message<'_>) -> Vec<&'static str> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let one = |address: &mail_parser::Addr<'_>| {
        let plain = address.address().unwrap_or_default();
        address.name().map_or(plain.to_owned(), |name| format!("{name} <{plain}>"))
    };
    let list = |found: Option<&mail_parser::Address<'_>>| -> Vec<String> {
        found.map(|list| list.iter().map(one).collect()).unwrap_or_default()
    };
    let text = theirs.body_text(0).map(|text| words(&text));
    let same = [
        ("subject", words(&view.subject) == words(theirs.subject().unwrap_or_default())),
        ("from", view.from == list(theirs.from())),
        ("to", view.to == list(theirs.to())),
        ("text", view.text.as_deref().map(words) == text),
        ("attachments", view.attachments.len() == theirs.attachments().count()),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(what, _)| what).collect()
}
