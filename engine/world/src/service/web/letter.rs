//! A letter from a form: it becomes a message, and then it is submitted as one that comes by SMTP is.

use std::sync::Arc;

use pillarbox_engine::message::compose::{
    Draft, Origin, Person, Piece, Refused, Text, compose, parse_people, parse_person,
};
use pillarbox_engine::smtp::{Answer, Ask, Body, Envelope, MailFrom, Mailbox, RcptTo};
use pillarbox_engine::text::date::date_time;
use pillarbox_engine::types::{Now, Reason, Refusal};

use super::visits::Visit;
use super::{Not, WebMail, pages};
use crate::service::{Backend, Service, SmtpService};
use crate::web::{Request, Response};

/// A message with its envelope.
struct Made {
    mail: MailFrom,
    recipients: Vec<Mailbox>,
    envelope: Envelope,
}

impl<B: Backend> WebMail<B> {
    pub(super) async fn send(
        &self,
        now: Now,
        visit: &Visit,
        request: &Request,
        chance: [u8; 16],
    ) -> Result<Response, Not> {
        let [to, subject, text] =
            ["to", "subject", "text"].map(|name| request.field(name).unwrap_or_default());
        // The form comes back with what was written, and why it cannot be sent.
        let again =
            |why: &str| pages::compose(422, self.reader(visit), [&to[..], &subject, &text], why);
        if to.trim().is_empty() {
            return Ok(again("Say to whom it goes."));
        }
        let made = match self.made(now, visit, [&to[..], &subject, &text], chance) {
            Ok(made) => made,
            Err(refused) => return Ok(again(&refused.to_string())),
        };
        match self.submit(now, visit, made).await {
            Ok(()) => Ok(self.see("/sent")),
            Err(Refusal { reason: Reason::NotFound, .. }) => {
                Ok(again("There is nobody of this address here."))
            }
            Err(Refusal { reason: Reason::OverQuota, .. }) => {
                Ok(again("The mailbox of this address is full."))
            }
            Err(refusal) => Err(refusal.reason.into()),
        }
    }

    fn made(
        &self,
        now: Now,
        visit: &Visit,
        [to, subject, text]: [&str; 3],
        chance: [u8; 16],
    ) -> Result<Made, Refused> {
        let domain = visit.name.split_once('@').map(|(_, domain)| domain);
        let author = parse_person(&visit.name, domain)?;
        let to = parse_people(to, domain)?;
        let draft = Draft {
            from: vec![author.clone()],
            to: to.clone(),
            subject: (!subject.is_empty()).then(|| Text::new(subject)).transpose()?,
            text: Some(text.to_owned()),
            ..Draft::default()
        };
        let composed = compose(&draft, Origin { unix_ms: now.unix_ms, seed: chance })?;
        let smtputf8 = composed.needs_utf8();
        let (path, mut octets) = self.trace(now, &author.mailbox, chance);
        for piece in composed.pieces(0, composed.size()) {
            // There are no files: all pieces are octets.
            if let Piece::Octets(part) = piece {
                octets.extend_from_slice(part);
            }
        }
        let eight_bit = !octets.is_ascii();
        let mail = MailFrom {
            reverse_path: Some(author.mailbox.clone()),
            body: if eight_bit { Body::EightBitMime } else { Body::SevenBit },
            smtputf8,
            ..MailFrom::default()
        };
        let envelope = Envelope {
            size: octets.len() as u64,
            last: octets,
            eight_bit,
            return_path_octets: path,
            authors: vec![author.mailbox],
            ..Envelope::default()
        };
        let recipients = to.into_iter().map(|person: Person| person.mailbox).collect();
        Ok(Made { mail, recipients, envelope })
    }

    /// The fields that this hop puts before a message, and octets of those that are for final delivery alone
    /// (RFC 5321 §4.4).
    fn trace(&self, now: Now, from: &Mailbox, chance: [u8; 16]) -> (u64, Vec<u8>) {
        let path = [&from.local_part[..], b"@", &from.domain].concat();
        let mut out = [b"Return-Path: <", &path[..], b">\r\n"].concat();
        let length = out.len() as u64;
        let tag: &[u8] = if self.peer.contains(&b':') { b"IPv6:" } else { b"" };
        let id = format!("{:016x}", u128::from_be_bytes(chance) >> 64);
        for part in [
            &b"Received: from ["[..],
            tag,
            &self.peer,
            b"]\r\n\tby ",
            self.backend.host_name(),
            b" with HTTP id ",
            id.as_bytes(),
            b";\r\n\t",
            date_time(now.unix_ms).as_bytes(),
            b"\r\n",
        ] {
            out.extend_from_slice(part);
        }
        (length, out)
    }

    /// What an SMTP session asks for a submitted message, so that there is one reading of it.
    async fn submit(&self, now: Now, visit: &Visit, made: Made) -> Result<(), Refusal> {
        let account = visit.name.clone().into_bytes();
        let mut service = SmtpService::new(Arc::clone(&self.backend), self.key).signed_in(account);
        let mut asks = vec![Ask::Sender(made.mail)];
        for forward_path in made.recipients {
            asks.push(Ask::Recipient(RcptTo { forward_path, ..RcptTo::default() }));
        }
        asks.push(Ask::Commit(made.envelope));
        for ask in asks {
            if let Answer::Refused(refusal) = service.answer(now, ask, &mut ()).await {
                return Err(refusal);
            }
        }
        Ok(())
    }
}
