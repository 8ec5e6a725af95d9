//! A client that believes what it is told, against a mailbox that others change at random: whatever
//! happens, sequence numbers, UIDs and flags that it knows are those of the mailbox in the end.

mod imap_host;

use imap_host::*;
use pillarbox_engine::imap::types::*;

struct Random(u32);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }
}

/// What the client knows: for each sequence number a UID and flags, as far as it was told.
#[derive(Default)]
struct Model {
    messages: Vec<(Option<u32>, Option<String>)>,
}

impl Model {
    /// Takes in every untagged line, and sees that none contradicts what was told before.
    fn hear(&mut self, text: &str, expunges_allowed: bool) {
        for line in text.lines().filter_map(|line| line.strip_prefix("* ")) {
            let mut words = line.split(' ');
            let number = words.next().and_then(|word| word.parse::<usize>().ok());
            let (Some(number), Some(word)) = (number, words.next()) else { continue };
            match word {
                "EXISTS" => {
                    assert!(number >= self.messages.len(), "EXISTS never shrinks: {line}");
                    self.messages.resize(number, (None, None));
                }
                "EXPUNGE" => {
                    assert!(expunges_allowed, "{line}");
                    self.messages.remove(number - 1);
                }
                "FETCH" => self.hear_fetch(number, line),
                _ => {}
            }
        }
    }

    /// A silent removal of \\Seen did what was asked.
    fn unsee(&mut self, number: usize, text: &str) {
        if text.contains("t OK")
            && let Some((_, Some(flags))) = self.messages.get_mut(number - 1)
        {
            let kept = flags.split(' ').filter(|flag| *flag != "\\Seen");
            *flags = kept.collect::<Vec<_>>().join(" ");
        }
    }

    /// Flags that the client knows are those of the mailbox.
    fn agrees(&self, host: &Host, what: &str) {
        for message in &host.mailboxes[&b"INBOX"[..]].messages {
            let known = self.messages.iter().find(|(uid, _)| *uid == Some(message.uid));
            if let Some((_, Some(known))) = known {
                assert_eq!(*known, flags_text(&message.flags), "UID {}: {what}", message.uid);
            }
        }
    }

    fn hear_fetch(&mut self, number: usize, line: &str) {
        let known = &mut self.messages[number - 1];
        if let Some((_, uid)) = line.split_once("UID ") {
            let uid = uid.split([' ', ')']).next().expect("a UID").parse().expect("a number");
            assert!(known.0.is_none_or(|before| before == uid), "{number} had another UID: {line}");
            known.0 = Some(uid);
        }
        if let Some((_, flags)) = line.split_once("FLAGS (") {
            let flags = flags.split(')').next().expect("flags");
            known.1 = Some(flags.replace(" \\Recent", "").replace("\\Recent", ""));
        }
    }
}

fn flags_text(flags: &Flags) -> String {
    let names =
        [(1, "\\Answered"), (2, "\\Flagged"), (4, "\\Deleted"), (8, "\\Seen"), (16, "\\Draft")];
    let names = names.iter().filter(|(bit, _)| flags.system & bit != 0).map(|(_, name)| *name);
    names.collect::<Vec<_>>().join(" ")
}

/// Something that another session does, as the changes that this one is told.
fn others_act(host: &mut Host, random: &mut Random, modseq: &mut u64) -> Vec<Change> {
    *modseq += 1;
    let mailbox = host.mailbox("INBOX");
    let at = random.below(mailbox.messages.len().max(1));
    let change = match random.below(4) {
        0 => {
            let first = mailbox.uid_next;
            let last = first + random.below(3) as u32;
            for _ in first..=last {
                host.put("INBOX", "Subject: x\n\nx\n", 0);
            }
            Change::Arrived(Arrived { runs: vec![UidRun { first, last }], recent: false })
        }
        1 if at < mailbox.messages.len() => {
            let uid = mailbox.messages.remove(at).uid;
            let runs = vec![UidRun { first: uid, last: uid }];
            Change::Expunged(Expunged { runs, modseq: *modseq })
        }
        2 if at < mailbox.messages.len() => {
            let message = &mut mailbox.messages[at];
            message.flags.system ^= 1 << random.below(5);
            let (uid, flags) = (message.uid, message.flags.clone());
            Change::Flags(vec![FlagRow { uid, flags, modseq: *modseq }])
        }
        _ => return if random.below(20) == 0 { vec![Change::Resynchronise] } else { vec![] },
    };
    vec![change]
}

#[test]
fn a_client_never_believes_what_is_not_so() {
    for seed in 0..600 {
        let mut random = Random(seed);
        let mut host = Host::new();
        host.page = 1 + random.below(5);
        for _ in 0..random.below(12) {
            host.put("INBOX", "Subject: x\n\nx\n", 8);
        }
        host.mailbox("Other");
        let mut talk = Talk::new(config(), host);
        let mut model = Model::default();
        let mut modseq = 10;
        talk.receive(b"L LOGIN ann s3cret\r\nS SELECT INBOX\r\n", 1000);
        let mut heard = 0;
        for _ in 0..60 {
            let command = command(&mut random, model.messages.len());
            let expunges =
                !["FETCH", "STORE", "SEARCH"].iter().any(|verb| command.starts_with(verb));
            for _ in 0..random.below(3) {
                let changes = others_act(&mut talk.host, &mut random, &mut modseq);
                talk.step(&Step::Call(Call::Changed(changes)), 1);
            }
            talk.host.modseq = modseq;
            talk.receive(format!("t {command}\r\n").as_bytes(), 1000);
            let text = String::from_utf8_lossy(&talk.sent[heard..]).into_owned();
            heard = talk.sent.len();
            assert!(
                text.contains("\r\nt ") || text.starts_with("t ") || text.starts_with("+"),
                "{text}"
            );
            if let Some(number) =
                command.strip_prefix("STORE ").filter(|_| command.contains("SILENT"))
            {
                let number = number.split(' ').next().and_then(|number| number.parse().ok());
                model.unsee(number.expect("a number"), &text);
            }
            model.hear(&text, expunges);
            // What is to be read again is told with the expunges.
            if expunges && !text.contains("t BAD") {
                model.agrees(&talk.host, &format!("seed {seed}: {command}\n{text}"));
            }
        }
        agree(&mut talk, model, heard, seed);
    }
}

fn command(random: &mut Random, count: usize) -> String {
    let number = 1 + random.below(count.max(1));
    let commands = [
        "NOOP".to_owned(),
        format!("FETCH {number}:* (UID FLAGS)"),
        format!("UID FETCH {number}:* FLAGS"),
        format!("STORE {number} +FLAGS (\\Deleted)"),
        format!("STORE {number} -FLAGS.SILENT (\\Seen)"),
        format!("UID STORE 1:{number} FLAGS (\\Seen)"),
        "SEARCH UNSEEN".to_owned(),
        "UID SEARCH SEEN".to_owned(),
        "EXPUNGE".to_owned(),
        format!("MOVE {number} Other"),
        format!("COPY {number} INBOX"),
        // A part that is not there: on one line.
        format!("FETCH {number} BODY[9]"),
        "IDLE\r\nDONE".to_owned(),
    ];
    commands[random.below(commands.len())].clone()
}

/// After NOOP the client knows how many messages there are; after FETCH which, and with which flags.
fn agree(talk: &mut Talk, mut model: Model, heard: usize, seed: u32) {
    talk.receive(b"t NOOP\r\n", 100);
    let text = String::from_utf8_lossy(&talk.sent[heard..]).into_owned();
    model.hear(&text, true);
    let stored = talk.host.mailboxes[&b"INBOX"[..]].messages.clone();
    let uids: Vec<u32> = stored.iter().map(|message| message.uid).collect();
    assert_eq!(model.messages.len(), uids.len(), "seed {seed}: {text}");
    model.agrees(&talk.host, &text);
    for ((uid, _), is) in model.messages.iter().zip(&uids) {
        assert!(uid.is_none_or(|uid| uid == *is), "seed {seed}: {uid:?} is {is}");
    }
}
