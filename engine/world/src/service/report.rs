//! Reports (RFC 3464) as deliveries: made from what is due, and put where mail for the sender goes.
//! What is due and what a report says is left to `pillarbox_engine::relay`.

use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::relay::{Due, Notice, Queued, Report, Times};
use pillarbox_engine::smtp::{MailFrom, Mailbox, RcptTo};
use pillarbox_engine::types::Reason;

use super::trust::{Letter, Signed};
use super::{Backend, Directory, Elsewhere};
use crate::queue::{Enqueue, LOCAL, NewTask, TLS_OPTIONAL};
use crate::store::{Body, Deliver, NewMessage, Store};

/// RFC 5321 §4.4: a report's own return path, for the copies that are delivered here.
const RETURN_PATH: &[u8] = b"Return-Path: <>\r\n";

/// The message that a report is about.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// MAIL as it was given to us.
    pub mail: &'a MailFrom,
    /// When it came.
    pub came_unix_ms: u64,
    /// Its first octets: as many as `pillarbox_engine::relay::octets_wanted` says, or all.
    pub octets: Vec<u8>,
    /// All of its octets.
    pub size: u64,
    /// Its name in the queue, if it has one.
    pub log_id: Option<Vec<u8>>,
}

/// A report as a delivery to the sender, here or elsewhere; none if none may be made.
///
/// # Errors
/// [`Reason::NotFound`] and [`Reason::NotPermitted`] if the sender is unknown here: then nobody can be told.
pub async fn report<B: Backend>(
    backend: &B,
    due: Due,
    about: About<'_>,
    now_ms: u64,
) -> Result<Option<Deliver>, Reason> {
    let unique = format!("{now_ms:x}n{:x}", backend.store().upload()).into_bytes();
    let report = Report {
        due,
        host_name: backend.host_name().to_vec(),
        now_unix_ms: now_ms,
        came_unix_ms: about.came_unix_ms,
        mail: about.mail.clone(),
        ret_max: None,
        message: about.octets,
        message_size: about.size,
        log_id: about.log_id,
        unique,
    };
    let Some(Notice { mail, recipient, octets }) = backend.make_report(&report) else {
        return Ok(None);
    };
    let to = &recipient.forward_path;
    let taken = backend.directory().recipient(to, true).map_err(|refusal| refusal.reason)?;
    let mut octets = [RETURN_PATH, &octets].concat();
    if !taken.elsewhere.is_empty() {
        octets = signed(backend, &mail, octets).await?;
    }
    let size = octets.len() as u64;
    let indexed = backend.index(octets, size).await?;
    let message = NewMessage {
        body: Body::Whole(indexed.octets),
        index: indexed.index,
        plain: indexed.plain,
        flags: Flags::default(),
        internal_date_ms: now_ms,
        internal_date_zone: 0,
    };
    let times = Times { came_unix_ms: now_ms, ..Times::default() };
    let mut relay = None;
    if !taken.elsewhere.is_empty() {
        let mut tasks = Tasks::default();
        for Elsewhere { address, destination } in taken.elsewhere {
            tasks.add(destination, with_path(&recipient, address));
        }
        relay = Some(Enqueue {
            mail,
            skip: RETURN_PATH.len() as u64,
            times,
            priority: 0,
            by: b"report".to_vec(),
            tls_optional: false,
            tasks: tasks.due(now_ms, backend.notice_unix_ms(&times, now_ms)?),
        });
    }
    let (accounts, reports) = (taken.accounts, Vec::new());
    Ok(Some(Deliver { accounts, junk: false, relay, message, reports, now_ms }))
}

/// The report with a signature, if this host has a key for itself. Reports are made in seven bits unless they go by
/// SMTPUTF8, so no server on the way encodes them anew.
async fn signed<B: Backend>(
    backend: &B,
    mail: &MailFrom,
    octets: Vec<u8>,
) -> Result<Vec<u8>, Reason> {
    let skip = RETURN_PATH.len();
    let letter = Letter {
        content: &octets,
        skip: skip as u64,
        sender: mail,
        peer: b"",
        helo: b"",
        account: None,
        is_own: false,
        wide: false,
        leaves: true,
    };
    match backend.sign(letter).await? {
        Signed::With(edit) => Ok([&octets[..skip], &edit.before, &octets[skip..]].concat()),
        Signed::SevenBitFirst => Ok(octets),
    }
}

/// A recipient at another address, as an alias gives it.
pub(super) fn with_path(recipient: &RcptTo, address: Mailbox) -> RcptTo {
    RcptTo { forward_path: address, ..recipient.clone() }
}

/// Recipients by destination, in the order in which destinations were first named.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks(Vec<NewTask>);

impl Tasks {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a recipient; the same address twice is one.
    pub(super) fn add(&mut self, destination: Vec<u8>, recipient: RcptTo) {
        let same = |task: &&mut NewTask| task.destination == destination;
        let task = match self.0.iter_mut().find(same) {
            Some(task) => task,
            None => {
                self.0.push(NewTask { destination, ..NewTask::default() });
                self.0.last_mut().expect("one was just added")
            }
        };
        let known = |queued: &Queued| queued.recipient.forward_path == recipient.forward_path;
        if !task.recipients.iter().any(known) {
            task.recipients.push(Queued { recipient, ..Queued::default() });
        }
    }

    /// They may go without TLS (RFC 8689), so they wait by themselves: not behind mail that may not.
    pub(super) fn without_need_of_tls(&mut self) {
        for task in self.0.iter_mut().filter(|task| task.destination != LOCAL) {
            task.destination.extend_from_slice(TLS_OPTIONAL);
        }
    }

    /// All of them, due then.
    pub(super) fn due(self, due_ms: u64, notice_ms: u64) -> Vec<NewTask> {
        self.0.into_iter().map(|task| NewTask { due_ms, notice_ms, ..task }).collect()
    }
}
