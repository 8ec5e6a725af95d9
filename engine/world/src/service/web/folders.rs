//! Folders: which there are, making, renaming and deleting them.

use pillarbox_engine::imap::types::{Ask, CreateAsk, MailboxRow, RenameAsk, SubscribeAsk};
use pillarbox_engine::types::Reason;

use super::page::{Html, purpose, title};
use super::{Call, Not, told};
use crate::service::Backend;
use crate::web::{Given, Response, encoded};

/// Octets of a folder's name.
const NAME_MAX: usize = 255;

/// A name that somebody gives a folder, if it can be one: levels with something in each of them.
fn named(text: &str) -> Option<&str> {
    let name = text.trim().trim_matches('/');
    let wrong = |c: char| c.is_control() || matches!(c, '*' | '%');
    let is_name = name.split('/').all(|level| !level.trim().is_empty());
    (is_name && name.len() <= NAME_MAX && !name.contains(wrong)).then_some(name)
}

impl<B: Backend> Call<'_, B> {
    pub(super) fn show_folders(&self, status: u16, why: &str) -> Response {
        let frame = self.frame();
        let mut body = Html::default();
        body.put("<ul class=list>\n");
        for row in &self.folders {
            let name = String::from_utf8_lossy(&row.name);
            body.put("<li>");
            match row.selectable {
                true => body.link(&frame.at(&name, ""), &title(&name)),
                false => body.text(&name),
            };
            if let Some(status) = &row.status {
                body.put(", ").number(status.messages.into()).put(" messages, ");
                body.number(status.unseen.into()).put(" unread");
            }
            let purpose = purpose(row);
            if !purpose.is_empty() {
                body.put(": ").put(purpose);
            }
            if row.name != b"INBOX" {
                let place = [frame.base, "/folders/delete?name=", &encoded(&name)].concat();
                body.put("</li>\n<li class=more>").link(&place, &["Delete ", &name].concat());
            }
            body.put("</li>\n");
        }
        body.put("</ul>\n<h2>A new folder</h2>\n");
        let form =
            ["<form class=sheet method=post action=\"", frame.base, "/folders\">\n"].concat();
        body.put(&form).field("Name, with / between levels", "name=name maxlength=255", "");
        body.put("<p>").button("create", "Create").put("</form>\n<h2>Another name</h2>\n");
        body.put(&form).put("<p><label>Folder <select name=from>\n");
        for row in self.folders.iter().filter(|row| row.name != b"INBOX") {
            let name = String::from_utf8_lossy(&row.name);
            body.put("<option value=\"").text(&name).put("\">").text(&name);
        }
        body.put("</select></label>\n").field("New name", "name=name maxlength=255", "");
        body.put("<p>").button("rename", "Rename").put("</form>\n");
        frame.page(status, "Folders", why, &body)
    }

    fn folder(&self, name: &str) -> Result<&MailboxRow, Reason> {
        self.folders.iter().find(|row| row.name == name.as_bytes()).ok_or(Reason::NotFound)
    }

    /// The question before a folder is deleted.
    pub(super) fn ask_to_delete(&self, name: &str) -> Result<Response, Not> {
        let row = self.folder(name)?;
        let frame = self.frame();
        let mut body = Html::default();
        body.put("<p>");
        let messages = row.status.as_ref().map_or(0, |status| status.messages);
        body.number(messages.into()).put(" messages are in it, and go with it for ever.\n");
        body.put("<form method=post action=\"").put(frame.base).put("/folders\">\n");
        body.hidden("name", name).put("<p class=tools>").button("delete", "Delete for ever");
        body.put("</form>\n<p>").link(&[frame.base, "/folders"].concat(), "Keep it").put("\n");
        let question = ["Delete ", &title(name), "?"].concat();
        Ok(frame.page(200, &question, "", &body))
    }

    pub(super) async fn change_folders(&mut self, given: &Given) -> Result<Response, Not> {
        let (act, name) = (given.get("act"), given.get("name"));
        let done = if act == "delete" {
            self.folder(name)?;
            self.desk.ask(Ask::Delete(name.as_bytes().to_vec())).await
        } else {
            let Some(name) = named(name) else {
                let why = "A folder needs a name: at most 255 octets, without * and %.";
                return Ok(self.show_folders(422, why));
            };
            let name = name.as_bytes().to_vec();
            match act {
                "create" => {
                    let ask = CreateAsk { name: name.clone(), special_uses: Vec::new() };
                    let done = self.desk.ask(Ask::Create(ask)).await;
                    // Other programs of this person show the folders that are subscribed.
                    let ask = SubscribeAsk { name, subscribed: true };
                    if done.is_ok() { self.desk.ask(Ask::Subscribe(ask)).await } else { done }
                }
                "rename" => {
                    let from = given.get("from").as_bytes().to_vec();
                    self.desk.ask(Ask::Rename(RenameAsk { from, to: name })).await
                }
                _ => Err(Reason::NotFound),
            }
        };
        match done {
            Ok(_) => Ok(self.mail.see("/folders")),
            Err(reason) => {
                let (status, why) = told(reason);
                Ok(self.show_folders(status, why))
            }
        }
    }
}
