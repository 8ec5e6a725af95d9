//! What somebody can do in the lab, and what each of it comes to.

mod support;

use pillarbox_web_smime::{Author, Desk, Reader, Told};
use support::{NOW, chance, desk};

const LETTER: &str = "From: Alice <alice@crepes.fr>\r\nTo: bob@hamburger.edu\r\nSubject: Ketchup\r\n\r\n\
    Do you like ketchup?\r\nHow about pickles?\r\n";

fn judged(desk: &Desk, message: &[u8], reader: Reader) -> Told {
    desk.judge(message, reader, NOW, &mut chance(2))
}

fn signed(desk: &Desk, author: Author) -> Vec<u8> {
    desk.sign(LETTER.as_bytes(), author, NOW, &mut chance(3)).expect("it can be signed")
}

#[test]
fn every_author_leads_to_a_state_of_its_own() {
    let desk = desk();
    let state = |author| judged(&desk, &signed(&desk, author), Reader::Bob).state;
    assert_eq!(Author::ALL.map(state), [2, 3, 4, 5]);
    let plain = judged(&desk, LETTER.as_bytes(), Reader::Bob);
    assert_eq!((plain.state, plain.covered.len()), (1, 0));
    assert_eq!(Told::states().len(), 7);
}

#[test]
fn one_octet_flipped_is_noticed_and_flipped_back_is_not() {
    let desk = desk();
    let mut message = signed(&desk, Author::Certified);
    let told = judged(&desk, &message, Reader::Bob);
    let at = told.covered[0].end - 3;
    message[at] ^= 1;
    let altered = judged(&desk, &message, Reader::Bob);
    assert_eq!((altered.state, &altered.covered), (6, &told.covered));
    assert!(altered.reasons.iter().any(|why| why.contains("digest")), "{altered:?}");
    message[at] ^= 1;
    assert_eq!(judged(&desk, &message, Reader::Bob), told);
}

#[test]
fn what_is_encrypted_is_bobs_alone() {
    let desk = desk();
    let message = signed(&desk, Author::Certified);
    let sealed = desk.encrypt(&message, &mut chance(4)).expect("it can be encrypted");
    let bob = judged(&desk, &sealed, Reader::Bob);
    assert_eq!((bob.state, bob.is_sealed), (7, true));
    assert_eq!(bob.title, "encrypted: decrypted with the key of CN=Bob");
    assert!(bob.inside.is_some_and(|inside| inside.starts_with("signed: intact")));
    assert!(bob.opened.is_some_and(|text| text.windows(7).any(|part| part == b"ketchup")));
    let eve = judged(&desk, &sealed, Reader::Eve);
    assert_eq!((eve.state, eve.inside, eve.opened), (7, None, None));
    let text = String::from_utf8(sealed).expect("it is ASCII");
    assert!(text.contains("Subject: Ketchup") && !text.contains("ketchup?"));
}

#[test]
fn a_signed_part_of_two_is_no_signed_message() {
    let desk = desk();
    let signed = signed(&desk, Author::Certified);
    let part = String::from_utf8(signed).expect("it is ASCII");
    let at = part.find("Content-Type").expect("it has one");
    let message = format!(
        "From: alice@crepes.fr\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
         --x\r\n\r\nNot signed.\r\n--x\r\n{}\r\n--x--\r\n",
        &part[at..]
    );
    let told = judged(&desk, message.as_bytes(), Reader::Bob);
    assert_eq!((told.state, told.is_partly), (1, true));
    let covered = &message[told.covered[0].clone()];
    assert!(covered.starts_with("Content-Type: text/plain") && covered.ends_with("pickles?\r\n"));
}

#[test]
fn who_has_no_from_cannot_sign() {
    let desk = desk();
    for message in
        ["Subject: x\r\n\r\n", "From: a@b, c@d\r\n\r\n", "From: a@b\r\nFrom: c@d\r\n\r\n"]
    {
        let refused = desk.sign(message.as_bytes(), Author::Certified, NOW, &mut chance(3));
        assert!(refused.is_err_and(|why| why.contains("From")), "{message:?}");
    }
}
