//! A letter from a sheet: it becomes a message, and then it is submitted as one that comes by SMTP is, or kept.

use pillarbox_engine::imap::types::{Flags, SpecialUse};
use pillarbox_engine::message::compose::{
    Draft, File, FileName, MediaType, MessageId, Origin, Person, Piece, Refused, Text, compose,
    parse_people, parse_person,
};
use pillarbox_engine::message::ids::message_ids;
use pillarbox_engine::smtp::Mailbox;
use pillarbox_engine::types::{Reason, Refusal};

use super::desk::{ANSWERED, Letter, SEEN, appended_at, for_use, one, system};
use super::list::is_forward;
use super::show::file_name;
use super::write::{Sheet, placed};
use super::{Call, Happened, Not, told};
use crate::service::Backend;
use crate::service::submit::{Submission, submit, trace};
use crate::web::{Given, Request, Response};

/// Octets of all files of one letter.
const FILES_MAX: usize = 24 << 20;
/// Messages that a letter names as those before it; of more the first and the last.
const REFERENCES_MAX: usize = 100;

/// A file that goes along.
struct Enclosed {
    file: File,
    octets: Vec<u8>,
}

/// What a letter is composed of.
pub(super) struct Made {
    pub(super) draft: Draft,
    pub(super) bcc: Vec<Person>,
    files: Vec<Vec<u8>>,
    origin: Origin,
}

/// Why a letter is not sent, in words for who wrote it.
pub(super) struct Why(pub(super) String);

impl From<Refused> for Why {
    fn from(refused: Refused) -> Self {
        Self(refused.to_string())
    }
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        Self(told(reason).1.to_owned())
    }
}

impl Made {
    /// The message, and whether an address in it needs SMTPUTF8.
    pub(super) fn octets(
        &self,
        draft: &Draft,
        before: Vec<u8>,
    ) -> Result<(Vec<u8>, bool), Refused> {
        let composed = compose(draft, self.origin)?;
        let mut out = before;
        for piece in composed.pieces(0, composed.size()) {
            match piece {
                Piece::Octets(octets) => out.extend_from_slice(octets),
                Piece::File(piece) => {
                    // Both lie within the file, which is held.
                    let start = piece.start as usize;
                    let octets = &self.files[piece.file][start..start + piece.length as usize];
                    out.extend(piece.encode(octets));
                }
            }
        }
        Ok((out, composed.needs_utf8()))
    }
}

impl<B: Backend> Call<'_, B> {
    pub(super) async fn send(
        &mut self,
        request: &Request,
        chance: [u8; 16],
        happened: &mut Option<Happened>,
    ) -> Result<Response, Not> {
        let given = request.given();
        let sheet = self.sheet_of(&given);
        let done = match given.get("act") {
            "discard" => return self.discard(&sheet).await,
            "draft" => match self.made(&sheet, &given, request, chance).await {
                Ok(made) => self.keep_by_hand(&sheet, made).await,
                Err(why) => Err(why),
            },
            _ => self.send_once(&sheet, &given, request, chance, happened).await,
        };
        match done {
            Ok(response) => Ok(response),
            // It comes back with what was written, and why it cannot be sent.
            Err(Why(mut why)) => {
                if !given.files.is_empty() {
                    why.push_str(" Choose the files again, please.");
                }
                Ok(self.sheet_with_files(422, &sheet, &why).await)
            }
        }
    }

    /// What stands on a sheet that was sent goes once, however often its button is pressed.
    async fn send_once(
        &mut self,
        sheet: &Sheet,
        given: &Given,
        request: &Request,
        chance: [u8; 16],
        happened: &mut Option<Happened>,
    ) -> Result<Response, Why> {
        let mail = self.mail;
        let visits = &mail.visits;
        if !visits.claim(&self.visit.id, &sheet.name) {
            visits.tell(&self.visit.id, "This letter was sent before; it went once.", None);
            return Ok(self.mail.see("/sent"));
        }
        let done = match self.made(sheet, given, request, chance).await {
            Ok(made) => self.submit(sheet, made, chance, happened).await,
            Err(why) => Err(why),
        };
        done.inspect_err(|_| visits.give_back(&self.visit.id, &sheet.name, &sheet.draft))
    }

    pub(super) async fn made(
        &mut self,
        sheet: &Sheet,
        given: &Given,
        request: &Request,
        chance: [u8; 16],
    ) -> Result<Made, Why> {
        let name = self.visit.name.clone();
        let domain = name.split_once('@').map(|(_, domain)| domain);
        let author = parse_person(&name, domain)?;
        let list = |text: &str| parse_people(text, domain);
        let (to, cc, bcc) = (list(&sheet.to)?, list(&sheet.cc)?, list(&sheet.bcc)?);
        let subject = sheet.subject.trim();
        let mut enclosed = Vec::new();
        for upload in &given.files {
            let octets = request.body.get(upload.octets.clone()).unwrap_or_default();
            enclosed.push(file(&upload.name, &upload.media_type, octets.to_vec())?);
        }
        for place in &sheet.kept {
            let kept = self.kept(place).await?;
            enclosed.push(kept);
            let held: usize = enclosed.iter().map(|one| one.octets.len()).sum();
            if held > FILES_MAX {
                return Err(Why("The files are larger than a letter may be.".to_owned()));
            }
        }
        let (attachments, files) = enclosed.into_iter().map(|one| (one.file, one.octets)).unzip();
        let (in_reply_to, references) = self.before(sheet).await?;
        let draft = Draft {
            from: vec![author],
            to,
            cc,
            in_reply_to,
            references,
            subject: (!subject.is_empty()).then(|| Text::new(subject)).transpose()?,
            text: Some(sheet.text.clone()),
            attachments,
            ..Draft::default()
        };
        let origin = Origin { unix_ms: self.desk.now.unix_ms, seed: chance };
        Ok(Made { draft, bcc, files, origin })
    }

    /// A file of a stored message.
    async fn kept(&mut self, place: &str) -> Result<Enclosed, Why> {
        let (message, at) = placed(place).ok_or(Reason::NotFound)?;
        let (folder, uid) = placed(message).ok_or(Reason::NotFound)?;
        let letter = self.desk.letter(folder, uid).await?;
        let part = letter.index.parts.get(at as usize).ok_or(Reason::NotFound)?;
        let octets = self.part(&letter, part, 2 * FILES_MAX as u64).await?;
        file(&file_name(part), &super::show::media_type(part), octets)
    }

    /// What a letter answers, and what came before that (RFC 5322 §3.6.4). One that is handed on is a new one.
    async fn before(
        &mut self,
        sheet: &Sheet,
    ) -> Result<(Option<MessageId>, Vec<MessageId>), Reason> {
        let Some((folder, uid)) = placed(&sheet.re).filter(|_| sheet.how != "forward") else {
            return Ok((None, Vec::new()));
        };
        // It may be gone meanwhile: then this is a new letter.
        let Ok(Letter { index, .. }) = self.desk.letter(folder, uid).await else {
            return Ok((None, Vec::new()));
        };
        let read = |field: Option<&Vec<u8>>| -> Vec<MessageId> {
            let ids = message_ids(field.map_or(&[][..], |field| &field[..]));
            ids.filter_map(|id| MessageId::new(&id).ok()).collect()
        };
        let id = read(index.envelope.message_id.as_ref()).into_iter().next();
        let mut references = read(index.references.as_ref());
        if references.is_empty() {
            let answered = read(index.envelope.in_reply_to.as_ref());
            // RFC 5322 §3.6.4: of several nobody knows which came first.
            references = if answered.len() == 1 { answered } else { Vec::new() };
        }
        references.extend(id.clone());
        if references.len() > REFERENCES_MAX {
            references.drain(1..references.len() + 1 - REFERENCES_MAX);
        }
        Ok((id, references))
    }

    async fn submit(
        &mut self,
        sheet: &Sheet,
        made: Made,
        chance: [u8; 16],
        happened: &mut Option<Happened>,
    ) -> Result<Response, Why> {
        let draft = &made.draft;
        let people = draft.to.iter().chain(&draft.cc).chain(&made.bcc);
        let recipients: Vec<Mailbox> = people.map(|person| person.mailbox.clone()).collect();
        if recipients.is_empty() {
            return Err(Why("Say to whom it goes.".to_owned()));
        }
        let mail = self.mail;
        let limits = &mail.limits;
        if recipients.len() > limits.recipients_max as usize {
            return Err(Why("These are more people than a letter may go to.".to_owned()));
        }
        let author = draft.from[0].mailbox.clone();
        let (backend, now) = (&self.mail.backend, self.desk.now);
        let (path, trace) = trace(backend.host_name(), &self.mail.peer, now, &author, chance);
        let (octets, smtputf8) = made.octets(draft, trace)?;
        if octets.len() as u64 > limits.message_max {
            return Err(Why("With its files it is larger than a letter may be.".to_owned()));
        }
        let hold_until_ms = self.hold_until_ms();
        let size = octets.len() as u64;
        let asked = mail.asked(self.desk.now, (&author, &recipients), (size, hold_until_ms));
        let letter = Submission {
            author,
            recipients,
            octets,
            return_path_octets: path,
            smtputf8,
            hold_until_ms,
        };
        let sent = submit(backend, self.mail.key, now, &self.visit.name, letter).await;
        let message = sent.map_err(|Refusal { reason, .. }| match reason {
            Reason::NotFound => Why("There is nobody of this address here.".to_owned()),
            Reason::OverQuota => Why("The mailbox of this address is full.".to_owned()),
            reason => reason.into(),
        })?;
        *happened = Some(Happened::Sent(self.visit.name.clone()));
        let kept = self.keep_copy(&made).await;
        let notice = if kept.is_ok() { "" } else { "It is sent, but no copy of it could be kept." };
        self.mail.visits.tell(&self.visit.id, notice, None);
        self.without_draft(sheet).await;
        let marked = self.mark_answered(sheet).await;
        if let Ok(Some(copy)) = kept {
            self.remember(message, copy.clone(), asked);
            if hold_until_ms.is_some() {
                self.may_be_taken_back(message, sheet, copy, marked);
            }
        }
        Ok(self.mail.see("/sent"))
    }

    /// That a message was answered is a hint to who reads; the letter is sent whether it is kept or not. The flags that are
    /// new.
    async fn mark_answered(&mut self, sheet: &Sheet) -> Option<Flags> {
        let (folder, uid) = placed(&sheet.re)?;
        let own = self.desk.letter(folder, uid).await.ok()?.row.flags;
        let flags = match &sheet.how[..] {
            "forward" => Flags { system: 0, keywords: vec![b"$Forwarded".to_vec()] },
            _ => system(ANSWERED),
        };
        let has_it = match flags.system {
            0 => own.keywords.iter().any(|word| is_forward(word)),
            flag => own.system & flag != 0,
        };
        let is_done = self.desk.flag(&one(uid), true, flags.clone()).await.is_ok();
        (is_done && !has_it).then_some(flags)
    }

    /// A copy for who wrote it, which says who got it blindly; where it is.
    async fn keep_copy(&mut self, made: &Made) -> Result<Option<String>, Why> {
        let Some(row) = for_use(&self.folders, SpecialUse::Sent) else { return Ok(None) };
        let name = row.name.clone();
        let draft = Draft { bcc: made.bcc.clone(), ..made.draft.clone() };
        let (octets, _) = made.octets(&draft, Vec::new())?;
        let appended = self.desk.put(&name, &octets, SEEN, None).await?;
        Ok(Some(appended_at(&name, &appended)))
    }
}

fn file(name: &str, media_type: &str, octets: Vec<u8>) -> Result<Enclosed, Why> {
    let name = FileName::new(name)?;
    let by_name = || MediaType::of_name(name.as_str());
    let media_type = MediaType::new(media_type).unwrap_or_else(|_| by_name());
    let file = File { name, media_type, size: octets.len() as u64 };
    Ok(Enclosed { file, octets })
}
