//! Attacks that are known, and what is left of them; and that what is written can be nothing else than what is allowed.

use super::*;

/// Letters of people, and of those who mean it badly.
const ATTACKS: [&str; 62] = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<script>alert(1)",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img/src=x/onerror=alert(1)>",
    "<img src=\"x\"onerror=\"alert(1)\">",
    "<img src='x' onerror='alert(1)' alt='a'>",
    "<img \"\"\"><script>alert(1)</script>\">",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=\"java\nscript:alert(1)\">x</a>",
    "<a href=\"java&#115;cript:alert(1)\">x</a>",
    "<a href=\"java&#x73;cript&colon;alert(1)\">x</a>",
    "<a href=\" &#14; javascript:alert(1)\">x</a>",
    "<a href=\"&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A&#x61\">x</a>",
    "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
    "<a href=\"vbscript:msgbox(1)\">x</a>",
    "<a href=\"//evil.example/\">x</a>",
    "<a href=\"http://a.example/\" onclick=alert(1) ping=//evil.example>x</a>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><a xlink:href=javascript:alert(1)><text y=9>x</text></a></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext></p><style><img src=x onerror=alert(1)></style></mtext></math>",
    "<math><mglyph><svg><mtext><style><path id=\"</style><img onerror=alert(1) src>\">",
    "<form action=//evil.example><input name=p><button>go</button></form>",
    "<input type=image src=//evil.example/x.png onerror=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=javascript:alert(1)></object>",
    "<embed src=javascript:alert(1)>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
    "<meta http-equiv=set-cookie content=a=b>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<link rel=prefetch href=//evil.example/>",
    "<style>@import '//evil.example/x.css'; body{background:url(//evil.example/)}</style>",
    "<style><!--</style><script>alert(1)</script>-->",
    "<p style=\"background:url(//evil.example/x.png)\">x</p>",
    "<p style=\"background:u\\72l(//evil.example/x.png)\">x</p>",
    "<p style=\"width:expression(alert(1))\">x</p>",
    "<p style=\"behavior:url(#default#time2)\">x</p>",
    "<p style=\"-moz-binding:url(//evil.example/x.xml#a)\">x</p>",
    "<p style=\"color:red;/**/background-image:/**/url(//evil.example/)\">x</p>",
    "<p style=\"position:fixed;top:0;left:0;z-index:9\">x</p>",
    "<p style='font-family:\"\\22;background:url(//evil.example)'>x</p>",
    "<p style=\"color:rgb(1,2,3);background:image-set('//evil.example/x.png' 1x)\">x</p>",
    "<table background=//evil.example/x.png><tr><td background=//evil.example/y.png>x</table>",
    "<body background=//evil.example/x.png onload=alert(1)>",
    "<video poster=//evil.example/x.png><source src=//evil.example/x.mp4></video>",
    "<img srcset='//evil.example/x.png 2x' lowsrc=//evil.example/y.png>",
    "<img src=https://evil.example/beacon.png>",
    "<img src=\"cid:x\" onerror=alert(1)>",
    "<img src=\"data:image/svg+xml;base64,PHN2Zz4=\">",
    "<img src=\"data:text/html;base64,PHN2Zz4=\">",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<textarea></textarea><img src=x onerror=alert(1)>",
    "<xmp><img src=x onerror=alert(1)></xmp><plaintext><b>",
    "<!--[if IE]><script>alert(1)</script><![endif]--><!--><img src=x onerror=alert(1)>-->",
    "<p title=\"\u{0}&quot;><img src=x onerror=alert(1)>\">x</p>",
    "<template><img src=x onerror=alert(1)></template><select><option><img src=x></select>",
];

/// What is written, taken apart as strictly as it is written: tags of known elements with known attributes, all quoted and
/// closed, and text without a tag in it.
fn check(html: &str, source: &str) {
    let mut rest = html;
    let mut open = Vec::new();
    while let Some(at) = rest.find(['<', '>', '"']) {
        assert!(rest[at..].starts_with('<'), "{source:?} → {html:?}");
        rest = &rest[at + 1..];
        let (tag, behind) = rest.split_once('>').expect("tags are closed");
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{source:?} → {html:?}");
            continue;
        }
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        match VOID.contains(&name) {
            true => {}
            false if ELEMENTS.contains(&name) => open.push(name),
            false => panic!("{name}: {source:?} → {html:?}"),
        }
        while !attributes.is_empty() {
            let (own, behind) = attributes.split_once("=\"").expect("values are quoted");
            let (value, behind) = behind.split_once('"').expect("quotes are closed");
            attributes = behind.trim_start();
            let is_known = match own {
                "href" => name == "a" && allowed::link(&decoded(value)).is_some(),
                "src" => {
                    let is_remote = value.starts_with("https://");
                    name == "img" && (allowed::is_picture(value) || is_remote)
                }
                "style" => allowed::style(&decoded(value)) == decoded(value),
                "target" => value == "_blank",
                "rel" => value == "noopener noreferrer nofollow",
                own => ATTRIBUTES.contains(&own),
            };
            assert!(is_known, "{own}={value:?}: {source:?} → {html:?}");
        }
    }
    assert!(open.is_empty(), "{source:?} → {html:?}");
}

#[test]
fn of_attacks_nothing_is_left() {
    for source in ATTACKS {
        let clean = clean(source, With::default());
        check(&clean.html, source);
        let lower = clean.html.to_lowercase();
        for word in ["<script", "onerror=\"", "javascript:", "evil.example", "url(", "expression"] {
            // As text it may say what it likes.
            let tags: String = lower.split('<').filter_map(|part| part.split('>').next()).collect();
            assert!(!tags.contains(word), "{source:?} → {:?}", clean.html);
        }
        // What was written is not written otherwise a second time.
        assert_eq!(super::clean(&clean.html, With::default()).html, clean.html, "{source:?}");
    }
}

#[test]
fn pieces_of_attacks_in_any_order_are_written_as_strictly() {
    let pieces: Vec<&str> =
        ATTACKS.iter().flat_map(|own| own.split_inclusive(['>', '"', '='])).collect();
    let mut state = 7_u64;
    for _ in 0..4000 {
        let mut text = String::new();
        for _ in 0..state % 17 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let piece = pieces[(state >> 33) as usize % pieces.len()];
            let cut = (0..=piece.len()).rev().nth((state >> 20) as usize % 3 % (piece.len() + 1));
            text.push_str(piece.get(..cut.unwrap_or(0)).unwrap_or(piece));
        }
        for remote in [false, true] {
            check(&clean(&text, With { remote, ..With::default() }).html, &text);
        }
        super::text(&text);
    }
}

#[test]
fn honest_letters_stay_as_they_are() {
    for html in [
        "<p>Fish &amp; chips<br>for <b>you</b></p>",
        "<table width=\"100%\"><tbody><tr><td style=\"color:#333;\">x</td></tr></tbody></table>",
        "<ul><li>one</li><li>two &eacute; &amp;eacute; &amp;x</li></ul>",
        "<p style=\"font:12px/1.5 &quot;Times New Roman&quot;;color:rgb(1,2,3) !important;\">x</p>",
    ] {
        assert_eq!(clean(html, With::default()).html, html);
    }
    let html = "<A HREF='http://a.example/?a=1&b=2' title=x>x";
    assert_eq!(
        clean(html, With::default()),
        Clean {
            html: "<a href=\"http://a.example/?a=1&amp;b=2\" target=\"_blank\" \
                rel=\"noopener noreferrer nofollow\" title=\"x\">x</a>"
                .to_owned(),
            remote: 0,
            links: vec!["http://a.example/?a=1&b=2".to_owned()],
        }
    );
}

#[test]
fn pictures_are_of_the_message_or_wanted() {
    let html = "<img src=\"cid:a@b\"><img src=https://x.example/1><img src=http://x.example/2>";
    let pictures = [("a@b".to_owned(), "data:image/png;base64,AAAA".to_owned())];
    let with = With { pictures: &pictures, remote: false };
    let own = "<img src=\"data:image/png;base64,AAAA\">";
    let found = clean(html, with);
    assert_eq!((&found.html[..], found.remote), (&[own, "<img><img>"].concat()[..], 2));
    let found = clean(html, With { remote: true, ..with });
    assert_eq!(found.html, [own, "<img src=\"https://x.example/1\"><img>"].concat());
    // Named often, a picture fills the page up to a limit.
    let address = ["data:image/png;base64,", &"A".repeat(PICTURES_MAX / 4)].concat();
    let pictures = [("a".to_owned(), address)];
    let many = clean(&"<img src=cid:a>".repeat(100), With { pictures: &pictures, remote: false });
    assert!(many.html.len() < PICTURES_MAX + 4096, "{}", many.html.len());
}

#[test]
fn as_text_it_is_read() {
    let html = "<html><head><title>T</title><style>p{}</style></head><h1>Hi</h1>\n<p>Fish &amp; \
        <b>ch</b>ips<br>for you</p><ul><li>one<li>two</ul><svg>no</svg><script>no</script>";
    assert_eq!(text(html), "Hi\n\nFish & chips\nfor you\n\none\ntwo");
}

#[test]
fn long_ones_take_time_in_proportion() {
    let many = 100_000;
    for piece in
        ["<", "<!--", "<b>", "</b>", "<a href=\"", "&", "&#", "<svg>", "<script>", "</", "<p a=b "]
    {
        let html = piece.repeat(many);
        check(&clean(&html, With::default()).html, "long");
        text(&html);
    }
}
