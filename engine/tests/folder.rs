//! Files of mail: what is written is read again, however the octets are cut; and what other programs write.

mod seeded;

use pillarbox_engine::folder::maildir::{self, Keywords};
use pillarbox_engine::folder::mbox::{Ended, Item, NotMbox, Quoting, Reader, Writer};
use pillarbox_engine::folder::{ToCrlf, ToLf};
use pillarbox_engine::imap::types::Flags;
use seeded::Seeded;

type Read = (Option<u64>, Vec<u8>, Ended);

/// Reads a file in pieces of at most so many octets.
fn read(quoting: Quoting, file: &[u8], piece: usize) -> Result<(Vec<Read>, u64), NotMbox> {
    let (mut reader, mut items) = (Reader::new(quoting), vec![]);
    for piece in file.chunks(piece) {
        reader.take(piece, &mut items)?;
    }
    reader.finish(&mut items)?;
    let (mut all, mut now): (Vec<Read>, Option<Read>) = (vec![], None);
    for item in items {
        match item {
            Item::Begin(came) => {
                assert!(now.replace((came, vec![], Ended::default())).is_none(), "one at a time");
            }
            Item::Octets(octets) => now.as_mut().expect("it has begun").1.extend(octets),
            Item::End(ended) => {
                let (came, octets, _) = now.take().expect("it has begun");
                all.push((came, octets, ended));
            }
        }
    }
    assert!(now.is_none(), "what begins ends");
    Ok((all, reader.doubtful()))
}

fn one(quoting: Quoting, file: &str) -> Vec<(String, Flags)> {
    let whole = read(quoting, file.as_bytes(), usize::MAX).expect("it is one");
    for piece in [1, 2, 7] {
        assert_eq!(read(quoting, file.as_bytes(), piece).expect("it is one"), whole);
    }
    let text = |octets| String::from_utf8(octets).expect("text");
    whole.0.into_iter().map(|(_, octets, ended)| (text(octets), ended.flags)).collect()
}

#[test]
fn what_is_written_is_read_again() {
    let mut random = Seeded(7);
    let words = [&b"$Work"[..], b"later"];
    let lines =
        ["From me", ">From me", ">>From x", "", "", "text", "From: y", "> From z", "Status: R"];
    for round in 0..400 {
        let mut messages: Vec<(Vec<u8>, u64, Flags)> = vec![];
        let mut file = vec![];
        for number in 0..random.below(5) {
            let mut octets = format!("Subject: {number}\r\n\r\n").into_bytes();
            for _ in 0..random.below(12) {
                octets.extend(lines[random.below(lines.len())].bytes());
                if random.below(40) == 0 {
                    octets.extend(vec![b'x'; 9000]);
                }
                octets.extend(b"\r\n");
            }
            let keywords = words[..random.below(3)].iter().map(|k| k.to_vec());
            let flags = Flags { system: random.below(32) as u8, keywords: keywords.collect() };
            let came = 1000 * (random.below(2_000_000_000) as u64);
            let mut writer = Writer::default();
            writer.begin(b"a@b.example", came, &flags, &mut file);
            for piece in octets.chunks(1 + random.below(50)) {
                writer.take(piece, &mut file);
            }
            writer.end(&mut file);
            messages.push((octets, came, flags));
        }
        let piece = 1 + random.below(if round % 2 == 0 { 4 } else { 20_000 });
        let (found, doubtful) = read(Quoting::Mboxrd, &file, piece).expect("it is one");
        assert_eq!((found.len(), doubtful), (messages.len(), 0));
        for ((came, octets, ended), (wanted, when, flags)) in found.iter().zip(&messages) {
            assert_eq!(String::from_utf8_lossy(octets), String::from_utf8_lossy(wanted));
            assert_eq!((came, &ended.flags, ended.is_internal), (&Some(*when), flags, false));
        }
    }
}

#[test]
fn files_of_other_programs_are_read() {
    let file = "\nFrom ann@a.example Fri Jul 17 12:34:56 2026\nSubject: one\nStatus: RO\nX-Status: AF\n\
                X-Keywords: $Work,  later\n  $work (odd)\n\nHello\n>From here on\n>>From there\n\
                \nFrom nobody knows where\n\nFrom bob Sat, 18 Jul 2026 01:02:03 +0200\r\nSubject: two\r\n\r\n\
                From carol Sat Jul 18 1:02 EDT 2026\n\nthree\nlast line";
    let found = one(Quoting::Mboxrd, file);
    assert_eq!(found.len(), 3);
    let first = "Subject: one\r\n\r\nHello\r\nFrom here on\r\n>From there\r\n\r\nFrom nobody knows where\r\n";
    assert_eq!(found[0].0, first);
    let keywords = vec![b"$Work".to_vec(), b"later".to_vec()];
    assert_eq!(found[0].1, Flags { system: 8 | 1 | 2, keywords });
    assert_eq!(found[1].0, "Subject: two\r\n\r\n");
    assert_eq!(found[2].0, "\r\nthree\r\nlast line");
    let (items, doubtful) = read(Quoting::Mboxrd, file.as_bytes(), 99).expect("it is one");
    assert_eq!(doubtful, 1);
    let came: Vec<Option<u64>> = items.iter().map(|item| item.0).collect();
    assert_eq!(came, [Some(1_784_291_696_000), Some(1_784_329_323_000), Some(1_784_336_520_000)]);
    // What another program wrote without blank lines between is one message, and that can be told.
    let unparted = "From a Fri Jul 17 12:34:56 2026\nSubject: a\n\none\nFrom b Fri Jul 17 12:34:57 2026\nSubject: b\n\ntwo\n";
    let (mut reader, mut items) = (Reader::new(Quoting::Mboxrd), Vec::new());
    reader.take(unparted.as_bytes(), &mut items).expect("it is one");
    reader.finish(&mut items).expect("it is one");
    let begun = items.iter().filter(|item| matches!(item, Item::Begin(_))).count();
    assert_eq!((begun, reader.unparted(), reader.doubtful()), (1, 1, 0));
    let quoted = "From a Fri Jul 17 12:34:56 2026\n\n>From x\n>>From y\n";
    assert_eq!(one(Quoting::Mboxo, quoted)[0].0, "\r\nFrom x\r\n>>From y\r\n");
    assert_eq!(one(Quoting::Nothing, quoted)[0].0, "\r\n>From x\r\n>>From y\r\n");
    let internal = "From MAILER-DAEMON Fri Jul 17 12:34:56 2026\nSubject: DON'T DELETE THIS MESSAGE -- \
                    FOLDER INTERNAL DATA\n\nx\n";
    let (found, _) = read(Quoting::Mboxrd, internal.as_bytes(), 5).expect("it is one");
    assert!(found[0].2.is_internal);
    assert!(read(Quoting::Mboxrd, b"Subject: x\n\nno mbox\n", 4).is_err());
    assert_eq!(read(Quoting::Mboxrd, b"\n\n", 1).expect("an empty one").0.len(), 0);
}

#[test]
fn line_ends_go_both_ways() {
    let mut random = Seeded(3);
    for _ in 0..300 {
        let parts = ["\r", "\n", "\r\n", "a", "bc", ""];
        let text: String = (0..random.below(40)).map(|_| parts[random.below(6)]).collect();
        let (mut crlf, mut lf) = (vec![], vec![]);
        let (mut to_crlf, mut to_lf) = (ToCrlf::default(), ToLf::default());
        for piece in text.as_bytes().chunks(1 + random.below(5)) {
            to_crlf.take(piece, &mut crlf);
        }
        to_crlf.finish(&mut crlf);
        assert_eq!(
            String::from_utf8_lossy(&crlf),
            text.replace("\r\n", "\n").replace('\n', "\r\n")
        );
        for piece in crlf.chunks(1 + random.below(5)) {
            to_lf.take(piece, &mut lf);
        }
        to_lf.finish(&mut lf);
        assert_eq!(String::from_utf8_lossy(&lf), text.replace("\r\n", "\n"));
    }
    let mut long = vec![b'x'; 20_000];
    long.extend(b"\r\nend");
    let (mut out, mut to_crlf) = (vec![], ToCrlf::default());
    long.chunks(4097).for_each(|piece| to_crlf.take(piece, &mut out));
    to_crlf.finish(&mut out);
    assert!(out == long);
}

#[test]
fn names_of_a_maildir_tell_flags_and_mailboxes() {
    let mut keywords = Keywords::read(b"0 $Work\n2 later\n77 much\nx y\n");
    let flags = maildir::flags(b"1.2.host,S=5:2,FSac", &keywords);
    let both = vec![b"$Work".to_vec(), b"later".to_vec()];
    assert_eq!(flags, Flags { system: 2 | 8, keywords: both });
    assert_eq!(maildir::flags(b"1.2.host", &keywords), Flags::default());
    let passed = maildir::flags(b"1.2.host:2,DPRTz", &keywords);
    assert_eq!(passed, Flags { system: 16 | 1 | 4, keywords: vec![b"$Forwarded".to_vec()] });
    let words = [&b"$forwarded"[..], b"LATER", b"new"].map(<[u8]>::to_vec).to_vec();
    let (info, left_out) = maildir::info(&Flags { system: 31, keywords: words }, &mut keywords);
    assert_eq!((&info[..], left_out), (":2,DFPRSTbc", 0));
    assert_eq!(keywords.print(), b"0 $Work\n1 new\n2 later\n");
    let many = (0..40).map(|number| format!("k{number}").into_bytes()).collect();
    let (_, left_out) = maildir::info(&Flags { system: 0, keywords: many }, &mut keywords);
    assert_eq!(left_out, 40 - 23);
    assert_eq!(maildir::unique(b"1.2.host,S=5:2,FS"), b"1.2.host,S=5");
    for name in ["Work", "Work/Old", "Entwürfe/a.b", "a & b/v1.2", "日本語/.x"] {
        let directory = maildir::directory(name.as_bytes());
        assert!(directory.is_ascii() && directory[0] == b'.');
        assert_eq!(maildir::mailbox(&directory).as_deref(), Some(name.as_bytes()), "{name}");
    }
    assert_eq!(maildir::directory("Work/Öl".as_bytes()), b".Work.&ANY-l");
    assert_eq!(maildir::mailbox(".Öl".as_bytes()).as_deref(), Some("Öl".as_bytes()));
    for wrong in ["", "cur", ".", ".a..b", ".&x", ".a\u{7}"] {
        assert_eq!(maildir::mailbox(wrong.as_bytes()), None, "{wrong}");
    }
}
