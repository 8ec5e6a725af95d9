//! Answers an SMTP server session: who may send, whose mail is taken, and one transaction for the whole message.

use std::sync::Arc;

use pillarbox_engine::imap::types::Flags;
use pillarbox_engine::relay::{Attempted, Fared, Handover, Queued, Times};
use pillarbox_engine::sasl::LoginAnswer;
use pillarbox_engine::smtp::client::types::{EnhancedStatus, Failure, Fate, Reply, Stage};
use pillarbox_engine::smtp::grammar::parse_mailbox;
use pillarbox_engine::smtp::{
    Answer, Ask, Body, Committed, Envelope, Event, MailFrom, Mailbox, RcptTo, Server,
};
use pillarbox_engine::types::{BlobRange, Now, Reason, Refusal};

use super::content::Content;
use super::report::{About, Tasks, report, with_path};
use super::trust::{Bringer, Edit, Judged, Letter, Octets, Signed};
use super::{Backend, Directory, Elsewhere, Indexer, Service, Taken, log_in, unstage};
use crate::hub::SessionKey;
use crate::queue::{Enqueue, LOCAL};
use crate::store::{Body as Stored, Deliver, NewMessage, Outcome, Store, Write};

/// Who hands mail over, as far as it decides what is taken.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Whether mail for anywhere is taken without a login.
    pub relays: bool,
    /// Its address.
    pub name: Vec<u8>,
    /// Whether the senders of what it brings are judged.
    pub bringer: Bringer,
}

/// A message that was made durable, for the log.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// The name given in the reply.
    pub id: Vec<u8>,
    /// The reverse path, empty for the null path.
    pub from: Vec<u8>,
    /// Accounts that got it.
    pub accounts: Vec<Vec<u8>>,
    /// Addresses that it is queued for.
    pub queued: Vec<Vec<u8>>,
    /// Octets.
    pub size: u64,
}

/// Whom a transaction is about, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parties {
    /// The reverse path, empty for the null path; none before MAIL.
    pub from: Option<Vec<u8>>,
    /// The recipient that was named last; once the message has come, all that were taken, at most [`Parties::TO_MAX`].
    pub to: Vec<Vec<u8>>,
}

impl Parties {
    /// Recipients that are named.
    pub const TO_MAX: usize = 10;
}

/// Answers one SMTP server session.
pub struct SmtpService<B: Backend> {
    backend: Arc<B>,
    key: SessionKey,
    client: Client,
    /// The name that it gave itself.
    helo: Vec<u8>,
    account: Option<Vec<u8>>,
    /// A trusted peer speaks for an account that is not here: nobody may send then.
    is_nobody: bool,
    /// All authors of the message that is being taken are addresses of the account's own.
    is_own: bool,
    /// Until when the queue holds what is sent, on the session's wall clock, whatever MAIL says.
    holds_until_ms: Option<u64>,
    transaction: Transaction,
    content: Content,
    delivered: Option<Delivery>,
    parties: Parties,
}

/// What was said of a message before its content.
#[derive(Default)]
struct Transaction {
    sender: MailFrom,
    /// Accounts that get it, each once: two addresses of one account are one copy (RFC 5321 §3.9 says nothing against
    /// it).
    accounts: Vec<Vec<u8>>,
    /// Recipients that have accounts here.
    here: Vec<RcptTo>,
    elsewhere: Vec<Onward>,
    /// Members of aliases that nobody has; the way is none.
    lost: Vec<Onward>,
    queued: Vec<Vec<u8>>,
}

/// A recipient that goes elsewhere from here, or nowhere.
struct Onward {
    to: RcptTo,
    destination: Vec<u8>,
    /// The recipient that it stands for has accounts here too.
    beside_accounts: bool,
}

impl Transaction {
    fn add(&mut self, to: &RcptTo, taken: Taken) {
        let beside_accounts = !taken.accounts.is_empty();
        if beside_accounts {
            self.here.push(to.clone());
        }
        for account in taken.accounts {
            if !self.accounts.contains(&account) {
                self.accounts.push(account);
            }
        }
        for Elsewhere { address, destination } in taken.elsewhere {
            self.queued.push(printed(&address));
            let to = with_path(to, address);
            self.elsewhere.push(Onward { to, destination, beside_accounts });
        }
        for address in taken.unknown {
            if !self.lost.iter().any(|known| known.to.forward_path == address) {
                let to = with_path(to, address);
                self.lost.push(Onward { to, destination: Vec::new(), beside_accounts });
            }
        }
    }
}

impl<B: Backend> SmtpService<B> {
    /// A service for the connection `key`, of someone who may relay only after a login.
    pub fn new(backend: Arc<B>, key: SessionKey) -> Self {
        Self {
            backend,
            key,
            client: Client::default(),
            helo: Vec::new(),
            account: None,
            is_nobody: false,
            is_own: false,
            holds_until_ms: None,
            transaction: Transaction::default(),
            content: Content::default(),
            delivered: None,
            parties: Parties::default(),
        }
    }

    /// The same for someone who is known.
    #[must_use]
    pub fn of(mut self, client: Client) -> Self {
        self.client = client;
        self
    }

    /// The same for an account that has logged in another way than this session knows.
    pub(crate) fn signed_in(mut self, account: Vec<u8>) -> Self {
        self.account = Some(account);
        self
    }

    /// The same where the queue holds what is sent until then, on the session's wall clock. It is nobody else's to hold, so no
    /// other server is told of it.
    pub(crate) fn holding(mut self, until_ms: Option<u64>) -> Self {
        self.holds_until_ms = until_ms;
        self
    }

    /// Takes the fact of the last delivery, for the log.
    pub fn take_delivery(&mut self) -> Option<Delivery> {
        self.parties = Parties::default();
        self.delivered.take()
    }

    /// Whom the last ask, and what the session says of it, is about.
    pub fn parties(&self) -> &Parties {
        &self.parties
    }

    /// Whom the ask was about that was just refused; one that is not made again with others is over with that.
    pub fn refused_parties(&mut self) -> Parties {
        // Only a recipient leaves a transaction open.
        if self.transaction.sender == MailFrom::default() && self.transaction.here.is_empty() {
            return std::mem::take(&mut self.parties);
        }
        self.parties.clone()
    }

    /// Notes whom an ask is about.
    fn note_parties(&mut self, ask: &Ask) {
        match ask {
            Ask::Sender(mail) => {
                let from = mail.reverse_path.as_ref().map_or_else(Vec::new, printed);
                self.parties = Parties { from: Some(from), to: Vec::new() };
            }
            Ask::Recipient(to) => self.parties.to = vec![printed(&to.forward_path)],
            Ask::Commit(_) => {
                let here = self.transaction.here.iter().map(|to| printed(&to.forward_path));
                let to = here.chain(self.transaction.queued.iter().cloned());
                self.parties.to = to.take(Parties::TO_MAX).collect();
            }
            // Octets of a message are about whom it is about.
            Ask::Chunk(_) => {}
            _ => self.parties = Parties::default(),
        }
    }

    fn reset(&mut self) {
        self.transaction = Transaction::default();
        self.content.drop_staged(&*self.backend);
    }

    fn sender(&mut self, sender: MailFrom) -> Result<(), Refusal> {
        self.reset();
        if self.is_nobody {
            let text = b"The account that XCLIENT names is not here".to_vec();
            return Err(Refusal { reason: Reason::NotPermitted, text: Some(text) });
        }
        // The null path is anybody's: reports and notifications (RFC 8098) come from it.
        if let (Some(account), Some(from)) = (&self.account, &sender.reverse_path) {
            self.backend.directory().sender(account, from)?;
        }
        self.backend.has_room(sender.size.unwrap_or(0)).map_err(Refusal::new)?;
        if self.account.is_none() && !self.client.relays {
            self.backend.admits_message(&self.client.name)?;
        }
        self.transaction.sender = sender;
        Ok(())
    }

    /// VRFY (RFC 5321 §3.5): the mailbox, if mail for it ends here.
    fn verified(&self, name: &[u8]) -> Result<Vec<Mailbox>, Refusal> {
        self.named(name).map(|(mailbox, _)| vec![mailbox])
    }

    /// EXPN (RFC 5321 §3.5): whom an alias stands for. A mailbox is no list.
    fn expanded(&self, name: &[u8]) -> Result<Vec<Mailbox>, Refusal> {
        let (mailbox, taken) = self.named(name)?;
        let here = taken.accounts.iter().filter_map(|account| parse_mailbox(account, true).ok());
        let elsewhere = taken.elsewhere.into_iter().map(|elsewhere| elsewhere.address);
        let members: Vec<Mailbox> = here.chain(elsewhere).collect();
        let is_own = |member: &Mailbox| {
            let base = mailbox.local_part.split(|octet| *octet == b'+').next().unwrap_or_default();
            let locals = [&mailbox.local_part[..], base];
            member.domain.eq_ignore_ascii_case(&mailbox.domain)
                && locals.iter().any(|local| member.local_part.eq_ignore_ascii_case(local))
        };
        if members.is_empty() || members.iter().all(is_own) {
            return Err(Refusal::new(Reason::NotFound));
        }
        Ok(members)
    }

    /// Who is meant (RFC 5321 §3.5.1): an address, alone or behind a person's name, or a user's name at one of the domains
    /// here; and where mail for it goes.
    fn named(&self, name: &[u8]) -> Result<(Mailbox, Taken), Refusal> {
        // RFC 6531 §3.7.4.2: the parameter says only what the reply may hold.
        let name = name.trim_ascii();
        let name = match name.iter().rposition(|octet| *octet == b' ') {
            Some(at) if name[at + 1..].eq_ignore_ascii_case(b"SMTPUTF8") => name[..at].trim_ascii(),
            _ => name,
        };
        let inside = name.strip_suffix(b">").and_then(|name| {
            name.iter().rposition(|octet| *octet == b'<').map(|at| &name[at + 1..])
        });
        let name = inside.unwrap_or(name);
        let directory = self.backend.directory();
        let mut meant: Vec<Mailbox> = parse_mailbox(name, true).into_iter().collect();
        if meant.is_empty() {
            let domains = [vec![self.backend.host_name().to_vec()], directory.domains()].concat();
            let at = |domain: Vec<u8>| parse_mailbox(&[name, b"@", &domain].concat(), true).ok();
            meant = domains.into_iter().filter_map(at).collect();
        }
        let found = meant.into_iter().find_map(|mailbox| {
            let taken = directory.recipient(&mailbox, false).ok()?;
            (!taken.is_nobody()).then_some((mailbox, taken))
        });
        found.ok_or_else(|| Refusal::new(Reason::NotFound))
    }

    fn recipient(&mut self, to: &RcptTo) -> Result<(), Refusal> {
        let may_relay = self.client.relays || self.account.is_some();
        let taken = self.backend.directory().recipient(&to.forward_path, may_relay)?;
        // An account that is full takes nothing more; what comes at the same moment may fill it a little beyond.
        for account in &taken.accounts {
            if self.backend.store().is_full(account).map_err(Refusal::new)? {
                return Err(Refusal::new(Reason::OverQuota));
            }
        }
        if let Some(account) = &self.account {
            self.backend.admits_recipient(account)?;
        }
        self.transaction.add(to, taken);
        Ok(())
    }

    async fn commit(
        &mut self,
        now: Now,
        envelope: &mut Envelope,
        indexer: &mut dyn Indexer,
    ) -> Result<Committed, Refusal> {
        let (last, index) = (std::mem::take(&mut envelope.last), envelope.index.take());
        let added = self.content.add_last(&*self.backend, self.key, last, index).await;
        added.map_err(Refusal::new)?;
        self.is_own = self.writes_as_itself(&envelope.authors)?;
        // RFC 6531 §3.5: a server without SMTPUTF8 must not get it as it is.
        self.transaction.sender.smtputf8 |= envelope.utf8_undeclared;
        self.declare_body(envelope).map_err(Refusal::new)?;
        let junk = self.consider(envelope).await?;
        if self.transaction.elsewhere.is_empty() {
            self.drop_return_paths(envelope.return_path_octets).await.map_err(Refusal::new)?;
        }
        let size = self.content.size();
        let date = (now.unix_ms, 0);
        let (backend, flags) = (&*self.backend, Flags::default());
        let message = self.content.take_message(backend, self.key, indexer, flags, date).await;
        let message = message.map_err(Refusal::new)?;
        let transaction = std::mem::take(&mut self.transaction);
        let staged = message.body.staged();
        let from = transaction.sender.reverse_path.as_ref().map_or_else(Vec::new, printed);
        let (accounts, queued) = (transaction.accounts.clone(), transaction.queued.clone());
        let outcome = match self.deliver(now, envelope, transaction, message, (size, junk)).await {
            Ok(deliver) => self.backend.write(self.key, Write::Deliver(Box::new(deliver))).await,
            Err(reason) => Err(reason),
        };
        let outcome = outcome.inspect_err(|_| unstage(&*self.backend, staged));
        let outcome = outcome.map_err(Refusal::new)?;
        let Outcome::Delivered(blob) = outcome else {
            return Err(Refusal::new(Reason::StorageFailed));
        };
        let id = blob.to_string().into_bytes();
        self.delivered = Some(Delivery { id: id.clone(), from, accounts, queued, size });
        Ok(Committed { id, fates: Vec::new() })
    }

    /// Has a message that goes on sent as what it is, whatever MAIL said: one with eight bits only where they are taken
    /// (RFC 6152 §3), and one with lines that are too long for a text (RFC 5321 §4.5.3.1.6) as no text at all (RFC 3030
    /// §3). A server that takes neither gets it encoded.
    fn declare_body(&mut self, envelope: &Envelope) -> Result<(), Reason> {
        let body = self.transaction.sender.body;
        if self.transaction.elsewhere.is_empty() || body == Body::BinaryMime {
            return Ok(());
        }
        if self.content.has_long_line(&*self.backend, envelope.return_path_octets)? {
            self.transaction.sender.body = Body::BinaryMime;
        } else if envelope.eight_bit && body == Body::SevenBit {
            self.transaction.sender.body = Body::EightBitMime;
        }
        Ok(())
    }

    /// RFC 5321 §4.4: at the final delivery there is one Return-Path, our own. A message that goes on is nobody's to look
    /// into for that.
    async fn drop_return_paths(&mut self, skip: u64) -> Result<(), Reason> {
        let (backend, key) = (&*self.backend, self.key);
        let without = self.content.fields_named(backend, skip, b"Return-Path")?;
        self.content.edit(backend, key, skip, Edit { before: Vec::new(), without }).await
    }

    /// Whether all authors are addresses of the account's own.
    ///
    /// # Errors
    /// It may not write as one of them.
    fn writes_as_itself(&self, authors: &[Mailbox]) -> Result<bool, Refusal> {
        let Some(account) = &self.account else { return Ok(false) };
        let mut own = !authors.is_empty();
        for author in authors {
            own &= self.backend.directory().author(account, author)?;
        }
        Ok(own)
    }

    /// Has a stranger's message judged, or one of ours signed, before it is stored; true if it goes where junk goes.
    async fn consider(&mut self, envelope: &Envelope) -> Result<bool, Refusal> {
        let skip = envelope.return_path_octets;
        let is_ours = self.account.is_some() || self.client.relays;
        if !is_ours && self.client.bringer == Bringer::Stranger {
            let lying = self.content.lying(&*self.backend);
            let judged = self.backend.judge(self.letter(&lying, envelope)).await?;
            let Judged { edit, junk } = judged;
            let edited = self.content.edit(&*self.backend, self.key, skip, edit).await;
            edited.map_err(Refusal::new)?;
            return Ok(junk);
        }
        if is_ours && !self.transaction.elsewhere.is_empty() {
            self.sign(envelope).await.map_err(Refusal::new)?;
        }
        Ok(false)
    }

    async fn sign(&mut self, envelope: &Envelope) -> Result<(), Reason> {
        let (skip, key) = (envelope.return_path_octets, self.key);
        let lying = self.content.lying(&*self.backend);
        let mut signed = self.backend.sign(self.letter(&lying, envelope)).await?;
        if signed == Signed::SevenBitFirst {
            if self.content.seven_bit(&*self.backend, key, skip).await? {
                self.transaction.sender.body = Body::SevenBit;
            }
            let lying = self.content.lying(&*self.backend);
            let letter = Letter { wide: false, ..self.letter(&lying, envelope) };
            signed = self.backend.sign(letter).await?;
        }
        match signed {
            Signed::With(edit) => self.content.edit(&*self.backend, key, skip, edit).await,
            Signed::SevenBitFirst => Ok(()),
        }
    }

    fn letter<'a>(&'a self, content: &'a dyn Octets, envelope: &Envelope) -> Letter<'a> {
        Letter {
            content,
            skip: envelope.return_path_octets,
            sender: &self.transaction.sender,
            peer: &self.client.name,
            helo: &self.helo,
            account: self.account.as_deref(),
            is_own: self.is_own,
            // SMTPUTF8 goes only where eight bits are taken (RFC 6531 §3.1).
            wide: (envelope.eight_bit && !self.transaction.sender.smtputf8)
                || self.transaction.sender.body == Body::BinaryMime,
            leaves: !self.transaction.elsewhere.is_empty(),
        }
    }

    /// One write for all recipients, with the reports that are due at once.
    async fn deliver(
        &self,
        now: Now,
        envelope: &Envelope,
        transaction: Transaction,
        message: NewMessage,
        (size, junk): (u64, bool),
    ) -> Result<Deliver, Reason> {
        let backend = &*self.backend;
        let Transaction { sender, mut accounts, mut here, mut elsewhere, mut lost, .. } =
            transaction;
        let now_ms = backend.queue_ms(now);
        let mut times = times(backend, &sender, now, now_ms)?;
        if let Some(until_ms) = self.holds_until_ms {
            times.hold_until_unix_ms = Some(now_ms + until_ms.saturating_sub(now.unix_ms));
        }
        let due_ms = match times.hold_until_unix_ms {
            Some(_) => backend.first_attempt(&times, now_ms)?,
            None => now_ms,
        };
        let mut tasks = Tasks::default();
        if due_ms > now_ms {
            // RFC 4865: nobody gets it before, those here included; what they stand for is looked up then, all of it.
            accounts.clear();
            elsewhere.retain(|onward| !onward.beside_accounts);
            lost.retain(|onward| !onward.beside_accounts);
            here.drain(..).for_each(|to| tasks.add(LOCAL.to_vec(), to));
        }
        elsewhere.into_iter().for_each(|onward| tasks.add(onward.destination, onward.to));
        if junk {
            // Its sender is somebody else, as likely as not.
            lost.clear();
        }
        let fates = fates(&sender, here, lost);
        let skip = envelope.return_path_octets;
        let reports = self.reports(&sender, &times, fates, &message.body, (skip, size)).await?;
        if envelope.tls_optional {
            tasks.without_need_of_tls();
        }
        let relay = if tasks.is_empty() {
            None
        } else {
            Some(Enqueue {
                skip,
                priority: sender.priority.unwrap_or(0),
                mail: sender,
                times,
                by: self.account.as_ref().unwrap_or(&self.client.name).clone(),
                tls_optional: envelope.tls_optional,
                tasks: tasks.due(due_ms, backend.notice_unix_ms(&times, times.came_unix_ms)?),
            })
        };
        Ok(Deliver { accounts, junk, relay, message, reports, now_ms: now.unix_ms })
    }

    /// Reports on what became of a message at once: that it lies in a mailbox, to senders who asked for it
    /// (RFC 3461 §5.2.3), and that it reached nobody at an address that an alias names (RFC 5321 §6.1).
    async fn reports(
        &self,
        sender: &MailFrom,
        times: &Times,
        fates: Vec<(RcptTo, Fate)>,
        body: &Stored,
        (skip, size): (u64, u64),
    ) -> Result<Vec<Deliver>, Reason> {
        let backend = &*self.backend;
        if fates.is_empty() {
            return Ok(Vec::new());
        }
        let server = Some(backend.host_name().to_vec());
        let fared = |fate| Fared { fate, server: server.clone(), handover: Handover::Final };
        let (recipients, fared) = fates
            .into_iter()
            .map(|(recipient, fate)| (Queued { recipient, ..Queued::default() }, fared(fate)))
            .unzip();
        let settled = backend.settle(Attempted {
            schedule: backend.schedule(),
            times: *times,
            now_unix_ms: times.came_unix_ms,
            mail: sender.clone(),
            recipients,
            fared,
            seed: 0,
        })?;
        let mut reports = Vec::new();
        for due in settled.reports {
            let wanted = backend.octets_wanted(due.kind, sender, size - skip)?.min(size - skip);
            let octets = beginning(backend.store(), body, skip, wanted)?;
            let (mail, came_unix_ms) = (sender, times.came_unix_ms);
            let about = About { mail, came_unix_ms, octets, size: size - skip, log_id: None };
            match report(backend, due, about, times.came_unix_ms).await {
                Ok(made) => reports.extend(made),
                // Nobody is there who could be told; that keeps no mail from its recipients.
                Err(Reason::NotFound | Reason::NotPermitted) => {}
                Err(reason) => return Err(reason),
            }
        }
        Ok(reports)
    }
}

/// What became of recipients, as far as their sender is told of it.
fn fates(sender: &MailFrom, here: Vec<RcptTo>, lost: Vec<Onward>) -> Vec<(RcptTo, Fate)> {
    let traced = sender.deliver_by.is_some_and(|by| by.trace);
    let asks = |to: &RcptTo| traced || to.notify.is_some_and(|notify| notify.success);
    let here = here.into_iter().filter(asks).map(|to| (to, lies_here()));
    here.chain(lost.into_iter().map(|onward| (onward.to, is_not_here()))).collect()
}

/// What is said of an address that nobody has.
fn is_not_here() -> Fate {
    let diagnosis = "5.1.1 No such mailbox here".to_owned();
    Fate::Failed(Failure { stage: Stage::Recipient, reply: None, diagnosis })
}

/// What a mailbox says of a message that lies in it.
fn lies_here() -> Fate {
    let status = Some(EnhancedStatus { class: 2, subject: 1, detail: 5 });
    Fate::Accepted(Reply { code: 250, status, lines: vec![b"Delivered to the mailbox".to_vec()] })
}

/// Octets of a message that is not stored yet.
fn beginning<S: Store + ?Sized>(
    store: &S,
    body: &Stored,
    skip: u64,
    length: u64,
) -> Result<Vec<u8>, Reason> {
    match body {
        Stored::Whole(octets) => {
            let range = usize::try_from(skip).ok().zip(usize::try_from(skip + length).ok());
            let found = range.and_then(|(start, end)| octets.get(start..end));
            found.map(<[u8]>::to_vec).ok_or(Reason::StorageFailed)
        }
        Stored::Staged(upload, _) => store.staged(*upload, skip, length),
    }
}

fn printed(mailbox: &Mailbox) -> Vec<u8> {
    if mailbox.domain.is_empty() {
        return mailbox.local_part.clone();
    }
    [&mailbox.local_part[..], &mailbox.domain].join(&b'@')
}

/// What the sender wants about time, on the queue's clock.
fn times<B: Backend>(
    backend: &B,
    sender: &MailFrom,
    now: Now,
    now_ms: u64,
) -> Result<Times, Reason> {
    if sender.deliver_by.is_none() && sender.hold_until_ms.is_none() {
        // Nearly all mail wants nothing, and nobody needs to be asked what that means.
        return Ok(Times { came_unix_ms: now_ms, ..Times::default() });
    }
    // RFC 4865 gives a moment on the wall clock of the session; the queue counts from now on its own.
    let hold = sender.hold_until_ms.map(|at| at.saturating_sub(now.unix_ms));
    let hold_until_unix_ms = hold.filter(|hold| *hold > 0).map(|hold| now_ms + hold);
    Ok(Times { hold_until_unix_ms, ..backend.times_of(sender, now_ms)? })
}

impl<B: Backend> Service<Server> for SmtpService<B> {
    async fn answer(&mut self, now: Now, ask: Ask, indexer: &mut dyn Indexer) -> Answer {
        let done =
            |outcome: Result<(), Refusal>| outcome.map_or_else(Answer::Refused, |()| Answer::Done);
        self.note_parties(&ask);
        match ask {
            Ask::Login(credentials) => {
                // What is large and seldom is apart on the heap, so that a connection does not rest with room for it.
                let login = Box::pin(log_in(&*self.backend, self.key, credentials));
                let (bound, answer) = login.await;
                if matches!(answer, LoginAnswer::Accepted(_)) {
                    self.account = bound.map(|bound| bound.name);
                    self.is_nobody = false;
                }
                Answer::Login(answer)
            }
            Ask::Sender(sender) => done(self.sender(sender)),
            Ask::Recipient(to) => done(self.recipient(&to)),
            Ask::Chunk(octets) => done(
                self.content.add(&*self.backend, self.key, &octets).await.map_err(Refusal::new),
            ),
            Ask::Commit(mut envelope) => {
                match Box::pin(self.commit(now, &mut envelope, indexer)).await {
                    Ok(committed) => Answer::Committed(committed),
                    Err(refusal) => {
                        self.reset();
                        Answer::Refused(refusal)
                    }
                }
            }
            Ask::Flush(flush) => {
                let begun = self.backend.flush(&flush).map_err(Refusal::new);
                begun.map_or_else(Answer::Refused, Answer::Flushing)
            }
            // Asked only where the session's configuration lets everybody know.
            Ask::Verify(name) => {
                self.verified(&name).map_or_else(Answer::Refused, Answer::Mailboxes)
            }
            Ask::Expand(name) => {
                self.expanded(&name).map_or_else(Answer::Refused, Answer::Mailboxes)
            }
            // Whoever has faults answers before this is asked.
            Ask::Phase(_) => Answer::Done,
        }
    }

    fn octets(&mut self, _range: BlobRange) -> Result<Vec<u8>, Reason> {
        Err(Reason::NotPermitted)
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Reset => {
                self.reset();
                self.parties = Parties::default();
            }
            Event::Greeted(name) => self.helo.clone_from(name),
            Event::Forwarded(told) => {
                // Somebody else is there now, and what the peer itself may do is not for them.
                self.reset();
                let bringer = match (self.client.bringer, &told.login) {
                    (Bringer::Relay | Bringer::Stranger, None) => Bringer::Stranger,
                    (bringer, _) => bringer,
                };
                if let Some(helo) = &told.helo {
                    self.helo.clone_from(helo);
                }
                let name = told.peer.address.clone();
                self.client = Client { relays: false, name, bringer };
                let login = told.login.as_ref();
                self.account = login.and_then(|name| self.backend.directory().known(name));
                self.is_nobody = login.is_some() && self.account.is_none();
            }
            _ => {}
        }
    }

    fn call(&mut self) -> Option<<Server as pillarbox_engine::Role>::Call> {
        None
    }

    fn account(&self) -> Option<&[u8]> {
        self.account.as_deref()
    }
}

impl<B: Backend> Drop for SmtpService<B> {
    fn drop(&mut self) {
        self.content.drop_staged(&*self.backend);
    }
}
