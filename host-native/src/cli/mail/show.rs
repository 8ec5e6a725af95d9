//! Shows mailboxes and messages, to people or to programs.

use std::io::Write;

use pillarbox_engine::imap::client::types::{
    Address, BodyPart, Command, Envelope, FetchCommand, FetchSection, Fetched, ListCommand,
    StoreCommand,
};
use pillarbox_engine::imap::types::{Flags, SearchKey, StoreMode, UidRun};
use pillarbox_engine::text::transfer::Decoder;
use pillarbox_world::store::push_uid;
use serde_json::{Value, json};

use super::sink::Body;
use super::text;
use super::{Session, Stopped};
use crate::error::Error;
use crate::serve::shown;

/// Messages of one FETCH.
const PAGE: usize = 100;
/// Characters of a sender's name in a list.
const NAME_MAX: usize = 24;
const SEEN: u8 = 8;

/// What of a message is shown.
pub(super) enum How {
    /// Its fields and its text.
    Text,
    /// All of it, as it is.
    Raw,
    /// One part, decoded.
    Part(Vec<u8>),
}

impl How {
    /// One part, by a number such as `1.2`.
    pub(super) fn part(section: &str) -> Result<Self, Error> {
        let right = section.split('.').all(|number| number.parse::<u16>().is_ok_and(|n| n > 0));
        if right {
            return Ok(Self::Part(section.as_bytes().to_vec()));
        }
        Err(Error::usage(format!("--part: `{section}` is no part's number, such as 2 or 1.2")))
    }
}

pub(super) async fn mailboxes(session: &mut Session) -> Result<(), Stopped> {
    let list = ListCommand { pattern: b"*".to_vec(), ..ListCommand::default() };
    session.call(Command::List(list)).await?;
    let mut all = std::mem::take(&mut session.reading.sink().mailboxes);
    all.sort_by(|a, b| (a.name != b"INBOX", &a.name).cmp(&(b.name != b"INBOX", &b.name)));
    all.dedup_by(|a, b| a.name == b.name);
    for mailbox in all {
        let has = |wanted: &str| {
            let is = |one: &Vec<u8>| one.eq_ignore_ascii_case(wanted.as_bytes());
            mailbox.attributes.iter().any(is)
        };
        let selectable = !has("\\Noselect") && !has("\\NonExistent");
        let mut counters = None;
        if selectable {
            let end = session.reading.call(Command::Status(mailbox.name.clone())).await?;
            // One mailbox that cannot be counted is no reason to show none.
            if end.outcome == pillarbox_engine::imap::client::types::Outcome::Ok {
                counters = session.reading.sink().statuses.pop().map(|found| found.counters);
            }
        }
        let name = String::from_utf8_lossy(&mailbox.name).into_owned();
        let uses = ["\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash"];
        let uses: Vec<&str> = uses.into_iter().filter(|one| has(one)).collect();
        let (messages, unseen) =
            counters.as_ref().map_or((None, None), |counters| (counters.messages, counters.unseen));
        if session.json {
            println!(
                "{}",
                json!({ "mailbox": name, "messages": messages, "unseen": unseen, "uses": uses,
                    "selectable": selectable })
            );
            continue;
        }
        let number = |number: Option<u32>| number.map_or_else(|| "-".into(), |n| n.to_string());
        let (messages, unseen) = (number(messages), number(unseen));
        let name = text::one_line(&name);
        if !selectable {
            // It only has mailboxes below it.
            println!("{:>8} {:>15}  {name}", "-", "no messages");
            continue;
        }
        println!("{messages:>8} {unseen:>8} unseen  {name}  {}", uses.join(" ").to_lowercase());
    }
    Ok(())
}

pub(super) async fn list(
    session: &mut Session,
    mailbox: &str,
    last: Option<u32>,
) -> Result<(), Stopped> {
    session.open(mailbox, true).await?;
    let opened = session.reading.sink().opened.as_ref();
    let counters = opened.map(|opened| opened.counters.clone()).unwrap_or_default();
    let (count, next) = (counters.messages.unwrap_or(0), counters.uid_next);
    if count == 0 {
        return Ok(());
    }
    let uids = match (last, next) {
        // UIDs have gaps, so it is looked behind as much further as it takes.
        (Some(last), Some(next)) => {
            let mut reach = last.max(50);
            loop {
                let first = next.saturating_sub(reach).max(1);
                let run = UidRun { first, last: u32::MAX };
                let found = session.search(vec![SearchKey::Uids(vec![run])]).await?;
                if found.len() >= last.min(count) as usize || first == 1 {
                    break found;
                }
                reach = reach.saturating_mul(4);
            }
        }
        _ => session.search(vec![SearchKey::All]).await?,
    };
    let skip = last.map_or(0, |last| uids.len().saturating_sub(last as usize));
    rows(session, &uids[skip..]).await
}

pub(super) async fn search(
    session: &mut Session,
    mailbox: &str,
    keys: Vec<SearchKey>,
) -> Result<(), Stopped> {
    session.open(mailbox, true).await?;
    let uids = session.search(keys).await?;
    if uids.is_empty() && !session.json {
        eprintln!("nothing found");
    }
    rows(session, &uids).await
}

/// A line for each message.
async fn rows(session: &mut Session, uids: &[u32]) -> Result<(), Stopped> {
    for page in uids.chunks(PAGE) {
        let mut runs = Vec::new();
        page.iter().for_each(|uid| push_uid(&mut runs, *uid));
        let fetch = FetchCommand {
            uids: runs,
            with_flags: true,
            with_facts: true,
            with_envelope: true,
            ..FetchCommand::default()
        };
        session.call(Command::Fetch(fetch)).await?;
        let mut all = std::mem::take(&mut session.reading.sink().fetched);
        all.retain(|fetched| fetched.envelope.is_some());
        all.sort_by_key(|fetched| fetched.uid);
        let mut out = std::io::stdout().lock();
        for fetched in &all {
            let line = match session.json {
                true => as_json(fetched).to_string(),
                false => as_line(fetched),
            };
            if writeln!(out, "{line}").is_err() {
                // Whoever reads has seen enough.
                return Ok(());
            }
        }
    }
    Ok(())
}

fn as_line(fetched: &Fetched) -> String {
    let envelope = fetched.envelope.clone().unwrap_or_default();
    let flags = fetched.flags.clone().unwrap_or_default();
    let date = fetched.internal_date_ms.map(|ms| text::date(ms, fetched.internal_date_zone));
    let from = envelope.from.first().map(text::name).unwrap_or_default();
    let subject = text::field(envelope.subject.as_deref().unwrap_or_default());
    format!(
        "{:>8} {} {:16}  {:NAME_MAX$}  {subject}",
        fetched.uid,
        text::letters(&flags),
        date.unwrap_or_default(),
        text::cut(&from, NAME_MAX)
    )
}

fn as_json(fetched: &Fetched) -> Value {
    let envelope = fetched.envelope.clone().unwrap_or_default();
    json!({
        "uid": fetched.uid,
        "flags": fetched.flags.as_ref().map(text::names),
        "date_ms": fetched.internal_date_ms,
        "size": fetched.size,
        "from": addresses(&envelope.from),
        "to": addresses(&envelope.to),
        "cc": addresses(&envelope.cc),
        "subject": envelope.subject.as_deref().map(text::field),
        "message_id": envelope.message_id.as_deref().map(shown),
    })
}

fn addresses(all: &[Address]) -> Vec<Value> {
    let one = |address: &Address| {
        let name = address.name.as_deref().map(text::field);
        json!({ "name": name, "address": text::mailbox(address) })
    };
    all.iter().map(one).collect()
}

pub(super) async fn read(
    session: &mut Session,
    mailbox: &str,
    uid: u32,
    how: How,
    peek: bool,
) -> Result<(), Stopped> {
    session.open(mailbox, peek).await?;
    let fetch = FetchCommand {
        uids: vec![UidRun { first: uid, last: uid }],
        with_flags: true,
        with_facts: true,
        with_envelope: true,
        with_structure: true,
        ..FetchCommand::default()
    };
    session.call(Command::Fetch(fetch)).await?;
    let all = std::mem::take(&mut session.reading.sink().fetched);
    let Some(fetched) = all.into_iter().find(|fetched| fetched.uid == uid) else {
        return Err(Stopped::Nothing(format!("{mailbox} has no message {uid}")));
    };
    match how {
        How::Text => text_of(session, &fetched).await?,
        How::Raw => written(session, uid, Vec::new(), None).await?,
        How::Part(section) => {
            let part = fetched.structure.iter().find(|part| part.section == section);
            let Some(part) = part else {
                let section = shown(&section);
                return Err(Stopped::Nothing(format!("message {uid} has no part {section}")));
            };
            written(session, uid, section, Decoder::new(&part.encoding)).await?;
        }
    }
    let is_seen = fetched.flags.as_ref().is_some_and(|flags| flags.system & SEEN != 0);
    if !peek && !is_seen {
        let uids = vec![UidRun { first: uid, last: uid }];
        let flags = Flags { system: SEEN, keywords: Vec::new() };
        let (mode, silent, unchanged_since) = (StoreMode::Add, true, None);
        let store = StoreCommand { uids, mode, flags, silent, unchanged_since };
        // A mailbox that one may only read is read all the same.
        session.reading.call(Command::Store(store)).await?;
    }
    Ok(())
}

async fn body(session: &mut Session, uid: u32, section: Vec<u8>) -> Result<(), Stopped> {
    let sections = vec![FetchSection { section, binary: false, part: None }];
    let uids = vec![UidRun { first: uid, last: uid }];
    let fetch = FetchCommand { uids, sections, ..FetchCommand::default() };
    session.call(Command::Fetch(fetch)).await.map(|_| ())
}

/// Writes a section to standard output.
async fn written(
    session: &mut Session,
    uid: u32,
    section: Vec<u8>,
    decoder: Option<Decoder>,
) -> Result<(), Stopped> {
    session.reading.sink().body = Body::Written(decoder, true);
    body(session, uid, section).await?;
    session.reading.sink().body = Body::None;
    // Whoever reads may have seen enough.
    drop(std::io::stdout().flush());
    Ok(())
}

async fn text_of(session: &mut Session, fetched: &Fetched) -> Result<(), Stopped> {
    let leaves: Vec<&BodyPart> = fetched
        .structure
        .iter()
        .filter(|part| !part.media_type.starts_with(b"multipart/"))
        .collect();
    let is_attached = |part: &BodyPart| part.disposition.as_deref() == Some(b"attachment");
    let of_type = |wanted: &[u8]| {
        leaves.iter().copied().find(|part| part.media_type == wanted && !is_attached(part))
    };
    let chosen = of_type(b"text/plain").or_else(|| of_type(b"text/html"));
    let mut words = None;
    if let Some(part) = chosen {
        session.reading.sink().body = Body::Kept(Vec::new());
        body(session, fetched.uid, part.section.clone()).await?;
        if let Body::Kept(octets) = std::mem::take(&mut session.reading.sink().body) {
            words = Some(text::of_part(part, &octets));
        }
    }
    let others: Vec<&BodyPart> = leaves
        .iter()
        .copied()
        .filter(|part| chosen.is_none_or(|chosen| chosen.section != part.section))
        .collect();
    if session.json {
        let mut out = as_json(fetched);
        out["text"] = json!(words);
        out["parts"] = others.iter().map(|part| part_json(part)).collect();
        println!("{out}");
        return Ok(());
    }
    let envelope = fetched.envelope.clone().unwrap_or_default();
    let mut out = head(&envelope);
    out.push('\n');
    match &words {
        Some(words) => out.push_str(words),
        None => out.push_str("(no text)\n"),
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    if !others.is_empty() {
        out.push_str("\nParts, each to be had with --part:\n");
    }
    for part in others {
        let section = String::from_utf8_lossy(&part.section);
        let kind = text::one_line(&String::from_utf8_lossy(&part.media_type));
        let name = text::file_name(part).unwrap_or_default();
        out.push_str(&format!("{section:>6}  {kind}  {} octets  {name}\n", part.size));
    }
    // Whoever reads may have seen enough.
    drop(std::io::stdout().write_all(out.as_bytes()));
    Ok(())
}

fn head(envelope: &Envelope) -> String {
    let date = envelope.date.as_deref().map(text::field).unwrap_or_default();
    let subject = envelope.subject.as_deref().map(text::field).unwrap_or_default();
    let fields = [
        ("From", text::full(&envelope.from)),
        ("To", text::full(&envelope.to)),
        ("Cc", text::full(&envelope.cc)),
        ("Date", date),
        ("Subject", subject),
    ];
    let shown = fields.iter().filter(|(_, text)| !text.is_empty());
    shown.map(|(name, text)| format!("{name}: {text}\n")).collect()
}

fn part_json(part: &BodyPart) -> Value {
    json!({
        "section": String::from_utf8_lossy(&part.section),
        "type": String::from_utf8_lossy(&part.media_type),
        "size": part.size,
        "name": text::file_name(part),
    })
}
