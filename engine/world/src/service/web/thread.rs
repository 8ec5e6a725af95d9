//! Conversations: the messages that refer to each other (RFC 5322 §3.6.4), of a folder, of what arrives and of what was
//! sent. Messages are joined by what they refer to, as REFERENCES of RFC 5256 does it, and not by their subjects.

use std::borrow::Cow;
use std::collections::BTreeSet;

use pillarbox_engine::imap::types::SpecialUse;
use pillarbox_engine::message::Index;
use pillarbox_engine::message::ids::message_ids;
use pillarbox_engine::order::filled;

use super::Call;
use super::desk::{Letter, SEEN, for_use, newest};
use super::list::{moment, people, short, subject};
use super::page::{Html, title};
use crate::service::Backend;

/// Messages of each folder that are looked through, its newest.
const LOOKED_AT_MAX: u64 = 500;
/// Messages of a conversation that are shown, its newest.
const SHOWN_MAX: usize = 50;

/// References of one message that are looked at: its nearest ancestors.
const REFERENCES_MAX: usize = 64;

/// What a message is called, and what it refers to.
fn names(index: &Index) -> (Option<Vec<u8>>, Vec<Vec<u8>>) {
    let all = |field: Option<&Vec<u8>>| -> Vec<Vec<u8>> {
        message_ids(field.map_or(&[][..], |field| &field[..])).map(Cow::into_owned).collect()
    };
    let mut before = all(index.references.as_ref());
    before.extend(all(index.envelope.in_reply_to.as_ref()));
    before.drain(..before.len().saturating_sub(REFERENCES_MAX));
    (all(index.envelope.message_id.as_ref()).into_iter().next(), before)
}

/// A message that may belong to a conversation.
struct Member {
    folder: String,
    uid: u32,
    unix_ms: u64,
    subject: String,
    from: String,
    is_new: bool,
    id: Option<Vec<u8>>,
    before: Vec<Vec<u8>>,
    belongs: bool,
}

impl<B: Backend> Call<'_, B> {
    /// The conversation that a message belongs to, if there is more of it.
    pub(super) async fn conversation(&mut self, folder: &str, letter: &Letter, body: &mut Html) {
        let (id, before) = names(&letter.index);
        let mut known: BTreeSet<Vec<u8>> = filled(id.into_iter().chain(before));
        let sent = for_use(&self.folders, SpecialUse::Sent);
        let sent = sent.map(|row| String::from_utf8_lossy(&row.name).into_owned());
        let mut folders = vec![folder.to_owned(), "INBOX".to_owned()];
        folders.extend(sent);
        let mut all: Vec<Member> = Vec::new();
        for (at, name) in folders.iter().enumerate() {
            if !folders[..at].contains(name) && !known.is_empty() {
                self.members(name, &mut all).await;
            }
        }
        // Each turn finds what refers to what the turn before found.
        let mut grows = true;
        while grows {
            grows = false;
            for member in all.iter_mut().filter(|member| !member.belongs) {
                let mut own = member.id.iter().chain(&member.before);
                if own.any(|id| known.contains(id)) {
                    member.belongs = true;
                    grows = true;
                    known.extend(member.id.iter().chain(&member.before).cloned());
                }
            }
        }
        let mut seen = BTreeSet::new();
        // Of a message that is in two folders the one that is nearer is shown.
        all.retain(|member| {
            member.belongs && member.id.as_ref().is_none_or(|id| seen.insert(id.clone()))
        });
        pillarbox_engine::order::sort_by_key(&mut all, |member| member.unix_ms);
        all.drain(..all.len().saturating_sub(SHOWN_MAX));
        if all.len() > 1 {
            self.show_conversation((folder, letter.row.uid), &all, body);
        }
    }

    /// What there is in a folder; one that cannot be read has nothing to say here.
    async fn members(&mut self, folder: &str, all: &mut Vec<Member>) {
        let Ok(uids) = self.desk.open(folder).await else { return };
        for some in newest(&uids, 0, LOOKED_AT_MAX).chunks(200) {
            let letters = self.desk.letters_of(some).await.unwrap_or_default();
            all.extend(letters.into_iter().map(|Letter { row, index }| {
                let (id, before) = names(&index);
                let from = people(&index.envelope.from).next().map(short).unwrap_or_default();
                let is_new = row.flags.system & SEEN == 0;
                let (uid, unix_ms, subject) = (row.uid, row.internal_date_ms, subject(&index));
                let folder = folder.to_owned();
                Member { folder, uid, unix_ms, subject, from, is_new, id, before, belongs: false }
            }));
        }
    }

    fn show_conversation(&self, here: (&str, u32), all: &[Member], body: &mut Html) {
        let frame = self.frame();
        body.put("<h2>Conversation</h2>\n<ol class=thread>\n");
        for member in all {
            let is_here = (&member.folder[..], member.uid) == here;
            body.put(if is_here { "<li aria-current=true>" } else { "<li>" });
            let place = frame.at(&member.folder, &["/", &member.uid.to_string()].concat());
            match is_here {
                true => body.put("<b>").text(&member.subject).put("</b>"),
                false => body.link(&place, &member.subject),
            };
            body.put(" <span class=who>from ")
                .text(&member.from)
                .put("</span><span class=marks>, ");
            body.put(&moment(member.unix_ms));
            if member.folder != here.0 {
                body.put(", in ").text(&title(&member.folder));
            }
            body.put(if member.is_new { ", unread" } else { "" }).put("</span></li>\n");
        }
        body.put("</ol>\n");
    }
}
