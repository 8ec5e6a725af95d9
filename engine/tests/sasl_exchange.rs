//! Our SASL client against our SASL server: every mechanism, and somebody between them.

mod sasl_host;

use pillarbox_engine::sasl::client::{self, Fault};
use pillarbox_engine::sasl::server::{Exchange, Step, Terms};
use pillarbox_engine::sasl::{Credentials, Mechanism, ScramStart};
use pillarbox_engine::text::base64;
use sasl_host::*;

fn is_scram(mechanism: Mechanism) -> bool {
    mechanism.name().starts_with("SCRAM")
}

#[test]
fn every_mechanism_lets_in_with_and_without_an_initial_response() {
    for mechanism in ALL {
        for with_initial in [true, false] {
            let outcome = talk(secret(mechanism), with_initial, |_, line| line);
            assert!(outcome.let_in, "{mechanism:?}");
            assert_eq!(outcome.client, Ok(()), "{mechanism:?}");
        }
    }
}

#[test]
fn every_mechanism_shuts_out_who_has_another_secret_or_name() {
    for mechanism in ALL.into_iter().filter(|&one| one != Mechanism::External) {
        let mut given = secret(mechanism);
        given.user = b"user2".to_vec();
        assert!(!talk(given, true, |_, line| line).let_in, "{mechanism:?}");
        if !is_scram(mechanism) {
            let mut given = secret(mechanism);
            given.secret.push(b'x');
            let outcome = talk(given, true, |_, line| line);
            assert!(!outcome.let_in, "{mechanism:?}");
        }
    }
    // These two cannot name anybody else.
    let alone = [Mechanism::Login, Mechanism::CramMd5];
    for mechanism in ALL.into_iter().filter(|one| !alone.contains(one)) {
        let mut given = secret(mechanism);
        given.authorization = b"somebody, else=".to_vec();
        let outcome = talk(given, true, |_, line| line);
        assert!(!outcome.let_in, "{mechanism:?}");
        assert_eq!(outcome.asked.len(), 1 + usize::from(is_scram(mechanism)));
    }
}

/// Each change of a line that `vary` makes, in each line of each conversation.
fn meddled(vary: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let mut changed = 0;
    for mechanism in ALL {
        for with_initial in [true, false] {
            let honest = talk(secret(mechanism), with_initial, |_, line| line);
            for (at, (_, line)) in honest.lines.iter().enumerate() {
                for variant in vary(line).into_iter().filter(|variant| variant != line) {
                    changed += 1;
                    let outcome = talk(secret(mechanism), with_initial, |number, line| {
                        if number == at { variant.clone() } else { line }
                    });
                    let what = format!("{mechanism:?} line {at}: {}", variant.escape_ascii());
                    if outcome.let_in {
                        assert_eq!(outcome.asked, honest.asked, "{what}");
                    }
                    if is_scram(mechanism) && outcome.let_in && outcome.client.is_ok() {
                        // Only the server's first, empty challenge says nothing.
                        assert!(at == 0 && !with_initial, "{what}");
                    }
                }
            }
        }
    }
    assert!(changed > 5000, "only {changed} changes");
}

#[test]
fn no_change_of_a_message_lets_anybody_in() {
    meddled(|line| {
        if base64::decode(line).is_none() {
            return Vec::new();
        }
        let length = base64::decode(line).expect("base64").len();
        let mut variants: Vec<Vec<u8>> =
            (0..length).map(|end| reworded(line, |message| message.truncate(end))).collect();
        for at in 0..length {
            for octet in [0, 1, b',', b'=', 0x80] {
                variants.push(reworded(line, |message| message[at] ^= octet));
                variants.push(reworded(line, |message| message[at] = octet));
                variants.push(reworded(line, |message| message.insert(at, octet)));
            }
            variants.push(reworded(line, |message| {
                message.remove(at);
            }));
            variants.push(reworded(line, |message| message.swap(at, 0)));
        }
        variants.push(reworded(line, |message| message.push(b'x')));
        variants.push(reworded(line, |message| message.extend_from_slice(b",m=x")));
        variants
    });
}

#[test]
fn no_change_of_a_line_lets_anybody_in() {
    meddled(|line| {
        let mut variants: Vec<Vec<u8>> = (0..line.len()).map(|end| line[..end].to_vec()).collect();
        for at in 0..line.len() {
            for octet in [b'A', b'=', b' ', 0xff] {
                let mut variant = line.to_vec();
                variant[at] = octet;
                variants.push(variant);
            }
        }
        for other in [&b"*"[..], b"=", b"", b"AQ==", b"AA==", b"dj0=", b"\0", b"====", b"* "] {
            variants.push(other.to_vec());
            variants.push([line, other].concat());
        }
        variants
    });
}

/// Lines at random, right ones among them, in any order: the dictionary is every message of every exchange.
#[test]
fn no_order_of_messages_lets_anybody_in_but_the_right_one() {
    let mut words: Vec<Vec<u8>> = Vec::new();
    for mechanism in ALL.into_iter().filter(|&one| is_scram(one)) {
        let honest = talk(secret(mechanism), true, |_, line| line);
        words.extend(honest.lines.into_iter().map(|(_, line)| line));
    }
    words.extend([b"".to_vec(), b"=".to_vec(), b"AQ==".to_vec(), b"Cg==".to_vec()]);
    let (offer, tls) = (offer(), tls());
    let terms = Terms { offer: &offer, secured: true, tls: Some(&tls) };
    let mut seed = 7u64;
    let mut dice = |sides: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % sides
    };
    let mut host = Host::default();
    // Recorded with the first nonce; a host never gives one twice.
    let _ = host.answer(start_ask());
    let mut proofs = 0;
    for _ in 0..20_000 {
        let mechanism = ALL[1 + dice(4)];
        let initial = (dice(4) > 0).then(|| words[dice(words.len())].clone());
        let mut step = Exchange::start(mechanism, initial.as_deref(), terms);
        loop {
            step = match step {
                Step::Challenge(exchange, _) => exchange.respond(&words[dice(words.len())], terms),
                Step::Ask(exchange, ask) => {
                    proofs += u32::from(matches!(ask, Credentials::ScramFinish(_)));
                    exchange.answered(host.answer(ask)).expect("a right answer")
                }
                Step::Accepted(_) => panic!("{mechanism:?} let somebody in"),
                _ => break,
            };
        }
    }
    assert_eq!(proofs, 0, "a replayed proof carries an old nonce, and is not even judged");
    assert!(host.asked.len() > 1000, "only {} exchanges began well", host.asked.len());
}

fn start_ask() -> Credentials {
    let ask = ScramStart { mechanism: Mechanism::ScramSha256, user: USER.to_vec() };
    Credentials::ScramStart(ask)
}

/// A server that does not know the keys: it says that we are in, at every point where it can.
#[test]
fn a_server_that_cannot_prove_itself_is_refused() {
    for mechanism in ALL.into_iter().filter(|&one| is_scram(one)) {
        let given = secret(mechanism);
        let fresh = client::Exchange::new(given, &ALL, Some(&tls()));
        let mut client = fresh.expect("a good secret");
        let honest = talk(secret(mechanism), true, |_, line| line);
        assert!(client.initial_response(usize::MAX).is_some());
        let challenges: Vec<_> = honest.lines.iter().filter(|(client, _)| !client).collect();
        assert_eq!(challenges.len(), 2);
        assert_eq!(client.clone().succeeded(), Err(Fault::Unproven));
        let (after, _) = reply(client, &challenges[0].1);
        let client = after.expect("a good challenge");
        assert_eq!(client.clone().succeeded(), Err(Fault::Unproven));
        // The signature of another login.
        let other = reworded(&challenges[1].1, |message| message.swap(2, 3));
        assert_eq!(reply(client.clone(), &other).0, Err(Fault::Unproven));
        assert_eq!(reply(client.clone(), b"ZT1vdGhlci1lcnJvcg==").0, Err(Fault::Refused));
        let (after, line) = reply(client, &challenges[1].1);
        assert_eq!((after.expect("proven").succeeded(), line), (Ok(()), vec![]));
    }
}

#[test]
fn nothing_that_can_be_printed_holds_a_secret() {
    for mechanism in ALL {
        let given = secret(mechanism);
        let mut shown = format!("{given:?}");
        let outcome = talk(given, false, |_, line| line);
        shown += &format!("{:?}", outcome.asked);
        let client = client::Exchange::new(secret(mechanism), &ALL, Some(&tls()));
        shown += &format!("{:?}", client.expect("a good secret"));
        for hidden in [PASSWORD, TOKEN] {
            assert!(!shown.contains(core::str::from_utf8(hidden).expect("ASCII")), "{shown}");
            assert!(!shown.contains(&format!("{hidden:?}")[1..20]), "{shown}");
        }
    }
}
