//! A mail catcher's view of a store: each message that came is there once, whoever got copies of it. For tests, which ask
//! what their program sent, and not in whose mailbox it lies.
//!
//! What stands in folders for drafts, for what was sent and for what was thrown away did not come, and is not looked at.

mod parts;
mod query;
mod send;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{
    Flags, MailboxesAsk, Row, RowsAsk, SpecialUse, StoreMode, UidRun,
};
use pillarbox_engine::message::{Index, Span};
use pillarbox_engine::types::{BlobId, BlobRange, Reason};

use super::Backend;
use crate::hub::SessionKey;
use crate::store::{AccountId, Expunge, MailboxId, SetFlags, Store, Write};

pub use parts::{Attached, attached, part_number, part_of};
pub use query::Query;
pub use send::{Letter, NotSent};

pub use super::web::show::media_type;

/// Rows, mailboxes and accounts that are read at once.
const PAGE: u32 = 500;
/// \Seen, as stores number system flags.
const SEEN: u8 = 8;
/// Octets of a message that are read at once.
const PIECE: u64 = 256 << 10;
/// Octets of a message's texts that a search reads.
const SEARCHED_MAX: u64 = 8 << 20;

/// A message that came.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Its name: never reused, and larger for what came later.
    pub id: BlobId,
    /// Its octets.
    pub size: u64,
    /// When it came, in milliseconds since 1970 UTC.
    pub came_ms: u64,
    /// Whether everybody who has it has read it.
    pub read: bool,
    /// Keywords of any copy, each once; see [`Caught::tags`].
    pub keywords: BTreeSet<Vec<u8>>,
    /// Whose mailboxes it lies in, by name.
    pub accounts: BTreeSet<Vec<u8>>,
    copies: Vec<(MailboxId, u32)>,
}

impl Caught {
    /// Keywords that are somebody's own, and none that programs agreed on (RFC 9051 §2.3.2).
    pub fn tags(&self) -> impl Iterator<Item = &[u8]> {
        self.keywords.iter().map(Vec::as_slice).filter(|word| query::is_tag(word))
    }
}

/// All messages of a store.
pub struct Catcher<B: Backend> {
    backend: Arc<B>,
    key: SessionKey,
}

impl<B: Backend> Catcher<B> {
    /// Of this store; what it changes, others are told of.
    #[must_use]
    pub fn new(backend: Arc<B>, key: SessionKey) -> Self {
        Self { backend, key }
    }

    /// Every message, the newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn all(&self) -> Result<Vec<Caught>, Reason> {
        self.found(None)
    }

    /// The messages that match, the newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn search(&self, query: &Query) -> Result<Vec<Caught>, Reason> {
        self.found(Some(query))
    }

    fn found(&self, query: Option<&Query>) -> Result<Vec<Caught>, Reason> {
        let mut all: BTreeMap<BlobId, Caught> = BTreeMap::new();
        let mut others = BTreeSet::new();
        self.each(query.is_some(), |account, mailbox, row| {
            if others.contains(&row.blob) {
                return Ok(());
            }
            if let Some(query) = query.filter(|_| !all.contains_key(&row.blob)) {
                let index = row.index.as_deref().and_then(|index| Index::decode(index).ok());
                if !self.says(query, &row, &index.unwrap_or_default())? {
                    others.insert(row.blob);
                    return Ok(());
                }
            }
            let caught = all.entry(row.blob).or_insert_with(|| Caught {
                id: row.blob,
                size: row.size,
                came_ms: row.internal_date_ms,
                read: true,
                keywords: BTreeSet::new(),
                accounts: BTreeSet::new(),
                copies: Vec::new(),
            });
            caught.read &= row.flags.system & SEEN != 0;
            caught.keywords.extend(row.flags.keywords);
            caught.accounts.insert(account.to_vec());
            caught.copies.push((mailbox, row.uid));
            Ok(())
        })?;
        let mut all: Vec<Caught> = all.into_values().rev().collect();
        // What concerns all copies together.
        all.retain(|caught| query.is_none_or(|query| query.fits(caught)));
        Ok(all)
    }

    /// Whether a message says what is searched for.
    fn says(&self, query: &Query, row: &Row, index: &Index) -> Result<bool, Reason> {
        if !query.says_head(row, index) {
            return Ok(false);
        }
        if !query.has_texts() {
            return Ok(true);
        }
        let (mut octets, mut left) = (Vec::new(), SEARCHED_MAX);
        for span in pillarbox_engine::message::texts::spans(index, row.size) {
            let end = span.end.min(span.start.saturating_add(left));
            left -= end - span.start;
            octets.extend(self.read(row.blob, Span { start: span.start, end })?);
        }
        let text = pillarbox_engine::message::texts::searchable(index, row.size, &octets);
        Ok(query.says_texts(&text))
    }

    /// Every copy of every message, with whose it is.
    fn each(
        &self,
        index: bool,
        mut act: impl FnMut(&[u8], MailboxId, Row) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        let store = self.backend.store();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let names = store.accounts(after.as_deref(), PAGE)?;
            let Some(last) = names.last().cloned() else { return Ok(()) };
            for name in &names {
                // It may be gone meanwhile, and its mailboxes too.
                let Some(account) = store.account(name)? else { continue };
                for mailbox in self.mailboxes(account)? {
                    match self.rows(mailbox, index, |row| act(name, mailbox, row)) {
                        Ok(()) | Err(Reason::NotFound) => {}
                        Err(reason) => return Err(reason),
                    }
                }
            }
            after = Some(last);
        }
    }

    fn mailboxes(&self, account: AccountId) -> Result<Vec<MailboxId>, Reason> {
        const OWN: [SpecialUse; 3] = [SpecialUse::Sent, SpecialUse::Drafts, SpecialUse::Trash];
        let store = self.backend.store();
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let ask = MailboxesAsk { after, max: PAGE, ..MailboxesAsk::default() };
            let page = store.mailboxes(account, &ask)?;
            after = page.rows.last().map(|row| row.name.clone());
            for row in page.rows {
                if row.exists && !row.special_uses.iter().any(|own| OWN.contains(own)) {
                    all.extend(store.mailbox(account, &row.name).ok());
                }
            }
            if !page.more || after.is_none() {
                return Ok(all);
            }
        }
    }

    fn rows(
        &self,
        mailbox: MailboxId,
        index: bool,
        mut act: impl FnMut(Row) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        let mut first = 1;
        loop {
            let uids = vec![UidRun { first, last: u32::MAX }];
            let ask = RowsAsk { uids, max: PAGE, index, changed_since: None };
            let page = self.backend.store().rows(mailbox, &ask)?;
            let Some(last) = page.rows.last().map(|row| row.uid) else { return Ok(()) };
            page.rows.into_iter().try_for_each(&mut act)?;
            match last.checked_add(1) {
                Some(next) if page.more => first = next,
                _ => return Ok(()),
            }
        }
    }

    /// What was found in a message at its delivery.
    ///
    /// # Errors
    /// [`Reason::NotFound`] if it is gone.
    pub fn index(&self, caught: &Caught) -> Result<Index, Reason> {
        for &(mailbox, uid) in &caught.copies {
            let uids = vec![UidRun { first: uid, last: uid }];
            let ask = RowsAsk { uids, max: 1, index: true, changed_since: None };
            let rows = self.backend.store().rows(mailbox, &ask);
            let row = rows.ok().and_then(|page| page.rows.into_iter().next());
            if let Some(row) = row.filter(|row| row.blob == caught.id) {
                let index = row.index.and_then(|index| Index::decode(&index).ok());
                return Ok(index.unwrap_or_else(|| Index::opaque(&[], caught.size)));
            }
        }
        Err(Reason::NotFound)
    }

    /// Octets of a message.
    ///
    /// # Errors
    /// [`Reason::NotFound`] if it is gone.
    pub fn octets(&self, caught: &Caught, span: Span) -> Result<Vec<u8>, Reason> {
        self.read(caught.id, span)
    }

    fn read(&self, blob: BlobId, span: Span) -> Result<Vec<u8>, Reason> {
        let (mut out, mut at) = (Vec::new(), span.start);
        while at < span.end {
            let length = (span.end - at).min(PIECE);
            out.extend(self.backend.store().octets(BlobRange { blob, offset: at, length })?);
            at += length;
        }
        Ok(out)
    }

    /// Marks every copy of messages as read, or as new.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn mark(&self, all: &[Caught], read: bool) -> Result<(), Reason> {
        let mode = if read { StoreMode::Add } else { StoreMode::Remove };
        for (mailbox, uids) in by_mailbox(all) {
            let flags = Flags { system: SEEN, keywords: Vec::new() };
            let may = Rights::ALL;
            let set = SetFlags { mailbox, uids, mode, flags, unchanged_since: None, may };
            match self.backend.write(self.key, Write::SetFlags(set)).await {
                Ok(_) | Err(Reason::NotFound) => {}
                Err(reason) => return Err(reason),
            }
        }
        Ok(())
    }

    /// Removes every copy of messages, for good.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn remove(&self, all: &[Caught]) -> Result<(), Reason> {
        for (mailbox, uids) in by_mailbox(all) {
            let expunge = Expunge { mailbox, uids, deleted_only: false };
            match self.backend.write(self.key, Write::Expunge(expunge)).await {
                Ok(_) | Err(Reason::NotFound) => {}
                Err(reason) => return Err(reason),
            }
        }
        Ok(())
    }
}

/// The copies of messages, by mailbox, as runs of UIDs.
fn by_mailbox(all: &[Caught]) -> BTreeMap<MailboxId, Vec<UidRun>> {
    let mut uids: BTreeMap<MailboxId, BTreeSet<u32>> = BTreeMap::new();
    for (mailbox, uid) in all.iter().flat_map(|caught| &caught.copies) {
        uids.entry(*mailbox).or_default().insert(*uid);
    }
    let runs = |uids: BTreeSet<u32>| {
        let mut runs: Vec<UidRun> = Vec::new();
        uids.into_iter().for_each(|uid| crate::store::push_uid(&mut runs, uid));
        runs
    };
    uids.into_iter().map(|(mailbox, uids)| (mailbox, runs(uids))).collect()
}
