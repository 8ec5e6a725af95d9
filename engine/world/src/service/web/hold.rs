//! A letter that was sent can be taken back for a while, since the queue holds it so long (RFC 4865), whatever becomes of the
//! page. Who takes it back gets it as a draft again.

use pillarbox_engine::imap::types::{Flags, SpecialUse};
use pillarbox_engine::message::Span;
use pillarbox_engine::types::{BlobId, Reason};

use super::desk::{DRAFT, SEEN, appended_at, for_use, one};
use super::page::Html;
use super::visits::Held;
use super::write::{ANSWERS, Sheet, placed};
use super::{Call, Not};
use crate::queue::{Action, Queue, Steer, Which};
use crate::service::Backend;
use crate::store::{Outcome, Write};
use crate::web::{Given, Response, encoded};

/// Milliseconds in which a letter can be taken back, for hosts that hold letters.
pub const UNDO_MS: u64 = 5000;
/// So much longer the queue holds it: what was asked in time is done in time, though it had a way to go.
const SPARE_MS: u64 = 1000;
/// Tasks of one letter.
const TASKS_MAX: u32 = 1000;

/// What came of taking a letter back.
enum Recalled {
    /// Nobody gets it.
    All,
    /// It was under way.
    TooLate,
    /// Some of it was.
    Partly,
    /// The queue was slow: it is out of it now, and may have been under way.
    Unsure,
}

impl<B: Backend> Call<'_, B> {
    /// Until when a letter that is sent now waits, on the clock of this request; none: it goes at once. Who has no folder for
    /// copies or for drafts would not get it back.
    pub(super) fn hold_until_ms(&self) -> Option<u64> {
        let has = |usage| for_use(&self.folders, usage).is_some();
        let holds = self.mail.undo_ms > 0 && has(SpecialUse::Sent) && has(SpecialUse::Drafts);
        holds.then(|| self.desk.now.unix_ms + self.mail.undo_ms + SPARE_MS)
    }

    /// A letter was sent that the queue holds.
    pub(super) fn may_be_taken_back(
        &self,
        message: BlobId,
        sheet: &Sheet,
        copy: String,
        marked: Option<Flags>,
    ) {
        let tasks = self.mail.backend.store().tasks(message, 0, TASKS_MAX).unwrap_or_default();
        let Some(until_ms) = tasks.iter().map(|task| task.due_ms).min() else { return };
        let held = Held {
            message,
            recipients: tasks.iter().map(|task| task.recipients.len()).sum(),
            until_ms,
            sheet: sheet.name.clone(),
            copy,
            answers: match sheet.re.is_empty() {
                true => String::new(),
                false => [&sheet.how, " ", &sheet.re[..]].concat(),
            },
            marked,
        };
        self.mail.visits.hold(&self.visit.id, held);
    }

    /// Letters that can be taken back still, with a button for each.
    pub(super) fn held(&self, body: &mut Html) -> bool {
        let now_ms = self.mail.backend.queue_ms(self.desk.now);
        let mut any = false;
        for held in &self.visit.held {
            let Some(left_ms) = held.until_ms.checked_sub(now_ms + SPARE_MS) else { continue };
            any = true;
            body.put("<form class=\"undo held\" method=post action=\"").put(self.mail.base);
            body.put("/unsend\" data-left=").number(left_ms).put(">\n");
            body.hidden("letter", &held.message.to_string());
            body.put("<button>Undo send</button></form>\n");
        }
        any
    }

    pub(super) fn sent(&self) -> Response {
        let mut body = Html::default();
        let why = match (&self.visit.notice[..], self.held(&mut body)) {
            ("", true) => {
                "Your server holds the letter for 5 seconds. Then it sees to it that it arrives, whether this page is \
                 open or not."
            }
            ("", false) => "Your server has the letter, and sees to it that it arrives.",
            (notice, _) => notice,
        };
        let last = self.mail.visits.sent(self.visit.account, |_| true);
        if let Some((folder, uid)) = last.as_ref().and_then(|last| placed(&last.copy)) {
            let place = self.frame().at(folder, &["/", &uid.to_string(), "/smtp"].concat());
            body.put("<p>").link(&place, "Show me the SMTP").put("\n");
        }
        self.mail.visits.told(&self.visit.id);
        self.frame().page(200, "Sent", why, &body)
    }

    /// Takes a letter back, if it is held still.
    pub(super) async fn unsend(&mut self, given: &Given) -> Result<Response, Not> {
        let mail = self.mail;
        let visits = &mail.visits;
        let number = given.get("letter").parse().ok();
        let Some(held) = number.and_then(|number| visits.take_held(&self.visit.id, number)) else {
            visits.tell(&self.visit.id, "There is no letter that could be taken back.", None);
            return Ok(self.mail.see("/sent"));
        };
        let recalled = match self.recall(&held).await {
            Ok(recalled) => recalled,
            Err(reason) => {
                // Nobody knows, and it may be tried again.
                visits.hold(&self.visit.id, held);
                return Err(reason.into());
            }
        };
        let said = match recalled {
            Recalled::All => "It is not sent. Here is the letter again.",
            Recalled::Unsure => {
                "It was taken back at the last moment and may have been sent all the same. Here is the letter again."
            }
            Recalled::Partly => {
                "It was too late: the letter has gone to some of these people already, and goes to the others."
            }
            Recalled::TooLate => "It was too late: the letter is sent.",
        };
        if !matches!(recalled, Recalled::All | Recalled::Unsure) {
            visits.tell(&self.visit.id, said, None);
            return Ok(self.mail.see("/sent"));
        }
        let place = match self.opened_again(&held).await {
            Ok(place) => place,
            Err(_) => {
                let said =
                    "It is not sent. It could not be made a draft again: look for it in Sent.";
                visits.tell(&self.visit.id, said, None);
                return Ok(self.mail.see("/sent"));
            }
        };
        visits.give_back(&self.visit.id, &held.sheet, &place);
        visits.forget_sent(held.message);
        visits.tell(&self.visit.id, said, None);
        Ok(self.mail.see(&["/write?draft=", &encoded(&place)].concat()))
    }

    async fn recall(&self, held: &Held) -> Result<Recalled, Reason> {
        let backend = &self.mail.backend;
        let tasks = backend.store().tasks(held.message, 0, TASKS_MAX)?;
        let waiting: usize = tasks.iter().map(|task| task.recipients.len()).sum();
        let now_ms = backend.queue_ms(self.desk.now);
        if tasks.is_empty() || tasks.iter().all(|task| task.due_ms <= now_ms) {
            return Ok(Recalled::TooLate);
        }
        if waiting < held.recipients {
            return Ok(Recalled::Partly);
        }
        let which = Which::Message(held.message);
        let steer = Steer { which, after: 0, action: Action::Recall { now_ms } };
        let outcome = backend.write(self.mail.key, Write::Steer(steer)).await?;
        let Outcome::Steered(steered) = outcome else { return Err(Reason::StorageFailed) };
        // What is due is read again before it is sent; so what went before it was due was sent by nobody.
        let due_ms = tasks.iter().map(|task| task.due_ms).min().unwrap_or(0);
        Ok(match steered.tasks {
            0 => Recalled::TooLate,
            _ if backend.queue_ms(self.desk.now) >= due_ms => Recalled::Unsure,
            _ => Recalled::All,
        })
    }

    /// The copy of a letter becomes a draft, and what the letter answered is not answered any more; where the draft is.
    async fn opened_again(&mut self, held: &Held) -> Result<String, Reason> {
        let drafts = for_use(&self.folders, SpecialUse::Drafts).ok_or(Reason::NotFound)?;
        let drafts = drafts.name.clone();
        let (folder, uid) = placed(&held.copy).ok_or(Reason::NotFound)?;
        let letter = self.desk.letter(folder, uid).await?;
        let all = Span { start: 0, end: letter.row.size };
        let mut octets = self.desk.octets(&letter.row, all).await?;
        if !held.answers.is_empty() {
            // As short as a folder's name; a draft that was kept has it in the same way.
            let field = [ANSWERS, ": ", &held.answers, "\r\n"].concat();
            octets.splice(0..0, field.into_bytes());
        }
        let appended = self.desk.put(&drafts, &octets, DRAFT | SEEN, None).await?;
        // The copy says that it was sent.
        _ = self.desk.remove(&one(uid)).await;
        let re = held.answers.split_once(' ').map_or("", |(_, re)| re);
        if let (Some(flags), Some((folder, uid))) = (held.marked.clone(), placed(re))
            && self.desk.letter(folder, uid).await.is_ok()
        {
            _ = self.desk.flag(&one(uid), false, flags).await;
        }
        Ok(appended_at(&drafts, &appended))
    }
}
