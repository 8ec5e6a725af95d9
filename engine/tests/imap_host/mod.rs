//! A host of a few mailboxes in memory, and a way to talk to an IMAP session over it.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet};

use pillarbox_engine::imap::Server;
use pillarbox_engine::imap::types::*;
use pillarbox_engine::imap::url_token::AccessKey;
use pillarbox_engine::limits::Limits;
use pillarbox_engine::message::{Envelope, Index, Part, PartKind, Span};
use pillarbox_engine::sasl::{Account, AuthOffer, Credentials, LoginAnswer, Mechanism};
use pillarbox_engine::text::{address, date, header};
use pillarbox_engine::types::{BlobRange, Misuse, Now, Reason, Refusal, TlsFacts, TlsOffer};
use pillarbox_engine::{Output, Session};

/// Of all mailboxes.
pub const KEY: AccessKey = AccessKey::new([7; 32]);

#[derive(Clone)]
pub struct Stored {
    pub uid: u32,
    pub octets: Vec<u8>,
    pub flags: Flags,
    pub date_ms: u64,
    pub modseq: u64,
}

#[derive(Clone, Default)]
pub struct Mailbox {
    pub messages: Vec<Stored>,
    pub uid_next: u32,
    pub subscribed: bool,
    /// Only its subscription is there.
    pub gone: bool,
    pub special_uses: Vec<SpecialUse>,
    /// What went, with its mod-sequence.
    pub expunged: Vec<(u64, u32)>,
    /// Of what went at or before this one nothing is known.
    pub forgotten: u64,
}

#[derive(Clone)]
pub struct Host {
    pub mailboxes: BTreeMap<Vec<u8>, Mailbox>,
    pub open: Option<Vec<u8>>,
    /// Looked into, without being open.
    pub peeked: Option<Vec<u8>>,
    pub blobs: Vec<Vec<u8>>,
    /// The messages of one APPEND, the last one still coming.
    pub append: Vec<(AppendAsk, Vec<u8>)>,
    pub events: Vec<String>,
    pub refuse: Option<Reason>,
    /// Rows of a page at most, to see pages.
    pub page: usize,
    /// Of the last change.
    pub modseq: u64,
    pub orders: Orders,
}

/// Keys in order, by mailbox and order.
pub type Keys = BTreeMap<(Vec<u8>, Vec<u8>), BTreeSet<Vec<u8>>>;

/// What is kept of orders.
#[derive(Clone, Debug)]
pub enum Orders {
    /// Nothing is.
    Declined,
    /// Keys; all are forgotten after so many more pages, if that is given.
    Kept(Keys, Option<u32>),
}

impl Orders {
    pub fn kept(forget_after: Option<u32>) -> Self {
        Self::Kept(BTreeMap::new(), forget_after)
    }

    fn page(&mut self, mailbox: &[u8], ask: &OrderAsk) -> Answer {
        let Self::Kept(orders, forget_after) = self else { return Answer::Declined };
        if let Some(pages) = forget_after {
            match pages.checked_sub(1) {
                Some(left) => *pages = left,
                None => {
                    (*orders, *forget_after) = (BTreeMap::new(), None);
                }
            }
        }
        let keys = orders.entry((mailbox.to_vec(), ask.by.clone())).or_default();
        let uid = |key: &Vec<u8>| u32::from_be_bytes(*key.last_chunk().expect("a key has a UID"));
        let known: BTreeSet<u32> = keys.iter().map(uid).collect();
        let asked = ask.uids.iter().flat_map(|run| run.first..=run.last);
        let unknown: Vec<UidRun> = asked
            .filter(|uid| !known.contains(uid))
            .map(|uid| UidRun { first: uid, last: uid })
            .collect();
        if !unknown.is_empty() {
            return Answer::Order(OrderPage { unknown, ..OrderPage::default() });
        }
        let all: Vec<u32> = keys.iter().map(uid).filter(|uid| within(&ask.uids, *uid)).collect();
        let page = all.iter().skip(ask.skip as usize).take(ask.max as usize);
        Answer::Order(OrderPage {
            unknown,
            uids: page.copied().collect(),
            first: all.first().copied().unwrap_or_default(),
            last: all.last().copied().unwrap_or_default(),
        })
    }

    fn keep(&mut self, mailbox: &[u8], told: SortKeys) -> Answer {
        let Self::Kept(orders, _) = self else { return Answer::Declined };
        orders.entry((mailbox.to_vec(), told.by)).or_default().extend(told.keys);
        Answer::Done
    }
}

impl Host {
    pub fn new() -> Self {
        let mut host = Self {
            mailboxes: BTreeMap::new(),
            open: None,
            peeked: None,
            blobs: Vec::new(),
            append: Vec::new(),
            events: Vec::new(),
            refuse: None,
            page: 2,
            modseq: 2,
            orders: Orders::Declined,
        };
        host.mailbox("INBOX");
        host
    }

    pub fn mailbox(&mut self, name: &str) -> &mut Mailbox {
        let mailbox = Mailbox { uid_next: 1, ..Mailbox::default() };
        self.mailboxes.entry(name.into()).or_insert(mailbox)
    }

    pub fn put(&mut self, name: &str, octets: &str, system: u8) {
        let octets = octets.replace('\n', "\r\n").into_bytes();
        let mailbox = self.mailbox(name);
        let uid = mailbox.uid_next;
        mailbox.uid_next += 1;
        let flags = Flags { system, keywords: vec![] };
        let date_ms = 1_600_000_000_000;
        mailbox.messages.push(Stored { uid, octets, flags, date_ms, modseq: 1 });
    }

    fn opened(&mut self) -> &mut Mailbox {
        let name = self.open.clone().expect("a mailbox is open");
        self.mailboxes.get_mut(&name).expect("it is there")
    }

    /// The mailbox that rows are of.
    fn looked_at(&mut self) -> &mut Mailbox {
        let name = self.peeked.clone().or(self.open.clone()).expect("a mailbox is open");
        self.mailboxes.get_mut(&name).expect("it is there")
    }

    fn status(mailbox: &Mailbox) -> MailboxStatus {
        let without =
            |bit: u8| mailbox.messages.iter().filter(|m| m.flags.system & bit == 0).count();
        MailboxStatus {
            messages: mailbox.messages.len() as u32,
            recent: 0,
            uid_next: mailbox.uid_next,
            uid_validity: 7,
            unseen: without(8) as u32,
            deleted: (mailbox.messages.len() - without(4)) as u32,
            size: mailbox.messages.iter().map(|m| m.octets.len() as u64).sum(),
            deleted_size: {
                let deleted = mailbox.messages.iter().filter(|m| m.flags.system & 4 != 0);
                deleted.map(|m| m.octets.len() as u64).sum()
            },
            highest_modseq: {
                let messages = mailbox.messages.iter().map(|message| message.modseq);
                let gone = mailbox.expunged.iter().map(|(modseq, _)| *modseq);
                messages.chain(gone).max().unwrap_or(1)
            },
            mailbox_id: b"m1".to_vec(),
        }
    }

    fn uids(mailbox: &Mailbox, above: u32) -> UidPage {
        let mut runs: Vec<UidRun> = Vec::new();
        let mut more = false;
        for message in mailbox.messages.iter().filter(|m| m.uid > above) {
            let full = runs.len() == 2;
            match runs.last_mut() {
                Some(run) if run.last + 1 == message.uid => run.last = message.uid,
                _ if full => {
                    more = true;
                    break;
                }
                _ => runs.push(UidRun { first: message.uid, last: message.uid }),
            }
        }
        UidPage { runs, more }
    }

    pub fn answer(&mut self, ask: Ask) -> Answer {
        let refused = |reason| Answer::Refused(Refusal::new(reason));
        if let Some(reason) = self.refuse.filter(|_| !matches!(ask, Ask::Login(_))) {
            return refused(reason);
        }
        match ask {
            Ask::Phase(_) | Ask::Watch => Answer::Done,
            Ask::AuthorizeUrl(url) if url.owner == b"ann" => Answer::UrlToken(KEY.token(&url.rump)),
            Ask::AuthorizeUrl(_) => refused(Reason::NotPermitted),
            Ask::ResetKey(_) => Answer::Done,
            Ask::RedeemUrl(claim) if !KEY.is_token(&claim.url.rump, &claim.token) => {
                refused(Reason::NotPermitted)
            }
            Ask::RedeemUrl(UrlClaim { url: UrlRump { mailbox: name, .. }, .. })
            | Ask::Peek(name) => match self.mailboxes.get(&name) {
                Some(mailbox) => {
                    let opened = Opened {
                        status: Self::status(mailbox),
                        rights: b"lr".to_vec(),
                        read_only: true,
                        first_unseen: None,
                        recent_from: mailbox.uid_next,
                        keywords: vec![],
                        uids: Self::uids(mailbox, 0),
                    };
                    self.peeked = Some(name);
                    Answer::Opened(opened)
                }
                None => refused(Reason::NotFound),
            },
            Ask::Login(Credentials::Password(given)) if given.password == b"s3cret" => {
                let account = Account { name: given.user, server_signature: vec![] };
                Answer::Login(LoginAnswer::Accepted(account))
            }
            Ask::Login(_) => {
                Answer::Login(LoginAnswer::Refused(Refusal::new(Reason::BadCredentials)))
            }
            Ask::Mailboxes(ask) => Answer::Mailboxes(self.mailboxes_page(&ask)),
            Ask::Create(ask) => {
                let name = String::from_utf8(ask.name).expect("UTF-8");
                if self.mailboxes.contains_key(name.as_bytes()) {
                    return refused(Reason::AlreadyExists);
                }
                self.mailbox(&name).special_uses = ask.special_uses;
                Answer::Done
            }
            Ask::Delete(name) => match self.mailboxes.remove(&name) {
                Some(_) => Answer::Done,
                None => refused(Reason::NotFound),
            },
            Ask::Rename(ask) => match self.mailboxes.remove(&ask.from) {
                Some(mailbox) => {
                    self.mailboxes.insert(ask.to, mailbox);
                    Answer::Done
                }
                None => refused(Reason::NotFound),
            },
            Ask::Subscribe(ask) => {
                if let Some(mailbox) = self.mailboxes.get_mut(&ask.name) {
                    mailbox.subscribed = ask.subscribed;
                }
                Answer::Done
            }
            Ask::Status(name) => match self.mailboxes.get(&name) {
                Some(mailbox) => Answer::Status(Self::status(mailbox)),
                None => refused(Reason::NotFound),
            },
            Ask::Open(ask) => self.open(&ask),
            Ask::Uids(above) => Answer::Uids(Self::uids(self.looked_at(), above)),
            Ask::Rows(ask) => Answer::Rows(self.rows(&ask)),
            Ask::Flags(ask) => Answer::Flags(self.rows(&ask.into()).into()),
            Ask::Vanished(ask) => Answer::Vanished(self.vanished(&ask)),
            Ask::Octets(range) => Answer::Octets(self.octets(range)),
            Ask::Store(ask) => Answer::Stored(self.store(&ask)),
            Ask::Expunge(uids) => {
                let gone = |m: &Stored| m.flags.system & 4 != 0 && within(&uids, m.uid);
                let modseq = self.modseq;
                let mailbox = self.opened();
                let went: Vec<u32> =
                    mailbox.messages.iter().filter(|m| gone(m)).map(|m| m.uid).collect();
                mailbox.messages.retain(|m| !gone(m));
                mailbox.expunged.extend(went.iter().map(|uid| (modseq, *uid)));
                let modseq = if went.is_empty() { 0 } else { modseq };
                let runs = went.into_iter().map(|u| UidRun { first: u, last: u }).collect();
                Answer::Expunged(Expunged { runs, modseq })
            }
            Ask::Copy(ask) => self.copy(&ask),
            Ask::Append(ask) => {
                if !self.mailboxes.contains_key(&ask.name) {
                    return refused(Reason::NotFound);
                }
                self.append.push((ask, vec![]));
                Answer::Done
            }
            Ask::Chunk(octets) => {
                self.append.last_mut().expect("an APPEND runs").1.extend(octets);
                Answer::Done
            }
            Ask::Commit => {
                let (mut uids, mut replaces) = (vec![], None);
                for (ask, octets) in std::mem::take(&mut self.append) {
                    // Of one that is put together less is known before.
                    assert!(ask.size <= octets.len() as u64);
                    let name = String::from_utf8(ask.name).expect("UTF-8");
                    let mailbox = self.mailbox(&name);
                    let uid = mailbox.uid_next;
                    mailbox.uid_next += 1;
                    let date_ms = ask.internal_date_ms.unwrap_or(0);
                    let flags = ask.flags;
                    mailbox.messages.push(Stored { uid, octets, flags, date_ms, modseq: 1 });
                    uids.push(UidRun { first: uid, last: uid });
                    replaces = ask.replaces;
                }
                assert!(!uids.is_empty(), "an APPEND runs");
                let mut replaced_modseq = 0;
                if let Some(uid) = replaces {
                    let modseq = self.modseq;
                    let mailbox = self.opened();
                    let before = mailbox.messages.len();
                    mailbox.messages.retain(|message| message.uid != uid);
                    if mailbox.messages.len() == before {
                        return refused(Reason::NotFound);
                    }
                    mailbox.expunged.push((modseq, uid));
                    replaced_modseq = modseq;
                }
                Answer::Appended(Appended { uid_validity: 7, uids, replaced_modseq })
            }
            Ask::Search(_) => Answer::Declined,
            Ask::Order(ask) => {
                let mailbox = self.open.clone().expect("a mailbox is open");
                self.orders.page(&mailbox, &ask)
            }
            Ask::SortKeys(told) => {
                let mailbox = self.open.clone().expect("a mailbox is open");
                self.orders.keep(&mailbox, told)
            }
            Ask::Quota(_) | Ask::Rights(_) | Ask::Metadata(_) => refused(Reason::Unsupported),
        }
    }

    fn mailboxes_page(&self, ask: &MailboxesAsk) -> MailboxPage {
        let after = |name: &&Vec<u8>| {
            ask.after.as_ref().is_none_or(|after| *name > after) && name.starts_with(&ask.prefix)
        };
        let names: Vec<&Vec<u8>> = self.mailboxes.keys().filter(after).collect();
        let rows = names.iter().take(self.page).map(|name| {
            let mailbox = &self.mailboxes[*name];
            let below = [name, &b"/"[..]].concat();
            MailboxRow {
                name: name.to_vec(),
                exists: !mailbox.gone,
                selectable: !mailbox.gone,
                subscribed: mailbox.subscribed,
                has_children: self
                    .mailboxes
                    .iter()
                    .any(|(other, it)| !it.gone && other.starts_with(&below)),
                special_uses: mailbox.special_uses.clone(),
                rights: b"lrswipkxtea".to_vec(),
                status: ask.status.then(|| Self::status(mailbox)),
            }
        });
        MailboxPage { rows: rows.collect(), more: names.len() > self.page }
    }

    fn open(&mut self, ask: &OpenAsk) -> Answer {
        self.open = None;
        let Some(mailbox) = self.mailboxes.get(&ask.name) else {
            return Answer::Refused(Refusal::new(Reason::NotFound));
        };
        let first_unseen = mailbox.messages.iter().find(|m| m.flags.system & 8 == 0);
        let opened = Opened {
            status: Self::status(mailbox),
            rights: b"lrswipkxtea".to_vec(),
            read_only: false,
            first_unseen: first_unseen.map(|m| m.uid),
            recent_from: mailbox.uid_next - u32::from(!mailbox.messages.is_empty()),
            keywords: vec![b"$Old".to_vec()],
            uids: Self::uids(mailbox, 0),
        };
        self.open = Some(ask.name.clone());
        Answer::Opened(opened)
    }

    fn vanished(&mut self, ask: &VanishedAsk) -> VanishedPage {
        let mailbox = self.opened();
        if ask.since < mailbox.forgotten {
            return VanishedPage::default();
        }
        let wanted = |(modseq, uid): &&(u64, u32)| *modseq > ask.since && *uid > ask.above;
        let mut uids: Vec<u32> = mailbox.expunged.iter().filter(wanted).map(|(_, u)| *u).collect();
        uids.sort_unstable();
        let runs = uids.iter().take(2).map(|&uid| UidRun { first: uid, last: uid }).collect();
        VanishedPage { known: true, runs, more: uids.len() > 2 }
    }

    fn rows(&mut self, ask: &RowsAsk) -> RowPage {
        let page = self.page.min(ask.max as usize);
        let since = ask.changed_since.unwrap_or(0);
        let wanted = |m: &&Stored| within(&ask.uids, m.uid) && m.modseq > since;
        let found: Vec<Stored> = self.looked_at().messages.iter().filter(wanted).cloned().collect();
        let more = found.len() > page;
        let rows = found.into_iter().take(page).map(|m| {
            let blob = self.blobs.len() as u64;
            let index = ask.index.then(|| index(&m.octets).encode());
            let size = m.octets.len() as u64;
            self.blobs.push(m.octets);
            Row {
                uid: m.uid,
                blob,
                size,
                flags: m.flags,
                modseq: m.modseq,
                internal_date_ms: m.date_ms,
                internal_date_zone: 120,
                save_date_ms: m.date_ms + 86_400_000,
                index,
            }
        });
        RowPage { rows: rows.collect(), more }
    }

    pub fn octets(&self, range: BlobRange) -> Vec<u8> {
        let blob = &self.blobs[range.blob as usize];
        blob[range.offset as usize..(range.offset + range.length) as usize].to_vec()
    }

    fn store(&mut self, ask: &StoreAsk) -> pillarbox_engine::imap::types::Stored {
        let (mut rows, mut modified) = (vec![], vec![]);
        let modseq = self.modseq;
        for message in self.opened().messages.iter_mut().filter(|m| within(&ask.uids, m.uid)) {
            if ask.unchanged_since.is_some_and(|since| message.modseq > since) {
                modified.push(UidRun { first: message.uid, last: message.uid });
                continue;
            }
            message.modseq = modseq;
            let flags = &mut message.flags;
            match ask.mode {
                StoreMode::Replace => *flags = ask.flags.clone(),
                StoreMode::Add => {
                    flags.system |= ask.flags.system;
                    flags.keywords.extend(ask.flags.keywords.iter().cloned());
                }
                StoreMode::Remove => flags.system &= !ask.flags.system,
            }
            rows.push(FlagRow { uid: message.uid, flags: flags.clone(), modseq });
        }
        pillarbox_engine::imap::types::Stored { rows, modified }
    }

    fn copy(&mut self, ask: &CopyAsk) -> Answer {
        if !self.mailboxes.contains_key(&ask.to) {
            return Answer::Refused(Refusal::new(Reason::NotFound));
        }
        let modseq = if ask.remove { self.modseq } else { 0 };
        let mut copied = Copied { uid_validity: 7, modseq, ..Copied::default() };
        let taken: Vec<Stored> =
            self.opened().messages.iter().filter(|m| within(&ask.uids, m.uid)).cloned().collect();
        if ask.remove {
            self.opened().messages.retain(|m| !within(&ask.uids, m.uid));
        }
        let to = self.mailboxes.get_mut(&ask.to).expect("it is there");
        for mut message in taken {
            copied.source.push(UidRun { first: message.uid, last: message.uid });
            message.uid = to.uid_next;
            to.uid_next += 1;
            copied.target.push(UidRun { first: message.uid, last: message.uid });
            to.messages.push(message);
        }
        Answer::Copied(copied)
    }
}

fn within(runs: &[UidRun], uid: u32) -> bool {
    runs.iter().any(|run| run.first <= uid && uid <= run.last)
}

/// An index of a message with a body, or with parts between lines `--b`.
pub fn index(octets: &[u8]) -> Index {
    let header_end = header::section_length(octets) as u64;
    let size = octets.len() as u64;
    let mut envelope = Envelope::default();
    let mut index = Index { size, ..Index::default() };
    for field in header::fields(&octets[..header_end as usize]) {
        let text = field.unfolded();
        match &field.name.to_ascii_lowercase()[..] {
            b"subject" => envelope.subject = Some(text),
            b"from" => envelope.from = address::parse_list(&text),
            b"to" => envelope.to = address::parse_list(&text),
            b"cc" => envelope.cc = address::parse_list(&text),
            b"message-id" => envelope.message_id = Some(text),
            b"in-reply-to" => envelope.in_reply_to = Some(text),
            // As an index of the first version, which does not say.
            b"x-preview" => index.preview = text,
            b"references" if text.starts_with(b"old") => {}
            b"references" => index.references = Some(text),
            b"date" => {
                index.sent = date::parse(&text).map(|date| (date.unix_ms, date.zone));
                envelope.date = Some(text);
            }
            _ => {}
        }
    }
    index.envelope = envelope;
    let header = Span { start: 0, end: header_end };
    index.parts.push(part(octets, 0, header, Span { start: header_end, end: size }));
    let text = String::from_utf8_lossy(octets).into_owned();
    if text.contains("--b\r\n") {
        index.parts[0].kind = PartKind::Multipart;
        index.parts[0].media_type = b"multipart".to_vec();
        index.parts[0].subtype = b"mixed".to_vec();
        let mut at = text.find("--b\r\n").expect("a part") + 5;
        while let Some(end) = text[at..].find("\r\n--b").map(|end| at + end) {
            let length = header::section_length(&octets[at..end]);
            let header = Span { start: at as u64, end: (at + length) as u64 };
            let body = Span { start: header.end, end: end as u64 };
            index.parts.push(part(octets, 0, header, body));
            at = end + 7;
        }
    }
    index
}

fn part(octets: &[u8], parent: u32, header: Span, body: Span) -> Part {
    let section = &octets[header.start as usize..header.end as usize];
    let encoding = header::fields(section).find(|field| field.is(b"Content-Transfer-Encoding"));
    Part {
        parent,
        header,
        body,
        lines: octets[body.start as usize..body.end as usize]
            .iter()
            .filter(|o| **o == b'\n')
            .count() as u32,
        media_type: b"text".to_vec(),
        subtype: b"plain".to_vec(),
        encoding: encoding.map_or(b"7bit".to_vec(), |field| field.unfolded()),
        ..Part::default()
    }
}

pub fn config() -> Config {
    Config {
        host_name: b"mail.example".to_vec(),
        peer: pillarbox_engine::types::Peer::default(),
        session_id: b"s1".to_vec(),
        tls: TlsOffer::None,
        auth: AuthOffer {
            mechanisms: vec![Mechanism::Plain],
            password_commands: true,
            cleartext: true,
        },
        preauth: None,
        without: vec![],
        faults: false,
        limits: Limits::IMAP,
        trace: false,
    }
}

/// Others expunged these.
pub fn went(runs: Vec<UidRun>) -> Change {
    Change::Expunged(Expunged { runs, modseq: 5 })
}

/// One thing that happens to a session.
#[derive(Clone)]
pub enum Step {
    Client(Vec<u8>),
    Call(Call),
    Host(fn(&mut Host)),
    Wait(u64),
}

pub fn c(text: &str) -> Step {
    Step::Client(format!("{text}\r\n").into_bytes())
}

/// A session with its host, and what the session has sent.
pub struct Talk {
    pub session: Session<Server>,
    pub host: Host,
    pub sent: Vec<u8>,
    pub closed: bool,
    pub now: Now,
    pub notes: usize,
    pub all_notes: Vec<pillarbox_engine::trace::Note>,
    /// Whether every ask is answered wrongly first.
    pub misuse: bool,
    /// Whether the session is frozen and thawed wherever it can be.
    pub freezes: bool,
    /// How often it was.
    pub frozen: usize,
    config: Config,
}

impl Talk {
    pub fn new(config: Config, host: Host) -> Self {
        let now = Now { monotonic_ms: 0, unix_ms: 1_700_000_000_000 };
        let session = Session::new(config.clone(), now);
        let mut talk = Self {
            session,
            host,
            sent: vec![],
            closed: false,
            now,
            notes: 0,
            all_notes: vec![],
            misuse: false,
            freezes: false,
            frozen: 0,
            config,
        };
        talk.settle();
        talk
    }

    fn settle(&mut self) {
        loop {
            match self.session.poll() {
                Output::Transmit(octets) => self.sent.extend(octets),
                Output::TransmitBlob(range) => self.sent.extend(self.host.octets(range)),
                Output::Ask(id, ask) => {
                    if self.misuse {
                        self.answer_wrongly(id);
                    }
                    let answer = self.host.answer(ask);
                    self.session.answer(self.now, id, answer).expect("a right answer");
                }
                Output::Event(event) => {
                    let event = format!("{event:?}");
                    if event == "Unpeeked" {
                        self.host.peeked = None;
                    }
                    if event == "AppendDropped" {
                        self.host.append.clear();
                    }
                    self.host.events.push(event.split('(').next().unwrap_or("").to_owned());
                }
                Output::Compress => self.host.events.push("Compress".to_owned()),
                Output::StartTls => {
                    self.session.secured(self.now, TlsFacts::default()).expect("asked for");
                }
                Output::Note(note) => {
                    self.notes += 1;
                    self.all_notes.push(note);
                }
                Output::Wait { deadline_ms } => {
                    assert!(
                        deadline_ms.is_some(),
                        "a session that waits for its peer has a deadline"
                    );
                    if self.freezes {
                        self.freeze(deadline_ms);
                    }
                    return;
                }
                Output::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    /// Goes on with a session made of what this one is, if it is one that can be frozen.
    pub fn freeze(&mut self, deadline_ms: Option<u64>) -> Option<usize> {
        let frozen = self.session.freeze()?;
        let thawed = Session::thaw(self.config.clone(), self.now, &frozen);
        self.session = thawed.expect("what was frozen thaws");
        assert_eq!(self.session.freeze().as_ref(), Some(&frozen), "and is the same again");
        let waits =
            matches!(self.session.poll(), Output::Wait { deadline_ms: at } if at == deadline_ms);
        assert!(waits, "it waits as before");
        self.frozen += 1;
        Some(frozen.len())
    }

    /// Answers that no ask can have, which must change nothing.
    fn answer_wrongly(&mut self, id: u32) {
        let unsound = vec![UidRun { first: 9, last: 3 }];
        let wrong = [
            Answer::Metadata(vec![]),
            Answer::UrlToken(vec![1; 15]),
            Answer::Quota(Quota::default()),
            Answer::Expunged(Expunged { runs: unsound.clone(), modseq: 5 }),
            Answer::Vanished(VanishedPage { known: true, runs: vec![], more: true }),
            Answer::Found(unsound.clone()),
            Answer::Uids(UidPage { runs: unsound.clone(), more: false }),
            Answer::Appended(Appended {
                uid_validity: 1,
                uids: unsound.clone(),
                replaced_modseq: 0,
            }),
            Answer::Rows(RowPage { rows: vec![], more: true }),
            Answer::Flags(FlagPage { more: true, ..FlagPage::default() }),
            Answer::Flags(FlagPage { uids: vec![1], ..FlagPage::default() }),
            Answer::Octets(vec![0; 70_000]),
            Answer::Copied(Copied { source: unsound, ..Copied::default() }),
            Answer::Mailboxes(MailboxPage { rows: vec![], more: true }),
        ];
        for answer in wrong {
            let misuse = self.session.answer(self.now, id, answer).expect_err("a wrong answer");
            assert!(matches!(misuse, Misuse::WrongAnswer | Misuse::BadValue));
        }
        let misuse = self.session.answer(self.now, id + 1, Answer::Done);
        assert_eq!(misuse, Err(Misuse::UnknownAsk));
    }

    pub fn receive(&mut self, octets: &[u8], piece: usize) {
        for mut piece in octets.chunks(piece) {
            while !piece.is_empty() && !self.closed {
                let taken = self.session.receive(self.now, piece);
                piece = &piece[taken..];
                self.settle();
            }
        }
    }

    pub fn step(&mut self, step: &Step, piece: usize) {
        match step {
            Step::Client(octets) => self.receive(octets, piece),
            Step::Call(call) => {
                self.session.call(self.now, call.clone()).expect("a right call");
                self.settle();
            }
            Step::Host(change) => change(&mut self.host),
            Step::Wait(ms) => {
                self.now.monotonic_ms += ms;
                self.session.tick(self.now);
                self.settle();
            }
        }
    }
}

/// Runs the steps whole, octet by octet, traced, and frozen wherever they can be, sees that it makes no difference, and gives
/// what was sent.
pub fn run(config: &Config, host: &Host, steps: &[Step]) -> (String, Talk) {
    let mut whole: Option<Talk> = None;
    let ways = [
        (usize::MAX, false, false, false),
        (1, false, false, false),
        (7, true, false, false),
        (usize::MAX, false, true, false),
        (usize::MAX, false, false, true),
        (5, true, false, true),
    ];
    for (piece, trace, misuse, freezes) in ways {
        let config = Config { trace, ..config.clone() };
        let mut talk = Talk::new(config, host.clone());
        (talk.misuse, talk.freezes) = (misuse, freezes);
        steps.iter().for_each(|step| talk.step(step, piece));
        assert_eq!(talk.notes > 0, trace);
        match &whole {
            None => whole = Some(talk),
            Some(whole) => {
                let text = |talk: &Talk| String::from_utf8_lossy(&talk.sent).into_owned();
                assert_eq!(
                    text(&talk),
                    text(whole),
                    "pieces of {piece}, trace {trace}, freezes {freezes}"
                );
                assert_eq!(talk.host.events, whole.host.events);
                assert_eq!(talk.closed, whole.closed);
            }
        }
    }
    let talk = whole.expect("it ran");
    (String::from_utf8_lossy(&talk.sent).into_owned(), talk)
}

/// As `run`, after login, and without what was sent up to there.
pub fn logged_in(host: &Host, steps: &[Step]) -> (String, Talk) {
    let mut all = vec![c("L LOGIN ann s3cret")];
    all.extend_from_slice(steps);
    let (text, talk) = run(&config(), host, &all);
    let end = text.find("Logged in\r\n").expect("logged in") + "Logged in\r\n".len();
    (text[end..].to_owned(), talk)
}

/// As `logged_in`, with INBOX selected.
pub fn selected(host: &Host, steps: &[Step]) -> (String, Talk) {
    let mut all = vec![c("S SELECT INBOX")];
    all.extend_from_slice(steps);
    let (text, talk) = logged_in(host, &all);
    let end = text.find("S OK [READ-WRITE] Selected\r\n").expect("selected");
    (text[end + "S OK [READ-WRITE] Selected\r\n".len()..].to_owned(), talk)
}

/// Compares with lines that end with LF alone in the source.
#[track_caller]
pub fn same(text: &str, expected: &str) {
    assert_eq!(shortened(text), expected.replace('\n', "\r\n"));
}

/// The long list of charsets as `UTF-8 …`.
fn shortened(text: &str) -> String {
    let Some((before, rest)) = text.split_once("BADCHARSET (UTF-8 ") else {
        return text.to_owned();
    };
    let (_, after) = rest.split_once(')').expect("the list ends");
    format!("{before}BADCHARSET (UTF-8 …){after}")
}
