//! `POST /api/snapshot` and `/api/restore`: the mail of everybody as it was, put back by the same changes that a client would
//! make. So sessions that are open are told of each of them, no UID ever means another message, and what did not change keeps
//! its number. Of mail it covers users, mailboxes, subscriptions, messages and flags; the queue, faults, quotas, rights and
//! annotations stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use pillarbox_engine::imap::rights::Rights;
use pillarbox_engine::imap::types::{
    Flags, MailboxRow, MailboxesAsk, Row, RowsAsk, StoreMode, UidRun,
};
use pillarbox_engine::types::{BlobId, BlobRange, Reason};
use pillarbox_world::store::{
    AccountId, Append, Body, Create, Expunge, MailboxId, Named, NewMessage, Outcome, SetFlags,
    Stage, Store, Subscribe, WHOLE_MAX, Write,
};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{Answer, Api, Refused, asked};

/// Snapshots that are kept; one more has to take the name of another.
const SNAPSHOTS_MAX: usize = 16;
/// Octets of mail in all of them, each message counted once in each.
const OCTETS_MAX: u64 = 256 << 20;
/// Rows, or names, that are read at once.
const PAGE: u32 = 500;
/// The name of a snapshot that has none.
const UNNAMED: &str = "default";
const NAME_MAX: usize = 64;

/// What was kept, by name. Whoever holds the lock takes or restores one: two at once would undo each other.
pub(super) type Snapshots = Mutex<BTreeMap<String, Arc<Snapshot>>>;

/// All mail at one moment.
#[derive(Default)]
pub(super) struct Snapshot {
    accounts: BTreeMap<Vec<u8>, Vec<Mailbox>>,
    messages: usize,
    octets: u64,
}

struct Mailbox {
    row: MailboxRow,
    messages: Vec<Message>,
}

struct Message {
    row: Row,
    plain: bool,
    octets: Arc<[u8]>,
}

impl Snapshot {
    fn told(&self, name: &str) -> Value {
        json!({
            "name": name,
            "users": self.accounts.len(),
            "messages": self.messages,
            "octets": self.octets,
        })
    }
}

/// `POST /api/snapshot?name=`: keeps all mail as it is now.
pub(super) async fn take(State(api): State<Api>, uri: Uri) -> Answer {
    let name = named(&uri)?;
    let mut all = api.snapshots.lock().await;
    let others = all.iter().filter(|(other, _)| **other != name);
    let (count, octets) =
        others.fold((0, 0), |(count, sum), (_, one)| (count + 1, sum + one.octets));
    if count >= SNAPSHOTS_MAX {
        let what = format!("{count} snapshots are kept already; give this one the name of another");
        return Err(Refused(StatusCode::CONFLICT, what));
    }
    let taken = api.work(move |api| read(api.store().reads(), OCTETS_MAX - octets)).await?;
    let told = taken.told(&name);
    all.insert(name, Arc::new(taken));
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

/// `POST /api/restore?name=`: all mail as it was then.
pub(super) async fn restore(State(api): State<Api>, uri: Uri) -> Answer {
    let name = named(&uri)?;
    let all = Arc::clone(&api.snapshots).lock_owned().await;
    let Some(wanted) = all.get(&name).cloned() else {
        let known: Vec<&str> = all.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        let what = format!(
            "{name}: there is no such snapshot; POST /api/snapshot takes one; there are: {known}"
        );
        return Err(Refused(StatusCode::NOT_FOUND, what));
    };
    let told = wanted.told(&name);
    // Whoever asked may hang up: what was begun is done to its end.
    let done = tokio::spawn(async move {
        let _all = all;
        api.put_back(&wanted).await
    });
    let broke = |_| {
        Refused(StatusCode::INTERNAL_SERVER_ERROR, "restore: the server broke on this".to_owned())
    };
    done.await.map_err(broke)??;
    Ok(Json(told).into_response())
}

fn named(uri: &Uri) -> Result<String, Refused> {
    let name = asked(uri).get("name").to_owned();
    if name.is_empty() {
        return Ok(UNNAMED.to_owned());
    }
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match name.len() <= NAME_MAX && name.chars().all(is_fine) {
        true => Ok(name),
        false => Err(Refused::wrong("name: expected up to 64 of letters, digits, -, _ and .")),
    }
}

fn read(store: &dyn Store, octets_max: u64) -> Result<Snapshot, Refused> {
    let mut taken = Snapshot::default();
    let mut known: BTreeMap<BlobId, Arc<[u8]>> = BTreeMap::new();
    for name in accounts(store)? {
        let Some(account) = store.account(&name)? else { continue };
        let mut mailboxes = Vec::new();
        for row in names(store, account)? {
            let mut messages = Vec::new();
            if row.selectable {
                let mailbox = store.mailbox(account, &row.name)?;
                let plain = store.maildrop(mailbox)?.into_iter();
                let plain: BTreeMap<u32, bool> = plain.map(|one| (one.uid, one.plain)).collect();
                for row in rows(store, mailbox, true)? {
                    let octets = match known.get(&row.blob) {
                        Some(octets) => Arc::clone(octets),
                        None => {
                            taken.octets += row.size;
                            if taken.octets > octets_max {
                                let what = "more than 256 MiB of mail in all snapshots are not kept; delete some, or give this one the name of another";
                                return Err(Refused(
                                    StatusCode::PAYLOAD_TOO_LARGE,
                                    what.to_owned(),
                                ));
                            }
                            match whole(store, &row) {
                                // It went meanwhile.
                                Err(Reason::NotFound) => continue,
                                octets => octets?,
                            }
                        }
                    };
                    known.insert(row.blob, Arc::clone(&octets));
                    let plain = plain.get(&row.uid).copied().unwrap_or_default();
                    messages.push(Message { row, plain, octets });
                }
            }
            taken.messages += messages.len();
            mailboxes.push(Mailbox { row, messages });
        }
        taken.accounts.insert(name, mailboxes);
    }
    Ok(taken)
}

fn accounts(store: &dyn Store) -> Result<Vec<Vec<u8>>, Reason> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        let page = store.accounts(all.last().map(|last| &last[..]), PAGE)?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// An account's own mailboxes, and names that are only subscribed.
fn names(store: &dyn Store, account: AccountId) -> Result<Vec<MailboxRow>, Reason> {
    let mut all: Vec<MailboxRow> = Vec::new();
    loop {
        let after = all.last().map(|last| last.name.clone());
        let ask = MailboxesAsk { after, prefix: Vec::new(), max: PAGE, status: false };
        let page = store.mailboxes(account, &ask)?;
        let more = page.more && !page.rows.is_empty();
        all.extend(page.rows);
        if !more {
            return Ok(all);
        }
    }
}

fn rows(store: &dyn Store, mailbox: MailboxId, index: bool) -> Result<Vec<Row>, Reason> {
    let mut all: Vec<Row> = Vec::new();
    loop {
        let first = all.last().map_or(Some(1), |last| last.uid.checked_add(1));
        let Some(first) = first else { return Ok(all) };
        let uids = vec![UidRun { first, last: u32::MAX }];
        let page = store.rows(mailbox, &RowsAsk { uids, max: PAGE, index, changed_since: None })?;
        let is_last = page.rows.is_empty();
        all.extend(page.rows);
        if is_last {
            return Ok(all);
        }
    }
}

fn whole(store: &dyn Store, row: &Row) -> Result<Arc<[u8]>, Reason> {
    let mut octets = Vec::new();
    while (octets.len() as u64) < row.size {
        let offset = octets.len() as u64;
        let length = (WHOLE_MAX as u64).min(row.size - offset);
        octets.extend(store.octets(BlobRange { blob: row.blob, offset, length })?);
    }
    Ok(octets.into())
}

/// What should be gone may be gone already.
fn gone(done: Result<Outcome, Refused>) -> Result<(), Refused> {
    match done {
        Err(Refused(StatusCode::NOT_FOUND, _)) | Ok(_) => Ok(()),
        Err(refused) => Err(refused),
    }
}

impl Api {
    async fn put_back(&self, wanted: &Snapshot) -> Result<(), Refused> {
        for name in self.work(|api| Ok(accounts(api.store().reads())?)).await? {
            if !wanted.accounts.contains_key(&name) {
                gone(self.write(Write::RemoveAccount(name)).await)?;
            }
        }
        for (name, mailboxes) in &wanted.accounts {
            let made = self.write(Write::EnsureAccount(name.clone())).await?;
            let Outcome::Account(account) = made else { return Err(Reason::Unsupported.into()) };
            self.put_names_back(account, mailboxes).await?;
            for Mailbox { row, messages } in mailboxes.iter().filter(|one| one.row.selectable) {
                self.put_messages_back(account, &row.name, messages).await?;
            }
        }
        Ok(())
    }

    async fn put_names_back(&self, account: AccountId, wanted: &[Mailbox]) -> Result<(), Refused> {
        let now = self.work(move |api| Ok(names(api.store().reads(), account)?)).await?;
        let there = |all: &mut dyn Iterator<Item = &MailboxRow>| -> BTreeSet<Vec<u8>> {
            all.filter(|row| row.selectable).map(|row| row.name.clone()).collect()
        };
        let (is, was) =
            (there(&mut now.iter()), there(&mut wanted.iter().map(|mailbox| &mailbox.row)));
        // Those below go first: one with others below it would leave its name.
        for name in is.iter().rev().filter(|name| !was.contains(*name) && *name != b"INBOX") {
            gone(self.write(Write::Delete(Named { account, name: name.clone() })).await)?;
        }
        for Mailbox { row, .. } in wanted {
            let name = row.name.clone();
            if row.selectable && !is.contains(&name) {
                let create = Create { account, name, special_uses: row.special_uses.clone() };
                self.write(Write::Create(create)).await?;
            }
        }
        let subscribed = |all: &mut dyn Iterator<Item = &MailboxRow>| -> BTreeSet<Vec<u8>> {
            all.filter(|row| row.subscribed).map(|row| row.name.clone()).collect()
        };
        let (is, was) =
            (subscribed(&mut now.iter()), subscribed(&mut wanted.iter().map(|one| &one.row)));
        for name in is.symmetric_difference(&was).cloned() {
            let subscribed = was.contains(&name);
            self.write(Write::Subscribe(Subscribe { account, name, subscribed })).await?;
        }
        Ok(())
    }

    async fn put_messages_back(
        &self,
        account: AccountId,
        name: &[u8],
        wanted: &[Message],
    ) -> Result<(), Refused> {
        let named = name.to_vec();
        let (mailbox, now) = self
            .work(move |api| {
                let store = api.store().reads();
                let mailbox = store.mailbox(account, &named)?;
                Ok((mailbox, rows(store, mailbox, false)?))
            })
            .await?;
        let was: BTreeMap<(u32, BlobId), &Message> =
            wanted.iter().map(|message| ((message.row.uid, message.row.blob), message)).collect();
        let is: BTreeMap<(u32, BlobId), &Flags> =
            now.iter().map(|row| ((row.uid, row.blob), &row.flags)).collect();
        let new = is.keys().filter(|key| !was.contains_key(key));
        let uids: Vec<UidRun> = new.map(|(uid, _)| UidRun { first: *uid, last: *uid }).collect();
        if !uids.is_empty() {
            self.write(Write::Expunge(Expunge { mailbox, uids, deleted_only: false })).await?;
        }
        for (key, message) in was {
            match is.get(&key) {
                None => self.append(account, name, message).await?,
                Some(flags) if **flags != message.row.flags => {
                    let uids = vec![UidRun { first: key.0, last: key.0 }];
                    let (mode, flags) = (StoreMode::Replace, message.row.flags.clone());
                    let (unchanged_since, may) = (None, Rights::ALL);
                    let change = SetFlags { mailbox, uids, mode, flags, unchanged_since, may };
                    self.write(Write::SetFlags(change)).await?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn append(
        &self,
        account: AccountId,
        name: &[u8],
        message: &Message,
    ) -> Result<(), Refused> {
        let Message { row, plain, octets } = message;
        let body = if octets.len() <= WHOLE_MAX {
            Body::Whole(octets.to_vec())
        } else {
            let upload = self.store().reads().upload();
            for piece in octets.chunks(WHOLE_MAX) {
                self.write(Write::Stage(Stage { upload, octets: piece.to_vec() })).await?;
            }
            Body::Staged(upload, octets.len() as u64)
        };
        let message = NewMessage {
            body,
            index: row.index.clone().unwrap_or_default(),
            plain: *plain,
            flags: row.flags.clone(),
            internal_date_ms: row.internal_date_ms,
            internal_date_zone: row.internal_date_zone,
        };
        let (messages, name) = (vec![message], name.to_vec());
        let (replaces, now_ms) = (None, self.now_ms());
        self.write(Write::Append(Append { account, name, messages, replaces, now_ms })).await?;
        Ok(())
    }
}
