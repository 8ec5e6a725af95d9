//! What a session says may come now, held against what it does when it comes: each form that is offered is taken, each
//! that is not offered is refused as out of order.

mod imap_client_host;
mod imap_host;
mod pop3_client_host;
mod pop3_host;
mod seeded;
mod smtp_client_host;
mod smtp_host;

use pillarbox_engine::expected::Expected;
use pillarbox_engine::smtp::{Config, Service};
use pillarbox_engine::types::{TlsFacts, TlsOffer};
use pillarbox_engine::{imap, pop3, smtp};

/// Forms that belong to a login, or to a message: they are no commands.
const NO_COMMANDS: [&str; 4] = ["text", "end of data", "response", "cancellation"];

fn words(expected: &[Expected]) -> Vec<&'static str> {
    expected.iter().map(|expected| expected.form.word).collect()
}

#[test]
fn commands_of_smtp_are_taken_where_they_are_offered() {
    let mail = ["MAIL FROM:<a@b.example>", "RCPT TO:<bob@hamburger.edu>"];
    let binary = ["MAIL FROM:<a@b.example> BODY=BINARYMIME", "RCPT TO:<bob@hamburger.edu>"];
    let states: [&[&str]; 8] = [
        &[],
        &["EHLO a"],
        &["LHLO a"],
        &["EHLO a", mail[0]],
        &["EHLO a", mail[0], mail[1]],
        &["LHLO a", mail[0], mail[1]],
        &["EHLO a", binary[0], binary[1]],
        &["EHLO a", mail[0], mail[1], "BDAT 0"],
    ];
    let tls = Config { tls: TlsOffer::Upgrade, ..smtp_host::config() };
    let closed = {
        let mut config = smtp_host::config();
        config.auth.cleartext = false;
        config.auth_required = true;
        config.service = Service::Submission;
        config
    };
    let lmtp = Config { service: Service::Lmtp, ..smtp_host::config() };
    let bare = {
        let mut config = smtp_host::config();
        config.extensions.chunking = false;
        config.extensions.etrn = false;
        config
    };
    let (mut offered, mut refused) = (0, 0);
    for config in [smtp_host::config(), tls, closed, lmtp, bare] {
        for lines in states {
            for form in smtp::expected::COMMANDS {
                let mut talk = smtp_host::Talk::new(config.clone());
                talk.say(b"");
                for line in lines {
                    talk.line(line);
                }
                let expected = talk.session.role().expected();
                let before = talk.defects();
                let is_offered = words(&expected).contains(&form.word);
                if NO_COMMANDS.contains(&form.word) {
                    assert!(!is_offered, "{lines:?}: {}", form.word);
                    continue;
                }
                let said = talk.line(form.example);
                if said.is_empty() && form.word == "BDAT" && config.service == Service::Lmtp {
                    // RFC 2033 §4.3: a last chunk has a reply for each recipient, of which there is none.
                    continue;
                }
                let is_refused = talk.defects() > before;
                let state = format!("{:?} {lines:?}: {} → {said}", config.service, form.example);
                assert_eq!(is_offered, !is_refused, "{state}");
                offered += usize::from(is_offered);
                refused += usize::from(is_refused);
            }
        }
    }
    assert!(offered > 200 && refused > 200, "{offered} offered, {refused} refused");
}

#[test]
fn what_a_state_s_name_tells_is_what_a_server_in_it_takes() {
    let mut talk = smtp_host::Talk::new(smtp_host::config());
    talk.say(b"");
    let (hello, mail) = ("EHLO a", "MAIL FROM:<a@b.example>");
    let steps = [hello, mail, "RCPT TO:<bob@hamburger.edu>", "DATA"];
    for (state, step) in ["Connected", "Greeted", "MailGiven", "RcptGiven", "Data"]
        .iter()
        .zip(steps.iter().map(Some).chain([None]))
    {
        let (now, named) = (talk.session.role().expected(), smtp::expected::in_state(state));
        assert!(!named.is_empty(), "{state}");
        for form in words(&named) {
            assert!(words(&now).contains(&form), "{state}: {form}");
        }
        if let Some(step) = step {
            talk.line(step);
        }
    }
    for (count, words) in [
        (4, pop3::expected::in_state("AUTHORIZATION")),
        (10, pop3::expected::in_state("TRANSACTION")),
        (4, imap::expected::in_state("not authenticated")),
        (12, imap::expected::in_state("authenticated")),
        (21, imap::expected::in_state("selected")),
        (0, imap::expected::in_state("logout")),
        (0, smtp::expected::in_state("Closed")),
    ] {
        assert_eq!(words.len(), count, "{words:?}");
    }
}

#[test]
fn what_is_no_command_of_smtp_is_offered_where_it_is_due() {
    let mut talk = smtp_host::Talk::greeted(smtp_host::config());
    talk.line("AUTH LOGIN");
    assert_eq!(words(&talk.session.role().expected()), ["response", "cancellation"]);
    talk.line("*");
    talk.line("MAIL FROM:<a@b.example>");
    talk.line("RCPT TO:<bob@hamburger.edu>");
    talk.line("DATA");
    let expected = talk.session.role().expected();
    assert_eq!(words(&expected), ["text", "end of data"]);
    for expected in expected {
        talk.line(&expected.example);
    }
    assert_eq!(talk.messages.len(), 1);
    talk.line("QUIT");
    assert!(talk.session.role().expected().is_empty());
}

#[test]
fn commands_of_pop3_are_taken_where_they_are_offered() {
    let states: [&[&str]; 5] = [
        &[],
        &["USER bob"],
        &["USER bob", "PASS s3cret"],
        &["USER bob", "PASS s3cret", "DELE 1", "DELE 2"],
        &["CAPA"],
    ];
    let mut closed = pop3_host::config();
    closed.auth.cleartext = false;
    closed.apop_timestamp = None;
    let mut apop = pop3_host::config();
    apop.apop_timestamp = Some(b"<1.2@hamburger.edu>".to_vec());
    apop.tls = TlsOffer::Upgrade;
    let (mut offered, mut refused) = (0, 0);
    for config in [pop3_host::config(), closed, apop] {
        for lines in states {
            for form in pop3::expected::COMMANDS {
                let mut talk = pop3_host::Talk::new(config.clone());
                talk.say(b"");
                for line in lines {
                    talk.line(line);
                }
                let is_offered = words(&talk.session.role().expected()).contains(&form.word);
                if NO_COMMANDS.contains(&form.word) {
                    assert!(!is_offered, "{lines:?}: {}", form.word);
                    continue;
                }
                let defects = |talk: &pop3_host::Talk| {
                    let defect = |event: &&_| matches!(event, pop3::Event::Defect(_));
                    talk.events.iter().filter(defect).count()
                };
                let before = defects(&talk);
                // Message 3 is the one that no state above has marked.
                let example = form.example.replacen(" 1", " 3", 1);
                let said = talk.line(&example);
                // A wrong password is a mistake too, and no matter of order.
                let judged = said.contains("wrong name or password");
                let is_refused = defects(&talk) > before && !judged;
                assert_eq!(is_offered, !is_refused, "{lines:?}: {example} → {said}");
                offered += usize::from(is_offered);
                refused += usize::from(is_refused);
            }
        }
    }
    assert!(offered > 50 && refused > 50, "{offered} offered, {refused} refused");
    let mut talk = pop3_host::Talk::new(pop3_host::config());
    talk.say(b"");
    talk.line("AUTH PLAIN");
    assert_eq!(words(&talk.session.role().expected()), ["response", "cancellation"]);
}

#[test]
fn commands_of_imap_are_taken_where_they_are_offered() {
    let states: [&[&str]; 5] = [
        &[],
        &["x LOGIN ann s3cret"],
        &["x LOGIN ann s3cret", "y SELECT INBOX"],
        &["x LOGIN ann s3cret", "y EXAMINE INBOX"],
        &["x LOGIN ann s3cret", "y SELECT INBOX", "z UNSELECT"],
    ];
    let mut tls = imap_host::config();
    tls.tls = TlsOffer::Upgrade;
    tls.auth.cleartext = false;
    let (mut offered, mut refused) = (0, 0);
    for config in [imap_host::config(), tls] {
        for lines in states {
            for form in imap::expected::COMMANDS {
                let mut host = imap_host::Host::new();
                host.put("INBOX", "Subject: x\n\nHello\n", 0);
                let mut talk = imap_host::Talk::new(config.clone(), host);
                for line in lines {
                    talk.receive(format!("{line}\r\n").as_bytes(), usize::MAX);
                }
                let expected = talk.session.role().expected();
                let is_offered = words(&expected).contains(&form.word);
                if NO_COMMANDS.contains(&form.word) || form.word == "DONE" {
                    assert!(!is_offered, "{lines:?}: {}", form.word);
                    continue;
                }
                let from = talk.sent.len();
                let example = form.example.replace("{tag}", "a1");
                if let Some(expected) = expected.iter().find(|one| one.form.word == form.word) {
                    assert_eq!(expected.example, example);
                }
                talk.receive(format!("{example}\r\n").as_bytes(), usize::MAX);
                if talk.sent[from..].starts_with(b"+ Ready") {
                    // What a literal belongs to is looked at once it is there.
                    talk.receive(b"a: b\n\r\n", usize::MAX);
                }
                let said = String::from_utf8_lossy(&talk.sent[from..]).into_owned();
                // RFC 4467 §7: BAD is also what is said of a URL of somebody else's.
                let elsewhere = said.contains("a1 BAD A URL is of no mailbox that you have here");
                let bad = said.contains("a1 BAD") && !elsewhere;
                let login = matches!(form.word, "LOGIN" | "AUTHENTICATE");
                let denied = login && said.contains("a1 NO") && !said.contains("AUTHENTICATIONF");
                let state = format!("{lines:?}: {example} → {said}");
                assert_eq!(is_offered, !(bad || denied), "{state}");
                offered += usize::from(is_offered);
                refused += usize::from(!is_offered);
            }
        }
    }
    assert!(offered > 60 && refused > 60, "{offered} offered, {refused} refused");
}

#[test]
fn idle_and_logins_of_imap_want_their_own_lines() {
    let mut talk = imap_host::Talk::new(imap_host::config(), imap_host::Host::new());
    talk.receive(b"a AUTHENTICATE PLAIN\r\n", usize::MAX);
    assert_eq!(words(&talk.session.role().expected()), ["response", "cancellation"]);
    talk.receive(b"*\r\nb LOGIN ann s3cret\r\nc IDLE\r\n", usize::MAX);
    assert_eq!(words(&talk.session.role().expected()), ["DONE"]);
    talk.receive(b"DONE\r\n", usize::MAX);
    assert!(words(&talk.session.role().expected()).contains(&"SELECT"));
}

#[test]
fn replies_of_smtp_are_taken_where_they_are_offered() {
    // What was heard before, and whether a message is to be delivered.
    let states: [&[&str]; 6] = [
        &[],
        &["220 x\r\n"],
        &["220 x\r\n", "250 x\r\n"],
        &["220 x\r\n", "250 x\r\n", "250 ok\r\n"],
        &["220 x\r\n", "250 x\r\n", "250 ok\r\n", "250 ok\r\n"],
        &["220 x\r\n", "250 x\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"],
    ];
    let (mut offered, mut refused) = (0, 0);
    for heard in states {
        let fresh = || {
            let mut drive = smtp_client_host::Drive::new(smtp_client_host::config());
            drive.deliver(1, &["bob@hamburger.edu"], b"Subject: x\r\n\r\nx\r\n");
            for reply in heard {
                drive.hear(reply.as_bytes());
            }
            drive
        };
        let expected = fresh().session.role().expected();
        assert!(!expected.is_empty(), "{heard:?}");
        for form in smtp::expected::REPLIES {
            let mut drive = fresh();
            drive.hear(format!("{}\r\n", form.example).as_bytes());
            let offered_now = words(&expected).contains(&form.word);
            if offered_now {
                assert_eq!(drive.defects(), 0, "{heard:?}: {}", form.example);
                offered += 1;
            } else if form.word.starts_with('3') && !words(&expected).contains(&"354") {
                // Of the others the first digit says enough: a client has to take codes that it does not know.
                let lost = drive.defects() > 0 || drive.is_done();
                assert!(lost, "{heard:?}: {}", form.example);
                refused += 1;
            }
        }
    }
    assert!(offered > 25 && refused > 8, "{offered} offered, {refused} refused");
}

#[test]
fn replies_of_pop3_are_taken_where_they_are_offered() {
    use pop3::client::types::{Command, Event};
    let fresh = |command: Option<Command>, heard: &[&str]| {
        let mut drive = pop3_client_host::Drive::new(pop3_client_host::config());
        if let Some(command) = command {
            drive = pop3_client_host::Drive::opened(pop3_client_host::config(), "UIDL\r\n", 2);
            drive.call(1, command);
        }
        for reply in heard {
            drive.hear(reply.as_bytes());
        }
        drive
    };
    type Case = (fn() -> Option<Command>, &'static [&'static str], &'static [&'static str]);
    let states: [Case; 5] = [
        (|| None, &[], &["+OK", "-ERR"]),
        (|| None, &["+OK hello\r\n"], &["+OK", "-ERR"]),
        (|| Some(Command::Sizes(None)), &[], &["+OK", "-ERR"]),
        (|| Some(Command::Sizes(None)), &["+OK\r\n"], &["size", "end"]),
        (|| Some(Command::Retrieve(1)), &["+OK\r\n"], &["text", "end"]),
    ];
    for (command, heard, due) in states {
        let expected = fresh(command(), heard).session.role().expected();
        assert_eq!(words(&expected), due, "{heard:?}");
        let defects = |drive: &pop3_client_host::Drive| {
            drive.events.iter().filter(|event| matches!(event, Event::Defect(_))).count()
        };
        for one in &expected {
            let mut drive = fresh(command(), heard);
            drive.hear(format!("{}\r\n", one.example).as_bytes());
            assert_eq!(defects(&drive), 0, "{heard:?}: {}", one.example);
        }
        if due.contains(&"+OK") {
            let mut drive = fresh(command(), heard);
            drive.hear(b"+ aGk=\r\n");
            assert!(defects(&drive) > 0 || drive.done().is_some(), "{heard:?}: a challenge");
        }
    }
}

#[test]
fn responses_of_imap_are_taken_where_they_are_offered() {
    use imap::client::types::Command;
    let fresh = |step: usize| {
        if step == 0 {
            return imap_client_host::Drive::new(imap_client_host::config());
        }
        let mut drive = imap_client_host::Drive::ready("IDLE");
        match step {
            2 => drive.call(1, Command::Noop),
            3 => drive.call(1, Command::Idle),
            _ => String::new(),
        };
        drive
    };
    let all: [&[&str]; 4] = [
        &["greeting", "BYE"],
        &["data", "BYE"],
        &["data", "OK", "NO", "BAD", "BYE"],
        &["+", "data", "OK", "NO", "BAD", "BYE"],
    ];
    for (step, due) in all.into_iter().enumerate() {
        let expected = fresh(step).session.role().expected();
        assert_eq!(words(&expected), due, "step {step}");
        for one in &expected {
            let mut drive = fresh(step);
            drive.hear(format!("{}\r\n", one.example).as_bytes());
            assert_eq!(drive.defects(), 0, "step {step}: {}", one.example);
        }
        for form in ["+ go\r\n", "A99 OK done\r\n"] {
            if form.starts_with('+') && due.contains(&"+") {
                continue;
            }
            let mut drive = fresh(step);
            drive.hear(form.as_bytes());
            assert!(drive.defects() > 0 || drive.done().is_some(), "step {step}: {form}");
        }
    }
}

#[test]
fn what_is_secured_is_not_offered_again() {
    let config = Config { tls: TlsOffer::Upgrade, ..smtp_host::config() };
    let mut talk = smtp_host::Talk::greeted(config);
    assert!(words(&talk.session.role().expected()).contains(&"STARTTLS"));
    talk.line("STARTTLS");
    assert!(talk.session.role().expected().is_empty());
    talk.session.secured(talk.now, TlsFacts::default()).expect("it was asked for");
    let now = words(&talk.session.role().expected());
    assert!(now.contains(&"EHLO") && !now.contains(&"STARTTLS"), "{now:?}");
}
