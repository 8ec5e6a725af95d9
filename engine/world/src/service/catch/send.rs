//! A letter that a test sends without a client: composed here, and taken as one that comes by SMTP.

use std::sync::Arc;

use pillarbox_engine::message::compose::{
    Draft, File, FileName, MediaType, Origin, Piece, Refused, Text, compose, parse_person,
};
use pillarbox_engine::types::{BlobId, Now, Reason, Refusal};

use super::Catcher;
use crate::service::Backend;
use crate::service::web::letter::Outgoing;
use crate::service::web::{Visits, WebMail};

/// What is to be sent. Addresses are written as in a header field, such as `Bob <bob@example.org>`.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    /// Who wrote it.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// Who gets a copy.
    pub cc: Vec<String>,
    /// Who gets one that nobody else sees.
    pub bcc: Vec<String>,
    /// Where answers go.
    pub reply_to: Vec<String>,
    /// What it is about.
    pub subject: String,
    /// Its text, and the same as HTML; empty: none.
    pub text: String,
    /// As HTML.
    pub html: String,
    /// Other fields.
    pub fields: Vec<(String, String)>,
    /// Name, media type (empty: by the name) and octets.
    pub files: Vec<(String, String, Vec<u8>)>,
}

/// Why a letter was not sent, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// What it says cannot be sent: which part, and why.
    Bad(String),
    /// The server refused it.
    Refused(Reason),
}

impl NotSent {
    fn bad(part: &str, why: &Refused) -> Self {
        Self::Bad(format!("{part}: {why}"))
    }
}

impl<B: Backend> Catcher<B> {
    /// Sends a letter; its name among the messages that came, if anybody here got it.
    ///
    /// # Errors
    /// [`NotSent`].
    pub async fn send(
        &self,
        letter: &Letter,
        now: Now,
        peer: Vec<u8>,
        chance: [u8; 16],
    ) -> Result<BlobId, NotSent> {
        let person = |part: &str, text: &String| {
            parse_person(text, None).map_err(|why| NotSent::bad(part, &why))
        };
        let people = |part: &str, list: &[String]| -> Result<Vec<_>, NotSent> {
            list.iter().map(|text| person(part, text)).collect()
        };
        let author = person("From", &letter.from)?;
        let (to, cc) = (people("To", &letter.to)?, people("Cc", &letter.cc)?);
        let bcc = people("Bcc", &letter.bcc)?;
        let recipients: Vec<_> =
            to.iter().chain(&cc).chain(&bcc).map(|person| person.mailbox.clone()).collect();
        if recipients.is_empty() {
            return Err(NotSent::Bad("To: expected at least one recipient".to_owned()));
        }
        let text = |part: &str, text: &str| Text::new(text).map_err(|why| NotSent::bad(part, &why));
        let mut fields = Vec::new();
        for (name, value) in &letter.fields {
            use pillarbox_engine::message::compose::FieldName;
            let named = FieldName::new(name).map_err(|why| NotSent::bad("Headers", &why))?;
            fields.push((named, text(name, value)?));
        }
        let (mut attachments, mut octets) = (Vec::new(), Vec::new());
        for (name, media_type, file) in &letter.files {
            let name = FileName::new(name).map_err(|why| NotSent::bad("Attachments", &why))?;
            let media_type = match media_type.is_empty() {
                true => MediaType::of_name(name.as_str()),
                false => {
                    MediaType::new(media_type).map_err(|why| NotSent::bad("Attachments", &why))?
                }
            };
            attachments.push(File { name, media_type, size: file.len() as u64 });
            octets.push(file);
        }
        let draft = Draft {
            from: vec![author.clone()],
            reply_to: people("ReplyTo", &letter.reply_to)?,
            to,
            cc,
            subject: (!letter.subject.is_empty())
                .then(|| text("Subject", &letter.subject))
                .transpose()?,
            fields,
            text: Some(letter.text.clone())
                .filter(|text| !text.is_empty() || letter.html.is_empty()),
            html: Some(letter.html.clone()).filter(|html| !html.is_empty()),
            attachments,
            ..Draft::default()
        };
        let origin = Origin { unix_ms: now.unix_ms, seed: chance };
        let composed = compose(&draft, origin).map_err(|why| NotSent::Bad(why.to_string()))?;
        let mail =
            WebMail::new(Arc::clone(&self.backend), self.key, Arc::new(Visits::default()), peer);
        let (return_path_octets, mut message) = mail.trace(now, &author.mailbox, chance);
        for piece in composed.pieces(0, composed.size()) {
            match piece {
                Piece::Octets(own) => message.extend_from_slice(own),
                Piece::File(piece) => {
                    // Both lie within the file, which is held.
                    let start = piece.start as usize;
                    let own = &octets[piece.file][start..start + piece.length as usize];
                    message.extend(piece.encode(own));
                }
            }
        }
        let outgoing = Outgoing {
            author: author.mailbox.clone(),
            recipients,
            octets: message,
            return_path_octets,
            smtputf8: composed.needs_utf8(),
            hold_until_ms: None,
        };
        let account = String::from_utf8_lossy(&author.address()).into_owned();
        let sent = mail.submit(now, &account, outgoing).await;
        sent.map_err(|Refusal { reason, .. }| NotSent::Refused(reason))
    }
}
