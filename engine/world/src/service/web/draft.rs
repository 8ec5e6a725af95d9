//! Drafts: a sheet is kept while it is written, each time in place of what it was before, until it is sent or discarded.

use pillarbox_engine::imap::types::SpecialUse;
use pillarbox_engine::message::compose::{Draft, FieldName, Text, parse_people};
use pillarbox_engine::types::Reason;

use super::desk::{DRAFT, SEEN, appended_at, for_use, one};
use super::letter::{Made, Why};
use super::page::Html;
use super::write::{ANSWERS, Sheet, UNFINISHED, placed};
use super::{Call, Not};
use crate::service::Backend;
use crate::web::{Given, Request, Response, encoded};

impl<B: Backend> Call<'_, B> {
    /// The sheet that a form brings. What it was kept as last is known here too, so that a page which did not hear of it
    /// makes no second draft.
    pub(super) fn sheet_of(&self, given: &Given) -> Sheet {
        let mut sheet = Sheet::of(given);
        if let Some(draft) = self.mail.visits.draft_of(&self.visit.id, &sheet.name) {
            sheet.draft = draft;
        }
        sheet
    }

    /// Keeps a sheet as its page asks for it by itself: what is half written too. The response is what the page needs to go
    /// on with: the draft, and the files that are in it now.
    pub(super) async fn save(
        &mut self,
        request: &Request,
        chance: [u8; 16],
    ) -> Result<Response, Not> {
        let given = request.given();
        let sheet = self.sheet_of(&given);
        let text = |status, text: &str| Response {
            media_type: "text/plain; charset=utf-8".to_owned(),
            body: text.as_bytes().to_vec(),
            ..Response::of(status)
        };
        if self.mail.visits.is_sent(&self.visit.id, &sheet.name) {
            return Ok(text(409, "This letter was sent."));
        }
        match self.save_as_it_is(&sheet, &given, request, chance).await {
            Ok(draft) => {
                let (folder, uid) = placed(&draft).ok_or(Reason::StorageFailed)?;
                let letter = self.desk.letter(folder, uid).await?;
                let sheet = self.taken_up(&draft, &letter).await?;
                let mut body = Html::default();
                body.hidden("draft", &draft);
                self.kept_files(&sheet, &mut body).await;
                Ok(Response {
                    media_type: "text/html; charset=utf-8".to_owned(),
                    body: body.into_octets(),
                    ..Response::of(200)
                })
            }
            Err(Why(why)) => Ok(text(422, &why)),
        }
    }

    async fn save_as_it_is(
        &mut self,
        sheet: &Sheet,
        given: &Given,
        request: &Request,
        chance: [u8; 16],
    ) -> Result<String, Why> {
        let name = self.visit.name.clone();
        let domain = name.split_once('@').map(|(_, domain)| domain);
        let (mut ready, mut unfinished) = (sheet.clone(), Vec::new());
        let lists = [&mut ready.to, &mut ready.cc, &mut ready.bcc];
        for (list, field) in lists.into_iter().zip(UNFINISHED) {
            // Somebody is still typing it: it is kept as text.
            if parse_people(list, domain).is_err() {
                unfinished.push((FieldName::new(field)?, Text::new(list)?));
                list.clear();
            }
        }
        let mut made = self.made(&ready, given, request, chance).await?;
        made.draft.fields.extend(unfinished);
        self.keep(sheet, made).await
    }

    /// Puts a letter into the folder for drafts, in place of what it was before; where it is then.
    async fn keep(&mut self, sheet: &Sheet, made: Made) -> Result<String, Why> {
        let drafts = for_use(&self.folders, SpecialUse::Drafts).map(|row| row.name.clone());
        let drafts = drafts.ok_or_else(|| Why("There is no folder for drafts.".to_owned()))?;
        let mut draft = Draft { bcc: made.bcc.clone(), ..made.draft.clone() };
        if !sheet.re.is_empty() {
            let answers = [&sheet.how, " ", &sheet.re[..]].concat();
            draft.fields.push((FieldName::new(ANSWERS)?, Text::new(&answers)?));
        }
        let (octets, _) = made.octets(&draft, Vec::new())?;
        let replaces = self.own_draft(&sheet.draft).await;
        let flags = DRAFT | SEEN;
        let appended = match self.desk.put(&drafts, &octets, flags, replaces).await {
            // It went at this very moment: what was written is not lost with it.
            Err(Reason::NotFound) if replaces.is_some() => {
                self.desk.put(&drafts, &octets, flags, None).await
            }
            appended => appended,
        }?;
        let place = appended_at(&drafts, &appended);
        self.mail.visits.keep(&self.visit.id, &sheet.name, &sheet.draft, &place);
        Ok(place)
    }

    pub(super) async fn keep_by_hand(
        &mut self,
        sheet: &Sheet,
        made: Made,
    ) -> Result<Response, Why> {
        let place = self.keep(sheet, made).await?;
        self.mail.visits.tell(&self.visit.id, "The draft is kept.", None);
        Ok(self.mail.see(&["/write?draft=", &encoded(&place)].concat()))
    }

    /// The draft at a place, if it is one; its folder is open then.
    async fn own_draft(&mut self, place: &str) -> Option<u32> {
        let (folder, uid) = placed(place)?;
        let own = self.desk.letter(folder, uid).await.ok()?;
        (own.row.flags.system & DRAFT != 0).then_some(uid)
    }

    /// The draft that a letter was is no more. One that cannot be removed is there twice, which harms less than losing it.
    pub(super) async fn without_draft(&mut self, sheet: &Sheet) {
        if let Some(uid) = self.own_draft(&sheet.draft).await {
            _ = self.desk.remove(&one(uid)).await;
        }
    }

    /// Nobody wants the letter any more; its draft goes where all goes that is deleted.
    pub(super) async fn discard(&mut self, sheet: &Sheet) -> Result<Response, Not> {
        let draft = sheet.draft.clone();
        match self.own_draft(&draft).await.zip(placed(&draft)) {
            Some((uid, (folder, _))) => self.delete(folder, &one(uid)).await?,
            None => self.mail.visits.tell(&self.visit.id, "The letter is discarded.", None),
        }
        // Whoever goes back to its page begins anew.
        self.mail.visits.give_back(&self.visit.id, &sheet.name, "");
        Ok(self.see("INBOX", ""))
    }
}
