//! What is done with messages: one, or several that were chosen.

use pillarbox_engine::imap::types::{Flags, SpecialUse, UidRun};
use pillarbox_engine::types::Reason;

use super::desk::{FLAGGED, SEEN, count, for_use, system};
use super::list::{page_of, query};
use super::page::title;
use super::visits::Undo;
use super::{Call, Not};
use crate::service::Backend;
use crate::store::push_uid;
use crate::web::{Given, Response};

/// The messages that a form names.
fn chosen(given: &Given) -> Vec<UidRun> {
    let mut uids: Vec<u32> = given.all("uid").filter_map(|text| text.parse().ok()).collect();
    uids.sort_unstable();
    uids.dedup();
    let mut runs = Vec::new();
    uids.into_iter().for_each(|uid| push_uid(&mut runs, uid));
    runs
}

/// So many messages, and what became of them.
fn said(uids: &[UidRun], what: &str) -> String {
    let number = count(uids);
    let messages = if number == 1 { " message " } else { " messages " };
    [&number.to_string(), messages, what].concat()
}

impl<B: Backend> Call<'_, B> {
    pub(super) async fn act(&mut self, given: &Given) -> Result<Response, Not> {
        let (folder, act, uids) = (given.get("in"), given.get("act"), chosen(given));
        let back = match given.get("stay") {
            // What changes a message that is shown leaves it there.
            uid if !uid.is_empty() && matches!(act, "flag" | "unflag") => ["/", uid].concat(),
            _ => query(page_of(given), given.get("q")),
        };
        if uids.is_empty() {
            self.tell("Nothing was done: no message was chosen.", None);
            return Ok(self.see(folder, &back));
        }
        self.desk.open(folder).await?;
        let (set, flags): (bool, Flags) = match act {
            "read" => (true, system(SEEN)),
            "unread" => (false, system(SEEN)),
            "flag" => (true, system(FLAGGED)),
            "unflag" => (false, system(FLAGGED)),
            "delete" => {
                self.delete(folder, &uids).await?;
                return Ok(self.see(folder, &back));
            }
            "move" => {
                self.transfer(folder, given.get("to"), &uids).await?;
                return Ok(self.see(folder, &back));
            }
            _ => return Err(Reason::NotFound.into()),
        };
        self.desk.flag(&uids, set, flags).await?;
        self.tell("", None);
        Ok(self.see(folder, &back))
    }

    fn tell(&self, notice: &str, undo: Option<Undo>) {
        self.mail.visits.tell(&self.visit.id, notice, undo);
    }

    /// Into the folder for what is deleted; from there, or where is none, for ever.
    pub(super) async fn delete(&mut self, folder: &str, uids: &[UidRun]) -> Result<(), Reason> {
        let trash = for_use(&self.folders, SpecialUse::Trash);
        match trash.filter(|row| row.name != folder.as_bytes()) {
            Some(row) => {
                let trash = String::from_utf8_lossy(&row.name).into_owned();
                self.transfer(folder, &trash, uids).await
            }
            None => {
                self.desk.remove(uids).await?;
                self.tell(&said(uids, "deleted for ever."), None);
                Ok(())
            }
        }
    }

    async fn transfer(&mut self, from: &str, to: &str, uids: &[UidRun]) -> Result<(), Reason> {
        let copied = self.desk.move_to(uids, to).await?;
        let what = said(&copied.target, &["moved to ", &title(to), "."].concat());
        let (from, to, uids) = (to.to_owned(), from.to_owned(), copied.target);
        let undo = (!uids.is_empty()).then_some(Undo { from, to, uids });
        self.tell(&what, undo);
        Ok(())
    }

    /// Moves back what was moved last.
    pub(super) async fn undo(&mut self) -> Result<Response, Not> {
        let Some(Undo { from, to, uids }) = self.visit.undo.take() else {
            self.tell("There is nothing to be undone.", None);
            return Ok(self.see("INBOX", ""));
        };
        self.desk.open(&from).await?;
        let copied = self.desk.move_to(&uids, &to).await?;
        let what = said(&copied.target, &["moved back to ", &title(&to), "."].concat());
        self.tell(&what, None);
        Ok(self.see(&to, ""))
    }
}
