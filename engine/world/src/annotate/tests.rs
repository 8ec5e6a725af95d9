//! The lecture's dialogue and others through real sessions: nesting, causes, grades, steps.

use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::AuthOffer;
use pillarbox_engine::smtp::{
    Answer, Ask, Committed, Config, Extensions, Indexer, Server, Service,
};
use pillarbox_engine::trace::Side;
use pillarbox_engine::types::{Now, Peer, TlsOffer};
use pillarbox_engine::{Output, Session};

use super::*;

/// A session with all that it received and sent, and its annotations.
struct Talk {
    session: Session<Server>,
    annotator: Annotator,
    received: Vec<u8>,
    sent: Vec<u8>,
    notes: Vec<Note>,
}

impl Talk {
    fn new() -> Self {
        let config = Config {
            host_name: b"hamburger.edu".to_vec(),
            service: Service::Smtp,
            peer: Peer { address: b"192.0.2.1".to_vec(), name: None },
            session_id: b"s1".to_vec(),
            tls: TlsOffer::None,
            auth: AuthOffer::default(),
            auth_required: false,
            extensions: Extensions::default(),
            persona: pillarbox_engine::types::Persona::Strict,
            lenient: false,
            verify: false,
            return_path: false,
            faults: false,
            index: Indexer::default(),
            limits: Limits::SMTP,
            trace: true,
        };
        let mut talk = Self {
            session: Session::new(config, Now::default()),
            annotator: Annotator::new(Protocol::Smtp, Party::Server),
            received: Vec::new(),
            sent: Vec::new(),
            notes: Vec::new(),
        };
        talk.say("");
        talk
    }

    fn say(&mut self, line: &str) {
        let now = Now::default();
        self.received.extend_from_slice(line.as_bytes());
        let mut rest = line.as_bytes();
        loop {
            rest = &rest[self.session.receive(now, rest)..];
            match self.session.poll() {
                Output::Transmit(octets) => self.sent.extend(octets),
                Output::Ask(id, ask) => {
                    let answer = match ask {
                        Ask::Commit(_) => Answer::Committed(Committed::default()),
                        _ => Answer::Done,
                    };
                    self.session.answer(now, id, answer).expect("a right answer");
                }
                Output::Note(note) => self.notes.push(note),
                Output::Wait { .. } | Output::Close if rest.is_empty() => break,
                _ => {}
            }
        }
        for note in std::mem::take(&mut self.notes) {
            let octets = match &note {
                Note::Span(span) => {
                    let all = if span.side == Side::Sent { &self.sent } else { &self.received };
                    &all[span.start as usize..span.end as usize]
                }
                _ => &[],
            };
            self.annotator.note(&note, octets);
        }
    }

    fn text(&self, annotation: &Annotation) -> String {
        let all = if annotation.id.side == Side::Sent { &self.sent } else { &self.received };
        all[annotation.at.start as usize..annotation.at.end as usize].escape_ascii().to_string()
    }

    fn roots(&self, side: Side) -> Vec<&Annotation> {
        self.annotator.of(side).iter().filter(|annotation| annotation.parent.is_none()).collect()
    }

    /// Children lie in their parents, leaves cover all, and parents stand first.
    fn assert_laws(&self) {
        for side in [Side::Received, Side::Sent] {
            let (mut end, all) = (0, self.annotator.of(side));
            for annotation in all {
                if let Some(parent) = annotation.parent {
                    let parent = self.annotator.get(parent).expect("a parent");
                    assert!(parent.id.at < annotation.id.at && !parent.leaf);
                    assert!(parent.at.start <= annotation.at.start, "{annotation:?}");
                    assert!(parent.at.end >= annotation.at.end, "{annotation:?}");
                }
                if annotation.leaf {
                    assert_eq!(annotation.at.start, end);
                    end = annotation.at.end;
                }
            }
            assert_eq!(end, self.annotator.end(side));
        }
    }
}

#[test]
fn the_lectures_dialogue_is_a_tree_with_causes() {
    let mut talk = Talk::new();
    for line in [
        "HELO crepes.fr\r\n",
        "MAIL FROM: <alice@crepes.fr>\r\n",
        "RCPT TO:<bob@hamburger.edu>\r\n",
        "DATA\r\n",
        "Do you like ketchup?\r\n",
        "..\r\n",
        ".\r\n",
        "QUIT\r\n",
    ] {
        talk.say(line);
    }
    talk.assert_laws();
    let received: Vec<_> = talk.roots(Side::Received).iter().map(|root| talk.text(root)).collect();
    assert_eq!(received.len(), 6);
    assert_eq!(received[4], "Do you like ketchup?\\r\\n..\\r\\n.\\r\\n");
    let replies = talk.roots(Side::Sent);
    assert_eq!(replies.len(), 7);
    assert_eq!(replies[0].causes, []);
    let causes: Vec<String> = replies[1..]
        .iter()
        .map(|reply| talk.text(talk.annotator.get(reply.causes[0]).expect("a cause")))
        .collect();
    assert_eq!(causes[0], "HELO crepes.fr\\r\\n");
    assert_eq!((&causes[4][..], &causes[5][..]), (".\\r\\n", "QUIT\\r\\n"));

    let mail = talk.roots(Side::Received)[1];
    assert_eq!((mail.label, mail.grade), ("command line", Grade::Deviation));
    let inside = |id: AnnotationId| {
        let all = talk.annotator.of(Side::Received);
        all.iter().filter(move |annotation| annotation.parent == Some(id)).collect::<Vec<_>>()
    };
    let labels: Vec<_> = inside(mail.id).iter().map(|part| part.label).collect();
    assert_eq!(labels, ["verb", "SP", "FROM:", "SP", "path", "CRLF"]);
    let grades: Vec<_> = inside(mail.id).iter().map(|part| part.grade).collect();
    assert_eq!(grades[3], Grade::Deviation);
    assert_eq!(grades.iter().filter(|grade| **grade == Grade::Ok).count(), 5);
    let path = inside(mail.id)[4];
    let labels: Vec<_> = inside(path.id).iter().map(|part| part.label).collect();
    assert_eq!(labels, ["angle bracket", "address", "angle bracket"]);
    assert_eq!(talk.text(inside(path.id)[1]), "alice@crepes.fr");
    let steps: Vec<_> = talk
        .annotator
        .of(Side::Received)
        .iter()
        .chain(talk.annotator.of(Side::Sent))
        .filter_map(|annotation| annotation.step)
        .collect();
    assert!(steps.contains(&("Connected", "Greeted")), "{steps:?}");
    assert!(steps.contains(&("MailGiven", "RcptGiven")), "{steps:?}");
}

#[test]
fn what_is_refused_is_an_error_and_its_reply_too() {
    let mut talk = Talk::new();
    talk.say("HELLO crepes.fr\r\n");
    talk.say("EHLO crepes.fr\r\n");
    talk.say("RCPT TO:<bob@hamburger.edu>\r\n");
    talk.assert_laws();
    let grades: Vec<_> = talk.roots(Side::Received).iter().map(|root| root.grade).collect();
    assert_eq!(grades, [Grade::Error, Grade::Ok, Grade::Error]);
    let replies = talk.roots(Side::Sent);
    let grades: Vec<_> = replies.iter().map(|root| root.grade).collect();
    assert_eq!(grades, [Grade::Ok, Grade::Error, Grade::Ok, Grade::Error]);
    // The reply to EHLO is one, of many lines.
    let lines = talk.annotator.of(Side::Sent);
    let lines = lines.iter().filter(|line| line.parent == Some(replies[2].id));
    assert!(lines.clone().count() > 5);
    assert!(lines.clone().all(|line| line.label == "reply line"));
}

#[test]
fn a_range_has_the_lines_that_it_touches() {
    let mut talk = Talk::new();
    ["EHLO a\r\n", "NOOP\r\n", "RSET\r\n"].into_iter().for_each(|line| talk.say(line));
    let noop = talk.annotator.within(Side::Received, 9..10);
    let labels: Vec<_> = noop.iter().map(|annotation| annotation.label).collect();
    assert_eq!(labels, ["command line", "verb", "CRLF"]);
    assert_eq!(talk.annotator.within(Side::Received, 7..9).len(), 8);
    assert!(talk.annotator.within(Side::Received, 20..30).is_empty());
    assert_eq!(talk.annotator.within(Side::Received, 0..100).len(), 11);
}

#[test]
fn a_clients_replies_have_their_commands_as_causes() {
    use pillarbox_engine::trace::Span;
    let mut annotator = Annotator::new(Protocol::Imap, Party::Client);
    let mut at = [0, 0];
    let mut note = |side: Side, label: &'static str, octets: &[u8]| {
        let at = &mut at[usize::from(side == Side::Sent)];
        let (start, end) = (*at, *at + octets.len() as u64);
        *at = end;
        let span = Span { side, start, end, label, secret: false, why: None };
        annotator.note(&Note::Span(span), octets);
    };
    for tag in [b"A1", b"A2"] {
        note(Side::Sent, "tag", tag);
        note(Side::Sent, "CRLF", b"\r\n");
    }
    for tag in [b"A2", b"A1"] {
        note(Side::Received, "tag", tag);
        note(Side::Received, "SP", b" ");
        note(Side::Received, "status", b"OK");
        note(Side::Received, "CRLF", b"\r\n");
    }
    let roots = |side| {
        let all = annotator.of(side).iter();
        all.filter(|annotation| annotation.parent.is_none()).collect::<Vec<_>>()
    };
    let (commands, replies) = (roots(Side::Sent), roots(Side::Received));
    assert_eq!(replies[0].causes, [commands[1].id]);
    assert_eq!(replies[1].causes, [commands[0].id]);
}

#[test]
fn the_structure_of_a_message_lies_over_the_wire() {
    let mut talk = Talk::new();
    talk.say("EHLO a\r\n");
    talk.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\n");
    talk.say("Subject: =?utf-8?Q?=C3=B6?=\r\n\r\n..\r\nx\r\n.\r\n");
    let content = talk.roots(Side::Received)[4].at.clone();
    let received = talk.received.clone();
    let within = talk.annotator.within(Side::Received, content);
    let octets = |at: Range<u64>| received[at.start as usize..at.end as usize].to_vec();
    let structure = content::structure(within, &mut { octets });
    let text = |part: &content::Structure| String::from_utf8(octets(part.at.clone()));
    let labels: Vec<_> = structure.iter().map(|part| part.label).collect();
    assert!(labels.starts_with(&["header section", "header field", "header name", "colon"]));
    let word = structure.iter().find(|part| part.label == "encoded word").expect("a word");
    assert_eq!(text(word).as_deref(), Ok("=?utf-8?Q?=C3=B6?="));
    assert_eq!(value::value("encoded word", &octets(word.at.clone())).as_deref(), Some("ö"));
    let body = structure.iter().find(|part| part.label == "body").expect("a body");
    assert!(text(body).is_ok_and(|body| body.ends_with("x\r\n")));
}
